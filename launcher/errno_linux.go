package launcher

import "golang.org/x/sys/unix"

// errnoText is the kernel's word for an errno.
func errnoText(errno int) string { return unix.Errno(errno).Error() }
