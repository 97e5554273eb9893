package seccomp

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var everyGroup = []Group{Clock, Hostname, Modules, KernelLog, Tunables, RawIO}

// denials are the numbers that each group denies, written by hand from the
// kernel's tables, apart from the table of the program.
var denials = []struct {
	machine, arch uint32
	numbers       map[Group][]uint32
}{
	{ArchX86_64, 0xc000003e, map[Group][]uint32{
		Clock:     {159 /* adjtimex */, 164 /* settimeofday */, 227 /* clock_settime */, 305 /* clock_adjtime */},
		Hostname:  {170 /* sethostname */, 171 /* setdomainname */},
		Modules:   {175 /* init_module */, 176 /* delete_module */, 313 /* finit_module */},
		KernelLog: {103 /* syslog */},
		Tunables:  {156 /* _sysctl */},
		RawIO:     {172 /* iopl */, 173 /* ioperm */},
	}},
	{ArchX86_64, 0x40000003, map[Group][]uint32{
		Clock: {
			25 /* stime */, 79 /* settimeofday */, 124 /* adjtimex */, 264 /* clock_settime */, 343, /* clock_adjtime */
			404 /* clock_settime64 */, 405, /* clock_adjtime64 */
		},
		Hostname:  {74 /* sethostname */, 121 /* setdomainname */},
		Modules:   {128 /* init_module */, 129 /* delete_module */, 350 /* finit_module */},
		KernelLog: {103 /* syslog */},
		Tunables:  {149 /* _sysctl */},
		RawIO:     {101 /* ioperm */, 110 /* iopl */},
	}},
	{ArchAArch64, 0xc00000b7, map[Group][]uint32{
		Clock:     {112 /* clock_settime */, 170 /* settimeofday */, 171 /* adjtimex */, 266 /* clock_adjtime */},
		Hostname:  {161 /* sethostname */, 162 /* setdomainname */},
		Modules:   {105 /* init_module */, 106 /* delete_module */, 273 /* finit_module */},
		KernelLog: {116 /* syslog */},
	}},
	{ArchAArch64, 0x40000028, map[Group][]uint32{
		Clock: {
			79 /* settimeofday */, 124 /* adjtimex */, 262 /* clock_settime */, 372, /* clock_adjtime */
			404 /* clock_settime64 */, 405, /* clock_adjtime64 */
		},
		Hostname:  {74 /* sethostname */, 121 /* setdomainname */},
		Modules:   {128 /* init_module */, 129 /* delete_module */, 379 /* finit_module */},
		KernelLog: {103 /* syslog */},
		Tunables:  {149 /* _sysctl */},
		RawIO:     {271 /* pciconfig_iobase */, 272 /* pciconfig_read */, 273 /* pciconfig_write */},
	}},
}

// Every set of groups denies its calls and no other, with EPERM, on every
// architecture of the machine; on x86-64 in both spellings of x32.
func TestDeny(t *testing.T) {
	eperm := Action(0x00050001)
	for set := 1; set < 1<<len(everyGroup); set++ {
		var groups []Group
		for i, g := range everyGroup {
			if set>>i&1 == 1 {
				groups = append(groups, g)
			}
		}
		programs := map[uint32]Program{}
		for _, machine := range []uint32{ArchX86_64, ArchAArch64} {
			p, err := Deny(machine, groups...)
			if err != nil {
				t.Fatal(err)
			}
			programs[machine] = p
		}
		for _, d := range denials {
			var denied []uint32
			for _, g := range groups {
				denied = append(denied, d.numbers[g]...)
			}
			for nr := range uint32(1101) {
				for _, high := range []uint32{0, 0x40000000, 0x80000000, 0xc0000000} {
					want := Allow
					if slices.Contains(denied, nr) && (high == 0 || high == 0x40000000 && d.arch == 0xc000003e) {
						want = eperm
					}
					// The arguments are no part of the verdict.
					call := Data{NR: nr | high, Arch: d.arch, IP: ^uint64(0), Args: [6]uint64{uint64(nr), 1, ^uint64(0)}}
					if got, err := programs[d.machine].Eval(call); err != nil || got != want {
						t.Fatalf("groups %v, arch %#x, number %#x: %v (%v), want %v", groups, d.arch, nr|high, got, err, want)
					}
				}
			}
		}
	}
}

// A call by an architecture whose numbers are not known ends the process: that of
// another machine, that of none.
func TestDenyForeign(t *testing.T) {
	for machine, foreign := range map[uint32][]uint32{
		ArchX86_64:  {ArchAArch64, ArchARM, 0, 0xffffffff, 0x8000003e, 0x40000016 /* s390 */},
		ArchAArch64: {ArchX86_64, ArchI386, 0, 0xffffffff, 0x800000b7, 0x28 /* arm, big endian */},
	} {
		p, err := Deny(machine, everyGroup...)
		if err != nil {
			t.Fatal(err)
		}
		for _, arch := range foreign {
			for nr := range uint32(601) {
				if got, err := p.Eval(Data{NR: nr, Arch: arch}); err != nil || got != KillProcess {
					t.Fatalf("machine %#x, arch %#x, number %d: %v (%v), want kill process", machine, arch, nr, got, err)
				}
			}
		}
	}
}

// What would deny nothing is an error, never a program that allows.
func TestDenyNothing(t *testing.T) {
	for _, machine := range []uint32{0, ArchI386, ArchARM, 0xc0000016} {
		if p, err := Deny(machine, Clock); err == nil {
			t.Errorf("machine %#x: %v", machine, p)
		}
	}
	if p, err := Deny(ArchX86_64); err == nil {
		t.Errorf("no group: %v", p)
	}
}

func TestArchOf(t *testing.T) {
	for goarch, want := range map[string]uint32{"amd64": 0xc000003e, "arm64": 0xc00000b7, "386": 0, "arm": 0, "riscv64": 0, "arm64be": 0, "": 0} {
		if got := ArchOf(goarch); got != want {
			t.Errorf("%s: %#x, want %#x", goarch, got, want)
		}
	}
}

// Two filters in a stack, each with its canary: each canary is answered, and the
// loading of the second passes the first, even where the second forbids all but
// execve.
func TestDenyUnderAnother(t *testing.T) {
	deny, err := Deny(ArchX86_64, everyGroup...)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 1111}.With(deny)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 2222}.With(Program{
		{Code: opLoad, K: 0},
		{Code: opEqual, K: 59, JT: 1},
		{Code: opReturn, K: uint32(KillProcess)},
		{Code: opReturn, K: uint32(Allow)},
	})
	if err != nil {
		t.Fatal(err)
	}
	odd := Errno | 3999
	for _, tt := range []struct {
		what  string
		d     Data
		first Action
		then  Action
	}{
		{"seccomp(2)", Data{NR: 317, Arch: ArchX86_64}, Allow, KillProcess},
		{"the first canary", Data{NR: 157, Arch: ArchX86_64, Args: [6]uint64{CanaryOption, 1111}}, odd, KillProcess},
		{"the second canary", Data{NR: 157, Arch: ArchX86_64, Args: [6]uint64{CanaryOption, 2222}}, Allow, odd},
		{"execve", Data{NR: 59, Arch: ArchX86_64}, Allow, Allow},
		{"settimeofday", Data{NR: 164, Arch: ArchX86_64}, Errno | 1, KillProcess},
	} {
		a, err := first.Eval(tt.d)
		if err != nil || a != tt.first {
			t.Errorf("%s, the first filter: %v (%v), want %v", tt.what, a, err, tt.first)
		}
		if a, err = second.Eval(tt.d); err != nil || a != tt.then {
			t.Errorf("%s, the second filter: %v (%v), want %v", tt.what, a, err, tt.then)
		}
	}
}

// The table has the members of systemd's groups (systemd-analyze syscall-filter)
// and stime(2), but for those that only s390 has.
func TestTableNames(t *testing.T) {
	want := map[Group]string{
		Clock:     "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime",
		Hostname:  "setdomainname sethostname",
		Modules:   "delete_module finit_module init_module",
		KernelLog: "syslog",
		Tunables:  "_sysctl",
		RawIO:     "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write",
	}
	got := map[Group][]string{}
	for _, c := range calls {
		got[c.group] = append(got[c.group], c.name)
	}
	for g, names := range got {
		slices.Sort(names)
		if strings.Join(names, " ") != want[g] {
			t.Errorf("group %d: %v, want %s", g, names, want[g])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d groups, want %d", len(got), len(want))
	}
}

// The numbers of the table are those of the kernel's headers.
func TestTableAgainstHeaders(t *testing.T) {
	const dir = "/usr/include/x86_64-linux-gnu/asm/"
	for _, h := range []struct {
		file   string
		column int
		bit    uint32
	}{
		{"unistd_64.h", 0, 0},
		{"unistd_x32.h", 0, x32},
		{"unistd_32.h", 1, 0},
	} {
		t.Run(h.file, func(t *testing.T) {
			known := readNumbers(t, dir+h.file, func(f []string) (string, string) {
				if len(f) < 3 || f[0] != "#define" || !strings.HasPrefix(f[1], "__NR_") {
					return "", ""
				}
				return f[1][len("__NR_"):], strings.Join(f[2:], "")
			})
			if errors.Is(known.err, fs.ErrNotExist) {
				t.Skip("needs " + dir + h.file + " of the package linux-libc-dev")
			}
			known.holds(t, h.column, h.bit, h.file == "unistd_x32.h")
		})
	}
}

// The same of the tables in golang.org/x/sys, which are made from the kernel's
// headers for each architecture.
func TestTableAgainstXSys(t *testing.T) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys")
	list.Env = append(os.Environ(), "GOPROXY=off") // what is not here is not fetched
	out, err := list.Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("needs the go command and its module cache, which has the sources of golang.org/x/sys")
	}
	for column, goarch := range []string{"amd64", "386", "arm64", "arm"} {
		t.Run(goarch, func(t *testing.T) {
			known := readNumbers(t, filepath.Join(dir, "unix", "zsysnum_linux_"+goarch+".go"), func(f []string) (string, string) {
				if len(f) != 3 || f[1] != "=" || !strings.HasPrefix(f[0], "SYS_") {
					return "", ""
				}
				return strings.ToLower(f[0][len("SYS_"):]), f[2]
			})
			known.holds(t, column, 0, false)
		})
	}
}

// header is the numbers that a file gives to names.
type header struct {
	numbers map[string]uint32
	err     error
}

func readNumbers(t *testing.T, path string, line func(fields []string) (name, number string)) header {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return header{err: err}
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := header{numbers: map[string]uint32{}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, number := line(strings.Fields(lines.Text()))
		if name == "" {
			continue
		}
		bit := uint32(0)
		if plain, ok := strings.CutPrefix(number, "(__X32_SYSCALL_BIT+"); ok {
			number, bit = strings.TrimSuffix(plain, ")"), x32
		}
		if n, err := strconv.ParseUint(number, 0, 32); err == nil {
			h.numbers[name] = uint32(n) | bit
		}
	}
	h.err = lines.Err()
	return h
}

// holds compares a column of the table. Where lacking, the header has fewer
// names: x32 has no number for what only 64-bit programs call.
func (h header) holds(t *testing.T, column int, bit uint32, lacking bool) {
	t.Helper()
	if h.err != nil {
		t.Fatal(h.err)
	}
	if len(h.numbers) < 250 {
		t.Fatalf("only %d numbers were read", len(h.numbers))
	}
	for _, c := range calls {
		got, is := h.numbers[c.name]
		want := c.nr[column]
		switch {
		case is && want == none:
			t.Errorf("%s: the header has number %d, the table none", c.name, got)
		case is && got != want|bit:
			t.Errorf("%s: the header has number %d, the table %d", c.name, got, want|bit)
		case !is && want != none && !lacking:
			t.Errorf("%s: the table has number %d, the header none", c.name, want)
		}
	}
}
