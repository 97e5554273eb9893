//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// viewRoot is a root for viewOptions, with a daemon in it.
func viewRoot(t *testing.T) string {
	t.Helper()
	root := catCage(t)
	copied(t, probe, root+"/probe", 0o755)
	write(t, root+"/hidden", "", 0o644)
	return root
}

// A descriptor, or a link of /proc, is no way out of a view: not as the working
// directory, nor as the source or the place of a mount (CVE-2024-21626).
func TestA33WaysByDescriptor(t *testing.T) {
	requireRoot(t)
	root := viewRoot(t)
	link(t, "/proc/self/fd/7", root+"/link")
	link(t, "/proc/self/cwd", root+"/cwd")
	many := openMany()
	start := func(more ...string) result {
		words := slices.Concat([]string{hardrun}, viewOptions(root), more, []string{"--", "/probe"})
		return runs(t, with(many, words...)...)
	}
	s := start().state(t)
	equals(t, "open", s.openFDs(), []int{0, 1, 2})
	equal(t, "cwd", s.Cwd, "/")
	equal(t, "cwd", start("--working-directory=/data/usr").state(t).Cwd, "/data/usr")
	for _, dir := range []string{
		"/proc/self/fd/7", "/proc/self/fd/3", "/proc/self/fd/15", "/proc/thread-self/root", "/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd", "/dev/fd/3",
		"/link", "/cwd", "/proc/self/root/data",
	} {
		r := start("--working-directory=" + dir)
		refused(t, r, 200, "WorkingDirectory=")
	}
	for _, words := range [][]string{
		{"--bind-paths=/proc/self/fd/7:/x"},
		{"--bind-paths=/dev/fd/5:/x"},
		{"--bind-paths=/proc/self/root/etc:/x"},
		{"--bind-paths=/etc:/proc/self/cwd/x"},
		{"--bind-paths=/etc:/link"},
		{"--bind-paths=/etc:/cwd/x"},
		{"--temporary-file-system=/proc/self/root/x"},
		{"--inaccessible-paths=+/proc/self/fd/7"},
		{"--read-write-paths=+/link"},
		{"--read-only-paths=+/cwd"},
	} {
		if r := start(words...); r.started() || r.code != 226 || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v: status %d, %q", words, r.code, r.stderr)
		}
	}
	for _, dir := range []string{"/proc/self/root", "/proc/self/fd/7", "/proc/self/cwd", "/proc/thread-self/root"} {
		for _, more := range [][]string{nil, {"--private-tmp"}} {
			words := slices.Concat([]string{hardrun, "--chroot=" + dir}, more, []string{"--", probe})
			refused(t, runs(t, with(many, words...)...), 210, "RootDirectory=")
		}
	}
}

// The working directory is one of the daemon's view, mounts included.
func TestA33WorkingDirectoryOfTheView(t *testing.T) {
	requireRoot(t)
	for _, dir := range []string{"/proc/sys", "/data/usr", "/scratch", "/dev/pts", "/run"} {
		words := append(viewOptions(viewRoot(t)), "--working-directory="+dir, "--", "/probe")
		equal(t, "cwd", run(t, words...).state(t).Cwd, dir)
	}
}

// Who is started from a directory that is to be hidden is not in it any more.
func TestA33WorkingDirectoryHidden(t *testing.T) {
	requireRoot(t)
	outside := victim(t)
	cat := attackProgram(t, "cat")
	covered := program{argv: private(`mount -t tmpfs tmpfs "$PWD"`, cat, "secret"), dir: outside}.run(t)
	if text, _ := attackText(covered, "secret"); text != secret {
		t.Fatalf("the attack does not work on mount(8): %q", covered.stdout)
	}
	for _, words := range [][]string{
		{"--inaccessible-paths=" + outside},
		{"--inaccessible-paths=" + filepath.Dir(outside)},
		{"--temporary-file-system=" + outside},
		{"--bind-paths=/usr:" + outside},
		{"--chroot=" + viewRoot(t), "--private-tmp"},
		{"--chroot=" + viewRoot(t)},
	} {
		argv := slices.Concat([]string{hardrun}, words, []string{"--", probe, "try", "stat", "secret"})
		if strings.HasPrefix(words[0], "--chroot") {
			argv[slices.Index(argv, probe)] = "/probe"
		} else if strings.HasSuffix(words[0], filepath.Dir(outside)) { // the command would be hidden, too
			copied := copied(t, probe, directoryElsewhere(t)+"/probe", 0o755)
			argv[slices.Index(argv, probe)] = copied
		}
		r := program{argv: argv, dir: outside}.run(t)
		denied(t, r, "ENOENT", "EACCES")
	}
}

// directoryElsewhere is a directory that is not below that of the tests.
func directoryElsewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hardrun-integration-")
	if err != nil {
		t.Skip("needs a second place for files: " + err.Error())
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	answeredFD = regexp.MustCompile(`^(\d+)(<|$)`)
	firstFD    = regexp.MustCompile(`^(?:"[^"]*", )?(\d+)<([^>]*)>`) // of symlinkat(2) it is the second word
)

// opening are the calls that answer with a descriptor.
var opening = []string{
	"open", "openat", "openat2", "open_tree", "fsopen", "fsmount", "fspick", "socket", "memfd_create", "epoll_create1", "eventfd2", "pidfd_open", "timerfd_create", "dup", "dup3", "creat",
}

// Each descriptor of the launch is opened so that it ends with the launch; and the
// way by which one gets out of chroot(2) leads nowhere, even for a daemon with every
// capability, even where pivot_root(2) is denied.
func TestA34DescriptorsOfTheLaunch(t *testing.T) {
	requireRoot(t)
	root := viewRoot(t)
	tr := traced(t, "-y", slices.Concat([]string{hardrun, "--user=nobody"}, viewOptions(root), []string{"--", "/probe"})...)
	s := tr.state(t)
	equals(t, "open", s.openFDs(), []int{0, 1, 2})
	opened := 0
	for _, c := range tr.calls {
		if !slices.Contains(opening, c.name) || !answeredFD.MatchString(c.answer) {
			continue
		}
		opened++
		// The Go runtime reads one file of /sys at its start, and closes it.
		if !strings.Contains(c.args, "CLOEXEC") && !strings.Contains(c.args, "/transparent_hugepage/") {
			t.Errorf("without O_CLOEXEC: %s(%s)", c.name, c.args)
		}
	}
	if opened < 50 {
		t.Errorf("%d descriptors were seen, of a view", opened)
	}

	marker := "/etc/hostname"
	for _, act := range []string{"chroot-escape", "fd-escape"} {
		out := runs(t, with("open=7:/ chroot="+root, "/probe", "try", act, marker)...)
		if a := out.act(t); a.Value != 1 {
			t.Fatalf("the escape does not work without hardrun: %+v", a)
		}
		confined := []string{hardrun, "--chroot=" + root, "--mount-apivfs", "--private-tmp", "--bind-paths=/usr:/usr", "--", "/probe", "try", act, marker}
		for _, argv := range [][]string{
			confined,
			slices.Concat([]string{requireProgram(t, "strace", "strace"), "-f", "-qq", "-o", "/dev/null", "-e", "trace=pivot_root", "-e", "inject=pivot_root:error=EPERM", "--"}, confined),
			slices.Concat([]string{hardrun, "--private-users"}, confined[1:]),
		} {
			if a := runs(t, with("open=7:/ open=8:/proc", argv...)...).act(t); a.Value != 0 {
				t.Errorf("%q: outside was reached", argv)
			}
		}
	}
}

// making are the calls by which a file system changes.
var making = []string{
	"mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "truncate", "ftruncate",
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "fchownat", "lchown", "setxattr", "fsetxattr", "lsetxattr", "utimensat", "creat", "mount", "umount2",
}

// A launch keeps no state and makes no place for itself: nothing is made but what
// an option names, or in a file system that the launch itself has just made
// (CVE-2020-5291, CVE-2019-12439, CVE-2022-31214).
func TestA49A50NothingIsMadeElsewhere(t *testing.T) {
	requireRoot(t)
	root := viewRoot(t)
	options := slices.DeleteFunc(viewOptions(root), func(w string) bool { return w == "--private-tmp" }) // which names /tmp
	for name, argv := range map[string][]string{
		"root":        slices.Concat([]string{hardrun, "--user=nobody"}, options, []string{"--", "/probe"}),
		"own users":   slices.Concat([]string{hardrun, "--user=nobody", "--private-users", "--private-pids"}, options, []string{"--", "/probe"}),
		"plain user":  asUser(attackerID, hardrun, "--private-users", "--protect-system=strict", "--private-devices", "--", probe),
		"without one": {hardrun, "--protect-system=strict", "--protect-home", "--private-devices", "--inaccessible-paths=/etc/shadow", "--", probe},
	} {
		t.Run(name, func(t *testing.T) {
			// Twice: the first start makes the places of mounts.
			for range 2 {
				tr := traced(t, "-y", argv...)
				if tr.code != 0 {
					t.Fatalf("status %d, %q", tr.code, tr.stderr)
				}
				tr.calls = wholeTrace(tr.text)
				made := 0
				fresh := map[string]bool{} // descriptors of file systems that were just made
				for _, c := range tr.calls {
					at := firstFD.FindStringSubmatch(c.args)
					fd := ""
					if at != nil {
						fd = c.pid + " " + at[1]
					}
					isFresh := fresh[fd]
					if m := answeredFD.FindStringSubmatch(c.answer); m != nil && (c.name == "fsmount" || strings.HasPrefix(c.name, "openat") && isFresh) {
						fresh[c.pid+" "+m[1]] = true
					}
					switch {
					case c.name == "close" && c.answer == "0":
						delete(fresh, fd)
					case slices.Contains(making, c.name), strings.HasPrefix(c.name, "open") && strings.Contains(c.args, "O_CREAT"):
						made++
						switch {
						case isFresh:
						case at != nil && (at[2] == root || strings.HasPrefix(at[2], root+"/")):
						case c.name == "mount" && strings.Contains(c.args, "MS_REC|MS_SLAVE"):
						case c.name == "umount2" && strings.HasPrefix(c.args, `".", MNT_DETACH`):
						case at != nil && group.Dir != "" && strings.HasPrefix(at[2], group.Dir+"/tests"): // the service's control group
						case c.name == "ftruncate" && at != nil && strings.HasPrefix(at[2], "/memfd:"):
						default:
							t.Errorf("%s(%s)", c.name, c.args)
						}
					}
					for _, m := range temporary.FindAllStringSubmatch(c.args, -1) {
						if !strings.HasPrefix(m[1], base) && base != m[1] {
							t.Errorf("a path below /tmp: %s(%s)", c.name, c.args)
						}
					}
				}
				if made < 5 {
					t.Errorf("%d calls that make something were seen", made)
				}
			}
		})
	}
	t.Run("bwrap", func(t *testing.T) {
		bwrap := requireProgram(t, "bwrap", "bubblewrap")
		tr := traced(t, "-y", bwrap, "--ro-bind", "/", "/", "--", probe)
		for _, c := range tr.calls {
			for _, m := range temporary.FindAllStringSubmatch(c.args, -1) {
				if !strings.HasPrefix(m[1], base) {
					return
				}
			}
		}
		t.Error("another launcher, which uses /tmp, was not found out")
	})
}

// temporary is a path below a directory that everybody can write to.
var temporary = regexp.MustCompile(`["<](/(?:var/)?tmp(?:/[^">]*)?)[">]`)

// wholeTrace are all calls of a trace up to the one that starts the daemon.
func wholeTrace(text string) []call {
	var calls []call
	for c := range eachCall(text) {
		calls = append(calls, c)
		if c.name == "execve" && c.answer == "0" && strings.Contains(c.args, "probe\"") && len(calls) > 300 {
			break
		}
	}
	return calls
}

// A view takes one process and one execve, the daemon's. A user or PID namespace
// takes hardrun once more, and what it forks is itself: no shell, no helper
// (CVE-2021-26910, CVE-2020-17368).
func TestA51NoHelper(t *testing.T) {
	requireRoot(t)
	root := viewRoot(t)
	view := viewOptions(root)
	for name, x := range map[string]struct {
		argv         []string
		execs, forks int // at most, beside the daemon's: of hardrun itself
	}{
		"view":         {slices.Concat([]string{hardrun, "--user=nobody"}, view, []string{"--", "/probe"}), 0, 0},
		"own users":    {slices.Concat([]string{hardrun, "--user=nobody", "--private-users"}, view, []string{"--", "/probe"}), 1, 1},
		"own PIDs":     {slices.Concat([]string{hardrun, "--user=nobody", "--private-pids"}, view, []string{"--", "/probe"}), 1, 1},
		"a plain user": {asUser(attackerID, hardrun, "--private-tmp=no", "--protect-system=strict", "--private-devices", "--", probe), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tr := traced(t, "-y", x.argv...)
			if tr.code != 0 {
				t.Fatalf("status %d, %q", tr.code, tr.stderr)
			}
			var programs []string
			forks := 0
			for _, c := range wholeTrace(tr.text) {
				switch {
				case c.name == "execve" || c.name == "execveat":
					if c.answer == "0" {
						programs = append(programs, c.name+"("+c.args+")")
					}
				case c.name == "fork", c.name == "vfork", strings.HasPrefix(c.name, "clone") && !strings.Contains(c.args, "CLONE_THREAD"):
					forks++
				case c.name == "io_uring_setup", c.name == "connect":
					t.Errorf("%s(%s)", c.name, c.args)
				}
			}
			programs = slices.DeleteFunc(programs, func(p string) bool { return strings.Contains(p, `"with"`) }) // the preparation
			if len(programs) < 2 || !strings.Contains(programs[0], hardrun) {
				t.Fatalf("%q", programs)
			}
			again := programs[1 : len(programs)-1]
			for _, p := range again {
				if !strings.HasPrefix(p, "execveat(") || !strings.Contains(p, "<"+hardrun+">, \"\"") || !strings.Contains(p, "AT_EMPTY_PATH") {
					t.Errorf("another program: %s", p)
				}
			}
			if !strings.Contains(programs[len(programs)-1], `probe"]`) {
				t.Errorf("the last is not the daemon: %s", programs[len(programs)-1])
			}
			if len(again) > x.execs || forks > x.forks {
				t.Errorf("hardrun was started %d times more, and forked %d times", len(again), forks)
			}
		})
	}
}
