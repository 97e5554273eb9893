package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), BindPaths=. That a quote hides a colon, that "\:" is one, and
// that a missing target is refused was seen of systemd-analyze verify.
func TestParseBinds(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []Bind
	}{
		{"/a", []Bind{{Source: "/a", Target: "/a"}}},
		{"/a:/b", []Bind{{Source: "/a", Target: "/b"}}},
		{"/a//b/:/./c", []Bind{{Source: "/a/b", Target: "/c"}}},
		{"-/a:/b", []Bind{{Source: "/a", Target: "/b", Tolerate: true}}},
		{"/a:/b:rbind", []Bind{{Source: "/a", Target: "/b"}}},
		{"/a:/b:norbind", []Bind{{Source: "/a", Target: "/b", Shallow: true}}},
		{"/:/host", []Bind{{Source: "/", Target: "/host"}}},
		{"/a -/b:/c\t/d", []Bind{{Source: "/a", Target: "/a"}, {Source: "/b", Target: "/c", Tolerate: true}, {Source: "/d", Target: "/d"}}},
		{`/a\:b:/c\:d`, []Bind{{Source: "/a:b", Target: "/c:d"}}},
		{`"/a:b":'/c d':norbind`, []Bind{{Source: "/a:b", Target: "/c d", Shallow: true}}},
		{`"/a\:b"`, []Bind{{Source: "/a:b", Target: "/a:b"}}},
		{`/a\x20b:/c\x3ad`, []Bind{{Source: "/a b", Target: "/c:d"}}},
	} {
		if got, err := ParseBinds(c.in); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("ParseBinds(%q) = %+v, %v, want %+v", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"a", `the path is not absolute: "a"`},
		{"-", "the path is empty"},
		{":/b", "the path is empty"},
		{"/a:", "target: the path is empty"},
		{"/a::rbind", "target: the path is empty"},
		{"/a:b", `target: the path is not absolute: "b"`},
		{"/a:-/b", `target: the path is not absolute: "-/b"`},
		{"/a:/b/../c", `target: ".." in the path "/b/../c"`},
		{"/a:/b:", `unknown option of a bind mount ""`},
		{"/a:/b:idmap", `unknown option of a bind mount "idmap"`},
		{"/a:/b:rbind,norbind", `unknown option of a bind mount "rbind,norbind"`},
		{"/a:/b:rbind:x", `more than source, target and options of "/a"`},
		{"/", `the target "/" would be a new root: say RootDirectory=`},
		{"/a /b:///", `the target "/" would be a new root: say RootDirectory=`},
		{"+/a", `the path is not absolute: "+/a"`},
		{`"/a`, `the quote " is not closed`},
		{`/a\`, "backslash at the end"},
		{"/a\x00:/b", "NUL byte"},
		{`/a\x00/b`, `escape for NUL: "\\x00"`},
	} {
		if got, err := ParseBinds(c.in); got != nil || err == nil || err.Error() != c.err {
			t.Errorf("ParseBinds(%q) = %v, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func TestParseBindWord(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Bind
	}{
		{"/a", Bind{Source: "/a", Target: "/a"}},
		{"/a b:/c", Bind{Source: "/a b", Target: "/c"}},
		{`/a\x20"b:/'c`, Bind{Source: `/a\x20"b`, Target: "/'c"}},
	} {
		if got, err := ParseBindWord(c.in); got != c.want || err != nil {
			t.Errorf("ParseBindWord(%q) = %+v, %v, want %+v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "a", "-/a", "/a:", ":/a", "/a:/b:norbind", `/a\:b:/c`, "/", "/a:/", "/a:/b /c:/d", "/a\x00", " /a"} {
		if got, err := ParseBindWord(in); got != (Bind{}) || err == nil {
			t.Errorf("ParseBindWord(%q) = %+v, %v, want an error", in, got, err)
		}
	}
}

// TestBindList: systemd.exec(5), BindPaths=: all of them are one list, and an
// empty assignment to any of them resets all of it.
func TestBindList(t *testing.T) {
	var p Policy
	mustSet(t, &p, "BindReadOnlyPaths", "/a", line(1))
	mustSet(t, &p, "X-Hardrun-Bind", "/b c:/d", line(2))
	mustSet(t, &p, "BindPaths", "/e:/f /g", line(3))
	mustSet(t, &p, "X-Hardrun-RoBind", "/h:/i", line(4))
	want := []Item[Bind]{
		{Bind{Source: "/a", Target: "/a", ReadOnly: true}, line(1)},
		{Bind{Source: "/b c", Target: "/d"}, line(2)},
		{Bind{Source: "/e", Target: "/f"}, line(3)},
		{Bind{Source: "/g", Target: "/g"}, line(3)},
		{Bind{Source: "/h", Target: "/i", ReadOnly: true}, line(4)},
	}
	if !slices.Equal(p.Binds.Items, want) || p.Binds.Reset {
		t.Errorf("Binds: %+v", p.Binds)
	}
	var got []string
	for _, s := range p.Settings() {
		got = append(got, s.Directive.Name+"="+s.Value)
	}
	if want := []string{`BindPaths="/b c":/d`, "BindPaths=/e:/f", "BindPaths=/g", "BindReadOnlyPaths=/a", "BindReadOnlyPaths=/h:/i"}; !slices.Equal(got, want) {
		t.Errorf("Settings: %q, want %q", got, want)
	}
	for _, name := range []string{"BindPaths", "BindReadOnlyPaths", "X-Hardrun-Bind", "X-Hardrun-RoBind"} {
		q := p
		mustSet(t, &q, name, "", line(5))
		if len(q.Binds.Items) != 0 || !q.Binds.Reset {
			t.Errorf("after an empty %s=: %+v", name, q.Binds)
		}
		mustSet(t, &q, "BindPaths", "/y", line(6))
		mustSet(t, &q, "BindReadOnlyPaths", "/z", line(7))
		if back := replay(t, q.Settings()); !reflect.DeepEqual(back, q) {
			t.Errorf("%s: written and read back\n got %+v\nwant %+v", name, back.Binds, q.Binds)
		}
	}
}

func FuzzParseBinds(f *testing.F) {
	for _, s := range []string{"", "/a", "-/a:/b:norbind", `"/a:b":/c\:d`, "/a:", "/:/", `/a\`, "/a /b:/c", "/ü:/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseBinds(s)
		if err != nil && list != nil {
			t.Fatalf("%q: an error, and %v", s, list)
		}
		if b, err := ParseBindWord(s); err == nil {
			list = append(list, b)
		} else if b != (Bind{}) {
			t.Fatalf("%q as a word: an error, and %v", s, b)
		}
		text := make([]string, len(list))
		for i, b := range list {
			for _, path := range []string{b.Source, b.Target} {
				if clean, err := ParsePath(path); err != nil || clean != path {
					t.Fatalf("%q: path %q: %v", s, path, err)
				}
			}
			text[i] = bindText(b)
		}
		if again, err := ParseBinds(strings.Join(text, " ")); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, list, again, err)
		}
	})
}
