package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// figures are what a command printed, round after round.
type figures struct {
	names  []string
	values map[string][]float64
}

// compareFigures runs each command once per round, in random order, and prints the
// median of each figure, and of a figure that more than one has the median of the
// per-round ratios of the first to the others.
func compareFigures(list []*contender, rounds int) error {
	order := slices.Clone(list)
	for i := range rounds + 1 {
		rand.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		for _, c := range order {
			cmd := exec.Command(c.path)
			cmd.Args, cmd.Stderr = c.argv, os.Stderr
			out, err := cmd.Output()
			if err == nil && i > 0 { // the first round warms the caches
				err = c.figures.read(string(out))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	fmt.Printf("%-20s", "medians")
	for _, c := range list {
		fmt.Printf(" %16s", c.name)
	}
	fmt.Println()
	first := &list[0].figures
	for _, name := range first.names {
		fmt.Printf("%-20s", name)
		for _, c := range list {
			if v := c.figures.values[name]; len(v) == rounds {
				fmt.Printf(" %16.0f", median(v))
			} else {
				fmt.Printf(" %16s", "-")
			}
		}
		fmt.Println()
	}
	for _, c := range list[1:] {
		for _, name := range first.names {
			if v := c.figures.values[name]; len(v) == rounds {
				fmt.Printf("ratio %s %s %.4f\n", name, strings.ReplaceAll(c.name, " ", "_"), ratio(first.values[name], v))
			}
		}
	}
	return nil
}

func (f *figures) read(out string) error {
	if f.values == nil {
		f.values = map[string][]float64{}
	}
	for line := range strings.Lines(out) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return fmt.Errorf("%q is no figure", line)
		}
		if _, have := f.values[name]; !have {
			f.names = append(f.names, name)
		}
		f.values[name] = append(f.values[name], v)
	}
	return nil
}
