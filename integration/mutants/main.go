//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/integration/inherited"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == roomWord {
		notes, err := strconv.Atoi(os.Args[4])
		if err == nil {
			err = serveRoom(os.Args[2], os.Args[3], notes)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "room:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

var options struct {
	dir, only, without string
	tests              string
	sample, lanes      int
	seed               uint64
	survivors, write   bool
	asIs               bool
	most               time.Duration
}

func run() error {
	flag.StringVar(&options.dir, "dir", filepath.Join(os.TempDir(), "hardrun-mutants"), "where all is made, and the results are kept")
	flag.StringVar(&options.only, "only", "", "try the mutants whose names begin so: \"caps/\", \"ns/view_linux.go:View.rules\"; several parted by commas")
	flag.StringVar(&options.without, "without", "", "kinds of killers that are not used: start, test, fault, whole")
	flag.StringVar(&options.tests, "tests", "", "try what is not killed against tests that are new, in the workspace as it is: \"launcher:TestPlans.*|TestNotes\"")
	flag.IntVar(&options.sample, "sample", 0, "try no more than so many")
	flag.Uint64Var(&options.seed, "seed", 0, "which sample; 0 for a new one")
	flag.IntVar(&options.lanes, "lanes", 2, "how many at a time")
	flag.BoolVar(&options.survivors, "survivors", false, "try those again that survived")
	flag.BoolVar(&options.write, "update", false, "write doc/mutants.md, and the record where all were tried")
	flag.DurationVar(&options.most, "most", mostTime, "try no longer against one, but for tests of the whole: less for a first round, whose survivors -survivors tries again")
	flag.BoolVar(&options.asIs, "as-is", false, "take what was made there, though the sources may be others now")
	flag.Parse()
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%5.0f  "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
	}
	if err := inherited.ResetSignals(); err != nil {
		return err
	}
	top, err := assurance.Top()
	if err != nil {
		return err
	}
	if err := assurance.Begin(); err != nil {
		return err
	}
	if err := os.MkdirAll(options.dir, 0o755); err != nil {
		return err
	}
	options.asIs = options.asIs || options.tests != ""
	w, err := prepare(top, options.dir, say)
	if err != nil {
		return err
	}
	if options.tests != "" {
		return w.retest(top, say)
	}
	return w.run(top, say)
}
