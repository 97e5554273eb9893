//go:build linux

package integration

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/inspect"
	"golang.org/x/sys/unix"
)

// inspected is what package inspect says of a process.
func inspected(t *testing.T, pid int) *inspect.Process {
	t.Helper()
	r, err := inspect.Open()
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Read(pid)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	return p
}

// waiting starts a program that says a line when it is ready, and goes on.
func waiting(t *testing.T, argv ...string) (pid int, said string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = smallEnv, "/"
	errs := &output{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(out, b); err != nil {
			t.Fatalf("%q: %v, after %q; it said %s", argv, err, line, errs)
		}
		if b[0] == '\n' {
			return cmd.Process.Pid, string(line)
		}
	}
}

// python starts a script that prints a line when it is ready.
func python(t *testing.T, script string, before ...string) (pid int, said string) {
	t.Helper()
	if !exists("/usr/bin/python3") {
		t.Skip("needs /usr/bin/python3 of the package python3")
	}
	const head = `
import ctypes, os, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
	r = libc.syscall(*words)
	if r < 0: raise OSError(ctypes.get_errno(), "system call %d" % words[0])
	return r
def ready(*words):
	print(*words, flush=True)
	time.sleep(600)
`
	return waiting(t, append(before, "/usr/bin/python3", "-c", head+script)...)
}

// credentialText writes a group of threads as the lines of status do.
func credentialText(c *inspect.Credentials) string {
	number := func(list []uint32) (s string) {
		for _, n := range list {
			s += strconv.Itoa(int(n)) + " "
		}
		return s
	}
	nnp := 0
	if c.NoNewPrivs {
		nnp = 1
	}
	s := "Uid: " + number(c.UID[:]) + "Gid: " + number(c.GID[:]) + "Groups: " + number(c.Groups)
	for _, x := range []struct {
		name string
		set  caps.Set
	}{{"CapInh", c.Inheritable}, {"CapPrm", c.Permitted}, {"CapEff", c.Effective}, {"CapBnd", c.Bounding}, {"CapAmb", c.Ambient}} {
		s += x.name + ": " + x.set.Hex() + " "
	}
	return s + "NoNewPrivs: " + itoa(nnp) + " Seccomp: " + itoa(c.Seccomp) + " Seccomp_filters: " + itoa(c.Filters)
}

// sameAsTools holds what inspect says against other people's tools.
func sameAsTools(t *testing.T, pid int) *inspect.Process {
	t.Helper()
	requireProgram(t, "pscap", "libcap-ng-utils")
	p := inspected(t, pid)
	id := itoa(pid)
	for _, u := range p.Unknown {
		// Where process 1 is that of a sandbox around this machine, not even root sees it.
		if u.What != "NewRoot" || exists("/proc/1/root/") {
			t.Errorf("%s is unknown: %s", u.What, u.Why)
		}
	}

	// The threads, by grep, sort and uniq.
	script := `for f in /proc/$1/task/*/status; do
		grep -hE '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters):' $f | tr -s '\t\n ' ' '; echo
	done | sed 's/ *$//' | sort | uniq -c | sed 's/^ *//'`
	want := strings.Split(strings.TrimSpace(runs(t, "sh", "-euc", script, "sh", id).stdout), "\n")
	var got []string
	for i := range p.Threads {
		g := &p.Threads[i]
		got = append(got, itoa(len(g.IDs))+" "+credentialText(&g.State))
		for _, tid := range g.IDs {
			comm := strings.TrimSuffix(read(t, "/proc/"+id+"/task/"+itoa(tid)+"/comm"), "\n")
			if !slices.Contains(g.Names, comm) {
				t.Errorf("thread %d is called %q, not one of %q", tid, comm, g.Names)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	equals(t, "threads", got, want)

	// The capabilities, by libcap-ng and by libcap.
	leader := p.Threads[0].State
	for _, line := range strings.Split(runs(t, "pscap", "-a").stdout, "\n") {
		if f := strings.Fields(line); len(f) > 4 && f[1] == id {
			list := strings.Fields(strings.NewReplacer(",", "", "+", "", "@", "").Replace(strings.Join(f[4:], " ")))
			names := leader.Permitted.Names()
			for i := range names {
				names[i] = strings.TrimPrefix(names[i], "cap_")
			}
			if !slices.Equal(list, []string{"full"}) {
				equals(t, "pscap", names, list)
			}
			list = nil
		}
	}
	if leader.Permitted == 0 && strings.Contains(runs(t, "pscap", "-a").stdout, " "+id+" ") {
		t.Error("pscap lists it, and it has no capabilities")
	}
	for _, set := range []caps.Set{leader.Bounding, leader.Effective} {
		decoded := strings.TrimSpace(runs(t, "capsh", "--decode="+set.Hex()).stdout)
		_, names, _ := strings.Cut(decoded, "=")
		equal(t, "capsh", strings.Join(set.Names(), ","), names)
	}

	// The namespaces, by lsns.
	for line := range strings.Lines(runs(t, "lsns", "-n", "-r", "-o", "NS,TYPE", "-p", id).stdout) {
		f := strings.Fields(line)
		i := slices.IndexFunc(p.Spaces, func(s inspect.Space) bool { return s.Kind == f[1] })
		if i < 0 || strconv.FormatUint(p.Spaces[i].Inode, 10) != f[0] {
			t.Errorf("lsns has %q, and not one of %v", line, p.Spaces)
		}
	}
	for _, s := range p.Spaces {
		if s.Own != (readlink(t, "/proc/self/ns/"+s.Kind) == readlink(t, "/proc/"+id+"/ns/"+s.Kind)) {
			t.Errorf("%s: own is %t", s.Kind, s.Own)
		}
	}
	if len(p.Spaces) < 8 {
		t.Errorf("only %d namespaces", len(p.Spaces))
	}

	sameMounts(t, p)

	// The limits, by prlimit(1).
	for line := range strings.Lines(runs(t, "prlimit", "--pid="+id, "--raw", "--noheadings", "--output=RESOURCE,SOFT,HARD").stdout) {
		f := strings.Fields(line)
		limit := func(n uint64) string {
			if n == ^uint64(0) {
				return "unlimited"
			}
			return strconv.FormatUint(n, 10)
		}
		i := slices.IndexFunc(p.Limits, func(l inspect.Limit) bool { return l.Name == f[0] })
		if i < 0 || limit(p.Limits[i].Soft) != f[1] || limit(p.Limits[i].Hard) != f[2] {
			t.Errorf("prlimit has %q, and not one of %v", line, p.Limits)
		}
	}
	equal(t, "limits", len(p.Limits), 16)

	// The sockets, by ss in the network namespace of the process.
	want = nil
	for line := range strings.Lines(runs(t, "nsenter", "--net=/proc/"+id+"/ns/net", "--", "ss", "-H", "-lntup").stdout) {
		f := strings.Fields(line)
		for part := range strings.SplitSeq(line, "(") {
			if rest, found := strings.CutPrefix(part[strings.Index(part, ",")+1:], "pid="+id+",fd="); found {
				proto, address := f[0], strings.Replace(f[4], "*:", "[::]:", 1)
				if strings.HasPrefix(address, "[") {
					proto += "6"
				}
				if host, port, zone := strings.Cut(address, "%"); zone {
					address = host + port[strings.LastIndexByte(port, ':'):]
				}
				fd, _, _ := strings.Cut(rest, ")")
				want = append(want, proto+" "+address+" "+fd)
			}
		}
	}
	got = nil
	for _, l := range p.Listening {
		if strings.HasPrefix(l.Protocol, "tcp") || strings.HasPrefix(l.Protocol, "udp") && !strings.HasPrefix(l.Protocol, "udplite") {
			got = append(got, l.Protocol+" "+l.Address+" "+itoa(l.FD))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	equals(t, "listening", got, want)

	equal(t, "umask", "0"+strconv.FormatUint(uint64(p.UMask), 8), "0"+strings.TrimLeft(status(t, pid, "Umask"), "0"))
	equal(t, "oom", itoa(p.OOMAdjust), strings.TrimSpace(read(t, "/proc/"+id+"/oom_score_adj")))
	equal(t, "root", p.Root, readlink(t, "/proc/"+id+"/root"))
	equal(t, "cwd", p.Cwd, readlink(t, "/proc/"+id+"/cwd"))
	equal(t, "exe", p.Exe, readlink(t, "/proc/"+id+"/exe"))
	equal(t, "arguments", strings.Join(p.Args, "\x00")+"\x00", read(t, "/proc/"+id+"/cmdline"))
	equal(t, "own root", p.OwnRoot, runs(t, "stat", "-Lc", "%d %i", "/proc/"+id+"/root").stdout == runs(t, "stat", "-Lc", "%d %i", "/").stdout)
	groups := ""
	for _, g := range p.Groups {
		groups += ":" + g.Hierarchy + ":" + g.Path + "\n"
	}
	equal(t, "control groups", groups, runs(t, "sed", "s/^[0-9]*//", "/proc/"+id+"/cgroup").stdout)
	for policy, word := range map[string]string{"SCHED_OTHER": "other", "SCHED_FIFO": "fifo 7", "SCHED_BATCH": "batch", "SCHED_IDLE": "idle"} {
		if strings.Contains(runs(t, "chrt", "-p", id).stdout, policy+"\n") {
			equal(t, "scheduling", p.Threads[0].Scheduling, word)
		}
	}
	return p
}

// sameMounts holds the mounts against findmnt, and against where their paths lead.
func sameMounts(t *testing.T, p *inspect.Process) {
	t.Helper()
	id := itoa(p.PID)
	hex := func(s string) string {
		if s == "" {
			return s
		}
		for _, c := range []string{" ", "\n", "\t", "\\", "\""} {
			s = strings.ReplaceAll(s, c, `\x`+strconv.FormatInt(int64(c[0])+0x100, 16)[1:])
		}
		return s
	}
	var got []string
	for i := range p.Mounts {
		m := &p.Mounts[i]
		point := strings.ReplaceAll(m.Point, `\`, "\x00")
		point = strings.ReplaceAll(hex(point), "\x00", `\x5c`)
		got = append(got, itoa(m.ID)+" "+itoa(m.Parent)+" "+point+" "+m.Type+" "+strings.Join(m.Options, ",")+" "+strings.Join(m.Super, ","))
		var st unix.Statx_t
		err := unix.Statx(unix.AT_FDCWD, "/proc/"+id+"/root"+m.Point, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
		if reached := err == nil && int(st.Mnt_id) == m.ID; reached == m.Covered {
			t.Errorf("mount %d on %q: covered %t; its path leads to mount %d, %v", m.ID, m.Point, m.Covered, st.Mnt_id, err)
		}
	}
	want := strings.Split(strings.TrimSpace(runs(t, "findmnt", "-N", id, "-n", "-r", "-o", "ID,PARENT,TARGET,FSTYPE,VFS-OPTIONS,FS-OPTIONS").stdout), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if strings.TrimSpace(strings.Join(want, "")) != "" || len(got) > 0 {
		equals(t, "mounts", got, want)
	}
}

func readlink(t *testing.T, path string) string {
	t.Helper()
	s, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// namedHere is a configuration of named for a start without a root of its own.
func namedHere(t *testing.T) (config, dir string) {
	t.Helper()
	dir = directory(t, 0o777)
	text := strings.NewReplacer(
		"/var/cache/bind", dir, `pid-file "/run/named/named.pid"`, "pid-file none", "/etc/bind/db.example.test", dir+"/zone",
	).Replace(namedConfig)
	write(t, dir+"/zone", namedZone, 0o644)
	return write(t, dir+"/named.conf", text, 0o644), dir
}

// named, started in four ways, is what each way says.
func TestInspectNamed(t *testing.T) {
	requireRoot(t)
	named := requireProgram(t, "named", "bind9")
	requireProgram(t, "ip", "iproute2")
	requireProgram(t, "bwrap", "bubblewrap")
	bind, gid := bindUser(t)
	config, dir := namedHere(t)
	me := machine(t)
	// In a network of its own, where port 53 is free.
	net := []string{"unshare", "--net", "--", "sh", "-euc", `ip link set lo up; exec "$@"`, "sh"}
	hex := func(s caps.Set) string { return s.Hex() }
	for _, x := range []struct {
		name  string
		argv  []string
		check func(t *testing.T, p *inspect.Process)
	}{
		{"plain root", append(net, named, "-f", "-c", config), func(t *testing.T, p *inspect.Process) {
			s := p.Threads[0].State
			equal(t, "uid", s.UID, [4]uint32{})
			equal(t, "bounding", hex(s.Bounding), me.Bnd)
			equal(t, "no_new_privs", s.NoNewPrivs, false)
			equal(t, "filter", s.Seccomp, 0)
			equal(t, "filters", s.Filters, 0)
			equal(t, "own root", p.OwnRoot, true)
		}},
		{"setpriv", append(net, "setpriv", "--reuid="+itoa(bind), "--regid="+itoa(gid), "--groups=4,7", "--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service", "--bounding-set=-all,+net_bind_service,+kill", "--no-new-privs", "--", named, "-f", "-c", config), func(t *testing.T, p *inspect.Process) {
			s := p.Threads[0].State
			equal(t, "uid", s.UID, [4]uint32{uint32(bind), uint32(bind), uint32(bind), uint32(bind)})
			equal(t, "gid", s.GID, [4]uint32{uint32(gid), uint32(gid), uint32(gid), uint32(gid)})
			equals(t, "groups", s.Groups, []uint32{4, 7})
			equal(t, "ambient", hex(s.Ambient), netBind)
			equal(t, "bounding", hex(s.Bounding), "0000000000000420")
			equal(t, "no_new_privs", s.NoNewPrivs, true)
		}},
		{"bwrap", append(net, "bwrap", "--die-with-parent", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/home", "--bind", dir, dir, "--cap-add", "CAP_NET_BIND_SERVICE", "--cap-add", "CAP_SETGID", "--", named, "-f", "-c", config), func(t *testing.T, p *inspect.Process) {
			equal(t, "no_new_privs", p.Threads[0].State.NoNewPrivs, true)
			for _, s := range p.Spaces {
				own := !slices.Contains([]string{"mnt", "ipc", "uts", "net", "cgroup"}, s.Kind)
				equal(t, s.Kind, s.Own, own)
			}
			at := func(point string) *inspect.Mount {
				i := slices.IndexFunc(p.Mounts, func(m inspect.Mount) bool { return m.Point == point && !m.Covered })
				if i < 0 {
					t.Fatalf("nothing on %s", point)
				}
				return &p.Mounts[i]
			}
			equal(t, "/ is read-only", at("/").Has("ro"), true)
			equal(t, "/home", at("/home").Type, "tmpfs")
			equal(t, dir+" is read-only", at(dir).Has("ro"), false)
		}},
		{"hardrun", []string{
			hardrun, "--user=bind", "--caps=net_bind_service", "--no-new-privs", "--private-devices", "--private-ipc", "--protect-system=strict", "--read-write-paths=" + dir, "--private-network",
			"--protect-home", "--protect-proc=invisible", "--protect-kernel-tunables", "--system-call-filter=@system-service", "--restrict-namespaces", "--umask=0027", "--limit-nofile=8192", "--oom-score-adjust=250", "--nice=3", "--", named, "-f", "-c", config,
		}, func(t *testing.T, p *inspect.Process) {
			s := p.Threads[0].State
			equal(t, "uid", s.UID, [4]uint32{uint32(bind), uint32(bind), uint32(bind), uint32(bind)})
			equal(t, "bounding", hex(s.Bounding), netBind)
			equal(t, "filter", s.Seccomp, 2)
			equal(t, "umask", p.UMask, 0o27)
			equal(t, "oom", p.OOMAdjust, 250)
			equal(t, "nice", p.Nice, 3)
			i := slices.IndexFunc(p.Limits, func(l inspect.Limit) bool { return l.Name == "NOFILE" })
			equal(t, "limit", p.Limits[i], inspect.Limit{Name: "NOFILE", Soft: 8192, Hard: 8192})
			for _, s := range p.Spaces {
				equal(t, s.Kind, s.Own, !slices.Contains([]string{"mnt", "ipc", "net"}, s.Kind))
			}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := program{argv: x.argv}.start(t)
			pid := d.cmd.Process.Pid
			eventually(t, "named that listens", func() bool {
				if status(t, d.cmd.Process.Pid, "State")[:1] == "Z" {
					t.Fatalf("named has ended: %s", d.stderr)
				}
				isNamed := func() bool {
					c, err := os.ReadFile("/proc/" + itoa(pid) + "/comm")
					return err == nil && string(c) == "named\n"
				}
				// bwrap stays as its parent, and as the parent's parent.
				for pid = d.cmd.Process.Pid; !isNamed(); {
					list, err := os.ReadFile("/proc/" + itoa(pid) + "/task/" + itoa(pid) + "/children")
					if words := strings.Fields(string(list)); err == nil && len(words) == 1 {
						pid, _ = strconv.Atoi(words[0]) // a number of the kernel's
						continue
					}
					return false
				}
				r := runs(t, "nsenter", "--net=/proc/"+itoa(pid)+"/ns/net", "--", "dig", "+short", "+tries=1", "+time=1", "@127.0.0.1", "www.example.test", "A")
				return r.stdout == "192.0.2.80\n"
			})
			p := sameAsTools(t, pid)
			equal(t, "name", p.Name, "named")
			if len(p.Threads) != 1 || len(p.Threads[0].IDs) < 2 || p.Threads[0].IDs[0] != pid || p.Threads[0].Apart != nil {
				t.Errorf("threads %+v", p.Threads)
			}
			for _, protocol := range []string{"tcp", "udp"} {
				if !slices.ContainsFunc(p.Listening, func(l inspect.Listener) bool {
					return l.Protocol == protocol && l.Address == "127.0.0.1:53"
				}) {
					t.Errorf("no %s in %v", protocol, p.Listening)
				}
			}
			x.check(t, p)
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			d.end(t)
		})
	}
}

// Threads that differ are groups of their own, and what they do not share is said.
func TestInspectThreads(t *testing.T) {
	requireRoot(t)
	pid, said := python(t, `
go, did = threading.Event(), []
def thread(f):
	def body():
		did.append(f(call(186)))
		if len(did) == 7: go.set()
		time.sleep(600)
	threading.Thread(target=body, daemon=True).start()
def name(text): call(157, 15, text)
def without(tid):
	name(b"without)\n\\")
	header = (ctypes.c_uint32 * 2)(0x20080522, 0)
	data = (ctypes.c_uint32 * 6)()
	call(125, header, data)
	for i in 0, 3: data[i] &= ~(1 << 21)
	data[0] &= ~(1 << 21); data[1] &= ~(1 << 21)
	call(126, header, data)
	return "caps=%d" % tid
def user(tid):
	call(119, 1234, 1234, 1234)
	call(117, 1234, 1234, 1234)
	return "user=%d" % tid
def nnp(tid):
	call(157, 38, 1, 0, 0, 0)
	return "nnp=%d" % tid
def net(tid):
	call(272, 0x40000000)
	return "net=%d" % tid
def mnt(tid):
	call(272, 0x20000)
	return "mnt=%d" % tid
def root(tid):
	call(272, 0x200)
	os.chroot("/usr"); os.chdir("/")
	return "root=%d" % tid
def plain(tid): return "plain=%d" % tid
for f in without, user, nnp, net, mnt, root, plain: thread(f)
go.wait()
ready(*sorted(did))
`)
	tids := map[string]int{}
	for word := range strings.FieldsSeq(said) {
		kind, number, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(said)
		}
		tids[kind] = n
	}
	p := inspected(t, pid)
	equal(t, "groups", len(p.Threads), 7)
	group := func(kind string) *inspect.Threads {
		i := slices.IndexFunc(p.Threads, func(g inspect.Threads) bool { return slices.Contains(g.IDs, tids[kind]) })
		if i < 0 {
			t.Fatalf("no thread %s in %+v", kind, p.Threads)
		}
		return &p.Threads[i]
	}
	plain := group("plain")
	equals(t, "plain threads", plain.IDs, []int{pid, tids["plain"]})
	const admin = 21
	equal(t, "plain has it", plain.State.Effective.Has(admin), true)
	equal(t, "without it", group("caps").State.Effective, plain.State.Effective.Without(caps.Set(1)<<admin))
	equals(t, "its name", group("caps").Names, []string{"without)\n\\"})
	equal(t, "user", group("user").State.UID, [4]uint32{1234, 1234, 1234, 1234})
	equal(t, "permitted", group("user").State.Permitted, 0)
	equal(t, "no_new_privs", group("nnp").State.NoNewPrivs, true)
	for _, kind := range []string{"caps", "user", "nnp"} {
		equals(t, kind, group(kind).Apart, nil)
	}
	equals(t, "net", group("net").Apart, []string{"net"})
	if mnt := group("mnt").Apart; !slices.Contains(mnt, "mnt") {
		t.Errorf("mnt: %q", mnt)
	}
	equals(t, "root", group("root").Apart, []string{"cwd", "root"})
	if !slices.IsSortedFunc(p.Threads, func(a, b inspect.Threads) int { return a.IDs[0] - b.IDs[0] }) {
		t.Error("they are not sorted")
	}
}

// A process whose leader has ended is what its threads are.
func TestInspectLeaderEnded(t *testing.T) {
	requireRoot(t)
	// The thread waits until its process is a zombie with threads.
	pid, _ := python(t, `
def body():
	while open("/proc/self/stat").read().rsplit(")", 1)[1].split()[0] != "Z": time.sleep(0.002)
	s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
	ready("now")
threading.Thread(target=body).start()
call(60, 0)
`)
	p := inspected(t, pid)
	if p.Zombie || len(p.Threads) != 1 || slices.Contains(p.Threads[0].IDs, pid) || len(p.Spaces) < 8 || p.Exe == "" || len(p.Args) < 3 || len(p.Mounts) == 0 || len(p.Listening) != 1 {
		t.Errorf("got %+v", p)
	}
	// One that has ended as a whole has nothing.
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a zombie", func() bool { return status(t, cmd.Process.Pid, "State")[0] == 'Z' })
	p = inspected(t, cmd.Process.Pid)
	if !p.Zombie || len(p.Threads) != 1 || p.Name != "true" {
		t.Errorf("got %+v", p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	r, err := inspect.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{cmd.Process.Pid, 0, -1, 1 << 30} {
		if p, err := r.Read(pid); !errors.Is(err, inspect.ErrGone) || p != nil {
			t.Errorf("process %d: got %v, %v", pid, p, err)
		}
	}
	// A thread of the kernel.
	if k, err := r.Read(2); err == nil && status(t, 2, "Name") == "kthreadd" {
		if !k.Kernel || k.Exe != "" || len(k.Unknown) > 0 {
			t.Errorf("got %+v", k)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// Each kind of descriptor that matters is found, and no other.
func TestInspectDescriptors(t *testing.T) {
	requireRoot(t)
	file := write(t, directory(t, 0o755)+"/file", "", 0o644)
	pid, said := python(t, `
kept, names = [], {}
def keep(name, make):
	try: o = make()
	except OSError as e:
		names[name] = -1
		return
	kept.append(o)
	names[name] = o if isinstance(o, int) else o.fileno()
def waits(*words):
	def make():
		s = socket.socket(*words[:-1]); s.bind(words[-1])
		if words[1] != socket.SOCK_DGRAM: s.listen()
		return s
	return make
I, J, U = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
S, D, R = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
keep("tcp", waits(I, S, ("127.0.0.1", 0)))
keep("tcp6", waits(J, S, ("::1", 0)))
keep("udp", waits(I, D, ("127.0.0.1", 0)))
keep("udp6", waits(J, D, ("::", 0)))
keep("udplite", waits(I, D, 136, ("127.0.0.1", 0)))
keep("unix", waits(U, S, "\0hardrun " + str(os.getpid())))
keep("unix-path", waits(U, S, sys.argv[1] + "-s\x1b[31m"))
keep("unix-dgram", waits(U, D, "\0hardrun-d " + str(os.getpid())))
keep("unbound", lambda: socket.socket(I, S))
keep("raw", lambda: socket.socket(I, R, 1))
keep("raw6", lambda: socket.socket(J, R, 58))
keep("packet", lambda: socket.socket(socket.AF_PACKET, R, 0))
def route():
	s = socket.socket(socket.AF_NETLINK, R, 0); s.bind((0, 0))
	return s
keep("netlink", route)
for name in "kmsg", "net/tun", "fuse", "kvm", "null", "zero", "full", "random", "urandom", "ptmx":
	keep(name, lambda: os.open("/dev/" + name, os.O_RDONLY))
os.mknod(sys.argv[1] + "-null", 0o20600, os.makedev(1, 11))
keep("node", lambda: os.open(sys.argv[1] + "-null", os.O_RDONLY))
keep("other", lambda: os.open("/proc/%d/status" % os.getppid(), os.O_RDONLY))
keep("self", lambda: os.open("/proc/self/status", os.O_RDONLY))
keep("pidfd", lambda: os.pidfd_open(os.getppid()))
keep("own pidfd", lambda: os.pidfd_open(os.getpid()))
keep("memory", lambda: os.memfd_create("x"))
keep("deleted", lambda: os.open(sys.argv[1], os.O_RDONLY))
os.unlink(sys.argv[1])
keep("directory", lambda: os.open("/etc", os.O_RDONLY))
keep("io_uring", lambda: call(425, 8, ctypes.create_string_buffer(512)))
keep("userfaultfd", lambda: call(323, 0))
keep("fanotify", lambda: call(300, 0, 0))
keep("perf", lambda: call(298, (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0))
keep("bpf", lambda: call(321, 0, (ctypes.c_uint32 * 18)(2, 4, 4, 1), 72))
keep("event", lambda: call(290, 0, 0))
keep("epoll", lambda: call(291, 0))
keep("pipe", lambda: os.pipe()[0])
keep("own net", lambda: os.open("/proc/self/ns/net", os.O_RDONLY))
call(272, 0x40000000)
keep("net", lambda: os.open("/proc/%d/ns/net" % os.getppid(), os.O_RDONLY))
keep("tcp-own", waits(I, S, ("0.0.0.0", 4321)))
ready(*("%s=%d" % (n.replace(" ", "-"), f) for n, f in names.items()))
`, "sh", "-c", `exec "$@" "$0"`, file)
	fds := map[string]int{}
	for word := range strings.FieldsSeq(said) {
		kind, number, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(said)
		}
		fds[kind] = n
	}
	p := inspected(t, pid)
	if why := p.Why("Files") + p.Why("Listening"); why != "" {
		t.Error(why)
	}
	parent := itoa(os.Getpid())
	want := map[string]string{
		"raw": "raw socket", "raw6": "raw socket (IPv6)", "packet": "packet socket", "netlink": "netlink socket (route)",
		"kmsg": "/dev/kmsg", "net/tun": "/dev/net/tun", "fuse": "/dev/fuse", "kvm": "/dev/kvm", "node": "/dev/kmsg as " + file + "-null",
		"other": "/proc/" + parent + "/status, of another process", "pidfd": "pidfd of process " + parent,
		"io_uring": "io_uring", "userfaultfd": "userfaultfd", "fanotify": "fanotify group", "perf": "performance event",
		"own-net": "net namespace " + strings.Trim(readlink(t, "/proc/self/ns/net"), "net:[]"), "net": "net namespace " + strings.Trim(readlink(t, "/proc/self/ns/net"), "net:[]"),
	}
	got := map[int]string{}
	for _, f := range p.Files {
		got[f.FD] = f.Text
	}
	for kind, fd := range fds {
		text, found := got[fd]
		delete(got, fd)
		switch expect, matters := want[kind]; {
		case fd < 0:
			t.Logf("this machine has no %s", kind)
		case kind == "bpf":
			if !strings.HasPrefix(text, "BPF map ") {
				t.Errorf("bpf: got %q", text)
			}
		case found != matters || text != expect:
			t.Errorf("%s: got %q, want %q", kind, text, expect)
		}
	}
	if len(got) > 0 {
		t.Errorf("others matter as well: %v", got)
	}
	listening := map[int]inspect.Listener{}
	for _, l := range p.Listening {
		listening[l.FD] = l
	}
	for kind, address := range map[string]string{
		"tcp": "tcp 127.0.0.1:", "tcp6": "tcp6 [::1]:", "udp": "udp 127.0.0.1:", "udp6": "udp6 [::]:", "udplite": "udplite 127.0.0.1:",
		"unix": "unix @hardrun " + itoa(pid), "unix-path": "unix " + file + "-s\x1b[31m", "unix-dgram": "unix @hardrun-d " + itoa(pid), "tcp-own": "tcp 0.0.0.0:4321",
		"raw": "raw 0.0.0.0:1", "raw6": "raw6 [::]:58",
	} {
		l, found := listening[fds[kind]]
		delete(listening, fds[kind])
		if !found || !strings.HasPrefix(l.Protocol+" "+l.Address, address) {
			t.Errorf("%s: got %+v, want %q", kind, l, address)
		}
	}
	if len(listening) > 0 {
		t.Errorf("others listen as well: %v", listening)
	}
}

// What is open and cannot be reached by a path of the process's own.
func TestInspectOutside(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		name, enter string
		why         map[string]string
	}{
		{"mounts of its own", "", map[string]string{"host": "outside of its root"}},
		{"chroot", `os.chroot(d + "/cage"); os.chdir("/")`, map[string]string{
			"host": "outside of its root", "above": "outside of its root", "other": "outside of its root", "other file": "outside of its root",
		}},
		{"covered", `mount(d + "/cage")`, map[string]string{
			"host": "outside of its root", "root": "below another mount", "in": "below another mount", "file": "below another mount", "mnt": "below another mount",
		}},
		{"covered at its place", `mount(d + "/other"); mount(d + "/cage/mnt")`, map[string]string{
			"host": "outside of its root", "other": "below another mount", "other file": "below another mount", "mnt": "below another mount",
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := directory(t, 0o755)
			pid, said := python(t, `
d = sys.argv[1]
host = os.open("/etc", os.O_RDONLY)
call(272, 0x20000)
def mount(path):
	if libc.mount(b"none", path.encode(), b"tmpfs", 0, None): raise OSError(ctypes.get_errno(), "mount " + path)
if libc.mount(None, b"/", None, 0x44000, None): raise OSError(ctypes.get_errno(), "mount")
os.makedirs(d + "/cage/sub"); os.mkdir(d + "/cage/mnt"); os.mkdir(d + "/other")
open(d + "/cage/file", "w").close()
mount(d + "/cage/mnt"); os.mkdir(d + "/cage/mnt/deep")
mount(d + "/other"); open(d + "/other/file", "w").close()
fds = {"host": host}
for name, path in ("in", "/cage/sub"), ("file", "/cage/file"), ("root", "/cage"), ("above", "/"), ("mnt", "/cage/mnt/deep"), ("other", "/other"), ("other file", "/other/file"):
	fds[name] = os.open(d + path, os.O_RDONLY)
os.open("/dev/null", os.O_RDONLY); os.pipe()
`+x.enter+`
ready("|".join("%s=%d" % f for f in fds.items()))
`, "sh", "-c", `exec "$@" "$0"`, dir)
			p := inspected(t, pid)
			if why := p.Why("Files"); why != "" {
				t.Error(why)
			}
			paths := map[string]string{"host": "/etc", "in": "/cage/sub", "file": "/cage/file", "root": "/cage", "above": "", "mnt": "/cage/mnt/deep", "other": "/other", "other file": "/other/file"}
			got := map[int]string{}
			for _, f := range p.Files {
				got[f.FD] = f.Text
			}
			for word := range strings.SplitSeq(said, "|") {
				name, number, _ := strings.Cut(word, "=")
				fd, err := strconv.Atoi(number)
				if err != nil {
					t.Fatal(said)
				}
				want := ""
				if why := x.why[name]; why != "" {
					kind, path := "directory ", dir+paths[name]
					if strings.HasSuffix(name, "file") {
						kind = "file "
					}
					if name == "host" {
						path = "/etc"
					}
					want = kind + path + ", " + why
				}
				equal(t, name, got[fd], want)
				delete(got, fd)
			}
			if len(got) > 0 {
				t.Errorf("others as well: %v", got)
			}
			sameMounts(t, p)
		})
	}
}

// The texts of others are bytes, and deceive nobody.
func TestInspectHostile(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	pid, _ := python(t, `
call(157, 15, b"a) Z 1 1\nUid:0")
os.chdir(sys.argv[1])
a, b = socket.socketpair()
victim = socket.socket(socket.AF_UNIX); victim.bind(sys.argv[1] + "/real"); victim.listen()
inode = os.stat("/proc/self/fd/%d" % victim.fileno()).st_ino
pair = os.stat("/proc/self/fd/%d" % a.fileno()).st_ino
kept = []
for i, n in (1, inode), (2, pair):
	s = socket.socket(socket.AF_UNIX); s.bind("\0%d\nffff888000000000: 00000002 00000000 00010000 0001 01 %d /lie" % (i, n)); s.listen(); kept.append(s)
ready(victim.fileno(), a.fileno())
`, "sh", "-c", `exec "$@" "$0"`, dir)
	p := inspected(t, pid)
	equal(t, "name", p.Name, "a) Z 1 1\nUid:0")
	equal(t, "parent", p.PPID, os.Getpid())
	equal(t, "zombie", p.Zombie, false)
	equal(t, "last argument", p.Args[len(p.Args)-1], dir)
	lies := 0
	for _, l := range p.Listening {
		if strings.HasPrefix(l.Address, "/lie") || strings.Contains(l.Address, "real") {
			t.Errorf("believed %+v", l)
		}
		if l.Address == "?" {
			lies++
		}
	}
	equal(t, "addresses that cannot be believed", lies, 2)
}

// Many threads, mounts and descriptors take time for each, and no more.
func TestInspectMany(t *testing.T) {
	requireRoot(t)
	pid, _ := python(t, `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (15000, 15000))
threading.stack_size(65536)
started = []
def body():
	n = len(started); started.append(n)
	call(122, n + 1)
	time.sleep(600)
for i in range(3000): threading.Thread(target=body, daemon=True).start()
while len(started) < 3000: time.sleep(0.01)
time.sleep(0)
call(272, 0x20000)
if libc.mount(None, b"/", None, 0x44000, None) or libc.mount(b"none", b"/mnt", b"tmpfs", 0, b"size=64m"): raise OSError(ctypes.get_errno(), "mount")
for i in range(10000):
	path = b"/mnt/%d" % i
	os.mkdir(path)
	if libc.mount(b"none", path, b"tmpfs", 0, b"size=4k"): raise OSError(ctypes.get_errno(), "mount")
kept = [os.open(b"/mnt/%d" % (i % 10000), os.O_RDONLY) for i in range(14000)]
ready("now")
`)
	begin := time.Now()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := inspected(t, pid)
	runtime.ReadMemStats(&after)
	took := time.Since(begin)
	n := 0
	for i := range p.Threads {
		n += len(p.Threads[i].IDs)
	}
	if n != 3001 || len(p.Mounts) < 10000 || len(p.Files) != 0 {
		t.Errorf("%d threads, %d mounts, %d files", n, len(p.Mounts), len(p.Files))
	}
	t.Logf("%v, %d MiB allocated", took, (after.TotalAlloc-before.TotalAlloc)>>20)
	if took > 10*time.Second || after.TotalAlloc-before.TotalAlloc > 1<<30 {
		t.Errorf("%v, %d MiB allocated", took, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

// Processes that come and go are there or gone, and nothing else.
func TestInspectComeAndGo(t *testing.T) {
	requireRoot(t)
	waiting(t, "sh", "-c", `echo now; while :; do /bin/true & /bin/true; wait; done`)
	r, err := inspect.Open()
	if err != nil {
		t.Fatal(err)
	}
	gone, there := 0, 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		pids, err := r.PIDs()
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			switch p, err := r.Read(pid); {
			case errors.Is(err, inspect.ErrGone):
				gone++
			case err != nil:
				t.Fatal(err)
			case p.PID != pid || len(p.Threads) == 0:
				t.Fatalf("got %+v", p)
			default:
				there++
			}
		}
	}
	t.Logf("%d were there, %d had gone", there, gone)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// The BPF programs that hardrun attaches are found where they are.
func TestInspectPrograms(t *testing.T) {
	dir := placeGroup(t)
	path := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
	pid, _ := waiting(t, append(placeIn(dir, hardrun, "--device-policy=closed", "--ip-address-deny=any", "--socket-bind-deny=any", "--"), "sh", "-c", "echo now; exec sleep 600")...)
	p := inspected(t, pid)
	if why := p.Why("Programs"); why != "" {
		t.Fatal(why)
	}
	got := map[string]string{}
	for _, g := range p.Programs {
		if g.Tag == [8]byte{} || g.ID == 0 {
			t.Errorf("got %+v", g)
		}
		got[g.Attach] = g.Name + " " + g.Group
	}
	for _, hook := range []string{"device", "ingress", "egress", "bind4", "bind6"} {
		// A name has 15 bytes at most.
		if want := "hardrun_" + hook + " " + path + "/hardrun-sh"; got[hook] != want {
			t.Errorf("%s: got %q, want %q", hook, got[hook], want)
		}
	}
	equal(t, "programs", len(p.Programs), 5)
	for _, g := range p.Groups {
		if g.Hierarchy == "" {
			equal(t, "group", g.Path, path+"/hardrun-sh")
		}
	}
	// A process below has them too, and one beside has none.
	below := dir + "/hardrun-sh/below"
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	pid, _ = waiting(t, placeIn(below, "sh", "-c", "echo now; exec sleep 600")...)
	for _, g := range inspected(t, pid).Programs {
		equal(t, "where "+g.Attach+" is attached", g.Group, path+"/hardrun-sh")
	}
	pid, _ = waiting(t, placeIn(dir, "sh", "-c", "echo now; exec sleep 600")...)
	equal(t, "programs beside", len(inspected(t, pid).Programs), 0)
}
