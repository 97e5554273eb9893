package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func closed(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// ident is which file something is.
type ident struct{ dev, ino uint64 }

func identOf(st *unix.Stat_t) ident { return ident{uint64(st.Dev), st.Ino} }

// realFD refuses the number of a standard descriptor, which an opening cannot have answered: what
// is done to it would be done to the daemon's streams.
func realFD(fd int, err error) (int, error) {
	if err == nil && fd < 3 {
		return -1, unix.EIO
	}
	return fd, err
}

// openBelow opens a name of a directory, or "..", on the same mount; a link is not followed.
// It is EXDEV where something is mounted there.
func openBelow(dir int, name string, flags int) (int, error) {
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS}
	for range 32 {
		fd, err := realFD(unix.Openat2(dir, name, &how))
		switch err {
		case unix.EAGAIN, unix.EINTR: // somebody renames what is on the way of ".."
			continue
		case unix.ENOSYS: // Linux before 5.6
			return openSameMount(dir, name, flags)
		}
		return fd, err
	}
	return -1, unix.EAGAIN
}

// openSameMount is openBelow without openat2(2).
func openSameMount(dir int, name string, flags int) (int, error) {
	fd, err := realFD(unix.Openat(dir, name, flags, 0))
	if err != nil {
		return -1, err
	}
	var a, b unix.Stat_t
	err = errors.Join(unix.Fstat(dir, &a), unix.Fstat(fd, &b))
	if err == nil && (a.Dev != b.Dev || mountOf(dir) != mountOf(fd)) {
		err = unix.EXDEV
	}
	if err != nil {
		if e := unix.Close(fd); e != nil {
			return -1, e
		}
		return -1, unix.EXDEV
	}
	return fd, nil
}

// mountOf is the number of the mount through which a descriptor was opened; empty where
// fdinfo does not tell it.
func mountOf(fd int) string {
	text, err := readText(unix.AT_FDCWD, "/proc/self/fdinfo/"+strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(text, "mnt_id:")
	id, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(id)
}

// readText reads a small file, through no link.
func readText(dir int, path string) (string, error) {
	fd, err := realFD(unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0))
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	text, err := readWhole(fd)
	if err != nil {
		return "", errors.Join(&os.PathError{Op: "read", Path: path, Err: err}, closed(fd))
	}
	return text, closed(fd)
}

func readWhole(fd int) (string, error) {
	var text []byte
	buf := make([]byte, 8192)
	for len(text) < 64<<20 {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		if n <= 0 {
			return string(text), nil
		}
		text = append(text, buf[:n]...)
	}
	return "", unix.EFBIG
}

// mostBatches bounds a directory to which others add all the time: some ten million names.
const mostBatches = 1 << 16

// each calls f with each name of a directory, in the order that the kernel has, until f answers
// an error. The descriptor must be new: its place in the directory is moved.
func each(fd int, f func(name string) error) error {
	buf := make([]byte, 8192)
	var names []string
	for range mostBatches {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err == unix.ENOENT { // removed meanwhile
			return nil
		}
		if err != nil {
			return os.NewSyscallError("getdents64", err)
		}
		if n <= 0 {
			return nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			if err := f(name); err != nil {
				return err
			}
		}
	}
	return named("getdents64", errors.New("no end: somebody adds to the directory"))
}

// tree is a walk through the directories below one: through no link, onto no other mount, with two
// descriptors however deep they are. It goes up by "..", and ends where that does not lead to the
// directory from which it came down, as somebody has moved one meanwhile.
type tree struct {
	path string // of the top, for messages
	// entry sees each name of each directory, and tells whether it is a directory to go into.
	entry func(dir int, name string) (enter bool, err error)
	// leave sees a directory when all below it is done, if it is set; the top it does not see.
	leave func(dir int) error
	// after sees the same in its parent, if it is set, and tells whether to go in once more.
	after func(parent int, name string) (again bool, err error)
	// goOn collects errors instead of ending at the first.
	goOn bool

	left     []string // what is mounted below, and was not looked at
	errs     []error
	way      []level
	top, cur int
}

// level is a directory on the way down.
type level struct {
	ident
	name string
	subs []string // directories in it that are still to be gone into
}

// at is the path of a name in the directory where the walk is, cut where it is very long.
func (t *tree) at(name string) string {
	path := t.path
	for i := 1; i < len(t.way); i++ {
		if len(path) > unix.PathMax {
			path += "/…"
			break
		}
		path += "/" + t.way[i].name
	}
	if name != "" {
		path += "/" + name
	}
	return path
}

// failed is the error by which the walk ends; nil where it goes on.
func (t *tree) failed(err error) error {
	if err == nil || !t.goOn {
		return err
	}
	t.errs = append(t.errs, err)
	return nil
}

// walk goes through all below top. The descriptor stays open, and must be new: its place in the
// directory is moved.
func (t *tree) walk(top int) error {
	t.top, t.cur, t.way = top, top, nil
	err := t.run()
	return errors.Join(append(t.errs, err, t.to(top))...)
}

// to makes another directory the one where the walk is.
func (t *tree) to(next int) error {
	old := t.cur
	t.cur = next
	if old == t.top || old == next {
		return nil
	}
	return closed(old)
}

func (t *tree) run() error {
	if err := t.failed(t.enter("")); err != nil {
		return err
	}
	for {
		l := &t.way[len(t.way)-1]
		if n := len(l.subs); n > 0 {
			name := l.subs[n-1]
			l.subs = l.subs[:n-1]
			if err := t.down(name); err != nil {
				return err
			}
			continue
		}
		if len(t.way) == 1 {
			return nil
		}
		if t.leave != nil {
			if err := t.failed(t.leave(t.cur)); err != nil {
				return err
			}
		}
		name := l.name
		if err := t.up(); err != nil {
			return err
		}
		if t.after != nil {
			again, err := t.after(t.cur, name)
			if err := t.failed(err); err != nil {
				return err
			}
			if again {
				l := &t.way[len(t.way)-1]
				l.subs = append(l.subs, name)
			}
		}
	}
}

// down goes into a directory.
func (t *tree) down(name string) error {
	next, err := openBelow(t.cur, name, unix.O_RDONLY|unix.O_DIRECTORY)
	switch err {
	case nil:
		if err := t.to(next); err != nil {
			return err
		}
		return t.failed(t.enter(name))
	case unix.EXDEV:
		t.left = append(t.left, t.at(name))
		return nil
	case unix.ENOENT:
		return nil
	}
	return t.failed(&os.PathError{Op: "open", Path: t.at(name), Err: err})
}

// up goes to the parent, which must be the directory from which the walk came.
func (t *tree) up() error {
	next, err := openBelow(t.cur, "..", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return &os.PathError{Op: "open", Path: t.at(".."), Err: err}
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(next, &st))
	if err == nil && identOf(&st) != t.way[len(t.way)-2].ident {
		err = named(t.at(""), errors.New("was moved elsewhere meanwhile"))
	}
	if err != nil {
		return errors.Join(err, closed(next))
	}
	t.way = t.way[:len(t.way)-1]
	return t.to(next)
}

// enter begins with a directory: all names in it are seen, and its directories kept for later.
func (t *tree) enter(name string) error {
	t.way = append(t.way, level{name: name})
	l := &t.way[len(t.way)-1]
	var st unix.Stat_t
	if err := unix.Fstat(t.cur, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	l.ident = identOf(&st)
	return each(t.cur, func(name string) error {
		enter, err := t.entry(t.cur, name)
		if enter {
			l.subs = append(l.subs, name)
		}
		return t.failed(err)
	})
}
