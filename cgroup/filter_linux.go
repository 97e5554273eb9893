package cgroup

import (
	"errors"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// A part of union bpf_attr, linux/bpf.h, for BPF_PROG_LOAD.
type loadAttr struct {
	progType, insnCount  uint32
	insns, license       uint64
	logLevel, logSize    uint32
	logBuf               uint64
	kernVersion, flags   uint32
	name                 [16]byte
	ifindex, attachType  uint32
	btfFD, funcInfoSize  uint32
	funcInfo             uint64
	funcCount, lineSize  uint32
	lineInfo             uint64
	lineCount, attachBTF uint32
	attachProg, _        uint32
}

// bpf is bpf(2).
func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	for try := 0; ; try++ {
		r, _, e := unix.RawSyscall(unix.SYS_BPF, cmd, uintptr(attr), size)
		switch {
		case e == 0:
			return int(r), nil
		case e != unix.EINTR && e != unix.EAGAIN || try == 100: // a signal while the program was looked at
			return -1, e
		}
	}
}

// The license of the programs: they are as hardrun is. The kernel gives the hooks of
// security modules only to what is under the GPL as well, and the program for those is.
const (
	license    = "Apache-2.0\x00"
	licenseGPL = "Dual MIT/GPL\x00"
)

// load loads a program. What the kernel has to say about one that it refuses is the last
// line of its log.
func load(h Hook, p []Ins, btf uint32) (int, error) {
	text := license
	if h == HookFiles {
		text = licenseGPL
	}
	attr := loadAttr{
		progType: h.Type, insnCount: uint32(len(p)), insns: address(unsafe.Pointer(&p[0])),
		license: address(unsafe.Pointer(unsafe.StringData(text))), attachType: h.Attach, attachBTF: btf,
	}
	copy(attr.name[:15], "hardrun_"+h.Name)
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err == unix.EACCES || err == unix.EINVAL {
		log := make([]byte, 64<<10)
		attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), address(unsafe.Pointer(&log[0]))
		again, logged := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		if logged == nil {
			return again, nil
		}
		if lines := strings.Split(strings.TrimSpace(unix.ByteSliceToString(log)), "\n"); len(lines) > 1 {
			return -1, errors.New("bpf(BPF_PROG_LOAD): " + err.Error() + ": " + lines[max(0, len(lines)-2)])
		}
	}
	if err == nil && fd < 3 {
		err = unix.EBADF
	}
	return fd, os.NewSyscallError("bpf(BPF_PROG_LOAD)", err)
}

func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

// Loadable asks whether a program can be loaded for a hook, by the smallest one.
func Loadable(h Hook) error {
	fd, err := load(h, []Ins{{Op: classALU64 | aluMOV, Imm: 1}, {Op: classJMP | jmpEXIT}}, 0)
	if err != nil {
		return err
	}
	return closed(fd)
}

// FilesLoadable asks the same for HookFiles. A program for it names a function of the
// kernel, and who may load one hears that it named none.
func FilesLoadable() error {
	p := []Ins{{Op: classALU64 | aluMOV, Imm: 1}, {Op: classJMP | jmpEXIT}}
	attr := loadAttr{
		progType: HookFiles.Type, insnCount: uint32(len(p)), insns: address(unsafe.Pointer(&p[0])),
		license: address(unsafe.Pointer(unsafe.StringData(licenseGPL))), attachType: HookFiles.Attach,
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	switch err {
	case unix.EINVAL:
		return nil
	case nil:
		return errors.Join(errors.New("bpf(BPF_PROG_LOAD): took a program for no function"), closed(fd))
	}
	return os.NewSyscallError("bpf(BPF_PROG_LOAD)", err)
}

// info is struct bpf_prog_info of linux/bpf.h, up to the function that a program of a
// security module is for.
type info struct {
	progType, id uint32
	tag          [8]byte
	_            [208]byte
	attachBTF    uint32
	_            uint32
}

// about asks the kernel which program a descriptor is.
func about(fd int) (info, error) {
	const pattern = 0xa5a5a5a5
	i := info{progType: pattern, id: pattern}
	attr := struct {
		fd, size uint32
		at       uint64
	}{uint32(fd), uint32(unsafe.Sizeof(i)), address(unsafe.Pointer(&i))}
	_, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err == nil && (i.id == pattern || i.progType == pattern) {
		err = errors.New("answered without an answer")
	}
	return i, os.NewSyscallError("bpf(BPF_OBJ_GET_INFO_BY_FD)", err)
}

// count makes the map of counters.
func (p *Programs) count() error {
	if p.counters != 0 {
		return nil
	}
	attr := struct {
		kind, key, value, entries, flags, inner, node uint32
		name                                          [16]byte
	}{kind: unix.BPF_MAP_TYPE_ARRAY, key: 4, value: 8 * uint32(Counters), entries: 1}
	copy(attr.name[:15], "hardrun_denied")
	fd, err := bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err == nil && fd < 3 {
		err = unix.EBADF
	}
	if err != nil {
		return os.NewSyscallError("bpf(BPF_MAP_CREATE)", err)
	}
	p.counters = fd
	return nil
}

// pinnedAt opens a pinned program, bpf(2) BPF_OBJ_GET.
func pinnedAt(path string) (int, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	attr := struct {
		path      uint64
		fd, flags uint32
	}{path: address(unsafe.Pointer(name))}
	fd, err := bpf(unix.BPF_OBJ_GET, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err == nil && fd < 3 {
		err = unix.EBADF
	}
	if err != nil {
		err = errors.New("bpf(BPF_OBJ_GET, " + path + "): " + err.Error())
	}
	return fd, err
}

// tried are the devices by which a device program is tried: they are on every machine, and
// to ask for access to them changes nothing.
var tried = [...]string{"/dev/null", "/dev/zero", "/dev/urandom", "/dev/tty", "/dev/kmsg", "/dev/fuse"}

// Prepare opens what is a path of the host.
func (f *Filter) Prepare(int) error {
	switch {
	case f.Pinned != "":
		fd, err := pinnedAt(f.Pinned)
		f.fd = fd
		return err
	case f.Hook == HookFiles:
		return f.load()
	case f.Hook == HookDevice:
		return f.probe()
	}
	return nil
}

// probe finds devices that can be accessed now, so that the program alone decides then.
func (f *Filter) probe() error {
	for _, path := range tried {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		kept := false
		if unix.Fstat(fd, &st) == nil && (st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK) {
			for _, a := range [...]struct {
				ok   int
				want Access
			}{{unix.R_OK, Read}, {unix.W_OK, Write}} {
				if accessible(fd, a.ok) != 0 {
					continue
				}
				number := uint64(st.Rdev) // of 32 bits on some machines
				r := deviceRequest{charDevice, unix.Major(number), unix.Minor(number), uint16(a.want)}
				if st.Mode&unix.S_IFMT == unix.S_IFBLK {
					r.kind = blockDevice
				}
				f.probes = append(f.probes, probe{fd, a.ok, r.allowed(f.Devices)})
				kept = true
			}
		}
		if !kept {
			if err := closed(fd); err != nil {
				return err
			}
		}
	}
	return nil
}

// accessible is faccessat2(2) of a descriptor, Linux 5.8.
func accessible(fd, mode int) unix.Errno {
	empty := [1]byte{}
	_, _, e := unix.RawSyscall6(unix.SYS_FACCESSAT2, uintptr(fd), uintptr(unsafe.Pointer(&empty)), uintptr(mode), unix.AT_EMPTY_PATH, 0, 0)
	return e
}

// Apply makes the program, and loads it.
func (f *Filter) Apply(int) error {
	if f.Programs.Home.gone {
		f.given = true
	}
	if f.given {
		return nil
	}
	if f.Before != nil {
		if err := f.Before(); err != nil {
			return err
		}
	}
	if f.fd != 0 {
		return nil
	}
	return f.load()
}

func (f *Filter) load() error {
	p, err := f.Rules()
	if err != nil {
		return err
	}
	if err := f.Programs.count(); err != nil {
		return err
	}
	if f.fd, err = f.loaded(p); err != nil || f.Nothing == nil {
		return err
	}
	f.nothing, err = f.loaded(f.Nothing)
	return err
}

// loaded loads a program with its counters, and reads back that it is the one.
func (f *Filter) loaded(p []Ins) (int, error) {
	p = Counting(p, int32(f.Programs.counters))
	fd, err := load(f.Hook, p, f.BTF)
	if err != nil {
		return -1, err
	}
	is, err := about(fd)
	if err != nil {
		return -1, err
	}
	if tags := Tag(p); is.tag != tags[0] && is.tag != tags[1] || is.attachBTF != f.BTF {
		return -1, errors.New("bpf(BPF_PROG_LOAD): read back another program than the one that was made")
	}
	return fd, nil
}

// Verify asks which program it is.
func (f *Filter) Verify() error {
	if f.given {
		return nil
	}
	is, err := about(f.fd)
	if err != nil {
		return err
	}
	if is.progType != f.Hook.Type {
		return errors.New("it is a program of another type")
	}
	f.id = int(is.id)
	return nil
}

// GiveUp leaves the program out: it was waived.
func (f *Filter) GiveUp() { f.given = true }

// most is how many programs of one hook are read back.
const most = 64

// Do attaches the program beside those of others, reads back which are attached, and tries
// what can be tried without changing anything.
func (f *Filter) Do(p *row.Program) {
	if f.given {
		return
	}
	const multi, replace = 2, 4 // BPF_F_ALLOW_MULTI, BPF_F_REPLACE
	attach := func(fd, flags, instead int) {
		attr := p.Bytes(row.Uint32s(nil, uint32(f.Programs.Home.FD), uint32(fd), f.Hook.Attach, uint32(flags), uint32(instead), 0))
		p.Call(unix.SYS_BPF, 0, row.Int(unix.BPF_PROG_ATTACH), attr.Arg(), row.Int(24))
	}
	if f.Nothing == nil {
		attach(f.fd, multi, 0)
	} else {
		// That the kernel asks at all is proven first: where nothing may be opened, the
		// group itself cannot.
		attach(f.nothing, multi, 0)
		p.Call(unix.SYS_OPENAT, -int64(unix.EPERM), row.Int(f.Programs.Home.FD), p.String(".").Arg(), row.Int(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC), row.Int(0))
		attach(f.fd, multi|replace, f.nothing)
	}
	f.Programs.attached = append(f.Programs.attached, attached{f.Hook.Attach, uint32(f.id)})
	var ids []uint32
	for _, a := range f.Programs.attached {
		if a.hook == f.Hook.Attach && !slices.Contains(ids, a.id) {
			ids = append(ids, a.id)
		}
	}
	// Newer kernels write a revision behind the count, in what is 64 bytes large.
	const size = 64
	out := p.Space(4 * most)
	query := row.Uint32s(nil, uint32(f.Programs.Home.FD), f.Hook.Attach, 0, 0)
	query = row.Uint64s(query, uint64(out))
	query = row.Uint32s(query, most)
	query = row.Uint32s(query, 0)
	flags := out // of each program; only for this hook, and wanted for it
	if f.Hook == HookFiles {
		flags = p.Space(4 * most)
		query = row.Uint64s(query, uint64(flags))
	}
	at := p.Bytes(append(query, make([]byte, size-len(query))...))
	p.Relocs = append(p.Relocs, uint32(at)+16)
	if flags != out {
		p.Relocs = append(p.Relocs, uint32(at)+32)
	}
	p.Poison(out, 4*most)
	p.Call(unix.SYS_BPF, 0, row.Int(unix.BPF_PROG_QUERY), at.Arg(), row.Int(size))
	p.Same(at+24, row.Uint32s(nil, uint32(len(ids))), row.FormUint32s)
	p.Same(out, row.Uint32s(nil, ids...), row.FormUint32s)
	for _, t := range f.probes {
		want := int64(0)
		if !t.allowed {
			want = -int64(unix.EPERM)
		}
		p.Call(unix.SYS_FACCESSAT2, want, row.Int(t.fd), p.String("").Arg(), row.Int(t.access), row.Int(unix.AT_EMPTY_PATH))
	}
}

// FDs are the descriptors that the rows need.
func (f *Filter) FDs() []int {
	if f.given {
		return nil
	}
	fds := []int{f.Programs.Home.FD, f.fd}
	if f.Nothing != nil {
		fds = append(fds, f.nothing)
	}
	for _, t := range f.probes {
		fds = append(fds, t.fd)
	}
	return fds
}

// Index is the number of an interface in the network namespace of the process,
// netdevice(7).
func Index(name string) (uint32, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	req := struct {
		name  [16]byte
		index uint32
		_     [20]byte
	}{index: 0xa5a5a5a5}
	if len(name) >= len(req.name) {
		err = unix.ENAMETOOLONG
	} else {
		copy(req.name[:], name)
		if _, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFINDEX, uintptr(unsafe.Pointer(&req))); e != 0 {
			err = e
		}
	}
	if err == nil && req.index == 0xa5a5a5a5 {
		err = errors.New("answered without an answer")
	}
	return req.index, errors.Join(os.NewSyscallError("ioctl(SIOCGIFINDEX, "+name+")", err), closed(fd))
}

// Apply forbids every device, then allows those of the list.
func (s LegacyDevices) Apply(int) error {
	if s.gone {
		return nil
	}
	if err := write(s.FD, "devices.deny", "a"); err != nil {
		return err
	}
	for _, d := range s.List {
		if err := write(s.FD, "devices.allow", d.String()); err != nil {
			return errors.New(d.String() + ": " + err.Error())
		}
	}
	return nil
}

// Verify reads the list back: one line for each device, its accesses united.
func (s LegacyDevices) Verify() error {
	if s.gone {
		return nil
	}
	text, err := read(s.FD, "devices.list")
	if err != nil {
		return err
	}
	want := map[string]Access{}
	for _, d := range s.List {
		want[strings.TrimSuffix(d.String(), d.Access.String())] |= d.Access
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		device, access, _ := strings.Cut(line, " ")
		number, letters, _ := strings.Cut(access, " ")
		key := device + " " + number + " "
		if want[key].String() != letters {
			return errors.New("devices.list: read back \"" + line + "\", which is not allowed")
		}
		delete(want, key)
	}
	for key := range want {
		return errors.New("devices.list: read back without \"" + strings.TrimSpace(key) + "\"")
	}
	return nil
}
