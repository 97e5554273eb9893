//go:build linux

package integration

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// service is a daemon as its package installs it, with a configuration of the test's
// in place of the host's. The client asks it over the loopback.
type service struct {
	program, pkg, account string
	args                  []string
	conf                  string            // the directory of its configuration, which the test lays its own over
	files                 map[string]string // what is in it; PORT is replaced
	needs                 []string          // what else it reads, and no table of its files names
	state                 []string          // where it keeps things; the test lays empty directories over these
	seed                  map[string]string // what it finds there
	scratch               string            // a directory in /run, which is empty when it starts
	pidFile               string
	kept                  map[string]string // what it has written once it was asked, and a word of that
	low, high             int               // a port that needs CAP_NET_BIND_SERVICE, if it has one, and one that does not
	ask                   func(t *testing.T, port int) string
	want                  string
}

var services = []service{
	{
		program: "named", pkg: "bind9", account: "bind", args: []string{"-g"},
		conf: "/etc/bind",
		files: map[string]string{
			"named.conf": `options {
	directory "/var/cache/bind";
	listen-on port PORT { 127.0.0.1; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
	notify no;
};
controls { };
zone "example.test" { type primary; file "/etc/bind/db.example.test"; };
zone "dynamic.test" { type primary; file "db.dynamic.test"; allow-update { any; }; };
`,
			"db.example.test": namedZone,
		},
		state:   []string{"/var/cache/bind"},
		seed:    map[string]string{"/var/cache/bind/db.dynamic.test": namedZone},
		scratch: "/run/named", pidFile: "/run/named/named.pid",
		kept: map[string]string{"/var/cache/bind/db.dynamic.test.jnl": "192"},
		low:  53, high: 5300,
		ask: func(t *testing.T, port int) string {
			if dig(t, port, "www.example.test") != "192.0.2.80\n" {
				return ""
			}
			p := program{argv: []string{"nsupdate"}, stdin: "server 127.0.0.1 " + itoa(port) + "\nzone dynamic.test\nupdate add new.dynamic.test 60 TXT 192\nsend\n"}
			if r := p.run(t); r.code != 0 {
				t.Fatalf("nsupdate: status %d, %s", r.code, r.stderr)
			}
			r := runs(t, "dig", "+short", "+tries=1", "+time=5", "-p", itoa(port), "@127.0.0.1", "new.dynamic.test", "TXT")
			return r.stdout
		},
		want: "\"192\"\n",
	},
	{
		program: "unbound", pkg: "unbound", account: "unbound", args: []string{"-d"},
		conf: "/etc/unbound",
		files: map[string]string{"unbound.conf": `server:
	interface: 127.0.0.1
	port: PORT
	chroot: ""
	username: ""
	directory: "/etc/unbound"
	pidfile: "/run/unbound/unbound.pid"
	use-syslog: no
	logfile: "/var/lib/unbound/log"
	verbosity: 1
	local-zone: "example.test." static
	local-data: "www.example.test. A 192.0.2.80"
remote-control:
	control-enable: yes
	control-use-cert: no
	control-interface: /run/unbound/control
`},
		state:   []string{"/var/lib/unbound"},
		scratch: "/run/unbound", pidFile: "/run/unbound/unbound.pid",
		kept: map[string]string{"/var/lib/unbound/log": "start of service"},
		low:  53, high: 5301,
		ask:  func(t *testing.T, port int) string { return dig(t, port, "www.example.test") },
		want: "192.0.2.80\n",
	},
	{
		program: "nginx", pkg: "nginx-light", account: "www-data",
		args: []string{"-g", "daemon off;"},
		conf: "/etc/nginx",
		files: map[string]string{
			"nginx.conf": `load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
pid /run/nginx/nginx.pid;
error_log /var/log/nginx/error.log;
worker_processes 2;
events { worker_connections 64; }
http {
	access_log /var/log/nginx/access.log;
	server {
		listen 127.0.0.1:PORT;
		location = /echo { echo from the module; }
		location / { root /etc/nginx/html; }
	}
}
`,
			"html/index.html": "served from the root\n",
		},
		needs:   []string{"/usr/lib/nginx/modules/ngx_http_echo_module.so"},
		state:   []string{"/var/log/nginx", "/var/lib/nginx"},
		scratch: "/run/nginx", pidFile: "/run/nginx/nginx.pid",
		kept: map[string]string{"/var/log/nginx/access.log": "GET /echo"},
		low:  80, high: 8080,
		ask: func(t *testing.T, port int) string {
			_, page, _ := strings.Cut(exchange(t, port, "GET / HTTP/1.0\r\n\r\n"), "\r\n\r\n")
			_, echo, _ := strings.Cut(exchange(t, port, "GET /echo HTTP/1.0\r\n\r\n"), "\r\n\r\n")
			return page + echo
		},
		want: "served from the root\nfrom the module\n",
	},
	{
		program: "redis-server", pkg: "redis-server", account: "redis", args: []string{"/etc/redis/redis.conf"},
		conf: "/etc/redis",
		files: map[string]string{"redis.conf": `port PORT
bind 127.0.0.1
daemonize no
dir /var/lib/redis
logfile /var/log/redis/log
pidfile /run/redis/redis-server.pid
save 3600 1000
`},
		state:   []string{"/var/lib/redis", "/var/log/redis"},
		scratch: "/run/redis", pidFile: "/run/redis/redis-server.pid",
		kept: map[string]string{"/var/lib/redis/dump.rdb": "REDIS", "/var/log/redis/log": "Ready to accept connections"},
		high: 6379,
		ask: func(t *testing.T, port int) string {
			return exchange(t, port, "SET key value\r\nGET key\r\nSAVE\r\nQUIT\r\n")
		},
		want: "+OK\r\n$5\r\nvalue\r\n+OK\r\n+OK\r\n",
	},
}

func dig(t *testing.T, port int, name string) string {
	t.Helper()
	return runs(t, "dig", "+short", "+tries=1", "+time=1", "-p", itoa(port), "@127.0.0.1", name, "A").stdout
}

// exchange says something to a port of the loopback, and is the answer; empty where
// nobody listens.
func exchange(t *testing.T, port int, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+itoa(port))
	if err != nil {
		return ""
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	// No test waits for a time: this only ends what hangs.
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// account is an entry of the host's passwd, as its fields.
func account(t *testing.T, name string) []string {
	t.Helper()
	for l := range strings.Lines(read(t, "/etc/passwd")) {
		if f := strings.Split(strings.TrimSpace(l), ":"); f[0] == name && len(f) == 7 {
			return f
		}
	}
	t.Skip("needs the user " + name + ", which the package of its daemon makes")
	return nil
}

func number(t *testing.T, s string) int {
	t.Helper()
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no number", s)
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// ground gives the test mounts and a network of its own, where every port of the
// loopback is free and nothing runs that has files in /run.
func ground(t *testing.T) {
	t.Helper()
	outer(t, unix.MS_PRIVATE)
	requireProgram(t, "ip", "iproute2")
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal("unshare: ", err)
	}
	loopback(t)
	mountAt(t, "tmpfs", "/run", "tmpfs", 0, "mode=0755")
}

func loopback(t *testing.T) {
	t.Helper()
	if r := runs(t, "ip", "link", "set", "lo", "up"); r.code != 0 {
		t.Fatal(r.stderr)
	}
}

// laid is a service on its ground.
type laid struct {
	*service
	port     int
	user     []string // its entry of passwd
	uid, gid int
	dirs     map[string]string // what lies over a path
}

// lay makes the ground for a service.
func (s *service) lay(t *testing.T, port int) *laid {
	t.Helper()
	requireRoot(t)
	requireProgram(t, s.program, s.pkg)
	for _, x := range slices.Concat(s.needs, []string{s.conf}, s.state) {
		if !exists(x) {
			t.Skip("needs " + x + " of the package " + s.pkg)
		}
	}
	l := &laid{service: s, port: port, user: account(t, s.account), dirs: map[string]string{}}
	l.uid, l.gid = number(t, l.user[2]), number(t, l.user[3])
	ground(t)
	l.dirs[s.conf] = directory(t, 0o755)
	for name, text := range s.files {
		write(t, l.dirs[s.conf]+"/"+name, strings.ReplaceAll(text, "PORT", itoa(port)), 0o644)
	}
	for _, path := range s.state {
		l.dirs[path] = directory(t, 0o750)
		l.own(t, l.dirs[path])
	}
	for path, dir := range l.dirs {
		mountAt(t, dir, path, "", unix.MS_BIND, "")
	}
	for path, text := range s.seed {
		l.own(t, write(t, path, text, 0o644))
	}
	return l
}

func (l *laid) own(t *testing.T, path string) {
	t.Helper()
	if err := os.Chown(path, l.uid, l.gid); err != nil {
		t.Fatal(err)
	}
}

// start starts the service by hardrun with these options.
func (l *laid) start(t *testing.T, options ...string) *daemon {
	t.Helper()
	return program{argv: slices.Concat([]string{hardrun}, options, []string{"--", l.program}, l.args)}.start(t)
}

// answers waits until the service gives the client the right answer, and holds
// which process it is, what it has written, and where.
func (l *laid) answers(t *testing.T, d *daemon) {
	t.Helper()
	pid := d.cmd.Process.Pid
	told := func() string {
		text := d.stderr.String()
		for path := range l.kept {
			if b, err := os.ReadFile(path); err == nil && strings.Contains(path, "log") {
				text += "\n" + string(b)
			}
		}
		return text
	}
	eventually(t, "an answer of "+l.program, func() bool {
		if status(t, pid, "State")[:1] == "Z" {
			t.Fatalf("%s has ended: %s", l.program, told())
		}
		return l.ask(t, l.port) == l.want
	})
	equal(t, "comm", strings.TrimSpace(read(t, "/proc/"+itoa(pid)+"/comm")), l.program)
	for path, word := range l.kept {
		eventually(t, word+" in "+path, func() bool {
			b, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(b), word)
		})
	}
}

// stop ends the service, which must end well.
func (l *laid) stop(t *testing.T, d *daemon) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	if code := d.end(t); code != 0 {
		t.Errorf("status %d of %s: %s", code, l.program, d.stderr.String())
	}
}

// confined holds the credentials of every thread of a daemon.
func (l *laid) confined(t *testing.T, pid int, bounding string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + itoa(pid) + "/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	four := func(n int) string { return strings.TrimSpace(strings.Repeat(itoa(n)+" ", 4)) }
	for _, task := range tasks {
		got := map[string]string{}
		for line := range strings.Lines(read(t, task)) {
			k, v, _ := strings.Cut(line, ":")
			got[k] = strings.Join(strings.Fields(v), " ")
		}
		equal(t, "Uid", got["Uid"], four(l.uid))
		equal(t, "Gid", got["Gid"], four(l.gid))
		equal(t, "Groups", got["Groups"], itoa(l.gid))
		equal(t, "CapBnd", got["CapBnd"], bounding)
		equal(t, "CapPrm", got["CapPrm"], bounding)
		equal(t, "NoNewPrivs", got["NoNewPrivs"], "1")
	}
}

// unwritable holds that nobody, not even the host's root, can make a file in these
// directories as the process sees them, though the host lets root do it.
func unwritable(t *testing.T, pid int, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := unix.Access(dir, unix.W_OK); err != nil && !errors.Is(err, unix.ENOENT) {
			t.Errorf("write to %s without hardrun: %v", dir, err)
		}
		path := "/proc/" + itoa(pid) + "/root" + strings.TrimSuffix(dir, "/") + "/written-by-a-test"
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err == nil {
			if err := errors.Join(unix.Close(fd), os.Remove(path)); err != nil {
				t.Error(err)
			}
		}
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("create a file in %s of the daemon: %v, want EROFS", dir, err)
		}
	}
}

// mountAbove are the options of the mount that a path of a process is on.
func mountAbove(t *testing.T, pid int, path string) string {
	t.Helper()
	best, options := "", ""
	for l := range strings.Lines(read(t, "/proc/"+itoa(pid)+"/mountinfo")) {
		f := strings.Fields(l)
		point := f[4]
		if path != point && point != "/" && !strings.HasPrefix(path, point+"/") || len(point) < len(best) {
			continue
		}
		_, super, _ := strings.Cut(l, " - ")
		best, options = point, f[5]+","+strings.Fields(super)[2]
	}
	return options
}

// The root directory of the mail on an ephemeral chroot for unbound: an empty
// directory, into which just what ldd(1) names is shown, with everything else that
// a view can take away. It resolves, and writes to its state directory alone.
func TestUnboundInRootDirectory(t *testing.T) {
	s := &services[1]
	l := s.lay(t, s.low)
	root := directory(t, 0o755)
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		mkdir(t, root+dir)
	}
	shown := []string{"/usr/sbin/unbound", "/etc/unbound"}
	for line := range strings.Lines(runs(t, "ldd", "/usr/sbin/unbound").stdout) {
		if i := strings.IndexByte(line, '/'); i >= 0 {
			shown = append(shown, strings.Fields(line[i:])[0])
		}
	}
	if len(shown) < 5 {
		t.Fatalf("ldd names %v", shown)
	}
	options := []string{
		"--root-directory=" + root, "--user=unbound", "--caps=net_bind_service", "--no-new-privileges",
		"-p", "BindReadOnlyPaths=" + strings.Join(shown, " "), "-p", "BindReadOnlyPaths=-/nosuch/optional", "-p", "BindReadOnlyPaths=" + probe + ":/probe",
		"-p", "BindPaths=/var/lib/unbound",
		"-p", "TemporaryFileSystem=" + l.scratch + ":mode=0700,uid=" + l.user[2] + ",gid=" + l.user[3],
		"-p", "TemporaryFileSystem=/var/log:ro",
		"-p", "ReadOnlyPaths=+/", "-p", "InaccessiblePaths=-+/srv",
		"--protect-system=strict", "--protect-home=yes", "--private-tmp=disconnected", "--private-devices", "--private-ipc", "--private-mounts",
		"--protect-kernel-tunables", "--protect-kernel-modules", "--protect-kernel-logs", "--protect-control-groups=yes", "--protect-hostname", "--protect-clock",
		"--protect-proc=invisible", "--proc-subset=pid",
	}
	before := read(t, "/proc/thread-self/mountinfo")
	d := l.start(t, options...)
	l.answers(t, d)
	pid := d.cmd.Process.Pid
	l.confined(t, pid, netBind)
	equal(t, "the pid file", strings.TrimSpace(read(t, "/proc/"+itoa(pid)+"/root"+l.pidFile)), itoa(pid))
	unwritable(t, pid, "/", "/etc", "/etc/unbound", "/usr", "/usr/sbin", "/lib", "/var", "/var/lib", "/var/log", "/dev")
	if o := mountAbove(t, pid, "/proc"); !strings.Contains(o, "hidepid=invisible") || !strings.Contains(o, "subset=pid") {
		t.Errorf("/proc is mounted %s", o)
	}

	// The same start, with the probe in place of the daemon: as its user, and once
	// more by root, who is stopped by the mounts alone.
	for _, user := range []string{"unbound", "root"} {
		start := append(slices.Clone(options), "--user="+user)
		var list []string
		for _, dir := range []string{"/", "/etc", "/etc/unbound", "/usr", "/usr/sbin", "/lib", "/var", "/var/lib", "/var/log", "/dev"} {
			list = append(list, "create "+strings.TrimSuffix(dir, "/")+"/written")
		}
		for i, a := range asked(t, program{argv: slices.Concat([]string{hardrun}, start, []string{"--", "/probe", "ask"})}, list...) {
			if a.Errno != "EROFS" {
				t.Errorf("%s, %s: answered %q, want EROFS", user, list[i], a.Errno)
			}
		}
		for _, dir := range []string{"/var/lib/unbound", "/tmp", "/var/tmp", l.scratch} {
			list = []string{"create " + dir + "/written", "unlink " + dir + "/written"}
			for i, a := range asked(t, program{argv: slices.Concat([]string{hardrun}, start, []string{"--", "/probe", "ask"})}, list...) {
				if want := ""; a.Errno != want && !(user == "root" && a.Errno == "EACCES") { // its one capability does not override modes
					t.Errorf("%s, %s: answered %q, want %q", user, list[i], a.Errno, want)
				}
			}
		}
		for act, want := range map[string]string{
			"stat /etc/passwd": "ENOENT", "stat " + marker: "ENOENT", "stat /bin/sh": "ENOENT", "stat /home": "ENOENT", "stat /srv": "ENOENT",
			"stat /usr/sbin/unbound": "", "stat /proc/self/status": "", "stat /proc/sys": "ENOENT", "stat /dev/null": "",
		} {
			a := asked(t, program{argv: slices.Concat([]string{hardrun}, start, []string{"--", "/probe", "ask"})}, act)[0]
			equal(t, user+", "+act, a.Errno, want)
		}
	}
	l.stop(t, d)
	equal(t, "mounts", read(t, "/proc/thread-self/mountinfo"), before)
	// In the directory itself are the places of mounts, all of them empty.
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && (!info.Mode().IsRegular() || info.Size() != 0) {
			t.Errorf("%s is left in the root directory: %v, %d bytes", path, info.Mode(), info.Size())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Every daemon works under everything at once.
func TestDaemonsUnderEverything(t *testing.T) {
	for i := range services {
		s := &services[i]
		t.Run(s.program, func(t *testing.T) {
			l := s.lay(t, s.high)
			if err := os.Mkdir(l.scratch, 0o755); err != nil {
				t.Fatal(err)
			}
			l.own(t, l.scratch)
			write(t, "/run/other", "of another daemon\n", 0o666)
			path, err := filepath.EvalSymlinks(requireProgram(t, s.program, s.pkg))
			if err != nil {
				t.Fatal(err)
			}
			options := []string{
				"--user=" + s.account, "--caps=none", "--no-new-privileges",
				"--private-tmp", "--private-devices", "--private-ipc", "--private-network", "--private-users",
				"--protect-system=strict", "--protect-home", "--protect-kernel-tunables", "--protect-kernel-modules", "--protect-kernel-logs",
				"--protect-control-groups=yes", "--protect-clock", "--protect-hostname", "--protect-proc=invisible", "--proc-subset=pid",
				"--no-exec-paths=/", "--exec-paths=" + path, "--exec-paths=/usr/lib", "--exec-paths=-/lib", "--exec-paths=-/lib64",
				"--inaccessible-paths=/run/other",
			}
			for _, dir := range append(slices.Clone(s.state), s.scratch) {
				options = append(options, "--read-write-paths="+dir)
			}
			d := l.start(t, options...)
			pid := d.cmd.Process.Pid
			l.join(t, d)
			l.answers(t, d)
			l.confined(t, pid, none)
			equal(t, "the pid file", strings.TrimSpace(read(t, l.pidFile)), itoa(pid))

			unwritable(t, pid, "/", "/etc", s.conf, "/usr", "/usr/lib", "/var", "/var/lib", "/opt", "/srv", "/run")
			if _, err := os.ReadFile("/proc/" + itoa(pid) + "/root/run/other"); err != nil {
				t.Error(err) // by the host's root, who passes over a mode of 0: it is empty
			} else {
				equal(t, "the file of another daemon", read(t, "/proc/"+itoa(pid)+"/root/run/other"), "")
			}
			for _, dir := range []string{"/tmp", "/var/tmp", "/root", "/home"} {
				equals(t, dir, listed(t, "/proc/"+itoa(pid)+"/root"+dir), nil)
			}
			for _, dir := range existing("/usr/lib/modules") {
				equals(t, dir, listed(t, "/proc/"+itoa(pid)+"/root"+dir), nil)
			}
			for _, name := range listed(t, "/proc/"+itoa(pid)+"/root/dev") {
				if !slices.Contains(strings.Fields("fd full hugepages log mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"), name) {
					t.Errorf("/dev/%s is there", name)
				}
			}
			for _, path := range existing("/sys", "/sys/fs/cgroup") {
				if o := mountAbove(t, pid, path); !strings.HasPrefix(o, "ro,") {
					t.Errorf("%s is mounted %s", path, o)
				}
			}
			for path, want := range map[string]string{"/": "ro,noexec", "/usr": "ro,noexec", path: "ro,exec", "/usr/lib": "ro,exec", s.conf: "ro,noexec", s.state[0]: "rw,noexec", s.scratch: "rw,noexec"} {
				got := []string{"rw", "exec"}
				for o := range strings.SplitSeq(mountAbove(t, pid, path), ",") {
					switch o {
					case "ro":
						got[0] = "ro"
					case "noexec":
						got[1] = "noexec"
					}
				}
				equal(t, "the mount of "+path, strings.Join(got, ","), want)
			}
			if o := mountAbove(t, pid, "/proc"); !strings.Contains(o, "hidepid=invisible") || !strings.Contains(o, "subset=pid") {
				t.Errorf("/proc is mounted %s", o)
			}
			for _, kind := range []string{"mnt", "net", "ipc", "uts", "user"} {
				mine, err := os.Readlink("/proc/self/ns/" + kind)
				if err != nil {
					t.Fatal(err)
				}
				its, err := os.Readlink("/proc/" + itoa(pid) + "/ns/" + kind)
				if err != nil || its == mine {
					t.Errorf("%s namespace: %s, that of the test is %s; %v", kind, its, mine, err)
				}
			}
			l.stop(t, d)
		})
	}
}

// join takes the test into the network which the daemon has for itself alone.
func (l *laid) join(t *testing.T, d *daemon) {
	t.Helper()
	path := "/proc/" + itoa(d.cmd.Process.Pid)
	mine, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, l.program+" in a network of its own", func() bool {
		if status(t, d.cmd.Process.Pid, "State")[:1] == "Z" {
			t.Fatal("it has ended: " + d.stderr.String())
		}
		its, err := os.Readlink(path + "/ns/net")
		return err == nil && its != mine
	})
	fd, err := unix.Open(path+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
