package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is written is what encoding/json reads back.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/\b\n\t\x00\x7f", "ä€😀", "\xff\xc3", "</script>\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var j jsonWriter
		j.quote(s)
		var got string
		if err := json.Unmarshal([]byte(j.String()), &got); err != nil {
			t.Fatalf("%q: %s: %v", s, j.String(), err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want && !strings.Contains(got, "\ufffd") {
			t.Errorf("%q was written as %s and read as %q", s, j.String(), got)
		}
	})
}

func TestJSON(t *testing.T) {
	var j jsonWriter
	j.open("{")
	j.field("a", "x")
	j.list("b", 2, func(i int) { j.raw("n", "1"); j.field("s", "t") })
	j.list("c", 0, nil)
	j.raw("d", "true")
	j.close("}")
	want := "{\"a\":\"x\",\"b\":[\n {\"n\":1,\"s\":\"t\"},\n {\"n\":1,\"s\":\"t\"}],\"c\":[],\"d\":true}"
	if j.String() != want || !json.Valid([]byte(want)) {
		t.Errorf("got %s, want %s", j.String(), want)
	}
}
