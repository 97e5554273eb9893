package policy

import (
	"strings"

	"github.com/hardrun/hardrun/ns"
)

// bindField is BindPaths= or BindReadOnlyPaths=, or with silent an option that is
// another spelling of one. All of them fill one list, which an empty assignment
// to any resets, systemd.exec(5). Written out, the reset stands with BindPaths=,
// and the read-only ones come after the others.
type bindField struct {
	list[Bind]
	readOnly bool
}

func (b *bindField) write(p *Policy, each func(string, Origin)) {
	if b.silent {
		return
	}
	if p.Binds.Reset && !b.readOnly {
		each("", p.Binds.From)
	}
	for i := range p.Binds.Items {
		if item := &p.Binds.Items[i]; item.V.ReadOnly == b.readOnly {
			each(bindText(item.V), item.From)
		}
	}
}

// readOnlyBinds marks the bind mounts of a line.
func readOnlyBinds(binds []Bind, err error) ([]Bind, error) {
	for i := range binds {
		binds[i].ReadOnly = true
	}
	return binds, err
}

// kindsField is DelegateNamespaces=, systemd.exec(5): the first line decides, all
// but its names with "~"; later ones are or-ed, or taken away with "~". A boolean
// takes the place of all before it, an empty line unsets.
type kindsField func(p *Policy) *Opt[ns.Kinds]

func (k kindsField) set(p *Policy, value string, from Origin) error {
	o := k(p)
	if yes, err := ParseBool(value); err == nil {
		*o = Opt[ns.Kinds]{Set: true, From: from}
		if yes {
			o.V = ns.Delegable
		}
		return nil
	}
	names, invert := strings.CutPrefix(value, "~")
	kinds, err := ParseNamespaces(names)
	if err != nil {
		return err
	}
	switch {
	case invert && !o.Set:
		kinds = ns.Delegable &^ kinds
	case invert:
		kinds = o.V &^ kinds
	case o.Set:
		kinds |= o.V
	}
	*o = Opt[ns.Kinds]{V: kinds, Set: true, From: from}
	return nil
}

func (k kindsField) reset(p *Policy, _ Origin) { *k(p) = Opt[ns.Kinds]{} }
func (k kindsField) isSet(p *Policy) bool      { return k(p).Set }
func (k kindsField) write(p *Policy, each func(string, Origin)) {
	if o := k(p); o.Set {
		each(namespacesText(o.V), o.From)
	}
}
