package policy

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// envFile reads the text of a file of EnvironmentFile=.
type envFile struct {
	text string
	pos  int
}

// ParseEnvironmentFile reads the content of a file of EnvironmentFile=,
// systemd.exec(5), into NAME=VALUE in the order of the file; of two with the same
// name the later one counts. Comments begin with "#" or ";" at the start of a line,
// after blanks too, and end with the line, a backslash before its end
// notwithstanding. A line without "=" is ignored.
//
// Errors, with the line: a NUL or what else is no valid character there (the
// manual names noncharacters and the byte order mark), a bad name (systemd drops
// it with a warning: "export A=b" sets nothing), and a quote that the file does not
// close (systemd takes all the rest of it for the value).
func ParseEnvironmentFile(content []byte) ([]string, error) {
	if err := checkText(content); err != nil {
		return nil, err
	}
	f := envFile{text: string(content)}
	var list []string
	for f.nextKey() {
		start := f.pos
		name, found := f.key()
		if !found {
			continue
		}
		err := ParseEnvName(name)
		var value string
		if err == nil {
			value, err = f.value()
		}
		if err != nil {
			line := 1 + strings.Count(f.text[:start], "\n")
			return nil, errors.New("line " + strconv.Itoa(line) + ": " + err.Error())
		}
		list = append(list, name+"="+value)
	}
	return list, nil
}

// checkText finds what may not stand in the file.
func checkText(content []byte) error {
	for i := 0; i < len(content); {
		r, n := rune(content[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(content[i:])
		}
		why := ""
		switch {
		case r == 0:
			why = "NUL byte"
		case r == utf8.RuneError && n == 1:
			why = "not UTF-8"
		case r == 0xfeff:
			why = "byte order mark"
		case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
			why = "Unicode noncharacter"
		}
		if why != "" {
			line := 1 + bytes.Count(content[:i], []byte{'\n'})
			return errors.New("line " + strconv.Itoa(line) + ": " + why)
		}
		i += n
	}
	return nil
}

// until moves to the first of chars, or to the end, and gives what it passed.
func (f *envFile) until(chars string) string {
	start := f.pos
	if n := strings.IndexAny(f.text[start:], chars); n >= 0 {
		f.pos += n
	} else {
		f.pos = len(f.text)
	}
	return f.text[start:f.pos]
}

// nextKey moves over blanks, empty lines and comments; false at the end.
func (f *envFile) nextKey() bool {
	for f.pos < len(f.text) {
		switch c := f.text[f.pos]; {
		case isBlank(c):
			f.pos++
		case c == '#' || c == ';':
			f.until("\n\r")
		default:
			return true
		}
	}
	return false
}

// key reads up to behind the "=". found is false for a line that has none.
func (f *envFile) key() (name string, found bool) {
	name = strings.TrimRight(f.until("=\n\r"), " \t")
	if f.pos == len(f.text) || f.text[f.pos] != '=' {
		return "", false
	}
	f.pos++
	return name, true
}

// value reads what follows the "=": quoted pieces, with the blanks around them cut, and
// from the first other character on an unquoted rest, in which quotes stay.
func (f *envFile) value() (string, error) {
	var v []byte
	for f.pos < len(f.text) {
		switch c := f.text[f.pos]; c {
		case '\n', '\r':
			f.pos++
			return string(v), nil
		case ' ', '\t':
			f.pos++
		case '\'':
			f.pos++
			v = append(v, f.until("'")...)
			if f.pos == len(f.text) {
				return "", errors.New("the quote ' is not closed")
			}
			f.pos++
		case '"':
			f.pos++
			var err error
			if v, err = f.doubleQuoted(v); err != nil {
				return "", err
			}
		default:
			return string(f.unquoted(v)), nil
		}
	}
	return string(v), nil
}

// doubleQuoted reads up to behind the closing quote. A backslash escapes ", \, ` and $,
// joins lines, and stays before anything else.
func (f *envFile) doubleQuoted(v []byte) ([]byte, error) {
	for {
		v = append(v, f.until(`"\`)...)
		if f.pos == len(f.text) {
			return nil, errors.New(`the quote " is not closed`)
		}
		c := f.text[f.pos]
		f.pos++
		if c == '"' {
			return v, nil
		}
		if f.pos == len(f.text) {
			continue
		}
		switch c = f.text[f.pos]; c {
		case '"', '\\', '`', '$':
			v = append(v, c)
		case '\n':
		default:
			v = append(v, '\\', c)
		}
		f.pos++
	}
}

// unquoted reads to behind the end of the line and cuts the blanks before it. A
// backslash keeps the next character, a blank too, and joins lines.
func (f *envFile) unquoted(v []byte) []byte {
	keep := len(v)
	for f.pos < len(f.text) {
		c := f.text[f.pos]
		f.pos++
		switch c {
		case '\n', '\r':
			return v[:keep]
		case ' ', '\t':
			v = append(v, c)
			continue
		case '\\':
			if f.pos == len(f.text) {
				return v
			}
			if c = f.text[f.pos]; c != '\n' && c != '\r' {
				v = append(v, c)
			}
			f.pos++
		default:
			v = append(v, c)
		}
		keep = len(v)
	}
	return v[:keep]
}
