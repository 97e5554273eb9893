//go:build linux

package integration

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/integration/shapes"
)

// loadStarts is how many starts are made at once.
const loadStarts = 200

// loadUnit has what starts share, and what each has for itself; DIR is that of its directories,
// and UNIT its name.
const loadUnit = `[Service]
LimitNOFILE=512:1024
LimitMEMLOCK=64K
DynamicUser=yes
StateDirectory=DIR
RuntimeDirectory=DIR
PrivateMounts=yes
PrivateTmp=yes
SetCredential=key:the credential
LoadCredential=file:/srv/other
KeyringMode=private
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
ExecStart=PROBE
`

// loadKind is one kind of starts.
type loadKind struct {
	name  string
	shape *shapes.Shape
	each  bool // each is an instance, with a name of its own
}

func loadKinds() []loadKind {
	shape := func(file, dir, unit string) *shapes.Shape {
		return &shapes.Shape{
			Name: file, Unit: file, Files: map[string]string{file: strings.ReplaceAll(loadUnit, "DIR", dir)},
			Has:       []string{"no_new_privs: 1", "seccomp: 2", "cap_prm: 0000000000000000", "namespace mnt: own", "env: STATE_DIRECTORY", "env: CREDENTIALS_DIRECTORY"},
			Forbidden: []string{"open:/srv/other:w", "stat:/tmp/marker", "setuid0", "chroot:/", "put:/run/credentials/" + unit + "/key:x"},
			Allowed:   []string{"create:/tmp/mine", "read:/run/credentials/" + unit + "/key", "read:/run/credentials/" + unit + "/file", "list:/var/lib/" + dir},
		}
	}
	return []loadKind{
		{"one unit", shape("load.service", "load", "load.service"), false},
		{"instances", shape("load@.service", "load/%i", "load@%i.service"), true},
	}
}

// loadUID is where the probe has said who it is.
var loadUID = regexp.MustCompile(`"uids": *\[([0-9]+),`)

// loadUser is the name of a user of DynamicUser=, where that of the unit is none.
var loadUser = regexp.MustCompile(`_du[0-9a-f]+`)

// loadSaid is what the daemon of a start has said, with its instance and its uid made those of
// all. The uid must be a dynamic one.
func loadSaid(text string, i int) (said string, uid int, err error) {
	m := loadUID.FindStringSubmatch(text)
	if m == nil {
		return "", 0, fmt.Errorf("the daemon has not said who it is: %.300q", text)
	}
	if uid, err = strconv.Atoi(m[1]); err != nil || uid < 61184 || uid > 65519 {
		return "", 0, fmt.Errorf("the uid %s is none of the dynamic ones: %w", m[1], err)
	}
	text = strings.NewReplacer("load@"+itoa(i)+".", "load@I.", "load/"+itoa(i)+"\"", "load/I\"", "load/"+itoa(i)+" ", "load/I ").Replace(text)
	text = loadUser.ReplaceAllString(text, "_du")
	return regexp.MustCompile(`\b`+m[1]+`\b`).ReplaceAllString(text, "DYNAMIC"), uid, nil
}

// loadSite is where starts of one kind are made.
type loadSite struct {
	loadKind
	dir   string
	w     *witness
	want  *shapes.Report
	files []string // behind one start, by kind, mode and path

	starts, failed, other, residue int
	wall, cpu                      []int // of the starts of the last command, in µs
	problems                       []string
}

func (s *loadSite) problem(n *int, format string, args ...any) {
	*n++
	if len(s.problems) < 12 {
		s.problems = append(s.problems, s.name+": "+fmt.Sprintf(format, args...))
	}
}

// load makes so many starts, so many at a time, and is how long it took.
func (s *loadSite) load(t *testing.T, count, at int) time.Duration {
	t.Helper()
	begun := time.Now()
	frames, err := s.w.do(fmt.Sprintf("load %d %d", count, at))
	took := time.Since(begun)
	if err != nil {
		t.Fatal(err)
	}
	s.wall, s.cpu = nil, nil
	var r witnessed
	for i := 0; len(frames) > 0; i++ {
		if r, frames, err = parseWitness(frames); err != nil {
			t.Fatal(err)
		}
		if r.hang {
			t.Fatalf("%s: no end: %q", s.name, r.left)
		}
		s.starts++
		s.wall = append(s.wall, r.number["wall"])
		s.cpu = append(s.cpu, r.number["cpu"])
		if r.status != 0 || r.err != "" {
			s.problem(&s.failed, "start %d: status %#x, %q", i, uint32(r.status), r.err)
			continue
		}
		said, _, err := loadSaid(r.out, i)
		if err != nil {
			s.problem(&s.other, "start %d: %v", i, err)
			continue
		}
		said = strings.ReplaceAll(said, "DYNAMIC", "65000")
		report, err := (&witnessed{out: said}).report(s.dir)
		if err != nil {
			s.problem(&s.other, "start %d: %v", i, err)
			continue
		}
		if s.want == nil {
			s.want = report
			if lacks := s.shape.Lacks(report); len(lacks) > 0 {
				t.Fatalf("%s: %q", s.name, lacks)
			}
		}
		if d := shapes.Differences(shapes.Point{Shape: s.shape}, s.want, report); len(d) > 0 {
			s.problem(&s.other, "start %d: %q", i, d)
		}
	}
	// What is left stands with the last one.
	var files []string
	for _, l := range r.files {
		p := parseLeft(l)
		files = append(files, fmt.Sprintf("%s %o %s", p.kind, p.mode, p.path))
	}
	slices.Sort(files)
	if s.files == nil {
		s.files = files
	}
	want := s.files
	if s.each {
		want = nil
		for _, l := range s.files {
			if !regexp.MustCompile(`/load/0$`).MatchString(l) {
				want = append(want, l)
				continue
			}
			for i := range count {
				want = append(want, strings.TrimSuffix(l, "0")+itoa(i))
			}
		}
		slices.Sort(want)
	}
	for _, l := range files {
		if _, ok := slices.BinarySearch(want, l); !ok {
			s.problem(&s.residue, "left is %s", l)
		}
	}
	for _, l := range want {
		if _, ok := slices.BinarySearch(files, l); !ok {
			s.problem(&s.residue, "%s is not there", l)
		}
	}
	for _, l := range r.left {
		s.problem(&s.residue, "left is %s", l)
	}
	return took
}

func (s *loadSite) sweep(t *testing.T) {
	t.Helper()
	if _, err := s.w.do("sweep"); err != nil {
		t.Fatal(err)
	}
}

// percentile is the value that so many of a hundred do not pass.
func percentile(list []int, n int) int {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, len(sorted)*n/100)]
}

// Two hundred starts at once are what one alone is: of one unit, and of two hundred instances,
// none fails, each daemon is confined the same, and nothing is left but what one start leaves.
// With -full fifty rounds of each. They are in a PID namespace whose end ends all, and a round
// has two minutes.
//
// With two hundred on a few processors most of the time of a start is waiting for its turn.
// What can be held is that they do not cost each other more than that: the processor time of
// one among two hundred beside that of one alone, the time of one where there are as many as
// processors, and the time of all at once beside all one after another. These are measured, and
// held with -full only.
func TestLoad(t *testing.T) {
	requireRoot(t)
	rounds, alone := 3, 1
	if *wholeMatrix {
		rounds, alone = 50, 70
		if err := assurance.Begin(); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	keys := userKeys(t)
	var starts, failed, other, residue int
	var figures []assurance.Figure
	for _, k := range loadKinds() {
		t.Run(k.name, func(t *testing.T) {
			room := newShapeRoom(t)
			for name := range k.shape.Files {
				write(t, room.dir+"/"+name, k.shape.Text(name), 0o644)
			}
			dir := ""
			if group.Dir != "" {
				dir = placeGroup(t)
			}
			s := &loadSite{loadKind: k, dir: room.dir}
			s.w = newWitness(t, room, dir, 120, "/srv/probe", k.shape.Argv()...)
			var wall, cpu, fewWall, manyCPU []int
			var oneByOne, atOnce time.Duration
			for range alone {
				s.load(t, 1, 1)
				wall, cpu = append(wall, s.wall...), append(cpu, s.cpu...)
			}
			for i := range rounds {
				if i%2 == 0 {
					s.sweep(t) // they make all anew
				}
				atOnce += s.load(t, loadStarts, loadStarts)
				manyCPU = append(manyCPU, s.cpu...)
				if i%5 == 0 && *wholeMatrix {
					oneByOne += s.load(t, loadStarts, 1)
					s.load(t, loadStarts, runtime.NumCPU())
					fewWall = append(fewWall, s.wall...)
				}
			}
			s.w.end(t)
			for _, l := range s.problems {
				t.Error(l)
			}
			starts, failed, other, residue = starts+s.starts, failed+s.failed, other+s.other, residue+s.residue
			if !*wholeMatrix {
				return
			}
			singleWall, singleCPU := percentile(wall, 50), percentile(cpu, 50)
			inTime := float64(percentile(fewWall, 99)) / float64(singleWall)
			inCPU := float64(percentile(manyCPU, 99)) / float64(singleCPU)
			share := atOnce.Seconds() / float64(rounds) / (oneByOne.Seconds() / float64((rounds+4)/5))
			t.Logf("one alone: %d µs, of processor time %d µs; p99 of as many as processors %.1f times that; p99 of processor time of %d at once %.1f times that; all at once %.2f times as long as one after another",
				singleWall, singleCPU, inTime, loadStarts, inCPU, share)
			for _, f := range []struct {
				name  string
				value float64
				goal  float64
			}{
				{"p99 of a start, one for each processor, beside one alone", inTime, 5},
				{"p99 of the processor time of a start among 200, beside one alone", inCPU, 5},
				{"200 at once beside one after another, in time", share, 1},
			} {
				met := f.value < f.goal
				figures = append(figures, assurance.Figure{Name: k.name + ": " + f.name, Value: fmt.Sprintf("%.2f", f.value), Goal: fmt.Sprintf("< %g", f.goal), Met: met})
				if !met {
					t.Errorf("%s: %.2f, want less than %g", f.name, f.value, f.goal)
				}
			}
		})
	}
	keysGone(t, keys)
	t.Logf("%d starts, %d failed, %d differ, %d times something is left", starts, failed, other, residue)
	if !*wholeMatrix {
		return
	}
	record := assurance.Run{
		Name: "load", Title: "Two hundred starts at once", Took: assurance.Span(time.Since(begun)),
		Command: "make build && go test ./integration -count=1 -timeout=1h -run '^TestLoad$' -full",
		Figures: append([]assurance.Figure{
			assurance.Count("starts", starts),
			assurance.Zero("failed", failed),
			assurance.Zero("the daemon is confined otherwise", other),
			assurance.Zero("something was left", residue),
		}, figures...),
		Notes: []string{
			"Fifty rounds of 200 starts at once of one unit, and as many of 200 instances, with a dynamic user, directories, mounts and a /tmp of their own, credentials, a keyring and a filter; " +
				"more one after another and one for each processor. Where 200 share a few processors, a start takes as long as it waits for its turn, so that it is the processor time that is held beside one alone.",
		},
	}
	if err := record.Save(); err != nil {
		t.Error(err)
	}
}
