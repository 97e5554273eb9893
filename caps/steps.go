package caps

import "strconv"

// Steps are what the launcher puts into a plan. String is the line that plan
// prints and the middle of an error; Mechanism is the system call. On Linux
// each lowers itself to rows (Do changes, Check reads back from two sources).

// KeepCaps keeps the permitted set over the change of uid (capabilities(7),
// "Effect of user ID changes on capabilities"). execve(2) clears the flag.
type KeepCaps struct{}

func (KeepCaps) String() string { return "keep capabilities over the change of user" }

// Mechanism is the call as strace shows it.
func (KeepCaps) Mechanism() string { return "prctl(PR_SET_KEEPCAPS, 1)" }

// DropBounding leaves exactly Keep of the capabilities 0…Last in the bounding
// set. Each other one is dropped, whatever a read says of it: a read alone never
// decides that a drop is unnecessary.
type DropBounding struct {
	Keep Set // what remains; a subset of what the bounding set holds at the start
	Last int // the highest capability of the kernel
}

func (s DropBounding) String() string { return "keep " + s.Keep.Short(s.Last) }

// Mechanism is the call as strace shows it.
func (s DropBounding) Mechanism() string {
	n := All(s.Last).Without(s.Keep).Count()
	return "prctl(PR_CAPBSET_DROP) × " + strconv.Itoa(n)
}

// SetGroups makes GIDs the exact list of supplementary groups.
type SetGroups struct{ GIDs []uint32 }

func (s SetGroups) String() string { return "set groups {" + joinIDs(s.GIDs, ",") + "}" }

// Mechanism is the call as strace shows it.
func (s SetGroups) Mechanism() string {
	return "setgroups(" + strconv.Itoa(len(s.GIDs)) + ", [" + joinIDs(s.GIDs, ", ") + "])"
}

// SetGID makes GID the real, effective, saved and file-system group.
type SetGID struct{ GID uint32 }

func (s SetGID) String() string { return "set gid " + id(s.GID) + " (real, effective, saved)" }

// Mechanism is the call as strace shows it.
func (s SetGID) Mechanism() string { return "setresgid(" + triple(s.GID) + ")" }

// SetUID makes UID the real, effective, saved and file-system user.
type SetUID struct{ UID uint32 }

func (s SetUID) String() string { return "set uid " + id(s.UID) + " (real, effective, saved)" }

// Mechanism is the call as strace shows it.
func (s SetUID) Mechanism() string { return "setresuid(" + triple(s.UID) + ")" }

// SetCaps sets the three sets of capset(2) exactly. Last is the highest capability
// of the kernel.
type SetCaps struct {
	Effective, Permitted, Inheritable Set
	Last                              int
}

func (s SetCaps) String() string {
	if s.Effective == s.Permitted && s.Permitted == s.Inheritable {
		return "permitted, effective, inheritable " + s.Permitted.Short(s.Last)
	}
	if s.Effective == s.Permitted {
		return "permitted, effective " + s.Permitted.Short(s.Last) + ", inheritable " + s.Inheritable.Short(s.Last)
	}
	return "permitted " + s.Permitted.Short(s.Last) + ", effective " + s.Effective.Short(s.Last) + ", inheritable " + s.Inheritable.Short(s.Last)
}

// Mechanism is the call as strace shows it.
func (s SetCaps) Mechanism() string { return "capset" }

// SetAmbient makes Set the exact ambient set (capabilities(7)); it must be
// permitted and inheritable by then.
type SetAmbient struct {
	Set  Set
	Last int
}

func (s SetAmbient) String() string { return "ambient " + s.Set.String() }

// Mechanism is the call as strace shows it.
func (s SetAmbient) Mechanism() string {
	return "prctl(PR_CAP_AMBIENT, CLEAR_ALL), RAISE × " + strconv.Itoa(s.Set.Count())
}

// SetSecureBits sets the flags that the daemon will see; keep-caps among them
// is cleared by execve(2), as capabilities(7) says.
//
// Held says that they were inherited: then there is nothing to be done, for which the kernel would
// want CAP_SETPCAP all the same, and they are read back.
type SetSecureBits struct {
	Bits SecureBits
	Held bool
}

func (s SetSecureBits) String() string {
	switch {
	case s.Held && s.Bits == 0:
		return "no securebits, as inherited"
	case s.Held:
		return s.Bits.String() + " as inherited"
	case s.Bits == 0:
		return "clear all securebits"
	}
	return "set " + s.Bits.String()
}

// Mechanism is the call as strace shows it.
func (s SetSecureBits) Mechanism() string {
	if s.Held {
		return "prctl(PR_GET_SECUREBITS)"
	}
	return "prctl(PR_SET_SECUREBITS, 0x" + strconv.FormatUint(uint64(s.Bits), 16) + ")"
}

// NoNewPrivs sets no_new_privs, which nothing can unset.
type NoNewPrivs struct{}

func (NoNewPrivs) String() string { return "execve may not raise privileges" }

// Mechanism is the call as strace shows it.
func (NoNewPrivs) Mechanism() string { return "prctl(PR_SET_NO_NEW_PRIVS, 1)" }

func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func triple(n uint32) string { return id(n) + ", " + id(n) + ", " + id(n) }

func joinIDs(ids []uint32, sep string) string {
	s := ""
	for i, n := range ids {
		if i > 0 {
			s += sep
		}
		s += id(n)
	}
	return s
}
