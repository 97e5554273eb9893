package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
)

const (
	tmpfsOfTmp = " (mode=1777,size=10%,nr_inodes=400k,nosuid,nodev)"
	smallDev   = "mounts: a small /dev: null zero full random urandom tty ptmx, pts shm mqueue hugepages of the host (mode=0755,size=64k,nr_inodes=128,nosuid,noexec)"
	newMounts  = "namespaces: mount namespace, slave of the host's"
	sealShared = "mounts: mounts shared among the daemon's own, slave of the host's: what the host mounts later arrives"
	apiAttr    = " (nosuid,nodev,noexec)"
)

func TestCompileView(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		want []string
	}{
		{"strict leaves what is the kernel's, and homes to ProtectHome=", []string{"ProtectSystem=strict"}, []string{
			newMounts, "mounts: read-only /, but for /proc /sys /dev /home /root /run/user", sealShared,
		}},
		{"yes is a list", []string{"ProtectSystem=yes"}, []string{
			newMounts, "mounts: read-only /bin", "mounts: read-only /boot", "mounts: read-only /efi", "mounts: read-only /lib", "mounts: read-only /lib32",
			"mounts: read-only /lib64", "mounts: read-only /libx32", "mounts: read-only /sbin", "mounts: read-only /usr", sealShared,
		}},
		{"layers before rules, each by path", []string{"ReadWritePaths=/b /a", "ReadOnlyPaths=/", "PrivateTmp=yes", "InaccessiblePaths=-/c"}, []string{
			newMounts, "mounts: tmpfs on /tmp" + tmpfsOfTmp, "mounts: tmpfs on /var/tmp" + tmpfsOfTmp,
			"mounts: read-only /", "mounts: as writable as it was: /a", "mounts: as writable as it was: /b", "mounts: inaccessible /c", sealShared,
		}},
		{"a network brings its own /sys", []string{"PrivateNetwork=yes"}, []string{
			"namespaces: network namespace", "namespaces: interface lo up", newMounts, "mounts: sysfs of the own network namespace on /sys" + apiAttr, sealShared,
		}},
		{"unless it must not", []string{"PrivateNetwork=yes", "PrivateMounts=no"}, []string{"namespaces: network namespace", "namespaces: interface lo up"}},
		{"a path wins over a namespace of its own", []string{"PrivateNetwork=yes", "NetworkNamespacePath=/run/netns/a", "PrivateMounts=no"}, []string{
			"namespaces: network namespace of /run/netns/a",
		}},
		{"namespaces in the order of systemd", []string{"ProtectHostname=private:a.b", "ProtectControlGroups=strict", "PrivateIPC=yes", "PrivateNetwork=yes"}, []string{
			"namespaces: network namespace", "namespaces: interface lo up", "namespaces: IPC namespace", "namespaces: cgroup namespace",
			"namespaces: host name namespace", "namespaces: host name a.b", newMounts,
			"mounts: message queues of the own IPC namespace on /dev/mqueue" + apiAttr,
			"mounts: sysfs of the own network namespace on /sys" + apiAttr,
			"mounts: cgroup2 of the own cgroup namespace on /sys/fs/cgroup" + apiAttr,
			"mounts: read-only /sys/fs/cgroup", sealShared,
		}},
		{"a home in memory, and what is shown in it", []string{"ProtectHome=tmpfs", "BindReadOnlyPaths=/home/a"}, []string{
			newMounts, "mounts: tmpfs on /home (mode=0755,size=10%,nr_inodes=400k,nosuid,nodev)", "mounts: bind /home/a",
			"mounts: tmpfs on /root (mode=0755,size=10%,nr_inodes=400k,nosuid,nodev)", "mounts: tmpfs on /run/user (mode=0755,size=10%,nr_inodes=400k,nosuid,nodev)",
			"mounts: read-only /home", "mounts: read-only /home/a", "mounts: read-only /root", "mounts: read-only /run/user", sealShared,
		}},
		{"a new root with what a root has", []string{"RootDirectory=/srv", "ReadOnlyPaths=/srv/etc +/usr", "MountFlags=private"}, []string{
			newMounts, "mounts: bind /srv on itself", "mounts: bind /dev", "mounts: bind /dev/log", "mounts: procfs on /proc" + apiAttr,
			"mounts: tmpfs on /run (mode=0755,size=10%,nr_inodes=400k,nosuid,nodev)", "mounts: bind /run/systemd/journal/dev-log",
			"mounts: bind /run/systemd/journal/socket", "mounts: bind /run/systemd/journal/stdout", "mounts: bind /sys",
			"mounts: read-only /etc", "mounts: read-only /usr", "root: root /srv, the old one detached",
			"mounts: mounts private: what the host mounts later does not arrive",
		}},
		{"a plain cage stays plain", []string{"X-Hardrun-Chroot=/srv"}, []string{newMounts, "mounts: bind /srv on itself", "root: root /srv, the old one detached"}},
		{"hidden processes", []string{"ProtectProc=invisible", "ProcSubset=pid"}, []string{
			newMounts, "mounts: procfs on /proc (subset=pid,hidepid=invisible,nosuid,nodev,noexec)", sealShared,
		}},
		{"devices", []string{"PrivateDevices=yes"}, []string{
			groupMade, groupJoin, // root could mount all devices
			newMounts, smallDev, "mounts: bind /dev/log", "mounts: nodev /, but for /dev", "mounts: read-only /dev", "mounts: nodev /dev/hugepages", "mounts: nodev /dev/shm", sealShared,
			groupJoined, "cgroup: device program: closed", "bounding set: keep all but {cap_sys_rawio,cap_mknod}", "ambient set: ambient {}",
			"capabilities: permitted, effective all but {cap_sys_rawio,cap_mknod}, inheritable {}",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pl := Compile(aPolicy(t, tt.set...), aRoot())
			if len(pl.Refused) > 0 {
				t.Fatalf("refused: %q", refusalLines(pl))
			}
			got := slices.DeleteFunc(steps(pl), func(s string) bool { return strings.HasPrefix(s, "seccomp:") })
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

func TestCompileUserNamespaces(t *testing.T) {
	user := func(e *Env) {
		e.UIDs, e.GIDs, e.Groups = [3]uint32{1000, 1000, 1000}, [3]uint32{1001, 1001, 1001}, []uint32{1001, 27}
		e.Caps = CapState{Bounding: e.Caps.Bounding}
	}
	for _, tt := range []struct {
		name    string
		env     func(e *Env)
		set     []string
		refused string   // the first refusal, or empty
		first   []string // the first steps
		start   string   // what a second start is for
	}{
		{"root: last, and the identity in it", nil, []string{"PrivateUsers=yes", "User=www"}, "", []string{
			"groups: set groups {34,4,27}", "groups: set gid 34 (real, effective, saved)",
			"namespaces: user namespace: uids 0,33, gids 0,34, no setgroups", "user: set uid 33 (real, effective, saved)",
		}, ""},
		{"a user: first", user, []string{"PrivateTmp=yes"}, "", []string{
			"namespaces: user namespace: uids 1000, gids 1001, no setgroups", newMounts,
		}, "user"},
		{"a user who asks for nothing of it", user, []string{"UMask=077"}, "", []string{"umask: umask 0077"}, ""},
		{"a user has no other user", user, []string{"PrivateTmp=yes", "User=www"}, "User=: without root the groups stay", nil, "user"},
		{"a user has no other ids", user, []string{"PrivateUsers=identity"}, "PrivateUsers=: the ids of others", nil, ""},
		{"a user has no fresh /proc", user, []string{"ProtectProc=invisible"}, "ProtectProc=: a fresh /proc needs PrivatePIDs=yes", nil, "user"},
		{"but with its own processes", user, []string{"ProtectProc=invisible", "PrivatePIDs=yes"}, "", []string{
			"namespaces: user namespace: uids 1000, gids 1001, no setgroups",
			"namespaces: PID namespace: the daemon is its process 1, a small parent waits outside", newMounts,
			"mounts: procfs on /proc (hidepid=invisible,nosuid,nodev,noexec)",
		}, "user pid"},
		{"root's processes of its own", nil, []string{"PrivatePIDs=yes"}, "", []string{
			"namespaces: PID namespace: the daemon is its process 1, a small parent waits outside", newMounts, "mounts: procfs on /proc" + apiAttr,
		}, "pid"},
		{"no parent, no PID namespace", nil, []string{"PrivatePIDs=yes", "X-Hardrun-Parent=never"}, "PrivatePIDs=: a PID namespace needs a parent", nil, ""},
		{"the second start does it", func(e *Env) { e.Again = Again{PIDNS: true, Starter: 9} }, []string{"PrivatePIDs=yes"}, "", []string{
			"namespaces: PID namespace: the daemon is its process 1, a small parent waits outside",
		}, ""},
		{"given away: first, the others before it", nil, []string{"DelegateNamespaces=mnt net", "PrivateNetwork=yes", "ProtectHostname=private", "User=www"}, "", []string{
			"namespaces: host name namespace", "namespaces: user namespace: uids 0,33, gids 0,34, no setgroups",
			"namespaces: network namespace", "namespaces: interface lo up", newMounts,
		}, "user"},
		{"given away with mounts that show what is not", nil, []string{"DelegateNamespaces=mnt", "PrivateNetwork=yes", "PrivatePIDs=yes"}, "DelegateNamespaces=: mounts that the user namespace owns cannot show a namespace that it does not own: net pid", nil, "pid"},
		{"given away without its mounts", nil, []string{"DelegateNamespaces=ipc", "PrivateIPC=yes"}, "DelegateNamespaces=: mounts that the user namespace does not own", nil, ""},
		{"a root without the right to mount", withoutAdmin, []string{"PrivateUsers=yes"}, "", []string{"namespaces: user namespace: uids 0, gids 0, no setgroups"}, "user"},
		{"every directive that needs it is named", withoutAdmin, []string{"ProtectHome=yes", "PrivateNetwork=yes"}, "PrivateNetwork=: a namespace needs CAP_SYS_ADMIN", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			if tt.env != nil {
				tt.env(env)
			}
			pl := Compile(aPolicy(t, tt.set...), env)
			switch {
			case tt.refused == "" && len(pl.Refused) > 0:
				t.Fatalf("refused: %q", refusalLines(pl))
			case tt.refused != "" && (len(pl.Refused) == 0 || !strings.HasPrefix(pl.Refused[0].Error(), tt.refused)):
				t.Fatalf("refusals %q, want first %q", refusalLines(pl), tt.refused)
			}
			if got := steps(pl); tt.first != nil && (len(got) < len(tt.first) || !slices.Equal(got[:len(tt.first)], tt.first)) {
				t.Errorf("got\n  %s\nwant first\n  %s", strings.Join(got, "\n  "), strings.Join(tt.first, "\n  "))
			}
			var start []string
			if pl.Start != nil {
				if pl.Start.UserNS != nil {
					start = append(start, "user")
				}
				if pl.Start.PIDNS {
					start = append(start, "pid")
				}
			}
			if got := strings.Join(start, " "); got != tt.start {
				t.Errorf("a second start for %q, want %q", got, tt.start)
			}
		})
	}
}

// All that is missing is refused together, and can be waived by name, but for what
// changes the meaning of a path.
func TestNoMounts(t *testing.T) {
	env := aRoot()
	withoutAdmin(env)
	pl := Compile(aPolicy(t, "ProtectHome=yes", "ProtectSystem=full", "ReadOnlyPaths=/a /b", "PrivateNetwork=yes", "ProtectHostname=private", "PrivateTmp=yes", "PrivateMounts=yes"), env)
	var names []string
	for _, r := range pl.Refused {
		name := r.Directive
		if !r.Waivable {
			name += " never"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"PrivateMounts=", "PrivateNetwork=", "PrivateTmp= never", "ProtectHome=", "ProtectHostname=", "ProtectSystem=", "ReadOnlyPaths="}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	env = aRoot()
	withoutAdmin(env)
	pl = Compile(aPolicy(t, "ProtectHome=yes", "UMask=077", "X-Hardrun-Waive=ProtectHome"), env)
	if len(pl.Refused) != 0 || len(pl.Waived) != 1 || !slices.Equal(steps(pl), []string{"umask: umask 0077"}) {
		t.Errorf("refused %q, waived %v, steps %q", refusalLines(pl), pl.Waived, steps(pl))
	}
}

// A directive that is applied must do something: a step, a refusal, a note, or
// another environment. Those here ask for what is so anyway, or steer hardrun.
func TestEachDirectiveDoesSomething(t *testing.T) {
	idle := []string{
		"BindLogSockets", "MountAPIVFS", "X-Hardrun-Parent", "X-Hardrun-Log", "X-Hardrun-Strict", "X-Hardrun-Unknown", "X-Hardrun-Waive",
		"X-Hardrun-KeepTTY", "SetLoginEnvironment", "X-Hardrun-AllowLandlock", "DelegateNamespaces",
		"EnvironmentFile", "SupplementaryGroups", "X-Hardrun-SeccompBPF", // their content is Gather's
		"PassEnvironment",     // the variable is passed anyway
		"NUMAMask", "TTYPath", // these two speak of what another directive does
		"TTYRows", "TTYColumns", "TTYReset", "TTYVHangup", "TTYVTDisallocate",
		"StandardInputText", "StandardInputData",
		"SystemCallErrorNumber", "X-Hardrun-AllowNewCalls", "X-Hardrun-FilterBackend", // of SystemCallFilter=, or of all filters
		"X-Hardrun-FilterOut", "X-Hardrun-ExplainDenials",
	}
	plain := Compile(&policy.Policy{}, aRoot())
	for _, s := range append(slices.Clone(alsoElsewhere), onlyOnLinux...) {
		name, value, _ := strings.Cut(s, "=")
		if slices.Contains(idle, name) {
			continue
		}
		p := &policy.Policy{}
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: 3}); err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		pl := Compile(p, aRoot())
		if slices.Equal(allSteps(pl), allSteps(plain)) && len(pl.Refused) == 0 && len(pl.Notes) == len(plain.Notes) && slices.Equal(pl.Environ(), plain.Environ()) {
			t.Errorf("%s is applied, and changes nothing", s)
		}
	}
}

func allSteps(pl *Plan) []string {
	var out []string
	for _, e := range pl.Entries {
		out = append(out, e.Stage.String()+": "+e.Step.String())
	}
	return out
}

func withoutAdmin(e *Env) {
	for _, set := range []*caps.Set{&e.Caps.Permitted, &e.Caps.Effective, &e.Caps.Bounding} {
		*set = set.Without(caps.Set(1) << capSysAdmin)
	}
}
