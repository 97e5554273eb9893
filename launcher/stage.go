// Package launcher turns a policy into an ordered plan, applies it to one locked
// thread, reads it back, and execs.
//
//	env, err := launcher.Gather(&p, thread.Snapshot)
//	plan, err := launcher.Compile(&p, env)
//	sealed, err := plan.Apply(thread)
//	err = sealed.Exec()
//
// Compile is pure: it is the only maker of a Plan, from what was asked and what
// is there. Only a Sealed can exec, and only Apply makes one: what `hardrun plan`
// prints is what is executed, verified and named in errors, by the same values.
package launcher

// Stage is a place in the order of a launch. The order is that of the
// constants; the reasons are mustPrecede, which a test holds against it.
type Stage uint8

// The stages, in their order. From StageProcess on a step is rows for the
// executor, and no Go code runs any more.
const (
	StageBefore Stage = iota // namespaces which a user namespace that comes first shall not own
	StageAgain               // before the Go runtime of a second start: a user namespace, a PID namespace, a parent
	StageTerminal
	StageStreams
	StageEnvironment
	StageCGroup // the control group: made, limited, joined
	StageNamespaces
	StageMounts
	StageRoot
	StageSeal // propagation, and the whole view read back
	StageCommand
	StageDirectory // looked up here, changed to in StageChdir
	StagePrograms  // loaded here, attached to the control group by the first rows
	StageDescriptors

	StageProcess // OOM score, scheduling, timer slack, personality …: what is inherited over execve and may need privilege
	StageUMask
	StageRaise // limits that need privilege to be raised
	StageSmack
	StageFileSystems // a program that forbids openings
	StageGroups
	StageGroup
	StageUserNS // a user namespace that is made last
	StageKeepCaps
	StageBounding
	StageUser
	StageCaps
	StageAmbient
	StageKeyring
	StageLabel
	StageSecureBits
	StageLastCaps
	StageChdir
	StageNoNewPrivs
	StageLandlock
	StageDeath // the signal at a parent's death, which a change of credentials clears
	StageLower // limits that would break a launcher
	StageAffinity
	StageSignals
	StageStandard // standard descriptors that were closed
	StageSeccomp  // behind the last read-back
	StageExec

	stageCount
)

var stageNames = [stageCount]string{
	"namespaces", "namespaces", "terminal", "streams", "environment", "cgroup", "namespaces", "mounts", "root", "mounts", "command", "directory", "cgroup", "descriptors",
	"process", "umask", "limits", "label", "cgroup", "groups", "groups", "namespaces", "securebits", "bounding set", "user", "capabilities",
	"ambient set", "keyring", "label", "securebits", "capabilities", "directory", "no_new_privs", "landlock", "parent", "limits", "affinity",
	"signals", "descriptors", "seccomp", "exec",
}

func (s Stage) String() string { return stageNames[s] }

// mustPrecede is why the order is as it is. A stage that is moved must keep all
// of it.
var mustPrecede = []struct {
	a, b Stage
	why  string
}{
	{StageTerminal, StageStreams, "a terminal that is given up must not be the one that a stream opens"},
	{StageStreams, StageNamespaces, "streams are paths of the host, systemd.exec(5) StandardOutput="},
	{StageCGroup, StageNamespaces, "a cgroup namespace shows the group in which the process is when it is made, cgroup_namespaces(7)"},
	{StageCGroup, StageMounts, "the tree of control groups is the host's"},
	{StageCGroup, StageLower, "a limit of memory, time or tasks must not end the launch"},
	{StageCGroup, StagePrograms, "a program is attached to the group"},
	{StageNamespaces, StagePrograms, "interfaces have their numbers in the daemon's network namespace"},
	{StageCommand, StageFileSystems, "the file system of the command must be one of those that are allowed"},
	{StageMounts, StagePrograms, "what is mounted and made there needs devices that the daemon does not get"},
	{StagePrograms, StageDescriptors, "the list of descriptors is made after the last open"},
	{StagePrograms, StageUserNS, "attaching needs CAP_NET_ADMIN outside of the user namespace"},
	{StagePrograms, StageUser, "attaching needs CAP_NET_ADMIN, which the change of uid takes"},
	{StageProcess, StageFileSystems, "files below /proc are opened and written"},
	{StageSmack, StageFileSystems, "a label is written below /proc"},
	{StageFileSystems, StageUserNS, "attaching needs CAP_NET_ADMIN outside of the user namespace"},
	{StageFileSystems, StageUser, "attaching needs CAP_NET_ADMIN, which the change of uid takes"},
	{StageNamespaces, StageMounts, "what is mounted must not be seen by the host"},
	{StageMounts, StageRoot, "pivot_root(2) needs the new root to be a mount"},
	{StageRoot, StageSeal, "pivot_root(2) wants no shared mounts, and the list of mounts is read as the daemon sees it"},
	{StageSeal, StageCommand, "the command is what the daemon's view shows"},
	{StageRoot, StageCommand, "the command is a path of the new root"},
	{StageRoot, StageDirectory, "the working directory is a path of the new root"},
	{StageCommand, StageDescriptors, "the list of descriptors is made after the last open"},
	{StageNamespaces, StageGroups, "device nodes of a private /dev belong to the host's root"},
	{StageRoot, StageUser, "chroot(2) needs CAP_SYS_CHROOT, which the change of uid takes"},
	{StageProcess, StageUser, "raising priority needs CAP_SYS_NICE, which the change of uid takes"},
	{StageRaise, StageUser, "raising a hard limit needs CAP_SYS_RESOURCE, which the change of uid takes"},
	{StageSmack, StageUser, "writing a Smack label needs CAP_MAC_ADMIN"},
	{StageBefore, StageAgain, "a namespace belongs to the user namespace in which it was made, namespaces(7)"},
	{StageAgain, StageTerminal, "what cannot be done by more than one thread is done before the Go runtime starts"},
	{StageMounts, StageUserNS, "mounts made before belong to the host's root, and cannot be undone from inside; user_namespaces(7)"},
	{StageRaise, StageUserNS, "raising a hard limit needs CAP_SYS_RESOURCE outside of the user namespace"},
	{StageProcess, StageUserNS, "raising priority needs CAP_SYS_NICE outside of the user namespace"},
	{StageSmack, StageUserNS, "writing a Smack label needs CAP_MAC_ADMIN outside of the user namespace"},
	{StageGroups, StageUserNS, "setgroups(2) is denied inside, user_namespaces(7)"},
	{StageGroup, StageUserNS, "ids that are not mapped inside cannot be set any more"},
	{StageUserNS, StageKeepCaps, "a new user namespace resets the securebits"},
	{StageUserNS, StageBounding, "a new user namespace fills the bounding set"},
	{StageUserNS, StageUser, "unshare(2) gives every capability inside, which the change of uid takes"},
	{StageNoNewPrivs, StageLandlock, "without CAP_SYS_ADMIN landlock_restrict_self(2) wants no_new_privs"},
	{StageChdir, StageLandlock, "what Landlock forbids the daemon must not fail what is still to be done"},
	{StageUser, StageDeath, "the change of uid clears the signal, prctl(2) PR_SET_PDEATHSIG"},
	{StageLandlock, StageSeccomp, "a filter may forbid the calls of Landlock"},
	{StageGroups, StageUser, "setgroups(2) needs CAP_SETGID, which the change of uid takes (POS36-C)"},
	{StageGroup, StageUser, "setresgid(2) needs CAP_SETGID, which the change of uid takes"},
	{StageKeepCaps, StageUser, "the permitted set is cleared by the change of uid unless PR_SET_KEEPCAPS is on"},
	{StageBounding, StageUser, "PR_CAPBSET_DROP needs CAP_SETPCAP in the effective set, which the change of uid clears"},
	{StageUser, StageCaps, "the effective set is cleared by the change of uid, and set anew after it"},
	{StageCaps, StageAmbient, "an ambient capability must be permitted and inheritable"},
	{StageUser, StageAmbient, "the change of uid clears the ambient set"},
	{StageUser, StageKeyring, "a keyring belongs to who makes it"},
	{StageAmbient, StageSecureBits, "no-cap-ambient-raise would forbid the raising"},
	{StageUser, StageSecureBits, "keep-caps-locked and no-setuid-fixup would change what the change of uid does"},
	{StageSecureBits, StageLastCaps, "PR_SET_SECUREBITS needs CAP_SETPCAP, which the last capset takes"},
	{StageLastCaps, StageChdir, "a directory is entered with the daemon's rights, not with more"},
	{StageLabel, StageNoNewPrivs, "no_new_privs forbids a change of label at execve"},
	{StageUser, StageNoNewPrivs, "no_new_privs comes last of the credentials, as systemd.exec(5) has it"},
	{StageChdir, StageLower, "a lowered limit must not fail what is still to be done"},
	{StageNoNewPrivs, StageLower, "a lowered limit must not fail what is still to be done"},
	{StageLower, StageSignals, "SIGXFSZ and SIGXCPU stay blocked until the launch is over"},
	{StageSignals, StageStandard, "nothing can be said any more once stderr is closed"},
	{StageNoNewPrivs, StageSeccomp, "without CAP_SYS_ADMIN a filter is refused unless no_new_privs is set, seccomp(2)"},
	{StageStandard, StageSeccomp, "a filter may forbid everything but execve"},
	{StageSeccomp, StageExec, "execve is the last"},
}
