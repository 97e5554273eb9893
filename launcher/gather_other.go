//go:build freebsd || netbsd || openbsd

package launcher

import (
	"os"
	"runtime"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// GatherFor reads what Compile needs to know. For a launch it is the state of this
// process; for a plan ("root") that of root on this machine. What a name of the
// policy stands for is looked up here, in the host's files. An error is a state
// that could not be read; what is merely missing is in Env.Problems. A command of a service
// is Linux only.
func GatherFor(p *policy.Policy, who string, args []string, snap Snapshot, given *Given) (*Env, error) {
	env := &Env{For: who, Snapshot: snap, PID: unix.Getpid(), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH}
	if given != nil {
		env.Problems = append(env.Problems, Refusal{Text: "a service is Linux only, not on " + runtime.GOOS, Exit: ExitUsage})
	}
	if err := env.readIDs(); err != nil {
		return nil, err
	}
	for n := range env.Limits {
		l, has, err := process.ReadLimit(n)
		if err != nil {
			return nil, err
		}
		if has {
			env.Limits[n] = l
		}
	}
	env.listen()
	env.names(p)
	env.files(p)
	if p.User.Set && env.GOOS != "openbsd" { // there TIOCSTI is gone since 6.2
		env.Terminal = process.ControllingTerminal(nil)
	}
	if who == "root" {
		env.UIDs, env.GIDs, env.Groups = [3]uint32{}, [3]uint32{}, nil
	}
	env.paths(p, args)
	if who == "launch" {
		env.descriptors(p)
	}
	return env, nil
}

func (e *Env) readIDs() error {
	var err error
	if e.UIDs, err = caps.UIDs(); err != nil {
		return err
	}
	if e.GIDs, err = caps.GIDs(); err != nil {
		return err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return os.NewSyscallError("getgroups", err)
	}
	for _, g := range groups {
		e.Groups = append(e.Groups, uint32(g))
	}
	return nil
}
