package dirs

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// owner is who gets what is in a directory; -1 leaves the user or the group as it is.
type owner struct {
	uid, gid int
	private  bool // directories lose their set-ID bits, as files do in any case
	groups   bool // only groups change, and only of what is the user's own
	left     []string
}

func (o *owner) has(st *unix.Stat_t) bool {
	return (o.uid < 0 || int(st.Uid) == o.uid) && (o.gid < 0 || int(st.Gid) == o.gid)
}

func (o *owner) String() string { return strconv.Itoa(o.uid) + ":" + strconv.Itoa(o.gid) }

// take gives a directory, and all that is in it, to the owner. Where the directory has that owner,
// nothing below it is looked at. It is the last to be changed, so that what was ended by an error
// begins anew the next time.
//
// What was in it belonged to somebody else, who may still be at work there, and must not get by it
// what is not his: no link is followed, other mounts are left (and listed), device nodes, too. A
// file which has other names, and which the owner does not have already, is refused: one of the names
// may be /etc/shadow (CVE-2018-6954). That the links were counted and all found inside would
// not show it, as names can be moved while they are counted. Access lists go, and the kernel
// takes set-ID bits and capabilities of files. Where only the group of the directory is another, the
// user can have brought that about: what belongs to others in it is left.
func (o *owner) take(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if o.has(&st) {
		return nil
	}
	o.groups = int(st.Uid) == o.uid
	t := tree{path: path}
	t.entry = func(dir int, name string) (bool, error) { return o.entry(&t, dir, name) }
	t.leave = func(dir int) error { return o.give(dir, func() string { return t.at("") }) }
	err := t.walk(fd)
	o.left = append(o.left, t.left...)
	if err != nil {
		return err
	}
	return o.give(fd, func() string { return path })
}

func (o *owner) entry(t *tree, dir int, name string) (enter bool, err error) {
	fd, err := openBelow(dir, name, unix.O_PATH)
	switch err {
	case nil:
	case unix.ENOENT: // removed meanwhile
		return false, nil
	case unix.EXDEV:
		t.left = append(t.left, t.at(name))
		return false, nil
	default:
		return false, &os.PathError{Op: "open", Path: t.at(name), Err: err}
	}
	enter, err = o.file(t, fd, name)
	return enter, errors.Join(err, closed(fd))
}

func (o *owner) file(t *tree, fd int, name string) (enter bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, &os.PathError{Op: "fstat", Path: t.at(name), Err: err}
	}
	kind := st.Mode & unix.S_IFMT
	switch {
	case kind == unix.S_IFBLK || kind == unix.S_IFCHR || o.groups && int(st.Uid) != o.uid:
		t.left = append(t.left, t.at(name))
		return false, nil
	case kind == unix.S_IFDIR:
		return true, nil
	}
	if st.Nlink > 1 && int(st.Uid) != o.uid {
		return false, named(t.at(name), errors.New("has other names (hard links) and belongs to uid "+strconv.FormatUint(uint64(st.Uid), 10)+
			": not given to "+o.String()+", as one of them may be outside; chown(1) the tree by hand where that is right"))
	}
	if o.has(&st) {
		return false, nil
	}
	if kind != unix.S_IFLNK { // by the descriptor, whatever the name is by now
		if err := dropList(func(list string) error {
			return unix.Removexattr("/proc/self/fd/"+strconv.Itoa(fd), list)
		}, accessList); err != nil {
			return false, &os.PathError{Op: "removexattr", Path: t.at(name), Err: err}
		}
	}
	if err := unix.Fchownat(fd, "", o.uid, o.gid, unix.AT_EMPTY_PATH); err != nil {
		return false, &os.PathError{Op: "chown to " + o.String(), Path: t.at(name), Err: err}
	}
	return false, nil
}

// The access lists of a file, and the one that is given on by a directory.
const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default"
)

func dropList(remove func(string) error, lists ...string) error {
	for _, l := range lists {
		if err := remove(l); err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
			return err
		}
	}
	return nil
}

// give changes the owner of a directory alone.
func (o *owner) give(fd int, path func() string) error {
	if err := dropList(func(list string) error { return unix.Fremovexattr(fd, list) }, accessList, defaultList); err != nil {
		return &os.PathError{Op: "removexattr", Path: path(), Err: err}
	}
	if err := unix.Fchown(fd, o.uid, o.gid); err != nil {
		return &os.PathError{Op: "chown to " + o.String(), Path: path(), Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: path(), Err: err}
	}
	if !o.has(&st) {
		return named(path(), errors.New("read back the owner "+ids(&st)+", want "+o.String()))
	}
	if o.private && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		if err := unix.Fchmod(fd, st.Mode&0o1777); err != nil {
			return &os.PathError{Op: "chmod", Path: path(), Err: err}
		}
	}
	return nil
}

func ids(st *unix.Stat_t) string {
	return strconv.FormatUint(uint64(st.Uid), 10) + ":" + strconv.FormatUint(uint64(st.Gid), 10)
}
