package condition

import (
	"cmp"
	"errors"
	"strings"
)

// blanks part words.
const blanks = " \t\n\r"

// operatorBytes are the characters of operators.
const operatorBytes = "!$<=>"

// systemdVersion is the version whose manual hardrun follows.
const systemdVersion = "262"

// operators by falling length, so that the first that fits is the one.
var operators = [...]string{"!$=", "$=", "<>", "<=", ">=", "==", "!=", "<", ">", "="}

// cutOperator cuts the operator that s begins with; op is empty where it begins with none.
func cutOperator(s string) (op, rest string) {
	for _, o := range &operators {
		if rest, ok := strings.CutPrefix(s, o); ok {
			return o, rest
		}
	}
	return "", s
}

// ordered tells whether a comparison, -1, 0 or 1, is one that the operator asks for.
func ordered(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case "=", "==":
		return c == 0
	case "!=", "<>":
		return c != 0
	case ">=":
		return c >= 0
	}
	return c > 0
}

// compare tells whether a text is as an operator and a value ask: "=" and "!=" compare texts,
// "$=" and "!$=" match a pattern, the others compare versions.
func compare(op, have, want string) bool {
	switch op {
	case "=":
		return have == want
	case "!=":
		return have != want
	case "$=":
		return fnmatch(want, have, false)
	case "!$=":
		return !fnmatch(want, have, false)
	}
	return ordered(op, compareVersions(have, want))
}

// number splits the value of ConditionMemory= and ConditionCPUs=: an operator, ">=" where
// there is none, and a number. Numbers do not match patterns.
func number(value string) (op, rest string) {
	op, rest = cutOperator(value)
	switch op {
	case "$=", "!$=":
		return "", value
	case "":
		op = ">="
	}
	return op, strings.TrimLeft(rest, blanks)
}

// words splits a value at blanks; quotes of both kinds keep blanks in a word, and a backslash
// takes the character behind it as it is.
func words(s string) ([]string, error) {
	var list []string
	var word []byte
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 == len(s):
			return nil, bad("a backslash at the end of", s)
		case c == '\\':
			i++
			word, in = append(word, s[i]), true
		case c == quote && quote != 0:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			if in {
				list, word, in = append(list, string(word)), nil, false
			}
		default:
			word, in = append(word, c), true
		}
	}
	if quote != 0 {
		return nil, bad("a quote is not closed in", s)
	}
	if in {
		list = append(list, string(word))
	}
	return list, nil
}

// expressions tells whether a version is as all expressions of a list ask. One without an
// operator is a pattern. Behind the operator of the first there may be blanks.
func expressions(value, have string) (bool, error) {
	list, err := words(value)
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		return false, errors.New("no version to compare with")
	}
	holds := true
	for n := 0; n < len(list); n++ {
		op, want := cutOperator(strings.Trim(list[n], blanks))
		if op == "" {
			op = "$="
		}
		want = strings.TrimLeft(want, blanks)
		if want == "" && n == 0 && len(list) > 1 {
			n++
			want = list[n]
		}
		if want == "" {
			return false, bad("no version behind the operator in", value)
		}
		holds = holds && compare(op, have, want)
	}
	return holds, nil
}

func (f *Facts) kernelVersion(value string) (bool, error) {
	have, err := f.uname(unameRelease)
	if err != nil {
		return false, err
	}
	return expressions(value, have)
}

func (f *Facts) version(value string) (bool, error) {
	name, rest := value, ""
	if n := strings.IndexAny(value, operatorBytes+blanks); n >= 0 {
		name, rest = value[:n], value[n:]
	}
	switch name {
	case "kernel":
		return f.kernelVersion(rest)
	case "systemd":
		return expressions(rest, systemdVersion)
	case "glibc":
		if _, err := expressions(rest, ""); err != nil {
			return false, err
		}
		return false, notEvaluated("hardrun is not linked with glibc")
	}
	return f.kernelVersion(value)
}

// compareVersions is -1, 0 or 1 as version a is older than b, as new, or newer, by the order
// of systemd-analyze(1), "compare-versions". It is that of the UAPI group's Version Format
// Specification but for two things: a part that begins with "^" is older than one that begins
// with ".", a digit or a letter, and no number at all older than 0.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, noVersion), strings.TrimLeftFunc(b, noVersion)
		var r int
		if a, b, r = separator(a, b, '~'); r != 0 {
			return r
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		if a, b, r = separator(a, b, '-'); r != 0 {
			return r
		}
		if a, b, r = separator(a, b, '^'); r != 0 {
			return r
		}
		if a, b, r = separator(a, b, '.'); r != 0 {
			return r
		}
		var x, y string
		if isDigit(a) || isDigit(b) {
			x, a = prefix(a, isDigit)
			y, b = prefix(b, isDigit)
			if x == "" || y == "" {
				return cmp.Compare(len(x), len(y))
			}
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			r = cmp.Compare(len(x), len(y))
		} else {
			x, a = prefix(a, isLetter)
			y, b = prefix(b, isLetter)
		}
		if r == 0 {
			r = cmp.Compare(x, y)
		}
		if r != 0 {
			return r
		}
	}
}

// separator compares whether a and b begin with c. Where one does, that one is older; where
// both do, it is cut.
func separator(a, b string, c byte) (string, string, int) {
	x, y := a != "" && a[0] == c, b != "" && b[0] == c
	switch {
	case x && y:
		return a[1:], b[1:], 0
	case x:
		return a, b, -1
	case y:
		return a, b, 1
	}
	return a, b, 0
}

// noVersion tells the characters that only part.
func noVersion(r rune) bool {
	return r >= 0x80 || !isDigit(string(r)) && !isLetter(string(r)) && strings.IndexByte("-.~^", byte(r)) < 0
}

func isDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func isLetter(s string) bool { return s != "" && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z' }

// prefix cuts from s what it begins with as long as of holds.
func prefix(s string, of func(string) bool) (before, after string) {
	n := 0
	for of(s[n:]) {
		n++
	}
	return s[:n], s[n:]
}
