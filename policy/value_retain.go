package policy

import (
	"strings"

	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// restrictable are the namespaces that RestrictNamespaces= can name, systemd.exec(5).
var restrictable = [...]kindName[uint32]{
	{"cgroup", seccomp.NewCgroup},
	{"ipc", seccomp.NewIPC},
	{"net", seccomp.NewNet},
	{"mnt", seccomp.NewNS},
	{"pid", seccomp.NewPID},
	{"user", seccomp.NewUser},
	{"uts", seccomp.NewUTS},
	{"time", seccomp.NewTime},
}

// ParseRetained reads the names of RestrictNamespaces=, systemd.exec(5), between
// blanks. No name at all, and any other, are errors: systemd passes over the whole
// line then.
func ParseRetained(s string) (uint32, error) { return parseKinds(s, restrictable[:]) }

// retainedText is "yes" where none is left, "no" for all, or the names.
func retainedText(flags uint32) string {
	switch flags {
	case 0:
		return "yes"
	case seccomp.Namespaces:
		return "no"
	}
	return kindsText(flags, restrictable[:])
}

// retainField is RestrictNamespaces=, systemd.exec(5): what stays open. A boolean takes
// the place of all before it. The first line with names leaves these, or all but these
// with "~"; later ones add, or take away.
type retainField func(p *Policy) *Opt[uint32]

func (k retainField) set(p *Policy, value string, from Origin) error {
	o := k(p)
	if yes, err := ParseBool(value); err == nil {
		*o = Opt[uint32]{V: seccomp.Namespaces, Set: true, From: from}
		if yes {
			o.V = 0
		}
		return nil
	}
	names, invert := strings.CutPrefix(value, "~")
	flags, err := ParseRetained(names)
	if err != nil {
		return err
	}
	fresh := !o.Set || o.V == seccomp.Namespaces
	switch {
	case invert && fresh:
		flags = seccomp.Namespaces &^ flags
	case invert:
		flags = o.V &^ flags
	case !fresh:
		flags |= o.V
	}
	*o = Opt[uint32]{V: flags, Set: true, From: from}
	return nil
}

func (k retainField) reset(p *Policy, _ Origin) { *k(p) = Opt[uint32]{} }
func (k retainField) isSet(p *Policy) bool      { return k(p).Set }
func (k retainField) write(p *Policy, each func(string, Origin)) {
	if o := k(p); o.Set {
		each(retainedText(o.V), o.From)
	}
}

// parseArchitectures reads the words of SystemCallArchitectures=, systemd.exec(5).
func parseArchitectures(s string) ([]string, error) {
	var names []string
	for _, w := range plainWords(s) {
		name, err := oneOf(w, seccomp.ArchNames()...)
		if err != nil {
			return nil, &process.WordError{What: "architecture", Word: w, Words: seccomp.ArchNames()}
		}
		names = append(names, name)
	}
	return names, nil
}
