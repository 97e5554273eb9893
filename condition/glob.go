package condition

import (
	"errors"
	"strings"
)

// fnmatch tells whether a text matches a pattern of fnmatch(3), without flags: "*" and "?"
// match a "/" and a leading "." as well. With fold, ASCII letters of both cases are alike.
func fnmatch(pattern, s string, fold bool) bool {
	if fold {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	star, from := -1, 0 // the pattern behind the last star, and where in s it was tried
	for p, i := 0, 0; ; {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, from = p, i
			continue
		}
		if i == len(s) && p == len(pattern) {
			return true
		}
		if i < len(s) && p < len(pattern) {
			if n, ok := element(pattern[p:], s[i]); ok {
				p, i = p+n, i+1
				continue
			}
		}
		if star < 0 || from >= len(s) {
			return false
		}
		from++
		p, i = star, from
	}
}

// element tells whether a character matches the first element of a pattern, which is no star,
// and how long that element is.
func element(pattern string, c byte) (n int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		return 2, len(pattern) > 1 && pattern[1] == c
	case '[':
		if n, ok := bracket(pattern, c); n > 0 {
			return n, ok
		}
	}
	return 1, pattern[0] == c
}

// bracket is element for "[…]"; n is 0 where the bracket is not closed.
func bracket(pattern string, c byte) (n int, ok bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := i; i < len(pattern); {
		if pattern[i] == ']' && i > first {
			return i + 1, ok != negate
		}
		if name, _, closed := strings.Cut(pattern[i:], ":]"); closed && strings.HasPrefix(name, "[:") {
			ok = ok || inClass(name[2:], c)
			i += len(name) + 2
			continue
		}
		low, size := escaped(pattern[i:])
		i += size
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, size = escaped(pattern[i+1:])
			i += 1 + size
		}
		ok = ok || low <= c && c <= high
	}
	return 0, false
}

// escaped is the first character of s, which is not empty; a backslash takes the one behind it.
func escaped(s string) (c byte, size int) {
	if s[0] == '\\' && len(s) > 1 {
		return s[1], 2
	}
	return s[0], 1
}

// inClass tells whether a character is in a class of the C locale, isalpha(3).
func inClass(name string, c byte) bool {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alpha":
		return lower || upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "upper":
		return upper
	case "lower":
		return lower
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r'
	case "blank":
		return c == ' ' || c == '\t'
	case "punct":
		return graph && !lower && !upper && !digit
	case "print":
		return graph || c == ' '
	case "graph":
		return graph
	case "cntrl":
		return c < ' ' || c == 0x7f
	case "xdigit":
		return digit || (c|0x20) >= 'a' && (c|0x20) <= 'f'
	}
	return false
}

// What a pattern may have: thirty pairs of alternatives stand for a billion patterns.
const (
	maxPattern = 16 << 10 // bytes
	maxBraces  = 10_000   // braces that are opened, in all patterns that it stands for
)

// braces gives the patterns that a pattern with "{…,…}" stands for to try, until it says true
// or fails. left is how many it may still look at.
func braces(pattern string, left *int, try func(string) (bool, error)) (bool, error) {
	if *left--; *left < 0 {
		return false, errors.New("the braces stand for too many patterns")
	}
	open := -1
	depth := 0
	parts := []int(nil) // where the alternatives begin, less one, and where the last ends
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '{' && open < 0:
			open, parts = i, append(parts, i)
		case c == '{':
			depth++
		case c == ',' && open >= 0 && depth == 0:
			parts = append(parts, i)
		case c == '}' && open >= 0 && depth > 0:
			depth--
		case c == '}' && open >= 0:
			parts = append(parts, i)
			for n := range len(parts) - 1 {
				one := pattern[:open] + pattern[parts[n]+1:parts[n+1]] + pattern[i+1:]
				if ok, err := braces(one, left, try); ok || err != nil {
					return ok, err
				}
			}
			return false, nil
		}
	}
	return try(pattern)
}

// glob tells whether an absolute pattern of glob(7), with braces, matches a path.
func (f *Facts) glob(pattern string) (bool, error) {
	if len(pattern) > maxPattern {
		return false, errors.New("the pattern is longer than 16 KiB")
	}
	left := maxBraces
	return braces(pattern, &left, func(p string) (bool, error) { return f.walk("", p) })
}

// walk tells whether the rest of a pattern matches something below dir.
func (f *Facts) walk(dir, rest string) (bool, error) {
	rest = strings.TrimLeft(rest, "/")
	name, rest, more := strings.Cut(rest, "/")
	if name == "" { // braces left nothing behind the last "/"
		return f.exists(max(dir, "/"))
	}
	if !strings.ContainsAny(name, "*?[") {
		var plain []byte
		for name != "" {
			c, size := escaped(name)
			plain, name = append(plain, c), name[size:]
		}
		dir += "/" + string(plain)
		if more {
			return f.walk(dir, rest)
		}
		_, ok, err := f.lstat(dir)
		return ok, err
	}
	list, err := f.names(dir + "/")
	if err != nil {
		return false, noEntry(err)
	}
	for _, n := range list {
		if n[0] == '.' && name[0] != '.' && !strings.HasPrefix(name, `\.`) || !fnmatch(name, n, false) {
			continue
		}
		if !more {
			return true, nil
		}
		if ok, err := f.walk(dir+"/"+n, rest); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
