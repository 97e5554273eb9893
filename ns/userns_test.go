package ns

import (
	"slices"
	"strconv"
	"testing"
)

func TestUserMaps(t *testing.T) {
	for _, tt := range []struct {
		name      string
		maps      *UserMaps
		uid, gid  string
		deny      bool
		said      string
		has, hasn []uint32
	}{
		{"self of root", SelfMaps(33, 34, true), "0 0 1\n33 33 1\n", "0 0 1\n34 34 1\n", true, "uids 0,33, gids 0,34, no setgroups", []uint32{0, 33}, []uint32{1, 34, 65534}},
		{"self of root, as root", SelfMaps(0, 0, true), "0 0 1\n", "0 0 1\n", true, "uids 0, gids 0, no setgroups", []uint32{0}, []uint32{1, 1<<32 - 1}},
		{"self of root, with root's group", SelfMaps(33, 0, true), "0 0 1\n33 33 1\n", "0 0 1\n", true, "uids 0,33, gids 0, no setgroups", []uint32{0, 33}, []uint32{32, 34}},
		{"self of a user", SelfMaps(1000, 1001, false), "1000 1000 1\n", "1001 1001 1\n", true, "uids 1000, gids 1001, no setgroups", []uint32{1000}, []uint32{0, 999, 1001}},
		{"self of the last id", SelfMaps(1<<32-2, 1<<32-2, false), "4294967294 4294967294 1\n", "4294967294 4294967294 1\n", true, "uids 4294967294, gids 4294967294, no setgroups", []uint32{1<<32 - 2}, []uint32{0, 1<<32 - 1}},
		{"identity", IdentityMaps(), "0 0 65536\n", "0 0 65536\n", true, "uids 0-65535, gids 0-65535, no setgroups", []uint32{0, 65535}, []uint32{65536, 1<<32 - 1}},
		{"full", FullMaps(), "0 0 4294967295\n", "0 0 4294967295\n", false, "uids 0-4294967294, gids 0-4294967294", []uint32{0, 1<<32 - 2}, []uint32{1<<32 - 1}},
		{
			"other ids outside",
			&UserMaps{UID: []UserMap{{0, 1000, 1}, {1, 100000, 65536}}, GID: []UserMap{{0, 1000, 1}}},
			"0 1000 1\n1 100000 65536\n", "0 1000 1\n", false, "uids 0=1000,1-65536=100000-165535, gids 0=1000",
			[]uint32{0, 65536},
			[]uint32{65537},
		},
	} {
		if got := MapText(tt.maps.UID); got != tt.uid {
			t.Errorf("%s: uid_map %q, want %q", tt.name, got, tt.uid)
		}
		if got := MapText(tt.maps.GID); got != tt.gid {
			t.Errorf("%s: gid_map %q, want %q", tt.name, got, tt.gid)
		}
		if tt.maps.DenySetgroups != tt.deny {
			t.Errorf("%s: setgroups denied: %v", tt.name, tt.maps.DenySetgroups)
		}
		if got := tt.maps.String(); got != tt.said {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.said)
		}
		for _, id := range tt.has {
			if !tt.maps.HasUID(id) {
				t.Errorf("%s: no uid %d", tt.name, id)
			}
		}
		for _, id := range tt.hasn {
			if tt.maps.HasUID(id) {
				t.Errorf("%s: a uid %d", tt.name, id)
			}
		}
	}
	if m := SelfMaps(33, 34, true); m.HasGID(33) || !m.HasGID(34) {
		t.Error("groups are looked up among the users")
	}
}

// What /proc/PID/uid_map reads is a map, and nothing else is.
func TestParseMap(t *testing.T) {
	for text, want := range map[string][]UserMap{
		"":                                   nil,
		"         0       1000          1\n": {{0, 1000, 1}},
		"0 0 1\n1 100000 65536\n":            {{0, 0, 1}, {1, 100000, 65536}},
		"4294967294 0 1\n0 0 4294967295\n":   {{1<<32 - 2, 0, 1}, {0, 0, 1<<32 - 1}},
	} {
		if got, err := ParseMap(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for text, line := range map[string]string{
		"0 0\n": "0 0\n", "0 0 1\n0 0 1 1\n": "0 0 1 1\n", "\n": "\n", "0 0 x\n": "0 0 x\n", "-1 0 1\n": "-1 0 1\n", "0 4294967296 1": "0 4294967296 1",
	} {
		want := "a map of ids reads " + strconv.Quote(line)
		if got, err := ParseMap(text); got != nil || err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
}

// A range of ids is taken where it is inside of one line, from its first to its last id.
func TestCovers(t *testing.T) {
	have := []UserMap{{0, 1000, 1}, {100, 5000, 10}, {110, 6000, 1<<32 - 111}}
	for _, tt := range []struct {
		outside, count uint32
		want           bool
	}{
		{0, 1, true},
		{0, 2, false},
		{1, 1, false},
		{99, 1, false},
		{99, 2, false},
		{100, 10, true},
		{100, 11, false},
		{101, 9, true},
		{101, 10, false},
		{109, 1, true},
		{109, 2, false},
		{110, 1, true},
		{110, 1<<32 - 111, true},
		{111, 1<<32 - 111, false},
		{1<<32 - 2, 1, true},
		{1<<32 - 2, 2, false},
		{5000, 1, true},
	} {
		if got := Covers(have, []UserMap{{0, 0, 1}, {7, tt.outside, tt.count}}); got != tt.want {
			t.Errorf("%d, %d ids: %v", tt.outside, tt.count, got)
		}
	}
	if Covers(have, []UserMap{{0, 99, 1}, {0, 0, 1}}) {
		t.Error("the first line was not looked at")
	}
	if !Covers(nil, nil) || Covers(nil, have) {
		t.Error("of no map")
	}
}
