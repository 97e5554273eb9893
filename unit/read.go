package unit

import (
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// content reads a file once: it must be a regular one, so that no FIFO makes it wait and no
// device is touched, and not be longer than limit. masked tells a device, as /dev/null, of
// which nothing is read. Errors are *Error.
func content(file string, limit int) (text []byte, masked bool, err error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Stat(file, &st) }); err != nil {
		return nil, false, kernel(plain(file), "cannot be read", err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return nil, kind == unix.S_IFCHR, notRegular(file, uint32(kind))
	}
	fd := -1
	err = again(func() (err error) {
		fd, err = unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, false, kernel(plain(file), "cannot be read", err)
	}
	text, err = all(fd, file, limit)
	if closed := unix.Close(fd); err == nil && closed != nil {
		err = kernel(plain(file), "cannot be closed", closed)
	}
	return text, false, err
}

// all reads an open file to its end.
func all(fd int, file string, limit int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, kernel(plain(file), "cannot be read", err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return nil, notRegular(file, uint32(kind))
	}
	text := make([]byte, 0, min(max(st.Size, 0), int64(limit))+512)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n := 0
		err := again(func() (err error) {
			n, err = unix.Read(fd, text[len(text):cap(text)])
			return err
		})
		if err != nil {
			return nil, kernel(plain(file), "cannot be read", err)
		}
		if n <= 0 {
			if st.Blocks > 0 && int64(len(text)) < st.Size { // what is missing may be what confines
				return nil, kernel(plain(file), "ended before its end", unix.EIO)
			}
			return text, nil
		}
		if text = text[:len(text)+n]; len(text) > limit {
			return nil, &Error{File: plain(file), Text: "larger than " + size(limit), Whole: true}
		}
	}
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func notRegular(file string, kind uint32) error {
	what := "a device"
	switch kind {
	case unix.S_IFDIR:
		what = "a directory"
	case unix.S_IFIFO:
		what = "a FIFO"
	case unix.S_IFSOCK:
		what = "a socket"
	}
	return &Error{File: plain(file), Text: "not a regular file but " + what, Whole: true}
}

// target is what a link says; ok is false for what is no link.
func target(file string) (text string, ok bool, err error) {
	var buf [4096]byte
	n, err := unix.Readlink(file, buf[:])
	switch {
	case err == unix.EINVAL:
		return "", false, nil
	case err != nil:
		return "", false, err
	case n <= 0:
		return "", false, unix.EIO // a link leads somewhere
	case n >= len(buf):
		return "", false, unix.ENAMETOOLONG
	}
	return string(buf[:n]), true, nil
}

// realPath is an absolute path without links, "." and "..".
func realPath(p string) (string, error) {
	done, rest, links := "", p, 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = done[:max(strings.LastIndexByte(done, '/'), 0)]
			continue
		}
		to, link, err := target(done + "/" + part)
		if err == nil && link {
			if links++; links > 40 { // as many as Linux follows
				err = unix.ELOOP
			}
		}
		switch {
		case err != nil:
			return "", kernel(plain(p), "cannot be read", err)
		case link && strings.HasPrefix(to, "/"):
			done, rest = "", to+"/"+rest
		case link:
			rest = to + "/" + rest
		default:
			done += "/" + part
		}
	}
	return done, nil
}

// join is the path that the link at path means.
func join(link, text string) string {
	if !strings.HasPrefix(text, "/") {
		text = link[:strings.LastIndexByte(link, '/')+1] + text
	}
	return clean(text)
}

// clean is path.Clean for a path without "..", which may lead elsewhere than its text says.
func clean(p string) string {
	if strings.Contains(p, "/../") || strings.HasSuffix(p, "/..") {
		return p
	}
	return path.Clean(p)
}

// null tells whether a path is that of /dev/null: a link there may lead to nothing where
// there is no /dev.
func null(p string) bool { return path.Clean(p) == "/dev/null" }

// entry is a name in a directory.
type entry struct {
	name string
	link bool // it is, or may be, a symbolic link
}

// list gives the entries of a directory that end with suffix, but those that begin with
// "." (systemd.unit(5): they are ignored). It is empty where there is no such directory.
func list(dir, suffix string) ([]entry, error) {
	fd, err := -1, error(nil)
	err = again(func() (err error) {
		fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil, nil
	}
	if err != nil {
		return nil, kernel(plain(dir), "cannot be listed", err)
	}
	found, err := entries(fd, suffix)
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err != nil {
		return nil, kernel(plain(dir), "cannot be listed", err)
	}
	return found, nil
}

func wanted(name, suffix string) bool {
	return name != "" && name[0] != '.' && strings.HasSuffix(name, suffix)
}

func size(bytes int) string {
	if bytes < 1<<20 {
		return strconv.Itoa(bytes) + " bytes"
	}
	return strconv.Itoa(bytes>>20) + " MiB"
}
