package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// ParseBool reads a boolean of systemd.syntax(7): 1, yes, true, on and 0, no,
// false, off; also y, t, n and f, which systemd takes besides. Upper and lower
// case are alike. Anything else, a comment behind the word among it, is an error.
func ParseBool(s string) (bool, error) {
	for _, w := range [...]string{"1", "yes", "y", "true", "t", "on"} {
		if strings.EqualFold(s, w) {
			return true, nil
		}
	}
	for _, w := range [...]string{"0", "no", "n", "false", "f", "off"} {
		if strings.EqualFold(s, w) {
			return false, nil
		}
	}
	return false, errors.New("neither yes nor no: " + strconv.Quote(s))
}

// FormatBool is "yes" or "no".
func FormatBool(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// bad is the error for a value, which stands quoted behind the words.
func bad(why, value string) error { return errors.New(why + shown(value)) }

// shown is a value for an error, quoted: of a long one the beginning.
func shown(value string) string {
	if len(value) > 400 {
		return strconv.Quote(value[:400]) + "…"
	}
	return strconv.Quote(value)
}

// ParseMode reads an access mode or a mask in octal notation, systemd.exec(5)
// at UMask=: "0022", "22", up to 07777. There is no sign and no "0o".
func ParseMode(s string) (uint32, error) {
	if s == "" || strings.Trim(s, "01234567") != "" {
		return 0, errors.New("not an octal mode: " + strconv.Quote(s))
	}
	v, err := strconv.ParseUint(s, 8, 32)
	if err != nil || v > 0o7777 {
		return 0, errors.New("mode " + s + " is above 07777")
	}
	return uint32(v), nil
}

// ParseSize reads a size in bytes, base 1024: process.ParseSize.
func ParseSize(s string) (uint64, error) { return process.ParseSize(s) }

// ParseTimespan reads a time span into microseconds; a number without a unit
// counts in defaultUnit microseconds: process.ParseTimespan.
func ParseTimespan(s string, defaultUnit uint64) (uint64, error) {
	return process.ParseTimespan(s, defaultUnit)
}

// ParseNsec reads a time span into nanoseconds: process.ParseNsec.
func ParseNsec(s string) (uint64, error) { return process.ParseNsec(s) }

// ParseInt reads a decimal number of low to high, with a "-" when negative.
// Octal and hexadecimal numbers, a leading zero ("010" is 8 to systemd) and
// "+", all of which systemd takes, are errors; so are blanks.
func ParseInt(s string, low, high int) (int, error) {
	number := strings.TrimPrefix(s, "-")
	switch {
	case number == "" || strings.Trim(number, "0123456789") != "" || s == "-0":
		return 0, errors.New("not a decimal number: " + strconv.Quote(s))
	case number[0] == '0' && len(number) > 1:
		return 0, errors.New("leading zero in " + strconv.Quote(s) + " (systemd reads it as octal)")
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, errors.New(s + " is outside of " + strconv.Itoa(low) + " to " + strconv.Itoa(high))
	}
	return n, nil
}

// ParseUint16 reads a decimal number of 0 to 65535, as ParseInt does.
func ParseUint16(s string) (uint16, error) {
	n, err := ParseInt(s, 0, 65535)
	return uint16(n), err
}

// ParsePercent reads whole per cent, "15%", of at most limit.
func ParsePercent(s string, limit int) (int, error) {
	number, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, errors.New("no per cent sign behind " + strconv.Quote(s))
	}
	return ParseInt(number, 0, limit)
}

// ParsePermyriad reads a share, systemd.resource-control(5), in parts of ten
// thousand: "15%" is 1500. It may be written in per cent with up to two decimal
// places, in per mille ("152.5‰") with one, or in permyriad ("1525‱"). limit
// is the highest that is valid: 10000 for a share of a whole.
func ParsePermyriad(s string, limit int) (int, error) {
	factor, places := 0, 0
	number := s
	for _, u := range [...]struct {
		sign           string
		factor, places int
	}{{"%", 100, 2}, {"‰", 10, 1}, {"‱", 1, 0}} {
		if n, ok := strings.CutSuffix(s, u.sign); ok {
			number, factor, places = n, u.factor, u.places
		}
	}
	if factor == 0 {
		return 0, errors.New("no %, ‰ or ‱ behind " + strconv.Quote(s))
	}
	whole, fraction, point := strings.Cut(number, ".")
	v, err := ParseInt(whole, 0, limit/factor)
	if err != nil {
		return 0, err
	}
	v *= factor
	if point {
		if fraction == "" || len(fraction) > places || strings.Trim(fraction, "0123456789") != "" {
			return 0, errors.New("at most " + strconv.Itoa(places) + " decimal places go before the sign in " + strconv.Quote(s))
		}
		for i := range fraction {
			factor /= 10
			v += int(fraction[i]-'0') * factor
		}
	}
	if v > limit {
		return 0, errors.New(s + " is too large")
	}
	return v, nil
}
