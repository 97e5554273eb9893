//go:build linux

package integration

import (
	"fmt"
	"strings"
	"testing"
)

// One capability that cannot be dropped, or not be read, ends the loop of a launcher, and
// all later ones stay (libcap-ng 0.8.3, libcap 2.66).
func TestA17A19LoopThatEnds(t *testing.T) {
	requireRoot(t)
	for _, errno := range []string{"EPERM", "EINVAL", "ENOSYS"} {
		s := runs(t, injecting(t, "prctl", "error="+errno+":when=18", naive(t, opt("bounding=40"), probe)...)...).state(t)
		atWork(t, "a drop that fails: "+s.Bnd, s.Bnd != none && s.Prm != none)
		s = runs(t, injecting(t, "prctl", "error="+errno+":when=1", naive(t, opt("bounding-read"), probe)...)...).state(t)
		atWork(t, "a read that fails: "+s.Bnd, s.Bnd == machine(t).Bnd)
	}
	atWork(t, "a drop that lies", runs(t, injecting(t, "prctl", "retval=0:when=18", naive(t, opt("bounding=40"), probe)...)...).state(t).Bnd != none)

	// Every fifth of the calls, as they are counted in hardrun's one thread; all of them are
	// in the matrix of faults.
	start := []string{hardrun, "--caps=none", "--", probe}
	kinds := map[string]int{}
	count := map[string]int{}
	for _, c := range traced(t, "-e trace=prctl,execve", start...).calls {
		if c.name != "prctl" {
			continue
		}
		count[c.pid]++
		kind, _, _ := strings.Cut(c.args, ",")
		if kind != "PR_CAPBSET_DROP" && kind != "PR_CAPBSET_READ" {
			continue
		}
		kinds[kind]++
		if kinds[kind]%5 != 1 {
			continue
		}
		for _, how := range []string{"error=EPERM", "error=EINVAL", "retval=0"} {
			r := runs(t, injecting(t, "prctl", fmt.Sprintf("%s:when=%d", how, count[c.pid]), start...)...)
			if r.code == 0 {
				// What is read again, or from elsewhere, may be noticed by nobody and change nothing.
				if s := r.state(t); s.Bnd != none || s.Prm != none {
					t.Errorf("%s of prctl(%s): the daemon has %s, bounding %s", how, c.args, s.Prm, s.Bnd)
				}
				if kind == "PR_CAPBSET_DROP" {
					t.Errorf("%s of prctl(%s) was not noticed", how, c.args)
				}
				continue
			}
			if kind == "PR_CAPBSET_DROP" {
				refused(t, r, 218, "CapabilityBoundingSet=")
			} else if r.started() || !strings.Contains(r.stderr, "prctl(PR_CAPBSET_READ)") && !strings.Contains(r.stderr, "CapabilityBoundingSet=") {
				t.Errorf("%s of prctl(%s): status %d, %q", how, c.args, r.code, r.stderr)
			}
		}
	}
	if kinds["PR_CAPBSET_DROP"] < 30 || kinds["PR_CAPBSET_READ"] < 30 {
		t.Errorf("%v", kinds)
	}
}

// CAP_SETPCAP goes in the middle, and with it the right to drop the rest (libcap-ng #59).
func TestA18SetpcapInTheMiddle(t *testing.T) {
	requireRoot(t)
	s := runs(t, naive(t, opt("bounding-each=40"), probe)...).state(t)
	atWork(t, s.Bnd, s.Bnd != none && strings.HasSuffix(s.Bnd, "00"))
	for _, words := range [][]string{{"--caps=none"}, {"--user=nobody", "--caps=none"}, {"--capability-bounding-set=~CAP_SETPCAP", "--user=nobody", "--ambient-capabilities=net_bind_service"}} {
		s := run(t, append(words, "--", probe)...).state(t)
		if len(words) < 3 {
			checkSets(t, s, sets{none, none, none, none, none})
			continue
		}
		equal(t, "bounding set", s.Bnd, clear(t, machine(t).Bnd, 8))
	}
}

// A launcher whose list ends before the kernel's leaves the newest ones.
func TestA20NewerCapabilities(t *testing.T) {
	requireRoot(t)
	s := runs(t, naive(t, opt("bounding=37"), probe)...).state(t) // as of Linux 3.16
	atWork(t, s.Prm, s.Prm != none && s.Prm == s.Bnd)
	checkSets(t, run(t, "--caps=none", "--", probe).state(t), sets{none, none, none, none, none})
	checkSets(t, run(t, "--capability-bounding-set=CAP_NET_BIND_SERVICE", "--", probe).state(t), sets{none, netBind, netBind, netBind, none})
}

// capset(2) is denied, by a filter outside, and that is passed over (bubblewrap, at uid 0).
func TestA21CapsetDenied(t *testing.T) {
	requireRoot(t)
	all := machine(t).Bnd
	for _, how := range []string{"error=EPERM", "retval=0"} {
		s := runs(t, with("inheritable", injecting(t, "capset", how, naive(t, opt("bounding=40", "capset"), probe)...)...)...).state(t)
		atWork(t, how, s.Prm == all)
		for _, words := range [][]string{{"--caps=none"}, {"--user=nobody"}, {"--user=nobody", "--caps=net_bind_service"}} {
			r := runs(t, with("inheritable", injecting(t, "capset", how, append(append([]string{hardrun}, words...), "--", probe)...)...)...)
			if r.code == 0 || r.started() || !strings.Contains(r.stderr, "cap") {
				t.Errorf("%s, %v: status %d, %q", how, words, r.code, r.stderr)
			}
		}
	}
	t.Run("filter", func(t *testing.T) {
		outer := under("--system-call-filter=~capset:EPERM")
		s := runs(t, with("inheritable", append(outer, naive(t, opt("bounding=40", "capset"), probe)...)...)...).state(t)
		atWork(t, s.Prm, s.Prm == all)
		refused(t, runs(t, with("inheritable", append(outer, hardrun, "--caps=none", "--", probe)...)...), 218, "CapabilityBoundingSet=")
	})
	t.Run("bwrap", func(t *testing.T) {
		bwrap := requireProgram(t, "bwrap", "bubblewrap")
		s := runs(t, injecting(t, "capset", "error=EPERM", bwrap, "--cap-drop", "ALL", "--bind", "/", "/", "--", probe)...).state(t)
		if s.Prm == none {
			t.Skip("needs a bubblewrap that passes over EPERM, to show the attack at work")
		}
	})
}

// PR_SET_KEEPCAPS is left on: the change of user takes nothing (libcap-ng #33).
func TestA22KeepCapsLeftOn(t *testing.T) {
	requireRoot(t)
	kept := runs(t, naive(t, opt("keep-caps", "uid=65534", "permitted"))...).stdout
	lost := runs(t, naive(t, opt("uid=65534", "permitted"))...).stdout
	atWork(t, kept, strings.TrimSpace(kept) == machine(t).Prm && strings.TrimSpace(lost) == none)
	on := ""
	for _, c := range traced(t, "", hardrun, "--user=nobody", "--caps=net_bind_service", "--", probe).calls {
		if v, ok := strings.CutPrefix(c.args, "PR_SET_KEEPCAPS, "); ok && c.answer == "0" {
			on += v
		}
	}
	equal(t, "PR_SET_KEEPCAPS", on, "10")
	s := run(t, "--user=nobody", "--caps=net_bind_service", "--", probe).state(t)
	checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
	equal(t, "securebits", s.SecureBits, none)
}

// An ambient capability that is not inheritable, or lost with the user: there is none, and
// nobody says so.
func TestA24AmbientThatIsNone(t *testing.T) {
	requireRoot(t)
	s := runs(t, naive(t, opt("ambient=10", "uid=65534"), probe)...).state(t)
	atWork(t, s.Amb, s.UIDs[0] == 65534 && s.Amb == none && s.Eff == none)
	s = run(t, "--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--no-new-privs", "--", probe).state(t)
	equal(t, "effective", s.Eff, netBind)
	refused(t, run(t, "--user=nobody", "--capability-bounding-set=~CAP_NET_BIND_SERVICE", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--", probe), 218, "AmbientCapabilities=")
	for _, how := range []string{"error=EPERM", "retval=0"} { // the second, behind the clearing of all
		r := runs(t, injecting(t, "prctl", how, hardrun, "--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--", probe)...)
		if r.code == 0 || r.started() {
			t.Errorf("%s: status %d, %q", how, r.code, r.stderr)
		}
	}
}

// A file with capabilities of its own clears the ambient set, at execve(2).
func TestA25AmbientCleared(t *testing.T) {
	requireRoot(t)
	setcap, setpriv := requireProgram(t, "setcap", "libcap2-bin"), requireProgram(t, "setpriv", "util-linux")
	file := copied(t, probe, directory(t, 0o755)+"/capable", 0o755)
	if r := runs(t, setcap, "cap_net_raw+ep", file); r.code != 0 {
		t.Skip("needs a file system with file capabilities: " + r.stderr)
	}
	other := []string{setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"}
	equal(t, "the other program", runs(t, append(other, probe)...).state(t).Amb, netBind)
	r := runs(t, append(other, file)...)
	atWork(t, r.stderr, r.state(t).Amb == none && r.stderr == "")
	words := []string{"--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--", file}
	s := run(t, words...).state(t)
	equal(t, "ambient", s.Amb, none)
	equal(t, "permitted", s.Prm, r.state(t).Prm)
	told := false
	for _, n := range decode[planned](t, run(t, append([]string{"plan", "--json"}, words...)...).stdout).Notes {
		told = told || n.ID == "ambient-lost"
	}
	equal(t, "the plan tells of it", told, true)
}

// A filter that is loaded without no_new_privs, behind the change of user, is refused by the
// kernel; and that is passed over.
func TestA26FilterWithoutNoNewPrivs(t *testing.T) {
	requireRoot(t)
	s := runs(t, naive(t, opt("uid=65534", "filter=110"), probe)...).state(t)
	atWork(t, fmt.Sprint(s.Seccomp), s.UIDs[0] == 65534 && s.Seccomp == 0)
	for _, more := range [][]string{nil, {"--no-new-privs"}, {"--caps=none"}} {
		s := run(t, append(more, "--user=nobody", "--system-call-filter=~getppid:EPERM", "--", probe)...).state(t)
		equal(t, fmt.Sprint(more, ": seccomp"), s.Seccomp, 2)
	}
	// Where hardrun itself may not load one without, it implies no_new_privs.
	s = runs(t, asUser(attackerID, hardrun, "--system-call-filter=~getppid:EPERM", "--", probe)...).state(t)
	equals(t, "as a user", []int{s.Seccomp, s.NNP}, []int{2, 1})
	r := runs(t, injecting(t, "seccomp", "error=EACCES", hardrun, "--user=nobody", "--system-call-filter=~getppid:EPERM", "--", probe)...)
	refused(t, r, 228, "SystemCallFilter=")
}

// The label is written, which fails, as there is no such module; and that is passed over.
func TestA27LabelOfNoModule(t *testing.T) {
	requireRoot(t)
	if exists("/sys/module/apparmor") {
		t.Skip("needs a kernel without AppArmor")
	}
	r := runs(t, naive(t, opt("write=/proc/self/attr/exec:exec confined"), probe)...)
	atWork(t, r.stderr, r.code == 0 && r.started())
	refused(t, run(t, "--apparmor-profile=confined", "--", probe), 231, "AppArmorProfile=")
	refused(t, run(t, "--unit="+unitOf(t, "AppArmorProfile=confined")), 231, "AppArmorProfile=")
	if r := run(t, "--apparmor-profile=-confined", "--", probe); r.code != 0 {
		t.Errorf("with \"-\": status %d, %q", r.code, r.stderr)
	}
}

// Who starts the launcher has taken CAP_SETUID away, and root remains (sendmail,
// CVE-2000-0506).
func TestA28CapabilityTakenAway(t *testing.T) {
	requireRoot(t)
	s := runs(t, with("without=7", naive(t, opt("user=nobody"), probe)...)...).state(t)
	atWork(t, fmt.Sprint(s.UIDs), s.UIDs[0] == 0)
	refused(t, runs(t, with("without=7", hardrun, "--user=nobody", "--", probe)...), 217, "User=", "CAP_SETUID")
	s = runs(t, with("without=8", naive(t, opt("bounding=40"), probe)...)...).state(t)
	atWork(t, s.Bnd, s.Bnd != none)
	refused(t, runs(t, with("without=8", hardrun, "--caps=none", "--", probe)...), 218, "CapabilityBoundingSet=", "CAP_SETPCAP")
}
