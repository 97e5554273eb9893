package main

import (
	"errors"
	"strconv"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/policy"
)

// seen is a process that was looked at, with what was asked about it.
type seen struct {
	*inspect.Process
	results  *[81]exposure.Result // nil where it was not scored
	findings []inspect.Finding
	against  string // what it was compared with; empty for nothing
}

// inspectOptions is what help says of inspectOption's options.
const inspectOptions = `      --json                          everything, for programs
      --mounts                        every mount, also those of the host
      --all                           a line for each process
      --tree                          the same below their parents
      --against UNIT                  what it lacks of what a unit, or options, ask for: status 1 for any
`

// inspectCommand prints what processes are confined by.
func inspectCommand(args []string) int {
	a := &asked{threshold: -1}
	if err := a.scan(args, a.inspectOption, func(word string) (bool, error) { return false, a.addPID(word) }); err != nil {
		return refused(err)
	}
	compares := len(a.units) > 0 || len(a.given) > 0 || len(a.finder.DropIns) > 0
	many := a.all || a.tree
	switch {
	case a.help:
		return subcommand([]string{"inspect", "--help"})
	case len(a.command) > 0:
		return usage("inspect: a command is not taken: " + a.command[0])
	case many && (compares || a.against):
		return usage("inspect: --against is for processes that are named")
	case many && len(a.pids) > 0:
		return usage("inspect: either processes that are named or all")
	case !many && len(a.pids) == 0:
		code := usage("inspect: a process ID is missing")
		hint("hardrun inspect PID..., or hardrun inspect --all")
		return code
	case a.against && !compares:
		return usage("inspect: --against: a unit or options are wanted")
	case len(a.units) > 1:
		return usage("inspect: --against: one unit is taken")
	}
	var asks *policy.Policy
	name := ""
	if compares {
		var err error
		if asks, name, err = a.policy(); err != nil {
			return refused(err)
		}
	}
	r, err := inspect.Open()
	if err != nil {
		say(err.Error())
		return 1
	}
	if many {
		return a.everybody(r)
	}
	var list []seen
	code := 0
	for _, pid := range a.pids {
		p, err := r.Read(pid)
		if err != nil {
			say(processError(pid, err))
			code = 1
			continue
		}
		s := seen{Process: p}
		if asks != nil {
			s.findings, s.against = r.Against(asks, p), name
			if differs(s.findings) {
				code = 1
			}
		}
		if !p.Kernel && !p.Zombie && (asks == nil || a.json != "") {
			results := r.Results(p)
			s.results = &results
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return code
	}
	text := ""
	if t := terminalOf(1); a.json != "" {
		text = inspectJSON(list, len(a.pids) > 1)
	} else {
		for i := range list {
			if i > 0 {
				text += "\n"
			}
			if s := &list[i]; s.against != "" {
				text += t.against(s)
			} else {
				text += t.process(s, a.mounts)
			}
		}
	}
	return max(code, out(text))
}

// inspectOption takes the options of inspect itself.
func (a *asked) inspectOption(name string, has bool, value func() (string, error)) (bool, error) {
	to := map[string]*bool{"all": &a.all, "tree": &a.tree, "mounts": &a.mounts}[name]
	switch {
	case name == "against":
		a.against = true
		v, err := value()
		if err != nil && !has { // the options say it
			return true, nil
		}
		if err == nil {
			err = a.addUnit(v)
		}
		return true, err
	case has:
		return false, nil
	case name == "json":
		a.json = "own"
	case to != nil:
		*to = true
	default:
		return false, nil
	}
	return true, nil
}

// policy is what the unit and the options ask for, and how it is called.
func (a *asked) policy() (*policy.Policy, string, error) {
	if len(a.units) == 0 {
		in, err := a.invocation()
		if err != nil {
			return nil, "", err
		}
		in.policy.Normalize(asRoot(&in.policy))
		return &in.policy, "the options", nil
	}
	u, err := a.load(a.units[0])
	if err != nil {
		return nil, "", err
	}
	in := &invocation{unit: u, warns: a.warns}
	if err := u.Apply(&in.policy, in.warn()); err != nil {
		return nil, "", &unitError{err}
	}
	for _, o := range a.given {
		if err := in.assign(o.row, o.dashed, o.value); err != nil {
			return nil, "", err
		}
	}
	in.policy.UnitDefaults()
	in.policy.Normalize(asRoot(&in.policy))
	return &in.policy, u.Name, nil
}

// differs tells whether something that was asked for is not there, or not as asked for.
func differs(list []inspect.Finding) bool {
	for i := range list {
		if s := list[i].State; s == inspect.Missing || s == inspect.Weaker {
			return true
		}
	}
	return false
}

// everybody prints a line for each process, those of the kernel left out.
func (a *asked) everybody(r *inspect.Reader) int {
	pids, err := r.PIDs()
	if err != nil {
		say(err.Error())
		return 1
	}
	var list []seen
	for _, pid := range pids {
		p, err := r.Read(pid)
		switch {
		case errors.Is(err, inspect.ErrGone): // it has ended meanwhile
		case err != nil:
			say(processError(pid, err))
		case !p.Kernel:
			list = append(list, seen{Process: p})
		}
	}
	if a.json != "" {
		return out(inspectJSON(list, true))
	}
	return out(terminalOf(1).everybody(list, a.tree))
}

// count is a number and a noun: "1 thread", "5 threads".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
