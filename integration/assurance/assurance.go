// Package assurance keeps what the matrices have found when they were run whole, and makes
// doc/assurance.md of it. A record is a file below results, written by the run itself; none is
// written by hand.
package assurance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Figure is a number that a run has found, beside what it must be.
type Figure struct {
	Name  string // of what: "fail-open"
	Value string // "0", "97.3 %", "86 of 86"
	Goal  string // "0", "≥ 95 %"; "" for a number that is only said
	Met   bool   // the value is what the goal says; not looked at where there is no goal
}

// Run is what one matrix has found.
type Run struct {
	Name    string // that of its file: "faults"
	Title   string // what is tried, for a reader: "Every system call made to fail and to lie"
	Command string // what repeats it, from the top of the tree
	Page    string // the page below doc that has all of it, or ""
	Took    string // how long it took, rounded: "52 min"
	Figures []Figure
	Notes   []string // sentences, for what a number does not say

	Machine string // filled in by Save: kernel, architecture, processors
	Tree    string // filled in by Save: the commit that was tried, "with changes" where the tree had some
	Day     string // filled in by Save
}

// Span is a duration as Run.Took has it: in seconds below two minutes, else in minutes.
func Span(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// Zero is a figure whose goal is 0.
func Zero(name string, n int) Figure {
	return Figure{Name: name, Value: fmt.Sprint(n), Goal: "0", Met: n == 0}
}

// Count is a figure without a goal.
func Count(name string, n int) Figure { return Figure{Name: name, Value: fmt.Sprint(n)} }

// Share is n of all as a percentage, whose goal is at least that many per cent.
func Share(name string, n, all, atLeast int) Figure {
	return Figure{
		Name: name, Value: fmt.Sprintf("%.1f %% (%d of %d)", 100*float64(n)/float64(max(all, 1)), n, all),
		Goal: fmt.Sprintf("≥ %d %%", atLeast), Met: all > 0 && 100*n >= atLeast*all,
	}
}

// Failed are the figures that are not what they must be.
func (r *Run) Failed() (list []Figure) {
	for _, f := range r.Figures {
		if f.Goal != "" && !f.Met {
			list = append(list, f)
		}
	}
	return list
}

// begun is the tree that Begin has found.
var begun string

// Begin notes what the sources are: a long run calls it first, so that its record does not
// name sources that came while it ran. Without it Save takes those of its own time.
func Begin() error {
	top, err := Top()
	if err == nil {
		begun, err = tree(top)
	}
	return err
}

// Save writes the record of a run that was whole, and the page anew. A run without a name,
// command or figures is refused.
func (r *Run) Save() error {
	if r.Name == "" || r.Title == "" || r.Command == "" || len(r.Figures) == 0 {
		return errors.New("assurance: a run needs a name, a title, its command and figures")
	}
	top, err := Top()
	if err != nil {
		return err
	}
	if r.Machine, err = machine(); err != nil {
		return err
	}
	if r.Tree = begun; r.Tree == "" {
		if r.Tree, err = tree(top); err != nil {
			return err
		}
	}
	r.Day = time.Now().UTC().Format("2006-01-02")
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(top, Results, r.Name+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	page, err := Page(top)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(top, Document), []byte(page), 0o644)
}

// Results is where the records are, and Document the page of them, from the top of the tree.
const (
	Results  = "integration/assurance/results"
	Document = "doc/assurance.md"
)

// Top is the directory of go.mod above the current one.
func Top() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("assurance: no go.mod above the current directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// machine is what is said of where a run was.
func machine() (string, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(strings.TrimSpace(string(release)), ".", 3) // what follows is the machine's own
	if len(parts) < 2 {
		return "", fmt.Errorf("assurance: the kernel's release is %q", release)
	}
	return fmt.Sprintf("Linux %s.%s %s, %d processors", parts[0], parts[1], runtime.GOARCH, runtime.NumCPU()), nil
}

// tree is the commit of the sources. What a run writes itself is no change.
func tree(top string) (string, error) {
	git := func(argv ...string) (string, error) {
		c := exec.Command("git", append([]string{"-C", top, "-c", "safe.directory=*"}, argv...)...)
		out, err := c.Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--short=10", "HEAD")
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	changed, err := git("status", "--porcelain", "--", ".", ":!doc", ":!"+Results)
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	if changed != "" {
		commit += " with changes"
	}
	return commit, nil
}

// order is that of the page; what is not in it comes last, by name.
var order = []string{"faults", "attacks", "privileges", "kill", "load", "fuzz", "mutants", "mutation", "release"}

// Load reads the records, in the order of the page.
func Load(top string) ([]Run, error) {
	names, err := filepath.Glob(filepath.Join(top, Results, "*.json"))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r Run
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if r.Name+".json" != filepath.Base(name) {
			return nil, fmt.Errorf("%s: holds the record of %q", name, r.Name)
		}
		runs = append(runs, r)
	}
	place := func(r Run) int {
		if i := slices.Index(order, r.Name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return place(a) - place(b) })
	return runs, nil
}

// Page is the text of doc/assurance.md.
func Page(top string) (string, error) {
	runs, err := Load(top)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`# What is tried against hardrun, and what was found

Generated by the runs that it tells of; do not edit. Each writes its own record when it is run whole, by the command that
stands with it (as root, from the top of the tree). Continuous integration runs a sample of the matrices, another one each
time, with the seed printed; these are the whole.

A launcher is never weaker than what it was asked for: whatever call fails, lies or is missing, whoever attacks, and whenever
it is killed, the daemon has exactly the confinement that was asked for, or has not been started and a line says why.

| what | figure | found | goal | |
|---|---|---:|---:|---|
`)
	for _, r := range runs {
		for i, f := range r.Figures {
			title := ""
			if i == 0 {
				title = "[" + r.Title + "](#" + r.Name + ")"
			}
			mark := ""
			switch {
			case f.Goal == "":
			case f.Met:
				mark = "met"
			default:
				mark = "**not met**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", title, f.Name, f.Value, f.Goal, mark)
		}
	}
	for _, r := range runs {
		fmt.Fprintf(&b, "\n## %s\n\n%s.", r.Name, r.Title)
		if r.Page != "" {
			fmt.Fprintf(&b, " All of it: [%s](%s).", r.Page, r.Page)
		}
		fmt.Fprintf(&b, "\n\n    %s\n\n", r.Command)
		fmt.Fprintf(&b, "Last run whole on %s, %s", r.Day, r.Machine)
		if r.Took != "" {
			fmt.Fprintf(&b, ", in %s", r.Took)
		}
		fmt.Fprintf(&b, "; the sources were those of commit %s.\n", r.Tree)
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "\n%s\n", n)
		}
	}
	return b.String(), nil
}
