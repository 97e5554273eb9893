package main

import (
	"strings"
	"unicode/utf8"
)

// jsonWriter writes JSON (RFC 8259) with one object of a list on each line.
type jsonWriter struct {
	strings.Builder
	comma bool // the next value is not the first
}

func (j *jsonWriter) open(s string) {
	j.WriteString(s)
	j.comma = false
}

func (j *jsonWriter) close(s string) {
	j.WriteString(s)
	j.comma = true
}

// next begins a value.
func (j *jsonWriter) next() {
	if j.comma {
		j.WriteString(",")
	}
	j.comma = true
}

// raw is a member whose value is JSON already.
func (j *jsonWriter) raw(name, value string) {
	j.next()
	j.quote(name)
	j.WriteString(":")
	j.WriteString(value)
}

// field is a member whose value is a string.
func (j *jsonWriter) field(name, value string) {
	j.raw(name, "")
	j.quote(value)
}

// list is a member whose value is an array of n objects.
func (j *jsonWriter) list(name string, n int, object func(i int)) {
	j.raw(name, "")
	j.open("[")
	for i := range n {
		j.next()
		j.WriteString("\n ")
		j.open("{")
		object(i)
		j.close("}")
	}
	j.close("]")
}

// object is a member whose value is an object.
func (j *jsonWriter) object(name string, members func()) {
	j.raw(name, "")
	j.open("{")
	members()
	j.close("}")
}

// strings is a member whose value is an array of strings.
func (j *jsonWriter) strings(name string, list []string) {
	j.raw(name, "")
	j.open("[")
	for _, s := range list {
		j.next()
		j.quote(s)
	}
	j.close("]")
}

// quote writes a string. What is not UTF-8 becomes U+FFFD, as JSON has no other
// place for it.
func (j *jsonWriter) quote(s string) {
	const hex = "0123456789abcdef"
	j.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			j.WriteByte('\\')
			j.WriteByte(byte(r))
		case r < 0x20 || r == 0x7f:
			j.WriteString("\\u00")
			j.WriteByte(hex[r>>4])
			j.WriteByte(hex[r&15])
		case r == utf8.RuneError:
			j.WriteString("\\ufffd")
		default:
			j.WriteRune(r)
		}
	}
	j.WriteByte('"')
}
