package launcher

import (
	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// Step is one thing that a launch does. String is the line of plan, the middle
// of an error, and what the executor says. A step is one of two kinds, or both:
//
//   - Prepare, Apply and Verify run in Go. Prepare looks and opens before
//     anything changed; Apply changes; Verify reads back at once.
//   - Do and Check write rows for the executor: the change, and the read-back,
//     which comes directly after the change and once more before the end.
//
// Packages below satisfy these interfaces without knowing them.
type Step interface {
	String() string
	Mechanism() string // the system call, as strace shows it
}

// Entry is a step in its place, with what asked for it.
type Entry struct {
	Stage     Stage
	Step      Step
	Directive string        // "User="; empty for what hardrun does of itself
	Origin    policy.Origin // where that was written
	Because   string        // why a step is there that nobody wrote
	Exit      int           // the exit status of its failure
	Transient bool          // a state that a later step replaces: not read back in the end

	group uint8
	flags uint8
}

// Note is something the reader of a plan should know. IDs are stable.
type Note struct {
	ID     string
	Text   string
	Class  NoteClass
	Origin policy.Origin // where the setting that it is about was written; the zero Origin for none
}

// Start is what must be done before the Go runtime starts: hardrun starts again,
// with the same words, in the process that its constructor made.
type Start struct {
	UserNS   *ns.UserMaps // a user namespace; nil for none
	PIDNS    bool         // a PID namespace, and a parent that waits outside of it
	PIDFirst bool         // the PID namespace belongs to the user namespace of the start
	Init     bool         // a parent that waits
	Explain  bool         // a process that explains denials
	Outer    bool         // what the user namespace does not own was made before it, by root
	Denied   int          // the errno by which one was denied before; 0 where it was not
	Lacked   caps.Set     // what root's bounding set lacks, and shall lack in the user namespace, which fills it

	Homes []*cgroup.Home // what the parent removes when the daemon has ended
	Kill  bool           // and before that it kills who is left in the first of them
	// Delegate says that the groups below them may be the daemon's.
	Delegate bool

	// Before a user namespace in which they could not be set any more.
	setGroups bool
	groups    []uint32

	tail  string   // the directive it is for: "PrivatePIDs= --private-pids"
	hints []string // how a launch could go on without
}

// Plan is the ordered list of steps that Compile made. What it prints is what
// Apply does.
type Plan struct {
	For     string // "root", "self", "launch"
	Entries []Entry
	Refused []Refusal
	Waived  []Refusal // refusals that --waive= let pass
	Notes   []Note
	Implied []policy.Implied
	Filter  *seccomp.Filter // what the directives say of system calls; nil for nothing
	Program seccomp.Program // the program made of it, without its canary
	Start   *Start          // what a second start is needed for; nil when there is nothing, or it was done

	argv, environ []string
	path          string
	command       *openCommand
	homes         []*cgroup.Home // the service's control groups
	join          *ns.Join       // UserNamespacePath=, which is joined by the executor
	handles
}

// Args is the argument vector of the daemon.
func (pl *Plan) Args() []string { return pl.argv }

// Environ is the environment of the daemon.
func (pl *Plan) Environ() []string { return pl.environ }
