//go:build linux

package main

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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A mutant may unmount, remove and kill the wrong things. So each is run in a room: PID,
// mount, network, IPC, host name and control group namespaces of its own, whose root is an
// overlay over the machine's, of which the upper part is in memory. What is written there is
// gone with the room, and so is every process in it.

// Step is what a room is told to do.
type Step struct {
	Argv []string
	Dir  string
	Env  []string
	Time time.Duration // after which all of it is killed
	// Place is a file that is copied before, with a mutant in it.
	Place *Placing
	Note  bool // say which places were reached, as Placing.Note has the file
}

// Placing is a copy of a binary with its block filled in.
type Placing struct {
	From, To string
	Blocks   []int64 // where they are in the file
	Number   uint32
	Fault    uint32 // the call that fails
	How      uint32
	Note     bool
}

// Result is what became of a step.
type Result struct {
	Status         int // 128+n for a signal
	Over           bool
	Stdout, Stderr string
	Took           time.Duration
	Noted          []byte // as far as something was reached
	Base           string // of the room, which is told by its root's mount
	Err            string
}

const (
	roomWord = "mutants-room"
	noteFile = "/dev/shm/mutants-note"
	outSize  = 1 << 20
)

// room is one as its owner sees it.
type room struct {
	cmd  *exec.Cmd
	base string
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
}

// openRoom makes a room. base is a directory on which a file system in memory is mounted, in the
// room's own mount namespace; group is the directory of a control group, or "".
func openRoom(base, group string, notes int) (*room, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, roomWord, base, group, strconv.Itoa(notes))
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
	}
	c.Stderr = os.Stderr
	c.Env = roomEnv
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
	return &room{c, base, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

// do makes a step.
func (r *room) do(s *Step) (*Result, error) {
	if err := r.enc.Encode(s); err != nil {
		return nil, err
	}
	over := time.AfterFunc(2*s.Time+2*time.Minute, func() { _ = r.cmd.Process.Kill() }) // it is the init of all
	defer over.Stop()
	var res Result
	if err := r.dec.Decode(&res); err != nil {
		return nil, fmt.Errorf("room: %w", err)
	}
	if res.Err != "" {
		return nil, errors.New("room: " + res.Err)
	}
	res.Base = r.base
	return &res, nil
}

// leave ends all that is in the room.
func (r *room) leave() error {
	_ = r.in.Close()
	_ = r.cmd.Process.Kill()
	var status *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &status) {
		return err
	}
	return nil
}

var roomEnv = []string{
	"PATH=" + toolsDir + ":/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "GOFLAGS=-mod=mod", "GOPROXY=off",
}

// toolsDir is where a room has programs that stand in for others.
const toolsDir = "/opt/mutants-tools"

// serveRoom is the init of a room.
func serveRoom(base, group string, notes int) error {
	runtime.LockOSThread()
	if os.Getpid() != 1 {
		return errors.New("not the init of a PID namespace")
	}
	// Who goes on to allocate must not take the machine's memory.
	const most = 3 << 30
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	if err := furnish(base, group); err != nil {
		return err
	}
	if err := os.WriteFile(noteFile, make([]byte, notes), 0o600); err != nil {
		return err
	}
	if err := os.Chmod(noteFile, 0o666); err != nil {
		return err
	}
	dec, enc := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var s Step
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r, err := s.run()
		if err != nil {
			r.Err = err.Error()
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
}

// limited keeps the beginning of what is written.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if left := outSize - l.Len(); left > 0 {
		l.Buffer.Write(p[:min(left, len(p))])
	}
	return len(p), nil
}

func (s *Step) run() (*Result, error) {
	r := &Result{}
	if p := s.Place; p != nil {
		if err := p.put(); err != nil {
			return r, err
		}
	}
	if len(s.Argv) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), s.Time)
		defer cancel()
		c := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
		c.Cancel = func() error {
			r.Over = true
			return unix.Kill(-1, unix.SIGKILL)
		}
		c.WaitDelay = 2 * time.Second
		c.Dir, c.Env = s.Dir, append(append([]string{}, roomEnv...), s.Env...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		var out, errs limited
		c.Stdout, c.Stderr = &out, &errs
		began := time.Now()
		err := c.Run()
		r.Took = time.Since(began)
		if c.ProcessState == nil {
			return r, err
		}
		w := c.ProcessState.Sys().(syscall.WaitStatus)
		r.Status = w.ExitStatus()
		if w.Signaled() {
			r.Status = 128 + int(w.Signal())
		}
		r.Stdout, r.Stderr = out.String(), errs.String()
		// What it has left must not meet the next one.
		if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return r, os.NewSyscallError("kill", err)
		}
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
				break
			}
		}
	}
	if s.Note {
		list, err := os.ReadFile(noteFile)
		if err != nil {
			return r, err
		}
		r.Noted = bytes.TrimRight(list, "\x00")
		f, err := os.OpenFile(noteFile, os.O_WRONLY, 0)
		if err != nil {
			return r, err
		}
		if _, err := f.Write(make([]byte, len(r.Noted))); err != nil {
			return r, err
		}
		if err := f.Close(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// furnish makes the root of a room and enters it.
func furnish(base, group string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount(MS_PRIVATE)", err)
	}
	if err := unix.Mount("mutants", base, "tmpfs", 0, "mode=0755,size=6g"); err != nil {
		return fmt.Errorf("mount(tmpfs) %s: %w", base, err)
	}
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			return err
		}
	}
	root := filepath.Join(base, "root")
	if err := unix.Mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+base+"/upper,workdir="+base+"/work"); err != nil {
		return os.NewSyscallError("mount(overlay)", err)
	}
	if err := devices(root + "/dev"); err != nil {
		return err
	}
	if err := groups(root, group); err != nil {
		return err
	}
	if err := unix.Mount("proc", root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return os.NewSyscallError("mount(proc)", err)
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return os.NewSyscallError("umount2", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(filepath.Dir(base), "tools"), toolsDir); err != nil {
		return err
	}
	// As systemd leaves it, which is what hardrun must cope with.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return os.NewSyscallError("mount(MS_SHARED)", err)
	}
	return loopback()
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	r, err := unix.NewIfreq("lo")
	if err == nil {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	}
	return errors.Join(err, unix.Close(fd))
}

// devices makes a /dev with the machine's nodes, but for those by which it could be hurt. Their
// modes and owners are the room's own.
func devices(dev string) error {
	if err := unix.Mount("dev", dev, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return os.NewSyscallError("mount(/dev)", err)
	}
	entries, err := os.ReadDir("/dev")
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dev, e.Name())
		switch e.Name() {
		case "mem", "port", "kmem", "nvram", "snapshot", "watchdog", "watchdog0", "kvm", "ptmx", "cpu_dma_latency", "vsock", "vhost-vsock":
			continue
		}
		switch e.Type() {
		case os.ModeSymlink:
			to, err := os.Readlink("/dev/" + e.Name())
			if err == nil {
				err = os.Symlink(to, path)
			}
			if err != nil {
				return err
			}
		case os.ModeDevice | os.ModeCharDevice:
			var st unix.Stat_t
			if err := unix.Lstat("/dev/"+e.Name(), &st); err != nil {
				return err
			}
			if err := unix.Mknod(path, st.Mode, int(st.Rdev)); err != nil {
				return os.NewSyscallError("mknod "+path, err)
			}
			if err := errors.Join(unix.Chmod(path, st.Mode&0o7777), unix.Chown(path, int(st.Uid), int(st.Gid))); err != nil {
				return err
			}
		}
	}
	for _, d := range []struct {
		name, kind, data string
		flags            uintptr
	}{
		{"pts", "devpts", "newinstance,mode=600,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"mqueue", "mqueue", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	} {
		path := filepath.Join(dev, d.name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(d.name, path, d.kind, d.flags, d.data); err != nil && d.kind != "mqueue" {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	return os.Symlink("pts/ptmx", filepath.Join(dev, "ptmx"))
}

// groups makes a /sys that cannot be written to, but for the room's own part of cgroup2, where
// the machine has that.
func groups(root, group string) error {
	if err := unix.Mount("sysfs", root+"/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
		return os.NewSyscallError("mount(sysfs)", err)
	}
	if group == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return os.NewSyscallError("unshare(CLONE_NEWCGROUP)", err)
	}
	mount, err := cgroup2()
	if err != nil {
		return err
	}
	at := root + mount
	if mount != "/sys/fs/cgroup" { // beside the others, which are not needed
		if err := unix.Mount("cgroup", root+"/sys/fs/cgroup", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755"); err != nil {
			return os.NewSyscallError("mount(/sys/fs/cgroup)", err)
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("cgroup2", at, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return os.NewSyscallError("mount(cgroup2)", err)
	}
	return nil
}

// cgroup2 is where cgroup2 is mounted; "" for nowhere.
func cgroup2() (string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", nil
}
