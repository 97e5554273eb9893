package main

import (
	"strings"

	"github.com/hardrun/hardrun/order"
	"github.com/hardrun/hardrun/policy"
)

// settingsText prints what is in force, as it would be written: Name=value, and behind it
// where that was written. names chooses some; a name that was set nowhere shows its default.
func settingsText(t terminal, p *policy.Policy, names []string) (string, error) {
	all := p.Settings()
	all = append(append(all, p.Noted...), p.NotApplied...)
	order.By(all, func(a, b *policy.Setting) bool { return a.Directive.ConfigName() < b.Directive.ConfigName() })
	var b strings.Builder
	if len(names) == 0 {
		for i := range all {
			settingLine(t, &b, all[i].Directive, all[i].Value, all[i].From.String())
		}
		return b.String(), nil
	}
	for _, name := range names {
		d := policy.Lookup(strings.TrimSuffix(name, "="))
		if d == nil {
			e := &usageError{"plan --settings: unknown directive " + name, ""}
			if near := policy.Nearest(name); near != "" {
				e.hint = "did you mean " + near + "?"
			}
			return "", e
		}
		found := false
		for i := range all {
			if all[i].Directive == d {
				found = true
				settingLine(t, &b, d, all[i].Value, all[i].From.String())
			}
		}
		if !found {
			settingLine(t, &b, d, d.Default, "default")
		}
	}
	return b.String(), nil
}

// settingLine is a line that can be copied into a unit: it is not wrapped at a terminal.
func settingLine(t terminal, b *strings.Builder, d *policy.Directive, value, from string) {
	text := d.ConfigName() + "=" + value
	if t.width > 0 {
		text, from = printable(text), printable(from)
	}
	if from != "" {
		text = pad(text, 48) + t.paint(faint, "  # "+from)
	}
	b.WriteString(text + "\n")
}

// settingsCommand is plan --settings.
func settingsCommand(in *invocation) int {
	if in.named() {
		in.policy.UnitDefaults()
	}
	text, err := settingsText(terminalOf(1), &in.policy, in.command)
	if err != nil {
		return refused(err)
	}
	return out(text)
}
