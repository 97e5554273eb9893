package ns

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

// Apply mounts all layers with the first of them: what is mounted decides where the
// links of other paths lead, so their order is that of the places, which is found on
// the way. Each layer answers for its own path.
func (s MountLayer) Apply(int) error {
	v := s.View
	if v.state.off {
		return nil
	}
	if !v.state.layered {
		v.state.layered = true
		v.mountLayers()
	}
	return s.Layer.state.err
}

// Verify shows that what is found at the path now is what was mounted there.
func (s MountLayer) Verify() error {
	st := &s.Layer.state
	if st.id == 0 {
		return nil
	}
	if err := s.View.topmost(st.real, st.id); err != nil || s.Layer.Kind != LayerSecrets {
		return err
	}
	return s.View.checkSecrets(s.Layer)
}

// mountLayers mounts one after the other, parents first.
func (v *View) mountLayers() {
	pending := make([]*Layer, 0, len(v.Layers))
	for _, l := range v.Layers {
		if l.state.skip || l.late() {
			continue
		}
		var err error
		if l.state.real, err = v.place(l.Path); err != nil {
			l.state.real = l.Path // it may be covered before it is its turn; else it is said then
		}
		pending = append(pending, l)
	}
	byPlace := func(a, b **Layer) bool { return (*a).state.real < (*b).state.real }
	order.By(pending, byPlace)
	places := make(map[string]*Layer, len(pending))
	for moved := 0; len(pending) > 0; {
		l := pending[0]
		real, err := v.place(l.Path)
		if err == nil && real != l.state.real && len(pending) > 1 && real > pending[1].state.real && moved < 4*len(v.Layers) {
			// A layer changed where the path leads, and others come first now.
			l.state.real = real
			moved++
			order.By(pending, byPlace)
			continue
		}
		pending = pending[1:]
		l.state.real = real
		switch other := places[real]; {
		case err != nil:
		case other == nil:
			places[real] = l
			err = v.mountLayer(l)
		case other.Kind == LayerTmpfs && l.Kind == LayerTmpfs && slices.Equal(other.Data, l.Data):
			l.state.skip = true // /var/tmp is a link to /tmp: there is one already
		default:
			err = errors.New(other.Path + " and " + l.Path + " lead to the same place, " + real)
		}
		l.state.err = err
	}
	for _, l := range v.Layers {
		switch l.Kind {
		case LayerLines:
			l.state.err = v.addLines(l)
		case LayerLink:
			l.state.err = v.makeLink(l)
		case LayerBooted:
			if l.state.err == nil && l.state.id != 0 {
				l.state.err = errors.Join(v.setAttr(l.state.tree, ReadOnly, false), closeFD(l.state.tree))
			}
		}
	}
}

// place is where a path of the daemon's root leads, without links: for what is not
// there yet, where it would be.
func (v *View) place(path string) (string, error) {
	for rest := ""; ; {
		fd, real, err := v.find(path)
		if err == nil {
			if rest != "" && real == "/" {
				real = ""
			}
			return real + rest, closeFD(fd)
		}
		if !errors.Is(err, unix.ENOENT) || path == "/" {
			return "", err
		}
		i := strings.LastIndexByte(path, '/')
		rest = path[i:] + rest
		if path = path[:i]; path == "" {
			path = "/"
		}
	}
}

// mountLayer mounts one layer.
func (v *View) mountLayer(l *Layer) error {
	st := &l.state
	dir := l.Kind != LayerBind || st.dir
	var at int
	var err error
	if l.Optional {
		at, err = openStraight(v.state.root, st.real, unix.O_PATH)
		if absent(err) {
			st.skip = true
			return nil
		}
	} else {
		at, err = v.target(st.real, dir)
	}
	if err != nil {
		return err
	}
	if l.Unless {
		a, err := look(at)
		if err != nil {
			return err
		}
		if a.mountRoot {
			st.skip = true
			return closeFD(at)
		}
	}
	tree := st.tree
	shared := l.Kind == LayerTmpfs && l.From > 0
	switch {
	case l.Kind == LayerBind:
		if l.Attr != 0 {
			err = v.setAttr(tree, l.Attr, true)
		}
	case shared:
	case l.Kind == LayerDev:
		tree, err = v.makeDevices(l)
	case l.Kind == LayerSecrets:
		tree, err = v.makeSecrets(l)
	case l.Kind == LayerBooted:
		return v.mountBooted(l, at)
	default:
		tree, err = newFS(l.Kind.fs(), l.Data, l.Attr)
		if v.UserNS && errors.Is(err, unix.EPERM) && (l.Kind == LayerProc || l.Kind == LayerSys) {
			// A fresh one must not permit more than what is there (mount_too_revealing).
			tree, err = newFS(l.Kind.fs(), l.Data, l.Attr|ReadOnly)
		}
	}
	if err == nil && (l.Kind == LayerTmpfs && !shared || l.Kind == LayerDev) {
		err = checkTmpfs(tree, l.Data)
	}
	if err != nil {
		return err
	}
	if err := attach(tree, at); err != nil {
		return err
	}
	a, err := look(tree)
	if err != nil {
		return err
	}
	st.id = a.mount
	switch l.Kind {
	case LayerDev:
		err = v.mountDevices(l, tree)
	case LayerProc:
		err = v.attachCarried("/proc", tree)
	case LayerSys:
		err = v.attachCarried("/sys", tree)
	}
	return errors.Join(err, closeFD(at), closeFD(tree))
}
