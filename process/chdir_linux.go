package process

import (
	"errors"
	"os"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

type identity = *row.Identity

// Apply looks the directory up, inside of the root that is there by now and
// without magic links (CVE-2024-21626: WORKDIR /proc/self/fd/7), so that the rows
// can show that the final user ended in the same one. What only that user may
// see (a root-squashing server) is left to the rows.
func (s *ChangeDir) Apply(int) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, s.Path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_MAGICLINKS,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Open(s.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	switch {
	case err == unix.EACCES:
		return nil
	case err == unix.ENOENT && s.Tolerate:
		s.missing = true
		return nil
	case err == unix.ELOOP:
		return &os.PathError{Op: "openat2", Path: s.Path, Err: errors.New("symbolic links that loop, or lead through a descriptor")}
	case err != nil:
		return &os.PathError{Op: "openat2", Path: s.Path, Err: err}
	}
	if s.identity, err = row.Identify(fd); err != nil {
		return err
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

// Verify is part of the rows.
func (s *ChangeDir) Verify() error { return nil }

// Do adds the change.
func (s *ChangeDir) Do(p *row.Program) {
	if !s.missing {
		p.Call(unix.SYS_CHDIR, 0, p.String(s.Path).Arg())
	}
}

// Check adds the read-back: the working directory is the one that was looked
// up, and its path is absolute, so that it is inside of the root.
func (s *ChangeDir) Check(p *row.Program) {
	if s.missing {
		return
	}
	const size = 4096
	out := p.Space(size)
	p.Poison(out, 8)
	p.CallAtLeast(unix.SYS_GETCWD, 2, out.Arg(), row.Int(size))
	p.Same(out, []byte("/"), row.FormText)
	if s.identity != nil {
		s.identity.Check(p, ".")
	}
}
