//go:build linux

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// killing is a shell that watches over a start in a PID namespace of its own, with
// mounts that are shared, as a host's are: what is there before and after it.
const killing = `
	work=$1; shift
	mount --make-rshared /
	mount -t tmpfs tmpfs /run # as that of the host is others', too
	ls -AR /run > $work/run.before
	cat /proc/self/mountinfo > $work/before
	timeout -s KILL 60 "$@" > $work/out 2> $work/err || :
	n=0
	while set -- /proc/[0-9]*; [ $# -gt 1 ] && [ $n -lt 20000 ]; do n=$((n+1)); done
	[ $# -eq 1 ] || for p; do readlink $p/exe; done > $work/left
	cat /proc/self/mountinfo > $work/after
	ls -AR /run > $work/run.after`

// killed runs argv that way, and is what is different afterwards.
func killed(t *testing.T, argv ...string) (work string, different []string) {
	t.Helper()
	work = directory(t, 0o755)
	line := slices.Concat([]string{
		"unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--propagation=private", "--", "sh", "-euc", killing, "sh", work,
	}, argv)
	if r := runs(t, line...); r.code != 0 {
		t.Fatalf("%q: status %d, %q", argv, r.code, r.stderr)
	}
	if read(t, work+"/before") != read(t, work+"/after") {
		different = append(different, "mounts")
	}
	if read(t, work+"/run.before") != read(t, work+"/run.after") {
		different = append(different, "/run")
	}
	if exists(work + "/left") {
		different = append(different, "processes: "+read(t, work+"/left"))
	}
	return work, different
}

// A launch that is killed, before or behind any of its calls, leaves nothing: no
// mount, process or file, but for the empty places of mounts that an option names;
// and the next one starts, and takes these as they are.
func TestKilledAtEachCall(t *testing.T) {
	requireRoot(t)
	strace := requireProgram(t, "strace", "strace")
	// The watch sees what it is to see.
	_, different := killed(t, "sh", "-c", `mount -t tmpfs tmpfs /mnt; mkdir /run/x; sleep 1000 & kill -KILL $$`)
	if len(different) != 3 || different[0] != "mounts" || different[1] != "/run" || !strings.HasPrefix(different[2], "processes") {
		t.Fatalf("a mount, a directory and a process that were left were not seen: %q", different)
	}
	view := func(root string) []string {
		return append(viewOptions(root), "--bind-read-only-paths=/etc/passwd:/data/etc/passwd", "--user=nobody", "--caps=none", "--no-new-privs")
	}
	for _, x := range []struct {
		name   string
		more   []string
		sample int
	}{
		{"view", nil, 90},
		{"namespaces of users and processes", []string{"--private-users", "--private-pids"}, 50},
	} {
		t.Run(x.name, func(t *testing.T) {
			start := func(root string) []string {
				return slices.Concat([]string{hardrun}, view(root), x.more, []string{"--", "/cat", "/proc/self/mountinfo", "/data/etc/passwd"})
			}
			root := viewRoot(t)
			complete := traced(t, "", start(root)...)
			if complete.code != 0 {
				t.Fatalf("status %d, %q", complete.code, complete.stderr)
			}
			whole := placesIn(t, root)
			points := killPoints(complete.text)
			step := max(1, len(points)/(x.sample**attacks))
			hit := 0
			for i := 0; i < len(points); i += step {
				p := points[i]
				root := viewRoot(t)
				work, different := killed(t, slices.Concat([]string{
					strace, "-f", "-q", "-o", "/dev/stderr", "-e", "trace=execve," + p.name, "-e", "inject=" + p.name + ":signal=KILL:when=" + itoa(p.n), "--",
				}, start(root))...)
				if len(different) > 0 {
					t.Errorf("killed at %s, the %d.: changed are %q", p.name, p.n, different)
				}
				log := read(t, work+"/err")
				if strings.Contains(log, "killed by SIGKILL") && !strings.Contains(log, late) {
					hit++
					if out := read(t, work+"/out"); out != "" {
						t.Errorf("killed at %s, the %d.: the daemon has run: %.100s", p.name, p.n, out)
					}
				}
				for path, kind := range placesIn(t, root) {
					if whole[path] != kind {
						t.Errorf("killed at %s, the %d.: left is %s %s", p.name, p.n, path, kind)
					}
				}
				if i%3 == 0 {
					r := runs(t, start(root)...)
					if text, ok := attackText(r, "/data/etc/passwd"); r.code != 0 || !ok || text != read(t, "/etc/passwd") {
						t.Errorf("after one that was killed at %s, the %d.: status %d, %q", p.name, p.n, r.code, r.stderr)
					}
				}
				if err := os.RemoveAll(root); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d calls, of them %d tried, %d killed", len(points), (len(points)+step-1)/step, hit)
			if tried := (len(points) + step - 1) / step; hit < tried*9/10 || tried < 30 {
				t.Errorf("of %d launches %d were killed", tried, hit)
			}
		})
	}
}

// late is a kill that came when the daemon was there already: threads of the runtime
// take calls from each other.
const late = `execve("/cat", `

// placesIn are the files of a root, and what they are.
func placesIn(t *testing.T, root string) map[string]string {
	t.Helper()
	places := map[string]string{}
	for l := range strings.Lines(attackTree(t, root)) {
		path, rest, _ := strings.Cut(strings.TrimPrefix(l, root), " ")
		kind := strings.Fields(rest)
		places[path] = kind[0]
		if kind[0][0] == '-' {
			places[path] += " of " + kind[4] + " bytes"
		}
	}
	return places
}

type killPoint struct {
	name string
	n    int // the how many-th of its name, of its thread
}

// killPoints are the calls of the processes that become the daemon, or its parent,
// from the first namespace on. Those of the Go runtime differ from start to start.
func killPoints(text string) []killPoint {
	runtime := []string{
		"futex", "madvise", "mmap", "munmap", "mprotect", "nanosleep", "sched_yield", "epoll_pwait", "epoll_ctl", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "gettid",
		"clone", "clone3", "fork", "vfork", "execve", "execveat", "tgkill", "getpid", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "exit", "exit_group", "restart_syscall", "wait4", "waitid",
	}
	var points []killPoint
	seen := map[killPoint]bool{}
	count := map[string]int{}
	begun := false
	for _, c := range wholeTrace(text) {
		count[c.pid+" "+c.name]++
		begun = begun || c.name == "unshare" || strings.HasPrefix(c.name, "clone") && strings.Contains(c.args, "CLONE_NEW")
		p := killPoint{c.name, count[c.pid+" "+c.name]}
		if begun && !slices.Contains(runtime, c.name) && !seen[p] {
			seen[p] = true
			points = append(points, p)
		}
	}
	return points
}
