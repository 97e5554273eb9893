//go:build linux

// Package testgroup keeps what tests do to control groups below one that they make and
// remove: hardrun makes the groups of services below the one in which it was started.
package testgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Group is the group of the tests in cgroup2. Where there is none that can be made, Dir
// and Why are as they say.
type Group struct {
	Dir  string // "/sys/fs/cgroup/unified/hardrun-test.812"; "" where there is none
	Path string // the same from the root of the hierarchy
	Why  string // why there is none

	was string // where this process was before
}

// Enter makes the group, and moves this process into one below it, so that the programs
// it starts are there as well.
func Enter() (*Group, error) { return enter("hardrun-test." + strconv.Itoa(os.Getpid())) }

// Below is Enter for a process that is in such a group already, and wants one of its own
// in there.
func Below() (*Group, error) { return enter("worker-" + strconv.FormatInt(time.Now().UnixNano(), 36)) }

func enter(name string) (*Group, error) {
	mount, own, why := find()
	if why != "" {
		return &Group{Why: why}, nil
	}
	g := &Group{was: filepath.Join(mount, own)}
	g.Path = filepath.Join(own, name)
	g.Dir = filepath.Join(mount, g.Path)
	if err := os.MkdirAll(filepath.Join(g.Dir, "tests"), 0o755); err != nil {
		return &Group{Why: err.Error()}, nil
	}
	return g, g.move(filepath.Join(g.Dir, "tests"))
}

// Clean removes the groups that hardrun has made, and that are empty by now.
func (g *Group) Clean() error {
	if g.Dir == "" {
		return nil
	}
	var err error
	for range 200 {
		err = nil
		made, _ := filepath.Glob(filepath.Join(g.Dir, "tests", "hardrun-*")) // the pattern is a good one
		for _, dir := range made {
			err = errors.Join(err, remove(dir))
		}
		if err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// Leave moves this process back, and removes the group with all that is left below it. A
// process that is left there is an error.
func (g *Group) Leave() error {
	if g.Dir == "" {
		return nil
	}
	if err := g.move(g.was); err != nil {
		return err
	}
	var err error
	for range 100 { // who has just ended takes a moment to be gone
		if err = remove(g.Dir); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func (g *Group) move(to string) error {
	return os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("0"), 0)
}

func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, remove(filepath.Join(dir, e.Name())))
		}
	}
	if e := os.Remove(dir); e != nil {
		procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		err = errors.Join(err, fmt.Errorf("%w: processes %q", e, procs))
	}
	return err
}

// find is where cgroup2 is mounted, and the own group in it.
func find() (mount, own, why string) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", "", err.Error()
	}
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", "", err.Error()
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			mount = f[1]
			break
		}
	}
	if mount == "" || own == "" {
		return "", "", "no cgroup2 is mounted"
	}
	return mount, own, ""
}
