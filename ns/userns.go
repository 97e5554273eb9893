package ns

import (
	"errors"
	"strconv"
	"strings"
)

// UserMap is one line of /proc/PID/uid_map, user_namespaces(7).
type UserMap struct{ Inside, Outside, Count uint32 }

// String is the line, without the blanks with which the kernel aligns.
func (m UserMap) String() string {
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	return number(m.Inside) + " " + number(m.Outside) + " " + number(m.Count)
}

// MapText is what is written into uid_map or gid_map.
func MapText(list []UserMap) string {
	text := ""
	for _, m := range list {
		text += m.String() + "\n"
	}
	return text
}

// UserMaps are the ids of a user namespace.
type UserMaps struct {
	UID, GID      []UserMap
	DenySetgroups bool
}

// SelfMaps are those of PrivateUsers=self, systemd.exec(5): the daemon's own user
// and group, and, where root makes the namespace, those of root. All others are
// nobody inside.
func SelfMaps(uid, gid uint32, root bool) *UserMaps {
	return &UserMaps{UID: selfMap(uid, root), GID: selfMap(gid, root), DenySetgroups: true}
}

func selfMap(id uint32, root bool) []UserMap {
	own := UserMap{id, id, 1}
	if root && id != 0 {
		return []UserMap{{0, 0, 1}, own}
	}
	return []UserMap{own}
}

// IdentityMaps are those of PrivateUsers=identity: the first 65536 ids, each to
// itself.
func IdentityMaps() *UserMaps {
	m := []UserMap{{0, 0, 1 << 16}}
	return &UserMaps{UID: m, GID: m, DenySetgroups: true}
}

// FullMaps are those of PrivateUsers=full: every id to itself, and setgroups(2) is
// allowed. 4294967295 is no id, but what chown(2) takes for none.
func FullMaps() *UserMaps {
	m := []UserMap{{0, 0, 1<<32 - 1}}
	return &UserMaps{UID: m, GID: m}
}

// HasUID tells whether there is such a user inside: no other can be set there.
func (m *UserMaps) HasUID(id uint32) bool { return has(m.UID, id) }

// HasGID is HasUID for groups.
func (m *UserMaps) HasGID(id uint32) bool { return has(m.GID, id) }

func has(list []UserMap, id uint32) bool {
	for _, m := range list {
		if id >= m.Inside && id-m.Inside < m.Count {
			return true
		}
	}
	return false
}

// String names the ids inside, as plan prints them: "uids 0,33, gids 0,33, no
// setgroups". An id which is another outside is "0=1000".
func (m *UserMaps) String() string {
	s := "uids " + ranges(m.UID) + ", gids " + ranges(m.GID)
	if m.DenySetgroups {
		s += ", no setgroups"
	}
	return s
}

func ranges(list []UserMap) string {
	span := func(first, count uint32) string {
		s := strconv.FormatUint(uint64(first), 10)
		if count > 1 {
			s += "-" + strconv.FormatUint(uint64(first)+uint64(count)-1, 10)
		}
		return s
	}
	words := make([]string, len(list))
	for i, m := range list {
		words[i] = span(m.Inside, m.Count)
		if m.Inside != m.Outside {
			words[i] += "=" + span(m.Outside, m.Count)
		}
	}
	return strings.Join(words, ",")
}

// ParseMap reads /proc/PID/uid_map or gid_map.
func ParseMap(text string) ([]UserMap, error) {
	var list []UserMap
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var n [3]uint32
		if len(words) != len(n) {
			return nil, errors.New("a map of ids reads " + strconv.Quote(line))
		}
		for i, w := range words {
			v, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				return nil, errors.New("a map of ids reads " + strconv.Quote(line))
			}
			n[i] = uint32(v)
		}
		list = append(list, UserMap{n[0], n[1], n[2]})
	}
	return list, nil
}

// Covers tells whether the ids outside of each line of a map are inside of one line
// of another: the kernel takes no range that is in two, user_namespaces(7).
func Covers(have, want []UserMap) bool {
	for _, w := range want {
		ok := false
		for _, h := range have {
			if w.Outside >= h.Inside && uint64(w.Outside)+uint64(w.Count) <= uint64(h.Inside)+uint64(h.Count) {
				ok = true
			}
		}
		if !ok {
			return false
		}
	}
	return true
}
