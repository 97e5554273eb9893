//go:build !linux

package dirs

import (
	"errors"
	"runtime"
)

func absent(what string) error {
	return errors.New(what + ": is not there on " + runtime.GOOS)
}

// Made is what Make has made: nothing.
type Made struct{ Left []string }

// Make refuses: directories are made on Linux alone.
func Make(_ Root, list []Directory) (*Made, error) {
	if len(list) > 0 {
		return nil, absent(list[0].about())
	}
	return &Made{}, nil
}

// Undo has nothing to undo: Make refuses.
func (m *Made) Undo() error { return nil }

// Remove refuses: directories are removed on Linux alone.
func Remove(_ Root, list []Directory) []error {
	if len(list) > 0 {
		return []error{absent(list[0].about())}
	}
	return nil
}

// Reserve refuses: there is no /run.
func (r Root) Reserve() (fd int, err error) { return -1, absent("/run/hardrun") }

// Lock is never held: Choose refuses.
type Lock struct{}

// FD is no descriptor.
func (l *Lock) FD() int { return -1 }

// Release has nothing to release.
func (l *Lock) Release() error { return nil }

// Lock refuses: DynamicUser= is there on Linux alone.
func (r Root) Lock() (*Lock, error) { return nil, absent("DynamicUser=") }

// Choose refuses: DynamicUser= is there on Linux alone.
func (r Root) Choose(string, []string) (uid int, lock *Lock, err error) {
	return -1, nil, absent("DynamicUser=")
}

// Claim refuses: DynamicUser= is there on Linux alone.
func Claim(int) error { return absent("DynamicUser=") }

// Running cannot tell, and says that one is running.
func Running(int) bool { return true }

// RemoveIPC refuses: RemoveIPC= is there on Linux alone.
func RemoveIPC(Root, int, int) []error { return []error{absent("RemoveIPC=")} }

// Use is never had.
type Use struct{}

// Use refuses: directories are made on Linux alone.
func (r Root) Use(key string) (*Use, error) { return nil, absent(key) }

// Last is never asked: Use refuses.
func (u *Use) Last() (bool, error) { return false, nil }

// Release has nothing to release.
func (u *Use) Release(bool) error { return nil }
