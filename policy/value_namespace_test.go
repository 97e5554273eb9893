package policy

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/ns"
)

// The CLONE_NEW flags of linux/sched.h.
const (
	cloneNS     = 0x00020000
	cloneCgroup = 0x02000000
	cloneUTS    = 0x04000000
	cloneIPC    = 0x08000000
	clonePID    = 0x20000000
	cloneNet    = 0x40000000
	cloneAll    = cloneNS | cloneCgroup | cloneUTS | cloneIPC | clonePID | cloneNet
)

// systemd.exec(5), DelegateNamespaces=.
func TestParseNamespaces(t *testing.T) {
	for _, c := range []struct {
		in   string
		want ns.Kinds
	}{
		{"cgroup", cloneCgroup},
		{"ipc", cloneIPC},
		{"net", cloneNet},
		{"mnt", cloneNS},
		{"pid", clonePID},
		{"uts", cloneUTS},
		{" net\tipc  net ", cloneNet | cloneIPC},
		{"cgroup ipc net mnt pid uts", cloneAll},
	} {
		if got, err := ParseNamespaces(c.in); got != c.want || err != nil {
			t.Errorf("ParseNamespaces(%q) = %#x, %v, want %#x", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"", "no type of namespace is named"},
		{"  ", "no type of namespace is named"},
		{"user", "a user namespace owns the others, and is not delegated itself"},
		{"net user", "a user namespace owns the others, and is not delegated itself"},
		{"net yes", `unknown type of namespace "yes"`},
		{"Net", `unknown type of namespace "Net"`},
		{"network", `unknown type of namespace "network"`},
		{"net,ipc", `unknown type of namespace "net,ipc"`},
		{"~net", `unknown type of namespace "~net"`},
		{`"net"`, `unknown type of namespace "\"net\""`},
		{"net\u00a0ipc", `unknown type of namespace "net\u00a0ipc"`},
	} {
		if got, err := ParseNamespaces(c.in); got != 0 || err == nil || err.Error() != c.err {
			t.Errorf("ParseNamespaces(%q) = %#x, %v, want %s", c.in, got, err, c.err)
		}
	}
}

// TestDelegateLines: systemd.exec(5): merged by OR, or by AND with "~"; the empty
// string is the default. The last is systemd's example for RestrictNamespaces=.
func TestDelegateLines(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  ns.Kinds
		unset bool
	}{
		{[]string{"yes"}, cloneAll, false},
		{[]string{"no"}, 0, false},
		{[]string{"net"}, cloneNet, false},
		{[]string{"~net"}, cloneAll &^ cloneNet, false},
		{[]string{"net", "ipc"}, cloneNet | cloneIPC, false},
		{[]string{"net ipc", "~ipc pid"}, cloneNet, false},
		{[]string{"net", "~net"}, 0, false},
		{[]string{"net", "~net", "~ipc"}, 0, false},
		{[]string{"~net", "~ipc"}, cloneAll &^ (cloneNet | cloneIPC), false},
		{[]string{"~net ipc", "ipc"}, cloneAll &^ cloneNet, false},
		{[]string{"yes", "~uts"}, cloneAll &^ cloneUTS, false},
		{[]string{"no", "~uts"}, 0, false},
		{[]string{"net", "no"}, 0, false},
		{[]string{"net", "yes"}, cloneAll, false},
		{[]string{"net", ""}, 0, true},
		{[]string{"net", "", "~pid"}, cloneAll &^ clonePID, false},
		{[]string{"cgroup ipc", "cgroup net"}, cloneCgroup | cloneIPC | cloneNet, false},
	} {
		var p Policy
		for i, l := range c.lines {
			mustSet(t, &p, "DelegateNamespaces", l, line(i+1))
		}
		if got := p.DelegateNamespaces; got.V != c.want || got.Set == c.unset || got.Set && got.From != line(len(c.lines)) {
			t.Errorf("%q: %+v, want %#x", c.lines, got, c.want)
		}
	}
}

// systemd.exec(5), ProtectHostname=; sethostname(2): at most 64 bytes.
func TestParseHostname(t *testing.T) {
	longest := strings.Repeat("a", 31) + "." + strings.Repeat("b", 32)
	for _, c := range []struct {
		in   string
		want Hostname
	}{
		{"no", Hostname{"no", ""}},
		{"0", Hostname{"no", ""}},
		{"yes", Hostname{"yes", ""}},
		{"ON", Hostname{"yes", ""}},
		{"private", Hostname{"private", ""}},
		{"yes:foo", Hostname{"yes", "foo"}},
		{"1:foo", Hostname{"yes", "foo"}},
		{"private:host.example.com", Hostname{"private", "host.example.com"}},
		{"private:a-1.B2", Hostname{"private", "a-1.B2"}},
		{"yes:" + longest, Hostname{"yes", longest}},
	} {
		if got, err := ParseHostname(c.in); got != c.want || err != nil {
			t.Errorf("ParseHostname(%q) = %v, %v, want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", ":", ":foo", "yes:", "private:", "no:foo", "0:foo", "Private", "maybe", "foo", "yes:foo:bar", "yes: foo", "yes:foo bar", "yes:.foo", "yes:foo.", "yes:a..b",
		"yes:-a", "yes:a-", "yes:a.-b", "yes:a-.b", "yes:a_b", "yes:ü", "yes:a\x00", "yes:a\n", "yes:" + longest + "c", "yes:%H", "yes:?",
	} {
		if got, err := ParseHostname(in); got != (Hostname{}) || err == nil {
			t.Errorf("ParseHostname(%q) = %v, %v, want an error", in, got, err)
		}
	}
}

func FuzzParseNamespaces(f *testing.F) {
	for _, s := range []string{"", "net ipc", "user", "cgroup ipc net mnt pid uts"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kinds, err := ParseNamespaces(s)
		if (err == nil) != (kinds != 0) || kinds&^ns.Delegable != 0 {
			t.Fatalf("%q: %#x, %v", s, kinds, err)
		}
		if err == nil && kinds != ns.Delegable {
			if again, err := ParseNamespaces(namespacesText(kinds)); err != nil || again != kinds {
				t.Fatalf("%q: %#x comes back as %#x, %v", s, kinds, again, err)
			}
		}
	})
}

func FuzzParseHostname(f *testing.F) {
	for _, s := range []string{"", "yes", "private:a.b", "no:x", "yes:-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHostname(s)
		if err != nil {
			if h != (Hostname{}) {
				t.Fatalf("%q: an error, and %v", s, h)
			}
			return
		}
		if len(h.Name) > 64 || strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
			t.Fatalf("%q: name %q", s, h.Name)
		}
		if again, err := ParseHostname(hostnameText(h)); err != nil || again != h {
			t.Fatalf("%q: %v comes back as %v, %v", s, h, again, err)
		}
	})
}
