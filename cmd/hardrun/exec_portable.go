//go:build freebsd || netbsd || openbsd

package main

import (
	"os"
	"syscall"

	"github.com/hardrun/hardrun/launcher"
	"golang.org/x/sys/unix"
)

// canLaunch is whether this build can start a daemon.
const canLaunch = true

// backend is how this build was made, for `hardrun version`.
const backend = "Go, portable part: identity, root directory, limits, umask, nice, environment, streams, descriptors"

// Nothing is done for who started a setuid hardrun: it is to be started by root,
// not to make root.
func init() {
	if unix.Issetugid() || unix.Getuid() != unix.Geteuid() || unix.Getgid() != unix.Getegid() {
		os.Exit(usage("refuses to run setuid or setgid: it is to be started by root, not to make root"))
	}
}

// newThread is the process with what can be asked of its start. What the Go
// runtime changed before cannot: the dispositions of signals, which standard
// descriptors were closed.
func newThread() *launcher.Thread {
	return &launcher.Thread{Snapshot: launcher.Snapshot{Environ: syscall.Environ()}, Warn: say}
}

// unpin has nothing to undo: the process is on every CPU that it was given.
func unpin() {}

// guessWas has nothing to tell: nothing was guessed.
func guessWas(bool) int { return 0 }

// startAgain is for what must be done before the Go runtime starts: on Linux only.
func startAgain(*launcher.Thread, *launcher.Plan) int {
	return usage("start again: Linux only")
}

func explains() int { return 0 }

func explain(int) int { return 0 }
