//go:build linux

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scripts of examples are run as they are: each in mount, process and network
// namespaces of its own, where hardrun is in /usr/local/bin, the cage in
// /srv/named, and port 53 free.

const examplesInside = "HARDRUN_TEST_EXAMPLE"

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

// exampleOf is how a supervisor is asked for what a test does with it.
type exampleOf struct {
	needs                []string
	setup                string // run once; what it leaves in the background is the supervisor
	start, restart, stop string
	again                string // a second start, which must change nothing
	pid                  string // prints the daemon's process number, as the supervisor knows it
	parent               string // comm of the daemon's parent
	down                 string // succeeds when the supervisor says it is down
	root                 string // what the daemon's root is
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
cp openrc/named openrc/named-ssd /etc/init.d/
chmod 755 /etc/init.d/*
`

var exampleScripts = map[string]exampleOf{
	"runit": {
		needs: []string{"runsv", "sv"},
		setup: `mkdir /run/sv && cp -r runit/named /run/sv/named && touch /run/sv/named/down && (setsid runsv /run/sv/named >/run/log 2>&1 &)
			until [ -p /run/sv/named/supervise/ok ]; do sleep 0.05; done`,
		start: "sv start /run/sv/named", again: "sv start /run/sv/named",
		restart: "sv restart /run/sv/named", stop: "sv stop /run/sv/named",
		pid: "cat /run/sv/named/supervise/pid", parent: "runsv",
		down: "sv status /run/sv/named | grep '^down:'", root: "/srv/named",
	},
	"s6": {
		needs: []string{"s6-supervise", "s6-svc", "s6-svstat", "s6-svwait", "execlineb"},
		setup: `mkdir /run/sv && cp -r s6/named /run/sv/named && touch /run/sv/named/down && (setsid s6-supervise /run/sv/named >/run/log 2>&1 &)
			until s6-svstat /run/sv/named >/dev/null 2>&1; do sleep 0.05; done`,
		start: "s6-svc -wu -u /run/sv/named", again: "s6-svc -u /run/sv/named",
		restart: "s6-svc -wr -r /run/sv/named", stop: "s6-svc -wD -d /run/sv/named",
		pid: "s6-svstat -o pid /run/sv/named", parent: "s6-supervise",
		down: "[ $(s6-svstat -o up /run/sv/named) = false ]", root: "/srv/named",
	},
	"openrc": {
		needs: []string{"supervise-daemon", "openrc-run"},
		setup: examplesOpenRC,
		start: "/etc/init.d/named start", again: "/etc/init.d/named start; true",
		restart: "/etc/init.d/named restart", stop: "/etc/init.d/named stop",
		pid: "cat /run/openrc/options/named/child_pid", parent: "supervise-daemo",
		down: "/etc/init.d/named status; [ $? = 3 ]", root: "/srv/named",
	},
	"openrc-ssd": {
		needs: []string{"start-stop-daemon", "openrc-run"},
		setup: examplesOpenRC,
		start: "/etc/init.d/named-ssd start", again: "/etc/init.d/named-ssd start; true",
		restart: "/etc/init.d/named-ssd restart", stop: "/etc/init.d/named-ssd stop",
		pid:  "cat /run/named-ssd.pid",
		down: "/etc/init.d/named-ssd status; [ $? = 3 ]", root: "/srv/named",
	},
	"dpkg": {
		needs: []string{"start-stop-daemon"},
		setup: `mount -t tmpfs -o mode=755 tmpfs /etc/bind && cp -r /srv/named/etc/bind/. /etc/bind/
			mount -t tmpfs -o mode=755 tmpfs /var/cache/bind && chown bind: /var/cache/bind`,
		start: "dpkg/named start", again: "dpkg/named start",
		restart: "dpkg/named restart", stop: "dpkg/named stop",
		pid:  "cat /run/named.pid",
		down: "dpkg/named status; [ $? = 3 ]", root: "/",
	},
}

func TestExamples(t *testing.T) {
	if name := os.Getenv(examplesInside); name != "" {
		exampleInside(t, exampleScripts[name])
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, and the user bind")
	}
	binary := examplesBinary(t)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	openrc, err := filepath.Abs("../bin/peers/openrc")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range exampleScripts {
		t.Run(name, func(t *testing.T) {
			overlay := ""
			for _, tool := range append([]string{"named", "dig", "ip", "unshare", "mount"}, x.needs...) {
				if _, err := exec.LookPath(tool); err == nil {
					continue
				}
				if _, err := os.Stat(openrc + "/usr/sbin/" + tool); err != nil {
					t.Skip("needs " + tool + ", which is not here (make setup SETUP=test, as root)")
				}
				overlay = openrc
			}
			cmd := exec.Command("unshare", "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
				"sh", "-euc", examplesPrepare, "sh", binary, examples, overlay, os.Args[0])
			cmd.Env = append(os.Environ(), examplesInside+"="+name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if !bytes.Contains(out, []byte("--- PASS: TestExamples")) {
				t.Errorf("the test inside did not say that it passed:\n%s", out)
			}
		})
	}
}

// examplesPrepare makes the places that the scripts name, in the private mount
// namespace, and goes on as the test.
const examplesPrepare = `
binary=$1 examples=$2 overlay=$3 test=$4
ip link set lo up
if [ -n "$overlay" ]; then
	mount -t overlay -o "lowerdir=$overlay/usr:/usr" overlay /usr
	mount -t overlay -o "lowerdir=$overlay/etc:/etc" overlay /etc
	ldconfig -C /dev/null 2>/dev/null || true
	export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
fi
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/bin /srv/examples
cp "$binary" /srv/bin/hardrun
cp -r "$examples/." /srv/examples/
mount --bind /srv/bin /usr/local/bin
exec "$test" -test.run='^TestExamples$' -test.v
`

func exampleInside(t *testing.T, x exampleOf) {
	if err := os.Chdir("/srv/examples"); err != nil {
		t.Fatal(err)
	}
	// The recipe of examples/README.md.
	exampleSh(t, "hardrun cage /srv/named --user=bind -- named >/dev/null && mkdir -p /srv/named/etc/bind /srv/named/var/cache/bind && chown bind: /srv/named/var/cache/bind")
	for name, text := range map[string]string{"named.conf": examplesConfig, "zone": examplesZone} {
		if err := os.WriteFile("/srv/named/etc/bind/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exampleSh(t, x.setup)

	exampleSh(t, x.start)
	first := exampleRuns(t, x)
	exampleSh(t, x.again)
	if again := exampleRuns(t, x); again != first {
		t.Errorf("a second start: process %d, want %d as before", again, first)
	}
	if n := exampleCount(t); n != 1 {
		t.Errorf("after a second start: %d processes called named, want 1", n)
	}
	exampleSh(t, x.restart)
	second := exampleRuns(t, x)
	if second == first {
		t.Errorf("restart: process %d is the old one", second)
	}
	if n := exampleCount(t); n != 1 {
		t.Errorf("after restart: %d processes called named, want 1", n)
	}
	exampleSh(t, x.stop)
	exampleSh(t, x.down)
	if n := exampleCount(t); n != 0 {
		t.Errorf("after stop: %d processes called named, want 0", n)
	}
	exampleSh(t, x.start)
	exampleRuns(t, x)
	exampleSh(t, x.stop)
	if n := exampleCount(t); n != 0 {
		t.Errorf("after the last stop: %d processes called named, want 0", n)
	}
}

// exampleRuns waits for an answer on port 53 and for the supervisor to know the
// daemon, and shows that it is what was asked for. It answers its number.
func exampleRuns(t *testing.T, x exampleOf) int {
	t.Helper()
	var answer []byte
	var err error
	for range 100 {
		answer, err = exec.Command("dig", "@127.0.0.1", "+short", "+time=1", "+tries=1", "www.example.test").Output()
		if err == nil && len(answer) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if string(answer) != "192.0.2.80\n" {
		log, _ := os.ReadFile("/run/log") // may not be there
		t.Fatalf("named answers %q, %v, want 192.0.2.80\n%s", answer, err, log)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(exampleSh(t, x.pid)))
	if err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	if comm := exampleRead(t, proc+"comm"); comm != "named\n" {
		t.Fatalf("the supervisor's process %d is %q, want named", pid, comm)
	}
	status := exampleRead(t, proc+"status")
	uid, gid := strings.TrimSpace(exampleSh(t, "id -u bind")), strings.TrimSpace(exampleSh(t, "id -g bind"))
	for _, want := range []string{
		"Uid:\t" + strings.Repeat(uid+"\t", 3) + uid, "Gid:\t" + strings.Repeat(gid+"\t", 3) + gid, "Groups:\t" + gid + " ",
		"CapPrm:\t0000000000000400", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "CapAmb:\t0000000000000400", "NoNewPrivs:\t1",
	} {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("no line %q in\n%s", want, status)
		}
	}
	_, rest, _ := strings.Cut(status, "\nPPid:\t")
	ppid, _, _ := strings.Cut(rest, "\n")
	if x.parent != "" {
		if comm := exampleRead(t, "/proc/"+ppid+"/comm"); comm != x.parent+"\n" {
			t.Errorf("the daemon's parent is %q, want %q", comm, x.parent)
		}
	}
	// Which directory the root is, whatever its path looks like from here.
	got, err := os.Stat(proc + "root/.")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(x.root)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(got, want) {
		t.Errorf("the daemon's root is not %s", x.root)
	}
	return pid
}

// exampleCount is how many processes are called named, zombies left out.
func exampleCount(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range list {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(text), "Name:\tnamed\n") && !strings.Contains(string(text), "\nState:\tZ") {
			n++
		}
	}
	return n
}

func exampleRead(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleSh runs a line of a shell, which must succeed, and answers its output.
// Files, not pipes: a daemon that stays would hold a pipe open.
func exampleSh(t *testing.T, line string) string {
	t.Helper()
	file, err := os.CreateTemp("", "out")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
			t.Error(err)
		}
	}()
	cmd := exec.Command("sh", "-c", line)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(os.Environ(), "PATH=/usr/local/bin:"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	err = cmd.Run()
	out := exampleRead(t, file.Name())
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// examplesBinary builds hardrun as it is shipped, as far as the machine can.
func examplesBinary(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "hardrun")
	cmd := exec.Command("make", "-s", "-C", "..", "build", "OUT="+out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, text)
	}
	return out
}
