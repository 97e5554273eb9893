package faults

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/inherited"
	"github.com/hardrun/hardrun/integration/testgroup"
	"golang.org/x/sys/unix"
)

var (
	full   = flag.Bool("full", false, "try every point")
	seed   = flag.Uint64("seed", 0, "which sample to take; 0 for a new one")
	jobs   = flag.Int("jobs", 1, "how many starts at a time, each with one fault and in namespaces of its own")
	count  = flag.Int("points", 650, "how many points a sample has")
	binary = flag.String("hardrun", "", "the hardrun to test; built when empty")
	only   = flag.String("only", "", "try the points that contain this text")
	update = flag.Bool("update", false, "with -full: write doc/faults.md")
	dump   = flag.String("log", "", "write every outcome into this file")
)

func TestMain(m *testing.M) {
	if err := inherited.ResetSignals(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == workerWord {
		if err := Worker(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	// Of the launches of this process each service has a group of its own below this one.
	var err error
	if group, err = testgroup.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := group.Leave(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

var group *testgroup.Group

// needs skips a test that cannot run here.
func needs(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: mount and PID namespaces, and a launcher with capabilities")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace, which injects the faults")
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// site builds hardrun and the probe.
func site(t *testing.T) *Site {
	t.Helper()
	dir, err := os.MkdirTemp("", "hardrun-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, d := range []string{"", "cage", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, d), 0o755); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	// A filter of one instruction, which allows all: BPF_RET, SECCOMP_RET_ALLOW.
	if err := os.WriteFile(filepath.Join(dir, "filter"), []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, 0o644); err != nil {
		t.Fatal(err)
	}
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	probe := filepath.Join(dir, "probe")
	run(t, cc, "-static", "-O2", "-o", probe, "probe.c")
	run(t, "cp", probe, filepath.Join(dir, "cage", "probe"))
	run(t, "cp", probe, filepath.Join(dir, "before"))
	run(t, "cp", probe, filepath.Join(dir, "after"))
	run(t, "chmod", "0755", probe, filepath.Join(dir, "cage", "probe"))
	launcher := *binary
	if launcher == "" {
		launcher = filepath.Join(dir, "hardrun")
		c := exec.Command("go", "build", "-trimpath", "-tags", "osusergo,netgo", "-gcflags", "github.com/hardrun/hardrun/...=-l",
			"-ldflags", `-s -w -linkmode external -extldflags "-static"`, "-o", launcher, "../../cmd/hardrun")
		c.Env = append(os.Environ(), "CC="+cc, "CGO_ENABLED=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return &Site{Dir: dir, Launcher: []string{launcher}, Limit: 30 * time.Second}
}

func worker(t *testing.T) *crew {
	t.Helper()
	w, err := hire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.dismiss(); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	return w
}

// baseline starts a plan without a fault, twice, and holds what the probe prints
// against what was written down.
func baseline(t *testing.T, w *crew, s *Site, p *Plan) (want string, points []Point) {
	t.Helper()
	var names [2][]string
	for i := range names {
		r, err := w.do(&job{Site: *s, Plan: *p})
		if err != nil {
			t.Fatal(err)
		}
		if r.Outcome.Status != 0 || len(r.Outcome.Residue) > 0 {
			t.Fatalf("%s: without a fault: status %d, left %q, said %q\n%s", p.Name, r.Outcome.Status, r.Outcome.Residue, r.Outcome.Lines, r.Outcome.Command)
		}
		if i > 0 && r.Output != want {
			t.Fatalf("%s: two starts without a fault differ: %q", p.Name, diff(want, r.Output))
		}
		want = r.Output
		own, err := before(r.Calls, s.probe(p))
		main, others := lives(r.Calls, s.path("before"), s.path("probe"), s.path("after"))
		if p.Unit == "" {
			others = nil
		}
		if p.Parent {
			own = main
		}
		if err != nil {
			t.Fatalf("%s: %v; said %q", p.Name, err, r.Outcome.Lines)
		}
		for _, c := range own {
			if !c.Done {
				t.Errorf("%s: %s(%s) has no answer in the log", p.Name, c.Name, c.Args)
			}
		}
		names[i] = steady(own)
		if p.Parent { // what it waits for comes when it comes
			names[i] = nil
			for _, calls := range others {
				if started(calls, s.probe(p)) >= 0 {
					names[i] = steady(calls)
				}
			}
		}
		if list := append(Points(p.Name, own), EachPoints(p.Name, others)...); len(list) > len(points) {
			points = list
		}
	}
	if !slices.Equal(names[0], names[1]) {
		t.Errorf("%s: two starts make different calls on the main thread: %d and %d of them", p.Name, len(names[0]), len(names[1]))
	}
	expect(t, s, p, want)
	return want, points
}

// steady are the names of the calls that must be the same in each start. Which
// thread of the Go runtime starts the next one is chance, and the mask of signals
// is changed around that; from the executor on, whose first call blocks all, no
// other thread matters.
func steady(own []*Call) []string {
	first := 0
	for i, c := range own {
		if c.Name == "rt_sigprocmask" && strings.HasPrefix(c.Args, "SIG_SETMASK, ~[], ") {
			first = i
		}
	}
	var names []string
	for i, c := range own {
		if Exempt[c.Name] == "" && (c.Name != "rt_sigprocmask" || i >= first) {
			names = append(names, c.Name)
		}
	}
	return names
}

// expect holds the probe's text against testdata/PLAN.want: line by line; "..."
// at the end of a line stands for what the machine decides. What is mounted, the
// interfaces and the host name are the machine's as well: of those lines only what
// stands behind a "+" there must be among them.
func expect(t *testing.T, s *Site, p *Plan, got string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + p.Name + ".want")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(b), "{dir}", s.Dir), "\n"), "\n")
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	all := slices.Clone(lines)
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "mount: ") || strings.HasPrefix(l, "interfaces:") || strings.HasPrefix(l, "host name: ")
	})
	want = slices.DeleteFunc(want, func(w string) bool {
		w, must := strings.CutPrefix(w, "+")
		if must && !slices.Contains(all, w) {
			t.Fatalf("%s: the probe has no line %q\n%s", p.Name, w, got)
		}
		return must
	})
	for i := range max(len(want), len(lines)) {
		w, g := "(nothing)", "(nothing)"
		if i < len(want) {
			w = want[i]
		}
		if i < len(lines) {
			g = lines[i]
		}
		prefix, open := strings.CutSuffix(w, "...")
		if g != w && (!open || !strings.HasPrefix(g, prefix)) {
			t.Fatalf("%s: line %d of the probe: %q, want %q\n%s", p.Name, i+1, g, w, got)
		}
	}
}

// lane is where one start happens after another. Lanes share nothing: each has
// its own namespaces, files, and text of the probe.
type lane struct {
	site  *Site
	crew  *crew
	wants map[string]string
}

// lanes makes n of them, and the points of all plans.
func lanes(t *testing.T, n int) (list []lane, points []Point) {
	t.Helper()
	first := site(t)
	for i := range n {
		l := lane{first, worker(t), map[string]string{}}
		if i > 0 {
			l.site = first.twin(t)
		}
		for k := range Plans {
			p := &Plans[k]
			if p.Acts && group.Dir == "" {
				t.Logf("%s: not tried: %s", p.Name, group.Why)
				continue
			}
			want, found := baseline(t, l.crew, l.site, p)
			l.wants[p.Name] = want
			if i == 0 {
				t.Logf("%s: %d points", p.Name, len(found))
				points = append(points, found...)
			}
		}
		list = append(list, l)
	}
	return list, points
}

// twin is a copy of a site.
func (s *Site) twin(t *testing.T) *Site {
	t.Helper()
	dir, err := os.MkdirTemp("", "hardrun-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	run(t, "cp", "-a", s.Dir+"/.", dir)
	other := *s
	other.Dir = dir
	return &other
}

// TestMatrix is the matrix: a sample, or with -full every point.
func TestMatrix(t *testing.T) {
	needs(t)
	list, points := lanes(t, *jobs)
	if t.Failed() {
		return
	}
	switch {
	case *only != "":
		points = slices.DeleteFunc(points, func(p Point) bool { return !strings.Contains(p.String(), *only) })
	case !*full:
		if *seed == 0 {
			*seed = rand.Uint64()
		}
		points = sample(points, *count, *seed)
		t.Logf("seed %d: %d points (the same again: -seed=%d; all of them: -full)", *seed, len(points), *seed)
	}
	outcomes := make([]Outcome, len(points))
	errs := make([]error, len(list))
	var next atomic.Int64
	var wait sync.WaitGroup
	for k := range list {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(points) || errs[k] != nil {
					return
				}
				p := &points[i]
				plan := &Plans[slices.IndexFunc(Plans, func(q Plan) bool { return q.Name == p.Plan })]
				r, err := list[k].crew.do(&job{Site: *list[k].site, Plan: *plan, Point: p, Want: list[k].wants[p.Plan]})
				if err != nil {
					errs[k] = fmt.Errorf("%v: %w", p, err)
				}
				outcomes[i] = r.Outcome
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for i := range outcomes {
		o := &outcomes[i]
		fmt.Fprintf(&log, "%s\t%v\tread=%v\tstatus=%d%s\thits=%d\t%s\t%q\tdiff=%q\tleft=%q\n", o.Class, o.Point, o.Point.Read, o.Status, o.Signal, o.Hits, o.Hit, o.Lines, o.Diff, o.Residue)
		if slices.Contains(Bad, o.Class) || o.Class == Crash && Crashes[o.Point.Call] == "" {
			t.Errorf("%s: %v: %s: status %d %s\nsaid %q\nstate %q\n%s", o.Class, o.Point, o.Hit, o.Status, o.Signal, o.Lines, o.Diff, o.Command)
		}
		if len(o.Residue) > 0 {
			t.Errorf("%v: %s left behind %q\n%s", o.Point, o.Class, o.Residue, o.Command)
		}
	}
	if *dump != "" {
		if err := os.WriteFile(*dump, []byte(log.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := Counts(outcomes)["all"]
	t.Logf("\n%s\n%d tried, %d fail-open", Table(outcomes), all.Sum(), all[FailOpen])
	if *only != "" {
		return
	}
	if all[Refused] == 0 || all[Same] == 0 {
		t.Errorf("%d refused and %d the same: the faults do not hit what they are meant to", all[Refused], all[Same])
	}
	if n := all[NotReached]; n > len(points)/20 {
		t.Errorf("%d of %d faults hit nothing", n, len(points))
	}
	if *full && *update {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			t.Fatal(err)
		}
		release := unix.ByteSliceToString(u.Release[:])
		if f := strings.SplitN(release, ".", 3); len(f) == 3 { // what follows is the machine's own
			release = f[0] + "." + f[1]
		}
		kernel := release + " " + runtime.GOARCH
		if err := os.WriteFile("../../doc/faults.md", []byte(Document(outcomes, kernel)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sample takes n points, from as many different (plan, call, fault, mode) as
// there can be, and more of the calls that change something.
func sample(points []Point, n int, seed uint64) []Point {
	r := rand.New(rand.NewPCG(seed, 0))
	buckets := map[string][]Point{}
	var keys []string
	for _, p := range points {
		k := fmt.Sprint(p.Plan, p.Call, p.Fault, p.Mode, p.Read)
		if buckets[k] == nil {
			keys = append(keys, k)
		}
		buckets[k] = append(buckets[k], p)
	}
	var changes, asks []Point
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for round := 0; round < 4; round++ { // of one call no more than four
		for _, k := range keys {
			b := buckets[k]
			if len(b) == 0 {
				continue
			}
			i := r.IntN(len(b))
			p := b[i]
			buckets[k] = slices.Delete(b, i, i+1)
			if p.Read {
				asks = append(asks, p)
			} else {
				changes = append(changes, p)
			}
		}
	}
	few := min(n/5, len(asks))
	return append(changes[:min(n-few, len(changes))], asks[:few]...)
}

// TestSeesAWeakLauncher shows that the matrix finds what it looks for: the same
// machinery, with launchers that are known to be weak.
func TestSeesAWeakLauncher(t *testing.T) {
	needs(t)
	s, w := site(t), worker(t)
	setpriv := Plan{Name: "weak", Options: []string{"--clear-groups", "--no-new-privs"}}
	s.Launcher = []string{"setpriv"}
	r, err := w.do(&job{Site: *s, Plan: setpriv})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome.Status != 0 || !strings.Contains(r.Output, "no_new_privs: 1\n") {
		t.Fatalf("setpriv without a fault: status %d, %q", r.Outcome.Status, r.Output)
	}
	want := r.Output
	for _, c := range []struct {
		launcher []string
		point    Point
		want     Class
		line     string
	}{
		{[]string{"setpriv"}, Point{Call: "prctl", Fault: Lie, Mode: Always, N: 1, Last: 60}, FailOpen, "+no_new_privs: 0"},
		{[]string{"setpriv"}, Point{Call: "setgroups", Fault: Lie, Mode: Once, N: 1, Last: 1}, FailOpen, "+groups: 4 24"},
		{[]string{"setpriv"}, Point{Call: "setgroups", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, Silent, ""}, // no line that starts with "hardrun: "
		{[]string{"setpriv"}, Point{Call: "getcpu", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, NotReached, ""},
		{[]string{"sh", "-c", "cd /; exit 0"}, Point{Call: "chdir", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, Zero, ""},
		{[]string{"sh", "-c", "cd / || kill -SEGV $$"}, Point{Call: "chdir", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, Crash, ""},
		{[]string{"sh", "-c", "cd / || echo hardrun: no >&2; exit 1"}, Point{Call: "chdir", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, Status, ""},
		{[]string{"sh", "-c", "cd / || echo hardrun: no >&2; exit 200"}, Point{Call: "chdir", Fault: "EPERM", Mode: Once, N: 1, Last: 1}, Refused, ""},
	} {
		site, plan := *s, setpriv
		site.Launcher = c.launcher
		if c.launcher[0] == "sh" {
			plan.Options = nil
		}
		r, err := w.do(&job{Site: site, Plan: plan, Point: &c.point, Want: want})
		if err != nil {
			t.Fatal(err)
		}
		o := r.Outcome
		if len(o.Residue) > 0 {
			t.Errorf("%v %v: left %q", c.launcher, c.point, o.Residue)
		}
		if o.Class != c.want || c.line != "" && !slices.Contains(o.Diff, c.line) {
			t.Errorf("%v %v: got %s with %q, want %s with %q; status %d %s, said %q", c.launcher, c.point, o.Class, o.Diff, c.want, c.line, o.Status, o.Signal, o.Lines)
		}
	}
}

// TestSeesResidue shows that a mount and a process that a start leaves behind are
// found, and are gone for the next one.
func TestSeesResidue(t *testing.T) {
	needs(t)
	s, w := site(t), worker(t)
	s.Launcher = []string{"sh", "-c", "mount -t tmpfs tmpfs " + s.path("work") + "; sleep 600 </dev/null >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do :; done; exit 200"}
	for range 2 {
		r, err := w.do(&job{Site: *s, Plan: Plan{Name: "dirty"}, Point: &Point{Call: "getcpu", Fault: Lie, Mode: Once, N: 1, Last: 1}}) // a point: with -f, strace would wait for the process
		if err != nil {
			t.Fatal(err)
		}
		left := r.Outcome.Residue
		if len(left) != 2 || !strings.Contains(left[0], "(sleep)") || !strings.Contains(left[1], s.path("work")) {
			t.Fatalf("left %q, want a process of sleep and a mount at %s", left, s.path("work"))
		}
	}
}
