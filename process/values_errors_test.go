package process

import "testing"

// Each word that is no value says so by its own reason.
func TestValueErrors(t *testing.T) {
	limit := func(n int) func(s string) error {
		return func(s string) error { _, err := ParseLimit(n, s); return err }
	}
	nice, files := -1, -1
	for n := range Limits {
		switch Limits[n].Name {
		case "NICE":
			nice = n
		case "NOFILE":
			files = n
		}
	}
	size := func(s string) error { _, err := ParseSize(s); return err }
	span := func(s string) error { _, err := ParseTimespan(s, Microsecond); return err }
	dump := func(s string) error { _, err := ParseCoredumpFilter(s); return err }
	class := func(s string) error { _, err := indexOrNumber("class", s, []string{"zero", "one"}); return err }
	for _, tt := range []struct {
		parse   func(s string) error
		s, want string
	}{
		{limit(nice), "41", "41 is outside of 0 to 40 (a nice level has a sign)"},
		{limit(nice), "+20", "nice level +20 is outside of -20 to +19"},
		{limit(nice), "-21", "nice level -21 is outside of -20 to +19"},
		{limit(nice), "40", ""},
		{limit(files), "12x", `not a decimal number: "12x"`},
		{limit(files), "18446744073709551615", "number too large"},
		{limit(files), "18446744073709551614", ""},
		{size, " 5", `not a size: " 5"`},
		{size, "\n5", `not a size: "\n5"`},
		{size, "5 ", `trailing blank in size "5 "`},
		{span, "18446744073709551614us 5us", `number too large in time span "18446744073709551614us 5us"`},
		{dump, "ax12", `unknown mapping type "ax12"`},
		{dump, "nosuch", `unknown mapping type "nosuch"`},
		{class, "/", `unknown class "/"`},
		{class, "2", `unknown class "2"`},
		{class, "1", ""},
	} {
		got := ""
		if err := tt.parse(tt.s); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.s, got, tt.want)
		}
	}
	for c, want := range map[rune]bool{' ': true, '\t': true, '\n': true, '\r': true, '\v': false, 'x': false, 0xa0: false} {
		if blank(c) != want {
			t.Errorf("%q is blank: %v", c, !want)
		}
	}
	if got := LimitName(-1) + LimitName(len(Limits)); got != "-116" {
		t.Errorf("limits that are none: %s", got)
	}
}
