package cgroup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// testPage is the size of a page in tables.
const testPage = 4096

func amount(n uint64) *Amount { return &Amount{N: n} }

func given[T any](v T) *T { return &v }

var unbounded = &Amount{Infinity: true}

// inLine is a setting in one line: "memory.max 5000 -> 4096 (MemoryMax=)".
func inLine(s Setting) string {
	out := s.File + " " + s.Value + " -> " + s.Want + " (" + s.Directive + ")"
	if s.Inherit {
		out += " inherit"
	}
	if s.Check {
		out += " check"
	}
	return out
}

func inLines(settings []Setting) []string {
	var out []string
	for _, s := range settings {
		out = append(out, inLine(s))
	}
	return out
}

func sameLines(t *testing.T, name, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s:\n%s\nwant\n%s", name, what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// everything asks for all there is, so that nothing is a default of the kernel's.
func everything() *Limits {
	return &Limits{
		MemoryMin: amount(1 << 20), MemoryLow: amount(2 << 20), MemoryHigh: amount(32 << 20), MemoryMax: amount(64 << 20),
		MemorySwapMax: amount(8 << 20), MemoryZSwapMax: amount(4 << 20), MemoryZSwapWriteback: given(false),
		TasksMax: amount(10), CPUWeight: given(uint32(50)), CPUQuota: given(uint32(2_000)), CPUQuotaPeriod: 50_000,
		AllowedCPUs: "0", AllowedMemoryNodes: "0", CPUSetPartition: "root", IOWeight: given(uint32(200)),
		IO: []IOLimit{
			{254, 0, IOReadBandwidthMax, 1_000_001},
			{254, 0, IOWriteBandwidthMax, 2_000_000},
			{254, 0, IOReadIOPSMax, 300},
			{254, 0, IOWriteIOPSMax, 400},
			{254, 0, IODeviceWeight, 500},
			{254, 0, IODeviceLatencyTargetSec, 75_000},
		},
	}
}

// What the files hold is from Documentation/admin-guide/cgroup-v2.rst.
func TestUnified(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		want   []string
	}{
		{"nothing", Limits{CPUQuotaPeriod: 5_000}, nil},
		{"everything", *everything(), []string{
			"memory.zswap.writeback 0 -> 0 (MemoryZSwapWriteback=)",
			"memory.zswap.max 4194304 -> 4194304 (MemoryZSwapMax=)",
			"memory.swap.max 8388608 -> 8388608 (MemorySwapMax=)",
			"memory.min 1048576 -> 1048576 (MemoryMin=)",
			"memory.low 2097152 -> 2097152 (MemoryLow=)",
			"memory.high 33554432 -> 33554432 (MemoryHigh=)",
			"memory.max 67108864 -> 67108864 (MemoryMax=)",
			"pids.max 10 -> 10 (TasksMax=)",
			"cpu.weight 50 -> 50 (CPUWeight=)",
			"cpu.max 10000 50000 -> 10000 50000 (CPUQuota=)",
			"cpuset.mems 0 -> 0 (AllowedMemoryNodes=)",
			"cpuset.mems.effective  -> 0 (AllowedMemoryNodes=) check",
			"cpuset.cpus 0 -> 0 (AllowedCPUs=)",
			"cpuset.cpus.partition root -> root (CPUSetPartition=)",
			"cpuset.cpus.effective  -> 0 (AllowedCPUs=) check",
			"io.weight default 200 -> 200 (IOWeight=)",
			"io.weight 254:0 500 -> 500 (IODeviceWeight=)",
			"io.max 254:0 rbps=1000001 wbps=2000000 riops=300 wiops=400 -> rbps=1000001 wbps=2000000 riops=300 wiops=400 " +
				"(IOReadBandwidthMax= IOWriteBandwidthMax= IOReadIOPSMax= IOWriteIOPSMax=)",
			"io.latency 254:0 target=75000 -> target=75000 (IODeviceLatencyTargetSec=)",
		}},
		{"pages are whole", Limits{MemoryMin: amount(4095), MemoryLow: amount(4096), MemoryHigh: amount(4097), MemoryMax: amount(8191)}, []string{
			"memory.min 4095 -> 0 (MemoryMin=)",
			"memory.low 4096 -> 4096 (MemoryLow=)",
			"memory.high 4097 -> 4096 (MemoryHigh=)",
			"memory.max 8191 -> 4096 (MemoryMax=)",
		}},
		{"none is written", Limits{MemorySwapMax: amount(0), MemoryZSwapMax: amount(0)}, []string{
			"memory.zswap.max 0 -> 0 (MemoryZSwapMax=)",
			"memory.swap.max 0 -> 0 (MemorySwapMax=)",
		}},
		{"unbounded", Limits{
			MemoryMin: unbounded, MemoryMax: unbounded, MemoryZSwapWriteback: given(true), TasksMax: unbounded,
			IO: []IOLimit{{8, 0, IOWriteIOPSMax, NoLimit}, {8, 0, IODeviceLatencyTargetSec, NoLimit}, {8, 16, IODeviceLatencyTargetSec, 0}},
		}, []string{
			"memory.zswap.writeback 1 -> 1 (MemoryZSwapWriteback=)",
			"memory.min max -> max (MemoryMin=)",
			"memory.max max -> max (MemoryMax=)",
			"pids.max max -> max (TasksMax=)",
			"io.max 8:0 rbps=max wbps=max riops=max wiops=max ->  (IOWriteIOPSMax=)",
			"io.latency 8:0 target=max ->  (IODeviceLatencyTargetSec=)",
			"io.latency 8:16 target=max ->  (IODeviceLatencyTargetSec=)",
		}},
		{"the kernel's largest", Limits{MemoryHigh: amount(1<<63 - 4096), MemoryMax: amount(1<<63 - 4097), TasksMax: amount(1 << 22)}, []string{
			"memory.high max -> max (MemoryHigh=)",
			"memory.max 9223372036854771711 -> 9223372036854767616 (MemoryMax=)",
			"pids.max 4194304 -> 4194304 (TasksMax=)",
		}},
		{"more than the kernel's largest", Limits{MemoryMax: amount(NoLimit), TasksMax: amount(1<<22 + 1)}, []string{
			"memory.max max -> max (MemoryMax=)",
			"pids.max max -> max (TasksMax=)",
		}},
		{"idle", Limits{CPUWeight: given(uint32(0))}, []string{"cpu.idle 1 -> 1 (CPUWeight=)"}},
		{"devices", Limits{IO: []IOLimit{
			{8, 16, IOReadIOPSMax, 1<<32 - 2},
			{8, 0, IOReadBandwidthMax, 1},
			{8, 16, IOReadBandwidthMax, NoLimit},
			{8, 0, IOReadBandwidthMax, 2},
			{8, 0, IOWriteIOPSMax, 1<<32 - 1},
			{8, 0, IODeviceWeight, 1},
			{8, 0, IODeviceWeight, 10000},
		}}, []string{
			"io.max 8:16 rbps=max wbps=max riops=4294967294 wiops=max -> rbps=max wbps=max riops=4294967294 wiops=max (IOReadBandwidthMax= IOReadIOPSMax=)",
			"io.weight 8:0 10000 -> 10000 (IODeviceWeight=)",
			"io.max 8:0 rbps=2 wbps=max riops=max wiops=max -> rbps=2 wbps=max riops=max wiops=max (IOReadBandwidthMax= IOWriteIOPSMax=)",
		}},
	} {
		got := tt.limits.Unified(testPage)
		sameLines(t, tt.name, "settings", inLines(got), tt.want)
		for _, s := range got {
			if !strings.HasPrefix(s.File, s.Controller+".") {
				t.Errorf("%s: %s is said to be of %q", tt.name, s.File, s.Controller)
			}
		}
	}
	if got := (&Limits{MemoryMax: amount(200_000)}).Unified(65536)[0].Want; got != "196608" {
		t.Errorf("with pages of 64 KiB, 200000 bytes become %s", got)
	}
}

func TestLegacy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		want   []string
		lacks  string
	}{
		{"nothing", Limits{CPUQuotaPeriod: 5_000}, nil, ""},
		{
			"everything", *everything(),
			[]string{
				"memory.limit_in_bytes 67108864 -> 67108864 (MemoryMax=)",
				"memory.memsw.limit_in_bytes 75497472 -> 75497472 (MemorySwapMax=)",
				"pids.max 10 -> 10 (TasksMax=)",
				"cpu.shares 512 -> 512 (CPUWeight=)",
				"cpu.cfs_period_us 50000 -> 50000 (CPUQuota=)",
				"cpu.cfs_quota_us 10000 -> 10000 (CPUQuota=)",
				"cpuset.mems 0 -> 0 (AllowedMemoryNodes=)",
				"cpuset.cpus 0 -> 0 (AllowedCPUs=)",
				"blkio.throttle.read_bps_device 254:0 1000001 -> 1000001 (IOReadBandwidthMax=)",
				"blkio.throttle.write_bps_device 254:0 2000000 -> 2000000 (IOWriteBandwidthMax=)",
				"blkio.throttle.read_iops_device 254:0 300 -> 300 (IOReadIOPSMax=)",
				"blkio.throttle.write_iops_device 254:0 400 -> 400 (IOWriteIOPSMax=)",
			},
			"MemoryMin= MemoryLow= MemoryHigh= MemoryZSwapMax= MemoryZSwapWriteback= MemorySwapMax= CPUSetPartition= IOWeight= " +
				"IOWriteBandwidthMax= IOWriteIOPSMax= IODeviceWeight= IODeviceLatencyTargetSec=",
		},
		{
			"the kernel's defaults", Limits{
				MemoryMin: amount(0), MemoryLow: amount(0), MemoryHigh: unbounded, MemoryMax: unbounded, MemorySwapMax: unbounded,
				MemoryZSwapMax: unbounded, MemoryZSwapWriteback: given(true), TasksMax: unbounded, CPUSetPartition: "member",
				IO: []IOLimit{
					{8, 0, IOReadBandwidthMax, NoLimit},
					{8, 0, IOWriteBandwidthMax, NoLimit},
					{8, 0, IODeviceLatencyTargetSec, NoLimit},
					{8, 16, IODeviceLatencyTargetSec, 0},
				},
			}, []string{
				"memory.limit_in_bytes -1 -> 9223372036854771712 (MemoryMax=)",
				"pids.max max -> max (TasksMax=)",
				"blkio.throttle.read_bps_device 8:0 0 ->  (IOReadBandwidthMax=)",
				"blkio.throttle.write_bps_device 8:0 0 ->  (IOWriteBandwidthMax=)",
			}, "",
		},
		{"protection without bounds", Limits{MemoryMin: unbounded, MemoryLow: unbounded}, nil, "MemoryMin= MemoryLow="},
		{"swap alone", Limits{MemorySwapMax: amount(4096)}, nil, "MemorySwapMax="},
		{"swap without a bound of memory", Limits{MemoryMax: unbounded, MemorySwapMax: amount(0)}, []string{
			"memory.limit_in_bytes -1 -> 9223372036854771712 (MemoryMax=)",
		}, "MemorySwapMax="},
		{"no swap", Limits{MemoryMax: amount(8191), MemorySwapMax: amount(0)}, []string{
			"memory.limit_in_bytes 8191 -> 4096 (MemoryMax=)",
			"memory.memsw.limit_in_bytes 8191 -> 4096 (MemorySwapMax=)",
		}, "MemorySwapMax="},
		{"a sum of bytes, not of pages", Limits{MemoryMax: amount(8191), MemorySwapMax: amount(1)}, []string{
			"memory.limit_in_bytes 8191 -> 4096 (MemoryMax=)",
			"memory.memsw.limit_in_bytes 8192 -> 8192 (MemorySwapMax=)",
		}, "MemorySwapMax="},
		{"a sum above the kernel's largest", Limits{MemoryMax: amount(1<<63 - 8192), MemorySwapMax: amount(1<<63 - 8192)}, []string{
			"memory.limit_in_bytes 9223372036854767616 -> 9223372036854767616 (MemoryMax=)",
			"memory.memsw.limit_in_bytes -1 -> 9223372036854771712 (MemorySwapMax=)",
		}, "MemorySwapMax="},
		{"the least weight", Limits{CPUWeight: given(uint32(1))}, []string{"cpu.shares 10 -> 10 (CPUWeight=)"}, ""},
		{"the default weight", Limits{CPUWeight: given(uint32(100))}, []string{"cpu.shares 1024 -> 1024 (CPUWeight=)"}, ""},
		{"the largest weight", Limits{CPUWeight: given(uint32(10000))}, []string{"cpu.shares 102400 -> 102400 (CPUWeight=)"}, ""},
		{"idle", Limits{CPUWeight: given(uint32(0))}, []string{"cpu.idle 1 -> 1 (CPUWeight=)"}, ""},
		{"CPUs alone", Limits{AllowedCPUs: "0-1"}, []string{
			"cpuset.mems  ->  (AllowedCPUs=) inherit",
			"cpuset.cpus 0-1 -> 0-1 (AllowedCPUs=)",
		}, ""},
		{"nodes alone", Limits{AllowedMemoryNodes: "0"}, []string{
			"cpuset.mems 0 -> 0 (AllowedMemoryNodes=)",
			"cpuset.cpus  ->  (AllowedMemoryNodes=) inherit",
		}, ""},
		{"isolated", Limits{CPUSetPartition: "isolated"}, nil, "CPUSetPartition="},
		{"operations of more than 32 bits", Limits{IO: []IOLimit{{8, 0, IOReadIOPSMax, 1<<32 - 2}, {8, 16, IOReadIOPSMax, 1<<32 + 5}}}, []string{
			"blkio.throttle.read_iops_device 8:0 4294967294 -> 4294967294 (IOReadIOPSMax=)",
			"blkio.throttle.read_iops_device 8:16 0 ->  (IOReadIOPSMax=)",
		}, ""},
		{"0 would be no limit", Limits{IO: []IOLimit{{8, 0, IOReadBandwidthMax, 0}, {8, 16, IOReadBandwidthMax, 5}}}, []string{
			"blkio.throttle.read_bps_device 8:16 5 -> 5 (IOReadBandwidthMax=)",
		}, "IOReadBandwidthMax="},
		{"one lack for two devices", Limits{IO: []IOLimit{{8, 0, IOWriteIOPSMax, 7}, {8, 16, IOWriteIOPSMax, 8}}}, []string{
			"blkio.throttle.write_iops_device 8:0 7 -> 7 (IOWriteIOPSMax=)",
			"blkio.throttle.write_iops_device 8:16 8 -> 8 (IOWriteIOPSMax=)",
		}, "IOWriteIOPSMax="},
	} {
		got, lacks := tt.limits.Legacy(testPage)
		sameLines(t, tt.name, "settings", inLines(got), tt.want)
		var names []string
		for _, l := range lacks {
			names = append(names, l.Directive)
			if !strings.Contains(l.Why, "cgroup v1") {
				t.Errorf("%s: %s is lacking as %q, which does not say of what", tt.name, l.Directive, l.Why)
			}
		}
		sameLines(t, tt.name, "lacks", names, strings.Fields(tt.lacks))
	}
}

// Each reason must be about files that are there, and be kept.
func TestSettingOrder(t *testing.T) {
	legacy, _ := everything().Legacy(testPage)
	for _, rule := range settingOrder {
		both, kept := false, true
		for _, list := range [][]Setting{everything().Unified(testPage), legacy} {
			at := func(file string) int {
				return slices.IndexFunc(list, func(s Setting) bool { return s.File == file })
			}
			if first, then := at(rule.first), at(rule.then); first >= 0 && then >= 0 {
				both, kept = true, kept && first < then
			}
		}
		if !both {
			t.Errorf("no list has both %s and %s", rule.first, rule.then)
		}
		if !kept {
			t.Errorf("%s does not come before %s: %s", rule.first, rule.then, rule.why)
		}
	}
}

// CPUQuotaPeriodSec= of systemd.resource-control(5): the period is between 1 ms and 1 s,
// and becomes longer for a quota of 1 ms at least.
func TestQuota(t *testing.T) {
	for _, tt := range []struct {
		share         uint32
		period        uint64
		quota, actual uint64
	}{
		{2_000, 0, 20_000, 100_000},
		{10_000, 0, 100_000, 100_000},
		{25_050, 10_000, 25_050, 10_000},
		{10_000, 1, 1_000, 1_000},
		{10_000, 999, 1_000, 1_000},
		{10_000, 5_000_000, 1_000_000, 1_000_000},
		{10_000, ^uint64(0), 1_000_000, 1_000_000},
		{5_000, 1_000, 1_000, 2_000},
		{100, 0, 1_000, 100_000},
		{99, 0, 1_000, 101_011}, // rounded down the quota would be 999
		{11, 0, 1_000, 909_091},
		{10, 0, 1_000, 1_000_000},
		{9, 0, 900, 1_000_000}, // the kernel refuses it
		{0, 0, 0, 100_000},     // and this
		{1<<32 - 1, 0, 42_949_672_950, 100_000},
	} {
		l := Limits{CPUQuota: &tt.share, CPUQuotaPeriod: tt.period}
		if quota, period := l.quota(); quota != tt.quota || period != tt.actual {
			t.Errorf("%d of 10000 in %d µs: %d %d, want %d %d", tt.share, tt.period, quota, period, tt.quota, tt.actual)
		}
	}
	for share := uint32(10); share < 30_000; share++ {
		l := Limits{CPUQuota: &share, CPUQuotaPeriod: uint64(share) * 37}
		quota, period := l.quota()
		if quota < 1_000 || period < 1_000 || period > 1_000_000 || quota*10_000 > uint64(share)*period || (quota+1)*10_000 <= uint64(share)*period {
			t.Fatalf("%d of 10000: %d in %d µs", share, quota, period)
		}
	}
}

func TestReads(t *testing.T) {
	cpus := Setting{Controller: "cpuset", File: "cpuset.cpus", Value: "0-2,3,5", Want: "0-2,3,5"}
	granted := Setting{Controller: "cpuset", File: "cpuset.cpus.effective", Want: "0-3,5", Check: true}
	partition := Setting{Controller: "cpuset", File: "cpuset.cpus.partition", Value: "root", Want: "root"}
	most := Setting{Controller: "memory", File: "memory.max", Value: "5000", Want: "4096"}
	quota := Setting{Controller: "cpu", File: "cpu.max", Value: "1000 5000", Want: "1000 5000"}
	io := Setting{Controller: "io", File: "io.max", Value: "8:1 rbps=1 wbps=max riops=max wiops=max", Want: "rbps=1 wbps=max riops=max wiops=max"}
	noIO := Setting{Controller: "io", File: "io.max", Value: "8:1 rbps=max wbps=max riops=max wiops=max"}
	weight := Setting{Controller: "io", File: "io.weight", Value: "default 50", Want: "50"}
	blkio := Setting{Controller: "blkio", File: "blkio.throttle.read_bps_device", Value: "8:1 7", Want: "7"}
	for _, tt := range []struct {
		setting Setting
		text    string
		err     string
	}{
		{most, "4096\n", ""},
		{most, "4096", ""},
		{most, "5000\n", `memory.max: read back "5000", want "4096"`},
		{most, "max\n", `memory.max: read back "max", want "4096"`},
		{most, "", `memory.max: read back "", want "4096"`},
		{most, "4096\n\n", `memory.max: read back "4096\n", want "4096"`},
		{most, " 4096\n", `memory.max: read back " 4096", want "4096"`},
		{quota, "1000 5000\n", ""},
		{quota, "max 5000\n", `cpu.max: read back "max 5000", want "1000 5000"`},

		{cpus, "0-3,5\n", ""},
		{cpus, "0-3\n", `cpuset.cpus: read back "0-3", want "0-2,3,5"`},
		{cpus, "0-5\n", `cpuset.cpus: read back "0-5", want "0-2,3,5"`},
		{cpus, "0-3,5,64\n", `cpuset.cpus: read back "0-3,5,64", want "0-2,3,5"`},
		{cpus, "\n", `cpuset.cpus: read back "", want "0-2,3,5"`},
		{cpus, "all\n", `cpuset.cpus: read back "all", want "0-2,3,5"`},
		{granted, "0-3,5\n", ""},
		{granted, "1\n", ""},
		{granted, "1,4\n", `cpuset.cpus.effective: "1,4" is granted of "0-3,5"`},
		{granted, "0-127\n", `cpuset.cpus.effective: "0-127" is granted of "0-3,5"`},
		{granted, "\n", `cpuset.cpus.effective: "" is granted of "0-3,5"`},
		{Setting{File: "cpuset.mems", Want: "x"}, "x\n", `cpuset.mems: read back "x", want "x"`},
		{partition, "root\n", ""},
		{partition, "member\n", `cpuset.cpus.partition: read back "member", want "root"`},
		{partition, "root invalid (Cpu list in cpuset.cpus not exclusive)\n", `cpuset.cpus.partition: read back "root invalid (Cpu list in cpuset.cpus not exclusive)", want "root"`},

		{io, "8:16 rbps=9 wbps=max riops=max wiops=max\n8:1 rbps=1 wbps=max riops=max wiops=max\n", ""},
		{io, "8:16 rbps=1 wbps=max riops=max wiops=max\n", `io.max: read back "", want "rbps=1 wbps=max riops=max wiops=max"`},
		{io, "8:1 rbps=2 wbps=max riops=max wiops=max\n", `io.max: read back "rbps=2 wbps=max riops=max wiops=max", want "rbps=1 wbps=max riops=max wiops=max"`},
		{io, "8:1 rbps=1 wbps=5 riops=max wiops=max\n", `io.max: read back "rbps=1 wbps=5 riops=max wiops=max", want "rbps=1 wbps=max riops=max wiops=max"`},
		{noIO, "", ""},
		{noIO, "8:16 rbps=1 wbps=max riops=max wiops=max\n", ""},
		{noIO, "8:1 rbps=1 wbps=max riops=max wiops=max\n", `io.max: read back "rbps=1 wbps=max riops=max wiops=max", want ""`},
		{weight, "default 50\n8:1 70\n", ""},
		{weight, "default 100\n8:1 50\n", `io.weight: read back "100", want "50"`},
		{blkio, "8:1 7\n", ""},
		{blkio, "18:1 7\n8:10 7\n", `blkio.throttle.read_bps_device: read back "", want "7"`},
		{Setting{File: "cpuset.mems", Inherit: true}, "", "internal error: cpuset.mems is not known before the parent's"},
	} {
		got := ""
		if err := tt.setting.Reads(tt.text); err != nil {
			got = err.Error()
		}
		if got != tt.err {
			t.Errorf("%s reads %q:\n%s\nwant\n%s", inLine(tt.setting), tt.text, got, tt.err)
		}
	}
}

func TestFrom(t *testing.T) {
	s := Setting{Controller: "cpuset", File: "cpuset.mems", Directive: "AllowedCPUs=", Inherit: true}
	got, err := s.From("0-1\n")
	if want := "cpuset.mems 0-1 -> 0-1 (AllowedCPUs=)"; err != nil || inLine(got) != want {
		t.Errorf("%s, %v, want %s", inLine(got), err, want)
	}
	if got, err := s.From("\n"); err == nil || !got.Inherit {
		t.Errorf("a parent without gives %s, %v", inLine(got), err)
	}
}

func TestMembers(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0", "[1]"},
		{"0-3,5", "[2f]"},
		{"5,0-3", "[2f]"},
		{"1-1", "[2]"},
		{"63-64", "[8000000000000000 1]"},
		{"128", "[0 0 1]"},
		{"", "[]"},
		{"3-1", "[]"},
		{"0,", "[1]"}, // no list that the kernel prints
		{",0", "[]"},
		{"-1", "[]"},
		{"1-", "[]"},
		{"0 1", "[]"},
		{"+1", "[]"},
		{"8192", "[]"},
		{"0-8192", "[]"},
		{"65536", "[]"},
		{"0-3:1/2", "[]"},
		{"all", "[]"},
	} {
		if got := fmt.Sprintf("%x", members(tt.in)); got != tt.want {
			t.Errorf("members(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
	if got := len(members("8191")); got != 128 {
		t.Errorf("the highest member needs %d words", got)
	}
}

// Whatever a file holds: it reads as wanted where it is what was wanted, and never where a
// list holds more than was asked.
func FuzzReads(f *testing.F) {
	for _, seed := range []string{"0-3,5", "8:1 7\n", "max\n", "0,", "1-0", ""} {
		f.Add(seed, "0-3")
	}
	f.Fuzz(func(t *testing.T, held, want string) {
		exact := Setting{File: "memory.max", Want: want}
		if got := exact.Reads(held) == nil; got != (strings.TrimSuffix(held, "\n") == want) {
			t.Fatalf("%q as %q: %v", held, want, got)
		}
		granted := Setting{File: "cpuset.cpus.effective", Want: want, Check: true}
		if granted.Reads(held) != nil {
			return
		}
		asked := members(want)
		for word := range strings.SplitSeq(strings.TrimSuffix(held, "\n"), ",") {
			if word != "" && !members(word).within(asked) || len(asked) == 0 {
				t.Fatalf("%q is granted of %q", held, want)
			}
		}
	})
}

// Operations are counted in 32 bits, and bytes are not.
func TestLargeIOLimits(t *testing.T) {
	for _, kind := range []IOKind{IOReadBandwidthMax, IOWriteBandwidthMax, IOReadIOPSMax, IOWriteIOPSMax} {
		l := Limits{IO: []IOLimit{{8, 0, kind, 1 << 32}}}
		want := "8:0 " + map[IOKind]string{
			IOReadBandwidthMax:  "rbps=4294967296 wbps=max riops=max wiops=max",
			IOWriteBandwidthMax: "rbps=max wbps=4294967296 riops=max wiops=max",
			IOReadIOPSMax:       "rbps=max wbps=max riops=max wiops=max",
			IOWriteIOPSMax:      "rbps=max wbps=max riops=max wiops=max",
		}[kind]
		if all := l.Unified(4096); len(all) != 1 || all[0].Value != want {
			t.Errorf("%s: %+v, want %s", kind, all, want)
		}
	}
}
