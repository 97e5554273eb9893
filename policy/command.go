package policy

import (
	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// ForCommand is the policy of one command of the service: Service.Commands[list].Items[index].
// p stays as it is, and may have been normalized or not.
//
// With "+", and with PermissionsStartOnly= for all but ExecStart=, what is taken off is the
// change of user and groups, capabilities, securebits, no_new_privs, labels, the filter,
// limits, and of the view all but RootDirectory=, BindPaths=, TemporaryFileSystem=,
// ReadWritePaths= and the service's directories. The network, IPC and mount namespaces,
// working directory, environment, umask, streams, scheduling and the control group stay. With
// "!" only the change of user and groups is taken off.
//
// RootDirectoryStartOnly=, PrivatePIDs=, sockets and files that are passed, a socket as
// standard stream and what a parent does for the daemon (--init, KillMode=) are for ExecStart=
// alone. A terminal is standard input of ExecCondition=, ExecStartPre= and ExecStart=, and
// /dev/null that of the others.
//
// HOME, USER, LOGNAME and SHELL of User= are gone with the change of user: systemd sets them
// for these commands, too, and who runs them has to.
func (p *Policy) ForCommand(list, index int) Policy {
	q := *p
	var c Command
	if items := p.Service.Commands[list].Items; index >= 0 && index < len(items) {
		c = items[index].V
	}
	main := list == ExecStart
	if !main {
		q.PrivatePIDs, q.Init, q.KillMode = Opt[bool]{}, Opt[bool]{}, Opt[string]{}
		q.Service.OpenFile, q.Socket = List[OpenFile]{}, Socket{}
		if p.Service.RootDirectoryStartOnly.V {
			q.RootDirectory, q.Chroot, q.MinimalRoot = Opt[string]{}, Opt[string]{}, Opt[bool]{}
			q.MountAPIVFS, q.BindLogSockets = Opt[bool]{}, Opt[bool]{}
		}
		terminal := list == ExecCondition || list == ExecStartPre
		switch q.StandardInput.V.Kind {
		case StreamTTY, StreamTTYForce, StreamTTYFail:
			if !terminal {
				q.StandardInput.V = Stream{Kind: StreamNull, Word: "null"}
			}
		case StreamSocket:
			q.StandardInput.V = Stream{Kind: StreamNull, Word: "null"}
		default:
		}
		for _, o := range [...]*Opt[Stream]{&q.StandardOutput, &q.StandardError} {
			if o.V.Kind == StreamSocket {
				o.V = Stream{Kind: StreamNull, Word: "null"}
			}
		}
	}
	switch {
	case c.Full || !main && p.Service.PermissionsStartOnly.V:
		q.withoutSandbox()
	case c.NoUser:
		// What it implies stays.
		q.normalizeDynamic(func(name, value, because string, from Origin) {
			q.implied = append(q.implied, Implied{name, value, because, from})
		})
		q.withoutUser()
	}
	return q
}

// withoutUser takes off the change of user and groups.
func (p *Policy) withoutUser() {
	p.User, p.Group, p.SupplementaryGroups = Opt[string]{}, Opt[string]{}, List[string]{}
	p.ExactGroups, p.DynamicUser = Opt[bool]{}, Opt[bool]{}
	p.SetLoginEnvironment = Opt[bool]{}
}

// withoutSandbox takes off what "+" does. The root is bare then: nothing is mounted in it
// that is not asked for.
func (p *Policy) withoutSandbox() {
	p.withoutUser()
	p.CapabilityBoundingSet, p.AmbientCapabilities, p.Caps = Opt[caps.Set]{}, Opt[caps.Set]{}, Opt[CapList]{}
	p.SecureBits, p.ambientCut = Opt[caps.SecureBits]{}, false
	p.SELinuxContext, p.AppArmorProfile, p.SmackProcessLabel = Opt[Tolerant]{}, Opt[Tolerant]{}, Opt[Tolerant]{}
	p.SystemCallFilter, p.SystemCallLog = List[CallLine]{}, List[CallLine]{}
	p.SystemCallErrorNumber, p.SystemCallArchitectures = Opt[seccomp.Action]{}, List[string]{}
	p.RestrictAddressFamilies, p.RestrictNamespaces = Opt[Families]{}, Opt[uint32]{}
	p.DelegateNamespaces, p.ProtectHostname = Opt[ns.Kinds]{}, Opt[Hostname]{}
	p.Limits = [len(p.Limits)]Opt[process.Limit]{}
	p.AllowLandlock = List[string]{}
	for _, o := range [...]*Opt[bool]{
		&p.NoNewPrivileges, &p.RestrictRealtime, &p.RestrictSUIDSGID, &p.LockPersonality,
		&p.MemoryDenyWriteExecute, &p.AllowNewCalls, &p.ExplainDenials, &p.PrivatePIDs, &p.PrivateDevices, &p.ProtectKernelTunables,
		&p.ProtectKernelModules, &p.ProtectKernelLogs, &p.ProtectClock, &p.PrivateBPF,
	} {
		*o = Opt[bool]{}
	}
	for _, o := range [...]*Opt[string]{
		&p.SeccompBPF, &p.FilterBackend, &p.FilterOut, &p.PrivateUsers, &p.UserNamespacePath, &p.ProtectSystem, &p.ProtectHome, &p.PrivateTmp,
		&p.ProtectControlGroups, &p.ProtectProc, &p.ProcSubset,
	} {
		*o = Opt[string]{}
	}
	for _, l := range [...]*List[PathRule]{&p.ReadOnlyPaths, &p.InaccessiblePaths, &p.ExecPaths, &p.NoExecPaths} {
		*l = List[PathRule]{}
	}
	if p.RootDirectory.Set {
		p.MountAPIVFS = Opt[bool]{Set: true, From: p.RootDirectory.From}
		p.BindLogSockets = Opt[bool]{Set: true, From: p.RootDirectory.From}
	}
}
