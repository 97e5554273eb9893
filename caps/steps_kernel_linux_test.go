package caps

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
)

// change is a step as the launcher has it.
type change interface {
	Do(p *row.Program)
	Check(p *row.Program)
}

// lastCap is the highest capability of this kernel.
func lastCap(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// made works the steps off, each with the read-back behind it, and at the end all of them once more by the status text.
func made(steps ...change) error {
	for _, s := range steps {
		p := &row.Program{FullStatus: true}
		p.Step(&row.Step{Text: "step"})
		s.Do(p)
		s.Check(p)
		if err := testrow.Work(p, nil); err != nil {
			return fmt.Errorf("%T %v: %w", s, s, err)
		}
	}
	p := &row.Program{FullStatus: true}
	p.ReadOnly(true)
	for _, s := range steps {
		s.Check(p)
	}
	if err := testrow.Work(p, nil); err != nil {
		return fmt.Errorf("before the end: %w", err)
	}
	return nil
}

// status is what the kernel says of the thread, by the keys of proc_pid_status(5).
func status() (map[string]string, error) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return nil, err
	}
	lines := map[string]string{}
	for l := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(l, ":")
		lines[key] = strings.TrimSpace(value)
	}
	return lines, nil
}

// All steps in the order of a launch leave the thread as they say, in both halves of each mask. Made once more by the user
// who is without privilege by then, they find what they want, and pass; anything else they refuse.
func TestOnTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the steps give privileges up")
	}
	last := lastCap(t)
	some := Set(0).Add(8).Add(10).Add(last)
	steps := []change{
		DropBounding{Keep: some, Last: last},
		SetGroups{[]uint32{105, 4, 70000}},
		SetGID{7},
		SetUID{70001},
		SetCaps{Effective: some, Permitted: some, Inheritable: some},
		SetAmbient{Set: some, Last: last},
		SetSecureBits{Bits: SecbitNoRoot | SecbitNoRootLocked},
		NoNewPrivs{},
	}
	mask := fmt.Sprintf("%016x", uint64(1)<<8|1<<10|1<<last)
	want := map[string]string{
		"CapBnd": mask, "CapEff": mask, "CapPrm": mask, "CapInh": mask, "CapAmb": mask, "NoNewPrivs": "1",
		"Uid": "70001\t70001\t70001\t70001", "Gid": "7\t7\t7\t7", "Groups": "4 105 70000",
	}
	err := testrow.OnThread(func() error {
		if err := made(KeepCaps{}); err != nil { // by itself, as the securebits of the last step take it back
			return err
		}
		if err := made(steps...); err != nil {
			return err
		}
		got, err := status()
		if err != nil {
			return err
		}
		for key, w := range want {
			if got[key] != w {
				t.Errorf("%s is %q, want %q", key, got[key], w)
			}
		}
		if err := made(SetCaps{Inheritable: some}); err != nil {
			return err
		}
		for _, s := range []change{steps[0], steps[1], steps[2], steps[3], NoNewPrivs{}} {
			if err := made(s); err != nil {
				t.Errorf("what is so already: %v", err)
			}
		}
		for _, s := range []change{
			DropBounding{Keep: some.Without(1 << 8), Last: last},
			SetGroups{[]uint32{4, 105}},
			SetGroups{[]uint32{4, 105, 7}},
			SetGID{8},
			SetGID{0},
			SetUID{70002},
			SetUID{0},
			SetCaps{Permitted: some},
			SetCaps{Effective: 1 << 8},
			SetAmbient{Set: some, Last: last},
			SetSecureBits{},
		} {
			if err := made(s); err == nil {
				t.Errorf("%T %v passed without the privilege for it", s, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Each set by itself: the masks are not mixed up, and are read back in both halves.
func TestCapsOnTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the steps give privileges up")
	}
	last := lastCap(t)
	high := Set(0).Add(last)
	for _, s := range []SetCaps{
		{},
		{Permitted: 1 << 8},
		{Permitted: high},
		{Permitted: high | 1<<5, Effective: high},
		{Permitted: 1<<8 | high, Inheritable: high},
		{Permitted: 1<<8 | 1<<10 | high, Effective: 1 << 10, Inheritable: 1 << 8},
	} {
		for _, groups := range []SetGroups{{nil}, {[]uint32{0}}, {[]uint32{1 << 20}}} {
			err := testrow.OnThread(func() error {
				if err := made(groups, s); err != nil {
					return err
				}
				got, err := status()
				if err != nil {
					return err
				}
				for key, w := range map[string]Set{"CapEff": s.Effective, "CapPrm": s.Permitted, "CapInh": s.Inheritable} {
					if got[key] != w.Hex() {
						t.Errorf("%v: %s is %s", s, key, got[key])
					}
				}
				for _, other := range []SetCaps{
					{Effective: s.Effective ^ high, Permitted: s.Permitted, Inheritable: s.Inheritable},
					{Effective: s.Effective, Permitted: s.Permitted ^ high, Inheritable: s.Inheritable},
					{Effective: s.Effective, Permitted: s.Permitted, Inheritable: s.Inheritable ^ high},
					{Effective: s.Effective ^ 1, Permitted: s.Permitted, Inheritable: s.Inheritable},
				} {
					p := &row.Program{FullStatus: true}
					other.Check(p)
					if testrow.Work(p, nil) == nil {
						t.Errorf("%v was taken for %v", s, other)
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("%v, %v: %v", groups, s, err)
			}
		}
	}
}

// A getter that says it has read and has not is found, whatever is wanted, also of what is 0.
func TestLyingGetters(t *testing.T) {
	for _, s := range []change{
		SetGroups{[]uint32{0}}, SetGroups{[]uint32{4, 105}}, SetGID{0}, SetGID{7}, SetUID{0}, SetUID{7}, SetCaps{}, SetCaps{Effective: 1, Permitted: 1 | 1<<40, Inheritable: 1},
	} {
		p := &row.Program{FullStatus: true}
		s.Check(p)
		if err := testrow.OnThread(func() error { return testrow.Work(p, func(int) bool { return true }) }); err == nil {
			t.Errorf("%T %v: answers of calls that were not made were taken", s, s)
		}
	}
}

// A refusal by EPERM is left to the read-back for what may be so already, and a step that may be given up remains one.
func TestTolerated(t *testing.T) {
	for _, s := range []change{DropBounding{Last: 2}, SetGroups{[]uint32{4}}, SetGID{7}, SetUID{7}} {
		for _, flags := range []uint8{0, row.Waivable} {
			p := &row.Program{}
			p.Step(&row.Step{Text: "step", Flags: flags})
			s.Do(p)
			for i := range p.Rows {
				if got := p.Rows[i].Flags; got != flags|row.Tolerate {
					t.Errorf("%T, flags %d: row %d has %d", s, flags, i, got)
				}
			}
		}
	}
}
