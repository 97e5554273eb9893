package process

import (
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// aTerminal is a pseudo-terminal: its master, and the path of its slave.
func aTerminal(t *testing.T) (master int, path string) {
	t.Helper()
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: /dev/ptmx: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(master) })
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, "/dev/pts/" + strconv.Itoa(n)
}

func TestTerminal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		step    Terminal
		cleared bool
		echo    bool // after it was off
		rows    uint16
		columns uint16
	}{
		{"nothing", Terminal{}, false, false, 24, 80},
		{"size", Terminal{Rows: 30, Columns: 100}, false, false, 30, 100},
		{"rows alone", Terminal{Rows: 30}, false, false, 30, 80},
		{"reset", Terminal{Reset: true}, false, true, 24, 80},
		{"cleared", Terminal{Disallocate: true}, true, false, 24, 80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			master, path := aTerminal(t)
			if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
				t.Fatal(err)
			}
			s := tt.step
			s.Path = path
			if err := s.Prepare(-1); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = unix.Close(s.fd) }()
			term, err := unix.IoctlGetTermios(s.fd, unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			term.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(s.fd, unix.TCSETS, term); err != nil {
				t.Fatal(err)
			}
			if err := s.Apply(-1); err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(); err != nil {
				t.Error(err)
			}
			if term, err = unix.IoctlGetTermios(s.fd, unix.TCGETS); err != nil || term.Lflag&unix.ECHO != 0 != tt.echo {
				t.Errorf("echo %v, %v", term.Lflag&unix.ECHO != 0, err)
			}
			size, err := unix.IoctlGetWinsize(master, unix.TIOCGWINSZ)
			if err != nil || size.Row != tt.rows || size.Col != tt.columns {
				t.Errorf("size %+v, %v", size, err)
			}
			buf := make([]byte, 100)
			n, err := unix.Read(master, buf)
			if err != nil && err != unix.EAGAIN {
				t.Fatal(err)
			}
			if got := strings.Contains(string(buf[:max(n, 0)]), "\033[2J"); got != tt.cleared {
				t.Errorf("cleared: %v, it was sent %q", got, buf[:max(n, 0)])
			}
			// A size that did not come about is found.
			s.Rows = tt.rows + 1
			if err := s.Verify(); err == nil {
				t.Error("another size was taken for the one asked for")
			}
		})
	}
}

// What is no terminal is refused before anything is done to it.
func TestTerminalIsNone(t *testing.T) {
	for _, path := range []string{"/dev/null", "/etc/passwd", "/no/such/terminal"} {
		if err := (&Terminal{Path: path}).Prepare(-1); err == nil {
			t.Errorf("%s was taken for a terminal", path)
		}
	}
}

// TTYVHangup= takes the terminal from who has it open.
func TestTerminalHangup(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("needs root: vhangup(2) needs CAP_SYS_TTY_CONFIG")
	}
	_, path := aTerminal(t)
	other, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(other) }()
	s := &Terminal{Path: path, Hangup: true}
	if err := s.Prepare(-1); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(-1); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(s.fd) }()
	if _, err := unix.Write(other, []byte("x")); err != unix.EIO {
		t.Errorf("who had it open could still write: %v", err)
	}
	if _, err := unix.IoctlGetTermios(s.fd, unix.TCGETS); err != nil {
		t.Errorf("the daemon cannot use it: %v", err)
	}
}
