package cgroup

import (
	"slices"
	"strconv"
	"strings"
)

// Hook is where the kernel asks a program: enum bpf_prog_type and enum bpf_attach_type of
// linux/bpf.h.
type Hook struct {
	Type, Attach uint32
	Name         string // as BPFProgram= has it, systemd.resource-control(5)
}

// The hooks of the directives.
var (
	HookDevice     = Hook{15, 6, "device"}
	HookIngress    = Hook{8, 0, "ingress"}
	HookEgress     = Hook{8, 1, "egress"}
	HookBind4      = Hook{18, 8, "bind4"}
	HookBind6      = Hook{18, 9, "bind6"}
	HookSockCreate = Hook{9, 2, "sock_create"}
	HookFiles      = Hook{29, 43, "lsm_cgroup"}
)

// pinned are the hooks of BPFProgram= that no directive of its own has.
var pinned = [...]Hook{
	HookDevice, HookIngress, HookEgress, HookBind4, HookBind6, HookSockCreate,
	{13, 3, "sock_ops"},
	{18, 10, "connect4"},
	{18, 11, "connect6"},
	{9, 12, "post_bind4"},
	{9, 13, "post_bind6"},
	{18, 14, "sendmsg4"},
	{18, 15, "sendmsg6"},
	{23, 18, "sysctl"},
	{18, 19, "recvmsg4"},
	{18, 20, "recvmsg6"},
	{25, 21, "getsockopt"},
	{25, 22, "setsockopt"},
}

// PinnedHook is the hook of a type of BPFProgram=.
func PinnedHook(name string) (Hook, bool) {
	i := slices.IndexFunc(pinned[:], func(h Hook) bool { return h.Name == name })
	if i < 0 {
		return Hook{}, false
	}
	return pinned[i], true
}

// Programs is what is attached to one group: they share their counters, and are read back
// together.
type Programs struct {
	Home *Home

	counters int // the descriptor of the map of counters; 0 while there is none
	attached []attached
}

type attached struct {
	hook uint32
	id   uint32
}

// Filter is a program and where it is attached. It is made, tried and loaded in Go, and
// attached by rows: from then on it holds for the launch itself, too.
type Filter struct {
	Programs *Programs
	Hook     Hook
	Text     string                // what it allows, for plan
	Pinned   string                // the path of a program that somebody else has made; else empty
	Rules    func() ([]Ins, error) // makes the program, and has tried it; nil for a pinned one
	Devices  []Device              // of HookDevice: by them it is tried once it holds
	Before   func() error          // what must be so before it is attached; may be nil

	BTF     uint32 // attach_btf_id: the function of a HookFiles, set by Rules
	Nothing []Ins  // of HookFiles: a program that allows nothing, by which it is proven; set by Rules

	fd, id  int
	nothing int // the descriptor of Nothing
	probes  []probe
	given   bool
}

// probe is a device, by a descriptor of O_PATH, and what may be done with it.
type probe struct {
	fd      int
	access  int // of faccessat(2): R_OK, W_OK
	allowed bool
}

func (f *Filter) String() string {
	if f.Pinned != "" {
		return f.Hook.Name + " program " + f.Pinned
	}
	return f.Hook.Name + " program: " + f.Text
}

// Mechanism is the call as strace shows it.
func (f *Filter) Mechanism() string { return "bpf(BPF_PROG_ATTACH, \"" + f.Hook.Name + "\")" }

// String is a device as a line of v1's devices.allow: "c 1:3 rw", "c 136:* rw", "c *:* rw".
func (d Device) String() string {
	return d.kind() + " " + numberOrAny(d.Major) + ":" + numberOrAny(d.Minor) + " " + d.Access.String()
}

// numberOrAny is a number of a device as v1 takes it.
func numberOrAny(n uint32) string {
	if n == AnyMajor || n == AnyMinor {
		return "*"
	}
	return strconv.FormatUint(uint64(n), 10)
}

func (d Device) kind() string {
	if d.Block {
		return "b"
	}
	return "c"
}

// LegacyDevices is a list of devices in the v1 controller: another mechanism with the same
// promise.
type LegacyDevices struct {
	*Home
	List []Device
}

func (s LegacyDevices) String() string {
	var b strings.Builder
	b.WriteString("devices:")
	for i, d := range s.List {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" " + d.String())
	}
	if len(s.List) == 0 {
		b.WriteString(" none")
	}
	return b.String()
}

// GiveUp leaves the list out, and nothing else.
func (s LegacyDevices) GiveUp() {}

// Mechanism is the call as strace shows it.
func (s LegacyDevices) Mechanism() string {
	return "write(\"" + s.at("/devices.deny") + "\", \"a\"), write(\"" + s.at("/devices.allow") + "\")"
}
