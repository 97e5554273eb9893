package seccomp

import "slices"

// List is SystemCallFilter= or SystemCallLog=, with all lines merged.
//
// The calls of an old multiplexer, socketcall(2) or ipc(2), are calls of their own in
// a list, as libseccomp has it: to allow socket(2) is to allow socketcall(SYS_SOCKET).
type List struct {
	AllowList bool    // what is not listed is forbidden: the first line had no "~"
	Default   Verdict // on what is not listed
	Calls     []Entry
	Removed   Set // what an allow list had, and a "~" line took out
}

// Entry is the verdict on one call.
type Entry struct {
	Call    Call
	Verdict Verdict
}

// listed is a List with a verdict for each call.
type listed struct {
	List
	calls  [callCount]Verdict
	named  Set // what has an entry that was not removed
	denied Set // what an entry forbids
}

// AddList adds a list. Default and the entries carry numbers of Sources, which Source
// gives out.
func (f *Filter) AddList(l *List) {
	on := &listed{List: *l}
	for i := range on.calls {
		on.calls[i] = l.Default
	}
	for _, e := range l.Calls {
		on.calls[e.Call] = e.Verdict
		if !l.Removed.Has(e.Call) {
			on.named.Add(e.Call)
		}
		if !e.Verdict.Action.Passes() {
			on.denied.Add(e.Call)
		}
	}
	f.lists = append(f.lists, on)
	f.unknown = over(f.unknown, l.Default)
}

// DenyNewer answers calls that are newer than the tables by ENOSYS, as a kernel that
// does not have them would. A deny list that names groups cannot name these calls
// yet (A67: @mount before it had mount_setattr).
func (f *Filter) DenyNewer(by uint16) { f.newer = Verdict{Errno | enosys, by} }

// multiplexed is the decision on socketcall(2) or ipc(2): that on the call which its
// first argument stands for.
func (f *Filter) multiplexed(mux Call, subs []multiplexedCall, mask uint32) decision {
	outside := f.total[mux]
	weakest := outside
	on := make([]Verdict, len(subs))
	for i, s := range subs {
		v := over(f.fixed[mux], f.fixed[s.call])
		for _, l := range f.lists {
			v = over(v, l.multiplexed(mux, s.call))
		}
		if on[i] = v; before(weakest, v) {
			weakest = v
		}
	}
	d := decision{base: weakest}
	done := []Verdict{weakest}
	for _, v := range append([]Verdict{outside}, on...) {
		if slices.Contains(done, v) {
			continue
		}
		done = append(done, v)
		op := In
		if v == outside {
			op = NotIn
		}
		var values []uint32
		for i, s := range subs {
			if (on[i] == v) == (op == In) {
				values = append(values, s.number)
			}
		}
		d.rules = append(d.rules, rule{call: mux, conds: []Cond{{Arg: 0, Op: op, Mask: mask, Values: values}}, verdict: v, apart: true})
	}
	return d
}

// multiplexed is the verdict of a list on a call by way of its multiplexer. In an allow
// list what is said of one of the two alone holds; of both, and in a list of what is
// forbidden, the more restrictive, and of equals that of the multiplexer, as libseccomp
// has it.
func (l *listed) multiplexed(mux, sub Call) Verdict {
	a, b := l.calls[mux], l.calls[sub]
	switch {
	case !l.AllowList:
	case !l.named.Has(mux):
		return b
	case !l.denied.Has(sub):
		return a
	}
	return over(b, a)
}

// multiplexedCall is what a number in the first argument of a multiplexer stands for.
type multiplexedCall struct {
	number uint32
	call   Call
}

var (
	// linux/net.h, SYS_SOCKET …
	socketCalls = [...]multiplexedCall{
		{1, callSocket},
		{2, callBind},
		{3, callConnect},
		{4, callListen},
		{5, callAccept},
		{6, callGetsockname},
		{7, callGetpeername},
		{8, callSocketpair},
		{9, callSend},
		{10, callRecv},
		{11, callSendto},
		{12, callRecvfrom},
		{13, callShutdown},
		{14, callSetsockopt},
		{15, callGetsockopt},
		{16, callSendmsg},
		{17, callRecvmsg},
		{18, callAccept4},
		{19, callRecvmmsg},
		{20, callSendmmsg},
	}
	// linux/ipc.h, SEMOP …
	ipcCalls = [...]multiplexedCall{
		{1, callSemop},
		{2, callSemget},
		{3, callSemctl},
		{4, callSemtimedop},
		{11, callMsgsnd},
		{12, callMsgrcv},
		{13, callMsgget},
		{14, callMsgctl},
		{21, callShmat},
		{22, callShmdt},
		{23, callShmget},
		{24, callShmctl},
	}
)
