package launcher

import (
	"strings"
)

// expand resolves variables in the words of a command, systemd.service(5) "COMMAND LINES":
// "${NAME}" anywhere in a word, "$NAME" as a word of its own, which becomes as many words
// as its value has, "$$" for a dollar. unset is called with the name of each that is not set.
func expand(words, vars []string, unset func(name string)) []string {
	value := func(name string) string {
		v, ok := lookupVar(vars, name)
		if !ok {
			unset(name)
		}
		return v
	}
	out := make([]string, 0, len(words))
	for _, w := range words {
		if len(w) > 0 && w[0] == '$' && (len(w) < 2 || w[1] != '{' && w[1] != '$') {
			out = append(out, splitValue(value(w[1:]))...)
			continue
		}
		out = append(out, replace(w, value))
	}
	return out
}

// replace resolves "${NAME}" and "$$" in one word. What is neither stays as it is.
func replace(w string, value func(name string) string) string {
	var b strings.Builder
	closed := true // a "}" may still come: looked for once where there is none
	for {
		i := strings.IndexByte(w, '$')
		if i < 0 || i+1 == len(w) {
			break
		}
		b.WriteString(w[:i])
		w = w[i:]
		end := -1
		if w[1] == '{' && closed {
			end = strings.IndexByte(w, '}')
			closed = end > 0
		}
		switch {
		case w[1] == '$':
			b.WriteByte('$')
			w = w[2:]
		case end > 0:
			b.WriteString(value(w[2:end]))
			w = w[end+1:]
		default:
			b.WriteByte('$')
			w = w[1:]
		}
	}
	return b.String() + w
}

// splitValue splits the value of a variable at blanks. Quotes of both kinds and backslashes
// keep a blank, and are taken away; a quote that is left open ends with the value.
func splitValue(v string) []string {
	var words []string
	var word []byte
	in, quote := false, byte(0)
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '\\':
			in = true
			if i++; i < len(v) {
				word = append(word, v[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word = append(word, c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
		default:
			word, in = append(word, c), true
		}
	}
	if in {
		words = append(words, string(word))
	}
	return words
}

// throughShell are the words by which a shell executes a command; without a command it is
// the shell alone, or what stands behind an empty word, its own words.
func throughShell(shell string, login bool, words []string) []string {
	name := shell
	if login {
		name = "-" + shell[strings.LastIndexByte(shell, '/')+1:]
	}
	switch {
	case len(words) == 0:
		return []string{name}
	case words[0] == "":
		return append([]string{name}, words[1:]...)
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = forShell(w)
	}
	return []string{name, "-c", strings.Join(quoted, " ")}
}

// forShell is a word as a shell takes it for itself.
func forShell(w string) string {
	plain := w != ""
	for i := range len(w) {
		c := w[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_/.,:+@%-", c) >= 0)
	}
	if plain {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
