package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.exec(5), Environment=, PassEnvironment= and UnsetEnvironment=.
func TestParseEnvironmentLines(t *testing.T) {
	parsers := map[string]func(string) ([]string, error){
		"Environment": ParseEnvironment, "PassEnvironment": ParsePassEnv, "UnsetEnvironment": ParseUnsetEnv,
	}
	for _, c := range []struct {
		directive, in string
		want          []string
	}{
		{"Environment", `"VAR1=word1 word2" VAR2=word3 "VAR3=$word 5 6"`, []string{"VAR1=word1 word2", "VAR2=word3", "VAR3=$word 5 6"}},
		{"Environment", "A=", []string{"A="}},
		{"Environment", "A=b=c", []string{"A=b=c"}},
		{"Environment", `_a1='x y'z`, []string{"_a1=x yz"}},
		{"Environment", `"A=a\tb\nc"`, []string{"A=a\tb\nc"}},
		{"Environment", "A=1 A=2", []string{"A=1", "A=2"}},
		{"Environment", "A=grün", []string{"A=grün"}},
		{"PassEnvironment", "VAR1 VAR2 VAR3", []string{"VAR1", "VAR2", "VAR3"}},
		{"PassEnvironment", `"_"`, []string{"_"}},
		{"UnsetEnvironment", "A=b C 'D=e f'", []string{"A=b", "C", "D=e f"}},
		{"UnsetEnvironment", "A=", []string{"A="}},
	} {
		if got, err := parsers[c.directive](c.in); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s=%s: %q, %v, want %q", c.directive, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ directive, in, err string }{
		{"Environment", "FOO", `no "=" in "FOO"`},
		{"Environment", "A=b FOO", `no "=" in "FOO"`},
		{"Environment", "=b", `not the name of a variable: ""`},
		{"Environment", "1A=b", `not the name of a variable: "1A"`},
		{"Environment", "0=b", `not the name of a variable: "0"`},
		{"Environment", "9A=b", `not the name of a variable: "9A"`},
		{"Environment", "A-B=c", `not the name of a variable: "A-B"`},
		{"Environment", "A.B=c", `not the name of a variable: "A.B"`},
		{"Environment", "ü=c", `not the name of a variable: "ü"`},
		{"Environment", `"A =c"`, `not the name of a variable: "A "`},
		{"Environment", `"A=\x01"`, "control character in the value of A"},
		{"Environment", `"A=\r"`, "control character in the value of A"},
		{"Environment", `"A=\x7f"`, "control character in the value of A"},
		{"Environment", `"A=\xff"`, "the value of A is not UTF-8"},
		{"Environment", `A=\-`, `unknown escape "\\-"`},
		{"Environment", `A="b`, `the quote " is not closed`},
		{"PassEnvironment", "A=b", `not the name of a variable: "A=b"`},
		{"PassEnvironment", "A,B", `not the name of a variable: "A,B"`},
		{"PassEnvironment", `""`, `not the name of a variable: ""`},
		{"UnsetEnvironment", "1A", `not the name of a variable: "1A"`},
		{"UnsetEnvironment", "A-b", `not the name of a variable: "A-b"`},
		{"UnsetEnvironment", "=", `not the name of a variable: ""`},
	} {
		got, err := parsers[c.directive](c.in)
		if got != nil || err == nil || err.Error() != c.err {
			t.Errorf("%s=%s: %q, %v, want %s", c.directive, c.in, got, err, c.err)
		}
	}
}

// systemd.exec(5), EnvironmentFile=.
func TestParseEnvironmentFile(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"two", "A=b\nC=d\n", []string{"A=b", "C=d"}},
		{"no newline at the end", "A=b", []string{"A=b"}},
		{"empty value", "A=\nB=", []string{"A=", "B="}},
		{"comments", "# A=1\n; B=2\n  # C=3\nD=4 # stays\n", []string{"D=4 # stays"}},
		{"a comment is not continued", "# x \\\nA=1\n", []string{"A=1"}},
		{"no equals sign", "export FOO\nA=b\nBAR", []string{"A=b"}},
		{"blanks around", "  A =\t b c  \n", []string{"A=b c"}},
		{"carriage returns", "A=b\r\nC='d' \r\n", []string{"A=b", "C=d"}},
		{"equals sign in the value", "A=b=c\n", []string{"A=b=c"}},
		{"later one too", "A=1\nA=2\n", []string{"A=1", "A=2"}},
		{"no expansion", "A=$HOME ${X} `id` %n\n", []string{"A=$HOME ${X} `id` %n"}},

		{"unquoted backslash", `A=a\b\\c`, []string{`A=ab\c`}},
		{"unquoted continuation", "A=a\\\nb\nC=d", []string{"A=ab", "C=d"}},
		{"escaped blank at the end", `A=a\  `, []string{"A=a "}},
		{"backslash at the end of the file", `A=a\`, []string{"A=a"}},
		{"quotes behind the first character", `A=a"b" 'c'`, []string{`A=a"b" 'c'`}},

		{"single quotes", `A='a b\n"$'`, []string{`A=a b\n"$`}},
		{"single quotes over lines", "A='a\nb\n'\nC=d", []string{"A=a\nb\n", "C=d"}},
		{"blanks inside and around", "A= ' a '  \n", []string{"A= a "}},

		{"double quotes", `A="a 'b' c"`, []string{"A=a 'b' c"}},
		{"double quotes over lines", "A=\"a\nb\"\n", []string{"A=a\nb"}},
		{"its four escapes", `A="\"\\` + "\\`" + `\$"`, []string{"A=\"\\`$"}},
		{"other backslashes stay", `A="a\b\n"`, []string{`A=a\b\n`}},
		{"continuation", "A=\"a\\\nb\"", []string{"A=ab"}},
		{"comment sign in quotes", "A='#'\nB=\"\n;\"\n", []string{"A=#", "B=\n;"}},

		{"pieces", `A='a'"b" 'c'd e`, []string{"A=abcd e"}},
		{"control codes", "A=\x01\x7f", []string{"A=\x01\x7f"}},
		{"UTF-8", "A=grün\n", []string{"A=grün"}},
		{"neighbours of noncharacters", "A=\ufdcf\ufdf0\ufffd", []string{"A=\ufdcf\ufdf0\ufffd"}},
	} {
		got, err := ParseEnvironmentFile([]byte(c.in))
		if !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s: %q gives %q, %v, want %q", c.name, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, in, err string }{
		{"NUL", "A=b\nC=\x00\n", "line 2: NUL byte"},
		{"NUL in a comment", "#\x00\n", "line 1: NUL byte"},
		{"Latin-1", "A=b\n\nC=gr\xfcn", "line 3: not UTF-8"},
		{"surrogate", "A=\xed\xa0\x80", "line 1: not UTF-8"},
		{"byte order mark", "\ufeffA=b", "line 1: byte order mark"},
		{"the last of a block of noncharacters", "A=\ufdef", "line 1: Unicode noncharacter"},
		{"noncharacter", "A=\ufdd0", "line 1: Unicode noncharacter"},
		{"last noncharacter", "A=\U0010ffff", "line 1: Unicode noncharacter"},
		{"export", "A=b\nexport C=d\n", `line 2: not the name of a variable: "export C"`},
		{"no name", "=b\n", `line 1: not the name of a variable: ""`},
		{"single quote", "A=b\nB='c\nC=d\n", "line 2: the quote ' is not closed"},
		{"double quote", "A=\"b", `line 1: the quote " is not closed`},
		{"escaped double quote", "A=\"b\\\"\n", `line 1: the quote " is not closed`},
		{"backslash at the end of it", "A=\"b\\", `line 1: the quote " is not closed`},
	} {
		got, err := ParseEnvironmentFile([]byte(c.in))
		if got != nil || err == nil || err.Error() != c.err {
			t.Errorf("%s: %q gives %q, %v, want %s", c.name, c.in, got, err, c.err)
		}
	}
}

func FuzzParseEnvironment(f *testing.F) {
	for _, s := range []string{"", `A=b "C=d e"`, "A", `"A=\x01"`, "1=2", "A=b C"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(string) ([]string, error){"Environment": ParseEnvironment, "PassEnvironment": ParsePassEnv, "UnsetEnvironment": ParseUnsetEnv} {
			list, err := parse(s)
			if err != nil {
				if list != nil {
					t.Fatalf("%s=%q: an error, and %q", name, s, list)
				}
				continue
			}
			quoted := make([]string, len(list))
			for i, w := range list {
				quoted[i] = QuoteWord(w)
			}
			if again, err := parse(strings.Join(quoted, " ")); err != nil || !slices.Equal(again, list) {
				t.Fatalf("%s=%q: %q comes back as %q, %v", name, s, list, again, err)
			}
		}
	})
}

// A value in single quotes is verbatim, so a list of values without them can be
// written back.
func FuzzParseEnvironmentFile(f *testing.F) {
	for _, s := range []string{"", "A=b\n#c\nD='e'\n", "A=\"\\\n\\x", "A=\\", "=", "A", "A=\x00", "A='", "A=\"\\"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := ParseEnvironmentFile(content)
		if err != nil {
			if list != nil {
				t.Fatalf("%q: an error, and %q", content, list)
			}
			return
		}
		var text strings.Builder
		for _, a := range list {
			name, value, _ := strings.Cut(a, "=")
			text.WriteString(name + "='" + strings.ReplaceAll(value, "'", `'"'"'`) + "'\n")
		}
		if again, err := ParseEnvironmentFile([]byte(text.String())); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %q comes back as %q, %v", content, list, again, err)
		}
	})
}
