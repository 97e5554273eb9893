package policy

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// Size is an amount in bytes, or with Percent a share of what there is, or with Infinity no
// limit.
type Size struct {
	Bytes    uint64
	Percent  uint32 // in 1/10000: 1…10000; 0 is none
	Infinity bool
}

// wholeShare is all of something, in the unit of Size.Percent.
const wholeShare = 10000

// isShare tells a number that a sign for per cent, per mille or permyriad follows.
func isShare(s string) bool {
	return strings.HasSuffix(s, "%") || strings.HasSuffix(s, "‰") || strings.HasSuffix(s, "‱")
}

// ParseMemory reads an amount of memory, systemd.resource-control(5), MemoryMax=: a size of
// process.ParseSize, a share of ParsePermyriad up to 100%, or "infinity".
func ParseMemory(s string) (Size, error) {
	if isShare(s) {
		n, err := ParsePermyriad(s, wholeShare)
		return Size{Percent: uint32(n)}, err
	}
	n, err := ParseSize(s)
	if err == nil && n == process.Infinity {
		return Size{Infinity: true}, nil
	}
	return Size{Bytes: n}, err
}

// noLimit is the error for 0.
func noLimit() error { return errors.New("0 is no limit that anything could run with") }

// parseMemoryLimit is ParseMemory where 0 is an error, as in systemd.
func parseMemoryLimit(s string) (Size, error) {
	v, err := ParseMemory(s)
	if err == nil && v == (Size{}) {
		return Size{}, noLimit()
	}
	return v, err
}

// parseZSwap is ParseMemory for MemoryZSwapMax=, of which the manual page knows no share.
func parseZSwap(s string) (Size, error) {
	if isShare(s) {
		return Size{}, bad("a share of what is not said, only a size is taken: ", s)
	}
	return ParseMemory(s)
}

func sizeText(v Size) string {
	switch {
	case v.Infinity:
		return "infinity"
	case v.Percent > 0:
		return permyriadText(v.Percent)
	}
	return process.FormatSize(v.Bytes)
}

// ParseTasks reads TasksMax=, systemd.resource-control(5): a number from 1, a share up to
// 100%, or "infinity". 0 is an error, as in systemd; so is a share of 0.
func ParseTasks(s string) (Size, error) {
	switch {
	case s == "infinity":
		return Size{Infinity: true}, nil
	case isShare(s):
		return parseMemoryLimit(s)
	}
	n, err := ParseInt(s, 1, math.MaxInt)
	return Size{Bytes: uint64(n)}, err
}

func tasksText(v Size) string {
	if v.Infinity || v.Percent > 0 {
		return sizeText(v)
	}
	return strconv.FormatUint(v.Bytes, 10)
}

// permyriadText prints parts of ten thousand in per cent.
func permyriadText(n uint32) string {
	text := strconv.FormatUint(uint64(n/100), 10)
	if part := n % 100; part != 0 {
		text += "." + string(rune('0'+part/10))
		if part%10 != 0 {
			text += string(rune('0' + part%10))
		}
	}
	return text + "%"
}

// ParseWeight reads IOWeight=, systemd.resource-control(5): 1 to 10000.
func ParseWeight(s string) (uint32, error) {
	n, err := ParseInt(s, 1, 10000)
	return uint32(n), err
}

// parseCPUWeight takes "idle", too, which is 0.
func parseCPUWeight(s string) (uint32, error) {
	if s == "idle" {
		return 0, nil
	}
	return ParseWeight(s)
}

func weightText(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func cpuWeightText(n uint32) string {
	if n == 0 {
		return "idle"
	}
	return weightText(n)
}

// maxQuota is more than any machine has: 8192 CPUs, CONFIG_NR_CPUS.
const maxQuota = 8192 * wholeShare

// ParseQuota reads CPUQuota=, systemd.resource-control(5), in 1/10000 of a CPU: a share of
// ParsePermyriad, which may be above 100%. 0 is an error, as in systemd.
func ParseQuota(s string) (uint32, error) {
	n, err := ParsePermyriad(s, maxQuota)
	if err == nil && n == 0 {
		return 0, noLimit()
	}
	return uint32(n), err
}

// ParsePeriod reads CPUQuotaPeriodSec=, systemd.resource-control(5), into microseconds. As
// there, what is outside of the 1ms to 1s that the kernel takes becomes the nearest of it.
// "infinity" is an error: to systemd it is the default.
func ParsePeriod(s string) (uint64, error) {
	v, err := ParseTimespan(s, process.Second)
	if err != nil {
		return 0, err
	}
	if v == process.Infinity {
		return 0, errors.New("infinity is no period")
	}
	return min(max(v, 1000), process.Second), nil
}

func parsePartition(s string) (string, error) { return oneOf(s, "member", "root", "isolated") }

func parseKillMode(s string) (string, error) {
	return oneOf(s, "control-group", "mixed", "process", "none")
}

// Delegation says whether the daemon manages the groups below its own itself, and which
// controllers it has there.
type Delegation struct {
	On          bool
	Controllers []string // nil with On ("yes"): every one that there is; not nil and empty: none
}

// all tells that every controller is delegated that there is.
func (d *Delegation) all() bool { return d.On && d.Controllers == nil }

// delegated are the controllers of Delegate=, systemd.resource-control(5), behind the
// booleans. Those that begin with "bpf-" are not the kernel's: systemd stands for them.
var delegated = []string{
	"yes", "no", "cpu", "cpuset", "io", "memory", "pids", "bpf-firewall", "bpf-devices", "bpf-foreign", "bpf-socket-bind",
	"bpf-restrict-network-interfaces", "bpf-bind-network-interface",
}

// ParseDelegation reads Delegate=, systemd.resource-control(5): a boolean, or names of
// controllers between blanks. An unknown name is an error; systemd passes over it.
func ParseDelegation(s string) (Delegation, error) {
	if yes, err := ParseBool(s); err == nil {
		return Delegation{On: yes}, nil
	}
	d := Delegation{On: true}
	for _, w := range plainWords(s) {
		if !slices.Contains(delegated[2:], w) {
			return Delegation{}, &process.WordError{What: "controller", Word: w, Words: delegated[2:]}
		}
		if !slices.Contains(d.Controllers, w) {
			d.Controllers = append(d.Controllers, w)
		}
	}
	return d, nil
}

// delegationText is empty for a delegation without controllers.
func delegationText(d Delegation) string {
	if !d.On || d.all() {
		return FormatBool(d.On)
	}
	return strings.Join(d.Controllers, " ")
}

// delegateField is Delegate=: lists of controllers are united, a boolean takes the place of
// all before it, and an empty assignment is delegation without controllers.
type delegateField struct{}

func (delegateField) set(p *Policy, value string, from Origin) error {
	v, err := ParseDelegation(value)
	if err != nil {
		return err
	}
	if old := &p.Delegate.V; old.all() && v.On {
		v = *old
	} else if old.On && v.On && !v.all() {
		v.Controllers = onceWithout(append(slices.Clone(old.Controllers), v.Controllers...), nil)
	}
	p.Delegate = Opt[Delegation]{V: v, Set: true, From: from}
	return nil
}

func (delegateField) reset(p *Policy, from Origin) {
	p.Delegate = Opt[Delegation]{V: Delegation{On: true, Controllers: []string{}}, Set: true, From: from}
}

func (delegateField) isSet(p *Policy) bool { return p.Delegate.Set }
func (delegateField) write(p *Policy, each func(string, Origin)) {
	if p.Delegate.Set {
		each(delegationText(p.Delegate.V), p.Delegate.From)
	}
}

// cpusField is AllowedCPUs= or AllowedMemoryNodes=: lines are united, an empty one unsets.
type cpusField func(p *Policy) *Opt[process.CPUSet]

func (c cpusField) set(p *Policy, value string, from Origin) error {
	set, err := process.ParseCPUSet(value)
	if err != nil {
		return err
	}
	o := c(p)
	*o = Opt[process.CPUSet]{V: o.V.Union(set), Set: true, From: from}
	return nil
}

func (c cpusField) reset(p *Policy, _ Origin) { *c(p) = Opt[process.CPUSet]{} }
func (c cpusField) isSet(p *Policy) bool      { return c(p).Set }
func (c cpusField) write(p *Policy, each func(string, Origin)) {
	if o := c(p); o.Set {
		each(o.V.String(), o.From)
	}
}

// checkGroupName tells whether a control group can have the name, and no file of the
// kernel's has it.
func checkGroupName(s string) error {
	switch {
	case s == "":
		return errors.New("a control group without a name")
	case s == "." || s == "..":
		return bad("not the name of a control group: ", s)
	case len(s) > nameMax:
		return errors.New("the name of a control group is longer than 255 bytes")
	case strings.IndexByte(s, '/') >= 0 || hasControl(s):
		return bad("slash or control character in the name of a control group: ", s)
	}
	prefix, _, point := strings.Cut(s, ".")
	if point && slices.Contains(groupFiles[:], prefix) {
		return bad("a file of the kernel's may have the name: ", s)
	}
	return nil
}

// groupFiles are what the names of the kernel's files in a control group begin with, cgroups(7).
var groupFiles = [...]string{"cgroup", "cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc", "dmem", "perf_event", "irq", "debug"}

// ParseSubgroup reads DelegateSubgroup=, systemd.resource-control(5): a name, not a path. As
// in systemd it does not begin with "." or "_".
func ParseSubgroup(s string) (string, error) {
	if err := checkGroupName(s); err != nil {
		return "", err
	}
	if s[0] == '.' || s[0] == '_' {
		return "", bad("the name of a control group begins with neither . nor _: ", s)
	}
	return s, nil
}

// ParseGroupPath reads --cgroup: the path of a control group, from the root of the tree with
// a "/" before it, else from hardrun's own group. It is to be in normal form: without empty
// components, "." and "..". The root itself is an error.
func ParseGroupPath(s string) (string, error) {
	path := strings.TrimPrefix(s, "/")
	switch {
	case path == "":
		return "", bad("not a path of a control group: ", s)
	case len(s) > pathMax:
		return "", errors.New("the path is longer than 4095 bytes")
	}
	for part := range strings.SplitSeq(path, "/") {
		if err := checkGroupName(part); err != nil {
			return "", bad(err.Error()+" in the path ", s)
		}
	}
	return s, nil
}
