package inspect

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

func TestTally(t *testing.T) {
	for _, x := range []struct {
		name string
		make func(t *tally)
		want State
		text string
	}{
		{"nothing", func(*tally) {}, NotCheckable, "it is not looked at"},
		{"good", func(t *tally) { t.yes("a"); t.yes("a"); t.yes("b") }, Applied, "a; b"},
		{"half", func(t *tally) { t.yes("a"); t.part("b") }, Weaker, "b"},
		{"of two paths one", func(t *tally) { t.yes("a"); t.no("b") }, Weaker, "b"},
		{"none", func(t *tally) { t.no("a"); t.no("b") }, Missing, "a; b"},
		{"good and unseen", func(t *tally) { t.yes("a"); t.cannot("b") }, NotCheckable, "b"},
		{"bad and unseen", func(t *tally) { t.no("a"); t.cannot("b") }, Missing, "a"},
		{"many", func(t *tally) {
			for _, s := range "abcdef" {
				t.no(string(s))
			}
		}, Missing, "a; b; c; d; and 2 more"},
		{"a default", func(t *tally) { t.from.Default = true; t.no("a") }, Weaker, "a"},
	} {
		var got tally
		x.make(&got)
		if f := got.finding("X"); f.State != x.want || f.Text != x.text {
			t.Errorf("%s: %s, %q", x.name, f.State, f.Text)
		}
	}
}

func asked(t *testing.T, lines ...string) *policy.Policy {
	t.Helper()
	p := &policy.Policy{}
	for i, l := range lines {
		name, value, _ := strings.Cut(l, "=")
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: i + 1}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// program is the filter of a policy, of one directive.
func programOf(t *testing.T, name string, lines ...string) seccomp.Program {
	t.Helper()
	p := asked(t, lines...)
	f := seccomp.New(seccomp.Machine(runtime.GOARCH))
	by := f.Source(seccomp.Source{Directive: name})
	for _, d := range p.FilterParts(true, 0) {
		switch {
		case d.Name != name:
		case d.Add != nil:
			d.Add(f, by)
		default:
			f.AddList(policy.MergeCalls(p.SystemCallFilter.Items, true).List(seccomp.KillProcess, func(policy.Origin) uint16 { return by }))
		}
	}
	prog, err := f.Program()
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// A filter is compared by what it decides, with the arguments that matter.
func TestAgainstFilter(t *testing.T) {
	if seccomp.Machine(runtime.GOARCH) == nil {
		t.Skip("the calls of this machine are not known")
	}
	for _, x := range []struct {
		asked, have string
		want        State
		says        string
	}{
		{"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=AF_UNIX", Applied, ""},
		{"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=none", Applied, ""},
		{"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=AF_UNIX AF_ALG", Weaker, "socket"},
		{"RestrictAddressFamilies=~AF_ALG", "RestrictAddressFamilies=~AF_ALG AF_PACKET", Applied, ""},
		{"RestrictAddressFamilies=~AF_ALG AF_PACKET", "RestrictAddressFamilies=~AF_ALG", Weaker, "socket"},
		{"RestrictNamespaces=yes", "RestrictNamespaces=yes", Applied, ""},
		{"RestrictNamespaces=yes", "RestrictNamespaces=user", Weaker, "unshare"},
		{"RestrictNamespaces=user", "RestrictNamespaces=yes", Applied, ""},
		{"RestrictSUIDSGID=yes", "RestrictRealtime=yes", Missing, "chmod"},
		{"RestrictRealtime=yes", "RestrictRealtime=yes", Applied, ""},
		{"SystemCallFilter=@system-service", "SystemCallFilter=@system-service", Applied, ""},
		{"SystemCallFilter=@system-service", "SystemCallFilter=@basic-io", Applied, ""},
		{"SystemCallFilter=@system-service", "SystemCallFilter=@system-service kexec_load", Weaker, "kexec_load"},
		{"SystemCallFilter=~@mount:EPERM", "SystemCallFilter=~@mount:ENOSYS", Applied, "another error"},
		{"SystemCallFilter=~@mount", "SystemCallFilter=~@mount:EPERM", Weaker, "answered by an error"},
		{"SystemCallFilter=~@mount:EPERM", "SystemCallFilter=~@mount", Applied, ""},
		{"LockPersonality=yes", "LockPersonality=yes", Applied, ""},
		{"ProtectClock=yes", "ProtectKernelLogs=yes", Missing, "settimeofday"},
	} {
		name, _, _ := strings.Cut(x.asked, "=")
		other, _, _ := strings.Cut(x.have, "=")
		p := asked(t, x.asked, "Personality="+map[string]string{"amd64": "x86-64", "arm64": "arm64"}[runtime.GOARCH])
		j := &judge{
			p: p, blind: ErrGone, proc: &Process{Threads: []Threads{{IDs: []int{1}, State: Credentials{Seccomp: 2}}}},
			filters: &Filters{Stacks: []Stack{{Thread: 1, Programs: []seccomp.Program{programOf(t, other, x.have)}}}},
		}
		var got tally
		j.filter(name, &got)
		if f := got.finding(name); f.State != x.want || !strings.Contains(f.Text, x.says) {
			t.Errorf("%s against %s: %s, %q", x.asked, x.have, f.State, f.Text)
		}
		// A thread without a filter is one for which nothing holds.
		j.proc.Threads = append(j.proc.Threads, Threads{IDs: []int{2}})
		j.filters.Stacks = append(j.filters.Stacks, Stack{Thread: 2})
		got = tally{}
		j.filter(name, &got)
		if f := got.finding(name); f.State != Weaker || !strings.Contains(f.Text, "thread 2") {
			t.Errorf("%s with a thread that has no filter: %s, %q", x.asked, f.State, f.Text)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, x := range []struct {
		path, top string
		want      bool
	}{{"/a", "/", true}, {"/", "/", true}, {"/a", "/a", true}, {"/a/b", "/a", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}} {
		if got := within(x.path, x.top); got != x.want {
			t.Errorf("within(%q, %q) is %v", x.path, x.top, got)
		}
	}
}

// The rule of the deepest path decides, and of one path the strictest.
func TestGoverning(t *testing.T) {
	p := asked(t, "ProtectSystem=strict", "ReadWritePaths=/srv /srv/a", "ReadOnlyPaths=/srv/a", "InaccessiblePaths=/srv/b")
	j := &judge{p: p}
	j.makeRules()
	for _, r := range j.rules {
		r.at.real = r.path
	}
	for path, want := range map[string]string{"/var": "ProtectSystem /", "/srv/x": "ReadWritePaths /srv", "/srv/a/x": "ReadOnlyPaths /srv/a", "/srv/b": "InaccessiblePaths /srv/b", "/proc/x": " /proc"} {
		r := j.governing(path, byAccess)
		if r == nil || r.name+" "+r.path != want {
			t.Errorf("%s: %+v, want %s", path, r, want)
		}
	}
	if !slices.ContainsFunc(j.rules, func(r *pathRule) bool { return r.path == "/home" }) {
		t.Error("no rule for /home")
	}
}
