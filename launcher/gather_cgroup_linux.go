package launcher

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// readCGroups reads what there is of control groups, where a directive needs one.
func (e *Env) readCGroups(p *policy.Policy, args []string) {
	asked, _ := asksCGroup(p)
	if asked == "" && !e.mayMount(p) {
		return
	}
	g := &e.CGroups
	g.Read = true
	if e.self >= 0 {
		groups, err := readBelow(e.self, "cgroup")
		var mounts string
		if err == nil {
			mounts, err = readBelow(e.self, "mountinfo")
		}
		if err != nil {
			g.Lack = reason(err)
			return
		}
		g.Trees = reachable(cgroup.Trees(groups, mounts))
		if e.InUserNS, err = inUserNS(e.self); err != nil {
			g.Lack = reason(err)
			return
		}
	}
	for i := range g.Trees {
		t := &g.Trees[i]
		home := cgroup.NewHome(*t, homePath(p, t, e.program(args), e.given().Group), false)
		access := cgroupAccess{Offers: t.Controllers}
		if t.Unified {
			access.Offers = e.offers(t, home.Path)
		} else if !needsLegacy(p, t) {
			continue
		}
		if e.For != "root" {
			if err := home.Access(); err != nil {
				access.Lack = reason(err)
			}
		}
		g.Access = append(g.Access, access)
		g.Homes = append(g.Homes, home)
	}
	if e.For != "root" && (asksPrograms(p) || p.PrivateDevices.V) {
		if err := cgroup.Loadable(cgroup.HookDevice); err != nil {
			g.NoPrograms = reason(err)
		}
	}
	e.readDevices(p)
	e.readBound(p)
	e.readAmounts(p)
	e.readDisks(p)
	if p.RestrictFileSystems.Set {
		active, err := cgroup.BPFActive()
		switch {
		case err != nil:
			g.NoFiles = reason(err)
		case !active:
			g.NoFiles = "the BPF security module is not active: the kernel needs \"bpf\" in its lsm= list"
		case e.For != "root":
			if err := cgroup.FilesLoadable(); err != nil {
				g.NoFiles = "the kernel takes no program of a security module: " + reason(err)
			}
		}
	}
}

// reachable are the trees of each hierarchy where they are in sight.
func reachable(all []cgroup.Tree) []cgroup.Tree {
	var list []cgroup.Tree
	for i := range all {
		t := &all[i]
		have := slices.ContainsFunc(list, func(o cgroup.Tree) bool { return t.Same(&o) })
		if !have && t.Reach() == nil {
			list = append(list, *t)
		}
	}
	return list
}

// offers are the controllers that a group at that path could have: what the nearest group
// above it has, and what those above that one have and can be made to hand down.
func (e *Env) offers(t *cgroup.Tree, path string) []string {
	var all []string
	nearest := true
	for path != "/" {
		path, _ = cgroup.Split(path)
		at := strings.TrimSuffix(t.Mount, "/") + path
		text, err := readRegular(at+"/cgroup.controllers", 4096)
		if err != nil {
			continue // it is to be made
		}
		if !nearest && e.For != "root" && unix.Faccessat(unix.AT_FDCWD, at+"/cgroup.subtree_control", unix.W_OK, unix.AT_EACCESS) != nil {
			break
		}
		nearest = false
		for _, c := range strings.Fields(string(text)) {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// readDevices finds which devices DeviceAllow= stands for: those of a path, or of the
// drivers whose names in /proc/devices match a pattern.
func (e *Env) readDevices(p *policy.Policy) {
	g := &e.CGroups
	drivers := ""
	if e.proc >= 0 {
		var err error
		if drivers, err = readBelow(e.proc, "devices"); err != nil {
			name, from := "DevicePolicy", p.DevicePolicy.From
			switch {
			case len(p.DeviceAllow.Items) > 0:
				name, from = "DeviceAllow", p.DeviceAllow.Items[0].From
			case !devicesAsked(p):
				name, from = "PrivateDevices", p.PrivateDevices.From
			}
			if devicesAsked(p) || p.PrivateDevices.V {
				e.problem(name, from, ExitCGroup, err)
			}
		}
	}
	g.Terminals = majors(drivers, false, "pts", cgroup.Read|cgroup.Write)
	g.Clocks = majors(drivers, false, "rtc", cgroup.Read)
	for i := range p.DeviceAllow.Items {
		item := &p.DeviceAllow.Items[i]
		list, err := devicesOf(drivers, item.V)
		if err != nil {
			e.problem("DeviceAllow", item.From, ExitCGroup, err)
		}
		g.Devices = append(g.Devices, list)
	}
}

// readBound finds the devices which are bound into a private /dev.
func (e *Env) readBound(p *policy.Policy) {
	if !p.PrivateDevices.V {
		return
	}
	for i := range p.Binds.Items {
		b := &p.Binds.Items[i].V
		if !strings.HasPrefix(b.Target+"/", "/dev/") {
			continue
		}
		// What is no device, or is not there, is no matter of devices.
		list, err := devicesOf("", policy.DeviceRule{Node: b.Source, Access: cgroup.Read | cgroup.Write})
		if err == nil {
			e.CGroups.Bound = append(e.CGroups.Bound, list...)
		}
	}
}

func devicesOf(drivers string, r policy.DeviceRule) ([]cgroup.Device, error) {
	for _, kind := range [...]struct {
		prefix string
		block  bool
	}{{"char-", false}, {"block-", true}} {
		if pattern, ok := strings.CutPrefix(r.Node, kind.prefix); ok {
			return majors(drivers, kind.block, pattern, r.Access), nil
		}
	}
	d := cgroup.Device{Access: r.Access}
	// /dev/char/1:3 names the numbers, whether the node is there or not.
	for dir, block := range map[string]bool{"/dev/char/": false, "/dev/block/": true} {
		if number, ok := strings.CutPrefix(r.Node, dir); ok {
			major, minor, _ := strings.Cut(number, ":")
			a, errA := strconv.ParseUint(major, 10, 12) // as large as the kernel's MKDEV takes
			b, errB := strconv.ParseUint(minor, 10, 20)
			if errA != nil || errB != nil {
				return nil, errors.New(r.Node + ": no numbers of a device")
			}
			d.Block, d.Major, d.Minor = block, uint32(a), uint32(b)
			return []cgroup.Device{d}, nil
		}
	}
	var st unix.Stat_t
	switch err := unix.Stat(r.Node, &st); {
	case err == unix.ENOENT:
		return nil, nil
	case err != nil:
		return nil, &os.PathError{Op: "stat", Path: r.Node, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		d.Block = true
	case unix.S_IFCHR:
	default:
		return nil, errors.New(r.Node + " is no device")
	}
	d.Major, d.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	return []cgroup.Device{d}, nil
}

// readAmounts reads what percentages are of.
func (e *Env) readAmounts(p *policy.Policy) {
	g := &e.CGroups
	for _, s := range sizes(p) {
		if !s.size.Set || s.size.V.Percent == 0 {
			continue
		}
		var err error
		if s.name == "TasksMax" {
			g.Tasks, err = mostTasks(e.proc)
		} else {
			var info unix.Sysinfo_t
			err = os.NewSyscallError("sysinfo", unix.Sysinfo(&info))
			g.Memory, g.Swap = uint64(info.Totalram)*uint64(info.Unit), uint64(info.Totalswap)*uint64(info.Unit)
			if err == nil && g.Memory == 0 {
				err = errors.New("sysinfo: answered without an answer")
			}
		}
		if err != nil {
			e.problem(s.name, s.size.From, ExitCGroup, err)
		}
	}
}

// mostTasks is how many tasks the kernel allows, proc_sys_kernel(5).
func mostTasks(proc int) (uint64, error) {
	if proc < 0 {
		return 0, errors.New("there is no /proc to read pid_max from")
	}
	most := ^uint64(0)
	for _, file := range [...]string{"sys/kernel/pid_max", "sys/kernel/threads-max"} {
		text, err := readBelow(proc, file)
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return 0, errors.New("/proc/" + file + ": " + err.Error())
		}
		most = min(most, n)
	}
	return most, nil
}

// readDisks finds the disks of IO directives.
func (e *Env) readDisks(p *policy.Policy) {
	for _, l := range ioLists(p) {
		for _, item := range l.list.Items {
			major, minor, err := disk(item.V.Path)
			if err != nil {
				e.problem(l.name, item.From, ExitCGroup, err)
			}
			e.CGroups.Disks = append(e.CGroups.Disks, [2]uint32{major, minor})
		}
	}
}

// disk is the whole disk that a path is, or on which it lies: controllers know no parts of
// one.
func disk(path string) (major, minor uint32, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	dev := st.Dev
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		dev = st.Rdev
	}
	major, minor = unix.Major(dev), unix.Minor(dev)
	if major == 0 {
		return 0, 0, errors.New(path + " lies on no single block device: name the device")
	}
	at := "/sys/dev/block/" + strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
	switch err := unix.Stat(at+"/partition", &st); {
	case err == unix.ENOENT:
		return major, minor, nil
	case err != nil:
		return 0, 0, &os.PathError{Op: "stat", Path: at + "/partition", Err: err}
	}
	text, err := readRegular(at+"/../dev", 64)
	if err != nil {
		return 0, 0, err
	}
	a, b, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	x, errX := strconv.ParseUint(a, 10, 32)
	y, errY := strconv.ParseUint(b, 10, 32)
	if errX != nil || errY != nil {
		return 0, 0, errors.New(at + "/../dev: " + strconv.Quote(string(text)))
	}
	return uint32(x), uint32(y), nil
}
