//go:build linux

package main

import "strings"

// argument says why mutants that nothing notices are no defect. Name is that of a mutant, in
// which "*" stands for any text.
type argument struct{ Name, Reason string }

// arguments are all of them.
var arguments = []argument{
	{"*: call: closeFD(*", closed},
	{"*: call: unix.Close(*", closed},
	{"*: call: f.close()*", closed},
	{"*: step: runtime.KeepAlive(*", "It keeps memory from the collector, which runs at no time that a test could choose."},
	{"caps/set.go:All: never: last >= maxCap", "A shift by 64 and more is 0, and 0 less 1 has all bits as well."},
	{"caps/set.go:FromName: operand: err != nil", "What strconv.Atoi refuses it answers as 0 or as the greatest number, and neither is in range."},
	{"caps/userdb.go:Database.LookupUser: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: operand: reason != \"\"", "A line that is malformed is parsed to no name, which is refused as well."},
	{"caps/userdb.go:Database.GroupsOf: operand: reason == \"\"", "Where there is a reason, members answers that the user is not listed."},
	{"caps/userdb.go:idList.add: invert: len(l.ids) >= 32", "The table only makes the search faster."},
	{"process/pass_linux.go:ReserveDescriptors: operand: place >= FirstPassed+n", "A number below that was free when the place was opened, and open(2) answers the lowest."},
}

const closed = "A descriptor that is not closed by this: each is opened to be closed by execve(2), and of all from 3 on this is set once more and read back before it."

// arguedFor is the reason for a mutant; "" for none.
func arguedFor(name string) string {
	for _, a := range arguments {
		if matches(a.Name, name) {
			return a.Reason
		}
	}
	return ""
}

// matches tells whether a text is what a pattern says.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		if _, text, ok = strings.Cut(text, p); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
