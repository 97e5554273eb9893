//go:build linux

package integration

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/integration/testdir"
	"github.com/hardrun/hardrun/unit"
)

// What units score is systemd-analyze's to say. testdata/exposure.txt has what systemd 262
// gives for the units in testdata/exposure-units.txt, for those of the packages in
// testdata/packages.txt and for the examples; exposure-oracle.sh makes it. The systemd-analyze of the
// machine is asked as well, where there is one.

var updateExposure = flag.Bool("update-exposure", false, "write testdata/exposure.txt from $HARDRUN_ORACLE_ROOT")

// exposureUnit is one that is scored.
type exposureUnit struct {
	name  string // in testdata/exposure.txt
	dir   string // where the file and its drop-ins lie
	file  string
	alone bool // without what is found beside FILE.d
	// What was loaded.
	lines  []exposure.Line
	expand func(string) (string, error)
	failed error
}

// verdict is what a unit gets: the badness of each check, or why there is no score.
type verdict struct {
	tenths  int
	badness string // a character for each check: 0 to 9, a for 10, - where it is not applicable; empty if not loaded
	rows    [81]string
	results [81]exposure.Result // of ours
	err     string
}

func (v *verdict) String() string {
	if v.badness == "" {
		return "- -"
	}
	return strconv.Itoa(v.tenths/10) + "." + strconv.Itoa(v.tenths%10) + " " + v.badness
}

func badnessText(r *exposure.Result) byte {
	switch {
	case r.NotApplicable:
		return '-'
	case r.Badness == 10:
		return 'a'
	}
	return byte('0' + r.Badness)
}

// edgeUnits writes the units of testdata/exposure-units.txt below dir, and lists them.
func edgeUnits(t *testing.T, dir string) []exposureUnit {
	t.Helper()
	var list []exposureUnit
	var name string
	var body strings.Builder
	quoted := false
	end := func() {
		if name == "" {
			return
		}
		text := body.String()
		if quoted {
			var plain strings.Builder
			for line := range strings.Lines(text) {
				s, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
				if err != nil {
					t.Fatalf("%s: %v: %s", name, err, line)
				}
				plain.WriteString(s)
			}
			text = plain.String()
		} else if !strings.HasPrefix(text, "[") && !strings.Contains(name, ".d/") {
			text = "[Service]\nExecStart=/bin/true\n" + text
		}
		write(t, dir+"/"+name, text, 0o644)
		if strings.HasSuffix(name, ".service") {
			list = append(list, exposureUnit{name: "edge/" + strings.TrimSuffix(name, ".service"), dir: path.Dir(dir + "/" + name), file: path.Base(name)})
		}
		name = ""
		body.Reset()
	}
	for line := range strings.Lines(read(t, "testdata/exposure-units.txt")) {
		head, ok := strings.CutPrefix(strings.TrimSuffix(line, " --\n"), "-- ")
		switch {
		case ok:
			end()
			name, quoted = strings.CutSuffix(head, " quoted")
		case strings.HasPrefix(line, "#"):
		default:
			body.WriteString(line)
		}
	}
	end()
	return list
}

// realUnits are those of the packages and of the examples, below dir.
func realUnits(t *testing.T, dir string) (list []exposureUnit) {
	t.Helper()
	if os.Geteuid() != 0 && !exists(corpusCache()) {
		t.Skip("needs the unit files of 150 packages, which root's run of the tests has fetched for itself")
	}
	for _, u := range corpus(t, dir) {
		file := filepath.Join(dir, u.pkg, u.file)
		unit := exposureUnit{name: u.pkg + "/" + path.Base(file), dir: path.Dir(file), file: path.Base(file)}
		unit.name += "#" + unit.sum()
		list = append(list, unit)
	}
	return list
}

// sum stands for what a unit says: that of a package may have changed since it was scored.
func (u *exposureUnit) sum() string {
	all := crc32.NewIEEE()
	if err := u.load(); err == nil {
		for i := range u.lines {
			l := &u.lines[i]
			_, _ = fmt.Fprintf(all, "%q", []string{l.Section, l.Name, l.Value})
		}
	}
	return fmt.Sprintf("%08x", all.Sum32())
}

// shownUnits are the examples, copied below dir.
func shownUnits(t *testing.T, dir string) (list []exposureUnit) {
	t.Helper()
	files, err := filepath.Glob("../examples/*/*.service")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: %v, %d of them", err, len(files))
	}
	for _, file := range files {
		to := dir + "/" + path.Base(path.Dir(file))
		copied(t, file, to+"/"+path.Base(file), 0o644)
		list = append(list, exposureUnit{name: "examples/" + path.Base(file), dir: to, file: path.Base(file)})
	}
	return list
}

// load finds the lines of the unit, once.
func (u *exposureUnit) load() error {
	if u.expand != nil || u.failed != nil {
		return u.failed
	}
	finder := unit.Finder{Path: []string{u.dir}}
	if u.alone {
		finder.Path = []string{"/"}
	}
	loaded, err := finder.Load(u.dir + "/" + strings.Replace(u.file, "@.service", "@test_instance.service", 1))
	if u.failed = err; err != nil {
		return err
	}
	u.expand = loaded.Expander()
	for _, a := range loaded.Assignments {
		u.lines = append(u.lines, exposure.Line{Section: a.Section, Name: a.Name, Value: a.Value, From: a.From})
	}
	return nil
}

// ours is what package exposure says of the unit, with further lines behind its own.
func (u *exposureUnit) ours(t *testing.T, more ...exposure.Line) verdict {
	t.Helper()
	if err := u.load(); err != nil {
		return verdict{err: err.Error()}
	}
	s, _, err := exposure.Read(slices.Concat(u.lines, more), u.expand)
	if err != nil {
		return verdict{err: err.Error()}
	}
	results := s.Results()
	for i := range results {
		r := &results[i]
		if r.Why == "" || strings.HasSuffix(r.Why, ".") && !strings.HasSuffix(r.Why, "...") || r.Badness == 0 && r.Advice != "" {
			t.Errorf("%s: %s: %+v", u.name, exposure.Checks[i].ID, *r)
		}
	}
	return judged(&results)
}

// judged is what the results come to.
func judged(results *[81]exposure.Result) verdict {
	v := verdict{tenths: exposure.Sum(results).Tenths, results: *results}
	badness := make([]byte, len(results))
	for i := range results {
		badness[i] = badnessText(&results[i])
		if row := exposure.Row(i, &results[i], results); row > 0 {
			v.rows[i] = exposure.Score{Tenths: row}.String()
		}
	}
	v.badness = string(badness)
	return v
}

// analyzer is a systemd-analyze.
type analyzer struct {
	argv []string
	env  []string
	root string // before the paths that it knows; empty for the machine's
}

func (a *analyzer) version(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), a.argv[0], append(slices.Clone(a.argv[1:]), "--version")...)
	cmd.Env = append(cmd.Environ(), a.env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	version, _, _ := strings.Cut(string(out), "\n")
	return version
}

// run asks for files of one directory.
func (a *analyzer) run(t *testing.T, dir string, files []string, words ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir = strings.TrimPrefix(dir, a.root)
	argv := append(append(slices.Clone(a.argv), "security", "--offline=yes", "--no-pager"), words...)
	for _, file := range files {
		argv = append(argv, dir+"/"+file)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// Only the drop-ins of that directory are to count.
	cmd.Env = append([]string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "SYSTEMD_EMOJI=1", "SYSTEMD_LOG_LEVEL=err",
		"SYSTEMD_ANALYZE_DEBUG=1", "SYSTEMD_UNIT_PATH=" + dir,
	}, a.env...)
	cmd.Dir = "/"
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) || ctx.Err() != nil {
		t.Fatalf("%v: %v", cmd.Args[:4], err)
	}
	return out.String(), errs.String()
}

var (
	exposureOverall = regexp.MustCompile(`Overall exposure level for (\S+): (\S+) (\S+) (\S+)`)
	exposureFailed  = regexp.MustCompile(`Unit (\S+) (has a bad unit file setting|is masked)`)
)

// says is what the analyzer says of units, by their names. All of one directory are asked
// for at once: it leaves out what it cannot load, and prints the others one behind the other.
func (a *analyzer) says(t *testing.T, units []exposureUnit) map[string]verdict {
	t.Helper()
	all := map[string]verdict{}
	for len(units) > 0 {
		n := 1
		for n < len(units) && units[n].dir == units[0].dir {
			n++
		}
		dir, batch := units[0].dir, units[:n]
		units = units[n:]
		files := make([]string, n)
		for i := range batch {
			files[i] = batch[i].file
		}
		found, failed := a.batch(t, dir, files)
		for i := range batch {
			u := &batch[i]
			name := strings.Replace(u.file, "@.service", "@test_instance.service", 1)
			v, ok := found[name]
			if why, bad := failed[name]; !ok && bad {
				v, ok = verdict{err: why}, true
			}
			if !ok { // another name of a unit, or what would not load in any case, or beside others of the same BusName=
				alone, _ := a.batch(t, dir, files[i:i+1])
				for _, v = range alone {
				}
			}
			all[u.name] = v
		}
	}
	return all
}

func (a *analyzer) batch(t *testing.T, dir string, files []string) (found map[string]verdict, failed map[string]string) {
	t.Helper()
	found, failed = map[string]verdict{}, map[string]string{}
	text, errs := a.run(t, dir, files)
	for _, m := range exposureFailed.FindAllStringSubmatch(errs, -1) {
		failed[m[1]] = m[0]
	}
	out, _ := a.run(t, dir, files, "--json=short")
	rows := json.NewDecoder(strings.NewReader(out))
	for _, m := range exposureOverall.FindAllStringSubmatch(text, -1) {
		tenths, err := strconv.Atoi(strings.Replace(m[2], ".", "", 1))
		if err != nil {
			t.Fatal(err)
		}
		if level := (exposure.Score{Tenths: tenths}).Level(); level.Name != m[3] || level.Face != m[4] {
			t.Errorf("%s: %s is %s, and to us %s", m[1], m[2], m[3:], level)
		}
		v := a.verdict(t, rows)
		v.tenths = tenths
		found[m[1]] = v
	}
	if rows.More() {
		t.Fatalf("%s: more tables than scores", dir)
	}
	return found, failed
}

// verdict reads one table.
func (a *analyzer) verdict(t *testing.T, from *json.Decoder) (v verdict) {
	t.Helper()
	var rows []struct {
		Set                    *bool
		Name                   string
		Field                  string `json:"json_field"`
		Weight, Badness, Range json.Number
		Exposure               *string
	}
	if err := from.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	badness := bytes.Repeat([]byte{'?'}, len(exposure.Checks))
	for _, r := range rows {
		i := exposure.Index(r.Field)
		if i < 0 || exposure.Checks[i].ID != r.Name {
			t.Fatalf("unknown check %s %s", r.Name, r.Field)
		}
		if c := &exposure.Checks[i]; r.Weight.String() != strconv.Itoa(c.Weight) || r.Range.String() != strconv.Itoa(c.Range) {
			t.Fatalf("%s has weight %s and range %s", r.Name, r.Weight, r.Range)
		}
		b, err := strconv.Atoi(r.Badness.String())
		switch {
		case r.Set == nil:
			badness[i] = '-'
		case err != nil || b > 10 || *r.Set != (b == 0):
			t.Fatalf("%s: badness %s", r.Name, r.Badness)
		default:
			badness[i] = badnessText(&exposure.Result{Badness: b})
		}
		if r.Exposure != nil {
			v.rows[i] = *r.Exposure
		}
	}
	v.badness = string(badness)
	if len(rows) != len(badness) || strings.Contains(v.badness, "?") {
		t.Fatalf("%d checks", len(rows))
	}
	return v
}

// recorded reads testdata/exposure.txt.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(read(t, "testdata/exposure.txt")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		what, names, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("exposure.txt: %q", line)
		}
		for _, name := range strings.Fields(names) {
			if _, twice := all[name]; twice {
				t.Errorf("exposure.txt has %s twice", name)
			}
			all[name] = what
		}
	}
	return all
}

func compareRecorded(t *testing.T, units []exposureUnit, known map[string]string, prefix func(name string) bool) {
	t.Helper()
	real := func(name string) bool { return strings.Contains(name, "#") }
	var changed []string
	seen, scored := map[string]bool{}, 0
	for i := range units {
		u := &units[i]
		seen[u.name] = true
		want, ok := known[u.name]
		if !ok && real(u.name) {
			changed = append(changed, u.name)
			continue
		}
		if !ok {
			t.Errorf("%s: systemd was not asked", u.name)
			continue
		}
		v := u.ours(t)
		if v.badness != "" {
			scored++
		}
		if got := v.String(); got != want {
			t.Errorf("%s: %s\n%s", u.name, differ(got, want), v.err)
		}
	}
	for name := range known {
		if prefix(name) && !real(name) && !seen[name] {
			t.Errorf("%s: is in exposure.txt, and nowhere else", name)
		}
	}
	if len(changed) > 0 {
		t.Logf("changed since systemd was asked: %s", strings.Join(changed, " "))
	}
	if len(changed)*10 > len(units) {
		t.Errorf("%d of %d units have changed since systemd was asked: exposure-oracle.sh asks anew", len(changed), len(units))
	}
	t.Logf("%d units, %d of them with a score", len(units), scored)
}

// differ names the checks in which two texts of verdicts differ.
func differ(got, want string) string {
	g, w := strings.Fields(got), strings.Fields(want)
	text := "score " + g[0] + ", and to systemd " + w[0]
	for i := range exposure.Checks {
		if len(g[1]) == 81 && len(w[1]) == 81 && g[1][i] != w[1][i] {
			text += "; " + exposure.Checks[i].ID + " " + g[1][i:i+1] + ", and to systemd " + w[1][i:i+1]
		}
	}
	return text
}

func isEdge(name string) bool    { return strings.HasPrefix(name, "edge/") }
func isExample(name string) bool { return strings.HasPrefix(name, "examples/") }

func TestExposureEdges(t *testing.T) {
	units := edgeUnits(t, directory(t, 0o755))
	compareRecorded(t, units, recorded(t), isEdge)
}

func TestExposureExamples(t *testing.T) {
	compareRecorded(t, shownUnits(t, directory(t, 0o755)), recorded(t), isExample)
}

func TestExposureUnits(t *testing.T) {
	units := realUnits(t, directory(t, 0o755))
	compareRecorded(t, units, recorded(t), func(name string) bool { return !isEdge(name) && !isExample(name) })
}

// TestExposureHere asks the machine's systemd-analyze, or that of the packages which are unpacked for
// the tests, where it is of Debian 12: of what it does otherwise than 262 we know.
func TestExposureHere(t *testing.T) {
	a := analyzer{argv: []string{"systemd-analyze"}}
	if _, err := exec.LookPath(a.argv[0]); err != nil {
		peers, err := filepath.Abs("../bin/peers/daemons/usr")
		if err != nil {
			t.Fatal(err)
		}
		a.argv[0] = peers + "/bin/systemd-analyze"
		if !exists(a.argv[0]) {
			t.Skip("needs systemd-analyze of the package systemd")
		}
		a.env = []string{"LD_LIBRARY_PATH=" + peers + "/lib/systemd:" + peers + "/lib/x86_64-linux-gnu:" + peers + "/lib"}
	}
	if version := a.version(t); !strings.HasPrefix(version, "systemd 252 ") {
		t.Skip("the differences between systemd 262 and " + version + " are not known")
	}
	dir := directory(t, 0o755)
	units := slices.Concat(edgeUnits(t, dir+"/edge"), shownUnits(t, dir+"/examples"), realUnits(t, dir+"/units"))
	theirs := a.says(t, units)
	left := map[string]bool{}
	for _, d := range differs252 {
		for _, name := range strings.Fields(d.units) {
			left["edge/"+name] = true
		}
	}
	same := 0
	for i := range units {
		u := &units[i]
		v := theirs[u.name]
		o := u.ours(t)
		if at := exposure.Index("PrivateMounts="); v.badness != "" && o.badness != "" {
			// To 252 it is on or off, and that it is not set is bad.
			o.results[at].Badness = 1
			if o.results[at].Why == "PrivateMounts= is yes" {
				o.results[at].Badness = 0
			}
			o = judged(&o.results)
		}
		known := left[u.name]
		delete(left, u.name)
		switch {
		case v.String() == o.String() && v.rows == o.rows && known:
			t.Errorf("%s: 252 says what 262 does", u.name)
		case v.String() == o.String() && v.rows == o.rows:
			same++
		case !known:
			t.Errorf("%s: %s\n%s%s", u.name, differ(o.String(), v.String()), o.err, v.err)
		}
	}
	for name := range left {
		t.Errorf("%s: no such unit", name)
	}
	t.Logf("%d of %d units are the same", same, len(units))
}

// differs252 are the edge units to which systemd 252 gives another score than 262, apart from
// PrivateMounts=, and why.
var differs252 = [...]struct{ why, units string }{
	{"PrivateTmp=disconnected is not known", "bool-21 bool-28"},
	{"PrivateMounts= is not reset by an empty value", "mounts-07"},
	{"PrivateUsers= is a boolean", "users-04 users-05 users-06 users-07 users-11 device-97"},
	{"PrivateUsers=managed, which is not known, goes with everything", "managed-01 managed-02 managed-03 managed-04 managed-05 managed-06"},
	{"ProtectControlGroups= is a boolean", "cgroups-04 cgroups-05 cgroups-08"},
	{"ProtectHostname= is a boolean, and not reset by an empty value", "hostname-04 hostname-05 hostname-08 hostname-12 hostname-14 hostname-17 hostname-19 hostname-24 hostname-27 hostname-28"},
	{"a capability in a quote that is not closed is none", "caps-34 caps-59 ambient-17"},
	{"capability 63 is one", "caps-50 ambient-13 ambient-18"},
	{"the set of all capabilities is the initial one, however it came to be", "caps-54 caps-68"},
	{"families behind an unknown one count", "families-24 families-62 families-63 families-74 families-75"},
	{"@mount has no mount_setattr, but all that it has", "member-17 member-26"},
	{"loongarch64 is not known", "archs-36"},
	{"encrypted credentials add a device", "device-88"},
	{"RootMStack= is not known", "device-98 device-125 load-75"},
	{"PrivatePIDs= is not known", "pam-01"},
	{"what is executed may be a directory's . and ..", "load-125 load-126"},
	{"the prefix | is not known", "load-146 command-10 command-34 command-38 command-42 command-43 command-90 command-92"},
	{"what is executed may have characters of patterns", "command-19 command-66 command-67"},
	{"ExecReloadPost= is not known", "command-159 command-161"},
	{"policies for images are not known", "image-11 image-12 image-13 image-15 image-16 image-17 image-23 image-24 image-32 image-35 image-38 image-39"},
	{"these actions are not known", "action-08 action-09 action-10 action-14 action-15 action-16 action-17"},
	{"the instance of a template has another name", "tmpl@"},
}

// TestExposureFileAlone: a file without a load path has the drop-ins in FILE.d, and those of its
// template, as systemd finds them. Of a prefix and of the type it has none: systemd-analyze looks for them beside the file.
func TestExposureFileAlone(t *testing.T) {
	known := recorded(t)
	for _, u := range edgeUnits(t, directory(t, 0o755)) {
		name := strings.TrimPrefix(u.name, "edge/")
		differs := name == "pre-fix-a" || name == "pre-fix-b" || name == "all/typed" || name == "all/other"
		if !differs && !exists(u.dir+"/"+u.file+".d") && !strings.Contains(name, "@") {
			continue
		}
		u.alone = true
		if v := u.ours(t); (v.String() == known[u.name]) == differs {
			t.Errorf("%s: %s", u.name, differ(v.String(), known[u.name]))
		}
	}
}

// TestExposureAdvice: what is advised makes the row better, and with it the score that is
// compared: nothing that is said of a unit can go unnoticed.
func TestExposureAdvice(t *testing.T) {
	dir, known := directory(t, 0o755), recorded(t)
	units := edgeUnits(t, dir+"/edge")
	few := shownUnits(t, dir+"/examples")
	for i := 0; i < len(units); i += 3 {
		few = append(few, units[i])
	}
	changed, good := map[string]int{}, 0
	for i := range few {
		u := &few[i]
		before := u.ours(t)
		if before.badness == "" {
			continue
		}
		if before.String() != known[u.name] {
			t.Fatalf("%s: not as recorded", u.name)
		}
		for n := range before.results {
			r := &before.results[n]
			if r.Advice == "" {
				// What systemd adds to the devices, and what goes with no user, is not to be given up.
				if r.Badness != 0 && exposure.Checks[n].ID != "DeviceAllow=" && before.results[exposure.Index("PrivateUsers=")].Why != "PrivateUsers= is managed" {
					t.Errorf("%s: %s: no advice", u.name, exposure.Checks[n].ID)
				}
				good++
				continue
			}
			name, value, _ := strings.Cut(strings.NewReplacer("=NAME", "=daemon", "=PATH", "=/srv").Replace(r.Advice), "=")
			line := exposure.Line{Section: "Service", Name: name, Value: value}
			after := u.ours(t, line)
			if after.badness == "" || after.results[n].Badness >= r.Badness {
				after = u.ours(t, exposure.Line{Section: "Service", Name: name}, line)
			}
			if after.badness == "" || after.results[n].Badness >= r.Badness {
				t.Errorf("%s: %s: after %s it is as bad: %s\n%s", u.name, exposure.Checks[n].ID, r.Advice, after.String(), after.err)
			}
			if after.String() == known[u.name] {
				t.Errorf("%s: %s goes unnoticed", u.name, r.Advice)
			}
			changed[exposure.Checks[n].ID]++
		}
	}
	if len(changed) != len(exposure.Checks) {
		t.Errorf("only %d checks were made better", len(changed))
	}
	t.Logf("%d units, %d rows were good", len(few), good)
}

// TestExposureUpdate writes testdata/exposure.txt: what the systemd-analyze in
// $HARDRUN_ORACLE_ROOT says.
func TestExposureUpdate(t *testing.T) {
	root := os.Getenv("HARDRUN_ORACLE_ROOT")
	if !*updateExposure || root == "" {
		t.Skip("only exposure-oracle.sh asks for it")
	}
	a := analyzer{argv: []string{"chroot", root, "systemd-analyze"}, root: root}
	version := a.version(t)
	dir, err := os.MkdirTemp(root+"/tmp", "units-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := testdir.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	units := slices.Concat(edgeUnits(t, dir+"/edge"), shownUnits(t, dir+"/examples"), realUnits(t, dir+"/units"))
	by, theirs := map[string][]string{}, a.says(t, units)
	for i := range units {
		u := &units[i]
		v, o := theirs[u.name], u.ours(t)
		by[v.String()] = append(by[v.String()], u.name)
		if v.String() != o.String() {
			t.Errorf("%s: %s\n%s%s", u.name, differ(o.String(), v.String()), o.err, v.err)
		} else if v.rows != o.rows {
			t.Errorf("%s: rows %q, and to systemd %q", u.name, o.rows, v.rows)
		}
	}
	text := "# What " + version + " says of units: the score, the badness of each check in the order of\n" +
		"# exposure.Checks (a is 10, - not applicable), and the units, those of packages with a sum of what\n" +
		"# they say. Those that it does not load have no score.\n" +
		"# Written by exposure-oracle.sh.\n"
	whats := make([]string, 0, len(by))
	for what := range by {
		whats = append(whats, what)
	}
	slices.SortFunc(whats, func(a, b string) int { return cmp.Or(cmp.Compare(by[a][0], by[b][0]), cmp.Compare(a, b)) })
	for _, what := range whats {
		text += what + ": " + strings.Join(by[what], " ") + "\n"
	}
	if err := os.WriteFile("testdata/exposure.txt", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d units asked of %s", len(units), version)
}
