package exposure

import (
	"runtime"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// Results judges the settings, each check by itself. Why and Advice are of the settings alone.
func (s *Settings) Results() [81]Result {
	var all [81]Result
	for i := range checkBounding {
		if switches[i].name != "" {
			all[i] = s.ofSwitch(i)
		}
	}
	all[checkUser] = s.ofUser()
	all[checkDeviceAllow] = s.ofDevices()
	all[checkIPAddressDeny] = s.ofAddresses()
	all[checkArchitectures] = s.ofArchs()
	all[checkAmbient] = s.ofAmbient()
	all[checkRoot] = s.ofRoot()
	all[checkGroups] = s.ofGroups()
	all[checkUMask] = s.ofUMask()
	for i := checkBounding; i < checkFamilies; i++ {
		all[i] = s.ofBounding(Checks[i].Words)
	}
	for i := checkFamilies; i < checkSpaces; i++ {
		all[i] = s.ofFamilies(Checks[i].Words)
	}
	for i := checkSpaces; i < checkFilter; i++ {
		all[i] = s.ofSpace(i - checkSpaces)
	}
	filter := s.filter()
	for i := checkFilter; i < len(all); i++ {
		all[i] = s.ofFilter(filter, Checks[i].Words)
	}
	s.waive(&all)
	return all
}

// waive marks what is not applicable.
func (s *Settings) waive(all *[81]Result) {
	out := func(why string, from policy.Origin, list ...int) {
		for _, i := range list {
			all[i] = Result{NotApplicable: true, Why: why, From: from}
		}
	}
	if s.privileged() {
		out("the service runs as root, for which it is no matter", s.user.from, checkGroups, checkRemoveIPC)
	}
	if early := s.words[switchDefaultDependencies]; early.v == "no" {
		out("the service is of early boot: DefaultDependencies= is no", early.from, checkPrivateTmp, checkProtectHome, checkProtectSystem, checkRoot)
	}
}

// privileged tells whether the service is root to systemd.
func (s *Settings) privileged() bool {
	switch s.user.v {
	case "root", "0":
		return true
	case "":
		return s.is(switchDynamicUser, "no")
	}
	return false
}

// result is one with an advice where it is bad.
func result(badness int, why, advice string, from policy.Origin) Result {
	if badness == 0 {
		advice = ""
	}
	return Result{Badness: badness, Why: why, Advice: advice, From: from}
}

func (s *Settings) ofSwitch(i int) Result {
	k, w := &switches[i], &s.words[i]
	badness, _ := k.badness(w.v)
	why := k.name + "= is " + w.v
	if w.v == "unset" {
		why = k.name + "= is not set"
	}
	if w.by != "" {
		why += ", by " + w.by + "="
	}
	return result(badness, why, k.name+"="+k.best, w.from)
}

func (s *Settings) ofUser() Result {
	dynamic, advice := &s.words[switchDynamicUser], "DynamicUser=yes"
	if s.is(checkPrivateUsers, "managed") {
		advice = "" // systemd takes no user beside it
	}
	switch {
	case s.user.v == "nobody":
		return result(9, "the user is nobody, whom others are as well", "User=NAME", s.user.from)
	case s.user.v == "" && dynamic.v == "yes":
		return result(0, "the user is a dynamic one", "", dynamic.from)
	case s.user.v == "":
		return result(10, "no user is set, so it is root", advice, s.user.from)
	case s.privileged():
		return result(10, "the user is root", "User=NAME", s.user.from)
	}
	return result(0, "the user is "+s.user.v, "", s.user.from)
}

func (s *Settings) ofDevices() Result {
	w := &s.words[switchDevicePolicy]
	if w.v == "auto" {
		return result(10, "DevicePolicy= is auto", "DevicePolicy=closed", w.from)
	}
	// What systemd adds by itself is worth more than the row: there is no advice to drop it.
	for i, p := range s.root {
		if i > 0 && p.v != "" {
			return result(5, rootNames[i]+"= adds devices", "", p.from)
		}
	}
	clock := &s.words[checkProtectClock]
	switch {
	case s.images > 0:
		return result(5, "MountImages= adds devices", "", s.imageFrom)
	case clock.v == "yes":
		return result(5, "ProtectClock= adds char-rtc", "", clock.from)
	case s.devices > 0:
		return result(5, "deviceAllow= has devices", "DeviceAllow=", s.devFrom)
	}
	why := "DevicePolicy= is " + w.v
	if w.by != "" {
		why += ", by " + w.by + "="
	}
	return result(0, why+", and no device is added", "", w.from)
}

func (s *Settings) ofAddresses() Result {
	switch {
	case s.ingress+s.egress > 0:
		return result(0, "a program of its own filters the packets", "", s.ipFrom)
	case !s.deny.any4 || !s.deny.any6:
		return result(10, "IPAddressDeny= is not any", "IPAddressDeny=any", s.deny.from)
	case s.allow.other:
		return result(5, "IPAddressAllow= has more than localhost", "IPAddressAllow=", s.allow.from)
	case s.allow.local:
		return result(2, "IPAddressAllow= has localhost", "IPAddressAllow=", s.allow.from)
	}
	return result(0, "every address is denied", "", s.deny.from)
}

func (s *Settings) ofArchs() Result {
	const advice = "SystemCallArchitectures=native"
	if len(s.archs) == 0 {
		return result(10, "every ABI is open", advice, s.archFrom)
	}
	for _, a := range s.archs {
		if a != "native" {
			return result(8, "the ABI "+a+" is open", advice, s.archFrom)
		}
	}
	return result(0, "only the native ABI is open", "", s.archFrom)
}

func (s *Settings) ofAmbient() Result {
	if s.ambient.set.Empty() {
		return result(0, "there are no ambient capabilities", "", s.ambient.from)
	}
	return result(1, "the ambient set is "+s.ambient.set.Short(lastCap), "AmbientCapabilities=", s.ambient.from)
}

func (s *Settings) ofRoot() Result {
	for i := range s.root[:2] {
		if p := &s.root[i]; p.v != "" && p.v != "/" {
			return result(0, "the root is "+p.v, "", p.from)
		}
	}
	return result(1, "the root is the host's", "RootDirectory=PATH", s.root[0].from)
}

func (s *Settings) ofGroups() Result {
	if len(s.groups) == 0 {
		return result(0, "there are no supplementary groups", "", s.groupFrom)
	}
	return result(1, "the supplementary groups are "+strings.Join(s.groups, ", "), "SupplementaryGroups=", s.groupFrom)
}

func (s *Settings) ofUMask() Result {
	for _, m := range [...]struct {
		bit     uint32
		badness int
		why     string
	}{
		{0o002, 10, "new files can be written by everybody"},
		{0o004, 5, "new files can be read by everybody"},
		{0o020, 2, "new files can be written by their group"},
		{0o040, 1, "new files can be read by their group"},
	} {
		if s.umask&m.bit == 0 {
			return result(m.badness, m.why, "UMask=0077", s.umaskFrom)
		}
	}
	return result(0, "new files are their owner's alone", "", s.umaskFrom)
}

// ofBounding judges the capabilities with these names.
func (s *Settings) ofBounding(names string) Result {
	list, _, err := caps.ParseSet(names)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if held := s.bounding.set.Intersect(list); !held.Empty() {
		return result(1, "the bounding set holds "+upper(held), "CapabilityBoundingSet=~"+names, s.bounding.from)
	}
	for i := range s.bounding.gone {
		if g := &s.bounding.gone[i]; !g.set.Intersect(list).Empty() {
			return result(0, "the bounding set is without "+upper(list)+", by "+g.by+"=", "", g.from)
		}
	}
	return result(0, "the bounding set is without "+upper(list), "", s.bounding.from)
}

func upper(set caps.Set) string { return strings.ToUpper(strings.Join(set.Names(), " ")) }

// ownFamilies have checks of their own: by their AF_ numbers of linux/socket.h.
const ownFamilies = 1<<1 | 1<<2 | 1<<10 | 1<<16 | 1<<17

// ofFamilies judges the families with these names; without a name all others.
func (s *Settings) ofFamilies(names string) Result {
	mask, what, f := ^uint64(ownFamilies), "others", &s.families
	advice := "RestrictAddressFamilies=~" + names
	if names != "" {
		list, err := policy.ParseFamilies(names)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		mask, what = 0, strings.ReplaceAll(names, " ", " and ")
		for _, n := range list.Listed {
			mask |= 1 << n
		}
	} else if f.allow {
		advice += strings.Join(f.open(mask), " ")
	} else if f.set {
		advice += "AF_ALG AF_BLUETOOTH AF_CAN AF_KEY AF_RDS AF_TIPC AF_VSOCK AF_XDP"
	} else {
		advice = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
	}
	found := f.listed&mask != 0
	switch {
	case !f.set && !f.allow:
		return result(1, "no address family is closed", advice, f.from)
	case f.allow == found:
		return result(1, "RestrictAddressFamilies= leaves "+what+" open", advice, f.from)
	}
	return result(0, "RestrictAddressFamilies= closes "+what, "", f.from)
}

// open are the names of the families of mask that an allow list has.
func (f *families) open(mask uint64) (names []string) {
	mask &= f.listed
	for _, name := range f.names {
		if n, err := family(name); err == nil && mask>>n&1 == 1 {
			names = append(names, name)
			mask &^= 1 << n
		}
	}
	return names
}

func (s *Settings) ofSpace(i int) Result {
	if s.spacesSet && s.spaces>>i&1 == 0 {
		return result(0, "RestrictNamespaces= closes "+spaceNames[i], "", s.spaceFrom)
	}
	return result(1, "RestrictNamespaces= leaves "+spaceNames[i]+" open", "RestrictNamespaces=~"+spaceNames[i], s.spaceFrom)
}

// filter puts the lines of SystemCallFilter= together; nil for none.
func (s *Settings) filter() *policy.Calls { return policy.MergeCalls(s.calls, true) }

// nativeABI is the machine's own, or where its calls are not known that of x86-64.
func nativeABI() *seccomp.ABI {
	machine := seccomp.Machine(runtime.GOARCH)
	if machine == nil {
		machine = seccomp.Machine("amd64")
	}
	return machine[0]
}

// ofFilter judges the calls of a group, those that the machine has.
func (s *Settings) ofFilter(c *policy.Calls, group string) Result {
	advice := "SystemCallFilter=~" + group
	if c == nil {
		return result(10, "there is no filter of system calls", advice, policy.Origin{})
	}
	g, ok := seccomp.GroupByName(group)
	if !ok {
		panic("internal error: no group " + group)
	}
	native := nativeABI()
	var members, listed seccomp.Set
	g.Set.Each(func(call seccomp.Call) {
		if _, ok := native.Number(call); ok {
			members.Add(call)
		}
	})
	from := c.From
	var opened *policy.CallAction
	for i := range c.Listed {
		a := &c.Listed[i]
		if !members.Has(a.Call) {
			continue
		}
		listed.Add(a.Call)
		if c.AllowList && !a.Has && opened == nil {
			opened = a
		}
		from = a.From
	}
	if c.AllowList {
		if opened != nil {
			return result(9, "the filter allows "+opened.Call.String()+" of "+group, advice, opened.From)
		}
		return result(0, "the filter allows nothing of "+group, "", c.From)
	}
	missing := ""
	members.Each(func(call seccomp.Call) {
		if missing == "" && !listed.Has(call) {
			missing = call.String()
		}
	})
	if missing != "" {
		return result(10, "the filter allows "+missing+" of "+group, advice, c.From)
	}
	return result(0, "the filter denies all of "+group, "", from)
}
