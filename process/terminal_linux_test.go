package process

import (
	"errors"
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

// TTYReset= leaves a terminal in one state, whatever it was in.
func TestTerminalReset(t *testing.T) {
	_, path := aTerminal(t)
	s := &Terminal{Path: path, Reset: true}
	if err := s.Prepare(-1); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(s.fd) }()
	term, err := unix.IoctlGetTermios(s.fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	const cleared, set = unix.IGNBRK | unix.BRKINT | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.IUCLC, unix.ICRNL | unix.IMAXBEL | unix.IUTF8
	term.Iflag = cleared | unix.IXOFF
	term.Oflag &^= unix.ONLCR | unix.OPOST
	term.Cflag &^= unix.CREAD
	term.Lflag = unix.NOFLSH | unix.TOSTOP
	if err := unix.IoctlSetTermios(s.fd, unix.TCSETS, term); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(-1); err != nil {
		t.Fatal(err)
	}
	got, err := unix.IoctlGetTermios(s.fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if got.Iflag != set|unix.IXOFF {
		t.Errorf("c_iflag %#x", got.Iflag)
	}
	if got.Oflag&(unix.ONLCR|unix.OPOST) != unix.ONLCR|unix.OPOST {
		t.Errorf("c_oflag %#x", got.Oflag)
	}
	if got.Cflag&unix.CREAD == 0 {
		t.Errorf("c_cflag %#x", got.Cflag)
	}
	if got.Lflag != unix.ISIG|unix.ICANON|unix.IEXTEN|unix.ECHO|unix.ECHOE|unix.ECHOK|unix.ECHOCTL|unix.ECHOKE {
		t.Errorf("c_lflag %#x", got.Lflag)
	}
}

// Each half of a size is set and read back by itself, and whatever fails is said.
func TestTerminalSize(t *testing.T) {
	master, path := aTerminal(t)
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	s := &Terminal{Path: path, Columns: 100}
	if err := s.Prepare(-1); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(-1); err != nil {
		t.Fatal(err)
	}
	if size, err := unix.IoctlGetWinsize(master, unix.TIOCGWINSZ); err != nil || size.Row != 24 || size.Col != 100 {
		t.Errorf("size %+v, %v", size, err)
	}
	for _, c := range []struct {
		rows, columns uint16
		ok            bool
	}{{0, 0, true}, {24, 0, true}, {0, 100, true}, {24, 100, true}, {25, 0, false}, {0, 101, false}, {24, 101, false}, {25, 100, false}} {
		s.Rows, s.Columns = c.rows, c.columns
		if err := s.Verify(); (err == nil) != c.ok {
			t.Errorf("read back %d rows, %d columns: %v", c.rows, c.columns, err)
		}
	}
	if err := unix.Close(s.fd); err != nil {
		t.Fatal(err)
	}
	s.fd = 1 << 20
	for _, c := range []Terminal{{Reset: true}, {Hangup: true}, {Disallocate: true}, {Rows: 1}, {Columns: 1}} {
		c.fd, c.Path = s.fd, path
		if err := c.Apply(-1); !errors.Is(err, unix.EBADF) {
			t.Errorf("%+v without a descriptor: %v", c, err)
		}
	}
	for _, c := range []Terminal{{Rows: 1}, {Columns: 1}, {Acquire: true}} {
		c.fd = s.fd
		if err := c.Verify(); !errors.Is(err, unix.EBADF) {
			t.Errorf("%+v is read back without a descriptor: %v", c, err)
		}
	}
}
