package policy

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/process"
)

// systemd.resource-control(5), MemoryMax= and its like. 0 is valid for what protects memory
// and for swap.
func TestParseMemory(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Size
		text string
	}{
		{"1", Size{Bytes: 1}, "1"},
		{"4096", Size{Bytes: 4096}, "4K"},
		{"1K", Size{Bytes: 1 << 10}, "1K"},
		{"16M", Size{Bytes: 16 << 20}, "16M"},
		{"2G", Size{Bytes: 2 << 30}, "2G"},
		{"1.5G", Size{Bytes: 3 << 29}, "1536M"},
		{"1T", Size{Bytes: 1 << 40}, "1T"},
		{"1P", Size{Bytes: 1 << 50}, "1P"},
		{"15E", Size{Bytes: 15 << 60}, "15E"},
		{"7B", Size{Bytes: 7}, "7"},
		{"1G 512M", Size{Bytes: 3 << 29}, "1536M"},
		{"1G512M", Size{Bytes: 3 << 29}, "1536M"},
		{"infinity", Size{Infinity: true}, "infinity"},
		{"15%", Size{Percent: 1500}, "15%"},
		{"12.34%", Size{Percent: 1234}, "12.34%"},
		{"12.5%", Size{Percent: 1250}, "12.5%"},
		{"12.05%", Size{Percent: 1205}, "12.05%"},
		{"0.01%", Size{Percent: 1}, "0.01%"},
		{"152.5‰", Size{Percent: 1525}, "15.25%"},
		{"1525‱", Size{Percent: 1525}, "15.25%"},
		{"100%", Size{Percent: 10000}, "100%"},
	} {
		for name, parse := range map[string]func(string) (Size, error){"any": ParseMemory, "limit": parseMemoryLimit} {
			got, err := parse(c.in)
			if got != c.want || err != nil || sizeText(got) != c.text {
				t.Errorf("%s: %q: %+v (%s), %v, want %+v (%s)", name, c.in, got, sizeText(got), err, c.want, c.text)
			}
		}
		if got, err := parseZSwap(c.in); isShare(c.in) == (err == nil) || err == nil && got != c.want {
			t.Errorf("zswap: %q: %+v, %v", c.in, got, err)
		}
	}
	for _, s := range []string{"0", "0%", "0B", "0.0G", "0‱"} {
		if got, err := ParseMemory(s); got != (Size{}) || err != nil || sizeText(got) != "0" {
			t.Errorf("%q: %+v, %v, want 0", s, got, err)
		}
		if got, err := parseMemoryLimit(s); got != (Size{}) || err == nil || err.Error() != "0 is no limit that anything could run with" {
			t.Errorf("%q as a limit: %+v, %v", s, got, err)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"", `not a size: ""`},
		{"-1", `digits missing in size "-1"`},
		{"1k", `unknown suffix "k" (B, K, M, G, T, P and E are known) in size "1k"`},
		{"1GB", `digits missing in size "1GB"`},
		{"512M 1G", `suffixes must fall in size "512M 1G"`},
		{"16E", "number too large in size \"16E\""},
		{"Infinity", `digits missing in size "Infinity"`},
		{"101%", "101 is outside of 0 to 100"},
		{"100.01%", "100.01% is too large"},
		{"-1%", "-1 is outside of 0 to 100"},
		{"1.234%", `at most 2 decimal places go before the sign in "1.234%"`},
		{"%", `not a decimal number: ""`},
		{"1 %", `not a decimal number: "1 "`},
		{"010%", `leading zero in "010" (systemd reads it as octal)`},
	} {
		if got, err := ParseMemory(c.in); got != (Size{}) || err == nil || err.Error() != c.err {
			t.Errorf("%q: %+v, %v, want %s", c.in, got, err, c.err)
		}
	}
	for _, c := range []struct {
		name string
		zero bool
	}{
		{"MemoryMin", true},
		{"MemoryLow", true},
		{"MemoryHigh", false},
		{"MemoryMax", false},
		{"MemorySwapMax", true},
		{"MemoryZSwapMax", true},
	} {
		var p Policy
		if err := p.Set(c.name, "0", line(1)); (err == nil) != c.zero {
			t.Errorf("%s=0: %v", c.name, err)
		}
	}
}

// systemd.resource-control(5), TasksMax=.
func TestParseTasks(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Size
		text string
	}{
		{"1", Size{Bytes: 1}, "1"},
		{"4096", Size{Bytes: 4096}, "4096"},
		{"15%", Size{Percent: 1500}, "15%"},
		{"infinity", Size{Infinity: true}, "infinity"},
	} {
		got, err := ParseTasks(c.in)
		if got != c.want || err != nil || tasksText(got) != c.text {
			t.Errorf("%q: %+v (%s), %v, want %+v (%s)", c.in, got, tasksText(got), err, c.want, c.text)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"", `not a decimal number: ""`},
		{"0%", "0 is no limit that anything could run with"},
		{"4K", `not a decimal number: "4K"`},
		{"1.5", `not a decimal number: "1.5"`},
		{"0100", `leading zero in "0100" (systemd reads it as octal)`},
		{"max", `not a decimal number: "max"`},
		{"101%", "101 is outside of 0 to 100"},
	} {
		if got, err := ParseTasks(c.in); got != (Size{}) || err == nil || err.Error() != c.err {
			t.Errorf("%q: %+v, %v, want %s", c.in, got, err, c.err)
		}
	}
	for _, s := range []string{"0", "-1", "18446744073709551616"} {
		if got, err := ParseTasks(s); got != (Size{}) || err == nil || !strings.HasPrefix(err.Error(), s+" is outside of 1 to ") {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
}

func FuzzParseMemory(f *testing.F) {
	for _, s := range []string{"", "0", "1G 512M", "12.34%", "infinity", "1525‱", "4096", "0.01%", "17.9E"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, c := range map[string]struct {
			parse func(string) (Size, error)
			text  func(Size) string
			zero  bool
		}{"memory": {ParseMemory, sizeText, true}, "limit": {parseMemoryLimit, sizeText, false}, "zswap": {parseZSwap, sizeText, true}, "tasks": {ParseTasks, tasksText, false}} {
			v, err := c.parse(s)
			if err != nil {
				if v != (Size{}) {
					t.Fatalf("%s: %q: an error, and %+v", name, s, v)
				}
				continue
			}
			if v.Percent > 10000 || v.Infinity && v != (Size{Infinity: true}) || v.Bytes > 0 && v.Percent > 0 || v.Bytes == math.MaxUint64 || v == (Size{}) && !c.zero {
				t.Fatalf("%s: %q: %+v", name, s, v)
			}
			if again, err := c.parse(c.text(v)); err != nil || again != v {
				t.Fatalf("%s: %q: %+v comes back as %+v, %v", name, s, v, again, err)
			}
		}
	})
}

// systemd.resource-control(5), CPUWeight=, IOWeight=, CPUQuota=, CPUQuotaPeriodSec=.
func TestParseShares(t *testing.T) {
	const outside = " is outside of 1 to 10000"
	for _, c := range []struct {
		name  string
		parse func(string) (uint32, error)
		text  func(uint32) string
		in    string
		want  uint32
		out   string
		err   string
	}{
		{"CPU", parseCPUWeight, cpuWeightText, "1", 1, "1", ""},
		{"CPU", parseCPUWeight, cpuWeightText, "10000", 10000, "10000", ""},
		{"CPU", parseCPUWeight, cpuWeightText, "idle", 0, "idle", ""},
		{"CPU", parseCPUWeight, cpuWeightText, "0", 0, "", "0" + outside},
		{"CPU", parseCPUWeight, cpuWeightText, "10001", 0, "", "10001" + outside},
		{"CPU", parseCPUWeight, cpuWeightText, "Idle", 0, "", `not a decimal number: "Idle"`},
		{"IO", ParseWeight, weightText, "100", 100, "100", ""},
		{"IO", ParseWeight, weightText, "0", 0, "", "0" + outside},
		{"IO", ParseWeight, weightText, "-1", 0, "", "-1" + outside},
		{"IO", ParseWeight, weightText, "idle", 0, "", `not a decimal number: "idle"`},
		{"quota", ParseQuota, permyriadText, "20%", 2000, "20%", ""},
		{"quota", ParseQuota, permyriadText, "250%", 25000, "250%", ""},
		{"quota", ParseQuota, permyriadText, "12.5%", 1250, "12.5%", ""},
		{"quota", ParseQuota, permyriadText, "0.01%", 1, "0.01%", ""},
		{"quota", ParseQuota, permyriadText, "1‱", 1, "0.01%", ""},
		{"quota", ParseQuota, permyriadText, "819200%", 81920000, "819200%", ""},
		{"quota", ParseQuota, permyriadText, "0%", 0, "", "0 is no limit that anything could run with"},
		{"quota", ParseQuota, permyriadText, "819201%", 0, "", "819201 is outside of 0 to 819200"},
		{"quota", ParseQuota, permyriadText, "20", 0, "", `no %, ‰ or ‱ behind "20"`},
		{"quota", ParseQuota, permyriadText, "-20%", 0, "", "-20 is outside of 0 to 819200"},
		{"quota", ParseQuota, permyriadText, "infinity", 0, "", `no %, ‰ or ‱ behind "infinity"`},
		{"quota", ParseQuota, permyriadText, "0.001%", 0, "", `at most 2 decimal places go before the sign in "0.001%"`},
	} {
		got, err := c.parse(c.in)
		switch {
		case c.err != "":
			if got != 0 || err == nil || err.Error() != c.err {
				t.Errorf("%s %q: %d, %v, want %s", c.name, c.in, got, err, c.err)
			}
		case err != nil || got != c.want || c.text(got) != c.out:
			t.Errorf("%s %q: %d (%s), %v, want %d (%s)", c.name, c.in, got, c.text(got), err, c.want, c.out)
		}
	}
	for _, c := range []struct {
		in   string
		want uint64
	}{{"10ms", 10_000}, {"0.5", 500_000}, {"1s", 1_000_000}, {"1ms", 1000}, {"999us", 1000}, {"0", 1000}, {"2s", 1_000_000}, {"1h", 1_000_000}} {
		if got, err := ParsePeriod(c.in); got != c.want || err != nil {
			t.Errorf("%q: %d, %v, want %d", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, err string }{
		{"infinity", "infinity is no period"},
		{"10xs", `unknown unit "xs" in time span "10xs"`},
		{"-1", `number missing in time span "-1"`},
	} {
		if got, err := ParsePeriod(c.in); got != 0 || err == nil || err.Error() != c.err {
			t.Errorf("%q: %d, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func FuzzParseShares(f *testing.F) {
	for _, s := range []string{"", "1", "10000", "idle", "12.5%", "819200%", "1‱", "10ms", "0", "infinity"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i, c := range []struct {
			parse func(string) (uint32, error)
			text  func(uint32) string
			limit uint32
		}{{parseCPUWeight, cpuWeightText, 10000}, {ParseWeight, weightText, 10000}, {ParseQuota, permyriadText, maxQuota}} {
			v, err := c.parse(s)
			if err != nil && v != 0 || v > c.limit || err == nil && v == 0 && s != "idle" {
				t.Fatalf("%d: %q: %d, %v", i, s, v, err)
			}
			if err == nil {
				if again, err := c.parse(c.text(v)); err != nil || again != v {
					t.Fatalf("%d: %q: %d comes back as %d, %v", i, s, v, again, err)
				}
			}
		}
		v, err := ParsePeriod(s)
		if err != nil && v != 0 || err == nil && (v < 1000 || v > 1_000_000) {
			t.Fatalf("%q: %d, %v", s, v, err)
		}
		if err == nil {
			if again, err := ParsePeriod(process.FormatTimespan(v)); err != nil || again != v {
				t.Fatalf("%q: %d comes back as %d, %v", s, v, again, err)
			}
		}
	})
}

// CPUs of several lines are united, an empty one unsets.
func TestCPULines(t *testing.T) {
	var p Policy
	for _, name := range []string{"AllowedCPUs", "AllowedMemoryNodes"} {
		mustSet(t, &p, name, "0-1, 4", line(1))
		mustSet(t, &p, name, "2", line(2))
	}
	for _, o := range []*Opt[process.CPUSet]{&p.AllowedCPUs, &p.AllowedMemoryNodes} {
		if !o.Set || o.From != line(2) || o.V.String() != "0-2,4" {
			t.Errorf("united: %+v", *o)
		}
	}
	mustSet(t, &p, "AllowedCPUs", "", line(3))
	mustSet(t, &p, "AllowedCPUs", "7", line(4))
	if p.AllowedCPUs.V.String() != "7" || p.AllowedMemoryNodes.V.String() != "0-2,4" {
		t.Errorf("after a reset: %s, %s", p.AllowedCPUs.V, p.AllowedMemoryNodes.V)
	}
}

// systemd.resource-control(5), Delegate=.
func TestDelegationLines(t *testing.T) {
	controllers := strings.Fields("cpu cpuset io memory pids bpf-firewall bpf-devices bpf-foreign bpf-socket-bind bpf-restrict-network-interfaces bpf-bind-network-interface")
	if !slices.Equal(delegated[2:], controllers) {
		t.Errorf("controllers %q, want %q", delegated[2:], controllers)
	}
	for _, c := range []struct {
		lines []string
		want  Delegation
	}{
		{[]string{"yes"}, Delegation{On: true}},
		{[]string{"no"}, Delegation{}},
		{[]string{"cpu memory"}, Delegation{On: true, Controllers: []string{"cpu", "memory"}}},
		{[]string{"cpu cpu"}, Delegation{On: true, Controllers: []string{"cpu"}}},
		{[]string{"cpu", "pids cpu"}, Delegation{On: true, Controllers: []string{"cpu", "pids"}}},
		{[]string{"yes", "cpu"}, Delegation{On: true}},
		{[]string{"cpu", "yes"}, Delegation{On: true}},
		{[]string{"cpu", "no"}, Delegation{}},
		{[]string{"no", "cpu"}, Delegation{On: true, Controllers: []string{"cpu"}}},
		{[]string{"yes", "no", "pids"}, Delegation{On: true, Controllers: []string{"pids"}}},
		{[]string{""}, Delegation{On: true, Controllers: []string{}}},
		{[]string{"no", ""}, Delegation{On: true, Controllers: []string{}}},
		{[]string{"yes", ""}, Delegation{On: true, Controllers: []string{}}},
		{[]string{"cpu", "", "io"}, Delegation{On: true, Controllers: []string{"io"}}},
	} {
		var p Policy
		for i, l := range c.lines {
			mustSet(t, &p, "Delegate", l, line(i+1))
		}
		if got := p.Delegate; !got.Set || got.From != line(len(c.lines)) || !reflect.DeepEqual(got.V, c.want) {
			t.Errorf("%q: %+v, want %+v", c.lines, got, c.want)
		}
		if back := replay(t, p.Settings()); !reflect.DeepEqual(back, p) {
			t.Errorf("%q: written and read back\n got %+v\nwant %+v", c.lines, back.Delegate, p.Delegate)
		}
	}
	for _, s := range []string{"cpuacct", "blkio", "devices", "~cpu", "cpu,memory", `"cpu"`, "cpu yes", "CPU"} {
		if got, err := ParseDelegation(s); !reflect.DeepEqual(got, Delegation{}) || err == nil || !strings.HasPrefix(err.Error(), `unknown controller "`) {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	var p Policy
	mustSet(t, &p, "Delegate", "cpu", line(1))
	copied := p
	mustSet(t, &copied, "Delegate", "io", line(2))
	mustSet(t, &p, "Delegate", "pids", line(2))
	if got := copied.Delegate.V.Controllers; !slices.Equal(got, []string{"cpu", "io"}) {
		t.Errorf("the copy has %v", got)
	}
}

func FuzzParseDelegation(f *testing.F) {
	for _, s := range []string{"yes", "no", "cpu memory", "cpu cpu", "~", "bpf-firewall", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDelegation(s)
		if err != nil && !reflect.DeepEqual(v, Delegation{}) || !v.On && v.Controllers != nil {
			t.Fatalf("%q: %+v, %v", s, v, err)
		}
		if err == nil && delegationText(v) != "" {
			if again, err := ParseDelegation(delegationText(v)); err != nil || !reflect.DeepEqual(again, v) {
				t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
			}
		}
	})
}

// A name of a control group is one that no file of the kernel's has, cgroups(7).
func TestParseGroups(t *testing.T) {
	long := strings.Repeat("a", 255)
	for _, s := range []string{"main", "a.b", "named.service", "cpu", "memory-x", "cgroup", "tasks", "app-é", "a b", long} {
		if got, err := ParseSubgroup(s); got != s || err != nil {
			t.Errorf("%q: %q, %v", s, got, err)
		}
		for _, path := range []string{s, "/" + s, "/x/" + s + "/y", "x/" + s} {
			if got, err := ParseGroupPath(path); got != path || err != nil {
				t.Errorf("%q: %q, %v", path, got, err)
			}
		}
	}
	for _, c := range []struct{ in, err string }{
		{"", "a control group without a name"},
		{".", `not the name of a control group: "."`},
		{"..", `not the name of a control group: ".."`},
		{"a\nb", `slash or control character in the name of a control group: "a\nb"`},
		{"a\x00b", `slash or control character in the name of a control group: "a\x00b"`},
		{"cgroup.procs", `a file of the kernel's may have the name: "cgroup.procs"`},
		{"cgroup.x", `a file of the kernel's may have the name: "cgroup.x"`},
		{"memory.max", `a file of the kernel's may have the name: "memory.max"`},
		{"cpuset.cpus.partition", `a file of the kernel's may have the name: "cpuset.cpus.partition"`},
		{"io.", `a file of the kernel's may have the name: "io."`},
		{long + "a", "the name of a control group is longer than 255 bytes"},
	} {
		if got, err := ParseSubgroup(c.in); got != "" || err == nil || err.Error() != c.err {
			t.Errorf("%q: %q, %v, want %s", c.in, got, err, c.err)
		}
		for _, path := range []string{"/x/" + c.in, "x/" + c.in, "x/" + c.in + "/y"} {
			if got, err := ParseGroupPath(path); got != "" || err == nil || !strings.HasPrefix(err.Error(), c.err+" in the path ") {
				t.Errorf("%q: %q, %v, want %s", path, got, err, c.err)
			}
		}
	}
	for _, s := range []string{".control", "_cpu.service"} {
		if got, err := ParseSubgroup(s); got != "" || err == nil || !strings.HasPrefix(err.Error(), `the name of a control group begins with neither . nor _: `) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
		if got, err := ParseGroupPath("/" + s); got != "/"+s || err != nil {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	if got, err := ParseSubgroup("a/b"); got != "" || err == nil {
		t.Errorf("a path for a name: %q, %v", got, err)
	}
	for _, c := range []struct{ in, err string }{
		{"/", `not a path of a control group: "/"`},
		{"", `not a path of a control group: ""`},
		{"//", `a control group without a name in the path "//"`},
		{"/a/", `a control group without a name in the path "/a/"`},
		{"a//b", `a control group without a name in the path "a//b"`},
		{"/sys/fs/cgroup/../x", `not the name of a control group: ".." in the path "/sys/fs/cgroup/../x"`},
		{"./a", `not the name of a control group: "." in the path "./a"`},
		{strings.Repeat("/a", 2048), "the path is longer than 4095 bytes"},
	} {
		if got, err := ParseGroupPath(c.in); got != "" || err == nil || err.Error() != c.err {
			t.Errorf("%q: %q, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func FuzzParseGroupPath(f *testing.F) {
	for _, s := range []string{"", "/", "a", "/a/b", "a/../b", "/cgroup.procs", "a//b", "_a", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseGroupPath(s)
		if err == nil && got != s || err != nil && got != "" {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
		if err == nil && (strings.Contains(s+"/", "//") || strings.Contains("/"+s+"/", "/../") || strings.Contains("/"+s, "/cgroup.")) {
			t.Fatalf("%q is taken", s)
		}
		name, err := ParseSubgroup(s)
		if err == nil && (name != s || strings.Contains(s, "/")) || err != nil && name != "" {
			t.Fatalf("%q: %q, %v", s, name, err)
		}
	})
}
