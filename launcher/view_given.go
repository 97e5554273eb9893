package launcher

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
)

const (
	booted      = "/run/systemd/system" // sd_booted(3)
	credentials = "/run/credentials"
	notifyPlace = "/run/host/notify" // of the socket of sd_notify(3) in a new root
)

// bootedAlone tells whether a view is wanted for nothing but /run/systemd/system: what takes
// its sockets by sd_listen_fds(3) may ask sd_booted(3) first.
func (g *Given) bootedAlone() bool { return g.Booted && len(g.Sockets) > 0 }

// secretsAt is where credentials are shown.
func (g *Given) secretsAt() string {
	if g.Unit == "" {
		return credentials + "/hardrun"
	}
	return credentials + "/" + g.Unit
}

// forService plans what a service was given. It comes when all else that is mounted is known.
func (w *viewer) forService() {
	for i := range w.given.Directories {
		w.directoryOf(&w.given.Directories[i])
	}
	w.secrets()
	if !w.canMount() {
		return
	}
	w.accounts()
	if w.given.Booted {
		dir := booted[:strings.LastIndexByte(booted, '/')]
		if w.layers[dir] == nil && w.hides(dir) == "" {
			w.layer(&ns.Layer{Kind: ns.LayerBooted, Path: dir}, "", policy.Origin{}, "sd_booted(3) looks there, and the host has none")
		}
	}
	w.notify()
}

// newRoot tells whether the daemon's root is not that of the host.
func (w *viewer) newRoot() bool { return w.root != "" || w.v.Empty }

// covered tells whether what the host has at a path is not what the view shows there.
func (w *viewer) covered(path string) bool {
	if w.newRoot() {
		return true
	}
	for at, l := range w.layers {
		if (path == at || strings.HasPrefix(path, at+"/")) && (l.Kind != ns.LayerBind || l.Source != l.Path) {
			return true
		}
	}
	return false
}

// directoryOf shows a directory that was made for the service, and keeps it as writable as
// it is to be, systemd.exec(5) RuntimeDirectory=.
func (w *viewer) directoryOf(d *GivenDirectory) {
	name, from := d.Directive, directoryFrom(w.p, d.Directive)
	if top := w.hides(d.Inside); top != "" {
		w.note("directory-hidden", from, name+"="+d.Inside+" is below "+top+", which is made inaccessible")
		return
	}
	if base := privateBase(d.Inside); base != "" && !w.newRoot() && w.layers[base] == nil {
		w.layer(&ns.Layer{Kind: ns.LayerTmpfs, Path: base, Attr: ns.NoSUID | ns.NoDev | ns.NoExec, Data: []string{"mode=0755", "size=64k", "nr_inodes=1k"}},
			name, from, "the host's can be entered by root alone")
		w.rule(&ns.Rule{Path: base, Access: ns.Unwritable, Shallow: true}, name, from)
	}
	covered := w.covered(d.Inside)
	if was := w.layers[d.Inside]; covered && (was == nil || was.Kind != ns.LayerBind) {
		w.layer(&ns.Layer{Kind: ns.LayerBind, Path: d.Inside, Source: d.Host}, name, from, "")
	}
	switch {
	case d.ReadOnly, w.root == d.Host: // the root itself is shown a second time: nobody changes it from there
		w.rule(&ns.Rule{Path: d.Inside, Access: ns.Unwritable}, name, from)
	case w.canMount():
		w.rule(&ns.Rule{Path: d.Inside, Access: ns.Writable}, name, from)
	}
	for _, link := range d.Links {
		if w.covered(link) && w.canMount() {
			w.behind(&ns.Layer{Kind: ns.LayerLink, Path: link, Text: d.Inside}, name, from)
		}
	}
}

// behind adds a layer that changes what others show.
func (w *viewer) behind(l *ns.Layer, name string, from policy.Origin) {
	w.v.Layers = append(w.v.Layers, l)
	w.rules = append(w.rules, placed{l.Path, ns.MountLayer{View: w.v, Layer: l}, name, from, ""})
}

// secrets shows the credentials of the service, and hides those of others.
func (w *viewer) secrets() {
	g := w.given
	if len(g.Credentials) == 0 {
		if g.Unit != "" && w.canMount() && !w.covered(credentials) {
			w.rule(&ns.Rule{Path: credentials, Access: ns.Hidden, Optional: true}, "", policy.Origin{})
		}
		return
	}
	name, from := credentialFrom(w.p)
	const page = 4096
	s := &ns.Secrets{Name: g.secretsAt()[len(credentials)+1:], UID: w.uid}
	size := 16 * page
	for _, c := range g.Credentials {
		s.Files = append(s.Files, ns.Secret{Name: c.ID, Data: c.Data})
		size += (len(c.Data)/page + 2) * page
	}
	if top := w.hides(credentials); top != "" {
		w.refuse(name, from, ExitNamespace, credentials+" is below "+top+", which is made inaccessible")
		return
	}
	w.layer(&ns.Layer{
		Kind: ns.LayerSecrets, Path: credentials, Secrets: s, Attr: ns.NoSUID | ns.NoDev | ns.NoExec,
		Data: []string{"mode=0755", "size=" + strconv.Itoa(size), "nr_inodes=" + strconv.Itoa(len(s.Files)+16)},
	}, name, from, "")
}

// accounts makes the user of DynamicUser= known inside, as nss-systemd(8) would.
func (w *viewer) accounts() {
	who := w.given.Who
	if who == nil || w.v.Empty {
		return
	}
	from := w.p.DynamicUser.From
	w.behind(&ns.Layer{Kind: ns.LayerLines, Path: "/etc/passwd", Text: passwdLine(who)}, "DynamicUser", from)
	w.behind(&ns.Layer{Kind: ns.LayerLines, Path: "/etc/group", Text: groupLine(who)}, "DynamicUser", from)
}

// passwdLine is the line of passwd(5) of a user of DynamicUser=, whom nobody can log in as.
func passwdLine(u *caps.User) string {
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	return u.Name + ":!*:" + number(u.UID) + ":" + number(u.GID) + ":Dynamic User:/:/usr/sbin/nologin\n"
}

func groupLine(u *caps.User) string {
	return u.Name + ":!*:" + strconv.FormatUint(uint64(u.GID), 10) + ":\n"
}

// notifySocket is the address which the daemon will have in NOTIFY_SOCKET; empty for none.
func (c *compiler) notifySocket() string {
	if c.given.Notify != "" {
		return c.given.Notify
	}
	at, ok := lookupVar(c.given.Environ, "NOTIFY_SOCKET")
	if !ok && !c.p.ClearEnv.V {
		at, _ = lookupVar(c.env.Environ, "NOTIFY_SOCKET")
	}
	return at
}

// notify shows the socket of sd_notify(3), where the view would not.
func (w *viewer) notify() {
	at := w.notifySocket()
	if !strings.HasPrefix(at, "/") || !w.covered(at) {
		return
	}
	// The name may come from the environment, and must not show anything else of the host.
	l := &ns.Layer{Kind: ns.LayerBind, Path: at, Source: at, Tolerate: true, Socket: true}
	if w.newRoot() {
		if w.given.Notify == "" && !w.p.MountAPIVFS.V {
			return // nothing is put into a plain one
		}
		l.Path, w.notifyAt = notifyPlace, notifyPlace
	}
	if w.hides(l.Path) != "" {
		w.notifyAt = ""
		return
	}
	if w.layers[l.Path] == nil {
		w.layer(l, "", policy.Origin{}, "sd_notify(3) writes there")
	}
}
