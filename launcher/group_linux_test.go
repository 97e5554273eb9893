package launcher

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/integration/testgroup"
	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// inGroup puts the test into a control group of its own.
func inGroup(t *testing.T) *testgroup.Group {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: control groups")
	}
	g, err := testgroup.Enter()
	if err != nil {
		t.Fatal(err)
	}
	if g.Dir == "" {
		t.Skip("needs cgroup2: " + g.Why)
	}
	t.Cleanup(func() {
		if err := g.Leave(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// The group of a service is made where its commands need one; it ends all that is in it, and
// goes when it is empty.
func TestMakeGroup(t *testing.T) {
	in := inGroup(t)
	if g, err := MakeGroup(policyOf(t, "User=daemon"), "web.service"); g != nil || err != nil {
		t.Errorf("none is needed: %+v, %v", g, err)
	}
	g, err := MakeGroup(policyOf(t, "TasksMax=5"), "web.service")
	if err != nil {
		t.Fatal(err)
	}
	if g == nil {
		t.Fatal("no group")
	}
	dir := in.Dir + "/tests/hardrun-web.service"
	if _, err := os.Stat(dir); err != nil || !strings.HasSuffix(in.Path+"/tests/hardrun-web.service", g.Path) {
		t.Errorf("%s: %v", g.Path, err)
	}
	if !g.Kills() {
		t.Skip("needs cgroup.kill, Linux 5.14")
	}
	member := sleepIn(t, dir)
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if err := member.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("who is in the group: %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	g.kill = -1
	if err := g.Kill(); g.Kills() || fails(err) != "write(cgroup.kill): bad file descriptor" {
		t.Error(err)
	}
	// One in which there is a process stays.
	if g, err = MakeGroup(policyOf(t, "TasksMax=5"), "web.service"); err != nil || g == nil {
		t.Fatalf("%+v, %v", g, err)
	}
	left := sleepIn(t, dir)
	if err := g.Remove(); err == nil || !strings.Contains(err.Error(), "PID "+strconv.Itoa(left.Process.Pid)) {
		t.Errorf("with a process: %v", err)
	}
	if err := left.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = left.Wait() // killed
}

// sleepIn starts a process in a control group.
func sleepIn(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	at, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "2")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(at.Fd())}
	if err := errors.Join(cmd.Start(), at.Close()); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A name that --cgroup gives is that one and no other: who has it already is told.
func TestMakeGroupTaken(t *testing.T) {
	in := inGroup(t)
	if err := os.Mkdir(in.Dir+"/tests/mine", 0o755); err != nil {
		t.Fatal(err)
	}
	var why *Error
	g, err := MakeGroup(policyOf(t, "X-Hardrun-CGroup=mine"), "web.service")
	if g != nil || !errors.As(err, &why) || why.Stage != StageCGroup || why.Exit != ExitCGroup || why.Err == nil {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err = MakeGroup(policyOf(t, "X-Hardrun-CGroup=yours"), "web.service"); err != nil || g == nil || !strings.HasSuffix(g.Path, "/yours") {
		t.Errorf("%+v, %v", g, err)
	} else if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

// Where no group can be had there is none, and the commands say so. What cannot be read is an error.
func TestNoGroup(t *testing.T) {
	inGroup(t)
	p := policyOf(t, "TasksMax=5")
	for _, tt := range []struct {
		what   string
		answer func() error
		want   string
	}{
		{"/proc cannot be opened", func() error { return testrow.Answer(unix.SYS_OPENAT, unix.EACCES) }, "open /proc: permission denied"},
		{"a /proc of strangers", func() error { return testrow.Answer(unix.SYS_READLINKAT, unix.ENOENT) }, ""},
		{"nobody knows who this is", func() error { return testrow.Answer(unix.SYS_READLINKAT, unix.EIO) }, "readlinkat /proc/self: input/output error"},
		{"/proc cannot be closed", func() error { return testrow.Answer(unix.SYS_CLOSE, unix.EIO) }, "close /proc: input/output error"},
		{"nothing can be read", func() error { return testrow.Answer(unix.SYS_READ, unix.EIO) }, "read /proc/cgroup: read: input/output error"},
		{"nobody", func() error { return unix.Setfsuid(65534) }, ""},
		{"no place", func() error { return testrow.Answer(unix.SYS_MKDIRAT, unix.ENOSPC) }, "mkdirat: no space left on device"},
		{"a place that is none", func() error { return testrow.Answer(unix.SYS_MKDIRAT, 0) }, "another start makes and removes it all the time: flock, fgetxattr"},
	} {
		err := testrow.OnThread(func() error {
			if err := tt.answer(); err != nil {
				return err
			}
			if g, err := MakeGroup(p, "web.service"); g != nil || !strings.HasSuffix(fails(err), tt.want) || tt.want == "" && err != nil {
				t.Errorf("%s: %+v, %v, want %s", tt.what, g, err, tt.want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	inRoot(t, t.TempDir(), func() {
		if g, err := MakeGroup(p, "web.service"); g != nil || err != nil {
			t.Errorf("no /proc: %+v, %v", g, err)
		}
	})
}

// Before Linux 5.14 there is no file that ends a group; one that cannot be opened ends the start.
func TestGroupWithoutKill(t *testing.T) {
	in := inGroup(t)
	const how = unix.O_WRONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW
	for errno, want := range map[unix.Errno]bool{unix.ENOENT: true, unix.EACCES: false} {
		err := testrow.OnThread(func() error {
			if err := errors.Join(testrow.Answer(unix.SYS_OPENAT2, unix.ENOSYS), answerIf(unix.SYS_OPENAT, 2, how, errno)); err != nil {
				return err
			}
			g, err := MakeGroup(policyOf(t, "TasksMax=5"), "web.service")
			if want != (err == nil) || want != (g != nil) || err != nil && !strings.HasSuffix(fails(err), "/cgroup.kill: permission denied") {
				t.Errorf("%v: %+v, %v", errno, g, err)
			}
			if g != nil {
				if g.Kills() {
					t.Error("what is not there can be used")
				}
				return g.Remove()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(in.Dir + "/tests/hardrun-web.service"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: it is left: %v", errno, err)
		}
	}
}

// Only cgroup2 has a group of the service: in other hierarchies each command has its own.
func TestNoGroupInLegacy(t *testing.T) {
	if os.Getenv(childWord) == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root: mounts")
		}
		again(t, "yes", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
		return
	}
	own := ""
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, path, found := strings.Cut(line, ":devices:"); found {
			own = strings.TrimSpace(path)
		}
	}
	if own == "" {
		t.Skip("needs the devices controller of cgroup v1")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	// The hierarchy that is there is all that is in sight.
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			if err := unix.Unmount(f[1], unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := t.TempDir()
	if err := unix.Mount("cgroup", at, "cgroup", 0, "devices"); err != nil {
		t.Fatal(err)
	}
	if g, err := MakeGroup(policyOf(t, "DevicePolicy=closed"), "test.service"); g != nil || err != nil {
		t.Errorf("%+v, %v", g, err)
	}
	if err := os.Remove(at + own + "/hardrun-test.service"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a group was made: %v", err)
	}
	if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}
