//go:build linux

package integration

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scripts of examples are run as they are: each in mount, process and network
// namespaces of its own, where hardrun is in /usr/local/bin, the cage in
// /srv/named, and every port free.

// examplesConfig has no ports but 53 on the loopback.
const examplesConfig = `options {
	directory "/var/cache/bind";
	listen-on { 127.0.0.1; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
};
controls { };
zone "example.test" { type primary; file "/etc/bind/zone"; };
`

const examplesZone = `$TTL 60
@	IN SOA	ns.example.test. root.example.test. ( 1 3600 600 86400 60 )
	IN NS	ns.example.test.
ns	IN A	127.0.0.1
www	IN A	192.0.2.80
`

// exampleDaemon is what a script starts, and how it shows that it works.
type exampleDaemon struct {
	comm, user string
	processes  int
	needs      []string
	prepare    string // the recipe of examples/README.md, and a configuration
	ask, want  string
	check      string   // succeeds where the daemon, $pid, sees what it should
	status     []string // lines of /proc/PID/status; nil for those of the user with one capability
}

var exampleNamed = exampleDaemon{
	comm: "named", processes: 1, user: "bind", needs: []string{"named", "dig"},
	prepare: "hardrun cage /srv/named --user=bind -- named && mkdir -p /srv/named/etc/bind /srv/named/var/cache/bind && chown bind: /srv/named/var/cache/bind\n" +
		"cat >/srv/named/etc/bind/named.conf <<'END'\n" + examplesConfig + "END\ncat >/srv/named/etc/bind/zone <<'END'\n" + examplesZone + "END\n",
	ask: "dig @127.0.0.1 +short +time=1 +tries=1 www.example.test 2>/dev/null", want: "192.0.2.80\n",
}

// Of its own, unbound has the one directory. What it is not to see is there for
// others: /tmp holds this test, and root may write to /usr.
var exampleUnbound = exampleDaemon{
	comm: "unbound", processes: 1, user: "unbound", needs: []string{"unbound", "dig"},
	prepare: `mount -t tmpfs -o mode=755 tmpfs /var/lib/unbound && chown unbound: /var/lib/unbound
		mount -t tmpfs -o mode=755 tmpfs /etc/unbound && cat >/etc/unbound/unbound.conf <<'END'
server:
	interface: 127.0.0.1
	username: ""
	chroot: ""
	pidfile: ""
	use-syslog: no
	local-zone: "example.test." static
	local-data: "www.example.test. A 192.0.2.80"
remote-control:
	control-enable: yes
	control-use-cert: no
	control-interface: /var/lib/unbound/control
END`,
	ask: exampleNamed.ask, want: exampleNamed.want,
	check: `for dir in / /usr /etc /etc/unbound /var /var/lib /run /srv; do
			must [ -w $dir ]
			never [ -w /proc/$pid/root$dir ]
		done
		for dir in /dev /sys /sys/fs/cgroup; do never [ -w /proc/$pid/root$dir ]; done
		must [ -w /proc/$pid/root/var/lib/unbound ]
		must grep -qx 'Seccomp:	2' /proc/$pid/status
		must [ -S /var/lib/unbound/control ]
		must [ -n "$(ls -A /tmp)" ]
		for dir in /tmp /var/tmp; do must [ -z "$(ls -A /proc/$pid/root$dir)" ]; done
		must [ "$(ls /proc/$pid/root/dev | grep -vxE 'fd|full|hugepages|log|mqueue|null|ptmx|pts|random|shm|std(in|out|err)|tty|urandom|zero')" = '' ]
		must grep -q ' /proc proc .*hidepid=invisible' /proc/$pid/mounts
		for kind in mnt ipc uts; do never [ "$(readlink /proc/$pid/ns/$kind)" = "$(readlink /proc/self/ns/$kind)" ]; done
		must grep -q '^Seccomp:.2$' /proc/$pid/status`,
}

// In the root of nginx is nothing that it does not need, and its log is on the host.
var exampleNginx = exampleDaemon{
	comm: "nginx", processes: 2, user: "www-data", needs: []string{"nginx", "curl"},
	prepare: `for dir in /var/lib/nginx /var/log/nginx; do mount -t tmpfs -o mode=755 tmpfs $dir && chown www-data: $dir; done
		mount -t tmpfs -o mode=755 tmpfs /var/www && mkdir /var/www/html && echo served from the view >/var/www/html/index.html
		mount -t tmpfs -o mode=755 tmpfs /etc/nginx && cat >/etc/nginx/nginx.conf <<'END'
user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { }
http {
	access_log /var/log/nginx/access.log;
	server {
		listen 127.0.0.1:80;
		root /var/www/html;
	}
}
END`,
	ask: "curl -s -m 1 http://127.0.0.1/", want: "served from the view\n",
	check: `must grep -q '"GET / HTTP' /var/log/nginx/access.log
		must [ "$(cat /proc/$pid/root/run/nginx.pid)" = $pid ]
		never [ -e /run/nginx.pid ]
		for path in /usr/bin /etc/shadow /var/tmp; do
			must [ -e $path ]
			never [ -e /proc/$pid/root$path ]
		done
		for path in /bin /home /root /srv /opt /proc /sys; do never [ -e /proc/$pid/root$path ]; done
		for dir in / /usr /usr/sbin /etc /etc/nginx /var /var/www /dev; do never [ -w /proc/$pid/root$dir ]; done
		for path in /usr/sbin/nginx /etc/passwd /dev/null; do must [ -e /proc/$pid/root$path ]; done`,
}

// By the unit files of Debian's packages. These daemons start as root and change their user themselves, but for redis.
const exampleZone = `mount -t tmpfs -o mode=755 tmpfs /etc/unbound && cat >/etc/unbound/unbound.conf <<'END'
server:
	interface: 127.0.0.1
	use-syslog: no
	local-zone: "example.test." static
	local-data: "www.example.test. A 192.0.2.80"
END`

var exampleUnitUnbound = exampleDaemon{
	comm: "unbound", processes: 1, user: "unbound", needs: exampleUnbound.needs,
	prepare: exampleZone, ask: exampleNamed.ask, want: exampleNamed.want,
	check:  `for dir in /etc/unbound /run; do must [ -w /proc/$pid/root$dir ]; done`,
	status: []string{"NoNewPrivs:\t0", "Seccomp:\t0"},
}

var exampleUnitRedis = exampleDaemon{
	comm: "redis-server", processes: 1, user: "redis", needs: []string{"redis-server", "redis-cli"},
	prepare: `for dir in /var/lib/redis /var/log/redis; do mount -t tmpfs -o mode=755 tmpfs $dir && chown redis: $dir; done
		mount -t tmpfs -o mode=755 tmpfs /etc/redis && printf 'bind 127.0.0.1\ndir /var/lib/redis\n' >/etc/redis/redis.conf && chown -R redis: /etc/redis`,
	ask: "redis-cli ping 2>/dev/null", want: "PONG\n",
	check: `for dir in / /usr /etc /var /run /dev; do never [ -w /proc/$pid/root$dir ]; done
		for dir in /var/lib/redis /var/log/redis /etc/redis /run/redis; do must [ -w /proc/$pid/root$dir ]; done
		must [ "$(stat -c %U:%a /run/redis)" = redis:2755 ]
		must [ -z "$(ls -A /proc/$pid/root/tmp)" ]
		must grep -q '^Max open files  *10032 ' /proc/$pid/limits`,
	status: []string{"CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"},
}

// exampleUnitNginx is it with a profile, and in a container without one.
func exampleUnitNginx(check string, status ...string) *exampleDaemon {
	d := exampleNginx
	d.user, d.check, d.status = "root", check, status
	return &d
}

// exampleOf is how a supervisor is asked for what a test does with it.
type exampleOf struct {
	daemon               *exampleDaemon
	needs                []string
	setup                string // run once; what it leaves in the background is the supervisor
	start, restart, stop string
	again                string // a second start, which must change nothing
	reload               string // changes what the daemon is to answer, and has it read that; empty for none
	reloaded             string // that answer
	pid                  string // prints the daemon's process number, as the supervisor knows it, or hardrun that stays
	parent               string // comm of the daemon's parent
	down                 string // succeeds when the supervisor says it is down
	root                 string // what the daemon's root is; empty for one of its own
}

// exampleRunit has runsv supervise the script of that name.
func exampleRunit(name string, daemon *exampleDaemon, root string) exampleOf {
	sv := func(command string) string { return "sv " + command + " /run/sv/" + name }
	return exampleOf{
		daemon: daemon, needs: []string{"runsv", "sv"},
		setup: "mkdir /run/sv && cp -r runit/" + name + " /run/sv/" + name + " && touch /run/sv/" + name + "/down && (setsid runsv /run/sv/" + name + " >/run/log 2>&1 &)\n" +
			"until [ -p /run/sv/" + name + "/supervise/ok ]; do sleep 0.05; done",
		start: sv("start"), again: sv("start"), restart: sv("restart"), stop: sv("stop"),
		pid: "cat /run/sv/" + name + "/supervise/pid", parent: "runsv",
		down: sv("status") + " | grep '^down:'", root: root,
	}
}

const examplesOpenRC = `
mkdir -p /run/openrc
for d in daemons exclusive failed hotplugged inactive options scheduled started starting stopping tmp wasinactive; do
	mkdir /run/openrc/$d
done
touch /run/openrc/softlevel
# What the machine has in /etc/init.d and in its configuration is not part of the test.
mount -t tmpfs -o mode=755 tmpfs /etc/init.d
printf '#!/sbin/openrc-run\ndepend() { provide net; }\nstart() { :; }\nstop() { :; }\n' >/etc/init.d/net
cp openrc/* /etc/init.d/
chmod 755 /etc/init.d/*
`

var exampleScripts = map[string]exampleOf{
	"runit":         exampleRunit("named", &exampleNamed, "/srv/named"),
	"runit/unbound": exampleRunit("unbound", &exampleUnbound, "/"),
	"runit/nginx":   exampleRunit("nginx", &exampleNginx, ""),
	"s6": {
		daemon: &exampleNamed,
		needs:  []string{"s6-supervise", "s6-svc", "s6-svstat", "s6-svwait", "execlineb"},
		setup: `mkdir /run/sv && cp -r s6/named /run/sv/named && touch /run/sv/named/down && (setsid s6-supervise /run/sv/named >/run/log 2>&1 &)
			until s6-svstat /run/sv/named >/dev/null 2>&1; do sleep 0.05; done`,
		start: "s6-svc -wu -u /run/sv/named", again: "s6-svc -u /run/sv/named",
		restart: "s6-svc -wr -r /run/sv/named", stop: "s6-svc -wD -d /run/sv/named",
		pid: "s6-svstat -o pid /run/sv/named", parent: "s6-supervise",
		down: "[ $(s6-svstat -o up /run/sv/named) = false ]", root: "/srv/named",
	},
	"openrc": {
		daemon: &exampleNamed,
		needs:  []string{"supervise-daemon", "openrc-run"},
		setup:  examplesOpenRC,
		start:  "/etc/init.d/named start", again: "/etc/init.d/named start; true",
		restart: "/etc/init.d/named restart", stop: "/etc/init.d/named stop",
		pid: "cat /run/openrc/options/named/child_pid", parent: "supervise-daemo",
		down: "/etc/init.d/named status; [ $? = 3 ]", root: "/srv/named",
	},
	"openrc-ssd": {
		daemon: &exampleNamed,
		needs:  []string{"start-stop-daemon", "openrc-run"},
		setup:  examplesOpenRC,
		start:  "/etc/init.d/named-ssd start", again: "/etc/init.d/named-ssd start; true",
		restart: "/etc/init.d/named-ssd restart", stop: "/etc/init.d/named-ssd stop",
		pid:  "cat /run/named-ssd.pid",
		down: "/etc/init.d/named-ssd status; [ $? = 3 ]", root: "/srv/named",
	},
	"dpkg": {
		daemon: &exampleNamed,
		needs:  []string{"start-stop-daemon"},
		setup: `mount -t tmpfs -o mode=755 tmpfs /etc/bind && cp -r /srv/named/etc/bind/. /etc/bind/
			mount -t tmpfs -o mode=755 tmpfs /var/cache/bind && chown bind: /var/cache/bind`,
		start: "dpkg/named start", again: "dpkg/named start",
		restart: "dpkg/named restart", stop: "dpkg/named stop",
		pid:  "cat /run/named.pid",
		down: "dpkg/named status; [ $? = 3 ]", root: "/",
	},
}

// exampleReload changes the answer that the configuration of a daemon gives, and reloads.
func exampleReload(command string) string {
	return "sed -i s/192.0.2.80/192.0.2.81/ /etc/unbound/unbound.conf && " + command
}

// exampleContainer is what a container's runtime does, where it is told nothing else: few
// capabilities, and control groups that cannot be written.
const exampleContainer = `mount -o remount,bind,ro /sys/fs/cgroup
for dir in $(grep -l . /sys/fs/cgroup/unified/cgroup.procs 2>/dev/null); do mount -o remount,bind,ro ${dir%/*}; done
exec setpriv --inh-caps=-all --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap \
	docker/entrypoint-unit.sh
`

// exampleUnits are scripts that start a daemon by the unit file of its package.
var exampleUnits = map[string]exampleOf{
	"runit/redis": func() exampleOf {
		x := exampleRunit("redis", &exampleUnitRedis, "/")
		x.parent, x.pid = "hardrun", "pgrep -P $(cat /run/sv/redis/supervise/pid)"
		return x
	}(),
	"s6/unbound": {
		daemon: &exampleUnitUnbound,
		needs:  []string{"s6-supervise", "s6-svc", "s6-svstat", "s6-svwait"},
		setup: `mkdir /run/sv && cp -r s6/unbound /run/sv/unbound && touch /run/sv/unbound/down && (setsid s6-supervise /run/sv/unbound >/run/log 2>&1 &)
			until s6-svstat /run/sv/unbound >/dev/null 2>&1; do sleep 0.05; done`,
		// It is ready when it says so, and not a moment later.
		start: "s6-svc -T 10000 -wU -u /run/sv/unbound && test \"$(" + exampleNamed.ask + ")\"", again: "s6-svc -u /run/sv/unbound",
		restart: "s6-svc -T 10000 -wR -r /run/sv/unbound", stop: "s6-svc -T 10000 -wD -d /run/sv/unbound",
		reload: exampleReload("s6-svc -h /run/sv/unbound"), reloaded: "192.0.2.81\n",
		pid: "pgrep -P $(s6-svstat -o pid /run/sv/unbound)", parent: "hardrun",
		down: "[ $(s6-svstat -o up /run/sv/unbound) = false ]", root: "/",
	},
	"openrc/nginx": {
		daemon: exampleUnitNginx(`must [ -w /etc/nginx ]
			never [ -w /proc/$pid/root/etc/nginx ]
			must [ -w /proc/$pid/root/var/log/nginx ]
			must [ -z "$(ls -A /proc/$pid/root/tmp)" ]
			must [ "$(cat /run/nginx.pid)" = $pid ]`,
			"CapBnd:\t00000000000405cf", "NoNewPrivs:\t1", "Seccomp:\t2"),
		needs: []string{"supervise-daemon", "openrc-run"},
		setup: examplesOpenRC,
		start: "/etc/init.d/nginx start", again: "/etc/init.d/nginx start; true",
		restart: "/etc/init.d/nginx restart", stop: "/etc/init.d/nginx stop",
		reload:   "sed -i 's,root /var/www/html;,return 200 reloaded;,' /etc/nginx/nginx.conf && /etc/init.d/nginx reload",
		reloaded: "reloaded",
		pid:      "pgrep -P $(cat /run/openrc/options/nginx/child_pid)", parent: "hardrun",
		down: "/etc/init.d/nginx status; [ $? = 3 ]", root: "/",
	},
	"openrc/unbound-ssd": {
		daemon: &exampleUnitUnbound,
		needs:  []string{"start-stop-daemon", "openrc-run"},
		setup:  examplesOpenRC,
		start:  "/etc/init.d/unbound-ssd start", again: "/etc/init.d/unbound-ssd start; true",
		restart: "/etc/init.d/unbound-ssd restart", stop: "/etc/init.d/unbound-ssd stop",
		reload: exampleReload("/etc/init.d/unbound-ssd reload"), reloaded: "192.0.2.81\n",
		pid:  "cat /run/unbound-ssd.pid",
		down: "/etc/init.d/unbound-ssd status; [ $? = 3 ]", root: "/",
	},
	"docker/entrypoint-unit": {
		daemon: exampleUnitNginx("", "CapBnd:\t00000000a80425fb", "NoNewPrivs:\t0"),
		needs:  []string{"setpriv", "setsid"},
		setup:  "cat >/run/container <<'END'\n" + exampleContainer + "END",
		start: `(setsid unshare --pid --fork --mount --mount-proc sh /run/container >/run/log 2>&1 & echo $! >/run/runtime)
			until pgrep -P $(cat /run/runtime); do sleep 0.05; done >/run/first`,
		again:   "true",
		restart: "kill $(cat /run/first); while [ -e /proc/$(cat /run/first) ]; do sleep 0.05; done\n(setsid unshare --pid --fork --mount --mount-proc sh /run/container >/run/log 2>&1 & echo $! >/run/runtime)\nuntil pgrep -P $(cat /run/runtime); do sleep 0.05; done >/run/first",
		stop:    "kill $(cat /run/first); while [ -e /proc/$(cat /run/first) ]; do sleep 0.05; done",
		pid:     "pgrep -P $(cat /run/first)", parent: "hardrun",
		down: "! pgrep -x hardrun", root: "/",
	},
}

// TestExampleUnits is TestExamples for scripts with a unit file.
func TestExampleUnits(t *testing.T) {
	requireRoot(t)
	for name, x := range exampleUnits {
		t.Run(name, func(t *testing.T) { exampleTest(t, x) })
	}
}

// TestExamples runs the scripts of examples as they are, each with a daemon that
// has to answer: started twice, restarted, stopped, and started once more.
func TestExamples(t *testing.T) {
	requireRoot(t)
	for name, x := range exampleScripts {
		t.Run(name, func(t *testing.T) { exampleTest(t, x) })
	}
}

func exampleTest(t *testing.T, x exampleOf) {
	openrc, err := filepath.Abs("../bin/peers/openrc")
	if err != nil {
		t.Fatal(err)
	}
	overlay := ""
	for _, tool := range slices.Concat([]string{"ip", "unshare", "nsenter"}, x.daemon.needs, x.needs) {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if _, err := os.Stat(openrc + "/usr/sbin/" + tool); err != nil {
			t.Skip("needs " + tool + ", which is not here (make setup SETUP=test, as root)")
		}
		overlay = openrc
	}
	exampleRun(t, newExampleSpace(t, overlay), x)
}

func exampleRun(t *testing.T, s *exampleSpace, x exampleOf) {
	s.sh(t, x.daemon.prepare)
	s.sh(t, x.setup)

	s.sh(t, x.start)
	first := s.runs(t, x)
	s.sh(t, x.again)
	if again := s.runs(t, x); again != first {
		t.Errorf("a second start: process %s, want %s as before", again, first)
	}
	s.count(t, x, "after a second start", 1)
	s.sh(t, x.restart)
	second := s.runs(t, x)
	// sv(8) goes by whole seconds: it does not wait for one that has just been started.
	for i := 0; second == first && i < 100; i++ {
		time.Sleep(50 * time.Millisecond)
		second = s.runs(t, x)
	}
	if second == first {
		t.Errorf("restart: process %s is the old one", second)
	}
	s.count(t, x, "after a restart", 1)
	if x.reload != "" {
		s.sh(t, x.reload)
		d := *x.daemon
		d.want, x.daemon = x.reloaded, &d
		if now := s.runs(t, x); now != second {
			t.Errorf("reload: process %s, want %s as before", now, second)
		}
	}
	s.sh(t, x.stop)
	s.sh(t, x.down)
	s.count(t, x, "after a stop", 0)
	s.sh(t, x.start)
	s.runs(t, x)
	s.sh(t, x.stop)
	s.count(t, x, "after the last stop", 0)
}

// exampleSpace is mount, process, network and IPC namespaces, which end with the
// first process in them, and that with the test.
type exampleSpace struct{ enter []string }

// examplesPrepare makes the places that the scripts name, in the private mount
// namespace, says so, and stays until its input ends. It is process 1 there, and
// must reap what is left to it, as bash does and dash does not.
const examplesPrepare = `
binary=$1 examples=$2 overlay=$3
ip link set lo up
if [ -n "$overlay" ]; then
	mount -t overlay -o "lowerdir=$overlay/usr:/usr" overlay /usr
	mount -t overlay -o "lowerdir=$overlay/etc:/etc" overlay /etc
fi
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/bin
cp "$binary" /srv/bin/hardrun
cp -r "$examples" /srv/examples
mount --bind /srv/bin /usr/local/bin
echo ready
read end
`

func newExampleSpace(t *testing.T, overlay string) *exampleSpace {
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
		"bash", "-euc", examplesPrepare, "bash", hardrun, examples, overlay)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := input.Close(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // read answers 1 at the end of its input
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the namespaces were not made: %q, %v", line, err)
	}
	// The shell is the one child of unshare.
	pid := strings.TrimSpace(read(t, fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid)))
	return &exampleSpace{[]string{"nsenter", "--target", pid, "--net", "--mount", "--ipc", "--pid"}}
}

// sh runs lines of a shell in the namespaces; they must succeed. It answers what
// they print. Files, not pipes: a daemon that stays would hold a pipe open.
func (s *exampleSpace) sh(t *testing.T, lines string) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	argv := append(slices.Clone(s.enter), "sh", "-c", "cd /srv/examples\n"+lines)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	err = cmd.Run()
	if cerr := file.Close(); cerr != nil {
		t.Fatal(cerr)
	}
	out := read(t, file.Name())
	if err != nil {
		t.Fatalf("%s: %v\n%s", lines, err, out)
	}
	return out
}

// runs waits for an answer and for the supervisor to know the daemon, and shows
// that it is what was asked for. It answers its number.
func (s *exampleSpace) runs(t *testing.T, x exampleOf) string {
	t.Helper()
	d := x.daemon
	want := strings.TrimSuffix(d.want, "\n")
	answer := s.sh(t, "for i in $(seq 100); do a=$("+d.ask+") && [ \"$a\" = '"+want+"' ] && break; sleep 0.05; done; echo \"$a\"")
	if answer != want+"\n" {
		t.Fatalf("%s answers %q, want %q\n%s", d.comm, answer, d.want, s.sh(t, "cat /run/log; ps axf"))
	}
	pid := strings.TrimSpace(s.sh(t, x.pid))
	if comm := s.sh(t, "cat /proc/"+pid+"/comm"); comm != d.comm+"\n" {
		t.Fatalf("the supervisor's process %s is %q, want %s", pid, comm, d.comm)
	}
	status := s.sh(t, "cat /proc/"+pid+"/status")
	uid, gid := strings.TrimSpace(s.sh(t, "id -u "+d.user)), strings.TrimSpace(s.sh(t, "id -g "+d.user))
	lines := d.status
	if lines == nil {
		lines = []string{
			"Groups:\t" + gid + " ", "CapPrm:\t0000000000000400", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "CapAmb:\t0000000000000400", "NoNewPrivs:\t1",
		}
	}
	for _, want := range append([]string{"Uid:\t" + strings.Repeat(uid+"\t", 3) + uid, "Gid:\t" + strings.Repeat(gid+"\t", 3) + gid}, lines...) {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("no line %q in\n%s", want, status)
		}
	}
	_, rest, _ := strings.Cut(status, "\nPPid:\t")
	ppid, _, _ := strings.Cut(rest, "\n")
	if x.parent != "" {
		if comm := s.sh(t, "cat /proc/"+ppid+"/comm"); comm != x.parent+"\n" {
			t.Errorf("the daemon's parent is %q, want %q", comm, x.parent)
		}
	}
	// Which directory the root is, whatever its path looks like from here.
	if got := s.sh(t, "stat -L -c %d:%i /proc/"+pid+"/root/"); x.root != "" && got != s.sh(t, "stat -c %d:%i "+x.root) {
		t.Errorf("the daemon's root is %s, and not %s", got, x.root)
	} else if x.root == "" && got == s.sh(t, "stat -c %d:%i /") {
		t.Errorf("the daemon's root is that of the host, %s", got)
	}
	s.sh(t, `must() { "$@" || { echo "must hold: $*"; exit 1; }; }
		never() { if "$@"; then echo "must not hold: $*"; exit 1; fi; }
		pid=`+pid+"\n"+d.check)
	return pid
}

// count holds how many processes of the daemon there are, zombies left out.
func (s *exampleSpace) count(t *testing.T, x exampleOf, when string, want int) {
	t.Helper()
	got := s.sh(t, `cat /proc/[0-9]*/status 2>/dev/null | awk '/^Name:\t`+x.daemon.comm+`$/ { n = 1 } /^State:/ && n { if ($2 != "Z") c++; n = 0 } END { print c + 0 }'`)
	if strings.TrimSpace(got) != strconv.Itoa(want*x.daemon.processes) {
		t.Errorf("%s: %s processes called %s, want %d", when, strings.TrimSpace(got), x.daemon.comm, want*x.daemon.processes)
	}
}
