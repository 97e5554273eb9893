package policy

import "strings"

// PrivateVarTmp tells whether PrivateTmp= gives the daemon a /var/tmp of its own, beside /tmp.
// It does not for a unit that may be started before /var is mounted, systemd.exec(5): one with
// DefaultDependencies=no which neither asks for that mount nor brings a root directory. It
// comes after Normalize.
func (p *Policy) PrivateVarTmp() bool {
	switch p.PrivateTmp.V {
	case "yes":
		// Without /tmp, too, systemd makes "disconnected" of it.
		return p.startsLate("/tmp", "tmp.mount") || p.startsLate("/var", "var.mount")
	case "disconnected":
		return p.startsLate("/var", "var.mount")
	}
	return false
}

// startsLate tells whether a path is mounted when the unit is started, or does not matter as
// it is another one in a new root.
func (p *Policy) startsLate(path, mount string) bool {
	if p.RootDirectory.Set && p.RootDirectory.V != "/" || p.MinimalRoot.V {
		return true
	}
	early, after, wants := false, false, false
	for i := range p.Noted {
		value := p.Noted[i].Value
		switch p.Noted[i].Directive.Name {
		case "DefaultDependencies":
			if v, err := ParseBool(value); err == nil {
				early = !v
			}
		case "RequiresMountsFor", "WantsMountsFor":
			for _, w := range strings.Fields(value) {
				if normal, err := ParsePath(w); err == nil && normal == path {
					return true
				}
			}
		case "After":
			after = after || hasWord(value, mount)
		case "Requires", "BindsTo", "Wants":
			wants = wants || hasWord(value, mount)
		}
	}
	return !early || after && wants
}

func hasWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}
