package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/hardrun/hardrun/"

// Target is a fuzz target.
type Target struct {
	Package string // below the module: "cmd/hardrun"
	Name    string // "FuzzParse"
	Weight  int    // its share of the time
}

func (t Target) String() string { return t.Package + "." + t.Name }

// weights are those of the targets that get more time than others: they see the whole of something, or what
// they read comes from who may be hostile.
var weights = map[string]int{
	"cmd/hardrun.FuzzUnit":     6,
	"cmd/hardrun.FuzzPlan":     8,
	"unit.FuzzParse":           5,
	"unit.FuzzFinder":          4,
	"policy.FuzzSet":           6,
	"policy.FuzzNormalize":     3,
	"policy.FuzzParseCommands": 2,
	"seccomp.FuzzFilter":       8,
	"ns.FuzzParseELF":          3,
	"ns.FuzzClosure":           4,
	"caps.FuzzPasswd":          2,
	"caps.FuzzGroup":           2,
	"inspect.FuzzParse":        2,
	"exposure.FuzzRead":        2,
}

// pkg is what is read of a package by its sources.
type pkg struct {
	path        string // below the module
	dir         string
	files       []*ast.File
	tests       []*ast.File
	GoFiles     []string
	CgoFiles    []string
	TestGoFiles []string
	ImportPath  string
	Dir         string
}

// packages reads the sources that are built here.
func packages(top string) ([]*pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles,TestGoFiles", "./...")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var list []*pkg
	fset := token.NewFileSet()
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		p.path, p.dir = strings.TrimPrefix(p.ImportPath, module), p.Dir
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles) {
			f, err := parser.ParseFile(fset, filepath.Join(p.dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(name, "_test.go") {
				p.tests = append(p.tests, f)
			} else {
				p.files = append(p.files, f)
			}
		}
		list = append(list, p)
	}
}

// Targets are the fuzz targets of the module, by package and place.
func Targets(top string) ([]Target, error) {
	list, err := packages(top)
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, p := range list {
		for _, name := range p.targets() {
			t := Target{p.path, name, 1}
			if w := weights[t.String()]; w > 0 {
				t.Weight = w
			}
			targets = append(targets, t)
		}
	}
	return targets, nil
}

func (p *pkg) targets() (names []string) {
	for _, f := range p.tests {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Fuzz") {
				names = append(names, d.Name.Name)
			}
		}
	}
	return names
}
