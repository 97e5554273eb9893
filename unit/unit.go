// Package unit reads unit files and their drop-ins into assignments, and resolves their
// specifiers: systemd.syntax(7), systemd.unit(5). What an assignment means is the affair of
// package policy, to which Apply hands them one by one.
package unit

import (
	"errors"
	"strings"

	"github.com/hardrun/hardrun/nearest"
	"github.com/hardrun/hardrun/policy"
)

// Unit is a unit as it was read. The zero Unit has no name, and so no specifiers of one.
type Unit struct {
	Name   string // the full name, of an alias that of what it leads to: "redis@a.service"
	Path   string // the file, absolute: of a linked one where it is; empty without
	Prefix string // the name before "@" or the type: "redis"
	// Instance is what is between "@" and the type; empty without an "@".
	Instance string
	Aliases  []string // other names, whose drop-ins hold as well
	Files    []string // what was read, in that order
	// Assignments are in the order in which they take effect.
	Assignments []Assignment
	// Problems are lines that were passed over, each an *Error. Apply reports them.
	Problems []error
}

// Type is "service" or "socket", by the name; a unit without one is a service.
func (u *Unit) Type() string {
	if strings.HasSuffix(u.Name, ".socket") {
		return "socket"
	}
	return "service"
}

// own is the section that only units of this type have.
func (u *Unit) own() string {
	if u.Type() == "socket" {
		return "Socket"
	}
	return "Service"
}

// Apply sets p.Expand, and p to what the unit says, line by line. Unknown sections and
// names, those in a wrong section, invalid values and Problems are errors: all of them are
// reported together as Errors of *Error and *policy.Error, up to their limit.
//
// With warn, --unknown=warn, each goes to it and its line is passed over, as systemd does. A
// known line that says who the daemon is, what it sees or what is executed remains an error:
// without it, it would be root, or another file.
func (u *Unit) Apply(p *policy.Policy, warn func(error)) error {
	p.Expand = u.Expander()
	var errs Errors
	report := func(err error) {
		if warn != nil {
			warn(err)
		} else {
			errs.add(err)
		}
	}
	for _, err := range u.Problems {
		report(err)
	}
	var bad *Assignment // the last one in a section that this unit does not have
	for i := 0; i < len(u.Assignments) && len(errs) <= maxErrors; i++ {
		a := &u.Assignments[i]
		if err := u.unknownSection(a); err != nil {
			if bad == nil || bad.Head != a.Head || bad.From.File != a.From.File || bad.Section != a.Section {
				report(err)
			}
			bad = a
			continue
		}
		d := policy.Lookup(a.Name)
		err := u.set(p, d, a)
		switch {
		case err == nil:
		case d != nil && decides(d, a):
			errs.add(err)
		default:
			report(err)
		}
	}
	return errs.orNil()
}

// decides tells whether the daemon must not run without what the line says.
func decides(d *policy.Directive, a *Assignment) bool {
	if misplaced(d, a) {
		return a.Section == "Socket" && ofSocket(d)
	}
	return d.Class == policy.ClassIdentity || d.Class == policy.ClassView ||
		d.Man == "systemd.service(5)" && strings.HasPrefix(d.Name, "Exec")
}

// misplaced tells whether the line stands in a section where systemd does not look for it.
func misplaced(d *policy.Directive, a *Assignment) bool {
	return a.Section != d.Section && a.Section != d.OldSection
}

// set sets p to one line of a section that the unit has.
func (u *Unit) set(p *policy.Policy, d *policy.Directive, a *Assignment) error {
	switch {
	case d == nil || !misplaced(d, a):
		return p.Set(a.Name, a.Value, a.From)
	case a.Section == "Socket" && ofSocket(d):
		return u.setSocket(p, d, a)
	}
	return refused(a, "it belongs to ["+d.Section+"], not to ["+a.Section+"]")
}

// ofSocket tells the directives of [Service] that systemd takes in [Socket], too: they are
// about the commands of the socket itself, systemd.socket(5).
func ofSocket(d *policy.Directive) bool {
	switch d.Man {
	case "systemd.exec(5)", "systemd.kill(5)", "systemd.resource-control(5)":
		return true
	}
	switch d.Name {
	case "ExecStartPre", "ExecStartPost", "ExecStopPost", "TimeoutSec":
		return true
	}
	return false
}

// setSocket is set for them. Commands of a socket are not run: to ask for one is an error,
// and so is a network that it would be opened in. All else is about nothing, and noted.
func (u *Unit) setSocket(p *policy.Policy, d *policy.Directive, a *Assignment) error {
	switch d.Name {
	case "ExecStartPre", "ExecStartPost", "ExecStopPost":
		if a.Value != "" {
			return refused(a, "commands of a socket are not run")
		}
	case "PrivateNetwork", "NetworkNamespacePath":
		if v, err := policy.ParseBool(a.Value); a.Value != "" && (err != nil || v) {
			return refused(a, "a socket is opened in the network that hardrun is in")
		}
	}
	p.Note(policy.Assignment{Directive: d, Value: a.Value, From: a.From})
	return nil
}

func refused(a *Assignment, text string) error {
	return &policy.Error{From: a.From, Name: a.Name, Err: errors.New(text)}
}

// unknownSection is the error of an assignment in a section that this unit does not have.
func (u *Unit) unknownSection(a *Assignment) error {
	own := u.own()
	if a.Section == "Unit" || a.Section == "Install" || a.Section == own {
		return nil
	}
	e := &Error{File: a.From.File, Line: a.Head}
	if e.Line == 0 {
		e.Line = a.From.Line
	}
	if isType(strings.ToLower(a.Section)) {
		e.Text = "a ." + u.Type() + " has no section [" + a.Section + "]"
		return e
	}
	e.Text = "unknown section " + shown("["+a.Section+"]")
	if near := nearest.Of(a.Section, []string{own, "Unit", "Install"}); near != "" {
		e.Hint = "did you mean [" + near + "]?"
	}
	return e
}

// Dependency is a unit that another one needs, or wants.
type Dependency struct {
	Directive string // "Requires", "BindsTo", "Requisite", "Wants"
	Unit      string // a valid unit name
	From      policy.Origin
}

// Dependencies are the units that have to be started for this one by somebody else, in the
// order of the file, with specifiers expanded. An empty value resets nothing: dependencies
// cannot be reset, systemd.unit(5), Example 2. What is not listed is what the directories
// UNIT.wants and UNIT.requires add. Errors, in Errors, are words that are no unit name; the
// others are given nevertheless.
func (u *Unit) Dependencies() ([]Dependency, error) {
	var list []Dependency
	var errs Errors
	expand := u.Expander()
	for i := range u.Assignments {
		a := &u.Assignments[i]
		d := policy.Lookup(a.Name)
		if a.Section != "Unit" || d == nil {
			continue
		}
		switch d.Name {
		case "Requires", "BindsTo", "Requisite", "Wants":
		default:
			continue
		}
		// Quotes go, escapes stay: they are a part of unit names.
		for _, word := range strings.FieldsFunc(a.Value, func(r rune) bool { return strings.ContainsRune(blanks+`"'`, r) }) {
			text, err := expand(word)
			if err == nil {
				_, err = split(text)
			}
			if err != nil {
				errs.add(&policy.Error{From: a.From, Name: a.Name, Err: err})
				continue
			}
			list = append(list, Dependency{d.Name, text, a.From})
		}
	}
	return list, errs.orNil()
}
