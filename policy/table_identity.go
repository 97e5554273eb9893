package policy

import (
	"github.com/hardrun/hardrun/caps"
)

// identityTable is systemd.exec(5): user and group identity, capabilities, security, mandatory access control.
var identityTable = [...]Directive{
	{
		Name: "User", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "user", Short: "u", Arg: "USER[:GROUP[,GROUP...]]",
		Doc:   "Run the daemon as this user, with the groups that the user database gives it.",
		Notes: "On the command line USER:GROUP,GROUP names exactly the groups the daemon gets; in a unit a name or a number stands alone. A number without an entry in the user database is taken only as UID:GID. An empty option is refused, as it would mean root.",
		Class: ClassIdentity,
		Value: &Value{NeverEmpty: true, field: userField{}},
	},
	{
		Name: "Group", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "group", Arg: "GROUP",
		Doc:   "Run the daemon with this primary group instead of the one of its user.",
		Class: ClassIdentity,
		Value: &Value{NeverEmpty: true, field: &groupField{scalar[string]{func(p *Policy) *Opt[string] { return &p.Group }, ParseUserName, itself}}},
	},
	{
		Name: "SupplementaryGroups", Section: "Service", Man: manExec, Specifiers: InWords,
		Option: "supplementary-groups", Arg: "GROUP...",
		Doc:   "Add these groups to those which the group database gives to the user.",
		Class: ClassIdentity,
		Value: &Value{List: true, field: &groupsField{list[string]{items: func(p *Policy) *List[string] { return &p.SupplementaryGroups }, parse: parseGroups, text: itself}}},
	},
	{
		Name: "SetLoginEnvironment", Section: "Service", Man: manExec,
		Option: "set-login-environment", Arg: "BOOL",
		Doc:   "Set HOME, LOGNAME and SHELL from the user database.",
		Notes: "Unset, it is yes where User= or --user is given, and no otherwise.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.SetLoginEnvironment })},
	},
	{
		Name: "DynamicUser", Section: "Service", Man: manExec,
		Option: "dynamic-user", Arg: "BOOL", Default: "no",
		Doc:   "Make up a user and group for the life of the service.",
		Notes: "It brings along RemoveIPC=, ProtectSystem=strict, ProtectHome=read-only, PrivateTmp=, NoNewPrivileges= and RestrictSUIDSGID=.",
		Class: ClassIdentity,
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.DynamicUser })},
	},
	{
		Name: "PAMName", Section: "Service", Man: manExec,
		Option: "pam-name", Arg: "NAME",
		Doc:   "Open a PAM session under this service name.",
		Class: ClassIdentity, Support: Impossible, Why: "needs libpam and its modules inside of the process, which one static binary does not have",
	},
	{
		Name: "CapabilityBoundingSet", Section: "Service", Man: manExec,
		Option: "capability-bounding-set", Arg: "[~]CAPABILITY...",
		Doc:   "Limit the capabilities which the daemon and its children can ever have.",
		Notes: "Lines are united, those with ~ subtracted; the first line with ~ means all but these, an empty one means none. Names go without CAP_, too.",
		Class: ClassDrop,
		Value: &Value{List: true, field: &capSet{opt: func(p *Policy) *Opt[caps.Set] { return &p.CapabilityBoundingSet }, fresh: everyCapability}},
	},
	{
		Name: "AmbientCapabilities", Section: "Service", Man: manExec,
		Option: "ambient-capabilities", Arg: "[~]CAPABILITY...",
		Doc:   "Give these capabilities to a daemon which runs as an ordinary user.",
		Notes: "Lines are united as for CapabilityBoundingSet=, but what one line with ~ has taken away entirely is not brought back by the next, as systemd does.",
		Class: ClassDrop,
		Value: &Value{List: true, field: &capSet{opt: func(p *Policy) *Opt[caps.Set] { return &p.AmbientCapabilities }, cut: func(p *Policy) *bool { return &p.ambientCut }}},
	},
	{
		Name: "Capabilities", Section: "Service", Man: manExec,
		NoOption: true, Arg: "TEXT",
		Doc:   "Set capabilities in the text form of libcap.",
		Notes: "systemd 262 passes over it; AmbientCapabilities= and CapabilityBoundingSet= have taken its place.",
		Class: ClassDrop, Support: Impossible, Why: whyGone,
	},
	{
		Name: "NoNewPrivileges", Section: "Service", Man: manExec,
		Option: "no-new-privileges", OptionAliases: []string{"no-new-privs"}, Arg: "BOOL", Default: "no",
		Doc:   "Never let execve(2) raise privileges, neither by set-id bits nor by file capabilities.",
		Class: ClassDrop,
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.NoNewPrivileges })},
	},
	{
		Name: "SecureBits", Section: "Service", Man: manExec,
		Option: "secure-bits", Arg: "FLAG...",
		Doc:   "Set the flags which change how the kernel treats user 0 and capabilities.",
		Notes: "Repeats are or-ed, an empty value means none. execve(2) clears keep-caps.",
		Class: ClassDrop,
		Value: &Value{List: true, Words: []string{"keep-caps", "keep-caps-locked", "no-setuid-fixup", "no-setuid-fixup-locked", "noroot", "noroot-locked", "no-cap-ambient-raise", "no-cap-ambient-raise-locked", "exec-restrict-file", "exec-restrict-file-locked", "exec-deny-interactive", "exec-deny-interactive-locked"}, field: &merged[caps.SecureBits]{func(p *Policy) *Opt[caps.SecureBits] { return &p.SecureBits }, caps.ParseSecureBits, caps.SecureBits.String, uniteBits, true}},
	},
	{
		Name: "SELinuxContext", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "selinux-context", Arg: "[-]CONTEXT",
		Doc:   "Run the daemon under this SELinux security context.",
		Notes: "systemd passes over it where SELinux is off; here only the prefix - does that.",
		Class: ClassDrop,
		Value: &Value{field: &scalar[Tolerant]{func(p *Policy) *Opt[Tolerant] { return &p.SELinuxContext }, ParseTolerantLabel, tolerantText}},
	},
	{
		Name: "AppArmorProfile", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "apparmor-profile", Arg: "[-]PROFILE",
		Doc:   "Run the daemon under this AppArmor profile, which must be loaded.",
		Notes: "systemd passes over it where AppArmor is off; here only the prefix - does that.",
		Class: ClassDrop,
		Value: &Value{field: &scalar[Tolerant]{func(p *Policy) *Opt[Tolerant] { return &p.AppArmorProfile }, ParseTolerantLabel, tolerantText}},
	},
	{
		Name: "SmackProcessLabel", Section: "Service", Man: manExec, Specifiers: WholeValue,
		Option: "smack-process-label", Arg: "[-]LABEL",
		Doc:   "Run the daemon under this SMACK label.",
		Notes: "systemd passes over it where SMACK is off; here only the prefix - does that.",
		Class: ClassDrop,
		Value: &Value{field: &scalar[Tolerant]{func(p *Policy) *Opt[Tolerant] { return &p.SmackProcessLabel }, ParseTolerantLabel, tolerantText}},
	},
}
