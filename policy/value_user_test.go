package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), User=; the numbers of CVE-2017-1000082 and CVE-2020-13776.
func TestParseUserName(t *testing.T) {
	for _, in := range []string{
		"root", "_apt", "www-data", "named", "first.last", "u@example.org", "HOST01$", "a\\b", "systemd-network", "A1",
		"0day", "0x0", "0x2b", "1e3", // names, and up to the database
		"0", "1", "65534", "65536", "4294967294",
		strings.Repeat("a", 255),
	} {
		if got, err := ParseUserName(in); got != in || err != nil {
			t.Errorf("ParseUserName(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "-x", "-1", "+0", "+", "+::::", "- 1", "00", "08", "010", "65535", "4294967295", "4294967296", "18446744073709551616",
		"a b", " a", "a ", " 0", "0 ", "ü", "root\x00x", "root\n", "a\t", "a:b", "a,b", "a/b", "/", ".", "..", "~", "~root", "#1", "$USER", "a$b", "%i", "a%b", `"root"`, "'a'", "a\x7f", "\xff",
		strings.Repeat("a", 256), strings.Repeat("1", 300),
	} {
		if got, err := ParseUserName(in); got != "" || err == nil {
			t.Errorf("ParseUserName(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

// The short form -u, DESIGN section 1.
func TestParseUserGroup(t *testing.T) {
	for _, c := range []struct {
		in, user string
		groups   []string
	}{
		{"www-data", "www-data", nil},
		{"named:named", "named", []string{"named"}},
		{"33:33", "33", []string{"33"}},
		{"app:app,video,44", "app", []string{"app", "video", "44"}},
	} {
		user, groups, err := ParseUserGroup(c.in)
		if user != c.user || !slices.Equal(groups, c.groups) || err != nil {
			t.Errorf("ParseUserGroup(%q) = %q, %q, %v", c.in, user, groups, err)
		}
	}
	for _, in := range []string{"", ":", ":g", "u:", "u:,", "u:g,", "u:,g", "u:g,,h", "u:g:h", "u: g", "u:g h", "u:-1", "-1:g", "u,g", "u:65535", " u:g"} {
		user, groups, err := ParseUserGroup(in)
		if user != "" || groups != nil || err == nil {
			t.Errorf("ParseUserGroup(%q) = %q, %q, %v, want an error", in, user, groups, err)
		}
	}
}

func FuzzParseUserGroup(f *testing.F) {
	for _, s := range []string{"", "root", "0:0,1", "a:", "0x0", "65535", "u:g,h", "+0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := ParseUserName(s); err != nil && name != "" || err == nil && name != s {
			t.Fatalf("ParseUserName(%q) = %q, %v", s, name, err)
		}
		user, groups, err := ParseUserGroup(s)
		if err != nil {
			if user != "" || groups != nil {
				t.Fatalf("%q: an error, and %q, %q", s, user, groups)
			}
			return
		}
		text := user
		if groups != nil {
			text += ":" + strings.Join(groups, ",")
		}
		if text != s {
			t.Fatalf("%q comes back as %q", s, text)
		}
	})
}
