package launcher

import (
	"slices"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// WithoutThem says how a launch could go on without what was refused: the line that
// waives it, what cannot be waived and would have to be left out, and where Landlock
// can stand in. It is empty where a refusal is no matter of a directive.
func WithoutThem(list []Refusal) []string {
	var waive, leave, landlock []string
	add := func(to *[]string, name string) {
		if !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	for i := range list {
		r := &list[i]
		name := strings.TrimSuffix(r.Directive, "=")
		switch {
		case name == "" || r.Exit == ExitUsage && !r.Waivable:
			return nil
		case r.Waivable:
			add(&waive, name)
		default:
			add(&leave, r.Directive)
		}
		if r.Waivable && r.Exit == ExitNamespace && slices.Contains(policy.Landlockable[:], name) {
			add(&landlock, name)
		}
	}
	var out []string
	text := ""
	switch {
	case len(waive) == 0:
	case len(leave) == 0:
		text = "to start without: --waive=" + strings.Join(waive, ",")
	default:
		text = "to start without: leave out " + strings.Join(leave, " ") + ", which cannot be waived, and --waive=" + strings.Join(waive, ",")
	}
	if text != "" {
		out = append(out, text)
	}
	if len(landlock) > 0 {
		out = append(out, "by Landlock, which is weaker: --allow-landlock="+strings.Join(landlock, ","))
	}
	return out
}

// without says the same of a step that failed for a reason of where hardrun runs:
// of all directives that may fail so, as the next one would.
func (pl *Plan) without() []string {
	var list []Refusal
	for i := range pl.Entries {
		e := &pl.Entries[i]
		switch e.Stage {
		case StageBefore, StageAgain, StageNamespaces, StageMounts, StageRoot, StageSeal, StageUserNS:
		default:
			continue
		}
		for _, name := range strings.Fields(e.Directive) {
			d := policy.Lookup(strings.TrimSuffix(name, "="))
			if d == nil || slices.ContainsFunc(list, func(r Refusal) bool { return r.Directive == name }) {
				continue
			}
			list = append(list, Refusal{Directive: name, Exit: e.Exit, Waivable: d.Class.Waivable()})
		}
	}
	return WithoutThem(list)
}
