package cgroup

import (
	"errors"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// others are the hooks of control groups that no directive has, linux/bpf.h.
var others = [...]Hook{
	{18, 29, "getpeername4"},
	{18, 30, "getpeername6"},
	{18, 31, "getsockname4"},
	{18, 32, "getsockname6"},
	{9, 34, "sock_release"},
	{18, 49, "connect_unix"},
	{18, 50, "sendmsg_unix"},
	{18, 51, "recvmsg_unix"},
	{18, 52, "getpeername_unix"},
	{18, 53, "getsockname_unix"},
}

// Hooks are all hooks of control groups.
func Hooks() []Hook {
	return append(append(append(make([]Hook, 0, len(pinned)+1+len(others)), pinned[:]...), HookFiles), others[:]...)
}

// ErrNoHook is that the kernel does not have a hook.
var ErrNoHook = errors.New("the kernel has no such hook")

// Attached are the numbers of the programs of a hook, bpf(2) BPF_PROG_QUERY, that are attached
// to the group of a descriptor; with effective those that the kernel asks for its processes,
// wherever they are attached. It needs CAP_NET_ADMIN.
func Attached(dir int, h Hook, effective bool) ([]uint32, error) {
	const queryEffective = 1
	// union bpf_attr, with a revision behind it that newer kernels write.
	attr := struct {
		dir, attach, query, flags uint32
		ids                       uint64
		count, _                  uint32
		each                      uint64
		_                         [24]byte
	}{dir: uint32(dir), attach: h.Attach}
	if effective {
		attr.query = queryEffective
	}
	for room := uint32(most); ; room *= 4 {
		ids, flags := make([]uint32, room), make([]uint32, room)
		attr.ids, attr.count = address(unsafe.Pointer(&ids[0])), room
		if h == HookFiles && !effective {
			attr.each = address(unsafe.Pointer(&flags[0]))
		}
		_, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		switch {
		case err == unix.ENOSPC && room < 1<<16:
			continue
		case err == unix.EINVAL:
			return nil, ErrNoHook
		case err != nil:
			return nil, os.NewSyscallError("bpf(BPF_PROG_QUERY, "+h.Name+")", err)
		case attr.count > room || slices.Contains(ids[:attr.count], 0): // no program has the number 0
			return nil, errors.New("bpf(BPF_PROG_QUERY, " + h.Name + "): answered without an answer")
		}
		return ids[:attr.count], nil
	}
}

// About is what the kernel says of a program: the name it was loaded by, of 15 bytes at most,
// and its tag. It needs CAP_SYS_ADMIN.
func About(id uint32) (name string, tag [8]byte, err error) {
	attr := struct{ id, next, flags uint32 }{id: id}
	fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return "", tag, os.NewSyscallError("bpf(BPF_PROG_GET_FD_BY_ID)", err)
	}
	// struct bpf_prog_info up to the name.
	info := struct {
		progType, id uint32
		tag          [8]byte
		_            [48]byte
		name         [16]byte
	}{}
	ask := struct {
		fd, size uint32
		at       uint64
	}{uint32(fd), uint32(unsafe.Sizeof(info)), address(unsafe.Pointer(&info))}
	_, err = bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&ask), unsafe.Sizeof(ask))
	if err == nil && info.id != id {
		err = errors.New("answered for another program")
	}
	return unix.ByteSliceToString(info.name[:]), info.tag, errors.Join(os.NewSyscallError("bpf(BPF_OBJ_GET_INFO_BY_FD)", err), closed(fd))
}

// Open opens a group of the hierarchy by its path below the mount, through no link and onto no
// other mount. The descriptor is the caller's.
func (t *Tree) Open(path string) (int, error) {
	top, err := t.open()
	if err != nil {
		return -1, err
	}
	fd, err := unix.Openat2(top, "."+path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Openat(top, "."+path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		err = &os.PathError{Op: "open", Path: t.Mount + path, Err: err}
	}
	return fd, errors.Join(err, closed(top))
}
