package nearest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	list := []string{"ProtectSystem", "", "PrivateTmp", "PrivateNetwork", "PrivateNetworkFoo", "NoNewPrivileges"}
	for _, c := range []struct{ in, want string }{
		{"NoNewPriveleges", "NoNewPrivileges"},
		{"nonewprivileges", "NoNewPrivileges"},
		{"PrivateNetwork", "PrivateNetwork"},
		{"PrivateNet", "PrivateNetwork"},
		{"PrivatTmp", "PrivateTmp"},
		{"NewPriv", "NoNewPrivileges"},
		{"zzzz", ""},
		{"", ""},
		{"x", ""},
		{strings.Repeat("PrivateTmp", 1000), ""},
	} {
		if got := Of(c.in, list); got != c.want {
			t.Errorf("Of(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// Insertions, deletions and replacements; a swap of two letters counts as two.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"idel", "idle", 2}, {"same", "same", 0}, {"abcd", "abd", 1}, {"abxxxcd", "abcd", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// What comes before what, from which length on, and how far is near.
func TestOfBounds(t *testing.T) {
	long := strings.Repeat("abcdefgh", 8)
	for _, c := range []struct {
		in   string
		list []string
		want string
	}{
		{long, []string{long + "x"}, long + "x"},
		{long + "x", []string{long + "x"}, ""},
		{"abc", []string{"abcde", "abc"}, "abc"},
		{"abc", []string{"abcdefg", "abcde", "abcdef"}, "abcde"},
		{"abc", []string{"abcdefgh"}, "abcdefgh"},
		{"ab", []string{"abcdefgh"}, ""},
		{"bcde", []string{"abcdefghi", "abcdef", "abcdefgh"}, "abcdef"},
		{"defg", []string{"abcdefghi"}, "abcdefghi"},
		{"def", []string{"abcdefghi"}, ""},
		{"network", []string{"xnetwork", "networkverylong"}, "networkverylong"},
		{"abcd", []string{"abcx", "zzzzabcdzzzz"}, "zzzzabcdzzzz"},
		{"abcd", []string{"xyz", "abcx", "abcy"}, "abcx"},
		{"abcdefgh", []string{"abcdexyz", "abcdefxy"}, "abcdefxy"},
		{"x", []string{"y"}, ""},
		{"ab", []string{"ax"}, "ax"},
		{"ab", []string{"xy"}, ""},
		{"abx", []string{"aby"}, "aby"},
		{"axx", []string{"aby"}, ""},
		{"abxx", []string{"abyz"}, "abyz"},
		{"axxx", []string{"abyz"}, ""},
		{"abcdefgh", []string{"abcdexyz"}, "abcdexyz"},
		{"abcdefgh", []string{"abcdwxyz"}, ""},
		{"abcdefghijklmnop", []string{"abcdefghijkl----"}, "abcdefghijkl----"},
		{"abcdefghijklmnop", []string{"abcdefghijk-----"}, ""},
		{"abcdefghijklmnopqrst", []string{"abcdefghijklmno-----"}, ""},
	} {
		if got := Of(c.in, c.list); got != c.want {
			t.Errorf("Of(%q, %q) = %q, want %q", c.in, c.list, got, c.want)
		}
	}
}
