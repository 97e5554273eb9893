package main

import (
	"errors"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
)

// launch confines and execs. It returns only when that failed.
func launch(args []string) int {
	if socket := explains(); socket > 0 {
		return explain(socket)
	}
	in, err := parse(args, nil)
	if err != nil {
		return refused(err)
	}
	if in.help {
		unpin()
		return help()
	}
	starts := len(in.command) > 0 || in.named() || in.errand != nil ||
		in.unit != nil && (in.policy.Do.Set || len(in.policy.Service.Commands[policy.ExecStart].Items) > 0)
	if !starts {
		code := usage("a command is missing")
		hint("hardrun [OPTION]... [--] COMMAND [ARG]..., or hardrun --help")
		return code
	}
	if !canLaunch {
		return usage("this build cannot start a daemon: " + backend)
	}
	if v := in.policy.FilterOut; v.Set {
		code := usage(v.From.String() + ": only plan writes the filter")
		hint("hardrun plan " + v.From.String() + "=FILE …")
		return code
	}
	thread := newThread()
	where := "stderr"
	if in.policy.Log.Set {
		where = in.policy.Log.V
	}
	if err := openLog(where, thread.Snapshot.Closed); err != nil {
		say("--log: " + launcher.Reason(err))
		return launcher.ExitFDs
	}
	if in.unit != nil || in.errand != nil || isService(&in.policy) {
		return serve(in, thread)
	}
	return confine(thread, &in.policy, in.command, nil, nil)
}

// confine confines this process and executes the words. It returns only when that failed.
// given is what a command of a service gets; nil for a command that is all there is. Where it
// is refused before the first step, undo is called: nil for nothing to undo.
func confine(thread *launcher.Thread, p *policy.Policy, words []string, given *launcher.Given, undo func() int) int {
	env, err := launcher.GatherFor(p, "launch", words, thread.Snapshot, given)
	if err != nil {
		say("before the first step: " + launcher.Reason(err))
		return undone(launcher.ExitExec, undo)
	}
	plan := launcher.Compile(p, env)
	if len(plan.Refused) > 0 {
		return undone(refusals(plan.Refused), undo)
	}
	if thread.Guessed {
		if right := plan.Start == nil && p.PrivatePIDs.V; !right {
			return guessWas(right) // the parent starts in place of this process
		} else if status := guessWas(right); status != 0 {
			return status
		}
	}
	if plan.Start != nil {
		return startAgain(thread, plan)
	}
	for i := range plan.Waived {
		say("waived " + plan.Waived[i].Error())
	}
	for _, n := range plan.Notes {
		if n.ID == "call-unknown" || n.ID == "variable-unset" { // most likely a slip
			say("note: " + n.Text)
		}
	}
	sealed, err := plan.Apply(thread)
	if err == nil {
		err = sealed.Exec()
	}
	return failed(err)
}

// undone is the status of a refusal behind which something was undone.
func undone(status int, undo func() int) int {
	if undo != nil {
		undo() // it says what cannot be undone
	}
	return status
}

// failed says which step failed, and is its exit status.
func failed(err error) int {
	say(err.Error())
	var step *launcher.Error
	if errors.As(err, &step) {
		for _, h := range step.Hints {
			hint(h)
		}
		return step.Exit
	}
	return launcher.ExitExec
}

// refused says why a command line is not taken.
func refused(err error) int {
	if u, ok := err.(*unitError); ok {
		return badUnit([]error{u})
	}
	say(err.Error())
	var u interface{ Hint() string }
	var p *policy.Error
	switch {
	case errors.As(err, &p):
		hint(p.Hint)
	case errors.As(err, &u):
		hint(u.Hint())
	}
	return launcher.ExitUsage
}
