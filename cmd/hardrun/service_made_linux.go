//go:build linux && cgo

package main

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// What is made once for all commands of a service.

// identity chooses the user of DynamicUser=. One that the user database has is that one.
func (s *service) identity() int {
	p := s.p
	if !p.DynamicUser.V {
		return 0
	}
	name := dynamicName(p, s.name)
	u, err := caps.Host.LookupUser(name)
	switch {
	case err == nil && u.Entry:
		p.User = policy.Opt[string]{V: name, Set: true, From: p.DynamicUser.From}
		return 0
	case err != nil && !errors.As(err, new(caps.UnknownUserError)):
		return s.refuse("DynamicUser", p.DynamicUser.From, launcher.ExitUser, err)
	}
	if err := errDynamicName(name); err != nil {
		return s.refuse("User", p.User.From, launcher.ExitUser, err)
	}
	list, _ := directoryList(s.p, true)
	own := make([]string, len(list))
	for i := range list {
		own[i] = list[i].Host()
	}
	var root dirs.Root
	uid, lock, err := root.Choose(name, own)
	if err != nil {
		return s.refuse("DynamicUser", p.DynamicUser.From, launcher.ExitUser, err)
	}
	// What is to be claimed is the process's for as long as it lives, so that others can choose.
	if err := errors.Join(dirs.Claim(uid), lock.Release()); err != nil {
		return s.refuse("DynamicUser", p.DynamicUser.From, launcher.ExitUser, err)
	}
	s.given.Who = &caps.User{Name: name, UID: uint32(uid), GID: uint32(uid), Home: "/", Shell: "/usr/sbin/nologin"}
	return 0
}

// objects sees to it that RemoveIPC= is done at the end.
func (s *service) objects() int {
	p := s.p
	if !p.DynamicUser.V && !(p.RemoveIPC.V && (p.User.Set || p.Group.Set)) {
		return 0
	}
	uid, gid, err := s.who()
	if err != nil {
		return s.refuse("User", p.User.From, launcher.ExitUser, err)
	}
	s.clean = append(s.clean, func() []error { return dirs.RemoveIPC(dirs.Root{}, uid, gid) })
	return 0
}

// sockets opens the sockets of socket units and of --listen, and the files of OpenFile=.
func (s *service) sockets() int {
	pass := func(list []dirs.Passed) {
		for _, f := range list {
			s.given.Sockets = append(s.given.Sockets, launcher.GivenSocket{FD: f.FD, Name: f.Name, NonBlocking: s.p.Service.NonBlocking.V})
			s.keep = append(s.keep, f.FD)
		}
	}
	for _, a := range s.in.listening {
		if len(a.socket.Listen.Items) == 0 {
			continue
		}
		from := a.socket.Listen.Items[0].From
		list, o, err := listens(a.socket, a.name)
		var opened []dirs.Passed
		if err == nil {
			opened, err = dirs.Open(list, o)
		}
		if err != nil {
			return refusals([]launcher.Refusal{{Origin: from, Text: err.Error(), Exit: launcher.ExitFDs}})
		}
		pass(opened)
		s.undo = append(s.undo, func() []error { return oneError(dirs.Abandon(opened)) })
		if o.RemoveOnStop {
			s.clean = append(s.clean, func() []error { return oneError(dirs.RemoveSockets(opened)) })
		}
	}
	if files := s.p.Service.OpenFile.Items; len(files) > 0 {
		list := make([]dirs.File, len(files))
		for i, f := range files {
			list[i] = dirs.File{Path: f.V.Path, Name: f.V.Name, ReadOnly: f.V.ReadOnly, Append: f.V.Append, Truncate: f.V.Truncate, Graceful: f.V.Graceful}
		}
		opened, err := dirs.OpenFiles(list)
		if err != nil {
			return s.refuse("OpenFile", files[0].From, launcher.ExitFDs, err)
		}
		pass(opened)
	}
	return 0
}

// listens are the sockets of a socket unit, or of --listen, and what holds for all of them.
// Names of users are looked up here.
func listens(v *policy.Socket, name string) ([]dirs.Listen, dirs.Options, error) {
	o := dirs.Options{
		Name: name, DirectoryMode: 0o755, RemoveOnStop: v.RemoveOnStop.V, BindIPv6Only: v.BindIPv6Only.V, Backlog: ^uint32(0),
		BindToDevice: v.BindToDevice.V, Protocol: v.Protocol.V, Writable: v.Writable.V,
		ReusePort: v.ReusePort.V, FreeBind: v.FreeBind.V, Transparent: v.Transparent.V, Broadcast: v.Broadcast.V, KeepAlive: v.KeepAlive.V, NoDelay: v.NoDelay.V,
		PassCredentials: v.PassCredentials.V, PassPIDFD: v.PassPIDFD.V, PassSecurity: v.PassSecurity.V, PassPacketInfo: v.PassPacketInfo.V,
		RefuseFDs:     v.PassFD.Set && !v.PassFD.V,
		ReceiveBuffer: v.ReceiveBuffer.V, SendBuffer: v.SendBuffer.V, PipeSize: v.PipeSize.V,
		Timestamping: v.Timestamping.V, TCPCongestion: v.TCPCongestion.V,
		KeepAliveTimeSec: v.KeepAliveTimeSec.V, KeepAliveIntervalSec: v.KeepAliveIntervalSec.V, DeferAcceptSec: v.DeferAcceptSec.V,
		KeepAliveProbes:         v.KeepAliveProbes.V,
		MessageQueueMaxMessages: v.MessageQueueMaxMessages.V, MessageQueueMessageSize: v.MessageQueueMessageSize.V,
	}
	if v.FileDescriptorName.Set {
		o.Name = v.FileDescriptorName.V
	}
	if v.DirectoryMode.Set {
		o.DirectoryMode = v.DirectoryMode.V
	}
	if v.Backlog.Set {
		o.Backlog = v.Backlog.V
	}
	if v.Mark.Set {
		mark := uint32(v.Mark.V)
		o.Mark = &mark
	}
	for _, n := range [...]struct {
		from policy.Opt[int]
		to   **int
	}{{v.IPTOS, &o.IPTOS}, {v.IPTTL, &o.IPTTL}, {v.Priority, &o.Priority}} {
		if n.from.Set {
			value := n.from.V
			*n.to = &value
		}
	}
	for _, l := range v.Symlinks.Items {
		o.Symlinks = append(o.Symlinks, l.V)
	}
	list := make([]dirs.Listen, len(v.Listen.Items))
	for i := range v.Listen.Items {
		it := &v.Listen.Items[i].V
		l := dirs.Listen{Kind: dirs.ListenKind(it.Kind), Address: it.Address, Mode: 0o666, UID: -1, GID: -1, Name: it.Name}
		for _, m := range [...]policy.Opt[uint32]{v.Mode, it.Mode} {
			if m.Set {
				l.Mode = m.V
			}
		}
		for _, u := range [...]policy.Opt[string]{v.User, it.User} {
			if !u.Set {
				continue
			}
			found, err := caps.Host.LookupUser(u.V)
			if err != nil {
				return nil, o, err
			}
			l.UID = int(found.UID)
			if found.Entry {
				l.GID = int(found.GID)
			}
		}
		for _, g := range [...]policy.Opt[string]{v.Group, it.Group} {
			if !g.Set {
				continue
			}
			found, err := caps.Host.LookupGroup(g.V)
			if err != nil {
				return nil, o, err
			}
			l.GID = int(found.GID)
		}
		list[i] = l
	}
	return list, o, nil
}

// The kinds are told twice; these do not compile where the two differ.
var (
	_ = [1]struct{}{}[int(policy.ListenStream)-int(dirs.ListenStream)]
	_ = [1]struct{}{}[int(policy.ListenFIFO)-int(dirs.ListenFIFO)]
	_ = [1]struct{}{}[int(policy.ListenMessageQueue)-int(dirs.ListenMessageQueue)]
)

// inherited takes over what was passed to this process (sd_listen_fds(3)) for the daemon, who
// has another number where a parent stays. It comes behind the service's own.
func (s *service) inherited() int {
	environ := s.t.Snapshot.Environ
	if pid, _ := lookupEnv(environ, "LISTEN_PID"); pid != strconv.Itoa(unix.Getpid()) {
		return 0
	}
	count, _ := lookupEnv(environ, "LISTEN_FDS")
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 4096 {
		say("LISTEN_FDS=" + strconv.Quote(count) + " is no count of descriptors")
		return launcher.ExitFDs
	}
	text, _ := lookupEnv(environ, "LISTEN_FDNAMES")
	names := strings.Split(text, ":")
	for i := range n {
		fd := process.FirstPassed + i
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		}
		if err != nil {
			say("LISTEN_FDS=" + count + ": descriptor " + strconv.Itoa(fd) + ": " + err.Error())
			return launcher.ExitFDs
		}
		name := "unknown" // sd_listen_fds_with_names(3)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		s.given.Sockets = append(s.given.Sockets, launcher.GivenSocket{FD: fd, Name: name, NonBlocking: flags&unix.O_NONBLOCK != 0 || s.p.Service.NonBlocking.V})
	}
	s.t.Snapshot.Environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "LISTEN_") })
	return 0
}

// stores are where credentials without a path are looked for.
func (s *service) stores() []string {
	var list []string
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		list = append(list, dir)
	}
	return append(list, "/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore")
}

// credentials reads LoadCredential= and the like.
func (s *service) credentials() int {
	items := s.p.Credentials.Items
	if len(items) == 0 {
		return 0
	}
	list := make([]dirs.Credential, len(items))
	for i := range items {
		c := &items[i].V
		list[i] = dirs.Credential{ID: c.ID, Path: c.Path, Data: c.Data, Set: c.Set, Import: c.Import, Rename: c.Rename}
	}
	loaded, err := dirs.Load(s.name, list, s.stores())
	if err != nil {
		return refusals([]launcher.Refusal{{Origin: items[0].From, Text: err.Error(), Exit: launcher.ExitCredential}})
	}
	for _, c := range loaded {
		s.given.Credentials = append(s.given.Credentials, launcher.GivenCredential{ID: c.ID, Data: c.Data})
	}
	if s.given.Unit == "" {
		s.given.Unit = s.name
	}
	return 0
}

// shared makes the namespaces and file systems that all commands see. Where that needs what
// is not here, each command has its own.
func (s *service) shared() int {
	n := 0
	for _, l := range s.p.Service.Commands {
		n += len(l.Items)
	}
	if n < 2 {
		return 0
	}
	apart := func(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) }
	keep := func(fd int) {
		if fd >= 0 {
			s.keep = append(s.keep, fd)
		}
	}
	net, ipc, err := launcher.MakeShared(s.p)
	if err != nil && !apart(err) {
		return s.refuse("PrivateNetwork", s.p.PrivateNetwork.From, launcher.ExitNamespace, err)
	}
	if err == nil {
		s.given.Net, s.given.IPC = net, ipc
		keep(net)
		keep(ipc)
	}
	p := *s.p
	p.Normalize(false) // DynamicUser= implies it
	if v := p.PrivateTmp; v.Set && v.V != "no" {
		places := []*int{&s.given.Tmp, &s.given.VarTmp}
		if !p.PrivateVarTmp() {
			places = places[:1]
		}
		for _, at := range places {
			fd, err := launcher.MakeTmp()
			if err != nil {
				if apart(err) {
					return 0
				}
				return s.refuse("PrivateTmp", v.From, launcher.ExitNamespace, err)
			}
			*at = fd
			keep(fd)
		}
	}
	return 0
}
