package main

import (
	"reflect"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// fill gives every field of a value something of its own, so that one which is not handed
// over is seen.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(t, v.Field(i), n)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(*n), 0, '\n', 0xff})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.String:
		v.SetString(string(rune('a'+*n%26)) + "\x00\n\xff")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) + 1000)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n) + 1<<31)
	default:
		t.Fatalf("a kind that this test does not know: %v", v.Type())
	}
}

// An errand is the same on the other side, in every field; but for the lines that were passed
// over, and where a section began, which the start has told of.
func TestErrand(t *testing.T) {
	n := 0
	o := &errand{list: 3, index: 1, child: true, exec: -1, lock: 7}
	fill(t, reflect.ValueOf(&o.given).Elem(), &n)
	u := reflect.New(reflect.TypeOf(o.unit).Elem())
	for _, name := range []string{"Name", "Path", "Prefix", "Instance", "Files", "Assignments"} {
		fill(t, u.Elem().FieldByName(name), &n)
	}
	reflect.ValueOf(&o.unit).Elem().Set(u)
	for i := range o.unit.Assignments {
		o.unit.Assignments[i].Head = 0
		o.unit.Assignments[i].From.Default = false
	}
	g := &o.given // what the command itself says
	g.Vars, g.Shell, g.Login, g.Argv0, g.Path = false, false, false, false, ""
	b := o.tell()
	got, err := hear(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][2]any{{*got.unit, *o.unit}, {got.given, o.given}} {
		g, w := reflect.ValueOf(p[0]), reflect.ValueOf(p[1])
		for i := range g.NumField() {
			if g, w := g.Field(i).Interface(), w.Field(i).Interface(); !reflect.DeepEqual(g, w) {
				t.Errorf("%s: heard %+q, want %+q", reflect.TypeOf(p[0]).Field(i).Name, g, w)
			}
		}
	}
	got.unit, got.given = o.unit, o.given
	if !reflect.DeepEqual(got, o) {
		t.Errorf("heard %+v, want %+v", got, o)
	}
	for cut := range b {
		if _, err := hear(b[:cut]); err == nil {
			t.Errorf("%d of %d bytes were taken for an errand", cut, len(b))
		}
	}
	if _, err := hear(append(b, 0)); err == nil {
		t.Error("a byte too many was taken")
	}
}

// A count that cannot be, and a command that is in no list, are refused.
func TestErrandBroken(t *testing.T) {
	good := func(t *teller) { // all of an errand without a unit, behind its command
		t.number(-1)
		t.bool(false)
		t.number(-1)
		t.text("")
		t.bool(false)
		t.texts(nil)
		t.number(0)
		for range 4 {
			t.number(-1)
		}
		t.text("")
		t.bool(false)
		t.number(0)
		t.number(0)
		t.bool(false)
		t.text("")
	}
	for _, tt := range []struct {
		name string
		tell func(t *teller)
		ok   bool
	}{
		{"the first list", func(t *teller) { t.bool(false); t.number(0); t.number(0); good(t) }, true},
		{"the last list", func(t *teller) { t.bool(false); t.number(len(policy.ExecNames) - 1); t.number(0); good(t) }, true},
		{"behind the last list", func(t *teller) { t.bool(false); t.number(len(policy.ExecNames)); t.number(0); good(t) }, false},
		{"before the first list", func(t *teller) { t.bool(false); t.number(-1); t.number(0); good(t) }, false},
		{"a count that is negative", func(t *teller) {
			t.bool(true)
			t.b = append(t.b, make([]byte, 4)...) // no names
			t.number(-1)
		}, false},
		{"a count beyond the end", func(t *teller) {
			t.bool(true)
			t.b = append(t.b, make([]byte, 4)...)
			t.number(1 << 60)
		}, false},
	} {
		w := &teller{}
		tt.tell(w)
		if o, err := hear(w.b); (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", tt.name, o, err)
		}
	}
}
