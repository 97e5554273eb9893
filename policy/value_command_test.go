package policy

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// expandTest stands for the expander of a unit a@b c.service: %i is "b c", %e nothing.
func expandTest(text string) (string, error) {
	if strings.Contains(text, "%?") {
		return "", errors.New(`unknown specifier "%?"`)
	}
	return strings.NewReplacer("%%", "%", "%i", "b c", "%e", "", "%q", `"\:`, "%t", "/run").Replace(text), nil
}

// TestParseCommands holds systemd.service(5), "COMMAND LINES", and what systemd was seen to
// do: splitting first, specifiers then, unknown escapes stay.
func TestParseCommands(t *testing.T) {
	for _, c := range []struct {
		line string
		want []Command
	}{
		// The manual's examples.
		{"echo $ONE $TWO ${TWO}", []Command{{Path: "echo", Args: []string{"echo", "$ONE", "$TWO", "${TWO}"}}}},
		{":echo $USER", []Command{{Path: "echo", Args: []string{"echo", "$USER"}, NoVars: true}}},
		{"-false", []Command{{Path: "false", Args: []string{"false"}, Ignore: true}}},
		{"+:@true $TEST", []Command{{Path: "true", Args: []string{"$TEST"}, Full: true, NoVars: true, Argv0: true}}},
		{`echo / >/dev/null & \; ls`, []Command{{Path: "echo", Args: []string{"echo", "/", ">/dev/null", "&", ";", "ls"}}}},
		{"sh -c 'dmesg | tac'", []Command{{Path: "sh", Args: []string{"sh", "-c", "dmesg | tac"}}}},
		{`echo "two two"`, []Command{{Path: "echo", Args: []string{"echo", "two two"}}}},
		// Several, by a word ";" of its own: not in quotes, not at the end of a word.
		{"/a b ; /c;d ; ", []Command{{Path: "/a", Args: []string{"/a", "b"}}, {Path: "/c;d", Args: []string{"/c;d"}}}},
		{`/a ";" ';' \x3b ;x`, []Command{{Path: "/a", Args: []string{"/a", ";", ";", ";", ";x"}}}},
		{"/a\t;\t-/b", []Command{{Path: "/a", Args: []string{"/a"}}, {Path: "/b", Args: []string{"/b"}, Ignore: true}}},
		{"; /a", []Command{{Path: "/a", Args: []string{"/a"}}}},
		// Prefixes, in any order, each once; "!!" was given up.
		{"-!@/a b c", []Command{{Path: "/a", Args: []string{"b", "c"}, Ignore: true, NoUser: true, Argv0: true}}},
		{"!!/a", []Command{{Path: "/a", Args: []string{"/a"}}}},
		{"!!!/a", []Command{{Path: "/a", Args: []string{"/a"}, NoUser: true}}},
		{"|echo $HOME", []Command{{Path: "echo", Args: []string{"echo", "$HOME"}, Shell: true}}},
		{"@|echo a", []Command{{Path: "echo", Args: []string{"echo", "a"}, Shell: true, Argv0: true}}},
		{"|", []Command{{Shell: true}}},
		{"@+-|", []Command{{Shell: true, Full: true, Ignore: true, Argv0: true}}},
		// Quotes open and close in a word; C escapes in and out of them; unknown ones stay.
		{`/a x'y z'"w" \t\x41\101 "\n" \-\ \q`, []Command{{Path: "/a", Args: []string{"/a", "xy zw", "\tAA", "\n", `\-\ \q`}}}},
		{`/a \x00 '\0'`, []Command{{Path: "/a", Args: []string{"/a", `\x00`, `\0`}}}},
		{`-"/a b" c`, []Command{{Path: "/a b", Args: []string{"/a b", "c"}, Ignore: true}}},
		{`/a ""`, []Command{{Path: "/a", Args: []string{"/a", ""}}}},
		// The path is simplified, and not the name of the process.
		{"/usr//bin/./x y", []Command{{Path: "/usr/bin/x", Args: []string{"/usr//bin/./x", "y"}}}},
		// Specifiers, word by word: blanks stay, nothing leaves an empty word, and no word
		// becomes ";" or a quote by one.
		{"%t/x %i '%i' %e a%%b %q", []Command{{Path: "/run/x", Args: []string{"/run/x", "b c", "b c", "", "a%b", `"\:`}}}},
		{"@/x %i", []Command{{Path: "/x", Args: []string{"b c"}, Argv0: true}}},
	} {
		got, err := ParseCommands(c.line, expandTest)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v (%v)\nwant %+v", c.line, got, err, c.want)
		}
	}
	for _, line := range []string{
		"", " ", ";", "-", "-;", "!!; /a", "@/a", `@/a ""`, "bin/a", "./a", "/", "/a/", "/a/..", ".", "/a\x01b", `/a "b`, "/a 'b", "--/a", "+!/a", "!+/a",
		"--a", "!-!a", "| a", "%e", "|%e", "%?", "/a %?", "a\x00", `"/a\nb"`, "/" + strings.Repeat("a/", 2048) + "a",
	} {
		if got, err := ParseCommands(line, expandTest); err == nil {
			t.Errorf("%q is taken: %+v", line, got)
		}
	}
	// Without a unit "%" is a per cent sign.
	got, err := ParseCommands("/a %i %? 100%", nil)
	if err != nil || !slices.Equal(got[0].Args, []string{"/a", "%i", "%?", "100%"}) {
		t.Errorf("without specifiers: %+v, %v", got, err)
	}
}

// FuzzParseCommands: no line panics, and what is taken is printed and read back the same.
func FuzzParseCommands(f *testing.F) {
	for _, s := range []string{"-@/a b ; c", `|'x \n' \; "`, "!!!/a", "%i", "!!;", `/a \x00 \-`, "@|", "/a//b ; ;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseCommands(s, nil)
		if err != nil {
			if got != nil {
				t.Fatalf("%q: %+v beside %v", s, got, err)
			}
			return
		}
		var text []string
		for i := range got {
			text = append(text, commandText(&got[i]))
		}
		back, err := ParseCommands(strings.Join(text, " ; "), nil)
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("%q printed as %q gives %+v (%v), want %+v", s, text, back, err, got)
		}
		for i := range got {
			c := &got[i]
			if c.Full && c.NoUser || c.Path == "" && !c.Shell || c.Path != "" && c.Path[0] != '/' && strings.Contains(c.Path, "/") {
				t.Fatalf("%q: %+v", s, c)
			}
		}
	})
}

// TestCommandsOfAPolicy: an empty line resets, specifiers are those of the unit alone.
func TestCommandsOfAPolicy(t *testing.T) {
	p := Policy{Expand: expandTest}
	mustSet(t, &p, "ExecStart", "/a ; /b", line(1))
	mustSet(t, &p, "ExecStart", "", line(2))
	mustSet(t, &p, "ExecStart", "/c %i", line(3))
	mustSet(t, &p, "ExecStop", "/d %i", option("-p"))
	l := &p.Service.Commands[ExecStart]
	if len(l.Items) != 1 || !l.Reset || l.Items[0].From != line(3) || l.Items[0].V.Args[1] != "b c" {
		t.Errorf("ExecStart: %+v", l)
	}
	if got := p.Service.Commands[ExecStop].Items[0].V.Args[1]; got != "%i" {
		t.Errorf("a specifier of the command line became %q", got)
	}
	for i, name := range ExecNames {
		if f, ok := Lookup(name).fieldOf().(commandsField); !ok || int(f) != i {
			t.Errorf("%s= fills the list %v, want %d", name, f, i)
		}
	}
}
