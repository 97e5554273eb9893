//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// myCPUs are the first CPUs that this thread may use.
func myCPUs() uint64 {
	var set unix.CPUSet
	must(0, unix.SchedGetaffinity(0, &set))
	return uint64(set[0])
}

// otherCPUs moves this thread to a CPU, so that it is not on those of the start. The machine must
// have two.
func otherCPUs() bool {
	start := newThread().Snapshot.Affinity[0]
	for n := range 64 {
		var one unix.CPUSet
		one.Set(n)
		if unix.SchedSetaffinity(0, &one) == nil && myCPUs() != start { // there may be no such CPU
			return true
		}
	}
	return false
}

// A subcommand, and --help, are free of what the constructor did for the launch.
func TestUnpinned(t *testing.T) {
	runtime.LockOSThread() // and not unlocked: the thread goes with the test
	for _, word := range []string{"version", "--help"} {
		if !otherCPUs() {
			t.Skip("needs two CPUs")
		}
		if out, said, status := ran(t, run, word); out == "" || said != "" || status != 0 {
			t.Errorf("%s: status %d, %q, %q", word, status, out, said)
		}
		if now, start := myCPUs(), newThread().Snapshot.Affinity[0]; now != start {
			t.Errorf("%s: on CPUs %b, want those of the start, %b", word, now, start)
		}
	}
}

// spawnCases are commands that cannot be started as they should be.
var spawnCases = []struct {
	name string
	lie  lie
	said string
}{
	{"no session", lie{unix.SYS_SETSID, every, 0, uint32(unix.EPERM)}, "start a command: setsid: operation not permitted"},
	{"no death with the parent", lie{unix.SYS_PRCTL, 0, unix.PR_SET_PDEATHSIG, uint32(unix.EINVAL)}, "start a command: prctl: invalid argument"},
	{"no limit", lie{unix.SYS_PRLIMIT64, 1, unix.RLIMIT_NOFILE, uint32(unix.EPERM)}, "start again: give the state back: prlimit64: operation not permitted"},
	{"CPUs that are not given back", lie{unix.SYS_SCHED_SETAFFINITY, every, 0, 0}, "start again: give the state back: sched_getaffinity: read back "},
	{"a slack that is not given back", lie{unix.SYS_PRCTL, 0, unix.PR_SET_TIMERSLACK, 0}, "start again: give the state back: prctl(PR_GET_TIMERSLACK): answered 12345, want 54321"},
	{"signals that stay as they are", lie{unix.SYS_RT_SIGPROCMASK, 0, unix.SIG_SETMASK, 0}, "start again: give the state back: rt_sigprocmask: read back "},
	{"no program", lie{unix.SYS_EXECVEAT, every, 0, uint32(unix.EACCES)}, "start a command: execveat: permission denied"},
}

// runSpawn starts a command in a state that is not that of its start.
func runSpawn(number string) {
	log = logger{fd: -1, syslog: 3}
	t := newThread()
	if !otherCPUs() {
		tell("one CPU")
		os.Exit(0)
	}
	must(0, unix.Prctl(unix.PR_SET_TIMERSLACK, 12345, 0, 0, 0))
	t.Snapshot.TimerSlack = 54321
	t.Snapshot.Blocked = 1 << (unix.SIGUSR1 - 1)
	spawnCases[must(strconv.Atoi(number))].lie.install()
	before := openFiles()
	pid, err := spawn(t, nil, nil)
	must(0, err)
	tell(must(waitFor(pid)), openFiles()-before)
	os.Exit(0)
}

// syslogs is one end of a socket as that of syslog(3), and what was sent to it since.
func syslogs(t *testing.T) (*os.File, func() string) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[0]), "theirs")
	t.Cleanup(func() { _, _ = theirs.Close(), unix.Close(fds[1]) })
	return theirs, func() string {
		var text []byte
		b := make([]byte, 4096)
		for {
			n, err := unix.Read(fds[1], b)
			if err != nil {
				return string(text)
			}
			text = append(append(text, b[:n]...), '\n')
		}
	}
}

var daemonErr = regexp.MustCompile(`^<27>hardrun\[[0-9]+\]: `)

// A command that cannot be started as it should be is not started: that is logged, with what was
// to be done, and nothing stays open.
func TestSpawnFails(t *testing.T) {
	socket, logged := syslogs(t)
	for i, c := range spawnCases {
		cmd := as(exec.Command(binary(t), spawnWord, strconv.Itoa(i)), uint32(os.Getuid()))
		cmd.ExtraFiles = []*os.File{socket}
		r := runs(t, cmd)
		if r.out == "one CPU\n" {
			t.Skip("needs two CPUs")
		}
		text := logged()
		if r.code != 0 || r.out != "203 0\n" || r.said != "" || !daemonErr.MatchString(text) || !strings.HasPrefix(daemonErr.ReplaceAllString(text, ""), c.said) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %+v, logged %q", c.name, r, text)
		}
	}
}

// runLogged is runRows with messages for syslog(3) alone. The words: "here" or "again", and the
// case.
func runLogged(words []string) {
	log = logger{fd: -1, syslog: 3}
	runRows(words[1], func(p *row.Program, status int) {
		if words[0] == "again" {
			executeAgain(p, status, []int{openSelf()})
		}
		execute(p, status)
	})
}

// What the rows have to say is for syslog(3), too, --log=.
func TestRowsLogged(t *testing.T) {
	socket, logged := syslogs(t)
	for _, where := range []string{"here", "again"} {
		for _, c := range rowCases {
			if c.said == "" {
				continue
			}
			cmd := as(exec.Command(binary(t), logWord, where, c.name), uint32(os.Getuid()))
			cmd.ExtraFiles = []*os.File{socket}
			r := runs(t, cmd)
			text := logged()
			said := strings.TrimPrefix(c.said, "hardrun: ")
			if r.code != c.code || r.said != "" || !daemonErr.MatchString(text) || daemonErr.ReplaceAllString(text, "") != said {
				t.Errorf("%s, %s: %+v, logged %q, want %q", where, c.name, r, text, c.said)
			}
		}
	}
}

func partCatch(string) {
	const usr1, usr2 = 1 << (unix.SIGUSR1 - 1), 1 << (unix.SIGUSR2 - 1)
	fd, taken, err := catch(usr1 | usr2)
	must(0, err)
	flags := must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))
	tell("it can be read without waiting:", flags&unix.O_NONBLOCK != 0)
	tell("it is closed by execve(2):", must(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)) == unix.FD_CLOEXEC)
	tell(taken())
	must(0, unix.Kill(os.Getpid(), unix.SIGUSR2))
	must(unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1))
	sent, typed := taken()
	tell(sent == usr2, typed)
	tell(taken())
}

// A signal that came is noted once.
func TestCatch(t *testing.T) {
	part(t, "catch", uint32(os.Getuid()), `
it can be read without waiting: true
it is closed by execve(2): true
0 0
true 0
0 0
`)
}

func partSettle(string) {
	tell(hide())
	(&lie{unix.SYS_PRCTL, 0, unix.PR_GET_DUMPABLE, 1}).install()
	tell(hide())
	(&lie{unix.SYS_RT_SIGACTION, 0, uint32(unix.SIGPROF), uint32(unix.EINVAL)}).install()
	s := lines()
	s.in = &invocation{}
	tell(s.shed(0))
}

// A parent that cannot settle down says which call failed.
func TestSettle(t *testing.T) {
	part(t, "settle", uint32(os.Getuid()), `
<nil>
prctl(PR_GET_DUMPABLE): operation not permitted
sigaction: invalid argument
`)
}

func partMain(string) {
	runtime.Gosched()
	leader := true
	for range 100 {
		c := make(chan bool)
		go func() {
			runtime.Gosched()
			c <- true
		}()
		<-c
		leader = leader && unix.Gettid() == unix.Getpid()
	}
	tell("it is the leader:", leader)
	os.Args = nil
	main()
}

// What acts is the leader of the process, and a process without a name is none.
func TestMainFunction(t *testing.T) {
	r := runs(t, exec.Command(binary(t), partWord, "main", ""))
	if want := (ended{launcher.ExitUsage, r.pid, "it is the leader: true\n", "hardrun: started without a name\n"}); r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
}

// Rows need a /proc to be run in a second start, and descriptors that are there.
func TestRowsAgainRefused(t *testing.T) {
	p := &row.Program{}
	p.Reserve(1, 64)
	p.Call(unix.SYS_GETPID, 1)
	for _, tt := range []struct {
		status int
		keep   []int
		want   string
	}{
		{-1, nil, "there is no /proc"},
		{-1, []int{-1}, "there is no /proc"},
		{900, []int{openSelf()}, "fcntl(F_SETFD): bad file descriptor"},
		{-1, []int{must(unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0))}, "open /proc/self/exe: no such file or directory"},
	} {
		if err := rowsAgain(p, tt.status, tt.keep); err == nil || err.Error() != tt.want {
			t.Errorf("%d, %v: %v", tt.status, tt.keep, err)
		}
		for _, fd := range tt.keep {
			_ = unix.Close(fd) // it may be none
		}
	}
}

// What the rows will show to be closed by execve(2) is kept open until they run.
func TestDescriptors(t *testing.T) {
	p := &row.Program{}
	p.Reserve(8, 64)
	p.Call(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(9), row.Int(unix.F_GETFD))
	p.Call(unix.SYS_FCNTL, 0, row.Int(20), row.Int(unix.F_GETFD))
	p.Call(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(21), row.Int(unix.F_DUPFD))
	p.Call(unix.SYS_DUP3, unix.FD_CLOEXEC, row.Int(22), row.Int(unix.F_GETFD))
	p.CallDiffers(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(23), row.Int(unix.F_GETFD))
	if got, want := descriptors(p, []int{7, -1, 2, 9, 5, 7}), []int{5, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("%d, want %d", got, want)
	}
}

// What is handed over cannot be changed, and is no program.
func TestHandOver(t *testing.T) {
	fd, err := handOverCommand([]byte("told"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&allSeals != allSeals {
		t.Errorf("seals %#x, %v", seals, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	probe, err := unix.MemfdCreate("test", unix.MFD_NOEXEC_SEAL)
	if err != nil {
		t.Skip("needs MFD_NOEXEC_SEAL, Linux 6.3: ", err)
	}
	_ = unix.Close(probe)
	if seals&unix.F_SEAL_EXEC == 0 || st.Mode&0o111 != 0 {
		t.Errorf("it can be executed: mode %o, seals %#x", st.Mode, seals)
	}
}

// What cannot be written whole is not handed over; RLIMIT_FSIZE, which is the daemon's, is as it
// was afterwards.
func TestWriteAll(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: 4096, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	memfd, err := unix.MemfdCreate("test", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]), unix.Close(memfd) }()
	for _, tt := range []struct {
		name string
		fd   int
		want string
	}{
		{"a file in memory", memfd, "<nil>"},
		{"a pipe that is full before the end", pipe[1], "write: resource temporarily unavailable"},
		{"what is not open for writing", pipe[0], "write: bad file descriptor"},
	} {
		if err := writeAll(tt.fd, make([]byte, 1<<20)); fmt.Sprint(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &now); err != nil || now != low {
			t.Errorf("%s: RLIMIT_FSIZE is %+v, %v", tt.name, now, err)
		}
	}
	if bytesOf([]int32(nil)) != nil || string(bytesOf([]uint8{1, 2})) != "\x01\x02" {
		t.Error("the bytes of a list are others")
	}
}

func partLimit(string) {
	var was unix.Rlimit
	must(0, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
	must(0, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4096, Max: was.Max}))
	fd := must(unix.MemfdCreate("test", 0))
	(&lie{unix.SYS_PRLIMIT64, 3, 0, uint32(unix.EPERM)}).install() // without a place for the old limit
	err := writeAll(fd, []byte("told"))
	var st unix.Stat_t
	must(0, unix.Fstat(fd, &st))
	tell(st.Size, err)
}

// Without room for it nothing is written.
func TestWriteAllLimit(t *testing.T) {
	part(t, "limit", uint32(os.Getuid()), "0 prlimit: operation not permitted\n")
}

func partLinkedProc(string) {
	ownRun()
	must(0, os.MkdirAll("/run/root/real", 0o755))
	must(0, unix.Mount("proc", "/run/root/real", "proc", 0, ""))
	must(0, unix.Chroot("/run/root"))
	must(0, os.Symlink("real", "/proc"))
	_, err := openProc()
	tell("a link:", err)
	must(0, os.Rename("/proc", "/link"))
	must(0, os.Mkdir("/proc", 0o755))
	_, err = openProc()
	tell("a directory:", err)
}

// A /proc that is none, or that somebody's link leads to, is not believed.
func TestOpenProc(t *testing.T) {
	requireRoot(t)
	part(t, "linked proc", 0, `
a link: open /proc: not a directory
a directory: there is no /proc
`)
}
