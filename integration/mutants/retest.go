//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// retest tries what nothing has killed against tests of one package that were written since: only its
// tests are built anew. Who writes a test sees what it finds, without a workspace made anew.
func (w *workspace) retest(top string, say func(format string, args ...any)) (err error) {
	pkg, names, ok := strings.Cut(options.tests, ":")
	if !ok {
		return errors.New("-tests=" + options.tests + ": want PACKAGE:TESTS")
	}
	old, err := filepath.Glob(w.path("tree", pkg, "*_test.go"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	if err := command(top, nil, "sh", "-c", `cp "$1"/*_test.go "$2" && if [ -d "$1/testdata" ]; then cp -R "$1/testdata" "$2"; fi`, "sh", filepath.Join(top, pkg), w.path("tree", pkg)); err != nil {
		return err
	}
	binary := w.binary(testName(pkg))
	if err := command(w.path("tree"), []string{"CGO_ENABLED=1"}, "go", "test", "-c", "-ldflags", "-s -w", "-o", binary, "./"+pkg); err != nil {
		return err
	}
	if w.blocks[testName(pkg)], err = blocksOf(binary); err != nil {
		return err
	}
	r := &runner{workspace: w, say: say}
	var drop func() error
	if r.lanes, drop, err = laneGroups(options.lanes); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	t := &trial{killers: []*killer{{Kind: "test", Name: names, Of: pkg}}}
	if err := r.each(1, func(_, _ int, in *room) error {
		step := r.tests(pkg, t.killers, 0, false)
		step.Argv = append(step.Argv, "-test.v")
		res, err := in.do(step)
		if err == nil && strings.Contains(res.Stderr+res.Stdout, "no tests to run") {
			return fmt.Errorf("%s: no test has such a name, whole and from its beginning", names)
		}
		if err != nil {
			return err
		}
		began := time.Now()
		why, err := r.notices(in, t, 0, 1)
		t.killers[0].Cost = time.Since(began)
		if why != "" {
			return errors.Join(err, fmt.Errorf("%s fails without a mutant: %s", t, why))
		}
		return err
	}); err != nil {
		return err
	}
	name(w.mutants)
	done, err := w.results()
	if err != nil {
		return err
	}
	var todo []*Mutant
	for _, m := range w.mutants {
		if is, _ := state(m, done[m.named]); is != stateKilled && is != stateArgued && chosenBy(options.only, m.named) {
			todo = append(todo, m)
		}
	}
	say("%s takes %v; %d mutants to try", t, t.killers[0].Cost.Round(time.Millisecond), len(todo))
	out, err := os.OpenFile(w.path("results"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var mu sync.Mutex
	killed, tried := 0, 0
	err = r.each(len(todo), func(_, i int, in *room) error {
		why, err := r.notices(in, t, todo[i].N, 1)
		if why == noEnd && err == nil {
			why, err = r.notices(in, t, todo[i].N, 3)
		}
		mu.Lock()
		defer mu.Unlock()
		if tried++; tried%200 == 0 {
			say("%d: %d killed", tried, killed)
		}
		if err != nil || why == "" {
			return err
		}
		killed++
		text, err := json.Marshal(&outcome{Key: todo[i].named, State: "killed", By: t.String(), Tried: 1, Detail: why})
		if err == nil {
			_, err = out.Write(append(text, '\n'))
		}
		return err
	})
	say("%d of %d killed", killed, len(todo))
	return err
}
