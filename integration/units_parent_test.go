//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The parent of a service: what it can still do when the service runs, and who can look into it.

// threadStatus is a line of /proc/PID/task/TID/status for each thread, each value once.
func threadStatus(t *testing.T, pid int, name string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + itoa(pid) + "/task/*/status")
	if err != nil || len(files) < 2 {
		t.Fatalf("threads of the parent: %v, %v", files, err)
	}
	var values []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if os.IsNotExist(err) { // it has ended
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(l, name+":\t"); ok {
				values = append(values, strings.TrimSpace(v))
			}
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

var attackerUser = "--user=" + itoa(attackerID) + ":" + itoa(attackerID)

const (
	capDACOverride = 1 << unix.CAP_DAC_OVERRIDE
	capFOwner      = 1 << unix.CAP_FOWNER
	capKill        = 1 << unix.CAP_KILL
	capSysAdmin    = 1 << unix.CAP_SYS_ADMIN
	capSysPtrace   = 1 << unix.CAP_SYS_PTRACE
)

// parentOf starts a service with a parent, and answers when its daemon, and what that has
// forked, are there.
func parentOf(t *testing.T, prefix []string, words ...string) (d *daemon, children []int) {
	t.Helper()
	argv := append(append([]string{}, prefix...), hardrun)
	d = program{argv: append(append(argv, words...), "--", "/bin/sh", "-c", `[ -z "$RUNTIME_DIRECTORY" ] || { umask 077; mkdir $RUNTIME_DIRECTORY/in; : >$RUNTIME_DIRECTORY/in/file; }; sleep 1000 & wait`)}.start(t)
	t.Cleanup(func() { // who is killed leaves what its children have forked
		for _, pid := range children {
			if b, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline"); t.Failed() && string(b) == "sleep\x001000\x00" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	eventually(t, "the daemon's child", func() bool {
		children = children[:0]
		pid := d.cmd.Process.Pid
		if strings.HasPrefix(status(t, pid, "State"), "Z") {
			t.Fatal("the service has ended: ", d.stderr)
		}
		for range 2 {
			b, _ := os.ReadFile("/proc/" + itoa(pid) + "/task/" + itoa(pid) + "/children")
			pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			if pid == 0 {
				return false
			}
			children = append(children, pid)
		}
		comm, _ := os.ReadFile("/proc/" + itoa(pid) + "/comm")
		return string(comm) == "sleep\n"
	})
	return d, children
}

// gone holds that processes have ended, whether or not process 1 has waited for them.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if b, err := os.ReadFile("/proc/" + itoa(pid) + "/status"); err == nil && !strings.Contains(string(b), "State:\tZ") {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestParentPrivileges(t *testing.T) {
	requireRoot(t)
	everything := threadStatus(t, os.Getpid(), "CapPrm")[0]
	for _, c := range []struct {
		name  string
		words []string
		keep  uint64 // 0 for everything
	}{
		{"signals", []string{attackerUser, "--success-exit-status=7"}, capKill},
		{"directory", []string{attackerUser, "--runtime-directory=hardrun-test-parent"}, capKill | capDACOverride | capFOwner},
		{"IPC", []string{attackerUser, "--remove-ipc"}, capKill | capDACOverride | capFOwner | capSysAdmin},
		{"pid file", []string{attackerUser, "--pid-file=/run/hardrun-test-parent.pid", "--parent=always", "--success-exit-status=7"}, capKill | capDACOverride | capFOwner},
		{"a command is left", []string{attackerUser, "--exec-stop=/bin/true"}, 0},
		{"a reload is left", []string{attackerUser, "--exec-reload=/bin/true", "--success-exit-status=7"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, children := parentOf(t, nil, c.words...)
			pid := d.cmd.Process.Pid
			want := everything
			if c.keep != 0 {
				want = strconv.FormatUint(c.keep, 16)
				want = strings.Repeat("0", 16-len(want)) + want
				eventually(t, "every thread with CapPrm "+want, func() bool { return slices.Equal(threadStatus(t, pid, "CapPrm"), []string{want}) })
				equals(t, "CapEff", threadStatus(t, pid, "CapEff"), []string{want})
				equals(t, "CapInh", threadStatus(t, pid, "CapInh"), []string{"0000000000000000"})
				equals(t, "NoNewPrivs", threadStatus(t, pid, "NoNewPrivs"), []string{"1"})
			} else {
				time.Sleep(50 * time.Millisecond)
				equals(t, "CapPrm", threadStatus(t, pid, "CapPrm"), []string{want})
			}
			// The daemon is of another user, and its directory is closed to root without capabilities.
			d.signal(t, syscall.SIGTERM)
			equal(t, "status", d.end(t), 0)
			gone(t, children)
			if exists("/run/hardrun-test-parent") {
				t.Error("RuntimeDirectory= is left")
			}
			equal(t, "stderr", d.stderr.String(), "")
		})
	}
}

// Where /proc hides the processes of other users, the parent keeps what lets it see them.
func TestParentHidePID(t *testing.T) {
	requireRoot(t)
	for _, options := range []string{"hidepid=invisible,gid=12345", "hidepid=invisible"} {
		t.Run(options, func(t *testing.T) {
			hidden := private("mount -t proc -o "+options+" proc /proc", "true")
			if runs(t, hidden...).code != 0 {
				t.Skip("needs Linux 5.8: hidepid= by name")
			}
			d, children := parentOf(t, hidden[:len(hidden)-1], attackerUser, "--kill-mode=control-group", "--success-exit-status=7")
			keep := uint64(capKill | capDACOverride | capFOwner)
			if strings.Contains(options, "gid") {
				keep |= capSysPtrace
			}
			eventually(t, "CapPrm", func() bool {
				v := threadStatus(t, d.cmd.Process.Pid, "CapPrm")
				got, err := strconv.ParseUint(v[0], 16, 64)
				return err == nil && len(v) == 1 && got == keep
			})
			d.signal(t, syscall.SIGTERM)
			equal(t, "status", d.end(t), 0)
			gone(t, children)
		})
	}
}

// Nobody without CAP_SYS_PTRACE looks into a parent, which may hold credentials: not root
// with the same capabilities, and not its own user.
func TestParentNotDumpable(t *testing.T) {
	requireRoot(t)
	d, _ := parentOf(t, nil, attackerUser, "--success-exit-status=7")
	pid := d.cmd.Process.Pid
	eventually(t, "the parent has given up what it can", func() bool {
		return len(threadStatus(t, pid, "NoNewPrivs")) == 1 && threadStatus(t, pid, "NoNewPrivs")[0] == "1"
	})
	look := []string{"--", "/usr/bin/head", "-c1", "/proc/" + itoa(pid) + "/environ"}
	if r := run(t, look...); r.code != 0 || r.stdout == "" {
		t.Errorf("root with CAP_SYS_PTRACE: %+v", r)
	}
	if r := run(t, append([]string{"--caps=kill"}, look...)...); r.code == 0 || !strings.Contains(r.stderr, "Permission denied") {
		t.Errorf("root with the parent's capabilities: %+v", r)
	}
	// With a command left it has all capabilities, and of a plain user none to lose.
	var st unix.Stat_t
	p := program{argv: []string{hardrun, "--exec-stop=/bin/true", "--", "/bin/sleep", "1000"}, attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(attackerID), Gid: uint32(attackerID)}}}
	plain := p.start(t)
	eventually(t, "its daemon", func() bool {
		b, _ := os.ReadFile("/proc/" + itoa(plain.cmd.Process.Pid) + "/task/" + itoa(plain.cmd.Process.Pid) + "/children")
		child := strings.TrimSpace(string(b))
		comm, _ := os.ReadFile("/proc/" + child + "/comm")
		return child != "" && string(comm) == "sleep\n"
	})
	if err := unix.Stat("/proc/"+itoa(plain.cmd.Process.Pid)+"/fd", &st); err != nil || st.Uid != 0 {
		t.Errorf("/proc/PID/fd of a plain user's parent belongs to %d, %v: it is dumpable", st.Uid, err)
	}
	for _, d := range []*daemon{plain, d} {
		d.signal(t, syscall.SIGTERM)
		equal(t, "status", d.end(t), 0)
		equal(t, "stderr", d.stderr.String(), "")
	}
}
