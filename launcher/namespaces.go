package launcher

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
)

// userNS says whether the daemon gets a user namespace, and when.
type userNS uint8

const (
	noUserNS    userNS = iota
	firstUserNS        // before everything else, in a second start: it gives the right to all the rest
	lastUserNS         // after mounts and groups: what was made before belongs to the host's root
)

// namespaces plans every namespace but that of mounts. They are made in the order
// of systemd: a new /proc must show the new PID namespace, a new /sys the new
// network, a new /dev/mqueue the new IPC namespace.
func (c *compiler) namespaces() {
	p := c.p
	c.userNamespace()
	c.again()
	c.unshares(ns.NewNet, "PrivateNetwork", p.PrivateNetwork, "NetworkNamespacePath", p.NetworkNamespacePath, c.given.Net)
	c.unshares(ns.NewIPC, "PrivateIPC", p.PrivateIPC, "IPCNamespacePath", p.IPCNamespacePath, c.given.IPC)
	if v := p.ProtectControlGroups; v.V == "private" || v.V == "strict" {
		if c.privileged("ProtectControlGroups", v.From, "a cgroup namespace") {
			c.namespace(ns.NewCgroup, &ns.Unshare{Kind: ns.NewCgroup}, "ProtectControlGroups", v.From)
		}
	}
	if h := p.ProtectHostname; h.Set && h.V.Mode != "no" && c.privileged("ProtectHostname", h.From, "a UTS namespace") {
		c.namespace(ns.NewUTS, &ns.Unshare{Kind: ns.NewUTS}, "ProtectHostname", h.From)
		if h.V.Name != "" {
			c.namespace(ns.NewUTS, ns.SetHostname{Name: h.V.Name}, "ProtectHostname", h.From)
		}
	}
}

// namespace adds a step of a namespace. Where root gives some of them to a user
// namespace that comes first, the others are made before it, in the first start.
func (c *compiler) namespace(kind ns.Kinds, step Step, name string, from policy.Origin) {
	stage := StageNamespaces
	if c.outer && c.delegated()&kind == 0 {
		if c.env.Again.UserNS {
			return // it was done
		}
		stage = StageBefore
	}
	c.add(stage, step, name, from, ExitNamespace)
}

// unshares plans a namespace that is made, or joined by its path: the path wins. What was
// made for all commands of the service is joined in place of an own one.
func (c *compiler) unshares(kind ns.Kinds, name string, private policy.Opt[bool], pathName string, path policy.Opt[string], given int) {
	switch {
	case path.Set:
		if c.privileged(pathName, path.From, "setns(2)") {
			c.namespace(0, &ns.Join{Kind: kind, Path: path.V}, pathName, path.From)
		}
	case private.V:
		if !c.privileged(name, private.From, "a namespace") {
			return
		}
		if given > 2 {
			c.namespace(0, &ns.Join{Kind: kind, Open: given}, name, private.From)
			return
		}
		c.namespace(kind, &ns.Unshare{Kind: kind}, name, private.From)
		if kind == ns.NewNet {
			c.namespace(kind, ns.LoopbackUp{}, name, private.From)
		}
	}
}

// canUnshare tells whether namespaces can be had: with CAP_SYS_ADMIN, or in a user
// namespace of the caller.
func (c *compiler) canUnshare() bool {
	return c.env.linux() && c.env.Caps.Effective.Has(capSysAdmin) && c.env.Proc
}

// canMount tells whether mounts can be had. In a chroot(2), whose root is no mount,
// they need the right to enter that of the mount namespace.
func (c *compiler) canMount() bool {
	return c.canUnshare() && (!c.env.InChroot || c.env.Caps.Effective.Has(capSysChroot))
}

// privileged refuses a directive where neither CAP_SYS_ADMIN nor a user namespace
// can be had. It refuses once.
func (c *compiler) privileged(name string, from policy.Origin, what string) bool {
	if c.canUnshare() {
		return true
	}
	for i := range c.plan.Refused {
		if c.plan.Refused[i].Directive == name+"=" && c.plan.Refused[i].Origin == from {
			return false
		}
	}
	switch {
	case !c.env.linux():
		return false // it was refused with all else that is Linux's
	case c.env.Caps.Effective.Has(capSysAdmin):
		c.refuse(name, from, ExitNamespace, what+" is read back from /proc, and there is none")
	case c.env.Again.Denied != 0:
		c.refuse(name, from, ExitNamespace, what+" needs CAP_SYS_ADMIN or a user namespace, and unshare(CLONE_NEWUSER) answered: "+errnoText(c.env.Again.Denied))
	default:
		c.refuse(name, from, ExitNamespace, what+" needs CAP_SYS_ADMIN, which this environment does not have")
	}
	if d := policy.Lookup(name); d != nil {
		c.last().Waivable = d.Class.Waivable()
	}
	return false
}

// onlyLandlock tells whether everything that was asked for may be done by Landlock:
// then no user namespace is made for it.
func (c *compiler) onlyLandlock() bool {
	p := c.p
	if len(p.AllowLandlock.Items) == 0 || p.PrivateNetwork.V || p.PrivateIPC.V || p.PrivatePIDs.V || p.ProtectHostname.Set {
		return false
	}
	all := true
	eachView(p, c.given, func(name string, _ policy.Origin) bool {
		all = c.landlockable(name)
		return all
	})
	return all
}

// asksNamespaces are the directives that need a namespace other than a user's.
func asksNamespaces(p *policy.Policy, g *Given) (name string, from policy.Origin) {
	for _, a := range [...]struct {
		on   bool
		name string
		from policy.Origin
	}{
		{p.PrivateNetwork.V, "PrivateNetwork", p.PrivateNetwork.From},
		{p.PrivateIPC.V, "PrivateIPC", p.PrivateIPC.From},
		{p.PrivatePIDs.V, "PrivatePIDs", p.PrivatePIDs.From},
		{p.ProtectHostname.V.Mode == "yes" || p.ProtectHostname.V.Mode == "private", "ProtectHostname", p.ProtectHostname.From},
	} {
		if a.on {
			return a.name, a.from
		}
	}
	return asksView(p, g)
}

// userNamespace decides whether there is a user namespace, and when it is made.
func (c *compiler) userNamespace() {
	p, env := c.p, c.env
	asked := p.PrivateUsers.Set && p.PrivateUsers.V != "no" || p.UserNamespacePath.Set
	why, from := "PrivateUsers", p.PrivateUsers.From
	if p.UserNamespacePath.Set {
		why, from = "UserNamespacePath", p.UserNamespacePath.From
	}
	if !env.linux() {
		return
	}
	root := env.UIDs[1] == 0 && env.Caps.Effective.Has(capSysAdmin)
	switch {
	case env.Again.Denied != 0:
		if asked {
			c.refuse(why, from, ExitUser, "a user namespace cannot be had: unshare(CLONE_NEWUSER): "+errnoText(env.Again.Denied))
			c.last().Waivable = true
		}
		return
	case env.Again.UserNS:
		c.userns, c.outer, c.lacked = firstUserNS, env.Again.Outer, env.Again.Lacked
		if !asked {
			why, from = asksNamespaces(p, c.given)
		}
	case p.UserNamespacePath.Set && env.Caps.Effective.Has(capSysAdmin):
		if c.delegates() {
			c.refuse("DelegateNamespaces", p.DelegateNamespaces.From, ExitNamespace, "UserNamespacePath= joins a user namespace that is there: no other namespace can be made for it")
			return
		}
		c.lastUserNamespace()
		return
	case asked && root && c.delegates() && c.delegated()&ns.NewNS == 0 && c.made()&ns.NewNS != 0:
		c.refuse("DelegateNamespaces", p.DelegateNamespaces.From, ExitNamespace, "mounts that the user namespace does not own, with other namespaces that it does, cannot be had")
		c.last().Hint = "DelegateNamespaces=mnt … gives it the mounts as well"
		return
	case asked && root && c.delegates() && c.undelegated() != "":
		names := c.undelegated()
		c.refuse("DelegateNamespaces", p.DelegateNamespaces.From, ExitNamespace, "mounts that the user namespace owns cannot show a namespace that it does not own: "+names)
		c.last().Hint = "DelegateNamespaces=mnt " + names + " gives it those as well"
		return
	case asked && root && !c.delegates():
		c.lastUserNamespace()
		return
	case asked, !env.Caps.Effective.Has(capSysAdmin) && env.UIDs[1] != 0:
		if !asked {
			if why, from = asksNamespaces(p, c.given); why == "" && hasRoot(p) && !env.Caps.Effective.Has(capSysChroot) {
				why, from = "RootDirectory", p.RootDirectory.From
			}
			if why == "" {
				return
			}
			if c.onlyLandlock() {
				return
			}
		}
		if p.UserNamespacePath.Set {
			c.need(capSysAdmin, why, from, ExitUser, "setns(2) into a user namespace")
			return
		}
		c.userns = firstUserNS
	default:
		return
	}
	c.outer = c.outer || root && !env.Again.UserNS
	maps, err := c.maps(p.PrivateUsers.V)
	if err != nil {
		c.refuse(why, from, ExitUser, err.Error())
		c.last().Waivable = true
		return
	}
	if env.UIDs[1] == 0 && !env.Again.UserNS && !c.mappable(maps, why, from) {
		c.userns = noUserNS
		return
	}
	if !c.env.Again.UserNS {
		// Inside, there is every capability; over the host there is none any more.
		inside := *env
		all := caps.All(env.LastCap)
		if env.UIDs[1] == 0 {
			c.lacked = all.Without(env.Caps.Bounding)
		}
		inside.Caps = CapState{Permitted: all, Effective: all, Bounding: all}
		inside.SecureBits = 0
		inside.NoSetgroups = maps.DenySetgroups
		c.env = &inside
	}
	e := c.add(StageAgain, &userNamespaceStep{maps: maps}, why, from, ExitUser)
	e.Because = "without root, a user namespace gives the right to make the other ones"
	if asked {
		e.Because = ""
	}
	if c.outer {
		e.Because = "DelegateNamespaces= gives what follows to it"
	}
	c.firstMaps = maps
}

// maps are the ids of the user namespace. Without root only the own ids can be
// there, user_namespaces(7).
func (c *compiler) maps(mode string) (*ns.UserMaps, error) {
	env := c.env
	root := env.UIDs[1] == 0
	switch mode {
	case "identity", "full":
		if !root && !env.Again.UserNS {
			return nil, errors.New("the ids of others can be mapped by root only: use PrivateUsers=yes")
		}
		m := ns.FullMaps()
		if mode == "identity" {
			m = ns.IdentityMaps()
		}
		if !m.HasUID(c.uid) || !m.HasGID(c.gid) {
			return nil, errors.New("the ids of the daemon are not among those it maps: use PrivateUsers=full or yes")
		}
		return m, nil
	}
	uid, gid := c.uid, c.gid
	if c.userns == firstUserNS && !root {
		uid, gid = env.UIDs[1], env.GIDs[1]
	}
	return ns.SelfMaps(uid, gid, root), nil
}

// mappable refuses maps that could not be written: for want of a capability, or as
// there are no such ids here, user_namespaces(7).
func (c *compiler) mappable(m *ns.UserMaps, name string, from policy.Origin) bool {
	single := func(l []ns.UserMap, own uint32) bool { return len(l) == 1 && l[0].Count == 1 && l[0].Outside == own }
	needs := []int{capSetFCap} // id 0 is mapped, Linux 5.12
	if !single(m.UID, c.env.UIDs[1]) {
		needs = append(needs, capSetUID)
	}
	if !single(m.GID, c.env.GIDs[1]) || !m.DenySetgroups {
		needs = append(needs, capSetGID)
	}
	for _, n := range needs {
		if !c.need(n, name, from, ExitUser, "mapping the ids of root") {
			return false
		}
	}
	for _, l := range [][2][]ns.UserMap{{m.UID, c.env.UIDMap}, {m.GID, c.env.GIDMap}} {
		if len(l[1]) == 0 || ns.Covers(l[1], l[0]) {
			continue // a plan for another machine knows of none
		}
		c.refuse(name, from, ExitUser, "not all of these ids are there in this user namespace: "+m.String())
		c.last().Waivable = true
		return false
	}
	return true
}

// lastUserNamespace is that of root: made by the executor, in a process of one
// thread, after everything that must belong to the host.
func (c *compiler) lastUserNamespace() {
	p := c.p
	if p.UserNamespacePath.Set {
		if !c.privileged("UserNamespacePath", p.UserNamespacePath.From, "setns(2)") {
			return
		}
		c.userns = lastUserNS
		step := &joinUserNamespace{Join: &ns.Join{Kind: ns.NewUser, Path: p.UserNamespacePath.V}, self: c.env.self}
		c.plan.join = step.Join
		c.add(StageUserNS, step, "UserNamespacePath", p.UserNamespacePath.From, ExitUser)
		return
	}
	if !c.privileged("PrivateUsers", p.PrivateUsers.From, "a user namespace") {
		return
	}
	maps, err := c.maps(p.PrivateUsers.V)
	if err != nil {
		c.refuse("PrivateUsers", p.PrivateUsers.From, ExitUser, err.Error())
		c.last().Waivable = true
		return
	}
	if !c.mappable(maps, "PrivateUsers", p.PrivateUsers.From) {
		return
	}
	if c.env.InChroot && !c.mounts("PrivateUsers", p.PrivateUsers.From, "a user namespace") {
		return
	}
	c.userns = lastUserNS
	c.lastNS = &lastUserNamespaceStep{maps: maps, self: c.env.self}
	c.add(StageUserNS, c.lastNS, "PrivateUsers", p.PrivateUsers.From, ExitUser)
	if p.PrivateUsers.V == "self" && p.SupplementaryGroups.IsSet() {
		c.note("groups-unmapped", p.SupplementaryGroups.From, "PrivateUsers=yes: supplementary groups hold, and are seen as nobody's inside")
	}
}

// delegates tells whether a namespace is to belong to the user namespace, so that
// this must come first.
func (c *compiler) delegates() bool {
	return c.delegated()&c.made() != 0
}

// delegated are the kinds which DelegateNamespaces= names, and mounts with those
// that bring a file system along, systemd.exec(5).
func (c *compiler) delegated() ns.Kinds {
	d := c.p.DelegateNamespaces.V
	if c.given.Net > 2 {
		d &^= ns.NewNet // others have it, too
	}
	if c.given.IPC > 2 {
		d &^= ns.NewIPC
	}
	if d&c.made()&(ns.NewNet|ns.NewPID|ns.NewCgroup) != 0 {
		d |= ns.NewNS
	}
	return d
}

// made are the kinds of namespaces that the plan makes.
func (c *compiler) made() ns.Kinds {
	p := c.p
	var k ns.Kinds
	if p.PrivateNetwork.V {
		k |= ns.NewNet
	}
	if p.PrivateIPC.V {
		k |= ns.NewIPC
	}
	if p.PrivatePIDs.V {
		k |= ns.NewPID
	}
	if p.ProtectHostname.V.Mode == "yes" || p.ProtectHostname.V.Mode == "private" {
		k |= ns.NewUTS
	}
	if p.ProtectControlGroups.V == "private" || p.ProtectControlGroups.V == "strict" {
		k |= ns.NewCgroup
	}
	if name, _ := asksView(p, c.given); name != "" {
		k |= ns.NewNS
	}
	return k
}

// undelegated names the namespaces with a file system of their own (/sys, /proc,
// /dev/mqueue, /sys/fs/cgroup) which are not given away though the mounts are.
func (c *compiler) undelegated() string {
	var names []string
	for _, k := range [...]ns.Kinds{ns.NewCgroup, ns.NewIPC, ns.NewNet, ns.NewPID} {
		if c.made()&k == 0 || c.delegated()&k != 0 || k == ns.NewNet && refusesMounts(c.p) {
			continue
		}
		names = append(names, k.Name())
	}
	return strings.Join(names, " ")
}

// again plans what needs a second start.
func (c *compiler) again() {
	p, env := c.p, c.env
	if !env.linux() {
		return
	}
	start := &Start{UserNS: c.firstMaps, Outer: c.outer, Denied: env.Again.Denied, Lacked: c.lacked}
	c.start = start
	if p.PrivatePIDs.V {
		switch {
		case p.Parent.V == "never":
			c.refuse("PrivatePIDs", p.PrivatePIDs.From, ExitNamespace, "a PID namespace needs a parent outside of it, and there is --parent=never")
			c.last().Waivable = true
		case c.privileged("PrivatePIDs", p.PrivatePIDs.From, "a PID namespace"):
			start.PIDNS = true
			start.PIDFirst = start.UserNS != nil && c.outer && p.DelegateNamespaces.V&ns.NewPID == 0
			c.add(StageAgain, &pidNamespaceStep{done: env.Again.PIDNS}, "PrivatePIDs", p.PrivatePIDs.From, ExitNamespace)
			c.add(StageDeath, deathSignal{env.Parent, env.ParentSeen}, "PrivatePIDs", p.PrivatePIDs.From, ExitNamespace).Because = "who kills the parent means the daemon"
		}
	}
	if c.given.Death && !start.PIDNS {
		c.add(StageDeath, deathSignal{env.Parent, env.ParentSeen}, "", policy.Origin{}, ExitSignals).Because = "who kills the parent means the service"
	}
	if p.ExplainDenials.V {
		c.explained(start)
	}
	name, from := "X-Hardrun-ExplainDenials", p.ExplainDenials.From
	// In a service it is another parent that ends what is left.
	if kill := killsGroup(p) && c.given.Unit == ""; !start.PIDNS && (p.Init.V || kill && p.Parent.V != "never") {
		name, from = "X-Hardrun-Init", p.Init.From
		if !p.Init.V {
			name, from = "KillMode", p.KillMode.From
		}
		start.Init = true
		c.add(StageAgain, initStep{}, name, from, ExitExec)
	}
	if start.Init && !c.given.Death {
		c.add(StageDeath, deathSignal{env.Parent, env.ParentSeen}, name, from, ExitExec).Because = "who kills the parent means the daemon"
	}
	if start.UserNS != nil && !env.Again.UserNS || start.PIDNS && !env.Again.PIDNS || start.Init && !env.Again.Init || start.Explain && !env.Again.Explain {
		c.plan.Start = start
	}
}

// explained plans the process that explains denials. The daemon must not be its parent:
// one that waits is.
func (c *compiler) explained(start *Start) {
	const name = "X-Hardrun-ExplainDenials"
	from := c.p.ExplainDenials.From
	switch {
	case len(layers(c.p, c.env)) == 0:
		c.note("explain-nothing", from, "--explain-denials: no directive needs a filter, so that nothing is denied by one")
		return
	case c.p.Parent.V == "never":
		c.refuse(name, from, ExitSeccomp, "it needs a parent, and there is --parent=never")
		return
	}
	start.Explain, start.Init = true, !start.PIDNS
	c.add(StageAgain, explainStep{}, name, from, ExitSeccomp)
	if c.p.SeccompBPF.Set {
		c.note("explain-bpf", from, "--explain-denials: what --seccomp-bpf denies is not explained")
	}
}

// explainStep is the process that explains denials, made before a second start.
type explainStep struct{}

func (explainStep) String() string    { return "a process that explains what the filter denies" }
func (explainStep) Mechanism() string { return "fork, SECCOMP_IOCTL_NOTIF_RECV" }

// hostOnly are capabilities which count over the host only: having them in a user
// namespace gives nothing.
func hostOnly(n int) bool {
	return slices.Contains([]int{capSysNice, capSysResource, capMacAdmin}, n)
}

// explainStart notes what a second start is for.
func (c *compiler) explainStart() {
	s := c.plan.Start
	if s == nil {
		return
	}
	for i := range c.plan.Entries {
		if e := &c.plan.Entries[i]; e.Stage == StageAgain {
			s.tail = tail(e.Directive, e.Origin)
			break
		}
	}
	s.hints = c.plan.without()
}

// Why is what stands behind a refusal of a second start: the directive it is for, and
// on lines of their own how a launch could go on without.
func (s *Start) Why() string {
	text := ""
	if s.tail != "" {
		text = " (" + s.tail + ")"
	}
	for _, h := range s.hints {
		text += "\nhardrun: hint: " + h
	}
	return text
}

// userNamespaceStep is a user namespace made before a second start.
type userNamespaceStep struct{ maps *ns.UserMaps }

func (s *userNamespaceStep) String() string { return "user namespace: " + s.maps.String() }

// Mechanism is the call as strace shows it.
func (s *userNamespaceStep) Mechanism() string {
	return "unshare(CLONE_NEWUSER), write(/proc/self/uid_map, gid_map)"
}

// lastUserNamespaceStep is a user namespace made by the executor.
type lastUserNamespaceStep struct {
	maps   *ns.UserMaps
	self   int
	groups []uint32 // those that were set before, where not all are mapped
	nobody uint32   // what those look like
}

func (s *lastUserNamespaceStep) String() string { return "user namespace: " + s.maps.String() }

// Mechanism is the call as strace shows it.
func (s *lastUserNamespaceStep) Mechanism() string {
	return "unshare(CLONE_NEWUSER), write(/proc/self/uid_map, gid_map)"
}

// joinUserNamespace is UserNamespacePath=.
type joinUserNamespace struct {
	*ns.Join
	self int
}

// pidNamespaceStep is PrivatePIDs=.
type pidNamespaceStep struct{ done bool }

func (s *pidNamespaceStep) String() string {
	return "PID namespace: the daemon is its process 1, a small parent waits outside"
}

// Mechanism is the call as strace shows it.
func (s *pidNamespaceStep) Mechanism() string { return "clone(CLONE_NEWPID)" }

// initStep is --init.
type initStep struct{}

func (initStep) String() string { return "a small parent that reaps and forwards signals" }

// Mechanism is the call as strace shows it.
func (initStep) Mechanism() string { return "clone()" }

// deathSignal ends the daemon when its parent is killed. A change of credentials has cleared
// an earlier one, prctl(2): a parent that was killed between the two is not there any more.
type deathSignal struct {
	parent int    // getppid(2) at the start, 0 for one outside of the PID namespace
	seen   string // its number in the status text; empty where that does not tell it
}

func (deathSignal) String() string { return "SIGKILL when the parent dies" }

// Mechanism is the call as strace shows it.
func (deathSignal) Mechanism() string { return "prctl(PR_SET_PDEATHSIG, SIGKILL)" }
