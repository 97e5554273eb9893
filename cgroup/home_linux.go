package cgroup

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// mark is the extended attribute of a group that hardrun has made: only such a one is
// removed and made anew. User attributes are those of cgroup2 since Linux 5.7.
const (
	mark    = "user.hardrun"
	oldMark = "trusted.hardrun"
)

// freshMode is what a group is made with. Nobody else opens it, and so nobody else can take
// its lock; files in it can be read by their names. The sticky bit, which no umask takes,
// tells one that was not marked yet from those of others.
const freshMode = unix.S_ISVTX | 0o711

// mostNames is how many names are tried for a group that may have any.
const mostNames = 4096

// Access tells whether groups can be made below the one that the group would lie in; nil
// where they can. What is missing on the way there will be made.
func (h *Home) Access() error {
	top, err := h.Tree.open()
	if err != nil {
		return err
	}
	above, _ := Split(h.Path)
	for {
		err = unix.Faccessat(top, "."+above, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		if err != unix.ENOENT || above == "/" {
			break
		}
		above, _ = Split(above)
	}
	if err != nil {
		err = &os.PathError{Op: "access", Path: strings.TrimSuffix(h.Tree.Mount, "/") + above, Err: err}
	}
	return errors.Join(err, closed(top))
}

// Reach tells whether the hierarchy is what is found where it is mounted; nil where it is.
func (t *Tree) Reach() error {
	fd, err := t.open()
	if err != nil {
		return err
	}
	return closed(fd)
}

// open opens the mount of the hierarchy, and shows that it is one, and that one.
func (t *Tree) open() (int, error) {
	fd, err := unix.Open(t.Mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: t.Mount, Err: err}
	}
	want := int64(unix.CGROUP2_SUPER_MAGIC)
	if !t.Unified {
		want = unix.CGROUP_SUPER_MAGIC
	}
	var fs unix.Statfs_t
	err = unix.Fstatfs(fd, &fs)
	if err == nil && int64(fs.Type) != want {
		err = errors.New("no file system of control groups is there")
	}
	var st unix.Statx_t
	if err == nil && unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) == nil && st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id != t.ID {
		err = errors.New("another mount covers it") // Linux 5.8 tells
	}
	if err != nil {
		return -1, errors.Join(&os.PathError{Op: "fstatfs", Path: t.Mount, Err: err}, closed(fd))
	}
	return fd, nil
}

func closed(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// openAt opens a file or a directory below a group, through no link and on no other mount.
func openAt(dir int, path string, flags int) (int, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Openat(dir, path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	return fd, err
}

// read reads a small file of a group into a buffer that is new, and so holds nothing that
// a read which lies could pass off.
func read(dir int, file string) (string, error) {
	fd, err := openAt(dir, file, unix.O_RDONLY)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: file, Err: err}
	}
	var text []byte
	buf := make([]byte, 4096)
	for len(text) < 1<<20 {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n > len(buf) {
			err = unix.EIO
		}
		if err != nil {
			return "", errors.Join(&os.PathError{Op: "read", Path: file, Err: err}, closed(fd))
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	return string(text), closed(fd)
}

// write writes a file of a group in one call.
func write(dir int, file, text string) error {
	fd, err := openAt(dir, file, unix.O_WRONLY)
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	return errors.Join(writeTo(fd, file, text), closed(fd))
}

func writeTo(fd int, file, text string) error {
	for {
		n, err := unix.Write(fd, []byte(text))
		if err == unix.EINTR {
			continue
		}
		if err == nil && n != len(text) {
			err = unix.EIO
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: file, Err: err}
		}
		return nil
	}
}

// Prepare opens the directory above the group. What is missing on the way is made, as a
// group that stays.
func (s Make) Prepare(int) error {
	top, err := s.Tree.open()
	if err != nil {
		return err
	}
	above, name := Split(s.Path)
	s.name = name
	dir, err := openAt(top, "."+above, unix.O_RDONLY|unix.O_DIRECTORY)
	s.parent = dir
	if err == unix.ENOENT {
		return closed(top) // Apply makes it: nothing is changed yet
	}
	if err != nil {
		err = &os.PathError{Op: "open", Path: strings.TrimSuffix(s.Tree.Mount, "/") + above, Err: err}
	}
	return errors.Join(err, closed(top))
}

// way makes the groups above the own one.
func (s Make) way() error {
	dir, err := s.Tree.open()
	if err != nil {
		return err
	}
	above, _ := Split(s.Path)
	for _, name := range strings.Split(above[1:], "/") {
		if err := unix.Mkdirat(dir, name, 0o755); err != nil && err != unix.EEXIST {
			return errors.Join(&os.PathError{Op: "mkdir", Path: name, Err: err}, closed(dir))
		}
		next, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return errors.Join(&os.PathError{Op: "open", Path: name, Err: err}, closed(dir))
		}
		if err := closed(dir); err != nil {
			return err
		}
		dir = next
	}
	s.parent = dir
	return nil
}

// Apply makes the group.
func (s Make) Apply(int) error {
	if s.parent < 0 {
		if err := s.way(); err != nil {
			return err
		}
	}
	base := s.name
	odd := 0
	for n := 1; ; n++ {
		if n > 1 {
			s.name = base + "-" + strconv.Itoa(n)
		}
		taken, err := s.take()
		if err != nil || taken == nil {
			return err
		}
		if _, is := taken.(stubborn); is {
			odd++
		}
		if s.Fixed || n == mostNames || odd == 16 {
			return taken
		}
	}
}

// stubborn is why a group that nobody had is another's all the time. With one name after the other that
// is no other start, but a kernel that does not tell the truth.
type stubborn string

func (s stubborn) Error() string { return string(s) }

// take makes the group by its present name. taken says why somebody else has it.
func (s Make) take() (taken, err error) {
	for range 100 {
		err := unix.Mkdirat(s.parent, s.name, freshMode)
		if err != nil && err != unix.EEXIST {
			return nil, os.NewSyscallError("mkdirat", err)
		}
		made := err == nil
		fd, err := openAt(s.parent, s.name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err == unix.ENOENT { // who looked whether it was empty has removed it
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: s.name, Err: err}
		}
		done, taken, err := s.hold(fd, made)
		if done {
			s.FD = fd
			s.Path = s.Path[:strings.LastIndexByte(s.Path, '/')+1] + s.name
			return nil, nil
		}
		if err := errors.Join(err, closed(fd)); err != nil || taken != nil {
			return taken, err
		}
	}
	return stubborn("another start makes and removes it all the time: flock, fgetxattr"), nil
}

// hold takes the lock of a group, and marks a new one. An old one is removed: then, and
// where it is gone meanwhile, all answers are nil, and it is to be made.
func (s Make) hold(fd int, made bool) (done bool, taken, err error) {
	for i := 0; ; i++ {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EAGAIN {
			break
		}
		if !made {
			return false, errors.New("another start has it"), nil
		}
		if i == 100 { // who looks at a new one lets go of it at once
			return false, stubborn("another start has what was just made: flock: " + err.Error()), nil
		}
		pause()
	}
	if err != nil {
		return false, nil, os.NewSyscallError("flock", err)
	}
	if same, err := s.same(fd); err != nil || !same {
		return false, nil, err
	}
	if made {
		// Before this start had the lock, another one may have taken what it made.
		procs, err := read(fd, s.procs())
		if err != nil {
			return false, nil, err
		}
		made = procs == "" && !marked(fd)
	}
	if !made {
		taken, err := s.old(fd)
		return false, taken, err
	}
	err = unix.Fsetxattr(fd, mark, []byte("1"), 0)
	if err == unix.EOPNOTSUPP {
		err = unix.Fsetxattr(fd, oldMark, []byte("1"), 0)
	}
	if err != nil && err != unix.EOPNOTSUPP && err != unix.EPERM {
		return false, nil, os.NewSyscallError("fsetxattr", err)
	}
	// Where there are no attributes, its mode tells the next start whose it is.
	return true, nil, nil
}

func pause() {
	// It is a moment of another process, and not worth an error.
	_ = unix.Nanosleep(&unix.Timespec{Nsec: 50_000}, nil)
}

// same tells whether the name still leads to the directory.
func (s Make) same(fd int) (bool, error) {
	var by, open unix.Stat_t
	if err := unix.Fstat(fd, &open); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	err := unix.Fstatat(s.parent, s.name, &by, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	return by.Dev == open.Dev && by.Ino == open.Ino, os.NewSyscallError("fstatat", err)
}

// old removes a group of an earlier start, whose lock is held.
func (s Make) old(fd int) (taken, err error) {
	own, err := ours(fd)
	if err != nil {
		return nil, err
	}
	if !own {
		return errors.New("it is there already, and is not hardrun's: give one below it, or remove it"), nil
	}
	if err := sweep(fd, 32); err != nil {
		return nil, err
	}
	switch err := unix.Unlinkat(s.parent, s.name, unix.AT_REMOVEDIR); err {
	case nil, unix.ENOENT:
		return nil, nil
	case unix.EBUSY, unix.ENOTEMPTY:
		return errors.New("processes are left in it: " + left(fd)), nil
	default:
		return nil, os.NewSyscallError("unlinkat", err)
	}
}

// ours tells whether hardrun has made a group: it has the mark, or the mode of one that was
// not marked yet, when a start was killed.
func ours(fd int) (bool, error) {
	if marked(fd) {
		return true, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	return st.Mode&unix.S_ISVTX != 0 && st.Mode&0o066 == 0, nil
}

// marked tells whether a start has marked a group as hardrun's.
func marked(fd int) bool {
	var b [8]byte
	for _, name := range [...]string{mark, oldMark} {
		if _, err := unix.Fgetxattr(fd, name, b[:]); err == nil {
			return true
		}
	}
	return false
}

// sweep removes the groups below one which hold no process, as deep as that.
func sweep(fd, depth int) error {
	names, err := below(fd)
	if err != nil || depth == 0 {
		return err
	}
	for _, name := range names {
		sub, err := openAt(fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: name, Err: err}
		}
		if err := errors.Join(sweep(sub, depth-1), closed(sub)); err != nil {
			return err
		}
		switch err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR); err {
		case nil, unix.ENOENT, unix.EBUSY, unix.ENOTEMPTY: // who holds processes is found above
		default:
			return os.NewSyscallError("unlinkat", err)
		}
	}
	return nil
}

// Remove removes the group, which this process has made, and the empty ones below it. One
// that has a process is an error, and stays. Afterwards others may have the name.
func (h *Home) Remove() error {
	err := sweep(h.FD, 16)
	if err == nil {
		err = os.NewSyscallError("unlinkat", unix.Unlinkat(h.parent, h.name, unix.AT_REMOVEDIR))
	}
	if err != nil {
		err = errors.New("the control group " + h.Path + " stays, with processes: " + left(h.FD) + ": " + err.Error())
	}
	return errors.Join(err, closed(h.FD), closed(h.parent))
}

// below are the names of the directories in a group.
func below(fd int) ([]string, error) {
	own, err := openAt(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: ".", Err: err}
	}
	dir := os.NewFile(uintptr(own), ".")
	entries, err := dir.ReadDir(-1)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, errors.Join(err, dir.Close())
}

// left names processes that are in a group, or below it.
func left(fd int) string {
	text, err := read(fd, "cgroup.procs")
	pids := strings.Fields(text)
	switch {
	case err != nil || len(pids) == 0:
		return "those of the groups below it"
	case len(pids) > 8:
		pids = append(pids[:8], "…")
	}
	return "PID " + strings.Join(pids, " ")
}

// Verify shows that the group is there, by its name, and empty.
func (s Make) Verify() error {
	same, err := s.same(s.FD)
	if err == nil && !same {
		err = errors.New("mkdir: read back another directory")
	}
	return err
}

// Kept are the descriptors that a parent needs to remove the group: of the directory above,
// and of the group itself, by which it is held.
func (h *Home) Kept() (above, own int, name string) { return h.parent, h.FD, h.name }

// Killer opens cgroup.kill (Linux 5.14), by which all that is in the group ends.
func (h *Home) Killer() (int, error) {
	fd, err := openAt(h.FD, "cgroup.kill", unix.O_WRONLY)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: h.at("/cgroup.kill"), Err: err}
	}
	return fd, nil
}

// Apply moves the process. Of cgroup2 that is done by a thread of its own, which waits in
// the kernel while this one goes on.
func (s Join) Apply(int) error {
	if s.gone {
		return nil
	}
	fd, err := openAt(s.FD, s.procs(), unix.O_WRONLY)
	if err != nil {
		return &os.PathError{Op: "open", Path: s.at("/" + s.procs()), Err: err}
	}
	if s.Tree.Unified && s.Mover != nil {
		wait, err := s.Mover(fd)
		if err == nil {
			s.joined = func() error {
				if err := wait(); err != nil {
					return errors.Join(&os.PathError{Op: "write", Path: s.at("/" + s.procs()), Err: err}, closed(fd))
				}
				return closed(fd)
			}
			return nil
		}
		// There is no room for one more thread: then it is done here.
	}
	err = errors.Join(writeTo(fd, s.at("/"+s.procs()), "0"), closed(fd))
	s.joined = func() error { return nil }
	return err
}

// Verify is left to Joined.
func (s Join) Verify() error { return nil }

// Apply waits.
func (s Joined) Apply(int) error {
	if s.gone {
		return nil
	}
	if s.joined == nil {
		return errors.New("internal error: nobody joins")
	}
	return s.joined()
}

// Verify reads who is in the group.
func (s Joined) Verify() error {
	if s.gone {
		return nil
	}
	text, err := read(s.FD, s.procs())
	if err != nil {
		return err
	}
	own := unix.Getpid()
	if !s.Tree.Unified {
		own = unix.Gettid()
	}
	for _, pid := range strings.Fields(text) {
		if pid == strconv.Itoa(own) {
			return nil
		}
	}
	return errors.New(s.at("/"+s.procs()) + ": read back without the own PID " + strconv.Itoa(own))
}

// Apply hands the controllers down: from the group nearest to the top that lacks one to
// the one above the home.
func (s Enable) Apply(int) error {
	if s.gone {
		return nil
	}
	dir, err := s.Tree.open()
	if err != nil {
		return err
	}
	above, _ := Split(s.Path)
	at, rest := "/", strings.TrimPrefix(above, "/")
	for {
		if err := s.handDown(dir, at); err != nil {
			return errors.Join(err, closed(dir))
		}
		if rest == "" {
			return closed(dir)
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		at = strings.TrimSuffix(at, "/") + "/" + name
		next, err := openAt(dir, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			err = &os.PathError{Op: "open", Path: at, Err: err}
		}
		if err := errors.Join(err, closed(dir)); err != nil {
			return err
		}
		dir = next
	}
}

// handDown enables in one group what it has and does not hand down yet. What it does not
// have itself is looked for once the groups above it were asked.
func (s Enable) handDown(dir int, at string) error {
	const file = "cgroup.subtree_control"
	has, err := read(dir, "cgroup.controllers")
	if err != nil {
		return err
	}
	hands, err := read(dir, file)
	if err != nil {
		return err
	}
	for _, c := range s.Controllers {
		if contains(hands, c) {
			continue
		}
		if !contains(has, c) {
			return errors.New(at + ": the controller " + c + " is not handed down to it: cgroup.controllers has \"" + strings.TrimSpace(has) + "\"")
		}
		err := write(dir, file, "+"+c)
		switch {
		case errors.Is(err, unix.EBUSY):
			return errors.New(at + ": write " + file + ": processes are in it, and a group with processes hands no controller down (cgroups(7)): give --cgroup= a place below a group without")
		case err != nil:
			return errors.Join(errors.New(at), err)
		}
	}
	return nil
}

func contains(words, word string) bool {
	for _, w := range strings.Fields(words) {
		if w == word {
			return true
		}
	}
	return false
}

// Verify reads which controllers the group has.
func (s Enable) Verify() error {
	if s.gone || s.bare {
		return nil
	}
	has, err := read(s.FD, "cgroup.controllers")
	if err != nil {
		return err
	}
	for _, c := range s.Controllers {
		if !contains(has, c) {
			return errors.New("cgroup.controllers reads \"" + strings.TrimSpace(has) + "\", without " + c)
		}
	}
	return nil
}

// delegated are the files that a group's new owner gets, cgroups(7); those that are not
// there belong to features which the kernel does not have.
var delegated = [...]string{".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}

// above reads a file of the group above the own one.
func (h *Home) above(file string) (string, error) {
	dir, err := unix.Openat(h.FD, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: "..", Err: err}
	}
	text, err := read(dir, file)
	return text, errors.Join(err, closed(dir))
}

// Apply hands the group over.
func (s Give) Apply(int) error {
	for _, file := range delegated {
		err := unix.Fchownat(s.FD, file, int(s.UID), int(s.GID), unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && (err != unix.ENOENT || file == "." || file == "cgroup.procs") {
			return &os.PathError{Op: "fchownat", Path: s.at("/" + file), Err: err}
		}
	}
	return nil
}

// Verify reads the owners back.
func (s Give) Verify() error {
	for _, file := range delegated {
		var st unix.Stat_t
		st.Uid, st.Gid = ^s.UID, ^s.GID
		err := unix.Fstatat(s.FD, file, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT && file != "." && file != "cgroup.procs" {
			continue
		}
		if err == nil && (st.Uid != s.UID || st.Gid != s.GID) {
			err = errors.New("read back another owner")
		}
		if err != nil {
			return &os.PathError{Op: "fchownat", Path: s.at("/" + file), Err: err}
		}
	}
	return nil
}

// Apply writes the setting.
func (s *Set) Apply(int) error {
	if s.gone || s.bare || s.Setting.Check {
		return nil
	}
	if s.Setting.Inherit {
		above, err := s.above(s.Setting.File)
		if err == nil {
			s.Setting, err = s.Setting.From(above)
		}
		if err != nil {
			return err
		}
	}
	return write(s.FD, s.Setting.File, s.Setting.Value)
}

// Verify reads it back.
func (s *Set) Verify() error {
	if s.gone || s.bare {
		return nil
	}
	text, err := read(s.FD, s.Setting.File)
	if err != nil {
		return err
	}
	return s.Setting.Reads(text)
}

// Apply makes the group below, gives it to the daemon's user, and moves the process there.
func (s Subgroup) Apply(int) error {
	if err := unix.Mkdirat(s.FD, s.Name, 0o755); err != nil {
		return &os.PathError{Op: "mkdirat", Path: s.at("/" + s.Name), Err: err}
	}
	fd, err := openAt(s.FD, s.Name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return &os.PathError{Op: "open", Path: s.at("/" + s.Name), Err: err}
	}
	sub := &Home{Tree: s.Tree, Path: s.Path + "/" + s.Name, FD: fd}
	give := Give{Home: sub, UID: s.UID, GID: s.GID}
	err = give.Apply(-1)
	if err == nil {
		err = give.Verify()
	}
	if err == nil {
		err = write(fd, "cgroup.procs", "0")
	}
	if err == nil {
		err = Joined{sub}.Verify()
	}
	return errors.Join(err, closed(fd))
}

// Verify was done by Apply.
func (s Subgroup) Verify() error { return nil }

// Apply opens the file.
func (s *Lower) Apply(int) error {
	if s.gone || s.bare {
		return nil
	}
	fd, err := openAt(s.FD, s.Setting.File, unix.O_RDWR)
	if err == nil && fd < 3 {
		err = unix.EBADF
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: s.at("/" + s.Setting.File), Err: err}
	}
	s.fd = fd
	return nil
}

// Verify is part of the rows.
func (s *Lower) Verify() error { return nil }

// Do writes the setting.
func (s *Lower) Do(p *row.Program) {
	if s.fd != 0 {
		p.Call(unix.SYS_WRITE, int64(len(s.Setting.Value)), row.Int(s.fd), p.String(s.Setting.Value).Arg(), row.Int(len(s.Setting.Value)))
	}
}

// Check reads it back, as the kernel prints it.
func (s *Lower) Check(p *row.Program) {
	if s.fd == 0 {
		return
	}
	want := s.Setting.Want + "\n"
	room := len(want) + 32
	out := p.Space(room + 1)
	p.Poison(out, room)
	p.Call(unix.SYS_PREAD64, int64(len(want)), row.Int(s.fd), out.Arg(), row.Int(room), row.Int(0))
	p.Same(out, []byte(want), row.FormText)
}

// FDs are the descriptors that the rows need.
func (s *Lower) FDs() []int {
	if s.fd == 0 {
		return nil
	}
	return []int{s.fd}
}
