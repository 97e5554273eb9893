//go:build linux

package launcher

import (
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/integration/bounded"
)

// FuzzStatus: the capability sets are those of the last line of that name, or it is an error.
func FuzzStatus(f *testing.F) {
	f.Add("Pid:\t12\nNSpid:\t12\t1\nPPid:\t1\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t1\nCapBnd:\tf\nCapAmb:\t0\nUid:\t0\t0\t0\t0\n")
	f.Add("CapEff:\n")
	f.Add("CapEff: 1\nCapEff: x\nCapEff: 2")
	f.Add("NSpid:\t")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseStatus(text)
		bad := false
		var want CapState
		sets := map[string]*caps.Set{"CapInh": &want.Inheritable, "CapPrm": &want.Permitted, "CapEff": &want.Effective, "CapBnd": &want.Bounding, "CapAmb": &want.Ambient}
		seen := 0
		for _, line := range strings.Split(text, "\n") {
			name, value, _ := strings.Cut(line, ":")
			if set := sets[name]; set != nil {
				n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
				if err != nil {
					bad = true
				}
				*set = caps.Set(n)
				seen++
			}
		}
		if (err != nil) != bad || err == nil && s.caps != want || seen == 0 && s.caps != (CapState{}) {
			t.Fatalf("%q: %+v, %v, want %+v, bad %v", text, s.caps, err, want, bad)
		}
	})
}

func TestBounded(t *testing.T) {
	bounded.Check(t, func(s string) { _, _ = parseStatus(s) }, "CapEff:\t1\n", "NSpid: 1 ", "Pid: x\n")
	bounded.Check(t, func(s string) { expand([]string{s}, []string{"A=b", "B=" + s[:1000]}, func(string) {}) }, "${A}", "$A ", "${", "$$")
}
