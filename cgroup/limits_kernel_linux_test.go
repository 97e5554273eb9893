package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limitTree is a way to have limits: v1, or cgroup2.
type limitTree struct {
	unified bool
	procs   string
}

var (
	legacyTree  = limitTree{false, "tasks"}
	unifiedTree = limitTree{true, "cgroup.procs"}
)

// inEachTree runs a test with both.
func inEachTree(t *testing.T, test func(t *testing.T, tree limitTree)) {
	t.Run("v1", func(t *testing.T) {
		requireLegacy(t)
		test(t, legacyTree)
	})
	t.Run("v2", func(t *testing.T) {
		requireUnified(t)
		test(t, unifiedTree)
	})
}

func requireLegacy(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a control group is made by root")
	}
	if all, err := filepath.Glob("/sys/fs/cgroup/*/tasks"); err != nil || len(all) == 0 {
		t.Skip("there is no hierarchy of v1 below /sys/fs/cgroup", err)
	}
}

func requireUnified(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a control group is made by root")
	}
	if top, controllers := unifiedTop(t); len(controllers) == 0 {
		t.Skipf("the groups of %s have no controllers", top)
	}
}

// unifiedTop is where cgroup2 is mounted, and the controllers that groups have there.
func unifiedTop(t *testing.T) (top string, controllers []string) {
	t.Helper()
	for _, top = range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		given, err := os.ReadFile(top + "/cgroup.subtree_control")
		if err == nil {
			return top, strings.Fields(string(given))
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return "/sys/fs/cgroup", nil
}

// top is the group below which tests have theirs.
func (tree limitTree) top(t *testing.T, controller string) string {
	t.Helper()
	if tree.unified {
		top, controllers := unifiedTop(t)
		if !slices.Contains(controllers, controller) {
			t.Skipf("the groups of %s have no %s controller", top, controller)
		}
		return top
	}
	top := "/sys/fs/cgroup/" + controller
	if _, err := os.Stat(top + "/tasks"); err != nil {
		t.Skipf("the %s controller is in no hierarchy of v1: %v", controller, err)
	}
	return top
}

// group is a new group, which is removed in the end.
func (tree limitTree) group(t *testing.T, controller string) string {
	t.Helper()
	return makeGroup(t, tree.top(t, controller), fmt.Sprintf("hardrun-test.%d", os.Getpid()))
}

func makeGroup(t *testing.T, above, name string) string {
	t.Helper()
	dir := filepath.Join(above, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var err error
		for range 100 { // who has ended leaves a little later
			if err = os.Remove(dir); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("left behind: %v", err)
	})
	return dir
}

// settings are those of one controller.
func (tree limitTree) settings(l Limits, controller string) []Setting {
	page := uint64(os.Getpagesize())
	all, _ := l.Legacy(page)
	if tree.unified {
		all = l.Unified(page)
	}
	return slices.DeleteFunc(all, func(s Setting) bool { return s.Controller != controller })
}

// put writes a setting as who uses it must, and reads it back.
func put(dir string, s Setting) error {
	if s.Inherit {
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), s.File))
		if err != nil {
			return err
		}
		if s, err = s.From(string(parent)); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, s.File)
	if !s.Check {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(s.Value)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return s.Reads(string(got))
}

func putAll(t *testing.T, dir string, all []Setting) {
	t.Helper()
	if len(all) == 0 {
		t.Fatal("there is nothing to set")
	}
	for _, s := range all {
		if err := put(dir, s); err != nil {
			t.Errorf("%s: %v", inLine(s), err)
		}
	}
}

// limited is a group in which limits are set.
func (tree limitTree) limited(t *testing.T, controller string, limits Limits) string {
	t.Helper()
	dir := tree.group(t, controller)
	putAll(t, dir, tree.settings(limits, controller))
	return dir
}

func (tree limitTree) blockController() string {
	if tree.unified {
		return "io"
	}
	return "blkio"
}

// disk is the number of a whole disk of this machine, not made of files or memory.
func disk(t *testing.T) (major, minor uint32) {
	t.Helper()
	all, err := filepath.Glob("/sys/block/*/device/driver")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Skip("there is no disk whose I/O could be limited")
	}
	file := "/sys/block/" + strings.Split(all[0], "/")[3] + "/dev"
	number, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(number), "%d:%d", &major, &minor); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return major, minor
}

// Every setting is taken by the kernel and reads as wanted; and what it reads is not what
// the file held before, so that a write which does nothing would be seen.
func TestLimitsKernel(t *testing.T) {
	inEachTree(t, func(t *testing.T, tree limitTree) {
		for _, tt := range []struct {
			name, controller string
			limits           Limits
		}{
			{"whole pages", "memory", Limits{MemoryMax: amount(64 << 20)}},
			{"a part of a page", "memory", Limits{MemoryMax: amount(64<<20 + 1), MemorySwapMax: amount(8<<20 + 4095)}},
			{"no swap", "memory", Limits{MemoryMax: amount(1<<20 + 4000), MemorySwapMax: amount(0)}},
			{"nothing", "memory", Limits{MemoryMax: amount(100)}},
			{"the most", "memory", Limits{MemoryMax: amount(1<<63 - 4097)}},
			{"tasks", "pids", Limits{TasksMax: amount(5)}},
			{"all tasks", "pids", Limits{TasksMax: amount(1 << 22)}},
			{"weight", "cpu", Limits{CPUWeight: given(uint32(250))}},
			{"the least weight", "cpu", Limits{CPUWeight: given(uint32(1))}},
			{"an odd weight", "cpu", Limits{CPUWeight: given(uint32(7777))}},
			{"the largest weight", "cpu", Limits{CPUWeight: given(uint32(10000))}},
			{"idle", "cpu", Limits{CPUWeight: given(uint32(0))}},
			{"quota", "cpu", Limits{CPUQuota: given(uint32(2_000)), CPUQuotaPeriod: 50_000}},
			{"the least quota", "cpu", Limits{CPUQuota: given(uint32(10)), CPUQuotaPeriod: 1}},
			{"an odd quota", "cpu", Limits{CPUQuota: given(uint32(99)), CPUQuotaPeriod: 1}},
			{"the largest quota", "cpu", Limits{CPUQuota: given(^uint32(0)), CPUQuotaPeriod: 1 << 40}},
			{"CPUs", "cpuset", Limits{AllowedCPUs: "0"}},
			{"nodes", "cpuset", Limits{AllowedMemoryNodes: "0"}},
			{"both", "cpuset", Limits{AllowedCPUs: "0", AllowedMemoryNodes: "0"}},
		} {
			t.Run(tt.controller+"/"+tt.name, func(t *testing.T) { tree.takes(t, tt.controller, tt.limits) })
		}
		for kind := range IODeviceWeight {
			for _, value := range []uint64{2, 1_000_001, 1<<32 - 2} {
				t.Run(fmt.Sprintf("io/%s=%d", kind, value), func(t *testing.T) {
					major, minor := disk(t)
					tree.takes(t, tree.blockController(), Limits{IO: []IOLimit{{major, minor, kind, value}}})
				})
			}
		}
	})
}

func (tree limitTree) takes(t *testing.T, controller string, limits Limits) {
	t.Helper()
	tree.takesIn(t, tree.group(t, controller), controller, limits)
}

// What only cgroup2 has.
func TestUnifiedKernel(t *testing.T) {
	requireUnified(t)
	tree := unifiedTree
	for _, tt := range []struct {
		name, controller string
		limits           Limits
	}{
		{"all of memory", "memory", Limits{
			MemoryMin: amount(1<<20 + 1), MemoryLow: amount(2<<20 + 1), MemoryHigh: amount(32<<20 + 1), MemoryMax: amount(64<<20 + 1), MemorySwapMax: amount(0),
		}},
		{"all that there is", "memory", Limits{MemoryMin: unbounded, MemoryLow: unbounded}},
		{"compressed swap", "memory", Limits{MemoryZSwapMax: amount(5<<20 + 1)}},
		{"compressed swap stays", "memory", Limits{MemoryZSwapWriteback: given(false)}},
		{"weight of I/O", "io", Limits{IOWeight: given(uint32(250))}},
		{"root", "cpuset", Limits{AllowedCPUs: "1", CPUSetPartition: "root"}},
		{"isolated", "cpuset", Limits{AllowedCPUs: "1", CPUSetPartition: "isolated"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree.group(t, tt.controller)
			for _, s := range tree.settings(tt.limits, tt.controller) {
				if _, err := os.Stat(filepath.Join(dir, s.File)); err != nil {
					t.Skip("this kernel is without:", err)
				}
			}
			tree.takesIn(t, dir, tt.controller, tt.limits)
		})
	}
	for _, kind := range []IOKind{IODeviceWeight, IODeviceLatencyTargetSec} {
		t.Run(kind.String(), func(t *testing.T) {
			major, minor := disk(t)
			dir := tree.group(t, "io")
			for _, s := range tree.settings(Limits{IO: []IOLimit{{major, minor, kind, 5_000}}}, "io") {
				err := put(dir, s)
				if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, os.ErrNotExist) {
					t.Skip("this disk or kernel is without:", err)
				}
				if err != nil {
					t.Errorf("%s: %v", inLine(s), err)
				}
			}
		})
	}
	t.Run("several limits of a disk", func(t *testing.T) {
		major, minor := disk(t)
		tree.takes(t, "io", Limits{IO: []IOLimit{
			{major, minor, IOReadBandwidthMax, 1_000_001},
			{major, minor, IOWriteBandwidthMax, 1 << 40},
			{major, minor, IOReadIOPSMax, 1<<32 - 1},
			{major, minor, IOWriteIOPSMax, 3},
		}})
	})
	t.Run("a limit of 1", func(t *testing.T) { // which v1 takes
		major, minor := disk(t)
		dir := tree.group(t, "io")
		for kind := range IODeviceWeight {
			s := tree.settings(Limits{IO: []IOLimit{{major, minor, kind, 1}}}, "io")[0]
			if err := put(dir, s); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s: %v, want EINVAL", inLine(s), err)
			}
		}
	})
	t.Run("a partition without CPUs", func(t *testing.T) {
		dir := tree.group(t, "cpuset")
		s := tree.settings(Limits{CPUSetPartition: "root"}, "cpuset")[0]
		if err := put(dir, s); err == nil {
			t.Error("it passes")
		}
	})
	// The kernel takes the list, and gives what the parent has instead.
	t.Run("CPUs that the parent has not", func(t *testing.T) {
		above := tree.limited(t, "cpuset", Limits{AllowedCPUs: "0"})
		if err := os.WriteFile(above+"/cgroup.subtree_control", []byte("+cpuset"), 0); err != nil {
			t.Fatal(err)
		}
		dir := makeGroup(t, above, "below")
		all := tree.settings(Limits{AllowedCPUs: "1"}, "cpuset")
		if err := put(dir, all[0]); err != nil {
			t.Skip("this machine has one CPU:", err)
		}
		want := `cpuset.cpus.effective: "0" is granted of "1"`
		if err := put(dir, all[1]); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

func (tree limitTree) takesIn(t *testing.T, dir, controller string, limits Limits) {
	t.Helper()
	settings := tree.settings(limits, controller)
	for _, s := range settings {
		before, err := os.ReadFile(filepath.Join(dir, s.File))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Inherit && !s.Check && s.Reads(string(before)) == nil {
			t.Errorf("%s reads as wanted before it is written: %q", inLine(s), before)
		}
	}
	putAll(t, dir, settings)
}

// What is no limit can be written as well, and takes one away.
func TestLimitsTakenAway(t *testing.T) {
	inEachTree(t, func(t *testing.T, tree limitTree) {
		for _, tt := range []struct {
			name, controller string
			first, then      Limits
		}{
			{"bytes", "memory", Limits{MemoryMax: amount(1 << 20)}, Limits{MemoryMax: unbounded}},
			{"too many bytes", "memory", Limits{MemoryMax: amount(1 << 20)}, Limits{MemoryMax: amount(1<<63 - 4096)}},
			{"tasks", "pids", Limits{TasksMax: amount(3)}, Limits{TasksMax: unbounded}},
			{"too many tasks", "pids", Limits{TasksMax: amount(3)}, Limits{TasksMax: amount(1<<22 + 1)}},
		} {
			t.Run(tt.name, func(t *testing.T) { tree.takesAway(t, tt.controller, tt.first, tt.then) })
		}
		for kind := range IODeviceWeight {
			t.Run(kind.String(), func(t *testing.T) {
				major, minor := disk(t)
				first, then := IOLimit{major, minor, kind, 5}, IOLimit{major, minor, kind, NoLimit}
				tree.takesAway(t, tree.blockController(), Limits{IO: []IOLimit{first}}, Limits{IO: []IOLimit{then}})
			})
		}
	})
}

func (tree limitTree) takesAway(t *testing.T, controller string, first, then Limits) {
	dir := tree.limited(t, controller, first)
	free := tree.settings(then, controller)
	if len(free) != 1 {
		t.Fatalf("%q, want one setting", inLines(free))
	}
	held, err := os.ReadFile(filepath.Join(dir, free[0].File))
	if err != nil {
		t.Fatal(err)
	}
	if free[0].Reads(string(held)) == nil {
		t.Errorf("%q passes as no limit", held)
	}
	putAll(t, dir, free)
}

// The kernel refuses what is written in another order, as settingOrder says.
func TestLegacyOrder(t *testing.T) {
	requireLegacy(t)
	refused := func(t *testing.T, dir string, s Setting) {
		t.Helper()
		if err := put(dir, s); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s before its turn: %v, want EINVAL", inLine(s), err)
		}
	}
	t.Run("memory", func(t *testing.T) {
		dir := legacyTree.group(t, "memory")
		all := legacyTree.settings(Limits{MemoryMax: amount(64 << 20), MemorySwapMax: amount(0)}, "memory")
		refused(t, dir, all[1])
		putAll(t, dir, all)
	})
	t.Run("cpu", func(t *testing.T) {
		above := legacyTree.limited(t, "cpu", Limits{CPUQuota: given(uint32(5_000))})
		dir := makeGroup(t, above, "below")
		all := legacyTree.settings(Limits{CPUQuota: given(uint32(4_000)), CPUQuotaPeriod: 1_000_000}, "cpu")
		refused(t, dir, all[1])
		putAll(t, dir, all)
	})
}

// What cannot be promised is refused by the kernel: less than a thousandth of a CPU, CPUs
// and disks that are not there.
func TestLimitsRefused(t *testing.T) {
	inEachTree(t, func(t *testing.T, tree limitTree) {
		for _, tt := range []struct {
			name, controller string
			limits           Limits
			errs             []error
		}{
			{"a quota of 0.09%", "cpu", Limits{CPUQuota: given(uint32(9))}, []error{syscall.EINVAL}},
			{"a quota of 0", "cpu", Limits{CPUQuota: given(uint32(0))}, []error{syscall.EINVAL}},
			{"CPUs that are not there", "cpuset", Limits{AllowedCPUs: "8191"}, []error{syscall.ERANGE, syscall.EINVAL}},
			{"nodes that are not there", "cpuset", Limits{AllowedMemoryNodes: "1000"}, []error{syscall.ERANGE, syscall.EINVAL}},
			{"no disk", tree.blockController(), Limits{IO: []IOLimit{{0, 0, IOReadBandwidthMax, 5}}}, []error{syscall.ENODEV}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				dir := tree.group(t, tt.controller)
				var err error
				for _, s := range tree.settings(tt.limits, tt.controller) {
					if err = put(dir, s); err != nil {
						break
					}
				}
				if !slices.ContainsFunc(tt.errs, func(want error) bool { return errors.Is(err, want) }) {
					t.Errorf("%v, want %v", err, tt.errs)
				}
			})
		}
	})
}

// inside runs a shell in a group, and hands back what it wrote and how it ended.
func (tree limitTree) inside(t *testing.T, dir, script string) (string, *os.ProcessState) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "echo 0 >"+dir+"/"+tree.procs+" || exit 99\n"+script)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState
}

// The limits hold: what goes beyond is denied, killed, or slow, and what does not is not.
func TestLimitsHold(t *testing.T) { inEachTree(t, limitsHold) }

func limitsHold(t *testing.T, tree limitTree) {
	for _, tt := range []struct {
		tasks uint64
		alive bool
	}{{1, false}, {2, true}} {
		t.Run(fmt.Sprintf("TasksMax=%d", tt.tasks), func(t *testing.T) {
			dir := tree.limited(t, "pids", Limits{TasksMax: amount(tt.tasks)})
			if out, _ := tree.inside(t, dir, "/bin/true; echo alive"); strings.HasSuffix(out, "alive\n") != tt.alive {
				t.Errorf("a shell that forks once says %q", out)
			}
		})
	}
	for _, tt := range []struct {
		megabytes uint64
		want      string
	}{{16, "137\n"}, {256, "0\n"}} {
		t.Run(fmt.Sprintf("MemoryMax=%dM", tt.megabytes), func(t *testing.T) {
			dir := tree.limited(t, "memory", Limits{MemoryMax: amount(tt.megabytes << 20), MemorySwapMax: amount(0)})
			const script = "head -c 67108864 /dev/zero 2>/dev/null | (tail -c 67108864 >/dev/null 2>&1; echo $?)"
			if out, _ := tree.inside(t, dir, script); !strings.HasSuffix(out, tt.want) {
				t.Errorf("64 MiB end with %q, want %q", out, tt.want)
			}
		})
	}
	t.Run("AllowedCPUs", func(t *testing.T) {
		dir := tree.limited(t, "cpuset", Limits{AllowedCPUs: "0"})
		if out, _ := tree.inside(t, dir, "grep Cpus_allowed_list: /proc/self/status"); out != "Cpus_allowed_list:\t0\n" {
			t.Errorf("allowed are %q", out)
		}
	})
	t.Run("CPUQuota", func(t *testing.T) {
		dir := tree.limited(t, "cpu", Limits{CPUQuota: given(uint32(1_000)), CPUQuotaPeriod: 20_000})
		const script = "end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; done"
		start := time.Now()
		_, end := tree.inside(t, dir, script)
		used, passed := end.UserTime()+end.SystemTime(), time.Since(start)
		if used > passed/4 {
			t.Errorf("with 10%% of a CPU, %v of %v were used", used, passed)
		}
		stat, err := os.ReadFile(dir + "/cpu.stat")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), "nr_throttled 0\n") || !strings.Contains(string(stat), "nr_throttled ") {
			t.Errorf("nothing was throttled:\n%s", stat)
		}
	})
	t.Run("IOReadBandwidthMax", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, make([]byte, 3<<19), 0o600); err != nil {
			t.Fatal(err)
		}
		major, minor := diskOf(t, file)
		dir := tree.group(t, tree.blockController())
		read := func() time.Duration {
			start := time.Now()
			if out, end := tree.inside(t, dir, "dd if="+file+" of=/dev/null bs=65536 iflag=direct"); !end.Success() {
				t.Skipf("the file cannot be read past the cache: %s", out)
			}
			return time.Since(start)
		}
		free := read()
		putAll(t, dir, tree.settings(Limits{IO: []IOLimit{{major, minor, IOReadBandwidthMax, 1_000_000}}}, tree.blockController()))
		if limited := read(); limited < time.Second || free > limited/2 {
			t.Errorf("1.5 MiB were read in %v at 1 MB in a second, and in %v without", limited, free)
		}
	})
}

// A cpuset of v1 which has CPUs and no nodes cannot be joined: why there is Inherit.
func TestLegacyInherit(t *testing.T) {
	requireLegacy(t)
	dir := legacyTree.group(t, "cpuset")
	all := legacyTree.settings(Limits{AllowedCPUs: "0"}, "cpuset")
	own := slices.IndexFunc(all, func(s Setting) bool { return !s.Inherit })
	putAll(t, dir, all[own:own+1])
	if out, end := legacyTree.inside(t, dir, "exit 0"); end.ExitCode() != 99 {
		t.Errorf("%v %q, want no way to join", end, out)
	}
	putAll(t, dir, all)
	if out, end := legacyTree.inside(t, dir, "exit 0"); !end.Success() {
		t.Errorf("%v %q", end, out)
	}
}

// What a group of v1 writes through the page cache gets past its limit: why that is a Lack.
func TestLegacyWrites(t *testing.T) {
	requireLegacy(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	major, minor := diskOf(t, file)
	dir := legacyTree.limited(t, "blkio", Limits{IO: []IOLimit{{major, minor, IOWriteBandwidthMax, 1_000_000}}})
	start := time.Now()
	if out, end := legacyTree.inside(t, dir, "dd if=/dev/zero of="+file+" bs=65536 count=128 conv=notrunc"); !end.Success() {
		t.Fatalf("dd: %v, %s", end, out)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if passed := time.Since(start); passed > 4*time.Second {
		t.Errorf("8 MiB took %v at 1 MB in a second: v1 keeps the promise here", passed)
	}
}

// diskOf is the disk on which the file is.
func diskOf(t *testing.T, file string) (major, minor uint32) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	major, minor = unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev))
	if _, err := os.Stat(fmt.Sprintf("/sys/dev/block/%d:%d/queue", major, minor)); err != nil {
		t.Skipf("%s is on no disk of its own: %v", file, err)
	}
	return major, minor
}
