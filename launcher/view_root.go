package launcher

import (
	"slices"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
)

// rootOf plans the new root itself.
func (w *viewer) rootOf() {
	p := w.p
	switch {
	case w.v.Empty:
		if !w.mounts("X-Hardrun-MinimalRoot", p.MinimalRoot.From, "a root of its own") {
			return
		}
		w.add(StageMounts, ns.NewRoot{View: w.v}, "X-Hardrun-MinimalRoot", p.MinimalRoot.From, ExitNamespace)
		w.minimal()
	case w.v.Root != "":
		if !w.mounts("RootDirectory", p.RootDirectory.From, "a root directory with mounts in it") {
			return
		}
		w.add(StageMounts, ns.NewRoot{View: w.v}, "RootDirectory", p.RootDirectory.From, ExitNamespace)
	case w.v.Chrooted && w.canMount():
		name, from := asksView(p, w.given)
		w.add(StageMounts, ns.NewRoot{View: w.v}, name, from, ExitNamespace)
	}
}

// minimal fills an empty root with what the command needs, as Gather found it.
func (w *viewer) minimal() {
	const name = "X-Hardrun-MinimalRoot"
	p, env, from := w.p, w.env, w.p.MinimalRoot.From
	have := map[string]bool{"/": true}
	dir := func(path string) {
		for i := 1; i <= len(path); i++ {
			if i < len(path) && path[i] != '/' || have[path[:i]] {
				continue
			}
			have[path[:i]] = true
			w.v.Files = append(w.v.Files, ns.File{Path: path[:i], Kind: ns.KindDir})
		}
	}
	for _, f := range env.Closure {
		if i := strings.LastIndexByte(f.Path, '/'); i > 0 {
			dir(f.Path[:i])
		}
		if have[f.Path] {
			continue
		}
		switch f.Kind {
		case ns.KindDir:
			dir(f.Path)
		case ns.KindSymlink:
			have[f.Path] = true
			w.v.Files = append(w.v.Files, ns.File{Path: f.Path, Kind: ns.KindSymlink, Target: f.Target})
		case ns.KindFile:
			have[f.Path] = true
			w.v.Files = append(w.v.Files, ns.File{Path: f.Path, Kind: ns.KindFile})
			w.layer(&ns.Layer{Kind: ns.LayerBind, Path: f.Path, Source: f.Path, Shallow: true}, name, from, f.Why)
		}
	}
	for _, path := range []string{"/dev", "/etc", "/run", "/tmp"} {
		dir(path)
	}
	w.v.Texts = env.Texts
	// The root and all that is bound into it is read-only; --bind and --tmpfs are not.
	w.rule(&ns.Rule{Path: "/", Access: ns.Unwritable}, name, from)
	if !p.PrivateDevices.V {
		w.layer(&ns.Layer{Kind: ns.LayerDev, Path: "/dev", Attr: ns.NoSUID | ns.NoExec, Data: []string{"mode=0755", "size=64k", "nr_inodes=128"}, Bare: true}, name, from, "")
	}
	// BindLogSockets= brings it along; where nobody wrote that, the log is no less.
	implied := slices.ContainsFunc(w.plan.Implied, func(i policy.Implied) bool { return i.Name == "BindLogSockets" })
	if !p.BindLogSockets.Set || implied && !p.BindLogSockets.V {
		w.layer(&ns.Layer{Kind: ns.LayerBind, Path: "/dev/log", Source: "/dev/log", Tolerate: true}, name, from, "syslog(3) writes there")
	}
	for _, n := range env.ClosureNotes {
		w.note("minimal-root", from, n)
	}
	w.lacks(have)
}

// lacks says what a daemon may look for in an empty root, and who gives it.
func (w *viewer) lacks(have map[string]bool) {
	p := w.p
	say := func(text string) { w.note("minimal-root", w.p.MinimalRoot.From, text) }
	below := func(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }
	writable := p.PrivateTmp.Set && p.PrivateTmp.V != "no" || len(p.TemporaryFileSystem.Items) > 0
	home := w.env.User.Home
	lacking := p.User.Set && home != "" && !have[home]
	for i := range p.Binds.Items {
		b := &p.Binds.Items[i].V
		writable = writable || !b.ReadOnly
		lacking = lacking && !below(home, b.Target) && !below(b.Target, home)
		for _, t := range w.env.Texts {
			if below(t.Path, b.Target) {
				say(t.Path + " is that of " + b.Source + ", which covers the one made for the daemon")
			}
		}
	}
	for i := range p.TemporaryFileSystem.Items {
		lacking = lacking && !below(p.TemporaryFileSystem.Items[i].V.Path, home)
	}
	if !writable {
		say("nothing in it can be written to: --bind=PATH and --tmpfs=PATH give what the daemon writes (state, logs, a pid file)")
	}
	if !p.User.Set && w.uid == 0 {
		say("only root has a name in it: a user to which the daemon changes by itself is unknown there, one of --user= is known")
	}
	if lacking {
		say("the home directory " + home + " is not in it")
	}
	if by, _ := w.proc(); len(by) == 0 && !p.MountAPIVFS.V {
		say("there is no /proc and no /sys in it: MountAPIVFS=yes gives them")
	}
}

// apiFileSystems plans /proc, /sys, /dev and /run: fresh ones where something
// asks for them, and those of MountAPIVFS= where a new root has none.
func (w *viewer) apiFileSystems() {
	p := w.p
	fresh := func(kind ns.LayerKind, path, name string, from policy.Origin, data []string, unless bool) {
		w.layer(&ns.Layer{Kind: kind, Path: path, Attr: ns.NoSUID | ns.NoDev | ns.NoExec, Data: data, Unless: unless, Optional: w.root == "" && !w.v.Empty}, name, from, "")
		w.exempt(path, name, from)
	}
	bind := func(path string) {
		w.layer(&ns.Layer{Kind: ns.LayerBind, Path: path, Source: path, Unless: true}, "MountAPIVFS", p.MountAPIVFS.From, "")
		w.exempt(path, "MountAPIVFS", p.MountAPIVFS.From)
	}
	api := p.MountAPIVFS.V && (w.root != "" || w.v.Empty)

	by, data := w.proc()
	switch {
	case len(by) > 0 && w.userns == firstUserNS && !p.PrivatePIDs.V:
		for _, a := range by {
			w.refuse(a.name, a.from, ExitNamespace, "a fresh /proc needs PrivatePIDs=yes in a user namespace made without root")
			w.last().Waivable = true
		}
	case len(by) > 0:
		var names []string
		for _, a := range by {
			if w.mountable(a.name, a.from) {
				names = append(names, a.name)
			}
		}
		if len(names) == len(by) {
			fresh(ns.LayerProc, "/proc", strings.Join(names, "= "), by[0].from, data, false)
		}
	case api && (w.userns == firstUserNS || w.env.InUserNS):
		bind("/proc")
	case api:
		fresh(ns.LayerProc, "/proc", "MountAPIVFS", p.MountAPIVFS.From, nil, true)
	}

	name, from := "", policy.Origin{}
	switch {
	case refusesMounts(p):
	case p.PrivateNetwork.V:
		name, from = "PrivateNetwork", p.PrivateNetwork.From
	case p.NetworkNamespacePath.Set:
		name, from = "NetworkNamespacePath", p.NetworkNamespacePath.From
	}
	switch {
	case name != "" && (w.root == "" && !w.v.Empty || api):
		fresh(ns.LayerSys, "/sys", name, from, nil, false)
	case api:
		bind("/sys")
	}
	if !api {
		w.logSockets()
		return
	}
	if !p.PrivateDevices.V && !w.v.Empty {
		bind("/dev")
	}
	w.layer(&ns.Layer{Kind: ns.LayerTmpfs, Path: "/run", Attr: ns.NoSUID | ns.NoDev, Data: []string{"mode=0755", tmpfsSize, tmpfsInodes}, Unless: true}, "MountAPIVFS", p.MountAPIVFS.From, "")
	w.exempt("/run", "MountAPIVFS", p.MountAPIVFS.From)
	w.logSockets()
}

// asker is a directive that needs something together with others.
type asker struct {
	name string
	from policy.Origin
}

// proc are the directives that ask for a procfs of its own, and its options.
func (w *viewer) proc() (by []asker, data []string) {
	p := w.p
	if p.PrivatePIDs.V {
		by = append(by, asker{"PrivatePIDs", p.PrivatePIDs.From})
	}
	if v := p.ProcSubset; v.V == "pid" {
		by = append(by, asker{"ProcSubset", v.From})
		data = append(data, "subset=pid")
	}
	if v := p.ProtectProc; v.Set && v.V != "default" {
		by = append(by, asker{"ProtectProc", v.From})
		data = append(data, "hidepid="+v.V)
	}
	return by, data
}

// logSockets shows the socket of the host's log in a new root.
func (w *viewer) logSockets() {
	v := w.p.BindLogSockets
	if !v.V || w.root == "" && !w.v.Empty {
		return
	}
	for _, path := range []string{"/dev/log", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket", "/run/systemd/journal/stdout"} {
		if path == "/dev/log" && w.p.PrivateDevices.V {
			continue // devices has it
		}
		w.layer(&ns.Layer{Kind: ns.LayerBind, Path: path, Source: path, Tolerate: true, Unless: true}, "BindLogSockets", v.From, "")
	}
}
