//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
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
	if err != nil {
		fmt.Fprintln(os.Stderr, "RLIMIT_NOFILE:", err)
		os.Exit(1)
	}
	if len(os.Args) == 3 && os.Args[1] == rowsWord {
		runRows(os.Args[2])
	}
	os.Exit(m.Run())
}
