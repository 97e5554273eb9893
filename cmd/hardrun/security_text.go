package main

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/order"
)

// levelPaint is the paint of a score.
func levelPaint(s exposure.Score) paint {
	switch {
	case s.Tenths >= 90:
		return terrible
	case s.Tenths >= 75:
		return bad
	case s.Tenths >= 50:
		return warning
	}
	return good
}

// rowPaint is the paint of a row: what is bad by its weight, and what is good is pale.
func rowPaint(i int, r *exposure.Result) paint {
	switch rank(r) {
	case 1:
		return accent
	case 2, 3:
		return faint
	}
	switch weight := exposure.Checks[i].Weight; {
	case weight >= 1500:
		return terrible
	case weight >= 1000:
		return bad
	case weight >= 500:
		return warning
	}
	return plainText
}

// mark is a sign for a row: good, bad, not applicable, not known.
func (t terminal) mark(r *exposure.Result) string {
	marks := [...]string{"-", "?", " ", "+"}
	if t.symbols {
		marks = [...]string{"✗", "?", " ", "✓"}
	}
	return marks[rank(r)]
}

// level is the name of a level, with its face where it can be seen.
func (t terminal) level(s exposure.Score) string {
	l := s.Level()
	if t.symbols {
		return l.Name + " " + l.Face
	}
	return l.Name
}

// arrow points to the line to write, or to the result.
func (t terminal) arrow() string {
	if t.symbols {
		return "→ "
	}
	return "-> "
}

// exposureCell is the share of a row in the score; empty where it has none.
func (s *scored) exposureCell(i int) string {
	n := exposure.Row(i, &s.results[i], &s.results)
	if n == 0 {
		return ""
	}
	return exposure.Score{Tenths: n}.String()
}

// sentence is what a row says: of what is bad what that means, else what was found. Of a process
// it is always what was found.
func (s *scored) sentence(i int) string {
	r := &s.results[i]
	if s.pid != 0 || rank(r) != 0 {
		return visible(r.Why)
	}
	return exposure.Text(i)
}

// security is the table of one unit or process, and what it comes to.
func (t terminal) security(s *scored, by string) string {
	var b strings.Builder
	for _, i := range s.sorted(by) {
		switch {
		case t.width == 0:
			t.lineRow(&b, s, i)
		case t.width < wide:
			t.narrowRow(&b, s, i)
		default:
			t.wideRow(&b, s, i)
		}
	}
	b.WriteString("\n")
	for _, n := range s.said() {
		for j, line := range wrap(visible(n), t.width-2) {
			if j > 0 {
				line = "  " + line
			}
			b.WriteString(t.paint(warning, line) + "\n")
		}
	}
	if n := s.count(1); n > 0 {
		b.WriteString(t.paint(accent, strconv.Itoa(n)+" of "+strconv.Itoa(len(s.results))+" rows cannot be known:") + "\n")
	}
	for _, u := range s.unknown() {
		left := "  " + number(u.n) + "  "
		for _, line := range wrap(visible(u.why), t.width-len(left)) {
			b.WriteString(t.paint(accent, left+line) + "\n")
			left = strings.Repeat(" ", len(left))
		}
	}
	head := t.arrow() + "Overall exposure level for " + shortened(visible(s.name), 200) + ": "
	b.WriteString(head + t.paint(levelPaint(s.total), s.total.String()+" "+t.level(s.total)))
	if n := s.count(1); n > 0 {
		b.WriteString(" (" + strconv.Itoa(len(s.results)-n) + " of " + strconv.Itoa(len(s.results)) + " rows)")
	}
	b.WriteString("\n")
	return b.String()
}

// Columns of the table, and from which width on it has one row for each check.
const (
	wide        = 100
	widest      = 160 // the line to write has a column of its own
	idColumn    = 44  // three identifiers are longer
	longestID   = 59
	textColumn  = 60
	stateColumn = 7 // "applied", "unknown"
)

// left is the mark, the identifier and of a process the state.
func (t terminal) left(s *scored, i, id int) string {
	r := &s.results[i]
	text := t.mark(r) + " " + pad(exposure.Checks[i].ID, id)
	if s.pid != 0 {
		text += "  " + pad(state(r), stateColumn)
	}
	return text
}

// advice is the line to write, where the identifier is not that line itself.
func (s *scored) advice(i int) string {
	if a := s.results[i].Advice; a != exposure.Checks[i].ID {
		return a
	}
	return ""
}

// lineRow is a row for other programs: everything in one line, in columns that are the same in
// every table.
func (t terminal) lineRow(b *strings.Builder, s *scored, i int) {
	line := t.left(s, i, longestID) + "  " + pad(s.sentence(i), textColumn) + "  " + pad(s.exposureCell(i), 3) + "  " + s.results[i].Advice
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// wideRow is a row with columns for all.
func (t terminal) wideRow(b *strings.Builder, s *scored, i int) {
	p := rowPaint(i, &s.results[i])
	id := min(idColumn, t.width*2/5)
	left, cell := t.left(s, i, id), s.exposureCell(i)
	indent := 2 + id + 2
	if s.pid != 0 {
		indent += stateColumn + 2
	}
	width := t.width - indent - 5
	advice := s.advice(i)
	column := 0
	if t.width >= widest {
		width = min(width, textColumn)
		column = t.width - indent - width - 7
	}
	text := wrap(s.sentence(i), width)
	if cells(left) > indent-2 { // the identifier has a line of its own
		b.WriteString(t.paint(p, strings.TrimRight(left, " ")) + "\n")
		left = ""
	}
	var right []string
	if column > 0 && advice != "" {
		right = wrap(advice, column)
	}
	for j := 0; j < max(len(text), len(right)); j++ {
		line, r := "", ""
		if j < len(text) {
			line = text[j]
		}
		if j < len(right) {
			r = right[j]
		}
		if j > 0 {
			left, cell = "", ""
		}
		// What is to be written stands behind the sentence where there is room.
		if rest := width - 2 - cells(line); column == 0 && advice != "" && j == len(text)-1 && cells(t.arrow()+advice) <= rest {
			line = t.sentencePaint(p, line) + "  " + t.paint(accent, t.arrow()+advice) + strings.Repeat(" ", rest-cells(t.arrow()+advice))
			advice = ""
		} else {
			if cell != "" || r != "" {
				line = padCells(line, width)
			}
			line = t.sentencePaint(p, line)
		}
		line = t.paint(p, padCells(left, indent)) + line
		if cell != "" || r != "" {
			line += "  " + t.paint(p, padCells(cell, 3))
		}
		if r != "" {
			line += "  " + t.paint(accent, r)
		}
		b.WriteString(line + "\n")
	}
	if column == 0 && advice != "" {
		t.adviceLines(b, advice, indent)
	}
}

// sentencePaint is a sentence: pale with its row, else as other text.
func (t terminal) sentencePaint(p paint, text string) string {
	if p == faint {
		return t.paint(p, text)
	}
	return text
}

// narrowRow is a row where a column for each would be too narrow: what is bad has its sentence
// and the line to write below it, what is good only says so.
func (t terminal) narrowRow(b *strings.Builder, s *scored, i int) {
	p := rowPaint(i, &s.results[i])
	r := &s.results[i]
	left, text, cell, advice := t.mark(r)+" "+exposure.Checks[i].ID, s.sentence(i), s.exposureCell(i), s.advice(i)
	if rank(r) > 0 {
		const column = 36
		if at := max(column, cells(left)+2); at+cells(text) <= t.width {
			left = padCells(left, at) + text
		}
		b.WriteString(t.paint(p, left) + "\n")
		return
	}
	if s.pid != 0 {
		text = state(r) + ": " + text
	}
	b.WriteString(t.paint(p, strings.TrimRight(padCells(left, t.width-4)+" "+cell, " ")) + "\n")
	lines := wrap(text, t.width-4)
	for j, line := range lines {
		b.WriteString("    " + line)
		if rest := t.width - 6 - cells(line); j == len(lines)-1 && advice != "" && cells(t.arrow()+advice) <= rest {
			b.WriteString("  " + t.paint(accent, t.arrow()+advice))
			advice = ""
		}
		b.WriteString("\n")
	}
	if advice != "" {
		t.adviceLines(b, advice, 4)
	}
}

// adviceLines are lines below a row with what is to be written.
func (t terminal) adviceLines(b *strings.Builder, advice string, indent int) {
	arrow := t.arrow()
	for _, line := range wrap(advice, t.width-indent-cells(arrow)) {
		b.WriteString(strings.Repeat(" ", indent) + t.paint(accent, arrow+line) + "\n")
		arrow = strings.Repeat(" ", cells(arrow))
	}
}

// count is how many rows have that rank.
func (s *scored) count(of int) int {
	n := 0
	for i := range s.results {
		if rank(&s.results[i]) == of {
			n++
		}
	}
	return n
}

// number is one of at most two digits, as wide as two.
func number(n int) string {
	if n < 10 {
		return " " + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// unknownWhy is a reason for which rows cannot be known, and of how many.
type unknownWhy struct {
	why string
	n   int
}

// unknown are the reasons for which rows cannot be known, that of most rows first.
func (s *scored) unknown() (list []unknownWhy) {
rows:
	for i := range s.results {
		r := &s.results[i]
		if rank(r) != 1 {
			continue
		}
		for j := range list {
			if list[j].why == r.Why {
				list[j].n++
				continue rows
			}
		}
		list = append(list, unknownWhy{r.Why, 1})
	}
	order.By(list, func(a, b *unknownWhy) bool { return a.n > b.n })
	return list
}

// summary is a line for each of several, the worst first, and below them what should be known.
func (t terminal) summary(list []scored) string {
	sorted := append([]scored{}, list...)
	order.By(sorted, func(a, b *scored) bool { return a.total.Tenths > b.total.Tenths })
	var g grid
	var b strings.Builder
	for i := range sorted {
		s := &sorted[i]
		p := levelPaint(s.total)
		more := ""
		if n := s.count(1); n > 0 {
			more = strconv.Itoa(n) + " of " + strconv.Itoa(len(s.results)) + " rows cannot be known"
		}
		g.row(cell{visible(s.name), plainText}, cell{s.total.String(), p}, cell{t.level(s.total), p}, cell{more, faint})
	}
	t.grid(&b, &g, 0)
	for i := range sorted {
		s := &sorted[i]
		if s.refused == 0 && len(s.passed) == 0 {
			continue
		}
		var told []string
		if n := len(s.passed); n > 0 {
			told = append(told, count(n, "line")+" that systemd passes over")
		}
		if s.refused > 0 {
			told = append(told, "hardrun itself refuses it")
		}
		for _, line := range wrap("note: "+visible(s.name)+": "+strings.Join(told, "; ")+" (hardrun security "+visible(s.file)+" says more)", t.width) {
			b.WriteString(t.paint(warning, line) + "\n")
		}
	}
	return b.String()
}
