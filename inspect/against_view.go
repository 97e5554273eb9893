package inspect

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
)

// What stands behind the directives that protect a fixed list of paths, as in systemd 262.
var (
	systemPaths    = []string{"/usr", "/boot", "/efi", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
	apiPaths       = []string{"/proc", "/sys", "/dev"}
	homePaths      = []string{"/home", "/root", "/run/user"}
	tunables       = []string{"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/latency_stats", "/proc/mtrr", "/proc/scsi", "/proc/sys", "/proc/sysrq-trigger", "/proc/timer_stats", "/sys"}
	tunableSecrets = []string{"/proc/kallsyms", "/proc/kcore"}
	modulePaths    = []string{"/usr/lib/modules", "/lib/modules"}
	kernelLogPaths = []string{"/proc/kmsg", "/dev/kmsg"}
)

// place is what a path leads to.
type place struct {
	real         string // the path without links, as the process sees it
	mount        int    // the number of the mount; 0 where that is not told
	mode         uint32 // with the type, inode(7)
	uid, gid     uint32
	dev, ino     uint64
	major, minor uint32 // of a device node
}

const (
	typeMask  = 0o170000
	typeDir   = 0o040000
	typeChar  = 0o020000
	typeBlock = 0o060000
)

func (p *place) same(o *place) bool { return p.dev == o.dev && p.ino == o.ino }
func (p *place) dir() bool          { return p.mode&typeMask == typeDir }
func (p *place) device() bool {
	return p.mode&typeMask == typeChar || p.mode&typeMask == typeBlock
}

// terminal tells a pseudo terminal, a virtual console, a serial line, and /dev/console.
func (p *place) terminal() bool {
	return p.mode&typeMask == typeChar && (p.major >= 136 && p.major <= 143 || p.major == 4 || p.major == 5 && p.minor < 2)
}

var errAbsent = errors.New("it is not there")

// view are the directives of what the process sees of the file system.
func (j *judge) view(name string, t *tally) bool {
	p := j.p
	switch name {
	case "RootDirectory":
		j.root(p.RootDirectory.V, t)
		return true
	case "RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory",
		"RuntimeDirectoryMode", "StateDirectoryMode", "CacheDirectoryMode", "LogsDirectoryMode", "ConfigurationDirectoryMode",
		"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
		"ProtectControlGroups", "ProtectHostname", "ProtectProc", "ProcSubset", "PrivateBPF", "ReadOnlyPaths", "ReadWritePaths",
		"InaccessiblePaths", "ExecPaths", "NoExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MountAPIVFS", "BindLogSockets":
	default:
		return false
	}
	if !j.asksView(name) {
		t.yes(asksNothing)
		return true
	}
	if part := j.part(name); part != nil {
		j.filter(name, t)
	}
	switch name {
	case "ProtectHostname":
		j.space("uts", "host name", t)
		return true
	case "ProtectControlGroups":
		if v := p.ProtectControlGroups.V; v == "private" || v == "strict" {
			j.space("cgroup", "cgroup", t)
		}
	}
	if why := j.unseen(); why != "" {
		t.cannot(why)
		return true
	}
	before := t.bad + t.half
	switch name {
	case "PrivateTmp":
		j.tmp(t)
	case "PrivateDevices":
		j.devices(t)
	case "ProtectProc":
		j.hidepid(t)
	case "ProcSubset":
		j.procMount(t, func(m *Mount) bool { return has(m.Super, "subset=pid") }, "subset=pid", "/proc shows more than processes")
	case "PrivateBPF":
		j.ownMount("/sys/fs/bpf", "bpf", t)
	case "BindPaths", "BindReadOnlyPaths":
		j.binds(name == "BindReadOnlyPaths", t)
	case "TemporaryFileSystem":
		j.tmpfs(t)
	case "MountAPIVFS":
		for _, path := range [...]string{"/proc", "/sys", "/dev"} {
			j.mountPoint(path, "", t)
		}
	case "BindLogSockets":
		j.logSockets(t)
	default:
		if kind := directoryKind(name); kind >= 0 {
			j.directories(kind, strings.HasSuffix(name, "Mode"), t)
		}
		if name == "ProtectHome" && p.ProtectHome.V == "tmpfs" {
			for _, path := range homePaths {
				j.mountPoint(path, "tmpfs", t)
			}
		}
	}
	j.ruled(name, t)
	j.apart(t, "mnt", "root")
	if t.bad+t.half > before && j.landlockable(name) {
		t.bad, t.half = 0, 0
		t.cannot("mounts do not keep it, and Landlock, which AllowLandlock= allows in their place, cannot be seen from outside")
	}
	if t.good+t.half+t.bad+t.open == 0 {
		t.yes("none of its paths is there")
	}
	return true
}

// asksView tells whether a directive asks for something.
func (j *judge) asksView(name string) bool {
	p := j.p
	switch name {
	case "ProtectSystem":
		return p.ProtectSystem.V != "no"
	case "ProtectHome":
		return p.ProtectHome.V != "no"
	case "PrivateTmp":
		return p.PrivateTmp.V != "no"
	case "PrivateDevices":
		return p.PrivateDevices.V
	case "ProtectKernelTunables":
		return p.ProtectKernelTunables.V
	case "ProtectKernelModules":
		return p.ProtectKernelModules.V
	case "ProtectKernelLogs":
		return p.ProtectKernelLogs.V
	case "ProtectControlGroups":
		return p.ProtectControlGroups.V != "no"
	case "ProtectHostname":
		return p.ProtectHostname.V.Mode != "no"
	case "ProtectProc":
		return p.ProtectProc.V != "default"
	case "ProcSubset":
		return p.ProcSubset.V != "all"
	case "PrivateBPF":
		return p.PrivateBPF.V
	case "MountAPIVFS":
		return p.MountAPIVFS.V && j.newRoot()
	case "BindLogSockets":
		return p.BindLogSockets.V && (j.newRoot() || p.PrivateDevices.V)
	}
	return true
}

func (j *judge) newRoot() bool {
	return j.p.RootDirectory.Set && j.p.RootDirectory.V != "/" || j.p.MinimalRoot.V
}

func (j *judge) landlockable(name string) bool {
	return slices.ContainsFunc(j.p.AllowLandlock.Items, func(it policy.Item[string]) bool { return it.V == name })
}

// unseen says why the view of the process cannot be compared; empty where it can.
func (j *judge) unseen() string {
	switch {
	case j.blind != nil:
		return j.blind.Error()
	case j.proc.Why("Mounts") != "":
		return j.proc.Why("Mounts")
	}
	if !j.viewDone {
		j.viewDone = true
		j.makeRules()
		if j.other = j.strays(); j.other == "" {
			j.resolve()
		}
	}
	return j.other
}

// strays says why the root is another than that of the unit: a daemon may change it.
func (j *judge) strays() string {
	if j.p.MinimalRoot.V {
		return ""
	}
	path := "/"
	if j.newRoot() {
		path = j.p.RootDirectory.V
	}
	want, err := hostPlace(path)
	if err != nil {
		return path + ": " + err.Error()
	}
	if have := j.see.top; !want.same(&have) {
		return "its root directory is another than that of the unit, as after chroot(2) by the daemon itself"
	}
	return ""
}

// root compares the root directory.
func (j *judge) root(path string, t *tally) {
	if j.blind != nil {
		t.cannot(j.blind.Error())
		return
	}
	want, err := hostPlace(path)
	host, err2 := hostPlace("/")
	have := j.see.top
	switch {
	case errors.Join(err, err2) != nil:
		t.cannot(errors.Join(err, err2).Error())
	case want.same(&have):
		t.yes(path)
		j.apart(t, "root")
	case host.same(&have):
		t.no("its root is that of the host")
	default:
		t.cannot("its root is another directory: a daemon may have changed it, or another one was there")
	}
}

func (j *judge) minimalRoot(t *tally) {
	if !j.p.MinimalRoot.V {
		t.yes(asksNothing)
		return
	}
	if why := j.unseen(); why != "" {
		t.cannot(why)
		return
	}
	j.mountPoint("/", "tmpfs", t)
	j.ruled("X-Hardrun-MinimalRoot", t)
}

// look is a path in the view of the process.
func (j *judge) look(path string) (place, error) {
	if j.blind != nil {
		return place{}, j.blind
	}
	// A file system that a program serves may make who looks wait for ever.
	if m := j.proc.covering(path); m != nil && (strings.HasPrefix(m.Type, "fuse") || m.Type == "autofs") {
		return place{}, errors.New(path + " is on a file system of the type " + m.Type + ", which is not looked into")
	}
	return j.see.look(path)
}

// mountOf is the mount that a place is on; nil where the list does not have it.
func (j *judge) mountOf(p *place) *Mount {
	for i := range j.proc.Mounts {
		if m := &j.proc.Mounts[i]; m.ID == p.mount {
			return m
		}
	}
	return nil
}

// pathRule is what is to hold of a path.
type pathRule struct {
	path     string
	name     string // the directive
	access   ns.Access
	exec     ns.Execution
	optional bool
	shallow  bool // of the one mount only

	at  place
	err error
}

// inside is a path of a rule as the process sees it; false where it is outside of the new root.
func (j *judge) inside(r policy.PathRule) (string, bool) {
	root := j.p.RootDirectory.V
	switch {
	case !j.newRoot() || j.p.MinimalRoot.V, r.InRoot:
		return r.Path, true
	case r.Path == root:
		return "/", true
	case strings.HasPrefix(r.Path, root+"/"):
		return r.Path[len(root):], true
	}
	return "", false
}

// makeRules lists the rules of all directives.
func (j *judge) makeRules() {
	p := j.p
	add := func(name string, access ns.Access, optional bool, paths ...string) {
		for _, path := range paths {
			j.rules = append(j.rules, &pathRule{path: path, name: name, access: access, optional: optional})
		}
	}
	switch v := p.ProtectSystem.V; v {
	case "strict":
		add("ProtectSystem", ns.Unwritable, false, "/")
		add("", ns.WritableImplicit, true, apiPaths...)
		add("", ns.WritableImplicit, true, homePaths...)
	case "yes", "full":
		add("ProtectSystem", ns.Unwritable, true, systemPaths...)
		if v == "full" {
			add("ProtectSystem", ns.Unwritable, true, "/etc")
		}
	}
	switch p.ProtectHome.V {
	case "yes":
		add("ProtectHome", ns.Hidden, true, homePaths...)
	case "read-only", "tmpfs":
		add("ProtectHome", ns.Unwritable, true, homePaths...)
	}
	if p.PrivateTmp.Set && p.PrivateTmp.V != "no" {
		add("", ns.WritableImplicit, true, j.tmpPaths()...)
	}
	if p.PrivateDevices.V {
		add("", ns.WritableImplicit, true, "/dev")
	}
	if p.ProtectKernelTunables.V {
		add("ProtectKernelTunables", ns.Unwritable, true, tunables...)
		add("ProtectKernelTunables", ns.Hidden, true, tunableSecrets...)
		add("", ns.WritableImplicit, true, "/sys/fs/cgroup", "/sys/fs/selinux")
	}
	if p.ProtectKernelModules.V {
		add("ProtectKernelModules", ns.Hidden, true, modulePaths...)
	}
	if p.ProtectKernelLogs.V {
		add("ProtectKernelLogs", ns.Hidden, true, kernelLogPaths...)
	}
	switch p.ProtectControlGroups.V {
	case "yes", "strict":
		add("ProtectControlGroups", ns.Unwritable, true, "/sys/fs/cgroup")
	case "private":
		add("ProtectControlGroups", ns.Writable, true, "/sys/fs/cgroup")
	}
	if p.PrivateBPF.V {
		add("", ns.WritableImplicit, true, "/sys/fs/bpf")
	}
	if p.MinimalRoot.V {
		add("X-Hardrun-MinimalRoot", ns.Unwritable, false, "/")
		add("", ns.WritableImplicit, true, "/dev", "/proc", "/sys", "/run")
	}
	if j.newRoot() && p.MountAPIVFS.V {
		add("", ns.WritableImplicit, true, "/proc", "/sys", "/dev", "/run")
	}
	for _, l := range [...]struct {
		name   string
		list   *policy.List[policy.PathRule]
		access ns.Access
		exec   ns.Execution
	}{
		{"ReadOnlyPaths", &p.ReadOnlyPaths, ns.Unwritable, ns.ExecAsIs},
		{"ReadWritePaths", &p.ReadWritePaths, ns.Writable, ns.ExecAsIs},
		{"InaccessiblePaths", &p.InaccessiblePaths, ns.Hidden, ns.ExecAsIs},
		{"NoExecPaths", &p.NoExecPaths, ns.AsIs, ns.Unexecutable},
		{"ExecPaths", &p.ExecPaths, ns.AsIs, ns.Executable},
	} {
		for i := range l.list.Items {
			it := l.list.Items[i].V
			if path, ok := j.inside(it); ok {
				j.rules = append(j.rules, &pathRule{path: path, name: l.name, access: l.access, exec: l.exec, optional: it.Tolerate})
			}
		}
	}
	for i := range p.Binds.Items {
		it := &p.Binds.Items[i].V
		if it.ReadOnly {
			add("BindReadOnlyPaths", ns.Unwritable, it.Tolerate, it.Target)
		} else {
			add("", ns.WritableImplicit, true, it.Target)
		}
	}
	for i := range p.TemporaryFileSystem.Items {
		it := &p.TemporaryFileSystem.Items[i].V
		if it.Attr&ns.ReadOnly != 0 {
			add("TemporaryFileSystem", ns.Unwritable, false, it.Path)
		} else {
			add("", ns.WritableImplicit, true, it.Path)
		}
	}
	for kind := range p.Directories {
		for i := range p.Directories[kind].Items {
			it := &p.Directories[kind].Items[i].V
			path := policy.DirectoryBases[kind] + "/" + it.Name
			if it.ReadOnly {
				add(policy.DirectoryNames[kind], ns.Unwritable, true, path)
			} else {
				add("", ns.Writable, true, path)
			}
		}
	}
	if len(p.Credentials.Items) > 0 {
		add("", ns.WritableImplicit, true, "/run/credentials")
	}
}

// resolve looks the paths up.
func (j *judge) resolve() {
	for _, r := range j.rules {
		r.at, r.err = j.look(r.path)
	}
}

// governing is the rule that decides about writing at a path without links: the deepest one, and
// of several there the strictest.
func (j *judge) governing(real string, decides func(*pathRule) int) *pathRule {
	var best *pathRule
	for _, r := range j.rules {
		if decides(r) == 0 || r.err != nil || !within(real, r.at.real) || r.shallow && real != r.at.real {
			continue
		}
		if best == nil || len(r.at.real) > len(best.at.real) || len(r.at.real) == len(best.at.real) && decides(r) < decides(best) {
			best = r
		}
	}
	return best
}

func byAccess(r *pathRule) int { return int(r.access) }
func byExec(r *pathRule) int   { return int(r.exec) }

// ruled holds the rules of a directive.
func (j *judge) ruled(name string, t *tally) {
	for _, r := range j.rules {
		if r.name != name {
			continue
		}
		if r.exec != ns.ExecAsIs {
			j.flag(r, "noexec", byExec, int(ns.Unexecutable), "executable", t)
			continue
		}
		switch r.access {
		case ns.Hidden:
			j.hidden(r, t)
		default:
			j.flag(r, "ro", byAccess, int(ns.Unwritable), "writable", t)
		}
	}
}

// absent deals with a rule whose path is not there; it answers false for one that is.
func (j *judge) absent(r *pathRule, t *tally) bool {
	switch {
	case r.err == nil:
		return false
	case !errors.Is(r.err, errAbsent):
		t.cannot(r.err.Error())
	case r.access == ns.Hidden:
		if !r.optional {
			t.yes(r.path + " is not there")
		}
	case r.optional:
	case j.under(r.path, ns.Hidden):
		t.yes(r.path + " is below what is inaccessible")
	default:
		t.cannot(r.path + " is not there now")
	}
	return true
}

// under tells whether a path is at or below one that is to be inaccessible, and is.
func (j *judge) under(path string, access ns.Access) bool {
	return slices.ContainsFunc(j.rules, func(r *pathRule) bool {
		return r.access == access && within(path, r.path) && r.err == nil && j.concealed(&r.at)
	})
}

// flag holds that a mount, and those below it for which the same rule decides, have a flag where
// the rule is the one that takes away, and not where it gives.
func (j *judge) flag(r *pathRule, flag string, decides func(*pathRule) int, takes int, otherwise string, t *tally) {
	if j.absent(r, t) {
		return
	}
	first := j.governing(r.at.real, decides)
	m := j.mountOf(&r.at)
	switch {
	case m == nil:
		t.cannot(r.path + ": its mount is not in the list, which changes")
		return
	case first != nil && first.access == ns.Hidden && j.concealed(&r.at):
		t.yes(r.path + " is inaccessible")
		return
	case decides(r) != takes:
		if m.Has(flag) {
			t.yes(r.path + " is not " + otherwise + ", which is stricter")
		} else {
			t.yes(r.path + " is " + otherwise)
		}
		return
	case !m.Has(flag) && !j.concealed(&r.at):
		j.lacks(r, flag, otherwise, t)
		return
	}
	t.yes(r.path + " is not " + otherwise)
	if r.shallow {
		return
	}
	for i := range j.proc.Mounts {
		m := &j.proc.Mounts[i]
		if m.Covered || m.Has(flag) || m.Point == r.at.real || !within(m.Point, r.at.real) {
			continue
		}
		if g := j.governing(m.Point, decides); g == nil || g.at.real != r.at.real {
			continue
		}
		at, err := j.look(m.Point)
		if err != nil || at.mount != m.ID || j.concealed(&at) {
			continue // it cannot be reached, or there is nothing to be had
		}
		t.part(m.Point + " is " + otherwise)
	}
}

// lacks says that a path does not have its flag. Of the whole tree something is had where the
// system's own paths are as asked.
func (j *judge) lacks(r *pathRule, flag, otherwise string, t *tally) {
	if r.name == "ProtectSystem" && r.path == "/" {
		if at, err := j.look("/usr"); err == nil {
			if m := j.mountOf(&at); m != nil && m.Has(flag) {
				t.part("/ is " + otherwise + ", and only paths below it are not")
				return
			}
		}
	}
	t.no(r.path + " is " + otherwise)
}

// concealed tells whether there is nothing to be had of a place: a node without any permission,
// or an empty directory, that covers what was there.
func (j *judge) concealed(at *place) bool {
	m := j.mountOf(at)
	if m == nil || m.Point != at.real {
		return false
	}
	if !at.dir() {
		return at.mode&0o7777 == 0
	}
	names, err := j.see.names(at.real)
	return err == nil && len(names) == 0 && (at.mode&0o777 == 0 || m.Type == "tmpfs" || m.Type == "ramfs")
}

func (j *judge) hidden(r *pathRule, t *tally) {
	if j.absent(r, t) {
		return
	}
	t.when(j.concealed(&r.at), r.path+" is inaccessible", r.path+" is accessible")
}

// mountPoint holds that something of its own is mounted at a path, of a type if one is given.
func (j *judge) mountPoint(path, kind string, t *tally) (*Mount, *place) {
	at, err := j.look(path)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
		t.cannot(err.Error())
		return nil, nil
	}
	m := j.mountOf(&at)
	switch {
	case m == nil:
		t.cannot(path + ": its mount is not in the list, which changes")
	case m.Point != at.real:
		t.no(path + " is no mount of its own")
	case kind != "" && m.Type != kind:
		t.no(path + " is a file system of the type " + m.Type)
	default:
		t.yes(path + " is a mount of its own")
		return m, &at
	}
	return nil, &at
}

// ownMount is a mount of its own that is another than the host's.
func (j *judge) ownMount(path, kind string, t *tally) {
	before := t.good
	m, at := j.mountPoint(path, kind, t)
	if m == nil {
		return
	}
	if host, err := hostPlace(path); err == nil && host.same(at) {
		t.good = before
		t.no(path + " is that of the host")
	}
}

// tmpPaths are the paths that PrivateTmp= covers.
func (j *judge) tmpPaths() []string {
	if j.p.PrivateVarTmp() {
		return []string{"/tmp", "/var/tmp"}
	}
	return []string{"/tmp"}
}

func (j *judge) tmp(t *tally) {
	for _, path := range j.tmpPaths() {
		j.ownMount(path, "", t)
	}
}

// devices looks at what is in /dev: PrivateDevices= leaves pseudo devices and terminals.
func (j *judge) devices(t *tally) {
	m, at := j.mountPoint("/dev", "", t)
	if at == nil || m == nil {
		return
	}
	if m.Type == "devtmpfs" {
		t.good, t.facts = t.good-1, nil
		t.no("/dev is that of the host")
		return
	}
	j.nodes(at.real, 2, t)
}

// maxNames is how many names of a directory are looked at.
const maxNames = 1000

// nodes holds that no device is in a directory of /dev but pseudo devices, terminals, and what
// the policy itself puts there.
func (j *judge) nodes(dir string, depth int, t *tally) {
	names, err := j.see.names(dir)
	if err != nil {
		t.cannot(err.Error())
		return
	}
	if len(names) > maxNames {
		t.cannot(dir + " has more names than are looked at")
		return
	}
	for _, name := range names {
		path := dir + "/" + name
		at, err := j.see.node(path)
		switch {
		case err != nil: // it has gone
		case at.dir() && depth > 1 && name != "pts" && name != "shm" && name != "mqueue" && name != "hugepages":
			j.nodes(path, depth-1, t)
		case at.device() && !pseudo(&at) && !j.bound(path) && at.mode&0o7777 != 0:
			t.part(path + " is a device")
		}
	}
}

// pseudo tells the devices that DevicePolicy=closed leaves.
func pseudo(at *place) bool {
	if at.mode&typeMask != typeChar {
		return false
	}
	switch at.major {
	case 1:
		return at.minor == 3 || at.minor == 5 || at.minor == 7 || at.minor == 8 || at.minor == 9
	case 5:
		return at.minor == 0 || at.minor == 2
	}
	return at.terminal() && at.major >= 136
}

// bound tells whether the policy puts something at a path.
func (j *judge) bound(path string) bool {
	return slices.ContainsFunc(j.p.Binds.Items, func(it policy.Item[policy.Bind]) bool { return within(path, it.V.Target) })
}

// procMount looks at the file system on /proc.
func (j *judge) procMount(t *tally, ok func(*Mount) bool, yes, no string) {
	at, err := j.look("/proc")
	if err != nil {
		t.cannot("/proc: " + err.Error())
		return
	}
	m := j.mountOf(&at)
	switch {
	case m == nil || m.Point != at.real:
		t.cannot("there is no /proc")
	default:
		t.when(m.Type == "proc" && ok(m), yes, no)
	}
}

// hidepid is ProtectProc=, by the option of /proc.
func (j *judge) hidepid(t *tally) {
	rank := func(word string) int {
		switch word {
		case "noaccess", "1":
			return 1
		case "invisible", "2":
			return 2
		case "ptraceable", "4":
			return 3
		}
		return 0
	}
	option := "hidepid=off"
	j.procMount(t, func(m *Mount) bool {
		for _, o := range m.Super {
			if strings.HasPrefix(o, "hidepid=") {
				option = o
			}
		}
		return true
	}, "", "")
	if t.good == 0 {
		return
	}
	t.good, t.facts = t.good-1, nil
	have, asked := rank(option[len("hidepid="):]), rank(j.p.ProtectProc.V)
	switch {
	case have >= asked:
		t.yes(option)
	case have > 0:
		t.part(option)
	default:
		t.no("/proc shows the processes of others")
	}
}

// binds compares what is at the target with the source.
func (j *judge) binds(readOnly bool, t *tally) {
	for i := range j.p.Binds.Items {
		it := &j.p.Binds.Items[i].V
		if it.ReadOnly != readOnly {
			continue
		}
		want, err := hostPlace(it.Source)
		if errors.Is(err, errAbsent) && it.Tolerate {
			t.yes(it.Source + " is not there, which may be")
			continue
		}
		have, err2 := j.look(it.Target)
		switch {
		case err == nil && errors.Is(err2, errAbsent):
			t.no(it.Target + " is not there")
		case errors.Join(err, err2) != nil:
			t.cannot(errors.Join(err, err2).Error())
		case want.same(&have):
			t.yes(it.Target + " is " + it.Source)
		default:
			if m := j.mountOf(&have); m != nil && m.Point == have.real {
				t.cannot(it.Target + " is a mount of its own, of another file than " + it.Source + " is now")
			} else {
				t.no(it.Target + " is not " + it.Source)
			}
		}
	}
}

func (j *judge) tmpfs(t *tally) {
	for i := range j.p.TemporaryFileSystem.Items {
		it := &j.p.TemporaryFileSystem.Items[i].V
		m, at := j.mountPoint(it.Path, "tmpfs", t)
		if at == nil && m == nil {
			if t.bad+t.open == 0 {
				t.no(it.Path + " is not there")
			}
			continue
		}
		for _, o := range [...]struct {
			bit  ns.Attr
			name string
		}{{ns.NoSUID, "nosuid"}, {ns.NoDev, "nodev"}, {ns.NoExec, "noexec"}} {
			if m != nil && it.Attr&o.bit != 0 && !m.Has(o.name) {
				t.part(it.Path + " is not " + o.name)
			}
		}
	}
}

func (j *judge) logSockets(t *tally) {
	const path = "/dev/log"
	want, err := hostPlace(path)
	have, err2 := j.look(path)
	switch {
	case errors.Is(err, errAbsent):
		t.yes("there is no log")
	case err == nil && err2 == nil && want.same(&have):
		t.yes(path)
	default:
		t.cannot(path + " is not that of the host")
	}
}

// directoryKind is the kind of RuntimeDirectory=, RuntimeDirectoryMode= and the like; -1 for others.
func directoryKind(name string) int {
	for kind, have := range policy.DirectoryNames {
		if strings.TrimSuffix(name, "Mode") == have {
			return kind
		}
	}
	return -1
}

// directories holds that the directories are there, as their owner's, and with their mode.
func (j *judge) directories(kind int, mode bool, t *tally) {
	p := j.p
	asked := uint32(0o755)
	if m := p.DirectoryMode[kind]; m.Set {
		asked = m.V
	}
	for i := range p.Directories[kind].Items {
		it := &p.Directories[kind].Items[i].V
		path := policy.DirectoryBases[kind] + "/" + it.Name
		at, err := j.look(path)
		switch {
		case errors.Is(err, errAbsent):
			t.no(path + " is not there")
			continue
		case err != nil:
			t.cannot(err.Error())
			continue
		case !at.dir():
			t.no(path + " is no directory")
			continue
		case policy.DirectoryKind(kind) == policy.ConfigurationDirectory:
			t.yes(path) // mode and owner stay what they were
			continue
		}
		if mode || !p.DirectoryMode[kind].Set {
			if more := at.mode & 0o7777 &^ asked; more != 0 {
				t.part(path + " has the mode " + octal(at.mode&0o7777) + ", asked " + octal(asked))
			} else {
				t.yes(path + " has the mode " + octal(at.mode&0o7777))
			}
		}
		if mode {
			continue
		}
		owner, known := uint32(0), true
		if p.User.Set || p.DynamicUser.V {
			owner = j.proc.Threads[0].State.UID[0]
			if u, chosen, err := j.account(); err == nil {
				owner = u.UID
			} else if !chosen {
				known = p.DynamicUser.V
			}
		}
		if !known {
			t.cannot("whose " + path + " is to be is not known")
		} else if at.uid == owner {
			t.yes(path + " is of uid " + number32(owner))
		} else {
			t.part(path + " is of uid " + number32(at.uid))
		}
	}
	if mode && t.good+t.half+t.bad+t.open == 0 {
		t.yes(asksNothing)
	}
}
