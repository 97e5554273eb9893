package inspect

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/process"
)

// stat is what is taken from /proc/PID/stat, proc_pid_stat(5).
type stat struct {
	state    byte // R, S, D, Z, …
	parent   int
	kernel   bool // a thread of the kernel
	nice     int
	start    uint64
	priority int // of the real-time policies
	policy   int // SCHED_…; -1 where the line ends before it
}

// parseStat reads "1 (name) S 0 …". The name may hold anything, ")" and line feeds too.
func parseStat(text string) (s stat, err error) {
	name := strings.LastIndexByte(text, ')')
	f := strings.Fields(text[name+1:])
	// The fields behind the name, from "state" on.
	const state, parent, flags, nice, start, priority, policy = 0, 1, 6, 16, 19, 37, 38
	if name < 0 || len(f) <= start || len(f[state]) != 1 {
		return s, errors.New("stat: a line that ends too early")
	}
	if c := f[state][0] | 0x20; c < 'a' || c > 'z' {
		return s, errors.New("stat: no state of a process: " + strconv.Quote(f[state]))
	}
	s.state = f[state][0]
	number := func(i int) (n int) {
		if err == nil {
			n, err = strconv.Atoi(f[i])
		}
		return n
	}
	s.parent, s.nice = number(parent), number(nice)
	const kthread = 0x00200000 // PF_KTHREAD
	s.kernel = number(flags)&kthread != 0
	s.policy = -1
	if len(f) > policy {
		s.priority, s.policy = number(priority), number(policy)
	}
	if err == nil {
		s.start, err = strconv.ParseUint(f[start], 10, 64)
	}
	if err != nil {
		return stat{}, errors.New("stat: " + err.Error())
	}
	return s, nil
}

// scheduling is a policy of sched(7) in a word, with the priority of those that have one.
func (s *stat) scheduling() string {
	names := [...]string{"other", "fifo", "rr", "batch", "4", "idle", "deadline", "ext"}
	name := "unknown"
	switch {
	case s.policy >= 0 && s.policy < len(names):
		name = names[s.policy]
	case s.policy >= 0:
		name = strconv.Itoa(s.policy)
	}
	if s.policy == 1 || s.policy == 2 {
		name += " " + strconv.Itoa(s.priority)
	}
	return name
}

// status is what is taken from /proc/PID/status and /proc/PID/task/TID/status,
// proc_pid_status(5).
type status struct {
	name   string
	run    byte // R, S, D, Z, …; 0 where that is not told
	parent int
	tracer int
	pids   []int
	umask  uint32
	masked bool // umask is told
	state  Credentials
}

// dead tells whether it has ended.
func (s *status) dead() bool { return s.run == 'Z' || s.run == 'X' }

// The lines of a status text that tell credentials, and the fields they are.
var credentialLines = [...]struct{ line, field string }{
	{"Uid", "UID"},
	{"Gid", "GID"},
	{"Groups", "Groups"},
	{"CapInh", "Inheritable"},
	{"CapPrm", "Permitted"},
	{"CapEff", "Effective"},
	{"CapBnd", "Bounding"},
	{"CapAmb", "Ambient"},
	{"NoNewPrivs", "NoNewPrivs"},
	{"Seccomp", "Seccomp"},
	{"Seccomp_filters", "Filters"},
}

// parseStatus reads a status text. A line of another form than the kernel's is an error; of
// credentials, a line that is not there is noted in state.Absent, but the ids, which every
// kernel has. A second line of one name, which no kernel writes, is an error too.
func parseStatus(text string) (s status, err error) {
	s.state.Seccomp, s.state.Filters = -1, -1
	seen := 0
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !found {
			return status{}, errors.New("status: a line without a name")
		}
		if key == "Name" {
			s.name = unescapeName(strings.TrimPrefix(value, "\t"))
			continue
		}
		value = strings.TrimSpace(value)
		err = nil
		switch key {
		case "State":
			if value != "" {
				s.run = value[0]
			}
		case "PPid":
			s.parent, err = strconv.Atoi(value)
		case "TracerPid":
			s.tracer, err = strconv.Atoi(value)
		case "NSpid":
			for word := range strings.FieldsSeq(value) {
				n, e := strconv.Atoi(word)
				if e != nil {
					err = e
					break
				}
				s.pids = append(s.pids, n)
			}
		case "Umask":
			var n uint64
			n, err = strconv.ParseUint(value, 8, 12)
			s.umask, s.masked = uint32(n), true
		default:
			i := slices.IndexFunc(credentialLines[:], func(l struct{ line, field string }) bool { return l.line == key })
			if i < 0 {
				continue
			}
			if seen&(1<<i) != 0 {
				return status{}, errors.New("status: two lines " + key)
			}
			seen |= 1 << i
			err = s.state.set(key, value)
		}
		if err != nil {
			return status{}, errors.New("status: " + key + ": " + err.Error())
		}
	}
	if seen&3 != 3 {
		return status{}, errors.New("status: no ids of users and groups")
	}
	for i, l := range credentialLines {
		if seen&(1<<i) == 0 {
			s.state.Absent = append(s.state.Absent, l.field)
		}
	}
	return s, nil
}

// set takes the value of one line.
func (c *Credentials) set(key, value string) (err error) {
	switch key {
	case "Uid":
		return ids(&c.UID, value)
	case "Gid":
		return ids(&c.GID, value)
	case "Groups":
		for word := range strings.FieldsSeq(value) {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return err
			}
			c.Groups = append(c.Groups, uint32(n))
		}
		slices.Sort(c.Groups)
	case "CapInh":
		return mask(&c.Inheritable, value)
	case "CapPrm":
		return mask(&c.Permitted, value)
	case "CapEff":
		return mask(&c.Effective, value)
	case "CapBnd":
		return mask(&c.Bounding, value)
	case "CapAmb":
		return mask(&c.Ambient, value)
	case "NoNewPrivs":
		if value != "0" && value != "1" {
			return errors.New("reads " + strconv.Quote(value))
		}
		c.NoNewPrivs = value == "1"
	case "Seccomp":
		c.Seccomp, err = strconv.Atoi(value)
	case "Seccomp_filters":
		c.Filters, err = strconv.Atoi(value)
	}
	return err
}

func ids(to *[4]uint32, value string) error {
	f := strings.Fields(value)
	if len(f) != len(to) {
		return errors.New("reads " + strconv.Quote(value))
	}
	for i, word := range f {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return err
		}
		to[i] = uint32(n)
	}
	return nil
}

func mask(to *caps.Set, value string) error {
	n, err := strconv.ParseUint(value, 16, 64)
	*to = caps.Set(n)
	return err
}

// unescapeName undoes what status does to a name: a line feed is "\n", a backslash two.
func unescapeName(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			if c = s[i]; c == 'n' {
				c = '\n'
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// key is a text that two threads share if they may the same, and no others.
func (c *Credentials) key() string {
	b := make([]byte, 0, 160)
	for _, list := range [...][]uint32{c.UID[:], c.GID[:], c.Groups} {
		for _, n := range list {
			b = append(strconv.AppendUint(b, uint64(n), 10), ' ')
		}
		b = append(b, '\n')
	}
	nnp := uint64(0)
	if c.NoNewPrivs {
		nnp = 1
	}
	for _, n := range [...]uint64{uint64(c.Inheritable), uint64(c.Permitted), uint64(c.Effective), uint64(c.Bounding), uint64(c.Ambient), nnp, uint64(c.Seccomp), uint64(c.Filters)} {
		b = append(strconv.AppendUint(b, n, 16), ' ')
	}
	return string(b) + strings.Join(c.Absent, " ")
}

// The names that /proc/PID/limits has, by the numbers of process.Limits.
var limitNames = [len(process.Limits)]string{
	"cpu time", "file size", "data size", "stack size", "core file size", "resident set", "processes", "open files",
	"locked memory", "address space", "file locks", "pending signals", "msgqueue size", "nice priority", "realtime priority", "realtime timeout",
}

// parseLimits reads /proc/PID/limits: "Max open files   1024   524288   files". What has no
// name in process.Limits is passed over; a line of another form is an error.
func parseLimits(text string) ([]Limit, error) {
	var list []Limit
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "Max ")
		if !found {
			continue
		}
		for i, name := range limitNames {
			values, found := strings.CutPrefix(rest, name+" ")
			if !found {
				continue
			}
			f := strings.Fields(values)
			if len(f) < 2 {
				return nil, errors.New("limits: a line that ends too early")
			}
			l := Limit{Name: process.Limits[i].Name}
			var err error
			if l.Soft, err = limitValue(f[0]); err == nil {
				l.Hard, err = limitValue(f[1])
			}
			if err != nil {
				return nil, errors.New("limits: " + name + ": " + err.Error())
			}
			list = append(list, l)
		}
	}
	if list == nil {
		return nil, errors.New("limits: none is told")
	}
	return list, nil
}

func limitValue(s string) (uint64, error) {
	if s == "unlimited" {
		return process.Infinity, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// parseGroups reads /proc/PID/cgroup, cgroups(7): "9:name=systemd:/a:b", "0::/". A path may
// hold colons; the kernel keeps line feeds out.
func parseGroups(text string) ([]Group, error) {
	var list []Group
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			return nil, errors.New("cgroup: a line without a path")
		}
		list = append(list, Group{Hierarchy: f[1], Path: f[2]})
	}
	return list, nil
}

// parseArgs takes the arguments apart. A process that writes over them (setproctitle(3)) may
// leave out the zero at the end.
func parseArgs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
}

// parseSpace reads a link of /proc/PID/ns: "net:[4026531840]".
func parseSpace(link string) (kind string, inode uint64, ok bool) {
	kind, rest, found := strings.Cut(link, ":[")
	number, closed := strings.CutSuffix(rest, "]")
	inode, err := strconv.ParseUint(number, 10, 64)
	return kind, inode, found && closed && err == nil && kind != ""
}
