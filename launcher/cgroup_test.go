package launcher

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
)

const (
	groupMade   = "cgroup: cgroup /own/hardrun-daemon"
	groupJoin   = "cgroup: join the cgroup"
	groupJoined = "cgroup: in the cgroup"
)

// TestCompileCGroup: which directives make a group, and in which order it is limited,
// joined and guarded.
func TestCompileCGroup(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		want []string
	}{
		{"nothing asked", nil, nil},
		{"what is so anyway", []string{
			"MemoryMax=infinity", "MemoryHigh=infinity", "MemorySwapMax=infinity", "MemoryZSwapMax=infinity", "TasksMax=infinity", "MemoryMin=0", "MemoryLow=0",
			"MemoryZSwapWriteback=yes", "CPUSetPartition=member", "Delegate=no", "DevicePolicy=auto", "KillMode=process",
		}, nil},
		{"auto without a list is nothing", []string{"DevicePolicy=auto"}, nil},
		{"a list alone is all there is", []string{"DeviceAllow=/dev/null r"}, []string{groupMade, groupJoin, groupJoined, "cgroup: device program: strict, /dev/null r"}},
		{"auto with a list", []string{"DevicePolicy=auto", "DeviceAllow=/dev/null r"}, []string{groupMade, groupJoin, groupJoined, "cgroup: device program: closed, /dev/null r"}},
		{"the clock", []string{"DevicePolicy=closed", "ProtectClock=yes"}, []string{groupMade, groupJoin, groupJoined, "cgroup: device program: closed, char-rtc r"}},
		{"what is allowed alone forbids nothing", []string{"IPAddressAllow=localhost", "SocketBindAllow=tcp:53"}, nil},
		{"one program for each direction", []string{"IPAddressDeny=any", "IPAddressAllow=localhost", "RestrictNetworkInterfaces=lo eth0"}, []string{
			groupMade, groupJoin, groupJoined,
			"cgroup: ingress program: not any, but localhost, interfaces lo eth0", "cgroup: egress program: not any, but localhost, interfaces lo eth0",
		}},
		{"ports", []string{"SocketBindDeny=any", "SocketBindAllow=tcp:53", "SocketBindAllow=ipv6:udp:1024-2000"}, []string{
			groupMade, groupJoin, groupJoined,
			"cgroup: bind4 program: not any, but tcp:53 ipv6:udp:1024-2000", "cgroup: bind6 program: not any, but tcp:53 ipv6:udp:1024-2000",
		}},
		{"pinned, each once", []string{"BPFProgram=egress:/sys/fs/bpf/a", "IPEgressFilterPath=/sys/fs/bpf/a", "IPIngressFilterPath=/sys/fs/bpf/b"}, []string{
			groupMade, groupJoin, groupJoined, "cgroup: ingress program /sys/fs/bpf/b", "cgroup: egress program /sys/fs/bpf/a",
		}},
		{"file systems come when no file is opened any more", []string{"RestrictFileSystems=ext4 proc", "OOMScoreAdjust=5", "SupplementaryGroups=4"}, []string{
			groupMade, groupJoin, groupJoined, "process: OOM score adjustment 5", "cgroup: lsm_cgroup program: file systems ext4 proc",
		}},
		{"limits want the process there first, as a group with processes hands no controller down", []string{"MemoryMax=50%", "TasksMax=10%", "MemoryHigh=1M", "CPUQuota=20%"}, []string{
			groupMade, groupJoin, groupJoined, "cgroup: controllers memory pids cpu",
			"limits: memory.high = 1048576", "limits: memory.max = 536870912", "limits: pids.max = 100", "limits: cpu.max = 20000 100000",
		}},
		{"a disk", []string{"IOReadBandwidthMax=/dev/sda 1M"}, []string{groupMade, groupJoin, groupJoined, "cgroup: controllers io", "cgroup: io.max = 8:0 rbps=1000000 wbps=max riops=max wiops=max"}},
		{"the namespace shows the group", []string{"ProtectControlGroups=strict", "SocketBindDeny=any"}, []string{
			groupMade, groupJoin, groupJoined, "namespaces: cgroup namespace", newMounts,
			"mounts: cgroup2 of the own cgroup namespace on /sys/fs/cgroup" + apiAttr, "mounts: read-only /sys/fs/cgroup", sealShared,
			"cgroup: bind4 program: not any", "cgroup: bind6 program: not any",
		}},
		{"delegated", []string{"User=www", "Delegate=cpu memory", "DelegateSubgroup=main"}, []string{
			groupMade, groupJoin, groupJoined, "cgroup: controllers cpu memory", "cgroup: delegate the cgroup", "cgroup: cgroup main below it",
			"groups: groups 34 4 27", "groups: set gid 34", "user: set uid 33", "capabilities: permitted, effective and inheritable: none", "ambient set: none",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pl := Compile(aPolicy(t, tt.set...), aRoot())
			if len(pl.Refused) > 0 {
				t.Fatalf("refused: %q", refusalLines(pl))
			}
			got := steps(pl)
			if tt.name == "delegated" || tt.name == "the clock" || strings.HasPrefix(tt.name, "file systems") {
				// Who the daemon is, is another test's.
				got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "cgroup:") && !strings.HasPrefix(s, "process: OOM") })
				tt.want = slices.DeleteFunc(tt.want, func(s string) bool { return !strings.HasPrefix(s, "cgroup:") && !strings.HasPrefix(s, "process: OOM") })
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

// What cannot be had is refused by the name of each directive, and can be waived, but for
// where the service is placed.
func TestCGroupRefusals(t *testing.T) {
	legacy := func(controllers ...string) *cgroup.Home {
		return cgroup.NewHome(cgroup.Tree{Controllers: controllers, Mount: "/v1/" + controllers[0], Own: "/"}, "/hardrun-daemon", false)
	}
	none := func(g *CGroups) { *g = CGroups{Read: true} }
	for _, tt := range []struct {
		name  string
		there func(g *CGroups)
		set   []string
		want  []string
		steps []string
	}{
		{"no cgroup2", none, []string{"IPAddressDeny=any", "MemoryMax=1M", "X-Hardrun-CGroup=web"}, []string{
			"X-Hardrun-CGroup=: no file system of type cgroup2 is mounted that holds the own cgroup (test.service:7) never",
			"IPAddressDeny=: no file system of type cgroup2 is mounted that holds the own cgroup (test.service:7)",
			"MemoryMax=: the controller memory is not here: neither among those of the own cgroup (none) nor in a v1 hierarchy (test.service:7)",
		}, nil},
		{"read-only", func(g *CGroups) { g.Access[0].Lack = "access /cg/own: read-only file system" }, []string{"SocketBindDeny=any", "TasksMax=5"}, []string{
			"SocketBindDeny=: no cgroup can be made below the own one: access /cg/own: read-only file system (test.service:7)",
			"TasksMax=: no cgroup can be made below the own one: access /cg/own: read-only file system (test.service:7)",
		}, nil},
		{"no programs, and no v1", func(g *CGroups) { g.NoPrograms = "bpf: operation not permitted" }, []string{"DevicePolicy=closed", "TasksMax=5"}, []string{
			"DevicePolicy=: the kernel takes no BPF program: bpf: operation not permitted (test.service:7)",
		}, nil},
		{"no programs, but v1", func(g *CGroups) {
			g.NoPrograms = "bpf: operation not permitted"
			g.Homes = append(g.Homes, legacy("devices"))
			g.Access = append(g.Access, cgroupAccess{Offers: []string{"devices"}})
		}, []string{"DeviceAllow=/dev/null r"}, nil, []string{
			"cgroup: devices cgroup /hardrun-daemon", "cgroup: devices: c 1:3 r", "cgroup: join the devices cgroup", "cgroup: in the devices cgroup",
		}},
		{"a controller of v1", func(g *CGroups) {
			g.Access[0].Offers = []string{"hugetlb"}
			g.Homes = append(g.Homes, legacy("memory"))
			g.Access = append(g.Access, cgroupAccess{Offers: []string{"memory"}})
		}, []string{"MemoryMax=1M", "MemoryHigh=1M", "CPUWeight=5"}, []string{
			"MemoryHigh=: the controller memory is here in a v1 hierarchy only: cgroup v1 has no limit that slows down (test.service:7)",
			"CPUWeight=: the controller cpu is not here: neither among those of the own cgroup (hugetlb) nor in a v1 hierarchy (test.service:7)",
		}, []string{"cgroup: memory cgroup /hardrun-daemon", "cgroup: join the memory cgroup", "cgroup: in the memory cgroup", "limits: memory.limit_in_bytes = 1048576"}},
		{"no security module", func(g *CGroups) { g.NoFiles = "the BPF security module is not active" }, []string{"RestrictFileSystems=ext4"}, []string{
			"RestrictFileSystems=: the BPF security module is not active (test.service:7)",
		}, nil},
		{"no parent", func(*CGroups) {}, []string{"KillMode=mixed", "X-Hardrun-Parent=never"}, []string{
			"KillMode=: it needs a parent that stays, and there is --parent=never (test.service:7)",
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			tt.there(&env.CGroups)
			pl := Compile(aPolicy(t, tt.set...), env)
			var got []string
			for i := range pl.Refused {
				line := pl.Refused[i].Error()
				if !pl.Refused[i].Waivable {
					line += " never"
				}
				got = append(got, line)
			}
			for i := range got {
				if strings.HasPrefix(got[i], "KillMode") {
					got[i] = strings.TrimSuffix(got[i], " never")
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("refused\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
			if tt.steps != nil && !slices.Equal(steps(pl), tt.steps) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(steps(pl), "\n\t"), strings.Join(tt.steps, "\n\t"))
			}
		})
	}
}

// TestSecondLayer: PrivateDevices= needs a group against a daemon that can mount, and
// where --strict wants all of what it implies.
func TestSecondLayer(t *testing.T) {
	for _, tt := range []struct {
		name          string
		set           []string
		lack          string
		group, refuse bool
		note          string
	}{
		{"root can mount", []string{"PrivateDevices=yes"}, "", true, false, ""},
		{"a user cannot", []string{"PrivateDevices=yes", "User=www"}, "", false, false, "which mounts keep here"},
		{"nor can root without", []string{"PrivateDevices=yes", "CapabilityBoundingSet=CAP_CHOWN"}, "", false, false, "which mounts keep here"},
		{"a user with the capability can", []string{"PrivateDevices=yes", "User=www", "AmbientCapabilities=CAP_SYS_ADMIN"}, "", true, false, ""},
		{"in a user namespace nobody can", []string{"PrivateDevices=yes", "PrivateUsers=yes"}, "", false, false, "which mounts keep here"},
		{"strict", []string{"PrivateDevices=yes", "User=www", "X-Hardrun-Strict=yes"}, "", true, false, ""},
		{"with a group anyway", []string{"PrivateDevices=yes", "User=www", "TasksMax=5"}, "", true, false, ""},
		{"not to be had", []string{"PrivateDevices=yes"}, "no", false, false, "cannot be had: no"},
		{"strict, and not to be had", []string{"PrivateDevices=yes", "X-Hardrun-Strict=yes"}, "no", false, true, ""},
		{"asked for", []string{"PrivateDevices=yes", "DevicePolicy=closed"}, "no", false, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			env.CGroups.NoPrograms = tt.lack
			pl := Compile(aPolicy(t, tt.set...), env)
			program := slices.ContainsFunc(steps(pl), func(s string) bool { return s == "cgroup: device program: closed" })
			if program != tt.group || len(pl.Refused) > 0 != tt.refuse {
				t.Errorf("program %v, refused %q", program, refusalLines(pl))
			}
			noted := ""
			for _, n := range pl.Notes {
				if n.ID == "device-policy" {
					noted = n.Text
				}
			}
			if tt.note == "" != (noted == "") || !strings.Contains(noted, tt.note) {
				t.Errorf("note %q, want %q", noted, tt.note)
			}
		})
	}
}

// A parent that stays removes the group, and so it is made in the first start; the second
// one takes it over.
func TestGroupOfParent(t *testing.T) {
	for _, set := range [][]string{{"X-Hardrun-Init=yes"}, {"PrivatePIDs=yes"}, {"KillMode=control-group"}} {
		p := aPolicy(t, append(set, "TasksMax=5")...)
		env := aRoot()
		pl := Compile(p, env)
		if pl.Start == nil || len(pl.Start.Homes) != 1 || pl.Start.Kill != (set[0] == "KillMode=control-group") {
			t.Fatalf("%s: start %+v", set, pl.Start)
		}
		if i := slices.IndexFunc(pl.Entries, func(e Entry) bool { _, is := e.Step.(cgroup.Make); return is }); pl.Entries[i].Stage != StageBefore {
			t.Errorf("%s: made in stage %s", set, pl.Entries[i].Stage)
		}
		env = aRoot()
		env.Again = Again{PIDNS: set[0] == "PrivatePIDs=yes", Init: set[0] != "PrivatePIDs=yes", CGroups: []int{9}, Starter: 1}
		pl = Compile(p, env)
		if pl.Start != nil || len(pl.Refused) > 0 || env.CGroups.Homes[0].FD != 9 || slices.Contains(steps(pl), groupMade) || !slices.Contains(steps(pl), groupJoin) {
			t.Errorf("%s: again: start %+v, refused %q, steps %q", set, pl.Start, refusalLines(pl), steps(pl))
		}
		env = aRoot()
		env.Again = Again{PIDNS: true, Init: true, Starter: 1}
		if pl = Compile(p, env); len(pl.Refused) == 0 {
			t.Errorf("%s: a second start without its group goes on", set)
		}
	}
	// A guess of the constructor is no second start.
	env := aRoot()
	env.Again = Again{PIDNS: true, Guessed: true}
	if pl := Compile(aPolicy(t, "PrivatePIDs=yes", "TasksMax=5"), env); pl.Start == nil || len(pl.Start.Homes) != 1 || len(pl.Refused) > 0 {
		t.Errorf("guessed: start %+v", pl.Start)
	}
}

func TestMajors(t *testing.T) {
	const drivers = "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n137 pts\n202 cpu/msr\n203 cpu/cpuid\n4096 wide\n4294967295 widest\n77\n\nBlock devices:\n  7 loop\n 8 sd\n254 virtblk\n"
	for pattern, want := range map[string]string{
		"c pts": "136 137", "c cpu/*": "202 203", "c **": "1 5 136 137 202 203", "b **": "7 8 254", "c wide*": "", "b sd": "8", "c sd": "", "b l??p": "7", "c p?s": "136 137",
		"c /dev/tty": "5", "c ": "", "c p": "", "c *s": "136 137", "c c*/*i*": "203",
	} {
		kind, glob, _ := strings.Cut(pattern, " ")
		var got []string
		for _, d := range majors(drivers, kind == "b", glob, cgroup.Read) {
			word, _, _ := strings.Cut(strings.Fields(d.String())[1], ":")
			got = append(got, word)
			if d.Minor != cgroup.AnyMinor || d.Block != (kind == "b") || d.Access != cgroup.Read {
				t.Errorf("%s: %s", pattern, d)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	// The whole kind, whatever drivers there are.
	for _, text := range []string{drivers, "", "Character devices:\n"} {
		for _, block := range []bool{false, true} {
			want := []cgroup.Device{{Block: block, Major: cgroup.AnyMajor, Minor: cgroup.AnyMinor, Access: cgroup.Write}}
			if got := majors(text, block, "*", cgroup.Write); !slices.Equal(got, want) {
				t.Errorf("all of a kind: %v, want %v", got, want)
			}
		}
	}
	// Many stars take no longer.
	if glob(strings.Repeat("*a", 40)+"b", strings.Repeat("a", 4000)) {
		t.Error("matched")
	}
}

func TestHomePath(t *testing.T) {
	v2 := &cgroup.Tree{Unified: true, Mount: "/sys/fs/cgroup", Own: "/runit"}
	v1 := &cgroup.Tree{Controllers: []string{"memory"}, Mount: "/sys/fs/cgroup/memory", Own: "/"}
	for _, tt := range []struct{ set, command, v2, v1 string }{
		{"", "/usr/sbin/named", "/runit/hardrun-named", "/hardrun-named"},
		{"", "a b\n", "/runit/hardrun-a_b_", "/hardrun-a_b_"},
		{"", "\x7fä~", "/runit/hardrun-___~", "/hardrun-___~"},
		{"", "", "/runit/hardrun-service", "/hardrun-service"},
		{"", strings.Repeat("x", 300), "/runit/hardrun-" + strings.Repeat("x", 200), "/hardrun-" + strings.Repeat("x", 200)},
		{"web/a", "x", "/runit/web/a", "/a"},
		{"/services/a", "x", "/services/a", "/a"},
		{"/sys/fs/cgroup/services/a", "x", "/services/a", "/a"},
	} {
		p := &policy.Policy{}
		if tt.set != "" {
			p = aPolicy(t, "X-Hardrun-CGroup="+tt.set)
		}
		if got := homePath(p, v2, tt.command, ""); got != tt.v2 {
			t.Errorf("%q %q: %s, want %s", tt.set, tt.command, got, tt.v2)
		}
		if got := homePath(p, v1, tt.command, ""); got != tt.v1 {
			t.Errorf("%q %q in v1: %s, want %s", tt.set, tt.command, got, tt.v1)
		}
		if got := homePath(p, v2, tt.command, "/own/s"); !strings.HasPrefix(got, "/own/s/hardrun-") {
			t.Errorf("%q %q in the group of a service: %s", tt.set, tt.command, got)
		}
		if got := homePath(p, v1, tt.command, "/own/s"); got != tt.v1 {
			t.Errorf("%q %q in v1, of a service: %s, want %s", tt.set, tt.command, got, tt.v1)
		}
	}
}

// Each limit: the controllers it needs, and what it asks of them.
func TestLimits(t *testing.T) {
	g := &CGroups{Memory: 1 << 30, Swap: 1 << 20, Tasks: 1000, Disks: [][2]uint32{{8, 0}, {8, 16}}}
	amount := func(n uint64) *cgroup.Amount { return &cgroup.Amount{N: n} }
	weight := func(n uint32) *uint32 { return &n }
	no := false
	for _, tt := range []struct {
		set         []string
		controllers []string
		want        cgroup.Limits
	}{
		{nil, nil, cgroup.Limits{}},
		{[]string{"MemoryMin=1K"}, []string{"memory"}, cgroup.Limits{MemoryMin: amount(1024)}},
		{[]string{"MemoryLow=50%"}, []string{"memory"}, cgroup.Limits{MemoryLow: amount(1 << 29)}},
		{[]string{"MemoryHigh=1M"}, []string{"memory"}, cgroup.Limits{MemoryHigh: amount(1 << 20)}},
		{[]string{"MemoryMax=1M"}, []string{"memory"}, cgroup.Limits{MemoryMax: amount(1 << 20)}},
		{[]string{"MemorySwapMax=50%"}, []string{"memory"}, cgroup.Limits{MemorySwapMax: amount(1 << 19)}},
		{[]string{"MemoryZSwapMax=1M"}, []string{"memory"}, cgroup.Limits{MemoryZSwapMax: amount(1 << 20)}},
		{[]string{"MemoryZSwapWriteback=no"}, []string{"memory"}, cgroup.Limits{MemoryZSwapWriteback: &no}},
		{[]string{"TasksMax=10%"}, []string{"pids"}, cgroup.Limits{TasksMax: amount(100)}},
		{[]string{"CPUWeight=50"}, []string{"cpu"}, cgroup.Limits{CPUWeight: weight(50)}},
		{[]string{"IOWeight=50"}, []string{"io", "blkio"}, cgroup.Limits{IOWeight: weight(50)}},
		{[]string{"AllowedCPUs=0 2-3"}, []string{"cpuset"}, cgroup.Limits{AllowedCPUs: "0,2-3"}},
		{[]string{"AllowedMemoryNodes=0 2"}, []string{"cpuset"}, cgroup.Limits{AllowedMemoryNodes: "0,2"}},
		{[]string{"CPUSetPartition=root"}, []string{"cpuset"}, cgroup.Limits{CPUSetPartition: "root"}},
		{[]string{"IOReadBandwidthMax=/dev/sda 1M", "IOWriteIOPSMax=/dev/sdb 9"}, []string{"io", "blkio"}, cgroup.Limits{IO: []cgroup.IOLimit{
			{Major: 8, Minor: 0, Kind: cgroup.IOReadBandwidthMax, Value: 1000000}, {Major: 8, Minor: 16, Kind: cgroup.IOWriteIOPSMax, Value: 9},
		}}},
		{[]string{"MemoryMax=1M", "MemoryHigh=1M", "TasksMax=5", "AllowedCPUs=0", "AllowedMemoryNodes=0", "CPUWeight=5"}, []string{"memory", "pids", "cpu", "cpuset"}, cgroup.Limits{
			MemoryMax: amount(1 << 20), MemoryHigh: amount(1 << 20), TasksMax: amount(5), AllowedCPUs: "0", AllowedMemoryNodes: "0", CPUWeight: weight(5),
		}},
	} {
		t.Run(strings.Join(tt.set, " "), func(t *testing.T) {
			p := aPolicy(t, tt.set...)
			if got := wanted(p); !slices.Equal(got, tt.controllers) {
				t.Errorf("controllers %q, want %q", got, tt.controllers)
			}
			if got := *limited(p, g); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("limits %+v, want %+v", got, tt.want)
			}
		})
	}
	p := aPolicy(t, "MemoryMax=1M", "MemorySwapMax=1M", "CPUWeight=5", "IOWeight=5")
	for stop := 1; stop <= 4; stop++ {
		var asked []string
		eachLimit(p, func(name string, _ policy.Origin) bool {
			asked = append(asked, name)
			return len(asked) < stop
		})
		if want := []string{"MemoryMax", "MemorySwapMax", "CPUWeight", "IOWeight"}[:stop]; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
}

// A v1 hierarchy of devices counts where devices are asked for, that of a controller where a limit is.
func TestNeedsLegacy(t *testing.T) {
	for _, tt := range []struct {
		set             []string
		devices, memory bool
	}{
		{nil, false, false},
		{[]string{"DevicePolicy=auto"}, false, false},
		{[]string{"DevicePolicy=closed"}, true, false},
		{[]string{"DeviceAllow=/dev/null r"}, true, false},
		{[]string{"DevicePolicy=auto", "DeviceAllow=/dev/null r"}, true, false},
		{[]string{"PrivateDevices=yes"}, true, false},
		{[]string{"MemoryMax=1M"}, false, true},
		{[]string{"TasksMax=1"}, false, false},
	} {
		p := aPolicy(t, tt.set...)
		if got := needsLegacy(p, &cgroup.Tree{Controllers: []string{"devices"}}); got != tt.devices {
			t.Errorf("%q: devices %v", tt.set, got)
		}
		if got := needsLegacy(p, &cgroup.Tree{Controllers: []string{"memory"}}); got != tt.memory {
			t.Errorf("%q: memory %v", tt.set, got)
		}
	}
}

// Who may mount, as far as that can be told before the plan.
func TestMayMount(t *testing.T) {
	with := func(c caps.Set) *Env {
		e := aRoot()
		e.For, e.Caps.Effective = "launch", c
		return e
	}
	admin, none := with(1<<capSysAdmin), with(0)
	for _, tt := range []struct {
		env  *Env
		set  []string
		want bool
	}{
		{admin, nil, false},
		{admin, []string{"PrivateDevices=yes"}, true},
		{none, []string{"PrivateDevices=yes"}, false},
		{none, []string{"PrivateDevices=yes", "X-Hardrun-Strict=yes"}, true},
		{admin, []string{"PrivateDevices=yes", "PrivateUsers=yes"}, false},
		{admin, []string{"PrivateDevices=yes", "PrivateUsers=no"}, true},
		{admin, []string{"PrivateDevices=yes", "X-Hardrun-Caps=sys_admin"}, true},
		{admin, []string{"PrivateDevices=yes", "X-Hardrun-Caps=chown"}, false},
		{admin, []string{"PrivateDevices=yes", "X-Hardrun-Caps=all"}, true},
		{admin, []string{"PrivateDevices=yes", "X-Hardrun-Caps=~sys_admin"}, false},
		{admin, []string{"PrivateDevices=yes", "X-Hardrun-Caps=~chown"}, true},
		{admin, []string{"PrivateDevices=yes", "CapabilityBoundingSet=CAP_CHOWN"}, false},
		{admin, []string{"PrivateDevices=yes", "CapabilityBoundingSet=CAP_SYS_ADMIN"}, true},
	} {
		if got := tt.env.mayMount(aPolicy(t, tt.set...)); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.set, got, tt.want)
		}
	}
}
