package seccomp

import "testing"

// A directive that forbids nothing adds nothing: what goes with a denial is not denied alone.
func TestNothingIsForbidden(t *testing.T) {
	f := New(Machine("amd64"))
	f.RestrictAddressFamilies(f.Source(Source{}), false, nil)
	f.RestrictNamespaces(f.Source(Source{}), Namespaces)
	for what, d := range map[string]Data{
		"clone3":                 {NR: 435, Arch: ArchX86_64},
		"setns without a kind":   {NR: 308, Arch: ArchX86_64},
		"socketcall(SYS_SOCKET)": {NR: 102, Arch: ArchI386, Args: [6]uint64{1}},
	} {
		if got := f.Decide(d); got.Action != Allow {
			t.Errorf("%s: %v", what, got.Action)
		}
	}
}

// The arguments of s390x's mmap(2), and of s390's, are in memory.
func TestSeesMmap(t *testing.T) {
	for _, a := range ABIs() {
		want := a != &abiS390X && a != &abiS390
		if got := SeesMmap([]*ABI{a}); got != want {
			t.Errorf("%s: %v", a.Name, got)
		}
	}
}

// Of several rules on a call that are equally strict the one that was added last is told, and of a call that has
// been asked about before anything else all is known.
func TestTheLastRuleIsTold(t *testing.T) {
	const unshare = 272
	f := New(Machine("amd64"))
	f.RestrictNamespaces(f.Source(Source{Directive: "first"}), 0)
	last := f.Source(Source{Directive: "last"})
	f.RestrictNamespaces(last, 0)
	if base, rules := f.At(0, unshare); base.Action != Allow || len(rules) != 2 || rules[0].Verdict != (Verdict{Errno | eperm, last}) {
		t.Errorf("unshare is %v, %+v", base, rules)
	}
	if got := f.Decide(Data{NR: unshare, Arch: ArchX86_64, Args: [6]uint64{NewUser}}); got.By != last {
		t.Errorf("unshare(CLONE_NEWUSER) is decided on by %q", f.Sources[got.By].Directive)
	}
}

// Calls by way of socketcall(2) have the errors that one list gives them, each its own.
func TestMultiplexedErrors(t *testing.T) {
	f := New(Machine("amd64"))
	by := f.Source(Source{})
	l := &List{AllowList: true, Default: Verdict{KillProcess, by}}
	for i, s := range socketCalls {
		l.Calls = append(l.Calls, Entry{s.call, Verdict{Errno | Action(i+1), by}})
	}
	f.AddList(l)
	for i, s := range socketCalls {
		d := Data{NR: 102, Arch: ArchI386, Args: [6]uint64{uint64(s.number)}}
		if got, want := f.Decide(d).Action, Errno|Action(i+1); got != want {
			t.Errorf("socketcall(%d): %v, want %v", s.number, got, want)
		}
	}
}

// SystemCallArchitectures= closes what it does not name, but for the machine's own way.
func TestClosed(t *testing.T) {
	f := New(Machine("amd64"))
	f.Architectures(f.Source(Source{}), []string{"x86"})
	for i, want := range []bool{false, true, false} { // x86-64, x32, x86
		if f.Closed(i) != want {
			t.Errorf("%s: %v", f.ABIs()[i].Name, !want)
		}
	}
}
