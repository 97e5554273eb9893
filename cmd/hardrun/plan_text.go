package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardrun/hardrun/launcher"
)

// planWriter writes a plan for a person. To a pipe or a file it is one line for each step, as
// long as that is; at a terminal it has columns and colours, and is wrapped to the width.
// Nothing is cut.
type planWriter struct {
	strings.Builder
	t terminal
}

// planRow is a line of a plan. directive is as in "User=", origin where it was written.
type planRow struct{ stage, step, directive, origin, because string }

// planHead says for whom a plan is.
func (w *planWriter) planHead(who string) {
	switch who {
	case "root":
		w.line(plainText, "plan for root with every capability (--for=self: for who asks)")
	default:
		w.line(plainText, "plan for the user who asks")
	}
}

// planRows are the steps of a plan as rows.
func planRows(plan *launcher.Plan) []planRow {
	rows := make([]planRow, len(plan.Entries))
	for i := range plan.Entries {
		e := &plan.Entries[i]
		rows[i] = planRow{e.Stage.String(), e.Step.String(), e.Directive, e.Origin.String(), e.Because}
	}
	return rows
}

// rows writes rows, each behind the indent.
func (w *planWriter) rows(rows []planRow, indent string) {
	if w.t.width > 0 {
		w.columns(folded(rows), len(indent))
		return
	}
	stage, what := 0, 0
	for i := range rows {
		stage = max(stage, len(rows[i].stage))
		if n := utf8.RuneCountInString(rows[i].step); n <= 44 {
			what = max(what, n)
		}
	}
	for i := range rows {
		r := &rows[i]
		setting := r.setting()
		if r.because != "" {
			if setting != "" {
				setting += "; "
			}
			setting += "because " + r.because
		}
		w.WriteString(strings.TrimRight(indent+pad(r.stage, stage)+"  "+pad(r.step, what)+"  "+setting, " ") + "\n")
	}
}

// setting is what stands behind a row: "User= --user".
func (r *planRow) setting() string { return strings.TrimSpace(r.directive + " " + r.origin) }

// folded makes one row of neighbours that do the same to many paths. Every path stays.
func folded(rows []planRow) []planRow {
	var out []planRow
	for i := 0; i < len(rows); {
		verb, paths := pathStep(rows[i].step)
		n := 1
		for verb != "" && i+n < len(rows) {
			next := rows[i+n]
			v, path := pathStep(next.step)
			next.step = rows[i].step
			if v != verb || next != rows[i] {
				break
			}
			paths += " " + path
			n++
		}
		row := rows[i]
		if n > 1 {
			row.step = verb + " " + paths
		}
		if n > 3 {
			row.step += " (" + strconv.Itoa(n) + ")"
		}
		out = append(out, row)
		i += n
	}
	return out
}

// pathStep is a step of the form "read-only /proc/sys"; empty for every other one.
func pathStep(step string) (verb, path string) {
	i := strings.Index(step, " /")
	if i < 0 || strings.ContainsAny(step[i+1:], " ,") {
		return "", ""
	}
	return step[:i], step[i+1:]
}

// columns writes rows at a terminal: the name of a stage once, the step, and the setting
// beside it where both have the place. What is too long goes on below the step.
func (w *planWriter) columns(rows []planRow, indent int) {
	stage := 0
	for i := range rows {
		stage = max(stage, cells(rows[i].stage))
	}
	left := indent + stage + 2
	beside := w.beside(rows, left)
	last := ""
	for i := range rows {
		r := &rows[i]
		w.blank(indent)
		name := ""
		if r.stage != last {
			name = r.stage
		}
		last = r.stage
		w.WriteString(w.t.paint(accent, name))
		w.blank(left - indent - cells(name))
		col := w.flow(left, left+2, split(plainText, r.step))
		tail := append(split(plainText, r.directive), split(faint, r.origin)...)
		if len(tail) == 0 && r.because != "" && beside+len("because ")+cells(r.because) <= w.t.width && col+2 <= beside {
			w.blank(beside - col)
			w.flow(beside, beside, split(plainText, "because "+r.because))
			r.because = ""
		}
		switch fits := beside+cells(r.setting()) <= w.t.width; {
		case len(tail) == 0:
		case fits && col+2 <= beside:
			w.blank(beside - col)
			w.flow(beside, beside, tail)
		case col+2+cells(r.setting()) <= w.t.width:
			w.blank(2)
			w.flow(col+2, left+4, tail)
		case fits && w.t.width >= 100:
			w.newLine(beside)
			w.flow(beside, beside, tail)
		default:
			w.newLine(left + 2)
			w.flow(left+2, left+4, tail)
		}
		if r.because != "" {
			w.newLine(left + 2)
			w.flow(left+2, left+4, split(plainText, "because "+r.because))
		}
		w.WriteByte('\n')
	}
}

// beside is the column in which the settings of the most rows have place behind their steps,
// which begin at left.
func (w *planWriter) beside(rows []planRow, left int) int {
	best, most := left, -1
	for col := left + 2; col <= w.t.width*2/3; col++ {
		n := 0
		for i := range rows {
			setting := rows[i].setting()
			if setting != "" && left+cells(rows[i].step)+2 <= col && col+cells(setting) <= w.t.width {
				n++
			}
		}
		if n > most {
			best, most = col, n
		}
	}
	return best
}

// word is a word in its paint. One that is joined stands behind the one before it without a
// blank.
type word struct {
	text   string
	paint  paint
	joined bool
}

// split are the words of a text; blanks that follow each other stay. What a terminal would act
// upon is gone.
func split(p paint, text string) []word {
	if text == "" {
		return nil
	}
	var list []word
	for _, s := range strings.Split(printable(text), " ") {
		joined := false
		for len(s) > 30 { // a line may end behind a comma of a long list
			i := strings.IndexByte(s, ',') + 1
			if i == 0 || i == len(s) {
				break
			}
			list = append(list, word{s[:i], p, joined})
			s, joined = s[i:], true
		}
		list = append(list, word{s, p, joined})
	}
	return list
}

// flow writes words from a column on. Where the line is full it goes on in the next one,
// behind the indent. It answers the column that it came to.
func (w *planWriter) flow(col, indent int, list []word) int {
	run, as := "", plainText // what is in one paint
	flush := func() {
		w.WriteString(w.t.paint(as, run))
		run = ""
	}
	for i := range list {
		s := &list[i]
		n, gap := cells(s.text), " "
		if i == 0 || s.joined {
			gap = ""
		}
		if w.t.width > 0 && i > 0 && col+len(gap)+n > w.t.width && col > indent {
			flush()
			w.newLine(indent)
			col, gap = indent, ""
		}
		if s.paint != as {
			flush()
			w.WriteString(gap)
			as, run = s.paint, s.text
		} else {
			run += gap + s.text
		}
		col += len(gap) + n
	}
	flush()
	return col
}

func (w *planWriter) blank(n int) { w.WriteString(strings.Repeat(" ", max(n, 0))) }

func (w *planWriter) newLine(indent int) {
	w.WriteByte('\n')
	w.blank(indent)
}

// line is a text on a line of its own.
func (w *planWriter) line(p paint, text string) {
	if w.t.width == 0 {
		w.WriteString(text + "\n")
		return
	}
	w.flow(0, 2, split(p, text))
	w.WriteByte('\n')
}

// pair is a line of a list: what, and where that was written.
func (w *planWriter) pair(what, from string) {
	const beside = 44
	if w.t.width == 0 {
		w.WriteString(strings.TrimRight("  "+pad(what, beside-4)+"  "+from, " ") + "\n")
		return
	}
	w.blank(2)
	col := w.flow(2, 4, split(plainText, what))
	switch {
	case from == "":
	case col+2 <= beside && beside+cells(from) <= w.t.width:
		w.blank(beside - col)
		w.flow(beside, 4, split(faint, from))
	case col+2+cells(from) <= w.t.width:
		w.blank(2)
		w.flow(col+2, 4, split(faint, from))
	default:
		w.newLine(4)
		w.flow(4, 6, split(faint, from))
	}
	w.WriteByte('\n')
}

// remark is a line that begins with a word of its own, and may end in an id.
func (w *planWriter) remark(p paint, head, text, id string) {
	if w.t.width == 0 {
		if id != "" {
			text += " [" + id + "]"
		}
		w.WriteString(head + " " + text + "\n")
		return
	}
	indent := 2 + len(head) - len(strings.TrimLeft(head, " "))
	list := append([]word{{text: head, paint: p}}, split(plainText, text)...)
	if id != "" {
		list = append(list, word{text: "[" + id + "]", paint: faint})
	}
	w.flow(0, indent, list)
	w.WriteByte('\n')
}

// rest is what comes behind the steps. What belongs to a service manager is one line.
func (w *planWriter) rest(refused, waived []launcher.Refusal, notes []launcher.Note) {
	for i := range refused {
		w.remark(bad, "refused:", refused[i].Error(), "")
		if h := refused[i].Hint; h != "" {
			w.remark(plainText, "  hint:", h, "")
		}
	}
	for i := range waived {
		w.remark(warning, "waived:", waived[i].Error(), "")
	}
	manager := ""
	for i := range notes {
		n := &notes[i]
		if n.ID == "manager" {
			name, _, _ := strings.Cut(n.Text, "=")
			if name += "="; !strings.HasSuffix(manager, " "+name) { // repeats are one
				manager += " " + name
			}
			continue
		}
		w.remark(notePaint(n), "note:", n.Text, n.ID)
	}
	if manager != "" {
		w.remark(faint, "note:", "what belongs to a service manager is passed over:"+manager, "manager")
	}
}

func notePaint(n *launcher.Note) paint {
	if n.Class == launcher.NoteLint {
		return warning
	}
	return faint
}

// lintText is `plan --lint`: what is refused, and the notes that are findings, one a line. name
// stands for where a setting was written that nobody wrote. There are n of them.
func lintText(t terminal, name string, refused []launcher.Refusal, notes []launcher.Note) (text string, n int) {
	var b strings.Builder
	finding := func(from, text, id string) {
		if from == "" {
			from = name
		}
		if t.width > 0 {
			from, text = printable(from), printable(text)
		}
		b.WriteString(t.paint(bold, from+":") + " " + text + " " + t.paint(faint, "["+id+"]") + "\n")
		n++
	}
	for i := range refused {
		text := refused[i].Text
		if d := refused[i].Directive; d != "" {
			text = d + ": " + text
		}
		finding(refused[i].Origin.String(), text, "refused")
	}
	for i := range notes {
		if notes[i].Class == launcher.NoteLint {
			finding(notes[i].Origin.String(), notes[i].Text, notes[i].ID)
		}
	}
	return b.String(), n
}

// allowed are the notes without those that --allow-note= names.
func allowed(notes []launcher.Note, names []string) []launcher.Note {
	if len(names) == 0 {
		return notes
	}
	return slices.DeleteFunc(slices.Clone(notes), func(n launcher.Note) bool { return slices.Contains(names, n.ID) })
}

func pad(s string, n int) string {
	if k := utf8.RuneCountInString(s); k < n {
		return s + strings.Repeat(" ", n-k)
	}
	return s
}
