package cgroup

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseFileSystem(t *testing.T) {
	for _, tt := range []struct {
		word string
		want []uint32
		err  string
	}{
		{"tmpfs", []uint32{0x1021994}, ""},
		{"ext4", []uint32{0xef53}, ""},
		{"9p", []uint32{0x1021997}, ""},
		{"zsmalloc", []uint32{0x58295829}, ""},
		{"cifs", []uint32{0xfe534d42, 0xff534d42}, ""},
		{"minix", []uint32{0x137f, 0x138f, 0x2468, 0x2478, 0x4d5a}, ""},
		{"zfs", []uint32{0x2fc12fc1}, ""},
		{"@temporary", []uint32{0x1021994, 0x858458f6}, ""},
		{"@historical-block", []uint32{0x137f, 0x138f, 0x2468, 0x2478, 0x4d5a, 0xef53}, ""},
		{"xfs2", nil, `unknown file system "xfs2"`},
		{"XFS", nil, `unknown file system "XFS"`},
		{"", nil, `unknown file system ""`},
		{"ext4:ef53", nil, `unknown file system "ext4:ef53"`},
		{"ef53", nil, `unknown file system "ef53"`},
		{"ext3:ef53 ext4", nil, `unknown file system "ext3:ef53 ext4"`},
		{"5346414f", nil, `unknown file system "5346414f"`},
		{"@", nil, `unknown group of file systems "@"`},
		{"@temp", nil, `unknown group of file systems "@temp"`},
		{"@known:", nil, `unknown group of file systems "@known:"`},
		{"~tmpfs", nil, `unknown file system "~tmpfs"`},
	} {
		got, err := ParseFileSystem(tt.word)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if !slices.Equal(got, tt.want) || text != tt.err {
			t.Errorf("ParseFileSystem(%q) = %x, %q; want %x, %q", tt.word, got, text, tt.want, tt.err)
		}
	}
}

// Each word stands for something, once, and the tables are in order.
func TestFileSystemTable(t *testing.T) {
	var words []string
	EachFileSystem(func(word string) bool {
		words = append(words, word)
		return true
	})
	for i, w := range words {
		if slices.Contains(words[:i], w) {
			t.Errorf("%s is there twice", w)
		}
		if list, err := ParseFileSystem(w); err != nil || len(list) == 0 {
			t.Errorf("ParseFileSystem(%q) = %v, %v", w, list, err)
		}
		names, ok := FileSystemNames(w)
		if !ok || len(names) == 0 {
			t.Errorf("FileSystemNames(%q) = %v, %v", w, names, ok)
		}
		for _, n := range names {
			if list := Magics(n); len(list) == 0 || len(list) != strings.Count(numbers(n), ",")+1 {
				t.Errorf("%s of %s: numbers %x, of %q", n, w, list, numbers(n))
			}
		}
	}
	if n := len(words); n < 120 {
		t.Errorf("%d words", n)
	}
	groups := slices.IndexFunc(words, func(w string) bool { return w[0] != '@' })
	if !slices.IsSorted(words[:groups]) || !slices.IsSorted(words[groups:len(words)-len(strings.Fields(foreign))]) {
		t.Error("the tables are not sorted")
	}
	all, _ := FileSystemNames("@known")
	if slices.Contains(all, "zfs") || !slices.Contains(all, "9p") || !slices.Contains(all, "zsmalloc") {
		t.Error("@known is not what is Linux's own")
	}
	seen := 0
	EachFileSystem(func(string) bool {
		seen++
		return seen < 15
	})
	if seen != 15 {
		t.Errorf("false ended it after %d words, want 15", seen)
	}
}

// headerNames are the names of linux/magic.h that are no file system's.
var headerNames = []string{"STACK_END_MAGIC", "FUTEXFS_SUPER_MAGIC", "CRAMFS_MAGIC_WEND"}

// Every number of the system's linux/magic.h is in the table.
func TestMagicsOfHeader(t *testing.T) {
	text, err := os.ReadFile("/usr/include/linux/magic.h")
	if err != nil {
		t.Skip("no header to compare with: ", err)
	}
	all, err := ParseFileSystem("@known")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^#define\s+(\w+)\s+(0x[0-9a-fA-F]+)`).FindAllSubmatch(text, -1)
	if len(lines) < 70 {
		t.Fatalf("only %d numbers in the header", len(lines))
	}
	for _, l := range lines {
		n, err := strconv.ParseUint(string(l[2]), 0, 32)
		if err != nil {
			t.Errorf("%s: %v", l[1], err)
		}
		if !slices.Contains(all, uint32(n)) && !slices.Contains(headerNames, string(l[1])) {
			t.Errorf("%s, %#x, is not in the table", l[1], n)
		}
	}
}

// systemdSets are the groups and their members as the installed systemd has them: told
// by systemd-analyze, or, where that was built without them, taken from the list in its
// library, where members end with a NUL and the groups stand in the order of its tables.
func systemdSets(t *testing.T) map[string][]string {
	t.Helper()
	sets := map[string][]string{}
	out, err := exec.Command("systemd-analyze", "--no-pager", "filesystems").CombinedOutput()
	if err == nil {
		set := ""
		for line := range strings.Lines(string(out)) {
			word := strings.TrimSpace(line)
			switch {
			case word == "" || strings.HasPrefix(word, "#"):
			case strings.HasPrefix(line, "@"):
				set = word
			case line[0] == ' ' && set != "" && !strings.HasPrefix(word, "@"):
				sets[set] = append(sets[set], strings.Fields(word)[0])
			}
		}
		return sets
	}
	libraries, err := filepath.Glob("/usr/lib/*/systemd/libsystemd-shared-*.so")
	if err != nil || len(libraries) == 0 {
		t.Skip("no systemd to compare with")
	}
	t.Logf("systemd-analyze does not tell (%s); reading %s", bytes.TrimSpace(out), libraries[0])
	data, err := os.ReadFile(libraries[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("\x00cgroup\x00cgroup2\x00devpts\x00"))
	if at < 0 {
		t.Skip("no groups in " + libraries[0])
	}
	data = data[at+1:]
	for _, set := range strings.Fields("@basic-api @anonymous @application @auxiliary-api @common-block @historical-block @network @privileged-api @security @temporary @known") {
		list, rest, _ := bytes.Cut(data, []byte{0, 0})
		sets[set] = strings.Split(string(list), "\x00")
		data = bytes.TrimLeft(rest, "\x00")
	}
	return sets
}

// What systemd has, we have: the same groups with the same members, and all of @known.
func TestFileSystemsOfSystemd(t *testing.T) {
	sets := systemdSets(t)
	if len(sets) < 8 || len(sets["@known"]) < 80 || !slices.Equal(sets["@temporary"], []string{"ramfs", "tmpfs"}) {
		t.Fatalf("read %d groups, @temporary %q", len(sets), sets["@temporary"])
	}
	for set, theirs := range sets {
		ours, ok := FileSystemNames(set)
		if !ok {
			t.Errorf("no group %s", set)
		}
		for _, name := range theirs {
			if !slices.Contains(ours, name) {
				t.Errorf("%s is without %s", set, name)
			}
		}
		var more []string
		for _, name := range ours {
			if !slices.Contains(theirs, name) {
				more = append(more, name)
			}
		}
		if len(more) > 0 && set != "@known" {
			t.Errorf("%s has %q, systemd does not", set, more)
		}
		t.Logf("%s: %d of systemd; ours alone: %s", set, len(theirs), strings.Join(more, " "))
	}
}

// decide runs the part of a program that compares, from the number in r2 on. It knows
// what that part is made of, and counts denials.
func decide(t *testing.T, p []Ins, magic uint64) (answer uint64, denied, steps int) {
	t.Helper()
	var r [11]uint64
	r[R2] = magic
	start := slices.IndexFunc(p, func(i Ins) bool { return i.Op == classALU64|aluMOV|srcX })
	for pc := start; pc < len(p); pc++ {
		i := p[pc]
		steps++
		dst, src := i.regs()
		var jump bool
		switch i.Op {
		case classALU64 | aluMOV | srcX:
			r[dst] = r[src]
		case classALU64 | aluMOV:
			r[dst] = uint64(int64(i.Imm))
		case classALU64 | aluRSH:
			r[dst] >>= uint(i.Imm)
		case classJMP | jmpJA:
			jump = true
		case classJMP | jmpJNE:
			jump = r[dst] != uint64(int64(i.Imm))
		case classJMP32 | jmpJEQ:
			jump = uint32(r[dst]) == uint32(i.Imm)
		case classJMP32 | jmpJGE:
			jump = uint32(r[dst]) >= uint32(i.Imm)
		case classLD | modeIMM | sizeDW:
			pc++
		case classSTX | modeATOMIC | sizeDW:
			denied += int(r[src])
		case classJMP | jmpEXIT:
			return r[R0], denied, steps
		default:
			t.Fatalf("instruction %d: unknown opcode %#x", pc, i.Op)
		}
		if jump {
			if i.Off < 0 {
				t.Fatalf("instruction %d: a jump back", pc)
			}
			pc += int(i.Off)
		}
	}
	t.Fatal("ran off the end")
	return 0, 0, 0
}

// Lists of each length, allowed and denied: what the program says of each number in
// them, of its neighbours, and of numbers that only look like one.
func TestFileProgramCompares(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for length := range 40 {
		list := make([]uint32, length)
		for i := range list {
			list[i] = random.Uint32()
			if random.IntN(4) == 0 {
				list[i] = []uint32{0, 1, 1 << 31, 1<<31 - 1, 1<<32 - 1, list[random.IntN(i+1)]}[random.IntN(6)]
			}
		}
		for _, deny := range []bool{false, true} {
			given := slices.Clone(list)
			p, err := FileProgram(FileSystems{Deny: deny, Magic: list}, &Offsets{1, 8, 16, 24})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(list, given) {
				t.Fatal("the list of the caller was changed")
			}
			try := []uint64{0, 1, 0xef53, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 63, 1<<64 - 1}
			for _, m := range list {
				try = append(try, uint64(m), uint64(m)+1, uint64(m)-1, uint64(m)|1<<32, uint64(m)|0xffffffff<<32)
			}
			for _, m := range try {
				listed := m>>32 == 0 && slices.Contains(list, uint32(m))
				want := uint64(0)
				if m>>32 == 0 && listed != deny {
					want = 1
				}
				if got, denied, _ := decide(t, p, m); got != want || denied != int(1-want) {
					t.Errorf("deny %v, %x: number %x: answer %d, counted %d; want answer %d", deny, list, m, got, denied, want)
				}
			}
		}
	}
}

// With all file systems in the list, none needs more than a few comparisons.
func TestFileProgramLength(t *testing.T) {
	all, err := ParseFileSystem("@known")
	if err != nil {
		t.Fatal(err)
	}
	p, err := FileProgram(FileSystems{Magic: all}, &Offsets{1, 8, 16, 24})
	if err != nil || len(p) > 250 {
		t.Errorf("%d instructions, %v", len(p), err)
	}
	for _, magic := range append(all, 12345, 1<<32-1) {
		if _, _, steps := decide(t, p, uint64(magic)); steps > 24 {
			t.Errorf("%#x: %d instructions were executed", magic, steps)
		}
	}
}

// The group of all is read in another way than its members.
func TestKnownFileSystems(t *testing.T) {
	names, _ := FileSystemNames("@known")
	var want []uint32
	for _, n := range names {
		want = append(want, Magics(n)...)
	}
	slices.Sort(want)
	if got, err := ParseFileSystem("@known"); err != nil || !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
}
