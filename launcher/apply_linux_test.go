package launcher

import (
	"errors"
	"testing"
)

// A plan in which something is refused applies nothing, whoever calls.
func TestRefusedPlanAppliesNothing(t *testing.T) {
	pl := &Plan{Refused: []Refusal{{Directive: "User", Text: "no"}}}
	var why *Refusal
	if _, err := pl.Apply(nil); !errors.As(err, &why) || why != &pl.Refused[0] {
		t.Errorf("Apply: %v", err)
	}
	if err := pl.ApplyBefore(nil); !errors.As(err, &why) || why != &pl.Refused[0] {
		t.Errorf("ApplyBefore: %v", err)
	}
}
