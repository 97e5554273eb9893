package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/policy"
)

// lines prints assignments as "LINE [SECTION] NAME=VALUE".
func lines(list []Assignment) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, fmt.Sprintf("%d [%s] %s=%s", a.From.Line, a.Section, a.Name, a.Value))
	}
	return out
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"systemd.syntax(7), the example", `[Section A]
KeyOne=value 1
KeyTwo=value 2

# a comment

[Section B]
Setting="something" "some thing" "..."
KeyTwo=value 2 \
       value 2 continued

[Section C]
KeyThree=value 3\
# this line is ignored
; this line is ignored too
       value 3 continued
`, []string{
			"2 [Section A] KeyOne=value 1",
			"3 [Section A] KeyTwo=value 2",
			`8 [Section B] Setting="something" "some thing" "..."`,
			"9 [Section B] KeyTwo=value 2         value 2 continued",
			"13 [Section C] KeyThree=value 3        value 3 continued",
		}},
		{`systemd.syntax(7): "Whitespace immediately before or after the = is ignored"`, "[A]\n  b \t= \tc d\t \n", []string{"2 [A] b=c d"}},
		{`systemd.syntax(7): "setting to an empty value resets"`, "[A]\nb=\nc = \n", []string{"2 [A] b=", "3 [A] c="}},
		{"only the first = parts", "[A]\nb=c=d\n", []string{"2 [A] b=c=d"}},
		{`systemd.syntax(7): "lines starting with # or ;", after blanks, too`, "[A]\n #b=c\n\t;b=c\nd=e # f\n", []string{"4 [A] d=e # f"}},
		{"a comment does not go on behind a backslash", "[A]\n#b\\\nc=d\n", []string{"3 [A] c=d"}},
		{"a comment's backslash in a continued line", "[A]\nb=\\\n#c\\\nd\n", []string{"2 [A] b=d"}},
		{"an empty line ends a continued one", "[A]\nb=c\\\n\nd=e\n", []string{"2 [A] b=c", "4 [A] d=e"}},
		{"two backslashes at the end are two", "[A]\nb=c\\\\\nd=e\n", []string{`2 [A] b=c\\`, "3 [A] d=e"}},
		{"three continue", "[A]\nb=c\\\\\\\nd=e\n", []string{`2 [A] b=c\\ d=e`}},
		{"a blank behind the backslash ends the line", "[A]\nb=c\\ \nd=e\n", []string{`2 [A] b=c\`, "3 [A] d=e"}},
		{"what ends at the end of the file", "[A]\nb=c\\", []string{"2 [A] b=c"}},
		{"a header may be continued", "[A\\\nB]\nb=c", []string{"3 [A B] b=c"}},
		{"a continued name", "[A]\nb\\\n=c", []string{"2 [A] b=c"}},
		{"carriage returns before line ends", "[A]\r\nb=c\\\r\n d\r\n\r\ne=f\r\n", []string{"2 [A] b=c  d", "5 [A] e=f"}},
		{"byte order mark", "\ufeff[A]\nb=c\n", []string{"2 [A] b=c"}},
		{"byte order mark and comment", "\ufeff# x\n[A]\nb=c\n", []string{"3 [A] b=c"}},
		{`systemd.unit(5): "If an option or section name is prefixed with X-"`, "[A]\nX-b=c\n[X-D]\nb=c\nnonsense\n[A]\nd=e\n", []string{"7 [A] d=e"}},
		{"ours begin with X-Hardrun", "[A]\nX-Hardrun-Caps=1\nX-hardrun-caps=1\nX-Hard=1\n", []string{"2 [A] X-Hardrun-Caps=1", "3 [A] X-hardrun-caps=1"}},
		{"a comment in Latin-1", "[A]\n# caf\xe9\nb=c\n", []string{"3 [A] b=c"}},
		{"UTF-8", "[A]\nb=café\n", []string{"2 [A] b=café"}},
		{"empty", "", []string{}},
		{"no line end", "[A]\nb=c", []string{"2 [A] b=c"}},
		{"the longest line", "[A]\nb=" + strings.Repeat("x", maxLine-2) + "\n", []string{"2 [A] b=" + strings.Repeat("x", maxLine-2)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := Parse("a.service", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(list); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			for _, a := range list {
				if a.From.File != "a.service" || a.Head == 0 || a.Head >= a.From.Line {
					t.Errorf("%v: header at line %d", a.From, a.Head)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // with "!" before the errors that make the file unusable
		rest       []string
	}{
		{"neither", "[A]\nfoo\nb=c\n", []string{`a.service:2: neither a section nor an assignment, as "=" is missing: "foo"`}, []string{"3 [A] b=c"}},
		{"before any section", "b=c\n\n[A]\nd=e\n", []string{`a.service:1: not in a section: "b=c"`}, []string{"4 [A] d=e"}},
		{"no name", "[A]\n =c\n", []string{`a.service:2: no name before "=": "=c"`}, []string{}},
		{"not UTF-8", "[A]\nb=\xff\nd=e\n", []string{"!a.service:2: not UTF-8"}, []string{"3 [A] d=e"}},
		{"a noncharacter", "[A]\nb=\ufffe\n", []string{"!a.service:2: not UTF-8"}, []string{}},
		{"a surrogate", "[A]\nb=\xed\xa0\x80\n", []string{"!a.service:2: not UTF-8"}, []string{}},
		{"NUL", "[A]\nb=c\nd=\x00e\n", []string{"!a.service:3: NUL byte"}, []string{}},
		{"NUL in a comment", "[A]\n#\x00NoNewPrivileges=yes\n", []string{"!a.service:2: NUL byte"}, []string{}},
		{"a line that looks like a comment", "[A]\n#x\rb=c\n", []string{"!a.service:2: carriage return within a line"}, []string{}},
		{"two carriage returns", "[A]\nb=c\r\r\n", []string{"!a.service:2: carriage return within a line"}, []string{}},
		{"a carriage return at the end", "[A]\r\nb=c\r", []string{"!a.service:2: carriage return within a line"}, []string{}},
		{"header and comment", "[A] # x\nb=c\n[B]\nd=e\n", []string{`!a.service:1: section without "]" at the end: "[A] # x"`}, []string{"4 [B] d=e"}},
		{"half a header", "[A]\n[\n", []string{`!a.service:2: section without "]" at the end: "["`}, []string{}},
		{"no name of a section", "[]\nb=c\n", []string{"a.service:1: section without a name"}, []string{}},
		{"a quote in a header", "[A\"]\nb=c\n", []string{`!a.service:1: bad character in the section "[A\"]"`}, []string{}},
		{"an escape sequence in a header", "[A\x1b[2J]\n", []string{`!a.service:1: bad character in the section "[A\x1b[2J]"`}, []string{}},
		{"one line too long", "[A]\nb=" + strings.Repeat("x", maxLine-1) + "\n", []string{"!a.service:2: line longer than 1 MiB"}, []string{}},
		{"together too long", "[A]\nb=\\\n" + strings.Repeat(strings.Repeat("x", 1<<10)+"\\\n", 1<<10) + "\n", []string{"!a.service:1025: line longer than 1 MiB"}, []string{}},
		{"a comment too long", "#" + strings.Repeat("x", maxLine) + "\n", []string{"!a.service:1: line longer than 1 MiB"}, []string{}},
		{"all of them", "x\n[A]\ny\nb=c\nz\n", []string{
			`a.service:1: not in a section: "x"`,
			`a.service:3: neither a section nor an assignment, as "=" is missing: "y"`,
			`a.service:5: neither a section nor an assignment, as "=" is missing: "z"`,
		}, []string{"4 [A] b=c"}},
		{"a byte order mark elsewhere is a part of the name", "[A]\nb=c\n\ufeff[B]\nd=e\n", []string{
			`a.service:3: neither a section nor an assignment, as "=" is missing: "\ufeff[B]"`,
		}, []string{"2 [A] b=c", "4 [A] d=e"}},
		{"larger than 64 MiB", strings.Repeat("#\n", maxFile/2) + "#", []string{"!a.service: larger than 64 MiB"}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := Parse("a.service", []byte(tt.text))
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("error %v", err)
			}
			var got []string
			for _, e := range errs {
				var one *Error
				if !errors.As(e, &one) {
					t.Fatalf("%T", e)
				}
				mark := ""
				if one.Whole {
					mark = "!"
				}
				got = append(got, mark+e.Error())
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if got := lines(list); !reflect.DeepEqual(got, tt.rest) {
				t.Errorf("assignments %q\nwant %q", got, tt.rest)
			}
		})
	}
}

// TestManyErrors: the list is bounded, and what makes the file unusable is in it.
func TestManyErrors(t *testing.T) {
	_, err := Parse("a", []byte("[A]\n"+strings.Repeat("x\n", 1000)+"[\n"+strings.Repeat("x\n", 1000)))
	errs, _ := err.(Errors)
	if len(errs) != maxErrors+1 {
		t.Fatalf("%d errors", len(errs))
	}
	whole := 0
	for _, e := range errs {
		var one *Error
		if errors.As(e, &one) && one.Whole && one.Line == 1002 {
			whole++
		}
	}
	if whole != 1 {
		t.Errorf("the bad header is %d times in %v", whole, err)
	}
}

// TestParseTime: the time is linear; a quadratic reader takes minutes.
func TestParseTime(t *testing.T) {
	const n = 1e5
	for name, text := range map[string]string{
		"assignments": "[A]\n" + strings.Repeat("b=c\n", n),
		"continued":   "[A]\nb=" + strings.Repeat("\\\nc", n) + "\n",
		"comments":    "[A]\nb=\\\n" + strings.Repeat("#\n", n) + "c\n",
		"errors":      strings.Repeat("b\n", n),
		"sections":    strings.Repeat("[A]\n", n),
		"returns":     strings.Repeat("\r\n", n),
		"backslashes": "[A]\nb=" + strings.Repeat("\\", maxLine-2) + "\n",
		"long lines":  "[A]\n" + strings.Repeat("b="+strings.Repeat("c", 1000)+"\n", n/10),
	} {
		start := time.Now()
		_, _ = Parse("a", []byte(text))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

// verify is what systemd-analyze says of a unit in the load path, line by line; the test is
// skipped without it.
func verify(t *testing.T, path, unit string) string {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "verify", "--man=no", "--recursive-errors=no", "--generators=no", "--", unit)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+path, "LC_ALL=C.UTF-8")
	out, _ := cmd.CombinedOutput() // its status is 1 where it has something to say
	if ctx.Err() != nil {
		t.Fatalf("systemd-analyze: %v", ctx.Err())
	}
	return string(out)
}

var unknownKey = regexp.MustCompile(`(?m)^([^:\n]+):(\d+): Unknown key(?: name)? '([^']*)' in section`)

// TestParseAsSystemd compares the names that are read, and the line at which they end, with
// systemd: it warns about each, as it knows none of them.
func TestParseAsSystemd(t *testing.T) {
	for _, text := range []string{
		"B1=x\\\r\n  y\r\nB2=1\r\n",
		"B1=x\\\n\nB2=1\nB3=\\\n#c\\\n ;d\n  x=y\nB4=x\\\\\nB5=1\n#comment\\\nB6=1\nB7=2\\",
		"\\\n#foo\nB1=x\n",
		"B1 = x\n\tB2=\n B 3=c\n[X-Foo]\nbar\nB4=x\n[Service]\nB5=1\nX-B6=x\n",
		"B1=\\\\\\\nB2=1\nB3=1\\ \nB4=1",
		"# caf\xe9\nB1=1\nB3=é\nB4\n=5\n[]\nB6=1\n[Service]\nB7=1",
	} {
		text = "[Service]\nExecStart=/bin/true\n" + text
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "t.service"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var theirs, ours []string
		for _, m := range unknownKey.FindAllStringSubmatch(verify(t, dir, "t.service"), -1) {
			theirs = append(theirs, m[3])
		}
		list, _ := Parse("t.service", []byte(text))
		for _, a := range list[1:] {
			ours = append(ours, a.Name)
		}
		if len(theirs) == 0 || !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%q: %q, and for systemd %q", text, ours, theirs)
		}
	}
}

// TestRefusedAsSystemd: what makes a file unusable is that for systemd as well, but for line
// ends that cannot be seen.
func TestRefusedAsSystemd(t *testing.T) {
	for text, whole := range map[string]bool{
		"B=\xe9\n": true, "B=\ufffe\n": true, "[A] # x\n": true, "[A\"]\n": true, "[\n": true,
		"B=" + strings.Repeat("x", maxLine) + "\n": true,
		"B\n": false, "=B\n": false, "[]\n": false, "[X-\u00e9]\n": false,
	} {
		text = "[Service]\nExecStart=/bin/true\n" + text
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "t.service"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		theirs := strings.Contains(verify(t, dir, "t.service"), "failed to load properly")
		_, err := Parse("t.service", []byte(text))
		errs, _ := err.(Errors)
		ours := len(errs) > 0 && errs[0].(*Error).Whole
		if ours != whole || theirs != whole {
			t.Errorf("%.60q: unusable %v, for systemd %v, want %v", text, ours, theirs, whole)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "[A]\nb=c\n", "[A]\nb=c\\\n#d\n;e\n f", "\ufeff[A]\r\nb=\r\n", "[A]\nb=c\\\\\\", "b=c", "[A\nb", "[A]\n\x00",
		"[A]\nb=\xff", "[X-A]\nb\n[A]\nX-b=c\nX-Hardrun-b=c", "[A]\nb\\\n=c", "[A]\n=\n", "[]\na=b", "[A]\nb=c\rd", "[A]\nb=c\\ \n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse("f", text)
		if err != nil {
			errs := err.(Errors)
			if len(errs) == 0 || len(errs) > maxErrors+1 {
				t.Fatalf("%d errors", len(errs))
			}
		}
		var b strings.Builder
		last := 0
		for _, a := range list {
			if a.Name == "" || a.Section == "" || a.Name != strings.Trim(a.Name, blanks) || a.Value != strings.Trim(a.Value, blanks) {
				t.Fatalf("%+v", a)
			}
			if a.From.Line <= last || a.Head >= a.From.Line || strings.ContainsAny(a.Name+a.Value+a.Section, "\x00\r\n") {
				t.Fatalf("%+v after line %d", a, last)
			}
			last = a.From.Line
			b.WriteString("[" + a.Section + "]\n" + a.Name + "=" + a.Value + " \n")
		}
		again, err := Parse("f", []byte(b.String()))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d assignments, %d again: %v", len(list), len(again), err)
		}
		for i := range list {
			list[i].From, again[i].From = policy.Origin{}, policy.Origin{}
			list[i].Head, again[i].Head = 0, 0
			if list[i] != again[i] {
				t.Fatalf("%+v, again %+v", list[i], again[i])
			}
		}
	})
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]*Error{
		"named.service:14: text": {File: "named.service", Line: 14, Text: "text"},
		"/srv/x: text":           {File: "/srv/x", Text: "text"},
		"text":                   {Text: "text"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	var errs Errors
	if errs.orNil() != nil {
		t.Error("no errors are an error")
	}
	errs.add(&Error{Text: "x", Err: ErrMasked})
	if !errors.Is(errs.orNil(), ErrMasked) || errs.Error() != "x" {
		t.Error(errs)
	}
	if got := shown(strings.Repeat("x", 100)); got != strconv.Quote(strings.Repeat("x", 80))+"…" {
		t.Error(got)
	}
}
