package seccomp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// numbers is what a file says of the calls of an architecture.
type numbers map[string]uint32

func readNumbers(t *testing.T, path, line string) numbers {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(path, "/usr/include/") {
		t.Skip("needs " + path + " of the package linux-libc-dev")
	}
	if err != nil {
		t.Fatal(err)
	}
	have := numbers{}
	for _, m := range regexp.MustCompile("(?m)"+line).FindAllStringSubmatch(string(text), -1) {
		nr, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		switch name := strings.ToLower(m[1]); name {
		case "arch_specific_syscall", "syscall_mask": // no calls: where an architecture's own begin, and a mask
		default:
			have[name] = uint32(nr)
		}
	}
	if len(have) < 300 {
		t.Fatalf("%s: only %d numbers were read", path, len(have))
	}
	return have
}

// known holds every number against a table, both ways.
func (n numbers) known(t *testing.T, a *ABI) {
	t.Helper()
	for name, nr := range n {
		c, ok := a.Call(nr | a.bit)
		if !ok || c.String() != name {
			t.Errorf("number %d is %s, the table has %s", nr, name, c)
		}
		if back, ok := a.Number(c); ok && back != nr|a.bit {
			t.Errorf("%s has number %d, the table gives %d back", name, nr, back)
		}
		if byName, ok := ByName(name); !ok || byName != c {
			t.Errorf("%s: by its name it is %s", name, byName)
		}
	}
}

// The tables are those of the kernel's headers.
func TestTablesAgainstHeaders(t *testing.T) {
	for _, h := range []struct {
		file, line string
		abi        *ABI
	}{
		{"unistd_64.h", `^#define __NR_(\w+) (\d+)$`, &abiX86_64},
		{"unistd_x32.h", `^#define __NR_(\w+) \(__X32_SYSCALL_BIT \+ (\d+)\)$`, &abiX32},
		{"unistd_32.h", `^#define __NR_(\w+) (\d+)$`, &abiX86},
	} {
		t.Run(h.file, func(t *testing.T) {
			readNumbers(t, "/usr/include/x86_64-linux-gnu/asm/"+h.file, h.line).known(t, h.abi)
		})
	}
}

// xsys reads the numbers of a GOARCH in golang.org/x/sys, which are made from the
// kernel's headers.
func xsys(t *testing.T, goarch string) numbers {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys")
	list.Env = append(os.Environ(), "GOPROXY=off") // what is not here is not fetched
	out, err := list.Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("needs the go command and its module cache, which has the sources of golang.org/x/sys")
	}
	return readNumbers(t, filepath.Join(dir, "unix", "zsysnum_linux_"+goarch+".go"), `^\s*SYS_(\w+)\s*= (\d+)$`)
}

// The same of the tables in golang.org/x/sys, for all architectures but s390 and x32,
// which it does not have. A newer call than the tables know makes them stale.
func TestTablesAgainstXSys(t *testing.T) {
	for _, x := range []struct {
		goarch string
		abi    *ABI
	}{
		{"amd64", &abiX86_64},
		{"386", &abiX86},
		{"arm64", &abiARM64},
		{"arm", &abiARM},
		{"riscv64", &abiRISCV64},
		{"ppc64le", &abiPPC64LE},
		{"s390x", &abiS390X},
		{"loong64", &abiLoongArch},
	} {
		t.Run(x.goarch, func(t *testing.T) {
			have := xsys(t, x.goarch)
			for name, nr := range have {
				if nr > newest && nr < 512 {
					t.Errorf("%s has number %d, and the tables end at %d: they are stale, go generate makes them anew", name, nr, newest)
				}
			}
			have.known(t, x.abi)
		})
	}
}

// From 424 on a call has the same number on every architecture, but for x32's bit.
func TestUnifiedNumbers(t *testing.T) {
	for _, m := range machines {
		for _, a := range m.abis {
			for nr := uint32(424); nr <= newest; nr++ {
				want, ok := abiX86_64.Call(nr)
				if !ok {
					t.Fatalf("x86-64 has no number %d", nr)
				}
				got, has := a.Call(nr | a.bit)
				if has && got != want {
					t.Errorf("%s: number %d is %s, of x86-64 %s", a.Name, nr, got, want)
				}
			}
		}
	}
}

// A number that no kernel has is no call, whatever is set beside it.
func TestNoCall(t *testing.T) {
	for _, m := range machines {
		for _, a := range m.abis {
			for _, nr := range []uint32{newest + 1, 511, 0x20000000, 0x80000000, 0x7fffffff, 0xbfffffff, 0xfffffffe, 0xffffffff} {
				if c, ok := a.Call(nr); ok || c != none {
					t.Errorf("%s: number %#x is %s", a.Name, nr, c)
				}
			}
		}
	}
}

// What comes from names sorted by others is found by halves.
func TestNamesAreSorted(t *testing.T) {
	for what, names := range map[string][]string{"calls": Calls(), "groups": Groups(), "io_uring": uringCalls[:], "architectures": ArchNames()} {
		if !slices.IsSorted(names) {
			t.Errorf("%s: not sorted", what)
		}
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s: a name is there twice", what)
		}
	}
	for i, name := range Calls() {
		if c, ok := ByName(name); !ok || int(c) != i || c.String() != name {
			t.Errorf("%s: call %d, at place %d", name, c, i)
		}
	}
	for _, name := range []string{"", "OPEN", "open ", "openat3", "@mount", "\xff"} {
		if c, ok := ByName(name); ok || c != none || c.String() != "?" {
			t.Errorf("%q is call %d", name, c)
		}
	}
	for _, name := range uringCalls {
		if c, ok := ByName(name); !ok || !ByIOUring(c) {
			t.Errorf("io_uring makes %s, which is no call", name)
		}
	}
	for _, name := range []string{"io_uring_setup", "execve", "mount", "ptrace"} {
		if c, ok := ByName(name); !ok || ByIOUring(c) {
			t.Errorf("io_uring makes %s", name)
		}
	}
}

func members(s *Set) string {
	var names []string
	s.Each(func(c Call) { names = append(names, c.String()) })
	return strings.Join(names, " ")
}

// Members of groups, written by hand from `systemd-analyze syscall-filter` of
// systemd 262. The groups in a group are a part of it.
func TestGroups(t *testing.T) {
	for name, want := range map[string]string{
		"@clock":         "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday",
		"@cpu-emulation": "modify_ldt subpage_prot switch_endian vm86 vm86old",
		"@io-uring":      "io_uring_enter io_uring_register io_uring_setup",
		"@memlock":       "mlock mlock2 mlockall munlock munlockall",
		"@module":        "delete_module finit_module init_module",
		"@mount":         "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree_attr pivot_root umount umount2",
		"@pkey":          "pkey_alloc pkey_free pkey_mprotect",
		"@raw-io":        "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write s390_pci_mmio_read s390_pci_mmio_write",
		"@reboot":        "kexec_file_load kexec_load reboot",
		"@sandbox":       "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
		"@swap":          "swapoff swapon",
	} {
		g, ok := GroupByName(name)
		if !ok {
			t.Errorf("%s is unknown", name)
			continue
		}
		if got := members(&g.Set); got != want {
			t.Errorf("%s: got %s\nwant %s", name, got, want)
		}
	}
	for _, tt := range []struct {
		group, inner string
	}{
		{"@default", "@sandbox"},
		{"@privileged", "@chown"},
		{"@privileged", "@clock"},
		{"@privileged", "@module"},
		{"@privileged", "@raw-io"},
		{"@privileged", "@reboot"},
		{"@privileged", "@swap"},
		{"@system-service", "@default"},
		{"@system-service", "@sandbox"}, // by way of @default
		{"@system-service", "@aio"},
		{"@system-service", "@io-uring"},
		{"@system-service", "@setuid"},
		{"@known", "@obsolete"},
		{"@known", "@mount"},
	} {
		outer, ok := GroupByName(tt.group)
		inner, has := GroupByName(tt.inner)
		if !ok || !has {
			t.Errorf("%s or %s is unknown", tt.group, tt.inner)
			continue
		}
		inner.Set.Each(func(c Call) {
			if !outer.Set.Has(c) {
				t.Errorf("%s of %s is not in %s", c, tt.inner, tt.group)
			}
		})
	}
	service, _ := GroupByName("@system-service")
	for _, name := range []string{"@clock", "@mount", "@swap", "@reboot", "@module", "@raw-io", "@obsolete", "@cpu-emulation"} {
		if g, _ := GroupByName(name); members(&g.Set) != "" {
			g.Set.Each(func(c Call) {
				if service.Set.Has(c) {
					t.Errorf("@system-service has %s of %s", c, name)
				}
			})
		}
	}
	// Denying @known does not cover @privileged: nfsservctl is not in @known.
	known, _ := GroupByName("@known")
	privileged, _ := GroupByName("@privileged")
	nfsservctl, _ := ByName("nfsservctl")
	if known.Set.Has(nfsservctl) || !privileged.Set.Has(nfsservctl) {
		t.Error("nfsservctl: in @known, or not in @privileged")
	}
	for _, name := range []string{"", "@", "mount", "@Mount", "@mount ", "@zzz"} {
		if g, ok := GroupByName(name); ok || g != nil {
			t.Errorf("group %q: %v", name, g)
		}
	}
}

func TestSet(t *testing.T) {
	var s Set
	for _, c := range []Call{0, 63, 64, 127, callCount - 1} {
		if s.Has(c) {
			t.Errorf("an empty set has %d", c)
		}
		s.Add(c)
		if !s.Has(c) || s.Has(c^1) {
			t.Errorf("%d was added: %v", c, s)
		}
		s.Remove(c)
		if s != (Set{}) {
			t.Errorf("%d was removed: %v", c, s)
		}
	}
	if s.Has(none) || s.Has(callCount) {
		t.Error("a set has what is no call")
	}
	s.Add(200)
	s.Add(3)
	var got []Call
	s.Each(func(c Call) { got = append(got, c) })
	if !slices.Equal(got, []Call{3, 200}) {
		t.Errorf("got %v", got)
	}
}

// errno(3): of two names of a number the one that is explained there is printed.
func TestErrnoNames(t *testing.T) {
	for _, tt := range []struct {
		number uint16
		names  string // the first one is printed
	}{
		{1, "EPERM"},
		{2, "ENOENT"},
		{11, "EAGAIN EWOULDBLOCK"},
		{13, "EACCES"},
		{22, "EINVAL"},
		{35, "EDEADLK EDEADLOCK"},
		{38, "ENOSYS"},
		{71, "EPROTO"},
		{74, "EBADMSG"},
		{84, "EILSEQ"},
		{95, "EOPNOTSUPP ENOTSUP"},
		{97, "EAFNOSUPPORT"},
		{110, "ETIMEDOUT"},
		{117, "EUCLEAN"},
		{122, "EDQUOT"},
		{133, "EHWPOISON"},
	} {
		for i, name := range strings.Fields(tt.names) {
			if n, ok := ErrnoByName(name); !ok || n != tt.number {
				t.Errorf("%s is %d, want %d", name, n, tt.number)
			}
			if got := (Errno | Action(tt.number)).String(); i == 0 && got != "errno "+name {
				t.Errorf("error %d prints %q, want %q", tt.number, got, "errno "+name)
			}
		}
	}
	for _, name := range []string{"", "E", "eperm", "PERM", "EPERM ", "1", "kill", "ENOTANERROR"} {
		if n, ok := ErrnoByName(name); ok || n != 0 {
			t.Errorf("%q is error %d", name, n)
		}
	}
	for _, n := range []Action{41, 58, 512, CanaryErrno, 4095} { // no names
		if got, want := (Errno | n).String(), fmt.Sprintf("errno %d", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMachines(t *testing.T) {
	for _, tt := range []struct {
		goarch string
		arch   uint32
		abis   string
	}{
		{"amd64", 0xc000003e, "x86-64 x32 x86"},
		{"arm64", 0xc00000b7, "arm64 arm"},
		{"riscv64", 0xc00000f3, "riscv64"},
		{"ppc64le", 0xc0000015, "ppc64-le"},
		{"s390x", 0x80000016, "s390x s390"},
		{"loong64", 0xc0000102, "loongarch64"},
		{"386", 0, ""},
		{"arm", 0, ""},
		{"mips64", 0, ""},
		{"arm64be", 0, ""},
		{"", 0, ""},
	} {
		var names []string
		for _, a := range Machine(tt.goarch) {
			names = append(names, a.Name)
			if !slices.Contains(ArchNames(), a.Name) {
				t.Errorf("SystemCallArchitectures= does not take %s", a.Name)
			}
		}
		if got := strings.Join(names, " "); got != tt.abis {
			t.Errorf("%q: %s, want %s", tt.goarch, got, tt.abis)
		}
		if got := ArchOf(tt.goarch); got != tt.arch {
			t.Errorf("%q: %#x, want %#x", tt.goarch, got, tt.arch)
		}
	}
}
