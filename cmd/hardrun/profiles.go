package main

import "strings"

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
CapabilityBoundingSet=
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_SYS_CHROOT
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER
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
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
`},
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
