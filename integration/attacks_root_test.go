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
)

// hostileStart starts attack_cat in a root that is against its keeper, and holds
// that it is inside, or is not started. It is the daemon's mounts, where it can
// see them.
func hostileStart(t *testing.T, root, outside string, options ...string) (started bool, list []attackMount) {
	t.Helper()
	words := slices.Concat([]string{"--chroot=" + root, "--user=" + itoa(attackerID) + ":" + itoa(attackerID)}, options, []string{"--", "/cat", "/proc/self/mountinfo"})
	for _, at := range []string{"", "/dev", "/proc", "/sys", "/run", "/tmp", "/var", "/etc", "/a", "/proc/1/root", "/oldroot"} {
		words = append(words, at+outside+"/secret")
	}
	r := run(t, words...)
	if r.code != 0 {
		if r.code != 226 && r.code != 210 && r.code != 203 {
			t.Errorf("%q: status %d, %q", words, r.code, r.stderr)
		}
		refused(t, r, r.code)
		return false, nil
	}
	if strings.Contains(r.stdout, secret) {
		t.Errorf("%q: the secret was reached: %s", words, r.stdout)
	}
	if text, ok := attackText(r, "/proc/self/mountinfo"); ok {
		list = attackMounts(t, text)
		for _, m := range list {
			if strings.HasPrefix(m.point, filepath.Dir(root)) {
				t.Errorf("%q: a mount of outside is seen: %v", words, m)
			}
		}
	}
	return true, list
}

// A mount point that is made below a link in the root: inside, or not at all
// (CVE-2026-87766).
func TestA42MountPointBelowLink(t *testing.T) {
	requireRoot(t)
	source := directory(t, 0o755)
	outside := victim(t)
	t.Run("mkdir and mount", func(t *testing.T) {
		root := catCage(t)
		link(t, outside, root+"/var")
		r := runs(t, private(`mkdir -p "$1/var/new" && mount --bind "$2" "$1/var/new" && cat /proc/self/mountinfo`, root, source)...)
		if !exists(outside+"/new") || !strings.Contains(r.stdout, " "+outside+"/new ") {
			t.Fatalf("the attack does not work on mkdir(1) and mount(8): %q", r.stderr)
		}
	})
	t.Run("bwrap", func(t *testing.T) {
		bwrap := requireProgram(t, "bwrap", "bubblewrap")
		root, outside := catCage(t), victim(t)
		link(t, "/oldroot"+outside, root+"/var")
		runs(t, bwrap, "--bind", root, "/", "--ro-bind", source, "/var/new/deep", "--", "/cat")
		if !exists(outside + "/new/deep") {
			t.Skip("needs bubblewrap before 0.12, to show the attack at work")
		}
	})
	outside = victim(t)
	before := attackHost(t, outside)
	starts := 0
	for name, to := range map[string]string{
		"host, absolute": outside, "host, upward": strings.Repeat("../", 12) + outside[1:], "host, by process 1": "/proc/1/root" + outside,
		"host, by the root": "/proc/self/root" + outside, "host, by the old root": "/oldroot" + outside, "inside, absolute": "/real", "inside, upward": "../../../real",
		"inside, relative": "real", "self": "var", "cycle": "a", "nowhere": "nowhere", "a file": "cat",
	} {
		for _, options := range [][]string{
			{"--bind-paths=" + source + ":/var/new"},
			{"--bind-read-only-paths=" + source + ":/var/new/er/est"},
			{"--bind-paths=/etc/passwd:/var/file"},
			{"--bind-paths=" + source + ":/var"},
			{"--temporary-file-system=/var/t"},
			{"--temporary-file-system=/var"},
			{"--mount-apivfs", "--private-tmp", "--bind-paths=" + source + ":/var/new"},
		} {
			root := catCage(t)
			if err := os.Mkdir(root+"/real", 0o755); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "inside") {
				rootsLink(t, to, root+"/var") // another's is not followed at all
			} else {
				link(t, to, root+"/var")
			}
			link(t, "/var/..", root+"/a")
			if started, _ := hostileStart(t, root, outside, options...); started {
				starts++
				if !strings.HasPrefix(name, "inside") {
					t.Errorf("%s: %v was mounted behind a link that leads to nothing", name, options)
				}
			} else if strings.HasPrefix(name, "inside") {
				t.Errorf("%s: %v was refused", name, options)
			}
			// What was made stands in the root itself, and links are what they were.
			if got, err := os.Readlink(root + "/var"); err != nil || got != to {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
	hostUnchanged(t, outside, before)
	if starts == 0 {
		t.Error("nothing was started")
	}
}

// The directories of the system, as links to where they should not lead.
func TestA46SystemDirectoriesAsLinks(t *testing.T) {
	requireRoot(t)
	source := directory(t, 0o755)
	outside := victim(t)
	root := catCage(t)
	link(t, outside, root+"/dev")
	r := runs(t, private(`mount -t tmpfs tmpfs "$1/dev" && cat /proc/self/mountinfo`, root)...)
	if !strings.Contains(r.stdout, " "+outside+" ") {
		t.Fatalf("the attack does not work on mount(8): %q", r.stderr)
	}
	before := attackHost(t, outside)
	started, refused := 0, 0
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "run", "var", "etc"} {
		for _, to := range []string{
			"/", "..", "../..", "/proc/self/root", "/proc/1/root", "/proc/self/cwd", outside, strings.Repeat("../", 12) + outside[1:], "/real", "real", dir, "nowhere", "/cat",
		} {
			for _, options := range [][]string{
				{"--mount-apivfs"},
				{"--private-tmp", "--private-devices"},
				{"--mount-apivfs", "--private-tmp", "--private-devices", "--private-network", "--private-ipc", "--protect-system=strict", "--protect-proc=invisible", "--protect-kernel-tunables"},
				{"--temporary-file-system=/" + dir + "/sub", "--bind-paths=" + source + ":/" + dir + "/new"},
			} {
				root := catCage(t)
				for _, d := range []string{"dev", "proc", "sys", "tmp", "run", "var", "etc", "real"} {
					if d == dir {
						link(t, to, root+"/"+d)
					} else if err := os.Mkdir(root+"/"+d, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				ok, list := hostileStart(t, root, outside, options...)
				if !ok {
					refused++
					continue
				}
				started++
				// What the options promise is there.
				has := func(fs, point, option string) {
					for _, m := range at(list, point) {
						if m.fs == fs && m.has(option) {
							return
						}
					}
					t.Errorf("%s -> %s, %v: no %s,%s at %s: %v", dir, to, options, fs, option, point, list)
				}
				if list == nil || len(options) < 8 || to == "nowhere" { // there is nothing by that name then
					continue
				}
				point := func(d string) string {
					if d == dir && strings.HasSuffix(to, "real") {
						return "/real"
					}
					return "/" + d
				}
				has("tmpfs", point("tmp"), "nosuid")
				has("tmpfs", point("dev"), "ro")
				has("proc", point("proc"), "nosuid")
			}
		}
	}
	hostUnchanged(t, outside, before)
	t.Logf("%d started inside, %d refused", started, refused)
	if started == 0 || refused == 0 {
		t.Error("not both")
	}
}

// What hides a path is made by hardrun: a /dev/null of the image is not taken for
// it, whatever it is (CVE-2025-31133).
func TestA43NullOfTheImage(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	for name, make := range map[string]string{
		"link":         `ln -s "$2/secret" "$1/dev/null"`,
		"file":         `cp "$2/secret" "$1/dev/null"`,
		"another":      `mknod -m 666 "$1/dev/null" c 1 5`,
		"directory":    `mkdir "$1/dev/null"`,
		"fifo":         `mkfifo "$1/dev/null"`,
		"none":         `:`,
		"a right one":  `mknod -m 666 "$1/dev/null" c 1 3`,
		"dev as link":  `rmdir "$1/dev"; ln -s "$2" "$1/dev"`,
		"dev as a cwd": `rmdir "$1/dev"; ln -s /proc/self/cwd "$1/dev"`,
	} {
		root := catCage(t)
		if err := os.Mkdir(root+"/dev", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, root+"/hidden", "hidden\n", 0o644)
		write(t, root+"/directory/hidden", "hidden\n", 0o644)
		if r := runs(t, "sh", "-euc", make, "sh", root, outside); r.code != 0 {
			t.Fatal(r.stderr)
		}
		if name == "link" {
			r := runs(t, private(`mount --bind "$1/dev/null" "$1/hidden" && exec chroot "$1" /cat /hidden`, root)...)
			if text, _ := attackText(r, "/hidden"); text != secret {
				t.Fatalf("the attack does not work on mount(8): %q %q", r.stdout, r.stderr)
			}
		}
		before := attackHost(t, outside)
		r := run(t, "--chroot="+root, "--inaccessible-paths=+/hidden", "--inaccessible-paths=+/directory", "--", "/cat", "/hidden", "/directory/hidden")
		if r.code != 0 || strings.Contains(r.stdout, "hidden\nhidden") || strings.Contains(r.stdout, secret) {
			t.Errorf("%s: status %d, %q, %q", name, r.code, r.stdout, r.stderr)
		}
		if text, _ := attackText(r, "/hidden"); text != "" {
			t.Errorf("%s: /hidden reads %q", name, text)
		}
		if _, ok := attackText(r, "/directory/hidden"); ok {
			t.Errorf("%s: /directory/hidden was opened", name)
		}
		hostUnchanged(t, outside, before)
	}
}

// Without the right to make device nodes those of outside are bound, each of which
// must be the one that it is called.
func TestA43NullOfTheHost(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	cat := attackProgram(t, "cat")
	for name, x := range map[string]struct {
		script string
		ok     bool
	}{
		"as it is":                        {`:`, true},
		"null a file":                     {`cp "$OUT/secret" /dev/null.new; umount /dev/null 2>/dev/null || :; mount --bind /dev/null.new /dev/null; rm -f /dev/null.new || :`, false},
		"zero a file":                     {`mount --bind "$OUT/secret" /dev/zero`, false},
		"null is zero":                    {`mount --bind /dev/zero /dev/null`, false},
		"full is a directory of the host": {`mount -t tmpfs none /dev; for d in "null 3" "zero 5" "random 8" "urandom 9"; do set -- $d; mknod -m 666 /dev/$1 c 1 $2; done; ln -s "$OUT" /dev/full`, false},
		"null a link":                     {`mount -t tmpfs none /dev; for d in "zero 5" "full 7" "random 8" "urandom 9"; do set -- $d; mknod -m 666 /dev/$1 c 1 $2; done; ln -s "$OUT/secret" /dev/null`, false},
	} {
		script := "OUT=" + outside + "\nrun() { " + strings.ReplaceAll(x.script, "\n", ";") + "; }\nrun"
		argv := private(script, asUser(attackerID, hardrun, "--private-devices", "--", cat, "/dev/null", "/dev/zero2")...)
		r := runs(t, argv...)
		if x.ok {
			if text, ok := attackText(r, "/dev/null"); r.code != 0 || !ok || text != "" {
				t.Errorf("%s: status %d, %q, %q", name, r.code, r.stdout, r.stderr)
			}
			continue
		}
		refused(t, r, 226, "is not that device")
	}
}

// Nor is anything else of the image's /dev taken: terminals and shared memory are
// those of the host, the nodes are made anew (CVE-2025-52565).
func TestA44TerminalsOfTheImage(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	root := catCage(t)
	for _, d := range []string{"dev", "proc", "etc"} {
		if err := os.Mkdir(root+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pts", "shm", "console", "ptmx", "tty", "log", "fd", "mqueue"} {
		link(t, strings.Repeat("../", 12)+outside[1:], root+"/dev/"+name)
	}
	before := attackHost(t, outside)
	for _, options := range [][]string{
		{"--private-devices", "--mount-apivfs"},
		{"--private-devices", "--mount-apivfs", "--bind-log-sockets"},
		{"--mount-apivfs", "--private-ipc"},
	} {
		started, list := hostileStart(t, root, outside, options...)
		if !started {
			t.Fatalf("%v: not started", options)
		}
		for point, fs := range map[string]string{"/dev/pts": "devpts", "/dev/shm": "tmpfs"} {
			if m := at(list, point); len(m) == 0 || m[len(m)-1].fs != fs {
				t.Errorf("%v: %s is %v", options, point, m)
			}
		}
		if m := at(list, "/dev"); len(m) == 0 || m[len(m)-1].fs == "ext4" {
			t.Errorf("%v: /dev is %v", options, m)
		}
	}
	hostUnchanged(t, outside, before)
}

// What lies in the image's /proc is neither believed nor written to, be it files or
// a procfs of other processes; and with something else than a procfs in the place of
// the own one there is no view (CVE-2019-19921, CVE-2025-52881).
func TestA45ProcOfTheImage(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	root := catCage(t)
	for _, self := range []string{"self", "1", "thread-self"} {
		write(t, root+"/proc/"+self+"/oom_score_adj", "0\n", 0o666)
		write(t, root+"/proc/"+self+"/status", "Uid:\t0\t0\t0\t0\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n", 0o666)
		write(t, root+"/proc/"+self+"/mountinfo", "1 0 0:1 / / ro - tmpfs none ro\n", 0o644)
		write(t, root+"/proc/"+self+"/uid_map", "0 0 1\n", 0o666)
		write(t, root+"/proc/"+self+"/attr/exec", "", 0o666)
		link(t, outside, root+"/proc/"+self+"/fd")
	}
	copied(t, probe, root+"/probe", 0o755)
	before := attackHost(t, outside) + attackTree(t, root+"/proc")
	for _, more := range [][]string{
		{"--protect-system=strict"},
		{"--protect-system=strict", "--private-users"},
		{"--bind-paths=/etc:/etc", "--protect-system=full", "--private-tmp"},
	} {
		words := slices.Concat([]string{"--chroot=" + root, "--user=nobody", "--caps=none", "--no-new-privs", "--oom-score-adjust=234"}, more, []string{"--", "/cat", "/proc/self/status", "/proc/self/oom_score_adj"})
		r := run(t, words...)
		if text, _ := attackText(r, "/proc/self/oom_score_adj"); r.code != 0 || text != "0\n" {
			t.Errorf("%q: status %d, %q, %q", words, r.code, r.stdout, r.stderr)
		}
		// What the probe says comes of the kernel.
		s := run(t, append(slices.Clone(words[:len(words)-3]), "/probe")...).state(t)
		if s.UIDs[0] != 65534 || s.Bnd != none || s.NNP != 1 {
			t.Errorf("%q: %+v", words, s)
		}
	}
	if attackHost(t, outside)+attackTree(t, root+"/proc") != before {
		t.Error("something was written")
	}
	// A procfs of a PID namespace that has ended: in it there is no process at all.
	argv := private(`unshare --pid --fork --kill-child -- mount -t proc proc "`+root+`/proc"`,
		hardrun, "--chroot="+root, "--user=nobody", "--caps=none", "--no-new-privs", "--protect-system=strict", "--mount-apivfs", "--oom-score-adjust=235", "--", "/probe")
	s := runs(t, argv...).state(t)
	if s.UIDs[0] != 65534 || s.Bnd != none || s.NNP != 1 || len(s.Threads) != 0 {
		t.Errorf("%+v", s)
	}
	// The own /proc is none.
	for _, script := range []string{
		"mount -t tmpfs tmpfs /proc",
		"umount -l /proc",
		"mount --bind " + root + "/proc /proc",
		"mount --bind /proc/1 /proc",
	} {
		for _, words := range [][]string{
			{"--chroot=" + root, "--mount-apivfs"},
			{"--private-tmp"},
			{"--protect-system=strict"},
			{"--private-devices"},
			{"--inaccessible-paths=/etc"},
			{"--private-network"},
			{"--private-users"},
			{"--private-ipc"},
			{"--protect-proc=invisible"},
		} {
			cat := attackProgram(t, "cat")
			if len(words) == 2 {
				cat = "/cat"
			}
			r := runs(t, private(script, slices.Concat([]string{hardrun}, words, []string{"--", cat, "/etc/hostname"})...)...)
			if r.code != 226 || r.started() || !strings.Contains(r.stderr, "/proc, and there is none") {
				t.Errorf("%s: %v: status %d, %q, %q", script, words, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// Whose a file is, and its mode, is nothing that a view changes: what the daemon left
// in its own directory for the next start, which runs as root, hands nothing over
// (CVE-2018-6954, CVE-2017-18078). The hard link is made by root here, as anybody may
// where /proc/sys/fs/protected_hardlinks is 0.
func TestA48OwnersOfWhatTheDaemonLeft(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	// trap is the directory of the daemon: a symbolic and a hard link to a file of
	// root's, and a directory onto which another of root's is bound.
	trap := func(t *testing.T) string {
		dir := directory(t, 0o755)
		if err := errors.Join(os.Mkdir(dir+"/mount", 0o755), os.Link(outside+"/secret", dir+"/hard"), os.Chown(dir+"/mount", attackerID, attackerID), os.Chown(dir, attackerID, attackerID)); err != nil {
			t.Fatal(err)
		}
		link(t, outside+"/secret", dir+"/soft")
		return dir
	}
	owner := func(path string) int {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	for name, script := range map[string]string{
		"hard link":     `chown -R "$1" "$2"`,
		"symbolic link": `for f in "$2"/soft; do chown "$1" "$f"; done`,
		"mount":         `mount --bind "$3" "$2/mount"; chown -R "$1" "$2/mount"`,
	} {
		t.Run(name+", by chown(1)", func(t *testing.T) {
			dir := trap(t)
			r := runs(t, "unshare", "--mount", "--propagation=private", "--", "sh", "-euc", script, "sh", itoa(attackerID), dir, outside)
			if r.code != 0 || owner(outside+"/secret") != attackerID {
				t.Fatalf("the attack does not work: status %d, %q", r.code, r.stderr)
			}
			if err := errors.Join(os.Chown(outside, 0, 0), os.Chown(outside+"/secret", 0, 0)); err != nil {
				t.Fatal(err)
			}
		})
	}
	dir := trap(t)
	list := func() string { return attackTree(t, dir) + attackTree(t, outside) }
	before := list()
	identity := "--user=" + itoa(attackerID) + ":" + itoa(attackerID)
	for name, options := range map[string][]string{
		"writable":        {"--protect-system=strict", "--read-write-paths=" + dir},
		"bound":           {"--protect-system=strict", "--bind-paths=" + dir + ":/srv", "--read-write-paths=/srv"},
		"working, all on": {"--bind-paths=" + dir + ":/srv", "--bind-read-only-paths=" + probe, "--working-directory=/srv", "--umask=0", "--private-tmp", "--private-devices", "--protect-system=strict", "--protect-home", "--read-write-paths=/srv", "--no-exec-paths=/srv", "--mount-flags=private"},
		"read-only":       {"--read-only-paths=" + dir, "--inaccessible-paths=" + dir + "/mount"},
		"own users":       {"--private-users", "--private-pids", "--read-write-paths=" + dir, "--protect-system=strict"},
	} {
		t.Run(name, func(t *testing.T) {
			argv := slices.Concat([]string{"unshare", "--mount", "--propagation=private", "--", "sh", "-euc", `mount --bind "$1" "$2/mount"; shift 2; exec "$@"`, "sh", outside, dir, hardrun, identity}, options, []string{"--", probe})
			for range 2 {
				tr := traced(t, "-y", argv...)
				if tr.code != 0 {
					t.Fatalf("status %d, %q", tr.code, tr.stderr)
				}
				seen := 0
				started := false // hardrun, after what prepares the place
				for c := range eachCall(tr.text) {
					if c.name == "execve" && c.answer == "0" {
						if started = strings.HasPrefix(c.args, `"`+hardrun+`"`); strings.HasPrefix(c.args, `"`+probe+`"`) {
							break
						}
					}
					if !started {
						continue
					}
					seen++
					if strings.Contains(c.name, "chown") || strings.Contains(c.name, "chmod") || strings.Contains(c.name, "setxattr") {
						t.Errorf("%s(%s)", c.name, c.args)
					}
				}
				if seen < 50 {
					t.Errorf("%d calls of hardrun were seen", seen)
				}
			}
			if after := list(); after != before {
				t.Errorf("changed: before\n%s\nafter\n%s", before, after)
			}
		})
	}
}
