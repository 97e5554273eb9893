package testrow

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is one that a thread is about to make.
type Call struct {
	NR     uintptr
	Args   [6]uint64
	Thread int
}

// notification and response are seccomp_notif and seccomp_notif_resp, seccomp_unotify(2).
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	at         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

var asked atomic.Int32

// Lie is the answer 0 of a call that is not made.
const Lie = 1 << 62

// Ask runs act, and asks before each of these calls of the thread: with 0 it is made; with anything else it is not, and has
// that answer: a number, or an error as in -int64(unix.EPERM). It must be called by OnThread, once, by root,
// and while the thread shares its table of descriptors with the process.
func Ask(calls []uintptr, answer func(Call) int64, act func() error) error {
	// A call without a scheduler's leave holds the thread, and whoever answers must be able to run: not alone, and while no
	// collection waits for the thread. There is none but this one.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	if n := asked.Add(1); n%64 == 1 {
		debug.SetGCPercent(-1)
		runtime.GC()
	}
	// A signal, as the runtime sends, would take a question back, and it would come twice.
	var all, mask unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &mask); err != nil {
		return fmt.Errorf("sigprocmask: %w", err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil) }()
	code := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for i, nr := range calls {
		code = append(code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jt: uint8(len(calls) - i)})
	}
	code = append(code,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	listener, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	done := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- supervise(int(listener), done, answer) }()
	err := act()
	close(done)
	select {
	case lost := <-ended:
		return fmt.Errorf("%v, and nobody answered: %w", err, lost)
	default:
		return err
	}
}

// supervise answers until the thread has ended.
func supervise(listener int, done chan struct{}, answer func(Call) int64) error {
	defer func() { _ = unix.Close(listener) }()
	for {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return err
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			if poll[0].Revents != 0 {
				return nil
			}
			continue
		}
		var n notification
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e != 0 {
			continue // a signal took it back, and it comes again
		}
		r := response{id: n.id}
		select {
		case <-done:
		default:
			r.value = answer(Call{uintptr(n.nr), n.args, int(n.pid)})
		}
		switch {
		case r.value == 0:
			r.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		case r.value == Lie:
			r.value = 0
		case r.value < 0:
			r.value, r.errno = 0, int32(r.value)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	}
}
