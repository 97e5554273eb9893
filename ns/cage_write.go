package ns

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// marker is the file that makes a directory a cage which Cage may change.
const (
	marker     = ".hardrun-cage"
	markerText = "This directory was made by \"hardrun cage\", which may change it again.\n"
	// aside is the name under which a file is written before it is renamed. It
	// can be the same everywhere: the cage is locked, and only root can create
	// in its directories.
	aside = ".hardrun-new"
)

// cage is an open, locked cage directory.
type cage struct {
	fd    int
	dir   string
	from  *tree
	bytes int64
}

func (w *cage) close() { _ = unix.Close(w.fd) }

func (w *cage) fail(op, p string, err error) error {
	return &os.PathError{Op: op, Path: path.Join(w.dir, p), Err: err}
}

// openCage creates dir when it is missing and locks it. It is a directory of
// root's, not a link, and either empty or marked as a cage.
func openCage(dir string, from *tree) (*cage, error) {
	dir = path.Clean(dir)
	w := &cage{dir: dir, from: from}
	created := false
	switch err := unix.Mkdir(dir, 0o700); {
	case err == nil:
		created = true
	case !errors.Is(err, unix.EEXIST):
		return nil, w.fail("create", "", err)
	}
	fd, err := openRetry(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			err = errors.New("not a directory itself (a symbolic link is not followed)")
		}
		return nil, w.fail("open", "", err)
	}
	w.fd = fd
	if err := w.claim(created); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *cage) claim(created bool) error {
	if created {
		if err := unix.Fchown(w.fd, 0, 0); err != nil {
			return w.fail("change the owner of", "", err)
		}
		if err := unix.Fchmod(w.fd, 0o755); err != nil {
			return w.fail("change the mode of", "", err)
		}
	}
	if err := w.trusted(w.fd, ""); err != nil {
		return err
	}
	if err := unix.Flock(w.fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return w.fail("lock", "", err)
	}
	var st unix.Stat_t
	err := unix.Fstatat(w.fd, marker, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		if uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 {
			return w.fail("use", marker, errors.New("not a regular file of root's"))
		}
		return nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return w.fail("look up", marker, err)
	}
	fd, err := openRetry(w.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return w.fail("read", "", err)
	}
	f := os.NewFile(uintptr(fd), w.dir)
	names, err := f.Readdirnames(-1)
	_ = f.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		// What mkfs leaves, and what a run that was killed here leaves.
		if n != "lost+found" && n != aside {
			return w.fail("use", "", errors.New("not empty and not a cage; an empty file "+marker+" in it, of root's, allows it"))
		}
	}
	_, err = w.file(w.fd, entry{Entry: Entry{File: File{Path: "/" + marker, Kind: KindFile}, Mode: 0o644}, made: true, data: markerText})
	return err
}

// trusted says whether a directory is one that nobody but root can change.
func (w *cage) trusted(fd int, p string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return w.fail("look up", p, err)
	}
	switch {
	case st.Uid != 0:
		return w.fail("use", p, errors.New("belongs to uid "+strconv.FormatUint(uint64(st.Uid), 10)+", who could change what is in it"))
	case uint32(st.Mode)&0o022 != 0:
		return w.fail("use", p, errors.New("writable by others than root"))
	}
	return nil
}

// ensure makes one entry what it should be; its directory was ensured before.
func (w *cage) ensure(e entry) (Action, error) {
	dir, err := openBeneath(w.fd, rel(parent(e.Path)), unix.O_RDONLY|unix.O_DIRECTORY, true)
	if err != nil {
		return 0, w.fail("open", parent(e.Path), readable(err))
	}
	defer func() { _ = unix.Close(dir) }()
	switch e.Kind {
	case KindDir:
		return w.directory(dir, e)
	case KindSymlink:
		return w.link(dir, e)
	}
	return w.file(dir, e)
}

// readable says what the errors of openBeneath mean here.
func readable(err error) error {
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EMLINK):
		return errors.New("a link or file stands where the cage needs a directory")
	case errors.Is(err, unix.EXDEV):
		return errors.New("a mount point stands in the way; unmount it first")
	}
	return err
}

func (w *cage) directory(dir int, e entry) (Action, error) {
	name, action := base(e.Path), Kept
	switch err := unix.Mkdirat(dir, name, 0o700); {
	case err == nil:
		action = Made
	case !errors.Is(err, unix.EEXIST):
		return 0, w.fail("create", e.Path, err)
	}
	fd, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, true)
	if err != nil {
		return 0, w.fail("open", e.Path, readable(err))
	}
	defer func() { _ = unix.Close(fd) }()
	if action == Kept && e.UID == 0 {
		// A stricter mode that somebody chose stays.
		return Kept, w.trusted(fd, e.Path)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, w.fail("look up", e.Path, err)
	}
	if action == Kept && st.Uid == e.UID && st.Gid == e.GID && uint32(st.Mode)&0o7777 == e.Mode {
		return Kept, nil
	}
	if action == Kept {
		action = Updated
	}
	// By descriptor, so that it is this directory; mkdir's own mode is cut by
	// the umask. The owner first: chown clears bits.
	if err := unix.Fchown(fd, int(e.UID), int(e.GID)); err != nil {
		return 0, w.fail("change the owner of", e.Path, err)
	}
	if err := unix.Fchmod(fd, e.Mode); err != nil {
		return 0, w.fail("change the mode of", e.Path, err)
	}
	return action, nil
}

// present says what stands at a name: Made when nothing does. A directory can
// be neither a file nor a link.
func (w *cage) present(dir int, e entry, st *unix.Stat_t) (Action, error) {
	err := unix.Fstatat(dir, base(e.Path), st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return Made, nil
	case err != nil:
		return 0, w.fail("look up", e.Path, err)
	case uint32(st.Mode)&unix.S_IFMT == unix.S_IFDIR:
		return 0, w.fail("replace", e.Path, errors.New("a directory stands where the cage needs a "+e.Kind.String()))
	}
	return Updated, nil
}

func (w *cage) link(dir int, e entry) (Action, error) {
	var st unix.Stat_t
	action, err := w.present(dir, e, &st)
	if err != nil {
		return 0, err
	}
	name := base(e.Path)
	if action == Updated && uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK {
		b := make([]byte, maxString+1)
		n, err := unix.Readlinkat(dir, name, b)
		if err != nil {
			return 0, w.fail("read link", e.Path, err)
		}
		if string(b[:n]) == e.Target {
			return Kept, nil
		}
	}
	if err := w.clear(dir, e.Path); err != nil {
		return 0, err
	}
	if err := unix.Symlinkat(e.Target, dir, aside); err != nil {
		return 0, w.fail("create", e.Path, err)
	}
	return action, w.place(dir, e.Path)
}

// clear removes what a run that was killed left under the name aside.
func (w *cage) clear(dir int, p string) error {
	if err := unix.Unlinkat(dir, aside, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return w.fail("remove", parent(p)+"/"+aside, err)
	}
	return nil
}

// place renames the finished file to its name. rename(2) replaces a link or
// FIFO of that name itself and follows none.
func (w *cage) place(dir int, p string) error {
	if err := unix.Renameat(dir, aside, dir, base(p)); err != nil {
		_ = unix.Unlinkat(dir, aside, 0)
		return w.fail("rename to", p, err)
	}
	return nil
}

func (w *cage) file(dir int, e entry) (Action, error) {
	var st unix.Stat_t
	action, err := w.present(dir, e, &st)
	if err != nil {
		return 0, err
	}
	src, size, err := w.source(e)
	if err != nil {
		return 0, err
	}
	defer func() { _ = src.Close() }() // it was only read, or is closed and checked below
	if action == Updated && w.same(dir, e, &st, src, size) {
		return Kept, nil
	}
	if err := w.clear(dir, e.Path); err != nil {
		return 0, err
	}
	if err := w.write(dir, e, src, size); err != nil {
		_ = unix.Unlinkat(dir, aside, 0)
		return 0, err
	}
	return action, w.place(dir, e.Path)
}

// content is what a file is to hold, from its beginning any number of times.
type content interface {
	io.ReadSeeker
	io.Closer
}

type text struct{ *strings.Reader }

func (text) Close() error { return nil }

func (w *cage) source(e entry) (content, int64, error) {
	if e.made {
		return text{strings.NewReader(e.data)}, int64(len(e.data)), nil
	}
	f, err := w.from.open(e.Path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// same tells whether the file that is there is already right. A file with
// another name (a hard link) is not: whoever has that name could change it.
// When in doubt it is not, and is written anew.
func (w *cage) same(dir int, e entry, st *unix.Stat_t, src content, size int64) bool {
	if uint32(st.Mode) != unix.S_IFREG|e.Mode || st.Uid != e.UID || st.Gid != e.GID || st.Nlink != 1 || st.Size != size {
		return false
	}
	fd, err := openBeneath(dir, base(e.Path), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, true)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), e.Path)
	defer func() { _ = f.Close() }() // it was only read, or is closed and checked below
	return equal(f, src)
}

func equal(a, b io.Reader) bool {
	const chunk = 128 << 10
	x, y := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return ended(errA) && ended(errB)
		}
	}
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// write writes the file under the name aside, with owner and mode.
func (w *cage) write(dir int, e entry, src content, size int64) error {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, aside, flags, 0o600)
	if err != nil {
		return w.fail("create", e.Path, err)
	}
	f := os.NewFile(uintptr(fd), e.Path)
	defer func() { _ = f.Close() }() // it was only read, or is closed and checked below
	n, err := io.Copy(f, src)
	w.bytes += n
	if err == nil && n != size {
		err = errors.New("the source changed while it was copied")
	}
	if err != nil {
		return w.fail("write", e.Path, err)
	}
	if err := unix.Fchown(fd, int(e.UID), int(e.GID)); err != nil {
		return w.fail("change the owner of", e.Path, err)
	}
	if err := unix.Fchmod(fd, e.Mode); err != nil {
		return w.fail("change the mode of", e.Path, err)
	}
	// A full disk may show only here (NFS, quota).
	if err := f.Close(); err != nil {
		return w.fail("write", e.Path, err)
	}
	return nil
}
