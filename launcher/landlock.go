package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
)

// Capabilities that let a user change what another one owns, linux/capability.h.
const (
	capChown  = 0
	capFowner = 3
)

// landlockable tells whether a directive was named by AllowLandlock=, and can be
// had that way. It is a waiver of mounts: --strict allows none.
func (c *compiler) landlockable(name string) bool {
	return !c.p.Strict.V && c.allowsLandlock(name) && (name != "ProtectHome" || c.p.ProtectHome.V != "tmpfs")
}

func (c *compiler) allowsLandlock(name string) bool {
	return slices.ContainsFunc(c.p.AllowLandlock.Items, func(it policy.Item[string]) bool { return it.V == name })
}

// landlocked tells whether a directive is to be realised by Landlock: where mounts
// can be had, they are what it is realised by.
func (c *compiler) landlocked(name string) bool {
	return c.env.linux() && !c.canMount() && c.landlockable(name)
}

// allLandlocked tells whether there is nothing to mount: all that asks for a view of
// the file system is realised by Landlock.
func (c *compiler) allLandlocked() bool {
	all := false
	eachView(c.p, c.given, func(name string, _ policy.Origin) bool {
		all = c.landlocked(name)
		return all
	})
	return all
}

// landlock plans one ruleset for all directives that are realised by Landlock.
func (c *compiler) landlock() {
	step := &ns.Landlock{UID: c.uid, GID: c.gid, Groups: c.groups}
	if !c.setGroup {
		step.Groups = c.env.Groups
	}
	var names []string
	var first policy.Origin
	for _, d := range c.landlockRules() {
		if !c.landlocked(d.name) {
			continue
		}
		if lack := ns.LandlockLack(c.env.Landlock, d.rules); lack != "" {
			c.refuse(d.name, d.from, ExitNamespace, lack)
			c.last().Waivable = policy.Lookup(d.name).Class.Waivable()
			continue
		}
		if len(names) == 0 {
			first = d.from
		}
		names = append(names, d.name)
		step.Rules = append(step.Rules, d.rules...)
		c.plan.Waived = append(c.plan.Waived, Refusal{
			Directive: d.name + "=", Origin: d.from, Exit: ExitNamespace, Waivable: true,
			Text: "by Landlock in place of mounts, which is weaker",
		})
	}
	c.landlockHint()
	if len(names) == 0 {
		return
	}
	if !slices.ContainsFunc(step.Rules, takes) {
		c.plan.Waived = c.plan.Waived[:len(c.plan.Waived)-len(names)]
		return // it only gives back, and nothing was taken
	}
	if !c.nnp && !c.env.NoNewPrivs && !c.p.NoNewPrivileges.V {
		if c.p.NoNewPrivileges.Set {
			c.note("nnp-implied", c.p.NoNewPrivileges.From, "NoNewPrivileges=no does not hold: "+names[0]+"= needs Landlock, which only no_new_privs lets in without CAP_SYS_ADMIN")
		}
		c.implyNoNewPrivs(first, names[0]+"= needs Landlock, which only no_new_privs lets in without CAP_SYS_ADMIN")
	}
	e := c.add(StageLandlock, step, strings.Join(names, "= "), first, ExitNamespace)
	e.Because = "mounts cannot be had, and AllowLandlock= names it"
	e.Transient = true // nothing leads out of it; its proof is good once, before limits are lowered
	c.landlockNotes(step.Rules)
}

// takes tells whether a rule takes something away.
func takes(r *ns.Rule) bool {
	return r.Access == ns.Hidden || r.Access == ns.Unwritable || r.Exec == ns.Unexecutable
}

// landlockHint says what would do in place of a view that Landlock cannot give.
func (c *compiler) landlockHint() {
	if c.p.ProtectHome.V != "tmpfs" || !c.allowsLandlock("ProtectHome") {
		return
	}
	for i := range c.plan.Refused {
		if c.plan.Refused[i].Directive == "ProtectHome=" {
			c.plan.Refused[i].Hint = "Landlock shows no empty file system: ProtectHome=yes is what it can do"
		}
	}
}

// landlockDirective is a directive and the rules that it stands for.
type landlockDirective struct {
	name  string
	from  policy.Origin
	rules []*ns.Rule
}

// landlockRules are the rules of all directives which Landlock can realise.
func (c *compiler) landlockRules() []landlockDirective {
	p := c.p
	var all []landlockDirective
	add := func(name string, from policy.Origin, rules ...*ns.Rule) {
		if len(rules) > 0 {
			all = append(all, landlockDirective{name, from, rules})
		}
	}
	for _, l := range []struct {
		name string
		list policy.List[policy.PathRule]
		rule ns.Rule
	}{
		{"ReadOnlyPaths", p.ReadOnlyPaths, ns.Rule{Access: ns.Unwritable}},
		{"ReadWritePaths", p.ReadWritePaths, ns.Rule{Access: ns.Writable}},
		{"InaccessiblePaths", p.InaccessiblePaths, ns.Rule{Access: ns.Hidden}},
		{"NoExecPaths", p.NoExecPaths, ns.Rule{Exec: ns.Unexecutable}},
		{"ExecPaths", p.ExecPaths, ns.Rule{Exec: ns.Executable}},
	} {
		var rules []*ns.Rule
		for _, it := range l.list.Items {
			path, ok := c.belowRoot(it.V)
			switch {
			case !c.landlocked(l.name):
			case !ok:
				c.note("outside-root", it.From, l.name+"="+it.V.Path+" is outside of the new root, and so of no effect; \"+"+it.V.Path+"\" is the path inside")
			case path == "/" && l.rule.Access == ns.Hidden:
				c.refuse(l.name, it.From, ExitNamespace, "the root cannot be made inaccessible")
			default:
				r := l.rule
				r.Path, r.Optional = path, it.V.Tolerate
				rules = append(rules, &r)
			}
		}
		if len(rules) > 0 && l.name == "ReadOnlyPaths" {
			rules = append(rules, c.ownDirectories()...)
		}
		add(l.name, l.list.From, rules...)
	}
	each := func(access ns.Access, paths ...string) []*ns.Rule {
		rules := make([]*ns.Rule, len(paths))
		for i, path := range paths {
			rules[i] = &ns.Rule{Path: path, Access: access, Optional: path != "/"}
		}
		return rules
	}
	switch v := p.ProtectSystem; v.V {
	case "yes":
		add("ProtectSystem", v.From, each(ns.Unwritable, systemPaths...)...)
	case "full":
		add("ProtectSystem", v.From, each(ns.Unwritable, append(slices.Clone(systemPaths), "/etc")...)...)
	case "strict":
		add("ProtectSystem", v.From, slices.Concat(each(ns.Unwritable, "/"), each(ns.WritableImplicit, slices.Concat(apiPaths, homePaths)...), c.ownDirectories())...)
	}
	switch v := p.ProtectHome; v.V {
	case "yes":
		add("ProtectHome", v.From, each(ns.Hidden, homePaths...)...)
	case "read-only":
		add("ProtectHome", v.From, each(ns.Unwritable, homePaths...)...)
	}
	return all
}

// ownDirectories are the exemptions of what was made for the service.
func (c *compiler) ownDirectories() []*ns.Rule {
	var rules []*ns.Rule
	for _, d := range c.given.Directories {
		if !d.ReadOnly {
			rules = append(rules, &ns.Rule{Path: d.Inside, Access: ns.WritableImplicit})
		}
	}
	return rules
}

// belowRoot is a path of a rule as the daemon sees it, as for mounts.
func (c *compiler) belowRoot(r policy.PathRule) (string, bool) {
	root := c.p.RootDirectory.V
	switch {
	case !hasRoot(c.p), r.InRoot:
		return r.Path, true
	case r.Path == root:
		return "/", true
	case strings.HasPrefix(r.Path, root+"/"):
		return r.Path[len(root):], true
	}
	return "", false
}

// landlockNotes say what a mount would have kept the daemon from and Landlock does
// not, and what it keeps it from that a mount would not.
func (c *compiler) landlockNotes(rules []*ns.Rule) {
	var hides, guards, noexec bool
	for _, r := range rules {
		hides = hides || r.Access == ns.Hidden
		guards = guards || r.Access == ns.Unwritable
		noexec = noexec || r.Exec == ns.Unexecutable
	}
	who := "uid " + strconv.FormatUint(uint64(c.uid), 10)
	owned := "what " + who + " owns"
	if c.keeps(capFowner) {
		owned = "all files"
	}
	metadata := "chmod(2), utimensat(2), setxattr(2) and the file flags of ioctl(2) on " + owned + ", chown(2) of "
	if c.keeps(capChown) {
		metadata += "all files"
	} else {
		metadata += "what it owns to groups it is in"
	}
	weaker := func(text string) { c.note("landlock-weaker", c.p.AllowLandlock.From, text) }
	if guards {
		weaker("read-only by Landlock: open for " + who + " stay " + metadata)
	}
	if hides {
		text := "inaccessible by Landlock: open for " + who + " stay stat(2), readlink(2), chdir(2), statfs(2) and inotify(7) where the permissions allow them, so that names can be tried, and " + metadata
		if c.env.Landlock < 9 {
			text += "; and so does connecting to sockets"
		}
		weaker(text)
	}
	if noexec {
		weaker("noexec by Landlock: mmap(2) with PROT_EXEC stays open for every file that can be read: a library can be loaded, and a program be started by ld.so(8)")
	}
	weaker("descriptors that are open already keep what they were opened for")
	stricter := func(text string) { c.note("landlock-stricter", c.p.AllowLandlock.From, text) }
	way := "what is made later in the directories on the way to a denied path is denied as well"
	if guards || hides {
		way += ", and nothing can be made, removed or renamed in them"
	}
	if hides {
		way += "; on the way to an inaccessible one they cannot be listed"
	}
	stricter(way)
	if guards {
		stricter("below a read-only path devices and FIFOs cannot be written to, but for terminals and null, zero, full, random, urandom and tty in /dev")
	}
	stricter("mount(2) and pivot_root(2) fail in namespaces of the daemon's own, and ptrace(2) on processes that it did not start")
}

// keeps tells whether the daemon will have a capability.
func (c *compiler) keeps(n int) bool {
	p, env := c.p, c.env
	switch {
	case p.CapabilityBoundingSet.Set && !p.CapabilityBoundingSet.V.Has(n):
		return false
	case c.uid == 0:
		return env.Caps.Permitted.Has(n)
	}
	return p.AmbientCapabilities.V.Has(n) || !c.dropped && !p.AmbientCapabilities.Set && env.Caps.Ambient.Has(n)
}
