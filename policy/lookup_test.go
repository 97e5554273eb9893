package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestDirectivesAreSortedAndComplete(t *testing.T) {
	if !slices.IsSortedFunc(Directives, func(a, b *Directive) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Directives are not sorted by name")
	}
	byWord := func(a, b alias) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(aliasIndex[:], byWord) || !slices.IsSortedFunc(optionIndex[:], byWord) {
		t.Error("an index is not sorted")
	}
	rows := 0
	for _, table := range tables {
		rows += len(table.rows)
		for i := range table.rows {
			d := &table.rows[i]
			if Lookup(d.ConfigName()) != d {
				t.Errorf("Lookup(%q) is not its row", d.ConfigName())
			}
			for _, a := range d.Aliases {
				if Lookup(a) != d {
					t.Errorf("Lookup(%q) is not %s", a, d.Name)
				}
			}
			if d.NoOption {
				if ByOption(d.Name) != nil {
					t.Errorf("%s has no option, and is found as one", d.Name)
				}
				continue
			}
			for _, o := range append([]string{d.Option}, d.OptionAliases...) {
				if ByOption(o) != d {
					t.Errorf("ByOption(%q) is not %s", o, d.Name)
				}
			}
			if !d.Own && ByOption(d.Name) != d {
				t.Errorf("ByOption(%q) is not its row", d.Name)
			}
			if d.Short != "" && ByShort(d.Short[0]) != d {
				t.Errorf("ByShort(%q) is not %s", d.Short, d.Name)
			}
		}
	}
	if rows != len(Directives) {
		t.Errorf("%d rows in the parts, %d in the table", rows, len(Directives))
	}
}

func TestUnknownNames(t *testing.T) {
	for _, name := range []string{
		"", "nonewprivileges", "NoNewPrivs", "NoNewPrivileges=", "KeepFD", "X-Hardrun-User", "X-Hardrun-", "X-Foo",
		"ProtectControlGroupsEx", "Zzz", "\x00",
	} {
		if d := Lookup(name); d != nil {
			t.Errorf("Lookup(%q) = %s, want none", name, d.Name)
		}
	}
	for _, opt := range []string{"", "no-new", "KeepFD", "restart", "Restart", "exec-start", "--user", "X-Hardrun-KeepFD"} {
		if d := ByOption(opt); d != nil {
			t.Errorf("ByOption(%q) = %s, want none", opt, d.Name)
		}
	}
	for letter := range 256 {
		if d := ByShort(byte(letter)); (d != nil) != (letter == 'u') {
			t.Errorf("ByShort(%d) = %v", letter, d)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{"NoNewPriviliges", "NoNewPrivileges"},
		{"nonewprivileges", "NoNewPrivileges"},
		{"CapabilitiesBoundingSet", "CapabilityBoundingSet"},
		{"Usr", "User"},
		{"ProtectHomes", "ProtectHome"},
		{"ReadonlyDirectories", "ReadOnlyDirectories"},
		{"X-Hardrun-KeepFDs", "X-Hardrun-KeepFD"},
		{"Qwertyuiop", ""},
		{"", ""},
	} {
		if got := Nearest(c.word); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
	for _, c := range []struct{ word, want string }{
		{"no-new-priv", "no-new-privs"},
		{"usr", "user"},
		{"capabilty-bounding-set", "capability-bounding-set"},
		{"qwertyuiop", ""},
	} {
		if got := NearestOption(c.word); got != c.want {
			t.Errorf("NearestOption(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

// TestLookupDoesNotAllocate: both run for each word of a launch.
func TestLookupDoesNotAllocate(t *testing.T) {
	words := []string{"no-new-privileges", "NoNewPrivileges", "ReadOnlyDirectories", "zzz"}
	allocs := testing.AllocsPerRun(100, func() {
		for _, w := range words {
			ByOption(w)
			Lookup(w)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func BenchmarkByOption(b *testing.B) {
	for range b.N {
		ByOption("no-new-privileges")
		ByOption("NoNewPrivileges")
	}
}
