package condition

import (
	"os"
	"strconv"
	"strings"
)

// containers and machines are the names of systemd-detect-virt(1).
const (
	containers = "systemd-nspawn lxc-libvirt lxc openvz docker podman rkt wsl proot pouch container-other"
	machines   = "kvm amazon qemu bochs xen uml vmware oracle microsoft zvm parallels bhyve qnx acrn powervm apple sre google vm-other"
)

func (f *Facts) virtualization(value string) (bool, error) {
	if value == "private-users" {
		return f.inUserNamespace()
	}
	want, err := parseBool(value)
	if err != nil {
		if err := known("virtualization", value, "yes no vm container private-users "+machines+" "+containers); err != nil {
			return false, err
		}
	}
	isBool := err == nil
	container, err := f.container()
	if err != nil {
		return false, err
	}
	vm := ""
	if container == "" && value != "container" {
		if vm, err = f.vm(); err != nil {
			return false, err
		}
	}
	switch {
	case isBool:
		return want == (container+vm != ""), nil
	case value == "container":
		return container != "", nil
	case value == "vm":
		return vm != "", nil
	}
	return value == container+vm, nil
}

// inUserNamespace tells whether users or groups of this process are not those of the first
// user namespace. (One that maps them all as they are looks like it.)
func (f *Facts) inUserNamespace() (bool, error) {
	for _, path := range [...]string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, ok, err := f.read(path)
		if err != nil {
			return false, err
		}
		if ok && strings.Join(strings.Fields(text), " ") != "0 0 4294967295" {
			return true, nil
		}
	}
	text, err := f.line("/proc/self/setgroups")
	return text == "deny", err
}

// container is the name of the container manager that this process runs under; empty for
// none.
func (f *Facts) container() (string, error) {
	if inside, err := f.exists("/proc/vz"); err != nil {
		return "", err
	} else if inside {
		if outside, err := f.exists("/proc/bc"); !outside || err != nil {
			return "openvz", err
		}
	}
	release, err := f.line("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	if strings.Contains(release, "Microsoft") || strings.Contains(release, "WSL") {
		return "wsl", nil
	}
	status, _, err := f.read("/proc/self/status")
	if err != nil {
		return "", err
	}
	if _, tracer, ok := strings.Cut(status, "\nTracerPid:"); ok {
		tracer, _, _ = strings.Cut(tracer, "\n")
		if tracer = strings.Trim(tracer, blanks); tracer != "0" {
			if comm, err := f.line("/proc/" + tracer + "/comm"); err == nil && strings.HasPrefix(comm, "proot") {
				return "proot", nil
			}
		}
	}
	name, err := f.line("/run/host/container-manager")
	if err != nil {
		return "", err
	}
	if name == "" && os.Getpid() == 1 {
		set := false
		if name, set = f.variable("container"); set && name == "" {
			return "", nil
		}
	} else if name == "" {
		if name, err = f.line("/run/systemd/container"); err != nil {
			return "", err
		}
		if name == "" {
			// It takes the right to trace process 1, and is not all: no error.
			text, _, _ := f.read("/proc/1/environ")
			for _, v := range strings.Split(text, "\x00") {
				if value, ok := strings.CutPrefix(v, "container="); ok {
					name = value
				}
			}
		}
	}
	if name != "" && name != "oci" {
		if position(containers, name) >= 0 && name != "openvz" {
			return name, nil
		}
		return "container-other", nil
	}
	for _, file := range [...]struct{ path, name string }{{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}} {
		if ok, err := f.exists(file.path); ok || err != nil {
			return file.name, err
		}
	}
	nested := name == "oci"
	if !nested {
		nested, err = f.inControlGroupNamespace()
	}
	if nested {
		return "container-other", err
	}
	return "", err
}

// inControlGroupNamespace tells whether the root of the control groups that is seen is not the
// kernel's.
func (f *Facts) inControlGroupNamespace() (bool, error) {
	if supported, err := f.exists("/proc/self/ns/cgroup"); !supported || err != nil {
		return false, err
	}
	unified, err := f.unified()
	if err != nil {
		return false, err
	}
	if !unified {
		v1, err := f.exists("/sys/fs/cgroup/systemd")
		if !v1 || err != nil {
			return false, err
		}
		root, err := f.exists("/sys/fs/cgroup/systemd/release_agent")
		return !root, err
	}
	if events, err := f.exists("/sys/fs/cgroup/cgroup.events"); !events || err != nil {
		return false, err
	}
	if nested, err := f.exists("/sys/fs/cgroup/cgroup.type"); nested || err != nil {
		return nested, err
	}
	recent, err := f.exists("/sys/kernel/cgroup/features")
	return !recent, err
}

// instruction is the CPU's own answer, four zeros where it has none.
func (f *Facts) instruction(leaf, sub uint32) (a, b, c, d uint32) {
	call := f.cpuid
	if call == nil {
		if !x86 {
			return 0, 0, 0, 0
		}
		call = cpuidCall
	}
	if highest, _, _, _ := call(leaf&0xf0000000, 0); highest < leaf {
		return 0, 0, 0, 0
	}
	return call(leaf, sub)
}

// signature is the text in registers.
func signature(registers ...uint32) string {
	var b []byte
	for _, r := range registers {
		b = append(b, byte(r), byte(r>>8), byte(r>>16), byte(r>>24))
	}
	return strings.TrimRight(string(b), "\x00")
}

// hypervisor is the name of the virtual machine that the CPU tells, vm-other for one without
// a known name, empty for none.
func (f *Facts) hypervisor() string {
	if _, _, c, _ := f.instruction(1, 0); c>>31 == 0 {
		return ""
	}
	_, b, c, d := f.instruction(0x40000000, 0)
	switch signature(b, c, d) {
	case "XenVMMXenVMM":
		return "xen"
	case "KVMKVMKVM", "Linux KVM Hv":
		return "kvm"
	case "TCGTCGTCGTCG":
		return "qemu"
	case "VMwareVMware":
		return "vmware"
	case "Microsoft Hv":
		return "microsoft"
	case "bhyve bhyve ":
		return "bhyve"
	case "QNXQVMBSQG":
		return "qnx"
	case "ACRNACRNACRN":
		return "acrn"
	case "SRESRESRESRE":
		return "sre"
	case "Apple VZ":
		return "apple"
	}
	return "vm-other"
}

// vendors are beginnings of what the firmware says of a virtual machine, and its name.
var vendors = [...]struct{ text, name string }{
	{"KVM", "kvm"},
	{"OpenStack", "kvm"},
	{"KubeVirt", "kvm"},
	{"Amazon EC2", "amazon"},
	{"QEMU", "qemu"},
	{"VMware", "vmware"},
	{"VMW", "vmware"},
	{"innotek GmbH", "oracle"},
	{"VirtualBox", "oracle"},
	{"Oracle Corporation", "oracle"},
	{"Xen", "xen"},
	{"Bochs", "bochs"},
	{"Parallels", "parallels"},
	{"BHYVE", "bhyve"},
	{"Hyper-V", "microsoft"},
	{"Apple Virtualization", "apple"},
	{"Google Compute Engine", "google"},
}

// firmwareVM is the virtual machine that the firmware tells: vm-other where it only says that
// this is one.
func (f *Facts) firmwareVM() (string, error) {
	found := ""
	for _, file := range [...]string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		if found != "" {
			break
		}
		text, err := f.line("/sys/class/dmi/id/" + file)
		if err != nil {
			return "", err
		}
		for i := range vendors {
			if found == "" && strings.HasPrefix(text, vendors[i].text) {
				found = vendors[i].name
			}
		}
	}
	if found != "amazon" && found != "" {
		return found, nil
	}
	// Bit 4 of the second extension byte of the characteristics, SMBIOS 7.1. Only root may
	// read it.
	table, _, err := f.read("/sys/firmware/dmi/entries/0-0/raw")
	read := err == nil && len(table) >= 20 && table[1] >= 20
	virtual := read && table[19]&(1<<4) != 0
	switch {
	case found == "" && virtual:
		return "vm-other", nil
	case found == "" || read && !virtual:
		return "", nil
	case virtual:
		return found, nil
	}
	product, err := f.line("/sys/class/dmi/id/product_name")
	if _, rest, metal := strings.Cut(product, ".metal"); err == nil && metal && (rest == "" || rest[0] == '-') {
		return "", nil
	}
	return found, nil
}

// privilegedXen tells whether this is the domain of Xen that owns the machine.
func (f *Facts) privilegedXen() (bool, error) {
	features, err := f.line("/sys/hypervisor/properties/features")
	if err != nil {
		return false, err
	}
	if bits, err := strconv.ParseUint(features, 16, 64); err == nil {
		return bits>>11&1 == 1, nil // XENFEAT_dom0
	}
	list, err := f.line("/proc/xen/capabilities")
	for _, word := range strings.Split(list, ",") {
		if word == "control_d" {
			return true, err
		}
	}
	return false, err
}

// vm is the name of the virtual machine that this is; empty for none. What hides behind
// another's name is asked for first.
func (f *Facts) vm() (string, error) {
	firmware, err := f.firmwareVM()
	if err != nil {
		return "", err
	}
	switch firmware {
	case "oracle", "xen", "amazon", "parallels", "google":
		return firmware, nil
	}
	info, _, err := f.read("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	if _, vendor, ok := strings.Cut("\n"+info, "\nvendor_id\t: "); ok && strings.HasPrefix(vendor, "User Mode Linux") {
		return "uml", nil
	}
	xen, err := f.exists("/proc/xen")
	if err != nil {
		return "", err
	}
	if xen {
		// The privileged domain is no virtual machine, unless Xen is in another.
		if xen, err = f.privilegedXen(); !xen || err != nil {
			return "xen", err
		}
	}
	cpu := f.hypervisor()
	if xen || cpu != "" && cpu != "vm-other" && cpu != "microsoft" { // QEMU can call itself Hyper-V
		return cpu, nil
	}
	other := cpu == "vm-other" || firmware == "vm-other"
	for _, look := range [...]func() (string, error){
		func() (string, error) { return firmware, nil },
		func() (string, error) {
			name, err := f.line("/sys/hypervisor/type")
			if name != "" && name != "xen" {
				name = "vm-other"
			}
			return name, err
		},
		f.deviceTreeVM,
		f.zVM,
	} {
		name, err := look()
		if err != nil || name != "" && name != "vm-other" {
			return name, err
		}
		other = other || name != ""
	}
	switch {
	case cpu == "microsoft":
		return cpu, nil
	case other:
		return "vm-other", nil
	}
	return "", nil
}

// deviceTreeVM is the virtual machine that the device tree tells.
func (f *Facts) deviceTreeVM() (string, error) {
	const tree = "/proc/device-tree"
	hypervisor, err := f.line(tree + "/hypervisor/compatible")
	switch {
	case err != nil:
		return "", err
	case hypervisor == "linux,kvm":
		return "kvm", nil
	case strings.Contains(hypervisor, "xen"):
		return "xen", nil
	case strings.Contains(hypervisor, "vmware"):
		return "vmware", nil
	case hypervisor != "":
		return "vm-other", nil
	}
	partition, err := f.exists(tree + "/ibm,partition-name")
	if err == nil && partition {
		if partition, err = f.exists(tree + "/hmc-managed?"); err == nil && partition {
			qemu, err := f.exists(tree + "/chosen/qemu,graphic-width")
			if !qemu || err != nil {
				return "powervm", err
			}
		}
	}
	if err != nil {
		return "", err
	}
	names, err := f.names(tree)
	if err != nil {
		return "", noEntry(err)
	}
	for _, n := range names {
		if strings.Contains(n, "fw-cfg") {
			return "qemu", nil
		}
	}
	compatible, err := f.line(tree + "/compatible")
	if compatible == "qemu,pseries" {
		return "qemu", err
	}
	return "", err
}

// zVM is the virtual machine that a mainframe tells.
func (f *Facts) zVM() (string, error) {
	text, _, err := f.read("/proc/sysinfo")
	if _, program, ok := strings.Cut(text, "VM00 Control Program:"); ok {
		if strings.HasPrefix(strings.TrimLeft(program, blanks), "z/VM") {
			return "zvm", err
		}
		return "kvm", err
	}
	return "", err
}
