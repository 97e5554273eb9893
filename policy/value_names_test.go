package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
)

// What Linux takes for a name (dev_valid_name of net/core/dev.c: at most 15 bytes, no slash,
// colon or blank, not "." or ".."), and systemd as well.
func TestParseInterface(t *testing.T) {
	for _, s := range []string{"lo", "eth0", "enp0s31f6", "wlan0.5", "br-1_x", "a", "123456789abcdef", "eth0@if2", "...", "0a"} {
		if got, err := ParseInterface(s); got != s || err != nil {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", ".", "..", "all", "default", "123456789abcdefg", "a/b", "eth0:1", "eth 0", "eth0%1", "2", "00", "eth\x00", "eth\x7f", "müll",
		"eth0\n", " eth0", `"eth0"`, "'eth0'", `eth\0`,
	} {
		if got, err := ParseInterface(s); got != "" || err == nil || !strings.HasPrefix(err.Error(), "not the name of a network interface: ") {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
}

// nameLines assigns lines, and gives what is in force, after it was written and read back.
func nameLines(t *testing.T, name string, opt func(p *Policy) *Opt[cgroup.Names], lines []string) Opt[cgroup.Names] {
	t.Helper()
	var p Policy
	for i, l := range lines {
		mustSet(t, &p, name, l, line(i+1))
	}
	if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
		t.Errorf("%q: written and read back\n got %+v\nwant %+v", lines, *opt(&back), *opt(&p))
	}
	return *opt(&p)
}

// systemd.resource-control(5), RestrictNetworkInterfaces=: the first line decides, later ones
// add or delete. The first three are the examples.
func TestInterfaceLines(t *testing.T) {
	for _, c := range []struct {
		lines []string
		deny  bool
		want  string
	}{
		{[]string{"eth1", "eth2"}, false, "eth1 eth2"},
		{[]string{"~eth1 eth2"}, true, "eth1 eth2"},
		{[]string{"eth1 eth2", "~eth1"}, false, "eth2"},
		{[]string{"~eth1", "~eth2"}, true, "eth1 eth2"},
		{[]string{"~eth1 eth2", "eth1"}, true, "eth2"},
		{[]string{"eth1", "~eth2"}, false, "eth1"},
		{[]string{"~ eth1"}, true, "eth1"},
		{[]string{" ~eth1"}, true, "eth1"},
		{[]string{`"eth1" 'lo'`}, false, "eth1 lo"},
		{[]string{"lo lo", "eth1 lo"}, false, "lo eth1"},
		{[]string{"eth1", "", "~lo"}, true, "lo"},
		// What was taken away completely allows nothing, and the next line is not the first.
		{[]string{"eth1", "~eth1"}, false, ""},
		{[]string{"eth1", "~eth1 lo", "~eth2"}, false, ""},
		{[]string{"eth1", "~eth1", "lo"}, false, "lo"},
		{[]string{"~eth1", "eth1"}, true, ""},
		{[]string{"~eth1", "eth1", "eth2"}, true, ""},
		{[]string{"~eth1", "eth1", "~lo"}, true, "lo"},
	} {
		got := nameLines(t, "RestrictNetworkInterfaces", func(p *Policy) *Opt[cgroup.Names] { return &p.RestrictNetworkInterfaces }, c.lines)
		if !got.Set || got.V.Deny != c.deny || strings.Join(got.V.List, " ") != c.want || got.From != line(len(c.lines)) {
			t.Errorf("%q: %+v, want deny %v %q", c.lines, got, c.deny, c.want)
		}
	}
	if got := nameLines(t, "RestrictNetworkInterfaces", func(p *Policy) *Opt[cgroup.Names] { return &p.RestrictNetworkInterfaces }, []string{"eth1", ""}); got.Set {
		t.Errorf("after a reset: %+v", got)
	}
	// A line that is refused changes nothing.
	var p Policy
	mustSet(t, &p, "RestrictNetworkInterfaces", "eth1", line(1))
	for _, c := range []struct{ in, err string }{
		{"~", "no network interface is named"},
		{"~ ", "no network interface is named"},
		{"lo ~eth1", `"~" stands before a whole line, not before a word: "~eth1"`},
		{"~~eth1", `"~" stands before a whole line, not before a word: "~eth1"`},
		{"lo eth:1", `not the name of a network interface: "eth:1"`},
		{"~lo eth/1", `not the name of a network interface: "eth/1"`},
		{`lo "eth 1"`, `not the name of a network interface: "eth 1"`},
		{`lo "`, `the quote " is not closed`},
	} {
		err := p.Set("RestrictNetworkInterfaces", c.in, line(2))
		if err == nil || err.Error() != "named.service:2: RestrictNetworkInterfaces=: "+c.err {
			t.Errorf("%q: %v, want %s", c.in, err, c.err)
		}
		if got := p.RestrictNetworkInterfaces; got.From != line(1) || !slices.Equal(got.V.List, []string{"eth1"}) || got.V.Deny {
			t.Errorf("%q is refused, and leaves %+v", c.in, got)
		}
	}
	// A copy of a policy is apart.
	copied := p
	mustSet(t, &copied, "RestrictNetworkInterfaces", "eth2", line(3))
	mustSet(t, &p, "RestrictNetworkInterfaces", "eth3", line(3))
	if got := copied.RestrictNetworkInterfaces.V.List; !slices.Equal(got, []string{"eth1", "eth2"}) {
		t.Errorf("the copy has %v", got)
	}
}

// systemd.exec(5), RestrictFileSystems=: the first three are its examples. A group stays a
// group until something is taken away.
func TestFileSystemLines(t *testing.T) {
	for _, c := range []struct {
		lines []string
		deny  bool
		want  string
	}{
		{[]string{"ext4 tmpfs", "ext2 ext4"}, false, "ext4 tmpfs ext2"},
		{[]string{"ext4 tmpfs", "~ext4"}, false, "tmpfs"},
		{[]string{"~ext4 tmpfs", "ext4"}, true, "tmpfs"},
		{[]string{"@temporary xfs"}, false, "@temporary xfs"},
		{[]string{"@temporary xfs", "~tmpfs"}, false, "ramfs xfs"},
		{[]string{"@temporary xfs", "~@temporary"}, false, "xfs"},
		{[]string{"tmpfs ramfs xfs", "~@temporary"}, false, "xfs"},
		{[]string{"~@temporary", "ramfs"}, true, "tmpfs"},
		{[]string{"~@temporary", "ramfs", "~xfs"}, true, "tmpfs xfs"},
		{[]string{"@temporary", "tmpfs", "~xfs"}, false, "ramfs tmpfs"},
		{[]string{"xfs", "~xfs"}, false, ""},
		{[]string{"xfs", "~xfs", "~tmpfs"}, false, ""},
		{[]string{"~@temporary", "@temporary"}, true, ""},
		{[]string{"xfs", "", "~tmpfs"}, true, "tmpfs"},
	} {
		got := nameLines(t, "RestrictFileSystems", func(p *Policy) *Opt[cgroup.Names] { return &p.RestrictFileSystems }, c.lines)
		list := slices.Clone(got.V.List)
		want := strings.Fields(c.want)
		slices.Sort(list) // the members of a group come in an order of its own
		slices.Sort(want)
		if !got.Set || got.V.Deny != c.deny || !slices.Equal(list, want) || got.From != line(len(c.lines)) {
			t.Errorf("%q: %+v, want deny %v %q", c.lines, got, c.deny, c.want)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"~", "no file system is named", ""},
		{"ext4 btrsf", `unknown file system "btrsf"`, "did you mean btrfs?"},
		{"~ext4 btrsf", `unknown file system "btrsf"`, "did you mean btrfs?"},
		{"Ext4", `unknown file system "Ext4"`, "did you mean ext4?"},
		{"@temporay", `unknown group of file systems "@temporay"`, "did you mean @temporary?"},
		{"ext4 ~tmpfs", `"~" stands before a whole line, not before a word: "~tmpfs"`, ""},
		{"ext4,tmpfs", `unknown file system "ext4,tmpfs"`, ""},
	} {
		var p Policy
		err := p.Set("RestrictFileSystems", c.in, line(2))
		if err == nil || err.Error() != "named.service:2: RestrictFileSystems=: "+c.err || hintOf(err) != c.hint || p.RestrictFileSystems.Set {
			t.Errorf("%q: %v (%s), want %s (%s)", c.in, err, hintOf(err), c.err, c.hint)
		}
	}
}

// FuzzNames: two lines after each other are written out and read back the same.
func FuzzNames(f *testing.F) {
	for _, s := range [][2]string{{"", ""}, {"lo eth0", "~lo"}, {"~tmpfs", "@temporary"}, {"@temporary xfs", "~tmpfs"}, {"~", "~~a"}, {`"a" 'b'`, "a\\x20"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, name := range []string{"RestrictNetworkInterfaces", "RestrictFileSystems"} {
			var p Policy
			for i, l := range []string{first, second} {
				before := p
				if err := p.Set(name, l, line(i+1)); err != nil && !reflect.DeepEqual(p, before) {
					t.Fatalf("%s=%q is refused, and changed the policy", name, l)
				}
			}
			if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
				t.Fatalf("%s=%q, %q: written and read back\n got %+v\nwant %+v", name, first, second, back, p)
			}
		}
	})
}

func FuzzParseInterface(f *testing.F) {
	for _, s := range []string{"", "lo", "eth0", "all", "1", "a:b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseInterface(s)
		if err == nil && got != s || err != nil && got != "" || err == nil && (len(s) > 15 || strings.ContainsAny(s, "/: \t\n%")) {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
	})
}
