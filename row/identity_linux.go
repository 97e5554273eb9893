package row

import (
	"os"

	"golang.org/x/sys/unix"
)

// Identity tells one file from all others: its inode, its device, and the mount
// through which it is reached.
type Identity struct {
	Ino          uint64
	Major, Minor uint32
	Mount        uint64 // 0 on kernels before 5.8, which do not tell it
}

// Identify is the identity of an open descriptor.
func Identify(fd int) (*Identity, error) {
	var st unix.Statx_t
	st.Ino = ^uint64(0)
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_MNT_ID, &st); err != nil {
		return nil, os.NewSyscallError("statx", err)
	}
	if st.Mask&unix.STATX_INO == 0 {
		return nil, os.NewSyscallError("statx", unix.EIO)
	}
	i := &Identity{Ino: st.Ino, Major: st.Dev_major, Minor: st.Dev_minor}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		i.Mount = st.Mnt_id
	}
	return i, nil
}

// Equal tells whether both are the same file, reached by the same mount where
// both know it.
func (i *Identity) Equal(j *Identity) bool {
	return i.Ino == j.Ino && i.Major == j.Major && i.Minor == j.Minor && (i.Mount == j.Mount || i.Mount == 0 || j.Mount == 0)
}

// Check adds rows which show that path (relative to the working directory) is
// this file. The offsets are those of struct statx.
func (i *Identity) Check(p *Program, path string) {
	const size = 256
	const atFDCWD = ^uint64(99) // AT_FDCWD, -100
	out := p.Space(size)
	p.Poison(out, size)
	p.Call(unix.SYS_STATX, 0, Int(atFDCWD), p.String(path).Arg(), Int(0), Int(unix.STATX_INO|unix.STATX_MNT_ID), out.Arg())
	p.Same(out+32, Uint64s(nil, i.Ino), FormHex64s)
	p.Same(out+136, Uint32s(nil, i.Major, i.Minor), FormUint32s)
	if i.Mount != 0 {
		p.Same(out+144, Uint64s(nil, i.Mount), FormHex64s)
	}
}
