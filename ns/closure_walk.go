package ns

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one path may go through, MAXSYMLINKS.
const maxLinks = 40

// maxSmall bounds what is read of a text file or a loader as a whole.
const maxSmall = 16 << 20

// tree is a directory in which paths mean what they would mean after chroot(2):
// no link and no ".." leads out of it.
type tree struct {
	fd    int
	path  string
	nodes map[string]node // by path without links
}

// node is what stands at a path. KindNone is a device, socket or FIFO.
type node struct {
	kind   Kind
	mode   uint32 // permission bits
	target string // of a link
	err    error
}

// walked is a path that was followed to its end.
type walked struct {
	real  string // without links
	node  node
	trail []File // directories and links on the way, in order; Why is empty
}

func openTree(root string) (*tree, error) {
	fd, err := openRetry(unix.AT_FDCWD, root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	return &tree{fd: fd, path: root, nodes: make(map[string]node)}, nil
}

func (t *tree) close() { _ = unix.Close(t.fd) }

func openRetry(fd int, name string, flags int) (int, error) {
	for {
		n, err := unix.Openat(fd, name, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// absent tells whether an error means that there is no such file.
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}

// rel is a path without links as a name relative to the tree's descriptor.
func rel(real string) string {
	if real = strings.TrimLeft(real, "/"); real == "" {
		return "."
	}
	return real
}

// look says what stands at a path without links; nothing is followed.
func (t *tree) look(real string) node {
	if n, ok := t.nodes[real]; ok {
		return n
	}
	n := t.stat(real)
	t.nodes[real] = n
	return n
}

func (t *tree) stat(real string) node {
	var st unix.Stat_t
	if err := unix.Fstatat(t.fd, rel(real), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return node{err: &os.PathError{Op: "look up", Path: real, Err: err}}
	}
	n := node{mode: uint32(st.Mode) & 0o7777}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
		n.kind = KindFile
	case unix.S_IFDIR:
		n.kind = KindDir
	case unix.S_IFLNK:
		n.kind = KindSymlink
		b := make([]byte, maxString+1)
		size, err := unix.Readlinkat(t.fd, rel(real), b)
		if err == nil && (size == 0 || size > maxString) {
			err = unix.ENAMETOOLONG
		}
		if err != nil {
			return node{err: &os.PathError{Op: "read link", Path: real, Err: err}}
		}
		n.target = string(b[:size])
	}
	return n
}

// walk follows an absolute path to its end, component by component, links
// included. Errors name the path and match unix.ENOENT, ENOTDIR, ELOOP.
func (t *tree) walk(p string) (walked, error) {
	fail := func(err error) (walked, error) {
		return walked{}, &os.PathError{Op: "look up", Path: p, Err: err}
	}
	if p == "" || p[0] != '/' || len(p) > maxString {
		return fail(unix.EINVAL)
	}
	w := walked{real: "/", node: node{kind: KindDir}}
	rest, links := p, 0
	for {
		more := rest != ""
		rest = strings.TrimLeft(rest, "/")
		if more && w.node.kind != KindDir {
			return fail(unix.ENOTDIR)
		}
		if rest == "" {
			return w, nil
		}
		name := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			name, rest = rest[:i], rest[i:]
		} else {
			rest = ""
		}
		switch name {
		case ".":
			continue
		case "..":
			// What is left again must be there, too, for the path to be followed.
			if w.real != "/" {
				w.trail = append(w.trail, File{Path: w.real, Kind: KindDir})
			}
			w.real = parent(w.real)
			continue
		}
		if w.real != "/" {
			w.trail = append(w.trail, File{Path: w.real, Kind: KindDir})
		}
		next := join(w.real, name)
		n := t.look(next)
		if n.err != nil {
			return fail(errors.Unwrap(n.err))
		}
		if n.kind != KindSymlink {
			w.real, w.node = next, n
			continue
		}
		if links++; links > maxLinks {
			return fail(unix.ELOOP)
		}
		w.trail = append(w.trail, File{Path: next, Kind: KindSymlink, Target: n.target})
		rest = n.target + rest
		if len(rest) > 2*maxString {
			return fail(unix.ENAMETOOLONG)
		}
		if n.target[0] == '/' {
			w.real = "/"
		}
	}
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// parent is the directory of a clean absolute path; "/" is its own.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return "/"
}

// open opens the regular file at a path without links. The path is followed
// anew without a single link, so a tree that changes meanwhile cannot lead to a
// file outside of it; a FIFO put in its place does not block.
func (t *tree) open(real string) (*os.File, error) {
	fd, err := openBeneath(t.fd, rel(real), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, false)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: real, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: real, Err: err}
	}
	return os.NewFile(uintptr(fd), real), nil
}

// readAll reads the small file at p, following links; the closure gains nothing.
func (t *tree) readAll(p string) ([]byte, error) {
	w, err := t.walk(p)
	if err != nil {
		return nil, err
	}
	f, err := t.open(w.real)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = &os.PathError{Op: "read", Path: p, Err: unix.EFBIG}
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// names lists a directory without links in its path, sorted.
func (t *tree) names(real string) ([]string, error) {
	fd, err := openBeneath(t.fd, rel(real), unix.O_RDONLY|unix.O_DIRECTORY, false)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: real, Err: err}
	}
	f := os.NewFile(uintptr(fd), real)
	defer func() { _ = f.Close() }() // it was only read
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}
