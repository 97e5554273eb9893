package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/order"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
)

// The capabilities that steps need, by their numbers in linux/capability.h.
const (
	capKill        = 5
	capSetGID      = 6
	capSetUID      = 7
	capSetPcap     = 8
	capSysChroot   = 18
	capSysAdmin    = 21
	capSysNice     = 23
	capMknod       = 27
	capSysResource = 24
	capSetFCap     = 31
	capMacAdmin    = 33
)

// compiler holds what is being compiled, and what came of it so far.
type compiler struct {
	p     *policy.Policy
	env   *Env
	plan  *Plan
	given *Given

	uid, gid   uint32   // who the daemon will be
	groups     []uint32 // with changes: its exact groups
	setGroup   bool
	dropped    bool // the identity changes
	final      CapState
	setCaps    bool // the three sets of capset(2) are set exactly
	bits       caps.SecureBits
	nnp        bool
	impliedNNP string // why no_new_privs is set though nobody wrote it
	noRings    uint16 // who has io_uring denied, among the filter's sources
	keepsTTY   bool
	filtered   bool          // a filter is loaded
	filteredBy policy.Origin // where it was asked for
	calls      *policy.Calls // SystemCallFilter=, merged; nil for none
	userns     userNS
	outer      bool         // root made, before it, what it shall not own
	firstMaps  *ns.UserMaps // of a user namespace that comes first
	lacked     caps.Set     // what the bounding set lacked before it, of root
	lastNS     *lastUserNamespaceStep
	start      *Start  // what a second start is or was for; nil where there is none
	replaced   [3]bool // standard streams that are connected anew
	notifyAt   string  // where the daemon finds the socket of NOTIFY_SOCKET, if elsewhere
}

// Compile makes the plan for a policy on a machine. It is pure: the same policy
// and the same Env give the same plan. Everything that cannot be had is in
// Plan.Refused, all of it together, each by the name of its directive.
func Compile(asked *policy.Policy, env *Env) *Plan {
	p := policyFor(*asked, env.given())
	c := &compiler{p: &p, env: env, plan: &Plan{For: env.For, handles: env.handles}, given: env.given()}
	c.plan.Entries = make([]Entry, 0, 32)
	c.identity()
	c.plan.Implied = p.Normalize(c.uid == 0)
	c.plan.Refused = append(c.plan.Refused, env.Problems...)
	c.notApplied()
	if env.linux() {
		c.add(StageProcess, guard{}, "", policy.Origin{}, ExitExec).Because = "another process of the daemon's user must not get hold of this one"
	} else {
		c.elsewhere()
	}
	c.terminal()
	c.namespaces()
	c.streams()
	c.view()
	c.landlock()
	c.leadsOut()
	c.command()
	c.directory()
	c.descriptors()
	c.process()
	c.limits()
	c.filter()
	c.keptTerminal()
	c.credentials()
	c.cgroups()
	c.environment()
	c.ending()
	c.withoutLinux()
	if p.User.Set && !asked.User.Set {
		c.renameUser()
	}
	c.waive()
	// What cannot be meant comes before what is not here: its status is the one.
	order.By(c.plan.Refused, func(a, b *Refusal) bool { return a.Exit == ExitUsage && b.Exit != ExitUsage })
	c.number()
	c.explainStart()
	if env.For != "launch" && !env.Aside {
		c.notes()
	}
	return c.plan
}

// add puts a step into the plan. The directive is named without its "=".
func (c *compiler) add(stage Stage, step Step, directive string, from policy.Origin, exit int) *Entry {
	if directive != "" {
		directive += "="
	}
	c.plan.Entries = append(c.plan.Entries, Entry{Stage: stage, Step: step, Directive: directive, Origin: from, Exit: exit})
	return &c.plan.Entries[len(c.plan.Entries)-1]
}

// refuse notes what cannot be had.
func (c *compiler) refuse(directive string, from policy.Origin, exit int, text string) {
	c.plan.Refused = append(c.plan.Refused, Refusal{Directive: directive + "=", Origin: from, Text: text, Exit: exit})
}

// last is the refusal that was noted last.
func (c *compiler) last() *Refusal { return &c.plan.Refused[len(c.plan.Refused)-1] }

// need refuses a directive for want of a capability, where there are none for
// want of root.
func (c *compiler) need(n int, directive string, from policy.Origin, exit int, what string) bool {
	if !c.env.linux() {
		if c.env.UIDs[1] != 0 {
			c.refuse(directive, from, exit, what+" needs root")
		}
		return c.env.UIDs[1] == 0
	}
	if c.userns == firstUserNS && hostOnly(n) {
		c.refuse(directive, from, exit, what+" needs "+strings.ToUpper(caps.Name(n))+" outside of the user namespace, which there is not")
		if d := policy.Lookup(directive); d != nil {
			c.last().Waivable = d.Class.Waivable()
		}
		return false
	}
	if c.env.Caps.Effective.Has(n) {
		return true
	}
	for i := range c.env.Problems {
		if c.env.Problems[i].Directive == directive+"=" {
			return false // it is refused already, for a reason that is nearer
		}
	}
	c.refuse(directive, from, exit, what+" needs "+strings.ToUpper(caps.Name(n))+", which this environment does not have")
	r := c.last()
	if d := policy.Lookup(directive); d != nil {
		r.Waivable = d.Class.Waivable()
	}
	return false
}

// identity decides who the daemon will be. Zero never stands for "not asked".
func (c *compiler) identity() {
	p, env := c.p, c.env
	c.uid, c.gid = env.UIDs[1], env.GIDs[1]
	if p.User.Set {
		c.uid, c.gid = env.User.UID, env.User.GID
		c.groups, c.setGroup = env.UserGroups, true
	}
	if p.Group.Set {
		c.gid = env.Group.GID
		if p.User.Set {
			// initgroups(3) puts the primary group of the process into the list.
			c.groups = append([]uint32{c.gid}, without(c.groups, env.User.GID)...)
		} else {
			c.groups = []uint32{c.gid}
		}
		c.setGroup = true
	}
	if p.ExactGroups.Set {
		c.groups = []uint32{c.gid}
	}
	if p.SupplementaryGroups.IsSet() {
		if !c.setGroup && len(env.Extra) > 0 {
			c.groups = nil // without User=, systemd.exec(5): exactly the listed ones
			c.setGroup = true
		}
		c.groups = append(slices.Clone(c.groups), env.Extra...)
	}
	c.groups = unique(c.groups)
	c.dropped = c.uid != env.UIDs[0] || c.uid != env.UIDs[1] || c.uid != env.UIDs[2]
}

func without(list []uint32, n uint32) []uint32 {
	var kept []uint32
	for _, v := range list {
		if v != n {
			kept = append(kept, v)
		}
	}
	return kept
}

func unique[T comparable](list []T) []T {
	var kept []T
	for _, v := range list {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// renameUser names the directive that asks for a user whom nobody wrote.
func (c *compiler) renameUser() {
	const was, is = "User=", "DynamicUser="
	for i := range c.plan.Entries {
		if e := &c.plan.Entries[i]; e.Directive == was {
			e.Directive = is
		}
	}
	for i := range c.plan.Refused {
		if r := &c.plan.Refused[i]; r.Directive == was {
			r.Directive = is
		}
	}
}

// notApplied refuses what is known and not applied, and notes what belongs to a
// service manager.
func (c *compiler) notApplied() {
	for _, a := range c.p.NotApplied {
		d := a.Directive
		text := "known, not yet applied"
		if d.Support == policy.Impossible {
			text = "cannot be had without systemd"
		}
		if why := strings.TrimPrefix(d.Why, "not yet applied: "); why != "" {
			text += ": " + why
		}
		c.refuse(d.ConfigName(), a.From, ExitBadUnit, text)
		c.last().Waivable = d.Class.Waivable()
	}
	for _, a := range c.p.Noted {
		if a.Directive.Class == policy.ClassLog {
			c.note("log", a.From, a.Directive.ConfigName()+"="+a.Value+" ("+a.From.String()+") is not applied: "+a.Directive.Why)
			continue
		}
		c.note("manager", a.From, a.Directive.ConfigName()+"="+a.Value+" ("+a.From.String()+") belongs to a service manager")
	}
}

// terminal gives up a shared terminal where the daemon could type into it.
func (c *compiler) terminal() {
	p := c.p
	switch {
	case c.env.Terminal && c.dropped && !p.KeepTTY.V:
		e := c.add(StageTerminal, process.GiveUpTerminal{}, "User", p.User.From, ExitStdin)
		e.Because = "a daemon of another user could type into the shell that started it (TIOCSTI)"
	case c.env.Terminal && c.dropped:
		c.keepsTTY = true
	}
}

// keptTerminal says what comes of a terminal that is kept.
func (c *compiler) keptTerminal() {
	switch {
	case !c.keepsTTY:
	case c.plan.Filter != nil:
		c.note("keep-tty", c.p.KeepTTY.From, "--keep-tty: the daemon shares a terminal with who started it; that it types there (TIOCSTI) is forbidden by the filter")
	default:
		c.note("keep-tty", c.p.KeepTTY.From, "--keep-tty: the daemon shares a terminal with who started it, and can type there (TIOCSTI)")
	}
}

// root is RootDirectory=: pivot_root(2) in an own mount namespace where that can
// be had, else chroot(2).
func (c *compiler) root() {
	p := c.p
	if !p.RootDirectory.Set || p.RootDirectory.V == "/" {
		return
	}
	from, name := p.RootDirectory.From, "RootDirectory"
	state := &ns.RootState{Dir: p.RootDirectory.V}
	pivot := c.env.linux() && c.env.Proc && c.env.Caps.Effective.Has(capSysAdmin)
	if !pivot && !c.need(capSysChroot, name, from, ExitChroot, "chroot(2)") {
		return
	}
	if pivot {
		c.add(StageNamespaces, ns.UnshareMounts{Root: state}, name, from, ExitNamespace)
		c.add(StageMounts, ns.BindRoot{Root: state}, name, from, ExitNamespace)
	} else if c.env.linux() {
		c.note("chroot", from, "chroot(2) in place of pivot_root(2): a mount namespace needs CAP_SYS_ADMIN and /proc")
	}
	c.add(StageRoot, ns.ChangeRoot{Root: state, Pivot: pivot}, name, from, ExitChroot)
}

// leadsOut refuses a standard stream by which the daemon could get around its view, or
// out of its root: openat(2) and fchdir(2) take a directory for what it was when it was
// opened (CVE-2024-21626).
func (c *compiler) leadsOut() {
	what := "its root"
	name, from := "RootDirectory", c.p.RootDirectory.From
	if !hasRoot(c.p) {
		what = "its view of the file system"
		if name, from = asksView(c.p, c.given); name == "" {
			return
		}
	}
	for fd, stream := range [3]string{"StandardInput", "StandardOutput", "StandardError"} {
		if c.env.Leads>>fd&1 == 0 || c.replaced[fd] {
			continue
		}
		c.refuse(stream, from, streamExit[fd], "descriptor "+strconv.Itoa(fd)+" is a directory of the host, by which the daemon could get around "+what+" ("+name+"=)")
		c.last().Hint = stream + "=null, or a file, closes that"
	}
}

// directory is WorkingDirectory=. With a new root and nothing asked, the working
// directory is the new root's "/", which the change of root sees to.
func (c *compiler) directory() {
	p := c.p
	if !p.WorkingDirectory.Set {
		return
	}
	path := p.WorkingDirectory.V.V
	if path == "~" {
		path = c.env.User.Home
		if !p.User.Set || path == "" {
			c.refuse("WorkingDirectory", p.WorkingDirectory.From, ExitChdir, "\"~\" needs a User= with a home directory")
			return
		}
	}
	step := &process.ChangeDir{Path: path, Tolerate: p.WorkingDirectory.V.Tolerate}
	c.add(StageChdir, step, "WorkingDirectory", p.WorkingDirectory.From, ExitChdir)
}

func (c *compiler) descriptors() {
	step := &process.CloseDescriptors{Table: c.env.FDSize}
	var from policy.Origin
	name := ""
	passed := c.pass()
	for i := range passed {
		step.Keep = append(step.Keep, process.FirstPassed+i)
	}
	for _, fd := range c.p.KeepFD.Items {
		if len(c.given.Sockets) > 0 && fd.V < process.FirstPassed+passed && fd.V > 2 {
			c.refuse("X-Hardrun-KeepFD", fd.From, ExitFDs, "descriptor "+strconv.Itoa(fd.V)+" is the number of one of the "+strconv.Itoa(passed)+" that are passed")
			continue
		}
		step.Keep = append(step.Keep, fd.V)
		name, from = "X-Hardrun-KeepFD", fd.From
	}
	c.add(StageDescriptors, step, name, from, ExitFDs)
}

// pass moves the descriptors of a service to their places, and answers how many there are.
// Those that were passed to hardrun come behind its own. The one that is a standard stream is
// that alone.
func (c *compiler) pass() int {
	own := c.given.Sockets
	switch {
	case c.socketStream():
		return 0
	case len(own) == 0:
		return c.env.Listen
	}
	step := &process.PassDescriptors{}
	for i := range own {
		mode := process.Blocks
		if own[i].NonBlocking {
			mode = process.NonBlocking
		}
		step.From, step.Modes = append(step.From, own[i].FD), append(step.Modes, mode)
	}
	inherited := process.AsPassed
	if v := c.p.Service.NonBlocking; v.Set {
		inherited = process.Blocks
		if v.V {
			inherited = process.NonBlocking
		}
	}
	for i := range c.env.Listen {
		step.From, step.Modes = append(step.From, process.FirstPassed+i), append(step.Modes, inherited)
	}
	c.add(StageDescriptors, step, "", policy.Origin{}, ExitFDs)
	return len(step.From)
}

// limits sets each limit where it neither lacks privilege nor breaks the launch:
// a hard limit is raised before the change of uid, everything else comes last.
func (c *compiler) limits() {
	for n, l := range c.p.Limits {
		if !l.Set {
			c.restoreLimit(n)
			continue
		}
		now := c.env.Limits[n]
		name := "Limit" + process.LimitName(n)
		want := l.V
		if l.From.Default && want.Hard > now.Hard && !c.mayRaise() {
			want = process.Limit{Soft: min(want.Soft, now.Hard), Hard: now.Hard}
			c.note("default", l.From, name+"="+want.String(n)+" in place of the default "+l.V.String(n)+": raising the hard limit needs CAP_SYS_RESOURCE")
		}
		if want.Hard > now.Hard {
			if !c.need(capSysResource, name, l.From, ExitLimits, "raising the hard limit from "+process.Limit{Soft: now.Hard, Hard: now.Hard}.String(n)) {
				c.restoreLimit(n)
				continue
			}
			first := process.Limit{Soft: max(want.Soft, min(now.Soft, want.Hard)), Hard: want.Hard}
			e := c.add(StageRaise, process.SetLimit{N: n, Limit: first}, name, l.From, ExitLimits)
			if first == want {
				continue
			}
			e.Transient = true
		}
		c.add(StageLower, process.SetLimit{N: n, Limit: want}, name, l.From, ExitLimits)
	}
}

// mayRaise tells whether hard limits can be raised.
func (c *compiler) mayRaise() bool {
	if !c.env.linux() {
		return c.env.UIDs[1] == 0
	}
	return c.userns != firstUserNS && c.env.Caps.Effective.Has(capSysResource)
}

// RLIMIT_ numbers that are asked for by name.
const (
	limitNOFILE = 7
	limitNICE   = 13
	limitRTPRIO = 14
)

// restoreLimit gives the daemon the soft limits that were raised for hardrun: by
// the constructor, or by the Go runtime (NOFILE). On other systems the exec of
// package syscall does it, which alone knows what the limit was.
func (c *compiler) restoreLimit(n int) {
	if !c.env.linux() {
		return
	}
	was := c.env.Limits[n]
	if c.env.Raised>>n&1 == 1 || n == limitNOFILE && was.Soft != was.Hard {
		e := c.add(StageLower, process.SetLimit{N: n, Limit: was}, "", policy.Origin{}, ExitLimits)
		e.Because = "hardrun starts with another soft limit"
	}
}

// ending are the last steps, which are in every plan.
func (c *compiler) ending() {
	env, p := c.env, c.p
	if env.linux() {
		c.affinity()
	}
	signals := process.SetSignals{Ignored: env.Ignored, Blocked: env.Blocked, Inherited: true}
	if c.given.Unit != "" { // a service starts with none ignored and none blocked
		signals = process.SetSignals{}
	}
	var from policy.Origin
	name := ""
	if p.IgnoreSIGPIPE.Set {
		const sigpipe = 1 << (13 - 1)
		signals.Inherited = false
		signals.Ignored &^= sigpipe
		if p.IgnoreSIGPIPE.V {
			signals.Ignored |= sigpipe
		}
		name, from = "IgnoreSIGPIPE", p.IgnoreSIGPIPE.From
	}
	if env.linux() || p.IgnoreSIGPIPE.Set {
		c.add(StageSignals, signals, name, from, ExitSignals)
	}
	for fd := range 3 {
		switch {
		case c.replaced[fd]:
		case env.Closed>>fd&1 == 1:
			c.add(StageStandard, process.CloseStandard{FD: fd}, "", policy.Origin{}, ExitFDs)
		case env.linux():
			c.add(StageStandard, process.KeepStandard{FD: fd, Dev: env.Standard[fd].Dev, Ino: env.Standard[fd].Ino}, "", policy.Origin{}, ExitFDs)
		}
	}
	c.add(StageExec, &execStep{c.plan}, "", policy.Origin{}, ExitExec)
}

// waive moves the refusals that were waived by name to Plan.Waived. Under
// --strict nothing is waived. What nobody wrote is noted.
func (c *compiler) waive() {
	kept := c.plan.Refused[:0]
	for _, r := range c.plan.Refused {
		if r.Origin.Default {
			c.note("default", r.Origin, r.Directive+" is left out, which nobody wrote: "+r.Text)
			continue
		}
		if r.Waivable && !c.p.Strict.V && c.waived(strings.TrimSuffix(r.Directive, "=")) {
			c.plan.Waived = append(c.plan.Waived, r)
			continue
		}
		kept = append(kept, r)
	}
	c.plan.Refused = kept
}

func (c *compiler) waived(name string) bool {
	for _, w := range c.p.Waive.Items {
		if w.V == strings.TrimPrefix(name, "X-Hardrun-") {
			return true
		}
	}
	return false
}

// number sorts the steps into their stages, and gives each a group of its own
// for waivers and pending refusals.
func (c *compiler) number() {
	order.By(c.plan.Entries, func(a, b *Entry) bool { return a.Stage < b.Stage })
	for i := range c.plan.Entries {
		e := &c.plan.Entries[i]
		e.group = uint8(min(i+1, 63))
		if !c.p.Strict.V && e.Directive != "" && c.allWaived(e.Directive) {
			e.flags = row.Waivable
		}
		if e.Origin.Default && (e.Stage == StageKeyring || e.Stage == StageRaise || e.Stage == StageLower) {
			e.flags = row.Optional
		}
		switch e.Step.(type) {
		case ns.NewMounts, ns.NewRoot, ns.EnterRoot, ns.SealView: // what every directive of the view needs
			e.flags = c.viewWaived()
		}
	}
}

// allWaived tells whether all the directives of a step, "A=" or "A= B=", are waived.
func (c *compiler) allWaived(directives string) bool {
	for _, name := range strings.Fields(directives) {
		if !c.waived(strings.TrimSuffix(name, "=")) {
			return false
		}
	}
	return true
}

// viewWaived lets a mount namespace be given up where everything that needs it is.
func (c *compiler) viewWaived() uint8 {
	flags, asked := row.Waivable, false
	eachView(c.p, c.given, func(name string, _ policy.Origin) bool {
		asked = true
		if d := policy.Lookup(name); c.p.Strict.V || d == nil || !d.Class.Waivable() || !c.waived(name) {
			flags = 0
		}
		return flags != 0
	})
	if !asked && !c.given.bootedAlone() {
		return 0 // it is made for a user namespace, which nobody has waived
	}
	return flags
}
