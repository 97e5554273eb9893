package caps

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		n    int
		name string
	}{
		{0, "cap_chown"},
		{5, "cap_kill"},
		{10, "cap_net_bind_service"},
		{21, "cap_sys_admin"},
		{37, "cap_audit_read"},
		{40, "cap_checkpoint_restore"},
		{41, "cap_41"},
		{63, "cap_63"},
	} {
		if got := Name(c.n); got != c.name {
			t.Errorf("Name(%d) = %q, want %q", c.n, got, c.name)
		}
		for _, s := range []string{c.name, strings.ToUpper(c.name)} {
			if n, ok := FromName(s); n != c.n || !ok {
				t.Errorf("FromName(%q) = %d, %v, want %d", s, n, ok, c.n)
			}
		}
	}
	for _, n := range []int{-1, 64} {
		if got := Name(n); got != "" {
			t.Errorf("Name(%d) = %q, want none", n, got)
		}
	}
	if n, ok := FromName("Net_Bind_Service"); n != 10 || !ok {
		t.Errorf("without prefix: %d, %v", n, ok)
	}
	for _, s := range []string{"", "cap_", "cap_net_bind", "1", "41", "cap_1", "cap_05", "cap_40", "cap_64", "cap_99", "cap_+5", "cap_-1", "cap_041", "chown ", "cap_cap_chown", "cap-chown"} {
		if n, ok := FromName(s); ok || n != 0 {
			t.Errorf("FromName(%q) = %d, %v, want none", s, n, ok)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"CAP_NET_BIND", "cap_net_bind_service"},
		{"net_bind", "cap_net_bind_service"},
		{"bind_service", "cap_net_bind_service"},
		{"CAP_SYS_ADMN", "cap_sys_admin"},
		{"cap_sysadmin", "cap_sys_admin"},
		{"cap_chwon", "cap_chown"},
		{"CAP_SYS_PTRAC", "cap_sys_ptrace"},
		{"cap_setgids", "cap_setgid"},
		{"dac_read_serch", "cap_dac_read_search"},
		{"linux_immmutable", "cap_linux_immutable"},
		{"cap_bpf_x", "cap_bpf"},
		{"aud", "cap_audit_read"},
		{"zzz", ""},
		{"", ""},
		{"cap_", ""},
		{"yes", ""},
		{strings.Repeat("x", 5000), ""},
	} {
		if got := Nearest(c.in); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSet(t *testing.T) {
	s := Set(0).Add(0).Add(5)
	if s != 0x21 || !s.Has(5) || s.Has(1) || s.Has(-1) || s.Has(64) || s.Has(65) {
		t.Fatalf("{chown,kill} is %#x", uint64(s))
	}
	if !s.Has(0) || !Set(1<<63).Has(63) || Set(1<<62).Has(63) {
		t.Error("the first or the last capability is not what its bit says")
	}
	if got := s.String(); got != "{cap_chown,cap_kill}" {
		t.Errorf("String() = %q", got)
	}
	if got := Set(0).String(); got != "{}" {
		t.Errorf("empty: String() = %q", got)
	}
	if got := s.Hex(); got != "0000000000000021" {
		t.Errorf("Hex() = %q", got)
	}
	if got := (^Set(0)).Hex(); got != "ffffffffffffffff" {
		t.Errorf("full: Hex() = %q", got)
	}
	if got := s.Names(); !slices.Equal(got, []string{"cap_chown", "cap_kill"}) {
		t.Errorf("Names() = %q", got)
	}
	if got := Set(1<<41 | 1).String(); got != "{cap_chown,cap_41}" {
		t.Errorf("with an unknown one: String() = %q", got)
	}
	if s.Count() != 2 || s.Empty() || !Set(0).Empty() {
		t.Errorf("Count() = %d, Empty() = %v", s.Count(), s.Empty())
	}
	if got := Set(7).Without(2); got != 5 {
		t.Errorf("Without: %v", got)
	}
	if got := Set(3).Intersect(6); got != 2 {
		t.Errorf("Intersect: %v", got)
	}
	if got := Set(3).Union(6); got != 7 {
		t.Errorf("Union: %v", got)
	}
	for _, c := range []struct {
		last int
		want Set
	}{{-2, 0}, {-1, 0}, {0, 1}, {40, 0x1ffffffffff}, {62, 0x7fffffffffffffff}, {63, ^Set(0)}, {64, ^Set(0)}, {math.MaxInt, ^Set(0)}} {
		if got := All(c.last); got != c.want {
			t.Errorf("All(%d) = %#x, want %#x", c.last, uint64(got), uint64(c.want))
		}
	}
}

func TestAddOutOfRangePanics(t *testing.T) {
	for _, n := range []int{-1, 64} {
		func() {
			defer func() {
				if got, want := recover(), "internal error: capability "+strconv.Itoa(n); got != want {
					t.Errorf("Add(%d): panics with %v, want %q", n, got, want)
				}
			}()
			Set(0).Add(n)
		}()
	}
}

// An unknown word is an error that has it, in ParseList as in ParseSet.
func TestParseListUnknown(t *testing.T) {
	for _, in := range []string{"net_bind", "chown,net_bind", "~chown net_bind"} {
		set, invert, all, err := ParseList(in)
		var unknown UnknownError
		if set != 0 || invert || all || !errors.As(err, &unknown) || unknown.Name != "net_bind" {
			t.Errorf("ParseList(%q) = %v, %v, %v, %v", in, set, invert, all, err)
		}
	}
}

// systemd.exec(5), CapabilityBoundingSet=.
func TestParseSet(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Set
		invert   bool
	}{
		{"two", "CAP_CHOWN CAP_KILL", 1<<0 | 1<<5, false},
		{"without prefix", "chown\tKill", 1<<0 | 1<<5, false},
		{"every blank", "CAP_CHOWN\nCAP_KILL\r\tCAP_FSETID", 1<<0 | 1<<4 | 1<<5, false},
		{"twice", "CAP_CHOWN cap_chown", 1, false},
		{"inverted", "~CAP_SYS_ADMIN", 1 << 21, true},
		{"inverted, blank behind", " ~ CAP_SYS_ADMIN ", 1 << 21, true},
		{"full set", "~", 0, true},
		{"empty set", "", 0, false},
		{"newer", "CAP_41", 1 << 41, false},
	} {
		got, invert, err := ParseSet(c.in)
		if got != c.want || invert != c.invert || err != nil {
			t.Errorf("%s: ParseSet(%q) = %v, %v, %v", c.name, c.in, got, invert, err)
		}
	}
	for _, c := range []struct{ name, in, word, hint string }{
		{"cut", "CAP_CHOWN CAP_NET_BIND", "CAP_NET_BIND", "did you mean CAP_NET_BIND_SERVICE?"},
		{"comma", "CAP_CHOWN,CAP_KILL", "CAP_CHOWN,CAP_KILL", ""},
		{"second tilde", "CAP_CHOWN ~CAP_KILL", "~CAP_KILL", ""},
		{"number", "12", "12", ""},
		{"none is no word here", "none", "none", ""},
		{"comment", "CAP_KILL # only", "#", ""},
	} {
		got, invert, err := ParseSet(c.in)
		var unknown UnknownError
		if got != 0 || invert || !errors.As(err, &unknown) || unknown.Name != c.word || unknown.Hint() != c.hint {
			t.Errorf("%s: ParseSet(%q) = %v, %v, %v (hint %q), want unknown %q, hint %q", c.name, c.in, got, invert, err, unknown.Hint(), c.word, c.hint)
		}
	}
	if _, _, err := ParseSet("CAP_NET_BIND"); err == nil || err.Error() != `unknown capability "CAP_NET_BIND"` {
		t.Errorf("text of the error: %v", err)
	}
}

// --caps of DESIGN section 1.
func TestParseList(t *testing.T) {
	for _, c := range []struct {
		name, in    string
		want        Set
		invert, all bool
	}{
		{"commas", "net_bind_service,chown", 1<<10 | 1, false, false},
		{"blanks and commas", " CAP_CHOWN, kill ", 1<<5 | 1, false, false},
		{"none", "none", 0, false, false},
		{"all", "ALL", 0, false, true},
		{"inverted", "~sys_admin,sys_module", 1<<21 | 1<<16, true, false},
	} {
		got, invert, all, err := ParseList(c.in)
		if got != c.want || invert != c.invert || all != c.all || err != nil {
			t.Errorf("%s: ParseList(%q) = %v, %v, %v, %v", c.name, c.in, got, invert, all, err)
		}
	}
	for _, in := range []string{"", " ", ",", "~", "~,", "none,chown", "chown none", "all,chown", "~all", "~none", "all none", "1", "yes", "=ep", "chown+ep"} {
		got, invert, all, err := ParseList(in)
		if got != 0 || invert || all || err == nil {
			t.Errorf("ParseList(%q) = %v, %v, %v, %v, want an error and zero", in, got, invert, all, err)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{"", "~", "CAP_CHOWN cap_kill", "~cap_41 cap_63", "none", "12", "CAP_NET_BIND", "~~chown"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, invert, err := ParseSet(s)
		if err != nil {
			if set != 0 || invert {
				t.Fatalf("%q: an error, and %v, %v", s, set, invert)
			}
			return
		}
		again, _, err := ParseSet(strings.Join(set.Names(), " "))
		if err != nil || again != set {
			t.Fatalf("%q: %v comes back as %v, %v", s, set, again, err)
		}
	})
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"", "~", "all", "none", "chown,kill", "~chown kill", "all,none", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, invert, all, err := ParseList(s)
		if err != nil && (set != 0 || invert || all) {
			t.Fatalf("%q: an error, and %v, %v, %v", s, set, invert, all)
		}
		if err != nil || set == 0 {
			return
		}
		again, _, _, err := ParseList(strings.Join(set.Names(), ","))
		if err != nil || again != set {
			t.Fatalf("%q: %v comes back as %v, %v", s, set, again, err)
		}
	})
}

func TestShort(t *testing.T) {
	for _, tt := range []struct {
		set  Set
		want string
	}{
		{0, "{}"}, {All(40), "all"}, {All(40) &^ (1 << 27), "all but {cap_mknod}"}, {1 << 10, "{cap_net_bind_service}"},
	} {
		if got := tt.set.Short(40); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.set, got, tt.want)
		}
	}
}
