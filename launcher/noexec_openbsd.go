package launcher

import "golang.org/x/sys/unix"

// mountedNoexec tells whether a file is on a file system without execution.
func mountedNoexec(path string) (bool, error) {
	var fs unix.Statfs_t
	err := unix.Statfs(path, &fs)
	return fs.F_flags&unix.MNT_NOEXEC != 0, err
}
