package process

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

var errRange = errors.New("number too large")

// decimal reads a decimal number without sign, blank or leading zero. systemd
// takes these and octal and hexadecimal numbers besides, where "010" is 8.
func decimal(s string) (uint64, error) {
	n := digits(s)
	switch {
	case n == 0 || n != len(s):
		return 0, errors.New("not a decimal number: " + strconv.Quote(s))
	case s[0] == '0' && n > 1:
		return 0, errors.New("leading zero in " + strconv.Quote(s) + " (systemd reads it as octal)")
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errRange
	}
	return v, nil
}

// digits is the number of decimal digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// scaled is whole.fraction × unit, rounded down; ok is false when that is over
// 2^64-1 or the digits are no number of at most 18 places behind the point.
func scaled(whole, fraction string, unit uint64) (v uint64, ok bool) {
	if whole == "" {
		whole = "0"
	}
	w, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || len(fraction) > 18 {
		return 0, false
	}
	hi, v := bits.Mul64(w, unit)
	if hi != 0 || fraction == "" {
		return v, hi == 0
	}
	f, err := strconv.ParseUint(fraction, 10, 64)
	if err != nil {
		return 0, false
	}
	div := uint64(1)
	for range fraction {
		div *= 10
	}
	hi, lo := bits.Mul64(f, unit)
	part, _ := bits.Div64(hi, lo, div) // f < div, so the quotient is below unit
	v, carry := bits.Add64(v, part, 0)
	return v, carry == 0
}

// vanished tells a number that is written with other digits than 0 and came to
// 0, as "0.5us" does: where 0 means something else than "little" ("no limit",
// "now"), that would be another setting than the one asked for.
func vanished(whole, fraction string, v uint64) bool {
	return v == 0 && strings.Trim(whole+fraction, "0") != ""
}

// skipBlank cuts the blanks that s begins with.
func skipBlank(s string) string { return strings.TrimLeft(s, " \t\n\r") }

// sizeUnits are the suffixes of a size, the largest first.
const sizeUnits = "EPTGMKB"

// sizeUnit is the number of bytes behind sizeUnits[i].
func sizeUnit(i int) uint64 { return 1 << (10 * (len(sizeUnits) - 1 - i)) }

// ParseSize reads a size in bytes, base 1024, as systemd.exec(5) has it for
// limits: "4096", "16G", "1.5G", with the suffixes B, K, M, G, T, P and E in
// upper case, and "infinity" for Infinity. As in systemd several may follow
// each other, of falling suffixes, and are added up ("5G1M", "5G 1M"); parts of a
// byte are cut off. A sum of Infinity or above is an error, as is a size that the
// cutting makes 0; so are a sign, and a leading blank or zero, which systemd lets pass.
func ParseSize(s string) (uint64, error) {
	if s == "infinity" {
		return Infinity, nil
	}
	if s == "" || blank(rune(s[0])) {
		return 0, errors.New("not a size: " + strconv.Quote(s))
	}
	var total uint64
	last := -1 // the index of the suffix before
	for rest := s; rest != ""; {
		v, unit, tail, err := sizePart(rest)
		if err != nil {
			return 0, errors.New(err.Error() + " in size " + strconv.Quote(s))
		}
		if unit <= last {
			return 0, errors.New("suffixes must fall in size " + strconv.Quote(s))
		}
		last = unit
		var carry uint64
		if total, carry = bits.Add64(total, v, 0); carry != 0 || total == Infinity {
			return 0, errRange
		}
		rest = tail
	}
	return total, nil
}

// sizePart reads one number with its suffix from the front of s. unit is the
// suffix's index in sizeUnits; that of a missing suffix comes after all.
func sizePart(s string) (v uint64, unit int, tail string, err error) {
	n := digits(s)
	if n == 0 {
		return 0, 0, "", errors.New("digits missing")
	}
	whole, rest, fraction := s[:n], s[n:], ""
	if n > 1 && whole[0] == '0' {
		return 0, 0, "", errors.New("leading zero")
	}
	if strings.HasPrefix(rest, ".") {
		n = digits(rest[1:])
		fraction, rest = rest[1:1+n], rest[1+n:]
	}
	unit = len(sizeUnits)
	factor := uint64(1)
	if suffix := skipBlank(rest); suffix != "" {
		i := strings.IndexByte(sizeUnits, suffix[0])
		if i < 0 {
			return 0, 0, "", errors.New("unknown suffix " + strconv.Quote(suffix) + " (B, K, M, G, T, P and E are known)")
		}
		unit, factor, rest = i, sizeUnit(i), suffix[1:]
	} else if rest != "" {
		return 0, 0, "", errors.New("trailing blank")
	}
	v, ok := scaled(whole, fraction, factor)
	switch {
	case !ok:
		return 0, 0, "", errRange
	case vanished(whole, fraction, v):
		return 0, 0, "", errors.New("less than one byte")
	}
	return v, unit, skipBlankBeforeDigit(rest), nil
}

// skipBlankBeforeDigit cuts blanks which something follows.
func skipBlankBeforeDigit(s string) string {
	if t := skipBlank(s); t != "" {
		return t
	}
	return s
}

// FormatSize is n as ParseSize reads it, with the largest suffix that divides it:
// "1536M", "4097". Infinity is "infinity".
func FormatSize(n uint64) string {
	if n == Infinity {
		return "infinity"
	}
	for i := range len(sizeUnits) - 1 {
		if u := sizeUnit(i); n >= u && n%u == 0 {
			return strconv.FormatUint(n/u, 10) + sizeUnits[i:i+1]
		}
	}
	return strconv.FormatUint(n, 10)
}

// Time spans are counted in microseconds, or nanoseconds (ParseNsec). These are
// the units in microseconds for the default unit of ParseTimespan.
const (
	Microsecond uint64 = 1
	Second      uint64 = 1000 * 1000
)

// timeUnit is the length in nanoseconds of a unit of systemd.time(7); 0 for an
// unknown one.
func timeUnit(word string) uint64 {
	const second = 1000 * 1000 * 1000
	switch word {
	case "nsec", "ns":
		return 1
	case "usec", "us", "\u00b5s", "\u03bcs": // the micro sign, and the Greek letter
		return 1000
	case "msec", "ms":
		return 1000 * 1000
	case "seconds", "second", "sec", "s":
		return second
	case "minutes", "minute", "min", "m":
		return 60 * second
	case "hours", "hour", "hr", "h":
		return 3600 * second
	case "days", "day", "d":
		return 86400 * second
	case "weeks", "week", "w":
		return 7 * 86400 * second
	case "months", "month", "M":
		return 2629800 * second // a twelfth of a year; the manual rounds it to 30.44 days
	case "years", "year", "y":
		return 31557600 * second // 365.25 days
	}
	return 0
}

// ParseTimespan reads a time span of systemd.time(7) into microseconds:
// "2min 200ms", "1.5h", "infinity" for Infinity. A number without a unit counts
// in defaultUnit microseconds, Second nearly everywhere. Values are added up; parts of
// a microsecond are cut off. A sum of Infinity or above is an error, as is a
// number that the cutting makes 0, and any sign.
func ParseTimespan(s string, defaultUnit uint64) (uint64, error) {
	return timespan(s, 1000, defaultUnit)
}

// ParseNsec reads a time span of systemd.time(7) into nanoseconds, for
// TimerSlackNSec=: as ParseTimespan, with the units nsec and ns besides, and
// nanoseconds for a number without a unit.
func ParseNsec(s string) (uint64, error) { return timespan(s, 1, 1) }

// timespan reads a time span, counted in ticks of so many nanoseconds.
func timespan(s string, tick, defaultUnit uint64) (uint64, error) {
	fail := func(why string) (uint64, error) {
		return 0, errors.New(why + " in time span " + strconv.Quote(s))
	}
	rest := strings.TrimFunc(s, blank)
	switch rest {
	case "infinity":
		return Infinity, nil
	case "":
		return fail("number missing")
	}
	var total uint64
	for ; rest != ""; rest = skipBlank(rest) {
		n := digits(rest)
		whole, fraction := rest[:n], ""
		rest = rest[n:]
		if strings.HasPrefix(rest, ".") {
			n = digits(rest[1:])
			fraction, rest = rest[1:1+n], rest[1+n:]
			if n == 0 || strings.HasPrefix(rest, ".") {
				return fail("digits missing around a point")
			}
		}
		if whole == "" && fraction == "" {
			return fail("number missing")
		}
		unit := defaultUnit
		word, tail := unitWord(skipBlank(rest))
		if word != "" {
			if unit = timeUnit(word) / tick; unit == 0 {
				return fail("unknown unit " + strconv.Quote(word))
			}
		}
		rest = tail
		v, ok := scaled(whole, fraction, unit)
		if !ok {
			return fail("number too large")
		}
		if vanished(whole, fraction, v) {
			return fail("number below the resolution")
		}
		var carry uint64
		if total, carry = bits.Add64(total, v, 0); carry != 0 || total == Infinity {
			return fail("number too large")
		}
	}
	return total, nil
}

// unitWord cuts the word that s begins with: up to a blank, digit or point.
func unitWord(s string) (word, tail string) {
	n := strings.IndexAny(s, " \t\n\r0123456789.")
	if n < 0 {
		return s, ""
	}
	return s[:n], s[n:]
}

// FormatTimespan is µs microseconds as ParseTimespan reads them, with one unit:
// the largest of h, min, s, ms and us that divides them. Infinity is "infinity".
func FormatTimespan(µs uint64) string {
	if µs == Infinity {
		return "infinity"
	}
	for _, u := range [...]struct {
		word string
		len  uint64
	}{{"h", 3600 * Second}, {"min", 60 * Second}, {"s", Second}, {"ms", 1000}} {
		if µs >= u.len && µs%u.len == 0 {
			return strconv.FormatUint(µs/u.len, 10) + u.word
		}
	}
	return strconv.FormatUint(µs, 10) + "us"
}
