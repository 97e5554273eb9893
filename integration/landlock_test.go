//go:build linux

package integration

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func requireLandlock(t *testing.T) {
	t.Helper()
	n, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 || n < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
}

// What --allow-landlock can name.
const allLandlock = "--allow-landlock=ReadOnlyPaths,ReadWritePaths,InaccessiblePaths,NoExecPaths,ExecPaths,ProtectSystem,ProtectHome"

// noAdmin is a root as containers have it.
const noAdmin = "without=21"

// landlockStart is one who cannot mount.
type landlockStart struct{ prepare, options string }

func landlockStarts() map[string]landlockStart {
	if os.Geteuid() != 0 {
		return map[string]landlockStart{"user": {"umask=22", ""}}
	}
	return map[string]landlockStart{
		"root":                    {noAdmin, ""},
		"root, another user":      {noAdmin, "--user=nobody --protect-clock"},
		"root, nothing permitted": {noAdmin, "--caps=none"},
		"user":                    {"groups=65534 gid=65534 uid=65534", ""},
	}
}

// run starts the command under hardrun, with what Landlock may do.
func (s landlockStart) run(t *testing.T, options []string, command ...string) result {
	t.Helper()
	argv := append([]string{hardrun, allLandlock}, strings.Fields(s.options)...)
	return runs(t, with(s.prepare, append(append(append(argv, options...), "--"), command...)...)...)
}

// plain starts the command as the same user, without any rule for paths.
func (s landlockStart) plain(t *testing.T, command ...string) result {
	t.Helper()
	argv := append([]string{hardrun}, strings.Fields(s.options)...)
	return runs(t, with(s.prepare, append(append(argv, "--"), command...)...)...)
}

// landlockTree is a directory that everybody may do everything in. "x/" is a
// directory, "…prog" a program, everything else a file.
func landlockTree(t *testing.T, files ...string) string {
	t.Helper()
	top := directory(t, 0o777)
	for _, f := range files {
		path := filepath.Join(top, f)
		switch {
		case strings.HasSuffix(f, "/"):
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
		case strings.HasSuffix(f, "prog"):
			copied(t, probe, path, 0o777)
		default:
			write(t, path, "text\n", 0o666)
		}
		if strings.HasSuffix(f, "/") {
			path += "/x"
		}
		for dir := filepath.Dir(path); dir != top; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	return top
}

// tried is an act in a tree: of the probe, or of a shell where it begins with "sh ".
func tried(act, top string) []string {
	act = strings.ReplaceAll(act, "TOP", top)
	if script, ok := strings.CutPrefix(act, "sh "); ok {
		return []string{"/bin/sh", "-c", script}
	}
	return append([]string{probe, "try"}, strings.Fields(act)...)
}

// worked tells whether an act worked. Where it did not, permission was denied.
func worked(t *testing.T, act string, r result) bool {
	t.Helper()
	if !strings.HasPrefix(act, "sh ") {
		a := r.act(t)
		if a.Errno != "" && a.Errno != "EACCES" {
			t.Errorf("%q: %s", act, a.Errno)
		}
		return a.Errno == ""
	}
	if r.code != 0 && !strings.Contains(r.stderr, "Permission denied") {
		t.Errorf("%q: status %d, stderr %q", act, r.code, r.stderr)
	}
	return r.code == 0
}

type landlockAct struct {
	act   string
	works bool // with the rules; without them every act works
}

func landlockActs(t *testing.T, start landlockStart, files []string, options func(top string) []string, acts []landlockAct) {
	t.Helper()
	for _, a := range acts {
		top := landlockTree(t, files...)
		options(top)
		if !worked(t, a.act, start.plain(t, tried(a.act, top)...)) {
			t.Errorf("%q does not work without rules", a.act)
		}
		top = landlockTree(t, files...)
		if got := worked(t, a.act, start.run(t, options(top), tried(a.act, top)...)); got != a.works {
			t.Errorf("%q with rules: works is %v, want %v", a.act, got, a.works)
		}
	}
}

// Each act works where nothing is confined, is denied where it is forbidden, and
// works beside that.
func TestLandlock(t *testing.T) {
	requireLandlock(t)
	files := []string{"ro/f", "ro/d/", "ro/rw/f", "ro/rw/ro/f", "ro/rw/d/", "secret/prog", "no/prog", "no/yes/prog", "by/f", "by/prog", "by/d/", "real/f", "file"}
	options := func(top string) []string {
		if err := os.Symlink("real", top+"/link"); err != nil {
			t.Fatal(err)
		}
		return []string{
			"--read-only-paths=" + top + "/ro " + top + "/ro/rw/ro", "--read-write-paths=" + top + "/ro/rw", "--read-only-paths=" + top + "/link " + top + "/file",
			"--inaccessible-paths=" + top + "/secret -" + top + "/missing", "--no-exec-paths=" + top + "/no", "--exec-paths=" + top + "/no/yes",
		}
	}
	acts := []landlockAct{
		{"open TOP/ro/f w", false},
		{"open TOP/ro/f r", true},
		{"open TOP/ro/rw/f w", true},
		{"open TOP/ro/rw/ro/f w", false},
		{"open TOP/real/f w", false}, // the rule was written for a link to it
		{"open TOP/link/f w", false},
		{"open TOP/real/f r", true},
		{"open TOP/file w", false}, // a file with a rule of its own
		{"open TOP/file r", true},
		{"open TOP/by/f w", true},
		{"open TOP/secret/prog r", false},
		{"open TOP/secret/prog w", false},
		{"open TOP/secret r", false},
		{"open TOP/by r", true},
		{"open /dev/null w", true},
		{"sh echo x > TOP/ro/new", false},
		{"sh echo x > TOP/by/new", true},
		{"sh echo x > TOP/ro/rw/d/new", true},
		{"sh mkdir TOP/ro/new", false},
		{"sh mkdir TOP/by/new", true},
		{"sh rm TOP/ro/f", false},
		{"sh rm TOP/by/f", true},
		{"sh rmdir TOP/ro/d", false},
		{"sh rmdir TOP/by/d", true},
		{"sh mv TOP/by/f TOP/by/d/f", true},
		{"sh mv TOP/by/f TOP/ro/new", false},
		{"sh ln -s x TOP/ro/new", false},
		{"sh ln -s x TOP/by/new", true},
		{"sh truncate -s 0 TOP/ro/f", false},
		{"sh truncate -s 0 TOP/by/f", true},
		{"sh ls TOP/secret", false},
		{"sh ls TOP/by", true},
		{"sh echo x > TOP/secret/new", false},
		{"sh TOP/secret/prog exit 0", false},
		{"sh TOP/no/prog exit 0", false},
		{"sh TOP/no/yes/prog exit 0", true},
		{"sh TOP/by/prog exit 0", true},
		// Stricter than mounts, and plan says so.
		{"sh ls TOP", false},
		{"sh echo x > TOP/new", false},
		{"sh echo x > TOP/ro/rw/new", false},
		// Weaker than mounts, and plan says so.
		{"stat TOP/secret/prog", true},
		{"chdir TOP/secret", true},
	}
	for name, start := range landlockStarts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			landlockActs(t, start, files, options, acts)
		})
	}
}

// What plan says stays open does, for who owns the files; and a program that may
// not be executed can be mapped by the loader.
func TestLandlockIsWeaker(t *testing.T) {
	requireLandlock(t)
	start := landlockStart{"umask=22", ""}
	if os.Geteuid() == 0 {
		start.prepare = noAdmin
	}
	acts := []landlockAct{
		{"sh chmod 640 TOP/ro/f", true},
		{"sh touch -d 2001-01-01 TOP/ro/f", true},
		{"sh chmod 700 TOP/secret", true},
	}
	if file, err := elf.Open("/bin/true"); err == nil {
		for _, p := range file.Progs {
			if p.Type == elf.PT_INTERP {
				text := make([]byte, p.Filesz)
				if _, err := p.ReadAt(text, 0); err != nil {
					t.Fatal(err)
				}
				loader := strings.TrimRight(string(text), "\x00")
				acts = append(acts, landlockAct{"sh " + loader + " TOP/no/true", true}, landlockAct{"sh TOP/no/true", false})
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	landlockActs(t, start, []string{"ro/f", "secret/f", "no/x"}, func(top string) []string {
		copied(t, "/bin/true", top+"/no/true", 0o755)
		return []string{"--read-only-paths=" + top + "/ro", "--inaccessible-paths=" + top + "/secret", "--no-exec-paths=" + top + "/no"}
	}, acts)
}

// The directives with fixed lists, in a view that is made for the test: what the
// acts change is in memory, and /usr/bin/env is opened only.
func TestLandlockProtect(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	const prepare = `for d in /home /root /var/tmp /srv /opt /run; do mount -t tmpfs tmpfs $d; done
mkdir -p /home/ann /run/user/0 /run/d; for f in /home/ann/f /root/f /run/user/0/f /run/d/f /srv/f /var/tmp/f; do echo x > $f; done
mkdir /opt/etc; cp /etc/hostname /opt/etc/; mount --bind /opt/etc /etc`
	for _, x := range []struct {
		name    string
		options []string
		works   []string
		denied  []string
	}{
		{
			"ProtectSystem=yes",
			[]string{"--protect-system=yes"},
			[]string{"open /etc/hostname rw", "open /home/ann/f rw", "open /usr/bin/env r"},
			[]string{"open /usr/bin/env w", "open /bin/env w"},
		},
		{
			"ProtectSystem=full",
			[]string{"--protect-system=full"},
			[]string{"open /etc/hostname r", "open /home/ann/f rw", "open /srv/f rw"},
			[]string{"open /usr/bin/env w", "open /etc/hostname w", "sh mkdir /etc/x"},
		},
		{
			"ProtectSystem=strict",
			[]string{"--protect-system=strict", "--read-write-paths=/srv"},
			[]string{"open /home/ann/f rw", "open /root/f rw", "open /run/user/0/f rw", "open /srv/f rw", "open /dev/null w", "open /proc/self/oom_score_adj w", "sh mkdir /srv/x", "sh ls /", "open /var/tmp/f r"},
			[]string{"open /var/tmp/f w", "open /etc/hostname w", "open /run/d/f w", "sh mkdir /var/tmp/x", "sh mkdir /run/x", "open /usr/bin/env w"},
		},
		{
			"ProtectHome=yes",
			[]string{"--protect-home=yes"},
			[]string{"open /srv/f rw", "open /etc/hostname rw", "open /run/d/f rw"},
			[]string{"open /home/ann/f r", "open /root/f r", "open /run/user/0/f r", "sh ls /home", "sh mkdir /home/x"},
		},
		{
			"ProtectHome=read-only",
			[]string{"--protect-home=read-only"},
			[]string{"open /home/ann/f r", "sh ls /home", "open /srv/f rw"},
			[]string{"open /home/ann/f w", "open /root/f w", "sh mkdir /run/user/0/x"},
		},
		{
			"both",
			[]string{"--protect-system=strict", "--protect-home=yes"},
			[]string{"open /srv/f r"},
			[]string{"open /home/ann/f r", "open /root/f w", "open /srv/f w"},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			start := func(act string, words ...string) result {
				argv := append(append([]string{hardrun}, words...), "--")
				return runs(t, private(prepare, with(noAdmin, append(argv, tried(act, "")...)...)...)...)
			}
			for _, act := range append(append([]string{}, x.works...), x.denied...) {
				if !worked(t, act, start(act)) {
					t.Errorf("%q does not work without rules", act)
				}
			}
			options := append([]string{allLandlock}, x.options...)
			for _, act := range x.works {
				if !worked(t, act, start(act, options...)) {
					t.Errorf("%q is denied", act)
				}
			}
			for _, act := range x.denied {
				if worked(t, act, start(act, options...)) {
					t.Errorf("%q is not denied", act)
				}
			}
		})
	}
}

// Rules reach over mounts; and a mount that is read-only or noexec already keeps
// the promise, and does not keep the daemon from being started.
func TestLandlockMounts(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	top := landlockTree(t, "ro/sub/", "by/sub/", "fixed/", "noexec/")
	prepare := "cd " + top + `
for d in ro/sub by/sub fixed noexec; do mount -t tmpfs -o mode=777 tmpfs $d; echo x > $d/f; cp ` + probe + ` $d/prog; done
mount -o remount,ro fixed; mount -o remount,noexec noexec; cd /`
	start := func(words []string, act string) result {
		argv := append(append([]string{hardrun, allLandlock}, words...), "--")
		return runs(t, private(prepare, with(noAdmin, append(argv, tried(act, top)...)...)...)...)
	}
	for _, x := range []struct {
		words []string
		act   string
		errno string
	}{
		{nil, "open TOP/ro/sub/f w", ""},
		{[]string{"--read-only-paths=" + top + "/ro"}, "open TOP/ro/sub/f w", "EACCES"},
		{[]string{"--read-only-paths=" + top + "/ro"}, "open TOP/by/sub/f w", ""},
		{[]string{"--read-only-paths=" + top + "/ro", "--read-write-paths=" + top + "/ro/sub"}, "open TOP/ro/sub/f w", ""},
		{[]string{"--read-only-paths=" + top + "/ro/sub"}, "open TOP/ro/sub/f w", "EACCES"},
		{[]string{"--inaccessible-paths=" + top + "/ro/sub/f"}, "open TOP/ro/sub/f r", "EACCES"},
		{[]string{"--inaccessible-paths=" + top + "/ro/sub/f"}, "open TOP/ro/sub/prog r", ""},
		{[]string{"--read-only-paths=" + top + "/fixed"}, "open TOP/fixed/f w", "EROFS"},
		{[]string{"--read-only-paths=" + top + "/fixed"}, "open TOP/fixed/f r", ""},
		{[]string{"--no-exec-paths=" + top + "/noexec"}, "exec TOP/noexec/prog exit 0", "EACCES"},
		{[]string{"--no-exec-paths=" + top + "/noexec"}, "open TOP/noexec/f w", ""},
		{[]string{"--no-exec-paths=" + top + "/by"}, "exec TOP/by/sub/prog exit 0", "EACCES"},
	} {
		if a := start(x.words, x.act).act(t); a.Errno != x.errno {
			t.Errorf("%q, %q: %q, want %q", x.words, x.act, a.Errno, x.errno)
		}
	}
	// With a read-only root there is nothing that shows the rules, and nothing to be
	// shown: what is asked for is so.
	r := runs(t, private("mount -o bind,ro / /mnt; mount -o remount,bind,ro /mnt", "chroot", "/mnt", probe, "with", noAdmin, "--", hardrun, allLandlock, "--read-only-paths=/usr", "--", probe, "try", "open", "/usr/bin/env", "w")...)
	denied(t, r, "EROFS")
}

// In a new root that is chroot(2)ed to, paths are those of the host, and with "+"
// those of the root; what a device is decides whether it is one of the pseudo devices.
func TestLandlockChroot(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	root := cage(t)
	for _, f := range []string{"data/f", "plus/f", "by/f", "dev/full"} {
		write(t, root+"/"+f, "x", 0o666)
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 7} { // the second is full's number
		if err := unix.Mknod(root+"/dev/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			t.Fatal(err)
		}
	}
	for act, errno := range map[string]string{
		"open /data/f w": "EACCES", "open /data/f r": "", "open /plus/f w": "EACCES", "open /by/f w": "", "open /etc r": "ENOENT",
	} {
		r := runs(t, with(noAdmin, append([]string{hardrun, allLandlock, "--chroot=" + root, "--read-only-paths=" + root + "/data +/plus /etc", "--", "/probe", "try"}, strings.Fields(act)...)...)...)
		if a := r.act(t); a.Errno != errno {
			t.Errorf("%q: %q, want %q", act, a.Errno, errno)
		}
	}
	for act, errno := range map[string]string{"open /dev/null w": "", "open /dev/zero w": "EACCES", "open /dev/full w": "EACCES", "open /data/f w": "EACCES"} {
		r := runs(t, with(noAdmin, append([]string{hardrun, allLandlock, "--chroot=" + root, "--read-only-paths=+/", "--", "/probe", "try"}, strings.Fields(act)...)...)...)
		if a := r.act(t); a.Errno != errno {
			t.Errorf("read-only root: %q: %q, want %q", act, a.Errno, errno)
		}
	}
}

// Landlock is a waiver of mounts: it is used by name, where there are no mounts, and
// says so.
func TestLandlockIsAsked(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	top := landlockTree(t, "ro/f")
	ro := "--read-only-paths=" + top + "/ro"
	try := []string{"--", probe, "try", "open", top + "/ro/f", "w"}
	start := func(prepare string, words ...string) result {
		return runs(t, with(prepare, append(append([]string{hardrun}, words...), try...)...)...)
	}
	r := start(noAdmin, "--allow-landlock=ReadOnlyPaths", ro)
	denied(t, r, "EACCES")
	equal(t, "stderr", r.stderr, "hardrun: waived ReadOnlyPaths=: by Landlock in place of mounts, which is weaker (--read-only-paths)\n")
	s := runs(t, with(noAdmin, hardrun, "--allow-landlock=ReadOnlyPaths", ro, "--", probe)...).state(t)
	equal(t, "no_new_privs", s.NNP, 1)
	equals(t, "descriptors", s.openFDs(), []int{0, 1, 2})
	equal(t, "capabilities", s.Eff, clear(t, machine(t).Eff, 21))

	// Mounts where they can be had, and no word of it.
	r = start("umask=22", "--allow-landlock=ReadOnlyPaths", ro)
	denied(t, r, "EROFS")
	equal(t, "stderr", r.stderr, "")

	// Nothing is asked that Landlock would take: it is not entered.
	r = start(noAdmin, "--allow-landlock=ReadWritePaths,InaccessiblePaths", "--read-write-paths="+top, "--inaccessible-paths=-/nosuch")
	allowed(t, r)

	refused(t, start(noAdmin, ro), 226, "ReadOnlyPaths=", "CAP_SYS_ADMIN")
	refused(t, start(noAdmin, "--allow-landlock=NoExecPaths", ro), 226, "ReadOnlyPaths=", "CAP_SYS_ADMIN")
	refused(t, start(noAdmin, "--allow-landlock=ReadOnlyPaths", "--strict", ro), 226, "ReadOnlyPaths=", "CAP_SYS_ADMIN")
	refused(t, start(noAdmin, "--allow-landlock=ProtectHome", "--protect-home=tmpfs"), 226, "ProtectHome=", "CAP_SYS_ADMIN", "ProtectHome=yes is what it can do")
	refused(t, start(noAdmin, "--allow-landlock=PrivateTmp", "--private-tmp"), 64, "PrivateTmp")
	refused(t, start(noAdmin, "--allow-landlock=InaccessiblePaths", "--inaccessible-paths=/"), 226, "the root cannot be made inaccessible")
	refused(t, start(noAdmin, "--allow-landlock=InaccessiblePaths", "--inaccessible-paths="+top+"/nosuch"), 226, top+"/nosuch: no such file")
	refused(t, start(noAdmin, "--allow-landlock=InaccessiblePaths", "--inaccessible-paths=/proc/self/root/etc"), 226, "symbolic link")

	// NoNewPrivileges=no yields, and plan says so, with all that stays open.
	plan := func(words ...string) string {
		argv := append([]string{hardrun, "plan", "--for=self", allLandlock}, words...)
		return runs(t, with(noAdmin, append(argv, "--", probe)...)...).stdout
	}
	text := plan(ro, "--no-new-privileges=no", "--no-exec-paths=/tmp", "--inaccessible-paths=/srv")
	for _, want := range []string{
		"landlock  ", "read-only " + top + "/ro, noexec /tmp", "[nnp-implied]", "because ReadOnlyPaths= needs Landlock", "waived: NoExecPaths=: by Landlock",
		"read-only by Landlock: open for uid 0 stay chmod(2)", "on all files, chown(2) of all files", "PROT_EXEC", "stat(2), readlink(2), chdir(2)", "[landlock-weaker]", "[landlock-stricter]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("plan does not say %q:\n%s", want, text)
		}
	}
	text = plan(ro, "--user=nobody")
	for _, want := range []string{"open for uid 65534 stay chmod(2)", "on what uid 65534 owns, chown(2) of what it owns"} {
		if !strings.Contains(text, want) || strings.Contains(text, "PROT_EXEC") {
			t.Errorf("plan does not say %q, or says too much:\n%s", want, text)
		}
	}
	if text := runs(t, hardrun, "plan", allLandlock, ro, "--", probe).stdout; strings.Contains(text, "landlock") || !strings.Contains(text, "read-only") {
		t.Errorf("the plan of a root who can mount:\n%s", text)
	}
}

// A kernel with less, and one that lies: nothing is started. What says that it was
// done and was not is noticed by the acts of the proof, whatever kind of rule it is.
func TestLandlockFaults(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	strace := requireProgram(t, "strace", "strace")
	top := landlockTree(t, "d/f", "d/sub/", "empty/")
	rules := map[string]string{
		"write": "--read-only-paths=" + top + "/d", "a file": "--read-only-paths=" + top + "/d/f", "an empty directory": "--read-only-paths=" + top + "/empty",
		"read": "--inaccessible-paths=" + top + "/d", "read, a file": "--inaccessible-paths=" + top + "/d/f",
		"execute": "--no-exec-paths=" + top + "/d", "execute, an empty directory": "--no-exec-paths=" + top + "/empty", "strict": "--protect-system=strict",
	}
	start := func(t *testing.T, inject, rule string) result {
		return runs(t, with(noAdmin, strace, "-f", "-qq", "-o", "/dev/null", "-e", "inject="+inject, "--", hardrun, allLandlock, rule, "--user=nobody", "--", probe)...)
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, x := range []struct{ inject, want string }{
				{"landlock_restrict_self:retval=0", "landlock: "},
				{"landlock_restrict_self:error=EPERM", "operation not permitted"},
				{"landlock_create_ruleset:error=EOPNOTSUPP", "no Landlock"},
				{"landlock_create_ruleset:error=ENOSYS", "no Landlock"},
				{"landlock_create_ruleset:retval=1", "of Landlock is needed, and this kernel has 1"},
				{"landlock_add_rule:error=ENOMEM", "landlock_add_rule"},
			} {
				if strings.HasSuffix(x.inject, "retval=1") && strings.Contains(name, "execute") {
					x.want = "version 2 of Landlock is needed, and this kernel has 1"
				}
				r := start(t, x.inject, rule)
				if r.code != 226 || r.started() || !strings.Contains(r.stderr, x.want) {
					t.Errorf("%s: status %d, stderr %q, want 226 and %q; stdout %.100s", x.inject, r.code, r.stderr, x.want, r.stdout)
				}
			}
		})
	}
}

// Where the daemon's user could neither use nor make anything without the rules,
// nothing shows that they hold, and nothing is started.
func TestLandlockNothingShows(t *testing.T) {
	requireRoot(t)
	requireLandlock(t)
	top := directory(t, 0o755)
	if err := os.Mkdir(top+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	user := landlockStart{"groups=65534 gid=65534 uid=65534", ""}
	r := user.run(t, []string{"--no-exec-paths=" + top + "/d"}, probe)
	if r.code != 226 || r.started() || !strings.Contains(r.stderr, "nothing here can show that the rules hold") {
		t.Errorf("status %d, stderr %q", r.code, r.stderr)
	}
	if err := os.Chmod(top+"/d", 0o777); err != nil {
		t.Fatal(err)
	}
	user.run(t, []string{"--no-exec-paths=" + top + "/d"}, probe).state(t)
}
