//go:build linux

package integration

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// requireGroup skips what needs a control group of cgroup2 that the tests may make groups in.
func requireGroup(t *testing.T) {
	t.Helper()
	requireRoot(t)
	if group.Dir == "" {
		t.Skip("needs cgroup2: ", group.Why)
	}
}

// placeGroup makes a group below that of the tests, and takes it away with all below it
// when the test has ended.
func placeGroup(t *testing.T) (dir string) {
	t.Helper()
	requireGroup(t)
	dir = group.Dir + "/place-" + strings.ReplaceAll(filepath.Base(directory(t, 0o755)), "dir-", "")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { placeGone(t, dir) })
	return dir
}

// placeGone removes a group, once the processes in it have ended.
func placeGone(t *testing.T, dir string) {
	t.Helper()
	eventually(t, dir+" is empty", func() bool {
		for _, d := range slices.Backward(placeTree(t, dir)) {
			_ = os.Remove(d)
		}
		return !exists(dir)
	})
}

// placeTree are a group and those below it, each after the one above it.
func placeTree(t *testing.T, dir string) []string {
	t.Helper()
	if !exists(dir) {
		return nil
	}
	list := []string{dir}
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, placeTree(t, dir+"/"+e.Name())...)
		}
	}
	return list
}

// placeIn is a start with a group as its own.
func placeIn(dir string, argv ...string) []string {
	return append([]string{"sh", "-euc", `echo $$ >"$0/cgroup.procs"; exec "$@"`, dir}, argv...)
}

// placeSaid is the group of cgroup2 in a text of /proc/PID/cgroup.
func placeSaid(t *testing.T, text string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(l, "0::"); ok {
			return strings.TrimSuffix(path, "\n")
		}
	}
	t.Errorf("no group of cgroup2 in %q", text)
	return ""
}

// placeOf is the group in which the probe is, started that way.
func placeOf(t *testing.T, argv ...string) string {
	t.Helper()
	a := asked(t, program{argv: argv}, "read /proc/self/cgroup")[0]
	return placeSaid(t, a.Act)
}

// placeWays are a few confinements that need a group.
var placeWays = []string{"--device-policy=closed", "--ip-address-deny=any", "--ip-address-allow=localhost", "--socket-bind-deny=any", "--socket-bind-allow=tcp:53"}

// placeConfined holds that a start that way is confined, and its counterpart is not.
func placeConfined(t *testing.T, before []string) {
	t.Helper()
	acts := []string{"open /dev/zero r", "open /dev/kmsg r", "bind 53", "bind 54"}
	errno := func(argv ...string) (list []string) {
		for _, a := range asked(t, program{argv: argv}, acts...) {
			list = append(list, a.Errno)
		}
		return list
	}
	unshare := append(slices.Clone(before), "unshare", "--net", "--")
	equals(t, "with it", errno(append(unshare, starting(placeWays...)...)...), []string{"", "EPERM", "", "EPERM"})
	equals(t, "without", errno(append(unshare, probe, "ask")...), []string{"", "", "", ""})
}

// placeAlone is a script that leaves cgroup2 alone in sight, as the whole of it.
const placeAlone = "umount --recursive /sys/fs/cgroup\nmount -t cgroup2 cgroup2 /sys/fs/cgroup\n"

// The group is below the own one, or where --cgroup says; what is missing on the way is made.
func TestCGroupPlaces(t *testing.T) {
	dir := placeGroup(t)
	path := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
	mount := strings.TrimSuffix(dir, path)
	for _, x := range []struct{ option, want string }{
		{"--device-policy=closed", path + "/hardrun-probe"},
		{"--cgroup=web", path + "/web"},
		{"--cgroup=a/b/c", path + "/a/b/c"},
		{"--cgroup=" + path + "/x/y", path + "/x/y"},
		{"--cgroup=" + mount + path + "/x/z", path + "/x/z"},
		{"--cgroup=a b", path + "/a b"},
		{"--cgroup=\\", path + "/\\"},
	} {
		for range 2 { // made, and made anew
			equal(t, x.option, placeOf(t, placeIn(dir, starting(x.option)...)...), x.want)
		}
	}
	equal(t, "without", placeOf(t, placeIn(dir, probe, "ask")...), path)
	placeConfined(t, placeIn(dir))
	// A name of the command that no group can have, and one that is too long.
	odd := copied(t, probe, directory(t, 0o755)+"/a\nb c\x7f…", 0o755)
	equal(t, "an odd command", placeOf(t, placeIn(dir, hardrun, "--device-policy=closed", "--", odd, "ask")...), path+"/hardrun-a_b_c____")
	long := copied(t, probe, directory(t, 0o755)+"/"+strings.Repeat("x", 255), 0o755)
	equal(t, "a long command", placeOf(t, placeIn(dir, hardrun, "--device-policy=closed", "--", long, "ask")...), path+"/hardrun-"+strings.Repeat("x", 200))

	before := len(placeTree(t, dir))
	for option, word := range map[string]string{
		"--cgroup=":                            "--cgroup",
		"--cgroup=/":                           `"/"`,
		"--cgroup=.":                           `"."`,
		"--cgroup=..":                          `".."`,
		"--cgroup=a/../../b":                   `".."`,
		"--cgroup=a//b":                        "without a name",
		"--cgroup=a/":                          "without a name",
		"--cgroup=a\nb":                        `a\nb`,
		"--cgroup=a\x7fb":                      "--cgroup",
		"--cgroup=cgroup.procs":                "cgroup.procs",
		"--cgroup=memory.max/x":                "memory.max",
		"--cgroup=" + strings.Repeat("x", 256): "255",
	} {
		r := program{argv: placeIn(dir, hardrun, option, "--", probe)}.run(t)
		refused(t, r, 64, word)
	}
	equal(t, "groups", len(placeTree(t, dir)), before)
	// Deeper than the kernel goes.
	if err := os.WriteFile(dir+"/cgroup.max.depth", []byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	refused(t, program{argv: placeIn(dir, hardrun, "--cgroup=m/n/o", "--", probe)}.run(t), 219, "mkdir", "--cgroup")
}

// cgroup2 alone, as a container or a newer machine has it.
func TestCGroupPlacesAlone(t *testing.T) {
	dir := placeGroup(t)
	unshare := []string{"unshare", "--mount", "--cgroup", "--propagation=private", "--"}
	for name, before := range map[string][]string{
		"a namespace": placeIn(dir, append(unshare, "sh", "-euc", placeAlone+`exec "$@"`, "sh")...),
		"a bind":      placeIn(dir, private("mount --bind "+dir+" /srv\numount --recursive /sys/fs/cgroup\nmount --move /srv /sys/fs/cgroup")...),
		"a container": placeIn(dir, append([]string{"unshare", "--mount", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, "sh", "-euc", placeAlone+`exec "$@"`, "sh")...),
	} {
		t.Run(name, func(t *testing.T) {
			path := "/hardrun-probe"
			web := "/web"
			if name == "a bind" { // the namespace of groups is the machine's
				own := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
				path, web = own+path, own+web
			}
			equal(t, "default", placeOf(t, append(before, starting("--device-policy=closed")...)...), path)
			equal(t, "relative", placeOf(t, append(before, starting("--cgroup=web")...)...), web)
			equal(t, "absolute", placeOf(t, append(before, starting("--cgroup=/web")...)...), web)
			equal(t, "by the mount", placeOf(t, append(before, starting("--cgroup=/sys/fs/cgroup/web")...)...), web)
			equal(t, "with a parent", placeOf(t, append(before, starting("--cgroup=web", "--init")...)...), web)
			placeConfined(t, before)
			if exists(dir + "/web") {
				t.Error("the parent has not removed the group")
			}
			// v1 is nowhere mounted.
			r := program{argv: append(slices.Clone(before), hardrun, "--memory-max=50M", "--", probe)}.run(t)
			refused(t, r, 219, "MemoryMax=", "the controller memory is not here", "--waive=MemoryMax")
		})
	}
}

// What cannot be had is said all together, each by its name, with the way out.
func TestCGroupRefused(t *testing.T) {
	dir := placeGroup(t)
	names := []string{"DevicePolicy=", "IPAddressDeny=", "SocketBindDeny=", "--waive=DevicePolicy,IPAddressDeny,SocketBindDeny"}
	userns := []string{"unshare", "--user", "--map-root-user", "--"}
	if !works(append(userns, "true")...) {
		userns = nil
	}
	noDevices := "for i in /sys/fs/cgroup/devices; do umount $i; done\n" // v1 would do in place of DevicePolicy=
	for _, x := range []struct {
		name   string
		before []string
		why    string
	}{
		{"no cgroup2", private(noDevices + "umount " + strings.TrimSuffix(group.Dir, group.Path)), "no file system of type cgroup2 is mounted"},
		{"read-only", private(noDevices + "mount -o remount,bind,ro " + strings.TrimSuffix(group.Dir, group.Path)), "read-only file system"},
		{"another user", private(noDevices, asUser(65534)...), "permission denied"},
		{"without capabilities", private(noDevices, with("without=12,21,38,39")...), "operation not permitted"},
		{"without capabilities, by hardrun", private(noDevices, hardrun, "--caps=~net_admin,sys_admin,perfmon,bpf", "--"), "operation not permitted"},
		{"user namespace", private(noDevices, userns...), "operation not permitted"},
		{"no /proc", private(noDevices + "umount -l /proc"), "there is none"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.name == "user namespace" && userns == nil {
				t.Skip("needs user namespaces")
			}
			start := func(words ...string) result {
				t.Helper()
				return program{argv: slices.Concat(placeIn(dir, x.before...), []string{hardrun}, words)}.run(t)
			}
			r := start("--device-policy=closed", "--ip-address-deny=any", "--ip-address-allow=localhost", "--socket-bind-deny=any", "--", probe)
			equal(t, "status", r.code, 219)
			equal(t, "started", r.started(), false)
			for _, w := range append([]string{x.why}, names...) {
				if !strings.Contains(r.stderr, w) {
					t.Errorf("%q does not say %q", r.stderr, w)
				}
			}
			equal(t, "lines", strings.Count(r.stderr, "\n"), 4)
			// One that is waived is said once, and all else holds.
			r = start("--ip-address-deny=any", "--waive=IPAddressDeny", "--no-new-privs", "--", probe)
			equal(t, "no_new_privs", r.state(t).NNP, 1)
			equal(t, "lines of a waiver", strings.Count(r.stderr, "\n"), 1)
			if !strings.HasPrefix(r.stderr, "hardrun: waived IPAddressDeny=: ") || !strings.Contains(r.stderr, x.why) {
				t.Errorf("waived: %q", r.stderr)
			}
			refused(t, start("--ip-address-deny=any", "--waive=IPAddressDeny", "--strict", "--", probe), 219, "IPAddressDeny=", x.why)
			// What decides where the daemon is cannot be waived.
			if x.name == "no cgroup2" || x.name == "another user" {
				refused(t, start("--cgroup=web", "--", probe), 219, "--cgroup")
				refused(t, start("--cgroup=web", "--waive=X-Hardrun-CGroup", "--", probe), 64, "waive")
			}
			if tree := placeTree(t, dir); len(tree) != 1 {
				t.Errorf("left are %q", tree)
			}
		})
	}
}

// works tells whether a program ends with 0.
func works(argv ...string) bool {
	cmd := program{argv: argv}.command(context.Background())
	return cmd.Run() == nil
}

// A group that belongs to a user is enough for a place, and no program can be had.
func TestCGroupDelegatedToUser(t *testing.T) {
	dir := placeGroup(t)
	path := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
	start := func(words ...string) []string {
		return placeIn(dir, asUser(attackerID, append([]string{hardrun}, words...)...)...)
	}
	refused(t, program{argv: start("--cgroup=web", "--", probe)}.run(t), 219, "permission denied", "--cgroup")
	for _, name := range []string{"", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"} {
		if err := os.Chown(dir+name, attackerID, attackerID); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "group", placeOf(t, start("--cgroup=web", "--", probe, "ask")...), path+"/web")
	equal(t, "group, made anew", placeOf(t, start("--cgroup=web", "--", probe, "ask")...), path+"/web")
	var st unix.Stat_t
	if err := unix.Stat(dir+"/web", &st); err != nil || st.Uid != uint32(attackerID) || st.Mode != unix.S_IFDIR|unix.S_ISVTX|0o711 {
		t.Errorf("the group is of %d, mode %o, %v", st.Uid, st.Mode, err)
	}
	equal(t, "with a parent", placeOf(t, start("--cgroup=parent", "--init", "--", probe, "ask")...), path+"/parent")
	equal(t, "the parent has removed it", exists(dir+"/parent"), false)
	equal(t, "kill", program{argv: start("--cgroup=kill", "--kill-mode=control-group", "--", "sh", "-c", "setsid sleep 1000 & exit 5")}.run(t).code, 5)
	equal(t, "the parent has killed what was left", exists(dir+"/kill"), false)
	refused(t, program{argv: start("--cgroup=web", "--device-policy=closed", "--", probe)}.run(t), 219, "DevicePolicy=", "not permitted", "--waive=DevicePolicy")
	refused(t, program{argv: start("--ip-address-deny=any", "--", probe)}.run(t), 219, "IPAddressDeny=", "not permitted", "--waive=IPAddressDeny")
}

// A mount of cgroup2 that another covers is none: the group is below the own one, or the
// start is refused.
func TestCGroupCoveredMount(t *testing.T) {
	dir := placeGroup(t)
	path := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
	mount := strings.TrimSuffix(dir, path)
	other, own := mkdir(t, dir+"/other"), mkdir(t, dir+"/own")
	for name, script := range map[string]string{
		"by another group": "mount --bind " + other + " " + mount,
		"by the own group": "mount --bind " + dir + " " + mount,
		"from above":       "mount --bind " + dir + " /sys/fs/cgroup",
		"by nothing":       "mount -t tmpfs tmpfs " + mount,
	} {
		r := program{argv: placeIn(own, private(script, starting("--ip-address-deny=any")...)...), stdin: "read\t/proc/self/cgroup\n"}.run(t)
		switch {
		case r.code == 219 && !r.started():
		case r.code == 0 && placeSaid(t, decode[answer](t, r.stdout).Act) == path+"/own/hardrun-probe":
		default:
			t.Errorf("covered %s: status %d, %q, %q", name, r.code, r.stdout, r.stderr)
		}
		if tree := placeTree(t, other); len(tree) > 1 {
			t.Errorf("covered %s: made are %q", name, tree)
			for _, d := range slices.Backward(tree[1:]) {
				_ = os.Remove(d)
			}
		}
	}
}
