// Package caps knows credentials: users and groups, the five capability sets,
// securebits and no_new_privs, and the system calls that change them.
package caps

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/nearest"
)

// Set is a set of capabilities, bit n for capability n (linux/capability.h).
// The zero Set is empty.
type Set uint64

// LastKnown is the highest capability that has a name here, CAP_CHECKPOINT_RESTORE
// of Linux 5.9. A kernel may know more: /proc/sys/kernel/cap_last_cap tells.
const LastKnown = 40

// maxCap is the highest capability that the two 32-bit words of capset(2) hold.
const maxCap = 63

// names are the kernel's names without "CAP_", by number (linux/capability.h).
var names = [LastKnown + 1]string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

// Name is the name of capability n: "cap_chown", and "cap_41" for one that is
// newer than LastKnown. It is empty for n below 0 or above 63.
func Name(n int) string {
	switch {
	case n < 0 || n > maxCap:
		return ""
	case n > LastKnown:
		return "cap_" + strconv.Itoa(n)
	}
	return "cap_" + names[n]
}

// FromName finds a capability by its name, in upper or lower case, with or
// without "cap_". "cap_41" … "cap_63" name those above LastKnown. A bare number
// is no name, as --caps=1 would then mean CAP_DAC_OVERRIDE to someone who meant "yes".
func FromName(s string) (n int, ok bool) {
	word, prefixed := cutCap(s)
	for i := range names {
		if strings.EqualFold(word, names[i]) {
			return i, true
		}
	}
	if !prefixed || len(word) != 2 {
		return 0, false
	}
	n, err := strconv.Atoi(word)
	if err != nil || n <= LastKnown || n > maxCap {
		return 0, false
	}
	return n, true
}

// cutCap takes off "cap_", in upper or lower case.
func cutCap(s string) (word string, prefixed bool) {
	if len(s) >= 4 && strings.EqualFold(s[:4], "cap_") {
		return s[4:], true
	}
	return s, false
}

// Nearest is the name of the known capability that s most likely stands for,
// "cap_net_bind_service" for "CAP_NET_BIND"; empty when none is near.
func Nearest(s string) string {
	word, _ := cutCap(s)
	near := nearest.Of(word, names[:])
	if near == "" {
		return ""
	}
	return "cap_" + near
}

// UnknownError is the error for a word that names no capability.
type UnknownError struct {
	Name string // as it was written
}

// Error is `unknown capability "CAP_NET_BIND"`.
func (e UnknownError) Error() string { return "unknown capability " + strconv.Quote(e.Name) }

// Hint is "did you mean CAP_NET_BIND_SERVICE?", empty when no name is near.
func (e UnknownError) Hint() string {
	near := Nearest(e.Name)
	if near == "" {
		return ""
	}
	return "did you mean " + strings.ToUpper(near) + "?"
}

// All is the set of the capabilities 0 to last, last included: all that a kernel
// has whose cap_last_cap is last. It is empty for a negative last.
func All(last int) Set {
	switch {
	case last < 0:
		return 0
	case last >= maxCap:
		return ^Set(0)
	}
	return Set(1)<<(last+1) - 1
}

// Has tells whether capability n is in the set; false for n below 0 or above 63.
func (s Set) Has(n int) bool { return n >= 0 && n <= maxCap && s>>n&1 == 1 }

// Add is s with capability n. n must be 0 to 63; other numbers panic, since a
// capability that is silently not added is a privilege that is silently missing.
func (s Set) Add(n int) Set {
	if n < 0 || n > maxCap {
		panic("internal error: capability " + strconv.Itoa(n))
	}
	return s | 1<<n
}

// Without is what is in s and not in t.
func (s Set) Without(t Set) Set { return s &^ t }

// Union is what is in s or in t.
func (s Set) Union(t Set) Set { return s | t }

// Intersect is what is in s and in t.
func (s Set) Intersect(t Set) Set { return s & t }

// Empty tells whether there is no capability in the set.
func (s Set) Empty() bool { return s == 0 }

// Count is the number of capabilities in the set.
func (s Set) Count() int { return bits.OnesCount64(uint64(s)) }

// Each calls f for each capability of the set, in ascending order.
func (s Set) Each(f func(n int)) {
	for s != 0 {
		n := bits.TrailingZeros64(uint64(s))
		s &^= 1 << n
		f(n)
	}
}

// Names are the names of the set's capabilities as Name gives them, ascending.
func (s Set) Names() []string {
	list := make([]string, 0, s.Count())
	s.Each(func(n int) { list = append(list, Name(n)) })
	return list
}

// String is "{cap_chown,cap_kill}", and "{}" for the empty set.
func (s Set) String() string { return "{" + strings.Join(s.Names(), ",") + "}" }

// Short is String, or where most capabilities up to last are in the set, what is
// not: "all but {cap_mknod}", "all".
func (s Set) Short(last int) string {
	without := All(last).Without(s)
	switch {
	case without == 0:
		return "all"
	case without.Count() < s.Count():
		return "all but " + without.String()
	}
	return s.String()
}

// Hex is the set as /proc/PID/status has it in its Cap lines: 16 lower-case
// hexadecimal digits, proc_pid_status(5).
func (s Set) Hex() string {
	h := strconv.FormatUint(uint64(s), 16)
	return "0000000000000000"[len(h):] + h
}

// blank tells the characters between the words of a list, systemd.syntax(7).
func blank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// blankOrComma tells the characters between the words of --caps.
func blankOrComma(c rune) bool { return blank(c) || c == ',' }

// ParseSet reads the value of CapabilityBoundingSet= or AmbientCapabilities=,
// systemd.exec(5): names between blanks, all behind a leading "~" when the list
// is of those to leave out (invert). The set is what is listed, not inverted. A
// "~" alone is the empty set, inverted, and the empty string the empty set.
// Where systemd needs "CAP_" it may be left out here; a number is refused,
// which systemd takes. An unknown name is an UnknownError: systemd skips it with
// a warning, and with "~" that keeps a capability which was meant to go.
func ParseSet(words string) (s Set, invert bool, err error) {
	words = strings.TrimFunc(words, blank)
	words, invert = strings.CutPrefix(words, "~")
	for _, w := range strings.FieldsFunc(words, blank) {
		n, ok := FromName(w)
		if !ok {
			return 0, false, UnknownError{Name: w}
		}
		s = s.Add(n)
	}
	return s, invert, nil
}

// ParseList reads the value of --caps: names between blanks or commas with or
// without "cap_", behind a leading "~" when they are those to leave out
// (invert); or one of the words "none", the empty set, and "all" (all is true,
// s empty, as what "all" means is the kernel's to say). An empty list is an
// error, as an unset shell variable makes one; so is "~" without a name, and
// "none" or "all" with anything beside it.
func ParseList(words string) (s Set, invert, all bool, err error) {
	words = strings.TrimFunc(words, blank)
	words, invert = strings.CutPrefix(words, "~")
	list := strings.FieldsFunc(words, blankOrComma)
	if len(list) == 0 {
		return 0, false, false, errors.New(`no capability is listed ("none" is the empty list)`)
	}
	for _, w := range list {
		isAll, isNone := strings.EqualFold(w, "all"), strings.EqualFold(w, "none")
		if isAll || isNone {
			if len(list) > 1 || invert {
				return 0, false, false, errors.New(strconv.Quote(w) + " stands alone, without other words or ~")
			}
			return 0, false, isAll, nil
		}
		n, ok := FromName(w)
		if !ok {
			return 0, false, false, UnknownError{Name: w}
		}
		s = s.Add(n)
	}
	return s, invert, false, nil
}
