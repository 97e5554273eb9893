package policy

import "github.com/hardrun/hardrun/seccomp"

// FilterPart is what one directive says about system calls.
type FilterPart struct {
	Name string
	From Origin
	// Add adds it to a filter; nil for SystemCallFilter= and SystemCallLog=, whose lines have
	// numbers of their own: MergeCalls and Calls.List.
	Add func(f *seccomp.Filter, by uint16)
}

// deniedCalls is a part that answers calls by EPERM.
func deniedCalls(names ...string) func(*seccomp.Filter, uint16) {
	return func(f *seccomp.Filter, by uint16) { f.Deny(by, seccomp.MustSet(names...)) }
}

// FilterParts are the directives that need a filter, in the order in which systemd loads its
// own: of two equal verdicts the later one's errno counts (seccomp(2)). It comes after
// Normalize. memory says that MemoryDenyWriteExecute= is among them, as the kernel has nothing
// better; personality is the one that LockPersonality= keeps.
func (p *Policy) FilterParts(memory bool, personality uint32) []FilterPart {
	var on []FilterPart
	families, retain := p.RestrictAddressFamilies.V, p.RestrictNamespaces.V
	for _, d := range [...]struct {
		on bool
		FilterPart
	}{
		{p.ProtectHostname.V.Mode == "yes", FilterPart{"ProtectHostname", p.ProtectHostname.From, deniedCalls("sethostname", "setdomainname")}},
		{p.RestrictAddressFamilies.Set && (families.Allow || len(families.Listed) > 0), FilterPart{"RestrictAddressFamilies", p.RestrictAddressFamilies.From, func(f *seccomp.Filter, by uint16) {
			f.RestrictAddressFamilies(by, families.Allow, families.Listed)
		}}},
		{p.MemoryDenyWriteExecute.V && memory, FilterPart{"MemoryDenyWriteExecute", p.MemoryDenyWriteExecute.From, (*seccomp.Filter).MemoryDenyWriteExecute}},
		{p.RestrictRealtime.V, FilterPart{"RestrictRealtime", p.RestrictRealtime.From, (*seccomp.Filter).RestrictRealtime}},
		{p.RestrictSUIDSGID.V, FilterPart{"RestrictSUIDSGID", p.RestrictSUIDSGID.From, (*seccomp.Filter).RestrictSUIDSGID}},
		{p.RestrictNamespaces.Set && retain != seccomp.Namespaces, FilterPart{"RestrictNamespaces", p.RestrictNamespaces.From, func(f *seccomp.Filter, by uint16) {
			f.RestrictNamespaces(by, retain)
		}}},
		{p.ProtectKernelTunables.V, FilterPart{"ProtectKernelTunables", p.ProtectKernelTunables.From, deniedCalls("_sysctl")}},
		{p.ProtectKernelModules.V, FilterPart{"ProtectKernelModules", p.ProtectKernelModules.From, deniedCalls("@module")}},
		{p.ProtectKernelLogs.V, FilterPart{"ProtectKernelLogs", p.ProtectKernelLogs.From, deniedCalls("syslog")}},
		// stime(2) of 32-bit x86 sets the clock, and is not in @clock.
		{p.ProtectClock.V, FilterPart{"ProtectClock", p.ProtectClock.From, deniedCalls("@clock", "stime")}},
		{p.PrivateDevices.V, FilterPart{"PrivateDevices", p.PrivateDevices.From, deniedCalls("@raw-io")}},
		{len(p.SystemCallArchitectures.Items) > 0, FilterPart{"SystemCallArchitectures", p.SystemCallArchitectures.From, func(f *seccomp.Filter, by uint16) {
			var names []string
			for i := range p.SystemCallArchitectures.Items {
				names = append(names, p.SystemCallArchitectures.Items[i].V)
			}
			f.Architectures(by, names)
		}}},
		{p.LockPersonality.V, FilterPart{"LockPersonality", p.LockPersonality.From, func(f *seccomp.Filter, by uint16) {
			f.LockPersonality(by, personality)
		}}},
		{asksCalls(&p.SystemCallLog), FilterPart{"SystemCallLog", firstLine(&p.SystemCallLog), nil}},
		{asksCalls(&p.SystemCallFilter), FilterPart{"SystemCallFilter", firstLine(&p.SystemCallFilter), nil}},
	} {
		if d.on {
			on = append(on, d.FilterPart)
		}
	}
	return on
}

func firstLine(l *List[CallLine]) Origin {
	if len(l.Items) == 0 {
		return Origin{}
	}
	return l.Items[0].From
}

// asksCalls tells whether lines come to anything: a list of what is forbidden, or
// logged, may be empty.
func asksCalls(l *List[CallLine]) bool {
	if len(l.Items) == 0 || !l.Items[0].V.Invert {
		return len(l.Items) > 0
	}
	words := false
	for i := range l.Items {
		if !l.Items[i].V.Invert { // it may take all of them away again
			return len(MergeCalls(l.Items, false).Listed) > 0
		}
		words = words || len(l.Items[i].V.Words) > 0
	}
	return words
}

// List is the verdict on each call: of SystemCallFilter=, whose action is negative, or with
// seccomp.Log of SystemCallLog=. A log list without "~" logs what it has, and lets the rest
// pass. source gives a number to the line that decides.
func (c *Calls) List(negative seccomp.Action, source func(Origin) uint16) *seccomp.List {
	rest, listed := seccomp.Allow, negative
	if c.AllowList != (negative == seccomp.Log) {
		rest, listed = negative, seccomp.Allow
	}
	l := &seccomp.List{AllowList: listed == seccomp.Allow, Default: seccomp.Verdict{Action: rest, By: source(c.From)}}
	l.Calls = make([]seccomp.Entry, 0, len(c.Listed)+len(c.Removed))
	for i := range c.Listed {
		e := &c.Listed[i]
		v := seccomp.Verdict{Action: listed, By: source(e.From)}
		if e.Has {
			v.Action = e.Action
		}
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: v})
	}
	for _, e := range c.Removed {
		l.Removed.Add(e.Call)
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: seccomp.Verdict{Action: rest, By: source(e.From)}})
	}
	return l
}
