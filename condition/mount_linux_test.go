package condition

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Mounts are seen by statx(2) and, as before Linux 5.8, in the list of mounts. The thread
// has a mount namespace of its own, and ends with the test.
func TestMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount here")
	}
	dir := t.TempDir()
	result := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		result <- mounts(dir)
	}()
	if s := <-result; s != "" {
		t.Error(s)
	}
}

func mounts(dir string) string {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return "unshare: " + err.Error()
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "mount: " + err.Error()
	}
	for _, name := range []string{"a b\\c", "bound", "ro", "rw", "plain"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err.Error()
		}
	}
	for _, name := range []string{"file", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			return err.Error()
		}
	}
	if err := os.Symlink("bound", filepath.Join(dir, "link")); err != nil {
		return err.Error()
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		unix.Mount("none", in("a b\\c"), "tmpfs", 0, ""),
		unix.Mount("none", in("ro"), "tmpfs", 0, ""),
		unix.Mkfifo(in("ro/fifo"), 0o600),
		unix.Mount("", in("ro"), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""),
		unix.Mount("none", in("rw"), "tmpfs", 0, ""),
		unix.Mount(in("plain"), in("bound"), "", unix.MS_BIND, ""),
		unix.Mount(in("other"), in("file"), "", unix.MS_BIND, ""),
	} {
		if err != nil {
			return "mount: " + err.Error()
		}
	}
	f := &Facts{}
	for name, want := range map[string]bool{"a b\\c": true, "ro": true, "bound": true, "file": true, "link": true, "plain": false, "other": false, "none": false} {
		if got, err := Eval("PathIsMountPoint", in(name), f); got != want || err != nil {
			return "PathIsMountPoint=" + name + ": " + errText(err)
		}
		if got, err := f.mounted(in(name)); got != want || err != nil {
			return "the list of mounts, " + name + ": " + errText(err)
		}
	}
	for name, want := range map[string]bool{"ro": false, "ro/fifo": false, "rw": true, "file": true, "none": false} {
		if got, err := Eval("PathIsReadWrite", in(name), f); got != want || err != nil {
			return "PathIsReadWrite=" + name + ": " + errText(err)
		}
	}
	return ""
}

func errText(err error) string {
	if err == nil {
		return "the wrong answer"
	}
	return err.Error()
}

// What the kernel does not let see is an error, not a false condition.
func TestDenied(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become another user")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The directory that the test has it in is closed as well, which would hide what is meant.
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	result := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			result <- e.Error()
			return
		}
		for _, i := range []Item{
			{Kind: "PathExists", Value: dir + "/x"},
			{Kind: "PathExists", Value: dir + "/x", Negate: true},
			{Kind: "PathExistsGlob", Value: dir + "/*"},
			{Kind: "DirectoryNotEmpty", Value: dir},
			{Kind: "PathIsSymbolicLink", Value: dir + "/x"},
			{Kind: "FileNotEmpty", Value: dir + "/x"},
			{Kind: "PathIsMountPoint", Value: dir + "/x"},
			{Kind: "PathIsReadWrite", Value: dir + "/x"},
		} {
			if failed, _, err := Check([]Item{i}, nil); failed != nil || err == nil {
				result <- i.String() + " is decided"
				return
			}
		}
		result <- ""
	}()
	if s := <-result; s != "" {
		t.Error(s)
	}
}
