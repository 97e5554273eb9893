package main

import (
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/hardrun/hardrun/launcher"
)

// planCommand prints the ordered steps of a launch, and does none of them.
func planCommand(args []string) int {
	in, err := parse(args, planOption)
	if err != nil {
		return refused(err)
	}
	if in.help {
		return help()
	}
	if in.settings {
		return settingsCommand(in)
	}
	if len(in.command) == 0 && in.unit == nil {
		return usage("plan: a command is missing")
	}
	who := in.who
	if who == "" {
		who = "root"
	}
	if in.unit != nil || isService(&in.policy) {
		return planUnit(in, who)
	}
	env, err := launcher.Gather(&in.policy, who, in.command, snapshot())
	if err != nil {
		say(err.Error())
		return 1
	}
	plan := launcher.Compile(&in.policy, env)
	code := 0
	if v := in.policy.FilterOut; v.Set {
		if err := writeFilter(v.V, plan.Program); err != nil {
			say(v.From.String() + ": " + err.Error())
			return 1
		}
		if v.V == "-" {
			return code
		}
	}
	switch {
	case in.json:
		code = out(planJSON(plan, in.filter))
	case in.filter:
		code = out(planText(plan) + filterText(plan))
	default:
		code = out(planText(plan))
	}
	if code == 0 && len(plan.Refused) > 0 {
		code = 1
	}
	return code
}

// planOption takes the options of plan itself.
func planOption(in *invocation, name, value string, has bool) (bool, error) {
	switch {
	case name == "json" && !has:
		in.json = true
	case name == "settings" && !has:
		in.settings = true
	case name == "filter" && !has:
		in.filter = true
	case name == "for" && (value == "root" || value == "self"):
		in.who = value
	case name == "for":
		return true, &usageError{"--for: root or self is wanted", ""}
	default:
		return false, nil
	}
	return true, nil
}

// snapshot is the state of this process for a plan.
func snapshot() launcher.Snapshot {
	if canLaunch {
		return newThread().Snapshot
	}
	return launcher.Snapshot{Environ: syscall.Environ()}
}

// origin is the setting behind a step: "User= --user", or why it is there.
func origin(e *launcher.Entry) string {
	s := strings.TrimSpace(e.Directive + " " + e.Origin.String())
	if e.Because != "" {
		if s != "" {
			s += "; "
		}
		s += "because " + e.Because
	}
	return s
}

// planText is the plan for a person: one line a step.
func planText(plan *launcher.Plan) string {
	var b strings.Builder
	planHead(&b, plan.For)
	planSteps(&b, plan, "")
	planRest(&b, plan.Refused, plan.Waived, plan.Notes)
	return b.String()
}

// planHead says for whom a plan is.
func planHead(b *strings.Builder, who string) {
	switch who {
	case "root":
		b.WriteString("plan for root with every capability (--for=self: for who asks)\n")
	default:
		b.WriteString("plan for the user who asks\n")
	}
}

// planSteps are the steps, each behind the indent.
func planSteps(b *strings.Builder, plan *launcher.Plan, indent string) {
	stage, what := 0, 0
	for i := range plan.Entries {
		e := &plan.Entries[i]
		stage = max(stage, len(e.Stage.String()))
		if n := utf8.RuneCountInString(e.Step.String()); n <= 44 {
			what = max(what, n)
		}
	}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		line := indent + pad(e.Stage.String(), stage) + "  " + pad(e.Step.String(), what) + "  " + origin(e)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// planRest is what comes behind the steps. What belongs to a service manager is one line.
func planRest(b *strings.Builder, refused, waived []launcher.Refusal, notes []launcher.Note) {
	for i := range refused {
		b.WriteString("refused: " + refused[i].Error() + "\n")
		if h := refused[i].Hint; h != "" {
			b.WriteString("  hint: " + h + "\n")
		}
	}
	for i := range waived {
		b.WriteString("waived: " + waived[i].Error() + "\n")
	}
	manager := 0
	for _, n := range notes {
		if n.ID == "manager" {
			manager++
			continue
		}
		b.WriteString("note: " + n.Text + " [" + n.ID + "]\n")
	}
	if manager == 0 {
		return
	}
	line := "note: what belongs to a service manager is passed over:"
	for _, n := range notes {
		if n.ID == "manager" {
			name, _, _ := strings.Cut(n.Text, "=")
			if name += "="; !strings.HasSuffix(line, " "+name) { // repeats are one
				line += " " + name
			}
		}
	}
	b.WriteString(line + " [manager]\n")
}

func pad(s string, n int) string {
	if k := utf8.RuneCountInString(s); k < n {
		return s + strings.Repeat(" ", n-k)
	}
	return s
}

// planJSON is the stable form of `plan --json`. encoding/json would cost 0.4 MB
// and some 3 % of every launch; a test reads this with it.
func planJSON(plan *launcher.Plan, filter bool) string {
	var j jsonWriter
	j.open("{")
	j.field("for", plan.For)
	j.steps(plan)
	j.refusals("refused", plan.Refused)
	j.refusals("waived", plan.Waived)
	j.notes(plan.Notes)
	if filter {
		j.filter(plan)
	}
	j.close("}")
	return j.String() + "\n"
}

func (j *jsonWriter) steps(plan *launcher.Plan) {
	j.list("steps", len(plan.Entries), func(i int) {
		e := &plan.Entries[i]
		j.field("stage", e.Stage.String())
		j.field("step", e.Step.String())
		j.field("directive", e.Directive)
		j.field("origin", e.Origin.String())
		j.field("because", e.Because)
		j.field("mechanism", e.Step.Mechanism())
	})
}

func (j *jsonWriter) notes(notes []launcher.Note) {
	j.list("notes", len(notes), func(i int) {
		j.field("id", notes[i].ID)
		j.field("text", notes[i].Text)
	})
}

func (j *jsonWriter) refusals(name string, list []launcher.Refusal) {
	j.list(name, len(list), func(i int) {
		r := &list[i]
		j.field("directive", r.Directive)
		j.field("origin", r.Origin.String())
		j.field("text", r.Text)
		j.field("hint", r.Hint)
		j.raw("status", strconv.Itoa(r.Exit))
		j.raw("waivable", strconv.FormatBool(r.Waivable))
	})
}
