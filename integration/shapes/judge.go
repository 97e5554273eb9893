package shapes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Class is how a start with fewer rights ended.
type Class string

const (
	Equal    Class = "equal"    // the daemon has the state that it has with all rights
	Refused  Class = "refused"  // by the name of a directive that truly needs what is missing
	Needless Class = "needless" // refused, though no directive that it names needs what is missing
	Weaker   Class = "weaker"   // the daemon ran in another state
	Bad      Class = "bad"      // no daemon, and no refusal by name with a status of the table
	Hang     Class = "hang"     // no end
)

// Classes is the order in which they are printed.
var Classes = []Class{Equal, Refused, Needless, Weaker, Bad, Hang}

// Point is a start with fewer rights.
type Point struct {
	Shape   *Shape
	Missing Subset
	Docker  bool
}

func (p Point) String() string {
	how := "plain"
	if p.Docker {
		how = "docker"
	}
	return p.Shape.Name + ", without " + p.Missing.String() + ", " + how
}

// Points are all of the matrix.
func Points() (list []Point) {
	for i := range List {
		for _, docker := range []bool{false, true} {
			for m := range 1 << len(Capabilities) {
				list = append(list, Point{&List[i], Subset(m), docker})
			}
		}
	}
	return list
}

// Outcome is what is known of a start.
type Outcome struct {
	Point
	Class  Class
	Names  []string // of a refusal
	Detail []string
}

// What the starter ends with of its own.
const (
	StarterFault = 97
	StarterOver  = 98
)

// statusKnown tells whether a status is one of "Process exit codes" of systemd.exec(5).
func statusKnown(n int) bool { return n >= 200 && n <= 245 }

// Judge finds the class of a start. want is what the daemon says with all rights.
func Judge(p Point, want, got *Report, code int, stderr string) Outcome {
	o := Outcome{Point: p}
	bad := func(c Class, format string, args ...any) Outcome {
		o.Class = c
		o.Detail = append(o.Detail, fmt.Sprintf(format, args...))
		return o
	}
	if code == StarterOver {
		return bad(Hang, "it did not end; %q", stderr)
	}
	if len(got.Left) > 0 {
		return bad(Bad, "left behind: %q", got.Left)
	}
	if got.Files && !strings.Contains(p.Shape.Asked(), "Directory=") { // those stay
		return bad(Bad, "left files behind")
	}
	if got.Started {
		o.Detail = Differences(p, want, got)
		switch {
		case len(o.Detail) > 0:
			o.Class = Weaker
		case code != 0:
			return bad(Bad, "the daemon ended with 0, and the status is %d; %q", code, stderr)
		default:
			o.Class = Equal
		}
		return o
	}
	names, whole := Named(stderr)
	o.Names = names
	if !statusKnown(code) || !whole {
		return bad(Bad, "status %d, %q", code, stderr)
	}
	o.Class = Refused
	for _, n := range names {
		if !Justified(p.Shape, n, p.Missing, p.Docker) {
			return bad(Needless, "%s= does not need what is missing; status %d, %q", n, code, stderr)
		}
	}
	return o
}

// Differences are where a state is not that with all rights. It may have less: what is
// missing is in no bounding set, and of a daemon that stays root in no set at all;
// no_new_privs is set where a filter is loaded without CAP_SYS_ADMIN, seccomp(2); and there
// is what withoutNodes allows. The filter of Docker is beside those of the daemon.
func Differences(p Point, want, got *Report) (list []string) {
	state := maps.Clone(want.State)
	root := strings.HasPrefix(state["thread 0 Uid"], "0 ")
	less := func(key string) {
		n, err := strconv.ParseUint(state[key], 16, 64)
		if err == nil {
			state[key] = fmt.Sprintf("%016x", n&^p.Missing.Mask())
		}
	}
	for k := range state {
		bounding := k == "cap_bnd" || strings.HasSuffix(k, " CapBnd")
		if bounding || root && (strings.HasPrefix(k, "cap_") || strings.Contains(k, " Cap")) {
			less(k)
		}
	}
	if state["seccomp"] == "2" && p.Missing.Has("SYS_ADMIN") && state["no_new_privs"] == "0" && got.State["no_new_privs"] == "1" {
		state["no_new_privs"], state["thread 0 NoNewPrivs"] = "1", "1"
	}
	if p.Docker {
		n, err := strconv.Atoi(state["filters"])
		if err != nil {
			return []string{"the number of filters is not known: " + state["filters"]}
		}
		state["filters"], state["seccomp"], state["thread 0 Seccomp"] = strconv.Itoa(n+1), "2", "2"
		state["session_keyring_is"] = "" // keyctl(2) is denied to the daemon as well
	}
	if p.Missing.Has("MKNOD") || state["namespace user"] == "own" {
		withoutNodes(state, got.State)
	}
	for _, k := range slices.Sorted(maps.Keys(state)) {
		if g, ok := got.State[k]; !ok {
			list = append(list, "-"+k+": "+state[k])
		} else if g != state[k] {
			list = append(list, "-"+k+": "+state[k], "+"+k+": "+g)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got.State)) {
		if _, ok := state[k]; !ok {
			list = append(list, "+"+k+": "+got.State[k])
		}
	}
	acts := p.Shape.Acts()
	if len(got.Answers) != len(acts) || len(want.Answers) != len(acts) {
		return append(list, fmt.Sprintf("%d acts were answered, of %d", len(got.Answers), len(acts)))
	}
	for i := range acts {
		w, g := &want.Answers[i], &got.Answers[i]
		// What fails may fail for another reason: the filter of Docker answers first.
		if w.failed(acts[i]) != g.failed(acts[i]) || !p.Docker && w.Errno != g.Errno {
			list = append(list, fmt.Sprintf("%s: answered %d %q, want %d %q", acts[i], g.Value, g.Errno, w.Value, w.Errno))
		}
	}
	return list
}

// withoutNodes allows for what is there where no device can be made, mknod(2): what covers
// an inaccessible one is a file, and a small /dev has the host's devices, which are
// mounted read-only each, and terminals of its own.
func withoutNodes(want, got map[string]string) {
	for k, v := range want {
		if rest, ok := strings.CutPrefix(v, "/chr "); ok && strings.HasPrefix(k, "mount ") && got[k] == "/file "+rest {
			want[k] = got[k]
		}
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		k := "mount /dev/" + name
		if v := got[k]; want[k] == "" && strings.HasPrefix(v, "/"+name+" /dev/"+name+" ro,") {
			want[k] = v
		}
	}
	if v := got["mount /dev/pts"]; strings.HasPrefix(v, "/ /dev/pts rw,nosuid,noexec,") && strings.HasPrefix(want["mount /dev"], "/ /dev ro,") {
		want["mount /dev/pts"] = v
	}
}
