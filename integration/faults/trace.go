package faults

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Call is a system call in the log of strace.
type Call struct {
	Thread   string // "" when strace followed no threads
	Name     string
	Args     string // up to where strace knew them
	Answer   string
	Injected bool
	Done     bool // an answer was seen
}

const injected = " (INJECTED)"

// parse reads a log of strace -o. Calls are in the order of their beginning.
func parse(log io.Reader) ([]*Call, error) {
	var calls []*Call
	open := map[string]*Call{} // by thread
	scan := bufio.NewScanner(log)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		thread := ""
		if word, rest, ok := strings.Cut(line, " "); ok && isNumber(word) {
			thread, line = word, strings.TrimLeft(rest, " ")
		}
		if rest, ok := strings.CutPrefix(line, "<... "); ok {
			name, rest, ok := strings.Cut(rest, " resumed>")
			c := open[thread]
			if !ok || c == nil || c.Name != name {
				return nil, fmt.Errorf("strace resumes what was not begun: %q", scan.Text())
			}
			delete(open, thread)
			c.Args += c.answer(rest)
			continue
		}
		name, rest, ok := strings.Cut(line, "(")
		if !ok || !isName(name) { // "+++ exited with 0 +++", "--- SIGURG …"
			continue
		}
		c := &Call{Thread: thread, Name: name}
		calls = append(calls, c)
		if args, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
			c.Args = args
			open[thread] = c
			continue
		}
		c.Args = c.answer(rest)
	}
	return calls, scan.Err()
}

// answer takes "ARGS) = ANSWER" apart. The last " = " is the answer's: strace
// prints none within an answer.
func (c *Call) answer(rest string) (args string) {
	i := strings.LastIndex(rest, " = ")
	if i < 0 {
		return rest
	}
	c.Done = true
	c.Answer, c.Injected = strings.CutSuffix(rest[i+3:], injected)
	return strings.TrimSuffix(strings.TrimRight(rest[:i], " "), ")")
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// containsArg tells whether an argument starts with a word.
func containsArg(args, word string) bool {
	return strings.HasPrefix(args, word) || strings.Contains(args, ", "+word)
}

// nthArg is an argument that stands before any which has a comma in it.
func nthArg(args string, n int) string {
	list := strings.SplitN(args, ", ", n+2)
	if n >= len(list) {
		return ""
	}
	return list[n]
}

// started is the place in the log of the execve that made the process the probe,
// -1 when there was none.
func started(calls []*Call, probe string) int {
	for i, c := range calls {
		if c.Name == "execve" && strings.HasPrefix(c.Args, "\""+probe+"\"") && c.Answer == "0" && !c.Injected {
			return i
		}
	}
	return -1
}

// lives are the calls of the main thread, to its end, and those of each other thread up to the
// execve of a command.
func lives(calls []*Call, commands ...string) (main []*Call, others [][]*Call) {
	at := map[string]int{}
	over := map[string]bool{}
	for _, c := range calls {
		if c.Thread == calls[0].Thread {
			main = append(main, c)
			continue
		}
		if over[c.Thread] {
			continue
		}
		i, ok := at[c.Thread]
		if !ok {
			i = len(others)
			at[c.Thread] = i
			others = append(others, nil)
		}
		others[i] = append(others[i], c)
		over[c.Thread] = slices.ContainsFunc(commands, func(path string) bool { return started([]*Call{c}, path) == 0 })
	}
	return main, others
}

// before are the calls of the main thread up to the execve of the probe.
func before(calls []*Call, probe string) ([]*Call, error) {
	end := started(calls, probe)
	if end < 0 {
		return nil, fmt.Errorf("the probe was not started, after %d calls", len(calls))
	}
	var own []*Call
	for _, c := range calls[:end+1] {
		if c.Thread == calls[0].Thread {
			own = append(own, c)
		}
	}
	return own, nil
}

// EachPoints are the faults of a plan that hit the calls of other threads than the main one, those
// of commands included.
func EachPoints(plan string, others [][]*Call) (list []Point) {
	seen := map[Point]bool{}
	for _, calls := range others {
		for _, p := range Points(plan, append([]*Call{{Name: "execve"}}, calls...)) {
			if p.Mode != Once || p.Call == "execve" { // strace lets go there
				continue
			}
			p.Mode, p.Last = Each, p.N
			q := p
			if q.Read = false; !seen[q] {
				seen[q] = true
				list = append(list, p)
			}
		}
	}
	return list
}

// Points are all faults of a plan, from the calls of a start without one.
func Points(plan string, own []*Call) []Point {
	total := map[string]int{}
	for _, c := range own {
		total[c.Name]++
	}
	var list []Point
	seen := map[string]int{}
	for _, c := range own {
		if Exempt[c.Name] != "" {
			continue
		}
		seen[c.Name]++
		n, last := seen[c.Name], total[c.Name]
		if c.Name == "execve" { // the first starts hardrun, and strace does not count it
			n, last = n-1, last-1
		}
		if n == 0 {
			continue
		}
		p := Point{Plan: plan, Call: c.Name, N: n, Last: last, Read: reads(c.Name, c.Args)}
		if n == 1 {
			for _, f := range append([]string{Lie}, Errors...) {
				q := p
				q.Fault, q.Mode = f, Always
				q.Read = !slices.ContainsFunc(own, func(d *Call) bool { return d.Name == c.Name && !reads(d.Name, d.Args) })
				list = append(list, q)
			}
		}
		for _, f := range append([]string{Lie}, Errors...) {
			q := p
			q.Fault, q.Mode = f, Once
			list = append(list, q)
		}
		if !p.Read && n > 1 && n < p.Last {
			q := p
			q.Fault, q.Mode = Lie, Since
			list = append(list, q)
		}
	}
	return list
}

func (p Point) String() string {
	return fmt.Sprintf("%s %s %s %s %d", p.Plan, p.Call, p.Fault, p.Mode, p.N)
}

// inject is the argument of strace -e.
func (p Point) inject() string {
	what := "error=" + p.Fault
	if p.Fault == Lie {
		what = "retval=0"
	}
	when := fmt.Sprint(p.N)
	if p.Mode != Once && p.Last > p.N {
		when = fmt.Sprintf("%d..%d", p.N, p.Last)
	}
	return "inject=" + p.Call + ":" + what + ":when=" + when
}
