//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// An error of 0 is no error: the call is not made, and has done it. Under such a filter a
// change of user is a lie.
func TestA68ErrorThatIsNone(t *testing.T) {
	requireRoot(t)
	setresuid := "filter=" + itoa(unix.SYS_SETRESUID) + ":0"
	s := runs(t, naive(t, opt(setresuid, "user=nobody"), probe)...).state(t)
	atWork(t, fmt.Sprint(s.UIDs), s.UIDs[0] == 0)
	refused(t, runs(t, naive(t, opt(setresuid), hardrun, "--user=nobody", "--", probe)...), 217, "User=")
	// hardrun itself makes no such filter, nor one of an error above the last.
	for _, bad := range []string{"0", "4096", "-1"} {
		refused(t, run(t, "--system-call-filter=~getppid", "--system-call-error-number="+bad, "--", probe), 64, "--system-call-error-number")
		refused(t, run(t, "--system-call-filter=~getppid:"+bad, "--", probe), 64, "--system-call-filter")
	}
}

// The filter lies in a file that the daemon can write (CVE-2019-12589).
func TestA64FilterThatTheDaemonWrites(t *testing.T) {
	requireRoot(t)
	file := loaded(t, errnoFilter(uint32(unix.EPERM), unix.SYS_SETGROUPS))
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	act := []string{probe, "try", "setgroups"}
	denied(t, runs(t, naive(t, opt("filter-file="+file), act...)...), "EPERM")
	weaker := seccomp.Program{{Code: 6, K: uint32(seccomp.Allow)}}
	r := program{argv: naive(t, opt("filter-file="+file, "uid=65534"), "sh", "-c", "cat >"+file), stdin: string(weaker.Bytes())}.run(t)
	equal(t, "the daemon's start", r.code, 0)
	atWork(t, r.stderr, runs(t, naive(t, opt("filter-file="+file), act...)...).act(t).Errno == "")
	// Of hardrun's filter there is no file, also while it runs.
	r = run(t, "--user=nobody", "--system-call-filter=~setgroups:EPERM", "--", "sh", "-c", `readlink /proc/self/fd/*; :`)
	equal(t, "status", r.code, 0)
	if strings.Contains(r.stdout, "memfd") || strings.Contains(r.stdout, "bpf") {
		t.Errorf("open: %s", r.stdout)
	}
	denied(t, run(t, "--system-call-filter=~setgroups:EPERM", "--", probe, "try", "setgroups"), "EPERM")
}

// A list of what is forbidden misses the name that a launcher does not know, and the call that
// is newer than its list.
func TestA66A67CallsThatAListMisses(t *testing.T) {
	requireRoot(t)
	victim, _ := requireVictims(t)
	const launcher = `steps=; naive=$1; shift
		while [ "$1" != -- ]; do case $1 in umask) steps="$steps filter=95";; getppid) steps="$steps filter=110";; @mount) steps="$steps filter=165";; *) echo "$1: ignored" >&2;; esac; shift; done
		exec $naive $steps "$@"`
	lists := func(names ...string) []string {
		return slices.Concat([]string{"sh", "-c", launcher, "sh", attackProgram(t, "naive")}, names, []string{"--"})
	}
	words := []string{chainOf(t, by64, "getppid"), chainOf(t, by64, "umask 18")}
	equals(t, "the launcher of the test", chains(t, lists("umask", "getppid"), victim, words), []string{"EPERM", "EPERM"})
	got := chains(t, lists("umask", "getpppid"), victim, words)
	atWork(t, fmt.Sprint(got), slices.Equal(got, []string{ok, "EPERM"}))
	refused(t, run(t, "--system-call-filter=~umask getpppid", "--", probe), 64, "getpppid")
	refused(t, run(t, "--unit="+unitOf(t, "SystemCallFilter=~umask getpppid")), 78, "x.service:3", "getpppid")

	kernel := []string{helped(t, "newkernel", newKernelSource), "600", "1000", "0"} // plays a newer one
	words = []string{"64 600 0", "64 1000 0"}
	got = chains(t, append(kernel, lists("@mount")...), victim, words)
	atWork(t, fmt.Sprint(got), slices.Equal(got, []string{ok, ok}))
	equals(t, "newer calls", chains(t, append(kernel, under("--system-call-filter=~@mount")...), victim, words), []string{"ENOSYS", "ENOSYS"})
}

// Landlock that is not there, or older, is passed over (BestEffort of go-landlock).
func TestA70LandlockThatIsNotThere(t *testing.T) {
	requireRoot(t)
	file := write(t, directory(t, 0o755)+"/file", "", 0o666)
	act := []string{probe, "try", "open", file, "w"}
	if r := runs(t, naive(t, opt("landlock"), act...)...); r.act(t).Errno == "" {
		t.Skip("needs Landlock (CONFIG_SECURITY_LANDLOCK, lsm=): " + r.stderr)
	}
	options := []string{hardrun, "--allow-landlock=ReadOnlyPaths", "--read-only-paths=" + file, "--"}
	denied(t, runs(t, with("without=21", append(options, act...)...)...), "EACCES")
	for _, how := range []string{"error=ENOSYS", "error=EOPNOTSUPP", "retval=0"} {
		atWork(t, how, runs(t, injecting(t, "landlock_create_ruleset", how, naive(t, opt("landlock"), act...)...)...).act(t).Errno == "")
		r := runs(t, injecting(t, "landlock_create_ruleset", how, with("without=21", append(options, act...)...)...)...)
		if r.code == 0 || r.started() || !strings.Contains(r.stderr, "ReadOnlyPaths=") {
			t.Errorf("%s: status %d, %q", how, r.code, r.stderr)
		}
	}
}

// evil is a library that says who has loaded it, into the file MARK names.
const evil = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void)
{
	FILE *f = getenv("MARK") ? fopen(getenv("MARK"), "a") : 0;
	if (f) {
		fprintf(f, "%d\n", (int)geteuid());
		fclose(f);
	}
}
`

// The loader of a launcher loads what the environment says, as root; and so does the
// library by which it asks for users.
func TestA72A74LibrariesOfTheCaller(t *testing.T) {
	requireRoot(t)
	setpriv := requireProgram(t, "setpriv", "util-linux")
	gcc := requireProgram(t, "gcc", "gcc")
	dir := directory(t, 0o777)
	source := write(t, dir+"/evil.c", evil, 0o644)
	library := dir + "/libnss_hardruntest.so.2"
	if out, err := exec.Command(gcc, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	env := append(smallEnv[:1:1], "MARK="+dir+"/mark", "LD_LIBRARY_PATH="+dir)
	loaders := func(argv ...string) (uids []string, r result) {
		t.Helper()
		if err := os.RemoveAll(dir + "/mark"); err != nil {
			t.Fatal(err)
		}
		e := env
		if argv[0] == setpriv || argv[0] == hardrun {
			e = append(slices.Clone(env), "LD_PRELOAD="+library)
		}
		r = program{argv: argv, env: e}.run(t)
		if exists(dir + "/mark") {
			uids = strings.Fields(read(t, dir+"/mark"))
		}
		return uids, r
	}
	uids, _ := loaders(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/true")
	atWork(t, fmt.Sprint(uids), slices.Contains(uids, "0"))
	uids, r := loaders(hardrun, "--user=nobody", "--private-tmp=no", "--caps=none", "--no-new-privs", "--", "/bin/true")
	equal(t, r.stderr, r.code, 0)
	equals(t, "who has loaded it", uids, []string{"65534"})
	// What the launcher's own library would load for a name.
	nss := write(t, dir+"/nsswitch.conf", "passwd: hardruntest\ngroup: hardruntest\n", 0o644)
	asked := func(argv ...string) (uids []string, r result) {
		t.Helper()
		return loaders(append([]string{"/usr/bin/env"}, private("mount --bind "+nss+" /etc/nsswitch.conf; rm -f "+dir+"/mark", argv...)...)...)
	}
	uids, _ = asked(setpriv, "--reuid=nosuchuser", "--clear-groups", "/bin/true")
	atWork(t, fmt.Sprint(uids), slices.Contains(uids, "0"))
	uids, r = asked(hardrun, "--user=nosuchuser", "--", "/bin/true")
	refused(t, r, 217, "nosuchuser")
	equals(t, "loaded for a name", uids, nil)
	uids, _ = asked(hardrun, "--user=nobody", "--", "/bin/true")
	equals(t, "loaded for a name that is there", uids, nil)
}

// A line of a unit that a launcher does not know, it passes over (systemd #5813, #23199).
func TestA76LinesPassedOver(t *testing.T) {
	requireRoot(t)
	// As many scripts read a unit: the lines they know, wherever they stand.
	const launcher = `nnp=; while IFS== read -r key value; do
			case $key=$value in NoNewPrivileges=yes) nnp=--no-new-privs;; ExecStart=*) command=$value;; esac
		done <"$1"; exec setpriv $nnp $command`
	start := func(file string) *state { return runs(t, "sh", "-c", launcher, "sh", file).state(t) }
	equal(t, "the launcher of the test", start(unitOf(t, "NoNewPrivileges=yes")).NNP, 1)
	for _, lines := range []string{
		"NoNewPrivilege=yes", "NoNewPriviledges=yes", "nonewprivileges=yes", "NONEWPRIVILEGES=yes", "NoNewPrivileges=yes # really", "NoNewPrivileges=ye", "NoNewPrivileges yes",
		"[Unit]\nNoNewPrivilege=yes", "[Servce]\nNoNewPrivilegs=yes", "ProtectSystem=stric", "ProtectSytem=strict", "SystemCallFilter=~@mount @nosuch", "User=nobody:", "CapabilityBoundingSet=CAP_NET_BIND",
		"RestrictNamespaces=ues", "InaccessiblePaths=home",
	} {
		file := unitOf(t, lines)
		s := start(file)
		atWork(t, lines, s.NNP == 0 && s.UIDs[0] == 0)
		refused(t, run(t, "--unit="+file), 78, "x.service:")
	}
	// In a section where it does not belong the script takes it, and systemd does not.
	refused(t, run(t, "--unit="+unitOf(t, "[Unit]", "NoNewPrivileges=yes")), 78, "x.service:4", "NoNewPrivileges=")
}

// What cannot be had is left out (systemd in containers, unshare(1) in scripts).
func TestA77NamespaceDenied(t *testing.T) {
	requireRoot(t)
	const namespace = "/proc/self/ns/net"
	own := strings.TrimSpace(runs(t, "readlink", namespace).stdout)
	const launcher = `unshare --net -- "$@" 2>/dev/null || exec "$@"`
	places := map[string]func(argv ...string) []string{
		"denied":              func(argv ...string) []string { return injecting(t, "unshare", "error=EPERM", argv...) },
		"not there":           func(argv ...string) []string { return injecting(t, "unshare", "error=ENOSYS", argv...) },
		"a lie":               func(argv ...string) []string { return injecting(t, "unshare", "retval=0", argv...) },
		"a filter":            func(argv ...string) []string { return append(under("--system-call-filter=~unshare:EPERM"), argv...) },
		"without a privilege": func(argv ...string) []string { return with("without=21", argv...) },
	}
	if r := runs(t, "sh", "-c", launcher, "sh", "readlink", namespace); strings.TrimSpace(r.stdout) == own {
		t.Fatalf("the launcher of the test does not work: %q", r.stderr)
	}
	for name, in := range places {
		r := runs(t, in("/bin/sh", "-c", launcher, "sh", "readlink", namespace)...)
		atWork(t, name, strings.TrimSpace(r.stdout) == own)
		for _, words := range [][]string{{"--private-network", "--"}, {"--user=nobody", "--private-network", "--protect-system=strict", "--"}} {
			r := runs(t, in(append(append([]string{hardrun}, words...), "/bin/readlink", namespace)...)...)
			switch {
			case r.code == 0 && name == "without a privilege" && strings.TrimSpace(r.stdout) != own: // by a user namespace
			case r.code == 0 || r.started() || !strings.Contains(r.stderr, "PrivateNetwork="):
				t.Errorf("%s, %v: status %d, %q, %q", name, words, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// A line that another one takes back, in a file that a launcher does not look into; and the
// plan says which one holds.
func TestA79LineThatHolds(t *testing.T) {
	requireRoot(t)
	const launcher = `nnp=$(grep -m1 ^NoNewPrivileges= "$1"); [ "$nnp" != NoNewPrivileges=yes ] || set -- "$1" --no-new-privs
		file=$1; shift; exec setpriv "$@" $(sed -n s/^ExecStart=//p "$file")`
	start := func(file string) *state { return runs(t, "sh", "-c", launcher, "sh", file).state(t) }
	equal(t, "the launcher of the test", start(unitOf(t, "NoNewPrivileges=yes")).NNP, 1)
	for _, x := range []struct {
		lines []string
		more  string // of a drop-in
		nnp   int
		from  string
	}{
		{[]string{"NoNewPrivileges=no", "NoNewPrivileges=yes"}, "", 1, "x.service:4"},
		{nil, "NoNewPrivileges=yes", 1, "x.service.d/more.conf:2"},
		{[]string{"NoNewPrivileges=no"}, "NoNewPrivileges=yes", 1, "x.service.d/more.conf:2"},
		{[]string{"NoNewPrivileges=yes"}, "NoNewPrivileges=no", 0, "x.service.d/more.conf\n"}, // as in systemd; it is no step, so the file is named alone
	} {
		file := unitOf(t, x.lines...)
		if x.more != "" {
			write(t, file+".d/more.conf", "[Service]\n"+x.more+"\n", 0o644)
		}
		atWork(t, fmt.Sprint(x), start(file).NNP != x.nnp)
		equal(t, fmt.Sprint(x), run(t, "--unit="+file).state(t).NNP, x.nnp)
		if r := run(t, "plan", "--unit="+file); !strings.Contains(r.stdout, x.from) {
			t.Errorf("%v: the plan does not say %s: %s%s", x, x.from, r.stdout, r.stderr)
		}
	}
}

// The name of an instance is part of a path.
func TestA80NameThatIsAPath(t *testing.T) {
	requireRoot(t)
	outside, state := victim(t), directory(t, 0o755)+"/state"
	up := strings.Repeat("../", strings.Count(state, "/")) + outside[1:] + "/made"
	runs(t, "sh", "-c", `mkdir -p "$1/$2"`, "sh", state, up)
	atWork(t, up, exists(outside+"/made"))
	dir := directory(t, 0o755)
	escaped := strings.NewReplacer("-", `\x2d`, "/", "-").Replace
	const own = "mount -t tmpfs tmpfs /var; mkdir /var/lib; mount -t tmpfs tmpfs /run; find /var /run >$LIST.before"
	for _, line := range []string{"StateDirectory=%I", "StateDirectory=sub/%I", "RuntimeDirectory=%I", "CacheDirectory=%I", "LogsDirectory=%I", "ConfigurationDirectory=%I", "StateDirectory=good:%I"} {
		write(t, dir+"/x@.service", "[Service]\n"+line+"\nExecStart="+probe+"\n", 0o644)
		for _, name := range []string{"a/../../../" + outside[1:] + "/made", "..", "a/..", "../a", "/etc"} {
			if line == "StateDirectory=sub/%I" && name == "/etc" {
				continue // sub//etc is sub/etc
			}
			list := directory(t, 0o755) + "/list"
			r := runs(t, private("LIST="+list+"; "+own, "sh", "-c", `"$@"; s=$?; find /var /run >`+list+`; exit $s`, "sh", hardrun, "--unit="+dir+"/x@"+escaped(name)+".service")...)
			refused(t, r, 78, "x@.service:2", line[:strings.IndexByte(line, '=')+1])
			equal(t, line+": what was made", read(t, list), read(t, list+".before"))
		}
	}
}

// Two launchers look for a uid that nobody has, and find the same.
func TestA82UidOfTwo(t *testing.T) {
	requireRoot(t)
	// Both look before one has it.
	const launcher = `free() { u=61184; while grep -qs "^Uid:.$u" /proc/[0-9]*/status; do u=$((u+1)); done; }
		one() { free; echo found; read -r go <$1; exec setpriv --reuid=$u --regid=$u --clear-groups id -u; }`
	dir := directory(t, 0o777)
	r := program{argv: []string{"sh", "-c", launcher + `
		mkfifo go; exec 9<>go
		for i in 1 2; do (one go) >out.$i & done
		until grep -q found out.1 && grep -q found out.2; do :; done
		echo >&9; echo >&9; wait; sed -n 2p out.1 out.2; tail -qn1 out.1 out.2 | sort -u | wc -l`}, dir: dir}.run(t)
	atWork(t, r.stdout+r.stderr, strings.HasSuffix(r.stdout, "\n1\n") || r.stdout == "1\n")

	const own = "mount -t tmpfs tmpfs /var; mkdir /var/lib; mount -t tmpfs tmpfs /run\n"
	r = program{argv: private(own+`mkfifo hold; exec 9<>hold
		for i in $(seq 12); do "$@" --user=visitor$i -- sh -c 'id -u; cat' <hold >uid.$i 9>&- & done
		n=0; while [ $(cat uid.* | wc -l) -lt 12 ] && [ $n -lt 6000 ]; do sleep 0.01; n=$((n+1)); done
		exec 9>&-; wait; sort -u uid.* | wc -l`+"\nset -- true", hardrun, "--dynamic-user"), dir: dir}.run(t)
	equal(t, "users of 12 that run at once: "+r.stderr, r.stdout, "12\n")
}

// A launcher ends with 0, whatever becomes of what it was to start (start-stop-daemon
// --background).
func TestA83StatusThatLies(t *testing.T) {
	requireRoot(t)
	equal(t, "the status of a launcher that has gone on", runs(t, naive(t, opt("background"), "/nosuch/daemon")...).code, 0)
	if ssd, err := exec.LookPath("start-stop-daemon"); err == nil {
		noELF := write(t, directory(t, 0o755)+"/daemon", "\x7fELF", 0o755)
		atWork(t, ssd, runs(t, ssd, "--start", "--background", "--exec", noELF).code == 0)
	}
	for _, x := range []struct {
		words []string
		code  int
	}{
		{[]string{"--", "/nosuch/daemon"}, 203},
		{[]string{"--init", "--", "/nosuch/daemon"}, 203},
		{[]string{"--user=nosuchuser", "--", probe}, 217},
		{[]string{"--chroot=/nosuch", "--", probe}, 210},
		{[]string{"--read-only-paths=/nosuch", "--", probe}, 226},
		{[]string{"--nosuch", "--", probe}, 64},
		{[]string{"--unit=" + unitOf(t, "Nosuch=x")}, 78},
		{[]string{"--unit=" + unitOf(t, "ExecStartPre=/bin/false")}, -1},
	} {
		for _, prepare := range []string{"", "close=2", "close=0 close=1 close=2"} {
			r := runs(t, with(prepare, append([]string{hardrun}, x.words...)...)...)
			if r.started() || r.code == 0 || x.code > 0 && r.code != x.code {
				t.Errorf("%q, %q: status %d, want %d: %q", x.words, prepare, r.code, x.code, r.stderr)
			}
			if lines := strings.Count(r.stderr, "\n"); prepare == "" && lines == 0 {
				t.Errorf("%q: it says nothing", x.words)
			}
		}
	}
}

// With the standard descriptors closed what a launcher opens is one of them, and gets its
// messages (the class of CVE-2002-0820).
func TestA84MessageInAFile(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	runs(t, with("close=2", naive(t, opt("log="+dir+"/other", "user=nosuchuser"), "/bin/true")...)...)
	text := read(t, dir+"/other")
	atWork(t, text, strings.Contains(text, "no such user"))
	for n := range 8 {
		var closed []string
		for fd := range 3 {
			if n>>fd&1 == 1 {
				closed = append(closed, "close="+itoa(fd))
			}
		}
		for _, option := range []string{"--standard-output=append:", "--standard-error=append:", "--standard-input=file:"} {
			file := write(t, dir+"/log", "", 0o644)
			r := runs(t, with(strings.Join(closed, " "), hardrun, option+file, "--user=nobody", "--working-directory=/root", "--", probe)...)
			equal(t, "status", r.code, 200)
			equal(t, fmt.Sprint(closed, option), read(t, file), "")
		}
	}
}
