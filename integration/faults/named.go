package faults

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// subject is what a refusal is about: a directive at its head, "hardrun: User=: …" or "hardrun: RuntimeDirectory=x: …",
// or where a step has failed at its end, "hardrun: user: …: operation not permitted (User= --user)", beside
// the stage that it begins with.
var (
	headed = regexp.MustCompile(`^hardrun: ([A-Z][A-Za-z-]*)=`)
	option = regexp.MustCompile(`^hardrun: (--[a-z-]+): `)
	file   = regexp.MustCompile(`^hardrun: ([a-z]+ )?(/[^ :]*|[^ :/]*\.(?:service|socket):\d+): `)
	itself = regexp.MustCompile(`^hardrun: ([a-z_]+[0-9]*(?:, [a-z_]+[0-9]*)*)(\([A-Za-z_]+\))?( /[^ :]*)?: `)
	tailed = regexp.MustCompile(`\(([A-Z][A-Za-z-]*)= [^()]*\)$`)
	stage  = regexp.MustCompile(`^hardrun: ([a-z][a-z_A-Z /-]*)\b[ ,0-9]*: `)
)

// parents are lines about how a command has ended, which has said itself why.
var parents = regexp.MustCompile(`^hardrun: (the main process|Exec[A-Za-z]*=.*) (ended with|was ended by|exit status|could not be started)|^hardrun: Exec[A-Za-z]*= [^ ]*: exit status`)

// named tells whether a refusal names what failed, with the status that belongs to it: one line has
// a directive, or one of the words that stand for what no directive asked for; and of a call that failed its name
// and its error.
func named(plan *Plan, o *Outcome) (Class, string) {
	var lines []string
	for _, l := range o.Lines {
		if strings.HasPrefix(l, "hardrun: ") && !strings.HasPrefix(l, "hardrun: hint: ") && !strings.HasPrefix(l, "hardrun: note: ") && !parents.MatchString(l) {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return Nameless, "no line says what failed"
	}
	why, class := "", Nameless
	for _, l := range lines {
		subject, statuses := belongs(l)
		switch {
		case subject == "":
			why = "nothing is named: " + l
		case !told(o, l):
			why = "the call and its error are not named: " + l
		case !slices.Contains(statuses, o.Status) && !(plan.Parent && statusOfParent(o.Status)):
			why, class = subject+" has another status: "+l, Status
		default:
			return Refused, ""
		}
	}
	return class, why
}

// belongs is the subject of a line and the statuses that it may have.
func belongs(line string) (subject string, statuses []int) {
	if m := headed.FindStringSubmatch(line); m != nil {
		return m[1] + "=", directives(m[1])
	}
	directive := ""
	if m := tailed.FindStringSubmatch(line); m != nil {
		directive = m[1]
	}
	if m := stage.FindStringSubmatch(line); m != nil {
		for _, s := range stages {
			if m[1] == s.name || strings.HasPrefix(m[1], s.name+" ") || strings.HasPrefix(m[1], s.name+"/") {
				if s.name == "process" && directive != "" { // each attribute has its own
					return directive + "=", directives(directive)
				}
				return s.name, s.statuses
			}
		}
	}
	switch m := option.FindStringSubmatch(line); {
	case directive != "":
		return directive + "=", directives(directive)
	case m != nil: // --log
		return m[1], []int{202}
	case strings.HasPrefix(line, "hardrun: HARDRUN_AGAIN="), strings.HasPrefix(line, "hardrun: refuses to run setuid"):
		return "the start", []int{64}
	case strings.HasPrefix(line, "hardrun: the start: "):
		return "the start", []int{124}
	case strings.HasPrefix(line, "hardrun: give up privileges: "):
		return "privileges", []int{71}
	}
	// A unit, or the command.
	if m := file.FindStringSubmatch(line); m != nil {
		return m[2], []int{78, 203}
	}
	// What hardrun does for itself, and no directive asks for: the call that failed.
	if m := itself.FindStringSubmatch(line); m != nil {
		return m[1], []int{71, 78, 202, 203, 207, 217, 219, 226}
	}
	return "", nil
}

// stages are the words that stand before a step, in package launcher, or for what is done before and after all
// steps, and their statuses, systemd.exec(5) "Process exit codes".
var stages = []struct {
	name     string
	statuses []int
}{
	{"namespaces", []int{226, 217}},
	{"terminal", []int{220, 208}},
	{"streams", []int{208, 209, 222}},
	{"environment", []int{203}},
	{"cgroup", []int{219}},
	{"mounts", []int{226, 243}},
	{"root", []int{210, 226}},
	{"command", []int{203}},
	{"directory", []int{200}},
	{"descriptors", []int{202}},
	{"process", []int{203, 212}},
	{"umask", []int{205}},
	{"limits", []int{205}},
	{"label", []int{229, 231, 236}},
	{"groups", []int{216}},
	{"securebits", []int{213, 218}},
	{"bounding set", []int{218}},
	{"user namespace", []int{217}},
	{"user", []int{217}},
	{"capabilities", []int{218}},
	{"ambient set", []int{218}},
	{"keyring", []int{237}},
	{"no_new_privs", []int{227}},
	{"landlock", []int{226}},
	{"parent", []int{207, 226}},
	{"affinity", []int{215, 214}},
	{"signals", []int{207}},
	{"seccomp", []int{228}},
	{"exec", []int{203}},
	{"before the first step", []int{203}},
	{"read back", []int{203}},
	{"start again", []int{202, 203, 207, 212, 215, 217, 218, 219, 226, 228}},
	{"start a command", []int{203, 207, 212, 215}},
	{"init", []int{203, 207, 218, 226}},
	{"timer slack", []int{212}},
	{"own ids", []int{64}},
	{"standard descriptors", []int{209, 202}},
}

// directives are the statuses of a directive that is named at the head of a line.
func directives(name string) []int {
	for _, d := range statuses {
		if slices.Contains(d.names, name) || strings.HasSuffix(d.names[0], "*") && strings.HasPrefix(name, strings.TrimSuffix(d.names[0], "*")) {
			return d.statuses
		}
	}
	return []int{226} // what is seen: namespaces and mounts
}

var statuses = []struct {
	names    []string
	statuses []int
}{
	{[]string{"User", "DynamicUser"}, []int{217, 216, 218}},
	{[]string{"PrivateUsers"}, []int{217, 226}},
	{[]string{"PrivateDevices", "ProtectKernelTunables", "ProtectControlGroups"}, []int{226, 228}},
	{[]string{"Group", "SupplementaryGroups"}, []int{216}},
	{[]string{"CapabilityBoundingSet", "AmbientCapabilities"}, []int{218}},
	{[]string{"SecureBits"}, []int{213}},
	{[]string{"NoNewPrivileges"}, []int{227}},
	{[]string{"KeyringMode"}, []int{237}},
	{[]string{"Limit*"}, []int{205}},
	{[]string{"UMask"}, []int{205}},
	{[]string{"Nice"}, []int{201}},
	{[]string{"OOMScoreAdjust"}, []int{206}},
	{[]string{"CPUScheduling*"}, []int{214}},
	{[]string{"CPUAffinity"}, []int{215}},
	{[]string{"IOScheduling*"}, []int{211}},
	{[]string{"TimerSlackNSec"}, []int{212}},
	{[]string{"Personality"}, []int{230}},
	{[]string{"NUMA*"}, []int{242}},
	{[]string{"WorkingDirectory"}, []int{200}},
	{[]string{"RootDirectory"}, []int{210, 226}},
	{[]string{"Exec*"}, []int{203, 78}},
	{[]string{"StandardInput", "StandardOutput", "StandardError"}, []int{208, 209, 222}},
	{[]string{"IgnoreSIGPIPE"}, []int{207}},
	{[]string{"RuntimeDirectory"}, []int{233}},
	{[]string{"StateDirectory"}, []int{238}},
	{[]string{"CacheDirectory"}, []int{239}},
	{[]string{"LogsDirectory"}, []int{240}},
	{[]string{"ConfigurationDirectory"}, []int{241}},
	{[]string{"SetCredential", "LoadCredential", "ImportCredential"}, []int{243, 226}},
	{[]string{"ListenStream", "ListenDatagram", "SocketMode"}, []int{202}},
	{[]string{"DeviceAllow", "DevicePolicy", "IPAddressDeny", "IPAddressAllow", "RestrictNetworkInterfaces", "SocketBindDeny", "SocketBindAllow"}, []int{219}},
	{[]string{"SystemCall*"}, []int{228}},
	{[]string{"RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute"}, []int{228}},
	{[]string{"ProtectClock", "ProtectKernelModules", "ProtectKernelLogs", "ProtectHostname"}, []int{228, 226, 218}},
	{[]string{"X-Hardrun-SeccompBPF"}, []int{228}},
	{[]string{"MemoryKSM", "MemoryTHP", "CoredumpFilter"}, []int{203, 205}},
}

// other are names by which a message calls a system call. Open is the whole walk along a path.
var other = map[string][]string{
	"openat": {"open", "cannot be read", "cannot be listed"}, "openat2": {"open", "openat"}, "mkdirat": {"mkdir"}, "newfstatat": {"stat", "lstat", "fstatat", "no directory to look for units in", "open", "cannot be read"}, "getdents64": {"getdents", "readdir"}, "pread64": {"pread", "read"},
	"prlimit64": {"prlimit", "getrlimit", "setrlimit"}, "rt_sigaction": {"sigaction"}, "rt_sigprocmask": {"sigprocmask"}, "rt_sigtimedwait": {"sigtimedwait"},
	"readlinkat": {"readlink", "cannot be read", "open"}, "unlinkat": {"unlink", "rmdir", "remove"}, "fchmodat": {"chmod"}, "fchmod": {"chmod"}, "fchownat": {"chown"}, "fchown": {"chown"},
	"symlinkat": {"symlink"}, "mknodat": {"mknod"}, "pwrite64": {"write", "pwrite"}, "eventfd2": {"eventfd"}, "pipe2": {"pipe"}, "fsetxattr": {"setxattr"}, "fremovexattr": {"removexattr"},
	"fgetxattr": {"getxattr"}, "exit_group": {"exit"}, "faccessat2": {"faccessat", "access"}, "fstat": {"stat", "open", "cannot be read"}, "close": {"cannot be closed", "open"}, "read": {"cannot be read"}, "umount2": {"umount"}, "writev": {"write"}, "ppoll": {"poll"}, "fstatfs": {"statfs"}, "lseek": {"seek"},
}

// never are calls that cannot fail, getpid(2): an error is a wrong answer like any other, and what it leads to is named. The rest
// are those whose errors the Go runtime or the C library keeps for itself: what they lead to is named.
var never = []string{
	"getpid", "getppid", "geteuid", "getuid", "getgid", "getegid", "gettid", "umask", "setfsuid", "setfsgid", "clock_gettime", "getcpu",
	"prlimit64", "rt_sigprocmask", "sigaltstack", "sched_getaffinity",
	"getpriority", // of a uid: it is taken for one that is in use
}

// told tells whether a line says which call failed, and how. Of one that lied nobody can know; that
// something was read otherwise than it should be is said of what it was for.
func told(o *Outcome, line string) bool {
	if o.Point.Fault == Lie || slices.Contains(never, o.Point.Call) {
		return true
	}
	names := append([]string{o.Point.Call}, other[o.Point.Call]...)
	call := slices.ContainsFunc(names, func(n string) bool {
		return regexp.MustCompile(`\b` + n + `\b`).MatchString(line)
	})
	// A tree of control groups that cannot be looked into is none.
	if strings.HasPrefix(line, "hardrun: HARDRUN_AGAIN=") || strings.Contains(line, ": no file system of type cgroup2 is mounted that holds the own cgroup (") {
		return true
	}
	e := syscall.Errno(errnos[o.Point.Fault]).Error()
	// One that fails may be met by what reads it back, which says what it was answered.
	return strings.Contains(line, e) && (call || strings.Contains(line, "answered "+strconv.Quote(e)))
}
