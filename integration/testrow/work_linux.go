// Package testrow works rows off in a test, on a thread that ends with it: what a step writes is held against the kernel.
package testrow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// OnThread runs act on a thread of its own, which ends with it, and whose working directory and umask are its own.
// What act does to its credentials, the rest of the process does not see.
func OnThread(act func() error) error {
	done := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		if unix.Gettid() == unix.Getpid() {
			go run() // the first thread does not end; it is held until another has begun
			select {}
		}
		var err error
		defer func() { done <- err }() // though a test that is failed ends the goroutine
		if err = unix.Unshare(unix.CLONE_FS); err != nil {
			err = fmt.Errorf("unshare: %w", err)
			return
		}
		err = act()
	}
	go run()
	return <-done
}

// Work makes the calls of rows as the executor does, and answers the first one that is not answered as wanted, with the errno
// where it was one. It must be called by OnThread, once for each Program. Lie may be nil; where it says so, a call is not made and has the wanted answer.
// Signals, user namespaces, the loading of a filter that is listened to, and execve(2) are not for a test's thread.
func Work(p *row.Program, lie func(i int) bool) error {
	if len(p.Blob) == 0 {
		p.Blob = make([]byte, 8)
	}
	base := uintptr(unsafe.Pointer(&p.Blob[0]))
	for _, r := range p.Relocs {
		*(*uint64)(unsafe.Pointer(&p.Blob[r])) += uint64(base)
	}
	status := ""
	for i := range p.Rows {
		r := &p.Rows[i]
		at := func(k int) []byte { return p.Blob[r.A[k]:] }
		switch r.Kind {
		case row.Equal, row.AtLeast, row.Differs:
			if lie != nil && lie(i) {
				continue
			}
			var a [6]uintptr
			for k := range a {
				a[k] = uintptr(r.A[k])
				if r.Ptr>>k&1 == 1 {
					a[k] += base
				}
			}
			n, _, e := unix.RawSyscall6(uintptr(r.NR), a[0], a[1], a[2], a[3], a[4], a[5])
			got := int64(n)
			if e != 0 {
				got = -int64(e)
			}
			switch {
			case e == unix.EPERM && r.Flags&row.Tolerate != 0:
			case e != 0 && got != r.Want:
				return fmt.Errorf("row %d: call %d answered %w, and %d is wanted", i, r.NR, e, r.Want)
			case r.Kind == row.Equal && got != r.Want, r.Kind == row.AtLeast && got < r.Want, r.Kind == row.Differs && (got <= 0 || got == r.Want):
				return fmt.Errorf("row %d: call %d answered %d, and %d is wanted", i, r.NR, got, r.Want)
			}
		case row.Poison:
			copy(at(0), bytes.Repeat([]byte{0xa5}, int(r.A[1])))
		case row.Same:
			if n := r.A[2]; !bytes.Equal(at(0)[:n], at(1)[:n]) {
				return fmt.Errorf("row %d: %x, and %x is wanted", i, at(0)[:n], at(1)[:n])
			}
		case row.Status:
			text, err := os.ReadFile("/proc/thread-self/status")
			if err != nil {
				return err
			}
			status = "\n" + string(text)
		case row.Line:
			key, want := p.Text(uint32(r.A[0])), p.Text(uint32(r.A[1]))
			_, rest, found := strings.Cut(status, key)
			if !found && r.Flags&row.Weak == 0 || found && !strings.HasPrefix(rest, want) {
				line, _, _ := strings.Cut(rest, "\n")
				return fmt.Errorf("row %d:%s%s, and %s is wanted", i, key, line, want)
			}
		default:
			return errors.New("a row that is not worked off here")
		}
	}
	runtime.KeepAlive(p)
	return nil
}

// An Answered call is not made, and answers an error, or 0 as if it had been made.
type Answered struct {
	NR    uintptr
	Errno unix.Errno
	// Argument is which of its arguments must have that value in its low half, from 1 on; 0 for none.
	Argument int
	Value    uint32
}

// Answer lets the kernel answer a call on this thread with an error from now on, as an older kernel or an outer filter does;
// with 0 the call is not made and has succeeded. The thread must be one of OnThread.
func Answer(nr uintptr, errno unix.Errno) error { return AnswerAll(Answered{NR: nr, Errno: errno}) }

// AnswerAll is Answer for several calls, of which the first that fits answers.
func AnswerAll(calls ...Answered) error {
	low := uint32(16) // of the first argument, seccomp(2)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 20
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	is := func(value uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: otherwise}
	}
	var code []unix.SockFilter
	for _, c := range calls {
		answer := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(c.Errno)}
		if c.Argument == 0 {
			code = append(code, load(0), is(uint32(c.NR), 1), answer)
		} else {
			code = append(code, load(0), is(uint32(c.NR), 3), load(low+8*uint32(c.Argument-1)), is(c.Value, 1), answer)
		}
	}
	code = append(code, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	return nil
}
