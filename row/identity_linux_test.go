package row_test

import (
	"os"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// The rows find a file where it is, and no other in its place; of which mount it is, they tell where it is known.
func TestIdentityOnTheKernel(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	identify := func(path string) *row.Identity {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		i, err := row.Identify(fd)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a := identify(dir + "/a")
	with := func(change func(i *row.Identity)) *row.Identity {
		i := *a
		change(&i)
		return &i
	}
	for _, tt := range []struct {
		what string
		id   *row.Identity
		path string
		ok   bool
	}{
		{"itself", a, dir + "/a", true},
		{"another", a, dir + "/b", false},
		{"one that is not there", a, dir + "/c", false},
		{"/proc", identify("/proc"), "/proc", true},
		{"the root of another file system", identify("/proc"), "/", false},
		{"another inode", with(func(i *row.Identity) { i.Ino++ }), dir + "/a", false},
		{"another major number", with(func(i *row.Identity) { i.Major++ }), dir + "/a", false},
		{"another minor number", with(func(i *row.Identity) { i.Minor++ }), dir + "/a", false},
		{"another mount", with(func(i *row.Identity) { i.Mount++ }), dir + "/a", false},
		{"a mount that is not known", with(func(i *row.Identity) { i.Mount = 0 }), dir + "/a", true},
	} {
		if tt.path == dir+"/a" && tt.id.Equal(a) != tt.ok {
			t.Errorf("%s: Equal is %v", tt.what, !tt.ok)
		}
		p := &row.Program{}
		tt.id.Check(p, tt.path)
		if err := testrow.OnThread(func() error { return testrow.Work(p, nil) }); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.what, err)
		}
		p = &row.Program{}
		tt.id.Check(p, tt.path)
		if err := testrow.OnThread(func() error { return testrow.Work(p, func(int) bool { return true }) }); err == nil {
			t.Errorf("%s: the answer of a call that was not made was taken", tt.what)
		}
	}
}

// A statx(2) that answers without having looked identifies nothing.
func TestIdentifyIsLiedTo(t *testing.T) {
	err := testrow.OnThread(func() error {
		if err := testrow.Answer(unix.SYS_STATX, 0); err != nil {
			return err
		}
		if i, err := row.Identify(0); err == nil {
			t.Errorf("identified as %+v", i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A string and a filter are read by the kernel as they were put in.
func TestBlobOnTheKernel(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	p := &row.Program{}
	p.Step(&row.Step{Text: "filter"})
	code := row.Uint64s(nil, uint64(unix.BPF_RET|unix.BPF_K)|uint64(unix.SECCOMP_RET_ALLOW)<<32)
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_NO_NEW_PRIVS), row.Int(1), row.Int(0), row.Int(0), row.Int(0))
	p.Call(unix.SYS_SECCOMP, 0, row.Int(unix.SECCOMP_SET_MODE_FILTER), row.Int(0), p.Fprog(code).Arg())
	p.Call(unix.SYS_PRCTL, 2, row.Int(unix.PR_GET_SECCOMP))
	p.Call(unix.SYS_WRITE, 3, row.Int(pipe[1]), p.String("abc").Arg(), row.Int(3))
	if err := testrow.OnThread(func() error { return testrow.Work(p, nil) }); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := unix.Read(pipe[0], buf); err != nil || string(buf[:n]) != "abc" {
		t.Errorf("written was %q, %v", buf[:max(n, 0)], err)
	}
}
