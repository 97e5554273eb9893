package launcher

import (
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
)

// Given is what a command of a service gets beside its policy: what was made for all
// commands of the service together. The zero Given is a bare command line. Its descriptors
// are above 2; any other number stands for none.
type Given struct {
	Unit string // "redis-server.service"; empty without a unit
	// Who is the user of DynamicUser=, who is in no database; nil without.
	Who *caps.User
	// Environ are the variables that come before PassEnvironment= and what follows it:
	// INVOCATION_ID, *_DIRECTORY, MAINPID, SERVICE_RESULT, NOTIFY_SOCKET …, "NAME=value".
	Environ []string
	// Vars says that variables in the words of the command are to be resolved, by the
	// daemon's environment, systemd.service(5) "COMMAND LINES".
	Vars bool
	// Shell says that the words of the command are for the user's shell, "|"; without any
	// it is the shell itself. Login is for a login shell.
	Shell, Login bool
	// Argv0 says that the first word is what the daemon sees as its name, and Path what is
	// executed.
	Argv0 bool
	Path  string

	// Sockets are passed as descriptors 3 and on, with LISTEN_FDS, LISTEN_FDNAMES and
	// LISTEN_PID. What was passed to hardrun in that way comes behind them. Who opens
	// descriptors of its own before GatherFor keeps them out of the way by
	// process.ReserveDescriptors.
	Sockets []GivenSocket

	// Net and IPC are namespaces that were made for all commands (MakeShared): they are
	// joined in place of PrivateNetwork= and PrivateIPC=.
	Net, IPC int
	// Tmp and VarTmp are the file systems of PrivateTmp= that all commands share (MakeTmp).
	Tmp, VarTmp int

	// Notify is a socket of the host that must be found at the same path in the view, or
	// below a new root at /run/host/notify: NOTIFY_SOCKET says which.
	Notify string
	// Booted says that an empty /run/systemd/system is to be seen inside, sd_booted(3).
	Booted bool

	// Credentials are shown in a read-only file system in memory at
	// /run/credentials/UNIT, readable for the daemon's user alone.
	Credentials []GivenCredential

	// Directories were made for the service, and stay writable whatever ProtectSystem= says.
	Directories []GivenDirectory

	// Death says that the parent of this process is that of the service: who kills it means
	// the service.
	Death bool

	// Group is the control group that the service's groups are made in: a path below the
	// mount of the hierarchy; empty for the usual place.
	Group string
}

// GivenSocket is a descriptor that is passed, and its name in LISTEN_FDNAMES.
type GivenSocket struct {
	FD   int
	Name string
	// NonBlocking is how O_NONBLOCK is to be, NonBlocking=.
	NonBlocking bool
}

// GivenCredential is a credential: a file name, and what is in it.
type GivenCredential struct {
	ID   string
	Data []byte
}

// GivenDirectory is a directory on the host, and where the daemon sees it.
type GivenDirectory struct {
	Host   string // "/var/lib/private/foo"
	Inside string // "/var/lib/private/foo"; "/var/lib/foo" below a new root
	// Links are the paths of symbolic links that lead to Inside. On the host they are there.
	Links    []string
	ReadOnly bool
	// Directive is what asks for it, for the plan: "StateDirectory".
	Directive string
}

// nothing is what is given where nothing is.
var nothing Given

// given is never nil.
func (e *Env) given() *Given {
	if e.Given == nil {
		return &nothing
	}
	return e.Given
}

// policyFor is the policy with the user of DynamicUser=, whom nobody wrote.
func policyFor(p policy.Policy, g *Given) policy.Policy {
	if g.Who != nil && !p.User.Set {
		p.User = policy.Opt[string]{V: g.Who.Name, Set: true, From: p.DynamicUser.From}
	}
	return p
}

// program is what is to be found and executed, by the words of the command.
func (e *Env) program(args []string) string {
	g := e.given()
	switch {
	case g.Shell:
		return shellOf(e.account())
	case g.Argv0:
		return g.Path
	case len(args) > 0:
		return args[0]
	}
	return ""
}

// account is who the daemon will be, as the database has it.
func (e *Env) account() *caps.User {
	if e.Own.Name != "" {
		return &e.Own
	}
	return &e.User
}

// shellOf is the shell of a user: what is none stands for that of the machine.
func shellOf(u *caps.User) string {
	if !LoginShell(u.Shell) {
		return "/bin/sh"
	}
	return u.Shell
}

// LoginShell tells whether a shell lets somebody in.
func LoginShell(path string) bool {
	switch path {
	case "", "/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/nologin", "/usr/bin/nologin":
		return false
	}
	return true
}

// isGiven tells whether a path is at or below one of a directory that was made for the
// service. Before a launch it need not be there yet.
func (e *Env) isGiven(path string) bool {
	for _, d := range e.given().Directories {
		for _, top := range append([]string{d.Host, d.Inside}, d.Links...) {
			if path == top || strings.HasPrefix(path, top+"/") {
				return true
			}
		}
	}
	return false
}

// directoryFrom is where a directory's directive was written.
func directoryFrom(p *policy.Policy, directive string) policy.Origin {
	for kind, name := range [policy.DirectoryKinds]string{"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory"} {
		if name == directive {
			return p.Directories[kind].From
		}
	}
	return policy.Origin{}
}

// credentialFrom is the directive of the first credential, and where it was written.
func credentialFrom(p *policy.Policy) (string, policy.Origin) {
	if len(p.Credentials.Items) == 0 {
		return "LoadCredential", p.Credentials.From
	}
	it := &p.Credentials.Items[0]
	switch {
	case it.V.Set:
		return "SetCredential", it.From
	case it.V.Import:
		return "ImportCredential", it.From
	}
	return "LoadCredential", it.From
}

// eachGiven hands out the directives that need a view of the file system for what was given.
func eachGiven(p *policy.Policy, g *Given, each func(name string, from policy.Origin) bool) {
	if len(g.Credentials) > 0 {
		if name, from := credentialFrom(p); !each(name, from) {
			return
		}
	}
	for i := range g.Directories {
		d := &g.Directories[i]
		if (d.ReadOnly || hasRoot(p) || privateBase(d.Inside) != "") && !each(d.Directive, directoryFrom(p, d.Directive)) {
			return
		}
	}
}

// privateBase is the directory in which those of a dynamic user are kept from others, of a
// path below it; empty for every other path.
func privateBase(path string) string {
	for _, base := range [...]string{"/var/lib/private", "/var/cache/private", "/var/log/private", "/run/private"} {
		if strings.HasPrefix(path, base+"/") {
			return base
		}
	}
	return ""
}
