package unit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes files below a new directory: "a/b: text", "a/b -> link" ("ROOT" is the
// directory), "a/b |" for a FIFO, "a/b/" for a directory.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	grow(t, root, files...)
	return root
}

func grow(t *testing.T, root string, files ...string) {
	t.Helper()
	for _, f := range files {
		name, text, isFile := strings.Cut(f, ": ")
		link, to, isLink := strings.Cut(f, " -> ")
		fifo, isFIFO := strings.CutSuffix(f, " |")
		var err error
		parent := func(name string) string {
			path := root + "/" + name
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			return path
		}
		switch {
		case isFile:
			err = os.WriteFile(parent(name), []byte(text), 0o644)
		case isLink:
			err = os.Symlink(strings.ReplaceAll(to, "ROOT", root), parent(link))
		case isFIFO:
			err = unix.Mkfifo(parent(fifo), 0o644)
		case strings.HasSuffix(f, "/"):
			err = os.MkdirAll(root+"/"+f, 0o755)
		default:
			err = errors.New("no file: " + f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const (
	unitText = "[Service]\nExecStart=/bin/true\n"
	confText = "[Service]\nNice=1\n"
)

// u and c are a unit file and a drop-in of a tree.
func u(name string) string { return name + ": " + unitText }
func c(name string) string { return name + ": " + confText }

func TestLoad(t *testing.T) {
	tests := []struct {
		name  string
		tree  []string
		word  string   // "ROOT" is the tree
		want  string   // the unit's name
		files []string // what is read
	}{
		{"by name", []string{u("etc/a.service")}, "a.service", "a.service", []string{"etc/a.service"}},
		{"without suffix", []string{u("etc/a.service")}, "a", "a.service", []string{"etc/a.service"}},
		{"with a dot, without suffix", []string{u("etc/a.b.service")}, "a.b", "a.b.service", []string{"etc/a.b.service"}},
		{"a socket", []string{u("etc/a.socket"), c("etc/service.d/a.conf"), c("etc/socket.d/b.conf")}, "a.socket", "a.socket", []string{"etc/a.socket", "etc/socket.d/b.conf"}},
		// systemd.unit(5), UNIT FILE LOAD PATH: "files found in directories listed earlier override".
		{"the stronger directory", []string{u("etc/a.service"), u("usr/a.service")}, "a", "a.service", []string{"etc/a.service"}},
		{"the weaker one", []string{u("usr/a.service")}, "a", "a.service", []string{"usr/a.service"}},
		// "All files with the suffix .conf … merged in the alphanumeric order", "Multiple drop-in
		// files with different names are applied in lexicographic order, regardless of which of
		// the directories they reside in".
		{
			"drop-ins",
			[]string{u("usr/a.service"), c("etc/a.service.d/b.conf"), c("usr/a.service.d/c.conf"), c("run/a.service.d/a.conf"), c("usr/a.service.d/B.conf")},
			"a", "a.service",
			[]string{"usr/a.service", "usr/a.service.d/B.conf", "run/a.service.d/a.conf", "etc/a.service.d/b.conf", "usr/a.service.d/c.conf"},
		},
		// "Drop-in files in /etc/ take precedence over those in /run/".
		{
			"equal names",
			[]string{u("etc/a.service"), c("etc/a.service.d/x.conf"), c("run/a.service.d/x.conf"), c("run/a.service.d/y.conf"), c("usr/a.service.d/y.conf")},
			"a", "a.service",
			[]string{"etc/a.service", "etc/a.service.d/x.conf", "run/a.service.d/y.conf"},
		},
		// "a file in type.d/ applies to a unit only if there are no drop-ins or masks with that
		// name in directories with higher precedence".
		{
			"for the type",
			[]string{u("etc/a.service"), c("etc/service.d/x.conf"), c("etc/service.d/y.conf"), c("usr/a.service.d/x.conf"), "usr/a.service.d/y.conf -> /dev/null", c("etc/service.d/z.conf")},
			"a", "a.service",
			[]string{"etc/a.service", "usr/a.service.d/x.conf", "etc/service.d/z.conf"},
		},
		// "equally named drop-in files further down the prefix hierarchy override those further up".
		{
			"prefixes",
			[]string{u("etc/a-b-c.service"), c("etc/a-.service.d/x.conf"), c("etc/a-b-.service.d/x.conf"), c("etc/a-.service.d/y.conf"), c("etc/a-b.service.d/z.conf"), c("etc/a.service.d/z.conf")},
			"a-b-c", "a-b-c.service",
			[]string{"etc/a-b-c.service", "etc/a-b-.service.d/x.conf", "etc/a-.service.d/y.conf"},
		},
		// "it will first search for the literal unit name", and then for the template.
		{"an instance", []string{u("usr/a@.service")}, "a@b", "a@b.service", []string{"usr/a@.service"}},
		{"its own file", []string{u("etc/a@.service"), u("usr/a@b.service")}, "a@b", "a@b.service", []string{"usr/a@b.service"}},
		{
			"drop-ins of an instance",
			[]string{u("etc/a@.service"), c("etc/a@b.service.d/x.conf"), c("etc/a@.service.d/x.conf"), c("etc/a@.service.d/y.conf"), c("etc/a@c.service.d/z.conf")},
			"a@b", "a@b.service",
			[]string{"etc/a@.service", "etc/a@b.service.d/x.conf", "etc/a@.service.d/y.conf"},
		},
		// "In cases of unit aliases, dropins for the aliased name and all aliases are loaded".
		{
			"an alias",
			[]string{u("usr/a.service"), "etc/b.service -> a.service", c("etc/a.service.d/a.conf"), c("etc/b.service.d/b.conf")},
			"b", "a.service",
			[]string{"usr/a.service", "etc/a.service.d/a.conf", "etc/b.service.d/b.conf"},
		},
		{
			"the other way round",
			[]string{u("usr/a.service"), "etc/b.service -> ROOT/usr/a.service", "run/c.service -> b.service", c("etc/b.service.d/b.conf"), c("usr/c.service.d/c.conf")},
			"a", "a.service",
			[]string{"usr/a.service", "etc/b.service.d/b.conf", "usr/c.service.d/c.conf"},
		},
		{
			"of an alias its other aliases",
			[]string{u("usr/a.service"), "etc/b.service -> a.service", "etc/c.service -> a.service", c("etc/c.service.d/c.conf")},
			"b", "a.service",
			[]string{"usr/a.service", "etc/c.service.d/c.conf"},
		},
		{
			"a hidden alias is none",
			[]string{u("usr/a.service"), u("etc/b.service"), "usr/b.service -> a.service", c("etc/b.service.d/b.conf")},
			"a", "a.service",
			[]string{"usr/a.service"},
		},
		// "the symlink target path is not used, except to check whether the target is within the
		// unit load path".
		{"only the name of a link counts", []string{u("run/a.service"), "etc/b.service -> ROOT/usr/a.service", "usr/"}, "b", "a.service", []string{"run/a.service"}},
		{"a link to its own name", []string{u("usr/a.service"), "etc/a.service -> ../usr/a.service"}, "a", "a.service", []string{"usr/a.service"}},
		// "any symlink which goes outside of the unit load path signifies a linked unit file".
		{"a linked unit", []string{u("srv/thing"), "etc/a.service -> ../srv/thing", c("etc/a.service.d/a.conf"), c("srv/thing.d/b.conf")}, "a", "a.service", []string{"srv/thing", "etc/a.service.d/a.conf"}},
		// "a template instance may be a symlink to different template".
		{
			"an instance of another template",
			[]string{u("etc/a@.service"), "etc/b@x.service -> a@x.service", c("etc/b@x.service.d/b.conf"), c("etc/a@x.service.d/a.conf")},
			"b@x", "a@x.service",
			[]string{"etc/a@.service", "etc/a@x.service.d/a.conf", "etc/b@x.service.d/b.conf"},
		},
		{"an instance and a template", []string{u("etc/a@.service"), "etc/b@x.service -> a@.service"}, "b@x", "a@x.service", []string{"etc/a@.service"}},
		{
			"an alias of a template",
			[]string{u("etc/a@.service"), "etc/b@.service -> a@.service", c("etc/b@x.service.d/b.conf"), c("etc/b@.service.d/c.conf")},
			"a@x", "a@x.service",
			[]string{"etc/a@.service", "etc/b@x.service.d/b.conf", "etc/b@.service.d/c.conf"},
		},
		// "names that start with a . or end with .ignore".
		{"what is ignored", []string{u("etc/a.service"), "etc/a.service.d/.a.conf: x", "etc/a.service.d/a.conf.ignore: x", "etc/a.service.d/.conf: x", "etc/a.service.d/README: x"}, "a", "a.service", []string{"etc/a.service"}},
		{"an empty drop-in hides", []string{u("etc/a.service"), "etc/a.service.d/a.conf: ", c("usr/a.service.d/a.conf")}, "a", "a.service", []string{"etc/a.service", "etc/a.service.d/a.conf"}},
		{"a linked directory of drop-ins", []string{u("etc/a.service"), "etc/a.service.d -> ../srv", c("srv/a.conf")}, "a", "a.service", []string{"etc/a.service", "etc/a.service.d/a.conf"}},
		{"a file for a directory of drop-ins", []string{u("etc/a.service"), "etc/a.service.d: x"}, "a", "a.service", []string{"etc/a.service"}},
		// Files.
		{"a file of the load path", []string{u("etc/a.service"), u("usr/a.service"), c("etc/a.service.d/x.conf"), c("usr/service.d/y.conf")}, "ROOT/usr/a.service", "a.service", []string{"usr/a.service", "etc/a.service.d/x.conf", "usr/service.d/y.conf"}},
		{"a link of the load path", []string{u("usr/a.service"), "etc/b.service -> a.service", c("etc/a.service.d/x.conf")}, "ROOT/etc/b.service", "a.service", []string{"usr/a.service", "etc/a.service.d/x.conf"}},
		{"a link to its own name as a file", []string{u("usr/a.service"), "etc/a.service -> ../usr/a.service"}, "ROOT/etc/a.service", "a.service", []string{"usr/a.service"}},
		{"an instance of the load path", []string{u("etc/a@.service"), c("run/a@b.service.d/x.conf")}, "ROOT/etc/a@b.service", "a@b.service", []string{"etc/a@.service", "run/a@b.service.d/x.conf"}},
		{"a file elsewhere", []string{u("srv/a.service"), c("srv/a.service.d/x.conf"), c("etc/a.service.d/y.conf"), c("srv/service.d/z.conf")}, "ROOT/srv/a.service", "a.service", []string{"srv/a.service", "srv/a.service.d/x.conf"}},
		{"a link elsewhere", []string{u("srv/a.service"), "home/b.service -> ../srv/a.service", c("home/b.service.d/x.conf")}, "ROOT/home/b.service", "b.service", []string{"srv/a.service", "home/b.service.d/x.conf"}},
		{"an instance elsewhere", []string{u("srv/a@.service"), c("srv/a@b.service.d/x.conf"), c("srv/a@.service.d/y.conf")}, "ROOT/srv/a@b.service", "a@b.service", []string{"srv/a@.service", "srv/a@b.service.d/x.conf", "srv/a@.service.d/y.conf"}},
		{"slashes and dots", []string{u("srv/a.service")}, "ROOT//./srv/a.service", "a.service", []string{"srv/a.service"}},
		{"back and forth", []string{u("srv/a.service"), "home/x -> ../srv/deep", "srv/deep/"}, "ROOT/home/x/../a.service", "a.service", []string{"srv/a.service"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, append(tt.tree, "etc/", "run/", "usr/")...)
			f := Finder{Path: []string{root + "/etc", root + "/run", root + "/usr"}}
			got, err := f.Load(strings.Replace(tt.word, "ROOT", root, 1))
			if err != nil {
				t.Fatal(err)
			}
			files := []string{}
			for _, file := range got.Files {
				files = append(files, strings.TrimPrefix(file, root+"/"))
			}
			if got.Name != tt.want || !reflect.DeepEqual(files, tt.files) || got.Path != got.Files[0] {
				t.Errorf("%s at %s of %q\nwant %s of %q", got.Name, got.Path, files, tt.want, tt.files)
			}
			n, err := split(tt.want)
			if err != nil || got.Prefix != n.prefix || got.Instance != n.instance || got.Type() != n.kind || len(got.Problems) > 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	tests := []struct {
		name, word string
		tree       []string
		want, hint string
		is         error
	}{
		{"not found", "named", []string{u("usr/names.service"), u("etc/name.socket")}, "unit named.service: not found", "did you mean names.service?", ErrNotFound},
		{"nothing near", "named", nil, "unit named.service: not found", "looked in ROOT/etc, ROOT/usr", ErrNotFound},
		// systemd.unit(5): "has the file size 0 or is symlinked to /dev/null".
		{"masked", "a", []string{"etc/a.service -> /dev/null", u("usr/a.service")}, "ROOT/etc/a.service: the unit is masked", "must not be started", ErrMasked},
		{"masked in a roundabout way", "a", []string{"etc/a.service -> ../../../../../../../../../../../dev/null"}, "etc/a.service: the unit is masked", "", ErrMasked},
		{"empty", "a", []string{"etc/a.service: ", u("usr/a.service")}, "ROOT/etc/a.service: the unit is masked", "", ErrMasked},
		{"masked template", "a@b", []string{"etc/a@.service -> /dev/null", u("usr/a@.service")}, "a@.service: the unit is masked", "", ErrMasked},
		{"masked instance", "a@b", []string{"etc/a@b.service -> /dev/null", u("usr/a@.service")}, "a@b.service: the unit is masked", "", ErrMasked},
		{"masked by an alias", "b", []string{"etc/b.service -> a.service", "etc/a.service -> /dev/null"}, "etc/a.service: the unit is masked", "", ErrMasked},
		{"masked file", "ROOT/etc/a.service", []string{"etc/a.service -> /dev/null"}, "the unit is masked", "", ErrMasked},
		{"masked file elsewhere", "ROOT/srv/a.service", []string{"srv/a.service -> /dev/null"}, "the unit is masked", "", ErrMasked},
		{"template", "a@", []string{u("etc/a@.service")}, `a template without an instance: "a@.service"`, "name one: a@INSTANCE.service", nil},
		{"template file", "ROOT/etc/a@.service", []string{u("etc/a@.service")}, "a template without an instance", "a@INSTANCE.service", nil},
		{"timer", "a.timer", []string{u("etc/a.timer")}, `only services and sockets can be started: "a.timer"`, "", nil},
		{"no name", "", nil, "nothing before the suffix", "", nil},
		{"blank", "a b", nil, `no character of a unit name: " " in "a b.service"`, "", nil},
		{"an instance to escape", "a@b c", nil, "no character of an instance", `a@b\x20c.service`, nil},
		{"an instance that leads out", "a@../../x", nil, "a@../../x: no unit file", `a@\x2e.-..-x.service`, nil},
		{"an instance that leads to a name", "a@b/../../x.service", nil, "a@b/../../x.service: no such file", `a@b-..-..-x.service`, ErrNotFound},
		{"a path as an instance", "a@/dev/sda", nil, "a@/dev/sda", `a@-dev-sda.service`, nil},
		{"too long", strings.Repeat("a", 300), nil, "longer than 255 bytes", "", nil},
		{"no file", "ROOT/srv/a.service", nil, "ROOT/srv/a.service: no such file", "", ErrNotFound},
		{"no file in the load path", "ROOT/etc/a.service", []string{u("usr/a.service")}, "ROOT/etc/a.service: no such file", "", ErrNotFound},
		{"no unit file", "ROOT/srv/a", []string{"srv/a: x"}, `no suffix of a unit: "a"`, "", nil},
		{"a directory by path", "ROOT/srv/", []string{"srv/"}, "no suffix of a unit", "", nil},
		{"a directory", "ROOT/srv/a.service", []string{"srv/a.service/"}, "ROOT/srv/a.service: not a regular file but a directory", "", nil},
		{"a FIFO", "a", []string{"etc/a.service |"}, "ROOT/etc/a.service: not a regular file but a FIFO", "", nil},
		{"links in a circle", "a", []string{"etc/a.service -> b.service", "etc/b.service -> a.service"}, "its links lead to no file", "", unix.ELOOP},
		{"a link to itself", "a", []string{"etc/a.service -> a.service"}, "unit a.service: not found", "", ErrNotFound},
		{"a link outside in a circle", "a", []string{"etc/a.service -> ../srv/x", "srv/x -> y", "srv/y -> x"}, "too many levels of symbolic links", "", unix.ELOOP},
		{"a link that leads nowhere", "a", []string{"etc/a.service -> ../srv/x", "srv/"}, "cannot be read: no such file", "", unix.ENOENT},
		{"an alias that leads nowhere", "a", []string{"etc/a.service -> b.service"}, "unit a.service: a link to b.service, which is not found", "", ErrNotFound},
		// systemd.unit(5): "can only be aliased by a name with the same type suffix" …
		{"another type", "a", []string{"etc/a.service -> a.socket", u("usr/a.service")}, `link to "a.socket", which cannot be the same unit`, "", nil},
		{"another instance", "a@x", []string{"etc/a@x.service -> b@y.service", u("etc/b@.service")}, "the instance is another one", "", nil},
		{"a plain unit for a template", "a@x", []string{"etc/a@.service -> b.service", u("etc/b.service")}, "template", "", nil},
		{"a name that cannot be", "a", []string{"etc/a.service -> x y.service", "etc/x y.service: x"}, "no character of a unit name", "", nil},
		{"drop-in: a FIFO", "a", []string{u("etc/a.service"), "etc/a.service.d/x.conf |"}, "ROOT/etc/a.service.d/x.conf: not a regular file but a FIFO", "", nil},
		{"drop-in: a directory", "a", []string{u("etc/a.service"), "etc/a.service.d/x.conf/"}, "ROOT/etc/a.service.d/x.conf: not a regular file but a directory", "", nil},
		{"drop-in: a circle", "a", []string{u("etc/a.service"), "etc/a.service.d/x.conf -> x.conf"}, "etc/a.service.d/x.conf: cannot be read: too many levels", "", unix.ELOOP},
		{"drop-in: leads nowhere", "a", []string{u("etc/a.service"), "etc/a.service.d/x.conf -> gone"}, "etc/a.service.d/x.conf: cannot be read: no such file", "", unix.ENOENT},
		{"drop-in: a circle of directories", "a", []string{u("etc/a.service"), "etc/a.service.d -> a.service.d"}, "etc/a.service.d: cannot be listed: too many levels", "", unix.ELOOP},
		{"drop-in: NUL", "a", []string{u("etc/a.service"), "etc/a.service.d/x.conf: [Service]\n#\x00"}, "a.service.d/x.conf:2: NUL byte", "", nil},
		{"a name with a line end", "a", []string{u("etc/a.service"), "etc/a.service.d/x\ny.conf |"}, `a.service.d/x\ny.conf"`, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, append(tt.tree, "etc/", "usr/")...)
			f := Finder{Path: []string{root + "/etc", root + "/usr"}}
			type result struct {
				u   *Unit
				err error
			}
			done := make(chan result, 1)
			go func() {
				u, err := f.Load(strings.Replace(tt.word, "ROOT", root, 1))
				done <- result{u, err}
			}()
			var r result
			select {
			case r = <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
			if r.err == nil || r.u != nil {
				t.Fatalf("%+v, error %v", r.u, r.err)
			}
			want := strings.ReplaceAll(tt.want, "ROOT", root)
			if !strings.Contains(r.err.Error(), want) || strings.Contains(r.err.Error(), "\n") {
				t.Errorf("error %q\nwant  %q", r.err, want)
			}
			if tt.is != nil && !errors.Is(r.err, tt.is) {
				t.Errorf("%v is not %v", r.err, tt.is)
			}
			var e *Error
			if !errors.As(r.err, &e) || !strings.Contains(e.Hint, strings.ReplaceAll(tt.hint, "ROOT", root)) {
				t.Errorf("hint of %#v, want %q", r.err, tt.hint)
			}
		})
	}
}

// TestOrigins: what errors and the plan say of where a line stands.
func TestOrigins(t *testing.T) {
	root := tree(t, u("etc/a@.service"), c("etc/a@b.service.d/x.conf"), "etc/service.d/y.conf: \n[Service]\nnonsense\n", c("srv/z"))
	f := Finder{Path: []string{root + "/etc"}, DropIns: []DropIn{{Name: root + "/srv/z"}, {"@strict", "[Service]\n\n\nNice=2\n"}}}
	got, err := f.Load("a@b")
	if err != nil {
		t.Fatal(err)
	}
	var from []string
	for _, a := range got.Assignments {
		from = append(from, a.From.String())
	}
	if want := []string{"a@.service:2", "a@b.service.d/x.conf:2", root + "/srv/z:2", "@strict:4"}; !reflect.DeepEqual(from, want) {
		t.Errorf("%q, want %q", from, want)
	}
	if len(got.Problems) != 1 || !strings.HasPrefix(got.Problems[0].Error(), "service.d/y.conf:3: neither") {
		t.Errorf("problems %v", got.Problems)
	}
}

func TestDropIns(t *testing.T) {
	root := tree(t, c("a"), "b |", u("etc/a.service"))
	one, err := (&Finder{}).Only()
	if one != nil || err != nil {
		t.Errorf("%v, %v", one, err)
	}
	one, err = (&Finder{DropIns: []DropIn{{Name: root + "/a"}, {"@x", confText}}}).Only()
	if err != nil || one.Path != "" || one.Name != "" || len(one.Assignments) != 2 || one.Type() != "service" {
		t.Errorf("%+v, %v", one, err)
	}
	for _, bad := range []DropIn{{Name: root + "/b"}, {Name: root + "/c"}, {}, {Name: root}, {"x", "[Service]\n\x00"}, {Name: "/dev/null"}} {
		if one, err := (&Finder{DropIns: []DropIn{bad}}).Only(); err == nil {
			t.Errorf("%+v: %+v", bad, one)
		}
		if one, err := (&Finder{Path: []string{root + "/etc"}, DropIns: []DropIn{bad}}).Load("a"); err == nil {
			t.Errorf("%+v: %+v", bad, one)
		}
	}
}

func TestPath(t *testing.T) {
	root := tree(t, u("usr/lib/a.service"), c("usr/lib/a.service.d/x.conf"), "lib -> usr/lib", "file: x")
	// One directory by two names is one.
	f := Finder{Path: []string{root + "/lib", root + "/usr/lib"}}
	got, err := f.Load("a")
	if err != nil || len(got.Files) != 2 || got.Path != root+"/lib/a.service" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"relative", "", root + "/none", root + "/file"} {
		if _, err := (&Finder{Path: []string{root + "/lib", bad}}).Load("a"); err == nil {
			t.Errorf("the directory %q was taken", bad)
		}
	}
	// A file by a relative path.
	t.Chdir(root + "/usr")
	if got, err := (&Finder{Path: []string{root + "/lib"}}).Load("./lib/a.service"); err != nil || len(got.Files) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (&Finder{Path: []string{}}).Load("lib/a.service"); err != nil || got.Path != root+"/usr/lib/a.service" {
		t.Errorf("%+v, %v", got, err)
	}
	// The usual path may lack any directory.
	if _, err := (&Finder{}).Load("hardrun-test-none"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestManyDropIns: ten thousand are read in no time.
func TestManyDropIns(t *testing.T) {
	root := tree(t, u("etc/a.service"), "etc/a.service.d/")
	const n = 10000
	for i := range n {
		if err := os.WriteFile(fmt.Sprintf("%s/etc/a.service.d/%05d.conf", root, i), []byte(confText), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	got, err := (&Finder{Path: []string{root + "/etc"}}).Load("a")
	if err != nil || len(got.Files) != n+1 || !slices.IsSorted(got.Files[1:]) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Error(took)
	}
}

// TestManyDashes: nor does a name of dashes take long.
func TestManyDashes(t *testing.T) {
	long := strings.Repeat("-", 110) + "@" + strings.Repeat("-", 110) + ".service"
	root := tree(t, u("etc/"+long))
	start := time.Now()
	if _, err := (&Finder{Path: []string{root + "/etc"}}).Load(long); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Error(took)
	}
}

func TestTooLarge(t *testing.T) {
	root := tree(t, u("etc/a.service"), "etc/a.service.d/x.conf: x")
	if err := os.Truncate(root+"/etc/a.service.d/x.conf", maxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Finder{Path: []string{root + "/etc"}}).Load("a"); err == nil || !strings.HasSuffix(err.Error(), "x.conf: larger than 64 MiB") {
		t.Error(err)
	}
}

// TestLoadAsSystemd reads trees of random files and compares which ones, and in which order,
// with systemd, which warns about a line in each of them.
func TestLoadAsSystemd(t *testing.T) {
	names := []string{
		"a-b@x-y.service", "a-b@.service", "a-@x-y.service", "a-@.service", "a-.service", "a-b.service", "a-b-.service", "service",
		"a-b-c.service", "b.service", "b@.service", "b@x-y.service", "a.service", "socket",
	}
	dirs := []string{"etc", "run", "usr"}
	random := rand.New(rand.NewPCG(1, 2))
	const line = "[Service]\nBogus=1\n"
	for range 40 {
		root := tree(t, "etc/", "run/", "usr/")
		word := []string{"a-b@x-y.service", "a-b-c.service", "b@x-y.service", "b.service"}[random.IntN(4)]
		n, err := split(word)
		if err != nil {
			t.Fatal(err)
		}
		main := word
		if n.instanced() && random.IntN(3) > 0 {
			main = n.with("").String()
		}
		grow(t, root, dirs[random.IntN(3)]+"/"+main+": "+unitText+"Bogus=1\n")
		alias := ""
		if random.IntN(2) == 0 {
			// systemd's order of aliases is that of a hash: one alias, and names of files of its own.
			alias = n.with(n.instance).String()
			alias = "z" + alias
			grow(t, root, dirs[random.IntN(3)]+"/"+alias+" -> "+word)
			grow(t, root, dirs[random.IntN(3)]+"/"+alias+".d/60-alias.conf: "+line)
		}
		for range 12 {
			file := fmt.Sprintf("%s/%s.d/%d.conf", dirs[random.IntN(3)], names[random.IntN(len(names))], 50+random.IntN(6))
			if _, err := os.Lstat(root + "/" + file); err == nil {
				continue
			}
			switch random.IntN(6) {
			case 0:
				grow(t, root, file+" -> /dev/null")
			default:
				grow(t, root, file+": "+line)
			}
		}
		var path []string
		for _, d := range dirs {
			path = append(path, root+"/"+d)
		}
		asked := word
		if alias != "" && random.IntN(2) == 0 {
			asked = alias
		}
		out := verify(t, strings.Join(path, ":"), asked)
		var theirs []string
		for _, m := range unknownKey.FindAllStringSubmatch(out, -1) {
			theirs = append(theirs, m[1])
		}
		got, err := (&Finder{Path: path}).Load(asked)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Files, theirs) {
			t.Errorf("%s: %q\nsystemd %q", asked, got.Files, theirs)
		}
	}
}

// TestUnitsOfThisMachine: what a distribution ships is read without a complaint.
func TestUnitsOfThisMachine(t *testing.T) {
	files, err := filepath.Glob("/usr/lib/systemd/system/*.service")
	if err != nil || len(files) == 0 {
		t.Skip("no units here")
	}
	for _, file := range files {
		word := strings.Replace(filepath.Base(file), "@.", "@x.", 1)
		got, err := (&Finder{}).Load(word)
		if errors.Is(err, ErrMasked) {
			continue
		}
		if err != nil || len(got.Problems) > 0 {
			t.Errorf("%s: %v, %v", word, err, got)
			continue
		}
		if _, err := got.Dependencies(); err != nil {
			t.Error(err)
		}
	}
}
