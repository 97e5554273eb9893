package cgroup

import (
	"strconv"
	"strings"
)

// Limits is what was asked of the controllers, systemd.resource-control(5). What is nil, 0
// or empty was not asked; a period alone asks for nothing.
type Limits struct {
	MemoryMin, MemoryLow, MemoryHigh, MemoryMax *Amount // bytes
	MemorySwapMax, MemoryZSwapMax               *Amount // bytes
	MemoryZSwapWriteback                        *bool

	TasksMax *Amount

	CPUWeight      *uint32 // 1…10000; 0 is idle
	CPUQuota       *uint32 // in 1/10000 of one CPU
	CPUQuotaPeriod uint64  // microseconds; 0 is 100 ms

	AllowedCPUs, AllowedMemoryNodes string // "0-3,5"
	CPUSetPartition                 string // member, root, isolated

	IOWeight *uint32   // 1…10000
	IO       []IOLimit // of several for the same device and kind the last one holds
}

// Amount is a number of bytes or tasks; with Infinity there is no limit.
type Amount struct {
	N        uint64
	Infinity bool
}

// IOLimit is one limit of one block device, which must be a whole disk: the kernel takes
// no partition. NoLimit takes a limit of bandwidth, operations or latency away.
type IOLimit struct {
	Major, Minor uint32
	Kind         IOKind
	Value        uint64 // a weight, bytes or operations in a second, microseconds
}

// NoLimit is "infinity" as the value of an IOLimit.
const NoLimit = ^uint64(0)

// IOKind is what an IOLimit limits.
type IOKind uint8

// The kinds, by the names of their directives.
const (
	IOReadBandwidthMax IOKind = iota
	IOWriteBandwidthMax
	IOReadIOPSMax
	IOWriteIOPSMax
	IODeviceWeight
	IODeviceLatencyTargetSec

	ioKinds
)

// String is the name of the directive.
func (k IOKind) String() string {
	return [ioKinds]string{
		"IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax", "IODeviceWeight", "IODeviceLatencyTargetSec",
	}[k]
}

// Unified are the settings in cgroup2 (Documentation/admin-guide/cgroup-v2.rst), in the
// order of settingOrder, for a group in which nothing was set before. page is the size of
// a page in bytes.
func (l *Limits) Unified(page uint64) []Setting {
	var out settings
	if on := l.MemoryZSwapWriteback; on != nil {
		value := "0"
		if *on {
			value = "1"
		}
		out.add("MemoryZSwapWriteback=", "memory.zswap.writeback", value, value) // Linux 6.8
	}
	out.memory("MemoryZSwapMax=", "memory.zswap.max", "max", "max", l.MemoryZSwapMax, page) // Linux 5.19
	out.memory("MemorySwapMax=", "memory.swap.max", "max", "max", l.MemorySwapMax, page)
	out.memory("MemoryMin=", "memory.min", "max", "max", l.MemoryMin, page)
	out.memory("MemoryLow=", "memory.low", "max", "max", l.MemoryLow, page)
	out.memory("MemoryHigh=", "memory.high", "max", "max", l.MemoryHigh, page)
	out.memory("MemoryMax=", "memory.max", "max", "max", l.MemoryMax, page)
	out.tasks(l.TasksMax)
	if w := l.CPUWeight; w != nil && !out.idle(*w) {
		out.add("CPUWeight=", "cpu.weight", decimal(*w), decimal(*w))
	}
	if l.CPUQuota != nil {
		quota, period := l.quota()
		value := decimal(quota) + " " + decimal(period)
		out.add("CPUQuota=", "cpu.max", value, value)
	}
	// What is granted of the lists is another file: where none of them can be, the kernel
	// goes on with what the parent has, as if nothing had been written.
	if l.AllowedMemoryNodes != "" {
		out.add("AllowedMemoryNodes=", "cpuset.mems", l.AllowedMemoryNodes, l.AllowedMemoryNodes)
		out.check("AllowedMemoryNodes=", "cpuset.mems.effective", l.AllowedMemoryNodes)
	}
	if l.AllowedCPUs != "" {
		out.add("AllowedCPUs=", "cpuset.cpus", l.AllowedCPUs, l.AllowedCPUs)
	}
	if l.CPUSetPartition != "" {
		out.add("CPUSetPartition=", "cpuset.cpus.partition", l.CPUSetPartition, l.CPUSetPartition)
	}
	if l.AllowedCPUs != "" {
		out.check("AllowedCPUs=", "cpuset.cpus.effective", l.AllowedCPUs)
	}
	if l.IOWeight != nil {
		w := decimal(*l.IOWeight)
		out.add("IOWeight=", "io.weight", "default "+w, w)
	}
	for _, d := range l.devices() {
		d.unified(&out)
	}
	return out
}

// settings is a list that grows.
type settings []Setting

// add adds a file; the controller is the first word of its name.
func (s *settings) add(directive, file, value, want string) {
	controller, _, _ := strings.Cut(file, ".")
	*s = append(*s, Setting{Controller: controller, File: file, Value: value, Want: want, Directive: directive})
}

// check adds a file that is only read.
func (s *settings) check(directive, file, want string) {
	s.add(directive, file, "", want)
	(*s)[len(*s)-1].Check = true
}

// memory adds a number of bytes, of which the kernel keeps whole pages, rounded down.
// none is written where there is no limit, and unlimited is read then.
func (s *settings) memory(directive, file, none, unlimited string, a *Amount, page uint64) {
	switch {
	case a == nil:
	case a.unlimited(page):
		s.add(directive, file, none, unlimited)
	default:
		s.add(directive, file, decimal(a.N), decimal(a.N/page*page))
	}
}

// maxPages is the kernel's PAGE_COUNTER_MAX, its "max", on a machine of 64 bits.
func maxPages(page uint64) uint64 { return (1<<63 - 1) / page }

func (a Amount) unlimited(page uint64) bool { return a.Infinity || a.N/page >= maxPages(page) }

// maxTasks is PID_MAX_LIMIT (linux/threads.h): there cannot be more, and the kernel takes
// no limit above it.
const maxTasks = 1 << 22

func (s *settings) tasks(a *Amount) {
	if a == nil {
		return
	}
	value := decimal(a.N)
	if a.Infinity || a.N > maxTasks {
		value = "max"
	}
	s.add("TasksMax=", "pids.max", value, value)
}

// idle adds the file for idle groups, which is the same in v1 (both Linux 5.15).
func (s *settings) idle(weight uint32) bool {
	if weight == 0 {
		s.add("CPUWeight=", "cpu.idle", "1", "1")
	}
	return weight == 0
}

// The kernel's bounds of a period in microseconds, and the lower one of a quota as well
// (kernel/sched/core.c, min_cfs_quota_period and max_cfs_quota_period).
const (
	minPeriod = 1_000
	maxPeriod = 1_000_000
)

// quota is CPUQuota= as microseconds in each period. The period becomes longer where the
// quota would be below the kernel's least. Below 0.1% of a CPU that is not enough, and the
// kernel refuses the quota; systemd then gives 0.1%.
func (l *Limits) quota() (quota, period uint64) {
	share := uint64(*l.CPUQuota)
	period = l.CPUQuotaPeriod
	if period == 0 {
		period = 100_000
	}
	if share > 0 {
		period = max(period, minPeriod, (minPeriod*10_000+share-1)/share)
	}
	period = min(max(period, minPeriod), maxPeriod)
	return share * period / 10_000, period
}

// ioDevice is what is limited of one device.
type ioDevice struct {
	name  string // "254:0"
	asked [ioKinds]bool
	value [ioKinds]uint64
}

// devices are those of l.IO, each once, in their order.
func (l *Limits) devices() []ioDevice {
	var all []ioDevice
next:
	for _, io := range l.IO {
		name := decimal(io.Major) + ":" + decimal(io.Minor)
		for i := range all {
			if all[i].name == name {
				all[i].set(io)
				continue next
			}
		}
		all = append(all, ioDevice{name: name})
		all[len(all)-1].set(io)
	}
	return all
}

// set keeps a limit. Operations are counted in 32 bits: from there on v2 has no limit, and
// v1 would take what is left of the number.
func (d *ioDevice) set(io IOLimit) {
	value := io.Value
	if (io.Kind == IOReadIOPSMax || io.Kind == IOWriteIOPSMax) && value >= 1<<32-1 {
		value = NoLimit
	}
	d.asked[io.Kind], d.value[io.Kind] = true, value
}

// unified writes all four limits of io.max together: those that were not asked are "max",
// and without any the device has no line. The kernel refuses limits of 0 and 1, and a
// weight where the device has no cost model (EOPNOTSUPP, io.cost.qos).
func (d *ioDevice) unified(out *settings) {
	if d.asked[IODeviceWeight] {
		w := decimal(d.value[IODeviceWeight])
		out.add("IODeviceWeight=", "io.weight", d.name+" "+w, w)
	}
	var directives, values []string
	limited := false
	for kind, key := range [...]string{"rbps=", "wbps=", "riops=", "wiops="} {
		value := "max"
		if d.asked[kind] {
			directives = append(directives, IOKind(kind).String()+"=")
			if d.value[kind] != NoLimit {
				value, limited = decimal(d.value[kind]), true
			}
		}
		values = append(values, key+value)
	}
	if directives != nil {
		value, want := strings.Join(values, " "), ""
		if limited {
			want = value
		}
		out.add(strings.Join(directives, " "), "io.max", d.name+" "+value, want)
	}
	if d.asked[IODeviceLatencyTargetSec] {
		value, want := "target=max", ""
		if µs := d.value[IODeviceLatencyTargetSec]; µs != 0 && µs != NoLimit {
			value = "target=" + decimal(µs)
			want = value
		}
		out.add("IODeviceLatencyTargetSec=", "io.latency", d.name+" "+value, want)
	}
}

func decimal[N uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }
