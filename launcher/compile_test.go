package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

const netBindService = caps.Set(1) << 10

// aRoot is a root with everything, on a kernel whose last capability is 40.
func aRoot() *Env {
	all := caps.All(40)
	return &Env{
		For: "root", GOOS: "linux", GOARCH: "amd64", LastCap: 40, Proc: true, PID: 100,
		Caps:     CapState{Permitted: all, Effective: all, Bounding: all},
		Snapshot: Snapshot{Affinity: process.CPUSet{3}, AffinityBytes: 8, Environ: []string{"PATH=/bin", "A=1"}},
		Command:  Command{Args: []string{"daemon", "-f"}, Path: "/bin/daemon"},
		User:     caps.User{Name: "www", UID: 33, GID: 34, Home: "/var/www", Shell: "/usr/sbin/nologin", Entry: true},
		// www is in its own group and in two others.
		UserGroups: []uint32{34, 4, 27},
		CGroups:    someGroups(),
	}
}

// someGroups are the control groups of a machine with cgroup2 alone.
func someGroups() CGroups {
	t := cgroup.Tree{Unified: true, Mount: "/cg", Own: "/own"}
	return CGroups{
		Read: true, Trees: []cgroup.Tree{t}, Homes: []*cgroup.Home{cgroup.NewHome(t, "/own/hardrun-daemon", false)},
		Access:    []cgroupAccess{{Offers: []string{"cpuset", "cpu", "io", "memory", "pids"}}},
		Devices:   [][]cgroup.Device{{{Major: 1, Minor: 3, Access: cgroup.Read}}},
		Terminals: []cgroup.Device{{Major: 136, Minor: cgroup.AnyMinor, Access: cgroup.Read | cgroup.Write}},
		Clocks:    []cgroup.Device{{Major: 249, Minor: cgroup.AnyMinor, Access: cgroup.Read}},
		Disks:     [][2]uint32{{8, 0}}, Memory: 1 << 30, Swap: 1 << 20, Tasks: 1000,
	}
}

func aPolicy(t *testing.T, settings ...string) *policy.Policy {
	t.Helper()
	p := &policy.Policy{}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if err := p.Set(name, value, policy.Origin{File: "test.service", Line: 7}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// steps are the lines of a plan behind their stage, without the steps that are
// in every plan.
func steps(pl *Plan) []string {
	var out []string
	for _, e := range pl.Entries {
		switch e.Step.(type) {
		case guard, process.KeepStandard, process.SetAffinity, process.SetTimerSlack, process.SetSignals, *execStep, *openCommand, *process.CloseDescriptors, environStep:
			continue
		}
		out = append(out, e.Stage.String()+": "+e.Step.String())
	}
	return out
}

func TestCompileCredentials(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		env  func(e *Env)
		want []string
	}{
		{"nothing asked, nothing done", nil, nil, nil},
		{"a user loses everything", []string{"User=www"}, nil, []string{
			"groups: set groups {34,4,27}",
			"groups: set gid 34 (real, effective, saved)",
			"user: set uid 33 (real, effective, saved)",
			"ambient set: ambient {}",
			"capabilities: permitted, effective, inheritable {}",
		}},
		{"a user with one capability", []string{"User=www", "X-Hardrun-Caps=net_bind_service"}, nil, []string{
			"groups: set groups {34,4,27}",
			"groups: set gid 34 (real, effective, saved)",
			"securebits: keep capabilities over the change of user",
			"bounding set: keep {cap_net_bind_service}",
			"user: set uid 33 (real, effective, saved)",
			"capabilities: permitted, effective, inheritable {cap_net_bind_service}",
			"ambient set: ambient {cap_net_bind_service}",
			"securebits: clear keep-caps",
		}},
		{"root with one capability has no ambient ones", []string{"X-Hardrun-Caps=net_bind_service"}, nil, []string{
			"bounding set: keep {cap_net_bind_service}",
			"ambient set: ambient {}",
			"capabilities: permitted, effective {cap_net_bind_service}, inheritable {}",
		}},
		{"root for whom root means nothing does", []string{"X-Hardrun-Caps=net_bind_service", "SecureBits=noroot"}, nil, []string{
			"bounding set: keep {cap_net_bind_service}",
			"capabilities: permitted, effective {cap_setpcap,cap_net_bind_service}, inheritable {cap_net_bind_service}",
			"ambient set: ambient {cap_net_bind_service}",
			"securebits: set noroot",
			"capabilities: permitted, effective, inheritable {cap_net_bind_service}",
		}},
		{"securebits come after the last raise", []string{"User=www", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "SecureBits=no-cap-ambient-raise keep-caps-locked"}, nil, []string{
			"groups: set groups {34,4,27}",
			"groups: set gid 34 (real, effective, saved)",
			"securebits: keep capabilities over the change of user",
			"user: set uid 33 (real, effective, saved)",
			"capabilities: permitted, effective {cap_setpcap,cap_net_bind_service}, inheritable {cap_net_bind_service}",
			"ambient set: ambient {cap_net_bind_service}",
			"securebits: set keep-caps-locked no-cap-ambient-raise",
			"capabilities: permitted, effective, inheritable {cap_net_bind_service}",
		}},
		{"Group= alone drops the caller's groups", []string{"Group=g"}, func(e *Env) { e.Group = caps.Group{Name: "g", GID: 50} }, []string{
			"groups: set groups {50}",
			"groups: set gid 50 (real, effective, saved)",
		}},
		{"Group= replaces the primary group of the user", []string{"User=www", "Group=g"}, func(e *Env) { e.Group = caps.Group{Name: "g", GID: 50} }, []string{
			"groups: set groups {50,4,27}",
			"groups: set gid 50 (real, effective, saved)",
			"user: set uid 33 (real, effective, saved)",
			"ambient set: ambient {}",
			"capabilities: permitted, effective, inheritable {}",
		}},
		{"SupplementaryGroups= adds", []string{"User=www", "SupplementaryGroups=a b"}, func(e *Env) { e.Extra = []uint32{27, 99} }, []string{
			"groups: set groups {34,4,27,99}",
			"groups: set gid 34 (real, effective, saved)",
			"user: set uid 33 (real, effective, saved)",
			"ambient set: ambient {}",
			"capabilities: permitted, effective, inheritable {}",
		}},
		{"User=root has root's groups, and not the caller's", []string{"User=root"}, func(e *Env) {
			e.Groups = []uint32{4, 27, 1000}
			e.User = caps.User{Name: "root", Home: "/root", Shell: "/bin/bash", Entry: true}
			e.UserGroups = []uint32{0}
		}, []string{
			"groups: set groups {0}",
			"groups: set gid 0 (real, effective, saved)",
			"user: set uid 0 (real, effective, saved)",
			"ambient set: ambient {}",
			"capabilities: permitted, effective all, inheritable {}",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			if tt.env != nil {
				tt.env(env)
			}
			pl := Compile(aPolicy(t, tt.set...), env)
			if len(pl.Refused) > 0 {
				t.Fatalf("refused: %v", pl.Refused[0].Error())
			}
			if got := steps(pl); !slices.Equal(got, tt.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	without := func(n ...int) func(e *Env) {
		return func(e *Env) {
			for _, c := range n {
				s := caps.Set(1) << c
				e.Caps.Permitted, e.Caps.Effective = e.Caps.Permitted.Without(s), e.Caps.Effective.Without(s)
			}
		}
	}
	for _, tt := range []struct {
		name string
		set  []string
		env  func(e *Env)
		want string // what the first refusal contains
		exit int
	}{
		{"no CAP_SETUID", []string{"User=www"}, without(capSetUID), "User=: setresuid(2) needs CAP_SETUID", 217},
		{"no CAP_SETGID", []string{"User=www"}, without(capSetGID), "User=: setgroups(2) needs CAP_SETGID", 216},
		{"setgroups denied in a user namespace", []string{"User=www"}, func(e *Env) { e.NoSetgroups = true }, "User=: setgroups(2) is denied", 216},
		{"no CAP_SETPCAP", []string{"CapabilityBoundingSet=CAP_CHOWN"}, without(capSetPcap), "CapabilityBoundingSet=: PR_CAPBSET_DROP needs CAP_SETPCAP", 218},
		{"no CAP_SYS_CHROOT", []string{"X-Hardrun-Chroot=/srv"}, func(e *Env) { without(capSysChroot)(e); without(capSysAdmin)(e) }, "RootDirectory=: chroot(2) needs CAP_SYS_CHROOT", 210},
		{"no CAP_SYS_RESOURCE", []string{"LimitNOFILE=100"}, without(capSysResource), "LimitNOFILE=: raising the hard limit", 205},
		{"ambient outside of the bounding set", []string{"CapabilityBoundingSet=CAP_CHOWN", "AmbientCapabilities=CAP_KILL"}, nil, "{cap_kill} cannot be ambient: not in CapabilityBoundingSet=", 218},
		{"ambient that hardrun does not have", []string{"AmbientCapabilities=CAP_KILL"}, without(capKill), "{cap_kill} cannot be ambient: hardrun was started without", 218},
		{"all but one for a user", []string{"User=www", "X-Hardrun-Caps=~sys_ptrace"}, nil, "would hand every other capability to the user", 64},
		{"a locked flag", []string{"SecureBits=noroot"}, func(e *Env) { e.SecureBits = caps.SecbitNoRootLocked }, "\"noroot-locked\" was inherited", 213},
		{"no security module", []string{"AppArmorProfile=x"}, nil, "AppArmorProfile=: the security module is not there", 231},
		{"a priority without its policy", []string{"CPUSchedulingPriority=5"}, nil, "only the policies fifo and rr take a priority", 214},
		{"not applied", []string{"SmackLabel=a"}, nil, "SmackLabel=: known, not yet applied", 78},
		{"impossible", []string{"PAMName=x"}, nil, "PAMName=: cannot be had", 78},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			env.Limits[7] = process.Limit{Soft: 10, Hard: 10}
			if tt.env != nil {
				tt.env(env)
			}
			pl := Compile(aPolicy(t, tt.set...), env)
			if len(pl.Refused) == 0 {
				t.Fatal("not refused")
			}
			if r := pl.Refused[0]; !strings.Contains(r.Error(), tt.want) || r.Exit != tt.exit {
				t.Errorf("got %d %q, want %d %q", r.Exit, r.Error(), tt.exit, tt.want)
			}
			if _, err := pl.Apply(&Thread{}); err == nil {
				t.Error("a refused plan was applied")
			}
		})
	}
}

// A waiver is by name, holds for what can be waived, and not under --strict.
func TestWaive(t *testing.T) {
	for _, tt := range []struct {
		set             []string
		refused, waived int
	}{
		{[]string{"SmackLabel=a", "X-Hardrun-Waive=SmackLabel"}, 0, 1},
		{[]string{"SmackLabel=a", "SmackLabelIPIn=b", "X-Hardrun-Waive=SmackLabel"}, 1, 1},
		{[]string{"SmackLabel=a", "X-Hardrun-Waive=SmackLabel", "X-Hardrun-Strict=yes"}, 1, 0},
		{[]string{"AppArmorProfile=x", "X-Hardrun-Waive=AppArmorProfile"}, 0, 1},
	} {
		pl := Compile(aPolicy(t, tt.set...), aRoot())
		if len(pl.Refused) != tt.refused || len(pl.Waived) != tt.waived {
			t.Errorf("%v: %d refused and %d waived, want %d and %d", tt.set, len(pl.Refused), len(pl.Waived), tt.refused, tt.waived)
		}
	}
	env := aRoot()
	env.Problems = []Refusal{{Directive: "User=", Text: "unknown user", Exit: 217}}
	p := aPolicy(t, "User=www")
	p.Waive.Items = append(p.Waive.Items, policy.Item[string]{V: "User"})
	if pl := Compile(p, env); len(pl.Refused) != 1 {
		t.Error("User= was waived")
	}
}

// Compile is pure: it neither changes what it is given nor differs from run to run.
func TestCompileIsPure(t *testing.T) {
	p := aPolicy(t, "User=www", "X-Hardrun-Caps=net_bind_service", "X-Hardrun-Chroot=/srv", "LimitNOFILE=10")
	env := aRoot()
	a, b := steps(Compile(p, env)), steps(Compile(p, env))
	if !slices.Equal(a, b) {
		t.Errorf("two plans differ:\n%v\n%v", a, b)
	}
	if p.CapabilityBoundingSet.Set || p.RootDirectory.Set {
		t.Error("Compile changed the policy")
	}
	if env.Caps.Bounding != caps.All(40) || netBindService.Count() != 1 {
		t.Error("Compile changed the environment")
	}
}

func TestLimitsStages(t *testing.T) {
	env := aRoot()
	env.Limits[7] = process.Limit{Soft: 1024, Hard: 4096}
	pl := Compile(aPolicy(t, "LimitNOFILE=4:9999"), env)
	want := []string{"limits: NOFILE 1024:9999", "limits: NOFILE 4:9999"}
	if got := steps(pl); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: a hard limit is raised early, a soft one lowered late", got, want)
	}
	// Nothing asked: what the Go runtime raised is given back.
	pl = Compile(aPolicy(t), env)
	if got := steps(pl); !slices.Equal(got, []string{"limits: NOFILE 1024:4096"}) {
		t.Errorf("got %v", got)
	}
}

func TestEnvironment(t *testing.T) {
	env := aRoot()
	env.Environ = []string{"PATH=/bin", "A=1", "LISTEN_PID=9", "LISTEN_FDS=1", "HOME=/root", "odd", "A=2"}
	env.ListenFor = true
	env.EnvFiles = [][]string{{"B=file"}}
	pl := Compile(aPolicy(t, "User=www", "Environment=B=env C=3", "UnsetEnvironment=C=4 PATH", "ExecSearchPath=/x:/y"), env)
	want := []string{"A=1", "HOME=/var/www", "odd", "A=2", "LOGNAME=www", "USER=www", "B=file", "C=3"}
	if got := pl.Environ(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	env.EnvFiles = nil
	// Nothing asked: as it was, duplicates and all, but for what is another's.
	pl = Compile(aPolicy(t), env)
	want = []string{"PATH=/bin", "A=1", "HOME=/root", "odd", "A=2"}
	if got := pl.Environ(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A container which runs as the service's user can set nothing, and need not.
func TestRunAsNonRoot(t *testing.T) {
	for _, tt := range []struct {
		groups, set []uint32
		refused     bool
	}{
		{[]uint32{34}, []uint32{34}, false},
		{nil, nil, false}, // the primary group counts without being listed
		{[]uint32{34, 27}, nil, true},
	} {
		env := aRoot()
		env.Caps = CapState{}
		env.UIDs, env.GIDs, env.Groups = [3]uint32{33, 33, 33}, [3]uint32{34, 34, 34}, tt.groups
		env.UserGroups = []uint32{34}
		pl := Compile(aPolicy(t, "User=www"), env)
		if (len(pl.Refused) > 0) != tt.refused {
			t.Fatalf("groups %v: refused %v", tt.groups, pl.Refused)
		}
		if tt.refused {
			continue
		}
		if s, ok := pl.Entries[slices.IndexFunc(pl.Entries, func(e Entry) bool { return e.Stage == StageGroups })].Step.(caps.SetGroups); !ok || !slices.Equal(s.GIDs, tt.set) {
			t.Errorf("groups %v: %v, want %v", tt.groups, s.GIDs, tt.set)
		}
	}
}

// A command line that cannot be meant is said first, and gives its status.
func TestUsageFirst(t *testing.T) {
	env := aRoot()
	env.Problems = []Refusal{{Text: "command not found: x", Exit: 203}}
	pl := Compile(aPolicy(t, "User=www", "X-Hardrun-Caps=~sys_ptrace"), env)
	if len(pl.Refused) != 2 || pl.Refused[0].Exit != ExitUsage || pl.Refused[1].Exit != 203 {
		t.Errorf("refused %v", pl.Refused)
	}
}

// One mistake is one line: an unknown user is not also said to lack CAP_SETUID.
func TestOneProblemOneLine(t *testing.T) {
	env := aRoot()
	env.Caps, env.UIDs = CapState{}, [3]uint32{1, 1, 1}
	env.Problems = []Refusal{{Directive: "User=", Text: "unknown user", Exit: 217}}
	if pl := Compile(aPolicy(t, "User=www"), env); len(pl.Refused) != 1 {
		t.Errorf("refused %v", pl.Refused)
	}
}
