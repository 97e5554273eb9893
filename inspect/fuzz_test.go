package inspect

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// FuzzUnescape: what the kernel escapes in mountinfo and in the names of /proc/PID/status comes back.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"", "/a b", `\`, `\040`, "\t\n", `/a\04`, `\x`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
		if got := unescape(escaped); got != s {
			t.Fatalf("%q is escaped %q, and back %q", s, escaped, got)
		}
		escaped = strings.NewReplacer("\n", `\n`, `\`, `\\`).Replace(s)
		if got := unescapeName(escaped); got != s {
			t.Fatalf("the name %q is escaped %q, and back %q", s, escaped, got)
		}
		if len(unescape(s)) > len(s) || len(unescapeName(s)) > len(s) {
			t.Fatalf("%q grows", s)
		}
	})
}

func TestTextsBounded(t *testing.T) {
	bounded.Check(t, func(s string) {
		_, _ = parseStat(s)
		_, _ = parseStatus(s)
		_, _ = parseLimits(s)
		_, _ = parseGroups(s)
		_, _ = parseFDInfo(s)
		parseSpace(s)
	}, statusText, "Max open files 1 2\n", "0::/\n", "Groups:\t1 2 3\n", "flags:\t02\n")
	bounded.Check(t, func(s string) {
		var r mountReader
		for line := range strings.Lines(s) {
			if r.line(strings.TrimSuffix(line, "\n")) != nil {
				return
			}
		}
		if len(r.list) < 2000 { // more than a kernel has by default takes longer
			view(r.list, 36)
		}
	}, "36 35 98:0 / /a rw - ext3 /dev/x rw\n")
}
