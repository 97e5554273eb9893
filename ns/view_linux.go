package ns

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

type viewState struct {
	self           int      // the own directory of a verified /proc
	before         string   // the mount namespace at the start
	cwd            string   // the working directory at the start
	dir            int      // the new root as the host has it, opened before anything changed
	root           int      // the daemon's root, in the own mount namespace
	prefix         string   // what stands before paths below root where the kernel tells them
	stage          int      // a file system in memory with the nodes that hide others; -1 before it is needed
	umask          int      // of the start
	noNodes        bool     // stage has no device nodes
	parked         int      // how many trees were mounted on stage
	staged         bool     // stage is mounted, and must be taken out again
	under          []string // the mount points of the host below /proc and /sys
	carry          []carried
	bounds         []*bound
	byPath         map[string]*bound
	layered, ruled bool
	ruleErr        error  // of all rules together
	chroot         bool   // the old root could not be detached
	link           []byte // what readlinkat(2) answers
	closed         []sealed
	off            bool // there is no mount namespace, and a waiver lets that pass
}

// sealed is a mount whose attributes were set.
type sealed struct {
	id   uint64
	attr Attr
}

// carried is a mount below the host's /proc or /sys.
type carried struct {
	path string
	tree int
}

type layerState struct {
	tree   int // LayerBind: the copy of the source
	dir    bool
	skip   bool
	real   string // the path without links
	err    error
	id     uint64   // the mount, once it is there
	nodes  [7]int   // LayerDev: the host's devices, where they are bound
	shared []string // LayerDev: names of directories of the host's /dev
	trees  []int
}

type ruleState struct{ err error }

// Prepare opens the new root, while the view is still the host's.
func (s NewMounts) Prepare(self int) error {
	v := &s.View.state
	v.self, v.stage, v.root, v.dir = self, -1, -1, -1
	if self < 0 {
		return errors.New("a view of the file system is read back from /proc, and there is none")
	}
	var err error
	if v.before, err = mountNamespace(self); err != nil {
		return err
	}
	if v.cwd, err = unix.Getwd(); err != nil || !strings.HasPrefix(v.cwd, "/") {
		v.cwd = "/" // unreachable, or removed: the daemon could not name it, either
	}
	return nil
}

// Apply unshares, shows at once that it was done, and copies everything of the
// host that the view will have, while it can still be seen.
func (s NewMounts) Apply(self int) error {
	v := &s.View.state
	// A table of descriptors of its own: that of several threads grows only after a
	// grace period of RCU, some milliseconds each time, and a view opens many.
	if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_NEWNS|unix.CLONE_FILES, 0, 0); e != 0 {
		return os.NewSyscallError("unshare(CLONE_NEWNS|CLONE_FILES)", e)
	}
	now, err := mountNamespace(self)
	if err != nil {
		return err
	}
	if now == v.before {
		return errors.New("unshare: read back the same mount namespace as before")
	}
	if v.root, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	v.prefix = "/"
	if s.View.Chrooted {
		if err := s.View.leaveChroot(); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("mount(MS_SLAVE)", err)
	}
	top := strings.TrimSuffix(v.prefix, "/")
	err = eachMount(self, func(m *mountLine) error {
		if m.shared {
			return errors.New("mount(MS_SLAVE): read back a mount that is still shared with the host")
		}
		if p, ok := strings.CutPrefix(m.point, top); ok && (strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/sys/")) {
			v.under = append(v.under, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(v.under) // what is mounted on something behind that
	v.umask = unix.Umask(0)
	for _, l := range s.View.Layers {
		if err := s.View.copySources(l); err != nil {
			return err
		}
	}
	return nil
}

// leaveChroot enters the root of the own mount namespace, setns(2): only what is
// mounted there can be kept from the host. What was the root is gone on with by its
// descriptor, and becomes the root again by NewRoot and EnterRoot.
func (v *View) leaveChroot() error {
	own, err := unix.Openat(v.state.self, "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "openat", Path: "/proc/self/ns/mnt", Err: err}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(own), unix.CLONE_NEWNS, 0); e != 0 {
		return errors.Join(os.NewSyscallError("setns(CLONE_NEWNS)", e), closeFD(own))
	}
	if err := closeFD(own); err != nil {
		return err
	}
	if v.state.prefix, err = v.realPath(v.state.root); err != nil {
		return err
	}
	if v.state.prefix == "/" {
		return errors.New("setns(CLONE_NEWNS): read back the root of the chroot")
	}
	return nil
}

// Verify was done by Apply, before anything was mounted.
func (s NewMounts) Verify() error { return nil }

// GiveUp makes every later step of the view one that does nothing.
func (s NewMounts) GiveUp() { s.View.state.off = true }

// copySources copies what a layer shows of the host.
func (v *View) copySources(l *Layer) error {
	st := &l.state
	st.tree = -1
	host := v.state.root
	switch l.Kind {
	case LayerBind:
		fd, _, err := v.findIn(host, l.Source)
		if l.Tolerate && absent(err) {
			st.skip = true
			return nil
		}
		if err != nil {
			return err
		}
		a, err := look(fd)
		if err != nil {
			return err
		}
		if l.Socket && a.mode&unix.S_IFMT != unix.S_IFSOCK {
			return errors.Join(errors.New(l.Source+" is no socket, as NOTIFY_SOCKET says"), closeFD(fd))
		}
		st.dir = a.mode&unix.S_IFMT == unix.S_IFDIR
		if st.tree, err = cloneTree(fd, !l.Shallow); err != nil {
			return errors.New(l.Source + ": " + err.Error())
		}
		return closeFD(fd)
	case LayerProc:
		return v.carryBelow("/proc")
	case LayerSys:
		return v.carryBelow("/sys")
	case LayerDev:
		return v.copyDevices(l)
	case LayerTmpfs:
		if l.From > 0 {
			var err error
			st.tree, err = v.cloneShared(l.From)
			return err
		}
	}
	return nil
}

// carryBelow copies what is mounted below the host's /proc or /sys: masks of a
// container among it, which a fresh file system must not open again.
func (v *View) carryBelow(top string) error {
	last := ""
	for _, p := range v.state.under {
		if !below(p, top) || last != "" && below(p, last) {
			continue // the copy of what it is mounted on has it
		}
		fd, err := openIn(v.state.root, p, unix.O_PATH)
		if absent(err) {
			continue // mounted over
		}
		if err != nil {
			return err
		}
		tree, err := cloneTree(fd, true)
		if err != nil {
			return errors.New(p + ": " + err.Error())
		}
		if err := closeFD(fd); err != nil {
			return err
		}
		v.state.carry = append(v.state.carry, carried{p, tree})
		last = p
	}
	return nil
}

// below tells whether p is top or a path below it.
func below(p, top string) bool {
	return strings.HasPrefix(p, top) && (len(p) == len(top) || top == "/" || p[len(top)] == '/')
}

// Apply makes the new root a mount of the own namespace.
func (s NewRoot) Apply(int) error {
	if s.View.state.off {
		return nil
	}
	v := &s.View.state
	host := v.root
	if s.View.Empty {
		limits := []string{"mode=0755", "size=10%", "nr_inodes=100k"}
		tree, err := newFS("tmpfs", limits, NoSUID|NoDev)
		if err == nil {
			err = checkTmpfs(tree, limits)
		}
		if err != nil {
			return err
		}
		if err := attach(tree, host); err != nil {
			return err
		}
		v.root = tree
		return s.View.fill()
	}
	path := s.View.Root
	if path == "" {
		path = "/" // of the chroot
	}
	fd, _, err := s.View.findIn(host, path)
	if err != nil {
		return err
	}
	if v.root, err = cloneTree(fd, true); err != nil {
		return err
	}
	if err := attach(v.root, fd); err != nil {
		return err
	}
	if v.prefix, err = s.View.realPath(v.root); err != nil {
		return err
	}
	return closeFD(fd)
}

// Verify shows that the root is a mount of the own namespace.
func (s NewRoot) Verify() error {
	if s.View.state.off {
		return nil
	}
	v := &s.View.state
	a, err := look(v.root)
	if err != nil {
		return err
	}
	found := false
	err = eachMount(v.self, func(m *mountLine) error {
		found = found || m.id == a.mount
		return nil
	})
	if err == nil && !found {
		err = errors.New("move_mount: read back no such mount")
	}
	return err
}

// fill makes what the empty root holds, but for the binds.
func (v *View) fill() error {
	root := v.state.root
	for _, f := range v.Files {
		switch f.Kind {
		case KindDir:
			if err := makeDir(root, f.Path[1:]); err != nil {
				return err
			}
		case KindSymlink:
			if err := unix.Symlinkat(f.Target, root, f.Path[1:]); err != nil {
				return &os.PathError{Op: "symlinkat", Path: f.Path, Err: err}
			}
		case KindFile:
			if err := makeFile(root, f.Path[1:], 0o444); err != nil {
				return err
			}
		}
	}
	for _, t := range v.Texts {
		fd, err := unix.Openat(root, t.Path[1:], unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return &os.PathError{Op: "openat", Path: t.Path, Err: err}
		}
		n, err := unix.Write(fd, []byte(t.Text))
		if err == nil && n != len(t.Text) {
			err = unix.ENOSPC
		}
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return &os.PathError{Op: "write", Path: t.Path, Err: err}
		}
	}
	return nil
}

// makeDir makes a directory of mode 0755. The umask is 0 while a view is made: to set
// the mode afterwards, by name, would set that of what somebody put in its place.
func makeDir(at int, name string) error {
	if err := unix.Mkdirat(at, name, 0o755); err != nil {
		return &os.PathError{Op: "mkdirat", Path: name, Err: err}
	}
	return nil
}

// makeFile makes an empty file.
func makeFile(at int, name string, mode uint32) error {
	fd, err := unix.Openat(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return &os.PathError{Op: "openat", Path: name, Err: err}
	}
	return closeFD(fd)
}

// target opens the place of a mount in the daemon's root, a path without links, and
// makes it where it is missing: directories and an empty file, of nobody but who runs
// this. What appears meanwhile is taken as what was there before is: without links.
func (v *View) target(path string, dir bool) (int, error) {
	fd, err := openStraight(v.state.root, path, unix.O_PATH)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	parent, name := path[:strings.LastIndexByte(path, '/')], path[strings.LastIndexByte(path, '/')+1:]
	if name == "" {
		return -1, err
	}
	if parent == "" {
		parent = "/"
	}
	up, err := v.target(parent, true)
	if err != nil {
		return -1, err
	}
	if dir {
		err = makeDir(up, name)
	} else {
		err = makeFile(up, name, 0o444)
	}
	if errors.Is(err, unix.EEXIST) {
		err = nil // by another start of the same root, just now: as if it had been there
	}
	if err := errors.Join(err, closeFD(up)); err != nil {
		return -1, err
	}
	return openStraight(v.state.root, path, unix.O_PATH)
}

// realPath is the path of a descriptor below the daemon's root, without links.
func (v *View) realPath(fd int) (string, error) {
	if v.state.link == nil {
		v.state.link = make([]byte, 4096)
	}
	buf := v.state.link
	k, err := unix.Readlinkat(v.state.self, "fd/"+decimal(fd), buf)
	if err == nil && (k <= 0 || k >= len(buf) || buf[0] != '/') {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return "", &os.PathError{Op: "readlinkat", Path: "/proc/self/fd/" + decimal(fd), Err: err}
	}
	p := string(buf[:k])
	if v.state.prefix == "/" || v.state.prefix == "" || fd == v.state.root {
		return p, nil
	}
	if !below(p, v.state.prefix) {
		return "", errors.New(p + " is not below the new root")
	}
	if p = p[len(v.state.prefix):]; p == "" {
		p = "/"
	}
	return p, nil
}

// topmost shows that the mount found at a path is the one with that id.
func (v *View) topmost(path string, id uint64) error {
	if id == 0 {
		return nil
	}
	fd, err := openIn(v.state.root, path, unix.O_PATH)
	if err != nil {
		return err
	}
	a, err := look(fd)
	if err == nil && a.mount != id {
		err = errors.New("move_mount: read back another mount at " + path)
	}
	return errors.Join(err, closeFD(fd))
}

// seenAt shows that what is found at a path of a tree is the mount that was just
// attached there.
func seenAt(root int, path string, tree int) error {
	want, err := look(tree)
	if err != nil {
		return err
	}
	fd, err := openIn(root, path, unix.O_PATH)
	if err != nil {
		return err
	}
	got, err := look(fd)
	if err == nil && got.mount != want.mount {
		err = errors.New("move_mount: read back another mount at " + path)
	}
	return errors.Join(err, closeFD(fd))
}

func (v *View) attachCarried(top string, root int) error {
	for _, c := range v.state.carry {
		if !below(c.path, top) || c.path == top {
			continue
		}
		at, err := openIn(root, c.path[len(top):], unix.O_PATH)
		if absent(err) {
			continue // ProcSubset=pid does not show it at all
		}
		if err != nil {
			return err
		}
		if err := errors.Join(attach(c.tree, at), closeFD(at)); err != nil {
			return errors.New(c.path + ": " + err.Error())
		}
		if err := seenAt(root, c.path[len(top):], c.tree); err != nil {
			return err
		}
	}
	return nil
}

// Apply pivots into the new root. Where that is denied (the root is a rootfs, which
// cannot be pivoted from) the new root is moved over the old one.
func (s EnterRoot) Apply(int) error {
	if s.View.state.off {
		return nil
	}
	v := &s.View.state
	if err := s.View.dropStage(); err != nil {
		return err
	}
	if err := unix.Fchdir(v.root); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	err := unix.PivotRoot(".", ".")
	switch {
	case err == nil:
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return os.NewSyscallError("umount2", err)
		}
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS):
		if !s.View.Empty {
			if e := unix.MoveMount(v.root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); e != nil {
				return errors.Join(os.NewSyscallError("pivot_root", err), os.NewSyscallError("move_mount", e))
			}
		}
		if e := unix.Chroot("."); e != nil {
			return errors.Join(os.NewSyscallError("pivot_root", err), os.NewSyscallError("chroot", e))
		}
		v.chroot = true
	default:
		return os.NewSyscallError("pivot_root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return os.NewSyscallError("chdir", err)
	}
	v.prefix = "/"
	if s.View.Root != "" || s.View.Empty {
		v.cwd = "/"
	}
	return nil
}

// Verify shows that the root, and what ".." of it leads to, is the new root.
func (s EnterRoot) Verify() error {
	if s.View.state.off {
		return nil
	}
	want, err := look(s.View.state.root)
	if err != nil {
		return err
	}
	for _, path := range []string{"/", ".", "/.."} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		got, err := look(fd)
		if err == nil && (got.ino != want.ino || got.dev != want.dev || got.mount != want.mount) {
			err = errors.New("read back another directory at " + path)
		}
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return err
		}
	}
	return nil
}

// Apply sets the propagation, and enters the working directory anew: by what it
// was entered before, what covers it now could be gone around.
func (s SealView) Apply(int) error {
	if s.View.state.off {
		return nil
	}
	v := &s.View.state
	if err := s.View.rule(); err != nil {
		return err
	}
	if err := s.View.left(); err != nil {
		return err
	}
	if err := s.View.dropStage(); err != nil {
		return err
	}
	if was := unix.Umask(v.umask); was != 0 {
		return errors.New("umask: read back another than was set")
	}
	flag, ok := map[string]uint64{"": unix.MS_SHARED, "shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "private": unix.MS_PRIVATE}[s.View.Flags]
	if !ok {
		return errors.New("unknown propagation " + s.View.Flags)
	}
	if flag != unix.MS_SLAVE {
		if err := s.View.setPropagation(flag); err != nil {
			return err
		}
	}
	err := unix.Chdir(v.cwd)
	if err != nil { // it is not there any more
		v.cwd = "/"
		err = unix.Chdir("/")
	}
	return os.NewSyscallError("chdir", err)
}

// Verify reads the whole view back: from the list of mounts that every protected
// path has its mount, and every mount below it the attributes it must have; and
// for what is mounted or hidden that it is on top.
func (s SealView) Verify() error {
	if s.View.state.off {
		return nil
	}
	v := &s.View.state
	if unix.Umask(v.umask) != v.umask {
		return errors.New("umask: read back another than it was")
	}
	there := make(map[uint64]bool, len(v.bounds))
	type doubt struct {
		id          uint64
		point, lack string
	}
	var doubtful []doubt
	err := eachMount(v.self, func(m *mountLine) error {
		there[m.id] = true
		for _, l := range s.View.Layers {
			if l.Kind != LayerProc || l.state.id != m.id {
				continue
			}
			for _, want := range l.Data {
				if !m.superHas(want) {
					return errors.New("fsconfig(" + want + "): read back a procfs at " + m.point + " without it")
				}
			}
		}
		if lack := v.wanting(m, s.View); lack != "" {
			// It may be below what is mounted over it, where nobody gets.
			doubtful = append(doubtful, doubt{m.id, m.point, lack})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := v.sameDirectory(); err != nil {
		return err
	}
	for _, m := range doubtful {
		fd, err := openIn(v.root, m.point, unix.O_PATH)
		if absent(err) {
			continue
		}
		if err != nil {
			return err
		}
		a, err := look(fd)
		if err == nil && a.mount == m.id {
			err = errors.New("read back a mount at " + m.point + " that is not " + m.lack)
		}
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return err
		}
	}
	for _, b := range v.bounds {
		if b.id != 0 && !there[b.id] {
			return errors.New("read back no mount of its own at " + b.real)
		}
		if b.access == Hidden && b.id != 0 {
			if err := s.View.topmost(b.real, b.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameDirectory shows that the working directory is what its path leads to in the
// view: entered before, it could be what a rule hides.
func (v *viewState) sameDirectory() error {
	var is [2]about
	for i, path := range []string{".", v.cwd} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		is[i], err = look(fd)
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return err
		}
	}
	if is[0] != is[1] {
		return errors.New("chdir: read back another directory than " + v.cwd)
	}
	return nil
}

// wanting is an attribute which a mount must have and has not, or empty.
func (v *viewState) wanting(m *mountLine, view *View) string {
	switch {
	case view.Flags == "private" && (m.shared || m.slave):
		return "private"
	case view.Flags == "slave" && m.shared:
		return "slave"
	case (view.Flags == "" || view.Flags == "shared") && !m.shared:
		return "shared among the daemon's own"
	case view.NoSUID && !m.has("nosuid"):
		return "nosuid"
	}
	for i := range v.closed {
		if c := &v.closed[i]; c.id == m.id {
			switch lack := c.attr &^ m.attr(); {
			case lack&ReadOnly != 0:
				return "read-only"
			case lack != 0:
				return "nosuid, nodev and noexec"
			}
		}
	}
	b := v.nearest(m.point)
	switch {
	case b == nil:
	case b.ro && !m.has("ro") && (!b.shallow || m.id == b.id):
		return "read-only"
	case b.noexec && !m.has("noexec"):
		return "noexec"
	case b.nodev && !m.has("nodev"):
		return "nodev"
	}
	return ""
}

// nearest is the bound that decides about a path: its own, or the deepest above it.
func (v *viewState) nearest(p string) *bound {
	for {
		if b := v.byPath[p]; b != nil {
			return b
		}
		if p == "/" || p == "" {
			return nil
		}
		i := strings.LastIndexByte(p, '/')
		if p = p[:max(i, 0)]; p == "" {
			p = "/"
		}
	}
}

func sortBounds(list []*bound) {
	order.By(list, func(a, b **bound) bool { return (*a).real < (*b).real })
}
