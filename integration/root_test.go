//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"
)

// marker is outside of every cage.
const marker = "/etc/hostname"

// The daemon's root is the cage: by the identity of its "/", by what it can open,
// and by what can be seen of it from outside.
func TestChroot(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	want := machineRoot(t, root)
	for _, words := range [][]string{
		{"--chroot=" + root},
		{"-p", "RootDirectory=" + root},
		{"--chroot=" + root, "--user=nobody", "--caps=none", "--no-new-privs"},
		{"--chroot=" + root, "--init"},
		{"--chroot=" + root + "/", "--working-directory=/"},
	} {
		r := run(t, append(words, "--", "/probe")...)
		if r.stderr != "" {
			t.Errorf("%v: stderr %q", words, r.stderr)
		}
		s := r.state(t)
		equal(t, "root", s.Root, want)
		equal(t, "cwd", s.Cwd, "/")
		denied(t, run(t, append(words, "--", "/probe", "try", "open", marker, "r")...), "ENOENT")
	}
	allowed(t, runs(t, probe, "try", "open", marker, "r"))
	if machineRoot(t, "/") == want {
		t.Error("the cage is the host's root")
	}
}

// machineRoot is a directory as the probe names its root.
func machineRoot(t *testing.T, dir string) string {
	t.Helper()
	copied(t, probe, dir+"/tmp/probe-root", 0o755)
	defer func() {
		if err := os.Remove(dir + "/tmp/probe-root"); err != nil {
			t.Error(err)
		}
	}()
	return runs(t, with("chroot="+dir, "/tmp/probe-root")...).state(t).Root
}

// The classic way out of chroot(2), by a root that keeps every capability: it
// works against chroot(2), and not where the old root is gone.
func TestChrootEscape(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	act := []string{"/probe", "try", "chroot-escape", marker}
	if a := runs(t, with("chroot="+root, act...)...).act(t); a.Value != 1 {
		t.Fatalf("the escape does not work without hardrun: %+v", a)
	}
	if a := run(t, append([]string{"--chroot=" + root, "--"}, act...)...).act(t); a.Value != 0 {
		t.Errorf("root with every capability got out: %+v", a)
	}
	for _, words := range [][]string{{"--caps=none"}, {"--caps=~sys_chroot"}, {"--user=nobody"}} {
		denied(t, run(t, append(append(words, "--chroot="+root, "--"), act...)...), "EPERM")
	}
}

// The mounts of the host are what they were, and the daemon sees one: its root.
func TestChrootMounts(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	before := read(t, "/proc/self/mountinfo")
	d := program{argv: []string{hardrun, "--chroot=" + root, "--user=nobody", "--", "/probe", "serve", "/notes", "0"}}.start(t)
	awaited(t, root+"/notes", "ready")
	pid := itoa(d.cmd.Process.Pid)
	var points []string
	for l := range strings.Lines(read(t, "/proc/"+pid+"/mountinfo")) {
		points = append(points, strings.Fields(l)[4])
	}
	equals(t, "the daemon's mounts", points, []string{"/"})
	d.signal(t, 15)
	equal(t, "status", d.end(t), 0)
	if read(t, "/proc/self/mountinfo") != before {
		t.Error("the host's mounts have changed")
	}
}

// Without CAP_SYS_ADMIN it is chroot(2), which is said; the daemon is in the cage.
func TestChrootWithoutMounts(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	want := machineRoot(t, root)
	r := runs(t, with("without=21", hardrun, "--chroot="+root, "--user=nobody", "--", "/probe")...)
	equal(t, "root", r.state(t).Root, want)
	p := decode[planned](t, runs(t, with("without=21", hardrun, "plan", "--for=self", "--json", "--chroot="+root, "--", "/probe")...).stdout)
	said := false
	for _, n := range p.Notes {
		said = said || n.ID == "chroot"
	}
	equal(t, "the note", said, true)
	for _, s := range p.Steps {
		if strings.Contains(s.Mechanism, "pivot_root") {
			t.Error("plan says pivot_root(2)")
		}
	}
}

// A cage is whatever its owner made of it: links in it lead inside.
func TestHostileCage(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	host := directory(t, 0o777)
	for link, to := range map[string]string{"up": "../../../..", "etc": "/etc", "tmp": host, "self": "/proc/self/root", "command": probe} {
		if err := os.Symlink(to, root+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	confine := []string{"--chroot=" + root, "--user=nobody"}
	// The command of the host is not in the cage.
	refused(t, run(t, append(confine, "--", "/command")...), 203)
	refused(t, run(t, append(confine, "--working-directory=/etc", "--", "/probe")...), 200, "WorkingDirectory=")
	refused(t, run(t, append(confine, "--working-directory=/tmp", "--", "/probe")...), 200, "WorkingDirectory=")
	refused(t, run(t, append(confine, "--working-directory=/self", "--", "/probe")...), 200, "WorkingDirectory=")
	equal(t, "cwd", run(t, append(confine, "--working-directory=/up", "--", "/probe")...).state(t).Cwd, "/")
	if list, err := os.ReadDir(host); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestWorkingDirectory(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	if err := os.MkdirAll(root+"/var/lib/x", 0o755); err != nil {
		t.Fatal(err)
	}
	private := directory(t, 0o700)
	for _, x := range []struct {
		words []string
		want  string
	}{
		{[]string{"--working-directory=/usr/lib"}, "/usr/lib"},
		{[]string{"--working-directory=/usr/./lib//"}, "/usr/lib"},
		{[]string{"--working-directory=-/nosuch"}, "/"}, // where it was started
		{[]string{"--user=root", "--working-directory=~"}, "/root"},
	} {
		equal(t, strings.Join(x.words, " "), run(t, append(x.words, "--", probe)...).state(t).Cwd, x.want)
	}
	equal(t, "in the root", run(t, "--chroot="+root, "--working-directory=/var/lib/x", "--", "/probe").state(t).Cwd, "/var/lib/x")
	// It is entered with the rights of the daemon.
	refused(t, run(t, "--user=nobody", "--working-directory="+private, "--", probe), 200, "WorkingDirectory=", "permission denied")
	equal(t, "as root", run(t, "--working-directory="+private, "--", probe).state(t).Cwd, private)
	refused(t, run(t, "--working-directory="+probe, "--", probe), 200, "WorkingDirectory=", "not a directory")
}

// A descriptor, or a link of /proc, is no way to the outside (CVE-2024-21626).
func TestWorkingDirectoryByDescriptor(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	for _, dir := range []string{"/proc/self/fd/7", "/proc/thread-self/root", "/proc/self/cwd", "/proc/self/root", "/dev/fd/7", "/proc/1/root"} {
		r := runs(t, with("open=7:/etc", hardrun, "--working-directory="+dir, "--", probe)...)
		refused(t, r, 200, "WorkingDirectory=")
		r = runs(t, with("open=7:/etc", hardrun, "--chroot="+root, "--working-directory="+dir, "--", "/probe")...)
		refused(t, r, 200, "WorkingDirectory=")
	}
	// A cage with a /proc in it, as many have.
	if err := os.Mkdir(root+"/proc", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/proc/self/fd/7", "/proc/self/root", "/proc/self/cwd", "/proc/self/fd/3", "/proc/self/fd/5", "/proc/self/fd/6"} {
		argv := private("mount -t proc proc "+root+"/proc", with("open=7:/etc", hardrun, "--chroot="+root, "--working-directory="+dir, "--", "/probe")...)
		refused(t, runs(t, argv...), 200, "WorkingDirectory=")
	}
	// The shell does go there.
	r := runs(t, with("open=7:/etc", "/bin/sh", "-c", `cd /proc/self/fd/7 && exec "$@"`, "sh", probe)...)
	equal(t, "cwd without hardrun", r.state(t).Cwd, "/etc")
}

// All that hardrun writes to /proc goes to the real one (CVE-2019-19921): a tree
// of files in the cage which looks like it is not touched, nor believed.
func TestFakeProcInCage(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	for _, self := range []string{"self", "1", "thread-self"} {
		write(t, root+"/proc/"+self+"/oom_score_adj", "0\n", 0o666)
		write(t, root+"/proc/"+self+"/status", "Uid:\t65534\t65534\t65534\t65534\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n", 0o666)
	}
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	d := program{argv: []string{hardrun, "--chroot=" + root, "--user=nobody", "--caps=none", "--no-new-privs", "--oom-score-adjust=234", "--", "/probe", "serve", "/notes", "0"}}.start(t)
	awaited(t, root+"/notes", "ready")
	pid := d.cmd.Process.Pid
	equal(t, "oom_score_adj", strings.TrimSpace(read(t, "/proc/"+itoa(pid)+"/oom_score_adj")), "234")
	equal(t, "the file in the cage", read(t, root+"/proc/self/oom_score_adj"), "0\n")
	equal(t, "CapBnd", status(t, pid, "CapBnd"), none)
	d.signal(t, 15)
	equal(t, "status", d.end(t), 0)
}

// Without /proc, with something else in its place, or with one that hides: the
// same confinement, or a refusal. Never less.
func TestWithoutProc(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	confine := []string{hardrun, "--user=nobody", "--caps=net_bind_service", "--secure-bits=noroot", "--no-new-privs", "--limit-nofile=64"}
	for name, script := range map[string]string{
		"tmpfs":        "mount -t tmpfs tmpfs /proc",
		"none":         "umount -l /proc",
		"another file": "mount -t tmpfs tmpfs /proc; mkdir /proc/self; echo x > /proc/self/status",
		"hidepid":      "mount -o remount,hidepid=2 /proc || mount -t proc -o hidepid=2 proc /proc",
		"a part of it": "mount --bind /proc/sys /proc",
	} {
		for _, more := range [][]string{{"--", probe}, {"--chroot=" + root, "--", "/probe"}} {
			t.Run(name+" "+more[0], func(t *testing.T) {
				r := runs(t, append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, private(script, append(confine, more...)...)...)...)
				if r.code != 0 { // a refusal would do as well; it is none on this kernel
					refused(t, r, 203)
					return
				}
				s := r.state(t)
				equals(t, "uids", s.UIDs, ids(65534))
				equals(t, "gids", s.GIDs, ids(65534))
				equals(t, "groups", s.Groups, []uint32{65534})
				if s.sets() != (sets{netBind, netBind, netBind, netBind, netBind}) {
					t.Errorf("%+v", s.sets())
				}
				equal(t, "securebits", s.SecureBits, "0000000000000001")
				equal(t, "no_new_privs", s.NNP, 1)
				equal(t, "NOFILE", s.Limits[rlimitNOFILE][1], 64)
				equals(t, "open", s.openFDs(), []int{0, 1, 2})
			})
		}
	}
	// What can only be written through /proc is refused without it.
	r := runs(t, private("mount -t tmpfs tmpfs /proc", hardrun, "--oom-score-adjust=5", "--", probe)...)
	refused(t, r, 206, "OOMScoreAdjust=")
}

// A core of a process that was root a moment ago holds root's memory: none is
// written, whatever the Go runtime is told to do when it is killed.
func TestNoCoreMidway(t *testing.T) {
	requireRoot(t)
	strace := requireProgram(t, "strace", "strace")
	dir := directory(t, 0o777)
	trace := func(inject string, argv ...string) string {
		file := dir + "/trace"
		line := append([]string{strace, "-f", "-qq", "-o", file, "-e", "trace=setresuid,umask", "-e", "inject=" + inject + ":signal=ABRT:when=1", "--"}, argv...)
		r := program{argv: with("rlimit=4:18446744073709551615:18446744073709551615 env=GOTRACEBACK=crash", line...), dir: dir}.run(t)
		if strings.Contains(r.stdout, `"pid"`) {
			t.Errorf("the daemon was started: %.100s", r.stdout)
		}
		return read(t, file)
	}
	if text := trace("umask", probe); !strings.Contains(text, "killed by SIGABRT (core dumped)") {
		t.Skip("needs a kernel.core_pattern by which cores are written: " + text)
	}
	text := trace("setresuid", hardrun, "--user=nobody", "--", probe)
	if !strings.Contains(text, "killed by SIGABRT") || strings.Contains(text, "core dumped") {
		t.Errorf("trace: %s", text)
	}
}
