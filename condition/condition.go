// Package condition answers the conditions and assertions of unit files, systemd.unit(5)
// "Conditions and Asserts", for the machine that it runs on.
package condition

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/nearest"
)

// Item is a line of a unit: ConditionPathExists=|!/srv is the kind "PathExists" with the
// value "/srv", a trigger, and negated.
type Item struct {
	Kind    string // without "Condition" and "Assert"
	Value   string
	Trigger bool // "|": one of these is enough
	Negate  bool // "!"
	Assert  bool
}

// String is the line as a unit has it.
func (i *Item) String() string {
	s := "Condition"
	if i.Assert {
		s = "Assert"
	}
	s += i.Kind + "="
	if i.Trigger {
		s += "|"
	}
	if i.Negate {
		s += "!"
	}
	return s + i.Value
}

// NotEvaluatedError says that a condition asks for what only a service manager, or nobody
// here, can know. It counts as held, negated or not.
type NotEvaluatedError struct {
	Item   Item
	Reason string // "there are no slices without a service manager"
}

func (e *NotEvaluatedError) Error() string {
	return e.Item.String() + " is not evaluated: " + e.Reason
}

// notEvaluated is the error of a kind that was asked for what cannot be known.
func notEvaluated(reason string) error { return &NotEvaluatedError{Reason: reason} }

// Check answers the conditions and assertions of a unit. failed is nil where it may start;
// else the first line that does not hold, or the first trigger where there are some and none
// holds: skip the start, or fail it where failed.Assert is set. Conditions come before
// assertions, and each of the two has triggers of its own. What could not be evaluated up to
// there counts as held and is listed. err names the line that is wrong or cannot be decided.
func Check(list []Item, f *Facts) (failed *Item, open []*NotEvaluatedError, err error) {
	for _, assert := range [...]bool{false, true} {
		var trigger *Item
		triggered := false
		for n := range list {
			i := &list[n]
			if i.Assert != assert || i.Trigger && triggered {
				continue
			}
			holds, err := Eval(i.Kind, i.Value, f)
			holds = holds != i.Negate
			if e := (*NotEvaluatedError)(nil); errors.As(err, &e) {
				e.Item = *i
				open, holds, err = append(open, e), true, nil
			}
			switch {
			case err != nil:
				return nil, open, &itemError{*i, err}
			case i.Trigger && holds:
				triggered = true
			case i.Trigger && trigger == nil:
				trigger = i
			case !i.Trigger && !holds:
				return i, open, nil
			}
		}
		if trigger != nil && !triggered {
			return trigger, open, nil
		}
	}
	return nil, open, nil
}

// itemError says of which line an error is.
type itemError struct {
	item Item
	err  error
}

func (e *itemError) Error() string { return e.item.String() + ": " + e.err.Error() }
func (e *itemError) Unwrap() error { return e.err }

// Eval tells whether a condition holds, without "|" and "!": kind is its name without
// "Condition" and "Assert", and f may be nil. A *NotEvaluatedError says that it cannot be
// known, and counts as held. Other errors are of a value that means nothing, and of what the
// kernel did not let see.
func Eval(kind, value string, f *Facts) (bool, error) {
	if f == nil {
		f = &Facts{}
	}
	if value == "" {
		return false, errors.New("empty value")
	}
	if strings.IndexByte(value, 0) >= 0 {
		return false, errors.New("NUL byte")
	}
	holds, err := f.eval(kind, value)
	if e := (*NotEvaluatedError)(nil); errors.As(err, &e) {
		e.Item = Item{Kind: kind, Value: value}
		return true, e
	}
	return holds && err == nil, err
}

func (f *Facts) eval(kind, value string) (bool, error) {
	switch kind {
	case "Architecture":
		return f.architecture(value)
	case "Firmware":
		return f.firmware(value)
	case "Virtualization":
		return f.virtualization(value)
	case "Host":
		return f.host(value)
	case "Fraction":
		return f.fraction(value)
	case "KernelCommandLine":
		return f.kernelCommandLine(value)
	case "KernelVersion":
		return f.kernelVersion(value)
	case "Version":
		return f.version(value)
	case "Credential":
		return f.credential(value)
	case "Environment":
		return has(f.environ(), value), nil
	case "Security":
		return f.security(value)
	case "Capability":
		return f.capability(value)
	case "ACPower":
		return f.acPower(value)
	case "FirstBoot":
		return f.firstBoot(value)
	case "User":
		return f.user(value)
	case "Group":
		return f.group(value)
	case "ControlGroupController":
		return f.controller(value)
	case "Memory":
		return f.enoughMemory(value)
	case "CPUs":
		return f.enoughCPUs(value)
	case "CPUFeature":
		return f.cpuFeature(value)
	case "OSRelease":
		return f.osRelease(value)
	case "MachineTag":
		return f.machineTag(value)
	case "MemoryPressure":
		return f.pressure("memory", value)
	case "CPUPressure":
		return f.pressure("cpu", value)
	case "IOPressure":
		return f.pressure("io", value)
	case "KernelModuleLoaded":
		return f.moduleLoaded(value)
	}
	if position(pathKinds, kind) < 0 {
		return false, bad("unknown condition", kind)
	}
	value, err := normal(value)
	if err != nil {
		return false, err
	}
	switch kind {
	case "NeedsUpdate":
		return f.needsUpdate(value)
	case "PathExists":
		return f.exists(value)
	case "PathExistsGlob":
		return f.glob(value)
	case "PathIsDirectory":
		return f.isKind(value, kindDirectory)
	case "PathIsSymbolicLink":
		return f.isLink(value)
	case "PathIsMountPoint":
		return f.isMountPoint(value)
	case "PathIsReadWrite":
		return f.isReadWrite(value)
	case "PathIsEncrypted":
		return f.isEncrypted(value)
	case "PathIsSocket":
		return f.isKind(value, kindSocket)
	case "DirectoryNotEmpty":
		return f.directoryNotEmpty(value)
	case "FileNotEmpty":
		return f.isKind(value, kindNotEmpty)
	}
	return f.isKind(value, kindExecutable)
}

// pathKinds are the kinds whose value is a path.
const pathKinds = "NeedsUpdate PathExists PathExistsGlob PathIsDirectory PathIsSymbolicLink PathIsMountPoint PathIsReadWrite " +
	"PathIsEncrypted PathIsSocket DirectoryNotEmpty FileNotEmpty FileIsExecutable"

// normal is an absolute path without empty and "." components; one with ".." is an error.
func normal(path string) (string, error) {
	if path[0] != '/' {
		return "", bad("not an absolute path:", path)
	}
	var clean []byte
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
		case "..":
			return "", bad(`a path with "..":`, path)
		default:
			clean = append(append(clean, '/'), name...)
		}
	}
	if len(clean) == 0 {
		return "/", nil
	}
	return string(clean), nil
}

// wordError says that a word is not in a list that the manual gives.
type wordError struct {
	what, word string
	words      string
}

func (e *wordError) Error() string { return "unknown " + e.what + " " + strconv.Quote(e.word) }

// Hint tells which word was most likely meant.
func (e *wordError) Hint() string {
	if near := nearest.Of(e.word, strings.Fields(e.words)); near != "" {
		return "did you mean " + near + "?"
	}
	return "known: " + e.words
}

// known is an error unless the word is one of a list of words.
func known(what, word, words string) error {
	if position(words, word) < 0 {
		return &wordError{what, word, words}
	}
	return nil
}

// bad says what is wrong about a text.
func bad(why, text string) error { return errors.New(why + " " + strconv.Quote(text)) }

// position is the place of a word in a list of words with one blank between two; -1 for a
// word that is not there, and for "-", which stands for no word.
func position(words, word string) int {
	if word == "-" {
		return -1
	}
	for n := 0; ; n++ {
		next, rest, more := strings.Cut(words, " ")
		if next == word {
			return n
		}
		if !more {
			return -1
		}
		words = rest
	}
}

// has tells whether a list of assignments has a name, or, where want is "NAME=VALUE", this
// very one.
func has(list []string, want string) bool {
	whole := strings.Contains(want, "=")
	for _, s := range list {
		if name, _, _ := strings.Cut(s, "="); s == want || !whole && name == want {
			return true
		}
	}
	return false
}

// parseBool reads a boolean, systemd.syntax(7).
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, bad("not a boolean:", s)
}
