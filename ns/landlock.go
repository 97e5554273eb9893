package ns

import (
	"slices"
	"strconv"
	"strings"
)

// Landlock holds rules for paths by landlock(7), where mounts cannot be had. It is
// weaker than mounts: what is no opening, making, removing, renaming or truncating
// of a file stays as it was.
//
// The kernel grants and never takes back: all that is handled is denied but for
// the trees that are named. So a denied path in a tree that is not denied is left
// out by granting what stands beside it, at each level of the way down. What is
// made later in the directories of that way is not granted, and these directories
// themselves can neither be changed nor, on the way to a hidden path, be listed.
//
// Rules mean what they mean to Protect; Shallow means nothing here. Paths are
// those of the daemon's root, and are looked up once that is there.
type Landlock struct {
	Rules []*Rule

	// Who the daemon will be: whether a denied attempt shows anything depends on what
	// the plain permissions let that user do.
	UID, GID uint32
	Groups   []uint32

	state landlockState
}

func (s *Landlock) String() string {
	var parts []string
	for _, k := range []struct {
		what string
		is   func(r *Rule) bool
	}{
		{"inaccessible", func(r *Rule) bool { return r.Access == Hidden }},
		{"read-only", func(r *Rule) bool { return r.Access == Unwritable }},
		{"as writable as it was:", func(r *Rule) bool { return r.Access == Writable || r.Access == WritableImplicit }},
		{"noexec", func(r *Rule) bool { return r.Exec == Unexecutable }},
		{"executable", func(r *Rule) bool { return r.Exec == Executable }},
	} {
		var paths []string
		for _, r := range s.Rules {
			if k.is(r) && !slices.Contains(paths, r.Path) {
				paths = append(paths, r.Path)
			}
		}
		if len(paths) > 0 {
			parts = append(parts, k.what+" "+strings.Join(paths, " "))
		}
	}
	return strings.Join(parts, ", ")
}

// Mechanism is the calls as strace shows them.
func (*Landlock) Mechanism() string {
	return "landlock_create_ruleset, landlock_add_rule, landlock_restrict_self"
}

// LandlockLack says why this version of Landlock cannot keep what the rules
// promise; empty where it can. Version 0 is none at all.
func LandlockLack(version int, rules []*Rule) string {
	need, why := 0, ""
	for _, r := range rules {
		for _, n := range []struct {
			takes   bool
			version int
			why     string
		}{
			{r.Access == Hidden, 5, "devices below an inaccessible path could be controlled by ioctl(2)"},
			{r.Access == Unwritable, 3, "files below a read-only path could be truncated"},
			{r.Exec == Unexecutable, 2, "no file could be moved to another directory any more"},
		} {
			if n.takes && n.version > need {
				need, why = n.version, n.why
			}
		}
	}
	switch {
	case need == 0 || version >= need:
		return ""
	case version < 1:
		return "this kernel has no Landlock, or does not let it be used"
	}
	return "version " + strconv.Itoa(need) + " of Landlock is needed, and this kernel has " + strconv.Itoa(version) + ": " + why
}

// aspects are the kinds of use that rules give and take.
type aspects uint8

const (
	aspectWrite aspects = 1 << iota
	aspectRead
	aspectExec

	aspectAll = aspectWrite | aspectRead | aspectExec
)

// rights are the LANDLOCK_ACCESS_FS flags of linux/landlock.h.
type rights uint64

const (
	rightExecute   rights = 1 << 0
	rightWriteFile rights = 1 << 1
	rightReadFile  rights = 1 << 2
	rightReadDir   rights = 1 << 3
	rightsRemove   rights = 1<<4 | 1<<5
	rightsMake     rights = 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	rightRefer     rights = 1 << 13 // from version 2; without it every move to another directory is denied
	rightTruncate  rights = 1 << 14 // from version 3
	rightIoctlDev  rights = 1 << 15 // from version 5
	rightUnix      rights = 1 << 16 // from version 9: connecting to a socket

	// rightsFile are those of a rule for what is no directory.
	rightsFile = rightExecute | rightWriteFile | rightReadFile | rightTruncate | rightIoctlDev | rightUnix
)

// rights are those which make up an aspect, as far as a version knows them.
func (a aspects) rights(version int) rights {
	var r rights
	if a&aspectWrite != 0 {
		r |= rightWriteFile | rightsRemove | rightsMake | rightRefer | rightTruncate
	}
	if a&aspectRead != 0 {
		r |= rightReadFile | rightReadDir | rightIoctlDev | rightUnix
	}
	if a&aspectExec != 0 {
		r |= rightExecute
	}
	for _, since := range []struct {
		version int
		right   rights
	}{{2, rightRefer}, {3, rightTruncate}, {5, rightIoctlDev}, {9, rightUnix}} {
		if version < since.version {
			r &^= since.right
		}
	}
	return r
}

// ruleNode is a path without links, what the rules for it say, and the nodes
// below it which lead to further rules.
type ruleNode struct {
	access Access
	exec   Execution
	kids   map[string]*ruleNode
}

// place is the path and what is said of it.
type place struct {
	path    string
	aspects aspects
}

// grants is what comes of rules: what is restricted at all, and how.
type grants struct {
	restricted aspects // what is denied anywhere; nothing else is handled
	granted    []place // trees and files
	denied     []place // paths from which on something is denied
	barred     []place // what must not be granted for them: these paths and the way down to them
}

// put adds what a rule says of a path. Of two rules for a path the stricter holds.
func (n *ruleNode) put(path string, r *Rule) {
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		if n.kids[part] == nil {
			if n.kids == nil {
				n.kids = make(map[string]*ruleNode)
			}
			n.kids[part] = &ruleNode{}
		}
		n = n.kids[part]
	}
	if r.Access != AsIs && (n.access == AsIs || r.Access < n.access) {
		n.access = r.Access
	}
	if r.Exec != ExecAsIs && (n.exec == ExecAsIs || r.Exec < n.exec) {
		n.exec = r.Exec
	}
}

// allows is what may be done at a node below one where have may be done.
func (n *ruleNode) allows(have aspects) aspects {
	switch n.access {
	case Hidden:
		return 0
	case Unwritable:
		have &^= aspectWrite
	case Writable, WritableImplicit:
		have |= aspectWrite
	}
	switch n.exec {
	case Unexecutable:
		have &^= aspectExec
	case Executable:
		have |= aspectExec
	}
	return have
}

// lacks is what may not be done at a node, or somewhere below it.
func (n *ruleNode) lacks(have aspects) aspects {
	have = n.allows(have)
	lack := aspectAll &^ have
	for _, kid := range n.kids {
		lack |= kid.lacks(have)
	}
	return lack
}

// at is what may be done at a path.
func (n *ruleNode) at(path string) aspects {
	have := n.allows(aspectAll)
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" || n.access == Hidden {
			continue
		}
		if n = n.kids[part]; n == nil {
			break
		}
		have = n.allows(have)
	}
	return have
}

// grants computes what must be granted. list names what is in a directory.
func (n *ruleNode) grants(list func(dir string) ([]string, error)) (*grants, error) {
	g := &grants{restricted: n.lacks(aspectAll)}
	if g.restricted == 0 {
		return g, nil
	}
	return g, g.visit("/", n, aspectAll, 0, list)
}

// visit goes down the nodes: have may be done above, given is granted above.
func (g *grants) visit(path string, n *ruleNode, have, given aspects, list func(dir string) ([]string, error)) error {
	may, lack := n.allows(have), n.lacks(have)
	if lack != 0 {
		g.barred = append(g.barred, place{path, lack})
	}
	if taken := have &^ may; taken != 0 {
		g.denied = append(g.denied, place{path, taken})
	}
	whole := may &^ lack &^ given & g.restricted
	if whole != 0 {
		g.granted = append(g.granted, place{path, whole})
		given |= whole
	}
	if n.access == Hidden {
		return nil
	}
	if part := may &^ given & g.restricted; part != 0 {
		names, err := list(path)
		if err != nil {
			return err
		}
		for _, name := range names {
			if n.kids[name] == nil {
				g.granted = append(g.granted, place{join(path, name), part})
			}
		}
	}
	names := make([]string, 0, len(n.kids))
	for name := range n.kids {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := g.visit(join(path, name), n.kids[name], may, given, list); err != nil {
			return err
		}
	}
	return nil
}
