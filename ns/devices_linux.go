package ns

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// The pseudo devices of a private /dev, with their numbers:
// Documentation/admin-guide/devices.txt of the kernel.
var devices = [...]struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}, {"ptmx", 5, 2},
}

// What of the host's /dev stays the same in a private one: terminals, shared
// memory, message queues, huge pages.
var sharedDevices = [...]string{"pts", "shm", "mqueue", "hugepages"}

var deviceLinks = [...][2]string{
	{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
}

// copyDevices copies what is taken of the host's /dev: the directories above and,
// where no device can be made, the devices, each shown to be the one it is called
// (CVE-2025-31133, CVE-2025-52565: /dev/null or /dev/pts/N put by a hostile image).
func (v *View) copyDevices(l *Layer) error {
	st := &l.state
	for i, d := range devices {
		st.nodes[i] = -1
		if v.Mknod || d.name == "ptmx" {
			continue // a bound ptmx finds no pts beside it
		}
		fd, err := openIn(v.state.root, "/dev/"+d.name, unix.O_PATH)
		if err != nil {
			if d.name == "tty" && absent(err) {
				continue // a container need not have it
			}
			return err
		}
		a, err := look(fd)
		if err != nil {
			return err
		}
		if a.mode&unix.S_IFMT != unix.S_IFCHR || a.rdev != [2]uint32{d.major, d.minor} {
			return errors.New("/dev/" + d.name + " is not that device")
		}
		if st.nodes[i], err = cloneTree(fd, false); err != nil {
			return err
		}
		// It is the host's: mode and owner are not the daemon's to change. Devices can be
		// written to all the same.
		if err := v.setAttr(st.nodes[i], ReadOnly, false); err != nil {
			return err
		}
		var fs unix.Statfs_t
		if err := unix.Fstatfs(st.nodes[i], &fs); err != nil {
			return os.NewSyscallError("fstatfs", err)
		}
		if fs.Flags&unix.ST_RDONLY == 0 {
			return errors.New("/dev/" + d.name + ": read back a mount that is not read-only")
		}
		if err := closeFD(fd); err != nil {
			return err
		}
	}
	for _, name := range sharedDevices {
		if l.Bare {
			break
		}
		if name == "pts" && !v.Mknod {
			// The host's may have no ptmx that this user can open: terminals of its own.
			tree, err := newFS("devpts", []string{"ptmxmode=0666", "mode=0620"}, NoSUID|NoExec)
			if err != nil {
				return err
			}
			st.shared, st.trees = append(st.shared, name), append(st.trees, tree)
			continue
		}
		fd, err := openIn(v.state.root, "/dev/"+name, unix.O_PATH|unix.O_DIRECTORY)
		if absent(err) {
			continue
		}
		if err != nil {
			return err
		}
		tree, err := cloneTree(fd, true)
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return errors.New("/dev/" + name + ": " + err.Error())
		}
		st.shared, st.trees = append(st.shared, name), append(st.trees, tree)
	}
	return nil
}

// makeDevices makes the file system of a private /dev.
func (v *View) makeDevices(l *Layer) (int, error) {
	tree, err := newFS("tmpfs", l.Data, l.Attr)
	if err != nil {
		return -1, err
	}
	for i, d := range devices {
		switch {
		case l.Bare && d.name == "ptmx":
			continue // there are no pts
		case v.Mknod:
			err = unix.Mknodat(tree, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor)))
			if err == nil {
				err = checkNode(tree, d.name, d.major, d.minor)
			}
			if err != nil {
				err = &os.PathError{Op: "mknodat", Path: "/dev/" + d.name, Err: err}
			}
		case l.state.nodes[i] >= 0:
			err = makeFile(tree, d.name, 0o666)
		default:
			err = nil
			if d.name == "ptmx" {
				err = unix.Symlinkat("pts/ptmx", tree, "ptmx")
			}
		}
		if err != nil {
			return -1, err
		}
	}
	for _, link := range deviceLinks {
		if err := unix.Symlinkat(link[1], tree, link[0]); err != nil {
			return -1, &os.PathError{Op: "symlinkat", Path: "/dev/" + link[0], Err: err}
		}
	}
	for _, name := range l.state.shared {
		if err := makeDir(tree, name); err != nil {
			return -1, err
		}
	}
	return tree, nil
}

// checkNode shows that a device was made, with its number and for everybody.
func checkNode(tree int, name string, major, minor uint32) error {
	fd, err := openStraight(tree, name, unix.O_PATH)
	if err != nil {
		return err
	}
	a, err := look(fd)
	if err == nil && (a.mode != unix.S_IFCHR|0o666 || a.rdev != [2]uint32{major, minor}) {
		err = errors.New("read back another node")
	}
	return errors.Join(err, closeFD(fd))
}

// mountDevices mounts below a private /dev, once that is mounted itself.
func (v *View) mountDevices(l *Layer, dev int) error {
	on := func(tree int, name string) error {
		at, err := openIn(dev, name, unix.O_PATH)
		if err != nil {
			return err
		}
		err = errors.Join(attach(tree, at), closeFD(at))
		if err == nil {
			err = seenAt(dev, name, tree)
		}
		if err := errors.Join(err, closeFD(tree)); err != nil {
			return errors.New("/dev/" + name + ": " + err.Error())
		}
		return nil
	}
	for i, d := range devices {
		if tree := l.state.nodes[i]; tree >= 0 {
			if err := on(tree, d.name); err != nil {
				return err
			}
		}
	}
	for i, name := range l.state.shared {
		if err := on(l.state.trees[i], name); err != nil {
			return err
		}
	}
	return nil
}
