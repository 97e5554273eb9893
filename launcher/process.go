package launcher

import (
	"strconv"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// process plans what a process carries besides its credentials.
func (c *compiler) process() {
	p := c.p
	c.restoreSlack()
	if v := p.OOMScoreAdjust; v.Set {
		text := strconv.Itoa(v.V)
		c.add(StageProcess, &process.WriteProc{File: "oom_score_adj", Text: text, Expect: text + "\n", What: "OOM score adjustment " + text}, "OOMScoreAdjust", v.From, ExitOOMAdjust)
	}
	if v := p.CoredumpFilter; v.Set {
		hex := strconv.FormatUint(v.V, 16)
		padded := hex
		for len(padded) < 8 {
			padded = "0" + padded
		}
		c.add(StageProcess, &process.WriteProc{File: "coredump_filter", Text: "0x" + hex, Expect: padded + "\n", What: "core dump filter 0x" + hex}, "CoredumpFilter", v.From, ExitLimits)
	}
	// A real-time process has no timer slack: what is asked for is set before, and goes with the policy.
	realtime := p.CPUSchedulingPolicy.Set && (p.CPUSchedulingPolicy.V == process.SchedFIFO || p.CPUSchedulingPolicy.V == process.SchedRR)
	slack := func() {
		if v := p.TimerSlackNSec; v.Set {
			e := c.add(StageProcess, process.SetTimerSlack{NSec: v.V}, "TimerSlackNSec", v.From, ExitTimerSlack)
			e.Transient = realtime
		}
	}
	if realtime {
		slack()
		if v := p.TimerSlackNSec; v.Set {
			c.note("slack-void", v.From, "TimerSlackNSec= does not hold for a real-time process, which has no timer slack")
		}
	}
	c.scheduling()
	c.numa()
	if !realtime {
		slack()
	}
	if v := p.Personality; v.Set {
		n, err := process.ParsePersonality(v.V, c.env.GOARCH)
		if err != nil {
			c.refuse("Personality", v.From, ExitPerson, err.Error())
		} else {
			c.add(StageProcess, process.SetPersonality{Value: n, Arch: v.V}, "Personality", v.From, ExitPerson)
		}
	}
	if v := p.MemoryKSM; v.Set {
		c.add(StageProcess, process.SetKSM{On: v.V}, "MemoryKSM", v.From, ExitLimits)
	}
	if v := p.MemoryTHP; v.Set && v.V != process.THPInherit {
		c.add(StageProcess, process.SetTHP{Mode: v.V}, "MemoryTHP", v.From, ExitLimits)
	}
	if v := p.UMask; v.Set {
		c.add(StageUMask, process.SetUMask{Mode: v.V}, "UMask", v.From, ExitLimits)
	}
}

// restoreSlack gives the daemon the timer slack that was raised for hardrun. It
// comes before the scheduling policy, since a real-time thread has none, and the
// kernel sets it to 0 then.
func (c *compiler) restoreSlack() {
	p, env := c.p, c.env
	if !env.linux() || p.TimerSlackNSec.Set || env.TimerSlack == 0 {
		return
	}
	e := c.add(StageProcess, process.SetTimerSlack{NSec: env.TimerSlack, Restore: true}, "", policy.Origin{}, ExitTimerSlack)
	e.Because = "hardrun starts with a larger one"
	e.Transient = p.CPUSchedulingPolicy.Set
}

// scheduling plans policy, nice and I/O class. The policy comes before nice:
// sched_setattr(2) carries a nice level of its own.
func (c *compiler) scheduling() {
	p := c.p
	if p.CPUSchedulingPolicy.Set || p.CPUSchedulingPriority.Set || p.CPUSchedulingResetOnFork.Set {
		step := process.SetScheduler{Policy: p.CPUSchedulingPolicy.V, Priority: p.CPUSchedulingPriority.V, ResetOnFork: p.CPUSchedulingResetOnFork.V}
		realtime := step.Policy == process.SchedFIFO || step.Policy == process.SchedRR
		name, from := "CPUSchedulingPolicy", p.CPUSchedulingPolicy.From
		switch {
		case !p.CPUSchedulingPolicy.Set && p.CPUSchedulingPriority.Set:
			name, from = "CPUSchedulingPriority", p.CPUSchedulingPriority.From
		case !p.CPUSchedulingPolicy.Set:
			name, from = "CPUSchedulingResetOnFork", p.CPUSchedulingResetOnFork.From
		}
		switch {
		case realtime && !p.CPUSchedulingPriority.Set:
			step.Priority = 1 // the lowest, as systemd takes it
		case realtime && step.Priority < 1:
			c.refuse("CPUSchedulingPriority", p.CPUSchedulingPriority.From, ExitScheduler, "the policies fifo and rr take a priority from 1 to 99")
		case !realtime && step.Priority != 0:
			c.refuse("CPUSchedulingPriority", p.CPUSchedulingPriority.From, ExitScheduler, "only the policies fifo and rr take a priority; the policy is "+step.Policy.String())
		}
		raises := realtime && c.env.Limits[limitRTPRIO].Soft < uint64(step.Priority)
		if !raises || c.need(capSysNice, name, from, ExitScheduler, "a real-time policy") {
			c.add(StageProcess, step, name, from, ExitScheduler)
		}
	}
	if v := p.Nice; v.Set {
		// RLIMIT_NICE is 20 less the lowest level, setrlimit(2).
		raises := v.V < c.env.Nice && c.env.Limits[limitNICE].Soft < uint64(20-v.V)
		if !raises || c.need(capSysNice, "Nice", v.From, ExitNice, "a nice level below "+strconv.Itoa(c.env.Nice)) {
			c.add(StageProcess, process.SetNice{Level: v.V}, "Nice", v.From, ExitNice)
		}
	}
	if p.IOSchedulingClass.Set || p.IOSchedulingPriority.Set {
		step := process.SetIOPriority{Class: process.IOBestEffort, Priority: 4}
		name, from := "IOSchedulingPriority", p.IOSchedulingPriority.From
		if p.IOSchedulingClass.Set {
			step.Class = p.IOSchedulingClass.V
			name, from = "IOSchedulingClass", p.IOSchedulingClass.From
		}
		if p.IOSchedulingPriority.Set {
			step.Priority = p.IOSchedulingPriority.V
		}
		if step.Class == process.IONone {
			// The kernel takes "none" for best-effort by nice level, with no priority.
			step.Priority = 0
		}
		raises := step.Class == process.IORealtime && !c.env.Caps.Effective.Has(capSysAdmin)
		if !raises || c.need(capSysNice, name, from, ExitIOPrio, "the real-time I/O class") {
			c.add(StageProcess, step, name, from, ExitIOPrio)
		}
	}
}

func (c *compiler) numa() {
	p := c.p
	if !p.NUMAPolicy.Set {
		if p.NUMAMask.Set && !p.CPUAffinity.V.NUMA {
			c.refuse("NUMAMask", p.NUMAMask.From, ExitNUMA, "it needs a NUMAPolicy=")
		}
		return
	}
	step := process.SetNUMA{Policy: p.NUMAPolicy.V, Nodes: c.nodes()}
	from := p.NUMAPolicy.From
	switch step.Policy {
	case process.NUMADefault, process.NUMALocal:
		step.Nodes = nil // they take none: set_mempolicy(2)
	case process.NUMAPreferred:
		if len(c.nodeList(step.Nodes)) != 1 {
			c.refuse("NUMAPolicy", from, ExitNUMA, "preferred takes exactly one node of NUMAMask=")
			return
		}
	default:
		if len(step.Nodes) == 0 {
			c.refuse("NUMAPolicy", from, ExitNUMA, step.Policy.String()+" needs a NUMAMask=")
			return
		}
	}
	c.add(StageProcess, step, "NUMAPolicy", from, ExitNUMA)
}

// nodes is NUMAMask= with "all" spelt out.
func (c *compiler) nodes() process.CPUSet {
	if !c.p.NUMAMask.V.All {
		return c.p.NUMAMask.V.Nodes
	}
	var set process.CPUSet
	for _, n := range c.env.Nodes {
		for len(set) <= n.ID/64 {
			set = append(set, 0)
		}
		set[n.ID/64] |= 1 << (n.ID % 64)
	}
	return set
}

func (c *compiler) nodeList(set process.CPUSet) []int {
	var list []int
	for i := range len(set) * 64 {
		if set[i/64]>>(i%64)&1 == 1 {
			list = append(list, i)
		}
	}
	return list
}

// affinity is in every plan: hardrun pinned itself to one CPU for its start.
func (c *compiler) affinity() {
	p, env := c.p, c.env
	if !p.CPUAffinity.Set {
		if p.AllowedCPUs.Set {
			cpus := within(env.Affinity, p.AllowedCPUs.V)
			if len(cpus) == 0 {
				cpus = p.AllowedCPUs.V // the kernel gives those, cpuset(7)
			}
			c.add(StageAffinity, process.SetAffinity{CPUs: cpus, Bytes: env.AffinityBytes}, "AllowedCPUs", p.AllowedCPUs.From, ExitAffinity).Because = "hardrun starts on one CPU"
			return
		}
		e := c.add(StageAffinity, process.SetAffinity{CPUs: env.Affinity, Bytes: env.AffinityBytes, Restore: true}, "", policy.Origin{}, ExitAffinity)
		e.Because = "hardrun starts on one CPU"
		return
	}
	from := p.CPUAffinity.From
	cpus := p.CPUAffinity.V.CPUs
	if p.CPUAffinity.V.NUMA {
		cpus = nil
		want := c.nodes()
		for _, n := range env.Nodes {
			if n.ID/64 < len(want) && want[n.ID/64]>>(n.ID%64)&1 == 1 {
				cpus = cpus.Union(n.CPUs)
			}
		}
		if len(cpus) == 0 {
			c.refuse("CPUAffinity", from, ExitAffinity, "numa: NUMAMask= names no node of this machine")
			return
		}
	}
	if p.AllowedCPUs.Set {
		// The kernel sets what both have in common, sched_setaffinity(2).
		both := within(cpus, p.AllowedCPUs.V)
		if len(both) == 0 {
			c.refuse("CPUAffinity", from, ExitAffinity, "CPUs "+cpus.String()+" are none of AllowedCPUs="+p.AllowedCPUs.V.String())
			return
		}
		cpus = both
	}
	if env.AffinityBytes > 0 && len(cpus)*8 > env.AffinityBytes {
		c.refuse("CPUAffinity", from, ExitAffinity, "CPUs "+cpus.String()+" are more than this kernel knows")
		return
	}
	c.add(StageAffinity, process.SetAffinity{CPUs: cpus, Bytes: env.AffinityBytes}, "CPUAffinity", from, ExitAffinity)
}

// within are the CPUs that both sets have; nil for none.
func within(a, b process.CPUSet) process.CPUSet {
	both := make(process.CPUSet, min(len(a), len(b)))
	last := 0
	for i := range both {
		if both[i] = a[i] & b[i]; both[i] != 0 {
			last = i + 1
		}
	}
	return both[:last]
}
