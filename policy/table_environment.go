package policy

// environmentTable is systemd.exec(5): environment, logging and standard streams, terminal, credentials, utmp.
var environmentTable = [...]Directive{
	{
		Name: "Environment", Section: "Service", Man: manExec, Specifiers: InWords,
		Option: "environment", Arg: "NAME=VALUE...",
		Doc:   "Set environment variables.",
		Notes: "Quotes and escapes as in a unit file; --env takes its word as it is.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.Environment }, parse: ParseEnvironment, text: QuoteWord}},
	},
	{
		Name: "EnvironmentFile", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "environment-file", Arg: "[-]PATH",
		Doc:   "Read environment variables from this file; - lets it be missing.",
		Notes: "Overrides Environment=. With - systemd passes over every error; here only over a file that is not there.",
		Value: &Value{List: true, field: &list[Tolerant]{items: func(p *Policy) *List[Tolerant] { return &p.EnvironmentFile }, parse: parseEnvironmentPath, text: tolerantText}},
	},
	{
		Name: "PassEnvironment", Section: "Service", Man: manExec, Specifiers: InWords,
		Option: "pass-environment", Arg: "NAME...",
		Doc:   "Pass these variables on from hardrun's own environment.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.PassEnvironment }, parse: ParsePassEnv, text: itself}},
	},
	{
		Name: "UnsetEnvironment", Section: "Service", Man: manExec, Specifiers: InWords,
		Option: "unset-environment", Arg: "NAME[=VALUE]...",
		Doc:   "Remove these variables at the very end.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.UnsetEnvironment }, parse: ParseUnsetEnv, text: QuoteWord}},
	},
	{
		Name: "StandardInput", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "standard-input", Arg: "STREAM", Default: "null",
		Doc:   "Connect standard input.",
		Value: &Value{Words: []string{"null", "tty", "tty-force", "tty-fail", "data", "file:", "socket", "fd:"}, field: &scalar[Stream]{func(p *Policy) *Opt[Stream] { return &p.StandardInput }, parseInput, streamText}},
	},
	{
		Name: "StandardOutput", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "standard-output", Arg: "STREAM", Default: "journal",
		Doc:   "Connect standard output.",
		Notes: "journal, kmsg and their +console forms leave the stream as it was inherited: the log is the supervisor's.",
		Value: &Value{Words: []string{"inherit", "null", "tty", "journal", "kmsg", "journal+console", "kmsg+console", "file:", "append:", "truncate:", "socket", "fd:"}, field: &scalar[Stream]{func(p *Policy) *Opt[Stream] { return &p.StandardOutput }, parseOutput, streamText}},
	},
	{
		Name: "StandardError", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "standard-error", Arg: "STREAM", Default: "inherit",
		Doc:   "Connect standard error.",
		Notes: "As StandardOutput=; inherit means the stream of standard output.",
		Value: &Value{Words: []string{"inherit", "null", "tty", "journal", "kmsg", "journal+console", "kmsg+console", "file:", "append:", "truncate:", "socket", "fd:"}, field: &scalar[Stream]{func(p *Policy) *Opt[Stream] { return &p.StandardError }, parseOutput, streamText}},
	},
	{
		Name: "StandardInputText", Section: "Service", Man: manExec, Specifiers: InText,
		Option: "standard-input-text", Arg: "TEXT",
		Doc:   "Add a line of text to the data for standard input.",
		Notes: "C escapes are resolved and a newline is added.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.InputData }, parse: parseInputLine, text: itself, silent: true}},
	},
	{
		Name: "StandardInputData", Section: "Service", Man: manExec,
		Option: "standard-input-data", Arg: "BASE64",
		Doc:   "Add bytes, written in base64, to the data for standard input.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.InputData }, parse: parseInputBytes, text: inputText}},
	},
	{
		Name: "LogLevelMax", Section: "Service", Man: manExec, NoOption: true, Arg: "LEVEL",
		Doc: "Drop log records below this level.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "LogExtraFields", Section: "Service", Man: manExec, NoOption: true, Arg: "FIELD=VALUE...",
		Doc: "Add these fields to all log records.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "LogRateLimitIntervalSec", Section: "Service", Man: manExec, NoOption: true, Arg: "TIME",
		Doc: "Count log records over this time for their limit.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "LogRateLimitBurst", Section: "Service", Man: manExec, NoOption: true, Arg: "COUNT",
		Doc: "Drop log records beyond this number within the interval.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "LogFilterPatterns", Section: "Service", Man: manExec, NoOption: true, Arg: "[~]REGEX",
		Doc: "Keep or drop log records by a pattern.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "LogNamespace", Section: "Service", Man: manExec, NoOption: true, Arg: "NAME",
		Doc: "Write to a journal that is kept apart from others.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "SyslogIdentifier", Section: "Service", Man: manExec, NoOption: true, Arg: "NAME",
		Doc: "Mark log records with this name.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "SyslogFacility", Section: "Service", Man: manExec, NoOption: true, Arg: "FACILITY", Default: "daemon",
		Doc: "Log under this syslog facility.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "SyslogLevel", Section: "Service", Man: manExec, NoOption: true, Arg: "LEVEL", Default: "info",
		Doc: "Log at this level.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "SyslogLevelPrefix", Section: "Service", Man: manExec, NoOption: true, Arg: "BOOL", Default: "yes",
		Doc: "Take the level from a prefix of each line.", Class: ClassLog, Support: Manager, Why: whyLog,
	},
	{
		Name: "TTYPath", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "tty-path", Arg: "PATH", Default: "/dev/console",
		Doc:   "Use this terminal where a stream is connected to one.",
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.TTYPath }, ParsePath, itself}},
	},
	{
		Name: "TTYReset", Section: "Service", Man: manExec,
		Option: "tty-reset", Arg: "BOOL", Default: "no",
		Doc:   "Reset the terminal before the daemon starts.",
		Notes: "systemd resets it after the daemon as well, which needs a parent.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.TTYReset })},
	},
	{
		Name: "TTYVHangup", Section: "Service", Man: manExec,
		Option: "tty-vhangup", Arg: "BOOL", Default: "no",
		Doc:   "Disconnect everyone from the terminal before the daemon starts.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.TTYVHangup })},
	},
	{
		Name: "TTYRows", Section: "Service", Man: manExec,
		Option: "tty-rows", Arg: "COUNT",
		Doc:   "Set the number of rows of the terminal.",
		Value: &Value{field: &scalar[uint16]{func(p *Policy) *Opt[uint16] { return &p.TTYRows }, ParseUint16, uint16Text}},
	},
	{
		Name: "TTYColumns", Section: "Service", Man: manExec,
		Option: "tty-columns", Arg: "COUNT",
		Doc:   "Set the number of columns of the terminal.",
		Value: &Value{field: &scalar[uint16]{func(p *Policy) *Opt[uint16] { return &p.TTYColumns }, ParseUint16, uint16Text}},
	},
	{
		Name: "TTYVTDisallocate", Section: "Service", Man: manExec,
		Option: "tty-vt-disallocate", Arg: "BOOL", Default: "no",
		Doc:   "Clear the terminal, and free it if it is a virtual console.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.TTYVTDisallocate })},
	},
	{
		Name: "LoadCredential", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "load-credential", Arg: "ID[:PATH]",
		Doc:   "Pass a file to the daemon as a credential.",
		Value: &Value{List: true, field: loadCredential},
	},
	{
		Name: "LoadCredentialEncrypted", Section: "Service", Man: manExec,
		Option: "load-credential-encrypted", Arg: "ID[:PATH]",
		Doc:     "Decrypt a file and pass it to the daemon as a credential.",
		Support: Impossible, Why: whySealed,
	},
	{
		Name: "ImportCredential", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "import-credential", Arg: "GLOB[:NAME]",
		Doc:   "Pass credentials of the machine on to the daemon.",
		Value: &Value{List: true, field: importCredential},
	},
	{
		Name: "SetCredential", Section: "Service", Man: manExec, Specifiers: ByParser,
		Option: "set-credential", Arg: "ID:VALUE",
		Doc:   "Pass a value to the daemon as a credential.",
		Notes: "C escapes are resolved in the value. What LoadCredential= and ImportCredential= find is stronger. Do not put secrets into a unit.",
		Value: &Value{List: true, field: setCredential},
	},
	{
		Name: "SetCredentialEncrypted", Section: "Service", Man: manExec,
		Option: "set-credential-encrypted", Arg: "ID:VALUE",
		Doc:     "Decrypt a value and pass it to the daemon as a credential.",
		Support: Impossible, Why: whySealed,
	},
	{
		Name: "UtmpIdentifier", Section: "Service", Man: manExec,
		NoOption: true, Arg: "ID",
		Doc:   "Record the daemon as a session under this id in utmp and wtmp.",
		Class: ClassLog, Support: Manager, Why: whyUtmp,
	},
	{
		Name: "UtmpMode", Section: "Service", Man: manExec,
		NoOption: true, Arg: "init|login|user", Default: "init",
		Doc:   "Choose the kind of record for UtmpIdentifier=.",
		Class: ClassLog, Support: Manager, Why: whyUtmp,
	},
}
