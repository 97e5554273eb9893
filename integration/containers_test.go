//go:build linux

package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tally counts what came of the starts in a place.
type tally struct{ cases, equal, needed, weaker, needless int }

func (n *tally) add(o tally) {
	n.cases += o.cases
	n.equal += o.equal
	n.needed += o.needed
	n.weaker += o.weaker
	n.needless += o.needless
}

func (n tally) String() string {
	return fmt.Sprintf("%d starts: %d ran as asked, %d refused of need, %d ran weaker, %d refused without need", n.cases, n.equal, n.needed, n.weaker, n.needless)
}

// In every place a launch either has the state that was asked for, or is refused by
// name where nobody could have it there: what is refused is tried by hand, with the
// tools of util-linux, as the same user.
func TestContainers(t *testing.T) {
	requireRoot(t)
	var all tally
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			f := newPlaceFiles(t)
			n := views(t, &p, f)
			n.add(states(t, &p, f))
			t.Log(n)
			if n.weaker != 0 || n.needless != 0 {
				t.Errorf("ran weaker: %d, refused without need: %d; both must be none", n.weaker, n.needless)
			}
			all.add(n)
		})
	}
	t.Log("in all places together: ", all)
}

var (
	hardrunWords = []string{"/srv/hardrun"}
	waiveHint    = regexp.MustCompile(`^hardrun: hint: to start without: (--waive=\S+)$`)
	leaveHint    = regexp.MustCompile(`^hardrun: hint: to start without: leave out (.*), which cannot be waived(?:, and (--waive=\S+))?$`)
	landlockHint = regexp.MustCompile(`^hardrun: hint: by Landlock, which is weaker: (--allow-landlock=\S+)$`)
)

// unwaivable change what the daemon sees: a refusal of nothing else has no hint.
var unwaivable = strings.Fields("PrivateTmp BindPaths BindReadOnlyPaths TemporaryFileSystem MountFlags RootDirectory X-Hardrun-MinimalRoot")

// hints are the lines which a refusal prints.
type hints struct{ waive, leave, landlock string }

func hintsOf(r result) hints {
	var h hints
	for l := range strings.Lines(r.stderr) {
		l = strings.TrimSuffix(l, "\n")
		if m := waiveHint.FindStringSubmatch(l); m != nil {
			h.waive = m[1]
		}
		if m := leaveHint.FindStringSubmatch(l); m != nil {
			h.leave, h.waive = m[1], m[2]
		}
		if m := landlockHint.FindStringSubmatch(l); m != nil {
			h.landlock = m[1]
		}
	}
	return h
}

// trial is a program started in a place, and what is said of its end.
type trial struct {
	visited
	judge func(result)
}

func views(t *testing.T, p *place, f *placeFiles) (n tally) {
	t.Helper()
	cases := viewCases()
	var list []visited
	for i := range cases {
		c := &cases[i]
		stdin := lines(spoken(c.acts))
		list = append(list, visited{c.start("ask"), stdin}, visited{[]string{"/srv/probe", "ask"}, stdin})
	}
	results := p.visit(t, f, list)
	var second []trial
	for i := range cases {
		c := &cases[i]
		r, bare := results[2*i], answersOf(results[2*i+1], len(c.acts))
		n.cases++
		got := answersOf(r, len(c.acts))
		if got == nil {
			if refusal(t, r, c, p) {
				second = append(second, c.afterRefusal(t, p, r, &n)...)
			} else {
				n.weaker++
			}
			continue
		}
		switch lacks := unmet(c, got, bare); {
		case len(lacks) > 0:
			n.weaker++
			t.Errorf("%s: ran, and not as asked: %s", c.options, strings.Join(lacks, "; "))
		case p.refused[c.options] != 0:
			t.Errorf("%s: ran, and is not to be had here", c.options)
		default:
			n.equal++
		}
		if p.name == "machine" && bare != nil && len(unmet(c, bare, bare)) == 0 {
			t.Errorf("%s: it is the same without it: %q", c.options, c.acts)
		}
	}
	p.try(t, f, second)
	return n
}

// try starts them, and judges.
func (p *place) try(t *testing.T, f *placeFiles, list []trial) {
	t.Helper()
	var programs []visited
	for _, s := range list {
		programs = append(programs, s.visited)
	}
	for i, r := range p.visit(t, f, programs) {
		list[i].judge(r)
	}
}

// start is the line of the case, with more words of the options' kind.
func (c *viewCase) start(act string, more ...string) []string {
	return slices.Concat(hardrunWords, strings.Fields(c.options), more, []string{"--", cmpOr(c.command, "/srv/probe"), act})
}

// afterRefusal are the starts that follow on a refusal: the same by hand, and what
// the refusal has offered in its place.
func (c *viewCase) afterRefusal(t *testing.T, p *place, r result, n *tally) []trial {
	t.Helper()
	u := ""
	if p.own {
		u = "--user --map-root-user"
	}
	list := []trial{{visited{[]string{"/bin/sh", "-euc", "U='" + u + "'; " + c.hand}, ""}, func(hand result) {
		switch want := p.refused[c.options]; {
		case hand.code == 0 && !p.unproven:
			n.needless++
			t.Errorf("%s: refused, though it can be had by hand here: %q", c.options, r.stderr)
			return
		case want == noNamespace && r.code == noUser && (p.call != "" || c.name == "PrivateUsers"): // it is a user namespace that fails
		case want != r.code:
			t.Errorf("%s: status %d, want %d; %q; by hand: %d %q", c.options, r.code, want, r.stderr, hand.code, hand.stderr)
		}
		n.needed++
	}}}
	h := hintsOf(r)
	if h.waive == "" && h.leave == "" && !slices.Contains(unwaivable, c.name) {
		t.Errorf("%s: the refusal does not say how to start without it: %q", c.options, r.stderr)
	}
	if h.waive != "" && h.leave == "" {
		name := strings.TrimSuffix(c.name, twelve)
		list = append(list, trial{visited{c.start("ask", h.waive), "access\t/\tr\n"}, func(r result) {
			if answersOf(r, 1) == nil || !regexp.MustCompile(`(?m)^hardrun: waived .*`+name+`=`).MatchString(r.stderr) {
				t.Errorf("%s: with the printed %s: status %d, %q", c.options, h.waive, r.code, r.stderr)
			}
		}})
	}
	if c.landlock == nil {
		return list
	}
	if h.landlock != "--allow-landlock="+c.name {
		t.Errorf("%s: the refusal does not offer Landlock: %q", c.options, r.stderr)
		return list
	}
	if !landlockThere() {
		return list
	}
	hold := func(how string, want func(attempt) string) func(result) {
		return func(r result) {
			got := answersOf(r, len(c.landlock))
			if got == nil {
				t.Errorf("%s: %s: status %d, %q", c.options, how, r.code, r.stderr)
			}
			for i, a := range got {
				if a.Errno != want(c.landlock[i]) {
					t.Errorf("%s: %s: %s: answered %q, want %q", c.options, how, c.landlock[i].act, a.Errno, want(c.landlock[i]))
				}
			}
		}
	}
	stdin := lines(acts(c.landlock))
	return append(list,
		trial{visited{c.start("ask", h.landlock), stdin}, hold("with the printed "+h.landlock, func(a attempt) string { return a.under })},
		trial{visited{[]string{"/srv/probe", "ask"}, stdin}, hold("without", func(a attempt) string { return a.bare })})
}

// landlockThere tells whether this kernel has Landlock as hardrun uses it.
func landlockThere() bool {
	v, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return e == 0 && v >= 5
}

// refusal shows that a start was refused: by name, before the daemon was started, in
// lines of hardrun's own, and where it can be known before the first step, whole.
func refusal(t *testing.T, r result, c *viewCase, p *place) bool {
	t.Helper()
	if r.started() || r.code == 0 {
		t.Errorf("%s: status %d, and the daemon was started: %.300q %q", c.options, r.code, r.stdout, r.stderr)
		return false
	}
	for l := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(l, "hardrun: ") {
			t.Errorf("%s: a line that is not hardrun's: %q", c.options, l)
		}
	}
	names := []string{c.name}
	switch {
	case c.name == twelve && p.noMounts:
		names = twelveNames
	case c.name == twelve:
		names = nil
	}
	early := slices.Concat(procOfHost, idsOfMany, []string{chrootOption}) // refused for another reason
	if p.call != "" && !slices.Contains(early, c.options) && !strings.Contains(r.stderr, p.call) {
		t.Errorf("%s: the refusal does not name %s: %q", c.options, p.call, r.stderr)
	}
	for _, name := range names {
		if !strings.Contains(r.stderr, name+"=") {
			t.Errorf("%s: the refusal does not name %s=: %q", c.options, name, r.stderr)
		}
	}
	return true
}
