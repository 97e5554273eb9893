//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/integration/inherited"
)

// TestMain gives the test binary back what the constructor has taken: it is in
// this binary, too, and what the tests start would have no descriptors.
func TestMain(m *testing.M) {
	unpin()
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	if err == nil {
		l.Cur = l.Max
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
	if err == nil {
		err = inherited.ResetSignals()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the state of the start:", err)
		os.Exit(1)
	}
	runChild(os.Args[1:])
	code := m.Run()
	if dir, _ := program(); dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
