package ns

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// bound is a place from which on other rules hold than above it: one for all the
// rules whose paths lead there.
type bound struct {
	real    string // the path without links
	rules   []*Rule
	access  Access
	exec    Execution
	devices Devices

	ro, noexec, nodev bool // what must hold below
	shallow           bool // ro is for the one mount only
	fd                int  // what is there before rules are applied
	was               about
	inPlace           bool   // fd is a mount, and is changed itself
	copied            bool   // it is seen in a copy: what was found below it before is covered
	tree              int    // the copy that is changed and mounted there
	id                uint64 // the mount that carries the rule
}

// Apply puts all rules of the view into force with the first of them: exemptions
// are copies of what was there before, and so must be taken before any rule.
// Each rule answers for its own path.
func (s Protect) Apply(int) error {
	if s.View.state.off {
		return nil
	}
	if err := s.View.rule(); err != nil {
		return err
	}
	for _, r := range s.But {
		if r.state.err != nil {
			return errors.New(r.Path + ": " + r.state.err.Error())
		}
	}
	return s.Rule.state.err
}

// rule puts all rules into force, once. An error is that of no rule alone.
func (v *View) rule() error {
	if v.state.ruled {
		return v.state.ruleErr // that of no rule is that of all
	}
	v.state.ruled = true
	v.resolve()
	v.decide()
	v.copyBounds()
	v.state.ruleErr = v.enforce()
	return v.state.ruleErr
}

// Verify is done by SealView for all rules at once.
func (s Protect) Verify() error { return nil }

// resolve looks every path up, and joins the rules that lead to the same place.
func (v *View) resolve() {
	st := &v.state
	st.byPath = make(map[string]*bound, len(v.Rules)+1)
	st.bounds = make([]*bound, 0, len(v.Rules)+1)
	for _, r := range v.Rules {
		fd, real, err := v.find(r.Path)
		if absent(err) && r.Optional {
			continue
		}
		if err != nil {
			r.state.err = err
			continue
		}
		b := st.byPath[real]
		if b == nil {
			b = &bound{real: real, fd: fd, tree: -1, shallow: true}
			if b.was, err = look(fd); err != nil {
				r.state.err = err
				continue
			}
			st.byPath[real] = b
			st.bounds = append(st.bounds, b)
		} else if err := closeFD(fd); err != nil {
			r.state.err = err
			continue
		}
		b.rules = append(b.rules, r)
		if r.Access != AsIs && (b.access == AsIs || r.Access < b.access) {
			b.access = r.Access
		}
		if r.Exec != ExecAsIs && (b.exec == ExecAsIs || r.Exec < b.exec) {
			b.exec = r.Exec
		}
		if r.Devices != DevicesAsIs && (b.devices == DevicesAsIs || r.Devices < b.devices) {
			b.devices = r.Devices
		}
		if r.Access == Unwritable && !r.Shallow {
			b.shallow = false
		}
	}
	sortBounds(st.bounds)
}

// decide says what holds below each bound, and drops those that change nothing.
func (v *View) decide() {
	st := &v.state
	kept := st.bounds[:0]
	for _, b := range st.bounds {
		var up *bound
		if b.real != "/" {
			up = st.nearest(above(b.real))
		}
		ro, noexec, nodev := false, false, false
		if up != nil {
			ro, noexec, nodev = up.ro && !up.shallow, up.noexec, up.nodev
			if up.access == Hidden {
				delete(st.byPath, b.real) // nothing of it is seen
				up.rules = append(up.rules, b.rules...)
				if err := closeFD(b.fd); err != nil {
					b.fail(err)
				}
				continue
			}
		}
		b.ro, b.noexec, b.nodev = ro, noexec, nodev
		switch b.access {
		case Unwritable:
			b.ro = true
		case Writable, WritableImplicit:
			b.ro = false
		}
		switch b.exec {
		case Unexecutable:
			b.noexec = true
		case Executable:
			b.noexec = false
		}
		switch b.devices {
		case DevicesClosed:
			b.nodev = true
		case DevicesOpen:
			b.nodev = false
		}
		b.shallow = b.shallow && b.access == Unwritable
		if b.access != Hidden && b.ro == ro && b.noexec == noexec && b.nodev == nodev && !(b.shallow && ro) {
			delete(st.byPath, b.real)
			if up != nil { // which holds for it, or fails for it
				up.rules = append(up.rules, b.rules...)
			}
			if err := closeFD(b.fd); err != nil {
				b.fail(err)
			}
			continue
		}
		copied := up != nil && up.copied
		b.inPlace = b.was.mountRoot && !ro && !noexec && (b.nodev || !nodev) && b.access != Hidden && !copied
		b.copied = !b.inPlace
		kept = append(kept, b)
	}
	st.bounds = kept
}

// left is an error of a rule for which no step answers: the exemption of a layer.
func (v *View) left() error {
	for _, r := range v.Rules {
		if r.Access == WritableImplicit && r.state.err != nil {
			return errors.New(r.Path + ": " + r.state.err.Error())
		}
	}
	return nil
}

// above is the path of the directory that a path is in.
func above(p string) string {
	for i := len(p) - 1; i > 0; i-- {
		if p[i] == '/' {
			return p[:i]
		}
	}
	return "/"
}

func (b *bound) fail(err error) {
	for _, r := range b.rules {
		if r.state.err == nil {
			r.state.err = err
		}
	}
}

// copyBounds copies what is to be mounted anew, with the attributes it has now.
func (v *View) copyBounds() {
	for _, b := range v.state.bounds {
		if b.inPlace {
			continue
		}
		var err error
		switch {
		case b.access == Hidden && b.real == "/":
			err = errors.New("the root cannot be made inaccessible")
		case b.access == Hidden:
			b.tree, err = v.hider(b.was.mode)
		default:
			b.tree, err = cloneTree(b.fd, true)
		}
		if err != nil {
			b.fail(err)
		}
	}
}

// enforce sets the attributes and mounts the copies, parents first.
func (v *View) enforce() error {
	st := &v.state
	all := Attr(0)
	if v.NoSUID {
		all = NoSUID
		if err := v.setAttr(st.root, all, true); err != nil {
			return err
		}
	}
	for _, b := range st.bounds {
		if b.failed() {
			continue
		}
		if err := v.enforceOne(b, all); err != nil {
			b.fail(err)
		}
	}
	return nil
}

func (b *bound) failed() bool {
	for _, r := range b.rules {
		if r.state.err != nil {
			return true
		}
	}
	return false
}

func (v *View) enforceOne(b *bound, attr Attr) error {
	at := b.tree
	if b.inPlace {
		at = b.fd
	}
	if b.ro && !b.shallow {
		attr |= ReadOnly
	}
	if b.noexec {
		attr |= NoExec
	}
	if b.nodev {
		attr |= NoDev
	}
	if b.access == Hidden {
		attr |= ReadOnly | NoExec | NoSUID | NoDev
	}
	if attr != 0 {
		if err := v.setAttr(at, attr, true); err != nil {
			return err
		}
	}
	if b.ro && b.shallow {
		if err := v.setAttr(at, ReadOnly, false); err != nil {
			return err
		}
	}
	a, err := look(at)
	if err != nil {
		return err
	}
	b.id = a.mount
	if b.inPlace {
		return closeFD(b.fd)
	}
	// What is above may have been mounted anew: the path is looked up once more, and
	// must lead to the same file.
	now, err := openStraight(v.state.root, b.real, unix.O_PATH)
	if err != nil {
		return err
	}
	is, err := look(now)
	if err != nil {
		return err
	}
	if is.ino != b.was.ino || is.dev != b.was.dev {
		return errors.New(b.real + " became another file while it was looked at")
	}
	if err := attach(b.tree, now); err != nil {
		return err
	}
	return errors.Join(closeFD(now), closeFD(b.fd), closeFD(b.tree))
}

// hider copies a node that hides a file of this kind: nothing can be opened, read
// or listed through it. The nodes are on a file system in memory of its own.
func (v *View) hider(mode uint32) (int, error) {
	if err := v.makeStage(); err != nil {
		return -1, err
	}
	name := "file"
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		name = "dir"
	case unix.S_IFIFO:
		name = "fifo"
	case unix.S_IFSOCK:
		name = "sock"
	case unix.S_IFCHR:
		name = "chr"
	case unix.S_IFBLK:
		name = "blk"
	}
	if v.state.noNodes && (name == "chr" || name == "blk") {
		name = "file" // there is no right to make devices; a file hides as well
	}
	fd, err := unix.Openat(v.state.stage, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "openat", Path: name, Err: err}
	}
	a, err := look(fd)
	if err != nil {
		return -1, err
	}
	if a.mode != hiders[name] {
		return -1, errors.New("mknodat: read back another node for " + name)
	}
	tree, err := v.cloneStaged(fd)
	return tree, errors.Join(err, closeFD(fd))
}

// cloneStaged copies a node of the stage.
func (v *View) cloneStaged(fd int) (int, error) {
	tree, err := cloneTree(fd, false)
	if errors.Is(err, unix.EINVAL) && !v.state.staged {
		// Before Linux 6.15 only what is mounted somewhere can be copied: on top of the
		// root, where nobody looks, until the view is complete.
		if err = attach(v.state.stage, v.state.root); err == nil {
			v.state.staged = true
			tree, err = cloneTree(fd, false)
		}
	}
	return tree, err
}

// hiders are the nodes that hide others, by name, with their modes: nobody may.
var hiders = map[string]uint32{
	"dir": unix.S_IFDIR, "file": unix.S_IFREG, "fifo": unix.S_IFIFO, "sock": unix.S_IFSOCK, "chr": unix.S_IFCHR, "blk": unix.S_IFBLK,
}

func (v *View) makeStage() error {
	st := &v.state
	if st.stage >= 0 {
		return nil
	}
	data := []string{"mode=0700", "size=1m", "nr_inodes=20k"}
	for _, l := range v.Layers {
		if l.Kind == LayerLines {
			data[1] = "size=16m"
		}
	}
	tree, err := newFS("tmpfs", data, NoSUID|NoDev|NoExec)
	if err != nil {
		return err
	}
	if err := v.fillStage(tree, data); err != nil {
		return errors.Join(err, closeFD(tree))
	}
	st.stage = tree
	return nil
}

// fillStage makes the nodes, in a file system that was just made.
func (v *View) fillStage(tree int, data []string) error {
	st := &v.state
	if err := checkTmpfs(tree, data); err != nil {
		return err
	}
	if err := unix.Mkdirat(tree, "dir", 0); err != nil {
		return &os.PathError{Op: "mkdirat", Path: "dir", Err: err}
	}
	st.noNodes = !v.Mknod
	for name, mode := range hiders {
		device := name == "chr" || name == "blk"
		if name == "dir" || device && st.noNodes {
			continue
		}
		err := unix.Mknodat(tree, name, mode, 0)
		if err == unix.EPERM && device { // a device policy of outside
			st.noNodes = true
			continue
		}
		if err != nil {
			return &os.PathError{Op: "mknodat", Path: name, Err: err}
		}
	}
	return nil
}

// dropStage takes the nodes out of the namespace again; the copies stay.
func (v *View) dropStage() error {
	st := &v.state
	if st.stage < 0 {
		return nil
	}
	if !st.staged {
		err := closeFD(st.stage)
		st.stage = -1
		return err
	}
	if err := unix.Fchdir(st.stage); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return os.NewSyscallError("umount2", err)
	}
	err := closeFD(st.stage)
	st.stage = -1
	return errors.Join(err, os.NewSyscallError("chdir", unix.Chdir("/")))
}
