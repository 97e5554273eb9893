package condition

import (
	"errors"
	"math/bits"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// architectures are the names of systemd-analyze(1), "architectures".
const architectures = "x86 x86-64 ppc ppc-le ppc64 ppc64-le ia64 parisc parisc64 s390 s390x sparc sparc64 mips mips-le mips64 mips64-le " +
	"alpha arm arm-be arm64 arm64-be sh sh64 loongarch64 m68k tilegx cris nios2 riscv32 riscv64 arc arc-be"

// architectureOf is the name of what uname(2) calls a machine; empty for an unknown one.
func architectureOf(machine string) string {
	switch machine {
	case "x86_64":
		return "x86-64"
	case "i386", "i486", "i586", "i686":
		return "x86"
	case "ppcle":
		return "ppc-le"
	case "ppc64le":
		return "ppc64-le"
	case "aarch64":
		return "arm64"
	case "aarch64_be":
		return "arm64-be"
	case "sh5":
		return "sh64"
	case "arceb":
		return "arc-be"
	case "mips", "mips64":
		if strings.HasSuffix(runtime.GOARCH, "le") {
			return machine + "-le"
		}
	}
	switch {
	case strings.HasPrefix(machine, "armv"):
		if strings.HasSuffix(machine, "b") {
			return "arm-be"
		}
		return "arm"
	case len(machine) == 3 && strings.HasPrefix(machine, "sh"), machine == "sh4a":
		return "sh"
	case position(architectures, machine) >= 0:
		return machine
	}
	return ""
}

// nativeArchitecture is the name of what hardrun was built for.
func nativeArchitecture() string {
	switch arch := runtime.GOARCH; arch {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	case "loong64":
		return "loongarch64"
	default:
		if name, little := strings.CutSuffix(arch, "le"); little {
			return name + "-le"
		}
		return arch
	}
}

func (f *Facts) architecture(value string) (bool, error) {
	if value == "native" {
		value = nativeArchitecture()
	} else if err := known("architecture", value, architectures+" native"); err != nil {
		return false, err
	}
	machine, err := f.uname(unameMachine)
	return architectureOf(machine) == value, err
}

// efi tells whether the machine was started by UEFI. A container was not.
func (f *Facts) efi() (bool, error) {
	container, err := f.container()
	if container != "" || err != nil {
		return false, err
	}
	return f.exists("/sys/firmware/efi")
}

func (f *Facts) firmware(value string) (bool, error) {
	switch value {
	case "uefi":
		return f.efi()
	case "device-tree":
		return f.exists("/sys/firmware/devicetree")
	}
	name, inner, _ := strings.Cut(value, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if closed && name == "device-tree-compatible" {
		text, _, err := f.read("/proc/device-tree/compatible")
		for _, word := range strings.Split(text, "\x00") {
			if word != "" && word == inner {
				return true, err
			}
		}
		return false, err
	}
	if !closed || name != "smbios-field" {
		return false, &wordError{"firmware", value, "uefi device-tree device-tree-compatible(VALUE) smbios-field(FIELD-OPERATOR-VALUE)"}
	}
	n := strings.IndexAny(inner, operatorBytes)
	if n < 0 {
		return false, bad("no operator in", value)
	}
	field := strings.Trim(inner[:n], blanks)
	op, rest := cutOperator(inner[n:])
	want, err := words(rest)
	switch {
	case err != nil:
		return false, err
	case op == "" || len(want) != 1:
		return false, bad("not a field, an operator and a value:", inner)
	case field == "" || field == "." || field == ".." || strings.Contains(field, "/"):
		return false, bad("not a field:", field)
	}
	text, ok, err := f.read("/sys/class/dmi/id/" + field)
	return ok && compare(op, strings.TrimRight(text, blanks), want[0]), err
}

// id128 reads a 128-bit id: 32 hexadecimal digits, with or without the dashes of a UUID.
// It is empty for anything else.
func id128(s string) string {
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = strings.ReplaceAll(s, "-", "")
	}
	if len(s) != 32 || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return ""
	}
	return strings.ToLower(s)
}

func (f *Facts) host(value string) (bool, error) {
	if id := id128(value); id != "" {
		for _, path := range [...]string{"/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/sys/class/dmi/id/product_uuid", "/proc/device-tree/vm,uuid", "/sys/hypervisor/uuid"} {
			text, err := f.line(path)
			if err != nil {
				return false, err
			}
			if id128(text) == id {
				return true, nil
			}
		}
	}
	name, err := f.uname(unameHost)
	return fnmatch(value, name, true), err
}

// fraction knows none and all. Which machines are between is systemd's own choice.
func (f *Facts) fraction(value string) (bool, error) {
	list := strings.Fields(value)
	if len(list) == 0 || len(list) > 2 {
		return false, bad("not a tag and a percentage:", value)
	}
	part, err := permyriad(list[len(list)-1])
	if err == nil && part > 0 && part < 10000 {
		err = notEvaluated("which machines are in a fraction is not documented")
	}
	return part == 10000, err
}

// permyriad reads "15%", "0.5%" or "12.25%" in parts of ten thousand.
func permyriad(s string) (int, error) {
	number, sign := strings.CutSuffix(s, "%")
	whole, fraction, point := strings.Cut(number, ".")
	if point && fraction == "" || len(fraction) > 2 || len(whole) > 3 || whole == "" || !sign || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, bad("not a percentage:", s)
	}
	n := 0
	for _, c := range []byte(whole + (fraction + "00")[:2]) {
		n = n*10 + int(c-'0')
	}
	if n > 10000 {
		return 0, bad("over 100%:", s)
	}
	return n, nil
}

// commandLine is the words of the kernel's command line, in a container those of process 1.
func (f *Facts) commandLine() ([]string, error) {
	container, err := f.container()
	if err != nil {
		return nil, err
	}
	if container != "" {
		text, _, err := f.read("/proc/1/cmdline")
		return strings.Split(strings.TrimRight(text, "\x00"), "\x00"), err
	}
	text, _, err := f.read("/proc/cmdline")
	var list []string
	var word []byte
	quote := byte(0)
	for _, c := range []byte(text + "\n") {
		switch {
		case c == quote && quote != 0:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			if len(word) > 0 {
				list, word = append(list, string(word)), nil
			}
		default:
			word = append(word, c)
		}
	}
	if len(word) > 0 { // a quote that is not closed
		list = append(list, strings.TrimRight(string(word), "\n"))
	}
	return list, err
}

func (f *Facts) kernelCommandLine(value string) (bool, error) {
	list, err := f.commandLine()
	return has(list, value), err
}

// kernelSwitch is the boolean of an option of the kernel's command line, in which "-" and "_"
// are alike; ok is false where it is not there. The last one counts, and one without a value
// is yes.
func (f *Facts) kernelSwitch(name string) (value, ok bool, err error) {
	list, err := f.commandLine()
	for _, word := range list {
		key, text, assigned := strings.Cut(word, "=")
		if strings.ReplaceAll(key, "-", "_") != name {
			continue
		}
		value, ok = true, true
		if assigned {
			if value, err = parseBool(text); err != nil {
				return false, false, errors.New(name + " on the kernel's command line: " + err.Error())
			}
		}
	}
	return value, ok, err
}

// firstBoot is a state of systemd's start, and over without it, unless it is asked for.
func (f *Facts) firstBoot(value string) (bool, error) {
	want, err := parseBool(value)
	if err != nil {
		return false, err
	}
	first, ok, err := f.kernelSwitch("systemd.condition_first_boot")
	if !ok && err == nil {
		first, err = f.exists("/run/systemd/first-boot")
	}
	return first == want, err
}

// credential looks for what was passed to hardrun itself.
func (f *Facts) credential(value string) (bool, error) {
	if value == "." || value == ".." || len(value) > 255 || strings.ContainsAny(value, "/:") {
		return false, bad("not a credential's name:", value)
	}
	for _, name := range [...]string{"CREDENTIALS_DIRECTORY", "ENCRYPTED_CREDENTIALS_DIRECTORY"} {
		dir, ok := f.variable(name)
		if !ok {
			continue
		}
		if dir == "" || dir[0] != '/' {
			return false, bad(name+" is not an absolute path:", dir)
		}
		if _, ok, err := f.lstat(dir + "/" + value); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// efiVariable is the value of a variable of the firmware; empty where there is none.
func (f *Facts) efiVariable(name string) (string, error) {
	if ok, err := f.efi(); !ok || err != nil {
		return "", err
	}
	text, _, err := f.read("/sys/firmware/efi/efivars/" + name)
	if err != nil || len(text) < 4 {
		return "", err
	}
	return text[4:], nil // behind the attributes
}

const securities = "selinux apparmor tomoyo smack ima audit uefi-secureboot tpm2 cvm measured-uki measured-os"

func (f *Facts) security(value string) (bool, error) {
	if err := known("security technology", value, securities); err != nil {
		return false, err
	}
	switch value {
	case "selinux":
		const selinux = 0xf97cff8c // linux/magic.h
		magic, readOnly, _, err := f.fileSystem("/sys/fs/selinux")
		if magic != selinux || readOnly || err != nil {
			return false, err
		}
		return f.exists("/etc/selinux/config")
	case "apparmor":
		text, err := f.line("/sys/module/apparmor/parameters/enabled")
		if text == "" || err != nil {
			return false, err
		}
		return parseBool(text)
	case "tomoyo":
		return f.exists("/sys/kernel/security/tomoyo/version")
	case "smack":
		return f.exists("/sys/fs/smackfs")
	case "ima":
		return f.exists("/sys/kernel/security/ima")
	case "audit":
		return audited()
	case "uefi-secureboot":
		text, err := f.efiVariable("SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
		return text == "\x01", err
	case "tpm2":
		return f.tpm2()
	case "cvm":
		return f.confidential()
	case "measured-os":
		if on, ok, err := f.kernelSwitch("systemd.tpm2_measured_os"); ok || err != nil {
			return on, err
		}
	}
	if ok, err := f.tpm2(); !ok || err != nil {
		return false, err
	}
	// The number of the register into which the image was measured, in UTF-16.
	text, err := f.efiVariable("StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
	return strings.TrimRight(text, "\x00") == "1\x001", err
}

// tpm2 tells whether the kernel and the firmware support a TPM.
func (f *Facts) tpm2() (bool, error) {
	for _, look := range [...]func() (bool, error){
		func() (bool, error) { return f.exists("/sys/class/tpmrm") },
		f.efi,
		func() (bool, error) {
			return f.any("/sys/firmware/acpi/tables/TPM2", "/sys/kernel/security/tpm0/binary_bios_measurements")
		},
	} {
		if ok, err := look(); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// confidential tells whether the memory of this virtual machine is hidden from its host. What
// only a register of the CPU knows, that the kernel does not show, is an error: nobody must
// take for protected what is not.
func (f *Facts) confidential() (bool, error) {
	if arm, err := f.exists("/sys/devices/platform/arm-cca-dev"); arm || err != nil {
		return arm, err
	}
	if guest, err := f.line("/sys/firmware/uv/prot_virt_guest"); guest == "1" || err != nil {
		return err == nil, err
	}
	vm := f.hypervisor()
	if vm == "" {
		return false, nil
	}
	_, b, c, d := f.instruction(0, 0)
	switch signature(b, d, c) {
	case "GenuineIntel":
		_, b, c, d = f.instruction(0x21, 0)
		if signature(b, d, c) == "IntelTDX    " {
			return true, nil
		}
	case "AuthenticAMD":
		if snp, err := f.any("/sys/devices/virtual/misc/sev-guest"); snp || err != nil {
			return snp, err
		}
		if a, _, _, _ := f.instruction(0x8000001f, 0); a&2 != 0 {
			return false, errors.New("the CPU can hide the memory of a virtual machine, and whether it does is not shown")
		}
	}
	if vm == "microsoft" {
		return false, errors.New("whether Hyper-V hides the memory of a virtual machine is not shown")
	}
	return false, nil
}

// capabilities are the names of linux/capability.h by their numbers.
const capabilities = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service " +
	"net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot " +
	"sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog " +
	"wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"

func (f *Facts) capability(value string) (bool, error) {
	name, ok := strings.CutPrefix(strings.ToLower(value), "cap_")
	n := position(capabilities, name)
	if !ok || n < 0 {
		return false, &wordError{"capability", name, capabilities}
	}
	return inBoundingSet(n)
}

// acPower holds where a power supply that is no battery is online, or no battery is being
// discharged.
func (f *Facts) acPower(value string) (bool, error) {
	want, err := parseBool(value)
	if err != nil {
		return false, err
	}
	const class = "/sys/class/power_supply"
	list, err := f.names(class)
	if noEntry(err) != nil {
		return false, err
	}
	online, discharging := false, false
	for _, name := range list {
		var text [5]string
		for n, file := range [...]string{"scope", "type", "online", "present", "status"} {
			if text[n], err = f.line(class + "/" + name + "/" + file); err != nil && !errors.Is(err, unix.ENODEV) {
				return false, err
			}
		}
		switch scope, kind := text[0], text[1]; {
		case scope == "Device":
		case kind == "Battery":
			discharging = discharging || text[3] != "0" && text[4] == "Discharging"
		default:
			online = online || text[2] != "" && text[2] != "0"
		}
	}
	return want == (online || !discharging), nil
}

// account finds the id of a name in passwd(5) or group(5): the third field.
func (f *Facts) account(path, name string) (id string, err error) {
	text, _, err := f.read(path)
	for _, line := range strings.Split(text, "\n") {
		if fields := strings.Split(line, ":"); len(fields) > 3 && fields[0] == name {
			return fields[2], err
		}
	}
	return "", err
}

// isID tells whether the id of a name, or a decimal id, is one of a list. A name that is not
// there has none.
func (f *Facts) isID(path, value string, ids ...int) (bool, error) {
	text, err := value, error(nil)
	if strings.Trim(value, "0123456789") != "" {
		if text, err = f.account(path, value); text == "" || err != nil {
			return false, err
		}
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 1<<32-1 || id == 1<<16-1 {
		return false, bad("not an id:", text)
	}
	for _, n := range ids {
		if uint64(n) == id {
			return true, nil
		}
	}
	return false, nil
}

func (f *Facts) user(value string) (bool, error) {
	real, effective := unix.Getuid(), unix.Geteuid()
	switch value {
	case "root":
		value = "0"
	case "@system":
		return min(real, effective) <= 999, nil // the first that is for people is 1000
	}
	return f.isID("/etc/passwd", value, real, effective)
}

func (f *Facts) group(value string) (bool, error) {
	if value == "root" {
		value = "0"
	}
	ids, err := unix.Getgroups()
	if err != nil {
		return false, errors.New("getgroups: " + err.Error())
	}
	return f.isID("/etc/group", value, append(ids, unix.Getgid(), unix.Getegid())...)
}

// unified tells whether the second version of control groups is the only one.
func (f *Facts) unified() (bool, error) {
	const cgroup2 = 0x63677270 // linux/magic.h
	magic, _, _, err := f.fileSystem("/sys/fs/cgroup")
	return magic == cgroup2, err
}

func (f *Facts) controller(value string) (bool, error) {
	unified, err := f.unified()
	if err != nil || value == "v2" {
		return unified, err
	}
	if value == "v1" {
		there, err := f.any("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified")
		return there && !unified, err
	}
	have, err := f.line("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return false, err
	}
	for _, name := range strings.Fields(value) {
		if position("cpu cpuset io memory pids", name) < 0 {
			continue // systemd does not look at those
		}
		there := position(have, name) >= 0
		if !unified {
			there, err = f.exists("/sys/fs/cgroup/" + name)
		}
		if !there || err != nil {
			return false, err
		}
	}
	return true, nil
}

// size reads bytes with the suffixes of base 1024, several of which are added up.
func size(s string) (uint64, error) {
	const units = "BKMGTPE"
	wrong := bad("not a size:", s)
	sum, last, rest := uint64(0), len(units), s
	for rest != "" {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		whole, fraction, _ := strings.Cut(rest[:n], ".")
		rest = strings.TrimLeft(rest[n:], blanks)
		unit := 0
		if rest != "" {
			if unit = strings.IndexByte(units, rest[0]); unit < 0 || unit >= last {
				return 0, wrong
			}
			rest = strings.TrimLeft(rest[1:], blanks)
		}
		last = unit
		w, err := strconv.ParseUint(whole, 10, 64)
		high, v := bits.Mul64(w, 1<<(10*unit))
		if err != nil || high != 0 || len(fraction) > 9 {
			return 0, wrong
		}
		if fraction != "" {
			p, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
			if err != nil {
				return 0, wrong
			}
			high, low := bits.Mul64(p, 1<<(10*unit))
			part, _ := bits.Div64(high, low, 1e9)
			v += part
		}
		if sum += v; sum < v {
			return 0, wrong
		}
	}
	if s == "" {
		return 0, wrong
	}
	return sum, nil
}

func (f *Facts) enoughMemory(value string) (bool, error) {
	op, rest := number(value)
	want, err := size(rest)
	if err != nil {
		return false, err
	}
	have := f.Memory
	if have == 0 {
		if have, err = physicalMemory(); err != nil {
			return false, err
		}
	}
	// In a container, the root of the tree that is seen is its own group.
	for _, path := range [...]string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := f.line(path)
		if err != nil {
			return false, err
		}
		if limit, err := strconv.ParseUint(text, 10, 64); err == nil {
			have = min(have, limit)
		}
	}
	return ordered(op, compareNumbers(have, want)), nil
}

func (f *Facts) enoughCPUs(value string) (bool, error) {
	op, rest := number(value)
	want, err := strconv.ParseUint(rest, 10, 32)
	if err != nil {
		return false, bad("not a number of CPUs:", rest)
	}
	have := f.CPUs
	if have == 0 {
		if have, err = affinity(); err != nil {
			return false, err
		}
	}
	return ordered(op, compareNumbers(uint64(have), want)), nil
}

func compareNumbers(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// The features of x86, by the registers and bits that CPUID tells them in.
const (
	leaf1D  = "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 - clflush - - - mmx fxsr sse sse2 - ht"
	leaf1C  = "pni pclmul - monitor - - - - - ssse3 - - fma3 cx16 - - - - - sse4_1 sse4_2 - movbe popcnt - aes xsave osxsave avx f16c rdrand"
	leaf7B  = "- - - bmi1 - avx2 - - bmi2 - - - - - - - - - rdseed adx - - - - - - - - - sha_ni"
	leaf81D = "- - - - - - - - - - - syscall - - - - - - - - - - - - - - - rdtscp - lm"
	leaf81C = "lahf_lm - - - - abm"
	leaf87D = "- - - - - - - - constant_tsc"
)

func (f *Facts) cpuFeature(value string) (bool, error) {
	value = strings.ToLower(value)
	if arch, feature, ok := strings.Cut(value, "."); ok {
		if is, err := f.architecture(arch); !is || err != nil {
			return false, err
		}
		value = feature
	}
	if nativeArchitecture() == "arm64" {
		text, _, err := f.read("/proc/cpuinfo")
		_, list, _ := strings.Cut(text, "\nFeatures\t:")
		list, _, _ = strings.Cut(list, "\n")
		return position(strings.TrimLeft(list, blanks), value) >= 0, err
	}
	_, _, c1, d1 := f.instruction(1, 0)
	_, b7, _, _ := f.instruction(7, 0)
	_, _, c81, d81 := f.instruction(0x80000001, 0)
	_, _, _, d87 := f.instruction(0x80000007, 0)
	for n, names := range [...]string{leaf1D, leaf1C, leaf7B, leaf81D, leaf81C, leaf87D} {
		if bit := position(names, value); bit >= 0 {
			return [...]uint32{d1, c1, b7, d81, c81, d87}[n]>>bit&1 == 1, nil
		}
	}
	return false, nil
}

func (f *Facts) osRelease(value string) (bool, error) {
	list, err := words(value)
	if err != nil {
		return false, err
	}
	text, ok, err := f.read("/etc/os-release")
	if !ok && err == nil {
		if text, ok, err = f.read("/usr/lib/os-release"); !ok && err == nil {
			err = errors.New("neither /etc/os-release nor /usr/lib/os-release is there")
		}
	}
	if err != nil {
		return false, err
	}
	holds := true
	for _, word := range list {
		n := max(strings.IndexAny(word, operatorBytes), 0)
		op, want := cutOperator(word[n:])
		if n == 0 || op == "" || want == "" || strings.IndexByte(blanks, want[0]) >= 0 || strings.ContainsAny(word[:n], blanks) {
			return false, bad("not FIELD=VALUE:", word)
		}
		holds = holds && compare(op, field(text, word[:n]), want)
	}
	return holds, nil
}

// machineTag looks at the tags that are well formed; of those with one key, "key=", the last
// one counts.
func (f *Facts) machineTag(value string) (bool, error) {
	text, _, err := f.read("/etc/machine-info")
	if err != nil {
		return false, err
	}
	list := strings.Split(field(text, "TAGS"), ":")
	for n, tag := range list {
		key, _, assigned := strings.Cut(tag, "=")
		if !validTag(tag, key) || !fnmatch(value, tag, false) {
			continue
		}
		last := true
		for _, later := range list[n+1:] {
			k, _, a := strings.Cut(later, "=")
			last = last && !(assigned && a && k == key && validTag(later, k))
		}
		if last {
			return true, nil
		}
	}
	return false, nil
}

func validTag(tag, key string) bool {
	for _, c := range []byte(tag) {
		if !isDigit(string(rune(c))) && !isLetter(string(rune(c))) && strings.IndexByte("-.=", c) < 0 {
			return false
		}
	}
	return key != "" && len(tag) < 256 && strings.IndexByte("-.", key[0]) < 0 && strings.IndexByte("-.", key[len(key)-1]) < 0
}

// pressure compares what the kernel measured for the whole machine.
func (f *Facts) pressure(resource, value string) (bool, error) {
	slice, rest, inSlice := strings.Cut(value, ":")
	if !inSlice {
		rest = value
	}
	share, span, timed := strings.Cut(rest, "/")
	average := "avg300="
	if timed {
		switch strings.Trim(span, blanks) {
		case "10sec":
			average = "avg10="
		case "1min":
			average = "avg60="
		case "5min":
		default:
			return false, bad("not 10sec, 1min or 5min:", span)
		}
	}
	limit, err := permyriad(strings.Trim(share, blanks))
	switch {
	case err != nil:
		return false, err
	case inSlice && strings.Trim(slice, blanks) == "":
		return false, bad("no slice before the colon in", value)
	case inSlice:
		return false, notEvaluated("there are no slices without a service manager")
	}
	path := "/proc/pressure/" + resource
	text, ok, err := f.read(path)
	if errors.Is(err, unix.EOPNOTSUPP) { // psi=0
		ok, err = false, nil
	}
	if err != nil {
		return false, err
	}
	if !ok {
		return false, notEvaluated("the kernel does not measure pressure")
	}
	kinds := [...]string{"full", "some"}
	if resource == "cpu" { // no CPU is ever lost for the whole machine
		kinds[0] = kinds[1]
	}
	for _, kind := range kinds {
		for _, line := range strings.Split(text, "\n") {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0] != kind {
				continue
			}
			for _, word := range fields {
				if number, ok := strings.CutPrefix(word, average); ok {
					have, err := permyriad(number + "%")
					return have <= limit, err
				}
			}
		}
	}
	return false, errors.New(path + ": no " + average + " in it")
}

// moduleLoaded holds for what is built in as well.
func (f *Facts) moduleLoaded(value string) (bool, error) {
	name := strings.ReplaceAll(value, "-", "_")
	if name == "." || name == ".." || strings.Contains(name, "/") {
		return false, bad("not a module's name:", value)
	}
	there, err := f.exists("/sys/module/" + name + "/")
	if !there || err != nil {
		return false, err
	}
	text, ok, err := f.read("/sys/module/" + name + "/initstate")
	return (!ok || strings.TrimRight(text, blanks) == "live") && err == nil, err
}
