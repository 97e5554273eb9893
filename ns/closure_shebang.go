package ns

import (
	"errors"
	"strings"
)

// shebangSize is how much of a file the kernel looks at, BINPRM_BUF_SIZE.
const shebangSize = 256

var errShebang = errors.New("the #! line names no interpreter, or is too long")

// parseShebang reads the first bytes of a script as linux/fs/binfmt_script.c
// does: interpreter and one argument with blanks inside, trailing blanks cut; a
// line that does not end within 256 bytes is taken only when the interpreter's
// path ends within them.
func parseShebang(head []byte) (interp, arg string, err error) {
	if len(head) > shebangSize {
		head = head[:shebangSize]
	}
	line, ok := strings.CutPrefix(string(head), "#!")
	if !ok {
		return "", "", errShebang
	}
	full := len(head) == shebangSize
	line, _, ended := strings.Cut(line, "\n")
	ended = ended || !full
	if !ended {
		// The kernel's buffer ends in a NUL of its own.
		line = line[:len(line)-1]
	}
	line = strings.TrimLeft(line, " \t")
	n := strings.IndexAny(line, " \t\x00")
	if n < 0 {
		if !ended {
			return "", "", errShebang
		}
		n = len(line)
	}
	interp = line[:n]
	if interp == "" {
		return "", "", errShebang
	}
	if n == len(line) || line[n] == 0 {
		return interp, "", nil
	}
	arg, _, _ = strings.Cut(strings.TrimLeft(line[n:], " \t"), "\x00")
	return interp, strings.TrimRight(arg, " \t"), nil
}

// envProgram is the program which env(1) runs for the one argument of a #!
// line: the argument itself, or with -S the first of its words that is neither
// an option nor NAME=VALUE. Empty when env runs none; false when it cannot be
// told (quotes, variables, options that are not known).
func envProgram(arg string) (program string, ok bool) {
	split := false
	for _, option := range [...]string{"-S", "--split-string=", "--split-string "} {
		if rest, found := strings.CutPrefix(arg, option); found {
			arg, split = rest, true
			break
		}
	}
	if !split {
		switch {
		case arg[0] == '-':
			return "", false
		case strings.Contains(arg, "="):
			return "", true
		}
		return arg, true
	}
	if strings.ContainsAny(arg, "'\"\\$#") {
		return "", false
	}
	words := strings.FieldsFunc(arg, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\f' || r == '\v' })
	options := true
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case !options && w[0] == '-':
			return w, true
		case w == "--":
			options = false
		case w == "-", w == "-i", w == "-v", w == "-iv", w == "-vi", w == "--ignore-environment", w == "--debug":
		case w == "-u", w == "--unset":
			i++
		case strings.HasPrefix(w, "--unset="), strings.HasPrefix(w, "-u"):
		case w[0] == '-':
			return "", false
		case strings.Contains(w, "="):
			options = false
		default:
			return w, true
		}
	}
	return "", true
}
