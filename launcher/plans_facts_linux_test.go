package launcher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// facts are the lines with "@" of a case: a name, and words.
var facts = map[string]func(e *Env, words []string) error{
	// Who starts hardrun.
	"user": func(e *Env, _ []string) error { // uid 1000 of a machine, without capabilities
		e.UIDs, e.GIDs, e.Groups = [3]uint32{1000, 1000, 1000}, [3]uint32{1001, 1001, 1001}, []uint32{1001, 27}
		e.Caps = CapState{Bounding: e.Caps.Bounding}
		return nil
	},
	"uids": func(e *Env, w []string) error { return three(&e.UIDs, w) },
	"gids": func(e *Env, w []string) error { return three(&e.GIDs, w) },
	"groups": func(e *Env, w []string) (err error) {
		e.Groups, err = numbers[uint32](w)
		return err
	},
	"without": capabilities(func(e *Env, s caps.Set) {
		e.Caps.Permitted, e.Caps.Effective = e.Caps.Permitted.Without(s), e.Caps.Effective.Without(s)
	}),
	"only": capabilities(func(e *Env, s caps.Set) { e.Caps.Permitted, e.Caps.Effective = s, s }),
	"capable": func(e *Env, _ []string) error { // with all that the kernel has
		e.Caps.Permitted, e.Caps.Effective = caps.All(e.LastCap), caps.All(e.LastCap)
		return nil
	},
	"bounding":  capabilities(func(e *Env, s caps.Set) { e.Caps.Bounding = s }),
	"unbounded": capabilities(func(e *Env, s caps.Set) { e.Caps.Bounding = e.Caps.Bounding.Without(s) }),
	"ambient":   capabilities(func(e *Env, s caps.Set) { e.Caps.Ambient, e.Caps.Inheritable = s, s }),
	"securebits": func(e *Env, w []string) (err error) {
		e.SecureBits, err = caps.ParseSecureBits(strings.Join(w, " "))
		return err
	},
	"no_new_privs": func(e *Env, _ []string) error { e.NoNewPrivs = true; return nil },
	"terminal":     func(e *Env, _ []string) error { e.Terminal, e.Shared = true, true; return nil },
	"for":          func(e *Env, w []string) error { e.For = w[0]; return nil },
	"plan":         func(e *Env, _ []string) error { e.Aside = false; return nil },

	// Where.
	"no-proc":        func(e *Env, _ []string) error { e.Proc = false; return nil },
	"user-namespace": func(e *Env, _ []string) error { e.InUserNS = true; return nil },
	"chroot":         func(e *Env, _ []string) error { e.InChroot = true; return nil },
	"no-setgroups":   func(e *Env, _ []string) error { e.NoSetgroups = true; return nil },
	"old-mounts":     func(e *Env, _ []string) error { e.OldMounts = true; return nil },
	"old-filters":    func(e *Env, _ []string) error { e.OldFilters = true; return nil },
	"mdwe":           func(e *Env, _ []string) error { e.MDWE = true; return nil },
	"killable":       func(e *Env, _ []string) error { e.Killable = true; return nil },
	"machine":        func(e *Env, w []string) error { e.GOARCH = w[0]; return nil },
	"system":         func(e *Env, w []string) error { e.GOOS = w[0]; return nil },
	"landlock":       number(func(e *Env, n int) { e.Landlock = n }),
	"lsm": func(e *Env, w []string) error {
		e.LSMs = LSM{SELinux: slices.Contains(w, "selinux"), AppArmor: slices.Contains(w, "apparmor"), Smack: slices.Contains(w, "smack")}
		return nil
	},
	"idmap": func(e *Env, w []string) (err error) { // INSIDE OUTSIDE COUNT, of uids and gids
		e.UIDMap, err = ns.ParseMap(strings.Join(w, " ") + "\n")
		e.GIDMap = e.UIDMap
		return err
	},
	"gidmap": func(e *Env, w []string) (err error) {
		e.GIDMap, err = ns.ParseMap(strings.Join(w, " ") + "\n")
		return err
	},

	// What the process is.
	"limit": func(e *Env, w []string) error { // NAME SOFT:HARD
		for n := range e.Limits {
			if process.LimitName(n) == w[0] {
				l, err := process.ParseLimit(n, w[1])
				e.Limits[n] = l
				return err
			}
		}
		return fmt.Errorf("no limit %s", w[0])
	},
	"raised": func(e *Env, w []string) error {
		for n := range e.Limits {
			if process.LimitName(n) == w[0] {
				e.Raised |= 1 << n
			}
		}
		return nil
	},
	"nice":           number(func(e *Env, n int) { e.Nice = n }),
	"slack":          number(func(e *Env, n int) { e.TimerSlack = uint64(n) }),
	"closed":         number(func(e *Env, n int) { e.Closed |= 1 << n }),
	"leads":          number(func(e *Env, n int) { e.Leads |= 1 << n }),
	"ignored":        number(func(e *Env, n int) { e.Ignored |= 1 << (n - 1) }),
	"affinity-bytes": number(func(e *Env, n int) { e.AffinityBytes = n }),
	"affinity": func(e *Env, w []string) (err error) {
		e.Affinity, err = process.ParseCPUSet(strings.Join(w, " "))
		return err
	},
	"node": func(e *Env, w []string) error { // ID CPUS
		id, err := strconv.Atoi(w[0])
		if err != nil {
			return err
		}
		cpus, err := process.ParseCPUSet(w[1])
		e.Nodes = append(e.Nodes, Node{ID: id, CPUs: cpus})
		return err
	},
	"standard": func(e *Env, w []string) error { // FD DEV INO
		n, err := numbers[uint64](w)
		if err == nil {
			e.Standard[n[0]] = File{Dev: n[1], Ino: n[2]}
		}
		return err
	},
	"fdsize": number(func(e *Env, n int) { e.FDSize = n }),
	"parent": func(e *Env, w []string) (err error) { // PID, and how the status text has it
		e.ParentSeen = strings.Join(w[1:], "")
		e.Parent, err = strconv.Atoi(w[0])
		return err
	},
	"again": func(e *Env, w []string) error { // a second start, after what was done
		a := &e.Again
		for _, word := range w {
			switch word {
			case "userns":
				a.UserNS = true
			case "pidns":
				a.PIDNS = true
			case "init":
				a.Init = true
			case "explain":
				a.Explain, a.Socket = true, 9
			case "outer":
				a.Outer = true
			case "guessed":
				a.Guessed = true
			case "denied":
				a.Denied = 1 // EPERM
			case "lacked":
				a.Lacked = 1 << capSysAdmin
			default:
				fd, err := strconv.Atoi(word) // of a control group
				if err != nil {
					return err
				}
				a.CGroups = append(a.CGroups, fd)
			}
		}
		return nil
	},

	// What the names of the policy stand for.
	"www": func(e *Env, w []string) error { // HOME SHELL of the user
		e.User.Home, e.User.Shell = strings.TrimPrefix(w[0], "none"), w[1]
		return nil
	},
	"www-id": func(e *Env, w []string) error { // UID GID
		n, err := numbers[uint32](w)
		if err == nil {
			e.User.UID, e.User.GID, e.UserGroups = n[0], n[1], []uint32{n[1]}
		}
		return err
	},
	"nameless": func(e *Env, _ []string) error { e.User.Name = ""; return nil },
	"root-user": func(e *Env, _ []string) error { // User=root
		e.User, e.UserGroups = caps.User{Name: "root", Home: "/root", Shell: "/bin/bash", Entry: true}, []uint32{0}
		return nil
	},
	"own": func(e *Env, w []string) error { // who hardrun runs as
		e.Own = caps.User{Name: w[0], Home: "/root", Shell: "/bin/bash", Entry: true}
		return nil
	},
	"group": number(func(e *Env, n int) { e.Group = caps.Group{Name: "g", GID: uint32(n)} }),
	"extra": func(e *Env, w []string) (err error) {
		e.Extra, err = numbers[uint32](w)
		return err
	},
	"environ": func(e *Env, w []string) error { e.Environ = append(slices.Clone(e.Environ), w...); return nil },
	"file":    func(e *Env, w []string) error { e.EnvFiles = append(e.EnvFiles, w); return nil },
	"listen": func(e *Env, w []string) (err error) { // COUNT NAMES
		e.ListenFor, e.FDNames = true, w[1:]
		e.Listen, err = strconv.Atoi(w[0])
		return err
	},
	"command": func(e *Env, w []string) error { // PATH ARGS
		e.Command = Command{Args: w, Path: w[0]}
		return nil
	},
	"arg": func(e *Env, w []string) error { // a word with blanks, or an empty one
		e.Command.Args = append(slices.Clone(e.Command.Args), strings.Join(w, " "))
		return nil
	},
	"no-words":   func(e *Env, _ []string) error { e.Command.Args = nil; return nil },
	"no-command": func(e *Env, _ []string) error { e.Command = Command{}; return nil },
	"search":     func(e *Env, w []string) error { e.Command.Search = w; return nil },
	"interp":     func(e *Env, w []string) error { e.Command.Interp = w[0]; return nil },
	"closure": func(e *Env, w []string) error { // d DIR, f FILE WHY, l LINK TARGET, or t FILE TEXT
		rest := strings.Join(w[2:], " ")
		switch w[0] {
		case "d":
			e.Closure = append(e.Closure, ns.File{Path: w[1], Kind: ns.KindDir})
		case "f":
			e.Closure = append(e.Closure, ns.File{Path: w[1], Kind: ns.KindFile, Why: rest})
		case "l":
			e.Closure = append(e.Closure, ns.File{Path: w[1], Kind: ns.KindSymlink, Target: rest})
		case "t":
			e.Texts = append(e.Texts, ns.Text{Path: w[1], Text: rest})
		}
		return nil
	},
	"closure-note": func(e *Env, w []string) error {
		e.ClosureNotes = append(e.ClosureNotes, strings.Join(w, " "))
		return nil
	},
	"problem": func(e *Env, w []string) error { // DIRECTIVE= LINE EXIT TEXT
		n, err := numbers[int](w[1:3])
		if err == nil {
			e.Problems = append(e.Problems, Refusal{Directive: w[0], Origin: policy.Origin{File: "x.service", Line: n[0]}, Text: strings.Join(w[3:], " "), Exit: n[1]})
		}
		return err
	},
	"bpf": func(e *Env, w []string) error { // what the filter of --seccomp-bpf says to every call, or to one
		e.Filter, e.Arch, e.Execve = readyFilter(w), seccomp.Machine("amd64")[0].Arch, 59
		return nil
	},

	// Control groups.
	"no-cgroup2": func(e *Env, _ []string) error {
		e.CGroups.Homes, e.CGroups.Access = nil, nil
		return nil
	},
	"cgroup-mount": func(e *Env, w []string) error { e.CGroups.Homes[0].Tree.Mount = w[0]; return nil },
	"cgroups-lack": func(e *Env, w []string) error { e.CGroups.Lack = strings.Join(w, " "); return nil },
	"cgroup-lacks": func(e *Env, w []string) error {
		e.CGroups.Access[len(e.CGroups.Access)-1].Lack = strings.Join(w, " ")
		return nil
	},
	"cgroup-offers":  func(e *Env, w []string) error { e.CGroups.Access[0].Offers = w; return nil },
	"no-programs":    func(e *Env, w []string) error { e.CGroups.NoPrograms = strings.Join(w, " "); return nil },
	"no-files":       func(e *Env, w []string) error { e.CGroups.NoFiles = strings.Join(w, " "); return nil },
	"no-devices":     func(e *Env, _ []string) error { e.CGroups.Devices = nil; return nil },
	"no-such-device": func(e *Env, _ []string) error { e.CGroups.Devices = [][]cgroup.Device{{}}; return nil },
	"no-disks":       func(e *Env, _ []string) error { e.CGroups.Disks = nil; return nil },
	"disk": func(e *Env, w []string) error { // MAJOR MINOR
		n, err := numbers[uint32](w)
		if err == nil {
			e.CGroups.Disks = append(e.CGroups.Disks, [2]uint32{n[0], n[1]})
		}
		return err
	},
	"bound": func(e *Env, _ []string) error {
		e.CGroups.Bound = []cgroup.Device{{Major: 226, Minor: 128, Access: cgroup.Read | cgroup.Write}}
		return nil
	},
	"cgroup-v1": func(e *Env, w []string) error { // a hierarchy of controllers
		t := cgroup.Tree{Controllers: w, Mount: "/v1/" + w[0], Own: "/"}
		e.CGroups.Trees = append(e.CGroups.Trees, t)
		e.CGroups.Homes = append(e.CGroups.Homes, cgroup.NewHome(t, "/hardrun-daemon", false))
		e.CGroups.Access = append(e.CGroups.Access, cgroupAccess{Offers: w})
		return nil
	},

	// What a command of a service gets.
	"unit": func(e *Env, w []string) error { e.given1().Unit = w[0]; return nil },
	"dynamic": func(e *Env, _ []string) error {
		e.given1().Who = aDynamicUser()
		e.User, e.UserGroups = *aDynamicUser(), []uint32{61200}
		return nil
	},
	"given-environ": func(e *Env, w []string) error { e.given1().Environ = w; return nil },
	"vars":          func(e *Env, _ []string) error { e.given1().Vars = true; return nil },
	"shell": func(e *Env, w []string) error { // PATH of it
		e.given1().Shell, e.Command.Path = true, w[0]
		return nil
	},
	"login": func(e *Env, w []string) error {
		e.given1().Shell, e.given1().Login, e.Command.Path = true, true, w[0]
		return nil
	},
	"argv0": func(e *Env, w []string) error { // the program, whose name is the first word of the command
		e.given1().Argv0, e.given1().Path, e.Command.Path = true, w[0], w[0]
		return nil
	},
	"booted":  func(e *Env, _ []string) error { e.given1().Booted = true; return nil },
	"death":   func(e *Env, _ []string) error { e.given1().Death = true; return nil },
	"notify":  func(e *Env, w []string) error { e.given1().Notify = w[0]; return nil },
	"net":     number(func(e *Env, n int) { e.given1().Net = n }),
	"ipc":     number(func(e *Env, n int) { e.given1().IPC = n }),
	"tmp":     number(func(e *Env, n int) { e.given1().Tmp = n }),
	"var-tmp": number(func(e *Env, n int) { e.given1().VarTmp = n }),
	"socket": func(e *Env, w []string) error { // FD NAME, and "nonblocking"
		fd, err := strconv.Atoi(w[0])
		s := GivenSocket{FD: fd, NonBlocking: slices.Contains(w, "nonblocking")}
		if len(w) > 1 && w[1] != "nonblocking" {
			s.Name = w[1]
		}
		e.given1().Sockets = append(e.given1().Sockets, s)
		return err
	},
	"credential": func(e *Env, w []string) error { // ID DATA
		e.given1().Credentials = append(e.given1().Credentials, GivenCredential{ID: w[0], Data: []byte(strings.Join(w[1:], " "))})
		return nil
	},
	"directory": func(e *Env, w []string) error { // DIRECTIVE HOST INSIDE, "ro", and links
		d := GivenDirectory{Directive: w[0], Host: w[1], Inside: w[2]}
		for _, word := range w[3:] {
			if word == "ro" {
				d.ReadOnly = true
			} else {
				d.Links = append(d.Links, word)
			}
		}
		e.given1().Directories = append(e.given1().Directories, d)
		return nil
	},
}

// given1 is what is given, which can be changed.
func (e *Env) given1() *Given {
	if e.Given == nil {
		e.Given = &Given{}
	}
	return e.Given
}

func changeFacts(e *Env, words []string) error {
	f := facts[words[0]]
	if f == nil {
		return fmt.Errorf("no such fact")
	}
	return f(e, words[1:])
}

func capabilities(f func(e *Env, s caps.Set)) func(e *Env, words []string) error {
	return func(e *Env, words []string) error {
		s, _, _, err := caps.ParseList(strings.Join(words, ","))
		f(e, s)
		return err
	}
}

func number(f func(e *Env, n int)) func(e *Env, words []string) error {
	return func(e *Env, words []string) error {
		n, err := strconv.Atoi(words[0])
		f(e, n)
		return err
	}
}

func numbers[T uint32 | uint64 | int](words []string) ([]T, error) {
	var list []T
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil {
			return nil, err
		}
		list = append(list, T(n))
	}
	return list, nil
}

func three(to *[3]uint32, words []string) error {
	n, err := numbers[uint32](words)
	if err == nil {
		copy(to[:], n)
	}
	return err
}

// readyFilter is a program of --seccomp-bpf: "allow" or "kill" for every call, or "deny" or "kill"
// and the numbers of those that it says that to, or one and its first argument ("deny 317 with 1"); or "broken", which ends nowhere, or not for one.
func readyFilter(words []string) seccomp.Program {
	const load, equal, ret = 0x20, 0x15, 0x06 // classic BPF: the number of the call, a jump, the end
	action := seccomp.Allow
	switch words[0] {
	case "deny":
		action = seccomp.Errno | 1
	case "kill":
		action = seccomp.KillProcess
	case "broken":
		if len(words) == 1 {
			return seccomp.Program{{Code: load}}
		}
		nr, _ := numbers[uint32](words[1:])
		return seccomp.Program{{Code: load}, {Code: equal, JT: 1, K: nr[0]}, {Code: ret, K: uint32(action)}, {Code: load}}
	}
	switch {
	case len(words) == 1:
		return seccomp.Program{{Code: ret, K: uint32(action)}}
	case len(words) == 4 && words[2] == "with":
		n, _ := numbers[uint32]([]string{words[1], words[3]})
		return seccomp.Program{
			{Code: load},
			{Code: equal, JF: 3, K: n[0]},
			{Code: load, K: 16},
			{Code: equal, JF: 1, K: n[1]},
			{Code: ret, K: uint32(action)},
			{Code: ret, K: uint32(seccomp.Allow)},
		}
	}
	p := seccomp.Program{{Code: load}}
	calls, _ := numbers[uint32](words[1:])
	for _, nr := range calls {
		p = append(p, seccomp.Instruction{Code: equal, JF: 1, K: nr}, seccomp.Instruction{Code: ret, K: uint32(action)})
	}
	return append(p, seccomp.Instruction{Code: ret, K: uint32(seccomp.Allow)})
}
