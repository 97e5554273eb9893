//go:build linux

package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// A session of its own does not close the terminal that a daemon has as its standard
// descriptors: it reads what is typed there.
func TestA32TerminalAsInput(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	input := func(name string, argv ...string) string {
		_, wait := onTerminal(t, `"$@"; :`, argv...)
		wait()
		return printed(t, dir+"/"+name).fd(t, 0).Target
	}
	setsid := requireProgram(t, "setsid", "util-linux")
	other := input("other", setsid, "--wait", probe, "--out="+dir+"/other")
	atWork(t, other, strings.HasPrefix(other, "/dev/pts/"))
	unit := write(t, directory(t, 0o755)+"/x.service", "[Service]\nUser=nobody\nExecStart="+probe+" --out="+dir+"/unit\n", 0o644)
	equal(t, "of a unit", input("unit", hardrun, "--unit="+unit), "/dev/null")
	equal(t, "asked", input("asked", hardrun, "--user=nobody", "--standard-input=null", "--", probe, "--out="+dir+"/asked"), "/dev/null")
}

// chroot(2) alone: the working directory is outside.
func TestA35ChrootWithoutChdir(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	for _, way := range []string{"etc/hostname", "../../../../etc/hostname"} {
		act := []string{"/probe", "try", "open", way, "r"}
		atWork(t, way, runs(t, naive(t, opt("chroot="+root), act...)...).act(t).Errno == "")
		for _, more := range [][]string{nil, {"--user=nobody"}, {"--private-tmp"}} {
			denied(t, run(t, slices.Concat([]string{"--chroot=" + root}, more, []string{"--"}, act)...), "ENOENT")
		}
		// By chroot(2), where mounts cannot be had.
		denied(t, runs(t, with("without=21", append([]string{hardrun, "--chroot=" + root, "--"}, act...)...)...), "ENOENT")
	}
}

// The launcher is started again by a link that only it can see; and who has its file open
// writes to it when it has ended (CVE-2019-5736, CVE-2019-12499).
func TestA38LauncherOverwritten(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	script := write(t, dir+"/script", "#!/proc/self/exe\n", 0o755)
	again := runs(t, naive(t, nil, script)...)
	atWork(t, again.stderr, again.code == 64 && strings.Contains(again.stderr, "naive: no step "+script))
	refused(t, run(t, "--", script), 203)

	launcher := copied(t, "/bin/sh", dir+"/launcher", 0o755)
	// The daemon opens the file of its parent, which is the launcher; waits until that has ended; and writes.
	const daemon = `exec 3</proc/$PPID/exe; p=$PPID; : >open; while [ -e /proc/$p ]; do :; done; echo overwritten >/proc/self/fd/3; : >done`
	r := program{argv: []string{"sh", "-c", `"$@"; while [ ! -e done ]; do :; done`, "sh", launcher, "-c", `"$@" & while [ ! -e open ]; do :; done`, "sh", "sh", "-c", daemon}, dir: dir}.run(t)
	atWork(t, r.stderr, read(t, launcher) == "overwritten\n")

	// hardrun is nobody's parent; where it is, its file cannot be got hold of.
	before := read(t, hardrun)
	for _, words := range [][]string{{"--init", "--user=nobody"}, {"--init", "--user=nobody", "--private-users"}, {"--private-pids", "--user=nobody"}, {"--init", "--user=nobody", "--mount-apivfs", "--private-tmp"}} {
		r := run(t, append(words, "--", "sh", "-c", `exec 3</proc/$PPID/exe`)...)
		if r.code == 0 {
			t.Errorf("%v: the file of the parent was opened", words)
		}
	}
	if read(t, hardrun) != before {
		t.Error("the binary has changed")
	}
}

// Sockets that were passed to another process are taken for the daemon's.
func TestA39SocketsOfAnother(t *testing.T) {
	requireRoot(t)
	const passed = "listen=4194303 env=LISTEN_FDS=2 open=3:/ open=4:/etc"
	s := runs(t, with(passed, naive(t, opt("uid=65534"), probe)...)...).state(t)
	_, n := s.getenv("LISTEN_FDS")
	atWork(t, fmt.Sprint(s.openFDs()), n == 1 && len(s.FDs) == 5)
	for _, words := range [][]string{{"--user=nobody"}, {"--no-new-privs"}, {"--init"}} {
		s := runs(t, with(passed, append(append([]string{hardrun}, words...), "--", probe)...)...).state(t)
		equals(t, "open", s.openFDs(), []int{0, 1, 2})
		for _, name := range []string{"LISTEN_FDS", "LISTEN_PID"} {
			if _, n := s.getenv(name); n != 0 {
				t.Errorf("%v: %s is there", words, name)
			}
		}
	}
}

// Signals that the caller ignores or blocks stay so (bubblewrap 0.11.1): a daemon that
// cannot be ended by SIGTERM, and never hears of its children.
func TestA40SignalsOfTheCaller(t *testing.T) {
	requireRoot(t)
	const prepare = "ignore=17 ignore=13 block=15"
	s := runs(t, with(prepare, naive(t, nil, probe)...)...).state(t)
	atWork(t, s.SigIgnored+" "+s.SigBlocked, s.SigIgnored == "0000000000011000" && s.SigBlocked == "0000000000004000")
	for _, prepare := range []string{prepare, "ignore block"} {
		for lines, ignored := range map[string]string{"": "0000000000001000", "IgnoreSIGPIPE=no": none, "User=nobody\nIgnoreSIGPIPE=yes": "0000000000001000", "ExecStopPost=/bin/true": "0000000000001000"} {
			s := runs(t, with(prepare, hardrun, "--unit="+unitOf(t, lines))...).state(t)
			equal(t, lines+": ignored", s.SigIgnored, ignored)
			equal(t, lines+": blocked", s.SigBlocked, none)
		}
	}
}

// /dev/console is mounted over, and is a link of the image's (CVE-2025-52565).
func TestA44ConsoleOfTheImage(t *testing.T) {
	requireRoot(t)
	outside, source := victim(t), directory(t, 0o755)
	root := catCage(t)
	for _, d := range []string{"dev", "proc"} {
		if err := os.Mkdir(root+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"console", "pts", "null", "shm"} {
		link(t, outside, root+"/dev/"+name)
	}
	r := runs(t, private(`mount --bind "$2" "$1/dev/console" && cat /proc/self/mountinfo`, root, source)...)
	atWork(t, r.stderr, strings.Contains(r.stdout, " "+outside+" "))
	before := attackHost(t, outside)
	for _, options := range [][]string{{"--private-devices"}, {"--private-devices", "--mount-apivfs"}, {"--mount-apivfs"}} {
		if started, list := hostileStart(t, root, outside, options...); started {
			for _, m := range list {
				if strings.HasPrefix(m.point, outside) {
					t.Errorf("%v: mounted at %s", options, m.point)
				}
			}
		}
	}
	hostUnchanged(t, outside, before)
	rootsLink(t, "/dev/null", root+"/tty")
	refused(t, run(t, "--standard-input=tty", "--tty-path="+root+"/tty", "--", probe), 208, "StandardInput=")
}

// What is written to /proc of the image goes into a file of the image (CVE-2019-19921,
// CVE-2025-52881): a launcher believes that it was done.
func TestA45WrittenIntoTheImage(t *testing.T) {
	requireRoot(t)
	const score = "234"
	start := func(argv func(root string) []string) (real, file string) {
		root := cage(t)
		if err := os.Chmod(root, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, root+"/proc/self/oom_score_adj", "", 0o666)
		d := program{argv: append(argv(root), "/probe", "serve", "/notes", "0")}.start(t)
		awaited(t, root+"/notes", "ready")
		real = strings.TrimSpace(read(t, "/proc/"+itoa(d.cmd.Process.Pid)+"/oom_score_adj"))
		d.signal(t, 15)
		equal(t, "status", d.end(t), 0)
		return real, read(t, root+"/proc/self/oom_score_adj")
	}
	real, file := start(func(root string) []string {
		return naive(t, opt("chroot="+root, "write=/proc/self/oom_score_adj:"+score, "user=nobody"))
	})
	atWork(t, real+" "+file, real != score && file == score)
	real, file = start(func(root string) []string {
		return []string{hardrun, "--chroot=" + root, "--user=nobody", "--oom-score-adjust=" + score, "--"}
	})
	equal(t, "oom_score_adj", real, score)
	equal(t, "the file of the image", file, "")
}

// A launcher keeps its state, or sets up its root, at a place that others know and can make
// before it (CVE-2020-5291, CVE-2019-12439, CVE-2022-31214).
func TestA49A50PlaceThatOthersKnow(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	known := owned(t, directory(t, 0o755)+"/launcher")
	link(t, outside+"/secret", known+"/pid")
	link(t, outside, known+"/root")
	const launcher = `echo $$ >"$TMPDIR/pid"; mkdir -p "$TMPDIR/root/new"; exec "$@"`
	env := append(smallEnv[:1:1], "TMPDIR="+known, "XDG_RUNTIME_DIR="+known, "HOME="+known)
	r := program{argv: []string{"sh", "-c", launcher, "sh", "true"}, env: env, dir: known}.run(t)
	atWork(t, r.stderr, read(t, outside+"/secret") != secret && exists(outside+"/new"))
	if err := os.Remove(outside + "/new"); err != nil {
		t.Fatal(err)
	}
	before := attackTree(t, outside) + attackTree(t, known)
	for _, words := range [][]string{
		{"--user=nobody"},
		{"--protect-system=strict", "--private-devices", "--protect-home"},
		{"--chroot=" + cage(t), "--mount-apivfs", "--bind-paths=/usr:/data"},
		{"--private-users", "--private-pids"},
		{"--init", "--user=nobody"},
	} {
		command := probe
		if strings.HasPrefix(words[0], "--chroot") {
			command = "/probe"
		}
		program{argv: append(append([]string{hardrun}, words...), "--", command), env: env, dir: known}.run(t).state(t)
		equal(t, fmt.Sprint(words, ": the place"), attackTree(t, outside)+attackTree(t, known), before)
	}
}

// A command goes by a shell on its way (CVE-2020-17367, CVE-2020-17368, CVE-2016-10122).
func TestA51WordsForAShell(t *testing.T) {
	requireRoot(t)
	mark := directory(t, 0o777) + "/mark"
	for _, word := range []string{"; touch " + mark, "$(touch " + mark + ")", "`touch " + mark + "`", "\ntouch " + mark, "| touch " + mark} {
		runs(t, naive(t, opt("shell"), "true", word)...)
		atWork(t, word, exists(mark))
		if err := os.Remove(mark); err != nil {
			t.Fatal(err)
		}
		s := run(t, "--user=nobody", "--private-tmp=no", "--env=X="+word, "--", probe, word).state(t)
		equals(t, "words", s.Argv, []string{probe, word})
		if exists(mark) {
			t.Fatalf("%q was executed", word)
		}
	}
}

// A path that cannot be protected is passed over: misspelt, or a link (systemd and firejail,
// for different reasons).
func TestA55PathPassedOver(t *testing.T) {
	requireRoot(t)
	top := directory(t, 0o755)
	write(t, top+"/real/secret", secret, 0o644)
	rootsLink(t, "real", top+"/link")
	rootsLink(t, "loop", top+"/loop")
	cat := attackProgram(t, "cat")
	const launcher = `for p in $HIDDEN; do
			if [ -d "$p" ] && [ ! -h "$p" ]; then mount -t tmpfs -o mode=0 tmpfs "$p" || :; else echo "$p: ignored" >&2; fi
		done`
	hide := func(path string) result {
		return runs(t, private("HIDDEN="+path+"\n"+launcher, cat, top+"/real/secret")...)
	}
	if r := hide(top + "/real"); strings.Contains(r.stdout, secret) {
		t.Fatalf("the launcher of the test does not work: %q", r.stderr)
	}
	for path, code := range map[string]int{top + "/link": 0, top + "/link/": 0, top + "/reel": 226, top + "/loop": 226, top + "/real/secret/x": 226} {
		atWork(t, path, path == top+"/link/" || strings.Contains(hide(path).stdout, secret))
		r := run(t, "--inaccessible-paths="+path, "--", cat, top+"/real/secret")
		if code != 0 {
			refused(t, r, code)
		} else if r.code != 0 || strings.Contains(r.stdout, secret) {
			t.Errorf("%s: status %d, %q, %q", path, r.code, r.stdout, r.stderr)
		}
	}
}

// A launcher looks into /proc, sees what it does not expect, and runs the program without any
// confinement: it is in a container, or hidepid is on (firejail #380, #189, #1066).
func TestA56A78WhatALauncherConcludes(t *testing.T) {
	requireRoot(t)
	const launcher = `if [ -d /proc/2 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"; else exec "$@"; fi`
	places := map[string]func(argv ...string) []string{
		"a PID namespace": func(argv ...string) []string {
			return append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, argv...)
		},
		"no /proc": func(argv ...string) []string { return private("umount -l /proc", argv...) },
		"a tmpfs":  func(argv ...string) []string { return private("mount -t tmpfs tmpfs /proc", argv...) },
		"hidepid": func(argv ...string) []string {
			return append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, private("mount -o remount,hidepid=2 /proc", argv...)...)
		},
		"container": func(argv ...string) []string {
			return append([]string{"env", "container=docker"}, private("mount -t tmpfs tmpfs /proc; mount -t tmpfs tmpfs /run; touch /run/.containerenv", argv...)...)
		},
	}
	if exists("/proc/2") { // else this is such a place by itself
		s := runs(t, "sh", "-c", launcher, "sh", probe).state(t)
		equal(t, "the launcher of the test", s.UIDs[0], 65534)
	}
	for name, in := range places {
		s := runs(t, in("sh", "-c", launcher, "sh", probe)...).state(t)
		atWork(t, name, s.UIDs[0] == 0 && s.NNP == 0)
		r := runs(t, in(hardrun, "--user=nobody", "--no-new-privs", "--caps=none", "--", probe)...)
		s = r.state(t) // a refusal would do as well; it is none on this kernel
		equals(t, name+": uids", s.UIDs, ids(65534))
		equal(t, name+": no_new_privs", s.NNP, 1)
		equal(t, name+": bounding set", s.Bnd, none)
	}
	t.Run("firejail", func(t *testing.T) {
		firejail := requireProgram(t, "firejail", "firejail")
		s := runs(t, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", firejail, "--quiet", "--noprofile", "--caps.drop=all", "--nonewprivs", probe).state(t)
		if s.NNP != 0 || s.Prm == none {
			t.Skip("needs a firejail that concludes so, to show the attack at work")
		}
	})
}

// A command without a path is found in the working directory, which belongs to somebody.
func TestA57CommandOfTheWorkingDirectory(t *testing.T) {
	requireRoot(t)
	dir := owned(t, directory(t, 0o755)+"/work")
	copied(t, probe, dir+"/tool", 0o755)
	for _, path := range []string{"", ":/nowhere", "/nowhere:", "/nowhere::/no", ".", "/nowhere:.", "../work"} {
		env := []string{"PATH=" + path}
		r := program{argv: naive(t, nil, "tool"), env: env, dir: dir}.run(t)
		atWork(t, path, path == "" || r.started()) // glibc takes an empty PATH for none at all
		for _, words := range [][]string{nil, {"--user=nobody"}, {"--working-directory=" + dir}, {"--exec-search-path=/nowhere"}} {
			refused(t, program{argv: append(append([]string{hardrun}, words...), "--", "tool"), env: env, dir: dir}.run(t), 203, "tool")
		}
	}
	// By its path it is started as what it is.
	if s := run(t, "--user=nobody", "--", dir+"/tool").state(t); s.Exe != dir+"/tool" {
		t.Error(s.Exe)
	}
}

// What the kernel does not execute, the C library gives to a shell.
func TestA58WhatIsNoProgram(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	mark := dir + "/mark"
	for name, text := range map[string]string{"plain": "touch " + mark + "\n", "empty line": "\ntouch " + mark + "\n", "a comment": "# #!/bin/false\ntouch " + mark + "\n", "a space": " #!/bin/false\ntouch " + mark + "\n"} {
		file := write(t, dir+"/script", text, 0o755)
		runs(t, naive(t, nil, file)...)
		atWork(t, name, exists(mark))
		if err := os.Remove(mark); err != nil {
			t.Fatal(err)
		}
		for _, words := range [][]string{nil, {"--user=nobody"}, {"--init"}} {
			refused(t, run(t, append(words, "--", file)...), 203, file)
		}
		if exists(mark) {
			t.Fatalf("%s: it was executed", name)
		}
	}
	refused(t, run(t, "--", write(t, dir+"/script", "#!"+dir+"/missing\n", 0o755)), 203, dir+"/missing")
}
