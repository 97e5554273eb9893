//go:build linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/testdir"
)

// state is what the probe says of itself.
type state struct {
	PID, PPID, SID, PGID int
	Comm                 string
	Argv                 []string
	Exe, ExecFn          string
	AtSecure             int `json:"at_secure"`
	UIDs, GIDs, Groups   []uint32
	Inh                  string `json:"cap_inh"`
	Prm                  string `json:"cap_prm"`
	Eff                  string `json:"cap_eff"`
	Bnd                  string `json:"cap_bnd"`
	Amb                  string `json:"cap_amb"`
	SecureBits           string
	NNP                  int `json:"no_new_privs"`
	Seccomp, Dumpable    int
	SigIgnored           string `json:"sig_ignored"`
	SigCaught            string `json:"sig_caught"`
	SigBlocked           string `json:"sig_blocked"`
	UMask, Cwd, Root     string
	Limits               [][2]uint64
	Nice                 int
	SchedPolicy          int `json:"sched_policy"`
	SchedPriority        int `json:"sched_priority"`
	SchedReset           int `json:"sched_reset_on_fork"`
	Affinity             string
	IOPrio               int
	TimerSlack           int `json:"timer_slack"`
	Personality          string
	KSM, THP             int
	NUMAPolicy           int    `json:"numa_policy"`
	NUMANodes            string `json:"numa_nodes"`
	CoredumpFilter       string `json:"coredump_filter"`
	OOMScoreAdj          string `json:"oom_score_adj"`
	SessionKeyring       int64  `json:"session_keyring"`
	SessionKeyringIs     string `json:"session_keyring_is"`
	TTY                  string
	TTYSession           []int  `json:"tty_session"`
	MountNS              string `json:"mount_ns"`
	Threads              []map[string]string
	FDs                  []descriptor
	Env                  []string
}

type descriptor struct {
	FD, Cloexec, Flags int
	Mode, Rdev         string
	Ino                uint64
	Target             string
}

// getenv is the value of a variable, and how often it stands there.
func (s *state) getenv(name string) (value string, times int) {
	for _, v := range s.Env {
		if n, t, ok := strings.Cut(v, "="); ok && n == name {
			if times == 0 {
				value = t
			}
			times++
		}
	}
	return value, times
}

func (s *state) openFDs() []int {
	list := []int{}
	for _, d := range s.FDs {
		list = append(list, d.FD)
	}
	return list
}

// answer is what the probe says of an act.
type answer struct {
	Act   string
	Value int64
	Errno string
}

// result is what a program left behind.
type result struct {
	code           int // the status, or 128+n for a signal
	signal         syscall.Signal
	stdout, stderr string
	argv           []string
}

// started tells whether the probe ran: it always prints something.
func (r result) started() bool { return r.stdout != "" }

func (r result) state(t *testing.T) *state {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("%q: status %d, stderr %q", r.argv, r.code, r.stderr)
	}
	return decode[state](t, r.stdout)
}

func (r result) act(t *testing.T) answer {
	t.Helper()
	if r.code != 0 && r.code != 1 {
		t.Fatalf("%q: status %d, stderr %q", r.argv, r.code, r.stderr)
	}
	return *decode[answer](t, r.stdout)
}

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("the probe printed no JSON: %v\n%.2000s", err, text)
	}
	return v
}

// program is a start. Its environment is small and fixed unless given.
type program struct {
	argv  []string
	env   []string
	stdin string
	dir   string
	attr  *syscall.SysProcAttr
}

var smallEnv = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}

func (p program) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Env = p.env
	if cmd.Env == nil {
		cmd.Env = smallEnv
	}
	cmd.Dir = p.dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Stdin = strings.NewReader(p.stdin)
	cmd.SysProcAttr = p.attr
	cmd.WaitDelay = time.Second // what a program left running must not hold the pipes
	return cmd
}

func (p program) run(t *testing.T) result {
	t.Helper()
	// No test waits for a time: this only ends what hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := p.command(ctx)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: errs.String(), argv: p.argv}
	if ctx.Err() != nil {
		t.Fatalf("%q: did not end; stdout %q, stderr %q", p.argv, r.stdout, r.stderr)
	}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		w := status.Sys().(syscall.WaitStatus)
		r.code = w.ExitStatus()
		if w.Signaled() {
			r.signal = w.Signal()
			r.code = 128 + int(w.Signal())
		}
	case err != nil:
		t.Fatalf("%q: %v", p.argv, err)
	}
	return r
}

// run starts hardrun with these words.
func run(t *testing.T, words ...string) result {
	t.Helper()
	return program{argv: append([]string{hardrun}, words...)}.run(t)
}

// runs starts any program.
func runs(t *testing.T, argv ...string) result {
	t.Helper()
	return program{argv: argv}.run(t)
}

// with is a start from a state that the probe prepares: "probe with WORDS -- COMMAND".
func with(preparation string, argv ...string) []string {
	list := append([]string{probe, "with"}, strings.Fields(preparation)...)
	return append(append(list, "--"), argv...)
}

// refused holds a start that must not come to be: the status, one line for the
// problem (hints have lines of their own), and no sign of the daemon.
func refused(t *testing.T, r result, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("%q: status %d, want %d; stderr %q", r.argv, r.code, code, r.stderr)
	}
	if r.started() {
		t.Errorf("%q: the daemon was started: %.300s", r.argv, r.stdout)
	}
	lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
	problems := 0
	for _, line := range lines {
		if !strings.HasPrefix(line, "hardrun: ") {
			t.Errorf("%q: a line which is not hardrun's: %q", r.argv, line)
		}
		if !strings.HasPrefix(line, "hardrun: hint: ") {
			problems++
		}
	}
	if problems != 1 {
		t.Errorf("%q: %d lines of problems, want 1: %q", r.argv, problems, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("%q: stderr %q does not say %q", r.argv, r.stderr, w)
		}
	}
}

// denied holds an act which works without hardrun and fails under it.
func denied(t *testing.T, r result, errno ...string) {
	t.Helper()
	if a := r.act(t); a.Errno == "" || len(errno) > 0 && !slices.Contains(errno, a.Errno) {
		t.Errorf("%q: answered %d %q, want %q", r.argv, a.Value, a.Errno, errno)
	}
}

func allowed(t *testing.T, r result) answer {
	t.Helper()
	a := r.act(t)
	if a.Errno != "" {
		t.Errorf("%q: %s, and it must work here", r.argv, a.Errno)
	}
	return a
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equals[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes users, roots or mounts")
	}
}

func requireProgram(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("needs " + name + " of the package " + pkg)
	}
	return path
}

// directory is a new one below base, with the mode given whatever the umask is.
func directory(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "dir-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := testdir.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func itoa(n int) string { return strconv.Itoa(n) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, text string, mode uint32) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Chmod(path, mode); err != nil { // set-user-ID bit and all, whatever the umask is
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func copied(t *testing.T, from, to string, mode uint32) string {
	t.Helper()
	return write(t, to, read(t, from), mode)
}

// cage is a root with nothing but the probe at /probe.
func cage(t *testing.T) string {
	t.Helper()
	dir := directory(t, 0o755)
	copied(t, probe, dir+"/probe", 0o755)
	return dir
}

// private is a start in a mount namespace of its own, after a script of sh has
// changed what is there. The words of argv are "$@".
func private(script string, argv ...string) []string {
	return append([]string{"unshare", "--mount", "--propagation=private", "--", "sh", "-euc", script + "\n" + `exec "$@"`, "sh"}, argv...)
}

// eventually reads until ok: what another process will do, and does as soon as
// it can. It fails only where it never does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal(what + ": did not come to be")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// daemon is a start that goes on; the test ends it.
type daemon struct {
	cmd    *exec.Cmd
	stderr *output
}

// output is what a daemon has said so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (p program) start(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{cmd: p.command(context.Background()), stderr: &output{}}
	d.cmd.Stderr = d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAtEnd(t, d.cmd)
	return d
}

// killAtEnd ends what the test has not waited for.
func killAtEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

func (d *daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// end waits for the daemon, and is its status.
func (d *daemon) end(t *testing.T) int {
	t.Helper()
	_ = d.cmd.Wait()
	w := d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// awaited is the first line that a daemon ("probe serve FILE STATUS") has noted.
func awaited(t *testing.T, file, line string) string {
	t.Helper()
	var found string
	eventually(t, line+" in "+file, func() bool {
		b, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		for l := range strings.Lines(string(b)) {
			if strings.HasPrefix(l, line) && strings.HasSuffix(l, "\n") {
				found = strings.TrimSpace(l)
				return true
			}
		}
		return false
	})
	return found
}

// status is one line of /proc/PID/status.
func status(t *testing.T, pid int, name string) string {
	t.Helper()
	for l := range strings.Lines(read(t, "/proc/"+strconv.Itoa(pid)+"/status")) {
		if v, ok := strings.CutPrefix(l, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// machine is the state that a program has here without hardrun.
func machine(t *testing.T) *state {
	t.Helper()
	return runs(t, probe).state(t)
}
