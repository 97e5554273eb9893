package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

func filters(pl *Plan) []string {
	var list []string
	for _, e := range pl.Entries {
		if e.Stage == StageSeccomp {
			list = append(list, e.Step.String()+" | "+e.Directive+" "+e.Origin.String())
		}
	}
	return list
}

// A filter speaks in the name of the directive that was written first, and of a
// waived one only where all are: its step is given up by that one's waiver.
func TestFilterSpokesman(t *testing.T) {
	set := func(line int, setting string, p *policy.Policy) {
		name, value, _ := strings.Cut(setting, "=")
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: line}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		waive, want string
	}{
		{"", "ProtectKernelLogs= x.service:2"},
		{"ProtectKernelLogs", "PrivateDevices= x.service:5"},
		{"ProtectKernelLogs,PrivateDevices", "ProtectClock= x.service:9"},
		{"ProtectKernelLogs,PrivateDevices,ProtectClock", "ProtectKernelLogs= x.service:2"},
	} {
		p := &policy.Policy{}
		set(9, "ProtectClock=yes", p)
		set(2, "ProtectKernelLogs=yes", p)
		set(5, "PrivateDevices=yes", p)
		set(1, "ProtectKernelModules=no", p)
		if tt.waive != "" {
			set(11, "X-Hardrun-Waive="+tt.waive, p)
		}
		got := filters(Compile(p, aRoot()))
		if len(got) != 1 || !strings.HasSuffix(got[0], "instructions: ProtectKernelLogs=, ProtectClock=, PrivateDevices= | "+tt.want) {
			t.Errorf("waived %q: %q, want %s", tt.waive, got, tt.want)
		}
	}
}

// On a machine whose calls are not known each directive is refused by its name;
// the waiver of one is none for the other, and no filter is made of what is left.
func TestFilterUnknownMachine(t *testing.T) {
	env := aRoot()
	env.GOARCH = "mips64"
	pl := Compile(aPolicy(t, "ProtectClock=yes", "PrivateDevices=yes", "X-Hardrun-Waive=ProtectClock"), env)
	if len(pl.Refused) != 1 || pl.Refused[0].Directive != "PrivateDevices=" || pl.Refused[0].Exit != 228 ||
		len(pl.Waived) != 1 || pl.Waived[0].Directive != "ProtectClock=" {
		t.Errorf("refused %v, waived %v", pl.Refused, pl.Waived)
	}
	if got := filters(pl); len(got) != 0 {
		t.Errorf("filters %q", got)
	}
}

// hardrun's own filter is loaded before the user's, which may forbid the loading.
func TestFilterOrder(t *testing.T) {
	env := aRoot()
	env.Arch, env.Execve, env.Filter = seccomp.ArchX86_64, 59, seccomp.Program{{Code: 6, K: uint32(seccomp.Allow)}}
	got := filters(Compile(aPolicy(t, "X-Hardrun-SeccompBPF=/f", "ProtectHostname=yes"), env))
	if len(got) != 2 || !strings.Contains(got[0], "ProtectHostname=") || !strings.Contains(got[1], "from /f") {
		t.Errorf("got %q", got)
	}
	if got := filters(Compile(aPolicy(t, "ProtectHostname=private", "ProtectClock=no"), env)); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "Protect") }) {
		t.Errorf("got %q: neither takes a call away", got)
	}
}

// A filter under which the daemon could not start is refused by the directive, and the
// line, that forbids execve(2); the status is systemd's.
func TestFilterNeedsExecve(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string // empty: not refused
	}{
		{"denied", []string{"SystemCallFilter=~execve"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:1)"},
		{"denied by an error", []string{"SystemCallFilter=~execve:EPERM"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:1)"},
		{"denied by a group", []string{"SystemCallFilter=~@known"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:1)"},
		{"denied by a group in a group", []string{"SystemCallFilter=~@system-service"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:1)"},
		{"taken from an allow list", []string{"SystemCallFilter=read", "SystemCallFilter=~execve"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:2) (test.service:1)"},
		{"taken away, whatever the others say", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~@default:EACCES", "RestrictRealtime=yes"}, "SystemCallFilter=: the filter does not allow execve, so that /bin/daemon could not start (test.service:2) (test.service:1)"},
		{"logged", []string{"SystemCallFilter=~execve:log"}, ""},
		{"logged with all else", []string{"SystemCallLog=~read"}, ""},
		{"given back", []string{"SystemCallFilter=~@default", "SystemCallFilter=execve"}, ""},
		{"another call", []string{"SystemCallFilter=~execveat @process"}, ""},
		{"an empty list has the default", []string{"SystemCallFilter=nosuchcall"}, ""},
	} {
		p := &policy.Policy{}
		for i, l := range tt.lines {
			name, value, _ := strings.Cut(l, "=")
			if err := p.Set(name, value, policy.Origin{File: "test.service", Line: i + 1}); err != nil {
				t.Fatal(err)
			}
		}
		pl := Compile(p, aRoot())
		if tt.want == "" {
			if len(pl.Refused) > 0 || len(filters(pl)) != 1 {
				t.Errorf("%s: refused %q, filters %q", tt.name, refusalLines(pl), filters(pl))
			}
			continue
		}
		if len(pl.Refused) != 1 || pl.Refused[0].Error() != tt.want || pl.Refused[0].Exit != 228 {
			t.Errorf("%s: refused %q, want %q and the status 228", tt.name, refusalLines(pl), tt.want)
		}
		if len(filters(pl)) != 0 || pl.Program != nil {
			t.Errorf("%s: filters %q", tt.name, filters(pl))
		}
	}
}

// systemd.exec(5), NoNewPrivileges=, and what systemd was seen to do: as root, with or
// without User=, a filter does not imply it, unless SystemCallFilter= forbids one of
// the calls that give up what was kept to load it.
func TestFilterImpliesNoNewPrivs(t *testing.T) {
	asRoot := func(e *Env) {
		e.User = caps.User{Name: "root", Home: "/root", Entry: true}
		e.UserGroups = []uint32{0}
	}
	for _, tt := range []struct {
		name string
		set  []string
		env  func(*Env)
		want string // why; empty: not implied
	}{
		{"root", []string{"SystemCallFilter=~capset"}, nil, ""},
		{"a user, a group", []string{"User=www", "SystemCallFilter=@system-service"}, nil, ""},
		{"a user, a deny list", []string{"User=www", "SystemCallFilter=~@mount"}, nil, ""},
		{"a user, another directive", []string{"User=www", "RestrictNamespaces=yes", "SystemCallLog=capset"}, nil, ""},
		{"a user, capset denied", []string{"User=www", "SystemCallFilter=~capset"}, nil, "SystemCallFilter= forbids capset and User= is set, where systemd implies it"},
		{"a user, capget denied", []string{"User=www", "SystemCallFilter=~capget:EPERM"}, nil, "SystemCallFilter= forbids capget and User= is set, where systemd implies it"},
		{"a user, prctl denied", []string{"User=www", "SystemCallFilter=~prctl"}, nil, "SystemCallFilter= forbids prctl and User= is set, where systemd implies it"},
		{"a user, capset denied by a group", []string{"User=www", "SystemCallFilter=~@privileged"}, nil, "SystemCallFilter= forbids capset and User= is set, where systemd implies it"},
		{"a user, capset not allowed", []string{"User=www", "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged"}, nil, "SystemCallFilter= forbids capset and User= is set, where systemd implies it"},
		{"a user, none of them allowed", []string{"User=www", "SystemCallFilter=read write"}, nil, "SystemCallFilter= forbids capget and User= is set, where systemd implies it"},
		{"a user, all of them allowed", []string{"User=www", "SystemCallFilter=read capget capset prctl"}, nil, ""},
		{"a user, denied and let pass again", []string{"User=www", "SystemCallFilter=~capset acct", "SystemCallFilter=capset"}, nil, ""},
		{"the user root", []string{"User=root", "SystemCallFilter=~capset"}, asRoot, ""},
		{"the user root, of another", []string{"User=root", "SystemCallFilter=~capset"}, func(e *Env) { asRoot(e); e.UIDs = [3]uint32{1000, 1000, 1000} }, ""},
		{"a user who keeps CAP_SYS_ADMIN", []string{"User=www", "AmbientCapabilities=CAP_SYS_ADMIN", "SystemCallFilter=~capset"}, nil, ""},
		{"no is overruled", []string{"User=www", "NoNewPrivileges=no", "SystemCallFilter=~capset"}, nil, "SystemCallFilter= forbids capset and User= is set, where systemd implies it"},
		{"no CAP_SYS_ADMIN, a list", []string{"SystemCallFilter=~acct"}, withoutAdmin, "SystemCallFilter= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, a log", []string{"SystemCallLog=acct"}, withoutAdmin, "SystemCallLog= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, architectures", []string{"SystemCallArchitectures=native"}, withoutAdmin, "SystemCallArchitectures= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, families", []string{"RestrictAddressFamilies=none"}, withoutAdmin, "RestrictAddressFamilies= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, namespaces", []string{"RestrictNamespaces=~user"}, withoutAdmin, "RestrictNamespaces= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, realtime", []string{"RestrictRealtime=yes"}, withoutAdmin, "RestrictRealtime= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, modes", []string{"RestrictSUIDSGID=yes"}, withoutAdmin, "RestrictSUIDSGID= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, personality", []string{"LockPersonality=yes"}, withoutAdmin, "LockPersonality= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, memory", []string{"MemoryDenyWriteExecute=yes"}, withoutAdmin, "MemoryDenyWriteExecute= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"no CAP_SYS_ADMIN, memory by the kernel", []string{"MemoryDenyWriteExecute=yes"}, func(e *Env) { withoutAdmin(e); e.MDWE = true }, ""},
		{"no CAP_SYS_ADMIN, and nothing to filter", []string{"RestrictNamespaces=no", "RestrictAddressFamilies=~", "SystemCallFilter=~", "SystemCallErrorNumber=EPERM"}, withoutAdmin, ""},
		{"no CAP_SYS_ADMIN, no is overruled", []string{"NoNewPrivileges=no", "RestrictRealtime=yes"}, withoutAdmin, "RestrictRealtime= needs a filter, which is loaded without CAP_SYS_ADMIN"},
		{"it was set already", []string{"RestrictRealtime=yes"}, func(e *Env) { withoutAdmin(e); e.NoNewPrivs = true }, ""},
		{"it is asked for", []string{"NoNewPrivileges=yes", "RestrictRealtime=yes"}, withoutAdmin, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := aRoot()
			if tt.env != nil {
				tt.env(env)
			}
			p := aPolicy(t, tt.set...)
			pl := Compile(p, env)
			if len(pl.Refused) > 0 {
				t.Fatalf("refused %q", refusalLines(pl))
			}
			because, at, loaded := "", -1, -1
			for i, e := range pl.Entries {
				switch e.Stage {
				case StageNoNewPrivs:
					because, at = e.Because, i
				case StageSeccomp:
					loaded = i
				}
			}
			if because != tt.want {
				t.Errorf("implied because of %q, want %q", because, tt.want)
			}
			if asked := p.NoNewPrivileges.V; (at >= 0) != (tt.want != "" || asked) {
				t.Errorf("the step is at %d", at)
			}
			if at >= 0 && loaded >= 0 && at > loaded {
				t.Errorf("the filter is loaded at %d, before no_new_privs at %d", loaded, at)
			}
			if got, want := notes(pl, "nnp-implied"), 0; tt.want != "" && slices.Contains(tt.set, "NoNewPrivileges=no") != (len(got) == 1) || tt.want == "" && len(got) != want {
				t.Errorf("notes %q", got)
			}
		})
	}
}

func notes(pl *Plan, id string) []string {
	var list []string
	for _, n := range pl.Notes {
		if n.ID == id {
			list = append(list, n.Text)
		}
	}
	return list
}

// A user's filter without no_new_privs is loaded with CAP_SYS_ADMIN, which is kept for
// it alone; with no_new_privs nothing is kept.
func TestFilterKeepsAdmin(t *testing.T) {
	for _, tt := range []struct {
		set   []string
		keeps bool
	}{
		{[]string{"User=www", "SystemCallFilter=@system-service"}, true},
		{[]string{"User=www", "RestrictRealtime=yes"}, true},
		{[]string{"User=www", "SystemCallFilter=@system-service", "NoNewPrivileges=yes"}, false},
		{[]string{"User=www", "SystemCallFilter=~capset"}, false},
		{[]string{"User=www", "RestrictNamespaces=no"}, false},
	} {
		pl := Compile(aPolicy(t, tt.set...), aRoot())
		if len(pl.Refused) > 0 {
			t.Errorf("%q: refused %q", tt.set, refusalLines(pl))
		}
		kept := slices.ContainsFunc(steps(pl), func(s string) bool {
			return strings.HasPrefix(s, "capabilities:") && strings.Contains(s, "cap_sys_admin")
		})
		if kept != tt.keeps {
			t.Errorf("%q: CAP_SYS_ADMIN kept %v, want %v: %q", tt.set, kept, tt.keeps, steps(pl))
		}
		if advised := len(notes(pl, "nnp-advised")) == 1; advised != tt.keeps {
			t.Errorf("%q: no_new_privs advised %v, want %v", tt.set, advised, tt.keeps)
		}
	}
}

// Of the directives' filter and a ready one that comes first which lets the other be
// loaded and asked for its canary.
func TestFilterOrderOfTwo(t *testing.T) {
	const (
		load, equal, ret = 0x20, 0x15, 0x06
		killAll          = 0x80000000
		denyAll          = 0x00050001
		pass             = 0x7fff0000
	)
	passes := seccomp.Program{{Code: ret, K: pass}}
	only := func(nr, verdict, rest uint32) seccomp.Program {
		return seccomp.Program{{Code: load}, {Code: equal, K: nr, JT: 0, JF: 1}, {Code: ret, K: verdict}, {Code: ret, K: rest}}
	}
	for _, tt := range []struct {
		name  string
		lines []string
		ready seccomp.Program
		want  string // which is first; empty: refused
	}{
		{"both let pass", []string{"SystemCallFilter=~acct"}, passes, "own"},
		{"the ready one kills for all but execve", []string{"SystemCallFilter=~acct"}, only(59, pass, killAll), "own"},
		{"the ready one denies all but execve", []string{"SystemCallFilter=~acct"}, only(59, pass, denyAll), "own"},
		{"the own one forbids seccomp", []string{"SystemCallFilter=~seccomp"}, passes, "ready"},
		{"the own one denies seccomp", []string{"SystemCallFilter=~seccomp:EPERM"}, passes, "ready"},
		{"the own one kills for prctl", []string{"SystemCallFilter=~prctl"}, passes, "ready"},
		{"the own one denies prctl: the later errno counts", []string{"SystemCallFilter=~prctl:EPERM"}, passes, "own"},
		{"the own one is an allow list without prctl", []string{"SystemCallFilter=@basic-io"}, passes, "ready"},
		{"the own one is such a list with an error", []string{"SystemCallFilter=@basic-io", "SystemCallErrorNumber=EPERM"}, passes, "own"},
		{"the own one logs", []string{"SystemCallLog=seccomp prctl"}, only(59, pass, killAll), "own"},
		{"both kill for all but execve", []string{"SystemCallFilter=~@known", "SystemCallFilter=execve"}, only(59, pass, killAll), ""},
		{"one forbids seccomp, the other prctl", []string{"SystemCallFilter=~seccomp"}, only(157, killAll, pass), ""},
		{"one forbids prctl, the other seccomp", []string{"SystemCallFilter=~prctl"}, only(317, denyAll, pass), ""},
	} {
		env := aRoot()
		env.Arch, env.Execve, env.Filter = seccomp.ArchX86_64, 59, tt.ready
		pl := Compile(aPolicy(t, append(tt.lines, "X-Hardrun-SeccompBPF=/f")...), env)
		got := ""
		if list := filters(pl); len(list) == 2 {
			got = "own"
			if strings.Contains(list[0], "from /f") {
				got = "ready"
			}
			if strings.Contains(list[0], "from /f") == strings.Contains(list[1], "from /f") {
				t.Errorf("%s: filters %q", tt.name, list)
			}
		}
		if tt.want != "" {
			if got != tt.want || len(pl.Refused) > 0 {
				t.Errorf("%s: %q first, want %q: refused %q", tt.name, got, tt.want, refusalLines(pl))
			}
			continue
		}
		want := "X-Hardrun-SeccompBPF=: neither this filter nor that of the directives lets the other one be loaded: one of them has to allow seccomp and prctl (test.service:7)"
		if len(pl.Refused) != 1 || pl.Refused[0].Error() != want || pl.Refused[0].Exit != 228 {
			t.Errorf("%s: refused %q, want %q", tt.name, refusalLines(pl), want)
		}
	}
}

// What a reader of the filter should know.
func TestFilterNotes(t *testing.T) {
	dynamic := func(e *Env) { e.Command.Interp = "/lib64/ld-linux-x86-64.so.2" }
	const (
		needs  = "the loader of a dynamic program needs "
		may    = ", which the filter forbids: /bin/daemon may not start"
		gone   = "io_uring is not there for the daemon (ENOSYS), as it would be a way around "
		around = "the filter lets io_uring pass, which is a way around what it says of "
	)
	for _, tt := range []struct {
		name string
		set  []string
		env  func(*Env)
		id   string
		want string // empty: no such note
	}{
		{"a list without the loader's calls", []string{"SystemCallFilter=read write"}, dynamic, "loader", needs + "close, openat, fstat, pread64" + may},
		{"the default alone", []string{"SystemCallFilter=acct"}, dynamic, "loader", needs + "close, openat, read, fstat, pread64" + may},
		{"older names of two of them", []string{"SystemCallFilter=read close open newfstatat pread64"}, dynamic, "loader", ""},
		{"a call of the loader denied", []string{"SystemCallFilter=~mmap:EPERM pread64"}, dynamic, "loader", needs + "mmap, pread64" + may},
		{"a call of the loader logged", []string{"SystemCallFilter=~mmap:log"}, dynamic, "loader", ""},
		{"the recommended group", []string{"SystemCallFilter=@system-service"}, dynamic, "loader", ""},
		{"a static program", []string{"SystemCallFilter=read write"}, nil, "loader", ""},
		{"memory to write and execute is no affair of it", []string{"MemoryDenyWriteExecute=yes"}, dynamic, "loader", ""},

		{"io_uring in the group, a call taken away", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~connect openat2"}, nil, "io-uring", around + "openat2, connect"},
		{"io_uring by name, families", []string{"SystemCallFilter=@system-service @io-uring", "RestrictAddressFamilies=AF_UNIX"}, nil, "io-uring", around + "socket"},
		{"io_uring by name, modes", []string{"SystemCallFilter=@system-service @io-uring", "RestrictSUIDSGID=yes"}, nil, "io-uring", around + "openat, openat2, mkdirat"},
		{"io_uring by name in a deny list", []string{"SystemCallFilter=~unlinkat", "SystemCallFilter=@io-uring"}, nil, "io-uring", around + "unlinkat"},
		{"io_uring in the group, nothing taken away", []string{"SystemCallFilter=@system-service"}, nil, "io-uring", ""},
		{"io_uring denied with what it does", []string{"SystemCallFilter=~connect"}, nil, "io-uring", ""},
		{"io_uring denied by families", []string{"SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_UNIX"}, nil, "io-uring", ""},
		{"io_uring denied by a list, too", []string{"SystemCallFilter=read", "RestrictAddressFamilies=AF_UNIX"}, nil, "io-uring-denied", ""},
		{"io_uring denied, and said so", []string{"SystemCallFilter=~connect"}, nil, "io-uring-denied", gone + "SystemCallFilter=; a SystemCallFilter= line that names @io-uring keeps it"},
		{"io_uring denied by modes, and said so", []string{"RestrictSUIDSGID=yes"}, nil, "io-uring-denied", gone + "RestrictSUIDSGID=; a SystemCallFilter= line that names @io-uring keeps it"},
		{"io_uring named, and not denied", []string{"RestrictSUIDSGID=yes", "SystemCallFilter=~acct", "SystemCallFilter=@io-uring"}, nil, "io-uring-denied", ""},
		{"io_uring not in the list", []string{"SystemCallFilter=read"}, nil, "io-uring", ""},
		{"what io_uring does not do", []string{"SystemCallFilter=~mount"}, nil, "io-uring", ""},

		{"an unknown call", []string{"SystemCallFilter=read nosuchcall"}, nil, "call-unknown", `SystemCallFilter= test.service:7: "nosuchcall" is no system call that is known: without it the filter is stricter`},
		{"an unknown group", []string{"SystemCallFilter=read @nosuch"}, nil, "call-unknown", `SystemCallFilter= test.service:7: "@nosuch" is no system call that is known: without it the filter is stricter`},
		{"a call of another machine", []string{"SystemCallFilter=read arm_fadvise64_64"}, nil, "call-unknown", ""},
		{"an unknown call that was reset", []string{"SystemCallFilter=nosuchcall", "SystemCallFilter=", "SystemCallFilter=read"}, nil, "call-unknown", ""},

		{"newer calls let pass", []string{"SystemCallFilter=~@clock", "X-Hardrun-AllowNewCalls=yes"}, nil, "calls-new", "--allow-new-calls: what the kernel learnt after hardrun was made passes the list of forbidden calls"},
		{"newer calls not let pass", []string{"SystemCallFilter=~@clock"}, nil, "calls-new", ""},
		{"newer calls in an allow list", []string{"SystemCallFilter=@clock", "X-Hardrun-AllowNewCalls=yes"}, nil, "calls-new", ""},
	} {
		env := aRoot()
		if tt.env != nil {
			tt.env(env)
		}
		pl := Compile(aPolicy(t, tt.set...), env)
		if len(pl.Refused) > 0 {
			t.Errorf("%s: refused %q", tt.name, refusalLines(pl))
		}
		got := notes(pl, tt.id)
		if tt.want == "" && len(got) > 0 || tt.want != "" && !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: notes\n %q, want\n %q", tt.name, got, tt.want)
		}
	}
}

// A build without libseccomp refuses its back end by the option's name.
func TestFilterBackend(t *testing.T) {
	pl := Compile(aPolicy(t, "SystemCallFilter=~acct", "X-Hardrun-FilterBackend=libseccomp"), aRoot())
	if seccomp.HasLibseccomp {
		if len(pl.Refused) > 0 || pl.Program == nil {
			t.Errorf("refused %q", refusalLines(pl))
		}
		return
	}
	if want := []string{"X-Hardrun-FilterBackend=: this build has no libseccomp (test.service:7)"}; !slices.Equal(refusalLines(pl), want) || pl.Refused[0].Exit != 228 || len(filters(pl)) != 0 {
		t.Errorf("refused %q, filters %q, want %q", refusalLines(pl), filters(pl), want)
	}
}

// On s390x mmap(2) takes its arguments in memory: a filter would forbid nothing, and is
// refused. A kernel that does it itself is enough.
func TestFilterBlindToMemory(t *testing.T) {
	for _, goarch := range []string{"s390x", "amd64", "arm64", "riscv64", "ppc64le"} {
		for _, mdwe := range []bool{false, true} {
			env := aRoot()
			env.GOARCH, env.MDWE = goarch, mdwe
			pl := Compile(aPolicy(t, "MemoryDenyWriteExecute=yes", "LockPersonality=yes"), env)
			blind := goarch == "s390x" && !mdwe
			if refused := len(pl.Refused) > 0; refused != blind || refused && (pl.Refused[0].Exit != 228 || pl.Refused[0].Directive != "MemoryDenyWriteExecute=") {
				t.Errorf("%s, PR_SET_MDWE %v: refused %v", goarch, mdwe, pl.Refused)
			}
		}
	}
}

// Before Linux 4.8 a tracer changes a call that the filter has seen already: only a
// filter that forbids ptrace(2) is one (CVE-2017-5206).
func TestFilterBeforePtrace(t *testing.T) {
	for _, tt := range []struct {
		line    string
		refused bool
	}{
		{"SystemCallFilter=~acct", true},
		{"RestrictRealtime=yes", true},
		{"SystemCallFilter=@system-service", false}, // it does not have ptrace
		{"SystemCallFilter=~ptrace:EPERM", false},
		{"SystemCallFilter=~ptrace:log", true},
	} {
		env := aRoot()
		pl := Compile(aPolicy(t, tt.line), env)
		if len(pl.Refused) > 0 {
			t.Errorf("%s, new kernel: refused %v", tt.line, pl.Refused)
		}
		env.OldFilters = true
		pl = Compile(aPolicy(t, tt.line), env)
		if (len(pl.Refused) > 0) != tt.refused || tt.refused && (pl.Refused[0].Exit != 228 || !pl.Refused[0].Waivable || !strings.Contains(pl.Refused[0].Text, "ptrace") || len(filters(pl)) > 0) {
			t.Errorf("%s, old kernel: refused %v, filters %v", tt.line, pl.Refused, filters(pl))
		}
	}
}

// A terminal that is kept: whether the daemon can type there is the filter's affair.
func TestKeptTerminal(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want []string
	}{
		{nil, []string{"--keep-tty: the daemon shares a terminal with who started it, and can type there (TIOCSTI)"}},
		{[]string{"RestrictRealtime=yes"}, []string{"--keep-tty: the daemon shares a terminal with who started it; that it types there (TIOCSTI) is forbidden by the filter"}},
	} {
		env := aRoot()
		env.Shared, env.Terminal = true, true
		got := notes(Compile(aPolicy(t, append([]string{"User=www", "X-Hardrun-KeepTTY=yes"}, tt.set...)...), env), "keep-tty")
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: notes %q, want %q", tt.set, got, tt.want)
		}
	}
}

// What is refused already, as no filter can be loaded, is no part of the filter of the
// rest, and is refused once; a refusal of another kind is no matter of the filter's.
func TestFilterRefusedBefore(t *testing.T) {
	for _, tt := range []struct {
		problem Refusal
		want    string // the directives of the filter
	}{
		{Refusal{Directive: "LockPersonality=", Exit: ExitSeccomp}, "RestrictRealtime="},
		{Refusal{Directive: "LockPersonality=", Exit: ExitNamespace}, "RestrictRealtime=, LockPersonality="},
		{Refusal{Directive: "ProtectClock=", Exit: ExitSeccomp}, "RestrictRealtime=, LockPersonality="},
	} {
		env := aRoot()
		env.Problems = []Refusal{tt.problem}
		pl := Compile(aPolicy(t, "LockPersonality=yes", "RestrictRealtime=yes"), env)
		got := filters(pl)
		if len(pl.Refused) != 1 || len(got) != 1 || !strings.Contains(got[0], "instructions: "+tt.want+" | ") {
			t.Errorf("%v: refused %v, filters %q, want %s", tt.problem, pl.Refused, got, tt.want)
		}
	}
}

// A ready filter which forbids execve is refused; one is loaded with what privilege
// there is, and no_new_privs implied where there is none.
func TestReadyFilter(t *testing.T) {
	for _, tt := range []struct {
		name    string
		action  seccomp.Action
		admin   bool
		set     []string
		refused string
		nnp     bool
	}{
		{"with CAP_SYS_ADMIN", seccomp.Allow, true, nil, "", false},
		{"with CAP_SYS_ADMIN and no_new_privs", seccomp.Allow, true, []string{"NoNewPrivileges=yes"}, "", true},
		{"without", seccomp.Allow, false, nil, "", true},
		{"without, and no_new_privs", seccomp.Allow, false, []string{"NoNewPrivileges=yes"}, "", true},
		{"without, and no_new_privs forbidden", seccomp.Allow, false, []string{"NoNewPrivileges=no"}, "loading a filter needs NoNewPrivileges=yes or CAP_SYS_ADMIN", false},
		{"that forbids execve", seccomp.KillProcess, true, nil, `the filter answers execve with "kill process"`, false},
	} {
		env := aRoot()
		env.Arch, env.Execve, env.Filter = seccomp.ArchX86_64, 59, seccomp.Program{{Code: 6, K: uint32(tt.action)}}
		if !tt.admin {
			env.Caps = CapState{}
		}
		pl := Compile(aPolicy(t, append([]string{"X-Hardrun-SeccompBPF=/f"}, tt.set...)...), env)
		nnp := slices.ContainsFunc(pl.Entries, func(e Entry) bool { return e.Stage == StageNoNewPrivs })
		switch {
		case tt.refused == "" && (len(pl.Refused) > 0 || len(filters(pl)) != 1 || nnp != tt.nnp):
			t.Errorf("%s: refused %v, filters %q, no_new_privs %v", tt.name, pl.Refused, filters(pl), nnp)
		case tt.refused != "" && (len(pl.Refused) != 1 || pl.Refused[0].Exit != 228 || !strings.HasPrefix(pl.Refused[0].Text, tt.refused)):
			t.Errorf("%s: refused %v, want %q", tt.name, pl.Refused, tt.refused)
		}
	}
}

// Without libseccomp its filter cannot be had, whether there is something to filter or not.
func TestNoLibseccomp(t *testing.T) {
	if seccomp.HasLibseccomp {
		t.Skip("this build has it")
	}
	for _, set := range [][]string{{"X-Hardrun-FilterBackend=libseccomp", "RestrictRealtime=yes"}, {"X-Hardrun-FilterBackend=libseccomp"}} {
		pl := Compile(aPolicy(t, set...), aRoot())
		if got, want := refusalLines(pl), []string{"X-Hardrun-FilterBackend=: this build has no libseccomp (test.service:7)"}; !slices.Equal(got, want) || pl.Filter != nil || pl.Refused[0].Exit != ExitSeccomp {
			t.Errorf("%q: refused %q, want %q", set, got, want)
		}
	}
}
