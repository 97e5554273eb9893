package launcher

import (
	"slices"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// portable are the directives which hardrun applies on other systems, too.
var portable = [...]string{
	"ClearEnv", "Chroot", "Env", "Environment", "EnvironmentFile", "ExecSearchPath", "Group", "IgnoreSIGPIPE",
	"KeepFD", "KeepTTY", "Log", "MountAPIVFS", "BindLogSockets", "Nice", "Parent", "PassEnvironment", "RootDirectory",
	"SetLoginEnvironment", "StandardError", "StandardInput", "StandardOutput", "Strict", "SupplementaryGroups",
	"UMask", "Unknown", "UnsetEnvironment", "User", "Waive", "WorkingDirectory",
	"LimitCPU", "LimitFSIZE", "LimitDATA", "LimitSTACK", "LimitCORE", "LimitRSS", "LimitNPROC", "LimitNOFILE", "LimitMEMLOCK", "LimitAS",
}

func portableTo(system, directive string) bool {
	return slices.Contains(portable[:], directive) && (directive != "LimitAS" || system != "openbsd")
}

// elsewhere refuses, on other systems, what only Linux has, and says in what a
// launch there differs. What is merely implied (by --caps) is refused with what
// implies it.
func (c *compiler) elsewhere() {
	p, system := c.p, c.env.GOOS
	var last *policy.Directive
	for _, s := range p.Settings() {
		d := s.Directive
		implied := slices.ContainsFunc(c.plan.Implied, func(i policy.Implied) bool { return i.Name == d.Name })
		mounts := (d.Name == "MountAPIVFS" || d.Name == "BindLogSockets") && s.Value == "yes"
		if implied || portableTo(system, d.Name) && !mounts || d == last {
			continue
		}
		last = d // a list has a setting for each of its values
		text := "Linux only, not on " + system
		if d.Name == "StandardInputData" {
			text += ", and StandardInputText= neither"
		}
		c.refuse(d.ConfigName(), s.From, ExitUsage, text)
		c.last().Waivable = d.Class.Waivable()
	}
	for fd, s := range [3]policy.Opt[policy.Stream]{p.StandardInput, p.StandardOutput, p.StandardError} {
		switch s.V.Kind {
		case policy.StreamData, policy.StreamTTY, policy.StreamTTYForce, policy.StreamTTYFail:
			name := [3]string{"StandardInput", "StandardOutput", "StandardError"}[fd]
			c.refuse(name, s.From, streamExit[fd], "\""+s.V.Word+"\" is Linux only, not on "+system)
		}
	}
	if p.MountAPIVFS.V && hasRoot(p) {
		c.note("default-not-applied", p.RootDirectory.From, "RootDirectory= implies MountAPIVFS=yes and BindLogSockets=yes, which need Linux: nothing is mounted inside")
	}
	if !p.IgnoreSIGPIPE.Set {
		c.note("signals-default", policy.Origin{}, "signals that were ignored at the start are default for the daemon, but for SIGHUP and SIGINT: the Go runtime resets them")
	}
	c.note("closed-as-null", policy.Origin{}, "a standard descriptor that was closed at the start is /dev/null for the daemon: the Go runtime opens it")
}

// withoutLinux takes the steps out of the plan which no other system has. Their
// directives were refused by name; with a waiver the plan goes on without them.
func (c *compiler) withoutLinux() {
	if c.env.linux() {
		return
	}
	c.plan.Entries = slices.DeleteFunc(c.plan.Entries, func(e Entry) bool {
		if _, is := e.Step.(*process.Terminal); is {
			return true
		}
		if s, is := e.Step.(*process.OpenStream); is && s.Data != nil {
			return true
		}
		name := strings.TrimPrefix(strings.TrimSuffix(e.Directive, "="), "X-Hardrun-")
		return name != "" && !portableTo(c.env.GOOS, name)
	})
}
