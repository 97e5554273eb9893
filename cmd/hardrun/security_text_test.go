package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/policy"
)

// The terminals that texts are made for.
var (
	narrowTerminal = terminal{colour: true, width: 80, symbols: true}
	wideTerminal   = terminal{colour: true, width: 120, symbols: true}
	widestTerminal = terminal{colour: true, width: 200, symbols: true}
	plainTerminal  = terminal{width: 80}
	noTerminal     = terminal{symbols: true}
)

// asInFile compares a text with a file of testdata. With HARDRUN_UPDATE=1 in the environment the
// file is written anew.
func asInFile(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "text", name)
	if os.Getenv("HARDRUN_UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: differs from the file; got\n%s", name, got)
	}
}

// uncoloured is a text without the sequences of colours.
func uncoloured(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, text, _ = strings.Cut(rest, "m")
	}
}

// fits holds a text to a width, and its ends of lines to have no blanks before them.
func fits(t *testing.T, what, text string, width int) {
	t.Helper()
	for line := range strings.Lines(uncoloured(text)) {
		line = strings.TrimSuffix(line, "\n")
		if n := cells(line); width > 0 && n > width {
			t.Errorf("%s: a line of %d columns, wanted are %d: %q", what, n, width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("%s: blanks at the end of %q", what, line)
		}
	}
}

// sampleUnit is a unit whose rows are of all kinds.
func sampleUnit() *scored {
	s := &scored{
		name: "named.service", file: "./named.service",
		passed:  []passed{{policy.Origin{File: "named.service", Line: 7}, "ProtectSystm=: unknown directive"}, {policy.Origin{File: "named.service", Line: 9}, "UMask=: not an octal mode: \"rwx\""}},
		refused: 2, first: "named.service:7: ProtectSystm=: unknown directive",
	}
	for i := range s.results {
		r, c := &s.results[i], &exposure.Checks[i]
		from := policy.Origin{File: "named.service", Line: 100 - i}
		switch {
		case i == 28: // RemoveIPC=
			*r = exposure.Result{NotApplicable: true, Why: "Only a service with a user of its own leaves some"}
		case i%3 == 0 || i == 29:
			r.Badness, r.Why, r.Advice = max(1, c.Range/2), "It is not set", c.ID
			if strings.HasSuffix(c.ID, "=") {
				r.Advice += "yes"
			}
			if i == 0 {
				r.From = from
			}
			if c.Words != "" && strings.HasPrefix(c.ID, "Cap") {
				r.Advice = "CapabilityBoundingSet=~" + c.Words
			}
		default:
			r.Why, r.From = c.ID+"yes is written", from
		}
	}
	s.total = exposure.Sum(&s.results)
	return s
}

// sampleProcess is a process with rows of all states.
func sampleProcess() *scored {
	s := sampleUnit()
	*s = scored{name: "named[812]", pid: 812, results: s.results}
	for i := range s.results {
		r := &s.results[i]
		r.Advice, r.From = "", policy.Origin{}
		switch {
		case i >= 70:
			*r = exposure.Result{Unknown: true, Why: "needs CAP_SYS_ADMIN to read the filter"}
		case i == 9:
			*r = exposure.Result{Unknown: true, Why: "the root of the process may not be looked into"}
		case r.Badness > 0 && i%2 == 0:
			r.Weaker, r.Why = true, "/usr is read-only, /etc can be written to"
		}
	}
	s.total = exposure.Sum(&s.results)
	return s
}

func TestSecurityText(t *testing.T) {
	for _, tt := range []struct {
		file string
		t    terminal
		s    *scored
		by   string
	}{
		{"security-80", narrowTerminal, sampleUnit(), "exposure"},
		{"security-120", wideTerminal, sampleUnit(), "exposure"},
		{"security-200", widestTerminal, sampleUnit(), "exposure"},
		{"security-ascii", plainTerminal, sampleUnit(), "weight"},
		{"security-pipe", noTerminal, sampleUnit(), "name"},
		{"security-file", noTerminal, sampleUnit(), "file"},
		{"security-pid-80", narrowTerminal, sampleProcess(), "exposure"},
		{"security-pid-120", wideTerminal, sampleProcess(), "exposure"},
		{"security-pid-pipe", terminal{}, sampleProcess(), "exposure"},
	} {
		got := tt.t.security(tt.s, tt.by)
		asInFile(t, tt.file, got)
		fits(t, tt.file, got, tt.t.width)
		if has := strings.Contains(got, "\x1b"); has != tt.t.colour {
			t.Errorf("%s: colours: %v, want %v", tt.file, has, tt.t.colour)
		}
		if !tt.t.symbols {
			for _, r := range got {
				if r > 0x7e && !strings.Contains("…", string(r)) { // an identifier of systemd's has it
					t.Errorf("%s: %q is not ASCII", tt.file, r)
				}
			}
		}
		for i := range exposure.Checks {
			if !strings.Contains(got, exposure.Checks[i].ID) {
				t.Errorf("%s: %s is not there", tt.file, exposure.Checks[i].ID)
			}
		}
	}
}

// In a pipe each row is one line, which begins with the mark and the identifier.
func TestSecurityPipe(t *testing.T) {
	s := sampleUnit()
	text := noTerminal.security(s, "exposure")
	table, _, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(table, "\n")
	if len(lines) != len(s.results) {
		t.Fatalf("%d lines, want %d", len(lines), len(s.results))
	}
	for _, line := range lines {
		words := strings.Fields(line)
		if id := words[0]; exposure.Index(id) < 0 && (len(words) < 2 || exposure.Index(words[1]) < 0) {
			t.Errorf("no identifier at the beginning of %q", line)
		}
	}
	if want := "→ Overall exposure level for named.service: " + s.total.String() + " "; !strings.Contains(text, "\n"+want) {
		t.Errorf("%q is not the last line of %q", want, text[max(len(text)-200, 0):])
	}
}

func TestSummary(t *testing.T) {
	good := sampleUnit()
	good.results = [81]exposure.Result{}
	good.name, good.refused, good.passed = "good\x1b[31m.service", 0, nil
	good.total = exposure.Sum(&good.results)
	list := []scored{*good, *sampleUnit(), *sampleProcess()}
	for _, tt := range []struct {
		file string
		t    terminal
	}{{"summary-80", narrowTerminal}, {"summary-pipe", terminal{}}} {
		got := tt.t.summary(list)
		asInFile(t, tt.file, got)
		if i, j := strings.Index(got, "named.service"), strings.Index(got, "good"); i < 0 || j < i {
			t.Errorf("%s: not the worst first:\n%s", tt.file, got)
		}
		if strings.Contains(got, "\x1b[31m.") {
			t.Errorf("%s: the name of a unit paints", tt.file)
		}
	}
}

func TestSecurityJSON(t *testing.T) {
	type form struct {
		Unit     string
		PID      *int
		Exposure json.Number
		Level    string
		Checks   []struct {
			ID       string
			Set      *bool
			Exposure *json.Number
			Weight   int
			Text     string
			State    string
		}
		Ignored []struct{ Origin, Text string }
		Refused *int
	}
	s := sampleUnit()
	var f form
	if err := json.Unmarshal([]byte(securityJSON([]scored{*s}, "exposure", false)), &f); err != nil {
		t.Fatal(err)
	}
	if f.Unit != "named.service" || f.Exposure.String() != s.total.String() || f.Level != s.total.Level().Name || len(f.Checks) != 81 || len(f.Ignored) != 2 || f.PID != nil || *f.Refused != 2 {
		t.Errorf("got %+v", f)
	}
	for _, c := range f.Checks {
		i := exposure.Index(c.ID)
		r := &s.results[i]
		row := exposure.Score{Tenths: exposure.Row(i, r, &s.results)}.String()
		switch {
		case r.NotApplicable && (c.Set != nil || c.Exposure != nil),
			!r.NotApplicable && (c.Set == nil || *c.Set != (r.Badness == 0) || c.Exposure == nil || c.Exposure.String() != row),
			c.Weight != exposure.Checks[i].Weight || c.Text == "" || c.State != "":
			t.Errorf("%s: got %+v for %+v", c.ID, c, r)
		}
	}
	var list []form
	if err := json.Unmarshal([]byte(securityJSON([]scored{*sampleProcess(), *s}, "name", true)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].PID == nil || *list[0].PID != 812 || list[0].Checks[0].State == "" {
		t.Errorf("got %+v", list)
	}

	text := systemdJSON(s, "exposure")
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Errorf("not one line: %q", text)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		i := exposure.Index(row["json_field"].(string))
		if len(row) != 5 || i < 0 || row["name"] != exposure.Checks[i].ID || row["description"] == "" {
			t.Errorf("got %v", row)
			continue
		}
		r := &s.results[i]
		var set, exposed any
		switch {
		case r.NotApplicable:
		case r.Badness == 0:
			set = true
		default:
			set, exposed = false, exposure.Score{Tenths: exposure.Row(i, r, &s.results)}.String()
		}
		if row["set"] != set || row["exposure"] != exposed {
			t.Errorf("%v: want set %v, exposure %v", row, set, exposed)
		}
	}
}

func TestThreshold(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "25": 25, "100": 100, "2.5": 25, "0.0": 0, "10.0": 100, "9.9": 99, "": -1, "101": -1, "10.1": -1, "2.55": -1, "2.": -1, ".5": -1, "-1": -1, "+1": -1, "x": -1, "1e1": -1} {
		got, err := parseThreshold(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, %v, want %d", s, got, err, want)
		}
	}
}
