// Command fuzzing runs the fuzz targets of the module for a time that is divided among them.
//
//	go run ./integration/fuzzing -time 10m -jobs 2
//
// Each target gets its share by its weight. What it finds stands below testdata/fuzz of the package, as go test
// puts it there, and is said with the line that repeats it; the status is then 1. With -keep it fuzzes nothing, and
// copies from the cache of go test what reaches code that the inputs below testdata/fuzz do not. With -record a run
// of all targets without -run writes its record for doc/assurance.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
)

// least is the shortest time that a target gets: the inputs that are there take some of it.
const least = time.Second

func main() {
	total := flag.Duration("time", 10*time.Minute, "time for all targets together")
	jobs := flag.Int("jobs", runtime.NumCPU(), "targets at a time")
	only := flag.String("run", "", "only targets whose PACKAGE.NAME matches: ^unit[.]FuzzParse$")
	keep := flag.Bool("keep", false, "fuzz nothing; keep what was found before")
	record := flag.Bool("record", false, "write the record")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *total, max(*jobs, 1), *only, *keep, *record); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, total time.Duration, jobs int, only string, keep, record bool) (err error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	top, err := assurance.Top()
	if err != nil {
		return err
	}
	if err := assurance.Begin(); err != nil {
		return err
	}
	all, err := Targets(top)
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(slices.Clone(all), func(t Target) bool { return !match.MatchString(t.String()) })
	if len(list) == 0 {
		return errors.New("there is no such target")
	}
	dir, err := os.MkdirTemp("", "hardrun-fuzz-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env GOCACHE: %w", err)
	}
	r := runner{top: top, dir: dir, cache: filepath.Join(strings.TrimSpace(string(cache)), "fuzz")}
	if keep {
		return r.keep(ctx, list)
	}
	if err := r.build(ctx, list, "-fuzz=."); err != nil {
		return err
	}
	start := time.Now()
	r.fuzz(ctx, list, shares(list, total, jobs), jobs)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	took := time.Since(start)
	r.print(took)
	if record && len(list) == len(all) {
		if err := r.record(took); err != nil {
			return err
		}
	}
	if n := len(r.failed); n > 0 {
		return fmt.Errorf("%d of %d targets have a finding", n, len(list))
	}
	return nil
}

// shares is the time of each target: what its weight is of the whole, with so many at a time.
func shares(list []Target, total time.Duration, jobs int) []time.Duration {
	sum := 0
	for _, t := range list {
		sum += t.Weight
	}
	times := make([]time.Duration, len(list))
	for i, t := range list {
		share := total * time.Duration(min(jobs, len(list))*t.Weight) / time.Duration(sum)
		times[i] = max(min(share, total), least).Round(100 * time.Millisecond)
	}
	return times
}

// outcome is what a target came to.
type outcome struct {
	target Target
	execs  int
	fresh  int // inputs that reached something new
	inputs int // all that are in the cache, and the seeds
	output string
	failed bool
}

type runner struct {
	top, dir, cache string
	done            []outcome
	failed          []outcome
}

func (r *runner) binary(pkg string) string {
	return filepath.Join(r.dir, strings.ReplaceAll(pkg, "/", "-")+".test")
}

// build makes the test binary of each package.
func (r *runner) build(ctx context.Context, list []Target, args ...string) error {
	var packages []string
	for _, t := range list {
		packages = append(packages, t.Package)
	}
	slices.Sort(packages)
	for _, pkg := range slices.Compact(packages) {
		cmd := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", r.binary(pkg)}, args...), "./"+pkg)...)
		cmd.Dir = r.top
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// fuzz runs the targets, those of the longest time first.
func (r *runner) fuzz(ctx context.Context, list []Target, times []time.Duration, jobs int) {
	queue := make(chan int, len(list))
	turn := make([]int, len(list))
	for i := range turn {
		turn[i] = i
	}
	slices.SortStableFunc(turn, func(a, b int) int { return cmp.Compare(times[b], times[a]) })
	for _, i := range turn {
		queue <- i
	}
	close(queue)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range jobs {
		wait.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				o := r.one(ctx, list[i], times[i])
				mu.Lock()
				r.done = append(r.done, o)
				if o.failed {
					r.failed = append(r.failed, o)
				}
				fmt.Println(o.line())
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	slices.SortFunc(r.failed, func(a, b outcome) int { return cmp.Compare(a.target.String(), b.target.String()) })
}

// late is how much longer than its time a target may take: an input that does not end is a finding of the
// fuzzer after ten seconds.
const late = 2 * time.Minute

// one fuzzes a target. Where nothing but the fuzzer's own end of time is said to have failed it is done again, shortly:
// until Go 1.27 it takes the end for a failure when it comes at a bad moment (go.dev/issue/75804). That it does so
// every time is a failure.
func (r *runner) one(ctx context.Context, t Target, d time.Duration) outcome {
	o := r.once(ctx, t, d)
	for range 3 {
		if !o.failed || !o.ended() || ctx.Err() != nil {
			break
		}
		before := o
		o = r.once(ctx, t, 2*time.Second)
		o.execs, o.fresh = o.execs+before.execs, o.fresh+before.fresh
	}
	return o
}

var atEnd = regexp.MustCompile(`(?s)^(fuzz: elapsed: [^\n]*\n)+--- FAIL: Fuzz\w+ \([0-9.]+s\)\n    context deadline exceeded\nFAIL\nexit status 1\n$`)

// ended tells whether nothing is said but that the time is over.
func (o *outcome) ended() bool { return atEnd.MatchString(o.output) }

func (r *runner) once(ctx context.Context, t Target, d time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, d+late)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary(t.Package),
		"-test.run=^$", "-test.fuzz=^"+t.Name+"$", "-test.fuzztime="+d.String(), "-test.fuzzminimizetime=2s", "-test.parallel=1",
		"-test.fuzzcachedir="+filepath.Join(r.cache, filepath.FromSlash(module+t.Package)))
	cmd.Dir = filepath.Join(r.top, filepath.FromSlash(t.Package))
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its worker as well
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	o := outcome{target: t, output: string(out), failed: err != nil}
	if err != nil {
		o.output += err.Error() + "\n"
	}
	o.count()
	return o
}

var progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+) \(total: (\d+)\)`)

// count reads the last line of progress.
func (o *outcome) count() {
	if all := progress.FindAllStringSubmatch(o.output, -1); all != nil {
		last := all[len(all)-1]
		for i, n := range []*int{&o.execs, &o.fresh, &o.inputs} {
			*n, _ = strconv.Atoi(last[i+1]) // the pattern has digits there
		}
	}
}

func (o *outcome) line() string {
	word := "ok  "
	if o.failed {
		word = "FAIL"
	}
	return fmt.Sprintf("%s  %-40s %9d execs %5d new %6d inputs", word, o.target, o.execs, o.fresh, o.inputs)
}

var again = regexp.MustCompile(`(?m)^\s*(go test -run=\S+)$`)

// repeat is the line that runs the input again.
func (o *outcome) repeat() string {
	if m := again.FindStringSubmatch(o.output); m != nil {
		return m[1] + " ./" + o.target.Package
	}
	return "go test -run='^" + o.target.Name + "$' ./" + o.target.Package
}

func (r *runner) print(took time.Duration) {
	for i := range r.failed {
		o := &r.failed[i]
		fmt.Printf("\n== %s\n%s\nfuzz: repeat: %s\n", o.target, tail(o.output, 60), o.repeat())
	}
	execs, fresh := r.sums()
	fmt.Printf("\nfuzz: %d targets, %d with a finding, %d execs, %d new inputs, in %s\n", len(r.done), len(r.failed), execs, fresh, assurance.Span(took))
}

func (r *runner) sums() (execs, fresh int) {
	for i := range r.done {
		execs += r.done[i].execs
		fresh += r.done[i].fresh
	}
	return execs, fresh
}

// tail is the last lines of a text.
func tail(text string, most int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

func (r *runner) record(took time.Duration) error {
	execs, _ := r.sums()
	kept, _, err := corpora(r.top)
	if err != nil {
		return err
	}
	return (&assurance.Run{
		Name:    "fuzz",
		Title:   "Every parser and compiler fed with what a fuzzer makes, and held to what it must be",
		Command: "sh integration/fuzz.sh 10m -record",
		Took:    assurance.Span(took),
		Figures: []assurance.Figure{
			assurance.Zero("targets with a finding", len(r.failed)),
			assurance.Count("fuzz targets", len(r.done)),
			assurance.Count("inputs tried", execs),
			assurance.Count("inputs kept, which every go test tries", kept),
		},
		Notes: []string{"A target asserts more than that nothing panics: what is printed is read back as the same, a filter decides as its rules do, a plan says where each step comes from, and what is refused says why."},
	}).Save()
}
