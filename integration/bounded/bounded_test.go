package bounded

import (
	"testing"
	"time"
)

var kept []byte

// What is slow, or wasteful, is seen.
func TestCost(t *testing.T) {
	took, memory := Cost(func() {
		for start := used(); used() < start+50*time.Millisecond; {
			kept = make([]byte, 1<<20)
		}
	})
	if took < 50*time.Millisecond || memory < 1<<20 {
		t.Errorf("%v, %d bytes", took, memory)
	}
	if most := peak(func() { kept = make([]byte, 100<<20); time.Sleep(5 * time.Millisecond) }); most < 100<<20 {
		t.Errorf("a peak of %d bytes", most)
	}
	for _, text := range Texts(1000, "x\n") {
		if len(text) != 1000 {
			t.Errorf("%.20q: %d bytes", text, len(text))
		}
	}
}
