package ns

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// prover looks for acts.
type prover struct {
	*Landlock
	tree   *ruleNode
	proofs []proof
	count  [proofBlank + 1]int
	tried  map[string]bool // what was tried, and whether an act was found there
	shown  aspects         // what an act was found for
	kept   aspects         // what a mount that is read-only or noexec already answers for
	open   bool            // something is denied for which there is neither
	late   bool            // the kernel looks at the arguments before it opens what is executed
}

// prove finds the acts for all that is denied.
func (s *Landlock) prove(tree *ruleNode, g *grants) ([]proof, error) {
	w := &prover{Landlock: s, tree: tree, tried: make(map[string]bool)}
	for _, d := range g.denied {
		if d.aspects&aspectWrite != 0 {
			if err := w.write(d.path); err != nil {
				return nil, err
			}
		}
		if d.aspects&aspectRead != 0 {
			if err := w.read(d.path); err != nil {
				return nil, err
			}
		}
		if d.aspects&(aspectExec|aspectRead) == aspectExec {
			if err := w.exec(d.path); err != nil {
				return nil, err
			}
		}
	}
	if w.shown == 0 && (w.open || g.restricted&^w.kept != 0) {
		return nil, errors.New("nothing here can show that the rules hold: no file or directory of theirs can be used by uid " +
			strconv.FormatUint(uint64(s.UID), 10) + " without them")
	}
	return w.proofs, nil
}

// may tells whether the plain permissions let the daemon's user do all of bits
// (4 read, 2 write, 1 execute or search). With an access control list it is not
// said: that may have an entry for the user.
func (s *Landlock) may(path string, f *opened, bits uint32) bool {
	mode := f.mode
	switch {
	case f.uid == s.UID:
		mode >>= 6
	case f.gid == s.GID, slices.Contains(s.Groups, f.gid):
		mode >>= 3
	}
	if mode&bits != bits {
		return false
	}
	_, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == unix.ENODATA || err == unix.EOPNOTSUPP
}

// act makes an act, and keeps it where its answer is one that Landlock will change.
// The descriptor is the proof's from then on.
func (w *prover) act(kind proofKind, dir int, name string, answers ...unix.Errno) (bool, error) {
	q := proof{kind: kind, dir: dir, name: name}
	var err error
	if q.was, err = q.try(); err != nil || !slices.Contains(answers, q.was) {
		return false, err
	}
	w.proofs = append(w.proofs, q)
	w.count[kind]++
	return true, nil
}

// on opens a place, lets an act be made on it, and closes it unless the act keeps
// it. What is out of reach is passed over.
func (w *prover) on(path string, act func(f *opened) (bool, error)) (bool, error) {
	f, err := openReal(path)
	if err != nil {
		if outOfReach(err) {
			return false, nil
		}
		return false, err
	}
	kept, err := act(f)
	if !kept {
		err = errors.Join(err, f.close())
	}
	return kept, err
}

// write finds an entry to be renamed to its own name: of the path, if that is a
// directory, else the nearest name on the way down to it.
func (w *prover) write(path string) error {
	type entry struct{ dir, name string }
	var list []entry
	if name := w.stable(path); name != "" {
		list = append(list, entry{path, name})
	}
	for p := path; p != "/"; p = parent(p) {
		list = append(list, entry{parent(p), base(p)})
	}
	if name := w.stable("/"); name != "" {
		list = append(list, entry{"/", name})
	}
	readOnly, tried := false, false
	for _, e := range list {
		key := "w" + join(e.dir, e.name)
		if found, was := w.tried[key]; was {
			tried = tried || found
			continue
		}
		if w.count[proofRename] == maxWriteProofs {
			return nil
		}
		w.tried[key] = false
		found, err := w.on(e.dir, func(f *opened) (bool, error) {
			if !f.dir() || !w.may(e.dir, f, 1) {
				return false, nil
			}
			if readOnly {
				return w.act(proofRename, f.fd, e.name, 0)
			}
			return w.act(proofRename, f.fd, e.name, 0, unix.EROFS)
		})
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		w.tried[key] = true
		if w.proofs[len(w.proofs)-1].was == 0 {
			w.shown |= aspectWrite
			return nil
		}
		readOnly = true
		w.kept |= aspectWrite
	}
	w.open = w.open || !readOnly && !tried
	return nil
}

// stable is a name in a directory which will be there in a moment, too; empty for
// none. A subdirectory is best, and what everybody may remove is no good.
func (w *prover) stable(dir string) string {
	found := ""
	for i, name := range someNames(dir) {
		f, err := openReal(join(dir, name))
		if err != nil {
			continue
		}
		is := f.dir()
		if f.close() != nil {
			return ""
		}
		if is {
			return name
		}
		if found == "" {
			found = name
		}
		if i > 32 {
			break
		}
	}
	if found == "" {
		return ""
	}
	f, err := openReal(dir)
	if err != nil {
		return ""
	}
	open := f.mode&0o022 != 0
	if f.close() != nil || open {
		return ""
	}
	return found
}

// read finds something to be opened for reading: the path, or the nearest directory
// above it.
func (w *prover) read(path string) error {
	for p := path; ; p = parent(p) {
		key := "r" + p
		if w.tried[key] || w.count[proofOpenDir]+w.count[proofOpenFile] == maxReadProofs {
			return nil
		}
		w.tried[key] = true
		found, err := w.on(p, func(f *opened) (bool, error) {
			if f.dir() && w.may(p, f, 4|1) {
				return w.act(proofOpenDir, f.fd, ".", 0)
			}
			return false, nil
		})
		if !found && err == nil && p != "/" {
			found, err = w.readFile(p)
		}
		if found {
			w.shown |= aspectRead
		}
		if found || err != nil || p == "/" {
			return err
		}
	}
}

func (w *prover) readFile(path string) (bool, error) {
	up := parent(path)
	return w.on(up, func(f *opened) (bool, error) {
		return w.file(proofOpenFile, up, f, base(path), 4, 0)
	})
}

// file makes an act on a regular file in a directory, where its bits allow that.
func (w *prover) file(kind proofKind, dir string, d *opened, name string, bits uint32, answer unix.Errno) (bool, error) {
	path := join(dir, name)
	f, err := openReal(path)
	if err != nil {
		return false, nil
	}
	good := f.mode&unix.S_IFMT == unix.S_IFREG && w.may(path, f, bits) && w.may(dir, d, 1)
	if err := f.close(); err != nil || !good {
		return false, err
	}
	return w.act(kind, d.fd, name, answer)
}

// exec finds something to be executed, or makes it.
func (w *prover) exec(path string) error {
	if w.count[proofExec]+w.count[proofBlank] == maxExecProofs {
		return nil
	}
	// A directory, which nobody can execute, is EACCES where the kernel opens what is
	// executed before it looks at the arguments.
	found, err := w.on("/", func(f *opened) (bool, error) {
		e, err := (&proof{kind: proofExec, dir: f.fd, name: "."}).try()
		w.late = e != unix.EACCES
		return false, err
	})
	if err == nil && !w.late {
		found, err = w.executable(path)
	}
	if !found && err == nil {
		found, err = w.blank(path)
	}
	var fs unix.Statfs_t
	switch {
	case found:
		w.shown |= aspectExec
	case unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0:
		w.kept |= aspectExec
	default:
		w.open = true
	}
	return err
}

// executable finds a program at the path, or in the directories below it where
// programs are.
func (w *prover) executable(path string) (bool, error) {
	up := parent(path)
	if path != "/" {
		found, err := w.on(up, func(f *opened) (bool, error) { return w.program(up, f, base(path)) })
		if found || err != nil {
			return found, err
		}
	}
	for _, sub := range []string{"", "usr/bin", "usr/sbin", "bin", "sbin", "usr/local/bin"} {
		dir := join(path, sub)
		if sub == "" {
			dir = path
		}
		found, err := w.on(dir, func(f *opened) (bool, error) {
			if !f.dir() || !w.may(dir, f, 1) {
				return false, nil
			}
			for i, name := range someNames(dir) {
				if found, err := w.program(dir, f, name); found || err != nil {
					return found, err
				}
				if i > 64 {
					break
				}
			}
			return false, nil
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// program makes the act on a file of a directory.
func (w *prover) program(dir string, d *opened, name string) (bool, error) {
	if !d.dir() || w.tree.at(join(dir, name))&aspectExec != 0 {
		return false, nil
	}
	return w.file(proofExec, dir, d, name, 1, unix.EFAULT)
}

// blank makes a file without a name in the path, or in a directory of it, which
// everybody may execute and which is open for writing. It is gone with the
// descriptor.
func (w *prover) blank(path string) (bool, error) {
	dirs := []string{path}
	for i, name := range someNames(path) {
		if i == 32 {
			break
		}
		dirs = append(dirs, join(path, name))
	}
	for _, dir := range dirs {
		if w.tree.at(dir)&aspectExec != 0 {
			continue
		}
		fd, err := openat2(unix.AT_FDCWD, dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS, 0o700)
		if err != nil {
			continue // no directory, not writable, or not on this file system
		}
		err = os.NewSyscallError("fchmod", unix.Fchmod(fd, 0o555))
		found := false
		if err == nil {
			found, err = w.act(proofBlank, fd, "", unix.ETXTBSY)
		}
		if !found {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
		}
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
