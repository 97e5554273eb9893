package policy

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseEnvName checks the name of an environment variable, systemd.exec(5) at
// Environment=: ASCII letters, digits and underscores, not empty, no digit first.
func ParseEnvName(name string) error {
	ok := name != "" && (name[0] < '0' || name[0] > '9')
	for i := 0; i < len(name) && ok; i++ {
		c := name[i]
		ok = c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if !ok {
		return errors.New("not the name of a variable: " + strconv.Quote(name))
	}
	return nil
}

// checkAssignment checks NAME=VALUE as Environment= takes it. Control characters
// are refused but for tab and newline, as the manual page has it.
func checkAssignment(s string) error {
	name, value, found := strings.Cut(s, "=")
	if !found {
		return errors.New(`no "=" in ` + strconv.Quote(s))
	}
	if err := ParseEnvName(name); err != nil {
		return err
	}
	if !utf8.ValidString(value) {
		return errors.New("the value of " + name + " is not UTF-8")
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			return errors.New("control character in the value of " + name)
		}
	}
	return nil
}

// wordsOf splits s with SplitWords and checks each word.
func wordsOf(s string, check func(string) error) ([]string, error) {
	words, err := SplitWords(s)
	if err != nil {
		return nil, err
	}
	for _, w := range words {
		if err := check(w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// ParseEnvironment reads the value of Environment=, systemd.exec(5): words
// NAME=VALUE, quoted as SplitWords has it, in their order; of two with the same
// name the later one counts. One bad assignment makes the line an error, where
// systemd goes on with the others.
func ParseEnvironment(s string) ([]string, error) { return wordsOf(s, checkAssignment) }

// ParsePassEnv reads the value of PassEnvironment=, systemd.exec(5): names of variables.
func ParsePassEnv(s string) ([]string, error) { return wordsOf(s, ParseEnvName) }

// ParseUnsetEnv reads the value of UnsetEnvironment=, systemd.exec(5): names of
// variables, or whole assignments NAME=VALUE.
func ParseUnsetEnv(s string) ([]string, error) {
	return wordsOf(s, func(word string) error {
		if strings.Contains(word, "=") {
			return checkAssignment(word)
		}
		return ParseEnvName(word)
	})
}
