package ns

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inOwnMounts runs act on a thread of its own with a mount namespace of its own, which ends
// with it. self is the own directory in /proc.
func inOwnMounts(t *testing.T, act func(self int) error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		self, err := unix.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(act(self), unix.Close(self))
	})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("needs the right to mount: %v", err)
	} else if err != nil {
		t.Error(err)
	}
}

// build makes a view as a launch does, each step read back.
func (v *View) build(self int) error {
	v.Mknod, v.OneByOne = true, !CanSetAttr()
	type step interface {
		Apply(self int) error
		Verify() error
	}
	start := NewMounts{v}
	if err := start.Prepare(self); err != nil {
		return err
	}
	steps := []step{start}
	if v.Root != "" {
		steps = append(steps, NewRoot{v})
	}
	for _, l := range v.Layers {
		steps = append(steps, MountLayer{v, l})
	}
	for _, r := range v.Rules {
		steps = append(steps, Protect{View: v, Rule: r})
	}
	if v.Root != "" {
		steps = append(steps, EnterRoot{v})
	}
	for _, s := range append(steps, SealView{v}) {
		if err := s.Apply(self); err != nil {
			return err
		}
		if err := s.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// seen is the content of a file, or the error.
func seen(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func namespaceInode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// openProcForTest opens /proc, which a launch has verified.
func openProcForTest(t *testing.T) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces")
	}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(proc) })
	return proc
}

// A namespace that others join: who makes it stays outside, lo is up in it, and a descriptor
// of another kind is refused.
func TestShared(t *testing.T) {
	proc := openProcForTest(t)
	before := namespaceInode(t, "/proc/self/ns/net")
	net, err := Shared(proc, NewNet)
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_ADMIN")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(net) }()
	ipc, err := Shared(proc, NewIPC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(ipc) }()
	if namespaceInode(t, "/proc/self/ns/net") != before || namespaceInode(t, "/proc/thread-self/ns/net") != before {
		t.Error("who made the namespace is in it")
	}
	var st unix.Stat_t
	if err := unix.Fstat(net, &st); err != nil || st.Ino == before {
		t.Errorf("the namespace is the old one: %v", err)
	}
	inOwnMounts(t, func(self int) error {
		join := &Join{Kind: NewNet, Open: net}
		if err := join.Prepare(self); err != nil {
			return err
		}
		if err := join.Apply(self); err != nil {
			return err
		}
		if namespaceInode(t, "/proc/thread-self/ns/net") != st.Ino {
			t.Error("another namespace was joined")
		}
		return LoopbackUp{}.Verify()
	})
	for _, wrong := range []*Join{{Kind: NewNet, Open: ipc}, {Kind: NewIPC, Open: proc}, {Kind: NewIPC, Open: 9999}} {
		if err := wrong.Prepare(proc); err == nil {
			t.Errorf("descriptor %d was taken for a %s namespace", wrong.Open, wrong.Kind.Name())
		}
	}
}

// What is to be a socket is nothing else of the host.
func TestBindSocket(t *testing.T) {
	dir, place := t.TempDir(), t.TempDir()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/s"}), os.WriteFile(dir+"/f", nil, 0o600), os.WriteFile(place+"/at", nil, 0o600), os.Mkdir(dir+"/d", 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/s": "", "/f": "/f is no socket", "/d": "/d is no socket"} {
		inOwnMounts(t, func(self int) error {
			err := (&View{Layers: []*Layer{{Kind: LayerBind, Path: place + "/at", Source: dir + name, Tolerate: true, Socket: true}}}).build(self)
			if want == "" {
				return err
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
			return nil
		})
	}
}

// After an error no namespace stays open, in which the host's mounts would go on.
func TestSharedTmpError(t *testing.T) {
	proc := openProcForTest(t)
	namespaces := func() (n int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "mnt:") {
				n++
			}
		}
		return n
	}
	before := namespaces()
	fd, err := SharedTmp(proc, []string{"nosuch=1"}, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("needs mounts: %v", err)
	}
	if err == nil || fd != -1 || namespaces() != before {
		t.Errorf("descriptor %d, %d namespaces more: %v", fd, namespaces()-before, err)
	}
}

// Two views show one file system, which nobody else sees; and the root stays what it was,
// also where it is a mount that is not the root of the namespace.
func TestSharedTmp(t *testing.T) {
	proc := openProcForTest(t)
	data := []string{"mode=1777", "size=1m"}
	tmp, err := SharedTmp(proc, data, NoSUID|NoDev)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("needs mounts: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(tmp) }()
	at, top := t.TempDir(), t.TempDir()
	show := func(path string) *View {
		return &View{Layers: []*Layer{{Kind: LayerTmpfs, Path: path, Data: data, From: tmp}}}
	}
	inOwnMounts(t, func(self int) error {
		if err := show(at).build(self); err != nil {
			return err
		}
		return os.WriteFile(at+"/a", []byte("of the first"), 0o600)
	})
	inOwnMounts(t, func(self int) error {
		if err := unix.Mount("/", top, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
		if err := os.WriteFile(top+at+"/mark", nil, 0o600); err != nil {
			return err
		}
		if err := unix.Chroot(top); err != nil {
			return err
		}
		if err := show(at).build(self); err != nil {
			return err
		}
		if got := seen(at + "/a"); got != "of the first" {
			t.Errorf("the second view shows %q", got)
		}
		root, err := mountPointOf(self, "/")
		if err == nil && root != top {
			t.Errorf("the root is at %q, and was at %s", root, top)
		}
		return err
	})
	if _, err := os.Stat(at + "/a"); err == nil {
		t.Error("the host sees it")
	}
	if err := os.Remove(at + "/mark"); err != nil {
		t.Error(err)
	}
}

// mountPointOf is where a path is, as the namespace has it: the link of a descriptor of it.
func mountPointOf(self int, path string) (string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	own, err := unix.Openat(self, "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(own) }()
	if err := unix.Setns(own, unix.CLONE_NEWNS); err != nil {
		return "", err
	}
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(self, "fd/"+decimal(fd), buf)
	return string(buf[:max(n, 0)]), err
}

// A file gets lines behind its own, in the view alone; what is no file stays.
func TestLayerLines(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"whole": "a:1\n", "open": "a:1", "empty": ""} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("whole", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/dir", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(dir+"/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	v := &View{}
	for _, name := range []string{"open", "empty", "link", "dir", "fifo", "missing"} {
		v.Layers = append(v.Layers, &Layer{Kind: LayerLines, Path: dir + "/" + name, Text: "b:2\n"})
	}
	inOwnMounts(t, func(self int) error {
		if err := v.build(self); err != nil {
			return err
		}
		for name, want := range map[string]string{"whole": "a:1\nb:2\n", "link": "a:1\nb:2\n", "open": "a:1\nb:2\n", "empty": "b:2\n"} {
			if got := seen(dir + "/" + name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if err := os.WriteFile(dir+"/open", nil, 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("it can be written: %v", err)
		}
		if _, err := os.Lstat(dir + "/missing"); !errors.Is(err, unix.ENOENT) {
			t.Errorf("one that was missing: %v", err)
		}
		return nil
	})
	if got := seen(dir + "/whole"); got != "a:1\n" {
		t.Errorf("the host has %q", got)
	}
	// More than can be copied is no reason to show less.
	if err := os.WriteFile(dir+"/large", make([]byte, maxLines+1), 0o644); err != nil {
		t.Fatal(err)
	}
	inOwnMounts(t, func(self int) error {
		err := (&View{Layers: []*Layer{{Kind: LayerLines, Path: dir + "/large", Text: "b:2\n"}}}).build(self)
		if err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("a file of more than 4 MiB: %v", err)
		}
		return nil
	})
}

// "system" is seen beside what there is, and the host gets none.
func TestLayerBooted(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/seats", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/seats/seat0", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/file", []byte("f"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	made := dir + "-made/at"
	v := &View{Layers: []*Layer{{Kind: LayerBooted, Path: dir}, {Kind: LayerBooted, Path: made}}}
	defer func() { _ = os.Remove(dir + "-made/at"); _ = os.Remove(dir + "-made") }()
	inOwnMounts(t, func(self int) error {
		if err := v.build(self); err != nil {
			return err
		}
		for _, d := range []string{dir, made} {
			list, err := os.ReadDir(d + "/system")
			if err != nil || len(list) != 0 {
				t.Errorf("%s/system: %v, %v", d, list, err)
			}
			for _, path := range []string{d + "/x", d + "/system/x"} {
				if err := os.WriteFile(path, nil, 0o644); !errors.Is(err, unix.EROFS) {
					t.Errorf("%s can be made: %v", path, err)
				}
			}
		}
		for name, want := range map[string]string{"seats/seat0": "x", "file": "f", "link": "f"} {
			if got := seen(dir + "/" + name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		return os.WriteFile(dir+"/seats/new", nil, 0o644) // as before
	})
	for _, d := range []string{dir, made} {
		if _, err := os.Stat(d + "/system"); !errors.Is(err, unix.ENOENT) {
			t.Errorf("the host has %s/system: %v", d, err)
		}
	}
	if _, err := os.Stat(dir + "/seats/new"); os.Geteuid() == 0 && err != nil {
		t.Error(err)
	}
	// Where there is one, it is the host's.
	if err := os.MkdirAll(dir+"/system/units", 0o755); err != nil {
		t.Fatal(err)
	}
	inOwnMounts(t, func(self int) error {
		if err := (&View{Layers: []*Layer{{Kind: LayerBooted, Path: dir}}}).build(self); err != nil {
			return err
		}
		_, err := os.Stat(dir + "/system/units")
		return err
	})
}

// Secrets are one user's, read-only, not swapped, and in no other view.
func TestLayerSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/other.service", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	const uid = 61201
	secret := []byte("a\x00b\n")
	s := &Secrets{Name: "x.service", UID: uid, Files: []Secret{{"key", secret}, {"empty", nil}, {"large", make([]byte, 100<<10)}}}
	l := &Layer{Kind: LayerSecrets, Path: dir, Secrets: s, Attr: NoSUID | NoDev | NoExec, Data: []string{"mode=0755", "size=256k", "nr_inodes=32"}}
	inOwnMounts(t, func(self int) error {
		if err := (&View{Layers: []*Layer{l}}).build(self); err != nil {
			return err
		}
		list, err := os.ReadDir(dir)
		if err != nil || len(list) != 1 || list[0].Name() != "x.service" {
			t.Errorf("others are seen: %v, %v", list, err)
		}
		for path, mode := range map[string]uint32{"x.service": unix.S_IFDIR | 0o500, "x.service/key": unix.S_IFREG | 0o400, "x.service/empty": unix.S_IFREG | 0o400} {
			var st unix.Stat_t
			if err := unix.Lstat(dir+"/"+path, &st); err != nil || st.Mode != mode || st.Uid != uid {
				t.Errorf("%s: mode %o, uid %d, %v", path, st.Mode, st.Uid, err)
			}
		}
		if got := seen(dir + "/x.service/key"); got != string(secret) {
			t.Errorf("%q", got)
		}
		for _, path := range []string{"/x.service/new", "/new", "/x.service/key"} {
			if err := os.WriteFile(dir+path, nil, 0o600); !errors.Is(err, unix.EROFS) {
				t.Errorf("%s can be written: %v", path, err)
			}
		}
		flags := ""
		err = eachMount(self, func(m *mountLine) error {
			if m.point == dir {
				flags = string(m.options) + " " + string(m.super)
			}
			return nil
		})
		for _, want := range []string{"ro", "nosuid", "nodev", "noexec"} {
			if !slices.Contains(strings.FieldsFunc(flags, func(r rune) bool { return r == ',' || r == ' ' }), want) {
				t.Errorf("the mount is %s, without %s", flags, want)
			}
		}
		// The user may read, and nobody else of no privilege.
		for id, ok := range map[int]bool{uid: true, uid + 1: false} {
			if err := unix.Setfsuid(id); err != nil {
				return err
			}
			_, err := os.ReadFile(dir + "/x.service/key")
			if (err == nil) != ok {
				t.Errorf("uid %d: %v", id, err)
			}
			if err := unix.Setfsuid(0); err != nil {
				return err
			}
		}
		return err
	})
	if _, err := os.Stat(dir + "/x.service"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the host has them: %v", err)
	}
	// What does not fit is an error.
	l.Data = []string{"mode=0755", "size=64k", "nr_inodes=32"}
	inOwnMounts(t, func(self int) error {
		err := (&View{Layers: []*Layer{{Kind: LayerSecrets, Path: dir, Secrets: s, Attr: l.Attr, Data: l.Data}}}).build(self)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("100 KiB in 64: %v", err)
		}
		return nil
	})
}

// Links are made behind all that is mounted, and what is there stays.
func TestLayerLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/lib/old", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", dir+"/kept"); err != nil {
		t.Fatal(err)
	}
	v := &View{Layers: []*Layer{
		{Kind: LayerLink, Path: dir + "/lib/a/b", Text: dir + "/target"},
		{Kind: LayerTmpfs, Path: dir + "/lib", Data: []string{"mode=0755"}},
		{Kind: LayerLink, Path: dir + "/kept", Text: dir + "/target"},
	}, Rules: []*Rule{{Path: dir, Access: Unwritable}}}
	inOwnMounts(t, func(self int) error {
		if err := v.build(self); err != nil {
			return err
		}
		for path, want := range map[string]string{"/lib/a/b": dir + "/target", "/kept": "elsewhere"} {
			if got, err := os.Readlink(dir + path); err != nil || got != want {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
		return nil
	})
	if _, err := os.Lstat(dir + "/lib/a"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the host has it: %v", err)
	}
	inOwnMounts(t, func(self int) error {
		err := (&View{Layers: []*Layer{{Kind: LayerLink, Path: dir + "/lib/old", Text: "x"}}}).build(self)
		if err == nil {
			t.Error("a directory was taken for a link")
		}
		return nil
	})
}
