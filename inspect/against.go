package inspect

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// State says how much of what a policy asks for a process has.
type State uint8

const (
	// Applied is what was seen to be in force, or stricter.
	Applied State = iota
	// Weaker is what is in force in part: of one path of two, on some of the threads.
	Weaker
	// Missing is what is not in force at all.
	Missing
	// NotCheckable is what cannot be seen: Text says why.
	NotCheckable
)

// String is the word for people: "applied", "not checkable".
func (s State) String() string {
	return [...]string{"applied", "weaker", "missing", "not checkable"}[s]
}

// Finding is what came of one directive of a policy. What is a default of units alone has an
// origin that says so, and is never worse than Weaker: somebody else than systemd has other
// defaults.
type Finding struct {
	Directive string // "ReadOnlyPaths", "X-Hardrun-KeepFD"
	From      policy.Origin
	State     State
	Text      string // what was found, or why nothing could be
}

// Against compares a process with a policy, whom Normalize has completed, and for the service of
// a unit UnitDefaults before it: a finding for every directive that is set, by their names, then
// one for every one that the policy only notes. What is stricter than it was asked for is
// Applied, as a daemon gives up rights by itself. Nothing is Applied that was not seen.
//
// Paths are looked up in the process's own view of the file system, users in the database of
// the machine, and the sources of bind mounts, new roots and namespaces by the caller's view.
func (r *Reader) Against(p *policy.Policy, proc *Process) []Finding {
	j := &judge{r: r, p: p, proc: proc}
	j.see, j.blind = r.look(proc)
	if j.blind == nil {
		defer j.see.close()
	}
	var all []Finding
	last := ""
	for _, s := range p.Settings() {
		name := s.Directive.ConfigName()
		if s.Directive.Own && s.Directive.Name == "Caps" { // Normalize has made others of it
			continue
		}
		if name == last || s.Value == "" && resets(s.Directive) && !j.fills(s.Directive) {
			continue
		}
		last = name
		t := tally{from: s.From}
		j.check(s.Directive, &t)
		all = append(all, t.finding(name))
	}
	for _, list := range [...]struct {
		all []policy.Assignment
		why string
	}{
		{p.NotApplied, "hardrun does not apply it: "},
		{p.Noted, "it belongs to a service manager"},
	} {
		seen := ""
		for _, a := range list.all {
			name := a.Directive.ConfigName()
			if strings.Contains(seen, " "+name+" ") {
				continue
			}
			seen += " " + name + " "
			why := list.why
			if strings.HasSuffix(why, " ") {
				why += a.Directive.Why
			}
			all = append(all, Finding{Directive: name, From: a.From, State: NotCheckable, Text: why})
		}
	}
	return all
}

// resets tells whether an empty value of a directive stands for a list that was reset.
func resets(d *policy.Directive) bool {
	switch d.Name {
	case "CapabilityBoundingSet", "AmbientCapabilities", "SecureBits":
		return false
	}
	return d.Value != nil && d.Value.List
}

// fills tells whether a directive has another assignment, behind a reset.
func (j *judge) fills(d *policy.Directive) bool {
	for _, s := range j.p.Settings() {
		if s.Directive == d && s.Value != "" {
			return true
		}
	}
	return false
}

// judge compares one process.
type judge struct {
	r     *Reader
	p     *policy.Policy
	proc  *Process
	see   *sight
	blind error // why there is no sight

	filters  *Filters
	unread   error // why there are no filters
	numbers  [][]number
	rules    []*pathRule
	viewDone bool
	other    string            // why the view is not that of the unit; empty where it is
	kernel   map[string]uint64 // the namespaces of a thread of the kernel
}

// tally is what speaks for a directive, and against it.
type tally struct {
	from                  policy.Origin
	good, half, bad, open int
	facts, faults, holes  []string
}

// yes is a part that is in force, or stricter.
func (t *tally) yes(text string) { t.good, t.facts = t.good+1, with(t.facts, text) }

// part is one that is in force to some extent.
func (t *tally) part(text string) { t.half, t.faults = t.half+1, with(t.faults, text) }

// no is one that is not.
func (t *tally) no(text string) { t.bad, t.faults = t.bad+1, with(t.faults, text) }

// cannot is one that cannot be seen.
func (t *tally) cannot(why string) { t.open, t.holes = t.open+1, with(t.holes, why) }

// when is yes or no.
func (t *tally) when(ok bool, yes, no string) {
	if ok {
		t.yes(yes)
	} else {
		t.no(no)
	}
}

// with adds a text that is not there yet.
func with(list []string, text string) []string {
	for _, have := range list {
		if have == text {
			return list
		}
	}
	return append(list, text)
}

// maxTexts is how many texts a finding has; the rest are counted.
const maxTexts = 4

func join(list []string) string {
	if n := len(list) - maxTexts; n > 1 {
		return strings.Join(list[:maxTexts], "; ") + "; and " + strconv.Itoa(n) + " more"
	}
	return strings.Join(list, "; ")
}

// finding is what it comes to.
func (t *tally) finding(name string) Finding {
	f := Finding{Directive: name, From: t.from}
	switch {
	case t.half > 0 || t.bad > 0 && t.good > 0:
		f.State, f.Text = Weaker, join(t.faults)
	case t.bad > 0:
		f.State, f.Text = Missing, join(t.faults)
	case t.open > 0:
		f.State, f.Text = NotCheckable, join(t.holes)
	case t.good > 0:
		f.State, f.Text = Applied, join(t.facts)
	default:
		f.State, f.Text = NotCheckable, "it is not looked at"
	}
	if t.from.Default && f.State == Missing {
		f.State = Weaker
	}
	return f
}

// asksNothing is the fact for a value that leaves everything as it is.
const asksNothing = "it asks for nothing"

// check looks at one directive.
func (j *judge) check(d *policy.Directive, t *tally) {
	if len(j.proc.Threads) == 0 {
		t.cannot("the process has no threads that could be read")
		return
	}
	if d.Own {
		j.own(d.Name, t)
		return
	}
	if d.Section == "Socket" {
		j.socket(d.Name, t)
		return
	}
	for _, by := range [...]func(string, *tally) bool{j.identity, j.attributes, j.spaces, j.view, j.calls, j.groups, j.service} {
		if by(d.Name, t) {
			return
		}
	}
	switch {
	case d.Section == "Unit":
		t.cannot("it was decided before the start")
	default:
		t.cannot("it belongs to the manager of the service, or to the past")
	}
}

// own are hardrun's own directives.
func (j *judge) own(name string, t *tally) {
	p := j.p
	switch name {
	case "Chroot":
		j.root(p.Chroot.V, t)
	case "MinimalRoot":
		j.minimalRoot(t)
	case "CGroup":
		j.place(t)
	case "SeccompBPF":
		j.ready(t)
	case "PID":
		t.when(p.PID.V == j.proc.PID, "it is this process", "it is another process")
	default:
		t.cannot("it says how a launch is done")
	}
}

// threads asks of each group of threads, whose answer is a fault, or empty where it is as asked.
func (j *judge) threads(t *tally, field, fact string, fault func(c *Credentials) string) {
	for i := range j.proc.Threads {
		g := &j.proc.Threads[i]
		if has(g.State.Absent, field) {
			t.cannot(j.proc.Why(field))
			continue
		}
		switch text := fault(&g.State); {
		case text == "":
			t.yes(fact)
		case len(j.proc.Threads) > 1:
			t.no(threadNames(g.IDs) + ": " + text)
		default:
			t.no(text)
		}
	}
}

// threadNames is "thread 12", "threads 12 13 and 4 more".
func threadNames(ids []int) string {
	if len(ids) == 1 {
		return "thread " + strconv.Itoa(ids[0])
	}
	text := "threads"
	for i, id := range ids {
		if i == 3 && len(ids) > 4 {
			return text + " and " + strconv.Itoa(len(ids)-3) + " more"
		}
		text += " " + strconv.Itoa(id)
	}
	return text
}

// apart says of which threads it is not true what holds for the first one.
func (j *judge) apart(t *tally, words ...string) {
	for i := range j.proc.Threads {
		g := &j.proc.Threads[i]
		for _, w := range words {
			if has(g.Apart, w) {
				t.part(threadNames(g.IDs) + " has another " + w)
			}
		}
	}
}

func has(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
