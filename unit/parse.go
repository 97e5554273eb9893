package unit

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardrun/hardrun/policy"
)

// Assignment is one "Name=value" of a file, as it stands there: specifiers are not
// expanded, quotes not removed. An empty value is a reset.
type Assignment struct {
	Section, Name, Value string
	From                 policy.Origin // the line at which it begins
	// Head is the line of the section's header; 0 where it is not known.
	Head int
}

const (
	maxLine = 1 << 20  // LONG_LINE_MAX of systemd.syntax(7), in bytes
	maxFile = 64 << 20 // of a unit file or drop-in, in bytes
	blanks  = " \t\n\r"
)

// Parse reads the text of a unit file or drop-in, systemd.syntax(7). file is its name for
// origins and errors. Sections and names that begin with "X-" are passed over, but for
// those with "X-Hardrun", which are ours. Whether a section or a name is known is not
// looked at.
//
// What is assigned is given also where there are errors, which are Errors of *Error. A line
// which systemd passes over, too (no "=", no name, no section), is one whose Whole is false.
// A NUL, or a carriage return that ends no line, is a line end for systemd and
// refused here: what follows looks like a part of the line before, be it a comment.
func Parse(file string, text []byte) ([]Assignment, error) {
	p := parser{file: file}
	if len(text) > maxFile {
		p.fail(0, true, "larger than "+strconv.Itoa(maxFile>>20)+" MiB")
		return nil, p.errs
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !p.clean(text) {
		return nil, p.errs
	}
	// What is copied as a list grows would be as much again.
	if most := min(bytes.Count(text, []byte{'='}), bytes.Count(text, []byte{'\n'})+1); most > 0 {
		p.list = make([]Assignment, 0, most)
	}
	var joined []byte // the lines so far that end in a backslash
	continued, start := false, 0
	for n := 1; len(text) > 0; n++ {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text, line = rest, bytes.TrimSuffix(line, []byte{'\r'})
		if len(joined)+len(line) > maxLine {
			p.fail(n, true, "line longer than 1 MiB")
			return nil, p.errs
		}
		if s := bytes.TrimLeft(line, blanks); len(s) > 0 && (s[0] == '#' || s[0] == ';') {
			continue
		}
		if !continued {
			start = n
		}
		slashes := len(line) - len(bytes.TrimRight(line, `\`))
		if slashes%2 == 1 {
			joined, continued = append(append(joined, line[:len(line)-1]...), ' '), true
			continue
		}
		if continued {
			line = append(joined, line...)
		}
		p.line(line, start)
		joined, continued = joined[:0], false
	}
	if continued {
		p.line(joined, start)
	}
	return p.list, p.errs.orNil()
}

type parser struct {
	file    string
	section string
	head    int
	ignored bool
	list    []Assignment
	errs    Errors
}

func (p *parser) fail(line int, whole bool, text string) {
	p.errs.add(&Error{File: p.file, Line: line, Text: text, Whole: whole})
}

// clean finds the bytes that would end a line where none is seen.
func (p *parser) clean(text []byte) bool {
	what, at := "NUL byte", bytes.IndexByte(text, 0)
	for i := 0; at < 0; i++ {
		n := bytes.IndexByte(text[i:], '\r')
		if n < 0 {
			return true
		}
		if i += n; i+1 == len(text) || text[i+1] != '\n' {
			what, at = "carriage return within a line", i
		}
	}
	p.fail(1+bytes.Count(text[:at], []byte{'\n'}), true, what)
	return false
}

// line reads a line that is no comment.
func (p *parser) line(line []byte, n int) {
	line = bytes.Trim(line, blanks)
	switch {
	case len(line) == 0:
	case !valid(line):
		p.fail(n, true, "not UTF-8")
	case line[0] == '[':
		p.header(string(line), n)
	case p.ignored:
	case p.section == "":
		p.fail(n, false, "not in a section: "+shown(string(line)))
	default:
		name, value, found := bytes.Cut(line, []byte{'='})
		switch name = bytes.TrimRight(name, blanks); {
		case !found:
			p.fail(n, false, `neither a section nor an assignment, as "=" is missing: `+shown(string(line)))
		case len(name) == 0:
			p.fail(n, false, `no name before "=": `+shown(string(line)))
		case passedOver(string(name)):
		default:
			p.list = append(p.list, Assignment{
				p.section, string(name), string(bytes.TrimLeft(value, blanks)),
				policy.Origin{File: p.file, Line: n},
				p.head,
			})
		}
	}
}

// header begins a section. What is below of one that cannot be read is passed over.
func (p *parser) header(line string, n int) {
	p.section, p.head, p.ignored = "", n, true
	name, closed := strings.CutSuffix(line[1:], "]")
	switch {
	case !closed:
		p.fail(n, true, `section without "]" at the end: `+shown(line))
	case strings.ContainsAny(name, "\"'\\") || control(name):
		p.fail(n, true, "bad character in the section "+shown(line))
	case name == "":
		p.fail(n, false, "section without a name")
	case !strings.HasPrefix(name, "X-"):
		p.section, p.ignored = name, false
	}
}

// passedOver tells whether systemd, and we with it, ignore an assignment to that name.
func passedOver(name string) bool {
	const own = "X-Hardrun"
	return strings.HasPrefix(name, "X-") && (len(name) < len(own) || !strings.EqualFold(name[:len(own)], own))
}

// valid tells whether s is UTF-8 as systemd takes it: without Unicode's noncharacters.
func valid(s []byte) bool {
	for len(s) > 0 {
		r, n := rune(s[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(s)
		}
		if r == utf8.RuneError && n == 1 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return false
		}
		s = s[n:]
	}
	return true
}

func control(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
