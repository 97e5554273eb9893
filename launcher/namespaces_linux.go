package launcher

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Apply has nothing to do: it was done before the Go runtime started.
func (s *userNamespaceStep) Apply(int) error { return nil }

// Verify reads back whose ids there are.
func (s *userNamespaceStep) Verify() error { return nil }

// Rows are what is done before a second start: identities that cannot be set in the
// user namespace which it brings.
func (s *Start) Rows(p *row.Program) {
	if s.setGroups {
		p.Step(&row.Step{Text: "groups: before the user namespace", Tail: "DelegateNamespaces=", Exit: ExitGroup})
		step := caps.SetGroups{GIDs: s.groups}
		step.Do(p)
		step.Check(p)
	}
}

// Prepare shows that the ids are those of the plan.
func (s *userNamespaceStep) Prepare(self int) error {
	for _, f := range []struct {
		name string
		want []ns.UserMap
	}{{"uid_map", s.maps.UID}, {"gid_map", s.maps.GID}} {
		text, err := readBelow(self, f.name)
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) != len(f.want) {
			return errors.New("/proc/self/" + f.name + ": read back other ids")
		}
		for i, line := range lines {
			if strings.Join(strings.Fields(line), " ") != f.want[i].String() {
				return errors.New("/proc/self/" + f.name + ": read back " + line)
			}
		}
	}
	return nil
}

// Prepare shows that the process is the first of its PID namespace.
func (s *pidNamespaceStep) Prepare(int) error {
	if pid := unix.Getpid(); pid != 1 {
		return errors.New("clone(CLONE_NEWPID): read back a process that is not the first of its namespace")
	}
	return nil
}

// Do makes the namespace.
func (s *lastUserNamespaceStep) Do(p *row.Program) {
	p.UserNamespace(s.self, ns.MapText(s.maps.UID), ns.MapText(s.maps.GID), s.maps.DenySetgroups)
}

// Prepare reads what a group is inside that is not mapped, user_namespaces(7). Where that
// cannot be read it is taken for the kernel's default: should it be another, the read-back
// fails.
func (s *lastUserNamespaceStep) Prepare(self int) error {
	if len(s.groups) == 0 {
		return nil
	}
	s.nobody = 65534
	if text, err := readBelow(self, "../sys/kernel/overflowgid"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32); err == nil {
			s.nobody = uint32(n)
		}
	}
	return nil
}

// Check shows that the process is still in it, and that its groups are those that were set.
func (s *lastUserNamespaceStep) Check(p *row.Program) {
	p.SameUserNamespace(s.self)
	if len(s.groups) > 0 {
		caps.SetGroups{GIDs: s.groups}.CheckInside(p, func(gid uint32) uint32 {
			if s.maps.HasGID(gid) {
				return gid
			}
			return s.nobody
		})
	}
}

// Do joins the namespace, which was opened before the view changed.
func (s *joinUserNamespace) Do(p *row.Program) {
	p.Call(unix.SYS_SETNS, 0, row.Int(s.FD()), row.Int(unix.CLONE_NEWUSER))
	const size = 64
	out := p.Space(size)
	p.Poison(out, size)
	want := s.Want()
	p.Call(unix.SYS_READLINKAT, int64(len(want)), row.Int(s.self), p.String("ns/user").Arg(), out.Arg(), row.Int(size))
	p.Same(out, []byte(want), row.FormText)
}

// Apply is done by the executor.
func (s *joinUserNamespace) Apply(int) error { return nil }

// Verify is part of the rows.
func (s *joinUserNamespace) Verify() error { return nil }

// Do sets the signal.
func (deathSignal) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_PDEATHSIG), row.Int(int(unix.SIGKILL)))
}

// Check reads it back, and shows that the parent is there still.
func (s deathSignal) Check(p *row.Program) {
	out := p.Space(8)
	p.Poison(out, 8)
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_GET_PDEATHSIG), out.Arg())
	p.Same(out, row.Uint32s(nil, uint32(unix.SIGKILL)), row.FormUint32s)
	p.Call(unix.SYS_GETPPID, int64(s.parent))
	if s.seen != "" {
		p.Line("PPid:\t", s.seen)
	}
}

// environmental tells whether an error comes of where hardrun runs, so that a
// waiver can let it pass: never a missing path, never a wrong read-back.
func environmental(err error) bool {
	var sys *os.SyscallError
	if !errors.As(err, &sys) {
		return false
	}
	for _, e := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOSPC, unix.ENODEV} {
		if errors.Is(sys.Err, e) {
			return true
		}
	}
	return false
}
