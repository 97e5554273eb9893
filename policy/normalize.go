package policy

import (
	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/process"
)

// Implied is a setting that nobody wrote, and the one which implies it.
type Implied struct {
	Name, Value string
	Because     string // "--caps", "User="
	From        Origin
}

// Normalize turns the short forms into the directives they stand for and adds
// what these imply, as systemd does before it forks (unit.c, unit_patch_contexts).
// It is pure: it looks at p and at whether the daemon will have uid 0, and at
// nothing else. It answers what it added, with the reason; running it again adds
// nothing.
func (p *Policy) Normalize(root bool) []Implied {
	all := p.implied
	p.implied = nil
	add := func(name, value, because string, from Origin) {
		all = append(all, Implied{name, value, because, from})
	}
	if p.Chroot.Set && !p.RootDirectory.Set {
		p.RootDirectory = p.Chroot
		add("RootDirectory", p.Chroot.V, "--chroot", p.Chroot.From)
	}
	p.normalizeDynamic(add)
	if s := &p.Service; (!s.NotifyAccess.Set || s.NotifyAccess.V == "none") && s.notifies() {
		s.NotifyAccess = Opt[string]{V: "main", Set: true, From: s.Type.From}
		add("NotifyAccess", "main", "Type="+s.Type.V, s.Type.From)
	}
	p.normalizeRoot(add)
	fromCaps := p.Caps.Set && !p.AmbientCapabilities.Set
	if p.Caps.Set {
		p.normalizeCaps(root, add)
	}
	p.withoutCaps(fromCaps, add)
	// With UserNamespacePath= there is no user namespace to be made, systemd.exec(5).
	if p.DelegateNamespaces.V != 0 && !p.UserNamespacePath.Set && (!p.PrivateUsers.Set || p.PrivateUsers.V == "no") {
		p.PrivateUsers = Opt[string]{V: "self", Set: true, From: p.DelegateNamespaces.From}
		add("PrivateUsers", "self", "DelegateNamespaces=", p.DelegateNamespaces.From)
	}
	if !p.SetLoginEnvironment.Set {
		because, from := "User=", p.User.From
		if !p.User.Set {
			because, from = "DynamicUser=", p.DynamicUser.From
		}
		if p.User.Set || p.DynamicUser.V {
			p.SetLoginEnvironment = Opt[bool]{V: true, Set: true, From: from}
			add("SetLoginEnvironment", "yes", because, from)
		}
	}
	if rtprio := &p.Limits[limitRTPRIO]; p.RestrictRealtime.V && !rtprio.Set {
		*rtprio = Opt[process.Limit]{Set: true, From: p.RestrictRealtime.From}
		add("LimitRTPRIO", "0", "RestrictRealtime=", p.RestrictRealtime.From)
	}
	return all
}

// limitRTPRIO is RLIMIT_RTPRIO of asm-generic/resource.h.
const limitRTPRIO = 14

// normalizeDynamic is what DynamicUser= implies, systemd.exec(5): the user must not leave
// anything behind which another one with the same number could take. What was written
// and is weaker does not hold.
func (p *Policy) normalizeDynamic(add func(name, value, because string, from Origin)) {
	if !p.DynamicUser.V {
		return
	}
	from := p.DynamicUser.From
	imply := func(o *Opt[string], name, v string, weak bool) {
		if weak {
			*o = Opt[string]{V: v, Set: true, From: from}
			add(name, v, "DynamicUser=", from)
		}
	}
	imply(&p.PrivateTmp, "PrivateTmp", "disconnected", !p.PrivateTmp.Set || p.PrivateTmp.V == "no")
	imply(&p.ProtectSystem, "ProtectSystem", "strict", p.ProtectSystem.V != "strict")
	imply(&p.ProtectHome, "ProtectHome", "read-only", !p.ProtectHome.Set || p.ProtectHome.V == "no")
	for _, b := range [...]struct {
		o    *Opt[bool]
		name string
	}{
		{&p.RemoveIPC, "RemoveIPC"},
		{&p.NoNewPrivileges, "NoNewPrivileges"},
		{&p.RestrictSUIDSGID, "RestrictSUIDSGID"},
	} {
		if !b.o.V {
			*b.o = Opt[bool]{V: true, Set: true, From: from}
			add(b.name, "yes", "DynamicUser=", from)
		}
	}
}

// normalizeRoot decides what is mounted inside of a new root. In the plain ones of
// --chroot and --minimal-root that is nothing. Everywhere else MountAPIVFS= is yes,
// so that what implies it besides (ProtectProc=, PrivatePIDs= and others,
// systemd.exec(5)) adds nothing here: without a new root there is nothing to mount.
func (p *Policy) normalizeRoot(add func(name, value, because string, from Origin)) {
	imply := func(o *Opt[bool], name string, v bool, because string, from Origin) {
		if !o.Set {
			*o = Opt[bool]{V: v, Set: true, From: from}
			add(name, FormatBool(v), because, from)
		}
	}
	plain, from := "", Origin{}
	switch {
	case p.Chroot.Set:
		plain, from = "--chroot", p.Chroot.From
	case p.MinimalRoot.V:
		plain, from = "--minimal-root", p.MinimalRoot.From
	}
	if plain != "" {
		imply(&p.MountAPIVFS, "MountAPIVFS", false, plain, from)
		imply(&p.BindLogSockets, "BindLogSockets", false, plain, from)
		return
	}
	if !p.RootDirectory.Set || p.RootDirectory.V == "/" {
		return
	}
	imply(&p.MountAPIVFS, "MountAPIVFS", true, "RootDirectory=", p.RootDirectory.From)
	if p.MountAPIVFS.V {
		imply(&p.BindLogSockets, "BindLogSockets", true, "MountAPIVFS=", p.MountAPIVFS.From)
	}
	if p.PrivateDevices.V {
		imply(&p.BindLogSockets, "BindLogSockets", true, "PrivateDevices=", p.PrivateDevices.From)
	}
}

// normalizeCaps is --caps: the daemon has exactly this. The bounding set is the
// list; a daemon that is not root (or for which root means nothing, noroot) gets
// it as ambient capabilities, too, since nothing else survives execve(2).
func (p *Policy) normalizeCaps(root bool, add func(name, value, because string, from Origin)) {
	from := p.Caps.From
	set := p.Caps.V.Set
	if p.Caps.V.Invert {
		set = everyCapability &^ set
	}
	if p.Caps.V.All {
		set = everyCapability
	}
	if !p.CapabilityBoundingSet.Set {
		p.CapabilityBoundingSet = Opt[caps.Set]{V: set, Set: true, From: from}
		add("CapabilityBoundingSet", capSetText(set), "--caps", from)
	}
	noroot := p.SecureBits.Set && p.SecureBits.V&caps.SecbitNoRoot != 0
	if (!root || noroot) && !p.AmbientCapabilities.Set {
		p.AmbientCapabilities = Opt[caps.Set]{V: set, Set: true, From: from}
		add("AmbientCapabilities", capSetText(set), "--caps", from)
	}
}

// Numbers of linux/capability.h.
const (
	capSysModule = 16
	capSysRawIO  = 17
	capSysTime   = 25
	capMknod     = 27
	capSyslog    = 34
	capWakeAlarm = 35
)

// withoutCaps takes from the bounding set what the protections take away. What
// is written in AmbientCapabilities= stays there: that the two contradict each
// other is refused where they are applied, and not passed over as in systemd. What
// has come into the ambient set by --caps (fromCaps) goes with the rest. The
// answer is a line that subtracts: "~CAP_SYSLOG".
func (p *Policy) withoutCaps(fromCaps bool, add func(name, value, because string, from Origin)) {
	for _, c := range [...]struct {
		asked Opt[bool]
		name  string
		drop  caps.Set
	}{
		{p.PrivateDevices, "PrivateDevices=", 1<<capMknod | 1<<capSysRawIO},
		{p.ProtectKernelModules, "ProtectKernelModules=", 1 << capSysModule},
		{p.ProtectKernelLogs, "ProtectKernelLogs=", 1 << capSyslog},
		{p.ProtectClock, "ProtectClock=", 1<<capSysTime | 1<<capWakeAlarm},
	} {
		if !c.asked.V {
			continue
		}
		if b := &p.CapabilityBoundingSet; !b.Set {
			*b = Opt[caps.Set]{V: everyCapability, Set: true, From: c.asked.From}
		}
		for _, set := range [...]struct {
			opt  *Opt[caps.Set]
			name string
			cut  bool
		}{
			{&p.CapabilityBoundingSet, "CapabilityBoundingSet", true},
			{&p.AmbientCapabilities, "AmbientCapabilities", fromCaps},
		} {
			gone := set.opt.V & c.drop
			if !set.cut || gone == 0 {
				continue
			}
			set.opt.V &^= gone
			add(set.name, "~"+capNames(gone), c.name, c.asked.From)
		}
	}
}
