package caps

import (
	"slices"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// einval is what the kernel answers for a capability it does not know. Calls
// that must answer it control those whose right answer is 0: a prctl that
// answers 0 to everything is caught by them.
const einval = -int64(unix.EINVAL)

const beyond = 63 // no kernel has a capability of this number; the masks are 64 bits wide

func prctl(p *row.Program, want int64, args ...row.Arg) *row.Row {
	return p.Call(unix.SYS_PRCTL, want, args...)
}

// control adds a prctl whose right answer is not 0.
func control(p *row.Program) {
	prctl(p, einval, row.Int(unix.PR_CAPBSET_READ), row.Int(beyond))
}

// Do adds the change.
func (KeepCaps) Do(p *row.Program) { prctl(p, 0, row.Int(unix.PR_SET_KEEPCAPS), row.Int(1)) }

// Check adds the read-back.
func (KeepCaps) Check(p *row.Program) { prctl(p, 1, row.Int(unix.PR_GET_KEEPCAPS)) }

// Do adds the change. A refusal by EPERM is left to the read-back: without
// CAP_SETPCAP the drop of what is not there is refused as well.
func (s DropBounding) Do(p *row.Program) {
	for c := range s.Last + 1 {
		if !s.Keep.Has(c) {
			prctl(p, 0, row.Int(unix.PR_CAPBSET_DROP), row.Int(c)).Flags |= row.Tolerate
		}
	}
}

// Check adds the read-back: each capability, one that no kernel has, and the mask.
func (s DropBounding) Check(p *row.Program) {
	if p.EachByCall() {
		for c := range s.Last + 1 {
			prctl(p, bit(s.Keep, c), row.Int(unix.PR_CAPBSET_READ), row.Int(c))
		}
		control(p)
	}
	p.Line("CapBnd:\t", s.Keep.Hex())
}

func bit(s Set, c int) int64 {
	if s.Has(c) {
		return 1
	}
	return 0
}

// Do adds the change.
func (s SetGroups) Do(p *row.Program) {
	list := p.Bytes(row.Uint32s(nil, s.GIDs...))
	p.Call(unix.SYS_SETGROUPS, 0, row.Int(len(s.GIDs)), list.Arg()).Flags |= row.Tolerate
}

// Check adds the read-back.
func (s SetGroups) Check(p *row.Program) {
	s.CheckInside(p, func(gid uint32) uint32 { return gid })
}

// CheckInside adds the read-back in a user namespace that was made after the change: inside
// is what a group is there. The status text was opened before, and has the groups as they are
// outside. The kernel keeps the list sorted by these.
func (s SetGroups) CheckInside(p *row.Program, inside func(gid uint32) uint32) {
	want := slices.Clone(s.GIDs)
	slices.Sort(want)
	seen := make([]uint32, len(want))
	for i, gid := range want {
		seen[i] = inside(gid)
	}
	n := len(want) + 1 // room for one too many
	out := p.Space(4 * n)
	p.Poison(out, 4*n)
	p.Call(unix.SYS_GETGROUPS, int64(len(want)), row.Int(n), out.Arg())
	if len(want) > 0 {
		p.Same(out, row.Uint32s(nil, seen...), row.FormUint32s)
	}
	p.Call(unix.SYS_GETGROUPS, einval, row.Int(-1), row.Int(0))
	p.Line("Groups:\t", joinIDs(want, " ")+" ")
}

// Do adds the change.
func (s SetGID) Do(p *row.Program) {
	g := row.Int(s.GID)
	p.Call(unix.SYS_SETRESGID, 0, g, g, g).Flags |= row.Tolerate
}

// Check adds the read-back of all four.
func (s SetGID) Check(p *row.Program) {
	checkIDs(p, unix.SYS_GETRESGID, unix.SYS_SETFSGID, "Gid:\t", s.GID)
}

// Do adds the change.
func (s SetUID) Do(p *row.Program) {
	u := row.Int(s.UID)
	p.Call(unix.SYS_SETRESUID, 0, u, u, u).Flags |= row.Tolerate
}

// Check adds the read-back of all four.
func (s SetUID) Check(p *row.Program) {
	checkIDs(p, unix.SYS_GETRESUID, unix.SYS_SETFSUID, "Uid:\t", s.UID)
}

func checkIDs(p *row.Program, get, setfs uintptr, key string, n uint32) {
	out := p.Space(16)
	p.Poison(out, 16)
	p.Call(get, 0, out.Arg(), (out + 4).Arg(), (out + 8).Arg())
	p.Same(out, row.Uint32s(nil, n, n, n), row.FormUint32s)
	p.Call(setfs, int64(n), row.Int(uint32(0xffffffff))) // changes nothing, answers the present one: setfsuid(2)
	t := id(n)
	p.Line(key, t+"\t"+t+"\t"+t+"\t"+t)
}

// capabilityHeader is struct __user_cap_header_struct, version 3, this thread.
func capabilityHeader(p *row.Program) row.Ptr {
	return p.Bytes(row.Uint32s(nil, unix.LINUX_CAPABILITY_VERSION_3, 0))
}

func (s SetCaps) data() []byte {
	e, pm, i := uint64(s.Effective), uint64(s.Permitted), uint64(s.Inheritable)
	return row.Uint32s(nil, uint32(e), uint32(pm), uint32(i), uint32(e>>32), uint32(pm>>32), uint32(i>>32))
}

// Do adds the change.
func (s SetCaps) Do(p *row.Program) {
	p.Call(unix.SYS_CAPSET, 0, capabilityHeader(p).Arg(), p.Bytes(s.data()).Arg())
}

// Check adds the read-back of the exact masks.
func (s SetCaps) Check(p *row.Program) {
	head, out := capabilityHeader(p), p.Space(24)
	p.Poison(out, 24)
	p.Call(unix.SYS_CAPGET, 0, head.Arg(), out.Arg())
	p.Same(out, s.data(), row.FormUint32s)
	p.Line("CapInh:\t", s.Inheritable.Hex())
	p.Line("CapPrm:\t", s.Permitted.Hex())
	p.Line("CapEff:\t", s.Effective.Hex())
}

// Do adds the change.
func (s SetAmbient) Do(p *row.Program) {
	prctl(p, 0, row.Int(unix.PR_CAP_AMBIENT), row.Int(unix.PR_CAP_AMBIENT_CLEAR_ALL), row.Int(0), row.Int(0), row.Int(0))
	for c := range s.Last + 1 {
		if s.Set.Has(c) {
			prctl(p, 0, row.Int(unix.PR_CAP_AMBIENT), row.Int(unix.PR_CAP_AMBIENT_RAISE), row.Int(c), row.Int(0), row.Int(0))
		}
	}
}

// Check adds the read-back: each capability, one that no kernel has, and the mask.
func (s SetAmbient) Check(p *row.Program) {
	set := func(c int, want int64) {
		prctl(p, want, row.Int(unix.PR_CAP_AMBIENT), row.Int(unix.PR_CAP_AMBIENT_IS_SET), row.Int(c), row.Int(0), row.Int(0))
	}
	if p.EachByCall() {
		for c := range s.Last + 1 {
			set(c, bit(s.Set, c))
		}
		set(beyond, einval)
	}
	p.Line("CapAmb:\t", s.Set.Hex())
}

// Do adds the change.
func (s SetSecureBits) Do(p *row.Program) {
	if s.Held {
		return
	}
	prctl(p, 0, row.Int(unix.PR_SET_SECUREBITS), row.Int(uint32(s.Bits)))
}

// Check adds the read-back. /proc has no line for them.
func (s SetSecureBits) Check(p *row.Program) {
	prctl(p, int64(s.Bits), row.Int(unix.PR_GET_SECUREBITS))
	control(p)
}

// Do adds the change.
func (NoNewPrivs) Do(p *row.Program) {
	prctl(p, 0, row.Int(unix.PR_SET_NO_NEW_PRIVS), row.Int(1), row.Int(0), row.Int(0), row.Int(0))
}

// Check adds the read-back.
func (NoNewPrivs) Check(p *row.Program) {
	prctl(p, 1, row.Int(unix.PR_GET_NO_NEW_PRIVS), row.Int(0), row.Int(0), row.Int(0), row.Int(0))
	p.Line("NoNewPrivs:\t", "1")
}
