package process

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// What others could have led elsewhere is not followed, and what they could have linked is not
// opened; what only root could have put there is.
func TestOpenTrusted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it gives files to others")
	}
	const other = 65534
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// Above is the temporary directory of the test, which others may be able to change.
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string, mode os.FileMode, uid int) {
		must(os.Mkdir(top+"/"+name, 0o755))
		must(os.Chmod(top+"/"+name, mode))
		must(os.Chown(top+"/"+name, uid, uid))
	}
	link := func(name, to string, uid int) {
		must(os.Symlink(to, top+"/"+name))
		must(os.Lchown(top+"/"+name, uid, uid))
	}
	file := func(name string, uid int) {
		must(os.WriteFile(top+"/"+name, []byte("text"), 0o600))
		must(os.Chown(top+"/"+name, uid, uid))
	}
	dir("ours", 0o755, 0)
	dir("theirs", 0o755, other)
	dir("all", 0o777|os.ModeSticky, 0)
	dir("loose", 0o777, 0)
	file("ours/file", 0)
	file("theirs/own", other)
	file("theirs/roots", 0)
	file("all/own", other)
	link("ours/link", "file", 0)
	link("ours/far", top+"/ours/../ours/./link", 0)
	link("ours/dir", "../ours", 0)
	link("ours/there", "../theirs/own", 0)
	link("ours/led", "../theirs/link", 0)
	link("ours/loop", "loop", 0)
	link("ours/null", "/dev/null", 0)
	link("ours/magic", "/proc/self/fd/0", 0)
	link("theirs/link", "../ours/file", other)
	link("theirs/own-link", "own", other)
	link("theirs/roots-link", "../ours/file", 0)
	link("theirs/dir", "../ours", other)
	link("all/theirs", "../ours/file", other)
	link("all/ours", "../ours/file", 0)
	link("loose/ours", "../ours/file", 0)
	must(os.Link(top+"/ours/file", top+"/theirs/hard"))
	must(os.Link(top+"/theirs/own", top+"/theirs/own-hard"))
	must(os.Link(top+"/ours/file", top+"/all/hard"))
	must(os.Link(top+"/ours/file", top+"/ours/hard"))
	must(os.Link(top+"/theirs/own", top+"/ours/theirs-hard"))
	dir("theirs/roots-dir", 0o755, 0)
	anyError := errors.New("any")
	for _, c := range []struct {
		path  string
		flags int
		want  error
	}{
		{"ours/file", 0, nil},
		{"ours//./file", 0, nil},
		{"ours/../ours/file", 0, nil},
		{"ours/link", 0, nil},
		{"ours/far", 0, nil},
		{"ours/dir/dir/link", 0, nil},
		{"ours/there", 0, nil},
		{"ours/null", unix.O_RDWR, nil},
		{"ours/null", unix.O_WRONLY | unix.O_TRUNC, nil},
		{"ours/hard", 0, nil},
		{"theirs/own", 0, nil},
		{"theirs/roots", 0, nil},
		{"theirs/own-hard", 0, nil},
		{"ours/theirs-hard", 0, nil},
		{"theirs/roots-dir", unix.O_DIRECTORY, nil},
		{"theirs/roots-dir/../own", 0, nil},
		{"theirs/roots-dir/../../ours/file", 0, unix.EXDEV},
		{"all/own", 0, nil},
		{"all/ours", 0, nil},
		{"ours/led", 0, unix.ELOOP},
		{"ours/loop", 0, unix.ELOOP},
		{"ours/magic", 0, unix.ELOOP},
		{"theirs/link", 0, unix.ELOOP},
		{"theirs/link", unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND, unix.ELOOP},
		{"theirs/roots-link", 0, unix.ELOOP},
		{"theirs/dir/file", 0, unix.ELOOP},
		{"theirs/dir/new", unix.O_WRONLY | unix.O_CREAT, unix.ELOOP},
		{"theirs/../ours/file", 0, nil},
		{"theirs/hard", 0, anyError},
		{"theirs/hard", unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC, anyError},
		{"all/theirs", 0, unix.ELOOP},
		{"all/hard", 0, anyError},
		{"loose/ours", 0, unix.ELOOP},
		{"ours/none", 0, unix.ENOENT},
		{"none/file", 0, unix.ENOENT},
		{"ours/file/below", 0, unix.ENOTDIR},
		{"theirs/own/below", 0, unix.ENOTDIR},
	} {
		fd, err := OpenTrusted(top+"/"+c.path, c.flags, 0o600)
		if err == nil {
			must(unix.Close(fd))
		}
		var named *os.PathError
		switch {
		case c.want == nil && err != nil, c.want != nil && err == nil, err != nil && !errors.As(err, &named), c.want != nil && c.want != anyError && !errors.Is(err, c.want):
			t.Errorf("%s, %#o: %v, want %v", c.path, c.flags, err, c.want)
		}
	}
	if b, err := os.ReadFile(top + "/ours/file"); err != nil || string(b) != "text" {
		t.Errorf("the file of root's is %q, %v", b, err)
	}
	if _, err := os.Lstat(top + "/ours/new"); err == nil {
		t.Error("a file was made where a link of others leads")
	}
	// What is made and cut is, and the kernel before 5.6 does the same.
	for _, path := range []string{"ours/made", "theirs/made"} {
		fd, err := OpenTrusted(top+"/"+path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o640)
		must(err)
		must(unix.Close(fd))
	}
	fd, err := OpenTrusted(top+"/theirs/own", unix.O_WRONLY|unix.O_TRUNC, 0)
	must(err)
	must(unix.Close(fd))
	if info, err := os.Stat(top + "/theirs/own"); err != nil || info.Size() != 0 {
		t.Errorf("a file that is to be cut: %v, %v", info, err)
	}
	at, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(err)
	for path, want := range map[string]error{"ours/file": nil, "theirs/dir/file": unix.ENOTDIR, "theirs/link": unix.ELOOP, "theirs/../ours/file": unix.EXDEV, "ours//file": nil} {
		fd, err := openEach(at, path, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
		if !errors.Is(err, want) {
			t.Errorf("name by name, %s: %v, want %v", path, err, want)
		}
		if err == nil {
			must(unix.Close(fd))
		}
	}
	must(unix.Close(at))
	// What is refused after it was opened is closed again.
	before, err := unix.Dup(0)
	must(err)
	must(unix.Close(before))
	if _, err := OpenTrusted(top+"/theirs/hard", unix.O_RDONLY, 0); err == nil {
		t.Error("a file that has more names and another owner was opened")
	}
	after, err := unix.Dup(0)
	must(err)
	must(unix.Close(after))
	if after != before {
		t.Errorf("the first free descriptor was %d, and is %d", before, after)
	}
	must(os.Chmod(filepath.Dir(top), 0o711))
	// Who runs this is trusted with his own links, and no other user with them.
	for uid, want := range map[int]error{other: nil, other - 1: unix.ELOOP} {
		answer := make(chan error)
		go func() {
			runtime.LockOSThread() // for good: the thread ends with it
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); e != 0 {
				answer <- e
				return
			}
			fd, err := OpenTrusted(top+"/theirs/own-link", unix.O_RDONLY, 0)
			if err == nil {
				err = unix.Close(fd)
			}
			answer <- err
		}()
		if err := <-answer; !errors.Is(err, want) {
			t.Errorf("as user %d: %v, want %v", uid, err, want)
		}
	}
}
