package inspect

import (
	"errors"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// mostInstructions is how many instructions all filters of a thread may have, MAX_INSNS_PER_PATH of
// kernel/seccomp.c.
const mostInstructions = 1 << 15

// stopWithin is how long a thread may take to stop. One that runs, or sleeps where signals
// reach it, takes microseconds.
const stopWithin = time.Second

// Filters reads the filters of system calls of a process: of its leader, and of one thread
// of each number of filters that differs from that. It needs CAP_SYS_ADMIN and the right to
// trace the process, ptrace(2). Each of these threads is stopped for as long as reading
// takes, tens of microseconds, and goes on as if nothing had been: a stopped process stays
// stopped, and a signal that arrives meanwhile is delivered. Threads with equally many
// filters are taken to have the same ones. Errors are *FilterError.
func (r *Reader) Filters(p *Process) (Filters, error) {
	threads := filtered(p)
	if len(threads) == 0 {
		return Filters{}, nil
	}
	done := make(chan tracing, 1)
	go r.trace(p, threads, done)
	a := <-done
	var fe *FilterError
	if errors.As(a.err, &fe) && fe.Reason == FilterBusy {
		// It is traced until that thread has ended.
		for try := 0; try < 1000 && unix.Tgkill(unix.Getpid(), a.thread, 0) == nil; try++ {
			time.Sleep(time.Millisecond)
		}
	}
	return a.f, a.err
}

// tracing is what a thread has found that traced others.
type tracing struct {
	f      Filters
	err    error
	thread int
}

// trace reads the filters by a thread of its own. Only the thread that traces may ask and let
// go, and what it traces the kernel lets go when the thread ends: it is never unlocked, and so
// ends with this function. The first thread of a program would not.
func (r *Reader) trace(p *Process, threads []*Threads, done chan<- tracing) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		other := make(chan tracing, 1)
		go r.trace(p, threads, other)
		done <- <-other
		runtime.UnlockOSThread()
		return
	}
	f, err := r.filters(p, threads)
	done <- tracing{f, err, unix.Gettid()}
}

// filtered are the groups of threads that are looked at: those with a number of filters
// that none before has. It is empty for a process without any filter.
func filtered(p *Process) []*Threads {
	type kind struct{ mode, count int }
	var seen []kind
	var list []*Threads
	any := false
	for i := range p.Threads {
		t := &p.Threads[i]
		k := kind{t.State.Seccomp, t.State.Filters}
		known := false
		for _, s := range seen {
			known = known || s == k
		}
		if known || len(t.IDs) == 0 {
			continue
		}
		seen = append(seen, k)
		list = append(list, t)
		any = any || k.mode != 0
	}
	if !any {
		return nil
	}
	return list
}

func (r *Reader) filters(p *Process, threads []*Threads) (Filters, error) {
	var f Filters
	// All that the kernel lets a thread have, and one program more: of how much it writes
	// nobody is asked. The pages are there before a thread is stopped.
	buf := make([]byte, 8*(mostInstructions+seccomp.MaxLength))
	for i := 0; i < len(buf); i += 4096 {
		buf[i] = 1
	}
	for _, t := range threads {
		switch t.State.Seccomp {
		case 0:
			f.Stacks = append(f.Stacks, Stack{Thread: t.IDs[0]})
			continue
		case 1:
			f.Stacks = append(f.Stacks, Stack{Thread: t.IDs[0], Strict: true})
			continue
		case 2:
		default:
			return Filters{}, &FilterError{PID: p.PID, Reason: FilterOther, Err: errors.New("the kernel does not say whether it has one")}
		}
		var s Stack
		var err error
		for n, id := range t.IDs {
			var stopped time.Duration
			s, stopped, err = r.stack(p, id, buf)
			f.Stopped = max(f.Stopped, stopped)
			gone := false
			var fe *FilterError
			if errors.As(err, &fe) {
				gone = fe.Reason == FilterGone
			}
			// Of threads that are alike any will do, where the one that was asked has ended.
			if !gone || n == 16 {
				break
			}
		}
		if err != nil {
			return Filters{}, err
		}
		f.Stacks = append(f.Stacks, s)
	}
	return f, nil
}

// stack reads what one thread has. Whatever comes, the thread is let go.
func (r *Reader) stack(p *Process, tid int, buf []byte) (s Stack, stopped time.Duration, err error) {
	fail := func(reason FilterReason, err error) (Stack, time.Duration, error) {
		return Stack{}, stopped, &FilterError{p.PID, reason, err}
	}
	if !r.same(p, tid) {
		return fail(FilterGone, nil)
	}
	if e := ptrace(unix.PTRACE_SEIZE, tid, 0, 0); e != 0 {
		return fail(r.refused(p, tid, e))
	}
	// The number cannot be given to another thread from here on. One that is another already
	// has to be stopped as well: only what is stopped can be let go.
	same := r.same(p, tid)
	start := time.Now()
	if e := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); e != 0 && e != unix.ESRCH {
		return fail(FilterBusy, e)
	}
	var status unix.WaitStatus
	for try := 0; ; try++ {
		n, err := unix.Wait4(tid, &status, unix.WNOHANG|unix.WALL|wnothread, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fail(FilterBusy, err)
		}
		if n == tid {
			break
		}
		if time.Since(start) > stopWithin {
			// One that has not stopped can only be let go by the end of this thread.
			return fail(FilterBusy, nil)
		}
		if try > 100 {
			// Of this thread alone: time.Sleep would give it up, and take long to come back.
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 20_000}, nil)
		}
	}
	if !status.Stopped() {
		return fail(FilterGone, nil)
	}
	// Beside the stop that was asked for there are two: that of a process which is stopped
	// as a whole, and that before a signal is delivered, which is to be delivered then.
	signal := 0
	if status.TrapCause() != ptraceEventStop && uint32(status)>>16 == 0 {
		signal = int(status.StopSignal())
	}
	var sizes [mostInstructions / 5]uint16 // each program counts for four instructions more than it has
	count, end := 0, 0
	var e unix.Errno
	for same {
		var n int
		if n, e = getFilter(tid, count, buf[end:]); e != 0 {
			break
		}
		sizes[count] = uint16(n)
		count, end = count+1, end+8*n
		if count == len(sizes) || len(buf)-end < 8*seccomp.MaxLength {
			e = unix.E2BIG
			break
		}
	}
	err = r.letGo(tid, signal)
	stopped = time.Since(start)
	switch {
	case !same:
		return fail(FilterGone, err)
	case e == unix.ENOENT && err == nil: // no more of them
	case e == unix.ENOENT:
		return fail(FilterOther, err)
	case e == unix.EACCES && r.callerFiltered():
		return fail(FilterCaller, nil)
	case e == unix.EACCES:
		return fail(FilterDenied, e)
	case e == unix.EINVAL || e == unix.EIO:
		// It has one, as its status told: the kernel does not know the request.
		return fail(FilterKernel, nil)
	case e == unix.ESRCH:
		return fail(FilterGone, nil)
	default:
		return fail(FilterOther, e)
	}
	s.Thread = tid
	for _, n := range sizes[:count] {
		prog, err := seccomp.Parse(buf[:8*int(n)])
		if err != nil {
			return fail(FilterOther, errors.New("program "+strconv.Itoa(len(s.Programs))+": "+err.Error()))
		}
		buf = buf[8*int(n):]
		s.Programs = append(s.Programs, prog)
	}
	return s, stopped, nil
}

// What golang.org/x/sys/unix does not have, linux/wait.h and linux/ptrace.h.
const (
	wnothread       = 0x20000000 // __WNOTHREAD: what this thread traces, and no other
	ptraceEventStop = 128        // PTRACE_EVENT_STOP
)

func ptrace(request, tid int, addr, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

// getFilter is PTRACE_SECCOMP_GET_FILTER: how many instructions a program has.
func getFilter(tid, index int, buf []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(tid), uintptr(index), uintptr(unsafe.Pointer(&buf[0])), 0, 0)
	if e == 0 && (int(n) < 1 || int(n) > len(buf)/8) {
		e = unix.EPROTO
	}
	return int(n), e
}

// letGo ends the tracing of a thread that is stopped. One that was killed meanwhile is gone by
// itself.
func (r *Reader) letGo(tid, signal int) error {
	if e := ptrace(unix.PTRACE_DETACH, tid, 0, uintptr(signal)); e != 0 && e != unix.ESRCH {
		return errors.New("ptrace(PTRACE_DETACH): " + e.Error())
	}
	return nil
}

// refused is why a thread could not be traced.
func (r *Reader) refused(p *Process, tid int, e unix.Errno) (FilterReason, error) {
	switch {
	case e == unix.ESRCH || !r.same(p, tid):
		return FilterGone, nil
	case e == unix.EPERM && r.traced(p, tid):
		return FilterTraced, nil
	case e == unix.EPERM || e == unix.EACCES:
		return FilterDenied, e
	}
	return FilterOther, errors.New("ptrace(PTRACE_SEIZE): " + e.Error())
}

// same tells whether a thread is one of the process that was read: no other one with the
// number of an earlier one, and none that has ended.
func (r *Reader) same(p *Process, tid int) bool {
	leader, err := r.threadStat(p.PID, p.PID)
	if err != nil || leader.start != p.Start {
		return false
	}
	s, err := r.threadStat(p.PID, tid)
	return err == nil && s.state != 'Z' && s.state != 'X'
}

func (r *Reader) threadStat(pid, tid int) (stat, error) {
	text, err := r.text(strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// traced tells whether another process traces a thread.
func (r *Reader) traced(p *Process, tid int) bool {
	text, err := r.text(strconv.Itoa(p.PID) + "/task/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return false
	}
	s, err := parseStatus(text)
	return err == nil && s.tracer != 0
}

// callerFiltered tells whether the caller has a filter, which is why it cannot read one.
func (r *Reader) callerFiltered() bool {
	self, err := r.link(r.proc, "thread-self")
	if err != nil {
		return false
	}
	text, err := r.text(self + "/status")
	if err != nil {
		return false
	}
	s, err := parseStatus(text)
	return err == nil && s.state.Seccomp > 0
}
