package dirs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mostRounds is how often directories of one walk are emptied anew, and mostWalks how often the
// whole, because somebody adds to them or moves them.
const (
	mostRounds = 64
	mostWalks  = 16
)

func mounted(path string) error {
	return named(path, errors.New("something is mounted there: left as it is"))
}

// removeTree removes a directory by its name and all below it: no link is followed, and what is
// mounted there stays, with the directories above it. All errors are answered, a mount that
// stays among them. What is no directory is not removed.
func removeTree(parent int, name, path string) (errs []error) {
	for walks := 0; ; walks++ {
		err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
		switch {
		case err == nil || err == unix.ENOENT:
			return nil
		case err == unix.EBUSY:
			return []error{mounted(path)}
		case err != unix.ENOTEMPTY && err != unix.EEXIST || walks == mostWalks && errs == nil:
			return []error{&os.PathError{Op: "rmdir", Path: path, Err: err}}
		case walks == mostWalks:
			return errs
		}
		stays := false
		if errs, stays = emptyTree(parent, name, path); stays {
			return errs
		}
	}
}

// emptyTree removes what is below a directory, and tells whether some of it stays for good.
func emptyTree(parent int, name, path string) (errs []error, stays bool) {
	fd, err := openBelow(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == unix.EXDEV {
		return []error{mounted(path)}, true
	}
	if err != nil {
		return []error{&os.PathError{Op: "open", Path: path, Err: err}}, false
	}
	t := tree{path: path, goOn: true}
	unlink := func(dir int, name string) (isDir bool, err error) {
		switch err := unix.Unlinkat(dir, name, 0); err {
		case nil, unix.ENOENT:
			return false, nil
		case unix.EISDIR: // an empty one goes without being opened
			return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) != nil, nil
		case unix.EBUSY:
			t.left = append(t.left, t.at(name))
			return false, nil
		default:
			return false, &os.PathError{Op: "unlink", Path: t.at(name), Err: err}
		}
	}
	t.entry = unlink
	rounds := 0
	t.after = func(dir int, name string) (again bool, err error) {
		switch err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err {
		case nil, unix.ENOENT:
			return false, nil
		case unix.ENOTDIR: // exchanged for something else
			return unlink(dir, name)
		case unix.EBUSY:
			t.left = append(t.left, t.at(name))
			return false, nil
		case unix.ENOTEMPTY, unix.EEXIST:
			if len(t.errs)+len(t.left) > 0 {
				return false, nil // it was said why
			}
			if rounds++; rounds <= mostRounds {
				return true, nil
			}
		}
		return false, &os.PathError{Op: "rmdir", Path: t.at(name), Err: err}
	}
	if err := t.walk(fd); err != nil {
		errs = append(errs, err)
	}
	for _, l := range t.left {
		errs = append(errs, mounted(l))
	}
	if err := closed(fd); err != nil {
		errs = append(errs, err)
	}
	return errs, len(t.left) > 0
}
