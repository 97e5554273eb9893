// Command bench times launchers side by side: each command of a table once per
// round, in random order, so that what disturbs the machine disturbs all alike.
// It prints the median of each and the median of the per-round ratios to the
// first, which is all that should be quoted.
//
//	bench [-n ROUNDS] NAME=COMMAND...             words of a COMMAND are split at blanks outside of ' '
//	bench [-n ROUNDS] -figures NAME=COMMAND...    the commands time themselves
package main

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

type contender struct {
	name string
	path string
	argv []string
	wall []time.Duration
	cpu  []time.Duration

	figures figures
}

func main() {
	rounds := flag.Int("n", 100, "how often each command runs")
	pause := flag.Duration("pause", 0, "how long the machine is left alone before each start")
	timed := flag.Bool("figures", false, "compare what the commands print, lines of a name and a number")
	flag.Parse()
	var list []*contender
	for _, a := range flag.Args() {
		name, command, ok := strings.Cut(a, "=")
		if !ok {
			fatal(fmt.Errorf("%q is no NAME=COMMAND", a))
		}
		argv := words(command)
		path, err := exec.LookPath(argv[0])
		if err != nil {
			fmt.Printf("%-28s not here: %v\n", name, err)
			continue
		}
		list = append(list, &contender{name: name, path: path, argv: argv})
	}
	if len(list) == 0 {
		fatal(fmt.Errorf("nothing to time"))
	}
	if *timed {
		if err := compareFigures(list, *rounds); err != nil {
			fatal(err)
		}
		return
	}
	order := slices.Clone(list)
	for i := range *rounds + 3 {
		rand.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		for _, c := range order {
			time.Sleep(*pause)
			wall, cpu, err := once(c)
			if err != nil {
				fatal(fmt.Errorf("%s: %w", c.name, err))
			}
			if i >= 3 { // the first rounds warm the caches
				c.wall, c.cpu = append(c.wall, wall), append(c.cpu, cpu)
			}
		}
	}
	fmt.Printf("%-28s %10s %10s %14s\n", "", "wall µs", "cpu µs", "ratio of wall")
	for _, c := range list {
		fmt.Printf("%-28s %10.0f %10.0f %14.2f\n", c.name, micro(median(c.wall)), micro(median(c.cpu)), ratio(c.wall, list[0].wall))
	}
}

// words splits a command at blanks that are not between quotes.
func words(command string) []string {
	var all []string
	var word strings.Builder
	quoted := false
	for _, r := range command + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r != ' ' || quoted:
			word.WriteRune(r)
		case word.Len() > 0:
			all = append(all, word.String())
			word.Reset()
		}
	}
	return all
}

func once(c *contender) (wall, cpu time.Duration, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = null.Close() }()
	start := time.Now()
	pid, err := syscall.ForkExec(c.path, c.argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), null.Fd(), 2}})
	if err != nil {
		return 0, 0, err
	}
	var state syscall.WaitStatus
	var use syscall.Rusage
	for {
		_, err = syscall.Wait4(pid, &state, 0, &use)
		if err != syscall.EINTR {
			break
		}
	}
	wall = time.Since(start)
	if err == nil && state != 0 {
		err = fmt.Errorf("ended with status %#x", int(state))
	}
	return wall, time.Duration(use.Utime.Nano() + use.Stime.Nano()), err
}

func median[T cmp.Ordered](d []T) T {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// ratio is the median over the rounds of a to b.
func ratio[T time.Duration | float64](a, b []T) float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(r)
	return r[len(r)/2]
}

func micro(d time.Duration) float64 { return float64(d) / 1e3 }

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}
