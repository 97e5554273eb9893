package main

import (
	"errors"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// load reads the unit and the drop-ins that the options name, and sets what they say. A
// process that runs one command of a service takes the unit as its starter has read it.
func (in *invocation) load(given []option) error {
	word, finder := "", &in.finder
	for _, o := range given {
		if o.row == nil || !o.row.Own {
			continue
		}
		switch o.row.Name {
		case "Unit":
			if word != "" {
				return &usageError{"--unit: one unit is taken", ""}
			}
			if word = o.value; word == "" {
				return &usageError{"--unit: a name or a file is wanted", ""}
			}
		case "UnitPath":
			finder.Path = append(finder.Path, strings.Split(o.value, ":")...)
		case "Unknown":
			in.warns = o.value == "warn"
		case "DropIn":
			d := unit.DropIn{Name: o.value}
			if strings.HasPrefix(o.value, "@") {
				text, err := profileOf(o.value)
				if err != nil {
					return err
				}
				d.Text = text
			}
			finder.DropIns = append(finder.DropIns, d)
		}
	}
	var err error
	switch {
	case commandFD() > 0:
		var b []byte
		if b, err = told(); err == nil {
			in.errand, err = hear(b)
		}
		if err == nil {
			in.unit = in.errand.unit
		}
	case word == "":
		in.unit, err = finder.Only()
	default:
		in.unit, err = finder.Load(word)
	}
	if err == nil && word != "" && in.unit.Type() != "service" {
		return &usageError{"--unit: " + in.unit.Name + " is no service", "a socket unit is opened for its service: --unit " + strings.TrimSuffix(word, ".socket") + " --socket"}
	}
	if err != nil {
		return &unitError{err}
	}
	if in.unit == nil {
		return nil
	}
	if in.errand == nil {
		in.unit.Assignments = fit(in.unit.Assignments)
	}
	if err := in.unit.Apply(&in.policy, in.warn()); err != nil {
		return &unitError{err}
	}
	return nil
}

// warn is where lines go that are passed over, --unknown=warn; nil without it.
func (in *invocation) warn() func(error) {
	if !in.warns {
		return nil
	}
	return func(err error) {
		if in.errand == nil { // it was said at the start
			say(err.Error() + ", passed over")
		}
	}
}

// unitError is a unit that cannot be read, or says what cannot be meant.
type unitError struct{ err error }

func (e *unitError) Error() string { return e.err.Error() }
func (e *unitError) Unwrap() error { return e.err }

// eachError hands out the single errors, with the hint of each.
func eachError(err error, f func(err error, hint string)) {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			eachError(e, f)
		}
		return
	}
	text := ""
	var p *policy.Error
	var u *unit.Error
	switch {
	case errors.As(err, &p):
		text = p.Hint
	case errors.As(err, &u):
		text = u.Hint
	}
	f(err, text)
}

// named tells whether a unit was named, and not only drop-ins.
func (in *invocation) named() bool { return in.unit != nil && in.unit.Path != "" }
