//go:build linux

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/integration/mutants/mutant"
)

// Kind is what a mutant does to the source.
type Kind string

const (
	KindCall    Kind = "call"    // a call is not made, and answers no error
	KindStep    Kind = "step"    // a statement that is a call, or an append, is not there
	KindNever   Kind = "never"   // a condition is never true
	KindInvert  Kind = "invert"  // a condition or truth is inverted
	KindOperand Kind = "operand" // an operand of && or || is not there
	KindReturn  Kind = "return"  // an error is not returned
	KindFlag    Kind = "flag"    // one of several flags is not set
)

// Mutant is one change.
type Mutant struct {
	N       uint32 // its number in the binary
	Site    uint32 // the number under which is noted that its place was reached
	Kind    Kind
	Package string // "caps"
	File    string // "caps/steps_linux.go"
	Line    int
	Func    string   // "SetUID.Do"
	Text    string   // of the source, in one line
	Needs   byte     // what must have been noted of its place, so that it can make a difference
	Errors  []string // of a call: those that its function asks for, "ENOENT"

	named string
}

// Key names a mutant by what does not change with the rest of the file.
func (m *Mutant) Key() string { return m.File + ":" + m.Func + ": " + string(m.Kind) + ": " + m.Text }

const module = "github.com/hardrun/hardrun"

// edit is a text that is put into a file. Of several at one place, those that close come
// first, the inner before the outer; those that open the other way round.
type edit struct {
	at    int
	close bool
	width int // of the node
	level int // of several around one node: the outermost is 0
	text  string
}

// rewriter makes the mutants of packages.
type rewriter struct {
	dir     string // of the tree that is changed
	library string // the import path of package mutant
	next    uint32
	mutants []*Mutant
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, CgoFiles       []string
	Error                   *struct{ Err string }
}

// list asks go about packages and all that they import.
func list(dir string, packages []string) (map[string]*listed, error) {
	c := exec.Command("go", append([]string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles,Error"}, packages...)...)
	c.Dir = dir
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, errs.String())
	}
	all := map[string]*listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &listed{}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
}

// rewrite changes the files of packages, named from the top of the module. Of each, wanted
// says which files.
func (r *rewriter) rewrite(packages []string, wanted func(file string) bool) error {
	paths := make([]string, len(packages))
	for i, p := range packages {
		paths[i] = "./" + p
	}
	all, err := list(r.dir, paths)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if p := all[path]; p != nil && p.Export != "" {
			return os.Open(p.Export)
		}
		return nil, fmt.Errorf("no export data of %s", path)
	})
	name := moduleOf(r.dir)
	for _, p := range packages {
		about := all[name+"/"+p]
		if about == nil {
			return fmt.Errorf("%s: go list does not know it", p)
		}
		if err := r.rewritePackage(fset, imports, p, about, wanted); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// moduleOf is the module path of a tree.
func moduleOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return module
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return path
		}
	}
	return module
}

func (r *rewriter) rewritePackage(fset *token.FileSet, imports types.Importer, name string, about *listed, wanted func(file string) bool) error {
	var files []*ast.File
	var names []string
	for _, f := range append(slices.Clone(about.GoFiles), about.CgoFiles...) {
		path := filepath.Join(about.Dir, f)
		parsed, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files, names = append(files, parsed), append(names, path)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: imports, FakeImportC: true, Error: func(error) {}}
	pkg, err := conf.Check(about.ImportPath, fset, files, info)
	if err != nil && len(about.CgoFiles) == 0 {
		return err
	}
	for i, f := range files {
		file := filepath.ToSlash(filepath.Join(name, filepath.Base(names[i])))
		if !wanted(file) || ast.IsGenerated(f) {
			continue
		}
		source, err := os.ReadFile(names[i])
		if err != nil {
			return err
		}
		w := &walker{rewriter: r, fset: fset, info: info, pkg: pkg, source: source, file: file, name: name, base: fset.File(f.Pos()), aliases: map[string]string{}}
		w.imports(f)
		w.walkFile(f)
		if err := os.WriteFile(names[i], w.apply(f), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// walker makes the mutants of one file.
type walker struct {
	*rewriter
	fset    *token.FileSet
	info    *types.Info
	pkg     *types.Package
	source  []byte
	file    string
	name    string // of the package, from the top of the module
	base    *token.File
	aliases map[string]string // import path: the name in this file
	more    []string          // imports to be added
	edits   []edit
	within  string   // the function
	errors  []string // that it asks for
}

func (w *walker) imports(f *ast.File) {
	for _, s := range f.Imports {
		path, err := strconv.Unquote(s.Path.Value)
		if err != nil || s.Name != nil && (s.Name.Name == "_" || s.Name.Name == ".") || path == "C" {
			continue
		}
		if s.Name != nil {
			w.aliases[path] = s.Name.Name
			continue
		}
		for _, p := range w.pkg.Imports() {
			if p.Path() == path {
				w.aliases[path] = p.Name()
			}
		}
	}
}

func (w *walker) offset(p token.Pos) int { return w.base.Offset(p) }

// around puts text before and behind a node.
func (w *walker) around(n ast.Node, level int, before, after string) {
	from, to := w.offset(n.Pos()), w.offset(n.End())
	w.edits = append(w.edits, edit{from, false, to - from, level, before}, edit{to, true, to - from, level, after})
}

// mutant makes one for a node; a site of 0 stands for its own.
func (w *walker) mutant(n ast.Node, kind Kind, site uint32) uint32 {
	w.next++
	m := &Mutant{N: w.next, Site: site, Kind: kind, Package: w.name, File: w.file, Line: w.base.Line(n.Pos()), Func: w.within, Text: w.text(n)}
	if site == 0 {
		m.Site = m.N
	}
	m.Needs = mutant.Reached
	switch kind {
	case KindCall:
		m.Errors = w.errors
	case KindNever, KindReturn:
		m.Needs = mutant.True
	}
	w.rewriter.mutants = append(w.rewriter.mutants, m)
	return m.N
}

// text is the source of a node in one line, shortened.
func (w *walker) text(n ast.Node) string {
	text := strings.Join(strings.Fields(string(w.source[w.offset(n.Pos()):w.offset(n.End())])), " ")
	if len(text) > 110 {
		text = strings.ToValidUTF8(text[:107], "") + "…"
	}
	return text
}

// apply is the source with all that was put in.
func (w *walker) apply(f *ast.File) []byte {
	if len(w.edits) == 0 {
		return w.source
	}
	slices.SortStableFunc(w.edits, func(a, b edit) int {
		if a.at != b.at {
			return cmp.Compare(a.at, b.at)
		}
		if a.close != b.close {
			if a.close {
				return -1
			}
			return 1
		}
		order := cmp.Or(cmp.Compare(b.width, a.width), cmp.Compare(a.level, b.level))
		if a.close {
			return -order
		}
		return order
	})
	var out bytes.Buffer
	done := 0
	end := w.offset(f.Name.End())
	put := func(to int) {
		if done < end && to >= end {
			out.Write(w.source[done:end])
			fmt.Fprintf(&out, "; import mutant %q", w.library)
			for _, m := range w.more {
				out.WriteString("; " + m)
			}
			done = end
		}
		out.Write(w.source[done:to])
		done = to
	}
	for _, e := range w.edits {
		put(e.at)
		out.WriteString(e.text)
	}
	put(len(w.source))
	return out.Bytes()
}

// typeText is a type as this file writes it; false where it cannot.
func (w *walker) typeText(t types.Type) (string, bool) {
	ok := true
	s := types.TypeString(t, func(p *types.Package) string {
		if p == w.pkg {
			return ""
		}
		if a := w.aliases[p.Path()]; a != "" {
			return a
		}
		if p.Path() == "C" {
			ok = false
		}
		a := "mutant" + strconv.Itoa(len(w.more)) + p.Name()
		w.aliases[p.Path()] = a
		w.more = append(w.more, "import "+a+" "+strconv.Quote(p.Path()))
		return a
	})
	return s, ok && !strings.Contains(s, "invalid type") && w.nameable(t)
}

// nameable tells whether no type of another package in t is unexported.
func (w *walker) nameable(t types.Type) bool {
	switch t := t.(type) {
	case *types.Named:
		return t.Obj().Exported() || t.Obj().Pkg() == nil || t.Obj().Pkg() == w.pkg && t.Obj().Parent() == w.pkg.Scope()
	case *types.Pointer:
		return w.nameable(t.Elem())
	case *types.Slice:
		return w.nameable(t.Elem())
	case *types.Map:
		return w.nameable(t.Key()) && w.nameable(t.Elem())
	case *types.Alias:
		return w.nameable(types.Unalias(t))
	}
	return true
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

// isError tells whether a type is that of an error: error itself, a pointer that is one, or
// a number of errno(3).
func isError(t types.Type) bool {
	if t == nil || t == types.Typ[types.Invalid] {
		return false
	}
	switch types.Unalias(t).(type) {
	case *types.Named, *types.Pointer:
		return types.Implements(t, errorType) && !types.Identical(t, types.Typ[types.UntypedNil])
	}
	return false
}

func isBool(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

// constructors make an error of what they are given, and do nothing else.
var constructors = []string{"errors.New", "errors.Join", "fmt.Errorf", "os.NewSyscallError"}

// spoken are methods that only say what a step is: a plan's text is made of them, and no launch.
var spoken = []string{"String", "Mechanism", "Error"}

func (w *walker) walkFile(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body == nil || d.Recv != nil && slices.Contains(spoken, d.Name.Name) {
				continue
			}
			w.within = d.Name.Name
			if d.Recv != nil && len(d.Recv.List) == 1 {
				w.within = receiver(d.Recv.List[0].Type) + "." + d.Name.Name
			}
			w.errors = errnos.FindAllString(string(w.source[w.offset(d.Body.Pos()):w.offset(d.Body.End())]), -1)
			w.walk(d.Body)
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				w.within, w.errors = "var", nil
				for _, s := range d.Specs {
					for _, v := range s.(*ast.ValueSpec).Values {
						w.walk(v)
					}
				}
			}
		}
	}
}

var errnos = regexp.MustCompile(`\bE[A-Z0-9]{3,}\b`)

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// walk goes through a node.
func (w *walker) walk(root ast.Node) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			w.statements(n.List)
		case *ast.CaseClause:
			w.statements(n.Body)
		case *ast.CommClause:
			w.statements(n.Body)
		case *ast.IfStmt:
			w.condition(n.Cond)
		case *ast.ForStmt:
			if n.Cond != nil && w.plain(n.Cond) {
				w.around(n.Cond, 0, fmt.Sprintf("mutant.Never(%d, ", w.mutant(n.Cond, KindNever, 0)), ")")
			}
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, c := range n.Body.List {
					for _, e := range c.(*ast.CaseClause).List {
						w.condition(e)
					}
				}
			}
		case *ast.ReturnStmt:
			w.returned(n)
		case *ast.AssignStmt:
			w.assigned(n)
		case *ast.CallExpr:
			w.call(n)
		case *ast.BinaryExpr:
			return !w.flags(n, w.info.Types[n].Type)
		case *ast.GenDecl:
			return n.Tok != token.CONST
		case *ast.DeferStmt: // what is undone in the end is no step of a launch; what it does inside is looked at
			if f, ok := n.Call.Fun.(*ast.FuncLit); ok {
				w.walk(f.Body)
			}
			return false
		}
		return true
	})
}

// plain tells whether an expression is a truth that is not known to the compiler.
func (w *walker) plain(e ast.Expr) bool {
	tv, ok := w.info.Types[e]
	return ok && tv.Value == nil && tv.Type != nil && isBool(tv.Type)
}

// condition makes the mutants of what is decided on, and of its operands.
func (w *walker) condition(e ast.Expr) {
	if !w.plain(e) {
		return
	}
	n := w.mutant(e, KindNever, 0)
	w.mutant(e, KindInvert, n)
	w.around(e, 0, fmt.Sprintf("mutant.Cond(%d, ", n), ")")
	w.operands(e)
}

func (w *walker) operands(e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			w.operands(e.X)
		}
	case *ast.BinaryExpr:
		if e.Op != token.LAND && e.Op != token.LOR {
			return
		}
		helper, needs := "And", byte(mutant.False)
		if e.Op == token.LOR {
			helper, needs = "Or", mutant.True
		}
		for _, x := range []ast.Expr{e.X, e.Y} {
			if b, ok := ast.Unparen(x).(*ast.BinaryExpr); ok && b.Op == e.Op { // its operands are those of this one
				w.operands(x)
				continue
			}
			if w.plain(x) {
				w.around(x, 1, fmt.Sprintf("mutant.%s(%d, ", helper, w.mutant(x, KindOperand, 0)), ")")
				w.rewriter.mutants[len(w.rewriter.mutants)-1].Needs = needs
			}
			w.operands(x)
		}
	}
}

// truth makes the mutants of a truth that is returned or kept.
func (w *walker) truth(e ast.Expr) {
	switch x := ast.Unparen(e).(type) {
	case *ast.BinaryExpr:
	case *ast.UnaryExpr:
		if x.Op != token.NOT {
			return
		}
	default:
		return
	}
	if !w.plain(e) {
		return
	}
	w.around(e, 0, fmt.Sprintf("mutant.Not(%d, ", w.mutant(e, KindInvert, 0)), ")")
	w.operands(e)
}

func (w *walker) returned(s *ast.ReturnStmt) {
	for i, e := range s.Results {
		tv := w.info.Types[e]
		switch {
		case tv.IsNil() || tv.Type == nil:
		case i == len(s.Results)-1 && tv.Value == nil && isError(tv.Type):
			if text, ok := w.typeText(tv.Type); ok {
				w.around(e, -1, fmt.Sprintf("mutant.Value[%s](%d, ", text, w.mutant(e, KindReturn, 0)), ")")
			}
		default:
			w.truth(e)
		}
	}
}

func (w *walker) assigned(s *ast.AssignStmt) {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return
	}
	switch s.Tok {
	case token.ASSIGN, token.DEFINE:
		w.truth(s.Rhs[0])
	case token.OR_ASSIGN, token.AND_NOT_ASSIGN:
		w.flag(s.Rhs[0], w.info.Types[s.Lhs[0]].Type)
	}
}

// statements makes the mutants of which a statement is gone.
func (w *walker) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			c, ok := s.X.(*ast.CallExpr)
			if !ok || w.builtin(c, "panic") || w.isCall(c, "os.Exit") {
				continue
			}
			if t := w.info.Types[c].Type; t != nil && isError(t) {
				continue // as a call
			}
			w.around(s, -2, fmt.Sprintf("if !mutant.On(%d) { ", w.mutant(s, KindStep, 0)), " }")
		case *ast.AssignStmt:
			if s.Tok != token.ASSIGN || len(s.Rhs) != 1 {
				continue
			}
			if c, ok := s.Rhs[0].(*ast.CallExpr); ok && w.builtin(c, "append") {
				w.around(s, -2, fmt.Sprintf("if !mutant.On(%d) { ", w.mutant(s, KindStep, 0)), " }")
			}
		}
	}
}

func (w *walker) builtin(c *ast.CallExpr, name string) bool {
	id, ok := c.Fun.(*ast.Ident)
	if !ok || id.Name != name {
		return false
	}
	_, ok = w.info.Uses[id].(*types.Builtin)
	return ok
}

// isCall tells whether a call is of a function of another package.
func (w *walker) isCall(c *ast.CallExpr, names ...string) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := w.info.Uses[s.Sel].(*types.Func)
	return ok && f.Pkg() != nil && slices.Contains(names, f.Pkg().Path()+"."+f.Name())
}

// call makes the mutant of a call that answers an error, and those of its flags.
func (w *walker) call(c *ast.CallExpr) {
	for _, a := range c.Args {
		w.lone(a)
	}
	tv, ok := w.info.Types[c]
	if !ok || tv.Type == nil || w.info.Types[c.Fun].IsType() || w.isCall(c, constructors...) {
		return
	}
	if _, ok := w.info.Types[c.Fun].Type.(*types.Signature); !ok {
		return // a built-in, or what has no type
	}
	results := []types.Type{tv.Type}
	if tuple, ok := tv.Type.(*types.Tuple); ok {
		results = nil
		for v := range tuple.Variables() {
			results = append(results, v.Type())
		}
	}
	if len(results) == 0 || len(results) > 4 || !isError(results[len(results)-1]) {
		return
	}
	texts := make([]string, len(results))
	for i, t := range results {
		if texts[i], ok = w.typeText(t); !ok {
			return
		}
	}
	helper, answer := "Call", texts[0]
	if n := len(texts); n > 1 {
		helper, answer = "Call"+strconv.Itoa(n), "("+strings.Join(texts, ", ")+")"
	}
	w.around(c, 0, fmt.Sprintf("mutant.%s(%d, func() %s { return ", helper, w.mutant(c, KindCall, 0), answer), " })")
}

// harmless are flags that take nothing from what the daemon may not have.
var harmless = []string{"CLOEXEC", "O_DIRECTORY", "O_RDONLY", "O_LARGEFILE", "O_PATH", "STATX_"}

// strong are names of flags that are worth a mutant where they stand alone.
var strong = []string{"NOFOLLOW", "RESOLVE_", "MS_", "MOUNT_ATTR_", "SECCOMP_FILTER_FLAG_", "MNT_", "CLONE_NEW", "O_EXCL"}

// flags makes the mutants of flags that are combined, and tells whether it did.
func (w *walker) flags(b *ast.BinaryExpr, t types.Type) bool {
	if b.Op != token.OR && b.Op != token.AND_NOT || t == nil {
		return false
	}
	if b.Op == token.AND_NOT {
		w.flag(b.Y, t)
		return false
	}
	for _, x := range []ast.Expr{b.X, b.Y} {
		if inner, ok := ast.Unparen(x).(*ast.BinaryExpr); ok && inner.Op == token.OR {
			w.flags(inner, t)
		} else {
			w.flag(x, t)
			if w.info.Types[x].Value == nil {
				w.walk(x)
			}
		}
	}
	return true
}

func (w *walker) lone(e ast.Expr) {
	if name := constantName(e); name != "" && slices.ContainsFunc(strong, func(s string) bool { return strings.Contains(name, s) }) {
		w.flag(e, w.info.Types[e].Type)
	}
}

func constantName(e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// flag makes the mutant of one constant.
func (w *walker) flag(e ast.Expr, t types.Type) {
	tv := w.info.Types[e]
	if tv.Value == nil || tv.Value.Kind() != constant.Int || constant.Sign(tv.Value) == 0 || t == nil {
		return
	}
	name := constantName(e)
	if s, ok := ast.Unparen(e).(*ast.SelectorExpr); !ok && !strings.Contains(name, "_") || ok && w.info.Selections[s] != nil {
		return // no flag of a system call
	}
	if slices.ContainsFunc(harmless, func(s string) bool { return strings.Contains(name, s) }) {
		return
	}
	if b, ok := t.Underlying().(*types.Basic); !ok || b.Info()&types.IsInteger == 0 {
		return
	} else if b.Info()&types.IsUntyped != 0 {
		t = types.Default(t)
	}
	text, ok := w.typeText(t)
	if !ok {
		return
	}
	w.around(e, 2, fmt.Sprintf("mutant.Flag[%s](%d, ", text, w.mutant(e, KindFlag, 0)), ")")
}
