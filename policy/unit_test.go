package policy

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNeedsParent(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range []struct {
		lines string
		want  string // names, with "~" before one that only cleans up and "." before a small one
	}{
		{"", ""},
		{"ExecStart=/a|ExecStartPre=/b|ExecCondition=/c|ExecReload=/d|ExecReloadPost=/e|Type=notify", ""},
		{"ExecStart=/a|ExecStartPost=/b", "ExecStartPost"},
		{"ExecStart=/a|ExecStop=/b|ExecStopPost=/c", "ExecStop ExecStopPost"},
		{"Type=oneshot|ExecStart=/a|ExecStart=/b", "ExecStart"},
		{"Type=oneshot|ExecStart=/a|ExecStart=|ExecStart=/b", ""},
		{"ExecStart=-/a", "ExecStart"},
		{"ExecStart=/a|ExecStartPre=-/b", ""},
		{"NotifyAccess=all", "NotifyAccess"},
		{"NotifyAccess=none", ""},
		{"NotifyAccess=all|Type=notify", ""},
		{"Type=oneshot|ExecStart=/a|RemainAfterExit=yes", ""},
		{"Type=oneshot|ExecStart=/a|RemainAfterExit=yes|ExecStop=/b", "ExecStop RemainAfterExit"},
		{"Type=forking|ExecStart=/a", "Type"},
		{"ExecStart=/a|TimeoutStartSec=5", ""}, // a start is the end of execve
		{"TimeoutStartSec=5|ExecStartPre=/a", "TimeoutStartSec"},
		{"TimeoutStartSec=5|Type=notify", "TimeoutStartSec"},
		{"TimeoutStartSec=5|Type=forking|ExecStart=/a", "Type TimeoutStartSec"},
		{"TimeoutSec=5|Type=oneshot", "TimeoutStartSec TimeoutStopSec"},
		{"TimeoutStopSec=0|TimeoutStartSec=infinity|Type=notify|RuntimeMaxSec=infinity", ""},
		{"ExecStart=/a|TimeoutAbortSec=5|RuntimeMaxSec=5", "TimeoutAbortSec RuntimeMaxSec"},
		{"RuntimeMaxSec=5|Type=oneshot", ""},
		{"RuntimeRandomizedExtraSec=5", ""},
		{"KillSignal=SIGTERM|SendSIGHUP=no|SendSIGKILL=no|FinalKillSignal=SIGQUIT", ""},
		{"KillSignal=SIGQUIT|SendSIGHUP=yes", "KillSignal SendSIGHUP"},
		{"KillMode=process", ""},
		{"KillMode=none", ""},
		{"KillMode=mixed", ".KillMode"},
		{"SuccessExitStatus=0", ""},
		{"SuccessExitStatus=1", "SuccessExitStatus"},
		{"SuccessExitStatus=SIGKILL", "SuccessExitStatus"},
		{"RuntimeDirectory=a", "~RuntimeDirectory"},
		{"RuntimeDirectory=a|RuntimeDirectoryPreserve=no", "~RuntimeDirectory"},
		{"RuntimeDirectory=a|RuntimeDirectoryPreserve=yes", ""},
		{"RuntimeDirectory=a|RuntimeDirectoryPreserve=restart", ""},
		{"StateDirectory=a|CacheDirectory=b|LogsDirectory=c|ConfigurationDirectory=d|LoadCredential=a", ""},
		{"RemoveIPC=yes", ""}, // root's are never removed
		{"RemoveIPC=yes|User=www", "~RemoveIPC"},
		{"DynamicUser=yes", "~RemoveIPC"},
		{"ListenStream=/a|RemoveOnStop=yes", "~RemoveOnStop"},
		{"RemoveOnStop=yes", ""},
		{"X-Hardrun-Init=yes|PrivatePIDs=yes|X-Hardrun-ExplainDenials=yes", ".Init .PrivatePIDs .ExplainDenials"},
		{"X-Hardrun-ReadyFD=3", "ReadyFD"},
		{"X-Hardrun-Parent=always", ".Parent"},
		{"X-Hardrun-Parent=always|Type=notify", "Parent"},
		{"X-Hardrun-Parent=always|Type=notify-reload", "Parent"},
		{"X-Hardrun-Parent=never", ""},
	} {
		lines := strings.Split(c.lines, "|")
		if c.lines == "" {
			lines = nil
		}
		p := assignments(t, lines...)
		for range 2 {
			var got []string
			for _, r := range p.NeedsParent() {
				sign := ""
				if r.CleansOnly {
					sign = "~"
				}
				if r.Small {
					sign += "."
				}
				got = append(got, sign+r.Name)
				reached[r.Name] = true
				if r.Why == "" || r.From.Line == 0 {
					t.Errorf("%s: %+v", c.lines, r)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: %q, want %q", c.lines, got, c.want)
			}
			p.UnitDefaults() // and no default changes that
		}
	}
	for _, d := range Directives {
		if (d.Parent != "") != reached[d.Name] {
			t.Errorf("%s: Parent %q, and a reason was seen: %v", d.Name, d.Parent, reached[d.Name])
		}
	}
}

// TestUnitDefaults: systemd.exec(5), systemd.service(5) and systemd.kill(5), and LimitNOFILE=
// and LimitMEMLOCK= of systemd-system.conf(5).
func TestUnitDefaults(t *testing.T) {
	p := assignments(t, "ExecStart=/a", "UMask=0077")
	p.UnitDefaults()
	got := map[string]string{}
	for _, s := range p.Settings() {
		if s.From.Default {
			got[s.Directive.Name] = s.Value
		}
	}
	want := map[string]string{
		"ClearEnv": "yes", "WorkingDirectory": "/", "IgnoreSIGPIPE": "yes", "KeyringMode": "private", "DevicePolicy": "auto",
		"StandardInput": "null", "StandardOutput": "journal", "StandardError": "inherit", "LimitNOFILE": "1024:524288", "LimitMEMLOCK": "8M",
		"Type": "simple", "TimeoutStartSec": "90s", "TimeoutStopSec": "90s", "RuntimeMaxSec": "infinity", "KillMode": "control-group",
		"KillSignal": "SIGTERM", "FinalKillSignal": "SIGKILL", "WatchdogSignal": "SIGABRT", "ReloadSignal": "SIGHUP", "SendSIGKILL": "yes",
		"TimeoutStartFailureMode": "terminate", "TimeoutStopFailureMode": "terminate", "NotifyAccess": "none",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults %v,\nwant %v", got, want)
	}
	if p.UMask.V != 0o077 || p.UMask.From.Default {
		t.Errorf("what was written is gone: %+v", p.UMask)
	}
	q := p
	q.UnitDefaults()
	if !reflect.DeepEqual(p, q) {
		t.Error("a second time it changes something")
	}
	// What the table says of a default is what is set.
	for name, v := range got {
		d := Lookup(name)
		if d == nil || name == "ClearEnv" { // yes in a unit, no without
			continue
		}
		if d.Default != "" && d.Default != v {
			t.Errorf("%s: default %q, and %q is set", name, d.Default, v)
		}
	}
	for _, c := range []struct {
		lines, name, want string
	}{
		{"ExecStart=/a|BusName=a.b", "Type", "dbus"},
		{"ExecStart=/a|BusName=a.b|BusName=", "Type", "simple"},
		{"ExecStart=/a|LoadCredential=a", "Type", "exec"},
		{"ExecStop=/a", "Type", "oneshot"},
		{"ExecStop=/a", "TimeoutStartSec", "infinity"},
		{"ExecStart=/a|Type=oneshot", "TimeoutStartSec", "infinity"},
		{"ExecStart=/a|StandardInputText=a", "StandardInput", "data"},
		{"ExecStart=/a|StandardInput=socket", "StandardOutput", "inherit"},
		{"ExecStart=/a|StandardInput=tty", "StandardOutput", "inherit"},
		{"ExecStart=/a|StandardInput=file:/a", "StandardOutput", "journal"},
	} {
		p := assignments(t, strings.Split(c.lines, "|")...)
		p.UnitDefaults()
		found := false
		for _, s := range p.Settings() {
			if s.Directive.Name == c.name {
				found = true
				if s.Value != c.want || !s.From.Default {
					t.Errorf("%s: %s=%s (%s), want %s", c.lines, c.name, s.Value, s.From, c.want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no %s", c.lines, c.name)
		}
	}
}

// TestDynamicUser: systemd.exec(5), DynamicUser=: what it implies, over what was written
// and is weaker.
func TestDynamicUser(t *testing.T) {
	for _, c := range []struct {
		lines, want string
	}{
		{"", "PrivateTmp=disconnected ProtectSystem=strict ProtectHome=read-only RemoveIPC=yes NoNewPrivileges=yes RestrictSUIDSGID=yes SetLoginEnvironment=yes"},
		{"PrivateTmp=yes|ProtectHome=yes|ProtectSystem=strict|NoNewPrivileges=yes|SetLoginEnvironment=no", "RemoveIPC=yes RestrictSUIDSGID=yes"},
		{"PrivateTmp=no|ProtectHome=no|ProtectSystem=full|RemoveIPC=no|NoNewPrivileges=no|RestrictSUIDSGID=no|SetLoginEnvironment=no", "PrivateTmp=disconnected ProtectSystem=strict ProtectHome=read-only RemoveIPC=yes NoNewPrivileges=yes RestrictSUIDSGID=yes"},
		{"ProtectHome=tmpfs|PrivateTmp=disconnected|ProtectSystem=no|User=www", "ProtectSystem=strict RemoveIPC=yes NoNewPrivileges=yes RestrictSUIDSGID=yes SetLoginEnvironment=yes"},
	} {
		p := assignments(t, append([]string{"DynamicUser=yes"}, strings.FieldsFunc(c.lines, func(r rune) bool { return r == '|' })...)...)
		var got []string
		for _, i := range p.Normalize(false) {
			got = append(got, i.Name+"="+i.Value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.lines, got, c.want)
		}
		if again := p.Normalize(false); len(again) > 0 {
			t.Errorf("%s: a second time: %v", c.lines, again)
		}
	}
	p := assignments(t, "DynamicUser=no")
	if got := p.Normalize(false); len(got) > 0 {
		t.Errorf("DynamicUser=no implies %v", got)
	}
	// systemd.service(5), Type=notify.
	for _, l := range []string{"Type=notify", "Type=notify-reload|NotifyAccess=none"} {
		p := assignments(t, strings.Split(l, "|")...)
		p.UnitDefaults()
		p.Normalize(true)
		if p.Service.NotifyAccess.V != "main" {
			t.Errorf("%s: NotifyAccess=%s", l, p.Service.NotifyAccess.V)
		}
	}
}

// everything sets each field of a policy to something.
func everything(t *testing.T) Policy {
	var p Policy
	for _, c := range samples() {
		for i, v := range c.values {
			mustSet(t, &p, c.name, v, sampleOrigin(c.name, i+1))
		}
	}
	mustSet(t, &p, "StandardInputText", "a", line(1))
	mustSet(t, &p, "User", "www:web", option("--user"))
	p.Personality = Opt[string]{V: "x86", Set: true}
	mustSet(t, &p, "Restart", "always", line(1))
	mustSet(t, &p, "SmackLabel", "a", line(1))
	p.Expand = expandTest
	p.Service.Commands[ExecStart] = List[Command]{}
	mustSet(t, &p, "ExecStart", "+/a ; !/b ; /c", line(1))
	return p
}

// TestForCommand: what "+" takes off and what stays is decided for each field, by what
// systemd's exec child was seen to do.
func TestForCommand(t *testing.T) {
	stays := strings.Fields(`RootDirectory Chroot MountAPIVFS BindLogSockets WorkingDirectory ExecSearchPath MinimalRoot
		PrivateNetwork NetworkNamespacePath PrivateIPC IPCNamespacePath PrivateMounts MountFlags
		ReadWritePaths Binds TemporaryFileSystem
		UMask Nice OOMScoreAdjust CoredumpFilter TimerSlackNSec Personality IgnoreSIGPIPE KeyringMode
		CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork CPUAffinity NUMAPolicy NUMAMask IOSchedulingClass IOSchedulingPriority MemoryKSM MemoryTHP
		Environment EnvironmentFile PassEnvironment UnsetEnvironment ClearEnv
		StandardInput StandardOutput StandardError InputData TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns
		DevicePolicy DeviceAllow IPAddressAllow IPAddressDeny SocketBindAllow SocketBindDeny RestrictNetworkInterfaces RestrictFileSystems BindNetworkInterface IPIngressFilterPath IPEgressFilterPath BPFProgram
		MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryZSwapMax MemoryZSwapWriteback TasksMax CPUWeight CPUQuota CPUQuotaPeriodSec AllowedCPUs AllowedMemoryNodes CPUSetPartition
		IOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec CGroup Delegate DelegateSubgroup KillMode
		Service Directories DirectoryMode RuntimeDirectoryPreserve RemoveIPC Credentials Conditions Socket
		KeepFD KeepTTY Init Parent Waive Strict Unknown Log Unit UnitPath DropIn SocketUnit Do PID ReadyFD SkipStatus Noted NotApplied Expand owner`)
	goes := strings.Fields(`User Group SupplementaryGroups ExactGroups SetLoginEnvironment DynamicUser
		CapabilityBoundingSet AmbientCapabilities Caps SecureBits NoNewPrivileges SELinuxContext AppArmorProfile SmackProcessLabel SeccompBPF
		SystemCallFilter SystemCallErrorNumber SystemCallArchitectures SystemCallLog RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute AllowNewCalls FilterBackend FilterOut ExplainDenials
		PrivatePIDs PrivateUsers UserNamespacePath ProtectHostname DelegateNamespaces
		ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups ProtectProc ProcSubset PrivateBPF
		ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths AllowLandlock Limits ambientCut implied`)
	p := everything(t)
	whole := reflect.ValueOf(p)
	full, none := p.ForCommand(ExecStart, 0), p.ForCommand(ExecStart, 2)
	for i := range whole.NumField() {
		name := whole.Type().Field(i).Name
		was, is := whole.Field(i), reflect.ValueOf(full).Field(i)
		if was.IsZero() && name != "ambientCut" && name != "implied" && name != "MountAPIVFS" {
			t.Errorf("%s: the test sets nothing", name)
		}
		// MountAPIVFS= and BindLogSockets= are the sandbox's: there, they are no.
		if name == "MountAPIVFS" && full.MountAPIVFS.V || name == "BindLogSockets" && full.BindLogSockets.V {
			t.Errorf("%s: %v", name, is)
		}
		switch {
		case slices.Contains(stays, name) == slices.Contains(goes, name):
			t.Errorf("%s: it is not decided whether it stays with +", name)
		case slices.Contains(goes, name) && !is.IsZero():
			t.Errorf("%s stays with +", name)
		case slices.Contains(stays, name) && is.IsZero():
			t.Errorf("%s goes with +", name)
		}
	}
	if !reflect.DeepEqual(none.Settings(), p.Settings()) {
		t.Error("without a prefix the policy of ExecStart= is another one")
	}

	// "!": nothing but user and groups, and what DynamicUser= implies stays.
	user := p.ForCommand(ExecStart, 1)
	if user.User.Set || user.Group.Set || user.SupplementaryGroups.IsSet() || user.DynamicUser.Set || user.ExactGroups.Set {
		t.Errorf("! keeps the user: %+v", user.User)
	}
	if user.ProtectSystem.V != "strict" || !user.NoNewPrivileges.V || !user.RestrictSUIDSGID.V || user.CapabilityBoundingSet != p.CapabilityBoundingSet {
		t.Error("! takes off more than the user")
	}
	dynamic := assignments(t, "DynamicUser=yes", "ExecStart=!/a")
	user = dynamic.ForCommand(ExecStart, 0)
	for _, want := range []bool{true, false} { // it is told of once
		if told := slices.ContainsFunc(user.Normalize(true), func(i Implied) bool { return i.Name == "NoNewPrivileges" && i.Because == "DynamicUser=" }); told != want {
			t.Errorf("that DynamicUser= implies NoNewPrivileges= with ! is told: %v, want %v", told, want)
		}
	}
	if p.User.V != "www" || !p.DynamicUser.V {
		t.Error("the policy of the service was changed")
	}
}

func TestForOtherCommands(t *testing.T) {
	lines := []string{
		"User=www", "RootDirectory=/r", "ProtectSystem=strict", "LimitNOFILE=5", "PrivatePIDs=yes", "PrivateTmp=yes",
		"StandardInput=tty", "StandardOutput=socket", "OpenFile=/a", "ListenStream=53", "KillMode=mixed",
		"ExecStartPre=/a", "ExecStart=/b", "ExecStartPost=/c", "ExecStop=/d", "ExecCondition=/e",
	}
	p := assignments(t, lines...)
	for _, c := range []struct {
		list int
		tty  bool
	}{{ExecCondition, true}, {ExecStartPre, true}, {ExecStartPost, false}, {ExecStop, false}, {ExecReload, false}, {ExecStopPost, false}} {
		q := p.ForCommand(c.list, 0)
		if q.PrivatePIDs.V || q.KillMode.Set || q.Service.OpenFile.IsSet() || q.Socket.Listen.IsSet() {
			t.Errorf("%s= has what is the main process's", ExecNames[c.list])
		}
		if q.User.V != "www" || q.RootDirectory.V != "/r" || !q.Limits[limitNOFILE].Set || q.PrivateTmp.V != "yes" {
			t.Errorf("%s= has lost something", ExecNames[c.list])
		}
		if (q.StandardInput.V.Kind == StreamTTY) != c.tty || !c.tty && q.StandardInput.V.Kind != StreamNull || q.StandardOutput.V.Kind != StreamNull {
			t.Errorf("%s=: streams %+v, %+v", ExecNames[c.list], q.StandardInput.V, q.StandardOutput.V)
		}
	}
	main := p.ForCommand(ExecStart, 0)
	if !reflect.DeepEqual(main.Settings(), p.Settings()) {
		t.Error("ExecStart= has lost something")
	}
	p = assignments(t, append(lines, "RootDirectoryStartOnly=yes")...)
	if a, b := p.ForCommand(ExecStartPre, 0), p.ForCommand(ExecStart, 0); a.RootDirectory.Set || a.ProtectSystem.V != "strict" || a.User.V != "www" || b.RootDirectory.V != "/r" {
		t.Error("RootDirectoryStartOnly= is not as systemd.service(5) has it")
	}
	p = assignments(t, append(lines, "PermissionsStartOnly=yes")...)
	if a, b := p.ForCommand(ExecStop, 0), p.ForCommand(ExecStart, 0); a.User.Set || a.ProtectSystem.Set || a.Limits[limitNOFILE].Set || a.RootDirectory.V != "/r" || b.User.V != "www" || b.ProtectSystem.V != "strict" {
		t.Error("PermissionsStartOnly= is not as + for the others")
	}
}

// TestValidate: systemd.service(5), Type=, ExecStart= and Restart=.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		lines, want string
	}{
		{"ExecStart=/a", ""},
		{"ExecStart=/a|ExecStart=/b|Type=oneshot", ""},
		{"ExecStart=/a|ExecStart=/b", "named.service:2: ExecStart=: more than one command is for Type=oneshot"},
		{"ExecStart=/a ; /b", "named.service:1: ExecStart=: more than one command is for Type=oneshot"},
		{"ExecStart=/a|ExecStart=|ExecStart=/b", ""},
		{"Type=simple", "ExecStart=: is not there, and neither is ExecStop="},
		{"", "ExecStart=: is not there, and neither is ExecStop="},
		{"SuccessAction=reboot|Type=oneshot", ""},
		{"SuccessAction=none|Type=oneshot", "ExecStart=: is not there, and neither is ExecStop="},
		{"ExecStop=/a|Type=simple", "named.service:2: ExecStart=: is not there, which goes with Type=oneshot alone"},
		{"ExecStop=/a", "ExecStart=: is not there, which goes with RemainAfterExit=yes alone"},
		{"ExecStop=/a|RemainAfterExit=yes", ""},
		{"ExecStart=/a|Type=oneshot|Restart=always", "named.service:3: Restart=: always does not go with Type=oneshot"},
		{"ExecStart=/a|Type=oneshot|Restart=on-success", "named.service:3: Restart=: on-success does not go with Type=oneshot"},
		{"ExecStart=/a|Type=oneshot|Restart=always|Restart=on-failure", ""},
		{"ExecStart=/a|Restart=always", ""},
		{"ExecStart=/a|Type=oneshot|ExitType=cgroup", "named.service:3: ExitType=: cgroup does not go with Type=oneshot"},
		{"ExecStart=/a|Type=dbus", "named.service:2: Type=: dbus wants BusName="},
		{"ExecStart=/a|Type=dbus|BusName=a.b", ""},
		{"ExecStart=/a|Type=forking|PrivatePIDs=yes", "named.service:3: PrivatePIDs=: does not go with Type=forking: the namespace ends with its first process"},
		{"ExecStart=/a|MessageQueueMaxMessages=5", "named.service:2: MessageQueueMaxMessages=: goes with MessageQueueMessageSize= alone, and the other way round"},
		{"ExecStart=/a|ListenStream=/a|Symlinks=/b", ""},
		{"ExecStart=/a|ListenFIFO=/a|Symlinks=/b", ""},
		{"ExecStart=/a|ListenMessageQueue=/a|Symlinks=/b", "named.service:3: Symlinks=: goes with one socket or FIFO in the file system alone"},
		{"ExecStart=/a|ListenStream=53|Symlinks=/b", "named.service:3: Symlinks=: goes with one socket or FIFO in the file system alone"},
	} {
		p := assignments(t, strings.FieldsFunc(c.lines, func(r rune) bool { return r == '|' })...)
		p.UnitDefaults()
		var got []string
		for _, err := range p.Validate(true) {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v is no *Error", c.lines, err)
			}
			got = append(got, err.Error())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.lines, got, c.want)
		}
	}
	// Options alone need no ExecStart=.
	var p Policy
	if errs := p.Validate(false); len(errs) > 0 {
		t.Errorf("options alone: %v", errs)
	}
	mustSet(t, &p, "Type", "dbus", option("--type"))
	if errs := p.Validate(false); len(errs) != 1 {
		t.Errorf("--type=dbus: %v", errs)
	}
}
