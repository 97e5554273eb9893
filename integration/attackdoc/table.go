package main

// attack is a failure that others have had, and what holds that hardrun has it not.
type attack struct {
	id    string
	what  string   // in one sentence
	seen  string   // CVE, project, or thread
	tests []string // "package Test": the directory of a package and a test in it
	shown string   // the test of these that first shows the attack at work without hardrun
	here  string   // what of it cannot be shown, or cannot run in the last run, and why
}

// in prefixes the names of tests with the directory of their package.
func in(dir string, tests ...string) []string {
	var list []string
	for _, t := range tests {
		list = append(list, dir+" "+t)
	}
	return list
}

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

const (
	top    = "integration"
	faults = "integration/faults"
)

// attacks are all, in the order of their numbers.
var attacks = []attack{
	{"A01", "A user name that is invalid or unknown is passed over, and the service runs as root.", "systemd #6237, #6309 (CVE-2017-1000082)", join(in(top, "TestA01UserThatIsNone", "TestUserRefused", "TestBadUnits"), in("policy", "TestParseUserName")), "TestA01UserThatIsNone", ""},
	{"A02", "A user name that looks like a hexadecimal number is read as one.", "systemd #15985 (CVE-2020-13776)", join(in(top, "TestA02A03NumbersThatAreNone", "TestUser", "TestUserRefused"), in("caps", "TestParseID")), "TestA02A03NumbersThatAreNone", ""},
	{"A03", "A number above 32 bits, or -1, becomes uid 0 or no change at all.", "systemd #15985", join(in(top, "TestA02A03NumbersThatAreNone", "TestUserRefused"), in("caps", "TestParseID")), "TestA02A03NumbersThatAreNone", ""},
	{"A04", "A numeric uid without an entry keeps the group of root.", "chpst, gosu", in(top, "TestA04A14GroupOfRoot", "TestUserRefused"), "TestA04A14GroupOfRoot", ""},
	{"A05", "Users are looked up after the change of root, in a file of the image.", "chroot launchers", in(top, "TestA05UsersOfTheImage", "TestUserIsLookedUpOnTheHost"), "TestA05UsersOfTheImage", ""},
	{"A06", "A hostile passwd or group file gives the wrong id, or is read for ever.", "strtoul and fgets in launchers", join(in(top, "TestA06HostileDatabase", "TestUserDatabaseDamaged"), in("caps", "TestLookupUser", "TestLookupUserLongAndNUL", "TestLookupGroupLongAndNUL", "TestOpenRefuses", "TestBounds")), "TestA06HostileDatabase", ""},
	{"A07", "The supplementary groups of the caller stay with the daemon.", "golang/go #15865, nvidia-persistenced #13, ignition #2242, POS36-C", in(top, "TestA07A75WhatTheCallerHas", "TestUser", "TestGroupWithoutUser"), "TestA07A75WhatTheCallerHas", ""},
	{"A08", "Groups are changed after the user, or without CAP_SETGID, which fails unseen.", "POS36-C", in(top, "TestA08GroupsAfterTheUser", "TestOrderOfIdentity", "TestUserWithoutCapability"), "TestA08GroupsAfterTheUser", ""},
	{"A09", "setgroups(2) is denied in a user namespace, and the old groups stay.", "user_namespaces(7)", in(top, "TestA09GroupsDenied", "TestGroupsInUserNamespace", "TestUserNamespaceGroups"), "TestA09GroupsDenied", ""},
	{"A10", "The change of user fails for a limit of processes, and root goes on.", "Linux < 3.1, adb and zygote of Android", in(top, "TestA10ChangeOfUserPutOff", "TestUserOverItsProcessLimit"), "TestA10ChangeOfUserPutOff", ""},
	{"A11", "The saved uid or fsuid stays root's, and the daemon goes back to it.", "seteuid(2) in launchers", in(top, "TestA11SavedUser", "TestUserCannotReturn"), "TestA11SavedUser", ""},
	{"A12", "The change of user is of one thread, and another one executes the daemon.", "golang/go #1435", in(top, "TestA12ChangeOfOneThread", "TestUser"), "TestA12ChangeOfOneThread", ""},
	{"A13", "A worker of io_uring that was started as root goes on as root.", "Node.js (CVE-2024-22017)", in(top, "TestA13RingOfRoot", "TestOrderOfIdentity", "TestNoHelpers"), "TestA13RingOfRoot", ""},
	{"A14", "gid 0 is left as the primary group.", "launchers with setuid(2) alone", in(top, "TestA04A14GroupOfRoot", "TestUser"), "TestA04A14GroupOfRoot", ""},
	{"A15", "A set-user-ID file outlives a dynamic user, and gives its uid to the next one.", "systemd #12056, #12476 (CVE-2019-3843, CVE-2019-3844)", join(in(top, "TestA15FileThatOutlivesItsUser", "TestDynamicUser", "TestFilterDirectives"), in("policy", "TestDynamicUser"), in("dirs", "TestChooseOwn", "TestChooseProcesses")), "TestA15FileThatOutlivesItsUser", ""},

	{"A16", "An inheritable set that is not empty gives capabilities by a file's +i.", "moby (CVE-2022-24769), runc (CVE-2022-29162), buildah (CVE-2022-27651)", in(top, "TestFileCapabilities", "TestCapabilitySets"), "TestFileCapabilities", ""},
	{"A17", "One PR_CAPBSET_DROP that fails ends the loop, and all later capabilities stay.", "libcap-ng 0.8.3 #19, #23, setpriv 2.38", join(in(top, "TestA17A19LoopThatEnds"), in(faults, "TestMatrix")), "TestA17A19LoopThatEnds", ""},
	{"A18", "CAP_SETPCAP is dropped in the middle, and the rest cannot be.", "libcap-ng #59", in(top, "TestA18SetpcapInTheMiddle", "TestCapabilitySets"), "TestA18SetpcapInTheMiddle", ""},
	{"A19", "The first capability that cannot be read is taken for the end of all.", "libcap 2.66 (capsh)", join(in(top, "TestA17A19LoopThatEnds"), in(faults, "TestMatrix")), "TestA17A19LoopThatEnds", ""},
	{"A20", "A newer kernel has a capability that the list of a launcher does not have.", "launchers with a constant list", join(in(top, "TestA20NewerCapabilities", "TestCapabilitySets"), in("caps", "TestNamesAreLibcaps")), "TestA20NewerCapabilities", "a kernel with capabilities above 40 does not exist yet: an older list is played instead"},
	{"A21", "capset(2) answers EPERM at uid 0, and the target runs with every capability.", "bubblewrap at uid 0", in(top, "TestA21CapsetDenied"), "TestA21CapsetDenied", ""},
	{"A22", "PR_SET_KEEPCAPS is left on, and the change of user takes nothing.", "libcap-ng #33", in(top, "TestA22KeepCapsLeftOn", "TestSecureBitsMatrix"), "TestA22KeepCapsLeftOn", ""},
	{"A23", "uid 0 gets everything back at execve(2), without SECBIT_NOROOT.", "capabilities(7)", in(top, "TestCapsh", "TestSecureBitsAtWork", "TestCapabilitySets"), "TestCapsh", ""},
	{"A24", "An ambient capability that could not be raised is silently none.", "capabilities(7)", in(top, "TestA24AmbientThatIsNone", "TestAmbientOutsideBounding", "TestCapabilitySets"), "TestA24AmbientThatIsNone", ""},
	{"A25", "A program with file capabilities or a set-user-ID bit clears the ambient set unseen.", "capabilities(7), setpriv", in(top, "TestA25AmbientCleared", "TestNotesOfTheCommand"), "TestA25AmbientCleared", ""},
	{"A26", "A filter that is loaded without no_new_privs and without CAP_SYS_ADMIN is refused, and that is passed over.", "seccomp(2)", join(in(top, "TestA26FilterWithoutNoNewPrivs", "TestFilterPrivileges", "TestNoNewPrivileges"), in("launcher", "TestFilterImpliesNoNewPrivs")), "TestA26FilterWithoutNoNewPrivs", ""},
	{"A27", "The label of a security module cannot be set, or is dropped under no_new_privs, and the daemon runs without.", "AppArmor and SELinux under no_new_privs", in(top, "TestA27LabelOfNoModule", "TestProcessAttributesRefused"), "TestA27LabelOfNoModule", "no AppArmor, SELinux or Smack in the kernel of the last run: a profile that is there cannot be tried, the refusal of one that is not is"},
	{"A28", "Who starts the launcher has taken CAP_SETUID away, and root remains.", "sendmail (CVE-2000-0506)", in(top, "TestA28CapabilityTakenAway", "TestUserWithoutCapability"), "TestA28CapabilityTakenAway", ""},

	{"A29", "The daemon types into the shell that started it (TIOCSTI).", "su (CVE-2016-2568), pkexec, bubblewrap (CVE-2017-5226), gosu #37, su-exec #23, OpenDoas #106, chpst", in(top, "TestTerminalIsGivenUp", "TestTerminalIsKept"), "TestTerminalIsGivenUp", ""},
	{"A30", "The daemon pastes into a virtual console (TIOCLINUX).", "snapd (CVE-2023-1523), flatpak (CVE-2023-28100)", in(top, "TestA30VirtualConsole", "TestA30TerminalUnderAFilter"), "TestA30VirtualConsole", ""},
	{"A31", "A filter compares 64 bits of an argument of which the kernel takes 32.", "snapd (CVE-2019-7303), flatpak (CVE-2019-10063)", join(in(top, "TestA31UpperHalfOfArguments", "TestA30TerminalUnderAFilter"), in("seccomp", "TestProgramIsDecide")), "TestA31UpperHalfOfArguments", ""},
	{"A32", "A session of its own leaves root's terminal open as standard input.", "setsid(1)", in(top, "TestA32TerminalAsInput", "TestStreamNull"), "TestA32TerminalAsInput", ""},
	{"A33", "A descriptor of a directory outside is inherited, or named as the working directory.", "runc (CVE-2024-21626)", in(top, "TestA33WaysByDescriptor", "TestA33WorkingDirectoryOfTheView", "TestA33WorkingDirectoryHidden", "TestDescriptors", "TestWorkingDirectoryByDescriptor"), "TestWorkingDirectoryByDescriptor", ""},
	{"A34", "An open directory is a way out of chroot(2).", "chroot(2)", in(top, "TestA34DescriptorsOfTheLaunch", "TestNoWayOutByDescriptor", "TestChrootEscape"), "TestA34DescriptorsOfTheLaunch", ""},
	{"A35", "chroot(2) without chdir(2) leaves the working directory outside.", "chroot(2)", in(top, "TestA35ChrootWithoutChdir", "TestChroot", "TestChrootEscape"), "TestA35ChrootWithoutChdir", ""},
	{"A36", "Another process of the daemon's user traces the launcher, or opens what it has open, between the change of user and execve(2).", "runc (CVE-2016-9962)", in(top, "TestA36LauncherOfTheSameUser", "TestParentNotDumpable"), "TestA36LauncherOfTheSameUser", ""},
	{"A37", "The same, where the daemon's user owns the user namespace.", "bubblewrap (CVE-2016-8659, CVE-2026-41163)", in(top, "TestA37LauncherOfAUserNamespace"), "TestA37LauncherOfAUserNamespace", ""},
	{"A38", "The launcher is started again by /proc/self/exe, and its file overwritten.", "runc (CVE-2019-5736), firejail (CVE-2019-12499)", in(top, "TestA38LauncherOverwritten", "TestProcSelfExe"), "TestA38LauncherOverwritten", ""},
	{"A39", "Sockets that were passed to another process are taken for the daemon's.", "sd_listen_fds(3)", in(top, "TestA39SocketsOfAnother", "TestDescriptors"), "TestA39SocketsOfAnother", ""},
	{"A40", "Signals stay ignored and blocked as the caller had them.", "bubblewrap 0.11.1, runtimes", in(top, "TestA40SignalsOfTheCaller", "TestTransparent"), "TestA40SignalsOfTheCaller", ""},

	{"A41", "The target of a mount is exchanged for a link while it is looked at.", "runc (CVE-2021-30465)", in(top, "TestA41MountTargetSwapped", "TestA41LinkOfTheDaemon", "TestA41StateRaced"), "TestA41MountTargetSwapped", ""},
	{"A42", "A mount point is made behind a link of the image, on the host.", "bubblewrap < 0.12 (CVE-2026-87766)", in(top, "TestA42MountPointBelowLink"), "TestA42MountPointBelowLink", ""},
	{"A43", "/dev/null of the image is a link, and what hides a path shows another file.", "runc (CVE-2025-31133)", in(top, "TestA43NullOfTheImage", "TestA43NullOfTheHost"), "TestA43NullOfTheImage", ""},
	{"A44", "A link of the image in the place of a terminal is mounted over.", "runc (CVE-2025-52565)", in(top, "TestA44ConsoleOfTheImage", "TestA44TerminalsOfTheImage", "TestStandardInputTTY"), "TestA44ConsoleOfTheImage", ""},
	{"A45", "What is written to /proc goes into a file of the image, and is believed to be done.", "runc (CVE-2019-19921, CVE-2025-52881)", in(top, "TestA45WrittenIntoTheImage", "TestA45ProcOfTheImage", "TestFakeProcInCage"), "TestA45WrittenIntoTheImage", ""},
	{"A46", "/dev, /tmp, /run … of the image are links to elsewhere.", "runc (CVE-2026-41579)", in(top, "TestA46SystemDirectoriesAsLinks", "TestA46StateInLinkedRoot"), "TestA46SystemDirectoriesAsLinks", ""},
	{"A47", "Directories are made through a link that stands there for a moment.", "runc (CVE-2024-45310)", join(in(top, "TestA47MakingRaced", "TestA47MadeAndSeized", "TestA47StateRaced"), in("dirs", "TestRaceMake")), "TestA47MakingRaced", ""},
	{"A48", "chown(2) follows a link, a hard link or a mount that the daemon has left.", "systemd-tmpfiles (CVE-2018-6954, CVE-2017-18078)", join(in(top, "TestA48OwnersOfWhatTheDaemonLeft", "TestA48StateForAnotherUser"), in("dirs", "TestMakeHardLink", "TestMakeLinks", "TestRaceChown")), "TestA48OwnersOfWhatTheDaemonLeft", ""},
	{"A49", "The new root is set up in a directory of /tmp that others know.", "bubblewrap (CVE-2020-5291, CVE-2019-12439)", in(top, "TestA49A50PlaceThatOthersKnow", "TestA49A50NothingIsMadeElsewhere"), "TestA49A50PlaceThatOthersKnow", ""},
	{"A50", "State is kept in files that an attacker can make.", "firejail --join (CVE-2022-31214)", in(top, "TestA49A50PlaceThatOthersKnow", "TestA49A50NothingIsMadeElsewhere"), "TestA49A50PlaceThatOthersKnow", ""},
	{"A51", "A shell or a helper on the way takes words for commands.", "firejail (CVE-2021-26910, CVE-2016-10122, CVE-2020-17367, CVE-2020-17368)", in(top, "TestA51WordsForAShell", "TestA51NoHelper", "TestNoHelpers"), "TestA51WordsForAShell", ""},
	{"A52", "Mounts of the daemon arrive at the host.", "mount propagation", in(top, "TestA52NothingArrivesAtTheHost", "TestPropagation"), "TestA52NothingArrivesAtTheHost", ""},
	{"A53", "Read-only is the top alone, and what is mounted below stays writable.", "docker before rro, runc", in(top, "TestA53SubmountsAreReadOnly", "TestRulesCoverSubmounts"), "TestA53SubmountsAreReadOnly", ""},
	{"A54", "A remount loses nosuid, nodev or noexec, or shows what was covered.", "mount_namespaces(7)", in(top, "TestA54LockedMounts", "TestFreshProcKeepsMasks"), "TestA54LockedMounts", ""},
	{"A55", "A path that cannot be protected, as it is a link or misspelt, is passed over.", "systemd, firejail", in(top, "TestA55PathPassedOver", "TestA55PathsHoweverWritten", "TestPathSpellings"), "TestA55PathPassedOver", ""},
	{"A56", "/proc is hidden, or none, and the launcher concludes that there is nothing to do.", "firejail #380", in(top, "TestA56A78WhatALauncherConcludes", "TestA56ProcOfTheCaller", "TestWithoutProc"), "TestA56A78WhatALauncherConcludes", ""},
	{"A57", "A command is found where somebody else can write, or before the change of root.", "execvp(3)", in(top, "TestA57CommandOfTheWorkingDirectory", "TestA57CommandOfTheView", "TestPrograms"), "TestA57CommandOfTheWorkingDirectory", ""},
	{"A58", "What the kernel does not execute is given to a shell.", "execvp(3)", in(top, "TestA58WhatIsNoProgram", "TestA58InterpreterOfTheView", "TestRefusedBeforeStepOne"), "TestA58WhatIsNoProgram", ""},

	{"A59", "A denied call passes as one of x32.", "firejail #87, kafel #19, go-seccomp-bpf #7", join(in(top, "TestA59X32"), in("seccomp", "TestProgramIsDecide")), "TestA59X32", "a kernel without x32: another process plays it"},
	{"A60", "A denied call passes by int $0x80, where numbers mean other calls.", "elastic/ml-cpp #3080, morok #45", join(in(top, "TestA60I386"), in("seccomp", "TestDenyForeign")), "TestA60I386", ""},
	{"A61", "What is forbidden stands behind a pointer (clone3, openat2).", "systemd #38711", in(top, "TestA61ArgumentsBehindPointers"), "TestA61ArgumentsBehindPointers", ""},
	{"A62", "The filter is of one thread.", "morok #45", in(top, "TestA62EveryThread"), "TestA62EveryThread", ""},
	{"A63", "io_uring does what a filter forbids.", "moby #46762, containerd #9048", in(top, "TestA63IOUring"), "TestA63IOUring", ""},
	{"A64", "The filter lies in a file that can be written from inside.", "firejail (CVE-2019-12589)", in(top, "TestA64FilterThatTheDaemonWrites", "TestA64NoFilterInAFile"), "TestA64FilterThatTheDaemonWrites", ""},
	{"A65", "A tracer changes the call behind the filter.", "firejail (CVE-2017-5206)", join(in(top, "TestA65TracerChangesTheCall"), in("launcher", "TestFilterBeforePtrace")), "", "needs Linux before 4.8: newer kernels ask the filter again, and hardrun refuses a filter on older ones, which is tested"},
	{"A66", "An unknown name in a list of what is forbidden is passed over.", "systemd: “Failed to parse system call, ignoring”", join(in(top, "TestA66A67CallsThatAListMisses", "TestA66UnknownNames"), in("policy", "TestCallErrors")), "TestA66A67CallsThatAListMisses", ""},
	{"A67", "A call that is newer than the tables is in none of the forbidden groups.", "libseccomp, systemd", in(top, "TestA66A67CallsThatAListMisses", "TestA67NewerCalls"), "TestA66A67CallsThatAListMisses", "a kernel with newer calls than the tables: another process plays it"},
	{"A68", "A call that is denied by error 0 is believed to be done.", "seccomp(2)", join(in(top, "TestA68ErrorThatIsNone", "TestA68Precedence"), in("policy", "TestParseErrorNumber")), "TestA68ErrorThatIsNone", ""},
	{"A69", "The session keyring of root is inherited.", "keyrings(7)", in(top, "TestKeyring"), "TestKeyring", ""},
	{"A70", "Landlock that is not there, or older, is passed over.", "go-landlock BestEffort", join(in(top, "TestA70LandlockThatIsNotThere", "TestLandlockIsAsked", "TestLandlockFaults"), in("ns", "TestLandlockLack")), "TestA70LandlockThatIsNotThere", ""},
	{"A71", "In a user namespace of its own the daemon has every capability.", "user_namespaces(7)", in(top, "TestA71UserNamespaceOfTheDaemon", "TestUserNamespaceConfines"), "TestA71UserNamespaceOfTheDaemon", ""},

	{"A72", "The loader of the launcher loads as root what the environment says.", "minijail0's preload mode, LD_PRELOAD", in(top, "TestA72A74LibrariesOfTheCaller", "TestStatic", "TestTransparent"), "TestA72A74LibrariesOfTheCaller", ""},
	{"A73", "A core of the launcher holds root's memory.", "GOTRACEBACK=crash", in(top, "TestNoCoreMidway"), "TestNoCoreMidway", ""},
	{"A74", "The look-up of a user loads libraries, or asks over a socket, as root.", "NSS", in(top, "TestA72A74LibrariesOfTheCaller", "TestNoHelpers", "TestStatic", "TestForbiddenImports"), "TestA72A74LibrariesOfTheCaller", ""},
	{"A75", "Variables of the caller are the daemon's.", "pam_systemd (CVE-2019-3842)", in(top, "TestA07A75WhatTheCallerHas", "TestUser", "TestEnvironmentUnchanged"), "TestA07A75WhatTheCallerHas", ""},
	{"A76", "A line that is misspelt, or in the wrong section, is passed over.", "systemd #5813, #23199", join(in(top, "TestA76LinesPassedOver", "TestBadUnits", "TestBadInput"), in("unit", "TestApplyErrors")), "TestA76LinesPassedOver", ""},
	{"A77", "A namespace or a mount that is denied is left out.", "systemd #39648, #22760, #34565", join(in(top, "TestA77NamespaceDenied", "TestViewDenied", "TestContainers"), in(faults, "TestMatrix")), "TestA77NamespaceDenied", ""},
	{"A78", "The launcher takes its place for a sandbox, and confines nothing.", "firejail 0.9.72 #380, #189, #1066", in(top, "TestA56A78WhatALauncherConcludes", "TestContainers"), "TestA56A78WhatALauncherConcludes", ""},
	{"A79", "A line that another one takes back, or a drop-in that widens, is not seen.", "scripts that read units", join(in(top, "TestA79LineThatHolds"), in("unit", "TestDropIns", "TestOrigins")), "TestA79LineThatHolds", ""},
	{"A80", "The name of an instance leads out of a directory.", "specifiers", join(in(top, "TestA80NameThatIsAPath", "TestBadUnits"), in("dirs", "TestCheckNames")), "TestA80NameThatIsAPath", ""},
	{"A81", "A launcher that is killed leaves mounts, directories and processes.", "SIGKILL", in(top, "TestKilledAtEachCall", "TestKilledWhileMaking", "TestCGroupKilledAtEachCall", "TestParentKilled"), "TestKilledAtEachCall", ""},
	{"A82", "Two starts at once find the same uid, or remove each other's directories.", "races of launchers", join(in(top, "TestA82UidOfTwo", "TestDynamicUsersTogether", "TestManyStarts"), in("dirs", "TestChooseConcurrent", "TestUseConcurrent")), "TestA82UidOfTwo", ""},
	{"A83", "The launcher ends with 0, and the daemon was never started.", "start-stop-daemon --background", in(top, "TestA83StatusThatLies", "TestBadInput", "TestClosedStandardDescriptors"), "TestA83StatusThatLies", ""},
	{"A84", "A file that the launcher opens is descriptor 2, and gets its messages.", "the class of CVE-2002-0820", in(top, "TestA84MessageInAFile", "TestClosedStandardDescriptors"), "TestA84MessageInAFile", ""},
	{"A85", "What records a daemon's needs runs it without confinement, or writes where it should not.", "tracers run by root", in(top, "TestBadInput"), "", "`learn` is not built yet: the word is refused, which is tested; nothing else in hardrun traces a daemon"},
	{"A86", "A packager makes the launcher set-user-ID.", "packaging", in(top, "TestSetuidRefused"), "TestSetuidRefused", ""},
}
