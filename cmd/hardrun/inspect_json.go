package main

import (
	"strconv"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/process"
)

// inspectJSON is the form of --json: an object, or with several an array of them.
func inspectJSON(list []seen, several bool) string {
	var j jsonWriter
	if several {
		j.open("[")
	}
	for i := range list {
		if j.next(); i > 0 {
			j.WriteString("\n")
		}
		j.open("{")
		j.process(&list[i])
		j.close("}")
	}
	if several {
		j.close("]")
	}
	return j.String() + "\n"
}

func (j *jsonWriter) number(name string, n int) { j.raw(name, strconv.Itoa(n)) }

func (j *jsonWriter) bool(name string, v bool) { j.raw(name, strconv.FormatBool(v)) }

// numbers is a member whose value is an array of numbers.
func (j *jsonWriter) numbers(name string, n int, at func(i int) uint64) {
	j.raw(name, "")
	j.open("[")
	for i := range n {
		j.next()
		j.WriteString(strconv.FormatUint(at(i), 10))
	}
	j.close("]")
}

// process are the members of one object. What could not be read is null, and in unknown.
func (j *jsonWriter) process(s *seen) {
	p := s.Process
	j.number("pid", p.PID)
	j.number("ppid", p.PPID)
	j.field("name", p.Name)
	j.numbers("pids", len(p.PIDs), func(i int) uint64 { return uint64(p.PIDs[i]) })
	j.raw("start", strconv.FormatUint(p.Start, 10))
	j.bool("kernel", p.Kernel)
	j.bool("zombie", p.Zombie)
	j.number("tracer", p.Tracer)
	// known writes a member, or null.
	known := func(field, name string, write func()) {
		if p.Why(field) != "" {
			j.raw(name, "null")
			return
		}
		write()
	}
	known("Exe", "exe", func() { j.field("exe", p.Exe) })
	known("Args", "args", func() { j.strings("args", p.Args) })
	j.list("threads", len(p.Threads), func(i int) { j.threads(&p.Threads[i]) })
	j.list("namespaces", len(p.Spaces), func(i int) {
		n := &p.Spaces[i]
		j.field("kind", n.Kind)
		j.raw("inode", strconv.FormatUint(n.Inode, 10))
		host := "null"
		if n.Known {
			host = strconv.FormatBool(n.Host)
		}
		j.raw("host", host)
		j.bool("own", n.Own)
	})
	known("Root", "root", func() { j.field("root", p.Root) })
	known("NewRoot", "new_root", func() { j.bool("new_root", p.NewRoot) })
	j.field("inside", "/proc/"+strconv.Itoa(p.PID)+"/root")
	known("Cwd", "cwd", func() { j.field("cwd", p.Cwd) })
	known("Mounts", "mounts", func() {
		j.list("mounts", len(p.Mounts), func(i int) {
			m := &p.Mounts[i]
			j.number("id", m.ID)
			j.number("parent", m.Parent)
			j.field("point", m.Point)
			j.field("root", m.Root)
			j.field("type", m.Type)
			j.field("source", m.Source)
			j.strings("options", m.Options)
			j.strings("super", m.Super)
			j.bool("ro", m.Has("ro"))
			j.bool("covered", m.Covered)
		})
	})
	known("UMask", "umask", func() { j.field("umask", octal(p.UMask)) })
	known("Limits", "limits", func() {
		j.list("limits", len(p.Limits), func(i int) {
			l := &p.Limits[i]
			j.field("name", l.Name)
			j.limit("soft", l.Soft)
			j.limit("hard", l.Hard)
		})
	})
	known("OOMAdjust", "oom_score_adj", func() { j.number("oom_score_adj", p.OOMAdjust) })
	j.number("nice", p.Nice)
	j.list("cgroups", len(p.Groups), func(i int) {
		j.field("hierarchy", p.Groups[i].Hierarchy)
		j.field("path", p.Groups[i].Path)
	})
	known("Programs", "programs", func() {
		j.list("programs", len(p.Programs), func(i int) {
			g := &p.Programs[i]
			j.field("attach", g.Attach)
			j.raw("id", strconv.FormatUint(uint64(g.ID), 10))
			j.field("name", g.Name)
			j.field("tag", tagText(g.Tag))
			j.field("group", g.Group)
		})
	})
	known("Files", "descriptors", func() {
		j.list("descriptors", len(p.Files), func(i int) {
			f := &p.Files[i]
			j.number("fd", f.FD)
			j.field("kind", f.Kind)
			j.field("text", f.Text)
		})
	})
	known("Listening", "listening", func() {
		j.list("listening", len(p.Listening), func(i int) {
			l := &p.Listening[i]
			j.field("protocol", l.Protocol)
			j.field("address", l.Address)
			j.number("fd", l.FD)
		})
	})
	known("Label", "label", func() { j.field("label", p.Label) })
	j.list("unknown", len(p.Unknown), func(i int) {
		j.field("what", p.Unknown[i].What)
		j.field("why", p.Unknown[i].Why)
	})
	if s.results != nil {
		score := scored{results: *s.results}
		sum := exposure.Sum(s.results)
		j.raw("exposure", sum.String())
		j.field("level", sum.Level().Name)
		j.number("exposure_unknown", score.count(1))
	}
	if s.against != "" {
		j.list("against", len(s.findings), func(i int) {
			f := &s.findings[i]
			j.field("directive", f.Directive)
			j.field("origin", f.From.String())
			j.field("state", f.State.String())
			j.field("text", f.Text)
		})
	}
}

// threads are the members of a group of threads. A field that the kernel does not tell is null.
func (j *jsonWriter) threads(g *inspect.Threads) {
	c := &g.State
	j.number("count", len(g.IDs))
	j.numbers("ids", len(g.IDs), func(i int) uint64 { return uint64(g.IDs[i]) })
	j.strings("names", g.Names)
	told := func(field, name string, write func()) {
		if contains(c.Absent, field) {
			j.raw(name, "null")
			return
		}
		write()
	}
	told("UID", "uid", func() { j.raw("uid", strconv.FormatUint(uint64(c.UID[1]), 10)) })
	told("GID", "gid", func() { j.raw("gid", strconv.FormatUint(uint64(c.GID[1]), 10)) })
	told("UID", "uids", func() { j.numbers("uids", 4, func(i int) uint64 { return uint64(c.UID[i]) }) })
	told("GID", "gids", func() { j.numbers("gids", 4, func(i int) uint64 { return uint64(c.GID[i]) }) })
	told("Groups", "groups", func() {
		j.numbers("groups", len(c.Groups), func(i int) uint64 { return uint64(c.Groups[i]) })
	})
	j.object("caps", func() {
		for _, set := range [...]struct {
			field, name string
			set         caps.Set
		}{
			{"Inheritable", "inheritable", c.Inheritable},
			{"Permitted", "permitted", c.Permitted},
			{"Effective", "effective", c.Effective},
			{"Bounding", "bounding", c.Bounding},
			{"Ambient", "ambient", c.Ambient},
		} {
			told(set.field, set.name, func() {
				j.object(set.name, func() {
					j.field("mask", set.set.Hex())
					j.strings("names", set.set.Names())
				})
			})
		}
	})
	j.raw("securebits", "null") // cannot be read from outside
	told("NoNewPrivs", "no_new_privs", func() { j.bool("no_new_privs", c.NoNewPrivs) })
	word := [...]string{"none", "strict", "filter"}
	if c.Seccomp >= 0 && c.Seccomp < len(word) {
		j.field("seccomp", word[c.Seccomp])
	} else {
		j.raw("seccomp", "null")
	}
	if c.Filters >= 0 {
		j.number("filters", c.Filters)
	} else {
		j.raw("filters", "null")
	}
	j.field("scheduling", g.Scheduling)
	j.strings("apart", g.Apart)
}

// limit is a number, or null for none.
func (j *jsonWriter) limit(name string, n uint64) {
	if n == process.Infinity {
		j.raw(name, "null")
		return
	}
	j.raw(name, strconv.FormatUint(n, 10))
}

// tagText are the hexadecimal digits of a tag; empty for one that is not known.
func tagText(tag [8]byte) string {
	if tag == ([8]byte{}) {
		return ""
	}
	const hex = "0123456789abcdef"
	text := make([]byte, 0, 16)
	for _, c := range tag {
		text = append(text, hex[c>>4], hex[c&15])
	}
	return string(text)
}
