package ns

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// A ruleset cannot be read back, and a domain is visible nowhere. What shows that
// it is there are acts which the daemon's user may do without it, and which change
// nothing where they are done: each is made directly before the domain is entered,
// and must work, and directly after, and must be answered with EACCES.
//
//   - Writing: an entry is renamed to its own name. The kernel is done with that
//     before it looks at permissions (vfs_rename), but not before it has asked
//     Landlock: it works for every user who may search the directory. On a
//     read-only file system it is EROFS, before and after: what is promised is kept
//     by that already.
//   - Reading: a directory, or a file, is opened for reading.
//   - Executing: a file is executed with an argument list that is nowhere. Where
//     the kernel opens the file first (Linux 6.8), EFAULT says that it may be
//     executed, and nothing is. Where there is none, a file without a name is made
//     for it; as it is open for writing, it is ETXTBSY.
//
// An act is made on the denied path itself where that can be, else on the nearest
// directory above it: that must not be granted, either. One ruleset holds all
// rights: where one kind of act cannot be made, another one shows that it is in
// force.
type proof struct {
	kind proofKind
	dir  int
	name string
	was  unix.Errno // the answer without Landlock
}

type proofKind uint8

const (
	proofRename proofKind = iota
	proofOpenDir
	proofOpenFile
	proofExec  // an executable, by its name
	proofBlank // a file without a name, by its descriptor
)

// How many acts of a kind are made. Each holds a descriptor, and one that opens
// something holds another.
const (
	maxWriteProofs = 8
	maxReadProofs  = 4
	maxExecProofs  = 2
)

const (
	openDirFlags  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	openFileFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	nowhere       = 1 // the address of the argument list
)

// before adds the act as it is answered without Landlock.
func (q *proof) before(p *row.Program) { q.row(p, q.was) }

// after adds the act as it is answered with it.
func (q *proof) after(p *row.Program) {
	want := unix.EACCES
	if q.was == unix.EROFS {
		want = unix.EROFS
	}
	q.row(p, want)
}

func (q *proof) row(p *row.Program, answer unix.Errno) {
	want, dir, name := -int64(answer), row.Int(q.dir), p.String(q.name).Arg()
	switch q.kind {
	case proofRename:
		p.Call(unix.SYS_RENAMEAT2, want, dir, name, dir, name, row.Int(0))
	case proofOpenDir, proofOpenFile:
		flags := openDirFlags
		if q.kind == proofOpenFile {
			flags = openFileFlags
		}
		if answer == 0 {
			p.CallAtLeast(unix.SYS_OPENAT, 0, dir, name, row.Int(flags), row.Int(0))
			return
		}
		p.Call(unix.SYS_OPENAT, want, dir, name, row.Int(flags), row.Int(0))
	case proofExec:
		p.Call(unix.SYS_EXECVEAT, want, dir, name, row.Int(nowhere), row.Int(0), row.Int(unix.AT_SYMLINK_NOFOLLOW))
	case proofBlank:
		p.Call(unix.SYS_EXECVEAT, want, dir, name, p.Vector([]string{"-"}).Arg(), p.Vector(nil).Arg(), row.Int(unix.AT_EMPTY_PATH))
	}
}

// try makes the act as the process is now.
func (q *proof) try() (unix.Errno, error) {
	name, err := unix.BytePtrFromString(q.name)
	if err != nil {
		return 0, err
	}
	defer runtime.KeepAlive(name)
	dir, at := uintptr(q.dir), uintptr(unsafe.Pointer(name))
	switch q.kind {
	case proofRename:
		_, _, e := unix.RawSyscall6(unix.SYS_RENAMEAT2, dir, at, dir, at, 0, 0)
		return e, nil
	case proofOpenDir, proofOpenFile:
		flags := openDirFlags
		if q.kind == proofOpenFile {
			flags = openFileFlags
		}
		fd, err := unix.Openat(q.dir, q.name, flags, 0)
		if err != nil {
			var e unix.Errno
			if !errors.As(err, &e) {
				return 0, err
			}
			return e, nil
		}
		return 0, os.NewSyscallError("close", unix.Close(fd))
	case proofExec:
		_, _, e := unix.RawSyscall6(unix.SYS_EXECVEAT, dir, at, nowhere, 0, unix.AT_SYMLINK_NOFOLLOW, 0)
		return e, nil
	}
	argv, envp := [2]*byte{name, nil}, [1]*byte{nil}
	_, _, e := unix.RawSyscall6(unix.SYS_EXECVEAT, dir, at, uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&envp)), unix.AT_EMPTY_PATH, 0)
	runtime.KeepAlive(&argv)
	runtime.KeepAlive(&envp)
	return e, nil
}
