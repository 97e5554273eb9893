//go:build linux

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/inherited"
	"github.com/hardrun/hardrun/integration/mutants/mutant"

	"github.com/hardrun/hardrun/integration/assurance"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == roomWord {
		main()
		return
	}
	if err := inherited.ResetSignals(); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// sample makes the small module of testdata, with its mutants, and its tests as a program.
func sample(t *testing.T) (*rewriter, string) {
	t.Helper()
	dir := t.TempDir()
	copied := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copied("testdata/sample/go.mod.txt", filepath.Join(dir, "go.mod"))
	for _, f := range []string{"sample.go", "sample_test.go"} {
		copied("testdata/sample/"+f+".txt", filepath.Join(dir, "digits", f))
	}
	copied("mutant/mutant.go", filepath.Join(dir, "mutant", "mutant.go"))
	r := &rewriter{dir: dir, library: "sample/mutant"}
	if err := r.rewrite([]string{"digits"}, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	name(r.mutants)
	binary := filepath.Join(dir, "digits.test")
	if err := command(dir, []string{"GOFLAGS="}, "go", "test", "-c", "-vet=off", "-o", binary, "./digits"); err != nil {
		t.Fatal(err)
	}
	return r, binary
}

// The tool finds each place of a small package; a mutant that must be noticed is, and one
// that makes no difference is not.
func TestSample(t *testing.T) {
	r, binary := sample(t)
	at, err := blocksOf(binary)
	if err != nil {
		t.Fatal(err)
	}
	dies := func(number uint32, note bool) bool {
		t.Helper()
		p := Placing{From: binary, To: binary + ".mutant", Blocks: at, Number: number, Note: note}
		if err := p.put(); err != nil {
			t.Fatal(err)
		}
		return exec.Command(p.To, "-test.paniconexit0").Run() != nil
	}
	if dies(0, false) {
		t.Fatal("without a mutant the tests fail")
	}
	const file = "digits/sample.go:"
	want := map[string]bool{ // whether it dies
		file + "Digit: call: strconv.Atoi(text)":                              true,
		file + "Digit: never: err != nil":                                     true,
		file + "Digit: invert: err != nil":                                    true,
		file + "Digit: return: err":                                           true,
		file + "Digit: never: n < 0 || n > 9":                                 true,
		file + "Digit: invert: n < 0 || n > 9":                                true,
		file + "Digit: operand: n < 0":                                        true,
		file + "Digit: operand: n > 9":                                        true,
		file + `Digit: return: errors.New(text + " has more than one digit")`: true,
		file + "list.keep: step: l.kept = append(l.kept, n)":                  true,
		file + "list.Keep: never: n < 10 && n < 20":                           true,
		file + "list.Keep: invert: n < 10 && n < 20":                          true,
		file + "list.Keep: operand: n < 10":                                   true,
		file + "list.Keep: operand: n < 20":                                   false,
		file + "list.Keep: step: l.keep(n)":                                   true,
		file + "list.Keep: invert: len(l.kept) < 3":                           true,
	}
	for _, m := range r.mutants {
		must, known := want[m.named]
		if !known {
			t.Errorf("%q is not wanted", m.named)
			continue
		}
		delete(want, m.named)
		if got := dies(m.N, false); got != must {
			t.Errorf("%q: dies is %v", m.named, got)
		}
	}
	for name := range want {
		t.Errorf("%q was not made", name)
	}
}

const sampleC = `#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long r = syscall(nr, a, b, c, d, e, f);
	return r == -1 ? -errno : r;
}
#define ptr(x) ((uint64_t)(uintptr_t)(x))
#define call0(nr) call(nr, 0, 0, 0, 0, 0, 0)
#define call1(nr, a) call(nr, (uint64_t)(a), 0, 0, 0, 0, 0)
#define call3(nr, a, b, c) call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define call4(nr, a, b, c, d) call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)
static int last;
static void more(int n)
{
	last += n; // if (this) is no condition, and call0(this) no call
}

int main(void)
{
	long up = 7;
	more(2);
	if ((up = call1(SYS_close, -1)) == -EBADF && "if (nor this"[0] == 'i')
		last += 10;
	else
		more(100);
	printf("%ld %d\n", up, last);
	return 0;
}
`

// So it does in C: each is made, and each changes what the program does.
func TestSampleC(t *testing.T) {
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "sample.c"), filepath.Join(dir, "sample")
	if err := os.WriteFile(source, []byte(sampleC), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &rewriter{}
	if err := r.rewriteC("sample", "sample.c", source); err != nil {
		t.Fatal(err)
	}
	name(r.mutants)
	if err := command(dir, nil, "gcc", "-O1", "-Wall", "-Werror", "-Wno-unused-function", "-o", binary, source); err != nil {
		t.Fatal(err)
	}
	at, err := blocksOf(binary)
	if err != nil {
		t.Fatal(err)
	}
	says := func(number, fault, how uint32) string {
		t.Helper()
		p := Placing{From: binary, To: binary + ".mutant", Blocks: at, Number: number, Fault: fault, How: how}
		if err := p.put(); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(p.To).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := says(0, 0, 0); got != "-9 12" {
		t.Fatalf("without a mutant it says %q", got)
	}
	const condition = `(up = call1(SYS_close, -1)) == -EBADF && "if (nor this"[0] == 'i'`
	want := map[string]string{
		"sample.c:main: never: " + condition:        "-9 102",
		"sample.c:main: invert: " + condition:       "-9 102",
		"sample.c:main: call: call1(SYS_close, -1)": "0 102",
		"sample.c:main: step: more(2);":             "-9 10",
		"sample.c:main: step: more(100);":           "-9 12",
	}
	for _, m := range r.mutants {
		if got, known := says(m.N, 0, 0), want[m.named]; got != known {
			t.Errorf("%q: says %q, not %q", m.named, got, known)
		}
		delete(want, m.named)
		if m.Kind == KindCall {
			for how, answer := range map[uint32]string{uint32(unix.EIO): "-5 102", uint32(unix.EBADF): "-9 12", mutant.Lie: "0 102"} {
				if got := says(0, m.N, how); got != answer {
					t.Errorf("%q: with the answer %d it says %q, not %q", m.named, how, got, answer)
				}
			}
		}
	}
	for name := range want {
		t.Errorf("%q was not made", name)
	}
}

// A room has the machine's files, and what is done to them is not done to the machine; it
// notes what is reached, ends what does not end, and leaves nothing.
func TestRoom(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: mount and PID namespaces, an overlay")
	}
	r, binary := sample(t)
	at, err := blocksOf(binary)
	if err != nil {
		t.Fatal(err)
	}
	in, err := openRoom(t.TempDir(), "", len(r.mutants)+2)
	if err != nil {
		t.Fatal(err)
	}
	do := func(s *Step) *Result {
		t.Helper()
		s.Dir = "/"
		res, err := in.do(s)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	mark := filepath.Join(t.TempDir(), "mark")
	if err := os.WriteFile(mark, []byte("the machine's\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	res := do(&Step{Argv: []string{"/bin/sh", "-c", "cat " + mark + "; echo changed >" + mark + "; cat " + mark + "; chmod 0 /dev/full; sleep 1000 & echo $$"}, Time: time.Minute})
	if !strings.HasPrefix(res.Stdout, "the machine's\nchanged\n") || res.Status != 0 {
		t.Errorf("got %+v", res)
	}
	if text, err := os.ReadFile(mark); err != nil || string(text) != "the machine's\n" {
		t.Errorf("the machine's file: %q, %v", text, err)
	}
	if st, err := os.Stat("/dev/full"); err != nil || st.Mode().Perm() == 0 {
		t.Errorf("/dev/full: %v, %v", st, err)
	}
	if res := do(&Step{Argv: []string{"/bin/sh", "-c", "ls -d /proc/[0-9]*"}, Time: time.Minute}); strings.Count(res.Stdout, "\n") > 3 {
		t.Errorf("there are still %q", res.Stdout)
	}
	if res := do(&Step{Argv: []string{"/bin/sleep", "1000"}, Time: 100 * time.Millisecond}); !res.Over {
		t.Errorf("what does not end: %+v", res)
	}
	notes := func(test string) map[uint32]byte {
		t.Helper()
		res := do(&Step{
			Argv: []string{"/opt/digits.test", "-test.run", test}, Time: time.Minute, Note: true,
			Place: &Placing{From: binary, To: "/opt/digits.test", Blocks: at, Note: true},
		})
		if res.Status != 0 {
			t.Errorf("%s: %+v", test, res)
		}
		return decodeNotes(res.Noted)
	}
	digit, keep := notes("TestDigit"), notes("TestKeep")
	for _, m := range r.mutants {
		d, k := digit[m.Site], keep[m.Site]
		if inDigit := m.Func == "Digit"; inDigit != (d != 0) || inDigit == (k != 0) {
			t.Errorf("%s: noted %d by TestDigit, %d by TestKeep", m.named, d, k)
		}
		if m.Func == "Digit" && m.Kind == KindNever && d != mutant.Reached|mutant.True|mutant.False {
			t.Errorf("%s: noted %d", m.named, d)
		}
	}
	if err := in.leave(); err != nil {
		t.Error(err)
	}
}

// Of the trials that reach a mutant the cheapest comes first, and tests of one package run
// together as long as that costs little.
func TestTrials(t *testing.T) {
	m := &Mutant{N: 7, Site: 7, Kind: KindNever, Needs: mutant.True}
	one := func(kind, of, name string, cost time.Duration, note byte) *killer {
		return &killer{Kind: kind, Of: of, Name: name, Cost: cost, Notes: map[uint32]byte{7: note}}
	}
	const yes = mutant.Reached | mutant.True
	r := &runner{killers: []*killer{
		one("start", "", "dear", time.Second, yes),
		one("start", "", "cheap", 25*time.Millisecond, yes),
		one("start", "", "useless", time.Millisecond, mutant.Reached|mutant.False),
		one("test", "caps", "TestA", 20*time.Millisecond, yes),
		one("test", "caps", "TestB", 15*time.Millisecond, yes),
		one("test", "caps", "TestSlow", 2*time.Second, yes),
		one("test", "ns", "TestA", 12*time.Millisecond, yes),
	}}
	var got []string
	for _, t := range r.trials(m) {
		got = append(got, t.String())
	}
	want := []string{"test ns.TestA", "start cheap", "2 tests of caps, the first TestB", "start dear", "test caps.TestSlow"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c2b", false},
		{"*", "", true},
		{"a*a", "a", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("matches(%q, %q) is %v", c.pattern, c.text, got)
		}
	}
}

// Each argument is about a place that is there: its file, its function, and in that the text.
func TestArguments(t *testing.T) {
	for _, a := range arguments {
		if a.Reason == "" {
			t.Errorf("%s: no reason", a.Name)
		}
		file, rest, ok := strings.Cut(a.Name, ":")
		name, rest, ok2 := strings.Cut(rest, ": ")
		_, text, ok3 := strings.Cut(rest, ": ")
		if strings.Contains(file, "*") || file == "" || strings.Contains(name, "*") {
			continue // of many places: the run says whether there is one
		}
		if i := strings.LastIndex(text, " ("); i > 0 {
			if _, err := strconv.Atoi(strings.TrimSuffix(text[i+2:], ")")); err == nil {
				text = text[:i]
			}
		}
		if !ok || !ok2 || !ok3 || !strings.Contains(functionText(t, file, name), strings.TrimSuffix(strings.Split(text, "*")[0], "…")) {
			t.Errorf("%s: there is no such place", a.Name)
		}
	}
}

// functionText is the source of a function, or of all variables, in one line.
func functionText(t *testing.T, file, name string) (text string) {
	t.Helper()
	path := filepath.Join("../..", file)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".c") {
		for _, part := range strings.SplitAfter(string(source), "\n}\n") {
			if head, _, _ := strings.Cut(part, "\n{\n"); strings.Contains(head, name+"(") {
				text += part
			}
		}
		return strings.Join(strings.Fields(text), " ")
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		is := "var"
		if fn, ok := d.(*ast.FuncDecl); ok {
			is = fn.Name.Name
			if fn.Recv != nil {
				is = receiver(fn.Recv.List[0].Type) + "." + is
			}
		}
		if is == name {
			text += string(source[fset.Position(d.Pos()).Offset:fset.Position(d.End()).Offset]) + "\n"
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// The page begins with what is written here.
func TestDocument(t *testing.T) {
	record, err := filepath.Glob(filepath.Join("../..", assurance.Results, "mutants.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("../..", document))
	if err != nil {
		t.Fatal(err)
	}
	next := "## Figures\n"
	if len(record) == 0 { // no whole run has been yet, and none is told of
		next = "Not whole yet: "
	}
	if !strings.HasPrefix(string(text), head()+next) {
		t.Errorf("%s is stale: %s", document, repeat)
	}
}
