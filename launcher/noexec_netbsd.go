package launcher

import "golang.org/x/sys/unix"

// mountedNoexec tells whether a file is on a file system without execution.
func mountedNoexec(path string) (bool, error) {
	var fs unix.Statvfs_t
	err := unix.Statvfs(path, &fs)
	return fs.Flag&unix.MNT_NOEXEC != 0, err
}
