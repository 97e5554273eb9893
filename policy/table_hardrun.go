package policy

import (
	"strconv"
)

// hardrunTable is hardrun's own: options on the command line, X-Hardrun-Name= in [Service].
var hardrunTable = [...]Directive{
	{
		Name: "Caps", Own: true, Section: "Service",
		Option: "caps", Arg: "LIST|none|all|~LIST",
		Doc:   "Give the daemon exactly these capabilities, whoever its user is.",
		Notes: "Blanks or commas, with or without cap_. The bounding set is limited to the list and, for a user other than root or with noroot, the ambient set is the list. The last one wins.",
		Class: ClassDrop,
		Value: &Value{NeverEmpty: true, Words: []string{"none", "all"}, field: &scalar[CapList]{func(p *Policy) *Opt[CapList] { return &p.Caps }, parseCaps, capListText}},
	},
	{
		Name: "Chroot", Own: true, Section: "Service",
		Option: "chroot", Arg: "DIR",
		Doc:   "Make this directory the root of the daemon, with nothing mounted in it.",
		Notes: "RootDirectory= with MountAPIVFS=no and BindLogSockets=no.",
		Class: ClassView,
		Value: &Value{NeverEmpty: true, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Chroot }, ParsePath, itself}},
	},
	{
		Name: "Bind", Own: true, Section: "Service",
		Option: "bind", Arg: "SRC[:DST]",
		Doc:   "Show SRC at DST, writable.",
		Class: ClassView, Support: NotYet, Why: whyMount,
	},
	{
		Name: "RoBind", Own: true, Section: "Service",
		Option: "ro-bind", Arg: "SRC[:DST]",
		Doc:   "Show SRC at DST, read-only.",
		Class: ClassView, Support: NotYet, Why: whyMount,
	},
	{
		Name: "Tmpfs", Own: true, Section: "Service",
		Option: "tmpfs", Arg: "PATH[:OPTIONS]",
		Doc:   "Mount an empty file system in memory at this path.",
		Class: ClassView, Support: NotYet, Why: whyMount,
	},
	{
		Name: "Env", Own: true, Section: "Service",
		Option: "env", Arg: "NAME=VALUE",
		Doc:   "Set one environment variable, the word being taken as it is.",
		Notes: "No quotes, no escapes: what the shell made of it is the value.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.Environment }, parse: parseEnvWord, text: itself, silent: true}},
	},
	{
		Name: "ClearEnv", Own: true, Section: "Service",
		Option: "clear-env", Arg: "BOOL", Default: "no",
		Doc:   "Start from an empty environment.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.ClearEnv })},
	},
	{
		Name: "KeepFD", Own: true, Section: "Service",
		Option: "keep-fd", Arg: "N",
		Doc:   "Keep this file descriptor open for the daemon.",
		Notes: "0 to 2 are always kept, all others closed.",
		Value: &Value{List: true, field: &list[int]{items: func(p *Policy) *List[int] { return &p.KeepFD }, parse: parseKeepFD, text: strconv.Itoa}},
	},
	{
		Name: "KeepTTY", Own: true, Section: "Service",
		Option: "keep-tty", Arg: "BOOL", Default: "no",
		Doc:   "Keep the controlling terminal although the user changes.",
		Notes: "Where TIOCSTI works, the daemon can then type into the shell it was started from.",
		Class: ClassDrop,
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.KeepTTY })},
	},
	{
		Name: "Init", Own: true, Section: "Service",
		Option: "init", Arg: "BOOL", Default: "no",
		Doc:   "Stay as a small parent that reaps children and forwards signals, for PID 1 of a container.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Init })},
	},
	{
		Name: "Parent", Own: true, Section: "Service",
		Option: "parent", Arg: "auto|never|always", Default: "auto",
		Doc:   "Choose whether a parent process may stay.",
		Notes: "auto and never are applied; always is refused.",
		Value: &Value{Words: []string{"auto", "never"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Parent }, parseParent, itself}},
	},
	{
		Name: "Waive", Own: true, Section: "Service",
		Option: "waive", Arg: "DIRECTIVE,...",
		Doc:   "Start although these directives cannot be had.",
		Notes: "Names of directives only: there is no way to waive all. Identity, view and streams cannot be waived.",
		Value: &Value{List: true, field: &waiveField{list[string]{items: func(p *Policy) *List[string] { return &p.Waive }, text: itself}}},
	},
	{
		Name: "Strict", Own: true, Section: "Service",
		Option: "strict", Arg: "BOOL", Default: "no",
		Doc:   "Refuse waivers and implied layers that cannot be had.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Strict })},
	},
	{
		Name: "Unknown", Own: true, Section: "Service",
		Option: "unknown", Arg: "refuse|warn", Default: "refuse",
		Doc:   "Choose what to do with unknown names and invalid values in units.",
		Value: &Value{Words: []string{"refuse", "warn"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Unknown }, parseUnknown, itself}},
	},
	{
		Name: "DropIn", Own: true, Section: "Service",
		Option: "drop-in", Arg: "FILE|@PROFILE",
		Doc:     "Apply this drop-in, or one of the profiles that come along.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "MinimalRoot", Own: true, Section: "Service",
		Option: "minimal-root", Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:   "Make a root with just what the command needs.",
		Class: ClassView, Support: NotYet, Why: whyMount,
	},
	{
		Name: "Log", Own: true, Section: "Service",
		Option: "log", Arg: "stderr|syslog|both", Default: "stderr",
		Doc:   "Choose where hardrun's own messages go.",
		Value: &Value{Words: []string{"stderr", "syslog", "both"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Log }, parseLog, itself}},
	},
	{
		Name: "UnitPath", Own: true, Section: "Service",
		Option: "unit-path", Arg: "PATH[:PATH...]",
		Doc:     "Search units in these directories.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "AllowLandlock", Own: true, Section: "Service",
		Option: "allow-landlock", Arg: "DIRECTIVE,...",
		Doc:   "Let Landlock stand in for these mounts, which is weaker.",
		Class: ClassShield, Support: NotYet, Why: "not yet applied: needs Landlock rules",
	},
	{
		Name: "Socket", Own: true, Section: "Service",
		Option: "socket", Arg: "BOOL|FILE", Neutral: []string{"no"},
		Doc:     "Open the sockets of the socket unit and pass them to the daemon.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "Listen", Own: true, Section: "Service",
		Option: "listen", Arg: "ADDRESS",
		Doc:     "Open this socket and pass it to the daemon.",
		Support: NotYet, Why: "not yet applied: needs sockets to pass",
	},
	{
		Name: "Do", Own: true, Section: "Service",
		Option: "do", Arg: "reload|stop",
		Doc:     "Run ExecReload= or ExecStop= instead of the daemon.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "PID", Own: true, Section: "Service",
		Option: "pid", Arg: "PID",
		Doc:     "Name the main process that --do acts on.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "ReadyFD", Own: true, Section: "Service",
		Option: "ready-fd", Arg: "N",
		Doc:     "Write a line to this descriptor when the daemon is ready.",
		Support: NotYet, Why: "not yet applied: needs a parent that listens to the daemon",
	},
	{
		Name: "SkipStatus", Own: true, Section: "Service",
		Option: "skip-status", Arg: "STATUS", Default: "0", Neutral: []string{"0"},
		Doc:     "Exit with this status when a condition is false.",
		Support: NotYet, Why: whyUnit,
	},
	{
		Name: "SeccompBPF", Own: true, Section: "Service",
		Option: "seccomp-bpf", Arg: "FILE",
		Doc:   "Load this compiled filter as well.",
		Class: ClassFilter, Support: NotYet, Why: whyFilter,
	},
	{
		Name: "FilterOut", Own: true, Section: "Service",
		Option: "filter-out", Arg: "FILE",
		Doc:     "Write the compiled filter to this file.",
		Support: NotYet, Why: whyFilter,
	},
	{
		Name: "Prove", Own: true, Section: "Service",
		Option: "prove", Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:   "Show that each protection holds before the daemon starts.",
		Class: ClassShield, Support: NotYet, Why: "not yet applied: needs probes that run inside of the confinement",
	},
	{
		Name: "ExplainDenials", Own: true, Section: "Service",
		Option: "explain-denials", Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:     "Say which directive was behind a system call that was refused.",
		Support: NotYet, Why: whyFilter,
	},
}
