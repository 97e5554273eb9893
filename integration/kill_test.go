//go:build linux

package integration

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/integration/shapes"
	"github.com/hardrun/hardrun/seccomp"
)

var (
	killSeed = flag.Uint64("kill-seed", 0, "TestKilledAtEachCall: which sample to take; 0 for a new one")
	killOnly = flag.String("kill-only", "", "TestKilledAtEachCall: kill at every point that contains this text")
)

// sampleKills is how many points a run without -full tries.
const sampleKills = 450

// killPlan is a start to be killed.
type killPlan struct {
	shape *shapes.Shape
	group bool     // it needs a control group
	file  string   // of the daemon
	argv  []string // what is started, if it is not what the shape says
}

// killShapes are the twelve, and two more: a view with all that it can have, by options,
// alone and with namespaces of users and processes.
func killShapes() (list []killPlan) {
	for i := range shapes.List {
		s := &shapes.List[i]
		list = append(list, killPlan{shape: s, file: "/srv" + cmp.Or(map[string]string{"/probe": "/root/probe"}[s.Daemon], "/probe")})
	}
	options := append(viewOptions("/srv/view"), "--bind-read-only-paths=/etc/passwd:/data/etc/passwd", "--user=nobody", "--caps=none", "--no-new-privs")
	for _, more := range [][]string{nil, {"--private-users", "--private-pids"}} {
		list = append(list, killPlan{file: "/srv/view/probe", shape: &shapes.Shape{
			Name: strings.Join(append([]string{"view"}, more...), " "), Options: slices.Concat(options, more), Daemon: "/probe",
			Has:       []string{"namespace mnt: own", "root: other", "cap_prm: 0000000000000000", "no_new_privs: 1"},
			Forbidden: []string{"open:/hidden:r", "create:/data/usr/mine", "setuid0"}, Allowed: []string{"read:/data/etc/passwd"},
		}})
	}
	return list
}

// killGroups are those with a control group: without a parent, with one that stays, and with
// one that the namespace of processes needs.
func killGroups() (list []killPlan) {
	for _, x := range []struct {
		name string
		more []string
	}{
		{"control group", nil},
		{"control group, init", []string{"--init", "--kill-mode=mixed"}},
		{"control group, processes", []string{"--private-pids"}},
	} {
		list = append(list, killPlan{group: true, file: "/srv/probe", shape: &shapes.Shape{
			Name: x.name, Options: slices.Concat(placeWays, x.more, []string{"--cgroup=web", "--user=nobody", "--caps=none"}),
			Has:       []string{"uids: [65534,65534,65534,65534]"},
			Forbidden: []string{"open:/dev/kmsg:r", "bind:54"}, Allowed: []string{"open:/dev/zero:r"},
		}})
	}
	return list
}

// killMoment is a moment of a start: before or behind a call of one of its processes.
type killMoment struct {
	proc, nr, n, after int
	first              bool // it is the first process that is killed
}

func (m killMoment) command() string {
	first := 0
	if m.first {
		first = 1
	}
	return fmt.Sprintf("kill %d %d %d %d %d", m.proc, m.nr, m.n, m.after, first)
}

func (m killMoment) String() string {
	name := itoa(m.nr)
	if abis := seccomp.Machine(runtime.GOARCH); abis != nil {
		if c, ok := abis[0].Call(uint32(m.nr)); ok {
			name = c.String()
		}
	}
	side, who := "before", ""
	if m.after == 1 {
		side = "behind"
	}
	if m.first {
		who = ", the first process"
	}
	return fmt.Sprintf("%s %s %d of process %d%s", side, name, m.n, m.proc+1, who)
}

// killSite is where starts of one plan are killed.
type killSite struct {
	killPlan
	room  *shapeRoom
	dir   string // its control group, or ""
	w     *witness
	want  *shapes.Report
	said  string              // on stderr, of a start that is not killed
	after []string            // the files behind it, and
	may   map[string]leftFile // what may be left of one that was killed, by path
}

func (s *killSite) open(t *testing.T) {
	t.Helper()
	argv := s.argv
	if argv == nil {
		argv = s.shape.Argv()
	}
	s.w = newWitness(t, s.room, s.dir, 20, s.file, argv...)
}

// prepare makes a site, and finds the points of a start. Those of the Go runtime differ
// from start to start: all are taken that one of three has.
func (p killPlan) prepare(t *testing.T, room *shapeRoom) (*killSite, []killMoment) {
	t.Helper()
	s := &killSite{killPlan: p, room: room, may: map[string]leftFile{}}
	if group.Dir != "" {
		s.dir = placeGroup(t)
	}
	s.open(t)
	found := map[killMoment]bool{}
	for i := range 3 {
		frames, err := s.w.do("calls")
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := parseWitness(frames)
		if err != nil {
			t.Fatal(err)
		}
		report, err := r.report(room.dir)
		if err != nil {
			t.Fatalf("%s: %v; status %v, %q, left %q", p.shape.Name, err, r.status, r.err, r.left)
		}
		if r.status != 0 || !report.Started || r.number["daemons"] != 1 || len(r.left) > 0 {
			t.Fatalf("%s: status %v, %q, %d daemons, left %q", p.shape.Name, r.status, r.err, r.number["daemons"], r.left)
		}
		if lacks := p.shape.Lacks(report); len(lacks) > 0 {
			t.Fatalf("%s: %q", p.shape.Name, lacks)
		}
		if i == 0 {
			s.want, s.said, s.after = report, r.err, r.files
		} else if d := s.differences(&r, report); len(d) > 0 {
			t.Fatalf("%s: two starts differ: %q", p.shape.Name, d)
		}
		for _, l := range slices.Concat(r.during, r.files) {
			p := parseLeft(l)
			if was, ok := s.may[p.path]; ok && was.kind == p.kind {
				p.mode |= was.mode
				p.size = max(p.size, was.size)
				p.uid, p.gid = max(p.uid, was.uid), max(p.gid, was.gid)
			}
			s.may[p.path] = p
		}
		for _, f := range frames {
			if f.name != "calls" {
				continue
			}
			for l := range strings.Lines(f.text) {
				var m killMoment
				if _, err := fmt.Sscan(l, &m.proc, &m.nr, &m.n, &m.after); err != nil {
					t.Fatalf("%q: %v", l, err)
				}
				found[m] = true
				if m.proc > 0 {
					m.first = true
					found[m] = true
				}
			}
		}
		if _, err := s.w.do("sweep"); err != nil {
			t.Fatal(err)
		}
	}
	points := slices.Collect(maps.Keys(found))
	slices.SortFunc(points, func(a, b killMoment) int {
		return cmp.Or(a.proc-b.proc, a.nr-b.nr, a.n-b.n, a.after-b.after, map[bool]int{true: 1}[a.first]-map[bool]int{true: 1}[b.first])
	})
	return s, points
}

// differences are where a start is not as the first one was.
func (s *killSite) differences(r *witnessed, report *shapes.Report) []string {
	list := shapes.Differences(shapes.Point{Shape: s.shape}, s.want, report)
	if r.err != s.said {
		list = append(list, "said was "+r.err)
	}
	for _, l := range r.files {
		if !slices.Contains(s.after, l) {
			list = append(list, "+ "+l)
		}
	}
	for _, l := range s.after {
		if !slices.Contains(r.files, l) {
			list = append(list, "- "+l)
		}
	}
	return append(list, r.left...)
}

// killCount is what was found.
type killCount struct {
	points, killed, starts, residue, next, ran, status int
	missed                                             []string
	problems                                           []string
}

func (c *killCount) add(o *killCount) {
	c.points += o.points
	c.killed += o.killed
	c.starts += o.starts
	c.residue += o.residue
	c.next += o.next
	c.ran += o.ran
	c.status += o.status
	c.missed = append(c.missed, o.missed...)
	c.problems = append(c.problems, o.problems...)
}

// kill makes a start that is killed at a point, and one behind it.
func (s *killSite) kill(t *testing.T, m killMoment, c *killCount) error {
	t.Helper()
	c.points++
	for range 3 {
		frames, err := s.w.do(m.command())
		if err != nil {
			return err
		}
		c.starts += 2
		r, rest, err := parseWitness(frames)
		if err != nil {
			return err
		}
		problem := func(n *int, format string, args ...any) {
			*n++
			c.problems = append(c.problems, fmt.Sprintf("%s: killed %v: ", s.shape.Name, m)+fmt.Sprintf(format, args...))
		}
		broken := r.hang || slices.ContainsFunc(r.left, func(l string) bool { return strings.HasPrefix(l, "mounts") })
		left, mine := r.left, false
		for _, l := range r.files {
			p := parseLeft(l)
			// What a daemon has made in its directory is there until somebody removes it.
			if r.number["before"] > 0 && p.kind == "-" && strings.HasSuffix(p.path, "/mine") && s.may[filepath.Dir(p.path)].kind == "d" {
				mine = true
			} else if !p.within(s.may[p.path]) {
				left = append(left, l)
			}
		}
		if len(left) > 0 {
			problem(&c.residue, "left are %q", left)
		}
		hit := r.number["hit"] == 1
		if hit {
			c.killed++
			first := m.first || m.proc == 0
			if r.number["before"] == 0 {
				if report, err := r.report(s.room.dir); r.number["behind"] > 0 || err != nil || report.Started {
					problem(&c.ran, "the daemon has run: %.300q", r.out)
				}
				if r.status == 0 {
					problem(&c.status, "status 0, %q", r.err)
				}
			}
			if first && (!r.status.Signaled() || r.status.Signal() != syscall.SIGKILL) {
				problem(&c.status, "the status is %#x, not that of a kill", uint32(r.status))
			}
		}
		if len(rest) > 0 {
			n, _, err := parseWitness(rest)
			if err != nil {
				return err
			}
			report, err := n.report(s.room.dir)
			switch {
			case err != nil || n.status != 0 || n.hang || !report.Started:
				problem(&c.next, "the next start: status %#x, %q, left %q, %v", uint32(n.status), n.err, n.left, err)
			default:
				d := s.differences(&n, report)
				if mine {
					d = slices.DeleteFunc(d, func(l string) bool {
						return strings.HasPrefix(l, "create:") && strings.HasSuffix(l, `/mine: answered -1 "EEXIST", want 0 ""`)
					})
				}
				if len(d) > 0 {
					problem(&c.next, "the next start differs: %q", d)
				}
			}
			broken = broken || n.hang
		}
		if broken {
			_ = s.w.in.Close()
			_ = s.w.cmd.Wait()
			s.open(t)
		} else if _, err := s.w.do("sweep"); err != nil {
			return err
		}
		if hit {
			return nil
		}
	}
	c.missed = append(c.missed, s.shape.Name+": "+m.String())
	return nil
}

// killRooms are rooms with a root for views.
func killRooms(t *testing.T, n int) (rooms []*shapeRoom) {
	t.Helper()
	for range n {
		room := newShapeRoom(t)
		for _, d := range []string{"proc", "sys", "dev", "tmp", "run"} {
			mkdir(t, room.dir+"/view/"+d)
		}
		copied(t, room.dir+"/probe", room.dir+"/view/probe", 0o755)
		write(t, room.dir+"/view/hidden", "", 0o644)
		rooms = append(rooms, room)
	}
	return rooms
}

// kills kills starts of each plan at every point, or at so many of all together.
func kills(t *testing.T, plans []killPlan, sample, workers int) *killCount {
	t.Helper()
	rooms := killRooms(t, workers)
	seed := cmp.Or(*killSeed, rand.Uint64())
	random := rand.New(rand.NewPCG(seed, 0))
	if sample > 0 && *killOnly == "" {
		t.Logf("seed %d (the same again: -kill-seed=%d; every point: -full)", seed, seed)
	}
	total := &killCount{}
	keys := userKeys(t)
	for _, p := range plans {
		if p.group && group.Dir == "" {
			t.Logf("%s: left out: %s", p.shape.Name, group.Why)
			continue
		}
		t.Run(p.shape.Name, func(t *testing.T) {
			begun := time.Now()
			var sites []*killSite
			var points []killMoment
			for _, room := range rooms {
				s, list := p.prepare(t, room)
				sites = append(sites, s)
				if len(list) > len(points) {
					points = list
				}
			}
			all := len(points)
			if *killOnly != "" {
				points = slices.DeleteFunc(points, func(m killMoment) bool { return !strings.Contains(p.shape.Name+": "+m.String(), *killOnly) })
			} else if sample > 0 {
				random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
				points = points[:min(len(points), sample/len(plans))]
			}
			counts := make([]killCount, len(sites))
			errs := make([]error, len(sites))
			var wg sync.WaitGroup
			for i, s := range sites {
				wg.Go(func() {
					for k := i; k < len(points) && errs[i] == nil; k += len(sites) {
						errs[i] = s.kill(t, points[k], &counts[i])
					}
				})
			}
			wg.Wait()
			c := &killCount{}
			for i, s := range sites {
				if errs[i] != nil {
					t.Error(errs[i])
				} else {
					s.w.end(t)
				}
				c.add(&counts[i])
			}
			for i, l := range c.problems {
				if i == 12 {
					t.Errorf("and %d more", len(c.problems)-i)
					break
				}
				t.Error(l)
			}
			t.Logf("%d points, of them %d tried, %d killed, in %.1f s; not come to: %q", all, c.points, c.killed, time.Since(begun).Seconds(), c.missed)
			total.add(c)
		})
	}
	keysGone(t, keys)
	if total.killed*100 < total.points*97 {
		t.Errorf("of %d starts %d were killed", total.points, total.killed)
	}
	return total
}

// seesLeft holds that a witness sees what a start leaves, and what a kill does to it.
func seesLeft(t *testing.T) {
	t.Helper()
	room := killRooms(t, 1)[0]
	dir, script := "", "mount -t tmpfs left /mnt; mkdir /run/left; echo x >/srv/left; ipcmk -M 4096 >&2; sleep 1000 & :"
	want := []string{"mounts", "ipc", "hang", "processes", "/run/left", "/srv/left"}
	if group.Dir != "" {
		dir = placeGroup(t)
		script = "mkdir " + dir + "/left; " + script
		want = append(want, dir+"/left")
	}
	w := newWitness(t, room, dir, 2, "/srv/probe", "/bin/sh", "-c", script)
	frames, err := w.do(killMoment{nr: syscall.SYS_EXIT_GROUP, n: 1}.command())
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := parseWitness(frames)
	if err != nil {
		t.Fatal(err)
	}
	seen := strings.Join(append(slices.Clone(r.left), r.files...), "\n")
	if r.hang {
		seen += "\nhang"
	}
	for _, what := range want {
		if !strings.Contains(seen, what) {
			t.Errorf("%s: what was left were not seen: %s", what, seen)
		}
	}
	if err := os.Remove(room.dir + "/left"); err != nil {
		t.Error(err)
	}
	// A daemon that outlives its launcher is seen, a start that cannot be repeated, and a
	// launcher which ends with 0.
	for _, x := range []struct {
		script, at string
		seen       func(c *killCount) int
	}{
		{"/srv/probe & wait $!", "fork |clone", func(c *killCount) int { return c.ran }},
		{"mkdir /run/left && exec /srv/probe", "mkdir", func(c *killCount) int { return c.next }},
		{"/bin/true; /srv/probe; exit 0", "close 1 of process 2", func(c *killCount) int { return c.status }},
	} {
		s, points := killPlan{shape: &shapes.Shape{Name: "script"}, file: "/srv/probe", argv: []string{"/bin/sh", "-c", x.script}}.prepare(t, room)
		c := &killCount{}
		for _, m := range points {
			if !regexp.MustCompile(x.at).MatchString(m.String()) {
				continue
			}
			if err := s.kill(t, m, c); err != nil {
				t.Fatal(err)
			}
		}
		s.w.end(t)
		if x.seen(c) == 0 {
			t.Errorf("%q: at %d points, at which %d were killed, what it does were not seen: %q", x.script, c.points, c.killed, c.problems)
		}
	}
}

// A launch that is killed, before or behind any of its calls, leaves nothing but what may be
// there after a whole one: no mount, process, key, object of IPC, control group or file, but
// for the directories that the unit names and the empty places of mounts that an option
// names; and the next one starts, takes these as they are, and is as if there had been none
// before it. A sample, or with -full every point of all plans.
//
// A network namespace has no name: it is there as long as a process, a descriptor or a mount
// of it, and these are seen.
func TestKilledAtEachCall(t *testing.T) {
	requireRoot(t)
	seesLeft(t)
	if !*wholeMatrix {
		kills(t, killShapes(), sampleKills, 1)
		return
	}
	if err := assurance.Begin(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	c := kills(t, append(killShapes(), killGroups()...), 0, 2*runtime.NumCPU()) // most of a start with namespaces is waiting for the kernel
	if *killOnly != "" {
		return
	}
	record := assurance.Run{
		Name: "kill", Title: "SIGKILL before and behind every system call", Took: assurance.Span(time.Since(begun)),
		Command: "make build && go test ./integration -count=1 -timeout=4h -run '^TestKilledAtEachCall$' -full",
		Figures: []assurance.Figure{
			assurance.Count("starts", c.starts),
			assurance.Count("moments", c.points),
			assurance.Count("of them killed at", c.killed),
			assurance.Zero("something was left", c.residue),
			assurance.Zero("the daemon ran all the same", c.ran),
			assurance.Zero("status that says nothing of it", c.status),
			assurance.Zero("the next start failed or was another", c.next),
		},
		Notes: []string{
			"The twelve shapes of [privileges.md](privileges.md), a view with all that it can have, and plans with a control group. A moment is before or behind one call of one process " +
				"of the launch, its threads and the parent that stays included; killed is that process, or the first one. Calls of the Go runtime differ from start to start, so that " +
				"some moments do not come in three starts. What is looked at: mounts, files below /run, /tmp, /var, /home and the unit's own, processes, control groups, keys, objects of IPC, descriptors.",
		},
	}
	if err := record.Save(); err != nil {
		t.Error(err)
	}
}

// The same with a control group: what may be left of it is one that is empty, which the next
// start takes.
func TestCGroupKilledAtEachCall(t *testing.T) {
	requireGroup(t)
	kills(t, killGroups(), sampleKills/5, 1)
}
