package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bodies are the texts of all tests in a directory.
func bodies(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests: %v", dir, err)
	}
	texts := map[string]string{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Body != nil && strings.HasPrefix(f.Name.Name, "Test") {
				texts[f.Name.Name] = string(source[set.Position(f.Pos()).Offset:set.Position(f.End()).Offset])
			}
		}
	}
	return texts
}

// Every number is there once, and every test that is named.
func TestTable(t *testing.T) {
	const last = 86
	if len(attacks) != last {
		t.Errorf("%d attacks, want %d", len(attacks), last)
	}
	tests := map[string]map[string]string{}
	for dir := range byPackage() {
		tests[dir] = bodies(t, dir)
	}
	for i, a := range attacks {
		if want := fmt.Sprintf("A%02d", i+1); a.id != want {
			t.Errorf("%s stands in the place of %s", a.id, want)
		}
		if len(a.tests) == 0 {
			t.Errorf("%s has no test", a.id)
		}
		if a.what == "" || a.seen == "" || !strings.HasSuffix(a.what, ".") || strings.ContainsAny(a.what+a.seen+a.here, "|\n") {
			t.Errorf("%s: %q, %q, %q", a.id, a.what, a.seen, a.here)
		}
		if a.shown == "" && a.here == "" {
			t.Errorf("%s is not shown at work, and nothing says why", a.id)
		}
		found := a.shown == ""
		for _, name := range a.tests {
			dir, name, _ := strings.Cut(name, " ")
			body, ok := tests[dir][name]
			if !ok {
				t.Errorf("%s: there is no %s in %s", a.id, name, dir)
			}
			if name != a.shown {
				continue
			}
			found = true
			// The least that a test has which fails where the attack does not work.
			if how, ok := showsOtherwise[name]; ok && !strings.Contains(body, how) || !ok && !shows.MatchString(body) {
				t.Errorf("%s: %s does not look as if it showed the attack without hardrun", a.id, name)
			}
		}
		if !found {
			t.Errorf("%s: %s is none of its tests", a.id, a.shown)
		}
	}
}

var shows = regexp.MustCompile(`atWork\(|does not work|without hardrun|without", |allowed\(t, runs\(`)

// showsOtherwise is what is in tests that show it in other words.
var showsOtherwise = map[string]string{
	"TestA30VirtualConsole": `ask() != ok`,
	"TestA62EveryThread":    `"-54\n0\n0\n"`,
	"TestNoCoreMidway":      `"killed by SIGABRT (core dumped)"`,
	"TestKilledAtEachCall":  `seesLeft(t)`,
}

// A test that is called by a number stands there.
func TestNumbersInNames(t *testing.T) {
	numbers := regexp.MustCompile(`^Test((?:A[0-9]{2})+)[A-Z]`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if d.Name() == ".git" {
			return fs.SkipDir
		}
		if files, err := filepath.Glob(filepath.Join(path, "*_test.go")); err != nil || len(files) == 0 {
			return err
		}
		dir, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		for name := range bodies(t, dir) {
			m := numbers.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			for id := range strings.SplitSeq(m[1][1:], "A") {
				i := slices.IndexFunc(attacks, func(a attack) bool { return a.id == "A"+id })
				if i < 0 || !slices.Contains(attacks[i].tests, dir+" "+name) {
					t.Errorf("%s of %s is not among the tests of A%s", name, dir, id)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The page says what the table says: go run ./integration/attackdoc.
func TestPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	run, results := lastRun(string(text))
	if want := render(run, results); string(text) != want {
		t.Error(page + " is stale: go run ./integration/attackdoc")
	}
	for _, a := range attacks {
		verdict, _, _ := strings.Cut(results[a.id], ":")
		if !slices.Contains([]string{"passed", "failed", "skipped", "not run"}, verdict) {
			t.Errorf("%s: the result is %q", a.id, results[a.id])
		}
	}
}

func TestReadLog(t *testing.T) {
	log := `=== RUN   TestOne
=== RUN   TestOne/sub
    --- PASS: TestOne/sub (0.00s)
--- PASS: TestOne (0.01s)
=== RUN   TestTwo
=== PAUSE TestTwo
=== RUN   TestThree
    some_test.go:12: needs a | kernel
--- SKIP: TestThree (0.00s)
=== CONT  TestTwo
    some_test.go:13: got 1
--- FAIL: TestTwo (0.00s)
FAIL
FAIL	` + module + `caps	0.1s
=== RUN   TestOne
--- PASS: TestOne (0.01s)
PASS
ok  	` + module + `ns	0.1s
=== RUN   TestCut
--- PASS: TestCut (0.01s)
`
	got := readLog(log)
	want := map[string]outcome{"caps TestOne": {"PASS", ""}, "caps TestTwo": {"FAIL", "got 1"}, "caps TestThree": {"SKIP", "needs a | kernel"}, "ns TestOne": {"PASS", ""}}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, o := range want {
		if got[name] != o {
			t.Errorf("%s: got %v, want %v", name, got[name], o)
		}
	}
	for _, x := range []struct {
		tests []string
		want  string
	}{
		{in("caps", "TestOne"), "passed"},
		{in("caps", "TestOne", "TestTwo", "TestThree"), "failed: TestTwo"},
		{in("caps", "TestOne", "TestThree"), "skipped: TestThree needs a / kernel"},
		{join(in("caps", "TestThree"), in("ns", "TestCut")), "not run: TestCut"}, // its package never ended
	} {
		if r := (&attack{tests: x.tests}).result(got); r != x.want {
			t.Errorf("%v: got %q, want %q", x.tests, r, x.want)
		}
	}
}

// What is read from a page is what was written there.
func TestLastRun(t *testing.T) {
	results := map[string]string{}
	for i, a := range attacks {
		results[a.id] = []string{"passed", "failed: TestX, TestY", "skipped: TestX needs a kernel: new", "not run: TestX"}[i%4]
	}
	text := render("on Linux 6.1, amd64", results)
	run, read := lastRun(text)
	if run != "on Linux 6.1, amd64" || render(run, read) != text {
		t.Errorf("%q, %v", run, read)
	}
	if !strings.Contains(text, ": 22 passed, 22 failed, 21 skipped in part or whole, 21 not run.") {
		t.Error(text[:1000])
	}
}
