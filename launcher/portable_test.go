package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// rootOn is root on another system than Linux, where the daemon's user is www.
func rootOn(system string) *Env {
	env := &Env{
		For: "root", GOOS: system, GOARCH: "amd64", PID: 100,
		Snapshot:   Snapshot{Environ: []string{"PATH=/bin", "A=1"}},
		Command:    Command{Args: []string{"named", "-f"}, Path: "/usr/sbin/named"},
		User:       caps.User{Name: "www", UID: 33, GID: 34, Home: "/var/www", Shell: "/sbin/nologin", Entry: true},
		UserGroups: []uint32{34, 27},
	}
	for n := range env.Limits {
		env.Limits[n] = process.Limit{Soft: process.Infinity, Hard: process.Infinity}
	}
	env.Limits[7] = process.Limit{Soft: 19999, Hard: 20000} // NOFILE, as the Go runtime raised it
	return env
}

func policyOf(t *testing.T, settings ...string) *policy.Policy {
	t.Helper()
	p := &policy.Policy{}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: 3}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func refusalLines(pl *Plan) []string {
	var lines []string
	for i := range pl.Refused {
		lines = append(lines, pl.Refused[i].Error())
	}
	return lines
}

// Every directive that is applied on Linux stands in one of these two, but for those of a
// service's life, which no other system has. On the others it is planned, or refused by its
// name.
var (
	alsoElsewhere = []string{
		"BindLogSockets=no", "X-Hardrun-Chroot=/srv", "X-Hardrun-ClearEnv=yes", "X-Hardrun-Env=B=2", "Environment=B=2",
		"EnvironmentFile=/etc/e", "ExecSearchPath=/opt", "Group=g", "IgnoreSIGPIPE=yes", "X-Hardrun-KeepFD=3",
		"X-Hardrun-KeepTTY=yes", "LimitAS=1G", "LimitCORE=0", "LimitCPU=10", "LimitDATA=1G", "LimitFSIZE=1M",
		"LimitMEMLOCK=1M", "LimitNOFILE=64", "LimitNPROC=9", "LimitRSS=1G", "LimitSTACK=1M", "X-Hardrun-Log=stderr",
		"MountAPIVFS=no", "X-Hardrun-Parent=auto", "Nice=5", "PassEnvironment=A", "RootDirectory=/srv",
		"SetLoginEnvironment=yes", "StandardError=null", "StandardInput=null", "StandardOutput=append:/var/log/x",
		"X-Hardrun-Strict=no", "SupplementaryGroups=g", "UMask=027", "X-Hardrun-Unknown=refuse", "UnsetEnvironment=A",
		"User=www", "X-Hardrun-Waive=Nice", "WorkingDirectory=/var",
	}
	onlyOnLinux = []string{
		"AmbientCapabilities=CAP_KILL", "AppArmorProfile=p", "CPUAffinity=0", "CPUSchedulingPolicy=idle",
		"CPUSchedulingPriority=0", "CPUSchedulingResetOnFork=yes", "CapabilityBoundingSet=CAP_KILL",
		"X-Hardrun-Caps=kill", "CoredumpFilter=all", "IOSchedulingClass=idle", "IOSchedulingPriority=4",
		"X-Hardrun-Init=yes", "KeyringMode=private", "LimitLOCKS=1", "LimitMSGQUEUE=1", "LimitNICE=20", "LimitRTPRIO=1",
		"LimitRTTIME=1", "LimitSIGPENDING=1", "MemoryKSM=yes", "MemoryTHP=disable", "NUMAMask=0", "NUMAPolicy=local",
		"NoNewPrivileges=yes", "OOMScoreAdjust=5", "Personality=x86-64", "SELinuxContext=c", "X-Hardrun-SeccompBPF=/f",
		"SecureBits=noroot", "SmackProcessLabel=l", "StandardInputData=aGk=", "StandardInputText=hi", "TTYColumns=80",
		"TTYPath=/dev/tty1", "TTYReset=yes", "TTYRows=24", "TTYVHangup=yes", "TTYVTDisallocate=yes", "TimerSlackNSec=1us",
		"PrivateNetwork=yes", "NetworkNamespacePath=/n", "PrivateIPC=yes", "IPCNamespacePath=/n", "PrivateMounts=yes",
		"MountFlags=slave", "PrivatePIDs=yes", "PrivateUsers=yes", "UserNamespacePath=/n", "ProtectHostname=yes",
		"DelegateNamespaces=net", "ProtectSystem=yes", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
		"ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectClock=yes",
		"ProtectControlGroups=yes", "ProtectProc=invisible", "ProcSubset=pid", "PrivateBPF=yes", "ReadWritePaths=/a",
		"ReadOnlyPaths=/a", "InaccessiblePaths=/a", "ExecPaths=/a", "NoExecPaths=/a", "BindPaths=/a", "BindReadOnlyPaths=/a",
		"TemporaryFileSystem=/a", "X-Hardrun-Bind=/a", "X-Hardrun-RoBind=/a", "X-Hardrun-Tmpfs=/a", "X-Hardrun-MinimalRoot=yes",
		"X-Hardrun-AllowLandlock=ReadOnlyPaths", "SystemCallFilter=~@mount", "SystemCallErrorNumber=EPERM",
		"SystemCallArchitectures=native", "SystemCallLog=@clock", "RestrictAddressFamilies=AF_UNIX", "RestrictNamespaces=yes",
		"RestrictRealtime=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes",
		"X-Hardrun-AllowNewCalls=yes", "X-Hardrun-FilterBackend=libseccomp", "X-Hardrun-FilterOut=/f", "X-Hardrun-ExplainDenials=yes",
		"DevicePolicy=closed", "DeviceAllow=/dev/null", "IPAddressAllow=localhost", "IPAddressDeny=any", "SocketBindAllow=80",
		"SocketBindDeny=any", "RestrictNetworkInterfaces=lo", "RestrictFileSystems=tmpfs", "BindNetworkInterface=lo",
		"IPIngressFilterPath=/b", "IPEgressFilterPath=/b", "BPFProgram=egress:/b", "MemoryMin=1M", "MemoryLow=1M", "MemoryHigh=1G",
		"MemoryMax=1G", "MemorySwapMax=0", "MemoryZSwapMax=0", "MemoryZSwapWriteback=no", "TasksMax=9", "CPUWeight=50", "CPUQuota=20%",
		"CPUQuotaPeriodSec=10ms", "AllowedCPUs=0", "AllowedMemoryNodes=0", "CPUSetPartition=root", "IOWeight=50",
		"IODeviceWeight=/a 50", "IOReadBandwidthMax=/a 1M", "IOWriteBandwidthMax=/a 1M", "IOReadIOPSMax=/a 9", "IOWriteIOPSMax=/a 9",
		"IODeviceLatencyTargetSec=/a 25ms", "Delegate=yes", "DelegateSubgroup=main", "KillMode=mixed", "X-Hardrun-CGroup=/a",
	}
	ofServices = []string{"StateDirectory=a", "Type=notify", "LoadCredential=a:/b", "RuntimeMaxSec=1h", "NonBlocking=yes", "ExecStartPre=/bin/true"}
)

func TestEachDirectiveElsewhere(t *testing.T) {
	decided := make(map[string]bool)
	for _, s := range append(slices.Clone(alsoElsewhere), onlyOnLinux...) {
		name, _, _ := strings.Cut(s, "=")
		if decided[name] {
			t.Errorf("%s stands in both lists", name)
		}
		decided[name] = true
	}
	for _, d := range policy.Directives {
		if d.Support == policy.Applied && !decided[d.ConfigName()] && portableTo("netbsd", d.Name) {
			t.Errorf("%s= is applied, and this test does not say what becomes of it on other systems", d.ConfigName())
		}
	}
	for _, system := range []string{"netbsd", "freebsd", "openbsd"} {
		for _, s := range []string{"MountAPIVFS=yes", "BindLogSockets=yes"} {
			name, _, _ := strings.Cut(s, "=")
			want := name + "=: Linux only, not on " + system + " (x.service:3)"
			if got := refusalLines(Compile(policyOf(t, s), rootOn(system))); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s: got %q, want %q", system, s, got, want)
			}
		}
		for _, s := range alsoElsewhere {
			if system == "openbsd" && strings.HasPrefix(s, "LimitAS=") {
				continue
			}
			if pl := Compile(policyOf(t, s), rootOn(system)); len(pl.Refused) > 0 {
				t.Errorf("%s: %s: refused: %s", system, s, refusalLines(pl))
			}
		}
		for _, s := range append(slices.Concat(onlyOnLinux, ofServices), map[string][]string{"openbsd": {"LimitAS=1G"}}[system]...) {
			p := &policy.Policy{}
			name, value, _ := strings.Cut(s, "=")
			if d := policy.Lookup(name); d == nil || d.Support != policy.Applied {
				t.Errorf("%s is not applied on any system", name)
				continue
			}
			if err := p.Set(name, value, policy.Origin{File: "x.service", Line: 3}); err != nil {
				t.Errorf("%s: %v", s, err)
				continue
			}
			want := name + "=: Linux only, not on " + system + " (x.service:3)"
			if real := map[string]string{"X-Hardrun-Bind": "BindPaths", "X-Hardrun-RoBind": "BindReadOnlyPaths", "X-Hardrun-Tmpfs": "TemporaryFileSystem"}[name]; real != "" {
				want = real + "=: Linux only, not on " + system + " (x.service:3)" // the short forms of these
			}
			if name == "StandardInputData" || name == "StandardInputText" {
				want = "StandardInputData=: Linux only, not on " + system + ", and StandardInputText= neither (x.service:3)"
			}
			if got := refusalLines(Compile(p, rootOn(system))); len(got) == 0 || got[0] != want {
				t.Errorf("%s: %s: got %q, want %q", system, s, got, want)
			}
		}
	}
}

// One option is one line: what --caps implies is not refused beside it.
func TestImpliedIsNotRefusedElsewhere(t *testing.T) {
	got := refusalLines(Compile(policyOf(t, "User=www", "X-Hardrun-Caps=kill"), rootOn("netbsd")))
	if want := []string{"X-Hardrun-Caps=: Linux only, not on netbsd (x.service:3)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStreamsElsewhere(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{"StandardInput=tty", `StandardInput=: "tty" is Linux only, not on netbsd (x.service:3)`},
		{"StandardInput=tty-force", `StandardInput=: "tty-force" is Linux only, not on netbsd (x.service:3)`},
		{"StandardInput=tty-fail", `StandardInput=: "tty-fail" is Linux only, not on netbsd (x.service:3)`},
		{"StandardInput=data", `StandardInput=: "data" is Linux only, not on netbsd (x.service:3)`},
		{"StandardOutput=tty", `StandardOutput=: "tty" is Linux only, not on netbsd (x.service:3)`},
		{"StandardError=tty", `StandardError=: "tty" is Linux only, not on netbsd (x.service:3)`},
	} {
		if got := refusalLines(Compile(policyOf(t, tt.set), rootOn("netbsd"))); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: got %q, want %q", tt.set, got, tt.want)
		}
	}
}

// The plan of everything portable, in its order, and nothing of Linux in it.
func TestPlanElsewhere(t *testing.T) {
	env := rootOn("netbsd")
	env.Terminal = true
	env.Limits[7] = process.Limit{Soft: 100, Hard: 100}
	pl := Compile(policyOf(t, "User=www", "RootDirectory=/srv/named", "WorkingDirectory=/var", "UMask=027", "Nice=5",
		"LimitNPROC=9", "LimitNOFILE=64:200", "StandardInput=null", "StandardOutput=append:/var/log/x", "StandardError=inherit",
		"IgnoreSIGPIPE=yes", "MountAPIVFS=no", "Environment=B=2"), env)
	if len(pl.Refused) > 0 {
		t.Fatalf("refused: %q", refusalLines(pl))
	}
	var got []string
	for _, e := range pl.Entries {
		got = append(got, e.Stage.String()+": "+e.Step.String())
	}
	want := []string{
		"terminal: give up the controlling terminal",
		"streams: stdin on /dev/null",
		"streams: stdout to /var/log/x, append",
		"streams: stderr as stdout",
		"environment: 6 variables",
		"root: root /srv/named",
		"command: open /usr/sbin/named",
		"descriptors: close all from 3 on",
		"process: nice 5",
		"umask: umask 0027",
		"limits: NOFILE 100:200",
		"groups: set groups {34,27}",
		"groups: set gid 34 (real, effective, saved)",
		"user: set uid 33 (real, effective, saved)",
		"directory: change to /var",
		"limits: NPROC 9",
		"limits: NOFILE 64:200",
		"signals: ignored {13}, blocked {}, others default",
		"exec: /usr/sbin/named -f",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"PATH=/bin", "A=1", "HOME=/var/www", "LOGNAME=www", "USER=www", "B=2"}; !slices.Equal(pl.Environ(), want) {
		t.Errorf("environment: got %q, want %q", pl.Environ(), want)
	}
	for _, n := range pl.Notes {
		if n.ID == "inherited" && (strings.Contains(n.Text, "bounding set") || strings.Contains(n.Text, "no_new_privs") || strings.Contains(n.Text, "keyring")) {
			t.Errorf("the plan speaks of what only Linux has: %s", n.Text)
		}
	}
}

// What RootDirectory= implies for a view does not take the root itself away.
func TestRootElsewhere(t *testing.T) {
	for _, settings := range [][]string{
		{"RootDirectory=/srv"},
		{"RootDirectory=/srv", "MountAPIVFS=no", "ProtectHome=yes", "X-Hardrun-Waive=ProtectHome"},
	} {
		pl := Compile(policyOf(t, settings...), rootOn("netbsd"))
		if len(pl.Refused) > 0 {
			t.Fatalf("%q: refused: %q", settings, refusalLines(pl))
		}
		if !slices.ContainsFunc(pl.Entries, func(e Entry) bool { return e.Step.String() == "root /srv" }) {
			t.Errorf("%q: the root is not changed", settings)
		}
	}
}

// A waiver lets the launch go on without the directive, and without its steps;
// under --strict it does not.
func TestWaiverElsewhere(t *testing.T) {
	settings := []string{
		"X-Hardrun-Caps=kill", "OOMScoreAdjust=5", "LimitLOCKS=1", "LimitAS=1G", "TimerSlackNSec=1us", "Nice=5",
		"X-Hardrun-Waive=Caps,OOMScoreAdjust,LimitLOCKS,LimitAS,TimerSlackNSec",
	}
	pl := Compile(policyOf(t, settings...), rootOn("openbsd"))
	if len(pl.Refused) > 0 || len(pl.Waived) != 5 {
		t.Errorf("refused %q, waived %d, want none and 5", refusalLines(pl), len(pl.Waived))
	}
	var got []string
	for _, e := range pl.Entries {
		got = append(got, e.Step.String())
	}
	if want := []string{"open /usr/sbin/named", "close all from 3 on", "nice 5", "/usr/sbin/named -f"}; !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	if pl := Compile(policyOf(t, append(settings, "X-Hardrun-Strict=yes")...), rootOn("openbsd")); len(pl.Refused) != 5 {
		t.Errorf("strict: refused %q, want 5", refusalLines(pl))
	}
}

// Without root the plan says so by the directive's name.
func TestPrivilegeElsewhere(t *testing.T) {
	user := rootOn("freebsd")
	user.UIDs, user.GIDs = [3]uint32{1000, 1000, 1000}, [3]uint32{1000, 1000, 1000}
	user.Limits[7] = process.Limit{Soft: 100, Hard: 100}
	for _, tt := range []struct{ set, want string }{
		{"X-Hardrun-Chroot=/srv", "RootDirectory=: chroot(2) needs root (x.service:3)"},
		{"LimitNOFILE=200", "LimitNOFILE=: raising the hard limit from 100 needs root (x.service:3)"},
	} {
		if got := refusalLines(Compile(policyOf(t, tt.set), user)); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: got %q, want %q", tt.set, got, tt.want)
		}
	}
	if got := refusalLines(Compile(policyOf(t, "LimitNOFILE=50"), user)); got != nil {
		t.Errorf("lowering a limit needs nothing: %q", got)
	}
}

func TestNotesElsewhere(t *testing.T) {
	ids := func(pl *Plan) []string {
		var list []string
		for _, n := range pl.Notes {
			list = append(list, n.ID)
		}
		return list
	}
	got := ids(Compile(policyOf(t, "X-Hardrun-Chroot=/srv"), rootOn("netbsd")))
	for _, want := range []string{"signals-default", "closed-as-null", "chroot-escape"} {
		if !slices.Contains(got, want) {
			t.Errorf("notes %q, want %s among them", got, want)
		}
	}
	got = ids(Compile(policyOf(t, "X-Hardrun-Chroot=/srv", "User=www", "IgnoreSIGPIPE=no"), rootOn("netbsd")))
	for _, not := range []string{"signals-default", "chroot-escape"} {
		if slices.Contains(got, not) {
			t.Errorf("notes %q, and %s should not be among them", got, not)
		}
	}
}
