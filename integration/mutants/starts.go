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

// shell is a script in the place of the shapes.
func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

// onService is a script beside a running service of a unit, whose process is $pid: up once /tmp/up is there.
func onService(unit, script string) []string {
	return shell(`/srv/hardrun --unit=/srv/` + unit + ` </dev/null >/tmp/daemon 2>&1 & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done
` + script + `
kill -KILL $pid 2>/dev/null; wait; cat /tmp/daemon; cat /tmp/said 2>/dev/null; ls -R /run`)
}

// waiter is a command of a unit that is up, and ends 7 by SIGTERM.
const waiter = `/bin/sh -c 'trap "exit 7" TERM; trap "echo again >>/tmp/said" HUP; trap "echo one >>/tmp/said" USR1; >/tmp/up; while :; do sleep 0.01; done'`

// behind is a unit in which commands say what they are told.
const behind = serviceHead + `RuntimeDirectory=behind
ExecReload=/bin/sh -c 'echo reload $MAINPID | tr -d 0-9 >>/tmp/said; kill -HUP $MAINPID'
ExecReload=-/bin/false
ExecReloadPost=/bin/sh -c 'echo post >>/tmp/said'
ExecStop=/bin/sh -c 'echo stop >>/tmp/said'
ExecStopPost=/bin/sh -c 'echo after $SERVICE_RESULT $MAINPID >>/tmp/said; ls /run/behind'
TimeoutStopSec=3
`

// lied is a start in which a call answers 0 and is not made.
func lied(call, options string) []string {
	return shell("exec strace -f -qq -o /dev/null -e signal=none -e trace=" + call + " -e inject=" + call + ":retval=0 /srv/hardrun " + options)
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

	// What is told to a service that runs.
	{name: "do", argv: onService("do-runs.service --parent=never", `/srv/hardrun --unit=/srv/do.service --do=reload --pid=$pid; echo $?; sleep 0.1
/srv/hardrun --unit=/srv/do.service --do=stop --pid=$pid; echo $?`), files: map[string]string{"do.service": behind + "ExecStart=" + waiter + "\n", "do-runs.service": serviceHead + "RuntimeDirectory=behind\nExecStart=" + waiter + "\n"}},
	{name: "do of a user's", argv: onService("do-user-runs.service --parent=never", `echo $pid >/run/pid
/srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?; sleep 0.3
echo 1 >/run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
echo $$ >/run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
echo x >/run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
echo -n >/run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
echo 4000000 >/run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
rm /run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
mkfifo /run/pid; /srv/hardrun --unit=/srv/do-user.service --do=reload; echo $?
rm /run/pid; echo $pid >/run/pid; chown 65534 /run/pid; /srv/hardrun --unit=/srv/do-user.service --do=stop; echo $?
chown 0 /run/pid; /srv/hardrun --unit=/srv/do-user.service --do=stop; echo $?`), files: map[string]string{"do-user-runs.service": serviceHead + "User=nobody\nRuntimeDirectory=behind\nExecStart=" + waiter + "\n", "do-user.service": behind + "User=nobody\nPIDFile=/run/pid\nRemoveIPC=yes\nExecStart=" + waiter + "\n"}},
	{name: "do by nobody", argv: onService("do-user-runs.service --parent=never", `chmod 777 /run; echo $pid >/run/pid; chown 65534 /run/pid
setpriv --reuid=65534 --regid=65534 --clear-groups /srv/hardrun --unit=/srv/do-mine.service --do=reload; echo $?`), files: map[string]string{"do-mine.service": "[Service]\nPIDFile=/run/pid\nExecStart=/bin/true\nExecReload=/bin/sh -c 'echo mine $$MAINPID | tr -d 0-9'\n"}},
	{name: "do of a start with rights", argv: onService("do-full-runs.service --parent=never", `/srv/hardrun --unit=/srv/do-full.service --do=reload --pid=$pid; echo $?; sleep 0.3
/srv/hardrun --unit=/srv/do-full.service --do=stop --pid=$pid; echo $?`), files: map[string]string{"do-full-runs.service": serviceHead + "User=nobody\nExecStart=+" + waiter + "\n", "do-full.service": serviceHead + "User=nobody\nExecStart=+" + waiter + "\nExecReload=/bin/false\nExecStop=/bin/false\n"}},
	{name: "do of a dynamic user's", argv: onService("do-dynamic.service & (until [ -e /run/do-dynamic/up ]; do sleep 0.003; done; >/tmp/up); :", `pid=$(cat /run/do-dynamic/up)
/srv/hardrun --unit=/srv/do-dynamic.service --do=reload --pid=$$; echo $?
/srv/hardrun --unit=/srv/do-dynamic.service --do=reload --pid=$pid; echo $?
/srv/hardrun --unit=/srv/do-dynamic.service --do=stop --pid=$pid; echo $?`), files: map[string]string{"do-dynamic.service": serviceHead + "DynamicUser=yes\nRuntimeDirectory=do-dynamic\nExecStart=/bin/sh -c 'echo $$$$ >/run/do-dynamic/new; mv /run/do-dynamic/new /run/do-dynamic/up; while :; do sleep 0.01; done'\nExecReload=/bin/sh -c 'test $(id -u) -gt 61183; echo $?'\n"}},
	{name: "do of a parent", argv: onService("do-parent.service", `/srv/hardrun --unit=/srv/do-parent.service --do=reload --pid=$pid; echo $?; sleep 0.5
/srv/hardrun --unit=/srv/do-parent.service --do=stop --pid=$pid; echo $?`), files: map[string]string{"do-parent.service": behind + "User=nobody\nExecStartPost=/bin/true\nExecStart=" + waiter + "\n"}},
	{name: "do of an init", argv: onService("do-init.service --init", `/srv/hardrun --unit=/srv/do-init.service --init --do=reload --pid=$pid; echo $?; sleep 0.1
/srv/hardrun --unit=/srv/do-init.service --init --do=stop --pid=$pid; echo $?`), files: map[string]string{"do-init.service": serviceHead + "User=nobody\nExecReload=+/bin/sh -c 'kill -HUP $MAINPID'\nExecStart=" + waiter + "\n"}},
	{name: "do of who notifies", argv: onService("do-notify.service --parent=never", `/srv/hardrun --unit=/srv/do-notify.service --do=reload --pid=$pid; echo $?; sleep 0.1`), files: map[string]string{"do-notify.service": serviceHead + "Type=notify-reload\nReloadSignal=USR1\nExecStart=" + waiter + "\n"}},
	{name: "do without a command", argv: onService("do-none.service --parent=never", `/srv/hardrun --unit=/srv/do-none.service --do=reload --pid=$pid; echo $?
/srv/hardrun --unit=/srv/do-none.service --do=reload; echo $?
/srv/hardrun --unit=/srv/do-none.service --do=stop --pid=1; echo $?
/srv/hardrun --unit=/srv/do-none.service --do=stop --pid=$pid; echo $?`), files: map[string]string{"do-none.service": serviceHead + "KillMode=none\nExecStart=" + waiter + "\n"}},
	{name: "do of who does not end", argv: onService("do-stays-runs.service --parent=never", `/srv/hardrun --unit=/srv/do-stays.service --do=stop --pid=$pid; echo $?; kill -KILL $pid; wait $pid; echo $?; rm /tmp/up
/srv/hardrun --unit=/srv/do-killed-runs.service --parent=never & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done
/srv/hardrun --unit=/srv/do-killed.service --do=stop --pid=$pid; echo $?`), files: map[string]string{
		"do-stays-runs.service":  serviceHead + "ExecStart=/bin/sh -c 'trap \"\" TERM; >/tmp/up; sleep 9'\n",
		"do-killed-runs.service": serviceHead + "ExecStart=/bin/sh -c 'trap \"\" TERM; trap \"exit 4\" QUIT; >/tmp/up; while :; do sleep 0.01; done'\n",
		"do-stays.service":       serviceHead + "TimeoutStopSec=50ms\nSendSIGKILL=no\nExecStart=/bin/sh -c 'trap \"\" TERM; >/tmp/up; sleep 9'\n",
		"do-killed.service":      serviceHead + "TimeoutStopSec=50ms\nFinalKillSignal=QUIT\nExecStart=/bin/sh -c 'trap \"\" TERM; trap \"exit 4\" QUIT; >/tmp/up; while :; do sleep 0.01; done'\n",
	}},

	// Parents that wait, and what comes to them.
	{name: "pids", argv: []string{"/srv/hardrun", "--private-pids", "--", "/srv/probe", "setuid0"}},
	{name: "pids of a user", argv: []string{"/srv/hardrun", "--PrivatePIDs=true", "--user=nobody", "--caps=none", "--private-devices", "--", "/srv/probe", "setuid0"}},
	{name: "pids after all not", argv: []string{"/srv/hardrun", "--private-pids", "--private-pids=no", "--", "/srv/probe", "setuid0"}},
	{name: "pids and a group", argv: []string{"/srv/hardrun", "--private-pids", "--device-allow=/dev/null rw", "--", "/srv/probe", "open:/dev/null:w", "open:/dev/zero:r"}},
	{name: "pids, refused", argv: []string{"/srv/hardrun", "--private-pids", "--user=nobody-here", "--", "/srv/probe"}},
	{name: "pids of who may not", lacks: "200000", argv: []string{"/srv/hardrun", "--private-pids", "--user=nobody", "--", "/srv/probe"}},
	{name: "pids without a child", argv: shell("exec prlimit --nproc=1 setpriv --reuid=65534 --regid=65534 --clear-groups /srv/hardrun --private-users --private-pids -- /srv/probe")},
	{name: "pids, ignored", argv: shell("trap '' CHLD; exec /srv/hardrun --private-pids -- /srv/probe")},
	{name: "pids of an old kernel", older: []uint32{unix.SYS_CLOSE_RANGE}, argv: []string{"/srv/hardrun", "--private-pids", "--device-allow=/dev/null rw", "--", "/srv/probe"}},
	{name: "init and a group", argv: []string{"/srv/hardrun", "--init", "--device-allow=/dev/null rw", "--user=nobody", "--", "/bin/sh", "-c", "sleep 9 & exit 5"}},
	{name: "init that kills", argv: []string{"/srv/hardrun", "--init", "--cgroup=auto", "--kill-mode=control-group", "--user=nobody", "--", "/bin/sh", "-c", "setsid sleep 9 & exit 5"}},
	{name: "init and a group given away", argv: []string{"/srv/hardrun", "--init", "--delegate", "--user=nobody", "--", "/bin/sh", "-c", `d=/sys/fs/cgroup/unified$(sed -n s/^0:://p /proc/self/cgroup); mkdir -p $d/a/b $d/c; sleep 9 & echo $! >$d/a/b/cgroup.procs; exit 6`}},
	{name: "init and groups that are left empty", argv: []string{"/srv/hardrun", "--init", "--delegate", "--user=nobody", "--", "/bin/sh", "-c", `d=/sys/fs/cgroup/unified$(sed -n s/^0:://p /proc/self/cgroup); mkdir -p $d/a/b $d/c && echo made; exit 6`}},
	{name: "init that may not remove", argv: shell(`/srv/hardrun --init --cgroup=auto --user=nobody -- /bin/sh -c 'sleep 0.3; exit 5'; echo $?; ls /sys/fs/cgroup/unified | grep hardrun`)},
	{name: "init and signals", argv: shell(`/srv/hardrun --init --user=nobody -- /bin/sh -c 'trap "echo hup" HUP; trap "exit 9" TERM; >/tmp/up; while :; do sleep 0.01; done' & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done
sleep 0.05; cat /proc/$pid/comm; grep -E '^(Cap|Seccomp)' /proc/$pid/status; ls /proc/$pid/fd; kill -HUP $pid; sleep 0.1; kill -WINCH $pid; sleep 0.05; kill -TERM $pid; wait $pid; echo $?`)},
	{name: "init and a signal that ends it", argv: shell(`/srv/hardrun --init --user=nobody -- /bin/sh -c '>/tmp/up; exec sleep 9' & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done; sleep 0.05
kill -ALRM $pid; wait $pid; echo $?`)},
	{name: "pids and a signal that is the default's", argv: shell(`/srv/hardrun --private-pids --user=nobody -- /bin/sh -c '>/tmp/up; exec sleep 9' & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done; sleep 0.05
cat /proc/$pid/comm; grep ^Cap /proc/$pid/status; ls /proc/$pid/fd; kill -TERM $pid; wait $pid; echo $?`)},
	{name: "a group, and its parent", argv: shell(`/srv/hardrun --private-pids --device-allow=/dev/null --user=nobody -- /bin/sh -c 'echo up; exec sleep 0.3' & pid=$!
sleep 0.2; grep ^Cap /proc/$pid/status; ls /proc/$pid/fd; wait $pid; echo $?; ls /sys/fs/cgroup/unified | grep hardrun`)},
	{name: "pids and a signal that waits", argv: shell(`/srv/hardrun --private-pids -- /usr/bin/perl -MPOSIX -e '$s = POSIX::SigSet->new(SIGTERM); sigprocmask(SIG_BLOCK, $s);
open(F, ">", "/tmp/up"); select(undef, undef, undef, 0.2); sigprocmask(SIG_UNBLOCK, $s); sleep 5' & pid=$!
until [ -e /tmp/up ]; do sleep 0.003; done
kill -TERM $pid; wait $pid; echo $?`)},
	{name: "init and a key", argv: shell(`script -qec "/srv/hardrun --init --user=nobody -- /bin/sh -c 'trap \"echo int >>/tmp/said; exit 3\" INT; >/tmp/up; while :; do sleep 0.01; done' 2>/tmp/err" /dev/null <<X &
$(until [ -e /tmp/up ]; do sleep 0.003; done; printf '\003'; sleep 0.3)
X
wait $!; echo $?; cat /tmp/said /tmp/err`)},
	{name: "explained in a parent", argv: []string{"/srv/hardrun", "--init", "--explain-denials", "--system-call-filter=~@clock chown:EPERM", "--user=nobody", "--", "/bin/sh", "-c", "chown 0 /tmp; exit 4"}},
	{name: "explained by an old kernel", older: []uint32{unix.SYS_CLOSE_RANGE}, argv: []string{"/srv/hardrun", "--explain-denials", "--system-call-filter=~chown:EPERM", "--user=nobody", "--", "/bin/sh", "-c", "chown 0 /tmp; exit 4"}},

	// Who starts hardrun leaves it little.
	{name: "few descriptors", argv: shell("ulimit -n 16; exec /srv/hardrun --user=nobody -- /srv/probe")},
	{name: "enough descriptors", argv: shell("ulimit -n 40; exec /srv/hardrun --user=nobody --system-call-filter=~@clock -- /srv/probe")},
	{name: "few, of more", argv: shell("ulimit -Sn 8; exec /srv/hardrun --user=nobody -- /srv/probe")},
	{name: "little memory", argv: shell("ulimit -v 100000; exec /srv/hardrun --user=nobody -- /srv/probe")},
	{name: "little memory, of more", argv: shell("ulimit -Sv 100000; exec /srv/hardrun --user=nobody -- /srv/probe")},
	{name: "little data", argv: shell("ulimit -d 10000; exec /srv/hardrun --user=nobody -- /srv/probe")},
	{name: "few processes", argv: shell("exec prlimit --nproc=3 setpriv --reuid=65534 --regid=65534 --clear-groups /srv/hardrun --nice=3 -- /srv/probe")},
	{name: "some processes", argv: shell("exec prlimit --nproc=30 setpriv --reuid=65534 --regid=65534 --clear-groups /srv/hardrun --nice=3 -- /srv/probe")},
	{name: "small files", argv: shell("ulimit -Sf 1; exec /srv/hardrun --private-pids --private-users=self -- /srv/probe")},
	{name: "nothing in /proc", argv: shell("umount -l /proc; mount -t tmpfs none /proc; exec /srv/hardrun --user=nobody --private-tmp --nice=3 --limit-core=0 --ignore-sigpipe -- /srv/probe")},
	{name: "variables of the runtime", argv: shell("GODEBUG=x GOGC=1 GOMAXPROCS=9 GOTRACEBACK=all GOMEMLIMIT=1 GOOTHER=y GO=z /srv/hardrun --explain-denials --system-call-filter=~@clock --user=nobody -- /usr/bin/env | grep GO")},
	{name: "variables of the runtime in a parent", argv: shell("GODEBUG=x GOMAXPROCS=9 /srv/hardrun --unit=/srv/env.service | grep GO"), files: map[string]string{"env.service": serviceHead + "PassEnvironment=GODEBUG GOMAXPROCS\nUser=nobody\nExecStart=/usr/bin/env\nExecStartPost=/bin/true\n"}},
	{name: "a closed stdin and stderr", argv: shell("exec 0<&- 2>&-; exec /srv/hardrun --user=nobody -- /srv/probe open:/srv/other:r")},
	{name: "a real-time caller", argv: shell("exec chrt -r 5 /srv/hardrun --unit=/srv/realtime.service"), files: map[string]string{"realtime.service": serviceHead + "User=nobody\nExecStart=/srv/probe\nExecStartPost=/bin/true\n"}},
	{name: "on one CPU", argv: shell("exec taskset 1 /srv/hardrun --unit=/srv/realtime.service")},
	{name: "passed", argv: shell(`exec 3</srv/other 4>/tmp/four; LISTEN_FDS=2 LISTEN_FDNAMES=one: LISTEN_PID=$$ exec /srv/hardrun --unit=/srv/passed.service`), files: map[string]string{"passed.service": serviceHead + "User=nobody\nExecStart=/bin/sh -c 'ls /proc/self/fd; echo $$LISTEN_FDS $$LISTEN_FDNAMES; cat <&3'\nExecStartPost=/bin/true\n"}},
	{name: "passed to another", argv: shell(`exec 3</srv/other; LISTEN_FDS=1 LISTEN_PID=1 exec /srv/hardrun --unit=/srv/passed.service`)},
	{name: "passed, too many", argv: shell(`LISTEN_FDS=5000 LISTEN_PID=$$ exec /srv/hardrun --unit=/srv/passed.service`)},
	{name: "passed, no count", argv: shell(`LISTEN_FDS=x LISTEN_PID=$$ exec /srv/hardrun --unit=/srv/passed.service`)},
	{name: "passed, not there", argv: shell(`LISTEN_FDS=2 LISTEN_PID=$$ exec /srv/hardrun --unit=/srv/passed.service`)},
	{name: "ready", argv: shell(`exec 5>/tmp/ready; /srv/hardrun --unit=/srv/passed.service --ready-fd=5; cat /tmp/ready`)},
	{name: "ready, not passed", argv: shell(`exec /srv/hardrun --unit=/srv/passed.service --ready-fd=9`)},
	{name: "credentials of the caller", argv: shell(`mkdir /tmp/creds; echo a >/tmp/creds/one; CREDENTIALS_DIRECTORY=/tmp/creds exec /srv/hardrun --load-credential=one --import-credential='o*:named.' --user=nobody -- /bin/sh -c 'cat $CREDENTIALS_DIRECTORY/*'`)},
	{name: "shared", argv: []string{"/srv/hardrun", "--unit=/srv/shared.service"}, files: map[string]string{"shared.service": serviceHead + `User=nobody
PrivateNetwork=yes
PrivateIPC=yes
PrivateTmp=yes
RuntimeDirectory=shared
ExecStartPre=/bin/sh -c 'echo a >/tmp/a; echo b >/var/tmp/b; readlink /proc/self/ns/net | tr -d 0-9'
ExecStart=/bin/sh -c 'cat /tmp/a /var/tmp/b; ls /tmp /var/tmp'
`}},
	{name: "shared, disconnected", argv: []string{"/srv/hardrun", "--unit=/srv/disconnected.service"}, files: map[string]string{"disconnected.service": serviceHead + `User=nobody
PrivateTmp=disconnected
ExecStartPre=/bin/sh -c 'echo a >/tmp/a; echo b >/var/tmp/b'
ExecStart=/bin/sh -c 'cat /tmp/a /var/tmp/b; exit 3'
`}},
	{name: "fails before", argv: []string{"/srv/hardrun", "--unit=/srv/fails.service"}, files: map[string]string{"fails.service": serviceHead + "RuntimeDirectory=fails\nExecStartPre=/bin/sh -c 'exit 9'\nExecStart=/srv/probe\nExecStopPost=/bin/sh -c 'echo $$SERVICE_RESULT'\n"}},
	{name: "skipped by a command", argv: []string{"/srv/hardrun", "--unit=/srv/condition.service"}, files: map[string]string{"condition.service": serviceHead + "RuntimeDirectory=skip\nExecCondition=/bin/sh -c 'exit 1'\nExecStart=/srv/probe\n"}},
	{name: "asserted", argv: []string{"/srv/hardrun", "--unit=/srv/asserted.service"}, files: map[string]string{"asserted.service": "[Unit]\nAssertPathExists=/none\n" + serviceHead + "ExecStart=/srv/probe\n"}},
	{name: "two that share a directory", argv: shell(`/srv/hardrun --unit=/srv/two.service & until [ -e /tmp/up ]; do sleep 0.003; done
/srv/hardrun --unit=/srv/two-refused.service; ls -R /run; touch /tmp/end; wait; ls -R /run`), files: map[string]string{
		"two.service":         serviceHead + "RuntimeDirectory=two\nUser=nobody\nExecStart=/bin/sh -c '>/tmp/up; until [ -e /tmp/end ]; do sleep 0.01; done'\nExecStopPost=/bin/true\n",
		"two-refused.service": serviceHead + "RuntimeDirectory=two\nUser=nobody\nReadOnlyPaths=/none\nExecStart=/bin/true\n",
	}},

	// Calls that lie, of those that the executor makes.
	{name: "sched_setaffinity lies", argv: lied("sched_setaffinity", "--unit=/srv/parent.service")},
	{name: "rt_sigaction lies", argv: lied("rt_sigaction", "--unit=/srv/parent.service")},
	{name: "prctl lies", argv: lied("prctl", "--unit=/srv/parent.service")},
	{name: "setsid lies", argv: lied("setsid", "--unit=/srv/parent.service")},
	{name: "sched_setaffinity lies, 2", argv: lied("sched_setaffinity", "--user=nobody -- /srv/probe")},
	{name: "prctl lies, 2", argv: lied("prctl", "--user=nobody --no-new-privs -- /srv/probe")},
	{name: "setresuid lies", argv: lied("setresuid", "--user=nobody -- /srv/probe")},
	{name: "setresgid lies", argv: lied("setresgid", "--user=nobody -- /srv/probe")},
	{name: "setgroups lies", argv: lied("setgroups", "--user=nobody -- /srv/probe")},
	{name: "capset lies", argv: lied("capset", "--user=nobody --caps=net_bind_service -- /srv/probe")},
	{name: "setpriority lies", argv: lied("setpriority", "--nice=5 -- /srv/probe")},
	{name: "prlimit64 lies", argv: lied("prlimit64", "--limit-core=0 --limit-nofile=99 -- /srv/probe")},
	{name: "personality lies", argv: lied("personality", "--personality=x86 -- /srv/probe")},
	{name: "sched_setattr lies", argv: lied("sched_setattr", "--cpu-scheduling-policy=batch -- /srv/probe")},
	{name: "sched_setscheduler lies", argv: lied("sched_setscheduler", "--cpu-scheduling-policy=batch -- /srv/probe")},
	{name: "ioprio_set lies", argv: lied("ioprio_set", "--io-scheduling-class=idle -- /srv/probe")},
	{name: "set_mempolicy lies", argv: lied("set_mempolicy", "--numa-policy=local -- /srv/probe")},
	{name: "umask lies", argv: lied("umask", "--umask=0027 -- /srv/probe")},
	{name: "chdir lies", argv: lied("chdir", "--working-directory=/srv -- /srv/probe")},
	{name: "keyctl lies", argv: lied("keyctl", "--keyring-mode=private -- /srv/probe")},
	{name: "seccomp lies", argv: lied("seccomp", "--system-call-filter=~@clock -- /srv/probe")},
	{name: "unshare lies", argv: lied("unshare", "--private-network --private-tmp -- /srv/probe stat:/tmp/marker")},
	{name: "mount lies", argv: lied("mount", "--private-tmp --protect-system=strict -- /srv/probe stat:/tmp/marker open:/srv/other:w")},
	{name: "mount_setattr lies", argv: lied("mount_setattr", "--protect-system=strict -- /srv/probe open:/srv/other:w")},
	{name: "move_mount lies", argv: lied("move_mount", "--private-tmp --private-devices -- /srv/probe stat:/tmp/marker")},
	{name: "pivot_root lies", argv: lied("pivot_root", "--root-directory=/srv/root -- /probe stat:/etc/passwd")},
	{name: "chroot lies", argv: lied("chroot", "--chroot=/srv/root -- /probe stat:/etc/passwd")},
	{name: "sethostname lies", argv: lied("sethostname", "--protect-hostname=yes:inside -- /srv/probe")},
	{name: "setsid lies, 2", argv: lied("setsid", "--private-users --private-pids --user=nobody -- /srv/probe")},
	{name: "prctl lies, 3", argv: lied("prctl", "--private-pids --private-users=self --user=nobody -- /srv/probe")},
	{name: "rt_sigprocmask lies", argv: lied("rt_sigprocmask", "--ignore-sigpipe --private-pids -- /srv/probe")},
	{name: "setns lies", argv: lied("setns", "--private-pids --private-pids=no -- /srv/probe")},
	{name: "fchdir lies", argv: lied("fchdir", "--root-directory=/srv/root -- /probe")},
	{name: "close_range lies", argv: lied("close_range", "--user=nobody -- /srv/probe")},
	{name: "fcntl lies", argv: lied("fcntl", "--unit=/srv/directories.service")},
	{name: "fchmod lies", argv: lied("fchmod", "--unit=/srv/directories.service")},
	{name: "fchown lies", argv: lied("fchown", "--unit=/srv/directories.service")},
	{name: "mkdirat lies", argv: lied("mkdirat", "--unit=/srv/directories.service")},
	{name: "bind lies", argv: lied("bind", "--unit=/srv/socket.service --socket")},
	{name: "listen lies", argv: lied("listen", "--unit=/srv/socket.service --socket")},

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
		return b.String() + anyNumber.ReplaceAllString(r.Stdout, "#")
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
