// Package process knows what a process carries besides its credentials: limits,
// scheduling, umask, working directory, streams, descriptors, environment,
// keyring, terminal and LSM label.
package process

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/nearest"
)

// KeyringMode says which session keyring the daemon gets, KeyringMode=.
type KeyringMode uint8

// The modes of KeyringMode=.
const (
	KeyringInherit KeyringMode = iota
	KeyringPrivate
	KeyringShared
)

// SchedPolicy is a scheduling policy by its SCHED_ number, sched(7).
type SchedPolicy uint8

// The policies of CPUSchedulingPolicy=.
const (
	SchedOther SchedPolicy = 0
	SchedFIFO  SchedPolicy = 1
	SchedRR    SchedPolicy = 2
	SchedBatch SchedPolicy = 3
	SchedIdle  SchedPolicy = 5
	SchedExt   SchedPolicy = 7
)

// NUMAPolicy is a memory policy by its MPOL_ number, set_mempolicy(2).
type NUMAPolicy uint8

// The policies of NUMAPolicy=.
const (
	NUMADefault            NUMAPolicy = 0
	NUMAPreferred          NUMAPolicy = 1
	NUMABind               NUMAPolicy = 2
	NUMAInterleave         NUMAPolicy = 3
	NUMALocal              NUMAPolicy = 4
	NUMAPreferredMany      NUMAPolicy = 5
	NUMAWeightedInterleave NUMAPolicy = 6
)

// IOClass is an I/O scheduling class by its IOPRIO_CLASS_ number, ioprio_set(2).
type IOClass uint8

// The classes of IOSchedulingClass=.
const (
	IONone       IOClass = 0
	IORealtime   IOClass = 1
	IOBestEffort IOClass = 2
	IOIdle       IOClass = 3
)

// THP is the treatment of transparent huge pages, MemoryTHP=.
type THP uint8

// The values of MemoryTHP=.
const (
	THPInherit THP = iota
	THPDisable
	THPMadvise
	THPSystem
)

// The words of each kind, by number; an empty one is a number without a word.
var (
	keyringWords = [...]string{"inherit", "private", "shared"}
	schedWords   = [...]string{"other", "fifo", "rr", "batch", "", "idle", "", "ext"} // 4 is reserved, 6 is SCHED_DEADLINE
	numaWords    = [...]string{"default", "preferred", "bind", "interleave", "local", "preferred-many", "weighted-interleave"}
	ioWords      = [...]string{"none", "realtime", "best-effort", "idle"}
	thpWords     = [...]string{"inherit", "disable", "madvise", "system"}
)

// WordError is the error for a word that is none of a closed list.
type WordError struct {
	What  string   // what was expected: "keyring mode"
	Word  string   // as it was written
	Words []string // what is valid; empty words don't count
}

// Error is `unknown keyring mode "privat"`.
func (e *WordError) Error() string { return "unknown " + e.What + " " + strconv.Quote(e.Word) }

// Hint is "did you mean private?", or all valid words when none is near.
func (e *WordError) Hint() string {
	if near := nearest.Of(e.Word, e.Words); near != "" {
		return "did you mean " + near + "?"
	}
	list := make([]string, 0, len(e.Words))
	for _, w := range e.Words {
		if w != "" {
			list = append(list, w)
		}
	}
	return "known are " + strings.Join(list, ", ")
}

// index finds word in words. Words are case-sensitive, as in systemd.
func index(what, word string, words []string) (int, error) {
	for i, w := range words {
		if w == word && w != "" {
			return i, nil
		}
	}
	return 0, &WordError{What: what, Word: word, Words: words}
}

// indexOrNumber finds word in words, or takes the kernel's number of one of them,
// as systemd does for the scheduling policy and the I/O class. (systemd takes any
// number there, also of a class that does not exist.)
func indexOrNumber(what, word string, words []string) (int, error) {
	if len(word) == 1 && word[0] >= '0' && int(word[0]-'0') < len(words) && words[word[0]-'0'] != "" {
		return int(word[0] - '0'), nil
	}
	return index(what, word, words)
}

// word is the word for n, or the number where there is none.
func word(n uint8, words []string) string {
	if int(n) < len(words) && words[n] != "" {
		return words[n]
	}
	return strconv.Itoa(int(n))
}

// ParseKeyringMode reads KeyringMode=, systemd.exec(5): inherit, private or shared.
// Any other word is a *WordError.
func ParseKeyringMode(s string) (KeyringMode, error) {
	n, err := index("keyring mode", s, keyringWords[:])
	return KeyringMode(n), err
}

// String is the word of KeyringMode=.
func (m KeyringMode) String() string { return word(uint8(m), keyringWords[:]) }

// ParseSchedPolicy reads CPUSchedulingPolicy=, systemd.exec(5): other, batch, idle,
// fifo, rr or ext, or the SCHED_ number of one of these. Anything else is a *WordError.
func ParseSchedPolicy(s string) (SchedPolicy, error) {
	n, err := indexOrNumber("CPU scheduling policy", s, schedWords[:])
	return SchedPolicy(n), err
}

// String is the word of CPUSchedulingPolicy=, or the number of another policy.
func (p SchedPolicy) String() string { return word(uint8(p), schedWords[:]) }

// ParseNUMAPolicy reads NUMAPolicy=, systemd.exec(5): default, preferred, bind,
// interleave, local, preferred-many or weighted-interleave. Any other word is a *WordError.
func ParseNUMAPolicy(s string) (NUMAPolicy, error) {
	n, err := index("NUMA policy", s, numaWords[:])
	return NUMAPolicy(n), err
}

// String is the word of NUMAPolicy=, or the number of another policy.
func (p NUMAPolicy) String() string { return word(uint8(p), numaWords[:]) }

// ParseIOClass reads IOSchedulingClass=, systemd.exec(5): realtime, best-effort or
// idle; also none, which systemd takes besides, and the numbers 0 to 3 of
// ioprio_set(2). Anything else is a *WordError.
func ParseIOClass(s string) (IOClass, error) {
	n, err := indexOrNumber("I/O scheduling class", s, ioWords[:])
	return IOClass(n), err
}

// String is the word of IOSchedulingClass=, or the number of another class.
func (c IOClass) String() string { return word(uint8(c), ioWords[:]) }

// ParseTHP reads MemoryTHP=, systemd.exec(5): inherit, disable, madvise or system.
// Any other word is a *WordError.
func ParseTHP(s string) (THP, error) {
	n, err := index("treatment of huge pages", s, thpWords[:])
	return THP(n), err
}

// String is the word of MemoryTHP=.
func (t THP) String() string { return word(uint8(t), thpWords[:]) }

// coredumpWords are the mapping types of CoredumpFilter=, by their bit in
// /proc/PID/coredump_filter, core(5).
var coredumpWords = [...]string{
	"private-anonymous", "shared-anonymous", "private-file-backed", "shared-file-backed", "elf-headers",
	"private-huge", "shared-huge", "private-dax", "shared-dax",
}

const (
	coredumpAll     = 1<<len(coredumpWords) - 1
	coredumpDefault = 0x33 // private-anonymous shared-anonymous elf-headers private-huge
)

// ParseCoredumpFilter reads CoredumpFilter=, systemd.exec(5): names of mapping
// types, "all", "default" and hexadecimal numbers (with or without "0x") between
// blanks, ORed. A bit above those with a name is an error: the kernel would drop
// it without a word. So is an empty list.
func ParseCoredumpFilter(s string) (uint64, error) {
	words := strings.FieldsFunc(s, blank)
	if len(words) == 0 {
		return 0, errors.New("no mapping type")
	}
	var mask uint64
	for _, w := range words {
		bits, err := coredumpBits(w)
		if err != nil {
			return 0, err
		}
		mask |= bits
	}
	return mask, nil
}

func coredumpBits(w string) (uint64, error) {
	switch w {
	case "all":
		return coredumpAll, nil
	case "default":
		return coredumpDefault, nil
	}
	n, err := index("mapping type", w, coredumpWords[:])
	if err == nil {
		return 1 << n, nil
	}
	digits := w
	if len(w) > 2 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X') {
		digits = w[2:]
	}
	bits, numErr := strconv.ParseUint(digits, 16, 64)
	switch {
	case errors.Is(numErr, strconv.ErrSyntax):
		return 0, err
	case numErr != nil || bits > coredumpAll:
		return 0, errors.New("0x" + strings.ToLower(digits) + " has bits above 0x1ff, which no mapping type has")
	}
	return bits, nil
}

// FormatCoredumpFilter is mask as CoredumpFilter= takes it: the names of the
// mapping types in bit order, "0" for none, and a hexadecimal number when there
// is a bit without a name.
func FormatCoredumpFilter(mask uint64) string {
	if mask == 0 || mask > coredumpAll {
		return strconv.FormatUint(mask, 16)
	}
	var list []string
	for i, w := range coredumpWords {
		if mask>>i&1 == 1 {
			list = append(list, w)
		}
	}
	return strings.Join(list, " ")
}

// The numbers of personality(2) that Personality= can mean.
const (
	perLinux   = 0x0000 // PER_LINUX
	perLinux32 = 0x0008 // PER_LINUX32
)

// architectures are the words of Personality=, systemd.exec(5), each with the
// GOARCH whose kernels take it natively, and the one that has it as its 32-bit
// counterpart.
var architectures = [...]struct{ name, native, compat string }{
	{"arm64", "arm64", ""},
	{"arm64-be", "arm64be", ""},
	{"arm", "arm", "arm64"},
	{"arm-be", "armbe", "arm64be"},
	{"x86", "386", "amd64"},
	{"x86-64", "amd64", ""},
	{"ppc", "ppc", "ppc64"},
	{"ppc-le", "ppcle", "ppc64le"},
	{"ppc64", "ppc64", ""},
	{"ppc64-le", "ppc64le", ""},
	{"s390", "s390", "s390x"},
	{"s390x", "s390x", ""},
}

// ParsePersonality reads Personality=, systemd.exec(5), for a kernel of the
// architecture goarch, runtime.GOARCH. It gives the argument of personality(2):
// 0 (PER_LINUX) for the native architecture, 8 (PER_LINUX32) for its 32-bit
// counterpart. One that this kernel doesn't have is an error, an unknown word a
// *WordError.
func ParsePersonality(s, goarch string) (value uint32, err error) {
	words := make([]string, len(architectures))
	for i, a := range architectures {
		words[i] = a.name
	}
	n, err := index("architecture", s, words)
	if err != nil {
		return 0, err
	}
	switch goarch {
	case architectures[n].native:
		return perLinux, nil
	case architectures[n].compat:
		return perLinux32, nil
	}
	return 0, errors.New("no personality " + strconv.Quote(s) + " on " + goarch)
}

// blank tells the characters between the words of a list, systemd.syntax(7).
func blank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
