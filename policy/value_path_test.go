package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), WorkingDirectory=, RootDirectory=: absolute and normalised.
func TestParsePath(t *testing.T) {
	name255, name256 := strings.Repeat("x", 255), strings.Repeat("x", 256)
	long := strings.Repeat("/"+strings.Repeat("x", 127), 32) // 4096 bytes
	for _, c := range []struct{ name, in, want string }{
		{"root", "/", "/"},
		{"many slashes", "///", "/"},
		{"plain", "/srv/named", "/srv/named"},
		{"cleaned", "//srv/./named//.", "/srv/named"},
		{"dots that are names", "/.../..a/b..", "/.../..a/b.."},
		{"blank", "/a b", "/a b"},
		{"longest name", "/" + name255, "/" + name255},
		{"longest path", long[:4095], long[:4095]},
	} {
		if got, err := ParsePath(c.in); got != c.want || err != nil {
			t.Errorf("%s: ParsePath(%q) = %q, %v, want %q", c.name, c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "a", "./a", "~", "~/a", "-/a", " /a", "..", "/..", "/a/../b", "/../etc", "/a/..", "/a\x00b", "/a\nb", "/\xff", "/" + name256, long, "/a/" + strings.Repeat("./", 3000)} {
		if got, err := ParsePath(in); got != "" || err == nil {
			t.Errorf("ParsePath(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

func TestParseTolerantPath(t *testing.T) {
	for _, c := range []struct {
		in   string
		home bool
		want Tolerant
	}{
		{"/a//b/", false, Tolerant{"/a/b", false}},
		{"-/a", false, Tolerant{"/a", true}},
		{"~", true, Tolerant{"~", false}},
		{"-~", true, Tolerant{"~", true}},
		{"-/", true, Tolerant{"/", true}},
	} {
		if got, err := ParseTolerantPath(c.in, c.home); got != c.want || err != nil {
			t.Errorf("ParseTolerantPath(%q, %v) = %v, %v, want %v", c.in, c.home, got, err, c.want)
		}
	}
	for _, c := range []struct {
		in   string
		home bool
	}{{"", true}, {"-", true}, {"--/a", true}, {"~", false}, {"~/a", true}, {"~root", true}, {"- /a", true}, {"-a", false}, {"-/a/..", false}} {
		if got, err := ParseTolerantPath(c.in, c.home); got != (Tolerant{}) || err == nil {
			t.Errorf("ParseTolerantPath(%q, %v) = %v, %v, want an error", c.in, c.home, got, err)
		}
	}
}

// systemd.exec(5), ExecSearchPath=.
func TestParsePathList(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"/usr/bin", []string{"/usr/bin"}},
		{"/usr/bin/:/bin", []string{"/usr/bin", "/bin"}},
		{"/a b:/c", []string{"/a b", "/c"}},
	} {
		if got, err := ParsePathList(c.in); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("ParsePathList(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", ":", "/a:", ":/a", "/a::/b", "/a:b", "/a/../b", `"/a"`, `/a\x20b`, "/a:/\xff"} {
		if got, err := ParsePathList(in); got != nil || err == nil {
			t.Errorf("ParsePathList(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

// systemd.exec(5), SELinuxContext=, AppArmorProfile=, SmackProcessLabel=.
func TestParseTolerantLabel(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Tolerant
	}{
		{"system_u:system_r:named_t:s0", Tolerant{"system_u:system_r:named_t:s0", false}},
		{"-usr.sbin.named", Tolerant{"usr.sbin.named", true}},
		{"--x", Tolerant{"-x", true}},
		{"my profile", Tolerant{"my profile", false}},
	} {
		if got, err := ParseTolerantLabel(c.in); got != c.want || err != nil {
			t.Errorf("ParseTolerantLabel(%q) = %v, %v, want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "-", "a\nb", "a\x00", "\x7f", strings.Repeat("x", 4096)} {
		if got, err := ParseTolerantLabel(in); got != (Tolerant{}) || err == nil {
			t.Errorf("ParseTolerantLabel(%q) = %v, %v, want an error", in, got, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", "/", "//a/./b/", "-/a", "~", "/a:/b", "/..", "/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil && p != "" {
			t.Fatalf("%q: an error, and %q", s, p)
		}
		if err == nil {
			if again, err := ParsePath(p); err != nil || again != p {
				t.Fatalf("%q: %q comes back as %q, %v", s, p, again, err)
			}
			if p != "/" && (strings.HasSuffix(p, "/") || strings.Contains(p, "//") || strings.Contains(p+"/", "/./") || strings.Contains(p+"/", "/../")) {
				t.Fatalf("%q: %q is not clean", s, p)
			}
		}
		for _, home := range []bool{false, true} {
			v, err := ParseTolerantPath(s, home)
			if err != nil && v != (Tolerant{}) {
				t.Fatalf("%q: an error, and %v", s, v)
			}
			if again, err2 := ParseTolerantPath(tolerantText(v), home); err == nil && (err2 != nil || again != v) {
				t.Fatalf("%q: %v comes back as %v, %v", s, v, again, err2)
			}
		}
		list, err := ParsePathList(s)
		if err != nil && list != nil {
			t.Fatalf("%q: an error, and %q", s, list)
		}
		if again, err2 := ParsePathList(strings.Join(list, ":")); err == nil && (err2 != nil || !slices.Equal(again, list)) {
			t.Fatalf("%q: %q comes back as %q, %v", s, list, again, err2)
		}
	})
}

func FuzzParseTolerantLabel(f *testing.F) {
	for _, s := range []string{"", "-", "-a", "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseTolerantLabel(s)
		if err != nil && v != (Tolerant{}) {
			t.Fatalf("%q: an error, and %v", s, v)
		}
		if again, err2 := ParseTolerantLabel(tolerantText(v)); err == nil && (err2 != nil || again != v) {
			t.Fatalf("%q: %v comes back as %v, %v", s, v, again, err2)
		}
	})
}
