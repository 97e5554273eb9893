package ns

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

type landlockState struct {
	ruleset int // the descriptor of the rules; -1 where nothing is restricted
	flags   int
	proofs  []proof
}

// LandlockVersion is the version of Landlock that this kernel has, and lets this
// process use: landlock_create_ruleset(2), LANDLOCK_CREATE_RULESET_VERSION. 0 is
// none.
func LandlockVersion() int {
	n, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return 0
	}
	return int(n)
}

// Apply writes the rules into a ruleset, in the view that the daemon will have. They
// are in force from the rows on.
func (s *Landlock) Apply(int) error {
	s.state.ruleset = -1
	version := LandlockVersion()
	if lack := LandlockLack(version, s.Rules); lack != "" {
		return errors.New(lack)
	}
	tree, err := ruleTree(s.Rules)
	if err != nil {
		return err
	}
	g, err := tree.grants(listAll)
	if err != nil || g.restricted == 0 {
		return err
	}
	handled := g.restricted.rights(version) | rightRefer
	fd, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), unsafe.Sizeof(handled), 0)
	runtime.KeepAlive(&handled)
	if e != 0 {
		return os.NewSyscallError("landlock_create_ruleset", e)
	}
	s.state.ruleset = int(fd)
	if version >= 7 {
		s.state.flags = unix.LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF // the acts of the proof are no news for the audit log
	}
	if err := s.grant(tree, g, version); err != nil {
		return err
	}
	s.state.proofs, err = s.prove(tree, g)
	return err
}

// Verify is part of the rows: a ruleset cannot be read back.
func (s *Landlock) Verify() error { return nil }

// Do enters the domain. Directly before it, each act of the proof is answered as
// it is without Landlock.
func (s *Landlock) Do(p *row.Program) {
	if s.state.ruleset < 0 {
		return
	}
	for i := range s.state.proofs {
		s.state.proofs[i].before(p)
	}
	p.Call(unix.SYS_LANDLOCK_RESTRICT_SELF, 0, row.Int(s.state.ruleset), row.Int(s.state.flags))
}

// Check adds the proof: the same acts are denied. It is good for once, as nothing
// leads out of a domain, and limits that are lowered later would answer for it.
func (s *Landlock) Check(p *row.Program) {
	for i := range s.state.proofs {
		s.state.proofs[i].after(p)
	}
}

// grant adds a rule for all that is granted. A rule is the kernel's mark on a
// directory or a file, and not on its name: what is another name of something that
// is denied, or of a directory on the way there, must not be granted.
func (s *Landlock) grant(tree *ruleNode, g *grants, version int) error {
	barred := make(map[fileID]aspects, len(g.barred))
	for _, b := range g.barred {
		f, err := openReal(b.path)
		if err != nil {
			return err
		}
		barred[f.id] |= b.aspects & g.restricted
		if err := f.close(); err != nil {
			return err
		}
	}
	if g.restricted&aspectWrite == 0 {
		// A ruleset denies every move to another directory that it does not grant.
		if err := s.add(place{path: "/"}, rightRefer, false, nil); err != nil {
			return err
		}
	}
	for _, p := range g.granted {
		named := tree.named(p.path)
		r := p.aspects.rights(version)
		if err := s.add(p, r, named, barred); err != nil {
			return err
		}
	}
	return s.grantDevices(tree, g, version, barred)
}

// add adds one rule. What was listed may be gone again, or be out of reach; what
// was named must be there.
func (s *Landlock) add(p place, r rights, named bool, barred map[fileID]aspects) error {
	f, err := openReal(p.path)
	if err != nil {
		if !named && outOfReach(err) {
			return nil
		}
		return err
	}
	bar := barred[f.id] & p.aspects
	switch {
	case f.mode&unix.S_IFMT == unix.S_IFLNK:
		return f.close() // what it leads to has a path of its own
	case bar != 0 && named:
		return errors.Join(errors.New(p.path+" is another name of what is denied, or of what that is in"), f.close())
	case bar != 0:
		return f.close()
	}
	if f.mode&unix.S_IFMT != unix.S_IFDIR {
		r &= rightsFile
	}
	if r != 0 {
		attr := unix.LandlockPathBeneathAttr{Allowed_access: uint64(r), Parent_fd: int32(f.fd)}
		_, _, e := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(s.state.ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
		runtime.KeepAlive(&attr)
		// EBADFD: a file of the kernel's own (a namespace), which Landlock lets be.
		if e != 0 && (e != unix.EBADFD || named) {
			return errors.Join(&os.PathError{Op: "landlock_add_rule", Path: p.path, Err: e}, f.close())
		}
	}
	return f.close()
}

// pseudoDevices are the pseudo devices that everybody writes to. A read-only mount does
// not keep anybody from writing to a device, so that Landlock need not, either.
var pseudoDevices = []struct {
	path string
	rdev uint64
}{
	{"/dev/null", unix.Mkdev(1, 3)},
	{"/dev/zero", unix.Mkdev(1, 5)},
	{"/dev/full", unix.Mkdev(1, 7)},
	{"/dev/random", unix.Mkdev(1, 8)},
	{"/dev/urandom", unix.Mkdev(1, 9)},
	{"/dev/tty", unix.Mkdev(5, 0)},
	{"/dev/ptmx", unix.Mkdev(5, 2)},
}

const devptsMagic = 0x1cd1 // DEVPTS_SUPER_MAGIC, linux/magic.h

// grantDevices grants writing to pseudo devices and terminals below a read-only
// path.
func (s *Landlock) grantDevices(tree *ruleNode, g *grants, version int, barred map[fileID]aspects) error {
	open := func(path string) bool { // it can be read, and would not be written to
		return g.restricted&aspectWrite != 0 && tree.at(path)&(aspectRead|aspectWrite) == aspectRead
	}
	r := (rightWriteFile | rightTruncate) & aspectWrite.rights(version)
	for _, d := range pseudoDevices {
		if !open(d.path) {
			continue
		}
		f, err := openReal(d.path)
		if err != nil {
			continue
		}
		is := f.mode&unix.S_IFMT == unix.S_IFCHR && f.rdev == d.rdev
		if err := f.close(); err != nil {
			return err
		}
		if is {
			if err := s.add(place{d.path, aspectWrite}, r, false, barred); err != nil {
				return err
			}
		}
	}
	const pts = "/dev/pts"
	var fs unix.Statfs_t
	if open(pts) && unix.Statfs(pts, &fs) == nil && fs.Type == devptsMagic {
		return s.add(place{pts, aspectWrite}, r, false, barred)
	}
	return nil
}

// named tells whether a rule was written for the path itself.
func (n *ruleNode) named(path string) bool {
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		if n = n.kids[part]; n == nil {
			return false
		}
	}
	return n.access != AsIs || n.exec != ExecAsIs
}

// ruleTree looks every path up, and joins the rules that lead to the same place.
func ruleTree(list []*Rule) (*ruleNode, error) {
	tree := &ruleNode{}
	for _, r := range list {
		real, err := realPathOf(r.Path)
		if r.Optional && absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if real == "/" && r.Access == Hidden {
			return nil, errors.New(r.Path + ": the root cannot be made inaccessible")
		}
		tree.put(real, r)
	}
	return tree, nil
}
