package inspect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/seccomp"
)

// rater finds the rows of a living process.
type rater struct {
	r *Reader
	p *Process

	abis    []*seccomp.ABI
	filters Filters
	unread  string // why the filters are not known; empty where they are
	reach   *reach
	// What the process sees, and process 1, and why that is not known.
	in, host         *sight
	blind, hostBlind error
}

func good(why string) exposure.Result { return exposure.Result{Why: why} }

// bad is the worst of a check.
func bad(why string) exposure.Result { return exposure.Result{Badness: 1 << 16, Why: why} }

func unknown(why string) exposure.Result { return exposure.Result{Unknown: true, Why: why} }

func graded(badness int, why string) exposure.Result {
	return exposure.Result{Badness: badness, Why: why}
}

// weaker marks a bad result that has something of what is asked for.
func weaker(r exposure.Result, has bool) exposure.Result {
	r.Weaker = has && r.Badness > 0
	return r
}

// results are the rows in the order of exposure.Checks.
func (t *rater) results() (all [81]exposure.Result) {
	lines := advice()
	for i := range exposure.Checks {
		c := &exposure.Checks[i]
		res := &all[i]
		switch directive, _, _ := strings.Cut(c.ID, "="); {
		case t.p.Kernel:
			*res = unknown("a thread of the kernel, which nothing confines")
		case t.p.Zombie:
			*res = unknown("it has ended")
		case directive == "CapabilityBoundingSet":
			*res = t.capability(c.Words)
		case directive == "RestrictAddressFamilies":
			*res = t.families(c.Words)
		case directive == "RestrictNamespaces":
			*res = t.spaces(c.Words)
		case directive == "SystemCallFilter":
			*res = t.group(c.Words)
		default:
			*res = t.row(c.Field)
		}
		switch {
		case res.Unknown || res.NotApplicable:
			res.Badness, res.Weaker = 0, false
		case res.Badness > 0:
			// A check with grades says that something is there by its grade.
			res.Weaker = res.Weaker || res.Badness < c.Range
			res.Badness = min(res.Badness, c.Range)
			if res.Advice = lines[i].Advice; res.Advice == "" { // nobody has to write that, or it is to be empty
				res.Advice, _, _ = strings.Cut(c.ID, "=")
				if res.Advice += "="; res.Advice == "PrivateMounts=" {
					res.Advice += "yes"
				}
			}
		}
	}
	return all
}

// advice are the results of a unit that sets nothing, with the lines that it could have.
func advice() (all [81]exposure.Result) {
	s, _, err := exposure.Read([]exposure.Line{{Section: "Service", Name: "ExecStart", Value: "/bin/true"}}, nil)
	if err == nil {
		all = s.Results()
	}
	return all
}

// row is a check that no other resembles.
func (t *rater) row(field string) exposure.Result {
	switch field {
	case "PrivateNetwork":
		return t.network()
	case "UserOrDynamicUser":
		return t.user()
	case "DeviceAllow":
		return t.devicePolicy()
	case "IPAddressDeny":
		return t.addresses()
	case "KeyringMode":
		return unknown("the keyrings of a process cannot be seen from outside")
	case "NoNewPrivileges":
		return t.threads("NoNewPrivs", "no_new_privs is set", "no_new_privs is not set", func(c *Credentials) bool { return !c.NoNewPrivs })
	case "NotifyAccess":
		return unknown("a matter of the service manager, of which a process shows nothing")
	case "PrivateDevices":
		return t.devices()
	case "PrivateMounts":
		return t.space("mnt", "mount namespace")
	case "PrivateTmp":
		return t.tmp()
	case "PrivateUsers":
		return t.space("user", "user namespace")
	case "ProtectClock":
		return t.clock()
	case "ProtectControlGroups":
		return t.controlGroups()
	case "ProtectHome":
		return t.home()
	case "ProtectKernelLogs":
		return t.kernelLogs()
	case "ProtectKernelModules":
		return t.modules()
	case "ProtectKernelTunables":
		return t.tunables()
	case "ProtectProc":
		return t.hidepid()
	case "ProtectSystem":
		return t.system()
	case "RestrictSUIDSGID":
		return t.sUIDGID()
	case "SystemCallArchitectures":
		return t.architectures()
	case "AmbientCapabilities":
		return t.threads("Ambient", "the ambient set is empty", "an ambient capability", func(c *Credentials) bool { return !c.Ambient.Empty() })
	case "RestrictRealtime":
		return t.realtime()
	case "RootDirectoryOrRootImage":
		return t.root()
	case "SupplementaryGroups":
		return t.groups()
	case "Delegate":
		return unknown("a matter of the service manager, of which a process shows nothing")
	case "LockPersonality":
		return t.personality()
	case "MemoryDenyWriteExecute":
		return t.memory()
	case "RemoveIPC":
		if t.isRoot() {
			return exposure.Result{NotApplicable: true, Why: "it runs as root"}
		}
		return unknown("happens when a service stops, and a process shows nothing of it")
	case "UMask":
		return t.umask()
	case "ProtectHostname":
		return t.hostname()
	case "ProcSubset":
		return t.subset()
	}
	return unknown("not looked at")
}

// Threads.

// count is how many threads there are.
func (t *rater) count() (n int) {
	for i := range t.p.Threads {
		n += len(t.p.Threads[i].IDs)
	}
	return n
}

// among says which threads a fact is true of, where that is not all of them.
func (t *rater) among(n int) string {
	if all := t.count(); n < all {
		return ", in " + strconv.Itoa(n) + " of " + strconv.Itoa(all) + " threads"
	}
	return ""
}

// threads is a check of which each thread has its part: the weakest one decides.
func (t *rater) threads(field, fine, fault string, is func(*Credentials) bool) exposure.Result {
	if why := t.p.Why(field); why != "" {
		return unknown(why)
	}
	n := 0
	for i := range t.p.Threads {
		if is(&t.p.Threads[i].State) {
			n += len(t.p.Threads[i].IDs)
		}
	}
	if n == 0 {
		return good(fine)
	}
	return weaker(bad(fault+t.among(n)), n < t.count())
}

// isRoot tells whether a thread has the user ID 0, of any kind.
func (t *rater) isRoot() bool {
	for i := range t.p.Threads {
		if slices.Contains(t.p.Threads[i].State.UID[:], 0) {
			return true
		}
	}
	return false
}

func (t *rater) user() exposure.Result {
	const nobody = 65534
	roots, nobodies, uid := 0, 0, uint32(0)
	for i := range t.p.Threads {
		g := &t.p.Threads[i]
		switch ids := g.State.UID[:]; {
		case slices.Contains(ids, 0):
			roots += len(g.IDs)
		case slices.Contains(ids, nobody):
			nobodies += len(g.IDs)
		default:
			uid = ids[1]
		}
	}
	switch {
	case roots > 0:
		return weaker(bad("uid 0"+t.among(roots)), roots < t.count())
	case nobodies > 0:
		return graded(9, "uid 65534, nobody's, which others may have as well"+t.among(nobodies))
	}
	return good("uid " + strconv.FormatUint(uint64(uid), 10))
}

// groups are those beside the own group. Those of root give it nothing.
func (t *rater) groups() exposure.Result {
	if t.isRoot() {
		return exposure.Result{NotApplicable: true, Why: "it runs as root"}
	}
	extra := uint32(0)
	res := t.threads("Groups", "no group but its own", "", func(c *Credentials) bool {
		for _, g := range c.Groups {
			if !slices.Contains(c.GID[:], g) {
				extra = g
				return true
			}
		}
		return false
	})
	if res.Badness > 0 {
		res.Why = "in the group " + strconv.FormatUint(uint64(extra), 10) + " as well" + res.Why
	}
	return res
}

// capability is a row of the bounding set. What a thread has counts wherever it has it: what
// is permitted may be used though the bounding set lacks it, capabilities(7).
func (t *rater) capability(words string) exposure.Result {
	var asked caps.Set
	for word := range strings.FieldsSeq(words) {
		if n, ok := caps.FromName(word); ok {
			asked = asked.Add(n)
		}
	}
	for _, field := range [...]string{"Bounding", "Permitted", "Inheritable", "Ambient"} {
		if why := t.p.Why(field); why != "" {
			return unknown(why)
		}
	}
	held, own, n := t.held(asked)
	if held.Empty() {
		return good("in no set of any thread")
	}
	names := strings.Join(held.Names(), " ")
	if !own {
		return weaker(bad(names+" in the bounding set alone"+t.among(n)), n < t.count() || t.locked() || held != asked)
	}
	return weaker(bad(names+" held"+t.among(n)), n < t.count() || held != asked)
}

// held are those of some capabilities that a thread has in any set, whether more than the
// bounding set, and how many threads these are.
func (t *rater) held(asked caps.Set) (held caps.Set, own bool, n int) {
	for i := range t.p.Threads {
		c := &t.p.Threads[i].State
		mine := c.Permitted.Union(c.Inheritable).Union(c.Ambient).Union(c.Effective).Intersect(asked)
		all := mine.Union(c.Bounding.Intersect(asked))
		own = own || !mine.Empty()
		if !all.Empty() {
			n += len(t.p.Threads[i].IDs)
		}
		held = held.Union(all)
	}
	return held, own, n
}

// locked tells whether no_new_privs is set everywhere: what is in the bounding set alone
// cannot be had then.
func (t *rater) locked() bool {
	for i := range t.p.Threads {
		if !t.p.Threads[i].State.NoNewPrivs {
			return false
		}
	}
	return true
}

// powerless tells whether a capability has no effect on the kernel as a whole: no thread
// has it, or all it has is in a user namespace that is not the first one.
func (t *rater) powerless(capability string) (yes bool, why string) {
	const first = 0xeffffffd // PROC_USER_INIT_INO of linux/proc_ns.h
	n, _ := caps.FromName(capability)
	for _, field := range [...]string{"Bounding", "Permitted", "Inheritable", "Ambient"} {
		if t.p.Why(field) != "" {
			return false, ""
		}
	}
	if held, _, _ := t.held(caps.Set(0).Add(n)); held.Empty() {
		return true, capability + " in no set of any thread"
	}
	for i := range t.p.Spaces {
		if s := &t.p.Spaces[i]; s.Kind == "user" && s.Inode != 0 && s.Inode != first {
			return true, capability + " counts in its own user namespace alone"
		}
	}
	return false, ""
}

// Namespaces.

// other tells whether the process has another namespace than process 1; why is why that is
// not known.
func (t *rater) other(kind string) (other bool, why string) {
	for i := range t.p.Spaces {
		s := &t.p.Spaces[i]
		if s.Kind != kind {
			continue
		}
		if !s.Known {
			return false, reason(t.p.Why("Spaces"), "the namespaces of process 1 cannot be seen: needs CAP_SYS_PTRACE")
		}
		return !s.Host, ""
	}
	return false, reason(t.p.Why("Spaces"), "the namespace cannot be seen")
}

func reason(why, otherwise string) string {
	if why != "" {
		return why
	}
	return otherwise
}

// apart are the threads that do not share something with the first ones, of which Process
// tells. What is good of those is not known of these.
func (t *rater) apart(res exposure.Result, what ...string) exposure.Result {
	if res.Unknown || res.Badness > 0 && !res.Weaker {
		return res
	}
	for i := range t.p.Threads {
		for _, word := range what {
			if g := &t.p.Threads[i]; slices.Contains(g.Apart, word) && len(g.IDs) > 0 {
				return unknown("thread " + strconv.Itoa(g.IDs[0]) + " has another " + word + " than the others")
			}
		}
	}
	return res
}

func (t *rater) space(kind, what string) exposure.Result {
	other, why := t.other(kind)
	switch {
	case why != "":
		return unknown(why)
	case other:
		return t.apart(good("a "+what+" of its own"), kind)
	}
	return bad("the " + what + " of process 1")
}

func (t *rater) root() exposure.Result {
	if why := t.p.Why("NewRoot"); why != "" {
		return unknown(why)
	}
	if t.p.NewRoot {
		return t.apart(good("another root directory than process 1"), "root", "mnt")
	}
	return bad("the root directory of process 1")
}

func (t *rater) umask() exposure.Result {
	if why := t.p.Why("UMask"); why != "" {
		return unknown(why)
	}
	why := "0" + strconv.FormatUint(uint64(t.p.UMask), 8)
	for _, g := range [...]struct {
		bit     uint32
		badness int
		text    string
	}{
		{0o002, 10, ": others may write its files"},
		{0o004, 5, ": others may read its files"},
		{0o020, 2, ": its group may write its files"},
		{0o040, 1, ": its group may read its files"},
	} {
		if t.p.UMask&g.bit == 0 {
			return graded(g.badness, why+g.text)
		}
	}
	return good(why)
}

// Mounts by the list of them alone.

// procs are the mounts of procfs that can be reached as a whole.
func (t *rater) option(name string, each func(value string) int) (worst int, found bool) {
	for i := range t.p.Mounts {
		m := &t.p.Mounts[i]
		if m.Type != "proc" || m.Root != "/" || m.Covered {
			continue
		}
		found = true
		value := ""
		for _, o := range m.Super {
			if v, ok := strings.CutPrefix(o, name+"="); ok {
				value = v
			}
		}
		worst = max(worst, each(value))
	}
	return worst, found
}

func (t *rater) hidepid() exposure.Result {
	if why := t.p.Why("Mounts"); why != "" {
		return unknown(why)
	}
	is := ""
	worst, found := t.option("hidepid", func(v string) int {
		n := 3
		switch v {
		case "invisible", "ptraceable", "2", "4":
			n = 0
		case "noaccess", "1":
			n = 1
		}
		if is == "" || n > 0 {
			is = v
		}
		return n
	})
	switch {
	case !found:
		return t.apart(good("no /proc to be seen"), "mnt", "root")
	case worst == 0:
		return t.apart(good("hidepid="+is), "mnt", "root")
	case worst == 1:
		return graded(1, "hidepid="+is)
	}
	other, _ := t.other("pid")
	if other {
		return weaker(bad("/proc hides nothing, but is that of a PID namespace"), true)
	}
	return bad("/proc hides nothing")
}

func (t *rater) subset() exposure.Result {
	if why := t.p.Why("Mounts"); why != "" {
		return unknown(why)
	}
	worst, found := t.option("subset", func(v string) int {
		if v == "pid" {
			return 0
		}
		return 1
	})
	switch {
	case !found:
		return t.apart(good("no /proc to be seen"), "mnt", "root")
	case worst == 0:
		return t.apart(good("subset=pid"), "mnt", "root")
	}
	return bad("all of /proc")
}

// controlGroups are looked for by type, wherever they are. In a namespace of control groups,
// those below the own one may be writable: private is as good as read-only.
func (t *rater) controlGroups() exposure.Result {
	if why := t.p.Why("Mounts"); why != "" {
		return unknown(why)
	}
	other, _ := t.other("cgroup")
	found, open, at := 0, 0, ""
	for i := range t.p.Mounts {
		m := &t.p.Mounts[i]
		if m.Type != "cgroup" && m.Type != "cgroup2" || m.Covered {
			continue
		}
		found++
		if m.Has("ro") || other && m.Root != "/" {
			continue
		}
		open++
		at = m.Point
	}
	switch {
	case open > 0:
		return weaker(bad(at+" is writable"), open < found)
	case found == 0:
		return t.apart(good("no control group to be seen"), "mnt", "root")
	}
	return t.apart(good("control groups are read-only, or its own"), "mnt", "root")
}
