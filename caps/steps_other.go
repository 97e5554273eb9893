//go:build freebsd || netbsd || openbsd

package caps

import (
	"errors"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// On these systems credentials belong to the process, not to the thread.

// Apply sets the list.
func (s SetGroups) Apply(int) error {
	list := make([]int, len(s.GIDs))
	for i, g := range s.GIDs {
		list[i] = int(g)
	}
	before := unix.Getegid()
	err := unix.Setgroups(list)
	if err == nil && unix.Getegid() != before {
		// Before FreeBSD 15 the first of the list is the effective group
		// (setgroups(2) there), and what replaces it later would push it out.
		err = unix.Setgroups(append([]int{before}, list...))
	}
	return lenient("setgroups", err, s.Verify)
}

// Verify shows that the list is the one asked for, as a set. Before FreeBSD 15
// getgroups(2) puts the effective group in front.
func (s SetGroups) Verify() error {
	list, err := unix.Getgroups()
	if err != nil {
		return os.NewSyscallError("getgroups", err)
	}
	egid := uint32(unix.Getegid())
	var got []uint32
	for _, g := range list {
		got = append(got, uint32(g))
	}
	for _, g := range s.GIDs {
		if !slices.Contains(got, g) {
			return errors.New("read back groups {" + joinIDs(got, ",") + "}")
		}
	}
	for _, g := range got {
		if !slices.Contains(s.GIDs, g) && (runtime.GOOS != "freebsd" || g != egid) {
			return errors.New("read back groups {" + joinIDs(got, ",") + "}")
		}
	}
	return nil
}

// Apply sets all three.
func (s SetGID) Apply(int) error { return lenient(setGID, setAllGIDs(int(s.GID)), s.Verify) }

// Verify reads them back. Once the user is not root any more, the way back to
// group 0 must be closed as well, which shows the saved group where no call does.
func (s SetGID) Verify() error {
	got, err := GIDs()
	if err != nil {
		return err
	}
	if got != [3]uint32{s.GID, s.GID, s.GID} {
		return errors.New("read back " + joinIDs(got[:], ","))
	}
	if s.GID == 0 || unix.Geteuid() == 0 {
		return nil
	}
	return closed("setgid(0)", unix.Setgid(0))
}

// Apply sets all three.
func (s SetUID) Apply(int) error { return lenient(setUID, setAllUIDs(int(s.UID)), s.Verify) }

// Verify reads them back, and shows that the way back to root is closed.
func (s SetUID) Verify() error {
	got, err := UIDs()
	if err != nil {
		return err
	}
	if got != [3]uint32{s.UID, s.UID, s.UID} {
		return errors.New("read back " + joinIDs(got[:], ","))
	}
	if s.UID == 0 {
		return nil
	}
	if err := closed("setuid(0)", unix.Setuid(0)); err != nil {
		return err
	}
	return closed("seteuid(0)", unix.Seteuid(0))
}

// lenient lets a refusal by EPERM pass where the state asked for is there.
func lenient(call string, err error, verify func() error) error {
	if err == unix.EPERM && verify() == nil {
		return nil
	}
	return os.NewSyscallError(call, err)
}

// closed wants a refusal by EPERM.
func closed(call string, err error) error {
	switch err {
	case unix.EPERM:
		return nil
	case nil:
		return errors.New("read back: " + call + " still works")
	}
	return errors.New("read back: " + call + ": " + err.Error())
}
