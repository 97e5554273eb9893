package inspect

import (
	"errors"
	"runtime"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// attributes are the directives of what a process carries besides its credentials.
func (j *judge) attributes(name string, t *tally) bool {
	p, proc := j.p, j.proc
	if kind, ok := strings.CutPrefix(name, "Limit"); ok {
		j.limit(kind, t)
		return true
	}
	switch name {
	case "UMask":
		j.umask(t)
	case "Nice":
		j.schedule(t, func(s *schedule) string { return strconv.Itoa(s.nice) }, func(s *schedule) bool {
			return s.nice == p.Nice.V || p.Nice.V > 0 && s.nice > p.Nice.V
		})
	case "CPUSchedulingPolicy":
		j.schedule(t, func(s *schedule) string { return process.SchedPolicy(s.policy).String() }, func(s *schedule) bool { return s.policy == uint32(p.CPUSchedulingPolicy.V) })
	case "CPUSchedulingPriority":
		j.schedule(t, func(s *schedule) string { return "priority " + number32(s.priority) }, func(s *schedule) bool { return int(s.priority) == p.CPUSchedulingPriority.V })
	case "CPUSchedulingResetOnFork":
		if !p.CPUSchedulingResetOnFork.V {
			t.yes(asksNothing)
			break
		}
		j.schedule(t, func(s *schedule) string { return "reset on fork: " + policy.FormatBool(s.reset) }, func(s *schedule) bool { return s.reset })
	case "CPUAffinity":
		j.affinity(t)
	case "IOSchedulingClass":
		j.schedule(t, func(s *schedule) string { return process.IOClass(s.io >> 13).String() }, func(s *schedule) bool {
			return s.io>>13 == uint32(p.IOSchedulingClass.V) || p.IOSchedulingClass.V == process.IONone && s.io>>13 == uint32(process.IOBestEffort)
		})
	case "IOSchedulingPriority":
		j.schedule(t, func(s *schedule) string { return "I/O priority " + number32(s.io&7) }, func(s *schedule) bool { return int(s.io&7) == p.IOSchedulingPriority.V })
	case "OOMScoreAdjust":
		if why := proc.Why("OOMAdjust"); why != "" {
			t.cannot(why)
			break
		}
		have := strconv.Itoa(proc.OOMAdjust)
		t.when(proc.OOMAdjust >= p.OOMScoreAdjust.V, have, have+", asked "+strconv.Itoa(p.OOMScoreAdjust.V))
	case "CoredumpFilter":
		text, err := j.text("coredump_filter")
		n, bad := strconv.ParseUint(text, 16, 64)
		if err = errors.Join(err, bad); err != nil {
			t.cannot(err.Error())
			break
		}
		t.when(n&^p.CoredumpFilter.V == 0, "0x"+text, "0x"+text+", asked 0x"+strconv.FormatUint(p.CoredumpFilter.V, 16))
	case "TimerSlackNSec":
		text, err := j.text("timerslack_ns")
		if err != nil {
			t.cannot(err.Error())
			break
		}
		t.when(text == strconv.FormatUint(p.TimerSlackNSec.V, 10), text+" ns", text+" ns")
	case "Personality":
		want, err := process.ParsePersonality(p.Personality.V, runtime.GOARCH)
		have, err2 := j.personality()
		if err = errors.Join(err, err2); err != nil {
			t.cannot(err.Error())
			break
		}
		t.when(have&0xff == want, p.Personality.V, "another execution domain: 0x"+strconv.FormatUint(uint64(have), 16))
	case "IgnoreSIGPIPE":
		j.sigpipe(t)
	case "MemoryKSM":
		text, err := j.text("ksm_stat")
		switch {
		case err != nil:
			t.cannot("whether memory is merged cannot be seen: " + err.Error())
		default:
			on := strings.Contains(text, "ksm_merge_any: yes")
			t.when(on == p.MemoryKSM.V, "merging is as asked", "merging is not as asked")
		}
	case "MemoryTHP":
		text, err := j.text("status")
		_, on, found := strings.Cut(text, "\nTHP_enabled:\t")
		switch {
		case p.MemoryTHP.V != process.THPDisable, err != nil, !found:
			t.cannot("the treatment of huge pages cannot be seen from outside")
		default:
			t.when(strings.HasPrefix(on, "0"), "huge pages are off", "huge pages are on")
		}
	case "NUMAPolicy", "NUMAMask":
		t.cannot("a memory policy cannot be seen from outside")
	case "WorkingDirectory":
		j.cwd(t)
	case "Environment", "PassEnvironment", "UnsetEnvironment", "SetLoginEnvironment":
		j.environment(name, t)
	case "EnvironmentFile", "ExecSearchPath":
		t.cannot("it was read at the start")
	case "StandardInput":
		j.stream(0, p.StandardInput.V, t)
	case "StandardOutput":
		j.stream(1, p.StandardOutput.V, t)
	case "StandardError":
		j.stream(2, p.StandardError.V, t)
	case "TTYPath", "TTYReset", "TTYVHangup", "TTYVTDisallocate", "TTYRows", "TTYColumns", "StandardInputText", "StandardInputData":
		t.cannot("it was done at the start")
	default:
		return false
	}
	return true
}

// text is a file of /proc/PID, without the last line feed.
func (j *judge) text(name string) (string, error) {
	if j.blind != nil {
		return "", j.blind
	}
	text, err := j.see.text(name)
	return strings.TrimSuffix(text, "\n"), err
}

// octal is a mode as people write it: "0755".
func octal(n uint32) string {
	text := strconv.FormatUint(uint64(n), 8)
	return "0000"[min(4, len(text)):] + text
}

// umask: what a default says the daemon may have changed, as it may at any time.
func (j *judge) umask(t *tally) {
	if why := j.proc.Why("UMask"); why != "" {
		t.cannot(why)
		return
	}
	have, asked := j.proc.UMask, j.p.UMask.V
	text := octal(have) + ", asked " + octal(asked)
	switch {
	case asked&^have == 0:
		t.yes(octal(have))
	case t.from.Default:
		t.cannot(text + ": a daemon changes it by itself")
	case have&asked != 0:
		t.part(text)
	default:
		t.no(text)
	}
}

func (j *judge) limit(kind string, t *tally) {
	n := 0
	for n < len(process.Limits) && process.Limits[n].Name != kind {
		n++
	}
	if n == len(process.Limits) {
		t.cannot("there is no such limit")
		return
	}
	asked := j.p.Limits[n].V
	for _, l := range j.proc.Limits {
		if l.Name != kind {
			continue
		}
		have := process.Limit{Soft: l.Soft, Hard: l.Hard}
		text := have.String(n) + ", asked " + asked.String(n)
		switch {
		case l.Hard > asked.Hard:
			t.no(text)
		case l.Soft > asked.Soft && t.from.Default:
			t.cannot(text + ": a daemon raises its soft limit by itself")
		case l.Soft > asked.Soft:
			t.part(text + ": a process may raise its soft limit by itself")
		default:
			t.yes(have.String(n))
		}
		return
	}
	why := j.proc.Why("Limits")
	if why == "" {
		why = "the kernel does not tell it"
	}
	t.cannot(why)
}

// schedule is how a thread is scheduled.
type schedule struct {
	policy, priority uint32
	nice             int
	reset            bool
	io               uint32 // ioprio_get(2)
}

// maxThreads is how many threads are asked one by one.
const maxThreads = 256

// schedule asks every thread.
func (j *judge) schedule(t *tally, show func(*schedule) string, ok func(*schedule) bool) {
	left := maxThreads
	for i := range j.proc.Threads {
		for _, id := range j.proc.Threads[i].IDs {
			if left--; left < 0 {
				t.cannot("there are more threads than are looked at")
				return
			}
			s, err := scheduling(id)
			switch {
			case err != nil && id != j.proc.PID:
				// It has ended.
			case err != nil:
				t.cannot(err.Error())
			case ok(&s):
				t.yes(show(&s))
			default:
				t.no(threadNames([]int{id}) + ": " + show(&s))
			}
		}
	}
}

func (j *judge) affinity(t *tally) {
	asked := j.p.CPUAffinity.V
	have, err := affinity(j.proc.PID)
	switch {
	case asked.NUMA:
		t.cannot("the CPUs of NUMAMask= are not looked up")
	case err != nil:
		t.cannot(err.Error())
	case asked.CPUs.Union(have).Equal(asked.CPUs):
		t.yes("CPUs " + have.String())
	default:
		t.no("CPUs " + have.String() + ", asked " + asked.CPUs.String())
	}
}

func (j *judge) personality() (uint32, error) {
	text, err := j.text("personality")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 16, 32)
	return uint32(n), err
}

// sigpipe: a daemon decides it by itself, at any time.
func (j *judge) sigpipe(t *tally) {
	text, err := j.text("status")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	const bit = 1 << (13 - 1)
	mask := func(name string) uint64 {
		_, v, _ := strings.Cut(text, "\n"+name+":\t")
		v, _, _ = strings.Cut(v, "\n")
		n, _ := strconv.ParseUint(v, 16, 64) // a line that is not there stands for none
		return n
	}
	ignored, caught := mask("SigIgn")&bit != 0, mask("SigCgt")&bit != 0
	switch {
	case ignored == j.p.IgnoreSIGPIPE.V:
		t.yes("ignored: " + policy.FormatBool(ignored))
	case caught:
		t.yes("the daemon handles the signal by itself")
	default:
		t.cannot("ignored: " + policy.FormatBool(ignored) + ", which a daemon decides by itself")
	}
}

func (j *judge) cwd(t *tally) {
	path := j.p.WorkingDirectory.V.V
	if path == "~" {
		u, _, err := j.account()
		if err != nil {
			t.cannot(err.Error())
			return
		}
		path = u.Home
	}
	if j.blind != nil {
		t.cannot(j.blind.Error())
		return
	}
	have, err := j.see.target("cwd")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	want, err := j.look(path)
	if err == nil && want.same(&have) {
		t.yes(j.proc.Cwd)
		return
	}
	t.cannot("it is in " + j.proc.Cwd + ": a daemon changes it by itself")
}

// environment looks at what the process was started with, where that is still there.
func (j *judge) environment(name string, t *tally) {
	p := j.p
	text, err := j.text("environ")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	vars := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	value := func(name string) (string, bool) {
		for _, v := range vars {
			if rest, ok := strings.CutPrefix(v, name+"="); ok {
				return rest, true
			}
		}
		return "", false
	}
	gone := func(name string) {
		t.cannot(name + " is not to be seen: it was not given, or its place was written over, as daemons do for their title")
	}
	switch name {
	case "Environment":
		later := map[string]bool{}
		for i := range p.UnsetEnvironment.Items {
			n, _, _ := strings.Cut(p.UnsetEnvironment.Items[i].V, "=")
			later[n] = true
		}
		for i := len(p.Environment.Items) - 1; i >= 0; i-- {
			n, want, _ := strings.Cut(p.Environment.Items[i].V, "=")
			if later[n] {
				continue
			}
			later[n] = true
			have, found := value(n)
			switch {
			case !found:
				gone(n)
			case have == want:
				t.yes(n + " is as asked")
			case len(p.EnvironmentFile.Items) > 0 || len(p.PassEnvironment.Items) > 0:
				t.cannot(n + " is another: a file of variables, or what was passed, may have it")
			default:
				t.no(n + " is another")
			}
		}
		if t.good+t.bad+t.open == 0 {
			t.yes(asksNothing)
		}
	case "PassEnvironment":
		for i := range p.PassEnvironment.Items {
			if n := p.PassEnvironment.Items[i].V; second(value(n)) {
				t.yes(n + " is there")
			} else {
				gone(n)
			}
		}
	case "UnsetEnvironment":
		for i := range p.UnsetEnvironment.Items {
			n, v, whole := strings.Cut(p.UnsetEnvironment.Items[i].V, "=")
			have, found := value(n)
			if found && (!whole || have == v) {
				t.no(n + " is there")
			} else if vars[0] != "" {
				t.yes(n + " is not there")
			} else {
				t.cannot("there is no environment to be seen")
			}
		}
	case "SetLoginEnvironment":
		if !p.SetLoginEnvironment.V {
			t.yes(asksNothing)
			break
		}
		for _, n := range [...]string{"LOGNAME", "USER"} {
			have, found := value(n)
			switch {
			case !found:
				gone(n)
			case have == p.User.V || !p.User.Set:
				t.yes(n + "=" + have)
			default:
				u, _, err := j.account()
				t.when(err == nil && have == u.Name, n+"="+have, n+"="+have)
			}
		}
	}
}

// second is whether there was something.
func second(_ string, found bool) bool { return found }

// stream is one of the standard streams. A daemon may have put anything in its place.
func (j *judge) stream(fd int, s policy.Stream, t *tally) {
	const changed = ": a daemon changes it by itself"
	switch s.Kind {
	case policy.StreamInherit:
		t.yes(asksNothing)
		return
	case policy.StreamLog:
		t.cannot("where it leads to is not looked at")
		return
	}
	if j.blind != nil {
		t.cannot(j.blind.Error())
		return
	}
	have, err := j.see.target("fd/" + strconv.Itoa(fd))
	switch {
	case err != nil && s.Kind == policy.StreamNull:
		t.cannot("it is closed, or cannot be seen: " + err.Error())
		return
	case err != nil:
		t.cannot(err.Error())
		return
	}
	switch s.Kind {
	case policy.StreamNull:
		switch {
		case have.device() && have.major == 1 && have.minor == 3:
			t.yes("/dev/null")
		case have.terminal():
			t.no("it is a terminal")
		default:
			t.cannot("it is not /dev/null" + changed)
		}
	case policy.StreamFile, policy.StreamAppend, policy.StreamTruncate:
		want, err := hostPlace(s.Arg)
		if err == nil && want.same(&have) {
			t.yes(s.Arg)
		} else {
			t.cannot("it is not " + s.Arg + changed)
		}
	case policy.StreamTTY, policy.StreamTTYForce, policy.StreamTTYFail:
		if have.terminal() {
			t.yes("a terminal")
		} else {
			t.cannot("it is no terminal" + changed)
		}
	default:
		t.cannot("where it leads to is not looked at")
	}
}

// spaces are the directives of namespaces.
func (j *judge) spaces(name string, t *tally) bool {
	p := j.p
	switch name {
	case "PrivateNetwork":
		if !p.PrivateNetwork.V {
			t.yes(asksNothing)
			break
		}
		if j.space("net", "network", t) {
			j.interfaces(t)
		}
	case "PrivateIPC":
		j.flagSpace(p.PrivateIPC.V, "ipc", "IPC", t)
	case "PrivatePIDs":
		j.flagSpace(p.PrivatePIDs.V, "pid", "PID", t)
	case "PrivateMounts":
		j.flagSpace(p.PrivateMounts.V, "mnt", "mount", t)
	case "PrivateUsers":
		j.flagSpace(p.PrivateUsers.V != "no", "user", "user", t)
	case "NetworkNamespacePath":
		j.joined("net", p.NetworkNamespacePath.V, t)
	case "IPCNamespacePath":
		j.joined("ipc", p.IPCNamespacePath.V, t)
	case "UserNamespacePath":
		j.joined("user", p.UserNamespacePath.V, t)
	case "DelegateNamespaces":
		j.delegated(t)
	case "MountFlags":
		j.propagation(t)
	default:
		return false
	}
	return true
}

func (j *judge) flagSpace(on bool, kind, what string, t *tally) {
	if !on {
		t.yes(asksNothing)
		return
	}
	j.space(kind, what, t)
}

// space holds that a namespace is not that of process 1, for all threads.
func (j *judge) space(kind, what string, t *tally) bool {
	for i := range j.proc.Spaces {
		s := &j.proc.Spaces[i]
		if s.Kind != kind {
			continue
		}
		host, known := s.Host, s.Known
		if !known { // the threads of the kernel are where process 1 began
			if j.kernel == nil {
				j.kernel = j.r.kernelSpaces()
			}
			var inode uint64
			if inode, known = j.kernel[kind]; known {
				host = inode == s.Inode
			}
		}
		switch {
		case known && host:
			t.no("the " + what + " namespace is that of process 1")
			return false
		case !known && s.Own:
			t.no("the " + what + " namespace is the caller's own")
			return false
		case !known:
			t.cannot("the namespaces of process 1 cannot be seen: needs root")
			return false
		}
		t.yes("a " + what + " namespace of its own")
		j.apart(t, kind)
		return true
	}
	why := j.proc.Why("Spaces")
	if why == "" {
		why = "the " + what + " namespace cannot be seen"
	}
	t.cannot(why)
	return false
}

// interfaces holds that there is none but lo.
func (j *judge) interfaces(t *tally) {
	text, err := j.text("net/dev")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	for i, line := range strings.Split(text, "\n") {
		name, _, found := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); i < 2 || !found || name == "lo" {
			continue
		}
		if isStub(name) { // made with each namespace, and leads nowhere
			continue
		}
		t.part("it has the interface " + name)
	}
}

// isStub tells the interfaces that the modules of tunnels make in every new namespace, down.
func isStub(name string) bool {
	switch name {
	case "tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0":
		return true
	}
	return false
}

// joined compares a namespace with that of a path.
func (j *judge) joined(kind, path string, t *tally) {
	want, err := hostPlace(path)
	if err != nil {
		t.cannot(err.Error())
		return
	}
	for i := range j.proc.Spaces {
		if s := &j.proc.Spaces[i]; s.Kind == kind {
			t.when(s.Inode == want.ino, "that of "+path, "another namespace than "+path)
			j.apart(t, kind)
			return
		}
	}
	t.cannot(j.proc.Why("Spaces"))
}

// delegated holds that namespaces belong to the user namespace of the process.
func (j *judge) delegated(t *tally) {
	own := uint64(0)
	for _, s := range j.proc.Spaces {
		if s.Kind == "user" {
			own = s.Inode
		}
	}
	for _, s := range j.proc.Spaces {
		bit, known := map[string]ns.Kinds{"mnt": ns.NewNS, "cgroup": ns.NewCgroup, "uts": ns.NewUTS, "ipc": ns.NewIPC, "pid": ns.NewPID, "net": ns.NewNet}[s.Kind]
		if !known || j.p.DelegateNamespaces.V&bit == 0 || s.Host && s.Known {
			continue
		}
		owner, err := uint64(0), j.blind
		if err == nil {
			owner, err = j.see.owner(s.Kind)
		}
		switch {
		case err != nil:
			t.cannot(err.Error())
		default:
			t.when(owner == own, "the user namespace owns "+s.Kind, "the user namespace does not own "+s.Kind)
		}
	}
	if t.good+t.bad+t.open == 0 {
		t.yes("it has no such namespace of its own")
	}
}

// propagation is MountFlags=, by the marks in mountinfo.
func (j *judge) propagation(t *tally) {
	if !j.space("mnt", "mount", t) || j.p.MountFlags.V == "shared" {
		return
	}
	text, err := j.text("mountinfo")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	for line := range strings.Lines(text) {
		marks, _, _ := strings.Cut(line, " - ")
		switch {
		case strings.Contains(marks, " shared:"):
			t.part("mounts are shared with others")
			return
		case strings.Contains(marks, " master:") && j.p.MountFlags.V == "private":
			t.part("mounts follow those of others")
			return
		}
	}
}
