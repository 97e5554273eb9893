package main

import (
	"encoding/json"
	"os"
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
	if len(in.command) == 0 {
		return usage("plan: a command is missing")
	}
	who := in.who
	if who == "" {
		who = "root"
	}
	env, err := launcher.Gather(&in.policy, who, in.command, snapshot())
	if err != nil {
		say(err.Error())
		return 1
	}
	plan := launcher.Compile(&in.policy, env)
	code := 0
	if in.json {
		code = printJSON(plan)
	} else {
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
	switch plan.For {
	case "root":
		b.WriteString("plan for root with every capability (--for=self: for who asks)\n")
	default:
		b.WriteString("plan for the user who asks\n")
	}
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
		line := pad(e.Stage.String(), stage) + "  " + pad(e.Step.String(), what) + "  " + origin(e)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for i := range plan.Refused {
		b.WriteString("refused: " + plan.Refused[i].Error() + "\n")
		if h := plan.Refused[i].Hint; h != "" {
			b.WriteString("  hint: " + h + "\n")
		}
	}
	for i := range plan.Waived {
		b.WriteString("waived: " + plan.Waived[i].Error() + "\n")
	}
	for _, n := range plan.Notes {
		b.WriteString("note: " + n.Text + " [" + n.ID + "]\n")
	}
	return b.String()
}

func pad(s string, n int) string {
	if k := utf8.RuneCountInString(s); k < n {
		return s + strings.Repeat(" ", n-k)
	}
	return s
}

// The stable form of `plan --json`.
type (
	jsonPlan struct {
		For     string        `json:"for"`
		Steps   []jsonStep    `json:"steps"`
		Refused []jsonRefusal `json:"refused"`
		Waived  []jsonRefusal `json:"waived"`
		Notes   []jsonNote    `json:"notes"`
	}
	jsonStep struct {
		Stage     string `json:"stage"`
		Step      string `json:"step"`
		Directive string `json:"directive"`
		Origin    string `json:"origin"`
		Because   string `json:"because"`
		Mechanism string `json:"mechanism"`
	}
	jsonRefusal struct {
		Directive string `json:"directive"`
		Origin    string `json:"origin"`
		Text      string `json:"text"`
		Hint      string `json:"hint"`
		Status    int    `json:"status"`
		Waivable  bool   `json:"waivable"`
	}
	jsonNote struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
)

func printJSON(plan *launcher.Plan) int {
	j := jsonPlan{For: plan.For, Steps: []jsonStep{}, Refused: []jsonRefusal{}, Waived: []jsonRefusal{}, Notes: []jsonNote{}}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		j.Steps = append(j.Steps, jsonStep{
			Stage: e.Stage.String(), Step: e.Step.String(), Directive: e.Directive,
			Origin: e.Origin.String(), Because: e.Because, Mechanism: e.Step.Mechanism(),
		})
	}
	j.Refused = appendRefusals(j.Refused, plan.Refused)
	j.Waived = appendRefusals(j.Waived, plan.Waived)
	for _, n := range plan.Notes {
		j.Notes = append(j.Notes, jsonNote(n))
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&j); err != nil {
		say("stdout: " + err.Error())
		return 1
	}
	return 0
}

func appendRefusals(to []jsonRefusal, list []launcher.Refusal) []jsonRefusal {
	for i := range list {
		r := &list[i]
		to = append(to, jsonRefusal{r.Directive, r.Origin.String(), r.Text, r.Hint, r.Exit, r.Waivable})
	}
	return to
}
