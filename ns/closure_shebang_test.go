package ns

import (
	"strings"
	"testing"
)

// execve(2), "Interpreter scripts", and linux/fs/binfmt_script.c: one argument,
// blanks inside it are kept, the line is cut after 255 bytes.
func TestParseShebang(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ name, in, interp, arg string }{
		{"plain", "#!/bin/sh\necho", "/bin/sh", ""},
		{"blanks before", "#! \t/bin/sh\n", "/bin/sh", ""},
		{"argument", "#!/usr/bin/awk -f\n", "/usr/bin/awk", "-f"},
		{"one argument with blanks", "#!/usr/bin/env -S  a  b \t\n", "/usr/bin/env", "-S  a  b"},
		{"carriage return is part of the name", "#!/bin/sh\r\n", "/bin/sh\r", ""},
		{"no newline in a short file", "#!/bin/sh", "/bin/sh", ""},
		{"no newline, argument", "#!/bin/sh -e", "/bin/sh", "-e"},
		{"NUL ends", "#!/bin/sh\x00x y\n", "/bin/sh", ""},
		{"argument is cut", "#!/bin/sh " + long, "/bin/sh", strings.Repeat("x", 255-10)},
	} {
		interp, arg, err := parseShebang([]byte(tt.in))
		if err != nil || interp != tt.interp || arg != tt.arg {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", tt.name, interp, arg, err, tt.interp, tt.arg)
		}
	}
	for _, tt := range []struct{ name, in string }{
		{"empty", ""},
		{"no script", "\x7fELF"},
		{"nothing", "#!"},
		{"empty line", "#!\n/bin/sh"},
		{"blanks", "#! \t \n"},
		{"too long", "#!/" + long},
		{"all blanks", "#!" + strings.Repeat(" ", 300)},
	} {
		if interp, arg, err := parseShebang([]byte(tt.in)); err == nil || interp+arg != "" {
			t.Errorf("%s: got %q, %q, %v, want an error", tt.name, interp, arg, err)
		}
	}
}

// env(1) of coreutils: -S splits; options and assignments come first.
func TestEnvProgram(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"python3", "python3", true},
		{"python3 -u", "python3 -u", true}, // without -S it is one name
		{"-S python3 -u", "python3", true},
		{"-Spython3 -u", "python3", true},
		{"--split-string=python3 -u", "python3", true},
		{"-S -i PATH=/bin perl -w", "perl", true},
		{"-S -u HOME perl", "perl", true},
		{"-S -- perl", "perl", true},
		{"A=1", "", true},
		{"-S A=1", "", true},
		{"-S 'my prog'", "", false},
		{"-S ${X}", "", false},
		{"-S -C /tmp perl", "", false},
		{"-i", "", false},
	} {
		if got, ok := envProgram(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("envProgram(%q) = %q, %v, want %q, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzShebang(f *testing.F) {
	f.Add([]byte("#!/usr/bin/env -S a=b python3 -u\n"))
	f.Add([]byte("#! /bin/sh"))
	f.Add([]byte("#!" + strings.Repeat(" x", 200)))
	f.Fuzz(func(t *testing.T, b []byte) {
		interp, arg, err := parseShebang(b)
		if err != nil {
			if interp+arg != "" {
				t.Fatalf("%q %q with error %v", interp, arg, err)
			}
			return
		}
		if interp == "" || strings.ContainsAny(interp, " \t\n\x00") || strings.ContainsAny(arg, "\n\x00") {
			t.Fatalf("%q %q", interp, arg)
		}
		// The line that says the same must be read as the same.
		again, arg2, err := parseShebang([]byte("#!" + interp + " " + arg + "\n"))
		if len(interp)+len(arg) < 250 && (err != nil || again != interp || arg2 != strings.TrimLeft(arg, " \t")) {
			t.Fatalf("%q %q, read again %q %q %v", interp, arg, again, arg2, err)
		}
		if arg != "" {
			if p, ok := envProgram(arg); !ok && p != "" {
				t.Fatalf("envProgram(%q) = %q, false", arg, p)
			}
		}
	})
}
