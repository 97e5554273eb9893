package condition

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Facts say where a machine is looked at. The zero Facts, and a nil *Facts, stand for the one
// that the process runs on, and for the process as it is.
type Facts struct {
	// Root comes before every path that is looked at, those of units as well: tests fill a
	// directory with a machine of their own.
	Root string
	// Environ are the variables that hardrun was started with; nil for those of the process.
	// They are "the service manager's" that conditions ask for.
	Environ []string
	// CPUs is the number of CPUs in the affinity mask that hardrun was started with; 0 for
	// that of the process.
	CPUs int
	// Memory is the memory of the machine in bytes, without the limit of a control group;
	// 0 asks sysinfo(2).
	Memory uint64
	// Machine, Release and Host are what uname(2) says; it is asked where one is empty.
	Machine, Release, Host string

	// cpuid stands in for the CPU's in tests.
	cpuid func(leaf, sub uint32) (a, b, c, d uint32)
}

func (f *Facts) environ() []string {
	if f.Environ != nil {
		return f.Environ
	}
	return os.Environ()
}

// variable is the value of a variable of the environment.
func (f *Facts) variable(name string) (value string, ok bool) {
	for _, v := range f.environ() {
		if rest, found := strings.CutPrefix(v, name); found && strings.HasPrefix(rest, "=") {
			return rest[1:], true
		}
	}
	return "", false
}

// What of uname(2).
const (
	unameMachine = iota
	unameRelease
	unameHost
)

// uname is one answer of uname(2).
func (f *Facts) uname(what int) (string, error) {
	if given := [...]string{f.Machine, f.Release, f.Host}[what]; given != "" {
		return given, nil
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	return unix.ByteSliceToString([...][]byte{u.Machine[:], u.Release[:], u.Nodename[:]}[what]), nil
}

// noEntry is err unless that says that there is nothing at a path.
func noEntry(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil
	}
	return err
}

// stat is stat(2), through links; ok is false where nothing is there.
func (f *Facts) stat(path string) (st unix.Stat_t, ok bool, err error) {
	if err = unix.Stat(f.Root+path, &st); err != nil {
		err = &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st, err == nil, noEntry(err)
}

// lstat is stat for a link itself.
func (f *Facts) lstat(path string) (st unix.Stat_t, ok bool, err error) {
	if err = unix.Lstat(f.Root+path, &st); err != nil {
		err = &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st, err == nil, noEntry(err)
}

func (f *Facts) exists(path string) (bool, error) {
	_, ok, err := f.stat(path)
	return ok, err
}

// any tells whether something is at one of the paths.
func (f *Facts) any(paths ...string) (bool, error) {
	for _, p := range paths {
		if ok, err := f.exists(p); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// open opens a path for reading, without waiting for the writer of a FIFO.
func (f *Facts) open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(f.Root+path, flags|unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// maxText is the longest text that is read.
const maxText = 8 << 20

// read is the text of a file; ok is false where there is none.
func (f *Facts) read(path string) (text string, ok bool, err error) {
	fd, err := f.open(path, 0)
	if err != nil {
		return "", false, noEntry(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false, errors.Join(&os.PathError{Op: "fstat", Path: path, Err: err}, unix.Close(fd))
	}
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err == nil && len(b)+n > maxText {
			err = unix.EFBIG
		}
		if err == nil && n <= 0 && st.Blocks > 0 && int64(len(b)) < st.Size { // it ended before its end
			err = unix.EIO
		}
		if err != nil {
			return "", false, errors.Join(&os.PathError{Op: "read", Path: path, Err: err}, unix.Close(fd))
		}
		if n <= 0 {
			return string(b), true, unix.Close(fd)
		}
		b = append(b, buf[:n]...)
	}
}

// line is the first line of a file, or its first text that ends in NUL; empty where there is
// none.
func (f *Facts) line(path string) (string, error) {
	text, _, err := f.read(path)
	if n := strings.IndexAny(text, "\n\x00"); n >= 0 {
		text = text[:n]
	}
	return strings.TrimRight(text, blanks), err
}

// names are the names in a directory.
func (f *Facts) names(path string) ([]string, error) {
	fd, err := f.open(path, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	var list []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, errors.Join(&os.PathError{Op: "readdir", Path: path, Err: err}, unix.Close(fd))
		}
		if n == 0 {
			return list, unix.Close(fd)
		}
		_, _, list = unix.ParseDirent(buf[:n], -1, list)
	}
}

// field is the value of an assignment in a file of the kind of os-release(5); the last one
// counts. It is empty where there is none.
func field(text, name string) string {
	value := ""
	for _, line := range strings.Split(text, "\n") {
		key, v, ok := strings.Cut(strings.Trim(line, blanks), "=")
		if ok && strings.TrimRight(key, blanks) == name {
			value = unquoted(strings.Trim(v, blanks))
		}
	}
	return value
}

// unquoted is a value of os-release(5) as a shell reads it.
func unquoted(s string) string {
	var b []byte
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'':
			b = append(b, c)
		case c == '\\' && i+1 < len(s):
			if i++; quote == '"' && strings.IndexByte("\"\\`$", s[i]) < 0 {
				b = append(b, '\\')
			}
			b = append(b, s[i])
		case c == quote && quote != 0:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
