package dirs

import (
	"strings"
	"testing"
)

// The name stands in passwd(5), and must not be taken for a uid.
func TestUserName(t *testing.T) {
	for _, name := range []string{"redis", "redis-server", "_a9", "A_b", strings.Repeat("a", 31)} {
		if got := UserName(name); got != name {
			t.Errorf("%s: %s", name, got)
		}
	}
	names := map[string]bool{}
	for _, unit := range []string{"", "33", "0", "-a", "9p", "a b", "a.b", "a:b", "a@b", "a@c", `a\x2db`, "ä", "a\n", "a\x00", "a/b", strings.Repeat("a", 32)} {
		got := UserName(unit)
		if !ValidUser(got) || !strings.HasPrefix(got, "_du") || ValidUser(unit) || names[got] {
			t.Errorf("%q: %s", unit, got)
		}
		names[got] = true
	}
}

func TestFirst(t *testing.T) {
	seen := map[int]bool{}
	for _, name := range []string{"", "a", "b", "redis", "named", "unbound", strings.Repeat("x", 300)} {
		uid := first(name)
		if !IsDynamic(uid) || uid != first(name) {
			t.Errorf("%q: %d", name, uid)
		}
		seen[uid] = true
	}
	if len(seen) != 7 {
		t.Errorf("only %d uids for 7 names", len(seen))
	}
	for id, want := range map[int]bool{61183: false, 61184: true, 65519: true, 65520: false, 65534: false, 0: false, -1: false} {
		if IsDynamic(id) != want {
			t.Errorf("%d: %v", id, !want)
		}
	}
}

// ids are those of the range that are taken.
func (t *taken) ids() (list []int) {
	for id := FirstDynamic; id <= LastDynamic; id++ {
		if t.has(id) {
			list = append(list, id)
		}
	}
	return list
}

func sameIDs(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}

func TestTaken(t *testing.T) {
	const status = "Name:\tx\nUid:\t61184\t61185\t61186\t61187\nGid:\t61190\t61191\t61192\t61193\nFDSize:\t61200\nGroups:\t5 61195 65519 \nNStgid:\t61201\nThreads:\t7\nCapPrm:\t0000000000000080\n"
	var x taken
	if threads, ok := x.addStatus(status); !threads || !ok {
		t.Errorf("threads %v, ok %v", threads, ok)
	}
	sameIDs(t, "status", x.ids(), 61184, 61185, 61186, 61187, 61190, 61191, 61192, 61193, 61195, 65519)
	for _, line := range []string{"Uid:", "Gid:", "Groups:", "Threads:", "CapPrm:"} {
		if _, ok := new(taken).addStatus(strings.Replace(status, line, "Other:", 1)); ok {
			t.Errorf("without %s", line)
		}
	}
	for caps, want := range map[string]bool{"0000000000000040": true, "ffffffffffffffff": true, "00000000000000c0": true, "0000000000000000": false, "000000000000003f": false, "x": true} {
		text := strings.Replace(status, "0000000000000080", caps, 1)
		if threads, ok := new(taken).addStatus(text); threads != want || !ok {
			t.Errorf("%s: threads %v, ok %v", caps, threads, ok)
		}
		if threads, ok := new(taken).addStatus(strings.Replace(text, "\t7", "\t1", 1)); threads || !ok {
			t.Errorf("%s and one thread: threads %v, ok %v", caps, threads, ok)
		}
	}

	x = taken{}
	x.addDatabase("root:x:0:0:root:/root:/bin/sh\n\nbroken\na:x:61300:61301::/:\nb:x:61302:7\nc:x:4294967295:-1:", 2, 3)
	sameIDs(t, "passwd", x.ids(), 61300, 61301, 61302)
	x = taken{}
	x.addDatabase("g:x:61310:a,b\nh:x:3:61311\n", 2)
	sameIDs(t, "group", x.ids(), 61310)

	x = taken{}
	x.addObjects("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime\n" +
		"         0          3   600                 61400    12    12      1 61401 61402 61403 61404      61405\n")
	sameIDs(t, "shm", x.ids(), 61401, 61402, 61403, 61404)
}

func TestUnmapped(t *testing.T) {
	for _, x := range []struct {
		text       string
		free       int
		has, hasNo int
	}{
		{"         0          0 4294967295\n", dynamicCount, -1, 61184},
		{"", 0, 61184, -1},
		{"0 1000 1\n1 100000 65536\n", dynamicCount, -1, 65519},
		{"0 1000 1\n", 0, 65519, -1},
		{"0 100000 61185\n", 1, 61185, 61184},
		{"65519 5 1\n61184 9 1\n", 2, 61185, 65519},
		{"61183 5 2\n", 1, 61185, 61184},
		{"70000 0 1000\n", 0, 61184, -1},
		{"0 0 18446744073709551615\n", dynamicCount, -1, 65519},
		{"broken\n0 0\n", 0, 61184, -1},
	} {
		var u taken
		u.addUnmapped(x.text)
		if n := dynamicCount - len(u.ids()); n != x.free {
			t.Errorf("%q: %d free, want %d", x.text, n, x.free)
		}
		if x.has >= 0 && !u.has(x.has) || x.hasNo >= 0 && u.has(x.hasNo) {
			t.Errorf("%q: wrong ones", x.text)
		}
	}
}

func TestColumn(t *testing.T) {
	for _, x := range []struct {
		line string
		n    int
		want string
	}{{"a:b:c", 0, "a"}, {"a:b:c", 2, "c"}, {"a:b:c", 3, ""}, {"", 0, ""}, {"::x", 2, "x"}, {"a:", 1, ""}} {
		if got := column(x.line, ':', x.n); got != x.want {
			t.Errorf("%q %d: %q", x.line, x.n, got)
		}
	}
}

// A name that is no line is not written down.
func TestWithName(t *testing.T) {
	for name, want := range map[string]string{"b": "61184 a\n61185 b\n", "b\nc": "61184 a\n"} {
		if got := withName("61184 a\n", 61185, name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
