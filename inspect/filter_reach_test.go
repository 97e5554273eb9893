package inspect

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hardrun/hardrun/seccomp"
)

var (
	amd64 = seccomp.Machine("amd64")
	s390  = seccomp.Machine("s390x")
)

func callNumber(t testing.TB, abi *seccomp.ABI, name string) uint32 {
	t.Helper()
	c, ok := seccomp.ByName(name)
	if !ok {
		t.Fatal("no call " + name)
	}
	n, ok := abi.Number(c)
	if !ok {
		t.Fatal(abi.Name + " has no " + name)
	}
	return n
}

func compiled(t testing.TB, add func(f *seccomp.Filter)) seccomp.Program {
	t.Helper()
	f := seccomp.New(amd64)
	add(f)
	p, err := f.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const pass = uint32(seccomp.Allow)

// What a program answers to a call is among what it may answer to the question which the
// call is one of: whatever the program, the call and the part that is known.
func holds(t testing.TB, r *reach, p seccomp.Program, d seccomp.Data, known uint16) {
	t.Helper()
	q := question{known: known}
	words := [16]uint32{0: d.NR, 1: d.Arch, 2: uint32(d.IP), 3: uint32(d.IP >> 32)}
	for n, v := range d.Args {
		words[4+2*n], words[5+2*n] = uint32(v), uint32(v>>32)
	}
	for i := range words {
		if known>>i&1 == 1 {
			q.words[i] = words[i]
		} else {
			q.words[i] = 0xdeadbeef // nobody may look at it
		}
	}
	got := r.program(p, &q)
	a, err := p.Eval(d)
	if err != nil {
		t.Fatal(err)
	}
	if got&answerOf(a) == 0 {
		t.Fatalf("%s\n%+v, known %#x: it answers %v, and may answer %b", p.Disassemble(), d, known, a, got)
	}
	if known == 0xffff && got != answerOf(a) {
		t.Fatalf("%s\n%+v: it answers %v, and all is known, but it may answer %b", p.Disassemble(), d, a, got)
	}
}

// randomProgram is one that the kernel would take.
func randomProgram(r *rand.Rand) seccomp.Program {
	n := 2 + r.IntN(30)
	values := []uint32{0, 1, 2, 4, 6, 17, 0xffff, 1 << 31, seccomp.ArchX86_64, ^uint32(0)}
	value := func() uint32 { return values[r.IntN(len(values))] }
	p := make(seccomp.Program, 0, n)
	for len(p) < n {
		left := n - len(p) - 1
		var i seccomp.Instruction
		switch r.IntN(8) {
		case 0, 1:
			i = seccomp.Instruction{Code: bpfLD | bpfABS, K: uint32(r.IntN(16) * 4)}
		case 2:
			i = seccomp.Instruction{Code: []uint16{bpfLD | bpfIMM, bpfLDX | bpfIMM, bpfLD | bpfLEN, bpfLDX | bpfLEN}[r.IntN(4)], K: value()}
		case 3:
			i = seccomp.Instruction{Code: []uint16{bpfLD | bpfMEM, bpfLDX | bpfMEM, bpfST, bpfSTX}[r.IntN(4)], K: uint32(r.IntN(16))}
		case 4:
			op := []uint16{0, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0xa0}[r.IntN(10)]
			i = seccomp.Instruction{Code: bpfALU | op | bpfX*uint16(r.IntN(2)), K: value()}
			if op == 0x60 || op == 0x70 {
				i.K &= 31
			}
			if op == 0x30 && i.K == 0 {
				i.K = 3
			}
		case 5, 6:
			if left < 2 {
				continue
			}
			if r.IntN(6) == 0 {
				i = seccomp.Instruction{Code: bpfJMP, K: uint32(r.IntN(left))}
				break
			}
			op := []uint16{0x10, 0x20, 0x30, 0x40}[r.IntN(4)]
			i = seccomp.Instruction{Code: bpfJMP | op | bpfX*uint16(r.IntN(2)), K: value(), JT: uint8(r.IntN(min(left, 200))), JF: uint8(r.IntN(min(left, 200)))}
		case 7:
			i = seccomp.Instruction{Code: 7 | bpfTXA*uint16(r.IntN(2))}
			if r.IntN(3) == 0 {
				i = seccomp.Instruction{Code: bpfRET | bpfRetA*uint16(r.IntN(2)), K: pass}
			}
		}
		p = append(p, i)
	}
	p[n-1] = seccomp.Instruction{Code: bpfRET, K: []uint32{pass, uint32(seccomp.Errno) | 1, 0, uint32(seccomp.Notify)}[r.IntN(4)]}
	return p
}

func TestReachMissesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := new(reach)
	taken := 0
	for range 20000 {
		p := randomProgram(rnd)
		if p.Check() != nil {
			continue
		}
		taken++
		for range 4 {
			d := seccomp.Data{NR: rnd.Uint32N(4), Arch: seccomp.ArchX86_64, IP: rnd.Uint64()}
			for i := range d.Args {
				d.Args[i] = []uint64{0, 1, 2, 4, 6, 17, 1 << 32, 1<<32 | 2, 1 << 31, ^uint64(0)}[rnd.IntN(10)]
			}
			known := uint16(rnd.Uint32())
			if rnd.IntN(3) == 0 {
				known = 0xffff
			}
			holds(t, r, p, d, known)
		}
	}
	if taken < 15000 {
		t.Fatalf("only %d programs were such as the kernel takes", taken)
	}
}

func FuzzReach(f *testing.F) {
	f.Add(compiled(f, func(f *seccomp.Filter) { f.RestrictNamespaces(f.Source(seccomp.Source{}), 0) }).Bytes(), uint32(272), uint64(1<<28), uint64(0), uint64(0), uint16(0x11))
	f.Add(compiled(f, func(f *seccomp.Filter) { f.LockPersonality(f.Source(seccomp.Source{}), 0) }).Bytes(), uint32(135), uint64(8), uint64(0), uint64(0), uint16(0xffff))
	r := new(reach)
	f.Fuzz(func(t *testing.T, b []byte, nr uint32, a, b1, c uint64, known uint16) {
		p, err := seccomp.Parse(b)
		if err != nil {
			return
		}
		holds(t, r, p, seccomp.Data{NR: nr, Arch: seccomp.ArchX86_64, Args: [6]uint64{a, b1, c}}, known)
	})
}

func returning(a seccomp.Action) seccomp.Program {
	return seccomp.Program{{Code: bpfRET, K: uint32(a)}}
}

// The strictest of a stack decides, and of threads the weakest.
func TestDecide(t *testing.T) {
	strictest := []seccomp.Action{seccomp.KillProcess, seccomp.KillThread, seccomp.Trap, seccomp.Errno | 1, seccomp.Notify, seccomp.Trace, seccomp.Log, seccomp.Allow}
	for i, a := range strictest {
		for j, b := range strictest {
			stack := Stack{Programs: []seccomp.Program{returning(a), returning(b)}}
			if got := (Filters{Stacks: []Stack{stack}}).Decide(seccomp.Data{}); got != strictest[min(i, j)] {
				t.Errorf("%v, then %v: %v", a, b, got)
			}
			threads := Filters{Stacks: []Stack{{Programs: []seccomp.Program{returning(a)}}, {Programs: []seccomp.Program{returning(b)}}}}
			if got := threads.Decide(seccomp.Data{}); got != strictest[max(i, j)] {
				t.Errorf("%v in one thread and %v in the other: %v", a, b, got)
			}
		}
	}
	if got := (Filters{}).Decide(seccomp.Data{}); got != seccomp.Allow {
		t.Errorf("without a filter: %v", got)
	}
	// Of two errors that of the filter which was loaded last is given.
	two := Filters{Stacks: []Stack{{Programs: []seccomp.Program{returning(seccomp.Errno | 1), returning(seccomp.Errno | 2)}}}}
	if got := two.Decide(seccomp.Data{}); got != seccomp.Errno|2 {
		t.Errorf("two errors: %v", got)
	}
	none := Filters{Stacks: []Stack{{Programs: []seccomp.Program{returning(0)}}, {}}}
	if got := none.Decide(seccomp.Data{}); got != seccomp.Allow || none.Any() {
		t.Errorf("with a thread that has none: %v, %v", got, none.Any())
	}
}

func TestStrictMode(t *testing.T) {
	f := Filters{Stacks: []Stack{{Strict: true}}}
	for name, want := range map[string]seccomp.Action{"read": seccomp.Allow, "write": seccomp.Allow, "exit": seccomp.Allow, "rt_sigreturn": seccomp.Allow, "open": seccomp.KillThread, "exit_group": seccomp.KillThread} {
		if got := f.Decide(seccomp.Data{NR: callNumber(t, amd64[0], name), Arch: seccomp.ArchX86_64}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if !f.Any() {
		t.Error("no filter")
	}
}

// rated is what a filter gives, without a process.
func rated(t *testing.T, stacks ...Stack) *rater {
	r, err := Open()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	unseen := errors.New("not looked at")
	return &rater{r: r, p: &Process{}, abis: amd64, filters: Filters{Stacks: stacks}, reach: new(reach), blind: unseen, hostBlind: unseen}
}

// denying is a filter that answers a call of x86-64 by an error where an argument is a
// value, all 64 bits of it.
func denying(nr uint32, arg int, value uint64) seccomp.Program {
	at := uint32(16 + 8*arg)
	deny, allow := uint32(seccomp.Errno)|1, pass
	return seccomp.Program{
		{Code: bpfLD | bpfABS, K: 4},
		{Code: bpfJMP | 0x10, K: seccomp.ArchX86_64, JF: 7},
		{Code: bpfLD | bpfABS, K: 0},
		{Code: bpfJMP | 0x10, K: nr, JF: 5},
		{Code: bpfLD | bpfABS, K: at},
		{Code: bpfJMP | 0x10, K: uint32(value), JF: 3},
		{Code: bpfLD | bpfABS, K: at + 4},
		{Code: bpfJMP | 0x10, K: uint32(value >> 32), JF: 1},
		{Code: bpfRET, K: deny},
		{Code: bpfRET, K: allow},
	}
}

// Filters that answer by their arguments.
func TestArguments(t *testing.T) {
	socket := callNumber(t, amd64[0], "socket")
	r := rated(t, Stack{Programs: []seccomp.Program{denying(socket, 0, 17)}})
	r.abis = amd64[:1]
	// The kernel takes the lower half of a family: this filter looks at both.
	got := r.all([]try{attempt("socket(AF_PACKET)", "socket", given{arg: 0, value: 17})})
	if got.passed != 1 || got.first != "socket(AF_PACKET) with something in the upper half of an argument" {
		t.Errorf("a filter of all 64 bits: %+v", got)
	}
	if got := r.families("AF_PACKET"); got.Badness == 0 || !got.Weaker && r.noRings() {
		t.Errorf("a filter of all 64 bits: %+v", got)
	}
	// By the lower half alone there is no way around.
	r = rated(t, Stack{Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) {
		f.RestrictAddressFamilies(f.Source(seccomp.Source{}), false, []uint32{17})
		f.DenyIOUring(f.Source(seccomp.Source{}))
	})}})
	if got := r.families("AF_PACKET"); got.Badness != 0 {
		t.Errorf("AF_PACKET: %+v", got)
	}
	if got := r.families("AF_UNIX"); got.Badness == 0 || got.Why != "socket(AF_UNIX) is allowed, and 2 more" {
		t.Errorf("AF_UNIX: %+v", got)
	}
	// io_uring opens sockets without socket(2).
	r = rated(t, Stack{Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) {
		f.RestrictAddressFamilies(f.Source(seccomp.Source{}), false, []uint32{17})
	})}})
	if got := r.families("AF_PACKET"); got.Badness == 0 || !got.Weaker {
		t.Errorf("AF_PACKET with io_uring: %+v", got)
	}
	// One thread without what the other has.
	one := Stack{Thread: 7, Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) { f.RestrictNamespaces(f.Source(seccomp.Source{}), 0) })}}
	other := Stack{Thread: 9, Programs: []seccomp.Program{returning(seccomp.Allow)}}
	if got := rated(t, one, one).spaces("user"); got.Badness != 0 {
		t.Errorf("two threads alike: %+v", got)
	}
	if got := rated(t, one, other).spaces("user"); got.Badness == 0 || !got.Weaker || got.Why != "unshare(CLONE_NEWUSER) is allowed, and 14 more, in thread 9" {
		t.Errorf("two threads: %+v", got)
	}
	// A supervisor may do anything.
	if got := rated(t, Stack{Programs: []seccomp.Program{returning(seccomp.Notify)}}).spaces("user"); !got.Unknown {
		t.Errorf("a supervisor: %+v", got)
	}
	if got := rated(t, Stack{Programs: []seccomp.Program{returning(seccomp.Notify), returning(seccomp.Errno | 1)}}).spaces("user"); got.Unknown || got.Badness != 0 {
		t.Errorf("a supervisor that is not asked: %+v", got)
	}
}

func TestGroupRow(t *testing.T) {
	for name, want := range map[string]struct {
		stack   []Stack
		badness int
		weaker  bool
	}{
		"none":    {nil, 1 << 16, false},
		"nothing": {[]Stack{{Programs: []seccomp.Program{returning(seccomp.Allow)}}}, 1 << 16, false},
		"denied": {[]Stack{{Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) {
			f.Deny(f.Source(seccomp.Source{}), seccomp.MustSet("@swap"))
		})}}}, 0, false},
		"half": {[]Stack{{Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) {
			f.Deny(f.Source(seccomp.Source{}), seccomp.MustSet("swapon"))
		})}}}, 1 << 16, true},
		"a list":                       {[]Stack{{Programs: []seccomp.Program{list(t, "read", "swapon")}}}, 9, true},
		"a list without":               {[]Stack{{Programs: []seccomp.Program{list(t, "read", "write")}}}, 0, false},
		"a list in one of two threads": {[]Stack{{Thread: 7, Programs: []seccomp.Program{list(t, "read")}}, {Thread: 9}}, 1 << 16, true},
		"a second filter": {[]Stack{{Programs: []seccomp.Program{list(t, "read", "swapon", "swapoff"), compiled(t, func(f *seccomp.Filter) {
			f.Deny(f.Source(seccomp.Source{}), seccomp.MustSet("@swap"))
		})}}}, 0, false},
	} {
		got := rated(t, want.stack...).group("@swap")
		if got.Badness != want.badness || got.Weaker != want.weaker && want.badness != 9 {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// list is a filter that lets these calls pass and no other.
func list(t testing.TB, calls ...string) seccomp.Program {
	t.Helper()
	return compiled(t, func(f *seccomp.Filter) {
		by := f.Source(seccomp.Source{})
		l := &seccomp.List{AllowList: true, Default: seccomp.Verdict{Action: seccomp.Errno | 1, By: by}}
		for _, name := range calls {
			c, _ := seccomp.ByName(name)
			l.Calls = append(l.Calls, seccomp.Entry{Call: c, Verdict: seccomp.Verdict{Action: seccomp.Allow, By: by}})
		}
		f.AddList(l)
	})
}

// On s390x the words of an argument come in the other order, and 32-bit callers have no upper
// halves there or anywhere.
func TestHalves(t *testing.T) {
	q := ask(s390[0], 1).with(s390[0], 0, 7)
	if q.words[wordArgs+1] != 7 || q.known != 1<<wordNR|1<<wordArch|1<<(wordArgs+1) {
		t.Errorf("s390x: %+v", q)
	}
	q = ask(s390[1], 1).with(s390[1], 0, 7)
	if q.known>>wordArgs&1 != 1 {
		t.Errorf("s390: %+v", q)
	}
	q = ask(amd64[2], 1).with(amd64[2], 0, 7)
	if q.words[wordArgs] != 7 || q.known>>(wordArgs+1)&1 != 1 {
		t.Errorf("x86: %+v", q)
	}
	q = ask(amd64[1], 1).with(amd64[1], 0, 7)
	if q.known>>(wordArgs+1)&1 != 0 {
		t.Errorf("x32 has 64-bit registers: %+v", q)
	}
}

// As much as the kernel lets a process load, 32768 instructions in all, is read in bounded
// time: each of them does something that is not known before.
func TestBounded(t *testing.T) {
	var p seccomp.Program
	for len(p) < seccomp.MaxLength-2 {
		p = append(p, seccomp.Instruction{Code: bpfLD | bpfABS, K: 16}, seccomp.Instruction{Code: bpfJMP | 0x10, K: uint32(len(p))})
	}
	p = append(p, seccomp.Instruction{Code: bpfLD | bpfABS, K: 0}, seccomp.Instruction{Code: bpfRET, K: pass})
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	r := rated(t, Stack{Programs: slices.Repeat([]seccomp.Program{p}, 8)})
	r.p.Threads = []Threads{{IDs: []int{1}, State: Credentials{Seccomp: 2}}}
	start := time.Now()
	r.results()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%v", took)
	} else {
		t.Logf("81 rows in %v", took)
	}
}

// Under the filter of a directive its row is good, and under none it is bad.
func TestDirectiveRows(t *testing.T) {
	for _, d := range []struct {
		name string
		add  func(f *seccomp.Filter, by uint16)
		row  func(r *rater) int
	}{
		{"LockPersonality", func(f *seccomp.Filter, by uint16) { f.LockPersonality(by, 0) }, func(r *rater) int { return r.personality().Badness }},
		{"RestrictRealtime", (*seccomp.Filter).RestrictRealtime, func(r *rater) int { return r.realtime().Badness }},
		{"RestrictSUIDSGID", func(f *seccomp.Filter, by uint16) {
			f.RestrictSUIDSGID(by)
			f.DenyIOUring(by)
		}, func(r *rater) int { return r.sUIDGID().Badness }},
		{"MemoryDenyWriteExecute", (*seccomp.Filter).MemoryDenyWriteExecute, func(r *rater) int { return r.writeExecute().Badness }},
		{"SystemCallArchitectures", func(f *seccomp.Filter, by uint16) { f.Architectures(by, nil) }, func(r *rater) int { return r.architectures().Badness }},
		{"RestrictNamespaces", func(f *seccomp.Filter, by uint16) { f.RestrictNamespaces(by, seccomp.Namespaces&^seccomp.NewNet) }, func(r *rater) int { return r.spaces("net").Badness }},
		{"RestrictAddressFamilies", func(f *seccomp.Filter, by uint16) {
			f.RestrictAddressFamilies(by, true, []uint32{1})
			f.DenyIOUring(by)
		}, func(r *rater) int { return r.families("").Badness }},
	} {
		with := Stack{Programs: []seccomp.Program{compiled(t, func(f *seccomp.Filter) { d.add(f, f.Source(seccomp.Source{})) })}}
		if got := d.row(rated(t, with)); got != 0 {
			t.Errorf("%s: badness %d", d.name, got)
		}
		for name, r := range map[string]*rater{"without a filter": rated(t), "under another": rated(t, Stack{Programs: []seccomp.Program{returning(seccomp.Log)}})} {
			if got := d.row(r); got == 0 {
				t.Errorf("%s %s: it is good", d.name, name)
			}
		}
	}
}
