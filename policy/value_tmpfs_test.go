package policy

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/ns"
)

// systemd.exec(5), TemporaryFileSystem=: "nodev,strictatime,mode=0755" unless
// others are given. The numbers are the MOUNT_ATTR_ ones of linux/mount.h.
func TestParseTmpfs(t *testing.T) {
	const (
		readOnly    = 1
		noSUID      = 2
		noDev       = 4
		noExec      = 8
		noAtime     = 0x10
		strictAtime = 0x20
		noDirAtime  = 0x80
		noSymFollow = 0x200000
		usual       = noDev | strictAtime
	)
	data := func(d ...string) []string { return append([]string{"mode=0755"}, d...) }
	for _, c := range []struct {
		in   string
		want []Tmpfs
	}{
		{"/var", []Tmpfs{{"/var", usual, data()}}},
		{"/var:ro", []Tmpfs{{"/var", usual | readOnly, data()}}},
		{"/var:ro,mode=0700,nostrictatime", []Tmpfs{{"/var", noDev | readOnly, []string{"mode=0700"}}}}, // as observed
		{"/a:dev", []Tmpfs{{"/a", strictAtime, data()}}},
		{"/a:dev,nodev", []Tmpfs{{"/a", usual, data()}}},
		{"/a:ro,rw", []Tmpfs{{"/a", usual, data()}}},
		{"/a:nosuid,noexec,nodiratime,nosymfollow", []Tmpfs{{"/a", usual | noSUID | noExec | noDirAtime | noSymFollow, data()}}},
		{"/a:nosuid,noexec,nodiratime,nosymfollow,suid,exec,diratime,symfollow", []Tmpfs{{"/a", usual, data()}}},
		// The kernel knows one of the three at a time, mount_setattr(2).
		{"/a:noatime", []Tmpfs{{"/a", noDev | noAtime, data()}}},
		{"/a:noatime,strictatime", []Tmpfs{{"/a", usual, data()}}},
		{"/a:relatime", []Tmpfs{{"/a", noDev, data()}}},
		{"/a:noatime,atime", []Tmpfs{{"/a", noDev, data()}}},
		{"/a:norelatime", []Tmpfs{{"/a", usual, data()}}},
		{"/a:size=10%,mode=1777", []Tmpfs{{"/a", usual, []string{"size=10%", "mode=1777"}}}},
		{"/a:size=64k,nr_inodes=10M,nr_blocks=1g,uid=0,gid=4294967294,huge=within_size,inode64,noswap", []Tmpfs{{"/a", usual, data("size=64k", "nr_inodes=10M", "nr_blocks=1g", "uid=0", "gid=4294967294", "huge=within_size", "inode64", "noswap")}}},
		{"/a:mpol=bind:0,2-3,inode32", []Tmpfs{{"/a", usual, data("mpol=bind:0,2-3", "inode32")}}},
		{"/a:mpol=prefer=static:1", []Tmpfs{{"/a", usual, data("mpol=prefer=static:1")}}},
		{"/a:size=0", []Tmpfs{{"/a", usual, data("size=0")}}},
		{`/a /b\:c:ro "/d e:ro" '/f\:g'`, []Tmpfs{{"/a", usual, data()}, {"/b:c", usual | readOnly, data()}, {"/d e", usual | readOnly, data()}, {"/f:g", usual, data()}}},
	} {
		if got, err := ParseTmpfs(c.in); !reflect.DeepEqual(got, c.want) || err != nil {
			t.Errorf("ParseTmpfs(%q) = %+v, %v, want %+v", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"var", `the path is not absolute: "var"`},
		{":ro", "the path is empty"},
		{"/", `a file system at "/" would be a new root: say RootDirectory=, or --minimal-root`},
		{"/a /:ro", `a file system at "/" would be a new root: say RootDirectory=, or --minimal-root`},
		{"-/a", `the path is not absolute: "-/a"`},
		{"/a:", "an option is empty"},
		{"/a:ro,", "an option is empty"},
		{"/a:ro,,rw", "an option is empty"},
		{"/a:RO", `unknown option of a tmpfs "RO"`},
		{"/a:ro=1", `unknown option of a tmpfs "ro="`},
		{"/a:size", `unknown option of a tmpfs "size"`},
		{"/a:inode64=1", `unknown option of a tmpfs "inode64="`},
		{"/a:bind", `unknown option of a tmpfs "bind"`},
		{"/a:defaults", `unknown option of a tmpfs "defaults"`},
		{"/a:ro,1", `unknown option of a tmpfs "1"`},
		{"/a:size=", `size=: not a decimal number: ""`},
		{"/a:size=k", `size=: not a decimal number: ""`},
		{"/a:size=-1", "size=: -1 is outside of 0 to 9223372036854775807"},
		{"/a:size=010", `size=: leading zero in "010" (systemd reads it as octal)`},
		{"/a:size=1T", `size=: not a decimal number: "1T"`},
		{"/a:size=101%", "size=: 101 is outside of 1 to 100"},
		{"/a:size=0%", "size=: 0 is outside of 1 to 100"},
		{"/a:size=8589934592g", "size=: 8589934592 is outside of 0 to 8589934591"},
		{"/a:nr_inodes=10%", `nr_inodes=: not a decimal number: "10%"`},
		{"/a:mode=0888", `mode=: not an octal mode: "0888"`},
		{"/a:mode=17777", "mode=: mode 17777 is above 07777"},
		{"/a:uid=root", `uid=: not the number of a user or group: "root"`},
		{"/a:gid=4294967295", `gid=: not the number of a user or group: "4294967295"`},
		{"/a:uid=+1", `uid=: not the number of a user or group: "+1"`},
		{"/a:uid=01", `uid=: not the number of a user or group: "01"`},
		{"/a:huge=yes", `unknown value of huge= "yes"`},
		{"/a:mpol=none", `unknown value of mpol= "none"`},
		{"/a:mpol=bind=fixed:0", `unknown value of mpol= "fixed"`},
		{"/a:mpol=bind:x", `mpol=: not a list of nodes: "x"`},
		{"/a:mpol=bind:0 /b", ""},
		{`/a:"ro`, `the quote " is not closed`},
	} {
		got, err := ParseTmpfs(c.in)
		if c.err == "" {
			if err != nil || len(got) != 2 {
				t.Errorf("ParseTmpfs(%q) = %v, %v", c.in, got, err)
			}
			continue
		}
		if got != nil || err == nil || err.Error() != c.err {
			t.Errorf("ParseTmpfs(%q) = %v, %v, want %s", c.in, got, err, c.err)
		}
	}
	if got, err := ParseTmpfsWord(`/a "b:ro,size=1m`); !reflect.DeepEqual(got, Tmpfs{`/a "b`, ns.NoDev | ns.StrictAtime | ns.ReadOnly, data("size=1m")}) || err != nil {
		t.Errorf("a word is taken as it is: %+v, %v", got, err)
	}
	for _, in := range []string{"", "a", "/", "/a:", `/a\:b:ro`, "/a ro:x", "/a\x00"} {
		if got, err := ParseTmpfsWord(in); got.Path != "" || err == nil {
			t.Errorf("ParseTmpfsWord(%q) = %+v, %v, want an error", in, got, err)
		}
	}
}

func FuzzParseTmpfs(f *testing.F) {
	for _, s := range []string{"", "/a", "/a:ro,size=10%,mode=700", "/a:mpol=bind:0,1,dev", `"/a b:ro" /c\:d`, "/:ro", "/a:", "/a:mpol=local,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseTmpfs(s)
		if err != nil && list != nil {
			t.Fatalf("%q: an error, and %v", s, list)
		}
		if m, err := ParseTmpfsWord(s); err == nil {
			list = append(list, m)
		}
		text := make([]string, len(list))
		for i, m := range list {
			if clean, err := ParsePath(m.Path); err != nil || clean != m.Path || clean == "/" {
				t.Fatalf("%q: path %q: %v", s, m.Path, err)
			}
			if m.Attr&ns.NoAtime != 0 && m.Attr&ns.StrictAtime != 0 {
				t.Fatalf("%q: noatime and strictatime", s)
			}
			if strings.Count(strings.Join(m.Data, " ")+" ", "mode=") == 0 {
				t.Fatalf("%q: no mode in %q", s, m.Data)
			}
			text[i] = tmpfsText(m)
		}
		again, err := ParseTmpfs(strings.Join(text, " "))
		if err != nil || len(list) != len(again) || len(list) > 0 && !reflect.DeepEqual(again, list) {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, list, again, err)
		}
	})
}
