package policy

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
)

// prefixes are what netip makes of the texts.
func prefixes(t *testing.T, texts ...string) []cgroup.Prefix {
	t.Helper()
	var all []cgroup.Prefix
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		p = p.Masked()
		c := cgroup.Prefix{V6: p.Addr().Is6(), Bits: uint8(p.Bits())}
		copy(c.Addr[:], p.Addr().AsSlice())
		all = append(all, c)
	}
	return all
}

// systemd.resource-control(5), IPAddressAllow=, and the table of its names.
func TestParseIPRules(t *testing.T) {
	for _, c := range []struct {
		in, text string
		want     []string
	}{
		{"any", "any", []string{"0.0.0.0/0", "::/0"}},
		{"localhost", "localhost", []string{"127.0.0.0/8", "::1/128"}},
		{"link-local", "link-local", []string{"169.254.0.0/16", "fe80::/64"}},
		{"multicast", "multicast", []string{"224.0.0.0/4", "ff00::/8"}},
		{"10.0.0.0/8", "10.0.0.0/8", []string{"10.0.0.0/8"}},
		{"10.1.2.3/8", "10.0.0.0/8", []string{"10.0.0.0/8"}}, // host bits are cut off
		{"192.168.255.255/17", "192.168.128.0/17", []string{"192.168.128.0/17"}},
		{"255.255.255.255", "255.255.255.255", []string{"255.255.255.255/32"}},
		{"0.0.0.0", "0.0.0.0", []string{"0.0.0.0/32"}},
		{"1.2.3.4/32", "1.2.3.4", []string{"1.2.3.4/32"}},
		{"1.2.3.4/0", "0.0.0.0/0", []string{"0.0.0.0/0"}},
		{"1.2.3.4/31", "1.2.3.4/31", []string{"1.2.3.4/31"}},
		{"::1", "::1", []string{"::1/128"}},
		{"::", "::", []string{"::/128"}},
		{"::/0", "::/0", []string{"::/0"}},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", []string{"2001:db8::1/128"}},
		{"2001:0db8::00ff/33", "2001:db8::/33", []string{"2001:db8::/33"}},
		{"2001:db8:ffff::/33", "2001:db8:8000::/33", []string{"2001:db8:8000::/33"}},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", []string{"1:2:3:4:5:6:7:0/128"}},
		{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", []string{"0:2:3:4:5:6:7:8/128"}},
		{"1:0:0:2:0:0:0:3", "1:0:0:2::3", []string{"1:0:0:2::3/128"}},
		{"1:0:0:2:3:0:0:4", "1::2:3:0:0:4", []string{"1::2:3:0:0:4/128"}},
		{"64:ff9b::1.2.3.4", "64:ff9b::102:304", []string{"64:ff9b::102:304/128"}},
		{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", []string{"1:2:3:4:5:6:102:304/128"}},
		// An IPv4-mapped address is that of an IPv4 packet.
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4", []string{"::ffff:1.2.3.4/128", "1.2.3.4/32"}},
		{"::ffff:a01:203/104", "::ffff:10.0.0.0/104", []string{"::ffff:10.0.0.0/104", "10.0.0.0/8"}},
		{"::ffff:0:0/96", "::ffff:0.0.0.0/96", []string{"::ffff:0.0.0.0/96", "0.0.0.0/0"}},
		// A block that merely has them in it is of IPv6.
		{"::ffff:1.2.3.4/95", "::fffe:0:0/95", []string{"::fffe:0:0/95"}},
		{"::/64", "::/64", []string{"::/64"}},
		{"::fffe:1.2.3.4", "::fffe:102:304", []string{"::fffe:102:304/128"}},
	} {
		got, err := ParseIPRules(c.in)
		if err != nil || len(got) != 1 || got[0].Text != c.text || !slices.Equal(got[0].Prefixes, prefixes(t, c.want...)) {
			t.Errorf("%q: %+v, %v, want %s %v", c.in, got, err, c.text, c.want)
			continue
		}
		if again, err := ParseIPRules(c.text); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: %+v comes back as %+v, %v", c.in, got, again, err)
		}
	}
	if got, err := ParseIPRules(" any\t10.0.0.1  ::1 "); err != nil || len(got) != 3 || got[0].Text != "any" || got[1].Text != "10.0.0.1" || got[2].Text != "::1" {
		t.Errorf("a list: %+v, %v", got, err)
	}
	none := func(s string) string {
		return fmt.Sprintf("neither an address nor any, localhost, link-local or multicast: %q", s)
	}
	for _, c := range []struct{ in, err string }{
		{"Any", none("Any")},
		{"all", none("all")},
		{"local host", none("local")},
		{"any 10.0.0.256", none("10.0.0.256")},
		{"10.0.0", none("10.0.0")},
		{"10.0.0.0.0", none("10.0.0.0.0")},
		{"10.0.0.", none("10.0.0.")},
		{"10..0.1", none("10..0.1")},
		{".10.0.1", none(".10.0.1")},
		{"010.0.0.1", none("010.0.0.1")},
		{"1.2.3.04", none("1.2.3.04")},
		{"1.2.3.00", none("1.2.3.00")},
		{"0x10.0.0.1", none("0x10.0.0.1")},
		{"1.2.3.+4", none("1.2.3.+4")},
		{"1.2.3.-0", none("1.2.3.-0")},
		{"1.2.3.1000", none("1.2.3.1000")},
		{"16909060", none("16909060")},
		{"example.org", none("example.org")},
		{"10.0.0.1,10.0.0.2", none("10.0.0.1,10.0.0.2")},
		{"~10.0.0.1", none("~10.0.0.1")},
		{`"any"`, none(`"any"`)},
		{"[::1]", none("[::1]")},
		{"fe80::1%lo", none("fe80::1%lo")},
		{":", none(":")},
		{":::", none(":::")},
		{"1:::2", none("1:::2")},
		{"::1::", none("::1::")},
		{"1::2::3", none("1::2::3")},
		{":1:2:3:4:5:6:7", none(":1:2:3:4:5:6:7")},
		{"1:2:3:4:5:6:7:", none("1:2:3:4:5:6:7:")},
		{"1:2:3:4:5:6:7", none("1:2:3:4:5:6:7")},
		{"1:2:3:4:5:6:7:8:9", none("1:2:3:4:5:6:7:8:9")},
		{"1:2:3:4:5:6:7:8::", none("1:2:3:4:5:6:7:8::")},
		{"::1:2:3:4:5:6:7:8", none("::1:2:3:4:5:6:7:8")},
		{"1:2:3:4:5:6:7:1.2.3.4", none("1:2:3:4:5:6:7:1.2.3.4")},
		{"1:2:3:4:5:1.2.3.4", none("1:2:3:4:5:1.2.3.4")},
		{"::1.2.3.4:5", none("::1.2.3.4:5")},
		{"::1.2.3", none("::1.2.3")},
		{"::01.2.3.4", none("::01.2.3.4")},
		{"12345::", none("12345::")},
		{"00001::", none("00001::")},
		{"g::", none("g::")},
		{"+1::", none("+1::")},
		{"/8", none("/8")},
		{"any/0", none("any/0")},
		{"10.0.0.0/", `length of the prefix in "10.0.0.0/": not a decimal number: ""`},
		{"10.0.0.0/33", `length of the prefix in "10.0.0.0/33": 33 is outside of 0 to 32`},
		{"10.0.0.0/-1", `length of the prefix in "10.0.0.0/-1": -1 is outside of 0 to 32`},
		{"10.0.0.0/-0", `length of the prefix in "10.0.0.0/-0": not a decimal number: "-0"`},
		{"10.0.0.0/08", `length of the prefix in "10.0.0.0/08": leading zero in "08" (systemd reads it as octal)`},
		{"10.0.0.0/8/8", `length of the prefix in "10.0.0.0/8/8": not a decimal number: "8/8"`},
		{"10.0.0.0/255.0.0.0", `length of the prefix in "10.0.0.0/255.0.0.0": not a decimal number: "255.0.0.0"`},
		{"::/129", `length of the prefix in "::/129": 129 is outside of 0 to 128`},
		{"::1/+8", `length of the prefix in "::1/+8": not a decimal number: "+8"`},
	} {
		if got, err := ParseIPRules(c.in); got != nil || err == nil || err.Error() != c.err {
			t.Errorf("%q: %+v, %v, want %s", c.in, got, err, c.err)
		}
	}
}

// Lines of one list are put together, each list resets alone.
func TestIPLines(t *testing.T) {
	var p Policy
	mustSet(t, &p, "IPAddressDeny", "any", line(1))
	mustSet(t, &p, "IPAddressAllow", "localhost 10.0.0.0/8", line(2))
	mustSet(t, &p, "IPAddressAllow", "::1", line(3))
	if got := p.IPAddressAllow.Items; len(got) != 3 || got[1].V.Text != "10.0.0.0/8" || got[1].From != line(2) || got[2].From != line(3) {
		t.Errorf("allowed: %+v", got)
	}
	mustSet(t, &p, "IPAddressAllow", "", line(4))
	if len(p.IPAddressAllow.Items) != 0 || !p.IPAddressAllow.Reset || len(p.IPAddressDeny.Items) != 1 {
		t.Errorf("after a reset: %+v, %+v", p.IPAddressAllow, p.IPAddressDeny)
	}
}

// FuzzParseIPRules holds the addresses against those of net/netip. Where it takes more
// (zones), ours are errors.
func FuzzParseIPRules(f *testing.F) {
	for _, s := range []string{
		"", "any localhost", "10.1.2.3/8", "::ffff:1.2.3.4/100", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:1.2.3.4", "fe80::1%lo", "1.2.3.04",
		"::/0 ::1", "1:0:0:2:0:0:0:3/64", ":::", "::1.2.3.4:5", "1.2.3.4/-0", "1:2:3:4:5:6:7:8::",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseIPRules(s)
		if err != nil && v != nil {
			t.Fatalf("%q: an error, and %+v", s, v)
		}
		words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n\r", r) })
		if len(words) == 1 && !slices.Contains(addressWords, words[0]) {
			want, wantErr := netip.ParsePrefix(words[0])
			if !strings.Contains(words[0], "/") {
				var a netip.Addr
				a, wantErr = netip.ParseAddr(words[0])
				want = netip.PrefixFrom(a, a.BitLen())
				if a.Zone() != "" {
					wantErr = fmt.Errorf("zone")
				}
			}
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: %+v, %v, and netip %v, %v", s, v, err, want, wantErr)
			}
			if err == nil {
				want = want.Masked()
				text := want.String()
				if want.IsSingleIP() {
					text = want.Addr().String()
				}
				p := v[0].Prefixes[0]
				if text != v[0].Text || p.V6 != want.Addr().Is6() || int(p.Bits) != want.Bits() || !slices.Equal(p.Addr[:want.Addr().BitLen()/8], want.Addr().AsSlice()) {
					t.Fatalf("%q: %+v, and netip %v", s, v, text)
				}
			}
		}
		if err != nil {
			return
		}
		for _, r := range v {
			if again, err := ParseIPRules(r.Text); err != nil || !reflect.DeepEqual(again, []IPRule{r}) {
				t.Fatalf("%q: %+v comes back as %+v, %v", s, r, again, err)
			}
		}
	})
}
