// attackdoc writes doc/attacks.md: each attack, the tests that hold it, and what came of
// them in a run.
//
//	go run ./integration/attackdoc -log FILE    FILE is the output of go test -v
//	go run ./integration/attackdoc -commands    prints what makes such a log
//
// Without -log the results are those of the page that is there.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/integration/assurance"
)

const (
	module = "github.com/hardrun/hardrun/"
	page   = "doc/attacks.md"
)

func main() {
	log := flag.String("log", "", "the output of go test -v")
	commands := flag.Bool("commands", false, "print the commands that run all of the tests")
	flag.Parse()
	if *commands {
		fmt.Print(commandLines())
		return
	}
	if err := update(*log); err != nil {
		fmt.Fprintln(os.Stderr, "attackdoc:", err)
		os.Exit(1)
	}
}

func update(log string) error {
	old, err := os.ReadFile(page)
	if err != nil && (log == "" || !os.IsNotExist(err)) {
		return err
	}
	run, results := lastRun(string(old))
	if log != "" {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		outcomes := readLog(string(text))
		if len(outcomes) == 0 {
			return fmt.Errorf("%s: no results of go test -v", log)
		}
		results = map[string]string{}
		for _, a := range attacks {
			results[a.id] = a.result(outcomes)
		}
		run = "on Linux, " + runtime.GOARCH
		if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
			run = "on Linux " + strings.TrimSpace(string(release)) + ", " + runtime.GOARCH
		}
	}
	if err := os.WriteFile(page, []byte(render(run, results)), 0o644); err != nil || log == "" {
		return err
	}
	record := found(results)
	return record.Save()
}

// found is what doc/assurance.md says of a run.
func found(results map[string]string) *assurance.Run {
	passed, failed, skipped, shown := 0, 0, 0, 0
	for _, a := range attacks {
		switch verdict, _, _ := strings.Cut(results[a.id], ":"); verdict {
		case "passed":
			passed++
		case "skipped":
			skipped++
		default: // one that has not run is not known
			failed++
		}
		if a.shown != "" {
			shown++
		}
	}
	all := len(attacks)
	return &assurance.Run{
		Name: "attacks", Title: "What has failed elsewhere, each tried against hardrun", Command: "ATTACKS=1 make test", Page: "attacks.md",
		Figures: []assurance.Figure{
			{Name: "attacks that fail", Value: fmt.Sprintf("%d of %d", passed, all), Goal: fmt.Sprintf("%d of %d", all, all), Met: passed == all},
			assurance.Zero("that work, or were not tried", failed),
			assurance.Zero("skipped", skipped),
			assurance.Count("first shown at work without hardrun, by the same test", shown),
		},
		Notes: []string{"Why the others cannot be shown at work stands in the page."},
	}
}

// byPackage are the names of all tests of the table.
func byPackage() map[string][]string {
	tests := map[string][]string{}
	for _, a := range attacks {
		for _, t := range a.tests {
			dir, name, _ := strings.Cut(t, " ")
			if !slices.Contains(tests[dir], name) {
				tests[dir] = append(tests[dir], name)
			}
		}
	}
	return tests
}

// commandLines run them, a package a line.
func commandLines() string {
	var b strings.Builder
	tests := byPackage()
	for _, dir := range slices.Sorted(maps.Keys(tests)) {
		fmt.Fprintf(&b, "go test -v -count=1 -timeout 40m ./%s -run '^(%s)$'\n", dir, strings.Join(tests[dir], "|"))
	}
	return b.String()
}

// outcome is what came of a test: "PASS", "FAIL", or "SKIP" and why.
type outcome struct{ verdict, why string }

var (
	endLine = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+) \(`)
	place   = regexp.MustCompile(`^ *[a-z_0-9]+\.go:[0-9]+: *`)
)

// readLog is what came of each "package Test" in the output of go test -v. The name of a
// package stands behind its tests. Of subtests the test that holds them tells.
func readLog(text string) map[string]outcome {
	all, own := map[string]outcome{}, map[string]outcome{}
	said := map[string]string{}
	now := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		f := strings.Fields(line)
		switch m := endLine.FindStringSubmatch(line); {
		case m != nil:
			own[m[2]] = outcome{m[1], strings.TrimSpace(said[m[2]])}
		case len(f) >= 3 && f[0] == "===" && (f[1] == "RUN" || f[1] == "CONT" || f[1] == "NAME"):
			now = f[2]
		case len(f) >= 2 && (f[0] == "ok" || f[0] == "FAIL") && strings.HasPrefix(f[1], module):
			for name, o := range own {
				all[strings.TrimPrefix(f[1], module)+" "+name] = o
			}
			own, said, now = map[string]outcome{}, map[string]string{}, ""
		case now != "" && strings.HasPrefix(line, "    "):
			said[now] += place.ReplaceAllString(line, "") + " "
		}
	}
	return all
}

// result is the cell of an attack: "passed", "failed: …", "skipped: …", "not run: …".
func (a *attack) result(outcomes map[string]outcome) string {
	var failed, missing, skipped []string
	for _, t := range a.tests {
		_, name, _ := strings.Cut(t, " ")
		switch o, ran := outcomes[t]; {
		case !ran:
			missing = append(missing, name)
		case o.verdict == "FAIL":
			failed = append(failed, name)
		case o.verdict == "SKIP":
			skipped = append(skipped, name+" "+o.why)
		}
	}
	switch {
	case len(failed) > 0:
		return "failed: " + strings.Join(failed, ", ")
	case len(missing) > 0:
		return "not run: " + strings.Join(missing, ", ")
	case len(skipped) > 0:
		return "skipped: " + strings.ReplaceAll(strings.Join(skipped, "; "), "|", "/")
	}
	return "passed"
}

const headOfRun = "The last run was "

// lastRun reads from a page what render has written there of a run.
func lastRun(text string) (run string, results map[string]string) {
	results = map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, headOfRun); ok {
			run, _, _ = strings.Cut(rest, ":")
		}
		if cells := strings.Split(line, " | "); len(cells) == 6 && strings.HasPrefix(line, "| A") {
			results[strings.TrimPrefix(cells[0], "| ")] = strings.TrimSuffix(cells[5], " |")
		}
	}
	return run, results
}

// render is the page.
func render(run string, results map[string]string) string {
	tested, shown := 0, 0
	counts := map[string]int{}
	for _, a := range attacks {
		if len(a.tests) > 0 {
			tested++
		}
		if a.shown != "" {
			shown++
		}
		verdict, _, _ := strings.Cut(results[a.id], ":")
		counts[verdict]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Attacks

What has failed elsewhere, each tried against hardrun. This page is written by `+"`go run ./integration/attackdoc -log FILE`"+`,
from the table beside that program and the output of `+"`go test -v`"+`; tests hold that it is current.

- Of %d attacks %d have a test.
- %d are first shown at work without hardrun, by the same test: on another launcher, on the tools that one would use in its place, or on
  a small launcher that makes the classic mistake (integration/probe/attack_naive.c). If the attack does not work there, the test fails.
`, len(attacks), tested, shown)
	fmt.Fprintf(&b, "\n"+headOfRun+"%s: %d passed, %d failed, %d skipped in part or whole, %d not run.\n", run, counts["passed"], counts["failed"], counts["skipped"], counts["not run"])
	b.WriteString(`
## What cannot be shown, or not here

`)
	for _, a := range attacks {
		if a.here != "" {
			fmt.Fprintf(&b, "- %s: %s.\n", a.id, a.here)
		}
	}
	b.WriteString(`
## All

The test by which an attack is shown at work without hardrun is in **bold**. Tests without a directory are in integration.

| Id | Attack | Seen in | Tests | Shown without hardrun | Last result |
|---|---|---|---|---|---|
`)
	for _, a := range attacks {
		var names []string
		for _, t := range a.tests {
			dir, name, _ := strings.Cut(t, " ")
			if name == a.shown {
				name = "**" + name + "**"
			}
			if dir != top {
				name = dir + " " + name
			}
			names = append(names, name)
		}
		yes := "yes"
		if a.shown == "" {
			yes = "no"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", a.id, a.what, a.seen, strings.Join(names, ", "), yes, results[a.id])
	}
	b.WriteString("\n## Again\n\n```sh\n" + commandLines() + "```\n")
	return b.String()
}
