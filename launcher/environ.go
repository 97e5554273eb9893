package launcher

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// environment builds what the daemon will see. Later wins: the inherited
// environment, the login variables, PATH by ExecSearchPath=, PassEnvironment=,
// Environment=, EnvironmentFile=; UnsetEnvironment= comes last.
func (c *compiler) environment() {
	p, env := c.p, c.env
	var vars []string
	if !p.ClearEnv.V {
		vars = inheritedEnvironment(env)
	} else if env.ListenFor && env.Listen > 0 {
		for _, v := range env.Environ {
			if strings.HasPrefix(v, "LISTEN_") {
				vars = append(vars, v)
			}
		}
	}
	changed := 0
	set := func(v string) {
		vars = setVar(vars, v)
		changed++
	}
	if p.SetLoginEnvironment.V && p.User.Set {
		c.loginEnvironment(set)
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
	u := c.env.User
	home := u.Home
	if home == "" {
		home = "/"
	}
	set("HOME=" + home)
	name := u.Name
	if name == "" {
		name = strconv.FormatUint(uint64(u.UID), 10)
	}
	set("LOGNAME=" + name)
	set("USER=" + name)
	switch u.Shell {
	case "", "/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/nologin", "/usr/bin/nologin":
	default:
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
