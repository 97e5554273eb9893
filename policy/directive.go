package policy

// Support says what hardrun does with a directive.
type Support uint8

const (
	// Applied directives are parsed, planned, applied and read back.
	Applied Support = iota
	// NotYet directives are known and not yet applied: a launch refuses by name.
	NotYet
	// Impossible directives cannot exist without systemd (or need what one
	// static binary does not have): a launch refuses by name, Why says why.
	Impossible
	// Manager directives belong to a service manager (Restart=, After=, …):
	// plan lists them, a launch ignores them.
	Manager
)

// Class groups directives by what a failure means, and whether --waive=NAME
// may let the daemon start without them.
type Class uint8

const (
	// ClassPlain directives confine nothing: streams, environment, terminals. They
	// cannot be waived: a failure is a refusal, as a half-made context helps nobody.
	ClassPlain Class = iota
	// ClassIdentity: User=, Group=, SupplementaryGroups=, DynamicUser=. Never waivable.
	ClassIdentity
	// ClassDrop: capabilities, securebits, no_new_privs, LSM labels. Waivable.
	ClassDrop
	// ClassFilter: system-call filters. Waivable.
	ClassFilter
	// ClassView: directives which change what a path means (RootDirectory=,
	// BindPaths=, PrivateTmp= …). Never waivable.
	ClassView
	// ClassShield: directives which take away (ProtectSystem=, PrivateNetwork= …). Waivable.
	ClassShield
	// ClassLimit: limits and scheduling. Waivable.
	ClassLimit
	// ClassResource: what needs a cgroup. Waivable.
	ClassResource
	// ClassLog: how records of the daemon's output and of its session are marked,
	// sorted or thinned out. Waivable: it confines nothing, and the daemon runs the same.
	ClassLog
)

// Waivable tells whether --waive= may name a directive of this class.
func (c Class) Waivable() bool {
	return c != ClassPlain && c != ClassIdentity && c != ClassView
}

// Directive is one row of the table: all that hardrun knows of one setting.
type Directive struct {
	Name    string   // as systemd spells it: "NoNewPrivileges"; for our own: "KeepFD" (X-Hardrun-KeepFD= in a unit)
	Own     bool     // hardrun's own, not systemd's
	Section string   // the unit section it stands in: "Service", "Unit", "Install", "Socket"
	Man     string   // the manual page of systemd 262 that describes it: "systemd.exec(5)"; empty for our own
	Aliases []string // old names that mean the same: "ReadOnlyDirectories"
	Option  string   // the long option without dashes: "no-new-privileges"; empty with NoOption
	Short   string   // a one-letter option: "u"
	Arg     string   // the argument in help: "BOOL", "USER[:GROUP...]", "PATH"
	Default string   // systemd 262's default for a system service, as it would be written; empty when unset
	Doc     string   // one sentence, our own words
	Notes   string   // more: where hardrun is stricter, or does otherwise than systemd, and traps; may be empty
	Class   Class
	Support Support
	Why     string // why it is not applied; empty for Applied
	Value   *Value // parser and field; nil unless Applied

	// Specifiers says how specifiers are resolved where it stands in a unit.
	Specifiers Specifiers
	// Parent is what a parent process has to stay for, as a reason; empty where it never
	// has to. Whether it does depends on the value: Policy.NeedsParent.
	Parent string

	// NoOption marks a directive which has no option of its own.
	NoOption bool
	// OptionAliases are further options that mean the same: "no-new-privs".
	OptionAliases []string
	// OldSection is a section in which systemd still takes the directive, too:
	// StartLimitBurst= stood in [Service] before it moved to [Unit].
	OldSection string
	// Neutral are the values which ask for nothing, so that a directive which is
	// not applied need not be refused for them: DynamicUser=no. "no" and "yes" stand
	// for every spelling of theirs.
	Neutral []string
}

// Value ties a directive to its field in Policy.
type Value struct {
	// Bool marks a directive whose bare option means yes, and which takes a
	// value only by "=".
	Bool bool
	// NeverEmpty marks a directive for which an empty value is always refused on
	// the command line (User=, Group=, RootDirectory=, --caps): an unset shell
	// variable must not mean root, or unfiltered.
	NeverEmpty bool
	// List marks a directive whose repeats accumulate.
	List bool
	// Words completes a value; for help and completion.
	Words []string

	field field
}

// ConfigName is the name as it stands in a unit file: systemd's own, or
// "X-Hardrun-KeepFD" for hardrun's.
func (d *Directive) ConfigName() string {
	if d.Own {
		return ownPrefix + d.Name
	}
	return d.Name
}

// ownPrefix makes hardrun's own directives invisible to systemd, which passes
// over names that begin with "X-" (systemd.unit(5)).
const ownPrefix = "X-Hardrun-"

// Reference is the version of systemd whose directives, defaults and meanings
// the table has.
const Reference = "262"
