//go:build libseccomp && linux && cgo

package launcher

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// The oracle: what systemd 262 loads for a unit is a stack of filters, one for each
// directive and way into the kernel, made by libseccomp. The one program of hardrun
// must never let pass what that stack does not, and where it lets less pass, there
// must be a reason, which is in stricterRules.
//
// In two things the oracle is stricter than systemd. That lets write(2) pass whatever
// SystemCallFilter= says, as its own process still reports after the filter is loaded;
// and it ends by SystemCallArchitectures= the thread, where here the process ends.

// unit is a unit as it is written: "Name=value".
type unit []string

// value is what a directive is set to once; empty where it is not.
func (u unit) value(name string) string {
	for _, s := range u {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v
		}
	}
	return ""
}

func (u unit) yes(name string) bool { return u.value(name) == "yes" }

func (u unit) lines(name string) []string {
	var list []string
	for _, s := range u {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			list = append(list, v)
		}
	}
	return list
}

// The ways into the kernel, in the order of seccomp.Machine("amd64").
const (
	onX86_64 = iota
	onX32
	onX86
)

const x32Bit = 0x40000000

var oracleArchs = [...]libseccomp.ScmpArch{libseccomp.ArchAMD64, libseccomp.ArchX32, libseccomp.ArchX86}

var everyArch = []int{onX86_64, onX32, onX86}

// stackedFilter is what systemd loads for a directive: a program for each ABI, which
// lets the others pass.
type stackedFilter struct {
	programs [3]seccomp.Program // empty where it loads none
	// libseccomp has no names for calls that are newer than it, and takes for foreign
	// ABIs names alone. For these calls the same rules are made with the numbers of
	// x86-64; newer calls have the same number everywhere.
	numbered seccomp.Program
	every    seccomp.Program // SystemCallArchitectures=: one program for all
}

// oracle is the stack, in the order in which it is loaded.
type oracle struct {
	t     *testing.T
	stack []stackedFilter
}

// filterContext is a filter that is being made.
type filterContext struct {
	t      *testing.T
	abi    int
	lib    *libseccomp.ScmpFilter
	number bool
}

// add adds a rule on a call, if the ABI has it.
func (c *filterContext) add(name string, action seccomp.Action, conds ...libseccomp.ScmpCondition) {
	c.t.Helper()
	var id libseccomp.ScmpSyscall
	if c.number {
		call, _ := seccomp.ByName(name)
		nr, ok := seccomp.Machine("amd64")[0].Number(call)
		if !ok {
			return
		}
		id = libseccomp.ScmpSyscall(nr)
	} else {
		var err error
		if id, err = libseccomp.GetSyscallFromName(name); err != nil {
			return
		}
	}
	var err error
	if len(conds) == 0 {
		err = c.lib.AddRuleExact(id, scmp(action))
	} else {
		err = c.lib.AddRuleConditionalExact(id, scmp(action), conds)
	}
	if err != nil && !errors.Is(err, syscall.EDOM) { // the ABI does not have it: systemd goes on
		c.t.Fatalf("libseccomp: %s on ABI %d: %v", name, c.abi, err)
	}
}

func scmp(a seccomp.Action) libseccomp.ScmpAction {
	switch a {
	case seccomp.Allow:
		return libseccomp.ActAllow
	case seccomp.Log:
		return libseccomp.ActLog
	case seccomp.KillProcess:
		return libseccomp.ActKillProcess
	}
	return libseccomp.ActErrno.SetReturnCode(int16(a & 0xfff))
}

// load makes the filter of a directive for some of the ABIs.
func (o *oracle) load(abis []int, rest seccomp.Action, rules func(c *filterContext)) {
	o.t.Helper()
	var f stackedFilter
	for _, abi := range abis {
		c := o.context(abi, rest)
		rules(c)
		f.programs[abi] = c.done()
	}
	c := o.context(onX86_64, rest)
	c.number = true
	rules(c)
	f.numbered = c.done()
	o.stack = append(o.stack, f)
}

func (o *oracle) context(abi int, rest seccomp.Action) *filterContext {
	o.t.Helper()
	lib, err := libseccomp.NewFilter(scmp(rest))
	if err == nil && abi != onX86_64 {
		err = errors.Join(lib.RemoveArch(libseccomp.ArchAMD64), lib.AddArch(oracleArchs[abi]))
	}
	if err == nil {
		err = lib.SetBadArchAction(libseccomp.ActAllow)
	}
	if err != nil {
		o.t.Fatal("libseccomp: ", err)
	}
	return &filterContext{t: o.t, abi: abi, lib: lib}
}

func (c *filterContext) done() seccomp.Program {
	c.t.Helper()
	defer c.lib.Release()
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		c.t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "filter")
	err = c.lib.ExportBPF(file)
	text, rerr := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err := errors.Join(err, rerr, file.Close()); err != nil {
		c.t.Fatal(err)
	}
	p, err := seccomp.Parse(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// The comparisons, of all 64 bits.
func cmp(arg uint, op libseccomp.ScmpCompareOp, values ...uint64) libseccomp.ScmpCondition {
	c, err := libseccomp.MakeCondition(arg, op, values...)
	if err != nil {
		panic(err)
	}
	return c
}

func equal(arg uint, value uint64) libseccomp.ScmpCondition {
	return cmp(arg, libseccomp.CompareEqual, value)
}

func hasBits(arg uint, bits uint64) libseccomp.ScmpCondition {
	return cmp(arg, libseccomp.CompareMaskedEqual, bits, bits)
}

const (
	answersEPERM  = seccomp.Errno | seccomp.Action(unix.EPERM)
	answersENOSYS = seccomp.Errno | seccomp.Action(unix.ENOSYS)
	answersFamily = seccomp.Errno | seccomp.Action(unix.EAFNOSUPPORT)
)

// members are the calls that a word of SystemCallFilter= stands for.
func members(word string) []string {
	g, ok := seccomp.GroupByName(word)
	if !ok {
		return []string{word}
	}
	var list []string
	for _, m := range strings.Fields(g.Members) {
		list = append(list, members(m)...)
	}
	return list
}

// denies loads a filter of calls that answer EPERM.
func (o *oracle) denies(abis []int, words ...string) {
	o.t.Helper()
	o.load(abis, seccomp.Allow, func(c *filterContext) {
		for _, w := range words {
			for _, name := range members(w) {
				c.add(name, answersEPERM)
			}
		}
	})
}

var oracleFamilies = map[string]uint64{
	"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17, "AF_ALG": 38, "AF_VSOCK": 40,
}

var oracleNamespaces = map[string]uint64{
	"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000,
	"pid": 0x20000000, "user": 0x10000000, "uts": 0x04000000, "time": 0x80,
}

// newOracle loads what systemd does for a unit, in its order.
func newOracle(t *testing.T, u unit, personality uint32) *oracle {
	t.Helper()
	o := &oracle{t: t}
	if u.yes("ProtectHostname") {
		o.denies(everyArch, "sethostname", "setdomainname")
	}
	if v := u.value("RestrictAddressFamilies"); v != "" {
		o.families(v)
	}
	if u.yes("MemoryDenyWriteExecute") {
		o.load(everyArch, seccomp.Allow, func(c *filterContext) {
			mmap := "mmap"
			if c.abi == onX86 {
				c.add(mmap, answersEPERM) // its arguments are in memory
				mmap = "mmap2"
			} else {
				c.add("shmat", answersEPERM, hasBits(2, 0o100000))
			}
			c.add(mmap, answersEPERM, hasBits(2, 6))
			c.add("mprotect", answersEPERM, hasBits(2, 4))
			c.add("pkey_mprotect", answersEPERM, hasBits(2, 4))
		})
	}
	if u.yes("RestrictRealtime") {
		o.load(everyArch, seccomp.Allow, func(c *filterContext) {
			for _, policy := range []uint64{1, 2, 4} {
				c.add("sched_setscheduler", answersEPERM, equal(1, policy))
			}
			c.add("sched_setscheduler", answersEPERM, cmp(1, libseccomp.CompareGreater, 5))
			c.add("sched_setattr", answersENOSYS)
		})
	}
	if u.yes("RestrictSUIDSGID") {
		o.load(everyArch, seccomp.Allow, func(c *filterContext) {
			for _, bit := range []uint64{0o4000, 0o2000} {
				for name, arg := range map[string]uint{
					"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2, "creat": 1,
				} {
					c.add(name, answersEPERM, hasBits(arg, bit))
				}
				c.add("open", answersEPERM, hasBits(1, 0o100), hasBits(2, bit))
				c.add("openat", answersEPERM, hasBits(2, 0o100), hasBits(3, bit))
			}
			c.add("openat2", answersENOSYS)
		})
	}
	if v := u.value("RestrictNamespaces"); v != "" && v != "no" {
		o.namespaces(v)
	}
	if u.yes("ProtectKernelTunables") {
		o.denies([]int{onX86_64, onX86}, "_sysctl")
	}
	if u.yes("ProtectKernelModules") {
		o.denies(everyArch, "@module")
	}
	if u.yes("ProtectKernelLogs") {
		o.denies(everyArch, "syslog")
	}
	if u.yes("ProtectClock") {
		o.denies(everyArch, "@clock")
	}
	if u.yes("PrivateDevices") {
		o.denies(everyArch, "@raw-io")
	}
	if v := u.value("SystemCallArchitectures"); v != "" {
		o.architectures(v)
	}
	if u.yes("LockPersonality") {
		o.load(everyArch, seccomp.Allow, func(c *filterContext) {
			c.add("personality", answersEPERM, cmp(0, libseccomp.CompareNotEqual, uint64(personality)))
		})
	}
	if lines := u.lines("SystemCallLog"); lines != nil {
		if allow, calls := mergeLines(lines, nil); allow {
			o.list(seccomp.Allow, seccomp.Log, calls)
		} else {
			o.list(seccomp.Log, seccomp.Allow, calls)
		}
	}
	if lines := u.lines("SystemCallFilter"); lines != nil {
		negative := seccomp.KillProcess
		if v := u.value("SystemCallErrorNumber"); v != "" {
			negative = errorNumber(t, v)
		}
		if allow, calls := mergeLines(lines, func(v string) seccomp.Action { return errorNumber(t, v) }); allow {
			o.list(negative, seccomp.Allow, calls)
		} else {
			o.list(seccomp.Allow, negative, calls)
		}
	}
	return o
}

// families has no filter for 32-bit x86.
func (o *oracle) families(v string) {
	o.t.Helper()
	v, deny := strings.CutPrefix(v, "~")
	var listed []uint64
	for _, w := range strings.Fields(v) {
		if w != "none" {
			listed = append(listed, oracleFamilies[w])
		}
	}
	o.load([]int{onX86_64, onX32}, seccomp.Allow, func(c *filterContext) {
		switch {
		case deny:
			for _, n := range listed {
				c.add("socket", answersFamily, equal(0, n))
			}
		case len(listed) == 0:
			c.add("socket", answersFamily)
		default:
			first, last := slices.Min(listed), slices.Max(listed)
			c.add("socket", answersFamily, cmp(0, libseccomp.CompareLess, first))
			c.add("socket", answersFamily, cmp(0, libseccomp.CompareGreater, last))
			for n := first + 1; n < last; n++ {
				if !slices.Contains(listed, n) {
					c.add("socket", answersFamily, equal(0, n))
				}
			}
		}
	})
}

func (o *oracle) namespaces(v string) {
	o.t.Helper()
	names, invert := strings.CutPrefix(v, "~")
	kept := map[string]bool{}
	for name := range oracleNamespaces {
		kept[name] = v != "yes" && slices.Contains(strings.Fields(names), name) != invert
	}
	o.load(everyArch, seccomp.Allow, func(c *filterContext) {
		c.add("clone3", answersENOSYS)
		if v == "yes" {
			c.add("setns", answersEPERM)
		} else {
			c.add("setns", answersEPERM, equal(1, 0))
		}
		for name, flag := range oracleNamespaces {
			if kept[name] {
				continue
			}
			c.add("unshare", answersEPERM, hasBits(0, flag))
			c.add("clone", answersEPERM, hasBits(0, flag))
			if v != "yes" {
				c.add("setns", answersEPERM, hasBits(1, flag))
			}
		}
	})
}

func (o *oracle) architectures(v string) {
	o.t.Helper()
	c := o.context(onX86_64, seccomp.Allow)
	for _, w := range strings.Fields(v) {
		switch w {
		case "x86":
			if err := c.lib.AddArch(libseccomp.ArchX86); err != nil {
				o.t.Fatal(err)
			}
		case "x32":
			if err := c.lib.AddArch(libseccomp.ArchX32); err != nil {
				o.t.Fatal(err)
			}
		}
	}
	if err := c.lib.SetBadArchAction(libseccomp.ActKillProcess); err != nil {
		o.t.Fatal(err)
	}
	o.stack = append(o.stack, stackedFilter{every: c.done()})
}

// mergeLines is what lines come to: the calls and the action of each, Allow for that
// of the list. The first line decides what is not listed.
func mergeLines(lines []string, number func(string) seccomp.Action) (allow bool, calls map[string]seccomp.Action) {
	allow = !strings.HasPrefix(lines[0], "~")
	calls = map[string]seccomp.Action{}
	if allow && number != nil {
		for _, name := range members("@default") {
			calls[name] = seccomp.Allow
		}
	}
	for _, line := range lines {
		line, invert := strings.CutPrefix(line, "~")
		for _, w := range strings.Fields(line) {
			word, action, has := strings.Cut(w, ":")
			for _, name := range members(word) {
				switch {
				case invert && has:
					calls[name] = number(action)
				case invert != allow:
					calls[name] = seccomp.Allow
				default:
					delete(calls, name)
				}
			}
		}
	}
	return allow, calls
}

func errorNumber(t *testing.T, s string) seccomp.Action {
	t.Helper()
	if s == "kill" {
		return seccomp.KillProcess
	}
	for n := range syscall.Errno(200) {
		if unix.ErrnoName(n) == s {
			return seccomp.Errno | seccomp.Action(n)
		}
	}
	var n uint16
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		t.Fatal(err)
	}
	return seccomp.Errno | seccomp.Action(n)
}

// list loads SystemCallFilter= or SystemCallLog=.
func (o *oracle) list(rest, listed seccomp.Action, calls map[string]seccomp.Action) {
	o.t.Helper()
	o.load(everyArch, rest, func(c *filterContext) {
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			action := calls[name]
			if action == seccomp.Allow {
				action = listed
			}
			if action != rest { // libseccomp refuses a rule that says what holds anyway
				c.add(name, action)
			}
		}
	})
}

func severity(a seccomp.Action) int32 { return int32(a & 0xffff0000) }

// point is a call of an ABI.
type point struct {
	seccomp.Data
	abi int
	// call is its name; empty where the number is no call. New are calls that
	// libseccomp does not know, with their number on x86-64.
	call   string
	isNew  bool
	native uint32
}

// at is the verdict of the whole stack, as seccomp_run_filters of kernel/seccomp.c finds it: the
// most restrictive one, and of equals that of the filter which was loaded last.
func (o *oracle) at(p *point) seccomp.Action {
	verdict := seccomp.Allow
	run := func(f seccomp.Program, d seccomp.Data) {
		a, err := f.Eval(d)
		if err != nil {
			o.t.Fatal(err)
		}
		if severity(a) <= severity(verdict) {
			verdict = a
		}
	}
	for i := range o.stack {
		f := &o.stack[i]
		if f.every != nil {
			run(f.every, p.Data)
			continue
		}
		for abi, prog := range f.programs {
			switch {
			case prog == nil:
			case p.isNew && abi == p.abi:
				run(f.numbered, seccomp.Data{NR: p.native, Arch: seccomp.ArchX86_64, Args: p.Args})
			default:
				run(prog, p.Data)
			}
		}
	}
	return verdict
}

// asTaken is a call as the kernel takes it. What systemd compares is of the type int,
// or unsigned int, or has flags in its lower half alone: socket(2), personality(2),
// sched_setscheduler(2), setns(2). ipc(2) takes the lower 16 bits of its first
// argument.
func (p point) asTaken() point {
	for i := range p.Args {
		p.Args[i] &= 0xffffffff
	}
	if p.call == "ipc" {
		p.Args[0] &= 0xffff
	}
	return p
}

// where is a point at which hardrun is stricter.
type where struct {
	*point
	unit  unit
	ours  seccomp.Action
	other func(nr uint32) seccomp.Action // ours on another number
}

func (w *where) muxed() (string, bool) {
	socket := []string{
		1: "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
		"sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
	}
	ipc := []string{
		1: "semop", 2: "semget", 3: "semctl", 4: "semtimedop", 11: "msgsnd", 12: "msgrcv", 13: "msgget", 14: "msgctl",
		21: "shmat", 22: "shmdt", 23: "shmget", 24: "shmctl",
	}
	n := w.asTaken().Args[0]
	switch {
	case w.call == "socketcall" && n < uint64(len(socket)):
		return socket[n], true
	case w.call == "ipc" && n < uint64(len(ipc)):
		return ipc[n], true
	}
	return "", false
}

// stricterRules are where hardrun lets less pass than systemd does, or answers another
// error, and why. A rule that no point falls under is an error: it would hide what
// comes after it.
var stricterRules = []struct {
	name  string
	why   string
	holds func(w *where) bool
}{
	{
		"upper half", "systemd compares all 64 bits of what the kernel takes as an int, so that a deny list is passed by way of the upper half (CVE-2019-7303)",
		func(w *where) bool {
			return w.abi != onX86 && slices.ContainsFunc(w.Args[:], func(v uint64) bool { return v>>32 != 0 })
		},
	},
	{
		"version of ipc", "the upper half of ipc(2)'s first argument is a version, and the call is in the lower one: a deny list of shmat(2) is passed by ipc(1<<16|SHMAT)",
		func(w *where) bool { return w.abi == onX86 && w.call == "ipc" && w.Args[0]>>16 != 0 },
	},
	{
		"sockets of x86", "systemd restricts no address families on 32-bit x86, where a 64-bit program can make calls, too",
		func(w *where) bool {
			sub, _ := w.muxed()
			return w.abi == onX86 && w.unit.value("RestrictAddressFamilies") != "" && (w.call == "socket" || sub == "socket") && w.ours == answersFamily
		},
	},
	{
		"shmat of x86", "systemd does not deny SHM_EXEC on 32-bit x86, neither to shmat(2) nor to ipc(SHMAT)",
		func(w *where) bool {
			sub, _ := w.muxed()
			return w.abi == onX86 && w.unit.yes("MemoryDenyWriteExecute") && (w.call == "shmat" || sub == "shmat") && w.Args[2]&0o100000 != 0 && w.ours == answersEPERM
		},
	},
	{
		"O_TMPFILE", "an O_TMPFILE has a mode without O_CREAT, and gets a name by linkat(2)",
		func(w *where) bool {
			at := map[string]int{"open": 1, "openat": 2}[w.call]
			return at != 0 && w.unit.yes("RestrictSUIDSGID") && w.Args[at]&0o20000100 == 0o20000000 && w.Args[at+1]&0o6000 != 0 && w.ours == answersEPERM
		},
	},
	{
		"newer calls", "a deny list that names groups cannot name the calls that came after it: they are not there",
		func(w *where) bool {
			lines := w.unit.lines("SystemCallFilter")
			n := w.NR
			if w.abi == onX32 {
				n &^= x32Bit
			}
			return w.call == "" && n > 471 && len(lines) > 0 && strings.HasPrefix(lines[0], "~") && strings.Contains(strings.Join(lines, " "), "@") && w.ours == answersENOSYS
		},
	},
	{
		"io_uring", "io_uring opens files and sockets without a call that a filter could see",
		func(w *where) bool { return strings.HasPrefix(w.call, "io_uring_") && w.ours == answersENOSYS },
	},
	{
		"x32 lacks it", "kernels before 5.4 take x32's bit with the number of a call which x32 lacks for x86-64's call",
		func(w *where) bool { return w.abi == onX32 && w.call == "" && w.ours == w.other(w.NR&^x32Bit) },
	},
	{
		"stime", "stime(2) of 32-bit x86 sets the clock, and is not in @clock",
		func(w *where) bool { return w.call == "stime" && w.unit.yes("ProtectClock") && w.ours == answersEPERM },
	},
	{
		"by a multiplexer", "of a multiplexer and the call that is made by it the one that a line with \"~\" names decides, if it is the stricter one: libseccomp takes the rule on the whole multiplexer alone, or passes over one that says what is said of all that is not listed",
		func(w *where) bool {
			sub, ok := w.muxed()
			call := w.call
			return ok && slices.ContainsFunc(w.unit.lines("SystemCallFilter"), func(line string) bool {
				return strings.HasPrefix(line, "~") && slices.ContainsFunc(strings.Fields(line[1:]), func(w string) bool {
					word, _, _ := strings.Cut(w, ":")
					names := members(word)
					return slices.Contains(names, sub) || slices.Contains(names, call)
				})
			})
		},
	},
}

// tally counts what was compared.
type tally struct {
	points, equal int
	stricter      []int
}

// judge compares the program of a unit with the stack at a point, and tells what is
// wrong there.
func (o *oracle) judge(u unit, prog seccomp.Program, p *point, n *tally) error {
	n.points++
	ours, err := prog.Eval(p.Data)
	if err != nil {
		return err
	}
	taken := p.asTaken()
	theirs := o.at(&taken)
	if severity(ours) > severity(theirs) {
		return fmt.Errorf("%s: WEAKER: %q, systemd %q", p, ours, theirs)
	}
	raw := theirs
	if taken.Args != p.Args {
		raw = o.at(p)
	}
	if ours == theirs && severity(ours) >= severity(raw) {
		n.equal++
		return nil
	}
	if ours != theirs {
		raw = theirs
	}
	w := &where{p, u, ours, func(nr uint32) seccomp.Action {
		d := p.Data
		d.NR = nr
		a, err := prog.Eval(d)
		if err != nil {
			o.t.Fatal(err)
		}
		return a
	}}
	for i, r := range stricterRules {
		// The first two are of what systemd makes of a call that the kernel takes as another.
		if i < 2 != (ours == theirs) {
			continue
		}
		if r.holds(w) {
			n.stricter[i]++
			return nil
		}
	}
	return fmt.Errorf("%s: stricter, or another error, and under no rule: %q, systemd %q", p, ours, raw)
}

func (p *point) String() string {
	name := p.call
	if name == "" {
		name = "no call"
	}
	return fmt.Sprintf("%s, %s, number %#x, arguments %#x", seccomp.Machine("amd64")[p.abi].Name, name, p.NR, p.Args)
}

// compileUnit takes a unit the way that hardrun does; the program is nil where it says
// nothing of system calls, and where execve(2) is forbidden.
func compileUnit(t *testing.T, u unit, personality uint32) (*Plan, error) {
	t.Helper()
	env := aRoot()
	env.Personality = personality
	p := &policy.Policy{}
	for i, s := range u {
		name, value, _ := strings.Cut(s, "=")
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: i + 1}); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	}
	pl := Compile(p, env)
	for _, r := range pl.Refused {
		if r.Exit == ExitSeccomp {
			return nil, errors.New(r.Error())
		}
	}
	return pl, nil
}

// numbersOf are the points of all numbers, without arguments.
func numbersOf() []point {
	numbers := []uint32{0x1fff, 0xf0001, 0xf0005, 0x20000000, 0x3ffffffe, 0x3fffffff}
	for n := range uint32(1101) {
		numbers = append(numbers, n)
	}
	var list []point
	for abi, a := range seccomp.Machine("amd64") {
		for _, n := range numbers {
			for _, bit := range []uint32{0, x32Bit, 0x80000000, 0xc0000000} {
				if abi != onX86 && (bit == 0) != (abi == onX86_64) || bit > x32Bit && n%100 != 0 {
					continue
				}
				p := point{Data: seccomp.Data{NR: n | bit, Arch: a.Arch}, abi: abi}
				if c, ok := a.Call(p.NR); ok {
					p.call = c.String()
					if _, err := libseccomp.ScmpSyscall(int32(p.NR)).GetNameByArch(oracleArchs[abi]); err != nil {
						p.isNew = true
						p.native, _ = seccomp.Machine("amd64")[0].Number(c)
					}
				}
				list = append(list, p)
			}
		}
		if abi != onX32 { // -1 is nobody's call, and not x32's
			list = append(list, point{Data: seccomp.Data{NR: ^uint32(0), Arch: a.Arch}, abi: abi})
		}
	}
	return list
}

// byArguments are the calls that directives look at the arguments of.
var byArguments = strings.Fields(`socket socketcall ipc shmat clone unshare setns sched_setscheduler personality mmap mmap2 mprotect
	pkey_mprotect chmod fchmod fchmodat fchmodat2 mkdir mkdirat mknod mknodat creat open openat`)

// The values of the first four arguments: what directives compare with, their
// neighbours, and the same in the other half.
var oracleArgs = [4][]uint64{
	{
		0, 1, 2, 3, 5, 9, 10, 11, 16, 17, 21, 24, 38, 0x80, 0x91, 0x20000, 0x4000000, 0x10000000, 0x40000000, 0x7e020080, 0x10001, 0x10015, 0xffffffff,
		1 << 32, 1<<32 | 1, 1<<32 | 2, 1<<32 | 17, 1<<32 | 0x10000000, ^uint64(0),
	},
	{0, 1, 3, 5, 6, 0o100, 0o755, 0o2755, 0o4755, 0o20200002, 0x80, 0x20000, 0x40000000, 1 << 32, 1<<32 | 1, 1<<32 | 3, ^uint64(0)},
	{0, 2, 4, 6, 7, 0o100, 0o755, 0o2755, 0o4755, 0o20200002, 0o100000, 1 << 32, 1<<32 | 4, ^uint64(0)},
	{0, 0o755, 0o2755, 0o4755},
}

// with gives arguments to a point. A 32-bit program has no upper halves.
func (p point) with(args ...uint64) point {
	copy(p.Args[:], args)
	if p.abi == onX86 {
		for i := range p.Args {
			p.Args[i] &= 0xffffffff
		}
	}
	return p
}

// hardened is a unit with all directives that filters are made for.
var hardened = unit{
	"ProtectHostname=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "MemoryDenyWriteExecute=yes", "RestrictRealtime=yes",
	"RestrictSUIDSGID=yes", "RestrictNamespaces=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes",
	"ProtectClock=yes", "PrivateDevices=yes", "LockPersonality=yes", "SystemCallLog=@keyring", "SystemCallErrorNumber=EACCES",
	"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources:ENOSYS",
}

func TestOracle(t *testing.T) {
	if major, minor, _ := libseccomp.GetLibraryVersion(); major < 2 || major == 2 && minor < 5 {
		t.Fatal("libseccomp before 2.5")
	}
	numbers := numbersOf()
	hits := make([]int, len(stricterRules))

	t.Run("everything", func(t *testing.T) {
		units := []unit{hardened, append(slices.Clone(hardened), "SystemCallArchitectures=native")}
		for _, u := range units {
			n := tally{stricter: hits}
			o := newOracle(t, u, 0)
			pl, err := compileUnit(t, u, 0)
			if err != nil {
				t.Fatal(err)
			}
			bad := 0
			ask := func(p point) {
				if err := o.judge(u, pl.Program, &p, &n); err != nil {
					t.Error(err)
					if bad++; bad == 20 {
						t.FailNow()
					}
				}
			}
			for _, p := range numbers {
				for i, v := range oracleArgs[0] {
					ask(p.with(v, oracleArgs[1][i%len(oracleArgs[1])], oracleArgs[2][i%len(oracleArgs[2])], oracleArgs[3][i%len(oracleArgs[3])], v, v))
				}
				if !slices.Contains(byArguments, p.call) {
					continue
				}
				for _, a := range oracleArgs[0] {
					for _, b := range oracleArgs[1] {
						for _, c := range oracleArgs[2] {
							for _, d := range oracleArgs[3] {
								ask(p.with(a, b, c, d))
							}
						}
					}
				}
			}
			if n.points < 1_000_000 {
				t.Errorf("only %d points", n.points)
			}
			t.Logf("%d points, %d equal, a stack of %d filters", n.points, n.equal, o.filters())
		}
	})

	t.Run("random", func(t *testing.T) {
		const seed = 262
		n := tally{stricter: hits}
		units, refused := 0, 0
		for i := uint64(0); units < 320; i++ {
			source := rand.New(rand.NewPCG(seed, i))
			u := randomUnit(source)
			personality := []uint32{0, 8, 0x0040000}[source.IntN(3)]
			o := newOracle(t, u, personality)
			pl, err := compileUnit(t, u, personality)
			if err != nil { // a daemon that could not be started: not in systemd, either
				execve := point{Data: seccomp.Data{NR: 59, Arch: seccomp.ArchX86_64}, call: "execve"}
				if a := o.at(&execve); a.Passes() {
					t.Errorf("seed %d, unit %d, %q: %v, and systemd's filters let execve pass", seed, i, u, err)
				}
				refused++
				continue
			}
			units++
			prog := pl.Program
			if prog == nil {
				prog = seccomp.Program{{Code: 6, K: uint32(seccomp.Allow)}}
			}
			bad := 0
			ask := func(p point) {
				if err := o.judge(u, prog, &p, &n); err != nil {
					t.Errorf("seed %d, unit %d, %q: %v", seed, i, u, err)
					if bad++; bad == 5 {
						t.FailNow()
					}
				}
			}
			pick := func(arg int) uint64 { return oracleArgs[arg][source.IntN(len(oracleArgs[arg]))] }
			for _, p := range numbers {
				ask(p)
				ask(p.with(pick(0), pick(1), pick(2), pick(3)))
				if slices.Contains(byArguments, p.call) {
					for range 60 {
						ask(p.with(pick(0), pick(1), pick(2), pick(3)))
					}
				}
			}
			if pl.Filter != nil && i%10 == 0 {
				_, err := pl.Filter.Libseccomp()
				if err != nil {
					t.Errorf("seed %d, unit %d, %q: %v", seed, i, u, err)
				}
			}
		}
		if n.points < 1_000_000 {
			t.Errorf("only %d points", n.points)
		}
		t.Logf("%d units, %d that could not start, %d points, %d equal", units, refused, n.points, n.equal)
	})

	t.Run("multiplexers", func(t *testing.T) {
		n := tally{stricter: hits}
		for _, u := range multiplexed() {
			o := newOracle(t, u, 0)
			pl, err := compileUnit(t, u, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range numbers {
				if p.abi != onX86 || !slices.Contains([]string{"socketcall", "socket", "ipc", "shmat"}, p.call) {
					continue
				}
				for a := range uint64(30) {
					for _, version := range []uint64{0, 1 << 16} {
						q := p.with(a | version)
						if err := o.judge(u, pl.Program, &q, &n); err != nil {
							t.Errorf("%q: %v", u, err)
							break
						}
					}
				}
			}
		}
	})

	for i, r := range stricterRules {
		t.Logf("stricter at %d points: %s: %s", hits[i], r.name, r.why)
		if hits[i] == 0 && !t.Failed() {
			t.Errorf("the rule %q is never used", r.name)
		}
	}
}

// multiplexed are units which say something of a multiplexer and of a call that is made
// by it: nothing, that it passes, that it does not, and with what answer.
func multiplexed() []unit {
	var list []unit
	say := []string{"", "SystemCallFilter=%s", "SystemCallFilter=~%s", "SystemCallFilter=~%s:EACCES", "SystemCallFilter=~%s:kill"}
	for _, names := range [][2]string{{"socketcall", "socket"}, {"ipc", "shmat"}} {
		for _, first := range []string{"SystemCallFilter=getpid", "SystemCallFilter=~acct"} {
			for _, number := range []string{"EPERM", "kill"} {
				for _, mux := range say {
					for _, sub := range say {
						u := unit{"SystemCallErrorNumber=" + number, first}
						for i, line := range []string{mux, sub} {
							if line != "" {
								u = append(u, fmt.Sprintf(line, names[i]))
							}
						}
						list = append(list, u)
					}
				}
			}
		}
	}
	return list
}

func (o *oracle) filters() int {
	n := 0
	for i := range o.stack {
		for _, p := range append(o.stack[i].programs[:], o.stack[i].every) {
			if p != nil {
				n++
			}
		}
	}
	return n
}

// randomUnit writes a unit.
func randomUnit(r *rand.Rand) unit {
	var u unit
	chance := func(percent int) bool { return r.IntN(100) < percent }
	some := func(words []string, most int) string {
		var list []string
		for range 1 + r.IntN(most) {
			if w := words[r.IntN(len(words))]; !slices.Contains(list, w) {
				list = append(list, w)
			}
		}
		return strings.Join(list, " ")
	}
	tilde := func() string { return []string{"", "~"}[r.IntN(2)] }
	for _, name := range []string{
		"ProtectHostname", "MemoryDenyWriteExecute", "RestrictRealtime", "RestrictSUIDSGID", "ProtectKernelTunables",
		"ProtectKernelModules", "ProtectKernelLogs", "ProtectClock", "PrivateDevices", "LockPersonality",
	} {
		if chance(35) {
			u = append(u, name+"=yes")
		}
	}
	families := strings.Fields("AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_ALG AF_VSOCK")
	if chance(40) {
		u = append(u, "RestrictAddressFamilies="+tilde()+some(families, 5))
	} else if chance(10) {
		u = append(u, "RestrictAddressFamilies=none")
	}
	if chance(40) {
		u = append(u, "RestrictNamespaces="+[]string{"yes", "~user", tilde() + some(strings.Fields("cgroup ipc net mnt pid user uts time"), 4)}[r.IntN(3)])
	}
	if chance(15) {
		u = append(u, "SystemCallArchitectures="+some(strings.Fields("native x86 x32 x86-64"), 3))
	}
	word := func() string {
		groups := seccomp.Groups()
		switch {
		case chance(30):
			return groups[r.IntN(len(groups))]
		case chance(40):
			return byArguments[r.IntN(len(byArguments))]
		}
		return seccomp.Calls()[r.IntN(len(seccomp.Calls()))]
	}
	actions := strings.Fields("EPERM EACCES ENOENT EILSEQ 255 4000 kill")
	if chance(80) {
		for n := range 1 + r.IntN(4) {
			line := tilde()
			var words []string
			if n == 0 && line == "" && chance(60) {
				words = append(words, "@system-service")
			}
			for range 1 + r.IntN(6) {
				w := word()
				if line == "~" && chance(25) {
					w += ":" + actions[r.IntN(len(actions))]
				}
				words = append(words, w)
			}
			u = append(u, "SystemCallFilter="+line+strings.Join(words, " "))
		}
	}
	if chance(40) {
		u = append(u, "SystemCallErrorNumber="+actions[r.IntN(len(actions))])
	}
	if chance(20) {
		u = append(u, "SystemCallLog="+tilde()+word()+" "+word())
	}
	return u
}

// The oracle finds what is missing: of a unit with all directives each one is left out
// in turn, and what is made of the rest is weaker somewhere.
func TestOracleFinds(t *testing.T) {
	numbers := numbersOf()
	for i, s := range hardened {
		name, _, _ := strings.Cut(s, "=")
		if name == "SystemCallErrorNumber" {
			continue
		}
		t.Run(s, func(t *testing.T) {
			// Without SystemCallFilter=, which forbids most of what the others do.
			with := slices.DeleteFunc(slices.Clone(hardened), func(have string) bool { return strings.HasPrefix(have, "SystemCallFilter=") })
			o := newOracle(t, with, 0)
			less := slices.DeleteFunc(slices.Clone(with), func(have string) bool { return have == s })
			if strings.HasPrefix(name, "SystemCallFilter") {
				with, o = hardened, newOracle(t, hardened, 0)
				less = slices.Delete(slices.Clone(hardened), i, i+1)
			}
			pl, err := compileUnit(t, less, 0)
			if err != nil {
				t.Fatal(err)
			}
			n := tally{stricter: make([]int, len(stricterRules))}
			for _, p := range numbers {
				for _, v := range oracleArgs[0] {
					for _, b := range []uint64{0o4755, 0o100, 6} {
						q := p.with(v, b, b, b)
						if err := o.judge(with, pl.Program, &q, &n); err != nil && strings.Contains(err.Error(), "WEAKER") {
							return
						}
					}
				}
			}
			t.Error("nothing was found to be weaker")
		})
	}
}
