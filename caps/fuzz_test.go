package caps

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// A database of users of any text is read soon, and with little memory.
func TestBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	bounded.Check(t, func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		d := Database{Passwd: path, Group: path}
		_, _ = d.LookupUser("z")
		_, _ = d.LookupUser("4000000000")
		_, _ = d.LookupGroup("z")
		_, _ = d.GroupsOf("z", 7)
	}, "a:x:1:1::/:/bin/sh\n", "z:x:1:a,z\n", "a:x:1:z,z,z,z\n", "z,", ":")
	bounded.Check(t, func(s string) {
		_, _, _ = ParseSet(s)
		_, _, _, _ = ParseList(s)
		_, _ = ParseSecureBits(s)
		_, _, _ = ParseID(s)
	}, "CAP_CHOWN ", "chown,", "noroot ", "~")
}
