package main

import (
	"path"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/process"
)

// keyColumn is where the text of a line begins that has a key.
const keyColumn = 16

// item writes a line with a key, and what does not fit below its text.
func (t terminal) item(b *strings.Builder, key, text string, p paint) {
	room := 0
	if t.width > 0 {
		room = max(t.width-keyColumn, 20)
	}
	for i, line := range wrap(visible(text), room) {
		head := strings.Repeat(" ", keyColumn)
		if i == 0 {
			head = t.paint(accent, key) + strings.Repeat(" ", max(keyColumn-cells(key), 1))
		}
		b.WriteString(strings.TrimRight(head+t.paint(p, line), " ") + "\n")
	}
}

// items writes lines that share a key.
func (t terminal) items(b *strings.Builder, key string, list []string) {
	for _, text := range list {
		t.item(b, key, text, plainText)
		key = ""
	}
}

// process is what a person wants to know of a process.
func (t terminal) process(s *seen, mounts bool) string {
	p := s.Process
	var b strings.Builder
	head := processName(p) + ", started by " + strconv.Itoa(p.PPID)
	switch {
	case p.Kernel:
		head += ", a thread of the kernel"
	case p.Zombie:
		head += ", has ended and waits for its parent"
	}
	if p.Tracer != 0 {
		head += ", traced by " + strconv.Itoa(p.Tracer)
	}
	if n := len(p.PIDs); n > 1 {
		head += ", process " + strconv.Itoa(p.PIDs[n-1]) + " in its own namespace"
	}
	t.item(&b, "process", head, bold)
	if p.Kernel {
		return b.String()
	}
	t.known(&b, p, "Exe", "executable", p.Exe)
	t.known(&b, p, "Args", "arguments", shortened(strings.Join(p.Args, " "), 600))
	t.threads(&b, p)
	if p.Zombie {
		return b.String()
	}
	t.spaces(&b, p)
	root := p.Root
	switch {
	case p.NewRoot:
		root += ", another one than that of process 1; look inside: /proc/" + strconv.Itoa(p.PID) + "/root"
	case p.Why("NewRoot") != "":
		root += ", whether it is that of process 1 is not known"
	default:
		root += ", that of process 1"
	}
	t.known(&b, p, "Root", "root", root)
	t.known(&b, p, "Cwd", "directory", p.Cwd)
	t.known(&b, p, "UMask", "umask", octal(p.UMask))
	t.known(&b, p, "Limits", "limits", limits(p.Limits))
	t.known(&b, p, "OOMAdjust", "oom_score_adj", strconv.Itoa(p.OOMAdjust))
	t.known(&b, p, "Nice", "nice", strconv.Itoa(p.Nice))
	t.known(&b, p, "Label", "label", p.Label)
	t.lines(&b, p, "Groups", "cgroup", controlGroups(p.Groups))
	var list []string
	for _, g := range p.Programs {
		name := g.Name
		if name == "" {
			name = "without a name"
		}
		list = append(list, g.Attach+"  "+name+" (number "+strconv.FormatUint(uint64(g.ID), 10)+") at "+group(g.Group))
	}
	t.lines(&b, p, "Programs", "programs", list)
	list = nil
	for _, f := range p.Files {
		list = append(list, strconv.Itoa(f.FD)+"  "+f.Text)
	}
	t.lines(&b, p, "Files", "descriptors", list)
	list = nil
	for _, l := range p.Listening {
		list = append(list, l.Protocol+"  "+l.Address+"  (descriptor "+strconv.Itoa(l.FD)+")")
	}
	t.lines(&b, p, "Listening", "listening", list)
	t.mounts(&b, p, mounts)
	if s.results != nil {
		score := scored{results: *s.results, pid: p.PID, total: exposure.Sum(s.results)}
		text := score.total.String() + " " + t.level(score.total) + " ("
		if n := score.count(1); n > 0 {
			text += strconv.Itoa(len(score.results)-n) + " of " + strconv.Itoa(len(score.results)) + " rows; "
		}
		t.item(&b, "exposure", text+"hardrun security --pid "+strconv.Itoa(p.PID)+")", levelPaint(score.total))
	}
	return b.String()
}

// controlGroups are the paths of control groups, each with the hierarchies in which it is the
// same; without any where there is the unified hierarchy alone.
func controlGroups(groups []inspect.Group) []string {
	if len(groups) == 1 && groups[0].Hierarchy == "" {
		return []string{groups[0].Path}
	}
	var paths, of []string
next:
	for _, g := range groups {
		name := g.Hierarchy
		if name == "" {
			name = "unified"
		}
		for i := range paths {
			if paths[i] == g.Path {
				of[i] += " " + name
				continue next
			}
		}
		paths, of = append(paths, g.Path), append(of, name)
	}
	for i := range paths {
		paths[i] += " (" + of[i] + ")"
	}
	return paths
}

// group is the path of a control group; one above all that can be seen has none.
func group(path string) string {
	if path == "" {
		return "a group above those that can be seen"
	}
	return path
}

// shortened is at most the first n bytes of a text, and how long it is.
func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " … (" + strconv.Itoa(len(s)) + " bytes)"
}

// known writes a field, or why it is not known; nothing for an empty one.
func (t terminal) known(b *strings.Builder, p *inspect.Process, field, key, text string) {
	switch why := p.Why(field); {
	case why != "":
		t.item(b, key, "unknown: "+why, accent)
	case text != "":
		t.item(b, key, text, plainText)
	}
}

// lines is known for a list. Of a long one the rest is counted.
func (t terminal) lines(b *strings.Builder, p *inspect.Process, field, key string, list []string) {
	if why := p.Why(field); why != "" {
		t.item(b, key, "unknown: "+why, accent)
		key = ""
	}
	if n := len(list); n > maxLines {
		list = append(list[:maxLines:maxLines], "… and "+strconv.Itoa(n-maxLines)+" more (--json has all)")
	}
	t.items(b, key, list)
}

// maxLines is how long a list may become in a text.
const maxLines = 60

func octal(n uint32) string {
	s := strconv.FormatUint(uint64(n), 8)
	return "0000"[min(len(s), 4):] + s
}

// threads says what they are, the first group in full and of the others what differs.
func (t terminal) threads(b *strings.Builder, p *inspect.Process) {
	total := 0
	for i := range p.Threads {
		total += len(p.Threads[i].IDs)
	}
	switch n := len(p.Threads); {
	case n == 0:
		t.known(b, p, "Threads", "threads", "")
		return
	case total == 1:
		t.item(b, "threads", "1", plainText)
	case n == 1:
		t.item(b, "threads", strconv.Itoa(total)+", all alike: "+names(&p.Threads[0]), plainText)
	default:
		t.item(b, "threads", strconv.Itoa(total)+" that differ, of "+strconv.Itoa(n)+" kinds", warning)
	}
	for i := range p.Threads {
		g := &p.Threads[i]
		if len(p.Threads) > 1 {
			text, look := names(g)+" ("+shortList(g.IDs)+")", bold
			if i > 0 {
				look = warning
				if len(g.Apart) > 0 {
					text += "; apart in " + strings.Join(g.Apart, ", ")
				}
			}
			t.item(b, "  "+count(len(g.IDs), "thread"), text, look)
		}
		first := rows(&p.Threads[0])
		for j, row := range rows(g) {
			switch {
			case i == 0:
				t.credential(b, p, row, plainText)
			case row.text != first[j].text:
				t.credential(b, p, row, warning)
			}
		}
	}
	if !p.Zombie {
		t.item(b, "securebits", "cannot be read from outside", faint)
	}
}

// credential writes one row of rows.
func (t terminal) credential(b *strings.Builder, p *inspect.Process, row credential, look paint) {
	if why := p.Why(row.field); why != "" && row.text == "" {
		t.item(b, row.key, "unknown: "+why, accent)
		return
	}
	t.item(b, row.key, row.text, look)
}

// names are the names of threads.
func names(g *inspect.Threads) string {
	if n := len(g.Names); n > 8 {
		return strings.Join(g.Names[:8], ", ") + " and " + strconv.Itoa(n-8) + " more names"
	}
	return strings.Join(g.Names, ", ")
}

// shortList is the first few of numbers.
func shortList(ids []int) string {
	text := ""
	for i, id := range ids {
		if i == 12 {
			return text + " …"
		}
		if i > 0 {
			text += " "
		}
		text += strconv.Itoa(id)
	}
	return text
}

// credential is a line about the credentials of threads; the text is empty where the kernel does
// not tell.
type credential struct{ key, field, text string }

// rows are the credentials, the same rows for all threads.
func rows(g *inspect.Threads) []credential {
	c := &g.State
	list := []credential{
		{"  uid", "UID", ids(c.UID) + userNote(c.UID)},
		{"  gid", "GID", ids(c.GID)},
		{"  groups", "Groups", numbers(c.Groups)},
		{"  effective", "Effective", capabilities(c.Effective)},
		{"  permitted", "Permitted", capabilities(c.Permitted)},
		{"  inheritable", "Inheritable", capabilities(c.Inheritable)},
		{"  bounding", "Bounding", capabilities(c.Bounding)},
		{"  ambient", "Ambient", capabilities(c.Ambient)},
		{"  no_new_privs", "NoNewPrivs", "not set: execve(2) may raise privileges"},
		{"  seccomp", "Seccomp", filters(c)},
		{"  scheduling", "Scheduling", g.Scheduling},
	}
	if c.NoNewPrivs {
		list[8].text = "set"
	}
	kept := list[:0]
	for _, row := range list {
		if contains(c.Absent, row.field) {
			row.text = ""
		}
		kept = append(kept, row)
	}
	return kept
}

// ids are the four of a kind: one number where all are the same.
func ids(n [4]uint32) string {
	text := strconv.FormatUint(uint64(n[1]), 10)
	if n[0] == n[1] && n[2] == n[1] && n[3] == n[1] {
		return text
	}
	id := func(i int) string { return strconv.FormatUint(uint64(n[i]), 10) }
	return "real " + id(0) + ", effective " + text + ", saved " + id(2) + ", file system " + id(3)
}

// userNote is the name that the machine has for the effective user, in brackets.
func userNote(n [4]uint32) string {
	name := userName(n[1])
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

// userName is the name of a user; empty where the machine has none for it.
func userName(uid uint32) string {
	if u, err := caps.Host.LookupUser(strconv.FormatUint(uint64(uid), 10)); err == nil && u.Entry {
		return u.Name
	}
	return ""
}

func numbers(list []uint32) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, n := range list {
		if i == 40 {
			return b.String() + " … (" + strconv.Itoa(len(list)) + " in all)"
		}
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(strconv.FormatUint(uint64(n), 10))
	}
	return b.String()
}

// capabilities is a set as a mask, and in short names.
func capabilities(s caps.Set) string { return s.Hex() + "  " + shortCaps(s, " ") }

// shortCaps are the names without cap_, "none", "all", or "all but" where that is shorter.
func shortCaps(s caps.Set, between string) string {
	all := caps.All(caps.LastKnown)
	without := all.Without(s)
	switch {
	case s.Empty():
		return "none"
	case without.Empty():
		return "all"
	case without.Count() < 8 && between == " ":
		return "all but " + capNames(without, between)
	case without.Count() < 8:
		return "all-but:" + capNames(without, between)
	}
	return capNames(s, between)
}

func capNames(s caps.Set, between string) string {
	list := s.Names()
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], "cap_")
	}
	return strings.Join(list, between)
}

// filters is the mode of seccomp, and how many filters there are.
func filters(c *inspect.Credentials) string {
	switch c.Seccomp {
	case 0:
		return "no filter"
	case 1:
		return "strict: read, write, exit"
	case 2:
		if c.Filters < 0 {
			return "filter"
		}
		return count(c.Filters, "filter")
	}
	return ""
}

// spaces lists the namespaces: those of its own first.
func (t terminal) spaces(b *strings.Builder, p *inspect.Process) {
	var own, host, here, other []string
	for _, s := range p.Spaces {
		text := s.Kind
		switch {
		case !s.Known && s.Own:
			here = append(here, text)
		case !s.Known:
			other = append(other, text)
		case s.Host:
			host = append(host, text)
		default:
			if s.Inode != 0 {
				text += " " + strconv.FormatUint(s.Inode, 10)
			}
			if s.Own {
				text += " (as this shell)"
			}
			own = append(own, text)
		}
	}
	key := "namespaces"
	for _, l := range [...]struct {
		head string
		list []string
		look paint
	}{{"own: ", own, plainText}, {"of process 1: ", host, faint}, {"not those of this shell: ", other, plainText}, {"as this shell, if those of process 1 is not known: ", here, accent}} {
		if len(l.list) > 0 {
			between := " "
			if l.head == "own: " {
				between = ", "
			}
			t.item(b, key, l.head+strings.Join(l.list, between), l.look)
			key = ""
		}
	}
	if why := p.Why("Spaces"); why != "" {
		t.item(b, key, "unknown: "+why, accent)
	}
}

// limits are those that are not the usual ones.
func limits(list []inspect.Limit) string {
	var pending uint64
	for _, l := range list {
		if l.Name == "SIGPENDING" {
			pending = l.Soft
		}
	}
	var texts []string
	for _, l := range list {
		if usual(&l, pending) {
			continue
		}
		text := l.Name + " " + limit(l.Soft)
		if l.Hard != l.Soft {
			text += ":" + limit(l.Hard)
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return "the usual ones"
	}
	return strings.Join(texts, ", ") + "; else the usual ones"
}

func limit(n uint64) string {
	if n == process.Infinity {
		return "infinity"
	}
	return strconv.FormatUint(n, 10)
}

// usual tells whether a limit is what the kernel or a service manager gives to everybody. That
// of processes and of signals is the same number, made of the size of the machine.
func usual(l *inspect.Limit, pending uint64) bool {
	const none = process.Infinity
	switch l.Name {
	case "STACK":
		return l.Soft == 8<<20 && l.Hard == none
	case "CORE":
		return l.Soft == 0 || l.Soft == none
	case "NICE", "RTPRIO":
		return l.Soft == 0 && l.Hard == 0
	case "NOFILE":
		return l.Soft == 1024 && (l.Hard == 4096 || l.Hard == 1<<19 || l.Hard == 1<<20)
	case "MEMLOCK":
		return l.Soft == l.Hard && (l.Soft == 64<<10 || l.Soft == 8<<20)
	case "MSGQUEUE":
		return l.Soft == 819200 && l.Hard == 819200
	case "NPROC", "SIGPENDING":
		return l.Soft == l.Hard && l.Soft == pending
	}
	return l.Soft == none && l.Hard == none
}

// mounts is the tree of them.
func (t terminal) mounts(b *strings.Builder, p *inspect.Process, all bool) {
	if why := p.Why("Mounts"); why != "" {
		t.item(b, "mounts", "unknown: "+why, accent)
		return
	}
	if len(p.Mounts) == 0 {
		return
	}
	for _, s := range p.Spaces {
		if s.Kind == "mnt" && s.Known && s.Host && !all && !p.NewRoot {
			t.item(b, "mounts", strconv.Itoa(len(p.Mounts))+", those of process 1 (--mounts lists them)", faint)
			return
		}
	}
	list := branches(p.Mounts, !all)
	t.item(b, "mounts", strconv.Itoa(len(p.Mounts)), plainText)
	left := 0
	if !all && len(list) > maxLines {
		left = len(list) - maxLines
		list = list[:maxLines]
	}
	widest := 0
	for i := range list {
		if n := cells(list[i].text); n <= 40 {
			widest = max(widest, n)
		}
	}
	for i := range list {
		m := &list[i]
		look := plainText
		if m.covered {
			look = faint
		}
		if t.width == 0 {
			b.WriteString("  " + strings.TrimRight(pad(m.text, widest)+"  "+m.about, " ") + "\n")
			continue
		}
		lines := wrapKeep(m.text, t.width-2)
		last := lines[len(lines)-1]
		for _, line := range lines[:len(lines)-1] {
			b.WriteString("  " + t.paint(look, line) + "\n")
		}
		b.WriteString("  " + t.paint(look, last))
		switch {
		case max(cells(last), widest)+4+cells(m.about) <= t.width:
			b.WriteString(strings.Repeat(" ", max(widest-cells(last), 0)) + "  " + t.paint(m.paint(), m.about))
		default:
			for _, line := range wrap(m.about, max(t.width-8, 20)) {
				b.WriteString("\n        " + t.paint(m.paint(), line))
			}
		}
		b.WriteString("\n")
	}
	if left > 0 {
		t.item(b, "", "… and "+strconv.Itoa(left)+" more lines (--mounts has all)", faint)
	}
}

// wrapKeep is wrap for a text that begins with blanks, which all of its lines keep.
func wrapKeep(text string, width int) []string {
	bare := strings.TrimLeft(text, " ")
	indent := text[:len(text)-len(bare)]
	lines := wrap(bare, max(width-len(indent), 20))
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}

// branch is a line of the tree of mounts.
type branch struct {
	text, about string
	covered     bool
	ro          bool
}

func (m *branch) paint() paint {
	switch {
	case m.covered:
		return faint
	case m.ro:
		return good
	}
	return plainText
}

// maxDepth is how far lines are indented.
const maxDepth = 12

// branches are the lines of the tree. Neighbours that end there and are alike, in the same
// directory, are one line with fold.
func branches(mounts []inspect.Mount, fold bool) []branch {
	at := make(map[int]int, len(mounts)) // by ID, the place
	for i := range mounts {
		at[mounts[i].ID] = i
	}
	below := make([][]int, len(mounts))
	var tops []int
	for i := range mounts {
		if up, ok := at[mounts[i].Parent]; ok && up != i {
			below[up] = append(below[up], i)
		} else {
			tops = append(tops, i)
		}
	}
	var list []branch
	done := make([]bool, len(mounts))
	type step struct {
		list  []int
		depth int
	}
	stack := []step{{tops, 0}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.list) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		i, depth := top.list[0], top.depth
		top.list = top.list[1:]
		if done[i] {
			continue
		}
		done[i] = true
		m := &mounts[i]
		line := branch{about: about(m), covered: m.Covered, ro: m.Has("ro")}
		indent := strings.Repeat("  ", min(depth, maxDepth))
		alike := []string{m.Point}
		if fold && len(below[i]) == 0 {
			for _, k := range top.list {
				o := &mounts[k]
				if !done[k] && len(below[k]) == 0 && o.Type == m.Type && path.Dir(o.Point) == path.Dir(m.Point) && about(o) == line.about {
					alike = append(alike, o.Point)
				}
			}
		}
		if len(alike) > 3 {
			for _, k := range top.list {
				if o := &mounts[k]; len(below[k]) == 0 && o.Type == m.Type && path.Dir(o.Point) == path.Dir(m.Point) && about(o) == line.about {
					done[k] = true
				}
			}
			for j := range alike[1:] {
				alike[j+1] = path.Base(alike[j+1])
			}
		} else {
			alike = alike[:1]
		}
		line.text = indent + visible(strings.Join(alike, " "))
		list = append(list, line)
		if len(below[i]) > 0 {
			stack = append(stack, step{below[i], depth + 1})
		}
	}
	return list
}

// about is the file system of a mount, and what it forbids.
func about(m *inspect.Mount) string {
	text := m.Type
	if m.Root != "/" && m.Root != "" {
		text += " " + m.Root
	}
	for _, o := range [...]string{"ro", "nosuid", "nodev", "noexec"} {
		if m.Has(o) {
			text += " " + o
		}
	}
	if m.Covered {
		text += " (covered)"
	}
	return visible(text)
}
