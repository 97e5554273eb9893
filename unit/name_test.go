package unit

import (
	"errors"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	long := strings.Repeat("a", 247)
	tests := []struct {
		in   string
		want name
		bad  string
	}{
		// systemd.unit(5), DESCRIPTION: the characters, the suffixes, the length.
		{"named.service", name{"named", "", "service", false}, ""},
		{"a:b-_.\\c0.socket", name{"a:b-_.\\c0", "", "socket", false}, ""},
		{"a.b.service", name{"a.b", "", "service", false}, ""},
		{long + ".service", name{long, "", "service", false}, ""},
		{"a" + long + ".service", name{}, "longer than 255"},
		{"", name{}, "no suffix"},
		{"a", name{}, "no suffix"},
		{"a.", name{}, "no suffix"},
		{"a.Service", name{}, "no suffix"},
		{"a.snapshot", name{}, "no suffix"},
		{".service", name{}, "nothing before"},
		{"a b.service", name{}, `no character of a unit name: " "`},
		{"a/b.service", name{}, `no character of a unit name: "/"`},
		{"é.service", name{}, "no character"},
		{"a\x00.service", name{}, `"\x00"`},
		{"a\nb.service", name{}, `"\n"`},
		// The instance is what is between the first "@" and the suffix, "%i".
		{"a@b.service", name{"a", "b", "service", true}, ""},
		{"a@.service", name{"a", "", "service", true}, ""},
		{"a@b@c.service", name{"a", "b@c", "service", true}, ""},
		{"a@b.c.service", name{"a", "b.c", "service", true}, ""},
		{"@b.service", name{}, "nothing before"},
		{"a@../../x.service", name{}, `no character of an instance of a unit name: "/"`},
		{"a@b c.service", name{}, "no character of an instance"},
		{"a@..service", name{"a", ".", "service", true}, ""},
	}
	for _, tt := range tests {
		got, err := split(tt.in)
		switch {
		case tt.bad == "" && (err != nil || got != tt.want):
			t.Errorf("%q: %+v, %v", tt.in, got, err)
		case tt.bad == "" && got.String() != tt.in:
			t.Errorf("%q is printed %q", tt.in, got)
		case tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)):
			t.Errorf("%q: error %v, want %q", tt.in, err, tt.bad)
		}
	}
}

func TestDropInNames(t *testing.T) {
	for in, want := range map[string]string{
		// systemd.unit(5): foo-bar-baz.service has foo-bar-.service.d and foo-.service.d, too.
		"foo-bar-baz.service": "foo-bar-baz.service foo-bar-.service foo-.service",
		"foo.service":         "foo.service",
		"foo--bar.service":    "foo--bar.service foo--.service foo-.service",
		"foo---.service":      "foo---.service foo--.service foo-.service",
		"-a-b.service":        "-a-b.service -a-.service",
		"-.service":           "-.service",
		// For an instance, the instance and then the template. In this order systemd has them.
		"a@x-y.service":   "a@x-y.service a@.service",
		"a-b-c@i.service": "a-b-c@i.service a-b-c@.service a-b-.service a-.service a-b-@i.service a-b-@.service a-@i.service a-@.service",
	} {
		n, err := split(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(n.dropIns(), " "); got != want {
			t.Errorf("%s: %s\nwant %s", in, got, want)
		}
	}
	// However many dashes there are, the list stays short.
	n, err := split(strings.Repeat("a-", 120) + "a@x.service")
	if err != nil || len(n.dropIns()) > 500 {
		t.Errorf("%v: %d names", err, len(n.dropIns()))
	}
}

// TestAliasRules: systemd.unit(5), "Aliases obey the following restrictions".
func TestAliasRules(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"a.service", "b.service", "b.service"},
		{"a.service", "b.socket", ""},
		{"a.service", "b@.service", ""},
		{"a.service", "b@c.service", ""},
		{"a@.service", "b@.service", "b@.service"},
		{"a@.service", "b@c.service", ""},
		{"a@.service", "b.service", ""},
		{"a@c.service", "b@c.service", "b@c.service"},
		{"a@c.service", "b@d.service", ""},
		{"a@c.service", "b@.service", "b@c.service"},
		{"a@c.service", "b.service", ""},
		{"a.service", "b", ""},
	} {
		n, err := split(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.alias(tt.to)
		if (err != nil) != (tt.want == "") || err == nil && got.String() != tt.want {
			t.Errorf("%s as %s: %s, %v", tt.from, tt.to, got, err)
		}
	}
}

func TestEscape(t *testing.T) {
	// systemd.unit(5), STRING ESCAPING FOR INCLUSION IN UNIT NAMES.
	for in, want := range map[string]string{
		"a/b-c d.é/": `a-b\x2dc\x20d.\xc3\xa9-`,
		".x":         `\x2ex`,
		"a:b_c.":     "a:b_c.",
		"":           "",
		"@":          `\x40`,
		`a\b`:        `a\x5cb`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape %q: %q, want %q", in, got, want)
		}
		if got, err := unescape(want); err != nil || got != in {
			t.Errorf("unescape %q: %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{`\`, `\x`, `\x2`, `\x2g`, `\x+1`, `\x00`, `\n`, `a\\b`, `\X2d`} {
		if got, err := unescape(bad); err == nil {
			t.Errorf("unescape %q: %q", bad, got)
		}
	}
	for in, want := range map[string]string{
		"-": "/", "foo-bar-baz": "/foo/bar/baz", `a\x2db`: "/a-b", "a.b": "/a.b",
		"": "", "-a": "", "a-": "", "a--b": "", "..-a": "", "a-..": "", "a-.-b": "", `a\x2f\x2fb`: "",
	} {
		got, err := unescapePath(in)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("unescapePath %q: %q, %v", in, got, err)
		}
	}
}

func TestEscapeAsSystemd(t *testing.T) {
	tool, err := exec.LookPath("systemd-escape")
	if err != nil {
		t.Skip("no systemd-escape")
	}
	run := func(args ...string) (string, error) {
		out, err := exec.Command(tool, args...).Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(out), "\n"), err
	}
	for _, s := range []string{"a/b-c d.é/", ".x", "..", "@%", "a//b", "\x01\xff", "--x", "a\tb"} {
		if want, err := run("--", s); err != nil || escape(s) != want {
			t.Errorf("escape %q: %q, systemd %q, %v", s, escape(s), want, err)
		}
	}
	for _, s := range []string{`a-b\x2dc`, `a\x2`, `a\y`, `\xff`, `a-`, `--`, `a.b`} {
		want, bad := run("-u", "--", s)
		if got, err := unescape(s); (err != nil) != (bad != nil) || err == nil && got != want {
			t.Errorf("unescape %q: %q, %v, systemd %q, %v", s, got, err, want, bad)
		}
	}
	for _, s := range []string{"-", "a-b", "a--b", "a-", "-a", "..-a", "a-..", "a-.-b", `a\x2db`} {
		want, bad := run("-u", "-p", "--", s)
		if got, err := unescapePath(s); (err != nil) != (bad != nil) || err == nil && got != want {
			t.Errorf("unescapePath %q: %q, %v, systemd %q, %v", s, got, err, want, bad)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.service", "a@b.service", "a@.service", "a-b-c@d-e.socket", "@.service", `\x2d.service`, "a@b@c.service", "-.mount", "a@../x.service"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := unescape(escape(s)); !strings.Contains(s, "\x00") && (err != nil || got != s) {
			t.Fatalf("%q is escaped %q, and back %q, %v", s, escape(s), got, err)
		}
		if path, err := unescapePath(s); err == nil && path != "/" {
			for _, part := range strings.Split(path[1:], "/") {
				if part == "" || part == "." || part == ".." || path[0] != '/' {
					t.Fatalf("%q is the path %q", s, path)
				}
			}
		}
		n, err := split(s)
		if err != nil {
			if n != (name{}) {
				t.Fatalf("%+v and %v", n, err)
			}
			return
		}
		if n.String() != s || len(s) > maxName || strings.ContainsAny(s, "/\x00\n ") || n.prefix == "" {
			t.Fatalf("%q: %+v", s, n)
		}
		names := n.dropIns()
		seen := map[string]bool{}
		for _, d := range names {
			if again, err := split(d); err != nil || again.kind != n.kind || seen[d] {
				t.Fatalf("%q: drop-ins %q, %v", s, names, err)
			}
			seen[d] = true
		}
		if a, err := n.alias(s); err != nil || !reflect.DeepEqual(a, n) {
			t.Fatalf("%q: own alias is %+v, %v", s, a, err)
		}
	})
}
