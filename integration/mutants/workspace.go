//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hardrun/hardrun/integration/shapes"
)

// packages are those that a launch consists of, from the top of the tree.
var packages = []string{"caps", "process", "seccomp", "row", "ns", "cgroup", "dirs", "launcher", "supervise", "condition", "policy", "cmd/hardrun"}

// chosen are, of packages that do more than to launch, the files that matter to it.
var chosen = map[string][]string{
	"policy":      {"default", "filter", "normalize", "parent", "policy", "service", "tmp", "validate", "view"},
	"cmd/hardrun": {"again_linux", "do_linux", "exec_linux", "launch", "main", "service", "service_linux", "service_made_linux", "settle_linux", "spawn_linux", "told"},
}

// spared are files that decide about no launch: what is said of one, and the subcommand cage, which
// looks for what a program is linked with.
var spared = []string{
	"launcher/notes.go", "launcher/notes_linux.go", "launcher/words.go", "launcher/portable.go", "launcher/without.go",
	"seccomp/explain.go", "seccomp/text.go", "seccomp/list.go", "seccomp/backend_none.go",
	"ns/cage.go", "ns/cage_notes.go", "ns/cage_write.go", "ns/closure.go", "ns/closure_ld.go", "ns/closure_ldconf.go", "ns/closure_linux.go", "ns/closure_notes.go",
	"ns/closure_open.go", "ns/closure_rpath.go", "ns/closure_shebang.go", "ns/closure_walk.go", "ns/elf.go", "ns/elf_dynamic.go", "ns/ldcache.go",
}

// wanted tells whether a file is changed.
func wanted(file string) bool {
	dir, name := filepath.Dir(file), strings.TrimSuffix(filepath.Base(file), ".go")
	if list := chosen[dir]; list != nil && !slices.Contains(list, name) {
		return false
	}
	return !slices.Contains(spared, file)
}

// tested are the packages whose tests are tried.
var tested = []string{"caps", "process", "seccomp", "row", "ns", "cgroup", "dirs", "launcher", "supervise", "condition", "policy", "unit", "cmd/hardrun"}

// workspace is the directory in which all is made.
type workspace struct {
	dir     string
	mutants []*Mutant
	blocks  map[string][]int64 // of the binaries, by name
}

func (w *workspace) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

// binary is a built one that has the mutants.
func (w *workspace) binary(name string) string { return w.path("bin", name) }

// place is a copy of a binary with a mutant.
func (w *workspace) place(name, to string, number uint32, note bool) *Placing {
	return &Placing{From: w.binary(name), To: to, Blocks: w.blocks[name], Number: number, Note: note}
}

func testName(pkg string) string { return strings.ReplaceAll(pkg, "/", "-") + ".test" }

// command runs a program, whose output is only for a failure.
func command(dir string, env []string, argv ...string) error {
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}

// fingerprint is what the sources are.
func fingerprint(top string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if n := e.Name(); n == ".git" || n == "bin" || n == "dist" || n == "doc" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".c") && !strings.HasSuffix(path, ".h") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			_, err = fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		}
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// prepare makes the workspace, or takes the one that is there, where it was made of these sources.
func prepare(top, dir string, say func(format string, args ...any)) (*workspace, error) {
	w := &workspace{dir: dir, blocks: map[string][]int64{}}
	print, err := fingerprint(top)
	if err != nil {
		return nil, err
	}
	if was, err := os.ReadFile(w.path("made-of")); err == nil && (options.asIs || string(was) == print) {
		say("%s is taken as it is", dir)
		return w, w.load()
	}
	for _, name := range []string{"made-of", "plain", "tree", "bin", "shapes", "tools", "killers"} {
		if err := os.RemoveAll(w.path(name)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"bin", "tools", "killers", "lane0", "lane1", "plain", "tree"} {
		if err := os.MkdirAll(w.path(name), 0o755); err != nil {
			return nil, err
		}
	}
	say("copying the sources")
	for _, name := range []string{"plain", "tree"} {
		if err := command(top, nil, "sh", "-c", `tar -c --exclude=./.git --exclude=./bin --exclude=./dist . | tar -x -C "$1"`, "sh", w.path(name)); err != nil {
			return nil, err
		}
	}
	r := &rewriter{dir: w.path("tree"), library: module + "/integration/mutants/mutant"}
	if err := r.rewrite(packages, wanted); err != nil {
		return nil, err
	}
	const inC = "cmd/hardrun/hardrun.c"
	if err := r.rewriteC("cmd/hardrun", inC, w.path("tree", inC)); err != nil {
		return nil, err
	}
	w.mutants = r.mutants
	say("%d mutants", len(w.mutants))
	if err := w.build(say); err != nil {
		return nil, err
	}
	text, err := json.Marshal(w.mutants)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(w.path("mutants.json"), text, 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(w.path("made-of"), []byte(print), 0o644); err != nil {
		return nil, err
	}
	return w, w.load()
}

// load reads what prepare has made.
func (w *workspace) load() error {
	text, err := os.ReadFile(w.path("mutants.json"))
	if err != nil {
		return err
	}
	w.mutants = nil
	if err := json.Unmarshal(text, &w.mutants); err != nil {
		return err
	}
	// The units belong to this program.
	for i := range shapes.List {
		s := &shapes.List[i]
		for name := range s.Files {
			if err := os.WriteFile(w.path("shapes", name), []byte(s.Text(name)), 0o644); err != nil {
				return err
			}
		}
	}
	for _, s := range moreStarts {
		for name, text := range s.files {
			if err := os.WriteFile(w.path("shapes", name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		if s.older != nil {
			if err := os.WriteFile(w.path("shapes", s.filterName()), s.filter().Bytes(), 0o644); err != nil {
				return err
			}
		}
	}
	names := []string{"hardrun"}
	for _, p := range tested {
		names = append(names, testName(p))
	}
	for _, n := range names {
		at, err := blocksOf(w.binary(n))
		if err != nil {
			return err
		}
		w.blocks[n] = at
	}
	return nil
}

// build makes the binaries: hardrun and the tests of packages with the mutants, the tests of
// the whole without.
func (w *workspace) build(say func(format string, args ...any)) error {
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	env := []string{"CC=" + cc, "CGO_ENABLED=1"}
	flags := []string{"-trimpath", "-tags", "osusergo,netgo", "-gcflags", module + "/...=-l", "-ldflags", `-s -w -linkmode external -extldflags "-static"`}
	say("building hardrun")
	if err := command(w.path("tree"), env, slices.Concat([]string{"go", "build"}, flags, []string{"-o", w.binary("hardrun"), "./cmd/hardrun"})...); err != nil {
		return err
	}
	say("building the tests")
	var wait sync.WaitGroup
	errs := make([]error, len(tested)+1)
	for i, p := range tested {
		errs[i] = command(w.path("tree"), env, "go", "test", "-c", "-ldflags", "-s -w", "-o", w.binary(testName(p)), "./"+p)
	}
	errs[len(tested)] = command(w.path("plain"), env, "go", "test", "-c", "-o", w.binary("integration.test"), "./integration")
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return w.buildShapes(cc)
}

// buildShapes makes what starts need: see the shapes.
func (w *workspace) buildShapes(cc string) error {
	dir := w.path("shapes")
	for _, d := range []string{"data", "hidden", "root", "root/proc", "root/sys", "root/dev", "root/run", "root/tmp", "root/var", "root/data", "root/srv"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, n := range []string{"other", "data/file", "hidden/file", "root/new", "root/srv/other"} {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, n), []byte("text\n"), 0o666), os.Chmod(filepath.Join(dir, n), 0o666)); err != nil {
			return err
		}
	}
	source := func(name string) string { return w.path("plain", "integration", name) }
	for out, in := range map[string]string{w.path("tools", "starter"): source("shapes/starter.c"), filepath.Join(dir, "probe"): source("shapes/probe.c"), filepath.Join(dir, "data/probe"): source("probe/probe.c")} {
		if err := command(w.dir, nil, cc, "-static", "-O1", "-Wno-parentheses", "-o", out, in); err != nil {
			return err
		}
	}
	if err := command(w.dir, nil, "cp", filepath.Join(dir, "probe"), filepath.Join(dir, "root/probe")); err != nil {
		return err
	}
	// The tests of the whole compile their daemon each time; in a room that is done once.
	if cc, err := exec.LookPath(cc); err == nil {
		wrapper := w.path("tools", filepath.Base(cc))
		return w.wrap(wrapper, cc)
	}
	return nil
}

func (w *workspace) wrap(wrapper, cc string) error {
	if err := os.WriteFile(wrapper, []byte(`#!/bin/sh
key=$(printf '%s ' "$@" | sed 's/-o [^ ]*//g' | cat - *.c */*.c 2>/dev/null | cksum | tr ' ' -)
out=
last=
for word; do [ "$last" = -o ] && out=$word; last=$word; done
kept=`+w.path("tools")+`/cc-$key
[ -f "$kept" ] && exec cp "$kept" "$out"
`+cc+` "$@" || exit
cp "$out" "$kept"
`), 0o755); err != nil {
		return err
	}
	for out, in := range map[string]string{"probe": "probe/probe.c", "starter": "shapes/starter.c", "daemon": "shapes/probe.c"} {
		argv := []string{wrapper, "-static", "-O1", "-Wall", "-Wextra", "-Wno-parentheses", "-o", w.path("tools", "of-"+out), in}
		if err := command(w.path("plain", "integration"), nil, argv...); err != nil {
			return err
		}
	}
	return nil
}
