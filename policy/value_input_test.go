package policy

import (
	"encoding/base64"
	"strings"
	"testing"
)

// systemd.exec(5), StandardInputText=: C escapes, and a newline behind each.
func TestParseInputText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "\n"},
		{"hello world", "hello world\n"},
		{`a\tb\x41\n`, "a\tbA\n\n"},
		{`"quotes" 'stay'`, "\"quotes\" 'stay'\n"},
		{`\\\s\u00fc`, "\\ ü\n"},
	} {
		if got, err := ParseInputText(c.in); got != c.want || err != nil {
			t.Errorf("ParseInputText(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{`a\`, `a\xyz`, `\-`, `\0`, `\x00`, "a\x00"} {
		if got, err := ParseInputText(in); got != "" || err == nil {
			t.Errorf("ParseInputText(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

// systemd.exec(5), StandardInputData=; the first three are RFC 4648 section 10.
func TestParseBase64(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9vYmFy", "foobar"},
		{"", ""},
		{"+/+/", "\xfb\xff\xbf"},
		{"AAAA", "\x00\x00\x00"},
		{" Z g\t=\n=\r", "f"},
		{"SGVsbG8g V29ybGQh", "Hello World!"},
	} {
		if got, err := ParseBase64(c.in); got != c.want || err != nil {
			t.Errorf("ParseBase64(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	// systemd-analyze verify refuses the first row.
	for _, in := range []string{
		"QQ", "QR==", "-_==", "QQ==QQ==",
		"Q", "QQ=", "QQQ", "Q===", "=", "====", "QQ=A", "QUF=", "QQ==A", "QQ===", "QQ\x00==", "QQ.=", "ü===",
	} {
		if got, err := ParseBase64(in); got != "" || err == nil {
			t.Errorf("ParseBase64(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

func FuzzParseInputText(f *testing.F) {
	for _, s := range []string{"", "a\\n", "\\", "\\x4", "ü\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := ParseInputText(s)
		if err != nil {
			if text != "" {
				t.Fatalf("%q: an error, and %q", s, text)
			}
			return
		}
		body, ok := strings.CutSuffix(text, "\n")
		if !ok {
			t.Fatalf("%q: no newline in %q", s, text)
		}
		if again, err := ParseInputText(strings.ReplaceAll(body, `\`, `\\`)); err != nil || again != text {
			t.Fatalf("%q: %q comes back as %q, %v", s, text, again, err)
		}
	})
}

// The strict decoder of encoding/base64 is the oracle.
func FuzzParseBase64(f *testing.F) {
	for _, s := range []string{"", "Zg==", "Zm 8=", "QR==", "QQ==QQ==", "-_=="} {
		f.Add(s)
	}
	blanks := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseBase64(s)
		want, wantErr := base64.StdEncoding.Strict().DecodeString(blanks.Replace(s))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/base64 %v", s, err, wantErr)
		}
		if err != nil && got != "" || err == nil && got != string(want) {
			t.Fatalf("%q: %q, %v, want %q", s, got, err, want)
		}
	})
}
