package supervise

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// FuzzPIDFile: the number that the first line is, and no other.
func FuzzPIDFile(f *testing.F) {
	for _, s := range []string{"", "1", "12\n34", " 7\t\r\n", "0", "-1", "+5", "2147483648", "0x10", "1 2", strings.Repeat("0", 63) + "1", "1\x00"} {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "pid")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l := loop{machine: machine{Spec: &Spec{PIDFile: path}}}
		pid, err := l.readPIDFile()
		if (err == nil) != (pid > 0) || pid < 0 {
			t.Fatalf("%q: %d, %v", text, pid, err)
		}
		line, _, _ := strings.Cut(text, "\n")
		if want, bad := strconv.ParseUint(strings.Trim(line, " \t\r"), 10, 31); err == nil && (bad != nil || int(want) != pid) {
			t.Fatalf("%q is read as %d", text, pid)
		}
	})
}

func TestBounded(t *testing.T) {
	bounded.Check(t, func(s string) { parseNotice(s) }, "READY=1\n", "STATUS=x\n", "MAINPID=1\n", "X=\n")
}
