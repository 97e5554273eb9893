package main

import (
	"slices"
	"strconv"
	"syscall"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/nearest"
)

// planOptions is what help says of planOption's options.
const planOptions = `      --json                          the same for programs
      --for=root|self                 for a root with every capability (the default), or for who asks
      --filter                        the verdict on each system call as well, and the filter's program
      --settings                      only the settings that are in force, or those of the names behind
      --lint[=error]                  only refusals and the notes that are findings; error: status 1 for any
      --allow-note=ID                 without a note that is known and accepted; may be repeated
`

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
	plan.Notes = allowed(plan.Notes, in.allow)
	if in.lint != "" {
		return in.printLint("command line", who, plan.Refused, plan.Notes)
	}
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
		code = out(planText(terminalOf(1), plan) + filterText(plan))
	default:
		code = out(planText(terminalOf(1), plan))
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
	case name == "lint" && (!has || value == "error"):
		in.lint = "yes"
		if has {
			in.lint = value
		}
	case name == "lint":
		return true, &usageError{"--lint: \"" + value + "\" is neither nothing nor error", ""}
	case name == "allow-note":
		return true, in.allowNote(value, has)
	case name == "for" && (value == "root" || value == "self"):
		in.who = value
	case name == "for":
		return true, &usageError{"--for: root or self is wanted", ""}
	default:
		return false, nil
	}
	return true, nil
}

// allowNote is --allow-note=ID: a note that is known and accepted.
func (in *invocation) allowNote(id string, has bool) error {
	switch {
	case !has || id == "":
		return &usageError{"--allow-note: the id of a note is wanted, by \"=\"", ""}
	case launcher.NoteKindOf(id) == nil:
		e := &usageError{"--allow-note: there is no note \"" + id + "\"", ""}
		ids := make([]string, len(launcher.NoteKinds))
		for i := range launcher.NoteKinds {
			ids[i] = launcher.NoteKinds[i].ID
		}
		if near := nearest.Of(id, ids); near != "" {
			e.hint = "did you mean --allow-note=" + near + "?"
		}
		return e
	}
	in.allow = append(in.allow, id)
	return nil
}

// printLint is plan --lint. Without "error" what is merely noted is status 0.
func (in *invocation) printLint(name, who string, refused []launcher.Refusal, notes []launcher.Note) int {
	text, n := lintText(terminalOf(1), name, refused, notes)
	if in.json {
		text = lintJSON(who, refused, notes)
	}
	code := out(text)
	if code == 0 && (len(refused) > 0 || n > 0 && in.lint == "error") {
		code = 1
	}
	return code
}

// lintJSON is `plan --lint --json`: the members of `plan --json` that are findings.
func lintJSON(who string, refused []launcher.Refusal, notes []launcher.Note) string {
	var j jsonWriter
	j.open("{")
	j.field("for", who)
	j.refusals("refused", refused)
	j.notes(slices.DeleteFunc(slices.Clone(notes), func(n launcher.Note) bool { return n.Class != launcher.NoteLint }))
	j.close("}")
	return j.String() + "\n"
}

// snapshot is the state of this process for a plan.
func snapshot() launcher.Snapshot {
	if canLaunch {
		return newThread().Snapshot
	}
	return launcher.Snapshot{Environ: syscall.Environ()}
}

// planText is the plan for a person.
func planText(t terminal, plan *launcher.Plan) string {
	w := &planWriter{t: t}
	w.planHead(plan.For)
	w.rows(planRows(plan), "")
	w.rest(plan.Refused, plan.Waived, plan.Notes)
	return w.String()
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
		j.field("class", string(notes[i].Class))
		j.field("origin", notes[i].Origin.String())
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
