package seccomp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func addNames(t testing.TB, set *Set, names string) {
	t.Helper()
	for _, name := range strings.Fields(names) {
		if g, ok := GroupByName(name); ok {
			g.Set.Each(set.Add)
			continue
		}
		c, ok := ByName(name)
		if !ok {
			t.Fatalf("%s is unknown", name)
		}
		set.Add(c)
	}
}

func setOf(t testing.TB, names string) *Set {
	t.Helper()
	var set Set
	addNames(t, &set, names)
	return &set
}

// listOf is a list of calls that all have one verdict.
func listOf(t testing.TB, allow bool, rest, listed Verdict, names string) *List {
	t.Helper()
	l := &List{AllowList: allow, Default: rest}
	setOf(t, names).Each(func(c Call) { l.Calls = append(l.Calls, Entry{c, listed}) })
	return l
}

// everything is what a unit with all directives says.
func everything(t testing.TB, goarch string) *Filter {
	f := New(Machine(goarch))
	source := func(name string) uint16 { return f.Source(Source{Directive: name}) }
	f.DenyTerminal(source("User"))
	f.DenyIOUring(source("RestrictAddressFamilies"))
	f.RestrictAddressFamilies(source("RestrictAddressFamilies"), true, []uint32{1, 2, 10})
	f.MemoryDenyWriteExecute(source("MemoryDenyWriteExecute"))
	f.RestrictRealtime(source("RestrictRealtime"))
	f.RestrictSUIDSGID(source("RestrictSUIDSGID"))
	f.RestrictNamespaces(source("RestrictNamespaces"), NewNet|NewUTS)
	f.Deny(source("ProtectKernelModules"), setOf(t, "@module"))
	f.Deny(source("ProtectClock"), setOf(t, "@clock stime"))
	f.Deny(source("PrivateDevices"), setOf(t, "@raw-io"))
	f.LockPersonality(source("LockPersonality"), 0)
	f.AddList(listOf(t, true, Verdict{Log, source("SystemCallLog")}, Verdict{Action: Allow}, "@basic-io @default"))
	by := source("SystemCallFilter")
	l := listOf(t, true, Verdict{Errno | 1, by}, Verdict{Allow, by}, "@system-service")
	setOf(t, "@privileged @resources").Each(func(c Call) {
		l.Removed.Add(c)
		l.Calls = append(l.Calls, Entry{c, Verdict{KillProcess, by}})
	})
	f.AddList(l)
	return f
}

// Filters that the equality of program and decision is shown for.
var someFilters = []struct {
	name string
	make func(t testing.TB, goarch string) *Filter
}{
	{"nothing", func(_ testing.TB, goarch string) *Filter { return New(Machine(goarch)) }},
	{"everything", everything},
	{"one call", func(t testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		f.Deny(f.Source(Source{}), setOf(t, "acct"))
		return f
	}},
	{"all calls, each with an error of its own", func(t testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		by := f.Source(Source{})
		l := &List{Default: Verdict{Allow, by}}
		for c := range Call(callCount) {
			l.Calls = append(l.Calls, Entry{c, Verdict{Errno | Action(c+1), by}})
		}
		f.AddList(l)
		f.DenyNewer(by)
		return f
	}},
	{"every second call", func(_ testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		by := f.Source(Source{})
		l := &List{AllowList: true, Default: Verdict{KillProcess, by}}
		for c := Call(0); c < callCount; c += 2 {
			l.Calls = append(l.Calls, Entry{c, Verdict{Allow, by}})
		}
		f.AddList(l)
		return f
	}},
	{"an empty allow list", func(_ testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		f.AddList(&List{AllowList: true, Default: Verdict{KillProcess, f.Source(Source{})}})
		return f
	}},
	{"multiplexed calls, each with an error of its own", func(_ testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		by := f.Source(Source{})
		l := &List{AllowList: true, Default: Verdict{KillProcess, by}}
		for i, m := range append(slices.Clone(socketCalls[:]), ipcCalls[:]...) {
			l.Calls = append(l.Calls, Entry{m.call, Verdict{Errno | Action(i+1), by}})
		}
		f.AddList(l)
		f.MemoryDenyWriteExecute(f.Source(Source{}))
		f.RestrictAddressFamilies(f.Source(Source{}), false, []uint32{16, 17, 40})
		return f
	}},
	{"two filters that disagree", func(t testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		a, b := f.Source(Source{}), f.Source(Source{})
		f.AddList(listOf(t, false, Verdict{Allow, a}, Verdict{Errno | 1, a}, "@file-system socket personality"))
		f.AddList(listOf(t, false, Verdict{Allow, b}, Verdict{Errno | 2, b}, "@network-io openat"))
		f.RestrictSUIDSGID(f.Source(Source{}))
		f.LockPersonality(f.Source(Source{}), 0x0040000)
		return f
	}},
	{"native alone", func(t testing.TB, goarch string) *Filter {
		f := everything(t, goarch)
		f.Architectures(f.Source(Source{Directive: "SystemCallArchitectures"}), []string{"native"})
		return f
	}},
	{"x86 beside it", func(t testing.TB, goarch string) *Filter {
		f := everything(t, goarch)
		f.Architectures(f.Source(Source{Directive: "SystemCallArchitectures"}), []string{"x86"})
		return f
	}},
	{"x32 beside it", func(t testing.TB, goarch string) *Filter {
		f := everything(t, goarch)
		f.Architectures(f.Source(Source{Directive: "SystemCallArchitectures"}), []string{"x32", "arm", "s390"})
		return f
	}},
}

// interesting are values that conditions on arguments tell apart, and near ones.
var interesting = []uint64{
	0, 1, 2, 3, 4, 5, 6, 7, 10, 16, 20, 21, 24, 40, 0x80, 0o1000, 0o2755, 0o4755, 0o100000, 0o20000000, 0o100 | 0o2, 0x20000, 0x5412, 0x541c,
	0x10015, 0x2000000, 0x10000000, 0x40000000, 0x7e020080, 0x40000004, 0xffffffff, 1 << 32, 1<<32 | 1, 1<<32 | 21, 1<<32 | 0x5412, ^uint64(0),
}

// asWords gives arguments the order of words in which a big-endian machine has them:
// Eval takes them as a little-endian one.
func asWords(d Data, goarch string) Data {
	if Machine(goarch)[0].bytes == bigEndian {
		for i, v := range d.Args {
			d.Args[i] = v<<32 | v>>32
		}
	}
	return d
}

// compare holds a program against the decisions of its filter.
func compare(t *testing.T, goarch string, f *Filter, p Program, d Data) {
	t.Helper()
	want := f.Decide(d).Action
	if got, err := p.Eval(asWords(d, goarch)); err != nil || got != want {
		t.Fatalf("%s, arch %#x, number %#x, arguments %#x: the program says %v (%v), Decide %v", goarch, d.Arch, d.NR, d.Args, got, err, want)
	}
}

// The program decides as the directives do, for every number, in every way into the
// kernel, with all arguments that could make a difference.
func TestProgramIsDecide(t *testing.T) {
	for _, tt := range someFilters {
		for _, goarch := range everyMachine {
			t.Run(tt.name+"/"+goarch, func(t *testing.T) {
				f := tt.make(t, goarch)
				p := mustProgram(t, f)
				if err := p.Check(); err != nil {
					t.Fatal(err)
				}
				archs := []uint32{0, 0xffffffff, 0x40000008, ArchX86_64, ArchI386}
				for _, a := range f.ABIs() {
					archs = append(archs, a.Arch)
				}
				for _, arch := range archs {
					for nr := range uint32(700) {
						for _, high := range []uint32{0, x32, 0x80000000, 0xf0000} {
							d := Data{NR: nr | high, Arch: arch}
							compare(t, goarch, f, p, d)
							if !f.conditional(d) {
								continue
							}
							for i, v := range interesting {
								w := interesting[(i*7+int(nr))%len(interesting)]
								for n := range 3 {
									d.Args = [6]uint64{}
									d.Args[n], d.Args[n+1] = v, w
									compare(t, goarch, f, p, d)
									d.Args = [6]uint64{v, v, v, w, w, w}
									compare(t, goarch, f, p, d)
								}
							}
						}
					}
					for _, nr := range []uint32{0x3fffffff, 0x7fffffff, 0xbfffffff, 0xfffffffe, 0xffffffff} {
						compare(t, goarch, f, p, Data{NR: nr, Arch: arch})
					}
				}
			})
		}
	}
}

// conditional tells whether arguments have a say in a decision.
func (f *Filter) conditional(d Data) bool {
	for i, a := range f.ABIs() {
		if a.Arch == d.Arch && f.owns(i, d.NR) {
			_, rules := f.At(i, d.NR)
			return len(rules) > 0
		}
	}
	return false
}

// The verdict of one filter for all directives is that of the kernel over a stack of
// filters: the most restrictive one, and of equals that of the one loaded last.
func TestStack(t *testing.T) {
	open, _ := ByName("openat")
	for _, tt := range []struct {
		name         string
		first, after Action
		want         Action
		by           uint16
	}{
		{"allow, errno", Allow, Errno | 13, Errno | 13, 2},
		{"errno, allow", Errno | 13, Allow, Errno | 13, 1},
		{"errno, errno", Errno | 13, Errno | 1, Errno | 1, 2},
		{"errno, kill", Errno | 13, KillProcess, KillProcess, 2},
		{"kill, errno", KillProcess, Errno | 13, KillProcess, 1},
		{"kill thread, kill process", KillThread, KillProcess, KillProcess, 2},
		{"kill process, kill thread", KillProcess, KillThread, KillProcess, 1},
		{"log, allow", Log, Allow, Log, 1},
		{"log, errno", Log, Errno | 1, Errno | 1, 2},
		{"errno, log", Errno | 1, Log, Errno | 1, 1},
		{"trap, errno", Trap, Errno | 1, Trap, 1},
		{"allow, allow", Allow, Allow, Allow, 2},
	} {
		f := New(Machine("amd64"))
		for _, a := range []Action{tt.first, tt.after} {
			by := f.Source(Source{})
			f.AddList(&List{Default: Verdict{Action: Allow}, Calls: []Entry{{open, Verdict{a, by}}}})
		}
		d := Data{NR: 257, Arch: ArchX86_64}
		if got := f.Decide(d); got != (Verdict{tt.want, tt.by}) {
			t.Errorf("%s: %v by %d, want %v by %d", tt.name, got.Action, got.By, tt.want, tt.by)
		}
		if got, err := mustProgram(t, f).Eval(d); err != nil || got != tt.want {
			t.Errorf("%s: the program says %v (%v), want %v", tt.name, got, err, tt.want)
		}
	}
}

// The same where a verdict has conditions: it gives way to an equal one that was added
// later, and takes the place of an earlier one.
func TestStackUnderConditions(t *testing.T) {
	for _, tt := range []struct {
		name        string
		first       bool // the one with conditions is added first
		other       Action
		value, none Action // where the conditions hold, and where not
	}{
		{"first, a later error", true, Errno | 13, Errno | 13, Errno | 13},
		{"last, an earlier error", false, Errno | 13, Errno | 1, Errno | 13},
		{"first, a later kill", true, KillProcess, KillProcess, KillProcess},
		{"last, an earlier kill", false, KillProcess, KillProcess, KillProcess},
		{"first, a later log", true, Log, Errno | 1, Log},
		{"last, an earlier log", false, Log, Errno | 1, Log},
	} {
		f := New(Machine("amd64"))
		if tt.first {
			f.LockPersonality(f.Source(Source{}), 0)
		}
		by := f.Source(Source{})
		f.AddList(listOf(t, false, Verdict{Allow, by}, Verdict{tt.other, by}, "personality"))
		if !tt.first {
			f.LockPersonality(f.Source(Source{}), 0)
		}
		p := mustProgram(t, f)
		for arg, want := range map[uint64]Action{8: tt.value, 0: tt.none} {
			d := Data{NR: 135, Arch: ArchX86_64, Args: [6]uint64{arg}}
			if got, err := p.Eval(d); err != nil || got != want {
				t.Errorf("%s: personality(%d) is %v (%v), want %v", tt.name, arg, got, err, want)
			}
			if got := f.Decide(d).Action; got != want {
				t.Errorf("%s: personality(%d) is decided as %v, want %v", tt.name, arg, got, want)
			}
		}
	}
}

// A verdict says which directive it is of.
func TestWho(t *testing.T) {
	f := everything(t, "amd64")
	f.Architectures(f.Source(Source{Directive: "SystemCallArchitectures"}), []string{"native"})
	for _, tt := range []struct {
		what string
		d    Data
		want string
	}{
		{"settimeofday", Data{NR: 164, Arch: ArchX86_64}, "SystemCallFilter"}, // killed, which is more than ProtectClock='s EPERM
		{"mmap of memory to write and execute", Data{NR: 9, Arch: ArchX86_64, Args: [6]uint64{2: 7}}, "MemoryDenyWriteExecute"},
		{"chmod u+s", Data{NR: 90, Arch: ArchX86_64, Args: [6]uint64{1: 0o4755}}, "RestrictSUIDSGID"},
		{"a socket of AF_PACKET", Data{NR: 41, Arch: ArchX86_64, Args: [6]uint64{17}}, "RestrictAddressFamilies"},
		{"TIOCSTI", Data{NR: 16, Arch: ArchX86_64, Args: [6]uint64{1: 0x5412}}, "User"},
		{"uname by int 0x80", Data{NR: 122, Arch: ArchI386}, "SystemCallArchitectures"},
		{"uname by x32", Data{NR: 0x4000003f, Arch: ArchX86_64}, "SystemCallArchitectures"},
		{"a foreign architecture", Data{NR: 1, Arch: ArchARM}, "SystemCallArchitectures"},
	} {
		if got := f.Sources[f.Decide(tt.d).By].Directive; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
}

// Of s390 the flags of clone(2) are its second argument, of all others the first.
func TestCloneFlags(t *testing.T) {
	for goarch, clone := range map[string]uint32{"amd64": 56, "arm64": 220, "riscv64": 220, "ppc64le": 120, "s390x": 120, "loong64": 220} {
		f := New(Machine(goarch))
		f.RestrictNamespaces(f.Source(Source{}), 0)
		p := mustProgram(t, f)
		at := 0
		if goarch == "s390x" {
			at = 1
		}
		for i := range 3 {
			d := Data{NR: clone, Arch: ArchOf(goarch)}
			d.Args[i] = 0x10000000 // CLONE_NEWUSER
			want := Allow
			if i == at {
				want = Errno | 1
			}
			if got, err := p.Eval(asWords(d, goarch)); err != nil || got != want {
				t.Errorf("%s, the flags in argument %d: %v (%v), want %v", goarch, i, got, err, want)
			}
		}
	}
}

// tellingApart are values that the conditions on a number tell apart; nil where there
// are none.
func (f *Filter) tellingApart(d Data) []uint64 {
	for i, a := range f.ABIs() {
		if a.Arch != d.Arch || !f.owns(i, d.NR) {
			continue
		}
		_, rules := f.At(i, d.NR)
		if len(rules) == 0 {
			return nil
		}
		values := []uint64{0, ^uint64(0), interesting[int(d.NR)%len(interesting)]}
		for _, r := range rules {
			for _, c := range r.Conds {
				values = append(values, uint64(c.Mask), uint64(c.Mask&-c.Mask), uint64(^c.Mask), uint64(c.Mask)<<32)
				for _, v := range c.Values {
					values = append(values, uint64(v), uint64(v)+1, uint64(v)|1<<32, uint64(v)<<32)
				}
			}
		}
		slices.Sort(values)
		return slices.Compact(values)
	}
	return nil
}

// random reads numbers from bytes; behind them all are zero.
type random struct{ b []byte }

func (r *random) next() uint64 {
	var word [8]byte
	n := copy(word[:], r.b)
	r.b = r.b[min(n, len(r.b)):]
	return binary.LittleEndian.Uint64(word[:])
}

func (r *random) byte() byte {
	if len(r.b) == 0 {
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *random) action() Action {
	return [...]Action{Allow, Log, KillProcess, Errno | 1, Errno | 13, Errno | enosys, KillThread, Trap}[r.byte()%8]
}

// filter is a policy of what the bytes say.
func (r *random) filter(goarch string) *Filter {
	f := New(Machine(goarch))
	for n := range r.byte() % 12 {
		by := f.Source(Source{Directive: string(rune('a' + n))})
		switch r.byte() % 14 {
		case 0:
			f.RestrictAddressFamilies(by, r.byte()%2 == 0, []uint32{uint32(r.byte() % 46), uint32(r.byte() % 46)})
		case 1:
			f.RestrictNamespaces(by, uint32(r.next())&Namespaces)
		case 2:
			f.RestrictNamespaces(by, 0)
		case 3:
			f.RestrictRealtime(by)
		case 4:
			f.RestrictSUIDSGID(by)
		case 5:
			f.LockPersonality(by, uint32(r.next()))
		case 6:
			f.MemoryDenyWriteExecute(by)
		case 7:
			names := ArchNames()
			f.Architectures(by, []string{names[int(r.byte())%len(names)], names[int(r.byte())%len(names)]})
		case 8:
			f.DenyTerminal(by)
		case 9:
			f.DenyIOUring(by)
		case 10:
			f.DenyNewer(by)
		case 11:
			var set Set
			for range r.byte() % 8 {
				set.Add(Call(r.next() % callCount))
			}
			f.Deny(by, &set)
		default:
			l := &List{AllowList: r.byte()%2 == 0, Default: Verdict{r.action(), by}}
			if groups := Groups(); r.byte()%2 == 0 {
				g, _ := GroupByName(groups[int(r.byte())%len(groups)])
				v := Verdict{r.action(), by}
				g.Set.Each(func(c Call) { l.Calls = append(l.Calls, Entry{c, v}) })
			}
			for range r.byte() % 16 {
				l.Calls = append(l.Calls, Entry{Call(r.next() % callCount), Verdict{r.action(), by}})
			}
			for range r.byte() % 4 {
				l.Removed.Add(Call(r.next() % callCount))
			}
			f.AddList(l)
		}
	}
	return f
}

// FuzzFilter makes a filter of bytes. Its program is one that the kernel takes, and
// decides as Decide does: at the boundaries of every interval of the program, and of
// random calls.
func FuzzFilter(f *testing.F) {
	f.Add(uint8(0), []byte{3, 0, 0, 1, 2, 2, 4, 6})
	f.Add(uint8(0), []byte{4, 12, 0, 2, 0, 23, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 7, 17, 33})
	f.Add(uint8(1), []byte{8, 6, 5, 1, 2, 3, 4, 5, 6, 7, 8, 3, 4, 13, 1, 0, 0, 9, 3})
	f.Add(uint8(4), []byte{9, 1, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 7, 28, 30, 10, 11, 5, 12, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, machine uint8, b []byte) {
		goarch := everyMachine[int(machine)%len(everyMachine)]
		r := &random{b}
		filter := r.filter(goarch)
		p := mustProgram(t, filter)
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(p.Bytes())
		if err != nil || !slices.Equal(again, p) {
			t.Fatalf("written and read back: %v", err)
		}
		var archs []uint32
		for _, a := range filter.ABIs() {
			archs = append(archs, a.Arch)
		}
		archs = append(archs, 0, uint32(r.next()))
		// The program compares numbers to find the interval.
		numbers := []uint32{0, newest, newest + 1, ^uint32(0)}
		for _, in := range p {
			if in.Code == opFrom {
				numbers = append(numbers, in.K-1, in.K)
			}
		}
		slices.Sort(numbers)
		for i, nr := range slices.Compact(numbers) {
			for _, arch := range archs {
				d := Data{NR: nr, Arch: arch}
				compare(t, goarch, filter, p, d)
				values := filter.tellingApart(d)
				for n, v := range values {
					w := values[(n*5+i)%len(values)]
					d.Args = [6]uint64{v, v, v, w, v, v}
					compare(t, goarch, filter, p, d)
					d.Args = [6]uint64{v, w, v, v, w, w}
					compare(t, goarch, filter, p, d)
					d.Args = [6]uint64{w, v, w, v, w, w}
					compare(t, goarch, filter, p, d)
				}
			}
		}
		for range 64 {
			d := Data{NR: uint32(r.next()) & 0xc00003ff, Arch: archs[int(r.byte())%len(archs)], IP: r.next()}
			for i := range d.Args {
				d.Args[i] = r.next()
			}
			compare(t, goarch, filter, p, d)
		}
	})
}
