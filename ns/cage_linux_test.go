package ns

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a cage belongs to root")
	}
}

// source is a root with one static program, and the cage's spec for it.
func source(t *testing.T) CageSpec {
	t.Helper()
	requireRoot(t)
	root := t.TempDir()
	plant(t, root, map[string][]byte{
		"/usr/sbin/daemon": program("/lib/ld.so", "libx.so"), "/usr/lib/libx.so": library("", "", "").bytes(),
		"/usr/lib/ld.so": append(library("", "", "").bytes(), "\x00/lib/\x00/usr/lib/\x00"...), "/usr/share/zoneinfo/UTC": []byte("TZif2"),
	}, "/lib -> usr/lib", "/etc/localtime -> ../usr/share/zoneinfo/UTC")
	// setuid, setgid, sticky and writable for all: none of it may reach a cage.
	if err := os.Chmod(root+"/usr/sbin/daemon", 0o777|os.ModeSetuid|os.ModeSetgid|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return CageSpec{
		Dir: filepath.Join(t.TempDir(), "cage"), Root: root, Command: "daemon", GOOS: "linux",
		User: &CageUser{Name: "named", UID: 53001, GID: 53002, Group: "bind", Home: "/var/named"},
	}
}

// list lists a directory: mode, owner, path, and content or target.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := info.Mode().String() + " " + itoa(st.Uid) + ":" + itoa(st.Gid) + " " + strings.TrimPrefix(p, dir)
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target
		case info.Mode().IsRegular() && info.Size() < 100:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += " " + strings.ReplaceAll(string(b), "\n", "|")
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func itoa(n uint32) string {
	s := ""
	for ; n > 9; n /= 10 {
		s = string(rune('0'+n%10)) + s
	}
	return string(rune('0'+n)) + s
}

// TestCage: the whole tree, whatever the umask.
func TestCage(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		spec := source(t)
		old := unix.Umask(umask)
		report, err := Cage(spec)
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"drwxr-xr-x 0:0 ",
			`-rw-r--r-- 0:0 /.hardrun-cage This directory was made by "hardrun cage", which may change it again.|`,
			"drwxr-xr-x 0:0 /dev",
			"drwxr-xr-x 0:0 /etc",
			"-rw-r--r-- 0:0 /etc/group bind:*:53002:|",
			"Lrwxrwxrwx 0:0 /etc/localtime -> ../usr/share/zoneinfo/UTC",
			"-rw-r--r-- 0:0 /etc/nsswitch.conf passwd: files|group: files|hosts: files dns|services: files|protocols: files|",
			"-rw-r--r-- 0:0 /etc/passwd named:*:53001:53002::/var/named:/usr/sbin/nologin|",
			"Lrwxrwxrwx 0:0 /lib -> usr/lib",
			"Lrwxrwxrwx 0:0 /run -> var/run",
			"drwxr-xr-x 0:0 /usr",
			"drwxr-xr-x 0:0 /usr/lib",
			"-rwxr-xr-x 0:0 /usr/lib/ld.so",
			"-rwxr-xr-x 0:0 /usr/lib/libx.so",
			"drwxr-xr-x 0:0 /usr/sbin",
			"-rwxr-xr-x 0:0 /usr/sbin/daemon",
			"drwxr-xr-x 0:0 /usr/share",
			"drwxr-xr-x 0:0 /usr/share/zoneinfo",
			"-rwxr-xr-x 0:0 /usr/share/zoneinfo/UTC TZif2",
			"drwxr-xr-x 0:0 /var",
			"drwxr-xr-x 0:0 /var/run",
			"drwxr-xr-x 53001:53002 /var/run/daemon",
		}
		if got := list(t, spec.Dir); !slices.Equal(got, want) {
			t.Errorf("umask %o: got\n%s\nwant\n%s", umask, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if report.Command != "/usr/sbin/daemon" || report.Count(Made) != 10 || report.Count(Kept) != 0 || report.Bytes == 0 {
			t.Errorf("report: %+v", report)
		}
	}
}

// TestCageAgain: a second run changes nothing, not even an inode; a third
// repairs exactly what is wrong.
func TestCageAgain(t *testing.T) {
	spec := source(t)
	if _, err := Cage(spec); err != nil {
		t.Fatal(err)
	}
	inodes := func() map[string]uint64 {
		m := map[string]uint64{}
		for _, p := range []string{"/etc/passwd", "/usr/sbin/daemon", "/usr/lib/libx.so", "/lib", "/var/run/daemon", "/.hardrun-cage"} {
			var st unix.Stat_t
			if err := unix.Lstat(spec.Dir+p, &st); err != nil {
				t.Fatal(err)
			}
			m[p] = st.Ino
		}
		return m
	}
	before, tree := inodes(), list(t, spec.Dir)
	report, err := Cage(spec)
	if err != nil {
		t.Fatal(err)
	}
	if report.Count(Kept) != 10 || report.Count(Made)+report.Count(Updated) != 0 || report.Bytes != 0 {
		t.Errorf("second run: %d kept, %d made, %d updated, %d bytes", report.Count(Kept), report.Count(Made), report.Count(Updated), report.Bytes)
	}
	for p, ino := range inodes() {
		if before[p] != ino {
			t.Errorf("%s was written again", p)
		}
	}

	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, []byte("keep me\n"), 0o644))
	must(t, os.Chmod(spec.Dir+"/etc/group", 0o666))
	must(t, os.Link(spec.Dir+"/etc/nsswitch.conf", outside+".link")) // a second name for the right content
	must(t, os.Remove(spec.Dir+"/etc/passwd"))
	must(t, os.Link(outside, spec.Dir+"/etc/passwd"))
	must(t, os.Remove(spec.Dir+"/usr/lib/libx.so"))
	must(t, unix.Mkfifo(spec.Dir+"/usr/lib/libx.so", 0o644))
	must(t, os.Remove(spec.Dir+"/usr/sbin/daemon"))
	must(t, os.Symlink(outside, spec.Dir+"/usr/sbin/daemon"))
	must(t, os.Symlink(outside, spec.Dir+"/etc/.hardrun-new"))
	must(t, os.Chown(spec.Dir+"/var/run/daemon", 1, 1))
	must(t, os.WriteFile(spec.Dir+"/etc/daemon.conf", []byte("mine\n"), 0o600))
	report, err = Cage(spec)
	if err != nil {
		t.Fatal(err)
	}
	if report.Count(Updated) != 5 || report.Count(Made) != 0 {
		t.Errorf("third run: %d updated, %d made, want 5 and 0", report.Count(Updated), report.Count(Made))
	}
	tree = append(tree, "-rw------- 0:0 /etc/daemon.conf mine|")
	slices.Sort(tree)
	got := list(t, spec.Dir)
	slices.Sort(got)
	if !slices.Equal(got, tree) {
		t.Errorf("third run: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tree, "\n"))
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "keep me\n" {
		t.Errorf("outside: %q, %v", b, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCageHostile: whatever stands in the directory, nothing outside of it
// changes (A41, A42, A46, A47).
func TestCageHostile(t *testing.T) {
	for _, tt := range []struct {
		name  string
		plant func(t *testing.T, dir, outside string)
		fails string
	}{
		{"etc is a link out", func(t *testing.T, dir, outside string) { must(t, os.Symlink(outside, dir+"/etc")) }, "etc: a link or file stands where"},
		{"usr/lib is a link up", func(t *testing.T, dir, _ string) {
			must(t, os.Mkdir(dir+"/usr", 0o755))
			must(t, os.Symlink("..", dir+"/usr/lib"))
		}, "usr/lib: a link or file stands where"},
		{"usr is a link to the host's root", func(t *testing.T, dir, _ string) { must(t, os.Symlink("/proc/self/root", dir+"/usr")) }, "usr: a link or file stands where"},
		{"var/run/daemon is a link out", func(t *testing.T, dir, outside string) {
			must(t, os.MkdirAll(dir+"/var/run", 0o755))
			must(t, os.Symlink(outside, dir+"/var/run/daemon"))
		}, "var/run/daemon: a link or file stands where"},
		{"var is a file", func(t *testing.T, dir, _ string) { must(t, os.WriteFile(dir+"/var", nil, 0o644)) }, "var: a link or file stands where"},
		{"etc/passwd is a directory", func(t *testing.T, dir, _ string) { must(t, os.MkdirAll(dir+"/etc/passwd", 0o755)) }, "a directory stands where the cage needs a file"},
		{"lib is a directory", func(t *testing.T, dir, _ string) { must(t, os.Mkdir(dir+"/lib", 0o755)) }, "a directory stands where the cage needs a link"},
		{"dev is a FIFO", func(t *testing.T, dir, _ string) { must(t, unix.Mkfifo(dir+"/dev", 0o644)) }, "dev: a link or file stands where"},
		{"etc belongs to another", func(t *testing.T, dir, _ string) {
			must(t, os.Mkdir(dir+"/etc", 0o755))
			must(t, os.Chown(dir+"/etc", 53001, 0))
		}, "etc: belongs to uid 53001"},
		{"usr is writable for all", func(t *testing.T, dir, _ string) {
			must(t, os.Mkdir(dir+"/usr", 0o755))
			must(t, os.Chmod(dir+"/usr", 0o1777))
		}, "usr: writable by others than root"},
		{"the cage belongs to another", func(t *testing.T, dir, _ string) { must(t, os.Chown(dir, 53001, 0)) }, "belongs to uid 53001"},
		{"the cage is writable by its group", func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o775)) }, "writable by others than root"},
		{"the marker is a link", func(t *testing.T, dir, outside string) {
			must(t, os.Remove(dir+"/.hardrun-cage"))
			must(t, os.Symlink(outside+"/f", dir+"/.hardrun-cage"))
		}, "not a regular file of root's"},
		{"not a cage", func(t *testing.T, dir, _ string) {
			must(t, os.Remove(dir+"/.hardrun-cage"))
			must(t, os.WriteFile(dir+"/x", nil, 0o644))
		}, "not empty and not a cage"},
		{"the cage is a link", func(t *testing.T, dir, outside string) {
			must(t, os.RemoveAll(dir))
			must(t, os.Symlink(outside, dir))
		}, "not a directory itself"},
		{"the cage is a file", func(t *testing.T, dir, _ string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o644))
		}, "not a directory itself"},
		{"locked", func(t *testing.T, dir, _ string) {
			f, err := os.Open(dir)
			must(t, err)
			t.Cleanup(func() { _ = f.Close() })
			must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
		}, "lock "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := source(t)
			outside := t.TempDir()
			must(t, os.WriteFile(outside+"/f", []byte("keep me\n"), 0o644))
			must(t, os.Mkdir(spec.Dir, 0o755))
			must(t, os.WriteFile(spec.Dir+"/.hardrun-cage", nil, 0o644))
			tt.plant(t, spec.Dir, outside)
			before := list(t, outside)
			report, err := Cage(spec)
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got error %v, want %q", err, tt.fails)
			}
			if report.Entries != nil {
				t.Error("a report with an error")
			}
			if after := list(t, outside); !slices.Equal(before, after) {
				t.Errorf("outside changed: %q, was %q", after, before)
			}
		})
	}
}

// TestCageMount: a bind mount below the cage is the host's directory. The
// mount lives in a namespace of this thread, which ends with the test.
func TestCageMount(t *testing.T) {
	spec := source(t)
	if _, err := Cage(spec); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return errSkip
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			if err := unix.Mount(outside, spec.Dir+"/etc", "", unix.MS_BIND, ""); err != nil {
				return err
			}
			_, err := Cage(spec)
			return err
		}()
	}()
	err := <-done
	if errors.Is(err, errSkip) {
		t.Skip("no mount namespace")
	}
	if err == nil || !strings.Contains(err.Error(), "etc: a mount point stands in the way") {
		t.Errorf("got %v, want a refusal", err)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
		t.Errorf("written to the mounted directory: %v, %v", names, err)
	}
}

var errSkip = errors.New("skip")

func TestCageRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edit  func(*CageSpec)
		fails string
	}{
		{"no directory", func(s *CageSpec) { s.Dir = "" }, "the directory is empty"},
		{"root", func(s *CageSpec) { s.Dir = "//." }, "the root of this machine cannot be a cage"},
		{"no parent", func(s *CageSpec) { s.Dir += "/a/b" }, "no such file or directory"},
		{"user with a colon", func(s *CageSpec) { s.User.Name = "a:0:0" }, "cannot stand in etc/passwd"},
		{"user with a newline", func(s *CageSpec) { s.User.Name = "a\nroot" }, "cannot stand in etc/passwd"},
		{"home with a newline", func(s *CageSpec) { s.User.Home = "/\nroot::0:0::/:" }, "cannot stand in etc/passwd"},
		{"group empty", func(s *CageSpec) { s.User.Group = "" }, "cannot stand in etc/passwd"},
		{"user +", func(s *CageSpec) { s.User.Name = "+" }, "cannot be the name"},
		{"user with a slash", func(s *CageSpec) { s.User.Name = "../x" }, "cannot be the name"},
		{"command missing", func(s *CageSpec) { s.Command = "/gone" }, "no such file"},
		{"library missing", func(s *CageSpec) { must(t, os.Remove(s.Root+"/usr/lib/libx.so")) }, "libx.so, needed by /usr/sbin/daemon"},
		{"file missing", func(s *CageSpec) { s.Files = []string{"/gone"} }, "no such file"},
		{"relative file", func(s *CageSpec) { s.Files = []string{"gone"} }, "is not absolute"},
		{"file is a device", func(s *CageSpec) { must(t, unix.Mkfifo(s.Root+"/fifo", 0o644)); s.Files = []string{"/fifo"} }, "neither a file nor a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := source(t)
			dir := spec.Dir
			tt.edit(&spec)
			if _, err := Cage(spec); err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %v, want %q", err, tt.fails)
			}
			if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something was made before the error: %v", err)
			}
		})
	}
}

// TestCageNetBSD: passwd(5) of NetBSD has ten fields in master.passwd.
func TestCageNetBSD(t *testing.T) {
	spec := source(t)
	spec.GOOS = "netbsd"
	report, err := Cage(spec)
	must(t, err)
	got := strings.Join(list(t, spec.Dir+"/etc"), "\n")
	for _, want := range []string{
		"-rw------- 0:0 /master.passwd named:*:53001:53002::0:0::/var/named:/sbin/nologin|",
		"-rw-r--r-- 0:0 /passwd named:*:53001:53002::/var/named:/sbin/nologin|",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	want := "the user is known only after: pwd_mkdb -p -d " + spec.Dir + " " + spec.Dir + "/etc/master.passwd"
	if !slices.ContainsFunc(report.Notes, func(n Note) bool { return n.Text == want }) {
		t.Errorf("no note %q in %v", want, report.Notes)
	}
	if _, err := os.Lstat(spec.Dir + "/run"); err == nil {
		t.Error("NetBSD has no /run")
	}
}

// TestCageHostRun: where the source's /var/run is a link to /run, the pid
// file's directory follows it.
func TestCageHostRun(t *testing.T) {
	spec := source(t)
	plant(t, spec.Root, map[string][]byte{"/run/daemon/key": []byte("k")}, "/var/run -> /run")
	spec.Files = []string{"/var/run/daemon/key"}
	_, err := Cage(spec)
	must(t, err)
	got := strings.Join(list(t, spec.Dir), "\n")
	for _, want := range []string{"drwxr-xr-x 0:0 /run\n", "drwxr-xr-x 53001:53002 /run/daemon\n", "0:0 /run/daemon/key k", "/var/run -> /run"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// TestCageReal: real programs start in their cage, with nothing else there.
func TestCageReal(t *testing.T) {
	requireRoot(t)
	user := &CageUser{Name: "caged", UID: 53001, GID: 53002, Group: "cagedgroup", Home: "/"}
	for _, tt := range []struct {
		command string
		args    []string
		want    string
	}{
		{"/usr/sbin/named", []string{"-v"}, "BIND 9"},
		{"/bin/sh", []string{"-c", "echo $((6*7))"}, "42"},
		{"/usr/bin/id", nil, "uid=53001(caged) gid=53002(cagedgroup) groups=53002(cagedgroup)"}, // NSS works
		{"/usr/sbin/unbound", []string{"-V"}, "Version "},
	} {
		t.Run(filepath.Base(tt.command), func(t *testing.T) {
			if _, err := os.Stat(tt.command); err != nil {
				t.Skip(err)
			}
			dir := filepath.Join(t.TempDir(), "cage")
			report, err := Cage(CageSpec{Dir: dir, Command: tt.command, User: user})
			must(t, err)
			// The test's own directory is 0700: enter by chroot as root, run as the user.
			cmd := exec.Command(report.Command, tt.args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: user.UID, Gid: user.GID}}
			cmd.Dir, cmd.Env = "/", []string{}
			cmd.Path = tt.command
			cmd.Err = nil
			out, err := output(cmd)
			if err != nil || !strings.Contains(out, tt.want) {
				t.Errorf("%v: %q, want %q", err, out, tt.want)
			}
		})
	}
	t.Run("musl", func(t *testing.T) {
		x := build(t, "musl-gcc", "x.c", hello, "-o", "x")
		cageAndRun(t, x, "hello\n")
	})
	t.Run("script", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(dir+"/s", []byte("#!/usr/bin/env -S sh -e\necho script\n"), 0o755))
		cageAndRun(t, dir+"/s", "script\n")
	})
}

func cageAndRun(t *testing.T, command, want string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cage")
	_, err := Cage(CageSpec{Dir: dir, Command: command})
	must(t, err)
	cmd := exec.Command(command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
	if out, err := output(cmd); err != nil || out != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

// output runs a command without /dev/null, which a cage has not: its standard
// input is a pipe.
func output(cmd *exec.Cmd) (string, error) {
	cmd.Stdin = strings.NewReader("")
	b, err := cmd.CombinedOutput()
	return string(b), err
}
