package main

import (
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// profile is a drop-in that comes with hardrun, --drop-in=@NAME. Its text is what a unit's
// author would have written: it is applied after the unit and its own drop-ins, and what
// comes behind it on the command line is stronger.
type profile struct {
	name, date string
	text       string
}

// profiles are dated: what a name stands for may become stricter with a version of hardrun,
// and CHANGELOG.md says so.
var profiles = [...]profile{
	{"@network-service", "2026-11-27", `# A daemon that serves the network. It may start as root, bind a low port, change
# its root, and give itself to a user; it writes where its files are, but neither to
# /usr, /boot and /etc nor to anybody's home. What it makes is for its own group to read.
[Service]
CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE CAP_BLOCK_SUSPEND CAP_BPF CAP_CHECKPOINT_RESTORE
CapabilityBoundingSet=~CAP_FSETID CAP_IPC_LOCK CAP_IPC_OWNER CAP_KILL CAP_LEASE CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN
CapabilityBoundingSet=~CAP_MAC_OVERRIDE CAP_MKNOD CAP_NET_ADMIN CAP_NET_BROADCAST CAP_NET_RAW CAP_PERFMON CAP_SETFCAP
CapabilityBoundingSet=~CAP_SYSLOG CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_NICE CAP_SYS_PACCT CAP_SYS_PTRACE
CapabilityBoundingSet=~CAP_SYS_RAWIO CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM
NoNewPrivileges=yes
KeyringMode=private
LockPersonality=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=full
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM
UMask=0027
`},
	{"@no-network", "2026-11-27", `# A service that reaches no network: it has a network of its own with nothing but a
# loopback in it, and sockets of the machine alone.
[Service]
PrivateNetwork=yes
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX
`},
	{"@read-only", "2026-11-27", `# A service that changes no file of the machine, and sees nobody's home. What it may
# write is what StateDirectory=, RuntimeDirectory= and the like, ReadWritePaths= and
# the file system in memory at /tmp give it.
[Service]
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
`},
	{"@strict", "2026-11-27", `# A service that needs no privilege at all: a user of its own comes by User= or
# DynamicUser=, what it writes by StateDirectory= and the like, and low ports by
# --listen or a socket unit.
[Service]
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
`},
}

// milder tells whether a line of a profile would loosen what the unit itself says: of lists
// that would be united, and of words the milder one. A profile adds, and takes nothing back.
func milder(name, unit, profile string) bool {
	scales := [...]struct{ name, words string }{
		{"ProtectSystem", " no false off 0 yes true on 1 full strict "},
		{"ProtectHome", " no false off 0 read-only tmpfs yes true on 1 "},
		{"PrivateTmp", " no false off 0 yes true on 1 disconnected "},
		{"PrivateUsers", " no false off 0 full identity yes true on 1 self "},
		{"ProtectProc", " default noaccess ptraceable invisible "},
	}
	for _, s := range scales {
		if s.name == name {
			return strings.Index(s.words, " "+unit+" ") > strings.Index(s.words, " "+profile+" ")
		}
	}
	switch name {
	case "RestrictAddressFamilies", "SystemCallFilter", "SystemCallErrorNumber", "SystemCallArchitectures":
		return true
	case "UMask":
		mine, err := policy.ParseMode(unit)
		other, _ := policy.ParseMode(profile) // a text of hardrun's own
		return err == nil && mine&other == other
	case "RestrictNamespaces":
		return unit == "yes" || unit == "true" || unit == "on" || unit == "1"
	}
	return false
}

// fit leaves out the lines of profiles that are milder than what the unit says, or what a
// drop-in before them says. A list that the unit has and a profile has as well is the unit's.
func fit(list []unit.Assignment) []unit.Assignment {
	kept := list[:0]
	for i := range list {
		a := &list[i]
		if !strings.HasPrefix(a.From.File, "@") {
			kept = append(kept, *a)
			continue
		}
		last := -1
		for j := range kept {
			if k := &kept[j]; k.Name == a.Name && k.Section == a.Section && k.From.File != a.From.File {
				last = j
			}
		}
		if last >= 0 && kept[last].Value != "" && milder(a.Name, kept[last].Value, a.Value) {
			continue
		}
		kept = append(kept, *a)
	}
	return kept
}

// profileOf is the text of a profile, or what is known in its place.
func profileOf(name string) (string, error) {
	var names []string
	for i := range profiles {
		if p := &profiles[i]; p.name == name {
			return "# " + p.name + ", as of " + p.date + "\n" + p.text, nil
		}
		names = append(names, profiles[i].name)
	}
	return "", &usageError{"unknown profile " + name, "there are " + strings.Join(names, ", ")}
}
