//go:build linux && cgo

package main

import (
	"os"
	"strconv"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// becomeInit is --init: the process becomes a small parent which reaps, forwards
// signals and passes the status on, and its child is hardrun once more, without
// --init. The state of the start is given back to the child first, so that it
// sees what it would see without a parent.
func becomeInit(t *launcher.Thread, in *invocation) int {
	self, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		say("--init: open /proc/self/exe: " + err.Error())
		return launcher.ExitExec
	}
	argv := append([]string{os.Args[0]}, in.options...)
	if in.dashes {
		argv = argv[:len(argv)-1]
	}
	argv = append(append(argv, "--init=no", "--"), in.command...)

	p := &row.Program{}
	p.Reserve(64, 8<<10)
	p.Step(&row.Step{Text: "init: fork", Tail: "X-Hardrun-Init= --init", Exit: launcher.ExitExec})
	listen, environ := listenPID(p, t.Snapshot.Environ)
	const digits = 24
	wait := p.String("HARDRUN_WAIT=")
	p.Blob = append(p.Blob[:len(p.Blob)-1], make([]byte, digits)...)
	waitEnv := p.VectorOf([]row.Ptr{wait})
	waitArgv := p.Vector([]string{"hardrun", "--init"})
	childArgv, childEnv := p.Vector(argv), p.VectorOf(environ)
	p.Fork(self, waitArgv, waitEnv, wait+row.Ptr(len("HARDRUN_WAIT=")), listen)
	giveBack(p, &t.Snapshot)
	p.Step(&row.Step{Text: "init: start again", Exit: launcher.ExitExec})
	p.Exec(unix.SYS_EXECVEAT, row.Int(self), p.String("").Arg(), childArgv.Arg(), childEnv.Arg(), row.Int(unix.AT_EMPTY_PATH))
	execute(p, -1)
	return launcher.ExitExec
}

// listenPID puts the environment into the blob; LISTEN_PID, where it names this
// process, becomes a place into which the child writes its own number.
func listenPID(p *row.Program, vars []string) (at row.Ptr, list []row.Ptr) {
	mine := "LISTEN_PID=" + strconv.Itoa(os.Getpid())
	for _, v := range vars {
		o := p.String(v)
		if v == mine {
			p.Blob = append(p.Blob, make([]byte, 24)...)
			at = o + row.Ptr(len("LISTEN_PID="))
		}
		list = append(list, o)
	}
	return at, list
}

// giveBack restores what the constructor and the Go runtime changed.
func giveBack(p *row.Program, s *launcher.Snapshot) {
	p.Step(&row.Step{Text: "init: give the state back", Exit: launcher.ExitExec})
	for n, l := range s.Limits {
		step := process.SetLimit{N: n, Limit: l}
		step.Do(p)
		step.Check(p)
	}
	affinity := process.SetAffinity{CPUs: s.Affinity, Bytes: s.AffinityBytes}
	affinity.Do(p)
	affinity.Check(p)
	if slack := (process.SetTimerSlack{NSec: s.TimerSlack}); slack.NSec != 0 {
		slack.Do(p)
		slack.Check(p)
	}
	for fd := range 3 {
		if s.Closed>>fd&1 == 1 {
			process.CloseStandard{FD: fd}.Do(p)
		}
	}
	process.SetSignals{Ignored: s.Ignored, Blocked: s.Blocked}.Do(p)
}
