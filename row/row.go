// Package row is the language in which the last part of a launch is written: a
// list of system calls, each with the answer that lets the launch go on. From
// the first change of credentials until execve(2) no Go code runs, so that
// nothing allocates, schedules or takes a signal; one small executor, written
// in C, works the list off and stops at the first answer that is not the one
// expected.
//
//	var p row.Program
//	p.Step(&row.Step{Text: "user: set uid 33", Tail: "User= -u", Exit: 217})
//	p.Call(unix.SYS_SETRESUID, 0, row.Int(33), row.Int(33), row.Int(33))
//
// The package is a leaf: caps, process, ns and seccomp write rows without
// knowing the launcher which runs them.
package row

import "unsafe"

// Kind says what a row does and what counts as its success. The numbers are
// shared with cmd/hardrun/hardrun.h; a test holds the two together.
type Kind uint8

const (
	// Equal makes the call; it must answer Want.
	Equal Kind = iota
	// AtLeast makes the call; it must answer Want or more.
	AtLeast
	// Differs makes the call; it must answer a positive number other than Want.
	Differs
	// Poison fills a[1] bytes at a[0] with a pattern, so that a call which
	// claims to have read and did not is caught by the comparison after it.
	Poison
	// Same compares a[2] bytes at a[0] (read) with those at a[1] (expected).
	Same
	// Status reads /proc/self/status anew into the executor's poisoned buffer.
	Status
	// Line looks for the line whose key is at a[0] (with its colon) in the
	// status text; what follows must be the bytes at a[1].
	Line
	// Signals sets each signal to ignored (a[0], bit n-1 for signal n) or to
	// its default, and reads all of them back.
	Signals
	// UserNS puts the process, which must have one thread, into a new user
	// namespace (a[4] is 0), or shows that it still is in that one.
	UserNS
	// Last marks the row that may not answer: execve.
	Last
	// Listen loads the filter at a[0] with the flags a[1], and gives the descriptor
	// by which the kernel asks about its calls to the socket a[2]. a[3] is 1 where the
	// filter lets sched_yield(2) pass.
	Listen
)

// Flags of a row.
const (
	// Tolerate lets a refusal by EPERM pass: the read-back that follows in the
	// same step decides whether the state asked for is there already. It is
	// what lets a container that runs as the service's user start.
	Tolerate uint8 = 1 << iota
	// Weak lets a status line be absent (gVisor knows only some of them): every
	// getter has decided then.
	Weak
	// Waivable lets the step be given up for a reason of the environment
	// (EPERM, EACCES, ENOSYS, EOPNOTSUPP, ENOSPC): --waive=NAME was given.
	Waivable
	// Optional is Waivable without a message: a default that nobody wrote.
	Optional
)

// Form is how compared bytes are printed in a message.
type Form uint8

const (
	FormBytes   Form = iota // a count of bytes
	FormUint32s             // 33,33,33
	FormHex64s              // 0000000000000400,…
	FormText                // "text"
)

// Row is one system call and its expected answer, in the layout that the
// executor reads (struct hr_row). Text and Tail are offsets of NUL-terminated
// strings in the blob.
type Row struct {
	NR         uint16
	Kind       Kind
	Ptr        uint8 // bit k: A[k] is an offset into the blob
	Flags      uint8
	Exit       uint8
	Group      uint8
	Form       Form
	Text, Tail uint32
	Want       int64
	A          [6]uint64
}

// Arg is an argument of a call: a number, or a place in the blob.
type Arg struct {
	v   uint64
	ptr bool
}

// Int is a number as an argument. Negative numbers keep their 64-bit form.
func Int[T ~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](v T) Arg {
	return Arg{v: uint64(v)}
}

// Ptr is a place in the blob; as an argument it becomes its address.
type Ptr uint32

// Arg makes the place an argument.
func (p Ptr) Arg() Arg { return Arg{v: uint64(p), ptr: true} }

// Step is what the rows that follow belong to.
type Step struct {
	Text  string // stage and step, as plan prints them: "user: set uid 33"
	Tail  string // the directive and where it was written: "User= named.service:3"; may be empty
	Exit  uint8  // the exit status of a failure, systemd.exec(5) "Process exit codes"
	Group uint8  // rows of one group are given up together by a waiver; 0 is never given up
	Flags uint8  // Waivable or Optional

	text, tail Ptr // where Text and Tail are in the blob, once they are
}

// Program is a list of rows and the blob of data which they refer to. The zero
// Program is empty and ready.
type Program struct {
	Rows   []Row
	Blob   []byte
	Relocs []uint32 // offsets of 64-bit words in the blob which hold offsets and become addresses

	// FullStatus says that there is a status text, and that it has every line.
	FullStatus bool

	cur    Row // what each new row starts from
	source Source
}

// Reserve sets room aside, so that building does not grow the slices.
func (p *Program) Reserve(rows, blob int) {
	p.Rows = make([]Row, 0, rows)
	p.Blob = make([]byte, 1, blob) // offset 0 is the empty string
}

// Step says what the following rows belong to. The same step can be gone on with
// later.
func (p *Program) Step(s *Step) {
	if s.text == 0 {
		s.text = p.String(s.Text)
		if s.Tail != "" {
			s.tail = p.String(s.Tail)
		}
	}
	p.cur = Row{Exit: s.Exit, Group: s.Group, Flags: s.Flags, Text: uint32(s.text), Tail: uint32(s.tail)}
}

// Call adds a system call that must answer want.
func (p *Program) Call(nr uintptr, want int64, args ...Arg) *Row {
	return p.add(Equal, nr, want, args)
}

// CallAtLeast adds a system call that must answer at least want.
func (p *Program) CallAtLeast(nr uintptr, want int64, args ...Arg) *Row {
	return p.add(AtLeast, nr, want, args)
}

// CallDiffers adds a system call that must answer a positive number other than not.
func (p *Program) CallDiffers(nr uintptr, not int64, args ...Arg) *Row {
	return p.add(Differs, nr, not, args)
}

func (p *Program) add(k Kind, nr uintptr, want int64, args []Arg) *Row {
	r := p.cur
	r.Kind, r.NR, r.Want = k, uint16(nr), want
	for i, a := range args {
		r.A[i] = a.v
		if a.ptr {
			r.Ptr |= 1 << i
		}
	}
	p.Rows = append(p.Rows, r)
	return &p.Rows[len(p.Rows)-1]
}

// Poison fills the n bytes at out with a pattern before a call writes there.
func (p *Program) Poison(out Ptr, n int) { p.add(Poison, 0, 0, []Arg{out.Arg(), Int(n)}) }

// Same demands that the bytes at out are want, and prints both if not.
func (p *Program) Same(out Ptr, want []byte, form Form) {
	w := p.Bytes(want)
	p.add(Same, 0, 0, []Arg{out.Arg(), w.Arg(), Int(len(want))}).Form = form
}

// Source says by what a state is read back.
type Source uint8

const (
	// Getters: by system calls. It is what comes directly after a change.
	Getters Source = iota
	// Both: by the status text, which one reading gives for all that follows, and
	// by the getters that cost one call. It is what comes before the end.
	Both
	// Weakly: by every getter, and by the lines that the status text has. It is
	// what comes before the end where /proc is not there, or does not tell all.
	Weakly
)

// ReadOnly says that nothing changes any more: the checks that follow are the
// last, and read from both sources. status is whether there is a status text.
func (p *Program) ReadOnly(status bool) {
	p.source = Weakly
	if p.FullStatus {
		p.source = Both
	}
	if status {
		p.add(Status, 0, 0, nil)
	}
}

// EachByCall tells whether a state of many parts, of which the status text has
// a line, is to be read part by part.
func (p *Program) EachByCall() bool { return p.source != Both }

// Line demands a line of the status text: key with its colon, and the text
// behind it up to the end of the line. It adds nothing where only getters are
// asked; where the text does not tell all, an absent line passes.
func (p *Program) Line(key, want string) {
	if p.source == Getters {
		return
	}
	r := p.add(Line, 0, 0, []Arg{p.String("\n" + key).Arg(), p.String(want + "\n").Arg()})
	if p.source == Weakly {
		r.Flags |= Weak
	}
}

// Signals makes the signals of ignored (bit n-1 for signal n) ignored and all
// others default. Each is read back by itself where no full status text will do
// that before the end.
func (p *Program) Signals(ignored uint64) {
	each := 1
	if p.FullStatus {
		each = 0
	}
	p.add(Signals, 0, 0, []Arg{Int(ignored), Int(each)})
}

// UserNamespace puts the process into a new user namespace with these maps,
// user_namespaces(7), in the form of /proc/PID/uid_map, and reads back that the
// namespace is another than before and that each file holds what was written. self
// is a descriptor of the own directory in a verified /proc. The process must have
// one thread. The row is never waived: whatever fails in it ends the launch.
func (p *Program) UserNamespace(self int, uidMap, gidMap string, denySetgroups bool) {
	deny := 0
	if denySetgroups {
		deny = 1
	}
	p.add(UserNS, 0, 0, []Arg{Int(self), p.String(uidMap).Arg(), p.String(gidMap).Arg(), Int(deny), Int(0)})
}

// SameUserNamespace demands that the process is in the namespace that
// UserNamespace has made.
func (p *Program) SameUserNamespace(self int) {
	p.add(UserNS, 0, 0, []Arg{Int(self), Int(0), Int(0), Int(0), Int(1)})
}

// Listen loads a filter that has its denied calls explained, by the socket.
func (p *Program) Listen(filter Ptr, flags uint32, socket int, yields bool) {
	may := 0
	if yields {
		may = 1
	}
	p.add(Listen, 0, 0, []Arg{filter.Arg(), Int(flags), Int(socket), Int(may)})
}

// Exec adds the last row.
func (p *Program) Exec(nr uintptr, args ...Arg) { p.add(Last, nr, 0, args) }

// String puts a NUL-terminated string into the blob. The text must not contain
// a NUL byte; what comes from outside is checked where it comes in.
func (p *Program) String(s string) Ptr {
	if len(p.Blob) == 0 {
		p.Blob = append(p.Blob, 0)
	}
	at := len(p.Blob)
	p.Blob = append(append(p.Blob, s...), 0)
	return Ptr(at)
}

// Bytes puts bytes into the blob, aligned to eight.
func (p *Program) Bytes(b []byte) Ptr {
	at := p.align()
	p.Blob = append(p.Blob, b...)
	return at
}

// Space sets n zero bytes aside, aligned to eight.
func (p *Program) Space(n int) Ptr {
	at := p.align()
	p.Blob = append(p.Blob, make([]byte, n)...)
	return at
}

// Vector puts a NULL-terminated array of strings into the blob, as execve(2)
// wants it; the executor turns its offsets into addresses.
func (p *Program) Vector(list []string) Ptr {
	offs := make([]Ptr, len(list))
	for i, s := range list {
		offs[i] = p.String(s)
	}
	return p.VectorOf(offs)
}

// VectorOf is Vector for strings that are in the blob already.
func (p *Program) VectorOf(offs []Ptr) Ptr {
	at := p.align()
	for _, o := range offs {
		p.Relocs = append(p.Relocs, uint32(len(p.Blob)))
		p.Blob = Uint64s(p.Blob, uint64(o))
	}
	p.Blob = Uint64s(p.Blob, 0)
	return at
}

// Fprog puts a filter into the blob, and before it the struct sock_fprog that
// points to it.
func (p *Program) Fprog(filter []byte) Ptr {
	at := p.Bytes(filter)
	head := p.Bytes(Uint64s(nil, uint64(len(filter)/8), uint64(at)))
	p.Relocs = append(p.Relocs, uint32(head)+8)
	return head
}

func (p *Program) align() Ptr {
	for len(p.Blob)%8 != 0 || len(p.Blob) == 0 {
		p.Blob = append(p.Blob, 0)
	}
	return Ptr(len(p.Blob))
}

// Uint32s appends numbers as the kernel lays them out.
func Uint32s(b []byte, v ...uint32) []byte {
	for i := range v {
		b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&v[i])), 4)...)
	}
	return b
}

// Uint64s appends numbers as the kernel lays them out.
func Uint64s(b []byte, v ...uint64) []byte {
	for i := range v {
		b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&v[i])), 8)...)
	}
	return b
}

// Text returns the string at an offset of the blob; for tests and messages.
func (p *Program) Text(at uint32) string {
	s := p.Blob[at:]
	for i, c := range s {
		if c == 0 {
			return string(s[:i])
		}
	}
	return string(s)
}
