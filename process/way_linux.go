package process

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenTrusted opens a file by an absolute path. Links are followed where nobody but root and who
// runs this could have put them there; from the first directory on that others can change, none
// is: what the daemon's user left in a directory of its own must not decide about other files. A
// file of another owner that has more names is refused there, too. Magic links are followed
// nowhere: what is behind /proc/self/fd/7 is nobody's business (CVE-2024-21626). The descriptor
// is close-on-exec, and no controlling terminal. Errors are *os.PathError.
func OpenTrusted(path string, flags int, mode uint32) (int, error) {
	w := way{path: path, done: "", todo: path}
	fail := func(err error) (int, error) { return -1, &os.PathError{Op: "open", Path: path, Err: err} }
	for w.todo != "" {
		if last, err := w.step(); err != nil {
			return fail(err)
		} else if last {
			break
		}
	}
	fd, err := w.open(flags&^unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
	if err != nil {
		return fail(err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	switch {
	case err != nil:
	case w.foreign && regular && st.Nlink > 1 && int(st.Uid) != w.owner:
		err = errors.New("it has more names and another owner, and others could have put this one there")
	case flags&unix.O_TRUNC != 0 && regular: // not before it was looked at
		err = unix.Ftruncate(fd, 0)
	}
	if err != nil {
		if closed := unix.Close(fd); closed != nil {
			err = errors.Join(err, closed)
		}
		return fail(err)
	}
	return fd, nil
}

// way is a walk along a path, through directories that only root and who runs this can change.
type way struct {
	path       string
	done, todo string // of the path: without links, and what is left
	links      int
	foreign    bool // others can change the directory done
	owner      int  // of it, where it alone can; -1: many
}

// trusts tells whether a user may decide about where links lead.
func trusts(uid uint32) bool { return uid == 0 || uid == uint32(unix.Geteuid()) }

// step goes on by one name. It ends the walk at the last name, and where others can change what is
// next.
func (w *way) step() (last bool, err error) {
	name, rest, _ := strings.Cut(strings.TrimLeft(w.todo, "/"), "/")
	rest = strings.Trim(rest, "/")
	switch name {
	case "", ".":
		w.todo = rest
		return rest == "", nil
	case "..":
		w.done, w.todo = w.done[:max(strings.LastIndexByte(w.done, '/'), 0)], rest
		return rest == "", nil
	}
	var dir, st unix.Stat_t
	if err := unix.Lstat(w.done+"/", &dir); err != nil {
		return false, err
	}
	err = unix.Lstat(w.done+"/"+name, &st)
	if err == unix.ENOENT && rest == "" { // to be made, or the open will say it
		st.Uid = dir.Uid
	} else if err != nil {
		return false, err
	}
	// A sticky directory lets only the owner of a name change it.
	shared := dir.Mode&0o022 != 0
	w.foreign, w.owner = shared || !trusts(dir.Uid), int(dir.Uid)
	if shared {
		w.owner = -1
	}
	if !trusts(dir.Uid) || shared && (dir.Mode&unix.S_ISVTX == 0 || err != nil || !trusts(st.Uid)) {
		w.todo = name + "/" + rest
		return true, nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		text, err := w.readLink(name)
		if err != nil {
			return false, err
		}
		if w.todo = text + "/" + rest; text[0] == '/' {
			w.done = ""
		}
		return false, nil
	}
	if rest == "" {
		w.todo = name
		return true, nil
	}
	w.done, w.todo = w.done+"/"+name, rest
	return false, nil
}

// readLink is where a link of a directory leads that nobody else can change.
func (w *way) readLink(name string) (string, error) {
	if w.links++; w.links > 40 { // MAXSYMLINKS of the kernel
		return "", unix.ELOOP
	}
	path := w.done + "/" + name
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	if err == unix.ELOOP {
		return "", err
	}
	if err == nil {
		if err := unix.Close(fd); err != nil {
			return "", err
		}
	}
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(path, buf[:])
	if err == nil && (n <= 0 || n >= len(buf)) {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// open opens what is left of the path, below what is done, through no link.
func (w *way) open(flags int, mode uint32) (int, error) {
	rest := strings.Trim(w.todo, "/")
	if rest == "" {
		return -1, unix.EISDIR
	}
	dir, err := unix.Open(w.done+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW), Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	fd, err := unix.Openat2(dir, rest, &how)
	for n := 0; n < 32 && (err == unix.EAGAIN || err == unix.EINTR); n++ { // somebody renames what is on the way
		fd, err = unix.Openat2(dir, rest, &how)
	}
	if err == unix.ENOSYS { // Linux before 5.6: name by name
		fd, err = openEach(dir, rest, flags|unix.O_NOFOLLOW, mode)
	}
	if closed := unix.Close(dir); err == nil && closed != nil {
		err = errors.Join(closed, unix.Close(fd))
		fd = -1
	}
	return fd, err
}

// openEach opens a path below a directory, through no link.
func openEach(dir int, path string, flags int, mode uint32) (int, error) {
	at := dir
	for {
		name, rest, more := strings.Cut(path, "/")
		if name == ".." {
			return -1, unix.EXDEV
		}
		if !more {
			fd, err := unix.Openat(at, name, flags, mode)
			if at != dir {
				err = errors.Join(err, unix.Close(at))
			}
			return fd, err
		}
		next, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if at != dir {
			err = errors.Join(err, unix.Close(at))
		}
		if err != nil {
			return -1, err
		}
		at, path = next, strings.TrimLeft(rest, "/")
	}
}
