package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hardrun/hardrun/integration/testgroup"
	"golang.org/x/sys/unix"
)

// Site is where the starts happen.
type Site struct {
	Dir      string // holds all the rest
	Launcher []string
	Limit    time.Duration // after which a start is a hang; far from what one takes
}

func (s *Site) path(name string) string { return filepath.Join(s.Dir, name) }

// probe is the path of the daemon, as it is executed.
func (s *Site) probe(p *Plan) string {
	if p.Cage {
		return "/probe"
	}
	return s.path("probe")
}

// command is hardrun with a plan's options.
func (s *Site) command(p *Plan) []string {
	argv := slices.Clone(s.Launcher)
	for _, o := range p.Options {
		argv = append(argv, s.fill(o))
	}
	if p.Unit != "" {
		return append(argv, "--unit="+s.unit(p))
	}
	argv = append(argv, "--", s.probe(p), "one", "")
	if p.Acts {
		argv = append(argv, "acts")
	}
	return argv
}

// fill puts the paths of a site into a text of a plan.
func (s *Site) fill(text string) string {
	return strings.NewReplacer("CAGE", s.path("cage"), "OUT", s.path("out"), "DIR", s.path("work"), "FILTER", s.path("filter"),
		"PROBE", s.path("probe"), "BEFORE", s.path("before"), "AFTER", s.path("after")).Replace(text)
}

// unit is the file of a plan's unit.
func (s *Site) unit(p *Plan) string { return s.path(p.Name + ".service") }

// job is what a worker is told.
type job struct {
	Site  Site
	Plan  Plan
	Point *Point // nil: no fault, all calls are logged
	Want  string
}

// report is what it answers.
type report struct {
	Outcome Outcome
	Output  string  // what the probe printed
	Calls   []*Call // of a start without a fault
	Err     string
}

// Worker starts what it is told on stdin, in a PID namespace whose init it is and
// in a mount namespace of its own, until stdin ends. With it all it started ends.
func Worker(in io.Reader, out io.Writer) error {
	// A keyring is inherited by who is started from this thread.
	runtime.LockOSThread()
	if os.Getpid() != 1 {
		return errors.New("the worker is to be the init of a PID namespace")
	}
	if err := settle(); err != nil {
		return err
	}
	// Each start finds the place of its group empty, and that of no other worker.
	own, err := testgroup.Below()
	if err != nil {
		return err
	}
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var j job
		if err := dec.Decode(&j); err == io.EOF {
			return own.Leave()
		} else if err != nil {
			return err
		}
		r, err := j.run()
		if err == nil {
			err = own.Clean()
		}
		if err != nil {
			r.Err = err.Error()
		}
		if err := enc.Encode(&r); err != nil {
			return err
		}
	}
}

// settle makes the state that the starts inherit, none of which the daemon may
// keep: mounts that are shared as systemd shares them, a /proc of this PID
// namespace, a session keyring of root, groups of root.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount(MS_PRIVATE)", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return os.NewSyscallError("mount(proc)", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return os.NewSyscallError("mount(MS_SHARED)", err)
	}
	// What a service makes is not the machine's.
	for _, path := range places {
		if err := unix.Mount("faults", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mount(tmpfs) %s: %w", path, err)
		}
	}
	if _, err := unix.KeyctlJoinSessionKeyring("of-the-caller"); err != nil {
		return os.NewSyscallError("keyctl(KEYCTL_JOIN_SESSION_KEYRING)", err)
	}
	return nil
}

// places are where a service makes its directories.
var places = []string{"/run", "/var/lib"}

// sweep removes what was made there.
func sweep() error {
	for _, path := range places {
		list, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// mounts is the mount table, without what differs by itself.
func mounts() (string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	return string(b), err
}

// surroundings makes what is inherited by a start and is not hardrun's default,
// so that what was not restored, closed or dropped can be seen: a soft limit below
// the hard one, an ignored and a blocked signal, and an open descriptor.
const surroundings = `ulimit -S -n 3000; umask 0027; exec env --ignore-signal=USR1 --block-signal=USR2 "$@" 7</etc/passwd`

func (j *job) run() (r report, err error) {
	s := &j.Site
	probe := s.probe(&j.Plan)
	target := s.command(&j.Plan)
	if j.Plan.Unit != "" {
		if err := os.WriteFile(s.unit(&j.Plan), []byte(s.fill(j.Plan.Unit)), 0o644); err != nil {
			return r, err
		}
	}
	log := s.path("log")
	trace := []string{"strace", "-q", "-q", "-o", log, "-s", "512", "-e", "signal=none"}
	if p := j.Point; p == nil {
		trace = append(trace, "-f")
	} else {
		// Without -f only the main thread is traced: the fault hits one call and
		// not the N-th one of each thread.
		if p.Mode == Always || p.Mode == Each {
			trace = append(trace, "-f")
		}
		if j.Plan.Unit != "" && p.Mode != Each { // a command is let go, even where it executes hardrun first
			trace = append(trace, "-b", "execve")
		}
		trace = append(trace, "-e", "trace="+p.Call+",execve", "-e", p.inject())
		r.Outcome.Point = *p
	}
	r.Outcome.Command = strings.Join(quoted(append(append(slices.Clone(trace), "--"), target...)), " ")
	const was = "what was there before\n"
	stdout := s.path("out")
	if err := os.WriteFile(stdout, []byte(was), 0o600); err != nil {
		return r, err
	}
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return r, err
	}
	before, err := mounts()
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Limit)
	defer cancel()
	argv := append(append([]string{"-c", surroundings, "sh"}, trace...), "--")
	c := exec.CommandContext(ctx, "/bin/sh", append(argv, target...)...)
	timeout := false
	c.Cancel = func() error {
		timeout = true
		return unix.Kill(-1, unix.SIGKILL) // all of this PID namespace but for its init
	}
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SECRET=42", "GODEBUG=x=1", "GOMAXPROCS=2", "KEPT=yes"}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Groups: []uint32{4, 24}},
		AmbientCaps: []uintptr{unix.CAP_KILL}, // and inheritable
	}
	inFile, err := os.Open("/etc/passwd") // not /dev/null, which a closed stdin could become
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inFile.Close()) }()
	errFile, err := os.OpenFile(s.path("err"), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, errFile.Close()) }()
	outFile, err := os.OpenFile(s.path("printed"), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, outFile.Close()) }()
	c.Stdin, c.Stdout, c.Stderr = inFile, outFile, errFile
	if err := c.Start(); err != nil {
		return r, err
	}
	_ = c.Wait() // the status is in ProcessState; that the context ended it, in timeout
	if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok {
		r.Outcome.Status = ws.ExitStatus()
		if ws.Signaled() {
			r.Outcome.Signal = ws.Signal().String()
		}
	}
	if r.Outcome.Residue, err = residue(before); err != nil {
		return r, err
	}
	if timeout {
		r.Outcome.Residue = nil // of what was killed
	}
	text, err := os.ReadFile(s.path("err"))
	if err != nil {
		return r, err
	}
	printed, err := os.ReadFile(s.path("printed"))
	if err != nil {
		return r, err
	}
	if j.Plan.Unit != "" { // where the kernel has no tmpfs that is not swapped, it is a ramfs, which never is
		printed = regexp.MustCompile(`(?m)^(mount: / /run/credentials .*) - (tmpfs|ramfs) .*$`).ReplaceAll(printed, []byte("$1 - in memory"))
	}
	r.Output = string(printed)
	appended, err := os.ReadFile(stdout)
	if err != nil {
		return r, err
	}
	if string(appended) != was {
		r.Output += "appended: " + string(appended)
	}
	f, err := os.Open(log)
	if err != nil {
		return r, err
	}
	calls, err := parse(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return r, fmt.Errorf("%w\n%s", err, r.Outcome.Command)
	}
	if j.Point == nil {
		r.Calls = calls
	}
	r.Outcome.judge(&j.Plan, calls, []string{probe, s.path("before"), s.path("after")}, r.Output, j.Want, string(text), timeout)
	return r, sweep()
}

// residue finds the mounts and the processes that a start left behind, and ends
// and removes them.
func residue(before string) ([]string, error) {
	var left []string
	var pids []int
	for try := 0; ; try++ { // who was killed by the end of its parent takes a moment
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return nil, err
		}
		left, pids = nil, nil
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == 1 {
				continue
			}
			if text, err := os.ReadFile("/proc/" + e.Name() + "/stat"); err == nil && !bytes.Contains(text, []byte(") Z ")) {
				left, pids = append(left, "process "+string(text)), append(pids, pid)
			}
		}
		if len(left) == 0 || try == 100 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return nil, os.NewSyscallError("kill", err)
		}
	}
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			break
		}
	}
	for range 64 {
		now, err := mounts()
		if err != nil {
			return nil, err
		}
		d := diff(before, now)
		if len(d) == 0 {
			return left, nil
		}
		last := d[len(d)-1]
		for _, line := range d {
			if line[0] == '+' {
				last = line
			}
		}
		left = append(left, "mount "+last)
		words := strings.Fields(last)
		if last[0] != '+' || len(words) < 5 {
			return left, errors.New("a mount is gone, and does not come back: " + last)
		}
		if err := unix.Unmount(words[4], unix.MNT_DETACH); err != nil {
			return left, os.NewSyscallError("umount2 "+words[4], err)
		}
	}
	return left, errors.New("mounts that do not go away")
}

// crew is a worker as its parent sees it.
type crew struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	enc *json.Encoder
}

// hire starts a worker: this program, with the word "worker".
func hire() (*crew, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, workerWord)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &crew{c, in, json.NewDecoder(out), json.NewEncoder(in)}, nil
}

const workerWord = "faults-worker"

func (w *crew) do(j *job) (report, error) {
	var r report
	if err := w.enc.Encode(j); err != nil {
		return r, err
	}
	if err := w.out.Decode(&r); err != nil {
		return r, err
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	// A start that took another way makes fewer calls, and the fault went on into
	// the daemon, which then cannot tell its own state: once more, shorter.
	if p := j.Point; p != nil && p.Mode != Once && r.Outcome.After > 0 && r.Outcome.Own > 0 {
		shorter := *p
		shorter.Last = p.N + r.Outcome.Own - 1
		if shorter.Last < p.Last {
			again := *j
			again.Point = &shorter
			return w.do(&again)
		}
	}
	return r, nil
}

func (w *crew) dismiss() error {
	return errors.Join(w.in.Close(), w.cmd.Wait())
}
