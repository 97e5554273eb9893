package policy

// conditionTable is systemd.unit(5): conditions, which skip a start, and assertions, which fail it.
var conditionTable = [...]Directive{
	{
		Name: "ConditionArchitecture", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]ARCHITECTURE",
		Doc: "Start only if the machine has this architecture.", Value: &Value{List: true, field: &conditionField{"Architecture", false}},
	},
	{
		Name: "ConditionFirmware", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]KIND",
		Doc: "Start only if the firmware is of this kind.", Value: &Value{List: true, field: &conditionField{"Firmware", false}},
	},
	{
		Name: "ConditionVirtualization", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL|KIND",
		Doc: "Start only if the machine or container is virtualized so.", Value: &Value{List: true, field: &conditionField{"Virtualization", false}},
	},
	{
		Name: "ConditionHost", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME|ID",
		Doc: "Start only if the host has this name or id.", Value: &Value{List: true, field: &conditionField{"Host", false}},
	},
	{
		Name: "ConditionFraction", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][TAG ]PERCENT",
		Doc: "Start only if the machine falls into this fraction of a fleet.", Value: &Value{List: true, field: &conditionField{"Fraction", false}},
	},
	{
		Name: "ConditionKernelCommandLine", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]WORD",
		Doc: "Start only if the kernel's command line has this word.", Value: &Value{List: true, field: &conditionField{"KernelCommandLine", false}},
	},
	{
		Name: "ConditionKernelVersion", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the kernel has such a version.", Value: &Value{List: true, field: &conditionField{"KernelVersion", false}},
	},
	{
		Name: "ConditionVersion", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][NAME ]EXPRESSION",
		Doc: "Start only if a software has such a version.", Value: &Value{List: true, field: &conditionField{"Version", false}},
	},
	{
		Name: "ConditionCredential", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if the manager has this credential.", Value: &Value{List: true, field: &conditionField{"Credential", false}},
	},
	{
		Name: "ConditionEnvironment", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME[=VALUE]",
		Doc: "Start only if the manager has this variable.", Value: &Value{List: true, field: &conditionField{"Environment", false}},
	},
	{
		Name: "ConditionSecurity", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if this security technology is there.", Value: &Value{List: true, field: &conditionField{"Security", false}},
	},
	{
		Name: "ConditionCapability", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]CAPABILITY",
		Doc: "Start only if the manager's bounding set has this capability.", Value: &Value{List: true, field: &conditionField{"Capability", false}},
	},
	{
		Name: "ConditionACPower", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Start only if the machine is on mains.", Value: &Value{List: true, field: &conditionField{"ACPower", false}},
	},
	{
		Name: "ConditionNeedsUpdate", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]/var|/etc",
		Doc: "Start only if this directory is due for an update.", Value: &Value{List: true, field: &conditionField{"NeedsUpdate", false}},
	},
	{
		Name: "ConditionFirstBoot", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Start only if the machine starts for the first time.", Value: &Value{List: true, field: &conditionField{"FirstBoot", false}},
	},
	{
		Name: "ConditionPathExists", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path exists.", Value: &Value{List: true, field: &conditionField{"PathExists", false}},
	},
	{
		Name: "ConditionPathExistsGlob", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Start only if a path matches this pattern.", Value: &Value{List: true, field: &conditionField{"PathExistsGlob", false}},
	},
	{
		Name: "ConditionPathIsDirectory", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a directory.", Value: &Value{List: true, field: &conditionField{"PathIsDirectory", false}},
	},
	{
		Name: "ConditionPathIsSymbolicLink", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a symbolic link.", Value: &Value{List: true, field: &conditionField{"PathIsSymbolicLink", false}},
	},
	{
		Name: "ConditionPathIsMountPoint", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a mount point.", Value: &Value{List: true, field: &conditionField{"PathIsMountPoint", false}},
	},
	{
		Name: "ConditionPathIsReadWrite", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is on a writable file system.", Value: &Value{List: true, field: &conditionField{"PathIsReadWrite", false}},
	},
	{
		Name: "ConditionPathIsEncrypted", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is on an encrypted device.", Value: &Value{List: true, field: &conditionField{"PathIsEncrypted", false}},
	},
	{
		Name: "ConditionPathIsSocket", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this path is a socket.", Value: &Value{List: true, field: &conditionField{"PathIsSocket", false}},
	},
	{
		Name: "ConditionDirectoryNotEmpty", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this directory has entries.", Value: &Value{List: true, field: &conditionField{"DirectoryNotEmpty", false}},
	},
	{
		Name: "ConditionFileNotEmpty", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this file has content.", Value: &Value{List: true, field: &conditionField{"FileNotEmpty", false}},
	},
	{
		Name: "ConditionFileIsExecutable", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Start only if this file is executable.", Value: &Value{List: true, field: &conditionField{"FileIsExecutable", false}},
	},
	{
		Name: "ConditionUser", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]USER",
		Doc: "Start only if the manager runs as this user.", Value: &Value{List: true, field: &conditionField{"User", false}},
	},
	{
		Name: "ConditionGroup", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]GROUP",
		Doc: "Start only if the manager has this group.", Value: &Value{List: true, field: &conditionField{"Group", false}},
	},
	{
		Name: "ConditionControlGroupController", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]CONTROLLER...",
		Doc: "Start only if these controllers are there.", Value: &Value{List: true, field: &conditionField{"ControlGroupController", false}},
	},
	{
		Name: "ConditionMemory", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the machine has so much memory.", Value: &Value{List: true, field: &conditionField{"Memory", false}},
	},
	{
		Name: "ConditionCPUs", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Start only if the machine has so many CPUs.", Value: &Value{List: true, field: &conditionField{"CPUs", false}},
	},
	{
		Name: "ConditionCPUFeature", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]FEATURE",
		Doc: "Start only if the CPU has this feature.", Value: &Value{List: true, field: &conditionField{"CPUFeature", false}},
	},
	{
		Name: "ConditionOSRelease", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]FIELD=VALUE",
		Doc: "Start only if the os-release file has this field.", Value: &Value{List: true, field: &conditionField{"OSRelease", false}},
	},
	{
		Name: "ConditionMachineTag", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Start only if the machine has such a tag.", Value: &Value{List: true, field: &conditionField{"MachineTag", false}},
	},
	{
		Name: "ConditionMemoryPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if memory pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"MemoryPressure", false}},
	},
	{
		Name: "ConditionCPUPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if CPU pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"CPUPressure", false}},
	},
	{
		Name: "ConditionIOPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Start only if I/O pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"IOPressure", false}},
	},
	{
		Name: "ConditionKernelModuleLoaded", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Start only if this kernel module is loaded.", Value: &Value{List: true, field: &conditionField{"KernelModuleLoaded", false}},
	},
	{
		Name: "AssertArchitecture", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]ARCHITECTURE",
		Doc: "Fail unless the machine has this architecture.", Value: &Value{List: true, field: &conditionField{"Architecture", true}},
	},
	{
		Name: "AssertVirtualization", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL|KIND",
		Doc: "Fail unless the machine or container is virtualized so.", Value: &Value{List: true, field: &conditionField{"Virtualization", true}},
	},
	{
		Name: "AssertHost", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME|ID",
		Doc: "Fail unless the host has this name or id.", Value: &Value{List: true, field: &conditionField{"Host", true}},
	},
	{
		Name: "AssertFraction", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][TAG ]PERCENT",
		Doc: "Fail unless the machine falls into this fraction of a fleet.", Value: &Value{List: true, field: &conditionField{"Fraction", true}},
	},
	{
		Name: "AssertKernelCommandLine", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]WORD",
		Doc: "Fail unless the kernel's command line has this word.", Value: &Value{List: true, field: &conditionField{"KernelCommandLine", true}},
	},
	{
		Name: "AssertKernelVersion", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the kernel has such a version.", Value: &Value{List: true, field: &conditionField{"KernelVersion", true}},
	},
	{
		Name: "AssertVersion", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][NAME ]EXPRESSION",
		Doc: "Fail unless a software has such a version.", Value: &Value{List: true, field: &conditionField{"Version", true}},
	},
	{
		Name: "AssertCredential", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless the manager has this credential.", Value: &Value{List: true, field: &conditionField{"Credential", true}},
	},
	{
		Name: "AssertEnvironment", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME[=VALUE]",
		Doc: "Fail unless the manager has this variable.", Value: &Value{List: true, field: &conditionField{"Environment", true}},
	},
	{
		Name: "AssertSecurity", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless this security technology is there.", Value: &Value{List: true, field: &conditionField{"Security", true}},
	},
	{
		Name: "AssertCapability", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]CAPABILITY",
		Doc: "Fail unless the manager's bounding set has this capability.", Value: &Value{List: true, field: &conditionField{"Capability", true}},
	},
	{
		Name: "AssertACPower", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Fail unless the machine is on mains.", Value: &Value{List: true, field: &conditionField{"ACPower", true}},
	},
	{
		Name: "AssertNeedsUpdate", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]/var|/etc",
		Doc: "Fail unless this directory is due for an update.", Value: &Value{List: true, field: &conditionField{"NeedsUpdate", true}},
	},
	{
		Name: "AssertFirstBoot", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]BOOL",
		Doc: "Fail unless the machine starts for the first time.", Value: &Value{List: true, field: &conditionField{"FirstBoot", true}},
	},
	{
		Name: "AssertPathExists", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path exists.", Value: &Value{List: true, field: &conditionField{"PathExists", true}},
	},
	{
		Name: "AssertPathExistsGlob", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Fail unless a path matches this pattern.", Value: &Value{List: true, field: &conditionField{"PathExistsGlob", true}},
	},
	{
		Name: "AssertPathIsDirectory", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a directory.", Value: &Value{List: true, field: &conditionField{"PathIsDirectory", true}},
	},
	{
		Name: "AssertPathIsSymbolicLink", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a symbolic link.", Value: &Value{List: true, field: &conditionField{"PathIsSymbolicLink", true}},
	},
	{
		Name: "AssertPathIsMountPoint", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a mount point.", Value: &Value{List: true, field: &conditionField{"PathIsMountPoint", true}},
	},
	{
		Name: "AssertPathIsReadWrite", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is on a writable file system.", Value: &Value{List: true, field: &conditionField{"PathIsReadWrite", true}},
	},
	{
		Name: "AssertPathIsEncrypted", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is on an encrypted device.", Value: &Value{List: true, field: &conditionField{"PathIsEncrypted", true}},
	},
	{
		Name: "AssertPathIsSocket", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this path is a socket.", Value: &Value{List: true, field: &conditionField{"PathIsSocket", true}},
	},
	{
		Name: "AssertDirectoryNotEmpty", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this directory has entries.", Value: &Value{List: true, field: &conditionField{"DirectoryNotEmpty", true}},
	},
	{
		Name: "AssertFileNotEmpty", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this file has content.", Value: &Value{List: true, field: &conditionField{"FileNotEmpty", true}},
	},
	{
		Name: "AssertFileIsExecutable", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATH",
		Doc: "Fail unless this file is executable.", Value: &Value{List: true, field: &conditionField{"FileIsExecutable", true}},
	},
	{
		Name: "AssertUser", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]USER",
		Doc: "Fail unless the manager runs as this user.", Value: &Value{List: true, field: &conditionField{"User", true}},
	},
	{
		Name: "AssertGroup", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]GROUP",
		Doc: "Fail unless the manager has this group.", Value: &Value{List: true, field: &conditionField{"Group", true}},
	},
	{
		Name: "AssertControlGroupController", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]CONTROLLER...",
		Doc: "Fail unless these controllers are there.", Value: &Value{List: true, field: &conditionField{"ControlGroupController", true}},
	},
	{
		Name: "AssertMemory", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the machine has so much memory.", Value: &Value{List: true, field: &conditionField{"Memory", true}},
	},
	{
		Name: "AssertCPUs", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]EXPRESSION",
		Doc: "Fail unless the machine has so many CPUs.", Value: &Value{List: true, field: &conditionField{"CPUs", true}},
	},
	{
		Name: "AssertCPUFeature", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]FEATURE",
		Doc: "Fail unless the CPU has this feature.", Value: &Value{List: true, field: &conditionField{"CPUFeature", true}},
	},
	{
		Name: "AssertOSRelease", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]FIELD=VALUE",
		Doc: "Fail unless the os-release file has this field.", Value: &Value{List: true, field: &conditionField{"OSRelease", true}},
	},
	{
		Name: "AssertMachineTag", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]PATTERN",
		Doc: "Fail unless the machine has such a tag.", Value: &Value{List: true, field: &conditionField{"MachineTag", true}},
	},
	{
		Name: "AssertMemoryPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless memory pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"MemoryPressure", true}},
	},
	{
		Name: "AssertCPUPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless CPU pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"CPUPressure", true}},
	},
	{
		Name: "AssertIOPressure", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!][SLICE:]PERCENT[/TIME]",
		Doc: "Fail unless I/O pressure is no higher than this.", Value: &Value{List: true, field: &conditionField{"IOPressure", true}},
	},
	{
		Name: "AssertKernelModuleLoaded", Section: "Unit", Man: manUnit, Specifiers: WholeValue, NoOption: true, Arg: "[|][!]NAME",
		Doc: "Fail unless this kernel module is loaded.", Value: &Value{List: true, field: &conditionField{"KernelModuleLoaded", true}},
	},
}
