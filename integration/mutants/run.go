//go:build linux

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
)

// outcome is what became of a mutant, as it is kept.
type outcome struct {
	Key    string
	State  string // "killed", "survived", "unreached"
	By     string
	Tried  int
	Detail string
}

// The most that is tried against one mutant.
const (
	mostFaults = 8
	mostWhole  = 5
	mostTime   = 8 * time.Second        // of all but those of the whole; see -most
	together   = 300 * time.Millisecond // tests of one package that run in one process
)

func (w *workspace) run(top string, say func(format string, args ...any)) (err error) {
	began := time.Now()
	r := &runner{workspace: w, say: say}
	var drop func() error
	if r.lanes, drop, err = laneGroups(options.lanes); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stopped
		r.stopping.Store(true)
	}()
	without := strings.Split(options.without, ",")
	for _, k := range []struct {
		kind string
		list func() ([]*killer, error)
	}{{"start", r.startKillers}, {"test", r.testKillers}, {"fault", r.faultKillers}, {"whole", r.wholeKillers}} {
		if slices.Contains(without, k.kind) {
			continue
		}
		if err := r.record(k.kind, k.list); err != nil {
			return err
		}
	}
	name(w.mutants)
	done, err := w.results()
	if err != nil {
		return err
	}
	var todo []*Mutant
	for _, m := range w.mutants {
		o := done[m.named]
		if !chosenBy(options.only, m.named) || o != nil && (o.State == "killed" || !options.survivors) {
			continue
		}
		todo = append(todo, m)
	}
	if options.sample > 0 {
		seed := options.seed
		if seed == 0 {
			seed = rand.Uint64()
		}
		say("seed %d", seed)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		todo = todo[:min(options.sample, len(todo))]
	}
	say("%d mutants to try, of %d", len(todo), len(w.mutants))
	out, err := os.OpenFile(w.path("results"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var mu sync.Mutex
	count := map[string]int{}
	err = r.each(len(todo), func(_, i int, in *room) error {
		if i%controlEach == 0 {
			if err := r.control(in, todo[i]); err != nil {
				return err
			}
		}
		o, err := r.try(in, todo[i])
		if err != nil {
			return fmt.Errorf("%s: %w", todo[i].named, err)
		}
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		count[o.State]++
		if n := count["killed"] + count["survived"] + count["unreached"]; n%200 == 0 {
			say("%d: %d killed, %d survived, %d not reached", n, count["killed"], count["survived"], count["unreached"])
		}
		_, err = out.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	say("%d trials were made without a mutant, and %d noticed something", r.controls.Load(), r.alarms.Load())
	if done, err = w.results(); err != nil {
		return err
	}
	took := ""
	if len(todo) == len(w.mutants) { // not the end of a run that goes on
		took = assurance.Span(time.Since(began))
	}
	return w.report(top, done, took, say)
}

// controlEach is of how many mutants one has its trials made without it.
const controlEach = 25

// control makes the first trials of a mutant without it: nothing may be noticed then.
func (r *runner) control(in *room, m *Mutant) error {
	for i, t := range r.trials(m) {
		if i == 3 {
			break
		}
		why, err := r.notices(in, t, 0, 4)
		if err != nil {
			return err
		}
		r.controls.Add(1)
		if why != "" {
			r.alarms.Add(1)
			r.say("%s notices something where there is no mutant: %s", t, why)
		}
	}
	return nil
}

// chosenBy tells whether a name begins with one of the texts that commas part, or there are none.
func chosenBy(texts, name string) bool {
	return texts == "" || slices.ContainsFunc(strings.Split(texts, ","), func(t string) bool { return strings.HasPrefix(name, t) })
}

// name gives each mutant a name that no other has.
func name(list []*Mutant) {
	times := map[string]int{}
	for _, m := range list {
		m.named = m.Key()
		if times[m.named]++; times[m.named] > 1 {
			m.named += " (" + strconv.Itoa(times[m.Key()]) + ")"
		}
	}
}

// results are those that were found so far, by name.
func (w *workspace) results() (map[string]*outcome, error) {
	done := map[string]*outcome{}
	f, err := os.Open(w.path("results"))
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	} else if err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		o := &outcome{}
		if err := json.Unmarshal(scan.Bytes(), o); err != nil {
			continue // the last one of a run that was ended
		}
		done[o.Key] = o
	}
	return done, errors.Join(scan.Err(), f.Close())
}

// trial is one process that may notice a mutant.
type trial struct {
	killers []*killer
	cost    time.Duration
}

func (t *trial) String() string {
	if len(t.killers) == 1 {
		return t.killers[0].String()
	}
	return fmt.Sprintf("%d tests of %s, the first %s", len(t.killers), t.killers[0].Of, t.killers[0].Name)
}

// trials are what is to be tried: the cheapest first, but for the tests of the whole.
func (r *runner) trials(m *Mutant) (list []*trial) {
	byPackage := map[string][]*killer{}
	for _, k := range r.killers {
		if !k.useful(m) {
			continue
		}
		if k.Kind == "test" {
			byPackage[k.Of] = append(byPackage[k.Of], k)
			continue
		}
		list = append(list, &trial{[]*killer{k}, k.Cost})
	}
	for _, tests := range byPackage {
		slices.SortFunc(tests, func(a, b *killer) int { return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(a.Name, b.Name)) })
		var t *trial
		for _, k := range tests {
			if t == nil || t.cost+k.Cost > together {
				t = &trial{cost: 15 * time.Millisecond}
				list = append(list, t)
			}
			t.killers = append(t.killers, k)
			t.cost += k.Cost - min(k.Cost, 10*time.Millisecond) // the start of the process
		}
	}
	// Tests of the whole come last, and first of them those that reach the least beside it: they are about that.
	whole := func(t *trial) (of time.Duration) {
		if k := t.killers[0]; k.Kind == "whole" {
			of = time.Hour + time.Duration(len(k.Notes))
		}
		return of
	}
	slices.SortFunc(list, func(a, b *trial) int {
		return cmp.Or(cmp.Compare(whole(a), whole(b)), cmp.Compare(a.cost, b.cost), cmp.Compare(a.String(), b.String()))
	})
	return list
}

// try runs a mutant against what reaches it, until something notices.
func (r *runner) try(in *room, m *Mutant) (*outcome, error) {
	o := &outcome{Key: m.named, State: "unreached"}
	var spent time.Duration
	count := map[string]int{}
	for _, t := range r.trials(m) {
		k := t.killers[0]
		if count[k.Kind]++; k.Kind == "fault" && count[k.Kind] > mostFaults || k.Kind == "whole" && count[k.Kind] > mostWhole {
			continue
		}
		if k.Kind != "whole" {
			if spent += t.cost; spent > options.most && o.Tried > 0 {
				continue
			}
		}
		o.State = "survived"
		o.Tried++
		why, err := r.notices(in, t, m.N, 1)
		if err != nil {
			return nil, err
		}
		if why == noEnd || why != "" && k.Kind == "whole" { // the machine may have been busy
			if why, err = r.notices(in, t, m.N, 3); err != nil {
				return nil, err
			}
		}
		if why != "" {
			o.State, o.By, o.Detail = "killed", t.String(), why
			return o, nil
		}
	}
	return o, nil
}

// noEnd is how a mutant is noticed that goes on for ever.
const noEnd = "no end"

// notices tells how a trial notices a mutant: "" for not at all. It gets so many times what is
// enough for it.
func (r *runner) notices(in *room, t *trial, number uint32, patience int) (string, error) {
	k := t.killers[0]
	s := r.step(k, number, false)
	if k.Kind == "test" {
		s = r.tests(k.Of, t.killers, number, false)
	}
	s.wait(patience)
	res, err := in.do(s)
	if err != nil {
		return "", err
	}
	switch {
	case res.Over || strings.Contains(res.Stderr, "panic: test timed out"):
		return noEnd, nil
	case k.Kind == "start" || k.Kind == "fault":
		if got := r.said(res); got != k.Want {
			return firstDifference(k.Want, got), nil
		}
	case res.Status != 0:
		for line := range strings.Lines(res.Stdout) {
			if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
				return strings.TrimSpace(name), nil
			}
		}
		return fmt.Sprintf("status %d: %.200s", res.Status, firstLines(res.Stderr, 2)), nil
	}
	return "", nil
}

// laneGroups makes a control group for each lane, where there is cgroup2.
func laneGroups(n int) (lanes []string, drop func() error, err error) {
	mount, err := cgroup2()
	if err != nil {
		return nil, nil, err
	}
	if mount == "" {
		return make([]string, n), func() error { return nil }, nil
	}
	top := filepath.Join(mount, "hardrun-test."+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(top, 0o755); err != nil {
		return nil, nil, err
	}
	for i := range n {
		lane := filepath.Join(top, fmt.Sprint("lane", i))
		if err := os.Mkdir(lane, 0o755); err != nil {
			return nil, nil, err
		}
		lanes = append(lanes, lane)
	}
	return lanes, func() error {
		err := errors.Join(sweepGroup(top))
		return errors.Join(err, os.Remove(top))
	}, nil
}

// sweepGroup removes the control groups below one. Who was in them has been killed.
func sweepGroup(dir string) (err error) {
	if dir == "" {
		return nil
	}
	for range 400 {
		if err = removeBelow(dir); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func removeBelow(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			path := filepath.Join(dir, e.Name())
			if err := errors.Join(removeBelow(path), os.Remove(path)); err != nil {
				return err
			}
		}
	}
	return nil
}
