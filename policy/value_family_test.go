package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), RestrictAddressFamilies=; the numbers are those of linux/socket.h.
func TestParseFamilies(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Families
		text string
	}{
		{"none", Families{Allow: true}, "none"},
		{" none ", Families{Allow: true}, "none"},
		{"AF_UNIX", Families{true, []uint32{1}}, "AF_UNIX"},
		{"AF_INET6 AF_INET\tAF_UNIX AF_INET", Families{true, []uint32{1, 2, 10}}, "AF_UNIX AF_INET AF_INET6"},
		{"AF_LOCAL AF_FILE AF_UNIX", Families{true, []uint32{1}}, "AF_UNIX"},
		{"AF_ROUTE", Families{true, []uint32{16}}, "AF_NETLINK"},
		{"~AF_PACKET", Families{false, []uint32{17}}, "~AF_PACKET"},
		{"~ AF_VSOCK AF_ALG", Families{false, []uint32{38, 40}}, "~AF_ALG AF_VSOCK"},
		{"~", Families{}, "~"},
		{"AF_AX25 AF_DECnet AF_BLUETOOTH AF_XDP AF_MCTP", Families{true, []uint32{3, 12, 31, 44, 45}}, "AF_AX25 AF_DECnet AF_BLUETOOTH AF_XDP AF_MCTP"},
	} {
		got, err := ParseFamilies(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v, want %+v", c.in, got, err, c.want)
		}
		if text := familiesText(got); text != c.text {
			t.Errorf("%q is written as %q, want %q", c.in, text, c.text)
		}
		if back, err := ParseFamilies(c.text); err != nil || !reflect.DeepEqual(back, c.want) {
			t.Errorf("%q comes back as %+v, %v", c.text, back, err)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"", "no address family is named", ""},
		{"  ", "no address family is named", ""},
		{"AF_UNX", `unknown address family "AF_UNX"`, "did you mean AF_UNIX?"},
		{"~AF_INET AF_PACKT", `unknown address family "AF_PACKT"`, "did you mean AF_PACKET?"},
		{"af_unix", `unknown address family "af_unix"`, ""},
		{"AF_UNSPEC", `unknown address family "AF_UNSPEC"`, ""},
		{"AF_MAX", `unknown address family "AF_MAX"`, ""},
		{"UNIX", `unknown address family "UNIX"`, ""},
		{"1", `unknown address family "1"`, ""},
		{"~none", `unknown address family "none"`, ""},
		{"none AF_UNIX", `unknown address family "none"`, ""},
		{"AF_UNIX ~AF_INET", `unknown address family "~AF_INET"`, ""},
		{"AF_UNIX,AF_INET", `unknown address family "AF_UNIX,AF_INET"`, ""},
	} {
		got, err := ParseFamilies(c.in)
		if err == nil || err.Error() != c.err || c.hint != "" && hintOf(err) != c.hint || !reflect.DeepEqual(got, Families{}) {
			t.Errorf("%q: %+v, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}

// Every family that a number stands for has one name, and is known by it.
func TestFamilyNames(t *testing.T) {
	for n, name := range familyNames {
		if got, err := parseFamily(name); name != "" && (err != nil || got != uint32(n)) {
			t.Errorf("%s is %d, %v, want %d", name, got, err, n)
		}
	}
	// linux/socket.h.
	for name, want := range map[string]uint32{
		"AF_UNIX": 1, "AF_INET": 2, "AF_IPX": 4, "AF_X25": 9, "AF_INET6": 10, "AF_KEY": 15, "AF_NETLINK": 16, "AF_PACKET": 17, "AF_RDS": 21, "AF_PPPOX": 24,
		"AF_CAN": 29, "AF_TIPC": 30, "AF_BLUETOOTH": 31, "AF_ALG": 38, "AF_NFC": 39, "AF_VSOCK": 40, "AF_KCM": 41, "AF_QIPCRTR": 42, "AF_SMC": 43, "AF_XDP": 44, "AF_MCTP": 45,
	} {
		if got, err := parseFamily(name); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", name, got, err, want)
		}
	}
}

// The first line decides; "none" takes the place of all before it.
func TestFamilyLines(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string // as it is written out; empty where it is unset
	}{
		{[]string{"AF_UNIX"}, "AF_UNIX"},
		{[]string{"AF_UNIX", "AF_INET"}, "AF_UNIX AF_INET"},
		{[]string{"AF_INET", "AF_UNIX AF_INET"}, "AF_UNIX AF_INET"},
		{[]string{"AF_UNIX AF_INET", "~AF_INET AF_PACKET"}, "AF_UNIX"},
		{[]string{"AF_INET", "~AF_INET"}, "none"},
		{[]string{"AF_INET", "~AF_INET", "AF_UNIX"}, "AF_UNIX"},
		{[]string{"~AF_INET"}, "~AF_INET"},
		{[]string{"~AF_INET", "~AF_PACKET"}, "~AF_INET AF_PACKET"},
		{[]string{"~AF_INET AF_PACKET", "AF_INET AF_UNIX"}, "~AF_PACKET"},
		{[]string{"~AF_INET", "AF_INET"}, "~"},
		{[]string{"none", "AF_UNIX"}, "AF_UNIX"},
		{[]string{"none", "~AF_UNIX"}, "none"},
		{[]string{"AF_UNIX", "none"}, "none"},
		{[]string{"~AF_UNIX", "none"}, "none"},
		{[]string{"~AF_UNIX", "none", "AF_INET"}, "AF_INET"},
		{[]string{"AF_UNIX", ""}, ""},
		{[]string{"AF_UNIX", "", "~AF_INET"}, "~AF_INET"},
	} {
		var p Policy
		for i, l := range c.lines {
			mustSet(t, &p, "RestrictAddressFamilies", l, line(i+1))
		}
		got := p.RestrictAddressFamilies
		if got.Set != (c.want != "") || got.Set && (familiesText(got.V) != c.want || got.From != line(len(c.lines))) {
			t.Errorf("%q: %+v, want %q", c.lines, got, c.want)
		}
	}
	var p Policy
	mustSet(t, &p, "RestrictAddressFamilies", "AF_UNIX", line(1))
	if err := p.Set("RestrictAddressFamilies", "AF_INET AF_NOSUCH", line(2)); err == nil || familiesText(p.RestrictAddressFamilies.V) != "AF_UNIX" {
		t.Errorf("after a refused line: %v, %+v", err, p.RestrictAddressFamilies)
	}
}

func FuzzParseFamilies(f *testing.F) {
	for _, s := range []string{"", "none", "~", "AF_UNIX AF_INET", "~AF_ROUTE AF_LOCAL", "~ none", "AF_\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseFamilies(s)
		if err != nil {
			if !reflect.DeepEqual(v, Families{}) {
				t.Fatalf("%q: an error, and %+v", s, v)
			}
			return
		}
		if !slices.IsSorted(v.Listed) || slices.Contains(v.Listed, 0) || v.Allow && len(v.Listed) == 0 && strings.TrimSpace(s) != "none" {
			t.Fatalf("%q: %+v", s, v)
		}
		if again, err := ParseFamilies(familiesText(v)); err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
		}
	})
}
