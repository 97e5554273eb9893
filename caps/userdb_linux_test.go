package caps

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal in place of a database does not become that of a process which has none: the leader of a session gets
// one by opening it, open(2) O_NOCTTY.
func TestDatabaseIsNoTerminal(t *testing.T) {
	const variable = "CAPS_TEST_TERMINAL"
	if path := os.Getenv(variable); path != "" { // the leader of a session
		for _, look := range []func() error{
			func() error { _, err := Database{Passwd: path}.LookupUser("www"); return err },
			func() error { _, err := Database{Group: path}.LookupGroup("www"); return err },
		} {
			errorIs(t, look(), "open "+path+": not a regular file")
		}
		stat, err := os.ReadFile("/proc/self/stat")
		if err != nil {
			t.Fatal(err)
		}
		_, behind, _ := strings.Cut(string(stat), ") ")
		if tty := strings.Fields(behind)[4]; tty != "0" { // proc_pid_stat(5), tty_nr
			t.Errorf("the terminal is %s, and was none", tty)
		}
		return
	}
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("needs /dev/ptmx:", err)
	}
	defer func() { _ = unix.Close(master) }()
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestDatabaseIsNoTerminal$")
	cmd.Env = append(os.Environ(), variable+"=/dev/pts/"+strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
