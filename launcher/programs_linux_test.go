package launcher

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
)

// filtersOf are the programs of a plan, by the names of their hooks.
func filtersOf(pl *Plan) map[string]*cgroup.Filter {
	m := make(map[string]*cgroup.Filter)
	for _, e := range pl.Entries {
		if f, ok := e.Step.(*cgroup.Filter); ok {
			m[f.Hook.Name] = f
		}
	}
	return m
}

// The programs of a plan are what the package cgroup makes of what was written.
func TestPrograms(t *testing.T) {
	ten := cgroup.Prefix{Bits: 8, Addr: [16]byte{10}}
	home := cgroup.Prefix{Bits: 24, Addr: [16]byte{10, 0, 1}}
	addresses := cgroup.Addresses{Deny: []cgroup.Prefix{ten}, Allow: []cgroup.Prefix{home}}
	lo := &cgroup.Interfaces{Index: []uint32{1}} // the number of lo in every network namespace
	binds := cgroup.Binds{Deny: []cgroup.BindRule{{First: 0, Last: 65535}}, Allow: []cgroup.BindRule{{Family: cgroup.IPv4, Protocol: cgroup.TCP, First: 53, Last: 53}}}
	null := []cgroup.Device{{Major: 1, Minor: 3, Access: cgroup.Read}}
	packets := func(a cgroup.Addresses, i *cgroup.Interfaces, ingress bool) func() ([]cgroup.Ins, error) {
		return func() ([]cgroup.Ins, error) { return cgroup.PacketProgram(a, i, ingress) }
	}
	for _, tt := range []struct {
		set  []string
		want map[string]func() ([]cgroup.Ins, error)
	}{
		{[]string{"IPAddressDeny=10.0.0.0/8", "IPAddressAllow=10.0.1.0/24"}, map[string]func() ([]cgroup.Ins, error){
			"ingress": packets(addresses, nil, true), "egress": packets(addresses, nil, false),
		}},
		{[]string{"RestrictNetworkInterfaces=lo nosuch"}, map[string]func() ([]cgroup.Ins, error){
			"ingress": packets(cgroup.Addresses{}, lo, true), "egress": packets(cgroup.Addresses{}, lo, false),
		}},
		{[]string{"RestrictNetworkInterfaces=lo", "IPAddressDeny=10.0.0.0/8", "IPAddressAllow=10.0.1.0/24"}, map[string]func() ([]cgroup.Ins, error){
			"ingress": packets(addresses, lo, true), "egress": packets(addresses, lo, false),
		}},
		{[]string{"SocketBindDeny=any", "SocketBindAllow=ipv4:tcp:53"}, map[string]func() ([]cgroup.Ins, error){
			"bind4": func() ([]cgroup.Ins, error) { return cgroup.BindProgram(binds, false) },
			"bind6": func() ([]cgroup.Ins, error) { return cgroup.BindProgram(binds, true) },
		}},
		{[]string{"BindNetworkInterface=lo"}, map[string]func() ([]cgroup.Ins, error){
			"sock_create": func() ([]cgroup.Ins, error) { return cgroup.InterfaceSocketProgram(1), nil },
		}},
		{[]string{"DeviceAllow=/dev/null r"}, map[string]func() ([]cgroup.Ins, error){
			"device": func() ([]cgroup.Ins, error) { return cgroup.DeviceProgram(null) },
		}},
	} {
		t.Run(strings.Join(tt.set, " "), func(t *testing.T) {
			got := filtersOf(Compile(aPolicy(t, tt.set...), aRoot()))
			if len(got) != len(tt.want) {
				t.Errorf("%d programs, want %d", len(got), len(tt.want))
			}
			for hook, make := range tt.want {
				f := got[hook]
				if f == nil {
					t.Errorf("no program for %s", hook)
					continue
				}
				want, err := make()
				if err != nil {
					t.Fatal(err)
				}
				if ins, err := f.Rules(); err != nil || !slices.Equal(ins, want) {
					t.Errorf("%s: %v, error %v, want %v", hook, ins, err, want)
				}
			}
		})
	}
}

// A program that names what is not there cannot be made.
func TestProgramErrors(t *testing.T) {
	for set, want := range map[string]string{
		"RestrictNetworkInterfaces=~nosuch": "there is no interface nosuch now, and one that comes later would not be forbidden",
		"BindNetworkInterface=nosuch":       "no such device",
	} {
		for hook, f := range filtersOf(Compile(aPolicy(t, set), aRoot())) {
			if _, err := f.Rules(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: %v, want %s", set, hook, err, want)
			}
		}
	}
}

// The command, and its interpreter, must lie on file systems that are allowed.
func TestProgramOfFileSystems(t *testing.T) {
	const procFile, lies = "/proc/version", "/proc/version lies on a file system on which nothing may be opened: its number is 0x9fa0"
	for _, tt := range []struct{ set, path, interp, want string }{
		{"RestrictFileSystems=proc", procFile, "", ""},
		{"RestrictFileSystems=proc", procFile, procFile, ""},
		{"RestrictFileSystems=tmpfs", procFile, "", lies},
		{"RestrictFileSystems=~proc", procFile, "", lies},
		{"RestrictFileSystems=~tmpfs", procFile, "", ""},
		{"RestrictFileSystems=~sysfs", "/nosuch", "", "statfs /nosuch: no such file or directory"},
		{"RestrictFileSystems=~sysfs", "", procFile, ""},
		{"RestrictFileSystems=~sysfs proc", "", procFile, lies},
	} {
		env := aRoot()
		env.Command = Command{Path: tt.path, Interp: tt.interp}
		got := ""
		if err := filtersOf(Compile(aPolicy(t, tt.set), env))["lsm_cgroup"].Before(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s for %q and %q: %q, want %q", tt.set, tt.path, tt.interp, got, tt.want)
		}
	}
}

// Each type of program that BPFProgram= takes is attached.
func TestProgramTypes(t *testing.T) {
	words := policy.Lookup("BPFProgram").Value.Words
	if len(words) == 0 {
		t.Fatal("no types")
	}
	for _, word := range words {
		name := strings.TrimSuffix(word, ":")
		if f := filtersOf(Compile(aPolicy(t, "BPFProgram="+word+"/sys/fs/bpf/a"), aRoot()))[name]; f == nil || f.Pinned != "/sys/fs/bpf/a" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// asksCGroup is the first directive that needs a control group, and asksPrograms tells
// whether one needs a program there.
func TestAsksCGroup(t *testing.T) {
	// In the order in which they are asked; the last ones are those of controllers.
	all := []string{
		"X-Hardrun-CGroup=web", "DevicePolicy=closed", "DeviceAllow=/dev/null", "IPAddressAllow=any", "IPAddressDeny=any", "SocketBindAllow=any",
		"SocketBindDeny=any", "RestrictNetworkInterfaces=lo", "RestrictFileSystems=ext4", "BindNetworkInterface=lo", "IPIngressFilterPath=/b",
		"IPEgressFilterPath=/b", "BPFProgram=egress:/b", "Delegate=yes", "KillMode=mixed", "MemoryMin=1M", "MemoryLow=1M", "MemoryHigh=1M",
		"MemoryMax=1M", "MemorySwapMax=1M", "MemoryZSwapMax=1M", "TasksMax=5", "MemoryZSwapWriteback=no", "CPUWeight=5", "CPUQuota=5%",
		"AllowedCPUs=0", "AllowedMemoryNodes=0", "CPUSetPartition=root", "IOWeight=5", "IOReadBandwidthMax=/a 1M", "IOWriteBandwidthMax=/a 1M",
		"IOReadIOPSMax=/a 9", "IOWriteIOPSMax=/a 9", "IODeviceWeight=/a 50", "IODeviceLatencyTargetSec=/a 25ms",
	}
	for i := range all {
		p := aPolicy(t, all[i:]...)
		want, _, _ := strings.Cut(all[i], "=")
		name, from := asksCGroup(p)
		if name != want || from.Line != 7 {
			t.Errorf("%s is asked first: %s %v", want, name, from)
		}
		if got, programs := asksPrograms(p), i <= slices.Index(all, "BPFProgram=egress:/b"); got != programs {
			t.Errorf("from %s on: programs %v", want, got)
		}
	}
	for _, set := range []string{"IPAddressAllow=any", "SocketBindAllow=any", "DevicePolicy=auto", "KillMode=process", "MemoryMin=0", "MemoryMax=infinity", "CPUSetPartition=member", "MemoryZSwapWriteback=yes"} {
		if name, _ := asksCGroup(aPolicy(t, set)); name != "" {
			t.Errorf("%s needs no control group", set)
		}
	}
}

// WantsGroup tells whether a service needs a control group, by its policy alone.
func TestWantsGroupOfDevices(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want bool
	}{
		{nil, false},
		{[]string{"TasksMax=5"}, true},
		{[]string{"PrivateDevices=yes"}, true},
		{[]string{"PrivateDevices=yes", "User=www"}, false},
		{[]string{"PrivateDevices=yes", "DynamicUser=yes"}, false},
		{[]string{"PrivateDevices=yes", "User=www", "X-Hardrun-Strict=yes"}, true},
		{[]string{"PrivateDevices=yes", "CapabilityBoundingSet=CAP_CHOWN"}, false},
		{[]string{"User=www", "X-Hardrun-Strict=yes"}, false},
	} {
		if got := WantsGroup(aPolicy(t, tt.set...)); got != tt.want {
			t.Errorf("%q: %v", tt.set, got)
		}
	}
}

// The program of RestrictFileSystems= is made by what the kernel says of its own structures.
func TestProgramByKernel(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("this kernel says nothing of its structures")
	}
	f := filtersOf(Compile(aPolicy(t, "RestrictFileSystems=proc"), aRoot()))["lsm_cgroup"]
	ins, err := f.Rules()
	if err != nil || len(ins) == 0 || len(f.Nothing) == 0 || f.BTF == 0 || slices.Equal(ins, f.Nothing) {
		t.Errorf("%d instructions, %d that allow nothing, function %d: %v", len(ins), len(f.Nothing), f.BTF, err)
	}
}
