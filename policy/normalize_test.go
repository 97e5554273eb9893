package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
)

// assignments sets each "Name=value" on the line of its place.
func assignments(t *testing.T, list ...string) Policy {
	t.Helper()
	var p Policy
	for i, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			t.Fatalf("no assignment: %q", s)
		}
		mustSet(t, &p, name, value, line(i+1))
	}
	return p
}

// normalized is what Normalize says that it added: "Name=value because X (where)".
// It is run a second time, and must add nothing.
func normalized(t *testing.T, p *Policy, root bool) []string {
	t.Helper()
	var lines []string
	for _, i := range p.Normalize(root) {
		lines = append(lines, i.Name+"="+i.Value+" because "+i.Because+" ("+i.From.String()+")")
	}
	once := *p
	if again := p.Normalize(root); again != nil || !reflect.DeepEqual(*p, once) {
		t.Errorf("a second time it adds %v, and gives %+v", again, *p)
	}
	return lines
}

// The numbers of linux/capability.h.
const (
	capModule, capRawIO, capTime, capNode, capLog, capAlarm = 16, 17, 25, 27, 34, 35
)

// TestCapsTakenAway: systemd.exec(5): PrivateDevices= removes CAP_MKNOD and
// CAP_SYS_RAWIO, ProtectKernelModules= CAP_SYS_MODULE, ProtectKernelLogs=
// CAP_SYSLOG, ProtectClock= CAP_SYS_TIME and CAP_WAKE_ALARM.
func TestCapsTakenAway(t *testing.T) {
	all := ^caps.Set(0)
	for _, c := range []struct {
		name    string
		set     []string
		root    bool
		bound   caps.Set
		from    int
		ambient caps.Set
		implied []string
	}{
		{
			"devices",
			[]string{"PrivateDevices=yes"},
			true, all &^ set(capNode, capRawIO), 1, 0,
			[]string{"CapabilityBoundingSet=~CAP_SYS_RAWIO CAP_MKNOD because PrivateDevices= (named.service:1)"},
		},
		{
			"modules",
			[]string{"ProtectKernelModules=yes"},
			true, all &^ set(capModule), 1, 0,
			[]string{"CapabilityBoundingSet=~CAP_SYS_MODULE because ProtectKernelModules= (named.service:1)"},
		},
		{
			"logs",
			[]string{"ProtectKernelLogs=yes"},
			true, all &^ set(capLog), 1, 0,
			[]string{"CapabilityBoundingSet=~CAP_SYSLOG because ProtectKernelLogs= (named.service:1)"},
		},
		{
			"clock",
			[]string{"ProtectClock=yes"},
			true, all &^ set(capTime, capAlarm), 1, 0,
			[]string{"CapabilityBoundingSet=~CAP_SYS_TIME CAP_WAKE_ALARM because ProtectClock= (named.service:1)"},
		},
		{"tunables keep theirs", []string{"ProtectKernelTunables=yes", "ProtectControlGroups=strict", "ProtectHostname=yes"}, true, 0, 0, 0, nil},
		{
			"--caps without the rights of root",
			[]string{"X-Hardrun-Caps=kill", "SecureBits=noroot"},
			true, set(capKill), 1, set(capKill),
			[]string{"CapabilityBoundingSet=CAP_KILL because --caps (named.service:1)", "AmbientCapabilities=CAP_KILL because --caps (named.service:1)"},
		},
		{
			"--caps with another bit",
			[]string{"X-Hardrun-Caps=kill", "SecureBits=keep-caps"},
			true, set(capKill), 1, 0,
			[]string{"CapabilityBoundingSet=CAP_KILL because --caps (named.service:1)"},
		},
		{"no is nothing", []string{"PrivateDevices=no", "ProtectClock=no"}, true, 0, 0, 0, nil},
		{
			"two, the first of the table is where it came from",
			[]string{"ProtectClock=yes", "ProtectKernelLogs=yes"},
			true, all &^ set(capTime, capAlarm, capLog), 2, 0,
			[]string{
				"CapabilityBoundingSet=~CAP_SYSLOG because ProtectKernelLogs= (named.service:2)",
				"CapabilityBoundingSet=~CAP_SYS_TIME CAP_WAKE_ALARM because ProtectClock= (named.service:1)",
			},
		},
		{
			"from what is written",
			[]string{"CapabilityBoundingSet=CAP_CHOWN CAP_SYS_TIME", "ProtectClock=yes"},
			true, set(capChown), 1, 0,
			[]string{"CapabilityBoundingSet=~CAP_SYS_TIME because ProtectClock= (named.service:2)"},
		},
		{"not there anyway", []string{"CapabilityBoundingSet=CAP_CHOWN", "ProtectClock=yes", "PrivateDevices=yes"}, true, set(capChown), 1, 0, nil},
		{"the empty set stays", []string{"CapabilityBoundingSet=", "ProtectClock=yes"}, true, 0, 1, 0, nil},
		{
			"a written ambient set is not cut",
			[]string{"AmbientCapabilities=CAP_SYS_TIME CAP_KILL", "ProtectClock=yes"},
			false, all &^ set(capTime, capAlarm), 2, set(capTime, capKill),
			[]string{"CapabilityBoundingSet=~CAP_SYS_TIME CAP_WAKE_ALARM because ProtectClock= (named.service:2)"},
		},
		{
			"--caps is",
			[]string{"X-Hardrun-Caps=sys_time,kill", "ProtectClock=yes"},
			false, set(capKill), 1, set(capKill),
			[]string{
				"CapabilityBoundingSet=CAP_KILL CAP_SYS_TIME because --caps (named.service:1)",
				"AmbientCapabilities=CAP_KILL CAP_SYS_TIME because --caps (named.service:1)",
				"CapabilityBoundingSet=~CAP_SYS_TIME because ProtectClock= (named.service:2)",
				"AmbientCapabilities=~CAP_SYS_TIME because ProtectClock= (named.service:2)",
			},
		},
		{
			"--caps of root",
			[]string{"X-Hardrun-Caps=sys_time,kill", "ProtectClock=yes"},
			true, set(capKill), 1, 0,
			[]string{
				"CapabilityBoundingSet=CAP_KILL CAP_SYS_TIME because --caps (named.service:1)",
				"CapabilityBoundingSet=~CAP_SYS_TIME because ProtectClock= (named.service:2)",
			},
		},
		{
			"--caps beside a written ambient set",
			[]string{"X-Hardrun-Caps=sys_time,kill", "AmbientCapabilities=CAP_SYS_TIME", "ProtectClock=yes"},
			false, set(capKill), 1, set(capTime),
			[]string{
				"CapabilityBoundingSet=CAP_KILL CAP_SYS_TIME because --caps (named.service:1)",
				"CapabilityBoundingSet=~CAP_SYS_TIME because ProtectClock= (named.service:3)",
			},
		},
	} {
		p := assignments(t, c.set...)
		if got := normalized(t, &p, c.root); !slices.Equal(got, c.implied) {
			t.Errorf("%s: implied\n got %q\nwant %q", c.name, got, c.implied)
		}
		if got := p.CapabilityBoundingSet; got.Set != (c.from > 0) || got.V != c.bound || got.Set && got.From != line(c.from) {
			t.Errorf("%s: bounding set %+v, want %#x of line %d", c.name, got, uint64(c.bound), c.from)
		}
		if got := p.AmbientCapabilities.V; got != c.ambient {
			t.Errorf("%s: ambient set %#x, want %#x", c.name, uint64(got), uint64(c.ambient))
		}
	}
}

// TestRootImplies: systemd.exec(5), MountAPIVFS= and BindLogSockets=.
func TestRootImplies(t *testing.T) {
	const (
		yesRoot = "MountAPIVFS=yes because RootDirectory= (named.service:1)"
		yesLog  = "BindLogSockets=yes because MountAPIVFS= (named.service:1)"
	)
	for _, c := range []struct {
		name     string
		set      []string
		api, log string // "unset", "yes" or "no"
		implied  []string
	}{
		{"no root", []string{"ProtectProc=invisible"}, "unset", "unset", nil},
		{"no root, all of them", []string{"ProtectControlGroups=yes", "ProtectKernelTunables=yes", "ProcSubset=pid", "PrivateBPF=yes", "PrivatePIDs=yes"}, "unset", "unset", nil},
		{"MountAPIVFS= without a root", []string{"MountAPIVFS=yes"}, "yes", "unset", nil},
		{"the old root", []string{"RootDirectory=/", "PrivatePIDs=yes"}, "unset", "unset", nil},
		{"a root", []string{"RootDirectory=/srv"}, "yes", "yes", []string{yesRoot, yesLog}},
		{"a root and what wants proc", []string{"RootDirectory=/srv", "ProtectProc=invisible", "PrivatePIDs=yes"}, "yes", "yes", []string{yesRoot, yesLog}},
		{"written no", []string{"RootDirectory=/srv", "MountAPIVFS=no", "ProtectProc=invisible"}, "no", "unset", nil},
		{"written yes", []string{"RootDirectory=/srv", "MountAPIVFS=yes"}, "yes", "yes", []string{"BindLogSockets=yes because MountAPIVFS= (named.service:2)"}},
		{"no log", []string{"RootDirectory=/srv", "BindLogSockets=no"}, "yes", "no", []string{yesRoot}},
		{
			"devices",
			[]string{"RootDirectory=/srv", "MountAPIVFS=no", "PrivateDevices=yes", "CapabilityBoundingSet="},
			"no", "yes",
			[]string{"BindLogSockets=yes because PrivateDevices= (named.service:3)"},
		},
		{"devices without a root", []string{"PrivateDevices=yes", "CapabilityBoundingSet="}, "unset", "unset", nil},
		{
			"--chroot",
			[]string{"X-Hardrun-Chroot=/srv", "PrivateDevices=yes", "ProtectProc=invisible", "CapabilityBoundingSet="},
			"no", "no",
			[]string{
				"RootDirectory=/srv because --chroot (named.service:1)", "MountAPIVFS=no because --chroot (named.service:1)",
				"BindLogSockets=no because --chroot (named.service:1)",
			},
		},
		{
			"--chroot with yes",
			[]string{"X-Hardrun-Chroot=/srv", "MountAPIVFS=yes"},
			"yes", "no",
			[]string{"RootDirectory=/srv because --chroot (named.service:1)", "BindLogSockets=no because --chroot (named.service:1)"},
		},
		{
			"--minimal-root",
			[]string{"X-Hardrun-MinimalRoot=yes", "PrivatePIDs=yes"},
			"no", "no",
			[]string{"MountAPIVFS=no because --minimal-root (named.service:1)", "BindLogSockets=no because --minimal-root (named.service:1)"},
		},
		{"--minimal-root=no", []string{"RootDirectory=/srv", "X-Hardrun-MinimalRoot=no"}, "yes", "yes", []string{yesRoot, yesLog}},
	} {
		p := assignments(t, c.set...)
		if got := normalized(t, &p, true); !slices.Equal(got, c.implied) {
			t.Errorf("%s: implied\n got %q\nwant %q", c.name, got, c.implied)
		}
		for _, o := range []struct {
			name, want string
			opt        Opt[bool]
		}{{"MountAPIVFS", c.api, p.MountAPIVFS}, {"BindLogSockets", c.log, p.BindLogSockets}} {
			got := "unset"
			if o.opt.Set {
				got = FormatBool(o.opt.V)
			}
			if got != o.want {
				t.Errorf("%s: %s is %s, want %s", c.name, o.name, got, o.want)
			}
		}
	}
}

// TestDelegateImplies: systemd.exec(5), DelegateNamespaces=.
func TestDelegateImplies(t *testing.T) {
	self := []string{"PrivateUsers=self because DelegateNamespaces= (named.service:1)"}
	for _, c := range []struct {
		set     []string
		want    string
		implied []string
	}{
		{[]string{"DelegateNamespaces=net"}, "self", self},
		{[]string{"DelegateNamespaces=yes", "PrivateUsers=no"}, "self", self},
		{[]string{"DelegateNamespaces=yes", "PrivateUsers=identity"}, "identity", nil},
		{[]string{"DelegateNamespaces=~net", "PrivateUsers=yes"}, "self", nil},
		{[]string{"DelegateNamespaces=no"}, "", nil},
		{[]string{"DelegateNamespaces=no", "PrivateUsers=no"}, "no", nil},
		{[]string{"DelegateNamespaces=yes", "DelegateNamespaces="}, "", nil},
		{[]string{"DelegateNamespaces=yes", "UserNamespacePath=/proc/7/ns/user"}, "", nil},
	} {
		p := assignments(t, c.set...)
		if got := normalized(t, &p, true); !slices.Equal(got, c.implied) || p.PrivateUsers.V != c.want {
			t.Errorf("%q: PrivateUsers=%s, implied %q, want %s, %q", c.set, p.PrivateUsers.V, got, c.want, c.implied)
		}
	}
}

// TestServiceImplies: systemd.service(5), NotifyAccess=, and systemd.exec(5), RestrictRealtime=
// and SetLoginEnvironment=. What is written is kept.
func TestServiceImplies(t *testing.T) {
	for _, c := range []struct {
		set  string
		want string // what of it is implied
	}{
		{"Type=exec", ""},
		{"Type=notify", "NotifyAccess=main because Type=notify (named.service:1)"},
		{"Type=notify|NotifyAccess=all", ""},
		{"Type=notify-reload|NotifyAccess=none", "NotifyAccess=main because Type=notify-reload (named.service:1)"},
		{"RestrictRealtime=yes", "LimitRTPRIO=0 because RestrictRealtime= (named.service:1)"},
		{"RestrictRealtime=yes|LimitRTPRIO=5", ""},
		{"RestrictRealtime=no", ""},
		{"DynamicUser=yes", "SetLoginEnvironment=yes because DynamicUser= (named.service:1)"},
		{"DynamicUser=yes|User=u", "SetLoginEnvironment=yes because User= (named.service:2)"},
	} {
		p := assignments(t, strings.Split(c.set, "|")...)
		var got []string
		for _, l := range normalized(t, &p, true) {
			switch name, _, _ := strings.Cut(l, "="); name {
			case "NotifyAccess", "LimitRTPRIO", "SetLoginEnvironment":
				got = append(got, l)
			}
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: implied %q, want %q", c.set, got, c.want)
		}
	}
}

func TestUserImplies(t *testing.T) {
	for _, c := range []struct {
		set, implied []string
	}{
		{nil, nil},
		{[]string{"Group=g"}, nil},
		{[]string{"User=u"}, []string{"SetLoginEnvironment=yes because User= (named.service:1)"}},
		{[]string{"User=u", "SetLoginEnvironment=no"}, nil},
	} {
		p := assignments(t, c.set...)
		if got := normalized(t, &p, false); !slices.Equal(got, c.implied) {
			t.Errorf("%q: implied %q, want %q", c.set, got, c.implied)
		}
	}
}

// FuzzNormalize: whatever is set, nothing that was written changes but what the
// protections take from the capabilities, and a second time adds nothing.
func FuzzNormalize(f *testing.F) {
	at := func(name string) uint16 { return uint16(slices.Index(Directives, Lookup(name))) }
	f.Add(at("X-Hardrun-Caps"), "sys_time", at("ProtectClock"), "yes", at("User"), "u", false)
	f.Add(at("X-Hardrun-Chroot"), "/srv", at("MountAPIVFS"), "yes", at("PrivateDevices"), "yes", true)
	f.Add(at("RootDirectory"), "/srv", at("AmbientCapabilities"), "CAP_MKNOD", at("PrivateDevices"), "yes", true)
	f.Add(at("DelegateNamespaces"), "~net", at("PrivateUsers"), "no", at("X-Hardrun-MinimalRoot"), "yes", true)
	f.Fuzz(func(t *testing.T, n1 uint16, v1 string, n2 uint16, v2 string, n3 uint16, v3 string, root bool) {
		var p Policy
		for i, a := range []struct {
			n uint16
			v string
		}{{n1, v1}, {n2, v2}, {n3, v3}} {
			if err := p.SetDirective(Directives[int(a.n)%len(Directives)], a.v, line(i+1)); err != nil {
				return
			}
		}
		before := p
		implied := p.Normalize(root)
		once := p
		if again := p.Normalize(root); again != nil || !reflect.DeepEqual(p, once) {
			t.Fatalf("a second time it adds %v", again)
		}
		for _, i := range implied {
			if d := Lookup(i.Name); d == nil || i.Because == "" {
				t.Fatalf("implied %+v", i)
			}
		}
		if b := before.AmbientCapabilities; b.Set && p.AmbientCapabilities != b {
			t.Fatalf("the ambient set was %+v, and is %+v", b, p.AmbientCapabilities)
		}
		if b := before.CapabilityBoundingSet; b.Set && p.CapabilityBoundingSet.V&^b.V != 0 {
			t.Fatalf("the bounding set has grown from %+v to %+v", b, p.CapabilityBoundingSet)
		}
		for _, s := range before.Settings() {
			switch s.Directive.Name {
			case "CapabilityBoundingSet", "PrivateUsers":
				continue
			}
			if !slices.Contains(p.Settings(), s) {
				t.Fatalf("%s=%s is gone", s.Directive.Name, s.Value)
			}
		}
	})
}
