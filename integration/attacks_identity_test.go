//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// naive is a start by a launcher that makes the classic mistakes, those of its steps, and
// passes over what fails: probe/attack_naive.c.
func naive(t *testing.T, steps []string, argv ...string) []string {
	t.Helper()
	return slices.Concat([]string{attackProgram(t, "naive")}, steps, []string{"--"}, argv)
}

// injecting is a start in which a call fails, strace(1): "error=EPERM:when=3".
func injecting(t *testing.T, call, how string, argv ...string) []string {
	t.Helper()
	strace := requireProgram(t, "strace", "strace")
	return append([]string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace=" + call, "-e", "inject=" + call + ":" + how, "--"}, argv...)
}

// atWork fails the test where an attack does not work without hardrun, as it would prove
// nothing then.
func atWork(t *testing.T, what string, ok bool) {
	t.Helper()
	if !ok {
		t.Fatalf("the attack does not work without hardrun: %s", what)
	}
}

// unitOf is a file "x.service" of these lines, and a command of the probe.
func unitOf(t *testing.T, lines ...string) string {
	t.Helper()
	return write(t, directory(t, 0o755)+"/x.service", "[Service]\nExecStart="+probe+"\n"+strings.Join(lines, "\n")+"\n", 0o644)
}

// A user who is none, passed over, is root (systemd #6237, CVE-2017-1000082).
func TestA01UserThatIsNone(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		name string
		code int
	}{{"0day", 217}, {"nosuchuser", 217}, {"a b", 64}, {"-x", 64}, {"root/x", 64}, {"ü", 64}, {strings.Repeat("u", 300), 64}, {"", 64}} {
		atWork(t, x.name, runs(t, naive(t, opt("user="+x.name), probe)...).state(t).UIDs[0] == 0)
		refused(t, run(t, "--user="+x.name, "--", probe), x.code)
		if x.name == "" {
			continue // a reset there, as in systemd, which is what the line before it takes back
		}
		if x.code == 64 {
			x.code = 78
		}
		refused(t, run(t, "--unit="+unitOf(t, "User="+x.name)), x.code, "User=")
	}
	// A name that becomes empty.
	dir := directory(t, 0o755)
	write(t, dir+"/x@.service", "[Service]\nUser=%i\nExecStart="+probe+"\n", 0o644)
	if r := run(t, "--unit="+dir+"/x@.service"); r.code == 0 || r.started() {
		t.Errorf("User=%%i without an instance: status %d, %q", r.code, r.stderr)
	}
}

// A name that is taken for a number, a number for another one (systemd #15985,
// CVE-2020-13776; the upper half that a uid has not).
func TestA02A03NumbersThatAreNone(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		value string
		uid   uint32 // of the entry; refused where it is 0
	}{
		{"0x0", 4301},
		{"08", 0},
		{"4294967296", 0},
		{"18446744073709551616", 0},
		{"4294967295", 0},
		{"-1", 0},
		{"+0", 0},
		{"00", 0},
	} {
		atWork(t, x.value, program{argv: users(t, naive(t, opt("uid="+x.value), probe)...)}.run(t).state(t).UIDs[0] == 0)
		r := program{argv: users(t, hardrun, "--user="+x.value, "--", probe)}.run(t)
		if x.uid == 0 {
			refused(t, r, 64, "--user")
			continue
		}
		equals(t, x.value, r.state(t).UIDs, ids(x.uid))
	}
	atWork(t, "0x10 as 16", program{argv: users(t, naive(t, opt("uid=0x10"), probe)...)}.run(t).state(t).UIDs[0] == 16)
	equals(t, "0x10", program{argv: users(t, hardrun, "--user=0x10", "--", probe)}.run(t).state(t).UIDs, ids(4302))
}

// A number sets no group: root's stays. So does the group of a user whose login group
// nobody has looked up.
func TestA04A14GroupOfRoot(t *testing.T) {
	requireRoot(t)
	for _, uid := range []string{"12345", "4100"} {
		s := program{argv: users(t, naive(t, opt("uid="+uid), probe)...)}.run(t).state(t)
		atWork(t, uid, s.UIDs[0] != 0 && s.GIDs[0] == 0)
	}
	refused(t, program{argv: users(t, hardrun, "--user=12345", "--", probe)}.run(t), 217, "group")
	for name, gid := range map[string]uint32{"4100": 4101, "redis": 4101, "www": 4033, "zerogroup": 0, "12345:12345": 12345} {
		equals(t, name, program{argv: users(t, hardrun, "--user="+name, "--", probe)}.run(t).state(t).GIDs, ids(gid))
	}
}

// The passwd of the new root says who nobody is.
func TestA05UsersOfTheImage(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	write(t, root+"/etc/passwd", "nobody:x:0:0::/:/bin/sh\n", 0o644)
	atWork(t, "nobody", runs(t, naive(t, opt("chroot="+root, "user=nobody"), "/probe")...).state(t).UIDs[0] == 0)
	equals(t, "nobody", run(t, "--chroot="+root, "--user=nobody", "--", "/probe").state(t).UIDs, ids(65534))
}

// A database that is damaged, or that never ends.
func TestA06HostileDatabase(t *testing.T) {
	requireRoot(t)
	for name, text := range map[string]string{
		"a uid of 33 bits":     "nobody:x:4294967296:4294967296:::\n",
		"a uid that is none":   "nobody:x:none:none:::\n",
		"an empty uid":         "nobody:x:::::\n",
		"a uid of -1":          "nobody:x:4294967295:4294967295:::\n",
		"a name behind a line": "x:" + strings.Repeat("x", 4093) + "nobody:x:0:0:::\n", // read by pieces of 4096
	} {
		atWork(t, name, program{argv: database(t, text, groupFile, naive(t, opt("user=nobody"), probe)...)}.run(t).state(t).UIDs[0] == 0)
		refused(t, program{argv: database(t, text, groupFile, hardrun, "--user=nobody", "--", probe)}.run(t), 217, "User=")
	}
	fifo := "mount -t tmpfs tmpfs /etc; mkfifo /etc/passwd"
	slow := runs(t, private(fifo, append([]string{"timeout", "--signal=KILL", "1"}, naive(t, opt("user=nobody"), probe)...)...)...)
	atWork(t, "fifo", slow.code == 128+9 && !slow.started())
	refused(t, runs(t, private(fifo, "timeout", "--signal=KILL", "20", hardrun, "--user=nobody", "--", probe)...), 217, "/etc/passwd")
}

// The groups of the caller stay (POS36-C), and so do variables of the caller's
// (CVE-2019-3842).
func TestA07A75WhatTheCallerHas(t *testing.T) {
	requireRoot(t)
	start := func(argv ...string) *state {
		return program{
			argv: users(t, with("groups=4,27,1000", argv...)...),
			env:  []string{"HOME=/caller", "USER=caller", "LOGNAME=caller", "SHELL=/caller", smallEnv[0]},
		}.run(t).state(t)
	}
	s := start(naive(t, opt("user=redis"), probe)...)
	home, _ := s.getenv("HOME")
	atWork(t, fmt.Sprint(s.Groups, home), slices.Equal(s.Groups, []uint32{4, 27, 1000}) && home == "/caller" && s.UIDs[0] == 4100)
	s = start(hardrun, "--user=redis", "--", probe)
	equals(t, "groups", s.Groups, []uint32{4101, 4500, 4501})
	for name, want := range map[string]string{"HOME": "/var/lib/redis", "USER": "redis", "LOGNAME": "redis", "SHELL": "/bin/sh"} {
		got, _ := s.getenv(name)
		equal(t, name, got, want)
	}
	equals(t, "groups of root", start(hardrun, "--user=root", "--", probe).Groups, []uint32{0})
}

// The groups after the user, when it is too late; or without the capability.
func TestA08GroupsAfterTheUser(t *testing.T) {
	requireRoot(t)
	s := runs(t, naive(t, opt("uid=4100", "gid=4100", "groups-none"), probe)...).state(t)
	atWork(t, "gid behind uid", s.UIDs[0] == 4100 && s.GIDs[0] == 0)
	s = runs(t, with("groups=4,27 without=6", naive(t, opt("groups-none", "gid=4100", "uid=4100"), probe)...)...).state(t)
	atWork(t, "without CAP_SETGID", s.UIDs[0] == 4100 && s.GIDs[0] == 0 && len(s.Groups) == 2)
	s = run(t, "--user=4100:4100", "--", probe).state(t)
	equals(t, "gids", s.GIDs, ids(4100))
	equals(t, "groups", s.Groups, []uint32{4100})
	if r := runs(t, with("groups=4,27 without=6", hardrun, "--user=4100:4100", "--", probe)...); r.code != 216 || r.started() || strings.Count(r.stderr, "CAP_SETGID") != 2 {
		t.Errorf("status %d, %q", r.code, r.stderr) // one line for the groups, one for the group
	}
}

// Where setgroups(2) is denied the groups stay.
func TestA09GroupsDenied(t *testing.T) {
	requireRoot(t)
	inside := func(argv ...string) result {
		return runs(t, with("groups=4,27,1000", append([]string{"/usr/bin/unshare", "--user", "--map-root-user", "--"}, argv...)...)...)
	}
	atWork(t, "setgroups", len(inside(naive(t, opt("groups-none"), probe)...).state(t).Groups) == 3)
	for option, name := range map[string]string{"--supplementary-groups=27": "SupplementaryGroups=", "--user=root": "User="} {
		if r := inside(hardrun, option, "--", probe); r.code != 216 || r.started() || !strings.Contains(r.stderr, name) {
			t.Errorf("%s: status %d, %q", option, r.code, r.stderr)
		}
	}
}

// A change of user that the kernel puts off leaves root (the class of adb and zygote, 2010).
func TestA10ChangeOfUserPutOff(t *testing.T) {
	requireRoot(t)
	for _, errno := range []string{"EAGAIN", "EPERM"} {
		s := runs(t, injecting(t, "setresuid", "error="+errno, naive(t, opt("user=nobody"), probe)...)...).state(t)
		atWork(t, errno, s.UIDs[0] == 0)
		refused(t, runs(t, injecting(t, "setresuid", "error="+errno, hardrun, "--user=nobody", "--", probe)...), 217, "User=")
	}
	// A call that answers 0, and does nothing.
	atWork(t, "a lie", runs(t, injecting(t, "setresuid", "retval=0", naive(t, opt("user=nobody"), probe)...)...).state(t).UIDs[0] == 0)
	refused(t, runs(t, injecting(t, "setresuid", "retval=0", hardrun, "--user=nobody", "--", probe)...), 217, "User=")
}

// A change of the effective user alone can be taken back.
func TestA11SavedUser(t *testing.T) {
	requireRoot(t)
	atWork(t, "setuid(0)", runs(t, naive(t, opt("euid=65534"), probe, "try", "setuid0")...).act(t).Errno == "")
	denied(t, run(t, "--user=nobody", "--", probe, "try", "setuid0"), "EPERM")
	s := run(t, "--user=nobody", "--", probe).state(t)
	equals(t, "uids", s.UIDs, ids(65534))
	equals(t, "gids", s.GIDs, ids(65534))
}

// A change of user is of one thread, for the kernel (golang/go #1435).
func TestA12ChangeOfOneThread(t *testing.T) {
	requireRoot(t)
	atWork(t, "the other thread", runs(t, naive(t, opt("thread-uid=65534"), probe)...).state(t).UIDs[0] == 0)
	for _, env := range []string{"GOMAXPROCS=64", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"} {
		s := program{argv: []string{hardrun, "--user=nobody", "--caps=none", "--", probe}, env: append(smallEnv[:1:1], env)}.run(t).state(t)
		equal(t, "threads", len(s.Threads), 1)
		equals(t, env, s.UIDs, ids(65534))
		equal(t, env, s.Threads[0]["Uid"], "65534 65534 65534 65534")
	}
}

// What io_uring does, it does as the user who made the ring (CVE-2024-22017).
func TestA13RingOfRoot(t *testing.T) {
	requireRoot(t)
	ring := attackProgram(t, "ring")
	file := write(t, directory(t, 0o755)+"/secret", secret, 0o600)
	if r := runs(t, ring, file); strings.HasPrefix(r.stdout, "no ring") {
		t.Skip("needs io_uring (CONFIG_IO_URING, sysctl kernel.io_uring_disabled=0): " + r.stdout)
	}
	r := runs(t, ring, file, "65534")
	atWork(t, r.stdout, r.stdout == "ok\n")
	equal(t, "a ring of the daemon's own", run(t, "--user=65534:65534", "--", ring, file).stdout, "Permission denied\n")
	for _, c := range traced(t, "", hardrun, "--user=nobody", "--private-tmp", "--system-call-filter=~@clock", "--", probe).calls {
		if strings.HasPrefix(c.name, "io_uring") {
			t.Errorf("%s(%s)", c.name, c.args)
		}
	}
}

// A file with the set-user-ID bit outlives its user, and is the next one's who has the
// number (CVE-2019-3843, CVE-2019-3844).
func TestA15FileThatOutlivesItsUser(t *testing.T) {
	requireRoot(t)
	dir := owned(t, directory(t, 0o755)+"/state")
	leave := `umask 0; cp ` + probe + ` ` + dir + `/left && chmod 4755 ` + dir + `/left`
	r := program{argv: asUser(attackerID, "/bin/sh", "-c", leave)}.run(t)
	equal(t, "chmod", r.code, 0)
	s := runs(t, asUser(65533, dir+"/left")...).state(t)
	atWork(t, fmt.Sprint(s.UIDs), s.UIDs[1] == uint32(attackerID))

	const own = "mount -t tmpfs tmpfs /var; mkdir /var/lib; mount -t tmpfs tmpfs /run"
	start := func(words ...string) result {
		return runs(t, private(own, slices.Concat([]string{hardrun, "--dynamic-user", "--user=visitor", "--state-directory=visitor", "--bind-read-only-paths=" + probe}, words)...)...)
	}
	for _, how := range []string{
		"cp " + probe + " x && chmod 4755 x", "cp " + probe + " x && chmod 2755 x", "mkdir x && chmod 2777 x", "mkdir -m 4755 x",
		"install -m 4755 " + probe + " x",
	} {
		r := start("--", "sh", "-c", "umask 0; cd /var/lib/visitor && "+how)
		if r.code == 0 || !strings.Contains(strings.ToLower(r.stderr), "not permitted") {
			t.Errorf("%s: status %d, %q", how, r.code, r.stderr)
		}
	}
	s = start("--", probe).state(t)
	equal(t, "no_new_privs", s.NNP, 1)
	if s.UIDs[0] < 61184 || s.UIDs[0] > 65519 {
		t.Errorf("uid %d", s.UIDs[0])
	}
	// What a static user left is a dynamic one's without the bits.
	r = runs(t, private(own+"; mkdir -p /var/lib/visitor; cp "+probe+" /var/lib/visitor/left; chown 4100:4100 /var/lib/visitor /var/lib/visitor/left; chmod 6755 /var/lib/visitor/left",
		hardrun, "--dynamic-user", "--user=visitor", "--state-directory=visitor", "--", "stat", "-c", "%a", "/var/lib/visitor/left")...)
	equal(t, "the mode of what was left", r.stdout, "755\n")
}
