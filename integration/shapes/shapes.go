// Package shapes has the twelve kinds of launches that the matrices of the tests try: from
// the smallest to everything at once. The daemon is probe.c, which prints its complete
// confinement and tries what it is forbidden; starter.c starts it where rights are
// missing.
package shapes

import "strings"

// Shape is one kind of launch. Its files stand below /srv: probe, hardrun, other, data/,
// hidden/, root/, and its units.
type Shape struct {
	Name    string
	Options []string
	// Files are units and what belongs to them, by name; Unit names the one to start, if
	// any. PROBE stands for the daemon with its acts.
	Files map[string]string
	Unit  string
	// Daemon is the path of the probe in the daemon's view, "/srv/probe" where it is "".
	Daemon string
	// Has are lines that Report.Lines must have with all rights, so that a shape which asks
	// for nothing cannot pass. "..." at the end stands for the rest of the line.
	Has []string
	// Forbidden are acts that must fail; each works for root without hardrun. Allowed are
	// acts that must work.
	Forbidden, Allowed []string
}

// Argv is the command of a start, to be run where the files are.
func (s *Shape) Argv() []string {
	argv := append([]string{"/srv/hardrun"}, s.Options...)
	if s.Unit != "" {
		return append(argv, "--unit=/srv/"+s.Unit)
	}
	return append(append(argv, "--", s.daemon()), s.Acts()...)
}

func (s *Shape) daemon() string {
	if s.Daemon != "" {
		return s.Daemon
	}
	return "/srv/probe"
}

// Acts are those of the daemon: what is forbidden, then what is allowed.
func (s *Shape) Acts() []string {
	return append(append([]string{}, s.Forbidden...), s.Allowed...)
}

// Text is a file of the shape with the daemon's command line in it.
func (s *Shape) Text(name string) string {
	return strings.ReplaceAll(s.Files[name], "PROBE", s.daemon()+" "+strings.Join(s.Acts(), " "))
}

// Asked is what the shape asks for as one reads it.
func (s *Shape) Asked() string {
	if s.Unit == "" {
		return strings.Join(s.Options, " ")
	}
	var lines []string
	for l := range strings.Lines(s.Files[s.Unit]) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '[' && !strings.HasPrefix(l, "ExecStart=") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "; ")
}

// Limits are written out in units, as systemd's defaults are left out where they cannot
// be had.
const unitHead = `[Service]
LimitNOFILE=512:1024
LimitMEMLOCK=64K
ExecStart=PROBE
`

const restricted = `RestrictAddressFamilies=AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
ProtectClock=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectHostname=yes
`

var (
	noRoot     = []string{"setuid0", "setgroups", "raise:21", "open:/etc/shadow:r"}
	noPath     = []string{"open:/srv/other:w", "stat:/home/marker", "open:/srv/hidden/file:r", "run:/srv/data/probe:exit:0", "put:/proc/sys/kernel/domainname:x"}
	noneOfHost = []string{"stat:/tmp/marker", "stat:/dev/kmsg", "unix-connect:@outside", "shm-find:0x4d21", "sethostname:x"}
	noCalls    = []string{
		"socket:2", "unshare:40000000", "unshare:4000000", "fifo-scheduling", "set-uid", "personality", "writable-code", "set-time",
		"kernel-log", "setns", "chroot:/", "io-uring",
	}
)

// List are the twelve.
var List = []Shape{
	{
		Name:      "user",
		Options:   []string{"--user=nobody"},
		Has:       []string{"uids: [65534,65534,65534,65534]", "groups: [65534]", "cap_prm: 0000000000000000"},
		Forbidden: noRoot,
	},
	{
		Name:      "groups and ambient",
		Options:   []string{"--user=nobody", "--supplementary-groups=daemon adm", "--ambient-capabilities=CAP_NET_BIND_SERVICE CAP_NET_ADMIN"},
		Has:       []string{"groups: [1,4,65534]", "cap_amb: 0000000000001400", "cap_prm: 0000000000001400"},
		Forbidden: noRoot,
		Allowed:   []string{"bind:53"},
	},
	{
		Name:      "bounding and securebits",
		Files:     map[string]string{"bounded.service": unitHead + "CapabilityBoundingSet=\nSecureBits=noroot noroot-locked\nNoNewPrivileges=yes\n"},
		Unit:      "bounded.service",
		Has:       []string{"cap_prm: 0000000000000000", "cap_bnd: 0000000000000000", "securebits: 0000000000000003", "no_new_privs: 1", "uids: [0,0,0,0]"},
		Forbidden: []string{"raise:0", "raise:21", "other-user", "setgroups", "securebits:0", "chroot:/", "chown:/srv/other:12345", "bind:53"},
	},
	{
		Name: "strict file system",
		Options: []string{
			"--user=nobody", "--protect-system=strict", "--protect-home=yes", "--read-write-paths=/srv/data", "--inaccessible-paths=/srv/hidden",
			"--no-exec-paths=/srv/data", "--protect-kernel-tunables", "--protect-control-groups", "--protect-proc=invisible",
		},
		Has:       []string{"namespace mnt: own", "mount: / / ro,..."},
		Forbidden: noPath,
		Allowed:   []string{"open:/srv/data/file:w"},
	},
	{
		Name: "private everything",
		Options: []string{
			"--user=nobody", "--private-tmp", "--private-devices", "--private-network", "--private-ipc", "--private-users", "--protect-hostname=private:box",
			"--private-mounts",
		},
		Has: []string{
			"namespace mnt: own", "namespace net: own", "namespace ipc: own", "namespace uts: own", "namespace user: own", "hostname: box", "interfaces: lo",
		},
		Forbidden: noneOfHost[:4],
		Allowed:   []string{"loopback", "create:/tmp/mine"},
	},
	{
		Name: "root and binds",
		Files: map[string]string{"rooted.service": unitHead + `User=65534
RootDirectory=/srv/root
MountAPIVFS=yes
BindPaths=/srv/data:/data
BindReadOnlyPaths=/srv/other
TemporaryFileSystem=/var:ro
`},
		Unit:      "rooted.service",
		Daemon:    "/probe",
		Has:       []string{"root: other", "namespace mnt: own", "cwd: /"},
		Forbidden: []string{"stat:/etc/passwd", "stat:/srv/data", "open:/srv/other:w", "create:/var/mine", "setuid0", "chroot-escape:/etc/passwd"},
		Allowed:   []string{"open:/data/file:w", "open:/srv/other:r"},
	},
	{
		Name: "dynamic user",
		Files: map[string]string{"dynamic.service": unitHead + `DynamicUser=yes
StateDirectory=shape
CacheDirectory=shape
LogsDirectory=shape
RuntimeDirectory=shape
`},
		Unit: "dynamic.service",
		Has: []string{
			"no_new_privs: 1", "seccomp: 2", "namespace mnt: own", "mount: / / ro,...", "env: STATE_DIRECTORY", "cap_prm: 0000000000000000",
		},
		Forbidden: append([]string{"open:/srv/other:w", "stat:/tmp/marker", "open:/home/marker:w", "set-uid"}, noRoot...),
		Allowed:   []string{"create:/var/lib/shape/mine", "create:/run/shape/mine"},
	},
	{
		Name: "allowed calls",
		Files: map[string]string{"allowed.service": unitHead + `User=nobody
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
`},
		Unit:      "allowed.service",
		Has:       []string{"seccomp: 2", "filters: 1", "thread 0 Uid: 65534 65534 65534 65534"},
		Forbidden: []string{"chroot:/", "set-time", "kernel-log", "setuid0", "nice:5"},
	},
	{
		Name:      "denied calls",
		Files:     map[string]string{"denied.service": unitHead + "User=nobody\nSystemCallFilter=~@mount @module @raw-io\nSystemCallErrorNumber=EACCES\n" + restricted},
		Unit:      "denied.service",
		Has:       []string{"seccomp: 2", "filters: 1", "cap_prm: 0000000000000000"},
		Forbidden: append([]string{"setuid0"}, noCalls...),
	},
	{
		Name: "limits",
		Options: []string{
			"--user=nobody", "--limit-nofile=512:1024", "--limit-core=0", "--limit-nproc=77", "--limit-fsize=1M", "--limit-stack=4M", "--limit-as=1G",
			"--limit-cpu=100", "--limit-memlock=64K", "--nice=5", "--oom-score-adjust=500", "--cpu-scheduling-policy=batch",
			"--cpu-scheduling-reset-on-fork", "--cpu-affinity=0", "--io-scheduling-class=best-effort", "--io-scheduling-priority=6",
			"--timer-slack-nsec=123456", "--coredump-filter=0x21", "--umask=0077", "--ignore-sigpipe", "--working-directory=/srv/data",
		},
		Has: []string{
			"nice: 5", "oom_score_adj: 500", "sched_policy: 3", "sched_reset_on_fork: 1", "affinity: 0000000000000001", "umask: 0077", "cwd: /srv/data",
			"timer_slack: 123456", "limit 7: 512 1024", "limit 4: 0 0",
		},
		Forbidden: []string{"setuid0", "nice:-5", "setrlimit:7:2048", "open-many:600"},
	},
	{
		Name: "activated, with credentials",
		Files: map[string]string{
			"activated.service": unitHead + `User=nobody
SetCredential=key:the credential
LoadCredential=file:/srv/other
PrivateMounts=yes
`,
			"activated.socket": "[Socket]\nListenStream=127.0.0.1:53\nListenDatagram=/run/activated\nSocketMode=0600\n",
		},
		Options:   []string{"--socket"},
		Unit:      "activated.service",
		Has:       []string{"uids: [65534,65534,65534,65534]", "env: LISTEN_FDS", "env: CREDENTIALS_DIRECTORY", "fd 3: ...", "fd 4: ..."},
		Forbidden: append([]string{"bind:54", "put:/run/credentials/activated.service/key:x"}, noRoot...),
		Allowed:   []string{"read:/run/credentials/activated.service/key", "read:/run/credentials/activated.service/file"},
	},
	{
		Name: "everything",
		Files: map[string]string{
			"everything.service": unitHead + `User=nobody
SupplementaryGroups=daemon adm
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SYS_CHROOT
AmbientCapabilities=CAP_NET_BIND_SERVICE
SecureBits=noroot noroot-locked no-setuid-fixup
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivatePIDs=yes
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectControlGroups=yes
ReadWritePaths=/srv/data
InaccessiblePaths=/srv/hidden
NoExecPaths=/srv/data
BindReadOnlyPaths=/srv/other:/srv/root/new
TemporaryFileSystem=/opt:ro
StateDirectory=shape
RuntimeDirectory=shape
SetCredential=key:the credential
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
LimitCORE=0
LimitNPROC=77
Nice=5
OOMScoreAdjust=500
CPUSchedulingPolicy=batch
CPUAffinity=0
IOSchedulingClass=best-effort
UMask=0077
TimerSlackNSec=123456
KeyringMode=private
` + restricted,
			"everything.socket": "[Socket]\nListenStream=127.0.0.1:53\n",
		},
		Options: []string{"--socket"},
		Unit:    "everything.service",
		Has: []string{
			"groups: [1,4,65534]", "cap_amb: 0000000000000400", "no_new_privs: 1", "seccomp: 2", "namespace mnt: own", "namespace net: own",
			"namespace ipc: own", "namespace pid: own", "namespace uts: own", "interfaces: lo", "nice: 5", "umask: 0077", "env: LISTEN_FDS", "mount: / / ro,...",
		},
		Forbidden: append(append(append([]string{"setuid0", "raise:21", "open:/etc/shadow:r"}, noPath...), noneOfHost...), noCalls...),
		Allowed:   []string{"open:/srv/data/file:w", "create:/tmp/mine", "create:/run/shape/mine"},
	},
}
