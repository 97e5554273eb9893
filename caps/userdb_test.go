package caps

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testdir = "testdata/userdb/"

// files makes a database of two texts.
func files(t testing.TB, passwd, group string) Database {
	t.Helper()
	dir := t.TempDir()
	d := Database{Passwd: filepath.Join(dir, "passwd"), Group: filepath.Join(dir, "group")}
	for path, text := range map[string]string{d.Passwd: passwd, d.Group: group} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// errorIs compares an error with the whole sentence wanted; "" is none.
func errorIs(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error\n got %q\nwant %q", got, want)
	}
}

const (
	signed    = "an id is written without sign or blank"
	leading   = "an id is decimal, without leading zero"
	tooLarge  = "an id is at most 4294967294"
	noChange  = `65535 is no id: a 16-bit setresuid(2) takes it as "no change"`
	noChange2 = `4294967295 is no id: setresuid(2) takes it as "no change"`
)

// systemd.exec(5), User=: a name or a numeric id; setresuid(2): -1 changes
// nothing; CVE-2020-13776 for the numbers that are none.
func TestParseID(t *testing.T) {
	for _, c := range []struct {
		in   string
		id   uint32
		ok   bool
		fail string
	}{
		{"0", 0, true, ""},
		{"1", 1, true, ""},
		{"1000", 1000, true, ""},
		{"65534", 65534, true, ""},
		{"65536", 65536, true, ""},
		{"4294967294", 4294967294, true, ""},
		{"65535", 0, false, noChange},
		{"4294967295", 0, false, noChange2},
		{"4294967296", 0, false, tooLarge},
		{"18446744073709551616", 0, false, tooLarge},
		{strings.Repeat("9", 4096), 0, false, tooLarge},
		{"00", 0, false, leading},
		{"08", 0, false, leading},
		{"0065535", 0, false, leading},
		{"-1", 0, false, signed},
		{"+0", 0, false, signed},
		{"--1", 0, false, signed},
		{" 1", 0, false, signed},
		{"1 ", 0, false, signed},
		{"\t0", 0, false, signed},
		{"", 0, false, ""},
		{"-", 0, false, ""},
		{"0x0", 0, false, ""},
		{"0x2b", 0, false, ""},
		{"1e3", 0, false, ""},
		{"0day", 0, false, ""},
		{"1_000", 0, false, ""},
		{"1.0", 0, false, ""},
		{"١", 0, false, ""},
		{"1\x00", 0, false, ""},
		{"root", 0, false, ""},
	} {
		t.Run(c.in, func(t *testing.T) {
			id, ok, err := ParseID(c.in)
			if id != c.id || ok != c.ok {
				t.Errorf("got %d, %v, want %d, %v", id, ok, c.id, c.ok)
			}
			errorIs(t, err, c.fail)
		})
	}
}

// systemd.exec(5), User=; passwd(5).
func TestLookupUser(t *testing.T) {
	malformed := func(name string, line int, reason string) string {
		return strconv.Quote(name) + " is only in a malformed line, " + testdir + "passwd.hostile:" + strconv.Itoa(line) + ": " + reason
	}
	notNumber := "its uid or gid is not a number"
	for _, c := range []struct {
		file, name string
		want       User
		fail       string
	}{
		// Names and ids of a common file.
		{"passwd", "root", User{"root", 0, 0, "/root", "/bin/bash", true}, ""},
		{"passwd", "www-data", User{"www-data", 33, 33, "/var/www", "/usr/sbin/nologin", true}, ""},
		{"passwd", "nobody", User{"nobody", 65534, 65534, "/nonexistent", "/usr/sbin/nologin", true}, ""},
		{"passwd", "empty", User{"empty", 40, 41, "", "", true}, ""},
		{"passwd", "machine$", User{"machine$", 50, 50, "/dev/null", "/bin/false", true}, ""},
		{"passwd", "top", User{"top", 4294967294, 4294967294, "/", "/bin/sh", true}, ""},
		{"passwd", "last", User{"last", 60, 60, "/", "/bin/sh", true}, ""},
		{"passwd", "0", User{"root", 0, 0, "/root", "/bin/bash", true}, ""},
		{"passwd", "33", User{"www-data", 33, 33, "/var/www", "/usr/sbin/nologin", true}, ""},
		{"passwd", "60", User{"last", 60, 60, "/", "/bin/sh", true}, ""},
		{"passwd", "12345", User{UID: 12345}, ""},

		// What must never become an account.
		{"passwd", "nosuchuser", User{}, `unknown user "nosuchuser"`},
		{"passwd", "www", User{}, `unknown user "www"`},
		{"passwd", "www-data2", User{}, `unknown user "www-data2"`},
		{"passwd", "Root", User{}, `unknown user "Root"`},
		{"passwd", "0day", User{}, `unknown user "0day"`},
		{"passwd", "a b", User{}, `unknown user "a b"`},
		{"passwd", "ü", User{}, `unknown user "ü"`},
		{"passwd", "0x0", User{}, `unknown user "0x0"`},
		{"passwd", "", User{}, "empty name"},
		{"passwd", "-x", User{}, `a name does not start with "+", "-" or "#"`},
		{"passwd", "+", User{}, `a name does not start with "+", "-" or "#"`},
		{"passwd", "root\x00x", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "root\n", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "root:x", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "a,b", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "a/b", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "a\x7f", User{}, `a name has no control character, ":", "," or "/"`},
		{"passwd", "..", User{}, `a name is not "." or ".."`},
		{"passwd", " root", User{}, "a name does not start or end with a blank"},
		{"passwd", "root ", User{}, "a name does not start or end with a blank"},
		{"passwd", "r\xffoot", User{}, "a name is UTF-8"},
		{"passwd", strings.Repeat("a", 255), User{}, `unknown user "` + strings.Repeat("a", 255) + `"`},
		{"passwd", strings.Repeat("a", 256), User{}, "a name has at most 255 bytes"},
		{"passwd", "-1", User{}, signed},
		{"passwd", "+0", User{}, signed},
		{"passwd", "4294967295", User{}, noChange2},
		{"passwd", "65535", User{}, noChange},
		{"passwd", "4294967296", User{}, tooLarge},

		// Names first, if they are no decimal numbers.
		{"passwd.numbers", "0x0", User{"0x0", 1001, 1001, "/home/0x0", "/bin/sh", true}, ""},
		{"passwd.numbers", "0x10", User{"0x10", 1002, 1002, "/home/0x10", "/bin/sh", true}, ""},
		{"passwd.numbers", "1e3", User{"1e3", 1003, 1003, "/home/1e3", "/bin/sh", true}, ""},
		{"passwd.numbers", "0day", User{"0day", 1006, 1006, "/home/0day", "/bin/sh", true}, ""},
		{"passwd.numbers", "08", User{}, leading},
		{"passwd.numbers", "8", User{UID: 8}, ""},
		{"passwd.numbers", "1004", User{UID: 1004}, ""}, // its name is "08"
		{"passwd.numbers", "16", User{UID: 16}, ""},
		{"passwd.numbers", "1005", User{"plain", 1005, 1005, "/home/plain", "/bin/sh", true}, ""},
		{"passwd.numbers", "2005", User{UID: 2005}, ""}, // its name is "1005"

		// Hostile lines.
		{"passwd.hostile", "nis", User{}, `unknown user "nis"`},
		{"passwd.hostile", "blank", User{}, `unknown user "blank"`},
		{"passwd.hostile", "short", User{}, malformed("short", 8, "it has less than seven fields")},
		{"passwd.hostile", "six", User{}, malformed("six", 9, "it has less than seven fields")},
		{"passwd.hostile", "eight", User{}, malformed("eight", 10, "it has more than seven fields")},
		{"passwd.hostile", "nouid", User{}, malformed("nouid", 11, notNumber)},
		{"passwd.hostile", "hexuid", User{}, malformed("hexuid", 12, notNumber)},
		{"passwd.hostile", "signuid", User{}, malformed("signuid", 13, signed)},
		{"passwd.hostile", "zerouid", User{}, malformed("zerouid", 14, leading)},
		{"passwd.hostile", "wrapuid", User{}, malformed("wrapuid", 15, tooLarge)},
		{"passwd.hostile", "wrap64", User{}, malformed("wrap64", 16, tooLarge)},
		{"passwd.hostile", "minus", User{}, malformed("minus", 17, signed)},
		{"passwd.hostile", "nochange", User{}, malformed("nochange", 18, noChange2)},
		{"passwd.hostile", "nochange16", User{}, malformed("nochange16", 19, noChange)},
		{"passwd.hostile", "nogid", User{}, malformed("nogid", 20, notNumber)},
		{"passwd.hostile", "wrapgid", User{}, malformed("wrapgid", 21, tooLarge)},
		{"passwd.hostile", "crlf", User{}, malformed("crlf", 22, "its home or shell has a control character")},
		{"passwd.hostile", "twice", User{"twice", 16, 16, "/first", "/bin/sh", true}, ""},
		{"passwd.hostile", "16", User{"twice", 16, 16, "/first", "/bin/sh", true}, ""},
		{"passwd.hostile", "18", User{"eighteen", 18, 18, "/", "/bin/sh", true}, ""},
		{"passwd.hostile", "19", User{UID: 19}, ""},
		{"passwd.hostile", "0", User{UID: 0}, ""},
		{"passwd.hostile", "9", User{UID: 9}, ""},
		{"passwd.hostile", "12", User{UID: 12}, ""},
	} {
		t.Run(c.file+" "+c.name, func(t *testing.T) {
			got, err := Database{Passwd: testdir + c.file}.LookupUser(c.name)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			errorIs(t, err, c.fail)
		})
	}
}

// systemd.exec(5), Group=; group(5).
func TestLookupGroup(t *testing.T) {
	malformed := func(name string, line int, reason string) string {
		return strconv.Quote(name) + " is only in a malformed line, " + testdir + "group.hostile:" + strconv.Itoa(line) + ": " + reason
	}
	for _, c := range []struct {
		file, name string
		want       Group
		fail       string
	}{
		{"group", "root", Group{"root", 0}, ""},
		{"group", "video", Group{"video", 44}, ""},
		{"group", "nogroup", Group{"nogroup", 65534}, ""},
		{"group", "44", Group{"video", 44}, ""},
		{"group", "4", Group{"adm", 4}, ""},
		{"group", "12345", Group{GID: 12345}, ""},
		{"group", "vide", Group{}, `unknown group "vide"`},
		{"group", "", Group{}, "empty name"},
		{"group", "-1", Group{}, signed},
		{"group", "65535", Group{}, noChange},
		{"group", "x:y", Group{}, `a name has no control character, ":", "," or "/"`},
		{"group.hostile", "nis", Group{}, `unknown group "nis"`},
		{"group.hostile", "short", Group{}, malformed("short", 7, "it has less than four fields")},
		{"group.hostile", "three", Group{}, malformed("three", 8, "it has less than four fields")},
		{"group.hostile", "five", Group{}, malformed("five", 9, "it has more than four fields")},
		{"group.hostile", "nogid", Group{}, malformed("nogid", 10, "its uid or gid is not a number")},
		{"group.hostile", "hex", Group{}, malformed("hex", 11, "its uid or gid is not a number")},
		{"group.hostile", "sign", Group{}, malformed("sign", 12, signed)},
		{"group.hostile", "zero", Group{}, malformed("zero", 13, leading)},
		{"group.hostile", "wrap", Group{}, malformed("wrap", 14, tooLarge)},
		{"group.hostile", "nochange", Group{}, malformed("nochange", 15, noChange2)},
		{"group.hostile", "nochange16", Group{}, malformed("nochange16", 16, noChange)},
		{"group.hostile", "twice", Group{"twice", 20}, ""},
		{"group.hostile", "1000", Group{GID: 1000}, ""},
		{"group.hostile", "1001", Group{GID: 1001}, ""}, // its name is "1000"
		{"group.hostile", "2", Group{GID: 2}, ""},       // it has no name
		{"group.hostile", "5", Group{GID: 5}, ""},       // it is malformed
	} {
		t.Run(c.file+" "+c.name, func(t *testing.T) {
			got, err := Database{Group: testdir + c.file}.LookupGroup(c.name)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			errorIs(t, err, c.fail)
		})
	}
}

// initgroups(3): the groups of which the user is a member, and the group given.
func TestGroupsOf(t *testing.T) {
	for _, c := range []struct {
		file, name string
		primary    uint32
		want       []uint32
		fail       string
	}{
		{"group", "www-data", 33, []uint32{33, 4, 44, 29, 45}, ""},
		{"group", "www-data", 44, []uint32{44, 4, 33, 29, 45}, ""},
		{"group", "www-data", 0, []uint32{0, 4, 33, 44, 29, 45}, ""},
		{"group", "app", 1000, []uint32{1000, 44, 29}, ""},
		{"group", "other", 1000, []uint32{1000, 44}, ""},
		{"group", "syslog", 1000, []uint32{1000, 4}, ""},
		{"group", "www", 1000, []uint32{1000, 5}, ""},
		{"group", "nobody", 65534, []uint32{65534}, ""},
		{"group.hostile", "www", 9, []uint32{9, 1001, 20, 22}, ""},
		{"group", "", 9, nil, "empty name"},
		{"group", "33", 9, nil, "a name has more than digits"},
		{"group", "a,b", 9, nil, `a name has no control character, ":", "," or "/"`},
		{"group", "www", 4294967295, nil, noChange2},
		{"group", "www", 65535, nil, noChange},
	} {
		t.Run(c.file+" "+c.name+" "+strconv.Itoa(int(c.primary)), func(t *testing.T) {
			got, err := Database{Group: testdir + c.file}.GroupsOf(c.name, c.primary)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			errorIs(t, err, c.fail)
		})
	}
}

// Of several malformed lines of a name the first one is told.
func TestFirstMalformed(t *testing.T) {
	d := files(t, "a:x:1\nb:x:2:2::/:/\na:x:3\na:x:::::\n", "a:x:1\nb:x:2:\na:x:3\n")
	_, err := d.LookupUser("a")
	errorIs(t, err, `"a" is only in a malformed line, `+d.Passwd+":1: it has less than seven fields")
	_, err = d.LookupGroup("a")
	errorIs(t, err, `"a" is only in a malformed line, `+d.Group+":1: it has less than four fields")
}

// A group whose line is malformed gives its members nothing, wherever in it they stand.
func TestGroupsOfMalformedMembers(t *testing.T) {
	d := files(t, "", "good:x:5:user\nname\x00:x:4:user\nnul:x:6:user,b\x00\nfifth:x:7:user:\nnul-first:x:8:b\x00,user\nlong:x:9:user,"+strings.Repeat("m,", lineBuffer)+"b\x00\n")
	got, err := d.GroupsOf("user", 100)
	if err != nil || !slices.Equal(got, []uint32{100, 5}) {
		t.Errorf("got %v, %v", got, err)
	}
	// One whose name does not end is no group 0.
	got, err = files(t, "", strings.Repeat("n", lineBuffer+10)+",user\ngood:x:5:user\n").GroupsOf("user", 100)
	if err != nil || !slices.Equal(got, []uint32{100, 5}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// What is no file of lines is refused by each look-up, and so are names that lead elsewhere.
func TestNoDatabase(t *testing.T) {
	dir := t.TempDir()
	d := Database{Passwd: dir, Group: dir}
	_, err := d.LookupUser("1")
	errorIs(t, err, "open "+dir+": not a regular file")
	_, err = d.LookupGroup("1")
	errorIs(t, err, "open "+dir+": not a regular file")
	_, err = d.GroupsOf("user", 1)
	errorIs(t, err, "open "+dir+": not a regular file")
	for _, name := range []string{".", ".."} {
		_, err = files(t, name+":x:1:1::/:/\n", "").LookupUser(name)
		errorIs(t, err, `a name is not "." or ".."`)
	}
}

// A group file that ends in error in the midst of a line, or behind one, is no shorter group file.
func TestGroupsOfTooLarge(t *testing.T) {
	d := files(t, "", "")
	for _, text := range []string{"g:x:5:user,", "g:x:5:user\n"} {
		f, err := os.Create(d.Group)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		piece := []byte(strings.Repeat("m,", 1<<19))
		for range maxFile/len(piece) + 1 {
			if _, err := f.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = d.GroupsOf("user", 1)
		errorIs(t, err, "read "+d.Group+": larger than 32 MiB")
		_, err = d.LookupGroup("g2")
		errorIs(t, err, "read "+d.Group+": larger than 32 MiB")
		if _, err = d.LookupGroup("g"); (err == nil) != strings.Contains(text, "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A group line has no greatest length: sites have groups of many thousands.
// The member stands at every distance from the end of a buffer.
func TestGroupsOfLongLine(t *testing.T) {
	size := lineBuffer
	for _, length := range []int{size, 2 * size, 3*size + 1} {
		for shift := -12; shift <= 12; shift++ {
			many := strings.Repeat("m,", length/2) + strings.Repeat("n", 12+shift)
			text := "first:x:1:www\nlong:x:2:" + many + ",www," + many +
				"\nnear:x:3:" + many + "www\nend:x:5:" + many + ",www\nlast:x:4:a,www"
			d := files(t, "", text)
			want := []uint32{9, 1, 2, 5, 4} // not 3: its last member is "nnnwww"
			if shift == -12 {
				want = []uint32{9, 1, 2, 3, 5, 4} // but here it is "www"
			}
			if got, err := d.GroupsOf("www", 9); err != nil || !slices.Equal(got, want) {
				t.Fatalf("length %d shift %d: got %v, %v, want %v", length, shift, got, err, want)
			}
			if g, err := d.LookupGroup("long"); err != nil || g != (Group{"long", 2}) {
				t.Fatalf("length %d shift %d: long is %v, %v", length, shift, g, err)
			}
			if g, err := d.LookupGroup("4"); err != nil || g != (Group{"last", 4}) {
				t.Fatalf("length %d shift %d: 4 is %v, %v", length, shift, g, err)
			}
		}
	}
}

// The last line may end with a buffer, without a newline and behind a comma.
func TestGroupsOfLastBuffer(t *testing.T) {
	for _, size := range []int{lineBuffer, 2 * lineBuffer} {
		line := "g:x:5:user,"
		line += strings.Repeat("m,", (size-len(line))/2) + ","
		got, err := files(t, "", line).GroupsOf("user", 100)
		if len(line) != size || err != nil || !slices.Equal(got, []uint32{100, 5}) {
			t.Errorf("%d bytes: got %v, %v", len(line), got, err)
		}
	}
}

// Few groups are looked through, and cost no table of half a MiB.
func TestFewGroupsHaveNoTable(t *testing.T) {
	var l idList
	for id := range uint32(34) {
		if !l.add(id) || (l.slots != nil) != (id >= 32) {
			t.Errorf("%d groups: a table of %d", len(l.ids), len(l.slots))
		}
	}
}

// setgroups(2) takes NGROUPS_MAX groups, 65536.
func TestGroupsOfMany(t *testing.T) {
	groups := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("g:x:" + strconv.Itoa(4_000_000_000-i*3) + ":www\n")
			b.WriteString("g:x:" + strconv.Itoa(4_000_000_000-i/2*3) + ":www\n")
		}
		return b.String()
	}
	for _, n := range []int{30, 31, 32, 33, 34, 1000, 65535} {
		got, err := files(t, "", groups(n)).GroupsOf("www", 7)
		if err != nil || len(got) != n+1 || got[0] != 7 || got[1] != 4_000_000_000 || got[n] != uint32(4_000_000_000-(n-1)*3) {
			t.Errorf("%d groups: got %d, %v", n, len(got), err)
		}
	}
	d := files(t, "", groups(65536))
	got, err := d.GroupsOf("www", 7)
	if got != nil {
		t.Errorf("65537 groups: got %d of them", len(got))
	}
	errorIs(t, err, "read "+d.Group+`: more than 65536 groups list "www"`)
}

// Lines that only a program can write.
func TestLookupUserLongAndNUL(t *testing.T) {
	const good = "www:x:33:33::/srv:/bin/sh"
	want := User{"www", 33, 33, "/srv", "/bin/sh", true}
	mib := strings.Repeat("a", 1<<20)
	size := lineBuffer
	// A line and its newline fill the buffer, or are one byte longer.
	before, after := "www:x:33:33:", ":/srv:/bin/sh"
	fits := before + strings.Repeat("g", size-1-len(before)-len(after)) + after
	longer := before + strings.Repeat("g", size-len(before)-len(after)) + after
	for _, c := range []struct {
		name, text, reason string
		line               int // of the malformed line, if the search fails
	}{
		{"long line before", mib + "\n" + good, "", 0},
		{"long line of colons before", strings.Repeat(":", 1<<20) + "\n" + good, "", 0},
		{"long line after", good + "\n" + mib, "", 0},
		{"long comment field", "www:x:33:33:" + mib + ":/srv:/bin/sh\n", reasonLong, 1},
		{"good after long", "www:x:33:33:" + mib + ":/srv:/bin/sh\n" + good, "", 0},
		{"name in the middle of a long line", "x:\n" + mib[:size] + good + "\n", "none", 0},
		{"no newline and long", "a:\nwww:x:33:33:" + mib, reasonLong, 2},
		{"longest line", fits + "\n", "", 0},
		{"longest line, no newline", fits, "", 0},
		{"one byte too long", longer + "\n", reasonLong, 1},
		{"one byte too long, no newline", longer, reasonLong, 1},
		{"NUL in the name", "www\x00:x:33:33::/srv:/bin/sh\n", "none", 0},
		{"NUL in the password", "www:\x00:33:33::/srv:/bin/sh\n", reasonNUL, 1},
		{"NUL in the uid", "www:x:33\x00:33::/srv:/bin/sh\n", "its uid or gid is not a number", 1},
		{"NUL in the comment", "www:x:33:33:\x00:/srv:/bin/sh\n", reasonNUL, 1},
		{"NUL in the home", "www:x:33:33::/srv\x00/x:/bin/sh\n", "its home or shell has a control character", 1},
		{"DEL in the home", "www:x:33:33::/srv\x7f:/bin/sh\n", "its home or shell has a control character", 1},
		{"short lines before, up to the end of a buffer", strings.Repeat("w\n", size/2) + good, "", 0},
		{"NUL in the shell", "www:x:33:33::/srv:/bin/sh\x00\n", "its home or shell has a control character", 1},
		{"NULs before", strings.Repeat("\x00", 1<<20) + "\n" + good, "", 0},
		{"blank lines before", strings.Repeat("\n", 1<<20) + good, "", 0},
		{"nothing but the name", "www", "it has less than seven fields", 1},
		{"empty file", "", "none", 0},
		{"one newline", "\n", "none", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := files(t, c.text, "")
			got, err := d.LookupUser("www")
			switch {
			case c.reason == "":
				if got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				errorIs(t, err, "")
				return
			case c.reason == "none":
				errorIs(t, err, `unknown user "www"`)
			default:
				errorIs(t, err, `"www" is only in a malformed line, `+d.Passwd+":"+strconv.Itoa(c.line)+": "+c.reason)
				if wrong := (MalformedError{Name: "www", Path: d.Passwd, Line: c.line, Reason: c.reason}); err != wrong {
					t.Errorf("got %#v, want %#v", err, wrong)
				}
			}
			if got != (User{}) {
				t.Errorf("got %+v along with an error", got)
			}
		})
	}
}

func TestLookupGroupLongAndNUL(t *testing.T) {
	mib := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ name, text, reason string }{
		{"long password", "www:" + mib + ":33:\n", reasonLong},
		{"long member", "www:x:33:" + mib + "\n", "a member of it is too long"},
		{"NUL in the password", "www:\x00:33:\n", reasonNUL},
		{"NUL in the members", "www:x:33:a,\x00\n", reasonNUL},
		{"NUL far in the members", "www:x:33:" + strings.Repeat("a,", 1<<20) + "\x00\n", reasonNUL},
		{"colon far in the members", "www:x:33:" + strings.Repeat("a,", 1<<20) + ":\n", "it has more than four fields"},
		{"NUL in the gid", "www:x:\x0033:\n", "its uid or gid is not a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := files(t, "", c.text+"end:x:5:u\n")
			got, err := d.LookupGroup("www")
			errorIs(t, err, `"www" is only in a malformed line, `+d.Group+":1: "+c.reason)
			if got != (Group{}) {
				t.Errorf("got %+v along with an error", got)
			}
			if got, err := d.LookupGroup("end"); err != nil || got != (Group{"end", 5}) {
				t.Errorf("the line after it: got %+v, %v", got, err)
			}
			// Its malformed line makes no member, the next does.
			if ids, err := d.GroupsOf("a", 9); err != nil || !slices.Equal(ids, []uint32{9}) {
				t.Errorf("groups of a: got %v, %v", ids, err)
			}
			if ids, err := d.GroupsOf("u", 9); err != nil || !slices.Equal(ids, []uint32{9, 5}) {
				t.Errorf("groups of u: got %v, %v", ids, err)
			}
		})
	}
}

// What is no regular file is refused before a byte is read, and does not hang.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(path("fifo"), 0o600))
	must(os.Mkdir(path("dir"), 0o700))
	must(os.Symlink("loop", path("loop")))
	must(os.Symlink("fifo", path("to-fifo")))
	must(os.Symlink("nowhere", path("dangling")))
	must(os.WriteFile(path("file"), []byte("www:x:33:33::/:/bin/sh\n"), 0o600))
	must(os.Symlink("file", path("link")))
	must(os.WriteFile(path("huge"), nil, 0o600))
	must(os.Truncate(path("huge"), 1<<40))

	for _, c := range []struct {
		path, fail string
		errno      error
		noEntries  bool // for a search by id, and for groups
	}{
		{path("fifo"), "open " + path("fifo") + ": not a regular file", nil, false},
		{path("to-fifo"), "open " + path("to-fifo") + ": not a regular file", nil, false},
		{path("dir"), "open " + path("dir") + ": not a regular file", nil, false},
		{"/dev/zero", "open /dev/zero: not a regular file", nil, false},
		{path("loop"), "open " + path("loop") + ": too many levels of symbolic links", syscall.ELOOP, false},
		{path("file/x"), "open " + path("file/x") + ": not a directory", syscall.ENOTDIR, false},
		{path("huge"), "read " + path("huge") + ": larger than 32 MiB", nil, false},
		{path("missing"), "open " + path("missing") + ": no such file or directory", syscall.ENOENT, true},
		{path("dangling"), "open " + path("dangling") + ": no such file or directory", syscall.ENOENT, true},
		{"", "open : no such file or directory", syscall.ENOENT, true},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			d := Database{Passwd: c.path, Group: c.path}
			check := func(err error, fail bool) {
				t.Helper()
				if !fail {
					errorIs(t, err, "")
					return
				}
				errorIs(t, err, c.fail)
				if c.errno != nil && !errors.Is(err, c.errno) {
					t.Errorf("%v is not %v", err, c.errno)
				}
			}
			done := make(chan bool)
			go func() {
				defer close(done)
				_, err := d.LookupUser("www")
				check(err, true)
				_, err = d.LookupGroup("www")
				check(err, true)
				u, err := d.LookupUser("33")
				check(err, !c.noEntries)
				if want := (User{UID: 33}); err == nil && u != want {
					t.Errorf("got %+v, want %+v", u, want)
				}
				g, err := d.LookupGroup("33")
				check(err, !c.noEntries)
				if want := (Group{GID: 33}); err == nil && g != want {
					t.Errorf("got %+v, want %+v", g, want)
				}
				ids, err := d.GroupsOf("www", 33)
				check(err, !c.noEntries)
				if err == nil && !slices.Equal(ids, []uint32{33}) {
					t.Errorf("got %v, want [33]", ids)
				}
			}()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("hangs")
			}
		})
	}
	if u, err := (Database{Passwd: path("link")}).LookupUser("www"); err != nil || u.UID != 33 {
		t.Errorf("a symlink to a file: got %+v, %v", u, err)
	}
}

// proc(5): nothing is mapped at address 0, so that reading
// /proc/self/mem, which is a regular file, fails.
func TestReadError(t *testing.T) {
	const mem = "/proc/self/mem"
	if _, err := os.Stat(mem); err != nil {
		t.Skip("needs", mem)
	}
	_, err := Database{Passwd: mem}.LookupUser("www")
	errorIs(t, err, "read /proc/self/mem: input/output error")
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("%v is not EIO", err)
	}
}

// A file that is cut off while it is read is no shorter one: who is not found could stand in the rest.
func TestCutOffWhileRead(t *testing.T) {
	d := files(t, strings.Repeat("#\n", 2*lineBuffer), "")
	r, err := openLines(d.Passwd)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(&err)
	if err := os.Truncate(d.Passwd, lineBuffer); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = r.next()
	}
	errorIs(t, err, "read "+d.Passwd+": it ended before its end")
}

// A file in sysfs says that it has a page, and has less.
func TestMadeWhenRead(t *testing.T) {
	const file = "/sys/kernel/fscaps"
	if text, err := os.ReadFile(file); err != nil || len(text) == 0 {
		t.Skip("needs", file)
	}
	_, err := Database{Passwd: file}.LookupUser("www")
	errorIs(t, err, `unknown user "www"`)
}

// What fails first is told, and not that closing fails as well.
func TestCloseFails(t *testing.T) {
	for _, c := range []struct {
		before error
		want   string
	}{
		{nil, "close passwd: bad file descriptor"},
		{refusal("first"), "first"},
	} {
		err := c.before
		(&lineReader{path: "passwd", fd: -1}).close(&err)
		errorIs(t, err, c.want)
	}
}

func TestUnknownErrors(t *testing.T) {
	_, err := Database{Passwd: testdir + "passwd"}.LookupUser("ldapuser")
	var user UnknownUserError
	if !errors.As(err, &user) || user.Name != "ldapuser" {
		t.Errorf("got %#v", err)
	}
	if want := "only testdata/userdb/passwd is read; write a user of LDAP, SSSD or the like as UID:GID"; user.Hint() != want {
		t.Errorf("got %q, want %q", user.Hint(), want)
	}
	_, err = Database{Group: testdir + "group"}.LookupGroup("ldapgroup")
	var group UnknownGroupError
	if !errors.As(err, &group) || group.Name != "ldapgroup" {
		t.Errorf("got %#v", err)
	}
	if want := "only testdata/userdb/group is read; write a group of LDAP, SSSD or the like as its decimal GID"; group.Hint() != want {
		t.Errorf("got %q, want %q", group.Hint(), want)
	}
}

func TestHost(t *testing.T) {
	if Host != (Database{"/etc/passwd", "/etc/group"}) {
		t.Errorf("got %+v", Host)
	}
}

// No descriptor stays open, whatever happens.
func TestDescriptors(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc")
		}
		return len(list)
	}
	d := Database{testdir + "passwd", testdir + "group"}
	before := count()
	for _, path := range []string{"/", testdir + "passwd", "/dev/zero", testdir + "group.hostile"} {
		_, _ = Database{Passwd: path}.LookupUser("nosuchuser")
		_, _ = Database{Group: path}.LookupGroup("nosuchgroup")
		_, _ = Database{Group: path}.GroupsOf("www", 1)
	}
	_, _ = d.LookupUser("root")
	_, _ = d.LookupUser("33")
	_, _ = d.LookupGroup("root")
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// A hostile file costs neither memory nor time. Everything that is allocated
// counts, not what is alive at the end.
func TestBounds(t *testing.T) {
	const size = 31 << 20
	for _, c := range []struct{ name, unit string }{
		{"one line", "a"},
		{"blank lines", "\n"},
		{"colons", ":"},
		{"NUL", "\x00"},
		{"short lines", "a:b:c\n"},
		{"ids too large", "a:x:99999999999:1::/:\n"},
		{"accounts", "a:x:1:1::/:\n"},
		{"members", "www,"},
		{"groups", "a:x:1:www\n"},
		{"malformed groups", "a:x:999999999999:www\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Repeat(c.unit, size/len(c.unit))
			if c.name == "members" {
				text = "g:x:9:" + text
			}
			d := files(t, text, text)
			text = ""
			for _, call := range []struct {
				name string
				do   func()
			}{
				{"user", func() { _, _ = d.LookupUser("www") }},
				{"uid", func() { _, _ = d.LookupUser("4294967294") }},
				{"group", func() { _, _ = d.LookupGroup("www") }},
				{"gid", func() { _, _ = d.LookupGroup("4294967294") }},
				{"groups", func() { _, _ = d.GroupsOf("www", 9) }},
			} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				call.do()
				took := time.Since(start)
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > 10<<20 {
					t.Errorf("%s: %d bytes allocated", call.name, got)
				}
				t.Logf("%s: %v", call.name, took)
				if took > 5*time.Second { // 1 s is the aim; a busy machine is no defect
					t.Errorf("%s: took %v", call.name, took)
				}
			}
		})
	}
}

// The fuzzers hold a result against the file by a plain reading of it.
func FuzzPasswd(f *testing.F) {
	for _, file := range []string{"passwd", "passwd.numbers", "passwd.hostile"} {
		text, err := os.ReadFile(testdir + file)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range []string{"root", "0", "0x0", "1005", "twice", "18", "crlf", "last"} {
			f.Add(text, name)
		}
	}
	f.Add([]byte("+::::\nwww:x:0:0:::\x00\nwww"), "www")
	path := filepath.Join(f.TempDir(), "passwd")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Database{Passwd: path}.LookupUser(name)
		if err != nil && got != (User{}) {
			t.Fatalf("%+v along with %v", got, err)
		}
		id, byID, _ := ParseID(name)
		want, found := User{UID: id}, byID
		for _, line := range bytes.Split(text, []byte("\n")) {
			f := strings.Split(string(line), ":")
			if len(f) != 7 || len(line) >= lineBuffer || bytes.ContainsRune(line, 0) {
				continue
			}
			uid, err1 := strconv.ParseUint(f[2], 10, 32)
			gid, err2 := strconv.ParseUint(f[3], 10, 32)
			if err1 != nil || err2 != nil || !plainID(f[2]) || !plainID(f[3]) || nameProblem(f[0]) != "" ||
				strings.ContainsFunc(f[5]+f[6], func(r rune) bool { return r < ' ' || r == 0x7f }) {
				continue
			}
			if !byID && f[0] == name || byID && uint32(uid) == id {
				want, found = User{f[0], uint32(uid), uint32(gid), f[5], f[6], true}, true
				break
			}
		}
		if found != (err == nil) || found && got != want {
			t.Fatalf("%q in %q: got %+v, %v, want %+v, %v", name, text, got, err, want, found)
		}
	})
}

// plainID is decimal text that strconv takes and that is written as it prints.
func plainID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	return err == nil && strconv.FormatUint(n, 10) == s && n != 65535 && n != 4294967295
}

func FuzzGroup(f *testing.F) {
	for _, file := range []string{"group", "group.hostile"} {
		text, err := os.ReadFile(testdir + file)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range []string{"root", "www-data", "www", "44", "twice", "app"} {
			f.Add(text, name)
		}
	}
	f.Add([]byte("g:x:1:www\x00\nwww:x:2:www:\n\ng:x:3:a, www"), "www")
	path := filepath.Join(f.TempDir(), "group")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		d := Database{Group: path}
		got, err := d.LookupGroup(name)
		if err != nil && got != (Group{}) {
			t.Fatalf("%+v along with %v", got, err)
		}
		ids, idsErr := d.GroupsOf(name, 7)
		id, byID, _ := ParseID(name)
		want, found, wantIDs := Group{GID: id}, byID, []uint32{7}
		first := true
		for _, line := range bytes.Split(text, []byte("\n")) {
			f := strings.Split(string(line), ":")
			if len(f) != 4 || len(line) >= lineBuffer || bytes.ContainsRune(line, 0) ||
				f[0] == "" || strings.ContainsRune("+-#", rune(f[0][0])) || !plainID(f[2]) {
				continue
			}
			gid64, _ := strconv.ParseUint(f[2], 10, 32)
			gid := uint32(gid64)
			if first && (!byID && f[0] == name || byID && gid == id && nameProblem(f[0]) == "") {
				want, found, first = Group{f[0], gid}, true, false
			}
			for _, member := range strings.Split(f[3], ",") {
				if strings.TrimLeft(member, " \t") == name && !slices.Contains(wantIDs, gid) {
					wantIDs = append(wantIDs, gid)
				}
			}
		}
		if nameProblem(name) != "" {
			wantIDs = nil
			found = byID
		}
		if found != (err == nil) || found && got != want {
			t.Fatalf("%q in %q: got %+v, %v, want %+v, %v", name, text, got, err, want, found)
		}
		if (wantIDs == nil) != (idsErr != nil) || !reflect.DeepEqual(ids, wantIDs) {
			t.Fatalf("groups of %q in %q: got %v, %v, want %v", name, text, ids, idsErr, wantIDs)
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"0", "1000", "65535", "4294967295", "4294967296", "-1", "+0", "08", "0x0", " 1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, ok, err := ParseID(s)
		if ok != plainID(s) || ok && err != nil || !ok && id != 0 {
			t.Fatalf("%q: got %d, %v, %v", s, id, ok, err)
		}
		if ok && strconv.FormatUint(uint64(id), 10) != s {
			t.Fatalf("%q: got %d", s, id)
		}
	})
}

// benchFile is a database of n accounts; the last is "last", in group 1 and 2.
func benchFile(b *testing.B, n int) Database {
	var passwd, group strings.Builder
	for i := range n - 1 {
		id := strconv.Itoa(100000 + i)
		passwd.WriteString("user" + id + ":x:" + id + ":" + id + ":A User,,,:/home/user" + id + ":/bin/bash\n")
		group.WriteString("user" + id + ":x:" + id + ":user1,user2\n")
	}
	passwd.WriteString("last:x:1:1::/:/bin/sh\n")
	group.WriteString("last:x:1:last\n")
	return files(b, passwd.String(), group.String())
}

func BenchmarkUserDB(b *testing.B) {
	for _, n := range []int{30, 100_000} {
		d := benchFile(b, n)
		for _, c := range []struct {
			name string
			do   func() error
		}{
			{"user", func() error { _, err := d.LookupUser("last"); return err }},
			{"uid", func() error { _, err := d.LookupUser("1"); return err }},
			{"group", func() error { _, err := d.LookupGroup("last"); return err }},
			{"groups", func() error { _, err := d.GroupsOf("last", 1); return err }},
		} {
			b.Run(c.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// The bound is on what is larger than 32 MiB, and a blank is no control character.
func TestAtTheBounds(t *testing.T) {
	d := files(t, "www:x:33:33::/srv/my site:/bin/sh\n", "www:x:33:\n")
	if u, err := d.LookupUser("www"); err != nil || u.Home != "/srv/my site" {
		t.Errorf("a home with a blank: %+v, %v", u, err)
	}
	if err := os.Truncate(d.Passwd, 32<<20); err != nil {
		t.Fatal(err)
	}
	var unknown UnknownUserError
	if _, err := d.LookupUser("none"); !errors.As(err, &unknown) {
		t.Errorf("a file of 32 MiB: %v", err)
	}
}
