package cgroup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	bpfasm "github.com/cilium/ebpf/asm"
)

// byteOrder is that of the machine, in the type by which the library decides.
func byteOrder() binary.ByteOrder {
	if bigEndian() {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// raw is a program as the kernel reads it.
func raw(p []Ins) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, p); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// The assembler writes what cilium/ebpf does.
func TestAssembler(t *testing.T) {
	// Jumps go behind one more instruction, to the end.
	jump := func(f func(a *asm, label int)) func(a *asm) {
		return func(a *asm) {
			end := a.label()
			f(a, end)
			a.dead = false
			a.mov(R7, 1)
			a.here(end)
			a.exit()
		}
	}
	jumps := func(i bpfasm.Instruction) bpfasm.Instructions {
		return bpfasm.Instructions{i, bpfasm.Mov.Imm(bpfasm.R7, 1), bpfasm.Return().WithSymbol("end")}
	}
	tests := []struct {
		name string
		f    func(a *asm)
		want bpfasm.Instructions
	}{
		{"mov", func(a *asm) { a.mov(R3, -2) }, bpfasm.Instructions{bpfasm.Mov.Imm(bpfasm.R3, -2)}},
		{"movReg", func(a *asm) { a.movReg(R6, R1) }, bpfasm.Instructions{bpfasm.Mov.Reg(bpfasm.R6, bpfasm.R1)}},
		{"add", func(a *asm) { a.add(R3, -16) }, bpfasm.Instructions{bpfasm.Add.Imm(bpfasm.R3, -16)}},
		{"and", func(a *asm) { a.and(R3, 0xffff) }, bpfasm.Instructions{bpfasm.And.Imm32(bpfasm.R3, 0xffff)}},
		{"shr", func(a *asm) { a.shr(R2, 16) }, bpfasm.Instructions{bpfasm.RSh.Imm32(bpfasm.R2, 16)}},
		{"bswap 16", func(a *asm) { a.bswap(R2, 16) }, bpfasm.Instructions{bpfasm.HostTo(bpfasm.BE, bpfasm.R2, bpfasm.Half)}},
		{"bswap 32", func(a *asm) { a.bswap(R5, 32) }, bpfasm.Instructions{bpfasm.HostTo(bpfasm.BE, bpfasm.R5, bpfasm.Word)}},
		{"load 1", func(a *asm) { a.load(1, R2, R1, 3) }, bpfasm.Instructions{bpfasm.LoadMem(bpfasm.R2, bpfasm.R1, 3, bpfasm.Byte)}},
		{"load 2", func(a *asm) { a.load(2, R2, R1, 2) }, bpfasm.Instructions{bpfasm.LoadMem(bpfasm.R2, bpfasm.R1, 2, bpfasm.Half)}},
		{"load 4", func(a *asm) { a.load(4, R2, R10, -16) }, bpfasm.Instructions{bpfasm.LoadMem(bpfasm.R2, bpfasm.RFP, -16, bpfasm.Word)}},
		{"load 8", func(a *asm) { a.load(8, R2, R1, 8) }, bpfasm.Instructions{bpfasm.LoadMem(bpfasm.R2, bpfasm.R1, 8, bpfasm.DWord)}},
		{"store 4", func(a *asm) { a.store(4, R1, 4, R2) }, bpfasm.Instructions{bpfasm.StoreMem(bpfasm.R1, 4, bpfasm.R2, bpfasm.Word)}},
		{"store 8", func(a *asm) { a.store(8, R10, -8, R2) }, bpfasm.Instructions{bpfasm.StoreMem(bpfasm.RFP, -8, bpfasm.R2, bpfasm.DWord)}},
		{"count", func(a *asm) { a.count(DeniedEgress) }, bpfasm.Instructions{
			bpfasm.LoadMapValue(bpfasm.R9, countersFD, uint32(DeniedEgress)*8), bpfasm.Mov.Imm(bpfasm.R8, 1), bpfasm.AddAtomic.Mem(bpfasm.R9, bpfasm.R8, bpfasm.DWord, 0),
		}},
		{"call", func(a *asm) { a.call(helperLoadBytes) }, bpfasm.Instructions{bpfasm.FnSkbLoadBytes.Call()}},
		{"exit", func(a *asm) { a.exit() }, bpfasm.Instructions{bpfasm.Return()}},
		{"jump", jump(func(a *asm, l int) { a.jump(l) }), jumps(bpfasm.Ja.Label("end"))},
	}
	for _, op := range []struct {
		name string
		op   uint8
		want bpfasm.JumpOp
	}{
		{"JEQ", jmpJEQ, bpfasm.JEq},
		{"JNE", jmpJNE, bpfasm.JNE},
		{"JGT", jmpJGT, bpfasm.JGT},
		{"JGE", jmpJGE, bpfasm.JGE},
		{"JLT", jmpJLT, bpfasm.JLT},
		{"JLE", jmpJLE, bpfasm.JLE},
		{"JSET", jmpJSET, bpfasm.JSet},
	} {
		tests = append(tests, []struct {
			name string
			f    func(a *asm)
			want bpfasm.Instructions
		}{
			{"jumpIf " + op.name, jump(func(a *asm, l int) { a.jumpIf(op.op, R2, -3, l) }), jumps(op.want.Imm(bpfasm.R2, -3, "end"))},
			{"jumpIf32 " + op.name, jump(func(a *asm, l int) { a.jumpIf32(op.op, R2, 0xfffffffd, l) }), jumps(op.want.Imm32(bpfasm.R2, -3, "end"))},
		}...)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a asm
			tt.f(&a)
			p, err := a.program()
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := tt.want.Marshal(&want, byteOrder()); err != nil {
				t.Fatal(err)
			}
			if got := raw(p); !bytes.Equal(got, want.Bytes()) {
				t.Errorf("% x\nwant\n% x", got, want.Bytes())
			}
		})
	}
}

// What nothing leads to is not in a program: neither behind an end or a jump, nor at a
// label that only such code jumps to.
func TestAssemblerLeavesOut(t *testing.T) {
	var a asm
	reached, unreached := a.label(), a.label()
	a.jumpIf(jmpJEQ, R1, 0, reached)
	a.exit()
	a.mov(R0, 1)
	a.jump(unreached)
	a.here(unreached)
	a.mov(R0, 2)
	a.here(reached)
	a.mov(R0, 3)
	a.exit()
	p, err := a.program()
	if err != nil {
		t.Fatal(err)
	}
	want := []Ins{
		{Op: classJMP | jmpJEQ, Reg: reg(R1, 0), Off: 1},
		{Op: classJMP | jmpEXIT},
		{Op: classALU64 | aluMOV, Reg: reg(R0, 0), Imm: 3},
		{Op: classJMP | jmpEXIT},
	}
	if !slices.Equal(p, want) {
		t.Errorf("%v, want %v", p, want)
	}
}

func TestAssemblerTooLong(t *testing.T) {
	for n, want := range map[int]error{maxLength: nil, maxLength + 1: errTooLong} {
		var a asm
		for range n {
			a.mov(R0, 0)
		}
		if _, err := a.program(); !errors.Is(err, want) {
			t.Errorf("%d instructions: %v, want %v", n, err, want)
		}
	}
}

// The numbers are those of the machine's headers.
func TestHeaders(t *testing.T) {
	names := []struct {
		c    string
		want int
	}{
		{"sizeof(struct bpf_insn)", 8},
		{"offsetof(struct bpf_cgroup_dev_ctx, access_type)", deviceAccess},
		{"offsetof(struct bpf_cgroup_dev_ctx, major)", deviceMajor},
		{"offsetof(struct bpf_cgroup_dev_ctx, minor)", deviceMinor},
		{"offsetof(struct __sk_buff, protocol)", packetProtocol},
		{"offsetof(struct __sk_buff, ifindex)", packetInterface},
		{"offsetof(struct bpf_sock_addr, user_ip6)", bindAddress6},
		{"offsetof(struct bpf_sock_addr, user_port)", bindPort},
		{"offsetof(struct bpf_sock_addr, protocol)", bindProtocol},
		{"offsetof(struct bpf_sock, bound_dev_if)", socketInterface},
		{"offsetof(struct iphdr, saddr)", 12},
		{"offsetof(struct iphdr, daddr)", 16},
		{"offsetof(struct ipv6hdr, saddr)", 8},
		{"offsetof(struct ipv6hdr, daddr)", 24},
		{"sizeof(struct ipv6hdr)", longest},
		{"BPF_DEVCG_DEV_BLOCK", blockDevice},
		{"BPF_DEVCG_DEV_CHAR", charDevice},
		{"BPF_DEVCG_ACC_MKNOD", int(Mknod)},
		{"BPF_DEVCG_ACC_READ", int(Read)},
		{"BPF_DEVCG_ACC_WRITE", int(Write)},
		{"BPF_FUNC_skb_load_bytes", helperLoadBytes},
		{"BPF_PSEUDO_MAP_VALUE", pseudoMapValue},
		{"ETH_P_IP", etherIPv4},
		{"ETH_P_IPV6", etherIPv6},
		{"IPPROTO_TCP", TCP},
		{"IPPROTO_UDP", UDP},
		{"AF_INET", IPv4},
		{"AF_INET6", IPv6},
	}
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc")
	}
	if _, err := os.Stat("/usr/include/linux/bpf.h"); err != nil {
		t.Skip("no headers of the kernel")
	}
	source := "#include <stddef.h>\n#include <stdio.h>\n#include <netinet/in.h>\n#include <linux/bpf.h>\n#include <linux/if_ether.h>\n#include <linux/ip.h>\n#include <linux/ipv6.h>\nint main(void) {\n"
	for _, n := range names {
		source += "printf(\"%d\\n\", (int)" + n.c + ");\n"
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "numbers")
	if err := os.WriteFile(file+".c", []byte(source+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-o", file, file+".c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(file).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != len(names) {
		t.Fatalf("%d numbers, want %d", len(lines), len(names))
	}
	for i, n := range names {
		if lines[i] != strconv.Itoa(n.want) {
			t.Errorf("%s is %s, not %d", n.c, lines[i], n.want)
		}
	}
}
