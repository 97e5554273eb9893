package process

import "golang.org/x/sys/unix"

// fileState is what fstat(2) says of an open file.
type fileState = unix.Stat_t
