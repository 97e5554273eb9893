package main

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
)

// reads are the functions that take text or bytes apart: by their names.
var reads = regexp.MustCompile(`^(Parse|parse|Read|Split|Unescape|unescape|Unquote|unquote|decode|Lookup|hear)([A-Z0-9]|$)|^(ParseELF|Trees|Eval|Fnmatch|fnmatch|Closure|Expander)$`)

// unfuzzed are the functions of such a name that no target needs to reach, and why.
var unfuzzed = map[string]string{
	"policy.parseWaive": "FuzzSet reaches it: it is set by an init function, as it reads the table that it is in",
}

func TestEachParserIsFuzzed(t *testing.T) {
	top, err := assurance.Top()
	if err != nil {
		t.Fatal(err)
	}
	list, err := packages(top)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	found := 0
	for _, p := range list {
		if strings.HasPrefix(p.path, "integration") || strings.HasSuffix(p.path, "/gen") {
			continue
		}
		// What the targets call themselves or by functions of the tests, and what that leads to in the package.
		called := p.reached(p.tests, p.targets())
		all := p.reached(slices.Concat(p.tests, p.files), p.targets())
		for _, f := range p.files {
			for _, d := range f.Decls {
				d, ok := d.(*ast.FuncDecl)
				if !ok || !reads.MatchString(d.Name.Name) || !readsText(d) {
					continue
				}
				found++
				name, own := p.path+"."+d.Name.Name, d.Name.Name
				if d.Recv != nil {
					own = "." + own
				}
				seen[name] = true
				_, free := unfuzzed[name]
				switch {
				case free && all[own]:
					t.Errorf("%s is reached by a target, and stands among those that need none", name)
				case free:
				case !all[own]:
					t.Errorf("no fuzz target of its package reaches %s", name)
				case d.Name.IsExported() && d.Recv == nil && !called[own]:
					t.Errorf("no fuzz target of its package calls %s", name)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d functions were found", found)
	}
	for name, why := range unfuzzed {
		if !seen[name] || why == "" {
			t.Errorf("the table has %s, which there is not, or no reason", name)
		}
	}
	for name := range weights {
		if !slices.ContainsFunc(list, func(p *pkg) bool {
			target, ok := strings.CutPrefix(name, p.path+".")
			return ok && slices.Contains(p.targets(), target)
		}) {
			t.Errorf("%s has a weight, and is no target", name)
		}
	}
}

// readsText tells whether a function takes text or bytes.
func readsText(d *ast.FuncDecl) bool {
	for _, f := range d.Type.Params.List {
		kind := f.Type
		if a, ok := kind.(*ast.ArrayType); ok {
			kind = a.Elt
		}
		switch k := kind.(type) {
		case *ast.Ident:
			if k.Name == "string" || k.Name == "byte" {
				return true
			}
		case *ast.SelectorExpr:
			if k.Sel.Name == "ReaderAt" {
				return true
			}
		}
	}
	return false
}

// reached are the functions, methods and variables that those of the names use, and what these use. A method that
// is called is followed where one type alone has one of that name: else String would lead to everything.
func (p *pkg) reached(files []*ast.File, from []string) map[string]bool {
	uses := map[string][]string{}
	methods := map[string]int{}
	add := func(name string, n ast.Node) {
		var see func(n ast.Node) bool
		see = func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				uses[name] = append(uses[name], "."+n.Sel.Name)
				ast.Inspect(n.X, see)
				return false
			case *ast.Ident:
				uses[name] = append(uses[name], n.Name)
			}
			return true
		}
		ast.Inspect(n, see)
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = "." + name
					methods[name]++
				}
				if d.Body != nil {
					add(name, d.Body)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.ValueSpec); ok {
						for _, name := range s.Names {
							for _, v := range s.Values {
								add(name.Name, v)
							}
						}
					}
				}
			}
		}
	}
	got := map[string]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !got[name] && methods[name] < 2 {
			got[name] = true
			todo = append(todo, uses[name]...)
		}
	}
	return got
}

func TestShares(t *testing.T) {
	list := []Target{{"a", "FuzzA", 1}, {"a", "FuzzB", 3}}
	for _, c := range []struct {
		total time.Duration
		jobs  int
		want  []time.Duration
	}{
		{40 * time.Second, 1, []time.Duration{10 * time.Second, 30 * time.Second}},
		{40 * time.Second, 2, []time.Duration{20 * time.Second, 40 * time.Second}}, // none takes longer than all
		{40 * time.Second, 9, []time.Duration{20 * time.Second, 40 * time.Second}},
		{time.Second, 1, []time.Duration{least, least}},
	} {
		if got := shares(list, c.total, c.jobs); !slices.Equal(got, c.want) {
			t.Errorf("%s by %d: %s, want %s", c.total, c.jobs, got, c.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	o := outcome{target: Target{"unit", "FuzzParse", 1}, output: `fuzz: elapsed: 3s, execs: 9 (3/sec), new interesting: 1 (total: 5)
fuzz: elapsed: 6s, execs: 1049 (346/sec), new interesting: 2 (total: 14)
--- FAIL: FuzzParse (0.04s)
    Failing input written to testdata/fuzz/FuzzParse/0a1b
    To re-run:
    go test -run=FuzzParse/0a1b
`}
	o.count()
	if o.execs != 1049 || o.fresh != 2 || o.inputs != 14 {
		t.Errorf("%+v", o)
	}
	if got := o.repeat(); got != "go test -run=FuzzParse/0a1b ./unit" {
		t.Errorf("repeated by %s", got)
	}
	o = outcome{target: Target{"unit", "FuzzParse", 1}, output: "panic"}
	o.count()
	if got := o.repeat(); got != "go test -run='^FuzzParse$' ./unit" || o.execs != 0 {
		t.Errorf("repeated by %s, %+v", got, o)
	}
}

// The end of the time is no finding; anything more that is said is one.
func TestEnded(t *testing.T) {
	const lines = "fuzz: elapsed: 0s, gathering baseline coverage: 0/12 completed\nfuzz: elapsed: 6s, execs: 11405 (869/sec), new interesting: 37 (total: 49)\n"
	for output, want := range map[string]bool{
		lines + "--- FAIL: FuzzCallLine (5.53s)\n    context deadline exceeded\nFAIL\nexit status 1\n":                                              true,
		lines + "--- FAIL: FuzzCallLine (5.53s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\nexit status 1\n":         false,
		lines + "--- FAIL: FuzzA (5.53s)\n    --- FAIL: FuzzA (0.00s)\n        a_test.go:5: context deadline exceeded\nFAIL\nexit status 1\n":       false,
		lines + "panic: x\n--- FAIL: FuzzA (5.53s)\n    context deadline exceeded\nFAIL\nexit status 1\n":                                           false,
		lines + "--- FAIL: FuzzA (5.53s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzA/0\nFAIL\nexit status 1\n": false,
		lines + "--- FAIL: FuzzA (5.53s)\n    context deadline exceeded\nFAIL\nsignal: killed\n":                                                    false,
		"--- FAIL: FuzzA (5.53s)\n    context deadline exceeded\nFAIL\nexit status 1\n":                                                             false,
	} {
		if got := (&outcome{output: output}).ended(); got != want {
			t.Errorf("%q: %v, want %v", output, got, want)
		}
	}
}

// What is kept is small.
func TestCorpora(t *testing.T) {
	top, err := assurance.Top()
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := corpora(top); err != nil || n == 0 {
		t.Errorf("%d inputs: %v", n, err)
	}
}

// A target finds in the copy of its directory what it finds in the directory, and what is written there stays there.
func TestShadow(t *testing.T) {
	top, tree := t.TempDir(), t.TempDir()
	for _, file := range []string{"go.mod", "a/b/x.go", "a/b/testdata/y", "a/b/testdata/fuzz/FuzzX/1", "a/b/testdata/fuzz/FuzzY/2", "c/z"} {
		err := os.MkdirAll(filepath.Dir(filepath.Join(top, file)), 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(top, file), []byte(file), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, inputs, err := shadow(top, tree, Target{"a/b", "FuzzX", 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"x.go", "testdata/y", "testdata/fuzz/FuzzX/1", "testdata/fuzz/FuzzY/2", "../../c/z", "../../go.mod"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(filepath.Join(inputs, "3"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(top, "a/b/testdata/fuzz/FuzzX/3")); err == nil {
		t.Error("the copy is the directory itself")
	}
}
