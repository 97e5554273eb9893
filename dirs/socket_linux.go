package dirs

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens what l says, in its order, with systemd's options, and shows by the kernel's
// getters that it has them. After an error nothing is open, and what was made is removed. A
// socket that lies at a path already is replaced, nothing else is. The umask, which is the
// process's, is another meanwhile.
func Open(l []Listen, o Options) ([]Passed, error) {
	var p []Passed
	umask := unix.Umask(0)
	err := open(l, &o, &p)
	unix.Umask(umask)
	if err != nil {
		return nil, errors.Join(err, Abandon(p))
	}
	return p, nil
}

func open(l []Listen, o *Options, p *[]Passed) error {
	switch {
	case !slices.Contains([]string{"", "default", "both", "ipv6-only"}, o.BindIPv6Only):
		return errors.New("BindIPv6Only=" + strconv.Quote(o.BindIPv6Only) + " is not default, both or ipv6-only")
	case !slices.Contains([]string{"", "off", "us", "ns"}, o.Timestamping):
		return errors.New("Timestamping=" + strconv.Quote(o.Timestamping) + " is not off, us or ns")
	}
	asked := o.settings(0, 0, 0)
	var kinds [ListenMessageQueue + 1]bool // that are opened
	ip := false
	for i := range l {
		listen := &l[i]
		what := listen.Kind.String() + "=" + listen.Address
		a, err := ParseAddress(listen.Kind, listen.Address)
		if err != nil {
			return errors.New(listen.Kind.String() + "=" + err.Error())
		}
		if listen.Mode > 0o777 || o.DirectoryMode > 0o7777 {
			return named(what, errors.New("the mode has more than the bits of an access mode"))
		}
		kinds[listen.Kind] = true
		ip = ip || a.Kind == AddressIPv4 || a.Kind == AddressIPv6 || a.Kind == AddressPort
		name, err := passedName(listen.Name, o.Name)
		if err != nil {
			return named(what, err)
		}
		*p = append(*p, Passed{FD: -1, Name: name, node: node{what: what}})
		opened := &(*p)[i]
		switch listen.Kind {
		case ListenFIFO:
			err = openFIFO(opened, listen, &a, o)
		case ListenSpecial:
			err = openSpecial(opened, &a, o)
		case ListenMessageQueue:
			err = openQueue(opened, listen, &a, o)
		default:
			err = openSocket(opened, listen, &a, o, asked)
		}
		if err == nil && opened.FD < 3 {
			err = opened.raise()
		}
		if err != nil {
			return named(what, err)
		}
	}
	for i := range asked {
		if !asked[i].fits {
			fits := false // by another row of the same directive
			for j := range asked {
				fits = fits || asked[j].name == asked[i].name && asked[j].fits
			}
			if !fits {
				return noneHas(asked[i].name)
			}
		}
	}
	switch {
	case o.Protocol != "" && !ip:
		return noneHas("SocketProtocol")
	case o.Writable && !kinds[ListenSpecial]:
		return noneHas("Writable")
	case o.PipeSize > 0 && !kinds[ListenFIFO]:
		return noneHas("PipeSize")
	case (o.MessageQueueMaxMessages > 0 || o.MessageQueueMessageSize > 0) && !kinds[ListenMessageQueue]:
		return noneHas("MessageQueueMaxMessages= and MessageQueueMessageSize")
	}
	return openLinks(o, *p)
}

func noneHas(name string) error { return errors.New(name + "=: nothing that is opened has it") }

// raise moves a descriptor away from the standard streams.
func (p *Passed) raise() error {
	fd, err := unix.FcntlInt(uintptr(p.FD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
	}
	old := p.FD
	p.FD = fd
	return closed(old)
}

func openSocket(p *Passed, l *Listen, a *Address, o *Options, asked []setting) error {
	family, kind := a.family(), [...]int{ListenStream: unix.SOCK_STREAM, ListenDatagram: unix.SOCK_DGRAM, ListenSequentialPacket: unix.SOCK_SEQPACKET, ListenNetlink: unix.SOCK_RAW}[l.Kind]
	protocol := 0
	switch {
	case family == unix.AF_NETLINK:
		protocol = int(a.Port)
	case family != unix.AF_INET && family != unix.AF_INET6:
	case o.Protocol == "udplite":
		protocol = unix.IPPROTO_UDPLITE
	case o.Protocol == "sctp":
		protocol = unix.IPPROTO_SCTP
	case o.Protocol == "mptcp":
		protocol = unix.IPPROTO_MPTCP
	case o.Protocol != "":
		return errors.New("SocketProtocol=" + strconv.Quote(o.Protocol) + " is not udplite, sctp or mptcp")
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err == unix.EAFNOSUPPORT && a.Kind == AddressPort && o.BindIPv6Only != "ipv6-only" {
		four := Address{Kind: AddressIPv4, Port: a.Port} // a kernel without IPv6
		a, family = &four, unix.AF_INET
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	p.FD = fd
	list := o.settings(family, kind, protocol)
	for i := range list {
		asked[i].fits = asked[i].fits || list[i].fits
		if err := list[i].set(fd); err != nil {
			return named(list[i].name+"=", err)
		}
	}
	scope, err := a.scope(fd)
	if err != nil {
		return err
	}
	sockaddr := a.sockaddr(scope)
	if a.Kind == AddressPath {
		if sockaddr, err = bindPath(p, l, a, o); err != nil {
			return err
		}
	} else if err := bind(fd, sockaddr); err != nil {
		return err
	}
	if accepts := kind == unix.SOCK_STREAM || kind == unix.SOCK_SEQPACKET; accepts {
		if err := unix.Listen(fd, int(min(o.Backlog, 1<<31-1))); err != nil {
			return os.NewSyscallError("listen", err)
		}
		list = append(list, setting{call: "SO_ACCEPTCONN", level: unix.SOL_SOCKET, opt: unix.SO_ACCEPTCONN, want: 1, fits: true})
	}
	list = append(list, setting{call: "SO_DOMAIN", level: unix.SOL_SOCKET, opt: unix.SO_DOMAIN, want: family, fits: true},
		setting{call: "SO_TYPE", level: unix.SOL_SOCKET, opt: unix.SO_TYPE, want: kind, fits: true})
	if protocol != 0 {
		list = append(list, setting{call: "SO_PROTOCOL", level: unix.SOL_SOCKET, opt: unix.SO_PROTOCOL, want: protocol, fits: true})
	}
	for i := range list {
		if err := list[i].check(fd); err != nil {
			if list[i].name != "" {
				err = named(list[i].name+"=", err)
			}
			return err
		}
	}
	return checkName(fd, sockaddr, a.Kind == AddressNetlink)
}

// siocUnixFile opens the file of a bound socket, unix(7).
const siocUnixFile = 0x89e0

// bindPath binds a socket to a path, and gives its file the owner that is asked for. What is
// answered is the address to which it was bound.
func bindPath(p *Passed, l *Listen, a *Address, o *Options) ([]byte, error) {
	at, err := find(a.Text, int(o.DirectoryMode), false)
	if err != nil {
		return nil, err
	}
	p.node.path, p.node.dirs = a.Text, at.made
	address := *a
	if address.Text = at.bindAddress(a.Text); len(address.Text) > maxPath {
		return nil, errors.Join(named(address.Text, unix.ENAMETOOLONG), at.close())
	}
	sockaddr := address.sockaddr(0)
	return sockaddr, errors.Join(bindAt(p, l, at, sockaddr), at.close())
}

func bindAt(p *Passed, l *Listen, at *place, sockaddr []byte) error {
	try := func() error {
		umask := unix.Umask(int(0o777 &^ l.Mode))
		err := bind(p.FD, sockaddr)
		unix.Umask(umask)
		return err
	}
	err := try()
	if errors.Is(err, unix.EADDRINUSE) {
		st, e := at.stat()
		if e != nil {
			return errors.Join(err, e)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			return errors.New("bind: there is " + kindOf(st.Mode) + ", which is not removed")
		}
		// Whose directory it is can put another name of a file in its place now, which he
		// could as well remove.
		if err := unix.Unlinkat(at.dir, at.name, 0); err != nil {
			return os.NewSyscallError("unlink", err)
		}
		err = try()
	}
	if err != nil {
		return err
	}
	// The file of this very socket, wherever its name was led; where that cannot be asked
	// for, what has the name now, if it is new and ours.
	fd, sure := -1, false
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(p.FD), siocUnixFile, 0)
	switch e {
	case 0:
		fd, sure = int(r), true
	case unix.EPERM, unix.ENOTTY, unix.EINVAL, unix.EOPNOTSUPP:
		if fd, err = at.open(unix.O_PATH); err != nil {
			return err
		}
	default:
		return os.NewSyscallError("ioctl(SIOCUNIXFILE)", e)
	}
	return errors.Join(ownNode(p, l, at, fd, sure), closed(fd))
}

// ownNode shows that what has the name is the file of fd, and gives it its owner.
func ownNode(p *Passed, l *Listen, at *place, fd int, sure bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	named, err := at.stat()
	if err != nil {
		return err
	}
	if fileID(&named) != fileID(&st) || st.Mode&unix.S_IFMT != unix.S_IFSOCK || st.Nlink != 1 ||
		!sure && int(st.Uid) != unix.Geteuid() {
		return errors.New("what was bound there was replaced by somebody")
	}
	p.node.id, p.node.made = fileID(&st), true
	return owned(fd, l, func() error { return nil })
}

// owned gives a file its owner and mode, and reads them back.
func owned(fd int, l *Listen, chmod func() error) error {
	if l.UID >= 0 || l.GID >= 0 {
		if err := unix.Fchownat(fd, "", max(l.UID, -1), max(l.GID, -1), unix.AT_EMPTY_PATH); err != nil {
			return os.NewSyscallError("fchownat", err)
		}
	}
	if err := chmod(); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if l.UID >= 0 && int(st.Uid) != l.UID || l.GID >= 0 && int(st.Gid) != l.GID || st.Mode&0o7777 != l.Mode {
		return errors.New("fstat: read back mode 0" + strconv.FormatUint(uint64(st.Mode&0o7777), 8) + ", owner " +
			strconv.FormatUint(uint64(st.Uid), 10) + ":" + strconv.FormatUint(uint64(st.Gid), 10) + ", want mode 0" +
			strconv.FormatUint(uint64(l.Mode), 8) + ", owner " + strconv.Itoa(l.UID) + ":" + strconv.Itoa(l.GID))
	}
	return nil
}

func openFIFO(p *Passed, l *Listen, a *Address, o *Options) error {
	at, err := find(a.Text, int(o.DirectoryMode), false)
	if err != nil {
		return err
	}
	p.node.path, p.node.dirs = a.Text, at.made
	return errors.Join(fifoAt(p, l, at, o), at.close())
}

func fifoAt(p *Passed, l *Listen, at *place, o *Options) error {
	err := unix.Mkfifoat(at.dir, at.name, l.Mode)
	if err != nil && err != unix.EEXIST {
		return os.NewSyscallError("mkfifo", err)
	}
	made := err == nil
	st, err := at.stat()
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return errors.New("there is " + kindOf(st.Mode) + ", which is not removed")
	}
	if p.FD, err = at.open(unix.O_RDWR | unix.O_NONBLOCK | unix.O_NOCTTY); err != nil {
		return err
	}
	if err := unix.Fstat(p.FD, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if err := ours(&st, l, unix.S_IFIFO); err != nil {
		return err
	}
	p.node.id, p.node.made = fileID(&st), made
	if err := owned(p.FD, l, func() error { return unix.Fchmod(p.FD, l.Mode) }); err != nil {
		return err
	}
	if o.PipeSize == 0 {
		return nil
	}
	if o.PipeSize > 1<<31-1 {
		return named("PipeSize=", unix.EINVAL)
	}
	if _, err := unix.FcntlInt(uintptr(p.FD), unix.F_SETPIPE_SZ, int(o.PipeSize)); err != nil {
		return named("PipeSize=", os.NewSyscallError("fcntl(F_SETPIPE_SZ)", err))
	}
	if got, err := unix.FcntlInt(uintptr(p.FD), unix.F_GETPIPE_SZ, 0); err != nil || uint64(got) < o.PipeSize {
		return named("PipeSize=", errors.New("fcntl(F_GETPIPE_SZ): read back "+strconv.Itoa(got)))
	}
	return nil
}

// ours refuses a FIFO or message queue that was there and that others could have open: they
// would read what is meant for the service.
func ours(st *unix.Stat_t, l *Listen, format uint32) error {
	if st.Mode&unix.S_IFMT != format || st.Nlink != 1 || int(st.Uid) != unix.Geteuid() && int(st.Uid) != l.UID {
		return errors.New("there is " + kindOf(st.Mode) + " of uid " + strconv.FormatUint(uint64(st.Uid), 10) + ", which is not taken")
	}
	return nil
}

func openSpecial(p *Passed, a *Address, o *Options) error {
	flags := unix.O_RDONLY
	if o.Writable {
		flags = unix.O_RDWR
	}
	fd, at, err := openTrusted(a.Text, flags)
	if err != nil {
		return err
	}
	p.FD = fd
	if err := at.close(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if format := st.Mode & unix.S_IFMT; format != unix.S_IFREG && format != unix.S_IFCHR {
		return errors.New("there is " + kindOf(st.Mode) + ", not a character device or a file of /proc or /sys")
	}
	return nil
}

// mqAttr is struct mq_attr, mq_getattr(3).
type mqAttr struct{ flags, maxMessages, messageSize, current, _, _, _, _ int }

func openQueue(p *Passed, l *Listen, a *Address, o *Options) error {
	if (o.MessageQueueMaxMessages == 0) != (o.MessageQueueMessageSize == 0) {
		return errors.New("MessageQueueMaxMessages= and MessageQueueMessageSize=: both or none")
	}
	if o.MessageQueueMaxMessages > 1<<31-1 || o.MessageQueueMessageSize > 1<<31-1 {
		return named("MessageQueueMaxMessages= and MessageQueueMessageSize=", unix.ERANGE)
	}
	var asked *mqAttr
	if o.MessageQueueMaxMessages != 0 {
		asked = &mqAttr{maxMessages: int(o.MessageQueueMaxMessages), messageSize: int(o.MessageQueueMessageSize)}
	}
	name, err := unix.BytePtrFromString(a.Text[1:])
	if err != nil {
		return named("mq_open", err)
	}
	try := func(flags int) (int, unix.Errno) {
		fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), uintptr(flags|unix.O_NONBLOCK|unix.O_CLOEXEC),
			uintptr(l.Mode), uintptr(unsafe.Pointer(asked)), 0, 0)
		return int(fd), e
	}
	fd, e := try(unix.O_CREAT | unix.O_EXCL)
	made := e == 0
	if e == unix.EEXIST {
		fd, e = try(0)
	}
	if e != 0 {
		return os.NewSyscallError("mq_open", e)
	}
	p.FD = fd
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if err := ours(&st, l, unix.S_IFREG); err != nil {
		return err
	}
	p.node.path, p.node.queue, p.node.id, p.node.made = a.Text, true, fileID(&st), made
	if err := owned(fd, l, func() error { return unix.Fchmod(fd, l.Mode) }); err != nil {
		return err
	}
	var got mqAttr
	if _, _, e := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(fd), 0, uintptr(unsafe.Pointer(&got))); e != 0 {
		return os.NewSyscallError("mq_getattr", e)
	}
	if asked != nil && (got.maxMessages != asked.maxMessages || got.messageSize != asked.messageSize) {
		return errors.New("MessageQueueMaxMessages= and MessageQueueMessageSize=: the queue has " + strconv.Itoa(got.maxMessages) + " and " + strconv.Itoa(got.messageSize))
	}
	return nil
}

// openLinks makes the links of Symlinks=.
func openLinks(o *Options, list []Passed) error {
	if len(o.Symlinks) == 0 {
		return nil
	}
	var to *node
	for i := range list {
		n := &list[i].node
		if n.path == "" || n.queue {
			continue
		}
		if to != nil {
			to = nil
			break
		}
		to = n
	}
	if to == nil {
		return named("Symlinks=", errors.New("there must be one socket or FIFO that has a path"))
	}
	for _, s := range o.Symlinks {
		path, err := normalPath(s)
		if err != nil {
			return errors.New("Symlinks=" + err.Error())
		}
		at, err := find(path, int(o.DirectoryMode), false)
		if err != nil {
			return named("Symlinks="+s, err)
		}
		l := link{path: path, target: to.path, dirs: at.made}
		err = linkAt(at, &l, o.RemoveOnStop)
		to.links = append(to.links, l)
		if err = errors.Join(err, at.close()); err != nil {
			return named("Symlinks="+s, err)
		}
	}
	return nil
}

func linkAt(at *place, l *link, replace bool) error {
	err := unix.Symlinkat(l.target, at.dir, at.name)
	if err == unix.EEXIST {
		st, e := at.stat()
		if e != nil {
			return e
		}
		same := at.leadsTo(l.target)
		switch {
		case same:
			return nil
		case st.Mode&unix.S_IFMT != unix.S_IFLNK || !replace:
			return errors.New("there is " + kindOf(st.Mode) + ", which is not replaced")
		}
		if err := unix.Unlinkat(at.dir, at.name, 0); err != nil {
			return os.NewSyscallError("unlink", err)
		}
		err = unix.Symlinkat(l.target, at.dir, at.name)
	}
	l.made = err == nil
	return os.NewSyscallError("symlink", err)
}

// leadsTo tells whether the name is a link with that text.
func (p *place) leadsTo(target string) bool {
	buf := make([]byte, len(target)+1)
	n, err := unix.Readlinkat(p.dir, p.name, buf)
	return err == nil && string(buf[:max(n, 0)]) == target
}

// Close closes the descriptors. The sockets stay open where they were passed on.
func Close(p []Passed) (err error) {
	for i := range p {
		if p[i].FD >= 0 {
			err = errors.Join(err, closed(p[i].FD))
			p[i].FD = -1
		}
	}
	return err
}

// RemoveSockets removes what the sockets have in the file system, and Symlinks=:
// RemoveOnStop=. What others have put in their places meanwhile stays.
func RemoveSockets(p []Passed) error { return remove(p, true) }

// Abandon takes back what Open did: the descriptors are closed, and what was made is removed.
func Abandon(p []Passed) error {
	err := errors.Join(remove(p, false), Close(p))
	for i := len(p) - 1; i >= 0; i-- {
		n := &p[i].node
		for j := len(n.links) - 1; j >= 0; j-- {
			err = errors.Join(err, removeDirs(n.links[j].dirs))
		}
		err = errors.Join(err, removeDirs(n.dirs))
	}
	return err
}

// remove removes links and nodes; without all, only those that were made.
func remove(list []Passed, all bool) (err error) {
	for i := range list {
		n := &list[i].node
		for _, l := range n.links {
			if all || l.made {
				err = errors.Join(err, named(n.what, unlink(l.path, func(at *place) bool { return at.leadsTo(l.target) })))
			}
		}
		if n.id == ([2]uint64{}) || !all && !n.made {
			continue
		}
		if n.queue {
			err = errors.Join(err, named(n.what, n.unlinkQueue()))
			continue
		}
		err = errors.Join(err, named(n.what, unlink(n.path, func(at *place) bool {
			st, err := at.stat()
			return err == nil && fileID(&st) == n.id
		})))
	}
	return err
}

// unlink removes a path if it is what it should be.
func unlink(path string, is func(*place) bool) error {
	at, err := find(path, -1, false)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if is(at) {
		if err = unix.Unlinkat(at.dir, at.name, 0); err == unix.ENOENT {
			err = nil
		}
	}
	return errors.Join(os.NewSyscallError("unlink", err), at.close())
}

// unlinkQueue removes a message queue if it still is the one that was opened.
func (n *node) unlinkQueue() error {
	name, err := unix.BytePtrFromString(n.path[1:])
	if err != nil {
		return named("mq_unlink", err)
	}
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0, 0, 0)
	if e == unix.ENOENT {
		return nil
	}
	if e != 0 {
		return os.NewSyscallError("mq_open", e)
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(int(fd), &st))
	if err == nil && fileID(&st) == n.id {
		if _, _, e := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0); e != 0 && e != unix.ENOENT {
			err = os.NewSyscallError("mq_unlink", e)
		}
	}
	return errors.Join(err, closed(int(fd)))
}
