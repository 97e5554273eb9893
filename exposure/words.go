package exposure

import (
	"strconv"
	"strings"
)

const blanks = " \t\n\r"

// quoting says what splitWords makes of quotes. Backslashes are taken off by all: what is
// behind one stands for itself.
type quoting uint8

const (
	quotesStay    quoting = iota // they are characters of a word
	quotesClose                  // they go; one that is not closed ends the line before its word
	quotesMayOpen                // they go, closed or not
)

// splitWords splits a value as systemd does it for lists, systemd.syntax(7). ok is false for a
// quote that is not closed; the words before it are given.
func splitWords(s string, q quoting) (words []string, ok bool) {
	for {
		var word string
		var found bool
		if word, s, found, ok = nextWord(s, q); !found {
			return words, ok
		}
		words = append(words, word)
	}
}

// nextWord is the first word of s, and what is behind the blanks after it.
func nextWord(s string, q quoting) (word, rest string, found, ok bool) {
	s = strings.TrimLeft(s, blanks)
	if s == "" {
		return "", "", false, true
	}
	var b []byte
	quote := byte(0)
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i++; i < len(s) {
				b = append(b, s[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && q != quotesStay && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return string(b), strings.TrimLeft(s[i:], blanks), true, true
		default:
			b = append(b, c)
		}
	}
	if quote != 0 && q == quotesClose {
		return "", "", false, false
	}
	return string(b), "", true, true
}

// parseNumber reads a number as strtoul(3) does, which finds the base out by itself, up to
// limit. "0b" and "0o" go, too.
func parseNumber(s string, limit uint64) (uint64, bool) {
	s = strings.TrimLeft(s, blanks+"\v\f")
	s, signed := strings.CutPrefix(s, "+")
	if !signed && s != "" && strings.Trim(s, "-0") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	if strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return n, err == nil && n <= limit
}

// parsePath checks a path as systemd does where it is one of the service: absolute, without
// "..", shorter than PATH_MAX. what is the reason where it is none of that.
func parsePath(s string) (simple, what string) {
	if !strings.HasPrefix(s, "/") {
		return "", "not an absolute path"
	}
	var b strings.Builder
	for part := range strings.SplitSeq(s, "/") {
		switch part {
		case "", ".":
		case "..":
			return "", `".." in the path`
		default:
			b.WriteByte('/')
			b.WriteString(part)
		}
	}
	if b.Len() > 4095 {
		return "", "the path is too long"
	}
	if b.Len() == 0 {
		return "/", ""
	}
	return b.String(), ""
}

// isName tells whether systemd takes s for the name or number of a user or group. It warns of
// many, but takes them.
func isName(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if strings.Trim(digits, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 10, 32)
		return err == nil && n != 0xffff && n != 0xffffffff && (s[0] != '0' || s == "0")
	}
	if s == "." || s == ".." || strings.ContainsAny(s, ":/") || strings.Trim(s, " ") != s {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isBusName tells a name on the D-Bus, of the specification's "Bus names".
func isBusName(s string) bool {
	if len(s) > 255 {
		return false
	}
	s, unique := strings.CutPrefix(s, ":")
	elements := 0
	for element := range strings.SplitSeq(s, ".") {
		elements++
		if element == "" || !unique && element[0] >= '0' && element[0] <= '9' {
			return false
		}
		for i := range len(element) {
			c := element[i]
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return elements > 1
}

// isImagePolicy tells whether systemd can read an image policy, systemd.image-policy(7):
// it passes over partitions and flags that it does not know, but over nothing else.
func isImagePolicy(s string) bool {
	switch s {
	case "", "*", "-", "~":
		return true
	}
	seen := " "
	for rule := range strings.SplitSeq(strings.ReplaceAll(s, `\:`, ""), ":") {
		partition, _, ok := strings.Cut(rule, "=")
		if !ok {
			return false
		}
		partition = strings.Trim(partition, blanks)
		const known = "  root usr home srv esp xbootldr swap root-verity root-verity-sig usr-verity usr-verity-sig tmp var "
		if word := " " + partition + " "; strings.Contains(known, word) {
			if strings.Contains(seen, "<"+partition+">") {
				return false
			}
			seen += "<" + partition + ">"
		}
	}
	return true
}

// command is what was found to be one command of ExecStart= and its kin.
type command struct {
	none      bool   // there is none: the end, or a word ";"
	what      string // what is wrong with it
	ignorable bool   // "-" or a quote that is not closed in the first word: systemd passes over it then
}

// parseCommand reads the first command of a line, systemd.service(5) "COMMAND LINES". rest is what
// follows; nothing where the command is wrong.
func parseCommand(s string, expand func(string) (string, error)) (c command, rest string) {
	path, rest, found, ok := commandWord(s)
	switch {
	case !ok:
		return command{what: "a quote is not closed", ignorable: true}, ""
	case !found || path == ";":
		return command{none: true}, rest
	}
	const prefixes = "-@:|+!"
	var taken uint
	for path != "" {
		i := strings.IndexByte(prefixes, path[0])
		if i < 0 {
			break
		}
		bit := uint(1) << min(i, strings.IndexByte(prefixes, '+')) // "+" and "!" go not together
		if taken&bit != 0 {
			break
		}
		taken |= bit
		if path = path[1:]; prefixes[i] == '!' {
			path = strings.TrimPrefix(path, "!")
		}
	}
	const ignore, argv0, shell = 1 << 0, 1 << 1, 1 << 3
	c.ignorable = taken&ignore != 0
	path, err := expand(path)
	switch {
	case err != nil:
		c.what = err.Error()
	case taken&shell == 0:
		c.what = commandPath(path)
	}
	args := 0
	for c.what == "" && rest != "" {
		if rest[0] == ';' && (len(rest) == 1 || strings.IndexByte(blanks, rest[1]) >= 0) {
			rest = strings.TrimLeft(rest[1:], blanks)
			break
		}
		var word string
		if word, rest, _, ok = commandWord(rest); !ok {
			c.what = "a quote is not closed"
		} else if _, err := expand(word); err != nil {
			c.what = err.Error()
		}
		args++
	}
	if c.what == "" && taken&argv0 != 0 && taken&shell == 0 && args == 0 {
		c.what = "the name of the process is missing"
	}
	if c.what != "" {
		rest = ""
	}
	return c, rest
}

// commandPath is what is wrong with the path of a command; empty for nothing.
func commandPath(path string) string {
	slash := strings.LastIndexByte(path, '/')
	last := path[slash+1:]
	switch {
	case path == "":
		return "the path of the command is missing"
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`\"'*?[`, r) }):
		return "special characters in the path of the command"
	case last == "" || last == "." || last == "..":
		return "a directory is no command"
	case slash >= 0 && path[0] != '/' || len(path) > 4095:
		return "neither an absolute path nor a name without a slash"
	}
	for part := range strings.SplitSeq(path, "/") {
		if len(part) > 255 {
			return "a name in the path is too long"
		}
	}
	return ""
}

// commandWord is the first word of a command line: escapes are resolved, and one that is none
// stays as it is.
func commandWord(s string) (word, rest string, found, ok bool) {
	s = strings.TrimLeft(s, blanks)
	if s == "" {
		return "", "", false, true
	}
	var b []byte
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			r, wide, tail, err := strconv.UnquoteChar(s[i:], 0)
			next := s[i+1]
			switch {
			case next == '"' || next == '\'':
				b = append(b, next)
				i++
			case next == 's':
				b = append(b, ' ')
				i++
			case err != nil || r == 0:
				b = append(b, c, next)
				i++
			case wide:
				b = append(b, string(r)...)
				i = len(s) - len(tail) - 1
			default:
				b = append(b, byte(r))
				i = len(s) - len(tail) - 1
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return string(b), strings.TrimLeft(s[i:], blanks), true, true
		default:
			b = append(b, c)
		}
	}
	if quote != 0 {
		return "", "", false, false
	}
	return string(b), "", true, true
}
