package policy

import (
	"errors"
	"strconv"
	"strings"
)

// ParseCommands reads a line of ExecStart= and its kin, systemd.service(5) "COMMAND LINES":
// commands between words ";", each a path or a name behind prefixes, and arguments. Words
// are those of SplitWords, but an escape that is none stays as it is. expand resolves the
// specifiers of each word, nil resolves none; variables are left alone. "\;" is the word ";".
//
// The path is absolute, or a name without a slash that is to be searched for. "!!" means
// nothing any more. Errors are a missing path, a relative one, one that ends in a slash or
// has control characters, and a quote that is not closed.
func ParseCommands(s string, expand func(string) (string, error)) ([]Command, error) {
	var all []Command
	if strings.IndexByte(s, 0) >= 0 {
		return nil, errors.New("NUL byte")
	}
	for s = skipBlanks(s); s != ""; {
		first, rest, err := commandWord(s)
		if err != nil {
			return nil, err
		}
		s = rest
		if first == ";" {
			continue
		}
		var c Command
		path := c.prefixes(first)
		if c.Path, err = commandPath(path, c.Shell, expand); err != nil {
			return nil, err
		}
		if c.Args, s, err = commandArgs(s, expand); err != nil {
			return nil, err
		}
		switch {
		case c.Path == "" && len(c.Args) > 0:
			return nil, bad("behind a shell that stands alone there is ", c.Args[0])
		case c.Path == "":
		case c.Argv0 && !c.Shell:
			if len(c.Args) == 0 || c.Args[0] == "" {
				return nil, errors.New(`"@" wants the name of the process behind ` + strconv.Quote(c.Path))
			}
		default:
			c.Args = append([]string{c.Path}, c.Args...)
		}
		c.Path = simplePath(c.Path)
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no command")
	}
	return all, nil
}

// prefixes takes the special characters off the first word, each once.
func (c *Command) prefixes(word string) string {
	for ; word != ""; word = word[1:] {
		switch {
		case word[0] == '-' && !c.Ignore:
			c.Ignore = true
		case word[0] == '@' && !c.Argv0:
			c.Argv0 = true
		case word[0] == ':' && !c.NoVars:
			c.NoVars = true
		case word[0] == '|' && !c.Shell:
			c.Shell = true
		case word[0] == '+' && !c.Full && !c.NoUser:
			c.Full = true
		case word[0] == '!' && !c.Full && !c.NoUser:
			if strings.HasPrefix(word, "!!") { // given up by systemd, without effect
				word = word[1:]
				continue
			}
			c.NoUser = true
		default:
			return word
		}
	}
	return word
}

// commandPath resolves and checks what is to be executed. A shell may stand without.
func commandPath(word string, shell bool, expand func(string) (string, error)) (string, error) {
	path, err := expanded(word, expand)
	slash := strings.LastIndexByte(path, '/')
	switch {
	case err != nil:
		return "", err
	case path == "" && shell && word == "":
		return "", nil
	case path == "" || path == ";":
		return "", errors.New("the path of the command is missing")
	case strings.IndexByte("-@:+!|", path[0]) >= 0:
		return "", bad("a prefix that stands twice, or does not go with another: ", path)
	case len(path) > pathMax:
		return "", errors.New("the path is longer than " + strconv.Itoa(pathMax) + " bytes")
	case hasControl(path):
		return "", bad("control character in the path ", path)
	case slash >= 0 && path[0] != '/':
		return "", bad("neither an absolute path nor a name without a slash: ", path)
	case path[slash+1:] == "" || path[slash+1:] == "." || path[slash+1:] == "..":
		return "", bad("a directory is no command: ", path)
	}
	return path, nil
}

// commandArgs are the arguments up to the end, or to a word ";", behind which rest begins.
func commandArgs(s string, expand func(string) (string, error)) (args []string, rest string, err error) {
	for s != "" {
		word, next := s, ""
		if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
			word, next = s[:i], skipBlanks(s[i:])
		}
		switch word {
		case ";":
			return args, next, nil
		case `\;`:
			args, s = append(args, ";"), next
			continue
		}
		if word, s, err = commandWord(s); err != nil {
			return nil, "", err
		}
		if word, err = expanded(word, expand); err != nil {
			return nil, "", err
		}
		args = append(args, word)
	}
	return args, "", nil
}

func expanded(word string, expand func(string) (string, error)) (string, error) {
	if expand == nil || strings.IndexByte(word, '%') < 0 {
		return word, nil
	}
	return expand(word)
}

// commandWord cuts the first word off s, which begins with it. rest begins with the next.
func commandWord(s string) (word, rest string, err error) {
	var b []byte
	quote := byte(0)
	i := 0
	for i < len(s) {
		c := s[i]
		switch {
		case c == '\\':
			to, n, err := appendUnescaped(b, s[i:])
			if err != nil { // it is none, and stays
				to, n = append(b, s[i:min(i+2, len(s))]...), min(2, len(s)-i)
			}
			b = to
			i += n
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && isBlank(c):
			return string(b), skipBlanks(s[i:]), nil
		default:
			b = append(b, c)
		}
		i++
	}
	if quote != 0 {
		return "", "", errors.New("the quote " + string(rune(quote)) + " is not closed")
	}
	return string(b), "", nil
}

func skipBlanks(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// simplePath is the path without "//" and "/./".
func simplePath(s string) string {
	if s == "" || s[0] != '/' {
		return s
	}
	b := make([]byte, 0, len(s))
	for part := range strings.SplitSeq(s, "/") {
		if part != "" && part != "." {
			b = append(append(b, '/'), part...)
		}
	}
	return string(b)
}

// commandText prints a command as ParseCommands takes it.
func commandText(c *Command) string {
	var b strings.Builder
	for _, p := range [...]struct {
		on   bool
		sign byte
	}{{c.Ignore, '-'}, {c.Argv0, '@'}, {c.NoVars, ':'}, {c.Full, '+'}, {c.NoUser, '!'}, {c.Shell, '|'}} {
		if p.on {
			b.WriteByte(p.sign)
		}
	}
	args := c.Args
	switch {
	case c.Path == "":
	case c.Argv0 && !c.Shell:
		b.WriteString(QuoteWord(c.Path))
	default: // as it was written
		b.WriteString(QuoteWord(args[0]))
		args = args[1:]
	}
	for _, a := range args {
		b.WriteByte(' ')
		if a == ";" {
			b.WriteByte('\\')
		}
		b.WriteString(QuoteWord(a))
	}
	return b.String()
}

// commandsField is one of the lists of commands, by its place in Service.Commands.
type commandsField uint8

func (f commandsField) set(p *Policy, value string, from Origin) error {
	expand := p.Expand
	if from.CommandLine() {
		expand = nil
	}
	commands, err := ParseCommands(value, expand)
	if err != nil {
		return err
	}
	p.Service.Commands[f].add(commands, from)
	return nil
}

func (f commandsField) reset(p *Policy, from Origin) {
	p.Service.Commands[f] = List[Command]{Reset: true, From: from}
}
func (f commandsField) isSet(p *Policy) bool { return p.Service.Commands[f].IsSet() }
func (f commandsField) write(p *Policy, each func(string, Origin)) {
	l := &p.Service.Commands[f]
	if l.Reset {
		each("", l.From)
	}
	for i := range l.Items {
		each(commandText(&l.Items[i].V), l.Items[i].From)
	}
}
