//go:build linux

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The example unbound-ephemeral is started as it is: with no running systemd, it has a user of its
// own, no capability, ports that were opened for it, and a root that is gone afterwards.

// mailGround is a machine for units that make directories: what they make is not the host's.
// The base of the tests, their programs and /usr are there.
func mailGround(t *testing.T) {
	t.Helper()
	ground(t)
	for _, dir := range []string{"/var/lib", "/var/cache", "/var/log"} {
		mountAt(t, "tmpfs", dir, "tmpfs", 0, "mode=0755")
	}
}

// mailUnit lays the example in a directory, with its library list and these programs besides.
func mailUnit(t *testing.T, more ...string) (dir string) {
	t.Helper()
	const example = "../examples/unbound-ephemeral/"
	dir = directory(t, 0o755)
	for _, name := range []string{"unbound.service", "unbound.socket", "unbound.conf"} {
		copied(t, example+name, dir+"/"+name, 0o644)
	}
	script, err := filepath.Abs(example + "libraries.sh")
	if err != nil {
		t.Fatal(err)
	}
	r := runs(t, append([]string{"sh", script, "/usr/sbin/unbound", "/bin/cp"}, more...)...)
	if r.code != 0 || strings.Count(r.stdout, "BindReadOnlyPaths=") < 10 || !strings.Contains(r.stdout, "BindReadOnlyPaths=/usr/sbin/unbound\n") {
		t.Fatalf("libraries.sh: status %d, %s%s", r.code, r.stdout, r.stderr)
	}
	write(t, dir+"/unbound.service.d/libraries.conf", r.stdout, 0o644)
	conf := directory(t, 0o755)
	copied(t, example+"unbound.conf", conf+"/unbound.conf", 0o644)
	mountAt(t, conf, "/etc/unbound", "", unix.MS_BIND, "")
	return dir
}

func requireUnbound(t *testing.T) {
	t.Helper()
	requireRoot(t)
	for _, p := range [][2]string{{"unbound", "unbound"}, {"dig", "bind9-dnsutils"}, {"ldd", "libc-bin"}} {
		requireProgram(t, p[0], p[1])
	}
	for _, path := range []string{"/usr/share/dns/root.key", "/etc/unbound"} {
		if !exists(path) {
			t.Skip("needs " + path + ", of unbound and dns-root-data")
		}
	}
	if out := runs(t, "unbound", "-V"); !strings.Contains(out.stdout+out.stderr, "--enable-systemd") {
		t.Skip("needs an unbound that takes sockets: --enable-systemd")
	}
}

// childOf is the one child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	list := strings.Fields(read(t, "/proc/"+itoa(pid)+"/task/"+itoa(pid)+"/children"))
	if len(list) != 1 {
		t.Fatalf("process %d has the children %v", pid, list)
	}
	return number(t, list[0])
}

// digs are the answers over UDP and TCP.
func digs(t *testing.T) (answers [2]string) {
	t.Helper()
	for i, how := range []string{"+notcp", "+tcp"} {
		answers[i] = runs(t, "dig", "+short", "+tries=1", "+time=2", how, "@127.0.0.1", "www.example.test", "A").stdout
	}
	return answers
}

// socketsOf are the inodes of the sockets of a process, by descriptor.
func socketsOf(t *testing.T, pid int) map[int]string {
	t.Helper()
	list := map[int]string{}
	for _, name := range listed(t, "/proc/"+itoa(pid)+"/fd") {
		to, err := os.Readlink("/proc/" + itoa(pid) + "/fd/" + name)
		if inode, ok := strings.CutPrefix(to, "socket:["); ok && err == nil {
			list[number(t, name)] = strings.TrimSuffix(inode, "]")
		}
	}
	return list
}

// boundTo are the inodes of the sockets that this network has at 127.0.0.1:53.
func boundTo(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, table := range []string{"udp", "tcp"} {
		for line := range strings.Lines(read(t, "/proc/thread-self/net/"+table)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[1] == "0100007F:0035" && (table == "udp" || f[3] == "0A") {
				list = append(list, f[9])
			}
		}
	}
	return list
}

func environOf(t *testing.T, pid int) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(read(t, "/proc/"+itoa(pid)+"/environ"), "\x00"), "\x00")
}

func TestMailUnbound(t *testing.T) {
	requireUnbound(t)
	mailGround(t)
	dir := mailUnit(t)
	if exists("/run/systemd/system") {
		t.Fatal("the ground looks like a machine with systemd")
	}
	before := read(t, "/proc/thread-self/mountinfo")
	var uids []int
	for round := range 2 {
		d := program{argv: []string{hardrun, "--unit=" + dir + "/unbound.service", "--socket"}}.start(t)
		want := [2]string{"192.0.2.80\n", "192.0.2.80\n"}
		eventually(t, "answers over UDP and TCP", func() bool {
			if status(t, d.cmd.Process.Pid, "State")[:1] == "Z" {
				t.Fatal("it has ended: " + d.stderr.String())
			}
			return digs(t) == want
		})
		pid := childOf(t, d.cmd.Process.Pid)
		equal(t, "comm", strings.TrimSpace(read(t, "/proc/"+itoa(pid)+"/comm")), "unbound")

		uid := number(t, strings.Fields(status(t, pid, "Uid"))[0])
		uids = append(uids, uid)
		if uid < 61184 || uid > 65519 {
			t.Errorf("uid %d is not of a dynamic user", uid)
		}
		for _, kind := range []string{"Uid", "Gid"} {
			equal(t, kind, strings.Join(strings.Fields(status(t, pid, kind)), " "), strings.TrimSpace(strings.Repeat(itoa(uid)+" ", 4)))
		}
		equal(t, "Groups", status(t, pid, "Groups"), itoa(uid))
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			equal(t, set, status(t, pid, set), none)
		}
		equal(t, "NoNewPrivs", status(t, pid, "NoNewPrivs"), "1")
		equal(t, "Seccomp", status(t, pid, "Seccomp"), "2")
		for _, kind := range []string{"uid_map", "gid_map"} {
			equal(t, kind, strings.Join(strings.Fields(read(t, "/proc/"+itoa(pid)+"/"+kind)), " "), "0 0 1 "+itoa(uid)+" "+itoa(uid)+" 1")
		}

		// The sockets at the port are those that were passed, and there are no others.
		sockets, environ := socketsOf(t, pid), environOf(t, pid)
		equals(t, "sockets at the port", boundTo(t), []string{sockets[3], sockets[4]})
		for _, v := range []string{"LISTEN_FDS=2", "LISTEN_PID=" + itoa(pid), "LISTEN_FDNAMES=unbound.socket:unbound.socket", "STATE_DIRECTORY=/var/lib/unbound", "RUNTIME_DIRECTORY=/run/unbound", "USER=unbound-ephemeral"} {
			if !slices.Contains(environ, v) {
				t.Errorf("the environment is %q, without %s", environ, v)
			}
		}
		if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "SHELL=") }) {
			t.Errorf("the environment is %q", environ)
		}

		for _, kind := range []string{"mnt", "ipc", "uts", "user"} {
			its, err := os.Readlink("/proc/" + itoa(pid) + "/ns/" + kind)
			mine, merr := os.Readlink("/proc/thread-self/ns/" + kind)
			if err := errors.Join(err, merr); err != nil || its == mine {
				t.Errorf("%s namespace: %s, that of the test is %s: %v", kind, its, mine, err)
			}
		}

		// Its root is the runtime directory, as that is on the host.
		var its, here unix.Stat_t
		if err := errors.Join(unix.Stat("/proc/"+itoa(pid)+"/root/", &its), unix.Stat("/run/unbound", &here)); err != nil {
			t.Fatal(err)
		}
		if its.Dev != here.Dev || its.Ino != here.Ino {
			t.Errorf("its root is %d:%d, /run/unbound %d:%d", its.Dev, its.Ino, here.Dev, here.Ino)
		}
		equals(t, "its root", listed(t, "/proc/"+itoa(pid)+"/root"), strings.Fields("bin dev etc lib lib64 proc run sys tmp usr var"))
		equals(t, "its /etc", listed(t, "/proc/"+itoa(pid)+"/root/etc"), []string{"unbound"})
		unwritable(t, pid, "/etc", "/etc/unbound", "/usr", "/usr/sbin", "/var", "/dev", "/sys", "/run/unbound", "/run/systemd/system")

		d.signal(t, syscall.SIGTERM)
		if code := d.end(t); code != 0 {
			t.Errorf("status %d: %s", code, d.stderr.String())
		}
		if exists("/proc/" + itoa(pid)) {
			t.Error("unbound is left")
		}
		equals(t, "sockets at the port afterwards", boundTo(t), nil)
		equals(t, "/run afterwards", listed(t, "/run"), []string{"hardrun"})
		equals(t, "/run/hardrun/notify afterwards", listed(t, "/run/hardrun/notify"), nil)
		equal(t, "mounts", read(t, "/proc/thread-self/mountinfo"), before)
		mailState(t, uid, round)
	}
	if uids[0] != uids[1] {
		t.Errorf("the uids %v: the owner of the state is to be taken again", uids)
	}
}

// mailState holds the state directory: it is behind a door of root's, a link leads there, and
// what was put into it at the first start was kept by the second.
func mailState(t *testing.T, uid, round int) {
	t.Helper()
	to, err := os.Readlink("/var/lib/unbound")
	if err != nil || to != "private/unbound" {
		t.Errorf("/var/lib/unbound leads to %q: %v", to, err)
	}
	for path, want := range map[string][2]int{"/var/lib/private": {0o40700, 0}, "/var/lib/private/unbound": {0o40755, uid}, "/var/lib/private/unbound/root.key": {0o100600, uid}} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(path, ": ", err)
		}
		equal(t, path, [2]int{int(st.Mode), int(st.Uid)}, want)
		equal(t, "the group of "+path, st.Gid, uint32(want[1]))
	}
	const file = "/var/lib/private/unbound/root.key"
	const mark = "; kept by a test\n"
	if round == 0 {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(mark)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	} else if !strings.Contains(read(t, file), mark) {
		t.Error("the second start has other state")
	}
}

// mailInside runs words as the main command of the example, in its sandbox.
func mailInside(t *testing.T, dir string, stdin []string, words ...string) result {
	t.Helper()
	text := "[Service]\nType=exec\nTimeoutStartSec=infinity\nBindReadOnlyPaths=" + probe + ":/usr/bin/probe\n"
	if stdin != nil {
		text += "StandardInput=file:" + write(t, dir+"/acts", lines(stdin), 0o644) + "\n"
	}
	if programs, err := victims(); err == nil {
		text += "BindReadOnlyPaths=" + programs[0] + ":/usr/bin/victim\n"
	}
	return runs(t, slices.Concat([]string{hardrun, "--unit=" + dir + "/unbound.service", "--drop-in=" + write(t, dir+"/probe.conf", text, 0o644), "--socket", "--"}, words)...)
}

// Each confinement of the example is in force in the sandbox of its main command.
func TestMailConfinements(t *testing.T) {
	requireUnbound(t)
	mailGround(t)
	dir := mailUnit(t)
	write(t, "/run/other", "of another service\n", 0o666)

	s := mailInside(t, dir, nil, "/usr/bin/probe").state(t)
	for what, got := range map[string]string{"inheritable": s.Inh, "permitted": s.Prm, "effective": s.Eff, "bounding": s.Bnd, "ambient": s.Amb} {
		equal(t, what, got, none)
	}
	equal(t, "no new privileges", s.NNP, 1)
	equal(t, "seccomp", s.Seccomp, 2)
	equal(t, "umask", s.UMask, "0077")
	equal(t, "locked memory", s.Limits[unix.RLIMIT_MEMLOCK], [2]uint64{})
	equal(t, "core", s.Limits[unix.RLIMIT_CORE], [2]uint64{})
	equal(t, "securebits", s.SecureBits, "0000000000000002") // noroot-locked
	equals(t, "descriptors", s.openFDs(), []int{0, 1, 2, 3, 4})
	if v, _ := s.getenv("LISTEN_PID"); v != itoa(s.PID) {
		t.Errorf("LISTEN_PID=%s in process %d", v, s.PID)
	}

	// Files, as the daemon has them. Of what is refused without a filter any reason is right.
	acts := [][2]string{
		{"create /written", "EROFS"},
		{"create /etc/written", "EROFS"},
		{"create /etc/unbound/written", "EROFS"},
		{"create /usr/written", "EROFS"},
		{"create /var/lib/written", "EROFS"},
		{"create /run/unbound/written", "EROFS"}, // the root itself, from within
		{"create /run/systemd/system/written", "EROFS"},
		{"create /dev/written", "EROFS"},
		{"create /sys/written", "EROFS EACCES"},
		{"create /run/written", "EACCES"},
		{"create /var/lib/unbound/written", ""},
		{"create /var/lib/private/unbound/too", ""},
		{"create /tmp/written", ""},
		{"create /var/tmp/written", ""},
		{"list /run/systemd/system", ""},
		{"stat /bin/sh", "ENOENT"},
		{"stat /etc/passwd", "ENOENT"},
		{"stat /etc/shadow", "ENOENT"},
		{"stat /home", "ENOENT"},
		{"stat /root", "ENOENT"},
		{"stat /run/other", "ENOENT"},
		{"stat /run/hardrun", "ENOENT"},
		{"stat " + base, "ENOENT"},
		{"stat /proc/self/status", ""},
		{"stat /proc/sys", "ENOENT"},      // ProcSubset=
		{"stat /proc/1", "ENOENT"},        // ProtectProc=
		{"open /dev/null w", ""},          // PrivateDevices=
		{"stat /dev/kmsg", "ENOENT"},      //
		{"stat /dev/mem", "ENOENT"},       //
		{"run /usr/bin/probe exit 0", ""}, // ExecPaths=
		{"run /etc/unbound/unbound.conf", "EACCES"},
		{"map-exec /etc/unbound/unbound.conf", "EPERM"},
		{"mknod /tmp/null 1 3", "EPERM"},
		{"chmod /tmp/written 4755", "EPERM"}, // RestrictSUIDSGID=
		{"chmod /tmp/written 2755", "EPERM"},
		{"chmod /tmp/written 755", ""},
		{"chown /tmp/written 0", "EPERM EINVAL"},
		{"setuid0", "EPERM"},
		{"setgroups", "EPERM"},
		{"chroot /", "EPERM"},
		{"mount-tmpfs /tmp", "EPERM"},
		{"umount /usr/sbin/unbound", "EPERM"},
		{"sethostname mine", "EPERM"},
		{"nice 5", "EPERM"}, // SystemCallFilter=
		{"ptrace 1", "EPERM"},
		{"kill 1 0", "EPERM ESRCH"},
		{"securebits 0", "EPERM"},
		{"raise 21", "EPERM"},
		{"bind 54", "EACCES"},
		{"shm-find 0x5ec2e7", "ENOENT"}, // PrivateIPC=
		{"unix-connect @hardrun-mail", "ECONNREFUSED"},
	}
	var words []string
	for _, a := range acts {
		words = append(words, a[0])
	}
	// The host has what is not to be found.
	outside(t, "shm-make 0x5ec2e7")
	undo(t, "shm-drop 0x5ec2e7")
	r := mailInside(t, dir, words, "/usr/bin/probe", "ask")
	got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || len(got) != len(acts) {
		t.Fatalf("status %d, %d answers to %d acts: %s%s", r.code, len(got), len(acts), r.stdout, r.stderr)
	}
	for i, line := range got {
		a := decode[answer](t, line)
		if want := strings.Split(acts[i][1], " "); !slices.Contains(want, a.Errno) {
			t.Errorf("%s: answered %d %q, want %q", acts[i][0], a.Value, a.Errno, want)
		}
	}
	// What it left in its private /tmp is not on the host; its state is.
	if exists("/tmp/written") || !exists("/var/lib/private/unbound/written") {
		t.Error("what was written is in the wrong place")
	}

	// Calls, by their bare numbers.
	requireVictims(t)
	var chain, want []string
	for _, c := range [][2]string{
		{"socket 17 3 0", "EAFNOSUPPORT"}, // RestrictAddressFamilies=: AF_PACKET
		{"socket 40 1 0", "EAFNOSUPPORT"}, // AF_VSOCK
		{"socket 2 2 0", ok},
		{"socket 10 2 0", ok},
		{"socket 1 2 0", ok},
		{"socket 16 3 0", ok},
		{"mmap 0 4096 7 0x22 -1 0", "EACCES EPERM"}, // MemoryDenyWriteExecute=
		{"mmap 0 4096 3 0x22 -1 0 ; mprotect _ 4096 5", "EACCES EPERM"},
		{"mmap 0 4096 3 0x22 -1 0", ok},
		{"unshare 0x10000000", "EPERM"}, // RestrictNamespaces=
		{"unshare 0x20000", "EPERM"},
		{"+clone3 *8:0,0,0,0,17,0,0,0 64", "ENOSYS"},
		{"sched_setscheduler 0 1 *4:1", "EPERM"}, // RestrictRealtime=
		{"personality 8", "EPERM"},               // LockPersonality=
		{"personality 0", ok},
		{"chroot \"/", "EPERM"}, // SystemCallFilter=
		{"mount 0 0 0 0 0", "EPERM"},
		{"iopl 3", "EPERM"},
		{"openat2 -100 \"/proc *8:0,0,0 24", "ENOSYS"}, // RestrictSUIDSGID=
		{"io_uring_setup 1 &256", "EPERM ENOSYS"},
		{"getpid", ok},
	} {
		chain = append(chain, chainOf(t, by64, c[0]))
		want = append(want, c[1])
	}
	chain, want = append(chain, chainOf(t, by32, "getppid")), append(want, sigsys) // SystemCallArchitectures=
	for _, c := range []string{"64 250 0 0", "64 103 3 0 0", "64 227 0 *8:0,0", "64 159 *8:0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", "64 175 0 0 \"", "64 321 0 0 0", "64 298 0 0 -1 -1 0"} {
		chain, want = append(chain, c), append(want, "EPERM") // keyctl, syslog, clock_settime, adjtimex, init_module, bpf, perf_event_open
	}
	r = mailInside(t, dir, nil, append([]string{"/usr/bin/victim"}, chain...)...)
	got = strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || len(got) != len(chain) {
		t.Fatalf("status %d, %d answers to %d chains: %s%s", r.code, len(got), len(chain), r.stdout, r.stderr)
	}
	for i, line := range got {
		f := strings.Fields(line)
		a := "nothing"
		if n := len(f); n > 1 && f[n-2] == "SIG" {
			a = unix.SignalName(syscall.Signal(number(t, f[n-1])))
		} else if n > 0 {
			a = answerName(f[n-1])
		}
		if !slices.Contains(strings.Fields(want[i]), a) {
			t.Errorf("%s: answered %q (%s), want %q", chain[i], a, line, want[i])
		}
	}
}

// The file of another machine names libraries that are not here: nothing is started, and the
// first one that is missing is named, with its line.
func TestMailMissingSource(t *testing.T) {
	requireUnbound(t)
	mailGround(t)
	dir := mailUnit(t)
	file := dir + "/unbound.service.d/libraries.conf"
	text := strings.Split(read(t, file), "\n")
	text[4] = "BindReadOnlyPaths=/lib/x86_64-linux-gnu/libmissing.so.7"
	text[7] = "BindReadOnlyPaths=/lib/x86_64-linux-gnu/libmissing.so.8"
	write(t, file, strings.Join(text, "\n"), 0o644)
	r := runs(t, hardrun, "--unit="+dir+"/unbound.service", "--socket")
	equal(t, "status", r.code, 226)
	first, _, _ := strings.Cut(r.stderr, "\n")
	for _, w := range []string{"libraries.conf:5", "BindReadOnlyPaths=", "/lib/x86_64-linux-gnu/libmissing.so.7"} {
		if !strings.Contains(first, w) {
			t.Errorf("%q does not say %q", first, w)
		}
	}
	equals(t, "sockets", boundTo(t), nil)
	for _, path := range []string{"/run/unbound", "/var/lib/unbound", "/var/lib/private/unbound"} {
		if exists(path) {
			t.Error(path + " is left")
		}
	}
}
