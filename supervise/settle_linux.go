package supervise

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// settle gives up what only a start needs, once the service runs and nothing is left to be
// started.
func (l *loop) settle() error {
	if l.settled || !l.started || l.host.Shed == nil {
		return nil
	}
	l.settled = true
	if l.StartsMore() {
		return nil
	}
	keep := l.Keep
	seen, err := l.seesWith(keep)
	if err != nil {
		return err
	}
	if !seen { // hidepid=, proc(5)
		keep |= 1 << unix.CAP_SYS_PTRACE
	}
	if err := l.host.Shed(keep); err != nil {
		return err
	}
	return l.proc.shed(keep)
}

// seesWith tells whether this thread still sees the processes of the service when only these
// capabilities are in force. They all are again when it returns.
func (l *loop) seesWith(keep uint64) (bool, error) {
	list, err := l.proc.descendants()
	if err != nil {
		return false, err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var all [2]unix.CapUserData
	if err := unix.Capget(&head, &all[0]); err != nil {
		return false, os.NewSyscallError("capget", err)
	}
	less := all
	for i := range less {
		less[i].Effective &= uint32(keep >> (32 * i))
	}
	if err := unix.Capset(&head, &less[0]); err != nil {
		return false, os.NewSyscallError("capset", err)
	}
	seen := true
	for _, s := range list {
		if _, err := l.proc.look(s.pid); err != nil { // or it has ended: then more is kept than need be
			seen = false
		}
	}
	return seen, os.NewSyscallError("capset", unix.Capset(&head, &all[0]))
}

// shed lets every thread of this process take the signal by which it gives its capabilities
// up, and reads from /proc that all have. A thread that is being made has what its maker has:
// two looks in a row must find the same threads, and none that has more.
func (p *proc) shed(keep uint64) error {
	dir := strconv.Itoa(p.self) + "/task/"
	var before []int
	late := 0
	for i := range 70 { // two seconds
		threads, err := p.numbers(dir)
		if err != nil {
			return err
		}
		late = 0
		for _, tid := range threads {
			less, err := p.hasOnly(dir+strconv.Itoa(tid)+"/status", keep)
			if err == unix.ENOENT || err == unix.ESRCH || err == nil && less { // it has ended
				continue
			}
			if err == nil {
				err = os.NewSyscallError("tgkill", unix.Tgkill(p.self, tid, unix.SIGPROF))
			}
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			late = tid
		}
		if late == 0 && slices.Equal(threads, before) {
			return nil
		}
		before = threads
		if late != 0 {
			before = nil
			nap := unix.Timespec{Nsec: int64(1e6) << min(i, 5)}
			_ = unix.Nanosleep(&nap, nil) // a shorter one does no harm
		}
	}
	return errors.New("give up privileges: thread " + strconv.Itoa(late) + " still has them")
}

// hasOnly tells whether a thread has only these capabilities, and gets none by execve(2).
func (p *proc) hasOnly(path string, keep uint64) (bool, error) {
	b, err := p.read(path)
	if err == unix.ENOENT || err == unix.ESRCH {
		return false, err
	}
	if err != nil {
		return false, &os.PathError{Op: "open, read, close", Path: "/proc/" + path, Err: err}
	}
	text := string(b)
	for _, name := range [...]string{"CapInh", "CapPrm", "CapEff"} {
		set, err := strconv.ParseUint(lineOf(text, name), 16, 64)
		if err != nil {
			return false, errors.New("/proc/" + path + ": no line " + name)
		}
		if set&^keep != 0 {
			return false, nil
		}
	}
	return lineOf(text, "NoNewPrivs") != "0", nil // gVisor has no such line
}
