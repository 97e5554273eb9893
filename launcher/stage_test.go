package launcher

import "testing"

// The reasons for the order are data; this holds the order against them.
func TestOrder(t *testing.T) {
	for _, r := range mustPrecede {
		if r.a >= r.b {
			t.Errorf("%v (%d) stands behind %v (%d): %s", r.a, r.a, r.b, r.b, r.why)
		}
		if r.why == "" {
			t.Errorf("%v before %v: no reason", r.a, r.b)
		}
	}
}

// The order of the design card, in its own words.
func TestOrderOfTheCard(t *testing.T) {
	card := []Stage{StageNamespaces, StageMounts, StageRoot, StageKeepCaps, StageBounding, StageUser, StageNoNewPrivs, StageExec}
	for i := 1; i < len(card); i++ {
		if card[i-1] >= card[i] {
			t.Errorf("%v must come before %v", card[i-1], card[i])
		}
	}
	for s := range stageCount {
		if s.String() == "" {
			t.Errorf("stage %d has no name", s)
		}
	}
}
