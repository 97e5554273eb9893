package inspect

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
)

// groups are the directives of the control group.
func (j *judge) groups(name string, t *tally) bool {
	p := j.p
	switch name {
	case "DevicePolicy":
		if p.DevicePolicy.V == "auto" && len(p.DeviceAllow.Items) == 0 {
			t.yes(asksNothing)
			break
		}
		j.deviceList(t)
	case "DeviceAllow":
		j.deviceList(t)
	case "IPAddressAllow", "IPAddressDeny":
		if len(p.IPAddressDeny.Items) == 0 {
			t.yes(asksNothing)
			break
		}
		for _, ingress := range [...]bool{true, false} {
			var prog []cgroup.Ins
			if !p.RestrictNetworkInterfaces.Set { // their numbers are those of another namespace
				prog, _ = cgroup.PacketProgram(cgroup.Addresses{Allow: prefixes(&p.IPAddressAllow), Deny: prefixes(&p.IPAddressDeny)}, nil, ingress)
			}
			hook := cgroup.HookEgress
			if ingress {
				hook = cgroup.HookIngress
			}
			j.program(hook.Name, prog, t)
		}
	case "RestrictNetworkInterfaces":
		j.program(cgroup.HookIngress.Name, nil, t)
		j.program(cgroup.HookEgress.Name, nil, t)
	case "SocketBindAllow", "SocketBindDeny":
		if len(p.SocketBindDeny.Items) == 0 {
			t.yes(asksNothing)
			break
		}
		var b cgroup.Binds
		for i := range p.SocketBindAllow.Items {
			b.Allow = append(b.Allow, p.SocketBindAllow.Items[i].V)
		}
		for i := range p.SocketBindDeny.Items {
			b.Deny = append(b.Deny, p.SocketBindDeny.Items[i].V)
		}
		for _, v6 := range [...]bool{false, true} {
			prog, _ := cgroup.BindProgram(b, v6)
			hook := cgroup.HookBind4
			if v6 {
				hook = cgroup.HookBind6
			}
			j.program(hook.Name, prog, t)
		}
	case "BindNetworkInterface":
		j.program(cgroup.HookSockCreate.Name, nil, t)
	case "IPIngressFilterPath":
		j.program(cgroup.HookIngress.Name, nil, t)
	case "IPEgressFilterPath":
		j.program(cgroup.HookEgress.Name, nil, t)
	case "BPFProgram":
		for i := range p.BPFProgram.Items {
			if h, ok := cgroup.PinnedHook(p.BPFProgram.Items[i].V.Type); ok {
				j.program(h.Name, nil, t)
			}
		}
	case "RestrictFileSystems":
		t.cannot("a program of a security module is not looked for")
	case "CPUQuotaPeriodSec":
		t.cannot("it is a part of CPUQuota=")
	case "Delegate":
		j.delegate(t)
	case "DelegateSubgroup":
		path, _, why := j.groupOf("")
		switch {
		case why != "":
			t.cannot(why)
		default:
			_, last := cgroup.Split(path)
			t.when(last == p.DelegateSubgroup.V, "it is in "+path, "it is in "+path)
		}
	default:
		return j.resource(name, t)
	}
	return true
}

func prefixes(l *policy.List[policy.IPRule]) (all []cgroup.Prefix) {
	for i := range l.Items {
		all = append(all, l.Items[i].V.Prefixes...)
	}
	return all
}

// program holds that a program is attached for a hook. That it is the one which was asked for
// shows by its tag alone.
func (j *judge) program(hook string, want []cgroup.Ins, t *tally) {
	if why := j.proc.Why("Programs"); why != "" {
		t.cannot(why)
		return
	}
	where := ""
	for i := range j.proc.Programs {
		g := &j.proc.Programs[i]
		if g.Attach != hook {
			continue
		}
		where = g.Group
		if len(want) == 0 || g.Tag == ([8]byte{}) {
			continue
		}
		if tags := cgroup.Tag(want); g.Tag == tags[0] || g.Tag == tags[1] {
			t.yes("the program for " + hook + " is attached to " + where)
			return
		}
	}
	if where == "" {
		t.no("no program for " + hook + " is attached")
		return
	}
	t.cannot("a program for " + hook + " is attached to " + where + ", and what it decides cannot be read")
}

// deviceList is DevicePolicy= and DeviceAllow=: in cgroup v1 the list can be read, in cgroup2 it
// is a program.
func (j *judge) deviceList(t *tally) {
	_, dir, why := j.groupOf("devices")
	if why == "" {
		if text, err := hostText(dir + "/devices.list"); err == nil && !strings.HasPrefix(text, "a ") {
			j.deviceLines(text, t)
			return
		}
	}
	j.program(cgroup.HookDevice.Name, nil, t)
}

// deviceLines compares the lines of devices.list: "c 1:3 rwm".
func (j *judge) deviceLines(text string, t *tally) {
	p := j.p
	strict := p.DevicePolicy.V == "strict"
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		major, minor, _ := strings.Cut(f[1], ":")
		at := place{mode: typeChar}
		if f[0] == "b" {
			at.mode = typeBlock
		}
		n, err := strconv.ParseUint(major, 10, 32)
		at.major = uint32(n)
		m, err2 := strconv.ParseUint(minor, 10, 32)
		at.minor = uint32(m)
		switch {
		case err == nil && err2 == nil && !strict && pseudo(&at), err == nil && minor == "*" && !strict && at.major >= 136 && at.major <= 143:
			t.yes("only devices that were asked for")
		case j.allows(&at, err == nil && err2 == nil):
			t.yes("only devices that were asked for")
		default:
			t.part("the device " + f[0] + " " + f[1] + " is open")
		}
	}
	if t.good+t.half == 0 {
		t.yes("no device is open")
	}
}

// allows tells whether DeviceAllow= names a device. Names of drivers stand for what cannot be told
// from a number.
func (j *judge) allows(at *place, exact bool) bool {
	return slices.ContainsFunc(j.p.DeviceAllow.Items, func(it policy.Item[policy.DeviceRule]) bool {
		if !strings.HasPrefix(it.V.Node, "/") {
			return strings.HasPrefix(it.V.Node, "char-") == (at.mode == typeChar)
		}
		have, err := hostPlace(it.V.Node)
		return exact && err == nil && have.device() && have.mode&typeMask == at.mode && have.major == at.major && have.minor == at.minor
	}) || j.p.ProtectClock.V && at.mode == typeChar
}

// groupOf is the control group of the process in the hierarchy of a controller, or in cgroup2, as
// a path of the hierarchy and as a directory.
func (j *judge) groupOf(controller string) (path, dir, why string) {
	groups, err := j.text("cgroup")
	if err != nil {
		return "", "", err.Error()
	}
	mounts, err := hostText("/proc/self/mountinfo")
	if err != nil {
		return "", "", err.Error()
	}
	for _, tree := range cgroup.Trees(groups+"\n", mounts) {
		if tree.Unified && controller == "" || !tree.Unified && controller != "" && tree.Has(controller) {
			return tree.Own, strings.TrimSuffix(tree.Mount, "/") + strings.TrimSuffix(tree.Own, "/"), ""
		}
	}
	return "", "", "its control group cannot be seen from here"
}

// place is --cgroup.
func (j *judge) place(t *tally) {
	path, dir, why := j.groupOf("")
	asked := j.p.CGroup.V
	switch {
	case why != "":
		t.cannot(why)
	case dir == asked || path == asked || !strings.HasPrefix(asked, "/") && strings.HasSuffix(path, "/"+asked):
		t.yes("it is in " + path)
	default:
		t.no("it is in " + path)
	}
}

func (j *judge) delegate(t *tally) {
	if !j.p.Delegate.V.On {
		t.yes(asksNothing)
		return
	}
	_, dir, why := j.groupOf("")
	if why != "" {
		t.cannot(why)
		return
	}
	at, err := hostPlace(dir)
	if err != nil {
		t.cannot(err.Error())
		return
	}
	uid := j.proc.Threads[0].State.UID[0]
	t.when(at.uid == uid, "the control group is its own", "the control group is of uid "+number32(at.uid))
}

// resource are the limits of controllers.
func (j *judge) resource(name string, t *tally) bool {
	p := j.p
	l := &cgroup.Limits{}
	size := func(o policy.Opt[policy.Size], to **cgroup.Amount) {
		if o.V.Percent == 0 {
			*to = &cgroup.Amount{N: o.V.Bytes, Infinity: o.V.Infinity}
		}
	}
	floor := false // what is more is no less
	switch name {
	case "MemoryMin":
		size(p.MemoryMin, &l.MemoryMin)
		floor = true
	case "MemoryLow":
		size(p.MemoryLow, &l.MemoryLow)
		floor = true
	case "MemoryHigh":
		size(p.MemoryHigh, &l.MemoryHigh)
	case "MemoryMax":
		size(p.MemoryMax, &l.MemoryMax)
	case "MemorySwapMax":
		size(p.MemorySwapMax, &l.MemorySwapMax)
	case "MemoryZSwapMax":
		size(p.MemoryZSwapMax, &l.MemoryZSwapMax)
	case "TasksMax":
		size(p.TasksMax, &l.TasksMax)
	case "MemoryZSwapWriteback":
		l.MemoryZSwapWriteback = &p.MemoryZSwapWriteback.V
	case "CPUWeight":
		l.CPUWeight = &p.CPUWeight.V
	case "CPUQuota":
		l.CPUQuota, l.CPUQuotaPeriod = &p.CPUQuota.V, p.CPUQuotaPeriodSec.V
	case "AllowedCPUs":
		l.AllowedCPUs = strings.ReplaceAll(p.AllowedCPUs.V.String(), " ", ",")
	case "AllowedMemoryNodes":
		l.AllowedMemoryNodes = strings.ReplaceAll(p.AllowedMemoryNodes.V.String(), " ", ",")
	case "CPUSetPartition":
		l.CPUSetPartition = p.CPUSetPartition.V
	case "IOWeight":
		l.IOWeight = &p.IOWeight.V
	case "IODeviceWeight", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax", "IODeviceLatencyTargetSec":
		t.cannot("the limits of devices are not looked up")
		return true
	default:
		return false
	}
	page := uint64(os.Getpagesize())
	unified := l.Unified(page)
	if len(unified) == 0 {
		t.cannot("of how much a percentage is is not looked up")
		return true
	}
	if j.settings(unified, "", floor, t) {
		return true
	}
	legacy, _ := l.Legacy(page)
	if len(legacy) > 0 {
		controller := legacy[0].Controller
		if j.settings(legacy, controller, floor, t) {
			return true
		}
	}
	t.no("the control group has no such limit")
	return true
}

// settings compares files of the control group, and for a limit those of the groups above it as
// well. It answers false where there is no such file.
func (j *judge) settings(all []cgroup.Setting, controller string, floor bool, t *tally) bool {
	path, dir, why := j.groupOf(controller)
	if why != "" {
		if controller != "" {
			t.cannot(why)
		}
		return controller != ""
	}
	found := false
	for _, s := range all {
		if s.Check || s.Inherit {
			continue
		}
		text, err := hostText(dir + "/" + s.File)
		if err != nil {
			continue
		}
		found = true
		fact := s.File + " of " + path + ": " + strings.TrimSpace(text)
		if s.Reads(text) == nil || !floor && j.lower(dir, path, s) {
			t.yes(fact)
		} else {
			t.no(fact)
		}
	}
	return found
}

// lower tells whether a limit of the group, or of one above it, is at most as high.
func (j *judge) lower(dir, path string, s cgroup.Setting) bool {
	want, err := strconv.ParseUint(s.Want, 10, 64)
	if err != nil || !strings.HasSuffix(s.File, ".max") && !strings.HasSuffix(s.File, ".high") && !strings.HasSuffix(s.File, "limit_in_bytes") {
		return false
	}
	for {
		text, err := hostText(dir + "/" + s.File)
		if err == nil {
			if have, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64); err == nil && have <= want {
				return true
			}
		}
		if path == "/" || path == "" {
			return false
		}
		dir, _ = cgroup.Split(dir)
		path, _ = cgroup.Split(path)
	}
}
