package launcher

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// noteCase is a note: settings that have it, and others that have not. env changes a root with
// everything, whose daemon www is uid 33.
type noteCase struct {
	id            string
	with, without []string
	env           func(e *Env)
	// notThere changes the machine in place of the settings, so that the note is gone.
	notThere func(e *Env)
}

// noteless takes capabilities from who starts.
func noteless(numbers ...int) func(e *Env) {
	return func(e *Env) {
		for _, n := range numbers {
			bit := caps.Set(1) << n
			e.Caps.Effective &^= bit
			e.Caps.Permitted &^= bit
			e.Caps.Bounding &^= bit
		}
	}
}

// asProgram makes the command a program of root with that mode.
func asProgram(change func(s *SeenProgram)) func(e *Env) {
	return func(e *Env) {
		e.Seen.Program = SeenProgram{Path: "/bin/daemon", Owned: Owned{Known: true, Mode: 0o755}}
		change(&e.Seen.Program)
	}
}

func setUserID(s *SeenProgram)   { s.Mode |= 0o4000 }
func setGroupID(s *SeenProgram)  { s.Mode |= 0o2000 }
func mayBindPort(s *SeenProgram) { s.HasCaps, s.Effective, s.Caps = true, true, netBindService }

// on is a machine that is not Linux.
func on(system string) func(e *Env) { return func(e *Env) { e.GOOS = system } }

func given(g Given) func(e *Env) { return func(e *Env) { e.Given = &g } }

// dockers has the socket of Docker, for root and the group 4, which www is in.
func dockers(e *Env) {
	e.Seen.Sockets = []SeenSocket{{"/run/docker.sock", []Owned{{true, 0, 0, 0o755}, {true, 0, 4, 0o660}}}}
}

func together(all ...func(e *Env)) func(e *Env) {
	return func(e *Env) {
		for _, f := range all {
			f(e)
		}
	}
}

var noteCases = []noteCase{
	{"ambient-lost", []string{"User=www", "AmbientCapabilities=CAP_CHOWN"}, nil, asProgram(setUserID), asProgram(func(*SeenProgram) {})},
	{"ambient-lost", []string{"User=www", "AmbientCapabilities=CAP_CHOWN"}, nil, asProgram(setGroupID), asProgram(func(s *SeenProgram) { setGroupID(s); s.GID = 34 })},
	{"ambient-lost", []string{"User=www", "AmbientCapabilities=CAP_CHOWN"}, nil, asProgram(mayBindPort), asProgram(func(s *SeenProgram) { mayBindPort(s); s.NoSUID = true })},
	{"ambient-lost", []string{"User=www", "AmbientCapabilities=CAP_CHOWN", "NoNewPrivileges=yes"}, nil, asProgram(mayBindPort), asProgram(setUserID)},
	{"ambient-root", []string{"AmbientCapabilities=CAP_CHOWN"}, []string{"AmbientCapabilities=CAP_CHOWN", "User=www"}, nil, nil},
	{"bind-allow", []string{"SocketBindAllow=tcp:80"}, []string{"SocketBindAllow=tcp:80", "SocketBindDeny=any"}, nil, nil},
	{"bounding-only", []string{"User=www", "CapabilityBoundingSet=CAP_CHOWN"}, []string{"User=www", "CapabilityBoundingSet=CAP_CHOWN", "AmbientCapabilities=CAP_CHOWN"}, nil, nil},
	{"bounding-only", []string{"User=www", "CapabilityBoundingSet=CAP_CHOWN"}, []string{"User=www", "CapabilityBoundingSet=~CAP_CHOWN"}, nil, nil},
	{"call-unknown", []string{"SystemCallFilter=@known nosuchcall"}, []string{"SystemCallFilter=@known"}, nil, nil},
	{"calls-new", []string{"SystemCallFilter=~@mount", "X-Hardrun-AllowNewCalls=yes"}, []string{"SystemCallFilter=~@mount"}, nil, nil},
	{"capability-inside", []string{"User=www", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "PrivateUsers=yes"}, []string{"User=www", "AmbientCapabilities=CAP_NET_BIND_SERVICE"}, nil, nil},
	{"capability-inside", []string{"User=www", "AmbientCapabilities=CAP_SYS_TIME", "PrivateUsers=yes"}, []string{"User=www", "AmbientCapabilities=CAP_CHOWN", "PrivateUsers=yes"}, nil, nil},
	{"cgroup-escape", []string{"TasksMax=5"}, []string{"TasksMax=5", "User=www"}, nil, nil},
	{"cgroup-stays", []string{"TasksMax=5"}, []string{"TasksMax=5", "X-Hardrun-Init=yes"}, nil, nil},
	{"cgroup-undone", []string{"IPAddressDeny=any"}, []string{"IPAddressDeny=any", "User=www"}, nil, nil},
	{"chroot", []string{"X-Hardrun-Chroot=/srv"}, nil, noteless(capSysAdmin), func(*Env) {}},
	{"chroot-escape", []string{"X-Hardrun-Chroot=/srv"}, nil, noteless(capSysAdmin), func(*Env) {}},
	{"chroot-escape", []string{"X-Hardrun-Chroot=/srv", "NoNewPrivileges=yes"}, []string{"X-Hardrun-Chroot=/srv", "NoNewPrivileges=yes", "SystemCallFilter=~chroot"}, noteless(capSysAdmin), nil},
	{"chroot-escape", []string{"X-Hardrun-Chroot=/srv"}, []string{"X-Hardrun-Chroot=/srv", "User=www"}, on("netbsd"), nil},
	{"closed-as-null", nil, nil, on("netbsd"), func(*Env) {}},
	{"cpu-period", []string{"CPUQuotaPeriodSec=10ms"}, []string{"CPUQuotaPeriodSec=10ms", "CPUQuota=20%"}, nil, nil},
	{"default", nil, nil, together(given(Given{Unit: "a.service"}), noteless(capSysResource)), given(Given{Unit: "a.service"})},
	{"default-not-applied", []string{"RootDirectory=/srv"}, []string{"X-Hardrun-Chroot=/srv"}, on("netbsd"), nil},
	{"delegate-subgroup", []string{"DelegateSubgroup=a"}, []string{"Delegate=yes", "DelegateSubgroup=a"}, nil, nil},
	{"device-missing", []string{"DeviceAllow=/dev/nosuch"}, nil, func(e *Env) { e.CGroups.Devices = nil }, func(*Env) {}},
	{"device-policy", []string{"PrivateDevices=yes", "User=www"}, []string{"PrivateDevices=yes", "User=www", "DevicePolicy=closed"}, nil, nil},
	{
		"directory-hidden",
		[]string{"InaccessiblePaths=/var"},
		[]string{"InaccessiblePaths=/srv"},
		given(Given{Directories: []GivenDirectory{{Host: "/var/lib/foo", Inside: "/var/lib/foo", Directive: "StateDirectory"}}}),
		nil,
	},
	{"explain-bpf", []string{"X-Hardrun-ExplainDenials=yes", "RestrictRealtime=yes", "X-Hardrun-SeccompBPF=/f"}, []string{"X-Hardrun-ExplainDenials=yes", "RestrictRealtime=yes"}, nil, nil},
	{"explain-nothing", []string{"X-Hardrun-ExplainDenials=yes"}, []string{"X-Hardrun-ExplainDenials=yes", "RestrictRealtime=yes"}, nil, nil},
	{"file-capabilities", []string{"User=www"}, []string{"User=www", "NoNewPrivileges=yes"}, asProgram(mayBindPort), nil},
	{"file-capabilities", []string{"PrivateUsers=yes", "User=www"}, []string{"PrivateUsers=yes"}, asProgram(mayBindPort), nil},
	{"file-capabilities", []string{"X-Hardrun-Caps=none"}, nil, asProgram(mayBindPort), asProgram(func(s *SeenProgram) { mayBindPort(s); s.Effective = false })},
	{"gid-0", []string{"User=www"}, nil, func(e *Env) { e.User.GID = 0 }, func(*Env) {}},
	{"group-root", []string{"User=www"}, nil, func(e *Env) { e.Seen.Groups = []caps.Group{{Name: "shadow", GID: 27}} }, func(e *Env) { e.Seen.Groups = []caps.Group{{Name: "shadow", GID: 42}} }},
	{"group-root", []string{"User=www"}, []string{"User=www", "PrivateDevices=yes"}, func(e *Env) { e.Seen.Groups = []caps.Group{{Name: "disk", GID: 4}} }, nil},
	{"groups-dropped", []string{"Group=g"}, []string{"Group=g", "User=www"}, func(e *Env) { e.Group = caps.Group{Name: "g", GID: 50} }, nil},
	{"groups-unmapped", []string{"PrivateUsers=yes", "SupplementaryGroups=a"}, []string{"PrivateUsers=yes"}, nil, nil},
	{"handle-open", []string{"User=www", "AmbientCapabilities=CAP_DAC_READ_SEARCH", "ProtectHome=yes"}, []string{"User=www", "AmbientCapabilities=CAP_DAC_READ_SEARCH"}, nil, nil},
	{
		"handle-open",
		[]string{"User=www", "AmbientCapabilities=CAP_DAC_READ_SEARCH", "InaccessiblePaths=/srv"},
		[]string{"User=www", "AmbientCapabilities=CAP_DAC_READ_SEARCH", "InaccessiblePaths=/srv", "SystemCallFilter=~open_by_handle_at"},
		nil, nil,
	},
	{"host-socket", []string{"User=www"}, []string{"User=www", "InaccessiblePaths=/run"}, dockers, nil},
	{"host-socket", []string{"User=www"}, []string{"User=www", "RestrictAddressFamilies=AF_INET"}, dockers, nil},
	{"host-socket", []string{"User=www", "RestrictAddressFamilies=~AF_INET"}, []string{"User=www", "RestrictAddressFamilies=~AF_UNIX"}, dockers, nil},
	{"host-socket", []string{"X-Hardrun-Chroot=/srv", "BindPaths=/run"}, []string{"X-Hardrun-Chroot=/srv"}, dockers, nil},
	{"host-socket", []string{"User=www"}, nil, dockers, func(e *Env) { dockers(e); e.Seen.Sockets[0].Way[1].GID = 5 }},
	{"host-socket", []string{"User=www"}, nil, dockers, func(e *Env) { dockers(e); e.Seen.Sockets[0].Way[0].Mode = 0o700 }},
	{"inherited", nil, []string{
		"User=www", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "X-Hardrun-ClearEnv=yes", "UMask=022", "WorkingDirectory=/",
		"KeyringMode=private",
	}, given(Given{Unit: "a.service"}), nil},
	{"inherited", []string{"StandardInput=null", "StandardOutput=null"}, nil, nil, nil},
	{"io-uring", []string{"SystemCallFilter=@system-service @io-uring", "RestrictAddressFamilies=AF_UNIX"}, []string{"SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_UNIX"}, nil, nil},
	{"io-uring-denied", []string{"RestrictAddressFamilies=AF_UNIX"}, []string{"SystemCallFilter=@system-service @io-uring", "RestrictAddressFamilies=AF_UNIX"}, nil, nil},
	{"ip-allow", []string{"IPAddressAllow=localhost"}, []string{"IPAddressAllow=localhost", "IPAddressDeny=any"}, nil, nil},
	{"ip-inherited", []string{"IPAddressDeny=any"}, nil, func(e *Env) { e.Listen = 1 }, func(*Env) {}},
	{"ip-packet", []string{"IPAddressDeny=any"}, []string{"IPAddressDeny=any", "RestrictAddressFamilies=AF_INET"}, nil, nil},
	{"keep-caps", []string{"SecureBits=keep-caps"}, []string{"SecureBits=noroot"}, nil, nil},
	{"keep-tty", []string{"User=www", "X-Hardrun-KeepTTY=yes"}, []string{"User=www"}, func(e *Env) { e.Shared, e.Terminal = true, true }, nil},
	{"kernel-undone", []string{"User=www", "AmbientCapabilities=CAP_SYS_MODULE"}, []string{"User=www", "AmbientCapabilities=CAP_SYS_MODULE", "SystemCallFilter=~@module"}, nil, nil},
	{"kernel-undone", []string{"X-Hardrun-Caps=sys_rawio"}, []string{"X-Hardrun-Caps=none"}, nil, nil},
	{"landlock-stricter", []string{"ProtectSystem=yes", "X-Hardrun-AllowLandlock=ProtectSystem"}, nil, together(noteless(capSysAdmin), func(e *Env) { e.Landlock = 9 }), func(*Env) {}},
	{"landlock-weaker", []string{"ProtectSystem=yes", "X-Hardrun-AllowLandlock=ProtectSystem"}, nil, together(noteless(capSysAdmin), func(e *Env) { e.Landlock = 9 }), func(*Env) {}},
	{"limit-fsize-zero", []string{"LimitFSIZE=0"}, []string{"LimitFSIZE=1"}, nil, nil},
	{"slack-void", []string{"TimerSlackNSec=1ms", "CPUSchedulingPolicy=rr"}, []string{"TimerSlackNSec=1ms", "CPUSchedulingPolicy=batch"}, nil, nil},
	{"limit-void", []string{"LimitNPROC=5"}, []string{"LimitNPROC=5", "User=www"}, nil, nil},
	{"limit-void", []string{"LimitNPROC=5", "User=www", "AmbientCapabilities=CAP_SYS_ADMIN"}, []string{"LimitNPROC=5", "User=www", "AmbientCapabilities=CAP_SYS_ADMIN", "PrivateUsers=yes"}, nil, nil},
	{"limit-void", []string{"LimitNOFILE=5"}, []string{"LimitNOFILE=5", "CapabilityBoundingSet=~CAP_SYS_RESOURCE"}, someFiles, nil},
	{"limit-void", []string{"LimitNOFILE=5"}, []string{"LimitNOFILE=500"}, someFiles, nil},
	{"limit-void", []string{"LimitMEMLOCK=5"}, []string{"LimitMEMLOCK=5", "X-Hardrun-Caps=none"}, nil, nil},
	{"limit-void", []string{"LimitRTPRIO=5"}, []string{"LimitRTPRIO=5", "RestrictRealtime=yes"}, nil, nil},
	{"loader", []string{"SystemCallFilter=execve"}, []string{"SystemCallFilter=@known"}, func(e *Env) { e.Command.Interp = "/lib/ld.so" }, nil},
	{"log", []string{"LogLevelMax=info"}, nil, nil, nil},
	{"lsm-absent", []string{"AppArmorProfile=-x"}, nil, nil, func(e *Env) { e.LSMs.AppArmor = true }},
	{"manager", []string{"Restart=always"}, nil, nil, nil},
	{"minimal-root", []string{"X-Hardrun-MinimalRoot=yes"}, nil, nil, nil},
	{"namespace-undone", []string{"User=www", "AmbientCapabilities=CAP_SYS_ADMIN CAP_SYS_PTRACE", "PrivateNetwork=yes"}, []string{"User=www", "AmbientCapabilities=CAP_SYS_ADMIN", "PrivateNetwork=yes"}, nil, nil},
	{
		"namespace-undone",
		[]string{"User=www", "AmbientCapabilities=CAP_SYS_ADMIN CAP_SYS_PTRACE", "PrivateIPC=yes"},
		[]string{"User=www", "AmbientCapabilities=CAP_SYS_ADMIN CAP_SYS_PTRACE", "PrivateIPC=yes", "RestrictNamespaces=yes"},
		nil, nil,
	},
	{"nnp-advised", []string{"User=www", "RestrictRealtime=yes"}, []string{"User=www", "RestrictRealtime=yes", "NoNewPrivileges=yes"}, nil, nil},
	{"nnp-implied", []string{"User=www", "NoNewPrivileges=no", "SystemCallFilter=~capset"}, []string{"User=www", "SystemCallFilter=~capset"}, nil, nil},
	{"nnp-inherited", []string{"NoNewPrivileges=no"}, nil, func(e *Env) { e.NoNewPrivs = true }, func(*Env) {}},
	{"nnp-no", []string{"User=www", "NoNewPrivileges=no"}, []string{"User=www"}, nil, nil},
	{"notify", []string{"PrivateNetwork=yes"}, nil, func(e *Env) { e.Environ = []string{"NOTIFY_SOCKET=@a"} }, func(e *Env) { e.Environ = []string{"NOTIFY_SOCKET=/run/a"} }},
	{"old-mounts", []string{"PrivateTmp=yes"}, nil, func(e *Env) { e.OldMounts = true }, func(*Env) {}},
	{"outside-root", []string{"RootDirectory=/srv", "ReadOnlyPaths=/etc"}, []string{"RootDirectory=/srv", "ReadOnlyPaths=+/etc"}, nil, nil},
	{"paths-void", []string{"ReadWritePaths=/srv"}, []string{"ReadWritePaths=/srv", "ProtectSystem=strict"}, nil, nil},
	{"paths-void", []string{"ExecPaths=/srv"}, []string{"ExecPaths=/srv", "NoExecPaths=/"}, nil, nil},
	{"proc-visible", []string{"ProtectProc=invisible"}, []string{"ProtectProc=invisible", "User=www"}, nil, nil},
	{"ptrace-host", []string{"User=www", "AmbientCapabilities=CAP_SYS_PTRACE"}, []string{"User=www", "AmbientCapabilities=CAP_SYS_PTRACE", "PrivatePIDs=yes"}, nil, nil},
	{
		"ptrace-host",
		[]string{"User=www", "AmbientCapabilities=CAP_SYS_PTRACE", "X-Hardrun-Chroot=/srv"},
		[]string{"User=www", "AmbientCapabilities=CAP_SYS_PTRACE", "X-Hardrun-Chroot=/srv", "SystemCallFilter=~ptrace process_vm_writev pidfd_getfd"},
		nil, nil,
	},
	{"root-files", []string{"X-Hardrun-Caps=none"}, []string{"X-Hardrun-Caps=none", "ProtectSystem=strict"}, nil, nil},
	{"root-files", []string{"X-Hardrun-Caps=none"}, []string{"X-Hardrun-Caps=none", "X-Hardrun-Chroot=/srv"}, nil, nil},
	{"root-kept", []string{"PrivateTmp=yes"}, []string{"PrivateTmp=yes", "X-Hardrun-Caps=none"}, nil, nil},
	{"root-kept", nil, []string{"User=www"}, nil, nil},
	{"root-kept", nil, []string{"SecureBits=noroot"}, nil, nil},
	{"root-without-dac", []string{"X-Hardrun-Caps=none"}, []string{"X-Hardrun-Caps=dac_override"}, nil, nil},
	{"root-writable", []string{"User=www", "X-Hardrun-Chroot=/srv"}, nil, func(e *Env) { e.Seen.Root = Owned{true, 33, 0, 0o555} }, func(e *Env) { e.Seen.Root = Owned{true, 0, 0, 0o755} }},
	{"root-writable", []string{"User=www", "X-Hardrun-Chroot=/srv"}, []string{"User=www", "X-Hardrun-Chroot=/srv", "ReadOnlyPaths=+/"}, func(e *Env) { e.Seen.Root = Owned{true, 0, 27, 0o775} }, nil},
	{"secret-environment", []string{"Environment=DB_PASSWORD=x"}, []string{"Environment=DB_PASSWORD_FILE=/x"}, nil, nil},
	{"setid-command", []string{"User=www"}, []string{"User=www", "NoNewPrivileges=yes"}, asProgram(setUserID), nil},
	{"setid-command", []string{"User=www"}, []string{"User=www", "BindPaths=/srv:/bin"}, asProgram(setGroupID), nil},
	{"setid-command", []string{"User=www", "PrivateUsers=yes"}, nil, asProgram(setUserID), asProgram(func(s *SeenProgram) { setUserID(s); s.UID = 5 })},
	{"setid-void", []string{"User=www", "NoNewPrivileges=yes"}, []string{"User=www"}, asProgram(setUserID), nil},
	{"setid-void", []string{"User=www"}, nil, asProgram(func(s *SeenProgram) { mayBindPort(s); s.NoSUID = true }), asProgram(mayBindPort)},
	{"setid-void", []string{"User=www", "NoNewPrivileges=yes"}, []string{"User=www"}, asProgram(mayBindPort), nil},
	{"signals-default", nil, []string{"IgnoreSIGPIPE=no"}, on("netbsd"), nil},
	{"stream-log", []string{"StandardOutput=journal"}, []string{"StandardOutput=null"}, nil, nil},
	{"tmp-own", []string{"PrivateTmp=yes"}, nil, together(given(Given{Tmp: 13}), noteless(capSysChroot)), given(Given{Tmp: 13})},
	{"unix-reachable", []string{"PrivateNetwork=yes"}, []string{"PrivateNetwork=yes", "RestrictAddressFamilies=AF_INET"}, nil, nil},
	{"user-undone", []string{"User=www", "AmbientCapabilities=CAP_SETUID"}, []string{"User=www", "AmbientCapabilities=CAP_SETUID", "SystemCallFilter=~@setuid setfsuid"}, nil, nil},
	{"user-undone", []string{"User=www", "AmbientCapabilities=CAP_SETFCAP"}, []string{"User=www", "AmbientCapabilities=CAP_SETFCAP", "NoNewPrivileges=yes"}, nil, nil},
	{"user-undone", []string{"User=www", "AmbientCapabilities=CAP_SETUID", "PrivateUsers=yes"}, []string{"User=www", "PrivateUsers=yes"}, nil, nil},
	{"user-undone", []string{"User=www", "AmbientCapabilities=CAP_DAC_OVERRIDE"}, []string{"User=www", "AmbientCapabilities=CAP_NET_RAW"}, nil, nil},
	{"var-tmp", []string{"PrivateTmp=disconnected", "DefaultDependencies=no"}, []string{"PrivateTmp=disconnected"}, nil, nil},
	{"variable-unset", nil, nil, func(e *Env) { e.Given, e.Command.Args = &Given{Vars: true}, []string{"d", "$NONE"} }, given(Given{Vars: true})},
	{"view-undone", []string{"PrivateTmp=yes"}, []string{"PrivateTmp=yes", "SystemCallFilter=~@mount setns"}, nil, nil},
	{"view-undone", []string{"PrivateTmp=yes"}, []string{"PrivateTmp=yes", "User=www"}, nil, nil},
	{"write-exec-files", []string{"MemoryDenyWriteExecute=yes"}, []string{"MemoryDenyWriteExecute=yes", "SystemCallFilter=~memfd_create"}, nil, nil},
}

// someFiles has a limit of files that can be lowered.
func someFiles(e *Env) { e.Limits[limitNOFILE] = process.Limit{Soft: 100, Hard: 100} }

// Each note is there where it should be, and not where it should not.
func TestNotes(t *testing.T) {
	for _, tt := range noteCases {
		compiled := func(set []string, change func(e *Env)) *Plan {
			p := aPolicy(t, set...)
			env := aRoot()
			if change != nil {
				change(env)
			}
			if env.given().Unit != "" && tt.id == "default" {
				p.UnitDefaults()
			}
			return Compile(p, env)
		}
		with := compiled(tt.with, tt.env)
		i := slices.IndexFunc(with.Notes, func(n Note) bool { return n.ID == tt.id })
		if i < 0 {
			t.Errorf("%q: no %s among %+v; refused %q", tt.with, tt.id, with.Notes, refusalLines(with))
			continue
		}
		if n := &with.Notes[i]; n.Class != NoteKindOf(tt.id).Class || n.Text == "" {
			t.Errorf("%q: %+v", tt.with, *n)
		}
		set, change := tt.without, tt.env
		if tt.notThere != nil {
			set, change = tt.with, tt.notThere
		}
		if tt.id == "inherited" && tt.without == nil { // what is left is never nothing on a command line
			if hasNote(compiled([]string{"StandardInput=null", "StandardOutput=null", "StandardError=null"}, nil), tt.id, "standard streams") || !hasNote(with, tt.id, "standard streams") {
				t.Error("inherited: standard streams")
			}
			continue
		}
		if without := compiled(set, change); slices.ContainsFunc(without.Notes, func(n Note) bool { return n.ID == tt.id }) {
			t.Errorf("%q: %s among %+v", set, tt.id, without.Notes)
		}
	}
}

// A note is of where the setting was written.
func TestNoteOrigins(t *testing.T) {
	p := aPolicy(t, "User=www", "LimitFSIZE=0", "Environment=TOKEN=x", "NoNewPrivileges=no", "CapabilityBoundingSet=CAP_CHOWN")
	here := policy.Origin{File: "test.service", Line: 7}
	for _, n := range Compile(p, aRoot()).Notes {
		if n.ID != "inherited" && n.Origin != here {
			t.Errorf("%s: %q, want %q", n.ID, n.Origin, here)
		}
		if strings.Contains(n.Text, "TOKEN=x") {
			t.Errorf("a secret is told: %s", n.Text)
		}
	}
}

// No note is of another command than the main one's daemon.
func TestNotesAside(t *testing.T) {
	env := aRoot()
	env.Aside = true
	if pl := Compile(aPolicy(t, "PrivateTmp=yes", "LimitNPROC=5"), env); len(pl.Notes) > 0 {
		t.Errorf("%+v", pl.Notes)
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{
		"PASSWORD": true, "PGPASSWORD": true, "db_passwd": true, "AWS_SECRET_ACCESS_KEY": true, "GITHUB_TOKEN": true, "API_KEY": true,
		"POSTGRES_PASSWORD_FILE": false, "TOKEN_URL": false, "SECRET_PATH": false, "KEYMAP": false, "PATH": false, "SSH_AUTH_SOCK": false,
	} {
		if secret(name) != want {
			t.Errorf("%s: %v, want %v", name, !want, want)
		}
	}
}

// What is noted somewhere is in the table, has a case above, and is described.
func TestNoteKindsAreComplete(t *testing.T) {
	var made []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "note" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a note whose id is no constant", name)
				return true
			}
			id, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, id)
			return true
		})
	}
	text, err := os.ReadFile("../doc/notes.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../doc/man/hardrun.1.in")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"); len(f) == 4 && strings.HasPrefix(strings.TrimSpace(f[0]), "`") {
			rows[strings.Trim(f[0], " `")] = f
		}
	}
	last := ""
	for _, k := range NoteKinds {
		if k.ID <= last {
			t.Errorf("%s is not in its place", k.ID)
		}
		last = k.ID
		if !slices.Contains(made, k.ID) {
			t.Errorf("%s is noted nowhere", k.ID)
		}
		if !slices.ContainsFunc(noteCases, func(c noteCase) bool { return c.id == k.ID }) {
			t.Errorf("%s has no case", k.ID)
		}
		f := rows[k.ID]
		if f == nil || strings.TrimSpace(f[1]) != string(k.Class) || len(strings.TrimSpace(f[2])) < 10 || len(strings.TrimSpace(f[3])) < 3 {
			t.Errorf("%s (%s) is not in doc/notes.md: %q", k.ID, k.Class, f)
		}
		delete(rows, k.ID)
		if !strings.Contains(string(page), strings.ReplaceAll(k.ID, "-", `\-`)) {
			t.Errorf("%s is not in the manual page", k.ID)
		}
	}
	for id := range rows {
		t.Errorf("%s is in doc/notes.md, and there is no such note", id)
	}
	for _, id := range made {
		if NoteKindOf(id) == nil {
			t.Errorf("%s is not in NoteKinds", id)
		}
	}
}
