// Package supervise is the parent of a service: it runs the commands of a unit in their order,
// knows by the unit's Type= when the daemon has started, forwards signals, keeps the times,
// stops, and ends as the service ended, systemd.service(5) and systemd.kill(5).
//
// What happens when is a state machine without effects (machine); Run gives it a process.
//
// # Status
//
// Run answers 0 exactly when the service's result is success: the main process ended with 0,
// with what SuccessExitStatus= names, or, but for Type=oneshot, by HUP, INT, TERM or PIPE.
// Otherwise it answers the status of the process that failed first, a failed step of hardrun
// (203 …) included, or 128 and the number of the signal that ended it; 124 when a time was
// exceeded, 76 when the daemon broke the rules of its Type=, 71 when a command could not be
// started. A skip by ExecCondition= is Spec.SkipStatus.
//
// # Signals
//
// TERM and INT stop the service; a second one changes nothing. HUP reloads it: by ExecReload=
// and, with Type=notify-reload, by ReloadSignal= to the main process; without both it is
// forwarded. One that comes before the service runs waits until it does. Everything else is
// forwarded to the main process, but for what a terminal sends to a whole process group that
// the main process is in.
//
// The caller catches them, by a handler in C: the Go runtime unblocks TERM, INT, HUP, QUIT, ABRT
// and CHLD in every thread that it makes, whatever was blocked when it started, so that neither
// signalfd(2) nor sigwait(3) can have them.
//
// Who kills the parent by KILL leaves the processes of the service to process 1, or to the
// next subreaper, unless the launcher has given them a death signal: PR_SET_PDEATHSIG is the
// affair of Host.Start.
//
// # As in systemd, and not as its manual page says
//
// ExecStop= is left out where the main process has failed on its own.
package supervise

import "github.com/hardrun/hardrun/policy"

// Host is what a service is run with. What is not said to be nil at times must be there.
type Host struct {
	// Signals is an eventfd(2), close-on-exec and not blocking, to which a signal handler for
	// every signal of Caught writes 1 after it has noted the signal; Taken answers what was
	// noted since it was last asked, bit n-1 for signal n: typed for those that came from
	// the kernel (si_code SI_KERNEL: a terminal), sent for all others. The handler must be
	// in place before Run is called.
	Signals int
	Taken   func() (sent, typed uint64)

	// Start starts a command of the service as a child process of this one and answers its
	// PID. It is called on one thread, which lives as long as the process. The child must
	// get the signal mask and the ignored signals that hardrun itself was started with, none
	// of this process's descriptors but Command.Exec, and no NOTIFY_SOCKET but that in
	// Command.Environ.
	Start func(c Command) (pid int, err error)
	// Say tells a line, without a line feed.
	Say func(text string)
	// Clean is called once, at the very end, and removes what was made for the service.
	Clean func() []error
	// KillGroup kills all that is in the service's control groups at once, by SIGKILL
	// (cgroup.kill). This process must not be in them. Nil where there are none: then, and
	// for other signals, the service's processes are the descendants of this one.
	KillGroup func() error
	// Shed makes the signal PROF, where a thread of this process sends it to one, let that give up its
	// privileges: all capabilities but those of keep (bit n: capability n), and those that it
	// could get by execve(2). It is called once, when the service runs and no command is left
	// that could have to be started. Nil where all are kept.
	Shed func(keep uint64) error
	// OOMKilled tells whether the kernel has killed a process of the service for want of
	// memory. Nil where nobody knows.
	OOMKilled func() bool
}

// Command is a command of the service that is to be started.
type Command struct {
	List, Index int // its place in policy.Service.Commands
	// Main says that the process is the main one, or with Type=forking the one that makes it.
	Main bool
	// Environ are the variables that only this moment knows, "NAME=value": MAINPID, PIDFILE,
	// SERVICE_RESULT, EXIT_CODE, EXIT_STATUS, NOTIFY_SOCKET.
	Environ []string
	// Exec is a descriptor that the child must hold open up to the execve(2) of the command,
	// and that must be closed by it: with Type=exec its end is the start of the service. -1
	// for none.
	Exec int
}

// Spec is what Run needs to know of a service. Times are in microseconds, process.Infinity is
// none. Of makes one.
type Spec struct {
	Type            string // simple, exec, forking, oneshot, notify, notify-reload; idle and dbus are as simple
	Commands        [lists][]policy.Command
	RemainAfterExit bool
	PIDFile         string // absolute, or empty
	NotifyAccess    string // none, main, exec, all

	TimeoutStart, TimeoutStop, TimeoutAbort uint64
	RuntimeMax, RuntimeExtra                uint64 // RuntimeExtra is the most that is added at random
	StartFailure, StopFailure               string // terminate, abort, kill

	KillMode                                                  string // control-group, mixed, process, none
	KillSignal, FinalKillSignal, WatchdogSignal, ReloadSignal int
	SendSIGHUP, SendSIGKILL                                   bool
	Success                                                   policy.ExitStatuses

	// What Of leaves to the caller.

	// NotifyPath and NotifyFD are the socket that Listen made; NotifyFD is -1 without one. Run
	// removes it.
	NotifyPath string
	NotifyFD   int
	// Outer is the NOTIFY_SOCKET that hardrun itself was started with: messages are passed on
	// to it. Empty for none.
	Outer string
	// ReadyFD is a descriptor that gets a line feed and is closed when the service has started,
	// ExecStartPost= included (notification-fd of s6, the pipe of dinit); -1 for none.
	ReadyFD int
	// Between says that the main process is a parent of its own, which forwards signals to
	// the daemon (--init, PrivatePIDs=): its child may speak for it.
	Between bool
	// Keep are the capabilities that the end of the service takes, Host.Clean included (bit n:
	// capability n): those that stay when Host.Shed is there.
	Keep uint64
	// SkipStatus is the status when ExecCondition= says no.
	SkipStatus int
}

const lists = len(policy.ExecNames)

// Caught are the signals of which Host.Signals tells, bit n-1 for signal n, as Linux numbers
// them: all but KILL and STOP, those that tell of a fault of this process (ILL, TRAP, BUS, FPE,
// SEGV, STKFLT, SYS), PIPE, which its own writes could cause, and what the Go runtime and the C
// library use themselves (URG, PROF, 32 to 34).
const Caught uint64 = 0xfffffffc_3bbb6a27
