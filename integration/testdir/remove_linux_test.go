package testdir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRemove removes a tree, and leaves a directory that something is mounted on or below.
func TestRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.MkdirAll(filepath.Join(dir, "a b", "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("after it: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := Remove("/proc"); err == nil || !strings.Contains(err.Error(), "is mounted on /proc") {
		t.Errorf("/proc: got %v", err)
	}
}
