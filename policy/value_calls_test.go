package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
)

// The actions of linux/seccomp.h.
const (
	actKill  = seccomp.Action(0x80000000)
	actLog   = seccomp.Action(0x7ffc0000)
	actErrno = seccomp.Action(0x00050000)
)

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// systemd.exec(5), SystemCallFilter=.
func TestParseCallLine(t *testing.T) {
	for _, c := range []struct {
		in   string
		want CallLine
		text string // as it is written out; empty for the same
	}{
		{"read", CallLine{Words: []CallWord{{Name: "read"}}}, ""},
		{"read write @mount", CallLine{Words: []CallWord{{Name: "read"}, {Name: "write"}, {Name: "@mount"}}}, ""},
		{" \t read\twrite\r\n", CallLine{Words: []CallWord{{Name: "read"}, {Name: "write"}}}, "read write"},
		{"nosuchcall @nosuch", CallLine{Words: []CallWord{{Name: "nosuchcall"}, {Name: "@nosuch"}}}, ""},
		{"~read", CallLine{Invert: true, Words: []CallWord{{Name: "read"}}}, ""},
		{"~ read", CallLine{Invert: true, Words: []CallWord{{Name: "read"}}}, "~read"},
		{" ~@mount read", CallLine{Invert: true, Words: []CallWord{{Name: "@mount"}, {Name: "read"}}}, "~@mount read"},
		{"~", CallLine{Invert: true}, ""},
		{"~read:EPERM", CallLine{Invert: true, Words: []CallWord{{"read", actErrno | 1, true}}}, ""},
		{"~read:1 write:4095", CallLine{Invert: true, Words: []CallWord{{"read", actErrno | 1, true}, {"write", actErrno | 4095, true}}}, "~read:EPERM write:4095"},
		{"~read:EWOULDBLOCK", CallLine{Invert: true, Words: []CallWord{{"read", actErrno | 11, true}}}, "~read:EAGAIN"},
		{"~@clock:kill read:log write", CallLine{Invert: true, Words: []CallWord{{"@clock", actKill, true}, {"read", actLog, true}, {Name: "write"}}}, ""},
		{"~stime vm86 pciconfig_read", CallLine{Invert: true, Words: []CallWord{{Name: "stime"}, {Name: "vm86"}, {Name: "pciconfig_read"}}}, ""}, // of other machines
	} {
		got, err := ParseCallLine(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v, want %+v", c.in, got, err, c.want)
		}
		want := c.text
		if want == "" {
			want = c.in
		}
		if text := callLineText(got); text != want {
			t.Errorf("%q is written as %q, want %q", c.in, text, want)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		// In a deny list what systemd passes over would let more pass than was asked for.
		{"~opennat", `unknown system call "opennat"`, "did you mean openat?"},
		{"~read pidfd_sendsignal", `unknown system call "pidfd_sendsignal"`, "did you mean pidfd_send_signal?"},
		{"~qqqqqqqqqqqqqqqq", `unknown system call "qqqqqqqqqqqqqqqq"`, "hardrun syscalls lists them"},
		{"~READ", `unknown system call "READ"`, "did you mean read?"},
		{"~@mounts", `unknown group of system calls "@mounts"`, "did you mean @mount?"},
		{"~@system-servce:EPERM", `unknown group of system calls "@system-servce"`, "did you mean @system-service?"},
		{"~read,write", `unknown system call "read,write"`, "hardrun syscalls lists them"},
		{"~0", `unknown system call "0"`, "hardrun syscalls lists them"},
		{`~"read"`, `unknown system call "\"read\""`, "?"}, // quotes are not removed
		{"read ~@mount", `"~" stands before a whole line, not before a word: "~@mount"`, ""},
		{"~read ~write", `"~" stands before a whole line, not before a word: "~write"`, ""},
		{"~~read", `"~" stands before a whole line, not before a word: "~read"`, ""},
		{"read:EPERM", `an action belongs to a line that begins with "~": "read:EPERM"`, ""},
		{"read:", `an action belongs to a line that begins with "~": "read:"`, ""},
		{"~read:", `neither an error of errno(3) nor "kill": ""`, ""},
		{"~read:eperm", `neither an error of errno(3) nor "kill": "eperm"`, ""},
		{"~read:EPERM:EACCES", `neither an error of errno(3) nor "kill": "EPERM:EACCES"`, ""},
		{"~read:0", `an error number is from 1 to 4095, without zeros before it: "0"`, ""},
		{"~read:4096", `an error number is from 1 to 4095, without zeros before it: "4096"`, ""},
		{"~read:allow", `neither an error of errno(3) nor "kill": "allow"`, ""},
		{"~:EPERM", `not a name of a system call: ":EPERM"`, ""},
		{"re\x00ad", `not a name of a system call: "re\x00ad"`, ""},
		{"lesen\u00a0schreiben", `not a name of a system call: "lesen\u00a0schreiben"`, ""},
		{"r\xff", `not a name of a system call: "r\xff"`, ""},
	} {
		got, err := ParseCallLine(c.in)
		if err == nil || err.Error() != c.err || hintOf(err) != c.hint && c.hint != "?" || c.hint == "?" && hintOf(err) == "" {
			t.Errorf("%q:\n got %v (%s)\nwant %s (%s)", c.in, err, hintOf(err), c.err, c.hint)
		}
		if !reflect.DeepEqual(got, CallLine{}) {
			t.Errorf("%q: an error, and %+v", c.in, got)
		}
	}
}

// systemd.exec(5), SystemCallLog=: names alone. One that nobody knows would stay
// unlogged.
func TestParseLogLine(t *testing.T) {
	for _, in := range []string{"read", "~read @clock", "~", "@known"} {
		want, err := ParseCallLine(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseLogLine(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"opennat", `unknown system call "opennat"`, "did you mean openat?"},
		{"~opennat", `unknown system call "opennat"`, "did you mean openat?"},
		{"@clok", `unknown group of system calls "@clok"`, "did you mean @clock?"},
		{"~read:EPERM", `an action is not taken here: "read:EPERM"`, ""},
		{"read:log", `an action is not taken here: "read:log"`, ""},
	} {
		if got, err := ParseLogLine(c.in); err == nil || err.Error() != c.err || hintOf(err) != c.hint || !reflect.DeepEqual(got, CallLine{}) {
			t.Errorf("%q: %+v, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}

// systemd.exec(5), SystemCallErrorNumber=; errno 0 would tell the daemon that the call
// was made, and above 4095 it would be no error at all (A68).
func TestParseErrorNumber(t *testing.T) {
	for _, c := range []struct {
		in   string
		want seccomp.Action
		text string
	}{
		{"kill", actKill, "kill"},
		{"EPERM", actErrno | 1, "EPERM"},
		{"1", actErrno | 1, "EPERM"},
		{"EACCES", actErrno | 13, "EACCES"},
		{"38", actErrno | 38, "ENOSYS"},
		{"EHWPOISON", actErrno | 133, "EHWPOISON"},
		{"ENOTSUP", actErrno | 95, "EOPNOTSUPP"},
		{"255", actErrno | 255, "255"},
		{"4095", actErrno | 4095, "4095"},
	} {
		got, err := ParseErrorNumber(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: %#x, %v, want %#x", c.in, uint32(got), err, uint32(c.want))
		}
		if text := errorNumberText(got); text != c.text {
			t.Errorf("%q is written as %q, want %q", c.in, text, c.text)
		}
		if back, err := ParseErrorNumber(c.text); err != nil || back != c.want {
			t.Errorf("%q comes back as %#x, %v", c.text, uint32(back), err)
		}
	}
	for _, in := range []string{"", "0", "00", "01", "4096", "65537", "99999999999999999999", "-1", "+1", "1 ", "0x1", "1.0", "eperm", "PERM", "EPERMX", "Kill", "log", "allow", "trap"} {
		if got, err := ParseErrorNumber(in); err == nil || got != 0 {
			t.Errorf("%q is %#x", in, uint32(got))
		}
	}
}

func callLines(t *testing.T, lines ...string) []Item[CallLine] {
	t.Helper()
	var items []Item[CallLine]
	for i, l := range lines {
		v, err := ParseCallLine(l)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, Item[CallLine]{v, line(i + 1)})
	}
	return items
}

// written prints calls as "read:1" or "uname:EPERM:2", the last number being that of the
// line.
func written(list []CallAction) string {
	var words []string
	for _, e := range list {
		w := e.Call.String()
		if e.Has {
			w += ":" + errorNumberText(e.Action)
		}
		words = append(words, fmt.Sprintf("%s:%d", w, e.From.Line))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// systemd.exec(5), SystemCallFilter=: the first line decides, later ones add or take
// away, and of two entries for a call the last one holds.
func TestMergeCalls(t *testing.T) {
	for _, c := range []struct {
		name            string
		lines           []string
		allow, groups   bool
		listed, removed string
		unknown         string
	}{
		{"an allow list", []string{"read write"}, true, false, "read:1 write:1", "", ""},
		{"a deny list", []string{"~read write:EPERM"}, false, false, "read:1 write:EPERM:1", "", ""},
		{"allowed twice: the later line has it", []string{"read", "read"}, true, false, "read:2", "", ""},
		{"added", []string{"read", "write"}, true, false, "read:1 write:2", "", ""},
		{"taken away", []string{"read write", "~write"}, true, false, "read:1", "write:2", ""},
		{"taken away and given back", []string{"read", "~read", "read"}, true, false, "read:3", "", ""},
		{"what is not there cannot be taken away", []string{"read", "~write"}, true, false, "read:1", "", ""},
		{"taken away twice", []string{"read", "~read", "~read"}, true, false, "", "read:2", ""},
		{"let pass", []string{"~read write", "write"}, false, false, "read:1", "", ""},
		{"let pass and denied", []string{"~read", "read", "~read:EIO"}, false, false, "read:EIO:3", "", ""},
		{"let pass only", []string{"~", "write"}, false, false, "", "", ""},
		{"an action in an allow list", []string{"read", "~read:EPERM"}, true, false, "read:EPERM:2", "", ""},
		{"an action for what was not in the allow list", []string{"read", "~write:EPERM"}, true, false, "read:1 write:EPERM:2", "", ""},
		{"an action, then away", []string{"read", "~read:EPERM", "~read"}, true, false, "", "read:3", ""},
		{"an action, then allowed", []string{"read", "~read:EPERM", "read"}, true, false, "read:3", "", ""},
		{"the last of two in a line", []string{"~read:EPERM read:EIO read"}, false, false, "read:1", "", ""},
		{"a group", []string{"@swap"}, true, false, "swapoff:1 swapon:1", "", ""},
		{"a group denied", []string{"~@swap"}, false, true, "swapoff:1 swapon:1", "", ""},
		{"a group with an action", []string{"~@swap:log"}, false, true, "swapoff:log:1 swapon:log:1", "", ""},
		{"a group but for one", []string{"~@swap", "swapon"}, false, true, "swapoff:1", "", ""},
		{"a group is let pass", []string{"~swapon read", "@swap"}, false, false, "read:1", "", ""},
		{"a group is taken away", []string{"swapon read", "~@swap"}, true, true, "read:1", "swapon:2", ""},
		{"unknown names", []string{"read nosuch", "@nosuch"}, true, false, "read:1", "", "nosuch:1 @nosuch:2"},
		{"unknown names alone", []string{"nosuch"}, true, false, "", "", "nosuch:1"},
		{"an unknown name in a deny list lets pass", []string{"~read", "nosuch"}, false, false, "read:1", "", "nosuch:2"},
	} {
		got := MergeCalls(callLines(t, c.lines...), false)
		var unknown []string
		for _, u := range got.Unknown {
			unknown = append(unknown, fmt.Sprintf("%s:%d", u.V, u.From.Line))
		}
		if got.AllowList != c.allow || got.Groups != c.groups || written(got.Listed) != c.listed || written(got.Removed) != c.removed || strings.Join(unknown, " ") != c.unknown || got.From != line(1) {
			t.Errorf("%s: allow list %v, groups %v, listed %q, removed %q, unknown %q, from %v,\nwant %v, %v, %q, %q, %q",
				c.name, got.AllowList, got.Groups, written(got.Listed), written(got.Removed), unknown, got.From, c.allow, c.groups, c.listed, c.removed, c.unknown)
		}
	}
	if got := MergeCalls(nil, true); got != nil {
		t.Errorf("of no line: %+v", got)
	}
}

// An allow list begins with @default, of which a later line can take away; a deny list
// does not.
func TestMergeCallsDefault(t *testing.T) {
	has := func(list []CallAction, name string) bool {
		return slices.ContainsFunc(list, func(e CallAction) bool { return e.Call.String() == name })
	}
	got := MergeCalls(callLines(t, "read", "~getpid"), true)
	for name, want := range map[string]bool{"read": true, "execve": true, "exit_group": true, "rt_sigreturn": true, "seccomp": true, "getpid": false, "write": false} {
		if has(got.Listed, name) != want {
			t.Errorf("an allow list has %s: %v, want %v", name, !want, want)
		}
	}
	if !has(got.Removed, "getpid") || got.Groups {
		t.Errorf("removed %s, groups %v", written(got.Removed), got.Groups)
	}
	if got = MergeCalls(callLines(t, "~read"), true); written(got.Listed) != "read:1" {
		t.Errorf("a deny list has %s", written(got.Listed))
	}
	if got = MergeCalls(callLines(t, "read"), false); written(got.Listed) != "read:1" {
		t.Errorf("a list without the default has %s", written(got.Listed))
	}
}

// io_uring stays where it is named by itself, and not where a group has it.
func TestMergeCallsNamed(t *testing.T) {
	setup, _ := seccomp.ByName("io_uring_setup")
	for _, c := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"io_uring_setup"}, true},
		{[]string{"@io-uring"}, true},
		{[]string{"@system-service"}, false},
		{[]string{"@aio"}, false},
		{[]string{"@known"}, false},
		{[]string{"@aio io_uring_setup"}, true},
		{[]string{"io_uring_setup", "~@aio"}, false},
		{[]string{"io_uring_setup", "~io_uring_setup"}, false},
		{[]string{"io_uring_setup", "~io_uring_enter"}, true},
		{[]string{"~openat", "@io-uring"}, true},
		{[]string{"~openat @io-uring"}, false},
		{[]string{"~@io-uring", "io_uring_setup"}, true},
		{[]string{"~openat"}, false},
	} {
		got := MergeCalls(callLines(t, c.lines...), true).Named
		if got.Has(setup) != c.want {
			t.Errorf("%q: io_uring is named: %v, want %v", c.lines, !c.want, c.want)
		}
	}
}

// The errors of the directives that need a filter, as they are printed.
func TestCallErrors(t *testing.T) {
	for _, c := range []struct {
		name, value string
		from        Origin
		text, hint  string
	}{
		{"SystemCallFilter", "~opennat", line(31), `named.service:31: SystemCallFilter=: unknown system call "opennat"`, "did you mean openat?"},
		{"SystemCallFilter", "~@mouunt", option("--seccomp"), `--seccomp: unknown group of system calls "@mouunt"`, "did you mean @mount?"},
		{"SystemCallFilter", "", option("--seccomp"), "--seccomp: an empty value resets, and nothing was set before it", ""},
		{"SystemCallLog", "opennat", line(31), `named.service:31: SystemCallLog=: unknown system call "opennat"`, "did you mean openat?"},
		{"SystemCallErrorNumber", "0", line(31), `named.service:31: SystemCallErrorNumber=: an error number is from 1 to 4095, without zeros before it: "0"`, ""},
		{"SystemCallArchitectures", "x86_64", line(31), `named.service:31: SystemCallArchitectures=: unknown architecture "x86_64"`, "did you mean x86-64?"},
		{"SystemCallArchitectures", "native x86,x32", line(31), `named.service:31: SystemCallArchitectures=: unknown architecture "x86,x32"`, "?"},
		{"RestrictAddressFamilies", "AF_INET AF_UNX", line(31), `named.service:31: RestrictAddressFamilies=: unknown address family "AF_UNX"`, "did you mean AF_UNIX?"},
		{"RestrictNamespaces", "mount", line(31), `named.service:31: RestrictNamespaces=: unknown type of namespace "mount"`, "did you mean mnt?"},
		{"RestrictNamespaces", "~mnt usr", line(31), `named.service:31: RestrictNamespaces=: unknown type of namespace "usr"`, "?"},
		{"RestrictRealtime", "maybe", line(31), `named.service:31: RestrictRealtime=: neither yes nor no: "maybe"`, ""},
		{"X-Hardrun-FilterBackend", "libsecomp", option("--filter-backend"), `--filter-backend: unknown value "libsecomp"`, "did you mean libseccomp?"},
	} {
		var p Policy
		err := p.Set(c.name, c.value, c.from)
		var e *Error
		if !errors.As(err, &e) || e.Error() != c.text || c.hint != "?" && e.Hint != c.hint || c.hint == "?" && e.Hint == "" {
			t.Errorf("%s=%s:\n got %v (%s)\nwant %s (%s)", c.name, c.value, err, hintOf(err), c.text, c.hint)
		}
		if !reflect.DeepEqual(p, Policy{}) {
			t.Errorf("%s=%s is refused, and changed the policy", c.name, c.value)
		}
	}
}

// FuzzCallLine: no line panics, what is taken is written out and read back the same,
// and merging loses no name.
func FuzzCallLine(f *testing.F) {
	for _, s := range []string{"", "~", "read @mount", "~@clock:EPERM uname:84 acct:kill reboot:log", "~read ~write", "read:1", "nosuch", "~ \t", "~read:4095", "a:b:c", "~\xff", "~@io-uring"} {
		f.Add(s, "@swap read")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var items []Item[CallLine]
		for i, s := range []string{a, b} {
			l, err := ParseCallLine(s)
			if err != nil {
				if !reflect.DeepEqual(l, CallLine{}) {
					t.Fatalf("%q: an error, and %+v", s, l)
				}
				continue
			}
			text := callLineText(l)
			if again, err := ParseCallLine(text); err != nil || !reflect.DeepEqual(again, l) {
				t.Fatalf("%q: %q comes back as %+v, %v", s, text, again, err)
			}
			if logged, err := ParseLogLine(s); err == nil && !reflect.DeepEqual(logged, l) {
				t.Fatalf("%q: logged %+v, filtered %+v", s, logged, l)
			}
			for _, w := range l.Words {
				if w.Has && (!l.Invert || w.Action.Passes() && w.Action != actLog || w.Action == actErrno) {
					t.Fatalf("%q: action %#x", s, uint32(w.Action))
				}
			}
			items = append(items, Item[CallLine]{l, line(i + 1)})
		}
		c := MergeCalls(items, true)
		if (c == nil) != (len(items) == 0) {
			t.Fatalf("%q, %q: %+v", a, b, c)
		}
		if c == nil {
			return
		}
		var seen seccomp.Set
		for _, list := range [][]CallAction{c.Listed, c.Removed} {
			for _, e := range list {
				if seen.Has(e.Call) {
					t.Fatalf("%q, %q: %s is there twice", a, b, e.Call)
				}
				seen.Add(e.Call)
			}
		}
		if !c.AllowList && len(c.Removed) > 0 {
			t.Fatalf("%q, %q: a deny list has removed %s", a, b, written(c.Removed))
		}
		// The last line's own words hold, whatever stood before.
		last := items[len(items)-1].V
		for i, w := range last.Words {
			call, ok := seccomp.ByName(w.Name)
			if !ok || i != len(last.Words)-1 {
				continue
			}
			listed := slices.ContainsFunc(c.Listed, func(e CallAction) bool { return e.Call == call && e.Action == w.Action && e.Has == w.Has })
			if want := last.Invert != c.AllowList || w.Has; listed != want {
				t.Fatalf("%q, %q: %s is listed: %v", a, b, w.Name, listed)
			}
		}
	})
}

func TestCallGroups(t *testing.T) {
	if got, want := callGroups, seccomp.Groups(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
