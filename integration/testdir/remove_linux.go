// Package testdir removes the directories of tests.
package testdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Remove removes a directory and all below it, unless something is mounted there: what a mount
// shows is not the test's. That is the error then, and
// nothing is removed. One that is gone already is none.
func Remove(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return errors.New("mountinfo: " + line)
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			return errors.New("something is mounted on " + point + ": " + dir + " is left")
		}
	}
	return os.RemoveAll(dir)
}
