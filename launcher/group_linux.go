package launcher

import (
	"errors"
	"os"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// Group is the control group of a service, in which its commands make theirs. It is held by
// the process that made it.
type Group struct {
	// Path is Given.Group.
	Path string
	home *cgroup.Home
	kill int // cgroup.kill; -1 where the kernel has none
}

// MakeGroup makes the control group of a service whose commands need one: --cgroup, or one
// of the service's name. It is nil where the policy asks for none, and where none can be
// had: the commands say so by the directive that wants it. Only cgroup2 has it: in others
// each command has its own.
func MakeGroup(p *policy.Policy, name string) (*Group, error) {
	if !WantsGroup(p) {
		return nil, nil
	}
	proc, err := openProc()
	if err != nil || proc < 0 {
		return nil, err
	}
	self, err := openSelf(proc)
	if err := errors.Join(err, closed(proc, "/proc")); err != nil || self < 0 {
		return nil, err
	}
	groups, err := readBelow(self, "cgroup")
	var mounts string
	if err == nil {
		mounts, err = readBelow(self, "mountinfo")
	}
	if err := errors.Join(err, closed(self, "/proc/self")); err != nil {
		return nil, err
	}
	trees := reachable(cgroup.Trees(groups, mounts))
	for i := range trees {
		t := &trees[i]
		if !t.Unified {
			continue
		}
		home := cgroup.NewHome(*t, homePath(p, t, name, ""), p.CGroup.Set)
		if home.Access() != nil {
			return nil, nil
		}
		step := cgroup.Make{Home: home}
		err := step.Prepare(-1)
		if err == nil {
			err = step.Apply(-1)
		}
		if err == nil {
			err = step.Verify()
		}
		if err != nil {
			return nil, &Error{Stage: StageCGroup, Step: step.String(), Exit: ExitCGroup, Err: err}
		}
		g := &Group{Path: home.Path, home: home, kill: -1}
		if fd, err := home.Killer(); err == nil {
			g.kill = fd
		} else if !errors.Is(err, unix.ENOENT) { // Linux before 5.14
			return nil, errors.Join(err, g.Remove())
		}
		return g, nil
	}
	return nil, nil
}

// Kills tells whether Kill can be had.
func (g *Group) Kills() bool { return g.kill >= 0 }

// Kill ends all that is in the group, and below it, by SIGKILL.
func (g *Group) Kill() error {
	_, err := unix.Write(g.kill, []byte("1"))
	return os.NewSyscallError("write(cgroup.kill)", err)
}

// Remove removes the group and the empty ones below it. One with a process stays, and is
// an error.
func (g *Group) Remove() error { return g.home.Remove() }
