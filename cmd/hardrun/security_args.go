package main

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// testInstance is what a template is read as, systemd-analyze(1).
const testInstance = "test_instance"

// asked is a command line of security or inspect.
type asked struct {
	units    []string // names and files
	finder   unit.Finder
	finding  []string // the options that say how units are found, for parse
	instance string
	warns    bool     // --unknown=warn
	given    []option // those that confine
	command  []string // behind the options that confine, or "--"
	dashes   bool     // "--" stood before it
	help     bool
	pids     []int
	json     string // empty, "own", "systemd"

	threshold int // in tenths; -1 for none
	sort      string

	all, tree, mounts bool
	against           bool // --against
}

// scan reads a command line. own takes the options of the subcommand, word the words, of which
// one may begin the command of a launch. The other options are those of a launch.
func (a *asked) scan(args []string, own func(name string, has bool, value func() (string, error)) (bool, error), word func(word string) (command bool, err error)) error {
	for i := 0; i < len(args); {
		arg := args[i]
		i++
		if strings.IndexByte(arg, 0) >= 0 {
			return &usageError{"a NUL byte in the command line", ""}
		}
		if arg == "--" {
			a.command, a.dashes = args[i:], true
			return nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			command, err := word(arg)
			if err != nil {
				return err
			}
			if command {
				a.command = args[i-1:]
				return nil
			}
			continue
		}
		dashed, text, has := strings.Cut(arg, "=")
		name := strings.TrimPrefix(strings.TrimPrefix(dashed, "-"), "-")
		if name == "help" || name == "h" {
			a.help = true
			return nil
		}
		value := func() (string, error) {
			switch {
			case has:
				return text, nil
			case i >= len(args):
				return "", &usageError{dashed + ": a value is missing", ""}
			case strings.HasPrefix(args[i], "--"):
				return "", &usageError{dashed + ": a value is missing", "a value that begins with dashes is given by \"=\""}
			}
			i++
			return args[i-1], nil
		}
		done, err := own(name, has, value)
		if err == nil && !done {
			done, err = a.instanceOption(name, value)
		}
		if err != nil {
			return err
		}
		if done {
			continue
		}
		d, err := lookup(dashed, name)
		if err != nil {
			return err
		}
		v := "yes"
		switch {
		case d == nil || has || !boolean(d):
			if v, err = value(); err != nil {
				return err
			}
		case i < len(args) && valueWord(d, args[i]):
			return &usageError{dashed + ": a value is given by \"=\"", "did you mean " + dashed + "=" + args[i] + "?"}
		}
		if err := a.take(d, dashed, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *asked) instanceOption(name string, value func() (string, error)) (bool, error) {
	if name != "instance" {
		return false, nil
	}
	v, err := value()
	if err == nil && (v == "" || strings.Contains(v, "/")) {
		err = &usageError{"--instance: an instance as it stands in the name of a unit is wanted", ""}
	}
	a.instance = v
	return true, err
}

// take sorts an option of a launch: it says how units are found, or it confines.
func (a *asked) take(d *policy.Directive, dashed, value string) error {
	if d == nil {
		if name, v, ok := strings.Cut(value, "="); ok {
			if own := policy.Lookup(name); own != nil && own.Own {
				d, dashed, value = own, "-p", v
			}
		}
	}
	if d == nil || !d.Own {
		a.given = append(a.given, option{d, dashed, value})
		return nil
	}
	finding := "--" + d.Option + "=" + value
	switch d.Name {
	case "Unit":
		return a.addUnit(value)
	case "UnitPath":
		a.finder.Path = append(a.finder.Path, strings.Split(value, ":")...)
	case "Unknown":
		a.warns = value == "warn"
	case "DropIn":
		drop := unit.DropIn{Name: value}
		if strings.HasPrefix(value, "@") {
			text, err := profileOf(value)
			if err != nil {
				return err
			}
			drop.Text = text
		}
		a.finder.DropIns = append(a.finder.DropIns, drop)
	default:
		a.given = append(a.given, option{d, dashed, value})
		return nil
	}
	a.finding = append(a.finding, finding)
	return nil
}

// addPID takes process IDs, as pidof(8) prints them.
func (a *asked) addPID(words string) error {
	list := strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	if len(list) == 0 {
		return &usageError{"a process ID is missing", ""}
	}
	for _, w := range list {
		n, err := strconv.ParseUint(w, 10, 31)
		if err != nil || n == 0 {
			return &usageError{"no process ID: " + w, ""}
		}
		for _, pid := range a.pids {
			if pid == int(n) {
				return &usageError{"the process " + w + " is named twice", ""}
			}
		}
		a.pids = append(a.pids, int(n))
	}
	return nil
}

func (a *asked) addUnit(word string) error {
	if word == "" {
		return &usageError{"the name of a unit is empty", ""}
	}
	a.units = append(a.units, word)
	return nil
}

// instanced is a word for a unit, that of a template with an instance.
func (a *asked) instanced(word string) string {
	instance := a.instance
	if instance == "" {
		instance = testInstance
	}
	for _, end := range [...]string{"@.service", "@"} {
		if before, ok := strings.CutSuffix(word, end); ok {
			return before + "@" + instance + end[1:]
		}
	}
	return word
}

// load reads a unit. A template is read as an instance. A file is read alone with the drop-ins
// beside it unless a unit path is given.
func (a *asked) load(word string) (*unit.Unit, error) {
	word = a.instanced(word)
	f := a.finder
	if f.Path == nil && strings.Contains(word, "/") {
		f.Path = []string{}
	}
	u, err := f.Load(word)
	if err != nil {
		return nil, &unitError{err}
	}
	if u.Type() != "service" {
		return nil, &usageError{u.Name + " is no service", ""}
	}
	u.Assignments = fit(u.Assignments)
	return u, nil
}

// invocation is what a launch would make of the options, without a unit that was named.
func (a *asked) invocation() (*invocation, error) {
	args := append([]string{}, a.finding...)
	for _, o := range a.given {
		switch {
		case o.row == nil:
			args = append(args, "-p", o.value)
		case o.dashed == "-p":
			args = append(args, "-p", o.row.ConfigName()+"="+o.value)
		default:
			args = append(args, o.dashed+"="+o.value)
		}
	}
	if a.dashes {
		args = append(args, "--")
	}
	return parse(append(args, a.command...), nil)
}
