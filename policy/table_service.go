package policy

// serviceTable is systemd.service(5) and systemd.kill(5): the service and how it is stopped.
var serviceTable = [...]Directive{
	{
		Name: "Type", Section: "Service", Man: manService, NoOption: true, Arg: "TYPE", Default: "simple", Neutral: []string{"simple", "exec"},
		Doc: "Say how the manager knows that the daemon has started.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExitType", Section: "Service", Man: manService, NoOption: true, Arg: "main|cgroup", Default: "main",
		Doc: "Say whether the end of the main process ends the service.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RemainAfterExit", Section: "Service", Man: manService, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Count the service as active after its processes have ended.", Support: Manager, Why: whyManager,
	},
	{
		Name: "GuessMainPID", Section: "Service", Man: manService, NoOption: true, Arg: "BOOL", Default: "yes",
		Doc: "Guess the main process of a daemon that forks.", Support: Manager, Why: whyManager,
	},
	{
		Name: "PIDFile", Section: "Service", Man: manService, NoOption: true, Arg: "PATH",
		Doc: "Read the main process of a daemon that forks from this file.", Support: Manager, Why: whyManager,
	},
	{
		Name: "BusName", Section: "Service", Man: manService, NoOption: true, Arg: "NAME",
		Doc: "Wait until the daemon owns this name on the D-Bus.", Support: Manager, Why: whyManager,
	},
	{
		Name: "ExecStart", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command as the daemon.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecStartPre", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command before the daemon starts.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecStartPost", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command when the daemon has started.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecCondition", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command first, and start nothing when it fails.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecReload", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command to reload the daemon's configuration.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecReloadPost", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command when a reload has succeeded.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecStop", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command to stop the daemon.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ExecStopPost", Section: "Service", Man: manService, NoOption: true, Arg: "COMMAND",
		Doc: "Run this command when the daemon has stopped.", Support: NotYet, Why: whyUnit,
	},
	{
		Name: "RestartSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME", Default: "100ms",
		Doc: "Wait this long before a restart.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartSteps", Section: "Service", Man: manService, NoOption: true, Arg: "COUNT", Default: "0",
		Doc: "Stretch the wait before restarts in this many steps.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartMaxDelaySec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME", Default: "infinity",
		Doc: "Wait at most this long before a restart.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartRandomizedDelaySec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME", Default: "0",
		Doc: "Wait up to this much longer before a restart, at random.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutStartSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME",
		Doc: "Give up a start that takes longer than this.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutStopSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME",
		Doc: "Kill a daemon that takes longer than this to stop.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutAbortSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME",
		Doc: "Kill a daemon that takes longer than this to dump core.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME",
		Doc: "Set the time for starting and for stopping.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutStartFailureMode", Section: "Service", Man: manService, NoOption: true, Arg: "terminate|abort|kill", Default: "terminate",
		Doc: "Choose what to do with a daemon that takes too long to start.", Support: Manager, Why: whyManager,
	},
	{
		Name: "TimeoutStopFailureMode", Section: "Service", Man: manService, NoOption: true, Arg: "terminate|abort|kill", Default: "terminate",
		Doc: "Choose what to do with a daemon that takes too long to stop.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RuntimeMaxSec", Section: "Service", Man: manService,
		Option: "runtime-max-sec", Arg: "TIME", Default: "infinity", Neutral: []string{"infinity"},
		Doc:   "End the daemon when it has run for this long.",
		Class: ClassLimit, Support: NotYet, Why: "not yet applied: needs a parent that keeps the time",
	},
	{
		Name: "RuntimeRandomizedExtraSec", Section: "Service", Man: manService,
		Option: "runtime-randomized-extra-sec", Arg: "TIME", Default: "0", Neutral: []string{"0"},
		Doc:   "Let the daemon run up to this much longer, at random.",
		Class: ClassLimit, Support: NotYet, Why: "not yet applied: needs a parent that keeps the time",
	},
	{
		Name: "WatchdogSec", Section: "Service", Man: manService, NoOption: true, Arg: "TIME", Default: "0",
		Doc: "Restart a daemon that gives no sign of life for this long.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Restart", Section: "Service", Man: manService, NoOption: true, Arg: "WHEN", Default: "no",
		Doc: "Start the daemon again when it has ended so.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartMode", Section: "Service", Man: manService, NoOption: true, Arg: "normal|direct|debug", Default: "normal",
		Doc: "Choose whether dependent units notice a restart.", Support: Manager, Why: whyManager,
	},
	{
		Name: "SuccessExitStatus", Section: "Service", Man: manService, NoOption: true, Arg: "STATUS...",
		Doc: "Count these exit statuses as success.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartPreventExitStatus", Section: "Service", Man: manService, NoOption: true, Arg: "STATUS...",
		Doc: "Do not start again after these exit statuses.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RestartForceExitStatus", Section: "Service", Man: manService, NoOption: true, Arg: "STATUS...",
		Doc: "Always start again after these exit statuses.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RootDirectoryStartOnly", Section: "Service", Man: manService, NoOption: true, Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc: "Change the root for ExecStart= only.", Class: ClassView, Support: NotYet, Why: whyUnit,
	},
	{
		Name: "PermissionsStartOnly", Section: "Service", Man: manService,
		NoOption: true, Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:   "Change user and privileges for ExecStart= only.",
		Notes: "An old directive; prefixes of the command lines have taken its place.",
		Class: ClassIdentity, Support: NotYet, Why: whyUnit,
	},
	{
		Name: "NonBlocking", Section: "Service", Man: manService,
		Option: "non-blocking", Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:     "Set O_NONBLOCK on the sockets that are passed to the daemon.",
		Support: NotYet, Why: "not yet applied: needs sockets to pass",
	},
	{
		Name: "NotifyAccess", Section: "Service", Man: manService, NoOption: true, Arg: "none|main|exec|all",
		Doc: "Choose which processes may send state to the manager.", Support: Manager, Why: whyManager,
	},
	{
		Name: "Sockets", Section: "Service", Man: manService, NoOption: true, Arg: "UNIT...",
		Doc: "Name the socket units whose sockets the daemon gets.", Support: Manager, Why: whyManager,
	},
	{
		Name: "FileDescriptorStoreMax", Section: "Service", Man: manService, NoOption: true, Arg: "COUNT", Default: "0",
		Doc: "Keep up to this many descriptors for the daemon across restarts.", Support: Manager, Why: whyManager,
	},
	{
		Name: "FileDescriptorStorePreserve", Section: "Service", Man: manService, NoOption: true, Arg: "BOOL|restart", Default: "restart",
		Doc: "Choose how long kept descriptors stay.", Support: Manager, Why: whyManager,
	},
	{
		Name: "LUOSession", Section: "Service", Man: manService, NoOption: true, Arg: "NAME...",
		Doc: "Hand the daemon live-update sessions of these names.", Support: Manager, Why: whyManager,
	},
	{
		Name: "USBFunctionDescriptors", Section: "Service", Man: manService, NoOption: true, Arg: "PATH",
		Doc: "Write these USB descriptors of a FunctionFS gadget.", Support: Manager, Why: whyManager,
	},
	{
		Name: "USBFunctionStrings", Section: "Service", Man: manService, NoOption: true, Arg: "PATH",
		Doc: "Write these USB strings of a FunctionFS gadget.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OOMPolicy", Section: "Service", Man: manService, NoOption: true, Arg: "continue|stop|kill",
		Doc: "Choose what to do when one process was killed for lack of memory.", Support: Manager, Why: whyManager,
	},
	{
		Name: "OpenFile", Section: "Service", Man: manService,
		Option: "open-file", Arg: "PATH[:NAME[:OPTIONS]]",
		Doc:     "Open this file with full privileges and pass it to the daemon.",
		Support: NotYet, Why: "not yet applied: needs descriptors to pass",
	},
	{
		Name: "ReloadSignal", Section: "Service", Man: manService, NoOption: true, Arg: "SIGNAL", Default: "SIGHUP",
		Doc: "Send this signal for a reload of Type=notify-reload.", Support: Manager, Why: whyManager,
	},
	{
		Name: "RefreshOnReload", Section: "Service", Man: manService, NoOption: true, Arg: "BOOL|[~]RESOURCE...", Default: "extensions",
		Doc: "Choose what is set up anew on a reload.", Support: Manager, Why: whyManager,
	},
	{
		Name: "KillMode", Section: "Service", Man: manKill,
		Option: "kill-mode", Arg: "control-group|mixed|process|none", Default: "control-group",
		Doc:   "Choose which processes of the service are killed when it stops.",
		Notes: "For control-group and mixed a parent stays; process and none ask for nothing, and neither does an unset one.",
		Class: ClassResource,
		Value: &Value{Words: []string{"control-group", "mixed", "process", "none"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.KillMode }, parseKillMode, itself}},
	},
	{
		Name: "KillSignal", Section: "Service", Man: manKill, NoOption: true, Arg: "SIGNAL", Default: "SIGTERM",
		Doc: "Stop the daemon by this signal.", Support: Manager, Why: whyStop,
	},
	{
		Name: "RestartKillSignal", Section: "Service", Man: manKill, NoOption: true, Arg: "SIGNAL",
		Doc: "Stop the daemon by this signal before a restart.", Support: Manager, Why: whyStop,
	},
	{
		Name: "SendSIGHUP", Section: "Service", Man: manKill, NoOption: true, Arg: "BOOL", Default: "no",
		Doc: "Send SIGHUP after the stop signal.", Support: Manager, Why: whyStop,
	},
	{
		Name: "SendSIGKILL", Section: "Service", Man: manKill, NoOption: true, Arg: "BOOL", Default: "yes",
		Doc: "Send SIGKILL when stopping takes too long.", Support: Manager, Why: whyStop,
	},
	{
		Name: "FinalKillSignal", Section: "Service", Man: manKill, NoOption: true, Arg: "SIGNAL", Default: "SIGKILL",
		Doc: "Send this signal when stopping takes too long.", Support: Manager, Why: whyStop,
	},
	{
		Name: "WatchdogSignal", Section: "Service", Man: manKill, NoOption: true, Arg: "SIGNAL", Default: "SIGABRT",
		Doc: "Send this signal when the watchdog has expired.", Support: Manager, Why: whyStop,
	},
	{
		Name: "BusPolicy", Section: "Service", Man: manService, NoOption: true, Arg: "NAME ACCESS",
		Doc: "Limit what the service may do on the old kernel bus.", Notes: "systemd 262 passes over it, too.", Support: Manager, Why: whyGone,
	},
	{
		Name: "SysVStartPriority", Section: "Service", Man: manService, NoOption: true, Arg: "NUMBER",
		Doc: "Order the start of old init scripts.", Notes: "systemd 262 passes over it, too.", Support: Manager, Why: whyGone,
	},
}
