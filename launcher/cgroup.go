package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
)

// CGroups is what there is of control groups.
type CGroups struct {
	Read bool // it was looked for
	Lack string
	// The hierarchies, and for each that counts the home which the service would have there.
	Trees  []cgroup.Tree
	Homes  []*cgroup.Home
	Access []cgroupAccess // of Homes, in their order

	NoPrograms string // why the kernel takes no program; "" where it does
	NoFiles    string // why there is none for RestrictFileSystems=

	Devices   [][]cgroup.Device // what each DeviceAllow= stands for
	Terminals []cgroup.Device   // char-pts
	Clocks    []cgroup.Device   // char-rtc
	Bound     []cgroup.Device   // what BindPaths= puts at or below /dev
	Disks     [][2]uint32       // of each directive of ioLists, in their order

	Memory, Swap, Tasks uint64 // what percentages are of
}

// cgroupAccess is what can be had of a hierarchy.
type cgroupAccess struct {
	Lack   string   // why no group can be made there; "" where it can
	Offers []string // its controllers
}

// eachCGroup hands out the directives that need a control group, until it is answered no.
// programs tells those that need a program there.
func eachCGroup(p *policy.Policy, each func(name string, from policy.Origin, programs bool) bool) {
	type ask struct {
		on       bool
		name     string
		from     policy.Origin
		programs bool
	}
	kill := killsGroup(p)
	for _, a := range [...]ask{
		{p.CGroup.Set, "X-Hardrun-CGroup", p.CGroup.From, false},
		{p.DevicePolicy.Set && p.DevicePolicy.V != "auto", "DevicePolicy", p.DevicePolicy.From, true},
		{len(p.DeviceAllow.Items) > 0, "DeviceAllow", listFrom(p.DeviceAllow), true},
		{len(p.IPAddressAllow.Items) > 0 && len(p.IPAddressDeny.Items) > 0, "IPAddressAllow", listFrom(p.IPAddressAllow), true},
		{len(p.IPAddressDeny.Items) > 0, "IPAddressDeny", listFrom(p.IPAddressDeny), true},
		{len(p.SocketBindAllow.Items) > 0 && len(p.SocketBindDeny.Items) > 0, "SocketBindAllow", listFrom(p.SocketBindAllow), true},
		{len(p.SocketBindDeny.Items) > 0, "SocketBindDeny", listFrom(p.SocketBindDeny), true},
		{p.RestrictNetworkInterfaces.Set, "RestrictNetworkInterfaces", p.RestrictNetworkInterfaces.From, true},
		{p.RestrictFileSystems.Set, "RestrictFileSystems", p.RestrictFileSystems.From, true},
		{p.BindNetworkInterface.Set, "BindNetworkInterface", p.BindNetworkInterface.From, true},
		{len(p.IPIngressFilterPath.Items) > 0, "IPIngressFilterPath", listFrom(p.IPIngressFilterPath), true},
		{len(p.IPEgressFilterPath.Items) > 0, "IPEgressFilterPath", listFrom(p.IPEgressFilterPath), true},
		{len(p.BPFProgram.Items) > 0, "BPFProgram", listFrom(p.BPFProgram), true},
		{p.Delegate.V.On, "Delegate", p.Delegate.From, false},
		{kill, "KillMode", p.KillMode.From, false},
	} {
		if a.on && !each(a.name, a.from, a.programs) {
			return
		}
	}
	eachLimit(p, func(name string, from policy.Origin) bool { return each(name, from, false) })
}

func listFrom[T any](l policy.List[T]) policy.Origin {
	if len(l.Items) > 0 {
		return l.Items[0].From
	}
	return l.From
}

// eachLimit hands out the directives of controllers, but for those that ask for what is so
// in a new group anyway.
func eachLimit(p *policy.Policy, each func(name string, from policy.Origin) bool) {
	for _, s := range sizes(p) {
		idle := s.size.V.Infinity
		if s.name == "MemoryMin" || s.name == "MemoryLow" {
			idle = s.size.V == policy.Size{}
		}
		if s.size.Set && !idle && !each(s.name, s.size.From) {
			return
		}
	}
	type ask struct {
		on   bool
		name string
		from policy.Origin
	}
	asks := []ask{
		{p.MemoryZSwapWriteback.Set && !p.MemoryZSwapWriteback.V, "MemoryZSwapWriteback", p.MemoryZSwapWriteback.From},
		{p.CPUWeight.Set, "CPUWeight", p.CPUWeight.From},
		{p.CPUQuota.Set, "CPUQuota", p.CPUQuota.From},
		{p.AllowedCPUs.Set, "AllowedCPUs", p.AllowedCPUs.From},
		{p.AllowedMemoryNodes.Set, "AllowedMemoryNodes", p.AllowedMemoryNodes.From},
		{p.CPUSetPartition.Set && p.CPUSetPartition.V != "member", "CPUSetPartition", p.CPUSetPartition.From},
		{p.IOWeight.Set, "IOWeight", p.IOWeight.From},
	}
	for _, l := range ioLists(p) {
		asks = append(asks, ask{len(l.list.Items) > 0, l.name, listFrom(*l.list)})
	}
	for _, a := range asks {
		if a.on && !each(a.name, a.from) {
			return
		}
	}
}

type sizeOf struct {
	name string
	size *policy.Opt[policy.Size]
}

// sizes are the directives that take an amount or a percentage.
func sizes(p *policy.Policy) [7]sizeOf {
	return [...]sizeOf{
		{"MemoryMin", &p.MemoryMin},
		{"MemoryLow", &p.MemoryLow},
		{"MemoryHigh", &p.MemoryHigh},
		{"MemoryMax", &p.MemoryMax},
		{"MemorySwapMax", &p.MemorySwapMax},
		{"MemoryZSwapMax", &p.MemoryZSwapMax},
		{"TasksMax", &p.TasksMax},
	}
}

type ioOf struct {
	name string
	kind cgroup.IOKind
	list *policy.List[policy.IODevice]
}

// ioLists are the directives that limit a device.
func ioLists(p *policy.Policy) [6]ioOf {
	return [...]ioOf{
		{"IOReadBandwidthMax", cgroup.IOReadBandwidthMax, &p.IOReadBandwidthMax},
		{"IOWriteBandwidthMax", cgroup.IOWriteBandwidthMax, &p.IOWriteBandwidthMax},
		{"IOReadIOPSMax", cgroup.IOReadIOPSMax, &p.IOReadIOPSMax},
		{"IOWriteIOPSMax", cgroup.IOWriteIOPSMax, &p.IOWriteIOPSMax},
		{"IODeviceWeight", cgroup.IODeviceWeight, &p.IODeviceWeight},
		{"IODeviceLatencyTargetSec", cgroup.IODeviceLatencyTargetSec, &p.IODeviceLatencyTargetSec},
	}
}

// asksCGroup is the first directive that needs a control group.
func asksCGroup(p *policy.Policy) (name string, from policy.Origin) {
	eachCGroup(p, func(n string, f policy.Origin, _ bool) bool {
		name, from = n, f
		return false
	})
	return name, from
}

// WantsGroup tells whether a directive needs a control group, PrivateDevices= among them where
// the daemon may end up as one that can mount.
func WantsGroup(p *policy.Policy) bool {
	if name, _ := asksCGroup(p); name != "" {
		return true
	}
	return (&Env{For: "root"}).mayMount(p) && (p.Strict.V || !p.User.Set && !p.DynamicUser.V)
}

// mayMount tells whether the daemon may end up with the right to mount, by what can be
// told before the plan: then the promise of PrivateDevices= needs a group.
func (e *Env) mayMount(p *policy.Policy) bool {
	const admin = capSysAdmin
	switch {
	case p.PrivateDevices.V && p.Strict.V:
		return true
	case !p.PrivateDevices.V, p.PrivateUsers.Set && p.PrivateUsers.V != "no", e.For != "root" && !e.Caps.Effective.Has(admin):
		return false
	case p.Caps.Set:
		return p.Caps.V.All || p.Caps.V.Set.Has(admin) != p.Caps.V.Invert
	case p.CapabilityBoundingSet.Set && !p.CapabilityBoundingSet.V.Has(admin):
		return false
	}
	return true
}

// asksPrograms tells whether a directive needs a program in a control group.
func asksPrograms(p *policy.Policy) bool {
	found := false
	eachCGroup(p, func(_ string, _ policy.Origin, programs bool) bool {
		found = programs
		return !found
	})
	return found
}

// limited is what a policy asks of the controllers. The facts resolve percentages and
// disks.
func limited(p *policy.Policy, g *CGroups) *cgroup.Limits {
	amount := func(o policy.Opt[policy.Size], of uint64) *cgroup.Amount {
		switch {
		case !o.Set:
			return nil
		case o.V.Percent != 0:
			return &cgroup.Amount{N: of/10000*uint64(o.V.Percent) + of%10000*uint64(o.V.Percent)/10000}
		}
		return &cgroup.Amount{N: o.V.Bytes, Infinity: o.V.Infinity}
	}
	l := &cgroup.Limits{
		MemoryMin:       amount(p.MemoryMin, g.Memory),
		MemoryLow:       amount(p.MemoryLow, g.Memory),
		MemoryHigh:      amount(p.MemoryHigh, g.Memory),
		MemoryMax:       amount(p.MemoryMax, g.Memory),
		MemorySwapMax:   amount(p.MemorySwapMax, g.Swap),
		MemoryZSwapMax:  amount(p.MemoryZSwapMax, g.Memory),
		TasksMax:        amount(p.TasksMax, g.Tasks),
		CPUQuotaPeriod:  p.CPUQuotaPeriodSec.V,
		CPUSetPartition: p.CPUSetPartition.V,
	}
	if p.MemoryZSwapWriteback.Set {
		l.MemoryZSwapWriteback = &p.MemoryZSwapWriteback.V
	}
	if p.CPUWeight.Set {
		l.CPUWeight = &p.CPUWeight.V
	}
	if p.CPUQuota.Set {
		l.CPUQuota = &p.CPUQuota.V
	}
	if p.IOWeight.Set {
		l.IOWeight = &p.IOWeight.V
	}
	if p.AllowedCPUs.Set {
		l.AllowedCPUs = strings.ReplaceAll(p.AllowedCPUs.V.String(), " ", ",")
	}
	if p.AllowedMemoryNodes.Set {
		l.AllowedMemoryNodes = strings.ReplaceAll(p.AllowedMemoryNodes.V.String(), " ", ",")
	}
	n := 0
	for _, io := range ioLists(p) {
		for _, item := range io.list.Items {
			if n < len(g.Disks) {
				l.IO = append(l.IO, cgroup.IOLimit{Major: g.Disks[n][0], Minor: g.Disks[n][1], Kind: io.kind, Value: item.V.Value})
			}
			n++
		}
	}
	return l
}

// needsLegacy tells whether a v1 hierarchy counts: devices, where programs cannot be had,
// and controllers that a directive asks for.
func needsLegacy(p *policy.Policy, t *cgroup.Tree) bool {
	if t.Has("devices") {
		return devicesAsked(p) || p.PrivateDevices.V
	}
	for _, s := range wanted(p) {
		if t.Has(s) {
			return true
		}
	}
	return false
}

func devicesAsked(p *policy.Policy) bool {
	return p.DevicePolicy.Set && p.DevicePolicy.V != "auto" || len(p.DeviceAllow.Items) > 0
}

// wanted are the controllers that the directives of a policy are for, by the names of
// both kinds of hierarchies.
func wanted(p *policy.Policy) []string {
	var list []string
	add := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	eachLimit(p, func(name string, _ policy.Origin) bool {
		switch {
		case strings.HasPrefix(name, "Memory"):
			add("memory")
		case name == "TasksMax":
			add("pids")
		case strings.HasPrefix(name, "Allowed"), name == "CPUSetPartition":
			add("cpuset")
		case strings.HasPrefix(name, "CPU"):
			add("cpu")
		default:
			add("io", "blkio")
		}
		return true
	})
	return list
}

// killsGroup tells whether KillMode= wants a group whose processes end with the service. As
// a default it is left to who ends the service.
func killsGroup(p *policy.Policy) bool {
	v := p.KillMode
	return (v.V == "control-group" || v.V == "mixed") && !v.From.Default
}

// homePath is where the service's group is to be: what --cgroup says, or a name made of
// the command, below the group in which hardrun was started, or below the group that the
// service has.
func homePath(p *policy.Policy, t *cgroup.Tree, program, group string) string {
	if group != "" && t.Unified {
		return group + "/" + homeName(program)
	}
	if p.CGroup.Set {
		if t.Unified {
			return t.Find(p.CGroup.V)
		}
		_, name := cgroup.Split("/" + p.CGroup.V)
		return t.Find(name)
	}
	return t.Find(homeName(program))
}

// homeName is the name of a group for a command.
func homeName(program string) string {
	name := "service"
	if program != "" {
		_, name = cgroup.Split("/" + program)
	}
	clean := make([]byte, 0, len(name))
	for i := range min(len(name), 200) {
		c := name[i]
		if c <= ' ' || c >= 127 || c == '/' {
			c = '_'
		}
		clean = append(clean, c)
	}
	return "hardrun-" + string(clean)
}

// majors are the devices of the drivers in a text of /proc/devices whose names match a
// pattern. For "*" alone it is every device of the kind, those of drivers to come included.
func majors(text string, block bool, pattern string, access cgroup.Access) []cgroup.Device {
	if pattern == "*" {
		return []cgroup.Device{{Block: block, Major: cgroup.AnyMajor, Minor: cgroup.AnyMinor, Access: access}}
	}
	var list []cgroup.Device
	inBlock := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasSuffix(line, ":") {
			inBlock = strings.HasPrefix(line, "Block")
			continue
		}
		number, name, found := strings.Cut(strings.TrimLeft(line, " "), " ")
		major, err := strconv.ParseUint(number, 10, 12)
		if !found || err != nil || inBlock != block || !glob(pattern, name) {
			continue
		}
		list = append(list, cgroup.Device{Block: block, Major: uint32(major), Minor: cgroup.AnyMinor, Access: access})
	}
	return list
}

// glob matches a name with a pattern: "*" is any text, "?" any one byte.
func glob(pattern, name string) bool {
	star, again := -1, 0 // where the last "*" is, and where the name goes on when it takes one byte more
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			again++
			p, n = star+1, again
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
