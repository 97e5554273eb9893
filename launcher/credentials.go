package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// credentials plans ids, groups, capability sets, securebits, labels, keyring
// and no_new_privs: who the daemon is, and what it may.
func (c *compiler) credentials() {
	c.ids()
	if !c.env.linux() {
		return
	}
	outside := c.env.Caps.Bounding.Without(c.lacked)
	if c.userns == lastUserNS {
		// unshare(2) gives every capability inside, and clears the securebits.
		inside := *c.env
		all := caps.All(inside.LastCap)
		inside.Caps, inside.SecureBits = CapState{Permitted: all, Effective: all, Bounding: all}, 0
		c.env = &inside
	}
	c.capabilities(outside)
	c.labels()
	if c.p.KeyringMode.Set && c.p.KeyringMode.V != process.KeyringInherit {
		step := &process.SetKeyring{Mode: c.p.KeyringMode.V, UID: c.uid, GID: c.gid, Default: c.p.KeyringMode.From.Default}
		c.add(StageKeyring, step, "KeyringMode", c.p.KeyringMode.From, ExitKeyring)
	}
	c.nnp = c.env.NoNewPrivs
	if c.p.NoNewPrivileges.Set && c.p.NoNewPrivileges.V {
		c.nnp = true
		c.add(StageNoNewPrivs, caps.NoNewPrivs{}, "NoNewPrivileges", c.p.NoNewPrivileges.From, ExitNoNewPrivs).Because = c.impliedNNP
	} else if c.p.NoNewPrivileges.Set && c.env.NoNewPrivs {
		c.note("nnp-inherited", c.p.NoNewPrivileges.From, "NoNewPrivileges=no: no_new_privs was inherited, and nothing can unset it")
	}
}

func (c *compiler) ids() {
	p, env := c.p, c.env
	from, name := p.SupplementaryGroups.From, "SupplementaryGroups"
	if p.Group.Set {
		from, name = p.Group.From, "Group"
	}
	if p.User.Set {
		from, name = p.User.From, "User"
	}
	if c.userns == firstUserNS && !c.idsOfFirst(name, from) {
		return
	}
	if c.setGroup {
		switch {
		case sameGroups(c.groups, env.Groups):
		case c.keepsGroups():
			// The primary group counts whether it is in the list or not.
			c.groups = env.Groups
		case env.NoSetgroups:
			c.refuse(name, from, ExitGroup, "setgroups(2) is denied in this user namespace (/proc/self/setgroups)")
		default:
			c.need(capSetGID, name, from, ExitGroup, "setgroups(2)")
		}
		e := c.add(StageGroups, caps.SetGroups{GIDs: c.groups}, name, from, ExitGroup)
		if l := c.lastNS; l != nil && slices.ContainsFunc(c.groups, func(gid uint32) bool { return !l.maps.HasGID(gid) }) {
			l.groups, e.Transient = c.groups, true // they look different inside
		}
	}
	if p.User.Set || p.Group.Set {
		from, name = p.User.From, "User"
		if p.Group.Set {
			from, name = p.Group.From, "Group"
		}
		if env.GIDs != [3]uint32{c.gid, c.gid, c.gid} {
			c.need(capSetGID, name, from, ExitGroup, "setresgid(2)")
		}
		c.add(StageGroup, caps.SetGID{GID: c.gid}, name, from, ExitGroup)
	}
	if p.User.Set {
		if c.dropped {
			c.need(capSetUID, "User", p.User.From, ExitUser, "setresuid(2)")
		}
		c.add(StageUser, caps.SetUID{UID: c.uid}, "User", p.User.From, ExitUser)
	}
}

// idsOfFirst checks who the daemon is to be against what a user namespace that
// comes first can have: the ids which are mapped. Its groups are those of the
// start, as setgroups(2) is denied inside.
func (c *compiler) idsOfFirst(name string, from policy.Origin) bool {
	p, env := c.p, c.env
	root := env.UIDs[1] == 0
	switch {
	case !c.setGroup || env.Again.UserNS:
	case root:
		c.plan.Start.setGroups, c.plan.Start.groups = true, c.groups
	case !sameGroups(c.groups, env.Groups) && !c.keepsGroups():
		c.refuse(name, from, ExitGroup, "without root the groups stay those of who starts it: a user namespace has no others")
		return false
	}
	c.setGroup = false
	switch {
	case root: // the group is in the maps
	case c.dropped:
		c.refuse("User", p.User.From, ExitUser, "without root a user namespace has only the own user: uid "+strconv.FormatUint(uint64(env.UIDs[1]), 10))
		return false
	case env.GIDs != [3]uint32{c.gid, c.gid, c.gid}:
		c.refuse(name, from, ExitGroup, "without root a user namespace has only the own group: gid "+strconv.FormatUint(uint64(env.GIDs[1]), 10))
		return false
	}
	return true
}

// keepsGroups tells whether the groups are the ones asked for already, but for the
// primary one in the list, in a place where they cannot be set: a container that
// runs as the service's user, or a user namespace.
func (c *compiler) keepsGroups() bool {
	env := c.env
	if env.Caps.Effective.Has(capSetGID) && !env.NoSetgroups || env.GIDs != [3]uint32{c.gid, c.gid, c.gid} {
		return false
	}
	return sameGroups(without(c.groups, c.gid), without(env.Groups, c.gid))
}

func sameGroups(a, b []uint32) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// capabilities plans the five sets and the securebits. final is what a thread
// has directly before execve(2); outside is the bounding set of the start, which a
// new user namespace must not widen.
func (c *compiler) capabilities(outside caps.Set) {
	p, env := c.p, c.env
	all := caps.All(env.LastCap)
	c.final = env.Caps
	c.bits = env.SecureBits
	if p.SecureBits.Set {
		c.secureBits()
	}
	if p.Caps.Set && p.Caps.V.Invert && c.uid != 0 {
		c.refuse("X-Hardrun-Caps", p.Caps.From, ExitUsage, "\"~\" would hand every other capability to the user")
		r := c.last()
		r.Hint = "did you mean --capability-bounding-set=~…? it takes away, and gives nothing"
		return
	}

	// What --user and the capability directives decide is decided exactly: the
	// inheritable set is the ambient one (CVE-2022-24769), and a user who is not
	// root has nothing else.
	from, name := p.User.From, "User"
	if p.AmbientCapabilities.Set {
		from, name = p.AmbientCapabilities.From, "AmbientCapabilities"
	}
	widened := c.userns == lastUserNS || c.lacked != 0
	if widened && !p.User.Set {
		from, name = p.PrivateUsers.From, "PrivateUsers"
		if p.UserNamespacePath.Set {
			from, name = p.UserNamespacePath.From, "UserNamespacePath"
		}
	}
	bounding := env.Caps.Bounding
	if !p.CapabilityBoundingSet.Set && bounding != outside && widened {
		bounding = outside
		c.add(StageBounding, caps.DropBounding{Keep: bounding, Last: env.LastCap}, name, from, ExitCaps).Because = "the user namespace must not have more than was inherited"
	}
	if p.CapabilityBoundingSet.Set {
		from, name = p.CapabilityBoundingSet.From, c.impliedBy("CapabilityBoundingSet", p.CapabilityBoundingSet.From)
		bounding = p.CapabilityBoundingSet.V.Intersect(all).Intersect(outside)
		if env.Caps.Bounding.Without(bounding) != 0 && !c.need(capSetPcap, name, from, ExitCaps, "PR_CAPBSET_DROP") {
			bounding = env.Caps.Bounding
		} else {
			c.add(StageBounding, caps.DropBounding{Keep: bounding, Last: env.LastCap}, name, from, ExitCaps)
		}
	}
	c.final.Bounding = bounding
	c.setCaps = widened || p.User.Set || p.CapabilityBoundingSet.Set || p.AmbientCapabilities.Set
	if !c.setCaps {
		if p.SecureBits.Set {
			c.addSecureBits()
		}
		return
	}

	ambient := caps.Set(0)
	if p.AmbientCapabilities.Set {
		ambient = c.ambient(bounding)
	}
	permitted := ambient
	if c.uid == 0 {
		permitted = env.Caps.Permitted.Intersect(bounding)
	}
	permitted = permitted.Union(c.keepsAdmin())
	c.final.Ambient, c.final.Inheritable = ambient, ambient
	c.final.Permitted, c.final.Effective = permitted, permitted

	// Over the change of uid the kernel takes all of it away, but for the
	// permitted set where keep-caps is on. What the steps after it need is
	// raised from there.
	work := permitted
	if p.SecureBits.Set && c.bits != env.SecureBits {
		work = work.Union(caps.Set(1) << capSetPcap)
	}
	work = work.Intersect(env.Caps.Permitted)
	leaves := c.uid != 0 && (env.UIDs[0] == 0 || env.UIDs[1] == 0 || env.UIDs[2] == 0)
	if leaves && work != 0 {
		if env.SecureBits&caps.SecbitKeepCapsLocked != 0 && env.SecureBits&caps.SecbitKeepCaps == 0 {
			c.refuse(name, from, ExitSecureBits, "the change of user would take all capabilities: \"keep-caps\" was inherited locked and off")
		}
		e := c.add(StageKeepCaps, caps.KeepCaps{}, name, from, ExitSecureBits)
		e.Transient = true
		e.Because = "the change of user would clear what is needed after it; execve clears the flag"
	}
	if work != permitted || ambient != 0 {
		e := c.add(StageCaps, caps.SetCaps{Effective: work, Permitted: work, Inheritable: ambient, Last: env.LastCap}, name, from, ExitCaps)
		e.Transient = work != permitted
		if e.Transient {
			e.Because = "securebits need CAP_SETPCAP"
		}
	}
	c.add(StageAmbient, caps.SetAmbient{Set: ambient, Last: env.LastCap}, name, from, ExitCaps)
	if (!p.SecureBits.Set || c.bits == env.SecureBits) && leaves && work != 0 && env.SecureBits&caps.SecbitKeepCaps == 0 {
		// The flag of above is taken back, so that the state is the one asked for.
		e := c.add(StageSecureBits, dropKeepCaps{}, name, from, ExitSecureBits)
		e.Because = "keep-caps is not needed any more"
	}
	if p.SecureBits.Set {
		c.addSecureBits()
	}
	if work != permitted || ambient == 0 {
		c.add(StageLastCaps, caps.SetCaps{Effective: permitted, Permitted: permitted, Inheritable: ambient, Last: env.LastCap}, name, from, ExitCaps)
	}
}

// impliedBy is the directive which stands behind a setting that nobody wrote, or
// the setting itself.
func (c *compiler) impliedBy(name string, from policy.Origin) string {
	for _, i := range c.plan.Implied {
		if by, ok := strings.CutSuffix(i.Because, "="); ok && i.Name == name && i.From == from {
			return by
		}
	}
	return name
}

// ambient is the set to be raised. What is named must be there; "all" and "~"
// mean all that is there.
func (c *compiler) ambient(bounding caps.Set) caps.Set {
	p, env := c.p, c.env
	asked := p.AmbientCapabilities.V
	have := env.Caps.Permitted.Intersect(bounding)
	if asked>>63&1 == 1 {
		return asked.Intersect(have)
	}
	from, name := p.AmbientCapabilities.From, "AmbientCapabilities"
	if missing := asked.Without(bounding); missing != 0 {
		where := "the inherited bounding set"
		if p.CapabilityBoundingSet.Set && missing.Without(env.Caps.Bounding) == 0 {
			where = "CapabilityBoundingSet="
		}
		c.refuse(name, from, ExitCaps, missing.String()+" cannot be ambient: not in "+where)
		c.last().Waivable = true
	} else if missing := asked.Without(have); missing != 0 {
		c.refuse(name, from, ExitCaps, missing.String()+" cannot be ambient: hardrun was started without")
		c.last().Waivable = true
	}
	if env.SecureBits&caps.SecbitNoCapAmbientRaise != 0 && asked.Without(env.Caps.Ambient) != 0 {
		c.refuse(name, from, ExitCaps, "\"no-cap-ambient-raise\" was inherited: nothing can be added to the ambient set")
		c.last().Waivable = true
	}
	return asked.Intersect(have)
}

// secureBits checks what is asked for against what is locked.
func (c *compiler) secureBits() {
	p, now := c.p, c.env.SecureBits
	c.bits = p.SecureBits.V
	if c.bits == now {
		return
	}
	if !c.need(capSetPcap, "SecureBits", p.SecureBits.From, ExitSecureBits, "PR_SET_SECUREBITS") {
		p.SecureBits.Set, c.bits = false, now
		return
	}
	for _, lock := range [...]caps.SecureBits{
		caps.SecbitNoRootLocked, caps.SecbitNoSetuidFixupLocked, caps.SecbitKeepCapsLocked,
		caps.SecbitNoCapAmbientRaiseLocked, caps.SecbitExecRestrictFileLocked, caps.SecbitExecDenyInteractiveLocked,
	} {
		if now&lock != 0 && (c.bits^now)&(lock|lock>>1) != 0 {
			c.refuse("SecureBits", p.SecureBits.From, ExitSecureBits, "\""+lock.String()+"\" was inherited and cannot be changed")
		}
	}
}

func (c *compiler) addSecureBits() {
	c.add(StageSecureBits, caps.SetSecureBits{Bits: c.bits, Held: c.bits == c.env.SecureBits}, "SecureBits", c.p.SecureBits.From, ExitSecureBits)
}

// labels plans the labels of the security modules. An absent module is a refusal
// unless "-" stands before the label: what was asked for is not there.
func (c *compiler) labels() {
	p, has := c.p, c.env.LSMs
	for _, l := range []struct {
		asked      policy.Opt[policy.Tolerant]
		there      bool
		name       string
		exit       int
		stage      Stage
		file, text string
		expect     string
	}{
		{p.SELinuxContext, has.SELinux, "SELinuxContext", ExitSELinux, StageLabel, "attr/exec", p.SELinuxContext.V.V, p.SELinuxContext.V.V},
		{p.AppArmorProfile, has.AppArmor, "AppArmorProfile", ExitAppArmor, StageLabel, "attr/apparmor/exec", "exec " + p.AppArmorProfile.V.V, p.AppArmorProfile.V.V},
		{p.SmackProcessLabel, has.Smack, "SmackProcessLabel", ExitSmack, StageSmack, "attr/smack/current", p.SmackProcessLabel.V.V, p.SmackProcessLabel.V.V},
	} {
		if !l.asked.Set {
			continue
		}
		if !l.there {
			if l.asked.V.Tolerate {
				c.note("lsm-absent", l.asked.From, l.name+"=-: the security module is not there, and \"-\" lets that pass")
				continue
			}
			c.refuse(l.name, l.asked.From, l.exit, "the security module is not there")
			r := c.last()
			r.Waivable = true
			r.Hint = "a \"-\" before the label lets an absent module pass"
			continue
		}
		if l.stage == StageSmack {
			c.need(capMacAdmin, l.name, l.asked.From, l.exit, "a Smack label")
		}
		step := &process.WriteProc{File: l.file, Text: l.text, Expect: l.expect, What: "label " + l.asked.V.V + " at execve"}
		c.add(l.stage, step, l.name, l.asked.From, l.exit)
	}
}

// dropKeepCaps takes PR_SET_KEEPCAPS back.
type dropKeepCaps struct{}

// guard keeps other processes of the daemon's user away from the process between
// the change of credentials and execve, which undoes it (CVE-2016-9962).
type guard struct{}

func (guard) String() string    { return "not dumpable until execve" }
func (guard) Mechanism() string { return "prctl(PR_SET_DUMPABLE, 0)" }

func (dropKeepCaps) String() string    { return "clear keep-caps" }
func (dropKeepCaps) Mechanism() string { return "prctl(PR_SET_KEEPCAPS, 0)" }
