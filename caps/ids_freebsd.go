package caps

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	setUID = "setresuid"
	setGID = "setresgid"
)

func setAllUIDs(n int) error { return unix.Setresuid(n, n, n) }
func setAllGIDs(n int) error { return unix.Setresgid(n, n, n) }

// UIDs are the real, effective and saved user.
func UIDs() ([3]uint32, error) { return three("getresuid", unix.SYS_GETRESUID) }

// GIDs are the real, effective and saved group.
func GIDs() ([3]uint32, error) { return three("getresgid", unix.SYS_GETRESGID) }

func three(name string, call uintptr) ([3]uint32, error) {
	v := [3]uint32{^uint32(0), ^uint32(0), ^uint32(0)}
	_, _, e := unix.RawSyscall(call, uintptr(unsafe.Pointer(&v[0])), uintptr(unsafe.Pointer(&v[1])), uintptr(unsafe.Pointer(&v[2])))
	if e != 0 {
		return v, os.NewSyscallError(name, e)
	}
	return v, nil
}
