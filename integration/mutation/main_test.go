package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/assurance"
)

func top(t *testing.T) string {
	t.Helper()
	dir, err := assurance.Top()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Whatever is argued is still in the source, once in the table, and with a reason that says something.
func TestArguments(t *testing.T) {
	dir := top(t)
	list, err := argued(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("nothing is argued")
	}
	sources := map[string]*source{}
	seen := map[Mutant]bool{}
	for _, a := range list {
		if seen[a.Mutant] {
			t.Errorf("%s %s, %s is argued twice: %s", a.File, a.Function, a.Type, a.Line)
		}
		seen[a.Mutant] = true
		if len(strings.Fields(a.Reason)) < 4 {
			t.Errorf("%s %s: %q is no reason", a.File, a.Function, a.Reason)
		}
		if sources[a.File] == nil {
			if sources[a.File], err = newSource(filepath.Join(dir, a.File)); err != nil {
				t.Fatal(err)
			}
		}
		if !sources[a.File].has(a.Function, a.Line) {
			t.Errorf("%s %s has no line any more like\n\t%s", a.File, a.Function, a.Line)
		}
	}
}

// The page is what the records and the table say.
func TestDocument(t *testing.T) {
	dir := top(t)
	list, err := argued(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "integration/mutation.sh"))
	if err != nil {
		t.Fatal(err)
	}
	_, packages, _ := strings.Cut(string(text), "\npackages='")
	packages, _, found := strings.Cut(packages, "'")
	if !found {
		t.Fatal("mutation.sh has no list of packages")
	}
	records, err := load(dir, strings.Fields(packages))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, document))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page(records, list) {
		t.Errorf("%s is not what the records and the arguments say: %s -page writes it", document, command)
	}
}

const sample = `package p

type T[K any] struct{ n int }

func (t *T[K]) Less(n int) bool {
	return t.n < n && n <= 9 || n<<2 == 4
}

const bits = 1 << 3

func last() int {
	for i := 0; ; i++ {
		if i > 3 {
			break
		}
	}
	return 1
}
`

// A mutant is told by its function and the text of its line, whatever its number.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "p"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "p/a.go"), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := read("p", `{"elapsed_time": 2.6, "files": [{"file_name": "a.go", "mutations": [
		{"type": "CONDITIONALS_BOUNDARY", "status": "LIVED", "line": 6, "column": 13},
		{"type": "INVERT_LOGICAL", "status": "KILLED", "line": 6, "column": 17},
		{"type": "CONDITIONALS_BOUNDARY", "status": "TIMED OUT", "line": 6, "column": 22},
		{"type": "INVERT_BITWISE", "status": "LIVED", "line": 6, "column": 31},
		{"type": "INVERT_BITWISE", "status": "NOT COVERED", "line": 9, "column": 16},
		{"type": "INCREMENT_DECREMENT", "status": "NOT VIABLE", "line": 12, "column": 17},
		{"type": "INVERT_LOOPCTRL", "status": "LIVED", "line": 14, "column": 4}]}]}`, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Mutant{
		{"p/a.go", "T.Less", "CONDITIONALS_BOUNDARY", "return t.n «<» n && n <= 9 || n<<2 == 4"},
		{"p/a.go", "T.Less", "INVERT_BITWISE", "return t.n < n && n <= 9 || n«<<»2 == 4"},
		{"p/a.go", "last", "INVERT_LOOPCTRL", "«break»"},
	}
	slices.SortFunc(want, Mutant.compare)
	if !slices.Equal(r.Lived, want) {
		t.Errorf("lived are %+v", r.Lived)
	}
	if r.Killed != 1 || r.TimedOut != 1 || r.NotCovered != 1 || r.NotViable != 1 || r.Seconds != 3 || r.covered() != 5 || r.noticed() != 2 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{
		`{"files": [{"file_name": "a.go", "mutations": [{"type": "X", "status": "LIVED", "line": 6, "column": 9}]}]}`,
		`{"files": [{"file_name": "a.go", "mutations": [{"type": "X", "status": "LIVED", "line": 600, "column": 1}]}]}`,
		`{"files": [{"file_name": "a.go", "mutations": [{"type": "X", "status": "FOUND", "line": 6, "column": 13}]}]}`,
		`{"files": [{"file_name": "b.go"}]}`,
		``,
	} {
		if _, err := read("p", bad, dir); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	src, err := newSource(filepath.Join(dir, "p/a.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fn, line string
		want     bool
	}{
		{"T.Less", "return t.n «<» n && n <= 9 || n<<2 == 4", true},
		{"last", "return t.n «<» n && n <= 9 || n<<2 == 4", false},
		{"T.Less", "return t.n «<» n", false},
		{"", "const bits = 1 «<<» 3", true},
	} {
		if got := src.has(c.fn, c.line); got != c.want {
			t.Errorf("%s in %q: %v", c.line, c.fn, got)
		}
	}
}

// An entry without a reason, or without its operator, is refused, and so is what is not argued counted.
func TestParse(t *testing.T) {
	list, err := parse("# text\n\np/a.go T.Less INVERT_LOGICAL\n\ta «&&» b\n\tit is\n\tthe same\n\np/a.go - X\n1 «<<» 3\nno matter\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Argument{
		{Mutant{"p/a.go", "T.Less", "INVERT_LOGICAL", "a «&&» b"}, "it is the same"},
		{Mutant{"p/a.go", "", "X", "1 «<<» 3"}, "no matter"},
	}
	if !slices.Equal(list, want) {
		t.Errorf("%+v", list)
	}
	for _, bad := range []string{"p/a.go f X\na «+» b\n", "p/a.go f X\na + b\nwhy\n", "p/a.go X\na «+» b\nwhy\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	other := Mutant{"p/a.go", "T.Less", "INVERT_LOGICAL", "a «||» b"}
	with, without := split([]Mutant{list[0].Mutant, other}, list)
	if len(with) != 1 || with[0] != list[0] || len(without) != 1 || without[0] != other {
		t.Errorf("%+v, %+v", with, without)
	}
	run := figures([]*Record{{Package: "a", Killed: 95, TimedOut: 2, Lived: []Mutant{list[0].Mutant, other, other}}, {Package: "b"}}, list)
	for i, value := range []string{"97.0 % (97 of 100)", "98.0 % (97 of 99)", "2", "1", "2"} {
		if run.Figures[i].Value != value {
			t.Errorf("%s is %s, want %s", run.Figures[i].Name, run.Figures[i].Value, value)
		}
	}
	if failed := run.Failed(); len(failed) != 1 || failed[0].Name != run.Figures[2].Name {
		t.Errorf("not met are %+v", failed)
	}
}
