package policy

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/process"
)

// DeviceRule is one assignment to DeviceAllow=: accesses to a device node, or to the devices
// of all drivers whose names in /proc/devices a pattern matches.
type DeviceRule struct {
	Node   string // "/dev/null", "char-pts", "block-*"
	Access cgroup.Access
}

// ParseDeviceRule reads DeviceAllow=, systemd.resource-control(5): a path below /dev or
// /run/systemd/inaccessible, or "char-" or "block-" with a pattern of drivers, and behind a
// blank the letters of the access; without them it is all of "rwm". Any other node, and a
// letter that is none of these or stands twice, are errors; systemd passes over the line.
func ParseDeviceRule(s string) (DeviceRule, error) {
	words, err := SplitWords(s)
	switch {
	case err != nil:
		return DeviceRule{}, err
	case len(words) > 2:
		return DeviceRule{}, bad("more than one device and its access: ", words[2])
	case len(words) == 0:
		return DeviceRule{}, errors.New("no device is named")
	}
	r := DeviceRule{Node: words[0], Access: cgroup.Read | cgroup.Write | cgroup.Mknod}
	if drivers, ok := driversOf(r.Node); !ok {
		if r.Node, err = ParsePath(r.Node); err != nil {
			return DeviceRule{}, err
		}
		if !strings.HasPrefix(r.Node, "/dev/") && !strings.HasPrefix(r.Node, "/run/systemd/inaccessible/") {
			return DeviceRule{}, bad("a device is a path below /dev, char-DRIVER or block-DRIVER, not ", words[0])
		}
	} else if drivers == "" || hasControl(drivers) {
		return DeviceRule{}, bad("not a driver of /proc/devices: ", drivers)
	}
	if len(words) == 2 {
		r.Access, err = parseAccess(words[1])
	}
	if err != nil {
		return DeviceRule{}, err
	}
	return r, nil
}

// driversOf is what stands behind "char-" or "block-".
func driversOf(node string) (pattern string, ok bool) {
	if pattern, ok = strings.CutPrefix(node, "char-"); !ok {
		pattern, ok = strings.CutPrefix(node, "block-")
	}
	return pattern, ok
}

func parseAccess(s string) (cgroup.Access, error) {
	var all cgroup.Access
	for i := range len(s) {
		bit := accessOf(s[i])
		if bit == 0 || all&bit != 0 {
			all = 0
			break
		}
		all |= bit
	}
	if all == 0 {
		return 0, bad("the access is of the letters r, w and m, each once, not ", s)
	}
	return all, nil
}

// accessOf is the access of a letter, 0 of any other.
func accessOf(letter byte) cgroup.Access {
	switch letter {
	case 'r':
		return cgroup.Read
	case 'w':
		return cgroup.Write
	case 'm':
		return cgroup.Mknod
	}
	return 0
}

func deviceRuleText(r DeviceRule) string { return QuoteWord(r.Node) + " " + r.Access.String() }

func parseDeviceRules(s string) ([]DeviceRule, error) { return one(ParseDeviceRule(s)) }

func parseDevicePolicy(s string) (string, error) { return oneOf(s, "auto", "closed", "strict") }

// NoLimit as the Value of an IODevice is "infinity".
const NoLimit = process.Infinity

// IODevice is a figure for the block device that Path is, or that it lies on.
type IODevice struct {
	Path  string
	Value uint64
}

// ioDevice reads a path and behind a blank what parse takes.
func ioDevice(s string, parse func(s string) (uint64, error)) ([]IODevice, error) {
	words, err := SplitWords(s)
	if err != nil {
		return nil, err
	}
	if len(words) < 2 {
		return nil, bad("a path and a value are wanted, not ", s)
	}
	d := IODevice{}
	if d.Path, err = ParsePath(words[0]); err != nil {
		return nil, err
	}
	if d.Value, err = parse(strings.Join(words[1:], " ")); err != nil {
		return nil, err
	}
	return []IODevice{d}, nil
}

// ParseRate reads bytes or operations per second, systemd.resource-control(5),
// IOReadBandwidthMax=: a number with a suffix B, K, M, G, T, P or E of base 1000, or
// "infinity" for NoLimit. Decimals may not say less than one. 0 is an error, as in systemd;
// so is a sum ("1M 500K"), which systemd takes.
func ParseRate(s string) (uint64, error) {
	if s == "infinity" {
		return NoLimit, nil
	}
	number, unit := s, uint64(1)
	if n := len(s) - 1; n >= 0 && (s[n] < '0' || s[n] > '9') {
		zeros := strings.IndexByte(rateUnits, s[n])
		if zeros < 0 {
			return 0, bad("not a number with a suffix B, K, M, G, T, P or E: ", s)
		}
		for range zeros {
			unit *= 1000
		}
		number = strings.TrimRight(s[:n], " \t")
	}
	whole, fraction, point := strings.Cut(number, ".")
	v, err := strconv.ParseUint(whole, 10, 64)
	switch {
	case strings.Trim(whole+fraction, "0123456789") != "" || whole == "" || point && fraction == "":
		return 0, bad("not a number with a suffix B, K, M, G, T, P or E: ", s)
	case len(whole) > 1 && whole[0] == '0':
		return 0, bad("leading zero: ", s)
	case err != nil || v > (math.MaxUint64-unit)/unit:
		return 0, bad("number too large: ", s)
	}
	v *= unit
	for i := range len(fraction) {
		digit := uint64(fraction[i] - '0')
		if unit /= 10; unit == 0 && digit != 0 {
			return 0, bad("decimals of less than one: ", s)
		}
		v += unit * digit
	}
	if v == 0 {
		return 0, noLimit()
	}
	return v, nil
}

// rateUnits are the suffixes of a rate by the power of 1000.
const rateUnits = "BKMGTPE"

func rateText(v uint64) string {
	if v == NoLimit {
		return "infinity"
	}
	i := 0
	for ; i < len(rateUnits)-1 && v != 0 && v%1000 == 0; i++ {
		v /= 1000
	}
	text := strconv.FormatUint(v, 10)
	if i > 0 {
		text += rateUnits[i : i+1]
	}
	return text
}

// parseLatency takes a time span. 0 and "infinity" ask for nothing.
func parseLatency(s string) (uint64, error) {
	v, err := ParseTimespan(s, process.Second)
	if err == nil && (v == 0 || v == process.Infinity) {
		return 0, bad("a latency to aim at is neither 0 nor infinity: ", s)
	}
	return v, err
}

func parseIOWeight64(s string) (uint64, error) {
	n, err := ParseWeight(s)
	return uint64(n), err
}

func parseDeviceRate(s string) ([]IODevice, error)    { return ioDevice(s, ParseRate) }
func parseDeviceWeight(s string) ([]IODevice, error)  { return ioDevice(s, parseIOWeight64) }
func parseDeviceLatency(s string) ([]IODevice, error) { return ioDevice(s, parseLatency) }

func deviceRateText(d IODevice) string { return QuoteWord(d.Path) + " " + rateText(d.Value) }
func deviceWeightText(d IODevice) string {
	return QuoteWord(d.Path) + " " + strconv.FormatUint(d.Value, 10)
}

func deviceLatencyText(d IODevice) string {
	return QuoteWord(d.Path) + " " + process.FormatTimespan(d.Value)
}
