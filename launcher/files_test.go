package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// fifoIn makes a FIFO that nobody writes to.
func fifoIn(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// EnvironmentFile= is one file or all that a pattern matches; behind a "-" it may be missing,
// and nothing else is tolerated.
func TestEnvironmentFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.env": "A=1\nB=2\n", "b.env": "B=3\n", "bad": "A=\xff\n", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fifoIn(t, dir)
	for _, tt := range []struct {
		set  []string
		want [][]string
		not  string // what the problem says behind the directive
	}{
		{[]string{"a.env"}, [][]string{{"A=1", "B=2"}}, ""},
		{[]string{"-a.env", "b.env"}, [][]string{{"A=1", "B=2"}, {"B=3"}}, ""},
		{[]string{"*.env"}, [][]string{{"A=1", "B=2"}, {"B=3"}}, ""},
		{[]string{"?.env"}, [][]string{{"A=1", "B=2"}, {"B=3"}}, ""},
		{[]string{"[b].env"}, [][]string{{"B=3"}}, ""},
		{[]string{"empty"}, [][]string{nil}, ""},
		{[]string{"-nosuch"}, nil, ""},
		{[]string{"-*.nosuch"}, nil, ""},
		{[]string{"-nosuch", "a.env"}, [][]string{{"A=1", "B=2"}}, ""},
		{[]string{"nosuch"}, nil, "open DIR/nosuch: no such file or directory"},
		{[]string{"*.nosuch"}, nil, "no file matches DIR/*.nosuch"},
		{[]string{"[.env"}, nil, "syntax error in pattern"},
		{[]string{"[.env", "b.env"}, [][]string{{"B=3"}}, "syntax error in pattern"},
		{[]string{"bad"}, nil, "DIR/bad: "},
		{[]string{"-bad"}, nil, "DIR/bad: "},
		{[]string{"bad", "b.env"}, [][]string{{"B=3"}}, "DIR/bad: "},
		{[]string{"fifo"}, nil, "DIR/fifo: not a regular file"},
		{[]string{"-fifo"}, nil, "DIR/fifo: not a regular file"},
		{[]string{"."}, nil, "not a regular file"},
	} {
		var settings []string
		for _, s := range tt.set {
			name, tolerate := strings.CutPrefix(s, "-")
			s = dir + "/" + name
			if tolerate {
				s = "-" + s
			}
			settings = append(settings, "EnvironmentFile="+s)
		}
		env := aRoot()
		env.files(aPolicy(t, settings...))
		if !slices.EqualFunc(env.EnvFiles, tt.want, slices.Equal) {
			t.Errorf("%q: %q, want %q", tt.set, env.EnvFiles, tt.want)
		}
		switch want := strings.ReplaceAll(tt.not, "DIR", dir); {
		case want == "" && len(env.Problems) > 0, want != "" && len(env.Problems) != 1:
			t.Errorf("%q: problems %v", tt.set, env.Problems)
		case want != "":
			if r := &env.Problems[0]; r.Directive != "EnvironmentFile=" || r.Origin.Line != 7 || r.Exit != ExitExec || !strings.Contains(r.Text, want) {
				t.Errorf("%q: %d %s, want %s", tt.set, r.Exit, r.Error(), want)
			}
		}
	}
}

// A file is read up to a limit, whatever its size is said to be; what is no file is not read,
// and not waited for.
func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	sized := func(n int) string {
		path := filepath.Join(dir, "sized")
		if err := os.WriteFile(path, []byte(strings.Repeat("x", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, n := range []int{0, 1, 4095, 4096, 4097, 8192, 10000} {
		if text, err := readRegular(sized(n), 10000); err != nil || len(text) != n || strings.Trim(string(text), "x") != "" {
			t.Errorf("%d bytes: %d, %v", n, len(text), err)
		}
	}
	if _, err := readRegular(sized(100_000), 50_000); err == nil || err.Error() != dir+"/sized: too long" {
		t.Errorf("too long: %v", err)
	}
	began := time.Now()
	for path, want := range map[string]string{
		fifoIn(t, dir):  "/fifo: not a regular file",
		dir:             ": not a regular file",
		"/dev/zero":     "/dev/zero: not a regular file",
		dir + "/nosuch": "open " + dir + "/nosuch: no such file or directory",
	} {
		if _, err := readRegular(path, 100); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	_, err := readRegular(dir+"/nosuch", 100)
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v is no ENOENT", err)
	}
}

// A file that ends before its end was cut off meanwhile. Of a file without blocks the size says
// nothing.
func TestReadShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Seek(fd, 10, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := regularOf(fd, path, 10000); err == nil || err.Error() != path+": read: it ended before its end" {
		t.Errorf("%v", err)
	}
	if _, err := regularOf(-1, path, 10000); err == nil || err.Error() != path+": fstat: bad file descriptor\nclose: bad file descriptor" {
		t.Errorf("no descriptor: %v", err)
	}
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" { // a file of sysfs is a page by its size
		if text, err := readRegular("/sys/kernel/uevent_seqnum", 10000); err != nil || len(text) == 0 || len(text) > 100 {
			t.Errorf("of sysfs: %d, %v", len(text), err)
		}
	}
	if text, err := readRegular(path, 2<<20); err != nil || len(text) != 1<<20 {
		t.Errorf("with a hole: %d, %v", len(text), err)
	}
}

// A descriptor that cannot be read says so.
func TestReadFD(t *testing.T) {
	fd, err := unix.Open(filepath.Join(t.TempDir(), "file"), unix.O_WRONLY|unix.O_CREAT, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := readFD(fd, 100); err == nil || err.Error() != "read: bad file descriptor" {
		t.Errorf("%v", err)
	}
}

// An error keeps its reason, and is said by the system call and its path alone.
func TestError(t *testing.T) {
	at := &os.PathError{Op: "open", Path: "/a", Err: unix.ENOENT}
	call := os.NewSyscallError("setresuid", unix.EPERM)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{at, "open /a: no such file or directory"},
		{errors.Join(at), "open /a: no such file or directory"},
		{wrapped{at}, "open /a: no such file or directory"},
		{call, "setresuid: operation not permitted"},
		{wrapped{call}, "setresuid: operation not permitted"},
		{wrapped{unix.EIO}, "behind: input/output error"},
	} {
		if got := Reason(tt.err); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	e := &Error{Stage: StageUser, Step: "set uid 33", Directive: "User=", Origin: aPolicy(t, "User=www").User.From, Err: wrapped{call}}
	if want := "user: set uid 33: setresuid: operation not permitted (User= test.service:7)"; e.Error() != want || !errors.Is(e, unix.EPERM) {
		t.Errorf("%q, want %q", e, want)
	}
	e = &Error{Stage: StageExec, Step: "/bin/a", Err: unix.ENOENT}
	if want := "exec: /bin/a: no such file or directory"; e.Error() != want {
		t.Errorf("%q, want %q", e, want)
	}
}

// wrapped is an error around another one.
type wrapped struct{ error }

func (w wrapped) Error() string { return "behind: " + w.error.Error() }
func (w wrapped) Unwrap() error { return w.error }

// A descriptor that shall be passed on must be open, and must have come over execve(2).
func TestDescriptorsPassed(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const passed, own, closed = 200, 201, 202 // above what a test has open
	for fd, command := range map[int]int{passed: unix.F_DUPFD, own: unix.F_DUPFD_CLOEXEC} {
		if got, err := unix.FcntlInt(file.Fd(), command, fd); err != nil || got != fd {
			t.Fatalf("descriptor %d: %v", got, err)
		}
		defer func() { _ = unix.Close(fd) }()
	}
	p := aPolicy(t)
	for _, fd := range []int{0, 1, 2, passed, own, closed} {
		p.KeepFD.Items = append(p.KeepFD.Items, policy.Item[int]{V: fd})
	}
	want := []string{"X-Hardrun-KeepFD=: descriptor 201 was not passed", "X-Hardrun-KeepFD=: descriptor 202 was not passed"}
	env := aRoot()
	env.self = -1
	env.descriptors(p)
	var got []string
	for i := range env.Problems {
		got = append(got, env.Problems[i].Error())
		if env.Problems[i].Exit != ExitFDs {
			t.Errorf("exit status %d", env.Problems[i].Exit)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// What cannot be looked up in /proc is not passed, but for the standard descriptors.
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	env = aRoot()
	env.self = int(dir.Fd())
	env.descriptors(p)
	if runtime.GOOS == "linux" && len(env.Problems) != 3 {
		t.Errorf("without a /proc of this process: %v", env.Problems)
	}
	// What LISTEN_FDS counts is looked at first, and the first that is missing is named.
	missing := 3
	for ; missing < 4000; missing++ {
		if flags, err := unix.FcntlInt(uintptr(missing), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			break
		}
	}
	env = aRoot()
	env.self, env.Listen = -1, 4000
	env.descriptors(p)
	want = []string{"LISTEN_FDS=4000, and descriptor " + strconv.Itoa(missing) + " was not passed"}
	if len(env.Problems) != 1 || env.Problems[0].Error() != want[0] || env.Problems[0].Exit != ExitFDs {
		t.Errorf("problems %v, want %q", env.Problems, want)
	}
}
