package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// CallLine is one line of SystemCallFilter= or SystemCallLog=, systemd.exec(5).
type CallLine struct {
	Invert bool // it began with "~"
	Words  []CallWord
}

// CallWord names a call or a group. Has is set where an action stands behind a colon.
type CallWord struct {
	Name   string // "openat", or "@mount"
	Action seccomp.Action
	Has    bool
}

// callGroups are the groups, for completion: a part of the table, which the linker makes.
// A test holds them against package seccomp.
var callGroups = []string{
	"@aio", "@basic-io", "@chown", "@clock", "@cpu-emulation", "@debug", "@default", "@file-system", "@io-event", "@io-uring", "@ipc",
	"@keyring", "@known", "@memlock", "@module", "@mount", "@network-io", "@obsolete", "@pkey", "@privileged", "@process", "@raw-io", "@reboot",
	"@resources", "@sandbox", "@setuid", "@signal", "@swap", "@sync", "@system-service", "@timer",
}

// known tells whether the tables have the call or group.
func (w *CallWord) known() bool {
	if strings.HasPrefix(w.Name, "@") {
		_, ok := seccomp.GroupByName(w.Name)
		return ok
	}
	_, ok := seccomp.ByName(w.Name)
	return ok
}

// ParseCallLine reads a line of SystemCallFilter=, systemd.exec(5): names of calls and
// groups between blanks, and in a line that begins with "~" behind a colon the error,
// "kill" or "log" that they get.
//
// An unknown name is an error in a line with "~", where systemd passes over it and so
// forbids less than was asked for. In a line without it passing over it is stricter:
// such a name stays in the line, and MergeCalls tells of it.
func ParseCallLine(s string) (CallLine, error) { return parseCallLine(s, true) }

// ParseLogLine is ParseCallLine for SystemCallLog=, which takes no actions, and where
// a name that nobody knows would leave calls unlogged.
func ParseLogLine(s string) (CallLine, error) {
	l, err := parseCallLine(s, false)
	if err != nil {
		return CallLine{}, err
	}
	for i := range l.Words {
		if w := &l.Words[i]; !w.known() {
			return CallLine{}, w.unknown()
		}
	}
	return l, nil
}

func parseCallLine(s string, actions bool) (CallLine, error) {
	var l CallLine
	s = strings.TrimLeft(s, " \t\r\n")
	s, l.Invert = strings.CutPrefix(s, "~")
	for _, field := range plainWords(s) {
		name, action, has := strings.Cut(field, ":")
		w := CallWord{Name: name, Has: has}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return CallLine{}, errors.New("not a name of a system call: " + strconv.Quote(field))
		}
		if strings.HasPrefix(name, "~") {
			return CallLine{}, errors.New("\"~\" stands before a whole line, not before a word: " + strconv.Quote(field))
		}
		switch {
		case !has:
		case !actions:
			return CallLine{}, errors.New("an action is not taken here: " + strconv.Quote(field))
		case !l.Invert:
			return CallLine{}, errors.New("an action belongs to a line that begins with \"~\": " + strconv.Quote(field))
		default:
			var err error
			if w.Action, err = parseCallAction(action); err != nil {
				return CallLine{}, err
			}
		}
		if l.Invert && !w.known() {
			return CallLine{}, w.unknown()
		}
		l.Words = append(l.Words, w)
	}
	return l, nil
}

func (w *CallWord) unknown() error {
	if strings.HasPrefix(w.Name, "@") {
		return &process.WordError{What: "group of system calls", Word: w.Name, Words: seccomp.Groups()}
	}
	return &callError{w.Name}
}

// callError is the error for a call that is in no table. Its hint names the nearest one.
type callError struct{ name string }

func (e *callError) Error() string { return "unknown system call " + strconv.Quote(e.name) }

// Hint is "did you mean openat?"; empty where none is near.
func (e *callError) Hint() string {
	if near := (&process.WordError{Word: e.name, Words: seccomp.Calls()}).Hint(); strings.HasPrefix(near, "did you mean ") {
		return near
	}
	return "hardrun syscalls lists them"
}

// parseCallAction reads what stands behind a colon: the name or number of an error,
// "kill", or "log".
func parseCallAction(s string) (seccomp.Action, error) {
	if s == "log" {
		return seccomp.Log, nil
	}
	return ParseErrorNumber(s)
}

// maxErrno is the highest error that a filter can give, and a process can see
// (MAX_ERRNO of linux/err.h).
const maxErrno = 4095

// ParseErrorNumber reads SystemCallErrorNumber=, systemd.exec(5): the name of an error
// or its number from 1 to 4095, or "kill". 0 is an error: the call would seem to have
// been done.
func ParseErrorNumber(s string) (seccomp.Action, error) {
	if s == "kill" {
		return seccomp.KillProcess, nil
	}
	if n, ok := seccomp.ErrnoByName(s); ok {
		return seccomp.Errno | seccomp.Action(n), nil
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n < 1 || n > maxErrno || s[0] == '0' {
			return 0, errors.New("an error number is from 1 to 4095, without zeros before it: " + strconv.Quote(s))
		}
		return seccomp.Errno | seccomp.Action(n), nil
	}
	return 0, errors.New("neither an error of errno(3) nor \"kill\": " + strconv.Quote(s))
}

// errorNumberText prints an action as ParseErrorNumber and CallWord take it.
func errorNumberText(a seccomp.Action) string {
	if a == seccomp.KillProcess {
		return "kill"
	}
	if a == seccomp.Log {
		return "log"
	}
	return a.ErrnoText()
}

func callLineText(l CallLine) string {
	var b strings.Builder
	if l.Invert {
		b.WriteByte('~')
	}
	for i := range l.Words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(l.Words[i].Name)
		if l.Words[i].Has {
			b.WriteString(":" + errorNumberText(l.Words[i].Action))
		}
	}
	return b.String()
}

// parseCallLines and parseLogLines are for the list of lines.
func parseCallLines(s string) ([]CallLine, error) { return one(ParseCallLine(s)) }
func parseLogLines(s string) ([]CallLine, error)  { return one(ParseLogLine(s)) }

// Calls is what lines of SystemCallFilter= or SystemCallLog= come to.
type Calls struct {
	AllowList bool   // the first line had no "~": what is not listed is forbidden, or not logged
	From      Origin // the first line
	Listed    []CallAction
	Removed   []CallAction // what an allow list had, and a "~" line took out
	Groups    bool         // a "~" line names a group
	Named     seccomp.Set  // what a line without "~" names itself, or by @io-uring, and none takes back
	Unknown   []Item[string]
}

// CallAction is a call that is listed, the line that did so, and the action that it
// gets in place of the list's.
type CallAction struct {
	Call   seccomp.Call
	Action seccomp.Action
	Has    bool
	From   Origin
}

// MergeCalls puts lines together, systemd.exec(5) SystemCallFilter=. The first one
// decides what is not listed; later ones add to the list, or, with the other sign,
// take away from it. A call that a "~" line names with an action stays in an allow
// list with that action. With defaults an allow list has @default. For no line it is
// nil.
func MergeCalls(lines []Item[CallLine], defaults bool) *Calls {
	if len(lines) == 0 {
		return nil
	}
	c := &Calls{AllowList: !lines[0].V.Invert, From: lines[0].From}
	m := merger{c: c, at: make([]place, len(seccomp.Calls()))}
	if c.AllowList && defaults {
		m.word(&CallWord{Name: "@default"}, false, 0, c.From)
	}
	for i := range lines {
		l := &lines[i]
		for n := range l.V.Words {
			m.word(&l.V.Words[n], l.V.Invert, int32(i), l.From)
		}
	}
	m.done(lines)
	return c
}

// merger holds what became of each call.
type merger struct {
	c  *Calls
	at []place
}

// place is what the last line that named a call has made of it.
type place struct {
	action seccomp.Action
	line   int32 // its place among the lines
	state  placeState
}

type placeState uint8

const (
	notListed placeState = iota
	isListed
	hasAction
	wasRemoved
)

func (m *merger) word(w *CallWord, invert bool, line int32, from Origin) {
	if !strings.HasPrefix(w.Name, "@") {
		call, ok := seccomp.ByName(w.Name)
		if !ok {
			m.c.Unknown = append(m.c.Unknown, Item[string]{w.Name, from})
			return
		}
		m.call(call, w, invert, true, line)
		return
	}
	g, ok := seccomp.GroupByName(w.Name)
	if !ok {
		m.c.Unknown = append(m.c.Unknown, Item[string]{w.Name, from})
		return
	}
	m.c.Groups = m.c.Groups || invert
	g.Set.Each(func(call seccomp.Call) { m.call(call, w, invert, w.Name == "@io-uring", line) })
}

func (m *merger) call(call seccomp.Call, w *CallWord, invert, named bool, line int32) {
	if named && !invert {
		m.c.Named.Add(call)
	} else if invert {
		m.c.Named.Remove(call)
	}
	at := &m.at[call]
	switch {
	case invert && w.Has:
		*at = place{w.Action, line, hasAction}
	case invert != m.c.AllowList:
		*at = place{0, line, isListed}
	case at.state == isListed || at.state == hasAction:
		*at = place{0, line, wasRemoved}
	}
}

// done writes the lists, in the order of the calls.
func (m *merger) done(lines []Item[CallLine]) {
	var n [2]int
	for i := range m.at {
		switch m.at[i].state {
		case isListed, hasAction:
			n[0]++
		case wasRemoved:
			n[1]++
		}
	}
	m.c.Listed = make([]CallAction, 0, n[0])
	if m.c.AllowList && n[1] > 0 {
		m.c.Removed = make([]CallAction, 0, n[1])
	}
	for i := range m.at {
		at := &m.at[i]
		if at.state == notListed {
			continue
		}
		a := CallAction{seccomp.Call(i), at.action, at.state == hasAction, lines[at.line].From}
		if at.state != wasRemoved {
			m.c.Listed = append(m.c.Listed, a)
		} else if m.c.AllowList {
			m.c.Removed = append(m.c.Removed, a)
		}
	}
}
