package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.syntax(7), "Quoting" and table 1.
func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"none", "", nil},
		{"blanks", " \t\n\r ", nil},
		{"plain", "a  b\tc\nd", []string{"a", "b", "c", "d"}},
		{"the manual's", `"something" "some thing" "..."`, []string{"something", "some thing", "..."}},
		{"single quotes", `'a b' c`, []string{"a b", "c"}},
		{"quote in the other", `"it's" 'say "x"'`, []string{"it's", `say "x"`}},
		{"empty words", `"" ''`, []string{"", ""}},
		{"quotes inside of a word", `a' b 'c"d"`, []string{"a b cd"}},
		{"the observed sed line", `'...'-e '/IAB/d'`, []string{"...-e", "/IAB/d"}},
		{"letters", `\a\b\f\n\r\t\v`, []string{"\a\b\f\n\r\t\v"}},
		{"quoting characters", `\\ \" \'`, []string{`\`, `"`, `'`}},
		{"an escaped space joins", `a\sb`, []string{"a b"}},
		{"hexadecimal", `\x41\x7E`, []string{"A~"}},
		{"octal", `\101\377`, []string{"A\xff"}},
		{"unicode", `\u00fc \U0001F600`, []string{"ü", "😀"}},
		{"escapes in both quotes", `"a\tb" 'a\x41'`, []string{"a\tb", "aA"}},
		{"an escaped quote does not close", `"a\"b" 'c\'d'`, []string{`a"b`, `c'd`}},
		{"no comment, no variable", `a # $b %c`, []string{"a", "#", "$b", "%c"}},
		{"UTF-8", "grün 日本", []string{"grün", "日本"}},
		{"no-break space is no blank", "a\u00a0b", []string{"a\u00a0b"}},
	} {
		if got, err := SplitWords(c.in); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s: SplitWords(%q) = %q, %v, want %q", c.name, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, in, err string }{
		{"double", `a "b c`, `the quote " is not closed`},
		{"single", `a 'b"`, `the quote ' is not closed`},
		{"unknown", `a\-b`, `unknown escape "\\-"`},
		{"unknown rune", `\ü`, `unknown escape "\\ü"`},
		{"blank", `a\ b`, `unknown escape "\\ "`},
		{"at the end", `a\`, "backslash at the end"},
		{"at the end of a quote", `"a\`, "backslash at the end"},
		{"short NUL", `\0`, `escape cut short: "\\0"`},
		{"octal NUL", `\000`, `escape for NUL: "\\000"`},
		{"hexadecimal NUL", `a\x00b`, `escape for NUL: "\\x00"`},
		{"unicode NUL", `\u0000`, `escape for NUL: "\\u0000"`},
		{"octal above a byte", `\777`, `escape for no character: "\\777"`},
		{"octal digits", `\189`, `escape with wrong digits: "\\189"`},
		{"hexadecimal digits", `\xg0`, `escape with wrong digits: "\\xg0"`},
		{"sign", `\x+1`, `escape with wrong digits: "\\x+1"`},
		{"underscore", `\u0_12`, `escape with wrong digits: "\\u0_12"`},
		{"cut short", `\u00f`, `escape cut short: "\\u00f"`},
		{"surrogate", `\ud800`, `escape for no character: "\\ud800"`},
		{"beyond Unicode", `\U00110000`, `escape for no character: "\\U00110000"`},
		{"far beyond", `\Uffffffff`, `escape for no character: "\\Uffffffff"`},
		{"NUL", "a\x00b", "NUL byte"},
	} {
		got, err := SplitWords(c.in)
		if got != nil || err == nil || err.Error() != c.err {
			t.Errorf("%s: SplitWords(%q) = %q, %v, want %s", c.name, c.in, got, err, c.err)
		}
	}
}

func TestQuoteWord(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"A=$b%c~#", "A=$b%c~#"},
		{"", `""`},
		{"a b", `"a b"`},
		{`a"b`, `"a\"b"`},
		{"it's", `"it's"`},
		{`a\b`, `"a\\b"`},
		{"a\nb\tc", `"a\nb\tc"`},
		{"\x01\x7f", `"\x01\x7f"`},
		{"\xff", `"\xff"`},
		{"ü", `"ü"`},
	} {
		if got := QuoteWord(c.in); got != c.want {
			t.Errorf("QuoteWord(%q) = %s, want %s", c.in, got, c.want)
		}
	}
	if _, err := SplitWords(QuoteWord("a\x00")); err == nil {
		t.Error("a word with NUL survives")
	}
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"", `"a b" 'c'd`, `\x41\101\u00fc\U0001F600`, `\`, `"`, "a\x00", `\777`, "\xff\\\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := SplitWords(s)
		if err != nil {
			if words != nil {
				t.Fatalf("%q: an error, and %q", s, words)
			}
			return
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = QuoteWord(w)
		}
		if again, err := SplitWords(strings.Join(quoted, " ")); err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q: %q comes back as %q, %v", s, words, again, err)
		}
	})
}

func FuzzQuoteWord(f *testing.F) {
	for _, s := range []string{"", "a b", "\xff\"'\\", "\x7f\n", "�"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := SplitWords(QuoteWord(s))
		if strings.Contains(s, "\x00") {
			if err == nil {
				t.Fatalf("%q: no error", s)
			}
			return
		}
		if err != nil || len(words) != 1 || words[0] != s {
			t.Fatalf("%q: %q comes back as %q, %v", s, QuoteWord(s), words, err)
		}
	})
}
