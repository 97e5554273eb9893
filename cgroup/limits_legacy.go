package cgroup

// Lack is a directive whose promise v1 cannot keep, and why. Where v1 has something
// weaker, that is among the settings all the same, for who waives the directive.
type Lack struct{ Directive, Why string }

// Legacy are the settings in v1 (Documentation/admin-guide/cgroup-v1), in the order of
// settingOrder, for a group in which nothing was set before: another mechanism, the same
// promise; and what v1 lacks, each directive once. What asks for the kernel's default is
// no lack. page is the size of a page in bytes.
//
// Limits are stricter about the parent than in cgroup2: CPUs or memory nodes which it does
// not have, and a quota above its own, are refused by the kernel. Buffers of TCP count as
// memory in cgroup2 only.
func (l *Limits) Legacy(page uint64) ([]Setting, []Lack) {
	var out settings
	var lacks []Lack
	lack := func(directive, why string) { lacks = append(lacks, Lack{directive, why}) }

	l.legacyMemory(&out, lack, page)
	out.tasks(l.TasksMax)
	if w := l.CPUWeight; w != nil && !out.idle(*w) {
		shares := decimal(uint64(*w) * 1024 / 100) // the defaults are 100 and 1024
		out.add("CPUWeight=", "cpu.shares", shares, shares)
	}
	if l.CPUQuota != nil {
		quota, period := l.quota()
		out.add("CPUQuota=", "cpu.cfs_period_us", decimal(period), decimal(period))
		out.add("CPUQuota=", "cpu.cfs_quota_us", decimal(quota), decimal(quota))
	}
	if l.AllowedCPUs != "" || l.AllowedMemoryNodes != "" {
		out.cpuset("AllowedMemoryNodes=", "cpuset.mems", l.AllowedMemoryNodes)
		out.cpuset("AllowedCPUs=", "cpuset.cpus", l.AllowedCPUs)
	}
	if p := l.CPUSetPartition; p != "" && p != "member" {
		lack("CPUSetPartition=", "cgroup v1 has no partitions")
	}
	l.legacyIO(&out, lack)
	return out, lacks
}

func (l *Limits) legacyMemory(out *settings, lack func(directive, why string), page uint64) {
	const unprotected = "cgroup v1 protects no memory from being reclaimed"
	if a := l.MemoryMin; a != nil && (a.Infinity || a.N != 0) {
		lack("MemoryMin=", unprotected)
	}
	if a := l.MemoryLow; a != nil && (a.Infinity || a.N != 0) {
		lack("MemoryLow=", unprotected)
	}
	if a := l.MemoryHigh; a != nil && !a.unlimited(page) {
		lack("MemoryHigh=", "cgroup v1 has no limit that slows down")
	}
	if a := l.MemoryZSwapMax; a != nil && !a.unlimited(page) {
		lack("MemoryZSwapMax=", "cgroup v1 has no limit of compressed swap")
	}
	if on := l.MemoryZSwapWriteback; on != nil && !*on {
		lack("MemoryZSwapWriteback=", "in cgroup v1 compressed swap may always be written to disk")
	}

	unlimited := decimal(maxPages(page) * page)
	out.memory("MemoryMax=", "memory.limit_in_bytes", "-1", unlimited, l.MemoryMax, page)
	swap := l.MemorySwapMax
	if swap == nil || swap.unlimited(page) {
		return
	}
	if l.MemoryMax == nil || l.MemoryMax.unlimited(page) {
		lack("MemorySwapMax=", "cgroup v1 limits swap together with memory only, and there is no MemoryMax=")
		return
	}
	// cgroup-v1/memory.rst 2.4: where the machine is short of memory, what is swapped out
	// moves from one part of the sum to the other.
	lack("MemorySwapMax=", "cgroup v1 limits the sum of memory and swap, in which swap may take the place of memory")
	// Both are below 2^63: the sum is a number, and the kernel's largest at most.
	sum := Amount{N: l.MemoryMax.N + swap.N}
	out.memory("MemorySwapMax=", "memory.memsw.limit_in_bytes", "-1", unlimited, &sum, page)
}

// cpuset adds a list of a cpuset. Both are empty in a new group, and no task can join
// until both are filled: the one that was not asked is the parent's.
func (s *settings) cpuset(directive, file, list string) {
	if list == "" {
		other := "AllowedCPUs="
		if file == "cpuset.cpus" {
			other = "AllowedMemoryNodes="
		}
		s.add(other, file, "", "")
		(*s)[len(*s)-1].Inherit = true
		return
	}
	s.add(directive, file, list, list)
}

func (l *Limits) legacyIO(out *settings, lack func(directive, why string)) {
	const otherWeights = "the weights of cgroup v1 are those of one scheduler (BFQ), and others ignore them"
	if l.IOWeight != nil {
		lack("IOWeight=", otherWeights)
	}
	why := [ioKinds]string{
		IOWriteBandwidthMax:      "cgroup v1 does not see what is written through the page cache",
		IOWriteIOPSMax:           "cgroup v1 does not see what is written through the page cache",
		IODeviceWeight:           otherWeights,
		IODeviceLatencyTargetSec: "cgroup v1 has no target for latency",
	}
	const zero = "a limit of 0 is none in cgroup v1"
	var lacking [ioKinds]string
	devices := l.devices()
	for _, d := range devices {
		for kind, asked := range d.asked {
			switch value := d.value[kind]; {
			case !asked, value == NoLimit, value == 0 && IOKind(kind) == IODeviceLatencyTargetSec:
			case value == 0:
				lacking[kind] = zero
			case why[kind] != "":
				lacking[kind] = why[kind]
			}
		}
	}
	for kind, reason := range lacking {
		if reason != "" {
			lack(IOKind(kind).String()+"=", reason)
		}
	}
	files := [...]string{"read_bps", "write_bps", "read_iops", "write_iops"}
	for _, d := range devices {
		for kind, file := range files {
			if !d.asked[kind] || d.value[kind] == 0 {
				continue
			}
			value, want := "0", "" // 0 takes the limit away, and its line
			if d.value[kind] != NoLimit {
				value = decimal(d.value[kind])
				want = value
			}
			out.add(IOKind(kind).String()+"=", "blkio.throttle."+file+"_device", d.name+" "+value, want)
		}
	}
}
