package inspect

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"golang.org/x/sys/unix"
)

// programs finds the BPF programs that the kernel asks for the process, and the groups which
// they are attached to.
func (r *Reader) programs(p *Process) {
	fail := func(err error) {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			p.lacks("Programs", "needs CAP_NET_ADMIN (permission denied)")
			return
		}
		p.lacks("Programs", err.Error())
	}
	path := ""
	for _, g := range p.Groups {
		if g.Hierarchy == "" {
			path = g.Path
		}
	}
	if path == "" {
		return // cgroup2 is not there, and neither are programs
	}
	t, err := r.tree(path)
	if err != nil {
		fail(err)
		return
	}
	var dirs []int
	var groups []string
	defer func() {
		for _, fd := range dirs {
			if err := unix.Close(fd); err != nil {
				fail(err)
			}
		}
	}()
	open := func(path string) error {
		fd, err := t.Open(path)
		if err == nil {
			dirs, groups = append(dirs, fd), append(groups, path)
		}
		return err
	}
	if err := open(t.Own); err != nil {
		fail(err)
		return
	}
	for _, h := range cgroup.Hooks() {
		all, err := cgroup.Attached(dirs[0], h, true)
		if err == cgroup.ErrNoHook {
			continue
		}
		if err != nil {
			fail(err)
			return
		}
		// From the own group up, until it is found where each one is attached.
		left := slices.Clone(all)
		for i := 0; len(left) > 0; i++ {
			if i == len(dirs) {
				above, _ := cgroup.Split(groups[i-1])
				if groups[i-1] == "/" || open(above) != nil {
					break
				}
			}
			here, err := cgroup.Attached(dirs[i], h, false)
			if err != nil {
				fail(err)
				return
			}
			for _, id := range here {
				if j := slices.Index(left, id); j >= 0 {
					left = slices.Delete(left, j, j+1)
					p.Programs = append(p.Programs, r.program(id, h.Name, groupName(path, t.Own, groups[i])))
				}
			}
		}
		for _, id := range left {
			p.Programs = append(p.Programs, r.program(id, h.Name, ""))
		}
	}
}

// groupName is a group below the mount in the words of /proc/PID/cgroup: path is the group of
// the process there, own the same below the mount.
func groupName(path, own, group string) string {
	root := strings.TrimSuffix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(own, "/"))
	if group == "/" && root != "" {
		return root
	}
	return root + group
}

// program is what is known of one: its name and tag as far as they may be asked for.
func (r *Reader) program(id uint32, attach, group string) Program {
	p := Program{Attach: attach, ID: id, Group: group}
	if name, tag, err := cgroup.About(id); err == nil {
		p.Name, p.Tag = name, tag
	}
	return p
}

// tree is where the group of a process can be reached from here.
func (r *Reader) tree(path string) (*cgroup.Tree, error) {
	if r.groups == "" {
		self, err := r.link(r.proc, "self")
		if err != nil {
			return nil, err
		}
		var mounts strings.Builder
		err = r.lines(r.proc, self+"/mountinfo", mountsMost, func(line string) error {
			if strings.Contains(line, " - cgroup2 ") {
				mounts.WriteString(line + "\n")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		r.groups = mounts.String()
	}
	trees := cgroup.Trees("0::"+path+"\n", r.groups)
	for i := range trees {
		if trees[i].Reach() == nil {
			return &trees[i], nil
		}
	}
	return nil, errors.New("the control group cannot be reached from here")
}
