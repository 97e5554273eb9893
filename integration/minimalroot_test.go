//go:build linux

package integration

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nodes are the devices of a minimal root, and where its links lead.
var nodes = []string{
	"/dev/fd -> /proc/self/fd", "/dev/full 1:7", "/dev/null 1:3", "/dev/random 1:8", "/dev/stderr -> /proc/self/fd/2",
	"/dev/stdin -> /proc/self/fd/0", "/dev/stdout -> /proc/self/fd/1", "/dev/tty 5:0", "/dev/urandom 1:9", "/dev/zero 1:5",
}

// walked is what a root holds, a line each: "/dir/", "/file", "/link -> target",
// "/device 1:3". What is in the directories of but is left out.
func walked(t *testing.T, root string, but ...string) []string {
	t.Helper()
	var list []string
	root = strings.TrimSuffix(root, "/")
	err := filepath.WalkDir(root+"/", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if name == "/" {
			return nil
		}
		switch info, err := os.Lstat(path); {
		case err != nil:
			return err
		case info.IsDir():
			list = append(list, name+"/")
			if slices.Contains(but, name) {
				return fs.SkipDir
			}
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			list = append(list, name+" -> "+target)
		case info.Mode()&fs.ModeDevice != 0:
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err != nil {
				return err
			}
			list = append(list, name+" "+itoa(int(unix.Major(st.Rdev)))+":"+itoa(int(unix.Minor(st.Rdev))))
		default:
			list = append(list, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// caged is what a minimal root for this command must hold: what a cage for it has,
// but for the places that are a cage's own; what is given; and the devices.
func caged(t *testing.T, user string, argv []string, given ...string) []string {
	t.Helper()
	dir := directory(t, 0o755) + "/cage"
	if r := run(t, slices.Concat([]string{"cage", dir, "--user=" + user, "--"}, argv)...); r.code != 0 {
		t.Fatalf("status %d, %q", r.code, r.stderr)
	}
	list := slices.DeleteFunc(walked(t, dir), func(e string) bool {
		return e == "/.hardrun-cage" || e == "/run -> var/run" || e == "/var/" || strings.HasPrefix(e, "/var/run/") || e == "/dev/"
	})
	list = append(list, "/dev/", "/etc/", "/run/", "/tmp/")
	list = append(list, nodes...)
	for _, path := range given {
		list = append(list, path)
		for i := 1; i < len(path)-1; i++ {
			if path[i] == '/' {
				list = append(list, path[:i+1])
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Real daemons, with nothing prepared for them: hardrun finds the programs and
// libraries, and is told the configuration and what is written to.
func TestMinimalRootDaemons(t *testing.T) {
	for i := range services {
		s := &services[i]
		t.Run(s.program, func(t *testing.T) {
			port, caps, bounding := s.low, "--caps=net_bind_service", netBind
			if port == 0 {
				port, caps, bounding = s.high, "--caps=none", none
			}
			l := s.lay(t, port)
			options := []string{"--minimal-root", "--user=" + s.account, caps, "--no-new-privs", "--ro-bind=" + s.conf}
			given := []string{s.conf + "/", s.scratch + "/"}
			but := []string{s.conf, s.scratch}
			for _, path := range s.needs {
				options = append(options, "--ro-bind="+path)
				given = append(given, path)
			}
			for _, path := range s.state {
				options = append(options, "--bind="+path)
				given, but = append(given, path+"/"), append(but, path)
			}
			options = append(options, "--tmpfs="+s.scratch+":mode=0750,uid="+l.user[2]+",gid="+l.user[3])
			before := read(t, "/proc/thread-self/mountinfo")
			d := l.start(t, options...)
			pid := d.cmd.Process.Pid
			l.answers(t, d)
			l.confined(t, pid, bounding)

			root := "/proc/" + itoa(pid) + "/root"
			equal(t, "the pid file", strings.TrimSpace(read(t, root+s.pidFile)), itoa(pid))
			equal(t, "/etc/passwd", read(t, root+"/etc/passwd"),
				"root:x:0:0::/:/usr/sbin/nologin\n"+s.account+":x:"+l.user[2]+":"+l.user[3]+"::"+l.user[5]+":/usr/sbin/nologin\n")
			equal(t, "/etc/group", read(t, root+"/etc/group"), "root:x:0:\n"+s.account+":x:"+l.user[3]+":\n")
			got := walked(t, root, but...)
			equals(t, "what is in the root", got, caged(t, s.account, append([]string{s.program}, s.args...), given...))

			// All of it is read-only, to the host's root as well; what is given writable is not.
			var dirs []string
			for _, e := range got {
				if dir := strings.TrimSuffix(e, "/"); dir != e && !slices.Contains(append(slices.Clone(s.state), s.scratch), dir) {
					dirs = append(dirs, dir)
				}
				if strings.Contains(e, " ") || strings.HasSuffix(e, "/") {
					continue
				}
				if err := unix.Access(root+e, unix.W_OK); !errors.Is(err, unix.EROFS) {
					t.Errorf("write to %s: %v, want EROFS", e, err)
				}
				// A copy would not be what the host's update changes.
				switch e {
				case "/etc/passwd", "/etc/group", "/etc/nsswitch.conf":
					continue
				}
				host, err := os.Stat(e)
				if err != nil {
					t.Error(err)
					continue
				}
				if inside, err := os.Lstat(root + e); err != nil || !os.SameFile(host, inside) {
					t.Errorf("%s is not the host's: %v", e, err)
				}
			}
			unwritable(t, pid, append(dirs, "/")...)
			for _, dir := range append(slices.Clone(s.state), s.scratch) {
				file := root + dir + "/written-by-a-test"
				write(t, file, "", 0o600)
				if err := os.Remove(file); err != nil {
					t.Error(err)
				}
			}
			l.stop(t, d)

			equal(t, "mounts", read(t, "/proc/thread-self/mountinfo"), before)
			equals(t, "/run of the host", listed(t, "/run"), nil)
			var conf []string
			for name := range s.files {
				conf = append(conf, "/"+name)
			}
			slices.Sort(conf)
			equals(t, s.conf, slices.DeleteFunc(walked(t, s.conf), func(e string) bool { return strings.HasSuffix(e, "/") }), conf)
		})
	}
}

// goServer says who it is to everybody who connects.
const goServer = `package main

import (
	"fmt"
	"net"
	"os"
	"os/user"
)

func main() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(2)
		}
		u, err := user.Current()
		if err != nil {
			fmt.Fprintln(c, err)
		} else {
			fmt.Fprintln(c, u.Username)
		}
		c.Close()
	}
}
`

// A static program needs nothing, and gets nothing: its root is itself, the
// devices, and the names of its user.
func TestMinimalRootStatic(t *testing.T) {
	requireRoot(t)
	gotool := requireProgram(t, "go", "golang")
	nobody := account(t, "nobody")
	dir := directory(t, 0o755)
	build := exec.Command(gotool, "build", "-o", dir+"/server", write(t, dir+"/server.go", goServer, 0o644))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ground(t)
	d := program{argv: []string{hardrun, "--minimal-root", "--user=nobody", "--caps=net_bind_service", "--", dir + "/server", "127.0.0.1:80"}}.start(t)
	eventually(t, "an answer; the server said "+d.stderr.String(), func() bool { return exchange(t, 80, "") == "nobody\n" })
	root := "/proc/" + itoa(d.cmd.Process.Pid) + "/root"
	want := slices.Concat(nodes, []string{"/dev/", "/etc/", "/etc/group", "/etc/nsswitch.conf", "/etc/passwd", "/run/", "/tmp/", dir + "/server"})
	for i := 1; i < len(dir)+1; i++ {
		if (dir + "/")[i] == '/' {
			want = append(want, (dir + "/")[:i+1])
		}
	}
	if exists("/etc/localtime") {
		zone, err := filepath.EvalSymlinks("/etc/localtime")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, zone, "/etc/localtime")
		for i := 1; i < len(zone); i++ {
			if zone[i] == '/' {
				want = append(want, zone[:i+1])
			}
		}
	}
	slices.Sort(want)
	var got []string
	for _, e := range walked(t, root) {
		if link, _, ok := strings.Cut(e, " -> "); ok && !strings.HasPrefix(e, "/dev/") {
			e = link
		}
		got = append(got, e)
	}
	equals(t, "what is in the root", got, slices.Compact(want))
	equal(t, "/etc/passwd", read(t, root+"/etc/passwd"), "root:x:0:0::/:/usr/sbin/nologin\nnobody:x:"+nobody[2]+":"+nobody[3]+"::"+nobody[5]+":/usr/sbin/nologin\n")
	d.signal(t, unix.SIGKILL)
	d.end(t)
}

// tops are the names in "/" of a minimal root for these files.
func tops(files ...string) string {
	list := []string{"dev", "etc", "run", "tmp"}
	if zone, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		files = append(files, zone)
	}
	for _, f := range files {
		list = append(list, strings.Split(f, "/")[1])
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// What the daemon finds in a minimal root, and what it can do there. The same acts
// without hardrun show that the host has it, and would let root do it.
func TestMinimalRoot(t *testing.T) {
	requireRoot(t)
	state := directory(t, 0o777)
	shown := write(t, directory(t, 0o755)+"/shown", "of the host", 0o666)
	before := read(t, "/proc/thread-self/mountinfo")
	attempts(t, []string{"--minimal-root", "--bind=" + state, "--ro-bind=" + shown},
		attempt{"access / w", "EROFS", ""},
		attempt{"access /etc w", "EROFS", ""},
		attempt{"access /etc/passwd w", "EROFS", ""},
		attempt{"access /tmp w", "EROFS", ""},
		attempt{"access /run w", "EROFS", ""},
		attempt{"access /dev w", "EROFS", ""},
		attempt{"access " + probe + " w", "EROFS", ""},
		attempt{"access " + shown + " w", "EROFS", ""},
		attempt{"read " + shown, "", ""},
		attempt{"create " + state + "/x", "", ""},
		attempt{"put /dev/null x", "", ""},
		attempt{"read /dev/urandom", "", ""},
		attempt{"stat /bin/sh", "ENOENT", ""},
		attempt{"stat /etc/shadow", "ENOENT", ""},
		attempt{"stat " + marker, "ENOENT", ""},
		attempt{"stat /proc/self", "ENOENT", ""},
		attempt{"stat /sys/kernel", "ENOENT", ""},
		attempt{"list /var", "ENOENT", ""},
		attempt{"unlink " + state + "/x", "", ""},
	)
	equals(t, "the state", listed(t, state), nil)
	a := inside(t, []string{"--minimal-root", "--tmpfs=/var/tmp"}, "list /", "list /etc", "list /var", "create /var/tmp/x", "access /var w", "readlink /proc/self/cwd", "statfs /var/tmp")
	equal(t, "/", a[0].Act, tops(probe, "/var/tmp"))
	if want := "group nsswitch.conf passwd"; a[1].Act != want && a[1].Act != "group localtime nsswitch.conf passwd" {
		t.Errorf("/etc holds %q, want %q", a[1].Act, want)
	}
	equal(t, "/var", a[2].Act, "tmp")
	equal(t, "create in /var/tmp", a[3].Errno, "")
	equal(t, "write to /var", a[4].Errno, "EROFS")
	equal(t, "the type of /var/tmp", a[6].Value, 0x01021994)
	a = inside(t, []string{"--minimal-root", "--private-tmp"}, "list /", "create /tmp/x", "create /var/tmp/x", "access /var w", "access / w")
	equal(t, "/", a[0].Act, tops(probe, "/var/tmp"))
	for i, want := range []string{"", "", "EROFS", "EROFS"} {
		equal(t, a[i+1].Act, a[i+1].Errno, want)
	}
	a = inside(t, []string{"--minimal-root", "--mount-apivfs"}, "list /", "statfs /proc", "statfs /sys", "statfs /run", "create /run/x", "access / w", "stat /proc/sys/kernel", "readlink /proc/self/cwd")
	equal(t, "/", a[0].Act, tops(probe, "/proc", "/sys"))
	for i, want := range []int64{0x9fa0, 0x62656572, 0x01021994} {
		equal(t, a[i+1].Act, a[i+1].Value, want)
	}
	for i, want := range []string{"", "EROFS", "", ""} {
		equal(t, a[i+4].Act, a[i+4].Errno, want)
	}
	equal(t, "cwd", a[7].Act, "/")
	a = inside(t, []string{"--minimal-root", "--proc-subset=pid"}, "list /", "stat /proc/self", "stat /proc/sys")
	equal(t, "/", a[0].Act, tops(probe, "/proc"))
	equal(t, a[1].Act, a[1].Errno, "")
	equal(t, a[2].Act, a[2].Errno, "ENOENT")

	d := program{argv: []string{hardrun, "--minimal-root", "--bind=" + state, "--user=nobody", "--", probe, "serve", state + "/notes", "0"}}.start(t)
	awaited(t, state+"/notes", "ready")
	equal(t, "mounts of the host", read(t, "/proc/thread-self/mountinfo"), before)
	want := []string{"/", "/dev", probe, state}
	if zone, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		want = append(want, zone)
	}
	var got []string
	for l := range strings.Lines(read(t, "/proc/"+itoa(d.cmd.Process.Pid)+"/mountinfo")) {
		got = append(got, strings.Fields(l)[4])
	}
	slices.Sort(got) // what is writable has two: the second is no more read-only
	slices.Sort(want)
	equals(t, "mounts of the daemon", slices.Compact(got), want)
	d.signal(t, unix.SIGTERM)
	equal(t, "status", d.end(t), 0)
	equals(t, "the state", listed(t, state), []string{"notes"})
	equal(t, "mounts of the host afterwards", read(t, "/proc/thread-self/mountinfo"), before)
}

// The log is there where the host has one, unless it is said to be not.
func TestMinimalRootLog(t *testing.T) {
	requireRoot(t)
	outer(t, unix.MS_PRIVATE)
	journal := "/run/systemd/journal/socket"
	mountAt(t, "tmpfs", "/run", "tmpfs", 0, "mode=0755")
	mountAt(t, "tmpfs", "/dev", "tmpfs", 0, "mode=0755")
	for _, n := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}} {
		if err := unix.Mknod("/dev/"+n.name, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			t.Fatal(err)
		}
	}
	mkdir(t, filepath.Dir(journal))
	for _, path := range []string{"/dev/log", journal} {
		if err := unix.Mknod(path, unix.S_IFSOCK|0o666, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		options      []string
		log, journal string
	}{
		{nil, "", "ENOENT"},
		{[]string{"--bind-log-sockets"}, "", ""},
		{[]string{"--bind-log-sockets=no"}, "ENOENT", "ENOENT"},
		{[]string{"--private-devices"}, "", "ENOENT"},
		{[]string{"--private-devices", "--bind-log-sockets"}, "", ""},
		{[]string{"--private-devices", "--bind-log-sockets=no"}, "ENOENT", "ENOENT"},
	} {
		a := inside(t, append([]string{"--minimal-root"}, x.options...), "mode /dev/log", "mode "+journal)
		for i, want := range []string{x.log, x.journal} {
			equal(t, strings.Join(x.options, " ")+": "+a[i].Act, a[i].Errno, want)
			if want == "" {
				equal(t, "its type", a[i].Value&unix.S_IFMT, unix.S_IFSOCK)
			}
		}
	}
}

// built is a small program in C.
func built(t *testing.T, cc, out, source string, flags ...string) string {
	t.Helper()
	if r := runs(t, slices.Concat([]string{requireProgram(t, cc, "gcc, musl-tools"), "-o", out, write(t, out+".c", source, 0o644)}, flags)...); r.code != 0 {
		t.Fatal(r.stderr)
	}
	return out
}

const whoSource = `#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	struct passwd *p = getpwuid(getuid()); // getpwnam uses its space again
	printf("%s ", p ? p->pw_name : "nobody knows");
	p = getpwnam("daemon");
	printf("%s %s\n", p ? p->pw_name : "-", access("/bin/sh", F_OK) ? "alone" : "on the host");
}
`

// Programs of each kind: their loaders, interpreters and names are there.
func TestMinimalRootPrograms(t *testing.T) {
	requireRoot(t)
	account(t, "daemon")
	dir := directory(t, 0o755)
	for name, path := range map[string]string{
		"glibc": built(t, "gcc", dir+"/glibc", whoSource),
		"musl":  built(t, "musl-gcc", dir+"/musl", whoSource),
		"link":  dir + "/a/link",
	} {
		if name == "link" {
			mkdir(t, dir+"/b")
			copied(t, dir+"/glibc", dir+"/b/program", 0o755)
			for link, to := range map[string]string{"/b/link": "program", "/a": "b"} {
				if err := os.Symlink(to, dir+link); err != nil {
					t.Fatal(err)
				}
			}
		}
		equal(t, name+" on the host", runs(t, path).stdout, "root daemon on the host\n")
		r := run(t, "--minimal-root", "--user=nobody", "--", path)
		equal(t, name, r.stdout+r.stderr, "nobody - alone\n")
	}
	script := write(t, dir+"/script", `#!/bin/sh
echo "$0 $*"
command -v ls || echo no ls
`, 0o755)
	equal(t, "a script on the host", strings.Contains(runs(t, script, "a", "b c").stdout, "no ls"), false)
	equal(t, "a script", run(t, "--minimal-root", "--", script, "a", "b c").stdout, script+" a b c\nno ls\n")
	r := program{argv: []string{hardrun, "--minimal-root", "--user=nobody", "--", "glibc"}, env: []string{"PATH=/nosuch:" + dir}}.run(t)
	equal(t, "by PATH", r.stdout+r.stderr, "nobody - alone\n")
	// Without root: hardrun makes a user namespace, and the names are those of the caller.
	if runs(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--user", "true").code != 0 {
		t.Skip("needs user namespaces for everybody")
	}
	r = runs(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", hardrun, "--minimal-root", "--", dir+"/glibc")
	equal(t, "as a plain user", r.stdout+r.stderr, "nobody - alone\n")
}

// A module which the program loads at run time is in no table; given by name, it
// brings what it needs.
func TestMinimalRootModules(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	deep := mkdir(t, dir+"/deep")
	built(t, "gcc", deep+"/libdeep.so", "int deep(void) { return 7; }\n", "-shared", "-fPIC")
	module := built(t, "gcc", dir+"/module.so", "int deep(void);\nint value(void) { return deep(); }\n", "-shared", "-fPIC", "-L"+deep, "-ldeep", "-Wl,-rpath,"+deep)
	loader := built(t, "gcc", dir+"/loader", `#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	void *module = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
	int (*value)(void) = module ? (int (*)(void))dlsym(module, "value") : 0;
	puts(value ? value() == 7 ? "seven" : "another" : dlerror());
}
`)
	equal(t, "on the host", runs(t, loader, module).stdout, "seven\n")
	for _, x := range []struct {
		options []string
		want    string
	}{
		{nil, module + ": cannot open shared object file: No such file or directory\n"},
		{[]string{"--ro-bind=" + module}, "seven\n"},
		{[]string{"--ro-bind=" + module + ":" + module}, "seven\n"},
		{[]string{"--ro-bind=" + dir}, "seven\n"},
	} {
		r := run(t, slices.Concat([]string{"--minimal-root"}, x.options, []string{"--", loader, module})...)
		equal(t, strings.Join(x.options, " "), r.stdout+r.stderr, x.want)
	}
	if err := os.Remove(deep + "/libdeep.so"); err != nil {
		t.Fatal(err)
	}
	refused(t, run(t, "--minimal-root", "--ro-bind="+module, "--", loader, module), 203, "X-Hardrun-MinimalRoot=", "libdeep.so, needed by "+module+", is not found")
}

// What is given over a part of the closure is what the daemon sees there; what is
// lacking in it is an error, and nothing is made in it.
func TestMinimalRootCovered(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	text := func(name, s string) string {
		return built(t, "gcc", dir+"/"+name, "#include <stdio.h>\nint main(void) { puts(\""+s+"\"); }\n")
	}
	one, two := text("one", "one"), text("two", "two")
	equal(t, "as it is", run(t, "--minimal-root", "--", one).stdout, "one\n")
	r := run(t, "--minimal-root", "--ro-bind="+two+":"+one, "--", one)
	equal(t, "the program", r.stdout+r.stderr, "two\n")
	names := write(t, dir+"/names", "other:x:0:0::/:/bin/sh\n", 0o644)
	equal(t, "passwd", inside(t, []string{"--minimal-root", "--ro-bind=" + names + ":/etc/passwd"}, "read /etc/passwd")[0].Act, "other:x:0:0::/:/bin/sh\n")

	// The directory of libraries, by its own name and by that of a link which leads there.
	libc, err := filepath.EvalSymlinks(libcOf(t, one))
	if err != nil {
		t.Fatal(err)
	}
	where := filepath.Dir(libc)
	empty := directory(t, 0o755)
	targets := []string{where}
	if real, err := filepath.EvalSymlinks("/lib"); err == nil && real == "/usr/lib" && strings.HasPrefix(where, "/usr/lib/") {
		targets = append(targets, strings.TrimPrefix(where, "/usr"))
	}
	for _, target := range targets {
		for _, option := range []string{"--ro-bind=", "--bind="} {
			refused(t, run(t, "--minimal-root", option+empty+":"+target, "--", one), 203, "X-Hardrun-MinimalRoot=", "is covered by a bind of "+empty+", which does not have it")
			equals(t, "the source of the bind", listed(t, empty), nil)
		}
		r := run(t, "--minimal-root", "--ro-bind="+where+":"+target, "--", one)
		equal(t, "with libraries on "+target, r.stdout+r.stderr, "one\n")
	}
	// A file system in memory lets what is needed be put into it, but for links.
	r = run(t, "--minimal-root", "--tmpfs="+dir, "--", one)
	equal(t, "in memory", r.stdout+r.stderr, "one\n")
	if err := os.Symlink("one", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	refused(t, run(t, "--minimal-root", "--tmpfs="+dir, "--", dir+"/link"), 203, "X-Hardrun-MinimalRoot=", "is covered by the file system in memory on "+dir)
}

// libcOf is the C library of a program, as ldd(1) names it.
func libcOf(t *testing.T, path string) string {
	t.Helper()
	for l := range strings.Lines(runs(t, "ldd", path).stdout) {
		if name, at, ok := strings.Cut(l, " => "); ok && strings.Contains(name, "libc.so") {
			return strings.Fields(at)[0]
		}
	}
	t.Fatal("ldd names no C library of " + path)
	return ""
}

// What cannot be made is refused by name before anything is done.
func TestMinimalRootRefused(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	text := write(t, dir+"/text", "neither\n", 0o755)
	plain := write(t, dir+"/plain", "#!/bin/sh\n", 0o644)
	script := write(t, dir+"/script", "#!"+dir+"/nosuch\n", 0o755)
	built(t, "gcc", dir+"/libgone.so", "int gone(void) { return 0; }\n", "-shared", "-fPIC")
	gone := built(t, "gcc", dir+"/gone", "int gone(void);\nint main(void) { return gone(); }\n", "-L"+dir, "-lgone", "-Wl,-rpath,"+dir)
	equal(t, "with its library", run(t, "--minimal-root", "--", gone).code, 0)
	if err := os.Remove(dir + "/libgone.so"); err != nil {
		t.Fatal(err)
	}
	const name = "X-Hardrun-MinimalRoot="
	for _, x := range []struct {
		code  int
		words []string
		say   []string
	}{
		{203, []string{"--", "./gone"}, []string{name, `"./gone"`, "neither absolute nor a plain name"}},
		{203, []string{"--working-directory=" + dir, "--", "./gone"}, []string{"./gone"}},
		{203, []string{"--", "nosuch-command"}, []string{name, "command not found: nosuch-command (searched /usr/local/sbin:"}},
		{203, []string{"--", dir + "/nosuch"}, []string{name, dir + "/nosuch", "no such file"}},
		{203, []string{"--", dir}, []string{name, dir, "not a regular file"}},
		{203, []string{"--", text}, []string{name, text, "neither an ELF program nor a #! script"}},
		{203, []string{"--", plain}, []string{name, plain, "permission denied"}},
		{203, []string{"--", script}, []string{name, `"` + dir + `/nosuch", needed by ` + script + ", is not found"}},
		{203, []string{"--", gone}, []string{name, "libgone.so, needed by " + gone + ", is not found"}},
		{226, []string{"--bind=" + dir + "/nosuch", "--", probe}, []string{"BindPaths=", dir + "/nosuch"}},
		{226, []string{"--ro-bind=" + dir + "/nosuch", "--", probe}, []string{"BindReadOnlyPaths=", dir + "/nosuch"}},
		{64, []string{"--chroot=" + dir, "--", probe}, []string{name}},
		{64, []string{"--root-directory=" + dir, "--", probe}, []string{name}},
	} {
		untouched(t, func(prefix []string) result {
			return runs(t, slices.Concat(prefix, []string{hardrun, "--minimal-root"}, x.words)...)
		}, x.code, x.say...)
	}
}

// untouched holds a start that is refused, and that it has not come as far as to
// namespaces.
func untouched(t *testing.T, start func(prefix []string) result, code int, words ...string) {
	t.Helper()
	refused(t, start(nil), code, words...)
	path, err := exec.LookPath("strace")
	if err != nil {
		return
	}
	file := directory(t, 0o755) + "/trace"
	start([]string{path, "-f", "-qq", "-o", file, "-e", "signal=none", "-e", "trace=unshare,clone,mount,open_tree,move_mount,fsopen,pivot_root,mkdirat,setresuid"})
	for l := range strings.Lines(read(t, file)) {
		if !strings.Contains(l, " clone(") && !strings.Contains(l, "+++") { // threads of the runtime
			t.Errorf("%s came before the refusal", strings.TrimSpace(l))
		}
	}
}

// The plan names every file, and what it cannot know.
func TestMinimalRootPlan(t *testing.T) {
	requireProgram(t, "named", "bind9")
	account(t, "bind")
	p := decode[planned](t, run(t, "plan", "--json", "--minimal-root", "--ro-bind=/etc", "--user=bind", "--", "named").stdout)
	notes := ""
	for _, n := range p.Notes {
		if n.ID == "minimal-root" {
			notes += n.Text + "\n"
		}
	}
	for _, want := range []string{
		"not known: dlopen: ", "not known: names: ", "not known: openssl: ", "not known: config: configuration, keys, data and state of /usr/sbin/named",
		"/etc/passwd is that of /etc, which covers the one made for the daemon\n", "nothing in it can be written to: --bind=PATH and --tmpfs=PATH",
		"the home directory /var/cache/bind is not in it\n", "there is no /proc and no /sys in it: MountAPIVFS=yes gives them\n",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	if r := run(t, "plan", "--minimal-root", "--", "named"); !strings.Contains(r.stdout, "note: only root has a name in it: ") {
		t.Errorf("not said that only root has a name: %s", r.stdout)
	}
	steps := ""
	for _, s := range p.Steps {
		steps += s.Step + "\n"
	}
	for line := range strings.Lines(runs(t, "ldd", "/usr/sbin/named").stdout) {
		i := strings.IndexByte(line, '/')
		if i < 0 {
			continue
		}
		real, err := filepath.EvalSymlinks(strings.Fields(line[i:])[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(steps, "bind "+real+",") {
			t.Errorf("no step for %s", real)
		}
	}
	p = decode[planned](t, run(t, "plan", "--json", "--minimal-root", "--ro-bind=/etc/bind", "--bind=/var/cache/bind", "--mount-apivfs", "--user=bind", "--", "named").stdout)
	for _, n := range p.Notes {
		for _, not := range []string{"covers", "nothing in it can be written", "home directory", "no /proc", "only root has a name"} {
			if n.ID == "minimal-root" && strings.Contains(n.Text, not) {
				t.Errorf("a note that is not true here: %s", n.Text)
			}
		}
	}
}
