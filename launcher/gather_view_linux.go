package launcher

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// inUserNS tells whether the user namespace is not the first one, of the directory of
// a process in /proc. A kernel without user namespaces has no link (namespaces(7)).
func inUserNS(proc int) (bool, error) {
	var link [64]byte
	n, err := unix.Readlinkat(proc, "ns/user", link[:])
	switch text := string(link[:max(n, 0)]); {
	case err == unix.ENOENT:
		return false, nil
	case err != nil:
		return false, &os.PathError{Op: "readlinkat", Path: "/proc/self/ns/user", Err: err}
	case !strings.HasPrefix(text, "user:["):
		return false, errors.New("readlinkat(/proc/self/ns/user): no name of a user namespace")
	default:
		return text != "user:[4026531837]", nil // PROC_USER_INIT_INO
	}
}

// viewOf looks at what a view is made of: sources of binds, namespaces by path,
// and for an empty root all that the command needs. What is missing is refused
// before the first step.
func (e *Env) viewOf(p *policy.Policy, args []string) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, "/", 0, unix.STATX_BASIC_STATS, &st)
	e.InChroot = err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0
	if e.self >= 0 {
		if e.InUserNS, err = inUserNS(e.self); err != nil {
			e.problem("PrivateMounts", policy.Origin{}, ExitNamespace, err)
		}
	}
	e.OldMounts = !ns.CanSetAttr()
	if p.PrivateUsers.Set && e.self >= 0 {
		for file, to := range map[string]*[]ns.UserMap{"uid_map": &e.UIDMap, "gid_map": &e.GIDMap} {
			text, err := readBelow(e.self, file)
			if err == nil {
				*to, err = ns.ParseMap(text)
			}
			if err != nil {
				e.problem("PrivateUsers", p.PrivateUsers.From, ExitUser, err)
			}
		}
	}
	for _, b := range p.Binds.Items {
		name := "BindPaths"
		if b.V.ReadOnly {
			name = "BindReadOnlyPaths"
		}
		_, _, err := host.examine(b.V.Source)
		switch {
		case err == nil, b.V.Tolerate && errors.Is(err, unix.ENOENT), errors.Is(err, unix.EACCES) && e.For != "launch":
		case e.For != "launch" && e.isGiven(b.V.Source):
		case e.given().Booted && b.V.Source == booted:
		default:
			e.problem(name, b.From, ExitNamespace, err)
		}
	}
	if p.MinimalRoot.V {
		e.minimalRoot(p, args)
	}
	if hasRoot(p) || rearranged(p) || p.Chroot.Set {
		return // what a path leads to is known once the view is there
	}
	for _, l := range []struct {
		name  string
		rules []policy.Item[policy.PathRule]
	}{
		{"ReadOnlyPaths", p.ReadOnlyPaths.Items},
		{"ReadWritePaths", p.ReadWritePaths.Items},
		{"InaccessiblePaths", p.InaccessiblePaths.Items},
		{"NoExecPaths", p.NoExecPaths.Items},
		{"ExecPaths", p.ExecPaths.Items},
	} {
		for _, r := range l.rules {
			if r.V.Tolerate {
				continue
			}
			if fd, err := host.open(r.V.Path, unix.O_PATH); err == nil {
				err = closed(fd, r.V.Path)
				if err != nil {
					e.problem(l.name, r.From, ExitNamespace, err)
				}
			} else if !errors.Is(err, unix.EACCES) && (e.For == "launch" || !e.isGiven(r.V.Path)) {
				e.problem(l.name, r.From, ExitNamespace, err)
			}
		}
	}
}

// minimalRoot finds the closure of the command, and makes the small files of a
// root that knows only who the daemon is.
func (e *Env) minimalRoot(p *policy.Policy, args []string) {
	program := e.program(args)
	if program == "" {
		return
	}
	const name = "X-Hardrun-MinimalRoot"
	from := p.MinimalRoot.From
	command, err := e.commandOfRoot(p, program)
	if err != nil {
		e.problem(name, from, ExitExec, err)
		return
	}
	files, notes, err := ns.Closure("/", command, besides(p)...)
	if err != nil {
		e.problem(name, from, ExitExec, err)
		return
	}
	if e.Closure, err = uncovered(p, files); err != nil {
		e.problem(name, from, ExitExec, err)
		return
	}
	for i := range e.Closure {
		if f := &e.Closure[i]; f.Why == "asked for" { // all else that was is bound
			f.Why = "the time zone"
		}
	}
	for _, n := range notes {
		e.ClosureNotes = append(e.ClosureNotes, "not known: "+n.Topic+": "+n.Text)
	}
	e.Texts = append(e.userDatabase(p), ns.Text{Path: "/etc/nsswitch.conf", Text: ns.NameSwitch})
}

// commandOfRoot is the path of the command, found where the daemon will look.
func (e *Env) commandOfRoot(p *policy.Policy, command string) (string, error) {
	if strings.Contains(command, "/") {
		if command[0] != '/' {
			return "", errors.New("the command " + strconv.Quote(command) + " is neither absolute nor a plain name, and the root is made for a path")
		}
		return command, nil
	}
	search := e.searchIn(p)
	for _, dir := range search {
		path := strings.TrimRight(dir, "/") + "/" + command
		if dir != "" && dir[0] == '/' && host.executable(path, path) == nil {
			return path, nil
		}
	}
	return "", errors.New("command not found: " + command + " (searched " + strings.Join(search, ":") + ")")
}

// localTime is the time zone of localtime(3).
const localTime = "/etc/localtime"

// besides are the time zone, and the files that are bound to the path which they
// have: what a module needs is looked up with the command, which will load it.
func besides(p *policy.Policy) []string {
	var list []string
	if mode, _, err := host.examine(localTime); err == nil && mode&unix.S_IFMT == unix.S_IFREG {
		list = append(list, localTime)
	}
	for _, b := range p.Binds.Items {
		if b.V.Source != b.V.Target {
			continue
		}
		if mode, _, err := host.examine(b.V.Source); err == nil && mode&unix.S_IFMT == unix.S_IFREG {
			list = append(list, b.V.Source)
		}
	}
	return list
}

// uncovered are the files for which no bind stands in. A bind over a path of the
// closure is what the daemon sees there: nothing is mounted below it, as that would
// make files on the host where the source has none. What the source lacks is an
// error, and so is a link which a file system in memory would cover.
func uncovered(p *policy.Policy, files []ns.File) ([]ns.File, error) {
	links := make(map[string]string)
	for _, f := range files {
		if f.Kind == ns.KindSymlink {
			links[f.Path] = f.Target
		}
	}
	over := covers(p, links)
	kept := files[:0]
	for _, f := range files {
		by := -1
		for i, c := range over {
			if c.holds(f.Path) && (by < 0 || len(c.target) >= len(over[by].target)) {
				by = i
			}
		}
		switch {
		case by < 0:
			kept = append(kept, f)
		case over[by].source != "":
			path := over[by].source + f.Path[len(over[by].target):]
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err != nil {
				return nil, errors.New(f.Path + " (" + f.Why + ") is covered by a bind of " + over[by].source + ", which does not have it: " + err.Error())
			}
		case f.Kind == ns.KindSymlink:
			return nil, errors.New(f.Path + " (" + f.Why + ") is covered by the file system in memory on " + over[by].target)
		default:
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// cover is what is mounted over a part of the closure: a bind, or without a source
// a file system in memory.
type cover struct{ target, source string }

func (c cover) holds(path string) bool {
	return path == c.target || strings.HasPrefix(path, c.target+"/")
}

// covers are the mounts that were asked for, with their targets as the links of the
// closure lead there.
func covers(p *policy.Policy, links map[string]string) []cover {
	var list []cover
	if p.PrivateTmp.Set && p.PrivateTmp.V != "no" {
		list = append(list, cover{target: "/tmp"})
	}
	if p.PrivateVarTmp() {
		list = append(list, cover{target: "/var/tmp"})
	}
	for _, t := range p.TemporaryFileSystem.Items {
		list = append(list, cover{target: followed(t.V.Path, links)})
	}
	for _, b := range p.Binds.Items {
		if _, _, err := host.examine(b.V.Source); err == nil {
			list = append(list, cover{followed(b.V.Target, links), b.V.Source})
		}
	}
	return list
}

// followed is a path with the links on its way resolved, as far as they are known.
// At most 40 are followed, as the kernel does.
func followed(path string, links map[string]string) string {
	real, rest := "", path
	for n := 0; rest != ""; { // n: the links that were followed
		rest = strings.TrimLeft(rest, "/")
		name, more, _ := strings.Cut(rest, "/")
		rest = more
		switch name {
		case "", ".":
			continue
		case "..":
			real = real[:max(strings.LastIndexByte(real, '/'), 0)]
			continue
		}
		target, ok := links[real+"/"+name]
		if !ok || n == 40 {
			real += "/" + name
			continue
		}
		n++
		rest = target + "/" + rest
		if target[0] == '/' {
			real = ""
		}
	}
	return real
}

// userDatabase is the passwd and group of an empty root: root, whom the kernel
// knows, and the daemon's own user and groups.
func (e *Env) userDatabase(p *policy.Policy) []ns.Text {
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	passwd, group := "root:x:0:0::/:/usr/sbin/nologin\n", "root:x:0:\n"
	user, gids := e.User, slices.Clone(e.UserGroups)
	if !p.User.Set {
		user = caps.User{}
		if u, err := caps.Host.LookupUser(number(e.UIDs[1])); err == nil && u.Entry {
			user = u
		}
		gids = append(gids, e.GIDs[1])
	}
	if user.Name != "" && user.UID != 0 {
		home := user.Home
		if home == "" {
			home = "/"
		}
		passwd += user.Name + ":x:" + number(user.UID) + ":" + number(user.GID) + "::" + home + ":/usr/sbin/nologin\n"
		gids = append(gids, user.GID)
	}
	if p.User.Set {
		gids = append(gids, e.User.GID)
	}
	if p.Group.Set {
		gids = append(gids, e.Group.GID)
	}
	gids = unique(append(gids, e.Extra...))
	slices.Sort(gids)
	who := e.given().Who
	for _, gid := range gids {
		if gid == 0 {
			continue
		}
		if who != nil && gid == who.GID {
			group += groupLine(who)
			continue
		}
		if g, err := caps.Host.LookupGroup(number(gid)); err == nil && g.Name != "" {
			group += g.Name + ":x:" + number(gid) + ":\n"
		}
	}
	return []ns.Text{{Path: "/etc/passwd", Text: passwd}, {Path: "/etc/group", Text: group}}
}
