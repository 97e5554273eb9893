package launcher

import (
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// command plans what is executed. It was looked up by Gather.
func (c *compiler) command() {
	env, plan := c.env, c.plan
	plan.argv, plan.path = env.Command.Args, env.Command.Path
	if plan.path == "" {
		return
	}
	at := plan.path
	if dir := c.p.WorkingDirectory; at[0] != '/' && dir.Set {
		base := dir.V.V
		if base == "~" {
			base = env.User.Home
		}
		at = strings.TrimRight(base, "/") + "/" + at
	}
	plan.command = &openCommand{path: plan.path, at: at, plan: plan}
	for _, path := range env.Command.Search {
		if path[0] != '/' {
			path = at
		}
		plan.command.search = append(plan.command.search, path)
	}
	c.add(StageCommand, plan.command, "", policy.Origin{}, ExitExec)
}

// quoted makes words readable: those with blanks or quotes stand in quotes.
func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`;&|<>()*?[]#~") {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return out
}

// openCommand opens the command once the new root is there, so that the last
// rows can show that it is still this file which is executed.
type openCommand struct {
	path string // what is executed
	at   string // where that is before the change of directory

	// Where mounts decide, the command is the first of these that can be executed.
	search []string
	plan   *Plan

	identity identity
}

func (s *openCommand) String() string { return "open " + s.path }

// Mechanism is the call as strace shows it.
func (s *openCommand) Mechanism() string { return "openat2(\"" + s.at + "\", RESOLVE_NO_MAGICLINKS)" }

// execStep is the last step.
type execStep struct{ plan *Plan }

func (s *execStep) String() string {
	words := append([]string{s.plan.path}, s.plan.argv[min(1, len(s.plan.argv)):]...)
	return strings.Join(quoted(words), " ")
}

// Mechanism is the call as strace shows it.
func (s *execStep) Mechanism() string { return "execve(\"" + s.plan.path + "\")" }
