package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// fileActor is a process of this test binary that opens files for a test, by raw system calls
// and one at a time: it is confined while the test is not.
type fileActor struct {
	t       *testing.T
	pid     int
	in      io.Writer
	answers *bufio.Scanner
}

const fileActorVariable = "HARDRUN_TEST_FILE_ACTOR"

func init() {
	if os.Getenv(fileActorVariable) != "" {
		actOnFiles(os.Stdin, os.Stdout)
		os.Exit(0)
	}
}

// actOnFiles answers each line of words with the number of the error, a descriptor, or both.
func actOnFiles(in io.Reader, out io.Writer) {
	// What children say is not for the output of the test.
	silent, err := unix.MemfdCreate("silent", unix.MFD_CLOEXEC)
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		w := strings.Split(lines.Text(), "\t")
		n := func(i int) int {
			v, err := strconv.Atoi(w[i])
			if err != nil {
				panic(err)
			}
			return v
		}
		fd, err := -1, error(nil)
		switch w[0] {
		case "open": // directory, path, flags: and close
			if fd, err = unix.Openat(n(1), w[2], n(3), 0o600); err == nil {
				err = unix.Close(fd)
			}
		case "hold":
			fd, err = unix.Openat(n(1), w[2], n(3), 0o600)
		case "memfd":
			if fd, err = unix.MemfdCreate("memfd", 0); err == nil {
				_, err = unix.Write(fd, []byte("#!/bin/true\n"))
			}
		case "pipe":
			var p [2]int
			err = unix.Pipe2(p[:], 0)
			fd = p[0]
		case "eventfd":
			fd, err = unix.Eventfd(0, 0)
		case "pidfd":
			if fd, err = unix.PidfdOpen(os.Getpid(), 0); err == nil {
				err = unix.Close(fd)
			}
		case "map":
			var b []byte
			if b, err = unix.Mmap(n(1), 0, 1, unix.PROT_READ, unix.MAP_PRIVATE); err == nil {
				if b[0] != 'x' {
					err = unix.EBADMSG
				}
				_ = unix.Munmap(b)
			}
		case "read":
			_, err = unix.Pread(n(1), make([]byte, 1), 0)
		case "stat":
			var st unix.Stat_t
			err = unix.Stat(w[1], &st)
		case "truncate":
			err = unix.Truncate(w[1], 1)
		case "mqueue":
			name := []byte("/hardrun-test-" + strconv.Itoa(os.Getpid()) + "\x00")
			at := uintptr(unsafe.Pointer(&name[1]))
			r, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, at, unix.O_CREAT|unix.O_RDWR, 0o600, 0, 0, 0)
			if fd = int(r); e != 0 {
				err = e
			} else {
				err = unix.Close(fd)
			}
			_, _, _ = unix.Syscall(unix.SYS_MQ_UNLINK, at, 0, 0)
		case "exec", "exec with pidfd": // a program, and its arguments
			var pid int
			var status unix.WaitStatus
			attr := &syscall.ProcAttr{Files: []uintptr{0, uintptr(silent), uintptr(silent)}, Sys: &syscall.SysProcAttr{}}
			if w[0] != "exec" {
				attr.Sys.PidFD = &fd // CLONE_PIDFD
			}
			if pid, err = syscall.ForkExec(w[1], w[1:], attr); err == nil {
				if fd >= 0 {
					err = unix.Close(fd)
				}
			}
			if err == nil {
				if _, err = unix.Wait4(pid, &status, 0, nil); err == nil && status != 0 {
					err = unix.Errno(1000 + status.ExitStatus())
				}
			}
		default:
			panic(w[0])
		}
		var e unix.Errno
		if err != nil && !errors.As(err, &e) {
			panic(err)
		}
		if _, err := fmt.Fprintln(out, int(e), fd); err != nil {
			panic(err)
		}
	}
}

// do lets the actor act.
func (a *fileActor) do(words ...any) (fd int, e unix.Errno) {
	a.t.Helper()
	var text []string
	for _, w := range words {
		text = append(text, fmt.Sprint(w))
	}
	if _, err := io.WriteString(a.in, strings.Join(text, "\t")+"\n"); err != nil {
		a.t.Fatal(err)
	}
	if !a.answers.Scan() {
		a.t.Fatalf("%q: no answer", text)
	}
	var number int
	if _, err := fmt.Sscan(a.answers.Text(), &number, &fd); err != nil {
		a.t.Fatal(err)
	}
	return fd, unix.Errno(number)
}

// must lets it do what nothing forbids.
func (a *fileActor) must(words ...any) int {
	a.t.Helper()
	fd, e := a.do(words...)
	if e != 0 {
		a.t.Fatalf("%v: %v", words, e)
	}
	return fd
}

// startFileActor starts one in a group, in a mount namespace of its own.
func startFileActor(t *testing.T, group *os.File) *fileActor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), fileActorVariable+"=1")
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Error("actor: ", err)
		}
	})
	return &fileActor{t, c.Process.Pid, in, bufio.NewScanner(out)}
}

// filesGroup makes a cgroup2 group below hardrun-test.PID.
func filesGroup(t *testing.T, name string) (*os.File, string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	root := ""
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); strings.Contains(line, " - cgroup2 ") && f[3] == "/" {
			root = f[4]
		}
	}
	if root == "" {
		t.Skip("no cgroup2 is mounted")
	}
	top := filepath.Join(root, "hardrun-test."+strconv.Itoa(os.Getpid()))
	path := filepath.Join(top, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	group, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A process that has ended leaves its group a moment later.
		for range 1000 {
			if err = unix.Rmdir(path); err != unix.EBUSY {
				break
			}
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
		if err := errors.Join(err, group.Close()); err != nil {
			t.Error(err)
		}
		_ = unix.Rmdir(top) // unless another test is there
	})
	return group, path
}

// filesKernel skips where the kernel takes no program, or asks none.
func filesKernel(t *testing.T) *Offsets {
	t.Helper()
	b := filesLoadable(t)
	active, err := BPFActive()
	if err != nil {
		t.Fatal(err)
	}
	if !active {
		t.Skip("NOT TESTED: the kernel was started without bpf in lsm=")
	}
	return b
}

// filesLoadable skips where the kernel takes no program.
func filesLoadable(t *testing.T) *Offsets {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it loads programs")
	}
	b, err := ReadBTF(readKernelBTF(t))
	if err != nil {
		t.Fatal(err)
	}
	// Some kernels are built to take none of this type, whatever is in it.
	fd, e, log := loadFiles(t, []Ins{{Op: classALU64 | aluMOV, Imm: 1}, {Op: classJMP | jmpEXIT}}, b.Hook, "GPL")
	switch {
	case e == unix.EPERM:
		t.Skip("NOT TESTED: this kernel refuses root each program of type LSM: ", e)
	case e != 0:
		t.Fatalf("the smallest program: %v\n%s", e, log)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	return b
}

// sysBPF is bpf(2) on an array of numbers, the layout of union bpf_attr.
func sysBPF(cmd int, attr []uint32) (int, unix.Errno) {
	for {
		r, _, e := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(unsafe.Pointer(&attr[0])), uintptr(4*len(attr)))
		if e != unix.EAGAIN && e != unix.EINTR { // a signal while the program was looked at
			return int(r), e
		}
	}
}

// wide are the two halves of a pointer in such an array.
func wide(p unsafe.Pointer) (uint32, uint32) {
	halves := *(*[2]uint32)(unsafe.Pointer(&p))
	return halves[0], halves[1]
}

// counting is a program with the descriptor of its counters.
func counting(p []Ins, counters *ebpf.Map) []Ins {
	p = slices.Clone(p)
	for i := range p {
		if _, src := p[i].regs(); p[i].Op == classLD|modeIMM|sizeDW && src == pseudoMapValue {
			p[i].Imm = int32(counters.FD())
		}
	}
	return p
}

// loadFiles loads a program for the files hook, with its log for a refusal.
func loadFiles(t *testing.T, p []Ins, hook uint32, license string) (int, unix.Errno, string) {
	t.Helper()
	text := append([]byte(license), 0)
	log := make([]byte, 1<<20)
	attr := make([]uint32, 32)
	attr[0], attr[1] = unix.BPF_PROG_TYPE_LSM, uint32(len(p))
	attr[2], attr[3] = wide(unsafe.Pointer(&p[0]))
	attr[4], attr[5] = wide(unsafe.Pointer(&text[0]))
	attr[6], attr[7] = 1, uint32(len(log))
	attr[8], attr[9] = wide(unsafe.Pointer(&log[0]))
	attr[17] = unix.BPF_LSM_CGROUP // expected_attach_type
	attr[27] = hook                // attach_btf_id
	fd, e := sysBPF(unix.BPF_PROG_LOAD, attr)
	return fd, e, unix.ByteSliceToString(log)
}

// fileRules are rules that hold for a group, until they are replaced or removed.
type fileRules struct {
	t        *testing.T
	group    int
	hook     *Offsets
	counters *ebpf.Map
	program  int // 0 while there is none
}

func newFileRules(t *testing.T, group *os.File) *fileRules {
	t.Helper()
	return &fileRules{t: t, group: int(group.Fd()), hook: filesLoadable(t), counters: newCounters(t)}
}

func newCounters(t *testing.T) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8 * uint32(Counters), MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func manyMagics(n int) []uint32 {
	list := make([]uint32, n)
	for i := range list {
		list[i] = uint32(i) * 500_001
	}
	return list
}

// set puts rules in the place of those that held before.
func (r *fileRules) set(f FileSystems) {
	r.t.Helper()
	p, err := FileProgram(f, r.hook)
	if err != nil {
		r.t.Fatal(err)
	}
	fd, e, log := loadFiles(r.t, counting(p, r.counters), r.hook.Hook, "Dual MIT/GPL")
	if e != 0 {
		r.t.Fatalf("BPF_PROG_LOAD: %v\n%s", e, log)
	}
	flags := uint32(unix.BPF_F_ALLOW_MULTI)
	if r.program != 0 {
		flags |= unix.BPF_F_REPLACE
	}
	if _, e := sysBPF(unix.BPF_PROG_ATTACH, []uint32{uint32(r.group), uint32(fd), unix.BPF_LSM_CGROUP, flags, uint32(r.program), 0}); e != 0 {
		r.t.Fatalf("BPF_PROG_ATTACH: %v", e)
	}
	r.close()
	r.program = fd
}

func (r *fileRules) close() {
	if r.program != 0 {
		if err := unix.Close(r.program); err != nil {
			r.t.Error(err)
		}
	}
}

// remove removes them.
func (r *fileRules) remove() {
	r.t.Helper()
	if _, e := sysBPF(unix.BPF_PROG_DETACH, []uint32{uint32(r.group), uint32(r.program), unix.BPF_LSM_CGROUP, 0, 0, 0}); e != 0 {
		r.t.Errorf("BPF_PROG_DETACH: %v", e)
	}
	r.close()
	r.program = 0
}

// denied is how many openings were denied so far.
func (r *fileRules) denied() uint64 {
	r.t.Helper()
	var value [Counters]uint64
	if err := r.counters.Lookup(uint32(0), &value); err != nil {
		r.t.Fatal(err)
	}
	return value[DeniedFiles]
}

// fileStage is a directory with a file on each of several file systems.
type fileStage struct {
	*fileActor
	dir  string
	disk uint32 // the number of what the test's own directory lies on
	held map[string]int
}

func newFileStage(t *testing.T, group *os.File) *fileStage {
	t.Helper()
	s := &fileStage{dir: t.TempDir(), held: map[string]int{}}
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		t.Fatal(err)
	}
	s.disk = uint32(st.Type)
	if slices.Contains([]uint32{0x1021994, 0x858458f6, 0x794c7630}, s.disk) {
		t.Skip("the temporary directory is in memory or on an overlay; set TMPDIR to one on a disk")
	}
	s.fileActor = startFileActor(t, group)
	for _, d := range []string{"tmpfs", "ramfs", "overlay", "disk/lower", "disk/upper", "disk/work"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(s.dir+"/disk/lower/file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must("exec", "/bin/mount", "-t", "tmpfs", "tmpfs", s.dir+"/tmpfs")
	s.must("exec", "/bin/mount", "-t", "ramfs", "ramfs", s.dir+"/ramfs")
	s.must("exec", "/bin/mount", "-t", "overlay", "-o", "lowerdir="+s.dir+"/disk/lower,upperdir="+s.dir+"/disk/upper,workdir="+s.dir+"/disk/work", "overlay", s.dir+"/overlay")
	for _, d := range []string{"tmpfs", "ramfs"} {
		s.must("exec", "/bin/cp", "/bin/true", s.dir+"/"+d+"/true")
		s.must("exec", "/bin/cp", s.dir+"/disk/lower/file", s.dir+"/"+d+"/file")
	}
	s.held["tmpfs"] = s.must("hold", unix.AT_FDCWD, s.dir+"/tmpfs/file", unix.O_RDONLY)
	s.held["tmpfs/"] = s.must("hold", unix.AT_FDCWD, s.dir+"/tmpfs", unix.O_PATH)
	s.held["disk/"] = s.must("hold", unix.AT_FDCWD, s.dir, unix.O_PATH)
	s.held["memfd"] = s.must("memfd")
	s.held["pipe"] = s.must("pipe")
	s.held["eventfd"] = s.must("eventfd")
	return s
}

// acts are what a stage can do, by names.
func (s *fileStage) acts() map[string][]any {
	open := func(path string, flags int) []any { return []any{"open", unix.AT_FDCWD, path, flags} }
	link := func(of string) string { return "/proc/self/fd/" + strconv.Itoa(s.held[of]) }
	return map[string][]any{
		"tmpfs":             open(s.dir+"/tmpfs/file", unix.O_RDONLY),
		"tmpfs create":      open(s.dir+"/tmpfs/new", unix.O_RDWR|unix.O_CREAT),
		"tmpfs O_TMPFILE":   open(s.dir+"/tmpfs", unix.O_RDWR|unix.O_TMPFILE),
		"tmpfs directory":   open(s.dir+"/tmpfs", unix.O_RDONLY|unix.O_DIRECTORY),
		"tmpfs O_PATH":      open(s.dir+"/tmpfs/file", unix.O_PATH),
		"tmpfs . of O_PATH": {"open", s.held["tmpfs/"], ".", unix.O_RDONLY},
		"tmpfs anew":        open(link("tmpfs"), unix.O_RDONLY),
		"tmpfs map":         {"map", s.held["tmpfs"]},
		"tmpfs read":        {"read", s.held["tmpfs"]},
		"tmpfs stat":        {"stat", s.dir + "/tmpfs/file"},
		"tmpfs truncate":    {"truncate", s.dir + "/tmpfs/file"},
		"tmpfs exec":        {"exec", s.dir + "/tmpfs/true"},
		"ramfs":             open(s.dir+"/ramfs/file", unix.O_RDONLY),
		"ramfs exec":        {"exec", s.dir + "/ramfs/true"},
		"disk":              open(s.dir+"/disk/lower/file", unix.O_RDONLY),
		"disk O_PATH":       open(s.dir+"/disk/lower/file", unix.O_PATH),
		"disk . of O_PATH":  {"open", s.held["disk/"], ".", unix.O_RDONLY},
		"overlay":           open(s.dir+"/overlay/file", unix.O_RDONLY),
		"proc":              open("/proc/self/status", unix.O_RDONLY),
		"sysfs":             open("/sys/kernel", unix.O_RDONLY),
		"nsfs":              open("/proc/self/ns/mnt", unix.O_RDONLY),
		"memfd":             {"memfd"},
		"memfd anew":        open(link("memfd"), unix.O_RDONLY),
		"memfd exec":        {"exec", link("memfd")},
		"pipe":              {"pipe"},
		"pipe anew":         open(link("pipe"), unix.O_RDONLY|unix.O_NONBLOCK),
		"eventfd":           {"eventfd"},
		"pidfd":             {"pidfd"},
		"exec with pidfd":   {"exec with pidfd", "/bin/true"},
		"mqueue":            {"mqueue"},
		"child":             {"exec", "/bin/dd", "status=none", "count=0", "if=" + s.dir + "/tmpfs/file"},
	}
}

func magicsOf(t *testing.T, text string) []uint32 {
	t.Helper()
	var list []uint32
	for w := range strings.FieldsSeq(text) {
		m, err := ParseFileSystem(w)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m...)
	}
	return list
}

// never are acts that are no opening, and work whatever the rules are.
const never = "tmpfs O_PATH|tmpfs map|tmpfs read|tmpfs stat|tmpfs truncate|disk O_PATH|memfd|pipe|eventfd"

// Rules, and what fails with EPERM then. Everything else works as it does without rules,
// which is looked at in the same way.
func TestFileProgramHolds(t *testing.T) {
	filesKernel(t)
	group, _ := filesGroup(t, "files")
	s := newFileStage(t, group)
	r := newFileRules(t, group)
	acts := s.acts()
	free := map[string]unix.Errno{}
	for name, act := range acts {
		_, free[name] = s.do(act...)
	}
	for name, e := range free {
		if want := map[string]unix.Errno{"memfd exec": 0}[name]; e != want {
			t.Errorf("without rules: %s: %v", name, e)
		}
	}
	// A pidfd is a file of pidfs from Linux 6.9 on.
	pidfd := "|pidfd|exec with pidfd"
	var st unix.Statfs_t
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err != nil {
		t.Fatal(err)
	} else if err := errors.Join(unix.Fstatfs(fd, &st), unix.Close(fd)); err != nil {
		t.Fatal(err)
	} else if uint32(st.Type) != Magics("pidfs")[0] {
		pidfd = ""
	}
	const tmpfs = "tmpfs|tmpfs create|tmpfs O_TMPFILE|tmpfs directory|tmpfs . of O_PATH|tmpfs anew|tmpfs exec|memfd anew|memfd exec|child"
	disk := magicsOf(t, "@known")
	disk = slices.DeleteFunc(disk, func(m uint32) bool { return m != s.disk })
	if len(disk) != 1 {
		t.Skipf("the temporary directory is on an unknown file system, %#x", s.disk)
	}
	for _, tt := range []struct {
		name   string
		deny   bool
		list   string
		disk   bool // the list has the test's own directory, too
		denied string
	}{
		{"deny tmpfs", true, "tmpfs", false, tmpfs},
		{"deny ramfs", true, "ramfs", false, "ramfs|ramfs exec"},
		{"deny overlay", true, "overlay", false, "overlay"},
		{"deny proc", true, "proc", false, "proc"},
		{"deny sysfs and more", true, "sysfs nsfs pipefs mqueue xfs", false, "sysfs|nsfs|pipe anew|mqueue"},
		{"deny pidfs", true, "pidfs", false, strings.TrimPrefix(pidfd, "|")},
		{"deny disk", true, "", true, "disk|disk . of O_PATH|overlay|tmpfs exec|ramfs exec|memfd exec|child|exec with pidfd"},
		{"deny nothing", true, "", false, ""},
		{"deny what is not there", true, "@network @security xfs", false, ""},
		{"allow all", false, "@known", false, ""},
		{"allow tmpfs", false, "tmpfs", false, "ramfs|ramfs exec|disk|disk . of O_PATH|overlay|proc|sysfs|nsfs|pipe anew|mqueue|tmpfs exec|memfd exec|child|exec with pidfd" + pidfd},
		{"allow disk", false, "", true, tmpfs + "|ramfs|ramfs exec|overlay|proc|sysfs|nsfs|pipe anew|mqueue" + pidfd},
		{"allow overlay", false, "overlay", false, tmpfs + "|exec with pidfd|ramfs|ramfs exec|disk|disk . of O_PATH|overlay|proc|sysfs|nsfs|pipe anew|mqueue" + pidfd},
		{"allow overlay and disk", false, "overlay", true, tmpfs + "|ramfs|ramfs exec|proc|sysfs|nsfs|pipe anew|mqueue" + pidfd},
		{"allow @basic-api and disk", false, "@basic-api", true, "ramfs|ramfs exec|overlay|nsfs|pipe anew" + pidfd},
		{"allow nothing", false, "", false, tmpfs + "|exec with pidfd|ramfs|ramfs exec|disk|disk . of O_PATH|overlay|proc|sysfs|nsfs|pipe anew|mqueue" + pidfd},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.t, r.t = t, t
			list := magicsOf(t, tt.list)
			if tt.disk {
				list = append(list, disk...)
			}
			r.set(FileSystems{Deny: tt.deny, Magic: list})
			before := r.denied()
			count := 0
			for name, act := range acts {
				want := free[name]
				if slices.Contains(strings.Split(tt.denied, "|"), name) {
					want = unix.EPERM
					count++
				}
				_, got := s.do(act...)
				if name == "child" && want == unix.EPERM && got > 1000 {
					got = unix.EPERM // dd was started, and failed
				}
				if got != want {
					t.Errorf("%s: %d (%v), want %d (%v)", name, got, got, want, want)
				}
				if want == unix.EPERM && slices.Contains(strings.Split(never, "|"), name) {
					t.Errorf("%s is no opening", name)
				}
			}
			if got := r.denied() - before; got < uint64(count) || count == 0 && got != 0 {
				t.Errorf("%d openings were counted, %d failed", got, count)
			}
		})
	}
	s.t, r.t = t, t
	r.remove()
	for name, act := range acts {
		if _, e := s.do(act...); e != free[name] {
			t.Errorf("after the rules: %s: %v, want %v", name, e, free[name])
		}
	}
}

// A child of the group is confined, another group is not, and who moves out is free.
func TestFileProgramGroups(t *testing.T) {
	filesKernel(t)
	group, path := filesGroup(t, "confined")
	below, belowPath := filesGroup(t, "confined/below")
	beside, besidePath := filesGroup(t, "beside")
	r := newFileRules(t, group)
	move := func(a *fileActor, to string) {
		t.Helper()
		if err := os.WriteFile(to+"/cgroup.procs", []byte(strconv.Itoa(a.pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	in, under, out := startFileActor(t, group), startFileActor(t, below), startFileActor(t, beside)
	r.set(FileSystems{Magic: magicsOf(t, "tmpfs")})
	check := func(what string, a *fileActor, want unix.Errno) {
		t.Helper()
		if _, e := a.do("open", unix.AT_FDCWD, "/proc/self/status", unix.O_RDONLY); e != want {
			t.Errorf("%s: %v, want %v", what, e, want)
		}
	}
	check("the group", in, unix.EPERM)
	check("a group below", under, unix.EPERM)
	check("a group beside", out, 0)
	if f, err := os.Open("/proc/self/status"); err != nil {
		t.Errorf("the test: %v", err)
	} else if err := f.Close(); err != nil {
		t.Error(err)
	}
	move(out, belowPath)
	check("moved in", out, unix.EPERM)
	move(out, besidePath)
	check("moved out", out, 0)
	move(in, besidePath)
	check("the first, moved out", in, 0)
	move(in, path)
	r.remove()
	check("without rules", in, 0)
}

// What the kernel tells of attached programs, and how one takes the place of another.
func TestFileProgramQuery(t *testing.T) {
	filesKernel(t)
	group, _ := filesGroup(t, "query")
	r := newFileRules(t, group)
	a := startFileActor(t, group)
	// The kernel writes to all of these; flags are only for what is attached here.
	query := func(flags uint32, withFlags bool) (ids, attach []uint32, e unix.Errno) {
		ids, attach = make([]uint32, 4), make([]uint32, 4)
		attr := make([]uint32, 16)
		attr[0], attr[1], attr[2] = uint32(group.Fd()), unix.BPF_LSM_CGROUP, flags
		attr[4], attr[5] = wide(unsafe.Pointer(&ids[0]))
		attr[6] = uint32(len(ids))
		if withFlags {
			attr[8], attr[9] = wide(unsafe.Pointer(&attach[0]))
		}
		_, e = sysBPF(unix.BPF_PROG_QUERY, attr)
		if n := int(attr[6]); n < len(ids) {
			ids, attach = ids[:n], attach[:n]
		}
		return ids, attach, e
	}
	idOf := func() uint32 {
		info := make([]uint32, 64)
		attr := []uint32{uint32(r.program), uint32(4 * len(info)), 0, 0}
		attr[2], attr[3] = wide(unsafe.Pointer(&info[0]))
		if _, e := sysBPF(unix.BPF_OBJ_GET_INFO_BY_FD, attr); e != 0 {
			t.Fatal(e)
		}
		return info[1]
	}
	if ids, _, e := query(0, true); e != 0 || len(ids) != 0 {
		t.Errorf("before: %v, %v", ids, e)
	}
	r.set(FileSystems{})
	first := idOf()
	if ids, flags, e := query(0, true); e != 0 || !slices.Equal(ids, []uint32{first}) || flags[0] != unix.BPF_F_ALLOW_MULTI {
		t.Errorf("attached: ids %v, flags %v, %v; want %d with flags 2", ids, flags, e, first)
	}
	if _, _, e := query(0, false); e != unix.EINVAL {
		t.Errorf("without a place for flags: %v, want EINVAL", e)
	}
	if ids, _, e := query(unix.BPF_F_QUERY_EFFECTIVE, false); e != 0 || !slices.Contains(ids, first) {
		t.Errorf("effective: %v, %v; want %d", ids, e, first)
	}
	if _, e := a.do("open", unix.AT_FDCWD, "/", unix.O_RDONLY); e != unix.EPERM {
		t.Errorf("a list of none: %v, want EPERM", e)
	}
	r.set(FileSystems{Deny: true})
	second := idOf()
	if ids, flags, e := query(0, true); e != 0 || !slices.Equal(ids, []uint32{second}) || flags[0] != unix.BPF_F_ALLOW_MULTI || second == first {
		t.Errorf("replaced: ids %v, flags %v, %v; want %d, not %d", ids, flags, e, second, first)
	}
	if _, e := a.do("open", unix.AT_FDCWD, "/", unix.O_RDONLY); e != 0 {
		t.Errorf("replaced: %v", e)
	}
	r.remove()
	if ids, _, e := query(0, true); e != 0 || len(ids) != 0 {
		t.Errorf("removed: %v, %v", ids, e)
	}
}

// What the verifier takes, and what it does not: offsets of other members, a license that
// is none of the GPL's, no function.
func TestFileProgramVerifier(t *testing.T) {
	b := filesKernel(t)
	counters := newCounters(t)
	for _, list := range [][]uint32{nil, {0xef53}, magicsOf(t, "@known"), slices.Repeat([]uint32{1}, 9), manyMagics(8000)} {
		for _, deny := range []bool{false, true} {
			p, err := FileProgram(FileSystems{Deny: deny, Magic: list}, b)
			if err != nil {
				t.Fatal(err)
			}
			if fd, e, log := loadFiles(t, counting(p, counters), b.Hook, "Dual MIT/GPL"); e != 0 {
				t.Errorf("%d numbers, deny %v: %v\n%s", len(list), deny, e, log)
			} else if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		change  func(o *Offsets)
		license string
		err     string
	}{
		{"an inode that is none", func(o *Offsets) { o.Inode = 0 }, "GPL", ""},
		{"a super block that is none", func(o *Offsets) { o.Super = 0 }, "GPL", "in struct inode"},
		{"our license", func(*Offsets) {}, "Apache-2.0", "GPL compatible license"},
		{"no function", func(o *Offsets) { o.Hook = 0 }, "GPL", ""},
		{"a type that is no function", func(o *Offsets) { o.Hook = 1 }, "GPL", "attach_btf_id 1"},
	} {
		o := *b
		tt.change(&o)
		q, err := FileProgram(FileSystems{Magic: []uint32{0xef53}}, &o)
		if err != nil {
			t.Fatal(err)
		}
		fd, e, log := loadFiles(t, counting(q, counters), o.Hook, tt.license)
		if e == 0 {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
			t.Errorf("%s: was loaded", tt.name)
		}
		if !strings.Contains(log, tt.err) {
			t.Errorf("%s: %v\n%s", tt.name, e, log)
		}
	}
}

// A program that denies everything denies exactly where BPFActive says so. Elsewhere it
// is attached all the same, and listed.
func TestBPFActive(t *testing.T) {
	filesLoadable(t)
	active, err := BPFActive()
	if err != nil {
		t.Fatal(err)
	}
	group, _ := filesGroup(t, "active")
	r := newFileRules(t, group)
	a := startFileActor(t, group)
	r.set(FileSystems{})
	want := unix.Errno(0)
	if active {
		want = unix.EPERM
	}
	if _, e := a.do("open", unix.AT_FDCWD, "/", unix.O_RDONLY); e != want {
		t.Errorf("active %v: open of /: %v, want %v", active, e, want)
	}
	if denied := r.denied(); (denied > 0) != active {
		t.Errorf("active %v: %d openings denied", active, denied)
	}
	r.remove()
	if list, err := os.ReadFile("/sys/kernel/security/lsm"); err == nil {
		if got := lsmListed(string(list), "bpf"); got != active {
			t.Errorf("BPFActive is %v, the list is %q", active, list)
		}
	}
}

func TestLSMListed(t *testing.T) {
	for _, tt := range []struct {
		list string
		want bool
	}{
		{"lockdown,capability,landlock,yama,bpf", true},
		{"bpf\n", true},
		{"bpf,capability", true},
		{"capability,bpfx", false},
		{"xbpf", false},
		{"", false},
	} {
		if got := lsmListed(tt.list, "bpf"); got != tt.want {
			t.Errorf("lsmListed(%q) = %v", tt.list, got)
		}
	}
}

// What is mounted here, and what descriptors are made of, has the numbers of the table.
func TestMagicsOfMounts(t *testing.T) {
	checked := map[string]bool{}
	check := func(name string, magic int64) {
		if checked[name] = true; numbers(name) != "" && !slices.Contains(Magics(name), uint32(magic)) {
			t.Errorf("%s: %#x, want one of %#x", name, magic, Magics(name))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, found := strings.Cut(line, " - ")
		if !found {
			t.Fatal(line)
		}
		name, _, _ := strings.Cut(strings.Fields(after)[0], ".")
		var st unix.Statfs_t
		// Who is not root cannot look at each; what is covered is another file system.
		var id unix.Statx_t
		if unix.Statfs(strings.Fields(before)[4], &st) == nil && unix.Statx(unix.AT_FDCWD, strings.Fields(before)[4], 0, unix.STATX_MNT_ID, &id) == nil &&
			strconv.FormatUint(id.Mnt_id, 10) == strings.Fields(before)[0] {
			check(name, int64(st.Type))
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	fds := map[string]int{"pipefs": pipe[0], "pipefs, too": pipe[1]}
	for name, open := range map[string]func() (int, error){
		"tmpfs":        func() (int, error) { return unix.MemfdCreate("memfd", unix.MFD_CLOEXEC) },
		"sockfs":       func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) },
		"anon_inodefs": func() (int, error) { return unix.Eventfd(0, unix.EFD_CLOEXEC) },
		"nsfs":         func() (int, error) { return unix.Open("/proc/self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0) },
	} {
		if fds[name], err = open(); err != nil {
			t.Fatal(name, ": ", err)
		}
	}
	for name, fd := range fds {
		var st unix.Statfs_t
		if err := errors.Join(unix.Fstatfs(fd, &st), unix.Close(fd)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(name, int64(st.Type))
	}
	for _, name := range []string{"proc", "sysfs", "pipefs", "sockfs", "nsfs", "anon_inodefs", "tmpfs"} {
		if !checked[name] {
			t.Errorf("%s was not looked at", name)
		}
	}
}
