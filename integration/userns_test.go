//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// showUsers prints where the daemon is: its PID and children, its ids' maps.
const showUsers = `read pid rest </proc/self/stat; echo "pid $pid"
for t in /proc/self/task/*; do echo "thread ${t##*/}"; done
read children </proc/self/task/$$/children; echo "children $children"
while read a b c; do echo "uid $a $b $c"; done </proc/self/uid_map
while read a b c; do echo "gid $a $b $c"; done </proc/self/gid_map
read deny </proc/self/setgroups; echo "setgroups $deny"`

// mapped are the lines of showUsers from "uid" on.
func mapped(uid, gid []string, setgroups string) string {
	var b strings.Builder
	for _, u := range uid {
		fmt.Fprintf(&b, "uid %s\n", u)
	}
	for _, g := range gid {
		fmt.Fprintf(&b, "gid %s\n", g)
	}
	return b.String() + "setgroups " + setgroups + "\n"
}

// The daemon of root is in a user namespace with the ids of the mode, is the process
// that was started, and has neither another thread nor a child.
func TestUserNamespace(t *testing.T) {
	requireRoot(t)
	full := []string{"0 0 4294967295"}
	identity := []string{"0 0 65536"}
	for _, x := range []struct {
		words []string
		want  string
	}{
		{nil, mapped(full, full, "allow")},
		{[]string{"--private-users"}, mapped([]string{"0 0 1"}, []string{"0 0 1"}, "deny")},
		{[]string{"--private-users=self", "--user=nobody"}, mapped([]string{"0 0 1", "65534 65534 1"}, []string{"0 0 1", "65534 65534 1"}, "deny")},
		{[]string{"--private-users", "--user=33:0"}, mapped([]string{"0 0 1", "33 33 1"}, []string{"0 0 1"}, "deny")},
		{[]string{"--private-users=identity", "--user=nobody"}, mapped(identity, identity, "deny")},
		{[]string{"--private-users=full", "--user=nobody"}, mapped(full, full, "allow")},
		{[]string{"--private-users=full"}, mapped(full, full, "allow")},
	} {
		argv := append(append([]string{hardrun}, x.words...), "--", "/bin/sh", "-c", showUsers)
		r := runs(t, append([]string{"/bin/sh", "-c", `echo $$; exec "$@"`, "sh"}, argv...)...)
		pid, got, _ := strings.Cut(r.stdout, "\n")
		equal(t, strings.Join(x.words, " "), got, "pid "+pid+"\nthread "+pid+"\nchildren \n"+x.want)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("%q: status %d, %q", x.words, r.code, r.stderr)
		}
	}
}

// What the daemon can do counts inside only: over the host it has nothing.
func TestUserNamespaceConfines(t *testing.T) {
	requireRoot(t)
	all := machine(t).Bnd
	notes := directory(t, 0o777) + "/notes"
	other := program{argv: with("gid=1234 uid=1234", probe, "serve", notes, "0")}.start(t)
	awaited(t, notes, "ready")
	file := write(t, directory(t, 0o755)+"/file", "", 0o600)
	kill := []string{probe, "try", "kill", itoa(other.cmd.Process.Pid), "0"}
	chown := []string{probe, "try", "chown", file, "33"}
	allowed(t, runs(t, kill...))
	for _, mode := range []string{"self", "identity", "full"} {
		denied(t, run(t, append([]string{"--private-users=" + mode, "--"}, kill...)...), "EPERM")
	}
	denied(t, run(t, append([]string{"--private-users", "--"}, chown...)...), "EINVAL") // no such id inside
	allowed(t, run(t, append([]string{"--private-users=identity", "--"}, chown...)...))
	allowed(t, runs(t, chown...))
	s := run(t, "--private-users", "--", probe).state(t)
	equal(t, "inside there is what there was", s.Eff, all)
	s = run(t, "--private-users", "--user=nobody", "--caps=net_bind_service", "--secure-bits=noroot", "--no-new-privs", "--", probe).state(t)
	checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
	equals(t, "uids", s.UIDs, ids(65534))
	equal(t, "securebits", s.SecureBits, "0000000000000001")
	equal(t, "no_new_privs", s.NNP, 1)
}

// Groups that are not mapped hold outside, and are nobody's inside, as systemd has it.
func TestUserNamespaceGroups(t *testing.T) {
	requireRoot(t)
	file := write(t, directory(t, 0o755)+"/file", "", 0o040)
	if err := os.Chown(file, 0, 4); err != nil {
		t.Fatal(err)
	}
	overflow := strings.TrimSpace(read(t, "/proc/sys/kernel/overflowgid"))
	nobodys := overflow + " " + overflow
	for _, x := range []struct{ mode, groups, seen string }{
		{"no", "4,70000", "4 33 70000"},
		{"self", "4,70000", overflow + " 33 " + overflow},
		{"self", "4,5,33", nobodys + " 33"},
		{"identity", "4,70000", "4 33 " + overflow},
		{"full", "4,70000", "4 33 70000"},
	} {
		r := run(t, "--user=33", "--group=33", "--supplementary-groups="+strings.ReplaceAll(x.groups, ",", " "), "--private-users="+x.mode, "--",
			"/bin/sh", "-c", `while read name groups; do test "$name" != Groups: || echo "$groups"; done </proc/self/status; read line <"$1"; test $? = 1`, "sh", file)
		equal(t, x.mode+" "+x.groups, strings.TrimSpace(r.stdout), x.seen)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("%s: status %d, %q", x.mode, r.code, r.stderr)
		}
	}
}

// A user without privilege gets a namespace with the own ids, in which all the rest
// can be had; and the daemon is the process that was started.
func TestUserNamespaceOfUser(t *testing.T) {
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	if os.Getuid() == 0 {
		uid, gid = "65534", "65534"
	}
	for _, words := range [][]string{
		{"--private-users"},
		{"--private-network"},
		{"--private-users", "--private-ipc", "--oom-score-adjust=500", "--coredump-filter=0x21"},
		{"--private-users", "--user=" + uid + ":" + gid},
	} {
		argv := append(append([]string{hardrun}, words...), "--", "/bin/sh", "-c", showUsers)
		r := runs(t, append([]string{"/bin/sh", "-c", `echo $$; exec "$@"`, "sh"}, unprivileged(t, argv...)...)...)
		pid, got, _ := strings.Cut(r.stdout, "\n")
		want := mapped([]string{uid + " " + uid + " 1"}, []string{gid + " " + gid + " 1"}, "deny")
		equal(t, strings.Join(words, " "), got, "pid "+pid+"\nthread "+pid+"\nchildren \n"+want)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("%q: status %d, %q", words, r.code, r.stderr)
		}
		argv[len(argv)-3] = probe
		s := runs(t, unprivileged(t, argv[:len(argv)-2]...)...).state(t)
		equal(t, "effective", s.Eff, none)
		equals(t, "open", s.openFDs(), []int{0, 1, 2})
		if text := strings.Join(s.Env, "\n"); strings.Contains(text, "HARDRUN") {
			t.Errorf("environment %q", text)
		}
	}
	// The ids of others are for root.
	for _, mode := range []string{"identity", "full"} {
		refused(t, runs(t, unprivileged(t, hardrun, "--private-users="+mode, "--", probe)...), 217, "PrivateUsers=")
	}
}

// The daemon joins the user namespace of a path.
func TestUserNamespacePath(t *testing.T) {
	requireRoot(t)
	unshare := requireProgram(t, "unshare", "util-linux")
	cmd := exec.Command(unshare, "--user", "--", "/bin/sleep", "infinity")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	path := "/proc/" + itoa(cmd.Process.Pid) + "/ns/user"
	var want string
	eventually(t, "the other's namespace", func() bool {
		b, err := os.ReadFile("/proc/" + itoa(cmd.Process.Pid) + "/comm")
		if err != nil || string(b) != "sleep\n" {
			return false
		}
		want, err = os.Readlink(path)
		return err == nil
	})
	for _, name := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile("/proc/"+itoa(cmd.Process.Pid)+"/"+name, []byte("0 0 100"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, more := range [][]string{nil, {"--user=33:33"}} {
		argv := append(append([]string{hardrun, "--user-namespace-path=" + path}, more...), "--", "/bin/sh", "-c", `readlink /proc/self/ns/user; echo $$`)
		r := runs(t, append([]string{"/bin/sh", "-c", `echo $$; exec "$@"`, "sh"}, argv...)...)
		pid, got, _ := strings.Cut(r.stdout, "\n")
		equal(t, "namespace, and the same PID", got, want+"\n"+pid+"\n")
	}
	// Joined all the same by who is not root and has CAP_SYS_ADMIN; and no other namespace is given to it.
	setpriv := requireProgram(t, "setpriv", "util-linux")
	r := runs(t, setpriv, "--inh-caps=+sys_admin", "--ambient-caps=+sys_admin", "--reuid=33", "--regid=33", "--clear-groups", "--",
		hardrun, "--user-namespace-path=/proc/self/ns/user", "--", probe)
	refused(t, r, 217, "UserNamespacePath=") // one's own cannot be joined, setns(2)
	refused(t, run(t, "--user-namespace-path="+path, "--delegate-namespaces=mnt", "--private-tmp", "--", probe), 226, "DelegateNamespaces=")
	refused(t, run(t, "--user-namespace-path=/proc/self/ns/net", "--", probe), 217, "UserNamespacePath=")
	refused(t, run(t, "--user-namespace-path=/etc/hostname", "--", probe), 217, "UserNamespacePath=")
	refused(t, run(t, "--user-namespace-path=/nosuch", "--", probe), 217, "UserNamespacePath=")
}

// A variable that hardrun has not made is not acted upon, and no daemon is started.
func TestForgedAgain(t *testing.T) {
	file := write(t, directory(t, 0o755)+"/file", "hragain1 and more than a hundred bytes of what is no second start: "+strings.Repeat("x", 100), 0o644)
	for _, value := range []string{"3", "4", "0", "", "x", "-1", "3 "} {
		for _, words := range [][]string{nil, {"--init"}, {"plan"}} {
			p := program{argv: with("open=3:"+file, append(append([]string{hardrun}, words...), "--", probe)...), env: []string{"HARDRUN_AGAIN=" + value}}
			r := p.run(t)
			refused(t, r, 64, "HARDRUN_AGAIN=")
		}
	}
	r := program{argv: []string{hardrun, "--", probe}, env: []string{"HARDRUN_AGAIN", "HARDRUN_AGAI=1", "HARDRUN_AGAINST=1"}}.run(t)
	equals(t, "other variables", r.state(t).Env, []string{"HARDRUN_AGAIN", "HARDRUN_AGAI=1", "HARDRUN_AGAINST=1"})
}

// While it is between two identities, nobody of the daemon's user gets hold of
// hardrun (CVE-2016-8659, CVE-2016-9962); without it, of the daemon.
func TestUserNamespaceIsNotEntered(t *testing.T) {
	requireRoot(t)
	// attack is tried by a thread that is nobody, up to the daemon's execve.
	attack := func(pid int, done chan<- string) {
		runtime.LockOSThread() // never unlocked: the thread ends with its identity
		for _, call := range []uintptr{unix.SYS_SETGROUPS, unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			a := uintptr(65534)
			if call == unix.SYS_SETGROUPS {
				a = 0
			}
			if _, _, e := unix.RawSyscall(call, a, a&0xffff, a); e != 0 {
				done <- e.Error()
				return
			}
		}
		for running := false; ; {
			fd, err := unix.Open(fmt.Sprintf("/proc/%d/mem", pid), unix.O_RDWR|unix.O_CLOEXEC, 0)
			comm, cerr := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			switch {
			case cerr != nil:
				done <- cerr.Error()
				return
			case err == nil:
				_ = unix.Close(fd)
				done <- "entered as " + strings.TrimSpace(string(comm))
				return
			case running:
				done <- "not entered"
				return
			}
			running = string(comm) == "probe\n" // once more, now that the daemon is there
		}
	}
	for words, want := range map[string]string{
		"--user=nobody":                 "entered as probe", // a process of the same user's
		"--user=nobody --private-users": "not entered",      // whose namespace is root's
	} {
		for range 20 {
			file := directory(t, 0o777) + "/notes"
			d := program{argv: command(append([]string{hardrun}, strings.Fields(words)...), probe, "serve", file, "0")}.start(t)
			done := make(chan string)
			go attack(d.cmd.Process.Pid, done)
			equal(t, words, <-done, want)
			d.signal(t, syscall.SIGKILL)
			d.end(t)
		}
	}
}

// Everything together: the same as without, but for what was asked.
func TestUserNamespaceWithTheRest(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	words := []string{"--user=nobody", "--caps=net_bind_service", "--no-new-privs", "--chroot=" + root, "--umask=077", "--limit-nofile=64", "--nice=3", "--log=stderr"}
	want := run(t, append(words, "--", "/probe")...).state(t)
	for _, more := range [][]string{{"--private-users"}, {"--private-users=identity"}, {"--private-users=full"}, {"--private-users", "--init"}} {
		got := run(t, append(append(append([]string{}, more...), words...), "--", "/probe")...).state(t)
		w := *want
		w.MountNS, got.MountNS = "", ""
		w.SessionKeyring, got.SessionKeyring = 0, 0 // that of the user, and of the user namespace
		same(t, got, &w)
	}
}
