package launcher

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/order"
	"github.com/hardrun/hardrun/policy"
)

// grouper compiles what needs a control group.
type grouper struct {
	*compiler
	g        *CGroups
	unified  *cgroup.Home // nil until something needs it
	programs *cgroup.Programs
	legacy   []*cgroup.Home
	who      []string // the directives that need the unified home
	from     policy.Origin
	filters  []grouped
	settings []grouped // of the unified home
	old      []grouped // of the legacy ones, with their homes
	sub      []grouped // the group below the unified home
	joinsNow bool      // the process must be in the group before the launch goes on
}

// grouped is a step before its place in the plan is known.
type grouped struct {
	step Step
	name string // with "=": "IOReadBandwidthMax= IOReadIOPSMax="
	from policy.Origin
	why  string
	exit int
	home *cgroup.Home
}

// cgroups plans the service's control group. It comes when the credentials are planned: a
// daemon that cannot mount needs none for PrivateDevices=.
func (c *compiler) cgroups() {
	if !c.env.linux() {
		return
	}
	w := &grouper{compiler: c, g: &c.env.CGroups}
	w.place()
	w.devices()
	w.addresses()
	w.binds()
	w.interfaceOfSockets()
	w.pinned()
	w.fileSystems()
	w.limits()
	w.delegate()
	w.killMode()
	w.steps()
	w.groupNotes()
}

// have is the unified home, for a directive. nil where there is none: it is refused, but
// for one that is only implied.
func (w *grouper) have(name string, from policy.Origin, programs bool) *cgroup.Home {
	lack := ""
	i := slices.IndexFunc(w.g.Homes, func(h *cgroup.Home) bool { return h.Tree.Unified })
	switch {
	case w.g.Lack != "":
		lack = w.g.Lack
	case !w.env.Proc && w.env.For == "launch":
		lack = "a cgroup is found by /proc, and there is none"
	case i < 0:
		lack = "no file system of type cgroup2 is mounted that holds the own cgroup"
	case w.g.Access[i].Lack != "":
		lack = "no cgroup can be made below the own one: " + w.g.Access[i].Lack
	case programs && w.userns == firstUserNS:
		lack = "a BPF program needs CAP_BPF and CAP_NET_ADMIN outside of the user namespace"
	case programs && w.g.NoPrograms != "":
		lack = "the kernel takes no BPF program: " + w.g.NoPrograms
	}
	if lack != "" {
		w.lack(name, from, lack)
		return nil
	}
	if w.unified == nil {
		w.unified = w.g.Homes[i]
		w.unified.Fixed = w.p.CGroup.Set
		w.programs = &cgroup.Programs{Home: w.unified}
	}
	if !slices.Contains(w.who, name) {
		if len(w.who) == 0 {
			w.from = from
		}
		w.who = append(w.who, name)
	}
	return w.unified
}

// lack refuses a directive for want of a control group.
func (w *grouper) lack(name string, from policy.Origin, text string) {
	exit := ExitCGroup
	if name == "RestrictFileSystems" {
		exit = ExitBPF
	}
	w.refuse(name, from, exit, text)
	if d := policy.Lookup(strings.TrimPrefix(name, "X-Hardrun-")); d != nil {
		w.last().Waivable = d.Class.Waivable()
	}
}

func (w *grouper) filter(f *cgroup.Filter, name string, from policy.Origin, why string) {
	exit := ExitCGroup
	if f.Hook == cgroup.HookFiles {
		exit = ExitBPF
	}
	f.Programs = w.programs
	w.filters = append(w.filters, grouped{step: f, name: name, from: from, why: why, exit: exit})
}

// place is --cgroup, which asks for a group though nothing else may need it.
func (w *grouper) place() {
	v := w.p.CGroup
	if !v.Set {
		return
	}
	const name, usual = "X-Hardrun-CGroup", "/sys/fs/cgroup"
	h := w.have(name, v.From, false)
	if h != nil && strings.HasPrefix(v.V+"/", usual+"/") && !strings.HasPrefix(v.V, h.Tree.Mount+"/") {
		w.refuse(name, v.From, ExitUsage, v.V+" is no place below "+h.Tree.Mount+", where cgroup2 is mounted")
	}
}

// devices is DevicePolicy= and DeviceAllow=, and what PrivateDevices= implies.
func (w *grouper) devices() {
	p := w.p
	policyIs := p.DevicePolicy.V
	name, from, why := "DevicePolicy", p.DevicePolicy.From, ""
	if policyIs == "auto" && len(p.DeviceAllow.Items) == 0 {
		policyIs = ""
	}
	if len(p.DeviceAllow.Items) > 0 && (!p.DevicePolicy.Set || policyIs == "auto") {
		name, from = "DeviceAllow", p.DeviceAllow.Items[0].From
	}
	implied := false
	switch {
	case policyIs == "auto":
		policyIs = "closed"
	case policyIs == "" && p.PrivateDevices.V:
		if len(p.DeviceAllow.Items) == 0 {
			implied, name, from = true, "PrivateDevices", p.PrivateDevices.From
		}
		policyIs, why = "closed", "PrivateDevices= implies DevicePolicy=closed"
	case policyIs == "" && len(p.DeviceAllow.Items) > 0:
		policyIs = "strict"
	case policyIs == "":
		return
	}
	if implied && !w.secondLayer() {
		return
	}
	list := w.allowed(policyIs)
	if implied {
		list = append(list, w.g.Bound...) // what the unit itself puts into the private /dev
	}
	if h := w.legacyDevices(); h != nil {
		w.legacyHome(h)
		w.old = append(w.old, grouped{step: cgroup.LegacyDevices{Home: h, List: list}, name: name, from: from, why: why, exit: ExitCGroup, home: h})
		return
	}
	if w.have(name, from, true) == nil {
		return
	}
	w.filter(&cgroup.Filter{
		Hook: cgroup.HookDevice, Text: deviceText(policyIs, p.DeviceAllow.Items, p.ProtectClock.V), Devices: list,
		Rules: func() ([]cgroup.Ins, error) {
			prog, err := cgroup.DeviceProgram(list)
			if err == nil {
				err = cgroup.ProveDevices(prog, list)
			}
			return prog, err
		},
	}, name, from, why)
}

// secondLayer tells whether the devices that PrivateDevices= keeps away by mounts are to
// be kept away by a control group as well. That is where the daemon could undo the mounts,
// where the service has a group anyway, and with --strict: a group costs more than all
// the rest of a launch. It says what is missing then.
func (w *grouper) secondLayer() bool {
	from := w.p.PrivateDevices.From
	mounts := w.userns == noUserNS && w.keeps(capSysAdmin)
	if name, _ := asksCGroup(w.p); name == "" && !mounts && !w.p.Strict.V {
		w.note("device-policy", from, "PrivateDevices= implies DevicePolicy=closed, which mounts keep here: nodev, but for /dev. What the host mounts later, and what another process of the same user shows by /proc/PID/root, is not covered: DevicePolicy=closed or --strict makes a cgroup for it")
		return false
	}
	lack := w.g.Lack
	if lack == "" && w.legacyDevices() == nil {
		i := slices.IndexFunc(w.g.Homes, func(h *cgroup.Home) bool { return h.Tree.Unified })
		switch {
		case i < 0:
			lack = "no file system of type cgroup2 is mounted that holds the own cgroup"
		case w.g.Access[i].Lack != "":
			lack = w.g.Access[i].Lack
		case w.userns == firstUserNS:
			lack = "a BPF program needs CAP_BPF and CAP_NET_ADMIN outside of the user namespace"
		default:
			lack = w.g.NoPrograms
		}
	}
	if lack == "" {
		return true
	}
	const what = "DevicePolicy=closed, which PrivateDevices= implies, needs a cgroup"
	if w.p.Strict.V {
		w.refuse("PrivateDevices", from, ExitCGroup, what+": "+lack)
		w.last().Hint = "without --strict it is noted"
		return false
	}
	w.note("device-policy", from, what+", and cannot be had: "+lack+". Mounts keep it: nodev, but for /dev")
	return false
}

// keeps tells whether the daemon has a capability over the host once it is executed: what
// is merely permitted before is not, execve(2).
func (w *grouper) keeps(n int) bool {
	if w.userns != noUserNS {
		return false
	}
	const noroot = 1 // SECBIT_NOROOT
	return w.final.Ambient.Has(n) || w.uid == 0 && w.bits&noroot == 0 && w.final.Bounding.Has(n)
}

// legacyDevices is the v1 hierarchy of devices, where programs cannot be had and that can.
func (w *grouper) legacyDevices() *cgroup.Home {
	if w.userns != noUserNS || w.env.InUserNS {
		return nil // it takes CAP_SYS_ADMIN over the host, devices.deny is EPERM without
	}
	var v1 *cgroup.Home
	for i, h := range w.g.Homes {
		switch {
		case h.Tree.Unified && w.g.Access[i].Lack == "" && w.g.NoPrograms == "":
			return nil
		case h.Tree.Has("devices") && w.g.Access[i].Lack == "":
			v1 = h
		}
	}
	return v1
}

func (w *grouper) legacyHome(h *cgroup.Home) {
	if !slices.Contains(w.legacy, h) {
		h.Fixed = w.p.CGroup.Set
		w.legacy = append(w.legacy, h)
	}
}

// standard are the pseudo devices of DevicePolicy=closed, by their numbers in the kernel's
// Documentation/admin-guide/devices.txt.
var standard = [...]cgroup.Device{
	{Major: 1, Minor: 3, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // null
	{Major: 1, Minor: 5, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // zero
	{Major: 1, Minor: 7, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // full
	{Major: 1, Minor: 8, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // random
	{Major: 1, Minor: 9, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // urandom
	{Major: 5, Minor: 0, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // tty
	{Major: 5, Minor: 2, Access: cgroup.Read | cgroup.Write | cgroup.Mknod}, // ptmx
}

// allowed is the list of a policy.
func (w *grouper) allowed(policyIs string) []cgroup.Device {
	var list []cgroup.Device
	if policyIs == "closed" {
		list = append(append(list, standard[:]...), w.g.Terminals...)
	}
	if w.p.ProtectClock.V {
		list = append(list, w.g.Clocks...)
	}
	for i := range w.p.DeviceAllow.Items {
		r := w.p.DeviceAllow.Items[i].V
		if i >= len(w.g.Devices) || len(w.g.Devices[i]) == 0 {
			w.note("device-missing", w.p.DeviceAllow.Items[i].From, "DeviceAllow="+r.Node+" ("+w.p.DeviceAllow.Items[i].From.String()+"): there is no such device now, and none that comes later is allowed")
			continue
		}
		list = append(list, w.g.Devices[i]...)
	}
	return list
}

func deviceText(policyIs string, items []policy.Item[policy.DeviceRule], clock bool) string {
	var b strings.Builder
	b.WriteString(policyIs)
	for i := range items {
		b.WriteString(", " + items[i].V.Node + " " + items[i].V.Access.String())
	}
	if clock {
		b.WriteString(", char-rtc r")
	}
	return b.String()
}

// addresses is what packets are judged by: IPAddressAllow=, IPAddressDeny= and
// RestrictNetworkInterfaces=, in one program for each direction.
func (w *grouper) addresses() {
	p := w.p
	var rules cgroup.Addresses
	var names, text []string
	var from policy.Origin
	by := func(name string, f policy.Origin) bool {
		if w.have(name, f, true) == nil {
			return false
		}
		if len(names) == 0 {
			from = f
		}
		names = append(names, name+"=")
		return true
	}
	if len(p.IPAddressDeny.Items) > 0 && by("IPAddressDeny", listFrom(p.IPAddressDeny)) {
		var words []string
		rules.Deny, words = prefixes(p.IPAddressDeny)
		text = append(text, "not "+strings.Join(words, " "))
		if len(p.IPAddressAllow.Items) > 0 {
			names = append(names, "IPAddressAllow=")
			rules.Allow, words = prefixes(p.IPAddressAllow)
			text = append(text, "but "+strings.Join(words, " "))
		}
	} else if len(p.IPAddressAllow.Items) > 0 && len(p.IPAddressDeny.Items) == 0 {
		w.note("ip-allow", p.IPAddressAllow.From, "IPAddressAllow= alone forbids nothing: IPAddressDeny=any does")
	}
	r := p.RestrictNetworkInterfaces
	restrict := r.Set && by("RestrictNetworkInterfaces", r.From)
	if restrict {
		what := "interfaces "
		if r.V.Deny {
			what = "not interfaces "
		}
		text = append(text, what+strings.Join(r.V.List, " "))
	}
	if len(names) == 0 {
		return
	}
	for _, hook := range [...]cgroup.Hook{cgroup.HookIngress, cgroup.HookEgress} {
		ingress := hook == cgroup.HookIngress
		w.filter(&cgroup.Filter{
			Hook: hook, Text: strings.Join(text, ", "),
			Rules: func() ([]cgroup.Ins, error) {
				var i *cgroup.Interfaces
				if restrict {
					var err error
					if i, err = interfaces(r.V); err != nil {
						return nil, err
					}
				}
				prog, err := cgroup.PacketProgram(rules, i, ingress)
				if err == nil {
					err = cgroup.ProvePackets(prog, rules, i, ingress)
				}
				return prog, err
			},
		}, strings.Join(names, " "), from, "")
	}
}

// prefixes joins the blocks of a list, and the words they were written as.
func prefixes(l policy.List[policy.IPRule]) (all []cgroup.Prefix, words []string) {
	for i := range l.Items {
		all = append(all, l.Items[i].V.Prefixes...)
		words = append(words, l.Items[i].V.Text)
	}
	return all, words
}

// binds is SocketBindAllow= and SocketBindDeny=.
func (w *grouper) binds() {
	p := w.p
	if len(p.SocketBindDeny.Items) == 0 {
		if len(p.SocketBindAllow.Items) > 0 {
			w.note("bind-allow", p.SocketBindAllow.From, "SocketBindAllow= alone forbids nothing: SocketBindDeny=any does")
		}
		return
	}
	from := listFrom(p.SocketBindDeny)
	if w.have("SocketBindDeny", from, true) == nil {
		return
	}
	var rules cgroup.Binds
	list := func(l policy.List[cgroup.BindRule], to *[]cgroup.BindRule) string {
		var words []string
		for i := range l.Items {
			*to = append(*to, l.Items[i].V)
			words = append(words, l.Items[i].V.String())
		}
		return strings.Join(words, " ")
	}
	name, text := "SocketBindDeny=", "not "+list(p.SocketBindDeny, &rules.Deny)
	if len(p.SocketBindAllow.Items) > 0 {
		name += " SocketBindAllow="
		text += ", but " + list(p.SocketBindAllow, &rules.Allow)
	}
	for _, hook := range [...]cgroup.Hook{cgroup.HookBind4, cgroup.HookBind6} {
		v6 := hook == cgroup.HookBind6
		w.filter(&cgroup.Filter{
			Hook: hook, Text: text,
			Rules: func() ([]cgroup.Ins, error) {
				prog, err := cgroup.BindProgram(rules, v6)
				if err == nil {
					err = cgroup.ProveBinds(prog, rules, v6)
				}
				return prog, err
			},
		}, name, from, "")
	}
}

// interfaceOfSockets is BindNetworkInterface=.
func (w *grouper) interfaceOfSockets() {
	v := w.p.BindNetworkInterface
	if !v.Set || w.have("BindNetworkInterface", v.From, true) == nil {
		return
	}
	w.filter(&cgroup.Filter{
		Hook: cgroup.HookSockCreate, Text: "sockets of " + v.V,
		Rules: func() ([]cgroup.Ins, error) {
			index, err := interfaceIndex(v.V)
			return cgroup.InterfaceSocketProgram(index), err
		},
	}, "BindNetworkInterface", v.From, "")
}

// pinned is what others have made: IPIngressFilterPath=, IPEgressFilterPath=, BPFProgram=.
func (w *grouper) pinned() {
	type pin struct{ hook, path string }
	var done []pin
	add := func(name string, from policy.Origin, hook, path string) {
		h, ok := cgroup.PinnedHook(hook)
		if !ok || slices.Contains(done, pin{hook, path}) || w.have(name, from, true) == nil {
			return
		}
		done = append(done, pin{hook, path})
		w.filter(&cgroup.Filter{Hook: h, Pinned: path}, name, from, "")
	}
	for _, l := range [...]struct {
		name, hook string
		list       *policy.List[string]
	}{{"IPIngressFilterPath", "ingress", &w.p.IPIngressFilterPath}, {"IPEgressFilterPath", "egress", &w.p.IPEgressFilterPath}} {
		for _, item := range l.list.Items {
			add(l.name, item.From, l.hook, item.V)
		}
	}
	for _, item := range w.p.BPFProgram.Items {
		add("BPFProgram", item.From, item.V.Type, item.V.Path)
	}
}

// fileSystems is RestrictFileSystems=.
func (w *grouper) fileSystems() {
	v := w.p.RestrictFileSystems
	if !v.Set {
		return
	}
	const name = "RestrictFileSystems"
	if w.g.NoFiles != "" {
		w.lack(name, v.From, w.g.NoFiles)
		return
	}
	rules := cgroup.FileSystems{Deny: v.V.Deny}
	for _, word := range v.V.List {
		magics, err := cgroup.ParseFileSystem(word)
		if err != nil {
			w.refuse(name, v.From, ExitUsage, err.Error())
			return
		}
		rules.Magic = append(rules.Magic, magics...)
	}
	if w.have(name, v.From, true) == nil {
		return
	}
	text := "file systems " + strings.Join(v.V.List, " ")
	if v.V.Deny {
		text = "not " + text
	}
	f := &cgroup.Filter{Hook: cgroup.HookFiles, Text: text}
	f.Rules = func() ([]cgroup.Ins, error) { return filesProgram(f, rules) }
	f.Before = func() error { return onAllowed(rules, w.plan.path, w.env.Command.Interp) }
	w.filter(f, name, v.From, "")
}

// limits is what controllers limit: in cgroup2 where that has the controller, else in the
// v1 hierarchy that does.
func (w *grouper) limits() {
	p := w.p
	wants := wanted(p)
	if len(wants) == 0 {
		if p.CPUQuotaPeriodSec.Set {
			w.note("cpu-period", p.CPUQuotaPeriodSec.From, "CPUQuotaPeriodSec= alone limits nothing: CPUQuota= does")
		}
		return
	}
	l := limited(p, w.g)
	page := uint64(os.Getpagesize())
	unified := l.Unified(page)
	legacy, lacks := l.Legacy(page)
	eachLimit(p, func(name string, from policy.Origin) bool {
		w.limit(name, from, unified, legacy, lacks)
		return true
	})
	// In the order of the lists, which is one with reasons.
	sort := func(of []grouped, all []cgroup.Setting) {
		at := func(g *grouped) int {
			s, ok := settingOf(g.step)
			if !ok {
				return -1
			}
			return slices.Index(all, s)
		}
		order.By(of, func(a, b *grouped) bool { return at(a) < at(b) })
	}
	sort(w.settings, unified)
	sort(w.old, legacy)
}

// settingOf is what a step sets, early or late.
func settingOf(step Step) (cgroup.Setting, bool) {
	switch s := step.(type) {
	case *cgroup.Set:
		return s.Setting, true
	case *cgroup.Lower:
		return s.Setting, true
	}
	return cgroup.Setting{}, false
}

// offered is the index of the home whose hierarchy has a controller, cgroup2 first.
func (w *grouper) offered(controller string, unified bool) int {
	return slices.IndexFunc(w.g.Homes, func(h *cgroup.Home) bool {
		i := slices.Index(w.g.Homes, h)
		return h.Tree.Unified == unified && slices.Contains(w.g.Access[i].Offers, controller)
	})
}

func (w *grouper) limit(name string, from policy.Origin, unified, legacy []cgroup.Setting, lacks []cgroup.Lack) {
	mine := func(s cgroup.Setting) bool { return slices.Contains(strings.Fields(s.Directive), name+"=") }
	add := func(to *[]grouped, all []cgroup.Setting, h *cgroup.Home) {
		for _, s := range all {
			if !mine(s) || slices.ContainsFunc(*to, func(g grouped) bool { o, ok := settingOf(g.step); return ok && o == s }) {
				continue
			}
			var step Step = &cgroup.Set{Home: h, Setting: s}
			if s.Late() {
				step = &cgroup.Lower{Set: cgroup.Set{Home: h, Setting: s}}
			}
			*to = append(*to, grouped{step: step, name: s.Directive, from: from, exit: ExitCGroup, home: h})
		}
	}
	controller := ""
	if i := slices.IndexFunc(unified, mine); i >= 0 {
		controller = unified[i].Controller
	}
	if controller == "" {
		w.lack(name, from, "internal error: no controller for it")
		return
	}
	if i := w.offered(controller, true); i >= 0 {
		if h := w.have(name, from, false); h != nil {
			add(&w.settings, unified, h)
		}
		return
	}
	old := controller
	if old == "io" {
		old = "blkio"
	}
	i := w.offered(old, false)
	switch {
	case w.g.Lack != "":
		w.lack(name, from, w.g.Lack)
	case i < 0:
		w.lack(name, from, "the controller "+controller+" is not here: neither among those of the own cgroup ("+w.offers()+") nor in a v1 hierarchy")
	case slices.ContainsFunc(lacks, func(l cgroup.Lack) bool { return l.Directive == name+"=" }):
		k := slices.IndexFunc(lacks, func(l cgroup.Lack) bool { return l.Directive == name+"=" })
		w.lack(name, from, "the controller "+controller+" is here in a v1 hierarchy only: "+lacks[k].Why)
	case w.g.Access[i].Lack != "":
		w.lack(name, from, "no cgroup can be made in the v1 hierarchy of "+old+": "+w.g.Access[i].Lack)
	default:
		w.legacyHome(w.g.Homes[i])
		add(&w.old, legacy, w.g.Homes[i])
	}
}

// offers are the controllers of the own cgroup in cgroup2, for a message.
func (w *grouper) offers() string {
	for i, h := range w.g.Homes {
		if h.Tree.Unified && len(w.g.Access[i].Offers) > 0 {
			return strings.Join(w.g.Access[i].Offers, " ")
		}
	}
	return "none"
}

// delegate is Delegate= and DelegateSubgroup=.
func (w *grouper) delegate() {
	v := w.p.Delegate
	if !v.V.On {
		if w.p.DelegateSubgroup.Set {
			w.note("delegate-subgroup", w.p.DelegateSubgroup.From, "DelegateSubgroup= does nothing without Delegate=yes")
		}
		return
	}
	if h := w.have("Delegate", v.From, false); h != nil {
		w.joinsNow = true
		i := slices.Index(w.g.Homes, h)
		controllers := v.V.Controllers
		if controllers == nil {
			for _, c := range w.g.Access[i].Offers {
				if slices.Contains(cgroup.Delegable[:], c) {
					controllers = append(controllers, c)
				}
			}
		}
		for _, name := range controllers {
			if !strings.HasPrefix(name, "bpf-") && !slices.Contains(w.g.Access[i].Offers, name) {
				w.refuse("Delegate", v.From, ExitCGroup, "the controller "+name+" is not among those of the own cgroup ("+w.offers()+")")
				return
			}
		}
		w.settings = append(w.settings, grouped{step: cgroup.Give{Home: h, UID: w.uid, GID: w.gid, Controllers: unifiedOnly(controllers)}, name: "Delegate", from: v.From, exit: ExitCGroup, home: h})
	}
	if s := w.p.DelegateSubgroup; s.Set && w.unified != nil {
		w.sub = append(w.sub, grouped{step: cgroup.Subgroup{Home: w.unified, Name: s.V, UID: w.uid, GID: w.gid}, name: "DelegateSubgroup", from: s.From, exit: ExitCGroup})
	}
}

// unifiedOnly leaves out the names that stand for programs.
func unifiedOnly(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.HasPrefix(n, "bpf-") })
}

// killMode is KillMode=: when the daemon has ended, the parent ends what it left.
func (w *grouper) killMode() {
	v := w.p.KillMode
	if !killsGroup(w.p) {
		return
	}
	if w.p.Parent.V == "never" {
		w.refuse("KillMode", v.From, ExitCGroup, "it needs a parent that stays, and there is --parent=never")
		return
	}
	w.have("KillMode", v.From, false)
}

// steps puts the steps into the plan.
func (w *grouper) steps() {
	if w.unified == nil && len(w.legacy) == 0 {
		return
	}
	if v := w.p.ProtectControlGroups.V; v == "private" || v == "strict" {
		w.joinsNow = true // the namespace shows the group in which the process is, cgroup_namespaces(7)
	}
	var names []string
	for _, name := range w.who {
		names = append(names, name+"=")
	}
	all := strings.Join(names, " ")
	group := func(step Step, stage Stage, g grouped) {
		if _, late := step.(*cgroup.Lower); late {
			stage = StageLower
		}
		e := w.add(stage, step, strings.TrimSuffix(g.name, "="), g.from, g.exit)
		e.Because = g.why
	}
	homes := w.legacy
	if w.unified != nil {
		homes = append([]*cgroup.Home{w.unified}, homes...)
	}
	w.plan.homes = homes
	made := w.env.Again.CGroups
	before := w.parent(homes)
	for i, h := range homes {
		by := grouped{name: all, from: w.from, exit: ExitCGroup}
		if h != w.unified {
			by = w.asked(h)
		}
		switch {
		case i < len(made) && made[i] < 0: // what needs it was waived when the first start could not make it
			h.GiveUp()
		case i < len(made):
			h.Held(made[i])
		default:
			stage := StageCGroup
			if before {
				stage = StageBefore
			}
			group(cgroup.Make{Home: h}, stage, by)
		}
		if h != w.unified {
			for _, g := range w.old {
				if g.home == h {
					group(g.step, StageCGroup, g)
				}
			}
		}
		group(cgroup.Join{Home: h}, StageCGroup, by)
		if h != w.unified || w.joinsNow || len(w.settings) > 0 {
			group(cgroup.Joined{Home: h}, StageCGroup, by)
		} else {
			group(cgroup.Joined{Home: h}, StagePrograms, by)
		}
		if h == w.unified {
			w.enabled()
			for _, g := range w.settings {
				group(g.step, StageCGroup, g)
			}
		}
	}
	for _, g := range w.sub {
		group(g.step, StagePrograms, g) // the namespace shows the group above it
	}
	for _, g := range w.filters {
		stage := StagePrograms
		if g.step.(*cgroup.Filter).Hook == cgroup.HookFiles {
			stage = StageFileSystems
		}
		group(g.step, stage, g)
	}
}

// parent tells whether a parent stays: it removes the groups in the end, so that they are
// made before it. A guess of the constructor did not know of them, and is taken back.
func (w *grouper) parent(homes []*cgroup.Home) bool {
	s, again := w.start, w.env.Again
	switch {
	case s == nil || !s.PIDNS && !s.Init:
		return false
	case again.Any() && !again.Guessed:
		if len(again.CGroups) != len(homes) {
			w.refuse("X-Hardrun-CGroup", w.p.CGroup.From, ExitCGroup, "the first start has made other control groups than this one needs")
		}
		return false
	}
	s.Homes = homes
	s.Delegate = w.p.Delegate.V.On
	s.Kill = killsGroup(w.p)
	w.plan.Start = s
	return true
}

// asked is who asks for a v1 home.
func (w *grouper) asked(h *cgroup.Home) grouped {
	by := grouped{exit: ExitCGroup}
	var names []string
	for _, g := range w.old {
		if g.home != h {
			continue
		}
		if len(names) == 0 {
			by.from = g.from
		}
		for _, name := range strings.Fields(g.name + "=") {
			name = strings.TrimRight(name, "=") + "="
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	by.name = strings.Join(names, " ")
	return by
}

// enabled adds the step that gives the unified home its controllers.
func (w *grouper) enabled() {
	step := cgroup.Enable{Home: w.unified}
	var names []string
	by := grouped{exit: ExitCGroup}
	for _, g := range w.settings {
		var list []string
		if s, ok := settingOf(g.step); ok {
			list = []string{s.Controller}
		} else if s, ok := g.step.(cgroup.Give); ok {
			list = s.Controllers
		}
		for _, c := range list {
			if !slices.Contains(step.Controllers, c) {
				step.Controllers = append(step.Controllers, c)
			}
		}
		for _, name := range strings.Fields(g.name) {
			if name = strings.TrimSuffix(name, "=") + "="; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if by.from == (policy.Origin{}) {
			by.from = g.from
		}
	}
	if len(step.Controllers) > 0 {
		w.add(StageCGroup, step, strings.TrimSuffix(strings.Join(names, " "), "="), by.from, by.exit)
	}
}

// groupNotes says what a control group does not keep from.
func (w *grouper) groupNotes() {
	if w.unified == nil && len(w.legacy) == 0 {
		return
	}
	p := w.p
	const override = 1 // CAP_DAC_OVERRIDE
	const sysPtrace, netAdmin = 19, 12
	open := !p.ProtectControlGroups.Set || p.ProtectControlGroups.V == "no" || w.keeps(sysPtrace) || w.keeps(capSysAdmin)
	if (w.uid == 0 && w.userns == noUserNS || w.keeps(override)) && open {
		w.note("cgroup-escape", w.from, "a daemon that may write below "+w.plan.homes[0].Tree.Mount+" can leave its cgroup: User= keeps it there, or ProtectControlGroups=yes without CAP_SYS_PTRACE and CAP_SYS_ADMIN")
	}
	if len(w.filters) > 0 && (w.keeps(netAdmin) || w.keeps(capSysAdmin)) {
		w.note("cgroup-undone", w.filters[0].from, "the daemon keeps CAP_SYS_ADMIN or CAP_NET_ADMIN: it can detach the programs of its cgroup")
	}
	const netRaw = 13
	if len(p.IPAddressDeny.Items)+len(p.IPEgressFilterPath.Items) > 0 && w.keeps(netRaw) && !w.withoutPackets() {
		w.note("ip-packet", p.IPAddressDeny.From, "with CAP_NET_RAW a socket of AF_PACKET goes around IPAddressDeny=: RestrictAddressFamilies= closes that")
	}
	if n := w.env.Listen; n > 0 && len(w.filters) > 0 {
		w.note("ip-inherited", w.filters[0].from, "the "+strconv.Itoa(n)+" descriptors of LISTEN_FDS belong to the cgroup in which they were made: what is said of addresses and interfaces does not hold for them")
	}
	if (w.start == nil || !w.start.PIDNS && !w.start.Init) && w.env.For != "launch" {
		w.note("cgroup-stays", policy.Origin{}, "no parent stays: the cgroup is left when the daemon has ended, and made anew by the next start")
	}
}

// withoutPackets tells whether no socket of AF_PACKET (17) can be made.
func (w *grouper) withoutPackets() bool {
	f := w.p.RestrictAddressFamilies
	return f.Set && slices.Contains(f.V.Listed, 17) != f.V.Allow
}
