package ns

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkTmpfs shows that a file system in memory has the limits, the mode and the
// owner that were asked for, tmpfs(5): by statfs(2) and stat(2), not by what set them.
func checkTmpfs(tree int, data []string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(tree, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if fs.Type != unix.TMPFS_MAGIC {
		return errors.New("fsmount: read back a file system that is no tmpfs")
	}
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	for _, d := range data {
		name, value, _ := strings.Cut(d, "=")
		ok := true
		var want uint64
		var err error
		switch name {
		case "size":
			want, err = tmpfsBlocks(value, uint64(fs.Bsize))
			ok = want == 0 || fs.Blocks >= want-want/64-1 && fs.Blocks <= want+want/64+1 // memory is counted, and rounded
		case "nr_blocks":
			want, err = tmpfsCount(value)
			ok = want == 0 || fs.Blocks == want
		case "nr_inodes":
			want, err = tmpfsCount(value)
			ok = want == 0 || fs.Files == want
		case "mode":
			want, err = strconv.ParseUint(value, 8, 32)
			ok = uint64(st.Mode&0o7777) == want
		case "uid":
			ok = strconv.FormatUint(uint64(st.Uid), 10) == value
		case "gid":
			ok = strconv.FormatUint(uint64(st.Gid), 10) == value
		}
		if err != nil || !ok {
			return errors.Join(errors.New("fsconfig("+d+"): read back a tmpfs without it"), err)
		}
	}
	return nil
}

// tmpfsCount is a number with k, m or g behind it; 0 is no limit.
func tmpfsCount(s string) (uint64, error) {
	shift := 0
	if s != "" {
		shift = map[byte]int{'k': 10, 'm': 20, 'g': 30}[s[len(s)-1]|0x20]
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n << shift, err
}

// tmpfsBlocks is a size in blocks: a number of bytes, or a percentage of memory.
func tmpfsBlocks(s string, block uint64) (uint64, error) {
	percent, is := strings.CutSuffix(s, "%")
	if !is {
		n, err := tmpfsCount(s)
		return (n + block - 1) / block, err
	}
	n, err := strconv.ParseUint(percent, 10, 64)
	if err != nil {
		return 0, err
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, os.NewSyscallError("sysinfo", err)
	}
	return uint64(info.Totalram) * uint64(info.Unit) / 100 * n / block, nil
}
