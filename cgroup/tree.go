package cgroup

import (
	"slices"
	"strconv"
	"strings"
)

// Tree is a hierarchy of control groups as a process sees it, cgroups(7).
type Tree struct {
	Unified     bool     // cgroup2
	Controllers []string // of a v1 hierarchy: those that are bound to it
	Mount       string   // where it is mounted: "/sys/fs/cgroup"
	Own         string   // the own group, below the mount: "/", "/system/web"
	ID          uint64   // the number of the mount
}

// Trees are the hierarchies in which the process is, at each place where they are mounted:
// those of /proc/PID/cgroup, by /proc/PID/mountinfo. A group above what is mounted, or
// outside of the cgroup namespace, cannot be reached. Of the places of one hierarchy
// another mount may cover some; Reach tells.
func Trees(groups, mountinfo string) []Tree {
	var trees []Tree
	for line := range strings.Lines(groups) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, found := strings.Cut(rest, ":")
		if !found || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/..") || strings.HasSuffix(path, " (deleted)") {
			continue
		}
		t := Tree{Unified: controllers == "" && strings.HasPrefix(line, "0:")}
		if !t.Unified {
			t.Controllers = strings.Split(controllers, ",")
		}
		for mount := range strings.Lines(mountinfo) {
			id, root, point, ok := t.mountedBy(mount)
			if !ok {
				continue
			}
			own, below := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
			if !below || own != "" && own[0] != '/' {
				continue
			}
			t.ID, t.Mount, t.Own = id, point, "/"+strings.TrimPrefix(own, "/")
			trees = append(trees, t)
		}
	}
	return trees
}

// mountedBy reads a line of mountinfo, proc_pid_mountinfo(5), and tells whether it
// mounts this hierarchy: the number and the root of the mount, and where it is.
func (t *Tree) mountedBy(line string) (id uint64, root, point string, ok bool) {
	before, after, found := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	if !found {
		return 0, "", "", false
	}
	f, super := strings.Fields(before), strings.Fields(after)
	if len(f) < 5 || len(super) < 1 {
		return 0, "", "", false
	}
	id, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return 0, "", "", false
	}
	switch {
	case t.Unified:
		ok = super[0] == "cgroup2"
	case super[0] == "cgroup" && len(super) > 2:
		options := strings.Split(super[2], ",")
		ok = !slices.ContainsFunc(t.Controllers, func(c string) bool { return !slices.Contains(options, c) })
	}
	return id, unescape(f[3]), unescape(f[4]), ok
}

// unescape undoes the octal escapes of mountinfo: "\040" is a blank.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			b = append(b, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// Same tells whether two are places of one hierarchy.
func (t *Tree) Same(o *Tree) bool {
	return t.Unified == o.Unified && slices.Equal(t.Controllers, o.Controllers)
}

// Has tells whether a v1 hierarchy has a controller.
func (t *Tree) Has(controller string) bool { return slices.Contains(t.Controllers, controller) }

// Find is the group of a path, below the mount. A relative path is below the own group, an
// absolute one below the mount, whose name it may carry.
func (t *Tree) Find(path string) string {
	if rest, ok := strings.CutPrefix(path, t.Mount+"/"); ok {
		path = "/" + rest
	}
	if path[0] != '/' {
		path = strings.TrimSuffix(t.Own, "/") + "/" + path
	}
	return path
}

// Split is the parent of a group and its name in it.
func Split(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 1)], path[i+1:]
}
