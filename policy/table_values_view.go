package policy

import (
	"errors"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// boolWord takes a boolean, which becomes "no" or "yes", or one of the words.
func boolWord(s string, words ...string) (string, error) {
	if v, err := ParseBool(s); err == nil {
		return FormatBool(v), nil
	}
	for _, w := range words {
		if s == w {
			return w, nil
		}
	}
	return "", &process.WordError{What: "value", Word: s, Words: append([]string{"yes", "no"}, words...)}
}

func parseProtectSystem(s string) (string, error) { return boolWord(s, "full", "strict") }
func parseProtectHome(s string) (string, error)   { return boolWord(s, "read-only", "tmpfs") }
func parsePrivateTmp(s string) (string, error)    { return boolWord(s, "disconnected") }

func parseProtectControlGroups(s string) (string, error) { return boolWord(s, "private", "strict") }

func parseProtectProc(s string) (string, error) {
	return oneOf(s, "default", "noaccess", "invisible", "ptraceable")
}
func parseProcSubset(s string) (string, error) { return oneOf(s, "all", "pid") }
func parseMountFlags(s string) (string, error) { return oneOf(s, "shared", "slave", "private") }

func parseReadOnlyBinds(s string) ([]Bind, error)    { return readOnlyBinds(ParseBinds(s)) }
func parseBindWord(s string) ([]Bind, error)         { return one(ParseBindWord(s)) }
func parseReadOnlyBindWord(s string) ([]Bind, error) { return readOnlyBinds(parseBindWord(s)) }
func parseTmpfsWord(s string) ([]Tmpfs, error)       { return one(ParseTmpfsWord(s)) }

// Landlockable are the directives that Landlock can stand in for, --allow-landlock.
var Landlockable = [...]string{
	"ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "ProtectSystem", "ProtectHome",
}

// parseAllowLandlock takes names of directives between commas or blanks.
func parseAllowLandlock(s string) ([]string, error) {
	var names []string
	for part := range strings.SplitSeq(s, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			words = []string{""}
		}
		for _, w := range words {
			name, err := oneOf(strings.TrimSuffix(w, "="), Landlockable[:]...)
			if err != nil {
				return nil, &process.WordError{What: "directive for Landlock", Word: w, Words: Landlockable[:]}
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func parseFilterBackend(s string) (string, error) { return oneOf(s, "own", "libseccomp") }

// parseFilterOut takes a path, or "-" for standard output.
func parseFilterOut(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("NUL byte")
	}
	return s, nil
}
