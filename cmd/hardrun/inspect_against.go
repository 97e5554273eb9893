package main

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/order"
)

// against is the table of what a process has of what was asked for: what is not there first.
func (t terminal) against(s *seen) string {
	list := append([]inspect.Finding{}, s.findings...)
	rank := [...]int{inspect.Applied: 3, inspect.Weaker: 1, inspect.Missing: 0, inspect.NotCheckable: 2}
	order.By(list, func(a, b *inspect.Finding) bool { return rank[a.State] < rank[b.State] })
	marks := [...]string{"+", "~", "-", "?"}
	if t.symbols {
		marks = [...]string{"✓", "~", "✗", "?"}
	}
	paints := [...]paint{inspect.Applied: faint, inspect.Weaker: warning, inspect.Missing: bad, inspect.NotCheckable: accent}
	var g grid
	var counts [4]int
	for i := range list {
		f := &list[i]
		counts[f.State]++
		p := paints[f.State]
		g.row(cell{marks[f.State] + " " + f.State.String(), p}, cell{f.Directive + "=", p}, cell{visible(f.From.String()), faint}, cell{visible(f.Text), p})
	}
	var b strings.Builder
	t.grid(&b, &g, 0)
	if len(list) > 0 {
		b.WriteString("\n")
	}
	text := t.arrow() + visible(processName(s.Process)) + " against " + visible(s.against) + ": "
	var parts []string
	for _, state := range [...]inspect.State{inspect.Missing, inspect.Weaker, inspect.NotCheckable, inspect.Applied} {
		if n := counts[state]; n > 0 || state == inspect.Applied {
			parts = append(parts, strconv.Itoa(n)+" "+state.String())
		}
	}
	look := good
	if differs(list) {
		look = bad
	}
	if all := strings.Join(parts, ", "); t.width > 0 && cells(text+all) > t.width {
		b.WriteString(strings.TrimRight(text, " ") + "\n")
		for _, line := range wrap(all, t.width-2) {
			b.WriteString("  " + t.paint(look, line) + "\n")
		}
	} else {
		b.WriteString(text + t.paint(look, all) + "\n")
	}
	return b.String()
}
