package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Made is what Make has made.
type Made struct {
	// Left is what was not given to the owner with the rest of a directory that was there
	// already: what is mounted in it, and device nodes.
	Left []string

	root Root
	made []entry // in the order in which they were made
}

// entry is a directory or a link that was not there before.
type entry struct {
	ident
	base, name string
	isLink     bool
}

// Make makes the directories, parents first. Parents that are missing get mode 0755, and belong to who
// runs this; the last of each name gets its mode and its owner. One that is there already and has
// another owner is changed with all that is in it; where it has the owner, what is in it is not
// looked at. No name may lead through a link; what is there and is no directory is an error.
//
// A Private directory which lies at Base/Name from the time before DynamicUser= moves below
// Base/private, and comes back when it is no more Private. Links are made after all directories; a link
// that is there already must lead to the same place.
//
// On an error, which names the directive and the path, what was made is removed again, but for what
// is in a directory that has been moved or given to another owner.
func Make(root Root, list []Directory) (*Made, error) {
	m := &Made{root: root}
	list = sorted(list)
	for i := range list {
		d := &list[i]
		err := d.check()
		for try := 0; err == nil; try++ {
			if err = m.directory(d, covered(list, d)); try == mostRounds || !errors.Is(err, unix.ENOENT) {
				break
			}
			err = nil // another start that was refused has taken a parent away again
		}
		if err != nil {
			return nil, errors.Join(named(d.about(), err), m.Undo())
		}
	}
	for i := range list {
		for _, l := range list[i].Links {
			if err := m.link(&list[i], l); err != nil {
				return nil, errors.Join(named(list[i].about(), err), m.Undo())
			}
		}
	}
	return m, nil
}

// openBase opens the place of the directories, and makes it where it is missing.
func (r Root) openBase(base string, create bool) (int, error) {
	path := strings.TrimSuffix(r.Dir, "/") + base
	fd, err := realFD(unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	if err == unix.ENOENT && create {
		for i := 1; i <= len(path); i++ {
			if i < len(path) && path[i] != '/' {
				continue
			}
			e := unix.Mkdir(path[:i], 0o755)
			if e == unix.EEXIST {
				continue
			}
			if e == nil { // whatever the umask is
				e = unix.Chmod(path[:i], 0o755)
			}
			if e != nil {
				return -1, &os.PathError{Op: "mkdir", Path: path[:i], Err: e}
			}
		}
		fd, err = realFD(unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// enter opens a name of a directory, which must be a directory and no link.
func enter(dir int, name, path string, flags int) (int, error) {
	fd, err := realFD(unix.Openat(dir, name, flags|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0))
	if err == unix.ENOTDIR || err == unix.ELOOP {
		var st unix.Stat_t
		if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return -1, named(path, errors.New("is a symbolic link, and no directory"))
		}
		return -1, named(path, errors.New("is there, and no directory"))
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// one opens a directory by its name in another, for reading, and makes it where it is missing, with mode
// 0700.
func (m *Made) one(dir int, base, name string, flags int) (fd int, isNew bool, err error) {
	path := join(base, name)
	last := name[strings.LastIndexByte(name, '/')+1:]
	fd, err = enter(dir, last, path, flags)
	if !errors.Is(err, unix.ENOENT) {
		return fd, false, err
	}
	err = unix.Mkdirat(dir, last, 0o700)
	isNew = err == nil
	if err != nil && err != unix.EEXIST {
		return -1, false, &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	if fd, err = enter(dir, last, path, unix.O_RDONLY); err != nil {
		return -1, false, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, false, errors.Join(&os.PathError{Op: "fstat", Path: path, Err: err}, closed(fd))
	}
	if isNew {
		m.made = append(m.made, entry{ident: identOf(&st), base: base, name: name})
	}
	return fd, isNew, nil
}

// parent opens the directory in which the last part of a name lies, and makes what is missing on the
// way.
func (m *Made) parent(base, name string) (int, error) {
	dir, err := m.root.openBase(base, true)
	if err != nil {
		return -1, err
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		fd, isNew, err := m.one(dir, base, name[:i], unix.O_PATH)
		if isNew {
			mode := uint32(0o755)
			if name[:i] == privateName {
				mode = 0o700
			}
			err = chmod(fd, mode, join(base, name[:i]))
		}
		if err == nil && name[:i] == privateName {
			err = guard(fd, join(base, privateName))
		}
		if err := errors.Join(err, closed(dir)); err != nil {
			if fd >= 0 {
				err = errors.Join(err, closed(fd))
			}
			return -1, err
		}
		dir = fd
	}
	return dir, nil
}

// guard shows that nobody but who runs this can pass Base/private.
func guard(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if int(st.Uid) != unix.Geteuid() {
		return named(path, errors.New("belongs to "+ids(&st)+", and must be root's alone"))
	}
	if st.Mode&0o077 == 0 {
		return nil
	}
	return named(path, errors.New("has the mode "+octal(st.Mode)+", and must be 0700: nobody else may reach what is in it"))
}

func octal(mode uint32) string { return "0" + strconv.FormatUint(uint64(mode&0o7777), 8) }

// chmod sets the mode of a directory, where it has another, and reads it back.
func chmod(fd int, mode uint32, path string) error {
	for set := false; ; set = true {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return &os.PathError{Op: "fstat", Path: path, Err: err}
		}
		if st.Mode&0o7777 == mode {
			return nil
		}
		if set {
			return named(path, errors.New("read back the mode "+octal(st.Mode)+", want "+octal(mode)))
		}
		if err := unix.Fchmod(fd, mode); err != nil {
			return &os.PathError{Op: "chmod to " + octal(mode), Path: path, Err: err}
		}
	}
}

// directory makes one of them.
func (m *Made) directory(d *Directory, covered bool) error {
	name := d.hostName()
	dir, err := m.parent(d.Base, name)
	if err != nil {
		return err
	}
	linked := covered || !d.Private
	if !covered {
		if linked, err = m.migrate(d, dir); err != nil {
			return errors.Join(err, closed(dir))
		}
	}
	fd, isNew, err := m.one(dir, d.Base, name, unix.O_RDONLY)
	if err == nil {
		err = errors.Join(m.own(d, fd, isNew), closed(fd))
	}
	if err == nil && !linked {
		n := len(m.made)
		err = m.symlink(d.Base, d.Name, relative(d.Name, name))
		if !isNew && len(m.made) > n { // Undo must not hide what was there before
			m.made = m.made[:len(m.made)-1]
		}
	}
	return errors.Join(err, closed(dir))
}

// own gives a directory its owner and its mode.
func (m *Made) own(d *Directory, fd int, isNew bool) error {
	switch {
	case d.Keep && isNew:
		return chmod(fd, d.Mode, d.Host())
	case d.Keep:
		return nil
	}
	o := owner{uid: d.UID, gid: d.GID, private: d.Private}
	err := o.take(fd, d.Host())
	m.Left = append(m.Left, o.left...)
	if err != nil {
		return err
	}
	return chmod(fd, d.Mode, d.Host())
}

// migrate moves a directory which was not made by the same setting of DynamicUser=, and tells
// whether Base/Name is what it must be in the end: a directory, or the link to the private one. dir is
// where the directory is to be.
func (m *Made) migrate(d *Directory, dir int) (linked bool, err error) {
	last := d.Name[strings.LastIndexByte(d.Name, '/')+1:]
	if !d.Private {
		if d.Keep { // has never been private
			return true, nil
		}
		text, err := readLink(dir, last)
		if text == "" || err != nil || !d.leadsPrivate(text) {
			return true, named(d.Path(), err) // that it is another link will be said when it is opened
		}
		return true, m.moveBack(d, dir, last)
	}
	public, err := m.parent(d.Base, d.Name)
	if err != nil {
		return false, err
	}
	var st unix.Stat_t
	switch err = unix.Fstatat(public, last, &st, unix.AT_SYMLINK_NOFOLLOW); {
	case err == unix.ENOENT:
		err = nil
	case err != nil:
		err = &os.PathError{Op: "stat", Path: d.Path(), Err: err}
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		var text string
		if text, err = readLink(public, last); err != nil {
			err = named(d.Path(), err)
		} else if linked = d.leadsPrivate(text); !linked {
			err = named(d.Path(), errors.New("is a symbolic link to "+strconv.Quote(text)+", and no directory"))
		}
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		err = move(public, dir, last)
		switch err {
		case nil:
		case unix.EEXIST, unix.ENOTEMPTY:
			err = named(d.Path(), errors.New("is a directory, and "+d.Host()+" is one, too: which of them is the right one?"))
		default:
			err = &os.LinkError{Op: "rename", Old: d.Path(), New: d.Host(), Err: err}
		}
	default:
		err = named(d.Path(), errors.New("is there, and no directory"))
	}
	return linked, errors.Join(err, closed(public))
}

// move renames a directory, never over something.
func move(from, to int, name string) error {
	err := unix.Renameat2(from, name, to, name, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A file system without it. At worst an empty directory gives way, rename(2).
		err = unix.Renameat(from, name, to, name)
	}
	return err
}

// moveBack moves a private directory to where the link to it is.
func (m *Made) moveBack(d *Directory, dir int, last string) error {
	was := *d
	was.Private = true
	fail := func(err error) error { return &os.LinkError{Op: "rename", Old: was.Host(), New: d.Path(), Err: err} }
	private, err := m.root.openParent(d.Base, privateName+"/"+d.Name)
	if errors.Is(err, unix.ENOENT) {
		private = -1
	} else if err != nil {
		return err
	}
	var st unix.Stat_t
	if private >= 0 {
		err = unix.Fstatat(private, last, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	switch {
	case errors.Is(err, unix.ENOENT): // the link leads nowhere
		err = unix.Unlinkat(dir, last, 0)
	case err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR:
		err = unix.ENOTDIR
	case err == nil:
		// In one step: there is no moment at which a start would find neither.
		if err = unix.Renameat2(private, last, dir, last, unix.RENAME_EXCHANGE); err == nil {
			err = unix.Unlinkat(private, last, 0)
		} else if err == unix.EINVAL || err == unix.ENOSYS {
			if err = unix.Unlinkat(dir, last, 0); err == nil {
				err = unix.Renameat(private, last, dir, last)
			}
		}
	}
	if err != nil {
		err = fail(err)
	}
	if private >= 0 {
		err = errors.Join(err, closed(private))
	}
	return err
}

// openParent opens the directory in which the last part of a name lies, through no link.
func (r Root) openParent(base, name string) (int, error) {
	dir, err := r.openBase(base, false)
	if err != nil {
		return -1, err
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		part := name[strings.LastIndexByte(name[:i], '/')+1 : i]
		fd, err := enter(dir, part, join(base, name[:i]), unix.O_PATH)
		if err := errors.Join(err, closed(dir)); err != nil {
			return -1, err
		}
		dir = fd
	}
	return dir, nil
}

// readLink is what a symbolic link says; empty where the name is none, or not there.
func readLink(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err == unix.EINVAL || err == unix.ENOENT {
		return "", nil
	}
	if err != nil {
		return "", os.NewSyscallError("readlink", err)
	}
	return string(buf[:n]), nil
}

// link makes one of a directory's links.
func (m *Made) link(d *Directory, name string) error {
	return m.symlink(d.Base, name, relative(name, d.Name))
}

// symlink makes a link below a base; one with the same text may be there.
func (m *Made) symlink(base, name, text string) error {
	dir, err := m.parent(base, name)
	if err != nil {
		return err
	}
	last, path := name[strings.LastIndexByte(name, '/')+1:], join(base, name)
	err = unix.Symlinkat(text, dir, last)
	switch err {
	case nil:
		var st unix.Stat_t
		if err = unix.Fstatat(dir, last, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			err = &os.PathError{Op: "stat", Path: path, Err: err}
		} else {
			m.made = append(m.made, entry{ident: identOf(&st), base: base, name: name, isLink: true})
		}
	case unix.EEXIST:
		var is string
		is, err = readLink(dir, last)
		switch {
		case err != nil:
			err = named(path, err)
		case is == "":
			err = named(path, errors.New("is there, and no link to "+text))
		case !sameLink(base, text, is):
			err = named(path, errors.New("is a link to "+strconv.Quote(is)+", not to "+text))
		}
	default:
		err = &os.LinkError{Op: "symlink", Old: text, New: path, Err: err}
	}
	return errors.Join(err, closed(dir))
}

// Undo removes the directories and links that were not there before, for a start that is refused. A
// directory which is not empty stays; what was moved or given to another owner stays so.
func (m *Made) Undo() error {
	var errs []error
	for i := len(m.made) - 1; i >= 0; i-- {
		e := &m.made[i]
		if err := m.root.undo(e); err != nil {
			errs = append(errs, err)
		}
	}
	m.made = nil
	return errors.Join(errs...)
}

func (r Root) undo(e *entry) error {
	dir, err := r.openParent(e.base, e.name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	last := e.name[strings.LastIndexByte(e.name, '/')+1:]
	var st unix.Stat_t
	err = unix.Fstatat(dir, last, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && identOf(&st) == e.ident {
		flags := unix.AT_REMOVEDIR
		if e.isLink {
			flags = 0
		}
		err = unix.Unlinkat(dir, last, flags)
	}
	if err == unix.ENOENT || err == unix.ENOTEMPTY || err == unix.EEXIST {
		err = nil
	}
	if err != nil {
		err = &os.PathError{Op: "remove", Path: join(e.base, e.name), Err: err}
	}
	return errors.Join(err, closed(dir))
}

// Remove removes the directories with all that is in them, and the links to them, as it is done at the
// end of a service for RuntimeDirectory=; parents stay. No link is followed. What is mounted in them stays
// with the directories above it, and is an error like all others: each names its path, and none
// keeps the rest from being removed. What is there and is no directory, or another link, is not
// removed, which is an error, too. What is not there is none.
func Remove(root Root, list []Directory) []error {
	var errs []error
	add := func(d *Directory, more ...error) {
		for _, err := range more {
			if err != nil {
				errs = append(errs, named(d.about(), err))
			}
		}
	}
	list = sorted(list)
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		if err := d.check(); err != nil {
			add(d, err)
			continue
		}
		for _, l := range d.Links {
			add(d, root.unlink(d.Base, l, relative(l, d.Name)))
		}
		if d.Private && !covered(list, d) {
			add(d, root.unlink(d.Base, d.Name, relative(d.Name, privateName+"/"+d.Name)))
		}
		add(d, root.remove(d)...)
	}
	return errs
}

func (r Root) remove(d *Directory) []error {
	name := d.hostName()
	dir, err := r.openParent(d.Base, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return []error{err}
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	errs := removeTree(dir, last, d.Host())
	if err := closed(dir); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// unlink removes a link with that text.
func (r Root) unlink(base, name, text string) error {
	dir, err := r.openParent(base, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	last, path := name[strings.LastIndexByte(name, '/')+1:], join(base, name)
	is, err := readLink(dir, last)
	var st unix.Stat_t
	switch {
	case err != nil:
		err = named(path, err)
	case is != "" && sameLink(base, text, is):
		if err = unix.Unlinkat(dir, last, 0); err != nil && err != unix.ENOENT {
			err = &os.PathError{Op: "unlink", Path: path, Err: err}
		} else {
			err = nil
		}
	case is != "" || unix.Fstatat(dir, last, &st, unix.AT_SYMLINK_NOFOLLOW) == nil:
		err = named(path, errors.New("is no link to "+text+": not removed"))
	}
	return errors.Join(err, closed(dir))
}
