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
	plan.command = &openCommand{path: plan.path, at: at}
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
