package process

import "strconv"

// Steps are what the launcher puts into a plan. String is the line that plan
// prints and the middle of an error; Mechanism is the system call. On Linux
// each lowers itself to rows: Do changes, Check reads back.

// SetLimit sets one resource limit, setrlimit(2).
type SetLimit struct {
	N     int // RLIMIT_ number
	Limit Limit
}

func (s SetLimit) String() string { return LimitName(s.N) + " " + s.Limit.String(s.N) }

// Mechanism is the call as strace shows it.
func (s SetLimit) Mechanism() string { return "prlimit64(0, RLIMIT_" + LimitName(s.N) + ")" }

// SetUMask sets the file mode creation mask, umask(2).
type SetUMask struct{ Mode uint32 }

func (s SetUMask) String() string { return "umask " + octal(s.Mode) }

// Mechanism is the call as strace shows it.
func (s SetUMask) Mechanism() string { return "umask(" + octal(s.Mode) + ")" }

// SetNice sets the nice level, setpriority(2).
type SetNice struct{ Level int }

func (s SetNice) String() string { return "nice " + strconv.Itoa(s.Level) }

// Mechanism is the call as strace shows it.
func (s SetNice) Mechanism() string {
	return "setpriority(PRIO_PROCESS, 0, " + strconv.Itoa(s.Level) + ")"
}

// SetScheduler sets the scheduling policy, sched_setscheduler(2).
type SetScheduler struct {
	Policy      SchedPolicy
	Priority    int // 1…99 for fifo and rr, else 0
	ResetOnFork bool
}

func (s SetScheduler) String() string {
	t := "scheduling policy " + s.Policy.String()
	if s.Priority != 0 {
		t += ", priority " + strconv.Itoa(s.Priority)
	}
	if s.ResetOnFork {
		t += ", reset on fork"
	}
	return t
}

// Mechanism is the call as strace shows it.
func (s SetScheduler) Mechanism() string { return "sched_setscheduler" }

// SetAffinity sets the CPUs of the process. It is in every plan, as hardrun
// pins itself to one CPU while it works.
type SetAffinity struct {
	CPUs    CPUSet
	Bytes   int  // the size of the kernel's mask
	Restore bool // the CPUs are the inherited ones
}

func (s SetAffinity) String() string {
	if s.Restore {
		return "CPUs as inherited"
	}
	return "CPUs " + s.CPUs.String()
}

// Mechanism is the call as strace shows it.
func (s SetAffinity) Mechanism() string { return "sched_setaffinity" }

// SetNUMA sets the memory policy, set_mempolicy(2).
type SetNUMA struct {
	Policy NUMAPolicy
	Nodes  CPUSet
}

func (s SetNUMA) String() string {
	t := "memory policy " + s.Policy.String()
	if len(s.Nodes) > 0 {
		t += " of nodes " + s.Nodes.String()
	}
	return t
}

// Mechanism is the call as strace shows it.
func (s SetNUMA) Mechanism() string { return "set_mempolicy" }

// SetIOPriority sets class and priority of I/O, ioprio_set(2).
type SetIOPriority struct {
	Class    IOClass
	Priority int // 0…7
}

func (s SetIOPriority) String() string {
	return "I/O class " + s.Class.String() + ", priority " + strconv.Itoa(s.Priority)
}

// Mechanism is the call as strace shows it.
func (s SetIOPriority) Mechanism() string { return "ioprio_set" }

// SetTimerSlack sets the timer slack in nanoseconds, PR_SET_TIMERSLACK. 0 is
// the value at the start of the process, as the kernel defines it. With Restore
// it is the inherited one.
type SetTimerSlack struct {
	NSec    uint64
	Restore bool
}

func (s SetTimerSlack) String() string {
	if s.Restore {
		return "timer slack as inherited"
	}
	return "timer slack " + strconv.FormatUint(s.NSec, 10) + " ns"
}

// Mechanism is the call as strace shows it.
func (s SetTimerSlack) Mechanism() string { return "prctl(PR_SET_TIMERSLACK)" }

// SetPersonality sets the execution domain, personality(2).
type SetPersonality struct {
	Value uint32
	Arch  string // as written: "x86"
}

func (s SetPersonality) String() string { return "personality " + s.Arch }

// Mechanism is the call as strace shows it.
func (s SetPersonality) Mechanism() string {
	return "personality(0x" + strconv.FormatUint(uint64(s.Value), 16) + ")"
}

// SetKSM sets whether memory may be merged, PR_SET_MEMORY_MERGE (Linux 6.4).
type SetKSM struct{ On bool }

func (s SetKSM) String() string {
	if s.On {
		return "merge equal memory pages"
	}
	return "do not merge equal memory pages"
}

// Mechanism is the call as strace shows it.
func (s SetKSM) Mechanism() string { return "prctl(PR_SET_MEMORY_MERGE)" }

// SetTHP sets the use of transparent huge pages, PR_SET_THP_DISABLE.
type SetTHP struct{ Mode THP }

func (s SetTHP) String() string { return "transparent huge pages " + s.Mode.String() }

// Mechanism is the call as strace shows it.
func (s SetTHP) Mechanism() string { return "prctl(PR_SET_THP_DISABLE)" }

// WriteProc writes a text to a file of /proc/self and reads it back. The file is
// opened by Prepare, through a verified /proc, while the view is still the
// host's (CVE-2019-19921: a /proc of the daemon's root is never trusted).
type WriteProc struct {
	File   string // below /proc/self: "oom_score_adj"
	Text   string // what is written
	Expect string // how the text that is read back begins
	What   string // the line of plan
	fd     int
}

func (s *WriteProc) String() string { return s.What }

// Mechanism is the call as strace shows it.
func (s *WriteProc) Mechanism() string { return "write(/proc/self/" + s.File + ", \"" + s.Text + "\")" }

// SetKeyring gives the daemon a session keyring of its own, keyctl(2).
type SetKeyring struct {
	Mode KeyringMode
	UID  uint32 // whose keyring it will be
	GID  uint32
	// Default says that nobody wrote it: where there are no keyrings, the change decides.
	Default bool

	before int64 // the keyring that was inherited
}

func (s *SetKeyring) String() string { return "session keyring " + s.Mode.String() }

// Mechanism is the call as strace shows it.
func (s *SetKeyring) Mechanism() string { return "keyctl(KEYCTL_JOIN_SESSION_KEYRING)" }

// SetSignals makes the signals of Ignored ignored, all others default, and the
// mask Blocked.
type SetSignals struct {
	Ignored, Blocked uint64 // bit n-1 for signal n
	Inherited        bool   // both are as hardrun got them
}

func (s SetSignals) String() string {
	if s.Inherited {
		return "dispositions and mask as inherited"
	}
	return "ignored " + signalSet(s.Ignored) + ", blocked " + signalSet(s.Blocked) + ", others default"
}

// Mechanism is the call as strace shows it.
func (s SetSignals) Mechanism() string { return "rt_sigaction × 62, rt_sigprocmask" }

func signalSet(set uint64) string {
	t := "{"
	for n := 1; n <= 64; n++ {
		if set>>(n-1)&1 == 1 {
			if len(t) > 1 {
				t += ","
			}
			t += strconv.Itoa(n)
		}
	}
	return t + "}"
}

// CloseDescriptors leaves of the descriptors from 3 on only Keep to the daemon.
type CloseDescriptors struct {
	Keep  []int
	Table int   // how many descriptors the table has room for (FDSize of proc(5)); 0 when that is not known
	open  []int // what was open when Prepare looked
}

func (s *CloseDescriptors) String() string {
	if len(s.Keep) == 0 {
		return "close all from 3 on"
	}
	t := "keep"
	for _, fd := range s.Keep {
		t += " " + strconv.Itoa(fd)
	}
	return t + ", close all others from 3 on"
}

// Mechanism is the call as strace shows it.
func (s *CloseDescriptors) Mechanism() string { return "close_range(3, ~0, CLOSE_RANGE_CLOEXEC)" }

// CloseStandard closes a standard descriptor that was closed when hardrun
// started (and held by /dev/null since, so that no file could take its place).
type CloseStandard struct{ FD int }

func (s CloseStandard) String() string { return "close " + strconv.Itoa(s.FD) + ", as inherited" }

// Mechanism is the call as strace shows it.
func (s CloseStandard) Mechanism() string { return "close(" + strconv.Itoa(s.FD) + ")" }

// KeepStandard leaves a standard descriptor as it was inherited. It only reads
// back: a lying open(2) could have closed it, or put another file in its place.
type KeepStandard struct {
	FD       int
	Dev, Ino uint64
}

func (s KeepStandard) String() string {
	return [3]string{"stdin", "stdout", "stderr"}[s.FD] + " as inherited"
}

// Mechanism is the call as strace shows it.
func (s KeepStandard) Mechanism() string { return "fstat(" + strconv.Itoa(s.FD) + ")" }

func octal(n uint32) string {
	s := strconv.FormatUint(uint64(n), 8)
	for len(s) < 4 {
		s = "0" + s
	}
	return s
}
