//go:build linux

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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

// The machine of the units is this program, started again: process 1 of namespaces of
// its own, in which /etc, /run, /var/lib … are empty but for what machineFiles and the
// unit put there. For a user who is not root it is an ordinary process that only collects what
// is left.

const (
	machineVariable = "HARDRUN_UNIT_MACHINE" // the job's file
	machineUnits    = "/etc/systemd/system"
	machineBase     = "/srv/hardrun" // where the tests' own directory is in there
	machineHost     = "box.example.org"
)

// machineFiles are the same on every machine, so that units can know them.
var machineFiles = map[string]string{
	"/etc/passwd": `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
svc:x:4100:4100::/var/lib/svc-home:/bin/sh
second:x:4200:4200::/:/usr/sbin/nologin
odd:x:4400:4400::/:/etc/shellish
`,
	"/etc/group": `root:x:0:
nogroup:x:65534:
svc:x:4100:
second:x:4200:
odd:x:4400:
extra:x:4501:svc
other:x:4502:
more:x:4503:
`,
	"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
	"/etc/hosts":         "127.0.0.1 localhost\n",
	"/etc/hostname":      machineHost + "\n",
	"/etc/machine-id":    "0123456789abcdef0123456789abcdef\n",
	"/etc/machine-info":  "PRETTY_HOSTNAME=\"The Box\"\n",
	"/etc/os-release":    "ID=unitos\nVERSION_ID=\"7.3\"\nVARIANT_ID=server\nIMAGE_ID=img\nIMAGE_VERSION=42\nBUILD_ID=b9\nPRETTY_NAME='Unit OS 7'\n",
}

// machineKept is what is taken over of the host's /etc: programs do not start without it.
var machineKept = []string{"ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ld-musl-x86_64.path"}

// machineTrees are watched for what is left.
var machineTrees = []string{"/etc", "/run", "/var/lib", "/var/cache", "/var/log", "/tmp", "/var/tmp"}

// machineJob is what a machine does.
type machineJob struct {
	Isolated bool
	Dir      string // of this job; on the host
	Base     string // of the tests; on the host
	Hardrun  string
	Start    string
	Args     []string
	Env      []string
	Put      []unitFile
	Send     []string
	Quick    bool // processes are looked for at once: some are to be found
}

// machineResult is what came of it.
type machineResult struct {
	Problem       string // of the machine itself
	Isolated      bool
	Code          int
	Stdout        string
	Stderr        string
	Processes     []string          // left behind
	Before, After map[string]string // paths of machineTrees: "MODE USER:GROUP"
}

// run starts a machine for the job, and waits for its end.
func (j machineJob) run(t *testing.T) *machineResult {
	t.Helper()
	j.Isolated = os.Geteuid() == 0
	j.Base = base
	j.Dir = directory(t, 0o755)
	file := filepath.Join(j.Dir, "job")
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text), 0o600)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(slices.Clone(smallEnv), machineVariable+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to a group ends no more than the machine
	if j.Isolated {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the machine: %v\n%s", err, out)
	}
	return decode[machineResult](t, string(out))
}

func init() {
	file := os.Getenv(machineVariable)
	if file == "" {
		return
	}
	r, err := machine1(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// machine1 is the life of the machine.
func machine1(file string) (*machineResult, error) {
	debug.SetGCPercent(-1)
	if err := inherited.ResetSignals(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var j machineJob
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, err
	}
	r := &machineResult{Isolated: j.Isolated}
	// Opened here, as they are hidden later.
	streams := make([]*os.File, 3)
	for i, name := range []string{"/dev/null", j.Dir + "/stdout", j.Dir + "/stderr"} {
		if streams[i], err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return nil, err
		}
	}
	units := j.Dir + "/units"
	if j.Isolated {
		units = machineUnits
		if err := machineMounts(&j); err != nil {
			return nil, err
		}
	} else if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	if err := os.MkdirAll(units, 0o755); err != nil {
		return nil, err
	}
	unix.Umask(0)
	for _, f := range j.Put {
		if err := f.put(units); err != nil {
			return nil, err
		}
	}
	unix.Umask(0o022)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil { // no test leaves a core in "/"
		return nil, os.NewSyscallError("setrlimit", err)
	}
	if j.Isolated {
		if r.Before, err = snapshot(); err != nil {
			return nil, err
		}
	}
	words := []string{j.Hardrun, "--unit=" + j.Start}
	if !j.Isolated {
		words = append(words, "--unit-path="+units)
	}
	for _, a := range j.Args {
		words = append(words, strings.ReplaceAll(a, "{}", units))
	}
	pid, err := syscall.ForkExec(j.Hardrun, words, &syscall.ProcAttr{
		Dir: "/", Env: append(slices.Clone(smallEnv), j.Env...),
		Files: []uintptr{streams[0].Fd(), streams[1].Fd(), streams[2].Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.Hardrun, err)
	}
	if r.Code, err = j.attend(pid, streams[1]); err != nil {
		r.Problem = err.Error()
	}
	if r.Processes, err = leftovers(j.Quick); err != nil {
		return nil, err
	}
	if j.Isolated {
		if r.After, err = snapshot(); err != nil {
			return nil, err
		}
	}
	for i, text := range []*string{&r.Stdout, &r.Stderr} {
		if *text, err = written(streams[i+1]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// machineMounts makes the machine of what is mounted here.
func machineMounts(j *machineJob) error {
	hide := func(path, mode string) error {
		if err := unix.Mount("machine", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode="+mode); err != nil {
			return fmt.Errorf("tmpfs on %s: %w", path, err)
		}
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := hide("/srv", "0755"); err != nil {
		return err
	}
	if err := os.Mkdir(machineBase, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(j.Base, machineBase, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", j.Base, err)
	}
	j.Hardrun = machineBase + strings.TrimPrefix(j.Hardrun, j.Base)
	// The new /etc is filled beside the old one, and then put over it.
	if err := hide("/run", "0755"); err != nil {
		return err
	}
	for _, name := range machineKept {
		if !exists("/etc/" + name) {
			continue
		}
		if out, err := exec.Command("cp", "-a", "/etc/"+name, "/run/"+name).CombinedOutput(); err != nil {
			return fmt.Errorf("cp %s: %w: %s", name, err, out)
		}
	}
	if err := unix.Mount("/run", "/etc", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("mount /etc: %w", err)
	}
	for path, text := range machineFiles {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, path := range machineTrees[1:] {
		mode := "0755"
		if strings.HasSuffix(path, "/tmp") {
			mode = "1777"
		}
		if err := hide(path, mode); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Sethostname([]byte(machineHost)); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	return machineLoopback()
}

// machineLoopback switches "lo" on.
func machineLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo))
}

// put makes the file, its directories before it. One that is called private is for
// root alone, as in /var/lib.
func (f unitFile) put(units string) error {
	path := f.Path
	if !filepath.IsAbs(path) {
		path = units + "/" + path
	}
	for i, c := range path {
		if i == 0 || c != '/' || i == len(path)-1 || exists(path[:i]) {
			continue
		}
		mode := fs.FileMode(0o755)
		if filepath.Base(path[:i]) == "private" {
			mode = 0o700
		}
		if err := os.Mkdir(path[:i], mode); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case f.Kind == "link":
		return os.Symlink(f.Text, path)
	case f.Kind == "socket":
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	case strings.HasSuffix(path, "/"):
		return os.Mkdir(path, fs.FileMode(f.Mode))
	}
	if err := os.WriteFile(path, []byte(f.Text), 0o600); err != nil {
		return err
	}
	return syscall.Chmod(path, f.Mode)
}

// attend waits for the process, collects all others, and sends what is to be sent. The
// result is the status, or 128 and the signal.
func (j *machineJob) attend(pid int, stdout *os.File) (int, error) {
	sent := 0
	for deadline := time.Now().Add(50 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		var w syscall.WaitStatus
		switch p, err := syscall.Wait4(-1, &w, syscall.WNOHANG, nil); {
		case err != nil && !errors.Is(err, syscall.EINTR):
			return -1, os.NewSyscallError("wait4", err)
		case p == pid && w.Signaled():
			return 128 + int(w.Signal()), nil
		case p == pid:
			return w.ExitStatus(), nil
		}
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, &w, 0, nil)
			return -1, errors.New("it did not end")
		}
		if sent == len(j.Send) {
			continue
		}
		text, err := written(stdout)
		if err != nil {
			return -1, err
		}
		if strings.Count("\n"+text, "\nready\n") > sent {
			if err := syscall.Kill(pid, unix.SignalNum("SIG"+j.Send[sent])); err != nil {
				return -1, os.NewSyscallError("kill", err)
			}
			sent++
		}
	}
}

// written is all that was written to the file.
func written(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return string(b[:n]), err
}

// leftovers are the processes below this one, which are killed. Those that are about to
// end are given the time for it.
func leftovers(quick bool) ([]string, error) {
	var found []string
	for deadline := time.Now().Add(300 * time.Millisecond); ; time.Sleep(5 * time.Millisecond) {
		for {
			p, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if p <= 0 || err != nil {
				break
			}
		}
		found = nil
		pids, err := descendants()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil {
				found = append(found, strings.ReplaceAll(strings.TrimSuffix(string(line), "\x00"), "\x00", " "))
			}
		}
		if len(found) == 0 || quick || time.Now().After(deadline) {
			break
		}
	}
	for {
		pids, err := descendants()
		if err != nil || len(pids) == 0 {
			return found, err
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_, _ = syscall.Wait4(-1, nil, 0, nil)
	}
}

// descendants are the processes that this one would wait for in the end: its descendants.
func descendants() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// Behind the name, which may hold anything: the state, and the parent.
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(f) < 2 || f[0] == "Z" || f[0] == "X" {
			continue
		}
		if parents[pid], err = strconv.Atoi(f[1]); err != nil {
			return nil, err
		}
	}
	var list []int
	self := os.Getpid()
	for pid := range parents {
		p, ok := pid, true
		for p != self && ok {
			p, ok = parents[p]
		}
		if ok && pid != self {
			list = append(list, pid)
		}
	}
	return list, nil
}

// snapshot is all that is in machineTrees, without what is mounted there by others.
func snapshot() (map[string]string, error) {
	users, groups := machineNames("/etc/passwd"), machineNames("/etc/group")
	found := map[string]string{}
	for _, top := range machineTrees {
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var s unix.Stat_t
			if err := unix.Lstat(path, &s); err != nil {
				return &fs.PathError{Op: "lstat", Path: path, Err: err}
			}
			if path == top {
				return nil // its own mode is not of interest
			}
			text := lsMode(s.Mode)
			if s.Mode&unix.S_IFMT == unix.S_IFLNK {
				to, err := os.Readlink(path)
				if err != nil {
					return err
				}
				text += " -> " + to
			} else {
				text += " " + nameOf(users, s.Uid) + ":" + nameOf(groups, s.Gid)
			}
			found[path] = text
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// machineNames are the names of a passwd or group file by their numbers.
func machineNames(file string) map[string]string {
	list := map[string]string{}
	text, err := os.ReadFile(file)
	if err != nil {
		return list
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 {
			list[f[2]] = f[0]
		}
	}
	return list
}

func nameOf(names map[string]string, id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if name, ok := names[n]; ok {
		return name
	}
	return n
}

// lsMode is a mode as ls(1) writes it.
func lsMode(mode uint32) string {
	kinds := map[uint32]byte{
		unix.S_IFDIR: 'd', unix.S_IFREG: '-', unix.S_IFLNK: 'l', unix.S_IFIFO: 'p', unix.S_IFSOCK: 's', unix.S_IFCHR: 'c', unix.S_IFBLK: 'b',
	}
	b := []byte{kinds[mode&unix.S_IFMT]}
	for i, c := range "rwxrwxrwx" {
		if mode&(0o400>>i) == 0 {
			c = '-'
		}
		b = append(b, byte(c))
	}
	for i, special := range []struct {
		bit         uint32
		with, alone byte
	}{{unix.S_ISUID, 's', 'S'}, {unix.S_ISGID, 's', 'S'}, {unix.S_ISVTX, 't', 'T'}} {
		if x := &b[3*i+3]; mode&special.bit != 0 {
			if *x == 'x' {
				*x = special.with
			} else {
				*x = special.alone
			}
		}
	}
	return string(b)
}
