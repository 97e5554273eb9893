package main

import (
	varint "encoding/binary"
	"errors"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// errand is what a process is told that runs one command of a service: the unit as it was
// read at the start, which command, and what was made for all of them. The options it has
// in its own words, which are those of the start.
type errand struct {
	unit        *unit.Unit // nil where the service is made of options alone
	list, index int        // the command, in policy.Service.Commands
	given       launcher.Given
	child       bool // of a parent that stays, or that waits for it
	exec        int  // a descriptor that execve(2) of the command closes, which tells of it; -1 for none
	lock        int  // the lock of the uid of DynamicUser= (dirs.Lock), held until execve(2); -1 for none
}

// descriptors are those that the process must have been given.
func (o *errand) descriptors() []int {
	var list []int
	for _, s := range o.given.Sockets {
		list = append(list, s.FD)
	}
	for _, fd := range [...]int{o.given.Net, o.given.IPC, o.given.Tmp, o.given.VarTmp, o.exec, o.lock} {
		if fd >= 0 {
			list = append(list, fd)
		}
	}
	return list
}

// teller writes an errand. The reader is the same program, so that there is no version.
type teller struct{ b []byte }

func (t *teller) number(n int) { t.b = varint.AppendVarint(t.b, int64(n)) }

func (t *teller) bool(v bool) {
	n := 0
	if v {
		n = 1
	}
	t.number(n)
}

func (t *teller) text(s string) {
	t.number(len(s))
	t.b = append(t.b, s...)
}

func (t *teller) texts(list []string) {
	t.number(len(list))
	for _, s := range list {
		t.text(s)
	}
}

// tell is the errand as bytes.
func (o *errand) tell() []byte {
	t := &teller{b: make([]byte, 0, 16<<10)}
	t.bool(o.unit != nil)
	if u := o.unit; u != nil {
		t.text(u.Name)
		t.text(u.Path)
		t.text(u.Prefix)
		t.text(u.Instance)
		t.texts(u.Files)
		t.number(len(u.Assignments))
		for i := range u.Assignments {
			a := &u.Assignments[i]
			t.text(a.Section)
			t.text(a.Name)
			t.text(a.Value)
			t.text(a.From.File)
			t.number(a.From.Line)
		}
	}
	t.number(o.list)
	t.number(o.index)
	t.number(o.exec)
	t.bool(o.child)
	t.number(o.lock)
	g := &o.given
	t.text(g.Unit)
	t.bool(g.Who != nil)
	if w := g.Who; w != nil {
		t.text(w.Name)
		t.number(int(w.UID))
		t.number(int(w.GID))
		t.text(w.Home)
		t.text(w.Shell)
		t.bool(w.Entry)
	}
	t.texts(g.Environ)
	t.number(len(g.Sockets))
	for _, s := range g.Sockets {
		t.number(s.FD)
		t.text(s.Name)
		t.bool(s.NonBlocking)
	}
	for _, fd := range [...]int{g.Net, g.IPC, g.Tmp, g.VarTmp} {
		t.number(fd)
	}
	t.text(g.Notify)
	t.bool(g.Booted)
	t.number(len(g.Credentials))
	for _, c := range g.Credentials {
		t.text(c.ID)
		t.text(string(c.Data))
	}
	t.number(len(g.Directories))
	for _, d := range g.Directories {
		t.text(d.Host)
		t.text(d.Inside)
		t.texts(d.Links)
		t.bool(d.ReadOnly)
		t.text(d.Directive)
	}
	t.bool(g.Death)
	t.text(g.Group)
	return t.b
}

var errTold = errors.New("what the command of the service was told cannot be read")

// hearer reads an errand. After the first error all that it answers is empty.
type hearer struct {
	b   []byte
	bad bool
}

func (h *hearer) number() int {
	n, size := varint.Varint(h.b)
	if size <= 0 {
		h.bad, h.b = true, nil
		return 0
	}
	h.b = h.b[size:]
	return int(n)
}

func (h *hearer) bool() bool { return h.number() != 0 }

func (h *hearer) text() string {
	n := h.number()
	if n < 0 || n > len(h.b) {
		h.bad, h.b = true, nil
		return ""
	}
	s := string(h.b[:n])
	h.b = h.b[n:]
	return s
}

// count is the length of a list: each item takes a byte at least.
func (h *hearer) count() int {
	n := h.number()
	if n < 0 || n > len(h.b) {
		h.bad, h.b = true, nil
		return 0
	}
	return n
}

func (h *hearer) texts() []string {
	list := make([]string, h.count())
	for i := range list {
		list[i] = h.text()
	}
	return list
}

// hear reads what tell has written.
func hear(b []byte) (*errand, error) {
	h := &hearer{b: b}
	o := &errand{}
	if h.bool() {
		u := &unit.Unit{Name: h.text(), Path: h.text(), Prefix: h.text(), Instance: h.text(), Files: h.texts()}
		u.Assignments = make([]unit.Assignment, h.count())
		for i := range u.Assignments {
			u.Assignments[i] = unit.Assignment{Section: h.text(), Name: h.text(), Value: h.text(), From: policy.Origin{File: h.text(), Line: h.number()}}
		}
		o.unit = u
	}
	o.list, o.index, o.exec, o.child, o.lock = h.number(), h.number(), h.number(), h.bool(), h.number()
	g := &o.given
	g.Unit = h.text()
	if h.bool() {
		g.Who = &caps.User{Name: h.text(), UID: uint32(h.number()), GID: uint32(h.number()), Home: h.text(), Shell: h.text(), Entry: h.bool()}
	}
	g.Environ = h.texts()
	g.Sockets = make([]launcher.GivenSocket, h.count())
	for i := range g.Sockets {
		g.Sockets[i] = launcher.GivenSocket{FD: h.number(), Name: h.text(), NonBlocking: h.bool()}
	}
	for _, fd := range [...]*int{&g.Net, &g.IPC, &g.Tmp, &g.VarTmp} {
		*fd = h.number()
	}
	g.Notify, g.Booted = h.text(), h.bool()
	g.Credentials = make([]launcher.GivenCredential, h.count())
	for i := range g.Credentials {
		g.Credentials[i] = launcher.GivenCredential{ID: h.text(), Data: []byte(h.text())}
	}
	g.Directories = make([]launcher.GivenDirectory, h.count())
	for i := range g.Directories {
		g.Directories[i] = launcher.GivenDirectory{Host: h.text(), Inside: h.text(), Links: h.texts(), ReadOnly: h.bool(), Directive: h.text()}
	}
	g.Death = h.bool()
	g.Group = h.text()
	if h.bad || len(h.b) > 0 || o.list < 0 || o.list >= len(policy.ExecNames) {
		return nil, errTold
	}
	return o, nil
}
