//go:build !linux

package dirs

import (
	"errors"
	"runtime"
)

func refused(what string) error { return errors.New(what + " is not there on " + runtime.GOOS) }

// Open refuses: sockets are passed on Linux alone.
func Open(l []Listen, o Options) ([]Passed, error) {
	if len(l) == 0 {
		return nil, nil
	}
	return nil, refused(l[0].Kind.String() + "=")
}

// Close has nothing to close: Open refuses.
func Close([]Passed) error { return nil }

// RemoveSockets has nothing to remove: Open refuses.
func RemoveSockets([]Passed) error { return nil }

// Abandon has nothing to undo: Open refuses.
func Abandon([]Passed) error { return nil }

// OpenFiles refuses: OpenFile= is there on Linux alone.
func OpenFiles(files []File) ([]Passed, error) {
	if len(files) == 0 {
		return nil, nil
	}
	return nil, refused("OpenFile=")
}

// Load refuses: credentials are there on Linux alone.
func Load(_ string, c []Credential, _ []string) ([]Loaded, error) {
	if len(c) == 0 {
		return nil, nil
	}
	return nil, refused(c[0].directive() + "=")
}
