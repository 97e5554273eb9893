package condition

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/caps"
)

// line reads a line as a unit has it: "ConditionPathExists=|!/srv".
func line(t testing.TB, s string) Item {
	t.Helper()
	name, value, ok := strings.Cut(s, "=")
	var i Item
	if i.Kind, i.Assert = strings.CutPrefix(name, "Assert"); !i.Assert {
		var condition bool
		i.Kind, condition = strings.CutPrefix(name, "Condition")
		ok = ok && condition
	}
	if !ok {
		t.Fatalf("%q is no condition", s)
	}
	value, i.Trigger = strings.CutPrefix(value, "|")
	i.Value, i.Negate = strings.CutPrefix(value, "!")
	return i
}

// machine is a machine of its own, made of files. A name that ends in "/" is a directory.
func machine(t *testing.T, files map[string]string) *Facts {
	t.Helper()
	root := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == path {
			continue
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	none := func(uint32, uint32) (a, b, c, d uint32) { return 0, 0, 0, 0 }
	return &Facts{Root: root, Environ: []string{}, Machine: "x86_64", Release: "6.1.0-18-amd64", Host: "Web1.example", CPUs: 4, Memory: 8 << 30, cpuid: none}
}

// hypervised is a CPU that names a hypervisor.
func hypervised(name string) func(leaf, sub uint32) (a, b, c, d uint32) {
	word := func(n int) uint32 {
		s := name + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		return uint32(s[n]) | uint32(s[n+1])<<8 | uint32(s[n+2])<<16 | uint32(s[n+3])<<24
	}
	return func(leaf, _ uint32) (a, b, c, d uint32) {
		switch leaf {
		case 0:
			return 7, 0, 0, 0
		case 1:
			return 0, 0, 1 << 31, 0
		case 0x40000000:
			return 0x40000001, word(0), word(4), word(8)
		}
		return 0, 0, 0, 0
	}
}

func TestMachine(t *testing.T) {
	type files = map[string]string
	id := "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		name    string
		files   files
		set     func(*Facts)
		holds   string // lines of conditions
		doesNot string
		errors  string
	}{
		{
			name:    "architecture",
			holds:   "Architecture=x86-64",
			doesNot: "Architecture=x86 Architecture=arm64 Architecture=loongarch64",
			errors:  "Architecture=x86_64 Architecture=aarch64 Architecture=-",
		},
		{
			name: "an arm", set: func(f *Facts) { f.Machine = "armv7l" },
			holds: "Architecture=arm", doesNot: "Architecture=arm-be Architecture=arm64",
		},
		{
			name: "little endian", set: func(f *Facts) { f.Machine = "ppc64le" },
			holds: "Architecture=ppc64-le", doesNot: "Architecture=ppc64",
		},
		{
			name:    "firmware",
			files:   files{"sys/firmware/efi/": "", "sys/firmware/devicetree/": "", "proc/device-tree/compatible": "acme,board\x00acme,soc\x00", "sys/class/dmi/id/bios_version": "1.10 \n"},
			holds:   "Firmware=uefi Firmware=device-tree Firmware=device-tree-compatible(acme,soc) Firmware=smbios-field(bios_version>1.9) Firmware=smbios-field(bios_version=1.10) Firmware=smbios-field(bios_version$=1.*)",
			doesNot: "Firmware=device-tree-compatible(acme) Firmware=device-tree-compatible() Firmware=smbios-field(bios_version!=1.10) Firmware=smbios-field(nosuch=x) Firmware=smbios-field(nosuch!=x)",
			errors:  "Firmware=smbios-field(bios_version) Firmware=smbios-field(.=x) Firmware=smbios-field(a/b=x) Firmware=smbios-field(=x) Firmware=smbios-field(x=) Firmware=smbios-field(x$y) Firmware=field(x=y) Firmware=uefi() Firmware=device-tree-compatible(x",
		},
		{
			name:    "no firmware",
			doesNot: "Firmware=uefi Firmware=device-tree Firmware=device-tree-compatible(acme,soc) Security=uefi-secureboot Security=tpm2 Security=measured-uki Security=measured-os Security=cvm",
			errors:  "Firmware=smbios-field(=x) Firmware=smbios-field(.=x) Firmware=smbios-field(..=x)",
		},
		{
			name:    "host",
			files:   files{"etc/machine-id": id + "\n", "proc/sys/kernel/random/boot_id": "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee\n"},
			holds:   "Host=web1.EXAMPLE Host=web* Host=web?.* Host=" + id + " Host=01234567-89AB-cdef-0123-456789abcdef Host=aaaaaaaabbbbccccddddeeeeeeeeeeee",
			doesNot: "Host=web1 Host=ffffffffffffffffffffffffffffffff Host=0123456-789AB-cdef-0123-456789abcdef Host=01234567-89A-Bcdef-0123-456789abcdef Host=01234567-89AB-cde-f0123-456789abcdef Host=01234567-89AB-cdef-012-3456789abcdef",
		},
		{name: "an id that is too short", files: files{"etc/machine-id": "0123\n"}, doesNot: "Host=0123"},
		{name: "an id that is none", files: files{"etc/machine-id": strings.Repeat("z", 32) + "\n"}, doesNot: "Host=" + strings.Repeat("z", 32)},
		{
			name:    "the kernel's command line",
			files:   files{"proc/cmdline": "ro quiet root=/dev/sda1 \"a b=c d\" x='1 2' dash-ed=yes\n", "proc/1/cmdline": "init\x00splash\x00"},
			holds:   "KernelCommandLine=quiet KernelCommandLine=root KernelCommandLine=root=/dev/sda1 KernelCommandLine=ro FirstBoot=no",
			doesNot: "KernelCommandLine=roo KernelCommandLine=root=/dev KernelCommandLine=splash KernelCommandLine=quiet= FirstBoot=yes",
		},
		{
			name:    "quotes on the kernel's command line",
			files:   files{"proc/cmdline": "a='1\t2' b=\"it's\tb\" 'c=\"'x\t\"\" d\\e=f h\x00i g=\"not\tclosed\n"},
			holds:   "KernelCommandLine=a=1\t2 KernelCommandLine=b=it's\tb KernelCommandLine=c=\"x KernelCommandLine=d\\e=f KernelCommandLine=g=not\tclosed",
			doesNot: "KernelCommandLine='a KernelCommandLine=hi KernelCommandLine=2 KernelCommandLine=closed",
		},
		{
			name:    "the command line in a container",
			files:   files{"proc/cmdline": "ro quiet\n", "proc/1/cmdline": "init\x00splash\x00systemd.condition-first-boot\x00", "run/.containerenv": "", "sys/firmware/efi/": ""},
			holds:   "KernelCommandLine=splash Virtualization=podman Virtualization=container Virtualization=yes FirstBoot=yes",
			doesNot: "KernelCommandLine=quiet Virtualization=vm Virtualization=no Virtualization=docker Firmware=uefi",
			errors:  "Virtualization=dockr Virtualization=",
		},
		{
			name: "first boot by systemd", files: files{"run/systemd/first-boot": ""},
			holds: "FirstBoot=yes", doesNot: "FirstBoot=no", errors: "FirstBoot=perhaps",
		},
		{
			name: "first boot denied", files: files{"run/systemd/first-boot": "", "proc/cmdline": "systemd.condition_first_boot=0"},
			holds: "FirstBoot=no", doesNot: "FirstBoot=yes",
		},
		{
			name: "a switch that is none", files: files{"proc/cmdline": "systemd.condition_first_boot=perhaps"},
			errors: "FirstBoot=no FirstBoot=yes",
		},
		{
			name: "a switch that is one later", files: files{"proc/cmdline": "systemd.condition_first_boot=perhaps systemd.condition_first_boot=yes"},
			errors: "FirstBoot=no FirstBoot=yes",
		},
		{
			name:    "versions",
			holds:   "KernelVersion=>=6.1 KernelVersion=6.1.* KernelVersion=<6.2 Version=>=6 Version=kernel>=6.1 Version=kernel!$=5.* Version=systemd>=258 Version=systemd==262 Version=6.*",
			doesNot: "KernelVersion=>6.2 KernelVersion=6.1 KernelVersion=>7\t>6 Version=systemd<262 Version=kernel=6.1",
			errors:  "Version=kernel Version=systemd Version=glibc KernelVersion=>",
		},
		{
			name: "an OS", files: files{"usr/lib/os-release": "# ID=no\nID=arch\nNAME='Arch Linux'\nX=\"a\\\"b\\\\c\\$d\\e\" # no\nID=acme\nID\n Y = z \n"},
			holds: "OSRelease=ID=acme OSRelease=NAME$=Arch* OSRelease=Y=z OSRelease=NONE!=x", doesNot: "OSRelease=ID=arch OSRelease=NONE=x OSRelease=ID=arch\tY=z",
			errors: "OSRelease=ID OSRelease==x OSRelease=ID= OSRelease=ID!x OSRelease=\"I\tD=x\" OSRelease=ID=acme\\",
		},
		{name: "no OS", errors: "OSRelease=ID=debian"},
		{
			name: "os-release in /etc counts", files: files{"usr/lib/os-release": "ID=a\n", "etc/os-release": "ID=b\n"},
			holds: "OSRelease=ID=b", doesNot: "OSRelease=ID=a",
		},
		{
			name:    "tags",
			files:   files{"etc/machine-info": "TAGS=\"role=web:edge:bad tag:-x:role=db:zone=eu-1\"\n"},
			holds:   "MachineTag=role=db MachineTag=edge MachineTag=zone=* MachineTag=e?ge",
			doesNot: "MachineTag=role=web MachineTag=role MachineTag=bad* MachineTag=-x MachineTag=none",
		},
		{name: "no tags", doesNot: "MachineTag=*"},
		{
			name: "tags with one key", files: files{"etc/machine-info": "TAGS=edge:edge=1:role=db:role:role=b d:end-=1:" + strings.Repeat("x", 255) + ":" + strings.Repeat("y", 256) + "\n"},
			holds:   "MachineTag=edge MachineTag=edge=1 MachineTag=role=db MachineTag=role MachineTag=xx*",
			doesNot: "MachineTag=end* MachineTag=yy*",
		},
		{
			name: "an environment", set: func(f *Facts) { f.Environ = []string{"A=b", "C="} },
			holds: "Environment=A Environment=A=b Environment=C Environment=C=", doesNot: "Environment=A=bc Environment=B Environment=A=",
		},
		{
			name: "credentials", files: files{"creds/a": "", "more/b": ""},
			set: func(f *Facts) {
				f.Environ = []string{"=/none", "CREDENTIALS_DIRECTORY_OLD=/none", "CREDENTIALS_DIRECTORY=/creds", "ENCRYPTED_CREDENTIALS_DIRECTORY=/more"}
			},
			holds: "Credential=a Credential=b", doesNot: "Credential=c", errors: "Credential=../creds Credential=. Credential=.. Credential=a/b Credential=" + strings.Repeat("x", 256),
		},
		{name: "no credentials", doesNot: "Credential=a"},
		{
			name: "a directory of credentials that is none", set: func(f *Facts) { f.Environ = []string{"CREDENTIALS_DIRECTORY=creds"} },
			errors: "Credential=a",
		},
		{
			name: "an empty directory of credentials", set: func(f *Facts) { f.Environ = []string{"CREDENTIALS_DIRECTORY="} },
			errors: "Credential=a",
		},
		{
			name: "security", files: files{"sys/module/apparmor/parameters/enabled": "Y\n", "sys/kernel/security/tomoyo/version": "2.6", "sys/kernel/security/ima/": ""},
			holds: "Security=apparmor Security=tomoyo Security=ima", doesNot: "Security=selinux Security=smack Security=uefi-secureboot", errors: "Security=selinx Security=-",
		},
		{
			name: "AppArmor is off", files: files{"sys/module/apparmor/parameters/enabled": "N\n", "sys/fs/smackfs/": ""},
			holds: "Security=smack", doesNot: "Security=apparmor",
		},
		{
			name: "a measured image", files: files{
				"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01", "sys/class/tpmrm/": "", "sys/firmware/acpi/tables/TPM2": "",
				"sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "\x06\x00\x00\x001\x001\x00\x00\x00",
			},
			holds: "Security=uefi-secureboot Security=tpm2 Security=measured-uki Security=measured-os",
		},
		{
			name: "measured otherwise", files: files{
				"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x00", "sys/class/tpmrm/": "", "sys/kernel/security/tpm0/binary_bios_measurements": "",
				"sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "\x06\x00\x00\x001\x002\x00\x00\x00", "proc/cmdline": "systemd.tpm2_measured_os",
			},
			holds: "Security=tpm2 Security=measured-os", doesNot: "Security=uefi-secureboot Security=measured-uki",
		},
		{
			name: "a measured image in a container", files: files{
				"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01", "sys/class/tpmrm/": "", "sys/firmware/acpi/tables/TPM2": "", ".dockerenv": "",
			},
			doesNot: "Security=uefi-secureboot Security=tpm2 Security=measured-uki Security=measured-os Firmware=uefi",
		},
		{
			name: "an image without a TPM", files: files{
				"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c":         "\x06\x00",
				"sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "\x06\x00\x00\x001\x001\x00\x00\x00",
			},
			doesNot: "Security=uefi-secureboot Security=tpm2 Security=measured-uki Security=measured-os",
		},
		{name: "the configuration of SELinux alone", files: files{"sys/fs/selinux/": "", "etc/selinux/config": ""}, doesNot: "Security=selinux"},
		{name: "no battery", holds: "ACPower=yes", doesNot: "ACPower=no", errors: "ACPower=on-battery"},
		{
			name: "on battery", files: files{"sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "0\n", "sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Discharging\n", "sys/class/power_supply/BAT0/present": "1\n"},
			holds: "ACPower=no", doesNot: "ACPower=yes",
		},
		{
			name: "plugged in", files: files{"sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "1\n", "sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Discharging\n"},
			holds: "ACPower=yes", doesNot: "ACPower=no",
		},
		{
			name: "one of several is plugged in", files: files{
				"sys/class/power_supply/A/online": "0\n", "sys/class/power_supply/B/online": "1\n", "sys/class/power_supply/C/online": "0\n", "sys/class/power_supply/D/online": "0\n",
				"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Discharging\n",
			},
			holds: "ACPower=yes",
		},
		{
			name: "one of several batteries is discharged", files: files{
				"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Full\n", "sys/class/power_supply/BAT1/type": "Battery\n", "sys/class/power_supply/BAT1/status": "Discharging\n",
				"sys/class/power_supply/BAT2/type": "Battery\n", "sys/class/power_supply/BAT2/status": "Full\n", "sys/class/power_supply/AC/type": "Mains\n",
			},
			holds: "ACPower=no",
		},
		{name: "a battery is charged", files: files{"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Charging\n"}, holds: "ACPower=yes"},
		{
			name: "a battery that is not there", files: files{"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Discharging\n", "sys/class/power_supply/BAT0/present": "0\n"},
			holds: "ACPower=yes",
		},
		{
			name: "a mouse's battery", files: files{"sys/class/power_supply/M/type": "Battery\n", "sys/class/power_supply/M/scope": "Device\n", "sys/class/power_supply/M/status": "Discharging\n"},
			holds: "ACPower=yes",
		},
		{
			name: "memory", holds: "Memory=8G Memory=<=8G Memory=>=8G Memory==8G Memory=<8.5G Memory=>7G1023M Memory=!=1 Memory=1.5", doesNot: "Memory=>8G Memory=9G Memory=<>8589934592 Memory=1E",
			errors: "Memory=8g Memory=x Memory=-1 Memory=> Memory=1K1M Memory=1K1K Memory=16E Memory=15E1024P Memory=1.0000000001K Memory=1.2.3G Memory=$=8G Memory=99999999999999999999 Memory=.5G Memory=K",
		},
		{
			name: "a container's memory", files: files{"sys/fs/cgroup/memory.max": "536870912\n"},
			holds: "Memory=512M Memory==512M", doesNot: "Memory=513M",
		},
		{
			name: "no limit", files: files{"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
			holds: "Memory==8G",
		},
		{name: "CPUs", holds: "CPUs=4 CPUs==4 CPUs=<5 CPUs=>3 CPUs=!=3 CPUs=<>5", doesNot: "CPUs=5 CPUs=<4 CPUs=>4", errors: "CPUs=four CPUs=4.5 CPUs=-1 CPUs=$=4 CPUs=="},
		{
			name: "control groups of the first version", files: files{"sys/fs/cgroup/memory/": "", "sys/fs/cgroup/pids/": ""},
			holds: "ControlGroupController=v1 ControlGroupController=memory ControlGroupController=pids ControlGroupController=cpuacct", doesNot: "ControlGroupController=v2 ControlGroupController=cpu",
		},
		{name: "no control groups", doesNot: "ControlGroupController=v1 ControlGroupController=v2 ControlGroupController=memory", holds: "ControlGroupController=nosuch"},
		{
			name: "pressure", files: files{
				"proc/pressure/memory": "some avg10=90.00 avg60=90.00 avg300=90.00 total=1\nfull avg10=1.50 avg60=20.00 avg300=30.25 total=1\n",
				"proc/pressure/cpu":    "some avg10=5.00 avg60=6.00 avg300=7.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
				"proc/pressure/io":     "some avg10=5.00 avg60=6.00 avg300=7.00 total=1\n",
			},
			holds:   "MemoryPressure=30.25% MemoryPressure=1.5%/10sec MemoryPressure=20%/1min MemoryPressure=31%/5min CPUPressure=7% IOPressure=7.00%",
			doesNot: "MemoryPressure=30.24% MemoryPressure=1.49%/10sec MemoryPressure=19%/1min CPUPressure=6.99% IOPressure=5%",
			errors:  "MemoryPressure=30 MemoryPressure=30%/1h MemoryPressure=101% MemoryPressure=1.234% MemoryPressure=:10% MemoryPressure=1.% MemoryPressure=0100% MemoryPressure=1a% IOPressure=%",
		},
		{name: "pressure that is none", files: files{"proc/pressure/io": "nothing\n"}, errors: "IOPressure=10%"},
		{name: "pressure that is no number", files: files{"proc/pressure/io": "full avg10=1.00 avg60=x avg300=\n"}, holds: "IOPressure=10%/10sec", errors: "IOPressure=10%/1min IOPressure=10%"},
		{
			name: "modules", files: files{"sys/module/tun/initstate": "live\n", "sys/module/going/initstate": "going\n", "sys/module/built_in/": ""},
			holds: "KernelModuleLoaded=tun KernelModuleLoaded=built-in KernelModuleLoaded=built_in", doesNot: "KernelModuleLoaded=going KernelModuleLoaded=nosuch", errors: "KernelModuleLoaded=a/b KernelModuleLoaded=. KernelModuleLoaded=..",
		},
		{
			name: "accounts", files: files{"etc/passwd": "root:x:0:0::/:\nshort:x:" + strconv.Itoa(os.Getuid()) + "\nme:x:" + strconv.Itoa(os.Getuid()) + ":0::/:\nother:x:4242:0::/:\nbad:x:y:0::/:\n", "etc/group": "mine:x:" + strconv.Itoa(os.Getgid()) + ":\nother:x:4242:\n"},
			holds: "User=me Group=mine User=" + strconv.Itoa(os.Getuid()) + " Group=" + strconv.Itoa(os.Getgid()), doesNot: "User=other Group=other User=4242 Group=4242 User=short User=nosuch Group=nosuch", errors: "User=bad User=65535 User=4294967295 Group=4294967296",
		},
		{name: "the CPU", set: func(f *Facts) { f.cpuid = cpuWith(1, 0, 0, 1<<28, 1<<26) }, holds: x86Only("CPUFeature=avx CPUFeature=SSE2 CPUFeature=x86-64.avx"), doesNot: "CPUFeature=sse CPUFeature=avx2 CPUFeature=arm64.asimd CPUFeature=nosuch CPUFeature=-", errors: "CPUFeature=x86_64.avx"},
		{name: "a CPU that has all of them", set: func(f *Facts) { f.cpuid = cpuWith(1, 0, 0, ^uint32(0), ^uint32(0)) }, holds: x86Only("CPUFeature=sse"), doesNot: "CPUFeature=- CPUFeature=arm64.avx CPUFeature=bmi1"},
		{name: "a CPU without the leaf of AVX2", set: func(f *Facts) { f.cpuid = oldCPU }, holds: x86Only("CPUFeature=avx"), doesNot: "CPUFeature=avx2"},
		{name: "Xen", files: files{"proc/xen/": ""}, holds: "Virtualization=xen Virtualization=vm", doesNot: "Virtualization=no Virtualization=kvm"},
		{name: "the domain that owns Xen", files: files{"proc/xen/capabilities": "control_d"}, holds: "Virtualization=no"},
		{name: "the same by features", files: files{"proc/xen/": "", "sys/hypervisor/properties/features": "00002fc5\n"}, holds: "Virtualization=no"},
		{name: "another domain by features", files: files{"proc/xen/": "", "sys/hypervisor/properties/features": "00000705\n"}, holds: "Virtualization=xen"},
		{name: "KVM", set: func(f *Facts) { f.cpuid = hypervised("KVMKVMKVM") }, holds: "Virtualization=kvm Virtualization=vm Virtualization=yes", doesNot: "Virtualization=container Virtualization=qemu Security=cvm"},
		{name: "QEMU by its firmware", files: files{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, holds: "Virtualization=qemu"},
		{name: "QEMU as Hyper-V", files: files{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, set: func(f *Facts) { f.cpuid = hypervised("Microsoft Hv") }, holds: "Virtualization=qemu"},
		{name: "Hyper-V", set: func(f *Facts) { f.cpuid = hypervised("Microsoft Hv") }, holds: "Virtualization=microsoft", errors: "Security=cvm"},
		{name: "VirtualBox on KVM", files: files{"sys/class/dmi/id/product_name": "VirtualBox\n"}, set: func(f *Facts) { f.cpuid = hypervised("KVMKVMKVM") }, holds: "Virtualization=oracle"},
		{name: "an unknown hypervisor", set: func(f *Facts) { f.cpuid = hypervised("whatever") }, holds: "Virtualization=vm Virtualization=vm-other Virtualization=yes", doesNot: "Virtualization=kvm"},
		{name: "an unknown hypervisor with QEMU's firmware", files: files{"sys/class/dmi/id/board_vendor": "QEMU\n"}, set: func(f *Facts) { f.cpuid = hypervised("whatever") }, holds: "Virtualization=qemu"},
		{name: "QEMU's firmware without the bit", files: files{"sys/class/dmi/id/sys_vendor": "QEMU\n", "sys/firmware/dmi/entries/0-0/raw": characteristics(20, 0)}, holds: "Virtualization=qemu"},
		{
			name: "the domain that owns Xen in Hyper-V", files: files{"proc/xen/capabilities": "control_d", "sys/class/dmi/id/sys_vendor": "QEMU\n"},
			set: func(f *Facts) { f.cpuid = hypervised("Microsoft Hv") }, holds: "Virtualization=microsoft",
		},
		{name: "EC2 without the bit", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "t3.micro\n", "sys/firmware/dmi/entries/0-0/raw": characteristics(20, 0)}, holds: "Virtualization=no"},
		{name: "a large EC2 without a hypervisor", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "m5.metal-24xl\n"}, holds: "Virtualization=no"},
		{name: "EC2 of another name", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "m5.metallic\n"}, holds: "Virtualization=amazon"},
		{name: "the bit is not set", files: files{"sys/firmware/dmi/entries/0-0/raw": characteristics(20, 1<<3)}, holds: "Virtualization=no"},
		{name: "the bit is not in the table", files: files{"sys/firmware/dmi/entries/0-0/raw": characteristics(18, 1<<4)}, holds: "Virtualization=no"},
		{name: "the bit and a device tree", files: files{"sys/firmware/dmi/entries/0-0/raw": characteristics(20, 1<<4), "proc/device-tree/hypervisor/compatible": "linux,kvm\x00"}, holds: "Virtualization=kvm"},
		{name: "EC2", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "t3.micro\n"}, holds: "Virtualization=amazon"},
		{name: "EC2 without a hypervisor", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "m5.metal\n"}, holds: "Virtualization=no"},
		{name: "EC2 by a bit", files: files{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "m5.metal\n", "sys/firmware/dmi/entries/0-0/raw": characteristics(20, 1<<4)}, holds: "Virtualization=amazon"},
		{name: "a bit alone", files: files{"sys/firmware/dmi/entries/0-0/raw": characteristics(20, 1<<4)}, holds: "Virtualization=vm-other"},
		{name: "User Mode Linux", files: files{"proc/cpuinfo": "processor\t: 0\nvendor_id\t: User Mode Linux\n"}, holds: "Virtualization=uml"},
		{name: "another vendor", files: files{"proc/cpuinfo": "vendor_id\t: GenuineIntel\n"}, holds: "Virtualization=no"},
		{name: "Xen by sysfs", files: files{"sys/hypervisor/type": "xen\n"}, holds: "Virtualization=xen"},
		{name: "another hypervisor by sysfs", files: files{"sys/hypervisor/type": "acme\n"}, holds: "Virtualization=vm-other"},
		{name: "a mainframe", files: files{"proc/sysinfo": "Manufacturer: IBM\nVM00 Control Program:  z/VM    7.1.0\n"}, holds: "Virtualization=zvm"},
		{name: "KVM on a mainframe", files: files{"proc/sysinfo": "Manufacturer: IBM\nVM00 Control Program:  KVM/Linux\n"}, holds: "Virtualization=kvm"},
		{name: "a device tree", files: files{"proc/device-tree/hypervisor/compatible": "linux,kvm\x00"}, holds: "Virtualization=kvm"},
		{name: "Xen by its device tree", files: files{"proc/device-tree/hypervisor/compatible": "xen,xen-4.11\x00xen,xen\x00"}, holds: "Virtualization=xen"},
		{name: "VMware by its device tree", files: files{"proc/device-tree/hypervisor/compatible": "vmware\x00"}, holds: "Virtualization=vmware"},
		{name: "another hypervisor by its device tree", files: files{"proc/device-tree/hypervisor/compatible": "acme\x00"}, holds: "Virtualization=vm-other"},
		{name: "a device tree without a hypervisor", files: files{"proc/device-tree/compatible": "acme\x00"}, holds: "Virtualization=no"},
		{name: "QEMU's machine of POWER", files: files{"proc/device-tree/compatible": "qemu,pseries\x00"}, holds: "Virtualization=qemu"},
		{name: "a name of a partition", files: files{"proc/device-tree/ibm,partition-name": "x"}, holds: "Virtualization=no"},
		{name: "managed, and no partition", files: files{"proc/device-tree/hmc-managed?": "x"}, holds: "Virtualization=no"},
		{name: "a partition that QEMU draws", files: files{"proc/device-tree/ibm,partition-name": "x", "proc/device-tree/hmc-managed?": "x", "proc/device-tree/chosen/qemu,graphic-width": "x"}, holds: "Virtualization=no"},
		{name: "a partition", files: files{"proc/device-tree/ibm,partition-name": "x", "proc/device-tree/hmc-managed?": "x"}, holds: "Virtualization=powervm"},
		{name: "fw-cfg", files: files{"proc/device-tree/fw-cfg@9020000/": ""}, holds: "Virtualization=qemu"},
		{name: "OpenVZ", files: files{"proc/vz/": ""}, holds: "Virtualization=openvz Virtualization=container"},
		{name: "the host of OpenVZ", files: files{"proc/vz/": "", "proc/bc/": ""}, holds: "Virtualization=no"},
		{name: "WSL", files: files{"proc/sys/kernel/osrelease": "5.15.0-microsoft-standard-WSL2\n"}, holds: "Virtualization=wsl"},
		{name: "the first WSL", files: files{"proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, holds: "Virtualization=wsl"},
		{name: "proot", files: files{"proc/self/status": "Name:\tx\nTracerPid:\t42\nUid:\t0\n", "proc/42/comm": "proot\n"}, holds: "Virtualization=proot"},
		{name: "a debugger", files: files{"proc/self/status": "Name:\tx\nTracerPid:\t42\nUid:\t0\n", "proc/42/comm": "strace\n"}, holds: "Virtualization=no"},
		{name: "nspawn", files: files{"run/host/container-manager": "systemd-nspawn\n", ".dockerenv": ""}, holds: "Virtualization=systemd-nspawn"},
		{name: "by systemd", files: files{"run/systemd/container": "lxc\n"}, holds: "Virtualization=lxc"},
		{name: "by process 1", files: files{"proc/1/environ": "A=b\x00container=lxc-libvirt\x00"}, holds: "Virtualization=lxc-libvirt"},
		{name: "by an unknown manager", files: files{"proc/1/environ": "container=acme\x00"}, holds: "Virtualization=container-other Virtualization=container"},
		{name: "OpenVZ by process 1", files: files{"proc/1/environ": "container=openvz\x00"}, holds: "Virtualization=container-other"},
		{name: "oci is docker", files: files{"proc/1/environ": "container=oci\x00", ".dockerenv": ""}, holds: "Virtualization=docker"},
		{name: "oci", files: files{"proc/1/environ": "container=oci\x00"}, holds: "Virtualization=container-other"},
		{name: "a control group namespace", files: files{"proc/self/ns/cgroup": "", "sys/fs/cgroup/systemd/": ""}, holds: "Virtualization=container-other"},
		{name: "no control group namespace", files: files{"proc/self/ns/cgroup": "", "sys/fs/cgroup/systemd/release_agent": ""}, holds: "Virtualization=no"},
		{name: "no namespaces of control groups", files: files{"sys/fs/cgroup/systemd/": ""}, holds: "Virtualization=no"},
		{name: "no control groups in their namespace", files: files{"proc/self/ns/cgroup": ""}, holds: "Virtualization=no", doesNot: "Virtualization=private-users"},
		{name: "all users", files: files{"proc/self/uid_map": "         0          0 4294967295\n", "proc/self/gid_map": "         0          0 4294967295\n", "proc/self/setgroups": "allow\n"}, doesNot: "Virtualization=private-users"},
		{name: "some users", files: files{"proc/self/uid_map": "         0     100000      65536\n"}, holds: "Virtualization=private-users"},
		{name: "no users", files: files{"proc/self/uid_map": ""}, holds: "Virtualization=private-users"},
		{name: "no groups", files: files{"proc/self/setgroups": "deny\n"}, holds: "Virtualization=private-users"},
		{name: "fractions", holds: "Fraction=100% Fraction=x\t100.00%", doesNot: "Fraction=0% Fraction=0.00%", errors: "Fraction=\t Fraction=x Fraction=101% Fraction=x\ty\t0% Fraction=1.234%"},
		{
			name: "paths", files: files{"file": "x", "empty": "", "dir/": ""},
			holds:   "PathIsMountPoint=/ PathExists=/file PathExists=/. FileNotEmpty=/file PathIsDirectory=/dir/",
			doesNot: "PathIsMountPoint=/dir PathExists=/file/x PathExists=/" + strings.Repeat("x", 256) + " FileIsExecutable=/file FileNotEmpty=/empty FileNotEmpty=/dir PathIsDirectory=/file PathIsSocket=/file PathIsSymbolicLink=/file PathIsSymbolicLink=/none",
		},
		{
			name: "patterns of paths", files: files{"a/.h": "", "a/x1": "", "a,b": "", "b/one/f": "", "b/two/g": "", "[z]": "", "c/.h": ""},
			holds: `PathExistsGlob=/a/* PathExistsGlob=/a/.* PathExistsGlob=/a/\.* PathExistsGlob=/a/x? PathExistsGlob=/a,{b,c} PathExistsGlob=/{c,b}/{f,t}* PathExistsGlob=/b/*/g ` +
				`PathExistsGlob=/b/*/f/ PathExistsGlob=/b/*/ PathExistsGlob=/b/ PathExistsGlob=/\[z\] PathExistsGlob=/[[]z] PathExistsGlob=/?/one/f PathExistsGlob=/b//o*//f`,
			doesNot: `PathExistsGlob=/a/*h PathExistsGlob=/a/y* PathExistsGlob=/c/* PathExistsGlob=/c/?h PathExistsGlob=/b/*/h PathExistsGlob=/a/[.]h PathExistsGlob=/none/* PathExistsGlob=/a/x1/* PathExistsGlob=/{c,d}/{f,t}* PathExistsGlob=/[z]`,
		},
		{name: "files that packages leave", files: files{"d/aquota.group": "", "d/aquota.user": "", "d/.h": "", "d/x~": "", "d/lost+found": "", "d/x.bak": ""}, doesNot: "DirectoryNotEmpty=/d DirectoryNotEmpty=/none DirectoryNotEmpty=/d/.h"},
		{name: "a file with an end that is kept", files: files{"d/x.conf": ""}, holds: "DirectoryNotEmpty=/d"},
		{name: "a file without an end", files: files{"d/bak": ""}, holds: "DirectoryNotEmpty=/d"},
		{name: "no /usr", files: files{"etc/.updated": ""}, holds: "NeedsUpdate=/etc"},
		{name: "nonsense", errors: "Nonsense=x Nonsense=/x PathExists=etc PathExists=/etc/../etc PathExistsGlob=* DirectoryNotEmpty=x NeedsUpdate=/usr Host= Capability=CAP_X User=a\x00b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := machine(t, c.files)
			if c.set != nil {
				c.set(f)
			}
			for n, list := range []string{c.holds, c.doesNot, c.errors} {
				for _, s := range strings.Split(list, " ") {
					kind, value, _ := strings.Cut(s, "=")
					if s == "" {
						continue
					}
					holds, err := Eval(kind, value, f)
					if e := (*NotEvaluatedError)(nil); errors.As(err, &e) || holds != (n == 0) || (err != nil) != (n == 2) {
						t.Errorf("%s: %v, %v", s, holds, err)
					}
				}
			}
		})
	}
}

// cpuWith is a CPU that has an answer for one leaf.
func cpuWith(leaf, a, b, c, d uint32) func(leaf, sub uint32) (a, b, c, d uint32) {
	return func(l, _ uint32) (_, _, _, _ uint32) {
		switch l {
		case 0:
			return 7, 0, 0, 0
		case leaf:
			return a, b, c, d
		}
		return 0, 0, 0, 0
	}
}

// oldCPU has all features, and does not have the leaf 7.
func oldCPU(leaf, _ uint32) (a, b, c, d uint32) {
	if leaf == 0 {
		return 1, 0, 0, 0
	}
	return ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)
}

// characteristics is the first table of SMBIOS, of a length and with the second extension byte of
// the characteristics of the BIOS.
func characteristics(length, extension byte) string {
	return "\x00" + string([]byte{length}) + strings.Repeat("\x00", 17) + string([]byte{extension})
}

func x86Only(s string) string {
	if x86 {
		return s
	}
	return ""
}

// A confidential virtual machine is one only where that is certain, and what cannot be seen is
// an error.
func TestConfidential(t *testing.T) {
	cpu := func(vendor, tdx string, encrypts bool) func(leaf, sub uint32) (a, b, c, d uint32) {
		base := hypervised("KVMKVMKVM")
		word := func(s string, n int) uint32 {
			return uint32(s[n]) | uint32(s[n+1])<<8 | uint32(s[n+2])<<16 | uint32(s[n+3])<<24
		}
		return func(leaf, sub uint32) (a, b, c, d uint32) {
			switch leaf {
			case 0:
				return 0x21, word(vendor, 0), word(vendor, 8), word(vendor, 4)
			case 0x21:
				return 0, word(tdx, 0), word(tdx, 8), word(tdx, 4)
			case 0x80000000:
				return 0x8000001f, 0, 0, 0
			case 0x8000001f:
				if encrypts {
					return 2, 0, 0, 0
				}
			}
			return base(leaf, sub)
		}
	}
	const intel, amd, none, tdx = "GenuineIntel", "AuthenticAMD", "            ", "IntelTDX    "
	for _, c := range []struct {
		name  string
		cpuid func(leaf, sub uint32) (a, b, c, d uint32)
		files map[string]string
		holds bool
		fails bool
	}{
		{name: "TDX", cpuid: cpu(intel, tdx, false), holds: true},
		{name: "TDX without a virtual machine", cpuid: func(leaf, sub uint32) (a, b, c, d uint32) {
			if leaf == 1 {
				return 0, 0, 0, 0
			}
			return cpu(intel, tdx, false)(leaf, sub)
		}},
		{name: "Intel", cpuid: cpu(intel, none, false)},
		{name: "AMD", cpuid: cpu(amd, none, false)},
		{name: "AMD that can", cpuid: cpu(amd, none, true), fails: true},
		{name: "AMD that does", cpuid: cpu(amd, none, true), files: map[string]string{"sys/devices/virtual/misc/sev-guest/": ""}, holds: true},
		{name: "a mainframe", files: map[string]string{"sys/firmware/uv/prot_virt_guest": "1\n"}, holds: true},
		{name: "another mainframe", files: map[string]string{"sys/firmware/uv/prot_virt_guest": "0\n"}},
		{name: "an arm", files: map[string]string{"sys/devices/platform/arm-cca-dev/": ""}, holds: true},
	} {
		f := machine(t, c.files)
		if c.cpuid != nil {
			f.cpuid = c.cpuid
		}
		if holds, err := Eval("Security", "cvm", f); holds != c.holds || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", c.name, holds, err)
		}
	}
}

func TestNotEvaluated(t *testing.T) {
	f := machine(t, map[string]string{"proc/pressure/memory": "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"})
	for _, s := range []string{"Version=glibc >= 2.36", "Fraction=30%", "Fraction=x 0.01%", "MemoryPressure=system.slice:10%", "IOPressure=10%", "IOPressure=10%/5min", "CPUPressure=a.slice : 10%/1min"} {
		kind, value, _ := strings.Cut(s, "=")
		holds, err := Eval(kind, value, f)
		var e *NotEvaluatedError
		if !holds || !errors.As(err, &e) || e.Item.Kind != kind || e.Item.Value != value || e.Reason == "" {
			t.Errorf("%s: %v, %v", s, holds, err)
		}
		for _, prefix := range []string{"Condition", "Assert"} {
			for _, mark := range []string{"", "!", "|", "|!"} {
				i := line(t, prefix+kind+"="+mark+value)
				failed, open, err := Check([]Item{i}, f)
				if failed != nil || err != nil || len(open) != 1 || open[0].Item != i || !strings.HasPrefix(open[0].Error(), prefix+kind+"="+mark+value+" is not evaluated: ") {
					t.Errorf("%s: %v, %v, %v", i.String(), failed, open, err)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	f := machine(t, map[string]string{"yes": ""})
	for _, c := range []struct {
		lines  string // blanks between
		failed string
		open   int
		err    string
	}{
		{lines: ""},
		{lines: "ConditionPathExists=/yes AssertPathExists=/yes"},
		{lines: "ConditionPathExists=/no AssertPathExists=/yes", failed: "ConditionPathExists=/no"},
		{lines: "AssertPathExists=/no ConditionPathExists=/no", failed: "ConditionPathExists=/no"},
		{lines: "AssertPathExists=!/yes ConditionPathExists=!/no", failed: "AssertPathExists=!/yes"},
		{lines: "ConditionPathExists=|/no ConditionPathExists=|/yes"},
		{lines: "ConditionPathExists=|/yes ConditionCPUs=|x"}, // one is enough
		{lines: "ConditionPathExists=|/no ConditionPathExists=|/no2", failed: "ConditionPathExists=|/no"},
		{lines: "ConditionPathExists=|/no AssertPathExists=|/yes", failed: "ConditionPathExists=|/no"},
		{lines: "ConditionPathExists=|/yes AssertPathExists=|!/yes", failed: "AssertPathExists=|!/yes"},
		{lines: "ConditionFraction=!5% ConditionPathExists=/no", failed: "ConditionPathExists=/no", open: 1},
		{lines: "ConditionFraction=|5% ConditionPathExists=|/no", open: 1},
		{lines: "ConditionPathExists=no", err: `ConditionPathExists=no: not an absolute path: "no"`},
		{lines: "AssertCPUs=!x", err: `AssertCPUs=!x: not a number of CPUs: "x"`},
		{lines: "ConditionCPUs=|x ConditionPathExists=|/yes", err: `ConditionCPUs=|x: not a number of CPUs: "x"`},
	} {
		var list []Item
		for _, l := range strings.Fields(c.lines) {
			list = append(list, line(t, l))
			if got := list[len(list)-1].String(); got != l {
				t.Errorf("%q is printed as %q", l, got)
			}
		}
		failed, open, err := Check(list, f)
		got, text := "", ""
		if failed != nil {
			got = failed.String()
		}
		if err != nil {
			text = err.Error()
		}
		if got != c.failed || text != c.err || len(open) != c.open {
			t.Errorf("%s: %q, %v, %v", c.lines, got, open, err)
		}
	}
}

func TestHints(t *testing.T) {
	for s, want := range map[string]string{
		"Architecture=x86_64": "did you mean x86-64?", "Virtualization=dokcer": "did you mean docker?", "Security=app-armor": "did you mean apparmor?",
		"Capability=CAP_NET_ADMN": "did you mean net_admin?", "Security=zzzzzzzz": "known: " + securities,
	} {
		kind, value, _ := strings.Cut(s, "=")
		_, err := Eval(kind, value, machine(t, nil))
		var e interface{ Hint() string }
		if !errors.As(err, &e) || e.Hint() != want {
			t.Errorf("%s: %v", s, err)
		}
		if _, _, err := Check([]Item{line(t, "Condition"+s)}, machine(t, nil)); !errors.As(err, &e) || e.Hint() != want {
			t.Errorf("Condition%s: %v", s, err)
		}
	}
}

// The names of capabilities are those of package caps.
func TestCapabilities(t *testing.T) {
	list := strings.Fields(capabilities)
	if len(list) != caps.LastKnown+1 {
		t.Errorf("%d names", len(list))
	}
	for n, name := range list {
		if "cap_"+name != caps.Name(n) {
			t.Errorf("capability %d is %s, not %s", n, caps.Name(n), name)
		}
	}
}

func TestNeedsUpdate(t *testing.T) {
	at := func(s int64, ns int64) time.Time { return time.Unix(s, ns) }
	for _, c := range []struct {
		name       string
		files      map[string]string
		usr, stamp time.Time
		want       bool
	}{
		{name: "no stamp", files: map[string]string{"etc/": "", "usr/": ""}, usr: at(5, 0), want: true},
		{name: "older", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 0), stamp: at(4, 0), want: true},
		{name: "newer", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 0), stamp: at(6, 0)},
		{name: "the same", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 3), stamp: at(5, 3)},
		{name: "a nanosecond", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 3), stamp: at(5, 2), want: true},
		{name: "whole seconds and no text", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 3), stamp: at(5, 0), want: true},
		{name: "whole seconds", files: map[string]string{"etc/.updated": "# x\nTIMESTAMP_NSEC=5000000003\n", "usr/": ""}, usr: at(5, 3), stamp: at(5, 0)},
		{name: "whole seconds, older", files: map[string]string{"etc/.updated": "TIMESTAMP_NSEC=5000000002\n", "usr/": ""}, usr: at(5, 3), stamp: at(5, 0), want: true},
		{name: "the same whole second", files: map[string]string{"etc/.updated": "", "usr/": ""}, usr: at(5, 0), stamp: at(5, 0)},
		{name: "a time that is none", files: map[string]string{"etc/.updated": "TIMESTAMP_NSEC=99999999999999999999\n", "usr/": ""}, usr: at(5, 3), stamp: at(5, 0), want: true},
		{name: "forced", files: map[string]string{"etc/.updated": "", "usr/": "", "proc/cmdline": "systemd.condition_needs_update"}, usr: at(5, 0), stamp: at(6, 0), want: true},
		{name: "denied", files: map[string]string{"etc/": "", "usr/": "", "proc/cmdline": "systemd.condition-needs-update=off"}, usr: at(5, 0)},
		{name: "an initrd", files: map[string]string{"etc/initrd-release": "", "usr/": ""}, usr: at(5, 0)},
	} {
		f := machine(t, c.files)
		if err := os.Chtimes(f.Root+"/usr", c.usr, c.usr); err != nil {
			t.Fatal(err)
		}
		if !c.stamp.IsZero() {
			if err := os.Chtimes(f.Root+"/etc/.updated", c.stamp, c.stamp); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"/etc", "/etc/"} {
			if got, err := Eval("NeedsUpdate", path, f); got != c.want || err != nil {
				t.Errorf("%s: %v, %v", c.name, got, err)
			}
		}
	}
}

// A block device of dm-crypt, or one all of whose parts are.
func TestEncrypted(t *testing.T) {
	f := machine(t, map[string]string{
		"crypt/dm/uuid": "CRYPT-LUKS2-0123-x\n", "plain/": "", "lvm/dm/uuid": "LVM-x\n", "lvm/slaves/a/dm/uuid": "CRYPT-PLAIN-x\n",
		"half/slaves/a/dm/uuid": "CRYPT-PLAIN-x\n", "half/slaves/b/": "", "none/slaves/": "", "deep/slaves/x/slaves/y/dm/uuid": "CRYPT-x\n",
	})
	if err := os.Symlink("..", f.Root+"/loop"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"/crypt": true, "/plain": false, "/lvm": true, "/half": false, "/none": false, "/deep": true, "/gone": false} {
		if got, err := f.encrypted(name, 0); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if err := os.MkdirAll(f.Root+"/ring/slaves", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../ring", f.Root+"/ring/slaves/again"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.encrypted("/ring", 0); got || err == nil {
		t.Errorf("a ring: %v, %v", got, err)
	}
}

func TestFnmatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "", true},
		{"*a", "aaa", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"?", "", false},
		{"*?", "a", true},
		{"?*?", "a", false},
		{"[a]", "a", true},
		{"[]a]", "]", true},
		{"[!]a]", "]", false},
		{"[^a]", "b", true},
		{"[a-", "[a-", true},
		{"[", "[", true},
		{"a[", "a[", true},
		{"[a-c]", "b", true},
		{"[c-a]", "b", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{`[\]]`, "]", true},
		{`[\a]`, "a", true},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, "a", false},
		{`a\`, `a\`, false},
		{"[[:alpha:]]", "Q", true},
		{"[[:xdigit:]g]", "f", true},
		{"[[:xdigit:]g]", "h", false},
		{"[[:space:]]", "\t", true},
		{"[[:blank:]]", "\n", false},
		{"[[:punct:]]", "~", true},
		{"[[:cntrl:]]", "\x7f", true},
		{"[[:print:]]", " ", true},
		{"[[:graph:]]", " ", false},
		{"[[:upper:]]", "a", false},
		{"[[:lower:]]", "a", true},
		{"[[:alnum:]]", "_", false},
		{"[!a]", "!", true},
		{"[!a]", "a", false},
		{"[!]a]", "x", true},
		{"[b-d]", "a", false},
		{`[a-\c]`, "b", true},
		{`[\]-a]`, "^", true},
		{`[\`, `[\`, false},
		{"[[:a]", ":", true},
		{"[[:a]]", "a]", true},
		{"[ab:]x", "bx", true},
		{"[a[:digit:]b]", "7", true},
		{"[[:alpha:]", "a", false},
		{"*/x", "a/b/x", true},
		{"*x", ".x", true},
		{strings.Repeat("a*", 40) + "b", strings.Repeat("a", 200), false},
	} {
		if got := fnmatch(c.pattern, c.s, false); got != c.want {
			t.Errorf("%q of %q: %v", c.pattern, c.s, got)
		}
	}
	if !fnmatch("A[B]C", "aBc", true) || fnmatch("A", "a", false) {
		t.Error("the case of letters")
	}
}

func FuzzFnmatch(f *testing.F) {
	f.Add("a*[b-d]?\\", "abc")
	f.Add("[[:alpha:]", "[:")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := fnmatch(pattern, s, false)
		if fnmatch("*", s, false) != true {
			t.Errorf("a star does not match %q", s)
		}
		if !strings.ContainsAny(pattern, `*?[\`) && got != (pattern == s) {
			t.Errorf("%q of %q: %v", pattern, s, got)
		}
		if got && !fnmatch("*"+pattern+"*", "x"+s+"y", false) {
			t.Errorf("%q matches %q, but not with more around", pattern, s)
		}
	})
}

// No value makes it panic, and none that is wrong counts.
func FuzzEval(f *testing.F) {
	kinds := []string{
		"Architecture", "Firmware", "Virtualization", "Host", "Fraction", "KernelCommandLine", "KernelVersion", "Version", "Credential", "Environment", "Security", "Capability", "ACPower", "FirstBoot", "User", "Group",
		"ControlGroupController", "Memory", "CPUs", "CPUFeature", "OSRelease", "MachineTag", "MemoryPressure", "KernelModuleLoaded",
	}
	for _, v := range []string{">1", "a b", "'", "\\", "smbios-field(a<b)", "1.5G1M", "x:10%/1min", "a.b", "$=[", "kernel >"} {
		f.Add(uint8(0), v)
	}
	f.Fuzz(func(t *testing.T, n uint8, value string) {
		if holds, err := Eval(kinds[int(n)%len(kinds)], value, nil); err != nil && holds && !errors.As(err, new(*NotEvaluatedError)) {
			t.Errorf("%q holds: %v", value, err)
		}
	})
}

func FuzzVersions(f *testing.F) {
	f.Add("1.2~rc1", "1.2")
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			t.Errorf("%q and %q", a, b)
		}
	})
}
