package policy

import (
	"errors"
	"strings"
)

// ErrUnknown is wrapped by the error of a name that is no directive of systemd
// 262 and none of hardrun's.
var ErrUnknown = errors.New("unknown directive")

var (
	errEmpty      = errors.New("an empty value is refused here: it must not mean root, or unfiltered")
	errEmptyUnset = errors.New("an empty value resets, and nothing was set before it")
)

// Error is a refused assignment: where it was written, the name as in a unit
// file, what was wrong, and what may have been meant (a sentence, or empty).
type Error struct {
	From Origin
	Name string
	Err  error
	Hint string
}

// Error is "named.service:14: CapabilityBoundingSet=: …" for a line,
// "--capability-bounding-set: …" for an option, "-p CapabilityBoundingSet=: …"
// for a property.
func (e *Error) Error() string {
	var where string
	switch {
	case e.From.File == "-p":
		where = "-p " + e.Name + "="
	case e.From.Line == 0 && strings.HasPrefix(e.From.File, "-"):
		where = e.From.File
	case e.From.File != "":
		where = e.From.String() + ": " + e.Name + "="
	default:
		where = e.Name + "="
	}
	return where + ": " + e.Err.Error()
}

// Unwrap is the error of the parser, or ErrUnknown.
func (e *Error) Unwrap() error { return e.Err }

// Setting is one assignment that is in force.
type Setting = Assignment

// Set assigns value to the directive of that name: systemd's spelling, an old
// alias, or "X-Hardrun-Name". It is the one way into a policy; options, -p and
// unit files all end here. After an error, which is an *Error, the policy is as
// it was.
func (p *Policy) Set(name, value string, from Origin) error {
	d := Lookup(name)
	if d == nil {
		e := &Error{From: from, Name: name, Err: ErrUnknown}
		if near := Nearest(name); near != "" {
			e.Hint = "did you mean " + near + "=?"
		}
		return e
	}
	return p.SetDirective(d, value, from)
}

// SetDirective is Set for a row of the table. A bare boolean option is to be
// given as "yes". Blanks alone count as empty.
//
// Applied directives end in their field, those of a service manager in Noted,
// all others in NotApplied unless the value asks for nothing: no assignment
// vanishes.
//
// An empty value resets, as systemd.syntax(7) has it. On the command line it
// comes of an unset shell variable more often than not, and is refused unless
// there is something to reset; for User=, Group=, RootDirectory= and the like
// it is refused always.
func (p *Policy) SetDirective(d *Directive, value string, from Origin) error {
	var err error
	switch {
	case strings.Trim(value, " \t\r\n") == "":
		err = p.reset(d, from)
	case d.Support == Applied:
		if value, err = p.resolve(d, value, from); err == nil {
			err = d.Value.field.set(p, value, from)
		}
	case d.Support == Manager:
		p.Note(Assignment{d, value, from})
	case d.neutral(value):
		// DynamicUser=no of a drop-in takes back the DynamicUser=yes before it.
		p.NotApplied = without(p.NotApplied, d)
	default:
		p.append(&p.NotApplied, Assignment{d, value, from})
	}
	if err == nil {
		return nil
	}
	e := &Error{From: from, Name: d.ConfigName(), Err: err}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		e.Hint = hint.Hint()
	}
	return e
}

// reset is the empty assignment.
func (p *Policy) reset(d *Directive, from Origin) error {
	if from.CommandLine() {
		if d.Value != nil && d.Value.NeverEmpty {
			return errEmpty
		}
		if !p.has(d) {
			return errEmptyUnset
		}
	}
	switch d.Support {
	case Applied:
		d.Value.field.reset(p, from)
	case Manager:
		// Whether it resets is the manager's affair: dependencies cannot be reset,
		// systemd.unit(5), Example 2.
		p.Note(Assignment{d, "", from})
	default:
		p.NotApplied = without(p.NotApplied, d)
	}
	return nil
}

// has tells whether there is an assignment to d in force.
func (p *Policy) has(d *Directive) bool {
	if d.Support == Applied {
		return d.Value.field.isSet(p)
	}
	for _, set := range [...][]Assignment{p.Noted, p.NotApplied} {
		for i := range set {
			if set[i].Directive == d {
				return true
			}
		}
	}
	return false
}

// neutral tells whether value asks for nothing.
func (d *Directive) neutral(value string) bool {
	for _, n := range d.Neutral {
		if n == value {
			return true
		}
		if n == "no" || n == "yes" {
			if v, err := ParseBool(value); err == nil && v == (n == "yes") {
				return true
			}
		}
	}
	return false
}

// Note adds an assignment to Noted.
func (p *Policy) Note(a Assignment) { p.append(&p.Noted, a) }

// append adds to one of the two lists of assignments, but never to an array that the policy
// of which this is a copy may share.
func (p *Policy) append(to *[]Assignment, a Assignment) {
	if p.owner != p {
		p.Noted, p.NotApplied, p.owner = p.Noted[:len(p.Noted):len(p.Noted)], p.NotApplied[:len(p.NotApplied):len(p.NotApplied)], p
	}
	*to = append(*to, a)
}

func without(from []Assignment, d *Directive) []Assignment {
	var kept []Assignment
	for _, a := range from {
		if a.Directive != d {
			kept = append(kept, a)
		}
	}
	return kept
}

// Settings are the assignments that lead to what p asks for, sorted by name and
// within a name in the order they take effect; an empty value is a reset. One
// after the other, each with its From, they give the same policy again (a reset
// of the command line has to follow what it reset, as SetDirective wants it).
// Noted and NotApplied are not among them. A setting that was united from several
// lines is one, with the origin of the last; the lines themselves are not kept. Nor
// is it kept which of two bind mounts came first when one is read-only and the
// other is not, nor which of two sockets, conditions or credentials when they came by
// different directives.
func (p *Policy) Settings() []Setting {
	var all []Setting
	for _, d := range Directives {
		if d.Support == Applied {
			d.Value.field.write(p, func(value string, from Origin) {
				all = append(all, Setting{d, value, from})
			})
		}
	}
	return all
}
