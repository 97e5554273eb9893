package faults

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Class is how a start with a fault ended.
type Class string

const (
	Refused    Class = "REFUSED"    // a line says what failed, a status of the table, no daemon
	Same       Class = "SAME"       // the daemon ran, and its state is that of a start without a fault
	FailOpen   Class = "FAIL-OPEN"  // the daemon ran in another state
	Silent     Class = "SILENT"     // no daemon, and no line that says why
	Zero       Class = "ZERO"       // no daemon, and status 0
	Status     Class = "STATUS"     // no daemon, and a status that is in no table, or not that of what is named
	Nameless   Class = "NAMELESS"   // no daemon, and what failed is not named: the directive, and the call with its error
	Hang       Class = "HANG"       // no end
	Waiting    Class = "WAITS"      // the daemon ran as it should, and its parent was told nothing of its end: Waits
	Crash      Class = "CRASH"      // the Go runtime or a signal ended hardrun: closed, but not by hardrun
	NotReached Class = "NOTREACHED" // the fault hit nothing before the daemon ran
)

// Classes is the order in which they are printed.
var Classes = []Class{Refused, Same, Crash, Waiting, NotReached, FailOpen, Silent, Zero, Status, Nameless, Hang}

// Bad are the classes that must stay empty.
var Bad = []Class{FailOpen, Silent, Zero, Status, Nameless, Hang}

// statusKnown tells whether a status is one of a refusal: usage, a bad unit, or
// one of "Process exit codes" of systemd.exec(5), which are 200 to 245.
func statusKnown(n int) bool { return n == 64 || n == 78 || n >= 200 && n <= 245 }

// statusOfParent tells whether a status is one of a parent: package supervise.
func statusOfParent(n int) bool { return n == 71 || n == 76 || n == 124 }

// Outcome is what is known of one start.
type Outcome struct {
	Point    Point
	Class    Class
	Status   int
	Signal   string
	Hit      string   // the first call that was hit
	Hits     int      // how many were
	Lines    []string // what hardrun said
	Why      string   // of Nameless and Status: what is missing
	Diff     []string // lines of the daemon's state that are missing (-) or new (+)
	Residue  []string // mounts, processes, files that were left
	Fallback bool     // a note said that chroot(2) took the place of pivot_root(2)
	Swallow  bool     // the message was lost by the very fault
	Command  string
}

func (o *Outcome) lines(said string) {
	o.Lines = nil
	for line := range strings.Lines(said) {
		o.Lines = append(o.Lines, strings.TrimRight(line, "\n"))
	}
}

// hits reads what the tracer has written.
func (o *Outcome) hits(log string) {
	for line := range strings.Lines(log) {
		var process, n, count, answer int
		if k, _ := fmt.Sscanf(line, "hit %d %d %d %d:", &process, &n, &count, &answer); k != 4 {
			continue
		}
		o.Hits++
		_, text, _ := strings.Cut(line, ": ")
		if o.Hit == "" {
			o.Hit = called(n)
			switch {
			case o.Point.Call == o.Hit && o.Point.N == count && o.Point.Process == process:
				o.Hit += "(" + o.Point.Args + ")"
			default:
				o.Hit += "(" + strings.TrimSpace(text) + ")"
			}
			o.Hit = fmt.Sprintf("%s = %d in process %d", o.Hit, answer, process)
		}
		if strings.Contains(line, ": hardrun: ") {
			o.Swallow = true
		}
	}
}

// judge finds the class. out and want are what the daemon printed, with and
// without the fault; errs is what came on stderr, log what the tracer wrote.
func (o *Outcome) judge(plan *Plan, log, out, want, errs string) {
	o.hits(log)
	o.lines(errs)
	o.Fallback = strings.Contains(errs, "chroot(2) is used in place of pivot_root(2)")
	said := slices.ContainsFunc(o.Lines, func(s string) bool { return strings.HasPrefix(s, "hardrun: ") })
	trace := strings.Contains(errs, "fatal error: ") || strings.Contains(errs, "panic: ") || strings.Contains(errs, "goroutine ") ||
		strings.Contains(errs, "runtime: ") || strings.Contains(errs, "runtime/cgo: ")
	failed := o.Status != 0 || o.Signal != ""
	several := plan.Parent || plan.Parts > 1
	switch {
	case o.Hits == 0 && out == want && !failed:
		o.Class = NotReached
	case out == want && !failed:
		o.Class = Same
	case out != "" && !several || !parts(plan, failed, out, want):
		o.Class = FailOpen
		o.Diff = diff(want, out)
	case o.Signal != "" || trace || said && several && (o.Status == 255 || o.Status == 128+int(unix.SIGSEGV)): // of a command
		o.Class = Crash
	case !failed:
		o.Class = Zero
	case !said && !o.Swallow:
		o.Class = Silent
	case !statusKnown(o.Status) && !(plan.Parent && statusOfParent(o.Status)):
		o.Class = Status
	case o.Swallow:
		o.Class = Refused
	default:
		o.Class = Refused
		if o.Class, o.Why = named(plan, o); o.Class == Refused {
			o.Why = ""
		}
	}
}

// parts tells whether what was printed are parts of what should be, one for each command: each
// in its place, and none before what has to precede it. A command that was refused has none, and
// one that was killed, in a start that failed, may have printed half of its own.
func parts(plan *Plan, failed bool, out, want string) bool {
	return partsOf(!plan.Parent, failed, out, want)
}

func partsOf(first, failed bool, out, want string) bool {
	const end = "\nend\n"
	i := strings.Index(want, end)
	if i < 0 || out == "" {
		return out == ""
	}
	part, rest := want[:i+len(end)], want[i+len(end):]
	if after, ok := strings.CutPrefix(out, part); ok && partsOf(false, failed, after, rest) {
		return true
	}
	if first { // it is to run before the others
		return false
	}
	if partsOf(false, failed, out, rest) {
		return true
	}
	return failed && strings.HasPrefix(out, "half of it: ") && !strings.Contains(out, end)
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
