package launcher

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

const drivers = "Character devices:\n  1 mem\n136 pts\n254 rtc\n\nBlock devices:\n  8 sd\n 65 sd\n"

// nodesText is a device as ls(1) shows it, with "*" for every number.
func nodesText(list []cgroup.Device) string {
	var out []string
	for _, d := range list {
		kind, major, minor, access := "c", strconv.Itoa(int(d.Major)), strconv.Itoa(int(d.Minor)), ""
		if d.Block {
			kind = "b"
		}
		if d.Major == cgroup.AnyMajor {
			major = "*"
		}
		if d.Minor == cgroup.AnyMinor {
			minor = "*"
		}
		for _, a := range []struct {
			bit  cgroup.Access
			name string
		}{{cgroup.Read, "r"}, {cgroup.Write, "w"}, {cgroup.Mknod, "m"}} {
			if d.Access&a.bit != 0 {
				access += a.name
			}
		}
		out = append(out, kind+" "+major+":"+minor+" "+access)
	}
	return strings.Join(out, ", ")
}

// A device is named by its node, by its numbers, or by its driver.
func TestDevicesOf(t *testing.T) {
	dir := tree{"file=0644": "x"}.make(t)
	find := func(node string) string {
		list, err := devicesOf(drivers, policy.DeviceRule{Node: node, Access: cgroup.Read | cgroup.Mknod})
		if err != nil {
			return strings.ReplaceAll(fails(err), dir, "@")
		}
		return nodesText(list)
	}
	for node, want := range map[string]string{
		"/dev/null":        "c 1:3 rm",
		"/dev/none":        "", // it may come
		"char-pts":         "c 136:* rm",
		"block-s?":         "b 8:* rm, b 65:* rm",
		"block-pts":        "",
		"/dev/char/4:5":    "c 4:5 rm",
		"/dev/block/8:17":  "b 8:17 rm",
		"/dev/char/4":      "/dev/char/4: no numbers of a device",
		"/dev/char/x:5":    "/dev/char/x:5: no numbers of a device",
		"/dev/block/8:y":   "/dev/block/8:y: no numbers of a device",
		"/dev/block/8:17 ": "/dev/block/8:17 : no numbers of a device",
		dir + "/file":      "@/file is no device",
		dir + "/file/x":    "stat @/file/x: not a directory",
	} {
		if got := find(node); got != want {
			t.Errorf("%s: %q, want %q", node, got, want)
		}
	}
	inOwnMounts(t, func() {
		if !memory(t, dir, 0, nil) {
			return
		}
		if err := unix.Mknod(dir+"/disk", unix.S_IFBLK|0o600, int(unix.Mkdev(8, 16))); err != nil {
			t.Logf("no devices can be made: %v", err)
			return
		}
		if got := find(dir + "/disk"); got != "b 8:16 rm" {
			t.Errorf("a disk: %q", got)
		}
	})
}

// What the text of /proc/devices tells is looked for where a directive is about devices.
func TestReadDevices(t *testing.T) {
	_, with := tree{"devices=0644": drivers}.open(t)
	_, without := tree{}.open(t)
	const missing = "=: open /proc/devices: no such file or directory (x.service:3)"
	for _, tt := range []struct {
		set  string
		proc int
		want string
	}{
		{"DeviceAllow=char-pts r|DeviceAllow=/dev/none|DeviceAllow=/dev/zero w", with, "c 136:* rw; c 254:* r; c 136:* r; ; c 1:5 w"},
		{"DeviceAllow=/dev/null/x r", with, "c 136:* rw; c 254:* r; ; DeviceAllow=: stat /dev/null/x: not a directory (x.service:3)"},
		{"DeviceAllow=char-pts r", -1, "; ; "},
		{"DeviceAllow=char-pts r", without, "; ; ; DeviceAllow" + missing},
		{"DevicePolicy=closed|DeviceAllow=/dev/null r", without, "; ; c 1:3 r; DeviceAllow" + missing},
		{"DevicePolicy=closed", without, "; ; DevicePolicy" + missing},
		{"PrivateDevices=yes", without, "; ; PrivateDevices" + missing},
		{"TasksMax=5", without, "; "},
	} {
		e := &Env{handles: handles{proc: tt.proc}}
		e.readDevices(policyOf(t, strings.Split(tt.set, "|")...))
		got := []string{nodesText(e.CGroups.Terminals), nodesText(e.CGroups.Clocks)}
		for _, list := range e.CGroups.Devices {
			got = append(got, nodesText(list))
		}
		if got := strings.Join(append(got, problems(e)...), "; "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.set, got, tt.want)
		}
	}
	// What is bound below a private /dev is a device there; all else that is bound is not.
	for set, want := range map[string]string{
		"PrivateDevices=yes|BindPaths=/dev/zero:/dev/mine":                               "c 1:5 rw",
		"PrivateDevices=yes|BindPaths=/dev/zero:/dev":                                    "c 1:5 rw",
		"PrivateDevices=yes|BindPaths=/dev/zero:/dev/mine|BindReadOnlyPaths=/dev/null":   "c 1:5 rw, c 1:3 rw",
		"PrivateDevices=yes|BindPaths=/dev/zero:/srv|BindPaths=/etc:/dev/e /none:/dev/n": "",
		"BindPaths=/dev/zero:/dev/mine":                                                  "",
	} {
		e := &Env{}
		e.readBound(policyOf(t, strings.Split(set, "|")...))
		if got := nodesText(e.CGroups.Bound); got != want || len(e.Problems) > 0 {
			t.Errorf("%s: %q, want %q; %q", set, got, want, problems(e))
		}
	}
}

// A percentage is one of the memory, the swap, or the tasks that the machine has.
func TestReadAmounts(t *testing.T) {
	_, proc := tree{"sys/kernel/pid_max=0644": "32768\n", "sys/kernel/threads-max=0644": "1000\n"}.open(t)
	_, fewer := tree{"sys/kernel/pid_max=0644": "500\n", "sys/kernel/threads-max=0644": "1000\n"}.open(t)
	_, none := tree{"sys/kernel/pid_max=0644": "500\n"}.open(t)
	_, words := tree{"sys/kernel/pid_max=0644": "many\n", "sys/kernel/threads-max=0644": "1000\n"}.open(t)
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	memory, swap := uint64(info.Totalram)*uint64(info.Unit), uint64(info.Totalswap)*uint64(info.Unit)
	for _, tt := range []struct {
		set          string
		proc         int
		memory, swap uint64
		tasks        uint64
		problem      string
	}{
		{"MemoryMax=50%", proc, memory, swap, 0, ""},
		{"MemorySwapMax=50%", proc, memory, swap, 0, ""},
		{"MemoryMax=1G", proc, 0, 0, 0, ""},
		{"TasksMax=10%", proc, 0, 0, 1000, ""},
		{"TasksMax=10%", fewer, 0, 0, 500, ""},
		{"TasksMax=10", fewer, 0, 0, 0, ""},
		{"TasksMax=10%", -1, 0, 0, 0, "TasksMax=: there is no /proc to read pid_max from (x.service:3)"},
		{"TasksMax=10%", none, 0, 0, 0, "TasksMax=: open /proc/sys/kernel/threads-max: no such file or directory (x.service:3)"},
		{"TasksMax=10%", words, 0, 0, 0, `TasksMax=: /proc/sys/kernel/pid_max: strconv.ParseUint: parsing "many": invalid syntax (x.service:3)`},
	} {
		e := &Env{handles: handles{proc: tt.proc}}
		e.readAmounts(policyOf(t, tt.set))
		g := &e.CGroups
		if got := strings.Join(problems(e), "; "); g.Memory != tt.memory || g.Swap != tt.swap || g.Tasks != tt.tasks || got != tt.problem {
			t.Errorf("%s: %d of memory, %d of swap, %d tasks, %q; want %+v", tt.set, g.Memory, g.Swap, g.Tasks, got, tt)
		}
	}
	for errno, want := range map[unix.Errno]string{
		unix.EIO: "MemoryMax=: sysinfo: input/output error (x.service:3)",
		0:        "MemoryMax=: sysinfo: answered without an answer (x.service:3)",
	} {
		answering(t, unix.SYS_SYSINFO, errno, func() {
			e := &Env{}
			e.readAmounts(policyOf(t, "MemoryMax=50%"))
			if got := problems(e); !slices.Equal(got, []string{want}) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// A limit of a disk is one of the whole disk: of that which a path names, or on which it lies.
func TestReadDisks(t *testing.T) {
	dir := tree{"none": "/", "dev": "/"}.make(t)
	inOwnMounts(t, func() {
		if !memory(t, dir+"/dev", 0, nil) {
			return
		}
		for minor := range 6 {
			if err := unix.Mknod(fmt.Sprintf("%s/dev/d%d", dir, minor), unix.S_IFBLK|0o600, int(unix.Mkdev(8, uint32(minor)))); err != nil {
				t.Logf("no devices can be made: %v", err)
				return
			}
		}
		// Partitions lie in the directory of their disk, whose "dev" has its numbers.
		const sys = "/sys/dev/block"
		if !memory(t, sys, 0, map[string]string{
			"8:0/dev": "8:0\n", "a/dev": "8:0\n", "a/part/partition": "1\n", "b/part/partition": "1\n",
			"c/dev": "x:0\n", "c/part/partition": "1\n", "d/dev": "8:\n", "d/part/partition": "1\n", "e": "",
		}) {
			return
		}
		for minor, to := range []string{1: "a", 2: "b", 3: "c", 4: "d"} {
			if to != "" {
				if err := os.Symlink(to+"/part", fmt.Sprintf("%s/8:%d", sys, minor)); err != nil {
					t.Error(err)
				}
			}
		}
		if err := os.Symlink("e", sys+"/8:5"); err != nil {
			t.Error(err)
		}
		for _, tt := range []struct{ path, want string }{
			{"@/dev/d0", "8:0"},
			{"@/dev/d1", "8:0"},
			{"@/dev/d2", "0:0; IOReadBandwidthMax=: open /sys/dev/block/8:2/../dev: no such file or directory (x.service:3)"},
			{"@/dev/d3", `0:0; IOReadBandwidthMax=: /sys/dev/block/8:3/../dev: "x:0\n" (x.service:3)`},
			{"@/dev/d4", `0:0; IOReadBandwidthMax=: /sys/dev/block/8:4/../dev: "8:\n" (x.service:3)`},
			{"@/dev/d5", "0:0; IOReadBandwidthMax=: stat /sys/dev/block/8:5/partition: not a directory (x.service:3)"},
			{"@/dev", "0:0; IOReadBandwidthMax=: @/dev lies on no single block device: name the device (x.service:3)"},
			{"@/dev/none", "0:0; IOReadBandwidthMax=: stat @/dev/none: no such file or directory (x.service:3)"},
		} {
			e := &Env{}
			e.readDisks(policyOf(t, "IOReadBandwidthMax="+strings.ReplaceAll(tt.path, "@", dir)+" 1M"))
			got := ""
			for _, d := range e.CGroups.Disks {
				got += fmt.Sprintf("%d:%d", d[0], d[1])
			}
			if got = strings.ReplaceAll(strings.Join(append([]string{got}, problems(e)...), "; "), dir, "@"); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
			}
		}
	})
}

// A group has the controllers of the nearest one above it, and those which the ones above that
// can be made to hand down.
func TestOffers(t *testing.T) {
	dir := tree{
		"cgroup.controllers=0644": "cpu io memory pids\n", "cgroup.subtree_control=0644": "",
		"a/cgroup.controllers=0644": "cpu memory\n", "a/b/cgroup.controllers=0644": "cpu\n", "a/b/cgroup.subtree_control=0644": "",
	}.make(t)
	of := &cgroup.Tree{Unified: true, Mount: dir + "/"}
	for _, tt := range []struct {
		who, path string
		want      []string
	}{
		{"root", "/a/new/x", []string{"cpu", "memory", "io", "pids"}},
		{"root", "/new/x", []string{"cpu", "io", "memory", "pids"}},
		{"self", "/new", []string{"cpu", "io", "memory", "pids"}},
		{"self", "/a/new", []string{"cpu", "memory", "io", "pids"}},
		{"root", "/a/b/x", []string{"cpu", "memory", "io", "pids"}},
		{"self", "/a/new/x", []string{"cpu", "memory", "io", "pids"}},
		{"self", "/a/b/x", []string{"cpu"}}, // nothing can be written in a/
	} {
		e := &Env{For: tt.who}
		if got := e.offers(of, tt.path); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %s: %q, want %q", tt.who, tt.path, got, tt.want)
		}
	}
}

// withGroups is an Env whose /proc/self shows cgroup2 in one place, and where it is not.
func withGroups(t *testing.T, who, at string, id uint64, more tree) *Env {
	t.Helper()
	files := tree{
		"cgroup=0644":    "0::/\n",
		"mountinfo=0644": fmt.Sprintf("%d 1 0:1 / %s rw - cgroup2 cgroup2 rw\n%d 1 0:1 / / rw - cgroup2 cgroup2 rw\n", id, at, id),
		"ns/user":        "-> user:[4026531837]",
	}
	for name, text := range more {
		files[name] = text
		if text == "" {
			delete(files, name)
		}
	}
	_, self := files.open(t)
	e := &Env{For: who, GOOS: "linux", handles: handles{proc: -1, self: self}}
	e.Caps.Effective = 1 << capSysAdmin
	return e
}

// Control groups are looked at where a directive needs one, and what cannot be had is told by
// what it is.
func TestReadCGroups(t *testing.T) {
	at := t.TempDir()
	inOwnMounts(t, func() {
		id := groups(t, at, "cgroup2", "")
		if id == 0 {
			return
		}
		for _, tt := range []struct {
			set  string
			who  string
			more tree
			lack string
		}{
			{"TasksMax=5", "self", tree{}, ""},
			{"PrivateDevices=yes", "self", tree{}, ""},
			{"TasksMax=5", "self", tree{"cgroup=0644": ""}, "open /proc/cgroup: no such file or directory"},
			{"TasksMax=5", "self", tree{"mountinfo=0644": ""}, "open /proc/mountinfo: no such file or directory"},
			{"TasksMax=5", "self", tree{"ns/user": "-> net:[1]"}, "readlinkat(/proc/self/ns/user): no name of a user namespace"},
			{"TasksMax=5", "root", tree{"ns/user": ""}, ""},
		} {
			e := withGroups(t, tt.who, at, id, tt.more)
			e.readCGroups(policyOf(t, tt.set), []string{"/bin/daemon"})
			g := &e.CGroups
			if !g.Read || g.Lack != tt.lack {
				t.Errorf("%s: read %v, %q, want %q", tt.set, g.Read, g.Lack, tt.lack)
			}
			if tt.lack != "" {
				continue
			}
			// The mount of "/" is no file system of groups, and the same hierarchy counts once.
			if len(g.Trees) != 1 || len(g.Homes) != 1 || len(g.Access) != 1 || g.Homes[0].Path != "/hardrun-daemon" || g.Access[0].Lack != "" {
				t.Errorf("%s: %+v, %+v, %+v", tt.set, g.Trees, g.Homes, g.Access)
			}
		}
		// Where nothing needs one, nothing is looked at.
		e := withGroups(t, "self", at, id, nil)
		e.readCGroups(policyOf(t, "User=daemon"), nil)
		if e.CGroups.Read {
			t.Errorf("%+v", e.CGroups)
		}
		// What directives are about is read with it.
		e = withGroups(t, "self", at, id, nil)
		e.readCGroups(policyOf(t, "PrivateDevices=yes", "BindPaths=/dev/zero:/dev/mine", "MemoryMax=50%", "IOReadBandwidthMax=/none 1M", "DeviceAllow=/dev/null r"), nil)
		g := &e.CGroups
		if len(g.Bound) != 1 || g.Memory == 0 || len(g.Disks) != 1 || len(g.Devices) != 1 || len(e.Problems) != 1 {
			t.Errorf("%+v, %q", g, problems(e))
		}
		// Whoever may not write there makes no group.
		for who, want := range map[string]bool{"self": true, "root": false} {
			e := withGroups(t, who, at, id, nil)
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
			}
			e.readCGroups(policyOf(t, "TasksMax=5"), nil)
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err)
			}
			if a := e.CGroups.Access; len(a) != 1 || strings.HasSuffix(a[0].Lack, "permission denied") != want {
				t.Errorf("%s: %+v", who, a)
			}
		}
	})
}

// A v1 hierarchy counts where a directive is for one of its controllers.
func TestReadLegacy(t *testing.T) {
	mounted, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mounted), ":devices:") {
		t.Skip("needs the devices controller of cgroup v1")
	}
	at := t.TempDir()
	inOwnMounts(t, func() {
		id := groups(t, at, "cgroup", "devices") // the hierarchy that is there
		_, self := tree{
			"cgroup=0644":    "5:devices:/\n",
			"mountinfo=0644": fmt.Sprintf("%d 1 0:1 / %s rw - cgroup cgroup rw,devices\n", id, at),
			"ns/user":        "-> user:[4026531837]",
		}.open(t)
		for set, want := range map[string]int{"DevicePolicy=closed": 1, "TasksMax=5": 0} {
			e := &Env{For: "root", GOOS: "linux", handles: handles{proc: -1, self: self}}
			e.readCGroups(policyOf(t, set), []string{"/bin/daemon"})
			g := &e.CGroups
			if len(g.Trees) != 1 || len(g.Homes) != want || len(g.Access) != want {
				t.Errorf("%s: %+v, %+v, %+v", set, g.Trees, g.Homes, g.Access)
			}
		}
	})
}

// One hierarchy counts once, where it can be seen.
func TestReachable(t *testing.T) {
	dir := t.TempDir()
	inOwnMounts(t, func() {
		id := groups(t, dir, "cgroup2", "")
		if id == 0 {
			return
		}
		there := cgroup.Tree{Unified: true, Mount: dir, Own: "/first", ID: id}
		again, covered, none := there, there, there
		again.Own, covered.ID, covered.Own, none.Mount, none.Own = "/again", id+1, "/covered", "/none", "/none"
		if got := reachable([]cgroup.Tree{none, covered, there, again}); len(got) != 1 || got[0].Own != "/first" {
			t.Errorf("%+v", got)
		}
	})
}

// Programs are asked for where a directive needs one, by a plan for this machine.
func TestReadPrograms(t *testing.T) {
	answering(t, unix.SYS_BPF, unix.EPERM, func() {
		const denied = "bpf(BPF_PROG_LOAD): operation not permitted"
		for _, tt := range []struct{ set, who, want string }{
			{"IPAddressDeny=any", "self", denied},
			{"PrivateDevices=yes", "self", denied},
			{"TasksMax=5", "self", ""},
			{"IPAddressDeny=any", "root", ""},
		} {
			e := &Env{For: tt.who, GOOS: "linux", handles: handles{proc: -1, self: -1}}
			e.Caps.Effective = 1 << capSysAdmin
			e.readCGroups(policyOf(t, tt.set), nil)
			if e.CGroups.NoPrograms != tt.want {
				t.Errorf("%s, %s: %q, want %q", tt.set, tt.who, e.CGroups.NoPrograms, tt.want)
			}
		}
	})
}

// RestrictFileSystems= needs the BPF security module, and the right to load a program of it.
func TestReadFiles(t *testing.T) {
	read := func(who, set string) string {
		e := &Env{For: who, GOOS: "linux", handles: handles{proc: -1, self: -1}}
		e.readCGroups(policyOf(t, set), nil)
		return e.CGroups.NoFiles
	}
	const security = "/sys/kernel/security"
	inOwnMounts(t, func() {
		if !memory(t, security, 0, map[string]string{"lsm": "capability,landlock"}) {
			return
		}
		// The kernel is asked as before Linux 6.8.
		err := errors.Join(testrow.Answer(unix.SYS_LSM_LIST_MODULES, unix.ENOSYS), testrow.Answer(unix.SYS_BPF, unix.EPERM))
		if err != nil {
			t.Error(err)
		}
		const inactive = "the BPF security module is not active: the kernel needs \"bpf\" in its lsm= list"
		if got := read("self", "RestrictFileSystems=tmpfs"); got != inactive {
			t.Errorf("without it: %q", got)
		}
		if got := read("self", "TasksMax=5"); got != "" {
			t.Errorf("not asked for: %q", got)
		}
		if err := os.WriteFile(security+"/lsm", []byte("capability,bpf"), 0o644); err != nil {
			t.Error(err)
		}
		if got := read("self", "RestrictFileSystems=tmpfs"); got != "the kernel takes no program of a security module: bpf(BPF_PROG_LOAD): operation not permitted" {
			t.Errorf("without the right: %q", got)
		}
		if got := read("root", "RestrictFileSystems=tmpfs"); got != "" {
			t.Errorf("for root: %q", got)
		}
		if err := os.Remove(security + "/lsm"); err != nil {
			t.Error(err)
		}
		if got := read("root", "RestrictFileSystems=tmpfs"); got != "open /sys/kernel/security/lsm: no such file or directory" {
			t.Errorf("nothing to read: %q", got)
		}
	})
}
