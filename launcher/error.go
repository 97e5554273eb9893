package launcher

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// The exit statuses of systemd.exec(5), "Process exit codes", and of sysexits.h.
const (
	ExitUsage      = 64
	ExitBadUnit    = 78
	ExitChdir      = 200
	ExitNice       = 201
	ExitFDs        = 202
	ExitExec       = 203
	ExitLimits     = 205
	ExitOOMAdjust  = 206
	ExitSignals    = 207
	ExitStdin      = 208
	ExitStdout     = 209
	ExitChroot     = 210
	ExitIOPrio     = 211
	ExitTimerSlack = 212
	ExitSecureBits = 213
	ExitScheduler  = 214
	ExitAffinity   = 215
	ExitGroup      = 216
	ExitUser       = 217
	ExitCaps       = 218
	ExitCGroup     = 219
	ExitSetsid     = 220
	ExitStderr     = 222
	ExitNamespace  = 226
	ExitNoNewPrivs = 227
	ExitSeccomp    = 228
	ExitSELinux    = 229
	ExitPerson     = 230
	ExitAppArmor   = 231
	ExitRuntimeDir = 233
	ExitSmack      = 236
	ExitKeyring    = 237
	ExitStateDir   = 238
	ExitCacheDir   = 239
	ExitLogsDir    = 240
	ExitConfigDir  = 241
	ExitNUMA       = 242
	ExitCredential = 243
	ExitBPF        = 245
)

// Error is a step that failed: what was being done in the step's own words, the
// kernel's reason, and the setting behind it. The daemon was not started.
type Error struct {
	Stage     Stage
	Step      string // the line of plan: "set uid 33"
	Directive string // "User="; empty for what no directive asked for
	Origin    policy.Origin
	Exit      int // systemd's number for this kind of step
	Err       error
	Hints     []string // how a launch could go on without it; may be empty
}

// Error is "chroot: root /srv/named: …: permission denied (RootDirectory= --chroot)".
func (e *Error) Error() string {
	s := e.Stage.String() + ": " + e.Step + ": " + reason(e.Err)
	if t := tail(e.Directive, e.Origin); t != "" {
		s += " (" + t + ")"
	}
	return s
}

// Unwrap gives the reason; errors.Is finds the errno.
func (e *Error) Unwrap() error { return e.Err }

// Reason is an error as it stands in a message: the system call, the path, and
// the kernel's word for it.
func Reason(err error) string { return reason(err) }

func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Op + " " + path.Path + ": " + path.Err.Error()
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Syscall + ": " + call.Err.Error()
	}
	return err.Error()
}

// tail is the setting behind a step: "User= --user", "Nice= named.service:7".
func tail(directive string, from policy.Origin) string {
	return strings.TrimSpace(directive + " " + from.String())
}
