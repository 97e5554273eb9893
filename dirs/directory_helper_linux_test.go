package dirs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// helperVariable has the words of what the test's own executable is to do in place of tests, in a
// process with other rights, in other namespaces, or as an attacker.
const helperVariable = "HARDRUN_DIRS_TEST"

func init() {
	words := strings.Split(os.Getenv(helperVariable), "\t")
	if words[0] == "" {
		return
	}
	if err := helper(words[0], words[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func helper(what string, a []string) error {
	switch what {
	case "make": // ROOT BASE NAME MODE UID GID KIND
		mode, err := strconv.ParseUint(a[3], 8, 32)
		if err != nil {
			return err
		}
		m, err := Make(Root{a[0]}, []Directory{{
			Directive: "StateDirectory", Base: a[1], Name: a[2], Mode: uint32(mode), UID: number(a[4]), GID: number(a[5]),
			Private: a[6] == "private", Keep: a[6] == "keep",
		}})
		if err != nil {
			return err
		}
		fmt.Println("left", m.Left)
		return nil
	case "remove": // ROOT BASE NAME
		return errors.Join(Remove(Root{a[0]}, []Directory{{Base: a[1], Name: a[2]}})...)
	case "swap": // DIR A B, until the input ends; how often is printed
		if err := os.Chdir(a[0]); err != nil {
			return err
		}
		over := make(chan bool)
		go func() {
			_, _ = os.Stdin.Read(make([]byte, 1))
			close(over)
		}()
		fmt.Println("begun")
		random := uint64(1)
		for n := 0; ; n++ {
			select {
			case <-over:
				fmt.Println(n)
				return nil
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, a[1], unix.AT_FDCWD, a[2], unix.RENAME_EXCHANGE); err != nil && err != unix.ENOENT {
				return err
			}
			random = random*6364136223846793005 + 1442695040888963407
			for i := random >> 33 & (1<<(random>>60)*16 - 1); i > 0; i-- {
				runtime.KeepAlive(i)
			}
		}
	case "choose": // ROOT NAME OWN NEXT...: becomes the uid, and executes what is next
		uid, lock, err := Root{a[0]}.Choose(a[1], strings.Fields(a[2]))
		if err != nil {
			return err
		}
		if len(a) == 3 {
			fmt.Println(uid)
			return lock.Release()
		}
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(uid, uid, uid), syscall.Setresuid(uid, uid, uid)); err != nil {
			return err
		}
		env := []string{helperVariable + "=" + strings.Join(append([]string{a[3], strconv.Itoa(uid)}, a[4:]...), "\t")}
		return syscall.Exec("/proc/self/exe", os.Args[:1], env)
	case "stay": // UID: until the input ends
		fmt.Println(a[0])
		_, _ = os.Stdin.Read(make([]byte, 1))
		return nil
	case "alone": // UID DIR: fails if another process with the uid does the same
		fd, err := unix.Open(a[1]+"/"+a[0], unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("uid %s is that of two processes: %w", a[0], err)
		}
		time.Sleep(time.Duration(os.Getpid()%20) * time.Millisecond)
		fmt.Println(a[0])
		return nil
	case "hop": // UID: a process that forks and ends all the time
		if _, err := unix.Setsid(); err != nil && err != unix.EPERM {
			return err
		}
		return hop(time.Now().Add(3 * time.Second))
	case "running": // UID
		fmt.Println(Running(number(a[0])))
		return nil
	case "ipc": // ROOT UID GID
		return errors.Join(RemoveIPC(Root{a[0]}, number(a[1]), number(a[2]))...)
	case "ids": // leader|thread NR ARGUMENT...: ids of one thread, until the input ends
		var call [4]uintptr
		for i := range call {
			call[i] = uintptr(number(a[i+1]))
		}
		done := make(chan syscall.Errno)
		act := func() {
			runtime.LockOSThread()
			_, _, e := syscall.RawSyscall(call[0], call[1], call[2], call[3])
			done <- e
			select {}
		}
		if a[0] == "thread" { // while init functions run, the first thread is that of this goroutine
			go act()
			if e := <-done; e != 0 {
				return e
			}
		} else if _, _, e := syscall.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
			return e
		}
		fmt.Println("done")
		_, _ = os.Stdin.Read(make([]byte, 1))
		return nil
	case "claim": // UID
		if err := Claim(number(a[0])); err != nil {
			return err
		}
		fmt.Println("claimed")
		buf := make([]byte, 1)
		_, _ = os.Stdin.Read(buf)
		if err := Claim(0); err != nil {
			return err
		}
		fmt.Println("ended")
		_, _ = os.Stdin.Read(buf)
		return nil
	}
	return errors.New("no such helper")
}

// hop forks and ends, over and over, without a Go runtime that would need threads.
func hop(end time.Time) error {
	for time.Now().Before(end) {
		pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if e != 0 {
			return e
		}
		if pid != 0 {
			break
		}
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	return e
}

// process is one that does what the words say.
type process struct {
	cmd *exec.Cmd
	in  interface{ Close() error }
	out *bufio.Reader
	t   *testing.T
}

// asHelper is a command that runs the words, after other words that start it ("unshare", …).
func asHelper(uid int, before []string, words ...string) *exec.Cmd {
	argv := append(append([]string(nil), before...), "/proc/self/exe")
	if len(before) > 0 {
		exe, err := os.Executable()
		if err != nil {
			panic(err)
		}
		argv[len(argv)-1] = exe
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), helperVariable+"="+strings.Join(words, "\t"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	return cmd
}

// begin starts a process that is ended by the end of its input, or with the test.
func begin(t *testing.T, uid int, words ...string) *process {
	t.Helper()
	cmd := asHelper(uid, nil, words...)
	cmd.SysProcAttr.Pdeathsig = 0 // of a thread, and this one may end
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, in, bufio.NewReader(out), t}
	t.Cleanup(func() {
		if p.cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return p
}

func (p *process) line() string {
	text, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Errorf("%v: no line", p.cmd.Args)
	}
	return strings.TrimSpace(text)
}

// end ends the input, and answers the last line.
func (p *process) end() string {
	p.t.Helper()
	_ = p.in.Close()
	var last string
	for {
		text, err := p.out.ReadString('\n')
		if text != "" {
			last = strings.TrimSpace(text)
		}
		if err != nil {
			break
		}
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: %v: %s", p.cmd.Args, err, last)
	}
	p.cmd = nil
	return last
}

// said runs the words, and answers what they print.
func said(t *testing.T, uid int, before []string, words ...string) string {
	t.Helper()
	out, err := asHelper(uid, before, words...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: other users' files")
	}
}

// attackerID is a user whom no account has, and otherID another.
const (
	attackerID = 54321
	otherID    = 54322
)

// directoryRoot is a root for directories, which other users can pass.
func directoryRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"/run", "/var/lib", "/etc"} {
		if err := os.MkdirAll(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tryAll ends the test at the first error.
func tryAll(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, path string, mode os.FileMode, uid, gid int) {
	t.Helper()
	tryAll(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(path), 0o600), os.Lchown(path, uid, gid), os.Chmod(path, mode))
}

func putDir(t *testing.T, path string, mode os.FileMode, uid, gid int) {
	t.Helper()
	tryAll(t, os.MkdirAll(path, 0o755), os.Lchown(path, uid, gid), os.Chmod(path, mode))
}

// picture is all that is below a directory: a line for each name, "a/b d 0755 0:0".
func picture(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == dir {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		kind := map[uint32]string{syscall.S_IFDIR: "d", syscall.S_IFREG: "f", syscall.S_IFLNK: "l", syscall.S_IFIFO: "p", syscall.S_IFSOCK: "s", syscall.S_IFCHR: "c"}[st.Mode&syscall.S_IFMT]
		line := fmt.Sprintf("%s %s %04o %d:%d", path[len(dir)+1:], kind, st.Mode&0o7777, st.Uid, st.Gid)
		if kind == "l" {
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line = fmt.Sprintf("%s l %d:%d %s", path[len(dir)+1:], st.Uid, st.Gid, to)
		}
		lines = append(lines, line)
		return nil
	})
	tryAll(t, err)
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func looks(t *testing.T, dir string, want ...string) {
	t.Helper()
	sort.Strings(want)
	if got := picture(t, dir); got != strings.Join(want, "\n") {
		t.Errorf("%s has\n%s\nwant\n%s", dir, got, strings.Join(want, "\n"))
	}
}

func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%v: has no %q", err, p)
		}
	}
}
