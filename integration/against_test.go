//go:build linux

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// watchedUnit is a service with nearly all that there is. @ is the test's directory.
const watchedUnit = `[Service]
ExecStart=@/bin/watched
User=daemon
Group=daemon
SupplementaryGroups=games
UMask=0077
WorkingDirectory=/
Environment=COLOUR=blue
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivateUsers=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
BindReadOnlyPaths=@/bin
BindPaths=@/data
ReadOnlyPaths=@/data/ro
InaccessiblePaths=@/data/secret
NoExecPaths=@/data
TemporaryFileSystem=/mnt:ro,noexec
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
LimitNOFILE=512
LimitCORE=0
Nice=3
OOMScoreAdjust=200
`

// watched is the ground of these tests: the daemon, and directories that its unit speaks of.
type watched struct {
	dir string
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	requireRoot(t)
	w := &watched{directory(t, 0o755)}
	cc := "gcc"
	if path, err := exec.LookPath("musl-gcc"); err == nil {
		cc = path
	}
	for _, d := range []string{"/bin", "/data/ro", "/data/secret"} {
		if err := os.MkdirAll(w.dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, w.dir+"/data/secret/key", "secret\n", 0o644)
	if out, err := exec.Command(cc, "-static", "-O1", "-Wall", "-pthread", "-o", w.dir+"/bin/watched", "probe/watched.c").CombinedOutput(); err != nil {
		t.Fatalf("%s watched.c: %v\n%s", cc, err, out)
	}
	return w
}

// unit is the unit with some lines in place of others: "NAME=" or a whole line, and what stands
// there instead.
func (w *watched) unit(t *testing.T, edits ...[2]string) string {
	t.Helper()
	text := watchedUnit
	for _, e := range edits {
		found := false
		var lines []string
		for l := range strings.Lines(text) {
			l = strings.TrimSuffix(l, "\n")
			if l == e[0] || strings.HasSuffix(e[0], "=") && strings.HasPrefix(l, e[0]) {
				if l, found = e[1], true; l == "" {
					continue
				}
			}
			lines = append(lines, l)
		}
		if !found {
			t.Fatalf("the unit has no line %q", e[0])
		}
		text = strings.Join(lines, "\n") + "\n"
	}
	return strings.ReplaceAll(text, "@/", w.dir+"/")
}

// start starts the unit under hardrun, and is the process of the daemon.
func (w *watched) start(t *testing.T, text string) int {
	t.Helper()
	file := write(t, w.dir+"/watched.service", text, 0o644)
	return ready(t, program{argv: []string{hardrun, "--unit=" + file}})
}

// ready starts a program, and waits until the daemon says that it is ready: the process itself,
// or its child.
func ready(t *testing.T, p program) int {
	t.Helper()
	d := p.start(t)
	first := itoa(d.cmd.Process.Pid)
	pid := 0
	eventually(t, "the daemon: "+strings.Join(p.argv, " "), func() bool {
		stat, err := os.ReadFile("/proc/" + first + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			t.Fatalf("it has ended: %s", d.stderr)
		}
		children, _ := os.ReadFile("/proc/" + first + "/task/" + first + "/children") // one that ends has none
		for _, c := range append([]string{first}, strings.Fields(string(children))...) {
			if comm, err := os.ReadFile("/proc/" + c + "/comm"); err == nil && string(comm) == "ready\n" {
				pid, err = strconv.Atoi(c)
				return err == nil
			}
		}
		return false
	})
	return pid
}

// unitPolicy is what a unit asks for, as a start would have it.
func unitPolicy(t *testing.T, file string, path ...string) *policy.Policy {
	t.Helper()
	f := unit.Finder{Path: path}
	u, err := f.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var p policy.Policy
	if err := u.Apply(&p, nil); err != nil {
		t.Fatal(err)
	}
	p.UnitDefaults()
	p.Normalize(!p.User.Set)
	return &p
}

// against compares a process with a unit.
func against(t *testing.T, p *policy.Policy, pid int) []inspect.Finding {
	t.Helper()
	r, err := inspect.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	proc, err := r.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	return r.Against(p, proc)
}

// lacking are the directives that are missing or weaker.
func lacking(all []inspect.Finding) (names []string, texts string) {
	for _, f := range all {
		if f.State == inspect.Missing || f.State == inspect.Weaker {
			names = append(names, f.Directive)
			texts += f.Directive + " " + f.State.String() + ": " + f.Text + "\n"
		}
	}
	return names, texts
}

// What a faithful start has is said to be applied, and what cannot be seen is said so.
func TestAgainstFaithful(t *testing.T) {
	w := newWatched(t)
	pid := w.start(t, w.unit(t))
	p := unitPolicy(t, w.dir+"/watched.service")
	all := against(t, p, pid)
	if names, texts := lacking(all); len(names) > 0 {
		t.Errorf("of a faithful start are missing:\n%s", texts)
	}
	open := map[string]string{}
	for _, f := range all {
		if f.State == inspect.NotCheckable {
			open[f.Directive] = f.Text
		}
		if f.Text == "" {
			t.Errorf("%s has no text", f.Directive)
		}
	}
	// These alone cannot be told: everything else is held above to be in force.
	for name, text := range open {
		switch name {
		case "KeyringMode", "KillMode", "KillSignal", "FinalKillSignal", "WatchdogSignal", "ReloadSignal", "SendSIGKILL", "NotifyAccess", "Type", "RuntimeMaxSec",
			"TimeoutStartSec", "TimeoutStopSec", "TimeoutStartFailureMode", "TimeoutStopFailureMode", "StandardOutput", "X-Hardrun-ClearEnv",
			"MemoryDenyWriteExecute": // PR_SET_MDWE
		default:
			t.Errorf("%s is not checkable: %s", name, text)
		}
	}
	for i := range all {
		if i > 0 && all[i].Directive == all[i-1].Directive {
			t.Errorf("%s is there twice", all[i].Directive)
		}
	}
	if len(all) < 60 {
		t.Errorf("only %d findings", len(all))
	}
}

// Each weakness is found, and nothing else is.
func TestAgainstPlanted(t *testing.T) {
	w := newWatched(t)
	for _, tt := range []struct {
		name  string
		edits [][2]string
		want  []string // that must be found
		also  []string // that may be found besides, as it is implied
	}{
		{"another user", [][2]string{{"User=", "User=nobody"}, {"Group=", "Group=daemon"}}, []string{"User"}, []string{"SetLoginEnvironment"}},
		{
			"no user",
			[][2]string{{"User=", ""}},
			[]string{"User"},
			[]string{"SetLoginEnvironment", "SupplementaryGroups"},
		},
		{"another group", [][2]string{{"Group=", "Group=mail"}}, []string{"Group"}, []string{"SupplementaryGroups"}},
		{"a group more", [][2]string{{"SupplementaryGroups=", "SupplementaryGroups=games disk"}}, []string{"SupplementaryGroups"}, nil},
		{"a bounding set of all", [][2]string{{"CapabilityBoundingSet=", ""}}, []string{"CapabilityBoundingSet"}, nil},
		{"a capability more", [][2]string{{"CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN CAP_SYS_ADMIN"}}, []string{"CapabilityBoundingSet"}, nil},
		{"an ambient capability more", [][2]string{{"AmbientCapabilities=", "AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_CHOWN"}}, []string{"AmbientCapabilities"}, nil},
		{
			"an ambient capability more, in one thread",
			[][2]string{{"AmbientCapabilities=", "AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_CHOWN"}, {"ExecStart=", "ExecStart=@/bin/watched thread"}},
			[]string{"AmbientCapabilities"},
			nil,
		},
		// With User= and a filter that forbids capset(2), hardrun implies it.
		{"no_new_privs", [][2]string{{"NoNewPrivileges=", ""}, {"SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@resources"}}, []string{"NoNewPrivileges"}, []string{"SystemCallFilter"}},
		{"no private /tmp", [][2]string{{"PrivateTmp=", ""}}, []string{"PrivateTmp"}, nil},
		{"full in place of strict", [][2]string{{"ProtectSystem=", "ProtectSystem=full"}}, []string{"ProtectSystem"}, nil},
		{"no protected system", [][2]string{{"ProtectSystem=", ""}}, []string{"ProtectSystem"}, nil},
		{"homes", [][2]string{{"ProtectHome=", ""}}, []string{"ProtectHome"}, nil},
		{"read-only homes", [][2]string{{"ProtectHome=", "ProtectHome=read-only"}}, []string{"ProtectHome"}, nil},
		{"a path that is read-only", [][2]string{{"ReadOnlyPaths=", ""}}, []string{"ReadOnlyPaths"}, nil},
		{"a path that is inaccessible", [][2]string{{"InaccessiblePaths=", ""}}, []string{"InaccessiblePaths"}, nil},
		{"a path without programs", [][2]string{{"NoExecPaths=", ""}}, []string{"NoExecPaths"}, nil},
		{"a bind mount", [][2]string{{"BindPaths=", ""}, {"ReadOnlyPaths=", ""}, {"InaccessiblePaths=", ""}, {"NoExecPaths=", ""}}, []string{"BindPaths"}, nil},
		{"a writable bind mount", [][2]string{{"BindReadOnlyPaths=", "BindPaths=@/bin"}}, []string{"BindReadOnlyPaths"}, nil},
		{"a file system in memory", [][2]string{{"TemporaryFileSystem=", ""}}, []string{"TemporaryFileSystem"}, nil},
		{"a file system in memory with programs", [][2]string{{"TemporaryFileSystem=", "TemporaryFileSystem=/mnt:ro"}}, []string{"TemporaryFileSystem"}, nil},
		{"devices", [][2]string{{"PrivateDevices=", ""}}, []string{"PrivateDevices"}, nil},
		{"a network", [][2]string{{"PrivateNetwork=", ""}}, []string{"PrivateNetwork"}, nil},
		{"IPC", [][2]string{{"PrivateIPC=", ""}}, []string{"PrivateIPC"}, nil},
		{"users", [][2]string{{"PrivateUsers=", ""}}, []string{"PrivateUsers"}, nil},
		{"processes of others", [][2]string{{"ProtectProc=", ""}}, []string{"ProtectProc"}, nil},
		{"processes of others are named", [][2]string{{"ProtectProc=", "ProtectProc=noaccess"}}, []string{"ProtectProc"}, nil},
		// Without it /proc has what ProtectKernelTunables= and others keep.
		{"a whole /proc", [][2]string{{"ProcSubset=", ""}}, []string{"ProcSubset"}, nil},
		{"the host name", [][2]string{{"ProtectHostname=", ""}}, []string{"ProtectHostname"}, nil},
		{"the host name in part", [][2]string{{"ProtectHostname=", "ProtectHostname=private"}, {"SystemCallFilter=@system-service", "SystemCallFilter=@system-service sethostname"}, {"SystemCallFilter=~@privileged @resources", ""}}, []string{"SystemCallFilter"}, []string{"ProtectHostname"}},
		{"tunables", [][2]string{{"ProtectKernelTunables=", ""}}, []string{"ProtectKernelTunables"}, nil},
		{
			"modules",
			[][2]string{{"ProtectKernelModules=", ""}, {"SystemCallFilter=@system-service", "SystemCallFilter=@system-service @module"}, {"SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@resources"}},
			[]string{"ProtectKernelModules", "SystemCallFilter"},
			nil,
		},
		{"control groups", [][2]string{{"ProtectControlGroups=", ""}}, []string{"ProtectControlGroups"}, nil},
		{"a group of calls less", [][2]string{{"SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@privileged"}}, []string{"SystemCallFilter"}, nil},
		{"a call more", [][2]string{{"SystemCallFilter=@system-service", "SystemCallFilter=@system-service kexec_load"}, {"SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@resources"}}, []string{"SystemCallFilter"}, nil},
		{"errors in place of an end", [][2]string{{"SystemCallArchitectures=", "SystemCallArchitectures=native\nSystemCallErrorNumber=EPERM"}}, []string{"SystemCallFilter"}, nil},
		{"architectures", [][2]string{{"SystemCallArchitectures=", ""}}, []string{"SystemCallArchitectures"}, nil},
		{"a family more", [][2]string{{"RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX AF_INET"}}, []string{"RestrictAddressFamilies"}, nil},
		{"every family", [][2]string{{"RestrictAddressFamilies=", ""}}, []string{"RestrictAddressFamilies"}, nil},
		{"a namespace more", [][2]string{{"RestrictNamespaces=", "RestrictNamespaces=user"}}, []string{"RestrictNamespaces"}, nil},
		{"real time", [][2]string{{"RestrictRealtime=", ""}, {"SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@privileged"}}, []string{"RestrictRealtime", "SystemCallFilter"}, []string{"LimitRTPRIO"}},
		{"set-user-ID files", [][2]string{{"RestrictSUIDSGID=", ""}}, []string{"RestrictSUIDSGID"}, nil},
		{"memory that is written and executed", [][2]string{{"MemoryDenyWriteExecute=", ""}}, []string{"MemoryDenyWriteExecute"}, nil},
		{"descriptors", [][2]string{{"LimitNOFILE=", "LimitNOFILE=513"}}, []string{"LimitNOFILE"}, nil},
		{"the soft limit alone", [][2]string{{"LimitNOFILE=", "LimitNOFILE=300:512"}}, nil, nil},
		{"modes of files", [][2]string{{"UMask=", "UMask=0027"}}, []string{"UMask"}, nil},
		{"nice", [][2]string{{"Nice=", ""}}, []string{"Nice"}, nil},
		{"OOM", [][2]string{{"OOMScoreAdjust=", "OOMScoreAdjust=199"}}, []string{"OOMScoreAdjust"}, nil},
		{"a variable", [][2]string{{"Environment=", "Environment=COLOUR=red"}}, []string{"Environment"}, nil},
		// What is stricter is applied.
		{"less", [][2]string{{"CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"}, {"LimitNOFILE=", "LimitNOFILE=64"}, {"UMask=", "UMask=0177"}, {"Nice=", "Nice=7"}}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pid := w.start(t, w.unit(t, tt.edits...))
			file := write(t, w.dir+"/asked/watched.service", w.unit(t), 0o644)
			names, texts := lacking(against(t, unitPolicy(t, file), pid))
			for _, want := range tt.want {
				if !slices.Contains(names, want) {
					t.Errorf("%s= is not found; found:\n%s", want, texts)
				}
			}
			for _, n := range names {
				if !slices.Contains(tt.want, n) && !slices.Contains(tt.also, n) {
					t.Errorf("%s= is found as well:\n%s", n, texts)
				}
			}
		})
	}
}

// A process that was started by others, with nothing or little of it: all of it is found.
func TestAgainstOthers(t *testing.T) {
	w := newWatched(t)
	setpriv := requireProgram(t, "setpriv", "util-linux")
	file := write(t, w.dir+"/watched.service", w.unit(t), 0o644)
	p := unitPolicy(t, file)
	confined := []string{
		"NoNewPrivileges", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateIPC", "PrivateUsers", "ProtectSystem", "ProtectHome", "ProtectProc",
		"ProcSubset", "ProtectHostname", "ProtectClock", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups",
		"BindReadOnlyPaths", "ReadOnlyPaths", "InaccessiblePaths", "NoExecPaths", "TemporaryFileSystem",
		"SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
		"LockPersonality", "MemoryDenyWriteExecute", "LimitNOFILE", "Nice", "OOMScoreAdjust", "UMask",
	}
	daemon := w.dir + "/bin/watched"
	for _, tt := range []struct {
		name string
		argv []string
		want []string
		not  []string
	}{
		{"plainly", []string{daemon}, append([]string{"User", "Group", "CapabilityBoundingSet"}, confined...), nil},
		{
			"setpriv",
			[]string{setpriv, "--reuid=daemon", "--regid=daemon", "--groups=games", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", daemon},
			confined[1:],
			[]string{"User", "Group", "SupplementaryGroups", "CapabilityBoundingSet", "NoNewPrivileges"},
		},
		{
			"setpriv, all groups kept",
			[]string{setpriv, "--reuid=daemon", "--regid=daemon", "--groups=games,disk", "--inh-caps=-all", daemon},
			append([]string{"SupplementaryGroups", "CapabilityBoundingSet"}, confined...),
			[]string{"User", "Group"},
		},
		{
			"bwrap",
			[]string{"bwrap", "--die-with-parent", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--ro-bind", "/", "/", "--tmpfs", "/home", "--tmpfs", "/root", "--tmpfs", "/run/user", "--dev", "/dev", "--tmpfs", "/var/tmp", "--tmpfs", "/tmp", "--ro-bind", w.dir, w.dir, "--", daemon},
			[]string{"User", "ProtectProc", "SystemCallFilter", "InaccessiblePaths", "NoExecPaths"},
			[]string{"PrivateNetwork", "PrivateIPC", "ProtectHome", "PrivateTmp", "ReadOnlyPaths", "BindReadOnlyPaths"},
		},
		{
			"chpst",
			[]string{"chpst", "-u", "daemon:daemon", "-o", "512", "-n", "3", daemon},
			[]string{"CapabilityBoundingSet", "NoNewPrivileges", "ProtectSystem", "SystemCallFilter", "LimitNOFILE"}, // -o is for the soft limit
			[]string{"User", "Group", "SupplementaryGroups", "Nice"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requireProgram(t, tt.argv[0], filepath.Base(tt.argv[0]))
			pid := ready(t, program{argv: tt.argv})
			names, texts := lacking(against(t, p, pid))
			for _, want := range tt.want {
				if !slices.Contains(names, want) {
					t.Errorf("%s= is not found; found:\n%s", want, texts)
				}
			}
			for _, n := range tt.not {
				if slices.Contains(names, n) {
					t.Errorf("%s= is found:\n%s", n, texts)
				}
			}
		})
	}
}

func init() { groundActs["against"] = againstAct }

// Of daemons that are started by the units that Debian ships nothing is missing.
func TestAgainstUnitsOfDebian(t *testing.T) {
	requireRoot(t)
	for _, unit := range []string{"named", "unbound", "nginx", "redis-server"} {
		t.Run(unit, func(t *testing.T) {
			needsDaemon(t, unit, "runsv")
			onGround(t, "against", unit)
		})
	}
}

func againstAct(g *ground1, args []string) {
	d, s := unitDaemonOf(g, args[0]), supervisors["runsv"]
	d.lay(g)
	s.start(g, slices.Concat([]string{"--unit=" + d.unit}, d.options, poor()))
	d.answers(g, d.want)

	var f unit.Finder
	u, err := f.Load(d.unit)
	g.must(err)
	var p policy.Policy
	g.must(u.Apply(&p, nil))
	p.UnitDefaults()
	p.Normalize(!p.User.Set)
	r, err := inspect.Open()
	g.must(err)
	pids, err := r.PIDs()
	g.must(err)
	looked := 0
	for _, pid := range pids {
		exe, err := os.Readlink("/proc/" + itoa(pid) + "/exe")
		if err != nil || exe != d.program && filepath.Base(exe) != "redis-check-rdb" {
			continue
		}
		proc, err := r.Read(pid)
		g.must(err)
		all := r.Against(&p, proc)
		if _, texts := lacking(all); texts != "" {
			g.problem("%s, process %d: %s", d.unit, pid, texts)
		}
		looked++
		applied := 0
		for _, f := range all {
			if f.State == inspect.Applied {
				applied++
			}
		}
		if applied < 5 {
			g.problem("%s: only %d of %d are applied: %v", d.unit, applied, len(all), all)
		}
	}
	if looked == 0 {
		g.problem("%s: no process of %s", d.unit, d.program)
	}
	g.must(r.Close())
	d.stops(g, s)
}
