package dirs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// texts are the credentials as "ID=data".
func texts(list []Loaded) string {
	var out []string
	for _, c := range list {
		out = append(out, c.ID+"="+string(c.Data))
	}
	return strings.Join(out, " ")
}

// files writes them: path, text.
func files(t *testing.T, list ...string) {
	t.Helper()
	for i := 0; i < len(list); i += 2 {
		ok(t, os.WriteFile(list[i], []byte(list[i+1]), 0o600))
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	ok(t, errors.Join(os.MkdirAll(dir+"/tree/sub/deep", 0o755), os.Mkdir(a, 0o755), os.Mkdir(b, 0o755)))
	files(t, dir+"/key", "K\x00\n", dir+"/empty", "", dir+"/tree/one", "1", dir+"/tree/two", "2", dir+"/tree/.hidden", "h",
		dir+"/tree/sub/three", "3", dir+"/tree/sub/deep/four", "4",
		a+"/x.one", "a1", a+"/x.two", "a2", b+"/x.two", "b2", b+"/x.three", "b3", b+"/only", "b", a+"/.dot", "dot")
	ok(t, errors.Join(os.Symlink("one", dir+"/tree/link"), unix.Mkfifo(dir+"/tree/fifo", 0o600), os.Symlink("key", dir+"/link")))
	stores := []string{dir + "/nostore", a, b + "/"}
	for _, c := range []struct {
		name string
		list []Credential
		want string
	}{
		{"a file", []Credential{{ID: "k", Path: dir + "/key"}, {ID: "e", Path: dir + "/empty"}}, "k=K\x00\n e="},
		{"a link of root's", []Credential{{ID: "k", Path: dir + "/link"}}, "k=K\x00\n"},
		{"a directory", []Credential{{ID: "t", Path: dir + "/tree"}}, "t_one=1 t_sub_deep_four=4 t_sub_three=3 t_two=2"},
		{"a directory behind a file", []Credential{{ID: "t_one", Path: dir + "/key"}, {ID: "t", Path: dir + "/tree/sub"}}, "t_one=K\x00\n t_deep_four=4 t_three=3"},
		{"the first store", []Credential{{ID: "x.two"}, {ID: "y", Path: "only"}}, "x.two=a2 y=b"},
		{"missing in the stores", []Credential{{ID: "nothing"}, {ID: "n", Path: "nothing"}}, ""},
		{"missing in the stores, set", []Credential{{ID: "n", Path: "nothing"}, {ID: "n", Data: "s", Set: true}}, "n=s"},
		{"missing path, set", []Credential{{ID: "n", Data: "s", Set: true}, {ID: "n", Path: dir + "/none"}}, "n=s"},
		{"loaded before set", []Credential{{ID: "n", Data: "s", Set: true}, {ID: "n", Path: dir + "/key"}}, "n=K\x00\n"},
		{"the last of a name", []Credential{{ID: "n", Path: dir + "/none"}, {ID: "n", Path: dir + "/key"}, {ID: "s", Data: "1", Set: true}, {ID: "s", Data: "2", Set: true}}, "n=K\x00\n s=2"},
		{"a glob", []Credential{{ID: "x.*", Import: true}}, "x.one=a1 x.two=a2 x.three=b3"},
		{"all", []Credential{{ID: "*", Import: true}}, "x.one=a1 x.two=a2 only=b x.three=b3"},
		{"no glob", []Credential{{ID: "x.two", Import: true}, {ID: "nothing", Import: true}, {ID: "nothing*", Import: true}}, "x.two=a2"},
		{"renamed", []Credential{{ID: "x.*", Import: true, Rename: "y-"}, {ID: "only", Import: true, Rename: "z"}}, "y-one=a1 y-two=a2 y-three=b3 z=b"},
		{"the first of a name", []Credential{{ID: "x.one", Import: true, Rename: "z"}, {ID: "only", Import: true, Rename: "z"}}, "z=a1"},
		{"load, import, set", []Credential{{ID: "x.one", Data: "s", Set: true}, {ID: "x.*", Import: true}, {ID: "x.two", Path: dir + "/key"}}, "x.two=K\x00\n x.one=a1 x.three=b3"},
	} {
		count := descriptors(t)
		got, err := Load("u.service", c.list, stores)
		if err != nil || texts(got) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, texts(got), err, c.want)
		}
		if n := descriptors(t); n != count {
			t.Errorf("%s: %d descriptors, %d before", c.name, n, count)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	ok(t, errors.Join(unix.Mkfifo(dir+"/fifo", 0o600), os.Mkdir(dir+"/big", 0o755), os.MkdirAll(dir+"/store/dir", 0o755)))
	files(t, dir+"/key", "K", dir+"/1M", strings.Repeat("x", 1<<20), dir+"/most", strings.Repeat("x", 1<<20-1), dir+"/big/a:b", "x")
	ok(t, unix.Mkfifo(dir+"/store/fifo", 0o600))
	count := descriptors(t)
	for _, c := range []struct {
		list []Credential
		want string
	}{
		{[]Credential{{ID: "k", Path: dir + "/none"}}, "LoadCredential=k:" + dir + "/none: open " + dir + "/none: no such file"},
		{[]Credential{{ID: "k", Path: dir + "/none"}, {ID: "other", Data: "s", Set: true}}, "no such file"},
		{[]Credential{{ID: "k", Path: dir + "/key/none"}, {ID: "k", Data: "s", Set: true}}, "not a directory"},
		{[]Credential{{ID: "k", Path: dir + "/fifo"}}, "is a FIFO, not a regular file"},
		{[]Credential{{ID: "k", Path: "/dev/zero"}}, "/dev/zero is a device, not a regular file"},
		{[]Credential{{ID: "fifo"}}, "is a FIFO, not a regular file"},
		{[]Credential{{ID: "dir*", Import: true}}, "is a directory, not a regular file"},
		{[]Credential{{ID: "k", Path: dir + "/1M"}}, "credentials have 1048576 bytes at most"},
		{[]Credential{{ID: "k", Path: dir + "/most"}, {ID: "l", Path: dir + "/key"}}, "credentials have 1048576 bytes at most"},
		{[]Credential{{ID: "k", Data: strings.Repeat("x", 1<<20), Set: true}}, "SetCredential=k: credentials have"},
		{[]Credential{{ID: "k", Path: dir + "/big"}}, `"k_a:b" is not the name of a credential`},
		{[]Credential{{ID: "", Path: dir + "/key"}}, `LoadCredential="" is not the name`},
		{[]Credential{{ID: "..", Path: dir + "/key"}}, "is not the name of a credential"},
		{[]Credential{{ID: "a/b", Path: dir + "/key"}}, "is not the name of a credential"},
		{[]Credential{{ID: "a\nb", Data: "x", Set: true}}, "is not the name of a credential"},
		{[]Credential{{ID: strings.Repeat("a", 256), Path: dir + "/key"}}, "is not the name of a credential"},
		{[]Credential{{ID: "k", Path: "a/b"}}, `"a/b" is neither an absolute path nor the name`},
		{[]Credential{{ID: "k", Path: "/etc/../etc/passwd"}}, `".." is refused`},
		{[]Credential{{ID: "a*b", Import: true}}, "is not the name of a credential"},
		{[]Credential{{ID: "a?", Import: true}}, "is not the name of a credential"},
		{[]Credential{{ID: "[a]*", Import: true}}, "is not the name of a credential"},
		{[]Credential{{ID: "a", Import: true, Rename: "b/c"}}, `"b/c" is not the name`},
		{[]Credential{{ID: "k", Path: "/etc/credstore.encrypted/k"}}, "encrypted credentials are not decrypted"},
	} {
		got, err := Load("u.service", c.list, []string{dir + "/store"})
		says(t, err, c.want)
		if got != nil {
			t.Errorf("%v with %v", texts(got)[:10], err)
		}
	}
	_, err := Load("u.service", nil, []string{"/run/credstore.encrypted/"})
	says(t, err, "/run/credstore.encrypted/: encrypted credentials are not decrypted")
	got, err := Load("u.service", []Credential{{ID: "k", Path: dir + "/most"}}, nil)
	if err != nil || len(got) != 1 || len(got[0].Data) != 1<<20-1 {
		t.Errorf("the largest: %d, %v", len(got), err)
	}
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
}

// What the daemon's user has put into a directory of its own is not read with root's rights.
func TestLoadPlanted(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	own := dir + "/own"
	ok(t, os.Mkdir(own, 0o755))
	files(t, dir+"/secret", "S", own+"/key", "K")
	ok(t, errors.Join(os.Symlink(dir+"/secret", own+"/link"), os.Mkdir(own+"/tree", 0o755), os.Link(dir+"/secret", own+"/tree/hard"),
		os.Symlink(dir, own+"/way"), os.Chown(own, 4321, 4321), os.Chown(own+"/tree", 4321, 4321)))
	for path, want := range map[string]string{
		own + "/link": "it is not followed", own + "/way/secret": "it is not followed",
		own + "/tree": "the file of uid 0 has more names", own + "/tree/hard": "the file of uid 0 has more names",
	} {
		got, err := Load("u.service", []Credential{{ID: "k", Path: path}}, nil)
		says(t, err, want)
		if got != nil {
			t.Errorf("%s: %s", path, texts(got))
		}
	}
	got, err := Load("u.service", []Credential{{ID: "k", Path: own + "/key"}}, nil)
	if err != nil || texts(got) != "k=K" {
		t.Errorf("%s, %v", texts(got), err)
	}
	_, err = Load("u.service", []Credential{{ID: "link", Import: true}}, []string{own})
	says(t, err, "ImportCredential=link: ", "it is not followed")
}

func TestLoadSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	fd := listening(t, path, unix.SOCK_STREAM)
	serve := func(write func(conn int)) chan string {
		peer := make(chan string, 1)
		go func() {
			conn, from, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err != nil {
				peer <- err.Error()
				return
			}
			name := fmt.Sprintf("%T", from)
			if u, is := from.(*unix.SockaddrUnix); is {
				name = u.Name
			}
			write(conn)
			_ = unix.Close(conn)
			peer <- name
		}()
		return peer
	}
	list := []Credential{{ID: "k", Path: path}}
	peer := serve(func(conn int) {
		for _, s := range []string{"se", "cr", "et\x00"} {
			_, _ = unix.Write(conn, []byte(s))
			time.Sleep(20 * time.Millisecond)
		}
	})
	got, err := Load("foo.service", list, nil)
	if err != nil || texts(got) != "k=secret\x00" {
		t.Errorf("got %q, %v", texts(got), err)
	}
	name := <-peer
	random, rest, _ := strings.Cut(name, "/")
	if len(random) < 3 || random[0] != '@' || rest != "unit/foo.service/k" {
		t.Errorf("the client's name is %q", name)
	}
	// Who says nothing, and who says too much.
	end := make(chan bool)
	peer = serve(func(int) { <-end })
	start := time.Now()
	_, err = load("foo.service", list, nil, 200*time.Millisecond)
	says(t, err, "LoadCredential=k:"+path+": read: connection timed out")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("waited %v", d)
	}
	close(end)
	<-peer
	peer = serve(func(conn int) {
		buf := make([]byte, 1<<16)
		for range 32 {
			if unix.Sendto(conn, buf, unix.MSG_NOSIGNAL, nil) != nil {
				return
			}
		}
	})
	_, err = Load("foo.service", list, nil)
	says(t, err, "more than 1048576 bytes")
	<-peer
	// A queue that is full, and nobody at all.
	var waiting []int
	for {
		c := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0))(t)
		waiting = append(waiting, c)
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: path}); err == unix.EAGAIN {
			break
		}
	}
	_, err = load("foo.service", list, nil, 100*time.Millisecond)
	says(t, err, "connect: connection timed out")
	for _, c := range waiting {
		ok(t, unix.Close(c))
	}
	ok(t, unix.Close(fd))
	_, err = Load("foo.service", list, nil)
	says(t, err, "connect: connection refused")
	_, err = Load(strings.Repeat("u", 100)+".service", list, nil)
	says(t, err, "too many bytes for the address of a socket")
}
