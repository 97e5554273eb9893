package faults

import (
	"slices"
	"strings"
)

// Class is how a start with a fault ended.
type Class string

const (
	Refused    Class = "REFUSED"    // one line said why, a status of the table, no daemon
	Same       Class = "SAME"       // the daemon ran, and its state is that of a start without a fault
	FailOpen   Class = "FAIL-OPEN"  // the daemon ran in another state
	Silent     Class = "SILENT"     // no daemon, and no line that says why
	Zero       Class = "ZERO"       // no daemon, and status 0
	Status     Class = "STATUS"     // no daemon, and a status that is in no table
	Hang       Class = "HANG"       // no end
	Crash      Class = "CRASH"      // the Go runtime or a signal ended hardrun: closed, but not by hardrun
	NotReached Class = "NOTREACHED" // the fault hit nothing before the daemon ran
)

// Classes is the order in which they are printed.
var Classes = []Class{Refused, Same, Crash, NotReached, FailOpen, Silent, Zero, Status, Hang}

// Bad are the classes that must stay empty.
var Bad = []Class{FailOpen, Silent, Zero, Status, Hang}

// statusKnown tells whether a status is one of a refusal: usage, a bad unit, or
// one of "Process exit codes" of systemd.exec(5), which are 200 to 245.
func statusKnown(n int) bool { return n == 64 || n == 78 || n >= 200 && n <= 245 }

// Outcome is what is known of one start.
type Outcome struct {
	Point    Point
	Class    Class
	Status   int
	Signal   string
	Hit      string   // the first call that was hit, as strace printed it
	Hits     int      // how many were, before the daemon ran
	Own      int      // those of the main thread among them
	After    int      // how many were after it
	Lines    []string // what hardrun said
	Diff     []string // lines of the probe's output that are missing (-) or new (+)
	Residue  []string // mounts, processes that were left
	Fallback bool     // a note said that chroot(2) took the place of pivot_root(2)
	Swallow  bool     // the message was lost by the very fault
	Command  string
}

// judge finds the class. out and want are what the probe printed, with and
// without the fault; errs is what came on stderr. commands are the paths of what is
// started, the probe first.
func (o *Outcome) judge(plan *Plan, calls []*Call, commands []string, out, want, errs string, timeout bool) {
	start := started(calls, commands[0])
	if plan.Unit != "" {
		start = -1 // of several commands each has its own
	}
	over := map[string]bool{} // threads that are a command by now
	for i, c := range calls {
		if plan.Unit != "" && slices.ContainsFunc(commands, func(path string) bool { return started([]*Call{c}, path) == 0 }) {
			over[c.Thread] = true
		}
		if !c.Injected {
			continue
		}
		if start >= 0 && i > start || over[c.Thread] {
			o.After++
			continue
		}
		o.Hits++
		if c.Thread == calls[0].Thread {
			o.Own++
		}
		if o.Hit == "" {
			o.Hit = c.Name + "(" + c.Args + ") = " + c.Answer
		}
		if c.Name == "write" && strings.Contains(c.Args, ", \"hardrun: ") {
			o.Swallow = true
		}
	}
	for line := range strings.Lines(errs) {
		o.Lines = append(o.Lines, strings.TrimRight(line, "\n"))
	}
	o.Fallback = strings.Contains(errs, "chroot(2) is used in place of pivot_root(2)")
	said := slices.ContainsFunc(o.Lines, func(s string) bool { return strings.HasPrefix(s, "hardrun: ") })
	trace := strings.Contains(errs, "fatal error: ") || strings.Contains(errs, "panic: ") || strings.Contains(errs, "goroutine ") ||
		strings.Contains(errs, "runtime: ") || strings.Contains(errs, "runtime/cgo: ")
	switch {
	case timeout:
		o.Class = Hang
	case o.Point.Mode == Each && o.After > 0 && !parts(plan, out, want):
		o.Class = NotReached // a command was hit itself, and cannot tell its state
	case plan.Unit != "" && !parts(plan, out, want):
		o.Class = FailOpen
		o.Diff = diff(want, out)
	case plan.Unit != "" && o.Hits > 0 && out == want && o.Status == 0 && o.Signal == "":
		o.Class = Same
	case start >= 0 && o.Hits == 0:
		o.Class = NotReached
	case start >= 0 && out == want && o.Status == 0 && o.Signal == "":
		o.Class = Same
	case start >= 0:
		o.Class = FailOpen
		o.Diff = diff(want, out)
	case o.Hits == 0:
		o.Class = NotReached
	case o.Signal != "" || trace || plan.Unit != "" && o.Status == 255 && said: // of a command that a signal has ended
		o.Class = Crash
	case o.Status == 0:
		o.Class = Zero
	case !said && !o.Swallow:
		o.Class = Silent
	case !statusKnown(o.Status):
		o.Class = Status
	default:
		o.Class = Refused
	}
}

// parts tells whether what was printed are whole parts of what should be, one for each command:
// each in its place, and none before what has to precede it. A command that was refused has none.
func parts(plan *Plan, out, want string) bool {
	const end = "end\n"
	for first := true; want != ""; first = false {
		i := strings.Index(want, end)
		if i < 0 {
			return false
		}
		part := want[:i+len(end)]
		want = want[len(part):]
		rest, ok := strings.CutPrefix(out, part)
		if !ok && first && !plan.Parent {
			return out == "" // what is to run before has not
		}
		out = rest
	}
	return out == ""
}

// diff names the lines of which one text has more than the other.
func diff(want, got string) []string {
	count := map[string]int{}
	for line := range strings.Lines(want) {
		count[strings.TrimRight(line, "\n")]++
	}
	var d []string
	for line := range strings.Lines(got) {
		line = strings.TrimRight(line, "\n")
		if count[line]--; count[line] < 0 {
			d = append(d, "+"+line)
		}
	}
	for line := range strings.Lines(want) {
		line = strings.TrimRight(line, "\n")
		if count[line] > 0 {
			count[line]--
			d = append(d, "-"+line)
		}
	}
	return d
}
