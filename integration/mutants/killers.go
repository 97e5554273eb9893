//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardrun/hardrun/integration/mutants/mutant"
	"golang.org/x/sys/unix"
)

// killer is what may notice a mutant: a start, a test of a package, a start in which a call
// fails or lies, or a test of the whole.
type killer struct {
	Kind  string // "start", "test", "fault", "whole"
	Name  string // "everything", "TestDrop", "everything setresuid EPERM 1"
	Of    string // the package of a test
	Argv  []string
	Cost  time.Duration
	Want  string          // of a start
	Fault uint32          `json:",omitempty"` // the call that fails in it
	How   uint32          `json:",omitempty"`
	Notes map[uint32]byte // the places that it reaches
}

func (k *killer) String() string {
	if k.Kind == "test" {
		return "test " + k.Of + "." + k.Name
	}
	return k.Kind + " " + k.Name
}

// useful tells whether a killer gets to where a mutant makes a difference.
func (k *killer) useful(m *Mutant) bool {
	return k.Notes[m.Site]&m.Needs != 0
}

func decodeNotes(list []byte) map[uint32]byte {
	m := map[uint32]byte{}
	for i, b := range list {
		if b != 0 {
			m[uint32(i)] = b
		}
	}
	return m
}

// runner runs mutants against killers, in lanes.
type runner struct {
	*workspace
	lanes   []string // their control groups, or ""
	killers []*killer
	say     func(format string, args ...any)

	controls, alarms atomic.Int64 // trials without a mutant, and how many noticed something

	stopping atomic.Bool // by a signal: what is running is ended, nothing more is begun
}

func (r *runner) notes() int { return len(r.mutants) + 2 }

func (r *runner) open(lane int) (*room, error) {
	return openRoom(r.path(fmt.Sprintf("lane%d", lane)), r.lanes[lane], r.notes())
}

// each hands out n jobs to the lanes. Each job has a room of its own.
func (r *runner) each(n int, job func(lane, i int, in *room) error) error {
	next := make(chan int)
	var wait sync.WaitGroup
	errs := make([]error, len(r.lanes))
	stop := make(chan struct{})
	var once sync.Once
	for lane := range r.lanes {
		wait.Go(func() {
			for i := range next {
				in, err := r.open(lane)
				if err == nil {
					err = errors.Join(job(lane, i, in), in.leave(), sweepGroup(r.lanes[lane]))
				}
				if err != nil {
					errs[lane] = err
					once.Do(func() { close(stop) })
					return
				}
			}
		})
	}
	for i := range n {
		if r.stopping.Load() {
			errs[0] = errors.Join(errs[0], errors.New("stopped by a signal"))
			break
		}
		select {
		case next <- i:
			continue
		case <-stop:
		}
		break
	}
	close(next)
	wait.Wait()
	return errors.Join(errs...)
}

// step is how a killer is run, with a mutant or none.
func (r *runner) step(k *killer, number uint32, note bool) *Step {
	limit := limitOf(k.Cost)
	switch k.Kind {
	case "start", "fault":
		place := r.place("hardrun", r.path("shapes", "hardrun"), number, note)
		place.Fault, place.How = k.Fault, k.How
		return &Step{Argv: k.Argv, Dir: "/", Time: limit, Place: place, Note: note}
	case "test":
		return r.tests(k.Of, []*killer{k}, number, note)
	}
	return &Step{
		Argv: []string{r.binary("integration.test"), "-test.run", "^" + k.Name + "$", "-test.count=1", "-test.failfast", "-test.paniconexit0", "-test.timeout=" + limit.String()},
		Dir:  r.path("plain", "integration"), Env: []string{"HARDRUN=/opt/hardrun"}, Time: limit + 5*time.Second,
		Place: r.place("hardrun", "/opt/hardrun", number, note), Note: note,
	}
}

// limitOf is after what time something is taken not to end that took cost before. What was
// never run gets the most.
func limitOf(cost time.Duration) time.Duration {
	if cost == 0 {
		return 2 * time.Minute
	}
	return 3*time.Second + 5*cost
}

// wait makes the time of a step so many times what it was.
func (s *Step) wait(times int) {
	s.Time *= time.Duration(times)
	for i, a := range s.Argv {
		if text, ok := strings.CutPrefix(a, "-test.timeout="); ok {
			if limit, err := time.ParseDuration(text); err == nil {
				s.Argv[i] = "-test.timeout=" + (limit * time.Duration(times)).String()
			}
		}
	}
}

// tests is how tests of one package are run.
func (r *runner) tests(of string, list []*killer, number uint32, note bool) *Step {
	var names []string
	var cost time.Duration
	for _, k := range list {
		names = append(names, k.Name)
		cost += k.Cost
	}
	limit := limitOf(cost)
	at := "/opt/" + testName(of)
	return &Step{
		Argv: []string{at, "-test.run", "^(" + strings.Join(names, "|") + ")$", "-test.count=1", "-test.failfast", "-test.paniconexit0", "-test.timeout=" + limit.String()},
		Dir:  r.path("tree", of), Time: limit + 5*time.Second, Place: r.place(testName(of), at, number, note), Note: note,
	}
}

// survives runs a killer, which should notice nothing, and answers what is noted.
func (r *runner) survives(in *room, k *killer) (*Result, string, error) {
	res, err := in.do(r.step(k, 0, true))
	if err != nil {
		return nil, "", err
	}
	why := ""
	switch k.Kind {
	case "start", "fault":
		if k.Want == "" {
			k.Want = r.said(res)
		} else if got := r.said(res); got != k.Want {
			why = firstDifference(k.Want, got)
		}
	default:
		if res.Status != 0 || res.Over {
			why = "status " + fmt.Sprint(res.Status) + ": " + firstLines(res.Stdout+res.Stderr, 12)
		}
	}
	return res, why, nil
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("%.200q, not %.200q", b, a)
		}
	}
	return ""
}

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], " | ")
}

// record finds what killers of one kind reach, or reads what was found before.
func (r *runner) record(kind string, list func() ([]*killer, error)) error {
	path := r.path("killers", kind+".json")
	if text, err := os.ReadFile(path); err == nil {
		var found []*killer
		if err := json.Unmarshal(text, &found); err != nil {
			return err
		}
		r.killers = append(r.killers, found...)
		r.say("%s: %d, as recorded", kind, len(found))
		return nil
	}
	all, err := list()
	if err != nil {
		return err
	}
	began := time.Now()
	r.say("%s: %d to record", kind, len(all))
	good := make([]bool, len(all))
	var mu sync.Mutex
	err = r.each(len(all), func(_, i int, in *room) error {
		if i > 0 && i%500 == 0 {
			r.say("%s: %d", kind, i)
		}
		k, tries := all[i], 2
		if kind == "fault" || kind == "whole" { // of the former those that tell something are tried again, of the latter those that notice something
			tries = 1
		}
		for range tries {
			res, why, err := r.survives(in, k)
			if err != nil {
				return fmt.Errorf("%v: %w", k, err)
			}
			if why != "" {
				if kind != "fault" {
					mu.Lock()
					r.say("%v is no killer here: %s", k, why)
					mu.Unlock()
				}
				return nil
			}
			k.Cost = max(k.Cost, res.Took)
			if k.Notes == nil {
				k.Notes = map[uint32]byte{}
			}
			for n, b := range decodeNotes(res.Noted) {
				k.Notes[n] |= b
			}
		}
		good[i] = len(k.Notes) > 0
		return nil
	})
	if err != nil {
		return err
	}
	var found []*killer
	for i, k := range all {
		if good[i] {
			found = append(found, k)
		}
	}
	if kind == "fault" {
		if err := r.traceless(found); err != nil {
			return err
		}
		found = r.telling(found)
		steady := make([]bool, len(found))
		if err := r.each(len(found), func(_, i int, in *room) error {
			_, why, err := r.survives(in, found[i])
			steady[i] = why == ""
			return err
		}); err != nil {
			return err
		}
		for i := len(found) - 1; i >= 0; i-- {
			if !steady[i] {
				found = slices.Delete(found, i, i+1)
			}
		}
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	r.killers = append(r.killers, found...)
	r.say("%s: %d of %d, recorded in %.0f s", kind, len(found), len(all), time.Since(began).Seconds())
	return nil
}

// telling are the starts with a fault that reach what the others do not, no more than five
// for one thing. Of their notes those remain of functions in which there is something new.
func (r *runner) telling(list []*killer) (found []*killer) {
	plain := map[uint32]byte{}
	for _, k := range r.killers {
		if k.Kind == "start" {
			for n, b := range k.Notes {
				plain[n] |= b
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *killer) int { return cmp.Compare(a.Cost, b.Cost) })
	where := map[uint32]string{} // the functions of the places
	for _, m := range r.mutants {
		where[m.Site] = m.File + ":" + m.Func
	}
	times := map[uint32]int{}
	for _, k := range list {
		functions := map[string]bool{}
		for n, b := range k.Notes {
			if b&^mutant.Failed&^plain[n] != 0 && times[n] < 5 {
				times[n]++
				functions[where[n]] = true
			}
		}
		if len(functions) == 0 {
			continue
		}
		// What reads back stands where it is found out.
		maps.DeleteFunc(k.Notes, func(n uint32, _ byte) bool { return !functions[where[n]] })
		found = append(found, k)
	}
	return found
}

// traceless are the calls whose error changes nothing: they say which errors are dropped.
func (r *runner) traceless(list []*killer) error {
	said := map[string]string{}
	for _, k := range r.killers {
		if k.Kind == "start" {
			said[k.Name] = k.Want
		}
	}
	var b strings.Builder
	for _, k := range list {
		start, _, _ := strings.Cut(k.Name, ": ")
		if k.How == errno("EIO") && k.Notes[k.Fault]&mutant.Failed != 0 && k.Want == said[start] {
			b.WriteString(k.Name + "\n")
		}
	}
	return os.WriteFile(r.path("traceless"), []byte(b.String()), 0o644)
}

// startKillers are the starts.
func (r *runner) startKillers() (list []*killer, err error) {
	for _, s := range starts() {
		list = append(list, &killer{Kind: "start", Name: s.name, Argv: r.startArgv(s)})
	}
	return list, nil
}

var testLine = regexp.MustCompile(`(?m)^((?:Test|Example|Fuzz)\w*)$`)

// testKillers are the tests of the packages.
func (r *runner) testKillers() (list []*killer, err error) {
	in, err := r.open(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.leave()) }()
	for _, p := range tested {
		res, err := in.do(&Step{Argv: []string{r.binary(testName(p)), "-test.list", "."}, Dir: r.path("tree", p), Time: time.Minute})
		if err != nil {
			return nil, err
		}
		for _, name := range testLine.FindAllString(res.Stdout, -1) {
			list = append(list, &killer{Kind: "test", Name: name, Of: p})
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no package has tests")
	}
	return list, nil
}

// wholeKillers are the tests of the whole, but for those that start no launch.
func (r *runner) wholeKillers() (list []*killer, err error) {
	in, err := r.open(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.leave()) }()
	res, err := in.do(&Step{Argv: []string{r.binary("integration.test"), "-test.list", "."}, Dir: r.path("plain", "integration"), Env: []string{"HARDRUN=" + r.binary("hardrun")}, Time: time.Minute})
	if err != nil {
		return nil, err
	}
	for _, name := range testLine.FindAllString(res.Stdout, -1) {
		list = append(list, &killer{Kind: "whole", Name: name})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no tests of the whole: %s", firstLines(res.Stdout+res.Stderr, 10))
	}
	return list, nil
}

// faultKillers are starts in which one call that can fail does so once: the cheapest start that
// makes it.
func (r *runner) faultKillers() (list []*killer, err error) {
	starts := slices.DeleteFunc(slices.Clone(r.killers), func(k *killer) bool { return k.Kind != "start" })
	slices.SortFunc(starts, func(a, b *killer) int { return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(a.Name, b.Name)) })
	for _, m := range r.mutants {
		if m.Kind != KindCall {
			continue
		}
		i := slices.IndexFunc(starts, func(k *killer) bool { return k.Notes[m.Site] != 0 })
		if i < 0 {
			continue
		}
		add := func(fault string, how uint32) {
			list = append(list, &killer{
				Kind: "fault", Name: fmt.Sprintf("%s: %s:%d: %s answers %s", starts[i].Name, m.File, m.Line, m.Text, fault), Argv: starts[i].Argv, Fault: m.N, How: how,
			})
		}
		add("nothing, and is not made", mutant.Lie)
		tried := []string{}
		for _, name := range append([]string{"EIO", "EPERM"}, m.Errors...) {
			if how := errno(name); how != 0 && !slices.Contains(tried, name) {
				tried = append(tried, name)
				add(name, how)
			}
		}
	}
	return list, nil
}

// errno is the number of a name, 0 where that is none.
func errno(name string) uint32 {
	for n := range 134 {
		if unix.ErrnoName(unix.Errno(n)) == name {
			return uint32(n)
		}
	}
	return 0
}
