//go:build linux

package main

import "strings"

// argument says why mutants that nothing notices are no defect. Name is that of a mutant, in
// which "*" stands for any text.
type argument struct{ Name, Reason string }

// arguments are all of them.
var arguments = []argument{
	{"*: call: closeFD(*", closed},
	{"*: call: unix.Close(*", closed},
	{"*: call: f.close()*", closed},
	{"*: step: runtime.KeepAlive(*", "It keeps memory from the collector, which runs at no time that a test could choose."},
	{"cmd/hardrun/hardrun.c:fork_off: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:start_again: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:guess_pids: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:hr_guess_was: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:right: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:user_namespace: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:read_maps: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:hand_over: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:remove_below: call: call1(SYS_close*", closedInC},
	{"cmd/hardrun/hardrun.c:start_again: call: call3(SYS_fcntl, groups.*", closedInC},
	{"cmd/hardrun/hardrun.c:fork_off: *: up[i] >= 0 && down[i] >= 0", closedInC},
	{"cmd/hardrun/hardrun.c:fork_off: *: r >= 3", closedInC},
	{"cmd/hardrun/hardrun.c:guess_pids: *: proc >= 0", closedInC},
	{"cmd/hardrun/hardrun.c:start_again: *: groups.above[i] >= 0", closedInC},
	{"cmd/hardrun/hardrun.c:start_again: *: groups.kill >= 0", closedInC},
	{"cmd/hardrun/hardrun.c:shrink: *", onlyMemory},
	{"cmd/hardrun/hardrun.c:*: step: shrink()*", onlyMemory},
	{"cmd/hardrun/hardrun.c:user_namespace: call: call2(SYS_munmap*", onlyMemory},
	{"cmd/hardrun/hardrun.c:hr_move: step: pthread_attr_destroy*", onlyMemory},
	{"*: step: p.Reserve(*", onlyMemory},
	{"cmd/hardrun/hardrun.c:__attribute__: *: !call3(SYS_getcpu, *", onlyFaster},
	{"cmd/hardrun/hardrun.c:__attribute__: call: call3(SYS_getcpu, *", onlyFaster},
	{"cmd/hardrun/hardrun.c:__attribute__: call: call3(SYS_sched_setaffinity, 0, n, ptr(one))", onlyFaster},
	{"cmd/hardrun/hardrun.c:listen_to: *: may_yield", onlyFaster},
	{"cmd/hardrun/hardrun.c:listen_to: call: call0(SYS_sched_yield)", onlyFaster},
	{"cmd/hardrun/hardrun.c:hand_over: call: call2(SYS_nanosleep*", onlyFaster},
	{"cmd/hardrun/hardrun.c:asks_for_pids: never: *", "It is a guess of what the options ask for. Where it is wrong the start that knows them takes it back, or starts again."},
	{"cmd/hardrun/hardrun.c:put_bytes: *: size == 4", "On a little-endian machine, as those of the release are, the number was put there by memcpy already."},
	{"cmd/hardrun/hardrun.c:*: step: leave(*", noReturn},
	{"cmd/hardrun/hardrun.c:*: step: say_and_leave(*", noReturn},
	{"cmd/hardrun/hardrun.c:*: step: run(&p);", noReturn},
	{"caps/set.go:All: never: last >= maxCap", "A shift by 64 and more is 0, and 0 less 1 has all bits as well."},
	{"caps/set.go:FromName: operand: err != nil", "What strconv.Atoi refuses it answers as 0 or as the greatest number, and neither is in range."},
	{"caps/userdb.go:Database.LookupUser: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: operand: reason != \"\"", "A line that is malformed is parsed to no name, which is refused as well."},
	{"caps/userdb.go:Database.GroupsOf: operand: reason == \"\"", "Where there is a reason, members answers that the user is not listed."},
	{"caps/userdb.go:idList.add: invert: len(l.ids) >= 32", "The table only makes the search faster."},
	{"condition/*: operand: err != nil*", "What could not be seen is answered as not there, false or empty beside the error: the check of the answer alone gives the same."},
	{"condition/machine.go:architectureOf: never: strings.HasSuffix(runtime.GOARCH, \"le\")", otherMachine},
	{"condition/machine.go:nativeArchitecture: *: little", otherMachine},
	{"condition/machine.go:Facts.cpuFeature: never: nativeArchitecture() == \"arm64\"", otherMachine},
	{"condition/machine.go:Facts.cpuFeature: call: f.read(\"/proc/cpuinfo\")", otherMachine},
	{"condition/machine.go:Facts.cpuFeature: invert: position(strings.TrimLeft(list, blanks), value) >= 0", otherMachine},
	{"condition/machine.go:Facts.cpuFeature: return: err (2)", otherMachine},
	{"condition/facts_linux.go:Facts.mounted: never: err == nil && !ok", "Where /proc/thread-self/fd could be read just before, the list of mounts beside it is there: a second net under readlink(2)."},
	{"condition/version.go:compareVersions: never: r != 0 (4)", "r is kept: what begins with \".\" has neither digits nor letters there, and the comparison that follows gives the same verdict."},
	{"policy/filter.go:asksCalls: invert: !l.Items[i].V.Invert", "Counting words is faster than merging, and lines that all have \"~\" come to something exactly where they have words."},
	{"launcher/filter.go:compiler.own: *ibseccomp*", withLibseccomp},
	{"launcher/filter.go:compiler.own: operand: err == nil", withLibseccomp},
	{"launcher/filter.go:compiler.own: *: err != nil", withLibseccomp},
	{"launcher/filter.go:compiler.own: step: c.refuse(\"X-Hardrun-FilterBackend\", *", withLibseccomp},
	{"launcher/filter.go:compiler.lets: operand: err*", "With an error Eval answers KillThread, which neither passes nor is survived: the verdict is the same."},
	{"launcher/cgroup_plan.go:grouper.addresses: operand: by(\"RestrictNetworkInterfaces\"*", "Whether a program can be had depends on the machine alone: it is refused together with IPAddressDeny=, or not."},
	{"launcher/cgroup_plan.go:grouper.pinned: operand: !ok", "The parser takes only types that have a hook; TestProgramTypes holds that."},
	{"launcher/cgroup_plan.go:grouper.fileSystems: never: err != nil", "The parser has read the same words by the same function."},
	{"launcher/cgroup_plan.go:grouper.fileSystems: step: w.refuse(name, v.From, ExitUsage, err.Error())", "The parser has read the same words by the same function."},
	{"launcher/given.go:eachGiven: operand: !each(*", "A directory can be neither waived nor done by Landlock, so that each caller stops at the first one."},
	{"launcher/environ.go:compiler.words: operand: !g.Vars && !g.Shell", "Only an earlier return: without either the words stay what they are."},
	{"launcher/view.go:viewer.rule: operand: !w.mountable(*", "Where nothing can be mounted, place() is not reached; mountable is called for its refusal."},
	{"launcher/view.go:viewer.inside: operand: w.root == \"\"", "With an empty root the cases below give the same path."},
	{"process/pass_linux.go:ReserveDescriptors: operand: place >= FirstPassed+n", "A number below that was free when the place was opened, and open(2) answers the lowest."},
}

const closed = "A descriptor that is not closed by this: each is opened to be closed by execve(2), and of all from 3 on this is set once more and read back before it."

const (
	closedInC      = "Descriptors of the constructor: each is opened to be closed by execve(2), the last rows close all from 3 on once more, and a parent that waits closes all but what it needs (close_but)."
	onlyMemory     = "It only gives memory back, or takes it at once in place of by and by."
	onlyFaster     = "It only makes a start faster: the same is done without it, and what was changed for it is given back and read back."
	otherMachine   = "In a binary for x86-64, which the mutants are of, it is never reached, or always the same."
	withLibseccomp = "Only a build with libseccomp gets there, which is compared with this one by a test of its own."
	noReturn       = "It does not return, as the compiler was told: without it what comes is whatever the compiler has put behind it, and no behaviour of this source."
)

// arguedFor is the reason for a mutant; "" for none.
func arguedFor(name string) string {
	for _, a := range arguments {
		if matches(a.Name, name) {
			return a.Reason
		}
	}
	return ""
}

// matches tells whether a text is what a pattern says.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		if _, text, ok = strings.Cut(text, p); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
