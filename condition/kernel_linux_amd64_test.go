package condition

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// said is what becomes of a line: "yes", "no", or the error.
func said(f *Facts, line string) string {
	kind, value, _ := strings.Cut(line, "=")
	switch holds, err := Eval(kind, value, f); {
	case err != nil:
		return err.Error()
	case holds:
		return "yes"
	}
	return "no"
}

// What the kernel refuses to tell is an error, but for what an older kernel does not know, and
// what says that there is nothing.
func TestRefused(t *testing.T) {
	machines := map[string]map[string]string{"namespace": {"proc/self/ns/cgroup": ""}, "files": {
		"proc/cmdline": "quiet\n", "proc/pressure/io": "full avg300=0.00\n", "sys/class/power_supply/AC/online": "0\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
	}}
	for _, c := range []struct {
		call  uintptr
		errno unix.Errno
		line  string
		want  string
		on    string // a machine made of files; this one where it is empty
	}{
		{unix.SYS_STATX, unix.ENOSYS, "PathIsMountPoint=/proc", "yes", ""},
		{unix.SYS_STATX, unix.ENOSYS, "PathIsMountPoint=/proc/self", "no", ""},
		{unix.SYS_STATX, unix.ENOSYS, "PathIsMountPoint=/", "yes", ""},
		{unix.SYS_STATX, unix.ENOSYS, "PathIsMountPoint=/none", "no", ""},
		{unix.SYS_STATX, unix.ENOENT, "PathIsMountPoint=/proc", "no", ""},
		{unix.SYS_STATX, unix.EPERM, "PathIsMountPoint=/proc", "statx /proc: operation not permitted", ""},
		{unix.SYS_READLINKAT, unix.EPERM, "PathIsMountPoint=/proc", "yes", ""},
		{unix.SYS_STATFS, unix.EIO, "PathIsReadWrite=/proc", "statfs /proc: input/output error", ""},
		{unix.SYS_STATFS, unix.EIO, "PathIsEncrypted=/proc", "statfs /proc: input/output error", ""},
		{unix.SYS_STATFS, unix.ENOENT, "PathIsReadWrite=/proc", "no", ""},
		{unix.SYS_STATFS, unix.EIO, "NeedsUpdate=/etc", "statfs /etc: input/output error", "files"},
		{unix.SYS_STATFS, unix.EIO, "ControlGroupController=v1", "statfs /sys/fs/cgroup: input/output error", "files"},
		{unix.SYS_STATFS, unix.EIO, "ControlGroupController=nosuch", "statfs /sys/fs/cgroup: input/output error", "files"},
		{unix.SYS_STATFS, unix.EIO, "Virtualization=container", "statfs /sys/fs/cgroup: input/output error", "namespace"},
		{unix.SYS_NEWFSTATAT, unix.EIO, "PathIsEncrypted=/proc", "stat /proc: input/output error", ""},
		{unix.SYS_SCHED_GETAFFINITY, unix.EPERM, "CPUs=1", "sched_getaffinity: operation not permitted", ""},
		{unix.SYS_SYSINFO, unix.EPERM, "Memory=1", "sysinfo: operation not permitted", ""},
		{unix.SYS_UNAME, unix.EPERM, "KernelVersion=*", "uname: operation not permitted", ""},
		{unix.SYS_UNAME, unix.EPERM, "Architecture=native", "uname: operation not permitted", ""},
		{unix.SYS_UNAME, unix.EPERM, "Host=*", "uname: operation not permitted", ""},
		{unix.SYS_UNAME, unix.EPERM, "CPUFeature=x86.sse", "uname: operation not permitted", ""},
		{unix.SYS_GETGROUPS, unix.EPERM, "Group=4242", "getgroups: operation not permitted", ""},
		{unix.SYS_PRCTL, unix.EINVAL, "Capability=CAP_KILL", "no", ""},
		{unix.SYS_PRCTL, unix.EPERM, "Capability=CAP_KILL", "prctl(PR_CAPBSET_READ): operation not permitted", ""},
		{unix.SYS_SOCKET, unix.EAFNOSUPPORT, "Security=audit", "no", ""},
		{unix.SYS_SOCKET, unix.EPROTONOSUPPORT, "Security=audit", "no", ""},
		{unix.SYS_SOCKET, unix.EPERM, "Security=audit", "no", ""},
		{unix.SYS_SOCKET, unix.EMFILE, "Security=audit", "socket: too many open files", ""},
		{unix.SYS_FSTAT, unix.EIO, "KernelCommandLine=quiet", "fstat /proc/sys/kernel/osrelease: input/output error", ""},
		{unix.SYS_READ, unix.EIO, "Host=0123456789abcdef0123456789abcdef", "read /etc/machine-id: input/output error", "files"},
		{unix.SYS_READ, 0, "Host=0123456789abcdef0123456789abcdef", "read /etc/machine-id: input/output error", "files"}, // the text has ended, and the file has not
		{unix.SYS_READ, unix.ENODEV, "ACPower=yes", "yes", "files"},                                                      // a supply that went away
		{unix.SYS_READ, unix.EIO, "ACPower=yes", "read /sys/class/power_supply/AC/", "files"},
		{unix.SYS_READ, unix.EOPNOTSUPP, "IOPressure=10%", "ConditionIOPressure=10% is not evaluated: the kernel does not measure pressure", "files"}, // psi=0
		{unix.SYS_READ, unix.EIO, "IOPressure=10%", "read /proc/pressure/io: input/output error", "files"},
		{unix.SYS_GETDENTS64, unix.EIO, "ACPower=yes", "readdir /sys/class/power_supply: input/output error", "files"},
		{unix.SYS_GETDENTS64, unix.EIO, "PathExistsGlob=/proc/*", "readdir /proc/: input/output error", ""},
	} {
		f := &Facts{}
		if c.on != "" {
			f = machine(t, machines[c.on])
		}
		got := ""
		if err := testrow.OnThread(func() error {
			err := testrow.Answer(c.call, c.errno)
			if err == nil {
				got = said(f, c.line)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got != c.want && !(strings.HasSuffix(c.want, "/") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%d answers %v: %s: %s, want %s", c.call, c.errno, c.line, got, c.want)
		}
	}
}

// Before Linux 5.8 the place of a path is read from /proc, and its mounts as well.
func TestMountedRefused(t *testing.T) {
	for _, c := range []struct {
		call  uintptr
		errno unix.Errno
		want  string
	}{
		{unix.SYS_READLINKAT, unix.EPERM, "readlink /proc/thread-self/fd: operation not permitted"},
		{unix.SYS_READ, unix.EIO, "read /proc/thread-self/mountinfo: input/output error"},
		{unix.SYS_OPENAT, unix.ENOENT, "<nil>"},
		{unix.SYS_OPENAT, unix.EACCES, "open /proc: permission denied"},
	} {
		got := ""
		if err := testrow.OnThread(func() error {
			err := testrow.Answer(c.call, c.errno)
			if err == nil {
				holds, err := new(Facts).mounted("/proc")
				got = fmt.Sprint(err)
				if holds {
					got += ", mounted"
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%d answers %v: %s, want %s", c.call, c.errno, got, c.want)
		}
	}
}

// A descriptor that cannot be closed is an error as well.
func TestCloseRefused(t *testing.T) {
	for name, ask := range map[string]func() (bool, error){
		"the list of mounts":  func() (bool, error) { return new(Facts).mounted("/proc") },
		"the audit framework": audited,
	} {
		if there, err := ask(); !there || err != nil {
			t.Logf("%s: %v, %v", name, there, err) // not on this kernel
			continue
		}
		next, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0) // the lowest one that is free
		if err := errors.Join(err, unix.Close(next)); err != nil {
			t.Fatal(err)
		}
		if err := testrow.OnThread(func() error {
			if err := testrow.Answer(unix.SYS_CLOSE, unix.EIO); err != nil {
				return err
			}
			_, err = ask()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v", name, err)
		}
		if err := unix.Close(next); err != nil {
			t.Error(err)
		}
	}
}

// ConditionCPUs= counts the affinity mask, and ConditionGroup= the groups that the process is in.
func TestMaskAndGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may change its groups")
	}
	var mask unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mask); err != nil {
		t.Fatal(err)
	}
	all := mask.Count()
	first := 0
	for !mask.IsSet(first) {
		first++
	}
	if err := testrow.OnThread(func() error {
		f := &Facts{Root: t.TempDir()}
		ask := func(line, want string) error {
			if got := said(f, line); got != want {
				return fmt.Errorf("%s: %s, want %s", line, got, want)
			}
			return nil
		}
		groups := [1]uint32{4242}
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&groups)), 0); e != 0 {
			return e
		}
		err := errors.Join(ask("CPUs=="+strconv.Itoa(all), "yes"), ask("Group=4242", "yes"), ask("Group=4243", "no"), ask("Group=root", said(f, "Group=0")), ask("User=root", "yes"), ask("User=@system", "yes"))
		mask.Zero()
		mask.Set(first)
		if e := unix.SchedSetaffinity(0, &mask); e != nil {
			return e
		}
		return errors.Join(err, ask("CPUs==1", "yes"))
	}); err != nil {
		t.Error(err)
	}
}

// What may be at a path: a FIFO that nobody writes to, a file without an end, a socket, and a
// file of sysfs, whose size says nothing.
func TestOddFiles(t *testing.T) {
	f := machine(t, map[string]string{"etc/": "", "usr/lib/": ""})
	if err := errors.Join(unix.Mkfifo(f.Root+"/etc/machine-info", 0o600), os.WriteFile(f.Root+"/etc/passwd", nil, 0o600), os.Truncate(f.Root+"/etc/passwd", maxText+1), unix.Mknod(f.Root+"/socket", unix.S_IFSOCK|0o600, 0)); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"MachineTag=a": "no", "User=me": "read /etc/passwd: file too large", "PathIsSocket=/socket": "yes", "PathIsSocket=/etc/passwd": "no"} {
		if got := said(f, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	attribute := "/sys/kernel/uevent_seqnum"
	text, err := os.ReadFile(attribute)
	if err != nil {
		t.Skip(err)
	}
	if got, ok, err := new(Facts).read(attribute); !ok || err != nil || len(got) < len(text) {
		t.Errorf("%s: %q, %v, %v", attribute, got, ok, err)
	}
}

// notified runs act on a thread on which another one answers a call: it writes what the call is to
// tell to where its argument points, and lets it succeed (seccomp_unotify(2)).
func notified(t *testing.T, call uintptr, argument int, tell []byte, act func()) {
	t.Helper()
	type notice struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		at         uint64
		args       [6]uint64
	}
	type answer struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
	listener := make(chan int, 1)
	over := make(chan error, 1)
	go func() {
		fd, ok := <-listener
		if !ok {
			over <- nil
			return
		}
		for {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(p, -1); err == unix.EINTR {
				continue
			}
			if p[0].Revents&unix.POLLIN == 0 { // the thread is gone
				over <- unix.Close(fd)
				return
			}
			var n notice
			if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e != 0 {
				continue
			}
			r := answer{id: n.id}
			local := []unix.Iovec{{Base: &tell[0]}}
			local[0].SetLen(len(tell))
			if _, err := unix.ProcessVMWritev(os.Getpid(), local, []unix.RemoteIovec{{Base: uintptr(n.args[argument]), Len: len(tell)}}, 0); err != nil {
				r.errno = -int32(unix.EIO)
			}
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
		}
	}()
	err := testrow.OnThread(func() error {
		code := []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		}
		defer close(listener)
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
		fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
		if e != 0 {
			return os.NewSyscallError("seccomp", e)
		}
		listener <- int(fd)
		act()
		return nil
	})
	switch err := errors.Join(err, <-over); {
	case errors.Is(err, unix.EINVAL):
		t.Skip("no seccomp_unotify(2) before Linux 5.0: ", err)
	case err != nil:
		t.Fatal(err)
	}
}

// Where control groups, SELinux and file systems of several devices are is told by statfs(2).
func TestFileSystems(t *testing.T) {
	type files = map[string]string
	const (
		cgroup2   = unix.CGROUP2_SUPER_MAGIC
		namespace = "proc/self/ns/cgroup"
		events    = "sys/fs/cgroup/cgroup.events"
		features  = "sys/kernel/cgroup/features"
	)
	selinux := files{"sys/fs/selinux/": "", "etc/selinux/config": ""}
	for _, c := range []struct {
		name   string
		magic  int64
		flags  int64
		files  files
		lines  string // with what is said of each
		hidden string // a place that is, as in TestHidden
	}{
		{
			name: "the second version of control groups", magic: cgroup2, files: files{"sys/fs/cgroup/cgroup.controllers": "cpu memory\n", "sys/fs/cgroup/memory/": "", "sys/fs/cgroup/io/": ""},
			lines: "ControlGroupController=v2 yes ControlGroupController=v1 no ControlGroupController=memory yes ControlGroupController=cpu\tmemory yes ControlGroupController=cpu\tio no ControlGroupController=pids no Virtualization=no yes",
		},
		{
			name: "the first version", magic: unix.TMPFS_MAGIC, files: files{"sys/fs/cgroup/cgroup.controllers": "cpu\n", "sys/fs/cgroup/memory/": ""},
			lines: "ControlGroupController=v2 no ControlGroupController=v1 yes ControlGroupController=memory yes ControlGroupController=cpu no",
		},
		{name: "hidden controllers", magic: cgroup2, files: files{"sys/fs/cgroup/": ""}, hidden: "/sys/fs/cgroup/cgroup.controllers", lines: "ControlGroupController=v2 yes ControlGroupController=memory error"},
		{name: "the root of control groups", magic: cgroup2, files: files{namespace: "", "sys/fs/cgroup/": ""}, lines: "Virtualization=no yes"},
		{name: "another group as root", magic: cgroup2, files: files{namespace: "", events: "", "sys/fs/cgroup/cgroup.type": "", features: ""}, lines: "Virtualization=container-other yes"},
		{name: "events without a type", magic: cgroup2, files: files{namespace: "", events: "", features: ""}, lines: "Virtualization=no yes"},
		{name: "before there were types", magic: cgroup2, files: files{namespace: "", events: ""}, lines: "Virtualization=container-other yes"},
		{name: "hidden events", magic: cgroup2, files: files{namespace: "", "sys/fs/cgroup/": ""}, hidden: "/" + events, lines: "Virtualization=no error"},
		{name: "a hidden type", magic: cgroup2, files: files{namespace: "", events: "", features: ""}, hidden: "/sys/fs/cgroup/cgroup.type", lines: "Virtualization=no error"},
		{name: "hidden features", magic: cgroup2, files: files{namespace: "", events: "", "sys/kernel/cgroup/": ""}, hidden: "/" + features, lines: "Virtualization=container-other error"},
		{name: "SELinux", magic: unix.SELINUX_MAGIC, files: selinux, lines: "Security=selinux yes"},
		{name: "SELinux that cannot be changed", magic: unix.SELINUX_MAGIC, flags: unix.ST_RDONLY, files: selinux, lines: "Security=selinux no"},
		{name: "SELinux without a configuration", magic: unix.SELINUX_MAGIC, files: files{"sys/fs/selinux/": ""}, lines: "Security=selinux no"},
		{name: "SELinux with a hidden configuration", magic: unix.SELINUX_MAGIC, files: selinux, hidden: "/etc/selinux", lines: "Security=selinux error"},
		{name: "another file system", magic: unix.SYSFS_MAGIC, files: selinux, lines: "Security=selinux no"},
		{name: "an /etc to be written to", magic: unix.EXT4_SUPER_MAGIC, files: files{"etc/": ""}, lines: "NeedsUpdate=/etc yes PathIsReadWrite=/etc yes"},
		{name: "an /etc not to be written to", magic: unix.EXT4_SUPER_MAGIC, flags: unix.ST_RDONLY, files: files{"etc/": ""}, lines: "NeedsUpdate=/etc no PathIsReadWrite=/etc no"},
	} {
		f := machine(t, c.files)
		must(t, errors.Join(os.Chmod(filepath.Dir(f.Root), 0o755), os.Mkdir(f.Root+"/closed", 0)))
		st := unix.Statfs_t{Type: c.magic, Flags: c.flags}
		words := strings.Split(c.lines, " ")
		show := hide(t, f.Root, c.hidden)
		notified(t, unix.SYS_STATFS, 1, bytesOf(&st), func() {
			for i := 0; i+1 < len(words); i += 2 {
				got := ""
				asNobody(t, func() { got = said(f, words[i]) })
				if c.hidden != "" && strings.HasSuffix(got, ": permission denied") {
					got = "error"
				}
				if got != words[i+1] {
					t.Errorf("%s: %s: %s, want %s", c.name, words[i], got, words[i+1])
				}
			}
		})
		show()
	}

	// A file system of several devices is on /proc here, whose own has no number of a driver.
	for magic, want := range map[int64]string{
		unix.BTRFS_SUPER_MAGIC:    "the devices of a file system of several are not looked at: /proc",
		unix.BCACHEFS_SUPER_MAGIC: "the devices of a file system of several are not looked at: /proc",
		unix.TMPFS_MAGIC:          "no",
	} {
		st := unix.Statfs_t{Type: magic}
		notified(t, unix.SYS_STATFS, 1, bytesOf(&st), func() {
			if got := said(&Facts{}, "PathIsEncrypted=/proc"); got != want {
				t.Errorf("PathIsEncrypted= on %#x: %s, want %s", magic, got, want)
			}
		})
	}
}

// A path on a block device is as encrypted as that.
func TestOnBlockDevice(t *testing.T) {
	const device = "/sys/dev/block/254:3"
	for _, c := range []struct {
		uuid, hidden, want string
	}{
		{"CRYPT-LUKS2-x\n", "", "yes"},
		{"LVM-x\n", "", "yes"},
		{"LVM-x\n", device + "/dm/uuid", "open " + device + "/dm/uuid: permission denied"},
		{"LVM-x\n", device + "/slaves=x", "open " + device + "/slaves: permission denied"},
		{"LVM-x\n", device + "/slaves/a/dm/uuid", "open " + device + "/slaves/a/dm/uuid: permission denied"},
	} {
		f := machine(t, map[string]string{"srv/": "", "sys/dev/block/254:3/dm/uuid": c.uuid, "sys/dev/block/254:3/slaves/a/dm/uuid": "CRYPT-LUKS2-y\n"})
		must(t, errors.Join(os.Chmod(filepath.Dir(f.Root), 0o755), os.Mkdir(f.Root+"/closed", 0)))
		st := unix.Stat_t{Dev: unix.Mkdev(254, 3)}
		show := hide(t, f.Root, c.hidden)
		notified(t, unix.SYS_NEWFSTATAT, 2, bytesOf(&st), func() {
			asNobody(t, func() {
				if got := said(f, "PathIsEncrypted=/srv"); got != c.want {
					t.Errorf("%q without %s: %s, want %s", c.uuid, c.hidden, got, c.want)
				}
			})
		})
		show()
	}
}

func bytesOf[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }

// The first process of a container is told by a variable which manager has started it. It gets no
// terminal by looking at one.
func TestFirstProcess(t *testing.T) {
	if os.Getpid() == 1 && os.Getenv("HARDRUN_TEST_FIRST") != "" {
		firstProcess(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root may make a PID namespace here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run", "^TestFirstProcess$")
	c.Env = append(os.Environ(), "HARDRUN_TEST_FIRST=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Setsid: true, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // whose end would end it
	defer runtime.UnlockOSThread()
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func firstProcess(t *testing.T) {
	for _, c := range []struct {
		variable, manager, want string
	}{
		{"", "", "docker"},
		{"container=", "", "no"},
		{"container=podman", "", "podman"},
		{"container=acme", "", "container-other"},
		{"container=podman", "lxc\n", "lxc"},
		{"container=", "lxc\n", "lxc"},
	} {
		f := machine(t, map[string]string{"run/host/container-manager": c.manager, "run/systemd/container": "rkt\n", "proc/1/environ": "container=rkt\x00", ".dockerenv": ""})
		if c.variable != "" {
			f.Environ = []string{c.variable}
		}
		if got := said(f, "Virtualization="+c.want); got != "yes" {
			t.Errorf("%s, by %q: not %s: %s", c.variable, c.manager, c.want, got)
		}
	}

	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no terminal: ", err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	f := machine(t, map[string]string{"etc/": ""})
	if err := errors.Join(err, unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0), os.Symlink("/dev/pts/"+strconv.Itoa(n), f.Root+"/etc/machine-info")); err != nil {
		t.Fatal(err)
	}
	if got := said(f, "MachineTag=a"); got != "read /etc/machine-info: resource temporarily unavailable" {
		t.Errorf("a terminal: %s", got)
	}
	if _, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		t.Error("it has become the terminal of the session")
	}
}
