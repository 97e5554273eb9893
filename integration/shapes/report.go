package shapes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Answer is what the daemon got for an act.
type Answer struct {
	Act   string
	Value int64
	Errno string
}

// Report is what a start has printed.
type Report struct {
	Sets    [5]string // of the launcher: inheritable, permitted, effective, bounding, ambient
	Started bool
	State   map[string]string // of the daemon: "uids" and "[0,0,0,0]"
	Answers []Answer
	Left    []string // what was there after it, and is nobody's
	Files   bool     // a start that was refused has left some
}

// Parse reads the output of starter: a line of its own, what the probe says if it was
// started, and another line.
func Parse(stdout, dir string) (*Report, error) {
	dec := json.NewDecoder(strings.NewReader(stdout))
	var place struct {
		Root       string
		Namespaces map[string]string
		Sets       [5]string
	}
	if err := dec.Decode(&place); err != nil {
		return nil, fmt.Errorf("the starter's line: %w", err)
	}
	r := &Report{Sets: place.Sets}
	var objects []map[string]json.RawMessage
	for {
		var o map[string]json.RawMessage
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("what was printed: %w", err)
		}
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		return nil, errors.New("the starter has not said what is left")
	}
	last := objects[len(objects)-1]
	if string(last["processes"]) == "" {
		return nil, errors.New("the starter has not said what is left")
	}
	if string(last["processes"]) != "0" {
		r.Left = append(r.Left, "processes: "+string(last["processes"]))
	}
	if string(last["mounts"]) != "false" {
		r.Left = append(r.Left, "mounts")
	}
	objects = objects[:len(objects)-1]
	if len(objects) == 0 {
		r.Files = string(last["files"]) != "0"
		return r, nil
	}
	r.Started = true
	if len(objects) < 3 || string(objects[len(objects)-1]["end"]) != "true" {
		return r, errors.New("the daemon has not come to its end")
	}
	r.State = map[string]string{}
	for k, v := range objects[0] {
		r.State[k] = plain(v)
	}
	for k, v := range objects[1] {
		r.State[k] = plain(v)
	}
	if err := r.settle(place.Root, place.Namespaces, objects[0], objects[1], dir); err != nil {
		return r, err
	}
	for _, o := range objects[2 : len(objects)-1] {
		var a Answer
		whole, err := json.Marshal(o)
		if err == nil {
			err = json.Unmarshal(whole, &a)
		}
		if err != nil {
			return r, err
		}
		r.Answers = append(r.Answers, a)
	}
	return r, nil
}

// plain is a value without the quotes of a text.
func plain(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return string(v)
	}
	return b.String()
}

// serial is what differs from start to start: the number of an inode in a name.
var serial = regexp.MustCompile(`:\[\d+\]`)

// others are the variables that have another value in each start.
var others = []string{"INVOCATION_ID", "SYSTEMD_EXEC_PID", "LISTEN_PID", "MAINPID", "NOTIFY_SOCKET", "LISTEN_PIDFDID"}

// settle takes out what differs by itself, and says of namespaces and root whose they are.
func (r *Report) settle(root string, host map[string]string, state, around map[string]json.RawMessage, dir string) error {
	for _, k := range []string{"pid", "ppid", "sid", "pgid", "session_keyring", "mount_ns", "namespaces", "mounts", "threads", "fds", "env", "limits", "tty_session", "root"} {
		delete(r.State, k)
	}
	whose := func(own bool) string {
		if own {
			return "host"
		}
		return "other"
	}
	r.State["root"] = whose(plain(state["root"]) == root)
	var spaces map[string]string
	var mounts, env []string
	var limits [][2]uint64
	var threads []map[string]string
	var fds []struct {
		FD, Cloexec, Flags int
		Mode, Rdev, Target string
	}
	for _, part := range []struct {
		text json.RawMessage
		to   any
	}{{around["namespaces"], &spaces}, {around["mounts"], &mounts}, {state["env"], &env}, {state["limits"], &limits}, {state["threads"], &threads}, {state["fds"], &fds}} {
		if err := json.Unmarshal(part.text, part.to); err != nil {
			return err
		}
	}
	for k, v := range spaces {
		r.State["namespace "+k] = "host"
		if v != host[k] {
			r.State["namespace "+k] = "own"
		}
	}
	for _, m := range mounts {
		words := strings.SplitN(strings.ReplaceAll(m, dir, "DIR"), " ", 3) // what of the file system, where, and how
		r.State["mount "+words[1]] = strings.Join(words, " ")
	}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		if slices.Contains(others, name) {
			value = "set"
		}
		r.State["env "+name] = value
	}
	for i, l := range limits {
		r.State["limit "+strconv.Itoa(i)] = fmt.Sprint(l[0], " ", l[1])
	}
	for i, t := range threads {
		delete(t, "NSpid")
		for k, v := range t {
			r.State["thread "+strconv.Itoa(i)+" "+k] = v
		}
	}
	for _, d := range fds {
		r.State["fd "+strconv.Itoa(d.FD)] = fmt.Sprintf("flags %#x, cloexec %d, mode %s, device %s, %s", d.Flags, d.Cloexec, d.Mode, d.Rdev, serial.ReplaceAllString(d.Target, ""))
	}
	return nil
}

// Lines is the state in the order of its keys, as Shape.Has is written.
func (r *Report) Lines() []string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(r.State)) {
		v := r.State[k]
		switch {
		case strings.HasPrefix(k, "mount "):
			list = append(list, "mount: "+v)
		case strings.HasPrefix(k, "env "):
			list = append(list, "env: "+strings.TrimPrefix(k, "env "))
		default:
			list = append(list, k+": "+v)
		}
	}
	return list
}

// Lacks are the lines of Has that are not there, and the acts that were answered
// otherwise than the shape says.
func (s *Shape) Lacks(r *Report) (list []string) {
	lines := r.Lines()
	for _, want := range s.Has {
		head, open := strings.CutSuffix(want, "...")
		if !slices.ContainsFunc(lines, func(l string) bool { return l == want || open && strings.HasPrefix(l, head) }) {
			list = append(list, "there is no "+want)
		}
	}
	acts := s.Acts()
	if len(r.Answers) != len(acts) {
		return append(list, fmt.Sprintf("%d acts were answered, of %d", len(r.Answers), len(acts)))
	}
	for i, a := range r.Answers {
		forbidden := i < len(s.Forbidden)
		if forbidden && !a.failed(acts[i]) {
			list = append(list, "works: "+acts[i])
		}
		if !forbidden && a.failed(acts[i]) {
			list = append(list, "does not work: "+acts[i]+": "+a.Errno)
		}
	}
	return list
}

// failed tells whether an act did not do what it is to do. Of "chroot-escape" the value says it.
func (a *Answer) failed(act string) bool {
	return a.Errno != "" || strings.HasPrefix(act, "chroot-escape") && a.Value == 0
}
