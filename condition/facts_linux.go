package condition

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileSystem tells of which type the file system of a path is (statfs(2)), and whether it is
// mounted read-only; ok is false where nothing is at the path.
func (f *Facts) fileSystem(path string) (magic uint32, readOnly, ok bool, err error) {
	var fs unix.Statfs_t
	for {
		if err = unix.Statfs(f.Root+path, &fs); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, false, false, noEntry(&os.PathError{Op: "statfs", Path: path, Err: err})
	}
	return uint32(fs.Type), fs.Flags&unix.ST_RDONLY != 0, true, nil
}

// isReadWrite asks the mount, and then access(2): the server of a file system may know better.
func (f *Facts) isReadWrite(path string) (bool, error) {
	_, readOnly, ok, err := f.fileSystem(path)
	if !ok || readOnly || err != nil {
		return false, err
	}
	return unix.Access(f.Root+path, unix.W_OK) != unix.EROFS, nil
}

func (f *Facts) isMountPoint(path string) (bool, error) {
	if strings.Trim(path, "/") == "" {
		return true, nil
	}
	var stx unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, f.Root+path, unix.AT_NO_AUTOMOUNT, 0, &stx)
	if err == nil && stx.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	if err != nil && err != unix.ENOSYS {
		return false, noEntry(&os.PathError{Op: "statx", Path: path, Err: err})
	}
	return f.mounted(path)
}

// mounted is isMountPoint for Linux before 5.8: it searches the list of mounts for the path
// without links.
func (f *Facts) mounted(path string) (bool, error) {
	fd, err := f.open(path, unix.O_PATH)
	if err != nil {
		return false, noEntry(err)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/thread-self/fd/"+strconv.Itoa(fd), buf)
	if err != nil {
		err = &os.PathError{Op: "readlink", Path: "/proc/thread-self/fd", Err: err}
	}
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err != nil {
		return false, err
	}
	list, ok, err := (&Facts{}).read("/proc/thread-self/mountinfo")
	if err == nil && !ok {
		err = errors.New("/proc/thread-self/mountinfo is missing")
	}
	return listed(list, string(buf[:n])), err
}

// listed tells whether a path is the place of a mount in a text of proc_pid_mountinfo(5).
func listed(list, path string) bool {
	var want []byte
	for _, c := range []byte(path) {
		if strings.IndexByte(" \t\n\\", c) >= 0 {
			want = append(want, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			want = append(want, c)
		}
	}
	for _, line := range strings.Split(list, "\n") {
		if fields := strings.SplitN(line, " ", 6); len(fields) == 6 && fields[4] == string(want) {
			return true
		}
	}
	return false
}

// affinity is the number of CPUs in the affinity mask of the process.
func affinity() (int, error) {
	var mask [1024]uint64 // 65536 CPUs
	n, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if e != 0 {
		return 0, os.NewSyscallError("sched_getaffinity", e)
	}
	count := 0
	for _, word := range mask[:min(int(n)+7, len(mask)*8)/8] {
		for ; word != 0; word &= word - 1 {
			count++
		}
	}
	return count, nil
}

// physicalMemory is the memory of the machine in bytes.
func physicalMemory() (uint64, error) {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 0, os.NewSyscallError("sysinfo", err)
	}
	return uint64(s.Totalram) * uint64(s.Unit), nil
}

// inBoundingSet tells whether a capability is in the bounding set of the process. The kernel
// does not have a capability that it does not know.
func inBoundingSet(n int) (bool, error) {
	r, _, e := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, uintptr(n), 0)
	if e == unix.EINVAL {
		return false, nil
	}
	if e != 0 {
		return false, os.NewSyscallError("prctl(PR_CAPBSET_READ)", e)
	}
	return r == 1, nil
}

// audited tells whether the kernel has its audit framework, and lets this process talk to it.
func audited() (bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_AUDIT)
	switch err {
	case nil:
		return true, unix.Close(fd)
	case unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.EPERM:
		return false, nil
	}
	return false, os.NewSyscallError("socket", err)
}
