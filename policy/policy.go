// Package policy is the vocabulary of hardrun: what confinement a daemon
// should have, in the words of systemd.exec(5), and nothing of how it is done.
//
// Options, -p and unit files all end in the same call:
//
//	var p policy.Policy
//	err := p.Set("NoNewPrivileges", "yes", policy.Origin{File: "named.service", Line: 14})
//
// The table of directives (Directives) is the one place where a directive is
// described: its name, its option, its parser, its documentation. The manual
// page, the completion and `hardrun directives` are printed from it.
package policy

import (
	"strconv"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// Origin is where a value was written: a line of a file, or an option.
type Origin struct {
	File string // "named.service", or the option as it was typed: "--user", "-p"
	Line int    // the line in File, from 1; 0 for the command line
	// Default marks what nobody wrote: systemd's default for the service of a unit. What
	// cannot be had of it is noted, not refused.
	Default bool
}

// String is "named.service:14" for a line, "--user" for an option, and empty
// for the zero Origin.
func (o Origin) String() string {
	if o.Default {
		return "default"
	}
	if o.Line > 0 {
		return o.File + ":" + strconv.Itoa(o.Line)
	}
	return o.File
}

// CommandLine tells whether the value was written on the command line. There
// an empty value is refused where nothing was set before (DESIGN: an unset
// shell variable must not mean root, or unfiltered).
func (o Origin) CommandLine() bool { return o.Line == 0 && !o.Default }

// Opt is one setting: its value, whether anybody set it, and where. The zero
// Opt is unset, so that a zero value (uid 0, "no") is never confused with none.
type Opt[T any] struct {
	V    T
	Set  bool
	From Origin
}

// Item is one value of a setting that accumulates, and where it was written.
type Item[T any] struct {
	V    T
	From Origin
}

// List is a setting that accumulates. Reset is set by an empty assignment, as
// in systemd.exec(5): what stood before it is gone, and "asked for, empty" is
// not the same as unset.
type List[T any] struct {
	Items []Item[T]
	Reset bool
	From  Origin // of the last assignment

	owner *List[T] // whose array Items is: a copy of a policy must not append to it
}

// add appends values. A copy of a list gets an array of its own: append makes one where no
// room is left.
func (l *List[T]) add(values []T, from Origin) {
	if l.owner != l {
		l.Items, l.owner = l.Items[:len(l.Items):len(l.Items)], l
	}
	for _, v := range values {
		l.Items = append(l.Items, Item[T]{V: v, From: from})
	}
	l.From = from
}

// keep drops the items that do not hold, and with them what the list was reset by.
func (l *List[T]) keep(holds func(v *T) bool) {
	old := l.Items
	*l = List[T]{}
	for i := range old {
		if holds(&old[i].V) {
			l.add([]T{old[i].V}, old[i].From)
		}
	}
}

// IsSet tells whether the list was assigned at all, be it the empty list.
func (l *List[T]) IsSet() bool { return l.Reset || len(l.Items) > 0 }

// Policy is what was asked for. The zero Policy asks for nothing.
type Policy struct {
	// Identity.
	User                Opt[string]
	Group               Opt[string]
	SupplementaryGroups List[string]
	ExactGroups         Opt[bool] // --user U:G,H: exactly the groups that are named
	SetLoginEnvironment Opt[bool]

	// Privileges. A "~" gives a set which has the numbers that no kernel knows yet,
	// too: whoever applies it takes those up to cap_last_cap.
	CapabilityBoundingSet Opt[caps.Set]
	AmbientCapabilities   Opt[caps.Set]
	Caps                  Opt[CapList] // --caps: both of the above, by user
	SecureBits            Opt[caps.SecureBits]
	NoNewPrivileges       Opt[bool]
	SELinuxContext        Opt[Tolerant]
	AppArmorProfile       Opt[Tolerant]
	SmackProcessLabel     Opt[Tolerant]
	KeyringMode           Opt[process.KeyringMode]
	SeccompBPF            Opt[string] // --seccomp-bpf: the path of a ready program

	// System calls.
	SystemCallFilter        List[CallLine]
	SystemCallErrorNumber   Opt[seccomp.Action]
	SystemCallArchitectures List[string]
	SystemCallLog           List[CallLine]
	RestrictAddressFamilies Opt[Families]
	RestrictNamespaces      Opt[uint32] // the kinds that stay open
	RestrictRealtime        Opt[bool]
	RestrictSUIDSGID        Opt[bool]
	LockPersonality         Opt[bool]
	MemoryDenyWriteExecute  Opt[bool]
	AllowNewCalls           Opt[bool]   // --allow-new-calls
	FilterBackend           Opt[string] // --filter-backend: own, libseccomp
	FilterOut               Opt[string] // --filter-out
	ExplainDenials          Opt[bool]   // --explain-denials

	// Root and paths.
	RootDirectory    Opt[string]
	Chroot           Opt[string] // --chroot: RootDirectory= as a plain cage
	MountAPIVFS      Opt[bool]
	BindLogSockets   Opt[bool]
	WorkingDirectory Opt[Tolerant] // "~" is the user's home
	ExecSearchPath   List[string]
	MinimalRoot      Opt[bool] // --minimal-root

	// Namespaces.
	PrivateNetwork       Opt[bool]
	NetworkNamespacePath Opt[string]
	PrivateIPC           Opt[bool]
	IPCNamespacePath     Opt[string]
	PrivateMounts        Opt[bool]
	MountFlags           Opt[string] // shared, slave, private
	PrivatePIDs          Opt[bool]
	PrivateUsers         Opt[string] // no, self, identity, full
	UserNamespacePath    Opt[string]
	ProtectHostname      Opt[Hostname]
	DelegateNamespaces   Opt[ns.Kinds]

	// The view of the file system.
	ProtectSystem         Opt[string] // no, yes, full, strict
	ProtectHome           Opt[string] // no, yes, read-only, tmpfs
	PrivateTmp            Opt[string] // no, yes, disconnected
	PrivateDevices        Opt[bool]
	ProtectKernelTunables Opt[bool]
	ProtectKernelModules  Opt[bool]
	ProtectKernelLogs     Opt[bool]
	ProtectClock          Opt[bool]
	ProtectControlGroups  Opt[string] // no, yes, private, strict
	ProtectProc           Opt[string] // default, noaccess, invisible, ptraceable
	ProcSubset            Opt[string] // all, pid
	PrivateBPF            Opt[bool]
	ReadWritePaths        List[PathRule]
	ReadOnlyPaths         List[PathRule]
	InaccessiblePaths     List[PathRule]
	ExecPaths             List[PathRule]
	NoExecPaths           List[PathRule]
	Binds                 List[Bind] // BindPaths=, BindReadOnlyPaths=, --bind, --ro-bind
	TemporaryFileSystem   List[Tmpfs]
	AllowLandlock         List[string] // names of directives

	// The process.
	UMask                    Opt[uint32]
	Limits                   [16]Opt[process.Limit] // by RLIMIT_ number of process.Limits
	Nice                     Opt[int]
	OOMScoreAdjust           Opt[int]
	CoredumpFilter           Opt[uint64]
	TimerSlackNSec           Opt[uint64]
	Personality              Opt[string]
	IgnoreSIGPIPE            Opt[bool]
	CPUSchedulingPolicy      Opt[process.SchedPolicy]
	CPUSchedulingPriority    Opt[int]
	CPUSchedulingResetOnFork Opt[bool]
	CPUAffinity              Opt[CPUAffinity]
	NUMAPolicy               Opt[process.NUMAPolicy]
	NUMAMask                 Opt[NUMAMask]
	IOSchedulingClass        Opt[process.IOClass]
	IOSchedulingPriority     Opt[int]
	MemoryKSM                Opt[bool]
	MemoryTHP                Opt[process.THP]

	// Environment.
	Environment      List[string] // NAME=VALUE
	EnvironmentFile  List[Tolerant]
	PassEnvironment  List[string]
	UnsetEnvironment List[string] // NAME or NAME=VALUE
	ClearEnv         Opt[bool]    // --clear-env

	// Standard streams and the terminal.
	StandardInput    Opt[Stream]
	StandardOutput   Opt[Stream]
	StandardError    Opt[Stream]
	InputData        List[string] // StandardInputText= and StandardInputData=, decoded, in order
	TTYPath          Opt[string]
	TTYReset         Opt[bool]
	TTYVHangup       Opt[bool]
	TTYVTDisallocate Opt[bool]
	TTYRows          Opt[uint16]
	TTYColumns       Opt[uint16]

	// The control group: what may be reached.
	DevicePolicy              Opt[string] // auto, closed, strict
	DeviceAllow               List[DeviceRule]
	IPAddressAllow            List[IPRule]
	IPAddressDeny             List[IPRule]
	SocketBindAllow           List[cgroup.BindRule]
	SocketBindDeny            List[cgroup.BindRule]
	RestrictNetworkInterfaces Opt[cgroup.Names]
	RestrictFileSystems       Opt[cgroup.Names] // file systems, and groups of them: "@network"
	BindNetworkInterface      Opt[string]
	IPIngressFilterPath       List[string]
	IPEgressFilterPath        List[string]
	BPFProgram                List[BPFProgram]

	// The control group: how much may be used.
	MemoryMin                Opt[Size]
	MemoryLow                Opt[Size]
	MemoryHigh               Opt[Size]
	MemoryMax                Opt[Size]
	MemorySwapMax            Opt[Size]
	MemoryZSwapMax           Opt[Size]
	MemoryZSwapWriteback     Opt[bool]
	TasksMax                 Opt[Size]   // Bytes is the count
	CPUWeight                Opt[uint32] // 1…10000; 0 is "idle"
	CPUQuota                 Opt[uint32] // in 1/10000 of a CPU
	CPUQuotaPeriodSec        Opt[uint64] // in microseconds
	AllowedCPUs              Opt[process.CPUSet]
	AllowedMemoryNodes       Opt[process.CPUSet]
	CPUSetPartition          Opt[string] // member, root, isolated
	IOWeight                 Opt[uint32] // 1…10000
	IODeviceWeight           List[IODevice]
	IOReadBandwidthMax       List[IODevice] // bytes per second
	IOWriteBandwidthMax      List[IODevice]
	IOReadIOPSMax            List[IODevice]
	IOWriteIOPSMax           List[IODevice]
	IODeviceLatencyTargetSec List[IODevice] // in microseconds

	// The control group: which one, and what the service does with it.
	CGroup           Opt[string] // --cgroup: a path from the root of the tree, or from hardrun's own group
	Delegate         Opt[Delegation]
	DelegateSubgroup Opt[string]
	KillMode         Opt[string] // control-group, mixed, process, none

	// The service: its life, and what is made for it.
	Service       Service
	Directories   [DirectoryKinds]List[Directory]
	DirectoryMode [DirectoryKinds]Opt[uint32]
	// RuntimeDirectoryPreserve=: no, yes, restart.
	RuntimeDirectoryPreserve Opt[string]
	DynamicUser              Opt[bool]
	RemoveIPC                Opt[bool]
	Credentials              List[Credential]
	Conditions               List[Condition]
	Socket                   Socket

	// hardrun's own.
	KeepFD  List[int]
	KeepTTY Opt[bool]
	Init    Opt[bool]
	Parent  Opt[string] // auto, never, always
	Waive   List[string]
	Strict  Opt[bool]
	Unknown Opt[string] // refuse, warn
	Log     Opt[string] // stderr, syslog, both
	// What is read, and what is done with it.
	Unit       Opt[string]  // --unit: a name, or a file
	UnitPath   List[string] // directories
	DropIn     List[string] // files, and @PROFILE
	SocketUnit List[string] // --socket: names and files, "yes" for that of the unit
	Do         Opt[string]  // reload, stop
	PID        Opt[int]     // the main process, for --do
	ReadyFD    Opt[int]
	SkipStatus Opt[int] // 0…255

	// Noted are assignments of directives which belong to a service manager:
	// known, listed by plan, and no error (Restart=, After=, WantedBy= …).
	Noted []Assignment
	// NotApplied are assignments of directives which are known and not yet
	// applied, or cannot exist here. A launch refuses while there is one that
	// is not waived.
	NotApplied []Assignment

	// Expand resolves the specifiers of a unit in a text, systemd.unit(5); nil on the command
	// line, where "%" is a per cent sign.
	Expand func(text string) (string, error)

	// owner is whose arrays Noted and NotApplied are: a copy of a policy must not append to them.
	owner *Policy

	// ambientCut remembers that a "~" line took capabilities away from
	// AmbientCapabilities=, so that a further one is not taken for the first.
	ambientCut bool

	// implied is what ForCommand has added, until Normalize tells of it.
	implied []Implied
}

// Assignment is one "Name=value" as it was written.
type Assignment struct {
	Directive *Directive
	Value     string
	From      Origin
}

// Tolerant is a value whose "-" prefix lets absence pass (ENOENT of a path, an
// LSM that is not there), and nothing else.
type Tolerant struct {
	V        string
	Tolerate bool
}

// CapList is the value of --caps: the set that is listed, or with Invert all
// but that.
type CapList struct {
	Set    caps.Set
	Invert bool
	All    bool // the word "all"
}

// CPUAffinity is a set of CPUs, or with NUMA those of the nodes of NUMAMask=.
type CPUAffinity struct {
	CPUs process.CPUSet
	NUMA bool
}

// NUMAMask is a set of memory nodes, or with All every node there is.
type NUMAMask struct {
	Nodes process.CPUSet
	All   bool
}

// StreamKind says what a standard stream is connected to.
type StreamKind uint8

// The kinds of systemd.exec(5), StandardInput= and StandardOutput=.
const (
	StreamInherit  StreamKind = iota // as it was given to hardrun; for stdout and stderr "inherit" means the stream before
	StreamNull                       // /dev/null
	StreamFile                       // file:PATH
	StreamAppend                     // append:PATH
	StreamTruncate                   // truncate:PATH
	StreamFD                         // fd:NAME, a descriptor of LISTEN_FDNAMES, or fd:N
	StreamTTY                        // tty
	StreamTTYForce                   // tty-force
	StreamTTYFail                    // tty-fail
	StreamData                       // data: StandardInputText= and StandardInputData=
	StreamSocket                     // socket: the one descriptor of LISTEN_FDS
	StreamLog                        // journal, syslog, kmsg and their +console forms: the inherited stream, noted
)

// Stream is where a standard stream goes; Arg is the path or the name.
type Stream struct {
	Kind StreamKind
	Arg  string
	Word string // as written, without the argument: "journal+console"
}
