package dirs

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownNetwork puts the test's thread, which ends with it, into network and IPC namespaces of
// its own, with lo up.
func ownNetwork(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network and IPC namespaces, ports below 1024")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWIPC); err != nil {
		t.Skip("needs the right to network and IPC namespaces: ", err)
	}
	fd := must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))(t)
	defer func() { _ = unix.Close(fd) }()
	r := must(unix.NewIfreq("lo"))(t)
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatal("lo: ", err)
	}
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners other than one's own")
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ok fails at an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says wants an error with a text.
func says(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("got error %v, want %q in it", err, s)
		}
	}
}

// defaults are systemd's.
func defaults() Options {
	return Options{DirectoryMode: 0o755, Backlog: 1<<32 - 1, Name: "test.socket"}
}

func on(kind ListenKind, address string) Listen {
	return Listen{Kind: kind, Address: address, Mode: 0o666, UID: -1, GID: -1}
}

// opened opens, and closes at the end of the test.
func opened(t *testing.T, o Options, l ...Listen) []Passed {
	t.Helper()
	p, err := Open(l, o)
	ok(t, err)
	t.Cleanup(func() { _ = Close(p) })
	return p
}

// descriptors are how many are open.
func descriptors(t *testing.T) int {
	t.Helper()
	return len(must(os.ReadDir("/proc/self/fd"))(t))
}

// dial connects a socket, by calls of its own, and says what the listener accepted.
func dial(t *testing.T, listener, family, kind int, sa unix.Sockaddr) error {
	t.Helper()
	fd := must(unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0))(t)
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		return err
	}
	if kind == unix.SOCK_DGRAM {
		if _, err := unix.Write(fd, []byte("ping")); err != nil {
			return err
		}
		buf := make([]byte, 16)
		n, _, err := unix.Recvfrom(listener, buf, 0)
		if err == nil && string(buf[:n]) != "ping" {
			err = errors.New("received " + string(buf[:n]))
		}
		return err
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}, 2000)
	if err != nil || n != 1 {
		return errors.Join(err, unix.ETIMEDOUT)
	}
	conn, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(conn)
}

func TestOpenIP(t *testing.T) {
	ownNetwork(t)
	before := descriptors(t)
	local4, local6 := [4]byte{127, 0, 0, 1}, [16]byte{15: 1}
	list := []Listen{
		on(ListenStream, "127.0.0.1:53"), on(ListenDatagram, "127.0.0.1:53"), on(ListenStream, "[::1]:54"),
		on(ListenDatagram, "[::1]:54"), on(ListenStream, "80"), on(ListenDatagram, "80"), on(ListenStream, "@abstract/x"),
	}
	list[1].Name = "udp"
	p := opened(t, defaults(), list...)
	if len(p) != len(list) {
		t.Fatalf("%d opened, want %d", len(p), len(list))
	}
	for i := range p {
		name := "test.socket"
		if i == 1 {
			name = "udp"
		}
		flags, err := unix.FcntlInt(uintptr(p[i].FD), unix.F_GETFD, 0)
		if p[i].Name != name || p[i].FD < 3 || err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: name %q, descriptor %d, flags %x, %v", list[i].Address, p[i].Name, p[i].FD, flags, err)
		}
		if n, err := unix.GetsockoptInt(p[i].FD, unix.SOL_SOCKET, unix.SO_REUSEADDR); n != 1 || err != nil {
			t.Errorf("%s: SO_REUSEADDR is %d, %v", list[i].Address, n, err)
		}
	}
	for _, c := range []struct {
		i, family, kind int
		sa              unix.Sockaddr
		want            error
	}{
		{0, unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: 53, Addr: local4}, nil},
		{1, unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Port: 53, Addr: local4}, nil},
		{2, unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Port: 54, Addr: local6}, nil},
		{3, unix.AF_INET6, unix.SOCK_DGRAM, &unix.SockaddrInet6{Port: 54, Addr: local6}, nil},
		{4, unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Port: 80, Addr: local6}, nil},
		{4, unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: 80, Addr: local4}, nil},
		{5, unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Port: 80, Addr: local4}, nil},
		{6, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: "@abstract/x"}, nil},
	} {
		if err := dial(t, p[c.i].FD, c.family, c.kind, c.sa); !errors.Is(err, c.want) {
			t.Errorf("%v=%s: %v", list[c.i].Kind, list[c.i].Address, err)
		}
	}
	if sa, err := unix.Getsockname(p[6].FD); err != nil || sa.(*unix.SockaddrUnix).Name != "@abstract/x" {
		t.Errorf("the abstract name is %+v, %v", sa, err)
	}
	// Not once more: nothing stays open, and the error says where.
	count := descriptors(t)
	_, err := Open([]Listen{on(ListenStream, "127.0.0.1:99"), list[0]}, defaults())
	if err == nil || err.Error() != "ListenStream=127.0.0.1:53: bind: address already in use" || !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
	ok(t, Close(p))
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors after Close, %d before", n, before)
	}
}

func TestBindIPv6Only(t *testing.T) {
	ownNetwork(t)
	four := &unix.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}}
	for _, c := range []struct {
		only   string
		sysctl string
		want   error
	}{
		{"", "0", nil},
		{"default", "1", unix.ECONNREFUSED},
		{"both", "1", nil},
		{"ipv6-only", "0", unix.ECONNREFUSED},
	} {
		// /proc/sys/net is that of the thread's namespace.
		ok(t, os.WriteFile("/proc/sys/net/ipv6/bindv6only", []byte(c.sysctl), 0o644))
		o := defaults()
		o.BindIPv6Only = c.only
		p := opened(t, o, on(ListenStream, "80"))
		fd := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
		if err := unix.Connect(fd, four); err != c.want {
			t.Errorf("BindIPv6Only=%s, bindv6only=%s: %v, want %v", c.only, c.sysctl, err, c.want)
		}
		ok(t, errors.Join(unix.Close(fd), Close(p)))
	}
	o := defaults()
	o.BindIPv6Only = "yes"
	_, err := Open([]Listen{on(ListenStream, "80")}, o)
	says(t, err, `BindIPv6Only="yes"`)
}

// answers lets a call of the test's thread, which ends with it, answer an error, or 0 without
// having done anything; where first is not negative, only with that first argument.
func answers(t *testing.T, call uintptr, first int, e unix.Errno) {
	t.Helper()
	runtime.LockOSThread()
	low := uint32(16) // of the first argument in struct seccomp_data
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 20
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: low},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(first), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if first < 0 {
		filter[3] = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	ok(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	ok(t, unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0))
}

// Calls that say 0 and do nothing are found out.
func TestLies(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	for _, c := range []struct {
		call   uintptr
		listen Listen
		want   string
	}{
		{unix.SYS_FCHOWNAT, Listen{Address: dir + "/s", Mode: 0o600, UID: 1234, GID: -1}, "fstat: read back mode 0600, owner 0:0, want mode 0600, owner 1234:-1"},
		{unix.SYS_FCHOWNAT, Listen{Kind: ListenFIFO, Address: dir + "/f", Mode: 0o600, UID: -1, GID: 1234}, "read back mode 0600, owner 0:0"},
		{unix.SYS_FCHMOD, Listen{Kind: ListenFIFO, Address: dir + "/there", Mode: 0o666, UID: -1, GID: -1}, "read back mode 0600"},
		{unix.SYS_UMASK, Listen{Address: dir + "/s", Mode: 0o666, UID: -1, GID: -1}, "read back mode 0"},
		{unix.SYS_BIND, on(ListenDatagram, "@hardrun-test-lies"), "getsockname: read back"},
		{unix.SYS_LISTEN, on(ListenStream, dir+"/s"), "getsockopt(SO_ACCEPTCONN): read back 0, want 1"},
		{unix.SYS_SETSOCKOPT, on(ListenStream, dir+"/s"), "getsockopt(SO_REUSEADDR): read back 0, want 1"},
	} {
		ok(t, errors.Join(os.RemoveAll(dir+"/there"), unix.Mkfifo(dir+"/there", 0o600)))
		done := make(chan error)
		go func() { // a thread of its own, which ends with the filter
			answers(t, c.call, -1, 0)
			p, err := Open([]Listen{c.listen}, defaults())
			done <- errors.Join(err, Close(p))
		}()
		says(t, <-done, c.want)
	}
	if list := must(os.ReadDir(dir))(t); len(list) != 1 {
		t.Errorf("left: %v", list)
	}
}

// A kernel without IPv6.
func TestNoIPv6(t *testing.T) {
	ownNetwork(t)
	answers(t, unix.SYS_SOCKET, unix.AF_INET6, unix.EAFNOSUPPORT)
	for _, only := range []string{"", "both"} {
		o := defaults()
		o.BindIPv6Only = only
		p := opened(t, o, on(ListenStream, "80"))
		ok(t, dial(t, p[0].FD, unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}}))
		ok(t, Close(p))
	}
	o := defaults()
	o.BindIPv6Only = "ipv6-only"
	_, err := Open([]Listen{on(ListenStream, "80")}, o)
	says(t, err, "ListenStream=80: socket: address family not supported")
	_, err = Open([]Listen{on(ListenStream, "[::]:80")}, defaults())
	says(t, err, "ListenStream=[::]:80: socket: address family not supported")
}

// dropCapabilities drops them from the effective set of the thread, which ends with the test.
func dropCapabilities(t *testing.T, list ...int) {
	t.Helper()
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	ok(t, unix.Capget(&header, &data[0]))
	for _, c := range list {
		data[c/32].Effective &^= 1 << (c % 32)
	}
	ok(t, unix.Capset(&header, &data[0]))
}

func TestNetlinkAndQueue(t *testing.T) {
	ownNetwork(t)
	o := defaults()
	o.MessageQueueMaxMessages, o.MessageQueueMessageSize, o.RemoveOnStop = 3, 128, true
	queue := on(ListenMessageQueue, "/hardrun-test")
	queue.Mode, queue.UID, queue.GID = 0o620, 1234, 1235
	p := opened(t, o, on(ListenNetlink, "route 1361"), queue)
	sa, err := unix.Getsockname(p[0].FD)
	if nl, is := sa.(*unix.SockaddrNetlink); err != nil || !is || nl.Groups != 1361 {
		t.Errorf("netlink: %+v, %v", sa, err)
	}
	var st unix.Stat_t
	ok(t, unix.Fstat(p[1].FD, &st))
	if st.Mode&0o7777 != 0o620 || st.Uid != 1234 || st.Gid != 1235 {
		t.Errorf("queue: mode %o, owner %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
	}
	var attr mqAttr
	_, _, e := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(p[1].FD), 0, uintptr(unsafe.Pointer(&attr)))
	if e != 0 || attr.maxMessages != 3 || attr.messageSize != 128 {
		t.Errorf("queue: %+v, %v", attr, e)
	}
	// It stays, is taken again by its owner, and not with other attributes.
	ok(t, Close(p))
	again := opened(t, o, queue)
	o.MessageQueueMaxMessages = 4
	_, err = Open([]Listen{queue}, o)
	says(t, err, "ListenMessageQueue=/hardrun-test: MessageQueueMaxMessages= and MessageQueueMessageSize=: the queue has 3 and 128")
	o.MessageQueueMaxMessages = 0
	_, err = Open([]Listen{queue}, o)
	says(t, err, "both or none")
	stranger := queue
	stranger.UID = 99
	_, err = Open([]Listen{stranger}, defaults())
	says(t, err, "of uid 1234, which is not taken")
	ok(t, RemoveSockets(again))
	name := must(unix.BytePtrFromString("hardrun-test"))(t)
	if _, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), 0, 0, 0, 0, 0); e != unix.ENOENT {
		t.Errorf("the queue is still there: %v", e)
	}
	ok(t, RemoveSockets(again)) // nothing is left to be removed
}

func TestVsock(t *testing.T) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Skip("needs vsock(7): ", err)
	}
	ok(t, unix.Close(fd))
	p := opened(t, defaults(), on(ListenStream, "vsock::61000"))
	sa, err := unix.Getsockname(p[0].FD)
	if vm, is := sa.(*unix.SockaddrVM); err != nil || !is || vm.Port != 61000 || vm.CID != unix.VMADDR_CID_ANY {
		t.Errorf("%+v, %v", sa, err)
	}
}

func TestSpecial(t *testing.T) {
	p := opened(t, defaults(), on(ListenSpecial, "/dev/null"), on(ListenSpecial, "/proc/version"))
	if _, err := unix.Write(p[0].FD, []byte("x")); err != unix.EBADF {
		t.Errorf("without Writable=: write: %v", err)
	}
	o := defaults()
	o.Writable = true
	p = opened(t, o, on(ListenSpecial, "/dev/null"))
	if _, err := unix.Write(p[0].FD, []byte("x")); err != nil {
		t.Errorf("Writable=yes: write: %v", err)
	}
	dir := t.TempDir()
	ok(t, unix.Mkfifo(dir+"/fifo", 0o600))
	for path, want := range map[string]string{
		dir:                   "there is a directory",
		dir + "/fifo":         "there is a FIFO",
		dir + "/none":         "no such file",
		"/proc/self/fd/0":     "too many levels of symbolic links",
		"/proc/self/root/etc": "too many levels of symbolic links",
	} {
		says(t, errorOf(on(ListenSpecial, path)), "ListenSpecial="+path+": ", want)
	}
}

// stated is what a path is, by lstat(2).
func stated(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return st
}

// A path's mode and owner are exact whatever the umask, directories are made, and a stale
// socket makes way.
func TestPath(t *testing.T) {
	asRoot(t)
	for _, umask := range []int{0, 0o022, 0o777} {
		dir := t.TempDir()
		path := dir + "/a/b/s"
		l := Listen{Kind: ListenSequentialPacket, Address: path, Mode: 0o642, UID: 1234, GID: 1235}
		fifo := Listen{Kind: ListenFIFO, Address: dir + "/a/f", Mode: 0o624, UID: 1236, GID: -1}
		o := defaults()
		o.DirectoryMode, o.PipeSize = 0o1773, 8192
		old := unix.Umask(umask)
		p, err := Open([]Listen{l, fifo}, o)
		if got := unix.Umask(old); got != umask {
			t.Errorf("umask 0%o became 0%o", umask, got)
		}
		ok(t, err)
		for path, want := range map[string]struct{ mode, uid, gid uint32 }{
			path: {unix.S_IFSOCK | 0o642, 1234, 1235}, dir + "/a/f": {unix.S_IFIFO | 0o624, 1236, 0},
			dir + "/a": {unix.S_IFDIR | 0o1773, 0, 0}, dir + "/a/b": {unix.S_IFDIR | 0o1773, 0, 0},
		} {
			if st := stated(t, path); st.Mode != want.mode || st.Uid != want.uid || st.Gid != want.gid {
				t.Errorf("%s: mode %o, owner %d:%d, want %o, %d:%d", path, st.Mode, st.Uid, st.Gid, want.mode, want.uid, want.gid)
			}
		}
		if sa, err := unix.Getsockname(p[0].FD); err != nil || sa.(*unix.SockaddrUnix).Name != path {
			t.Errorf("the socket's name is %+v, %v", sa, err)
		}
		ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_SEQPACKET, &unix.SockaddrUnix{Name: path}))
		if n, err := unix.FcntlInt(uintptr(p[1].FD), unix.F_GETPIPE_SZ, 0); n != 8192 || err != nil {
			t.Errorf("F_GETPIPE_SZ: %d, %v", n, err)
		}
		writer := must(unix.Open(dir+"/a/f", unix.O_WRONLY|unix.O_NONBLOCK, 0))(t)
		_, err = unix.Write(writer, []byte("fifo"))
		buf := make([]byte, 8)
		n, e := unix.Read(p[1].FD, buf)
		if err != nil || e != nil || string(buf[:n]) != "fifo" {
			t.Errorf("FIFO: %q, %v, %v", buf[:n], err, e)
		}
		ok(t, errors.Join(unix.Close(writer), Close(p)))
		// Both are there already.
		before := stated(t, path)
		fifo.Mode = 0o600
		p = opened(t, o, l, fifo)
		if after := stated(t, path); after.Ino == before.Ino && after.Ctim == before.Ctim {
			t.Error("the stale socket is still there")
		}
		if st := stated(t, dir+"/a/f"); st.Mode&0o777 != 0o600 {
			t.Errorf("FIFO: mode %o", st.Mode)
		}
		ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_SEQPACKET, &unix.SockaddrUnix{Name: path}))
	}
}

// The same without the right to ask for the file of a socket.
func TestPathWithoutNetAdmin(t *testing.T) {
	asRoot(t)
	dropCapabilities(t, unix.CAP_NET_ADMIN)
	path := t.TempDir() + "/s"
	for range 2 {
		l := Listen{Address: path, Mode: 0o600, UID: 1234, GID: 1234}
		p := opened(t, defaults(), l)
		if st := stated(t, path); st.Mode != unix.S_IFSOCK|0o600 || st.Uid != 1234 {
			t.Errorf("mode %o, owner %d", st.Mode, st.Uid)
		}
		ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: path}))
	}
}

// What is no socket is never removed, and nothing is changed behind it.
func TestOccupied(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	victim := dir + "/victim"
	ok(t, os.WriteFile(victim, []byte("data"), 0o600))
	ok(t, os.WriteFile(dir+"/file", []byte("data"), 0o600))
	ok(t, os.Mkdir(dir+"/dir", 0o700))
	ok(t, os.Symlink(victim, dir+"/link"))
	ok(t, os.Symlink(dir+"/none", dir+"/dangling"))
	ok(t, unix.Mkfifo(dir+"/fifo", 0o600))
	ok(t, unix.Mkfifo(dir+"/planted", 0o666))
	ok(t, os.Chown(dir+"/planted", 4321, 4321))
	for name, what := range map[string]string{"file": "a regular file", "dir": "a directory", "link": "a symbolic link", "dangling": "a symbolic link", "fifo": "a FIFO"} {
		for _, kind := range []ListenKind{ListenStream, ListenDatagram, ListenFIFO} {
			if kind == ListenFIFO && name == "fifo" {
				continue
			}
			before := stated(t, dir+"/"+name)
			_, err := Open([]Listen{{Kind: kind, Address: dir + "/" + name, Mode: 0o666, UID: 1234, GID: 1234}}, defaults())
			says(t, err, kind.String()+"="+dir+"/"+name+": ", "there is "+what+", which is not removed")
			if after := stated(t, dir+"/"+name); after != before {
				t.Errorf("%s was changed: %+v, %+v before", name, after, before)
			}
		}
	}
	_, err := Open([]Listen{on(ListenFIFO, dir+"/planted")}, defaults())
	says(t, err, "there is a FIFO of uid 4321, which is not taken")
	if st := stated(t, victim); st.Uid != 0 || st.Mode != unix.S_IFREG|0o600 || st.Size != 4 {
		t.Errorf("the victim: %+v", st)
	}
	if _, err := os.Lstat(dir + "/none"); err == nil {
		t.Error("made behind a link")
	}
}

// Links on the way are followed where root made them in directories of its own.
func TestWay(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	ok(t, os.Mkdir(dir+"/real", 0o755))
	ok(t, os.Symlink("real", dir+"/relative"))
	ok(t, os.Symlink(dir+"/relative/../real", dir+"/absolute"))
	ok(t, os.Symlink("loop", dir+"/loop"))
	ok(t, os.Symlink("/proc/self/root", dir+"/magic"))
	ok(t, os.Symlink(dir+"/missing", dir+"/dangling"))
	for _, way := range []string{"real", "relative", "absolute"} {
		path := dir + "/" + way + "/sub/" + way
		p := opened(t, defaults(), on(ListenStream, path))
		ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: dir + "/real/sub/" + way}))
		if sa, err := unix.Getsockname(p[0].FD); err != nil || sa.(*unix.SockaddrUnix).Name != path {
			t.Errorf("the socket's name is %+v, %v", sa, err)
		}
	}
	p := opened(t, defaults(), on(ListenStream, dir+"/dangling/s"))
	ok(t, Abandon(p))
	if list := must(os.ReadDir(dir))(t); len(list) != 6 {
		t.Errorf("%d files, want the 6 from before: %v", len(list), list)
	}
	says(t, errorOf(on(ListenStream, dir+"/loop/s")), "too many levels of symbolic links")
	says(t, errorOf(on(ListenStream, dir+"/magic"+dir+"/real/s")), "too many levels of symbolic links")

	// A directory of somebody else: no link in it is followed, whoever made it; what is made
	// directly in it, or by a way through it, is.
	own := dir + "/own"
	ok(t, os.MkdirAll(own+"/sub", 0o755))
	ok(t, os.Symlink(dir+"/real", own+"/link"))
	ok(t, os.Symlink(dir+"/real", dir+"/planted"))
	ok(t, errors.Join(os.Lchown(dir+"/planted", 4321, 4321), os.Chown(own, 4321, 4321)))
	says(t, errorOf(on(ListenStream, own+"/link/s")), own+"/link/s: others than root could lead the link link elsewhere: it is not followed")
	says(t, errorOf(on(ListenStream, dir+"/planted/s")), "the link planted elsewhere")
	says(t, errorOf(on(ListenFIFO, own+"/link/f")), "it is not followed")
	for name, want := range map[string]string{own + "/s": own + "/s", own + "/sub/s": "/proc/self/fd/"} {
		l := on(ListenStream, name)
		l.UID = 4321
		p := opened(t, defaults(), l)
		ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: name}))
		if sa, err := unix.Getsockname(p[0].FD); err != nil || !strings.HasPrefix(sa.(*unix.SockaddrUnix).Name, want) {
			t.Errorf("the socket's name is %+v, %v, want %s", sa, err, want)
		}
		if st := stated(t, name); st.Uid != 4321 {
			t.Errorf("%s: owner %d", name, st.Uid)
		}
		ok(t, RemoveSockets(p))
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	// A sticky directory of all: root's link is as good as in a directory of root's own.
	ok(t, os.Mkdir(dir+"/tmp", 0o755))
	ok(t, os.Chmod(dir+"/tmp", 0o777|os.ModeSticky))
	ok(t, os.Symlink("../real", dir+"/tmp/root"))
	ok(t, os.Symlink("../real", dir+"/tmp/other"))
	ok(t, os.Lchown(dir+"/tmp/other", 4321, 4321))
	opened(t, defaults(), on(ListenStream, dir+"/tmp/root/t"))
	says(t, errorOf(on(ListenStream, dir+"/tmp/other/t")), "it is not followed")
	ok(t, errors.Join(os.Mkdir(dir+"/tmp/root2", 0o755), os.Mkdir(dir+"/tmp/other2", 0o755), os.Chown(dir+"/tmp/other2", 4321, 4321)))
	for name, want := range map[string]string{dir + "/tmp/root2/s": dir, dir + "/tmp/other2/s": "/proc/self/fd/"} {
		p := opened(t, defaults(), on(ListenStream, name))
		if sa, err := unix.Getsockname(p[0].FD); err != nil || !strings.HasPrefix(sa.(*unix.SockaddrUnix).Name, want) {
			t.Errorf("the socket's name is %+v, %v, want %s", sa, err, want)
		}
	}
}

func errorOf(l Listen) error {
	p, err := Open([]Listen{l}, defaults())
	return errors.Join(err, Close(p))
}

func TestLongPath(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/" + strings.Repeat("a", 107-len(dir)-1)
	p := opened(t, defaults(), on(ListenStream, path))
	ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: path}))
	says(t, errorOf(on(ListenStream, path+"a")), "a path of 108 bytes")
	opened(t, defaults(), on(ListenFIFO, path+"a"))
}

// After an error all that was made is gone, and what was there is not.
func TestAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.Mkdir(dir+"/kept", 0o755))
	ok(t, unix.Mkfifo(dir+"/kept/fifo", 0o600))
	ok(t, os.WriteFile(dir+"/file", nil, 0o600))
	count := descriptors(t)
	o := defaults()
	o.Symlinks = []string{dir + "/links/l", dir + "/kept/link", dir + "/file"}
	ok(t, os.Symlink(dir+"/kept/new/deep/s", dir+"/kept/link"))
	_, err := Open([]Listen{on(ListenStream, dir+"/kept/new/deep/s")}, o)
	says(t, err, "Symlinks="+dir+"/file: there is a regular file, which is not replaced")
	o = defaults()
	_, err = Open([]Listen{on(ListenStream, dir+"/x/s"), on(ListenFIFO, dir+"/y/f"), on(ListenFIFO, dir+"/kept/fifo"), on(ListenStream, dir+"/file")}, o)
	says(t, err, "ListenStream="+dir+"/file: ")
	var left []string
	ok(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		left = append(left, strings.TrimPrefix(path, dir))
		return err
	}))
	if got, want := strings.Join(left, " "), " /file /kept /kept/fifo /kept/link"; got != want {
		t.Errorf("left:%s, want%s", got, want)
	}
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
}

// What is passed is no standard stream, though these are closed.
func TestClosedStreams(t *testing.T) {
	kept := must(unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 100))(t)
	ok(t, unix.Close(0))
	p, err := Open([]Listen{on(ListenStream, t.TempDir()+"/s")}, defaults())
	f, err2 := OpenFiles([]File{{Path: "/dev/null"}})
	ok(t, errors.Join(unix.Dup3(kept, 0, 0), unix.Close(kept), err, err2))
	if p[0].FD < 3 || f[0].FD < 3 {
		t.Errorf("descriptors %d and %d", p[0].FD, f[0].FD)
	}
	ok(t, errors.Join(Close(p), Close(f)))
}

func TestSymlinks(t *testing.T) {
	dir := t.TempDir()
	path, o := dir+"/s", defaults()
	o.Symlinks = []string{dir + "/a/link", dir + "/b"}
	for range 2 { // what is there and right is no error
		p := opened(t, o, on(ListenStream, path), on(ListenStream, "@hardrun-test-symlinks"))
		for _, link := range o.Symlinks {
			if to, err := os.Readlink(link); to != path || err != nil {
				t.Errorf("%s leads to %q, %v", link, to, err)
			}
			ok(t, dial(t, p[0].FD, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: link}))
		}
		ok(t, Close(p))
	}
	// Another link is replaced with RemoveOnStop= alone, and a file never.
	ok(t, errors.Join(os.Remove(dir+"/b"), os.Symlink("elsewhere", dir+"/b")))
	_, err := Open([]Listen{on(ListenStream, path)}, o)
	says(t, err, "Symlinks="+dir+"/b: there is a symbolic link, which is not replaced")
	o.RemoveOnStop = true
	p := opened(t, o, on(ListenStream, path))
	if to, err := os.Readlink(dir + "/b"); to != path || err != nil {
		t.Errorf("b leads to %q, %v", to, err)
	}
	// Removal: what somebody else put there stays.
	ok(t, errors.Join(os.Remove(dir+"/b"), os.WriteFile(dir+"/b", nil, 0o600)))
	ok(t, RemoveSockets(p))
	for name, want := range map[string]bool{"s": false, "a/link": false, "b": true, "a": true} {
		if _, err := os.Lstat(dir + "/" + name); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
	_, err = Open([]Listen{on(ListenStream, path)}, o)
	says(t, err, "Symlinks="+dir+"/b: there is a regular file, which is not replaced")
	o.Symlinks = []string{dir + "/c"}
	_, err = Open([]Listen{on(ListenStream, path), on(ListenFIFO, dir+"/f")}, o)
	says(t, err, "Symlinks=: there must be one socket or FIFO")
}

func TestRemoveSockets(t *testing.T) {
	dir := t.TempDir()
	p := opened(t, defaults(), on(ListenStream, dir+"/s"), on(ListenFIFO, dir+"/f"), on(ListenFIFO, dir+"/gone"))
	// The service's own, made anew, and a file.
	ok(t, errors.Join(os.Remove(dir+"/s"), os.WriteFile(dir+"/s", nil, 0o600), os.Remove(dir+"/gone")))
	ok(t, RemoveSockets(p))
	if _, err := os.Lstat(dir + "/s"); err != nil {
		t.Error("somebody else's file was removed")
	}
	if _, err := os.Lstat(dir + "/f"); err == nil {
		t.Error("the FIFO is still there")
	}
}

// as runs f again and again on a thread of the user's, until the test ends.
func as(t *testing.T, uid int, f func()) {
	t.Helper()
	var stop atomic.Bool
	ready, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends here
		_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(uid), uintptr(uid), uintptr(uid))
		}
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		}
		if e != 0 {
			ready <- e
			return
		}
		ready <- nil
		for !stop.Load() {
			f()
		}
	}()
	ok(t, <-ready)
	t.Cleanup(func() { stop.Store(true); <-done })
}

// The owner of a directory exchanges what is in it while sockets are made there: nothing is
// made, changed or removed anywhere else.
func TestRaceSocket(t *testing.T) {
	asRoot(t)
	const attacker = 4321
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	dir := t.TempDir()
	for top := dir; top != "/" && top != os.TempDir(); top = filepath.Dir(top) {
		ok(t, os.Chmod(top, 0o755))
	}
	victim, own := dir+"/victim", dir+"/own"
	ok(t, errors.Join(os.Mkdir(victim, 0o755), os.MkdirAll(own+"/x", 0o755), os.Symlink(victim, own+"/y")))
	ok(t, os.WriteFile(victim+"/file", []byte("data"), 0o600))
	// A name of root's file in the directory of the attacker, as with protected_hardlinks=0.
	// The name can be lost in the place of a stale socket, as by its owner's own hand.
	ok(t, os.Link(victim+"/file", own+"/hard"))
	ok(t, errors.Join(os.Chown(own, attacker, attacker), os.Chown(own+"/x", attacker, attacker), os.Lchown(own+"/y", attacker, attacker)))
	before := stated(t, victim)
	var swaps atomic.Int64
	as(t, attacker, func() {
		if unix.Renameat2(unix.AT_FDCWD, own+"/x", unix.AT_FDCWD, own+"/y", unix.RENAME_EXCHANGE) == nil {
			swaps.Add(1)
		}
		if unix.Renameat2(unix.AT_FDCWD, own+"/s", unix.AT_FDCWD, own+"/hard", unix.RENAME_EXCHANGE) == nil {
			swaps.Add(1)
		}
	})
	deadline := time.Now().Add(20 * time.Second)
	good, refused := 0, 0
	for i := 0; i < rounds || swaps.Load() < 100 && time.Now().Before(deadline); i++ {
		for _, l := range []Listen{
			{Address: own + "/x/s", Mode: 0o600, UID: attacker, GID: attacker},
			{Address: own + "/s", Mode: 0o600, UID: attacker, GID: attacker},
			{Kind: ListenFIFO, Address: own + "/x/f", Mode: 0o600, UID: attacker, GID: attacker},
			{Kind: ListenFIFO, Address: own + "/s", Mode: 0o600, UID: attacker, GID: attacker},
		} {
			p, err := Open([]Listen{l}, defaults())
			if err != nil {
				refused++
				continue
			}
			good++
			// That the way has become another is an error here, too.
			if err := RemoveSockets(p); err != nil {
				refused++
			}
			ok(t, Close(p))
		}
	}
	t.Logf("%d exchanges, %d opened, %d refused", swaps.Load(), good, refused)
	if swaps.Load() < 100 || good == 0 {
		t.Errorf("%d exchanges, %d opened: no race", swaps.Load(), good)
	}
	list := must(os.ReadDir(victim))(t)
	st := stated(t, victim+"/file")
	if after := stated(t, victim); after.Mtim != before.Mtim || len(list) != 1 {
		t.Errorf("the victim was written to: %v", list)
	}
	if st.Uid != 0 || st.Mode != unix.S_IFREG|0o600 || st.Size != 4 {
		t.Errorf("the victim's file: owner %d, mode %o, %d names, %d bytes", st.Uid, st.Mode, st.Nlink, st.Size)
	}
}
