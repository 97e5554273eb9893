package condition

import (
	"strings"
	"testing"
)

// os-release(5): values are read as a shell reads them.
func TestUnquoted(t *testing.T) {
	for in, want := range map[string]string{
		``:             ``,
		`a`:            `a`,
		`""`:           ``,
		`'a b'`:        `a b`,
		`"a b"`:        `a b`,
		`'a"b'`:        `a"b`,
		`"a'b"`:        `a'b`,
		`'a\b\'`:       `a\b\`,
		`"a\"b\\c\$d"`: `a"b\c$d`,
		"\"a\\`b\"":    "a`b",
		`"a\eb"`:       `a\eb`,
		`a\eb\"c`:      `aeb"c`,
		`a\`:           `a\`,
		`'a'"b"c`:      `abc`,
		`a'b c`:        `ab c`,
		"a\x00b":       "a\x00b",
	} {
		if got := unquoted(in); got != want {
			t.Errorf("%s is read as %s, want %s", in, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		in, want string // "|" between words
		err      string
	}{
		{in: "", want: ""},
		{in: " a\tb\n", want: "a|b"},
		{in: `"a b" 'c d'`, want: "a b|c d"},
		{in: `"a'b" 'c"d'`, want: `a'b|c"d`},
		{in: `a" "b' 'c`, want: "a b c"},
		{in: `a\ b \"c "d\"e" 'f\'g'`, want: `a b|"c|d"e|f'g`},
		{in: `a ''`, want: "a|"},
		{in: "a\x00b", want: "a\x00b"},
		{in: `a\`, err: `a backslash at the end of "a\\"`},
		{in: `a "b`, err: `a quote is not closed in "a \"b"`},
		{in: `a 'b`, err: `a quote is not closed in "a 'b"`},
	} {
		list, err := words(c.in)
		if got := strings.Join(list, "|"); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
		if (err != nil) != (c.err != "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %v, want %s", c.in, err, c.err)
		}
	}
}

// The classes of isalpha(3) in the C locale.
func TestClasses(t *testing.T) {
	const (
		digit = "0123456789"
		lower = "abcdefghijklmnopqrstuvwxyz"
		upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		punct = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
		graph = digit + lower + upper + punct
	)
	control := "\x7f"
	for c := byte(0); c < ' '; c++ {
		control += string(rune(c))
	}
	for class, want := range map[string]string{
		"alpha": lower + upper, "digit": digit, "alnum": digit + lower + upper, "upper": upper, "lower": lower, "space": " \t\n\v\f\r", "blank": " \t",
		"punct": punct, "print": graph + " ", "graph": graph, "cntrl": control, "xdigit": digit + "abcdefABCDEF", "nosuch": "",
	} {
		for n := range 256 {
			if c := byte(n); inClass(class, c) != (strings.IndexByte(want, c) >= 0) {
				t.Errorf("[:%s:] and %q", class, c)
			}
		}
	}
}

// glob(7), "{a,b}": the patterns that one with braces stands for.
func TestBraces(t *testing.T) {
	for pattern, want := range map[string]string{ // blanks between
		"a":             "a",
		"a,b":           "a,b",
		"{a,b}":         "a b",
		"x{a,b}y{c,d}z": "xaycz xaydz xbycz xbydz",
		"{a,{b,c}d,e}f": "af bdf cdf ef",
		"{{a,b},{c,d}}": "a b c d",
		"a,{b,c}":       "a,b a,c",
		"a}{b,c}":       "a}b a}c",
		"a}b":           "a}b",
		"{a}":           "a",
		"x{,y}":         "x xy",
		`\{a,b}`:        `\{a,b}`,
		`{a\,b,c\}d}`:   `a\,b c\}d`,
		"{a,b":          "{a,b",
	} {
		var got []string
		left := maxBraces
		ok, err := braces(pattern, &left, func(p string) (bool, error) {
			got = append(got, p)
			return false, nil
		})
		if ok || err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, %v; want %s", pattern, got, ok, err, want)
		}
	}
}

// What uname(2) says has the names of systemd.unit(5), ConditionArchitecture=.
func TestArchitectures(t *testing.T) {
	for machine, want := range map[string]string{
		"x86_64": "x86-64", "i386": "x86", "i686": "x86", "ppc": "ppc", "ppcle": "ppc-le", "ppc64": "ppc64", "ppc64le": "ppc64-le", "aarch64": "arm64", "aarch64_be": "arm64-be",
		"armv7l": "arm", "armv5teb": "arm-be", "sh4": "sh", "sh4a": "sh", "sh5": "sh64", "sh64": "sh64", "arc": "arc", "arceb": "arc-be", "s390x": "s390x", "riscv64": "riscv64",
		"mips": "mips", "mips64": "mips64", "acme": "", "sh4b": "", "": "",
	} {
		if strings.HasPrefix(nativeArchitecture(), "mips") && strings.HasPrefix(machine, "mips") {
			continue // its names are those of the order of bytes that hardrun was built for
		}
		if got := architectureOf(machine); got != want {
			t.Errorf("%s is %q, want %q", machine, got, want)
		}
	}
}

// Versions from the oldest on, those of one line as new as each other: the order of
// systemd-analyze(1), "compare-versions".
func TestVersions(t *testing.T) {
	order := [][]string{
		{"~"},
		{"~~"},
		{"", "_", "é"},
		{"-1"},
		{"^1"},
		{".1"},
		{"A"},
		{"B"},
		{"Z"},
		{"a", "a{", "a\u00e9", "_a"},
		{"ab"},
		{"z"},
		{"0", "00"},
		{"0.1"},
		{"1~rc1"},
		{"1~rc2"},
		{"1", "01", "1:", "1/", "1_", "+1", "1\u012d"},
		{"1-1"},
		{"1-2"},
		{"1^."},
		{"1^~"},
		{"1^1"},
		{"1.1", "1.01"},
		{"1.2"},
		{"1.10"},
		{"1a"},
		{"2"},
		{"9", "009"},
		{"10"},
		{"999999999999999999999"},
		{"1000000000000000000000"},
	}
	for n, as := range order {
		for m, bs := range order {
			want := compareNumbers(uint64(n), uint64(m))
			for _, a := range as {
				for _, b := range bs {
					if got := compareVersions(a, b); got != want {
						t.Errorf("%q to %q: %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

// What is wrong about a value is told.
func TestMessages(t *testing.T) {
	f := machine(t, map[string]string{"usr/lib/os-release/": ""})
	for s, want := range map[string]string{
		"OSRelease=ID=a":               "read /usr/lib/os-release: is a directory",
		`OSRelease='a`:                 `a quote is not closed in "'a"`,
		`Firmware=smbios-field(a="b)`:  `a quote is not closed in "\"b"`,
		"Firmware=smbios-field(a=b c)": `not a field, an operator and a value: "a=b c"`,
		"KernelVersion=> ":             `no version behind the operator in "> "`,
		"KernelVersion= ":              "no version to compare with",
		"Fraction=":                    "empty value",
		"User=99999999999":             `not an id: "99999999999"`,
		"PathExists=/a/../b":           `a path with "..": "/a/../b"`,
		"Nonsense=/x":                  `unknown condition "Nonsense"`,
		"PathExistsGlob=/" + strings.Repeat("x", maxPattern): "the pattern is longer than 16 KiB",
	} {
		kind, value, _ := strings.Cut(s, "=")
		if holds, err := Eval(kind, value, f); holds || err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %s", s, holds, err, want)
		}
	}
}
