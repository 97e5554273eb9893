//go:build linux

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/hardrun/hardrun/integration/shapes"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// start is a launch whose daemon, or refusal, is compared with that of no mutant.
type start struct {
	name  string
	argv  []string // /srv is the place of the shapes
	files map[string]string
	lacks string   // the capabilities that are missing, in base 16
	older []uint32 // calls that the kernel has not: ENOSYS
}

const serviceHead = "[Service]\nLimitNOFILE=512:1024\nLimitMEMLOCK=64K\nKeyringMode=private\n"

var viewArgv = []string{
	"/srv/hardrun", "--protect-system=strict", "--protect-home=tmpfs", "--protect-kernel-logs", "--protect-control-groups=strict", "--proc-subset=pid",
	"--private-devices", "--tmpfs=/opt:size=1m,mode=0700", "--bind-read-only-paths=/etc:/mnt", "--bind-paths=/srv/data:/media", "--read-write-paths=/var",
	"--no-exec-paths=/var", "--exec-paths=-/var/lib", "--mount-flags=private", "--", "/srv/probe", "open:/srv/other:w", "create:/var/lib/mine", "open:/media/file:w", "create:/opt/mine",
}

// sysLSMListModules is a call of Linux 6.8.
const sysLSMListModules = 461

// onTerminal is a start with a controlling terminal, which the shell that makes it shares.
func onTerminal(options string) []string {
	const script = `script -qec "/srv/hardrun $0 -- /srv/probe setuid0 2>/tmp/said" /dev/null; status=$?; cat /tmp/out; cat /tmp/said >&2; exit $status`
	return []string{"/bin/sh", "-c", script, options}
}

// moreStarts are those that no shape has.
var moreStarts = []start{
	{name: "cage", argv: []string{"/srv/hardrun", "--chroot=/srv/root", "--user=nobody", "--caps=net_bind_service", "--nice=5", "--limit-core=0", "--no-new-privs", "--", "/probe", "setuid0", "bind:53", "stat:/etc/passwd"}},
	{name: "bare", argv: []string{"/srv/hardrun", "--", "/srv/probe", "setuid0"}},
	{name: "streams", argv: []string{
		"/srv/hardrun", "--user=nobody", "--standard-input=file:/srv/other", "--standard-error=append:/tmp/marker", "--environment=MODE=tested",
		"--unset-environment=LANG", "--memory-ksm", "--memory-thp=disable", "--personality=x86", "--keyring-mode=shared", "--numa-policy=default", "--", "/srv/probe", "read:/tmp/marker",
	}},
	{name: "group", argv: []string{
		"/srv/hardrun", "--user=nobody", "--private-network", "--private-mounts=no", "--device-allow=/dev/null rw", "--ip-address-deny=localhost",
		"--ip-address-allow=127.0.0.9", "--restrict-network-interfaces=lo", "--socket-bind-deny=any", "--socket-bind-allow=udp:1053", "--", "/srv/probe",
		"open:/dev/null:w", "open:/dev/zero:r", "bind:53", "loopback",
	}},
	{name: "group strict", argv: []string{
		"/srv/hardrun", "--device-policy=strict", "--device-allow=/dev/zero r", "--ip-address-deny=any", "--restrict-network-interfaces=~lo", "--socket-bind-deny=tcp",
		"--", "/srv/probe", "open:/dev/null:w", "open:/dev/zero:r", "open:/dev/zero:w", "bind:53", "loopback",
	}},
	{name: "landlock", lacks: "200000", argv: []string{
		"/srv/hardrun", "--protect-system=strict", "--read-write-paths=/srv/data", "--inaccessible-paths=/srv/hidden", "--no-exec-paths=/srv/data",
		"--allow-landlock=ReadWritePaths,InaccessiblePaths,NoExecPaths,ProtectSystem",
		"--", "/srv/probe", "open:/srv/data/file:w", "open:/srv/other:w", "stat:/tmp/marker",
	}},
	{name: "without SYS_ADMIN", lacks: "200000", argv: []string{"/srv/hardrun", "--user=nobody", "--private-users", "--private-tmp", "--private-devices", "--", "/srv/probe", "stat:/tmp/marker"}},
	{name: "without SETUID", lacks: "80", argv: []string{"/srv/hardrun", "--user=nobody", "--", "/srv/probe"}},
	{name: "without SETPCAP", lacks: "100", argv: []string{"/srv/hardrun", "--user=nobody", "--capability-bounding-set=CAP_CHOWN", "--", "/srv/probe"}},
	{name: "without MKNOD", lacks: "8000000", argv: []string{"/srv/hardrun", "--user=nobody", "--private-devices", "--", "/srv/probe", "open:/dev/null:w"}},
	{name: "view", argv: viewArgv},
	{name: "bindless", argv: []string{"/srv/hardrun", "--user=nobody", "--caps=none", "--secure-bits=noroot noroot-locked", "--limit-nofile=512:1024", "--", "/srv/probe", "open-many:600"}},
	{
		name: "parent", argv: []string{"/srv/hardrun", "--unit=/srv/parent.service"},
		files: map[string]string{"parent.service": serviceHead + `User=nobody
RuntimeDirectory=parent
PrivateTmp=yes
ExecStartPre=/srv/probe stat:/run/parent
ExecStartPre=+/srv/probe setuid0
ExecStart=/srv/probe setuid0 create:/run/parent/mine
ExecStartPost=-/srv/probe setuid0
ExecStopPost=/srv/probe stat:/run/parent/mine
`},
	},
	{
		name: "oneshot", argv: []string{"/srv/hardrun", "--unit=/srv/oneshot.service"},
		files: map[string]string{"oneshot.service": "[Unit]\nConditionPathExists=/srv/other\n" + serviceHead + `Type=oneshot
User=daemon
CapabilityBoundingSet=CAP_CHOWN
StateDirectory=one/two:alias
CacheDirectory=cached
CacheDirectoryMode=0700
ConfigurationDirectory=one
UMask=0077
ProtectSystem=full
NoNewPrivileges=yes
Environment=A=b
EnvironmentFile=-/srv/none
ExecCondition=/bin/true
ExecStart=/srv/probe setuid0 create:/var/lib/one/two/mine open:/srv/other:w
ExecStart=/srv/probe stat:/var/lib/one/two/mine stat:/var/lib/alias/mine
ExecStartPost=/srv/probe setuid0
`},
	},
	{
		name: "forking", argv: []string{"/srv/hardrun", "--unit=/srv/forking.service"},
		files: map[string]string{"forking.service": serviceHead + `Type=exec
ExecStart=/bin/sh -c 'trap "exit 3" TERM; /srv/probe & wait; exit 7'
SuccessExitStatus=7
ExecStop=/bin/true
TimeoutStopSec=5
Restart=no
`},
	},
	{
		name: "skipped", argv: []string{"/srv/hardrun", "--unit=/srv/skipped.service"},
		files: map[string]string{"skipped.service": "[Unit]\nConditionPathExists=!/srv/other\n" + serviceHead + "ExecStart=/srv/probe\n"},
	},
	// Kernels that are older, and what stands in.
	{name: "view of an old kernel", older: []uint32{unix.SYS_MOUNT_SETATTR}, argv: viewArgv},
	{name: "everything of an old kernel", older: []uint32{unix.SYS_MOUNT_SETATTR, unix.SYS_CLOSE_RANGE, sysLSMListModules}, argv: []string{"/srv/hardrun", "--unit=/srv/old.service"}, files: map[string]string{"old.service": serviceHead + `User=nobody
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ReadWritePaths=/srv/data
InaccessiblePaths=/srv/hidden
NoExecPaths=/srv/data
BindReadOnlyPaths=/etc:/srv/root
TemporaryFileSystem=/opt:ro
NoNewPrivileges=yes
ExecStart=/srv/probe setuid0 open:/srv/data/file:w open:/srv/other:w stat:/srv/hidden/file create:/opt/mine create:/srv/root/mine exec:/srv/data/probe
`}},
	{name: "without the mount API", older: []uint32{unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT}, argv: []string{
		"/srv/hardrun", "--private-tmp", "--", "/srv/probe", "stat:/tmp/marker",
	}},
	{name: "without openat2", older: []uint32{unix.SYS_OPENAT2}, argv: viewArgv},
	{name: "without seccomp", older: []uint32{unix.SYS_SECCOMP}, argv: []string{"/srv/hardrun", "--system-call-filter=~@clock", "--", "/srv/probe"}},
	{name: "without Landlock", older: []uint32{unix.SYS_LANDLOCK_CREATE_RULESET}, lacks: "200000", argv: []string{
		"/srv/hardrun", "--protect-system=strict", "--allow-landlock=ProtectSystem", "--", "/srv/probe", "open:/srv/other:w",
	}},
	{name: "chroot for pivot_root", older: []uint32{unix.SYS_PIVOT_ROOT}, argv: []string{"/srv/hardrun", "--root-directory=/srv/root", "--mount-apivfs", "--", "/probe", "stat:/etc/passwd"}},

	// What has more sides than the shapes show.
	{name: "root", argv: []string{"/srv/hardrun", "--unit=/srv/root.service"}, files: map[string]string{"root.service": serviceHead + `RootDirectory=/srv/root
MountAPIVFS=yes
BindLogSockets=no
BindReadOnlyPaths=/etc -/none:/var
BindPaths=/srv/data:/data
TemporaryFileSystem=/tmp:mode=1777,size=1m
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelLogs=yes
ProtectProc=noaccess
ProtectSystem=strict
ReadWritePaths=/data -/none
ReadOnlyPaths=+/etc
InaccessiblePaths=/srv
User=daemon
ExecStart=/probe setuid0 stat:/etc/passwd create:/data/mine create:/tmp/mine stat:/srv/other
`}},
	{name: "minimal root", argv: []string{"/srv/hardrun", "--minimal-root", "--user=nobody", "--bind=/srv/data", "--ro-bind=/etc/passwd", "--tmpfs=/tmp", "--", "/srv/probe", "stat:/etc/shadow", "stat:/etc/passwd", "create:/tmp/mine", "open:/srv/data/file:w"}},
	{name: "landlock paths", lacks: "200000", argv: []string{
		"/srv/hardrun", "--user=nobody", "--protect-system=full", "--protect-home=read-only", "--read-only-paths=/srv", "--read-write-paths=/srv/data", "--exec-paths=/usr /srv/probe",
		"--no-exec-paths=/srv", "--inaccessible-paths=/srv/hidden /home", "--allow-landlock=ProtectSystem,ProtectHome,ReadOnlyPaths,ReadWritePaths,ExecPaths,NoExecPaths,InaccessiblePaths",
		"--", "/srv/probe", "open:/srv/data/file:w", "open:/srv/other:w", "stat:/home/marker", "open:/srv/hidden/file:r", "exec:/srv/data/probe", "open:/dev/null:w", "open:/dev/kmsg:r",
	}},
	{name: "namespaces", argv: []string{
		"/srv/hardrun", "--private-users=identity", "--private-network", "--private-ipc", "--private-pids", "--protect-hostname=yes:inside", "--private-mounts",
		"--restrict-namespaces=~user", "--delegate-namespaces=mnt ipc net pid", "--", "/srv/probe", "setuid0", "loopback", "mount",
	}},
	{name: "user namespace", argv: []string{"/srv/hardrun", "--private-users=self", "--user=nobody", "--private-tmp", "--", "/srv/probe", "setuid0", "stat:/tmp/marker"}},
	{name: "full user namespace", argv: []string{"/srv/hardrun", "--private-users=full", "--protect-system=strict", "--", "/srv/probe", "setuid0", "open:/srv/other:w"}},
	{name: "not root", argv: []string{"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "/srv/hardrun", "--private-users", "--private-tmp", "--protect-system=strict", "--private-devices", "--no-exec-paths=/srv/data", "--", "/srv/probe", "setuid0", "stat:/tmp/marker", "open:/srv/other:w"}},
	{name: "not root, nothing asked", argv: []string{"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "/srv/hardrun", "--no-new-privs", "--nice=3", "--system-call-filter=~@clock", "--", "/srv/probe", "setuid0"}},
	{name: "joined", argv: []string{"/srv/hardrun", "--network-namespace-path=/proc/1/ns/net", "--ipc-namespace-path=/proc/1/ns/ipc", "--", "/srv/probe", "loopback"}},
	{name: "attributes", argv: []string{"/srv/hardrun", "--unit=/srv/attributes.service"}, files: map[string]string{"attributes.service": serviceHead + `User=daemon
Group=adm
SupplementaryGroups=mail 1234
Nice=-3
OOMScoreAdjust=77
CPUSchedulingPolicy=rr
CPUSchedulingPriority=7
CPUSchedulingResetOnFork=yes
IOSchedulingClass=idle
CPUAffinity=0
NUMAPolicy=bind
NUMAMask=0
TimerSlackNSec=1ms
CoredumpFilter=private-anonymous
UMask=0027
LimitCPU=100
LimitFSIZE=1G:2G
LimitDATA=1G
LimitSTACK=4M:8M
LimitCORE=0
LimitRSS=1G
LimitNPROC=50
LimitAS=4G
LimitLOCKS=9
LimitSIGPENDING=11
LimitMSGQUEUE=1000
LimitRTTIME=1s
IgnoreSIGPIPE=no
SecureBits=keep-caps noroot
CapabilityBoundingSet=CAP_KILL CAP_CHOWN
AmbientCapabilities=CAP_KILL
WorkingDirectory=-/none
Environment="A=b c" D=e
PassEnvironment=PATH
UnsetEnvironment=D
StandardOutput=inherit
StandardError=append:/tmp/marker
ExecStart=/srv/probe setuid0 read:/tmp/marker
`}},
	{name: "filters", argv: []string{"/srv/hardrun", "--unit=/srv/filters.service"}, files: map[string]string{"filters.service": serviceHead + `User=daemon
SystemCallFilter=@system-service
SystemCallFilter=~@privileged:EACCES chmod:ENOTTY
SystemCallErrorNumber=ENOSYS
SystemCallArchitectures=native x86
SystemCallLog=@clock
RestrictAddressFamilies=AF_UNIX AF_INET
RestrictNamespaces=net uts
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
ProtectClock=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectHostname=yes
ExecStart=/srv/probe setuid0 bind:53 mount
`}},
	{name: "explained", argv: []string{"/srv/hardrun", "--explain-denials", "--system-call-filter=~@clock chown", "--restrict-suidsgid", "--", "/srv/probe", "setuid0"}},
	{name: "terminal", argv: onTerminal("--user=nobody --standard-input=tty-force --standard-output=append:/tmp/out --tty-path=/dev/tty --tty-reset --tty-rows=30 --tty-columns=99")},
	{name: "terminal given up", argv: onTerminal("--user=nobody --standard-input=null --standard-output=append:/tmp/out")},
	{name: "terminal behind a filter", argv: onTerminal("--user=nobody --standard-input=null --standard-output=append:/tmp/out --keep-tty --system-call-filter=~@clock")},
	{name: "init", argv: []string{"/srv/hardrun", "--init", "--user=nobody", "--caps=none", "--no-new-privs", "--", "/srv/probe", "setuid0"}},
	{name: "sockets", argv: []string{"/srv/hardrun", "--unit=/srv/sockets.service", "--socket"}, files: map[string]string{"sockets.service": serviceHead + `User=nobody
ProtectSystem=strict
ExecStart=/srv/probe setuid0
`, "sockets.socket": `[Socket]
ListenStream=127.0.0.1:54
ListenDatagram=[::1]:55
ListenStream=/run/stream
ListenDatagram=/run/datagram
ListenSequentialPacket=/run/packet
ListenStream=@abstract
ListenFIFO=/run/fifo
ListenSpecial=/dev/null
ListenNetlink=kobject-uevent 1
ListenMessageQueue=/hardrun
SocketUser=daemon
SocketGroup=adm
SocketMode=0640
DirectoryMode=0700
RemoveOnStop=yes
Backlog=7
BindIPv6Only=ipv6-only
KeepAlive=yes
KeepAliveTimeSec=99
NoDelay=yes
Priority=3
ReceiveBuffer=8K
SendBuffer=8K
IPTOS=low-delay
IPTTL=9
Mark=5
ReusePort=yes
FreeBind=yes
Transparent=yes
Broadcast=yes
PassCredentials=yes
PassPacketInfo=yes
Timestamping=us
PipeSize=8K
MessageQueueMaxMessages=5
MessageQueueMessageSize=64
FileDescriptorName=mine
`}},
	{name: "socket", argv: []string{"/srv/hardrun", "--unit=/srv/socket.service", "--socket"}, files: map[string]string{
		"socket.service": serviceHead + "User=nobody\nRestrictAddressFamilies=AF_UNIX\nExecStart=/srv/probe setuid0\n",
		"socket.socket":  "[Socket]\nListenStream=/run/deep/stream\nSymlinks=/run/link\nSocketMode=0600\nDirectoryMode=0711\nSocketUser=nobody\n",
	}},
	{name: "directories", argv: []string{"/srv/hardrun", "--unit=/srv/directories.service"}, files: map[string]string{"directories.service": serviceHead + `User=daemon
Group=adm
RuntimeDirectory=one two/three
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=yes
StateDirectory=state:alias
StateDirectoryMode=0700
CacheDirectory=cache
LogsDirectory=logs
LogsDirectoryMode=0711
ConfigurationDirectory=-hardrun-none
LoadCredential=one:/srv/other
LoadCredential=tree:/srv/data
ImportCredential=none.*
SetCredential=two:text
OpenFile=/srv/other:name:read-only
PrivateTmp=disconnected
ExecStart=/srv/probe setuid0 create:/run/one/mine create:/var/lib/state/mine create:/var/log/logs/mine
`}},
	{name: "dynamic", argv: []string{"/srv/hardrun", "--unit=/srv/dynamic-more.service"}, files: map[string]string{"dynamic-more.service": serviceHead + `DynamicUser=yes
StateDirectory=dyn:link
LogsDirectory=dyn
RuntimeDirectory=dyn
RemoveIPC=yes
ExecStartPre=/srv/probe create:/var/lib/dyn/mine
ExecStart=/srv/probe setuid0 stat:/var/lib/dyn/mine
`}},
	{name: "notify", argv: []string{"/srv/hardrun", "--unit=/srv/notify.service"}, files: map[string]string{"notify.service": serviceHead + `Type=notify
NotifyAccess=all
TimeoutStartSec=2
ExecStart=/bin/sh -c 'exec /srv/probe setuid0'
`}},
	{name: "conditions", argv: []string{"/srv/hardrun", "--unit=/srv/conditions.service"}, files: map[string]string{"conditions.service": `[Unit]
ConditionPathExists=/srv/other
ConditionPathExistsGlob=/srv/oth*
ConditionPathIsDirectory=/srv/data
ConditionPathIsSymbolicLink=!/srv/data
ConditionPathIsMountPoint=/srv
ConditionPathIsReadWrite=/srv
ConditionDirectoryNotEmpty=/srv/data
ConditionFileNotEmpty=/srv/other
ConditionFileIsExecutable=/srv/probe
ConditionUser=root
ConditionGroup=0
ConditionHost=!nowhere
ConditionKernelVersion=>=4
ConditionKernelCommandLine=!nothing
ConditionArchitecture=x86-64
ConditionCPUs=>0
ConditionMemory=>1
ConditionCapability=CAP_CHOWN
ConditionSecurity=!smack
ConditionEnvironment=!NOTHING
ConditionACPower=|true
ConditionVirtualization=|!docker
AssertPathExists=!/none
` + serviceHead + "ExecStart=/srv/probe\n"}},

	{name: "refused user", argv: []string{"/srv/hardrun", "--user=nobody-here", "--", "/srv/probe"}},
	{name: "refused command", argv: []string{"/srv/hardrun", "--user=nobody", "--", "/srv/other"}},
	{name: "refused path", argv: []string{"/srv/hardrun", "--read-only-paths=/srv/none", "--", "/srv/probe"}},
	{name: "refused directory", argv: []string{"/srv/hardrun", "--working-directory=/srv/none", "--", "/srv/probe"}},
	{name: "refused limit", argv: []string{"/srv/hardrun", "--user=nobody", "--chroot=/srv/data", "--", "/none"}},
}

// starts are all of them.
func starts() (list []start) {
	for i := range shapes.List {
		list = append(list, start{name: shapes.List[i].Name, argv: shapes.List[i].Argv()})
	}
	return append(list, moreStarts...)
}

func (s *start) filterName() string { return strings.ReplaceAll(s.name, " ", "-") + ".bpf" }

// filter is a program of seccomp(2) by which an older kernel answers.
func (s *start) filter() seccomp.Program {
	const load, equal, answer = 0x20, 0x15, 0x06
	p := seccomp.Program{{Code: load, K: 0}}
	for i, nr := range s.older {
		p = append(p, seccomp.Instruction{Code: equal, JT: uint8(len(s.older) - i), K: nr})
	}
	return append(p, seccomp.Instruction{Code: answer, K: uint32(seccomp.Allow)}, seccomp.Instruction{Code: answer, K: uint32(seccomp.Errno) | uint32(unix.ENOSYS)})
}

// argv is a start in a room.
func (w *workspace) startArgv(s start) []string {
	filter := "-"
	if s.older != nil {
		filter = "/srv/" + s.filterName()
	}
	return slices.Concat([]string{w.path("tools", "starter"), w.path("shapes"), cmp.Or(s.lacks, "0"), filter, "30"}, s.argv)
}

var anyNumber = regexp.MustCompile(`\d+`)

// said is what a start has said, without what differs by itself.
func (w *workspace) said(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "status %d\n", r.Status)
	if r.Over {
		return "no end\n"
	}
	for line := range strings.Lines(r.Stderr) {
		if strings.HasPrefix(line, "hardrun: ") {
			b.WriteString(anyNumber.ReplaceAllString(line, "#"))
		}
	}
	// Each command is an object with its state, one with what is around, answers, and an end.
	lines := strings.SplitAfter(strings.ReplaceAll(r.Stdout, r.Base, "ROOM"), "\n")
	if len(lines) < 3 {
		return b.String() + r.Stdout
	}
	head, tail := lines[0], strings.Join(lines[len(lines)-2:], "")
	parts := strings.SplitAfter(strings.Join(lines[1:len(lines)-2], ""), "{\"end\":true}\n")
	var texts []string
	for _, p := range parts {
		if strings.TrimSpace(p) == "" && len(parts) > 1 {
			continue
		}
		report, err := shapes.Parse(head+p+tail, w.path("shapes"))
		if err != nil {
			texts = append(texts, fmt.Sprintf("%v\n%s", err, anyNumber.ReplaceAllString(p, "#")))
			continue
		}
		text := "daemon " + fmt.Sprint(report.Started, report.Left, report.Files) + "\n" + strings.Join(report.Lines(), "\n") + "\n"
		for _, a := range report.Answers {
			text += a.Act + " " + a.Errno + "\n"
		}
		texts = append(texts, text)
	}
	// Commands of a service that run at one time print in any order.
	sort.Strings(texts)
	return b.String() + strings.Join(texts, "--\n")
}
