package shapes

import (
	"regexp"
	"slices"
	"strings"
)

// Need is what a directive cannot do without, whoever applies it.
type Need struct {
	Directive string
	// Requires are all needed: a capability, "SYS_ADMIN", or a system call, "keyctl", which a
	// filter may deny. Of words parted by "|" one is enough.
	Requires []string
	Why      string
}

const (
	mountWhy = "mounts in a namespace of its own, mount(2), mount_namespaces(7): CAP_SYS_ADMIN; they are entered by pivot_root(2), or where that is denied by chroot(2)"
	dropWhy  = "takes capabilities from the bounding set, PR_CAPBSET_DROP(2const): CAP_SETPCAP"
)

const (
	onlyDynamic = "with DynamicUser= alone: /var/lib/private and the like can be entered by root only, and are shown by a mount: " + mountWhy
	secretWhy   = "a read-only place in memory that is gone with the service, systemd.exec(5) \"Credentials\": a file system of its own, mount(2): CAP_SYS_ADMIN (systemd itself makes do with a directory then)"
)

var mounting = []string{"SYS_ADMIN", "pivot_root|chroot"}

// Needs is the judge of refusals: one is of need if each directive that it names has in
// here what is missing.
var Needs = slices.Concat(
	[]Need{
		{"User", []string{"SETUID", "SETGID"}, "setresuid(2) to another user: CAP_SETUID; it means that user's groups as well, setgroups(2): CAP_SETGID"},
		{"Group", []string{"SETGID"}, "setresgid(2), setgroups(2): CAP_SETGID"},
		{"SupplementaryGroups", []string{"SETGID"}, "setgroups(2): CAP_SETGID"},
		{"DynamicUser", append([]string{"SETUID", "SETGID"}, mounting...), "as User=; and it implies ProtectSystem=, ProtectHome= and PrivateTmp=: " + mountWhy},
		{"CapabilityBoundingSet", []string{"SETPCAP"}, "PR_CAPBSET_DROP(2const): CAP_SETPCAP"},
		{"AmbientCapabilities", nil, "a capability must be permitted before it can be ambient, PR_CAP_AMBIENT(2const): those that are asked for"},
		{"SecureBits", []string{"SETPCAP"}, "PR_SET_SECUREBITS(2const): CAP_SETPCAP"},
		{"PrivateDevices", append([]string{"SETPCAP"}, mounting...), dropWhy + "; " + mountWhy},
		{"ProtectKernelModules", append([]string{"SETPCAP"}, mounting...), dropWhy + "; " + mountWhy},
		{"ProtectKernelLogs", append([]string{"SETPCAP"}, mounting...), dropWhy + "; " + mountWhy},
		{"ProtectClock", []string{"SETPCAP"}, dropWhy},
		{"ProtectHostname", []string{"SYS_ADMIN"}, "unshare(2) with CLONE_NEWUTS: CAP_SYS_ADMIN; and so sethostname(2)"},
		{"PrivateNetwork", append([]string{"NET_ADMIN"}, mounting...), "unshare(2) with CLONE_NEWNET: CAP_SYS_ADMIN; lo is brought up, netdevice(7): CAP_NET_ADMIN; /sys must show it: " + mountWhy},
		{"PrivateIPC", mounting, "unshare(2) with CLONE_NEWIPC: CAP_SYS_ADMIN; /dev/mqueue must show it: " + mountWhy},
		{"PrivatePIDs", mounting, "a PID namespace: CAP_SYS_ADMIN, pid_namespaces(7); /proc must show it: " + mountWhy},
		{"PrivateUsers", []string{"SETFCAP", "SETUID", "SETGID", "unshare"}, "a map with user 0 in it: CAP_SETFCAP; with others than oneself: CAP_SETUID and CAP_SETGID, user_namespaces(7)"},
		{"RootDirectory", mounting, "with mounts in it, as MountAPIVFS= and BindPaths= make them: " + mountWhy},
		{"StateDirectory", mounting, onlyDynamic},
		{"CacheDirectory", mounting, onlyDynamic},
		{"LogsDirectory", mounting, onlyDynamic},
		{"SetCredential", mounting, secretWhy},
		{"LoadCredential", mounting, secretWhy},
		{"KeyringMode", []string{"keyctl"}, "KEYCTL_JOIN_SESSION_KEYRING(2const): no capability, but the call"},
	},
	each(mountWhy, mounting,
		"ProtectSystem", "ProtectHome", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "NoExecPaths", "ExecPaths", "ProtectKernelTunables",
		"ProtectControlGroups", "ProtectProc", "ProcSubset", "PrivateTmp", "PrivateMounts", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MountAPIVFS"),
)

func each(why string, requires []string, names ...string) (list []Need) {
	for _, n := range names {
		list = append(list, Need{n, requires, why})
	}
	return list
}

// subject is the directive of a refusal: at its head, "hardrun: User=: …", or where a step
// has failed, "hardrun: user: …: operation not permitted (User= --user)".
var subject = regexp.MustCompile(`^hardrun: ([A-Z][A-Za-z-]*)=: |^hardrun: .* \(([A-Z][A-Za-z-]*)= [^()]*\)\n?$`)

// Named are the directives that refuse to start: one for each line that is no hint, and not
// the parent's word of the status.
// Whole is false if a line names none.
func Named(stderr string) (names []string, whole bool) {
	whole = true
	for l := range strings.Lines(stderr) {
		if strings.HasPrefix(l, "hardrun: hint: ") || strings.HasPrefix(l, "hardrun: note: ") || strings.HasPrefix(l, "hardrun: the main process ended with status ") {
			continue
		}
		m := subject.FindStringSubmatch(l)
		if m == nil {
			whole = false
			continue
		}
		names = append(names, m[1]+m[2])
	}
	return names, whole && len(names) > 0
}

// Justified tells whether a directive of the shape truly needs what is missing, by
// capability or, with the filter of Docker, by call.
func Justified(s *Shape, directive string, missing Subset, docker bool) bool {
	i := slices.IndexFunc(Needs, func(n Need) bool { return n.Directive == directive })
	if i < 0 {
		return false
	}
	if Needs[i].Why == onlyDynamic && !strings.Contains(s.Asked(), "DynamicUser=yes") {
		return false
	}
	requires := Needs[i].Requires
	if directive == "AmbientCapabilities" {
		requires = s.ambient()
	}
	var denied []string
	if docker {
		denied = DockerDenied(missing)
	}
	gone := func(word string) bool { return missing.Has(word) || slices.Contains(denied, word) }
	for _, r := range requires {
		if !slices.ContainsFunc(strings.Split(r, "|"), func(word string) bool { return !gone(word) }) {
			return true
		}
	}
	return false
}

// ambient are the capabilities that the daemon is to have.
func (s *Shape) ambient() (list []string) {
	asked := strings.ReplaceAll(s.Asked(), "--ambient-capabilities", "AmbientCapabilities")
	_, after, _ := strings.Cut(asked, "AmbientCapabilities=")
	for w := range strings.FieldsSeq(after) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(w, ";"), "CAP_")
		if !ok {
			break
		}
		list = append(list, name)
	}
	return list
}
