package cgroup

import "strings"

// Home is the group of the service in one hierarchy: made, joined, and left behind for
// the next start, or removed by a parent that stays.
type Home struct {
	Tree  Tree
	Path  string // below the mount: "/hardrun-named"
	Fixed bool   // it must be this one; else the next free number is put behind the name
	FD    int    // the directory, once it is there; -1 before
	// Mover starts to move the process by a cgroup.procs, and answers what waits for the end
	// of that: nil, or an errno. It is nil where there is none.
	Mover func(fd int) (wait func() error, err error)

	parent int          // the directory above it
	name   string       // what it is called in there
	joined func() error // waits until the process is there
	gone   bool         // it was waived: nothing is done with it
	bare   bool         // its controllers were
}

// NewHome is a home that does not exist yet.
func NewHome(t Tree, path string, fixed bool) *Home {
	return &Home{Tree: t, Path: path, Fixed: fixed, FD: -1, parent: -1}
}

// Held takes the group over from an earlier start of this process, which has made it.
func (h *Home) Held(fd int) { h.FD = fd }

// GiveUp leaves out all that is to be done with the group: what needs it was waived.
func (h *Home) GiveUp() { h.gone = true }

func (h *Home) kind() string {
	if h.Tree.Unified {
		return "cgroup"
	}
	return strings.Join(h.Tree.Controllers, ",") + " cgroup"
}

func (h *Home) at(file string) string {
	return strings.TrimSuffix(h.Tree.Mount, "/") + h.Path + file
}

// procs is the file that a process is moved by. Of v1 it is the one for a thread: there
// the thread that executes the daemon is all that is left of the process.
func (h *Home) procs() string {
	if h.Tree.Unified {
		return "cgroup.procs"
	}
	return "tasks"
}

// Make makes the group. One of that name from an earlier start is removed first, with all
// that was set in it, if no process is left there. It is the caller's until the process
// ends: others pass it by (flock(2)).
type Make struct{ *Home }

func (s Make) String() string { return s.kind() + " " + s.Path }

// Mechanism is the call as strace shows it.
func (s Make) Mechanism() string { return "mkdir(\"" + s.at("") + "\")" }

// Join moves the process into the group. The kernel takes its time for that (Linux waits
// for a grace period of RCU), and meanwhile the launch goes on (Mover): Joined waits for it.
type Join struct{ *Home }

func (s Join) String() string { return "join the " + s.kind() }

// Mechanism is the call as strace shows it.
func (s Join) Mechanism() string { return "write(\"" + s.at("/"+s.procs()) + "\", \"0\")" }

// Joined waits until the process is in the group, and reads that back.
type Joined struct{ *Home }

func (s Joined) String() string { return "in the " + s.kind() }

// Mechanism is the call as strace shows it.
func (s Joined) Mechanism() string { return "read(\"" + s.at("/"+s.procs()) + "\")" }

// Enable gives controllers to the group: each group above it must hand them down,
// cgroups(7) "cgroup.subtree_control".
type Enable struct {
	*Home
	Controllers []string
}

func (s Enable) String() string { return "controllers " + strings.Join(s.Controllers, " ") }

// GiveUp leaves the controllers out, and what would be set by them.
func (s Enable) GiveUp() { s.bare = true }

// Mechanism is the call as strace shows it.
func (s Enable) Mechanism() string {
	above, _ := Split(s.Path)
	return "write(\"" + strings.TrimSuffix(s.Tree.Mount, "/") + strings.TrimSuffix(above, "/") + "/cgroup.subtree_control\", \"+" + strings.Join(s.Controllers, " +") + "\")"
}

// Give makes the group the daemon's user's, who may make groups below it, cgroups(7)
// "Cgroups delegation". What is set in it stays root's.
type Give struct {
	*Home
	UID, GID    uint32
	Controllers []string // which it shall have besides
}

// Delegable are the controllers that Delegate= knows, systemd.resource-control(5).
var Delegable = [...]string{"cpu", "cpuset", "io", "memory", "pids"}

func (s Give) String() string { return "delegate the " + s.kind() }

// GiveUp is never called: Delegate= cannot be waived.
func (s Give) GiveUp() {}

// Mechanism is the call as strace shows it.
func (s Give) Mechanism() string { return "fchownat(\"" + s.at("/cgroup.procs") + "\")" }

// Subgroup is DelegateSubgroup=: a group below the own one, into which the process moves.
type Subgroup struct {
	*Home
	Name     string
	UID, GID uint32
}

func (s Subgroup) String() string { return "cgroup " + s.Name + " below it" }

// GiveUp is never called: DelegateSubgroup= cannot be waived.
func (s Subgroup) GiveUp() {}

// Mechanism is the call as strace shows it.
func (s Subgroup) Mechanism() string {
	return "mkdir(\"" + s.at("/"+s.Name) + "\"), write(\"" + s.at("/"+s.Name+"/cgroup.procs") + "\", \"0\")"
}

// Set is a setting of the group, read back.
type Set struct {
	*Home
	Setting Setting
}

func (s *Set) String() string {
	switch {
	case s.Setting.Check:
		return s.Setting.File + " granted of " + s.Setting.Want
	case s.Setting.Inherit:
		return s.Setting.File + " as above"
	}
	return s.Setting.File + " = " + s.Setting.Value
}

// GiveUp leaves out this setting only.
func (s *Set) GiveUp() {}

// Mechanism is the call as strace shows it.
func (s *Set) Mechanism() string {
	if s.Setting.Check {
		return "read(\"" + s.at("/"+s.Setting.File) + "\")"
	}
	return "write(\"" + s.at("/"+s.Setting.File) + "\", \"" + s.Setting.Value + "\")"
}

// Lower is a setting that could end or stop the launch itself: how much memory and time
// the group has, and how many tasks. It is opened in Go, and written by a row.
type Lower struct {
	Set

	fd int
}

// Late tells whether a setting is one for Lower.
func (s Setting) Late() bool {
	switch s.Controller {
	case "memory", "pids", "cpu":
		return true
	}
	return false
}
