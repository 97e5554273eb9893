package policy

import "github.com/hardrun/hardrun/process"

// ParentReason is why a parent process has to stay.
type ParentReason struct {
	Name string // of the directive: "ExecStop"
	Why  string // "the command runs when the daemon is to stop"
	From Origin
	// CleansOnly says that it only removes what is left: without a parent that is left to
	// the next start. All else cannot be had without one.
	CleansOnly bool
	// Small says that a parent is enough which waits, reaps and forwards signals.
	Small bool
}

// NeedsParent is all that a parent has to stay for, in the order in which it matters in the
// life of the service. It is empty where the command can be executed in place. Defaults
// alone keep no parent, and neither does what asks for nothing: a time of infinity,
// KillMode=process, a RuntimeDirectory= that is preserved.
func (p *Policy) NeedsParent() []ParentReason {
	var all []ParentReason
	s := &p.Service
	add := func(asked bool, name string, from Origin, cleans, small bool) {
		if !asked || from.Default {
			return
		}
		d := Lookup(name)
		if d == nil {
			d = Lookup(ownPrefix + name)
		}
		all = append(all, ParentReason{name, d.Parent, from, cleans, small})
	}
	// One that is asked for hears a daemon that speaks: some go to the background if nobody does.
	add(p.Parent.V == "always", "Parent", p.Parent.From, false, !s.notifies())
	add(p.Init.V, "Init", p.Init.From, false, true)
	add(p.PrivatePIDs.V, "PrivatePIDs", p.PrivatePIDs.From, false, true)
	add(p.ExplainDenials.V, "ExplainDenials", p.ExplainDenials.From, false, true)
	add(s.Type.V == "forking", "Type", s.Type.From, false, false)
	switch start := s.Commands[ExecStart].Items; {
	case len(start) > 1:
		add(true, "ExecStart", start[1].From, false, false)
	case len(start) == 1 && start[0].V.Ignore:
		add(true, "ExecStart", start[0].From, false, false)
		all[len(all)-1].Why = "of a command with \"-\", a failure is none"
	}
	for _, list := range [...]int{ExecStartPost, ExecStop, ExecStopPost} {
		if l := &s.Commands[list]; len(l.Items) > 0 {
			add(true, ExecNames[list], l.Items[0].From, false, false)
		}
	}
	// With Type=notify the daemon speaks to who has started hardrun, if to anybody.
	add(s.NotifyAccess.Set && s.NotifyAccess.V != "none" && !s.notifies(), "NotifyAccess", s.NotifyAccess.From, false, false)
	add(p.ReadyFD.Set, "ReadyFD", p.ReadyFD.From, false, false)
	for _, t := range [...]struct {
		name string
		o    *Opt[uint64]
		on   bool
	}{
		{"TimeoutStartSec", &s.TimeoutStartSec, p.startsSlowly()},
		{"TimeoutStopSec", &s.TimeoutStopSec, true},
		{"TimeoutAbortSec", &s.TimeoutAbortSec, true},
		{"RuntimeMaxSec", &s.RuntimeMaxSec, s.Type.V != "oneshot"},
	} {
		add(t.on && t.o.Set && t.o.V != process.Infinity, t.name, t.o.From, false, false)
	}
	add(s.KillSignal.Set && s.KillSignal.V != signalTerm, "KillSignal", s.KillSignal.From, false, false)
	add(s.SendSIGHUP.V, "SendSIGHUP", s.SendSIGHUP.From, false, false)
	add(p.KillMode.V == "control-group" || p.KillMode.V == "mixed", "KillMode", p.KillMode.From, false, true)
	add(s.SuccessExitStatus.V != ExitStatuses{Status: [4]uint64{s.SuccessExitStatus.V.Status[0] & 1}}, "SuccessExitStatus", s.SuccessExitStatus.From, false, false)
	if l := &p.Directories[RuntimeDirectory]; len(l.Items) > 0 && (!p.RuntimeDirectoryPreserve.Set || p.RuntimeDirectoryPreserve.V == "no") {
		add(true, "RuntimeDirectory", l.Items[0].From, true, false)
	}
	if p.DynamicUser.V {
		add(true, "RemoveIPC", p.DynamicUser.From, true, false)
	} else {
		add(p.RemoveIPC.V && (p.User.Set || p.Group.Set), "RemoveIPC", p.RemoveIPC.From, true, false)
	}
	add(p.Socket.RemoveOnStop.V && len(p.Socket.Listen.Items) > 0, "RemoveOnStop", p.Socket.RemoveOnStop.From, true, false)
	if s.RemainAfterExit.V && len(all) > 0 {
		add(true, "RemainAfterExit", s.RemainAfterExit.From, false, false)
	}
	return all
}

// startsSlowly tells whether a start is more than executing the command: a time for it would
// be up before it has begun otherwise.
func (p *Policy) startsSlowly() bool {
	s := &p.Service
	for _, list := range [...]int{ExecCondition, ExecStartPre, ExecStartPost} {
		if len(s.Commands[list].Items) > 0 {
			return true
		}
	}
	return s.Type.V == "forking" || s.Type.V == "oneshot" || s.notifies()
}

// notifies tells whether the daemon says itself when it has started.
func (s *Service) notifies() bool { return s.Type.V == "notify" || s.Type.V == "notify-reload" }

const (
	signalHangUp = 1
	signalAbort  = 6
	signalKill   = 9
	signalTerm   = 15
)
