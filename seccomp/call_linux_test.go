package seccomp

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Every error that another table has is found by its name there, and has a name by which it is found; no other has one.
func TestErrorsHaveNames(t *testing.T) {
	known := 0
	for n := range uint16(4096) {
		want := unix.ErrnoName(syscall.Errno(n))
		own := errnoName(n)
		if want == "" {
			if own != "" {
				t.Errorf("error %d is %q", n, own)
			}
			continue
		}
		if got, ok := ErrnoByName(own); got != n || !ok {
			t.Errorf("error %d is %q, which is %d, %v", n, own, got, ok)
		}
		known++
		if got, ok := ErrnoByName(want); got != n || !ok {
			t.Errorf("%s is %d, %v, want %d", want, got, ok, n)
		}
	}
	if known < 130 {
		t.Errorf("only %d errors have a name", known)
	}
	for _, name := range []string{"", "E", "EPER", "eperm", "PERM", "EZZZ", "1"} {
		if n, ok := ErrnoByName(name); ok {
			t.Errorf("%q is %d", name, n)
		}
	}
}

// Every call and every group is found by its name, and what is before, between and behind them is not.
func TestNamesAreFound(t *testing.T) {
	for c := range Call(callCount) {
		if got, ok := ByName(c.String()); got != c || !ok {
			t.Errorf("%s is %d, %v, want %d", c, got, ok, c)
		}
		if got, ok := ByName(c.String() + "~"); ok {
			t.Errorf("%s~ is %s", c, got)
		}
	}
	for _, c := range []Call{callCount, callCount + 1, none} {
		if got := c.String(); got != "?" {
			t.Errorf("call %d is %q", c, got)
		}
	}
	for _, name := range Groups() {
		g, ok := GroupByName(name)
		if !ok || g.Name != name || g.Set == (Set{}) {
			t.Errorf("%s: %v", name, ok)
		}
		if _, ok := GroupByName(name + "~"); ok {
			t.Errorf("%s~ is a group", name)
		}
	}
	for _, name := range []string{"", "@", "zzz", "@zzz"} {
		if _, ok := ByName(name); ok {
			t.Errorf("%q is a call", name)
		}
		if _, ok := GroupByName(name); ok {
			t.Errorf("%q is a group", name)
		}
	}
}

// A set has the calls that were put into it, and nothing behind the last one.
func TestSetBounds(t *testing.T) {
	var full Set
	for i := range full {
		full[i] = ^uint64(0)
	}
	for _, c := range []Call{callCount, callCount + 1, none} {
		if full.Has(c) {
			t.Errorf("call %d is in a set", c)
		}
	}
	for c := range Call(callCount) {
		var s Set
		s.Add(c)
		n := 0
		s.Each(func(got Call) {
			if n++; got != c {
				t.Errorf("%d was put in, and %d handed out", c, got)
			}
		})
		if n != 1 || !s.Has(c) || c > 0 && s.Has(c-1) || s.Has(c+1) {
			t.Errorf("%d is not alone in its set: %d", c, n)
		}
		if s.Remove(c); s != (Set{}) {
			t.Errorf("%d was not taken out", c)
		}
	}
}
