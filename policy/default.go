package policy

import (
	"github.com/hardrun/hardrun/process"
)

// byDefault is the origin of what nobody wrote.
var byDefault = Origin{Default: true}

// UnitDefaults sets what nobody has set to what systemd 262 gives to a system service, with an
// Origin whose Default is true. It comes after the lines of the unit and the
// options, and before Normalize; where the command line has a command it is ExecStart= by then.
// Running it again changes nothing.
//
// KillMode= is control-group by that, which by itself wants no control group and no parent.
func (p *Policy) UnitDefaults() {
	s := &p.Service
	unset(&p.ClearEnv, true)
	unset(&p.WorkingDirectory, Tolerant{V: "/"})
	unset(&p.UMask, 0o022)
	unset(&p.IgnoreSIGPIPE, true)
	unset(&p.KeyringMode, process.KeyringPrivate)
	unset(&p.DevicePolicy, "auto")
	unset(&p.KillMode, "control-group")
	unset(&p.Limits[limitNOFILE], process.Limit{Soft: 1024, Hard: 524288})
	unset(&p.Limits[limitMEMLOCK], process.Limit{Soft: 8 << 20, Hard: 8 << 20})

	input := Stream{Kind: StreamNull, Word: "null"}
	if len(p.InputData.Items) > 0 {
		input = Stream{Kind: StreamData, Word: "data"}
	}
	unset(&p.StandardInput, input)
	output := Stream{Kind: StreamLog, Word: "journal"}
	switch p.StandardInput.V.Kind {
	case StreamTTY, StreamTTYForce, StreamTTYFail, StreamSocket, StreamFD:
		output = Stream{Kind: StreamInherit, Word: "inherit"}
	default:
	}
	unset(&p.StandardOutput, output)
	unset(&p.StandardError, Stream{Kind: StreamInherit, Word: "inherit"})

	kind := "simple"
	switch {
	case p.noted("BusName") != "":
		kind = "dbus"
	case len(p.Credentials.Items) > 0:
		kind = "exec"
	case len(s.Commands[ExecStart].Items) == 0:
		kind = "oneshot"
	}
	unset(&s.Type, kind)
	start := 90 * process.Second
	if s.Type.V == "oneshot" {
		start = infinity
	}
	unset(&s.TimeoutStartSec, start)
	unset(&s.TimeoutStopSec, 90*process.Second)
	unset(&s.RuntimeMaxSec, infinity)
	unset(&s.TimeoutStartFailureMode, "terminate")
	unset(&s.TimeoutStopFailureMode, "terminate")
	unset(&s.KillSignal, signalTerm)
	unset(&s.FinalKillSignal, signalKill)
	unset(&s.WatchdogSignal, signalAbort)
	unset(&s.ReloadSignal, signalHangUp)
	unset(&s.SendSIGKILL, true)
	unset(&s.NotifyAccess, "none")
}

// unset sets what is not set.
func unset[T any](o *Opt[T], v T) {
	if !o.Set {
		*o = Opt[T]{V: v, Set: true, From: byDefault}
	}
}

// noted is the last value of a service manager's directive; empty for none.
func (p *Policy) noted(name string) string {
	for i := len(p.Noted) - 1; i >= 0; i-- {
		if p.Noted[i].Directive.Name == name {
			return p.Noted[i].Value
		}
	}
	return ""
}

// Numbers of asm-generic/resource.h.
const (
	limitNOFILE  = 7
	limitMEMLOCK = 8
)
