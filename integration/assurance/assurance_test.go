package assurance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The page is what the records say, and no record says that a goal was missed. Where a record
// is taken away, HARDRUN_UPDATE=1 makes the page of the others.
func TestDocument(t *testing.T) {
	top, err := Top()
	if err != nil {
		t.Fatal(err)
	}
	want, err := Page(top)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("HARDRUN_UPDATE") != "" {
		if err := os.WriteFile(filepath.Join(top, Document), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(top, Document))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the records in %s say: a run writes both", Document, Results)
	}
	runs, err := Load(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		for _, f := range r.Failed() {
			t.Errorf("%s: %s is %s, and must be %s", r.Name, f.Name, f.Value, f.Goal)
		}
		if r.Page != "" {
			if _, err := os.Stat(filepath.Join(top, "doc", r.Page)); err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
		}
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		got  Figure
		want Figure
	}{
		{Zero("a", 0), Figure{"a", "0", "0", true}},
		{Zero("a", 1), Figure{"a", "1", "0", false}},
		{Share("a", 95, 100, 95), Figure{"a", "95.0 % (95 of 100)", "≥ 95 %", true}},
		{Share("a", 949, 1000, 95), Figure{"a", "94.9 % (949 of 1000)", "≥ 95 %", false}},
		{Share("a", 0, 0, 95), Figure{"a", "0.0 % (0 of 0)", "≥ 95 %", false}},
		{Count("a", 7), Figure{Name: "a", Value: "7"}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
	r := Run{Figures: []Figure{Zero("a", 0), Zero("b", 1), Count("c", 2)}}
	if f := r.Failed(); len(f) != 1 || f[0].Name != "b" {
		t.Errorf("failed are %+v", f)
	}
	if err := r.Save(); err == nil || !strings.Contains(err.Error(), "needs a name") {
		t.Errorf("a run without a name: %v", err)
	}
	if got := Span(119 * time.Second); got != "119 s" {
		t.Error(got)
	}
	if got := Span(52*time.Minute + 10*time.Second); got != "52 min" {
		t.Error(got)
	}
}
