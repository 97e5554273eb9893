//go:build linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/inherited"
	"github.com/hardrun/hardrun/integration/testgroup"
	"golang.org/x/sys/unix"
)

// A daemon of Debian's needs a machine of Debian's: its own /usr, /etc and /var, over which
// lie those of the packages that setup.sh has unpacked. What is written there is in memory,
// and gone with the namespaces. Process 1 of them is this program, started again, which does
// nothing but to reap; its one child does what the test is about.

const (
	groundVariable = "HARDRUN_UNIT_GROUND"    // the job's file, for process 1
	workerVariable = "HARDRUN_UNIT_WORKER"    // the same, for its child
	groundHardrun  = "/usr/local/bin/hardrun" // in there
	groundLog      = "/run/log-of-the-service"
	groundSyslog   = "/run/log-of-syslog"
)

// groundJob is what is done on the ground.
type groundJob struct {
	Base, Hardrun string
	Overlays      []string // directories that are laid over the system's
	Act           string   // the name of groundActs
	Arg           []string
}

// groundResult is what came of it.
type groundResult struct {
	Problems []string
}

// groundActs are what can be done. The keys are what a job names.
var groundActs = map[string]func(g *ground1, args []string){
	"daemon":  daemonAct,
	"mistake": mistakeAct,
	"profile": profileAct,
	"twice":   twiceAct,
}

// ground1 is the ground, for the one who acts on it.
type ground1 struct {
	groundResult
	job   groundJob
	group bool // one control group may be left
}

// problem notes what is not as it should be.
func (g *ground1) problem(format string, a ...any) {
	g.Problems = append(g.Problems, fmt.Sprintf(format, a...))
}

// groundEnd ends an act: what follows makes no sense.
type groundEnd struct{}

func (g *ground1) fatal(format string, a ...any) {
	g.problem(format, a...)
	panic(groundEnd{})
}

// must ends the act for an error.
func (g *ground1) must(err error) {
	if err != nil {
		g.fatal("%v", err)
	}
}

// peers are the directories with unpacked packages that are there.
func peers(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, name := range []string{"openrc", "daemons"} {
		dir, err := filepath.Abs("../bin/peers/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if exists(dir) {
			list = append(list, dir)
		}
	}
	return list
}

// installed tells whether a file of a package is there, by its path on the ground.
func installed(t *testing.T, path string) bool {
	t.Helper()
	return exists(path) || slices.ContainsFunc(peers(t), func(dir string) bool { return exists(dir + path) })
}

// onGround does an act, and holds that nothing was wrong.
func onGround(t *testing.T, act string, args ...string) {
	t.Helper()
	requireRoot(t)
	j := groundJob{Base: base, Hardrun: hardrun, Overlays: peers(t), Act: act, Arg: args}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, directory(t, 0o755)+"/job", string(text), 0o600)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(slices.Clone(smallEnv), groundVariable+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
	}
	if _, err := cmd.StdinPipe(); err != nil { // whose end is the ground's
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the ground: %v\n%s", err, out)
	}
	r := decode[groundResult](t, string(out))
	for _, p := range r.Problems {
		t.Error(p)
	}
}

func init() {
	var err error
	switch {
	case os.Getenv(groundVariable) != "":
		err = ground0(os.Getenv(groundVariable))
	case os.Getenv(workerVariable) != "":
		err = groundWorker(os.Getenv(workerVariable))
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ground0 is process 1.
func ground0(file string) error {
	debug.SetGCPercent(-1)
	if err := inherited.ResetSignals(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	go func() { // ends the namespaces with the test
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(1)
	}()
	null, err := os.Open("/dev/null")
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"worker"}, &syscall.ProcAttr{
		Env: append(slices.Clone(smallEnv), workerVariable+"="+file), Files: []uintptr{null.Fd(), 1, 2},
	})
	if err != nil {
		return fmt.Errorf("fork: %w", err)
	}
	for {
		var w syscall.WaitStatus
		p, err := syscall.Wait4(-1, &w, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case p == pid && w != 0:
			return fmt.Errorf("the worker ended with %#x", int(w))
		case p == pid:
			return nil
		}
	}
}

// groundWorker acts on the ground.
func groundWorker(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	g := &ground1{}
	if err := json.Unmarshal(text, &g.job); err != nil {
		return err
	}
	own, err := testgroup.Below()
	if err != nil {
		return err
	}
	if err := g.mounts(); err != nil {
		return err
	}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(groundEnd); !ok {
					panic(p)
				}
			}
		}()
		groundActs[g.job.Act](g, g.job.Arg)
	}()
	if left := strayed(); len(left) > 0 {
		g.problem("processes are left: %q", left)
	}
	if own.Dir != "" {
		if left, _ := filepath.Glob(own.Dir + "/*/*/cgroup.procs"); len(left) > 1 || len(left) == 1 && !g.group { // the pattern is a good one
			g.problem("control groups are left: %q", left)
		}
	}
	if err := own.Leave(); err != nil {
		g.problem("%v", err)
	}
	return json.NewEncoder(os.Stdout).Encode(g.groundResult)
}

// strayed are the processes beside this one and process 1; they are killed. Those that are about to
// end are given the time for it.
func strayed() []string {
	var left []string
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		pids := map[int]string{}
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is a good one
		for _, path := range all {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			line, rerr := os.ReadFile(path)
			if err == nil && rerr == nil && pid > 1 && pid != os.Getpid() && len(line) > 0 {
				pids[pid] = strings.ReplaceAll(strings.TrimSuffix(string(line), "\x00"), "\x00", " ")
			}
		}
		if len(pids) == 0 {
			return left
		}
		if time.Now().After(deadline) {
			for pid, line := range pids {
				if left = append(left, line); syscall.Kill(pid, syscall.SIGKILL) != nil {
					continue // it has ended
				}
			}
			deadline = time.Now().Add(time.Minute)
		}
	}
}

// mounts makes the ground of what is mounted here.
func (g *ground1) mounts() error {
	tmpfs := func(path, mode string) error {
		if err := unix.Mount("ground", path, "tmpfs", 0, "mode="+mode); err != nil {
			return fmt.Errorf("tmpfs on %s: %w", path, err)
		}
		return nil
	}
	if err := tmpfs("/mnt", "0755"); err != nil {
		return err
	}
	binary, err := os.ReadFile(g.job.Hardrun)
	if err != nil {
		return err
	}
	for _, dir := range []string{"/usr", "/etc", "/var"} {
		lower := ""
		for _, o := range g.job.Overlays {
			if exists(o + dir) {
				lower += o + dir + ":"
			}
		}
		upper, work := "/mnt"+dir, "/mnt/work"+dir
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount("ground", dir, "overlay", 0, "lowerdir="+lower+dir+",upperdir="+upper+",workdir="+work); err != nil {
			return fmt.Errorf("overlay on %s: %w", dir, err)
		}
	}
	if err := unix.Unmount("/mnt", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /mnt: %w", err)
	}
	for path, mode := range map[string]string{"/run": "0755", "/tmp": "1777", "/srv": "0755", "/dev": "0755", "/root": "0700"} {
		if err := tmpfs(path, mode); err != nil {
			return err
		}
	}
	if err := os.WriteFile(groundHardrun, binary, 0o755); err != nil {
		return err
	}
	unix.Umask(0)
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := unix.Mknod("/dev/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return fmt.Errorf("mknod /dev/%s: %w", name, err)
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm", "/run/lock"} {
		if err := os.Mkdir(dir, 0o1777|os.ModeSticky); err != nil {
			return err
		}
	}
	unix.Umask(0o022)
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"); err != nil {
		return fmt.Errorf("devpts: %w", err)
	}
	for link, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, "/dev/"+link); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("box")); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	return machineLoopback()
}

// put writes a file, its directories before it.
func (g *ground1) put(path, text string) {
	g.must(os.MkdirAll(filepath.Dir(path), 0o755))
	g.must(os.WriteFile(path, []byte(text), 0o644))
}

// sh runs a script, which must succeed, and is its output.
func (g *ground1) sh(script string) string {
	out, err := g.tried("sh", "-euc", script)
	if err != nil {
		g.fatal("%s: %v\n%s", script, err, out)
	}
	return out
}

// tried runs a program, and is what it wrote.
func (g *ground1) tried(argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = smallEnv, "/"
	cmd.WaitDelay = time.Second // what a program left running must not hold the pipe
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// background starts a program, which is to end with the act.
func (g *ground1) background(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = smallEnv, "/"
	log, err := os.OpenFile(groundLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	g.must(err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	g.must(cmd.Start())
	g.must(log.Close())
	return cmd
}

// ended waits for the end of a program in the background.
func (g *ground1) ended(cmd *exec.Cmd) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if status := (*exec.ExitError)(nil); err != nil && !errors.As(err, &status) {
			g.problem("%q: %v", cmd.Args, err)
		}
	case <-time.After(20 * time.Second):
		g.fatal("%q does not end\n%s", cmd.Args, g.logs())
	}
}

// within waits until ok, or ends the act.
func (g *ground1) within(what string, ok func() bool) {
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.fatal("%s: did not come to be\n%s", what, g.logs())
		}
	}
}

// logs is what was said so far.
func (g *ground1) logs() string {
	text := ""
	for _, name := range []string{groundLog, groundSyslog} {
		b, err := os.ReadFile(name)
		if err == nil {
			text += name + ":\n" + string(b[max(0, len(b)-3000):])
		}
	}
	return text
}

// syslog takes what is written to /dev/log.
func (g *ground1) syslog() {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log"})
	g.must(err)
	g.must(os.Chmod("/dev/log", 0o666))
	var mu sync.Mutex
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			log, err := os.OpenFile(groundSyslog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err == nil {
				_, err = log.Write(append(bytes.TrimSpace(b[:n]), '\n'))
				_ = log.Close()
			}
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
}

// say says something to an address, and is the answer until the other side is done or has
// given `lines` lines; empty where nobody listens.
func say(network, address, words string, lines int) string {
	conn, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	return sayTo(conn, words, lines)
}

func sayTo(conn net.Conn, words string, lines int) string {
	// This only ends what hangs.
	if conn.SetDeadline(time.Now().Add(5*time.Second)) != nil {
		return ""
	}
	if _, err := io.WriteString(conn, words); err != nil {
		return ""
	}
	var all []byte
	b := make([]byte, 1<<16)
	for {
		n, err := conn.Read(b)
		all = append(all, b[:n]...)
		if err != nil || lines > 0 && bytes.Count(all, []byte("\n")) >= lines {
			return string(all)
		}
	}
}

// supervisor is one that starts hardrun, knows a process, and speaks to it by signals.
type supervisor struct {
	needs  string // its program
	pkg    string
	start  func(g *ground1, words []string)
	once   func(g *ground1, words []string) string // a start of what ends by itself: the status
	pid    func(g *ground1) int
	reload func(g *ground1)
	stop   func(g *ground1) string // "0 0": status and signal; "" where the supervisor tells nobody
}

// runScript is a service directory.
func runScript(g *ground1, words []string) {
	quoted := ""
	for _, w := range words {
		quoted += " '" + w + "'"
	}
	g.put("/srv/service/run", "#!/bin/sh\nexec >>"+groundLog+" 2>&1\nexec "+groundHardrun+quoted+"\n")
	g.put("/srv/service/finish", "#!/bin/sh\necho \"$1 $2\" >/run/finished.new\nmv /run/finished.new /run/finished\n")
	for _, f := range []string{"run", "finish"} {
		g.must(os.Chmod("/srv/service/"+f, 0o755))
	}
}

func finished(g *ground1) string {
	text := ""
	g.within("the finish script", func() bool {
		b, err := os.ReadFile("/run/finished")
		text = strings.TrimSpace(string(b))
		return err == nil
	})
	return strings.Replace(text, "256 ", "-1 ", 1) // s6 and runit name a signal differently
}

// running is the process that the supervisor runs in the background.
var running *exec.Cmd

var supervisors = map[string]*supervisor{
	"runsv": {
		needs: "/usr/bin/runsv", pkg: "runit",
		start: func(g *ground1, words []string) {
			runScript(g, words)
			running = g.background("runsv", "/srv/service")
			g.within("runsv", func() bool { _, err := g.tried("sv", "status", "/srv/service"); return err == nil })
		},
		once: func(g *ground1, words []string) string {
			runScript(g, words)
			g.put("/srv/service/down", "")
			running = g.background("runsv", "/srv/service")
			g.within("runsv", func() bool { _, err := g.tried("sv", "status", "/srv/service"); return err == nil })
			g.sh("sv once /srv/service")
			status := finished(g)
			g.sh("sv exit /srv/service")
			g.ended(running)
			return status
		},
		pid: func(g *ground1) int {
			_, rest, _ := strings.Cut(g.sh("sv status /srv/service"), "(pid ")
			text, _, _ := strings.Cut(rest, ")")
			pid, _ := strconv.Atoi(text)
			return pid
		},
		reload: func(g *ground1) { g.sh("sv hup /srv/service") },
		stop: func(g *ground1) string {
			g.sh("sv -w 20 down /srv/service")
			status := finished(g)
			g.sh("sv exit /srv/service")
			g.ended(running)
			return status
		},
	},
	"s6-supervise": {
		needs: "/usr/bin/s6-supervise", pkg: "s6",
		start: func(g *ground1, words []string) {
			runScript(g, words)
			if slices.Contains(words, "--ready-fd=3") {
				g.put("/srv/service/notification-fd", "3\n")
			}
			running = g.background("s6-supervise", "/srv/service")
			g.within("s6-supervise", func() bool { _, err := g.tried("s6-svok", "/srv/service"); return err == nil })
			wait := "-u"
			if slices.Contains(words, "--ready-fd=3") {
				wait = "-U"
			}
			if out, err := g.tried("s6-svwait", wait, "-t", "20000", "/srv/service"); err != nil {
				g.fatal("s6-svwait %s: %v %s\n%s", wait, err, out, g.logs())
			}
		},
		once: func(g *ground1, words []string) string {
			runScript(g, words)
			g.put("/srv/service/down", "")
			running = g.background("s6-supervise", "/srv/service")
			g.within("s6-supervise", func() bool { _, err := g.tried("s6-svok", "/srv/service"); return err == nil })
			g.sh("s6-svc -o /srv/service")
			status := finished(g)
			g.sh("s6-svc -x /srv/service")
			g.ended(running)
			return status
		},
		pid: func(g *ground1) int {
			pid, _ := strconv.Atoi(strings.TrimSpace(g.sh("s6-svstat -o pid /srv/service")))
			return pid
		},
		reload: func(g *ground1) { g.sh("s6-svc -h /srv/service") },
		stop: func(g *ground1) string {
			g.sh("s6-svc -wD -T 20000 -d /srv/service")
			status := finished(g)
			g.sh("s6-svc -x /srv/service")
			g.ended(running)
			return status
		},
	},
	"start-stop-daemon": {
		needs: "/usr/sbin/start-stop-daemon", pkg: "dpkg",
		start: func(g *ground1, words []string) {
			argv := append([]string{
				"start-stop-daemon", "--start", "--quiet", "--background", "--make-pidfile", "--pidfile", "/run/service.pid",
				"--output", groundLog, "--startas", groundHardrun, "--",
			}, words...)
			if out, err := g.tried(argv...); err != nil {
				g.fatal("%q: %v %s", argv, err, out)
			}
		},
		once: func(g *ground1, words []string) string {
			argv := append([]string{"start-stop-daemon", "--start", "--quiet", "--pidfile", "/run/service.pid", "--startas", groundHardrun, "--"}, words...)
			out, err := g.tried(argv...)
			if err != nil {
				g.problem("%q: %v %s", argv, err, out)
			}
			return ""
		},
		pid: func(g *ground1) int {
			b, err := os.ReadFile("/run/service.pid")
			g.must(err)
			pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
			return pid
		},
		reload: func(g *ground1) { g.sh("start-stop-daemon --stop --quiet --signal HUP --pidfile /run/service.pid") },
		stop: func(g *ground1) string {
			g.sh("start-stop-daemon --stop --quiet --retry TERM/20 --remove-pidfile --pidfile /run/service.pid")
			return ""
		},
	},
	"supervise-daemon": {
		needs: "/usr/sbin/supervise-daemon", pkg: "openrc",
		start: func(g *ground1, words []string) {
			g.put("/etc/init.d/service", "#!/sbin/openrc-run\nsupervisor=supervise-daemon\ncommand="+groundHardrun+
				"\ncommand_args=\""+strings.Join(words, " ")+"\"\npidfile=/run/supervise-service.pid\noutput_log="+groundLog+"\nerror_log="+groundLog+"\n")
			g.must(os.Chmod("/etc/init.d/service", 0o755))
			g.sh("mkdir -p /run/openrc; cd /run/openrc; mkdir starting started stopping inactive wasinactive failed hotplugged daemons options exclusive scheduled tmp; touch softlevel")
			g.sh("/etc/init.d/service start")
		},
		pid: func(g *ground1) int {
			pid := 0
			g.within("the child of supervise-daemon", func() bool {
				b, err := os.ReadFile("/run/openrc/options/service/child_pid")
				if err != nil {
					return false
				}
				pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
				return err == nil
			})
			return pid
		},
		reload: func(g *ground1) {
			g.sh("RC_SVCNAME=service supervise-daemon service --signal HUP --pidfile /run/supervise-service.pid")
		},
		stop: func(g *ground1) string {
			g.sh("/etc/init.d/service stop")
			return ""
		},
	},
}
