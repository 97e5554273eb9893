package policy

// conditionTable is systemd.unit(5): conditions, which skip a start, and assertions, which fail it.
var conditionTable = [...]Directive{
	{
		Name: "ConditionArchitecture", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]ARCHITECTURE",
		Doc: "Start only if the machine has this architecture.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionFirmware", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]KIND",
		Doc: "Start only if the firmware is of this kind.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionVirtualization", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL|KIND",
		Doc: "Start only if the machine or container is virtualized so.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionHost", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME|ID",
		Doc: "Start only if the host has this name or id.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionFraction", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][TAG ]PERCENT",
		Doc: "Start only if the machine falls into this fraction of a fleet.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionKernelCommandLine", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]WORD",
		Doc: "Start only if the kernel's command line has this word.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionKernelVersion", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the kernel has such a version.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionVersion", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][NAME ]EXPRESSION",
		Doc: "Start only if a software has such a version.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionCredential", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if the manager has this credential.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionEnvironment", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME[=VALUE]",
		Doc: "Start only if the manager has this variable.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionSecurity", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if this security technology is there.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionCapability", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]CAPABILITY",
		Doc: "Start only if the manager's bounding set has this capability.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionACPower", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Start only if the machine is on mains.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionNeedsUpdate", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]/var|/etc",
		Doc: "Start only if this directory is due for an update.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionFirstBoot", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Start only if the machine starts for the first time.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathExists", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path exists.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathExistsGlob", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Start only if a path matches this pattern.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsDirectory", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a directory.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsSymbolicLink", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a symbolic link.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsMountPoint", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a mount point.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsReadWrite", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is on a writable file system.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsEncrypted", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is on an encrypted device.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionPathIsSocket", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a socket.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionDirectoryNotEmpty", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this directory has entries.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionFileNotEmpty", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this file has content.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionFileIsExecutable", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this file is executable.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionUser", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]USER",
		Doc: "Start only if the manager runs as this user.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionGroup", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]GROUP",
		Doc: "Start only if the manager has this group.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionControlGroupController", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]CONTROLLER...",
		Doc: "Start only if these controllers are there.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionMemory", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the machine has so much memory.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionCPUs", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the machine has so many CPUs.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionCPUFeature", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]FEATURE",
		Doc: "Start only if the CPU has this feature.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionOSRelease", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]FIELD=VALUE",
		Doc: "Start only if the os-release file has this field.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionMachineTag", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Start only if the machine has such a tag.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionMemoryPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if memory pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionCPUPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if CPU pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionIOPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if I/O pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ConditionKernelModuleLoaded", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if this kernel module is loaded.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertArchitecture", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]ARCHITECTURE",
		Doc: "Fail unless the machine has this architecture.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertVirtualization", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL|KIND",
		Doc: "Fail unless the machine or container is virtualized so.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertHost", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME|ID",
		Doc: "Fail unless the host has this name or id.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertFraction", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][TAG ]PERCENT",
		Doc: "Fail unless the machine falls into this fraction of a fleet.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertKernelCommandLine", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]WORD",
		Doc: "Fail unless the kernel's command line has this word.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertKernelVersion", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the kernel has such a version.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertVersion", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][NAME ]EXPRESSION",
		Doc: "Fail unless a software has such a version.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertCredential", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless the manager has this credential.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertEnvironment", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME[=VALUE]",
		Doc: "Fail unless the manager has this variable.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertSecurity", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless this security technology is there.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertCapability", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]CAPABILITY",
		Doc: "Fail unless the manager's bounding set has this capability.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertACPower", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Fail unless the machine is on mains.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertNeedsUpdate", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]/var|/etc",
		Doc: "Fail unless this directory is due for an update.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertFirstBoot", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Fail unless the machine starts for the first time.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathExists", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path exists.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathExistsGlob", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Fail unless a path matches this pattern.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsDirectory", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a directory.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsSymbolicLink", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a symbolic link.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsMountPoint", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a mount point.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsReadWrite", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is on a writable file system.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsEncrypted", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is on an encrypted device.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertPathIsSocket", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a socket.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertDirectoryNotEmpty", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this directory has entries.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertFileNotEmpty", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this file has content.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertFileIsExecutable", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this file is executable.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertUser", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]USER",
		Doc: "Fail unless the manager runs as this user.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertGroup", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]GROUP",
		Doc: "Fail unless the manager has this group.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertControlGroupController", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]CONTROLLER...",
		Doc: "Fail unless these controllers are there.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertMemory", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the machine has so much memory.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertCPUs", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the machine has so many CPUs.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertCPUFeature", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]FEATURE",
		Doc: "Fail unless the CPU has this feature.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertOSRelease", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]FIELD=VALUE",
		Doc: "Fail unless the os-release file has this field.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertMachineTag", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Fail unless the machine has such a tag.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertMemoryPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless memory pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertCPUPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless CPU pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertIOPressure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless I/O pressure is no higher than this.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AssertKernelModuleLoaded", Section: "Unit", Man: manUnit, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless this kernel module is loaded.", Support: NotYet, Why: whyUnit,
	},
}
