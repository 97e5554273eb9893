package policy

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isBlank tells the characters between words, systemd.syntax(7).
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// plainWords splits at blanks where there are no quotes and no escapes.
func plainWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r < 0x80 && isBlank(byte(r)) })
}

// SplitWords splits a value at blanks as systemd.syntax(7), "Quoting": quotes of
// both kinds keep blanks in a word, and C escapes (\a \b \f \n \r \t \v \\ \" \'
// \s \xHH \OOO \uHHHH \UHHHHHHHH) are decoded within and without quotes. A quote may
// open and close inside of a word. The list is nil for no words.
//
// An unbalanced quote, an unknown escape, a backslash at the end and an escape
// that stands for NUL or for no character are errors. (Command lines are more
// lenient in systemd, there an unknown escape stays as it is.)
func SplitWords(s string) ([]string, error) { return splitWords(s, colonsStay) }

// colons says which colons part the fields of a word.
type colons uint8

const (
	colonsStay   colons = iota // none does, and "\:" is an unknown escape
	colonsPart                 // those outside of quotes; "\:" is a colon
	colonsAlways               // those in quotes, too; "\:" is a colon
)

// fieldEnd stands between the fields of a word that splitWords gives. No word has
// a NUL of its own.
const fieldEnd = "\x00"

// splitWords is SplitWords for words whose fields colons part, as in BindPaths=
// and TemporaryFileSystem=, systemd.exec(5).
func splitWords(s string, part colons) ([]string, error) {
	var words []string
	var word []byte
	inWord, quote := false, byte(0)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == 0:
			return nil, errors.New("NUL byte")
		case c == '\\' && part != colonsStay && strings.HasPrefix(s[i+1:], ":"):
			word, inWord = append(word, ':'), true
			i++
		case c == '\\':
			var n int
			var err error
			if word, n, err = appendUnescaped(word, s[i:]); err != nil {
				return nil, err
			}
			inWord = true
			i += n
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true // "" is a word, too
		case quote == 0 && isBlank(c):
			if inWord {
				words, word, inWord = append(words, string(word)), word[:0], false
			}
		case c == ':' && (part == colonsAlways || part == colonsPart && quote == 0):
			word, inWord = append(word, fieldEnd...), true
		default:
			word, inWord = append(word, c), true
		}
		i++
	}
	if quote != 0 {
		return nil, errors.New("the quote " + string(rune(quote)) + " is not closed")
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, nil
}

// simpleEscape is the character that a one-letter escape stands for; 0 for an
// unknown one.
func simpleEscape(c byte) byte {
	switch c {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 's':
		return ' '
	case '\\', '"', '\'':
		return c
	}
	return 0
}

// appendUnescaped decodes the escape that s, with its backslash, begins with. n is
// its length in s.
func appendUnescaped(to []byte, s string) (_ []byte, n int, err error) {
	if len(s) < 2 {
		return nil, 0, errors.New("backslash at the end")
	}
	if c := simpleEscape(s[1]); c != 0 {
		return append(to, c), 2, nil
	}
	digits, base, size := 0, 16, 2 // how many digits, after how many characters
	switch {
	case s[1] == 'x':
		digits = 2
	case s[1] == 'u':
		digits = 4
	case s[1] == 'U':
		digits = 8
	case s[1] >= '0' && s[1] <= '7':
		digits, base, size = 3, 8, 1
	default:
		_, length := utf8.DecodeRuneInString(s[1:])
		return nil, 0, errors.New("unknown escape " + strconv.Quote(s[:1+length]))
	}
	if len(s) < size+digits {
		return nil, 0, errors.New("escape cut short: " + strconv.Quote(s))
	}
	text := s[:size+digits]
	v, err := strconv.ParseUint(text[size:], base, 32)
	if err != nil {
		return nil, 0, errors.New("escape with wrong digits: " + strconv.Quote(text))
	}
	byteWide := digits < 4
	switch {
	case v == 0:
		return nil, 0, errors.New("escape for NUL: " + strconv.Quote(text))
	case byteWide && v > 0xff, !byteWide && (v > utf8.MaxRune || !utf8.ValidRune(rune(v))):
		return nil, 0, errors.New("escape for no character: " + strconv.Quote(text))
	case byteWide:
		return append(to, byte(v)), len(text), nil
	}
	return utf8.AppendRune(to, rune(v)), len(text), nil
}

// QuoteWord prints a word so that SplitWords gives it back: as it is where that
// is possible, else in double quotes with escapes. Per cent and dollar signs are
// no matter of quoting and stay single. A NUL, which no word can have, comes out
// as an escape that SplitWords refuses.
func QuoteWord(s string) string {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] > ' ' && s[i] < 0x7f && s[i] != '"' && s[i] != '\'' && s[i] != '\\'
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == utf8.RuneError && n == 1:
			const hex = "0123456789abcdef"
			b.WriteString(`\x`)
			b.WriteByte(hex[s[i]>>4])
			b.WriteByte(hex[s[i]&15])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

// fieldsText prints the fields of a word so that splitWords parts it in the same
// way, whichever colons part.
func fieldsText(fields ...string) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(':')
		}
		// No escape of QuoteWord has a colon.
		b.WriteString(strings.ReplaceAll(QuoteWord(f), ":", `\:`))
	}
	return b.String()
}
