package policy

import "github.com/hardrun/hardrun/caps"

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
	var all []Implied
	add := func(name, value, because string, from Origin) {
		all = append(all, Implied{name, value, because, from})
	}
	if p.Chroot.Set && !p.RootDirectory.Set {
		p.RootDirectory = p.Chroot
		add("RootDirectory", p.Chroot.V, "--chroot", p.Chroot.From)
	}
	if p.Chroot.Set {
		no := Opt[bool]{Set: true, From: p.Chroot.From}
		if !p.MountAPIVFS.Set {
			p.MountAPIVFS = no
			add("MountAPIVFS", "no", "--chroot", p.Chroot.From)
		}
		if !p.BindLogSockets.Set {
			p.BindLogSockets = no
			add("BindLogSockets", "no", "--chroot", p.Chroot.From)
		}
	}
	if p.Caps.Set {
		p.normalizeCaps(root, add)
	}
	if p.User.Set && !p.SetLoginEnvironment.Set {
		p.SetLoginEnvironment = Opt[bool]{V: true, Set: true, From: p.User.From}
		add("SetLoginEnvironment", "yes", "User=", p.User.From)
	}
	return all
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
