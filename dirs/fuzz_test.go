package dirs

import (
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

func TestBounded(t *testing.T) {
	for kind := range ListenKind(7) {
		bounded.Repeated(t, bounded.Size/4, func(s string) {
			_, _ = ParseAddress(kind, s)
			_, _ = ParseAddress(kind, "["+s)
			_, _ = ParseAddress(kind, "/"+s)
		}, "a", "/a", ":", "1:", "1.", "/../", "[", "%", "@", " ", "vsock:")
	}
}
