package policy

import (
	"strings"
	"testing"
)

// A filter is asked for by what its lines come to: a list of what is forbidden, or logged, may
// be empty, and so may one of which all is taken back. A list of what is allowed forbids the
// rest, however short it is.
func TestFilterOfCalls(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  bool
	}{
		{"", false},
		{"SystemCallFilter=read", true},
		{"SystemCallFilter=read|SystemCallFilter=", false},
		{"SystemCallFilter=~", false},
		{"SystemCallFilter=~|SystemCallFilter=~", false},
		{"SystemCallFilter=~read", true},
		{"SystemCallFilter=~|SystemCallFilter=~read", true},
		{"SystemCallFilter=~read|SystemCallFilter=~", true},
		{"SystemCallFilter=~read|SystemCallFilter=read", false},
		{"SystemCallFilter=~read write|SystemCallFilter=read", true},
		{"SystemCallFilter=read|SystemCallFilter=~read", true},
	} {
		for _, name := range []string{"SystemCallFilter", "SystemCallLog"} {
			p := assignments(t, strings.FieldsFunc(strings.ReplaceAll(c.lines, "SystemCallFilter", name), func(r rune) bool { return r == '|' })...)
			parts := p.FilterParts(false, 0)
			switch {
			case (len(parts) == 1) != c.want || len(parts) > 1:
				t.Errorf("%s: %d parts, want %v", c.lines, len(parts), c.want)
			case c.want && (parts[0].Name != name || parts[0].From.Line != 1 || parts[0].Add != nil):
				t.Errorf("%s: %+v", c.lines, parts[0])
			}
		}
	}
}

// The command line is where no line of a file is, but for what nobody wrote.
func TestCommandLine(t *testing.T) {
	for o, want := range map[Origin]bool{{}: true, option("--user"): true, line(1): false, {Default: true}: false} {
		if got := o.CommandLine(); got != want {
			t.Errorf("%+v: %v", o, got)
		}
	}
}
