package supervise

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
)

var update = flag.Bool("update", false, "write generated files anew")

// TestTransitions goes through the lives of the services in testdata/transitions.txt, which says
// how to read it. go test ./supervise -run TestTransitions -update writes what is below each of them.
func TestTransitions(t *testing.T) {
	const file = "testdata/transitions.txt"
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(have), "\n== ")
	for i, part := range parts[1:] {
		input, _, _ := strings.Cut(strings.TrimSpace(part), "\n\n")
		x := explorer{t: t}
		x.read(input)
		x.explore()
		parts[i+1] = input + "\n\n" + x.out.String()
	}
	want := strings.TrimSuffix(strings.Join(parts, "\n== "), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(have) != want {
		was, is := strings.Split(string(have), "\n"), strings.Split(want, "\n")
		for i := range min(len(was), len(is)) {
			if was[i] != is[i] {
				t.Fatalf("%s:%d is\n%s\nwant\n%s", file, i+1, was[i], is[i])
			}
		}
		t.Fatalf("%s has %d lines, want %d", file, len(was), len(is))
	}
}

// stateNames are the states by their constants.
var stateNames = strings.Fields("condition startPre start startPost running exited reload reloadSignal reloadNotify reloadPost stop stopAbort stopTerm stopKill stopPost finalAbort finalTerm finalKill dead")

// explorer finds all states that a service can come to by some events.
type explorer struct {
	t      *testing.T
	spec   *Spec
	world  []string // what holds besides
	events []string
	until  state // the first state that is not gone on from

	numbers map[string]int // of the states, by their descriptions
	found   []*life        // in this order
	out     strings.Builder
}

// life is a service at one moment. Its processes are numbers, from 101 on.
type life struct {
	x *explorer
	l loop // without a process: only what it adds to the machine is asked

	clock uint64
	last  int
	alive map[int]bool
	file  string // what PIDFile= names: "", "rest", "main", "control", "stranger"
	deaf  bool   // no process handles a signal
	fleet bool   // no process is there any more when it is to be the main one
	did   []string
}

const stranger = 7

// read takes directives, and what may happen, from the text above the transitions.
func (x *explorer) read(text string) {
	p := &policy.Policy{}
	for name, value := range map[string]string{"TimeoutStartSec": "10", "TimeoutStopSec": "20", "TimeoutAbortSec": "30"} {
		if err := p.Set(name, value, policy.Origin{File: "unit", Line: 1}); err != nil {
			x.t.Fatal(err)
		}
	}
	x.until = dead
	for line := range strings.Lines(text) {
		what, words, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch what {
		case "events":
			x.events = strings.Split(words, ", ")
		case "world":
			x.world = strings.Split(words, ", ")
		case "until":
			x.until = state(slices.Index(stateNames, words))
		default:
			for word := range strings.FieldsSeq(line) {
				if name, value, ok := strings.Cut(word, "="); ok {
					if err := p.Set(name, value, policy.Origin{File: "unit", Line: 1}); err != nil {
						x.t.Fatal(err)
					}
				}
			}
		}
	}
	x.spec = Of(p)
	if x.spec.NotifyAccess != "none" && !x.holds("no socket") {
		x.spec.NotifyFD, x.spec.NotifyPath = 3, "/n"
	}
}

func (x *explorer) explore() {
	x.numbers = map[string]int{}
	v := &life{x: x, clock: 1000, last: 100, alive: map[int]bool{}}
	v.l.machine = machine{Spec: x.spec, effects: v}
	v.l.begin()
	fmt.Fprintf(&x.out, "begin: %s\n", x.arrival(v))
	for i := 0; i < len(x.found); i++ { // it grows
		if i > 200 {
			x.t.Fatalf("%s\nand so on: there is no end of states", x.out.String()[:4000])
		}
		v := x.found[i]
		var lines strings.Builder
		var nothing []string
		for _, event := range x.events {
			after := v.clone()
			switch {
			case !after.happen(event):
			case len(after.did) == 0 && after.String() == v.String():
				nothing = append(nothing, event)
			default:
				fmt.Fprintf(&lines, "  %s: %s\n", event, x.arrival(after))
			}
		}
		fmt.Fprintf(&x.out, "%d: %s", i+1, v)
		if len(nothing) > 0 {
			x.out.WriteString(" (nothing by " + strings.Join(nothing, ", ") + ")")
		}
		x.out.WriteString("\n" + lines.String())
	}
}

// arrival is what was done on the way to a state, and the state.
func (x *explorer) arrival(v *life) string {
	to := v.String()
	switch {
	case v.l.state == dead:
		x.over(v)
	case v.l.state < x.until:
		if x.numbers[to] == 0 {
			x.found = append(x.found, v)
			x.numbers[to] = len(x.found)
		}
		to = fmt.Sprintf("%d %s", x.numbers[to], stateNames[v.l.state])
	}
	if len(v.did) == 0 {
		return "-> " + to
	}
	return strings.Join(v.did, "; ") + " -> " + to
}

// over shows that nothing happens any more.
func (x *explorer) over(v *life) {
	for _, event := range x.events {
		after := v.clone()
		if after.happen(event) && (len(after.did) > 0 || after.l.state != dead || after.l.status() != v.l.status()) {
			x.t.Errorf("%s after the end: %v, %s", event, after.did, after)
		}
	}
}

func (v *life) clone() *life {
	c := *v
	c.alive, c.did = maps.Clone(v.alive), nil
	c.l.machine.effects = &c
	return &c
}

// String is all that what comes next depends on, but for how a process has ended.
func (v *life) String() string {
	m := &v.l.machine
	words := []string{stateNames[m.state]}
	add := func(is bool, word string) {
		if is {
			words = append(words, word)
		}
	}
	add(m.state != dead && m.result != success, "failed")
	add(m.state == dead, resultNames[m.result]+" "+strconv.Itoa(m.status()))
	name := "main"
	if len(m.Commands[policy.ExecStart]) > 1 {
		name = m.command(policy.ExecStart, m.mainIndex)
	}
	add(m.main != 0, name)
	add(m.main == 0 && m.known, "no "+name)
	if m.control != 0 {
		add(true, m.command(m.list, m.index))
	}
	switch others := len(v.others()); {
	case others > 1 && m.Type == "forking":
		add(true, strconv.Itoa(others)+" others")
	case others > 0:
		add(true, "others")
	}
	if m.state != dead {
		add(m.deadline != never, fmt.Sprint(float64(int64(m.deadline-v.clock))/1e6, "s"))
		add(v.justGuessed(), "guessed")
		add(m.wantPIDFile, "awaits PIDFile=")
		add(v.file != "", "PIDFile= is "+v.file)
		add(m.wantReload, "to reload")
		add(m.saidReload, "said RELOADING=1")
		add(m.saidReloaded, "said READY=1")
		add(m.saidStop, "said STOPPING=1")
		add(v.deaf, "deaf")
		add(v.fleet, "fleeting")
	}
	return strings.Join(words, ", ")
}

// justGuessed tells whether the main process may turn out to be another.
func (v *life) justGuessed() bool {
	return v.l.state < stop && v.l.guessed != 0 && v.clock-v.l.guessed < 1e6
}

func (x *explorer) holds(what string) bool { return slices.Contains(x.world, what) }

// happen makes something happen; it is false where it cannot.
func (v *life) happen(event string) bool {
	l := &v.l
	who, how, _ := strings.Cut(event, " ")
	switch who {
	case "main", "control":
		pid := l.main
		if who == "control" {
			pid = l.control
		}
		if pid == 0 {
			return false
		}
		delete(v.alive, pid)
		l.exited(pid, endOf(how))
	case "fork": // up to so many processes besides
		if most, _ := strconv.Atoi(how); len(v.others()) >= most || len(v.alive) == 0 {
			return false
		}
		v.fork()
	case "others": // end
		if len(v.others()) == 0 {
			return false
		}
		for _, pid := range v.others() {
			delete(v.alive, pid)
			l.exited(pid, end{n: 9})
		}
	case "executed":
		l.executed()
	case "time": // is over
		if l.deadline == never {
			return false
		}
		v.clock = max(v.clock, l.deadline)
		l.expired()
	case "second": // passes
		if !v.justGuessed() {
			return false
		}
		v.clock += 1e6
	case "stop":
		l.askStop()
	case "reload":
		l.askReload()
	case "deaf":
		v.deaf = true
	case "fleeting":
		v.fleet = true
	case "file": // is written, and looked at
		v.file = how
		l.pidFile()
	default: // a message
		n, ok := parseNotice(v.fill(strings.ReplaceAll(event, " ", "\n")))
		if !ok {
			v.x.t.Fatalf("%q is no event", event)
		}
		l.notice(&n)
	}
	if l.waitsForNobody() && v.empty() {
		l.emptied()
	}
	return true
}

// endOf reads "3", "TERM" and "SEGV core".
func endOf(text string) end {
	name, core := strings.CutSuffix(text, " core")
	if n, err := strconv.Atoi(name); err == nil {
		return end{n: n}
	}
	return end{signal: true, core: core, n: int(unix.SignalNum("SIG" + name))}
}

// fill puts numbers for "@rest", "@main", "@control", "@stranger" and "@now".
func (v *life) fill(text string) string {
	before, name, found := strings.Cut(text, "@")
	if !found {
		return text
	}
	name, after, _ := strings.Cut(name, "\n")
	n := int(v.clock)
	if name != "now" {
		n = v.named(name)
	}
	return before + strconv.Itoa(n) + "\n" + v.fill(after)
}

func (v *life) named(name string) int {
	switch name {
	case "main":
		return v.l.main
	case "control":
		return v.l.control
	case "rest":
		if rest := v.others(); len(rest) > 0 {
			return rest[0]
		}
		return 0
	}
	return stranger
}

func (v *life) fork() int {
	v.last++
	v.alive[v.last] = true
	return v.last
}

// others are the processes besides the main and the control process.
func (v *life) others() []int {
	rest := slices.Sorted(maps.Keys(v.alive))
	return slices.DeleteFunc(rest, func(pid int) bool { return pid == v.l.main || pid == v.l.control })
}

// The effects.

func (v *life) do(words ...string) { v.did = append(v.did, strings.Join(words, " ")) }

func (v *life) now() uint64 { return v.clock }

func (v *life) start(c Command) (int, error) {
	text := v.l.command(c.List, c.Index)
	if c.Main {
		text = "main " + text
	}
	for _, e := range c.Environ {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case name == "MAINPID" && value == strconv.Itoa(v.l.main), name == "PIDFILE" && value == v.x.spec.PIDFile, name == "NOTIFY_SOCKET" && value == v.x.spec.NotifyPath:
			text += " " + name
		default:
			text += " " + e
		}
	}
	v.do("run", text)
	if v.x.holds("no " + policy.ExecNames[c.List]) {
		return 0, errors.New("refused")
	}
	return v.fork(), nil
}

func (v *life) signal(pid, n int) {
	switch pid {
	case 0:
		v.x.t.Errorf("signal %d to nobody", n)
	case v.l.main:
		v.do(signalName(n), "main")
	case v.l.control:
		v.do(signalName(n), "control")
	default:
		v.x.t.Errorf("signal %d to %d", n, pid)
	}
	if n == int(unix.SIGKILL) {
		delete(v.alive, pid) // its end may be told late
	}
}

func (v *life) rest(n int, hup bool) bool {
	text := signalName(n)
	if hup {
		text += "+HUP"
	}
	v.do(text, "rest")
	return len(v.others()) > 0
}

func (v *life) reap() {
	v.do("reap")
	for _, pid := range v.others() {
		delete(v.alive, pid)
	}
}

func (v *life) empty() bool { return len(v.alive) == 0 }

func (v *life) adopt(pid int) error {
	if v.alive[pid] && pid != v.l.main && pid != v.l.control {
		v.do("adopt rest")
	}
	switch {
	case pid == 0:
		v.x.t.Error("nobody was to be the main process")
	case pid == v.l.control, !v.alive[pid], v.fleet:
		return errors.New("refused")
	}
	return nil
}

func (v *life) guess() int {
	if rest := v.others(); len(rest) == 1 {
		return rest[0]
	}
	return 0
}

func (v *life) readPIDFile() (int, error) {
	if v.x.spec.PIDFile == "" {
		v.x.t.Error("a PID file was read without PIDFile=")
	}
	if v.file == "" {
		return 0, errors.New("no file")
	}
	if pid := v.named(v.file); pid != 0 {
		return pid, nil
	}
	return stranger, nil
}

func (v *life) catches(pid, n int) bool {
	if pid == 0 || pid != v.l.main || n != v.x.spec.ReloadSignal {
		v.x.t.Errorf("asked whether %d catches %d", pid, n)
	}
	return !v.deaf
}

func (v *life) oom() bool       { return v.x.holds("out of memory") }
func (v *life) ready()          { v.do("ready") }
func (v *life) say(text string) { v.do("say " + strconv.Quote(text)) }
