//go:build linux

package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The users of these tests stand in a passwd file of their own, which a private
// mount namespace puts over the host's.
const (
	passwdFile = `root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
www:x:4033:4033::/var/www:/usr/sbin/nologin
redis:x:4100:4101:redis:/var/lib/redis:/bin/sh
zerogroup:x:4200:0::/:/bin/sh
08:x:4300:4300::/:/bin/sh
0x0:x:4301:4301::/:/bin/sh
0x10:x:4302:4302::/:/bin/sh
1e3:x:4303:4303::/:/bin/sh
`
	groupFile = `root:x:0:
nogroup:x:65534:
www:x:4033:
redis:x:4101:
cache:x:4500:redis
logs:x:4501:www,redis
disk:x:4502:
`
)

// users starts argv where passwdFile and groupFile are the user database.
func users(t *testing.T, argv ...string) []string {
	t.Helper()
	return database(t, passwdFile, groupFile, argv...)
}

func database(t *testing.T, passwd, group string, argv ...string) []string {
	t.Helper()
	dir := directory(t, 0o755)
	write(t, dir+"/passwd", passwd, 0o644)
	write(t, dir+"/group", group, 0o644)
	return private("mount --bind "+dir+"/passwd /etc/passwd; mount --bind "+dir+"/group /etc/group", argv...)
}

func ids(n uint32) []uint32 { return []uint32{n, n, n, n} }

// The ids, groups and variables of every way to name a user.
func TestUser(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		name     string
		words    []string
		uid, gid uint32
		groups   []uint32 // as the kernel sorts them
		home     string
		user     string
		shell    string
	}{
		{"name", []string{"--user=redis"}, 4100, 4101, []uint32{4101, 4500, 4501}, "/var/lib/redis", "redis", "/bin/sh"},
		{"short", []string{"-u", "redis"}, 4100, 4101, []uint32{4101, 4500, 4501}, "/var/lib/redis", "redis", "/bin/sh"},
		{"property", []string{"-p", "User=redis"}, 4100, 4101, []uint32{4101, 4500, 4501}, "/var/lib/redis", "redis", "/bin/sh"},
		{"number with an entry", []string{"--user=4100"}, 4100, 4101, []uint32{4101, 4500, 4501}, "/var/lib/redis", "redis", "/bin/sh"},
		{"no login shell", []string{"--user=www"}, 4033, 4033, []uint32{4033, 4501}, "/var/www", "www", ""},
		{"exact group", []string{"--user=redis:www"}, 4100, 4033, []uint32{4033}, "/var/lib/redis", "redis", "/bin/sh"},
		{"exact groups", []string{"--user=redis:www,disk"}, 4100, 4033, []uint32{4033, 4502}, "/var/lib/redis", "redis", "/bin/sh"},
		{"numbers", []string{"--user=777:888"}, 777, 888, []uint32{888}, "/", "777", ""},
		{"group of its own", []string{"--user=redis", "--group=www"}, 4100, 4033, []uint32{4033, 4500, 4501}, "/var/lib/redis", "redis", "/bin/sh"},
		{"more groups", []string{"--user=www", "--supplementary-groups=disk 4999"}, 4033, 4033, []uint32{4033, 4501, 4502, 4999}, "/var/www", "www", ""},
		{"decimal name", []string{"--user=0x10"}, 4302, 4302, []uint32{4302}, "/", "0x10", "/bin/sh"}, // CVE-2020-13776
		{"hexadecimal name of zero", []string{"--user=0x0"}, 4301, 4301, []uint32{4301}, "/", "0x0", "/bin/sh"},
		{"exponent as name", []string{"--user=1e3"}, 4303, 4303, []uint32{4303}, "/", "1e3", "/bin/sh"},
		{"group 0 by passwd", []string{"--user=zerogroup"}, 4200, 0, []uint32{0}, "/", "zerogroup", "/bin/sh"},
		{"root", []string{"--user=root"}, 0, 0, []uint32{0}, "/root", "root", "/bin/bash"},
		{"last wins", []string{"--user=root", "--user=www"}, 4033, 4033, []uint32{4033, 4501}, "/var/www", "www", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			// A caller in groups of its own, with variables of its own: none of them
			// may reach the daemon (POS36-C, CVE-2019-3842).
			argv := append(append([]string{hardrun}, x.words...), "--", probe)
			s := program{
				argv: users(t, with("groups=4,27,1000", argv...)...),
				env:  append([]string{"HOME=/caller", "USER=caller", "LOGNAME=caller"}, smallEnv[0]),
			}.run(t).state(t)
			equals(t, "uids", s.UIDs, ids(x.uid))
			equals(t, "gids", s.GIDs, ids(x.gid))
			equals(t, "groups", s.Groups, x.groups)
			equal(t, "threads", len(s.Threads), 1)
			want := fmt.Sprintf("%d %d %d %d", x.uid, x.uid, x.uid, x.uid)
			equal(t, "Uid of /proc", s.Threads[0]["Uid"], want)
			for name, value := range map[string]string{"HOME": x.home, "USER": x.user, "LOGNAME": x.user, "SHELL": x.shell} {
				got, n := s.getenv(name)
				equal(t, name, got, value)
				if n > 1 {
					t.Errorf("%s stands there %d times", name, n)
				}
			}
		})
	}
}

func TestUserKeepsLoginEnvironment(t *testing.T) {
	requireRoot(t)
	s := program{
		argv: users(t, hardrun, "--user=redis", "--set-login-environment=no", "--", probe),
		env:  []string{"HOME=/caller", "USER=caller", "LOGNAME=caller", smallEnv[0]},
	}.run(t).state(t)
	for name, want := range map[string]string{"HOME": "/caller", "USER": "caller", "LOGNAME": "caller", "SHELL": ""} {
		got, _ := s.getenv(name)
		equal(t, name, got, want)
	}
}

// Group= and SupplementaryGroups= without User= give up the groups of the caller.
func TestGroupWithoutUser(t *testing.T) {
	requireRoot(t)
	s := program{argv: users(t, with("groups=4,27", hardrun, "--group=disk", "--", probe)...)}.run(t).state(t)
	equals(t, "uids", s.UIDs, ids(0))
	equals(t, "gids", s.GIDs, ids(4502))
	equals(t, "groups", s.Groups, []uint32{4502})
	s = program{argv: users(t, with("groups=4,27", hardrun, "--supplementary-groups=disk", "--", probe)...)}.run(t).state(t)
	equals(t, "gids", s.GIDs, ids(0))
	equals(t, "groups", s.Groups, []uint32{4502})
	// And nothing asked: as they were.
	s = program{argv: with("groups=4,27", hardrun, "--no-new-privs", "--", probe)}.run(t).state(t)
	equals(t, "groups", s.Groups, []uint32{4, 27})
}

// What names no user is refused with 217, or 64 where it cannot be a name; the
// daemon is never root's by it (CVE-2017-1000082, CVE-2020-13776).
func TestUserRefused(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		value string
		code  int
		say   string
	}{
		{"0day", 217, `unknown user "0day"`},
		{"nosuchuser", 217, `unknown user "nosuchuser"`},
		{"-1", 64, "--user"},
		{"+0", 64, "--user"},
		{"65535", 64, "--user"},
		{"4294967295", 64, "--user"},
		{"4294967296", 64, "--user"},
		{"18446744073709551616", 64, "--user"},
		{"00", 64, "--user"},
		{"010", 64, "--user"},
		{"", 64, "--user"},
		{" ", 64, "--user"},
		{strings.Repeat("u", 300), 64, "--user"},
		{"a b", 64, "--user"},
		{"-x", 64, "--user"},
		{"ü", 64, "--user"},
		{"a:", 64, "--user"},
		{":a", 64, "--user"},
		{"nobody:nosuchgroup", 216, "nosuchgroup"},
		{"nobody:4294967295", 64, "--user"},
		{"12345", 217, "group"}, // no entry: its group would be the caller's
		{"a%i", 64, "--user"},
		{"root/x", 64, "--user"},
	} {
		t.Run(fmt.Sprintf("%.20s", x.value), func(t *testing.T) {
			refused(t, run(t, "--user="+x.value, "--", probe), x.code, x.say)
		})
	}
	t.Run("0x0 without an entry", func(t *testing.T) { refused(t, run(t, "--user=0x0", "--", probe), 217, `unknown user "0x0"`) })
	// "08" is a name to shadow-utils and a number with a leading zero to others.
	t.Run("08 with an entry", func(t *testing.T) {
		refused(t, program{argv: users(t, hardrun, "--user=08", "--", probe)}.run(t), 64, "--user")
	})
	t.Run("of a unit", func(t *testing.T) { refused(t, run(t, "-p", "User=", "--", probe), 64, "User=") })
	t.Run("group", func(t *testing.T) { refused(t, run(t, "--group=nosuch", "--", probe), 216, "nosuch") })
	t.Run("groups", func(t *testing.T) {
		refused(t, run(t, "--supplementary-groups=nosuch", "--", probe), 216, "nosuch")
	})
}

// After the change there is no way back, and without hardrun there is no change.
func TestUserCannotReturn(t *testing.T) {
	requireRoot(t)
	allowed(t, runs(t, probe, "try", "setuid0"))
	denied(t, run(t, "--user=nobody", "--", probe, "try", "setuid0"), "EPERM")
	allowed(t, runs(t, probe, "try", "setgroups"))
	denied(t, run(t, "--user=nobody", "--", probe, "try", "setgroups"), "EPERM")
	secret := write(t, directory(t, 0o755)+"/secret", "x", 0o600)
	allowed(t, runs(t, probe, "try", "open", secret, "r"))
	denied(t, run(t, "--user=nobody", "--", probe, "try", "open", secret, "r"), "EACCES")
	pid := strconv.Itoa(os.Getpid())
	allowed(t, runs(t, probe, "try", "kill", pid, "0"))
	denied(t, run(t, "--user=nobody", "--", probe, "try", "kill", pid, "0"), "EPERM")
	denied(t, run(t, "--user=nobody", "--", probe, "try", "ptrace", pid), "EPERM")
}

// Users are the host's: the files of the new root belong to somebody else.
func TestUserIsLookedUpOnTheHost(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	write(t, root+"/etc/passwd", "nobody:x:0:0::/:/bin/sh\n", 0o644)
	write(t, root+"/etc/group", "nogroup:x:0:nobody\n", 0o644)
	s := run(t, "--user=nobody", "--chroot="+root, "--", "/probe").state(t)
	equals(t, "uids", s.UIDs, ids(65534))
	equals(t, "gids", s.GIDs, ids(65534))
	equals(t, "groups", s.Groups, []uint32{65534})
	write(t, root+"/etc/passwd", "intruder:x:0:0::/:/bin/sh\n", 0o644)
	refused(t, run(t, "--user=intruder", "--chroot="+root, "--", "/probe"), 217, `unknown user "intruder"`)
}

// A user database that is damaged, or no file at all, gives the right user or a
// refusal, and no waiting.
func TestUserDatabaseDamaged(t *testing.T) {
	requireRoot(t)
	const good = "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin"
	for _, x := range []struct {
		name, passwd string
		code         int
	}{
		{"no newline at the end", good, 0},
		{"a line of 1 MiB before", strings.Repeat("x", 1<<20) + "\n" + good + "\n", 0},
		{"missing fields before", "nobody:x:0\nnobody\n" + good + "\n", 0},
		{"uid overflow before", "nobody:x:4294967296:0:::\nnobody:x:4294967295:0:::\n" + good + "\n", 0},
		{"NIS entries", "+::::::\n-nobody::::::\n" + good + "\n", 0},
		{"first one counts", good + "\nnobody:x:0:0::/:/bin/sh\n", 0},
		{"empty uid", "nobody:x::0::/:/bin/sh\n", 217},
		{"empty file", "", 217},
		{"NUL in the name", "nobody\x00:x:0:0::/:/bin/sh\n", 217},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := program{argv: database(t, x.passwd, groupFile, hardrun, "--user=nobody", "--", probe)}.run(t)
			if x.code != 0 {
				refused(t, r, x.code, "User=")
				return
			}
			s := r.state(t)
			equals(t, "uids", s.UIDs, ids(65534))
			equals(t, "gids", s.GIDs, ids(65534))
		})
	}
	for name, script := range map[string]string{
		"missing":      "",
		"fifo":         "mkfifo /etc/passwd",
		"directory":    "mkdir /etc/passwd",
		"symlink loop": "ln -s passwd /etc/passwd",
		"device":       "mknod /etc/passwd c 1 5", // /dev/zero: it never ends
	} {
		t.Run(name, func(t *testing.T) {
			r := program{argv: private("mount -t tmpfs tmpfs /etc; "+script, hardrun, "--user=nobody", "--", probe)}.run(t)
			refused(t, r, 217, "/etc/passwd")
		})
	}
}

// Without the capability that a change needs it is refused by its directive, not
// left out (CVE-2000-0506).
func TestUserWithoutCapability(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		without string
		words   []string
		code    int
		say     []string
	}{
		{"7", []string{"--user=nobody"}, 217, []string{"User=", "CAP_SETUID"}},
		{"6", []string{"--supplementary-groups=disk"}, 216, []string{"SupplementaryGroups=", "CAP_SETGID"}},
		{"8", []string{"--caps=none"}, 218, []string{"CapabilityBoundingSet=", "CAP_SETPCAP"}},
		{"8", []string{"--secure-bits=noroot"}, 213, []string{"SecureBits=", "CAP_SETPCAP"}},
		{"18 without=21", []string{"--chroot=" + cage(t)}, 210, []string{"RootDirectory=", "CAP_SYS_CHROOT"}},
		{"10", []string{"--user=nobody", "--ambient-capabilities=net_bind_service"}, 218, []string{"AmbientCapabilities=", "cap_net_bind_service"}},
	} {
		t.Run(x.without+strings.Join(x.words, " "), func(t *testing.T) {
			command := probe
			if strings.HasPrefix(x.words[0], "--chroot") {
				command = "/probe"
			}
			argv := append(append([]string{hardrun}, x.words...), "--", command)
			r := program{argv: with("without="+x.without, argv...)}.run(t)
			refused(t, r, x.code, x.say...)
			if r := runs(t, argv...); r.code != 0 {
				t.Errorf("with the capability: status %d, %q", r.code, r.stderr)
			}
		})
	}
}

// Where the state is already the one asked for, a call that is refused is no
// failure: a container that starts as its user.
func TestUserAlreadyThere(t *testing.T) {
	requireRoot(t)
	s := program{argv: with("groups=65534 gid=65534 uid=65534", hardrun, "--user=nobody", "--", probe)}.run(t).state(t)
	equals(t, "uids", s.UIDs, ids(65534))
	equals(t, "groups", s.Groups, []uint32{65534})
	r := program{argv: with("groups=65534,27 gid=65534 uid=65534", hardrun, "--user=nobody", "--", probe)}.run(t)
	refused(t, r, 216, "CAP_SETGID")
	r = program{argv: with("groups=65534 gid=65534 uid=65534", hardrun, "--user=root", "--", probe)}.run(t)
	if r.code != 216 && r.code != 217 || r.started() {
		t.Errorf("nobody became root: status %d, %q", r.code, r.stderr)
	}
}

// In a user namespace setgroups(2) is denied: a refusal that names who asked.
func TestGroupsInUserNamespace(t *testing.T) {
	requireRoot(t)
	argv := []string{"unshare", "--user", "--map-root-user", "--", hardrun} // which denies setgroups(2)
	r := runs(t, append(argv, "--supplementary-groups=27", "--", probe)...)
	if r.code != 216 || r.started() || !strings.Contains(r.stderr, "SupplementaryGroups=") {
		t.Errorf("status %d, stderr %q", r.code, r.stderr)
	}
	// Nothing asked of the groups: it runs.
	if s := runs(t, append(argv, "--no-new-privs", "--", probe)...).state(t); s.NNP != 1 {
		t.Error("no_new_privs is not set")
	}
}

// With more processes than RLIMIT_NPROC lets the user have, the kernel refuses
// execve(2) after the change of user. There is no second try as root.
func TestUserOverItsProcessLimit(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	const uid = "4567"
	for i := range 3 {
		file := dir + "/" + strconv.Itoa(i)
		program{argv: with("gid="+uid+" uid="+uid, probe, "serve", file, "0")}.start(t)
		awaited(t, file, "ready")
	}
	r := program{argv: with("rlimit=6:2:2", hardrun, "--user="+uid+":"+uid, "--", probe)}.run(t)
	refused(t, r, 203, "resource temporarily unavailable")
	// LimitNPROC= comes after the change of user: the daemon runs, and has no child.
	r = run(t, "--user="+uid+":"+uid, "--limit-nproc=2", "--", probe, "try", "fork", "1")
	denied(t, r, "EAGAIN")
}

// The kernel's rule for the calls: groups, gid, uid, each read back, on one
// thread, with no helper process and no io_uring (CVE-2024-22017).
func TestOrderOfIdentity(t *testing.T) {
	requireRoot(t)
	calls := traced(t, "", hardrun, "--user=nobody", "--", probe).calls
	want := []string{"setgroups", "getgroups", "setresgid", "getresgid", "setresuid", "getresuid"}
	i := 0
	for _, c := range calls {
		if i < len(want) && c.name == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("no %s in its place", want[i])
	}
	for _, c := range calls {
		switch c.name {
		case "io_uring_setup", "fork", "vfork":
			t.Errorf("%s was called", c.name)
		case "execve":
			if c.args != "" && !strings.Contains(c.args, `"`+probe+`"`) {
				t.Errorf("another program was started: %s", c.args)
			}
		}
	}
}
