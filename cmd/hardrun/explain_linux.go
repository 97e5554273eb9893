//go:build linux && cgo

package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// struct seccomp_notif and struct seccomp_notif_resp of linux/seccomp.h.
type (
	notification struct {
		id    uint64
		pid   uint32 // of the thread; 0 where it cannot be seen from here
		flags uint32
		nr    int32
		arch  uint32
		ip    uint64
		args  [6]uint64
	}
	response struct {
		id    uint64
		val   int64
		errno int32
		flags uint32
	}
)

// The calls of seccomp_unotify(2).
const (
	notifRecv = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
	notifID   = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
)

// explain is the process that explains denials, --explain-denials. It hears from the
// launch what stands behind them, gets the descriptor by which the kernel asks about
// each, answers as the filter would have, and ends with the last process under it.
func explain(socket int) int {
	unpin()
	where := "stderr"
	if in, err := parse(os.Args[1:], nil); err == nil && in.policy.Log.Set {
		where = in.policy.Log.V
	}
	if err := openLog(where, 0); err != nil {
		say("explain denials: --log: " + launcher.Reason(err))
		return launcher.ExitSeccomp
	}
	denials, listener, err := heard(socket)
	if err != nil {
		say("explain denials: " + launcher.Reason(err))
		return launcher.ExitSeccomp
	}
	if denials == nil {
		return 0 // the launch was refused, and has said why
	}
	e := &explainer{denials: denials, listener: listener, times: map[string]uint64{}}
	if err := e.run(); err != nil {
		say("explain denials: " + launcher.Reason(err))
		return launcher.ExitSeccomp
	}
	return 0
}

// heard reads what the launch tells, and the descriptor. No denials are a launch that
// ended before.
func heard(socket int) (*seccomp.Denials, int, error) {
	const most = 16 << 20
	head, err := readAll(socket, 4)
	if err != nil || head == nil {
		return nil, -1, err
	}
	size := *(*uint32)(unsafe.Pointer(&head[0]))
	if size > most {
		return nil, -1, errors.New("a table of denials that is too long")
	}
	text, err := readAll(socket, int(size))
	if err != nil || text == nil {
		return nil, -1, err
	}
	denials, err := seccomp.ParseDenials(text)
	if err != nil {
		return nil, -1, err
	}
	var byte1 [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, nn, _, _, err := unix.Recvmsg(socket, byte1[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, -1, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return nil, -1, nil
	}
	list, err := unix.ParseSocketControlMessage(oob[:nn])
	if err != nil || len(list) != 1 {
		return nil, -1, errors.New("the launch sent no descriptor")
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return nil, -1, errors.New("the launch sent no descriptor")
	}
	// A descriptor of another kind knows no such question; this one knows no such call.
	none := uint64(0)
	e := explainer{listener: fds[0]}
	if err := e.ioctl(notifID, unsafe.Pointer(&none)); err != unix.ENOENT {
		return nil, -1, errors.New("the launch sent another descriptor: the filter was not loaded")
	}
	if n, err := unix.Write(socket, []byte{'y'}); err != nil || n != 1 {
		return nil, -1, errors.Join(os.NewSyscallError("write", err), errors.New("the launch is gone"))
	}
	return denials, fds[0], unix.Close(socket)
}

// readAll reads so many bytes; nil where the other end was closed before the first.
func readAll(fd, size int) ([]byte, error) {
	b := make([]byte, size)
	for have := 0; have < size; {
		n, err := unix.Read(fd, b[have:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, os.NewSyscallError("read", err)
		case n == 0 && have == 0:
			return nil, nil
		case n == 0:
			return nil, errors.New("the launch ended in the middle of a sentence")
		}
		have += max(n, 0)
	}
	return b, nil
}

type explainer struct {
	denials  *seccomp.Denials
	listener int
	times    map[string]uint64 // how often each line was to be said
	silent   bool              // there were more lines than are kept
}

// mostLines is how many lines are said at most. A process can give itself as many names
// as it likes.
const mostLines = 1000

// run answers until no process is left under the filter.
func (e *explainer) run() error {
	for {
		poll := []unix.PollFd{{Fd: int32(e.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			if poll[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
				return nil
			}
			continue
		}
		var ask notification
		if err := e.ioctl(notifRecv, unsafe.Pointer(&ask)); err != nil {
			if err == unix.ENOENT || err == unix.EINTR {
				continue // who asked was killed meanwhile
			}
			return os.NewSyscallError("ioctl(SECCOMP_IOCTL_NOTIF_RECV)", err)
		}
		if err := e.answer(&ask); err != nil {
			return err
		}
	}
}

func (e *explainer) ioctl(request uintptr, at unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.listener), request, uintptr(at))
	if errno != 0 {
		return errno
	}
	return nil
}

// answer says what was denied, and denies it. A verdict that is no denial is no answer
// to a question, so that the process is killed.
func (e *explainer) answer(ask *notification) error {
	action, name, by, err := e.denials.Of(seccomp.Data{NR: uint32(ask.nr), Arch: ask.arch, IP: ask.ip, Args: ask.args})
	if err != nil {
		action = seccomp.KillProcess
	}
	to := response{id: ask.id, errno: -int32(unix.EPERM)}
	what := "killed (SIGSYS)"
	kills := !action.Denies()
	if !kills {
		to.errno = -int32(action & 0xffff)
		what = action.ErrnoText()
	}
	who, pid := nameOf(ask.pid)
	e.say(who + ": " + name + " → " + what + " by " + by)
	// Where the thread is still waiting, its number is still its own.
	if kills = kills && ask.pid != 0 && e.ioctl(notifID, unsafe.Pointer(&ask.id)) == nil; kills {
		if err := unix.Tgkill(pid, int(ask.pid), signalFor(ask.pid)); err != nil && err != unix.ESRCH {
			return errors.New(who + " could not be killed: tgkill: " + err.Error())
		}
	}
	if err := e.ioctl(notifSend, unsafe.Pointer(&to)); err != nil && err != unix.ENOENT {
		return os.NewSyscallError("ioctl(SECCOMP_IOCTL_NOTIF_SEND)", err)
	}
	if kills {
		return e.sureDead(who, pid, ask.pid)
	}
	return nil
}

// sureDead shows that a process which was killed is dead: by SIGSYS, unless another of its
// threads has just begun to catch that.
func (e *explainer) sureDead(who string, pid int, tid uint32) error {
	for range 200 {
		state := statusOf(strconv.FormatUint(uint64(tid), 10), "State:\t")
		if state == "" || state[0] == 'Z' || state[0] == 'X' {
			return nil
		}
		nap := unix.Timespec{Nsec: 1000000}
		if err := unix.Nanosleep(&nap, nil); err != nil && err != unix.EINTR {
			return os.NewSyscallError("nanosleep", err)
		}
	}
	if err := unix.Tgkill(pid, int(tid), unix.SIGKILL); err != nil && err != unix.ESRCH {
		return errors.New(who + " could not be killed: tgkill: " + err.Error())
	}
	return nil
}

// say says a line for the first time, for the second, the fourth and so on: a daemon
// that tries without end must not fill the log.
func (e *explainer) say(line string) {
	if e.times[line] == 0 && len(e.times) == mostLines {
		if !e.silent {
			say("explain denials: there are more than " + strconv.Itoa(mostLines) + " different ones; others are denied without a word")
		}
		e.silent = true
		return
	}
	e.times[line]++
	n := e.times[line]
	if n&(n-1) != 0 {
		return
	}
	if n > 1 {
		line += " (" + strconv.FormatUint(n, 10) + " times)"
	}
	say(line)
}

// nameOf is "named[812]", and the PID in it.
func nameOf(tid uint32) (string, int) {
	id := strconv.FormatUint(uint64(tid), 10)
	if tid == 0 {
		return "a process that cannot be seen from here", 0
	}
	comm, err := os.ReadFile("/proc/" + id + "/comm")
	name := strings.TrimSuffix(string(comm), "\n")
	if err != nil || name == "" {
		name = "?"
	}
	pid, err := strconv.Atoi(statusOf(id, "Tgid:\t"))
	if err != nil {
		pid = int(tid)
	}
	return clean(name) + "[" + strconv.Itoa(pid) + "]", pid
}

// clean keeps what a process calls itself on one line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
}

func statusOf(id, key string) string {
	text, err := os.ReadFile("/proc/" + id + "/status")
	if err != nil {
		return ""
	}
	_, rest, found := strings.Cut(string(text), "\n"+key)
	if !found {
		return ""
	}
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// signalFor is SIGSYS, as the kernel sends it, where that ends the process. The
// kernel's cannot be caught; ours could, so that SIGKILL is sent then.
func signalFor(tid uint32) unix.Signal {
	id := strconv.FormatUint(uint64(tid), 10)
	for _, key := range [...]string{"SigBlk:\t", "SigIgn:\t", "SigCgt:\t"} {
		set, err := strconv.ParseUint(statusOf(id, key), 16, 64)
		if err != nil || set>>(unix.SIGSYS-1)&1 == 1 {
			return unix.SIGKILL
		}
	}
	return unix.SIGSYS
}
