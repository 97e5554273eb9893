package seccomp

import (
	"slices"
	"testing"
)

// apart are sets of calls that directives deny together, by name.
var apart = []struct{ directive, group, calls string }{
	{"ProtectClock", "@clock", "stime"},
	{"ProtectHostname", "", "sethostname setdomainname"},
	{"ProtectKernelModules", "@module", ""},
	{"ProtectKernelLogs", "", "syslog"},
	{"ProtectKernelTunables", "", "_sysctl"},
	{"PrivateDevices", "@raw-io", ""},
}

// denials are the numbers of these calls, written by hand from the kernel's tables
// (arch/*/kernel/syscalls/*.tbl, asm-generic/unistd.h), apart from the tables of the
// program.
var denials = []struct {
	goarch  string
	arch    uint32
	numbers map[string][]uint32
}{
	{"amd64", 0xc000003e, map[string][]uint32{
		"ProtectClock":          {159 /* adjtimex */, 164 /* settimeofday */, 227 /* clock_settime */, 305 /* clock_adjtime */},
		"ProtectHostname":       {170 /* sethostname */, 171 /* setdomainname */},
		"ProtectKernelModules":  {175 /* init_module */, 176 /* delete_module */, 313 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {156 /* _sysctl */},
		"PrivateDevices":        {172 /* iopl */, 173 /* ioperm */},
	}},
	{"amd64", 0x40000003, map[string][]uint32{
		"ProtectClock": {
			25 /* stime */, 79 /* settimeofday */, 124 /* adjtimex */, 264 /* clock_settime */, 343, /* clock_adjtime */
			404 /* clock_settime64 */, 405, /* clock_adjtime64 */
		},
		"ProtectHostname":       {74 /* sethostname */, 121 /* setdomainname */},
		"ProtectKernelModules":  {128 /* init_module */, 129 /* delete_module */, 350 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {149 /* _sysctl */},
		"PrivateDevices":        {101 /* ioperm */, 110 /* iopl */},
	}},
	{"arm64", 0xc00000b7, generic},
	{"arm64", 0x40000028, map[string][]uint32{
		"ProtectClock": {
			79 /* settimeofday */, 124 /* adjtimex */, 262 /* clock_settime */, 372, /* clock_adjtime */
			404 /* clock_settime64 */, 405, /* clock_adjtime64 */
		},
		"ProtectHostname":       {74 /* sethostname */, 121 /* setdomainname */},
		"ProtectKernelModules":  {128 /* init_module */, 129 /* delete_module */, 379 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {149 /* _sysctl */},
		"PrivateDevices":        {271 /* pciconfig_iobase */, 272 /* pciconfig_read */, 273 /* pciconfig_write */},
	}},
	{"riscv64", 0xc00000f3, generic},
	{"loong64", 0xc0000102, generic},
	{"ppc64le", 0xc0000015, map[string][]uint32{
		"ProtectClock":          {25 /* stime */, 79 /* settimeofday */, 124 /* adjtimex */, 245 /* clock_settime */, 347 /* clock_adjtime */},
		"ProtectHostname":       {74 /* sethostname */, 121 /* setdomainname */},
		"ProtectKernelModules":  {128 /* init_module */, 129 /* delete_module */, 353 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {149 /* _sysctl */},
		"PrivateDevices":        {101 /* ioperm */, 110 /* iopl */, 198 /* pciconfig_read */, 199 /* pciconfig_write */, 200 /* pciconfig_iobase */},
	}},
	{"s390x", 0x80000016, map[string][]uint32{
		"ProtectClock":          {79 /* settimeofday */, 124 /* adjtimex */, 259 /* clock_settime */, 337 /* clock_adjtime */},
		"ProtectHostname":       {74 /* sethostname */, 121 /* setdomainname */},
		"ProtectKernelModules":  {128 /* init_module */, 129 /* delete_module */, 344 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {149 /* _sysctl */},
		"PrivateDevices":        {352 /* s390_pci_mmio_write */, 353 /* s390_pci_mmio_read */},
	}},
	{"s390x", 0x00000016, map[string][]uint32{
		"ProtectClock": {
			25 /* stime */, 79 /* settimeofday */, 124 /* adjtimex */, 259 /* clock_settime */, 337, /* clock_adjtime */
			404 /* clock_settime64 */, 405, /* clock_adjtime64 */
		},
		"ProtectHostname":       {74 /* sethostname */, 121 /* setdomainname */},
		"ProtectKernelModules":  {128 /* init_module */, 129 /* delete_module */, 344 /* finit_module */},
		"ProtectKernelLogs":     {103 /* syslog */},
		"ProtectKernelTunables": {149 /* _sysctl */},
		"PrivateDevices":        {101 /* ioperm, a number without a function */, 352 /* s390_pci_mmio_write */, 353 /* s390_pci_mmio_read */},
	}},
}

var generic = map[string][]uint32{
	"ProtectClock":         {112 /* clock_settime */, 170 /* settimeofday */, 171 /* adjtimex */, 266 /* clock_adjtime */},
	"ProtectHostname":      {161 /* sethostname */, 162 /* setdomainname */},
	"ProtectKernelModules": {105 /* init_module */, 106 /* delete_module */, 273 /* finit_module */},
	"ProtectKernelLogs":    {116 /* syslog */},
}

var everyMachine = []string{"amd64", "arm64", "riscv64", "ppc64le", "s390x", "loong64"}

// denying is a filter of the directives whose bits are set.
func denying(t *testing.T, goarch string, bits int) *Filter {
	t.Helper()
	f := New(Machine(goarch))
	for i, d := range apart {
		if bits>>i&1 == 0 {
			continue
		}
		var set Set
		if g, ok := GroupByName(d.group); ok {
			set = g.Set
		} else if d.group != "" {
			t.Fatalf("%s is unknown", d.group)
		}
		addNames(t, &set, d.calls)
		f.Deny(f.Source(Source{Directive: d.directive}), &set)
	}
	return f
}

func mustProgram(t *testing.T, f *Filter) Program {
	t.Helper()
	p, err := f.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every set of directives denies its calls and no other, with EPERM, on every
// architecture of the machine; on x86-64 in both spellings of x32.
func TestDeny(t *testing.T) {
	eperm := Action(0x00050001)
	for bits := 1; bits < 1<<len(apart); bits++ {
		programs := map[string]Program{}
		for _, goarch := range everyMachine {
			programs[goarch] = mustProgram(t, denying(t, goarch, bits))
		}
		for _, d := range denials {
			var denied []uint32
			for i, a := range apart {
				if bits>>i&1 == 1 {
					denied = append(denied, d.numbers[a.directive]...)
				}
			}
			for nr := range uint32(1101) {
				for _, high := range []uint32{0, 0x40000000, 0x80000000, 0xc0000000} {
					want := Allow
					if slices.Contains(denied, nr) && (high == 0 || high == 0x40000000 && d.arch == 0xc000003e) {
						want = eperm
					}
					// The arguments are no part of the verdict.
					call := Data{NR: nr | high, Arch: d.arch, IP: ^uint64(0), Args: [6]uint64{uint64(nr), 1, ^uint64(0)}}
					if got, err := programs[d.goarch].Eval(call); err != nil || got != want {
						t.Fatalf("directives %#b, %s, arch %#x, number %#x: %v (%v), want %v", bits, d.goarch, d.arch, nr|high, got, err, want)
					}
				}
			}
		}
	}
}

// A call by an architecture whose numbers are not known ends the process: that of
// another machine, that of none, that of the other order of bytes.
func TestDenyForeign(t *testing.T) {
	foreign := []uint32{
		0, 1, 0xffffffff, 0x8000003e, 0x800000b7, 0x28 /* arm, big endian */, 0x40000008 /* mips */, 0x4000003e /* x32 as an AUDIT_ARCH_ */, 0x15, /* ppc64 */
	}
	for _, goarch := range everyMachine {
		p := mustProgram(t, denying(t, goarch, 1<<len(apart)-1))
		others := slices.Clone(foreign)
		for _, m := range machines {
			for _, a := range m.abis {
				if !slices.ContainsFunc(Machine(goarch), func(own *ABI) bool { return own.Arch == a.Arch }) {
					others = append(others, a.Arch)
				}
			}
		}
		for _, arch := range others {
			for nr := range uint32(601) {
				if got, err := p.Eval(Data{NR: nr, Arch: arch}); err != nil || got != KillProcess {
					t.Fatalf("%s, arch %#x, number %d: %v (%v), want kill process", goarch, arch, nr, got, err)
				}
			}
		}
	}
}

// What would deny nothing is an error, or says so; it is never taken for a filter.
func TestDenyNothing(t *testing.T) {
	for _, goarch := range []string{"", "386", "arm", "mips64"} {
		f := New(Machine(goarch))
		f.Deny(f.Source(Source{}), &Set{0: 1})
		if p, err := f.Program(); err == nil {
			t.Errorf("%q: %v", goarch, p)
		}
		if got := f.Decide(Data{NR: 59, Arch: ArchX86_64}).Action; got != KillProcess {
			t.Errorf("%q: Decide gives %v, want kill process", goarch, got)
		}
	}
}

// Two filters in a stack, each with its canary: each canary is answered, and the
// loading of the second passes the first, even where the second forbids all but
// execve.
func TestDenyUnderAnother(t *testing.T) {
	first, err := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 1111}.With(mustProgram(t, denying(t, "amd64", 1<<len(apart)-1)))
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
