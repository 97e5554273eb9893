//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ProtectKernelTunables=: every path of the list that is here is read-only, and
// the control groups below /sys are as they were.
func TestProtectKernelTunables(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	var list []attempt
	for _, p := range existing("/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/latency_stats",
		"/proc/mtrr", "/proc/scsi", "/proc/sysrq-trigger", "/proc/timer_stats", "/sys", "/sys/kernel", "/sys/class", "/sys/fs", "/sys/module") {
		list = append(list, attempt{"access " + p + " w", "EROFS", ""})
	}
	if len(list) < 5 {
		t.Fatal("a machine without /proc and /sys")
	}
	for _, p := range existing("/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
		"/proc/irq/default_smp_affinity", "/proc/mtrr", "/sys/kernel/profiling", "/sys/kernel/mm/ksm/run", "/sys/power/state") {
		list = append(list, attempt{"open " + p + " w", "EROFS", ""})
	}
	list = append(list,
		attempt{"open /proc/sys/kernel/hostname r", "", ""},
		attempt{"open /proc/self/oom_score_adj w", "", ""},
		attempt{"read /proc/uptime", "", ""},
		attempt{"list /sys/class/net", "", ""},
		attempt{"chmod /proc/sys/kernel/hostname 0644", "EROFS", "EPERM"}, // a procfs has no other modes
		attempt{"access /usr w", "", ""},
	)
	for _, p := range existing("/sys/fs/cgroup") {
		list = append(list, attempt{"access " + p + " w", "", ""})
	}
	attempts(t, []string{"--protect-kernel-tunables"}, list...)

	// What tells addresses is empty for root, and closed to a user.
	for _, p := range existing("/proc/kallsyms", "/proc/kcore") {
		under := inside(t, []string{"--protect-kernel-tunables"}, "read "+p, "mode "+p)
		equal(t, p, under[0].Value, 0)
		equal(t, p+": mode", under[1].Value, unix.S_IFREG)
		if a := outside(t, "read "+p)[0]; a.Value <= 0 {
			t.Errorf("%s without hardrun: %+v", p, a)
		}
		equal(t, p+" as a user", inside(t, []string{"--user=nobody", "--protect-kernel-tunables"}, "read "+p)[0].Errno, "EACCES")
	}
}

// The control groups are as writable as they were: below the tunables, below
// strict, and read-only only where that is asked.
func TestTunablesLeaveControlGroups(t *testing.T) {
	t.Parallel()
	group := controlGroup(t)
	for _, x := range []struct {
		options []string
		errno   string
	}{
		{[]string{"--protect-kernel-tunables"}, ""},
		{[]string{"--protect-system=strict"}, ""},
		{[]string{"--protect-system=strict", "--protect-kernel-tunables"}, ""},
		{[]string{"--private-network"}, ""},
		{[]string{"--private-network", "--protect-kernel-tunables"}, ""},
		{[]string{"--protect-control-groups"}, "EROFS"},
		{[]string{"--protect-control-groups", "--protect-kernel-tunables"}, "EROFS"},
		{[]string{"--protect-control-groups", "--private-network"}, "EROFS"},
		{[]string{"--protect-control-groups", "--protect-system=strict"}, "EROFS"},
		{[]string{"--read-only-paths=/sys"}, "EROFS"}, // with all that is mounted below it
		{[]string{"--read-only-paths=/sys/fs"}, "EROFS"},
		{[]string{"--read-only-paths=/sys/fs/cgroup"}, "EROFS"},
		{[]string{"--read-only-paths=/sys", "--read-write-paths=/sys/fs/cgroup"}, ""},
	} {
		a := inside(t, x.options, "mkdir "+group+"/sub", "rmdir "+group+"/sub", "list "+group)
		equal(t, strings.Join(x.options, " ")+": mkdir", a[0].Errno, x.errno)
		equal(t, strings.Join(x.options, " ")+": rmdir", a[1].Errno, x.errno)
		equal(t, strings.Join(x.options, " ")+": list", a[2].Errno, "")
	}
}

// controlGroup is one of cgroup2, made for this test.
func controlGroup(t *testing.T) string {
	t.Helper()
	requireRoot(t)
	top := ""
	for l := range strings.Lines(read(t, "/proc/self/mountinfo")) {
		if f := strings.Fields(l); slices.Contains(f, "cgroup2") && strings.HasPrefix(f[4], "/sys/fs/cgroup") && f[3] == "/" {
			top = f[4]
		}
	}
	if top == "" {
		t.Skip("needs cgroup2 below /sys/fs/cgroup")
	}
	group, err := os.MkdirTemp(top, "hardrun-test."+itoa(os.Getpid())+".")
	if err != nil {
		t.Skip("needs to make a control group: ", err)
	}
	t.Cleanup(func() {
		// The last process of it may still be on its way out.
		eventually(t, "the end of "+group, func() bool {
			err := os.Remove(group)
			return err == nil || os.IsNotExist(err)
		})
	})
	return group
}

// ProtectControlGroups=private and strict: the own group is the root of all that
// is seen, on a machine with any hierarchy.
func TestProtectControlGroupsPrivate(t *testing.T) {
	t.Parallel()
	group := controlGroup(t)
	// The shell puts itself into the group, and becomes hardrun.
	in := func(options []string, acts ...string) []answer {
		t.Helper()
		argv := append([]string{"sh", "-euc", `echo 0 > "$0/cgroup.procs"; exec "$@"`, group}, starting(options...)...)
		if options == nil {
			argv = []string{"sh", "-euc", `echo 0 > "$0/cgroup.procs"; exec "$@"`, group, probe, "ask"}
		}
		return asked(t, program{argv: argv}, acts...)
	}
	unified := func(a answer) string {
		t.Helper()
		for l := range strings.Lines(a.Act) {
			if p, ok := strings.CutPrefix(l, "0::"); ok {
				return strings.TrimSpace(p)
			}
		}
		t.Fatalf("no cgroup2 in %q", a.Act)
		return ""
	}
	name := "/" + filepath.Base(group)
	equal(t, "without", unified(in(nil, "read /proc/self/cgroup")[0]), name)
	equal(t, "yes", unified(in([]string{"--protect-control-groups"}, "read /proc/self/cgroup")[0]), name)

	for _, more := range [][]string{nil, {"--protect-system=strict"}, {"--protect-kernel-tunables"}, {"--private-network"}} {
		options := append([]string{"--protect-control-groups=private"}, more...)
		a := in(options, "read /proc/self/cgroup", "statfs /sys/fs/cgroup", "mkdir /sys/fs/cgroup/mine", "stat "+group, "read /sys/fs/cgroup/cgroup.procs", "rmdir /sys/fs/cgroup/mine")
		equal(t, "private: the group", unified(a[0]), "/")
		equal(t, "private: the file system", a[1].Value, unix.CGROUP2_SUPER_MAGIC)
		equal(t, "private: mkdir", a[2].Errno, "")
		equal(t, "private: the path of the host", a[3].Errno, "ENOENT")
		if a[4].Act == "" {
			t.Error("private: nobody is in the group")
		}
		equal(t, "private: rmdir", a[5].Errno, "")

		options = append([]string{"--protect-control-groups=strict"}, more...)
		a = in(options, "read /proc/self/cgroup", "statfs /sys/fs/cgroup", "mkdir /sys/fs/cgroup/mine", "read /sys/fs/cgroup/cgroup.procs", "put /sys/fs/cgroup/cgroup.procs 0")
		equal(t, "strict: the group", unified(a[0]), "/")
		equal(t, "strict: the file system", a[1].Value, unix.CGROUP2_SUPER_MAGIC)
		equal(t, "strict: mkdir", a[2].Errno, "EROFS")
		equal(t, "strict: read", a[3].Errno, "")
		equal(t, "strict: put", a[4].Errno, "EROFS")
	}
	// Where there is no right to it, it is not yes that is had.
	for _, v := range []string{"private", "strict"} {
		refused(t, runs(t, with("without=21", hardrun, "--protect-control-groups="+v, "--", probe)...), 226, "ProtectControlGroups=")
	}
}

// ProtectKernelModules= and ProtectKernelLogs=: the files are hidden.
func TestProtectKernelFiles(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	if lib := "/usr/lib"; !exists(lib + "/modules") {
		// Over the directory that would hold it, with all that it has.
		over := directory(t, 0o755)
		write(t, over+"/modules/6.1/x.ko", "secret", 0o644)
		mountAt(t, "overlay", lib, "overlay", 0, "lowerdir="+over+":"+lib)
	} else {
		mountAt(t, "t", lib+"/modules", "tmpfs", 0, "size=64k")
		write(t, lib+"/modules/6.1/x.ko", "secret", 0o644)
	}
	attempts(t, []string{"--protect-kernel-modules"},
		attempt{"list /usr/lib/modules", "", ""},
		attempt{"read /usr/lib/modules/6.1/x.ko", "ENOENT", ""},
		attempt{"list /usr/lib", "", ""},
		attempt{"create /usr/lib/modules/x", "EROFS", "EROFS"},
	)
	equal(t, "modules", said(t, []string{"--protect-kernel-modules"}, "list /usr/lib/modules"), "")
	equal(t, "as a user", inside(t, []string{"--protect-kernel-modules", "--user=nobody"}, "list /usr/lib/modules")[0].Errno, "EACCES")

	logs := []attempt{{"open /dev/kmsg r", "EACCES", ""}, {"open /dev/kmsg w", "EACCES", ""}, {"open /dev/null w", "", ""}, {"read /proc/uptime", "", ""}}
	attempts(t, []string{"--protect-kernel-logs"}, logs...)
	if exists("/proc/kmsg") {
		a := inside(t, []string{"--protect-kernel-logs"}, "read /proc/kmsg", "mode /proc/kmsg", "mode /dev/kmsg")
		equal(t, "/proc/kmsg", a[0], answer{})
		equal(t, "/proc/kmsg: mode", a[1].Value, unix.S_IFREG)
		equal(t, "/dev/kmsg: mode", a[2].Value, unix.S_IFCHR)
		equal(t, "as a user", inside(t, []string{"--user=nobody", "--protect-kernel-logs"}, "open /proc/kmsg r")[0].Errno, "EACCES")
		equal(t, "without", outside(t, "open /proc/kmsg r")[0].Errno, "")
	}
}

// ProtectProc=: what a user sees of the processes of others.
func TestProtectProc(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	user := []string{"--user=nobody", "--caps=none"}
	for _, x := range []struct{ value, dir, file string }{
		{"default", "", ""},
		{"noaccess", "", "EPERM"},
		{"invisible", "ENOENT", "ENOENT"},
		{"ptraceable", "ENOENT", "ENOENT"},
	} {
		options := append([]string{"--protect-proc=" + x.value}, user...)
		a := inside(t, options, "read /proc/1/status", "stat /proc/1", "list /proc", "read /proc/self/status", "read /proc/uptime", "list /proc/self/fd")
		equal(t, x.value+": a file of another", a[0].Errno, x.file)
		equal(t, x.value+": the directory of another", a[1].Errno, x.dir)
		seen := slices.Contains(strings.Fields(a[2].Act), "1")
		equal(t, x.value+": listed", seen, x.value == "default" || x.value == "noaccess")
		equal(t, x.value+": its own", a[3].Errno+a[4].Errno+a[5].Errno, "")
	}
	// Root is not kept from anything by it, but what it is mounted with.
	a := inside(t, []string{"--protect-proc=invisible"}, "read /proc/1/status", "mount-flags /proc")
	equal(t, "root", a[0].Errno, "")
	equal(t, "nosuid, nodev, noexec", a[1].Value, 14)
}

// ProcSubset=pid: processes, and nothing else.
func TestProcSubset(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	var list []attempt
	for _, p := range existing("/proc/meminfo", "/proc/cpuinfo", "/proc/uptime", "/proc/mounts", "/proc/net", "/proc/sys", "/proc/sys/kernel/hostname", "/proc/kallsyms", "/proc/cmdline") {
		list = append(list, attempt{"stat " + p, "ENOENT", ""})
	}
	list = append(list, attempt{"read /proc/self/status", "", ""}, attempt{"read /proc/1/status", "", ""}, attempt{"readlink /proc/self/exe", "", ""})
	if !exists("/proc/self/net") {
		t.Fatal("no /proc")
	}
	list = slices.DeleteFunc(list, func(a attempt) bool { return a.act == "stat /proc/mounts" || a.act == "stat /proc/net" }) // links into self
	attempts(t, []string{"--proc-subset=pid"}, list...)
	attempts(t, []string{"--proc-subset=pid", "--protect-proc=invisible", "--protect-kernel-tunables", "--protect-kernel-logs", "--protect-hostname"}, list...)
	attempts(t, []string{"--proc-subset=all", "--private-mounts"}, attempt{"stat /proc/meminfo", "", ""})
	equal(t, "as a user", inside(t, []string{"--proc-subset=pid", "--protect-proc=invisible", "--user=nobody", "--caps=none"}, "read /proc/1/status")[0].Errno, "ENOENT")
}

// What hides a part of the host's /proc and /sys also hides it in fresh ones.
func TestFreshProcKeepsMasks(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	mountAt(t, write(t, d+"/empty", "", 0o444), "/proc/cmdline", "", unix.MS_BIND, "")
	mountAt(t, "t", "/proc/bus", "tmpfs", unix.MS_RDONLY, "size=4k,mode=0555")
	mountAt(t, "t", "/sys/kernel", "tmpfs", unix.MS_RDONLY, "size=4k,mode=0555")
	mountAt(t, "/proc/sys", "/proc/sys", "", unix.MS_BIND, "")
	if err := unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	equal(t, "outside", saidOutside(t, "read /proc/cmdline"), "")
	for _, options := range [][]string{{"--protect-proc=invisible"}, {"--private-network", "--protect-proc=noaccess"}} {
		a := inside(t, options, "read /proc/cmdline", "list /proc/bus", "open /proc/sys/kernel/hostname w", "access /proc/self/oom_score_adj w")
		equal(t, "a file", a[0], answer{})
		equal(t, "a directory", a[1], answer{})
		equal(t, "read-only", a[2].Errno, "EROFS")
		equal(t, "and not all", a[3].Errno, "")
	}
	equal(t, "/sys", inside(t, []string{"--private-network"}, "list /sys/kernel")[0], answer{})
	// Where they are not shown at all, there is nothing to hide.
	equal(t, "subset", inside(t, []string{"--proc-subset=pid"}, "stat /proc/bus")[0].Errno, "ENOENT")
}

// PrivateBPF=: another bpf file system.
func TestPrivateBPF(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	const dir = "/sys/fs/bpf"
	if !exists(dir) {
		t.Skip("needs " + dir)
	}
	mountAt(t, "b", dir, "bpf", 0, "mode=0755")
	mkdir(t, dir+"/host")
	for _, more := range [][]string{nil, {"--private-network"}, {"--protect-kernel-tunables"}, {"--protect-system=strict"}} {
		options := append([]string{"--private-bpf"}, more...)
		a := inside(t, options, "stat "+dir+"/host", "statfs "+dir, "mkdir "+dir+"/mine", "rmdir "+dir+"/mine", "mount-flags "+dir)
		name := strings.Join(options, " ")
		equal(t, name+": the host's", a[0].Errno, "ENOENT")
		equal(t, name+": type", a[1].Value, unix.BPF_FS_MAGIC)
		equal(t, name+": mkdir", a[2].Errno, "")
		equal(t, name+": rmdir", a[3].Errno, "")
		equal(t, name+": flags", a[4].Value, 14)
	}
	equal(t, "without", outside(t, "stat "+dir+"/host")[0].Errno, "")
	if exists(dir + "/mine") {
		t.Error("left on the host")
	}
}
