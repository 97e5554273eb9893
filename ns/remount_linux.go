package ns

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Before Linux 5.12 there is no mount_setattr(2): attributes are set mount by mount,
// by mount(2) with MS_REMOUNT|MS_BIND, which takes only what is mounted somewhere.

// parked is where detached trees are mounted while their attributes are set: a
// file system in memory on top of the root, where nobody looks.
const parked = "parked"

// remount is setAttr of such a kernel.
func (v *View) remount(tree int, attr Attr, deep bool) error {
	a, err := look(tree)
	if err != nil {
		return err
	}
	list, err := v.listBelow(a.mount)
	if err != nil {
		return err
	}
	if len(list) == 0 { // detached
		if err := v.park(tree, a); err != nil {
			return err
		}
		if list, err = v.listBelow(a.mount); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return errors.New("move_mount: read back no such mount")
	}
	top := list[0].point
	for i, m := range list {
		if i > 0 && !deep {
			break
		}
		at := tree
		if i > 0 {
			at, err = openIn(tree, m.point[len(top):], unix.O_PATH)
			if absent(err) {
				continue // below what is mounted over it
			}
			if err != nil {
				return err
			}
			b, err := look(at)
			if err != nil {
				return err
			}
			if b.mount != m.id { // something is mounted over it
				if err := closeFD(at); err != nil {
					return err
				}
				continue
			}
		}
		if err := v.remountOne(at, m.flags|attr); err != nil {
			return errors.New(m.point + ": " + err.Error())
		}
		if i > 0 {
			if err := closeFD(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// mounted is a mount with the attributes that it has.
type mounted struct {
	id, parent uint64
	point      string
	flags      Attr
}

// listBelow lists a mount, and all that are mounted in it, parents first. It is
// empty for a tree that is mounted nowhere.
func (v *View) listBelow(id uint64) ([]mounted, error) {
	var all, list []mounted
	err := eachMount(v.state.self, func(m *mountLine) error {
		all = append(all, mounted{m.id, m.parent, m.point, m.attr()})
		return nil
	})
	in := map[uint64]bool{id: true}
	for grown := true; grown; { // the order of the list is not that of the tree
		grown = false
		for _, m := range all {
			if !in[m.id] && in[m.parent] {
				in[m.id], grown = true, true
			}
		}
	}
	for _, m := range all {
		if m.id == id {
			list = append([]mounted{m}, list...)
		} else if in[m.id] {
			list = append(list, m)
		}
	}
	if len(list) > 0 && list[0].id != id {
		list = nil
	}
	return list, err
}

// attr are the attributes of a mount which a remount must repeat.
func (m *mountLine) attr() Attr {
	var a Attr
	for _, n := range [...]struct {
		name string
		bit  Attr
	}{{"ro", ReadOnly}, {"nosuid", NoSUID}, {"nodev", NoDev}, {"noexec", NoExec}, {"noatime", NoAtime}, {"nodiratime", NoDirAtime}, {"nosymfollow", NoSymFollow}} {
		if m.has(n.name) {
			a |= n.bit
		}
	}
	if !m.has("noatime") && !m.has("relatime") {
		a |= StrictAtime
	}
	return a
}

func (v *View) remountOne(fd int, attr Attr) error {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND)
	for _, f := range [...]struct {
		bit  Attr
		flag uintptr
	}{{ReadOnly, unix.MS_RDONLY}, {NoSUID, unix.MS_NOSUID}, {NoDev, unix.MS_NODEV}, {NoExec, unix.MS_NOEXEC}, {NoAtime, unix.MS_NOATIME}, {NoDirAtime, unix.MS_NODIRATIME}, {StrictAtime, unix.MS_STRICTATIME}, {NoSymFollow, unix.MS_NOSYMFOLLOW}} {
		if attr&f.bit != 0 {
			flags |= f.flag
		}
	}
	if flags&(unix.MS_NOATIME|unix.MS_STRICTATIME) == 0 {
		flags |= unix.MS_RELATIME
	}
	return v.inSelf(func() error {
		return os.NewSyscallError("mount(MS_REMOUNT|MS_BIND)", unix.Mount("", "fd/"+decimal(fd), "", flags, ""))
	})
}

// inSelf calls with the own directory of the verified /proc as working directory:
// its "fd/N" is the one path that leads to what a descriptor is.
func (v *View) inSelf(call func() error) error {
	if err := unix.Fchdir(v.state.self); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	return errors.Join(call(), os.NewSyscallError("chdir", unix.Chdir("/")))
}

// park mounts a detached tree where nobody looks.
func (v *View) park(tree int, a about) error {
	if err := v.makeStage(); err != nil {
		return err
	}
	if !v.state.staged {
		if err := attach(v.state.stage, v.state.root); err != nil {
			return err
		}
		v.state.staged = true
	}
	v.state.parked++
	name := parked + decimal(v.state.parked)
	var err error
	if a.mode&unix.S_IFMT == unix.S_IFDIR {
		err = makeDir(v.state.stage, name)
	} else {
		err = makeFile(v.state.stage, name, 0o400)
	}
	if err != nil {
		return err
	}
	at, err := openIn(v.state.stage, name, unix.O_PATH)
	if err != nil {
		return err
	}
	return errors.Join(attach(tree, at), closeFD(at))
}

func decimal(n int) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return strings.Clone(string(b[i:]))
		}
	}
}
