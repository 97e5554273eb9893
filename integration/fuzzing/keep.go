package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What is kept below testdata/fuzz: so many inputs of a target by keep, and by hand beside them, each of so many
// bytes, and so many in all.
const (
	mostKept  = 20
	mostFiles = 24
	mostBytes = 4 << 10
	mostTotal = 600 << 10
)

// corpora counts the inputs that are kept, and their bytes; a target with too many, or one too long, is an error.
func corpora(top string) (files int, size int64, err error) {
	dirs := map[string]int{}
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != top {
			return fs.SkipDir
		}
		target := filepath.Dir(path)
		if d.IsDir() || filepath.Base(filepath.Dir(target)) != "fuzz" || filepath.Base(filepath.Dir(filepath.Dir(target))) != "testdata" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		size += info.Size()
		if dirs[target]++; dirs[target] == mostFiles+1 {
			return fmt.Errorf("%s holds more than %d inputs", target, mostFiles)
		}
		if info.Size() > mostBytes {
			return fmt.Errorf("%s has more than %d bytes", path, mostBytes)
		}
		return nil
	})
	if err == nil && size > mostTotal {
		err = fmt.Errorf("the inputs that are kept have %d bytes, and may have %d", size, mostTotal)
	}
	return files, size, err
}

// keep copies, for each target, the inputs of the cache that reach more than those which are kept and the seeds.
func (r *runner) keep(ctx context.Context, list []Target) error {
	if err := r.build(ctx, list, "-cover", "-covermode=set", "-coverpkg=./..."); err != nil {
		return err
	}
	for _, t := range list {
		n, err := r.keepFor(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		if n > 0 {
			fmt.Printf("%s: %d kept\n", t, n)
		}
	}
	files, size, err := corpora(r.top)
	fmt.Printf("fuzz: %d inputs are kept, %d bytes\n", files, size)
	return err
}

// candidate is an input of the cache, and what it reaches.
type candidate struct {
	name string
	text []byte
	hit  map[string]bool
}

func (r *runner) keepFor(ctx context.Context, t Target) (kept int, err error) {
	kinds := filepath.Join(r.top, filepath.FromSlash(t.Package), "testdata", "fuzz", t.Name)
	own, err := os.ReadDir(kinds)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	from := filepath.Join(r.cache, filepath.FromSlash(module+t.Package), t.Name)
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// The target runs in a copy of its directory, whose inputs are those of the cache.
	tree, err := os.MkdirTemp(r.dir, "keep-")
	if err != nil {
		return 0, err
	}
	dir, inputs, err := shadow(r.top, tree, t)
	if err != nil {
		return 0, err
	}
	have, err := r.reached(ctx, t, dir, "")
	if err != nil {
		return 0, err
	}
	var list []candidate
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return 0, err
		}
		if len(text) > mostBytes {
			continue
		}
		if err := os.WriteFile(filepath.Join(inputs, e.Name()), text, 0o644); err != nil {
			return 0, err
		}
		hit, err := r.reached(ctx, t, dir, e.Name())
		if err != nil {
			return 0, err
		}
		list = append(list, candidate{e.Name(), text, hit})
	}
	// Each time the one that adds most; of equals the shorter.
	for len(own)+kept < mostKept {
		gain := func(c *candidate) (n int) {
			for b := range c.hit {
				if !have[b] {
					n++
				}
			}
			return n
		}
		if len(list) == 0 {
			break
		}
		best := slices.MaxFunc(list, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(gain(&a), gain(&b)), cmp.Compare(len(b.text), len(a.text)), cmp.Compare(b.name, a.name))
		})
		if gain(&best) == 0 {
			break
		}
		for b := range best.hit {
			have[b] = true
		}
		if err := os.MkdirAll(kinds, 0o755); err != nil {
			return kept, err
		}
		if err := os.WriteFile(filepath.Join(kinds, best.name), best.text, 0o644); err != nil {
			return kept, err
		}
		kept++
	}
	return kept, os.RemoveAll(tree)
}

// shadow makes tree look like the top by links, with inputs of the target that can be added to. dir is that of the
// target's package in it.
func shadow(top, tree string, t Target) (dir, inputs string, err error) {
	way := filepath.Join(filepath.FromSlash(t.Package), "testdata", "fuzz", t.Name)
	inputs = filepath.Join(tree, way)
	if err := os.MkdirAll(inputs, 0o755); err != nil {
		return "", "", err
	}
	parts := append(strings.Split(way, string(filepath.Separator)), "")
	for i, next := range parts {
		at := filepath.Join(parts[:i]...)
		entries, err := os.ReadDir(filepath.Join(top, at))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
		for _, e := range entries {
			if e.Name() == next {
				continue
			}
			if err := os.Symlink(filepath.Join(top, at, e.Name()), filepath.Join(tree, at, e.Name())); err != nil {
				return "", "", err
			}
		}
	}
	return filepath.Join(tree, filepath.FromSlash(t.Package)), inputs, nil
}

// reached are the blocks of code that one input of the target reaches, or all that are there.
func (r *runner) reached(ctx context.Context, t Target, dir, name string) (map[string]bool, error) {
	pattern := "^" + t.Name + "$"
	if name != "" {
		pattern += "/^" + regexp.QuoteMeta(name) + "$"
	}
	profile := filepath.Join(dir, "profile")
	cmd := exec.CommandContext(ctx, r.binary(t.Package), "-test.run="+pattern, "-test.coverprofile="+profile)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, tail(string(out), 20))
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	hit := map[string]bool{}
	for line := range bytes.Lines(text) {
		if block, ok := bytes.CutSuffix(bytes.TrimSpace(line), []byte(" 1")); ok && bytes.HasPrefix(block, []byte(module)) && !bytes.Contains(block, []byte("/integration/")) {
			hit[string(block)] = true
		}
	}
	return hit, nil
}
