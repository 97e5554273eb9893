package policy

import "github.com/hardrun/hardrun/process"

// Command is one command line of a unit, systemd.service(5) "COMMAND LINES". Specifiers are
// expanded in it, variables are not.
type Command struct {
	Path string   // what is executed: an absolute path, or a name that is searched
	Args []string // argv, its first word included: Path, or what "@" gave
	// The prefixes.
	Ignore bool // "-": a failure is none
	Argv0  bool // "@": the first word of Args was given
	NoVars bool // ":": "$" is no variable
	Full   bool // "+": without the sandbox and the change of user
	NoUser bool // "!": without the change of user
	Shell  bool // "|": by the user's shell; with "@" by a login shell
}

// The command lists of a service, by their places in Service.Commands.
const (
	ExecCondition = iota
	ExecStartPre
	ExecStart
	ExecStartPost
	ExecReload
	ExecReloadPost
	ExecStop
	ExecStopPost
	execCount
)

// ExecNames are the names of the command lists, by their places in Service.Commands.
var ExecNames = [execCount]string{"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecReloadPost", "ExecStop", "ExecStopPost"}

// ExitStatuses are exit statuses and signals, systemd.service(5) "SuccessExitStatus=".
type ExitStatuses struct {
	Status  [4]uint64 // bit n: exit status n
	Signals uint64    // bit n-1: signal n
}

// Has tells whether the exit status is among them.
func (s *ExitStatuses) Has(status uint8) bool { return s.Status[status/64]>>(status%64)&1 == 1 }

// HasSignal tells whether the signal is among them.
func (s *ExitStatuses) HasSignal(n int) bool { return n > 0 && n <= 64 && s.Signals>>(n-1)&1 == 1 }

// Service is the life of a service: systemd.service(5) and systemd.kill(5). Times are in
// microseconds, process.Infinity is none.
type Service struct {
	Type     Opt[string] // simple, exec, forking, oneshot, notify, notify-reload, idle, dbus
	Commands [execCount]List[Command]

	RemainAfterExit Opt[bool]
	PIDFile         Opt[string] // absolute
	NotifyAccess    Opt[string] // none, main, exec, all

	TimeoutStartSec           Opt[uint64]
	TimeoutStopSec            Opt[uint64]
	TimeoutAbortSec           Opt[uint64]
	RuntimeMaxSec             Opt[uint64]
	RuntimeRandomizedExtraSec Opt[uint64]
	TimeoutStartFailureMode   Opt[string] // terminate, abort, kill
	TimeoutStopFailureMode    Opt[string]

	KillSignal      Opt[int]
	FinalKillSignal Opt[int]
	WatchdogSignal  Opt[int] // what TimeoutStartFailureMode=abort sends, too
	ReloadSignal    Opt[int]
	SendSIGHUP      Opt[bool]
	SendSIGKILL     Opt[bool]

	SuccessExitStatus Opt[ExitStatuses]

	RootDirectoryStartOnly Opt[bool]
	PermissionsStartOnly   Opt[bool]
	NonBlocking            Opt[bool]
	OpenFile               List[OpenFile]
}

// OpenFile is a file that is opened before privileges are dropped, and passed on.
type OpenFile struct {
	Path, Name                           string
	ReadOnly, Append, Truncate, Graceful bool
}

// DirectoryKind is the place of a directory that is made for the service.
type DirectoryKind uint8

// The kinds of systemd.exec(5), RuntimeDirectory=.
const (
	RuntimeDirectory       DirectoryKind = iota // /run
	StateDirectory                              // /var/lib
	CacheDirectory                              // /var/cache
	LogsDirectory                               // /var/log
	ConfigurationDirectory                      // /etc
	DirectoryKinds
)

// Directory is one of them: its name below the place, links to it there, and whether the
// service may only read it.
type Directory struct {
	Name     string // "named/keys": normal, relative
	Links    []string
	ReadOnly bool
}

// Credential is one of LoadCredential= (Path, or empty for the id's own name in the
// credential stores), SetCredential= (Set, Data), ImportCredential= (ID is a pattern).
type Credential struct {
	ID     string
	Path   string
	Data   string
	Set    bool
	Import bool
	Rename string // ImportCredential=GLOB:RENAME
}

// ListenKind is what is opened for Listener.
type ListenKind uint8

// The kinds of systemd.socket(5) that can be passed on.
const (
	ListenStream ListenKind = iota
	ListenDatagram
	ListenSequentialPacket
	ListenFIFO
	ListenSpecial
	ListenNetlink
	ListenMessageQueue
)

// Listener is a socket, FIFO, or the like that is opened for the service before privileges
// are dropped.
type Listener struct {
	Kind    ListenKind
	Address string // as systemd.socket(5) writes it: "127.0.0.1:53", "/run/x", "@abstract", "53", "vsock:…"
	// Of --listen only: they stand in place of those of Socket.
	Mode        Opt[uint32]
	User, Group Opt[string]
	Name        string // for LISTEN_FDNAMES
}

// Socket is a socket unit, systemd.socket(5), and --listen.
type Socket struct {
	Listen             List[Listener]
	FileDescriptorName Opt[string]
	BindIPv6Only       Opt[string] // default, both, ipv6-only
	Backlog            Opt[uint32]
	BindToDevice       Opt[string]
	User, Group        Opt[string] // SocketUser=, SocketGroup=
	Mode               Opt[uint32] // SocketMode=
	DirectoryMode      Opt[uint32]
	Protocol           Opt[string] // SocketProtocol=: udplite, sctp, mptcp
	Symlinks           List[string]
	RemoveOnStop       Opt[bool]
	Service            Opt[string] // the unit that gets them
	// Options of the sockets themselves, setsockopt(2). Times are in microseconds.
	ReusePort, FreeBind, Transparent, Broadcast, KeepAlive, NoDelay Opt[bool]
	PassCredentials, PassPIDFD, PassSecurity, PassPacketInfo        Opt[bool]
	PassFD                                                          Opt[bool] // AcceptFileDescriptors=
	Writable                                                        Opt[bool] // of ListenSpecial=
	ReceiveBuffer, SendBuffer, PipeSize, Mark                       Opt[uint64]
	IPTOS, IPTTL, Priority                                          Opt[int]
	Timestamping, TCPCongestion                                     Opt[string]
	KeepAliveTimeSec, KeepAliveIntervalSec, DeferAcceptSec          Opt[uint64]
	KeepAliveProbes                                                 Opt[uint32]
	MessageQueueMaxMessages, MessageQueueMessageSize                Opt[uint64]
}

// Condition is a Condition…= or Assert…= line.
type Condition struct {
	Kind    string // without "Condition" and "Assert": "PathExists"
	Value   string
	Trigger bool // "|": one of these is enough
	Negate  bool // "!"
	Assert  bool
}

// infinity is no limit of time.
const infinity = process.Infinity
