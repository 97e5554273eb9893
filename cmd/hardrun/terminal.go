package main

import (
	"os"
	"strings"
)

// terminal is what output is written to. One of no width is none: a pipe or a file, which
// gets no colours, and lines as long as they are.
type terminal struct {
	colour bool
	width  int // columns; 0 for no terminal
	// symbols tells whether marks and faces are to be seen: a locale of UTF-8.
	symbols bool
}

// terminalOf is the terminal behind a descriptor. NO_COLOR (with any text in it) and TERM=dumb
// leave it without colours.
func terminalOf(fd int) terminal {
	columns, is := columnsOf(fd)
	if !is {
		return terminal{symbols: utf8Locale()}
	}
	if columns == 0 {
		columns = 80
	}
	kind := os.Getenv("TERM")
	return terminal{
		colour:  os.Getenv("NO_COLOR") == "" && kind != "" && kind != "dumb",
		width:   columns,
		symbols: utf8Locale(),
	}
}

// utf8Locale tells whether characters are written as UTF-8: locale(7), by the first variable
// that is set.
func utf8Locale() bool {
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.HasSuffix(v, "utf-8") || strings.HasSuffix(v, "utf8")
		}
	}
	return false
}

// paint is how a text looks. The numbers are those of ECMA-48 SGR, and of the sixteen colours
// only such as are to be read on a dark and on a light ground.
type paint string

const (
	plainText paint = ""
	bold      paint = "1"
	faint     paint = "2"
	good      paint = "32"
	warning   paint = "33"
	bad       paint = "31"
	terrible  paint = "1;31"
	accent    paint = "36"
)

// paint is the text in that paint, where there are colours.
func (t terminal) paint(p paint, text string) string {
	if !t.colour || p == plainText || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[m"
}

// visible is printable for what others wrote, and without what turns the direction of a text or
// takes no place in it.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r == 0x61c, r >= 0xe0000 && r <= 0xe0fff:
			return '?'
		}
		return r
	}, printable(text))
}

// cells is how many columns a text takes: wide characters and faces take two, and what
// combines with the one before it takes none.
func cells(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r < 0x300:
			n++
		case r <= 0x36f, r >= 0x200b && r <= 0x200f, r >= 0xfe00 && r <= 0xfe0f:
		case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
			r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
			r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
			n += 2
		default:
			n++
		}
	}
	return n
}

// padCells is a text with blanks behind it, so that it takes n columns.
func padCells(text string, n int) string {
	if k := cells(text); k < n {
		return text + strings.Repeat(" ", n-k)
	}
	return text
}

// wrap breaks a text at blanks, so that no line has more than width columns unless a word
// has. A width of 0 breaks nothing.
func wrap(text string, width int) []string {
	if width <= 0 || cells(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case cells(line)+1+cells(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// cell is a text in a grid.
type cell struct {
	text  string
	paint paint
}

// grid is a table whose columns are as wide as their widest cell. The last column has the rest
// of the line, and is wrapped at the width of a terminal.
type grid struct {
	rows  [][]cell
	tight bool // one blank between columns, not two
}

func (g *grid) row(cells ...cell) { g.rows = append(g.rows, cells) }

// grid writes a table, each line behind indent blanks.
func (t terminal) grid(b *strings.Builder, g *grid, indent int) {
	var widths []int
	for _, row := range g.rows {
		for i := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(row[i].text))
		}
	}
	gap := 2
	if g.tight {
		gap = 1
	}
	at := indent // of the last column
	for i := range max(len(widths)-1, 0) {
		at += widths[i] + gap
	}
	for _, row := range g.rows {
		line, open := strings.Repeat(" ", indent), 0 // open are blanks that are written only before a text
		for i := range row {
			c := &row[i]
			if i < len(widths)-1 || t.width == 0 {
				if c.text != "" {
					line += strings.Repeat(" ", open) + t.paint(c.paint, c.text)
					open = 0
				}
				open += widths[i] + gap - cells(c.text)
				continue
			}
			start := at
			if t.width-at < 20 { // too narrow beside the others
				start = min(indent+4, t.width/2)
			}
			for j, text := range wrap(c.text, max(t.width-start, 10)) {
				switch {
				case text == "":
				case j == 0 && start == at:
					line += strings.Repeat(" ", open) + t.paint(c.paint, text)
				default:
					line += "\n" + strings.Repeat(" ", start) + t.paint(c.paint, text)
				}
			}
		}
		b.WriteString(line + "\n")
	}
}
