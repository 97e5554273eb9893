package inspect

import (
	"errors"
	"sort"
	"strconv"
	"strings"
)

// mountReader makes mounts of the lines of a mountinfo. Texts that come again, as those of
// options do, are kept once.
type mountReader struct {
	list  []Mount
	lists map[string][]string
}

// line reads one, without its line feed:
// "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw", proc_pid_mountinfo(5).
func (r *mountReader) line(line string) error {
	var f [6]string
	rest := line
	for i := range f {
		var more bool
		if f[i], rest, more = strings.Cut(rest, " "); !more {
			return errors.New("mountinfo: a line that ends too early")
		}
	}
	// Optional fields, and "-" behind them.
	for {
		word, after, more := strings.Cut(rest, " ")
		if !more {
			return errors.New("mountinfo: a line without a file system")
		}
		rest = after
		if word == "-" {
			break
		}
	}
	kind, rest, _ := strings.Cut(rest, " ")
	source, super, _ := strings.Cut(rest, " ")
	m := Mount{Root: unescape(f[3]), Point: unescape(f[4]), Type: unescape(kind), Source: unescape(source)}
	var err error
	if m.ID, err = strconv.Atoi(f[0]); err == nil {
		m.Parent, err = strconv.Atoi(f[1])
	}
	if err != nil || !strings.HasPrefix(m.Point, "/") {
		return errors.New("mountinfo: a mount without a number or a place")
	}
	m.Options, m.Super = r.options(f[5]), r.options(super)
	r.list = append(r.list, m)
	return nil
}

func (r *mountReader) options(text string) []string {
	if list, ok := r.lists[text]; ok {
		return list
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = unescape(list[i])
	}
	if r.lists == nil {
		r.lists = map[string][]string{}
	}
	text = strings.Clone(text)
	r.lists[text] = list
	return list
}

// unescape undoes the octal escapes of mountinfo, and copies: "\040" is a blank. What only
// looks like one stays.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return strings.Clone(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// mountView is how mounts lie over each other.
type mountView struct {
	mounts []Mount
	at     map[int]int // in mounts, by number
	top    int         // the mount that holds the root directory; 0 where that is not known
	places []int       // those that paths pass, by parent, and then so that a place comes right before those below it
}

// view finds the mounts to which no path leads. What is mounted over the root directory itself
// is reached by none, as a path begins below it.
func view(mounts []Mount, top int) *mountView {
	at := make(map[int]int, len(mounts))
	for i := range mounts {
		at[mounts[i].ID] = i
	}
	places := make([]int, len(mounts))
	for i := range places {
		places[i] = i
	}
	// Those of one parent together, each before all below it.
	sort.Sort(byPlace{mounts, places})
	// lost are the mounts that no path passes: of those with one parent, one lies below another,
	// which may be over all of the parent. buried are those over which another lies.
	lost, buried := make([]bool, len(mounts)), make([]bool, len(mounts))
	over := -1
	for _, i := range places {
		m := &mounts[i]
		parent, known := at[m.Parent]
		switch {
		case known && parent == i: // the root of a namespace
			continue
		case known && m.Point == mounts[parent].Point && m.Parent == top:
			lost[i] = true
			continue
		case known && m.Point == mounts[parent].Point:
			buried[parent] = true
		}
		if over >= 0 && mounts[over].Parent == m.Parent && within(m.Point, mounts[over].Point) {
			lost[i] = true
			continue
		}
		over = i
	}
	// What is below a lost one is lost.
	done := make([]bool, len(mounts))
	var line []int
	for i := range mounts {
		line = line[:0]
		j, gone := i, false
		for !done[j] {
			done[j] = true
			line = append(line, j)
			parent, known := at[mounts[j].Parent]
			if !known {
				break
			}
			j = parent
		}
		gone = lost[j]
		for k := len(line) - 1; k >= 0; k-- {
			gone = gone || lost[line[k]]
			lost[line[k]] = gone
		}
	}
	kept := places[:0]
	for _, i := range places {
		mounts[i].Covered = lost[i] || buried[i]
		if !lost[i] {
			kept = append(kept, i)
		}
	}
	return &mountView{mounts, at, top, kept}
}

// over tells whether a path of a mount leads into another one that is mounted there or above.
// The path is as the process has it.
func (v *mountView) over(mount int, path string) bool {
	// Of those with one parent none lies below another, so that only the last before the path
	// can be above it.
	i := sort.Search(len(v.places), func(i int) bool {
		m := &v.mounts[v.places[i]]
		if m.Parent != mount {
			return m.Parent > mount
		}
		return comparePaths(m.Point, path) > 0
	})
	if i == 0 {
		return false
	}
	m := &v.mounts[v.places[i-1]]
	return m.Parent == mount && m.ID != mount && within(path, m.Point)
}

// within tells whether a path is at or below another.
func within(path, top string) bool {
	return top == "/" || path == top || strings.HasPrefix(path, top) && path[len(top)] == '/'
}

// covering is the mount that has a path in it, by their names; nil for none.
func (p *Process) covering(path string) (best *Mount) {
	for i := range p.Mounts {
		m := &p.Mounts[i]
		if !m.Covered && within(path, m.Point) && (best == nil || len(m.Point) >= len(best.Point)) {
			best = m
		}
	}
	return best
}

// byPlace sorts numbers of mounts by parent, and then so that a place comes right before
// those below it.
type byPlace struct {
	mounts []Mount
	places []int
}

func (s byPlace) Len() int      { return len(s.places) }
func (s byPlace) Swap(i, j int) { s.places[i], s.places[j] = s.places[j], s.places[i] }
func (s byPlace) Less(i, j int) bool {
	a, b := &s.mounts[s.places[i]], &s.mounts[s.places[j]]
	if a.Parent != b.Parent {
		return a.Parent < b.Parent
	}
	if c := comparePaths(a.Point, b.Point); c != 0 {
		return c < 0
	}
	return s.places[i] < s.places[j]
}

// comparePaths orders paths so that each comes right before those below it: "/a", "/a/b", "/a b".
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	switch {
	case i == len(a) || i == len(b):
		return len(a) - len(b)
	case a[i] == '/':
		return -1
	case b[i] == '/':
		return 1
	}
	return int(a[i]) - int(b[i])
}
