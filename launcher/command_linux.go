package launcher

import (
	"errors"
	"os"
	"strings"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// view is a root directory to look things up in, as the daemon will see it.
type view struct {
	root int // -1 for the present root
}

// open opens a path as it is inside of the root. Links are followed inside, and
// magic links (/proc/self/exe: CVE-2019-5736, CVE-2019-12499) are not.
func (v view) open(path string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY), Resolve: unix.RESOLVE_NO_MAGICLINKS}
	at := unix.AT_FDCWD
	if v.root >= 0 {
		how.Resolve |= unix.RESOLVE_IN_ROOT
		at = v.root
	}
	if flags&unix.O_PATH != 0 {
		how.Flags = uint64(flags | unix.O_CLOEXEC)
	}
	fd, err := unix.Openat2(at, path, &how)
	if err == unix.ENOSYS && v.root < 0 { // Linux before 5.6
		fd, err = unix.Open(path, int(how.Flags), 0)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// host is the present root.
var host = view{-1}

// enter is the view from inside of a directory of the host.
func enter(dir string) (view, error) {
	fd, err := host.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	return view{fd}, err
}

// leave closes what enter opened.
func (v view) leave() error {
	if v.root < 0 {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(v.root))
}

// directory tells whether the path is a directory.
func (v view) directory(path string) error {
	fd, err := v.open(path, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

// examine is the mode of a file, and whether nothing can be executed where it is.
func (v view) examine(path string) (mode uint32, noexec bool, err error) {
	fd, err := v.open(path, unix.O_PATH)
	if err != nil {
		return 0, false, err
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err = os.NewSyscallError("fstat", unix.Fstat(fd, &st)); err == nil {
		err = os.NewSyscallError("fstatfs", unix.Fstatfs(fd, &fs))
	}
	if err := errors.Join(err, os.NewSyscallError("close", unix.Close(fd))); err != nil {
		return 0, false, errors.New(path + ": " + err.Error())
	}
	return st.Mode, fs.Flags&unix.ST_NOEXEC != 0, nil
}

// Apply opens the command, and remembers which file it is.
func (s *openCommand) Apply(int) error {
	if err := s.find(); err != nil {
		return err
	}
	fd, err := host.open(s.at, unix.O_PATH)
	if err != nil {
		return err
	}
	if s.identity, err = row.Identify(fd); err != nil {
		return err
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

// find looks for the command in the complete view.
func (s *openCommand) find() error {
	var first error
	look := &Env{GOOS: "linux"}
	for _, path := range s.search {
		err := look.checkProgram(host, path, path, 0, false)
		if err == nil {
			if !strings.HasPrefix(s.path, "/") && len(s.search) == 1 && s.search[0] == s.at {
				return nil // relative to the working directory, and executed so
			}
			s.path, s.at, s.plan.path = path, path, path
			return nil
		}
		if first == nil || errors.Is(first, unix.ENOENT) {
			first = err
		}
	}
	if errors.Is(first, unix.ENOENT) {
		return errors.New("command not found in the daemon's view (searched " + strings.Join(s.search, ":") + ")")
	}
	return first
}

// Verify is part of the rows.
func (s *openCommand) Verify() error { return nil }

// Check shows that the path is still the file that was opened; it is a row of
// the end, directly before Exec.
func (s *execStep) Check(p *row.Program) {
	if s.plan.command != nil && s.plan.command.identity != nil {
		s.plan.command.identity.Check(p, s.plan.path)
	}
}

// Exec adds the last row. By path: by descriptor scripts break, and the
// daemon's comm is wrong on older kernels.
func (s *execStep) Exec(p *row.Program) {
	p.Exec(unix.SYS_EXECVE, p.String(s.plan.path).Arg(), p.Vector(s.plan.argv).Arg(), p.Vector(s.plan.environ).Arg())
}
