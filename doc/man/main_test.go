package main

import (
	"os"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// The page in the repository is the one that the table makes.
func TestPageIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../hardrun.1")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Page() {
		t.Error("doc/hardrun.1 is stale: make generate")
	}
}

// Every directive stands on the page, and no placeholder does.
func TestPageIsComplete(t *testing.T) {
	page := Page()
	for _, d := range policy.Directives {
		name := escape(d.Name)
		if d.Own {
			name = escape(d.Option)
		}
		if !strings.Contains(page, name) {
			t.Errorf("%s is not on the page", d.Name)
		}
	}
	if strings.Contains(page, "@APPLIED@") || strings.Contains(page, "@OWN@") || strings.Contains(page, "@UNITS@") || strings.Contains(page, "\\-\\-\\fP") || strings.Contains(page, "@NOTED@") || strings.Contains(page, "@REFUSED@") {
		t.Error("a placeholder was left")
	}
}
