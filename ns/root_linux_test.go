package ns

import (
	"errors"
	"os"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Why mounts cannot be had is a reason for chroot(2) where it is one of the environment.
func TestRootGivesUp(t *testing.T) {
	for e, falls := range map[unix.Errno]bool{unix.EPERM: true, unix.EACCES: true, unix.ENOSYS: true, unix.ENOSPC: true, unix.EINVAL: true, unix.EIO: false, unix.ENOMEM: false} {
		r := &RootState{}
		err := r.giveUp("call", e)
		if got := r.Fallback(); (err == nil) != falls || falls && (got == nil || got.Error() != "call: "+e.Error()) || !falls && got != nil {
			t.Errorf("%v: %v, %v", e, err, got)
		}
	}
	r := &RootState{}
	if err := (UnshareMounts{Root: r}).Apply(-1); err != nil || r.Fallback() == nil {
		t.Errorf("without /proc: %v, %v", err, r.Fallback())
	}
}

// The tree that was bound is the directory that was opened, by another mount.
func TestBoundRootIsExact(t *testing.T) {
	fd, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	is, err := row.Identify(fd)
	if err != nil {
		t.Fatal(err)
	}
	other := is.Mount + 1
	const another = "open_tree: read back another directory than /dir"
	for _, x := range []struct {
		was  row.Identity
		want string
	}{
		{row.Identity{Ino: is.Ino, Major: is.Major, Minor: is.Minor, Mount: other}, ""},
		{row.Identity{Ino: is.Ino, Major: is.Major, Minor: is.Minor, Mount: is.Mount}, "open_tree: read back the mount of the host"},
		{row.Identity{Ino: is.Ino + 1, Major: is.Major, Minor: is.Minor, Mount: other}, another},
		{row.Identity{Ino: is.Ino, Major: is.Major + 1, Minor: is.Minor, Mount: other}, another},
		{row.Identity{Ino: is.Ino, Major: is.Major, Minor: is.Minor + 1, Mount: other}, another},
	} {
		r := &RootState{Dir: "/dir", state: rootState{tree: fd, identity: &x.was}}
		if err := (BindRoot{Root: r}).Verify(); errorText(err) != x.want {
			t.Errorf("%+v: %v, want %q", x.was, err, x.want)
		}
	}
}

// Without a pivot the root is changed by chroot(2), and the working directory is the new root.
func TestRootByChroot(t *testing.T) {
	c := viewCase{host: []string{"top/mark", "other/", "cd other"}}
	for nr, want := range map[uintptr]string{0: "", unix.SYS_FCHDIR: "fchdir: ", unix.SYS_CHROOT: "chroot: ", unix.SYS_CHDIR: "chdir: "} {
		c.onHost(t, func(self int) error {
			r := &RootState{Dir: "/top"}
			if err := r.Open(self); err != nil {
				return err
			}
			if want != "" {
				want += unix.EDOM.Error()
			}
			s := ChangeRoot{Root: r}
			err := testrow.Ask([]uintptr{nr}, func(testrow.Call) int64 { return -int64(unix.EDOM) }, func() error { return s.Apply(-1) })
			if nr == unix.SYS_READ {
				err = nil // number 0 is read(2)
			}
			if errorText(err) != want {
				t.Errorf("call %d: %v, want %q", nr, err, want)
			}
			if want != "" {
				return nil
			}
			at, err := os.Getwd()
			_, lost := os.Stat("/mark")
			p := &row.Program{}
			s.Check(p)
			if at != "/" || len(p.Rows) == 0 {
				t.Errorf("in %s, %d rows", at, len(p.Rows))
			}
			return errors.Join(err, lost, s.Verify())
		})
	}
}
