package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/process"
)

// systemd.exec(5), StandardInput= and StandardOutput=.
func TestParseStream(t *testing.T) {
	const in, out = true, false
	for _, c := range []struct {
		s     string
		input bool
		want  Stream
	}{
		{"null", in, Stream{StreamNull, "", "null"}},
		{"tty", in, Stream{StreamTTY, "", "tty"}},
		{"tty-force", in, Stream{StreamTTYForce, "", "tty-force"}},
		{"tty-fail", in, Stream{StreamTTYFail, "", "tty-fail"}},
		{"data", in, Stream{StreamData, "", "data"}},
		{"file:/etc//motd", in, Stream{StreamFile, "/etc/motd", "file"}},
		{"socket", in, Stream{StreamSocket, "", "socket"}},
		{"fd", in, Stream{StreamFD, "", "fd"}},
		{"fd:", in, Stream{StreamFD, "", "fd"}},
		{"fd:foobar", in, Stream{StreamFD, "foobar", "fd"}},
		{"fd:3", in, Stream{StreamFD, "3", "fd"}},

		{"inherit", out, Stream{StreamInherit, "", "inherit"}},
		{"inherit", in, Stream{StreamInherit, "", "inherit"}},
		{"null", out, Stream{StreamNull, "", "null"}},
		{"tty", out, Stream{StreamTTY, "", "tty"}},
		{"journal", out, Stream{StreamLog, "", "journal"}},
		{"kmsg", out, Stream{StreamLog, "", "kmsg"}},
		{"journal+console", out, Stream{StreamLog, "", "journal+console"}},
		{"kmsg+console", out, Stream{StreamLog, "", "kmsg+console"}},
		{"syslog", out, Stream{StreamLog, "", "syslog"}},
		{"syslog+console", out, Stream{StreamLog, "", "syslog+console"}},
		{"file:/a", out, Stream{StreamFile, "/a", "file"}},
		{"append:/var/log/x:y", out, Stream{StreamAppend, "/var/log/x:y", "append"}},
		{"truncate:/a", out, Stream{StreamTruncate, "/a", "truncate"}},
		{"socket", out, Stream{StreamSocket, "", "socket"}},
		{"fd", out, Stream{StreamFD, "", "fd"}},
		{"fd:" + strings.Repeat("x", 255), out, Stream{StreamFD, strings.Repeat("x", 255), "fd"}},
		{"fd:a b", out, Stream{StreamFD, "a b", "fd"}},
	} {
		if got, err := ParseStream(c.s, c.input); got != c.want || err != nil {
			t.Errorf("ParseStream(%q, %v) = %v, %v, want %v", c.s, c.input, got, err, c.want)
		}
	}
	for _, c := range []struct {
		s     string
		input bool
		word  bool // the error is for an unknown word
	}{
		{"", in, true},
		{"", out, true},
		{"append:/a", in, true},
		{"truncate:/a", in, true},
		{"journal", in, true},
		{"Null", in, true},
		{"tty-force", out, true},
		{"tty-fail", out, true},
		{"data", out, true},
		{"console", out, true},
		{"/dev/null", out, true},
		{"null ", out, true},
		{":/a", out, true},
		{"file", in, false},
		{"file:", in, false},
		{"file:a", in, false},
		{"file:-/a", in, false},
		{"file:/a/../b", in, false},
		{"append", out, false},
		{"append:", out, false},
		{"truncate:x", out, false},
		{"null:", out, false},
		{"journal:x", out, false},
		{"fd:a:b", out, false},
		{"fd:ü", out, false},
		{"fd:a\n", out, false},
		{"fd:" + strings.Repeat("x", 256), out, false},
	} {
		got, err := ParseStream(c.s, c.input)
		var word *process.WordError
		if got != (Stream{}) || err == nil || errors.As(err, &word) != c.word {
			t.Errorf("ParseStream(%q, %v) = %v, %v, want an error (unknown word: %v)", c.s, c.input, got, err, c.word)
		}
	}
	_, err := ParseStream("jornal", out)
	var word *process.WordError
	if !errors.As(err, &word) || word.Hint() != "did you mean journal?" || err.Error() != `unknown stream "jornal"` {
		t.Errorf("jornal: %v", err)
	}
}

func FuzzParseStream(f *testing.F) {
	for _, s := range []string{"", "null", "file:/a//b", "fd:", "fd:x", "journal+console", "append:/a:b", "socket:"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, input bool) {
		st, err := ParseStream(s, input)
		if err != nil {
			if st != (Stream{}) {
				t.Fatalf("%q: an error, and %v", s, st)
			}
			return
		}
		if again, err := ParseStream(streamText(st), input); err != nil || again != st {
			t.Fatalf("%q: %v comes back as %v, %v", s, st, again, err)
		}
	})
}
