package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// within is what act answers, which must not take for ever.
func within(t *testing.T, act func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- act() }()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

// socketPair is two ends of a stream, the first of which is to be closed by its number.
func socketPair(t *testing.T) (int, *os.File) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(ends[1]), "other end")
	t.Cleanup(func() { _ = other.Close() })
	return ends[0], other
}

// denied is a filter of this machine that denies calls, and its program.
func denied(t *testing.T, names string) (*Filter, Program) {
	t.Helper()
	f := New(Machine(runtime.GOARCH))
	if f.ABIs() == nil {
		t.Skip("the calls of this machine are not known")
	}
	f.Deny(f.Source(Source{Directive: "SystemCallFilter", Origin: "a.service:1"}), setOf(t, names))
	return f, mustProgram(t, f)
}

// loaded is the program that a row loads, by its struct sock_fprog in the blob.
func loaded(t *testing.T, p *row.Program, head uint64) Program {
	t.Helper()
	n := binary.NativeEndian.Uint64(p.Blob[head:])
	at := binary.NativeEndian.Uint64(p.Blob[head+8:])
	prog, err := Parse(p.Blob[at : at+8*n])
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// canaryLength is how many instructions the canary puts before a program.
const canaryLength = 9

// One row loads the program behind a canary, and the next one asks the canary.
func TestLoad(t *testing.T) {
	_, prog := denied(t, "acct")
	p := &row.Program{}
	if err := (&Install{Program: prog}).Load(p); err != nil {
		t.Fatal(err)
	}
	if len(p.Rows) != 2 {
		t.Fatalf("rows %q", p.Dump())
	}
	load, ask := p.Rows[0], p.Rows[1]
	const setModeFilter = 1 // SECCOMP_SET_MODE_FILTER of linux/seccomp.h
	if load.Kind != row.Equal || load.NR != unix.SYS_SECCOMP || load.Want != 0 || load.A[0] != setModeFilter || load.A[1] != 0 || load.Ptr != 1<<2 {
		t.Errorf("the loading is %+v", load)
	}
	have := loaded(t, p, load.A[2])
	if !slices.Equal(have[canaryLength:], prog) {
		t.Errorf("what is loaded is\n%s", have.Disassemble())
	}
	asks(t, have, ask)
}

// asks holds the question of the canary against the program that answers it.
func asks(t *testing.T, prog Program, ask row.Row) {
	t.Helper()
	arch, _ := Native()
	action, err := prog.Eval(Data{NR: uint32(ask.NR), Arch: arch, Args: ask.A})
	if err != nil || ask.Kind != row.Equal || ask.NR != unix.SYS_PRCTL || !action.Denies() || int64(action&^actionMask) != -ask.Want {
		t.Errorf("the canary is asked by %+v, and answers %v (%v)", ask, action, err)
	}
}

// A filter that is to be explained asks about each denial, and all that explains them is told before it is loaded.
func TestLoadExplained(t *testing.T) {
	const newListener, waitKillable = 1 << 3, 1 << 5 // SECCOMP_FILTER_FLAG_ of linux/seccomp.h
	for _, tt := range []struct {
		denied   string
		killable bool
		flags    uint64
		yields   uint64
	}{
		{"acct", false, newListener, 1},
		{"acct", true, newListener | waitKillable, 1},
		{"acct sched_yield", false, newListener, 0},
	} {
		f, prog := denied(t, tt.denied)
		socket, other := socketPair(t)
		told := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(other)
			told <- b
		}()
		p := &row.Program{}
		step := &Install{Program: prog, Explain: &Explain{Filter: f, Socket: socket, Killable: tt.killable}}
		err := within(t, func() error { return step.Load(p) })
		if err := errors.Join(err, unix.Close(socket)); err != nil {
			t.Fatal(err)
		}
		if len(p.Rows) != 2 {
			t.Fatalf("%+v: rows %+v", tt, p.Rows)
		}
		listen := p.Rows[0]
		if listen.Kind != row.Listen || listen.Ptr != 1 || listen.A[1] != tt.flags || listen.A[2] != uint64(socket) || listen.A[3] != tt.yields {
			t.Errorf("%+v: the row is %+v", tt, listen)
		}
		have := loaded(t, p, listen.A[0])
		if !slices.Equal(have[canaryLength:], prog.asking()) || slices.Equal(prog.asking(), prog) {
			t.Errorf("%+v: what is loaded is\n%s", tt, have.Disassemble())
		}
		asks(t, have, p.Rows[1])

		b := <-told
		if len(b) < 4 || int(binary.NativeEndian.Uint32(b)) != len(b)-4 {
			t.Fatalf("%+v: %d bytes are told, and not as many as they say", tt, len(b))
		}
		d, err := ParseDenials(b[4:])
		if err != nil {
			t.Fatal(err)
		}
		arch, _ := Native()
		action, name, by, err := d.Of(Data{NR: unix.SYS_ACCT, Arch: arch})
		if got, want := fmt.Sprint(action, ", ", name, ", ", by, ", ", err), "errno EPERM, acct, SystemCallFilter= a.service:1, <nil>"; got != want {
			t.Errorf("%+v: the denial is %s, want %s", tt, got, want)
		}
	}
}

// Where nobody is there to be told, no row is added that would load the filter.
func TestLoadToldToNobody(t *testing.T) {
	f, prog := denied(t, "acct")
	socket, other := socketPair(t)
	defer func() { _ = unix.Close(socket) }()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	p := &row.Program{}
	step := &Install{Program: prog, Explain: &Explain{Filter: f, Socket: socket}}
	if err := within(t, func() error { return step.Load(p) }); errorText(err) != "sendmsg: broken pipe" || len(p.Rows) != 0 {
		t.Errorf("%v, and %d rows", err, len(p.Rows))
	}
}

// A signal while the socket is full is no reason to tell less.
func TestToldDespiteASignal(t *testing.T) {
	f, prog := denied(t, "acct")
	socket, other := socketPair(t)
	full := 0
	for {
		n, err := unix.SendmsgN(socket, make([]byte, 1<<16), nil, nil, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		full += n
	}
	// With a time limit a call is not begun anew by the kernel, signal(7).
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		t.Fatal(err)
	}
	tid, done := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- unix.Gettid()
		err := (&Explain{Filter: f, Socket: socket}).tell(prog)
		done <- errors.Join(err, unix.Close(socket))
	}()
	thread := <-tid
	of := func(name string) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/%s", thread, name))
		if err != nil {
			t.Skip("needs what /proc tells of a thread:", err)
		}
		return string(b)
	}
	until := func(is func() bool) {
		for began := time.Now(); !is() && len(done) == 0; runtime.Gosched() {
			if time.Since(began) > 5*time.Second {
				t.Fatal("nothing is sent: " + of("syscall"))
			}
		}
	}
	sending := fmt.Sprintf("%d ", unix.SYS_SENDMSG)
	until(func() bool { return strings.HasPrefix(of("syscall"), sending) }) // "running" while it does not wait
	_, waits, _ := strings.Cut(of("status"), "\nvoluntary_ctxt_switches:")
	if err := unix.Tgkill(unix.Getpid(), thread, unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	until(func() bool { return !strings.HasSuffix(of("status"), waits) }) // it has been woken, and waits again
	b, err := io.ReadAll(other)
	if err = errors.Join(err, within(t, func() error { return <-done })); err != nil {
		t.Fatal(err)
	}
	if b = b[full:]; len(b) < 4 || int(binary.NativeEndian.Uint32(b)) != len(b)-4 {
		t.Errorf("%d bytes are told, and not as many as they say", len(b))
	}
}
