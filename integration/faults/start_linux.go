package faults

import (
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

	"github.com/hardrun/hardrun/integration/shapes"
	"github.com/hardrun/hardrun/integration/testgroup"
	"golang.org/x/sys/unix"
)

// Site is where the starts happen.
type Site struct {
	Dir      string // is /srv for a start, and holds all that it needs
	Launcher []string
	Seconds  int // after which a start is a hang, if it is one with three times as many as well
}

func (s *Site) path(name string) string { return filepath.Join(s.Dir, name) }

// furnish makes a site of a directory in which are the programs: hardrun, and those of the package
// sources, starter, tracer, probe, and run, which is ../probe.
func (s *Site) furnish() error {
	for _, d := range []string{"", "data", "hidden", "root", "root/proc", "root/sys", "root/dev", "root/run", "root/tmp", "root/var", "root/data", "root/srv"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(s.path(d), 0o755); err != nil { // whatever the umask is
			return err
		}
	}
	write := func(name string, text []byte, mode os.FileMode) error {
		if err := os.WriteFile(s.path(name), text, mode); err != nil {
			return err
		}
		return os.Chmod(s.path(name), mode)
	}
	for _, n := range []string{"other", "data/file", "hidden/file", "root/new", "root/srv/other"} {
		if err := write(n, []byte("text\n"), 0o666); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{"probe": "root/probe", "run": "data/probe"} {
		text, err := os.ReadFile(s.path(from))
		if err == nil {
			err = write(to, text, 0o755)
		}
		if err != nil {
			return err
		}
	}
	// A filter of one instruction, which allows all: BPF_RET, SECCOMP_RET_ALLOW.
	if err := write("filter", []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, 0o644); err != nil {
		return err
	}
	for i := range Plans {
		for name := range Plans[i].Files {
			if err := write(name, []byte(Plans[i].Text(name)), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// command is hardrun with a plan's options.
func (s *Site) command(p *Plan) []string {
	return append(slices.Clone(s.Launcher), p.Argv()[1:]...)
}

// job is what a worker is told.
type job struct {
	Site   Site
	Plan   Plan
	Point  *Point // nil: no fault, and without Log and Record nobody looks on
	Log    bool   // without a fault: all calls are logged, by strace
	Record bool   // without a fault: what getters write is noted
	Want   string
	again  bool
}

// report is what it answers.
type report struct {
	Outcome Outcome
	Output  string   // what the daemon printed
	Lacks   []string // what is not as the shape says
	Calls   []*Call  // with Log
	Got     string   // with Record
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

// settle gives the worker a /proc of its PID namespace.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount(MS_PRIVATE)", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return os.NewSyscallError("mount(proc)", err)
	}
	return nil
}

func (j *job) run() (r report, err error) {
	s := &j.Site
	target := s.command(&j.Plan)
	log := s.path("log")
	var trace []string
	switch p := j.Point; {
	case p != nil:
		trace = append([]string{"/srv/tracer", "/srv/log"}, p.faults()...)
		r.Outcome.Point = *p
	case j.Log:
		strace, err := exec.LookPath("strace")
		if err != nil {
			return r, err
		}
		trace = []string{strace, "-q", "-q", "-f", "-o", "/srv/log", "-s", "512", "-e", "signal=none", "--pidns-translation"}
	case j.Record:
		trace = []string{"/srv/tracer", "/srv/log", "record"}
	}
	argv := append([]string{s.path("starter"), s.Dir, "0", "-", strconv.Itoa(s.Seconds)}, trace...)
	if trace != nil {
		argv = append(argv, "--")
	}
	argv = append(argv, target...)
	r.Outcome.Command = strings.Join(quoted(argv), " ")
	const was = "what was there before\n"
	if err := os.WriteFile(s.path("out"), []byte(was), 0o600); err != nil {
		return r, err
	}
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.Seconds+20)*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Cancel = func() error {
		return unix.Kill(-1, unix.SIGKILL) // all of this PID namespace but for its init
	}
	// What is in the environment and must not matter, or must come back.
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SECRET=42", "GODEBUG=x=1", "GOMAXPROCS=2", "KEPT=yes"}
	c.Dir = "/"
	inFile, err := os.Open("/etc/passwd") // not /dev/null, which a closed stdin could become
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inFile.Close()) }()
	var files [2]*os.File
	for i, name := range []string{"printed", "err"} {
		f, err := os.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		files[i] = f
	}
	c.Stdin, c.Stdout, c.Stderr = inFile, files[0], files[1]
	if err := c.Start(); err != nil {
		return r, err
	}
	_ = c.Wait() // the status is in ProcessState
	code := c.ProcessState.ExitCode()
	var texts [4]string
	for i, name := range []string{"printed", "err", "out", "log"} {
		b, err := os.ReadFile(s.path(name))
		if err != nil {
			return r, err
		}
		texts[i] = string(b)
	}
	printed, said, appended, logged := texts[0], texts[1], strings.TrimPrefix(texts[2], was), texts[3]
	if ctx.Err() != nil {
		return r, errors.New("the starter did not end: " + said)
	}
	if code == shapes.StarterFault || strings.Contains(said, "starter: ") || strings.Contains(said, "tracer: ") {
		return r, errors.New("the start could not be made: " + said)
	}
	if appended != "" {
		if !j.Plan.Append {
			return r, errors.New("it wrote to /srv/out: " + appended)
		}
		if head, tail, ok := strings.Cut(printed, "\n"); ok {
			printed = head + "\n" + appended + tail
		}
	}
	if code == shapes.StarterOver {
		r.Outcome.Class = Hang
		r.Outcome.hits(logged)
		r.Outcome.lines(said)
		if j.Point != nil && j.Point.waits() {
			// The starter's last line is missing, as it has killed all.
			f, err := state(&j.Plan, printed+"\n{\"processes\":0,\"mounts\":false,\"files\":0}\n", s.Dir)
			if err == nil && parts(&j.Plan, true, f.text, j.Want) {
				r.Outcome.Class = Waiting
			}
		}
		return r, nil
	}
	found, err := state(&j.Plan, printed, s.Dir)
	if err != nil {
		return r, err
	}
	r.Output, r.Lacks = found.text, found.lacks
	r.Outcome.Residue = found.left
	// The starter's word for a signal, and a parent's, which says of whom, and hardrun's own of a refusal.
	if code > 128 && code <= 128+64 && !strings.Contains(said, "hardrun: ") {
		r.Outcome.Signal = unix.SignalName(unix.Signal(code - 128))
	}
	r.Outcome.Status = code
	switch {
	case j.Log:
		if r.Calls, err = parse(strings.NewReader(logged)); err != nil {
			return r, fmt.Errorf("%w\n%s", err, r.Outcome.Command)
		}
	case j.Record:
		r.Got = logged
	case j.Point != nil:
		r.Outcome.judge(&j.Plan, logged, r.Output, j.Want, said)
	default:
		r.Outcome.lines(said)
	}
	if j.Point == nil {
		r.Outcome.lines(said)
	}
	return r, nil
}

// gotten are the lines of the tracer about getters.
func gotten(log string) map[Getter]string {
	m := map[Getter]string{}
	for line := range strings.Lines(log) {
		var process, n, count, answer int
		if k, _ := fmt.Sscanf(line, "got %d %d %d %d:", &process, &n, &count, &answer); k != 4 {
			continue
		}
		_, bytes, _ := strings.Cut(strings.TrimSpace(line), ":")
		m[Getter{process, called(n), count}] = ":" + bytes
	}
	return m
}

// found is what a start has printed.
type found struct {
	text  string   // the state of each command, line by line, and "end" behind each
	lacks []string // of the plan's daemon: what is not as the shape says
	left  []string // mounts, processes and files that are nobody's
}

// ending is the last line of the daemon.
const ending = "{\"end\":true}\n"

// memory is where the kernel has no tmpfs that is not swapped: a ramfs, which never is.
var memory = regexp.MustCompile(`(?m)^(mount: / /run/credentials(?:/\S+)? \S+(?: shared)?) (?:tmpfs|ramfs) .*$`)

// dynamic is the number of a user that was chosen for DynamicUser=, 61184 to 65519: which of them is chance.
var dynamic = regexp.MustCompile(`\b(?:61(?:18[4-9]|19\d|[2-9]\d\d)|6[2-4]\d{3}|65(?:[0-4]\d\d|50\d|51\d))\b`)

// hidden is what hides a device: a node that cannot be opened, or where none can be made, a file of mode 0.
var hidden = regexp.MustCompile(`(?m)^mount: /(?:chr|file) (/dev/\S+ ro,nosuid,nodev,noexec,)`)

// made is a file that hardrun has made, by its name in a file system which nothing shows.
var made = regexp.MustCompile(`(?m)^(mount: /lines)\d+ `)

// state reads what the starter has printed.
func state(p *Plan, printed, dir string) (f found, err error) {
	first, rest, _ := strings.Cut(printed, "\n")
	at := strings.LastIndex(rest, "\n{\"processes\":")
	if at < 0 {
		return f, fmt.Errorf("the starter has not said what is left: %.300q", printed)
	}
	rest, last := rest[:at], rest[at:]
	var b strings.Builder
	started := false
	for rest = strings.TrimLeft(rest, "\n"); rest != ""; rest = strings.TrimLeft(rest, "\n") {
		i := strings.Index(rest, ending)
		if i < 0 {
			b.WriteString("half of it: " + rest + "\n")
			started = true
			break
		}
		part := rest[:i+len(ending)]
		rest = rest[len(part):]
		r, err := shapes.Parse(first+"\n"+part+last, dir)
		if err != nil {
			b.WriteString(err.Error() + ": " + part)
			started = true
			continue
		}
		f.left = r.Left
		for _, l := range r.Lines() {
			if name, ok := strings.CutPrefix(l, "env: "); ok {
				l = "env " + name + ": " + r.State["env "+name]
			}
			b.WriteString(l + "\n")
		}
		for _, a := range r.Answers {
			fmt.Fprintf(&b, "%s: %d %s\n", a.Act, a.Value, a.Errno)
		}
		b.WriteString("end\n")
		if len(r.Answers) > 0 {
			f.lacks = p.lacks(r)
		}
		started = true
	}
	users := map[string]string{}
	f.text = dynamic.ReplaceAllStringFunc(b.String(), func(n string) string {
		if users[n] == "" {
			users[n] = "user-" + strconv.Itoa(len(users)+1)
		}
		return users[n]
	})
	f.text = hidden.ReplaceAllString(made.ReplaceAllString(memory.ReplaceAllString(f.text, "$1 in memory"), "$1 "), "mount: /node $1")
	if !started {
		r, err := shapes.Parse(first+"\n"+last, dir)
		if err != nil {
			return f, err
		}
		f.left = r.Left
		if r.Files && !strings.Contains(p.Asked(), "Directory=") { // those stay
			f.left = append(f.left, "files")
		}
	}
	return f, nil
}

// lacks is Shape.Lacks; of a plan's own lines "env NAME: VALUE" is one as well.
func (p *Plan) lacks(r *shapes.Report) []string {
	s := p.Shape
	s.Has = nil
	var list []string
	for _, want := range p.Has {
		name, value, ok := strings.Cut(strings.TrimPrefix(want, "env "), ": ")
		if !ok || !strings.HasPrefix(want, "env ") {
			s.Has = append(s.Has, want)
		} else if r.State["env "+name] != value {
			list = append(list, "there is no "+want)
		}
	}
	return append(list, s.Lacks(r)...)
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
	// Far behind the limits of the worker itself: it hangs, and is ended.
	late := time.AfterFunc(time.Duration(j.Site.Seconds+60)*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	if err := w.enc.Encode(j); err != nil {
		return r, fmt.Errorf("the worker: %w", err)
	}
	if err := w.out.Decode(&r); err != nil {
		return r, fmt.Errorf("the worker: %w", err)
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	if r.Outcome.Class == Hang && !j.again {
		once := *j
		once.again = true
		once.Site.Seconds *= 3
		return w.do(&once)
	}
	return r, nil
}

// kill ends a worker of which nothing is known any more, and with it all that it started.
func (w *crew) kill() {
	_ = w.in.Close()
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

func (w *crew) dismiss() error {
	return errors.Join(w.in.Close(), w.cmd.Wait())
}
