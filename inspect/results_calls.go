package inspect

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/seccomp"
)

// A try is a call with the arguments that matter, as a person writes it.
type try struct {
	text string // "socket(AF_PACKET)"
	call string
	args []given
	// around is another way to what the others do: that it is closed is nothing by itself.
	around bool
}

// given is an argument that a call is tried with.
type given struct {
	arg   int
	value uint32
	wide  bool // the kernel looks at all 64 bits: the upper half is 0
}

func attempt(text, call string, args ...given) try { return try{text: text, call: call, args: args} }

func plain(calls ...string) (list []try) {
	for _, c := range calls {
		list = append(list, try{text: c, call: c})
	}
	return list
}

// found is what came of tries.
type found struct {
	passed, asked int
	some          bool   // one of the machine's own calls does not pass
	first, open   string // the first that passes, or that a supervisor decides about
	thread        int    // whose filter lets it pass; 0 for the only one
}

// all asks the filters about calls, by each way into the kernel that has them.
func (t *rater) all(list []try) (f found) {
	for i := range list {
		c := &list[i]
		call, ok := seccomp.ByName(c.call)
		if !ok {
			continue
		}
		for _, abi := range t.abis {
			nr, ok := abi.Number(call)
			if !ok {
				continue
			}
			text := c.text
			if abi != t.abis[0] {
				text += " by " + abi.Name
			}
			exact, any := c.questions(abi, nr)
			got, thread := t.ask(&exact)
			if got&(mayPass|mayAsk) == 0 && exact.known != any.known {
				// The kernel takes the lower half of the argument alone, and this filter all of it.
				got, thread = t.ask(&any)
				text += " with something in the upper half of an argument"
			}
			switch {
			case got&mayPass != 0:
				if f.passed++; f.first == "" {
					f.first, f.thread = text, thread
				}
			case got&mayAsk != 0:
				if f.asked++; f.open == "" {
					f.open = text
				}
			default:
				f.some = f.some || abi == t.abis[0] && !c.around
			}
		}
	}
	return f
}

// questions are a call with 0 in all upper halves, and with anything there.
func (c *try) questions(abi *seccomp.ABI, nr uint32) (exact, any question) {
	any = ask(abi, nr)
	exact = any
	if c.call == "mmap" && packsMmap(abi) {
		return exact, any
	}
	for _, g := range c.args {
		arg := g.arg
		if c.call == "clone" && (abi.Arch == seccomp.ArchS390X || abi.Arch == seccomp.ArchS390) {
			arg = 1 - arg // the first two parameters are switched
		}
		exact = exact.full(abi, arg, g.value)
		if g.wide {
			any = any.full(abi, arg, g.value)
		} else {
			any = any.with(abi, arg, g.value)
		}
	}
	return exact, any
}

// packsMmap tells whether mmap(2) takes its arguments in memory: where there is mmap2(2).
func packsMmap(abi *seccomp.ABI) bool {
	c, _ := seccomp.ByName("mmap2")
	_, has := abi.Number(c)
	return has
}

// ask is what the filters of all threads may answer, and the thread whose filter lets the
// call pass; 0 where there is one kind of filter.
func (t *rater) ask(q *question) (all answers, thread int) {
	for i := range t.filters.Stacks {
		s := &t.filters.Stacks[i]
		a := t.reach.of(s, q)
		if a&mayPass != 0 && all&mayPass == 0 && len(t.filters.Stacks) > 1 {
			thread = s.Thread
		}
		all |= a
	}
	if len(t.filters.Stacks) == 0 {
		all = mayPass
	}
	return all, thread
}

// forbidden is a check of calls of which none may be made.
func (t *rater) forbidden(list []try, fine string) exposure.Result {
	if t.unread != "" {
		return unknown(t.unread)
	}
	if !t.filters.Any() && len(t.filters.Stacks) < 2 {
		return bad("it has no filter of system calls")
	}
	f := t.all(list)
	switch {
	case f.passed > 0:
		return weaker(bad(f.says()), f.some || f.thread != 0)
	case f.asked > 0:
		return unknown("a supervisor decides about " + f.open)
	}
	return good(fine)
}

// says names the call that passes.
func (f *found) says() string {
	text := f.first + " is allowed"
	if f.passed > 1 {
		text += ", and " + strconv.Itoa(f.passed-1) + " more"
	}
	if f.thread != 0 {
		text += ", in thread " + strconv.Itoa(f.thread)
	}
	return text
}

// ringed adds io_uring to what gets around a filter of what it does by itself.
func (t *rater) ringed(list []try) []try {
	if t.noRings() {
		return list
	}
	return append(list, try{text: "io_uring_setup, which does the same without a call that a filter sees,", call: "io_uring_setup", around: true})
}

// families is a row of address families; without words that of all others.
func (t *rater) families(words string) exposure.Result {
	// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK and AF_PACKET have rows of their own.
	const newest = 45 // AF_MCTP of linux/socket.h
	var list []try
	add := func(name string, n uint32) {
		list = append(list, attempt("socket("+name+")", "socket", given{arg: 0, value: n}))
	}
	for word := range strings.FieldsSeq(words) {
		if n := family(word); n != 0 {
			add(word, n)
		}
	}
	for n := uint32(3); words == "" && n <= newest; n++ {
		switch n {
		case 10, 16, 17:
		default:
			add("family "+strconv.FormatUint(uint64(n), 10), n)
		}
	}
	// Its arguments are in memory: who lets it pass lets all families pass.
	list = append(list, attempt("socketcall(SYS_SOCKET)", "socketcall", given{arg: 0, value: 1}))
	return t.forbidden(t.ringed(list), "socket("+reason(words, "any other family")+") is not allowed")
}

func family(name string) uint32 {
	switch name {
	case "AF_UNIX":
		return 1
	case "AF_INET":
		return 2
	case "AF_INET6":
		return 10
	case "AF_NETLINK":
		return 16
	case "AF_PACKET":
		return 17
	}
	return 0
}

// spaces is a row of one kind of namespaces.
func (t *rater) spaces(kind string) exposure.Result {
	flag, name := uint32(0), ""
	for _, k := range [...]struct {
		kind, name string
		flag       uint32
	}{
		{"cgroup", "CLONE_NEWCGROUP", seccomp.NewCgroup},
		{"ipc", "CLONE_NEWIPC", seccomp.NewIPC},
		{"mnt", "CLONE_NEWNS", seccomp.NewNS},
		{"net", "CLONE_NEWNET", seccomp.NewNet},
		{"pid", "CLONE_NEWPID", seccomp.NewPID},
		{"user", "CLONE_NEWUSER", seccomp.NewUser},
		{"uts", "CLONE_NEWUTS", seccomp.NewUTS},
	} {
		if k.kind == kind {
			flag, name = k.flag, k.name
		}
	}
	const sigchld = 17
	return t.forbidden([]try{
		attempt("unshare("+name+")", "unshare", given{arg: 0, value: flag, wide: true}),
		attempt("clone("+name+")", "clone", given{arg: 0, value: flag | sigchld}),
		attempt("clone3, whose flags a filter cannot see,", "clone3"),
		attempt("setns("+name+")", "setns", given{arg: 1, value: flag}),
		attempt("setns of any kind", "setns", given{arg: 1, value: 0}),
	}, name+" is not allowed")
}

// group is a row of a group of calls: 0 where none of them can be made, by any way into the
// kernel and whatever its arguments. Where one can, it is 9 under a list of what is allowed,
// and 10 under any other filter, and under none. A list of what is allowed is a filter that
// forbids what is no call.
func (t *rater) group(words string) exposure.Result {
	g, ok := seccomp.GroupByName(words)
	if !ok {
		return unknown("no such group")
	}
	var list []try
	g.Set.Each(func(c seccomp.Call) { list = append(list, plain(c.String())...) })
	res := t.forbidden(list, "no call of "+words+" is allowed")
	if res.Badness > 0 && t.lists() {
		res.Badness = 9
		res.Why += ", by a list of what is"
	}
	return res
}

// lists tells whether all threads have a list of what is allowed.
func (t *rater) lists() bool {
	if t.unread != "" || !t.filters.Any() {
		return false
	}
	newest, _ := seccomp.Newest()
	abi := t.abis[0]
	tried := 0
	for nr := uint32(0); nr <= newest+64; nr++ {
		if _, is := abi.Call(nr); is {
			continue
		}
		q := ask(abi, nr)
		if got, _ := t.ask(&q); got&mayPass != 0 {
			return false
		}
		if tried++; tried == 256 {
			break
		}
	}
	return tried > 0
}

// architectures is whether another way into the kernel than the machine's own is open: one
// by which any call passes.
func (t *rater) architectures() exposure.Result {
	others := t.abis[min(1, len(t.abis)):]
	switch {
	case len(t.abis) == 0:
		return unknown("the system calls of this machine are not known")
	case len(others) == 0:
		return good("this machine has no other")
	case t.unread != "":
		return unknown(t.unread)
	}
	var open []string
	for _, abi := range others {
		if t.enters(abi) {
			open = append(open, abi.Name)
		}
	}
	switch {
	case len(open) == 0:
		return good("no other than " + t.abis[0].Name)
	case len(open) < len(others):
		return graded(8, "calls of "+strings.Join(open, " ")+" are allowed")
	}
	return graded(10, "calls of "+strings.Join(open, " and ")+" are allowed")
}

// enters tells whether a call of an ABI passes.
func (t *rater) enters(abi *seccomp.ABI) bool {
	for c := range seccomp.Call(len(seccomp.Calls())) {
		nr, has := abi.Number(c)
		if !has {
			continue
		}
		q := ask(abi, nr)
		if got, _ := t.ask(&q); got&(mayPass|mayAsk) != 0 {
			return true
		}
	}
	return false
}

func (t *rater) realtime() exposure.Result {
	const resetOnFork = 0x40000000
	var list []try
	for _, p := range [...]struct {
		name  string
		value uint32
	}{{"SCHED_FIFO", 1}, {"SCHED_RR", 2}, {"SCHED_DEADLINE", 6}, {"SCHED_FIFO, and reset on fork", 1 | resetOnFork}} {
		list = append(list, attempt("sched_setscheduler("+p.name+")", "sched_setscheduler", given{arg: 1, value: p.value}))
	}
	list = append(list, try{text: "sched_setattr, whose policy a filter cannot see,", call: "sched_setattr"})
	return t.forbidden(list, "no real-time policy is allowed")
}

func (t *rater) sUIDGID() exposure.Result {
	const create, tmpfile = 0o101, 0o20200002 // with O_WRONLY; with O_DIRECTORY and O_RDWR
	var list []try
	for _, mode := range [...]uint32{0o4755, 0o2755} {
		text := ", mode 0" + strconv.FormatUint(uint64(mode), 8) + ")"
		for _, c := range [...]struct {
			name string
			mode int
		}{
			{"chmod", 1},
			{"fchmod", 1},
			{"fchmodat", 2},
			{"fchmodat2", 2},
			{"creat", 1},
			{"mkdir", 1},
			{"mkdirat", 2},
			{"mknod", 1},
			{"mknodat", 2},
		} {
			list = append(list, attempt(c.name+"(…"+text, c.name, given{arg: c.mode, value: mode}))
		}
		for _, flags := range [...]uint32{create, tmpfile} {
			list = append(list,
				attempt("open(…"+text, "open", given{arg: 1, value: flags}, given{arg: 2, value: mode}),
				attempt("openat(…"+text, "openat", given{arg: 2, value: flags}, given{arg: 3, value: mode}))
		}
	}
	list = append(list, try{text: "openat2, whose mode a filter cannot see,", call: "openat2"})
	return t.forbidden(t.ringed(list), "no file can get a set-user-ID or set-group-ID bit")
}

// personality is whether more than one execution domain can be had. They are tried one by
// one: the base ones, and each flag alone.
func (t *rater) personality() exposure.Result {
	if t.unread != "" {
		return unknown(t.unread)
	}
	var passing []string
	asks := ""
	try1 := func(v uint32) {
		text := "personality(0x" + strconv.FormatUint(uint64(v), 16) + ")"
		f := t.all([]try{attempt(text, "personality", given{arg: 0, value: v})})
		if f.passed > 0 {
			passing = append(passing, text)
		}
		if f.asked > 0 {
			asks = text
		}
	}
	const base, firstFlag, lastFlag = 0x10, 0x20000, 0x8000000
	for v := uint32(0); v <= base; v++ {
		try1(v)
	}
	tried := base + 1
	for v := uint32(firstFlag); v <= lastFlag; v <<= 1 {
		try1(v)
		try1(v | 8) // of PER_LINUX32
		tried += 2
	}
	switch {
	case len(passing) > 1:
		if !t.filters.Any() && len(t.filters.Stacks) < 2 {
			return bad("it has no filter of system calls")
		}
		return weaker(bad(passing[0]+" and "+passing[1]+" are allowed"), len(passing) < tried)
	case asks != "":
		return unknown("a supervisor decides about " + asks)
	case len(passing) == 1:
		return good(passing[0] + " alone is allowed")
	}
	return good("personality is not allowed")
}

// writeExecute is what a filter has to say of memory that is writable and executable.
func (t *rater) writeExecute() exposure.Result {
	const w, x, shmExec, shmat = 2, 4, 0o100000, 21
	list := []try{
		attempt("mprotect(PROT_EXEC)", "mprotect", given{arg: 2, value: x}),
		attempt("mprotect(PROT_READ|PROT_EXEC)", "mprotect", given{arg: 2, value: 1 | x}),
		attempt("pkey_mprotect(PROT_EXEC)", "pkey_mprotect", given{arg: 2, value: x}),
		attempt("shmat(SHM_EXEC)", "shmat", given{arg: 2, value: shmExec}),
		attempt("ipc(SHMAT, SHM_EXEC)", "ipc", given{arg: 0, value: shmat}, given{arg: 2, value: shmExec}),
	}
	for _, prot := range [...]uint32{w | x, 1 | w | x} {
		list = append(list,
			attempt("mmap(PROT_WRITE|PROT_EXEC)", "mmap", given{arg: 2, value: prot}),
			attempt("mmap2(PROT_WRITE|PROT_EXEC)", "mmap2", given{arg: 2, value: prot}))
	}
	return t.forbidden(list, "the filter forbids writable memory that is executable")
}

// hostname is good in a UTS namespace, and where the calls are denied and the file that does
// the same is not writable.
func (t *rater) hostname() exposure.Result {
	other, why := t.other("uts")
	if other {
		return t.apart(good("a UTS namespace of its own"), "uts")
	}
	res := t.forbidden(plain("sethostname", "setdomainname"), "sethostname and setdomainname are not allowed")
	switch {
	case res.Unknown && why == "":
		return res
	case res.Unknown:
		return unknown(why)
	case res.Badness > 0:
		if why != "" {
			return unknown(why)
		}
		return res
	}
	const file = "/proc/sys/kernel/hostname"
	switch t.writable(file) {
	case isWritable:
		return weaker(bad(file+" is writable"), true)
	case cannotTell:
		return t.unseen()
	}
	return res
}

// clock is good where CAP_SYS_TIME cannot be used: all ways to set the clock, and the device
// too, need it. That the calls are denied as well makes it weaker, not good: a thread that has
// the capability has the device yet.
func (t *rater) clock() exposure.Result {
	if yes, why := t.powerless("cap_sys_time"); yes {
		return good(why)
	}
	if why := t.p.Why("Bounding"); why != "" {
		return unknown(why)
	}
	return weaker(bad("cap_sys_time can be had"), t.denies("@clock", "stime"))
}

// modules is good where CAP_SYS_MODULE cannot be used.
func (t *rater) modules() exposure.Result {
	if yes, why := t.powerless("cap_sys_module"); yes {
		return good(why)
	}
	if why := t.p.Why("Bounding"); why != "" {
		return unknown(why)
	}
	return weaker(bad("cap_sys_module can be had"), t.denies("@module"))
}

// denies tells whether it is known that no filter lets one of these calls pass.
func (t *rater) denies(names ...string) bool {
	var list []try
	seccomp.MustSet(names...).Each(func(c seccomp.Call) { list = append(list, plain(c.String())...) })
	return t.unread == "" && t.forbidden(list, "denied").Badness == 0 && t.filters.Any()
}
