package inspect

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/exposure"
)

// standing is whether a path is on a mount that can be written to.
type standing uint8

const (
	isAbsent standing = iota
	isReadOnly
	isWritable
	cannotTell
)

// look is what a path leads to in the process's view, and the mount; that is nil where its
// list has it not, as that of a chroot(2) into a directory has not.
func (t *rater) look(path string) (at place, m *Mount, err error) {
	if t.blind != nil {
		return at, nil, t.blind
	}
	if at, err = t.in.look(path); err != nil {
		return at, nil, err
	}
	for i := range t.p.Mounts {
		if t.p.Mounts[i].ID == at.mount {
			return at, &t.p.Mounts[i], nil
		}
	}
	return at, nil, nil
}

// readOnly tells whether a mount is, of a path on it. The list is asked first, as a file
// system may be one that does not answer.
func (t *rater) readOnly(path string, m *Mount) (bool, error) {
	if m != nil {
		return m.Has("ro"), nil
	}
	flags, err := t.in.flags(path)
	return flags.readOnly, err
}

// writable tells whether a path can be written to, as the process sees it and whoever may.
// Where its root directory may not be seen, the list of mounts tells, which all may read.
func (t *rater) writable(path string) standing {
	_, m, err := t.look(path)
	ro := false
	if err == nil {
		ro, err = t.readOnly(path, m)
	}
	switch {
	case err == errAbsent:
		return isAbsent
	case err == nil && ro:
		return isReadOnly
	case err == nil:
		return isWritable
	}
	switch m := t.covering(path); {
	case m == nil:
		return cannotTell
	case m.Has("ro"):
		return isReadOnly
	case m.Point == path:
		return isWritable
	}
	return cannotTell // it may lead elsewhere, or nowhere
}

// unseen is why the view is not known.
func (t *rater) unseen() exposure.Result {
	if t.blind != nil {
		return unknown(t.blind.Error())
	}
	return unknown("not all of what it sees can be looked at")
}

// covering is the mount that has a path in it; nil where the mounts are not known.
func (t *rater) covering(path string) *Mount {
	if t.p.Why("Mounts") != "" {
		return nil
	}
	return t.p.covering(path)
}

// some looks whether paths are writable: how many are there, how many of them are, the first
// of these, and whether that is all that can be known.
func (t *rater) some(paths ...string) (there, open int, first string, all bool) {
	all = true
	for _, path := range paths {
		switch t.writable(path) {
		case isReadOnly:
			there++
		case isWritable:
			there++
			if open++; first == "" {
				first = path
			}
		case cannotTell:
			all = false
		}
	}
	return there, open, first, all
}

// system is ProtectSystem=: nothing where /usr and what belongs to it is writable, 5 where
// /etc is, 3 where other places of the root are, and 0 where none is. What is of the process
// alone or of the kernel is not looked at: /proc, /sys, /dev, /run, /tmp and home directories,
// and directories below the others.
func (t *rater) system() exposure.Result {
	there, open, first, all := t.some(systemPaths...)
	switch {
	case open > 0:
		return weaker(bad(first+" is writable"), open < there)
	case !all:
		return t.unseen()
	}
	etc, open, _, all := t.some("/etc")
	switch {
	case open > 0 && there > 0:
		return graded(5, "/etc is writable")
	case !all:
		return t.unseen()
	}
	_, open, first, all = t.some("/", "/opt", "/srv", "/var")
	switch {
	case open > 0 && there+etc == 0:
		return bad(first + " is writable")
	case open > 0:
		return t.apart(graded(3, first+" is writable"), "mnt", "root")
	case !all:
		return t.unseen()
	}
	return t.apart(good("its view is read-only"), "mnt", "root")
}

// home is ProtectHome=, by the worst of its places: 0 where there is none, or nothing in it
// to be reached, 1 a file system in memory that process 1 does not see there, 5 read-only.
func (t *rater) home() exposure.Result {
	worst, at, there := 0, "", 0
	var blind error
	for _, path := range homePaths {
		n, err := t.homeOf(path)
		if err == errAbsent {
			continue
		}
		if err != nil {
			blind = err
			continue
		}
		there++
		if n > worst || at == "" {
			worst, at = n, path
		}
	}
	res := graded(worst, at)
	switch worst {
	case 0:
		res.Why = "home directories are out of reach"
	case 1:
		res.Why += " is a file system in memory"
	case 5:
		res.Why += " is read-only"
	case 10:
		res.Why += " is writable"
		return res
	}
	switch {
	case blind != nil:
		return unknown(blind.Error())
	case there == 0:
		res.Why = "no home directories to be seen"
	}
	return t.apart(res, "mnt", "root")
}

func (t *rater) homeOf(path string) (badness int, err error) {
	at, m, err := t.look(path)
	if err != nil {
		return 0, err
	}
	if at.mode&0o777 == 0 {
		if list, err := t.in.names(path); err == nil && len(list) == 0 {
			return 0, nil
		}
	}
	if m != nil && m.Type == "tmpfs" && m.Point == at.real && !t.shared(path, &at) {
		return 1, nil
	}
	ro, err := t.readOnly(path, m)
	if ro {
		return 5, err
	}
	return 10, err
}

// shared tells whether what a path leads to is what process 1 finds there, or may be.
func (t *rater) shared(path string, at *place) bool {
	if t.hostBlind != nil {
		return true
	}
	h, err := t.host.look(path)
	return err != nil && err != errAbsent || err == nil && h.same(at)
}

// tmp is good where both directories are others than those of process 1.
func (t *rater) tmp() exposure.Result {
	private, shared := 0, ""
	for _, path := range [...]string{"/tmp", "/var/tmp"} {
		at, _, err := t.look(path)
		switch {
		case err == errAbsent:
			private++
		case err != nil:
			// That all is as process 1 has it can be told without.
			if other, why := t.other("mnt"); why == "" && !other && t.p.Why("NewRoot") == "" && !t.p.NewRoot {
				return bad("the file system as process 1 sees it")
			}
			return unknown(err.Error())
		case t.hostBlind != nil:
			return unknown(t.hostBlind.Error())
		case t.shared(path, &at):
			if shared == "" {
				shared = path
			}
		default:
			private++
		}
	}
	if shared != "" {
		return weaker(bad(shared+" is that of process 1"), private > 0)
	}
	return t.apart(good("/tmp and /var/tmp are not those of process 1"), "mnt", "root")
}

// devices is good where /dev has the pseudo devices and terminals only, or none can be
// opened there, and is not that of process 1.
func (t *rater) devices() exposure.Result {
	at, m, err := t.look("/dev")
	switch {
	case err == errAbsent:
		return t.apart(good("no /dev to be seen"), "mnt", "root")
	case err != nil:
		return unknown(err.Error())
	case m != nil && m.Type == "devtmpfs":
		return bad("/dev is that of the machine")
	}
	if t.hostBlind == nil && t.shared("/dev", &at) {
		return bad("/dev is that of process 1")
	}
	node, err := t.node("/dev", 4)
	switch {
	case node != "":
		return weaker(bad(node+" is there"), true)
	case err != nil:
		return unknown(err.Error())
	}
	return t.apart(good("/dev has pseudo devices only"), "mnt", "root")
}

// node is the first device in a directory that is more than a pseudo device or a terminal,
// and can be opened.
func (t *rater) node(dir string, depth int) (string, error) {
	names, err := t.in.names(dir)
	if err != nil {
		return "", err
	}
	if len(names) > maxNames {
		return "", errors.New(dir + " has more names than are looked at")
	}
	for _, name := range names {
		path := dir + "/" + name
		at, err := t.in.node(path)
		switch {
		case err == errAbsent: // it has gone
		case err != nil:
			return "", err
		case at.dir() && depth > 1:
			if node, err := t.node(path, depth-1); node != "" || err != nil {
				return node, err
			}
		case at.device() && !pseudo(&at) && at.major|at.minor != 0 && t.opens(path, &at):
			return path, nil
		}
	}
	return "", nil
}

// opens tells whether the mount that holds a device lets it be opened.
func (t *rater) opens(path string, at *place) bool {
	for i := range t.p.Mounts {
		if t.p.Mounts[i].ID == at.mount {
			return !t.p.Mounts[i].Has("nodev")
		}
	}
	flags, err := t.in.flags(path)
	return err != nil || !flags.noDevices
}

// tunables is good where all of the kernel's files are on mounts that are read-only, and
// what is mounted below them is, too: but for control groups and SELinux's files, which have
// a protection of their own.
func (t *rater) tunables() exposure.Result {
	there, open, first, all := t.some(tunables...)
	for i := range t.p.Mounts {
		m := &t.p.Mounts[i]
		if m.Covered || !within(m.Point, "/sys") && !within(m.Point, "/proc/sys") || within(m.Point, "/sys/fs/cgroup") || within(m.Point, "/sys/fs/selinux") {
			continue
		}
		if !m.Has("ro") && first == "" {
			first = m.Point
		}
	}
	switch {
	case first != "":
		return weaker(bad(first+" is writable"), open < there)
	case !all:
		return t.unseen()
	case there == 0:
		return t.apart(good("no settings of the kernel to be seen"), "mnt", "root")
	}
	return t.apart(good("/proc/sys and /sys are read-only"), "mnt", "root")
}

// kernelLogs is good where neither way to the log is open: syslog(2), by a filter or because
// it takes CAP_SYSLOG (kernel.dmesg_restrict) and that cannot be used; and /dev/kmsg, which
// is not there, or covered, or on a mount without devices. /proc/kmsg takes CAP_SYSLOG.
func (t *rater) kernelLogs() exposure.Result {
	if why := t.p.Why("Bounding"); why != "" {
		return unknown(why)
	}
	closed, text := 0, ""
	powerless, why := t.powerless("cap_syslog")
	if powerless {
		closed++
	} else {
		text = "cap_syslog can be had"
	}
	restrict, err := t.r.text("sys/kernel/dmesg_restrict")
	call := t.forbidden(plain("syslog"), "syslog is not allowed")
	blind := ""
	switch {
	case err == nil && strings.TrimSpace(restrict) == "1" && powerless:
		closed++
	case call.Unknown:
		blind = call.Why
	case call.Badness == 0:
		closed++
	case text == "":
		text = "syslog is allowed"
	}
	at, _, err := t.look("/dev/kmsg")
	const major, minor = 1, 11
	switch {
	case err == errAbsent:
		closed++
	case err != nil:
		blind = err.Error()
	case at.mode&typeMask != typeChar || at.major != major || at.minor != minor || !t.opens("/dev/kmsg", &at):
		closed++
	case text == "":
		text = "/dev/kmsg is there"
	}
	switch {
	case text != "":
		return weaker(bad(text), closed > 0)
	case blind != "":
		return unknown(blind)
	}
	return t.apart(good(why+", and no way to the log"), "mnt", "root")
}

// network is good in a network namespace that has no interface but the loopback one, and
// those that the modules of tunnels make in each.
func (t *rater) network() exposure.Result {
	other, why := t.other("net")
	switch {
	case why != "":
		return unknown(why)
	case !other:
		return bad("the network of process 1")
	}
	text, err := "", t.blind
	if err == nil {
		text, err = t.in.text("net/dev")
	}
	if err != nil {
		return unknown(err.Error())
	}
	n := 0
	for line := range strings.Lines(text) {
		name, _, found := strings.Cut(line, ":")
		if n++; n <= 2 || !found {
			continue
		}
		if name = strings.TrimSpace(name); name != "lo" && !isStub(name) {
			return weaker(bad("the interface "+name), true)
		}
	}
	return t.apart(good("no interface but lo"), "net")
}

// noRings tells whether io_uring is switched off for all, io_uring_disabled of
// kernel's Documentation/admin-guide/sysctl/kernel.rst.
func (t *rater) noRings() bool {
	text, err := t.r.text("sys/kernel/io_uring_disabled")
	return err == nil && strings.TrimSpace(text) == "2"
}

// memory is MemoryDenyWriteExecute=. The kernel's own means, PR_SET_MDWE, nobody can see
// from outside; that a process has such memory shows that it is not set.
func (t *rater) memory() exposure.Result {
	res := t.writeExecute()
	if !res.Unknown && res.Badness == 0 {
		return res
	}
	text, err := "", t.blind
	if err == nil {
		text, err = t.in.text("maps")
	}
	if err == nil {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], "rwx") {
				return weaker(bad("it has such memory, at "+f[0]), res.Weaker)
			}
		}
	}
	if !kernelDeniesWriteExecute() {
		return res
	}
	return unknown("the filter does not forbid it, and PR_SET_MDWE cannot be seen from outside")
}

// Programs of the control group.

// attached are the programs of a kind.
func (t *rater) attached(kind string) (list []*Program) {
	for i := range t.p.Programs {
		if p := &t.p.Programs[i]; p.Attach == kind {
			list = append(list, p)
		}
	}
	return list
}

// proven tells whether one of the programs is the one that hardrun makes of a rule: the
// kernel's hash of it says so, whatever its name is.
func proven(list []*Program, made []cgroup.Ins, err error) bool {
	if err != nil {
		return false
	}
	tags := cgroup.Tag(made)
	for _, p := range list {
		if p.Tag != [8]byte{} && (p.Tag == tags[0] || p.Tag == tags[1]) {
			return true
		}
	}
	return false
}

// unprovable is a program that says nothing.
func unprovable(list []*Program) exposure.Result {
	return unknown("a program that cannot be read is attached: " + reason(list[0].Name, "number "+strconv.FormatUint(uint64(list[0].ID), 10)))
}

// addresses is IPAddressDeny=. Of programs those are known that hardrun makes for
// IPAddressDeny=any, alone (0) and with IPAddressAllow=localhost (2).
func (t *rater) addresses() exposure.Result {
	if why := t.p.Why("Programs"); why != "" {
		return unknown(why)
	}
	in, out := t.attached("ingress"), t.attached("egress")
	switch {
	case len(in) == 0 && len(out) == 0:
		return bad("no program looks at its packets")
	case len(in) == 0:
		return weaker(bad("no program looks at packets that come"), true)
	case len(out) == 0:
		return weaker(bad("no program looks at packets that go"), true)
	}
	any := cgroup.Addresses{Deny: []cgroup.Prefix{{}, {V6: true}}}
	local := any
	local.Allow = []cgroup.Prefix{{Bits: 8, Addr: [16]byte{127}}, {V6: true, Bits: 128, Addr: [16]byte{15: 1}}}
	worst := 0
	for _, d := range [...]struct {
		list    []*Program
		ingress bool
	}{{in, true}, {out, false}} {
		none, err := cgroup.PacketProgram(any, nil, d.ingress)
		if proven(d.list, none, err) {
			continue
		}
		localhost, err := cgroup.PacketProgram(local, nil, d.ingress)
		if !proven(d.list, localhost, err) {
			return unprovable(d.list)
		}
		worst = 2
	}
	if worst == 0 {
		return good("no packet comes or goes")
	}
	return graded(worst, "packets of this machine alone")
}

// devicePolicy is DeviceAllow=: 0 where nothing but the pseudo devices and pseudo terminals
// can be opened, 5 where a list has more. The list of a v1 hierarchy can be read; of programs
// that is known which hardrun makes for DevicePolicy=closed; and where no mount but /dev lets
// devices be opened, what is in /dev is all that there is.
func (t *rater) devicePolicy() exposure.Result {
	if t.noDevices() {
		return t.apart(good("no device but those in its /dev can be opened"), "mnt", "root")
	}
	best, why := t.r.deviceList(t.p)
	if best == 0 {
		return good(why)
	}
	if unread := t.p.Why("Programs"); unread != "" {
		return unknown(unread)
	}
	list := t.attached("device")
	if len(list) == 0 {
		return graded(best, why)
	}
	made, err := cgroup.DeviceProgram(t.r.closedDevices())
	if proven(list, made, err) {
		return good("pseudo devices and terminals only")
	}
	return unprovable(list)
}

// noDevices tells whether devices can be opened in /dev alone, and pseudo devices there.
func (t *rater) noDevices() bool {
	if t.blind != nil || t.p.Why("Mounts") != "" || t.devices().Badness != 0 || t.devices().Unknown {
		return false
	}
	reached := false
	for i := range t.p.Mounts {
		m := &t.p.Mounts[i]
		if m.Covered {
			continue
		}
		reached = reached || m.Point == "/"
		if !m.Has("nodev") && !within(m.Point, "/dev") && m.Type != "proc" && m.Type != "sysfs" {
			return false
		}
	}
	return reached
}
