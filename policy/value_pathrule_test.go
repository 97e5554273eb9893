package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), ReadWritePaths= and the others beside it.
func TestParsePathRules(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []PathRule
	}{
		{"/", []PathRule{{"/", false, false}}},
		{"/etc /usr//lib/", []PathRule{{"/etc", false, false}, {"/usr/lib", false, false}}},
		{"-/lost+found", []PathRule{{"/lost+found", true, false}}},
		{"+/srv -+/opt", []PathRule{{"/srv", false, true}, {"/opt", true, true}}},
		{`"/a b" '-/c d' /e\x20f`, []PathRule{{"/a b", false, false}, {"/c d", true, false}, {"/e f", false, false}}},
		{"/a:b", []PathRule{{"/a:b", false, false}}},
		{"/-/+", []PathRule{{"/-/+", false, false}}},
	} {
		if got, err := ParsePathRules(c.in); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("ParsePathRules(%q) = %v, %v, want %v", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"etc", `the path is not absolute: "etc"`},
		{"/etc usr", `the path is not absolute: "usr"`},
		{"-", "the path is empty"},
		{"-+", "the path is empty"},
		{"- /etc", "the path is empty"},
		{`""`, "the path is empty"},
		{"+-/etc", `"-" goes before "+" in "+-/etc"`},
		{"--/etc", `the path is not absolute: "-/etc"`},
		{"++/etc", `the path is not absolute: "+/etc"`},
		{"~/x", `the path is not absolute: "~/x"`},
		{"/a/../etc", `".." in the path "/a/../etc"`},
		{`/a\:b`, `unknown escape "\\:"`},
		{`"/a`, `the quote " is not closed`},
		{"/a\x00", "NUL byte"},
	} {
		if got, err := ParsePathRules(c.in); got != nil || err == nil || err.Error() != c.err {
			t.Errorf("ParsePathRules(%q) = %v, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func FuzzParsePathRules(f *testing.F) {
	for _, s := range []string{"", "/", "-+/a", "+-/a", `"/a b" /c\t`, "/a:b", "/a/..", "-/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParsePathRules(s)
		if err != nil {
			if list != nil {
				t.Fatalf("%q: an error, and %v", s, list)
			}
			return
		}
		text := make([]string, len(list))
		for i, r := range list {
			if clean, err := ParsePath(r.Path); err != nil || clean != r.Path {
				t.Fatalf("%q: path %q: %v", s, r.Path, err)
			}
			text[i] = pathRuleText(r)
		}
		if again, err := ParsePathRules(strings.Join(text, " ")); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %v comes back as %v, %v", s, list, again, err)
		}
	})
}
