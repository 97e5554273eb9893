package unit

import (
	"errors"
	"strconv"
	"strings"
)

const maxName = 255 // bytes, systemd.unit(5)

// types are the suffixes of unit names, systemd.unit(5).
var types = [...]string{"service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"}

// name is a unit name in its parts: "getty@tty1.service" is "getty", "tty1" and "service".
type name struct {
	prefix, instance, kind string
	at                     bool // there is an "@": a template without instance, else an instance
}

func (n name) String() string {
	if n.at {
		return n.prefix + "@" + n.instance + "." + n.kind
	}
	return n.prefix + "." + n.kind
}

func (n name) template() bool  { return n.at && n.instance == "" }
func (n name) instanced() bool { return n.at && n.instance != "" }
func (n name) with(i string) name {
	n.instance = i
	return n
}

// split reads a full unit name, systemd.unit(5).
func split(s string) (name, error) {
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 || !isType(s[dot+1:]) {
		return name{}, errors.New("no suffix of a unit: " + shown(s))
	}
	if len(s) > maxName {
		return name{}, errors.New("longer than " + strconv.Itoa(maxName) + " bytes: " + shown(s))
	}
	n := name{prefix: s[:dot], kind: s[dot+1:]}
	n.prefix, n.instance, n.at = strings.Cut(s[:dot], "@")
	if n.prefix == "" {
		return name{}, errors.New("nothing before the suffix: " + shown(s))
	}
	for i := range dot {
		// The first "@" parts the name, others belong to the instance.
		if c := s[i]; !allowed(c) && (c != '@' || !n.at) {
			what := "character"
			if i > len(n.prefix) {
				what = "character of an instance"
			}
			return name{}, errors.New("no " + what + " of a unit name: " + shown(s[i:i+1]) + " in " + shown(s))
		}
	}
	return n, nil
}

func isType(s string) bool {
	for _, t := range types {
		if s == t {
			return true
		}
	}
	return false
}

// allowed tells the characters of a unit name but "@".
func allowed(c byte) bool {
	return alnum(c) || c == ':' || c == '-' || c == '_' || c == '.' || c == '\\'
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// dropIns are the names whose directories hold drop-ins for n, without ".d", those that are
// stronger first: n, its template, and its prefix cut behind each "-". For an instance
// systemd looks for what is cut without an "@" first, and then for instance and template.
func (n name) dropIns() []string {
	list := []string{n.String()}
	if n.instanced() {
		list = append(list, n.with("").String())
	}
	for p := cut(n.prefix); p != ""; p = cut(p) {
		list = append(list, p+"."+n.kind)
	}
	for p := cut(n.prefix); p != "" && n.instanced(); p = cut(p) {
		n.prefix = p
		list = append(list, n.String(), n.with("").String())
	}
	return list
}

// cut is s up to the last "-" that is not its last character; empty where that is none,
// or the first.
func cut(s string) string {
	if dash := strings.LastIndexByte(s[:len(s)-1], '-'); dash > 0 {
		return s[:dash+1]
	}
	return ""
}

// alias is the name that a link from n to a file of that name makes of n, systemd.unit(5):
// the type must be the same, and what is instance, template or neither stays so, but that
// one instance may be given to another template.
func (n name) alias(target string) (name, error) {
	t, err := split(target)
	switch {
	case err != nil:
		return name{}, err
	case t.kind != n.kind:
		return name{}, errors.New("the type is another one")
	case n.instanced() && t.template():
		return t.with(n.instance), nil
	case t.at != n.at || t.template() != n.template():
		return name{}, errors.New("one is a template and the other is not")
	case t.instance != n.instance:
		return name{}, errors.New("the instance is another one")
	}
	return t, nil
}

// escape makes a part of a unit name of any text, systemd.unit(5) "STRING ESCAPING".
func escape(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '/':
			b.WriteByte('-')
		case alnum(c) || c == ':' || c == '_' || c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// unescape undoes escape: a "-" is a slash, "\x2d" a byte. Another backslash, and an escape
// for NUL, is an error.
func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, `-\`) {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '-':
			b = append(b, '/')
		case '\\':
			if len(s) < i+4 || s[i+1] != 'x' {
				return "", errors.New(`a backslash that begins no "\x2d": ` + shown(s))
			}
			v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil || v == 0 {
				return "", errors.New("no escape: " + shown(s[i:i+4]) + " in " + shown(s))
			}
			b = append(b, byte(v))
			i += 3
		default:
			b = append(b, s[i])
		}
	}
	return string(b), nil
}

// unescapePath undoes the escaping of an absolute path, systemd.unit(5) "STRING ESCAPING":
// "-" is the root, and what has a slash at an end, two of them together, or a component "."
// or ".." is an error.
func unescapePath(s string) (string, error) {
	if s == "-" {
		return "/", nil
	}
	path, err := unescape(s)
	if err != nil {
		return "", err
	}
	for rest, more := path, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if part == "" || part == "." || part == ".." {
			return "", errors.New("no escaped path: " + shown(s))
		}
	}
	return "/" + path, nil
}
