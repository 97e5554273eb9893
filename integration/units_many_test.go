//go:build linux

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Many starts at once. What must hold:
//
//   - Instances are services of their own: no two that run have the same uid, and each has the
//     directories of its own name.
//   - Starts of one unit are one service, which systemd would not start twice: they share the
//     dynamic user, as units with one User= do, and the directories. RuntimeDirectory= is there as
//     long as one of them runs, and removed by the last one.
//   - /tmp is of each start alone.
//   - Every start ends with the status of its daemon, and leaves its state, and nothing else.

const manyStarts = 200

// manyUnit writes who it is into its state directory, and looks at the end whether all that it
// made is there still. Between the two it waits until a FIFO has been opened and closed, if
// there is one.
const manyUnit = `[Service]
DynamicUser=yes
RuntimeDirectory=%[1]s
StateDirectory=%[1]s
PrivateTmp=yes
Environment=FIFO=%[2]s
ExecStart=/bin/sh -euc '\
	test -z "$$(ls -A /tmp)"; : >/tmp/own; \
	uid=$$(id -u); \
	echo $$uid >$RUNTIME_DIRECTORY/$$$$; \
	echo $$uid >$STATE_DIRECTORY/new.$$$$; mv $STATE_DIRECTORY/new.$$$$ $STATE_DIRECTORY/uid.$$$$; \
	if test -n "$FIFO"; then exec 3<$FIFO; read -r line <&3 || :; fi; \
	test "$$(cat $RUNTIME_DIRECTORY/$$$$)" = "$$uid"; \
	test "$$(cat $STATE_DIRECTORY/uid.$$$$)" = "$$uid"; \
	test "$$(ls -A /tmp)" = own'
`

// manyStart is one of the starts.
type manyStart struct {
	cmd    *exec.Cmd
	output bytes.Buffer
}

// manyMounts keeps what the services make from the machine.
func manyMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	for _, path := range []string{"/run", "/var/lib"} {
		if err := unix.Mount("many", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("tmpfs on %s: %w", path, err)
		}
	}
	return nil
}

// manyPaths are all below a directory, "DIRECTORY/" and "FILE".
func manyPaths(top string) (list []string, err error) {
	err = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != top {
			if d.IsDir() {
				path += "/"
			}
			list = append(list, strings.TrimPrefix(path, top))
		}
		return err
	})
	return list, err
}

func TestManyStarts(t *testing.T) {
	requireRoot(t)
	for _, c := range []struct {
		name    string
		unit    string // of its file
		dir     string // of its directories
		stays   bool
		uids    int // that many at once, with stays
		removed string
	}{
		{name: "one unit, short", unit: "one.service", dir: "one"},
		{name: "one unit", unit: "one.service", dir: "one", stays: true, uids: 1},
		{name: "instances, short", unit: "many@.service", dir: "many/%%i"},
		{name: "instances", unit: "many@.service", dir: "many/%%i", stays: true, uids: manyStarts},
	} {
		t.Run(c.name, func(t *testing.T) {
			units := directory(t, 0o755)
			fifo := ""
			if c.stays {
				fifo = "/var/lib/fifo"
			}
			write(t, units+"/"+c.unit, strings.ReplaceAll(fmt.Sprintf(manyUnit, c.dir, fifo), "%%", "%"), 0o644)
			groups := manyGroups(t)
			err := threads(1, manyMounts, func() {
				if c.stays {
					if err := errors.Join(syscall.Mkfifo(fifo, 0o644), os.Chmod(fifo, 0o644)); err != nil {
						t.Error(err)
						return
					}
				}
				mounts := manyMountinfo(t)
				begun := time.Now()
				starts := make([]*manyStart, manyStarts)
				for i := range starts {
					word := strings.Replace(c.unit, "@", "@"+itoa(i), 1)
					s := &manyStart{}
					s.cmd = program{argv: []string{hardrun, "--unit-path=" + units, "--unit=" + word}}.command(t.Context())
					s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
					if err := s.cmd.Start(); err != nil {
						t.Error(err)
						return
					}
					starts[i] = s
				}
				top := "/var/lib/private/" + strings.TrimSuffix(c.dir, "/%%i")
				if c.stays {
					deadline := time.Now().Add(5 * time.Minute)
					for len(manyUIDs(top)) < manyStarts && time.Now().Before(deadline) {
						time.Sleep(20 * time.Millisecond)
					}
					t.Logf("all are there after %.1f s", time.Since(begun).Seconds())
					all := manyUIDs(top)
					slices.Sort(all)
					if n := len(slices.Compact(slices.Clone(all))); len(all) != manyStarts || n != c.uids {
						t.Errorf("%d services have %d uids, want %d", len(all), n, c.uids)
					}
					if running := manyRunning(t, all); running != c.uids {
						t.Errorf("%d of the uids are those of processes, want %d", running, c.uids)
					}
					f, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0) // an error where nobody waits
					if err == nil {
						err = f.Close()
					}
					if err != nil {
						t.Error(err)
					}
				}
				for i, s := range starts {
					if err := s.cmd.Wait(); err != nil || s.output.Len() > 0 {
						t.Errorf("start %d: %v: %s", i, err, s.output.String())
					}
				}
				t.Logf("all have ended after %.1f s", time.Since(begun).Seconds())
				if n := len(manyUIDs(top)); n != manyStarts {
					t.Errorf("%d of %d have left their state", n, manyStarts)
				}
				left, err := manyPaths("/run")
				if err != nil {
					t.Error(err)
				}
				want := []string{"/hardrun/", "/hardrun/dynamic-uid", "/hardrun/use/"}
				if c.dir != "one" {
					want = append(want, "/many/") // parents stay
				}
				if !slices.Equal(left, want) {
					t.Errorf("/run has %q, want %q", left, want)
				}
				if left := manyMountinfo(t); left != mounts {
					t.Errorf("mounts are left:\n%s", left)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if left := manyGroups(t); !slices.Equal(left, groups) {
				t.Errorf("control groups are left: %q", left)
			}
			for _, pid := range pids(t) {
				line, err := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
				if err == nil && bytes.Contains(line, []byte(units)) {
					t.Errorf("process %d is left: %q", pid, line)
				}
			}
		})
	}
}

// manyUIDs are what the services have written.
func manyUIDs(top string) (all []string) {
	list, err := manyPaths(top)
	if err != nil {
		return nil
	}
	for _, path := range list {
		if strings.HasPrefix(filepath.Base(path), "uid.") {
			if text, err := os.ReadFile(top + path); err == nil {
				all = append(all, strings.TrimSpace(string(text)))
			}
		}
	}
	return all
}

// manyRunning counts those of the uids that processes have.
func manyRunning(t *testing.T, uids []string) int {
	t.Helper()
	found := map[string]bool{}
	for _, pid := range pids(t) {
		text, err := os.ReadFile("/proc/" + itoa(pid) + "/status")
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(text), "\nUid:\t")
		if uid, _, _ := strings.Cut(after, "\t"); slices.Contains(uids, uid) {
			found[uid] = true
		}
	}
	return len(found)
}

func pids(t *testing.T) (list []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// manyGroups are the control groups below the test's own.
func manyGroups(t *testing.T) (list []string) {
	t.Helper()
	if group.Dir == "" {
		return nil
	}
	list, err := manyPaths(group.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(path string) bool { return !strings.HasSuffix(path, "/") })
}

func manyMountinfo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
