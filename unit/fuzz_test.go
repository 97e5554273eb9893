package unit

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
	"github.com/hardrun/hardrun/policy"
)

// FuzzFinder: a unit, its drop-ins and a link, of any bytes and names, in two directories. What is loaded comes from
// these files, twice as the same, each line once; what is refused names a file or a word.
func FuzzFinder(f *testing.F) {
	dir, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.service", "a", []byte("[Service]\nExecStart=/x\n"), []byte("[Service]\nUser=b\n"), "a.service.d/x.conf", "b.service", "a.service")
	f.Add("a@.service", "a@b.service", []byte("[Service]\nExecStart=/%i\n"), []byte("\xef\xbb\xbf[Unit]\n"), "a@b.service.d/x.conf", "a@c.service", "a@.service")
	f.Add("a.service", "b", []byte("[Service]\n"), []byte(""), "service.d/x.conf", "b.service", "../low/a.service")
	f.Add("a-b.service", "a-b", []byte("[X-A\nb"), []byte("\x00"), "a-.service.d/x.conf", "a-b.service.d/y.conf", "/dev/null")
	f.Add("a.socket", "a.socket", []byte("[Socket]\nListenStream=1\n"), []byte("a=b"), "a.socket.d/x.conf", "c.service", "c.service")
	f.Fuzz(func(t *testing.T, name, word string, text, dropIn []byte, place, from, to string) {
		for _, sub := range []string{"high", "low"} {
			if err := errors.Join(os.RemoveAll(filepath.Join(dir, sub)), os.Mkdir(filepath.Join(dir, sub), 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		// What is no name of a file, or lies elsewhere, is left out.
		ok := func(path string) bool {
			return path != "" && filepath.IsLocal(path) && strings.Count(path, "/") < 2 && !strings.Contains(path, "\x00") && len(path) < 200
		}
		write := func(path string, text []byte) {
			if ok(path) {
				path = filepath.Join(dir, "low", path)
				if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
					_ = os.WriteFile(path, text, 0o644) // it may be a directory
				}
			}
		}
		write(name, text)
		write(place, dropIn)
		if ok(from) && !strings.Contains(from, "/") && to != "" && len(to) < 200 && !strings.Contains(to, "\x00") && (filepath.IsLocal(to) || to == "/dev/null" || to == "../low/"+name) {
			_ = os.Symlink(to, filepath.Join(dir, "high", from)) // it may be there
		}
		if strings.Contains(word, "/") && !filepath.IsLocal(word) {
			return
		}
		if strings.Contains(word, "/") {
			word = filepath.Join(dir, "low", word)
		}
		finder := Finder{Path: []string{filepath.Join(dir, "high"), filepath.Join(dir, "low")}}
		u, err := finder.Load(word)
		again, err2 := finder.Load(word)
		if (u == nil) != (err != nil) || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || !reflect.DeepEqual(u, again) {
			t.Fatalf("%q: %+v, %v; again %+v, %v", word, u, err, again, err2)
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q: an error without a text", word)
			}
			return
		}
		n, err := split(u.Name)
		if err != nil || n.kind != "service" && n.kind != "socket" || u.Prefix != n.prefix || u.Instance != n.instance {
			t.Fatalf("%q: loaded as %+v, %v", word, u, err)
		}
		for _, file := range u.Files {
			if !strings.HasPrefix(file, dir+"/") && file != "/dev/null" {
				t.Fatalf("%q: read %s", word, file)
			}
		}
		lines := map[policy.Origin]bool{}
		for _, a := range u.Assignments {
			if a.From.Line < 1 || a.From.File == "" || lines[a.From] {
				t.Fatalf("%q: %+v", word, a)
			}
			lines[a.From] = true
			if !slices.ContainsFunc(u.Files, func(file string) bool { return strings.HasSuffix(file, "/"+filepath.Base(a.From.File)) }) {
				t.Fatalf("%q: %+v comes from none of %q", word, a, u.Files)
			}
		}
		for _, p := range u.Problems {
			var e *Error
			if !errors.As(p, &e) && !strings.HasPrefix(p.Error(), "more than ") || e != nil && (e.File == "" || e.Text == "") {
				t.Fatalf("%q: problem %v", word, p)
			}
		}
		if _, err := u.Dependencies(); err != nil && err.Error() == "" {
			t.Fatalf("%q: an error without a text", word)
		}
	})
}

func TestBounded(t *testing.T) {
	bounded.Check(t, func(s string) { _, _ = Parse("f", []byte(s)) }, "[Service]\nA=b\n", "a=b\\\n", "[X-A]\n", "#\\\n", "[A]\r\n", "\\\n#\n")
	bounded.Check(t, func(s string) { _, _ = Parse("f", []byte("[Service]\nA=\\\n"+s)) }, "b\\\n", "#\n", ";\\\n")
	u := &Unit{Name: "a-b@c.service", Prefix: "a-b", Instance: "c", Path: "/srv/a-b@c.service"}
	expand := u.Expander()
	bounded.Check(t, func(s string) { _, _ = expand(s) }, "%n", "%i", "%f", "%%", "%Z", "%p ")
	bounded.Check(t, func(s string) {
		_, _ = unescape(s)
		_, _ = unescapePath(s)
		_, _ = split(s)
		escape(s[:len(s)/4])
	}, `\x2d`, "a-", "a@", ".service")
}
