package process

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// scripted is a call that is to be made, and its answer: as testrow.Ask takes it, but that 0 stands for success.
type scripted struct {
	nr      uintptr
	arg     uint64 // open: the flags; ioctl: the request; else nothing
	answer  int64
	value   uint64 // ioctl: the third argument
	session int32  // ioctl: what is written to where the third argument leads
	device  uint64 // fstat: of the file
}

// bySome lets act make these calls, in this order, and no other of their kind.
func bySome(t *testing.T, name string, script []scripted, act func() error) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a filter with a supervisor")
	}
	calls := []uintptr{unix.SYS_OPENAT, unix.SYS_GETSID, unix.SYS_SETSID, unix.SYS_IOCTL, unix.SYS_FSTAT, unix.SYS_WRITE, unix.SYS_CLOSE}
	left := script
	wrong := ""
	var acted error
	err := testrow.OnThread(func() error {
		return testrow.Ask(calls, func(call testrow.Call) int64 {
			if len(left) == 0 {
				wrong += fmt.Sprintf(" %d %#x", call.NR, call.Args)
				return testrow.Lie
			}
			want := left[0]
			left = left[1:]
			arg := call.Args[1]
			switch call.NR {
			case unix.SYS_OPENAT:
				arg = call.Args[2] &^ unix.O_LARGEFILE
			case unix.SYS_FSTAT:
				arg = 0
				(*(**unix.Stat_t)(unsafe.Pointer(&call.Args[1]))).Rdev = want.device
			case unix.SYS_IOCTL:
				if want.session != 0 {
					**(**int32)(unsafe.Pointer(&call.Args[2])) = want.session
				} else if want.value != 0 && call.Args[2] != want.value {
					wrong += fmt.Sprintf(" with %d", call.Args[2])
				}
			default:
				arg = 0
			}
			if call.NR != want.nr || arg != want.arg {
				wrong += fmt.Sprintf(" %d %#x in place of %d", call.NR, call.Args, want.nr)
			}
			if want.answer == 0 {
				return testrow.Lie
			}
			return want.answer
		}, func() error {
			acted = act()
			return nil
		})
	})
	if err != nil || wrong != "" || len(left) > 0 {
		t.Errorf("%s: calls%s, without %v; %v", name, wrong, left, err)
	}
	if acted == nil {
		return ""
	}
	return acted.Error()
}

// What a terminal is given up, acquired, freed and set by, whatever the kernel answers.
func TestTerminalCalls(t *testing.T) {
	const (
		flags  = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOCTTY
		gone   = -int64(unix.ENXIO)
		denied = -int64(unix.EACCES)
		not    = -int64(unix.ENOTTY)
		broken = -int64(unix.EIO)
		fd     = 1 << 20 // of nothing
	)
	self := int64(os.Getpid())
	opened := scripted{nr: unix.SYS_OPENAT, arg: flags, answer: fd}
	open := func(answer int64) scripted { return scripted{nr: unix.SYS_OPENAT, arg: flags, answer: answer} }
	ask := func(request uint64, answer int64) scripted {
		return scripted{nr: unix.SYS_IOCTL, arg: request, answer: answer}
	}
	session := func(answer int64) scripted { return scripted{nr: unix.SYS_GETSID, answer: answer} }
	leads := func(answer int64) scripted { return scripted{nr: unix.SYS_SETSID, answer: answer} }
	closes := func(answer int64) scripted { return scripted{nr: unix.SYS_CLOSE, answer: answer} }
	is := func(major, minor uint32) scripted {
		return scripted{nr: unix.SYS_FSTAT, device: unix.Mkdev(major, minor)}
	}
	of := func(sid int64) scripted {
		return scripted{nr: unix.SYS_IOCTL, arg: unix.TIOCGSID, session: int32(sid)}
	}
	acquires := func(force uint64, answer int64) scripted {
		return scripted{nr: unix.SYS_IOCTL, arg: unix.TIOCSCTTY, value: force, answer: answer}
	}
	write := scripted{nr: unix.SYS_WRITE, answer: 15}
	noTTY := ask(unix.TIOCGSID, not)
	interrupted := ask(unix.TIOCNOTTY, -int64(unix.EINTR))
	apply := func(s Terminal) func() error {
		s.fd = fd
		return func() error { return s.Apply(-1) }
	}
	verify := func(s Terminal) func() error {
		s.fd = fd
		return func() error { return s.Verify() }
	}
	giveUp := func() error { return GiveUpTerminal{}.Apply(-1) }
	given := func() error { return GiveUpTerminal{}.Verify() }
	shares := func(stat string) func() error {
		return func() error {
			if ControllingTerminal(func() (string, error) {
				if stat == "" {
					return "", unix.ENOENT
				}
				return stat, nil
			}) {
				return errors.New("shared")
			}
			return nil
		}
	}
	const without, with = "7 (a) b) S 1 7 7 0 -1 4194560", "7 (a b) S 1 7 7 34816 7 4194560"
	const leader = "setsid: the process leads a process group of another session, and so cannot have a terminal of its own"
	for _, tt := range []struct {
		name   string
		act    func() error
		script []scripted
		want   string
	}{
		{"given up", giveUp, []scripted{opened, ask(unix.TIOCNOTTY, 0), closes(0)}, ""},
		{"given up, after a signal", giveUp, []scripted{opened, interrupted, ask(unix.TIOCNOTTY, 0), closes(0)}, ""},
		{"not given up", giveUp, []scripted{opened, ask(unix.TIOCNOTTY, broken)}, "ioctl(TIOCNOTTY): input/output error"},
		{"given up, and not closed", giveUp, []scripted{opened, ask(unix.TIOCNOTTY, 0), closes(broken)}, "input/output error"},
		{"none to give up", giveUp, []scripted{open(gone), leads(7)}, ""},
		{"neither", giveUp, []scripted{open(denied), leads(-int64(unix.EPERM))}, "neither /dev/tty can be opened nor setsid(2) called"},

		{"is given up", given, []scripted{open(gone), noTTY, noTTY, noTTY}, ""},
		{"is not", given, []scripted{opened, closes(0)}, "read back: /dev/tty still opens"},
		{"a session of its own", given, []scripted{open(denied), session(self), noTTY, noTTY, noTTY}, ""},
		{"another's session", given, []scripted{open(denied), session(self + 1)}, "read back: open /dev/tty: permission denied, and the session is not one of its own"},
		{"no session", given, []scripted{open(denied), session(broken)}, "read back: open /dev/tty: permission denied, and the session is not one of its own"},
		{"still that of a descriptor", given, []scripted{open(gone), noTTY, of(7)}, "read back: still the controlling terminal"},
		{"a descriptor that does not tell", given, []scripted{open(gone), noTTY, noTTY, ask(unix.TIOCGSID, 0)}, "read back: ioctl(TIOCGSID) answered nothing"},

		{"no terminal to share", shares(with), []scripted{open(gone)}, ""},
		{"a terminal of its own", shares(with), []scripted{opened, closes(0), session(self)}, ""},
		{"a shared terminal", shares(without), []scripted{opened, closes(0), session(self + 1)}, "shared"},
		{"a terminal of nobody knows whom", shares(without), []scripted{opened, closes(0), session(broken)}, "shared"},
		{"a terminal that is not closed", shares(without), []scripted{opened, closes(broken)}, "shared"},
		{"none, says stat", shares(without), []scripted{open(denied), noTTY, noTTY, noTTY}, ""},
		{"one, says stat", shares(with), []scripted{open(denied), noTTY, noTTY, noTTY, session(self + 1)}, "shared"},
		{"one of its own, says stat", shares(with), []scripted{open(denied), noTTY, noTTY, noTTY, session(self)}, ""},
		{"no stat", shares(""), []scripted{open(denied), noTTY, noTTY, noTTY, session(self + 1)}, "shared"},
		{"a stat that is too short", shares("7 (a) S 1"), []scripted{open(denied), noTTY, noTTY, noTTY, session(self + 1)}, "shared"},
		{"a descriptor has it", shares(without), []scripted{open(denied), noTTY, ask(unix.TIOCGSID, 0), session(self + 1)}, "shared"},

		{"acquired by a leader", apply(Terminal{Acquire: true}), []scripted{session(self), acquires(0, 0)}, ""},
		{"acquired by one that becomes it", apply(Terminal{Acquire: true, Force: true}), []scripted{session(self + 1), leads(self), acquires(1, 0)}, ""},
		{"acquired where no session is told", apply(Terminal{Acquire: true}), []scripted{session(broken), leads(self), acquires(0, 0)}, ""},
		{"no leader", apply(Terminal{Acquire: true}), []scripted{session(self + 1), leads(-int64(unix.EPERM))}, leader},
		{"not acquired", apply(Terminal{Acquire: true}), []scripted{session(self), acquires(0, -int64(unix.EPERM))}, "ioctl(TIOCSCTTY): operation not permitted"},
		{"is acquired", verify(Terminal{Acquire: true}), []scripted{of(self)}, ""},
		{"is another's", verify(Terminal{Acquire: true}), []scripted{of(self + 1)}, "read back: it is not the controlling terminal"},

		{"a virtual console", apply(Terminal{Disallocate: true}), []scripted{is(4, 1), {nr: unix.SYS_IOCTL, arg: vtDisallocate, value: 1}}, ""},
		{"one that is open", apply(Terminal{Disallocate: true}), []scripted{is(4, 63), {nr: unix.SYS_IOCTL, arg: vtDisallocate, value: 63, answer: -int64(unix.EBUSY)}, write}, ""},
		{"the present one", apply(Terminal{Disallocate: true}), []scripted{is(4, 0), write}, ""},
		{"a serial line", apply(Terminal{Disallocate: true}), []scripted{is(4, 64), write}, ""},
		{"another terminal", apply(Terminal{Disallocate: true}), []scripted{is(5, 1), write}, ""},
		{"one that cannot be written to", apply(Terminal{Disallocate: true}), []scripted{is(5, 1), {nr: unix.SYS_WRITE, answer: broken}}, "write: input/output error"},
		{"one of no kind", apply(Terminal{Disallocate: true}), []scripted{{nr: unix.SYS_FSTAT, answer: broken}}, "fstat: input/output error"},

		{"no settings", apply(Terminal{Reset: true}), []scripted{ask(unix.TCGETS, broken)}, "ioctl(TCGETS): input/output error"},
		{"settings that stay", apply(Terminal{Reset: true}), []scripted{ask(unix.TCGETS, 0), ask(unix.TCSETSF, broken)}, "ioctl(TCSETSF): input/output error"},
		{"reset", apply(Terminal{Reset: true}), []scripted{ask(unix.TCGETS, 0), ask(unix.TCSETSF, 0)}, ""},
		{"no size", apply(Terminal{Rows: 1}), []scripted{ask(unix.TIOCGWINSZ, broken)}, "ioctl(TIOCGWINSZ): input/output error"},
		{"a size that stays", apply(Terminal{Columns: 1}), []scripted{ask(unix.TIOCGWINSZ, 0), ask(unix.TIOCSWINSZ, broken)}, "ioctl(TIOCSWINSZ): input/output error"},
		{"not hung up", apply(Terminal{Hangup: true}), []scripted{ask(tiocVHangup, -int64(unix.EPERM))}, "ioctl(TIOCVHANGUP): operation not permitted"},
		{"hung up, and not closed", apply(Terminal{Hangup: true}), []scripted{ask(tiocVHangup, 0), closes(broken)}, "close: input/output error"},
	} {
		if got := bySome(t, tt.name, tt.script, tt.act); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	var set unix.Termios
	err := testrow.OnThread(func() error {
		return testrow.Ask([]uintptr{unix.SYS_IOCTL}, func(call testrow.Call) int64 {
			if call.Args[1] == unix.TCSETSF {
				set = **(**unix.Termios)(unsafe.Pointer(&call.Args[2]))
			}
			return testrow.Lie
		}, apply(Terminal{Reset: true}))
	})
	if err != nil || set.Cflag&unix.CREAD == 0 || set.Iflag&unix.ICRNL == 0 {
		t.Errorf("it is reset to %+v, %v", set, err)
	}
	lost := &Terminal{Path: "/no/such/terminal", Hangup: true, fd: fd}
	err = testrow.OnThread(func() error {
		return testrow.Ask([]uintptr{unix.SYS_IOCTL, unix.SYS_CLOSE}, func(testrow.Call) int64 { return testrow.Lie }, func() error { return lost.Apply(-1) })
	})
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("one that is gone after a hangup: %v", err)
	}
	for path, want := range map[string]string{"/dev/null": "ioctl(TCGETS) /dev/null: inappropriate ioctl for device", "/no/such/terminal": "open /no/such/terminal: no such file or directory"} {
		if err := (&Terminal{Path: path}).Prepare(-1); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}
