//go:build linux

package integration

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/seccomp"
)

// What a living process has is compared with that of process 1, which on a machine of
// somebody else's may not be looked at: these tests run once more in a PID namespace, whose
// process 1 is the test itself.

const insideVariable = "HARDRUN_TEST_INSIDE"

// withInit runs the test in a PID namespace, and tells whether this is it.
func withInit(t *testing.T) bool {
	t.Helper()
	requireRoot(t)
	if os.Getenv(insideVariable) != "" {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideVariable+"=1", "HARDRUN="+hardrun)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a PID namespace: %v\n%s", err, out)
	}
	if text := string(out); !strings.Contains(text, "--- PASS: "+t.Name()) {
		t.Skipf("in a PID namespace: %s", text)
	}
	return false
}

// settled waits until a process, or a child of its where hardrun stays as a parent, has
// become the program of that name.
func settled(t *testing.T, d *daemon, name string) (pid int) {
	t.Helper()
	eventually(t, name+" of "+strings.Join(d.cmd.Args, " "), func() bool {
		pid = d.cmd.Process.Pid
		if status(t, pid, "State")[0] == 'Z' {
			t.Fatalf("%q has ended: %s", d.cmd.Args, d.stderr)
		}
		for range 3 {
			if comm, err := os.ReadFile("/proc/" + itoa(pid) + "/comm"); err == nil && strings.TrimSpace(string(comm)) == name {
				return true
			}
			children, _ := os.ReadFile("/proc/" + itoa(pid) + "/task/" + itoa(pid) + "/children")
			if pid, _ = strconv.Atoi(strings.TrimSpace(string(children))); pid == 0 {
				return false
			}
		}
		return false
	})
	return pid
}

// rows are the results of a process.
func rows(t *testing.T, r *inspect.Reader, pid int) [81]exposure.Result {
	t.Helper()
	p, err := r.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	return r.Results(p)
}

func reader(t *testing.T) *inspect.Reader {
	t.Helper()
	r, err := inspect.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// mark is a result in a letter or a number: ? for unknown, - for not applicable, and the
// badness, with ~ where it has something of it.
func mark(r *exposure.Result) string {
	switch {
	case r.Unknown:
		return "?"
	case r.NotApplicable:
		return "-"
	case r.Weaker:
		return "~" + strconv.Itoa(r.Badness)
	}
	return strconv.Itoa(r.Badness)
}

// unlike are the rows of a process that are not as those of another: "User=/DynamicUser= 0".
func unlike(all, plain *[81]exposure.Result) (list []string) {
	for i := range all {
		if m := mark(&all[i]); m != mark(&plain[i]) {
			id := exposure.Checks[i].ID
			id = strings.Replace(id, "CapabilityBoundingSet=~", "", 1)
			id = strings.Replace(id, "RestrictAddressFamilies=~", "", 1)
			id = strings.Replace(id, "RestrictNamespaces=~", "ns ", 1)
			id = strings.Replace(id, "SystemCallFilter=~", "", 1)
			list = append(list, strings.TrimSuffix(id, "=")+" "+m)
		}
	}
	return list
}

// effectiveStarts are starts of hardrun, and what is then not as in a process without it. What
// comes besides is true as well: a filter that denies the clock's calls leaves none of @clock,
// and where /dev has no kmsg, a part of ProtectKernelLogs= is had.
var effectiveStarts = []struct {
	name    string
	options []string
	want    string
}{
	{"PrivateNetwork", opt("--private-network"), "PrivateNetwork 0, PrivateMounts 0"},
	{"User", opt("--user=daemon"), "User=/DynamicUser 0, SupplementaryGroups 0, RemoveIPC ?"},
	{"User, nobody", opt("--user=nobody"), "User=/DynamicUser ~9, SupplementaryGroups 0, RemoveIPC ?"},
	{"NoNewPrivileges", opt("--no-new-privs"), "NoNewPrivileges 0"},
	{"PrivateDevices", opt("--private-devices"), "DeviceAllow 0, PrivateDevices 0, PrivateMounts 0, ProtectKernelLogs ~1, CAP_MKNOD 0, CAP_SYS_RAWIO 0, @privileged ~10, @raw-io 0"},
	{"PrivateMounts", opt("--private-mounts"), "PrivateMounts 0"},
	{"PrivateTmp", opt("--private-tmp"), "PrivateMounts 0, PrivateTmp 0"},
	{"PrivateUsers", opt("--private-users"), "PrivateUsers 0, ProtectClock 0, ProtectKernelLogs ~1, ProtectKernelModules 0"},
	{"ProtectClock", opt("--protect-clock"), "ProtectClock 0, CAP_SYS_TIME 0, CAP_WAKE_ALARM 0, @clock 0, @privileged ~10"},
	{"ProtectControlGroups", opt("--protect-control-groups"), "PrivateMounts 0, ProtectControlGroups 0"},
	{"ProtectControlGroups, private", opt("--protect-control-groups=private"), "PrivateMounts 0, ProtectControlGroups 0"},
	{"ProtectHome", opt("--protect-home"), "PrivateMounts 0, ProtectHome 0"},
	{"ProtectHome, tmpfs", opt("--protect-home=tmpfs"), "PrivateMounts 0, ProtectHome ~1"},
	{"ProtectHome, read-only", opt("--protect-home=read-only"), "PrivateMounts 0, ProtectHome ~5"},
	{"ProtectKernelLogs", opt("--protect-kernel-logs"), "PrivateMounts 0, ProtectKernelLogs 0, CAP_SYSLOG 0"},
	{"ProtectKernelModules", opt("--protect-kernel-modules"), "PrivateMounts 0, ProtectKernelModules 0, CAP_SYS_MODULE 0, @module 0, @privileged ~10"},
	{"ProtectKernelTunables", opt("--protect-kernel-tunables"), "PrivateMounts 0, ProtectKernelTunables 0, @obsolete ~10, @privileged ~10"},
	{"ProtectProc", opt("--protect-proc=invisible"), "PrivateMounts 0, ProtectProc 0"},
	{"ProtectProc, noaccess", opt("--protect-proc=noaccess"), "PrivateMounts 0, ProtectProc ~1"},
	{"ProtectProc, ptraceable", opt("--protect-proc=ptraceable"), "PrivateMounts 0, ProtectProc 0"},
	{"ProtectSystem", opt("--protect-system"), "PrivateMounts 0, ProtectSystem ~5"},
	{"ProtectSystem, full", opt("--protect-system=full"), "PrivateMounts 0, ProtectSystem ~3"},
	{"ProtectSystem, strict", opt("--protect-system=strict"), "PrivateMounts 0, ProtectSystem 0"},
	{"RestrictSUIDSGID", opt("--restrict-suid-sgid"), "RestrictSUIDSGID 0"},
	{"SystemCallArchitectures", opt("--system-call-architectures=native"), "SystemCallArchitectures 0"},
	{"SystemCallArchitectures, two", opt("--system-call-architectures=native x86"), "SystemCallArchitectures ~8"},
	{"AmbientCapabilities", opt("--user=daemon", "--ambient-capabilities=CAP_KILL"), "User=/DynamicUser 0, AmbientCapabilities 1, SupplementaryGroups 0, RemoveIPC ?"},
	{"RestrictRealtime", opt("--restrict-realtime"), "RestrictRealtime 0, @resources ~10"},
	{"SupplementaryGroups", opt("--user=daemon", "--supplementary-groups=games"), "User=/DynamicUser 0, SupplementaryGroups 1, RemoveIPC ?"},
	{"LockPersonality", opt("--lock-personality"), "LockPersonality 0"},
	{"MemoryDenyWriteExecute", opt("--memory-deny-write-execute"), ""},
	{"UMask, 0077", opt("--umask=0077"), "UMask 0"},
	{"UMask, 0027", opt("--umask=0027"), "UMask ~1"},
	{"UMask, 0007", opt("--umask=0007"), "UMask ~2"},
	{"UMask, 0000", opt("--umask=0000"), "UMask 10"},
	{"ProtectHostname", opt("--protect-hostname"), "PrivateMounts 0, ProtectHostname 0, @privileged ~10"},
	{"ProtectHostname, private", opt("--protect-hostname=private"), "ProtectHostname 0"},
	{"ProcSubset", opt("--proc-subset=pid"), "PrivateMounts 0, ProcSubset 0"},
	{"RestrictAddressFamilies, none", opt("--restrict-address-families=none"), "AF_(INET|INET6) 0, AF_NETLINK 0, AF_PACKET 0, AF_UNIX 0, … 0"},
	{"RestrictAddressFamilies", opt("--restrict-address-families=AF_UNIX AF_INET"), "AF_(INET|INET6) ~1, AF_NETLINK 0, AF_PACKET 0, … 0"},
	{"RestrictAddressFamilies, but", opt("--restrict-address-families=~AF_PACKET AF_NETLINK"), "AF_NETLINK 0, AF_PACKET 0"},
	{"RestrictNamespaces", opt("--restrict-namespaces"), "ns cgroup 0, ns ipc 0, ns mnt 0, ns net 0, ns pid 0, ns user 0, ns uts 0"},
	{"RestrictNamespaces, a list", opt("--restrict-namespaces=net user"), "ns cgroup 0, ns ipc 0, ns mnt 0, ns net ~1, ns pid 0, ns user ~1, ns uts 0"},
	{"SystemCallFilter", opt("--system-call-filter=@system-service"), "ProtectClock ~1, ProtectKernelLogs ~1, ProtectKernelModules ~1, ProtectHostname ~1, @clock 0, @cpu-emulation 0, @debug 0, @module 0, @mount 0, @obsolete 0, @privileged ~9, @raw-io 0, @reboot 0, @resources ~9, @swap 0"},
	{"SystemCallFilter, but", opt("--system-call-filter=~@clock @cpu-emulation @debug @module @mount @obsolete @privileged @raw-io @reboot @resources @swap"), "ProtectClock ~1, ProtectKernelModules ~1, RestrictRealtime 0, ProtectHostname ~1, @clock 0, @cpu-emulation 0, @debug 0, @module 0, @mount 0, @obsolete 0, @privileged 0, @raw-io 0, @reboot 0, @resources 0, @swap 0"},
	{"SystemCallFilter, one", opt("--system-call-filter=~@swap ptrace"), "@debug ~10, @privileged ~10, @swap 0"},
	{"DevicePolicy", opt("--device-policy=closed"), "DeviceAllow 0"},
	{"DeviceAllow", opt("--device-policy=closed", "--device-allow=/dev/fuse rw"), "DeviceAllow ?"},
	{"IPAddressDeny", opt("--ip-address-deny=any"), "IPAddressDeny 0"},
	{"IPAddressAllow, localhost", opt("--ip-address-deny=any", "--ip-address-allow=localhost"), "IPAddressDeny ~2"},
	{"IPAddressAllow", opt("--ip-address-deny=any", "--ip-address-allow=10.0.0.0/8"), "IPAddressDeny ?"},
}

// Every row is bad without hardrun and good under some start, but for those of unseen.
func TestEffectiveRows(t *testing.T) {
	if !withInit(t) {
		return
	}
	r := reader(t)
	plain := rows(t, r, settled(t, program{argv: []string{"sleep", "1000"}}.start(t), "sleep"))
	once := map[string]bool{}
	try := func(name string, argv []string, want string, program1 string) {
		t.Helper()
		d := program{argv: argv}.start(t)
		all := rows(t, r, settled(t, d, program1))
		for i := range all {
			if all[i].Why == "" {
				t.Errorf("%s: %s: without a reason", name, exposure.Checks[i].ID)
			}
			if mark(&all[i]) == "0" {
				once[exposure.Checks[i].ID] = true
			}
			if (all[i].Badness > 0) != (all[i].Advice != "") {
				t.Errorf("%s: %s: badness %d, advice %q", name, exposure.Checks[i].ID, all[i].Badness, all[i].Advice)
			}
		}
		if want != "*" {
			if got := strings.Join(unlike(&all, &plain), ", "); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
		}
		if err := d.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		d.end(t)
	}
	under := func(options ...string) []string {
		return slices.Concat([]string{hardrun}, options, []string{"--", "sleep", "1000"})
	}
	for _, s := range effectiveStarts {
		if strings.HasPrefix(s.name, "IPAddress") || strings.HasPrefix(s.name, "Device") {
			if group.Dir == "" {
				continue // there is no cgroup2
			}
		}
		try(s.name, under(s.options...), s.want, "sleep")
	}
	// One capability after another, and all that root has without a directive.
	for i := range exposure.Checks {
		c := &exposure.Checks[i]
		if !strings.HasPrefix(c.ID, "CapabilityBoundingSet=") {
			continue
		}
		id := strings.TrimPrefix(c.ID, "CapabilityBoundingSet=~")
		want := id + " 0"
		switch id {
		case "CAP_SYSLOG":
			want = "ProtectKernelLogs ~1, " + want
		case "CAP_SYS_MODULE":
			want = "ProtectKernelModules 0, " + want
		case "CAP_SYS_TIME":
			want = "ProtectClock 0, " + want
		}
		try(id, under("--capability-bounding-set=~"+c.Words), want, "sleep")
	}
	dir := directory(t, 0o755)
	copied(t, probe, dir+"/probe", 0o755)
	if err := os.Mkdir(dir+"/x", 0o777); err != nil {
		t.Fatal(err)
	}
	try("RootDirectory", []string{hardrun, "--root-directory=" + dir, "--", "/probe", "serve", "/x/said", "0"}, "*", "probe")
	try("chroot", []string{hardrun, "--chroot=" + dir, "--", "/probe", "serve", "/x/said", "0"}, "*", "probe")

	// What nobody sees of a process, or what comes to it by the manager.
	unseen := []string{"KeyringMode=", "NotifyAccess=", "Delegate=", "RemoveIPC=", "MemoryDenyWriteExecute="}
	for i := range exposure.Checks {
		c := &exposure.Checks[i]
		switch hidden := slices.Contains(unseen, c.ID); {
		case hidden != (plain[i].Unknown || c.ID == "RemoveIPC="):
			t.Errorf("%s without hardrun: %+v", c.ID, plain[i])
		case hidden:
		case plain[i].Badness == 0 && c.ID != "AmbientCapabilities=" && c.ID != "SupplementaryGroups=":
			t.Errorf("%s is good without hardrun: %+v", c.ID, plain[i])
		case plain[i].Badness != c.Range && plain[i].Badness != 0 && c.ID != "UMask=":
			t.Errorf("%s without hardrun: badness %d of %d", c.ID, plain[i].Badness, c.Range)
		case !once[c.ID] && group.Dir != "":
			t.Errorf("%s is never good", c.ID)
		}
	}
}

// hardened is a unit with everything that has a row.
const hardened = `[Service]
ExecStart=/bin/sleep 1000
User=daemon
RootDirectory=ROOT
MountAPIVFS=yes
BindReadOnlyPaths=/bin /usr /lib -/lib64 -/etc
PrivateNetwork=yes
DevicePolicy=closed
IPAddressDeny=any
NoNewPrivileges=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictSUIDSGID=yes
SystemCallArchitectures=native
AmbientCapabilities=
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
UMask=0077
ProtectHostname=yes
ProcSubset=pid
CapabilityBoundingSet=
RestrictAddressFamilies=none
RestrictNamespaces=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
`

// scored is what the lines of a unit are worth.
func scored(t *testing.T, text string) [81]exposure.Result {
	t.Helper()
	var lines []exposure.Line
	for l := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(l), "="); found {
			lines = append(lines, exposure.Line{Section: "Service", Name: name, Value: value})
		}
	}
	s, ignored, err := exposure.Read(lines, nil)
	if err != nil || len(ignored) > 0 {
		t.Fatalf("%v, ignored %v", err, ignored)
	}
	return s.Results()
}

// What a process has that was started from a unit is what the unit is worth, but for what
// cannot be seen, and rows that are named here: with the reason why they differ.
func TestEffectiveUnit(t *testing.T) {
	if !withInit(t) {
		return
	}
	requireGroup(t)
	r := reader(t)
	for _, u := range []struct {
		name, unit string
		differs    map[string]string
	}{
		// The list of a device program has the clock, but no mount lets it be opened.
		{"all", hardened, map[string]string{"DeviceAllow=": "no device but those in its /dev can be opened"}},
		{"all, as root", strings.Replace(hardened, "User=daemon\n", "", 1), map[string]string{"DeviceAllow=": "no device but those in its /dev can be opened"}},
		{"nothing but a user", "[Service]\nExecStart=/bin/sleep 1000\nUser=daemon\n", map[string]string{
			// The score takes PrivateMounts= for good where it is not written.
			"PrivateMounts=": "the mount namespace of process 1",
		}},
		{"a few", "[Service]\nExecStart=/bin/sleep 1000\nUser=nobody\nProtectSystem=full\nProtectHome=read-only\nPrivateTmp=yes\nUMask=0027\nSystemCallFilter=~@swap @reboot\n", nil},
		{"no lines, other ways", "[Service]\nExecStart=/bin/sleep 1000\nUser=65534\nCapabilityBoundingSet=\nPrivateUsers=yes\nSystemCallFilter=~@clock sched_setscheduler sched_setattr\n", map[string]string{
			"User=/DynamicUser=":    "uid 65534, nobody's, which others may have as well", // the score knows nobody by the name alone
			"PrivateMounts=":        "the mount namespace of process 1",
			"ProtectClock=":         "cap_sys_time in no set of any thread", // nothing else sets the clock
			"ProtectKernelModules=": "cap_sys_module in no set of any thread",
			"RestrictRealtime=":     "no real-time policy is allowed",
		}},
	} {
		t.Run(u.name, func(t *testing.T) {
			root := directory(t, 0o755)
			text := strings.ReplaceAll(u.unit, "ROOT", root)
			file := write(t, directory(t, 0o755)+"/x.service", text, 0o644)
			want := scored(t, text)
			got := rows(t, r, settled(t, program{argv: []string{hardrun, "--unit=" + file}}.start(t), "sleep"))
			for i := range got {
				id := exposure.Checks[i].ID
				if got[i].Unknown {
					continue
				}
				same := got[i].Badness == want[i].Badness && got[i].NotApplicable == want[i].NotApplicable
				if why, differs := u.differs[id]; differs == same || differs && why != got[i].Why {
					t.Errorf("%s: %s (%s), the unit's is %s (%s)", id, mark(&got[i]), got[i].Why, mark(&want[i]), want[i].Why)
				}
			}
		})
	}
}

// Other tools bring the same about.
func TestEffectiveOtherTools(t *testing.T) {
	if !withInit(t) {
		return
	}
	r := reader(t)
	plain := rows(t, r, settled(t, program{argv: []string{"sleep", "1000"}}.start(t), "sleep"))
	for _, x := range []struct {
		tool, pkg string
		argv      []string
		want      string
	}{
		{"setpriv", "util-linux", []string{"--reuid=1", "--regid=1", "--groups=4,5", "--no-new-privs", "sleep", "1000"}, "User=/DynamicUser 0, NoNewPrivileges 0, SupplementaryGroups 1, RemoveIPC ?, *"},
		{"setpriv", "util-linux", []string{"--bounding-set=-sys_time", "--inh-caps=-sys_time", "sleep", "1000"}, "ProtectClock 0, CAP_SYS_TIME 0"},
		{"unshare", "util-linux", []string{"--net", "--uts", "sleep", "1000"}, "PrivateNetwork 0, ProtectHostname 0"},
		{"unshare", "util-linux", []string{"--mount", "sleep", "1000"}, "PrivateMounts 0"},
		{"unshare", "util-linux", []string{"--user", "--map-root-user", "sleep", "1000"}, "PrivateUsers 0, ProtectClock 0, ProtectKernelLogs ~1, ProtectKernelModules 0, CAP_SYS_(NICE|RESOURCE) 1"},
		{"unshare", "util-linux", []string{"--mount", "sh", "-c", "mount -t tmpfs tmpfs /tmp && exec sleep 1000"}, "PrivateMounts 0, PrivateTmp ~1"},
		{"unshare", "util-linux", []string{"--mount", "sh", "-c", "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp && exec sleep 1000"}, "PrivateMounts 0, PrivateTmp 0"},
		{"bwrap", "bubblewrap", []string{"--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--", "sleep", "1000"}, "PrivateDevices 0, PrivateMounts 0, PrivateTmp 0, ProtectControlGroups 0, ProtectHome ~5, ProtectKernelTunables 0, ProtectSystem 0, *"},
	} {
		requireProgram(t, x.tool, x.pkg)
		d := program{argv: append([]string{x.tool}, x.argv...)}.start(t)
		all := rows(t, r, settled(t, d, "sleep"))
		got := strings.Join(unlike(&all, &plain), ", ")
		want, open := strings.CutSuffix(x.want, ", *")
		for w := range strings.SplitSeq(want, ", ") {
			if !slices.Contains(strings.Split(got, ", "), w) {
				t.Errorf("%s %q: not %s: %s", x.tool, x.argv, w, got)
			}
		}
		if !open && len(strings.Split(got, ", ")) > len(strings.Split(want, ", ")) {
			t.Errorf("%s %q: %s, want %s", x.tool, x.argv, got, want)
		}
		if err := d.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		d.end(t)
	}
}

// turncoatSource is a process whose threads differ: one gives up a capability and gets a
// filter, or the other way round; or it has memory that is writable and executable; or it
// has thirty filters of as many instructions as the kernel takes in all.
const turncoatSource = `
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int filter(int length, int call)
{
	struct sock_filter *f = calloc(length, sizeof *f);
	for (int i = 0; i < length; i++)
		f[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	f[length - 3] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
	f[length - 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1);
	f[length - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = {length, f};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
}

static void *alone(void *arg)
{
	if (!strcmp(arg, "thread") && filter(8, SYS_ptrace))
		exit(3);
	pause();
	return 0;
}

static volatile int got;
static void count(int s) { got += s == SIGUSR1; }

int main(int argc, char **argv)
{
	pthread_t t;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)argc;
	if (!strcmp(argv[1], "stack"))
		for (int i = 0; i < 30; i++)
			if (filter(1000, 400 + i))
				return 3;
	if (!strcmp(argv[1], "leader") && pthread_create(&t, 0, alone, argv[1]))
		return 3;
	if (!strcmp(argv[1], "leader") && filter(8, SYS_ptrace))
		return 3;
	if (!strcmp(argv[1], "thread") && pthread_create(&t, 0, alone, argv[1]))
		return 3;
	if (!strcmp(argv[1], "memory") && mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 3;
	if (!strcmp(argv[1], "signals")) {
		if (filter(8, SYS_ptrace))
			return 3;
		signal(SIGUSR1, count);
		prctl(PR_SET_NAME, "waiting");
		for (;;) {
			pause();
			char name[16];
			snprintf(name, sizeof name, "got %d", got);
			prctl(PR_SET_NAME, name);
		}
	}
	if (!strcmp(argv[1], "vfork")) {
		if (filter(8, SYS_ptrace))
			return 3;
		prctl(PR_SET_NAME, "waiting");
		if (!vfork()) {
			pause();
			_exit(0);
		}
		prctl(PR_SET_NAME, "on");
		for (;;)
			pause();
	}
	if (!strcmp(argv[1], "spin")) {
		if (filter(8, SYS_ptrace))
			return 3;
		prctl(PR_SET_NAME, "waiting");
		for (;;)
			;
	}
	usleep(50000);
	prctl(PR_SET_NAME, "waiting");
	for (;;)
		pause();
}
`

// filtersOf reads the filters of a process.
func filtersOf(t *testing.T, r *inspect.Reader, pid int) (inspect.Filters, error) {
	t.Helper()
	p, err := r.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	return r.Filters(p)
}

// A process is read without being disturbed, whatever it does meanwhile; and where it cannot be
// read, it is said why.
func TestEffectiveFilters(t *testing.T) {
	requireRoot(t)
	turncoat := compiled(t, "turncoat.c", turncoatSource, "-pthread")
	r := reader(t)
	start := func(what string) (*daemon, int) {
		d := program{argv: []string{turncoat, what}}.start(t)
		return d, settled(t, d, "waiting")
	}
	refused := func(what string, pid int, reason inspect.FilterReason, text string) {
		t.Helper()
		_, err := filtersOf(t, r, pid)
		var fe *inspect.FilterError
		if !errors.As(err, &fe) || fe.Reason != reason || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", what, err, text)
		}
		if fe != nil && status(t, pid, "TracerPid") != "0" && reason != inspect.FilterTraced {
			t.Errorf("%s: it is traced yet", what)
		}
	}
	ptrace := func(f inspect.Filters) bool {
		nr, _ := seccomp.ByName("ptrace")
		abi := seccomp.Machine("amd64")[0]
		n, _ := abi.Number(nr)
		return f.Decide(seccomp.Data{NR: n, Arch: abi.Arch}).Passes()
	}
	requireX86(t)

	// The weakest thread decides.
	for _, what := range []string{"leader", "thread"} {
		_, pid := start(what)
		f, err := filtersOf(t, r, pid)
		if err != nil || len(f.Stacks) != 2 || !ptrace(f) || f.Any() {
			t.Errorf("%s: %+v, %v", what, f, err)
		}
		all := rows(t, r, pid)
		if got := all[exposure.Index("SystemCallFilter=~@debug")]; got.Badness != 10 || !got.Weaker || !strings.Contains(got.Why, "in thread ") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	// What is writable and executable tells of PR_SET_MDWE.
	_, pid := start("memory")
	if got := rows(t, r, pid)[exposure.Index("MemoryDenyWriteExecute=")]; got.Badness != 1 || got.Unknown {
		t.Errorf("memory: %+v", got)
	}
	// As many as the kernel takes, in bounded time.
	_, pid = start("stack")
	before := time.Now()
	all := rows(t, r, pid)
	if took := time.Since(before); took > 15*time.Second {
		t.Errorf("30 filters: %v", took)
	} else {
		t.Logf("30 filters of 1000 instructions: %v", took)
	}
	if got := all[exposure.Index("SystemCallFilter=~@debug")]; got.Badness != 10 {
		t.Errorf("30 filters: %+v", got)
	}
	f, err := filtersOf(t, r, pid)
	if err != nil || len(f.Stacks) != 1 || len(f.Stacks[0].Programs) != 30 {
		t.Errorf("30 filters: %v, %+v", err, f.Stopped)
	}
	t.Log("30 filters: stopped for ", f.Stopped)

	// One that is busy, and one that gets signals: none is lost, none comes twice.
	_, pid = start("spin")
	var stopped []time.Duration
	for range 50 {
		f, err := filtersOf(t, r, pid)
		if err != nil || ptrace(f) {
			t.Fatalf("spin: %v", err)
		}
		stopped = append(stopped, f.Stopped)
	}
	slices.Sort(stopped)
	t.Logf("stopped for %v in the middle of 50, %v at most", stopped[25], stopped[49])
	equal(t, "tracer", status(t, pid, "TracerPid"), "0")

	d, pid := start("signals")
	for n := 1; n <= 100; n++ {
		d.signal(t, syscall.SIGUSR1)
		if _, err := filtersOf(t, r, pid); err != nil {
			t.Fatal("signals: ", err)
		}
		eventually(t, "signal "+itoa(n), func() bool { return status(t, pid, "Name") == "got "+itoa(n) })
	}
	// One that is stopped stays so, and is continued by what continues it.
	d.signal(t, syscall.SIGSTOP)
	eventually(t, "stopped", func() bool { return strings.HasPrefix(status(t, pid, "State"), "T") })
	for range 20 {
		f, err := filtersOf(t, r, pid)
		if err != nil || ptrace(f) {
			t.Fatal("stopped: ", err)
		}
		eventually(t, "stopped again", func() bool { return strings.HasPrefix(status(t, pid, "State"), "T (stopped)") })
	}
	d.signal(t, syscall.SIGUSR1)
	time.Sleep(20 * time.Millisecond)
	equal(t, "a stopped process", status(t, pid, "Name"), "got 100")
	d.signal(t, syscall.SIGCONT)
	eventually(t, "continued", func() bool { return status(t, pid, "Name") == "got 101" })

	// One that signals do not reach is given up, and goes on as if nothing had been.
	_, waits := start("vfork")
	eventually(t, "vfork", func() bool { return strings.HasPrefix(status(t, waits, "State"), "D") })
	refused("vfork", waits, inspect.FilterBusy, "did not stop")
	b, _ := os.ReadFile("/proc/" + itoa(waits) + "/task/" + itoa(waits) + "/children")
	child, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	eventually(t, "going on", func() bool { return status(t, waits, "Name") == "on" })
	if f, err := filtersOf(t, r, waits); err != nil || ptrace(f) {
		t.Error("going on: ", err)
	}

	// Under a tracer of its own.
	if path, err := exec.LookPath("strace"); err == nil {
		s := program{argv: []string{path, "-qq", "-e", "trace=none", "-o", "/dev/null", turncoat, "signals"}}.start(t)
		child := 0
		eventually(t, "strace", func() bool {
			b, _ := os.ReadFile("/proc/" + itoa(s.cmd.Process.Pid) + "/task/" + itoa(s.cmd.Process.Pid) + "/children")
			child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			return child != 0 && status(t, child, "Name") == "waiting"
		})
		refused("strace", child, inspect.FilterTraced, "it is traced already")
		if got := rows(t, r, child)[exposure.Index("RestrictRealtime=")]; !got.Unknown || !strings.Contains(got.Why, "traced already") {
			t.Errorf("strace: %+v", got)
		}
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		s.end(t)
	}
	// One that has gone, and whose number another one may have.
	p, err := r.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	other := *p
	other.Start++
	var fe *inspect.FilterError
	if _, err := r.Filters(&other); !errors.As(err, &fe) || fe.Reason != inspect.FilterGone {
		t.Errorf("another process of that number: %v", err)
	}
	equal(t, "tracer", status(t, pid, "TracerPid"), "0")
	d.signal(t, syscall.SIGKILL)
	eventually(t, "a zombie", func() bool { return strings.HasPrefix(status(t, pid, "State"), "Z") })
	if _, err := r.Filters(p); !errors.As(err, &fe) || fe.Reason != inspect.FilterGone {
		t.Errorf("a zombie: %v", err)
	}
	d.end(t)
	if _, err := r.Filters(p); !errors.As(err, &fe) || fe.Reason != inspect.FilterGone {
		t.Errorf("one that has gone: %v", err)
	}
}

// Processes that change all the time are read in bounded time, and nothing of it is
// an error or a good row without ground.
func TestEffectiveRestless(t *testing.T) {
	if !withInit(t) {
		return
	}
	r := reader(t)
	for name, script := range map[string]string{
		"mounts": `while :; do mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /home; umount /home; umount /tmp; done`,
		"forks":  `while :; do (:); done`,
		"execs":  `exec sh -c 'exec sh "$0"' "$0"`,
	} {
		file := write(t, directory(t, 0o755)+"/script", script+"\n", 0o755)
		d := program{argv: []string{"unshare", "--mount", "sh", file}}.start(t)
		eventually(t, name, func() bool { return status(t, d.cmd.Process.Pid, "Name") == "sh" })
		for range 40 {
			p, err := r.Read(d.cmd.Process.Pid)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			all := r.Results(p)
			for _, id := range []string{"PrivateNetwork=", "NoNewPrivileges=", "ProtectSystem=", "RestrictRealtime=", "CapabilityBoundingSet=~CAP_SYS_ADMIN"} {
				if got := all[exposure.Index(id)]; !got.Unknown && got.Badness == 0 {
					t.Errorf("%s: %s is good: %s", name, id, got.Why)
				}
			}
		}
		if err := d.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		d.end(t)
	}
}

// Who is not root sees of his own processes what there is to be seen, and of others' says
// what he cannot see.
func TestEffectiveAsUser(t *testing.T) {
	requireRoot(t)
	if os.Getenv(insideVariable) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		exe = copied(t, exe, directory(t, 0o755)+"/test", 0o755)
		foreign := program{argv: []string{hardrun, "--no-new-privs", "--restrict-realtime", "--", "sleep", "1000"}}.start(t)
		pid := settled(t, foreign, "sleep")
		r := program{
			argv: []string{"setpriv", "--reuid=1", "--regid=1", "--clear-groups", "--inh-caps=-all", "--", exe, "-test.run=^TestEffectiveUser$", "-test.v"},
			env:  append(slices.Clone(smallEnv), insideVariable+"="+itoa(pid), "HARDRUN="+hardrun, "TMPDIR=/tmp"),
		}
		if r.dir, err = os.Getwd(); err != nil {
			t.Fatal(err)
		}
		if got := r.run(t); got.code != 0 || !strings.Contains(got.stdout, "--- PASS: TestEffectiveUser") {
			t.Fatalf("as a user: status %d\n%s\n%s", got.code, got.stdout, got.stderr)
		}
	}
}

// TestEffectiveUser is the part of TestEffectiveAsUser that is the user's.
func TestEffectiveUser(t *testing.T) {
	foreign, err := strconv.Atoi(os.Getenv(insideVariable))
	if err != nil || os.Geteuid() == 0 {
		t.Skip("is started by TestEffectiveAsUser")
	}
	r := reader(t)
	row := func(all *[81]exposure.Result, id string) *exposure.Result { return &all[exposure.Index(id)] }
	all := rows(t, r, foreign)
	for _, id := range []string{"RestrictRealtime=", "SystemCallFilter=~@clock", "RestrictNamespaces=~user", "PrivateTmp=", "ProtectHome=", "PrivateDevices=", "PrivateNetwork=", "IPAddressDeny=", "RootDirectory=/RootImage="} {
		if got := row(&all, id); !got.Unknown || got.Why == "" {
			t.Errorf("another's: %s: %+v", id, got)
		}
	}
	if got := row(&all, "RestrictRealtime="); !strings.Contains(got.Why, "needs CAP_SYS_ADMIN") {
		t.Errorf("another's filter: %s", got.Why)
	}
	for id, want := range map[string]int{"User=/DynamicUser=": 10, "NoNewPrivileges=": 0, "UMask=": 5, "AmbientCapabilities=": 0, "CapabilityBoundingSet=~CAP_SYS_ADMIN": 1} {
		if got := row(&all, id); got.Unknown || got.Badness != want {
			t.Errorf("another's: %s: %+v", id, got)
		}
	}
	mine := rows(t, r, settled(t, program{argv: []string{"sleep", "1000"}}.start(t), "sleep"))
	for id, want := range map[string]int{"User=/DynamicUser=": 0, "ProtectSystem=": 10, "RestrictRealtime=": 1, "SystemCallFilter=~@clock": 10, "PrivateDevices=": 1} {
		if got := row(&mine, id); got.Unknown || got.Badness != want {
			t.Errorf("the own: %s: %+v", id, got)
		}
	}
}
