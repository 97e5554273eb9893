package ns

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// The mount calls of Linux 5.2 to 5.12, by descriptors. Errors name the call.

// cloneTree makes a detached copy of what is mounted at fd.
func cloneTree(fd int, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	tree, err := unix.OpenTree(fd, "", flags)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	return tree, nil
}

// setAttr sets attributes of a mount and, with deep, of all below it. SealView reads those of the
// mount itself back.
func (v *View) setAttr(tree int, attr Attr, deep bool) error {
	is, err := look(tree)
	if err != nil {
		return err
	}
	if is.mount != 0 {
		v.state.closed = append(v.state.closed, sealed{is.mount, attr & (ReadOnly | NoSUID | NoDev | NoExec)})
	}
	if v.OneByOne {
		return v.remount(tree, attr, deep)
	}
	a := unix.MountAttr{Attr_set: uint64(attr)}
	if attr&(NoAtime|StrictAtime) != 0 {
		a.Attr_clr = unix.MOUNT_ATTR__ATIME
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if deep {
		flags |= unix.AT_RECURSIVE
	}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(tree, "", flags, &a))
}

// setPropagation sets how mounts spread from and to the root, and all below it.
func (v *View) setPropagation(flag uint64) error {
	if v.OneByOne {
		return os.NewSyscallError("mount(MS_REC)", unix.Mount("", v.state.prefix, "", uintptr(flag)|unix.MS_REC, ""))
	}
	a := unix.MountAttr{Propagation: flag}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(v.state.root, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &a))
}

// attach mounts a detached tree on what target is.
func attach(tree, target int) error {
	if err := unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return os.NewSyscallError("move_mount", err)
	}
	return nil
}

// newFS makes a file system which is mounted nowhere. data are its options, "name"
// or "name=value".
func newFS(kind string, data []string, attr Attr) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen("+kind+")", err)
	}
	for _, d := range data {
		name, value, has := strings.Cut(d, "=")
		if has {
			err = unix.FsconfigSetString(fs, name, value)
		} else {
			err = unix.FsconfigSetFlag(fs, name)
		}
		if err != nil {
			return -1, errors.Join(os.NewSyscallError("fsconfig("+kind+", "+d+")", err), closeFD(fs))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, errors.Join(os.NewSyscallError("fsconfig("+kind+", CREATE)", err), closeFD(fs))
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(attr))
	if err != nil {
		return -1, errors.Join(os.NewSyscallError("fsmount("+kind+")", err), closeFD(fs))
	}
	return tree, closeFD(fs)
}

func closeFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// what statx(2) tells of a descriptor.
type about struct {
	mode      uint32
	rdev      [2]uint32
	ino       uint64
	dev       [2]uint32
	mount     uint64
	mountRoot bool
}

const statxAttrMountRoot = 0x2000

// look asks what a descriptor is. The mount id is that of mountinfo, and told since
// Linux 5.8.
func look(fd int) (about, error) {
	var st unix.Statx_t
	st.Ino, st.Mnt_id = ^uint64(0), ^uint64(0)
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st); err != nil {
		return about{}, os.NewSyscallError("statx", err)
	}
	if st.Mask&unix.STATX_INO == 0 || st.Mask&unix.STATX_MNT_ID == 0 || st.Attributes_mask&statxAttrMountRoot == 0 {
		return about{}, errors.New("statx: no number of the mount is told: a view needs Linux 5.8")
	}
	return about{
		mode: uint32(st.Mode), rdev: [2]uint32{st.Rdev_major, st.Rdev_minor}, ino: st.Ino,
		dev: [2]uint32{st.Dev_major, st.Dev_minor}, mount: st.Mnt_id, mountRoot: st.Attributes&statxAttrMountRoot != 0,
	}, nil
}

// openIn opens a path as it is inside of a root. Links are followed inside of it,
// and magic links (/proc/PID/root) are not.
func openIn(root int, path string, flags uint64) (int, error) {
	return openat2(root, path, flags, unix.RESOLVE_IN_ROOT)
}

// openat2 follows no magic link, and tries some times while others rename what the path
// leads through. The mode is that of a file which it makes.
func openat2(dir int, path string, flags, resolve uint64, mode ...uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve | unix.RESOLVE_NO_MAGICLINKS}
	if len(mode) > 0 {
		how.Mode = mode[0]
	}
	for range 32 {
		fd, err := unix.Openat2(dir, path, &how)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "openat2", Path: path, Err: err}
		}
		return fd, nil
	}
	return -1, &os.PathError{Op: "openat2", Path: path, Err: unix.EAGAIN}
}

// CanSetAttr tells whether this kernel has mount_setattr(2), the youngest of the
// calls above (Linux 5.12).
func CanSetAttr() bool {
	_, _, e := unix.RawSyscall6(unix.SYS_MOUNT_SETATTR, ^uintptr(0), 0, 0, 0, 0, 0)
	return e != unix.ENOSYS
}
