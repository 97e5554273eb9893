// Mutation keeps what a public mutation tool has found in the packages that decide, and makes doc/mutation.md of it:
// integration/mutation.sh runs the tool, and then this. A mutant that lives is argued in argued.txt, or it is a test that
// is missing.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
)

const (
	results  = "integration/mutation/results"
	table    = "integration/mutation/argued.txt"
	document = "doc/mutation.md"
	command  = "sh integration/mutation.sh"
)

// Mutant is one that was not killed.
type Mutant struct {
	File     string // from the top of the tree
	Function string // "Set.Has"; "" for one in a declaration
	Type     string // the tool's word for it: "CONDITIONALS_BOUNDARY"
	Line     string // of the source, without the blanks around it, with the operator that was changed between « and »
}

func (m Mutant) compare(other Mutant) int {
	return cmp.Or(cmp.Compare(m.File, other.File), cmp.Compare(m.Function, other.Function),
		cmp.Compare(m.Line, other.Line), cmp.Compare(m.Type, other.Type))
}

// Record is what was found in one package.
type Record struct {
	Package    string
	Tool       string   // and its version: "gremlins v0.6.0"
	LeftOut    string   // the files that were not mutated, as a regular expression, or ""
	Skipped    string   // the tests that did not judge, likewise
	Killed     int      // a test failed
	TimedOut   int      // a test did not end: no mutant of an endless loop passes
	NotViable  int      // not compiled
	NotCovered int      // no test runs it; what is no statement, as a constant, counts as that with this tool
	Lived      []Mutant // no test failed
	Seconds    int
}

// Covered is the number of mutants that were tried, and noticed that of those which a test has noticed.
func (r *Record) covered() int { return r.noticed() + len(r.Lived) }
func (r *Record) noticed() int { return r.Killed + r.TimedOut }

// output is what the tool writes.
type output struct {
	Elapsed float64 `json:"elapsed_time"`
	Files   []struct {
		Name      string `json:"file_name"`
		Mutations []struct {
			Type, Status string
			Line, Column int
		}
	}
}

// read makes a record of the tool's output for one package, whose sources are below tree.
func read(pkg, text, tree string) (*Record, error) {
	var o output
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	r := &Record{Package: pkg, Seconds: int(o.Elapsed + 0.5)}
	for _, f := range o.Files {
		name := pkg + "/" + filepath.Base(f.Name)
		src, err := newSource(filepath.Join(tree, name))
		if err != nil {
			return nil, err
		}
		for _, m := range f.Mutations {
			switch m.Status {
			case "KILLED":
				r.Killed++
			case "TIMED OUT":
				r.TimedOut++
			case "NOT VIABLE":
				r.NotViable++
			case "NOT COVERED":
				r.NotCovered++
			case "LIVED":
				line, err := src.mark(m.Line, m.Column)
				if err != nil {
					return nil, fmt.Errorf("%s:%d:%d: %w", name, m.Line, m.Column, err)
				}
				r.Lived = append(r.Lived, Mutant{File: name, Function: src.function(m.Line), Type: m.Type, Line: line})
			default:
				return nil, fmt.Errorf("%s:%d: unknown status %q", name, m.Line, m.Status)
			}
		}
	}
	slices.SortFunc(r.Lived, Mutant.compare)
	return r, nil
}

// source is a file by its lines.
type source struct {
	lines     []string
	functions []function
}

type function struct {
	name        string
	first, last int
}

func newSource(name string) (*source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s := &source{lines: strings.Split(string(text), "\n")}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		full := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) == 1 {
			full = receiver(f.Recv.List[0].Type) + "." + full
		}
		s.functions = append(s.functions, function{full, set.Position(f.Pos()).Line, set.Position(f.End()).Line})
	}
	return s, nil
}

// receiver is the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// function is the name of the function that the line, from 1, is in.
func (s *source) function(line int) string {
	for _, f := range s.functions {
		if f.first <= line && line <= f.last {
			return f.name
		}
	}
	return ""
}

// operators are the tokens that the tool changes, the longer first.
var operators = []string{
	"continue", "break", "&^=", "<<=", ">>=", "&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "&^", "++", "--",
	"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "<", ">",
}

// mark is a line of the source with the operator at the column put between « and »; both count from 1.
func (s *source) mark(line, column int) (string, error) {
	if line < 1 || line > len(s.lines) || column < 1 || column > len(s.lines[line-1]) {
		return "", errors.New("not in the source")
	}
	before, rest := s.lines[line-1][:column-1], s.lines[line-1][column-1:]
	for _, op := range operators {
		if after, ok := strings.CutPrefix(rest, op); ok {
			return strings.TrimSpace(before + "«" + op + "»" + after), nil
		}
	}
	return "", fmt.Errorf("no operator in front of %q", rest)
}

// has says whether the file has the line, unmarked, in the function.
func (s *source) has(fn, marked string) bool {
	plain := strings.NewReplacer("«", "", "»", "").Replace(marked)
	for i, l := range s.lines {
		if strings.TrimSpace(l) == plain && s.function(i+1) == fn {
			return true
		}
	}
	return false
}

// Argument is why a mutant may live.
type Argument struct {
	Mutant
	Reason string
}

// parse reads the table: of each entry the first line is file, function ("-" for none) and mutation, the second the
// marked line, and what follows up to an empty line the reason. A line that begins with # is a comment.
func parse(text string) (list []Argument, err error) {
	var entry []string
	number := 0
	for l := range strings.Lines(text + "\n\n") {
		number++
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "#"):
		case l != "":
			entry = append(entry, l)
		case len(entry) > 0:
			head := strings.Fields(entry[0])
			if len(head) != 3 || len(entry) < 3 || strings.Count(entry[1], "«") != 1 || strings.Count(entry[1], "»") != 1 {
				return nil, fmt.Errorf("%s:%d: not three words, a marked line and a reason: %q", table, number, entry)
			}
			if head[1] == "-" {
				head[1] = ""
			}
			list = append(list, Argument{
				Mutant{File: head[0], Function: head[1], Type: head[2], Line: entry[1]},
				strings.Join(entry[2:], " "),
			})
			entry = nil
		}
	}
	return list, nil
}

// argued reads the table of the tree.
func argued(top string) ([]Argument, error) {
	text, err := os.ReadFile(filepath.Join(top, table))
	if err != nil {
		return nil, err
	}
	return parse(string(text))
}

// split divides what has lived into what is argued, and what is not.
func split(lived []Mutant, list []Argument) (with []Argument, without []Mutant) {
	for _, m := range lived {
		i := slices.IndexFunc(list, func(a Argument) bool { return a.Mutant == m })
		if i < 0 {
			without = append(without, m)
		} else {
			with = append(with, list[i])
		}
	}
	return with, without
}

// load reads the records of the packages that have one, in the order given.
func load(top string, packages []string) (list []*Record, err error) {
	for _, p := range packages {
		text, err := os.ReadFile(filepath.Join(top, results, p+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var r Record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		list = append(list, &r)
	}
	return list, nil
}

// save writes a record.
func save(top string, r *Record) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(top, results, r.Package+".json"), b.Bytes(), 0o644)
}

// percent is n of all.
func percent(n, all int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(all, 1))) }

// page is the text of doc/mutation.md.
func page(records []*Record, list []Argument) string {
	var b strings.Builder
	tool := "the tool"
	if len(records) > 0 {
		tool = records[0].Tool
	}
	fmt.Fprintf(&b, `# A public mutation tool over the packages that decide

Generated by `+"`%s`"+`; do not edit.

%s, as the module proxy serves it, changes one operator of a package at a time: a comparison to its opposite or
to its neighbour, plus to minus, `+"`&&` to `||`, `&` to `|`, `continue` to `break`"+`. The tests of the package alone judge,
as root, in namespaces of their own and on an overlay of the machine's root. All of the tool's mutations are used.
What takes away whole steps, read-backs and error checks is done by another tool, [mutants.md](mutants.md), with starts of
hardrun as the judge.

    %s [PACKAGE]…

| package | covered | killed | without end | lived | of these argued | killed | not counting argued ones | not covered | not compiled | s |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`, command, tool, command)
	var sum Record
	count := 0
	for _, r := range records {
		with, _ := split(r.Lived, list)
		line(&b, r.Package, r, len(with))
		sum.Killed += r.Killed
		sum.TimedOut += r.TimedOut
		sum.NotViable += r.NotViable
		sum.NotCovered += r.NotCovered
		sum.Lived = append(sum.Lived, r.Lived...)
		sum.Seconds += r.Seconds
		count += len(with)
	}
	line(&b, "all", &sum, count)
	b.WriteString(`
Killed is what a test has noticed, by a failure or because it did not end, of all mutants in code that a test runs. A mutant
that is not compiled is none. What is not covered is code that needs the launch to be run, or another
kernel or system, and constants, which this tool never takes for covered.

## Left out

`)
	for _, r := range records {
		if r.LeftOut != "" || r.Skipped != "" {
			fmt.Fprintf(&b, "- %s:", r.Package)
			if r.LeftOut != "" {
				fmt.Fprintf(&b, " files `%s`", r.LeftOut)
			}
			if r.LeftOut != "" && r.Skipped != "" {
				b.WriteString(";")
			}
			if r.Skipped != "" {
				fmt.Fprintf(&b, " tests `%s`, which take seconds each", r.Skipped)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n## Argued\n\nThe operator between « and » was changed, and no test can tell, or none should.\n")
	for _, r := range records {
		with, _ := split(r.Lived, list)
		if len(with) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", r.Package)
		for _, a := range with {
			fmt.Fprintf(&b, "- %s %s, %s: ``%s``  \n  %s\n", strings.TrimPrefix(a.File, r.Package+"/"), a.Function, words(a.Type), a.Line, a.Reason)
		}
	}
	open := false
	for _, r := range records {
		_, without := split(r.Lived, list)
		for _, m := range without {
			if !open {
				b.WriteString("\n## Neither killed nor argued\n\n")
				open = true
			}
			fmt.Fprintf(&b, "- %s %s, %s: ``%s``\n", m.File, m.Function, words(m.Type), m.Line)
		}
	}
	return b.String()
}

// words is the tool's name of a mutation as it is read.
func words(kind string) string { return strings.ToLower(strings.ReplaceAll(kind, "_", " ")) }

func line(b *strings.Builder, name string, r *Record, argued int) {
	fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %s | %s | %d | %d | %d |\n", name, r.covered(), r.Killed, r.TimedOut,
		len(r.Lived), argued, percent(r.noticed(), r.covered()), percent(r.noticed(), r.covered()-argued), r.NotCovered, r.NotViable, r.Seconds)
}

// figures is what the records say to doc/assurance.md. A package's own share is of those mutants that a test could tell.
func figures(records []*Record, list []Argument) *assurance.Run {
	var killed, covered, open, explained, seconds int
	least, leastKilled, leastOf := "", 1, 1
	for _, r := range records {
		with, without := split(r.Lived, list)
		killed += r.noticed()
		covered += r.covered()
		seconds += r.Seconds
		open += len(without)
		explained += len(with)
		if of := r.covered() - len(with); of > 0 && (least == "" || r.noticed()*leastOf < leastKilled*of) {
			least, leastKilled, leastOf = r.Package, r.noticed(), of
		}
	}
	return &assurance.Run{
		Name: "mutation", Title: "A public mutation tool over the packages that decide", Command: command, Page: "mutation.md",
		Took: assurance.Span(time.Duration(seconds) * time.Second),
		Figures: []assurance.Figure{
			assurance.Share("mutants killed by the tests of their package", killed, covered, 95),
			assurance.Share("not counting argued ones, in the package with the fewest, "+least, leastKilled, leastOf, 95),
			assurance.Zero("mutants that live and are not argued", open),
			assurance.Count("mutants that live and are argued", explained),
			assurance.Count("packages", len(records)),
		},
	}
}

func run() error {
	tool := flag.String("tool", "", "the mutation tool, with its version")
	out := flag.String("out", "", "the directory of its output")
	tree := flag.String("tree", "", "the sources that it has mutated")
	packages := flag.String("packages", "", "all packages, in the order of the page")
	flag.Parse()
	top, err := assurance.Top()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(top, results), 0o755); err != nil {
		return err
	}
	list, err := argued(top)
	if err != nil {
		return err
	}
	text := func(name string) string {
		b, e := os.ReadFile(filepath.Join(*out, name))
		err = errors.Join(err, e)
		return strings.TrimSpace(string(b))
	}
	for _, p := range flag.Args() {
		r, e := read(p, text(p+".json"), *tree)
		if e != nil {
			return e
		}
		r.Tool, r.LeftOut, r.Skipped = *tool, text(p+".files"), text(p+".skipped")
		endless := len(strings.Fields(text(p + ".endless"))) // which the tool has for killed
		if err != nil {
			return err
		}
		r.Killed, r.TimedOut = r.Killed-endless, r.TimedOut+endless
		if err := save(top, r); err != nil {
			return err
		}
		with, without := split(r.Lived, list)
		fmt.Printf("%s: %s killed (%d of %d), %d lived and are argued, %d not:\n", p, percent(r.noticed(), r.covered()), r.noticed(), r.covered(), len(with), len(without))
		for _, m := range without {
			fmt.Printf("%s %s %s\n\t%s\n", m.File, cmp.Or(m.Function, "-"), m.Type, m.Line)
		}
	}
	all := strings.Fields(*packages)
	records, err := load(top, all)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(top, document), []byte(page(records, list)), 0o644); err != nil {
		return err
	}
	if len(records) < len(all) {
		fmt.Printf("%d of %d packages have been tried; no record for doc/assurance.md before all have\n", len(records), len(all))
		return nil
	}
	return figures(records, list).Save()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}
