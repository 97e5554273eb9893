package main

import "golang.org/x/sys/unix"

// columnsOf tells whether a descriptor is a terminal, and how wide; 0 where it does not say.
func columnsOf(fd int) (columns int, is bool) {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, true
	}
	return int(size.Col), true
}
