package supervise

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Run runs a service from its first command to its end, and answers the status that this
// process is to end with (the package says which). The calling goroutine is locked to its
// thread, which must live on. Nothing else in the process may wait for children. What cannot be had is said and answered
// by 71, with nothing started; Host.Clean is called in any case.
func Run(s *Spec, h *Host) (status int) {
	runtime.LockOSThread()
	spec := *s
	l := &loop{host: h, exec: -1, mainFD: -1}
	l.machine = machine{Spec: &spec, effects: l}
	err := l.prepare()
	if err == nil {
		l.begin()
		for err == nil && l.state != dead {
			if err = l.settle(); err == nil {
				err = l.turn()
			}
		}
	}
	if err != nil {
		h.Say(err.Error())
		l.fail(resources, 0)
		l.abandon()
	}
	if spec.PIDFile != "" && l.known {
		if err := removePIDFile(spec.PIDFile); err != nil {
			h.Say("PIDFile=" + spec.PIDFile + ": it stays: " + err.Error())
		}
	}
	if spec.NotifyFD >= 0 && spec.NotifyPath[0] != '@' {
		if err := unix.Unlink(spec.NotifyPath); err != nil && err != unix.ENOENT {
			h.Say("unlink " + spec.NotifyPath + ": " + err.Error())
		}
	}
	for _, err := range h.Clean() {
		h.Say(err.Error())
	}
	return l.status()
}

// loop waits for what happens, tells it to the machine, and does what that wants.
type loop struct {
	machine
	host *Host
	proc *proc

	rouser *rouser // nil without a notify socket

	exec   int // the pipe whose end says that the main process has executed; -1 for none
	mainFD int // a pidfd of a main process that is no child of this one; -1 for none

	looked     uint64 // when PIDFile= was last looked for
	struck     uint64 // when everything was last killed
	pause      uint64 // how long until it is killed again
	told       string // the last STATUS= that was told, and when
	toldAt     uint64
	complained bool // about a signal that could not be sent
	settled    bool // what only a start needs was given up, or is kept for good
	buf        [4096]byte
}

// prepare makes this process a subreaper, and what it waits on.
func (l *loop) prepare() (err error) {
	if l.proc, err = openProc(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_SET_CHILD_SUBREAPER)", err)
	}
	var is int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_GET_CHILD_SUBREAPER)", err)
	}
	if is != 1 {
		return errors.New("prctl(PR_GET_CHILD_SUBREAPER): this process is no subreaper")
	}
	if err := l.proc.notePrior(); err != nil {
		return err
	}
	if l.NotifyFD >= 0 {
		if l.rouser, err = newRouser(); err != nil {
			return err
		}
	}
	if l.RuntimeExtra != 0 && l.RuntimeMax != never {
		var random [8]byte
		if n, err := unix.Getrandom(random[:], 0); err != nil || n != len(random) {
			return errors.New("RuntimeRandomizedExtraSec=: getrandom: no random number")
		}
		if extra := binary.NativeEndian.Uint64(random[:]); l.RuntimeExtra != never {
			l.RuntimeExtra = extra % (l.RuntimeExtra + 1)
		}
	} else {
		l.RuntimeExtra = 0
	}
	return nil
}

// turn waits for one thing to happen.
func (l *loop) turn() error {
	fds := [...]unix.PollFd{
		{Fd: int32(l.host.Signals), Events: unix.POLLIN},
		{Fd: int32(l.NotifyFD), Events: unix.POLLIN},
		{Fd: int32(l.exec), Events: unix.POLLIN},
		{Fd: int32(l.mainFD), Events: unix.POLLIN},
	}
	wake := l.deadline
	if l.wantPIDFile {
		wake = min(wake, l.looked+pidFilePause)
	}
	if l.strikes() {
		wake = min(wake, later(l.struck, l.pause))
	}
	var wait *unix.Timespec
	if wake != never {
		now := l.now()
		t := unix.NsecToTimespec(int64(min(wake-min(wake, now), 1e12)) * 1000) // a million seconds, and once more
		wait = &t
	}
	if _, err := unix.Ppoll(fds[:], wait, nil); err != nil && err != unix.EINTR {
		return os.NewSyscallError("ppoll", err)
	}
	sent, typed, err := l.takeSignals()
	if err != nil {
		return err
	}
	if err := l.hear(); err != nil {
		return err
	}
	if l.exec >= 0 && fds[2].Revents != 0 {
		l.closeExec()
		if s, err := l.proc.look(l.main); err == nil && !s.gone {
			l.executed()
		}
	}
	if err := l.reapAll(); err != nil {
		return err
	}
	if l.mainFD >= 0 && over(l.mainFD) { // fds may tell of one before it
		l.closeMain()
		l.say("the main process has ended, and its status is its parent's")
		l.exited(l.main, end{})
	}
	if l.waitsForNobody() && l.empty() {
		l.emptied()
	}
	l.heed(sent, typed)
	now := l.now()
	if l.wantPIDFile && now >= l.looked+pidFilePause {
		l.looked = now
		l.pidFile()
	}
	if l.deadline <= now {
		l.expired()
	}
	if l.strikes() && now >= later(l.struck, l.pause) {
		l.rest(int(unix.SIGKILL), false)
		l.struck, l.pause = now, min(2*l.pause, 1e6)
	}
	return nil
}

// pidFilePause is between two looks for PIDFile=.
const pidFilePause = 20e3

// strikes tells whether everything is being killed, which is done again and again, as new
// processes may be made meanwhile.
func (l *loop) strikes() bool {
	if (l.state != stopKill && l.state != finalKill) || l.FinalKillSignal != int(unix.SIGKILL) || l.KillMode != "control-group" && l.KillMode != "mixed" {
		l.pause = 0
		return false
	}
	if l.pause == 0 {
		l.struck, l.pause = l.now(), 20e3
	}
	return true
}

// waitsForNobody tells whether it matters that no process is left.
func (l *loop) waitsForNobody() bool {
	return l.main == 0 && l.control == 0 && l.state >= startPre && l.state != exited && l.state != dead
}

// reapAll takes the statuses of all children that have ended.
func (l *loop) reapAll() error {
	for l.state != dead {
		pid, err := ended()
		if err == unix.ECHILD || err == nil && pid == 0 {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("waitid", err)
		}
		// What it has said before its end is heard first.
		if err := l.hear(); err != nil {
			return err
		}
		var ws unix.WaitStatus
		for {
			var is int
			if is, err = unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
				if err == nil && is != pid {
					err = unix.EIO
				}
				break
			}
		}
		if err != nil {
			return os.NewSyscallError("wait4", err)
		}
		l.proc.forget(pid)
		e := end{n: ws.ExitStatus()}
		if ws.Signaled() {
			e = end{signal: true, core: ws.CoreDump(), n: int(ws.Signal())}
		}
		if pid == l.main {
			l.closeMain()
			l.closeExec()
		}
		l.exited(pid, e)
	}
	return nil
}

// ended is a child that has ended, and is left for wait4(2); 0 for none.
func ended() (pid int, err error) {
	for {
		const nothing = -1 // written over in any case, with 0 where no child has ended
		info := unix.Siginfo{Signo: nothing}
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && info.Signo == nothing:
			return 0, unix.EIO
		case err != nil || info.Signo == 0:
			return 0, err
		}
		// si_pid is behind three integers, aligned as a pointer is.
		return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), 8+unsafe.Sizeof(uintptr(0))))), nil
	}
}

// over tells whether the process of a pidfd has ended. Where that cannot be asked, for a signal,
// the next turn asks.
func over(pidfd int) bool {
	fds := [...]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0
}

func (l *loop) closeExec() {
	if l.exec >= 0 {
		_ = unix.Close(l.exec) // it was only waited on
		l.exec = -1
	}
}

func (l *loop) closeMain() {
	if l.mainFD >= 0 {
		_ = unix.Close(l.mainFD) // a pidfd
		l.mainFD = -1
	}
}

// takeSignals asks which signals have come.
func (l *loop) takeSignals() (sent, typed uint64, err error) {
	for {
		_, err := unix.Read(l.host.Signals, l.buf[:8])
		switch err {
		case unix.EINTR:
			continue
		case nil, unix.EAGAIN:
			sent, typed = l.host.Taken()
			return sent, typed, nil
		}
		return 0, 0, os.NewSyscallError("read(eventfd)", err)
	}
}

// heed acts on signals: a stop is behind the others, and a reload before it in vain.
func (l *loop) heed(sent, typed uint64) {
	const stops = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGINT-1)
	const goes = 1 << (unix.SIGCONT - 1)
	l.forward(sent, typed, Caught&^stops&^goes&^(1<<(unix.SIGCHLD-1)))
	if (sent|typed)&stops != 0 {
		l.askStop()
	}
	// runsv sends it with TERM: a stopped process must not go on before it has that.
	l.forward(sent, typed, Caught&goes)
}

// forward passes those signals of a set on which came.
func (l *loop) forward(sent, typed, set uint64) {
	for n := 1; n <= 64; n++ {
		bit := uint64(1) << (n - 1)
		switch {
		case (sent|typed)&bit&set == 0:
		case n == int(unix.SIGHUP) && l.reloads():
			l.askReload()
		case l.main == 0:
		case sent&bit == 0 && l.sameGroup(l.main): // it has it already
		default:
			l.send(l.main, n)
		}
	}
}

// statusPause is between two STATUS= of a daemon that are told: it must not fill the log.
const statusPause = 1e6

// tellStatus tells what the daemon says of itself, if that is new.
func (l *loop) tellStatus(text string) {
	now := l.now()
	if text == l.told || l.told != "" && now < l.toldAt+statusPause {
		return
	}
	l.told, l.toldAt = text, now
	l.say("status: " + text)
}

// sameGroup tells whether a process is in the process group of this one.
func (l *loop) sameGroup(pid int) bool {
	theirs, err := unix.Getpgid(pid)
	return err == nil && theirs == unix.Getpgrp()
}

// hearTime is how long messages are taken before the rest is looked at, in microseconds.
const hearTime = 50e3

// hear takes the messages at the notify socket.
func (l *loop) hear() (err error) {
	if l.NotifyFD < 0 || !readable(l.NotifyFD) {
		return nil
	}
	if err := l.rouser.set(true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.rouser.set(false)) }()
	until := later(l.now(), hearTime)
	for range 256 { // who never stops talking does not keep the rest from happening
		if l.now() >= until {
			return nil
		}
		text, pid, err := receive(l.NotifyFD, l.buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return os.NewSyscallError("recvmsg(NOTIFY_SOCKET)", err)
		}
		if n, ok := parseNotice(text); ok && pid != 0 && l.maySpeak(pid) {
			if n.status != "" {
				l.tellStatus(n.status)
			}
			if n.errno != "" {
				l.say("the daemon says that it has failed with error " + n.errno)
			}
			if err := sendOn(l.Outer, n.outer); err != nil {
				l.say("NOTIFY_SOCKET=" + l.Outer + ": " + err.Error())
			}
			l.notice(&n)
		}
	}
	return nil
}

// maySpeak is NotifyAccess=, systemd.service(5). Main and control process are children that
// nobody has waited for: their PIDs are theirs.
func (l *loop) maySpeak(pid int) bool {
	main := l.main
	switch l.NotifyAccess {
	case "all":
		return l.proc.descends(pid)
	case "exec":
		if pid == l.control {
			return true
		}
	case "main":
	default:
		return false
	}
	if main == 0 && l.Type == "forking" {
		main = l.control
	}
	if pid == main {
		return true
	}
	if !l.Between || main == 0 {
		return false
	}
	s, err := l.proc.look(pid)
	return err == nil && s.parent == main
}

// The effects.

func (l *loop) now() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // it cannot fail
	}
	return uint64(t.Nano()) / 1000
}

func (l *loop) say(text string) { l.host.Say(text) }

func (l *loop) start(c Command) (int, error) {
	write := -1
	if c.Main && l.Type == "exec" {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return 0, os.NewSyscallError("pipe2", err)
		}
		l.exec, write, c.Exec = p[0], p[1], p[1]
	}
	pid, err := l.host.Start(c)
	if write >= 0 {
		err = errors.Join(err, os.NewSyscallError("close", unix.Close(write)))
	}
	if err == nil && pid <= 0 {
		err = errors.New("no process was started")
	}
	if err != nil {
		l.closeExec()
		return 0, err
	}
	return pid, nil
}

// signal is for the main and the control process: children that nobody has waited for, whose
// PIDs cannot be anybody else's, or a main process with a pidfd.
func (l *loop) signal(pid, n int) {
	l.send(pid, n)
	if n != int(unix.SIGKILL) && n != int(unix.SIGCONT) {
		l.send(pid, int(unix.SIGCONT))
	}
}

func (l *loop) send(pid, n int) {
	var err error
	if pid == l.main && l.mainFD >= 0 {
		err = unix.PidfdSendSignal(l.mainFD, unix.Signal(n), nil, 0)
	} else {
		err = unix.Kill(pid, unix.Signal(n))
	}
	l.unsent(pid, n, err)
}

// unsent tells of the first signal that could not be sent.
func (l *loop) unsent(pid, n int, err error) {
	if err != nil && err != unix.ESRCH && !l.complained {
		l.complained = true
		l.say("kill(" + strconv.Itoa(pid) + ", SIG" + signalName(n) + "): " + err.Error())
	}
}

// sendTo sends to any process of the service.
func (l *loop) sendTo(s someone, signals ...int) {
	fd := -1
	if s.parent != l.proc.self {
		// Its PID may be another's by now: hold it, and look again.
		var err error
		if fd, err = unix.PidfdOpen(s.pid, 0); err == unix.ESRCH {
			return
		} else if err != nil {
			fd = -1 // Linux before 5.3, or no descriptor: the moment between is short
		}
		if same, err := l.proc.look(s.pid); err != nil || same.start != s.start {
			signals = nil
		}
	}
	for _, n := range signals {
		var err error
		if fd >= 0 {
			err = unix.PidfdSendSignal(fd, unix.Signal(n), nil, 0)
		} else {
			err = unix.Kill(s.pid, unix.Signal(n))
		}
		l.unsent(s.pid, n, err)
	}
	if fd >= 0 {
		_ = unix.Close(fd) // a pidfd
	}
}

func (l *loop) rest(n int, hup bool) (left bool) {
	return l.strike(n, hup, l.main, l.control)
}

// strike sends a signal to all processes of the service but some. New ones may be made
// meanwhile: it looks until there is none that has not got it.
func (l *loop) strike(n int, hup bool, but ...int) (left bool) {
	signals := []int{n}
	rounds := 16
	switch unix.Signal(n) {
	case unix.SIGKILL:
		rounds = 256
		if l.host.KillGroup != nil {
			if err := l.host.KillGroup(); err != nil {
				l.say(err.Error())
			}
		}
	case unix.SIGCONT:
	default:
		signals = append(signals, int(unix.SIGCONT))
	}
	if hup {
		signals = append(signals, int(unix.SIGHUP))
	}
	told := map[int]uint64{}
	for range rounds {
		list, err := l.proc.descendants()
		if err != nil {
			l.say(err.Error())
			return left
		}
		fresh := false
		for _, s := range list {
			if s.pid == but[0] || s.pid == but[1] {
				continue
			}
			left = true
			if start, ok := told[s.pid]; ok && start == s.start {
				continue
			}
			told[s.pid], fresh = s.start, true
			l.sendTo(s, signals...)
		}
		if !fresh {
			break
		}
	}
	return left
}

func (l *loop) reap() { l.strike(int(unix.SIGKILL), false, l.main, l.control) }

// empty looks whether the service has processes. Without a child there is no descendant,
// either: this process is their subreaper.
func (l *loop) empty() bool {
	if len(l.proc.prior) == 0 {
		_, err := ended()
		return err == unix.ECHILD
	}
	list, err := l.proc.descendants()
	if err != nil {
		l.say(err.Error())
	}
	return err == nil && len(list) == 0
}

func (l *loop) adopt(pid int) error {
	switch pid {
	case l.control:
		return errors.New("process " + strconv.Itoa(pid) + " is the command that runs")
	case l.main:
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		fd = -1
	}
	s, err := l.proc.look(pid)
	switch {
	case err != nil || s.gone:
		err = errors.New("process " + strconv.Itoa(pid) + " is not there")
	case !l.proc.descends(pid):
		err = errors.New("process " + strconv.Itoa(pid) + " is not the service's")
	case s.parent != l.proc.self && fd < 0:
		err = errors.New("process " + strconv.Itoa(pid) + " is no child of the parent, and cannot be watched")
	}
	if err != nil || s.parent == l.proc.self {
		if fd >= 0 {
			_ = unix.Close(fd) // a pidfd
		}
		fd = -1
	}
	if err != nil {
		return err
	}
	l.closeMain()
	l.mainFD = fd
	return nil
}

// guess looks for the only child that could be the main process.
func (l *loop) guess() (pid int) {
	list, err := l.proc.descendants()
	if err != nil {
		l.say(err.Error())
		return 0
	}
	for _, s := range list {
		if s.parent != l.proc.self || s.pid == l.control || s.pid == l.main {
			continue
		}
		if pid != 0 {
			return 0
		}
		pid = s.pid
	}
	return pid
}

func (l *loop) catches(pid, n int) bool {
	path := strconv.Itoa(pid) + "/status"
	for _, name := range [...]string{"SigCgt", "SigBlk"} {
		if mask, err := l.proc.mask(path, name); err == nil && mask>>(n-1)&1 == 1 {
			return true
		}
	}
	return false
}

func (l *loop) oom() bool { return l.host.OOMKilled != nil && l.host.OOMKilled() }

func (l *loop) ready() {
	if fd := l.ReadyFD; fd >= 0 {
		l.ReadyFD = -1
		for {
			if _, err := unix.Write(fd, []byte("\n")); err == unix.EINTR {
				continue
			} else if err != nil {
				l.say("ready: write: " + err.Error())
			}
			break
		}
		if err := unix.Close(fd); err != nil {
			l.say("ready: close: " + err.Error())
		}
	}
	if !l.notifies() {
		if err := sendOn(l.Outer, "READY=1\n"); err != nil {
			l.say("NOTIFY_SOCKET=" + l.Outer + ": " + err.Error())
		}
	}
}

// abandon kills what there is when this process cannot go on, and waits for the end of it, so that
// nothing of it is there when this process is gone; but no longer than two seconds, as what
// hangs in the kernel does not end.
func (l *loop) abandon() {
	wait := []int{}
	for _, pid := range [...]int{l.main, l.control} {
		if pid != 0 {
			l.send(pid, int(unix.SIGKILL))
			wait = append(wait, pid)
		}
	}
	if l.proc != nil && l.KillMode != "none" && l.KillMode != "process" {
		l.reap()
		wait = []int{-1} // all are killed
	}
	naps := 200
	for _, pid := range wait {
		for naps > 0 {
			ended, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
			if err != nil && err != unix.EINTR || ended > 0 && pid > 0 {
				break // ECHILD: there is none, or it was no child
			}
			if ended <= 0 {
				naps--
				nap := unix.Timespec{Nsec: 10e6}
				_ = unix.Nanosleep(&nap, nil) // a shorter one does no harm
			}
		}
	}
}
