package launcher

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

var updatePlans = flag.Bool("update", false, "write the plans of testdata/plans anew")

// The plans of testdata/plans, by what they are about. A case is a name, its settings, each in a
// line, and the plan for them:
//
//	=== a user loses everything
//	@ without sys_admin
//	User=www
//	---
//	user: set uid 33 (real, effective, saved) [User= :2, 217]
//
// A line with "@" is one of the facts: it changes what is there for a root with everything, aRoot.
// A setting behind "default:" is one that nobody wrote, and one behind "option:" was on the
// command line. What is in the plan of no settings as well is not shown, and stands behind a "-"
// where it is missing; the same holds for what the lines behind a "|" ask for. In brackets are the
// directive and its line, the exit status, and what becomes of a failure.
//
// go test ./launcher -run TestPlans -update writes the plans anew, for somebody to read them.
func TestPlansBase(t *testing.T)        { testPlans(t, "base") }
func TestPlansCredentials(t *testing.T) { testPlans(t, "credentials") }
func TestPlansProcess(t *testing.T)     { testPlans(t, "process") }
func TestPlansStreams(t *testing.T)     { testPlans(t, "streams") }
func TestPlansEnvironment(t *testing.T) { testPlans(t, "environment") }
func TestPlansView(t *testing.T)        { testPlans(t, "view") }
func TestPlansRoot(t *testing.T)        { testPlans(t, "root") }
func TestPlansNamespaces(t *testing.T)  { testPlans(t, "namespaces") }
func TestPlansLandlock(t *testing.T)    { testPlans(t, "landlock") }
func TestPlansFilters(t *testing.T)     { testPlans(t, "filters") }
func TestPlansCGroups(t *testing.T)     { testPlans(t, "cgroups") }
func TestPlansService(t *testing.T)     { testPlans(t, "service") }
func TestPlansWaivers(t *testing.T)     { testPlans(t, "waivers") }

func testPlans(t *testing.T, theme string) {
	name := filepath.Join("testdata", "plans", theme+".txt")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	about, rest, _ := strings.Cut("\n"+string(text), "\n=== ")
	out := strings.TrimPrefix(about, "\n")
	seen := make(map[string]bool)
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, "\n=== ")
		asked, want, _ := strings.Cut(one, "---\n")
		title, asked, _ := strings.Cut(asked, "\n")
		if seen[title] {
			t.Errorf("%s: two cases %q", name, title)
		}
		seen[title] = true
		got, err := planOf(asked)
		if err != nil {
			t.Errorf("%s: %s: %v", name, title, err)
		}
		if out != "" {
			out += "\n"
		}
		out += "=== " + title + "\n" + asked + "---\n" + got
		if got = strings.TrimSpace(got); got != strings.TrimSpace(want) && !*updatePlans {
			t.Errorf("%s: %s\n%s---\ngot\n%s\n\nwant\n%s", name, title, asked, got, want)
		}
	}
	if *updatePlans && out != string(text) {
		if err := os.WriteFile(name, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// planOf is the plan for what a case asks, as text: what it has more than the plan of the
// lines behind "|" alone, and what it has not.
func planOf(asked string) (string, error) {
	p, env, err := caseOf(asked, false)
	if err != nil {
		return "", err
	}
	got := textOf(Compile(p, env))
	var usual []string
	if strings.TrimSpace(asked) != "" {
		if p, env, err = caseOf(asked, true); err != nil {
			return "", err
		}
		usual = textOf(Compile(p, env))
	}
	var b strings.Builder
	for _, s := range got {
		if i := slices.Index(usual, s); i >= 0 {
			usual = slices.Delete(usual, i, i+1)
			continue
		}
		b.WriteString(s + "\n")
	}
	for _, s := range usual {
		if s, _, _ = strings.Cut(s, "\n"); !strings.HasPrefix(s, "environment: [") {
			b.WriteString("- " + s + "\n")
		}
	}
	return b.String(), nil
}

// caseOf reads the lines of a case, or only those behind "|".
func caseOf(asked string, usual bool) (*policy.Policy, *Env, error) {
	p, env := &policy.Policy{}, aRoot()
	env.Aside = true // what notes say of a daemon is notes_test.go's
	for i, line := range strings.Split(strings.TrimSpace(asked), "\n") {
		from := policy.Origin{File: "x.service", Line: i + 1}
		line, both := strings.CutPrefix(line, "| ")
		if line == "" || usual && !both {
			continue
		}
		if words, ok := strings.CutPrefix(line, "@ "); ok {
			if err := changeFacts(env, strings.Fields(words)); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", line, err)
			}
			continue
		}
		line, nobody := strings.CutPrefix(line, "default: ")
		line, option := strings.CutPrefix(line, "option: ")
		switch {
		case nobody:
			from = policy.Origin{Default: true}
		case option:
			from = policy.Origin{File: "option"}
		}
		name, value, _ := strings.Cut(line, "=")
		if err := p.Set(name, value, from); err != nil {
			return nil, nil, err
		}
	}
	return p, env, nil
}
