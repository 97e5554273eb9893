package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// allow is the smallest program: it allows all.
var allow = []Ins{{Op: classALU64 | aluMOV, Imm: 1}, {Op: classJMP | jmpEXIT}}

func asksKernel(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
}

// inOwnMounts runs a function on a thread whose mounts are its own, and which ends with it.
func inOwnMounts(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	return testrow.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		return f()
	})
}

// newFilter is a filter for devices, of a group that is not there.
func newFilter(p []Ins) *Filter {
	return &Filter{
		Programs: &Programs{Home: &Home{FD: 1000}}, Hook: HookDevice,
		Rules: func() ([]Ins, error) { return p, nil },
	}
}

// A program is loaded once, by its name, with a map of counters that all of a group share;
// the kernel tells which one it is.
func TestFilterApply(t *testing.T) {
	asksKernel(t)
	f := newFilter(allow)
	noError(t, f.Prepare(-1))
	noError(t, errors.Join(f.Apply(-1), f.Verify()))
	program, counters := f.fd, f.Programs.counters
	if program < 3 || counters < 3 || f.id == 0 {
		t.Fatalf("program %d, counters %d, number %d", program, counters, f.id)
	}
	name, tag, err := About(uint32(f.id))
	if tags := Tag(Counting(allow, int32(counters))); err != nil || name != "hardrun_device" || tag != tags[0] && tag != tags[1] {
		t.Errorf("it is %s, %x, %v", name, tag, err)
	}
	about, err := unix.FcntlInt(uintptr(counters), unix.F_DUPFD_CLOEXEC, 3)
	noError(t, err)
	m, err := ebpf.NewMapFromFD(about)
	noError(t, err)
	closeAfter(t, m)
	if info, err := m.Info(); err != nil || info.Name != "hardrun_denied" {
		t.Errorf("the counters are %+v, %v", info, err)
	}
	// Neither is made again.
	closes(t, func() {
		noError(t, f.Apply(-1))
		noError(t, f.Programs.count())
	})
	if f.fd != program || f.Programs.counters != counters {
		t.Errorf("made again: %d, %d", f.fd, f.Programs.counters)
	}
	f.Hook.Type++
	says(t, f.Verify(), "it is a program of another type")
	// By a program that allows nothing it is shown that the kernel asks.
	second := newFilter(allow)
	second.Programs, second.Nothing = f.Programs, slices.Clone(allow)
	second.Nothing[0].Imm = 0
	noError(t, errors.Join(second.Apply(-1), second.Verify()))
	if second.nothing < 3 || second.nothing == second.fd {
		t.Errorf("programs %d and %d", second.fd, second.nothing)
	}
	third := newFilter(allow)
	third.Programs, third.Nothing = f.Programs, allow[:1]
	says(t, third.Apply(-1), "last insn is not an exit or jmp")
	for _, fd := range []int{program, counters, second.fd, second.nothing, third.fd} {
		noError(t, unix.Close(fd))
	}
}

// Why a program is not loaded.
func TestFilterFails(t *testing.T) {
	asksKernel(t)
	early := errors.New("too early")
	for _, tt := range []struct {
		name   string
		change func(f *Filter)
		calls  calls
		want   string
	}{
		{"before", func(f *Filter) { f.Before = func() error { return early } }, nil, "too early"},
		{"rules", func(f *Filter) { f.Rules = func() ([]Ins, error) { return nil, early } }, nil, "too early"},
		{"no answer", func(f *Filter) { f.Rules = func() ([]Ins, error) { return allow[1:], nil } }, nil, "bpf(BPF_PROG_LOAD): permission denied: R0 !read_ok"},
		{"no end", func(f *Filter) { f.Rules = func() ([]Ins, error) { return allow[:1], nil } }, nil, "bpf(BPF_PROG_LOAD): invalid argument: last insn is not an exit or jmp"},
		{"no end, and nothing", func(f *Filter) {
			f.Rules, f.Nothing = func() ([]Ins, error) { return allow[:1], nil }, allow
		}, nil, "last insn is not an exit or jmp"},
		{"no right", func(f *Filter) {}, calls{unix.SYS_BPF: unix.EPERM}, "bpf(BPF_MAP_CREATE): operation not permitted"},
		{"no right to programs", func(f *Filter) { f.Programs.counters = 1000 }, calls{unix.SYS_BPF: unix.EPERM}, "bpf(BPF_PROG_LOAD): operation not permitted"},
		{"interrupted for ever", func(f *Filter) {}, calls{unix.SYS_BPF: unix.EAGAIN}, "bpf(BPF_MAP_CREATE): resource temporarily unavailable"},
		{"no map", func(f *Filter) {}, calls{unix.SYS_BPF: 0}, "bpf(BPF_MAP_CREATE): bad file descriptor"},
		{"no program", func(f *Filter) { f.Programs.counters = 1000 }, calls{unix.SYS_BPF: 0}, "bpf(BPF_PROG_LOAD): bad file descriptor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFilter(allow)
			tt.change(f)
			says(t, tt.calls.on(t, func() error { return f.Apply(-1) }), tt.want)
			f.GiveUp()
			p := &row.Program{}
			f.Do(p)
			says(t, errors.Join(f.Apply(-1), f.Verify()), "")
			if len(p.Rows) > 0 || f.FDs() != nil {
				t.Errorf("given up, %q by %v", p.Dump(), f.FDs())
			}
			f = newFilter(allow)
			tt.change(f)
			f.Programs.Home.GiveUp()
			says(t, tt.calls.on(t, func() error { return errors.Join(f.Apply(-1), f.Verify()) }), "")
		})
	}
	files := newFilter(nil) // of these Prepare reads the kernel's types, and loads
	files.Hook, files.Rules = HookFiles, func() ([]Ins, error) { return nil, early }
	says(t, files.Prepare(-1), "too early")
	says(t, newFilter(nil).Verify(), "bpf(BPF_OBJ_GET_INFO_BY_FD): ")
	says(t, calls{unix.SYS_BPF: 0}.on(t, newFilter(nil).Verify), "bpf(BPF_OBJ_GET_INFO_BY_FD): answered without an answer")
}

// Whether programs can be loaded is asked by loading one, which is not kept.
func TestLoadable(t *testing.T) {
	asksKernel(t)
	closes(t, func() {
		noError(t, Loadable(HookDevice))
		says(t, Loadable(Hook{99, 99, "none"}), "bpf(BPF_PROG_LOAD): invalid argument")
		says(t, calls{unix.SYS_BPF: unix.EPERM}.on(t, FilesLoadable), "bpf(BPF_PROG_LOAD): operation not permitted")
		says(t, calls{unix.SYS_BPF: unix.EINVAL}.on(t, FilesLoadable), "")
	})
	withoutInput(t, func() { // descriptor 0 is what a call answers that does nothing
		null, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
		if err != nil || null != 0 {
			t.Errorf("open: %d, %v", null, err)
		}
		says(t, calls{unix.SYS_BPF: 0}.on(t, FilesLoadable), "bpf(BPF_PROG_LOAD): took a program for no function")
		if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != unix.EBADF {
			t.Errorf("the program is kept: %v", err)
		}
	})
}

// A pinned program is opened by its path.
func TestFilterPinned(t *testing.T) {
	asksKernel(t)
	l := loadProgram(t, allow, ebpf.CGroupDevice, ebpf.AttachCGroupDevice)
	info, err := l.Info()
	noError(t, err)
	id, _ := info.ID()
	dir := t.TempDir()
	says(t, inOwnMounts(t, func() error {
		if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		if err := l.Pin(dir + "/program"); err != nil {
			return err
		}
		f := newFilter(nil)
		f.Pinned = dir + "/program"
		if err := errors.Join(f.Prepare(-1), f.Apply(-1), f.Verify()); err != nil {
			return err
		}
		if f.id != int(id) {
			return fmt.Errorf("it is program %d, want %d", f.id, id)
		}
		return unix.Close(f.fd)
	}), "")
	f := newFilter(nil)
	f.Pinned = dir + "/program"
	says(t, f.Prepare(-1), "bpf(BPF_OBJ_GET, "+dir+"/program): no such file or directory")
	says(t, calls{unix.SYS_BPF: 0}.on(t, func() error { return f.Prepare(-1) }), "bpf(BPF_OBJ_GET, "+dir+"/program): bad file descriptor")
	f.Pinned = "/a\x00b"
	says(t, f.Prepare(-1), "invalid argument")
}

// Devices that are there, and that may be accessed now, are tried once the program holds.
func TestFilterProbe(t *testing.T) {
	list := []Device{{false, 1, 3, Read}, {false, 1, 9, Read | Write}, {true, 7, 99, Read}}
	node := func(name string, mode uint32, major, minor uint32) error {
		return errors.Join(unix.Mknod("/dev/"+name, mode, int(unix.Mkdev(major, minor))), unix.Chmod("/dev/"+name, mode&0o777))
	}
	closes(t, func() {
		says(t, inOwnMounts(t, func() error {
			if err := unix.Mount("tmpfs", "/dev", "tmpfs", 0, "mode=0755"); err != nil {
				return os.NewSyscallError("mount", err)
			}
			if err := errors.Join(
				node("null", unix.S_IFCHR|0o666, 1, 3), node("zero", unix.S_IFBLK|0o644, 7, 99), node("tty", unix.S_IFREG|0o666, 0, 0),
				node("kmsg", unix.S_IFCHR|0o600, 1, 9), node("fuse", unix.S_IFCHR|0o644, 1, 9), os.Symlink("null", "/dev/urandom"),
			); err != nil {
				return err
			}
			// faccessat(2) asks for the real user.
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, ^uintptr(0), ^uintptr(0)); e != 0 {
				return e
			}
			f := newFilter(nil)
			f.Devices = list
			if err := f.Prepare(-1); err != nil {
				return err
			}
			var got []string
			for _, p := range f.probes {
				path, err := os.Readlink(fmt.Sprint("/proc/thread-self/fd/", p.fd))
				if err != nil {
					path = err.Error()
				}
				got = append(got, fmt.Sprint(filepath.Base(path), " ", p.access, " ", p.allowed))
			}
			want := []string{"null 4 true", "null 2 false", "zero 4 true", "fuse 4 true"}
			if !slices.Equal(got, want) {
				return fmt.Errorf("probes are %q, want %q", got, want)
			}
			return errors.Join(unix.Close(f.probes[0].fd), unix.Close(f.probes[2].fd), unix.Close(f.probes[3].fd))
		}), "")
	})
}

// A filter is attached, read back beside those before it, and tried.
func TestFilterDo(t *testing.T) {
	programs := &Programs{Home: &Home{FD: 1000}}
	show := func(f *Filter) []string {
		p := &row.Program{}
		f.Do(p)
		lines := p.Dump()
		for i, r := range p.Rows {
			words := func(at, size uint64) string {
				var b strings.Builder
				for n := at; n < at+size; n += 4 {
					fmt.Fprint(&b, " ", binary.NativeEndian.Uint32(p.Blob[n:]))
				}
				return b.String()
			}
			switch {
			case r.Kind == row.Same:
				lines[i] += words(r.A[1], r.A[2])
			case r.NR == unix.SYS_BPF && r.Kind == row.Equal:
				lines[i] = fmt.Sprint("bpf ", r.A[0], words(r.A[1], min(r.A[2], 32)))
			case r.NR == unix.SYS_OPENAT && r.Kind == row.Equal:
				lines[i] = fmt.Sprint("openat ", r.A[0], " ", p.Text(uint32(r.A[1])), " = ", r.Want)
			case r.NR == unix.SYS_FACCESSAT2 && r.Kind == row.Equal:
				lines[i] = fmt.Sprint("faccessat2 ", r.A[0], " ", r.A[2], " = ", r.Want)
			}
		}
		// The program for files has one more place that the kernel writes to.
		return append(lines, fmt.Sprint(len(p.Relocs), " addresses"))
	}
	out := func(lines []string) []string { // the address of the numbers
		for i, l := range lines {
			if w := strings.Fields(l); w[0] == "bpf" && w[1] == "16" {
				w[6] = "out"
				lines[i] = strings.Join(w, " ")
			}
		}
		return lines
	}
	for _, tt := range []struct {
		name string
		f    Filter
		want []string
		fds  []int
	}{
		{"devices", Filter{Hook: HookDevice, fd: 7, id: 70, probes: []probe{{20, 4, true}, {20, 2, false}}}, []string{
			"bpf 8 1000 7 6 2 0 0", "poison", "bpf 16 1000 6 0 0 out 0 64 0", "same 1", "same 70",
			"faccessat2 20 4 = 0", "faccessat2 20 2 = -1", "1 addresses",
		}, []int{1000, 7, 20, 20}},
		{"another for devices", Filter{Hook: HookDevice, fd: 8, id: 80}, []string{
			"bpf 8 1000 8 6 2 0 0", "poison", "bpf 16 1000 6 0 0 out 0 64 0", "same 2", "same 70 80", "1 addresses",
		}, []int{1000, 8}},
		{"the first again", Filter{Hook: HookDevice, fd: 7, id: 70}, []string{
			"bpf 8 1000 7 6 2 0 0", "poison", "bpf 16 1000 6 0 0 out 0 64 0", "same 2", "same 70 80", "1 addresses",
		}, []int{1000, 7}},
		{"for packets", Filter{Hook: HookEgress, fd: 9, id: 90}, []string{
			"bpf 8 1000 9 1 2 0 0", "poison", "bpf 16 1000 1 0 0 out 0 64 0", "same 1", "same 90", "1 addresses",
		}, []int{1000, 9}},
		{"for files", Filter{Hook: HookFiles, fd: 10, id: 100, nothing: 11, Nothing: allow}, []string{
			"bpf 8 1000 11 43 2 0 0", "openat 1000 . = -1", "bpf 8 1000 10 43 6 11 0",
			"poison", "bpf 16 1000 43 0 0 out 0 64 0", "same 1", "same 100", "2 addresses",
		}, []int{1000, 10, 11}},
	} {
		tt.f.Programs = programs
		if got := out(show(&tt.f)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := tt.f.FDs(); !slices.Equal(got, tt.fds) {
			t.Errorf("%s: descriptors %v, want %v", tt.name, got, tt.fds)
		}
	}
}

// An interface has a number.
func TestIndex(t *testing.T) {
	closes(t, func() {
		for name, want := range map[string]string{
			"lo": "", "hardrun-none": "ioctl(SIOCGIFINDEX, hardrun-none): no such device", "a-name-of-16-byt": "file name too long",
		} {
			index, err := Index(name)
			if says(t, err, want); want == "" && index != 1 {
				t.Errorf("%s: %d", name, index)
			}
		}
		for e, want := range map[unix.Errno]string{0: "answered without an answer", unix.EPERM: "operation not permitted"} {
			says(t, calls{unix.SYS_IOCTL: e}.on(t, func() error { return asSecond(Index("lo")) }), want)
		}
		says(t, calls{unix.SYS_SOCKET: unix.EMFILE}.on(t, func() error { return asSecond(Index("lo")) }), "socket: too many open files")
	})
}

// Of v1, all devices are forbidden before some are allowed, and the list is read back.
func TestLegacyDevicesFiles(t *testing.T) {
	null, any := Device{false, 1, 3, Read}, Device{true, AnyMajor, AnyMinor, Mknod}
	fd, dir := filesDir(t, map[string]string{"devices.deny": "", "devices.allow": "", "devices.list": ""})
	s := LegacyDevices{&Home{FD: fd}, []Device{null}}
	noError(t, s.Apply(-1))
	if deny, allow := fileText(t, dir+"/devices.deny"), fileText(t, dir+"/devices.allow"); deny != "a" || allow != "c 1:3 r" {
		t.Errorf("denied %q, allowed %q", deny, allow)
	}
	for _, tt := range []struct {
		list []Device
		text string
		want string
	}{
		{nil, "", ""},
		{[]Device{null}, "c 1:3 r\n", ""},
		{[]Device{null, any}, "b *:* m\nc 1:3 r\n", ""},
		{[]Device{null, {false, 1, 3, Write}}, "c 1:3 rw\n", ""},
		{[]Device{null}, "c 1:3 rw\n", `devices.list: read back "c 1:3 rw", which is not allowed`},
		{[]Device{null}, "a *:* rwm\n", `devices.list: read back "a *:* rwm", which is not allowed`},
		{[]Device{null}, "c 1:3 r\nc 1:5 r\n", `read back "c 1:5 r", which is not allowed`},
		{[]Device{null, any}, "b *:* m\n", `devices.list: read back without "c 1:3"`},
	} {
		noError(t, os.WriteFile(dir+"/devices.list", []byte(tt.text), 0o644))
		says(t, LegacyDevices{s.Home, tt.list}.Verify(), tt.want)
	}
	noError(t, os.Remove(dir+"/devices.allow"))
	says(t, s.Apply(-1), "c 1:3 r: open devices.allow: no such file")
	s.FD = -1
	says(t, s.Apply(-1), "open devices.deny: bad file descriptor")
	says(t, s.Verify(), "open devices.list: bad file descriptor")
	s.Home.GiveUp()
	noError(t, errors.Join(s.Apply(-1), s.Verify()))
}
