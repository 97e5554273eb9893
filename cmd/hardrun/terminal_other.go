//go:build !linux

package main

import "golang.org/x/sys/unix"

// columnsOf tells whether a descriptor is a terminal, and how wide.
func columnsOf(fd int) (columns int, is bool) {
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}
