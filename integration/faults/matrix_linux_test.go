package faults

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/integration/inherited"
	"github.com/hardrun/hardrun/integration/shapes"
	"github.com/hardrun/hardrun/integration/testdir"
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
	if built != nil {
		if err := testdir.Remove(built.Dir); err != nil {
			fmt.Fprintln(os.Stderr, "faults:", err)
			code = 1
		}
	}
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
	if runtime.GOARCH != "amd64" {
		t.Skip("the tracer is written for x86-64")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace, which tells what calls there are")
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// room is a directory of a site, which is removed in the end.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hardrun-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := testdir.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// site is a copy of the one that is built for all tests.
func site(t *testing.T) *Site {
	t.Helper()
	if built == nil {
		dir, err := os.MkdirTemp("", "hardrun-faults-")
		if err != nil {
			t.Fatal(err)
		}
		built = &Site{Dir: dir, Launcher: []string{"/srv/hardrun"}, Seconds: 6}
		build(t, built)
	}
	return built.twin(t)
}

var built *Site

// build builds hardrun and what starts it.
func build(t *testing.T, s *Site) {
	t.Helper()
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	for out, source := range map[string]string{"probe": "../shapes/probe.c", "starter": "../shapes/starter.c", "run": "../probe/probe.c", "tracer": "tracer.c"} {
		run(t, cc, "-static", "-O2", "-o", s.path(out), source)
		run(t, "chmod", "0755", s.path(out))
	}
	if *binary != "" {
		run(t, "cp", *binary, s.path("hardrun"))
	} else {
		c := exec.Command("go", "build", "-trimpath", "-tags", "osusergo,netgo", "-gcflags", "github.com/hardrun/hardrun/...=-l",
			"-ldflags", `-s -w -linkmode external -extldflags "-static"`, "-o", s.path("hardrun"), "../../cmd/hardrun")
		c.Env = append(os.Environ(), "CC="+cc, "CGO_ENABLED=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	run(t, "chmod", "0755", s.path("hardrun"))
	if err := s.furnish(); err != nil {
		t.Fatal(err)
	}
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

// base is what is known of a plan by starts without a fault.
type base struct {
	want string
	own  [][]*Call         // of each process
	got  map[Getter]string // what getters have written
}

// baseline starts a plan without a fault, three times, and holds what the daemon prints
// against what the plan asks for.
func baseline(t *testing.T, w *crew, s *Site, p *Plan) (b base) {
	t.Helper()
	var names [][]string
	agree := false
	for i := 0; ; i++ {
		// What is enumerated must be so in two starts; beside load a third may be needed.
		j := job{Site: *s, Plan: *p, Log: true}
		if agree {
			j.Log, j.Record = false, true
		}
		r, err := w.do(&j)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		o := r.Outcome
		if o.Status != 0 || len(o.Residue) > 0 || len(r.Lacks) > 0 || strings.Count(r.Output, "\nend\n") != max(p.Parts, 1) {
			t.Fatalf("%s: without a fault: status %d, left %q, said %q, lacks %q\n%s\n%s", p.Name, o.Status, o.Residue, o.Lines, r.Lacks, o.Command, r.Output)
		}
		if b.want != "" && r.Output != b.want {
			t.Fatalf("%s: two starts without a fault differ: %q", p.Name, diff(b.want, r.Output))
		}
		b.want = r.Output
		if j.Record {
			b.got = gotten(r.Got)
			return b
		}
		b.own, p.Parent = lives(r.Calls)
		var now [][]string
		for k, own := range b.own {
			for _, c := range own {
				if !c.Done && Exempt[c.Name] == "" {
					t.Errorf("%s: %s(%s) of process %d has no answer in the log", p.Name, c.Name, c.Args, k)
				}
			}
			if k == 0 && p.Parent { // what it waits for comes when it comes
				own = nil
			}
			now = append(now, steady(own))
		}
		agree = i > 0 && slices.EqualFunc(names, now, slices.Equal)
		if !agree && i == 4 {
			t.Fatalf("%s: no two starts in a row make the same calls", p.Name)
		}
		names = now
	}
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

// lane is where one start happens after another. Lanes share nothing: each has
// its own namespaces, files, and text of the daemon.
type lane struct {
	site  *Site
	crew  *crew
	wants map[string]string
}

// lanes makes n of them, and the points of all plans.
func lanes(t *testing.T, n int) (list []lane, points []Point, saved int) {
	t.Helper()
	first := site(t)
	for i := range n {
		l := lane{first, nil, map[string]string{}}
		if i > 0 {
			l.site = first.twin(t)
		}
		w, err := hire()
		if err != nil {
			t.Fatal(err)
		}
		l.crew = w
		list = append(list, l)
	}
	t.Cleanup(func() {
		for i := range list {
			if err := list[i].crew.dismiss(); err != nil {
				t.Errorf("worker: %v", err)
			}
		}
	})
	bases := map[string]base{}
	for k := range Plans {
		p := &Plans[k]
		if p.Group && group.Dir == "" {
			t.Logf("%s: not tried: %s", p.Name, group.Why)
			continue
		}
		bases[p.Name] = baseline(t, list[0].crew, list[0].site, p)
		list[0].wants[p.Name] = bases[p.Name].want
		for i := range list[1:] {
			l := &list[i+1]
			r, err := l.crew.do(&job{Site: *l.site, Plan: *p})
			if err != nil || r.Outcome.Status != 0 || len(r.Lacks) > 0 {
				t.Fatalf("%s: status %d, said %q: %v", p.Name, r.Outcome.Status, r.Outcome.Lines, err)
			}
			l.wants[p.Name] = r.Output
		}
	}
	points, saved = all(bases)
	for k := range Plans {
		changes, asks := 0, 0
		for i := range points {
			if points[i].Plan != Plans[k].Name {
				continue
			}
			if points[i].Read {
				asks++
			} else {
				changes++
			}
		}
		t.Logf("%s: %d processes, parent %v: %d points that change, %d that read", Plans[k].Name, len(bases[Plans[k].Name].own), Plans[k].Parent, changes, asks)
	}
	t.Logf("%d points are left out, as the calls are the same in all plans, and are hit in two", saved)
	return list, points, saved
}

// all are the points of all plans. What is the same in all of them, at the beginning of
// hardrun and at that of the processes that it starts, is hit in the first that has it, and in "everything".
func all(bases map[string]base) (points []Point, saved int) {
	var mains, children [][]*Call
	type place struct {
		plan    string
		process int
	}
	var of, ofChildren []place
	for k := range Plans {
		for process, own := range bases[Plans[k].Name].own {
			if process == 0 {
				mains, of = append(mains, own), append(of, place{Plans[k].Name, 0})
			} else {
				children, ofChildren = append(children, own), append(ofChildren, place{Plans[k].Name, process})
			}
		}
	}
	skips := map[place]int{}
	for _, x := range []struct {
		lists [][]*Call
		of    []place
	}{{mains, of}, {children, ofChildren}} {
		if len(x.lists) < 2 {
			continue
		}
		for i, end := range same(x.lists) {
			if i > 0 && x.of[i].plan != "everything" {
				skips[x.of[i]] = end
			}
		}
	}
	for k := range Plans {
		name := Plans[k].Name
		for process, own := range bases[name].own {
			whole := Points(name, process, own, 0, bases[name].got)
			part := Points(name, process, own, skips[place{name, process}], bases[name].got)
			points = append(points, part...)
			saved += len(whole) - len(part)
		}
	}
	return points, saved
}

// twin is a copy of a site.
func (s *Site) twin(t *testing.T) *Site {
	t.Helper()
	dir := room(t)
	run(t, "cp", "-a", s.Dir+"/.", dir)
	other := *s
	other.Dir = dir
	return &other
}

// TestMatrix is the matrix: a sample, or with -full every point.
func TestMatrix(t *testing.T) {
	needs(t)
	begin := time.Now()
	if *full && *update {
		if err := assurance.Begin(); err != nil {
			t.Fatal(err)
		}
	}
	list, points, saved := lanes(t, *jobs)
	if t.Failed() {
		return
	}
	switch {
	case *only != "":
		points = slices.DeleteFunc(points, func(p Point) bool { return !chosen(p.String()) })
		if *count > 0 && len(points) > *count && isSet("points") {
			points = sample(points, *count, *seed)
		}
	case !*full:
		if *seed == 0 {
			*seed = rand.Uint64()
		}
		points = sample(points, *count, *seed)
		t.Logf("seed %d: %d points (the same again: -seed=%d; all of them: -full)", *seed, len(points), *seed)
	}
	var log *os.File
	if *dump != "" {
		var err error
		if log, err = os.Create(*dump); err != nil {
			t.Fatal(err)
		}
	}
	outcomes := make([]Outcome, len(points))
	errs := make([]error, len(list))
	var next, logged atomic.Int64
	var wait sync.WaitGroup
	var mu sync.Mutex
	tried := time.Now()
	for k := range list {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(points) || errs[k] != nil {
					return
				}
				outcomes[i], errs[k] = list[k].try(&points[i])
				if errs[k] != nil {
					return
				}
				if n := logged.Add(1); *full && n%2000 == 0 {
					fmt.Fprintf(os.Stderr, "faults: %d of %d, %.0f a second\n", n, len(points), float64(n)/time.Since(tried).Seconds())
				}
				if log != nil {
					mu.Lock()
					_, err := log.WriteString(outcomes[i].text())
					mu.Unlock()
					if err != nil {
						errs[k] = err
					}
				}
			}
		})
	}
	wait.Wait()
	if log != nil {
		errs = append(errs, log.Close())
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	said := 0
	for i := range outcomes {
		o := &outcomes[i]
		bad := slices.Contains(Bad, o.Class) || o.Class == Crash && !argued(o) || len(o.Residue) > 0
		if said++; bad && said < 200 {
			t.Errorf("%s: %v: %s: status %d %s: %s\nsaid %q\nstate %q, left %q\n%s", o.Class, o.Point, o.Hit, o.Status, o.Signal, o.Why, o.Lines, o.Diff, o.Residue, o.Command)
		} else if bad {
			t.Fail()
		} else {
			said--
		}
	}
	sum := Counts(outcomes)["all"]
	t.Logf("\n%s\n%d tried, %d fail-open; %.1f starts a second", Table(outcomes), sum.Sum(), sum[FailOpen], float64(len(points))/time.Since(tried).Seconds())
	if *only != "" {
		return
	}
	if sum[Refused] == 0 || sum[Same] == 0 {
		t.Errorf("%d refused and %d the same: the faults do not hit what they are meant to", sum[Refused], sum[Same])
	}
	if n := sum[NotReached]; n > len(points)/20 {
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
		if err := os.WriteFile("../../doc/faults.md", []byte(Document(outcomes, kernel, saved)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Record(outcomes, time.Since(begin)).Save(); err != nil {
			t.Fatal(err)
		}
	}
}

// chosen tells whether a point is one of -only: what contains the text, or behind a "^" begins with it.
func chosen(point string) bool {
	head, ok := strings.CutPrefix(*only, "^")
	return ok && strings.HasPrefix(point, head) || !ok && strings.Contains(point, *only)
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// try makes one start. A worker that died is replaced, and the start made again, twice.
func (l *lane) try(p *Point) (Outcome, error) {
	plan := &Plans[slices.IndexFunc(Plans, func(q Plan) bool { return q.Name == p.Plan })]
	for again := 0; ; again++ {
		r, err := l.crew.do(&job{Site: *l.site, Plan: *plan, Point: p, Want: l.wants[p.Plan]})
		if err == nil {
			return r.Outcome, nil
		}
		err = fmt.Errorf("%v: %w", *p, err)
		if again == 2 {
			return r.Outcome, err
		}
		fmt.Fprintln(os.Stderr, "faults: once more:", err)
		l.crew.kill()
		if l.crew, err = hire(); err != nil {
			return r.Outcome, err
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
		k := fmt.Sprint(p.Plan, p.Process, p.Call, p.Fault, p.Mode, p.Read)
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
	weak := Plan{Shape: shapes.Shape{Name: "weak"}}
	path, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv of the package util-linux")
	}
	setpriv := []string{path, "--clear-groups", "--no-new-privs"}
	s.Launcher = setpriv
	r, err := w.do(&job{Site: *s, Plan: weak})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome.Status != 0 || !strings.Contains(r.Output, "\nno_new_privs: 1\n") || !strings.Contains(r.Output, "\ngroups: []\n") {
		t.Fatalf("setpriv without a fault: status %d, %q", r.Outcome.Status, r.Output)
	}
	want := r.Output
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	chdir := Point{Call: "chdir", Fault: "EPERM", Mode: Once, N: 1}
	for _, c := range []struct {
		launcher []string
		point    Point
		want     Class
		line     string
	}{
		{setpriv, Point{Call: "prctl", Fault: Lie, Mode: Always, N: 1}, FailOpen, "+no_new_privs: 0"},
		{setpriv, Point{Call: "setgroups", Fault: Lie, Mode: Once, N: 1}, FailOpen, "+groups: [4,24]"},
		{setpriv, Point{Call: "setgroups", Fault: "EPERM", Mode: Once, N: 1}, Silent, ""}, // no line that starts with "hardrun: "
		{setpriv, Point{Call: "getcpu", Fault: "EPERM", Mode: Once, N: 1}, NotReached, ""},
		{setpriv, Point{Call: "sched_yield", Fault: Lie, Mode: Once, N: 1, With: spec("0", "setgroups", 1, 1, "0")}, FailOpen, "+groups: [4,24]"}, // the second fault of a pair
		{setpriv, Point{Call: "setgroups", Fault: Lie, Mode: Once, N: 1, Process: 1}, NotReached, ""},                                             // there is no such process
		{sh("cd /; exit 0"), chdir, Zero, ""},
		{sh("cd / || kill -SEGV $$"), chdir, Crash, ""},
		{sh("cd / || echo hardrun: User=: chdir: operation not permitted >&2; exit 1"), chdir, Status, ""},
		{sh("cd / || echo hardrun: User=: chdir: operation not permitted >&2; exit 226"), chdir, Status, ""}, // that of another directive
		{sh("cd / || echo hardrun: User=: chdir: operation not permitted >&2; exit 217"), chdir, Refused, ""},
		{sh("cd / || echo hardrun: no >&2; exit 217"), chdir, Nameless, ""},
		{sh("cd / || echo 'hardrun: User=: it cannot be' >&2; exit 217"), chdir, Nameless, ""},
		{sh("cd / || echo 'hardrun: chdir: operation not permitted' >&2; exit 200"), chdir, Status, ""},
		{sh("cd / || while :; do :; done"), chdir, Hang, ""},
	} {
		site := *s
		site.Launcher = c.launcher
		site.Seconds = 1
		r, err := w.do(&job{Site: site, Plan: weak, Point: &c.point, Want: want})
		if err != nil {
			t.Fatal(err)
		}
		o := r.Outcome
		if len(o.Residue) > 0 {
			t.Errorf("%v %v: left %q", c.launcher, c.point, o.Residue)
		}
		if o.Class != c.want || c.line != "" && !slices.Contains(o.Diff, c.line) {
			t.Errorf("%v %v: got %s with %q, want %s with %q; status %d %s, said %q, %s", c.launcher, c.point, o.Class, o.Diff, c.want, c.line, o.Status, o.Signal, o.Lines, o.Why)
		}
	}
}

// TestSeesResidue shows that a mount, a process and a file that a start leaves behind are
// found, and are gone for the next one.
func TestSeesResidue(t *testing.T) {
	needs(t)
	s, w := site(t), worker(t)
	s.Launcher = []string{"/bin/sh", "-c", "mount -t tmpfs tmpfs /srv/hidden; touch /tmp/left; sleep 600 </dev/null >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do :; done; exit 200"}
	for range 2 {
		r, err := w.do(&job{Site: *s, Plan: Plan{Shape: shapes.Shape{Name: "dirty"}}, Point: &Point{Call: "getcpu", Fault: Lie, Mode: Once, N: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if left := r.Outcome.Residue; !slices.Equal(left, []string{"processes: 1", "mounts", "files"}) {
			t.Fatalf("left %q, want a process, a mount and a file", left)
		}
	}
}

// TestDefects makes the starts by which this matrix has found defects.
func TestDefects(t *testing.T) {
	needs(t)
	s, w := site(t), worker(t)
	for _, d := range []struct {
		plan, call, args string // what is in the arguments
		fault            string
		mode             Mode
	}{
		{"denied calls", "seccomp", "{len=", Lie, Pair},                                    // the canary's answer could be known
		{"denied calls", "mount_setattr", "MOUNT_ATTR_RDONLY", Lie, Once},                  // what hides a path was not read back
		{"activated, with credentials", "mount_setattr", "MOUNT_ATTR_RDONLY", Lie, Once},   // nor what covers /run/systemd
		{"private everything", "close", "", Lie, Always},                                   // the daemon got the descriptor of a second start
		{"activated, with credentials", "getdents64", "", Lie, Always},                     // the daemon lost its sockets
		{"dynamic user", "setresgid", "-1, -1, ", "EAGAIN", Once},                          // all threads were killed, without a word
		{"dynamic user", "rt_sigprocmask", "SIG_UNBLOCK, ~[", Lie, Once},                   // the parent never heard of the end
		{"parent", "wait4", "", Lie, Always},                                               // it asked without end
		{"parent", "write", "hardrun: ", Lie, Always},                                      // it said so without end
		{"everything", "wait4", "", "EPERM", Always},                                       // process 1 waited without end
		{"group", "fgetxattr", "", Lie, Always},                                            // a group was made and removed again and again
		{"bounding and securebits", "read", "root:x:0:0", Lie, Once},                       // root had no name
		{"activated, with credentials", "openat", `"other", O_RDONLY|O_NOCTTY`, Lie, Once}, // OpenFile= was the standard input
		{"activated, with credentials", "read", `"text`, Lie, Once},                        // a credential was empty
		{"everything", "newfstatat", `"/run/systemd/system"`, "EPERM", Once},               // it was taken to be there
		{"everything", "close", "3", "ENOMEM", Once},                                       // of what was read it was not named
		{"everything", "fstat", "S_IFSOCK", "EPERM", Once},                                 // another call was named
		{"everything", "fstat", "S_IFREG|0666", Lie, Once},                                 // none was
		{"everything", "read", ", 56", "EPERM", Once},                                      // nor here
	} {
		i := slices.IndexFunc(Plans, func(p Plan) bool { return p.Name == d.plan })
		p := &Plans[i]
		if p.Group && group.Dir == "" {
			continue
		}
		b := baseline(t, w, s, p)
		tried := 0
		for process, own := range b.own {
			for _, point := range Points(p.Name, process, own, 0, b.got) {
				if point.Call != d.call || point.Fault != d.fault || point.Mode != d.mode || d.mode != Always && !strings.Contains(point.Args, d.args) || tried == 6 {
					continue
				}
				tried++
				r, err := w.do(&job{Site: *s, Plan: *p, Point: &point, Want: b.want})
				if err != nil {
					t.Fatal(err)
				}
				if o := r.Outcome; slices.Contains(Bad, o.Class) || o.Class == Crash || len(o.Residue) > 0 {
					t.Errorf("%v: %s: status %d, said %q, state %q, left %q\n%s", point, o.Class, o.Status, o.Lines, o.Diff, o.Residue, o.Command)
				}
			}
		}
		if tried == 0 {
			t.Errorf("%s: there is no %s(%s) any more", d.plan, d.call, d.args)
		}
	}
}

// TestTracerAsStrace shows that the tracer does what strace(1) does: the same faults, injected by the
// one and the other, lead to the same end.
func TestTracerAsStrace(t *testing.T) {
	needs(t)
	s, w := site(t), worker(t)
	p := &Plans[0]
	b := baseline(t, w, s, p)
	points := Points(p.Name, 0, b.own[0], 0, b.got)
	points = slices.DeleteFunc(points, func(p Point) bool { return p.Mode != Once || p.Call == "rt_sigprocmask" })
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range sample(points, 40, 1) {
		what := "error=" + point.Fault
		if point.Fault == Lie {
			what = "retval=0"
		}
		r, err := w.do(&job{Site: *s, Plan: *p, Point: &point, Want: b.want})
		if err != nil {
			t.Fatal(err)
		}
		by := *s
		by.Launcher = append([]string{strace, "-q", "-q", "-o", "/srv/by-strace", "-e", "trace=" + point.Call + ",execve", "-e", "inject=" + point.Call + ":" + what + ":when=" + fmt.Sprint(point.N)}, s.Launcher...)
		o, err := w.do(&job{Site: by, Plan: *p, Want: b.want})
		if err != nil {
			t.Fatal(err)
		}
		if o.Outcome.Status != r.Outcome.Status || o.Output != r.Output || len(o.Outcome.Lines) != len(r.Outcome.Lines) {
			t.Errorf("%v: by the tracer status %d, said %q; by strace %d, said %q: %q", point, r.Outcome.Status, r.Outcome.Lines, o.Outcome.Status, o.Outcome.Lines, diff(r.Output, o.Output))
		}
	}
}
