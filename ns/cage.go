package ns

import (
	"errors"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

// CageUser is the one user a cage knows, as the host's databases have it.
type CageUser struct {
	Name  string
	UID   uint32
	GID   uint32 // the primary group
	Group string // its name
	Home  string // may be empty, as in passwd(5)
}

// CageSpec says what a cage is to hold.
type CageSpec struct {
	// Dir is the cage: missing (its parent is there), empty, or made by Cage
	// before. It is not a symbolic link.
	Dir string
	// Root is where files are copied from; empty is "/".
	Root string
	// Command is absolute, or a plain name that is looked up.
	Command string
	// Files are more files, modules or whole directories, absolute in Root.
	Files []string
	// User gets etc/passwd, etc/group and a directory for its pid file; with
	// nil the cage has none of them.
	User *CageUser
	// GOOS decides the form of the user database; empty is this system.
	GOOS string
}

// Action is what Cage did for one entry.
type Action uint8

// The actions. Kept entries were there, with the same content, owner and mode.
const (
	Kept Action = iota
	Made
	Updated
)

// String is "kept", "made" or "updated".
func (a Action) String() string {
	switch a {
	case Made:
		return "made"
	case Updated:
		return "updated"
	}
	return "kept"
}

// Entry is one thing in a cage.
type Entry struct {
	File          // Path is absolute as seen inside the cage
	Mode   uint32 // permission bits; of links 0
	UID    uint32
	GID    uint32
	Action Action
}

// Report says what Cage did.
type Report struct {
	Command string  // the path of the command inside
	Entries []Entry // sorted by path
	Bytes   int64   // written
	Notes   []Note  // what cannot be known, and what is left to do
}

// Count is how many entries other than directories were treated so.
func (r *Report) Count(a Action) int {
	n := 0
	for i := range r.Entries {
		if r.Entries[i].Action == a && r.Entries[i].Kind != KindDir {
			n++
		}
	}
	return n
}

// entry is an Entry before it is done: data is the content of a file that is
// not copied.
type entry struct {
	Entry
	made bool // data is the content; else the file is copied from the root
	data string
}

// Cage makes the directory that chroot(2) or --chroot= can be given for the
// command: its closure, a user database with one user, a name service switch,
// the time zone, an empty dev and a directory for the pid file. It needs root.
//
// Everything belongs to root and is writable by root alone but for the pid
// file's directory, whatever the umask; setuid, setgid and file capabilities
// are not copied. Each file is written aside and renamed into its place, and
// one that is already right is left as it is, so that Cage can be run again,
// for another command, too, or after an update. No symbolic link and no mount
// point below Dir is followed (CVE-2021-30465, CVE-2024-45310), and nothing
// that others could change is used: such a directory, or a file of another
// kind where a directory must be, is an error.
//
// The closure is complete before anything is written. After an error the cage
// is incomplete, and each file in it is whole. What an earlier run copied and
// this one does not need stays.
func Cage(spec CageSpec) (Report, error) {
	if spec.Root == "" {
		spec.Root = "/"
	}
	if spec.GOOS == "" {
		spec.GOOS = runtime.GOOS
	}
	if err := spec.check(); err != nil {
		return Report{}, err
	}
	c, err := newCloser(spec.Root)
	if err != nil {
		return Report{}, err
	}
	defer c.tree.close()
	if err := c.all(spec.Command, spec.Files); err != nil {
		return Report{}, err
	}
	p, err := spec.plan(c)
	if err != nil {
		return Report{}, err
	}
	w, err := openCage(spec.Dir, c.tree)
	if err != nil {
		return Report{}, err
	}
	defer w.close()
	r := Report{Command: c.command}
	for _, e := range p.sorted() {
		if e.Action, err = w.ensure(e); err != nil {
			return Report{}, err
		}
		r.Entries = append(r.Entries, e.Entry)
	}
	r.Bytes = w.bytes
	r.Notes = append(spec.notes(p), c.notes()...)
	return r, nil
}

func (spec *CageSpec) check() error {
	switch {
	case spec.Dir == "":
		return errors.New("the directory is empty")
	case path.Clean(spec.Dir) == "/":
		return errors.New("the root of this machine cannot be a cage")
	case os.Geteuid() != 0:
		// Files that belong to the caller would be the caller's to change.
		return &os.PathError{Op: "make cage", Path: spec.Dir, Err: errors.New("needs root: what is in it must belong to root")}
	case spec.User == nil:
		return nil
	}
	u := spec.User
	for _, field := range [...]struct{ what, text string }{
		{"user", u.Name}, {"group", u.Group}, {"home directory", u.Home},
	} {
		empty := field.text == "" && field.what != "home directory"
		if empty || strings.ContainsAny(field.text, ":\n\r\x00") {
			return errors.New("the " + field.what + " " + strconv.Quote(field.text) + " cannot stand in etc/passwd")
		}
	}
	for _, name := range [...]string{u.Name, u.Group} {
		if strings.ContainsAny(name, "/, \t") || strings.ContainsAny(name[:1], "+-") {
			return errors.New(strconv.Quote(name) + " cannot be the name of a user or group")
		}
	}
	return nil
}

// plan is everything that is to be in the cage, by path.
type plan map[string]entry

func (p plan) sorted() []entry {
	list := make([]entry, 0, len(p))
	for _, e := range p {
		list = append(list, e)
	}
	order.By(list, func(a, b *entry) bool { return a.Path < b.Path })
	return list
}

// put adds an entry at a path, which it follows through the links of the plan
// itself (a host's /var/run may be a link to /run, and then the cage's is).
// With keep, what is already planned there stays.
func (p plan) put(e entry, keep bool) (string, error) {
	real, rest, links := "/", e.Path, 0
	fail := func(err error) (string, error) {
		return "", &os.PathError{Op: "place", Path: e.Path, Err: err}
	}
	for {
		rest = strings.TrimLeft(rest, "/")
		name, after, _ := strings.Cut(rest, "/")
		after = strings.TrimLeft(after, "/")
		switch name {
		case "": // a link to a directory that the plan has
			if e.Kind != KindDir {
				return fail(unix.EISDIR)
			}
			return real, nil
		case ".":
			rest = after
			continue
		case "..":
			real, rest = parent(real), after
			continue
		}
		next := join(real, name)
		old, planned := p[next]
		last := after == ""
		switch {
		case planned && last && keep:
			return next, nil
		case planned && old.Kind == KindSymlink:
			if links++; links > maxLinks {
				return fail(unix.ELOOP)
			}
			if old.Target[0] == '/' {
				real = "/"
			}
			rest = old.Target + "/" + after
			continue
		case planned && last && old.Kind != e.Kind:
			return fail(errors.New("the command needs a " + old.Kind.String() + " there"))
		case last:
			e.Path = next
			p[next] = e
			return next, nil
		case !planned:
			p[next] = dirEntry(next, "directory")
		case old.Kind != KindDir:
			return fail(unix.ENOTDIR)
		}
		real, rest = next, after
	}
}

func dirEntry(p, why string) entry {
	return entry{Entry: Entry{File: File{Path: p, Kind: KindDir, Why: why}, Mode: 0o755}}
}

func textEntry(p, why, text string, mode uint32) entry {
	return entry{Entry: Entry{File: File{Path: p, Kind: KindFile, Why: why}, Mode: mode}, made: true, data: text}
}

// plan puts together closure and generated files.
func (spec *CageSpec) plan(c *closer) (plan, error) {
	for _, p := range [...]string{"/etc/localtime"} {
		if _, err := c.add(p, "the time zone"); err != nil && !absent(err) {
			return nil, err
		}
	}
	p := make(plan, len(c.files)+16)
	for _, f := range c.files {
		e := entry{Entry: Entry{File: f}}
		switch f.Kind {
		case KindDir:
			e.Mode = 0o755
		case KindFile:
			// A program or library that others than root can write would be no
			// confinement; the rest of the mode is the host's.
			e.Mode = c.tree.look(f.Path).mode & 0o755
		}
		p[f.Path] = e
	}
	list := []entry{dirEntry("/dev", "for devices and log sockets")}
	if spec.GOOS != "openbsd" {
		list = append(list, textEntry("/etc/nsswitch.conf", "names come from files, hosts from DNS, too", NameSwitch, 0o644))
	}
	list = append(list, spec.database()...)
	for _, e := range list {
		if _, err := p.put(e, false); err != nil {
			return nil, err
		}
	}
	return p, spec.runtime(p, c.command)
}

// runtime plans var/run/NAME, the pid file's directory, and run for programs
// that use the shorter path.
func (spec *CageSpec) runtime(p plan, command string) error {
	if spec.User == nil {
		return nil
	}
	e := dirEntry("/var/run/"+base(command), "for the pid file of "+base(command))
	e.UID, e.GID = spec.User.UID, spec.User.GID
	if _, err := p.put(e, false); err != nil {
		return err
	}
	if spec.GOOS != "linux" {
		return nil
	}
	link := entry{Entry: Entry{File: File{Path: "/run", Kind: KindSymlink, Target: "var/run", Why: "the same by its shorter name"}}}
	_, err := p.put(link, true)
	return err
}

// NameSwitch is the nsswitch.conf(5) of a root that has no other modules than the
// C library's own.
const NameSwitch = `passwd: files
group: files
hosts: files dns
services: files
protocols: files
`

// database is the user database: passwd(5) and group(5), on the BSDs
// master.passwd, too, from which pwd_mkdb(8) makes the one that is read. "*"
// is no password's hash.
func (spec *CageSpec) database() []entry {
	u := spec.User
	if u == nil {
		return nil
	}
	uid, gid := strconv.FormatUint(uint64(u.UID), 10), strconv.FormatUint(uint64(u.GID), 10)
	const why = "the one user"
	list := []entry{textEntry("/etc/group", why, u.Group+":*:"+gid+":\n", 0o644)}
	shell := "/sbin/nologin"
	if spec.GOOS == "linux" {
		shell = "/usr/sbin/nologin"
	} else {
		// name, password, ids, class, change, expire, gecos, home, shell.
		line := u.Name + ":*:" + uid + ":" + gid + "::0:0::" + u.Home + ":" + shell + "\n"
		list = append(list, textEntry("/etc/master.passwd", why, line, 0o600))
	}
	line := u.Name + ":*:" + uid + ":" + gid + "::" + u.Home + ":" + shell + "\n"
	return append(list, textEntry("/etc/passwd", why, line, 0o644))
}
