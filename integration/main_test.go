//go:build linux

// Package integration holds the privileged tests: real programs under the real
// binary, on the real kernel.
//
//	go test ./integration
//
// The daemon of the tests is probe/probe.c, which prints its own state and tries
// forbidden acts. What is expected is written out by hand; where a start is
// compared to one without hardrun, the kernel is the oracle. HARDRUN names a
// binary to test in place of one that is built.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hardrun/hardrun/integration/inherited"
	"github.com/hardrun/hardrun/integration/testdir"
	"github.com/hardrun/hardrun/integration/testgroup"
	"golang.org/x/sys/unix"
)

var (
	base    string           // a directory that every user can search
	hardrun string           // the binary
	probe   string           // the static daemon
	group   *testgroup.Group // of the tests in cgroup2
)

func TestMain(m *testing.M) {
	code, err := prepared(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration: "+err.Error())
		code = 1
	}
	os.Exit(code)
}

func prepared(m *testing.M) (code int, err error) {
	// What this process inherited is not for the programs it starts.
	if err := inherited.ResetSignals(); err != nil {
		return 1, err
	}
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 1, fmt.Errorf("close_range: %w", err)
	}
	// Of a directory of its own: t.TempDir lets nobody else in.
	base, err = os.MkdirTemp("", "hardrun-integration-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if rerr := testdir.Remove(base); err == nil {
			err = rerr
		}
	}()
	if err := os.Chmod(base, 0o755); err != nil {
		return 1, err
	}
	if group, err = testgroup.Enter(); err != nil {
		return 1, err
	}
	defer func() {
		if lerr := group.Leave(); err == nil && lerr != nil {
			code, err = 1, lerr
		}
	}()
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	probe = filepath.Join(base, "probe")
	if out, err := exec.Command(cc, "-static", "-O1", "-Wall", "-Wextra", "-Wno-parentheses", "-o", probe, "probe/probe.c").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%s probe.c: %w\n%s", cc, err, out)
	}
	if given := os.Getenv("HARDRUN"); given != "" {
		if given, err = filepath.Abs(given); err != nil {
			return 1, err
		}
		data, err := os.ReadFile(given) // a copy: it may lie where another user cannot search
		if err != nil {
			return 1, err
		}
		hardrun = filepath.Join(base, "hardrun")
		if err := os.WriteFile(hardrun, data, 0o755); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	hardrun = filepath.Join(base, "hardrun")
	build := exec.Command("go", "build", "-trimpath", "-tags", "osusergo,netgo", "-gcflags", "github.com/hardrun/hardrun/...=-l",
		"-ldflags", `-s -w -linkmode external -extldflags "-static"`, "-o", hardrun, "../cmd/hardrun")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "CC="+cc)
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return m.Run(), nil
}
