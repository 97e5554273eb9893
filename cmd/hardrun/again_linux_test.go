//go:build linux && cgo

package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// The words by which the test binary becomes the child of a test.
const (
	againWord  = "run-these-rows-again" // rowCases, through a second start
	forgeWord  = "forge"                // a second start which is none
	userWord   = "make-user-namespace"  // rows of a user namespace
	startWord  = "start-again"          // a second start from the beginning
	failWord   = "start-badly"          // a second start that fails
	oddWord    = "oddly"                // a start from a state that is not the usual one
	launchWord = "launch"               // hardrun, with the words behind it
	partWord   = "part-of-a-service"    // a function of partsOf, with a directory
	spawnWord  = "spawn"                // one of spawnCases
	logWord    = "log"                  // rows that log
	nobody     = 65534
	againStart = "HARDRUN_AGAIN="
)

// runChild is the child of a test, which never returns, or nothing.
func runChild(words []string) {
	if len(words) < 2 {
		return
	}
	switch words[0] {
	case rowsWord:
		runRows(words[1], func(p *row.Program, status int) { execute(p, status) })
	case againWord:
		runRows(words[1], func(p *row.Program, status int) { executeAgain(p, status, []int{openSelf()}) })
	case forgeWord:
		runForged(words[1])
	case userWord:
		runUserNS(words[1:])
	case startWord:
		runStart(words[1:])
	case failWord:
		runFailing(words[1])
	case oddWord:
		runOddly(words)
	case launchWord:
		os.Exit(run(words[1:]))
	case partWord:
		partsOf[words[1]](words[2])
		os.Exit(0)
	case spawnWord:
		runSpawn(words[1])
	case logWord:
		runLogged(words[1:])
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// openSelf is the own directory of /proc.
func openSelf() int {
	return must(unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
}

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hardrun-cmd-")
	if err != nil {
		return "", err
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return dir, err
	}
	if err := os.WriteFile(dir+"/test", self, 0o755); err != nil {
		return dir, err
	}
	return dir, errors.Join(os.Chmod(dir, 0o755), os.Chmod(dir+"/test", 0o755))
})

// binary is a copy of the test binary where every user can execute it.
func binary(t *testing.T) string {
	t.Helper()
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "test")
}

// ended is what a child left behind. A grandchild that is left would hold the
// pipes, and the test would not end.
type ended struct {
	code      int
	pid       int
	out, said string
}

func runs(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ended{cmd.ProcessState.ExitCode(), cmd.ProcessState.Pid(), out.String(), said.String()}
}

func as(cmd *exec.Cmd, uid uint32) *exec.Cmd {
	cmd.Dir = "/"
	if uid != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return cmd
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it maps the ids of others, or changes its own")
	}
}

// requireUserNS skips where a user without privilege can make no user namespace.
func requireUserNS(t *testing.T) {
	t.Helper()
	for _, name := range []string{"user/max_user_namespaces", "kernel/unprivileged_userns_clone"} {
		if b, err := os.ReadFile("/proc/sys/" + name); err == nil && strings.TrimSpace(string(b)) == "0" {
			t.Skip("needs user namespaces: /proc/sys/" + name + " is 0")
		}
	}
}

// users are the uids as which this test can run.
func users() []uint32 {
	if os.Getuid() == 0 {
		return []uint32{0, nobody}
	}
	return []uint32{uint32(os.Getuid())}
}

// ---- what is not of hardrun's making

const allSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// forged is a memfd and an environment that differ from what hardrun makes in
// one thing.
type forged struct {
	file  []byte
	seals int
	env   func(fd string) []string
	open  func() int // another descriptor than a memfd
	size  int64      // of the file; 0 for as long as it is
}

func (f *forged) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&f.file[at])) }

// Where things stand in struct hr_again.
const atMagic, atSize, atForm, atPID, atRows, atKept, atRelocs, atBlob = 0, 8, 12, 20, 44, 48, 52, 56

var forgeries = []struct {
	name string
	make func(f *forged)
	ok   bool
}{
	{"nothing", func(*forged) {}, true},
	{"an environment before it", func(f *forged) {
		f.env = func(fd string) []string {
			return []string{"A=1", "HARDRUN_AGAI=1", "XHARDRUN_AGAIN=3", againStart + fd}
		}
	}, true},
	{"no seals", func(f *forged) { f.seals = 0 }, false},
	{"no F_SEAL_SEAL", func(f *forged) { f.seals &^= unix.F_SEAL_SEAL }, false},
	{"no F_SEAL_WRITE", func(f *forged) { f.seals &^= unix.F_SEAL_WRITE }, false},
	{"no F_SEAL_GROW", func(f *forged) { f.seals &^= unix.F_SEAL_GROW }, false},
	{"no F_SEAL_SHRINK", func(f *forged) { f.seals &^= unix.F_SEAL_SHRINK }, false},
	{"F_SEAL_FUTURE_WRITE in place of F_SEAL_WRITE", func(f *forged) { f.seals ^= unix.F_SEAL_WRITE | unix.F_SEAL_FUTURE_WRITE }, false},
	{"another magic", func(f *forged) { *f.word(atMagic) ^= 1 }, false},
	{"the PID of another", func(f *forged) { *f.word(atPID) = uint32(os.Getppid()) }, false},
	{"no PID", func(f *forged) { *f.word(atPID) = 0 }, false},
	{"another size", func(f *forged) { *f.word(atSize) += 8 }, false},
	{"a longer file", func(f *forged) { f.size = int64(len(f.file)) + 8 }, false},
	{"a shorter file", func(f *forged) { f.size = int64(len(f.file)) - 8 }, false},
	{"a file without a head", func(f *forged) { f.size = 8 }, false},
	{"an empty file", func(f *forged) { f.file = nil }, false},
	{"a huge file", func(f *forged) { f.size = 64<<20 + 8; *f.word(atSize) = uint32(f.size) }, false},
	{"a form that is none", func(f *forged) { *f.word(atForm) = 3 }, false},
	{"rows told to be a start", func(f *forged) { *f.word(atForm) = 2 }, false},
	{"no rows", func(f *forged) { *f.word(atRows) = 0 }, false},
	{"more rows than there are", func(f *forged) { *f.word(atRows) = 1<<32 - 1 }, false},
	{"more descriptors than there are", func(f *forged) { *f.word(atKept) = 1<<32 - 1 }, false},
	{"more relocations than there are", func(f *forged) { *f.word(atRelocs) = 1<<32 - 1 }, false},
	{"a larger blob than there is", func(f *forged) { *f.word(atBlob) = 1<<32 - 8 }, false},
	{"a blob that is not aligned", func(f *forged) { *f.word(atBlob) -= 4 }, false},
	{"a regular file", func(f *forged) {
		f.open = func() int {
			name := must(os.CreateTemp("", "hardrun-forged-")).Name()
			defer func() { _ = os.Remove(name) }()
			must(0, os.WriteFile(name, f.file, 0o600))
			return must(unix.Open(name, unix.O_RDONLY, 0))
		}
	}, false},
	{"a directory", func(f *forged) { f.open = func() int { return must(unix.Open("/", unix.O_RDONLY, 0)) } }, false},
	{"a path", func(f *forged) { f.open = func() int { return must(unix.Open("/", unix.O_PATH, 0)) } }, false},
	{"a pipe", func(f *forged) {
		f.open = func() int {
			var p [2]int
			must(0, unix.Pipe(p[:]))
			return p[0]
		}
	}, false},
	{"a descriptor that is closed", func(f *forged) { f.open = func() int { return 900 } }, false},
	{"stdin", func(f *forged) {
		f.env = func(fd string) []string {
			must(0, unix.Dup2(must(strconv.Atoi(fd)), 0))
			return []string{againStart + "0"}
		}
	}, false},
	{"no number", func(f *forged) { f.env = func(string) []string { return []string{againStart} } }, false},
	{"a word", func(f *forged) { f.env = func(string) []string { return []string{againStart + "x"} } }, false},
	{"a negative number", func(f *forged) { f.env = func(fd string) []string { return []string{againStart + "-" + fd} } }, false},
	{"more than a number", func(f *forged) { f.env = func(fd string) []string { return []string{againStart + fd + " "} } }, false},
	{"a number that wraps around", func(f *forged) {
		f.env = func(fd string) []string {
			return []string{againStart + strconv.FormatUint(1<<32+uint64(must(strconv.Atoi(fd))), 10)}
		}
	}, false},
	{"not the last", func(f *forged) { f.env = func(fd string) []string { return []string{againStart + fd, "A=1"} } }, false},
	{"twice", func(f *forged) {
		f.env = func(fd string) []string { return []string{againStart + fd, againStart + fd} }
	}, false},
	{"another one first", func(f *forged) { f.env = func(fd string) []string { return []string{againStart, againStart + fd} } }, false},
}

// runForged executes this binary once more, with a memfd that is as hardrun makes
// it but for one thing.
func runForged(name string) {
	p := &row.Program{}
	echo(p)
	rows, relocs := bytesOf(p.Rows), bytesOf(p.Relocs)
	head := make([]byte, againHead)
	f := &forged{file: head, seals: allSeals, env: func(fd string) []string { return []string{againStart + fd} }}
	copy(head, "hragain1")
	for len(p.Blob)%8 != 0 {
		p.Blob = append(p.Blob, 0)
	}
	f.file = slices.Concat(head, rows, relocs, make([]byte, len(relocs)%8), p.Blob)
	*f.word(atSize), *f.word(atForm), *f.word(atPID) = uint32(len(f.file)), 1, uint32(os.Getpid())
	*f.word(atRows), *f.word(atRelocs), *f.word(atBlob) = uint32(len(p.Rows)), uint32(len(p.Relocs)), uint32(len(p.Blob))
	*f.word(28), *f.word(32), *f.word(36) = ^uint32(0), 2, ^uint32(0) // no status, messages to stderr, no syslog
	for _, c := range forgeries {
		if c.name == name {
			c.make(f)
		}
	}
	fd := 0
	if f.open != nil {
		fd = f.open()
	} else {
		fd = must(unix.MemfdCreate("forged", unix.MFD_ALLOW_SEALING))
		for file := f.file; len(file) > 0; {
			file = file[must(unix.Write(fd, file)):]
		}
		if f.size != 0 {
			must(0, unix.Ftruncate(fd, f.size))
		}
		must(unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, f.seals))
	}
	must(0, unix.Exec("/proc/self/exe", []string{"x"}, f.env(strconv.Itoa(fd))))
}

// What the variable names is acted upon only where hardrun itself has made it.
func TestForgedAgain(t *testing.T) {
	for _, c := range forgeries {
		t.Run(c.name, func(t *testing.T) {
			r := runs(t, as(exec.Command(binary(t), forgeWord, c.name), uint32(os.Getuid())))
			want := ended{code: 64, said: "hardrun: HARDRUN_AGAIN= is in the environment, and is not of hardrun's making: unset it\n"}
			if c.ok {
				want = ended{out: "ran\n"}
			}
			want.pid = r.pid
			if r != want {
				t.Errorf("got %+v, want %+v", r, want)
			}
		})
	}
}

// ---- rows in a process of one thread

// The rows do after a second start what they do without.
func TestRowsAgain(t *testing.T) {
	for _, c := range rowCases {
		t.Run(c.name, func(t *testing.T) { testRows(t, againWord, c.name, c.code, c.said) })
	}
}

// The script shows where the daemon is: its PID, its threads, its children, what
// is open, its variables.
const showState = `read pid rest </proc/self/stat; echo "pid $pid"
for t in /proc/self/task/*; do echo "thread ${t##*/}"; done
read children </proc/self/task/$$/children; echo "children $children"
while read a b c; do echo "uid $a $b $c"; done </proc/self/uid_map
while read a b c; do echo "gid $a $b $c"; done </proc/self/gid_map
read deny </proc/self/setgroups; echo "setgroups $deny"
ls /proc/self/fd`

// lie is a system call that the kernel does not make, and what it answers: SECCOMP_RET_ERRNO
// of 0 is a success that is none. arg and value tell one of the calls from others.
type lie struct {
	nr    uint32
	arg   uint32 // which argument; every for all of the calls
	value uint32
	errno uint32
}

const every = 99

func (l *lie) install() {
	const lowHalf = 16 // of argument 0 in struct seccomp_data, little-endian
	arg, value := l.arg, l.value
	test := uint16(unix.BPF_JEQ)
	if l.arg == every {
		arg, value, test = 0, 0, unix.BPF_JGE
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: l.nr, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: lowHalf + 8*arg},
		{Code: unix.BPF_JMP | test | unix.BPF_K, K: value, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | l.errno},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	must(0, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog))); e != 0 {
		panic(e)
	}
}

const (
	rootUID = "0 0 1\n33 33 1\n"
	rootGID = "0 0 1\n1234 1234 1\n"
)

// userCases are user namespaces of root that cannot be had, and what is said.
var userCases = []struct {
	name     string
	uid, gid string
	deny     bool
	lie      *lie
	said     string
}{
	{"no such id", "0 0 1\n5 5 0\n", rootGID, true, nil, "uid_map: write: invalid argument"},
	{"the same id twice", rootUID, "0 0 1\n0 7 1\n", true, nil, "gid_map: write: invalid argument"},
	{"no map", "", rootGID, true, nil, "uid_map: write: invalid argument"},
	{"another map is read back", "00 0 1\n33 33 1\n", rootGID, true, nil, `uid_map: read back "0 0 1 33 33 1", want "00 0 1 33 33 1"`},
	{"a map without its end", "0 0 1\n33 33 1", rootGID + "7 7", true, nil, "gid_map: write: invalid argument"},
	{"unshare fails", rootUID, rootGID, true, &lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWUSER, uint32(unix.EPERM)}, "unshare(CLONE_NEWUSER): operation not permitted"},
	{"unshare lies", rootUID, rootGID, true, &lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWUSER, 0}, "unshare(CLONE_NEWUSER): read back the same namespace as before"},
	{"clone fails", rootUID, rootGID, true, &lie{unix.SYS_CLONE, 0, 0, uint32(unix.EAGAIN)}, "clone: resource temporarily unavailable"},
	{"pipe2 fails", rootUID, rootGID, true, &lie{unix.SYS_PIPE2, 1, unix.O_CLOEXEC, uint32(unix.EMFILE)}, "pipe2: too many open files"},
	{"pipe2 lies", rootUID, rootGID, true, &lie{unix.SYS_PIPE2, 1, unix.O_CLOEXEC, 0}, "write: bad file descriptor"},
	{"mmap fails", rootUID, rootGID, true, &lie{unix.SYS_MMAP, 3, unix.MAP_SHARED | unix.MAP_ANONYMOUS, uint32(unix.ENOMEM)}, "mmap: cannot allocate memory"},
	{"the word is not sent", rootUID, rootGID, true, &lie{unix.SYS_WRITE, 2, 1, 0}, "write: input/output error"},
	{"the word is not received", rootUID, rootGID, true, &lie{unix.SYS_READ, 2, 1, 0}, "setgroups: open: no such process"},
	{"wait4 fails", rootUID, rootGID, true, &lie{unix.SYS_WAIT4, 2, unix.WALL, uint32(unix.ECHILD)}, "wait4: no child processes"},
	{"wait4 lies", rootUID, rootGID, true, &lie{unix.SYS_WAIT4, 2, unix.WALL, 0}, "wait4: input/output error"},
	{"setgroups cannot be opened", rootUID, rootGID, true, &lie{unix.SYS_OPENAT, 2, unix.O_WRONLY | unix.O_CLOEXEC, uint32(unix.EACCES)}, "setgroups: open: permission denied"},
	{"uid_map cannot be opened", rootUID, rootGID, false, &lie{unix.SYS_OPENAT, 2, unix.O_WRONLY | unix.O_CLOEXEC, uint32(unix.EACCES)}, "uid_map: open: permission denied"},
	{"openat lies", rootUID, rootGID, true, &lie{unix.SYS_OPENAT, 2, unix.O_WRONLY | unix.O_CLOEXEC, 0}, "setgroups: open: input/output error"},
	{"setgroups is not written", rootUID, rootGID, true, &lie{unix.SYS_WRITE, 2, 4, 0}, "setgroups: write: input/output error"},
	{"uid_map is not written", rootUID, rootGID, true, &lie{unix.SYS_WRITE, 2, uint32(len(rootUID)), 0}, "uid_map: write: input/output error"},
	{"uid_map may not be written", rootUID, rootGID, true, &lie{unix.SYS_WRITE, 2, uint32(len(rootUID)), uint32(unix.EPERM)}, "uid_map: write: operation not permitted"},
	{"gid_map is not written", rootUID, rootGID, true, &lie{unix.SYS_WRITE, 2, uint32(len(rootGID)), 0}, "gid_map: write: input/output error"},
	{"nothing is read back", rootUID, rootGID, true, &lie{unix.SYS_READ, 2, 4095, 0}, "setgroups: read: input/output error"},
	{"execveat fails", rootUID, rootGID, true, &lie{unix.SYS_EXECVEAT, every, 0, uint32(unix.EACCES)}, "execveat: permission denied"},
	{"a descriptor is not kept", rootUID, rootGID, true, &lie{unix.SYS_FCNTL, 1, unix.F_SETFD, 0}, "fcntl(F_SETFD): input/output error"},
	{"a descriptor cannot be read back", rootUID, rootGID, true, &lie{unix.SYS_FCNTL, 1, unix.F_GETFD, uint32(unix.EPERM)}, "fcntl(F_SETFD): operation not permitted"},
	{"the name is not read back", rootUID, rootGID, true, &lie{unix.SYS_READLINKAT, 3, 63, 0}, "readlinkat: input/output error"},
}

// runUserNS are rows that make a user namespace. The words: the maps of uids and
// gids, and "deny" or another; or the name of a case.
func runUserNS(words []string) {
	must(0, unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)) // what the test inherited
	self := openSelf()
	status := must(unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0))
	p := &row.Program{}
	p.Step(&row.Step{Text: "user namespace: test", Tail: "PrivateUsers= --private-users", Exit: 217, Group: 1, Flags: row.Waivable})
	switch words[0] {
	case "maps":
		// Of the descriptors those that are the daemon's stay, and the others are there
		// until its execve.
		const daemons = 40
		other := must(unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0))
		must(0, unix.Dup2(other, daemons))
		p.Call(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(other), row.Int(unix.F_GETFD))
		p.Call(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(self), row.Int(unix.F_GETFD))
		p.Call(unix.SYS_FCNTL, unix.FD_CLOEXEC, row.Int(status), row.Int(unix.F_GETFD))
		p.Call(unix.SYS_FCNTL, 0, row.Int(daemons), row.Int(unix.F_GETFD))
		p.UserNamespace(self, words[1], words[2], words[3] == "deny")
		p.SameUserNamespace(self)
		p.Step(&row.Step{Text: "exec: sh", Exit: 203})
		p.Exec(unix.SYS_EXECVE, p.String("/bin/sh").Arg(), p.Vector([]string{"sh", "-c", showState}).Arg(), p.Vector(nil).Arg())
	case "unmade":
		p.SameUserNamespace(self)
		echo(p)
	case "left":
		p.UserNamespace(self, rootUID, rootGID, true)
		p.Call(unix.SYS_UNSHARE, 0, row.Int(unix.CLONE_NEWUSER))
		p.SameUserNamespace(self)
		echo(p)
	default:
		for i := range userCases {
			if c := &userCases[i]; c.name == words[0] {
				p.UserNamespace(self, c.uid, c.gid, c.deny)
				echo(p)
				if c.lie != nil {
					c.lie.install()
				}
			}
		}
	}
	executeAgain(p, status, []int{self})
}

// The daemon has the same PID, one thread and no child, and the ids of the maps.
func TestUserNamespace(t *testing.T) {
	requireRoot(t)
	full := ns.FullMaps()
	for _, c := range []struct {
		uid, gid, deny, setgroups string
		ids                       []string
	}{
		{rootUID, rootGID, "deny", "deny", []string{"uid 0 0 1", "uid 33 33 1", "gid 0 0 1", "gid 1234 1234 1"}},
		{"0 0 65536\n", "0 0 65536\n", "deny", "deny", []string{"uid 0 0 65536", "gid 0 0 65536"}},
		{ns.MapText(full.UID), ns.MapText(full.GID), "", "allow", []string{"uid 0 0 4294967295", "gid 0 0 4294967295"}},
		{"0 1000 1\n1 100000 7\n4294967294 5 1\n", "0 0 1\n", "deny", "deny", []string{"uid 0 1000 1", "uid 1 100000 7", "uid 4294967294 5 1", "gid 0 0 1"}},
	} {
		r := runs(t, as(exec.Command(binary(t), userWord, "maps", c.uid, c.gid, c.deny), 0))
		pid := strconv.Itoa(r.pid)
		want := append([]string{"pid " + pid, "thread " + pid, "children "}, c.ids...)
		want = append(want, "setgroups "+c.setgroups, "0", "1", "2", "3", "40") // the last is the directory that is listed
		got := strings.Split(strings.TrimSpace(r.out), "\n")
		if r.code != 0 || r.said != "" || !slices.Equal(got, want) {
			t.Errorf("%q: status %d, said %q, got %q, want %q", c.uid, r.code, r.said, got, want)
		}
	}
}

// What fails or lies in it ends the launch, with a line that says what; a waiver
// does not help, and nobody is left behind.
func TestUserNamespaceFails(t *testing.T) {
	requireRoot(t)
	for _, c := range userCases {
		t.Run(c.name, func(t *testing.T) {
			r := runs(t, as(exec.Command(binary(t), userWord, c.name), 0))
			want := ended{217, r.pid, "", "hardrun: user namespace: test: " + c.said + " (PrivateUsers= --private-users)\n"}
			if c.lie != nil && (c.lie.nr == unix.SYS_EXECVEAT || c.lie.nr == unix.SYS_FCNTL) {
				want = ended{226, r.pid, "", "hardrun: start again: " + c.said + "\n"}
			}
			if r != want {
				t.Errorf("got %+v, want %+v", r, want)
			}
		})
	}
}

// The read-back before the end knows the namespace that was made from any other.
func TestSameUserNamespace(t *testing.T) {
	requireRoot(t)
	name, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	r := runs(t, as(exec.Command(binary(t), userWord, "unmade"), 0))
	want := ended{217, r.pid, "", "hardrun: user namespace: test: read back " + name + ", want a new one (PrivateUsers= --private-users)\n"}
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	r = runs(t, as(exec.Command(binary(t), userWord, "left", "-"), 0))
	line := regexp.MustCompile(`^hardrun: user namespace: test: read back user:\[(\d+)\], want user:\[(\d+)\] \(PrivateUsers= --private-users\)\n$`)
	m := line.FindStringSubmatch(r.said)
	if r.code != 217 || r.out != "" || m == nil || m[1] == m[2] || strings.Contains(name, m[2]) {
		t.Errorf("in another one: %+v", r)
	}
}

// ---- a start from the beginning

// startCases are what a second start is made for.
var startCases = []struct {
	name string
	spec launcher.Start
	root bool
	ppid string // of the daemon: "" is that of the test
	pid  string // "" is that of the first start
}{
	{"user namespace", launcher.Start{}, false, "", ""},
	{"PID namespace", launcher.Start{PIDNS: true}, true, "0", "1"},
	{"user and PID namespace", launcher.Start{PIDNS: true}, false, "0", "1"},
	{"PID namespace first", launcher.Start{PIDNS: true, PIDFirst: true}, true, "0", "1"},
	{"parent", launcher.Start{Init: true}, false, "starter", "another"},
	{"parent in a user namespace", launcher.Start{Init: true}, false, "starter", "another"},
	{"parent and PID namespace", launcher.Start{Init: true, PIDNS: true}, true, "0", "1"},
}

func hasUserNS(name string) bool {
	return strings.Contains(name, "user") || strings.HasSuffix(name, "first")
}

// readable is what Go must be able to read in a second start.
var readable = []string{"status", "mountinfo", "setgroups", "uid_map", "gid_map", "cgroup", "fdinfo/0", "stat", "maps"}

var oddEnv = []string{"A=1", "B", "A=2", "=x", "", "A=1", "GOMAXPROCS=3", "HARDRUN_AGAI=1", "HARDRUN_AGAINX=1", "C=\xff\n"}

// runOddly starts the words with an environment that no shell makes, two signals
// ignored, one blocked, and no stdin.
func runOddly(words []string) {
	signal.Ignore(unix.SIGCHLD, unix.SIGUSR1)
	var mask unix.Sigset_t
	mask.Val[0] = 1 << (unix.SIGUSR2 - 1)
	must(0, unix.PthreadSigmask(unix.SIG_BLOCK, &mask, nil))
	must(0, unix.Close(0))
	must(0, unix.Exec("/proc/self/exe", words, oddEnv))
}

// runStart starts again, and then prints what it finds. The words: the case, and
// what follows is to be passed on.
func runStart(words []string) {
	t := newThread()
	again := t.Snapshot.Again
	if !again.Any() {
		for _, c := range startCases {
			if c.name == words[0] {
				spec := c.spec
				if hasUserNS(c.name) {
					spec.UserNS = ns.SelfMaps(uint32(os.Getuid()), uint32(os.Getgid()), os.Getuid() == 0)
				}
				os.Exit(start(t, &spec, 0))
			}
		}
		os.Exit(99)
	}
	say := func(key string, v ...string) { must(os.Stdout.WriteString(key + " " + strings.Join(v, " ") + "\n")) }
	yes := func(b bool) string { return strconv.FormatBool(b) }
	say("again", yes(again.UserNS), yes(again.PIDNS), yes(again.Init))
	say("starter", strconv.Itoa(again.Starter))
	say("pid", strconv.Itoa(os.Getpid()))
	say("ppid", strconv.Itoa(os.Getppid()))
	say("words", words...)
	for _, v := range t.Snapshot.Environ {
		say("env", strconv.Quote(v))
	}
	say("ignored", strconv.FormatUint(t.Snapshot.Ignored, 16))
	say("blocked", strconv.FormatUint(t.Snapshot.Blocked, 16))
	say("closed", strconv.Itoa(int(t.Snapshot.Closed)))
	self := openSelf()
	for _, name := range readable {
		fd, err := unix.Openat(self, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Read(fd, make([]byte, 64))
		}
		if err != nil {
			say("unreadable", name, err.Error())
		}
	}
	for _, name := range []string{"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"} {
		if n, err := unix.Readlinkat(self, "ns/"+name, make([]byte, 64)); err != nil || n <= 0 {
			say("unreadable", "ns/"+name, err.Error())
		}
	}
	for l := range strings.Lines(string(must(os.ReadFile("/proc/self/uid_map")))) {
		say("uid", strings.Fields(l)...)
	}
	death := 0
	must(0, unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&death)), 0, 0, 0))
	say("death", strconv.Itoa(death))
	for _, name := range []string{"oom_score_adj", "coredump_filter"} {
		if fd, err := unix.Openat(self, name, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil || fd < 3 {
			say("unwritable", name, err.Error())
		}
	}
	dumpable := must(unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0))
	say("dumpable", strconv.Itoa(dumpable))
	os.Exit(7)
}

// A second start finds the words, the environment, the dispositions and the
// descriptors of the first, and is where it was to be.
func TestStartAgain(t *testing.T) {
	own, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range users() {
		for _, c := range startCases {
			if c.root && uid != 0 {
				continue
			}
			t.Run(c.name+" as "+strconv.Itoa(int(uid)), func(t *testing.T) {
				user := hasUserNS(c.name)
				if user && uid != 0 {
					requireUserNS(t)
				}
				words := []string{startWord, c.name, "--", "a b", "", "HARDRUN_AGAIN=3", "ü\x01"}
				for _, odd := range []bool{false, true} {
					cmd := as(exec.Command(binary(t), words...), uid)
					env := []string{"A=1"}
					cmd.Env = env
					if odd {
						cmd.Args = append([]string{cmd.Path, oddWord}, words...)
						env = oddEnv
					}
					r := runs(t, cmd)
					starter := strconv.Itoa(r.pid)
					uids := strings.TrimSpace(string(own))
					if user {
						id := strconv.Itoa(int(uid))
						uids = id + " " + id + " 1"
					}
					pid, ppid := c.pid, c.ppid
					if pid == "" {
						pid = starter
					}
					switch ppid {
					case "":
						ppid = strconv.Itoa(os.Getpid())
					case "starter":
						ppid = starter
					}
					yes := strconv.FormatBool
					want := []string{
						"again " + yes(user) + " " + yes(c.spec.PIDNS) + " " + yes(c.spec.Init), "starter " + starter,
						"pid " + pid, "ppid " + ppid, "words " + strings.Join(words[1:], " "),
					}
					for _, v := range env {
						want = append(want, "env "+strconv.Quote(v))
					}
					if odd {
						want = append(want, "ignored 10200", "blocked 800", "closed 1")
					} else {
						want = append(want, "ignored 0", "blocked 0", "closed 0")
					}
					death, dumpable := "0", "1"
					if c.spec.PIDNS || c.spec.Init {
						death = "9"
					}
					if uid == 0 && (c.spec.PIDNS || user) {
						dumpable = "0"
					}
					want = append(want, "uid "+strings.Join(strings.Fields(uids), " "), "death "+death, "dumpable "+dumpable)
					got := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
					for i := range got {
						if n, ok := strings.CutPrefix(got[i], "pid "); ok && pid == "another" && n != starter && n != "1" {
							got[i] = "pid another"
						}
					}
					if r.code != 7 || r.said != "" || !slices.Equal(got, want) {
						t.Errorf("status %d, said %q, got %q, want %q", r.code, r.said, got, want)
					}
				}
			})
		}
	}
}

// own is the map of one's own id.
func own(id int) []ns.UserMap {
	return []ns.UserMap{{Inside: uint32(id), Outside: uint32(id), Count: 1}}
}

// failures are second starts which come to nothing.
var failures = []struct {
	name string
	spec launcher.Start
	root bool
	lie  lie
	code int
	said string
}{
	{"memfd_create", launcher.Start{Init: true}, false, lie{unix.SYS_MEMFD_CREATE, every, 0, uint32(unix.EPERM)}, 203, "start again: memfd_create: operation not permitted"},
	{"memfd_create", launcher.Start{PIDNS: true}, false, lie{unix.SYS_MEMFD_CREATE, every, 0, uint32(unix.EPERM)}, 226, "start again: memfd_create: operation not permitted"},
	{"memfd_create", launcher.Start{UserNS: &ns.UserMaps{}}, false, lie{unix.SYS_MEMFD_CREATE, every, 0, uint32(unix.EPERM)}, 226, "start again: memfd_create: operation not permitted"},
	{"control groups", launcher.Start{Init: true, Homes: make([]*cgroup.Home, 99)}, false, lie{unix.SYS_IOPL, every, 0, 0}, 219, "start again: more control groups than one launch can have"},
	{"seals", launcher.Start{Init: true}, false, lie{unix.SYS_FCNTL, 1, unix.F_ADD_SEALS, uint32(unix.EPERM)}, 203, "start again: fcntl(F_ADD_SEALS): operation not permitted"},
	{
		"seals that are none",
		launcher.Start{Init: true},
		false,
		lie{unix.SYS_FCNTL, 1, unix.F_ADD_SEALS, 0},
		64,
		"HARDRUN_AGAIN= is in the environment, and is not of hardrun's making: unset it",
	},
	{"execveat", launcher.Start{Init: true}, false, lie{unix.SYS_EXECVEAT, every, 0, uint32(unix.EACCES)}, 203, "start again: execveat: permission denied"},
	{"a name", launcher.Start{Init: true}, false, lie{unix.SYS_READLINKAT, 3, 63, uint32(unix.EACCES)}, 203, "init: readlinkat: permission denied"},
	{"pipe2", launcher.Start{Init: true}, false, lie{unix.SYS_PIPE2, 1, unix.O_CLOEXEC, uint32(unix.EMFILE)}, 203, "init: pipe2: too many open files"},
	{"pipe2 that is none", launcher.Start{Init: true}, false, lie{unix.SYS_PIPE2, 1, unix.O_CLOEXEC, 0}, 203, "init: pipe2: input/output error"},
	{"the number", launcher.Start{Init: true}, false, lie{unix.SYS_READ, 2, 56, uint32(unix.EPERM)}, 203, "init: read: operation not permitted"},
	{"the number", launcher.Start{PIDNS: true}, true, lie{unix.SYS_READ, 2, 56, uint32(unix.EPERM)}, 226, "PID namespace: read: operation not permitted"},
	{"the word", launcher.Start{Init: true}, false, lie{unix.SYS_READ, 2, 1, 0}, 203, "init: the parent is gone: read: broken pipe"},
	{"no reaper", launcher.Start{Init: true}, false, lie{unix.SYS_PRCTL, 0, unix.PR_SET_CHILD_SUBREAPER, uint32(unix.EINVAL)}, 218, "init: the parent could not give up its privileges: prctl, capget, capset: invalid argument"},
	{"capset", launcher.Start{Init: true}, true, lie{unix.SYS_CAPSET, every, 0, 0}, 218, "init: the parent could not give up its privileges: prctl, capget, capset: input/output error"},
	{"capset", launcher.Start{PIDNS: true}, true, lie{unix.SYS_CAPSET, every, 0, 0}, 218, "init: the parent could not give up its privileges: prctl, capget, capset: input/output error"},
	{"PID namespace", launcher.Start{PIDNS: true}, true, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWPID, uint32(unix.ENOSPC)}, 226, "PID namespace: unshare(CLONE_NEWPID): no space left on device"},
	{"PID namespace that is none", launcher.Start{PIDNS: true}, true, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWPID, 0}, 226, "PID namespace: unshare(CLONE_NEWPID): read back the same namespace as before"},
	{"PID namespace without the right", launcher.Start{PIDNS: true}, false, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWPID, uint32(unix.EPERM)}, 226, "PID namespace: unshare(CLONE_NEWPID): operation not permitted"},
	{"death", launcher.Start{PIDNS: true}, true, lie{unix.SYS_PRCTL, 0, unix.PR_SET_PDEATHSIG, uint32(unix.EINVAL)}, 226, "PID namespace: prctl(PR_SET_PDEATHSIG): invalid argument"},
	{"death that does not come", launcher.Start{PIDNS: true}, true, lie{unix.SYS_PRCTL, 0, unix.PR_SET_PDEATHSIG, 0}, 226, "PID namespace: prctl(PR_SET_PDEATHSIG): input/output error"},
	{"death of init that does not come", launcher.Start{Init: true}, true, lie{unix.SYS_PRCTL, 0, unix.PR_SET_PDEATHSIG, 0}, 203, "init: prctl(PR_SET_PDEATHSIG): input/output error"},
	{"user namespace", launcher.Start{UserNS: &ns.UserMaps{}, Outer: true}, false, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWUSER, uint32(unix.EPERM)}, 217, "user namespace: unshare(CLONE_NEWUSER): operation not permitted"},
	{"user namespace denied", launcher.Start{UserNS: &ns.UserMaps{}}, false, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWUSER, uint32(unix.EPERM)}, 3, ""},
	{"user namespace that is none", launcher.Start{UserNS: &ns.UserMaps{}}, false, lie{unix.SYS_UNSHARE, 0, unix.CLONE_NEWUSER, 0}, 217, "user namespace: unshare(CLONE_NEWUSER): read back the same namespace as before"},
	{"no map", launcher.Start{UserNS: &ns.UserMaps{UID: []ns.UserMap{}}, Init: true}, false, lie{unix.SYS_IOPL, every, 0, 0}, 217, "user namespace: uid_map: write: invalid argument"},
	{"another's uid", launcher.Start{UserNS: &ns.UserMaps{UID: []ns.UserMap{{Outside: 1, Count: 1}}}}, false, lie{unix.SYS_IOPL, every, 0, 0}, 217, "user namespace: uid_map: write: operation not permitted"},
	{"groups", launcher.Start{UserNS: &ns.UserMaps{UID: own(os.Getuid()), GID: own(os.Getgid())}}, false, lie{unix.SYS_IOPL, every, 0, 0}, 217, "user namespace: gid_map: write: operation not permitted"},
	{"no /proc", launcher.Start{Init: true}, false, lie{unix.SYS_FSTATFS, every, 0, uint32(unix.ENOSYS)}, 203, "start again: fstatfs /proc: function not implemented"},
}

func runFailing(number string) {
	f := &failures[must(strconv.Atoi(number))]
	t := newThread()
	if t.Snapshot.Again.Any() {
		must(os.Stdout.WriteString("ran\n"))
		os.Exit(0)
	}
	if t.Snapshot.Again.Denied != 0 {
		must(os.Stdout.WriteString("denied " + strconv.Itoa(t.Snapshot.Again.Denied) + "\n"))
		os.Exit(3)
	}
	f.lie.install()
	os.Exit(start(t, &f.spec, 0))
}

// A user namespace that is denied before anything was done is told to the start that
// goes on, which can say all of what is missing without it.
func TestStartAgainDenied(t *testing.T) {
	for i, f := range failures {
		if f.name != "user namespace denied" {
			continue
		}
		for _, uid := range users() {
			r := runs(t, as(exec.Command(binary(t), failWord, strconv.Itoa(i)), uid))
			if want := (ended{3, r.pid, "denied " + strconv.Itoa(int(unix.EPERM)) + "\n", ""}); r != want {
				t.Errorf("as %d: got %+v, want %+v", uid, r, want)
			}
		}
		return
	}
	t.Error("there is no such case")
}

// A second start that cannot be had, or of which the kernel's answers are not true,
// ends with one line, and nothing goes on in it.
func TestStartAgainFails(t *testing.T) {
	for _, uid := range users() {
		for i, f := range failures {
			if f.code == 3 {
				continue
			}
			user := f.spec.UserNS != nil && len(f.spec.UserNS.UID) > 0 // root may write such maps
			if f.root && uid != 0 || user && uid == 0 {
				continue
			}
			t.Run(f.name+" as "+strconv.Itoa(int(uid)), func(t *testing.T) {
				r := runs(t, as(exec.Command(binary(t), failWord, strconv.Itoa(i)), uid))
				if want := (ended{f.code, r.pid, "", "hardrun: " + f.said + "\n"}); r != want {
					t.Errorf("got %+v, want %+v", r, want)
				}
			})
		}
	}
}
