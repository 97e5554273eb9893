package policy

// The manual pages of systemd 262 that describe the directives.
const (
	manExec     = "systemd.exec(5)"
	manService  = "systemd.service(5)"
	manKill     = "systemd.kill(5)"
	manResource = "systemd.resource-control(5)"
	manUnit     = "systemd.unit(5)"
	manSocket   = "systemd.socket(5)"
)

// Why a directive is not applied, where several share the reason. They follow
// "refused: " in a message.
const (
	whyFilter = "not yet applied: needs a system-call filter"
	whyCgroup = "not yet applied: needs a cgroup"

	whyImage   = "needs systemd's image dissection: partitions, dm-verity, loop devices"
	whyQuota   = "needs a manager that hands out project ids of file systems"
	whyJournal = "is done by systemd-journald to the records it receives"
	whySealed  = "needs the keys of systemd-creds or a TPM"
	whySlice   = "belongs to a manager that keeps slices: --cgroup=PATH places the service"
	whyDisable = "needs a manager that watches the groups below the service: name in Delegate= the controllers that they may have"
	whyBelow   = "needs a manager that keeps the units of a slice: give each of them "
	whyStartup = "needs a manager that knows when the machine has started: give the directive without Startup"
	whyV1      = "controls cgroup v1, which systemd 262 does not do either"

	whyManager = "belongs to the service manager"
	whyStop    = "belongs to the service manager, which stops the daemon"
	whyLog     = "belongs to the log, which is the supervisor's: the daemon's output is left as it is"
	whySocket  = "belongs to the service manager, which runs commands for a socket"
	whyXAttr   = "tells other programs of the socket, and is left to the service manager"
	whyUtmp    = "belongs to who keeps the records of sessions: the daemon runs the same without one"
	whyCount   = "asks for counters, which confine nothing"
	whyOOMD    = "belongs to systemd-oomd"
	whyGone    = "was given up by systemd"
)

// Notes that several directives share.
const (
	notesPaths = "Lines accumulate, an empty one resets; of two paths the deeper one counts. The prefix - lets a path be missing, + makes it one of the new root. " +
		"With RootDirectory= a path without + is one of the host: outside of the root it protects nothing, and is noted. With CAP_SYS_ADMIN the daemon can undo it."
	notesBinds = "SOURCE is a path of the host, which - lets be missing, TARGET one of the daemon's root, but not /; \"\\:\" is a colon in a path. Options are rbind and norbind. " +
		"An empty value resets BindPaths= and BindReadOnlyPaths= alike."
)
