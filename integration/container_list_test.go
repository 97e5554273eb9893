//go:build linux

package integration

import (
	"maps"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// Statuses of what cannot be had, systemd.exec(5) "Process exit codes".
const (
	noChroot    = 210
	noGroup     = 216
	noUser      = 217 // and what makes a user namespace
	noCaps      = 218
	noNamespace = 226
)

var userWords = []string{"/srv/probe", "with", "groups=65534", "gid=65534", "uid=65534", "--"}

// refusals are cases that cannot be had, with the status.
func refusals(status int, options ...string) map[string]int {
	m := map[string]int{}
	for _, o := range options {
		m[o] = status
	}
	return m
}

// allRefused is every case but one of chroot(2), which needs another capability.
func allRefused() map[string]int {
	var list []string
	for _, c := range viewCases() {
		if c.options != chrootOption {
			list = append(list, c.options)
		}
	}
	return refusals(noNamespace, list...)
}

func except(m map[string]int, options ...string) map[string]int {
	left := maps.Clone(m)
	maps.DeleteFunc(left, func(o string, _ int) bool { return slices.Contains(options, o) })
	return left
}

func both(a, b map[string]int) map[string]int {
	m := map[string]int{}
	maps.Copy(m, a)
	maps.Copy(m, b)
	return m
}

const chrootOption = "--chroot=/srv/root"

// What is more than the kernel gives in a user namespace: a bpf file system wants the
// right over the host (bpf_fill_super), a fresh /proc a PID namespace that belongs to
// the user namespace (mount(2) of proc, pid_namespaces(7)), and the ids of others a
// map that has them (user_namespaces(7)).
var (
	bpfOfHost  = []string{"--private-bpf"}
	procOfHost = []string{"--protect-proc=invisible", "--proc-subset=pid"}
	idsOfMany  = []string{"--private-users=identity", "--private-users=full"}
	anyUsers   = []string{"--private-users", "--private-users=identity", "--private-users=full"}
	nothing    = map[string]int{}
)

// Where the host's /proc and /sys are covered in part, no fresh one is had in a user
// namespace (mount_too_revealing of the kernel).
func revealing() map[string]int {
	return refusals(noNamespace, slices.Concat(bpfOfHost, procOfHost, idsOfMany, []string{"--private-network", "--private-pids", pidsOption, twelveOptions()})...)
}

const (
	pidsOption = "--private-pids --protect-proc=invisible --proc-subset=pid"
	masks      = `mount -t tmpfs -o ro,size=4k m "$R/proc/bus"; mount -t tmpfs -o ro,size=4k m "$R/sys/kernel"`
)

func twelveOptions() string {
	for _, c := range viewCases() {
		if c.name == twelve {
			return c.options
		}
	}
	return ""
}

// onMachine is a place made by a script, in a user namespace of these ids if any.
func onMachine(name string, m machineSetup, refused map[string]int, ids ...syscall.SysProcIDMap) place {
	var attr *syscall.SysProcAttr
	if len(ids) > 0 {
		attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
	}
	return place{name: name, refused: refused, enter: func(t *testing.T, f *placeFiles, script string) result {
		t.Helper()
		return inMachine(t, f, m, attr, script)
	}}
}

// ofUser is the same for a user without privilege, who may have a user namespace.
func (p place) ofUser(refused map[string]int) place {
	p.name += ", user"
	p.own, p.start, p.refused = true, userWords, refused
	return p
}

// as starts everything by these words.
func (p place) as(name string, words ...string) place {
	p.name, p.start = name, words
	return p
}

func (p place) withoutMounts() place {
	p.noMounts = true
	return p
}

func (p place) withoutProof() place {
	p.unproven = true
	return p.withoutMounts()
}

func (p place) naming(call string) place {
	p.call = call
	return p
}

func inBwrap(name string, user bool, refused map[string]int, words ...string) place {
	return place{name: name, refused: refused, own: user, enter: func(t *testing.T, f *placeFiles, script string) result {
		t.Helper()
		argv := slices.Concat([]string{
			requireProgram(t, "bwrap", "bubblewrap"), "--bind", f.root, "/", "--bind", "/usr", "/usr", "--bind", f.srv, "/srv",
			"--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys",
		}, words, []string{"/bin/sh", "-u", script})
		if user {
			argv = with("groups=65534 gid=65534 uid=65534", argv...)
		} else { // what is tried without hardrun must not name the machine
			argv = append([]string{"unshare", "--uts", "--"}, argv...)
		}
		return long(t, program{argv: argv})
	}}
}

func inContainer(name string, uid uint32, refused map[string]int, change func(object)) place {
	return place{name: name, refused: refused, enter: container(uid, change)}.withoutMounts()
}

func places() []place {
	without := func(n int, name string, refused map[string]int) place {
		return onMachine("", machineSetup{}, refused).as("root without "+name, "/srv/probe", "with", "without="+strconv.Itoa(n), "--")
	}
	one := machineSetup{after: "unshare --user --map-root-user"}
	masked := machineSetup{before: masks}
	many := syscall.SysProcIDMap{ContainerID: 0, HostID: 0, Size: 65536}
	noUsers := machineSetup{before: `echo 0 >"$R/proc/sys/user/max_user_namespaces"`}
	user := refusals(noNamespace, slices.Concat(bpfOfHost, procOfHost, idsOfMany)...)
	all, noRoot := allRefused(), both(allRefused(), refusals(noChroot, chrootOption))
	return []place{
		onMachine("machine", machineSetup{}, nothing),
		onMachine("machine", machineSetup{}, nil).ofUser(user),

		inContainer("container", 0, all, nil),
		inContainer("container, user", 65534, noRoot, nil).naming("CLONE_NEWUSER").ofItself(),
		inContainer("container, no new privileges", 0, all, func(c object) { c["process"].(object)["noNewPrivileges"] = true }),
		inContainer("container, read-only", 0, all, func(c object) { c["root"].(object)["readonly"] = true }),

		onMachine("user namespace of one id", one, user),
		onMachine("user namespace of 65536 ids", machineSetup{}, refusals(noNamespace, "--private-bpf", "--private-users=full"), many),
		onMachine("user namespace, masked", machineSetup{before: masks, after: one.after}, revealing()),
		onMachine("masked", masked, nothing),
		onMachine("masked", masked, nil).ofUser(revealing()),
		onMachine("no user namespaces", noUsers, nil, many).ofUser(noRoot).withoutMounts().naming("CLONE_NEWUSER"),
		onMachine("", machineSetup{}, noRoot).withoutMounts().naming("CLONE_NEWUSER").ofItself().
			as("user namespaces filtered, user", slices.Concat([]string{"/srv/hardrun", "--seccomp-bpf=/srv/nouserns.bpf", "--"}, userWords)...),

		onMachine("read-only root", machineSetup{before: `mount --bind "$R/home" "$R/home"; mount -o remount,bind,ro "$R"`}, nothing),
		onMachine("no proc", machineSetup{noProc: true}, all).withoutProof(),
		onMachine("no sys", machineSetup{noSys: true}, nothing),
		onMachine("no dev", machineSetup{noDev: true}, nothing),
		onMachine("hidepid=2", machineSetup{procOptions: "hidepid=2"}, nothing),
		onMachine("hidepid=2", machineSetup{procOptions: "hidepid=2"}, nil).ofUser(user),
		onMachine("chroot", machineSetup{chroot: true}, nothing),
		onMachine("the proc of another PID namespace", machineSetup{after: "unshare --pid --fork"}, nothing),

		inBwrap("bwrap, no capabilities", false, noRoot, "--cap-drop", "ALL").withoutMounts(),
		inBwrap("bwrap, all capabilities", false, nothing, "--cap-add", "ALL"),
		inBwrap("bwrap, user", true, user, "--unshare-all"),

		without(0, "CAP_CHOWN", nothing),
		without(1, "CAP_DAC_OVERRIDE", nothing),
		without(2, "CAP_DAC_READ_SEARCH", nothing),
		without(3, "CAP_FOWNER", nothing),
		without(6, "CAP_SETGID", refusals(noNamespace, idsOfMany...)),
		without(7, "CAP_SETUID", refusals(noNamespace, idsOfMany...)),
		without(8, "CAP_SETPCAP", refusals(noCaps, "--private-devices", "--protect-kernel-modules", "--protect-kernel-logs", twelveOptions())), // PR_CAPBSET_DROP
		without(12, "CAP_NET_ADMIN", refusals(noNamespace, "--private-network", twelveOptions())),                                              // loopback
		without(18, "CAP_SYS_CHROOT", nothing),
		without(19, "CAP_SYS_PTRACE", nothing),
		without(21, "CAP_SYS_ADMIN", except(all, anyUsers...)).withoutMounts(),
		without(27, "CAP_MKNOD", nothing),
		without(31, "CAP_SETFCAP", refusals(noNamespace, anyUsers...)), // uid 0 in a map, capabilities(7)
	}
}

// ofItself lets what is tried by hand make a user namespace.
func (p place) ofItself() place {
	p.own = true
	return p
}
