//go:build linux

package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limited is a name for groups of v1 that only this test has, which are made in the
// machine's own groups and removed when the test has ended.
func limited(t *testing.T, controllers ...string) (name string) {
	t.Helper()
	requireGroup(t)
	for _, c := range controllers {
		if !exists("/sys/fs/cgroup/"+c+"/cgroup.procs") || !exists("/sys/fs/cgroup/"+c+"/release_agent") {
			t.Skip("needs the v1 hierarchy of ", c, ": cgroup2 has its own tests, make test-vm")
		}
	}
	name = "hardrun-test." + itoa(os.Getpid()) + "." + strings.TrimPrefix(filepath.Base(directory(t, 0o755)), "dir-")
	t.Cleanup(func() {
		eventually(t, "no group of v1", func() bool {
			for _, dir := range limitGroups(t, name) {
				_ = os.Remove(dir)
			}
			return len(limitGroups(t, name)) == 0
		})
	})
	return name
}

// limitGroups are the groups of that name in the hierarchies of v1.
func limitGroups(t *testing.T, name string) (list []string) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && !os.IsNotExist(err):
			return err
		case path == strings.TrimSuffix(group.Dir, group.Path):
			return fs.SkipDir
		case d.IsDir() && d.Name() == name:
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// limitFile reads a file of the group of that name, whose hierarchy has it.
func limitFile(t *testing.T, name, file string) string {
	t.Helper()
	for _, dir := range limitGroups(t, name) {
		if exists(dir + "/" + file) {
			return strings.TrimSpace(read(t, dir+"/"+file))
		}
	}
	t.Errorf("no group %s has %s", name, file)
	return ""
}

// under is a start in a group of that name.
func limitStart(name string, words ...string) []string {
	return append([]string{hardrun, "--cgroup=" + name}, words...)
}

func TestLegacyMemory(t *testing.T) {
	t.Parallel()
	name := limited(t, "memory")
	eat := []string{"--", "sh", "-c", "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null"}
	equal(t, "without", runs(t, eat[1:]...).code, 0)
	for _, more := range [][]string{nil, {"--init"}, {"--device-policy=closed", "--user=nobody", "--caps=none"}} {
		r := runs(t, append(limitStart(name, append(more, "--memory-max=20M")...), eat...)...)
		equal(t, "killed for want of memory", r.code, 137)
		equal(t, "enough", runs(t, append(limitStart(name, append(more, "--memory-max=500M")...), eat...)...).code, 0)
	}
	equal(t, "the limit", limitFile(t, name, "memory.limit_in_bytes"), strconv.Itoa(500<<20))
	// A percentage is of all that there is.
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	equal(t, "status", runs(t, limitStart(name, "--memory-max=10%", "--", probe, "exit", "0")...).code, 0)
	got, err := strconv.ParseUint(limitFile(t, name, "memory.limit_in_bytes"), 10, 64)
	want := uint64(info.Totalram) * uint64(info.Unit) / 10
	if err != nil || got > want || want-got > 4096 {
		t.Errorf("a tenth of memory: %d, want %d, %v", got, want, err)
	}
	// Swap together with it.
	r := runs(t, limitStart(name, "--memory-max=50M", "--memory-swap-max=0", "--waive=MemorySwapMax", "--", probe, "exit", "0")...)
	equal(t, "status", r.code, 0)
	if !strings.HasPrefix(r.stderr, "hardrun: waived MemorySwapMax=: ") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("said: %q", r.stderr)
	}
}

func TestLegacyTasks(t *testing.T) {
	t.Parallel()
	name := limited(t, "pids")
	fork := []string{"--", probe, "try", "fork", "10"}
	allowed(t, runs(t, fork[1:]...))
	denied(t, runs(t, append(limitStart(name, "--tasks-max=5"), fork...)...), "EAGAIN")
	allowed(t, runs(t, append(limitStart(name, "--tasks-max=11"), fork...)...))
	allowed(t, runs(t, append(limitStart(name, "--tasks-max=infinity"), fork...)...))
	most := 0
	for _, file := range []string{"pid_max", "threads-max"} {
		if n := number(t, strings.TrimSpace(read(t, "/proc/sys/kernel/"+file))); most == 0 || n < most {
			most = n
		}
	}
	allowed(t, runs(t, append(limitStart(name, "--tasks-max=5%"), fork...)...))
	equal(t, "a percentage", limitFile(t, name, "pids.max"), itoa(most/20))
	// The parent is outside, and removes the group.
	denied(t, runs(t, append(limitStart(name, "--init", "--tasks-max=5", "--device-policy=closed"), fork...)...), "EAGAIN")
	equal(t, "groups", len(limitGroups(t, name)), 0)
	// For root as well as for others, and for all of a tree.
	denied(t, runs(t, append(limitStart(name, "--tasks-max=5", "--user=nobody", "--caps=none"), fork...)...), "EAGAIN")
	r := runs(t, limitStart(name, "--tasks-max=3", "--", "sh", "-c", `"$0" try fork 10; exit 0`, probe)...)
	denied(t, result{stdout: r.stdout, code: 1, argv: r.argv}, "EAGAIN")
}

// share is how much of one CPU a busy loop gets.
func share(t *testing.T, start ...string) float64 {
	t.Helper()
	cmd := program{argv: append(start, "sh", "-c", "while :; do :; done")}.command(t.Context())
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	took := time.Since(begun)
	return float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / float64(took)
}

func TestLegacyCPU(t *testing.T) {
	t.Parallel()
	name := limited(t, "cpu")
	if got := share(t, limitStart(name, "--cpu-quota=20%", "--")...); got > 0.35 {
		t.Errorf("with a quota of 20 %%: %.2f of a CPU", got)
	}
	equal(t, "quota and period", limitFile(t, name, "cpu.cfs_quota_us")+" "+limitFile(t, name, "cpu.cfs_period_us"), "20000 100000")
	eventually(t, "more than that without it", func() bool { return share(t) > 0.4 })
	equal(t, "status", runs(t, limitStart(name, "--cpu-quota=150%", "--cpu-quota-period-sec=20ms", "--cpu-weight=50", "--", probe, "exit", "0")...).code, 0)
	equal(t, "quota and period", limitFile(t, name, "cpu.cfs_quota_us")+" "+limitFile(t, name, "cpu.cfs_period_us"), "30000 20000")
	equal(t, "shares", limitFile(t, name, "cpu.shares"), "512")
}

func TestLegacyCPUSet(t *testing.T) {
	t.Parallel()
	name := limited(t, "cpuset")
	all := machine(t).Affinity
	if all == "0000000000000001" {
		t.Skip("needs two CPUs")
	}
	equal(t, "one", runs(t, limitStart(name, "--allowed-cpus=1", "--", probe)...).state(t).Affinity, "0000000000000002")
	// A daemon cannot widen it.
	equal(t, "widened", strings.TrimSpace(runs(t, limitStart(name, "--allowed-cpus=1", "--", "sh", "-c", "taskset -p ff $$ >/dev/null; grep Cpus_allowed_list /proc/self/status")...).stdout), "Cpus_allowed_list:\t1")
	equal(t, "nodes", runs(t, limitStart(name, "--allowed-memory-nodes=0", "--", probe)...).state(t).Affinity, all)
	equal(t, "of the group", limitFile(t, name, "cpuset.mems"), "0")
	r := runs(t, limitStart(name, "--allowed-cpus=63", "--", probe)...)
	refused(t, r, 219, "AllowedCPUs=", "cpuset.cpus = 63")
}

func TestLegacyIO(t *testing.T) {
	t.Parallel()
	name := limited(t, "blkio")
	file := write(t, directory(t, 0o755)+"/file", strings.Repeat("x", 4<<20), 0o644)
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil || unix.Major(st.Dev) == 0 {
		t.Skip("needs a temporary directory on a disk")
	}
	if out := runs(t, "sync", file); out.code != 0 {
		t.Fatal(out.stderr)
	}
	took := func(start ...string) time.Duration {
		begun := time.Now()
		r := runs(t, append(start, "dd", "if="+file, "of=/dev/null", "bs=1M", "iflag=direct")...)
		if r.code != 0 {
			t.Fatal(r.stderr)
		}
		return time.Since(begun)
	}
	if d := took(limitStart(name, "--io-read-bandwidth-max="+file+" 2M", "--")...); d < 1300*time.Millisecond {
		t.Errorf("4 MiB with 2 MB/s took %v", d)
	}
	if got := limitFile(t, name, "blkio.throttle.read_bps_device"); !strings.HasSuffix(got, " 2000000") {
		t.Errorf("the limit reads %q", got)
	}
	eventually(t, "faster without", func() bool { return took() < time.Second })
	refused(t, runs(t, limitStart(name, "--io-read-bandwidth-max=/proc 2M", "--", probe)...), 219, "IOReadBandwidthMax=", "/proc")
	refused(t, runs(t, limitStart(name, "--io-read-bandwidth-max=/nosuch 2M", "--", probe)...), 219, "IOReadBandwidthMax=", "/nosuch")
}

// What v1 lacks is refused by name, all of it together.
func TestLegacyLacks(t *testing.T) {
	t.Parallel()
	name := limited(t, "memory", "cpuset", "cpu", "blkio")
	disk := directory(t, 0o755)
	list := []struct{ name, option string }{
		{"MemoryMin", "--memory-min=1M"},
		{"MemoryLow", "--memory-low=1M"},
		{"MemoryHigh", "--memory-high=100M"},
		{"MemorySwapMax", "--memory-swap-max=0"},
		{"MemoryZSwapMax", "--memory-zswap-max=1M"},
		{"MemoryZSwapWriteback", "--memory-zswap-writeback=no"},
		{"CPUSetPartition", "--cpuset-partition=root"},
		{"IOWeight", "--io-weight=10"},
		{"IODeviceWeight", "--io-device-weight=" + disk + " 10"},
		{"IOWriteBandwidthMax", "--io-write-bandwidth-max=" + disk + " 1M"},
		{"IOWriteIOPSMax", "--io-write-iops-max=" + disk + " 10"},
		{"IODeviceLatencyTargetSec", "--io-device-latency-target-sec=" + disk + " 10ms"},
	}
	var options, names []string
	for _, x := range list {
		refused(t, runs(t, limitStart(name, x.option, "--", probe)...), 219, x.name+"=", "cgroup v1", "--waive="+x.name)
		r := runs(t, limitStart(name, x.option, "--waive="+x.name, "--", probe)...)
		if r.code != 0 || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "hardrun: waived "+x.name+"=: ") {
			t.Errorf("%s waived: status %d, %q", x.option, r.code, r.stderr)
		}
		refused(t, runs(t, limitStart(name, x.option, "--waive="+x.name, "--strict", "--", probe)...), 219, x.name+"=", "cgroup v1")
		options, names = append(options, x.option), append(names, x.name)
	}
	r := runs(t, limitStart(name, append(options, "--", probe)...)...)
	equal(t, "status", r.code, 219)
	equal(t, "lines", strings.Count(r.stderr, "\n"), len(list)+1)
	for _, n := range names {
		if !strings.Contains(r.stderr, n+"=: ") {
			t.Errorf("%s is not among them: %q", n, r.stderr)
		}
	}
}

// withoutBPF is a world in which no program can be loaded.
func withoutBPF() []string { return []string{hardrun, "--system-call-filter=~bpf:EPERM", "--"} }

// Without programs the devices controller of v1 does the same.
func TestLegacyDevices(t *testing.T) {
	t.Parallel()
	name := limited(t, "devices")
	dir := directory(t, 0o755)
	var acts []string
	for _, dev := range existing("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/kmsg", "/dev/loop0", "/dev/loop1", "/dev/fuse", "/dev/mem") {
		acts = append(acts, "open "+dev+" r", "open "+dev+" w", "open "+dev+" rw")
	}
	for _, dev := range []string{"1 3", "1 5", "1 11", "5 2", "10 229", "136 0"} {
		acts = append(acts, "mknod "+dir+"/node "+dev, "unlink "+dir+"/node")
	}
	acts = append(acts, "pty", "create "+dir+"/file", "unlink "+dir+"/file")
	errnos := func(argv ...string) (list []string) {
		t.Helper()
		for _, a := range asked(t, program{argv: argv}, acts...) {
			list = append(list, a.Errno)
		}
		return list
	}
	bare := errnos(probe, "ask")
	for _, options := range []string{
		"--device-policy=closed",
		"--device-policy=strict",
		"--device-allow=/dev/null rw",
		"--device-allow=/dev/null r",
		"--device-allow=/dev/null w",
		"--device-allow=/dev/null m",
		"--device-allow=/dev/null r|--device-allow=/dev/null w",
		"--device-allow=char-mem rw|--device-allow=/dev/zero m",
		"--device-allow=block-loop r",
		"--device-allow=/dev/loop0 w|--device-allow=char-pt* rw|--device-allow=/dev/ptmx rw",
		"--device-policy=closed|--device-allow=/dev/kmsg r",
		"--device-policy=auto|--device-allow=char-misc rwm",
	} {
		words := append(strings.Split(options, "|"), "--", probe, "ask")
		v2 := errnos(limitStart(name, words...)...)
		equal(t, "groups of v1", len(limitGroups(t, name)), 0)
		v1 := errnos(append(withoutBPF(), limitStart(name, words...)...)...)
		equal(t, "groups of v1", len(limitGroups(t, name)), 1)
		for _, home := range limitGroups(t, name) {
			equal(t, "group of v1", home, "/sys/fs/cgroup/devices/"+name)
			placeGone(t, home)
		}
		same, kept := 0, 0
		for i := range acts {
			if v1[i] != v2[i] {
				t.Errorf("%s: %s: v1 answers %q, cgroup2 %q", options, acts[i], v1[i], v2[i])
			}
			if v2[i] == bare[i] {
				same++
			} else {
				kept++
			}
		}
		if same == 0 || kept == 0 {
			t.Errorf("%s: %d acts as without it, %d others", options, same, kept)
		}
	}
	// With a parent the group is removed.
	r := runs(t, append(withoutBPF(), limitStart(name, "--init", "--device-policy=closed", "--", probe, "try", "open", "/dev/kmsg", "r")...)...)
	denied(t, r, "EPERM")
	equal(t, "groups of v1", len(limitGroups(t, name)), 0)
	// Together with programs that cannot be had.
	r = runs(t, append(withoutBPF(), limitStart(name, "--device-policy=closed", "--ip-address-deny=any", "--", probe)...)...)
	refused(t, r, 219, "IPAddressDeny=", "not permitted")
	// What PrivateDevices= implies, with --strict.
	a := asked(t, program{argv: append(withoutBPF(), limitStart(name, "--private-devices", "--strict", "--", probe, "ask")...)}, "open /proc/"+itoa(os.Getpid())+"/root/dev/kmsg r", "open /dev/null rw")
	equal(t, "by way of another process", a[0].Errno+","+a[1].Errno, "EPERM,")
}

// Limits of v1 and programs of cgroup2 hold at once, and are removed together.
func TestLegacyTogether(t *testing.T) {
	t.Parallel()
	name := limited(t, "memory", "pids", "cpu", "cpuset")
	options := slices.Concat(placeWays, []string{"--memory-max=30M", "--tasks-max=5", "--cpu-quota=80%", "--allowed-cpus=0", "--init", "--user=nobody", "--caps=none"})
	r := runs(t, limitStart(name, append(options, "--", "sh", "-c", `"$0" try fork 10; "$0" try open /dev/kmsg r; "$0" try bind 54; grep Cpus_allowed_list /proc/self/status; exit 0`, probe)...)...)
	var errnos []string
	for l := range strings.Lines(r.stdout) {
		if l[0] == '{' {
			errnos = append(errnos, decode[answer](t, l).Errno)
		}
	}
	equals(t, "answers", errnos, []string{"EAGAIN", "EPERM", "EPERM"})
	if !strings.HasSuffix(r.stdout, "Cpus_allowed_list:\t0\n") || r.stderr != "" || r.code != 0 {
		t.Errorf("status %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	equal(t, "groups of v1", len(limitGroups(t, name)), 0)
	equal(t, "the group of cgroup2", exists(group.Dir+"/tests/"+name), false)
}
