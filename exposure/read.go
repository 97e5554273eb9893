package exposure

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// word is the value of one of switches.
type word struct {
	v    string
	from policy.Origin
	by   string // the directive which implies it, and to which from belongs; empty where it is written
}

// capSet is a set of capabilities.
type capSet struct {
	set     caps.Set
	initial caps.Set
	from    policy.Origin
	// gone are those which another directive takes away, for the line of each.
	gone [4]struct {
		set  caps.Set
		by   string
		from policy.Origin
	}
}

// families is RestrictAddressFamilies=.
type families struct {
	set    bool // there is a restriction
	allow  bool
	listed uint64 // by AF_ numbers
	names  []string
	from   policy.Origin
}

// prefixes is IPAddressAllow= or IPAddressDeny=.
type prefixes struct {
	any4, any6   bool
	local, other bool
	from         policy.Origin // of the last that counts
}

// Settings are what the checks look at, with all that implies something done. Read makes them.
type Settings struct {
	words     [switchCount]word
	user      word
	groups    []string
	groupFrom policy.Origin
	bounding  capSet
	ambient   capSet
	spaces    uint32 // kinds of namespaces that stay open, if spacesSet
	spacesSet bool
	spaceFrom policy.Origin
	families  families
	calls     []policy.Item[policy.CallLine]
	archs     []string
	archFrom  policy.Origin
	allow     prefixes
	deny      prefixes
	ingress   int // custom programs
	egress    int
	ipFrom    policy.Origin
	devices   int // entries of DeviceAllow=
	devFrom   policy.Origin
	umask     uint32
	umaskFrom policy.Origin
	root      [3]path // RootDirectory=, RootImage=, RootMStack=
	images    int     // entries of MountImages=
	imageFrom policy.Origin

	// What decides about loading alone.
	commands    [len(commandNames)]int
	busName     string
	pam, group  string
	privatePIDs bool
}

// path is that of the service's root; empty where it is unset.
type path struct {
	v    string
	from policy.Origin
}

var commandNames = [...]string{"ExecStart", "ExecStop", "ExecCondition", "ExecReload", "ExecReloadPost", "ExecStartPost", "ExecStartPre", "ExecStopPost"}

var rootNames = [...]string{"RootDirectory", "RootImage", "RootMStack"}

// reader is one call of Read.
type reader struct {
	s       Settings
	expand  func(string) (string, error)
	line    *Line
	ignored []Ignored
	err     error
}

// Read reads lines as systemd 262 does when it loads a unit, and does what they imply. Only
// [Unit] and [Service] count. expand resolves specifiers; nil leaves them.
//
// What systemd passes over, with a warning or without one, is given as Ignored: lines of
// the settings that are checked, and those whose section or name it does not know. The error is
// a *policy.Error, or for what no line has an error of its own: systemd would not load the unit,
// so it has no score. Without Exec… lines there is none, either.
func Read(lines []Line, expand func(string) (string, error)) (*Settings, []Ignored, error) {
	if expand == nil {
		expand = func(s string) (string, error) { return s, nil }
	}
	r := reader{expand: expand}
	s := &r.s
	for i := range switches {
		s.words[i].v = switches[i].initial()
	}
	s.bounding = capSet{set: ^caps.Set(0), initial: ^caps.Set(0)}
	s.umask = 0o022
	for i := range lines {
		r.line = &lines[i]
		r.read()
	}
	if r.err == nil {
		r.err = s.loadable()
	}
	if r.err != nil {
		return nil, r.ignored, r.err
	}
	s.imply()
	return s, r.ignored, nil
}

// ignore notes that the line, or a part of it, is passed over.
func (r *reader) ignore(why string) { r.ignored = append(r.ignored, Ignored{*r.line, why}) }

// refuse notes that the unit cannot be loaded. The first reason counts.
func (r *reader) refuse(why string) {
	if r.err == nil {
		r.err = &policy.Error{From: r.line.From, Name: r.line.Name, Err: errors.New(why)}
	}
}

// known tells whether systemd knows the name in this section.
func (r *reader) known() bool {
	switch r.line.Section {
	case "Unit", "Service", "Install":
	default:
		r.ignore("unknown section [" + r.line.Section + "]")
		return false
	}
	d := policy.Lookup(r.line.Name)
	switch {
	case strings.HasPrefix(r.line.Name, "X-"):
		return false
	case d == nil || d.Own:
		r.ignore("unknown in [" + r.line.Section + "]")
		return false
	case d.Section != r.line.Section && d.OldSection != r.line.Section:
		r.ignore("it belongs to [" + d.Section + "]")
		return false
	}
	return true
}

// read reads one line.
func (r *reader) read() {
	l := r.line
	if !r.known() {
		return
	}
	if i := switchByName(l.Name); i >= 0 {
		r.word(i)
		return
	}
	for i, name := range commandNames {
		if l.Name == name {
			r.command(&r.s.commands[i])
			return
		}
	}
	for i, name := range rootNames {
		if l.Name == name {
			r.path(&r.s.root[i])
			return
		}
	}
	s, value := &r.s, l.Value
	switch l.Name {
	case "User":
		r.user()
	case "Group":
		s.group = ""
		if value != "" {
			s.group = r.name(value)
		}
	case "SupplementaryGroups":
		r.groups()
	case "CapabilityBoundingSet":
		r.caps(&s.bounding)
	case "AmbientCapabilities":
		r.caps(&s.ambient)
	case "RestrictNamespaces":
		r.spaces()
	case "RestrictAddressFamilies":
		r.families()
	case "SystemCallFilter":
		r.calls()
	case "SystemCallArchitectures":
		r.archs()
	case "IPAddressAllow":
		r.addresses(&s.allow)
	case "IPAddressDeny":
		r.addresses(&s.deny)
	case "IPIngressFilterPath":
		r.program(&s.ingress)
	case "IPEgressFilterPath":
		r.program(&s.egress)
	case "DeviceAllow":
		r.device()
	case "MountImages":
		r.images()
	case "UMask":
		if mask, err := policy.ParseMode(value); err != nil {
			r.ignore(err.Error())
		} else {
			s.umask, s.umaskFrom = mask, l.From
		}
	default:
		r.load()
	}
}

// load reads what matters for loading only.
func (r *reader) load() {
	value := r.line.Value
	switch r.line.Name {
	case "BusName":
		switch name, err := r.expand(value); {
		case err != nil:
			r.ignore(err.Error())
		case !isBusName(name):
			r.ignore("not a name on the bus")
		default:
			r.s.busName = name
		}
	case "PAMName":
		if name, err := r.expand(value); err != nil {
			r.ignore(err.Error())
		} else {
			r.s.pam = name
		}
	case "PrivatePIDs":
		if v, err := policy.ParseBool(value); err == nil {
			r.s.privatePIDs = v
		}
	case "RootVerity":
		r.path(&path{})
	case "RootImagePolicy", "MountImagePolicy", "ExtensionImagePolicy":
		if !isImagePolicy(value) {
			r.refuse("not a policy for images")
		}
	case "AppArmorProfile", "SELinuxContext", "SmackProcessLabel":
		if _, err := r.expand(value); err != nil && !strings.HasPrefix(value, "-") {
			r.refuse(err.Error())
		}
	case "WorkingDirectory":
		value, tolerant := strings.CutPrefix(value, "-")
		if value == "~" || value == "" && !tolerant {
			break
		}
		text, err := r.expand(value)
		what := ""
		if err != nil {
			what = err.Error()
		} else {
			_, what = parsePath(text)
		}
		if what != "" && !tolerant {
			r.refuse(what)
		}
	case "PIDFile":
		text, err := r.expand(value)
		if err == nil && strings.Contains("/"+text+"/", "/../") {
			r.refuse(`".." in the path`)
		}
	}
}

// word reads a switch.
func (r *reader) word(i int) {
	k, value, w := &switches[i], r.line.Value, &r.s.words[i]
	v, ok := k.parse(value)
	switch {
	case ok:
	case value == "" && (i == checkPrivateMounts || i == checkProtectHostname || i == switchKillMode):
		v = k.initial()
	case i == checkDelegate:
		v = "yes"
	case i == checkProtectHostname && strings.Contains(value, ":"):
		mode, name, _ := strings.Cut(value, ":")
		name, err := r.expand(name)
		var host policy.Hostname
		if err == nil {
			host, err = policy.ParseHostname(mode + ":" + name)
		}
		if err != nil {
			r.ignore(err.Error())
			return
		}
		v = host.Mode
	case i == switchDynamicUser:
		r.refuse("neither yes nor no")
		return
	case value == "":
		r.ignore("an empty value is none")
		return
	default:
		r.ignore("not a value of it")
		return
	}
	*w = word{v: v, from: r.line.From}
}

func (r *reader) user() {
	r.s.user = word{from: r.line.From}
	if r.line.Value != "" {
		r.s.user.v = r.name(r.line.Value)
	}
}

// name is that of a user or group; without one the unit cannot be loaded.
func (r *reader) name(value string) string {
	name, err := r.expand(value)
	switch {
	case err != nil:
		r.refuse(err.Error())
	case !isName(name):
		r.refuse("not the name of a user or group: " + strconv.Quote(name))
	}
	return name
}

func (r *reader) groups() {
	r.s.groupFrom = r.line.From
	if r.line.Value == "" {
		r.s.groups = nil
	}
	words, _ := splitWords(r.line.Value, quotesStay)
	for _, w := range words {
		r.s.groups = append(r.s.groups, r.name(w))
	}
}

// command reads a line of commands.
func (r *reader) command(n *int) {
	if r.line.Value == "" {
		*n = 0
	}
	for rest := r.line.Value; rest != ""; {
		var c command
		c, rest = parseCommand(rest, r.expand)
		switch {
		case c.what != "" && c.ignorable:
			r.ignore(c.what)
		case c.what != "":
			r.refuse(c.what)
		case !c.none:
			*n++
		}
	}
}

// path reads that of the service's root.
func (r *reader) path(p *path) {
	*p = path{from: r.line.From}
	text, err := r.expand(r.line.Value)
	if err != nil {
		r.refuse(err.Error())
		return
	}
	if text == "" {
		return
	}
	simple, what := parsePath(text)
	if what != "" {
		r.refuse(what)
	}
	p.v = simple
}

// lastCap is the highest that systemd has room for, CAP_LIMIT of its capability-util.h.
const lastCap = 62

// caps reads a set of capabilities. One that was never changed, and one that is to become
// empty, is replaced; any other is added to, or taken from.
func (r *reader) caps(c *capSet) {
	value, invert := strings.CutPrefix(r.line.Value, "~")
	var list caps.Set
	words, _ := splitWords(value, quotesMayOpen)
	for _, w := range words {
		n, ok := parseNumber(w, lastCap)
		if !ok && len(w) > 4 && strings.EqualFold(w[:4], "CAP_") {
			var found int
			if found, ok = caps.FromName(w); found > caps.LastKnown {
				ok = false
			}
			n = uint64(found)
		}
		if !ok {
			r.ignore("unknown capability " + strconv.Quote(w))
			continue
		}
		list = list.Add(int(n))
	}
	all := caps.All(lastCap)
	switch replace := list.Empty() || c.set == c.initial; {
	case replace && invert:
		c.set = all.Without(list)
	case replace:
		c.set = list
	case invert:
		c.set = c.set.Without(list)
	default:
		c.set = c.set.Union(list)
	}
	c.from = r.line.From
}

// spaceNames are the kinds of namespaces; the first are checks.
var spaceNames = [...]string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"}

const allSpaces = 1<<len(spaceNames) - 1

func (r *reader) spaces() {
	s, value := &r.s, r.line.Value
	v, err := policy.ParseBool(value)
	switch {
	case value == "":
		s.spacesSet = false
	case err == nil && v:
		s.spaces, s.spacesSet = 0, true
	case err == nil:
		s.spaces, s.spacesSet = allSpaces, true
	default:
		value, invert := strings.CutPrefix(value, "~")
		var list uint32
		words, _ := splitWords(value, quotesStay)
		for _, w := range words {
			bit := uint32(0)
			for i, name := range spaceNames {
				if name == w {
					bit = 1 << i
				}
			}
			if bit == 0 {
				r.ignore("unknown kind of namespace " + strconv.Quote(w) + ", and with it the whole line")
				return
			}
			list |= bit
		}
		switch {
		case !s.spacesSet && invert:
			s.spaces = allSpaces &^ list
		case invert:
			s.spaces &^= list
		case s.spacesSet:
			s.spaces |= list
		default:
			s.spaces = list
		}
		s.spacesSet = true
	}
	s.spaceFrom = r.line.From
}

// families reads RestrictAddressFamilies=. What is behind a word that is no family is passed
// over, but what is before it counts, and so does the kind of list.
func (r *reader) families() {
	f, value := &r.s.families, r.line.Value
	f.from = r.line.From
	switch value {
	case "":
		*f = families{from: r.line.From}
		return
	case "none":
		*f = families{allow: true, from: r.line.From}
		return
	}
	value, invert := strings.CutPrefix(value, "~")
	if !f.set {
		f.set, f.allow = true, !invert
	}
	words, ok := splitWords(value, quotesClose)
	for _, w := range words {
		n, err := family(w)
		if err != nil {
			r.ignore(err.Error() + ", and with it what follows")
			return
		}
		if invert == f.allow {
			f.listed &^= 1 << n
		} else {
			f.listed |= 1 << n
			f.names = append(f.names, w)
		}
	}
	if !ok {
		r.ignore("a quote is not closed")
	}
}

// family is the number of an address family, in any case.
func family(s string) (uint32, error) {
	f, err := policy.ParseFamilies(strings.ToUpper(s))
	if err != nil && strings.EqualFold(s, "AF_DECnet") {
		f, err = policy.ParseFamilies("AF_DECnet")
	}
	if err != nil || len(f.Listed) != 1 || strings.HasPrefix(s, "~") {
		return 0, errors.New("unknown address family " + strconv.Quote(s))
	}
	return f.Listed[0], nil
}

// calls reads SystemCallFilter=. policy.MergeCalls puts the lines together.
func (r *reader) calls() {
	if r.line.Value == "" {
		r.s.calls = nil
		return
	}
	value, invert := strings.CutPrefix(r.line.Value, "~")
	l := policy.CallLine{Invert: invert}
	words, _ := splitWords(value, quotesStay)
	for _, text := range words {
		name, action, has := strings.Cut(text, ":")
		_, known := seccomp.ByName(name)
		if strings.HasPrefix(name, "@") {
			_, known = seccomp.GroupByName(name)
			known = known && name != "@io-uring" // hardrun's own
		}
		switch {
		case has && !isAction(action):
			r.ignore("no error number, nor kill: " + strconv.Quote(text))
		case has && !invert:
			r.ignore("an allowed call has no error number: " + strconv.Quote(text))
		case !known:
			r.ignore("unknown call or group " + strconv.Quote(name))
		default:
			l.Words = append(l.Words, policy.CallWord{Name: name, Has: has})
		}
	}
	r.s.calls = append(r.s.calls, policy.Item[policy.CallLine]{V: l, From: r.line.From})
}

// isAction tells what may stand behind the colon: "kill", a number, or the name of an error.
func isAction(s string) bool {
	if s == "kill" {
		return true
	}
	if _, ok := parseNumber(s, 4095); ok {
		return true
	}
	_, ok := seccomp.ErrnoByName(strings.ToUpper(s))
	return ok
}

// filterArchs are those that systemd knows for filters; ConditionArchitecture= has more.
const filterArchs = " native x86 x86-64 x32 arm arm64 loongarch64 mips mips64 mips64-n32 mips-le mips64-le mips64-le-n32 parisc parisc64 ppc ppc64 ppc64-le riscv64 s390 s390x "

func (r *reader) archs() {
	s := &r.s
	s.archFrom = r.line.From
	if r.line.Value == "" {
		s.archs = nil
		return
	}
	words, ok := splitWords(r.line.Value, quotesClose)
	for _, w := range words {
		if w == "" || !strings.Contains(filterArchs, " "+w+" ") || strings.IndexByte(w, ' ') >= 0 {
			r.ignore("unknown architecture " + strconv.Quote(w))
			continue
		}
		s.archs = append(s.archs, w)
	}
	if !ok {
		r.ignore("a quote is not closed")
	}
}

// addresses reads one of the two lists.
func (r *reader) addresses(p *prefixes) {
	if r.line.Value == "" {
		*p = prefixes{from: r.line.From}
		return
	}
	words, _ := splitWords(r.line.Value, quotesStay)
	for _, w := range words {
		text := w
		addr, length, has := strings.Cut(w, "/")
		if n, ok := parseNumber(length, 128); has && ok {
			text = addr + "/" + strconv.FormatUint(n, 10)
		}
		rules, err := policy.ParseIPRules(text)
		if err != nil || len(rules) != 1 {
			r.ignore("not an address: " + strconv.Quote(w))
			continue
		}
		blocks := rules[0].Prefixes
		if strings.IndexByte(w, ':') >= 0 {
			blocks = blocks[:1] // what is mapped to IPv4 is a matter of ours
		}
		for i := range blocks {
			b := &blocks[i]
			loopback := !b.V6 && b.Bits >= 8 && b.Addr[0] == 127
			if b.V6 && b.Bits == 128 {
				one := [16]byte{15: 1}
				loopback = b.Addr == one
			}
			p.any4 = p.any4 || b.Bits == 0 && !b.V6
			p.any6 = p.any6 || b.Bits == 0 && b.V6
			p.local = p.local || loopback
			p.other = p.other || !loopback
		}
		p.from = r.line.From
	}
}

// program counts the paths of IPIngressFilterPath= and IPEgressFilterPath=.
func (r *reader) program(n *int) {
	if r.line.Value == "" {
		*n = 0
		return
	}
	text, err := r.expand(r.line.Value)
	what := ""
	if err != nil {
		what = err.Error()
	} else {
		_, what = parsePath(text)
	}
	if what != "" {
		r.ignore(what)
		return
	}
	*n++
	r.s.ipFrom = r.line.From
}

// device reads DeviceAllow=.
func (r *reader) device() {
	s := &r.s
	if r.line.Value == "" {
		s.devices = 0
		return
	}
	node, rights, _, ok := nextWord(r.line.Value, quotesClose)
	if !ok {
		r.ignore("a quote is not closed")
		return
	}
	node, err := r.expand(node)
	if err != nil {
		r.ignore(err.Error())
		return
	}
	if !strings.HasPrefix(node, "char-") && !strings.HasPrefix(node, "block-") {
		simple, what := parsePath(node)
		switch {
		case what != "":
			r.ignore(what)
			return
		case simple != "/dev" && !strings.HasPrefix(simple, "/dev/") &&
			simple != "/run/systemd/inaccessible" && !strings.HasPrefix(simple, "/run/systemd/inaccessible/"):
			r.ignore("not a device: " + strconv.Quote(node))
			return
		}
	}
	if strings.Trim(rights, "rwm") != "" {
		r.ignore("the access is of the letters r, w and m, not " + strconv.Quote(rights))
		return
	}
	s.devices++
	s.devFrom = r.line.From
}

// images counts the images of MountImages=: SOURCE:DESTINATION and, behind colons, options.
func (r *reader) images() {
	s := &r.s
	if r.line.Value == "" {
		s.images = 0
		return
	}
	words, ok := splitWords(r.line.Value, quotesClose)
	for _, w := range words {
		source, rest, found := strings.Cut(w, ":")
		destination, _, _ := strings.Cut(rest, ":")
		if !found {
			r.ignore("no place to mount it: " + strconv.Quote(w))
			return
		}
		for _, text := range [...]string{strings.TrimPrefix(source, "-"), destination} {
			text, err := r.expand(text)
			what := ""
			if err != nil {
				what = err.Error()
			} else {
				_, what = parsePath(text)
			}
			if what != "" {
				r.ignore(what + ": " + strconv.Quote(w))
				found = false
				break
			}
		}
		if found {
			s.images++
			s.imageFrom = r.line.From
		}
	}
	if !ok {
		r.ignore("a quote is not closed")
	}
}

func (s *Settings) is(i int, v string) bool { return s.words[i].v == v }

// loadable is why systemd refuses the unit as a whole, systemd.service(5).
func (s *Settings) loadable() error {
	start, stop := s.commands[0], s.commands[1]
	action := !s.is(switchSuccessAction, "none")
	kind := s.words[switchType].v
	if kind == "unset" {
		switch {
		case s.busName != "":
			kind = "dbus"
		case start > 0:
			kind = "simple"
		default:
			kind = "oneshot"
		}
	}
	oneshot := kind == "oneshot"
	why := ""
	switch {
	case start == 0 && stop == 0 && !action:
		why = "there is none of ExecStart=, ExecStop= and SuccessAction="
	case start == 0 && !oneshot:
		why = "there is no ExecStart=, which only Type=oneshot may be without"
	case start == 0 && !action && !s.is(switchRemainAfterExit, "yes"):
		why = "there is no ExecStart=, and neither SuccessAction= nor RemainAfterExit=yes"
	case start > 1 && !oneshot:
		why = "there are several commands of ExecStart=, which takes Type=oneshot"
	case oneshot && (s.is(switchRestart, "always") || s.is(switchRestart, "on-success")):
		why = "Type=oneshot does not go with Restart=" + s.words[switchRestart].v
	case oneshot && s.is(switchExitType, "cgroup"):
		why = "Type=oneshot does not go with ExitType=cgroup"
	case kind == "dbus" && s.busName == "":
		why = "Type=dbus takes a BusName="
	case s.pam != "" && (s.is(switchKillMode, "process") || s.is(switchKillMode, "none")):
		why = "PAMName= does not go with KillMode=" + s.words[switchKillMode].v
	case s.pam != "" && s.privatePIDs:
		why = "PAMName= does not go with PrivatePIDs=yes"
	case s.is(checkPrivateUsers, "managed") && (s.user.v != "" || s.group != "" || s.pam != "" || s.is(switchDynamicUser, "yes")):
		why = "PrivateUsers=managed does not go with User=, Group=, DynamicUser= and PAMName="
	default:
		return nil
	}
	return errors.New(why)
}

// imply does what a setting implies for others, systemd.exec(5).
func (s *Settings) imply() {
	imply := func(from, i int, v string) {
		w := &s.words[i]
		if w.v != v {
			*w = word{v: v, from: s.words[from].from, by: switches[from].name}
		}
	}
	if s.is(switchDynamicUser, "yes") {
		if !s.is(checkPrivateTmp, "disconnected") {
			imply(switchDynamicUser, checkPrivateTmp, "yes")
		}
		imply(switchDynamicUser, checkRemoveIPC, "yes")
		imply(switchDynamicUser, checkNoNewPrivileges, "yes")
		imply(switchDynamicUser, checkRestrictSUIDSGID, "yes")
		imply(switchDynamicUser, checkProtectSystem, "strict")
		if s.is(checkProtectHome, "no") {
			imply(switchDynamicUser, checkProtectHome, "read-only")
		}
	}
	if s.is(checkPrivateDevices, "yes") && s.is(switchDevicePolicy, "auto") {
		imply(checkPrivateDevices, switchDevicePolicy, "closed")
	}
	for n, d := range [...]struct {
		i   int
		set caps.Set
	}{
		{checkPrivateDevices, 1<<27 | 1<<17}, // CAP_MKNOD, CAP_SYS_RAWIO
		{checkProtectKernelModules, 1 << 16}, // CAP_SYS_MODULE
		{checkProtectKernelLogs, 1 << 34},    // CAP_SYSLOG
		{checkProtectClock, 1<<25 | 1<<35},   // CAP_SYS_TIME, CAP_WAKE_ALARM
	} {
		if s.is(d.i, "yes") {
			g := &s.bounding.gone[n]
			g.set, g.by, g.from = s.bounding.set.Intersect(d.set), switches[d.i].name, s.words[d.i].from
			s.bounding.set = s.bounding.set.Without(d.set)
		}
	}
}
