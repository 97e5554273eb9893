package launcher

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal is no file, and to look at one does not make it the controlling terminal.
func TestReadRegularTakesNoTerminal(t *testing.T) {
	const name = "HARDRUN_TEST_TERMINAL"
	if path := os.Getenv(name); path != "" { // the leader of a session without a terminal
		if _, err := readRegular(path, 100); err == nil || err.Error() != path+": not a regular file" {
			t.Errorf("%s: %v", path, err)
		}
		if fd, err := unix.Open("/dev/tty", unix.O_RDWR, 0); err != unix.ENXIO {
			t.Errorf("/dev/tty: descriptor %d, %v", fd, err)
		}
		return
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = master.Close() }()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestReadRegularTakesNoTerminal$")
	cmd.Env = append(os.Environ(), name+"=/dev/pts/"+strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
