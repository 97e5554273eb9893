package order

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBy compares with package slices, which keeps the order of equal elements as well.
func TestBy(t *testing.T) {
	type pair struct{ key, place int }
	for n := range 200 {
		list := make([]pair, n)
		for i := range list {
			list[i] = pair{rand.IntN(n/4 + 1), i}
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, func(a, b pair) int { return a.key - b.key })
		By(list, func(a, b *pair) bool { return a.key < b.key })
		if fmt.Sprint(list) != fmt.Sprint(want) {
			t.Fatalf("%d elements: %v, want %v", n, list, want)
		}
	}
}
