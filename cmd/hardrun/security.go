package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/order"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"

	"golang.org/x/sys/unix"
)

// scored is something that has an exposure: a unit, a command line, or a process.
type scored struct {
	name    string
	pid     int // 0 for none
	results [81]exposure.Result
	total   exposure.Score
	// passed are the lines that systemd passes over, with their places.
	passed []passed
	// refused is how many errors hardrun has for the unit, which it would not start; first is the
	// first of them, and file how the unit was named.
	refused     int
	first, file string
	notes       []string // what else should be known
}

// passed is a line that systemd passes over, and why.
type passed struct {
	from policy.Origin
	text string
}

// securityOptions is what help says of securityOption's options.
const securityOptions = `      --json[=systemd]                for programs: hardrun's form, or that of systemd-analyze
      --threshold=N                   status 1 for an exposure above N: 0.0 to 10.0, or 0 to 100 tenths
      --sort=KEY                      exposure (the default), name, weight, or file: where a line stands
      --instance=NAME                 of templates, test_instance without
      --pid PID...                    what running processes really have, whoever started them
`

// securityCommand prints exposures: of units, of a command line, or of processes.
func securityCommand(args []string) int {
	a := &asked{threshold: -1, sort: "exposure"}
	if err := a.scan(args, a.securityOption, a.securityWord); err != nil {
		return refused(err)
	}
	switch {
	case a.help:
		return subcommand([]string{"security", "--help"})
	case len(a.pids) > 0 && (len(a.units) > 0 || len(a.given) > 0 || len(a.command) > 0 || len(a.finder.DropIns) > 0):
		return usage("security: either processes or units and options")
	case len(a.pids)+len(a.units)+len(a.given)+len(a.command)+len(a.finder.DropIns) == 0:
		code := usage("security: a unit, an option or --pid is missing")
		hint("hardrun security UNIT..., hardrun security OPTION... [-- COMMAND], or hardrun security --pid PID")
		return code
	}
	list, code := a.scores()
	t := terminalOf(1)
	text := ""
	switch {
	case len(list) == 0:
		return code
	case a.json == "systemd":
		for i := range list {
			text += systemdJSON(&list[i], a.sort)
		}
	case a.json != "":
		text = securityJSON(list, a.sort, len(a.units)+len(a.pids) > 1)
	case len(a.units)+len(a.pids) > 1:
		text = t.summary(list)
	default:
		text = t.security(&list[0], a.sort)
	}
	if a.json == "systemd" {
		for i := range list {
			for _, n := range list[i].said() {
				say(n)
			}
		}
	}
	for i := range list {
		if a.threshold >= 0 && list[i].total.Tenths > a.threshold {
			code = max(code, 1)
		}
	}
	return max(code, out(text))
}

// securityOption takes the options of security itself.
func (a *asked) securityOption(name string, has bool, value func() (string, error)) (bool, error) {
	var v string
	var err error
	switch name {
	case "json":
		if a.json = "own"; has {
			if v, err = value(); err == nil && v != "systemd" {
				err = &usageError{"--json: " + v + ": systemd is wanted, or no value", ""}
			}
			a.json = v
		}
	case "threshold":
		if v, err = value(); err == nil {
			a.threshold, err = parseThreshold(v)
		}
	case "sort":
		if a.sort, err = value(); err == nil && !contains([]string{"exposure", "name", "weight", "file"}, a.sort) {
			err = &usageError{"--sort: " + a.sort + ": exposure, name, weight or file is wanted", ""}
		}
	case "pid":
		if v, err = value(); err == nil {
			err = a.addPID(v)
		}
	default:
		return false, nil
	}
	return true, err
}

// securityWord takes a word: a unit, or where options confine and it is none, the command.
func (a *asked) securityWord(word string) (command bool, err error) {
	switch {
	case len(a.pids) > 0:
		return false, a.addPID(word)
	case len(a.given) > 0 && len(a.units) == 0 && !strings.HasSuffix(word, ".service"):
		return true, nil
	}
	return false, a.addUnit(word)
}

// parseThreshold reads 0 to 100 in tenths as systemd takes it, or with a point: "2.5" is 25.
func parseThreshold(s string) (int, error) {
	whole, tenth, point := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 16)
	if err == nil && point {
		var t uint64
		if t, err = strconv.ParseUint(tenth, 10, 16); len(tenth) != 1 {
			err = strconv.ErrRange
		}
		n = n*10 + t
	}
	if err != nil || n > 100 {
		return 0, &usageError{"--threshold: " + s + ": 0 to 100 is wanted, or 0.0 to 10.0", ""}
	}
	return int(n), nil
}

// scores are what was asked for, and the exit status of what could not be had.
func (a *asked) scores() (list []scored, code int) {
	if len(a.pids) > 0 {
		return a.processes()
	}
	if len(a.units) == 0 {
		s, err := a.options()
		if err != nil {
			return nil, refused(err)
		}
		return []scored{*s}, 0
	}
	for _, word := range a.units {
		s, err := a.unit(word)
		if err != nil {
			code = max(code, refused(err))
			continue
		}
		list = append(list, *s)
	}
	return list, code
}

// score judges lines.
func (s *scored) score(lines []exposure.Line, expand func(string) (string, error)) error {
	set, ignored, err := exposure.Read(lines, expand)
	if err != nil {
		return err
	}
	s.results = set.Results()
	s.total = exposure.Sum(&s.results)
	for i := range ignored {
		g := &ignored[i]
		s.pass(g.From, g.Name+"=: "+g.Text)
	}
	return nil
}

// pass adds a line that is passed over, in the order of its file; one that is there already is
// the same.
func (s *scored) pass(from policy.Origin, text string) {
	at := len(s.passed)
	for i := range s.passed {
		switch p := &s.passed[i]; {
		case p.from == from:
			return
		case p.from.File == from.File && p.from.Line > from.Line:
			at = min(at, i)
		}
	}
	s.passed = append(s.passed, passed{})
	copy(s.passed[at+1:], s.passed[at:])
	s.passed[at] = passed{from, text}
}

// unit is the score of one unit, with the options over it.
func (a *asked) unit(word string) (*scored, error) {
	u, err := a.load(word)
	if err != nil {
		return nil, err
	}
	s := &scored{name: u.Name, file: a.instanced(word)}
	lines := make([]exposure.Line, 0, len(u.Assignments)+len(a.given))
	for i := range u.Assignments {
		l := &u.Assignments[i]
		lines = append(lines, exposure.Line{Section: l.Section, Name: l.Name, Value: l.Value, From: l.From})
	}
	over, err := a.over(u)
	if err != nil {
		return nil, err
	}
	if err := s.score(append(lines, over...), u.Expander()); err != nil {
		return nil, &unitError{errors.New(u.Name + ": systemd would not load it: " + err.Error())}
	}
	var p policy.Policy
	if err := u.Apply(&p, nil); err != nil {
		eachError(err, func(err error, _ string) {
			if s.refused++; s.refused == 1 {
				s.first = err.Error()
			}
			var set *policy.Error
			var read *unit.Error
			switch {
			case errors.As(err, &read):
				s.pass(policy.Origin{File: read.File, Line: read.Line}, "this line: "+read.Text)
			case errors.As(err, &set) && errors.Is(err, policy.ErrUnknown):
				s.pass(set.From, set.Name+"=: "+set.Err.Error())
			}
		})
	}
	return s, nil
}

// over are the options as lines that come behind those of a unit.
func (a *asked) over(u *unit.Unit) ([]exposure.Line, error) {
	in := &invocation{}
	_ = u.Apply(&in.policy, func(error) {}) // its errors are told elsewhere; here it is what options come to
	in.policy.Expand = nil
	var lines []exposure.Line
	for _, o := range a.given {
		if err := in.assign(o.row, o.dashed, o.value); err != nil {
			return nil, err
		}
		d, value := o.row, o.value
		if d == nil {
			name, v, _ := strings.Cut(value, "=")
			d, value = policy.Lookup(name), v
		}
		from := policy.Origin{File: o.dashed}
		add := func(name, value string) {
			lines = append(lines, exposure.Line{Section: d.Section, Name: name, Value: strings.ReplaceAll(value, "%", "%%"), From: from})
		}
		user, list, exact := strings.Cut(value, ":")
		switch {
		case d.Own: // below
		case d.Name == "User" && exact:
			group, more, _ := strings.Cut(list, ",")
			add("User", user)
			add("Group", group)
			add("SupplementaryGroups", "")
			add("SupplementaryGroups", strings.ReplaceAll(more, ",", " "))
		default:
			add(d.Name, value)
		}
	}
	short := shortForms(&in.policy)
	byCaps, byRoot := in.policy.Caps.Set, in.policy.Chroot.Set || in.policy.MinimalRoot.V
	for _, s := range short.Settings() {
		if !s.From.CommandLine() {
			continue
		}
		switch name := s.Directive.Name; {
		case byCaps && (name == "CapabilityBoundingSet" || name == "AmbientCapabilities"), byRoot && name == "RootDirectory":
			line := exposure.Line{Section: "Service", Name: name, From: s.From}
			lines = append(lines, line)
			line.Value = strings.ReplaceAll(s.Value, "%", "%%")
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// shortForms is a policy in which --caps, --chroot, --minimal-root and the groups of --user stand
// as what they mean; what directives imply is not in it.
func shortForms(p *policy.Policy) policy.Policy {
	q, n := *p, *p
	n.Normalize(asRoot(p))
	if q.Caps.Set {
		q.CapabilityBoundingSet, q.AmbientCapabilities = n.CapabilityBoundingSet, n.AmbientCapabilities
	}
	if q.MinimalRoot.V && !q.Chroot.Set {
		q.Chroot = policy.Opt[string]{V: "/minimal-root", Set: true, From: q.MinimalRoot.From}
	}
	if q.Chroot.Set && !q.RootDirectory.Set {
		q.RootDirectory = q.Chroot
	}
	q.ExactGroups = policy.Opt[bool]{}
	return q
}

// asRoot tells whether root who starts this gets a daemon that is root.
func asRoot(p *policy.Policy) bool {
	if !p.User.Set {
		return !p.DynamicUser.V
	}
	return p.User.V == "root" || p.User.V == "0"
}

// options is the score of a command line.
func (a *asked) options() (*scored, error) {
	in, err := a.invocation()
	if err != nil {
		return nil, err
	}
	s := &scored{name: "options"}
	if len(in.command) > 0 {
		s.name = path.Base(in.command[0])
	}
	p := shortForms(&in.policy)
	inherited := policy.Origin{File: "inherited"}
	lines := []exposure.Line{{Section: "Service", Name: "ExecStart", Value: "/bin/true"}}
	add := func(d *policy.Directive, value string, from policy.Origin) {
		if !d.Own && d.Name != "ExecStart" {
			lines = append(lines, exposure.Line{Section: d.Section, Name: d.Name, Value: value, From: from})
		}
	}
	if !p.UMask.Set {
		mask := unix.Umask(0)
		unix.Umask(mask)
		text := "0000" + strconv.FormatInt(int64(mask), 8)
		add(policy.Lookup("UMask"), text[len(text)-4:], inherited)
		s.notes = append(s.notes, "UMask= is not among the options: it is inherited, and counted as it is here, "+text[len(text)-4:])
	}
	if !p.KeyringMode.Set {
		add(policy.Lookup("KeyringMode"), "inherit", inherited)
		s.notes = append(s.notes, "KeyringMode= is not among the options: the keyring is inherited, where a unit has private by default")
	}
	for _, set := range p.Settings() {
		add(set.Directive, set.Value, set.From)
	}
	for _, set := range p.NotApplied {
		add(set.Directive, set.Value, set.From)
	}
	if p.SeccompBPF.Set {
		s.notes = append(s.notes, "what the filter of --seccomp-bpf denies is not counted")
	}
	err = s.score(lines, func(text string) (string, error) { return text, nil })
	if err != nil {
		return nil, &usageError{"no exposure: " + err.Error(), ""}
	}
	return s, nil
}

// processes are the scores of the processes that were named.
func (a *asked) processes() (list []scored, code int) {
	r, err := inspect.Open()
	if err != nil {
		say(err.Error())
		return nil, 1
	}
	for _, pid := range a.pids {
		p, err := r.Read(pid)
		if err != nil {
			say(processError(pid, err))
			code = 1
			continue
		}
		s := scored{name: processName(p), pid: pid, results: r.Results(p)}
		s.total = exposure.Sum(&s.results)
		list = append(list, s)
	}
	return list, code
}

// processName is "named[812]".
func processName(p *inspect.Process) string { return p.Name + "[" + strconv.Itoa(p.PID) + "]" }

// processError says why a process could not be read.
func processError(pid int, err error) string {
	if errors.Is(err, inspect.ErrGone) {
		return "there is no process " + strconv.Itoa(pid)
	}
	return "process " + strconv.Itoa(pid) + ": " + launcher.Reason(err)
}

// said are the notes as sentences.
func (s *scored) said() []string {
	var list []string
	for _, p := range s.passed {
		list = append(list, "note: "+p.from.String()+": systemd passes over "+p.text)
	}
	if s.refused > 0 {
		text := "note: hardrun itself refuses this unit, for one error: "
		if s.refused > 1 {
			text = "note: hardrun itself refuses this unit, for " + strconv.Itoa(s.refused) + " errors, of which the first is: "
		}
		list = append(list, text+s.first, "hint: hardrun plan --unit "+s.file)
	}
	for _, n := range s.notes {
		list = append(list, "note: "+n)
	}
	return list
}

// state is what a row is called for a process.
func state(r *exposure.Result) string {
	switch {
	case r.NotApplicable:
		return "n/a"
	case r.Unknown:
		return "unknown"
	case r.Badness == 0:
		return "applied"
	case r.Weaker:
		return "weaker"
	}
	return "missing"
}

// rank orders rows of the same exposure: what is bad, what cannot be known, what does not
// apply, what is good.
func rank(r *exposure.Result) int {
	switch {
	case r.NotApplicable:
		return 2
	case r.Unknown:
		return 1
	case r.Badness == 0:
		return 3
	}
	return 0
}

// sorted are the rows in the order asked for.
func (s *scored) sorted(by string) []int {
	list := make([]int, len(s.results))
	for i := range list {
		list[i] = i
	}
	worst := func(a, b int) bool {
		x, y := &s.results[a], &s.results[b]
		m, n := exposure.Row(a, x, &s.results), exposure.Row(b, y, &s.results)
		switch {
		case rank(x) != rank(y):
			return rank(x) < rank(y)
		case m != n:
			return m > n
		}
		return exposure.Checks[a].Weight > exposure.Checks[b].Weight
	}
	order.By(list, func(a, b *int) bool {
		switch by {
		case "name":
			return exposure.Checks[*a].ID < exposure.Checks[*b].ID
		case "weight":
			return exposure.Checks[*a].Weight > exposure.Checks[*b].Weight
		case "file":
			x, y := s.results[*a].From, s.results[*b].From
			switch none, other := x == (policy.Origin{}), y == (policy.Origin{}); {
			case none != other:
				return other
			case x.File != y.File:
				return x.File < y.File
			case x.Line != y.Line:
				return x.Line < y.Line
			}
		}
		return worst(*a, *b)
	})
	return list
}
