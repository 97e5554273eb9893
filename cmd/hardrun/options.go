package main

import (
	"slices"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// usageError is a command line that cannot be meant.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Hint() string  { return e.hint }

// option is one that was given: its row, nil for -p of what is not hardrun's own, and how it
// was written.
type option struct {
	row           *policy.Directive
	dashed, value string
}

// loaded are the options that say what units and drop-ins are, or how they are read.
var loaded = [...]string{"Unit", "UnitPath", "Unknown", "DropIn"}

// invocation is a command line: the policy it asks for, and the command.
type invocation struct {
	policy  policy.Policy
	command []string
	options []string // all before the command, as they were
	finder  unit.Finder
	// listening are the sockets that are to be opened.
	listening []listenAll
	warns     bool       // --unknown=warn
	unit      *unit.Unit // of --unit; or the lines of --drop-in alone, which has no Path then
	errand    *errand    // what this process is told, where it runs one command of a service
	dashes    bool       // "--" stood before the command
	help      bool

	// Of subcommands.
	json     bool
	settings bool   // --settings
	filter   bool   // --filter
	lint     string // --lint: yes, or error
	allow    []string
	who      string // --for=
}

// parse reads options by hand over the table of directives. The order is kept,
// nothing is split at commas, and options end at the first word that is none.
// extra takes the options of a subcommand, or is nil.
func parse(args []string, extra func(in *invocation, name, value string, has bool) (bool, error)) (*invocation, error) {
	in := &invocation{}
	given := make([]option, 0, 16)
	loads := false
	i := 0
	for i < len(args) {
		arg := args[i]
		if arg == "--" {
			in.dashes = true
			i++
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		i++
		dashed, value, has := strings.Cut(arg, "=")
		name := strings.TrimPrefix(strings.TrimPrefix(dashed, "-"), "-")
		if name == "help" || name == "h" {
			in.help = true
			return in, nil
		}
		if extra != nil {
			if done, err := extra(in, name, value, has); done || err != nil {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		d, err := lookup(dashed, name)
		if err != nil {
			return nil, err
		}
		next := ""
		if i < len(args) {
			next = args[i]
		}
		switch {
		case has:
		case d != nil && boolean(d):
			value = "yes"
			if valueWord(d, next) {
				return nil, &usageError{dashed + ": a value is given by \"=\"", "did you mean " + dashed + "=" + next + "? (" + dashed + " -- " + next + " … runs a program of that name)"}
			}
		case i >= len(args):
			return nil, &usageError{dashed + ": a value is missing", ""}
		case strings.HasPrefix(next, "--"):
			return nil, &usageError{dashed + ": a value is missing", "a value that begins with dashes is given by \"=\""}
		default:
			value = next
			i++
		}
		if d == nil { // what is read before all else is known by its row, however it is written
			name, v, ok := strings.Cut(value, "=")
			if own := policy.Lookup(name); ok && own != nil && own.Own {
				d, dashed, value = own, "-p", v
			}
		}
		given = append(given, option{d, dashed, value})
		loads = loads || d != nil && d.Own && slices.Contains(loaded[:], d.Name)
	}
	if loads || commandFD() > 0 { // what a unit says comes first, wherever it is named: options are stronger
		if err := in.load(given); err != nil {
			return nil, err
		}
	}
	for _, o := range given {
		if err := in.assign(o.row, o.dashed, o.value); err != nil {
			return nil, err
		}
	}
	in.options, in.command = args[:i], args[i:]
	if len(in.command) > 0 && !in.dashes && strings.HasSuffix(in.command[0], ".service") {
		return nil, &usageError{"a unit file is no command: " + in.command[0], "did you mean --unit " + in.command[0] + "?"}
	}
	for _, s := range in.command {
		if strings.IndexByte(s, 0) >= 0 {
			return nil, &usageError{"a NUL byte in the command", ""}
		}
	}
	return in, nil
}

// lookup finds the row of an option; nil for -p, which names its row itself.
func lookup(dashed, name string) (*policy.Directive, error) {
	if name == "p" || name == "property" {
		return nil, nil
	}
	if len(name) == 1 && !strings.HasPrefix(dashed, "--") {
		if d := policy.ByShort(name[0]); d != nil {
			return d, nil
		}
	}
	d := policy.ByOption(name)
	if d == nil {
		e := &usageError{text: "unknown option " + dashed}
		if near := policy.NearestOption(name); near != "" {
			e.hint = "did you mean --" + near + "?"
		}
		if d := policy.ByShort(first(name)); d != nil && !strings.HasPrefix(dashed, "--") {
			e.hint = "did you mean -" + d.Short + " " + name[1:] + "?"
		}
		return nil, e
	}
	return d, nil
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// assign sets an option or a property.
func (in *invocation) assign(d *policy.Directive, dashed, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return &usageError{dashed + ": a NUL byte in the value", ""}
	}
	from := policy.Origin{File: dashed}
	if d != nil {
		return in.policy.SetDirective(d, value, from)
	}
	name, v, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return &usageError{dashed + ": \"" + value + "\" is no Name=value", ""}
	}
	from.File = "-p"
	return in.policy.Set(name, v, from)
}

// boolean tells whether a bare option means yes.
func boolean(d *policy.Directive) bool {
	return d.Value != nil && d.Value.Bool || d.Value == nil && strings.HasPrefix(d.Arg, "BOOL")
}

// valueWord tells whether a word behind a bare boolean is most likely its value.
func valueWord(d *policy.Directive, word string) bool {
	switch word {
	case "yes", "no", "true", "false", "on", "off", "1", "0":
		return true
	case "":
		return false
	}
	for _, w := range strings.Split(d.Arg, "|") {
		if w == word {
			return true
		}
	}
	return d.Value != nil && contains(d.Value.Words, word)
}
