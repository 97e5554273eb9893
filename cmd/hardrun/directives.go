package main

import (
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// directivesCommand lists the table, or tells all that it knows of one row.
func directivesCommand(args []string) int {
	switch {
	case len(args) == 0:
		return out(directivesList())
	case len(args) > 1 || strings.HasPrefix(args[0], "-"):
		return usage("directives: at most one name is taken")
	}
	if args[0] != "" && args[0][0] == '@' {
		text, err := profileOf(args[0])
		if err != nil {
			return refused(err)
		}
		return out(text)
	}
	name := strings.TrimSuffix(args[0], "=")
	d := policy.Lookup(name)
	if d == nil {
		d = policy.ByOption(strings.TrimLeft(name, "-"))
	}
	if d == nil {
		code := usage("directives: unknown directive " + args[0])
		if near := policy.Nearest(name); near != "" {
			hint("did you mean " + near + "?")
		}
		return code
	}
	return out(directiveText(d))
}

// supportWord says in one word what becomes of a directive.
func supportWord(d *policy.Directive) string {
	switch d.Support {
	case policy.Applied:
		return "applied"
	case policy.NotYet:
		return "refused"
	case policy.Impossible:
		return "impossible"
	}
	return "noted"
}

func directivesList() string {
	var b strings.Builder
	for _, d := range policy.Directives {
		b.WriteString(pad(d.ConfigName()+"=", 34) + pad(supportWord(d), 12) + d.Doc + "\n")
	}
	b.WriteString("\napplied: planned, applied, read back. refused: known, not yet applied. impossible: cannot be had\n" +
		"without systemd, refused. noted: belongs to a service manager, listed by plan.\n")
	return b.String()
}

func directiveText(d *policy.Directive) string {
	var b strings.Builder
	line := func(key, text string) {
		if text != "" {
			b.WriteString(pad(key, 12) + text + "\n")
		}
	}
	b.WriteString(d.ConfigName() + "=\n" + d.Doc + "\n\n")
	var options []string
	if d.Short != "" {
		options = append(options, "-"+d.Short)
	}
	if !d.NoOption {
		options = append(options, "--"+d.Option)
	}
	for _, o := range d.OptionAliases {
		options = append(options, "--"+o)
	}
	line("option", strings.Join(options, ", "))
	line("value", d.Arg)
	if d.Value != nil {
		line("words", strings.Join(d.Value.Words, ", "))
	}
	line("default", d.Default)
	line("old names", strings.Join(d.Aliases, ", "))
	line("section", "["+d.Section+"]")
	line("manual", d.Man)
	line("here", supportWord(d))
	line("because", d.Why)
	switch {
	case d.Support == policy.Manager:
	case d.Class.Waivable():
		line("waiver", "--waive="+d.ConfigName()+" lets the daemon start without it, where it cannot be had")
	default:
		line("waiver", "none: a failure is a refusal")
	}
	if d.Notes != "" {
		b.WriteString("\n" + d.Notes + "\n")
	}
	return b.String()
}
