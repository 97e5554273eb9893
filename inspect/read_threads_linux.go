package inspect

import (
	"os"
	"slices"
	"strconv"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

// compared is how many threads of a process are looked at for more than their credentials.
const compared = 4096

// rounds is how often threads are listed, for those that came meanwhile.
const rounds = 8

// sharedSpaces are the namespaces that a thread can leave without the others, setns(2),
// unshare(2).
var sharedSpaces = [...]string{"cgroup", "ipc", "mnt", "net", "pid_for_children", "uts"}

// shared is what threads have in common, most of the time.
type shared struct {
	spaces [len(sharedSpaces)]string
	root   identity
	cwd    string
	group  string
	label  string
}

// sharedBy reads what a thread has. What may not be seen is empty; a thread that has ended is
// an error.
func (r *Reader) sharedBy(dir int) (s shared, err error) {
	note := func(e error) {
		if gone(e) && err == nil {
			err = e
		}
	}
	for i, kind := range sharedSpaces {
		var e error
		if s.spaces[i], e = r.link(dir, "ns/"+kind); kind == "mnt" { // others the kernel may not have
			note(e)
		}
	}
	var e error
	s.root, e = identify(dir, "root")
	note(e)
	s.cwd, e = r.link(dir, "cwd")
	note(e)
	s.group, e = r.read(dir, "cgroup", large)
	s.label, _ = r.label(dir)
	if e == unix.ESRCH {
		note(e)
	}
	return s, err
}

// apart is what differs, in words and ascending. blind tells that the thread does not show
// what the others do.
func (s *shared) apart(all *shared) (list []string, blind bool) {
	none := identity{}
	for i, kind := range sharedSpaces {
		switch {
		case s.spaces[i] == all.spaces[i]:
		case s.spaces[i] == "":
			blind = true
		default:
			list = append(list, kind)
		}
	}
	for _, x := range [...]struct {
		same, unseen bool
		word         string
	}{
		{s.root == all.root, s.root == none, "root"},
		{s.cwd == all.cwd, s.cwd == "", "cwd"},
		{s.group == all.group, s.group == "", "control group"},
		{s.label == all.label, s.label == "", "label"},
	} {
		switch {
		case x.same:
		case x.unseen:
			blind = true
		default:
			list = append(list, x.word)
		}
	}
	slices.Sort(list)
	return list, blind
}

// status reads the status of a process or a thread.
func (r *Reader) status(dir int) (status, error) {
	text, err := r.read(dir, "status", large)
	if err != nil {
		return status{}, err
	}
	return parseStatus(text)
}

// threadReader puts the threads of a process into groups.
type threadReader struct {
	*Reader
	p       *Process
	dir     int            // of the process
	v, vtid int            // a living thread, by which the others are told apart, and its number
	all     *shared        // what it has; read when there is a second thread
	at      map[string]int // the groups, by all that makes them one
	count   int            // of those that were read
}

// threads reads all threads. The directory v is that of a living one, of the number vtid.
func (r *Reader) threads(dir, v, vtid int, p *Process) error {
	t := threadReader{Reader: r, p: p, dir: dir, v: v, vtid: vtid, at: map[string]int{}}
	seen := map[int]bool{}
	for round := 0; ; round++ {
		tids, err := r.numbers(dir, "task")
		if err != nil {
			return err
		}
		more := false
		for _, tid := range tids {
			if seen[tid] {
				continue
			}
			more, seen[tid] = true, true
			if err := t.one(tid); err != nil {
				return err
			}
		}
		if !more {
			break
		}
		if round == rounds {
			p.lacks("Threads", "it starts threads all the time, and not all were read")
			break
		}
	}
	if len(p.Threads) == 0 {
		return unix.ESRCH
	}
	for i := range p.Threads {
		t := &p.Threads[i]
		slices.Sort(t.IDs)
		slices.Sort(t.Names)
		t.Names = slices.Compact(t.Names)
		for _, field := range t.State.Absent {
			p.lacks(field, notTold)
		}
	}
	order.By(p.Threads, func(a, b *Threads) bool { return a.IDs[0] < b.IDs[0] })
	return nil
}

// one reads a thread. One that has ended is none.
func (t *threadReader) one(tid int) error {
	dir, err := t.open(t.dir, "task/"+strconv.Itoa(tid), unix.O_PATH|unix.O_DIRECTORY)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := t.status(dir)
	if err == nil && (t.p.Zombie || !s.dead()) {
		err = t.put(dir, tid, &s)
	}
	if gone(err) {
		err = nil
	}
	if closed := unix.Close(dir); err == nil {
		err = os.NewSyscallError("close", closed)
	}
	return err
}

// put puts a thread into its group.
func (t *threadReader) put(dir, tid int, s *status) error {
	var apart []string
	t.count++
	switch {
	case t.p.Kernel, t.p.Zombie, tid == t.vtid:
	case t.count > compared:
		t.p.lacks("Apart", "it has many threads: of "+strconv.Itoa(compared)+" it was seen what they share, of the others the credentials only")
	default:
		if t.all == nil {
			all, err := t.sharedBy(t.v)
			if err != nil {
				return err
			}
			t.all = &all
		}
		own, err := t.sharedBy(dir)
		if err != nil {
			return err
		}
		blind := false
		if apart, blind = own.apart(t.all); blind {
			t.p.lacks("Apart", denied())
		}
	}
	key := s.state.key()
	for _, word := range apart {
		key += "\n" + word
	}
	i, found := t.at[key]
	if !found {
		text, err := t.read(dir, "stat", small)
		if err != nil {
			return err
		}
		st, err := parseStat(text)
		if err != nil {
			return err
		}
		i = len(t.p.Threads)
		t.at[key] = i
		t.p.Threads = append(t.p.Threads, Threads{State: s.state, Scheduling: st.scheduling(), Apart: apart})
	}
	g := &t.p.Threads[i]
	g.IDs = append(g.IDs, tid)
	g.Names = append(g.Names, s.name)
	return nil
}
