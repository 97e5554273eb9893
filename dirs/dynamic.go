package dirs

import (
	"strconv"
	"strings"
)

// The uids of DynamicUser=, systemd.exec(5); the gid is the same number.
const (
	FirstDynamic = 61184
	LastDynamic  = 65519
	dynamicCount = LastDynamic - FirstDynamic + 1
)

// IsDynamic tells whether the uid or gid is one of DynamicUser=.
func IsDynamic(id int) bool { return id >= FirstDynamic && id <= LastDynamic }

// ValidUser tells whether a name can be that of a user of DynamicUser=: it stands in a line of
// passwd(5), and is no number. These are 1 to 31 letters and digits of ASCII, "_" and "-", of which
// the first is a letter or "_".
func ValidUser(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= 31
}

// UserName is the name of the user of a unit where User= gives none: that of the unit, which is
// without its suffix, or one made of a hash of it, systemd.exec(5) "DynamicUser=". It is valid.
func UserName(unit string) string {
	if ValidUser(unit) {
		return unit
	}
	return "_du" + strconv.FormatUint(hash(unit), 16)
}

// hash is FNV-1a, of 64 bits.
func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// taken are the uids and gids that somebody has.
type taken [(dynamicCount + 63) / 64]uint64

func (t *taken) add(id uint64) {
	if id >= FirstDynamic && id <= LastDynamic {
		t[(id-FirstDynamic)/64] |= 1 << ((id - FirstDynamic) % 64)
	}
}

func (t *taken) has(id int) bool {
	n := id - FirstDynamic
	return t[n/64]>>(n%64)&1 == 1
}

// named is the uid that a name has in the text of the file of names, where one of these processes
// has it, too; else -1. others are the lines of all other names for which that is so.
func (t *taken) named(text, name string) (uid int, others string) {
	uid = -1
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return uid, others
		}
		text = rest
		number, of, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil || !IsDynamic(n) || !t.has(n):
		case of == name:
			uid = n
		default:
			others += line + "\n"
		}
	}
}

// withName adds the line of a name. One that is no line is not kept, and has another uid each time.
func withName(text string, uid int, name string) string {
	if strings.IndexByte(name, '\n') >= 0 {
		return text
	}
	return text + strconv.Itoa(uid) + " " + name + "\n"
}

// first is the uid that a name has where it is free: the same at each start. It is by FNV-1a, of 32 bits.
func first(name string) int {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return FirstDynamic + int(h%dynamicCount)
}

// addDatabase adds the ids of /etc/passwd (column 2, and 3 for the group) or /etc/group (2).
func (t *taken) addDatabase(text string, columns ...int) {
	eachLine(text, func(line string) {
		for _, c := range columns {
			t.addNumber(column(line, ':', c))
		}
	})
}

// addStatus adds all that the text of /proc/PID/status says of users and groups, and tells whether its
// threads may have others: there are some, and the first has the right to become another. ok
// is false where a line is missing.
func (t *taken) addStatus(text string) (threads, ok bool) {
	const setgid, setuid = 6, 7 // CAP_SETGID, CAP_SETUID
	lines, can := 0, false
	eachLine(text, func(line string) {
		switch word := column(line, ':', 0); word {
		case "Uid", "Gid", "Groups":
			lines++
			t.addNumbers(line[len(word)+1:])
		case "Threads":
			lines++
			threads = trim(line[len(word)+1:]) != "1"
		case "CapPrm":
			caps, err := strconv.ParseUint(trim(line[len(word)+1:]), 16, 64)
			can = err != nil || caps&(1<<setgid|1<<setuid) != 0
			lines++
		}
	})
	return threads && can, lines == 5
}

// addObjects adds the owners and makers of System V objects, by the text of a file of /proc/sysvipc.
func (t *taken) addObjects(text string) {
	eachObject(text, func(field func(string) string) {
		for _, name := range [...]string{"uid", "gid", "cuid", "cgid"} {
			t.addNumber(field(name))
		}
	})
}

// addUnmapped adds what is not in the text of /proc/self/uid_map: nobody can become that.
func (t *taken) addUnmapped(text string) {
	var mapped taken
	eachLine(text, func(line string) {
		var n [3]uint64
		for i := range n {
			word := ""
			word, line = cutWord(line)
			v, err := strconv.ParseUint(word, 10, 64)
			if err != nil {
				return
			}
			n[i] = v
		}
		for id := max(n[0], FirstDynamic); id <= LastDynamic && id-n[0] < n[2]; id++ {
			mapped.add(id)
		}
	})
	for i := range t {
		t[i] |= ^mapped[i]
	}
}

func (t *taken) addNumbers(text string) {
	for word, rest := cutWord(text); word != ""; word, rest = cutWord(rest) {
		t.addNumber(word)
	}
}

func (t *taken) addNumber(word string) {
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		t.add(n)
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func trim(s string) string { word, _ := cutWord(s); return word }

// cutWord is the first word of a text, and what comes after it.
func cutWord(s string) (word, rest string) {
	i := 0
	for i < len(s) && blank(s[i]) {
		i++
	}
	j := i
	for j < len(s) && !blank(s[j]) {
		j++
	}
	return s[i:j], s[j:]
}

// column is the nth text between separators; empty where there are fewer.
func column(line string, sep byte, n int) string {
	from := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && line[i] != sep {
			continue
		}
		if n == 0 {
			return line[from:i]
		}
		n--
		from = i + 1
	}
	return ""
}

func eachLine(text string, f func(line string)) {
	for from, i := 0, 0; i <= len(text); i++ {
		if i == len(text) || text[i] == '\n' {
			if i > from {
				f(text[from:i])
			}
			from = i + 1
		}
	}
}

// eachObject goes through a file of /proc/sysvipc, whose first line names the columns.
func eachObject(text string, f func(field func(name string) string)) {
	head := ""
	eachLine(text, func(line string) {
		if head == "" {
			head = line
			return
		}
		f(func(name string) string {
			h, l := head, line
			for {
				var column, value string
				column, h = cutWord(h)
				value, l = cutWord(l)
				if column == name || column == "" {
					return value
				}
			}
		})
	})
}
