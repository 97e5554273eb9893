//go:build linux

package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/integration/shapes"
	"golang.org/x/sys/unix"
)

var (
	wholeMatrix    = flag.Bool("full", false, "TestPrivileges, TestKilledAtEachCall, TestLoad: try all, and write what was found")
	privilegesSeed = flag.Uint64("privileges-seed", 0, "TestPrivileges: which sample to take; 0 for a new one")
	privilegesOnly = flag.String("privileges-only", "", "TestPrivileges: try the points that contain this text")
)

// samplePoints is how many of the matrix a run without -full tries.
const samplePoints = 300

// shapeRoom is where shapes are started: what is /srv to them.
type shapeRoom struct{ dir, starter string }

func newShapeRoom(t *testing.T) *shapeRoom {
	t.Helper()
	r := &shapeRoom{directory(t, 0o755), filepath.Join(directory(t, 0o755), "starter")}
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	daemon := filepath.Join(filepath.Dir(r.starter), "daemon")
	for out, source := range map[string]string{r.starter: "starter.c", daemon: "probe.c"} {
		if text, err := exec.Command(cc, "-static", "-O1", "-Wall", "-Wextra", "-Wno-parentheses", "-o", out, "shapes/"+source).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", cc, source, err, text)
		}
	}
	for _, d := range []string{"data", "hidden", "root", "root/proc", "root/sys", "root/dev", "root/run", "root/tmp", "root/var", "root/data", "root/srv"} {
		if err := os.Chmod(mkdir(t, r.dir+"/"+d), 0o755); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	for _, n := range []string{"other", "data/file", "hidden/file", "root/new", "root/srv/other"} {
		write(t, r.dir+"/"+n, "text\n", 0o666)
	}
	for _, n := range []string{"probe", "root/probe"} {
		copied(t, daemon, r.dir+"/"+n, 0o755)
	}
	copied(t, probe, r.dir+"/data/probe", 0o755)
	copied(t, hardrun, r.dir+"/hardrun", 0o755)
	for i := range shapes.List {
		s := &shapes.List[i]
		for name := range s.Files {
			write(t, r.dir+"/"+name, s.Text(name), 0o644)
		}
	}
	for i := range 1 << len(shapes.Capabilities) {
		m := shapes.Subset(i)
		if path := r.dir + "/" + dockerFile(m); !exists(path) {
			write(t, path, string(shapes.DockerFilter(m).Bytes()), 0o644)
		}
	}
	return r
}

// dockerFile is the filter of a subset; there are as many as there are capabilities that
// open calls.
func dockerFile(m shapes.Subset) string {
	return fmt.Sprintf("docker-admin-%v-chroot-%v.bpf", !m.Has("SYS_ADMIN"), !m.Has("SYS_CHROOT"))
}

// run makes one start without these capabilities.
func (r *shapeRoom) run(t *testing.T, missing shapes.Subset, docker bool, argv ...string) result {
	t.Helper()
	filter := "-"
	if docker {
		filter = "/srv/" + dockerFile(missing)
	}
	got := program{argv: append([]string{r.starter, r.dir, fmt.Sprintf("%x", missing.Mask()), filter, "20"}, argv...)}.run(t)
	if got.code == shapes.StarterFault || strings.Contains(got.stderr, "starter: ") {
		t.Fatalf("%q: %s", got.argv, got.stderr)
	}
	return got
}

// start is run, and what the daemon has printed.
func (r *shapeRoom) start(t *testing.T, missing shapes.Subset, docker bool, argv ...string) (*shapes.Report, result) {
	t.Helper()
	got := r.run(t, missing, docker, argv...)
	if got.code == shapes.StarterOver {
		return &shapes.Report{}, got
	}
	report, err := shapes.Parse(got.stdout, r.dir)
	if err != nil {
		t.Fatalf("%q: %v; status %d, %q\n%s", got.argv, err, got.code, got.stderr, got.stdout)
	}
	return report, got
}

// baseline is what the daemon says with all rights.
func (r *shapeRoom) baseline(t *testing.T, s *shapes.Shape) *shapes.Report {
	t.Helper()
	report, got := r.start(t, 0, false, s.Argv()...)
	if got.code != 0 || !report.Started || len(report.Left) > 0 {
		t.Fatalf("%s: with all rights: status %d, %q, left %q", s.Name, got.code, got.stderr, report.Left)
	}
	return report
}

// judge makes a start and finds its class. Where it seems not to be as with all rights,
// what that is is asked again: it is the machine that may have changed.
func (r *shapeRoom) judge(t *testing.T, p shapes.Point, want *shapes.Report) shapes.Outcome {
	t.Helper()
	report, got := r.start(t, p.Missing, p.Docker, p.Shape.Argv()...)
	o := shapes.Judge(p, want, report, got.code, got.stderr)
	if o.Class == shapes.Weaker {
		fresh := r.baseline(t, p.Shape)
		if len(shapes.Differences(shapes.Point{Shape: p.Shape}, want, fresh)) > 0 {
			t.Logf("%s: it is another with all rights than it was", p.Shape.Name)
			report, got = r.start(t, p.Missing, p.Docker, p.Shape.Argv()...)
			o = shapes.Judge(p, fresh, report, got.code, got.stderr)
		}
	}
	return o
}

// The twelve shapes are what they say with all rights: the daemon has what is asked for,
// cannot do what is forbidden, and is the same in a second start. Each act works without
// hardrun, as root.
func TestShapes(t *testing.T) {
	requireRoot(t)
	room := newShapeRoom(t)
	for i := range shapes.List {
		s := &shapes.List[i]
		want := room.baseline(t, s)
		if lacks := s.Lacks(want); len(lacks) > 0 {
			t.Errorf("%s: %q\n%s", s.Name, lacks, strings.Join(want.Lines(), "\n"))
		}
		if d := shapes.Differences(shapes.Point{Shape: s}, want, room.baseline(t, s)); len(d) > 0 {
			t.Errorf("%s: two starts differ: %q", s.Name, d)
		}
	}
	bare := newShapeRoom(t) // the acts leave something
	for i := range shapes.List {
		s := &shapes.List[i]
		var acts []string
		for _, a := range s.Forbidden {
			// In the machine's own root these would be about something else.
			if !strings.HasPrefix(a, "create:/var/") && !strings.HasPrefix(a, "chroot-escape:") && !strings.HasPrefix(a, "put:/run/credentials/") && !strings.HasPrefix(a, "open-many:") {
				acts = append(acts, a)
			}
		}
		report, got := bare.start(t, 0, false, append([]string{"/srv/probe"}, acts...)...)
		if got.code != 0 || len(report.Answers) != len(acts) {
			t.Errorf("%s: without hardrun: status %d, %q", s.Name, got.code, got.stderr)
			continue
		}
		for k, a := range report.Answers {
			if a.Errno != "" {
				t.Errorf("%s: %s: %s without hardrun: that it fails says nothing", s.Name, acts[k], a.Errno)
			}
		}
	}
}

// TestPrivileges takes capabilities away from who starts hardrun: the daemon is as with all
// rights, or a directive that needs them refuses. A sample, or with -full the matrix.
func TestPrivileges(t *testing.T) {
	requireRoot(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the filter of Docker is written for x86-64")
	}
	began := time.Now()
	room := newShapeRoom(t)
	wants := map[string]*shapes.Report{}
	for i := range shapes.List {
		s := &shapes.List[i]
		wants[s.Name] = room.baseline(t, s)
		if lacks := s.Lacks(wants[s.Name]); len(lacks) > 0 {
			t.Fatalf("%s: %q", s.Name, lacks)
		}
	}
	points := shapes.Points()
	switch {
	case *privilegesOnly != "":
		points = slices.DeleteFunc(points, func(p shapes.Point) bool { return !strings.Contains(p.String(), *privilegesOnly) })
	case !*wholeMatrix:
		seed := *privilegesSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		points = points[:samplePoints]
		t.Logf("seed %d: %d points (the same again: -privileges-seed=%d; all of them: -full)", seed, len(points), seed)
	}
	outcomes := make([]shapes.Outcome, len(points))
	workers := 1
	if *wholeMatrix {
		workers = min(2, runtime.NumCPU())
	}
	var next atomic.Int64
	started := t.Run("starts", func(t *testing.T) {
		for w := range workers {
			t.Run(itoa(w), func(t *testing.T) {
				t.Parallel()
				for i := int(next.Add(1) - 1); i < len(points); i = int(next.Add(1) - 1) {
					outcomes[i] = room.judge(t, points[i], wants[points[i].Shape.Name])
				}
			})
		}
	})
	if !started {
		return
	}
	said := map[string]int{}
	for i := range outcomes {
		o := &outcomes[i]
		switch o.Class {
		case shapes.Equal, shapes.Refused:
		default:
			key := string(o.Class) + " " + o.Shape.Name
			if said[key]++; said[key] <= 4 {
				t.Logf("%s: %v: %q", o.Class, o.Point, o.Detail)
			}
		}
	}
	all := shapes.Count(outcomes)["all"]
	t.Logf("\n%s", shapes.Table(outcomes))
	if n := all[shapes.Weaker] + all[shapes.Bad] + all[shapes.Hang]; n > 0 {
		t.Errorf("%d starts were weaker, bad, or without end", n)
	}
	if *privilegesOnly != "" {
		return
	}
	if all[shapes.Equal] == 0 || all[shapes.Refused] == 0 {
		t.Errorf("%d were equal and %d refused: what is taken away does not matter", all[shapes.Equal], all[shapes.Refused])
	}
	if n := all[shapes.Needless]; n*100 > len(points) {
		t.Errorf("%d of %d were refused without need", n, len(points))
	}
	if *wholeMatrix && !t.Failed() {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			t.Fatal(err)
		}
		release := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3) // what follows is the machine's own
		if err := os.WriteFile("../doc/privileges.md", []byte(shapes.Document(outcomes, strings.Join(release[:2], ".")+" "+runtime.GOARCH)), 0o644); err != nil {
			t.Fatal(err)
		}
		record := assurance.Run{
			Name: "privileges", Title: "Every lack of capabilities, plain and under Docker's filter", Page: "privileges.md", Took: assurance.Span(time.Since(began)),
			Command: "make build && go test ./integration -count=1 -timeout=1h -run '^TestPrivileges$' -full",
			Figures: []assurance.Figure{
				assurance.Count("starts", len(points)),
				assurance.Zero("weaker, and ran", all[shapes.Weaker]),
				assurance.Zero("no refusal by name, or a wrong status", all[shapes.Bad]),
				assurance.Zero("without end", all[shapes.Hang]),
				{Name: "refused without need", Value: strconv.Itoa(all[shapes.Needless]), Goal: "≤ 1 %", Met: all[shapes.Needless]*100 <= len(points)},
				assurance.Count("equal", all[shapes.Equal]),
				assurance.Count("refused, by a directive that needs what is missing", all[shapes.Refused]),
			},
		}
		if err := record.Save(); err != nil {
			t.Fatal(err)
		}
	}
}

// The matrix finds what it looks for: a launcher that goes on where it cannot do what it
// is told is weaker, and one that says nothing is bad.
func TestPrivilegesSeesWeakLaunchers(t *testing.T) {
	requireRoot(t)
	setpriv := requireProgram(t, "setpriv", "util-linux")
	room := newShapeRoom(t)
	weak := &shapes.Shape{Name: "weak", Has: []string{"cap_bnd: 0000000000000000"}, Forbidden: []string{"raise:0"}}
	confined := setpriv + " --bounding-set=-all --inh-caps=-all --securebits=+noroot -- "
	for _, c := range []struct {
		launcher string
		class    shapes.Class
	}{
		{"#!/bin/sh\nshift\n" + confined + `"$@" 2>/dev/null || exec "$@"` + "\n", shapes.Weaker},
		{"#!/bin/sh\nshift\nexec " + confined + `"$@"` + "\n", shapes.Bad},
		{"#!/bin/sh\nshift\n" + confined + `"$@" 2>/dev/null && exit` + "\necho hardrun: CapabilityBoundingSet=: no >&2; exit 218\n", shapes.Needless},
	} {
		write(t, room.dir+"/hardrun", c.launcher, 0o755)
		want := room.baseline(t, weak)
		if lacks := weak.Lacks(want); len(lacks) > 0 {
			t.Fatalf("%q: %q", c.launcher, lacks)
		}
		missing := without(t, "SETPCAP")
		if c.class == shapes.Needless { // there is nothing that the directive needs
			write(t, room.dir+"/hardrun", strings.Replace(c.launcher, "--bounding-set", "--no-such-option --bounding-set", 1), 0o755)
			missing = without(t, "MKNOD")
		}
		if o := room.judge(t, shapes.Point{Shape: weak, Missing: missing}, want); o.Class != c.class {
			t.Errorf("%q: %s %q, want %s", c.launcher, o.Class, o.Detail, c.class)
		}
	}
}

// The filter is the profile of Docker on the kernel, too.
func TestDockerFilterHere(t *testing.T) {
	requireRoot(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the filter of Docker is written for x86-64")
	}
	room := newShapeRoom(t)
	acts := []string{"unshare:4000000", "setns", "sethostname:x", "chroot:/", "socket:2", "socket:38", "personality", "key-search:x", "set-time"}
	for _, c := range []struct {
		missing shapes.Subset
		want    string
	}{
		{0, "- - - - - EPERM EPERM EPERM -"},
		{without(t, "SYS_ADMIN"), "EPERM EPERM EPERM - - EPERM EPERM EPERM -"},
		{without(t, "SYS_CHROOT"), "- - - EPERM - EPERM EPERM EPERM -"},
	} {
		report, got := room.start(t, c.missing, true, append([]string{"/srv/probe"}, acts...)...)
		var said []string
		for _, a := range report.Answers {
			said = append(said, cmpOr(a.Errno, "-"))
		}
		equal(t, fmt.Sprintf("without %v: status %d: %q", c.missing, got.code, acts), strings.Join(said, " "), c.want)
	}
}

// What doc/privileges.md says without a run is as it is in the tables.
func TestPrivilegesDocument(t *testing.T) {
	if !strings.HasPrefix(read(t, "../doc/privileges.md"), shapes.Head()+"\n## Figures\n") {
		t.Error("doc/privileges.md is stale: go test ./integration -run 'TestPrivileges$' -full")
	}
}

// without is the subset of these.
func without(t *testing.T, names ...string) (s shapes.Subset) {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(shapes.Capabilities, func(c struct {
			Name   string
			Number int
		},
		) bool {
			return c.Name == name
		})
		if i < 0 {
			t.Fatalf("%s is not among the capabilities", name)
		}
		s |= 1 << i
	}
	return s
}

// Where no device can be made, the small /dev has the host's: root's daemon writes to
// them, and cannot change their mode and owner, which are the host's as well.
func TestDevicesOfHost(t *testing.T) {
	requireRoot(t)
	room := newShapeRoom(t)
	write(t, room.dir+"/nosetattr.bpf", string(errnoFilter(uint32(unix.ENOSYS), sysMountSetattr).Bytes()), 0o644)
	acts := []string{"chmod:/dev/full:666", "chown:/dev/null:0", "open:/dev/null:w", "open:/dev/urandom:w"} // as they are already
	for _, c := range []struct {
		missing shapes.Subset
		argv    []string
		want    []string
	}{
		{0, []string{"/srv/probe"}, []string{"", "", "", ""}},
		{0, []string{"/srv/hardrun", "--private-devices", "--", "/srv/probe"}, []string{"EROFS", "EROFS", "", ""}},
		{without(t, "MKNOD"), []string{"/srv/hardrun", "--private-devices", "--", "/srv/probe"}, []string{"EROFS", "EROFS", "", ""}},
		{without(t, "MKNOD"), []string{"/srv/hardrun", "--seccomp-bpf=/srv/nosetattr.bpf", "--", "/srv/hardrun", "--private-devices", "--", "/srv/probe"}, []string{"EROFS", "EROFS", "", ""}},
	} {
		report, got := room.start(t, c.missing, false, append(c.argv, acts...)...)
		if len(report.Answers) != len(acts) {
			t.Fatalf("%q: status %d, %q", c.argv, got.code, got.stderr)
		}
		for i, a := range report.Answers {
			equal(t, fmt.Sprintf("%q without %v: %s", c.argv, c.missing, acts[i]), a.Errno, c.want[i])
		}
	}
}

// A user namespace fills the bounding set. Root who has not CAP_SYS_ADMIN makes it first,
// and the mounts belong to it: a set-user-ID program would get the right to undo them,
// but for the bounding set, which is what it was.
func TestBoundingSetOfFirstUserNamespace(t *testing.T) {
	requireRoot(t)
	room := newShapeRoom(t)
	copied(t, probe, room.dir+"/set-user-id", 0o4755)
	options := []string{"/srv/hardrun", "--user=nobody", "--private-users", "--private-tmp", "--"}
	umount := []string{"/srv/set-user-id", "try", "umount", "/tmp"}
	for _, c := range []struct {
		missing shapes.Subset
		argv    []string
		want    string
	}{
		{0, umount, `"errno":""`},
		{without(t, "SYS_ADMIN"), umount, `"errno":"EPERM"`},
		{0, slices.Concat(options, umount), `"errno":"EPERM"`}, // the mounts are the host's
		{without(t, "SYS_ADMIN"), slices.Concat(options, umount), `"errno":"EPERM"`},
	} {
		if got := room.run(t, c.missing, false, c.argv...); !strings.Contains(got.stdout, c.want) {
			t.Errorf("%q without %v: %q %q, want %s", c.argv, c.missing, got.stdout, got.stderr, c.want)
		}
	}
	for _, more := range [][]string{nil, {"--capability-bounding-set=CAP_SYS_ADMIN CAP_CHOWN"}, {"--private-devices"}} {
		argv := slices.Concat(options[:len(options)-1], more, []string{"--", "/srv/probe"})
		full, _ := room.start(t, 0, false, argv...)
		less, _ := room.start(t, without(t, "SYS_ADMIN"), false, argv...)
		var f, l uint64
		if _, err := fmt.Sscanf(full.State["cap_bnd"]+" "+less.State["cap_bnd"], "%x %x", &f, &l); err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("%q: bounding set", argv), fmt.Sprintf("%x", l), fmt.Sprintf("%x", f&^(1<<21)))
	}
	// A file system in memory is root's, not its group's.
	report, _ := room.start(t, without(t, "SYS_ADMIN"), false, "/srv/hardrun", "--user=nobody", "--private-users", "--tmpfs=/opt:mode=0070", "--", "/srv/probe", "list:/opt")
	if len(report.Answers) != 1 || report.Answers[0].Errno != "EACCES" {
		t.Errorf("list /opt: %v", report.Answers)
	}
}
