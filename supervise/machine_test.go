package supervise

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// world is a service without processes: a machine's effects, as it could find them.
type world struct {
	t       *testing.T
	r       *rand.Rand
	m       *machine
	clock   uint64
	next    int
	alive   map[int]bool // of the main and the control processes
	others  int          // what is there besides
	calm    bool         // nothing ignores KILL any more, nothing is refused
	log     []string
	readied int
	asked   bool // a stop was asked for
}

func (w *world) now() uint64 { return w.clock }

func (w *world) start(c Command) (int, error) {
	w.log = append(w.log, policy.ExecNames[c.List]+fmt.Sprint(c.Index))
	stops := c.List == policy.ExecStop || c.List == policy.ExecStopPost
	switch {
	case w.asked && !stops:
		w.t.Errorf("%s was started after a stop: %v", policy.ExecNames[c.List], w.log)
	case w.m.state == dead:
		w.t.Errorf("%s was started after the end: %v", policy.ExecNames[c.List], w.log)
	case c.List == policy.ExecStop && !w.m.started:
		w.t.Errorf("ExecStop= of a service that has not started: %v", w.log)
	case w.m.control != 0 && w.alive[w.m.control] && c.List != policy.ExecStopPost && c.List != policy.ExecStop:
		w.t.Errorf("two commands at once: %v", w.log)
	case c.List == policy.ExecStart && w.m.main != 0:
		w.t.Errorf("two main processes: %v", w.log)
	}
	if !w.calm && w.r.IntN(20) == 0 {
		return 0, errors.New("refused")
	}
	w.next++
	w.alive[w.next] = true
	if w.r.IntN(3) == 0 {
		w.others += w.r.IntN(3)
	}
	return w.next, nil
}

func (w *world) signal(pid, n int) {
	if pid == 0 || pid != w.m.main && pid != w.m.control {
		w.t.Errorf("signal %d to %d: %v", n, pid, w.log)
	}
}

func (w *world) rest(n int, _ bool) bool { return w.others > 0 }
func (w *world) reap()                   { w.others = 0 }

func (w *world) empty() bool {
	for _, is := range w.alive {
		if is {
			return false
		}
	}
	return w.others == 0
}

func (w *world) adopt(pid int) error {
	if w.r.IntN(2) == 0 || pid == w.m.control {
		return errors.New("no")
	}
	w.alive[pid] = true
	return nil
}

func (w *world) guess() int {
	if w.others > 0 && w.r.IntN(2) == 0 {
		w.others--
		w.next++
		w.alive[w.next] = true
		return w.next
	}
	return 0
}

func (w *world) readPIDFile() (int, error) {
	if pid := w.guess(); pid != 0 {
		return pid, nil
	}
	return 0, errors.New("no file")
}
func (w *world) catches(int, int) bool { return w.r.IntN(2) == 0 }
func (w *world) oom() bool             { return w.r.IntN(2) == 0 }
func (w *world) ready()                { w.readied++ }
func (w *world) say(text string)       {}

// TestRandom throws everything at machines that can happen. Each of them ends: by itself, or
// when it is told to stop and everything that is killed dies.
func TestRandom(t *testing.T) {
	for seed := range 30000 {
		random(t, uint64(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func pick(r *rand.Rand, words string) string {
	list := strings.Fields(words)
	return list[r.IntN(len(list))]
}

func random(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &Spec{
		Type: pick(r, "simple exec forking oneshot notify notify-reload idle dbus"), KillMode: pick(r, "control-group mixed process none"),
		NotifyAccess: pick(r, "main exec all"), RemainAfterExit: r.IntN(3) == 0,
		StartFailure: pick(r, "terminate abort kill"), StopFailure: pick(r, "terminate abort kill"),
		TimeoutStart: 1 + r.Uint64N(50), TimeoutStop: 1 + r.Uint64N(50), TimeoutAbort: 1 + r.Uint64N(50), RuntimeMax: never,
		KillSignal: 15, FinalKillSignal: 9, WatchdogSignal: 6, ReloadSignal: 1, SendSIGKILL: r.IntN(4) != 0, SendSIGHUP: r.IntN(2) == 0,
		NotifyFD: -1, ReadyFD: -1,
	}
	if r.IntN(3) == 0 {
		s.PIDFile = "/run/pid"
	}
	if r.IntN(3) == 0 {
		s.RuntimeMax = r.Uint64N(100)
	}
	for list := range s.Commands {
		n := r.IntN(3)
		if list == policy.ExecStart && s.Type != "oneshot" {
			n = 1
		}
		for range n {
			s.Commands[list] = append(s.Commands[list], policy.Command{Ignore: r.IntN(4) == 0})
		}
	}
	w := &world{t: t, r: r, alive: map[int]bool{}}
	w.m = &machine{Spec: s, effects: w}
	w.m.begin()
	stops := false
	for step := 0; w.m.state != dead; step++ {
		if step > 400 {
			w.calm = true // from now on it must come to an end
			if !stops {
				stops = true
				w.ask()
			}
		}
		if step > 3000 {
			t.Errorf("it does not end: %s %s, state %d, main %v, control %v, others %d, deadline %d, now %d: %v", s.Type, s.KillMode, w.m.state, w.m.main, w.m.control, w.others, w.m.deadline, w.clock, w.log)
			return
		}
		w.happen(step)
	}
	if w.readied > 1 || w.m.started != (w.readied == 1) {
		t.Errorf("ready was said %d times: %v", w.readied, w.log)
	}
	if st := w.m.status(); (st == 0) != (w.m.result == success || w.m.result == skipped) {
		t.Errorf("status %d with %s", st, resultNames[w.m.result])
	}
	was := len(w.log)
	for step := range 30 {
		w.happen(step)
	}
	w.m.askStop()
	w.m.askReload()
	if w.m.state != dead || len(w.log) != was {
		t.Errorf("something happened after the end: %v", w.log)
	}
}

func (w *world) ask() {
	w.m.askStop()
	w.asked = true
}

// happen is one thing that happens.
func (w *world) happen(step int) {
	r, m := w.r, w.m
	w.clock += r.Uint64N(5)
	what := r.IntN(20)
	if w.calm && r.IntN(2) == 0 {
		what = 19
	}
	switch {
	case what < 4 && m.main != 0:
		w.end(m.main)
	case what < 8 && m.control != 0:
		w.end(m.control)
	case what == 8:
		m.executed()
	case what == 9:
		if !w.calm && r.IntN(4) == 0 {
			w.ask()
		}
	case what == 10:
		m.askReload()
	case what == 11 && !w.calm:
		m.notice(&notice{ready: r.IntN(2) == 0, reloading: r.IntN(2) == 0, stopping: r.IntN(4) == 0, since: r.Uint64N(w.clock + 1), extend: r.Uint64N(20), mainPID: r.IntN(w.next + 2)})
	case what == 12:
		m.pidFile()
	case what == 13 && w.others > 0:
		w.others--
	case what == 14 && !w.calm:
		w.others += r.IntN(2)
	case what >= 15 && m.deadline != never && (w.calm || r.IntN(5) == 0):
		w.clock = max(w.clock, m.deadline)
		m.expired()
	}
	if w.calm && (m.state == stopKill || m.state == finalKill) {
		w.others = 0
	}
	if w.others == 0 && w.empty() {
		m.emptied()
	}
}

func (w *world) end(pid int) {
	w.alive[pid] = false
	e := end{n: w.r.IntN(3) * 100}
	if w.r.IntN(3) == 0 {
		e = end{signal: true, core: w.r.IntN(3) == 0, n: 1 + w.r.IntN(15)}
	}
	w.m.exited(pid, e)
}

// quiet makes a machine whose commands start, and of which nothing else is there.
func quiet(t *testing.T, kind string, lists ...int) *machine {
	s := &Spec{
		Type: kind, KillMode: "control-group", NotifyAccess: "main", TimeoutStart: 1e6, TimeoutStop: 1e6, TimeoutAbort: 1e6, RuntimeMax: never,
		KillSignal: 15, FinalKillSignal: 9, WatchdogSignal: 6, ReloadSignal: 1, SendSIGKILL: true, NotifyFD: -1, ReadyFD: -1,
	}
	for _, list := range append(lists, policy.ExecStart) {
		s.Commands[list] = []policy.Command{{}}
	}
	w := &calmWorld{world{t: t, r: rand.New(rand.NewPCG(1, 1)), alive: map[int]bool{}, calm: true}}
	w.m = &machine{Spec: s, effects: w}
	w.m.begin()
	return w.m
}

// calmWorld is one in which nothing is left to chance.
type calmWorld struct{ world }

func (w *calmWorld) start(Command) (int, error) {
	w.next++
	w.alive[w.next] = true
	return w.next, nil
}
func (w *calmWorld) catches(int, int) bool { return true }

// TestNotices are messages at moments at which they mean something else, or nothing.
func TestNotices(t *testing.T) {
	m := quiet(t, "simple", policy.ExecStartPost)
	m.notice(&notice{stopping: true})
	if m.state != startPost {
		t.Errorf("STOPPING=1 during the start: state %d", m.state)
	}
	if m.exited(m.control, end{}); m.state != stopTerm || m.control != 0 {
		t.Errorf("and behind it: state %d", m.state)
	}
	for _, kind := range []string{"exec", "oneshot", "forking"} {
		m := quiet(t, kind)
		if m.notice(&notice{ready: true}); m.state != start {
			t.Errorf("%s: READY=1 was heeded", kind)
		}
	}
	m = quiet(t, "notify-reload")
	m.effects.(*calmWorld).clock = 100
	if m.notice(&notice{ready: true}); m.state != running {
		t.Fatalf("READY=1: state %d", m.state)
	}
	m.askReload()
	for _, n := range []notice{{reloading: true}, {reloading: true, since: 99}, {ready: true, reloading: true, since: 99}, {ready: true}} {
		if m.notice(&n); m.state != reloadSignal {
			t.Errorf("%+v ended the wait for a reload: state %d", n, m.state)
		}
	}
	if m.notice(&notice{reloading: true, since: 100}); m.state != reloadNotify {
		t.Errorf("RELOADING=1: state %d", m.state)
	}
	if m.notice(&notice{ready: true}); m.state != running {
		t.Errorf("READY=1: state %d", m.state)
	}
	m.askReload()
	if m.notice(&notice{ready: true, reloading: true, since: 100}); m.state != running {
		t.Errorf("both in one: state %d", m.state)
	}
	if m.notice(&notice{reloading: true}); m.state != reloadNotify {
		t.Errorf("a reload of its own: state %d", m.state)
	}
	if m.expired(); m.state != running {
		t.Errorf("a reload that takes too long: state %d", m.state)
	}
}

// FuzzMachine is TestRandom by a seed.
func FuzzMachine(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { random(t, seed) })
}

func TestEnvironmentTexts(t *testing.T) {
	for _, c := range []struct {
		e            end
		code, text   string
		status       int
		daemon, tool result
	}{
		{end{}, "exited", "0", 0, success, success},
		{end{n: 255}, "exited", "255", 255, exitCode, exitCode},
		{end{signal: true, n: 15}, "killed", "TERM", 143, success, killed},
		{end{signal: true, n: 1}, "killed", "HUP", 129, success, killed},
		{end{signal: true, n: 13}, "killed", "PIPE", 141, success, killed},
		{end{signal: true, n: 9}, "killed", "KILL", 137, killed, killed},
		{end{signal: true, core: true, n: 11}, "dumped", "SEGV", 139, dumped, dumped},
		{end{signal: true, n: 34}, "killed", "RTMIN+0", 162, killed, killed},
		{end{signal: true, n: 64}, "killed", "RTMIN+30", 192, killed, killed},
	} {
		m := machine{Spec: &Spec{}}
		if c.e.code() != c.code || c.e.text() != c.text || c.e.status() != c.status || m.judge(c.e, false) != c.daemon || m.judge(c.e, true) != c.tool {
			t.Errorf("%+v: %s %s %d %d %d", c.e, c.e.code(), c.e.text(), c.e.status(), m.judge(c.e, false), m.judge(c.e, true))
		}
	}
}
