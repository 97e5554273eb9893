package condition

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// fuzzKinds are all that look at the files of a machine.
var fuzzKinds = []string{
	"Architecture", "Firmware", "Virtualization", "Host", "KernelCommandLine", "KernelVersion", "Version", "Credential", "Environment", "Security", "Capability",
	"ACPower", "FirstBoot", "User", "Group", "ControlGroupController", "Memory", "CPUs", "CPUFeature", "OSRelease", "MachineTag", "MemoryPressure", "CPUPressure",
	"KernelModuleLoaded", "NeedsUpdate", "PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite",
	"PathIsEncrypted", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable",
}

// fuzzFiles are what these read.
var fuzzFiles = []string{
	"/etc/os-release", "/etc/machine-id", "/etc/machine-info", "/etc/passwd", "/etc/group", "/etc/.updated", "/proc/cmdline", "/proc/cpuinfo", "/proc/modules", "/proc/1/environ",
	"/proc/self/mountinfo", "/proc/self/cgroup", "/proc/self/uid_map", "/proc/self/status", "/proc/pressure/memory", "/proc/pressure/cpu", "/proc/xen/capabilities", "/proc/sysinfo",
	"/sys/fs/cgroup/cgroup.controllers", "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name", "/sys/class/power_supply/a/type", "/sys/class/power_supply/a/online",
	"/sys/firmware/dmi/entries/0-0/raw", "/sys/hypervisor/type", "/run/systemd/container", "/run/host/container-manager", "/run/systemd/first-boot", "/x",
}

// machineOf makes all the files one, whose path it gives.
func machineOf(t testing.TB, dir string) (path string) {
	t.Helper()
	for i, file := range fuzzFiles {
		err := os.MkdirAll(filepath.Dir(dir+file), 0o755)
		if err == nil && i == 0 {
			path = dir + file
			err = os.WriteFile(path, nil, 0o644)
		} else if err == nil {
			err = os.Link(path, dir+file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// FuzzFacts: files of any text on the machine that is asked. An answer is the same twice, and an error has a text.
func FuzzFacts(f *testing.F) {
	dir := f.TempDir()
	path := machineOf(f, dir)
	for i, text := range []string{
		"ID=debian\nVERSION_ID=\"12\"\n", "0123456789abcdef0123456789abcdef\n", "root:x:0:0::/:\n", "quiet init=/x a='b c'\n", "flags\t: fpu vme\n", "a 1 0 - Live 0x0\n",
		"some avg10=0.00 avg60=1.50 avg300=0.00 total=1\nfull avg10=9.99 avg60=0.00 avg300=0.00 total=2\n", "0::/a\n", "36 35 98:0 / /x rw - ext3 /dev/a rw\n", "cpu memory pids\n",
		"", "\x00", "'", "a=\"\\", "container=docker\x00",
	} {
		f.Add(uint8(i), text, "a")
		f.Add(uint8(i*3), text, "/x")
		f.Add(uint8(i*5), text, ">=1 a=b")
		f.Add(uint8(i*7), text, "50%/1min")
	}
	f.Fuzz(func(t *testing.T, n uint8, text, value string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		facts := &Facts{Root: dir, Environ: []string{"A=b"}, CPUs: 2, Memory: 1 << 30, Machine: "x86_64", Release: "6.1.0", Host: "a"}
		kind := fuzzKinds[int(n)%len(fuzzKinds)]
		if strings.HasPrefix(kind, "Path") || strings.HasPrefix(kind, "File") || kind == "DirectoryNotEmpty" || kind == "NeedsUpdate" {
			if value == "" || value[0] != '/' || strings.Contains(value, "..") {
				value = "/x"
			}
		}
		why := bounded.Excess(func() {
			holds, err := Eval(kind, value, facts)
			again, err2 := Eval(kind, value, facts)
			if holds != again || (err == nil) != (err2 == nil) || err != nil && (err.Error() != err2.Error() || err.Error() == "") {
				t.Fatalf("%s=%q of %q: %v, %v, and again %v, %v", kind, value, text, holds, err, again, err2)
			}
			if err != nil && holds && !errors.As(err, new(*NotEvaluatedError)) {
				t.Fatalf("%s=%q of %q holds: %v", kind, value, text, err)
			}
		})
		if why != "" {
			t.Fatalf("%s=%q of %d bytes: %s", kind, value, len(text), why)
		}
	})
}

func TestBounded(t *testing.T) {
	dir := t.TempDir()
	path := machineOf(t, dir)
	facts := &Facts{Root: dir, Environ: []string{"A=b"}, CPUs: 2, Memory: 1 << 30, Machine: "x86_64", Release: "6.1.0", Host: "a"}
	for _, kind := range fuzzKinds {
		if strings.HasPrefix(kind, "Path") || kind == "DirectoryNotEmpty" {
			continue // a path of a MiB is none
		}
		bounded.Repeated(t, 64<<10, func(s string) { _, _ = Eval(kind, s, facts) }, "a", "a ", "\\", "'", "*a", "[a", "1.", "a=b ", "1G", "<")
	}
	for _, pattern := range []string{"*a", "*", "[a]*", "a*b*", "?*", "[!a-z]*"} {
		s := strings.Repeat("a", 2000)
		if why := bounded.Excess(func() { fnmatch(strings.Repeat(pattern, 100), s, false) }); why != "" {
			t.Errorf("%q over and over: %s", pattern, why)
		}
	}
	for _, pattern := range []string{"/{a,b}", "{a,b}", "{", "{a,", "{{a,b},", "{a}"} {
		for _, n := range []int{20, 400, 200_000} {
			if why := bounded.Excess(func() { _, _ = Eval("PathExistsGlob", "/"+strings.Repeat(pattern, n), facts) }); why != "" {
				t.Errorf("%d of %q: %s", n, pattern, why)
			}
		}
	}
	// What is on the machine, with a value that is looked for in it.
	for _, text := range bounded.Texts(bounded.Size, "a=b\n", "flags: a b\n", "a b c d e f\n", "a:x:1:1::/:\n", "36 35 98:0 / /x rw - ext3 a rw\n") {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]string{
			{"KernelCommandLine", "z"},
			{"OSRelease", "ID=z"},
			{"CPUFeature", "z"},
			{"KernelModuleLoaded", "z"},
			{"User", "z"},
			{"Group", "z"},
			{"MemoryPressure", "1%"},
			{"Virtualization", "yes"},
			{"ControlGroupController", "cpu"},
			{"Security", "tpm2"},
			{"PathIsMountPoint", "/x"},
			{"FirstBoot", "yes"},
		} {
			if why := bounded.Excess(func() { _, _ = Eval(c[0], c[1], facts) }); why != "" {
				t.Errorf("%s=%s where every file is %.20q over and over: %s", c[0], c[1], text, why)
			}
		}
	}
}

// Braces that stand for more than anybody has looked at are an error, and those of some alternatives are none.
func TestManyBraces(t *testing.T) {
	facts := &Facts{Root: t.TempDir()}
	if err := os.WriteFile(facts.Root+"/bbbbbbbbbb", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for n, say := range map[int]string{10: "", 40: "too many patterns", 4000: "longer than 16 KiB"} {
		holds, err := Eval("PathExistsGlob", "/"+strings.Repeat("{a,b}", n), facts)
		if say == "" && (err != nil || !holds) || say != "" && (err == nil || holds || !strings.Contains(err.Error(), say)) {
			t.Errorf("%d braces: %v, %v, want %q", n, holds, err, say)
		}
	}
}
