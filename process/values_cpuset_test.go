package process

import (
	"testing"
)

// systemd.exec(5), CPUAffinity=.
func TestParseCPUSet(t *testing.T) {
	for _, c := range []struct {
		name, in, text string
		first, count   int
	}{
		{"one", "0", "0", 0, 1},
		{"range and index", "0-3,8", "0-3,8", 0, 5},
		{"blanks", "1 3\t5", "1,3,5", 1, 3},
		{"both", "0-1, 4 6-7", "0-1,4,6-7", 0, 5},
		{"overlap", "0-3 2-5 4", "0-5", 0, 6},
		{"unordered", "8,1-2", "1-2,8", 1, 3},
		{"over a word", "62-65", "62-65", 62, 4},
		{"range of one", "5-5", "5", 5, 1},
		{"highest", "8191", "8191", 8191, 1},
		{"all", "0-8191", "0-8191", 0, 8192},
	} {
		got, err := ParseCPUSet(c.in)
		if err != nil || got.String() != c.text || got.First() != c.first || got.Count() != c.count {
			t.Errorf("%s: ParseCPUSet(%q) = %v (first %d, count %d), %v", c.name, c.in, got, got.First(), got.Count(), err)
		}
	}
	for _, in := range []string{"", " ", ",", "3-1", "8192", "0-8192", "0-", "-3", "0 - 3", "1-2-3", "0x1", "+1", "01", "a", "numa", "all", "0;1", `"0"`, "99999999999999999999", "٣"} {
		if got, err := ParseCPUSet(in); got != nil || err == nil {
			t.Errorf("ParseCPUSet(%q) = %v, %v, want an error", in, got, err)
		}
	}
}

func TestCPUSet(t *testing.T) {
	set := CPUSet{1<<0 | 1<<63, 1}
	for _, c := range []struct {
		n    int
		want bool
	}{{-1, false}, {0, true}, {1, false}, {63, true}, {64, true}, {65, false}, {128, false}} {
		if got := set.Has(c.n); got != c.want {
			t.Errorf("Has(%d) = %v", c.n, got)
		}
	}
	short, long := CPUSet{1}, CPUSet{2, 4}
	if got := short.Union(long); !got.Equal(CPUSet{3, 4}) || !long.Union(short).Equal(got) {
		t.Errorf("union is %v", got)
	}
	if short[0] != 1 || long[0] != 2 {
		t.Errorf("Union changed its operands: %v, %v", short, long)
	}
	if !(CPUSet{1, 0, 0}).Equal(CPUSet{1}) || !(CPUSet{0}).Equal(nil) || (CPUSet{1}).Equal(CPUSet{1, 1}) {
		t.Error("Equal does not compare members")
	}
	if got := (CPUSet{0}).Union(nil); got != nil {
		t.Errorf("the union of empty sets is %#v", got)
	}
	if got := (CPUSet{0, 0}).First(); got != -1 {
		t.Errorf("First() of the empty set is %d", got)
	}
	if got := CPUSet(nil).String(); got != "" {
		t.Errorf("the empty set prints as %q", got)
	}
}

func FuzzParseCPUSet(f *testing.F) {
	for _, s := range []string{"", "0-3,8", "8191", "3-1", "0 , 1", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParseCPUSet(s)
		if err != nil {
			if set != nil {
				t.Fatalf("%q: an error, and %v", s, set)
			}
			return
		}
		if set[len(set)-1] == 0 {
			t.Fatalf("%q: trailing zero word in %#v", s, set)
		}
		if again, err := ParseCPUSet(set.String()); err != nil || !again.Equal(set) {
			t.Fatalf("%q: %v comes back as %v, %v", s, set, again, err)
		}
	})
}
