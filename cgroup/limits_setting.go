package cgroup

import (
	"errors"
	"strconv"
	"strings"
)

// Setting is one file of a control group: what is written there, by one write(2), and what
// is read afterwards.
type Setting struct {
	Controller string // which must be there: "memory"
	File       string // "memory.max"
	Value      string // what is written
	// Want is what the file reads then. Of a file with a line for each device it is the
	// rest of the line that begins with the first word of Value, and "" is no such line.
	Want      string
	Directive string // who asked for it: "IOReadBandwidthMax= IOReadIOPSMax="

	Inherit bool // the value is the parent's: From says which
	Check   bool // nothing is written, the file is read only
}

// settingOrder is why settings are written in their order. A file that is moved must keep
// all of it.
var settingOrder = [...]struct{ first, then, why string }{
	{"memory.zswap.writeback", "memory.high", "what is above it is reclaimed at once, and may go where that says"},
	{"memory.zswap.max", "memory.high", "what is above it is reclaimed at once, into as much as that leaves"},
	{"memory.swap.max", "memory.high", "what is above it is reclaimed at once, into as much as that leaves"},
	{"memory.high", "memory.max", "what is above it and cannot be reclaimed at once is killed: first all that spares it"},
	{"cpuset.cpus", "cpuset.cpus.partition", "a partition is made of these CPUs, and is not valid without"},
	{"cpuset.cpus.partition", "cpuset.cpus.effective", "a partition changes what is granted"},
	{"cpuset.mems", "cpuset.mems.effective", "what is granted depends on what was asked"},
	{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "the sum must not be below the limit of memory, which is none at first (EINVAL)"},
	{"cpu.cfs_period_us", "cpu.cfs_quota_us", "the share must not be above the parent's with either period (EINVAL)"},
}

// From is the setting with the value of the parent's file of the same name in the place of
// Inherit, an error where that is empty.
func (s Setting) From(parent string) (Setting, error) {
	parent = strings.TrimSpace(parent)
	if parent == "" {
		return s, errors.New(s.File + ": the parent has none")
	}
	s.Value, s.Want, s.Inherit = parent, parent, false
	return s, nil
}

// Reads compares what the file holds with what it must, an error where they differ. Lists
// of CPUs and memory nodes are compared by their members, and what is granted of them must
// be some of them; all else must be as the kernel prints it.
func (s Setting) Reads(text string) error {
	if s.Inherit {
		return errors.New("internal error: " + s.File + " is not known before the parent's")
	}
	got := strings.TrimSuffix(text, "\n")
	equal := got == s.Want
	switch {
	case s.File == "cpuset.cpus.partition": // no list
	case strings.HasPrefix(s.File, "cpuset."):
		have, want := members(got), members(s.Want)
		equal = len(have) > 0 && have.within(want) && (s.Check || want.within(have))
	case s.perDevice():
		key, _, _ := strings.Cut(s.Value, " ")
		got = lineOf(text, key)
		equal = got == s.Want
	}
	if equal {
		return nil
	}
	if s.Check {
		return errors.New(s.File + ": " + strconv.Quote(got) + " is granted of " + strconv.Quote(s.Want))
	}
	return errors.New(s.File + ": read back " + strconv.Quote(got) + ", want " + strconv.Quote(s.Want))
}

// perDevice tells whether the file has a line for each device.
func (s Setting) perDevice() bool { return s.Controller == "io" || s.Controller == "blkio" }

// lineOf is what stands behind a key in the line that begins with it, "" without one.
func lineOf(text, key string) string {
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, key+" "); ok {
			return strings.TrimSuffix(rest, "\n")
		}
	}
	return ""
}

// memberSet is a set of CPUs or memory nodes; bit n of word n/64 stands for n.
type memberSet []uint64

// maxMember is the highest that a set can hold; Linux is built for 8192 CPUs at most.
const maxMember = 8191

// members reads a list in the kernel's form, "0-3,5". It is empty for anything else.
func members(text string) memberSet {
	var l memberSet
	for text != "" {
		var word string
		word, text, _ = strings.Cut(text, ",")
		low, high, isRange := strings.Cut(word, "-")
		if !isRange {
			high = low
		}
		first, err := strconv.ParseUint(low, 10, 16)
		last, err2 := strconv.ParseUint(high, 10, 16)
		if err != nil || err2 != nil || first > last || last > maxMember {
			return nil
		}
		for len(l) <= int(last/64) {
			l = append(l, 0)
		}
		for i := int(first / 64); i <= int(last/64); i++ {
			l[i] |= ^uint64(0) << max(0, int(first)-i*64) & (^uint64(0) >> max(0, i*64+63-int(last)))
		}
	}
	return l
}

// within tells whether all of l is in m.
func (l memberSet) within(m memberSet) bool {
	for i, word := range l {
		if i < len(m) {
			word &^= m[i]
		}
		if word != 0 {
			return false
		}
	}
	return true
}
