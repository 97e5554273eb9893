//go:build linux && cgo

package main

// #cgo CFLAGS: -O2
// #include "hardrun.h"
import "C"

import (
	"unsafe"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// The layout of a row is told twice, in Go and in C. These do not compile where
// the two differ.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(row.Row{})-C.sizeof_struct_hr_row]
	_ = [1]struct{}{}[unsafe.Offsetof(row.Row{}.Form)-unsafe.Offsetof(C.struct_hr_row{}.form)]
	_ = [1]struct{}{}[unsafe.Offsetof(row.Row{}.Text)-unsafe.Offsetof(C.struct_hr_row{}.text)]
	_ = [1]struct{}{}[unsafe.Offsetof(row.Row{}.Tail)-unsafe.Offsetof(C.struct_hr_row{}.tail)]
	_ = [1]struct{}{}[unsafe.Offsetof(row.Row{}.Want)-unsafe.Offsetof(C.struct_hr_row{}.want)]
	_ = [1]struct{}{}[unsafe.Offsetof(row.Row{}.A)-unsafe.Offsetof(C.struct_hr_row{}.a)]
	_ = [1]struct{}{}[row.Equal-C.HR_EQUAL]
	_ = [1]struct{}{}[row.Same-C.HR_SAME]
	_ = [1]struct{}{}[row.Line-C.HR_LINE]
	_ = [1]struct{}{}[row.UserNS-C.HR_USERNS]
	_ = [1]struct{}{}[row.Last-C.HR_LAST]
	_ = [1]struct{}{}[row.Listen-C.HR_LISTEN]
	_ = [1]struct{}{}[row.Tolerate-C.HR_TOLERATE]
	_ = [1]struct{}{}[row.Weak-C.HR_WEAK]
	_ = [1]struct{}{}[row.Waivable-C.HR_WAIVABLE]
	_ = [1]struct{}{}[row.Optional-C.HR_OPTIONAL]
	_ = [1]struct{}{}[row.FormText-C.HR_FORM_TEXT]
)

// canLaunch is whether this build can start a daemon.
const canLaunch = true

// backend is how this build was made, for `hardrun version`.
const backend = "C constructor and executor"

// newThread is the locked thread with the state that the constructor saw.
func newThread() *launcher.Thread {
	s := &C.hr_snapshot
	t := &launcher.Thread{Run: execute, RunAgain: executeAgain, Guessed: C.hr_guessed() != 0, Warn: say, Move: move}
	t.Snapshot = launcher.Snapshot{
		Ignored:       uint64(s.ignored),
		Blocked:       uint64(s.blocked),
		Raised:        uint32(s.raised),
		TimerSlack:    uint64(s.timer_slack),
		AffinityBytes: int(s.affinity_bytes),
		Closed:        uint8(s.closed),
		Environ:       environ(),
		Again: launcher.Again{
			UserNS:  s.again_flags&C.HR_AGAIN_USERNS != 0,
			PIDNS:   s.again_flags&C.HR_AGAIN_PIDNS != 0,
			Init:    s.again_flags&C.HR_AGAIN_INIT != 0,
			Explain: s.again_flags&C.HR_AGAIN_EXPLAIN != 0,
			Socket:  int(s.explain_fd),
			Outer:   s.again_flags&C.HR_AGAIN_OUTER != 0,
			Denied:  int(s.denied),
			Lacked:  caps.Set(s.lacked),
			Guessed: C.hr_guessed() != 0,
			Starter: int(s.starter),
		},
	}
	for i := range int(s.ncgroups) {
		t.Snapshot.Again.CGroups = append(t.Snapshot.Again.CGroups, int(s.cgroups[i]))
	}
	for fd := range t.Snapshot.Standard {
		t.Snapshot.Standard[fd] = launcher.File{Dev: uint64(s.standard[fd][0]), Ino: uint64(s.standard[fd][1])}
	}
	for n := range t.Snapshot.Limits {
		t.Snapshot.Limits[n] = process.Limit{Soft: uint64(s.limits[n][0]), Hard: uint64(s.limits[n][1])}
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&s.affinity[0])), len(s.affinity))
	t.Snapshot.Affinity = process.CPUSet(words[:t.Snapshot.AffinityBytes/8])
	return t
}

// environ is the environment of the start, with the names of the Go runtime's
// variables as they were. The strings are those on the stack, not copies.
func environ() []string {
	C.hr_unhide()
	at := unsafe.Pointer(C.hr_environ())
	n := 0
	for *(**byte)(unsafe.Add(at, n*int(unsafe.Sizeof(uintptr(0))))) != nil {
		n++
	}
	list := make([]string, n)
	for i, p := range unsafe.Slice((**byte)(at), n) {
		size := 0
		for *(*byte)(unsafe.Add(unsafe.Pointer(p), size)) != 0 {
			size++
		}
		list[i] = unsafe.String(p, size)
	}
	return list
}

// move starts a thread that moves this process, and answers what waits for it.
func move(fd int) (wait func() error, err error) {
	if r := C.hr_move(C.int(fd)); r != 0 {
		return nil, unix.Errno(-r)
	}
	return func() error {
		if r := C.hr_moved(); r != 0 {
			return unix.Errno(-r)
		}
		return nil
	}, nil
}

// guessWas tells the parent whether its guess of a PID namespace was right, and
// answers an exit status.
func guessWas(right bool) int {
	word := C.int(0)
	if right {
		word = 1
	}
	if r := C.hr_guess_was(word); r != 0 {
		say("namespaces: PID namespace: the parent is gone: " + unix.Errno(-r).Error())
		return launcher.ExitNamespace
	}
	return 0
}

// explains is the socket of a process that explains denials, and is here for nothing
// else; 0 in every other.
func explains() int {
	if C.hr_snapshot.explains == 0 {
		return 0
	}
	C.hr_unhide()
	return int(C.hr_snapshot.explain_fd)
}

func unpin() { C.hr_unpin() } // a failure leaves a subcommand on one CPU, no more

// execute runs the rows. It does not return.
func execute(p *row.Program, status int) {
	head := row.Ptr(0)
	if log.syslog >= 0 {
		head = p.String(syslogHead())
	}
	var relocs *C.uint32_t
	if len(p.Relocs) > 0 {
		relocs = (*C.uint32_t)(unsafe.Pointer(&p.Relocs[0]))
	}
	C.hr_run((*C.struct_hr_row)(unsafe.Pointer(&p.Rows[0])), C.uint32_t(len(p.Rows)),
		(*C.char)(unsafe.Pointer(&p.Blob[0])), relocs, C.uint32_t(len(p.Relocs)),
		C.int32_t(status), C.int32_t(log.fd), C.int32_t(log.syslog), C.uint32_t(head))
}
