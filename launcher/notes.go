package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// Seen is what only the notes of a plan are about, as Gather saw it: empty for a launch.
type Seen struct {
	Program SeenProgram  // what is executed
	Root    Owned        // the directory of RootDirectory=
	Groups  []caps.Group // those of rootGroups that there are
	Sockets []SeenSocket // those of services which act as root for who asks
}

// Owned is whose a file is, and its permissions.
type Owned struct {
	Known          bool
	UID, GID, Mode uint32
}

// SeenProgram is a program and what execve(2) gives to who executes it; the zero one is not
// known.
type SeenProgram struct {
	Path string // of a script that of its interpreter
	Owned
	NoSUID    bool // by its mount
	HasCaps   bool // file capabilities, of which Caps are the permitted ones
	Effective bool // the effective bit of these
	Caps      caps.Set
}

// SeenSocket is a socket, and the directories on the way to it with itself at the end.
type SeenSocket struct {
	Path string
	Way  []Owned
}

// NoteClass says what a note is for.
type NoteClass string

// The classes. A lint is a finding: what was written does not do what it says, or leaves
// open what it seems to close. All else is for the reader to know.
const (
	NoteInfo NoteClass = "info"
	NoteLint NoteClass = "lint"
)

// NoteKind is one kind of notes: its ID, which is stable, and its class.
type NoteKind struct {
	ID    string
	Class NoteClass
}

// NoteKinds are all kinds of notes, by their IDs. doc/notes.md says when each is there and
// what to do; a test holds that both are complete.
var NoteKinds = [...]NoteKind{
	{"ambient-lost", NoteLint},
	{"ambient-root", NoteLint},
	{"bind-allow", NoteLint},
	{"bounding-only", NoteInfo},
	{"call-unknown", NoteLint},
	{"calls-new", NoteLint},
	{"capability-inside", NoteLint},
	{"cgroup-escape", NoteLint},
	{"cgroup-stays", NoteInfo},
	{"cgroup-undone", NoteLint},
	{"chroot", NoteInfo},
	{"chroot-escape", NoteLint},
	{"closed-as-null", NoteInfo},
	{"cpu-period", NoteLint},
	{"default", NoteInfo},
	{"default-not-applied", NoteInfo},
	{"delegate-subgroup", NoteLint},
	{"device-missing", NoteInfo},
	{"device-policy", NoteInfo},
	{"directory-hidden", NoteLint},
	{"explain-bpf", NoteInfo},
	{"explain-nothing", NoteInfo},
	{"file-capabilities", NoteLint},
	{"gid-0", NoteLint},
	{"group-root", NoteLint},
	{"groups-dropped", NoteInfo},
	{"groups-unmapped", NoteInfo},
	{"handle-open", NoteLint},
	{"host-socket", NoteLint},
	{"inherited", NoteInfo},
	{"io-uring", NoteLint},
	{"io-uring-denied", NoteInfo},
	{"ip-allow", NoteLint},
	{"ip-inherited", NoteInfo},
	{"ip-packet", NoteLint},
	{"keep-caps", NoteLint},
	{"keep-tty", NoteLint},
	{"kernel-undone", NoteLint},
	{"landlock-stricter", NoteInfo},
	{"landlock-weaker", NoteInfo},
	{"limit-fsize-zero", NoteLint},
	{"limit-void", NoteLint},
	{"loader", NoteLint},
	{"log", NoteInfo},
	{"lsm-absent", NoteInfo},
	{"manager", NoteInfo},
	{"minimal-root", NoteInfo},
	{"namespace-undone", NoteLint},
	{"nnp-advised", NoteLint},
	{"nnp-implied", NoteLint},
	{"nnp-inherited", NoteInfo},
	{"nnp-no", NoteLint},
	{"notify", NoteInfo},
	{"old-mounts", NoteInfo},
	{"outside-root", NoteLint},
	{"paths-void", NoteLint},
	{"proc-visible", NoteLint},
	{"ptrace-host", NoteLint},
	{"root-files", NoteLint},
	{"root-kept", NoteLint},
	{"root-without-dac", NoteInfo},
	{"root-writable", NoteLint},
	{"secret-environment", NoteLint},
	{"setid-command", NoteLint},
	{"setid-void", NoteInfo},
	{"signals-default", NoteInfo},
	{"slack-void", NoteLint},
	{"stream-log", NoteInfo},
	{"tmp-own", NoteInfo},
	{"unix-reachable", NoteInfo},
	{"user-undone", NoteLint},
	{"var-tmp", NoteInfo},
	{"variable-unset", NoteLint},
	{"view-undone", NoteLint},
	{"write-exec-files", NoteInfo},
}

// NoteKindOf is the kind with that ID; nil for none.
func NoteKindOf(id string) *NoteKind {
	for i := range NoteKinds {
		if NoteKinds[i].ID == id {
			return &NoteKinds[i]
		}
	}
	return nil
}

// note tells the reader of the plan of something. The id is one of NoteKinds; from is where
// the setting that it is about was written.
func (c *compiler) note(id string, from policy.Origin, text string) {
	class := NoteInfo
	if k := NoteKindOf(id); k != nil {
		class = k.Class
	}
	c.plan.Notes = append(c.plan.Notes, Note{id, text, class, from})
}

// Capabilities that notes are about, linux/capability.h.
const (
	capDACOverride   = 1
	capDACReadSearch = 2
	capIPCLock       = 14
	capSysModule     = 16
	capSysRawIO      = 17
	capSysPtrace     = 19
)

// RLIMIT_ numbers that notes are about.
const (
	limitFSIZE   = 1
	limitNPROC   = 6
	limitMEMLOCK = 8
)

// notes says what a person should know before trusting the plan. It asks what the daemon
// will be by all that was compiled, and so comes last.
func (c *compiler) notes() {
	c.limitNotes()
	c.voidNotes()
	c.rootNotes()
	if c.env.linux() {
		c.keptNotes()
		c.userNotes()
		c.commandNotes()
		c.insideNotes()
		c.reachNotes()
	}
	c.environmentNotes()
	c.inherited()
}

// has tells whether the daemon will have a capability, by execve(2) as capabilities(7)
// has it: root gets the bounding and the inheritable set, but for what no_new_privs keeps
// from it, and everybody else the ambient one.
func (c *compiler) has(n int) bool {
	f := &c.final
	if c.uid != 0 || c.bits&caps.SecbitNoRoot != 0 {
		return f.Ambient.Has(n)
	}
	return f.Bounding.Union(f.Inheritable).Has(n) && (!c.nnp || f.Permitted.Has(n))
}

// hasOver tells whether the daemon will have a capability over the host.
func (c *compiler) hasOver(n int) bool { return c.userns == noUserNS && c.has(n) }

// maybeMaps are the ids of the daemon's user namespace; nil where it has none of its own, or
// joins one.
func (c *compiler) maybeMaps() *ns.UserMaps {
	if c.lastNS != nil {
		return c.lastNS.maps
	}
	return c.firstMaps
}

// hasOverRoot tells whether the daemon will have a capability over root and root's files: a
// user namespace of root's has them as well.
func (c *compiler) hasOverRoot(n int) bool {
	m := c.maybeMaps()
	return c.has(n) && (c.userns == noUserNS || m != nil && m.HasUID(0) && m.HasGID(0))
}

// rules tells whether the daemon is root with what undoes most of the rest.
func (c *compiler) rules() bool {
	return c.uid == 0 && c.hasOver(capSysAdmin) && c.hasOver(capSysPtrace) && c.hasOver(capDACOverride)
}

// passes tells whether the filters let one of the calls pass.
func (c *compiler) passes(calls string) bool {
	machine := seccomp.Machine(c.env.GOARCH)
	if c.plan.Filter == nil && c.env.Filter == nil || len(machine) == 0 {
		return true
	}
	for _, name := range strings.Fields(calls) {
		n, known := seccomp.ByName(name)
		if _, here := machine[0].Number(n); !known || !here {
			continue
		}
		d := c.call(name)
		if c.plan.Filter != nil && !c.plan.Filter.Decide(d).Action.Passes() {
			continue
		}
		if f := c.env.Filter; f != nil {
			if v, err := f.Eval(d); err != nil || !v.Passes() {
				continue
			}
		}
		return true
	}
	return false
}

// capFrom is where the capabilities of the daemon were written: what gives them to a user,
// what leaves them to root.
func (c *compiler) capFrom() policy.Origin {
	p := c.p
	switch {
	case c.uid != 0 && p.AmbientCapabilities.Set:
		return p.AmbientCapabilities.From
	case p.CapabilityBoundingSet.Set:
		return p.CapabilityBoundingSet.From
	}
	return p.User.From
}

// limitNotes says which limits do not hold, setrlimit(2).
func (c *compiler) limitNotes() {
	p := c.p
	void := func(n int, text string) {
		if l := &p.Limits[n]; l.Set && !l.From.Default {
			c.note("limit-void", l.From, "Limit"+process.LimitName(n)+"= does not hold "+text)
		}
	}
	if c.uid == 0 || c.hasOver(capSysResource) || c.hasOver(capSysAdmin) {
		void(limitNPROC, "for root, nor with CAP_SYS_RESOURCE or CAP_SYS_ADMIN")
	}
	if c.hasOver(capIPCLock) {
		void(limitMEMLOCK, "with CAP_IPC_LOCK")
	}
	if c.hasOver(capSysNice) {
		void(limitNICE, "with CAP_SYS_NICE")
		if !p.RestrictRealtime.V {
			void(limitRTPRIO, "with CAP_SYS_NICE")
		}
	}
	if l := &p.Limits[limitFSIZE]; l.Set && l.V.Soft == 0 {
		c.note("limit-fsize-zero", l.From, "LimitFSIZE=0: the first write to a file is answered by SIGXFSZ, which kills")
	}
	if !c.hasOver(capSysResource) || !c.passes("prlimit64") {
		return
	}
	var names []string
	var from policy.Origin
	for n := range p.Limits {
		if l := &p.Limits[n]; l.Set && !l.From.Default && n != limitNPROC && l.V.Hard < c.env.Limits[n].Hard {
			if len(names) == 0 {
				from = l.From
			}
			names = append(names, "Limit"+process.LimitName(n)+"=")
		}
	}
	if len(names) > 0 {
		c.note("limit-void", from, "the daemon keeps CAP_SYS_RESOURCE, and can raise its limits again: "+strings.Join(names, " "))
	}
}

// voidNotes are of settings that do nothing, or less than it seems.
func (c *compiler) voidNotes() {
	p := c.p
	if p.SecureBits.Set && p.SecureBits.V&caps.SecbitKeepCaps != 0 {
		c.note("keep-caps", p.SecureBits.From, "SecureBits=keep-caps is cleared by execve(2): the daemon starts without it")
	}
	if p.AmbientCapabilities.Set && c.uid == 0 && c.bits&caps.SecbitNoRoot == 0 {
		c.note("ambient-root", p.AmbientCapabilities.From, "AmbientCapabilities= adds nothing for uid 0 without SecureBits=noroot: root has its bounding set")
	}
	b := p.CapabilityBoundingSet
	if b.Set && !p.Caps.Set && b.V != 0 && !b.V.Has(63) && p.User.Set && c.uid != 0 && c.final.Ambient == 0 {
		c.note("bounding-only", b.From, "CapabilityBoundingSet= is a limit: uid "+id(c.uid)+" starts without capabilities, and AmbientCapabilities= gives them")
	}
	if l := &p.ReadWritePaths; len(l.Items) > 0 && len(p.ReadOnlyPaths.Items)+len(p.TemporaryFileSystem.Items)+len(p.InaccessiblePaths.Items) == 0 &&
		!asked(p.ProtectSystem, "no") && !asked(p.ProtectHome, "no") && !asked(p.ProtectControlGroups, "no") && !p.ProtectKernelTunables.V &&
		!p.ProtectKernelModules.V && !p.PrivateDevices.V && !p.MinimalRoot.V && !bindsReadOnly(p) {
		c.note("paths-void", l.From, "ReadWritePaths= alone does nothing: it gives back what ProtectSystem= or ReadOnlyPaths= takes")
	}
	if l := &p.ExecPaths; len(l.Items) > 0 && len(p.NoExecPaths.Items) == 0 {
		c.note("paths-void", l.From, "ExecPaths= alone does nothing: it gives back what NoExecPaths= takes")
	}
	if v := p.NoNewPrivileges; v.Set && !v.V && !c.nnp && c.uid != 0 {
		c.note("nnp-no", v.From, "NoNewPrivileges=no: by set-user-ID programs and file capabilities the daemon can get more than it starts with")
	}
	if v := p.MemoryDenyWriteExecute; v.V && c.passes("memfd_create") {
		c.note("write-exec-files", v.From, "MemoryDenyWriteExecute= is of memory: what the daemon can write to a file, memfd_create(2) among them, it can map and execute; SystemCallFilter=~memfd_create and NoExecPaths= close that")
	}
}

// id is a uid or a gid as text.
func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// asked tells whether a word asks for anything.
func asked(o policy.Opt[string], neutral string) bool { return o.Set && o.V != neutral }

func bindsReadOnly(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Binds.Items, func(b policy.Item[policy.Bind]) bool { return b.V.ReadOnly })
}

// rootNotes are of a daemon that stays root, or is next to it.
func (c *compiler) rootNotes() {
	p := c.p
	if p.RootDirectory.Set && !c.env.linux() && c.uid == 0 {
		c.note("chroot-escape", p.RootDirectory.From, "the daemon stays root: it can change its root again")
	}
	if c.uid == 0 && p.CapabilityBoundingSet.Set && !c.final.Bounding.Has(capDACOverride) {
		c.note("root-without-dac", p.CapabilityBoundingSet.From, "uid 0 without CAP_DAC_OVERRIDE reads and writes only what root owns or all may")
	}
	if p.Group.Set && !p.User.Set {
		c.note("groups-dropped", p.Group.From, "Group= without User=: the supplementary groups of the caller are dropped (systemd keeps them)")
	}
	if p.User.Set && c.uid != 0 && c.gid == 0 {
		c.note("gid-0", p.User.From, "the primary group of "+p.User.V+" is root's, 0")
	}
	switch {
	case !c.env.linux() || c.uid != 0:
	case c.rules():
		c.note("root-kept", c.capFrom(), "the daemon is root with CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_DAC_OVERRIDE: it can undo most of what else is asked for; User= or CapabilityBoundingSet= takes that away")
	case p.ProtectSystem.V != "strict" && !hasRoot(p) && !p.MinimalRoot.V && !c.readOnlyRoot():
		c.note("root-files", c.capFrom(), "the daemon is root: root's files are its own, whatever capabilities it has; User=, ProtectSystem=strict or a root directory keeps them from it")
	}
}

// readOnlyRoot tells whether all of the view is read-only.
func (c *compiler) readOnlyRoot() bool {
	return slices.ContainsFunc(c.p.ReadOnlyPaths.Items, func(r policy.Item[policy.PathRule]) bool { return r.V.Path == "/" })
}

// plainChroot tells whether the root is changed by chroot(2) alone, where the old one is
// still to be reached.
func (c *compiler) plainChroot() bool {
	return slices.ContainsFunc(c.plan.Entries, func(e Entry) bool {
		s, ok := e.Step.(ns.ChangeRoot)
		return ok && !s.Pivot
	})
}

// keptNotes are of capabilities which the daemon keeps, and what they make void.
func (c *compiler) keptNotes() {
	p, from := c.p, c.capFrom()
	const mounts = "mount umount2 move_mount mount_setattr setns"
	if c.plainChroot() && c.has(capSysChroot) && c.passes("chroot") {
		c.note("chroot-escape", from, "the daemon keeps CAP_SYS_CHROOT: it can change its root again")
	}
	if name, _ := asksView(p, c.given); name != "" && c.canMount() && c.userns != lastUserNS && c.has(capSysAdmin) && c.passes(mounts) {
		c.note("view-undone", from, "the daemon keeps CAP_SYS_ADMIN: it can undo the mounts of its view")
	}
	if v := p.ProtectProc; asked(v, "default") && c.has(capSysPtrace) {
		c.note("proc-visible", v.From, "ProtectProc="+v.V+" hides nothing from a daemon with CAP_SYS_PTRACE")
	}
	if c.rules() {
		return // one note says it of all that follows
	}
	if c.hasOver(capSysModule) && c.passes("init_module finit_module") {
		c.note("kernel-undone", from, "the daemon keeps CAP_SYS_MODULE: it can load code into the kernel, for which nothing holds")
	}
	if c.hasOver(capSysRawIO) && c.passes("iopl ioperm openat open") {
		c.note("kernel-undone", from, "the daemon keeps CAP_SYS_RAWIO: by ports and by /dev/mem, where that is there, it can change the kernel")
	}
	hosts := c.hasOver(capSysPtrace) && !p.PrivatePIDs.V // processes
	if hosts && (c.seesProc() || c.passes("ptrace process_vm_writev pidfd_getfd")) {
		c.note("ptrace-host", from, "the daemon keeps CAP_SYS_PTRACE and shares the host's processes: through one of them (/proc/PID/root, ptrace(2)) it gets around its view, its namespaces and its filter")
	}
	if names := c.privateNamespaces(); hosts && names != "" && c.hasOver(capSysAdmin) && c.passes("setns") {
		c.note("namespace-undone", from, "the daemon keeps CAP_SYS_ADMIN and CAP_SYS_PTRACE: by setns(2) it can enter the host's namespaces in place of those of "+names)
	}
	hides := len(p.InaccessiblePaths.Items)+len(p.TemporaryFileSystem.Items) > 0 || asked(p.ProtectHome, "no") || hasRoot(p) || p.MinimalRoot.V
	if hides && c.hasOver(capDACReadSearch) && c.passes("open_by_handle_at") {
		c.note("handle-open", from, "the daemon keeps CAP_DAC_READ_SEARCH: by open_by_handle_at(2) it can open files that its view does not show, on the file systems that it does show")
	}
}

// seesProc tells whether /proc is in the daemon's view.
func (c *compiler) seesProc() bool {
	p := c.p
	return !hasRoot(p) && !p.MinimalRoot.V || p.MountAPIVFS.V || slices.ContainsFunc(p.Binds.Items, func(b policy.Item[policy.Bind]) bool { return below("/proc", b.V.Source) })
}

// privateNamespaces names the directives that give the daemon a namespace which the host's
// could stand in for.
func (c *compiler) privateNamespaces() string {
	var names []string
	for _, d := range [...]struct {
		on   bool
		name string
	}{
		{c.p.PrivateNetwork.V || c.p.NetworkNamespacePath.Set, "PrivateNetwork="},
		{c.p.PrivateIPC.V || c.p.IPCNamespacePath.Set, "PrivateIPC="},
		{asked(policy.Opt[string]{V: c.p.ProtectHostname.V.Mode, Set: c.p.ProtectHostname.Set}, "no"), "ProtectHostname="},
	} {
		if d.on {
			names = append(names, d.name)
		}
	}
	return strings.Join(names, " ")
}

// undoes are capabilities with which a user is not who he was made to be: the capability,
// the calls that it is of (empty for all that open files), and what comes of it.
var undoes = [...]struct {
	n     int
	calls string
	what  string
}{
	{capSetUID, "setuid setreuid setresuid setfsuid", "it can become any user, root too"},
	{capSetGID, "setgid setregid setresgid setfsgid setgroups", "it can join any group"},
	{capDACOverride, "", "permissions of files do not hold for it"},
	{capDACReadSearch, "", "it reads files whatever their permissions"},
	{capChown, "chown fchown lchown fchownat", "it can make any file its own"},
	{capFowner, "chmod fchmod fchmodat", "it can change the permissions of any file"},
	{capSetFCap, "setxattr lsetxattr fsetxattr", "it can give capabilities to a file, and get them by it"},
}

// userNotes are of a user who is next to root.
func (c *compiler) userNotes() {
	if c.uid == 0 {
		return
	}
	for i := range undoes {
		u := &undoes[i]
		if c.hasOverRoot(u.n) && (u.calls == "" || c.passes(u.calls)) && (u.n != capSetFCap || !c.nnp) {
			c.note("user-undone", c.capFrom(), "the daemon keeps "+strings.ToUpper(caps.Name(u.n))+": "+u.what)
		}
	}
	for i := range c.env.Seen.Groups {
		g := &c.env.Seen.Groups[i]
		if !c.inGroup(g.GID) {
			continue
		}
		why := ""
		for j := range rootGroups {
			if rootGroups[j].name == g.Name {
				why = rootGroups[j].why
			}
		}
		if g.Name == "disk" && (c.p.PrivateDevices.V || asked(c.p.DevicePolicy, "auto")) {
			continue
		}
		from := c.p.User.From
		if slices.Contains(c.env.Extra, g.GID) {
			from = c.p.SupplementaryGroups.From
		} else if c.p.Group.Set {
			from = c.p.Group.From
		}
		c.note("group-root", from, "the daemon is in the group "+g.Name+": "+why)
	}
	if r := &c.env.Seen.Root; r.Known && hasRoot(c.p) && c.p.ProtectSystem.V != "strict" && !c.readOnlyRoot() && (r.UID == c.uid || c.may(r, 2)) {
		c.note("root-writable", c.p.RootDirectory.From, "RootDirectory="+c.p.RootDirectory.V+" can be changed by uid "+id(c.uid)+": what it looks up there, libraries and /etc among it, it can replace")
	}
}

// rootGroups are groups whose members are next to root, and why.
var rootGroups = [...]struct{ name, why string }{
	{"disk", "it can read and write the raw disks, and so every file"},
	{"shadow", "it can read the hashes of all passwords"},
	{"docker", "who may ask Docker is root"},
	{"podman", "who may ask Podman of root is root"},
	{"lxd", "who may ask LXD is root"},
	{"incus-admin", "who may ask Incus is root"},
	{"libvirt", "who may ask libvirt is root"},
}

// inGroup tells whether the daemon will be in a group.
func (c *compiler) inGroup(gid uint32) bool {
	groups := c.env.Groups
	if c.setGroup {
		groups = c.groups
	}
	return c.gid == gid || slices.Contains(groups, gid)
}

// may tells whether the daemon has a right to a file by its permissions: 1 to search, 2 to
// write, 4 to read.
func (c *compiler) may(o *Owned, right uint32) bool {
	switch {
	case c.has(capDACOverride):
		return true
	case o.UID == c.uid:
		right <<= 6
	case c.inGroup(o.GID):
		right <<= 3
	}
	return o.Mode&right != 0
}

// commandNotes are of a command that execve(2) gives to another user, or other
// capabilities.
func (c *compiler) commandNotes() {
	f := &c.env.Seen.Program
	const setUID, setGID = 0o4000, 0o2010 // the latter without the right to execute is another thing
	maps := c.maybeMaps()
	if f.Path == "" || c.elsewhereInView(f.Path) || maps == nil && c.userns != noUserNS {
		return
	}
	// Ids that are not in the user namespace, and capabilities of a root that is not, are void.
	inside := maps == nil || maps.HasUID(f.UID) && maps.HasGID(f.GID)
	suid := f.Mode&setUID != 0 && f.UID != c.uid && inside
	sgid := f.Mode&setGID == setGID && f.GID != c.gid && inside
	view := slices.ContainsFunc(c.plan.Entries, func(e Entry) bool {
		s, ok := e.Step.(ns.NewMounts)
		return ok && s.View.NoSUID
	})
	nosuid := f.NoSUID || view
	what := f.Path + " is set-user-ID"
	if !suid {
		what = f.Path + " is set-group-ID"
	}
	from := c.capFrom()
	switch {
	case !suid && !sgid:
	case nosuid || c.nnp:
		c.note("setid-void", c.p.NoNewPrivileges.From, what+", which is void here: the daemon stays who it is")
		suid, sgid = false, false
	case suid:
		c.note("setid-command", c.p.User.From, what+": it is executed as uid "+id(f.UID)+", and not as uid "+id(c.uid))
	default:
		c.note("setid-command", c.p.User.From, what+": it is executed with gid "+id(f.GID)+", and not with gid "+id(c.gid))
	}
	has := f.HasCaps && (maps == nil || maps.HasUID(0))
	capable := has && !nosuid
	gains := f.Caps.Intersect(c.final.Bounding)
	if c.nnp {
		gains = gains.Intersect(c.final.Permitted)
	}
	switch lacks := f.Caps.Without(c.final.Bounding); {
	case !capable:
		if has {
			c.note("setid-void", c.p.NoNewPrivileges.From, f.Path+" has file capabilities, which are void here: nosuid")
		}
	case f.Effective && lacks != 0:
		c.note("file-capabilities", from, f.Path+" has file capabilities, and the bounding set lacks "+lacks.String()+": execve(2) answers EPERM")
	case c.uid != 0 && gains != 0:
		c.note("file-capabilities", from, f.Path+" has file capabilities: it starts with "+gains.String())
	case c.uid != 0 && c.nnp:
		c.note("setid-void", c.p.NoNewPrivileges.From, f.Path+" has file capabilities, which are void here: the daemon gets none by them")
	}
	if c.final.Ambient != 0 && (suid || sgid || capable) && (c.uid != 0 || c.bits&caps.SecbitNoRoot != 0) {
		c.note("ambient-lost", c.p.AmbientCapabilities.From, f.Path+" is set-user-ID, set-group-ID or has file capabilities: for such a program execve(2) clears the ambient set, "+c.final.Ambient.String())
	}
}

// elsewhereInView tells whether a path of the host may be another file in the daemon's view.
func (c *compiler) elsewhereInView(path string) bool {
	p := c.p
	if p.MinimalRoot.V || asked(p.PrivateTmp, "no") && (below(path, "/tmp") || below(path, "/var/tmp")) {
		return true
	}
	for i := range p.Binds.Items {
		if below(path, p.Binds.Items[i].V.Target) {
			return true
		}
	}
	return slices.ContainsFunc(p.TemporaryFileSystem.Items, func(t policy.Item[policy.Tmpfs]) bool { return below(path, t.V.Path) })
}

// below tells whether a path is at or below another.
func below(path, top string) bool {
	return path == top || strings.HasPrefix(path, strings.TrimRight(top, "/")+"/")
}

// insideNotes are of capabilities that a user namespace makes void, user_namespaces(7).
func (c *compiler) insideNotes() {
	p := c.p
	if c.userns == noUserNS || !p.AmbientCapabilities.Set {
		return
	}
	const net = caps.Set(1<<10 | 1<<12 | 1<<13) // NET_BIND_SERVICE, NET_ADMIN, NET_RAW
	const host = caps.Set(1<<capIPCLock | 1<<capSysModule | 1<<capSysRawIO | 1<<capSysNice | 1<<25 | 1<<capMknod | 1<<34)
	void := c.final.Ambient.Intersect(host)
	if own := p.PrivateNetwork.V && c.userns == firstUserNS && (!c.outer || c.delegated()&ns.NewNet != 0); !own {
		void = void.Union(c.final.Ambient.Intersect(net))
	}
	if void != 0 {
		c.note("capability-inside", p.AmbientCapabilities.From, void.String()+" gives nothing over the host, nor over a network of the host: the daemon is in a user namespace, and its capabilities count inside")
	}
}

// reachNotes are of what stays within reach.
func (c *compiler) reachNotes() {
	p := c.p
	f := p.RestrictAddressFamilies
	const unix = 1 // AF_UNIX
	if f.Set && slices.Contains(f.V.Listed, unix) != f.V.Allow || !c.passes("socket") || !c.passes("connect") {
		return
	}
	if v := p.PrivateNetwork; v.V && !hasRoot(p) && !p.MinimalRoot.V {
		c.note("unix-reachable", v.From, "PrivateNetwork= does not part the daemon from unix sockets that have a path in its view; those of the abstract namespace it does")
	}
	for i := range c.env.Seen.Sockets {
		s := &c.env.Seen.Sockets[i]
		if !c.shows(s.Path) {
			continue
		}
		reach := true
		for j := range s.Way {
			right := uint32(1)
			if j == len(s.Way)-1 {
				right = 2
			}
			reach = reach && c.may(&s.Way[j], right)
		}
		if reach {
			c.note("host-socket", p.User.From, s.Path+" can be connected to: who may ask there is root on the host; InaccessiblePaths="+s.Path+" hides it")
		}
	}
}

// shows tells whether the view shows what the host has at a path.
func (c *compiler) shows(path string) bool {
	p := c.p
	bound := slices.ContainsFunc(p.Binds.Items, func(b policy.Item[policy.Bind]) bool { return below(path, b.V.Source) })
	if hasRoot(p) || p.MinimalRoot.V {
		return bound
	}
	for i := range p.InaccessiblePaths.Items {
		if below(path, p.InaccessiblePaths.Items[i].V.Path) {
			return false
		}
	}
	return bound || !slices.ContainsFunc(p.TemporaryFileSystem.Items, func(t policy.Item[policy.Tmpfs]) bool { return below(path, t.V.Path) })
}

// environmentNotes are of secrets in the environment.
func (c *compiler) environmentNotes() {
	for i := range c.p.Environment.Items {
		it := &c.p.Environment.Items[i]
		if name, value, _ := strings.Cut(it.V, "="); value != "" && secret(name) {
			c.note("secret-environment", it.From, "Environment="+name+"=… looks like a secret: it stays readable where it was written, and every child inherits it; LoadCredential= is a file for the daemon's user alone")
		}
	}
}

// secret tells whether a variable is most likely named for a secret, and not for the file
// in which one is.
func secret(name string) bool {
	name = strings.ToUpper(name)
	for _, end := range [...]string{"_FILE", "_PATH", "_DIR", "_DIRECTORY", "_URL", "_TTL", "_EXPIRY"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	for _, part := range [...]string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// inherited says what was not asked for, and so stays as it was.
func (c *compiler) inherited() {
	var left []string
	p, elsewhere := c.p, !c.env.linux()
	service := c.given.Unit != ""
	for _, x := range []struct {
		asked bool
		what  string
	}{
		{p.User.Set, "user"},
		{c.setGroup, "groups"},
		{p.CapabilityBoundingSet.Set || elsewhere, "bounding set"},
		{c.nnp || elsewhere, "no_new_privs (execve may raise privileges)"},
		{p.ClearEnv.V, "environment"},
		{p.UMask.Set, "umask"},
		{p.WorkingDirectory.Set || p.RootDirectory.Set || p.MinimalRoot.V, "working directory"},
		{p.KeyringMode.Set && p.KeyringMode.V != process.KeyringInherit || elsewhere, "session keyring"},
		{c.replaced == [3]bool{true, true, true} || service, "standard streams"},
		{service || elsewhere, "signals that are ignored or blocked"},
	} {
		if !x.asked {
			left = append(left, x.what)
		}
	}
	if len(left) > 0 {
		c.note("inherited", policy.Origin{}, "left as inherited: "+strings.Join(left, ", "))
	}
}
