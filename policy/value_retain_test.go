package policy

import (
	"slices"
	"testing"
)

const (
	cloneTime  = 0x00000080
	cloneUser  = 0x10000000
	cloneEight = cloneAll | cloneTime | cloneUser
)

// systemd.exec(5), RestrictNamespaces=.
func TestParseRetained(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
	}{
		{"cgroup", cloneCgroup},
		{"ipc", cloneIPC},
		{"net", cloneNet},
		{"mnt", cloneNS},
		{"pid", clonePID},
		{"user", cloneUser},
		{"uts", cloneUTS},
		{"time", cloneTime},
		{" net\tipc  net ", cloneNet | cloneIPC},
		{"cgroup ipc net mnt pid user uts time", cloneEight},
	} {
		if got, err := ParseRetained(c.in); got != c.want || err != nil {
			t.Errorf("%q: %#x, %v, want %#x", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"", "no type of namespace is named", ""},
		{" \t", "no type of namespace is named", ""},
		{"mount", `unknown type of namespace "mount"`, "did you mean mnt?"},
		{"~net", `unknown type of namespace "~net"`, "did you mean net?"},
		{"net yes", `unknown type of namespace "yes"`, ""},
		{"Net", `unknown type of namespace "Net"`, ""},
		{"net,ipc", `unknown type of namespace "net,ipc"`, ""},
		{`"net"`, `unknown type of namespace "\"net\""`, ""}, // quotes are not removed
	} {
		if got, err := ParseRetained(c.in); got != 0 || err == nil || err.Error() != c.err || c.hint != "" && hintOf(err) != c.hint {
			t.Errorf("%q: %#x, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}

// systemd.exec(5): merged by OR, or by AND with "~"; a boolean takes the place of all
// before it. The last two are systemd's examples.
func TestRetainLines(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  uint32 // what stays open
		text  string // empty where it is unset
	}{
		{[]string{"yes"}, 0, "yes"},
		{[]string{"no"}, cloneEight, "no"},
		{[]string{"net"}, cloneNet, "net"},
		{[]string{"~net"}, cloneEight &^ cloneNet, "cgroup ipc mnt pid user uts time"},
		{[]string{"time"}, cloneTime, "time"},
		{[]string{"net", "ipc"}, cloneNet | cloneIPC, "ipc net"},
		{[]string{"net ipc", "~ipc pid"}, cloneNet, "net"},
		{[]string{"net", "~net"}, 0, "yes"},
		{[]string{"net", "~net", "~ipc"}, 0, "yes"},
		{[]string{"net", "~net", "ipc"}, cloneIPC, "ipc"},
		{[]string{"~net", "~user"}, cloneEight &^ (cloneNet | cloneUser), "cgroup ipc mnt pid uts time"},
		{[]string{"~net user", "user"}, cloneEight &^ cloneNet, "cgroup ipc mnt pid user uts time"},
		{[]string{"yes", "net"}, cloneNet, "net"},
		{[]string{"yes", "~net"}, 0, "yes"},
		{[]string{"no", "net"}, cloneNet, "net"},
		{[]string{"no", "~net"}, cloneEight &^ cloneNet, "cgroup ipc mnt pid user uts time"},
		{[]string{"net", "no"}, cloneEight, "no"},
		{[]string{"net", "TRUE"}, 0, "yes"},
		{[]string{"net", ""}, 0, ""},
		{[]string{"net", "", "~pid"}, cloneEight &^ clonePID, "cgroup ipc net mnt user uts time"},
		{[]string{"cgroup ipc net mnt pid user uts time"}, cloneEight, "no"},
		{[]string{"~cgroup ipc net mnt pid user uts time"}, 0, "yes"},
		{[]string{"cgroup ipc", "cgroup net"}, cloneCgroup | cloneIPC | cloneNet, "cgroup ipc net"},
		{[]string{"cgroup ipc", "~cgroup net"}, cloneIPC, "ipc"},
	} {
		var p Policy
		for i, l := range c.lines {
			mustSet(t, &p, "RestrictNamespaces", l, line(i+1))
		}
		got := p.RestrictNamespaces
		if got.V != c.want || got.Set != (c.text != "") || got.Set && got.From != line(len(c.lines)) {
			t.Errorf("%q: %+v, want %#x", c.lines, got, c.want)
		}
		if c.text == "" {
			continue
		}
		if text := retainedText(got.V); text != c.text {
			t.Errorf("%q is written as %q, want %q", c.lines, text, c.text)
		}
		var back Policy
		mustSet(t, &back, "RestrictNamespaces", c.text, line(1))
		if back.RestrictNamespaces.V != c.want {
			t.Errorf("%q comes back as %#x, want %#x", c.text, back.RestrictNamespaces.V, c.want)
		}
	}
	// An unknown name drops nothing of what stood before.
	var p Policy
	mustSet(t, &p, "RestrictNamespaces", "net", line(1))
	for _, bad := range []string{"~mnt usr", "~", "~~net", "net ~ipc", "maybe", "2"} {
		if err := p.Set("RestrictNamespaces", bad, line(2)); err == nil || p.RestrictNamespaces != (Opt[uint32]{cloneNet, true, line(1)}) {
			t.Errorf("%q: %v, %+v", bad, err, p.RestrictNamespaces)
		}
	}
}

// systemd.exec(5), SystemCallArchitectures=, and systemd.unit(5), ConditionArchitecture=.
func TestParseArchitectures(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"native", []string{"native"}},
		{" native\tx86  x32 ", []string{"native", "x86", "x32"}},
		{"x86-64 x86 x32", []string{"x86-64", "x86", "x32"}},
		{"arm64 arm ppc64-le s390x s390 riscv64 loongarch64", []string{"arm64", "arm", "ppc64-le", "s390x", "s390", "riscv64", "loongarch64"}},
		{"mips64-n32 mips64-le-n32", []string{"mips64-n32", "mips64-le-n32"}},
	} {
		if got, err := parseArchitectures(c.in); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"x86_64", `unknown architecture "x86_64"`, "did you mean x86-64?"},
		{"native nativ", `unknown architecture "nativ"`, "did you mean native?"},
		{"i386", `unknown architecture "i386"`, ""},
		{"amd64", `unknown architecture "amd64"`, ""},
		{"~x86", `unknown architecture "~x86"`, "did you mean x86?"},
		{"X86", `unknown architecture "X86"`, ""},
		{"yes", `unknown architecture "yes"`, ""},
	} {
		if got, err := parseArchitectures(c.in); got != nil || err == nil || err.Error() != c.err || c.hint != "" && hintOf(err) != c.hint {
			t.Errorf("%q: %q, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}
