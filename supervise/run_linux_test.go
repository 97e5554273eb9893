package supervise

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// The test binary is three programs: the tests, the parent of one service, and what the parent
// starts, which executes a shell.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "parent":
		os.Exit(parent(os.Args[2]))
	case len(os.Args) > 1 && os.Args[1] == "command":
		command(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "talk":
		talk(os.Args[2:])
	}
	os.Exit(m.Run())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

// command executes a shell as hardrun executes a daemon: descriptor 3 is closed by execve.
func command(args []string) {
	if os.Getenv("TEST_EXEC") != "" {
		unix.CloseOnExec(3)
		must(os.Unsetenv("TEST_EXEC"))
	}
	if strings.HasPrefix(args[0], "STEP ") { // a step of hardrun fails
		n, err := strconv.Atoi(args[0][5:])
		must(err)
		os.Exit(n)
	}
	must(unix.Exec("/bin/sh", append([]string{"sh", "-c"}, args...), os.Environ()))
}

// setup is what the tests give to the parent.
type setup struct {
	Spec    Spec
	Notify  bool
	Prior   bool // a child is there before
	Refuse  int  // the List of which nothing can be started, plus 1
	OOM     bool
	Outer   string
	CleanIs string // an error of Clean
	Typed   bool   // signals come from a terminal
	Broken  bool   // what tells of signals fails
}

func parent(dir string) int {
	text, err := os.ReadFile(dir + "/setup")
	must(err)
	var s setup
	must(json.Unmarshal(text, &s))
	trace, err := os.OpenFile(dir+"/trace", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	must(err)
	line := func(text string) { _, err := trace.WriteString(text + "\n"); must(err) }
	if s.Notify {
		s.Spec.NotifyPath = dir + "/n/notify"
		s.Spec.NotifyFD, err = Listen(s.Spec.NotifyPath)
		must(err)
	}
	if s.Prior {
		_, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
		must(err)
	}
	signals, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	must(err)
	var noted atomic.Uint64
	came := make(chan os.Signal, 1000)
	for n := 1; n <= 64; n++ {
		if Caught>>(n-1)&1 == 1 {
			signal.Notify(came, syscall.Signal(n))
		}
	}
	go func() {
		for n := range came {
			noted.Or(1 << (n.(syscall.Signal) - 1))
			_, _ = unix.Write(signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
	}()
	if s.Broken {
		signals = 1 << 20
	}
	h := Host{
		Signals: signals,
		Taken: func() (uint64, uint64) {
			if s.Typed {
				return 0, noted.Swap(0)
			}
			return noted.Swap(0), 0
		},
		Say: func(text string) { fmt.Println("say:", text) },
		Clean: func() []error {
			line("clean")
			if s.Broken { // what was killed is gone by now
				if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
					line(fmt.Sprintf("left %d %v", pid, err))
				}
			}
			if s.CleanIs != "" {
				return []error{fmt.Errorf("%s", s.CleanIs)}
			}
			return nil
		},
		OOMKilled: func() bool { return s.OOM },
		Start: func(c Command) (int, error) {
			shown := policy.ExecNames[c.List]
			if c.Index > 0 {
				shown += strconv.Itoa(c.Index)
			}
			for _, e := range c.Environ {
				if name, value, _ := strings.Cut(e, "="); name == "MAINPID" || name == "NOTIFY_SOCKET" || name == "PIDFILE" {
					shown += " " + name
				} else {
					shown += " " + value
				}
			}
			line(shown)
			if s.Refuse == c.List+1 {
				return 0, fmt.Errorf("refused")
			}
			attr := &syscall.ProcAttr{Env: slices.Concat(os.Environ(), c.Environ), Files: []uintptr{0, 1, 2}, Dir: dir}
			if c.Exec >= 0 {
				attr.Files = append(attr.Files, uintptr(c.Exec))
				attr.Env = append(attr.Env, "TEST_EXEC=1")
			}
			return syscall.ForkExec("/proc/self/exe", append([]string{"test", "command"}, s.Spec.Commands[c.List][c.Index].Args...), attr)
		},
	}
	return Run(&s.Spec, &h)
}

// service is a running parent.
type service struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	out  bytes.Buffer
	done bool
}

// spec is a policy's, with commands by their lists: "ExecStart" to a shell text, of which a
// "-" in front ignores a failure, and "\x00" separates several.
func spec(kind string, commands map[string]string) setup {
	p := &policy.Policy{}
	p.Service.Type = policy.Opt[string]{V: kind, Set: true}
	p.Service.TimeoutStartSec = policy.Opt[uint64]{V: 20e6, Set: true}
	p.Service.TimeoutStopSec = policy.Opt[uint64]{V: 20e6, Set: true}
	for name, text := range commands {
		list := slices.Index(policy.ExecNames[:], name)
		for one := range strings.SplitSeq(text, "\x00") {
			c := policy.Command{Ignore: strings.HasPrefix(one, "-"), Path: "/bin/sh", Args: []string{strings.TrimPrefix(one, "-")}}
			p.Service.Commands[list].Items = append(p.Service.Commands[list].Items, policy.Item[policy.Command]{V: c})
		}
	}
	return setup{Spec: *Of(p)}
}

func begin(t *testing.T, s setup, files ...*os.File) *service {
	t.Helper()
	v := &service{t: t, dir: t.TempDir()}
	v.put("trace", "")
	v.put("daemon", "echo $$ >main; trap 'exit 6' USR2; while :; do sleep 0.05; done")
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	v.put("setup", string(text))
	v.cmd = exec.Command("/proc/self/exe", "parent", v.dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v.cmd.Env = append(os.Environ(), "T="+v.dir, "SELF="+self)
	v.cmd.Stdout, v.cmd.Stderr, v.cmd.ExtraFiles = &v.out, &v.out, files
	v.cmd.WaitDelay = 2 * time.Second // who is left has the pipe
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !v.done {
			_ = v.cmd.Process.Kill()
			_ = v.cmd.Wait()
		}
		for _, pid := range v.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return v
}

func (v *service) put(name, text string) {
	v.t.Helper()
	if err := os.WriteFile(v.dir+"/"+name, []byte(text), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

func (v *service) get(name string) string {
	text, _ := os.ReadFile(v.dir + "/" + name)
	return strings.TrimSpace(string(text))
}

// processes are those of the service, the parent not among them.
func (v *service) processes() (list []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(dir + "/environ")
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if pid != v.cmd.Process.Pid && slices.Contains(strings.Split(string(env), "\x00"), "T="+v.dir) {
			list = append(list, pid)
		}
	}
	return list
}

// until waits until something is so.
func (v *service) until(what string, is func() bool) {
	v.t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	v.t.Fatalf("it never came to: %s\ntrace:\n%s\noutput:\n%s", what, v.get("trace"), v.out.String())
}

func (v *service) there(name string) {
	v.t.Helper()
	v.until(name, func() bool { return v.get(name) != "" })
}

func (v *service) send(signals ...syscall.Signal) {
	v.t.Helper()
	for _, s := range signals {
		if err := v.cmd.Process.Signal(s); err != nil {
			v.t.Fatal(err)
		}
	}
}

// ends waits for the end and compares the status, and what was started.
func (v *service) ends(status int, trace ...string) {
	v.t.Helper()
	timer := time.AfterFunc(40*time.Second, func() { _ = v.cmd.Process.Signal(syscall.SIGKILL) })
	err := v.cmd.Wait()
	v.done = true
	if !timer.Stop() {
		v.t.Errorf("it did not end")
	}
	if got := v.cmd.ProcessState.ExitCode(); got != status {
		v.t.Errorf("status %d, want %d (%v)", got, status, err)
	}
	if got, want := v.get("trace"), strings.Join(trace, "\n"); got != want {
		v.t.Errorf("trace:\n%s\nwant:\n%s", got, want)
	}
	if v.t.Failed() {
		v.t.Logf("output:\n%s", v.out.String())
	}
}

// nobody shows that no process is left.
func (v *service) nobody() {
	v.t.Helper()
	if left := v.processes(); len(left) > 0 {
		v.t.Errorf("processes are left: %v", left)
	}
}

const (
	pre, main, post, stopCmd, reloadCmd, stopPostCmd, cond = "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecReload", "ExecStopPost", "ExecCondition"
	forever                                                = "echo $$ >main; exec sleep 1000"
)

// TestLives are services that nobody has to do anything to.
func TestLives(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     string
		commands map[string]string
		change   func(s *setup)
		status   int
		trace    []string
	}{
		{
			"all in order", "simple",
			map[string]string{cond: "exit 0\x00exit 0", pre: "exit 0\x00exit 0", main: "sleep 0.3", post: "true", stopCmd: "true\x00true", stopPostCmd: "true\x00true"},
			nil, 0,
			[]string{"ExecCondition", "ExecCondition1", "ExecStartPre", "ExecStartPre1", "ExecStart", "ExecStartPost MAINPID", "ExecStop success exited 0", "ExecStop1 success exited 0", "ExecStopPost success exited 0", "ExecStopPost1 success exited 0", "clean"},
		},
		{"status of the main process", "simple", map[string]string{main: "sleep 0.1; exit 7", stopCmd: "true", stopPostCmd: "true"}, nil, 7, []string{"ExecStart", "ExecStopPost exit-code exited 7", "clean"}},
		{"an own signal", "simple", map[string]string{main: "kill -USR1 $$", stopPostCmd: "true"}, nil, 128 + int(unix.SIGUSR1), []string{"ExecStart", "ExecStopPost signal killed USR1", "clean"}},
		{"a real-time signal", "simple", map[string]string{main: "kill -36 $$", stopPostCmd: "true"}, nil, 128 + 36, []string{"ExecStart", "ExecStopPost signal killed RTMIN+2", "clean"}},
		{"a clean signal", "simple", map[string]string{main: "kill -HUP $$", stopPostCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStopPost success killed HUP", "clean"}},
		{"which is none for oneshot", "oneshot", map[string]string{main: "kill -HUP $$", stopPostCmd: "true"}, nil, 129, []string{"ExecStart", "ExecStopPost signal killed HUP", "clean"}},
		{"SuccessExitStatus", "simple", map[string]string{main: "exit 75", stopPostCmd: "true"}, func(s *setup) { s.Spec.Success.Status[1] = 1 << (75 - 64) }, 0, []string{"ExecStart", "ExecStopPost success exited 75", "clean"}},
		{"SuccessExitStatus of a signal", "simple", map[string]string{main: "kill -KILL $$", stopPostCmd: "true"}, func(s *setup) { s.Spec.Success.Signals = 1 << 8 }, 0, []string{"ExecStart", "ExecStopPost success killed KILL", "clean"}},
		{"killed for memory", "simple", map[string]string{main: "kill -KILL $$", stopPostCmd: "true"}, func(s *setup) { s.OOM = true }, 137, []string{"ExecStart", "ExecStopPost oom-kill killed KILL", "clean"}},
		{"an ignored failure", "simple", map[string]string{main: "-exit 7", stopPostCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStopPost success exited 7", "clean"}},
		{"a step that fails", "simple", map[string]string{main: "STEP 203", stopPostCmd: "true"}, nil, 203, []string{"ExecStart", "ExecStopPost exit-code exited 203", "clean"}},
		{"exec and a step that fails", "exec", map[string]string{main: "STEP 203", post: "true", stopCmd: "true"}, nil, 203, []string{"ExecStart", "clean"}},
		{"exec", "exec", map[string]string{main: "sleep 0.3", post: "true", stopCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStartPost MAINPID", "ExecStop success exited 0", "clean"}},
		{"condition says no", "simple", map[string]string{cond: "true\x00exit 254\x00true", pre: "true", main: "true", stopPostCmd: "true"}, nil, 0, []string{"ExecCondition", "ExecCondition1", "ExecStopPost exec-condition", "clean"}},
		{"with a status", "simple", map[string]string{cond: "exit 1", main: "true"}, func(s *setup) { s.Spec.SkipStatus = 3 }, 3, []string{"ExecCondition", "clean"}},
		{"condition fails", "simple", map[string]string{cond: "exit 255", main: "true", stopPostCmd: "true"}, nil, 255, []string{"ExecCondition", "ExecStopPost exit-code", "clean"}},
		{"condition ends by a signal", "simple", map[string]string{cond: "kill -TERM $$", main: "true"}, nil, 143, []string{"ExecCondition", "clean"}},
		{"pre fails", "simple", map[string]string{pre: "-exit 3\x00exit 4\x00true", main: "true", post: "true", stopCmd: "true", stopPostCmd: "true"}, nil, 4, []string{"ExecStartPre", "ExecStartPre1", "ExecStopPost exit-code", "clean"}},
		{"post fails", "simple", map[string]string{main: "sleep 1000", post: "exit 5\x00true", stopCmd: "true", stopPostCmd: "true"}, nil, 5, []string{"ExecStart", "ExecStartPost MAINPID", "ExecStopPost exit-code killed TERM", "clean"}},
		{"stop fails", "simple", map[string]string{main: "sleep 0.3", stopCmd: "exit 6\x00true", stopPostCmd: "true"}, nil, 6, []string{"ExecStart", "ExecStop success exited 0", "ExecStopPost exit-code exited 0", "clean"}},
		{"stop-post fails", "simple", map[string]string{main: "true", stopPostCmd: "exit 8\x00true"}, nil, 8, []string{"ExecStart", "ExecStopPost success exited 0", "clean"}},
		{"oneshot in order", "oneshot", map[string]string{main: "true\x00-false\x00true", post: "true", stopCmd: "true", stopPostCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStart1", "ExecStart2", "ExecStartPost", "ExecStop success exited 0", "ExecStopPost success exited 0", "clean"}},
		{"oneshot fails", "oneshot", map[string]string{main: "true\x00exit 9\x00true", post: "true", stopCmd: "true", stopPostCmd: "true"}, nil, 9, []string{"ExecStart", "ExecStart1", "ExecStopPost exit-code exited 9", "clean"}},
		{"oneshot without a command", "oneshot", map[string]string{stopCmd: "true"}, nil, 0, []string{"ExecStop success", "clean"}},
		{"nothing to start", "simple", map[string]string{stopPostCmd: "true"}, nil, 71, []string{"ExecStopPost resources", "clean"}},
		{"pre cannot be started", "simple", map[string]string{pre: "true", main: "true", stopPostCmd: "true"}, func(s *setup) { s.Refuse = policy.ExecStartPre + 1 }, 71, []string{"ExecStartPre", "ExecStopPost resources", "clean"}},
		{"start cannot be started", "simple", map[string]string{main: "true", stopPostCmd: "true"}, func(s *setup) { s.Refuse = policy.ExecStart + 1 }, 71, []string{"ExecStart", "ExecStopPost resources", "clean"}},
		{"post cannot be started", "simple", map[string]string{main: "sleep 1000", post: "true"}, func(s *setup) { s.Refuse = policy.ExecStartPost + 1 }, 71, []string{"ExecStart", "ExecStartPost MAINPID", "clean"}},
		{"stop-post cannot be started", "simple", map[string]string{main: "true", stopPostCmd: "true\x00true"}, func(s *setup) { s.Refuse = policy.ExecStopPost + 1 }, 71, []string{"ExecStart", "ExecStopPost success exited 0", "clean"}},
		{"clean fails", "simple", map[string]string{main: "true"}, func(s *setup) { s.CleanIs = "the directory stays" }, 0, []string{"ExecStart", "clean"}},
		{"notify ends too soon", "notify", map[string]string{main: "true", post: "true", stopCmd: "true"}, func(s *setup) { s.Notify = true }, 76, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"notify fails", "notify", map[string]string{main: "exit 3", post: "true"}, func(s *setup) { s.Notify = true }, 3, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"the start takes too long", "oneshot", map[string]string{main: "exec sleep 1000", stopCmd: "true", stopPostCmd: "true"}, func(s *setup) { s.Spec.TimeoutStart = 200e3 }, 124, []string{"ExecStart", "ExecStopPost timeout killed TERM", "clean"}},
		{"pre takes too long", "simple", map[string]string{pre: "exec sleep 1000", main: "true", stopPostCmd: "true"}, func(s *setup) { s.Spec.TimeoutStart = 200e3 }, 124, []string{"ExecStartPre", "ExecStopPost timeout", "clean"}},
		{"and is killed", "oneshot", map[string]string{main: "trap '' TERM; sleep 1000 & wait; wait", stopPostCmd: "true"}, func(s *setup) { s.Spec.TimeoutStart, s.Spec.StartFailure = 300e3, "kill" }, 124, []string{"ExecStart", "ExecStopPost timeout killed KILL", "clean"}},
		{"and is aborted", "oneshot", map[string]string{main: "ulimit -c 0; exec sleep 1000", stopPostCmd: "true"}, func(s *setup) { s.Spec.TimeoutStart, s.Spec.StartFailure = 300e3, "abort" }, 124, []string{"ExecStart", "ExecStopPost timeout killed ABRT", "clean"}},
		{"notify takes too long", "notify", map[string]string{main: "exec sleep 1000", stopPostCmd: "true"}, func(s *setup) { s.Notify = true; s.Spec.TimeoutStart = 200e3 }, 124, []string{"ExecStart NOTIFY_SOCKET", "ExecStopPost timeout killed TERM", "clean"}},
		{"simple has no time", "simple", map[string]string{main: "exec sleep 0.4", stopPostCmd: "true"}, func(s *setup) { s.Spec.TimeoutStart = 100e3 }, 0, []string{"ExecStart", "ExecStopPost success exited 0", "clean"}},
		{"it may run for so long", "simple", map[string]string{main: "exec sleep 1000", stopCmd: "true", stopPostCmd: "true"}, func(s *setup) { s.Spec.RuntimeMax, s.Spec.RuntimeExtra = 200e3, 1000 }, 124, []string{"ExecStart", "ExecStop MAINPID timeout", "ExecStopPost timeout killed TERM", "clean"}},
		{"stop-post takes too long", "simple", map[string]string{main: "true", stopPostCmd: "exec sleep 1000\x00true"}, func(s *setup) { s.Spec.TimeoutStop = 300e3 }, 124, []string{"ExecStart", "ExecStopPost success exited 0", "clean"}},
		{"what pre leaves is killed", "simple", map[string]string{pre: "sleep 1000 & echo $! >left", main: "sleep 0.2; test ! -d /proc/$(cat left) && exit 11"}, nil, 11, []string{"ExecStartPre", "ExecStart", "clean"}},
		{"variables of the stop", "simple", map[string]string{main: "exit 7", stopPostCmd: `exec >vars; echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS ${MAINPID-none}; test "$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS ${MAINPID-none}" = "exit-code exited 7 none" || kill -KILL $$`}, nil, 7, []string{"ExecStart", "ExecStopPost exit-code exited 7", "clean"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := spec(c.kind, c.commands)
			if c.change != nil {
				c.change(&s)
			}
			v := begin(t, s)
			v.ends(c.status, c.trace...)
			v.nobody()
			if s.CleanIs != "" && !strings.Contains(v.out.String(), s.CleanIs) {
				t.Error("the error of Clean was not said")
			}
		})
	}
}

// TestStop stops by TERM, twice, in every way.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name     string
		commands map[string]string
		change   func(s *Spec)
		status   int
		trace    []string
	}{
		{"by the signal", map[string]string{main: forever, stopPostCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStopPost success killed TERM", "clean"}},
		{"by another", map[string]string{main: forever, stopPostCmd: "true"}, func(s *Spec) { s.KillSignal = int(unix.SIGQUIT) }, 131, []string{"ExecStart", "ExecStopPost signal killed QUIT", "clean"}},
		{"by a command", map[string]string{main: forever, stopCmd: `test $(cat main) = $MAINPID && kill -USR1 $MAINPID; sleep 0.1`, stopPostCmd: "true"}, func(s *Spec) { s.Success.Signals = 1 << (unix.SIGUSR1 - 1) }, 0, []string{"ExecStart", "ExecStop MAINPID success", "ExecStopPost success killed USR1", "clean"}},
		{"a command that takes too long", map[string]string{main: forever, stopCmd: "exec sleep 1000\x00true", stopPostCmd: "true"}, func(s *Spec) { s.TimeoutStop = 300e3 }, 124, []string{"ExecStart", "ExecStop MAINPID success", "ExecStopPost timeout killed TERM", "clean"}},
		{"the status counts", map[string]string{main: `trap 'exit 3' TERM; echo $$ >main; sleep 1000 & wait`, stopPostCmd: "true"}, nil, 3, []string{"ExecStart", "ExecStopPost exit-code exited 3", "clean"}},
		{"TERM is ignored", map[string]string{main: `trap '' TERM; echo $$ >main; exec sleep 1000`, stopPostCmd: "true"}, func(s *Spec) { s.TimeoutStop = 300e3 }, 124, []string{"ExecStart", "ExecStopPost timeout killed KILL", "clean"}},
		{"and aborted", map[string]string{main: `ulimit -c 0; trap '' TERM; echo $$ >main; exec sleep 1000`, stopPostCmd: "true"}, func(s *Spec) { s.TimeoutStop, s.TimeoutAbort, s.StopFailure = 300e3, 20e6, "abort" }, 124, []string{"ExecStart", "ExecStopPost timeout killed ABRT", "clean"}},
		{"another last signal", map[string]string{main: `trap '' TERM; echo $$ >main; exec sleep 1000`, stopPostCmd: "true"}, func(s *Spec) { s.TimeoutStop, s.FinalKillSignal = 300e3, int(unix.SIGALRM) }, 124, []string{"ExecStart", "ExecStopPost timeout killed ALRM", "clean"}},
		{"a stopped process", map[string]string{main: `echo $$ >main; kill -STOP $$; exit 4`, stopPostCmd: "true"}, nil, 0, []string{"ExecStart", "ExecStopPost success killed TERM", "clean"}},
		{"with HUP", map[string]string{main: `trap 'echo 1 >hup; exit 0' HUP; trap '' TERM; echo $$ >main; while :; do sleep 0.05; done`, stopPostCmd: "test -s hup"}, func(s *Spec) { s.SendSIGHUP = true }, 0, []string{"ExecStart", "ExecStopPost success exited 0", "clean"}},
		{"while pre runs", map[string]string{pre: "echo $$ >main; exec sleep 1000", main: "true", stopCmd: "true", stopPostCmd: "true"}, nil, 143, []string{"ExecStartPre", "ExecStopPost signal", "clean"}},
		{"while post runs", map[string]string{main: "exec sleep 1000", post: "echo $$ >main; exec sleep 1000", stopCmd: "true", stopPostCmd: "true"}, nil, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := spec("simple", c.commands)
			if c.change != nil {
				c.change(&s.Spec)
			}
			v := begin(t, s)
			v.there("main")
			time.Sleep(50 * time.Millisecond)
			v.send(unix.SIGTERM, unix.SIGCONT, unix.SIGINT)
			if c.trace == nil { // which of the two ends first is open
				timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
				_ = v.cmd.Wait()
				timer.Stop()
				v.done = true
				if strings.Contains(v.get("trace"), "ExecStop ") || !strings.HasSuffix(v.get("trace"), "clean") {
					t.Errorf("trace:\n%s", v.get("trace"))
				}
			} else {
				v.ends(c.status, c.trace...)
			}
			v.nobody()
		})
	}
}

// TestStopped ends a process that is stopped: CONT follows the signal.
func TestStopped(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"echo $$ >main; kill -STOP $$; exit 4", "(kill -STOP $(exec sh -c 'echo $PPID')) & " + forever} {
		v := begin(t, spec("simple", map[string]string{main: text}))
		v.there("main")
		v.until("a stopped process", func() bool {
			for _, pid := range v.processes() {
				if stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); bytes.Contains(stat, []byte(") T ")) {
					return true
				}
			}
			return false
		})
		v.send(unix.SIGTERM)
		v.ends(0, "ExecStart", "clean")
		v.nobody()
	}
}

// TestKillMode stops a service with a child, which ignores TERM or does not, and outlives the
// main process or does not.
func TestKillMode(t *testing.T) {
	const child = `(trap 'echo 1 >told; exit 0' TERM; echo 1 >child; while :; do sleep 0.05; done) & `
	const deaf = `(trap '' TERM; echo 1 >child; while :; do sleep 0.05; done) & `
	for _, c := range []struct {
		mode, main string
		stop       bool // by TERM, or the main process ends by itself
		told       bool // the child gets TERM
		left       bool
		status     int
	}{
		{"control-group", child + forever, true, true, false, 0},
		{"control-group", deaf + forever, true, false, false, 124},
		{"control-group", child + "sleep 0.3; exit 0", false, true, false, 0},
		{"control-group", deaf + "sleep 0.3; exit 0", false, false, false, 124},
		{"control-group", child + "sleep 0.3; exit 5", false, true, false, 5},
		{"mixed", child + forever, true, false, false, 0},
		{"mixed", child + "sleep 0.3; exit 5", false, false, false, 5},
		{"process", child + forever, true, false, true, 0},
		{"process", child + "sleep 0.3; exit 5", false, false, true, 5},
		{"none", child + forever, true, false, true, 0},
	} {
		t.Run(c.mode+"/"+strconv.FormatBool(c.stop), func(t *testing.T) {
			t.Parallel()
			s := spec("simple", map[string]string{main: c.main})
			s.Spec.KillMode, s.Spec.TimeoutStop = c.mode, 1e6
			v := begin(t, s)
			v.there("child")
			if c.stop {
				v.there("main")
				v.send(unix.SIGTERM)
			}
			v.ends(c.status, "ExecStart", "clean")
			time.Sleep(100 * time.Millisecond)
			if got := v.get("told") != ""; got != c.told {
				t.Errorf("the child was told: %v", got)
			}
			if c.left != (len(v.processes()) > 0) {
				t.Errorf("left: %v", v.processes())
			}
		})
	}
}

// TestSendSIGKILL leaves a process that ignores TERM, after having asked it twice.
func TestSendSIGKILL(t *testing.T) {
	t.Parallel()
	s := spec("simple", map[string]string{main: "trap '' TERM; " + forever, stopPostCmd: "true"})
	s.Spec.SendSIGKILL, s.Spec.TimeoutStop = false, 300e3
	v := begin(t, s)
	v.there("main")
	time.Sleep(50 * time.Millisecond)
	v.send(unix.SIGTERM)
	v.ends(124, "ExecStart", "ExecStopPost MAINPID timeout", "clean")
	if len(v.processes()) != 1 {
		t.Errorf("left: %v", v.processes())
	}
}

// TestForks are daemons that fork.
func TestForks(t *testing.T) {
	for _, c := range []struct {
		name    string
		main    string
		post    string
		pidFile bool
		known   bool // $MAINPID is the daemon
		status  int
	}{
		{"once", `sh daemon & sleep 0.2`, "", false, true, 6},
		{"twice", `(setsid sh daemon & ); sleep 0.3`, "", false, true, 6},
		{"twice, and the one in the middle stays for a moment", `(sh daemon & exec sleep 0.3) & sleep 0.1`, "", false, true, 6},
		{"two of them", `sh daemon & sleep 1000 & sleep 0.2`, "", false, false, 0},
		{"with a PID file", `(setsid sh daemon & ); sleep 0.2; cat main >pid`, "", true, true, 6},
		{"of a process that is no child", `(sh daemon & exec sleep 1000) & sleep 0.2; cat main >pid`, "", true, true, 0},
		{"which comes late", `(setsid sh daemon & ); (sleep 0.3; cat main >pid) &`, "", true, true, 6},
		{"which post writes", `(setsid sh daemon & ); sleep 0.2`, "cat main >pid", true, true, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			commands := map[string]string{main: c.main, reloadCmd: "echo ${MAINPID-none} >asked"}
			if c.post != "" {
				commands[post] = c.post
			}
			s := spec("forking", commands)
			dir := t.TempDir()
			if c.pidFile {
				s.Spec.PIDFile = dir + "/pid"
				for list := range s.Spec.Commands {
					for i := range s.Spec.Commands[list] {
						a := &s.Spec.Commands[list][i].Args[0]
						*a = strings.ReplaceAll(*a, ">pid", ">"+dir+"/pid")
					}
				}
			}
			v := begin(t, s)
			v.there("main")
			time.Sleep(700 * time.Millisecond)
			v.send(unix.SIGHUP)
			v.there("asked")
			if !c.known && v.get("asked") != "none" {
				t.Errorf("MAINPID is %s", v.get("asked"))
			}
			if c.known && v.get("asked") != v.get("main") {
				t.Errorf("MAINPID is %s, the daemon %s", v.get("asked"), v.get("main"))
			}
			v.send(unix.SIGUSR2)
			if !c.known { // it goes to nobody
				v.send(unix.SIGTERM)
			}
			trace := []string{"ExecStart"}
			if c.pidFile {
				trace[0] += " PIDFILE"
			}
			rest := v.get("trace")
			timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
			_ = v.cmd.Wait()
			timer.Stop()
			v.done = true
			if got := v.cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d\n%s\n%s", got, c.status, rest, v.out.String())
			}
			if !strings.HasPrefix(v.get("trace"), trace[0]+"\n") || !strings.HasSuffix(v.get("trace"), "\nclean") {
				t.Errorf("trace:\n%s", v.get("trace"))
			}
			if c.pidFile {
				if _, err := os.Lstat(dir + "/pid"); !os.IsNotExist(err) {
					t.Error("the PID file is left")
				}
			}
			v.nobody()
		})
	}
}

// TestForksBadly are daemons that do not do what Type=forking says.
func TestForksBadly(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	const daemon = `(setsid sleep 1000 & echo $! >main); sleep 0.1; `
	for _, c := range []struct {
		name, main string
		say        string
		status     int
	}{
		{"the initial process fails", daemon + "exit 3", "status 3", 3},
		{"the file holds a stranger", daemon + "echo " + strconv.Itoa(other.Process.Pid) + " >PID", "is not the service's", 124},
		{"and nobody is left", "echo " + strconv.Itoa(other.Process.Pid) + " >PID", "is not the service's", 76},
		{"the file holds process 1", daemon + "echo 1 >PID", "is not the service's", 124},
		{"the file holds this process's parent", daemon + "echo $PPID >PID", "is not the service's", 124},
		{"the file holds the initial process", daemon + "echo $$ >PID", "is not there", 124},
		{"garbage", daemon + "echo 12x >PID", "holds no process ID", 124},
		{"nothing", daemon + ": >PID", "holds no process ID", 124},
		{"a negative number", daemon + "echo -1 >PID", "holds no process ID", 124},
		{"a large number", daemon + "echo 99999999999 >PID", "holds no process ID", 124},
		{"a link", daemon + "cat main >target; ln -s $PWD/target PID", "symbolic link", 124},
		{"a pipe", daemon + "mkfifo PID", "is no file", 124},
		{"a directory", daemon + "mkdir PID", "is no file", 124},
		{"a file of another user", daemon + "cat main >PID; chown 12345 PID", "uid 12345", 124},
		{"no file", daemon, "open: no such file", 124},
		{"no file and nobody left", "true", "never written", 76},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.main, "chown") && os.Getuid() != 0 {
				t.Skip("only root can give a file away")
			}
			dir := t.TempDir()
			s := spec("forking", map[string]string{main: strings.ReplaceAll(c.main, "PID", dir+"/pid"), stopCmd: "true", stopPostCmd: "true"})
			for i := range s.Spec.Commands[policy.ExecStart] {
				a := &s.Spec.Commands[policy.ExecStart][i].Args[0]
				*a = strings.ReplaceAll(*a, "$P"+dir+"/pid", "$PPID") // of $PPID only the end was meant
			}
			s.Spec.PIDFile, s.Spec.TimeoutStart = dir+"/pid", 1500e3
			if strings.Contains(c.main, "$PPID") {
				s.Spec.Commands[policy.ExecStart][0].Args[0] = daemon + "echo $PPID >" + dir + "/pid"
			}
			v := begin(t, s)
			result := map[int]string{3: "exit-code", 124: "timeout", 76: "protocol"}[c.status]
			v.ends(c.status, "ExecStart PIDFILE", "ExecStopPost PIDFILE "+result, "clean")
			if !strings.Contains(v.out.String(), c.say) {
				t.Errorf("it did not say %q:\n%s", c.say, v.out.String())
			}
			v.nobody()
		})
	}
}

// TestMoves lets a main process end that has written another one into PIDFile=.
func TestMoves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spec("forking", map[string]string{
		main: `(setsid sh -c 'echo $$ >` + dir + `/pid; sleep 0.3; echo 1 >first; sh -c "echo \$\$ >` + dir + `/pid; echo 1 >second; sleep 0.5; exit 9" & until test -e second; do sleep 0.02; done; exit 0' & ) ; sleep 0.2`,
	})
	s.Spec.PIDFile = dir + "/pid"
	v := begin(t, s)
	v.there("first")
	timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
	_ = v.cmd.Wait()
	timer.Stop()
	v.done = true
	if got := v.cmd.ProcessState.ExitCode(); got != 9 {
		t.Errorf("status %d, want 9\n%s", got, v.out.String())
	}
	v.nobody()
}

// TestRemain holds a service without a process until it is stopped.
func TestRemain(t *testing.T) {
	t.Parallel()
	s := spec("oneshot", map[string]string{main: "true", post: "echo 1 >main", reloadCmd: "echo 1 >reloaded", stopCmd: "true", stopPostCmd: "true"})
	s.Spec.RemainAfterExit = true
	v := begin(t, s)
	v.there("main")
	time.Sleep(200 * time.Millisecond)
	v.send(unix.SIGHUP)
	v.there("reloaded")
	time.Sleep(50 * time.Millisecond)
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart", "ExecStartPost", "ExecReload", "ExecStop success exited 0", "ExecStopPost success exited 0", "clean")
	v.nobody()
}

// TestReload reloads by a command, which may fail, hang, or be interrupted.
func TestReload(t *testing.T) {
	for _, c := range []struct{ name, reload string }{
		{"works", `test $MAINPID = $(cat main) && echo 1 >>reloaded`},
		{"fails", `echo 1 >>reloaded; exit 1` + "\x00" + `echo 1 >never`},
		{"hangs", `echo 1 >>reloaded; exec sleep 1000`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := spec("simple", map[string]string{main: forever, reloadCmd: c.reload})
			s.Spec.TimeoutStart = 400e3
			v := begin(t, s)
			v.there("main")
			for n := 1; n <= 2; n++ {
				v.send(unix.SIGHUP)
				v.until("a reload", func() bool { return strings.Count(v.get("reloaded"), "1") == n })
			}
			time.Sleep(600 * time.Millisecond)
			v.send(unix.SIGTERM)
			v.ends(0, "ExecStart", "ExecReload MAINPID", "ExecReload MAINPID", "clean")
			if v.get("never") != "" {
				t.Error("it went on after a failure")
			}
			v.nobody()
		})
	}
}

// TestForward sends signals to the main process, and HUP without ExecReload=.
func TestForward(t *testing.T) {
	t.Parallel()
	signals := []syscall.Signal{unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGWINCH, unix.SIGCONT, unix.SIGABRT, unix.SIGTSTP, syscall.Signal(40), syscall.Signal(64)}
	text := ""
	for _, s := range signals {
		text += fmt.Sprintf("trap 'echo %d >>got' %d; ", s, s)
	}
	v := begin(t, spec("simple", map[string]string{main: text + "echo $$ >main; while :; do sleep 0.02; done"}))
	v.there("main")
	for _, s := range signals {
		v.send(s)
		v.until(s.String(), func() bool { return slices.Contains(strings.Fields(v.get("got")), strconv.Itoa(int(s))) })
	}
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart", "clean")
	v.nobody()
}

// TestTyped does not send what the main process has got from the terminal itself.
func TestTyped(t *testing.T) {
	t.Parallel()
	for prefix, forwarded := range map[string]bool{"": false, "exec setsid ": true} {
		s := spec("simple", map[string]string{main: prefix + `sh -c 'trap "echo 1 >got" QUIT; echo $$ >main; while :; do sleep 0.05; done'`})
		s.Typed = true
		v := begin(t, s)
		v.there("main")
		v.send(unix.SIGQUIT)
		if forwarded {
			v.there("got")
		} else if time.Sleep(500 * time.Millisecond); v.get("got") != "" {
			t.Error("it was sent a second time")
		}
		v.send(unix.SIGTERM)
		v.ends(0, "ExecStart", "clean")
		v.nobody()
	}
}

// TestBroken ends when it cannot hear of anything any more.
func TestBroken(t *testing.T) {
	t.Parallel()
	s := spec("simple", map[string]string{main: "sleep 1000 & " + forever, stopPostCmd: "true"})
	s.Broken = true
	v := begin(t, s)
	v.ends(71, "ExecStart", "clean")
	v.until("nobody", func() bool { return len(v.processes()) == 0 })
	if !strings.Contains(v.out.String(), "read(eventfd)") {
		t.Errorf("output: %s", v.out.String())
	}
}

// TestStorm sends thousands of signals.
func TestStorm(t *testing.T) {
	t.Parallel()
	v := begin(t, spec("simple", map[string]string{main: "trap '' USR1 USR2 WINCH; " + forever, reloadCmd: "true"}))
	v.there("main")
	time.Sleep(50 * time.Millisecond)
	for i := range 5000 {
		v.send([]syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGCONT, unix.SIGWINCH, syscall.SIGCHLD, syscall.SIGPIPE}[i%7])
	}
	v.send(unix.SIGTERM)
	for range 1000 {
		if v.cmd.Process.Signal(unix.SIGTERM) != nil {
			break
		}
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
	_ = v.cmd.Wait()
	v.done = true
	timer.Stop()
	if got := v.cmd.ProcessState.ExitCode(); got != 0 {
		t.Errorf("status %d", got)
	}
	trace := strings.Split(v.get("trace"), "\n")
	if trace[len(trace)-1] != "clean" || len(trace) > 5003 {
		t.Errorf("%d lines, the last is %s", len(trace), trace[len(trace)-1])
	}
	v.nobody()
}

// TestOrphans makes a thousand orphans, of which no zombie stays.
func TestOrphans(t *testing.T) {
	t.Parallel()
	v := begin(t, spec("simple", map[string]string{main: "i=0; while [ $i -lt 1000 ]; do (true & ) ; i=$((i+1)); done; echo $$ >main; exec sleep 1000"}))
	v.there("main")
	v.until("no zombie", func() bool {
		p, err := openProc()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(p.dir) }()
		list, err := p.all()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range list {
			if s.parent == v.cmd.Process.Pid {
				n++
			}
		}
		return n == 1
	})
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart", "clean")
	v.nobody()
}

// TestFork​Bomb kills processes that go on making others.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	s := spec("simple", map[string]string{main: `trap '' TERM; n() { trap '' TERM; while :; do (sleep 0.01 & ) ; done; }; n & n & n & ` + forever})
	s.Spec.TimeoutStop = 500e3
	v := begin(t, s)
	v.there("main")
	v.send(unix.SIGTERM)
	v.ends(124, "ExecStart", "clean")
	v.until("nobody", func() bool { return len(v.processes()) == 0 })
}

// TestPrior leaves a child alone that was there before.
func TestPrior(t *testing.T) {
	t.Parallel()
	s := spec("simple", map[string]string{main: "sleep 1000 & " + forever, stopPostCmd: "true"})
	s.Prior = true
	v := begin(t, s)
	v.there("main")
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart", "ExecStopPost success killed TERM", "clean")
	if len(v.processes()) != 1 {
		t.Errorf("left: %v", v.processes())
	}
}

// TestReadyFD writes a line when the service has started, and not before.
func TestReadyFD(t *testing.T) {
	for _, c := range []struct {
		kind, main, post string
		ready            string
		status           int
	}{
		{"simple", "sleep 0.3", "", "\n", 0},
		{"exec", "sleep 0.3", "true", "\n", 0},
		{"oneshot", "true", "", "\n", 0},
		{"forking", "sleep 0.3 &", "", "\n", 0},
		{"oneshot", "exit 1", "", "", 1},
		{"simple", "exec sleep 0.4", "exit 1", "", 1},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			commands := map[string]string{main: c.main}
			if c.post != "" {
				commands[post] = c.post
			}
			s := spec(c.kind, commands)
			s.Spec.ReadyFD = 3
			v := begin(t, s, w)
			_ = w.Close()
			buf := make([]byte, 10)
			n, _ := r.Read(buf)
			if string(buf[:n]) != c.ready {
				t.Errorf("%q, want %q", buf[:n], c.ready)
			}
			timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
			_ = v.cmd.Wait()
			timer.Stop()
			v.done = true
			if got := v.cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
		})
	}
}

// TestOf fills in what systemd does.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		kind        string
		set         func(v *policy.Service)
		want        string
		start, stop uint64
		access      string
	}{
		{"", func(*policy.Service) {}, "oneshot", process.Infinity, 90e6, "none"},
		{"", func(v *policy.Service) {
			v.Commands[policy.ExecStart].Items = []policy.Item[policy.Command]{{}}
		}, "simple", 90e6, 90e6, "none"},
		{"notify", func(v *policy.Service) { v.TimeoutStopSec = policy.Opt[uint64]{Set: true} }, "notify", 90e6, process.Infinity, "main"},
		{"notify-reload", func(v *policy.Service) { v.NotifyAccess = policy.Opt[string]{V: "all", Set: true} }, "notify-reload", 90e6, 90e6, "all"},
	} {
		p := &policy.Policy{}
		c.set(&p.Service)
		if c.kind != "" {
			p.Service.Type = policy.Opt[string]{V: c.kind, Set: true}
		}
		s := Of(p)
		if s.Type != c.want || s.TimeoutStart != c.start || s.TimeoutStop != c.stop || s.TimeoutAbort != c.stop || s.NotifyAccess != c.access || !s.SendSIGKILL || s.KillMode != "control-group" {
			t.Errorf("%+v: got %+v", c, s)
		}
	}
	p := &policy.Policy{}
	for name, value := range map[string]string{"ExecStart": "/d", "LoadCredential": "a:/b"} {
		if err := p.Set(name, value, policy.Origin{File: "unit", Line: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if s := Of(p); s.Type != "exec" {
		t.Errorf("with credentials it is %s", s.Type)
	}
}
