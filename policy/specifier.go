package policy

import (
	"strings"
	"unicode/utf8"
)

// Specifiers says how the specifiers of systemd.unit(5) are resolved in the value of a
// directive.
type Specifiers uint8

const (
	// NoSpecifiers: "%" is a per cent sign, as in numbers and shares.
	NoSpecifiers Specifiers = iota
	// WholeValue: the value is one text.
	WholeValue
	// InWords: each word by itself, after quotes and escapes were resolved: a specifier
	// that stands for blanks, quotes or colons stays within its word, and one that stands
	// for nothing leaves an empty one.
	InWords
	// InText: as WholeValue, after escapes were resolved.
	InText
	// ByParser: the parser asks Policy.Expand itself, as commands are split first.
	ByParser
)

// resolve gives a value of a unit without specifiers. What was typed as an option has none.
func (p *Policy) resolve(d *Directive, value string, from Origin) (string, error) {
	if p.Expand == nil || from.CommandLine() || strings.IndexByte(value, '%') < 0 {
		return value, nil
	}
	switch d.Specifiers {
	case WholeValue:
		return p.Expand(value)
	case InWords:
		return p.resolveWords(value, true)
	case InText:
		return p.resolveWords(value, false)
	default:
		return value, nil
	}
}

// resolveWords resolves each specifier by itself and writes what it stands for so that
// splitWords takes it as it is, with or without quotes around it.
func (p *Policy) resolveWords(value string, words bool) (string, error) {
	b := make([]byte, 0, 2*len(value))
	quote := byte(0)
	for i := 0; i < len(value); {
		c, n := value[i], 1
		switch {
		case c == '\\' && i+1 < len(value):
			n = 2
		case words && quote == 0 && (c == '"' || c == '\''):
			quote = c
		case words && quote != 0 && c == quote:
			quote = 0
		case c == '%':
			if next := value[i+1:]; next != "" && next[0] != '\\' && next[0] != '"' && next[0] != '\'' && !isBlank(next[0]) {
				_, n = utf8.DecodeRuneInString(next)
				n++
			}
			text, err := p.Expand(value[i : i+n])
			if err != nil {
				return "", err
			}
			if text == "" && words && quote == 0 {
				b = append(b, `""`...)
			}
			b = appendEscaped(b, text, words)
			i += n
			continue
		}
		b = append(b, value[i:i+n]...)
		i += n
	}
	return string(b), nil
}

// appendEscaped appends text with an escape in place of each backslash, and with words of
// whatever parts words and fields.
func appendEscaped(to []byte, text string, words bool) []byte {
	for i := range len(text) {
		c := text[i]
		if c == '\\' || words && (isBlank(c) || c == '"' || c == '\'' || c == ':') {
			to = append(to, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			continue
		}
		to = append(to, c)
	}
	return to
}

const hexDigits = "0123456789abcdef"
