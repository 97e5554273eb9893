package policy

import (
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
)

// line is an origin in a unit file, option one on the command line.
func line(n int) Origin         { return Origin{File: "named.service", Line: n} }
func option(name string) Origin { return Origin{File: name} }
func set(cs ...int) (s caps.Set) {
	for _, c := range cs {
		s |= 1 << c
	}
	return s
}

// Numbers of linux/capability.h.
const (
	capChown    = 0
	capKill     = 5
	capSetPCap  = 8
	capBind     = 10
	capSysAdmin = 21
)

// TestCapabilityLines holds the merging of systemd.exec(5), CapabilityBoundingSet=
// and AmbientCapabilities=, and of what systemd was seen to do: lines merge, ~
// first means all but, empty resets to none.
func TestCapabilityLines(t *testing.T) {
	all := ^caps.Set(0)
	for _, c := range []struct {
		name  string
		lines []string
		bound caps.Set
		amb   caps.Set
	}{
		{"one line", []string{"CAP_CHOWN CAP_KILL"}, set(capChown, capKill), set(capChown, capKill)},
		{"the manual's first example", []string{"CAP_CHOWN CAP_KILL", "CAP_KILL CAP_SETPCAP"}, set(capChown, capKill, capSetPCap), set(capChown, capKill, capSetPCap)},
		{"the manual's second example", []string{"CAP_CHOWN CAP_KILL", "~CAP_KILL CAP_SETPCAP"}, set(capChown), set(capChown)},
		{"~ first is all but", []string{"~CAP_SYS_ADMIN"}, all &^ set(capSysAdmin), all &^ set(capSysAdmin)},
		{"~ twice", []string{"~CAP_SYS_ADMIN", "~CAP_KILL"}, all &^ set(capSysAdmin, capKill), all &^ set(capSysAdmin, capKill)},
		{"~ and then or", []string{"~CAP_SYS_ADMIN CAP_KILL", "CAP_KILL"}, all &^ set(capSysAdmin), all &^ set(capSysAdmin)},
		{"~ alone is everything", []string{"CAP_KILL", "~"}, all, all},
		{"empty is nothing", []string{"CAP_KILL", ""}, 0, 0},
		{"empty, then a line", []string{"CAP_KILL", "", "CAP_CHOWN"}, set(capChown), set(capChown)},
		// The bounding set is empty after the reset, and AND keeps it so. The ambient
		// set is as new after it, and as unset as before the first line.
		{"empty, then ~", []string{"CAP_KILL", "", "~CAP_CHOWN"}, 0, all &^ set(capChown)},
		// A full bounding set counts as not written: the next line is the first.
		{"~ alone, then a line", []string{"~", "CAP_CHOWN"}, set(capChown), all},
		{"~ alone, then ~", []string{"~", "~CAP_CHOWN"}, all &^ set(capChown), all &^ set(capChown)},
		// Taken away is taken away: it must not turn into all but the next one.
		{"subtracted to nothing", []string{"CAP_KILL", "~CAP_KILL", "~CAP_CHOWN"}, 0, 0},
		{"subtracted to nothing, then a line", []string{"CAP_KILL", "~CAP_KILL", "CAP_CHOWN"}, set(capChown), set(capChown)},
		{"subtracted to nothing, reset, then ~", []string{"CAP_KILL", "~CAP_KILL", "", "~CAP_CHOWN"}, 0, all &^ set(capChown)},
	} {
		var p Policy
		for i, l := range c.lines {
			for _, name := range []string{"CapabilityBoundingSet", "AmbientCapabilities"} {
				if err := p.Set(name, l, line(i+1)); err != nil {
					t.Fatalf("%s: %s=%s: %v", c.name, name, l, err)
				}
			}
		}
		for _, got := range []struct {
			name string
			opt  Opt[caps.Set]
			want caps.Set
		}{{"bounding", p.CapabilityBoundingSet, c.bound}, {"ambient", p.AmbientCapabilities, c.amb}} {
			if !got.opt.Set || got.opt.V != got.want || got.opt.From != line(len(c.lines)) {
				t.Errorf("%s: %s is %s (set %v, %s), want %s", c.name, got.name, got.opt.V, got.opt.Set, got.opt.From, got.want)
			}
		}
	}
}

// TestUnited are the other settings whose lines are united: SecureBits=,
// CPUAffinity=, NUMAMask=, CoredumpFilter= of systemd.exec(5).
func TestUnited(t *testing.T) {
	var p Policy
	mustSet(t, &p, "SecureBits", "noroot", line(1))
	mustSet(t, &p, "SecureBits", "noroot-locked", line(2))
	if p.SecureBits.V != 0b11 { // capabilities(7), and "Securebits: 03" of capsh
		t.Errorf("SecureBits: %#x, want 0x3", p.SecureBits.V)
	}
	mustSet(t, &p, "SecureBits", "", line(3))
	if !p.SecureBits.Set || p.SecureBits.V != 0 {
		t.Errorf("SecureBits after a reset: %+v, want 0 asked for", p.SecureBits)
	}
	mustSet(t, &p, "CoredumpFilter", "private-anonymous", line(1)) // core(5): bit 0
	mustSet(t, &p, "CoredumpFilter", "elf-headers", line(2))       // bit 4
	if p.CoredumpFilter.V != 0x11 {
		t.Errorf("CoredumpFilter: %#x, want 0x11", p.CoredumpFilter.V)
	}
	mustSet(t, &p, "CoredumpFilter", "", line(3))
	if p.CoredumpFilter.Set {
		t.Errorf("CoredumpFilter after a reset: %+v, want unset", p.CoredumpFilter)
	}
	mustSet(t, &p, "CPUAffinity", "0-1", line(1))
	mustSet(t, &p, "CPUAffinity", "4", line(2))
	if got := p.CPUAffinity.V; got.NUMA || !slices.Equal(got.CPUs, []uint64{0b10011}) {
		t.Errorf("CPUAffinity: %v, want CPUs 0,1,4", got)
	}
	mustSet(t, &p, "CPUAffinity", "numa", line(3))
	if got := p.CPUAffinity.V; !got.NUMA || len(got.CPUs) != 0 {
		t.Errorf("CPUAffinity: %v, want numa", got)
	}
	mustSet(t, &p, "CPUAffinity", "2", line(4))
	if got := p.CPUAffinity.V; got.NUMA || !slices.Equal(got.CPUs, []uint64{0b100}) {
		t.Errorf("CPUAffinity: %v, want CPU 2", got)
	}
	mustSet(t, &p, "NUMAMask", "0", line(1))
	mustSet(t, &p, "NUMAMask", "all", line(2))
	mustSet(t, &p, "NUMAMask", "1", line(3))
	if got := p.NUMAMask.V; !got.All || len(got.Nodes) != 0 {
		t.Errorf("NUMAMask: %v, want all", got)
	}
}

func mustSet(t *testing.T, p *Policy, name, value string, from Origin) {
	t.Helper()
	if err := p.Set(name, value, from); err != nil {
		t.Fatalf("%s=%s: %v", name, value, err)
	}
}

// TestIOReset: systemd.exec(5), IOSchedulingClass=: the empty value of either
// undoes both.
func TestIOReset(t *testing.T) {
	for _, name := range []string{"IOSchedulingClass", "IOSchedulingPriority"} {
		var p Policy
		mustSet(t, &p, "IOSchedulingClass", "idle", line(1))
		mustSet(t, &p, "IOSchedulingPriority", "7", line(2))
		mustSet(t, &p, name, "", line(3))
		if p.IOSchedulingClass.Set || p.IOSchedulingPriority.Set {
			t.Errorf("%s=: class %+v, priority %+v, want both unset", name, p.IOSchedulingClass, p.IOSchedulingPriority)
		}
	}
}

func TestLists(t *testing.T) {
	var p Policy
	mustSet(t, &p, "Environment", `A=1 "B=2 3"`, line(1))
	mustSet(t, &p, "Environment", "C=4", line(2))
	mustSet(t, &p, "X-Hardrun-Env", `D="5 \n`, line(3))
	want := []Item[string]{{"A=1", line(1)}, {"B=2 3", line(1)}, {"C=4", line(2)}, {`D="5 \n`, line(3)}}
	if !slices.Equal(p.Environment.Items, want) || p.Environment.Reset || p.Environment.From != line(3) {
		t.Errorf("Environment: %+v", p.Environment)
	}
	mustSet(t, &p, "Environment", "", line(5))
	if len(p.Environment.Items) != 0 || !p.Environment.Reset || !p.Environment.IsSet() {
		t.Errorf("Environment after a reset: %+v", p.Environment)
	}
	// StandardInputText= and StandardInputData= are one buffer, joined in order;
	// the text gets a newline. SGk= is "Hi".
	mustSet(t, &p, "StandardInputText", "one", line(1))
	mustSet(t, &p, "StandardInputData", "SGk=", line(2))
	mustSet(t, &p, "StandardInputText", "two", line(3))
	var text string
	for _, item := range p.InputData.Items {
		text += item.V
	}
	if text != "one\nHitwo\n" {
		t.Errorf("input data %q, want %q", text, "one\nHitwo\n")
	}
	mustSet(t, &p, "StandardInputData", "", line(4))
	if len(p.InputData.Items) != 0 {
		t.Errorf("input data after a reset: %v", p.InputData.Items)
	}
}

// TestCopiesAreApart: a policy is a value; what is set in one must not show up
// in a copy of it. Three items leave room for a fourth in the array that append
// makes.
func TestCopiesAreApart(t *testing.T) {
	var p Policy
	for i, name := range []string{"A", "B", "C"} {
		mustSet(t, &p, "PassEnvironment", name, line(i+1))
		mustSet(t, &p, "BindPaths", "/"+name, line(i+1))
		mustSet(t, &p, "SmackLabel", name, line(i+1))
		mustSet(t, &p, "SystemCallFilter", name, line(i+1))
		mustSet(t, &p, "After", name, line(i+1))
	}
	copied := p
	for _, to := range []struct {
		p    *Policy
		name string
	}{{&copied, "X"}, {&p, "Y"}} {
		mustSet(t, to.p, "PassEnvironment", to.name, line(4))
		mustSet(t, to.p, "BindPaths", "/"+to.name, line(4))
		mustSet(t, to.p, "SmackLabel", to.name, line(4))
		mustSet(t, to.p, "SystemCallFilter", to.name, line(4))
		mustSet(t, to.p, "After", to.name, line(4))
	}
	if a, b, c, d := copied.PassEnvironment.Items[3].V, copied.NotApplied[3].Value, copied.Noted[3].Value, copied.Binds.Items[3].V.Source; a != "X" || b != "X" || c != "X" || d != "/X" {
		t.Errorf("the copy has %s, %s, %s and %s, want X", a, b, c, d)
	}
	if got := copied.SystemCallFilter.Items[3].V.Words[0].Name; got != "X" {
		t.Errorf("the copy has SystemCallFilter=%s, want X", got)
	}
	// A list of families and the kinds of namespaces are united in place.
	mustSet(t, &p, "RestrictAddressFamilies", "AF_UNIX", line(5))
	copied = p
	mustSet(t, &copied, "RestrictAddressFamilies", "AF_INET", line(6))
	mustSet(t, &p, "RestrictAddressFamilies", "AF_INET6", line(6))
	if got := copied.RestrictAddressFamilies.V.Listed; !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("the copy has the families %v, want 1 and 2", got)
	}
}

// TestUserAndGroups: DESIGN "Short forms": USER alone takes its groups from the
// database, USER:G,H takes exactly these; in a unit User= takes a name only.
func TestUserAndGroups(t *testing.T) {
	var p Policy
	mustSet(t, &p, "User", "named", line(1))
	mustSet(t, &p, "SupplementaryGroups", "tls", line(2))
	mustSet(t, &p, "User", "www:web,logs", option("--user"))
	groups := func() []string { return exactGroups(&p) }
	if p.User.V != "www" || !p.ExactGroups.V || !slices.Equal(groups(), []string{"web", "logs"}) {
		t.Errorf("after --user=www:web,logs: %+v %v", p.User, groups())
	}
	mustSet(t, &p, "User", "bind", option("-u"))
	if p.User.V != "bind" || p.ExactGroups.Set || p.Group.Set || p.SupplementaryGroups.IsSet() {
		t.Errorf("-u bind keeps the groups of www: %+v %+v", p.Group, p.SupplementaryGroups)
	}
	before := p
	for _, c := range []struct {
		value string
		from  Origin
	}{
		{"www:web", line(3)},
		{"www:", option("-u")},
		{":web", option("-u")},
		{"", option("-u")},
		{"a b", line(3)},
		{"-1", option("-u")},
		{"4294967295", option("-u")},
		{" ", option("--user")},
		{"\t", option("--user")},
	} {
		if err := p.Set("User", c.value, c.from); err == nil {
			t.Errorf("User=%q of %s is taken", c.value, c.from)
		}
	}
	if !reflect.DeepEqual(p, before) {
		t.Errorf("refused values changed the policy: %+v", p)
	}
}

// TestEmptyValues: DESIGN section 1, "Options".
func TestEmptyValues(t *testing.T) {
	type assign struct {
		name, value string
		from        Origin
	}
	cmd := option("--option")
	for _, c := range []struct {
		name   string
		before []assign
		last   assign
		ok     bool
	}{
		{"unit: resets what was never set", nil, assign{"NoNewPrivileges", "", line(1)}, true},
		{"unit: User= resets", []assign{{"User", "www", line(1)}}, assign{"User", "", line(2)}, true},
		{"unit: blanks are empty", []assign{{"User", "www", line(1)}}, assign{"User", " \t", line(2)}, true},
		{"unit: manager's", nil, assign{"After", "", line(1)}, true},
		{"unit: not applied", nil, assign{"SmackLabel", "", line(1)}, true},
		{"unit: a filter", nil, assign{"SystemCallFilter", "", line(1)}, true},
		{"option: nothing to reset", nil, assign{"NoNewPrivileges", "", cmd}, false},
		{"option: nothing to reset in a list", nil, assign{"Environment", "", cmd}, false},
		{"option: no bounding set by accident", nil, assign{"CapabilityBoundingSet", "", cmd}, false},
		{"option: blanks are empty", nil, assign{"CapabilityBoundingSet", "  ", cmd}, false},
		{"option: no filter by accident", nil, assign{"SystemCallFilter", "", cmd}, false},
		{"option: manager's, nothing noted", nil, assign{"Restart", "", cmd}, false},
		{"option: resets the unit's", []assign{{"NoNewPrivileges", "yes", line(1)}}, assign{"NoNewPrivileges", "", cmd}, true},
		{"option: resets the unit's list", []assign{{"Environment", "A=1", line(1)}}, assign{"Environment", "", cmd}, true},
		{"option: resets the unit's filter", []assign{{"SystemCallFilter", "@system-service", line(1)}}, assign{"SystemCallFilter", "", cmd}, true},
		{"option: never user", []assign{{"User", "www", line(1)}}, assign{"User", "", cmd}, false},
		{"option: never group", []assign{{"Group", "www", line(1)}}, assign{"Group", "", cmd}, false},
		{"option: never root directory", []assign{{"RootDirectory", "/srv", line(1)}}, assign{"RootDirectory", "", cmd}, false},
		{"option: never chroot", []assign{{"X-Hardrun-Chroot", "/srv", line(1)}}, assign{"X-Hardrun-Chroot", "", cmd}, false},
		{"option: never the namespace", []assign{{"NetworkNamespacePath", "/run/netns/a", line(1)}}, assign{"NetworkNamespacePath", "", cmd}, false},
		{"option: never bind", []assign{{"BindPaths", "/a", line(1)}}, assign{"X-Hardrun-Bind", "", cmd}, false},
		{"option: never tmpfs", []assign{{"TemporaryFileSystem", "/a", line(1)}}, assign{"X-Hardrun-Tmpfs", "", cmd}, false},
		{"option: no view by accident", nil, assign{"InaccessiblePaths", "", cmd}, false},
		{"option: resets the unit's binds", []assign{{"BindPaths", "/a", line(1)}}, assign{"BindReadOnlyPaths", "", cmd}, true},
		{"unit: the namespace", []assign{{"NetworkNamespacePath", "/run/netns/a", line(1)}}, assign{"NetworkNamespacePath", "", line(2)}, true},
		{"option: never the control group", []assign{{"X-Hardrun-CGroup", "/a", line(1)}}, assign{"X-Hardrun-CGroup", "", cmd}, false},
		{"option: no delegation by accident", nil, assign{"Delegate", "", cmd}, false},
		{"option: resets the unit's devices", []assign{{"DeviceAllow", "/dev/null", line(1)}}, assign{"DeviceAllow", "", cmd}, true},
		{"option: never caps", []assign{{"X-Hardrun-Caps", "none", line(1)}}, assign{"X-Hardrun-Caps", "", cmd}, false},
		{"option: never caps, blank", []assign{{"X-Hardrun-Caps", "none", line(1)}}, assign{"X-Hardrun-Caps", " ", cmd}, false},
	} {
		var p Policy
		for _, a := range c.before {
			mustSet(t, &p, a.name, a.value, a.from)
		}
		before := p
		err := p.Set(c.last.name, c.last.value, c.last.from)
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v", c.name, err)
		}
		if err != nil && !reflect.DeepEqual(p, before) {
			t.Errorf("%s: refused, and changed: %+v", c.name, p)
		}
		if err == nil && p.NotApplied != nil {
			t.Errorf("%s: still not applied: %v", c.name, p.NotApplied)
		}
	}
}

// TestNothingVanishes: what is neither applied nor a manager's ends in
// NotApplied, what is a manager's in Noted, whatever the value is.
func TestNothingVanishes(t *testing.T) {
	for _, d := range Directives {
		if d.Support == Applied {
			continue
		}
		for _, value := range []string{"surely-not-neutral", "~", "1 2 3", "\x00", "yes no"} {
			for _, from := range []Origin{line(1), option("-p")} {
				var p Policy
				if err := p.Set(d.ConfigName(), value, from); err != nil {
					t.Errorf("%s=%q: %v", d.Name, value, err)
				}
				want := []Assignment{{d, value, from}}
				got, other := p.NotApplied, p.Noted
				if d.Support == Manager {
					got, other = p.Noted, p.NotApplied
				}
				if !reflect.DeepEqual(got, want) || other != nil {
					t.Errorf("%s=%q: not applied %v, noted %v", d.Name, value, p.NotApplied, p.Noted)
				}
			}
		}
	}
}

// TestNeutralValues: a value that asks for nothing is no reason to refuse, and
// takes back what was asked before; any other value is one.
func TestNeutralValues(t *testing.T) {
	for _, c := range []struct {
		name, value string
		neutral     bool
	}{
		{"RootEphemeral", "FALSE", true},
		{"RootEphemeral", "0", true},
		{"RootEphemeral", "off", true},
		{"RootEphemeral", "yes", false},
		{"RootEphemeral", "maybe", false},
		{"StartupMemoryMax", "infinity", true},
		{"StartupMemoryMax", "0", false},
		{"DefaultMemoryMin", "0", true},
		{"DefaultMemoryMin", "1M", false},
		{"MemoryPressureWatch", "skip", true},
		{"MemoryPressureWatch", "yes", false},
		{"IOPressureThresholdSec", "200ms", true},
		{"IOPressureThresholdSec", "1s", false},
		{"StateDirectoryQuota", "off", true},
		{"StateDirectoryQuota", "1G", false},
		{"Accept", "off", true},
		{"Accept", "yes", false},
		{"PAMName", "no", false},
		{"MountImages", "no", false},
	} {
		var p Policy
		mustSet(t, &p, c.name, "before", line(1))
		mustSet(t, &p, "SmackLabel", "a", line(2))
		mustSet(t, &p, c.name, c.value, line(3))
		want := 3
		if c.neutral {
			want = 1
		}
		if len(p.NotApplied) != want {
			t.Errorf("%s=%s: %d not applied, want %d", c.name, c.value, len(p.NotApplied), want)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"MountAPIVFS", "maybe"},
		{"BindLogSockets", "auto"},
		{"PrivateNetwork", "host"},
		{"NetworkNamespacePath", "netns/blue"},
		{"IPCNamespacePath", "/run/../ipc"},
		{"UserNamespacePath", "-/run/user"},
		{"MountFlags", "Shared"},
		{"MountFlags", "no"},
		{"PrivateUsers", "managed"},
		{"PrivateUsers", "Self"},
		{"ProtectHostname", "private:"},
		{"DelegateNamespaces", "user"},
		{"DelegateNamespaces", "net,ipc"},
		{"DelegateNamespaces", "net ~ipc"},
		{"DelegateNamespaces", "~"},
		{"DelegateNamespaces", `"net"`},
		{"ProtectSystem", "Strict"},
		{"ProtectSystem", "read-only"},
		{"ProtectHome", "strict"},
		{"PrivateTmp", "connected"},
		{"ProtectControlGroups", "full"},
		{"ProtectProc", "no"},
		{"ProtectProc", "yes"},
		{"ProcSubset", "no"},
		{"ReadOnlyPaths", "etc"},
		{"ReadOnlyPaths", "/etc rel"},
		{"ReadWritePaths", "+-/var"},
		{"InaccessiblePaths", "/a/../b"},
		{"ExecPaths", `"/a`},
		{"NoExecPaths", "~/bin"},
		{"BindPaths", "/a:/b:ro"},
		{"BindPaths", "/a:"},
		{"BindReadOnlyPaths", "/a:/"},
		{"TemporaryFileSystem", "/"},
		{"TemporaryFileSystem", "/var:Ro"},
		{"DevicePolicy", "Closed"},
		{"DeviceAllow", "/etc/passwd r"},
		{"IPAddressDeny", "10.0.0.0/8 10.0.0.256"},
		{"SocketBindDeny", "sctp"},
		{"RestrictNetworkInterfaces", "~"},
		{"RestrictFileSystems", "ext4 xfs2"},
		{"BindNetworkInterface", "eth0 eth1"},
		{"IPIngressFilterPath", "bpf/a"},
		{"BPFProgram", "xdp:/sys/fs/bpf/a"},
		{"MemoryMax", "0"},
		{"MemoryMin", "-1"},
		{"TasksMax", "0"},
		{"CPUWeight", "0"},
		{"CPUQuota", "0%"},
		{"CPUQuotaPeriodSec", "infinity"},
		{"AllowedCPUs", "3-1"},
		{"CPUSetPartition", "no"},
		{"IOWeight", "idle"},
		{"IODeviceWeight", "1000"},
		{"IOReadBandwidthMax", "/dev/sda 5MB"},
		{"IODeviceLatencyTargetSec", "/dev/sda 0"},
		{"Delegate", "cpu blkio"},
		{"DelegateSubgroup", "a/b"},
		{"KillMode", "all"},
		{"X-Hardrun-CGroup", "/"},
		{"X-Hardrun-Bind", "/a:/b:/c"},
		{"X-Hardrun-Bind", "/a /b:c"},
		{"X-Hardrun-RoBind", "-/a"},
		{"X-Hardrun-RoBind", "/"},
		{"X-Hardrun-Tmpfs", "/a:"},
		{"X-Hardrun-Tmpfs", "/a:size"},
		{"X-Hardrun-MinimalRoot", "auto"},
		{"X-Hardrun-AllowLandlock", "ReadOnlyDirectories"},
		{"X-Hardrun-AllowLandlock", "ReadOnlyPaths,,ExecPaths"},
		{"X-Hardrun-AllowLandlock", "ReadOnlyPaths,"},
		{"X-Hardrun-AllowLandlock", "PrivateTmp"},
		{"X-Hardrun-AllowLandlock", "all"},
		{"X-Hardrun-Parent", "Auto"},
		{"X-Hardrun-Unknown", "ignore"},
		{"X-Hardrun-Log", "none"},
		{"X-Hardrun-KeepFD", "-1"},
		{"X-Hardrun-KeepFD", "3,4"},
		{"X-Hardrun-Env", "A"},
		{"X-Hardrun-Env", "1=2"},
		{"X-Hardrun-Caps", "net_bnd_service"},
		{"X-Hardrun-Waive", "PrivateNetwrok"},
		{"X-Hardrun-Waive", "User"},
		{"X-Hardrun-Waive", "PrivateNetwork,"},
		{"X-Hardrun-Waive", "PrivateNetwork,User"},
		{"X-Hardrun-Waive", "all"},
		{"X-Hardrun-Waive", "PrivateNetwork ProtectSystem"},
		{"CapabilityBoundingSet", "CAP_NET_BIND"},
		{"SecureBits", "noroot,noroot-locked"},
		{"NoNewPrivileges", "maybe"},
		{"Nice", "20"},
		{"Nice", "-21"},
		{"OOMScoreAdjust", "1001"},
		{"IOSchedulingPriority", "8"},
		{"CPUSchedulingPriority", "100"},
		{"UMask", "1022"},
		{"UMask", "0888"},
		{"LimitNOFILE", "2:1"},
		{"Personality", "m68k"},
		{"RootDirectory", "srv"},
		{"RootDirectory", "/srv/../etc"},
		{"WorkingDirectory", "tmp"},
		{"Environment", "A"},
		{"SupplementaryGroups", "a,b"},
		{"StandardOutput", "file:x"},
		{"TTYRows", "65536"},
	} {
		for _, from := range []Origin{line(1), option("-p")} {
			var p Policy
			err := p.Set(c.name, c.value, from)
			if err == nil {
				t.Errorf("%s=%s is taken", c.name, c.value)
			}
			if !reflect.DeepEqual(p, Policy{}) {
				t.Errorf("%s=%s is refused, and changed the policy", c.name, c.value)
			}
		}
	}
}

func TestWaiveNames(t *testing.T) {
	var p Policy
	mustSet(t, &p, "X-Hardrun-Waive", "PrivateNetwork, ReadOnlyDirectories=", line(1))
	mustSet(t, &p, "X-Hardrun-Waive", "Caps", option("--waive"))
	want := []Item[string]{{"PrivateNetwork", line(1)}, {"ReadOnlyPaths", line(1)}, {"Caps", option("--waive")}}
	if !slices.Equal(p.Waive.Items, want) {
		t.Errorf("Waive: %v, want %v", p.Waive.Items, want)
	}
}

// TestErrors holds the lines of DESIGN, "Status and messages", without "hardrun: ".
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, value string
		from        Origin
		text, hint  string
	}{
		{
			"CapabilityBoundingSet", "CAP_NET_BIND", line(14),
			`named.service:14: CapabilityBoundingSet=: unknown capability "CAP_NET_BIND"`, "did you mean CAP_NET_BIND_SERVICE?",
		},
		{
			"CapabilityBoundingSet", "CAP_NET_BIND", option("--capability-bounding-set"),
			`--capability-bounding-set: unknown capability "CAP_NET_BIND"`, "did you mean CAP_NET_BIND_SERVICE?",
		},
		{
			"CapabilityBoundingSet", "CAP_NET_BIND", option("-p"),
			`-p CapabilityBoundingSet=: unknown capability "CAP_NET_BIND"`, "did you mean CAP_NET_BIND_SERVICE?",
		},
		{"NoNewPriviliges", "yes", line(3), "named.service:3: NoNewPriviliges=: unknown directive", "did you mean NoNewPrivileges=?"},
		{"Qwertyuiop", "yes", line(3), "named.service:3: Qwertyuiop=: unknown directive", ""},
		{"X-Hardrun-KeepFDs", "3", line(3), "named.service:3: X-Hardrun-KeepFDs=: unknown directive", "did you mean X-Hardrun-KeepFD=?"},
		{"User", "", option("--user"), "--user: an empty value is refused here: it must not mean root, or unfiltered", ""},
		{"Environment", "", option("--environment"), "--environment: an empty value resets, and nothing was set before it", ""},
		{"X-Hardrun-Log", "sysolg", line(4), `named.service:4: X-Hardrun-Log=: unknown value "sysolg"`, "did you mean syslog?"},
		{"X-Hardrun-Waive", "PrivateNetwrok", option("--waive"), `--waive: "PrivateNetwrok" is no directive`, "did you mean PrivateNetwork?"},
		{"X-Hardrun-Waive", "User", option("--waive"), `--waive: "User" cannot be waived`, ""},
		{"X-Hardrun-Parent", "alway", Origin{}, `X-Hardrun-Parent=: unknown value "alway"`, "did you mean always?"},
		{"X-Hardrun-DropIn", "x.conf", line(7), "named.service:7: X-Hardrun-DropIn=: is an option of the command line, and no line of a unit", ""},
		{"X-Hardrun-Listen", "tcpp:53", option("--listen"), `--listen: unknown kind of socket "tcpp"`, "did you mean tcp?"},
		{"Type", "notfy", line(5), `named.service:5: Type=: unknown value "notfy"`, "did you mean notify?"},
		{"KillSignal", "SIGTERN", line(5), `named.service:5: KillSignal=: unknown signal "SIGTERN"`, "did you mean SIGTERM?"},
		{"ExecStart", "bin/named", line(5), `named.service:5: ExecStart=: neither an absolute path nor a name without a slash: "bin/named"`, ""},
		{"RuntimeDirectory", "../etc", line(5), `named.service:5: RuntimeDirectory=: ".." in the path "../etc"`, ""},
		{"PrivateUsers", "managed", Origin{File: "@web"}, "@web: PrivateUsers=: managed needs systemd-nsresourced, which hands out ranges of users", ""},
		{"ProtectSystem", "stric", line(5), `named.service:5: ProtectSystem=: unknown value "stric"`, "did you mean strict?"},
		{"ProtectHome", "ye", line(5), `named.service:5: ProtectHome=: unknown value "ye"`, "did you mean yes?"},
		{"DelegateNamespaces", "mount", line(5), `named.service:5: DelegateNamespaces=: unknown type of namespace "mount"`, "did you mean mnt?"},
		{"BindPaths", "/a:/b:norbin", line(5), `named.service:5: BindPaths=: unknown option of a bind mount "norbin"`, "did you mean norbind?"},
		{"BindPaths", "/a:/", line(5), `named.service:5: BindPaths=: the target "/" would be a new root: say RootDirectory=`, ""},
		{"TemporaryFileSystem", "/a:nosudi", line(5), `named.service:5: TemporaryFileSystem=: unknown option of a tmpfs "nosudi"`, "did you mean nosuid?"},
		{"TemporaryFileSystem", "/a:siz=1m", line(5), `named.service:5: TemporaryFileSystem=: unknown option of a tmpfs "siz="`, "did you mean size=?"},
		{"TemporaryFileSystem", "/a:huge=allways", line(5), `named.service:5: TemporaryFileSystem=: unknown value of huge= "allways"`, "did you mean always?"},
		{"RestrictFileSystems", "btrsf", line(5), `named.service:5: RestrictFileSystems=: unknown file system "btrsf"`, "did you mean btrfs?"},
		{"Delegate", "cpus", line(5), `named.service:5: Delegate=: unknown controller "cpus"`, "did you mean cpuset?"},
		{"KillMode", "mix", option("--kill-mode"), `--kill-mode: unknown value "mix"`, "did you mean mixed?"},
		{"MemoryMax", "0", option("-p"), "-p MemoryMax=: 0 is no limit that anything could run with", ""},
		{"X-Hardrun-CGroup", "", option("--cgroup"), "--cgroup: an empty value is refused here: it must not mean root, or unfiltered", ""},
		{"X-Hardrun-AllowLandlock", "ReadOnlyPath", option("--allow-landlock"), `--allow-landlock: unknown directive for Landlock "ReadOnlyPath"`, "did you mean ReadOnlyPaths?"},
		{"X-Hardrun-Bind", "/a:/b:ro", option("--bind"), `--bind: more than one colon in "/a:/b:ro": a path that has one, and options, are for BindPaths= and BindReadOnlyPaths=`, ""},
	} {
		var p Policy
		err := p.Set(c.name, c.value, c.from)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s=%s: error %v is no *Error", c.name, c.value, err)
			continue
		}
		if e.Error() != c.text || e.Hint != c.hint {
			t.Errorf("%s=%s:\n got %s (%s)\nwant %s (%s)", c.name, c.value, e, e.Hint, c.text, c.hint)
		}
		if errors.Is(err, ErrUnknown) != strings.HasSuffix(c.text, "unknown directive") {
			t.Errorf("%s: Is(ErrUnknown) = %v", c.text, errors.Is(err, ErrUnknown))
		}
	}
}

type sampleRow struct {
	name   string
	values []string
	want   []string
}

// sample has a few assignments to every applied directive, and what Settings
// writes for each.
var sample = []sampleRow{
	{"User", []string{"root", "www"}, []string{"www"}},
	{"Group", []string{"www"}, []string{"www"}},
	{"SupplementaryGroups", []string{"a b", "c"}, []string{"a", "b", "c"}},
	{"SetLoginEnvironment", []string{"off"}, []string{"no"}},
	{"CapabilityBoundingSet", []string{"cap_chown", "CAP_NET_BIND_SERVICE"}, []string{"CAP_CHOWN CAP_NET_BIND_SERVICE"}},
	{"AmbientCapabilities", []string{"~CAP_SYS_ADMIN"}, []string{"~CAP_SYS_ADMIN"}},
	{"SecureBits", []string{"noroot-locked noroot"}, []string{"noroot noroot-locked"}},
	{"NoNewPrivileges", []string{"no", "1"}, []string{"yes"}},
	{"SELinuxContext", []string{"-system_u:system_r:named_t:s0"}, []string{"-system_u:system_r:named_t:s0"}},
	{"AppArmorProfile", []string{"named"}, []string{"named"}},
	{"SmackProcessLabel", []string{"System"}, []string{"System"}},
	{"ExecSearchPath", []string{"/usr/bin:/bin", "/opt//bin/"}, []string{"/usr/bin", "/bin", "/opt/bin"}},
	{"WorkingDirectory", []string{"-/srv/"}, []string{"-/srv"}},
	{"RootDirectory", []string{"/srv/named"}, []string{"/srv/named"}},
	{"MountAPIVFS", []string{"no", "yes"}, []string{"yes"}},
	{"BindLogSockets", []string{"false"}, []string{"no"}},
	{"PrivateNetwork", []string{"yes"}, []string{"yes"}},
	{"NetworkNamespacePath", []string{"/run/netns//blue"}, []string{"/run/netns/blue"}},
	{"PrivateIPC", []string{"yes"}, []string{"yes"}},
	{"IPCNamespacePath", []string{"/proc/1/ns/ipc"}, []string{"/proc/1/ns/ipc"}},
	{"PrivateMounts", []string{"yes", "no"}, []string{"no"}},
	{"MountFlags", []string{"private", "slave"}, []string{"slave"}},
	{"PrivatePIDs", []string{"yes"}, []string{"yes"}},
	{"PrivateUsers", []string{"identity", "yes"}, []string{"self"}},
	{"UserNamespacePath", []string{"/proc/7/ns/user"}, []string{"/proc/7/ns/user"}},
	{"ProtectHostname", []string{"1:a.example"}, []string{"yes:a.example"}},
	{"DelegateNamespaces", []string{"~uts net", "net", "~pid"}, []string{"cgroup ipc net mnt"}},
	{"ProtectSystem", []string{"on", "strict"}, []string{"strict"}},
	{"ProtectHome", []string{"TRUE"}, []string{"yes"}},
	{"PrivateTmp", []string{"disconnected"}, []string{"disconnected"}},
	{"PrivateDevices", []string{"yes"}, []string{"yes"}},
	{"ProtectKernelTunables", []string{"yes"}, []string{"yes"}},
	{"ProtectKernelModules", []string{"yes"}, []string{"yes"}},
	{"ProtectKernelLogs", []string{"yes"}, []string{"yes"}},
	{"ProtectClock", []string{"yes"}, []string{"yes"}},
	{"ProtectControlGroups", []string{"strict", "private"}, []string{"private"}},
	{"ProtectProc", []string{"invisible"}, []string{"invisible"}},
	{"ProcSubset", []string{"pid"}, []string{"pid"}},
	{"PrivateBPF", []string{"yes"}, []string{"yes"}},
	{"SystemCallFilter", []string{"@system-service  nosuchcall", "~@mount:EPERM uname:84 reboot:kill acct:log", "~"}, []string{"@system-service nosuchcall", "~@mount:EPERM uname:EILSEQ reboot:kill acct:log", "~"}},
	{"SystemCallErrorNumber", []string{"13", "EWOULDBLOCK"}, []string{"EAGAIN"}},
	{"SystemCallArchitectures", []string{"native x86", "x32"}, []string{"native", "x86", "x32"}},
	{"SystemCallLog", []string{"~@known", "@clock"}, []string{"~@known", "@clock"}},
	{"RestrictAddressFamilies", []string{"AF_INET AF_LOCAL", "AF_INET6 AF_NETLINK", "~AF_INET6"}, []string{"AF_UNIX AF_INET AF_NETLINK"}},
	{"RestrictNamespaces", []string{"net user", "~user"}, []string{"net"}},
	{"RestrictRealtime", []string{"yes"}, []string{"yes"}},
	{"RestrictSUIDSGID", []string{"yes"}, []string{"yes"}},
	{"LockPersonality", []string{"yes"}, []string{"yes"}},
	{"MemoryDenyWriteExecute", []string{"yes"}, []string{"yes"}},
	{"ReadWritePaths", []string{"/var/lib/x -+/srv"}, []string{"/var/lib/x", "-+/srv"}},
	{"ReadOnlyDirectories", []string{`/ "/a b"`, "-/etc//x"}, []string{"/", `"/a b"`, "-/etc/x"}},
	{"InaccessiblePaths", []string{"+/boot"}, []string{"+/boot"}},
	{"ExecPaths", []string{"/usr"}, []string{"/usr"}},
	{"NoExecPaths", []string{"/", `/it\'s`}, []string{"/", `"/it's"`}},
	{"BindPaths", []string{`/a -/b:/c:rbind "/d:e"`, "/f:/f:norbind /g:/h:norbind"}, []string{"/a", "-/b:/c", `/d\:e`, "/f:/f:norbind", "/g:/h:norbind"}},
	{"BindReadOnlyPaths", []string{"/a:/b", `"/x y":"/z"`}, []string{"/a:/b", `"/x y":/z`}},
	{"TemporaryFileSystem", []string{"/var:ro,size=10%", "/a /b:dev,mode=700,nostrictatime,mpol=bind:0,2-3"}, []string{"/var:ro,mode=0755,size=10%", "/a:mode=0755", `/b:dev,nostrictatime,mode=700,mpol=bind\:0,2-3`}},
	{"LimitCPU", []string{"1500ms"}, []string{"2"}},
	{"LimitFSIZE", []string{"1024"}, []string{"1K"}},
	{"LimitDATA", []string{"infinity"}, []string{"infinity"}},
	{"LimitSTACK", []string{"8388608"}, []string{"8M"}},
	{"LimitCORE", []string{"0:infinity"}, []string{"0:infinity"}},
	{"LimitRSS", []string{"1"}, []string{"1"}},
	{"LimitNPROC", []string{"10"}, []string{"10"}},
	{"LimitNOFILE", []string{"1024:524288"}, []string{"1024:524288"}},
	{"LimitMEMLOCK", []string{"65536"}, []string{"64K"}},
	{"LimitAS", []string{"4G:16G"}, []string{"4G:16G"}},
	{"LimitLOCKS", []string{"5"}, []string{"5"}},
	{"LimitSIGPENDING", []string{"100"}, []string{"100"}},
	{"LimitMSGQUEUE", []string{"819200"}, []string{"800K"}},
	{"LimitNICE", []string{"+5"}, []string{"15"}},
	{"LimitRTPRIO", []string{"50"}, []string{"50"}},
	{"LimitRTTIME", []string{"1ms"}, []string{"1000"}},
	{"UMask", []string{"27"}, []string{"0027"}},
	{"CoredumpFilter", []string{"default", "private-dax"}, []string{"private-anonymous shared-anonymous elf-headers private-huge private-dax"}},
	{"KeyringMode", []string{"shared"}, []string{"shared"}},
	{"OOMScoreAdjust", []string{"-1000"}, []string{"-1000"}},
	{"TimerSlackNSec", []string{"1us"}, []string{"1000ns"}},
	{"Personality", nil, nil},
	{"IgnoreSIGPIPE", []string{"no"}, []string{"no"}},
	{"Nice", []string{"-20"}, []string{"-20"}},
	{"CPUSchedulingPolicy", []string{"fifo"}, []string{"fifo"}},
	{"CPUSchedulingPriority", []string{"99"}, []string{"99"}},
	{"CPUSchedulingResetOnFork", []string{"yes"}, []string{"yes"}},
	{"CPUAffinity", []string{"3,0-1", "2"}, []string{"0-3"}},
	{"NUMAPolicy", []string{"preferred-many"}, []string{"preferred-many"}},
	{"NUMAMask", []string{"all"}, []string{"all"}},
	{"IOSchedulingClass", []string{"best-effort"}, []string{"best-effort"}},
	{"IOSchedulingPriority", []string{"0"}, []string{"0"}},
	{"MemoryKSM", []string{"yes"}, []string{"yes"}},
	{"MemoryTHP", []string{"madvise"}, []string{"madvise"}},
	{"Environment", []string{`A=1 "B=2 3"`, "C="}, []string{"A=1", `"B=2 3"`, "C="}},
	{"EnvironmentFile", []string{"-/etc/default/named", "/etc/named.env"}, []string{"-/etc/default/named", "/etc/named.env"}},
	{"PassEnvironment", []string{"A B"}, []string{"A", "B"}},
	{"UnsetEnvironment", []string{"A B=c"}, []string{"A", "B=c"}},
	{"StandardInput", []string{"file:/dev/zero"}, []string{"file:/dev/zero"}},
	{"StandardOutput", []string{"journal+console"}, []string{"journal+console"}},
	{"StandardError", []string{"fd:err"}, []string{"fd:err"}},
	{"StandardInputText", nil, nil},
	{"StandardInputData", []string{"SGk=", "SGkh"}, []string{"SGk=", "SGkh"}},
	{"TTYPath", []string{"/dev/tty1"}, []string{"/dev/tty1"}},
	{"TTYReset", []string{"yes"}, []string{"yes"}},
	{"TTYVHangup", []string{"yes"}, []string{"yes"}},
	{"TTYVTDisallocate", []string{"yes"}, []string{"yes"}},
	{"TTYRows", []string{"24"}, []string{"24"}},
	{"TTYColumns", []string{"65535"}, []string{"65535"}},
	{"DevicePolicy", []string{"auto", "closed"}, []string{"closed"}},
	{"DeviceAllow", []string{"/dev//null", `"/dev/a b" wr`, "char-pts m", "block-* rwm"}, []string{"/dev/null rwm", `"/dev/a b" rw`, "char-pts m", "block-* rwm"}},
	{"IPAddressAllow", []string{"localhost 10.1.2.3/8", "::FFFF:1.2.3.4"}, []string{"localhost", "10.0.0.0/8", "::ffff:1.2.3.4"}},
	{"IPAddressDeny", []string{"any"}, []string{"any"}},
	{"SocketBindAllow", []string{"ipv4:udp:10000-65535", "tcp", "80-80"}, []string{"ipv4:udp:10000-65535", "tcp", "80"}},
	{"SocketBindDeny", []string{"any"}, []string{"any"}},
	{"RestrictNetworkInterfaces", []string{"eth1 eth2", "lo eth1", "~eth1"}, []string{"eth2 lo"}},
	{"RestrictFileSystems", []string{"~ext4  tmpfs", "~@temporary"}, []string{"~ext4 tmpfs @temporary"}},
	{"BindNetworkInterface", []string{"vrf-mgmt"}, []string{"vrf-mgmt"}},
	{"IPIngressFilterPath", []string{"/sys/fs/bpf/a", "/sys/fs/bpf/b", "/sys/fs/bpf//a"}, []string{"/sys/fs/bpf/a", "/sys/fs/bpf/b"}},
	{"IPEgressFilterPath", []string{"/sys/fs/bpf/a b"}, []string{"/sys/fs/bpf/a b"}},
	{"BPFProgram", []string{"egress:/sys/fs/bpf/a", "bind6:/sys/fs/bpf/a", "egress:/sys/fs/bpf/./a"}, []string{"egress:/sys/fs/bpf/a", "bind6:/sys/fs/bpf/a"}},
	{"MemoryMin", []string{"infinity", "0"}, []string{"0"}},
	{"MemoryLow", []string{"1.5G"}, []string{"1536M"}},
	{"MemoryHigh", []string{"12.34%"}, []string{"12.34%"}},
	{"MemoryMax", []string{"1G 512M"}, []string{"1536M"}},
	{"MemorySwapMax", []string{"0%"}, []string{"0"}},
	{"MemoryZSwapMax", []string{"infinity"}, []string{"infinity"}},
	{"MemoryZSwapWriteback", []string{"off"}, []string{"no"}},
	{"TasksMax", []string{"infinity", "100%", "4096"}, []string{"4096"}},
	{"CPUWeight", []string{"100", "idle"}, []string{"idle"}},
	{"CPUQuota", []string{"12.50%", "250%"}, []string{"250%"}},
	{"CPUQuotaPeriodSec", []string{"10ms", "2s"}, []string{"1s"}},
	{"AllowedCPUs", []string{"3,0-1", "2"}, []string{"0-3"}},
	{"AllowedMemoryNodes", []string{"0", "1"}, []string{"0-1"}},
	{"CPUSetPartition", []string{"isolated"}, []string{"isolated"}},
	{"IOWeight", []string{"1", "10000"}, []string{"10000"}},
	{"IODeviceWeight", []string{"/dev/sda 1000", `"/srv/a b"  7`}, []string{"/dev/sda 1000", `"/srv/a b" 7`}},
	{"IOReadBandwidthMax", []string{"/dev/sda 5M", "/dev/sda infinity"}, []string{"/dev/sda 5M", "/dev/sda infinity"}},
	{"IOWriteBandwidthMax", []string{"/dev/sda 1.5K"}, []string{"/dev/sda 1500"}},
	{"IOReadIOPSMax", []string{"/dev/sda 1K"}, []string{"/dev/sda 1K"}},
	{"IOWriteIOPSMax", []string{"/srv 1"}, []string{"/srv 1"}},
	{"IODeviceLatencyTargetSec", []string{"/dev/sda 25ms", "/dev/sdb 1s 500ms"}, []string{"/dev/sda 25ms", "/dev/sdb 1500ms"}},
	{"Delegate", []string{"cpu  memory", "pids cpu"}, []string{"cpu memory pids"}},
	{"DelegateSubgroup", []string{"main"}, []string{"main"}},
	{"KillMode", []string{"mixed"}, []string{"mixed"}},
	{"DynamicUser", []string{"yes"}, []string{"yes"}},
	{"RemoveIPC", []string{"no"}, []string{"no"}},
	{"Type", []string{"simple", "notify-reload"}, []string{"notify-reload"}},
	{"RemainAfterExit", []string{"yes"}, []string{"yes"}},
	{"PIDFile", []string{"named//named.pid"}, []string{"/run/named/named.pid"}},
	{"NotifyAccess", []string{"all"}, []string{"all"}},
	{"ExecCondition", []string{"/bin/test -e /etc/x"}, []string{"/bin/test -e /etc/x"}},
	{"ExecStartPre", []string{"-+/bin/a 'b c' ; true"}, []string{`-+/bin/a "b c"`, "true"}},
	{"ExecStart", []string{"@/usr//bin/x y z", `:/bin/e $A "" \; \-`}, []string{"@/usr/bin/x y z", `:/bin/e $A "" \; "\\-"`}},
	{"ExecStartPost", []string{"|a b", "@|c"}, []string{"|a b", "@|c"}},
	{"ExecReload", []string{"/bin/kill -HUP $MAINPID"}, []string{"/bin/kill -HUP $MAINPID"}},
	{"ExecReloadPost", []string{"true"}, []string{"true"}},
	{"ExecStop", []string{"!/bin/a", "!!/bin/b"}, []string{"!/bin/a", "/bin/b"}},
	{"ExecStopPost", []string{"/bin//a/./b"}, []string{"/bin//a/./b"}},
	{"TimeoutStartSec", []string{"5min 20s"}, []string{"320s"}},
	{"TimeoutStopSec", []string{"0"}, []string{"infinity"}},
	{"TimeoutAbortSec", []string{"10"}, []string{"10s"}},
	{"TimeoutSec", nil, nil},
	{"TimeoutStartFailureMode", []string{"abort"}, []string{"abort"}},
	{"TimeoutStopFailureMode", []string{"kill"}, []string{"kill"}},
	{"RuntimeMaxSec", []string{"1d"}, []string{"24h"}},
	{"RuntimeRandomizedExtraSec", []string{"90"}, []string{"90s"}},
	{"SuccessExitStatus", []string{"TEMPFAIL 250 SIGKILL", "1 RTMIN+1"}, []string{"1 75 250 SIGKILL SIGRTMIN+1"}},
	{"RootDirectoryStartOnly", []string{"yes"}, []string{"yes"}},
	{"PermissionsStartOnly", []string{"yes"}, []string{"yes"}},
	{"NonBlocking", []string{"yes"}, []string{"yes"}},
	{"OpenFile", []string{`/a\:c/b d`, "/d:e:read-only,graceful"}, []string{`/a\:c/b\x20d:b\x20d`, "/d:e:read-only,graceful"}},
	{"ReloadSignal", []string{"USR1"}, []string{"SIGUSR1"}},
	{"KillSignal", []string{"3"}, []string{"SIGQUIT"}},
	{"FinalKillSignal", []string{"SIGRTMAX-2"}, []string{"SIGRTMIN+28"}},
	{"WatchdogSignal", []string{"SIGQUIT"}, []string{"SIGQUIT"}},
	{"SendSIGHUP", []string{"yes"}, []string{"yes"}},
	{"SendSIGKILL", []string{"no"}, []string{"no"}},
	{"RuntimeDirectory", []string{"./a///./b/. c:d", `c:e "x y::ro"`}, []string{"a/b", "c:d c:e", `"x y"::ro`}},
	{"StateDirectory", []string{`d\:ef`}, []string{`d\:ef`}},
	{"CacheDirectory", []string{"a:b:ro"}, []string{"a:b:ro"}},
	{"LogsDirectory", []string{"a", "b a"}, []string{"b", "a"}},
	{"ConfigurationDirectory", []string{"foo::ro"}, []string{"foo::ro"}},
	{"RuntimeDirectoryMode", []string{"750"}, []string{"0750"}},
	{"StateDirectoryMode", []string{"02750"}, []string{"2750"}},
	{"CacheDirectoryMode", []string{"0700"}, []string{"0700"}},
	{"LogsDirectoryMode", []string{"0755"}, []string{"0755"}},
	{"ConfigurationDirectoryMode", []string{"0500"}, []string{"0500"}},
	{"RuntimeDirectoryPreserve", []string{"restart", "on"}, []string{"yes"}},
	{"ImportCredential", []string{"a.*:b.", "*"}, []string{"a.*:b.", "*"}},
	{"LoadCredential", []string{"a", "b:c", "d:/e//f"}, []string{"a", "b:c", "d:/e/f"}},
	{"SetCredential", []string{`a:x\n\x00:y `}, []string{`a:x\x0a\x00:y\x20`}},
	{"X-Hardrun-Listen", []string{"tcp:[::]:53,name=dns", "unix:/run/x,mode=0660,user=U,group=G,name=N"}, []string{"tcp:[::]:53,name=dns", "unix:/run/x,name=N,mode=0660,user=U,group=G"}},
	{"ListenDatagram", []string{"127.0.0.1:53", "/run//y"}, []string{"127.0.0.1:53", "/run/y"}},
	{"ListenFIFO", []string{"/run/fifo"}, []string{"/run/fifo"}},
	{"ListenMessageQueue", []string{"/queue"}, []string{"/queue"}},
	{"ListenNetlink", []string{"kobject-uevent  1"}, []string{"kobject-uevent 1"}},
	{"ListenSequentialPacket", []string{"@abstract"}, []string{"@abstract"}},
	{"ListenSpecial", []string{"/dev/log"}, []string{"/dev/log"}},
	{"ListenStream", []string{"53", "[fe80::1]:53%eth0", "vsock::53"}, []string{"53", "[fe80::1]:53%eth0", "vsock::53"}},
	{"SocketProtocol", []string{"mptcp"}, []string{"mptcp"}},
	{"BindIPv6Only", []string{"yes"}, []string{"ipv6-only"}},
	{"Backlog", []string{"4294967295"}, []string{"4294967295"}},
	{"BindToDevice", []string{"eth0"}, []string{"eth0"}},
	{"SocketUser", []string{"www"}, []string{"www"}},
	{"SocketGroup", []string{"33"}, []string{"33"}},
	{"SocketMode", []string{"660"}, []string{"0660"}},
	{"DirectoryMode", []string{"0750"}, []string{"0750"}},
	{"Writable", []string{"yes"}, []string{"yes"}},
	{"KeepAlive", []string{"yes"}, []string{"yes"}},
	{"KeepAliveTimeSec", []string{"2h"}, []string{"2h"}},
	{"KeepAliveIntervalSec", []string{"75"}, []string{"75s"}},
	{"KeepAliveProbes", []string{"9"}, []string{"9"}},
	{"NoDelay", []string{"yes"}, []string{"yes"}},
	{"Priority", []string{"6"}, []string{"6"}},
	{"DeferAcceptSec", []string{"3s"}, []string{"3s"}},
	{"ReceiveBuffer", []string{"256K"}, []string{"262144"}},
	{"SendBuffer", []string{"1M"}, []string{"1048576"}},
	{"IPTOS", []string{"low-delay"}, []string{"16"}},
	{"IPTTL", []string{"64"}, []string{"64"}},
	{"Mark", []string{"4294967295"}, []string{"4294967295"}},
	{"ReusePort", []string{"yes"}, []string{"yes"}},
	{"PipeSize", []string{"64K"}, []string{"65536"}},
	{"MessageQueueMaxMessages", []string{"10"}, []string{"10"}},
	{"MessageQueueMessageSize", []string{"8192"}, []string{"8192"}},
	{"FreeBind", []string{"yes"}, []string{"yes"}},
	{"Transparent", []string{"yes"}, []string{"yes"}},
	{"Broadcast", []string{"yes"}, []string{"yes"}},
	{"PassCredentials", []string{"yes"}, []string{"yes"}},
	{"PassPIDFD", []string{"yes"}, []string{"yes"}},
	{"PassSecurity", []string{"yes"}, []string{"yes"}},
	{"PassPacketInfo", []string{"yes"}, []string{"yes"}},
	{"AcceptFileDescriptors", []string{"no"}, []string{"no"}},
	{"Timestamping", []string{"nsec"}, []string{"ns"}},
	{"TCPCongestion", []string{"bbr"}, []string{"bbr"}},
	{"RemoveOnStop", []string{"yes"}, []string{"yes"}},
	{"Symlinks", []string{`/a "/b c"`}, []string{"/a", `"/b c"`}},
	{"FileDescriptorName", []string{"dns"}, []string{"dns"}},
	{"Service", []string{"named.service"}, []string{"named.service"}},
	{"X-Hardrun-CGroup", []string{"/services/named"}, []string{"/services/named"}},
	{"X-Hardrun-Caps", []string{"~net_raw,kill"}, []string{"~CAP_KILL CAP_NET_RAW"}},
	{"X-Hardrun-Chroot", []string{"/srv/cage"}, []string{"/srv/cage"}},
	{"X-Hardrun-SeccompBPF", []string{"/etc//filter.bpf"}, []string{"/etc/filter.bpf"}},
	{"X-Hardrun-FilterOut", []string{"/tmp/f", "-"}, []string{"-"}},
	{"X-Hardrun-FilterBackend", []string{"libseccomp"}, []string{"libseccomp"}},
	{"X-Hardrun-AllowNewCalls", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-ExplainDenials", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-Env", nil, nil},
	{"X-Hardrun-Bind", nil, nil},
	{"X-Hardrun-RoBind", nil, nil},
	{"X-Hardrun-Tmpfs", nil, nil},
	{"X-Hardrun-MinimalRoot", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-AllowLandlock", []string{"ReadOnlyPaths,NoExecPaths= ProtectHome", "ExecPaths"}, []string{"ReadOnlyPaths", "NoExecPaths", "ProtectHome", "ExecPaths"}},
	{"X-Hardrun-ClearEnv", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-KeepFD", []string{"3", "63"}, []string{"3", "63"}},
	{"X-Hardrun-KeepTTY", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-Init", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-Parent", []string{"never"}, []string{"never"}},
	{"X-Hardrun-Unit", []string{"a", "./b.service"}, []string{"./b.service"}},
	{"X-Hardrun-UnitPath", []string{"/a:/b", "/c"}, []string{"/a", "/b", "/c"}},
	{"X-Hardrun-DropIn", []string{"a.conf", "@web"}, []string{"a.conf", "@web"}},
	{"X-Hardrun-Socket", []string{"on", "/a/b.socket"}, []string{"yes", "/a/b.socket"}},
	{"X-Hardrun-Do", []string{"reload"}, []string{"reload"}},
	{"X-Hardrun-PID", []string{"812"}, []string{"812"}},
	{"X-Hardrun-ReadyFD", []string{"3"}, []string{"3"}},
	{"X-Hardrun-SkipStatus", []string{"100"}, []string{"100"}},
	{"X-Hardrun-Waive", []string{"ProtectHome,Nice"}, []string{"ProtectHome", "Nice"}},
	{"X-Hardrun-Strict", []string{"yes"}, []string{"yes"}},
	{"X-Hardrun-Unknown", []string{"warn"}, []string{"warn"}},
	{"X-Hardrun-Log", []string{"both"}, []string{"both"}},
}

// replay assigns settings to a new policy. A reset is done without the check
// that the command line needs.
func replay(t *testing.T, settings []Setting) Policy {
	t.Helper()
	var p Policy
	for _, s := range settings {
		if s.Value == "" {
			s.Directive.Value.field.reset(&p, s.From)
			continue
		}
		if err := p.SetDirective(s.Directive, s.Value, s.From); err != nil {
			t.Fatalf("writing %s: %v", s.Directive.Name, err)
		}
	}
	return p
}

// samples are sample and one of each kind of condition, in the order of the table.
func samples() []sampleRow {
	all := slices.Clone(sample)
	for _, d := range Directives {
		f, ok := d.fieldOf().(*conditionField)
		if !ok {
			continue
		}
		c := sampleRow{d.Name, []string{"|! /a", "/b"}, []string{"|!/a", "/b"}}
		if (d.Name == "Assert"+f.kind) != f.assert {
			c.want = nil // the row is of the wrong kind
		}
		all = append(all, c)
	}
	return all
}

func (d *Directive) fieldOf() field {
	if d.Value == nil {
		return nil
	}
	return d.Value.field
}

// sampleOrigin is line, or for what no unit can have an option.
func sampleOrigin(name string, n int) Origin {
	if _, ok := Lookup(name).fieldOf().(*optionField); ok {
		return option("--" + Lookup(name).Option)
	}
	return line(n)
}

func TestSettings(t *testing.T) {
	covered := map[*Directive]bool{}
	var full Policy
	for _, c := range samples() {
		d := Lookup(c.name)
		covered[d] = true
		var p Policy
		for i, v := range c.values {
			mustSet(t, &p, c.name, v, sampleOrigin(c.name, i+1))
			mustSet(t, &full, c.name, v, sampleOrigin(c.name, i+1))
		}
		var got []string
		for _, s := range p.Settings() {
			if s.Directive != d {
				t.Errorf("%s: Settings has %s", c.name, s.Directive.Name)
			}
			got = append(got, s.Value)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: Settings %q, want %q", c.name, got, c.want)
		}
		if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
			t.Errorf("%s: written and read back\n got %+v\nwant %+v", c.name, back, p)
		}
		for i := range c.values {
			if i > 0 {
				continue
			}
			mustSet(t, &p, c.name, "", line(9))
			if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
				t.Errorf("%s: reset, written and read back\n got %+v\nwant %+v", c.name, back, p)
			}
		}
	}
	if back := replay(t, full.Settings()); !reflect.DeepEqual(back, full) {
		t.Errorf("all of it, written and read back\n got %+v\nwant %+v", back, full)
	}
	for _, d := range Directives {
		if d.Support == Applied && !covered[d] {
			t.Errorf("%s: no sample", d.Name)
		}
	}
}

func TestSettingsOfOtherFields(t *testing.T) {
	var p Policy
	mustSet(t, &p, "StandardInputText", "Hi", line(1)) // SGkK is "Hi\n"
	mustSet(t, &p, "X-Hardrun-Env", "A=1 2", line(2))
	mustSet(t, &p, "X-Hardrun-Bind", "/a b", line(3))
	mustSet(t, &p, "X-Hardrun-RoBind", `/c"d:/e`, line(4))
	mustSet(t, &p, "X-Hardrun-Tmpfs", "/f g:size=1m", line(5))
	mustSet(t, &p, "User", "www:web,logs", option("--user"))
	mustSet(t, &p, "X-Hardrun-Caps", "all", option("--caps"))
	var got []string
	for _, s := range p.Settings() {
		got = append(got, s.Directive.ConfigName()+"="+s.Value+" ("+s.From.String()+")")
	}
	want := []string{
		`BindPaths="/a b" (named.service:3)`,
		`BindReadOnlyPaths="/c\"d":/e (named.service:4)`,
		"X-Hardrun-Caps=all (--caps)",
		`Environment="A=1 2" (named.service:2)`,
		"StandardInputData=SGkK (named.service:1)",
		`TemporaryFileSystem="/f g":mode=0755,size=1m (named.service:5)`,
		"User=www:web,logs (--user)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
		t.Errorf("written and read back\n got %+v\nwant %+v", back, p)
	}
}

// TestPersonality: systemd.exec(5): x86-64 systems have x86-64 and x86.
func TestPersonality(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the names are those of amd64, this is " + runtime.GOARCH)
	}
	var p Policy
	mustSet(t, &p, "Personality", "x86", line(1))
	if err := p.Set("Personality", "arm64", line(2)); err == nil || p.Personality.V != "x86" {
		t.Errorf("Personality=arm64: %v, %+v", err, p.Personality)
	}
}

// FuzzSet: no assignment panics, an error is an *Error and leaves the policy as
// it was, and what is taken is written out and read back the same.
func FuzzSet(f *testing.F) {
	for i, d := range Directives {
		f.Add(uint16(i), "yes", false)
		f.Add(uint16(i), d.Default, true)
	}
	for i, c := range sample {
		for _, v := range c.values {
			at := slices.Index(Directives, Lookup(c.name))
			f.Add(uint16(at), v, i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, value string, unit bool) {
		d := Directives[int(n)%len(Directives)]
		from := option("--" + d.Option)
		if unit {
			from = line(1)
		}
		var p Policy
		if err := p.SetDirective(d, value, from); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Name != d.ConfigName() || e.From != from {
				t.Fatalf("%s=%q: error %v", d.Name, value, err)
			}
			if !reflect.DeepEqual(p, Policy{}) {
				t.Fatalf("%s=%q is refused, and changed the policy", d.Name, value)
			}
			return
		}
		p.Noted, p.NotApplied, p.owner = nil, nil, nil
		if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
			t.Fatalf("%s=%q written and read back\n got %+v\nwant %+v", d.Name, value, back, p)
		}
	})
}

// FuzzLookup: no name panics, and one that is found is spelt so in the table.
func FuzzLookup(f *testing.F) {
	for _, s := range []string{"User", "X-Hardrun-KeepFD", "no-new-privs", "ReadOnlyDirectories", "", "X-Hardrun-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := Lookup(s); d != nil && d.ConfigName() != s && !slices.Contains(d.Aliases, s) {
			t.Errorf("Lookup(%q) = %s", s, d.Name)
		}
		if d := ByOption(s); d != nil && d.Option != s && !slices.Contains(d.OptionAliases, s) && Lookup(s) != d {
			t.Errorf("ByOption(%q) = %s", s, d.Name)
		}
		if near := Nearest(s); near != "" && Lookup(near) == nil {
			t.Errorf("Nearest(%q) = %q, which is unknown", s, near)
		}
		if near := NearestOption(s); near != "" && ByOption(near) == nil {
			t.Errorf("NearestOption(%q) = %q, which is unknown", s, near)
		}
	})
}
