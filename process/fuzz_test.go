package process

import (
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// exact is what a decimal number of so many units is, cut to a whole one.
func exact(whole, fraction string, unit uint64) *big.Int {
	r, ok := new(big.Rat).SetString(whole + "." + fraction + "0")
	if !ok {
		panic(whole + "." + fraction)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).SetUint64(unit)))
	return new(big.Int).Quo(r.Num(), r.Denom())
}

// The units of systemd.time(7) in microseconds, and of sizes, written out once more.
var (
	spanUnits = []struct {
		word string
		unit uint64
	}{
		{"us", 1},
		{"ms", 1000},
		{"s", 1e6},
		{"sec", 1e6},
		{"min", 60e6},
		{"m", 60e6},
		{"h", 3600e6},
		{"hours", 3600e6},
		{"d", 86400e6},
		{"weeks", 604800e6},
		{"M", 2629800e6},
		{"y", 31557600e6},
		{"", 1e6},
	}
	sizesByWord = []struct {
		word string
		unit uint64
	}{{"E", 1 << 60}, {"P", 1 << 50}, {"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}, {"", 1}}
)

// FuzzSums: a time span and a size are the sum of their parts, each of which is cut to a whole one.
func FuzzSums(f *testing.F) {
	f.Add(uint64(1), uint16(5), uint8(2), uint64(200), uint16(0), uint8(1))
	f.Add(^uint64(0), uint16(0), uint8(0), uint64(0), uint16(1), uint8(0))
	f.Add(uint64(584542), uint16(999), uint8(11), uint64(1), uint16(1), uint8(12))
	f.Add(uint64(15), uint16(9), uint8(0), uint64(1023), uint16(0), uint8(1))
	f.Fuzz(func(t *testing.T, a uint64, af uint16, au uint8, b uint64, bf uint16, bu uint8) {
		for _, spans := range []bool{true, false} {
			units := sizesByWord
			if spans {
				units = spanUnits
			}
			one, two := units[int(au)%len(units)], units[int(bu)%len(units)]
			if !spans && (int(au)%len(units) >= int(bu)%len(units) || one.word == "") {
				continue // the suffixes of a size fall
			}
			sum := new(big.Int)
			gone := false
			for _, p := range []struct {
				n    uint64
				f    uint16
				unit uint64
			}{{a, af, one.unit}, {b, bf, two.unit}} {
				v := exact(strconv.FormatUint(p.n, 10), strconv.Itoa(int(p.f)), p.unit)
				gone = gone || v.Sign() == 0 && (p.n != 0 || p.f != 0)
				sum.Add(sum, v)
			}
			text := strconv.FormatUint(a, 10) + "." + strconv.Itoa(int(af)) + one.word + " " + strconv.FormatUint(b, 10) + "." + strconv.Itoa(int(bf)) + two.word
			bad := gone || !sum.IsUint64() || sum.Uint64() == Infinity
			got, err := ParseSize(text)
			if spans {
				got, err = ParseTimespan(text, Second)
			}
			if (err != nil) != bad || err == nil && got != sum.Uint64() {
				t.Fatalf("%q: %d, %v, want %d, an error %v", text, got, err, sum, bad)
			}
		}
	})
}

// FuzzRanges: a set of CPUs has what each of its ranges has, one by one.
func FuzzRanges(f *testing.F) {
	f.Add(uint16(0), uint16(3), uint16(64), uint16(64))
	f.Add(uint16(63), uint16(128), uint16(8191), uint16(8191))
	f.Fuzz(func(t *testing.T, a, b, c, d uint16) {
		text := strconv.Itoa(int(a)) + "-" + strconv.Itoa(int(b)) + ", " + strconv.Itoa(int(c)) + "-" + strconv.Itoa(int(d))
		set, err := ParseCPUSet(text)
		if bad := a > b || c > d || b > maxCPU || d > maxCPU; bad != (err != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		for n := range maxCPU + 1 {
			if want := n >= int(a) && n <= int(b) || n >= int(c) && n <= int(d); set.Has(n) != want {
				t.Fatalf("%q: %d is in it: %v", text, n, !want)
			}
		}
	})
}

func TestBounded(t *testing.T) {
	for name, parse := range map[string]func(string){
		"size": func(s string) { _, _ = ParseSize("1" + s) },
		"span": func(s string) { _, _ = ParseTimespan("1"+s, Second); _, _ = ParseNsec(s) },
		"CPUs": func(s string) { _, _ = ParseCPUSet(s) },
		"core": func(s string) { _, _ = ParseCoredumpFilter(s) },
		"word": func(s string) { _, _ = ParseSchedPolicy(s); _, _ = ParsePersonality(s, "amd64") },
		"limit": func(s string) {
			for n := range Limits {
				if n%5 == 0 {
					_, _ = ParseLimit(n, s)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bounded.Check(t, parse, "0-8191,", "0 8191 ", "1s ", "1us", "1K", ".5", "all ", strings.Repeat("9", 20), "private-anonymous ")
		})
	}
}
