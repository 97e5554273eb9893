package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/assurance"
)

func TestRecord(t *testing.T) {
	got, err := record([]string{
		"-name", "fuzz", "-title", "Parsers", "-command", "make fuzz", "-page", "fuzz.md", "-seconds", "600", "-note", "A.", "-note", "B.",
		"findings|0|0|met", "killed|90 %|≥ 95 %|missed", "targets|90",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &assurance.Run{
		Name: "fuzz", Title: "Parsers", Command: "make fuzz", Page: "fuzz.md", Took: "10 min", Notes: []string{"A.", "B."},
		Figures: []assurance.Figure{{Name: "findings", Value: "0", Goal: "0", Met: true}, {Name: "killed", Value: "90 %", Goal: "≥ 95 %"}, {Name: "targets", Value: "90"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f := got.Failed(); len(f) != 1 || f[0].Name != "killed" {
		t.Errorf("failed: %+v", f)
	}
}

func TestRefused(t *testing.T) {
	for word, say := range map[string]string{
		"a": "neither", "a|1|0": "neither", "a|1|0|met|x": "neither", "|1": "empty part", "a|": "empty part",
		"a|1|0|yes": "ends neither", "a|1|0|": "empty part",
	} {
		if f, err := figure(word); err == nil || !strings.Contains(err.Error(), say) || f != (assurance.Figure{}) {
			t.Errorf("%q: %+v, %v, want an error with %q", word, f, err, say)
		}
	}
	if _, err := record([]string{"-name", "../a", "a|1"}); err == nil {
		t.Error("a name upwards is taken")
	}
}
