package supervise

import (
	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// defaultTimeout is DefaultTimeoutStartSec= and DefaultTimeoutStopSec= of systemd-system.conf(5).
const defaultTimeout = 90e6

// Of makes the Spec of a policy, with systemd's defaults for what was not set. There is no
// socket and no descriptor in it yet.
func Of(p *policy.Policy) *Spec {
	v := &p.Service
	s := &Spec{
		RemainAfterExit: v.RemainAfterExit.V,
		PIDFile:         v.PIDFile.V,
		NotifyAccess:    or(v.NotifyAccess, "none"),
		TimeoutStop:     limit(or(v.TimeoutStopSec, defaultTimeout)),
		RuntimeMax:      or(v.RuntimeMaxSec, process.Infinity),
		RuntimeExtra:    v.RuntimeRandomizedExtraSec.V,
		StartFailure:    or(v.TimeoutStartFailureMode, "terminate"),
		StopFailure:     or(v.TimeoutStopFailureMode, "terminate"),
		KillMode:        or(p.KillMode, "control-group"),
		KillSignal:      or(v.KillSignal, int(unix.SIGTERM)),
		FinalKillSignal: or(v.FinalKillSignal, int(unix.SIGKILL)),
		WatchdogSignal:  or(v.WatchdogSignal, int(unix.SIGABRT)),
		ReloadSignal:    or(v.ReloadSignal, int(unix.SIGHUP)),
		SendSIGHUP:      v.SendSIGHUP.V,
		SendSIGKILL:     or(v.SendSIGKILL, true),
		Success:         v.SuccessExitStatus.V,
		NotifyFD:        -1,
		ReadyFD:         -1,
	}
	for list := range s.Commands {
		for _, c := range v.Commands[list].Items {
			s.Commands[list] = append(s.Commands[list], c.V)
		}
	}
	switch {
	case v.Type.Set:
		s.Type = v.Type.V
	case len(s.Commands[policy.ExecStart]) == 0:
		s.Type = "oneshot"
	case p.Credentials.IsSet():
		s.Type = "exec"
	default:
		s.Type = "simple"
	}
	start := uint64(defaultTimeout)
	if s.Type == "oneshot" {
		start = process.Infinity
	}
	s.TimeoutStart = limit(or(v.TimeoutStartSec, start))
	s.TimeoutAbort = or(v.TimeoutAbortSec, s.TimeoutStop)
	if s.notifies() && s.NotifyAccess == "none" {
		s.NotifyAccess = "main"
	}
	return s
}

// StartsMore tells whether a command may still have to be started when the service runs.
func (s *Spec) StartsMore() bool {
	for _, list := range [...]int{policy.ExecReload, policy.ExecReloadPost, policy.ExecStop, policy.ExecStopPost} {
		if len(s.Commands[list]) > 0 {
			return true
		}
	}
	return false
}

// or is what was set, or a default.
func or[T any](o policy.Opt[T], otherwise T) T {
	if o.Set {
		return o.V
	}
	return otherwise
}

// limit is a time of which 0 means none, as it once did in systemd for starting and stopping.
func limit(µs uint64) uint64 {
	if µs == 0 {
		return process.Infinity
	}
	return µs
}

// notifies tells whether the daemon says itself when it has started.
func (s *Spec) notifies() bool { return s.Type == "notify" || s.Type == "notify-reload" }
