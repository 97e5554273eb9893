package faults

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
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
			if name == "???" { // a thread that an execve of another has ended
				delete(open, thread)
				continue
			}
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
	for _, c := range calls { // what is newer than strace
		if text, ok := strings.CutPrefix(c.Name, "syscall_0x"); ok {
			if n, err := strconv.ParseInt(text, 16, 32); err == nil {
				c.Name = called(int(n))
			}
		}
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

// command tells whether a call made the process another program than hardrun.
func (c *Call) command() bool {
	return (c.Name == "execve" || c.Name == "execveat") && c.Answer == "0" && !c.Injected && !strings.Contains(c.Args, `["/srv/hardrun"`)
}

// inner is the number that strace gives of a process in a PID namespace below its own.
var inner = regexp.MustCompile(`^\d+ /\* (\d+) in strace's PID NS \*/`)

// lives are the calls of the main threads of hardrun's processes, in the order in which they were
// made, each up to the execve of a command or to its end. Parent tells whether
// the first has none.
func lives(calls []*Call) (list [][]*Call, parent bool) {
	at := map[string]int{calls[0].Thread: 0} // the thread's place in the list
	over := map[string]bool{}
	list, parent = [][]*Call{nil}, true
	made := map[string]bool{} // what commands make is not hardrun's
	for _, c := range calls {
		i, ok := at[c.Thread]
		switch {
		case over[c.Thread]:
			continue
		case !ok && !made[c.Thread]:
			continue // a thread of the Go runtime
		case !ok:
			i = len(list)
			at[c.Thread] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], c)
		switch c.Name {
		case "fork", "vfork", "clone", "clone3":
			if !strings.Contains(c.Args, "CLONE_THREAD") {
				made[inner.ReplaceAllString(c.Answer, "$1")] = true
			}
		}
		if c.command() {
			over[c.Thread] = true
			parent = parent && i > 0
		}
	}
	return list, parent
}

// address is what differs from start to start.
var address = regexp.MustCompile(`0x[0-9a-f]{5,}|"[0-9]+"`)

// same are how many calls at the beginning all lists have in common, by name and arguments; the
// first, which has the words of the start, is not looked at.
func same(lists [][]*Call) []int {
	ends := make([]int, len(lists))
	type call struct {
		text string
		at   int
	}
	var texts [][]call
	for _, l := range lists {
		var t []call
		for i, c := range l {
			// Which thread of the Go runtime starts the next one is chance, and the mask of signals
			// is changed around that.
			if i > 0 && Exempt[c.Name] == "" && c.Name != "rt_sigprocmask" {
				t = append(t, call{c.Name + "(" + address.ReplaceAllString(c.Args, "*") + ")", i})
			}
		}
		texts = append(texts, t)
	}
	for n := 0; ; n++ {
		for _, t := range texts {
			if n >= len(t) || t[n].text != texts[0][n].text {
				return ends
			}
		}
		for k, t := range texts {
			ends[k] = t[n].at + 1
		}
	}
}

// Points are all faults of a process of a plan, from its calls in a start without one. The calls before the skip-th
// are hit in another plan. got are what its getters have written, for Pair.
func Points(plan string, process int, own []*Call, skip int, got map[Getter]string) (list []Point) {
	total := map[string]int{}
	for _, c := range own {
		total[c.Name]++
	}
	seen := map[string]int{}
	for i, c := range own {
		if Exempt[c.Name] != "" {
			continue
		}
		seen[c.Name]++
		n, last := seen[c.Name], total[c.Name]
		if c.Name == "execve" && process == 0 { // the first starts hardrun, and is not counted
			n, last = n-1, last-1
		}
		if n == 0 {
			continue
		}
		p := Point{Plan: plan, Process: process, Call: c.Name, N: n, Args: c.Args, Read: reads(c.Name, c.Args)}
		if len(p.Args) > 200 {
			p.Args = p.Args[:200] + "…"
		}
		faults := func(read bool) []string {
			if read {
				return append([]string{Lie}, ReadErrors...)
			}
			return append([]string{Lie}, Errors...)
		}
		// The first of a name stands for all of it, unless none of them is tried here.
		if n == 1 && slices.ContainsFunc(own[max(i, skip):], func(d *Call) bool { return d.Name == c.Name }) {
			q := p
			q.Mode = Always
			q.Read = !slices.ContainsFunc(own, func(d *Call) bool { return d.Name == c.Name && !reads(d.Name, d.Args) })
			for _, q.Fault = range faults(q.Read) {
				if q.Fault != "EINTR" { // no call is interrupted each time
					list = append(list, q)
				}
			}
		}
		if i < skip {
			continue
		}
		p.Mode = Once
		for _, f := range faults(p.Read) {
			q := p
			q.Fault = f
			list = append(list, q)
		}
		p.Fault = Lie
		if !p.Read && n > 1 && n < last {
			q := p
			q.Mode = Since
			list = append(list, q)
		}
		if p.With = pair(process, own, i, got); p.With != "" {
			p.Mode = Pair
			list = append(list, p)
		}
	}
	return list
}

// Getter is a call that reads: the process, the name, and which of its calls.
type Getter struct {
	Process int
	Name    string
	N       int
}

// pair are the faults of the calls behind number i that read back what it does, as the
// tracer takes them: they say what it should have done. "" where none does. Securebits are left out, as
// nothing but that one prctl(2) tells of them.
func pair(process int, own []*Call, i int, got map[Getter]string) string {
	setter := own[i]
	var getter func(c *Call) bool
	named := func(names ...string) func(c *Call) bool {
		return func(c *Call) bool { return slices.Contains(names, c.Name) }
	}
	control := func(get, of string) func(c *Call) bool {
		return func(c *Call) bool {
			return c.Name == "prctl" && (of == "" && (c.Args == get || strings.HasPrefix(c.Args, get+",")) || of != "" && strings.HasPrefix(c.Args+",", get+", "+of))
		}
	}
	option := nthArg(setter.Args, 0)
	switch {
	case setter.Name == "setresuid":
		getter = named("getresuid", "setfsuid")
	case setter.Name == "setresgid":
		getter = named("getresgid", "setfsgid")
	case setter.Name == "setgroups":
		getter = named("getgroups")
	case setter.Name == "capset":
		getter = named("capget")
	case setter.Name == "seccomp":
		getter = func(c *Call) bool { return c.Name == "prctl" && (containsArg(c.Args, "PR_GET_SECCOMP") || canary(c)) }
	case setter.Name != "prctl":
	case option == "PR_SET_NO_NEW_PRIVS":
		getter = control("PR_GET_NO_NEW_PRIVS", "")
	case option == "PR_CAPBSET_DROP":
		getter = control("PR_CAPBSET_READ", nthArg(setter.Args, 1)+",")
	case option == "PR_CAP_AMBIENT" && nthArg(setter.Args, 1) == "PR_CAP_AMBIENT_CLEAR_ALL":
		getter = control("PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET", "")
	case option == "PR_CAP_AMBIENT" && nthArg(setter.Args, 1) != "PR_CAP_AMBIENT_IS_SET":
		getter = control("PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET", nthArg(setter.Args, 2)+",")
	}
	if getter == nil {
		return ""
	}
	var faults []string
	seen := map[string]int{}
	for k, c := range own {
		seen[c.Name]++
		if k <= i || !getter(c) || !reads(c.Name, c.Args) && !canary(c) {
			continue
		}
		n := seen[c.Name]
		answer, ok := answered(c.Answer)
		if !ok {
			continue
		}
		faults = append(faults, spec(strconv.Itoa(process), c.Name, n, n, answer)+got[Getter{process, c.Name, n}])
	}
	return strings.Join(faults, " ")
}

// canary tells whether a call asks the canary of a filter, package seccomp.
func canary(c *Call) bool { return c.Name == "prctl" && strings.HasPrefix(c.Args, "0x48524e00 ") }

// answered is what strace prints of an answer as a number: "1", "0x3 (…)", "-1 EINVAL (…)", "-1 (errno 3999)".
func answered(text string) (string, bool) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return "", false
	}
	if words[0] == "-1" && len(words) > 2 {
		if e, known := seccomp.ErrnoByName(words[1]); known {
			return "-" + strconv.Itoa(int(e)), true
		}
		e, err := strconv.Atoi(strings.TrimSuffix(words[2], ")"))
		return "-" + strconv.Itoa(e), err == nil && words[1] == "(errno"
	}
	n, err := strconv.ParseInt(words[0], 0, 64)
	return strconv.FormatInt(n, 10), err == nil
}

func (p Point) String() string {
	who := p.Plan
	if p.Process > 0 {
		who += "/" + strconv.Itoa(p.Process)
	}
	return fmt.Sprintf("%s %s %s %s %d", who, p.Call, p.Fault, p.Mode, p.N)
}

// faults are the words of the tracer.
func (p Point) faults() []string {
	answer := "0"
	if p.Fault != Lie {
		answer = strconv.Itoa(-int(errnos[p.Fault]))
	}
	last, process := p.N, strconv.Itoa(p.Process)
	if p.Mode == Always || p.Mode == Since {
		last = 0
	}
	if p.Mode == Always && p.Process == 0 {
		process = "*"
	}
	return append([]string{spec(process, p.Call, p.N, last, answer)}, strings.Fields(p.With)...)
}

// waits tells whether the fault is one of Waits.
func (p Point) waits() bool {
	return Waits[p.Call] != "" && (p.Call == "flock") == (p.Fault == "EAGAIN") && (p.Fault == Lie || p.Fault == "EAGAIN")
}

// spec is a fault of the tracer.
func spec(process, call string, first, last int, answer string) string {
	return fmt.Sprintf("%s:%d:%d:%d:%s", process, number(call), first, last, answer)
}

// errnos are the errors of Errors and ReadErrors.
var errnos = map[string]unix.Errno{
	"EPERM": unix.EPERM, "EINVAL": unix.EINVAL, "ENOSYS": unix.ENOSYS, "ENOMEM": unix.ENOMEM, "EAGAIN": unix.EAGAIN, "EACCES": unix.EACCES, "EINTR": unix.EINTR,
}

// number is that of a system call on x86-64.
func number(name string) int {
	c, known := seccomp.ByName(name)
	if !known {
		panic("no system call: " + name)
	}
	n, has := seccomp.Machine("amd64")[0].Number(c)
	if !has {
		panic("no system call of x86-64: " + name)
	}
	return int(n)
}

// called is the name of a system call of x86-64.
func called(n int) string {
	c, known := seccomp.Machine("amd64")[0].Call(uint32(n))
	if !known {
		return fmt.Sprint("system call ", n)
	}
	return c.String()
}
