package launcher

import (
	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// Snapshot is the state of the process before the Go runtime changed it. On
// Linux it is taken by a constructor in C; elsewhere by what can be asked.
type Snapshot struct {
	Ignored, Blocked uint64 // bit n-1 for signal n
	Limits           [16]process.Limit
	Raised           uint32         // bit n: the soft limit n was raised for the runtime
	TimerSlack       uint64         // nanoseconds; 0 for a real-time thread, which has none
	Affinity         process.CPUSet // of the main thread
	AffinityBytes    int            // the size of the kernel's mask
	Standard         [3]File        // what descriptors 0…2 are; /dev/null for a closed one
	Leads            uint8          // bit n: descriptor n of 0…2 is a directory, or one of O_PATH: it leads out of a view
	Closed           uint8          // bit n: descriptor n of 0…2 was closed
	Again            Again          // what was done before a second start
	Environ          []string       // as execve(2) delivered it, in its order, duplicates included
}

// Again is what the constructor did before a second start of hardrun, as the
// first one had planned it (Plan.Start). The zero Again is the first start.
type Again struct {
	UserNS, PIDNS, Init bool
	Explain             bool     // who explains denials was started
	Socket              int      // the way to it
	Outer               bool     // the namespaces that the user namespace does not own were made before it
	Denied              int      // the errno by which a user namespace was denied; 0 where it was not
	Lacked              caps.Set // Start.Lacked of the first start
	Guessed             bool     // the constructor made a PID namespace by a guess: this is the first start
	CGroups             []int    // the control groups that were made, by their directories
	Starter             int      // the PID of the first start, which who started hardrun knows; 0 in the first
}

// Any tells whether this is a second start.
func (a Again) Any() bool { return a.UserNS || a.PIDNS || a.Init || a.Explain }

// File tells a file from others: its device and inode, stat(2).
type File struct{ Dev, Ino uint64 }

// CapState is the five sets of a thread, capabilities(7).
type CapState struct{ Inheritable, Permitted, Effective, Bounding, Ambient caps.Set }

// Env is what is there: all that Compile needs to know of the machine, the
// process, and the names that the policy mentions. It is data; Gather reads it.
type Env struct {
	For string // whom the plan is for: "root", "self", or "launch"

	Snapshot
	PID         int
	Parent      int       // getppid(2): 0 for one outside of this PID namespace
	ParentSeen  string    // its number in the status text; empty where that does not tell it
	UIDs, GIDs  [3]uint32 // real, effective, saved
	Groups      []uint32
	Caps        CapState
	Nice        int // the nice level; filled only when Nice= asks
	LastCap     int // the highest capability of the kernel
	SecureBits  caps.SecureBits
	NoNewPrivs  bool
	FDSize      int          // how many descriptors the table had room for at the start; 0 when not known
	NoSetgroups bool         // setgroups(2) is denied in this user namespace
	OldMounts   bool         // no mount_setattr(2): Linux before 5.12; filled only for a view
	Landlock    int          // the version of Landlock; filled only for --allow-landlock
	UIDMap      []ns.UserMap // the ids of this user namespace; filled only for PrivateUsers=
	GIDMap      []ns.UserMap
	InUserNS    bool   // the user namespace is not the first one: devices cannot be made; filled only for a view
	InChroot    bool   // the root of the process is no mount: hardrun was started in a chroot(2)
	Proc        bool   // a verified /proc is there
	Shared      bool   // a controlling terminal is shared with who started hardrun
	Terminal    bool   // and TIOCSTI works
	Nodes       []Node // memory nodes; filled only when NUMAMask= or CPUAffinity=numa needs them
	LSMs        LSM    // filled only when a label is asked for
	GOOS        string
	GOARCH      string

	// What the names of the policy stand for. They are looked up in the host's
	// files, never in the new root's.
	User       caps.User
	UserGroups []uint32 // initgroups(3): the user's groups, the primary one first
	Group      caps.Group
	Extra      []uint32   // SupplementaryGroups=
	Own        caps.User  // who hardrun runs as; filled only for a service without a user
	EnvFiles   [][]string // one list of NAME=VALUE for each EnvironmentFile=
	Listen     int        // descriptors 3…3+Listen-1 are meant for the daemon: LISTEN_FDS with our LISTEN_PID
	ListenFor  bool       // LISTEN_ variables are there, for us or for another
	FDNames    []string   // LISTEN_FDNAMES
	Command    Command
	// What an empty root holds, --minimal-root: the files that the command needs, the
	// small files made for it, and what cannot be known.
	Closure      []ns.File
	Texts        []ns.Text
	ClosureNotes []string

	Given *Given // what a command of a service gets; nil for a bare command line
	Split bool   // /bin is no link to /usr/bin; filled only for a service

	CGroups CGroups // filled only where a directive may need one

	Filter seccomp.Program // --seccomp-bpf
	Arch   uint32          // AUDIT_ARCH_ of this machine, and its number of execve(2)
	Execve uint32

	Killable    bool   // a call that is asked about waits for nothing but the answer; filled only for --explain-denials
	OldFilters  bool   // Linux before 4.8, where ptrace(2) gets around a filter; filled only where one is needed
	MDWE        bool   // this kernel has PR_SET_MDWE; filled only for MemoryDenyWriteExecute=
	Personality uint32 // the execution domain that LockPersonality= leaves; filled only for it

	handles

	Seen Seen // filled only for a plan
	// Aside says that this is another command of a service than the main one, of whose daemon
	// the notes of a plan are. CommandFrom is where the command was written. Both are for who
	// plans a service to set.
	Aside       bool
	CommandFrom policy.Origin

	// Problems are what could not be found: they are refused together with all
	// else that is missing.
	Problems []Refusal
}

// handles are what Gather opened and Apply goes on with.
type handles struct {
	proc       int  // the verified /proc; -1 when there is none that knows this process
	self       int  // the own directory in it
	status     int  // the own status text
	fullStatus bool // the text tells of everything that is read back
}

// Node is a memory node and its CPUs.
type Node struct {
	ID   int
	CPUs process.CPUSet
}

// LSM says which of the labelling security modules is there.
type LSM struct{ SELinux, AppArmor, Smack bool }

// Command is the program to run, as it was found inside of the new root.
type Command struct {
	Args   []string // argv
	Path   string   // what is executed, a path inside of the root
	Interp string   // the interpreter of a script or a dynamic program
	// Search are the paths where the command may be once the view is complete, where
	// mounts decide what is found; empty where Path is known.
	Search []string
}

// Refusal is something that was asked for and cannot be had here.
type Refusal struct {
	Directive string // "User="
	Origin    policy.Origin
	Text      string // the reason: "unknown user \"nosuch\""
	Hint      string
	Exit      int
	Waivable  bool
}

// Error is the refusal as one line.
func (r *Refusal) Error() string {
	s := r.Text
	if r.Directive != "" {
		s = r.Directive + ": " + s
		if r.Origin != (policy.Origin{}) {
			s += " (" + r.Origin.String() + ")"
		}
	}
	return s
}

func (e *Env) linux() bool { return e.GOOS == "linux" }
