package launcher

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// environment builds what the daemon will see. Later wins: the inherited
// environment or that of a service, what is given, the login variables, PATH by
// ExecSearchPath=, PassEnvironment=, Environment=, EnvironmentFile=; UnsetEnvironment=
// comes last, behind the resolving of variables in the command.
func (c *compiler) environment() {
	p, env, g := c.p, c.env, c.given
	var vars []string
	if !p.ClearEnv.V {
		vars = inheritedEnvironment(env)
	} else {
		if g.Unit != "" {
			vars = c.unitEnvironment()
		}
		if env.ListenFor && env.Listen > 0 {
			for _, v := range env.Environ {
				if strings.HasPrefix(v, "LISTEN_") {
					vars = append(vars, v)
				}
			}
		}
	}
	changed := 0
	set := func(v string) {
		vars = setVar(vars, v)
		changed++
	}
	for _, v := range g.Environ {
		set(v)
	}
	if stream := c.socketStream(); stream || len(g.Sockets) > 0 {
		for _, v := range [...]string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			vars = unsetVar(vars, v)
		}
		if !stream {
			c.listenVariables(set)
		}
	}
	if len(g.Credentials) > 0 {
		set("CREDENTIALS_DIRECTORY=" + g.secretsAt())
	}
	if p.PrivateTmp.Set && p.PrivateTmp.V != "no" && !p.PrivateVarTmp() {
		set("TMPDIR=/tmp")
	}
	if c.notifyAt != "" {
		set("NOTIFY_SOCKET=" + c.notifyAt)
	}
	if g.Who != nil {
		// It has neither: what is inherited is another one's.
		vars = unsetVar(unsetVar(vars, "HOME"), "SHELL")
	}
	if p.SetLoginEnvironment.V && (p.User.Set || g.Unit != "") {
		c.loginEnvironment(set)
	}
	if g.Unit != "" {
		// With "!" the command changes its user by itself, and who that will be is given.
		if _, has := lookupVar(g.Environ, "USER"); p.User.Set || !has {
			set("USER=" + env.account().Name)
		}
		set("SYSTEMD_EXEC_PID=" + strconv.Itoa(env.PID))
	}
	if p.ExecSearchPath.IsSet() && len(p.ExecSearchPath.Items) > 0 {
		set("PATH=" + strings.Join(values(p.ExecSearchPath), ":"))
	}
	for _, name := range p.PassEnvironment.Items {
		if v, ok := lookupVar(env.Environ, name.V); ok {
			set(name.V + "=" + v)
		}
	}
	for _, v := range p.Environment.Items {
		set(v.V)
	}
	for _, file := range env.EnvFiles {
		for _, v := range file {
			set(v)
		}
	}
	c.words(vars)
	for _, v := range p.UnsetEnvironment.Items {
		vars = unsetVar(vars, v.V)
		changed++
	}
	c.plan.environ = vars
	if changed > 0 || p.ClearEnv.V {
		what := strconv.Itoa(len(vars)) + " variables"
		if p.ClearEnv.V {
			what += ", nothing inherited"
		}
		name, from := c.environmentOrigin()
		c.add(StageEnvironment, environStep(what), name, from, ExitExec)
	}
	c.notifyNotes()
}

// unitEnvironment is the environment of a service before anything is set, systemd.exec(5)
// "Environment Variables Set or Propagated by the Service Manager".
func (c *compiler) unitEnvironment() []string {
	vars := []string{"PATH=" + c.env.unitPath()}
	for _, v := range c.env.Environ {
		if strings.HasPrefix(v, "LANG=") || strings.HasPrefix(v, "LANGUAGE=") || strings.HasPrefix(v, "LC_") {
			vars = append(vars, v)
		}
	}
	for _, s := range [...]policy.Opt[policy.Stream]{c.p.StandardInput, c.p.StandardOutput, c.p.StandardError} {
		switch s.V.Kind {
		case policy.StreamTTY, policy.StreamTTYForce, policy.StreamTTYFail:
			term, ok := lookupVar(c.env.Environ, "TERM")
			if !ok {
				term = "vt220"
			}
			return append(vars, "TERM="+term)
		}
	}
	return vars
}

// listenVariables are those of sd_listen_fds(3) for what is passed.
func (c *compiler) listenVariables(set func(string)) {
	env, own := c.env, c.given.Sockets
	names := make([]string, len(own)+env.Listen)
	for i := range names {
		names[i] = "unknown" // as sd_listen_fds_with_names(3) calls it
		switch j := i - len(own); {
		case j < 0 && own[i].Name != "":
			names[i] = own[i].Name
		case j >= 0 && j < len(env.FDNames):
			names[i] = env.FDNames[j]
		}
	}
	set("LISTEN_PID=" + strconv.Itoa(env.PID))
	set("LISTEN_FDS=" + strconv.Itoa(len(names)))
	set("LISTEN_FDNAMES=" + strings.Join(names, ":"))
}

// words makes the argument vector of the words of the command.
func (c *compiler) words(vars []string) {
	g, plan := c.given, c.plan
	if !g.Vars && !g.Shell || plan.path == "" {
		return
	}
	argv := plan.argv
	if g.Vars && len(argv) > 0 {
		// The program is no variable; a name that was given besides may be one.
		first := 1
		if g.Argv0 {
			first = 0
		}
		var missing []string
		rest := expand(argv[first:], vars, func(name string) {
			if name != "" {
				missing = append(missing, "$"+name)
			}
		})
		argv = append(argv[:first:first], rest...)
		if len(missing) > 0 {
			c.note("variable-unset", c.env.CommandFrom, "not set, and so empty in the command: "+strings.Join(unique(missing), " "))
		}
	}
	if g.Shell {
		argv = throughShell(shellOf(c.env.account()), g.Login, argv)
	}
	if len(argv) == 0 {
		c.plan.Refused = append(c.plan.Refused, Refusal{Text: "nothing is left of the command when its variables are resolved, and a program has a name", Exit: ExitExec})
	}
	plan.argv = argv
}

// notifyNotes says where the socket of sd_notify(3) cannot be reached.
func (c *compiler) notifyNotes() {
	p, at := c.p, c.notifySocket()
	switch {
	case at == "" || c.notifyAt != "":
	case at[0] == '@' && (p.PrivateNetwork.V || p.NetworkNamespacePath.Set):
		c.note("notify", policy.Origin{}, "NOTIFY_SOCKET="+at+" is of another network namespace: the daemon cannot reach it")
	case at[0] == '/' && (hasRoot(p) || p.MinimalRoot.V):
		c.note("notify", policy.Origin{}, "NOTIFY_SOCKET="+at+" is not in the new root: the daemon cannot reach it")
	}
}

func (c *compiler) environmentOrigin() (string, policy.Origin) {
	p := c.p
	switch {
	case len(p.Environment.Items) > 0:
		return "Environment", p.Environment.Items[0].From
	case len(p.EnvironmentFile.Items) > 0:
		return "EnvironmentFile", p.EnvironmentFile.Items[0].From
	case p.ClearEnv.V:
		return "X-Hardrun-ClearEnv", p.ClearEnv.From
	case len(p.UnsetEnvironment.Items) > 0:
		return "UnsetEnvironment", p.UnsetEnvironment.Items[0].From
	case len(p.ExecSearchPath.Items) > 0:
		return "ExecSearchPath", p.ExecSearchPath.Items[0].From
	}
	return "User", p.User.From
}

// loginEnvironment sets HOME, USER, LOGNAME, and SHELL for a user who has a login
// shell. They come from the user database, never from the caller (CVE-2019-3842).
func (c *compiler) loginEnvironment(set func(string)) {
	u := c.env.account()
	home := u.Home
	if home == "" {
		home = "/"
	}
	if c.given.Who == nil {
		set("HOME=" + home)
	}
	name := u.Name
	if name == "" {
		name = strconv.FormatUint(uint64(u.UID), 10)
	}
	set("LOGNAME=" + name)
	set("USER=" + name)
	if LoginShell(u.Shell) {
		set("SHELL=" + u.Shell)
	}
}

// inheritedEnvironment is what was given to hardrun, without the LISTEN_
// variables of another process (sd_listen_fds(3): LISTEN_PID says whose they are).
func inheritedEnvironment(env *Env) []string {
	if !env.ListenFor || env.Listen > 0 {
		return env.Environ
	}
	vars := make([]string, 0, len(env.Environ))
	for _, v := range env.Environ {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES":
			continue
		}
		vars = append(vars, v)
	}
	return vars
}

func lookupVar(vars []string, name string) (string, bool) {
	for _, v := range vars {
		if len(v) > len(name) && v[len(name)] == '=' && v[:len(name)] == name {
			return v[len(name)+1:], true
		}
	}
	return "", false
}

// setVar replaces the variable where it stands, or appends it. The list of the
// caller is not written to.
func setVar(vars []string, v string) []string {
	name, _, _ := strings.Cut(v, "=")
	out := make([]string, 0, len(vars)+1)
	done := false
	for _, old := range vars {
		if len(old) > len(name) && old[len(name)] == '=' && old[:len(name)] == name {
			if done {
				continue
			}
			old, done = v, true
		}
		out = append(out, old)
	}
	if !done {
		out = append(out, v)
	}
	return out
}

// unsetVar removes NAME, or NAME=VALUE only where the value is that.
func unsetVar(vars []string, v string) []string {
	out := make([]string, 0, len(vars))
	for _, old := range vars {
		name, _, _ := strings.Cut(old, "=")
		if old == v || name == v {
			continue
		}
		out = append(out, old)
	}
	return out
}

func values(l policy.List[string]) []string {
	out := make([]string, len(l.Items))
	for i := range l.Items {
		out[i] = l.Items[i].V
	}
	return out
}

// environStep is the line of plan for the environment; there is nothing to do
// before execve(2) takes it.
type environStep string

func (s environStep) String() string  { return string(s) }
func (environStep) Mechanism() string { return "execve" }
