package process

import (
	"errors"
	"strconv"
	"strings"
)

// Limit is a pair of resource limits, setrlimit(2). Infinity is RLIM_INFINITY.
type Limit struct{ Soft, Hard uint64 }

// Infinity is RLIM_INFINITY, "infinity" in a unit file.
const Infinity = ^uint64(0)

// LimitUnit says what a resource limit counts, and by that how it is written.
type LimitUnit uint8

// The units of the table of LimitCPU= in systemd.exec(5).
const (
	UnitCount        LimitUnit = iota // files, processes, locks, signals, a priority
	UnitBytes                         // a size, ParseSize
	UnitSeconds                       // a time span, default unit a second, rounded up to whole seconds
	UnitMicroseconds                  // a time span, default unit a microsecond
	UnitNice                          // 0 to 40, or a nice level with its sign
)

// LimitInfo is one resource limit: its name behind "Limit" and "RLIMIT_", and its unit.
type LimitInfo struct {
	Name string
	Unit LimitUnit
}

// Limits are the resource limits of Linux by their RLIMIT_ number
// (asm-generic/resource.h). Other systems have other numbers, mips and sparc too:
// there the system-call side translates.
var Limits = [16]LimitInfo{
	{"CPU", UnitSeconds},
	{"FSIZE", UnitBytes},
	{"DATA", UnitBytes},
	{"STACK", UnitBytes},
	{"CORE", UnitBytes},
	{"RSS", UnitBytes},
	{"NPROC", UnitCount},
	{"NOFILE", UnitCount},
	{"MEMLOCK", UnitBytes},
	{"AS", UnitBytes},
	{"LOCKS", UnitCount},
	{"SIGPENDING", UnitCount},
	{"MSGQUEUE", UnitBytes},
	{"NICE", UnitNice},
	{"RTPRIO", UnitCount},
	{"RTTIME", UnitMicroseconds},
}

// LimitName is the name of the limit with number n of Limits, "NOFILE", and the
// number itself for one outside of the table.
func LimitName(n int) string {
	if n < 0 || n >= len(Limits) {
		return strconv.Itoa(n)
	}
	return Limits[n].Name
}

// ParseLimit reads the value of the limit with number n of Limits, systemd.exec(5)
// at LimitCPU=: one value for both limits or "soft:hard", each "infinity" or in the
// limit's unit. A soft limit above the hard one is an error. For NICE a number
// with a sign is a nice level of -20 to 19, stored as the kernel counts (20 minus
// the level), and one without is the kernel's, 0 to 40; it has no infinity, in
// systemd neither. n outside of Limits is an error.
func ParseLimit(n int, s string) (Limit, error) {
	if n < 0 || n >= len(Limits) {
		return Limit{}, errors.New("internal error: no resource limit " + strconv.Itoa(n))
	}
	soft, hard, pair := strings.Cut(s, ":")
	var l Limit
	var err error
	if l.Soft, err = parseLimitValue(Limits[n].Unit, soft); err != nil {
		return Limit{}, err
	}
	l.Hard = l.Soft
	if !pair {
		return l, nil
	}
	if l.Hard, err = parseLimitValue(Limits[n].Unit, hard); err != nil {
		return Limit{}, err
	}
	if l.Soft > l.Hard {
		return Limit{}, errors.New("the soft limit is above the hard limit in " + strconv.Quote(s))
	}
	return l, nil
}

func parseLimitValue(unit LimitUnit, s string) (uint64, error) {
	switch unit {
	case UnitBytes:
		return ParseSize(s)
	case UnitSeconds:
		µs, err := ParseTimespan(s, Second)
		if err != nil || µs == Infinity {
			return µs, err
		}
		v := µs / Second
		if µs%Second != 0 {
			v++ // the granularity of RLIMIT_CPU; rounded down, 0.5 s would be 0: SIGXCPU at once
		}
		return v, nil
	case UnitMicroseconds:
		return ParseTimespan(s, Microsecond)
	case UnitNice:
		return parseNiceLimit(s)
	}
	if s == "infinity" {
		return Infinity, nil
	}
	v, err := decimal(s)
	if err == nil && v == Infinity {
		return 0, errRange
	}
	return v, err
}

// parseNiceLimit reads LimitNICE=. The kernel lets a process go down to the level
// 20 minus the limit, getrlimit(2).
func parseNiceLimit(s string) (uint64, error) {
	sign, number := "", s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, number = s[:1], s[1:]
	}
	v, err := decimal(number)
	switch {
	case err != nil:
		return 0, err
	case sign == "+" && v <= 19:
		return 20 - v, nil
	case sign == "-" && v <= 20:
		return 20 + v, nil
	case sign == "" && v <= 40:
		return v, nil
	case sign == "":
		return 0, errors.New(s + " is outside of 0 to 40 (a nice level has a sign)")
	}
	return 0, errors.New("nice level " + s + " is outside of -20 to +19")
}

// String is the limit with number n of Limits as ParseLimit reads it: "16G",
// "1024:524288", "infinity". A number outside of Limits prints counts.
func (l Limit) String(n int) string {
	unit := UnitCount
	if n >= 0 && n < len(Limits) {
		unit = Limits[n].Unit
	}
	if l.Soft == l.Hard {
		return formatLimitValue(unit, l.Soft)
	}
	return formatLimitValue(unit, l.Soft) + ":" + formatLimitValue(unit, l.Hard)
}

func formatLimitValue(unit LimitUnit, v uint64) string {
	switch {
	case v == Infinity:
		return "infinity"
	case unit == UnitBytes:
		return FormatSize(v)
	}
	return strconv.FormatUint(v, 10)
}
