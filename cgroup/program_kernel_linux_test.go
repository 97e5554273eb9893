package cgroup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	bpfasm "github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// loaded is a program in the kernel.
type loaded struct {
	*ebpf.Program
	counters *ebpf.Map
	hook     ebpf.AttachType
}

func closeAfter(t testing.TB, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// loadProgram loads a program by cilium/ebpf, which is no part of the package.
func loadProgram(t testing.TB, p []Ins, kind ebpf.ProgramType, hook ebpf.AttachType) loaded {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	counters, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8 * uint32(Counters), MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, counters)
	ins, err := bpfasm.AppendInstructions(nil, bytes.NewReader(raw(Counting(p, int32(counters.FD())))), byteOrder(), "linux")
	if err != nil {
		t.Fatal(err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: kind, AttachType: hook, Instructions: ins, License: "Apache-2.0"})
	if err != nil {
		t.Fatalf("%d instructions: %v", len(p), err)
	}
	closeAfter(t, program)
	return loaded{program, counters, hook}
}

// counted is what a program has denied.
func (l loaded) counted(t testing.TB) (c [Counters]uint64) {
	t.Helper()
	b, err := l.counters.LookupBytes(uint32(0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range c {
		c[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return c
}

func loadPackets(t testing.TB, a Addresses, i *Interfaces, ingress bool) (loaded, []Ins) {
	t.Helper()
	p, err := PacketProgram(a, i, ingress)
	if err != nil {
		t.Fatal(err)
	}
	hook := ebpf.AttachCGroupInetEgress
	if ingress {
		hook = ebpf.AttachCGroupInetIngress
	}
	return loadProgram(t, p, ebpf.CGroupSKB, hook), p
}

// The kernel takes the longest programs, and gives them the tag that Tag says.
func TestKernelLongest(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 9))
	devices := func(n int, more ...Device) ([]Ins, error) {
		list := make([]Device, n, n+len(more))
		for i := range list {
			list[i] = Device{i%2 == 0, r.Uint32N(1 << 12), r.Uint32N(1 << 20), Access(1 + r.IntN(7))}
		}
		return DeviceProgram(append(list, more...))
	}
	anyMinors := func() ([]Ins, error) {
		list := []Device{{false, AnyMajor, AnyMinor, Read}, {true, AnyMajor, AnyMinor, Write}}
		for i := range uint32(1500) {
			list = append(list, Device{i%2 == 0, i, AnyMinor, Access(1 + r.IntN(7))})
			for range 5 {
				list = append(list, Device{i%2 == 0, i, r.Uint32N(1 << 20), Access(1 + r.IntN(7))})
			}
		}
		return DeviceProgram(list)
	}
	binds := func(n int, v6 bool) ([]Ins, error) {
		var b Binds
		for i := range n {
			port := uint16(1 + 4*i)
			b.Allow = append(b.Allow, BindRule{0, UDP, port + 1, port + 1})
			b.Deny = append(b.Deny, BindRule{0, TCP, port, port + 1}, BindRule{0, UDP, port, port + 2})
		}
		return BindProgram(b, v6)
	}
	both := func(n int, bits4, bits6 uint8) Addresses {
		a := randomDenied(r, n, false, bits4)
		a.Deny = append(a.Deny, randomDenied(r, n, true, bits6).Deny...)
		return a
	}
	minors := func() ([]Ins, error) {
		list := make([]Device, 15900)
		for i := range list {
			list[i] = Device{false, 1, uint32(i), Access(1 + r.IntN(7))}
		}
		return DeviceProgram(list)
	}
	indexes := &Interfaces{}
	for i := range uint32(15900) {
		indexes.Index = append(indexes.Index, 2*i)
	}
	for _, tt := range []struct {
		name string
		kind ebpf.ProgramType
		hook ebpf.AttachType
		f    func() ([]Ins, error)
	}{
		{"IPv4/24", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress, func() ([]Ins, error) { return PacketProgram(randomDenied(r, fitIPv4, false, 24), nil, true) }},
		{"IPv4/32", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, func() ([]Ins, error) { return PacketProgram(randomDenied(r, fitIPv4, false, 32), nil, false) }},
		{"IPv6/48", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress, func() ([]Ins, error) { return PacketProgram(randomDenied(r, fitIPv6, true, 48), nil, true) }},
		{"IPv6/128", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress, func() ([]Ins, error) { return PacketProgram(randomDenied(r, 2700, true, 128), nil, true) }},
		{"both", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, func() ([]Ins, error) {
			return PacketProgram(both(3800, 24, 48), &Interfaces{Index: []uint32{1}}, false)
		}},
		{"interfaces", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, func() ([]Ins, error) { return PacketProgram(Addresses{}, indexes, false) }},
		{"devices", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, func() ([]Ins, error) { return devices(9900) }},
		{"devices and kinds", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, func() ([]Ins, error) {
			return devices(9900, Device{false, AnyMajor, AnyMinor, Read}, Device{true, AnyMajor, AnyMinor, Write | Mknod})
		}},
		{"all minors and kinds", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, anyMinors},
		{"minors", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, minors},
		{"bind4", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Bind, func() ([]Ins, error) { return binds(4200, false) }},
		{"bind6", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet6Bind, func() ([]Ins, error) { return binds(2100, true) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.f()
			if err != nil {
				t.Fatal(err)
			}
			if len(p) < maxLength*9/10 {
				t.Errorf("%d instructions are not the longest", len(p))
			}
			start := time.Now()
			l := loadProgram(t, p, tt.kind, tt.hook)
			t.Logf("%d instructions were loaded in %v", len(p), time.Since(start))
			checkTag(t, l, p)
		})
	}
}

func checkTag(t *testing.T, l loaded, p []Ins) {
	t.Helper()
	info, err := l.Info()
	if err != nil {
		t.Fatal(err)
	}
	tags := Tag(p)
	if testing.Verbose() {
		t.Logf("tag %s of SHA-1 %x, SHA-256 %x", info.Tag, tags[0], tags[1])
	}
	if info.Tag != hex.EncodeToString(tags[0][:]) && info.Tag != hex.EncodeToString(tags[1][:]) {
		t.Errorf("the kernel's tag is %s, not one of %x", info.Tag, tags)
	}
}

// Every program that random rules give is taken, and has the tag.
func TestKernelTakes(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 10))
	for most := range 12 {
		for range 8 {
			list := randomDevices(r, most)
			p, err := DeviceProgram(list)
			if err != nil {
				t.Fatal(err)
			}
			checkTag(t, loadProgram(t, p, ebpf.CGroupDevice, ebpf.AttachCGroupDevice), p)
			b := randomBinds(r, most)
			for v6, hook := range map[bool]ebpf.AttachType{false: ebpf.AttachCGroupInet4Bind, true: ebpf.AttachCGroupInet6Bind} {
				p, err := BindProgram(b, v6)
				if err != nil {
					t.Fatal(err)
				}
				checkTag(t, loadProgram(t, p, ebpf.CGroupSockAddr, hook), p)
			}
			l, p := loadPackets(t, randomAddresses(r, most), randomInterfaces(r), most%2 == 0)
			checkTag(t, l, p)
		}
	}
	p := InterfaceSocketProgram(1<<31 + 3)
	checkTag(t, loadProgram(t, p, ebpf.CGroupSock, ebpf.AttachCGroupInetSockCreate), p)
}

// runPacket asks the kernel about a packet. It wants an Ethernet header, and an interface
// that is there.
func runPacket(t *testing.T, l loaded, k packet) bool {
	t.Helper()
	data := k.data()
	frame := make([]byte, 14, 14+longest)
	binary.BigEndian.PutUint16(frame[12:], k.protocol)
	frame = append(frame, data[:k.size]...)
	ctx := make([]byte, 192)
	binary.NativeEndian.PutUint32(ctx[packetInterface:], k.ifindex)
	v, err := l.Run(&ebpf.RunOptions{Data: frame, Context: ctx})
	if err != nil {
		t.Fatalf("%v: %v", k, err)
	}
	return v == 1
}

// interfacesHere are the numbers of the interfaces of this network namespace.
func interfacesHere(t *testing.T) (list []uint32) {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Skip(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile("/sys/class/net/" + e.Name() + "/ifindex")
		if err != nil {
			continue // a file that is no interface
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, uint32(n))
	}
	return list
}

// The kernel decides about packets as the evaluator and the rules do, and counts what it
// denies.
func TestKernelPackets(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 11))
	here := interfacesHere(t)
	passed, denied := 0, 0
	for _, most := range []int{0, 1, 2, 5, 20, 1500} {
		for n := range 12 {
			a, ingress := randomAddresses(r, most), n%2 == 0
			if most > 1000 {
				if n > 3 {
					break
				}
				a.Deny = append(a.Deny, randomDenied(r, most, n == 0, 32).Deny...)
			}
			var i *Interfaces
			if n%3 == 0 {
				i = &Interfaces{Deny: n%2 == 0, Index: []uint32{here[r.IntN(len(here))], 77}}
			}
			l, p := loadPackets(t, a, i, ingress)
			var want [Counters]uint64
			for m := range 150 {
				k := randomPacket(r, a, ingress)
				k.ifindex = here[r.IntN(len(here))]
				if m == 0 {
					k.protocol = 0x0806
				}
				if k.size < longest {
					k.size = 20 // newer kernels do not run a program on half a header
				}
				if k.protocol == etherIPv6 {
					k.size = longest
				}
				if k.protocol < 0x600 {
					k.protocol = 0x88cc // a length, not a protocol
				}
				got := runPacket(t, l, k)
				if eval, rules := evalPacket(t, p, k), packetOracle(a, i, k); got != eval || got != rules {
					t.Fatalf("%v: kernel %v, evaluator %v, rules %v\n%v %v", k, got, eval, rules, a, i)
				}
				if got {
					passed++
					continue
				}
				denied++
				if ingress {
					want[DeniedIngress]++
				} else {
					want[DeniedEgress]++
				}
			}
			if got := l.counted(t); got != want {
				t.Errorf("counted %v, want %v", got, want)
			}
		}
	}
	t.Logf("%d packets passed, %d were denied", passed, denied)
	if passed < 500 || denied < 500 {
		t.Errorf("%d packets passed, %d were denied: too few of one kind", passed, denied)
	}
}

// A packet in which there is no address is denied by the kernel, too: here, as the program
// looks for it where no packet has one.
func TestKernelLoadFails(t *testing.T) {
	for _, ingress := range []bool{false, true} {
		p, err := PacketProgram(Addresses{Deny: []Prefix{prefix(t, "192.0.2.1/32"), prefix(t, "2001:db8::1/128")}}, nil, ingress)
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(p)
		for i := range p {
			if p[i].Op == classALU64|aluMOV && p[i].Reg == reg(R2, 0) {
				changed[i].Imm = 100
			}
		}
		whole := loadProgram(t, p, ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress)
		broken := loadProgram(t, changed, ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress)
		for _, protocol := range []uint16{etherIPv4, etherIPv6} {
			k := packet{ingress: ingress, protocol: protocol, size: longest}
			if !runPacket(t, whole, k) {
				t.Errorf("%v: denied", k)
			}
			if runPacket(t, broken, k) {
				t.Errorf("%v: passed without an address", k)
			}
		}
		counter := DeniedEgress
		if ingress {
			counter = DeniedIngress
		}
		if c := broken.counted(t); c[counter] != 2 {
			t.Errorf("counted %v", c)
		}
	}
}

// group makes a control group of cgroup2 for a test.
func group(t *testing.T) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a control group needs root")
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, mounts)
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if !strings.Contains(lines.Text(), " - cgroup2 ") {
			continue
		}
		dir := filepath.Join(f[4], "hardrun-test."+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() {
			if err := unix.Rmdir(dir); err != nil {
				t.Error(err)
			}
		})
		d, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, d)
		return d
	}
	t.Skip("no cgroup2 is mounted")
	return nil
}

// attach puts a program into force in a group.
func attach(t *testing.T, group *os.File, l loaded) {
	t.Helper()
	a, err := link.AttachCgroup(link.CgroupOptions{Path: group.Name(), Attach: l.hook, Program: l.Program})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, a)
}

const childJob = "HARDRUN_TEST_PROGRAM"

var childArgs = []string{"-test.run=^TestProgramChild$", "-test.v", "--"}

// inGroup runs the job of a child in a group, in a network namespace of its own, and
// returns the lines that it has to say.
func inGroup(t *testing.T, group *os.File, job string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append(childArgs, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Cloneflags: unix.CLONE_NEWNET}
	return said(t, cmd, job)
}

// inLegacyGroup does the same in a group of v1, which the child enters by itself.
func inLegacyGroup(t *testing.T, group, job string, args ...string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words := append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group, self}, childArgs...)
	return said(t, exec.Command("/bin/sh", append(words, args...)...), job)
}

func said(t *testing.T, cmd *exec.Cmd, job string) []string {
	t.Helper()
	cmd.Env = append(os.Environ(), childJob+"="+job)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if said, ok := strings.CutPrefix(line, "= "); ok {
			lines = append(lines, strings.TrimSuffix(said, "\n"))
		}
	}
	return lines
}

// TestProgramChild is the child of the tests of this file.
func TestProgramChild(t *testing.T) {
	args := os.Args[slices.Index(os.Args, "--")+1:]
	say := func(err error) {
		var e syscall.Errno
		if errors.As(err, &e) {
			fmt.Printf("\n= %s\n", unix.ErrnoName(e))
		} else {
			fmt.Printf("\n= %v\n", err)
		}
	}
	switch os.Getenv(childJob) {
	default:
		t.Skip("for a child of another test")
	case "devices":
		for _, word := range args[1:] {
			path, access, _ := strings.Cut(word, " ")
			n, err := strconv.Atoi(access)
			if err != nil {
				t.Fatal(err)
			}
			if kind, numbers, ok := strings.Cut(path, "="); ok { // a device to be made
				var major, minor, mode uint32 = 0, 0, unix.S_IFCHR
				if _, err := fmt.Sscanf(numbers, "%d:%d", &major, &minor); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(args[0], "made")
				if strings.HasPrefix(kind, "b") {
					mode = unix.S_IFBLK
				}
				err := unix.Mknod(file, mode|0o600, int(unix.Mkdev(major, minor)))
				if err == nil {
					err = errors.Join(os.Remove(file))
				}
				say(err)
				continue
			}
			say(unix.Faccessat(unix.AT_FDCWD, path, uint32(n), 0))
		}
	case "binds":
		for _, word := range args {
			say(bindAs(word))
		}
	case "sockets":
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
				s, err := unix.Socket(family, kind, 0)
				if err != nil {
					t.Fatal(err)
				}
				index, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX)
				if err != nil {
					t.Fatal(err)
				}
				say(errors.New(strconv.Itoa(index)))
				_ = unix.Close(s)
			}
		}
	case "packets":
		if err := loopbackUp(); err != nil {
			t.Fatal(err)
		}
		for _, word := range args {
			from, to, _ := strings.Cut(word, " ")
			say(send(netip.MustParseAddr(from), netip.MustParseAddr(to)))
		}
	}
}

// kernelDevices are lists of devices which are held against the kernel.
var kernelDevices = map[string][]Device{
	"devices": {
		{false, 240, 1, Read | Write | Mknod},
		{false, 240, 2, Read},
		{false, 240, 3, Write},
		{false, 240, 4, Mknod},
		{false, 240, 5, Read},
		{false, 240, 5, Write},
		{true, 240, 1, Read},
		{false, 241, AnyMinor, Read},
		{false, 241, 1, Write | Mknod},
	},
	"kinds": {
		{false, AnyMajor, AnyMinor, Read},
		{false, 240, 1, Write},
		{false, 240, 2, Read | Write},
		{false, 241, AnyMinor, Write},
		{true, 240, 1, Read},
		{true, AnyMajor, AnyMinor, Write},
		{true, AnyMajor, AnyMinor, Mknod},
	},
	"one kind": {{true, AnyMajor, AnyMinor, Read | Write}},
	"none":     nil,
}

// deviceJobs makes nodes in a directory, and returns what a child is to do with each, and
// whether a list allows it.
func deviceJobs(t *testing.T, dir string, list []Device) (args []string, want []bool) {
	t.Helper()
	for _, block := range []bool{false, true} {
		for _, major := range []uint32{239, 240, 241} {
			for _, minor := range []uint32{0, 1, 2, 3, 4, 5, 6} {
				r := deviceRequest{charDevice, major, minor, 0}
				mode, kind := uint32(unix.S_IFCHR), "c"
				if block {
					r.kind, mode, kind = blockDevice, unix.S_IFBLK, "b"
				}
				node := filepath.Join(dir, fmt.Sprint(kind, major, ".", minor))
				if err := unix.Mknod(node, mode|0o666, int(unix.Mkdev(major, minor))); err != nil {
					t.Skip("mknod: ", err)
				}
				for access, of := range map[uint32]Access{unix.F_OK: 0, unix.R_OK: Read, unix.W_OK: Write, unix.R_OK | unix.W_OK: Read | Write} {
					r.access = uint16(of)
					args, want = append(args, fmt.Sprint(node, " ", access)), append(want, deviceOracle(list, r))
				}
				r.access = uint16(Mknod)
				args, want = append(args, fmt.Sprint(kind, "=", major, ":", minor, " 0")), append(want, deviceOracle(list, r))
			}
		}
	}
	return args, want
}

// checkJobs compares what a child says with what is wanted, and returns how many of its
// jobs are denied.
func checkJobs(t *testing.T, lines, args []string, want []bool) (denied uint64) {
	t.Helper()
	if len(lines) != len(args) {
		t.Fatalf("%d answers to %d questions: %v", len(lines), len(args), lines)
	}
	for i, line := range lines {
		if !want[i] {
			denied++
		}
		if line != map[bool]string{true: "<nil>", false: "EPERM"}[want[i]] {
			t.Errorf("%s: %s, allowed is %v", args[i], line, want[i])
		}
	}
	return denied
}

// A program for devices, on the kernel.
func TestKernelDevices(t *testing.T) {
	for name, list := range kernelDevices {
		t.Run(name, func(t *testing.T) {
			p, err := DeviceProgram(list)
			if err != nil {
				t.Fatal(err)
			}
			dir, g := t.TempDir(), group(t)
			l := loadProgram(t, p, ebpf.CGroupDevice, ebpf.AttachCGroupDevice)
			attach(t, g, l)
			args, want := deviceJobs(t, dir, list)
			denied := checkJobs(t, inGroup(t, g, "devices", append([]string{dir}, args...)...), args, want)
			if c := l.counted(t); denied == 0 || c != [Counters]uint64{DeniedDevices: denied} {
				t.Errorf("counted %v, denied were %d", c, denied)
			}
		})
	}
}

// The v1 controller decides as the programs do, and its list is read back.
func TestKernelLegacyDevices(t *testing.T) {
	const mount = "/sys/fs/cgroup/devices"
	if _, err := os.Stat(mount + "/devices.allow"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root, and the devices controller of v1")
	}
	for name, list := range kernelDevices {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(mount, "hardrun-test."+strconv.Itoa(os.Getpid()))
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() {
				if err := unix.Rmdir(path); err != nil {
					t.Error(err)
				}
			})
			g, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			closeAfter(t, g)
			step := LegacyDevices{&Home{FD: int(g.Fd())}, list}
			if err := step.Verify(); err == nil {
				t.Error("verified before anything is forbidden")
			}
			if err := errors.Join(step.Apply(0), step.Verify()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(path, "devices.list"))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				d.Access = 0
				for _, e := range list {
					if d.compare(e) == 0 {
						d.Access |= e.Access
					}
				}
				if !slices.Contains(strings.Split(string(text), "\n"), d.String()) {
					t.Errorf("%s is not in\n%s", d, text)
				}
			}
			dir := t.TempDir()
			args, want := deviceJobs(t, dir, list)
			if checkJobs(t, inLegacyGroup(t, path, "devices", append([]string{dir}, args...)...), args, want) == 0 {
				t.Error("nothing was denied")
			}
			for i := range list { // one entry less, or with one access more
				short, other := slices.Delete(slices.Clone(list), i, i+1), slices.Clone(list)
				other[i].Access ^= Mknod
				for _, wrong := range [][]Device{short, other} {
					if err := (LegacyDevices{step.Home, wrong}).Verify(); err == nil && !slices.Equal(unite(wrong), unite(list)) {
						t.Errorf("%v was read back as %v", list, wrong)
					}
				}
			}
			for _, d := range []Device{{true, AnyMajor, AnyMinor, Read | Write | Mknod}, {false, 200, AnyMinor, Read}} {
				if err := (LegacyDevices{step.Home, append(slices.Clone(list), d)}).Verify(); err == nil {
					t.Errorf("%s was read back, which is not there", d)
				}
			}
		})
	}
}

// bindAs binds a socket: "family of the socket, family in the address, kind, protocol, port
// [address]".
func bindAs(word string) error {
	var family, in, kind, protocol int
	var port uint16
	var address string
	if n, err := fmt.Sscan(word, &family, &in, &kind, &protocol, &port, &address); n < 5 {
		return err
	}
	s, err := unix.Socket(family, kind, protocol)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	sa := make([]byte, 16, 28)
	binary.NativeEndian.PutUint16(sa, uint16(in))
	binary.BigEndian.PutUint16(sa[2:], port)
	if address != "" {
		sa = sa[:28]
		b := netip.MustParseAddr(address).As16()
		copy(sa[8:], b[:])
	}
	if _, _, e := unix.Syscall(unix.SYS_BIND, uintptr(s), uintptr(unsafe.Pointer(&sa[0])), uintptr(len(sa))); e != 0 {
		return e
	}
	return nil
}

// A program for ports, on the kernel.
func TestKernelBinds(t *testing.T) {
	b := Binds{
		Allow: []BindRule{{IPv4, TCP, 8000, 8010}, {IPv6, 0, 8005, 8005}, {0, UDP, 9000, 9000}},
		Deny:  []BindRule{{0, 0, 8000, 9000}, {IPv4, 0, 9500, 9500}, {IPv6, TCP, 0, 0}},
	}
	g := group(t)
	var programs []loaded
	for v6, hook := range map[bool]ebpf.AttachType{false: ebpf.AttachCGroupInet4Bind, true: ebpf.AttachCGroupInet6Bind} {
		p, err := BindProgram(b, v6)
		if err != nil {
			t.Fatal(err)
		}
		l := loadProgram(t, p, ebpf.CGroupSockAddr, hook)
		attach(t, g, l)
		programs = append(programs, l)
	}
	var args []string
	var want []bool
	for _, port := range []uint16{0, 7999, 8000, 8005, 8006, 8010, 8011, 9000, 9001, 9500} {
		for protocol, kind := range map[uint8]int{TCP: unix.SOCK_STREAM, UDP: unix.SOCK_DGRAM} {
			four, six := bindOracle(b, IPv4, protocol, port), bindOracle(b, IPv6, protocol, port)
			add := func(allowed bool, family, in int, address string) {
				args = append(args, fmt.Sprint(family, " ", in, " ", kind, " ", protocol, " ", port, " ", address))
				want = append(want, allowed)
			}
			add(four, unix.AF_INET, unix.AF_INET, "")
			add(four, unix.AF_INET, unix.AF_UNSPEC, "")
			add(six, unix.AF_INET6, unix.AF_INET6, "::")
			add(six && four, unix.AF_INET6, unix.AF_INET6, "::ffff:0.0.0.0")
		}
	}
	if s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP); err == nil {
		_ = unix.Close(s)
		for port, allowed := range map[uint16]bool{8000: true, 9000: false} { // it is TCP there
			args = append(args, fmt.Sprint(unix.AF_INET, " ", unix.AF_INET, " ", unix.SOCK_STREAM, " ", unix.IPPROTO_MPTCP, " ", port))
			want = append(want, allowed)
		}
	}
	// Nobody asks about a socket whose protocol has a bind of its own.
	args = append(args, fmt.Sprint(unix.AF_INET, " ", unix.AF_INET, " ", unix.SOCK_RAW, " ", unix.IPPROTO_ICMP, " 8500"))
	want = append(want, true)
	lines := inGroup(t, g, "binds", args...)
	if len(lines) != len(args) {
		t.Fatalf("%d answers to %d questions: %v", len(lines), len(args), lines)
	}
	denied := uint64(0)
	for i, line := range lines {
		if !want[i] {
			denied++
		}
		if line != map[bool]string{true: "<nil>", false: "EPERM"}[want[i]] {
			t.Errorf("bind %s: %s, allowed is %v", args[i], line, want[i])
		}
	}
	counted := programs[0].counted(t)[DeniedBinds] + programs[1].counted(t)[DeniedBinds]
	if denied == 0 || counted != denied {
		t.Errorf("counted %d, denied were %d", counted, denied)
	}
}

// A program that binds sockets to an interface, on the kernel.
func TestKernelInterfaceSocket(t *testing.T) {
	g := group(t)
	attach(t, g, loadProgram(t, InterfaceSocketProgram(1), ebpf.CGroupSock, ebpf.AttachCGroupInetSockCreate))
	if lines := inGroup(t, g, "sockets"); !slices.Equal(lines, []string{"1", "1", "1", "1"}) {
		t.Errorf("sockets are bound to %v, want 1", lines)
	}
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req)
}

// send sends a datagram and waits for it. An IPv6 socket is used for IPv6, and for IPv4
// addresses in it.
func send(from, to netip.Addr) error {
	socket := func(a netip.Addr, port int) (int, unix.Sockaddr, error) {
		family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: a.As16()})
		if a.Is4() {
			family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: a.As4()}
		}
		s, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		if err == nil && from != to {
			err = unix.Bind(s, sa)
		}
		return s, sa, err
	}
	receiver, sa, err := socket(to, 9999)
	if err != nil {
		return fmt.Errorf("receiver: %w", err)
	}
	defer func() { _ = unix.Close(receiver) }()
	if from == to {
		if err := unix.Bind(receiver, sa); err != nil {
			return fmt.Errorf("receiver: %w", err)
		}
	}
	sender, _, err := socket(from, 0)
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	defer func() { _ = unix.Close(sender) }()
	if err := unix.Sendto(sender, []byte("x"), 0, sa); err != nil {
		return err
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(receiver), Events: unix.POLLIN}}, 200)
	if err == nil && n == 0 {
		err = errors.New("lost")
	}
	return err
}

// Programs for packets, on real packets of real sockets.
func TestKernelSockets(t *testing.T) {
	lo := &Interfaces{Index: []uint32{1}}
	for _, tt := range []struct {
		name         string
		a            Addresses
		i            *Interfaces
		ingress      bool
		from, to     string
		want         string
		deniedAtWall uint64
	}{
		{"nothing", Addresses{}, nil, false, "127.0.0.1", "127.0.0.2", "<nil>", 0},
		{"egress", Addresses{Deny: []Prefix{prefix(t, "127.0.0.2/32")}}, nil, false, "127.0.0.1", "127.0.0.2", "EPERM", 1},
		{"egress elsewhere", Addresses{Deny: []Prefix{prefix(t, "127.0.0.2/32")}}, nil, false, "127.0.0.1", "127.0.0.3", "<nil>", 0},
		{"egress by source", Addresses{Deny: []Prefix{prefix(t, "127.0.0.1/32")}}, nil, false, "127.0.0.1", "127.0.0.3", "<nil>", 0},
		{"egress of a mapped address", Addresses{Deny: []Prefix{prefix(t, "127.0.0.2/32")}}, nil, false, "::ffff:127.0.0.1", "::ffff:127.0.0.2", "EPERM", 1},
		{"egress of an allowed mapped address", Addresses{Allow: []Prefix{prefix(t, "127.0.0.2/32")}, Deny: []Prefix{prefix(t, "0.0.0.0/0"), prefix(t, "::/0")}}, nil, false, "::ffff:127.0.0.1", "::ffff:127.0.0.2", "<nil>", 0},
		{"ingress", Addresses{Deny: []Prefix{prefix(t, "127.0.0.1/32")}}, nil, true, "127.0.0.1", "127.0.0.2", "lost", 1},
		{"ingress by destination", Addresses{Deny: []Prefix{prefix(t, "127.0.0.2/32")}}, nil, true, "127.0.0.1", "127.0.0.2", "<nil>", 0},
		{"egress of IPv6", Addresses{Deny: []Prefix{prefix(t, "::1/128")}}, nil, false, "::1", "::1", "EPERM", 1},
		{"ingress of IPv6", Addresses{Deny: []Prefix{prefix(t, "::1/128")}}, nil, true, "::1", "::1", "lost", 1},
		{"IPv6 that is allowed", Addresses{Allow: []Prefix{prefix(t, "::1/128")}, Deny: []Prefix{prefix(t, "::/0")}}, nil, false, "::1", "::1", "<nil>", 0},
		{"an interface", Addresses{}, lo, false, "127.0.0.1", "127.0.0.2", "<nil>", 0},
		{"an interface for coming", Addresses{}, lo, true, "127.0.0.1", "127.0.0.2", "<nil>", 0},
		{"another interface", Addresses{}, &Interfaces{Index: []uint32{2}}, false, "127.0.0.1", "127.0.0.2", "EPERM", 1},
		{"another interface for coming", Addresses{}, &Interfaces{Index: []uint32{2}}, true, "127.0.0.1", "127.0.0.2", "lost", 1},
		{"not this interface", Addresses{}, &Interfaces{Deny: true, Index: []uint32{1}}, false, "::1", "::1", "EPERM", 1},
		{"not that interface", Addresses{}, &Interfaces{Deny: true, Index: []uint32{2}}, false, "::1", "::1", "<nil>", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := group(t)
			l, _ := loadPackets(t, tt.a, tt.i, tt.ingress)
			attach(t, g, l)
			lines := inGroup(t, g, "packets", tt.from+" "+tt.to)
			if !slices.Equal(lines, []string{tt.want}) {
				t.Errorf("%v, want %s", lines, tt.want)
			}
			counter := DeniedEgress
			if tt.ingress {
				counter = DeniedIngress
			}
			c := l.counted(t)
			if c[counter] < tt.deniedAtWall || tt.deniedAtWall == 0 && strings.HasPrefix(tt.from, "127.") && c[counter] != 0 {
				t.Errorf("counted %v, want %d", c, tt.deniedAtWall)
			}
		})
	}
}
