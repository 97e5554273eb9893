//go:build linux

package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	none      = "0000000000000000"
	netBind   = "0000000000000400" // cap_net_bind_service, 10
	threeCaps = "0000000000040500" // cap_setpcap 8, cap_net_bind_service 10, cap_sys_chroot 18
)

// sets are the five of capabilities(7).
type sets struct{ inh, prm, eff, bnd, amb string }

func (s *state) sets() sets { return sets{s.Inh, s.Prm, s.Eff, s.Bnd, s.Amb} }

// checkSets compares the getters' answers and the text of every thread.
func checkSets(t *testing.T, s *state, want sets) {
	t.Helper()
	if s.sets() != want {
		t.Errorf("getters: got %+v, want %+v", s.sets(), want)
	}
	for _, th := range s.Threads {
		got := sets{th["CapInh"], th["CapPrm"], th["CapEff"], th["CapBnd"], th["CapAmb"]}
		if got != want {
			t.Errorf("status: got %+v, want %+v", got, want)
		}
	}
}

// clear is a set of the machine without some capabilities.
func clear(t *testing.T, set string, gone ...int) string {
	t.Helper()
	n, err := strconv.ParseUint(set, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range gone {
		n &^= 1 << c
	}
	return fmt.Sprintf("%016x", n)
}

// The five sets, over all threads, exactly.
func TestCapabilitySets(t *testing.T) {
	requireRoot(t)
	all := machine(t).Bnd
	for _, x := range []struct {
		name  string
		words []string
		want  sets
	}{
		{"user alone", []string{"--user=nobody"}, sets{none, none, none, all, none}},
		{"user, one", []string{"--user=nobody", "--caps=net_bind_service"}, sets{netBind, netBind, netBind, netBind, netBind}},
		{"user, three by blanks", []string{"--user=nobody", "--caps=net_bind_service sys_chroot setpcap"}, sets{threeCaps, threeCaps, threeCaps, threeCaps, threeCaps}},
		{"user, three by commas", []string{"--user=nobody", "--caps=cap_net_bind_service,CAP_SYS_CHROOT,cap_setpcap"}, sets{threeCaps, threeCaps, threeCaps, threeCaps, threeCaps}},
		{"user, none", []string{"--user=nobody", "--caps=none"}, sets{none, none, none, none, none}},
		{"user, all", []string{"--user=nobody", "--caps=all"}, sets{all, all, all, all, all}},
		{"root, one", []string{"--caps=net_bind_service"}, sets{none, netBind, netBind, netBind, none}},
		{"root, none", []string{"--caps=none"}, sets{none, none, none, none, none}},
		{"root, all but two", []string{"--caps=~sys_admin sys_ptrace"}, sets{none, clear(t, all, 21, 19), clear(t, all, 21, 19), clear(t, all, 21, 19), none}},
		{"noroot, one", []string{"--caps=net_bind_service", "--secure-bits=noroot"}, sets{netBind, netBind, netBind, netBind, netBind}},
		{"noroot, none named", []string{"--secure-bits=noroot"}, sets{none, none, none, all, none}},
		{"bounding set, user", []string{"--user=nobody", "--capability-bounding-set=CAP_NET_BIND_SERVICE"}, sets{none, none, none, netBind, none}},
		{"bounding set without, user", []string{"--user=nobody", "--capability-bounding-set=~CAP_SYS_ADMIN"}, sets{none, none, none, clear(t, all, 21), none}},
		{"bounding sets united", []string{"--user=nobody", "--capability-bounding-set=CAP_SETPCAP CAP_SYS_CHROOT", "--capability-bounding-set=CAP_NET_BIND_SERVICE"}, sets{none, none, none, threeCaps, none}},
		{"ambient alone", []string{"--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE"}, sets{netBind, netBind, netBind, all, netBind}},
		{"ambient below bounding", []string{"--user=nobody", "--capability-bounding-set=CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_SETPCAP", "--ambient-capabilities=CAP_NET_BIND_SERVICE"}, sets{netBind, netBind, netBind, threeCaps, netBind}},
		{"ambient and no_new_privs", []string{"--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--no-new-privs"}, sets{netBind, netBind, netBind, all, netBind}},
		{"root, empty bounding set, securebits", []string{"--capability-bounding-set=CAP_NET_BIND_SERVICE", "--secure-bits=noroot noroot-locked"}, sets{none, none, none, netBind, none}},
		{"last --caps wins", []string{"--user=nobody", "--caps=all", "--caps=none"}, sets{none, none, none, none, none}},
	} {
		t.Run(x.name, func(t *testing.T) {
			argv := append(append([]string{hardrun}, x.words...), "--", probe)
			// The inheritable set of the caller is as full as can be (CVE-2022-24769).
			s := runs(t, with("inheritable", argv...)...).state(t)
			if strings.HasPrefix(x.name, "noroot, none named") {
				// Nothing was said of the sets: the inheritable one stays.
				s.Inh, s.Threads[0]["CapInh"] = none, none
			}
			checkSets(t, s, x.want)
		})
	}
}

// With nothing asked all five sets stay as they were.
func TestCapabilitySetsUntouched(t *testing.T) {
	requireRoot(t)
	want := runs(t, with("inheritable", probe)...).state(t).sets()
	if want.inh == none {
		t.Fatal("the preparation did not take")
	}
	checkSets(t, runs(t, with("inheritable", hardrun, "--no-new-privs", "--", probe)...).state(t), want)
}

// A daemon that gives the rest up ends with none, and gets none of it back.
func TestDroppedCapabilitiesStayGone(t *testing.T) {
	requireRoot(t)
	start := []string{"--user=nobody", "--caps=net_bind_service sys_chroot setpcap", "--"}
	// drop-to leaves the inheritable set empty, which takes the ambient one along.
	s := run(t, append(start, probe, "try", "drop-to", "400")...).state(t)
	checkSets(t, s, sets{none, netBind, netBind, threeCaps, none})
	s = run(t, append(start, probe, "try", "drop-to", "400", probe)...).state(t)
	checkSets(t, s, sets{none, none, none, threeCaps, none})
	for _, c := range []string{"0", "7", "12", "21"} {
		denied(t, run(t, append(start, probe, "try", "raise", c)...), "EPERM")
		denied(t, run(t, append(start, probe, "try", "ambient-raise", c)...), "EPERM")
	}
}

// A capability that was given does what it is for, and one that was not does not.
func TestCapabilitiesAtWork(t *testing.T) {
	requireRoot(t)
	net := func(argv ...string) result {
		return runs(t, append([]string{"unshare", "--net", "--", "sh", "-euc", `ip link set lo up; exec "$@"`, "sh"}, argv...)...)
	}
	requireProgram(t, "ip", "iproute2")
	allowed(t, net(probe, "try", "bind", "53"))
	denied(t, net(hardrun, "--user=nobody", "--", probe, "try", "bind", "53"), "EACCES")
	allowed(t, net(hardrun, "--user=nobody", "--caps=net_bind_service", "--", probe, "try", "bind", "53"))
	denied(t, net(hardrun, "--caps=sys_chroot", "--", probe, "try", "bind", "53"), "EACCES")

	allowed(t, runs(t, probe, "try", "chroot", "/"))
	denied(t, run(t, "--caps=~sys_chroot", "--", probe, "try", "chroot", "/"), "EPERM")
	allowed(t, run(t, "--user=nobody", "--caps=sys_chroot", "--", probe, "try", "chroot", "/"))

	file := write(t, directory(t, 0o755)+"/file", "", 0o644)
	allowed(t, runs(t, probe, "try", "chown", file, "1"))
	denied(t, run(t, "--capability-bounding-set=~CAP_CHOWN", "--", probe, "try", "chown", file, "2"), "EPERM")

	at := directory(t, 0o755)
	allowed(t, runs(t, probe, "try", "mount", at))
	denied(t, run(t, "--caps=~sys_admin", "--", probe, "try", "mount", at), "EPERM")
}

// "~" would hand every other capability to a user.
func TestInvertedCapsForUser(t *testing.T) {
	requireRoot(t)
	r := run(t, "-u", "nobody", "--caps=~sys_ptrace", "--", probe)
	refused(t, r, 64, "--caps", "hint: did you mean --capability-bounding-set=~")
}

// What cannot be ambient is refused, not silently left out.
func TestAmbientOutsideBounding(t *testing.T) {
	requireRoot(t)
	r := run(t, "--user=nobody", "--capability-bounding-set=CAP_SYS_CHROOT", "--ambient-capabilities=CAP_NET_BIND_SERVICE", "--", probe)
	refused(t, r, 218, "AmbientCapabilities=", "cap_net_bind_service")
	r = runs(t, with("securebits=0x40", hardrun, "--user=nobody", "--caps=net_bind_service", "--", probe)...)
	refused(t, r, 218, "AmbientCapabilities=", "no-cap-ambient-raise")
}

// A file with capabilities of its own gives a daemon nothing that it was not
// given: by +i there is nothing inheritable, by +ep there is no bounding set.
func TestFileCapabilities(t *testing.T) {
	requireRoot(t)
	setcap := requireProgram(t, "setcap", "libcap2-bin")
	dir := directory(t, 0o755)
	inherit, grant := copied(t, probe, dir+"/inherit", 0o755), copied(t, probe, dir+"/grant", 0o755)
	for _, argv := range [][]string{{setcap, "cap_net_raw+ei", inherit}, {setcap, "cap_net_raw+ep", grant}} {
		if r := runs(t, argv...); r.code != 0 {
			t.Skip("needs a file system with file capabilities: " + r.stderr)
		}
	}
	const netRaw = "0000000000002000"
	if s := runs(t, with("inheritable", "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", inherit)...).state(t); s.Prm != netRaw {
		t.Fatalf("without hardrun the file gives %s, want %s", s.Prm, netRaw)
	}
	if s := runs(t, with("inheritable", hardrun, "--user=nobody", "--", inherit)...).state(t); s.Prm != none {
		t.Errorf("cap_net_raw+i gave %s", s.Prm)
	}
	if s := run(t, "--user=nobody", "--", grant).state(t); s.Prm != netRaw {
		t.Fatalf("with nothing taken the file gives %s, want %s", s.Prm, netRaw)
	}
	// The kernel refuses a file that asks for more than it can get.
	refused(t, run(t, "--user=nobody", "--caps=none", "--", grant), 203, "operation not permitted")
	if s := run(t, "--user=nobody", "--no-new-privs", "--", grant).state(t); s.Prm != none {
		t.Errorf("under no_new_privs the file gave %s", s.Prm)
	}
}

// A set-user-ID program gives root without no_new_privs, and nothing with it.
func TestNoNewPrivileges(t *testing.T) {
	requireRoot(t)
	suid := copied(t, probe, directory(t, 0o755)+"/suid", 0o4755)
	start := func(words ...string) *state {
		return run(t, append(words, "--", probe, "try", "exec", suid)...).state(t)
	}
	if s := start("--user=nobody"); s.UIDs[1] != 0 {
		t.Fatalf("the set-user-ID bit does not work here: %v", s.UIDs)
	}
	for _, w := range []string{"--no-new-privs", "--no-new-privileges", "--no-new-privs=yes", "--NoNewPrivileges=true", "-no-new-privs"} {
		s := start("--user=nobody", w)
		equals(t, w+": uids", s.UIDs, ids(65534))
		equal(t, w+": no_new_privs", s.NNP, 1)
		equal(t, w+": status", s.Threads[0]["NoNewPrivs"], "1")
	}
	equal(t, "not asked", run(t, "--user=nobody", "--", probe).state(t).NNP, 0)
	equal(t, "asked not to", run(t, "--no-new-privs=no", "--", probe).state(t).NNP, 0)
	// The bounding set bounds it as well.
	if s := start("--user=nobody", "--caps=none"); s.Prm != none || s.UIDs[1] != 0 {
		t.Errorf("set-user-ID root with an empty bounding set: uid %v, permitted %s", s.UIDs, s.Prm)
	}
}
