//go:build linux

package integration

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/inherited"
	"golang.org/x/sys/unix"
)

// Attacks on services: on what starts them, and on the parent that stays. Each happens on a
// machine of its own, as the units of units/ do, of which this program is process 1.

const siegeVariable = "HARDRUN_UNIT_SIEGE" // the job's file

// siegeJob is what a machine is besieged by.
type siegeJob struct {
	machineJob
	Act    string
	Strace string
	Times  int // -attacks
}

// siege is a machine, for the one who acts on it.
type siege struct {
	Problems []string
	job      siegeJob
}

// siegeActs are what can be done there. The keys are what a job names.
var siegeActs = map[string]func(s *siege){
	"strangers":   strangersAct,
	"lingering":   lingeringAct,
	"daemons":     daemonsAct,
	"killed":      killedAct,
	"window":      windowAct,
	"made":        madeAct,
	"do":          doAct,
	"left before": leftBeforeAct,
	"starts":      startsAct,
	"paths":       pathsAct,
	"together":    togetherAct,
}

// besiege does an act, and holds that nothing was wrong.
func besiege(t *testing.T, act string) {
	t.Helper()
	requireRoot(t)
	attackProgram(t, "service")
	j := siegeJob{machineJob: machineJob{Base: base, Dir: directory(t, 0o755), Hardrun: hardrun}, Act: act, Times: *attacks}
	if act == "window" || act == "made" {
		j.Strace = requireProgram(t, "strace", "strace")
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(slices.Clone(smallEnv), siegeVariable+"="+write(t, j.Dir+"/job", string(text), 0o600))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the machine: %v\n%s", err, out)
	}
	for _, p := range decode[siege](t, string(out)).Problems {
		t.Error(p)
	}
}

func init() {
	file := os.Getenv(siegeVariable)
	if file == "" {
		return
	}
	s := &siege{}
	if err := s.run(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// siegeEnd ends an act: what follows makes no sense.
type siegeEnd struct{}

func (s *siege) run(file string) error {
	debug.SetGCPercent(-1)
	if err := inherited.ResetSignals(); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &s.job)
	}
	if err == nil {
		err = machineMounts(&s.job.machineJob)
	}
	if err == nil {
		err = os.MkdirAll(machineUnits, 0o755)
	}
	if err == nil { // no test leaves a core in "/"
		err = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	}
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(siegeEnd); !ok {
				panic(p)
			}
		}
	}()
	siegeActs[s.job.Act](s)
	return nil
}

// problem notes what is not as it should be.
func (s *siege) problem(format string, a ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, a...))
}

// must ends the act for an error.
func (s *siege) must(err error) {
	if err != nil {
		s.problem("%v", err)
		panic(siegeEnd{})
	}
}

// daemonWords is a command that does these things, attack_service.c.
func daemonWords(words ...string) string {
	text := machineBase + "/attack_service"
	for _, w := range words {
		text += " '" + w + "'"
	}
	return text
}

// unit writes a unit, of which the lines are those of [Service].
func (s *siege) unit(name string, lines ...string) {
	s.must(os.WriteFile(machineUnits+"/"+name+".service", []byte("[Service]\n"+strings.Join(lines, "\n")+"\n"), 0o644))
}

// besieged is a start.
type besieged struct {
	s    *siege
	name string
	cmd  *exec.Cmd
	out  output
	errs output
	done chan struct{}
}

// start starts hardrun with a unit and more words; before are what is executed before it.
func (s *siege) start(before []string, name string, words ...string) *besieged {
	argv := slices.Concat(before, []string{s.job.Hardrun, "--unit=" + name + ".service"}, words)
	b := &besieged{s: s, name: name, cmd: exec.CommandContext(context.Background(), argv[0], argv[1:]...), done: make(chan struct{})}
	b.cmd.Env, b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr, b.cmd.WaitDelay = smallEnv, "/", &b.out, &b.errs, time.Second
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.must(b.cmd.Start())
	go func() {
		_ = b.cmd.Wait() // the status is in ProcessState
		close(b.done)
	}()
	return b
}

// siegeLimit is after how long something has not come to be. Nothing waits so long.
const siegeLimit = 30 * time.Second

// await waits for a line of its output.
func (b *besieged) await(line string) {
	for deadline := time.Now().Add(siegeLimit); !strings.Contains("\n"+b.out.String(), "\n"+line+"\n"); time.Sleep(time.Millisecond) {
		select {
		case <-b.done:
			if !strings.Contains("\n"+b.out.String(), "\n"+line+"\n") {
				b.s.problem("%s: ended before it said %q: %s", b.name, line, b)
				panic(siegeEnd{})
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			b.s.problem("%s: does not say %q: %s", b.name, line, b)
			panic(siegeEnd{})
		}
	}
}

// signal sends it a signal.
func (b *besieged) signal(sig syscall.Signal) {
	if err := b.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.s.must(err)
	}
}

// end waits for its end: the status, or 128 and the signal.
func (b *besieged) end() int {
	select {
	case <-b.done:
	case <-time.After(siegeLimit):
		b.s.problem("%s: does not end: %s", b.name, b)
		b.signal(syscall.SIGKILL)
		<-b.done
	}
	w := b.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// ends holds the status.
func (b *besieged) ends(status int) {
	if got := b.end(); got != status {
		b.s.problem("%s: status %d, want %d: %s", b.name, got, status, b)
	}
}

func (b *besieged) String() string {
	return fmt.Sprintf("%q: stdout %q, stderr %q", b.cmd.Args, b.out.String(), b.errs.String())
}

// says holds that stderr has a text; with "" that it has none.
func (b *besieged) says(text string) {
	if got := b.errs.String(); text == "" && got != "" || !strings.Contains(got, text) {
		b.s.problem("%s: stderr should say %q: %s", b.name, text, b)
	}
}

// left are the processes but this one, which are killed. Those that are about to end are given the
// time for it.
func (s *siege) left() (list []string) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		list = nil
		var pids []int
		names, err := filepath.Glob("/proc/[0-9]*")
		s.must(err)
		for _, dir := range names {
			pid, err := strconv.Atoi(dir[len("/proc/"):])
			s.must(err)
			text, err := os.ReadFile(dir + "/stat")
			if err != nil || pid == 1 || strings.Contains(string(text), ") Z ") {
				continue
			}
			line, _ := os.ReadFile(dir + "/cmdline") // it may have ended
			list = append(list, strings.ReplaceAll(string(line), "\x00", " "))
			pids = append(pids, pid)
		}
		if len(list) == 0 || time.Now().After(deadline) {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return list
		}
	}
}

// empty holds that no process is left.
func (s *siege) empty(when string) {
	if list := s.left(); len(list) > 0 {
		s.problem("%s: left are %q", when, list)
	}
}

// paths is everything below some directories, and whose it is.
func (s *siege) paths(dirs ...string) map[string]string {
	all := map[string]string{}
	for _, dir := range dirs {
		s.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			all[path] = fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
			return nil
		}))
	}
	return all
}

// ---- what a command is told

// captured is what hardrun hands to a command of this unit, as it was written: strace prints it.
func captured(t *testing.T, unit string) []byte {
	t.Helper()
	strace := requireProgram(t, "strace", "strace")
	log := directory(t, 0o755) + "/log"
	r := runs(t, strace, "-f", "-xx", "-s", "1000000", "-e", "trace=write", "-e", "signal=none", "-o", log, hardrun, "--unit="+unit)
	if r.code != 0 {
		t.Fatalf("status %d, %q", r.code, r.stderr)
	}
	found := regexp.MustCompile(`write\([0-9]+, "((?:\\x[0-9a-f]{2})+)", [0-9]+\)`).FindAllStringSubmatch(read(t, log), -1)
	for _, m := range found {
		text := m[1]
		b := make([]byte, 0, len(text)/4)
		for i := 2; i < len(text); i += 4 {
			n, err := strconv.ParseUint(text[i:i+2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, byte(n))
		}
		if bytes.HasPrefix(b, []byte("hragain1")) {
			return b
		}
	}
	t.Fatal("nothing was handed to a command")
	return nil
}

// memfd is a file in memory.
func memfd(t *testing.T, text []byte, uid, seals int) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("told", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "told")
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Chown(uid, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return f
}

const allSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// A command of a service is a hardrun that was told so by its parent, and by nobody else. What
// cannot be read is refused in one line, and nothing is started.
func TestForgedErrand(t *testing.T) {
	unit := write(t, directory(t, 0o755)+"/told.service", "[Service]\nUMask=0123\nExecStartPre="+probe+" one\nExecStart=/bin/true\n", 0o644)
	text := captured(t, unit)
	const atSize, atForm, atPID, head = 8, 12, 20, 72
	put := func(b []byte, at int, n uint32) { binary.NativeEndian.PutUint32(b[at:], n) }
	start := func(b []byte, uid, seals int, environ ...string) result {
		t.Helper()
		f := memfd(t, b, uid, seals)
		defer func() { _ = f.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		if environ == nil {
			environ = []string{"HARDRUN_AGAIN=3"}
		}
		p := program{argv: []string{hardrun, "--unit=" + unit}, env: slices.Concat(smallEnv, environ)}
		cmd := p.command(ctx)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &out, &errs, []*os.File{f}
		err := cmd.Run()
		if status := (*exec.ExitError)(nil); err != nil && !errors.As(err, &status) {
			t.Fatal(err)
		}
		return result{cmd.ProcessState.ExitCode(), 0, out.String(), errs.String(), append([]string{}, environ...)}
	}
	own := func() []byte {
		b := slices.Clone(text)
		put(b, atPID, uint32(os.Getpid()))
		return b
	}
	if r := start(own(), os.Geteuid(), allSeals); r.state(t).UMask != "0123" {
		t.Fatalf("what its parent tells it is not done: %q", r.stdout)
	}
	const forged = "HARDRUN_AGAIN="
	for name, r := range map[string]result{
		"of another process":   start(text, os.Geteuid(), allSeals),
		"of no process":        func() result { b := own(); put(b, atPID, 0); return start(b, os.Geteuid(), allSeals) }(),
		"of process 1":         func() result { b := own(); put(b, atPID, 1); return start(b, os.Geteuid(), allSeals) }(),
		"without seals":        start(own(), os.Geteuid(), 0),
		"open to writing":      start(own(), os.Geteuid(), allSeals&^unix.F_SEAL_WRITE),
		"open to growth":       start(own(), os.Geteuid(), allSeals&^unix.F_SEAL_GROW),
		"of another form":      func() result { b := own(); put(b, atForm, 4); return start(b, os.Geteuid(), allSeals) }(),
		"as rows":              func() result { b := own(); put(b, atForm, 1); return start(b, os.Geteuid(), allSeals) }(),
		"as a second start":    func() result { b := own(); put(b, atForm, 2); return start(b, os.Geteuid(), allSeals) }(),
		"of another size":      start(append(own(), 0), os.Geteuid(), allSeals),
		"a closed descriptor":  start(own(), os.Geteuid(), allSeals, "HARDRUN_AGAIN=4"),
		"stdin":                start(own(), os.Geteuid(), allSeals, "HARDRUN_AGAIN=0"),
		"no number":            start(own(), os.Geteuid(), allSeals, "HARDRUN_AGAIN="),
		"not the last":         start(own(), os.Geteuid(), allSeals, "HARDRUN_AGAIN=3", "A=b"),
		"an empty environment": start(nil, os.Geteuid(), allSeals),
	} {
		refused(t, r, 64, forged)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if os.Geteuid() == 0 {
		refused(t, start(own(), attackerID, allSeals), 64, forged)
	}
	// The descriptor alone means nothing, and does not get to the daemon.
	f := memfd(t, own(), os.Geteuid(), allSeals)
	defer func() { _ = f.Close() }()
	cmd := program{argv: []string{hardrun, "--", probe}}.command(t.Context())
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	equals(t, "descriptors", decode[state](t, string(out)).openFDs(), []int{0, 1, 2})
	// Cut at every byte, and changed in some.
	one := func(what string, b []byte) {
		t.Helper()
		r := start(b, os.Geteuid(), allSeals)
		if r.started() && !strings.HasPrefix(what, "changed") {
			t.Fatalf("%s: something was started: %.200s", what, r.stdout)
		}
		if r.code != 0 && (strings.Contains(r.stderr, "goroutine") || !strings.HasPrefix(r.stderr, "hardrun: ")) || r.code < 0 {
			t.Fatalf("%s: status %d, %.500q", what, r.code, r.stderr)
		}
		if !strings.HasPrefix(what, "changed") && strings.Count(r.stderr, "\n") != 1 {
			t.Fatalf("%s: not one line: %q", what, r.stderr)
		}
	}
	for n := head; n < len(text); n++ {
		b := own()[:n]
		put(b, atSize, uint32(n))
		one("cut at "+itoa(n), b)
	}
	for i := range 60 * *attacks {
		b := own()
		var seed [32]byte
		binary.NativeEndian.PutUint64(seed[:], uint64(i))
		random := rand.New(rand.NewChaCha8(seed))
		where := 0
		for range 1 + random.IntN(3) {
			// Behind the head, which has its own tests.
			where = len(b) - 1 - random.IntN(min(len(b)-head, 160))
			b[where] = byte(random.Uint32())
		}
		one(fmt.Sprintf("changed, the %d., last at %d", i, where), b)
	}
}

// ---- the socket of sd_notify(3)

// notifySocket is that of the one parent there is.
func (s *siege) notifySocket() string {
	list, err := filepath.Glob("/run/hardrun/notify/*")
	s.must(err)
	if len(list) != 1 {
		s.problem("the sockets are %q", list)
		panic(siegeEnd{})
	}
	return list[0]
}

// tell sends a message, with descriptors.
func (s *siege) tell(fd int, path, text string, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(fd, []byte(text), rights, &unix.SockaddrUnix{Name: path}, 0)
}

// barrier waits until all that was sent has been looked at.
func (s *siege) barrier(fd int, path string) {
	var p [2]int
	s.must(unix.Pipe2(p[:], unix.O_CLOEXEC))
	s.must(s.tell(fd, path, "BARRIER=1", p[1]))
	s.must(unix.Close(p[1]))
	n, err := unix.Read(p[0], make([]byte, 1))
	s.must(err)
	if n != 0 {
		s.problem("a barrier read %d bytes", n)
	}
	s.must(unix.Close(p[0]))
}

// strangersAct is somebody who is none of the service's, and says all there is to say.
func strangersAct(s *siege) {
	for _, access := range []string{"main", "exec", "all"} {
		s.unit("quiet", "Type=notify", "NotifyAccess="+access, "User=svc", "ExecStart="+daemonWords("say", "up", "stay"),
			"ExecStartPost="+daemonWords("say", "started"), "ExecReload="+daemonWords("say", "reloads"))
		b := s.start(nil, "quiet")
		b.await("up")
		path := s.notifySocket()
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		s.must(err)
		open := func() (list []string) {
			names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", b.cmd.Process.Pid))
			s.must(err)
			for _, name := range names {
				to, err := os.Readlink(name)
				s.must(err)
				if !strings.HasPrefix(to, "anon_inode:[event") { // the runtime makes its poller when it first needs one
					list = append(list, to)
				}
			}
			slices.Sort(list)
			return list
		}
		before := open()
		for _, text := range []string{
			"READY=1", "READY=1\nMAINPID=" + strconv.Itoa(os.Getpid()), "MAINPID=1", "MAINPID=" + strconv.Itoa(b.cmd.Process.Pid), "MAINPID=0", "MAINPID=-1",
			"STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=1", "EXTEND_TIMEOUT_USEC=18446744073709551615", "STATUS=\x1b[2J", "ERRNO=5", "WATCHDOG=trigger",
			"", "=", "\n\n\n", "\x00", "READY=1\x00", strings.Repeat("x", 60000), strings.Repeat("READY=1\n", 7000), "BARRIER=1",
		} {
			s.must(s.tell(fd, path, text))
		}
		many := make([]int, 253) // SCM_MAX_FD
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		s.must(err)
		for i := range many {
			many[i] = null
		}
		for range 100 {
			s.must(s.tell(fd, path, "FDSTORE=1\nFDNAME=x", many...))
		}
		for range 20_000 * s.job.Times {
			s.must(s.tell(fd, path, "READY=1"))
		}
		s.barrier(fd, path)
		if now := open(); !slices.Equal(now, before) {
			s.problem("NotifyAccess=%s: the parent had %q, and has %q", access, before, now)
		}
		b.signal(syscall.SIGTERM)
		b.ends(0)
		b.says("")
		if out := b.out.String(); out != "up\n" {
			s.problem("NotifyAccess=%s: a stranger was heard: %q", access, out)
		}
		s.must(errors.Join(unix.Close(fd), unix.Close(null)))
		s.empty(access)
	}
}

func TestNotifyStrangers(t *testing.T) { besiege(t, "strangers") }

// lingeringAct is a stranger who sends sockets that take an hour to close, SO_LINGER.
func lingeringAct(s *siege) {
	s.unit("waits", "Type=notify", "User=svc", "ExecStart="+daemonWords("notify", "READY=1", "stay"), "ExecStartPost="+daemonWords("say", "started"), "TimeoutStopSec=20")
	b := s.start(nil, "waits")
	b.await("started")
	path := s.notifySocket()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	var mine []net.Conn
	connect := func() int {
		a, err := net.Dial("tcp", l.Addr().String())
		s.must(err)
		c, err := l.Accept()
		s.must(err)
		mine = append(mine, c)
		f, err := a.(*net.TCPConn).File()
		s.must(err)
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		s.must(errors.Join(err, f.Close(), a.Close()))
		s.must(unix.SetNonblock(fd, true))
		for { // until it is full
			if _, err := unix.Write(fd, make([]byte, 1<<20)); err == unix.EAGAIN {
				break
			} else if err != nil {
				s.must(err)
			}
		}
		s.must(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600}))
		return fd
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	s.must(err)
	// What is in the queue is held by it alone when the parent takes it.
	b.signal(syscall.SIGSTOP)
	sent := 0
	for range 64 {
		c := connect()
		err := s.tell(fd, path, "X=1", c)
		if err == unix.EAGAIN {
			go func() { _ = unix.Close(c) }() // it is the last, and takes its time
			break
		}
		s.must(err)
		s.must(unix.Close(c))
		sent++
	}
	if sent < 5 {
		s.problem("only %d messages fit into the queue", sent)
	}
	b.signal(syscall.SIGCONT)
	time.Sleep(200 * time.Millisecond) // it is held up, or not
	begin := time.Now()
	b.signal(syscall.SIGTERM)
	b.ends(0)
	if took := time.Since(begin); took > 15*time.Second {
		s.problem("the stop took %v", took)
	}
	s.empty("the stop")
	for _, c := range mine {
		s.must(c.Close())
	}
}

// A parent takes what a stranger's sockets make it wait for a moment at most.
func TestNotifyLingering(t *testing.T) { besiege(t, "lingering") }

// ---- daemons against their parent

// countLeft counts the processes of attack_service.
const countLeft = `/bin/sh -c 'echo left $(ps -eo stat=,args= | grep -c "^[^Z].*attack_servic[e]")'`

func daemonsAct(s *siege) {
	for _, x := range []struct {
		name   string
		lines  []string
		await  string // when it is stopped; empty where it ends by itself
		status int
		stdout string
		stderr string // a part of it; empty for none at all
	}{
		{"kills it", []string{"User=svc", "ExecStart=" + daemonWords("kill", "9", "kill", "15", "kill", "19", "say", "up", "stay")}, "up", 0, "kill: EPERM\nkill: EPERM\nkill: EPERM\nup\npost success\n", ""},
		{"looks into it", []string{"User=svc", "ExecStart=" + daemonWords("trace", "look", "say", "up", "stay")}, "up", 0, "trace: EPERM\nlook: EACCES\nup\npost success\n", ""},
		{"floods it with signals", []string{"ExecStart=" + daemonWords("flood", "say", "up", "stay")}, "up", 0, "flood: done\nup\npost success\n", ""},
		{"does not end", []string{"User=svc", "TimeoutStopSec=200ms", "ExecStart=" + daemonWords("ignore", "say", "up", "stay")}, "up", 124, "up\npost timeout\n", "SIGKILL"},
		{"has many orphans", []string{"User=svc", "ExecStart=" + daemonWords("orphans", "1000", "say", "up", "stay")}, "up", 0, "orphans: done\nup\npost success\n", ""},
		{"has orphans that do not end", []string{"User=svc", "TimeoutStopSec=300ms", "ExecStart=" + daemonWords("ignore", "orphans", "200", "away", "say", "up", "stay")}, "up", 124, "orphans: done\nup\npost timeout\n", "SIGKILL"},
		{"leaves orphans behind", []string{"User=svc", "ExecStart=" + daemonWords("orphans", "200", "away", "say", "up", "exit", "0")}, "", 0, "orphans: done\nup\npost success\n", ""},
		{"goes away", []string{"User=svc", "ExecStart=" + daemonWords("away", "away", "say", "up", "stay")}, "up", 0, "up\npost success\n", ""},
		{"forks for ever", []string{"User=svc", "LimitNPROC=200", "TimeoutStopSec=300ms", "ExecStart=" + daemonWords("ignore", "say", "up", "bomb")}, "up", 124, "up\npost timeout\n", "SIGKILL"},
		{"stops itself", []string{"User=svc", "ExecStart=" + daemonWords("say", "up", "stop", "stay")}, "up", 0, "up\npost success\n", ""},
		{"names others as the main process", []string{"Type=notify", "NotifyAccess=all", "ExecStart=" + daemonWords("notify", "MAINPID=1", "notify", "MAINPID=@", "notify", "MAINPID=4194303", "notify", "READY=1", "wait", "100", "say", "up", "stay")}, "up", 0, "up\npost success\n", "process 1 is not"},
		{"replaces the socket", []string{"Type=notify", "NotifyAccess=all", "ExecStart=" + daemonWords("notify", "READY=1", "wait", "50", "replace", "notify", "STATUS=x", "say", "up", "stay")}, "up", 0, "replace: done\nreplace: done\nSTATUS=x: ECONNREFUSED\nup\npost success\n", ""},
		{"names process 1 in its file", []string{"Type=forking", "PIDFile=/run/a/pid", "RuntimeDirectory=a", "User=svc", "TimeoutStartSec=300ms", "ExecStart=" + daemonWords("away", "write", "/run/a/pid", "1", "exit", "0")}, "", 124, "post timeout\n", "/run/a/pid: "},
		{"names a stranger in its file", []string{"Type=forking", "PIDFile=/run/a/pid", "RuntimeDirectory=a", "User=svc", "TimeoutStartSec=300ms", "ExecStart=" + daemonWords("away", "write", "/run/a/pid", "STRANGER", "exit", "0")}, "", 124, "post timeout\n", "/run/a/pid: "},
		{"has a link for its file", []string{"Type=forking", "PIDFile=/run/a/pid", "RuntimeDirectory=a", "User=svc", "TimeoutStartSec=300ms", "ExecStartPre=/bin/ln -s /run/pid /run/a/pid", "ExecStart=" + daemonWords("away", "exit", "0")}, "", 124, "post timeout\n", "symbolic link"},
		{"has a command before that stays", []string{"User=svc", "ExecStartPre=" + daemonWords("away", "orphans", "20", "exit", "0"), "ExecStart=" + countLeft}, "", 0, "orphans: done\nleft 0\npost success\n", ""},
	} {
		for i := range x.lines {
			if strings.Contains(x.lines[i], "STRANGER") {
				x.lines[i] = strings.ReplaceAll(x.lines[i], "STRANGER", strconv.Itoa(s.stranger()))
			}
		}
		s.unit("against", append(x.lines, `ExecStopPost=/bin/sh -c 'echo post $SERVICE_RESULT'`)...)
		b := s.start(nil, "against")
		if x.await != "" {
			b.await(x.await)
			b.signal(syscall.SIGTERM)
		}
		if got := b.end(); got != x.status {
			s.problem("%s: status %d, want %d: %s", x.name, got, x.status, b)
		}
		if got := b.out.String(); got != x.stdout {
			s.problem("%s: stdout %q, want %q, stderr %q", x.name, got, x.stdout, b.errs.String())
		}
		b.name = x.name
		b.says(x.stderr)
		s.strangerLives(x.name)
		s.empty(x.name)
		if text, err := os.ReadFile("/etc/passwd"); err != nil || string(text) != machineFiles["/etc/passwd"] {
			s.problem("%s: /etc/passwd is another: %v", x.name, err)
		}
		_ = os.Remove("/run/taken")
	}
}

var siegeStranger *exec.Cmd

// stranger is a process that has nothing to do with a service.
func (s *siege) stranger() int {
	if siegeStranger == nil {
		siegeStranger = exec.Command(machineBase+"/attack_service", "stay")
		siegeStranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4200, Gid: 4200}}
		s.must(siegeStranger.Start())
	}
	return siegeStranger.Process.Pid
}

// strangerLives holds that it is there, and ends it.
func (s *siege) strangerLives(when string) {
	if siegeStranger == nil {
		return
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", siegeStranger.Process.Pid))
	if err != nil || strings.Contains(string(text), ") Z ") {
		s.problem("%s: a stranger was killed: %s %v", when, text, err)
	}
	_ = siegeStranger.Process.Kill()
	_ = siegeStranger.Wait()
	siegeStranger = nil
}

func TestDaemonsAgainstTheirParent(t *testing.T) { besiege(t, "daemons") }

// leftBeforeAct is a command before the main one that leaves processes behind, where no parent
// stays.
func leftBeforeAct(s *siege) {
	for _, x := range []struct{ mode, want string }{{"", "left 0\n"}, {"KillMode=none", "left 2\n"}} {
		s.unit("before", x.mode, "User=svc", "ExecStartPre="+daemonWords("ignore", "away", "away", "exit", "0"), "ExecStart="+countLeft)
		b := s.start(nil, "before", "--parent=never")
		b.ends(0)
		if got := b.out.String(); got != x.want {
			s.problem("%s: %q, want %q: %s", x.mode, got, x.want, b)
		}
		s.left()
	}
	// A child of who executes hardrun is none of the service's.
	s.unit("before", "ExecStartPre="+daemonWords("away", "exit", "0"), "ExecStart="+countLeft)
	b := s.start([]string{"sh", "-c", machineBase + `/attack_service stay >/dev/null 2>&1 & exec "$@"`, "sh"}, "before", "--parent=never")
	b.ends(0)
	if got := b.out.String(); got != "left 1\n" {
		s.problem("the child of who executes hardrun: %q, want one that is left: %s", got, b)
	}
	s.left()
}

// What ExecStartPre= leaves is killed before the main command is executed, systemd.service(5).
func TestLeftByCommandsBefore(t *testing.T) { besiege(t, "left before") }

// ---- who kills the parent

// killedLines are units with a parent, each with something more that changes who the daemon is.
var killedLines = map[string][]string{
	"user":    {"User=svc"},
	"dynamic": {"DynamicUser=yes"},
	"pids":    {"User=svc", "PrivatePIDs=yes"},
	"users":   {"User=svc", "PrivateUsers=yes", "AmbientCapabilities=CAP_NET_BIND_SERVICE"},
	"root":    {"ProtectSystem=strict", "NoNewPrivileges=yes"},
}

// killedAct kills the parent at a random moment: the commands go with it, whoever they are by
// then, and the next start takes what it finds, and leaves nothing of it.
func killedAct(s *siege) {
	clean := s.paths("/run", "/var/lib")
	for name, lines := range killedLines {
		s.unit("killed", slices.Concat(lines, []string{
			"RuntimeDirectory=killed", "StateDirectory=killed", "PrivateTmp=yes", "SetCredential=key:value",
			"ExecStartPre=/bin/true", "ExecStart=" + daemonWords("say", "up", "stay"), "ExecStopPost=/bin/true",
		})...)
		b := s.start(nil, "killed")
		begin := time.Now()
		b.await("up")
		took := time.Since(begin)
		b.signal(syscall.SIGTERM)
		<-b.done
		late := 0
		for range 24 * s.job.Times {
			b := s.start(nil, "killed")
			time.Sleep(time.Duration(rand.Float64() * 2.5 * float64(took)))
			b.signal(syscall.SIGKILL)
			if got := b.end(); got != 128+int(syscall.SIGKILL) {
				s.problem("%s: status %d: %s", name, got, b)
			}
			if b.out.String() != "" {
				late++
			}
			s.empty(name + ": the parent was killed")
		}
		if total := 24 * s.job.Times; late == 0 || late == total {
			s.problem("%s: of %d starts %d had come to their daemon when they were killed: the moments are none", name, total, late)
		}
		b = s.start(nil, "killed")
		b.await("up")
		b.signal(syscall.SIGTERM)
		if got := b.end(); got != 0 && name != "pids" { // there, the status is that of process 1 of the namespace
			s.problem("%s: the next start: status %d: %s", name, got, b)
		}
		s.empty(name + ": the next start")
		for path, is := range s.paths("/run", "/var/lib") {
			if was, ok := clean[path]; (!ok || was != is) && !strings.HasPrefix(path, "/run/hardrun") && !strings.HasPrefix(path, "/var/lib/") && path != "/run/credentials" && path != "/run/systemd" {
				s.problem("%s: left is %s, %s", name, path, is)
			}
		}
		for _, dir := range []string{"/run/hardrun/notify", "/run/hardrun/use"} {
			if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
				s.problem("%s: left in %s: %q", name, dir, list)
			}
		}
	}
}

func TestParentKilled(t *testing.T) { besiege(t, "killed") }

// windowAct kills the parent in the one moment in which the kernel has forgotten the death
// signal of the command: between its change of user and when it asks for the signal again.
func windowAct(s *siege) {
	for name, lines := range killedLines {
		if name == "root" {
			continue // nothing is changed
		}
		s.unit("window", slices.Concat(lines, []string{"ExecStart=" + daemonWords("say", "up", "stay"), "ExecStopPost=/bin/true"})...)
		const log = "/run/trace"
		b := s.start([]string{s.job.Strace, "-f", "-q", "-o", log, "-e", "trace=setresuid", "-e", "inject=setresuid:delay_exit=700000"}, "window")
		var of int // the process that is in the moment
		for deadline := time.Now().Add(siegeLimit); of == 0; time.Sleep(time.Millisecond) {
			names, err := filepath.Glob("/proc/[0-9]*")
			s.must(err)
			for _, dir := range names {
				text, _ := os.ReadFile(dir + "/status") // it may have ended
				exe, _ := os.Readlink(dir + "/exe")
				if exe == s.job.Hardrun && regexp.MustCompile(`\nUid:\t0\t0\t0\t0\n`).FindString(string(text)) == "" && strings.Contains(string(text), "\nUid:\t") {
					of, err = strconv.Atoi(dir[len("/proc/"):])
					s.must(err)
				}
			}
			if time.Now().After(deadline) {
				s.problem("%s: no process changes its user: %s", name, b)
				panic(siegeEnd{})
			}
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", of))
		s.must(err)
		_, parent, _ := strings.Cut(string(text), "\nPPid:\t")
		parent, _, _ = strings.Cut(parent, "\n")
		pid, err := strconv.Atoi(parent)
		s.must(err)
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		s.must(err)
		if pid < 2 || exe != s.job.Hardrun {
			s.problem("%s: the parent is %d, %s", name, pid, exe)
			panic(siegeEnd{})
		}
		s.must(syscall.Kill(pid, syscall.SIGKILL))
		time.Sleep(1200 * time.Millisecond) // the call has returned by then
		if out := b.out.String(); strings.Contains(out, "up") {
			s.problem("%s: the daemon runs without its parent", name)
		}
		s.left()
		b.end()
	}
}

func TestParentKilledInTheWindow(t *testing.T) { besiege(t, "window") }

// madeAct kills hardrun at each call by which it makes something, or tells somebody: what it had
// made is there, or it is not, and the next start takes it.
func madeAct(s *siege) {
	for _, lines := range [][]string{
		{"User=svc", "RuntimeDirectory=made made/below", "StateDirectory=made:link", "ExecStart=" + daemonWords("say", "up")},
		{"DynamicUser=yes", "RuntimeDirectory=made", "StateDirectory=made", "ExecStart=" + daemonWords("say", "up"), "ExecStopPost=/bin/true"},
	} {
		s.unit("made", lines...)
		for _, call := range []string{"mkdirat", "fchown", "fchmod", "symlinkat", "flock", "openat2", "memfd_create", "setresgid", "pwrite64", "execveat", "unlinkat"} {
			for n := 1; ; n++ {
				if n > 60 {
					break
				}
				log := "/run/trace"
				b := s.start([]string{s.job.Strace, "-q", "-o", log, "-e", "trace=" + call, "-e", "inject=" + call + ":signal=KILL:when=" + strconv.Itoa(n)}, "made")
				status := b.end()
				s.empty(call)
				if status != 0 && status != 128+int(syscall.SIGKILL) {
					s.problem("killed at %s, the %d.: status %d: %s", call, n, status, b)
				}
				if n%4 == 1 || status == 0 {
					b := s.start(nil, "made")
					b.ends(0)
					b.says("")
					if out := b.out.String(); out != "up\n" {
						s.problem("after one that was killed at %s, the %d.: %s", call, n, b)
					}
					if _, err := os.Lstat("/run/made"); err == nil {
						if list := s.paths("/run/made"); len(lines) == 5 || len(list) > 2 {
							s.problem("after one that was killed at %s, the %d.: left are %q", call, n, list)
						}
					}
				}
				if status == 0 {
					break
				}
			}
		}
		_ = os.RemoveAll("/run/made")
	}
}

func TestKilledWhileMaking(t *testing.T) { besiege(t, "made") }

// ---- --do

func doAct(s *siege) {
	s.unit("do", "User=svc", "PIDFile=/run/do/pid", "RuntimeDirectory=do", "RuntimeDirectoryPreserve=yes", "TimeoutStopSec=1s",
		"ExecStart="+daemonWords("self", "/run/do/pid", "say", "up", "stay"), `ExecReload=/bin/sh -c 'echo reload $MAINPID'`, `ExecStop=/bin/sh -c 'echo stop $MAINPID'`)
	refuse := func(text string, words ...string) {
		b := s.start(nil, "do", words...)
		if status := b.end(); status == 0 || b.out.String() != "" {
			s.problem("%q: status %d: %s", words, status, b)
		}
		b.says(text)
		s.strangerLives(strings.Join(words, " "))
	}
	for _, act := range []string{"--do=stop", "--do=reload"} {
		refuse("is not the service's", act, "--pid=1")
		refuse("is not the service's", act, "--pid="+strconv.Itoa(s.stranger()))
		refuse("no process", act, "--pid=4194303")
		refuse("pid", act, "--pid=0")
		refuse("pid", act, "--pid=-1")
		refuse("pid", act, "--pid=99999999999999999999")
		refuse("/run/do/pid", act)
	}
	// A supervisor's script starts the daemon in its own place.
	s.unit("started", "User=svc", "RuntimeDirectory=do", "RuntimeDirectoryPreserve=yes", "ExecStart="+daemonWords("self", "/run/do/pid", "say", "up", "stay"))
	b := s.start(nil, "started", "--parent=never")
	b.await("up")
	pid := strconv.Itoa(b.cmd.Process.Pid)
	file := "/run/do/pid"
	if text, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) != pid {
		s.problem("the file of the daemon: %q, %v", text, err)
	}
	// It is the daemon's own to write, and names whom it wants.
	s.must(os.WriteFile(file, []byte(strconv.Itoa(s.stranger())), 0o644))
	refuse("not a regular file of root's", "--do=stop")
	s.must(os.Chown(file, 0, 0))
	s.must(os.WriteFile(file, []byte(strconv.Itoa(s.stranger())), 0o644))
	refuse("is not the service's", "--do=stop")
	for _, text := range []string{"", "x", "1", "0", "-5", "1 2", strings.Repeat("9", 40)} {
		s.must(os.WriteFile(file, []byte(text), 0o644))
		refuse("there is no process ID in it", "--do=stop")
	}
	s.must(os.Remove(file))
	s.must(os.Symlink("/run/other", file))
	s.must(os.WriteFile("/run/other", []byte(pid), 0o644))
	refuse("too many levels of symbolic links", "--do=stop")
	s.must(os.Remove(file))
	s.must(os.Link("/run/other", file))
	s.must(os.WriteFile("/run/other", []byte(strconv.Itoa(os.Getpid())), 0o644))
	refuse("has more names", "--do=stop")
	s.must(os.Remove(file))
	s.must(unix.Mkfifo(file, 0o600))
	refuse("not a regular file", "--do=stop")
	// And it is what it should be.
	r := s.start(nil, "do", "--do=reload", "--pid="+pid)
	r.ends(0)
	if got := r.out.String(); got != "reload "+pid+"\n" {
		s.problem("--do=reload: %s", r)
	}
	r = s.start(nil, "do", "--do=stop", "--pid="+pid)
	r.ends(0)
	if got := r.out.String(); got != "stop "+pid+"\n" {
		s.problem("--do=stop: %s", r)
	}
	b.ends(128 + int(syscall.SIGTERM))
	s.empty("--do=stop")
}

// --do acts on no process that cannot be the service's, whoever names it.
func TestDoOnOthers(t *testing.T) { besiege(t, "do") }

// ---- odd starts

// startsAct starts a service from states that somebody could have left.
func startsAct(s *siege) {
	lines := []string{
		"User=svc", "RuntimeDirectory=odd", "StateDirectory=odd", "PrivateTmp=yes", "SetCredential=key:value",
		`ExecStartPre=/bin/sh -c 'echo pre $(cat $CREDENTIALS_DIRECTORY/key)'`,
		`ExecStart=/bin/sh -c 'echo main; grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/self/fd | tr "\\n" " "; echo'`,
	}
	s.unit("alone", append(lines, "RuntimeDirectoryPreserve=yes")...)
	s.unit("parent", append(lines, "ExecStopPost=/bin/true")...)
	// SIGPIPE is ignored for a unit, systemd.exec(5) "IgnoreSIGPIPE="; 3 is that of ls.
	const good = "pre value\nmain\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n0 1 2 3 \n"
	mount := func(script string) []string {
		return []string{"unshare", "--mount", "--propagation=private", "--", "sh", "-c", script + `; exec "$@"`, "sh"}
	}
	for _, x := range []struct {
		name   string
		before []string
		status int    // 0: as always
		stderr string // of those that are refused
		alone  string // another for one without a parent; "-": it goes
	}{
		{"nothing", nil, 0, "", ""},
		{"every signal blocked", []string{"env", "--block-signal"}, 0, "", ""},
		{"every signal ignored", []string{"env", "--ignore-signal"}, 0, "", ""},
		{"stdin closed", []string{"sh", "-c", `exec "$@" <&-`, "sh"}, 0, "", ""},
		{"descriptors 3 to 200", []string{"bash", "-c", `for ((i = 3; i <= 200; i++)); do eval "exec $i</etc/passwd"; done; exec "$@"`, "sh"}, 0, "", ""},
		{"no environment", []string{"env", "-i"}, 0, "", ""},
		{"process 1", []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, 0, "", ""},
		{"ten descriptors", []string{"prlimit", "--nofile=10:10"}, 205, "RLIMIT_NOFILE", ""},
		{"forty descriptors", []string{"prlimit", "--nofile=40:40"}, 0, "", ""},
		{"no /proc", mount("mount -t tmpfs none /proc"), 226, "/proc", ""},
		{"a false /proc", mount("mount --bind /srv /proc"), 226, "/proc", ""},
		{"a /proc that hides", mount("mount -t proc -o hidepid=2 proc /proc; set -- setpriv --bounding-set=-sys_ptrace -- \"$@\""), 0, "", ""},
		{"a read-only /run", mount("mount -o remount,ro,bind /run"), 233, "read-only", ""},
		{"a /run without inodes", mount("mount -t tmpfs -o nr_inodes=1,mode=0755 none /run"), 233, "no space left", ""},
		{"a full /run", mount("mount -t tmpfs -o size=4k,mode=0755 none /run; echo > /run/x; : ${1}"), 0, "", ""},
		{"a /run of another user", mount("mount -t tmpfs -o uid=4200,mode=0755 none /run; mkdir -m 0777 /run/hardrun; chown 4200 /run/hardrun"), 233, "/run/hardrun", "-"},
		{"links in /run", mount("mount -t tmpfs -o mode=0755 none /run; ln -s /etc /run/hardrun; ln -s /etc /run/odd"), 233, "symbolic link", ""},
		{"a link of the old user", mount("mount -t tmpfs -o mode=0755 none /var/lib; ln -s /etc /var/lib/odd; chown -h 4200 /var/lib/odd"), 238, "symbolic link", ""},
	} {
		for _, unit := range []string{"alone", "parent"} {
			status := x.status
			if unit == "alone" && x.alone != "" {
				status, _ = strconv.Atoi(x.alone) // "-" is 0
			}
			b := s.start(x.before, unit)
			b.name = x.name + ", " + unit
			b.ends(status)
			switch out := b.out.String(); {
			case status == 0 && (out != good || b.errs.String() != ""):
				s.problem("%s: %s", b.name, b)
			case status != 0 && out != "":
				s.problem("%s: something was started: %s", b.name, b)
			case status != 0 && strings.Count(b.errs.String(), "\n") != 1:
				s.problem("%s: not one line: %s", b.name, b)
			}
			if status != 0 {
				b.says(x.stderr)
			}
			s.empty(b.name)
			_ = os.RemoveAll("/run/odd")
		}
	}
	// A user gets nothing by a unit of root's.
	for _, unit := range []string{"alone", "parent"} {
		b := s.start([]string{"setpriv", "--reuid=4200", "--regid=4200", "--clear-groups"}, unit)
		if status := b.end(); status < 200 || b.out.String() != "" {
			s.problem("a user starts a unit of root's: status %d: %s", status, b)
		}
		s.empty("a user's start")
	}
	// What was blocked at the start is forwarded all the same.
	s.unit("hears", "User=svc", "ExecStart="+daemonWords("hear", "10", "hear", "28", "stay"), "ExecStopPost=/bin/true")
	b := s.start([]string{"env", "--block-signal"}, "hears")
	b.await("up: done")
	b.signal(syscall.SIGUSR1)
	b.await("heard: done\nup: done")
	b.signal(syscall.SIGWINCH)
	b.await("heard: done\nup: done\nheard: done")
	b.signal(syscall.SIGTERM)
	b.ends(0)
	s.empty("hears")
}

func TestOddStartsOfServices(t *testing.T) { besiege(t, "starts") }

// pathsAct is units whose paths are not what they should be.
func pathsAct(s *siege) {
	s.must(os.MkdirAll("/srv/odd", 0o755))
	s.must(unix.Mkfifo("/srv/odd/fifo", 0o666))
	s.must(os.WriteFile("/srv/odd/file", []byte("x"), 0o600))
	s.must(os.Symlink("/srv/odd/file", "/srv/odd/link"))
	s.must(os.Lchown("/srv/odd/link", 4200, 4200))
	s.must(os.Mkdir("/srv/odd/theirs", 0o755))
	s.must(os.Chown("/srv/odd/theirs", 4200, 4200))
	s.must(os.Symlink("/srv/odd/file", "/srv/odd/theirs/link"))
	s.must(os.Lchown("/srv/odd/theirs/link", 4200, 4200))
	s.must(os.Link("/srv/odd/file", "/srv/odd/theirs/hard"))
	s.must(os.Symlink("/srv/odd", "/srv/odd/theirs/dir"))
	s.must(os.Lchown("/srv/odd/theirs/dir", 4200, 4200))
	for _, line := range []string{
		"LoadCredential=a:/proc/self/mem", "LoadCredential=a:/dev/zero", "LoadCredential=a:/srv/odd/fifo", "LoadCredential=a:/proc/self/fd/0",
		"LoadCredential=a:/srv/odd/theirs/link", "LoadCredential=a:/srv/odd/theirs/hard", "LoadCredential=a:/dev/tty", "LoadCredential=a:/proc", "LoadCredential=a:/etc/../etc/passwd",
		"LoadCredential=../a:/etc/passwd", "LoadCredential=a/b:/etc/passwd", "SetCredential=..:x", "SetCredential=.:x", "SetCredential=a/../b:x",
		"EnvironmentFile=/srv/odd/fifo", "EnvironmentFile=-/srv/odd/fifo", "EnvironmentFile=/dev/zero", "EnvironmentFile=/proc/self/mem", "EnvironmentFile=/srv", "EnvironmentFile=/dev/tty",
		"EnvironmentFile=/srv/odd/theirs/link", "EnvironmentFile=-/srv/odd/theirs/link", "EnvironmentFile=/srv/odd/theirs/hard", "EnvironmentFile=/srv/odd/theirs/dir/file",
		"StandardInput=file:/srv/odd/theirs/link", "StandardInput=file:/srv/odd/theirs/hard", "StandardInput=file:/srv/odd/theirs/dir/file", "StandardInput=file:/proc/self/fd/0",
		"StandardOutput=append:/srv/odd/theirs/link", "StandardOutput=truncate:/srv/odd/theirs/link", "StandardOutput=file:/srv/odd/theirs/hard", "StandardError=append:/srv/odd/theirs/hard",
		"StandardError=truncate:/srv/odd/theirs/dir/file", "StandardError=append:/srv/odd/theirs/dir/new",
		"OpenFile=/srv/odd/theirs/link", "OpenFile=/srv/odd/theirs/hard", "OpenFile=/proc/self/fd/0", "OpenFile=/srv/odd/none", "OpenFile=../x",
		"RuntimeDirectory=../x", "RuntimeDirectory=/x", "RuntimeDirectory=.", "RuntimeDirectory=a/../../b", "RuntimeDirectory=private", "RuntimeDirectory=hardrun", "RuntimeDirectory=hardrun/use", "RuntimeDirectory=credentials",
		"StateDirectory=private/x", "StateDirectory=x:../y", "StateDirectory=x:/y",
		"WorkingDirectory=/proc/self/fd/0", "WorkingDirectory=/proc/1/root", "RootDirectory=/proc/self/root", "User=\x1b[2Jroot", "User=0day", "User=-1", "User=4294967295", "Group=+0",
		"ExecStart=/proc/self/exe", "Environment=A=" + strings.Repeat("x", 1<<20), "Environment=A=" + strings.Repeat("%n", 400_000), "Environment=A=" + strings.Repeat("y", 200_000),
		"Environment=A\x00=b", "Exec\x1bStart=/bin/true", "PIDFile=/", "PIDFile=../x", "LimitNOFILE=99999999999999999999", "UMask=99999",
	} {
		s.unit("odd", "Type=oneshot", line, "ExecStart="+daemonWords("say", "up"))
		begin := time.Now()
		b := s.start(nil, "odd")
		b.name = fmt.Sprintf("%.60q", line)
		status := b.end()
		text := b.errs.String()
		if status == 0 || b.out.String() != "" || status > 128 && status < 200 {
			s.problem("%s: status %d: %.500s", b.name, status, b)
		}
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }) || len(text) > 8000 || strings.Contains(text, "goroutine") {
			s.problem("%s: stderr is %.500q", b.name, text)
		}
		for l := range strings.Lines(text) {
			if !strings.HasPrefix(l, "hardrun: ") {
				s.problem("%s: a line which is not hardrun's: %.200q", b.name, l)
			}
		}
		if took := time.Since(begin); took > 5*time.Second {
			s.problem("%s: it took %v", b.name, took)
		}
		s.empty(b.name)
	}
	if _, err := os.Lstat("/srv/odd/new"); err == nil {
		s.problem("a file was made where a link of others leads")
	}
	// Others could have put these where they are, and got to a file that is not theirs.
	if text, err := os.ReadFile("/srv/odd/file"); err != nil || string(text) != "x" {
		s.problem("/srv/odd/file: %q, %v", text, err)
	}
}

func TestOddPathsOfServices(t *testing.T) { besiege(t, "paths") }

// togetherAct is one unit that is started by two at once, again and again.
func togetherAct(s *siege) {
	s.unit("twice", "User=svc", "RuntimeDirectory=twice", "StateDirectory=twice", "Type=notify", "ExecStartPre=/bin/sh -c 'echo > $RUNTIME_DIRECTORY/$$$$'",
		"ExecStart="+daemonWords("notify", "READY=1", "wait", "30", "say", "up"), `ExecStartPost=/bin/sh -c 'ls $RUNTIME_DIRECTORY >/dev/null'`, `ExecStopPost=/bin/sh -c 'test -d $RUNTIME_DIRECTORY'`)
	for range 10 * s.job.Times {
		list := []*besieged{s.start(nil, "twice"), s.start(nil, "twice"), s.start(nil, "twice")}
		for _, b := range list {
			b.ends(0)
			b.says("")
		}
		if _, err := os.Lstat("/run/twice"); err == nil {
			s.problem("/run/twice is left")
		}
		s.empty("two at once")
	}
}

func TestParentsTogether(t *testing.T) { besiege(t, "together") }
