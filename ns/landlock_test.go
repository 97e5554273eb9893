package ns

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A hand-written tree: directories and what is in them.
var landlockTree = map[string][]string{
	"/":           {"bin", "etc", "home", "srv", "usr"},
	"/srv":        {"a", "data", "secret", "www"},
	"/srv/data":   {"cache", "log", "x"},
	"/srv/data/x": {"1", "2", "3"},
	"/home":       {"ann", "ben"},
}

func listTree(dir string) ([]string, error) {
	names, ok := landlockTree[dir]
	if !ok {
		return nil, errors.New(dir + " is not to be listed")
	}
	return names, nil
}

// places are "PATH:wrx".
func places(list []place) []string {
	var out []string
	for _, p := range list {
		s := p.path + ":"
		for i, c := range "wrx" {
			if p.aspects>>i&1 == 1 {
				s += string(c)
			}
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// ruleOf reads "WORD PATH".
func ruleOf(t *testing.T, s string) *Rule {
	t.Helper()
	word, path, _ := strings.Cut(s, " ")
	r := map[string]Rule{
		"hidden": {Access: Hidden}, "ro": {Access: Unwritable}, "rw": {Access: Writable}, "rw-implicit": {Access: WritableImplicit},
		"noexec": {Exec: Unexecutable}, "exec": {Exec: Executable},
	}[word]
	if r.Access == AsIs && r.Exec == ExecAsIs {
		t.Fatalf("no such rule: %q", s)
	}
	r.Path = path
	return &r
}

func TestLandlockGrants(t *testing.T) {
	for _, x := range []struct {
		name            string
		rules           []string
		granted, denied []string
		barred          []string
	}{
		{"nothing", nil, nil, nil, nil},
		{"only what gives back", []string{"rw /srv", "exec /usr"}, nil, nil, nil},
		{
			"a directory: what stands beside it at each level",
			[]string{"ro /srv/data"},
			[]string{"/bin:w", "/etc:w", "/home:w", "/srv/a:w", "/srv/secret:w", "/srv/www:w", "/usr:w"},
			[]string{"/srv/data:w"},
			[]string{"/:w", "/srv/data:w", "/srv:w"},
		},
		{
			"everything but",
			[]string{"ro /", "rw /srv/data", "rw-implicit /home"},
			[]string{"/home:w", "/srv/data:w"},
			[]string{"/:w"},
			[]string{"/:w", "/srv:w"},
		},
		{
			"writable in read-only in writable",
			[]string{"ro /srv", "rw /srv/data", "ro /srv/data/x", "rw /srv/data/x/2"},
			[]string{"/bin:w", "/etc:w", "/home:w", "/srv/data/cache:w", "/srv/data/log:w", "/srv/data/x/2:w", "/usr:w"},
			[]string{"/srv/data/x:w", "/srv:w"},
			[]string{"/:w", "/srv/data/x:w", "/srv/data:w", "/srv:w"},
		},
		{
			"hidden takes everything, and nothing below gives it back",
			[]string{"hidden /srv/secret", "rw /srv/secret/in", "exec /srv/secret/in"},
			[]string{"/bin:wrx", "/etc:wrx", "/home:wrx", "/srv/a:wrx", "/srv/data:wrx", "/srv/www:wrx", "/usr:wrx"},
			[]string{"/srv/secret:wrx"},
			[]string{"/:wrx", "/srv/secret:wrx", "/srv:wrx"},
		},
		{
			"each kind of use by itself",
			[]string{"noexec /", "exec /usr", "ro /srv/data"},
			[]string{"/bin:w", "/etc:w", "/home:w", "/srv/a:w", "/srv/secret:w", "/srv/www:w", "/usr:wx"},
			[]string{"/:x", "/srv/data:w"},
			[]string{"/:wx", "/srv/data:wx", "/srv:wx"},
		},
		{
			"hidden below read-only: it can be read beside",
			[]string{"ro /", "rw /srv/www", "hidden /srv/secret"},
			[]string{"/bin:rx", "/etc:rx", "/home:rx", "/srv/a:rx", "/srv/data:rx", "/srv/www:wrx", "/usr:rx"},
			[]string{"/:w", "/srv/secret:rx"},
			[]string{"/:wrx", "/srv/secret:wrx", "/srv:wrx"},
		},
		{
			"of two for a path the stricter, whatever the order",
			[]string{"rw /home", "ro /home", "exec /home", "noexec /home", "rw-implicit /home"},
			[]string{"/bin:wx", "/etc:wx", "/srv:wx", "/usr:wx"},
			[]string{"/home:wx"},
			[]string{"/:wx", "/home:wx"},
		},
		{
			"a rule which says what is so already",
			[]string{"ro /srv", "ro /srv/data", "rw /home"},
			[]string{"/bin:w", "/etc:w", "/home:w", "/usr:w"},
			[]string{"/srv:w"},
			[]string{"/:w", "/srv/data:w", "/srv:w"},
		},
		{
			"a file",
			[]string{"hidden /srv/a"},
			[]string{"/bin:wrx", "/etc:wrx", "/home:wrx", "/srv/data:wrx", "/srv/secret:wrx", "/srv/www:wrx", "/usr:wrx"},
			[]string{"/srv/a:wrx"},
			[]string{"/:wrx", "/srv/a:wrx", "/srv:wrx"},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			tree := &ruleNode{}
			for _, s := range x.rules {
				r := ruleOf(t, s)
				tree.put(r.Path, r)
			}
			g, err := tree.grants(listTree)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(x.granted)
			slices.Sort(x.denied)
			slices.Sort(x.barred)
			for _, c := range []struct {
				what      string
				got, want []string
			}{{"granted", places(g.granted), x.granted}, {"denied", places(g.denied), x.denied}, {"barred", places(g.barred), x.barred}} {
				if !slices.Equal(c.got, c.want) {
					t.Errorf("%s:\n%q\nwant\n%q", c.what, c.got, c.want)
				}
			}
			// What is granted reaches down: nothing of it may be a directory above what is denied.
			for _, p := range g.granted {
				for _, d := range g.barred {
					if p.aspects&d.aspects != 0 && (d.path == p.path || strings.HasPrefix(d.path, strings.TrimSuffix(p.path, "/")+"/")) {
						t.Errorf("%s is granted, and %s is denied", places([]place{p}), places([]place{d}))
					}
				}
			}
		})
	}
}

// What cannot be listed cannot be left out of.
func TestLandlockUnlisted(t *testing.T) {
	tree := &ruleNode{}
	tree.put("/usr/secret/x", &Rule{Access: Hidden})
	if _, err := tree.grants(listTree); err == nil || err.Error() != "/usr is not to be listed" {
		t.Errorf("error %v", err)
	}
}

func TestLandlockAt(t *testing.T) {
	tree := &ruleNode{}
	for _, s := range []string{"ro /", "rw /srv/data", "noexec /srv", "exec /srv/data/x", "hidden /srv/secret", "rw /srv/secret/in"} {
		r := ruleOf(t, s)
		tree.put(r.Path, r)
	}
	for path, want := range map[string]string{
		"/": "/:rx", "/etc/passwd": "/etc/passwd:rx", "/srv": "/srv:r", "/srv/data/log": "/srv/data/log:wr",
		"/srv/data/x/1": "/srv/data/x/1:wrx", "/srv/secret": "/srv/secret:", "/srv/secret/in/x": "/srv/secret/in/x:",
	} {
		if got := places([]place{{path, tree.at(path)}})[0]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A version which cannot keep a promise is named, with the promise.
func TestLandlockLack(t *testing.T) {
	for _, x := range []struct {
		rules   string
		version int
		want    string
	}{
		{"hidden /a", 0, "this kernel has no Landlock, or does not let it be used"},
		{"hidden /a", 4, "version 5 of Landlock is needed, and this kernel has 4: devices below an inaccessible path could be controlled by ioctl(2)"},
		{"hidden /a", 5, ""},
		{"ro /a", 2, "version 3 of Landlock is needed, and this kernel has 2: files below a read-only path could be truncated"},
		{"ro /a", 3, ""},
		{"noexec /a", 1, "version 2 of Landlock is needed, and this kernel has 1: no file could be moved to another directory any more"},
		{"noexec /a", 2, ""},
		{"noexec /a,ro /b", 2, "version 3 of Landlock is needed, and this kernel has 2: files below a read-only path could be truncated"},
		{"rw /a,exec /b", 0, ""},
	} {
		var rules []*Rule
		for s := range strings.SplitSeq(x.rules, ",") {
			rules = append(rules, ruleOf(t, s))
		}
		if got := LandlockLack(x.version, rules); got != x.want {
			t.Errorf("%s, version %d: %q, want %q", x.rules, x.version, got, x.want)
		}
	}
}

// The rights of each version, by the numbers of linux/landlock.h.
func TestLandlockRights(t *testing.T) {
	for _, x := range []struct {
		aspects aspects
		version int
		want    rights
	}{
		{aspectWrite, 1, 0x1ff2},
		{aspectWrite, 2, 0x3ff2},
		{aspectWrite, 3, 0x7ff2},
		{aspectWrite, 9, 0x7ff2},
		{aspectRead, 4, 0xc},
		{aspectRead, 5, 0x800c},
		{aspectRead, 9, 0x1800c},
		{aspectExec, 9, 0x1},
		{aspectAll, 1, 0x1fff},
		{aspectAll, 8, 0xffff},
		{aspectAll, 9, 0x1ffff},
	} {
		if got := x.aspects.rights(x.version); got != x.want {
			t.Errorf("aspects %03b, version %d: %#x, want %#x", x.aspects, x.version, got, x.want)
		}
	}
}

func TestLandlockString(t *testing.T) {
	s := &Landlock{}
	for _, r := range []string{"ro /usr", "hidden /home", "ro /etc", "rw /srv", "noexec /", "exec /usr", "rw-implicit /dev", "ro /usr"} {
		s.Rules = append(s.Rules, ruleOf(t, r))
	}
	const want = "inaccessible /home, read-only /usr /etc, as writable as it was: /srv /dev, noexec /, executable /usr"
	if s.String() != want {
		t.Errorf("got %q, want %q", s.String(), want)
	}
}
