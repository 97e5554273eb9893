package policy

// unitTable is systemd.unit(5): [Unit] without conditions, and [Install].
var unitTable = [...]Directive{
	{
		Name: "Description", Section: "Unit", Man: manUnit, NoOption: true, Arg: "TEXT",
		Doc: "Name the unit for people.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Documentation", Section: "Unit", Man: manUnit, NoOption: true, Arg: "URI...",
		Doc: "Point to the documentation.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Wants", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Start these units along.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Requires", Section: "Unit", Man: manUnit, Aliases: []string{"RequiresOverridable"}, NoOption: true, Arg: "UNIT...",
		Doc: "Start these units along, and fail with them.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Requisite", Section: "Unit", Man: manUnit, Aliases: []string{"RequisiteOverridable"}, NoOption: true, Arg: "UNIT...",
		Doc: "Fail unless these units are active already.", Support: Manager, Why: whyManager,
	},
	{
		Name: "BindsTo", Section: "Unit", Man: manUnit, Aliases: []string{"BindTo"}, NoOption: true, Arg: "UNIT...",
		Doc: "Stop when these units stop.", Support: Manager, Why: whyManager,
	},
	{
		Name: "PartOf", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Stop and restart together with these units.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Upholds", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Keep these units started.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Conflicts", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Stop these units first.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Before", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Start before these units.", Support: Manager, Why: whyManager,
	},
	{
		Name: "After", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Start after these units.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OnFailure", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Start these units when this one has failed.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OnSuccess", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Start these units when this one has succeeded.", Support: Manager, Why: whyManager,
	},
	{
		Name: "PropagatesReloadTo", Section: "Unit", Man: manUnit, Aliases: []string{"PropagateReloadTo"}, NoOption: true, Arg: "UNIT...",
		Doc: "Reload these units along.", Support: Manager, Why: whyManager,
	},
	{
		Name: "ReloadPropagatedFrom", Section: "Unit", Man: manUnit, Aliases: []string{"PropagateReloadFrom"}, NoOption: true, Arg: "UNIT...",
		Doc: "Reload along with these units.", Support: Manager, Why: whyManager,
	},
	{
		Name: "PropagatesStopTo", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Stop these units along.", Support: Manager, Why: whyManager,
	},
	{
		Name: "StopPropagatedFrom", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Stop along with these units.", Support: Manager, Why: whyManager,
	},
	{
		Name: "JoinsNamespaceOf", Section: "Unit", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Share the private network, IPC and temporary files of these units.", Notes: "Without it the daemon shares less, not more.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RequiresMountsFor", Section: "Unit", Man: manUnit, NoOption: true, Arg: "PATH...",
		Doc: "Require the mounts that these paths are on.", Support: Manager, Why: whyManager,
	},
	{
		Name: "WantsMountsFor", Section: "Unit", Man: manUnit, NoOption: true, Arg: "PATH...",
		Doc: "Want the mounts that these paths are on.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OnSuccessJobMode", Section: "Unit", Man: manUnit, NoOption: true, Arg: "MODE", Default: "fail",
		Doc: "Choose how OnSuccess= units are started.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OnFailureJobMode", Section: "Unit", Man: manUnit, NoOption: true, Arg: "MODE", Default: "replace",
		Doc: "Choose how OnFailure= units are started.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OnFailureIsolate", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Stop all else when the OnFailure= units are started.", Notes: "An old directive; OnFailureJobMode= has taken its place.", Support: Manager, Why: whyManager,
	},
	{
		Name: "IgnoreOnIsolate", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Leave the unit running when another one is isolated.", Support: Manager, Why: whyManager,
	},
	{
		Name: "StopWhenUnneeded", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Stop the unit when no other needs it.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RefuseManualStart", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Let only dependencies start the unit.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RefuseManualStop", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Let only dependencies stop the unit.", Support: Manager, Why: whyManager,
	},
	{
		Name: "AllowIsolate", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Let the unit be isolated.", Support: Manager, Why: whyManager,
	},
	{
		Name: "DefaultDependencies", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "yes",
		Doc: "Add the dependencies that most units have.", Support: Manager, Why: whyManager,
	},
	{
		Name: "SurviveFinalKillSignal", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Spare the processes when the machine shuts down.", Support: Manager, Why: whyManager,
	},
	{
		Name: "CollectMode", Section: "Unit", Man: manUnit, NoOption: true, Arg: "inactive|inactive-or-failed", Default: "inactive",
		Doc: "Choose when the manager forgets the unit.", Support: Manager, Why: whyManager,
	},
	{
		Name: "FailureAction", Section: "Unit", Man: manUnit, OldSection: "Service", NoOption: true, Arg: "ACTION", Default: "none",
		Doc: "Do this to the machine when the unit has failed.", Support: Manager, Why: whyManager,
	},
	{
		Name: "SuccessAction", Section: "Unit", Man: manUnit, NoOption: true, Arg: "ACTION", Default: "none",
		Doc: "Do this to the machine when the unit has succeeded.", Support: Manager, Why: whyManager,
	},
	{
		Name: "FailureActionExitStatus", Section: "Unit", Man: manUnit, NoOption: true, Arg: "STATUS",
		Doc: "Pass on this exit status with FailureAction=.", Support: Manager, Why: whyManager,
	},
	{
		Name: "SuccessActionExitStatus", Section: "Unit", Man: manUnit, NoOption: true, Arg: "STATUS",
		Doc: "Pass on this exit status with SuccessAction=.", Support: Manager, Why: whyManager,
	},
	{
		Name: "JobTimeoutSec", Section: "Unit", Man: manUnit, NoOption: true, Arg: "TIME", Default: "infinity",
		Doc: "Limit the time of a job including its wait.", Support: Manager, Why: whyManager,
	},
	{
		Name: "JobRunningTimeoutSec", Section: "Unit", Man: manUnit, NoOption: true, Arg: "TIME", Default: "infinity",
		Doc: "Limit the time of a job from its start.", Support: Manager, Why: whyManager,
	},
	{
		Name: "JobTimeoutAction", Section: "Unit", Man: manUnit, NoOption: true, Arg: "ACTION", Default: "none",
		Doc: "Do this to the machine when a job takes too long.", Support: Manager, Why: whyManager,
	},
	{
		Name: "JobTimeoutRebootArgument", Section: "Unit", Man: manUnit, NoOption: true, Arg: "TEXT",
		Doc: "Pass this argument to a reboot by JobTimeoutAction=.", Support: Manager, Why: whyManager,
	},
	{
		Name: "StartLimitIntervalSec", Section: "Unit", Man: manUnit, OldSection: "Service", Aliases: []string{"StartLimitInterval"}, NoOption: true, Arg: "TIME",
		Doc: "Count starts over this time for their limit.", Support: Manager, Why: whyManager,
	},
	{
		Name: "StartLimitBurst", Section: "Unit", Man: manUnit, OldSection: "Service", NoOption: true, Arg: "COUNT",
		Doc: "Allow this many starts within the interval.", Support: Manager, Why: whyManager,
	},
	{
		Name: "StartLimitAction", Section: "Unit", Man: manUnit, OldSection: "Service", NoOption: true, Arg: "ACTION", Default: "none",
		Doc: "Do this to the machine when there were too many starts.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RebootArgument", Section: "Unit", Man: manUnit, OldSection: "Service", NoOption: true, Arg: "TEXT",
		Doc: "Pass this argument to a reboot by an action.", Support: Manager, Why: whyManager,
	},
	{
		Name: "IgnoreOnSnapshot", Section: "Unit", Man: manUnit, NoOption: true, Arg: "BOOL",
		Doc: "Leave the unit out of snapshots.", Notes: "systemd 262 passes over it, too.", Support: Manager, Why: whyGone,
	},
	{
		Name: "SourcePath", Section: "Unit", Man: manUnit, NoOption: true, Arg: "PATH",
		Doc: "Name the file that the unit was made from.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Alias", Section: "Install", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Enable the unit under these names, too.", Support: Manager, Why: whyManager,
	},
	{
		Name: "WantedBy", Section: "Install", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Let these units want this one once it is enabled.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RequiredBy", Section: "Install", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Let these units require this one once it is enabled.", Support: Manager, Why: whyManager,
	},
	{
		Name: "UpheldBy", Section: "Install", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Let these units uphold this one once it is enabled.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Also", Section: "Install", Man: manUnit, NoOption: true, Arg: "UNIT...",
		Doc: "Enable and disable these units along.", Support: Manager, Why: whyManager,
	},
	{
		Name: "DefaultInstance", Section: "Install", Man: manUnit, NoOption: true, Arg: "NAME",
		Doc: "Enable a template under this instance.", Support: Manager, Why: whyManager,
	},
}
