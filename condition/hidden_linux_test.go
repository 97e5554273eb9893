package condition

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is looked at to tell a container from a machine, and a virtual machine by its firmware.
const (
	forContainer = "/proc/vz /proc/sys/kernel/osrelease /proc/self/status /run/host/container-manager /run/systemd/container /run/.containerenv /.dockerenv /proc/self/ns/cgroup "
	forFirmware  = "/sys/class/dmi/id/product_name /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/board_vendor /sys/class/dmi/id/bios_vendor /sys/class/dmi/id/product_version "
	forVM        = forContainer + forFirmware + "/proc/cpuinfo /proc/xen /sys/hypervisor/type /proc/device-tree /proc/device-tree/hypervisor/compatible /proc/device-tree/ibm,partition-name "
	forUEFI      = forContainer + "/sys/firmware/efi "
	forTPM       = forUEFI + "/sys/class/tpmrm /sys/firmware/acpi/tables/TPM2 "
)

// What cannot be seen is an error where it would decide, and changes nothing where it would not:
// a condition never holds, or fails, because something is hidden.
//
// A place is hidden by a link into a directory that is closed; one that ends in "=0" is there
// and has no permissions, one that ends in "=x" is a directory that cannot be listed.
func TestHidden(t *testing.T) {
	type files = map[string]string
	const (
		secureBoot = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
		image      = "/sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
		id         = "0123456789abcdef0123456789abcdef"
	)
	uefi := files{secureBoot: "\x06\x00\x00\x00\x01", image: "\x06\x00\x00\x001\x001\x00\x00\x00", "sys/class/tpmrm/": "", "sys/firmware/acpi/tables/TPM2": ""}
	tree := files{"proc/device-tree/hypervisor/": "", "proc/device-tree/chosen/": ""}
	stamped := func(f *Facts) {
		for name, ns := range map[string]int64{"/usr": 3, "/etc/.updated": 0} {
			if err := os.Chtimes(f.Root+name, time.Unix(5, ns), time.Unix(5, ns)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		line    string
		files   files
		set     func(*Facts)
		decides string // places that decide
		not     string // others, beside those that decide in another row
	}{
		{line: "Virtualization=container", decides: forContainer, not: "/sys/class/dmi/id/product_name /proc/cpuinfo"},
		{line: "Virtualization=container", files: files{"proc/self/ns/cgroup": ""}, decides: forContainer + "/sys/fs/cgroup /sys/fs/cgroup/systemd"},
		{line: "Virtualization=container", files: files{"proc/self/ns/cgroup": "", "sys/fs/cgroup/systemd/": ""}, decides: forContainer + "/sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/systemd/release_agent"},
		{line: "Virtualization=openvz", files: files{"proc/vz/": ""}, decides: "/proc/vz /proc/bc"},
		{line: "Virtualization=vm", files: tree, decides: forVM + "/proc/device-tree=x /proc/device-tree/compatible /proc/sysinfo"},
		{line: "Virtualization=no", files: tree, decides: forVM + "/proc/device-tree=x /proc/device-tree/compatible /proc/sysinfo"},
		{
			line: "Virtualization=powervm", files: files{"proc/device-tree/hypervisor/": "", "proc/device-tree/chosen/": "", "proc/device-tree/ibm,partition-name": "", "proc/device-tree/hmc-managed?": ""},
			decides: forVM + "/proc/device-tree/hmc-managed? /proc/device-tree/chosen/qemu,graphic-width",
		},
		{line: "Virtualization=qemu", files: files{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, decides: forContainer + "/sys/class/dmi/id/product_name /sys/class/dmi/id/sys_vendor /proc/cpuinfo /proc/xen", not: "/sys/class/dmi/id/board_vendor"},
		{
			line: "Virtualization=xen", files: files{"proc/xen/": "", "sys/hypervisor/properties/": ""},
			decides: forContainer + forFirmware + "/proc/cpuinfo /proc/xen /sys/hypervisor/properties/features /proc/xen/capabilities",
		},
		{line: "Virtualization=private-users", decides: "/proc/self/uid_map /proc/self/gid_map /proc/self/setgroups"},
		{line: "Firmware=uefi", files: files{"sys/firmware/efi/": ""}, decides: forUEFI},
		{line: "Firmware=device-tree-compatible(a)", files: files{"proc/device-tree/compatible": "a\x00"}, decides: "/proc/device-tree /proc/device-tree/compatible"},
		{line: "Firmware=smbios-field(bios_version!=1)", files: files{"sys/class/dmi/id/bios_version": "2\n"}, decides: "/sys/class/dmi/id/bios_version"},
		{
			line: "Host=" + id, files: files{"sys/hypervisor/uuid": id + "\n", "proc/device-tree/": "", "proc/sys/kernel/random/": ""},
			decides: "/etc/machine-id /proc/sys/kernel/random/boot_id /sys/class/dmi/id/product_uuid /proc/device-tree /proc/device-tree/vm,uuid /sys/hypervisor/uuid",
		},
		{line: "KernelCommandLine=quiet", files: files{"proc/cmdline": "quiet\n"}, decides: forContainer + "/proc/cmdline"},
		{
			line: "KernelCommandLine=quiet", files: files{"run/systemd/container": "lxc\n", "proc/1/cmdline": "quiet\x00"},
			decides: "/proc/vz /proc/sys/kernel/osrelease /proc/self/status /run/host/container-manager /run/systemd/container /proc/1/cmdline",
		},
		{line: "FirstBoot=no", decides: forContainer + "/proc/cmdline /run/systemd/first-boot"},
		{
			line: "Credential=b", files: files{"creds/a": "", "more/b": ""}, decides: "/creds /more",
			set: func(f *Facts) {
				f.Environ = []string{"CREDENTIALS_DIRECTORY=/creds", "ENCRYPTED_CREDENTIALS_DIRECTORY=/more"}
			},
		},
		{line: "Security=selinux", files: files{"sys/fs/selinux/": ""}, decides: "/sys/fs/selinux"},
		{line: "Security=apparmor", files: files{"sys/module/apparmor/parameters/enabled": "Y\n"}, decides: "/sys/module/apparmor/parameters/enabled"},
		{line: "Security=uefi-secureboot", files: uefi, decides: forUEFI + secureBoot},
		{line: "Security=tpm2", files: uefi, decides: forTPM},
		{line: "Security=measured-uki", files: uefi, decides: forTPM + image},
		{line: "Security=measured-os", files: uefi, decides: forTPM + image + " /proc/cmdline"},
		{line: "Security=cvm", files: files{"sys/devices/platform/": "", "sys/firmware/uv/prot_virt_guest": "1\n"}, decides: "/sys/devices/platform/arm-cca-dev /sys/firmware/uv/prot_virt_guest"},
		{
			line: "Security=cvm", files: files{"sys/devices/platform/": "", "sys/devices/virtual/misc/": "", "sys/firmware/uv/": ""}, set: func(f *Facts) { f.cpuid = amdGuest },
			decides: "/sys/devices/platform/arm-cca-dev /sys/firmware/uv/prot_virt_guest /sys/devices/virtual/misc/sev-guest",
		},
		{
			line: "ACPower=yes", files: files{"sys/class/power_supply/BAT/type": "Battery\n"},
			decides: "/sys/class/power_supply=x /sys/class/power_supply/BAT/scope /sys/class/power_supply/BAT/type /sys/class/power_supply/BAT/online /sys/class/power_supply/BAT/present /sys/class/power_supply/BAT/status",
		},
		{line: "User=me", decides: "/etc/passwd"},
		{line: "Group=me", decides: "/etc/group"},
		{line: "ControlGroupController=v2", decides: "/sys/fs/cgroup"},
		{
			line: "ControlGroupController=v1", files: files{"sys/fs/cgroup/unified/": ""},
			decides: "/sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/memory /sys/fs/cgroup/cpu /sys/fs/cgroup/unified",
		},
		{line: "ControlGroupController=memory", files: files{"sys/fs/cgroup/memory/": ""}, decides: "/sys/fs/cgroup /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/memory"},
		{
			line: "Memory=8G", files: files{"sys/fs/cgroup/memory/": ""},
			decides: "/sys/fs/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory=0",
		},
		{line: "OSRelease=ID=a", files: files{"etc/os-release": "ID=b\n", "usr/lib/os-release": "ID=a\n"}, decides: "/etc/os-release"},
		{line: "OSRelease=ID=a", files: files{"usr/lib/os-release": "ID=a\n"}, decides: "/etc/os-release /usr/lib/os-release"},
		{line: "MachineTag=a", files: files{"etc/machine-info": "TAGS=a\n"}, decides: "/etc/machine-info"},
		{line: "MemoryPressure=1%", files: files{"proc/pressure/memory": "full avg300=0.00\n"}, decides: "/proc/pressure/memory"},
		{line: "KernelModuleLoaded=tun", files: files{"sys/module/tun/initstate": "live\n"}, decides: "/sys/module/tun /sys/module/tun/initstate /sys/module/tun=0"},
		{
			line: "NeedsUpdate=/etc", files: files{"etc/.updated": "TIMESTAMP_NSEC=5000000003\n", "usr/": ""}, set: stamped,
			decides: forContainer + "/proc/cmdline /etc/initrd-release /etc/.updated=0 /usr", not: "/etc/.updated",
		},
		{line: "NeedsUpdate=/var", files: files{"var/": "", "usr/": ""}, decides: forContainer + "/proc/cmdline /etc/initrd-release /var /var=0"},
		{line: "PathIsEncrypted=/srv", files: files{"srv/": ""}, decides: "/srv"},
		{line: "PathExistsGlob=/srv/d/f", files: files{"srv/d/f": ""}, decides: "/srv /srv/d /srv/d=0", not: "/srv=x /srv/d=x /srv/d/f"},
		{line: "PathExistsGlob=/srv/*/f", files: files{"srv/d/f": ""}, decides: "/srv /srv=x /srv/d /srv/d=0", not: "/srv/d/f"},
		{line: "PathExistsGlob=/srv/*/*", files: files{"srv/d/f": ""}, decides: "/srv /srv=x /srv/d /srv/d=0 /srv/d=x", not: "/srv/d/f"},
	} {
		f := machine(t, c.files)
		must(t, os.Chmod(filepath.Dir(f.Root), 0o755))
		for _, dir := range strings.Fields("etc run/host run/systemd proc/1 proc/self/ns proc/sys/kernel proc/pressure sys/class/dmi/id sys/hypervisor sys/fs/cgroup sys/firmware usr/lib") {
			must(t, os.MkdirAll(filepath.Join(f.Root, dir), 0o755))
		}
		if c.set != nil {
			c.set(f)
		}
		must(t, os.Mkdir(f.Root+"/closed", 0))
		ask := func() (bool, error) {
			kind, value, _ := strings.Cut(c.line, "=")
			return Eval(kind, value, f)
		}
		want, err := ask()
		if err != nil {
			t.Fatalf("%s: %v", c.line, err)
		}
		decides := map[string]bool{}
		for _, place := range strings.Fields(c.decides) {
			decides[place] = true
		}
		for _, place := range append(slices.Sorted(maps.Keys(decides)), strings.Fields(c.not)...) {
			show := hide(t, f.Root, place)
			var got bool
			asNobody(t, func() { got, err = ask() })
			show()
			if decides[place] != (err != nil) || err == nil && got != want || err != nil && !errors.Is(err, unix.EACCES) {
				t.Errorf("%s without %s: %v, %v", c.line, place, got, err)
			}
		}
	}
}

// amdGuest is a CPU of a virtual machine.
func amdGuest(leaf, sub uint32) (a, b, c, d uint32) {
	if leaf == 0 {
		return 7, 0x68747541, 0x444d4163, 0x69746e65 // AuthenticAMD
	}
	return hypervised("KVMKVMKVM")(leaf, sub)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hide hides a place of a machine, if one is given, until show is called.
func hide(t *testing.T, root, place string) (show func()) {
	t.Helper()
	if place == "" {
		return func() {}
	}
	path, mode, there := strings.Cut(place, "=")
	path = root + path
	if there {
		st, err := os.Stat(path)
		must(t, err)
		must(t, os.Chmod(path, map[string]os.FileMode{"0": 0, "x": 0o111}[mode]))
		return func() { must(t, os.Chmod(path, st.Mode())) }
	}
	old := root + "/hidden"
	err := os.Rename(path, old)
	if !errors.Is(err, os.ErrNotExist) {
		must(t, err)
	}
	must(t, os.Symlink(root+"/closed/x", path))
	return func() {
		must(t, os.Remove(path))
		if err == nil {
			must(t, os.Rename(old, path))
		}
	}
}

// asNobody acts without the rights of root.
func asNobody(t *testing.T, act func()) {
	t.Helper()
	if os.Getuid() != 0 {
		act()
		return
	}
	runtime.LockOSThread()
	const nobody = 65534
	must(t, unix.Setfsuid(nobody))
	act()
	must(t, unix.Setfsuid(0))
	runtime.UnlockOSThread()
}
