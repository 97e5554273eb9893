package caps

import (
	"testing"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// The names are libcap's, which makes its own from linux/capability.h.
func TestNamesAreLibcaps(t *testing.T) {
	if cap.NamedCount != LastKnown+1 {
		t.Errorf("libcap names %d capabilities, we %d", cap.NamedCount, LastKnown+1)
	}
	for v := range cap.Value(cap.NamedCount) {
		if got, want := Name(int(v)), v.String(); got != want {
			t.Errorf("Name(%d) = %q, libcap has %q", v, got, want)
		}
	}
}
