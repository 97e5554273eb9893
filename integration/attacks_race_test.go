//go:build linux

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The attacker owns /data of the root: x is a directory there, y a link, and they
// change places all the time.
func racedRoot(t *testing.T, to string) (root, data string) {
	t.Helper()
	root = catCage(t)
	data = owned(t, root+"/data")
	owned(t, data+"/x")
	link(t, to, data+"/y")
	return root, data
}

// ways are links that lead from /data of a root to a directory outside, where
// somebody follows them who should not.
func ways(outside string) map[string]string {
	return map[string]string{
		"absolute":     outside,
		"upward":       strings.Repeat("../", 12) + outside[1:],
		"by process 1": "/proc/1/root" + outside,
		"by the root":  "/proc/self/root" + outside,
		"by the cwd":   "/proc/self/cwd" + outside,
		"by a link":    "z",
	}
}

// A target of a mount that is exchanged for a link while hardrun looks at it: what
// is mounted is below the directory or nowhere, and nothing of the host is touched
// (CVE-2021-30465).
func TestA41MountTargetSwapped(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	source := directory(t, 0o755)
	write(t, source+"/mark", "the bound one\n", 0o644)

	_, data := racedRoot(t, outside)
	r := race(t, data, "swap", "x", "y")
	naive := runs(t, private(`for i in $(seq 2000); do
			mount --bind "$1" "$2" || continue
			if [ -e "$3/mark" ]; then echo outside; exit; fi
			umount "$2" || umount "$3" || :
		done`, source, data+"/x", outside)...)
	r.stop(t)
	if naive.stdout != "outside\n" {
		t.Fatalf("the attack does not work on mount(8): %q %.300q", naive.stdout, naive.stderr)
	}

	before := attackHost(t, outside)
	starts, mounts, exchanges := 0, 0, 0
	for name, to := range ways(outside) {
		root, data := racedRoot(t, to)
		link(t, strings.Repeat("../", 12)+outside[1:], data+"/z")
		r := race(t, data, "swap", "x", "y")
		for range 60 * *attacks {
			res := run(t, "--chroot="+root, "--mount-apivfs", "--protect-system=strict", "--bind-paths="+source+":/data/x", "--read-write-paths=+/data/x",
				"--user="+itoa(attackerID)+":"+itoa(attackerID), "--", "/cat", "/proc/self/mountinfo", "/data/x/secret", "/data/y/secret", outside+"/secret")
			starts++
			if res.code != 0 {
				refused(t, res, 226)
				continue
			}
			mounts++
			if strings.Contains(res.stdout, secret) {
				t.Errorf("%s: the secret was reached", name)
			}
			text, _ := attackText(res, "/proc/self/mountinfo")
			var top attackMount
			for _, m := range attackMounts(t, text) {
				switch {
				case strings.HasSuffix(m.root, source[strings.LastIndexByte(source, '/'):]):
					top = m
					if m.point != "/data/x" && m.point != "/data/y" {
						t.Errorf("%s: the bind is at %s", name, m.point)
					}
				case m.point == "/":
				case !slices.Contains([]string{"/proc", "/sys", "/dev", "/run"}, "/"+strings.Split(m.point, "/")[1]):
					t.Errorf("%s: a mount at %s", name, m.point)
				}
			}
			if top.point == "" || top.has("ro") {
				t.Errorf("%s: it is mounted nowhere, or read-only: %s", name, res.stdout)
			}
		}
		exchanges += r.stop(t)
		if names := strings.Join(namesIn(t, data), " "); names != "x y z" {
			t.Errorf("%s: in the attacker's directory are %s", name, names)
		}
	}
	hostUnchanged(t, outside, before)
	t.Logf("%d starts, %d of them with the bind, the others refused; %d exchanges", starts, mounts, exchanges)
	if mounts == 0 || mounts == starts || exchanges < 10000 {
		t.Error("the race was none")
	}
}

// What the daemon's user makes of a path that is to be writable, or a mount's
// place, does not decide about others' files: a link of that user is not followed
// out of the directory that the user has.
func TestA41LinkOfTheDaemon(t *testing.T) {
	requireRoot(t)
	outside, source := victim(t), directory(t, 0o755)
	data := owned(t, directory(t, 0o755)+"/data")
	link(t, outside, data+"/x")
	file := outside + "/secret"
	for _, words := range [][]string{
		{"--protect-system=strict", "--read-write-paths=" + data + "/x"},
		{"--read-only-paths=" + outside, "--read-write-paths=" + data + "/x"},
		{"--bind-paths=" + source + ":" + data + "/x"},
		{"--temporary-file-system=" + data + "/x"},
	} {
		r := run(t, append(words, "--", attackProgram(t, "cat"), "/proc/self/mountinfo", file)...)
		if r.code != 0 {
			refused(t, r, 226, data+"/x")
			continue
		}
		text, _ := attackText(r, "/proc/self/mountinfo")
		for _, m := range attackMounts(t, text) {
			if m.point == outside && !m.has("ro") {
				t.Errorf("%v: the link led to %s: %v", words, outside, m)
			}
		}
	}
	// A link of root's is followed.
	if err := os.Lchown(data, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(data+"/x", 0, 0); err != nil {
		t.Fatal(err)
	}
	r := run(t, "--protect-system=strict", "--read-write-paths="+data+"/x", "--", attackProgram(t, "cat"), "/proc/self/mountinfo")
	text, _ := attackText(r, "/proc/self/mountinfo")
	if r.code != 0 || len(at(attackMounts(t, text), outside)) != 1 {
		t.Errorf("status %d, %q, %s", r.code, r.stderr, text)
	}
}

// Directories that are made on the way to a target: never through a link that
// stands there for a moment (CVE-2024-45310).
func TestA47MakingRaced(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	source := directory(t, 0o755)

	_, data := racedRoot(t, outside)
	r := race(t, data, "swap", "x", "y")
	runs(t, "sh", "-c", `for i in $(seq 500); do mkdir -p "$1/x/$i/new" || :; done 2>/dev/null`, "sh", data)
	r.stop(t)
	if list, err := os.ReadDir(outside); err != nil || len(list) < 2 {
		t.Fatalf("the attack does not work on mkdir(1): %v, %v", list, err)
	}

	outside = victim(t)
	before := attackHost(t, outside)
	starts, made := 0, 0
	for name, to := range ways(outside) {
		root, data := racedRoot(t, to)
		link(t, strings.Repeat("../", 12)+outside[1:], data+"/z")
		r := race(t, data, "swap", "x", "y")
		for i := range 60 * *attacks {
			n := itoa(i)
			res := run(t, "--chroot="+root, "--bind-paths="+source+":/data/x/"+n+"/new", "--bind-read-only-paths="+outside+"/secret:/data/x/"+n+"/file", "--", "/cat")
			starts++
			if res.code != 0 {
				refused(t, res, 226)
			} else {
				made++
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
		r.stop(t)
	}
	hostUnchanged(t, outside, before)
	t.Logf("%d starts, %d of them not refused", starts, made)
	if made == 0 || made == starts {
		t.Error("the race was none")
	}
}

// What has just been made is not what stands there now: the mode that it is to
// have is not given to something else.
func TestA47MadeAndSeized(t *testing.T) {
	requireRoot(t)
	source := directory(t, 0o755)
	file := write(t, source+"/file", "", 0o644)
	shut := func() string {
		dir := victim(t)
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	outside := shut()
	_, data := racedRoot(t, outside)
	if err := os.Remove(data + "/x"); err != nil {
		t.Fatal(err)
	}
	r := race(t, data, "seize", "x", "y")
	won := 0
	for i := 0; i < 500000 && won < 3; i++ {
		if err := os.Mkdir(data+"/x", 0o755); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		if err := os.Chmod(data+"/x", 0o755); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if st, err := os.Stat(outside); err != nil {
			t.Fatal(err)
		} else if st.Mode().Perm() != 0o700 {
			won++
			if err := os.Chmod(outside, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.stop(t); won == 0 {
		t.Fatal("the attack does not work on mkdir(2) and chmod(2)")
	}

	outside = shut()
	before := attackHost(t, outside)
	seized := 0
	for name, to := range ways(outside) {
		root, data := racedRoot(t, to)
		link(t, strings.Repeat("../", 12)+outside[1:], data+"/z")
		if err := os.Remove(data + "/x"); err != nil {
			t.Fatal(err)
		}
		r := race(t, data, "seize", "x", "y")
		for i := range 100 * *attacks {
			bind := source
			if i%4 == 3 {
				bind = file
			}
			if res := run(t, "--chroot="+root, "--bind-paths="+bind+":/data/x", "--", "/cat"); res.code != 0 {
				refused(t, res, 226)
			}
			st, err := os.Stat(outside)
			if err != nil {
				t.Fatal(err)
			}
			if st.Mode().Perm() != 0o700 {
				t.Fatalf("%s: start %d gave %s the mode %v", name, i, outside, st.Mode())
			}
		}
		seized += r.stop(t)
	}
	hostUnchanged(t, outside, before)
	t.Logf("%d seizures", seized)
	if seized == 0 {
		t.Error("the race was none")
	}
}
