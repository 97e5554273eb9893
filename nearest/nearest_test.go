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
