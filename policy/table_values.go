package policy

import (
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/process"
)

// The functions below fit the parsers of values to the fields of the table:
// they name ranges, and combine a parser with a special word.

func parseNice(s string) (int, error)          { return ParseInt(s, -20, 19) }
func parseOOMScore(s string) (int, error)      { return ParseInt(s, -1000, 1000) }
func parseSchedPriority(s string) (int, error) { return ParseInt(s, 0, 99) }
func parseIOPriority(s string) (int, error)    { return ParseInt(s, 0, 7) }
func parseKeepFD(s string) ([]int, error)      { return one(ParseInt(s, 0, math.MaxInt32)) }

func parseInput(s string) (Stream, error)  { return ParseStream(s, true) }
func parseOutput(s string) (Stream, error) { return ParseStream(s, false) }

// parseUMask takes the bits that umask(2) keeps, 0777. A further one would be
// lost without a word.
func parseUMask(s string) (uint32, error) {
	mode, err := ParseMode(s)
	if err == nil && mode > 0o777 {
		return 0, errors.New("a mask has no bits above 0777: " + strconv.Quote(s))
	}
	return mode, err
}

func modeText(mode uint32) string {
	s := strconv.FormatUint(uint64(mode), 8)
	return "0000"[min(len(s), 4):] + s
}

func uint16Text(n uint16) string { return strconv.Itoa(int(n)) }
func nsecText(ns uint64) string {
	if ns == process.Infinity {
		return "infinity"
	}
	return strconv.FormatUint(ns, 10) + "ns"
}

func uniteMasks(a, b uint64) uint64 { return a | b }

func uniteBits(a, b caps.SecureBits) caps.SecureBits { return a | b }

// parsePersonality keeps the name. What the machine's kernel cannot be is
// refused here and not by a daemon which sees the wrong uname(2).
func parsePersonality(s string) (string, error) {
	if _, err := process.ParsePersonality(s, runtime.GOARCH); err != nil {
		return "", err
	}
	return s, nil
}

func parseAffinity(s string) (CPUAffinity, error) {
	if s == "numa" {
		return CPUAffinity{NUMA: true}, nil
	}
	set, err := process.ParseCPUSet(s)
	return CPUAffinity{CPUs: set}, err
}

func affinityText(a CPUAffinity) string {
	if a.NUMA {
		return "numa"
	}
	return a.CPUs.String()
}

// uniteAffinity unites CPUs; "numa" replaces them, and is replaced by them.
func uniteAffinity(old, add CPUAffinity) CPUAffinity {
	if add.NUMA {
		return add
	}
	return CPUAffinity{CPUs: old.CPUs.Union(add.CPUs)}
}

func parseNUMAMask(s string) (NUMAMask, error) {
	if s == "all" {
		return NUMAMask{All: true}, nil
	}
	set, err := process.ParseCPUSet(s)
	return NUMAMask{Nodes: set}, err
}

func numaMaskText(m NUMAMask) string {
	if m.All {
		return "all"
	}
	return m.Nodes.String()
}

func uniteNUMAMask(old, add NUMAMask) NUMAMask {
	if old.All || add.All {
		return NUMAMask{All: true}
	}
	return NUMAMask{Nodes: old.Nodes.Union(add.Nodes)}
}

// parseGroups takes SupplementaryGroups=: names or numbers between blanks.
func parseGroups(s string) ([]string, error) {
	return wordsOf(s, func(word string) error {
		_, err := ParseUserName(word)
		return err
	})
}

func parseWorkingDirectory(s string) (Tolerant, error)  { return ParseTolerantPath(s, true) }
func parseEnvironmentPath(s string) ([]Tolerant, error) { return one(ParseTolerantPath(s, false)) }

func tolerantText(t Tolerant) string {
	if t.Tolerate {
		return "-" + t.V
	}
	return t.V
}

func parseInputLine(s string) ([]string, error)  { return one(ParseInputText(s)) }
func parseInputBytes(s string) ([]string, error) { return one(ParseBase64(s)) }

// inputText writes the data as StandardInputData= takes it, whichever of the two
// directives it came by. It is not encoding/base64, which builds tables when the
// program starts.
func inputText(data string) string {
	text := make([]byte, 0, (len(data)+2)/3*4)
	for ; len(data) > 0; data = data[min(3, len(data)):] {
		var three [3]byte
		n := copy(three[:], data)
		bits := uint32(three[0])<<16 | uint32(three[1])<<8 | uint32(three[2])
		for i := range 4 {
			if i > n {
				text = append(text, '=')
				continue
			}
			text = append(text, base64Alphabet[bits>>(18-6*i)&63])
		}
	}
	return string(text)
}

func streamText(s Stream) string {
	switch s.Kind {
	case StreamFile, StreamAppend, StreamTruncate, StreamFD:
		if s.Arg != "" {
			return s.Word + ":" + s.Arg
		}
	default:
	}
	return s.Word
}

// parseEnvWord takes one NAME=VALUE as it is: for --env, where the shell has
// done the quoting.
func parseEnvWord(s string) ([]string, error) {
	if err := checkAssignment(s); err != nil {
		return nil, err
	}
	return []string{s}, nil
}

func parseCaps(s string) (CapList, error) {
	set, invert, all, err := caps.ParseList(s)
	if err != nil {
		return CapList{}, err
	}
	return CapList{Set: set, Invert: invert, All: all}, nil
}

func capListText(c CapList) string {
	switch {
	case c.All:
		return "all"
	case c.Invert:
		return "~" + capNames(c.Set)
	case c.Set == 0:
		return "none"
	}
	return capNames(c.Set)
}

func oneOf(s string, words ...string) (string, error) {
	for _, w := range words {
		if s == w {
			return w, nil
		}
	}
	return "", &process.WordError{What: "value", Word: s, Words: words}
}

func parseUnknown(s string) (string, error) { return oneOf(s, "refuse", "warn") }
func parseLog(s string) (string, error)     { return oneOf(s, "stderr", "syslog", "both") }

func parseParent(s string) (string, error) { return oneOf(s, "auto", "never", "always") }

// waiveError is the error for a name that cannot be waived.
type waiveError struct{ name, why, hint string }

func (e *waiveError) Error() string { return strconv.Quote(e.name) + " " + e.why }
func (e *waiveError) Hint() string  { return e.hint }

// waiveField is X-Hardrun-Waive=. Its parser looks names up in the table, which
// therefore must not mention it.
type waiveField struct{ list[string] }

func (w *waiveField) set(p *Policy, value string, from Origin) error {
	l := w.list
	l.parse = parseWaive
	return l.set(p, value, from)
}

// parseWaive takes names of directives between commas, hardrun's own without
// "X-Hardrun-", and gives them as the table spells them. Every name must be one
// that may be waived: a misspelt waiver must not look like a granted one.
func parseWaive(s string) ([]string, error) {
	var names []string
	for word := range strings.SplitSeq(s, ",") {
		name := strings.TrimSuffix(strings.Trim(word, " \t"), "=")
		d := Lookup(name)
		if d == nil {
			d = Lookup(ownPrefix + name)
		}
		switch {
		case d == nil:
			e := &waiveError{name: name, why: "is no directive"}
			if near := Nearest(name); near != "" {
				e.hint = "did you mean " + near + "?"
			}
			return nil, e
		case !d.Class.Waivable():
			return nil, &waiveError{name: name, why: "cannot be waived"}
		}
		names = append(names, d.Name)
	}
	return names, nil
}
