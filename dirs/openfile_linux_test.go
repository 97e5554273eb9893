package dirs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listening is a socket at a path, for clients.
func listening(t *testing.T, path string, kind int) int {
	t.Helper()
	fd := must(unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0))(t)
	t.Cleanup(func() { _ = unix.Close(fd) })
	ok(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	if kind != unix.SOCK_DGRAM {
		ok(t, unix.Listen(fd, 4))
	}
	return fd
}

func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	count := descriptors(t)
	for name := range map[string]bool{"rw": true, "ro": true, "append": true, "truncate": true} {
		ok(t, os.WriteFile(dir+"/"+name, []byte("data"), 0o600))
	}
	ok(t, errors.Join(unix.Mkfifo(dir+"/fifo", 0o600), os.Symlink("rw", dir+"/link")))
	list := []File{
		{Path: dir + "/rw"},
		{Path: dir + "/ro", ReadOnly: true, Name: "named"},
		{Path: dir + "/append", Append: true},
		{Path: dir + "/truncate", Truncate: true},
		{Path: dir + "/fifo", ReadOnly: true},
		{Path: dir + "/none", Graceful: true},
		{Path: dir + "/link"},
		{Path: "/dev/null"},
	}
	p, err := OpenFiles(list)
	ok(t, err)
	want := []struct {
		name  string
		flags int
		size  int64
	}{
		{"rw", unix.O_RDWR, 4},
		{"named", unix.O_RDONLY, 4},
		{"append", unix.O_RDWR | unix.O_APPEND, 4},
		{"truncate", unix.O_RDWR, 0},
		{"fifo", unix.O_RDONLY, 0},
		{"link", unix.O_RDWR, 4},
		{"null", unix.O_RDWR, 0},
	}
	if len(p) != len(want) {
		t.Fatalf("%d opened, want %d", len(p), len(want))
	}
	for i, w := range want {
		var st unix.Stat_t
		ok(t, unix.Fstat(p[i].FD, &st))
		flags := must(unix.FcntlInt(uintptr(p[i].FD), unix.F_GETFL, 0))(t)
		own := must(unix.FcntlInt(uintptr(p[i].FD), unix.F_GETFD, 0))(t)
		if p[i].Name != w.name || flags&(unix.O_ACCMODE|unix.O_APPEND|unix.O_NONBLOCK) != w.flags || st.Size != w.size || own != unix.FD_CLOEXEC || p[i].FD < 3 {
			t.Errorf("%s: name %s, flags %x, descriptor flags %x, %d bytes; want %+v", want[i].name, p[i].Name, flags, own, st.Size, w)
		}
	}
	ok(t, Close(p))
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
}

func TestOpenFilesSocket(t *testing.T) {
	dir := t.TempDir()
	deep := dir + "/" + strings.Repeat("d", 100)
	ok(t, os.Mkdir(deep, 0o755))
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		path := dir + "/s"
		fd := listening(t, path, kind)
		// A path that is too long for an address is none for a socket that is there.
		long := deep + "/s"
		ok(t, os.Link(path, long))
		for _, path := range []string{path, long} {
			p, err := OpenFiles([]File{{Path: path}})
			ok(t, err)
			if _, err := unix.Write(p[0].FD, []byte("hello")); err != nil {
				t.Errorf("write: %v", err)
			}
			from := fd
			if kind != unix.SOCK_DGRAM {
				from, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC)
				ok(t, err)
			}
			buf := make([]byte, 16)
			n, err := unix.Read(from, buf)
			if err != nil || string(buf[:n]) != "hello" {
				t.Errorf("kind %d: %q, %v", kind, buf[:n], err)
			}
			if from != fd {
				ok(t, unix.Close(from))
			}
			if flags, err := unix.FcntlInt(uintptr(p[0].FD), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
				t.Errorf("flags %x, %v", flags, err)
			}
			ok(t, Close(p))
		}
		_, err := OpenFiles([]File{{Path: path, ReadOnly: true}})
		says(t, err, "OpenFile="+path+": a socket has no read-only")
		ok(t, errors.Join(unix.Close(fd), os.Remove(long)))
		// Nobody listens any more.
		_, err = OpenFiles([]File{{Path: path}})
		says(t, err, "OpenFile="+path+": connect: connection refused")
		if p, err := OpenFiles([]File{{Path: path, Graceful: true}}); len(p) != 0 || err != nil {
			t.Errorf("graceful: %v, %v", p, err)
		}
		ok(t, os.Remove(path))
	}
}

func TestOpenFilesErrors(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	own := dir + "/own"
	ok(t, errors.Join(os.Mkdir(own, 0o755), os.WriteFile(dir+"/secret", []byte("data"), 0o600), os.WriteFile(own+"/log", nil, 0o600)))
	ok(t, errors.Join(os.Symlink(dir+"/secret", own+"/link"), os.Link(dir+"/secret", own+"/hard"), os.Link(own+"/log", own+"/log2")))
	ok(t, errors.Join(os.Chown(own, 4321, 4321), os.Chown(own+"/log", 4321, 4321)))
	socket := dir + "/s"
	listening(t, socket, unix.SOCK_STREAM)
	ok(t, os.Symlink(socket, own+"/to-socket"))
	count := descriptors(t)
	for _, c := range []struct {
		f    File
		want string
	}{
		{File{Path: dir + "/none"}, "OpenFile=" + dir + "/none: open " + dir + "/none: no such file"},
		{File{Path: "none"}, "not an absolute path"},
		{File{Path: dir, Truncate: true}, "is a directory"},
		{File{Path: dir + "/secret", ReadOnly: true, Append: true}, "exclude each other"},
		{File{Path: dir + "/secret", Name: "a:b"}, `FileDescriptorName="a:b"`},
		// What the daemon's user has put there gives it nothing; graceful is not for that.
		{File{Path: own + "/link", Graceful: true}, "it is not followed"},
		{File{Path: own + "/to-socket", Graceful: true}, "it is not followed"},
		{File{Path: own + "/hard", Graceful: true, Truncate: true}, "the file of uid 0 has more names"},
	} {
		_, err := OpenFiles([]File{{Path: dir + "/secret"}, c.f})
		says(t, err, c.want)
	}
	p, err := OpenFiles([]File{{Path: own + "/log"}}) // its own with two names
	ok(t, errors.Join(err, Close(p)))
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
	if st := stated(t, dir+"/secret"); st.Size != 4 {
		t.Errorf("the secret has %d bytes", st.Size)
	}
}
