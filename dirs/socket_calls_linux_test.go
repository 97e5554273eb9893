package dirs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// Calls that fail while something is opened, and what is refused of what is there.
func TestOpenCalls(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	socket, fifo := on(ListenStream, dir+"/s"), on(ListenFIFO, dir+"/f")
	links, pipe := defaults(), defaults()
	links.Symlinks, links.RemoveOnStop, pipe.PipeSize = []string{dir + "/l"}, true, 8192
	for _, tt := range []struct {
		name   string
		before func() error
		listen Listen
		o      Options
		calls  []call
		want   string
	}{
		{"a socket", nil, socket, defaults(), nil, ""},
		{"a group alone", nil, Listen{Address: dir + "/s", Mode: 0o600, UID: -1, GID: 1234}, defaults(), nil, ""},
		{"a group alone, which is not set", nil, Listen{Address: dir + "/s", Mode: 0o600, UID: -1, GID: 1234}, defaults(), []call{{number: unix.SYS_FCHOWNAT, e: 0}}, "read back mode 0600, owner 0:0"},
		{
			"a socket that stays", func() error { return unix.Mknod(dir+"/s", unix.S_IFSOCK|0o600, 0) }, socket, defaults(),
			[]call{{number: unix.SYS_UNLINKAT, e: unix.EROFS}},
			"unlink: read-only file system",
		},
		{"a FIFO", nil, fifo, pipe, nil, ""},
		{"the mode of a FIFO", nil, fifo, defaults(), []call{{number: unix.SYS_FCHMOD, e: unix.EPERM}}, "fchmod: operation not permitted"},
		{"the size of a FIFO", nil, fifo, pipe, []call{{unix.SYS_FCNTL, unix.EPERM, 1, unix.F_SETPIPE_SZ}}, "PipeSize=: fcntl(F_SETPIPE_SZ): operation not permitted"},
		{"the size of a FIFO is not told", nil, fifo, pipe, []call{{unix.SYS_FCNTL, unix.EIO, 1, unix.F_GETPIPE_SZ}}, "PipeSize=: fcntl(F_GETPIPE_SZ): read back -1"},
		{
			"a FIFO with another name", func() error { return errors.Join(unix.Mkfifo(dir+"/f", 0o600), os.Link(dir+"/f", dir+"/g")) }, fifo, defaults(), nil,
			"there is a FIFO of uid 0, which is not taken",
		},
		{
			"a link that stays", func() error { return os.Symlink("/elsewhere", dir+"/l") }, socket, links,
			[]call{{number: unix.SYS_UNLINKAT, e: unix.EROFS}},
			"Symlinks=" + dir + "/l: unlink: read-only file system",
		},
		{"a link that is replaced", func() error { return os.Symlink("/elsewhere", dir+"/l") }, socket, links, nil, ""},
	} {
		if tt.before != nil {
			ok(t, tt.before())
		}
		same(t, tt.name, func() {
			result(t, tt.name, with(t, func() error {
				p, err := Open([]Listen{tt.listen}, tt.o)
				return errors.Join(err, Close(p))
			}, tt.calls...), tt.want)
		})
		for _, f := range []string{"/s", "/f", "/g", "/l"} {
			_ = os.Remove(dir + f)
		}
	}
}

// Options that nothing fits, or that are beyond what can be.
func TestOpenOptions(t *testing.T) {
	dir := t.TempDir()
	stream, fifo, queue := on(ListenStream, "@hardrun-test-options"), on(ListenFIFO, dir+"/f"), on(ListenMessageQueue, "/hardrun-test-options")
	for _, tt := range []struct {
		listen Listen
		change func(o *Options)
		want   string
	}{
		{stream, func(o *Options) { o.DirectoryMode = 0o10000 }, "the mode has more than the bits of an access mode"},
		{stream, func(o *Options) { o.MessageQueueMaxMessages = 1 }, "MessageQueueMaxMessages= and MessageQueueMessageSize=: nothing that is opened has it"},
		{stream, func(o *Options) { o.MessageQueueMessageSize = 1 }, "MessageQueueMaxMessages= and MessageQueueMessageSize=: nothing that is opened has it"},
		{stream, func(o *Options) { o.Protocol = "mptcp" }, "SocketProtocol=: nothing that is opened has it"},
		{stream, func(o *Options) { o.PipeSize = 4096 }, "PipeSize=: nothing that is opened has it"},
		{fifo, func(o *Options) { o.PipeSize = 1 << 31 }, "PipeSize=: invalid argument"},
		{queue, func(o *Options) { o.MessageQueueMaxMessages, o.MessageQueueMessageSize = 1<<31, 1 }, "numerical result out of range"},
		{queue, func(o *Options) { o.MessageQueueMaxMessages, o.MessageQueueMessageSize = 1, 1<<31 }, "numerical result out of range"},
	} {
		o := defaults()
		tt.change(&o)
		_, err := Open([]Listen{tt.listen}, o)
		says(t, err, tt.want)
	}
}

// SocketProtocol= is for sockets of IPv4 and IPv6, whatever else is opened, and a netlink
// socket has that of its family.
func TestOpenProtocol(t *testing.T) {
	ownNetwork(t)
	mptcp := defaults()
	mptcp.Protocol = "mptcp"
	for _, address := range []string{"[::1]:80", "80", "127.0.0.1:80"} {
		p, err := Open([]Listen{on(ListenStream, address), on(ListenStream, "@hardrun-test-protocol")}, mptcp)
		if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) {
			t.Skip(err)
		}
		ok(t, err)
		if got, err := unix.GetsockoptInt(p[0].FD, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || got != unix.IPPROTO_MPTCP {
			t.Errorf("%s: protocol %d, %v", address, got, err)
		}
		ok(t, Close(p))
	}
	p := opened(t, defaults(), on(ListenNetlink, "kobject-uevent 1"))
	if got, err := unix.GetsockoptInt(p[0].FD, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || got != unix.NETLINK_KOBJECT_UEVENT {
		t.Errorf("netlink: protocol %d, %v", got, err)
	}
	sctp := defaults()
	sctp.Protocol = "sctp"
	p, err := Open([]Listen{on(ListenStream, "127.0.0.1:80")}, sctp)
	if err != nil && !errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Errorf("SCTP: %v", err)
	}
	ok(t, Close(p))
}

// An option that has a row for each family fits by one of them; what one socket is made with is
// not left for the next; and descriptors are not those of the streams.
func TestOpenSeveral(t *testing.T) {
	ownNetwork(t)
	dir := t.TempDir()
	o := defaults()
	o.IPTTL, o.Priority = pointer(64), pointer(1)
	list := []Listen{on(ListenStream, "127.0.0.1:80"), {Address: dir + "/s", Mode: 0o600, UID: -1, GID: -1}, on(ListenFIFO, dir+"/new/f")}
	same(t, "several", func() {
		kept := must(unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3))(t)
		ok(t, unix.Close(0))
		p, err := Open(list, o)
		_, free := unix.FcntlInt(0, unix.F_GETFD, 0)
		ok(t, errors.Join(unix.Dup3(kept, 0, 0), unix.Close(kept), err))
		if free != unix.EBADF {
			t.Errorf("descriptor 0 is not free again: %v", free)
		}
		for i := range p {
			if p[i].FD < 3 {
				t.Errorf("%s is descriptor %d", list[i].Address, p[i].FD)
			}
		}
		ok(t, Close(p))
	})
	if st := stated(t, dir+"/new"); st.Mode&0o7777 != 0o755 {
		t.Errorf("the directory has the mode %o", st.Mode&0o7777)
	}
	if validName("a\x7f") || !validName("a~") {
		t.Error("names of descriptors")
	}
}

// A socket that is there and connected to, and files that need no more than to be opened.
func TestOpenFilesCalls(t *testing.T) {
	dir := t.TempDir()
	listening(t, dir+"/s", unix.SOCK_STREAM)
	same(t, "files", func() {
		p, err := OpenFiles([]File{{Path: dir + "/s"}, {Path: "/dev/null", Truncate: true}})
		ok(t, errors.Join(err, Close(p)))
		_, err = OpenFiles([]File{{Path: dir + "/s", Truncate: true}})
		says(t, err, "a socket has no read-only, append and truncate")
	})
}

// A FIFO keeps its size where none is asked for; nobody waits at it, nor at a message queue.
func TestOpenedFlags(t *testing.T) {
	ownNetwork(t)
	dir := t.TempDir()
	o := defaults()
	o.Symlinks = []string{dir + "/l"} // of the FIFO: a queue has no path
	p := opened(t, o, on(ListenMessageQueue, "/hardrun-test"), on(ListenFIFO, dir+"/f"))
	for i, what := range []string{"the queue", "the FIFO"} {
		if flags, err := unix.FcntlInt(uintptr(p[i].FD), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: flags %x, %v", what, flags, err)
		}
	}
	var pipe [2]int
	ok(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	size := must(unix.FcntlInt(uintptr(pipe[0]), unix.F_GETPIPE_SZ, 0))(t)
	if got, err := unix.FcntlInt(uintptr(p[1].FD), unix.F_GETPIPE_SZ, 0); err != nil || got != size {
		t.Errorf("the FIFO has %d bytes, %v; a pipe has %d", got, err, size)
	}
	ok(t, errors.Join(unix.Close(pipe[0]), unix.Close(pipe[1])))
	if to, err := os.Readlink(dir + "/l"); err != nil || to != dir+"/f" {
		t.Errorf("the link leads to %s, %v", to, err)
	}
	// A queue with other attributes is not taken, and with none asked for it is.
	o = defaults()
	o.MessageQueueMaxMessages, o.MessageQueueMessageSize = 10, 64
	_, err := Open([]Listen{on(ListenMessageQueue, "/hardrun-test")}, o)
	says(t, err, "the queue has 10 and 8192")
	// One that has taken its place is not removed.
	p[0].node.id[1]++
	ok(t, RemoveSockets(p))
	if err := queue("hardrun-test", -1); err != nil {
		t.Errorf("another's queue: %v", err)
	}
	p[0].node.id[1]--
	ok(t, RemoveSockets(p))
	if err := queue("hardrun-test", -1); err != unix.ENOENT {
		t.Errorf("the queue is left: %v", err)
	}
}

// What cannot be closed or removed is an error.
func TestCloseCalls(t *testing.T) {
	if err := Close([]Passed{{FD: 1 << 20}}); !errors.Is(err, unix.EBADF) {
		t.Errorf("close: %v", err)
	}
	if err := Abandon([]Passed{{FD: 1 << 20}}); !errors.Is(err, unix.EBADF) {
		t.Errorf("abandon: %v", err)
	}
	p := opened(t, defaults(), on(ListenStream, t.TempDir()+"/s"))
	for e, want := range map[unix.Errno]string{unix.EROFS: "unlink: read-only file system", unix.ENOENT: ""} {
		result(t, "remove", with(t, func() error { return RemoveSockets(p) }, call{number: unix.SYS_UNLINKAT, e: e}), want)
	}
}

// A socket whose path would be too long by way of its directory's descriptor is refused.
func TestBindPathLong(t *testing.T) {
	// Nobody can be sure what /tmp/X leads to: others can write there.
	top := "/tmp/" + strconv.FormatInt(int64(os.Getpid()), 36)
	ok(t, os.Mkdir(top, 0o700))
	t.Cleanup(func() { ok(t, os.RemoveAll(top)) })
	ok(t, errors.Join(os.Mkdir(top+"/d", 0o700), unix.Chmod(top, 0o777)))
	same(t, "a long name", func() {
		_, err := Open([]Listen{on(ListenStream, top+"/d/"+strings.Repeat("n", 92))}, defaults())
		says(t, err, "/proc/self/fd/", "file name too long")
	})
}

// A path is walked name by name: links are counted, ".." is gone up, and nothing is made where
// that was not asked for.
func TestFindCalls(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	ok(t, errors.Join(os.Mkdir(dir+"/a", 0o755), os.Mkdir(dir+"/b", 0o755), os.Symlink(".", dir+"/here"), os.Symlink(".././b", dir+"/a/up")))
	same(t, "paths", func() {
		p, err := find(dir+strings.Repeat("/here", 40)+"/x", -1, false)
		ok(t, errors.Join(err, p.close()))
		_, err = find(dir+strings.Repeat("/here", 41)+"/x", -1, false)
		says(t, err, "open "+dir+"/here/", "too many levels of symbolic links")
		_, err = find(dir+"/none/x", -1, false)
		says(t, err, "open "+dir+"/none/x: no such file")
		if _, err := os.Stat(dir + "/none"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is made: %v", err)
		}
		p, err = find(dir+"/a/up/new/x", 0o755, false)
		ok(t, err)
		if !slices.Equal(p.made, []string{dir + "/b/new"}) {
			t.Errorf("made are %q", p.made)
		}
		ok(t, errors.Join(p.close(), removeDirs(p.made)))
	})
	// What was made before an error is removed again.
	_, err := find(dir+"/new/"+strings.Repeat("n", 256)+"/x", 0o755, false)
	says(t, err, "file name too long")
	if _, err := os.Stat(dir + "/new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	for e, want := range map[unix.Errno]string{unix.EIO: "readlink " + dir + "/here/x: input/output error", 0: "file name too long"} {
		result(t, "a link", with(t, func() error { return asSecond(find(dir+"/here/x", -1, false)) }, call{number: unix.SYS_READLINKAT, e: e}), want)
	}
	// What somebody can change on the way decides, wherever on it that is.
	ok(t, errors.Join(os.MkdirAll(dir+"/open/one/two", 0o755), unix.Chmod(dir+"/open", 0o777)))
	for path, straight := range map[string]bool{"/open": true, "/open/one": false, "/open/one/two": false, "/b": true} {
		p, err := find(dir+path+"/x", -1, false)
		ok(t, err)
		if p.straight && !straight {
			t.Errorf("%s is straight: %v", path, p.straight)
		}
		ok(t, p.close())
	}
	if got := names("/a/./b//c/."); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names %q", got)
	}
}

// A file that has more names is refused where others than its owner could have put one there.
func TestOpenTrustedNames(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	ok(t, unix.Chmod(dir, 0o755))
	for _, tt := range []struct {
		name  string
		uid   int // of the directory
		mode  uint32
		file  int // whose it is
		taken bool
	}{
		{"root's directory", 0, 0o755, 4321, true},
		{"the owner's own", 4321, 0o755, 4321, true},
		{"another's", 4321, 0o755, 0, false},
		{"everybody's", 4321, 0o777, 4321, false},
		{"everybody's, of root", 0, 0o777, 0, false},
	} {
		d := dir + "/d"
		files(t, dir+"/other", "text")
		ok(t, errors.Join(os.Mkdir(d, 0o755), os.Link(dir+"/other", d+"/file"), os.MkdirAll(d+"/sub/sub", 0o755),
			os.Chown(d+"/file", tt.file, 0), os.Chown(d, tt.uid, 0), unix.Chmod(d, tt.mode)))
		same(t, tt.name, func() {
			fd, p, err := openTrusted(d+"/file", unix.O_RDONLY)
			if err == nil {
				ok(t, errors.Join(unix.Close(fd), p.close()))
			}
			if (err == nil) != tt.taken {
				t.Errorf("%s: %v", tt.name, err)
			}
			fd, p, err = openTrusted(d+"/sub", unix.O_RDONLY) // a directory has more links
			ok(t, err)
			ok(t, errors.Join(unix.Close(fd), p.close()))
		})
		ok(t, errors.Join(os.RemoveAll(d), os.Remove(dir+"/other")))
	}
}

// A socket is connected to by its path only where nobody can change what that leads to.
func TestConnectAddress(t *testing.T) {
	long := "/" + strings.Repeat("x", maxPath)
	for _, tt := range []struct {
		p    place
		path string
		want string
	}{
		{place{straight: true}, "/s", "/s"},
		{place{straight: true}, long[:maxPath], long[:maxPath]},
		{place{straight: true}, long, "/proc/self/fd/7"},
		{place{}, "/s", "/proc/self/fd/7"},
		{place{straight: true, foreign: true}, "/s", "/proc/self/fd/7"},
	} {
		if got := tt.p.connectAddress(tt.path, 7); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.p, got, tt.want)
		}
	}
}

// Options go to the sockets that have them.
func TestSettingsFit(t *testing.T) {
	o := Options{NoDelay: true, KeepAliveProbes: 5}
	for _, tt := range []struct {
		family, kind, protocol int
		want                   string
	}{
		{unix.AF_INET, unix.SOCK_STREAM, 0, "TCP_KEEPCNT true, TCP_NODELAY true"},
		{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, "TCP_KEEPCNT true, TCP_NODELAY true"},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, "TCP_KEEPCNT false, SCTP_NODELAY true"},
		{unix.AF_INET, unix.SOCK_DGRAM, 0, "TCP_KEEPCNT false, TCP_NODELAY false"},
		{unix.AF_UNIX, unix.SOCK_STREAM, 0, "TCP_KEEPCNT false, TCP_NODELAY false"},
		{unix.AF_NETLINK, unix.SOCK_RAW, unix.IPPROTO_SCTP, "TCP_KEEPCNT false, TCP_NODELAY false"},
	} {
		var got []string
		for _, s := range o.settings(tt.family, tt.kind, tt.protocol) {
			if s.call != "SO_REUSEADDR" {
				got = append(got, fmt.Sprint(s.call, " ", s.fits))
			}
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%+v: %s", tt, text)
		}
	}
	for _, s := range []setting{{call: "SO_X", fits: true}, {call: "SO_X", fits: true, text: "x"}} {
		says(t, s.check(-1), "getsockopt(SO_X): bad file descriptor")
	}
}

// The size of a buffer is what was asked for, twice: with the right to more than the limit, and
// without.
func TestBufferSize(t *testing.T) {
	asRoot(t)
	const half = 50_000
	o := defaults()
	o.ReceiveBuffer = half
	size := func() error {
		p, err := Open([]Listen{on(ListenStream, "@hardrun-test-buffer")}, o)
		if err != nil {
			return err
		}
		got, err := unix.GetsockoptInt(p[0].FD, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err == nil && got != 2*half {
			err = fmt.Errorf("%d bytes", got)
		}
		return errors.Join(err, Close(p))
	}
	result(t, "with the right", size(), "")
	result(t, "without the right", with(t, size, call{unix.SYS_SETSOCKOPT, unix.EPERM, 2, unix.SO_RCVBUFFORCE}), "")
	// A size between the one asked for and twice that is too small.
	fd := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
	before := must(unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF))(t)
	s := setting{call: "SO_RCVBUF", level: unix.SOL_SOCKET, opt: unix.SO_RCVBUF, force: unix.SO_RCVBUFFORCE, want: before * 3 / 4, fits: true, atLeast: true}
	says(t, s.check(fd), "getsockopt(SO_RCVBUF): read back "+strconv.Itoa(before))
	ok(t, unix.Close(fd))
}

// The file of the very socket is its own, whoever is its owner; where the kernel does not tell
// which that is, it must be that of who runs this.
func TestBindOwner(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	ok(t, unix.Chmod(root+"/run", 0o777))
	for e, want := range map[unix.Errno]string{unix.ENOTTY: "what was bound there was replaced by somebody", 0: ""} {
		var calls []call
		if e != 0 {
			calls = []call{{number: unix.SYS_IOCTL, e: e}}
		}
		result(t, "another's", with(t, func() error {
			// The file system takes this thread for another user.
			if _, _, e := unix.RawSyscall(unix.SYS_SETFSUID, 61300, 0, 0); e != 0 {
				return e
			}
			p, err := Open([]Listen{on(ListenStream, root+"/run/s")}, defaults())
			return errors.Join(err, Close(p))
		}, calls...), want)
		ok(t, os.RemoveAll(root+"/run/s"))
	}
}

// Root and who runs this are trusted, and nobody else.
func TestTrusted(t *testing.T) {
	requireRoot(t)
	ok(t, testrow.OnThread(func() error {
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 33, ^uintptr(0)); e != 0 {
			return e
		}
		for uid, want := range map[uint32]bool{0: true, 33: true, 34: false} {
			if trusted(uid) != want {
				t.Errorf("%d is trusted: %v", uid, !want)
			}
		}
		return nil
	}))
}

// A call that answers the number of a stream without having opened anything is found out: that is
// another file, or one of another file system.
func TestPlaceOpenLies(t *testing.T) {
	dir := t.TempDir()
	files(t, dir+"/file", "", dir+"/other", "")
	for _, tt := range []struct{ dir, name, stream, want string }{
		{dir, "file", dir + "/file", ""},
		{dir, "file", dir + "/other", "open: input/output error"},
		{"/", "proc", "/sys", "open: input/output error"}, // of the same number
		{dir, "none", dir + "/file", "open: input/output error"},
	} {
		kept := must(unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3))(t)
		stream := must(unix.Open(tt.stream, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
		p := place{dir: must(unix.Open(tt.dir, unix.O_PATH|unix.O_CLOEXEC, 0))(t), name: tt.name}
		ok(t, unix.Dup3(stream, 0, 0))
		err := with(t, func() error { return asSecond(p.open(unix.O_RDONLY)) }, call{number: unix.SYS_OPENAT})
		ok(t, errors.Join(unix.Dup3(kept, 0, 0), unix.Close(kept), unix.Close(stream), p.close()))
		result(t, tt.name+" for "+tt.stream, err, tt.want)
	}
}
