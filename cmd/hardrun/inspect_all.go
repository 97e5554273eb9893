package main

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/order"
)

// everybody is a line for each process, and at the end what could not be seen.
func (t terminal) everybody(list []seen, tree bool) string {
	depth := make([]int, len(list))
	if tree {
		list, depth = family(list)
	} else {
		order.By(list, func(a, b *seen) bool { return a.PID < b.PID })
	}
	var g grid
	var head []cell
	for _, title := range [...]string{"PID", "USER", "NAME", "NNP", "SEC", "NS", "ROOT", "CAPABILITIES", "LISTENING"} {
		head = append(head, cell{title, bold})
	}
	if t.width > 0 && t.width < wide { // what listens shares a column with the capabilities
		head = append(head[:7:7], cell{"CAPABILITIES, LISTENING", bold})
		g.tight = true
	}
	g.rows = append(g.rows, head)
	users := map[uint32]string{}
	for i := range list {
		row := t.processRow(list[i].Process, depth[i], users)
		if len(head) < len(row) {
			last := row[7]
			if row[8].text != "" {
				last.text = strings.TrimSpace(last.text + "  " + row[8].text)
			}
			row = append(row[:7:7], last)
		}
		g.rows = append(g.rows, row)
	}
	var b strings.Builder
	t.grid(&b, &g, 0)
	if text := unseen(list); text != "" {
		for _, line := range wrap(text, t.width) {
			b.WriteString(t.paint(accent, line) + "\n")
		}
	}
	return b.String()
}

// processRow are the cells of one line.
func (t terminal) processRow(p *inspect.Process, depth int, users map[uint32]string) []cell {
	var uid uint32
	var any caps.Set
	nnp, filtered := true, true // of every thread
	privs, hasFilter, known := false, false, len(p.Threads) > 0
	for i := range p.Threads {
		c := &p.Threads[i].State
		if i == 0 {
			uid = c.UID[1]
		}
		nnp = nnp && c.NoNewPrivs
		privs = privs || c.NoNewPrivs
		filtered = filtered && c.Seccomp > 0
		hasFilter = hasFilter || c.Seccomp > 0
		any |= c.Permitted | c.Effective
	}
	name, ok := users[uid]
	if !ok {
		if name = userName(uid); name == "" {
			name = strconv.FormatUint(uint64(uid), 10)
		}
		users[uid] = name
	}
	// Of threads that differ it is said that only some have it.
	some := func(every, one bool) cell {
		switch {
		case !known:
			return cell{"?", accent}
		case every:
			return cell{"yes", good}
		case one:
			return cell{"some", warning}
		}
		return cell{"no", faint}
	}
	own, hidden := 0, p.Why("Spaces") != ""
	for _, s := range p.Spaces {
		if s.Known && !s.Host && !strings.HasSuffix(s.Kind, "_for_children") {
			own++
		}
		hidden = hidden || !s.Known
	}
	spaces := cell{strconv.Itoa(own), plainText}
	if hidden {
		spaces = cell{"?", accent}
	}
	root := cell{"", plainText}
	switch {
	case p.NewRoot:
		root.text = "new"
	case p.Why("NewRoot") != "" || p.Why("Root") != "":
		root = cell{"?", accent}
	}
	held := cell{"none", faint}
	switch {
	case !known:
		held = cell{"?", accent}
	case !any.Empty():
		held = cell{t.few(strings.Split(shortCaps(any, ","), ","), 3, ","), warning}
		if held.text == "all" {
			held.paint = bad
		}
	}
	var sockets []string
	for _, l := range p.Listening {
		sockets = append(sockets, l.Protocol+":"+l.Address)
	}
	listening := visible(t.few(sockets, 4, " "))
	if p.Why("Listening") != "" && listening == "" {
		listening = "?"
	}
	if !known {
		name = "?"
	}
	return []cell{
		{strconv.Itoa(p.PID), plainText},
		{visible(name), plainText},
		{strings.Repeat("  ", min(depth, maxDepth)) + visible(p.Name), plainText},
		some(nnp, privs), some(filtered, hasFilter), spaces, root, held,
		{listening, plainText},
	}
}

// few are words as they are for other programs, and at a terminal the first n of them and how
// many there are besides.
func (t terminal) few(list []string, n int, between string) string {
	if t.width == 0 {
		return strings.Join(list, between)
	}
	if len(list) > n+1 {
		list = append(list[:n:n], "+"+strconv.Itoa(len(list)-n))
	}
	return strings.Join(list, " ")
}

// family is the list in the order of a tree by parents, and how deep each is in it.
func family(list []seen) (sorted []seen, depth []int) {
	order.By(list, func(a, b *seen) bool { return a.PID < b.PID })
	at := make(map[int]int, len(list))
	for i := range list {
		at[list[i].PID] = i
	}
	below := make([][]int, len(list))
	var stack []int // the next one is the last
	for i := len(list) - 1; i >= 0; i-- {
		if up, ok := at[list[i].PPID]; ok && up != i {
			below[up] = append(below[up], i)
		} else {
			stack = append(stack, i)
		}
	}
	level := make([]int, len(list))
	done := make([]bool, len(list))
	visit := func() {
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if done[i] {
				continue
			}
			done[i] = true
			sorted, depth = append(sorted, list[i]), append(depth, level[i])
			for _, k := range below[i] {
				level[k] = level[i] + 1
				stack = append(stack, k)
			}
		}
	}
	visit()
	for i := range list { // parents that changed while they were read can be in a circle
		if !done[i] {
			stack = append(stack, i)
			visit()
		}
	}
	return sorted, depth
}

// unseen says what could not be seen, of how many processes, and why; empty for nothing.
func unseen(list []seen) string {
	type lack struct {
		what string
		n    int
	}
	var fields, reasons []lack
	add := func(to *[]lack, what string) {
		for i := range *to {
			if (*to)[i].what == what {
				(*to)[i].n++
				return
			}
		}
		*to = append(*to, lack{what, 1})
	}
	processes := 0
	for i := range list {
		if len(list[i].Unknown) > 0 {
			processes++
		}
		for _, u := range list[i].Unknown {
			add(&fields, u.What)
			add(&reasons, u.Why)
		}
	}
	if processes == 0 {
		return ""
	}
	order.By(fields, func(a, b *lack) bool { return a.n > b.n })
	order.By(reasons, func(a, b *lack) bool { return a.n > b.n })
	text := "cannot be seen of " + strconv.Itoa(processes) + " of these " + strconv.Itoa(len(list)) + " processes: "
	for i := range fields {
		if i > 0 {
			text += ", "
		}
		text += fieldName(fields[i].what)
	}
	text += " ("
	for i := range reasons {
		if i == 3 {
			text += "; …"
			break
		}
		if i > 0 {
			text += "; "
		}
		text += visible(reasons[i].what)
	}
	return text + ")"
}

// fieldName is what a field of a process is for a person.
func fieldName(field string) string {
	for _, f := range [...][2]string{
		{"Exe", "executable"},
		{"Args", "arguments"},
		{"Spaces", "namespaces"},
		{"NewRoot", "whether the root is another"},
		{"Cwd", "directory"},
		{"Files", "descriptors"},
		{"Groups", "control groups"},
		{"Programs", "BPF programs"},
		{"Listening", "sockets"},
		{"UMask", "umask"},
		{"OOMAdjust", "OOM adjustment"},
		{"NoNewPrivs", "no_new_privs"},
	} {
		if f[0] == field {
			return f[1]
		}
	}
	return strings.ToLower(field)
}
