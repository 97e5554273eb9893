package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/condition"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/supervise"
	"github.com/hardrun/hardrun/unit"
)

// servicePlan is the plan of a service: what is done for all of its commands, and a plan for
// each of them.
type servicePlan struct {
	name    string
	files   []string
	start   []unit.Dependency // what somebody else has to start
	manager []policy.Assignment
	parent  []policy.ParentReason
	stays   bool
	keeps   string        // the capabilities of a parent that stays, when the service runs
	lines   []serviceLine // before the commands, in order
	command []commandPlan // in the order in which they would run
	main    int           // the place of the main command in it; -1 for none
	refused []launcher.Refusal
}

// serviceLine is something that is done for the service as a whole.
type serviceLine struct{ stage, step, directive, origin string }

// commandPlan is a command and its plan.
type commandPlan struct {
	list int
	from policy.Origin
	text string
	plan *launcher.Plan
}

// planService makes the plan of a service. errs are what cannot be meant.
func planService(in *invocation, who string) (sp *servicePlan, errs []error) {
	if errs = readyService(in); len(errs) > 0 {
		return nil, errs
	}
	p := &in.policy
	sp = &servicePlan{name: serviceName(in), main: -1}
	given := launcher.Given{Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}
	if in.named() {
		given.Unit = sp.name
		sp.files = in.unit.Files
		if sp.start, errs = dependencies(in.unit); len(errs) > 0 {
			return nil, errs
		}
	}
	for _, a := range p.Noted {
		if supervises(a.Directive.Name) {
			sp.manager = append(sp.manager, a)
		}
	}
	sp.parent = in.parentReasons()
	sp.stays, sp.refused = needsParent(in)
	sp.keeps = "all capabilities, as a command may still have to be started"
	if !supervise.Of(p).StartsMore() {
		sp.keeps = keeps(in).String()
	}
	sp.conditions(p)
	sp.identity(p, &given)
	sp.directories(p, &given)
	sp.sockets(in, &given)
	sp.credentials(p, &given)
	var err error
	if given.Booted, err = wantsBooted(p, len(given.Sockets)); err != nil {
		return nil, []error{err}
	}
	for _, list := range [...]int{policy.ExecCondition, policy.ExecStartPre, policy.ExecStart, policy.ExecStartPost, policy.ExecReload, policy.ExecReloadPost, policy.ExecStop, policy.ExecStopPost} {
		for i := range p.Service.Commands[list].Items {
			if err := sp.addCommand(in, who, list, i, given); err != nil {
				return nil, []error{err}
			}
		}
	}
	return sp, nil
}

// supervises tells the directives that a supervisor has its own words for.
func supervises(name string) bool {
	switch name {
	case "Restart", "RestartSec", "RestartPreventExitStatus", "RestartForceExitStatus", "WatchdogSec", "StartLimitBurst", "StartLimitIntervalSec",
		"OOMPolicy", "OnFailure", "OnSuccess", "Conflicts", "Slice", "JoinsNamespaceOf":
		return true
	}
	return false
}

// dependencies are the units that have to be there and that somebody can start: targets and
// slices are names for a moment and a place, which only systemd has.
func dependencies(u *unit.Unit) (list []unit.Dependency, errs []error) {
	all, err := u.Dependencies()
	if err != nil {
		return nil, []error{err}
	}
	for _, d := range all {
		if !strings.HasSuffix(d.Unit, ".target") && !strings.HasSuffix(d.Unit, ".slice") {
			list = append(list, d)
		}
	}
	return list, nil
}

func (sp *servicePlan) add(stage, step, directive string, from policy.Origin) {
	sp.lines = append(sp.lines, serviceLine{stage, step, directive + "=", from.String()})
}

// conditions says what each condition would be now.
func (sp *servicePlan) conditions(p *policy.Policy) {
	snap := snapshot()
	facts := conditionFacts(&snap)
	for i := range p.Conditions.Items {
		c := &p.Conditions.Items[i]
		item := conditionItem(c)
		name, text := "Condition"+c.V.Kind, c.V.Value
		if c.V.Assert {
			name = "Assert" + c.V.Kind
		}
		if c.V.Negate {
			text = "not " + text
		}
		if c.V.Trigger {
			text = "one of: " + text
		}
		holds, err := condition.Eval(item.Kind, item.Value, facts)
		var open *condition.NotEvaluatedError
		switch {
		case errors.As(err, &open):
			text += ": not evaluated, " + open.Reason
		case err != nil:
			sp.refused = append(sp.refused, launcher.Refusal{Directive: name + "=", Origin: c.From, Text: err.Error(), Exit: launcher.ExitBadUnit})
			continue
		case holds != c.V.Negate:
			text += ": holds"
		default:
			text += ": does not hold"
		}
		sp.add("condition", text, name, c.From)
	}
}

// identity stands a user in for the one that is chosen at the start.
func (sp *servicePlan) identity(p *policy.Policy, given *launcher.Given) {
	if !p.DynamicUser.V {
		return
	}
	name := dynamicName(p, sp.name)
	if u, err := caps.Host.LookupUser(name); err == nil && u.Entry {
		p.User = policy.Opt[string]{V: name, Set: true, From: p.DynamicUser.From}
		sp.add("user", name+", which the user database has", "DynamicUser", p.DynamicUser.From)
		return
	}
	if err := errDynamicName(name); err != nil {
		sp.refused = append(sp.refused, launcher.Refusal{Directive: "User=", Origin: p.User.From, Text: err.Error(), Exit: launcher.ExitUser})
	}
	given.Who = &caps.User{Name: name, UID: dirs.FirstDynamic, GID: dirs.FirstDynamic, Home: "/", Shell: "/usr/sbin/nologin"}
	sp.add("user", "choose a free uid from "+strconv.Itoa(dirs.FirstDynamic)+" to "+strconv.Itoa(dirs.LastDynamic)+" for "+name+" (below: the first of them)", "DynamicUser", p.DynamicUser.From)
}

func (sp *servicePlan) directories(p *policy.Policy, given *launcher.Given) {
	list, _ := directoryList(p, given.Who != nil)
	gone := removed(p, list)
	for i := range list {
		d := &list[i]
		text := d.Host() + ", mode 0" + strconv.FormatUint(uint64(d.Mode), 8)
		if d.Private {
			text += ", found at " + d.Path()
		}
		for _, l := range d.Links {
			text += ", link " + d.Base + "/" + l
		}
		for j := range gone {
			if gone[j].Path() == d.Path() {
				if p.Parent.V == "never" {
					text += ", removed at the next start"
				} else {
					text += ", removed at the end"
				}
			}
		}
		sp.add("directory", text, d.Directive, directoryFrom(p, d))
	}
	giveDirectories(given, list)
}

func directoryFrom(p *policy.Policy, d *dirs.Directory) policy.Origin {
	for kind, name := range directoryNames {
		for _, it := range p.Directories[kind].Items {
			if name == d.Directive && it.V.Name == d.Name {
				return it.From
			}
		}
	}
	return policy.Origin{}
}

func (sp *servicePlan) sockets(in *invocation, given *launcher.Given) {
	for _, a := range in.listening {
		for _, l := range a.socket.Listen.Items {
			sp.add("socket", "open "+l.V.Address+", descriptor "+strconv.Itoa(3+len(given.Sockets)), listenNames[l.V.Kind], l.From)
			given.Sockets = append(given.Sockets, launcher.GivenSocket{FD: -1, Name: l.V.Name})
		}
	}
	for _, f := range in.policy.Service.OpenFile.Items {
		sp.add("socket", "open "+f.V.Path+", descriptor "+strconv.Itoa(3+len(given.Sockets)), "OpenFile", f.From)
		given.Sockets = append(given.Sockets, launcher.GivenSocket{FD: -1, Name: f.V.Name})
	}
}

var listenNames = [...]string{"ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial", "ListenNetlink", "ListenMessageQueue"}

func (sp *servicePlan) credentials(p *policy.Policy, given *launcher.Given) {
	for _, c := range p.Credentials.Items {
		name, text := "LoadCredential", c.V.ID+" from "+c.V.Path
		switch {
		case c.V.Set:
			name, text = "SetCredential", c.V.ID
		case c.V.Import:
			name, text = "ImportCredential", c.V.ID+" from the stores"
		case c.V.Path == "":
			text = c.V.ID + " from the stores"
		}
		sp.add("credential", text, name, c.From)
		given.Credentials = append(given.Credentials, launcher.GivenCredential{ID: c.V.ID})
	}
}

// addCommand plans one command.
func (sp *servicePlan) addCommand(in *invocation, who string, list, index int, given launcher.Given) error {
	it := &in.policy.Service.Commands[list].Items[index]
	p := commandPolicy(&in.policy, list, index, sp.stays)
	given = givenTo(list, &in.policy, given)
	given.Death = sp.stays
	given.Environ = append(given.Environ[:len(given.Environ):len(given.Environ)], later(&p, list)...)
	args := commandArgs(&it.V, &given)
	env, err := launcher.GatherFor(&p, who, args, snapshot(), &given)
	if err != nil {
		return err
	}
	env.Aside, env.CommandFrom = list != policy.ExecStart, it.From
	plan := launcher.Compile(&p, env)
	if list == policy.ExecStart && sp.main < 0 {
		sp.main = len(sp.command)
	}
	sp.command = append(sp.command, commandPlan{list, it.From, strings.Join(append([]string{it.V.Path}, it.V.Args[min(1, len(it.V.Args)):]...), " "), plan})
	for _, r := range plan.Refused {
		// A program that is missing is found when the command is run, as a "-" before it
		// may let that pass.
		if !slices.Contains(sp.refused, r) && !(r.Exit == launcher.ExitExec && list != policy.ExecStart) {
			sp.refused = append(sp.refused, r)
		}
	}
	return nil
}

// later are the variables of a command that are known when it runs: their names stand in for them.
func later(p *policy.Policy, list int) []string {
	if list < policy.ExecStartPost {
		return nil
	}
	names := []string{"MAINPID=MAINPID"}
	if p.Service.PIDFile.Set {
		names = append(names, "PIDFILE="+p.Service.PIDFile.V)
	}
	if list == policy.ExecStop || list == policy.ExecStopPost {
		names = append(names, "SERVICE_RESULT=SERVICE_RESULT", "EXIT_CODE=EXIT_CODE", "EXIT_STATUS=EXIT_STATUS")
	}
	return names
}

// text is the plan for a person.
func (sp *servicePlan) text(t terminal, who string, notes []launcher.Note) string {
	w := &planWriter{t: t}
	w.planHead(who)
	for _, f := range sp.files {
		w.line(plainText, "from "+f)
	}
	if len(sp.start) > 0 {
		w.line(bold, "start these yourself:")
		for _, d := range sp.start {
			w.pair(d.Unit, d.Directive+"= "+d.From.String())
		}
	}
	if len(sp.manager) > 0 {
		w.line(bold, "tell your supervisor:")
		for _, a := range sp.manager {
			w.pair(a.Directive.ConfigName()+"="+a.Value, a.From.String())
		}
	}
	switch {
	case sp.stays:
		w.line(bold, "a parent stays:")
	case len(sp.parent) > 0:
		w.line(bold, "no parent stays (--parent=never), left to the next start:")
	default:
		w.line(plainText, "no parent stays: the daemon has hardrun's own process ID")
	}
	for _, r := range sp.parent {
		w.pair(r.Name+"= "+r.Why, r.From.String())
	}
	if sp.stays {
		w.pair("not dumpable; when the service runs it keeps "+sp.keeps, "")
	}
	if len(sp.lines) > 0 {
		w.line(bold, "for all commands")
		rows := make([]planRow, len(sp.lines))
		for i, l := range sp.lines {
			rows[i] = planRow{stage: l.stage, step: l.step, directive: l.directive, origin: l.origin}
		}
		w.rows(rows, "  ")
	}
	var main *launcher.Plan
	if sp.main >= 0 {
		main = sp.command[sp.main].plan
	}
	for i := range sp.command {
		c := &sp.command[i]
		w.line(bold, policy.ExecNames[c.list]+"= "+c.from.String()+": "+c.text)
		if main == nil || i == sp.main {
			w.rows(planRows(c.plan), "  ")
			main = c.plan
			continue
		}
		w.difference(c.plan, main)
	}
	w.rest(sp.refused, sp.waived(), notes)
	return w.String()
}

// waived and notes are those of all commands, each once.
func (sp *servicePlan) waived() []launcher.Refusal {
	var all []launcher.Refusal
	for i := range sp.command {
		for _, r := range sp.command[i].plan.Waived {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all
}

func (sp *servicePlan) notes() []launcher.Note {
	var manager, all []launcher.Note // the former are as many as there are lines, and the same for all
	for i := range sp.command {
		for _, n := range sp.command[i].plan.Notes {
			switch {
			case n.ID == "cgroup-stays" && sp.stays: // the parent removes it
			case n.ID == "manager" && i == 0:
				manager = append(manager, n)
			case n.ID != "manager" && !slices.Contains(all, n):
				all = append(all, n)
			}
		}
	}
	return append(manager, all...)
}

// difference prints the steps in which a plan differs from that of the main command.
func (w *planWriter) difference(plan, main *launcher.Plan) {
	lines := func(p *launcher.Plan) []string {
		var list []string
		for i := range p.Entries {
			if e := &p.Entries[i]; e.Stage != launcher.StageExec && e.Stage != launcher.StageCommand && e.Stage != launcher.StageEnvironment {
				list = append(list, e.Stage.String()+"  "+e.Step.String())
			}
		}
		return list
	}
	mine, others := lines(plan), lines(main)
	same := true
	for _, d := range [...]struct {
		sign      string
		list, out []string
	}{{"  without ", others, mine}, {"  with    ", mine, others}} {
		for _, l := range d.list {
			if !contains(d.out, l) {
				same = false
				w.remark(plainText, d.sign, l, "")
			}
		}
	}
	if same {
		w.line(plainText, "  confined as the main command")
	}
}

// json is the stable form of the plan: that of the main command, with "unit" beside it.
func (sp *servicePlan) json(who string, filter bool, notes []launcher.Note) string {
	var j jsonWriter
	j.open("{")
	j.field("for", who)
	j.object("unit", func() {
		j.field("name", sp.name)
		j.strings("files", sp.files)
		j.list("start", len(sp.start), func(i int) {
			j.field("unit", sp.start[i].Unit)
			j.field("directive", sp.start[i].Directive+"=")
			j.field("origin", sp.start[i].From.String())
		})
		j.raw("parent", strconv.FormatBool(sp.stays))
		j.list("because", len(sp.parent), func(i int) {
			j.field("directive", sp.parent[i].Name+"=")
			j.field("origin", sp.parent[i].From.String())
			j.field("text", sp.parent[i].Why)
		})
		if sp.stays {
			j.field("keeps", sp.keeps)
		}
		j.list("steps", len(sp.lines), func(i int) {
			l := &sp.lines[i]
			j.field("stage", l.stage)
			j.field("step", l.step)
			j.field("directive", l.directive)
			j.field("origin", l.origin)
		})
		j.list("commands", len(sp.command), func(i int) {
			c := &sp.command[i]
			j.field("directive", policy.ExecNames[c.list]+"=")
			j.field("origin", c.from.String())
			j.field("command", c.text)
			if i != sp.main {
				j.steps(c.plan)
			}
		})
	})
	empty := &launcher.Plan{}
	main := empty
	if sp.main >= 0 {
		main = sp.command[sp.main].plan
	}
	j.steps(main)
	j.refusals("refused", sp.refused)
	j.refusals("waived", sp.waived())
	j.notes(notes)
	if filter {
		j.filter(main)
	}
	j.close("}")
	return j.String() + "\n"
}

// planUnit is plan for a service.
func planUnit(in *invocation, who string) int {
	sp, errs := planService(in, who)
	if len(errs) > 0 {
		return badUnit(errs)
	}
	if v := in.policy.FilterOut; v.Set {
		if sp.main < 0 {
			return usage(v.From.String() + ": there is no main command")
		}
		if err := writeFilter(v.V, sp.command[sp.main].plan.Program); err != nil {
			say(v.From.String() + ": " + err.Error())
			return 1
		}
		if v.V == "-" {
			return 0
		}
	}
	notes := allowed(sp.notes(), in.allow)
	if in.lint != "" {
		return in.printLint(sp.name, who, sp.refused, notes)
	}
	code := 0
	switch {
	case in.json:
		code = out(sp.json(who, in.filter, notes))
	case in.filter && sp.main >= 0:
		code = out(sp.text(terminalOf(1), who, notes) + filterText(sp.command[sp.main].plan))
	default:
		code = out(sp.text(terminalOf(1), who, notes))
	}
	if code == 0 && len(sp.refused) > 0 {
		code = 1
	}
	return code
}
