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
	{"caps/set.go:FromName: operand: err != nil", "What strconv.Atoi refuses it answers as 0 or as the greatest number, and neither is in range."},
	{"caps/userdb.go:Database.LookupUser: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: never: noEntry(line)", "The names of these lines are refused by nameProblem as well."},
	{"caps/userdb.go:Database.LookupGroup: operand: reason != \"\"", "A line that is malformed is parsed to no name, which is refused as well."},
	{"caps/userdb.go:Database.GroupsOf: operand: reason == \"\"", "Where there is a reason, members answers that the user is not listed."},
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
	{"cgroup/*: never: bigEndian()", otherMachine},
	{"cgroup/home_linux.go:Home.Access: operand: above == \"/\"", "The top of a hierarchy that was opened is there, so that the loop ends by it as well."},
	{"cgroup/home_linux.go:Tree.Reach: return: closed(fd)", closeAnswers},
	{"cgroup/home_linux.go:Make.Prepare: return: closed(top)", closeAnswers},
	{"cgroup/home_linux.go:Enable.Apply: return: closed(dir)", closeAnswers},
	{"cgroup/home_linux.go:Make.way: never: err != nil (3)", closeAnswers},
	{"cgroup/home_linux.go:Make.way: return: err (2)", closeAnswers},
	{"cgroup/filter_linux.go:Loadable: return: closed(fd)", closeAnswers},
	{"cgroup/filter_linux.go:Filter.probe: never: err != nil (2)", closeAnswers},
	{"cgroup/filter_linux.go:Filter.probe: return: err", closeAnswers},
	{"cgroup/home_linux.go:Tree.open: operand: unix.Statx(*", zeroAnswer},
	{"cgroup/home_linux.go:read: operand: err == nil", "With an error the count is -1, which is not larger than the buffer."},
	{"cgroup/home_linux.go:read: never: err == nil && n > len(buf)", "A second net: a slice beyond the end panics."},
	{"cgroup/home_linux.go:Make.Apply: operand: err != nil", "With an error taken is nil, which ends as well."},
	{"cgroup/home_linux.go:Make.hold: operand: err != nil", "With an error same is false, and the same line returns it."},
	{"cgroup/home_linux.go:Give.Apply: operand: file == \".\"", "\".\" of a descriptor is always there."},
	{"cgroup/home_linux.go:Give.Verify: operand: file != \".\"", "\".\" of a descriptor is always there."},
	{"cgroup/home_linux.go:Subgroup.Apply: never: err == nil (3)", "A second net under a write(2) that has answered its length."},
	{"cgroup/attached_linux.go:Attached: operand: err == unix.ENOSPC", "More tries of a call that fails anyway: the answer is the same."},
	{"cgroup/attached_linux.go:Attached: operand: h == HookFiles", "The kernel fills in the flags of other hooks as well, and nobody reads them."},
	{"cgroup/attached_linux.go:Tree.Open: flag: unix.RESOLVE_BENEATH", "The mount's root is the top: RESOLVE_NO_XDEV refuses the same way out."},
	{"cgroup/attached_linux.go:Tree.Open: flag: unix.RESOLVE_NO_SYMLINKS", "A hierarchy of control groups has no links."},
	{"cgroup/attached_linux.go:Tree.Open: flag: unix.O_NOFOLLOW", "A hierarchy of control groups has no links."},
	{"cgroup/filter_linux.go:about: operand: i.*", "The kernel writes both or none."},
	{"cgroup/filter_linux.go:Filter.probe: operand: unix.Fstat(fd, &st) == nil", zeroAnswer},
	{"cgroup/filter_linux.go:Filter.loaded: operand: is.tag != tags[0]", "Of the two hashes a kernel has one."},
	{"cgroup/lsm_linux.go:BPFActive: operand: n > uintptr(len(ids))", "A second net: the kernel answers E2BIG, and a slice beyond the end panics."},
	{"cgroup/btf.go:ReadBTF: operand: *", "A scan that fails lists nothing, so that each says it; without members left the next scans change nothing."},
	{"cgroup/btf.go:kernelTypes.scan: operand: inside == nil", "The answer of later scans about the function is not used."},
	{"cgroup/eval_prove.go:deviceRequests: invert: try(charDevice, 1, 3*", "The value is not used."},
	{"cgroup/eval_prove.go:deviceRequests: operand: try(0, 0, 0, uint16(Read))", "It is the last: what it answers is not used."},
	{"cgroup/filesystems.go:ParseFileSystem: never: word == \"@known\"", "It only makes it faster: TestKnownFileSystems holds both ways together."},
	{"cgroup/filesystems.go:numbers: operand: name == \"\"", "\" :\" is not in the tables."},
	{"cgroup/program.go:asm.binds: operand: !slices.Contains(*", "A protocol that is asked for twice is decided the first time."},
	{"cgroup/program_packet.go:tree: operand: (n == len(list)*", "One more node, which the next one covers."},
	{"cgroup/tree.go:unescape: never: *", "It only makes it faster."},
	{"cgroup/tree.go:Trees: operand: !found", "Then the path is empty, which the next one refuses."},
	{"cgroup/tree.go:Tree.mountedBy: never: !found", "Then there is no word of a file system, which is refused next."},
	{"dirs/credential.go:Credential.Check: operand: c.Set*", "Data and Path are each of one directive alone."},
	{"dirs/credential.go:Credential.Check: operand: !c.Set", "Data and Path are each of one directive alone."},
	{"dirs/credential.go:Credential.Check: operand: c.Import (2)", "Data and Path are each of one directive alone."},
	{"dirs/credential_linux.go:loader.socket: operand: err != nil", "With an error the count is -1, which is not 8."},
	{"dirs/credential_linux.go:loader.imported: operand: err == nil", "With an error the list is empty."},
	{"dirs/address_linux.go:checkName: operand: len(got) == len(want)", "Names of other lengths differ anyway."},
	{"dirs/directory_linux.go:enter: operand: unix.Fstatat(*", zeroAnswer},
	{"dirs/directory_linux.go:Made.migrate: call: named(d.Path(), err) (2)", "The link is read once more where it is to be made."},
	{"dirs/directory_linux.go:Root.undo: operand: err == nil", "Where it fails the identity is 0, which no file has."},
	{"dirs/dynamic.go:taken.named: operand: err != nil", "What is no number is 0 or the greatest, and neither is dynamic."},
	{"dirs/dynamic_linux.go:Root.Lock: flag: unix.O_NONBLOCK", "Of O_RDWR no FIFO waits."},
	{"dirs/dynamic_linux.go:taken.addProcesses: never: !threads", "It only makes it faster."},
	{"dirs/dynamic_linux.go:taken.addProcesses: operand: name[0] < '0'", "/proc has no such names."},
	{"dirs/ipc_linux.go:groupUsed: operand: name[0] < '0'", "/proc has no such names."},
	{"dirs/ipc_linux.go:objects.removeQueues: operand: err == nil", "A call that fails fills in no type."},
	{"dirs/openfile_linux.go:OpenFiles: operand: fd < 3", "A descriptor that is moved without need is as good."},
	{"dirs/socket_linux.go:open: operand: opened.FD < 3", "A descriptor that is moved without need is as good."},
	{"dirs/socket_linux.go:Passed.raise: return: closed(old)", closeAnswers},
	{"dirs/socket_linux.go:place.leadsTo: operand: err == nil", "With an error the text is empty, and no target is."},
	{"dirs/socket_place_linux.go:place.open: operand: fd <= 2", "It only saves the comparison."},
	{"dirs/socket_place_linux.go:place.open: operand: errors.Join(lost*", "What is not there has no identity, which differs."},
	{"dirs/socket_place_linux.go:place.step: never: errors.Is(err, unix.ENOENT) && last", "The opening afterwards says the same."},
	{"dirs/socket_place_linux.go:place.readLink: operand: n >= len(buf)", "A link has 4095 bytes at most."},
	{"dirs/tree_chown_linux.go:owner.give: operand: st.Mode&*", "The mode that is set is the one that is there."},
	{"dirs/tree_linux.go:openBelow: flag: unix.RESOLVE_NO_MAGICLINKS", "O_NOFOLLOW refuses the only name."},
	{"dirs/tree_linux.go:openSameMount: operand: a.Dev != b.Dev", "A second net: the mounts differ as well."},
	{"dirs/tree_linux.go:openSameMount: never: e != nil", closeAnswers},
	{"dirs/tree_linux.go:openSameMount: return: e", closeAnswers},
	{"dirs/tree_linux.go:readText: return: closed(fd)", closeAnswers},
	{"dirs/tree_remove_linux.go:emptyTree: never: err != nil (3)", closeAnswers},
	{"dirs/tree_remove_linux.go:emptyTree: step: errs = append(errs, err) (2)", closeAnswers},
	{"dirs/dynamic_linux.go:waitLock: *err != nil (3)", "The same call has answered before the wait."},
	{"dirs/dynamic_linux.go:waitLock: return: os.NewSyscallError(\"clock_gettime\", err) (2)", "The same call has answered before the wait."},
	{"launcher/cgroup_linux.go:filesProgram: never: err != nil (5)", "A program that allows no file system has no list: nothing in it can be too long or too far."},
	{"launcher/cgroup_linux.go:filesProgram: return: err", "A program that allows no file system has no list: nothing in it can be too long or too far."},
	{"launcher/lookup.go:Env.checkProgram: never: cerr != nil", closeAnswers},
	{"launcher/lookup.go:Env.checkProgram: return: os.NewSyscallError(\"close\", cerr)", closeAnswers},
	{"launcher/given_linux.go:MakeTmp: call: closeAll(fd)", closed},
	{"launcher/group_linux.go:MakeGroup: call: closed(self, \"/proc/self\")", closed},
	{"launcher/group_linux.go:MakeGroup: call: step.Verify()", "Apply has held the name against the directory by the same calls, under the lock, directly before."},
	{"launcher/group_linux.go:MakeGroup: never: err == nil (3)", "Apply has held the name against the directory by the same calls, under the lock, directly before."},
	{"launcher/gather_linux.go:listLSMs: operand: n <= uintptr(len(ids))", "The kernel lists no more than there is room for; else it answers E2BIG."},
	{"launcher/gather_linux.go:GatherFor: operand: err == nil", "With an error there is no text, but for a close(2) of procfs that fails, which none does."},
	{"launcher/inherited_linux.go:Env.inherited: operand: err != nil", "After an error the flags are -1, which has FD_CLOEXEC."},
	{"launcher/gather_view_linux.go:Env.viewOf: operand: err == nil", zeroAnswer},
	{"launcher/gather_view_linux.go:besides: operand: err == nil", zeroAnswer},
	{"launcher/gather_linux.go:listLSMs: operand: unix.Statfs(*", zeroAnswer},
	{"seccomp/assemble.go:layout.number: never: ok && !f.special.Has(c)", "It is a shorter way: of a call without rules decide answers f.total as well, and leafOf the plain leaf."},
	{"seccomp/filter.go:Filter.settle: never: f.settled", "It saves time: to settle again sorts a sorted list stably, and makes the same sets and verdicts."},
	{"seccomp/filter.go:decision.tidy: never: len(kept) < 2", "It saves the allocation of a sort for each number: no rule and one rule are in order."},
	{"seccomp/call.go:ByIOUring: operand: i < len(uringCalls)", "No call has a name behind writev, the last of the table: the search never ends behind it."},
	{"seccomp/directives.go:*: operand: nr >= s.first", "The unsigned difference wraps far beyond any segment."},
	{"seccomp/assemble.go:layout.leafOf: never: len(d.rules) == 0", "The search behind it finds or makes the same leaf."},
	{"caps/set.go:Set.Has: operand: n <= maxCap", "A shift by 64 or more is 0."},
	{"ns/*: return: closeFD(*", closed},
	{"ns/*: return: f.close()*", closed},
	{"ns/*: return: errors.Join(closeFD(*", closed},
	{"ns/landlock_path_linux.go:opened.close: return: *", closed},
	{"ns/landlock_path_linux.go:listAll: return: os.NewSyscallError(\"close\"*", closed},
	{"ns/landlock_proof_linux.go:proof.try: return: os.NewSyscallError(\"close\"*", closed},
	{"process/pass_linux.go:ReserveDescriptors: return: os.NewSyscallError(\"close\"*", closed},
	{"process/way_linux.go:openEach: never: at != dir*", closed},
	{"process/way_linux.go:OpenTrusted: *: closed != nil", "The file is refused in any case; this only adds the error of closing it."},
	{"process/way_linux.go:OpenTrusted: never: err != nil (3)", "Without the file's status no other case holds, and the error is returned behind them."},
	{"process/way_linux.go:way.open: flag: unix.RESOLVE_NO_MAGICLINKS", "RESOLVE_NO_SYMLINKS refuses magic links as well, openat2(2)."},
	{"process/stream_linux.go:*: operand: lost != nil", noSession},
	{"process/stream_linux.go:Terminal.acquire: operand: err != nil", noSession},
	{"process/stream_linux.go:ControllingTerminal: operand: err != nil", noSession},
	{"process/stream_linux.go:sealed: operand: err != nil", "What fails answers -1, which are no seals."},
	{"process/steps_linux.go:CloseDescriptors.look: operand: err == nil (2)", "What is no number is read as 0, and the directory's own is above 2."},
	{"seccomp/steps_linux.go:Install.Load: operand: err != nil", "A getrandom(2) that fails has not filled the eight bytes, and their number is compared."},
	{"ns/given_linux.go:View.cloneShared: flag: unix.CLONE_NEWNS (2)", anyKind},
	{"ns/view_linux.go:View.leaveChroot: flag: unix.CLONE_NEWNS", anyKind},
	{"ns/shared_linux.go:rootInMemory: flag: unix.CLONE_NEWNS*", anyKind},
	{"ns/given_linux.go:writeFile: flag: *", newFileSystem},
	{"ns/given_linux.go:*: flag: unix.AT_SYMLINK_NOFOLLOW", newFileSystem},
	{"ns/rules_linux.go:View.hider: flag: unix.O_NOFOLLOW", newFileSystem},
	{"ns/view_linux.go:View.fill: flag: unix.O_*", newFileSystem},
	{"ns/view_linux.go:makeFile: flag: unix.O_*", "O_EXCL and O_NOFOLLOW each refuse a link by itself, and the empty file is closed at once."},
	{"ns/remount_linux.go:View.remount: never: b.mount != m.id", "What is mounted over it comes later in the list, and its own attributes are set then."},
	{"ns/remount_linux.go:View.remount: return: errors.New(\"move_mount*", "A second net: SealView reads the attributes of the mount back."},
	{"ns/remount_linux.go:View.inSelf: call: unix.Chdir(*", "SealView enters the working directory, and reads it back."},
	{"ns/rules_linux.go:View.dropStage: call: unix.Chdir(*", "SealView enters the working directory, and reads it back."},
	{"ns/rules_linux.go:View.copyBounds: never: b.inPlace", "A copy that nobody mounts."},
	{"ns/rules_linux.go:View.enforce: never: b.failed()", "What could not be copied has no descriptor, and fails once more; the first error stays."},
	{"ns/rules_linux.go:bound.failed: never: *", "What could not be copied has no descriptor, and fails once more; the first error stays."},
	{"ns/view_linux.go:viewState.wanting: never: view.Flags == \"slave\"*", "NewMounts has shown that no mount is shared, and a slave view shares none."},
	{"ns/landlock_path_linux.go:realPathOf: *links > 40", "openat2(2) of the whole path has refused so many links before."},
	{"ns/landlock_path_linux.go:realPathOf: return: &os.PathError{Op: \"readlinkat\", Path: path, Err: unix.ELOOP}", "openat2(2) of the whole path has refused so many links before."},
	{"ns/landlock_linux.go:LandlockVersion: never: e != 0", "-1 is no version, either."},
	{"ns/mountinfo_linux.go:unescape: never: *", "It only spares a copy."},
	{"ns/namespace_linux.go:namespaceOf: operand: e != 0", "A failed ioctl(2) answers -1, which is no kind."},
	{"supervise/proc_linux.go:proc.descendants: never: verdict[j] != unknown", "It only saves walking a line of parents that was walked before."},
	{"supervise/proc_linux.go:proc.descendants: operand: s.pid == p.self", "This process's own line of parents does not lead to itself: the verdict is the same, after more steps."},
	{"supervise/proc_linux.go:proc.descends: operand: err != nil", "With an error look answers nobody, whose parent is 0."},
	{"supervise/run_linux.go:loop.strike: never: !fresh", "Who was told is not told again: it only ends the rounds sooner."},
	{"supervise/run_linux.go:loop.turn: operand: err == nil", "A child that nobody has waited for is always in /proc."},
	{"supervise/run_linux.go:loop.now: never: err != nil", "clock_gettime(2) of CLOCK_MONOTONIC does not fail."},
	{"supervise/run_linux.go:Run: operand: spec.PIDFile != \"\"", "openat2(2) of an empty path is ENOENT, which is no failure."},
	{"supervise/run_linux.go:loop.hear: operand: l.NotifyFD < 0", "poll(2) passes over a negative descriptor: it only saves the call."},
	{"supervise/sweep_linux.go:Sweeper.Sweep: call: unix.Nanosleep(*", "It only keeps it from looking too often."},
	{"supervise/notify_linux.go:sendOn: flag: unix.MSG_NOSIGNAL", "A datagram socket sends no SIGPIPE, unix(7)."},
	{"process/pass_linux.go:ReserveDescriptors: operand: place >= FirstPassed+n", "A number below that was free when the place was opened, and open(2) answers the lowest."},
}

const closed = "A descriptor that is not closed by this: each is opened to be closed by execve(2), and of all from 3 on this is set once more and read back before it. Those of a parent that stays are counted by tests."

const (
	closedInC      = "Descriptors of the constructor: each is opened to be closed by execve(2), the last rows close all from 3 on once more, and a parent that waits closes all but what it needs (close_but)."
	onlyMemory     = "It only gives memory back, or takes it at once in place of by and by."
	onlyFaster     = "It only makes a start faster: the same is done without it, and what was changed for it is given back and read back."
	otherMachine   = "In a binary for x86-64, which the mutants are of, it is never reached, or always the same."
	withLibseccomp = "Only a build with libseccomp gets there, which is compared with this one by a test of its own."
	closeAnswers   = "The error of a close(2) of what was just opened and used, which the kernel does not answer here: no test can make it without another call failing first."
	noSession      = "A getsid(2) that fails answers -1, which is no process."
	anyKind        = "The descriptor is that of a mount namespace; setns(2) with 0 takes its kind as it is."
	newFileSystem  = "The file system is new, and nobody else has it."
	zeroAnswer     = "Where the call fails, what it fills in stays 0, and that is asked next."
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
