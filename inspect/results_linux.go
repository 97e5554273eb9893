package inspect

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// Results are the rows of a living process, in the order of exposure.Checks: what it has, and
// not what a directive would give it. The weakest of its threads decides. What the caller may
// not see is Unknown, with the reason in Why, and so is what nobody can see from outside; a
// thread of the kernel, and a process that has ended, have nothing but such rows.
//
// A row is good where what a directive of that name promises is true of the process, whatever
// brought it about: another directive, another program, or the process itself.
func (r *Reader) Results(p *Process) [81]exposure.Result {
	t := &rater{r: r, p: p, abis: seccomp.Machine(runtime.GOARCH), reach: new(reach)}
	if !p.Kernel && !p.Zombie {
		t.readFilters()
		if t.in, t.blind = r.look(p); t.blind == nil {
			defer t.in.close()
		}
		if t.host, t.hostBlind = r.first(); t.hostBlind == nil {
			defer t.host.close()
		}
	}
	return t.results()
}

// readFilters reads the filters. Where a thread has none, that alone decides, and is in
// plain sight.
func (t *rater) readFilters() {
	f, err := t.r.Filters(t.p)
	if err == nil {
		t.filters = f
		return
	}
	for i := range t.p.Threads {
		if g := &t.p.Threads[i]; g.State.Seccomp == 0 && len(g.IDs) > 0 {
			t.filters.Stacks = []Stack{{Thread: g.IDs[0]}}
			return
		}
	}
	t.unread = err.Error()
}

// first is how process 1 sees the file system.
func (r *Reader) first() (*sight, error) {
	dir, start, err := r.directory(1)
	if err != nil {
		return nil, err
	}
	if err := unix.Close(dir); err != nil {
		return nil, os.NewSyscallError("close", err)
	}
	return r.look(&Process{PID: 1, Start: start})
}

// text reads a small file of the kernel below /proc.
func (r *Reader) text(path string) (string, error) { return r.read(r.proc, path, small) }

// mountFlags are those that count.
type mountFlags struct{ readOnly, noDevices bool }

// flags are those of the mount that a path is on.
func (s *sight) flags(path string) (f mountFlags, err error) {
	fd, err := s.open(path, unix.O_PATH)
	if err != nil {
		return f, err
	}
	var fs unix.Statfs_t
	if err = unix.Fstatfs(fd, &fs); err == nil {
		f.readOnly, f.noDevices = int64(fs.Flags)&unix.ST_RDONLY != 0, int64(fs.Flags)&unix.ST_NODEV != 0
	}
	return f, errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
}

// closedDevices are those of DevicePolicy=closed: the pseudo devices by their numbers in the
// kernel's Documentation/admin-guide/devices.txt, and terminals.
func (r *Reader) closedDevices() []cgroup.Device {
	const all = cgroup.Read | cgroup.Write | cgroup.Mknod
	var list []cgroup.Device
	for _, n := range [...][2]uint32{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}} {
		list = append(list, cgroup.Device{Major: n[0], Minor: n[1], Access: all})
	}
	text, _ := r.text("devices") // without it there is no terminal in the list
	text, _, _ = strings.Cut(text, "Block devices:")
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "pts" {
			if n, err := strconv.ParseUint(f[0], 10, 12); err == nil {
				list = append(list, cgroup.Device{Major: uint32(n), Minor: cgroup.AnyMinor, Access: cgroup.Read | cgroup.Write})
			}
		}
	}
	return list
}

// deviceList is what the v1 controller of devices says of the group of a process: 0 where it
// has what is in closedDevices at most, 5 where it has more, 10 where it allows everything or
// is not there.
func (r *Reader) deviceList(p *Process) (badness int, why string) {
	const everything = "every device may be opened"
	for _, g := range p.Groups {
		if !slices.Contains(strings.Split(g.Hierarchy, ","), "devices") {
			continue
		}
		self, err := r.link(r.proc, "self")
		if err != nil {
			break
		}
		mounts := ""
		err = r.lines(r.proc, self+"/mountinfo", mountsMost, func(line string) error {
			if strings.Contains(line, " - cgroup ") {
				mounts += line + "\n"
			}
			return nil
		})
		if err != nil {
			break
		}
		for _, tree := range cgroup.Trees("1:"+g.Hierarchy+":"+g.Path+"\n", mounts) {
			fd, err := tree.Open(tree.Own)
			if err != nil {
				continue
			}
			text, err := r.list(fd)
			if errors.Join(err, unix.Close(fd)) != nil {
				continue
			}
			return r.judged(text)
		}
	}
	return 10, everything
}

// list is devices.list of a group.
func (r *Reader) list(dir int) (string, error) { return r.read(dir, "devices.list", large) }

// judged judges it: lines as "c 1:3 rwm", "a *:* rwm".
func (r *Reader) judged(text string) (badness int, why string) {
	closed := r.closedDevices()
	more := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		device, _, _ := strings.Cut(strings.TrimPrefix(line, "c "), " ")
		switch {
		case strings.HasPrefix(line, "a "), strings.Contains(line, " *:"):
			return 10, "every device may be opened"
		case strings.HasPrefix(line, "c ") && slices.ContainsFunc(closed, func(d cgroup.Device) bool {
			s, _ := strings.CutPrefix(d.String(), "c ")
			s, _, _ = strings.Cut(s, " ")
			return s == device
		}):
		case line != "":
			more = line
		}
	}
	if more != "" {
		return 5, more + " is on the list of its group"
	}
	return 0, "pseudo devices and terminals only, by the list of its group"
}
