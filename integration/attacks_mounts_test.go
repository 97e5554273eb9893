//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a launch mounts never arrives at the host, though that shares its mounts;
// nor does what the daemon mounts, who may.
func TestA52NothingArrivesAtTheHost(t *testing.T) {
	requireRoot(t)
	work := directory(t, 0o755)
	shared := "mount --make-rshared /\n"
	leak := runs(t, private(shared+`unshare --mount --propagation=unchanged -- mount -t tmpfs tmpfs "$1"; exec cat /proc/self/mountinfo`, work)...)
	if !strings.Contains(leak.stdout, " "+work+" ") {
		t.Fatalf("the attack does not work on unshare(1): %q", leak.stderr)
	}
	root := viewRoot(t)
	cat := attackProgram(t, "cat")
	script := shared + `
		cat /proc/self/mountinfo > before
		for i in $(seq 200); do
			"$@" > out.$i 2>> errors || echo $? >> failed &
		done
		wait
		cat /proc/self/mountinfo > after`
	for name, x := range map[string]struct {
		options []string
		cat     string
	}{
		"with a root":    {viewOptions(root), "/cat"},
		"without":        {[]string{"--protect-system=strict", "--private-devices", "--protect-home", "--inaccessible-paths=/etc/shadow", "--bind-paths=/etc:/srv"}, cat},
		"slave":          {[]string{"--private-devices", "--mount-flags=slave"}, cat},
		"private":        {[]string{"--private-devices", "--mount-flags=private"}, cat},
		"a user's mount": {[]string{"--private-users", "--protect-system=full"}, cat},
	} {
		for _, f := range namesIn(t, work) {
			if err := os.Remove(work + "/" + f); err != nil {
				t.Fatal(err)
			}
		}
		start := slices.Concat([]string{hardrun}, x.options, []string{"--", x.cat, "/proc/self/mountinfo"})
		r := program{argv: private(strings.Replace(script, "seq 200", "seq "+itoa(40**attacks), 1), start...), dir: work}.run(t)
		if r.code != 0 || exists(work+"/failed") {
			t.Fatalf("%s: status %d, %q, %s", name, r.code, r.stderr, read(t, work+"/errors"))
		}
		before := read(t, work+"/before")
		if after := read(t, work+"/after"); after != before {
			t.Errorf("%s: the mounts were\n%sand are\n%s", name, before, after)
		}
		ofHost := map[string]bool{}
		for _, m := range attackMounts(t, before) {
			ofHost[m.tag("shared")] = true
		}
		text, _ := attackText(result{stdout: read(t, work+"/out.1")}, "/proc/self/mountinfo")
		for _, m := range attackMounts(t, text) {
			tag := m.tag("shared")
			if tag != "" && (ofHost[tag] || x.options[len(x.options)-1] == "--mount-flags=slave") || (tag != "" || m.tag("master") != "") && name == "private" {
				t.Errorf("%s: %s is shared: %v", name, m.point, m.tags)
			}
		}
	}
	// 200 at once, of one root in which each finds its places missing.
	r := program{argv: private(script, slices.Concat([]string{hardrun}, viewOptions(viewRoot(t)), []string{"--", "/cat", "/hidden", "/proc/self/mounts"})...), dir: work}.run(t)
	if r.code != 0 || exists(work+"/failed") || read(t, work+"/before") != read(t, work+"/after") {
		t.Errorf("200 at once: status %d, %q, %s", r.code, r.stderr, read(t, work+"/errors"))
	}
	// The daemon mounts, as it has every capability.
	r = program{argv: private(shared+`
		cat /proc/self/mountinfo > before
		"$@" > out.1
		cat /proc/self/mountinfo > after`, hardrun, "--private-mounts", "--", "sh", "-ec", "mount -t tmpfs tmpfs "+work+"; grep "+work+" /proc/self/mountinfo"), dir: work}.run(t)
	if r.code != 0 || read(t, work+"/before") != read(t, work+"/after") || !strings.Contains(read(t, work+"/out.1"), work) {
		t.Errorf("mounted by the daemon: status %d, %q", r.code, r.stderr)
	}
}

// Read-only is all that is mounted below, too.
func TestA53SubmountsAreReadOnly(t *testing.T) {
	requireRoot(t)
	top := directory(t, 0o755)
	for _, d := range []string{"/a/b", "/c", "/open/d"} {
		if err := os.MkdirAll(top+d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	mounts := `
		T=` + top + `
		mount -t tmpfs tmpfs $T/a; mkdir $T/a/b; mount -t tmpfs tmpfs $T/a/b; mount --bind /dev/shm $T/c
		mount -t tmpfs tmpfs $T/open; mkdir $T/open/d; mount -t tmpfs tmpfs $T/open/d
		chmod 777 $T/a $T/a/b $T/open $T/open/d`
	touch := []string{probe, "try", "write-file"}
	file := "/hardrun-integration-probe"
	naive := private(mounts+"\nmount --rbind $T $T; mount -o remount,bind,ro $T", append(touch, top+"/a/b"+file, "1")...)
	allowed(t, runs(t, naive...))
	for _, words := range [][]string{
		{"--protect-system=strict"},
		{"--protect-system=strict", "--read-write-paths=" + top + "/open"},
		{"--read-only-paths=" + top, "--read-write-paths=" + top + "/open"},
		{"--read-only-paths=" + top + "/a", "--read-only-paths=" + top + "/c", "--read-only-paths=" + top + "/open"},
		{"--bind-read-only-paths=" + top + ":" + top},
		{"--protect-system=strict", "--private-users"},
	} {
		line := func(argv ...string) result {
			return runs(t, private(mounts, slices.Concat([]string{hardrun}, words, []string{"--"}, argv)...)...)
		}
		for _, d := range []string{"/a", "/a/b", "/c", "/open", "/open/d"} {
			r := line(append(touch, top+d+file, "1")...)
			if strings.HasPrefix(d, "/open") && strings.Contains(strings.Join(words, " "), "read-write") {
				allowed(t, r)
				continue
			}
			denied(t, r, "EROFS")
		}
		text, _ := attackText(line(attackProgram(t, "cat"), "/proc/self/mountinfo"), "/proc/self/mountinfo")
		under := 0
		list := attackMounts(t, text)
		for _, m := range list {
			if top := at(list, m.point); top[len(top)-1].id != m.id {
				continue // it is covered
			}
			open := strings.HasPrefix(m.point, top+"/open") && strings.Contains(strings.Join(words, " "), "read-write")
			for _, api := range []string{"/proc", "/sys", "/dev", "/home", "/root", "/run/user"} {
				open = open || m.point == api || strings.HasPrefix(m.point, api+"/")
			}
			if strings.HasPrefix(m.point, top) {
				under++
			}
			if !m.has("ro") && !open && (strings.HasPrefix(words[0], "--protect-system") || strings.HasPrefix(m.point, top+"/")) {
				t.Errorf("%v: %s is %v", words, m.point, m.options)
			}
		}
		if under < 5 {
			t.Errorf("%v: %d mounts are seen", words, under)
		}
	}
}

// What the outside has locked stays so where a plain user makes the mounts: flags,
// what is covered, and the masks over /proc of a container.
func TestA54LockedMounts(t *testing.T) {
	requireRoot(t)
	top := victim(t)
	for _, d := range []string{"/locked", "/covered", "/rw"} {
		if err := os.Mkdir(top+d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write(t, top+"/covered/secret", secret, 0o644)
	cat := attackProgram(t, "cat")
	outer := `
		T=` + top + `
		mount -t tmpfs -o ro,nosuid,nodev,noexec tmpfs $T/locked
		mount -t tmpfs tmpfs $T/covered
		mount -t tmpfs -o nosuid,nodev,mode=777 tmpfs $T/rw
		`
	// Who has the right does away with both.
	r := runs(t, private(outer+`mount -o remount,bind,rw,exec,suid,dev $T/locked; mount --bind $T /mnt`, cat, "/mnt/covered/secret", "/proc/self/mountinfo")...)
	if text, _ := attackText(r, "/mnt/covered/secret"); text != secret {
		t.Fatalf("the attack does not work on mount(8): %q %q", r.stdout, r.stderr)
	}
	if text, _ := attackText(r, "/proc/self/mountinfo"); at(attackMounts(t, text), top+"/locked")[0].has("noexec") {
		t.Fatal("the attack does not work on mount(8): the flags are kept")
	}
	for name, words := range map[string][]string{
		"writable":   {"--read-write-paths=" + top + "/locked", "--exec-paths=" + top + "/locked", "--protect-system=strict"},
		"executable": {"--no-exec-paths=/srv", "--exec-paths=" + top + "/locked"},
		"bound":      {"--bind-paths=" + top + "/locked:" + top + "/rw", "--read-write-paths=" + top + "/rw", "--exec-paths=" + top + "/rw"},
		"tree":       {"--bind-paths=" + top + ":" + top},
		"shallow":    {"--bind-paths=" + top + ":" + top + ":norbind"},
		"tmp":        {"--private-tmp=no", "--protect-home", "--private-devices"},
	} {
		r := runs(t, private(outer, asUser(attackerID, slices.Concat([]string{hardrun}, words, []string{"--", cat, "/proc/self/mountinfo", top + "/covered/secret"})...)...)...)
		if r.code != 0 {
			refused(t, r, 226)
			if name != "shallow" {
				t.Errorf("%s: %q", name, r.stderr)
			}
			continue
		}
		if strings.Contains(r.stdout, secret) {
			t.Errorf("%s: what was covered is seen", name)
		}
		text, _ := attackText(r, "/proc/self/mountinfo")
		for _, m := range attackMounts(t, text) {
			switch {
			case m.point == top+"/locked", name == "bound" && m.point == top+"/rw" && m.has("noexec"):
				for _, flag := range []string{"ro", "nosuid", "nodev", "noexec"} {
					if !m.has(flag) {
						t.Errorf("%s: %s has lost %s: %v", name, m.point, flag, m.options)
					}
				}
			case m.point == top+"/rw":
				if !m.has("nosuid") || !m.has("nodev") {
					t.Errorf("%s: %s is %v", name, m.point, m.options)
				}
			}
		}
	}
	// A fresh /proc, by root and by a plain user, has the masks of the old one.
	masks := `mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; mount -t tmpfs -o ro tmpfs /proc/fs; mount --bind /dev/null /proc/kallsyms
		`
	file := "/proc/sys/kernel/domainname"
	r = runs(t, private(masks, "unshare", "--pid", "--fork", "--mount-proc", "--", probe, "try", "open", file, "w")...)
	allowed(t, r)
	for _, words := range [][]string{{"--private-pids"}, {"--protect-proc=invisible"}, {"--proc-subset=all", "--private-pids", "--private-users"}} {
		line := func(argv ...string) result {
			return runs(t, private(masks, slices.Concat([]string{hardrun}, words, []string{"--"}, argv)...)...)
		}
		denied(t, line(probe, "try", "open", file, "w"), "EROFS")
		r := line(cat, "/proc/kallsyms", "/proc/fs/ext4", "/proc/self/mountinfo")
		if text, ok := attackText(r, "/proc/kallsyms"); r.code != 0 || !ok || text != "" {
			t.Errorf("%v: status %d, %.300q, %q", words, r.code, text, r.stderr)
		}
		if text, _ := attackText(r, "/proc/self/mountinfo"); len(at(attackMounts(t, text), "/proc/fs")) == 0 {
			t.Errorf("%v: the mask is gone", words)
		}
	}
}

// A path that is protected is what it leads to, however it is written. What is
// missing is let pass by "-"; what cannot be protected is not.
func TestA55PathsHoweverWritten(t *testing.T) {
	requireRoot(t)
	top := directory(t, 0o755)
	cat := attackProgram(t, "cat")
	write(t, top+"/real/secret", secret, 0o644)
	write(t, top+"/wi th/secret", secret, 0o644)
	if err := os.Mkdir(top+"/mnt", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "real", "absolute": top + "/real", "chain": "link", "up": "../" + filepath.Base(top) + "/real", "loop": "loop", "dangling": "nowhere", "file": "real/secret"} {
		if err := os.Symlink(to, top+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	for _, option := range []string{"--inaccessible-paths=", "--read-only-paths=", "--no-exec-paths="} {
		for _, x := range []struct {
			path, secret string
			code         int
		}{
			{top + "/real", "/real/secret", 0},
			{top + "/real/", "/real/secret", 0},
			{top + "//real", "/real/secret", 0},
			{top + "/./real/.", "/real/secret", 0},
			{top + "/link", "/real/secret", 0},
			{top + "/link/", "/real/secret", 0},
			{top + "/absolute", "/real/secret", 0},
			{top + "/chain", "/real/secret", 0},
			{top + "/up", "/real/secret", 0},
			{top + "/file", "/real/secret", 0},
			{"-" + top + "/chain", "/real/secret", 0},
			{top + "/mnt", "/mnt/secret", 0},
			{"\"" + top + "/wi th\"", "/wi th/secret", 0},
			{top + "/missing", "", 226},
			{"-" + top + "/missing", "", 0},
			{"-" + top + "/missing/below", "", 0},
			{top + "/dangling", "", 226},
			{"-" + top + "/dangling", "", 0},
			{"-" + top + "/real/secret/below", "", 0},
			{top + "/real/secret/below", "", 226},
			{top + "/loop", "", 226},
			{"-" + top + "/loop", "", 226},
			{"-" + top + "/loop/below", "", 226},
			{"-" + top + "/" + strings.Repeat("x", 300), "", 64},
			{"-/proc/self/root" + top + "/real", "", 226},
			{top + "/real/../real", "", 64},
			{"-" + top + "/missing/../real", "", 64},
			{"real", "", 64},
		} {
			argv := []string{hardrun, option + x.path, "--", cat, top + x.secret, "/proc/self/mountinfo"}
			r := runs(t, private(`mount -t tmpfs tmpfs "`+top+`/mnt"; echo "`+strings.TrimSpace(secret)+`" > "`+top+`/mnt/secret"`, argv...)...)
			if r.code != x.code {
				t.Errorf("%s%s: status %d, want %d: %q", option, x.path, r.code, x.code, r.stderr)
				continue
			}
			if x.code != 0 {
				refused(t, r, x.code)
				continue
			}
			if x.secret == "" {
				continue
			}
			hidden := !strings.Contains(r.stdout, secret)
			equal(t, option+x.path+": hidden", hidden, option == "--inaccessible-paths=")
			text, _ := attackText(r, "/proc/self/mountinfo")
			flag := map[string]string{"--inaccessible-paths=": "ro", "--read-only-paths=": "ro", "--no-exec-paths=": "noexec"}[option]
			point := top + strings.ReplaceAll(filepath.Dir(x.secret), " ", `\040`)
			if strings.HasSuffix(x.path, "/file") {
				point = top + x.secret
			}
			if m := at(attackMounts(t, text), point); len(m) == 0 || !m[len(m)-1].has(flag) {
				t.Errorf("%s%s: %s is %v", option, x.path, point, m)
			}
		}
	}
	// The home directories as links, in a root.
	root := catCage(t)
	write(t, root+"/srv/h/secret", secret, 0o644)
	write(t, root+"/srv/u/secret", secret, 0o644)
	if err := os.Mkdir(root+"/run", 0o755); err != nil {
		t.Fatal(err)
	}
	rootsLink(t, "../../srv/h", root+"/home")
	rootsLink(t, "/srv/h/.", root+"/root")
	rootsLink(t, "/srv/u", root+"/run/user")
	files := []string{"/home/secret", "/root/secret", "/run/user/secret", "/srv/h/secret", "/srv/u/secret"}
	if r := run(t, append([]string{"--chroot=" + root, "--private-mounts", "--", "/cat"}, files...)...); strings.Count(r.stdout, secret) != len(files) {
		t.Fatalf("they are not there without the protection: %q %q", r.stdout, r.stderr)
	}
	for _, how := range []string{"yes", "tmpfs"} {
		r := run(t, append([]string{"--chroot=" + root, "--protect-home=" + how, "--", "/cat"}, files...)...)
		if r.code != 0 || strings.Contains(r.stdout, secret) || strings.Count(r.stdout, "!! ") != len(files) {
			t.Errorf("%s: status %d, %q, %q", how, r.code, r.stdout, r.stderr)
		}
	}
}

// However /proc is shown to hardrun: the same view, or none.
func TestA56ProcOfTheCaller(t *testing.T) {
	requireRoot(t)
	top := victim(t)
	cat := attackProgram(t, "cat")
	for name, x := range map[string]struct {
		script string
		ok     bool
	}{
		"as it is":   {":", true},
		"hidepid":    {"mount -t proc -o hidepid=2 proc /proc", true},
		"twice":      {"mount -t proc proc /proc; mount -t proc proc /proc", true},
		"of outside": {"umount -l /proc", true},
		"none":       {"while mountpoint -q /proc; do umount -l /proc; done", false},
		"tmpfs":      {"mount -t tmpfs tmpfs /proc", false},
		"of another": {"unshare --pid --fork --kill-child -- mount -t proc proc /proc", false},
	} {
		for _, who := range [][]string{nil, asUser(attackerID)} {
			for _, words := range [][]string{
				{"--inaccessible-paths=" + top},
				{"--protect-system=strict", "--inaccessible-paths=" + top, "--private-devices"},
				{"--temporary-file-system=" + top, "--private-users"},
			} {
				argv := slices.Concat([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"},
					private(x.script, slices.Concat(who, []string{hardrun}, words, []string{"--", cat, top + "/secret"})...))
				r := runs(t, argv...)
				switch {
				case strings.Contains(r.stdout, secret):
					t.Errorf("%s: %v: the secret was read", name, words)
				case r.code == 0 && x.ok:
					if _, ok := attackText(r, top+"/secret"); ok || !strings.HasPrefix(r.stdout, "!! ") {
						t.Errorf("%s: %v: %q", name, words, r.stdout)
					}
				case r.code == 226 && !x.ok && !r.started() && strings.Contains(r.stderr, "/proc"):
				default:
					t.Errorf("%s: %v: status %d, %q, %q", name, words, r.code, r.stdout, r.stderr)
				}
			}
		}
	}
}

// The command is looked for in the daemon's view, and is what it was when it was
// found.
func TestA57CommandOfTheView(t *testing.T) {
	requireRoot(t)
	root := viewRoot(t)
	tools := directory(t, 0o755)
	copied(t, attackProgram(t, "cat"), tools+"/tool", 0o755)
	copied(t, attackProgram(t, "cat"), root+"/bin/cat", 0o755)
	link(t, probe, root+"/bin/outside")
	link(t, "/proc/self/exe", root+"/bin/self")
	link(t, "/proc/1/root"+probe, root+"/bin/init")
	link(t, strings.Repeat("../", 12)+probe[1:], root+"/bin/up")
	start := func(options []string, command ...string) result {
		argv := slices.Concat([]string{hardrun, "--chroot=" + root, "--mount-apivfs", "--user=nobody"}, options, []string{"--"}, command)
		return program{argv: argv, env: []string{"PATH=" + filepath.Dir(probe) + ":/nowhere:bin:.:/bin:/tools"}}.run(t)
	}
	bound := []string{"--bind-read-only-paths=" + tools + ":/tools"}
	// Found where a mount of the view puts it.
	for _, command := range []string{"cat", "/bin/cat", "tool", "/tools/tool"} {
		if r := start(bound, command, "/etc/nothing"); r.code != 0 || !strings.HasPrefix(r.stdout, "!! /etc/nothing") {
			t.Errorf("%s: status %d, %q, %q", command, r.code, r.stdout, r.stderr)
		}
	}
	for _, options := range [][]string{nil, bound, {"--private-tmp", "--private-devices"}} {
		for _, command := range []string{"probe", probe, "outside", "/bin/outside", "/bin/self", "/bin/init", "/bin/up", "/proc/self/exe", "/proc/thread-self/exe", "sh", "/bin/sh"} {
			refused(t, start(options, command), 203)
		}
	}
	// What the view hides cannot be started.
	for _, words := range [][]string{{"--inaccessible-paths=+/bin"}, {"--inaccessible-paths=+/bin/cat"}, {"--no-exec-paths=+/bin"}, {"--temporary-file-system=/bin"}} {
		refused(t, start(words, "/bin/cat", "/"), 203)
	}

	// In a directory of the attacker's the command becomes another all the time: it is
	// what was checked, or nothing.
	data := owned(t, root+"/data")
	copied(t, attackProgram(t, "cat"), data+"/x", 0o755)
	link(t, probe, data+"/y")
	for _, f := range []string{"x", "y"} {
		if err := os.Lchown(data+"/"+f, attackerID, attackerID); err != nil {
			t.Fatal(err)
		}
	}
	r := race(t, data, "swap", "x", "y")
	ran, denied := 0, 0
	for range 150 * *attacks {
		res := start(nil, "/data/x", "/etc/nothing")
		switch {
		case res.code == 0 && strings.HasPrefix(res.stdout, "!! /etc/nothing"):
			ran++
		case res.code == 203 && !res.started():
			denied++
		default:
			t.Fatalf("status %d, %.300q, %q", res.code, res.stdout, res.stderr)
		}
	}
	r.stop(t)
	if ran == 0 || denied == 0 {
		t.Errorf("the race was none: %d, %d", ran, denied)
	}
}

// A script whose interpreter is not in the view, or is hidden there.
func TestA58InterpreterOfTheView(t *testing.T) {
	requireRoot(t)
	root := catCage(t)
	tools := directory(t, 0o755)
	copied(t, attackProgram(t, "cat"), tools+"/interpreter", 0o755)
	write(t, root+"/script", "#!/tools/interpreter\n", 0o755)
	write(t, root+"/nested", "#!/script\n", 0o755)
	bound := []string{"--bind-read-only-paths=" + tools + ":/tools"}
	start := func(options []string, command string) result {
		return run(t, slices.Concat([]string{"--chroot=" + root, "--user=nobody"}, options, []string{"--", command})...)
	}
	for _, command := range []string{"/script", "/nested"} {
		if r := start(bound, command); r.code != 0 || !strings.Contains(r.stdout, "#!/") {
			t.Errorf("%s: status %d, %q, %q", command, r.code, r.stdout, r.stderr)
		}
		for _, options := range [][]string{
			{"--private-mounts"},
			{"--private-tmp"},
			{"--bind-paths=/etc:/other"},
			append(slices.Clone(bound), "--inaccessible-paths=+/tools/interpreter"),
			append(slices.Clone(bound), "--no-exec-paths=+/tools"),
		} {
			refused(t, start(options, command), 203, "/tools/interpreter")
		}
	}
}
