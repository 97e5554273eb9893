package cgroup

import (
	"encoding/binary"
	"flag"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/tried.txt anew")

// inputs is a list of inputs by which programs are tried, and of what the rules say of each: of
// those that follow each other and differ in one thing alone, a line. It calls also with a
// loop that ends early.
func inputs[T any](t *testing.T, all iter.Seq2[T, bool], split func(T) (what, one string)) string {
	t.Helper()
	var b strings.Builder
	before, width, total := "", 0, 0
	for input, allowed := range all {
		total++
		what, one := split(input)
		if what != before || width > 80 {
			before, width = what, 0
			b.WriteString("\n" + what + ":")
		}
		sign := " -"
		if allowed {
			sign = " +"
		}
		width += len(one) + 2
		b.WriteString(sign + one)
	}
	for most := 1; most < total; most++ {
		n := 0
		for range all {
			if n++; n == most {
				break
			}
		}
		if n != most {
			t.Errorf("%d of %d inputs, want %d", n, total, most)
		}
	}
	return b.String() + "\n"
}

// What programs are tried with before a launch: the bounds of each rule, and what is beside
// them. testdata/tried.txt has it, with a + before what the rules allow.
func TestTried(t *testing.T) {
	var b strings.Builder
	for _, list := range [][]Device{nil, {{false, 1, 3, Read}, {true, 8, AnyMinor, Read | Write}, {true, AnyMajor, AnyMinor, Mknod}}} {
		fmt.Fprintf(&b, "# devices %v%s\n", list, inputs(t, deviceRequests(list), func(r deviceRequest) (what, one string) {
			text := r.String()
			i := strings.LastIndexByte(strings.TrimSuffix(text, fmt.Sprint("access ", r.access)), ' ')
			if what = strings.TrimSpace(text[:i]); r.access > 7 || r.access == 0 {
				return what, fmt.Sprint(r.access)
			}
			return what, Access(r.access).String()
		}))
	}
	four, six, host := prefix(t, "192.0.2.0/24"), prefix(t, "2001:db8:0:100::/56"), prefix(t, "2001:db8::ffff:ffff/128")
	for _, tt := range []struct {
		name       string
		addresses  Addresses
		interfaces *Interfaces
		ingress    bool
	}{
		{"no rules, in", Addresses{}, nil, true},
		{"192.0.2.0/24 denied, in", Addresses{Deny: []Prefix{four}}, nil, true},
		{"2001:db8:0:100::/56 and 2001:db8::ffff:ffff allowed, all else denied, out", Addresses{
			Allow: []Prefix{six, host}, Deny: []Prefix{prefix(t, "0.0.0.0/0"), prefix(t, "::/0")},
		}, nil, false},
		{"interfaces 2 and 7 allowed, out", Addresses{}, &Interfaces{Index: []uint32{2, 7}}, false},
		{"interfaces 1 and 2 denied, out", Addresses{}, &Interfaces{Deny: true, Index: []uint32{1, 2}}, false},
		{"no interface denied, out", Addresses{}, &Interfaces{Deny: true}, false},
		{"no interface allowed, out", Addresses{}, &Interfaces{}, false},
	} {
		fmt.Fprintf(&b, "# packets, %s%s\n", tt.name, inputs(t, packets(tt.addresses, tt.interfaces, tt.ingress), func(k packet) (what, one string) {
			text, rest, _ := strings.Cut(k.String(), ", ")
			i := strings.LastIndexByte(text, ' ')
			return text[:i] + " …, " + rest, text[i+1:]
		}))
	}
	binds := Binds{Allow: []BindRule{{IPv6, TCP, 80, 90}}, Deny: []BindRule{{0, TCP, 1, 1024}, {IPv4, UDP, 0, 0}}}
	for _, v6 := range []bool{false, true} {
		fmt.Fprintf(&b, "# binds, %v allowed, %v denied%s\n", binds.Allow, binds.Deny, inputs(t, bindRequests(binds, v6), func(r bindRequest) (what, one string) {
			if !r.v6 {
				return fmt.Sprintf("IPv4, port %d, protocols", r.port), fmt.Sprint(r.protocol)
			}
			return fmt.Sprintf("IPv6, port %d, protocol %d", r.port, r.protocol), netip.AddrFrom16(r.bytes()).String()
		}))
	}
	const file = "testdata/tried.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			t.Fatalf("line %d: %s\nwant %s", i+1, got[i], wanted[i])
		}
	}
	if len(got) != len(wanted) {
		t.Errorf("%d lines, want %d", len(got), len(wanted))
	}
}

// Of a long list some are tried, spread evenly.
func TestSome(t *testing.T) {
	for _, tt := range []struct {
		n, most int
		want    []int
	}{{0, 4, nil}, {3, 4, []int{0, 1, 2}}, {4, 4, []int{0, 1, 2, 3}}, {10, 4, []int{0, 3, 6, 9}}} {
		if got := slices.Collect(some(tt.n, tt.most)); !slices.Equal(got, tt.want) {
			t.Errorf("%d of %d: %v, want %v", tt.most, tt.n, got, tt.want)
		}
	}
}

// The address in front of another one, and the one behind.
func TestNeighbours(t *testing.T) {
	const top = ^uint32(0)
	for _, tt := range []struct{ first, last, before, behind ipAddress }{
		{ipAddress{0, 0, 0, 5}, ipAddress{0, 0, 0, 7}, ipAddress{0, 0, 0, 4}, ipAddress{0, 0, 0, 8}},
		{ipAddress{1, 0, 0, 0}, ipAddress{1, top, top, top}, ipAddress{0, top, top, top}, ipAddress{2, 0, 0, 0}},
		{ipAddress{1, 1, 0, 0}, ipAddress{1, 1, top, top}, ipAddress{1, 0, top, top}, ipAddress{1, 2, 0, 0}},
		{ipAddress{}, ipAddress{top, top, top, top}, ipAddress{top, top, top, top}, ipAddress{}},
	} {
		if before, behind := tt.first.neighbours(tt.last); before != tt.before || behind != tt.behind {
			t.Errorf("%x to %x: %x and %x", tt.first, tt.last, before, behind)
		}
	}
}

// A packet has another address where the program must not look; a bind has the family of its
// socket, and an address in IPv6 alone.
func TestTriedData(t *testing.T) {
	for _, tt := range []struct {
		packet packet
		want   string
	}{
		{packet{ingress: true, protocol: etherIPv4, address: ipAddress{0xc0000201}}, "000000000000000000000000c00002013ffffdfe" + strings.Repeat("00", 20)},
		{packet{protocol: etherIPv4, address: ipAddress{0xc0000201}}, "0000000000000000000000003ffffdfec0000201" + strings.Repeat("00", 20)},
		{packet{protocol: etherIPv6, address: ipAddress{1, 2, 3, 4}}, "0000000000000000fffffffefffffffdfffffffcfffffffb00000001000000020000000300000004"},
	} {
		if got := fmt.Sprintf("%x", tt.packet.data()); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.packet, got, tt.want)
		}
	}
	mapped := ipAddress{0, 0, 0xffff, 0x7f000001}
	for v6, family := range map[bool]byte{false: IPv4, true: IPv6} {
		r := bindRequest{v6: v6, address: mapped}
		if ctx := r.context(); ctx[0]|ctx[3] != family || (ctx[bindAddress6+12] != 0) != v6 {
			t.Errorf("IPv6 %v: %x", v6, ctx)
		}
		if r.mapped() != v6 {
			t.Errorf("IPv6 %v: an IPv4 address in IPv6: %v", v6, r.mapped())
		}
	}
}

// What is no program is refused as such.
func TestProveForm(t *testing.T) {
	p := []Ins{{Op: 0xff}}
	for _, err := range []error{
		ProveDevices(p, nil), ProvePackets(p, Addresses{}, nil, true), ProveBinds(p, Binds{}, false), ProveInterfaceSocket(p, 1),
	} {
		if errText(err) != "instruction 0: not of a form that is written here" {
			t.Error(err)
		}
	}
	denies := []Ins{{Op: classALU64 | aluMOV}, {Op: classJMP | jmpEXIT}}
	if err := ProveInterfaceSocket(denies, 1); errText(err) != "a new socket: the program denies it" {
		t.Error(err)
	}
}

// The program for files goes from the file by its inode to the number of its file system,
// and denies what has none.
func TestFileProgramText(t *testing.T) {
	p, err := FileProgram(FileSystems{Magic: []uint32{0xef53}}, &Offsets{Hook: 1, Inode: 32, Super: 40, Magic: 96})
	if err != nil {
		t.Fatal(err)
	}
	load := func(dst, src uint8, off int16) Ins {
		return Ins{Op: classLDX | modeMEM | sizeDW, Reg: reg(dst, src), Off: off}
	}
	want := []Ins{
		load(R2, R1, 0),
		load(R2, R2, 32),
		{Op: classJMP | jmpJEQ, Reg: reg(R2, 0), Off: 10}, // to what denies
		load(R2, R2, 40),
		{Op: classJMP | jmpJEQ, Reg: reg(R2, 0), Off: 8},
		load(R2, R2, 96),
		{Op: classALU64 | aluMOV | srcX, Reg: reg(R3, R2)},
		{Op: classALU64 | aluRSH, Reg: reg(R3, 0), Imm: 32},
		{Op: classJMP | jmpJNE, Reg: reg(R3, 0), Off: 4},
		{Op: classJMP32 | jmpJEQ, Reg: reg(R2, 0), Off: 1, Imm: 0xef53},
		{Op: classJMP | jmpJA, Off: 2},
		{Op: classALU64 | aluMOV, Reg: reg(R0, 0), Imm: 1},
		{Op: classJMP | jmpEXIT},
	}
	rest := p[min(len(p), len(want)):]
	if !slices.Equal(p[:len(p)-len(rest)], want) {
		t.Errorf("%v, want %v", p, want)
	}
	if end := rest[len(rest)-2:]; !slices.Equal(end, []Ins{{Op: classALU64 | aluMOV, Reg: reg(R0, 0)}, {Op: classJMP | jmpEXIT}}) {
		t.Errorf("it ends with %v", end)
	}
}

// What the kernel refuses of bpf_skb_load_bytes, the evaluator does, too: another context, and
// no bytes. What is counted twice is 2.
func TestEvalCalls(t *testing.T) {
	load := func(size int32, change func(a *asm)) error {
		var a asm
		a.mov(R2, 0)
		a.movReg(R3, R10)
		a.add(R3, -16)
		a.mov(R4, size)
		if change != nil {
			change(&a)
		}
		a.call(helperLoadBytes)
		a.exit()
		_, err := Eval(a.out, make([]byte, 8), make([]byte, 8))
		return err
	}
	const outside = "instruction %d: an address outside of what the program has"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{load(4, nil), ""},
		{load(0, nil), fmt.Sprintf(outside, 4)},
		{load(4, func(a *asm) { a.movReg(R1, R10) }), fmt.Sprintf(outside, 5)},
		{load(4, func(a *asm) { a.add(R3, 16) }), fmt.Sprintf(outside, 5)},
	} {
		if errText(tt.err) != tt.want {
			t.Errorf("%v, want %q", tt.err, tt.want)
		}
	}
	if _, err := decode([]Ins{{Op: classJMP | jmpEXIT, Reg: reg(R1, 0)}}); errText(err) != "instruction 0: not of a form that is written here" {
		t.Error(err)
	}
	number := []Ins{{Op: classLD | sizeDW, Reg: reg(R0, 0)}, {}, {Op: classJMP | jmpEXIT}} // not that of a map
	if _, err := decode(number); errText(err) != "instruction 0: not of a form that is written here" {
		t.Error(err)
	}
	half := append([]Ins{{Op: classALU64 | aluMOV, Reg: reg(R0, 0)}, {Op: classJMP | jmpJA, Off: 1}}, number...)
	half = append(half, Ins{Op: classJMP | jmpEXIT})
	half[2].Reg = reg(R0, pseudoMapValue)
	if _, err := Eval(half, nil, nil); errText(err) != "a jump to where no instruction is" {
		t.Error(err)
	}
	var a asm
	a.count(DeniedBinds)
	a.count(DeniedBinds)
	a.mov(R0, 0)
	a.exit()
	c, err := decode(a.out)
	if err != nil {
		t.Fatal(err)
	}
	var m machine
	if _, err := m.run(c); err != nil || binary.NativeEndian.Uint64(m.counters[8*DeniedBinds:]) != 2 {
		t.Errorf("counted %v, %v", m.counters, err)
	}
}

// Words of file systems, until no more are wanted; and hooks by their names.
func TestWordsAndHooks(t *testing.T) {
	n := 0
	for range EachFileSystem {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d words", n)
	}
	for name, want := range map[string]bool{"bind4": true, "lsm_cgroup": false, "none": false} {
		if h, ok := PinnedHook(name); ok != want || ok && h.Name != name {
			t.Errorf("%s: %+v, %v", name, h, ok)
		}
	}
}

// Ports of which the last is before the first are none.
func TestPortsBackwards(t *testing.T) {
	some := []BindRule{{0, TCP, 80, 90}}
	none := append([]BindRule{{0, TCP, 90, 80}}, some...)
	if got, want := ports(Binds{Deny: none}, IPv4, TCP), ports(Binds{Deny: some}, IPv4, TCP); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
