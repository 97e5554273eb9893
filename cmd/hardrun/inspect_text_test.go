package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/inspect"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// hostile is a text that would paint, move and ring, and end a line.
const hostile = "\x1b[2J\r\n\x1b]0;title\a\r\nfake[1]\x9b31m\xff\u202e"

// sampleSeen is a process with two kinds of threads, a view of its own, and much that is open.
func sampleSeen() *seen {
	bind := inspect.Credentials{
		UID: [4]uint32{4294967000, 4294967000, 4294967000, 4294967000}, GID: [4]uint32{114, 114, 114, 114}, Groups: []uint32{114},
		Permitted: 1 << 10, Effective: 1 << 10, Bounding: 1<<10 | 1<<18, Ambient: 1 << 10, NoNewPrivs: true, Seccomp: 2, Filters: 2,
	}
	other := bind
	other.UID[0] = 0
	other.Effective, other.NoNewPrivs, other.Seccomp, other.Filters = caps.All(40), false, 0, 0
	p := &inspect.Process{
		PID: 812, PPID: 1, Start: 77, Name: "named", PIDs: []int{812, 2}, Exe: "/usr/sbin/named", Args: []string{"/usr/sbin/named", "-f", "-u", hostile},
		Threads: []inspect.Threads{
			{IDs: []int{812, 813, 814, 815}, State: bind, Names: []string{"isc-net-0000", "isc-timer", "named"}, Scheduling: "other"},
			{IDs: []int{816}, State: other, Names: []string{"evil" + hostile}, Scheduling: "fifo 10", Apart: []string{"net", "root"}},
		},
		Spaces: []inspect.Space{
			{Kind: "cgroup", Inode: 4026531835, Host: true, Known: true, Own: true},
			{Kind: "ipc", Inode: 4026531839, Host: true, Known: true, Own: true},
			{Kind: "mnt", Inode: 4026532500, Known: true},
			{Kind: "net", Inode: 4026532501, Known: true, Own: true},
			{Kind: "pid", Inode: 4026532502},
			{Kind: "user", Inode: 4026532503, Own: true},
		},
		Root: "/srv/named", NewRoot: true, Cwd: "/var/cache/bind", UMask: 0o27, OOMAdjust: -500, Nice: 5,
		Limits: []inspect.Limit{
			{Name: "NOFILE", Soft: 8192, Hard: 8192},
			{Name: "NPROC", Soft: 63, Hard: 63},
			{Name: "SIGPENDING", Soft: 31000, Hard: 31000},
			{Name: "CORE", Soft: 0, Hard: process.Infinity},
			{Name: "AS", Soft: 1 << 30, Hard: process.Infinity},
			{Name: "STACK", Soft: 8 << 20, Hard: process.Infinity},
		},
		Groups:    []inspect.Group{{Path: "/system.slice/named.service"}, {Hierarchy: "cpu,cpuacct", Path: "/"}, {Hierarchy: "pids", Path: "/"}},
		Programs:  []inspect.Program{{Attach: "device", ID: 7, Name: "hardrun_dev", Group: "/system.slice/named.service", Tag: [8]byte{1, 2, 0xab}}, {Attach: "egress", ID: 8}},
		Files:     []inspect.File{{FD: 5, Kind: "device", Text: "/dev/mem"}, {FD: 9, Kind: "directory", Text: "/home/" + hostile}},
		Listening: []inspect.Listener{{Protocol: "tcp", Address: "127.0.0.1:53", FD: 20}, {Protocol: "unix", Address: "@x" + hostile, FD: 21}},
		Label:     "named_t",
		Unknown:   []inspect.Unknown{{What: "Label2", Why: "not there"}},
	}
	add := func(id, parent int, point, kind, options string) {
		p.Mounts = append(p.Mounts, inspect.Mount{ID: id, Parent: parent, Root: "/", Point: point, Type: kind, Source: "x", Options: strings.Split(options, ",")})
	}
	add(30, 2, "/", "ext4", "ro,nosuid,relatime")
	add(31, 30, "/proc", "proc", "rw,nosuid,nodev,noexec")
	for i, name := range []string{"acpi", "apm", "asound", "bus", "fs", "irq", "kallsyms", "kcore", "sys", "sysrq-trigger"} {
		add(40+i, 31, "/proc/"+name, "proc", "ro,nosuid,nodev,noexec")
	}
	add(60, 30, "/var/cache/bind", "ext4", "rw,nosuid,nodev")
	p.Mounts[len(p.Mounts)-1].Root = "/srv/cache/bind"
	add(61, 30, "/home/"+hostile, "tmpfs", "ro,nosuid,nodev,noexec")
	add(62, 61, "/home/covered", "tmpfs", "rw")
	p.Mounts[len(p.Mounts)-1].Covered = true
	results := sampleProcess().results
	return &seen{Process: p, results: &results}
}

// tame holds a text to have no byte that a terminal would act upon, but colours.
func tame(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range uncoloured(text) {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Errorf("%s: %q in the text", what, r)
			return
		}
	}
	if strings.ContainsAny(text, "\u202e\u200b\u2028") {
		t.Errorf("%s: what turns a text is in it", what)
	}
	if strings.Contains(text, "\nfake") {
		t.Errorf("%s: a name makes a line of its own", what)
	}
}

func TestInspectText(t *testing.T) {
	for _, tt := range []struct {
		file   string
		t      terminal
		mounts bool
	}{
		{"inspect-80", narrowTerminal, false},
		{"inspect-120", wideTerminal, false},
		{"inspect-ascii", plainTerminal, true},
		{"inspect-pipe", noTerminal, false},
	} {
		got := tt.t.process(sampleSeen(), tt.mounts)
		asInFile(t, tt.file, got)
		fits(t, tt.file, got, tt.t.width)
		tame(t, tt.file, got)
		if has := strings.Contains(got, "\x1b"); has != tt.t.colour {
			t.Errorf("%s: colours: %v, want %v", tt.file, has, tt.t.colour)
		}
		for _, want := range []string{"4 threads", "1 thread ", "000001ffffffffff  all", "0000000000000400  net_bind_service", "look inside: /proc/812/root", "NOFILE 8192", "sysrq-trigger", "127.0.0.1:53", "securebits", "0027"} {
			if !strings.Contains(strings.Join(strings.Fields(uncoloured(got)), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s: %q is not there", tt.file, want)
			}
		}
	}
}

// What could not be read is said to be unknown, and why, and nothing else is said of it.
func TestInspectUnknown(t *testing.T) {
	const why = "needs root"
	s := &seen{Process: &inspect.Process{PID: 7, Name: "x", Threads: []inspect.Threads{{IDs: []int{7}, Names: []string{"x"}, State: inspect.Credentials{
		Absent: []string{"NoNewPrivs", "Ambient", "Seccomp"}, Seccomp: -1, Filters: -1,
	}}}}}
	fields := []string{"Exe", "Args", "Spaces", "Root", "NewRoot", "Cwd", "UMask", "Limits", "OOMAdjust", "Label", "Groups", "Programs", "Files", "Listening", "Mounts", "NoNewPrivs", "Ambient", "Seccomp"}
	for _, f := range fields {
		s.Unknown = append(s.Unknown, inspect.Unknown{What: f, Why: why})
	}
	text := noTerminal.process(s, false)
	if n := strings.Count(text, "unknown: "+why); n != len(fields)-1 { // of the root one line
		t.Errorf("%d lines are unknown, want %d:\n%s", n, len(fields)-1, text)
	}
	if strings.Contains(text, "may raise") || strings.Contains(text, "no filter") || strings.Contains(text, "process 1") {
		t.Errorf("something is said of what is not known:\n%s", text)
	}
	var f map[string]any
	if err := json.Unmarshal([]byte(inspectJSON([]seen{*s}, false)), &f); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"exe", "args", "root", "new_root", "cwd", "umask", "limits", "oom_score_adj", "label", "descriptors", "listening", "mounts"} {
		if v, ok := f[name]; !ok || v != nil {
			t.Errorf("%s: got %v, want null", name, v)
		}
	}
	first := f["threads"].([]any)[0].(map[string]any)
	if first["no_new_privs"] != nil || first["seccomp"] != nil || first["filters"] != nil || first["caps"].(map[string]any)["ambient"] != nil {
		t.Errorf("threads: got %v", first)
	}
}

// A long list is cut in a text, and complete in JSON.
func TestInspectLong(t *testing.T) {
	s := sampleSeen()
	for i := range 5000 {
		s.Mounts = append(s.Mounts, inspect.Mount{ID: 1000 + i, Parent: 999 + i, Root: "/", Point: "/m" + strconv.Itoa(i), Type: "tmpfs"})
		s.Listening = append(s.Listening, inspect.Listener{Protocol: "tcp", Address: "127.0.0.1:" + strconv.Itoa(i)})
	}
	if n := strings.Count(narrowTerminal.process(s, false), "\n"); n > 300 {
		t.Errorf("%d lines", n)
	}
	if text := narrowTerminal.process(s, true); !strings.Contains(text, "/m4999") {
		t.Error("--mounts leaves one out")
	}
	var f struct{ Mounts, Listening []any }
	if err := json.Unmarshal([]byte(inspectJSON([]seen{*s}, false)), &f); err != nil || len(f.Mounts) != len(s.Mounts) || len(f.Listening) != len(s.Listening) {
		t.Errorf("%d mounts, %d sockets, %v", len(f.Mounts), len(f.Listening), err)
	}
}

func TestInspectAll(t *testing.T) {
	one := sampleSeen()
	init := &seen{Process: &inspect.Process{PID: 1, Name: "init", Threads: []inspect.Threads{{IDs: []int{1}, State: inspect.Credentials{UID: [4]uint32{4294967001, 4294967001, 4294967001, 4294967001}, Permitted: caps.All(40), Bounding: caps.All(40)}}}}}
	init.Spaces = []inspect.Space{{Kind: "mnt", Host: true, Known: true}}
	child := sampleSeen()
	child.PID, child.PPID, child.Name = 813, 812, "n"+hostile[:14]
	child.Threads = child.Threads[:1]
	dark := &seen{Process: &inspect.Process{PID: 900, PPID: 77, Name: "dark", Unknown: []inspect.Unknown{{What: "Spaces", Why: "needs root"}, {What: "NewRoot", Why: "needs root"}, {What: "Listening", Why: "needs root"}}}}
	dark.Threads = init.Threads
	// Two that say to be each other's parents.
	a, b := *dark, *dark
	pa, pb := *dark.Process, *dark.Process
	a.Process, b.Process = &pa, &pb
	pa.PID, pa.PPID, pb.PID, pb.PPID = 901, 902, 902, 901
	list := func() []seen { return []seen{b, *dark, *child, *one, *init, a} }
	for _, tt := range []struct {
		file string
		t    terminal
		tree bool
	}{
		{"all-80", narrowTerminal, false},
		{"all-120", wideTerminal, false},
		{"all-pipe", noTerminal, false},
		{"tree-80", narrowTerminal, true},
	} {
		got := tt.t.everybody(list(), tt.tree)
		asInFile(t, tt.file, got)
		fits(t, tt.file, got, tt.t.width)
		tame(t, tt.file, got)
		if !strings.Contains(strings.Join(strings.Fields(uncoloured(got)), " "), "cannot be seen of 5 of these 6 processes: namespaces, ") {
			t.Errorf("%s: it is not said what cannot be seen:\n%s", tt.file, got)
		}
	}
	lines := strings.Split(noTerminal.everybody(list(), false), "\n")
	last := 0
	for _, line := range lines[1:7] {
		pid, err := strconv.Atoi(strings.Fields(line)[0])
		if err != nil || pid <= last {
			t.Errorf("not by PID: %q behind %d, %v", line, last, err)
		}
		last = pid
	}
}

func TestAgainst(t *testing.T) {
	s := sampleSeen()
	s.against = "named.service"
	from := func(n int) policy.Origin { return policy.Origin{File: "named.service", Line: n} }
	s.findings = []inspect.Finding{
		{Directive: "NoNewPrivileges", From: from(4), State: inspect.Applied, Text: "set on all threads"},
		{Directive: "ReadOnlyPaths", From: from(5), State: inspect.Weaker, Text: "/srv/a is read-only, /srv/b" + hostile + " is not"},
		{Directive: "SecureBits", From: from(6), State: inspect.NotCheckable, Text: "cannot be seen from outside"},
		{Directive: "SystemCallFilter", From: from(7), State: inspect.Missing, Text: "ptrace is allowed, of @debug, and so are 12 other calls of this group and of others that it includes"},
	}
	for _, tt := range []struct {
		file string
		t    terminal
	}{{"against-80", narrowTerminal}, {"against-120", wideTerminal}, {"against-pipe", terminal{}}} {
		got := tt.t.against(s)
		asInFile(t, tt.file, got)
		fits(t, tt.file, got, tt.t.width)
		tame(t, tt.file, got)
		text := uncoloured(got)
		if !strings.Contains(text, "1 missing, 1 weaker, 1 not checkable, 1 applied") || strings.Index(text, "SystemCallFilter") > strings.Index(text, "ReadOnlyPaths") {
			t.Errorf("%s: got\n%s", tt.file, text)
		}
	}
	if !differs(s.findings) || differs(s.findings[:1]) || differs(s.findings[2:3]) {
		t.Error("a difference is taken for none, or none for one")
	}
}

func TestInspectJSON(t *testing.T) {
	s := sampleSeen()
	s.against, s.findings = "x", []inspect.Finding{{Directive: "User", State: inspect.Missing, Text: hostile}}
	var f struct {
		PID      int
		Exposure json.Number
		Threads  []struct {
			Count    int
			UID, GID uint32
			UIDs     []uint32
			Groups   []uint32
			Caps     map[string]struct {
				Mask  string
				Names []string
			}
			SecureBits *int
			NNP        bool `json:"no_new_privs"`
			Seccomp    string
			Filters    int
		}
		Against []struct{ Directive, State, Text string }
		Limits  []struct {
			Name       string
			Soft, Hard *uint64
		}
	}
	if err := json.Unmarshal([]byte(inspectJSON([]seen{*s}, false)), &f); err != nil {
		t.Fatal(err)
	}
	score := exposure.Sum(s.results)
	first := f.Threads[0]
	if f.PID != 812 || f.Exposure.String() != score.String() || len(f.Threads) != 2 || first.Count != 4 || first.GID != 114 || !first.NNP || first.Seccomp != "filter" || first.Filters != 2 {
		t.Errorf("got %+v", f)
	}
	if c := first.Caps["ambient"]; c.Mask != "0000000000000400" || len(c.Names) != 1 || c.Names[0] != "cap_net_bind_service" {
		t.Errorf("ambient: got %+v", c)
	}
	if f.Threads[1].UID != f.Threads[1].UIDs[1] || f.Threads[1].UIDs[0] != 0 {
		t.Errorf("uids: got %+v", f.Threads[1])
	}
	if l := f.Limits[3]; l.Name != "CORE" || l.Hard != nil || l.Soft == nil || *l.Soft != 0 {
		t.Errorf("limits: got %+v", l)
	}
	if len(f.Against) != 1 || f.Against[0].State != "missing" || !strings.Contains(f.Against[0].Text, "\x1b[2J") {
		t.Errorf("against: got %+v", f.Against)
	}
	var list []any
	if err := json.Unmarshal([]byte(inspectJSON([]seen{*s, *s}, true)), &list); err != nil || len(list) != 2 {
		t.Errorf("an array: %d, %v", len(list), err)
	}
}
