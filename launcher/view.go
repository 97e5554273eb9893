package launcher

import (
	"slices"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/order"
	"github.com/hardrun/hardrun/policy"
)

// What stands behind the directives that protect a fixed list of paths: as in
// systemd 262. Those which are not there protect nothing.
var (
	systemPaths = []string{"/usr", "/boot", "/efi", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
	apiPaths    = []string{"/proc", "/sys", "/dev"}
	homePaths   = []string{"/home", "/root", "/run/user"}

	tunables = []string{
		"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/latency_stats", "/proc/mtrr",
		"/proc/scsi", "/proc/sys", "/proc/sysrq-trigger", "/proc/timer_stats", "/sys",
	}
	tunableSecrets = []string{"/proc/kallsyms", "/proc/kcore"}
	modulePaths    = []string{"/usr/lib/modules", "/lib/modules"}
	kernelLogPaths = []string{"/proc/kmsg", "/dev/kmsg"}
)

// The sizes of file systems in memory: without a limit a daemon could fill it.
const (
	tmpfsSize   = "size=10%"
	tmpfsInodes = "nr_inodes=400k"
)

// asksView is the first directive that needs a view of the file system of its own.
func asksView(p *policy.Policy, g *Given) (name string, from policy.Origin) {
	eachView(p, g, func(n string, f policy.Origin) bool {
		name, from = n, f
		return false
	})
	return name, from
}

// eachView hands out the directives that need a view of the file system of its own,
// until it is answered no.
func eachView(p *policy.Policy, g *Given, each func(name string, from policy.Origin) bool) {
	type ask struct {
		on   bool
		name string
		from policy.Origin
	}
	word := func(o policy.Opt[string], name, neutral string) ask {
		return ask{o.Set && o.V != neutral, name, o.From}
	}
	flag := func(o policy.Opt[bool], name string) ask { return ask{o.V, name, o.From} }
	rules := func(l policy.List[policy.PathRule], name string) ask { return ask{len(l.Items) > 0, name, l.From} }
	implied := !refusesMounts(p)
	for _, a := range [...]ask{
		word(p.ProtectSystem, "ProtectSystem", "no"),
		word(p.ProtectHome, "ProtectHome", "no"),
		word(p.PrivateTmp, "PrivateTmp", "no"),
		flag(p.PrivateDevices, "PrivateDevices"),
		flag(p.ProtectKernelTunables, "ProtectKernelTunables"),
		flag(p.ProtectKernelModules, "ProtectKernelModules"),
		flag(p.ProtectKernelLogs, "ProtectKernelLogs"),
		word(p.ProtectControlGroups, "ProtectControlGroups", "no"),
		word(p.ProtectProc, "ProtectProc", "default"),
		word(p.ProcSubset, "ProcSubset", "all"),
		flag(p.PrivateBPF, "PrivateBPF"),
		rules(p.ReadOnlyPaths, "ReadOnlyPaths"),
		rules(p.ReadWritePaths, "ReadWritePaths"),
		rules(p.InaccessiblePaths, "InaccessiblePaths"),
		rules(p.NoExecPaths, "NoExecPaths"),
		rules(p.ExecPaths, "ExecPaths"),
		{len(p.Binds.Items) > 0, bindName(p), p.Binds.From},
		{len(p.TemporaryFileSystem.Items) > 0, "TemporaryFileSystem", p.TemporaryFileSystem.From},
		flag(p.MinimalRoot, "X-Hardrun-MinimalRoot"),
		{p.MountAPIVFS.V && hasRoot(p), "MountAPIVFS", p.MountAPIVFS.From},
		{p.BindLogSockets.V && hasRoot(p), "BindLogSockets", p.BindLogSockets.From},
		flag(p.PrivateMounts, "PrivateMounts"),
		{p.ProtectHostname.V.Mode == "yes" && implied, "ProtectHostname", p.ProtectHostname.From},
		word(p.MountFlags, "MountFlags", "shared"),
		flag(p.PrivatePIDs, "PrivatePIDs"),
		flag(p.PrivateIPC, "PrivateIPC"),
		{p.IPCNamespacePath.Set, "IPCNamespacePath", p.IPCNamespacePath.From},
		{p.PrivateNetwork.V && implied, "PrivateNetwork", p.PrivateNetwork.From},
		{p.NetworkNamespacePath.Set && implied, "NetworkNamespacePath", p.NetworkNamespacePath.From},
	} {
		if a.on && !each(a.name, a.from) {
			return
		}
	}
	eachGiven(p, g, each)
}

// bindName is the directive of the last bind, whose origin is that of the list.
func bindName(p *policy.Policy) string {
	if n := len(p.Binds.Items); n > 0 && p.Binds.Items[n-1].V.ReadOnly {
		return "BindReadOnlyPaths"
	}
	return "BindPaths"
}

// refusesMounts is PrivateMounts=no: what only implies a mount namespace gets none.
func refusesMounts(p *policy.Policy) bool { return p.PrivateMounts.Set && !p.PrivateMounts.V }

// hasRoot tells whether the daemon gets another root directory.
func hasRoot(p *policy.Policy) bool { return p.RootDirectory.Set && p.RootDirectory.V != "/" }

// viewer compiles the view.
type viewer struct {
	*compiler
	v      *ns.View
	root   string // the new root on the host; "" for none, or for an empty one
	rules  []placed
	seen   map[string]bool
	layers map[string]*ns.Layer // by their paths
}

// placed is a step of the view before it is sorted by its path.
type placed struct {
	path string
	step Step
	name string
	from policy.Origin
	why  string
}

// view plans the mounts. It is what changes the meaning of paths, and is made of
// one list of layers and one of rules, both sorted by path.
func (c *compiler) view() {
	p := c.p
	if !c.env.linux() {
		c.root() // all else of a view was refused or waived
		return
	}
	first, from := asksView(p, c.given)
	if first == "" && c.env.InChroot && c.userns == lastUserNS {
		// unshare(2) makes no user namespace in a chroot(2).
		first, from = "PrivateUsers", p.PrivateUsers.From
	}
	if first == "" && !(c.given.bootedAlone() && c.canMount()) || first != "" && c.allLandlocked() {
		c.root()
		return
	}
	w := &viewer{compiler: c, v: &ns.View{Flags: p.MountFlags.V, Private: c.userns == firstUserNS && c.env.UIDs[1] != 0, UserNS: c.userns == firstUserNS || c.env.InUserNS}, seen: make(map[string]bool), layers: make(map[string]*ns.Layer)}
	w.v.Mknod = !w.v.UserNS && c.env.Caps.Effective.Has(capMknod)
	if w.v.OneByOne = c.env.OldMounts; w.v.OneByOne {
		c.note("old-mounts", policy.Origin{}, "this kernel has no mount_setattr(2) (Linux 5.12): attributes are set mount by mount")
	}
	switch {
	case p.MinimalRoot.V && p.RootDirectory.Set:
		c.refuse("X-Hardrun-MinimalRoot", p.MinimalRoot.From, ExitUsage, "a root is made, and there is RootDirectory= or --chroot as well")
		return
	case p.MinimalRoot.V:
		w.v.Empty = true
	case hasRoot(p):
		w.root = p.RootDirectory.V
		w.v.Root = w.root
	}
	w.v.Chrooted = c.env.InChroot
	viewFrom := from
	w.v.NoSUID = p.NoNewPrivileges.Set && p.NoNewPrivileges.V && c.impliedNNP == "" && !c.env.LSMs.SELinux
	if c.canMount() {
		c.add(StageNamespaces, ns.NewMounts{View: w.v}, first, from, ExitNamespace)
	}
	w.rootOf()
	w.apiFileSystems()
	w.tmp()
	w.devices()
	w.ipc()
	w.binds()
	w.tmpfs()
	w.lists()
	w.system()
	w.home()
	w.kernel()
	w.forService()
	if !c.canMount() {
		if len(c.plan.Refused) == 0 || p.PrivateMounts.V || p.MountFlags.Set {
			for _, m := range []struct {
				on   bool
				name string
				from policy.Origin
			}{{p.PrivateMounts.V, "PrivateMounts", p.PrivateMounts.From}, {p.MountFlags.Set && p.MountFlags.V != "shared", "MountFlags", p.MountFlags.From}} {
				if m.on {
					c.mounts(m.name, m.from, "a mount namespace")
				}
			}
		}
		return
	}
	w.place()
	if w.v.Root != "" || w.v.Empty || w.v.Chrooted {
		name, from := "RootDirectory", p.RootDirectory.From
		switch {
		case w.v.Empty:
			name, from = "X-Hardrun-MinimalRoot", p.MinimalRoot.From
		case w.root == "":
			name, from = first, viewFrom
		}
		c.add(StageRoot, ns.EnterRoot{View: w.v}, name, from, ExitChroot)
	}
	name, from := first, from
	if p.MountFlags.Set {
		name, from = "MountFlags", p.MountFlags.From
	}
	c.add(StageSeal, ns.SealView{View: w.v}, name, from, ExitNamespace)
}

// place adds layers and rules, each sorted by its path: the deepest last.
func (w *viewer) place() {
	order.By(w.v.Layers, func(a, b **ns.Layer) bool { return (*a).Path < (*b).Path })
	order.By(w.rules, func(a, b *placed) bool {
		_, x := a.step.(ns.MountLayer)
		_, y := b.step.(ns.MountLayer)
		if x != y {
			return x
		}
		return a.path < b.path
	})
	for _, r := range w.rules {
		w.add(StageMounts, r.step, r.name, r.from, ExitNamespace).Because = r.why
	}
}

// layer adds something to mount. What is mounted is not made read-only by a rule
// above it: only by one of its own path.
func (w *viewer) layer(l *ns.Layer, name string, from policy.Origin, why string) {
	if !w.mountable(name, from) {
		return
	}
	if was := w.layers[l.Path]; was != nil {
		// At one path there is one layer: a bind before all others, and what was asked
		// for by its own name before an empty file system.
		switch {
		case was.Kind == ns.LayerBind && l.Kind == ns.LayerBind && was.Source != l.Source:
			w.refuse(name, from, ExitNamespace, l.Path+" cannot show both "+was.Source+" and "+l.Source)
			return
		case was.Kind == ns.LayerBind && l.Kind == ns.LayerBind:
			was.Tolerate, was.Shallow = was.Tolerate && l.Tolerate, was.Shallow && l.Shallow
			return
		case !before(l, was):
			return
		}
		w.v.Layers = slices.DeleteFunc(w.v.Layers, func(o *ns.Layer) bool { return o == was })
		w.rules = slices.DeleteFunc(w.rules, func(p placed) bool { m, ok := p.step.(ns.MountLayer); return ok && m.Layer == was })
	}
	w.layers[l.Path] = l
	w.v.Layers = append(w.v.Layers, l)
	w.rules = append(w.rules, placed{l.Path, ns.MountLayer{View: w.v, Layer: l}, name, from, why})
}

// before tells which of two layers at one path is the one.
func before(a, b *ns.Layer) bool {
	if a.Kind == ns.LayerBind || b.Kind == ns.LayerBind {
		return a.Kind == ns.LayerBind
	}
	return b.Kind == ns.LayerTmpfs && a.Kind != ns.LayerTmpfs
}

// exempt keeps a path as writable as it is, unless a rule of its own says otherwise.
func (w *viewer) exempt(path, name string, from policy.Origin) *ns.Rule {
	r := &ns.Rule{Path: path, Access: ns.WritableImplicit, Optional: true}
	if w.mountable(name, from) {
		w.v.Rules = append(w.v.Rules, r)
	}
	return r
}

// rule adds a rule, once for each path and directive.
func (w *viewer) rule(r *ns.Rule, name string, from policy.Origin, but ...*ns.Rule) {
	key := name + "\x00" + r.Path + "\x00" + string(rune('0'+r.Access)) + string(rune('0'+r.Exec))
	if w.seen[key] || !w.mountable(name, from) {
		return
	}
	w.seen[key] = true
	w.v.Rules = append(w.v.Rules, r)
	w.rules = append(w.rules, placed{r.Path, ns.Protect{View: w.v, Rule: r, But: but}, name, from, ""})
}

// mountable tells whether mounts can be had for a directive; refuses it if not.
func (w *viewer) mountable(name string, from policy.Origin) bool {
	return !w.landlocked(name) && w.mounts(name, from, "a mount namespace")
}

// mounts refuses a directive where mounts cannot be had.
func (c *compiler) mounts(name string, from policy.Origin, what string) bool {
	for name == "MountAPIVFS" || name == "BindLogSockets" {
		by := c.impliedBy(name, from) // nobody is to waive what he did not write
		if by == name {
			break
		}
		name = by
	}
	if !c.privileged(name, from, what) || c.canMount() {
		return c.canMount()
	}
	if !slices.ContainsFunc(c.plan.Refused, func(r Refusal) bool { return r.Directive == name+"=" }) {
		c.refuse(name, from, ExitNamespace, "hardrun was started in a chroot(2), whose root is no mount: to make it one needs CAP_SYS_CHROOT, which this environment does not have")
		if d := policy.Lookup(name); d != nil {
			c.last().Waivable = d.Class.Waivable()
		}
	}
	return false
}

// inside is a path of a rule as the daemon sees it. Without "+" it is one of the
// host; below a new root it is what that shows of it, and elsewhere it is nothing
// that the daemon could reach.
func (w *viewer) inside(r policy.PathRule, name string, from policy.Origin) (string, bool) {
	if w.root == "" || r.InRoot {
		return r.Path, true
	}
	if r.Path == w.root {
		return "/", true
	}
	if strings.HasPrefix(r.Path, w.root+"/") {
		return r.Path[len(w.root):], true
	}
	w.note("outside-root", from, name+"="+r.Path+" is outside of the new root, and so of no effect; \"+"+r.Path+"\" is the path inside")
	return "", false
}

// lists are the rules that were written path by path.
func (w *viewer) lists() {
	p := w.p
	for _, l := range []struct {
		name  string
		items []policy.Item[policy.PathRule]
		rule  ns.Rule
	}{
		{"ReadOnlyPaths", p.ReadOnlyPaths.Items, ns.Rule{Access: ns.Unwritable}},
		{"ReadWritePaths", p.ReadWritePaths.Items, ns.Rule{Access: ns.Writable}},
		{"InaccessiblePaths", p.InaccessiblePaths.Items, ns.Rule{Access: ns.Hidden}},
		{"NoExecPaths", p.NoExecPaths.Items, ns.Rule{Exec: ns.Unexecutable}},
		{"ExecPaths", p.ExecPaths.Items, ns.Rule{Exec: ns.Executable}},
	} {
		for i := range l.items {
			it := &l.items[i]
			path, ok := w.inside(it.V, l.name, it.From)
			if !ok {
				continue
			}
			r := l.rule
			r.Path, r.Optional = path, it.V.Tolerate
			if r.Access == ns.Hidden && path == "/" {
				w.refuse(l.name, it.From, ExitNamespace, "the root cannot be made inaccessible")
				continue
			}
			w.rule(&r, l.name, it.From)
		}
	}
}

func (w *viewer) system() {
	v := w.p.ProtectSystem
	if !v.Set || v.V == "no" {
		return
	}
	const name = "ProtectSystem"
	if v.V == "strict" {
		var but []*ns.Rule
		for _, path := range slices.Concat(apiPaths, homePaths) {
			but = append(but, w.exempt(path, name, v.From))
		}
		w.rule(&ns.Rule{Path: "/", Access: ns.Unwritable}, name, v.From, but...)
		return
	}
	for _, path := range systemPaths {
		w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, name, v.From)
	}
	if v.V == "full" {
		w.rule(&ns.Rule{Path: "/etc", Access: ns.Unwritable, Optional: true}, name, v.From)
	}
}

func (w *viewer) home() {
	v := w.p.ProtectHome
	const name = "ProtectHome"
	for _, path := range homePaths {
		switch v.V {
		case "yes":
			w.rule(&ns.Rule{Path: path, Access: ns.Hidden, Optional: true}, name, v.From)
		case "read-only":
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, name, v.From)
		case "tmpfs":
			w.layer(&ns.Layer{Kind: ns.LayerTmpfs, Path: path, Optional: true, Attr: ns.NoSUID | ns.NoDev, Data: []string{"mode=0755", tmpfsSize, tmpfsInodes}}, name, v.From, "")
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, name, v.From)
		}
	}
}

func (w *viewer) tmp() {
	v := w.p.PrivateTmp
	if !v.Set || v.V == "no" {
		return
	}
	places := []string{"/tmp", "/var/tmp"}
	if !w.p.PrivateVarTmp() {
		places = places[:1]
		w.note("var-tmp", v.From, "PrivateTmp=: /var/tmp is the host's, as DefaultDependencies=no may mean a start before /var is mounted; TMPDIR=/tmp")
	}
	for i, path := range places {
		l := &ns.Layer{Kind: ns.LayerTmpfs, Path: path, Optional: w.root == "" && !w.v.Empty, Attr: ns.NoSUID | ns.NoDev, Data: tmpData()}
		if given := [...]int{w.given.Tmp, w.given.VarTmp}[i]; given > 2 {
			if w.userns != firstUserNS && w.env.Caps.Effective.Has(capSysChroot) {
				l.From = given
			} else {
				w.note("tmp-own", v.From, "PrivateTmp=: each command of the service has a "+path+" of its own: to show one of all needs CAP_SYS_CHROOT outside of a user namespace")
			}
		}
		w.layer(l, "PrivateTmp", v.From, "")
		w.exempt(path, "PrivateTmp", v.From)
	}
}

// tmpData are the options of the file systems of PrivateTmp=.
func tmpData() []string { return []string{"mode=1777", tmpfsSize, tmpfsInodes} }

func (w *viewer) tmpfs() {
	for i := range w.p.TemporaryFileSystem.Items {
		it := &w.p.TemporaryFileSystem.Items[i]
		if !w.visible(it.V.Path, "TemporaryFileSystem", it.From) {
			continue
		}
		data := it.V.Data
		if !slices.ContainsFunc(data, func(s string) bool { return strings.HasPrefix(s, "size=") || strings.HasPrefix(s, "nr_blocks=") }) {
			data = append(slices.Clone(data), tmpfsSize)
		}
		if !slices.ContainsFunc(data, func(s string) bool { return strings.HasPrefix(s, "nr_inodes=") }) {
			data = append(slices.Clone(data), tmpfsInodes)
		}
		const name = "TemporaryFileSystem"
		w.layer(&ns.Layer{Kind: ns.LayerTmpfs, Path: it.V.Path, Attr: it.V.Attr &^ ns.ReadOnly, Data: data}, name, it.From, "")
		if it.V.Attr&ns.ReadOnly != 0 {
			w.rule(&ns.Rule{Path: it.V.Path, Access: ns.Unwritable}, name, it.From)
		} else {
			w.exempt(it.V.Path, name, it.From)
		}
	}
}

func (w *viewer) binds() {
	for i := range w.p.Binds.Items {
		it := &w.p.Binds.Items[i]
		name := "BindPaths"
		if it.V.ReadOnly {
			name = "BindReadOnlyPaths"
		}
		if !w.visible(it.V.Target, name, it.From) {
			continue
		}
		l := &ns.Layer{Kind: ns.LayerBind, Path: it.V.Target, Source: it.V.Source, Shallow: it.V.Shallow, Tolerate: it.V.Tolerate}
		l.Tolerate = l.Tolerate || w.given.Booted && l.Source == booted && l.Path == booted // there is an empty one
		w.layer(l, name, it.From, "")
		if it.V.ReadOnly {
			w.rule(&ns.Rule{Path: it.V.Target, Access: ns.Unwritable, Optional: it.V.Tolerate}, name, it.From)
		} else {
			w.exempt(it.V.Target, name, it.From)
		}
	}
}

// visible refuses to mount where nothing would be seen of it.
func (w *viewer) visible(path, name string, from policy.Origin) bool {
	hidden := w.hides(path)
	if hidden == "" {
		return true
	}
	w.refuse(name, from, ExitNamespace, path+" is below "+hidden+", which is made inaccessible")
	w.last().Hint = "ProtectHome=tmpfs or TemporaryFileSystem=" + hidden + ":ro hides the rest, and lets this be shown"
	return false
}

// hides is the path which makes another inaccessible, or empty.
func (w *viewer) hides(path string) string {
	under := func(top string) bool { return path == top || strings.HasPrefix(path, top+"/") }
	if w.p.ProtectHome.V == "yes" {
		for _, top := range homePaths {
			if under(top) {
				return top
			}
		}
	}
	for i := range w.p.InaccessiblePaths.Items {
		if r := w.p.InaccessiblePaths.Items[i].V; (w.root == "" || r.InRoot) && under(r.Path) {
			return r.Path
		}
	}
	return ""
}

func (w *viewer) devices() {
	v := w.p.PrivateDevices
	if !v.V {
		return
	}
	const name = "PrivateDevices"
	w.layer(&ns.Layer{Kind: ns.LayerDev, Path: "/dev", Attr: ns.NoSUID | ns.NoExec, Data: []string{"mode=0755", "size=64k", "nr_inodes=128"}}, name, v.From, "")
	dev := &ns.Rule{Path: "/dev", Access: ns.Unwritable, Shallow: true, Devices: ns.DevicesOpen}
	w.rule(dev, name, v.From)
	if w.mountable(name, v.From) {
		closed := func(path string, but ...*ns.Rule) {
			r := &ns.Rule{Path: path, Devices: ns.DevicesClosed, Optional: path != "/"}
			w.v.Rules = append(w.v.Rules, r)
			w.rules = append(w.rules, placed{path, ns.Protect{View: w.v, Rule: r, But: but}, name, v.From, "PrivateDevices= implies DevicePolicy=closed: no device but those in /dev"})
		}
		closed("/", dev)
		for _, path := range [...]string{"/dev/shm", "/dev/hugepages"} { // the host's: somebody may have put one there
			closed(path)
		}
	}
	if w.p.BindLogSockets.Set && !w.p.BindLogSockets.V {
		return
	}
	w.layer(&ns.Layer{Kind: ns.LayerBind, Path: "/dev/log", Source: "/dev/log", Tolerate: true}, name, v.From, "syslog(3) writes there")
}

func (w *viewer) ipc() {
	v := w.p.PrivateIPC
	if !v.V {
		return
	}
	w.layer(&ns.Layer{Kind: ns.LayerMqueue, Path: "/dev/mqueue", Optional: true, Attr: ns.NoSUID | ns.NoDev | ns.NoExec}, "PrivateIPC", v.From, "")
	w.exempt("/dev/mqueue", "PrivateIPC", v.From)
}

// kernel is what protects the kernel's own files.
func (w *viewer) kernel() {
	p := w.p
	if v := p.ProtectKernelTunables; v.V {
		for _, path := range tunables {
			var but []*ns.Rule
			if path == "/sys" {
				but = []*ns.Rule{w.exempt("/sys/fs/cgroup", "ProtectKernelTunables", v.From), w.exempt("/sys/fs/selinux", "ProtectKernelTunables", v.From)}
			}
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, "ProtectKernelTunables", v.From, but...)
		}
		for _, path := range tunableSecrets {
			w.rule(&ns.Rule{Path: path, Access: ns.Hidden, Optional: true}, "ProtectKernelTunables", v.From)
		}
	}
	hide := func(v policy.Opt[bool], name string, paths []string) {
		if !v.V {
			return
		}
		for _, path := range paths {
			w.rule(&ns.Rule{Path: path, Access: ns.Hidden, Optional: true}, name, v.From)
		}
	}
	hide(p.ProtectKernelModules, "ProtectKernelModules", modulePaths)
	hide(p.ProtectKernelLogs, "ProtectKernelLogs", kernelLogPaths)
	if v := p.ProtectHostname; v.V.Mode == "yes" && !refusesMounts(p) {
		for _, path := range []string{"/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"} {
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, "ProtectHostname", v.From)
		}
	}
	if v := p.ProtectControlGroups; v.Set {
		const path, name = "/sys/fs/cgroup", "ProtectControlGroups"
		attr := ns.NoSUID | ns.NoDev | ns.NoExec
		switch v.V {
		case "yes":
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, name, v.From)
		case "private":
			w.layer(&ns.Layer{Kind: ns.LayerCgroup, Path: path, Optional: true, Attr: attr}, name, v.From, "")
			w.exempt(path, name, v.From)
		case "strict":
			w.layer(&ns.Layer{Kind: ns.LayerCgroup, Path: path, Optional: true, Attr: attr}, name, v.From, "")
			w.rule(&ns.Rule{Path: path, Access: ns.Unwritable, Optional: true}, name, v.From)
		}
	}
	if v := p.PrivateBPF; v.V {
		w.layer(&ns.Layer{Kind: ns.LayerBPF, Path: "/sys/fs/bpf", Optional: true, Attr: ns.NoSUID | ns.NoDev | ns.NoExec, Data: []string{"mode=0700"}}, "PrivateBPF", v.From, "")
		w.exempt("/sys/fs/bpf", "PrivateBPF", v.From)
	}
}
