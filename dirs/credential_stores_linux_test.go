package dirs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Which of several lines and files is the credential, and what is no reason to end.
func TestLoadChoice(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	ok(t, errors.Join(os.MkdirAll(a+"/d", 0o755), os.MkdirAll(b+"/x.one", 0o755), os.MkdirAll(dir+"/tree/odd:name", 0o755)))
	files(t, dir+"/key", "K", a+"/n", "a", a+"/x.one", "1", a+"/x.one2", "2", a+"/.dot", "dot", a+"/b:c", "odd", dir+"/tree/f", "F")
	ok(t, os.Symlink("nothing", a+"/x.gone"))
	stores := []string{a, b}
	for _, tt := range []struct {
		name string
		list []Credential
		want string
	}{
		{"loaded, and imported as well", []Credential{{ID: "k", Path: dir + "/key"}, {ID: "k", Import: true}}, "k=K"},
		{"set, while a store has it", []Credential{{ID: "n", Data: "s", Set: true}, {ID: "n", Path: dir + "/none"}}, "n=s"},
		{"one name, and not those that begin so", []Credential{{ID: "x.one", Import: true}}, "x.one=1"},
		{"a directory of a name that is there", []Credential{{ID: "d", Path: dir + "/key"}, {ID: "d", Import: true}}, "d=K"},
		{"a directory of a name that another store has", []Credential{{ID: "x.*", Import: true}}, "x.one=1 x.one2=2"},
		{"a dot that was written", []Credential{{ID: ".d*", Import: true}}, ".dot=dot"},
		{"a name that is none", []Credential{{ID: "b*", Import: true}}, ""},
		{"a directory without files, of any name", []Credential{{ID: "t", Path: dir + "/tree"}}, "t_f=F"},
	} {
		same(t, tt.name, func() {
			got, err := Load("u.service", tt.list, stores)
			if err != nil || texts(got) != tt.want {
				t.Errorf("%s: %s, %v, want %s", tt.name, texts(got), err, tt.want)
			}
		})
	}
	// A file without blocks is as large as it turns out.
	got, err := Load("u.service", []Credential{{ID: "k", Path: "/sys/kernel/uevent_seqnum"}}, nil)
	if err != nil || len(got) != 1 || len(got[0].Data) == 0 {
		t.Errorf("of sysfs: %s, %v", texts(got), err)
	}
}

// Calls and files by which nothing can be loaded.
func TestLoadCalls(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	long := strings.Repeat("n", 200)
	files(t, dir+"/key", "K")
	ok(t, errors.Join(os.MkdirAll(dir+"/tree/"+long+"/"+long, 0o755), os.Mkdir(dir+"/store", 0o755)))
	for _, tt := range []struct {
		name  string
		c     Credential
		calls []call
		want  string
	}{
		{"names that are too long", Credential{ID: "k", Path: dir + "/tree"}, nil, "credentials below would have names of more than 255 bytes"},
		{"a store that is not read", Credential{ID: "*", Import: true}, []call{{number: unix.SYS_GETDENTS64, e: unix.EIO}}, "ImportCredential=*: " + dir + "/store: getdents64: input/output error"},
	} {
		same(t, tt.name, func() {
			result(t, tt.name, with(t, func() error {
				_, err := Load("u.service", []Credential{tt.c}, []string{dir + "/store"})
				return err
			}, tt.calls...), tt.want)
		})
	}
	// The owner of a directory may have linked files into it; where all may, nobody is trusted.
	ok(t, os.Mkdir(dir+"/own", 0o755))
	files(t, dir+"/own/f", "F")
	ok(t, errors.Join(os.Link(dir+"/own/f", dir+"/f2"), os.Chown(dir+"/own", 4321, 0), os.Chown(dir+"/own/f", 4321, 0)))
	for mode, want := range map[uint32]string{0o755: "", 0o777: "has more names"} {
		ok(t, unix.Chmod(dir+"/own", mode))
		_, err := Load("u.service", []Credential{{ID: "k", Path: dir + "/own"}}, nil)
		result(t, "own", err, want)
	}
}
