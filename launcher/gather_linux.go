package launcher

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// GatherFor reads what Compile needs to know. For a launch it is the state of this
// process; for a plan ("root") that of a root with every capability on this
// machine. What a name of the policy stands for is looked up here, in the host's
// files. given is what a command of a service gets; nil for a bare command line. For a
// launch it is there already, for a plan it need not be. An error is a state that could not
// be read; what is merely missing is in Env.Problems.
func GatherFor(p *policy.Policy, who string, args []string, snap Snapshot, given *Given) (*Env, error) {
	env := &Env{For: who, Snapshot: snap, PID: unix.Getpid(), Parent: unix.Getppid(), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Given: given}
	env.renumber()
	env.listen()
	if given != nil {
		// What DynamicUser= and its kind imply decides what is looked at.
		q := policyFor(*p, given)
		q.Normalize(!q.User.Set && unix.Geteuid() == 0 || given.Who != nil && given.Who.UID == 0)
		p = &q
		if err := env.reserve(); err != nil {
			return nil, err
		}
		var st unix.Stat_t
		env.Split = unix.Lstat("/bin", &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	proc, err := openProc()
	if err != nil {
		return nil, err
	}
	env.proc, env.self, env.status = -1, -1, -1
	if proc >= 0 {
		if env.self, err = openSelf(proc); err != nil {
			return nil, err
		}
		if env.self < 0 {
			err = closed(proc, "/proc")
		} else {
			env.proc = proc
		}
		if err != nil {
			return nil, err
		}
	}
	env.Proc = env.proc >= 0
	if err := env.readCredentials(); err != nil {
		return nil, err
	}
	if env.self >= 0 && !slices.Contains(env.Groups, env.GIDs[1]) {
		// The groups may be the ones asked for but for the primary one (keepsGroups).
		// Before Linux 3.19 the file is not there, and nothing is denied by it.
		text, err := readBelow(env.self, "setgroups")
		env.NoSetgroups = err == nil && strings.TrimSpace(text) == "deny"
	}
	if err := env.leads(); err != nil {
		return nil, err
	}
	env.names(p)
	env.files(p)
	if p.User.Set {
		env.Shared = process.ControllingTerminal(env.stat)
		env.Terminal = env.Shared && sticky(env.proc)
	}
	if p.NoNewPrivileges.Set && p.NoNewPrivileges.V || p.SELinuxContext.Set || p.AppArmorProfile.Set || p.SmackProcessLabel.Set {
		env.LSMs = listLSMs()
	}
	env.readFilter(p)
	if p.Nice.Set {
		raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			return nil, os.NewSyscallError("getpriority", err)
		}
		env.Nice = 20 - raw
	}
	if p.NUMAMask.V.All || p.CPUAffinity.V.NUMA {
		if err := env.nodes(); err != nil {
			return nil, err
		}
	}
	if who == "root" {
		env.becomeRoot()
	}
	env.readCGroups(p, args)
	if name, _ := asksView(p, env.given()); name != "" || hasRoot(p) || p.PrivateUsers.Set || env.given().bootedAlone() { // a root implies MountAPIVFS=
		env.viewOf(p, args)
	}
	if p.AllowLandlock.IsSet() {
		env.Landlock = ns.LandlockVersion()
	}
	env.paths(p, args)
	if who == "launch" {
		env.descriptors(p)
	} else {
		env.see(p)
	}
	return env, nil
}

// stat is the text of /proc/self/stat.
func (e *Env) stat() (string, error) {
	if e.self < 0 {
		return "", errors.New("there is no /proc")
	}
	return readBelow(e.self, "stat")
}

// leads looks for standard descriptors which lead to other files than themselves.
func (e *Env) leads() error {
	for fd := range 3 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return os.NewSyscallError("fcntl(F_GETFL)", err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR || flags&unix.O_PATH != 0 {
			e.Leads |= 1 << fd
		}
	}
	return nil
}

// renumber makes LISTEN_PID= the own number in a second start, where it named the
// process which the starter knows: it became another one, or is 1 in its namespace.
func (e *Env) renumber() {
	if e.Again.Starter == 0 || e.Again.Starter == e.PID {
		return
	}
	was, is := "LISTEN_PID="+strconv.Itoa(e.Again.Starter), "LISTEN_PID="+strconv.Itoa(e.PID)
	for i, v := range e.Environ {
		if v == was {
			e.Environ = slices.Clone(e.Environ)
			e.Environ[i] = is
		}
	}
}

// becomeRoot makes the state that of a root who has everything this kernel
// knows: what `hardrun plan` shows without --for=self.
func (e *Env) becomeRoot() {
	all := caps.All(e.LastCap)
	e.UIDs, e.GIDs, e.Groups, e.Nice = [3]uint32{}, [3]uint32{}, nil, 0
	e.Caps = CapState{Permitted: all, Effective: all, Bounding: all}
	e.SecureBits, e.NoNewPrivs, e.Proc, e.NoSetgroups = 0, false, true, false
}

func prctl(option int, a ...uintptr) (int, unix.Errno) {
	var v [4]uintptr
	copy(v[:], a)
	r, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, uintptr(option), v[0], v[1], v[2], v[3], 0)
	return int(r), errno
}

// readCredentials reads ids, groups, capability sets, securebits, no_new_privs.
func (e *Env) readCredentials() error {
	for i := range 3 {
		e.UIDs[i], e.GIDs[i] = ^uint32(0), ^uint32(0)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_GETRESUID, ptr(&e.UIDs[0]), ptr(&e.UIDs[1]), ptr(&e.UIDs[2])); errno != 0 {
		return os.NewSyscallError("getresuid", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_GETRESGID, ptr(&e.GIDs[0]), ptr(&e.GIDs[1]), ptr(&e.GIDs[2])); errno != 0 {
		return os.NewSyscallError("getresgid", errno)
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return os.NewSyscallError("getgroups", err)
	}
	for _, g := range groups {
		e.Groups = append(e.Groups, uint32(g))
	}
	e.LastCap = -1
	for c := 63; c >= 0; c-- {
		if _, errno := prctl(unix.PR_CAPBSET_READ, uintptr(c)); errno == 0 {
			e.LastCap = c
			break
		} else if errno != unix.EINVAL {
			return os.NewSyscallError("prctl(PR_CAPBSET_READ)", errno)
		}
	}
	if e.LastCap < 0 {
		return errors.New("prctl(PR_CAPBSET_READ): the kernel knows no capability")
	}
	bits, errno := prctl(unix.PR_GET_SECUREBITS)
	if errno != 0 {
		return os.NewSyscallError("prctl(PR_GET_SECUREBITS)", errno)
	}
	e.SecureBits = caps.SecureBits(bits)
	nnp, errno := prctl(unix.PR_GET_NO_NEW_PRIVS)
	if errno != 0 {
		return os.NewSyscallError("prctl(PR_GET_NO_NEW_PRIVS)", errno)
	}
	e.NoNewPrivs = nnp == 1
	return e.readCaps()
}

// readCaps reads the five sets: from the status text, or by the getters where
// there is none or it does not tell (gVisor).
func (e *Env) readCaps() error {
	if e.self >= 0 {
		fd, err := openBelow(e.self, "status", unix.O_RDONLY)
		if err != nil {
			return err
		}
		e.status = fd
		text, err := readFD(fd, 1<<20)
		if err != nil {
			return &os.PathError{Op: "read", Path: "/proc/self/status", Err: err}
		}
		st, err := parseStatus(string(text))
		if err != nil {
			return errors.New("/proc/self/status: " + err.Error())
		}
		if st.pid != e.PID {
			return errors.New("/proc/self/status is that of another process")
		}
		e.FDSize, e.ParentSeen, e.fullStatus = st.fdSize, st.parent, st.seen == seenAll
		if st.seen&seenCaps == seenCaps {
			e.Caps = st.caps
			return nil
		}
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	join := func(lo, hi uint32) caps.Set { return caps.Set(uint64(lo) | uint64(hi)<<32) }
	e.Caps.Effective = join(data[0].Effective, data[1].Effective)
	e.Caps.Permitted = join(data[0].Permitted, data[1].Permitted)
	e.Caps.Inheritable = join(data[0].Inheritable, data[1].Inheritable)
	e.Caps.Bounding, e.Caps.Ambient = 0, 0
	for c := range e.LastCap + 1 {
		on, errno := prctl(unix.PR_CAPBSET_READ, uintptr(c))
		if errno != 0 {
			return os.NewSyscallError("prctl(PR_CAPBSET_READ)", errno)
		}
		if on == 1 {
			e.Caps.Bounding |= 1 << c
		}
		on, errno = prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c))
		if errno != 0 {
			return os.NewSyscallError("prctl(PR_CAP_AMBIENT_IS_SET)", errno)
		}
		if on == 1 {
			e.Caps.Ambient |= 1 << c
		}
	}
	return nil
}

// sticky tells whether TIOCSTI works: Linux 6.2 can turn it off.
func sticky(proc int) bool {
	if proc < 0 {
		return true
	}
	text, err := readBelow(proc, "sys/dev/tty/legacy_tiocsti")
	return err != nil || strings.TrimSpace(text) != "0"
}

const sysLSMListModules = 461 // Linux 6.8, the same number everywhere but on alpha

// listLSMs asks the kernel which security modules are there; before Linux 6.8
// by what each of them shows of itself.
func listLSMs() LSM {
	var ids [32]uint64
	size := uint32(len(ids) * 8)
	n, _, errno := unix.RawSyscall(sysLSMListModules, ptr(&ids[0]), ptr(&size), 0)
	var l LSM
	if errno == 0 && n <= uintptr(len(ids)) {
		for _, id := range ids[:n] {
			switch id {
			case 101:
				l.SELinux = true
			case 102:
				l.Smack = true
			case 104:
				l.AppArmor = true
			}
		}
		return l
	}
	var fs unix.Statfs_t
	l.SELinux = unix.Statfs("/sys/fs/selinux", &fs) == nil && uint32(fs.Type) == unix.SELINUX_MAGIC
	l.Smack = unix.Statfs("/sys/fs/smackfs", &fs) == nil && uint32(fs.Type) == unix.SMACK_MAGIC
	on, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	l.AppArmor = err == nil && strings.TrimSpace(string(on)) == "Y"
	return l
}

// nodes reads the memory nodes of the machine and their CPUs.
func (e *Env) nodes() error {
	const dir = "/sys/devices/system/node"
	online, err := os.ReadFile(dir + "/online")
	if err != nil {
		return err
	}
	set, err := process.ParseCPUSet(strings.TrimSpace(string(online)))
	if err != nil {
		return errors.New(dir + "/online: " + err.Error())
	}
	for n := range len(set) * 64 {
		if !set.Has(n) {
			continue
		}
		path := dir + "/node" + strconv.Itoa(n) + "/cpulist"
		list, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		cpus := process.CPUSet(nil)
		if text := strings.TrimSpace(string(list)); text != "" {
			if cpus, err = process.ParseCPUSet(text); err != nil {
				return errors.New(path + ": " + err.Error())
			}
		}
		e.Nodes = append(e.Nodes, Node{n, cpus})
	}
	return nil
}
