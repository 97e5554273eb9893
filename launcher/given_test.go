package launcher

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// withGiven is a root who runs a command of a service.
func withGiven(g Given) *Env {
	env := aRoot()
	env.Given = &g
	return env
}

// asRoot is withGiven without User=, as Gather fills it.
func asRoot(g Given) *Env {
	env := withGiven(g)
	env.Own = caps.User{Name: "root", Home: "/root", Shell: "/bin/sh", Entry: true}
	return env
}

func aDynamicUser() *caps.User { return &caps.User{Name: "dyn", UID: 61200, GID: 61200} }

// dynamic is withGiven for DynamicUser=, as Gather fills it.
func dynamic(g Given) *Env {
	g.Who = aDynamicUser()
	env := withGiven(g)
	env.User, env.UserGroups = *g.Who, []uint32{61200}
	return env
}

func noRefusals(t *testing.T, pl *Plan) {
	t.Helper()
	if len(pl.Refused) > 0 {
		t.Fatalf("refused: %q", refusalLines(pl))
	}
}

func hasNote(pl *Plan, id, part string) bool {
	return slices.ContainsFunc(pl.Notes, func(n Note) bool { return n.ID == id && strings.Contains(n.Text, part) })
}

// A bare command line is the same with an empty Given.
func TestGivenNothing(t *testing.T) {
	p := aPolicy(t, "User=www", "PrivateTmp=yes", "ProtectSystem=strict", "PrivateNetwork=yes", "Environment=B=2", "LimitNOFILE=9")
	a := Compile(p, aRoot())
	b := Compile(p, withGiven(Given{}))
	if x, y := steps(a), steps(b); !slices.Equal(x, y) {
		t.Errorf("without: %q\nwith:    %q", x, y)
	}
	if !slices.Equal(a.Environ(), b.Environ()) || !slices.Equal(a.Args(), b.Args()) {
		t.Errorf("%q %q, %q %q", a.Environ(), a.Args(), b.Environ(), b.Args())
	}
}

// Without DynamicUser= in a database: who it is comes from what is given, the directive is
// named, and nss-systemd's part is played by lines in passwd and group.
func TestGivenWho(t *testing.T) {
	pl := Compile(aPolicy(t, "DynamicUser=yes"), dynamic(Given{Unit: "dyn.service"}))
	noRefusals(t, pl)
	got := steps(pl)
	for _, want := range []string{
		"groups: set groups {61200}", "groups: set gid 61200 (real, effective, saved)", "user: set uid 61200 (real, effective, saved)",
		"mounts: /etc/passwd with a line for dyn", "mounts: /etc/group with a line for dyn", newMounts,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	for _, e := range pl.Entries {
		if e.Directive == "User=" {
			t.Errorf("%s is said to come of User=, which nobody wrote", e.Step)
		}
		if e.Stage == StageUser && (e.Directive != "DynamicUser=" || e.Origin.Line != 7) {
			t.Errorf("the user comes of %s %v", e.Directive, e.Origin)
		}
	}
	for _, e := range pl.Environ() {
		if strings.HasPrefix(e, "HOME=") || strings.HasPrefix(e, "SHELL=") {
			t.Errorf("%s is set", e)
		}
	}
	if !slices.Contains(pl.Environ(), "USER=dyn") || !slices.Contains(pl.Environ(), "LOGNAME=dyn") {
		t.Errorf("%q", pl.Environ())
	}
	// With options alone the environment is inherited, but not another one's home.
	env := dynamic(Given{})
	env.Environ = []string{"HOME=/root", "SHELL=/bin/sh", "A=1"}
	if pl := Compile(aPolicy(t, "DynamicUser=yes"), env); !slices.Equal(pl.Environ(), []string{"A=1", "LOGNAME=dyn", "USER=dyn"}) {
		t.Errorf("%q", pl.Environ())
	}
	// An own User= keeps its name.
	pl = Compile(aPolicy(t, "DynamicUser=yes", "User=dyn"), dynamic(Given{Unit: "dyn.service"}))
	if !slices.ContainsFunc(pl.Entries, func(e Entry) bool { return e.Stage == StageUser && e.Directive == "User=" }) {
		t.Error("User= was renamed")
	}
	if passwdLine(aDynamicUser()) != "dyn:!*:61200:61200:Dynamic User:/:/usr/sbin/nologin\n" || groupLine(aDynamicUser()) != "dyn:!*:61200:\n" {
		t.Errorf("%q %q", passwdLine(aDynamicUser()), groupLine(aDynamicUser()))
	}
}

// The environment of a service, systemd.exec(5) "ENVIRONMENT VARIABLES IN SPAWNED
// PROCESSES": the order is the manual's.
func TestGivenEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		env  func(e *Env)
		want []string
	}{
		{"nothing is inherited", nil, nil, []string{"PATH=" + mergedPath, "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100"}},
		{"but the locale", nil, func(e *Env) { e.Environ = append(e.Environ, "LANG=C", "LC_TIME=de_DE") }, []string{
			"PATH=" + mergedPath, "LANG=C", "LC_TIME=de_DE", "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100",
		}},
		{"an unmerged machine", nil, func(e *Env) { e.Split = true }, []string{"PATH=" + defaultPath, "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100"}},
		{"a user", []string{"User=www"}, func(e *Env) { e.Own = caps.User{} }, []string{
			"PATH=" + mergedPath, "INVOCATION_ID=ab", "HOME=/var/www", "LOGNAME=www", "USER=www", "SYSTEMD_EXEC_PID=100",
		}},
		{"root, explicitly", []string{"SetLoginEnvironment=yes"}, nil, []string{
			"PATH=" + mergedPath, "INVOCATION_ID=ab", "HOME=/root", "LOGNAME=root", "USER=root", "SHELL=/bin/sh", "SYSTEMD_EXEC_PID=100",
		}},
		{"who it would be is said already", nil, func(e *Env) { e.Given.Environ = []string{"USER=www"} }, []string{"PATH=" + mergedPath, "USER=www", "SYSTEMD_EXEC_PID=100"}},
		{"later wins", []string{"ExecSearchPath=/opt", "PassEnvironment=A", "Environment=A=2 INVOCATION_ID=x", "UnsetEnvironment=USER"}, func(e *Env) {
			e.EnvFiles = [][]string{{"A=3"}}
		}, []string{"PATH=/opt", "INVOCATION_ID=x", "SYSTEMD_EXEC_PID=100", "A=3"}},
		{"PATH that is set wins over that of the search", []string{"ExecSearchPath=/opt", "Environment=PATH=/x"}, nil, []string{
			"PATH=/x", "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100",
		}},
		{"a terminal", []string{"StandardInput=tty", "TTYPath=/dev/tty9"}, func(e *Env) { e.Environ = []string{"TERM=linux"} }, []string{
			"PATH=" + mergedPath, "TERM=linux", "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100",
		}},
		{"inherited on purpose", []string{"X-Hardrun-ClearEnv=no"}, nil, []string{"PATH=/bin", "A=1", "INVOCATION_ID=ab", "USER=root", "SYSTEMD_EXEC_PID=100"}},
	} {
		env := asRoot(Given{Unit: "x.service", Environ: []string{"INVOCATION_ID=ab"}})
		if tt.env != nil {
			tt.env(env)
		}
		p := aPolicy(t, tt.set...)
		if !p.ClearEnv.Set {
			p.ClearEnv = policy.Opt[bool]{V: true, Set: true, From: policy.Origin{Default: true}}
		}
		if got := Compile(p, env).Environ(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

const mergedPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

// systemd.service(5) "COMMAND LINES".
func TestExpand(t *testing.T) {
	vars := []string{"ONE=one", "TWO='two two' too", "THREE=", "SPACE=  a\tb ", "Q=\"x y\"z \\'k", "OPEN='a b", "EMPTY=''", "TAIL=a\\"}
	for _, tt := range []struct {
		in, want []string
	}{
		{[]string{"${ONE}", "${TWO}", "${THREE}"}, []string{"one", "'two two' too", ""}},
		{[]string{"$ONE", "$TWO", "$THREE"}, []string{"one", "two two", "too"}},
		{[]string{"$SPACE", "${SPACE}"}, []string{"a", "b", "  a\tb "}},
		{[]string{"$Q"}, []string{"x yz", "'k"}},
		{[]string{"$OPEN"}, []string{"a b"}},
		{[]string{"$EMPTY"}, []string{""}},
		{[]string{"$TAIL"}, []string{"a"}},
		{[]string{"$NONE", "x${NONE}y", "${NONE}"}, []string{"xy", ""}},
		{[]string{"$$", "$$ONE", "$${ONE}", "a$$b", "$$$$"}, []string{"$", "$ONE", "${ONE}", "a$b", "$$"}},
		{[]string{"a$ONE", "a${ONE}b${THREE}c", "${ONE}${ONE}"}, []string{"a$ONE", "aonebc", "oneone"}},
		{[]string{"${ONE", "a$", "x${}", "a${ON E}"}, []string{"${ONE", "a$", "x", "a"}},
		{[]string{"", "plain"}, []string{"", "plain"}},
		{[]string{"$ONE/x"}, nil}, // a word that begins with "$" is a name as a whole
	} {
		if got := expand(tt.in, vars, func(string) {}); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$A ${A} $$", "A='x y")
	f.Add("${", "A=\\")
	f.Fuzz(func(t *testing.T, word, v string) {
		for _, w := range expand([]string{word}, []string{v, "B=$B ${B}"}, func(string) {}) {
			if strings.IndexByte(word, '$') < 0 && w != word {
				t.Errorf("%q became %q", word, w)
			}
		}
		// A value is text: what it holds is not resolved again.
		if got := expand([]string{"${B}"}, []string{"B=$B ${B}"}, func(string) {}); got[0] != "$B ${B}" {
			t.Errorf("%q", got)
		}
	})
}

// Variables of the command are those of the daemon, before UnsetEnvironment=; the program is
// none.
func TestGivenWords(t *testing.T) {
	for _, tt := range []struct {
		name string
		g    Given
		set  []string
		args []string
		want []string
	}{
		{"resolved before they are unset", Given{Vars: true}, []string{`Environment="X=a b"`, "UnsetEnvironment=X"}, []string{"/bin/d", "$X", "${X}"}, []string{"/bin/d", "a", "b", "a b"}},
		{"not without being asked", Given{}, []string{"Environment=X=1"}, []string{"/bin/d", "$X"}, []string{"/bin/d", "$X"}},
		{"the program is none", Given{Vars: true}, []string{"Environment=X=1"}, []string{"$X", "$X"}, []string{"$X", "1"}},
		{"a name beside it may be", Given{Vars: true, Argv0: true, Path: "/bin/d"}, []string{"Environment=X=1"}, []string{"$X", "$X"}, []string{"1", "1"}},
		{"through a shell", Given{Vars: true, Shell: true}, []string{`Environment="X=it's"`}, []string{"echo", "${X}", "a b"}, []string{"/bin/sh", "-c", `echo 'it'\''s' 'a b'`}},
		{"a login shell", Given{Shell: true, Login: true}, nil, []string{"A=1"}, []string{"-sh", "-c", "'A=1'"}},
		{"the shell alone", Given{Shell: true}, nil, nil, []string{"/bin/sh"}},
	} {
		g := tt.g
		g.Unit = "x.service"
		env := asRoot(g)
		env.Command = Command{Args: tt.args, Path: env.program(tt.args)}
		pl := Compile(aPolicy(t, tt.set...), env)
		noRefusals(t, pl)
		if !slices.Equal(pl.Args(), tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, pl.Args(), tt.want)
		}
	}
	env := withGiven(Given{Vars: true, Argv0: true, Path: "/bin/d"})
	env.Command.Args = []string{"$NONE"}
	pl := Compile(aPolicy(t), env)
	if len(pl.Refused) != 1 || !strings.Contains(pl.Refused[0].Text, "nothing is left") || !hasNote(pl, "variable-unset", "$NONE") {
		t.Errorf("a program without a name: %q, %v", refusalLines(pl), pl.Notes)
	}
	// The shell is that of who the daemon will be.
	env = withGiven(Given{Shell: true})
	env.User.Shell = "/bin/zsh"
	if got := env.program(nil); got != "/bin/zsh" {
		t.Errorf("the shell is %s", got)
	}
	env.User.Shell = "/usr/sbin/nologin"
	if got := env.program(nil); got != "/bin/sh" {
		t.Errorf("a shell that is none is %s", got)
	}
}

func TestGivenSockets(t *testing.T) {
	env := withGiven(Given{Unit: "x.service", Sockets: []GivenSocket{{FD: 7, Name: "web", NonBlocking: true}, {FD: 5}}})
	env.Listen, env.ListenFor, env.FDNames = 1, true, []string{"old"}
	env.Environ = append(env.Environ, "LISTEN_PID=100", "LISTEN_FDS=1", "LISTEN_FDNAMES=old", "LISTEN_PIDFDID=9")
	p := aPolicy(t, "StandardInput=fd:web", "StandardOutput=fd:old")
	pl := Compile(p, env)
	noRefusals(t, pl)
	var pass *process.PassDescriptors
	var keep *process.CloseDescriptors
	dup := map[int]int{}
	for _, e := range pl.Entries {
		switch s := e.Step.(type) {
		case *process.PassDescriptors:
			pass = s
			if keep != nil {
				t.Error("descriptors are closed before they are moved")
			}
		case *process.CloseDescriptors:
			keep = s
		case *process.OpenStream:
			dup[s.FD] = s.Dup
		}
	}
	if pass == nil || !slices.Equal(pass.From, []int{7, 5, 3}) || !slices.Equal(pass.Modes, []process.Blocking{process.NonBlocking, process.Blocks, process.AsPassed}) {
		t.Errorf("%+v", pass)
	}
	if !slices.Equal(keep.Keep, []int{3, 4, 5}) {
		t.Errorf("kept are %v", keep.Keep)
	}
	if dup[0] != 7 || dup[1] != 3 {
		t.Errorf("streams are of %v", dup)
	}
	for _, want := range []string{"LISTEN_PID=100", "LISTEN_FDS=3", "LISTEN_FDNAMES=web:unknown:old"} {
		if !slices.Contains(pl.Environ(), want) {
			t.Errorf("%s is not in %q", want, pl.Environ())
		}
	}
	if _, has := lookupVar(pl.Environ(), "LISTEN_PIDFDID"); has {
		t.Error("LISTEN_PIDFDID is that of another process")
	}
	// In a PID namespace the daemon is process 1.
	env.PID = 1
	if pl := Compile(p, env); !slices.Contains(pl.Environ(), "LISTEN_PID=1") {
		t.Errorf("%q", pl.Environ())
	}
	pl = Compile(aPolicy(t, "StandardInput=socket"), withGiven(Given{Sockets: []GivenSocket{{FD: 9}}}))
	noRefusals(t, pl)
	for _, v := range pl.Environ() {
		if strings.HasPrefix(v, "LISTEN_") {
			t.Errorf("StandardInput=socket: %s", v)
		}
	}
	pl = Compile(aPolicy(t, "StandardInput=socket"), env)
	if len(pl.Refused) != 1 || !strings.Contains(pl.Refused[0].Text, "there are 3") {
		t.Errorf("%q", refusalLines(pl))
	}
	pl = Compile(aPolicy(t, "X-Hardrun-KeepFD=4", "X-Hardrun-KeepFD=9"), env)
	if len(pl.Refused) != 1 || !strings.Contains(pl.Refused[0].Text, "descriptor 4 is the number of one") {
		t.Errorf("%q", refusalLines(pl))
	}
}

func TestGivenNamespaces(t *testing.T) {
	pl := Compile(aPolicy(t, "PrivateNetwork=yes", "PrivateIPC=yes", "PrivateTmp=yes"), withGiven(Given{Net: 11, IPC: 12, Tmp: 13}))
	noRefusals(t, pl)
	want := []string{
		"namespaces: network namespace of the service", "namespaces: IPC namespace of the service", newMounts,
		"mounts: message queues of the own IPC namespace on /dev/mqueue" + apiAttr, "mounts: sysfs of the own network namespace on /sys" + apiAttr,
		"mounts: the service's tmpfs on /tmp" + tmpfsOfTmp, "mounts: tmpfs on /var/tmp" + tmpfsOfTmp, sealShared,
	}
	if got := steps(pl); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	// Without the directive there is nothing to join, and a path is nearer.
	if got := steps(Compile(aPolicy(t), withGiven(Given{Net: 11, IPC: 12, Tmp: 13}))); len(got) != 0 {
		t.Errorf("%q", got)
	}
	got := steps(Compile(aPolicy(t, "PrivateNetwork=yes", "NetworkNamespacePath=/run/netns/a", "PrivateMounts=no"), withGiven(Given{Net: 11})))
	if !slices.Equal(got, []string{"namespaces: network namespace of /run/netns/a"}) {
		t.Errorf("%q", got)
	}
	// What cannot be shown is each command's own, and that is said.
	env := withGiven(Given{Tmp: 13})
	env.Caps.Effective &^= 1 << capSysChroot
	if pl := Compile(aPolicy(t, "PrivateTmp=yes"), env); !hasNote(pl, "tmp-own", "/tmp") || !slices.Contains(steps(pl), "mounts: tmpfs on /tmp"+tmpfsOfTmp) {
		t.Errorf("%q", steps(pl))
	}
	// The user namespace of one command owns nothing that others have, too.
	pl = Compile(aPolicy(t, "PrivateNetwork=yes", "DelegateNamespaces=net mnt"), withGiven(Given{Net: 11}))
	if len(pl.Refused) == 0 || pl.Refused[0].Directive != "DelegateNamespaces=" {
		t.Errorf("%q", refusalLines(pl))
	}
}

func TestGivenNotify(t *testing.T) {
	const at = "/run/hardrun/notify.7"
	for _, tt := range []struct {
		name   string
		g      Given
		set    []string
		env    []string
		mount  string
		want   string
		noteOf string
	}{
		{"the host's is seen", Given{Notify: at}, []string{"ProtectSystem=strict"}, nil, "", at, ""},
		{"an own /run", Given{Notify: at}, []string{"TemporaryFileSystem=/run"}, nil, "mounts: bind " + at, at, ""},
		{"a new root", Given{Notify: at}, []string{"RootDirectory=/srv"}, nil, "mounts: bind " + at + " on /run/host/notify", "/run/host/notify", ""},
		{"one that was inherited", Given{}, []string{"RootDirectory=/srv"}, []string{"NOTIFY_SOCKET=" + at}, "mounts: bind " + at + " on /run/host/notify", "/run/host/notify", ""},
		{"nothing is put into a plain root", Given{}, []string{"X-Hardrun-Chroot=/srv"}, []string{"NOTIFY_SOCKET=" + at}, "", at, "not in the new root"},
		{"an abstract one", Given{}, []string{"PrivateNetwork=yes"}, []string{"NOTIFY_SOCKET=@a"}, "", "@a", "of another network namespace"},
	} {
		env := withGiven(tt.g)
		env.Environ = append(env.Environ, tt.env...)
		if tt.g.Notify != "" {
			env.Given.Environ = []string{"NOTIFY_SOCKET=" + tt.g.Notify}
		}
		pl := Compile(aPolicy(t, tt.set...), env)
		noRefusals(t, pl)
		i := slices.IndexFunc(steps(pl), func(s string) bool { return strings.Contains(s, "bind "+at) })
		switch {
		case tt.mount == "" && i >= 0, tt.mount != "" && !slices.Contains(steps(pl), tt.mount):
			t.Errorf("%s: %q", tt.name, steps(pl))
		}
		if got, _ := lookupVar(pl.Environ(), "NOTIFY_SOCKET"); got != tt.want {
			t.Errorf("%s: NOTIFY_SOCKET=%s, want %s", tt.name, got, tt.want)
		}
		if (tt.noteOf != "") != hasNote(pl, "notify", tt.noteOf) {
			t.Errorf("%s: notes %v", tt.name, pl.Notes)
		}
	}
}

func TestGivenBooted(t *testing.T) {
	const line = "mounts: an empty /run/systemd/system"
	sockets := []GivenSocket{{FD: 5}}
	for _, tt := range []struct {
		name string
		g    Given
		set  []string
		env  func(e *Env)
		want bool
	}{
		{"no view, no sockets", Given{Booted: true}, nil, nil, false},
		{"a view is there", Given{Booted: true}, []string{"PrivateTmp=yes"}, nil, true},
		{"sockets", Given{Booted: true, Sockets: sockets}, nil, nil, true},
		{"not asked for", Given{Sockets: sockets}, []string{"PrivateTmp=yes"}, nil, false},
		{"mounts cannot be had", Given{Booted: true, Sockets: sockets}, nil, func(e *Env) { e.Caps.Effective = 0 }, false},
		{"the unit has something there", Given{Booted: true}, []string{"TemporaryFileSystem=/run/systemd"}, nil, false},
		{"a bind of what the host has not", Given{Booted: true}, []string{"RootDirectory=/srv", "BindReadOnlyPaths=/run/systemd/system"}, nil, true},
	} {
		env := withGiven(tt.g)
		if tt.env != nil {
			tt.env(env)
		}
		pl := Compile(aPolicy(t, tt.set...), env)
		noRefusals(t, pl)
		if got := slices.Contains(steps(pl), line); got != tt.want {
			t.Errorf("%s: %q", tt.name, steps(pl))
		}
	}
}

func TestGivenCredentials(t *testing.T) {
	g := Given{Unit: "x.service", Credentials: []GivenCredential{{"key", []byte("secret")}}}
	p := aPolicy(t, "SetCredential=key:secret", "User=www")
	pl := Compile(p, withGiven(g))
	noRefusals(t, pl)
	want := "mounts: 1 files in unswappable memory in /run/credentials/x.service (mode=0755,size=73728,nr_inodes=17,nosuid,nodev,noexec)"
	if got := steps(pl); !slices.Contains(got, want) {
		t.Errorf("%q", got)
	}
	if !slices.Contains(pl.Environ(), "CREDENTIALS_DIRECTORY=/run/credentials/x.service") {
		t.Errorf("%q", pl.Environ())
	}
	for _, e := range pl.Entries {
		if strings.Contains(e.Step.String()+e.Step.Mechanism(), "secret") {
			t.Errorf("the plan tells the secret: %s", e.Step)
		}
	}
	// Those of others are hidden, of a service only.
	const hidden = "mounts: inaccessible /run/credentials"
	if got := steps(Compile(aPolicy(t, "PrivateTmp=yes"), withGiven(Given{Unit: "x.service"}))); !slices.Contains(got, hidden) {
		t.Errorf("%q", got)
	}
	if got := steps(Compile(aPolicy(t, "PrivateTmp=yes"), withGiven(Given{}))); slices.Contains(got, hidden) {
		t.Errorf("%q", got)
	}
	// They need a mount namespace.
	env := withGiven(g)
	env.Caps.Effective &^= 1 << capSysAdmin
	pl = Compile(aPolicy(t, "SetCredential=key:secret"), env)
	if len(pl.Refused) != 1 || pl.Refused[0].Directive != "SetCredential=" || pl.Refused[0].Exit != ExitNamespace {
		t.Errorf("%q", refusalLines(pl))
	}
}

func TestGivenDirectories(t *testing.T) {
	state := []GivenDirectory{{Host: "/var/lib/foo", Inside: "/var/lib/foo", Directive: "StateDirectory"}}
	private := []GivenDirectory{
		{Host: "/var/lib/private/foo", Inside: "/var/lib/private/foo", Directive: "StateDirectory"},
		{Host: "/var/lib/private/bar", Inside: "/var/lib/private/bar", Directive: "StateDirectory", ReadOnly: true},
	}
	for _, tt := range []struct {
		name string
		dirs []GivenDirectory
		set  []string
		want []string
	}{
		{"no view is needed", state, nil, nil},
		{"writable in a read-only system", state, []string{"ProtectSystem=strict"}, []string{
			newMounts, "mounts: read-only /, but for /proc /sys /dev /home /root /run/user", "mounts: as writable as it was: /var/lib/foo", sealShared,
		}},
		{"shown in what covers it", state, []string{"TemporaryFileSystem=/var"}, []string{
			newMounts, "mounts: tmpfs on /var (mode=0755,size=10%,nr_inodes=400k,nodev,strictatime)", "mounts: bind /var/lib/foo",
			"mounts: as writable as it was: /var/lib/foo", sealShared,
		}},
		{"a bind that is the same covers nothing", state, []string{"BindPaths=/var"}, []string{
			newMounts, "mounts: bind /var", "mounts: as writable as it was: /var/lib/foo", sealShared,
		}},
		{
			"below a new root, with its links",
			[]GivenDirectory{{Host: "/var/lib/private/foo", Inside: "/var/lib/foo", Links: []string{"/var/lib/alias"}, Directive: "StateDirectory"}},
			[]string{"RootDirectory=/srv", "MountAPIVFS=no"},
			[]string{
				newMounts, "mounts: bind /srv on itself", "mounts: link /var/lib/alias to /var/lib/foo", "mounts: bind /var/lib/private/foo on /var/lib/foo",
				"mounts: as writable as it was: /var/lib/foo", "root: root /srv, the old one detached", sealShared,
			},
		},
		{"the new root itself", []GivenDirectory{{Host: "/srv", Inside: "/srv", Directive: "RuntimeDirectory"}}, []string{"RootDirectory=/srv", "MountAPIVFS=no"}, []string{
			newMounts, "mounts: bind /srv on itself", "mounts: bind /srv", "mounts: read-only /srv", "root: root /srv, the old one detached", sealShared,
		}},
		{"those of a dynamic user", private, nil, []string{
			newMounts, "mounts: tmpfs on /var/lib/private (mode=0755,size=64k,nr_inodes=1k,nosuid,nodev,noexec)",
			"mounts: bind /var/lib/private/bar", "mounts: bind /var/lib/private/foo",
			"mounts: read-only /var/lib/private", "mounts: read-only /var/lib/private/bar", "mounts: as writable as it was: /var/lib/private/foo", sealShared,
		}},
		{"read-only", []GivenDirectory{{Host: "/etc/foo", Inside: "/etc/foo", Directive: "ConfigurationDirectory", ReadOnly: true}}, nil, []string{
			newMounts, "mounts: read-only /etc/foo", sealShared,
		}},
	} {
		env := withGiven(Given{Directories: tt.dirs})
		pl := Compile(aPolicy(t, tt.set...), env)
		noRefusals(t, pl)
		if got := steps(pl); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q\nwant %q", tt.name, got, tt.want)
		}
	}
	env := withGiven(Given{Directories: state})
	if pl := Compile(aPolicy(t, "InaccessiblePaths=/var"), env); len(pl.Refused) > 0 || !hasNote(pl, "directory-hidden", "/var/lib/foo is below /var") {
		t.Errorf("%q %v", refusalLines(pl), pl.Notes)
	}
	// What needs mounts is refused by its name, and what needs none is not.
	env = withGiven(Given{Directories: private})
	env.Caps.Effective &^= 1 << capSysAdmin
	if pl := Compile(aPolicy(t, "StateDirectory=foo"), env); len(pl.Refused) == 0 || pl.Refused[0].Directive != "StateDirectory=" || pl.Refused[0].Origin.Line != 7 {
		t.Errorf("%q", refusalLines(pl))
	}
	env = withGiven(Given{Directories: state})
	env.Caps.Effective &^= 1 << capSysAdmin
	noRefusals(t, Compile(aPolicy(t, "StateDirectory=foo"), env))
}

// What nobody wrote and cannot be had is no refusal.
func TestDefaults(t *testing.T) {
	p := &policy.Policy{}
	p.UnitDefaults()
	env := withGiven(Given{Unit: "x.service"})
	env.Ignored, env.Blocked = 1<<0|1<<1, 1<<14
	env.Limits[7], env.Limits[8] = process.Limit{Soft: 100, Hard: 4096}, process.Limit{Soft: 1 << 16, Hard: 1 << 16}
	env.Caps.Effective &^= 1 << capSysResource
	pl := Compile(p, env)
	noRefusals(t, pl)
	want := []string{
		"streams: stdin on /dev/null", "umask: umask 0022", "keyring: session keyring private", "directory: change to /",
		"limits: NOFILE 1024:4096", "limits: MEMLOCK 64K",
	}
	got := steps(pl)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%q is missing", w)
		}
	}
	if len(got) != len(want) || pl.Start != nil {
		t.Errorf("%q, starts again: %v", got, pl.Start != nil)
	}
	if !hasNote(pl, "default", "LimitNOFILE=1024:4096 in place of the default 1024:524288") || hasNote(pl, "stream-log", "") {
		t.Errorf("%v", pl.Notes)
	}
	for _, e := range pl.Entries {
		if s, ok := e.Step.(process.SetSignals); ok && (s.Ignored != 1<<12 || s.Blocked != 0 || s.Inherited) {
			t.Errorf("signals %s", s)
		}
		if e.Stage == StageKeyring && e.flags == 0 {
			t.Error("a keyring that nobody asked for must be had")
		}
		if e.Stage == StageStreams && e.flags != 0 {
			t.Error("a stream may be left as it is")
		}
	}
	// What somebody wrote is refused as ever.
	if err := p.Set("LimitNOFILE", "1024:524288", policy.Origin{File: "a", Line: 1}); err != nil {
		t.Fatal(err)
	}
	if pl := Compile(p, env); len(pl.Refused) != 1 || pl.Refused[0].Directive != "LimitNOFILE=" {
		t.Errorf("%q", refusalLines(pl))
	}
	// KillMode= that was written wants a group, and in a service no parent of the launcher's.
	if err := p.Set("LimitNOFILE", "10", policy.Origin{File: "a", Line: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Set("KillMode", "mixed", policy.Origin{File: "a", Line: 2}); err != nil {
		t.Fatal(err)
	}
	if pl := Compile(p, env); pl.Start != nil || !slices.ContainsFunc(steps(pl), func(s string) bool { return strings.HasPrefix(s, "cgroup: ") }) {
		t.Errorf("%q, starts again: %v", steps(pl), pl.Start != nil)
	}
}

// Written StandardError=inherit follows the log of StandardOutput=; as a default both stay.
func TestDefaultStreams(t *testing.T) {
	dup := func(settings ...string) (list []string) {
		p := aPolicy(t, settings...)
		p.UnitDefaults()
		for _, e := range Compile(p, withGiven(Given{Unit: "x.service"})).Entries {
			if s, ok := e.Step.(*process.OpenStream); ok {
				list = append(list, strconv.Itoa(s.FD)+" "+s.What)
			}
		}
		return list
	}
	if got := dup(); !slices.Equal(got, []string{"0 stdin on /dev/null"}) {
		t.Errorf("%q", got)
	}
	if got := dup("StandardOutput=append:/l"); !slices.Equal(got, []string{"0 stdin on /dev/null", "1 stdout to /l, append", "2 stderr as stdout"}) {
		t.Errorf("%q", got)
	}
	if got := dup("StandardInputText=hi"); !slices.Equal(got, []string{"0 stdin from 3 bytes of data"}) {
		t.Errorf("%q", got)
	}
}

// What is at or below a directory of the service, or a link to one, is made before a launch.
func TestIsGiven(t *testing.T) {
	env := withGiven(Given{Directories: []GivenDirectory{{Host: "/var/lib/private/a", Inside: "/var/lib/a", Links: []string{"/var/lib/b"}}}})
	for path, want := range map[string]bool{
		"/var/lib/private/a": true, "/var/lib/private/a/x": true, "/var/lib/a": true, "/var/lib/a/x/y": true, "/var/lib/b": true, "/var/lib/b/x": true,
		"/var/lib/private": false, "/var/lib/ab": false, "/var/lib/bx/y": false, "/": false, "": false,
	} {
		if got := env.isGiven(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
	if aRoot().isGiven("/var/lib/a") {
		t.Error("nothing is given")
	}
}
