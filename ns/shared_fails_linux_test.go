package ns

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// Each call that makes a namespace for others is one that may fail, or only be said to be made. Where pivot_root(2) cannot be,
// the new root covers the old one.
func TestSharedCallFails(t *testing.T) {
	proc := openProcForTest(t)
	tmp := func() (int, error) {
		fd, err := unshared(proc, NewNS)
		if err != nil {
			return fd, err
		}
		return fd, rootInMemory(proc, fd, []string{"mode=0711", "size=1m"}, NoSUID|NoDev)
	}
	network := func() (int, error) {
		fd, err := unshared(proc, NewNet)
		if err != nil {
			return fd, err
		}
		return fd, errors.Join(LoopbackUp{}.Apply(-1), LoopbackUp{}.Verify())
	}
	calls := append([]uintptr{unix.SYS_IOCTL, unix.SYS_SOCKET}, viewCalls...)
	for _, x := range []struct {
		name string
		make func() (int, error)
	}{{"tmp", tmp}, {"network", network}} {
		for _, answer := range failOrLie {
			for nth, which := 0, new(testrow.Call); which != nil; nth++ {
				which = nil
				var made error
				told := false // the truth
				n := 0
				err := testrow.OnThread(func() error {
					return testrow.Ask(calls, func(call testrow.Call) int64 {
						n++
						if n-1 != nth {
							return 0
						}
						which = &call
						if answer == testrow.Lie && !slices.Contains([]uintptr{unix.SYS_UNSHARE, unix.SYS_FSCONFIG, unix.SYS_MOVE_MOUNT, unix.SYS_IOCTL}, call.NR) {
							told = true
							return 0
						}
						return answer
					}, func() error {
						var fd int
						fd, made = x.make()
						if made == nil {
							return unix.Close(fd)
						}
						return nil
					})
				})
				if errors.Is(err, unix.EPERM) || errors.Is(made, unix.EPERM) {
					t.Skipf("needs CAP_SYS_ADMIN: %v", err)
				}
				if err != nil {
					t.Fatal(err)
				}
				said := errorText(made)
				if made == nil && which != nil && which.NR == unix.SYS_PIVOT_ROOT && answer != testrow.Lie {
					continue
				}
				if which != nil && !told && !strings.Contains(said, unix.EDOM.Error()) && !strings.Contains(said, " is no ") && (said == "" || answer != testrow.Lie) {
					t.Errorf("%s: call %d, which is %d, is answered %d: %q", x.name, nth, which.NR, answer, said)
				}
			}
		}
	}
}
