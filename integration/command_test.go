//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"
)

// The daemon has the PID of hardrun and a name of its own.
func TestSamePIDAndName(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	root := cage(t)
	copied(t, probe, dir+"/mydaemon", 0o755)
	for _, x := range []struct {
		words []string
		path  string
		comm  string
	}{
		{nil, probe, "probe"},
		{[]string{"--user=nobody", "--caps=none", "--no-new-privs"}, dir + "/mydaemon", "mydaemon"},
		{[]string{"--chroot=" + root, "--user=nobody"}, "/probe", "probe"},
		{[]string{"--chroot=" + root}, "probe", "probe"},
	} {
		file := "/notes"
		if !strings.HasPrefix(strings.Join(x.words, " "), "--chroot") {
			file = dir + "/notes" + x.comm
		}
		host := file
		if file == "/notes" {
			host = root + file
			if err := os.Chmod(root, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(host); err != nil {
				t.Fatal(err)
			}
		}
		env := []string{"PATH=/"}
		d := program{argv: append(append([]string{hardrun}, x.words...), "--", x.path, "serve", file, "5"), env: env}.start(t)
		awaited(t, host, "ready "+itoa(d.cmd.Process.Pid)+" ")
		equal(t, "comm", strings.TrimSpace(read(t, "/proc/"+itoa(d.cmd.Process.Pid)+"/comm")), x.comm)
		d.signal(t, 15)
		equal(t, "status", d.end(t), 5)
	}
}

// $0 and all words are the daemon's, blanks, quotes and options of its own
// included.
func TestArgv(t *testing.T) {
	requireRoot(t)
	words := []string{"--user=root", "-x", "", "two words", `"quoted" $HOME`, "--", "\n"}
	equals(t, "argv", run(t, append([]string{"--no-new-privs", "--", probe}, words...)...).state(t).Argv, append([]string{probe}, words...))
	// Options end at the first word that is none.
	equals(t, "argv", run(t, append([]string{"--no-new-privs", probe}, words...)...).state(t).Argv, append([]string{probe}, words...))
	// A command may be called as a subcommand is.
	dir := directory(t, 0o755)
	copied(t, probe, dir+"/plan", 0o755)
	r := program{argv: []string{hardrun, "--", "plan", "x"}, env: []string{"PATH=" + dir}}.run(t)
	equals(t, "argv", r.state(t).Argv, []string{"plan", "x"})
	r = program{argv: []string{hardrun, "--user=nobody", "plan", "x"}, env: []string{"PATH=" + dir}}.run(t)
	equals(t, "argv", r.state(t).Argv, []string{"plan", "x"})
}

// An entrypoint which starts itself anew, as a container's does.
func TestEntrypoint(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	script := write(t, dir+"/docker-entrypoint.sh", `#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
	exec "$HARDRUN" -u redis -- "$0" "$@"
fi
echo "name=$0 arg1=$1 arg2=$2 pid=$$"
exec "$@"
`, 0o755)
	for name, how := range map[string][]string{
		"by path":     {script},
		"by symlink":  {dir + "/entry"},
		"by relative": {"./docker-entrypoint.sh"},
		"by PATH":     {"sh", "-c", `exec docker-entrypoint.sh "$@"`, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			if how[0] == dir+"/entry" {
				if err := os.Symlink("docker-entrypoint.sh", how[0]); err != nil {
					t.Fatal(err)
				}
			}
			want := how[0]
			if name == "by PATH" {
				want = script
			}
			p := program{argv: users(t, append(how, probe, "two words")...), dir: dir, env: []string{"PATH=" + dir + ":/usr/sbin:/usr/bin:/sbin:/bin", "HARDRUN=" + hardrun}}
			r := p.run(t)
			first, rest, _ := strings.Cut(r.stdout, "\n")
			if r.code != 0 || !strings.HasPrefix(first, "name="+want+" arg1="+probe+" arg2=two words pid=") {
				t.Fatalf("status %d, stdout %.200q, stderr %q", r.code, r.stdout, r.stderr)
			}
			s := decode[state](t, rest)
			equals(t, "uids", s.UIDs, ids(4100))
			equals(t, "groups", s.Groups, []uint32{4101, 4500, 4501})
		})
	}
}

// A program given by script, by symlink, by a relative path, in and without a new
// root: it is the one inside.
func TestPrograms(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	write(t, root+"/bin/script", "#!/probe from script\n", 0o755)
	for link, to := range map[string]string{
		"/bin/absolute": "/probe", "/bin/relative": "../probe", "/bin/up": "../../../../probe", "/bin/chain": "absolute",
	} {
		if err := os.Symlink(to, root+link); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		command string
		words   []string
		argv    []string
		execfn  string
		comm    string
	}{
		{"/probe", nil, []string{"/probe"}, "/probe", "probe"},
		{"/bin/absolute", nil, []string{"/bin/absolute"}, "/bin/absolute", "absolute"},
		{"/bin/relative", nil, []string{"/bin/relative"}, "/bin/relative", "relative"},
		{"/bin/up", nil, []string{"/bin/up"}, "/bin/up", "up"},
		{"/bin/chain", nil, []string{"/bin/chain"}, "/bin/chain", "chain"},
		{"./probe", nil, []string{"./probe"}, "./probe", "probe"},
		{"bin/relative", nil, []string{"bin/relative"}, "bin/relative", "relative"},
		{"./relative", []string{"--working-directory=/bin"}, []string{"./relative"}, "./relative", "relative"},
		{"../probe", []string{"--working-directory=/bin"}, []string{"../probe"}, "../probe", "probe"},
		{"/bin/script", nil, []string{"/probe", "from script", "/bin/script"}, "/bin/script", "script"},
		{"probe", nil, []string{"probe"}, "/probe", "probe"},                                     // by PATH
		{"chain", []string{"--exec-search-path=/bin"}, []string{"chain"}, "/bin/chain", "chain"}, // by PATH
	} {
		t.Run(x.command, func(t *testing.T) {
			argv := append(append([]string{hardrun, "--chroot=" + root, "--user=nobody"}, x.words...), "--", x.command)
			s := program{argv: argv, env: []string{"PATH=/sbin:/"}}.run(t).state(t)
			equals(t, "argv", s.Argv, x.argv)
			equal(t, "AT_EXECFN", s.ExecFn, x.execfn)
			equal(t, "comm", s.Comm, x.comm)
		})
	}
	// Without a new root, and from where the caller is.
	dir := directory(t, 0o755)
	copied(t, probe, dir+"/bin/here", 0o755)
	for _, command := range []string{"bin/here", "./bin/here", "bin/../bin/here", dir + "/bin/here"} {
		s := program{argv: []string{hardrun, "--user=nobody", "--", command}, dir: dir}.run(t).state(t)
		equals(t, "argv", s.Argv, []string{command})
		equal(t, "exe", s.Exe, dir+"/bin/here")
	}
	// The working directory is no place to find a command in.
	r := program{argv: []string{hardrun, "--", "here"}, dir: dir + "/bin", env: []string{"PATH=:.:/nonexistent:"}}.run(t)
	refused(t, r, 203, "command not found")
}

// calls that change nothing which outlives a refusal: what is asked before step
// one, and what the runtime needs for itself.
var changing = map[string]bool{
	"setgroups": true, "setresgid": true, "setresuid": true, "setuid": true, "setgid": true, "capset": true, "unshare": true, "mount": true, "move_mount": true,
	"open_tree": true, "pivot_root": true, "umount2": true, "chroot": true, "chdir": true, "fchdir": true, "setsid": true, "umask": true, "setpriority": true,
	"sched_setscheduler": true, "sched_setattr": true, "ioprio_set": true, "set_mempolicy": true, "personality": true, "keyctl": true, "dup2": true, "dup3": true,
	"seccomp": true, "sethostname": true, "mount_setattr": true, "unlink": true, "mkdir": true, "chmod": true, "chown": true, "kill": true, "ftruncate": true,
}

// What would fail at the end is found before step one: nothing has been changed.
func TestRefusedBeforeStepOne(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	write(t, root+"/script", "#!/bin/missing\n", 0o755)
	write(t, root+"/nested", "#!/script\n", 0o755)
	write(t, root+"/empty", "", 0o755)
	write(t, root+"/bare", "#!\n", 0o755)
	write(t, root+"/plain", "x", 0o644)
	write(t, root+"/noelf", "\x7fELF", 0o755)
	if err := os.Mkdir(root+"/directory", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", root+"/loop"); err != nil {
		t.Fatal(err)
	}
	copied(t, requireProgram(t, "true", "coreutils"), root+"/dynamic", 0o755)
	confine := []string{hardrun, "--user=nobody", "--caps=none", "--chroot=" + root, "--umask=077", "--nice=1", "--no-new-privs", "--"}
	for _, x := range []struct {
		command string
		say     []string
	}{
		{"/script", []string{"/script", "/bin/missing"}},
		{"/nested", []string{"/bin/missing"}},
		{"/dynamic", []string{"/dynamic", "ld-linux"}},
		{"/missing", []string{"/missing", "no such file"}},
		{"missing", []string{"command not found: missing", "inside of the new root"}},
		{"/empty", []string{"/empty"}},
		{"/bare", []string{"/bare"}},
		{"/plain", []string{"/plain", "not executable"}},
		{"/noelf", []string{"/noelf"}},
		{"/directory", []string{"/directory", "not a regular file"}},
		{"/loop", []string{"/loop"}},
		{"", []string{"empty"}},
	} {
		t.Run(x.command, func(t *testing.T) {
			tr := traced(t, "", append(confine, x.command)...)
			refused(t, tr.result, 203, x.say...)
			for _, c := range tr.calls {
				if changing[c.name] || c.name == "prctl" && strings.Contains(c.args, "PR_SET_NO_NEW_PRIVS") || strings.Contains(c.args, "PR_CAPBSET_DROP") {
					t.Errorf("%s(%s) before the refusal", c.name, c.args)
				}
			}
		})
	}
	// That a start which works does make such calls.
	found := map[string]bool{}
	for _, c := range traced(t, "", append(confine, "/probe")...).calls {
		found[c.name] = true
	}
	for _, name := range []string{"setgroups", "setresuid", "unshare", "umask", "setpriority"} {
		if !found[name] {
			t.Errorf("no %s in a start that works", name)
		}
	}
}

// The launcher does not start itself by way of a link that only it can see, and
// its file cannot be overwritten (CVE-2019-5736).
func TestProcSelfExe(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	script := write(t, dir+"/script", "#!/proc/self/exe\n", 0o755)
	if err := os.Symlink("/proc/self/exe", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"/proc/self/exe", script, dir + "/link", "/proc/thread-self/exe", "/proc/self/root" + probe} {
		t.Run(command, func(t *testing.T) { refused(t, run(t, "--", command), 203) })
	}
	before := read(t, hardrun)
	notes := directory(t, 0o777) + "/notes"
	d := program{argv: []string{hardrun, "--init", "--", probe, "serve", notes, "0"}}.start(t)
	awaited(t, notes, "ready")
	for _, how := range []string{"w", "rw"} {
		denied(t, runs(t, probe, "try", "open", "/proc/"+itoa(d.cmd.Process.Pid)+"/exe", how), "ETXTBSY")
	}
	d.signal(t, 15)
	equal(t, "status", d.end(t), 0)
	if read(t, hardrun) != before {
		t.Error("the binary has changed")
	}
}
