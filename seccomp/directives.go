package seccomp

// The numbers that the kernel gives to what the directives speak of. They are the same
// on all architectures of the tables.
const (
	eperm        = 1
	enosys       = 38
	eafnosupport = 97

	oCreat   = 0o100           // O_CREAT of asm-generic/fcntl.h
	oTmpfile = 0o20000000      // __O_TMPFILE of asm-generic/fcntl.h
	sUIDGID  = 0o4000 | 0o2000 // S_ISUID, S_ISGID of linux/stat.h
	protX    = 4               // PROT_EXEC of asm-generic/mman-common.h
	protWX   = 2 | 4           // PROT_WRITE
	shmExec  = 0o100000        // SHM_EXEC of linux/shm.h

	tiocsti   = 0x5412 // asm-generic/ioctls.h
	tioclinux = 0x541c
)

// The kinds of namespaces, the CLONE_ flags of linux/sched.h.
const (
	NewTime   = 0x00000080
	NewNS     = 0x00020000
	NewCgroup = 0x02000000
	NewUTS    = 0x04000000
	NewIPC    = 0x08000000
	NewUser   = 0x10000000
	NewPID    = 0x20000000
	NewNet    = 0x40000000

	// Namespaces are all of them.
	Namespaces = NewTime | NewNS | NewCgroup | NewUTS | NewIPC | NewUser | NewPID | NewNet
)

// Deny answers calls by EPERM: ProtectClock=, ProtectHostname=yes,
// ProtectKernelModules=, ProtectKernelLogs=, ProtectKernelTunables= and PrivateDevices=,
// systemd.exec(5).
func (f *Filter) Deny(by uint16, calls *Set) {
	calls.Each(func(c Call) { f.deny(c, Verdict{Errno | eperm, by}) })
}

// RestrictAddressFamilies forbids socket(2) of the families that are listed, or with
// allow of all others, by EAFNOSUPPORT. By socketcall(2), whose arguments a filter
// cannot see, no socket can be opened at all: systemd lets all pass there, and with it
// every 64-bit program that makes a 32-bit call.
func (f *Filter) RestrictAddressFamilies(by uint16, allow bool, families []uint32) {
	v := Verdict{Errno | eafnosupport, by}
	op := In
	if allow {
		op = NotIn
	} else if len(families) == 0 {
		return
	}
	f.when(callSocket, v, Cond{Arg: 0, Op: op, Mask: ^uint32(0), Values: families})
	f.when(callSocketcall, v, Cond{Arg: 0, Op: In, Mask: ^uint32(0), Values: []uint32{1}})
}

// RestrictNamespaces forbids unshare(2), clone(2) and setns(2) for the kinds of
// namespaces that are not in retain, by EPERM; setns(2) without a kind, too.
// clone3(2), whose flags a filter cannot see, is not implemented (ENOSYS), so that
// programs go back to clone(2).
func (f *Filter) RestrictNamespaces(by uint16, retain uint32) {
	gone := uint32(Namespaces) &^ retain
	if gone == 0 {
		return
	}
	v := Verdict{Errno | eperm, by}
	f.deny(callClone3, Verdict{Errno | enosys, by})
	f.when(callUnshare, v, Cond{Arg: 0, Op: AnyBit, Mask: gone})
	// In clone(2) NewTime is a part of the signal's number, of one that there is not.
	f.clone(v, Cond{Op: AnyBit, Mask: gone})
	if gone == Namespaces {
		f.deny(callSetns, v)
		return
	}
	f.when(callSetns, v, Cond{Arg: 1, Op: AnyBit, Mask: gone})
	f.when(callSetns, v, Cond{Arg: 1, Op: In, Mask: ^uint32(0), Values: []uint32{0}})
}

// clone adds a rule on the flags of clone(2), wherever an architecture has them.
func (f *Filter) clone(v Verdict, c Cond) {
	var at [2]uint8
	for i, a := range f.abis {
		at[a.cloneFlags] |= 1 << i
	}
	for arg, only := range at {
		if only != 0 {
			c.Arg = uint8(arg)
			f.rules = append(f.rules, rule{call: callClone, conds: []Cond{c}, verdict: v, only: only})
		}
	}
}

// RestrictRealtime forbids sched_setscheduler(2) of all policies but the three that are
// not real-time, by EPERM. sched_setattr(2), whose policy a filter cannot see, is not
// implemented (ENOSYS), so that programs go back to the other.
func (f *Filter) RestrictRealtime(by uint16) {
	const other, batch, idle = 0, 3, 5 // SCHED_ of linux/sched.h
	f.when(callSchedSetscheduler, Verdict{Errno | eperm, by}, Cond{Arg: 1, Op: NotIn, Mask: ^uint32(0), Values: []uint32{other, batch, idle}})
	f.deny(callSchedSetattr, Verdict{Errno | enosys, by})
}

// RestrictSUIDSGID forbids to make files with a set-user-ID or set-group-ID bit, and to
// set the bits, by EPERM. openat2(2), whose mode a filter cannot see, is not
// implemented (ENOSYS).
func (f *Filter) RestrictSUIDSGID(by uint16) {
	v := Verdict{Errno | eperm, by}
	for _, c := range [...]struct {
		call Call
		mode uint8
	}{
		{callChmod, 1},
		{callFchmod, 1},
		{callFchmodat, 2},
		{callFchmodat2, 2},
		{callCreat, 1},
		{callMkdir, 1},
		{callMkdirat, 2},
		{callMknod, 1},
		{callMknodat, 2},
	} {
		f.when(c.call, v, Cond{Arg: c.mode, Op: AnyBit, Mask: sUIDGID})
	}
	for _, c := range [...]struct {
		call  Call
		flags uint8
	}{
		{callOpen, 1}, {callOpenat, 2},
	} {
		// Without one of the two flags there is no mode, open(2). An O_TMPFILE gets a
		// name by linkat(2).
		f.when(c.call, v, Cond{Arg: c.flags, Op: AnyBit, Mask: oCreat | oTmpfile}, Cond{Arg: c.flags + 1, Op: AnyBit, Mask: sUIDGID})
	}
	f.deny(callOpenat2, Verdict{Errno | enosys, by})
}

// LockPersonality forbids personality(2) of any other value, by EPERM: to ask for the
// present one (0xffffffff), too.
func (f *Filter) LockPersonality(by uint16, value uint32) {
	f.when(callPersonality, Verdict{Errno | eperm, by}, Cond{Arg: 0, Op: NotIn, Mask: ^uint32(0), Values: []uint32{value}})
}

// MemoryDenyWriteExecute forbids memory that is writable and executable, by EPERM. It
// is for kernels before 6.3, which do not have PR_SET_MDWE.
func (f *Filter) MemoryDenyWriteExecute(by uint16) {
	v := Verdict{Errno | eperm, by}
	var whole, packed uint8
	for i, a := range f.abis {
		if a.packsMmap() {
			packed |= 1 << i
		} else {
			whole |= 1 << i
		}
	}
	wx := Cond{Arg: 2, Op: AllBits, Mask: protWX}
	if whole != 0 {
		f.rules = append(f.rules, rule{call: callMmap, conds: []Cond{wx}, verdict: v, only: whole})
	}
	if packed != 0 { // the old call's arguments are in memory
		f.rules = append(f.rules, rule{call: callMmap, verdict: v, only: packed})
	}
	f.when(callMmap2, v, wx)
	f.when(callMprotect, v, Cond{Arg: 2, Op: AnyBit, Mask: protX})
	f.when(callPkeyMprotect, v, Cond{Arg: 2, Op: AnyBit, Mask: protX})
	f.when(callShmat, v, Cond{Arg: 2, Op: AnyBit, Mask: shmExec})
	// ipc(SHMAT, id, flags …), which systemd lets pass.
	f.when(callIpc, v, Cond{Arg: 0, Op: In, Mask: 0xffff, Values: []uint32{21}}, Cond{Arg: 2, Op: AnyBit, Mask: shmExec})
}

// SeesMmap tells whether a filter can see what memory is asked for by every way into the
// kernel: on s390x mmap(2) takes all of its arguments in memory, and there is no other.
func SeesMmap(abis []*ABI) bool {
	for _, a := range abis {
		if a.Arch == ArchS390X || a.Arch == ArchS390 {
			return false
		}
	}
	return true
}

// packsMmap tells whether mmap(2) of an ABI takes one argument, a struct
// mmap_arg_struct in memory: where there is mmap2(2) beside it.
func (a *ABI) packsMmap() bool {
	_, has := a.Number(callMmap2)
	return has
}

// Architectures closes the ways into the kernel that are not named: their calls end the
// process. The machine's own stays open, and with x32 x86-64, whose calls are made by
// x32's vDSO. A name that is none of this machine's changes nothing.
func (f *Filter) Architectures(by uint16, names []string) {
	f.shut = Verdict{KillProcess, by}
	f.closed = 0
	for i, a := range f.abis {
		open := i == 0
		for _, name := range names {
			open = open || name == a.Name
		}
		if !open {
			f.closed |= 1 << i
		}
	}
}

// DenyTerminal forbids to type into a terminal (TIOCSTI), and to paste into one
// (TIOCLINUX), by EPERM: CVE-2016-2568, CVE-2017-5226, CVE-2023-1523.
func (f *Filter) DenyTerminal(by uint16) {
	f.when(callIoctl, Verdict{Errno | eperm, by}, Cond{Arg: 1, Op: In, Mask: ^uint32(0), Values: []uint32{tiocsti, tioclinux}})
}

// DenyIOUring makes io_uring not implemented (ENOSYS): it opens files and sockets
// without a call that a filter could see.
func (f *Filter) DenyIOUring(by uint16) {
	for _, c := range [...]Call{callIoUringSetup, callIoUringEnter, callIoUringRegister} {
		f.deny(c, Verdict{Errno | enosys, by})
	}
}
