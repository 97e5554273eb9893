//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stateCase is what needs no mounts: who the daemon is, and what it inherits.
type stateCase struct {
	options string
	want    func(bare *state) []string // lines of told
	hand    string
	command string
}

// told is a state in lines, as far as the cases say something of it.
func told(s *state) []string {
	numbers := func(list []uint32) string { return strings.Trim(fmt.Sprint(list), "[]") }
	var names []string
	for _, v := range s.Env {
		if n, _, _ := strings.Cut(v, "="); n == "HR_A" || n == "HR_B" {
			names = append(names, v)
		}
	}
	slices.Sort(names)
	return []string{
		"uid " + numbers(s.UIDs), "gid " + numbers(s.GIDs), "groups " + numbers(s.Groups), "inheritable " + s.Inh, "permitted " + s.Prm,
		"effective " + s.Eff, "bounding " + s.Bnd, "ambient " + s.Amb, "securebits " + s.SecureBits, "no_new_privs " + itoa(s.NNP), "seccomp " + itoa(s.Seccomp),
		"umask " + s.UMask, "nice " + itoa(s.Nice), "cwd " + s.Cwd, "nofile " + fmt.Sprint(s.Limits[7]), "core " + fmt.Sprint(s.Limits[4]), "environment " + strings.Join(names, " "),
	}
}

// changed is the state before with some lines changed.
func changed(bare *state, to ...string) []string {
	list := told(bare)
	for _, line := range to {
		key, _, _ := strings.Cut(line, " ")
		i := slices.IndexFunc(list, func(l string) bool { return strings.HasPrefix(l, key+" ") })
		list[i] = line
	}
	return list
}

// masked are those capabilities of a set which are in the mask as well.
func masked(set string, mask uint64) string {
	n, _ := strconv.ParseUint(set, 16, 64) // the probe's own form
	return fmt.Sprintf("%016x", n&mask)
}

const (
	kill     = 1 << 5
	bindPort = 1 << 10
	setpcap  = 1 << 8
	setTime  = 1<<25 | 1<<35
)

func four(n string) string { return n + " " + n + " " + n + " " + n }

func stateCases(p *place) []stateCase {
	to := func(lines ...string) func(*state) []string {
		return func(b *state) []string { return changed(b, lines...) }
	}
	nobody := []string{"uid " + four("65534"), "gid " + four("65534"), "groups 65534", "inheritable " + none, "permitted " + none, "effective " + none, "ambient " + none}
	as := func(id, groups string) []string {
		return []string{"uid " + four(id), "gid " + four(id), "groups " + groups, "inheritable " + none, "permitted " + none, "effective " + none, "ambient " + none}
	}
	sets := func(b *state, bounding uint64, mask uint64) []string {
		own := masked(b.Bnd, mask)
		return []string{"inheritable " + own, "permitted " + own, "effective " + own, "ambient " + own, "bounding " + masked(b.Bnd, bounding)}
	}
	filtered := func(b *state) []string {
		lines := []string{"seccomp 2"}
		if !p.admin(b) {
			lines = append(lines, "no_new_privs 1")
		}
		return lines
	}
	return []stateCase{
		{"--user=65534:65534", to(nobody...), "setpriv --reuid 65534 --regid 65534 --clear-groups true", ""},
		{"--user=33:33 --supplementary-groups=44 --supplementary-groups=55", to(as("33", "33 44 55")...), "setpriv --reuid 33 --regid 33 --groups 33,44,55 true", ""},
		{"--group=7", to("gid "+four("7"), "groups 7"), "setpriv --regid 7 --groups 7 true", ""},
		{"--supplementary-groups=44", to("groups 44"), "setpriv --groups 44 true", ""},
		{"--capability-bounding-set=CAP_KILL CAP_SETPCAP", func(b *state) []string {
			return changed(b, "bounding "+masked(b.Bnd, kill|setpcap), "inheritable "+none, "permitted "+masked(b.Prm, kill|setpcap), "effective "+masked(b.Eff, kill|setpcap))
		}, "/srv/probe try bounding-drop 10", ""},
		{"--user=33:33 --caps=net_bind_service,kill", func(b *state) []string {
			return changed(b, slices.Concat(as("33", "33"), sets(b, bindPort|kill, bindPort|kill))...)
		}, "setpriv --reuid 33 --regid 33 --clear-groups true && /srv/probe try bounding-drop 25", ""},
		{"--user=33:33 --ambient-capabilities=CAP_KILL", func(b *state) []string {
			return changed(b, slices.Concat(as("33", "33"), sets(b, ^uint64(0), kill))...)
		}, "setpriv --reuid 33 --regid 33 --clear-groups --inh-caps=+kill --ambient-caps=+kill true", ""},
		{"--secure-bits=noroot noroot-locked", func(b *state) []string {
			lines := []string{"securebits 0000000000000003"}
			if b.UIDs[0] == 0 { // root by execve is nobody in particular now
				lines = append(lines, "permitted "+none, "effective "+none)
			}
			return changed(b, lines...)
		}, "setpriv --securebits=+noroot,+noroot_locked true", ""},
		{"--no-new-privs", to("no_new_privs 1"), "true", ""},
		{"--seccomp-bpf=/srv/mkdir.bpf", func(b *state) []string { return changed(b, filtered(b)...) }, "true", ""},
		{"--limit-nofile=64 --limit-core=0", to("nofile [64 64]", "core [0 0]"), "true", ""},
		{"--umask=027", to("umask 0027"), "true", ""},
		{"--nice=5", to("nice 5"), "true", ""},
		{"--working-directory=/var", to("cwd /var"), "true", ""},
		{"--clear-env --env=HR_A=1 --env=HR_B=2", to("environment HR_A=1 HR_B=2"), "true", ""},
		{"--protect-clock", func(b *state) []string {
			return changed(b, append(filtered(b), "bounding "+masked(b.Bnd, ^uint64(setTime)), "inheritable "+none, "permitted "+masked(b.Prm, ^uint64(setTime)), "effective "+masked(b.Eff, ^uint64(setTime)))...)
		}, "/srv/probe try bounding-drop 25", ""},
		{"--user=33:33 --supplementary-groups=44 --caps=net_bind_service --secure-bits=noroot --no-new-privs --seccomp-bpf=/srv/mkdir.bpf --limit-nofile=64 --umask=077 --nice=3 --chroot=/srv/root --working-directory=/tmp --env=HR_A=1", func(b *state) []string {
			return changed(b, slices.Concat(as("33", "33 44"), sets(b, bindPort, bindPort), []string{"securebits 0000000000000001", "no_new_privs 1", "seccomp 2", "nofile [64 64]", "umask 0077", "nice 3", "cwd /tmp", "environment HR_A=1"})...)
		}, "setpriv --reuid 33 --regid 33 --groups 33,44 --securebits=+noroot true && /srv/probe try bounding-drop 25 && chroot /srv/root /probe exit 0", "/probe"},
	}
}

// admin tells whether a filter can be loaded without no_new_privs.
func (p *place) admin(s *state) bool {
	n, _ := strconv.ParseUint(s.Eff, 16, 64) // the probe's own form
	return n>>21&1 == 1 || s.NNP == 1
}

// states does the same for what needs no mounts.
func states(t *testing.T, p *place, f *placeFiles) (n tally) {
	t.Helper()
	cases := stateCases(p)
	list := []visited{{[]string{"/srv/probe"}, ""}}
	for _, c := range cases {
		list = append(list, visited{slices.Concat(hardrunWords, splitOptions(c.options), []string{"--", cmpOr(c.command, "/srv/probe")}), ""})
	}
	filter := slices.Concat(hardrunWords, []string{"--seccomp-bpf=/srv/mkdir.bpf", "--", "/srv/probe", "ask"})
	list = append(list, visited{filter, "mkdir\t/srv/data/made\n"}, visited{[]string{"/srv/probe", "ask"}, "mkdir\t/srv/data/made\nrmdir\t/srv/data/made\n"})
	results := p.visit(t, f, list)
	bare := results[0].state(t)
	var second []trial
	for i, c := range cases {
		r := results[1+i]
		n.cases++
		if r.code == 0 {
			got, want := told(r.state(t)), c.want(bare)
			if !slices.Equal(got, want) {
				n.weaker++
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("%s: %s, want %s", c.options, got[i], want[i])
					}
				}
				continue
			}
			n.equal++
			continue
		}
		if r.started() {
			n.weaker++
			t.Errorf("%s: status %d, and the daemon was started", c.options, r.code)
			continue
		}
		second = append(second, trial{visited{[]string{"/bin/sh", "-euc", c.hand}, ""}, func(hand result) {
			if hand.code == 0 {
				n.needless++
				t.Errorf("%s: refused, though it can be had by hand here: %d %q", c.options, r.code, r.stderr)
				return
			}
			n.needed++
		}})
		if !slices.ContainsFunc(strings.Split(r.stderr, "\n"), func(l string) bool {
			return strings.HasPrefix(l, "hardrun: ") && strings.Contains(l, "=")
		}) {
			t.Errorf("%s: the refusal names no directive: %q", c.options, r.stderr)
		}
	}
	p.try(t, f, second)
	under, without := answersOf(results[len(results)-2], 1), answersOf(results[len(results)-1], 2)
	switch {
	case under == nil || without == nil:
		t.Errorf("a filter: %d %q", results[len(results)-2].code, results[len(results)-2].stderr)
	case under[0].Errno != "ENXIO" || without[0].Errno != "" || without[1].Errno != "":
		t.Errorf("mkdir under a filter that answers ENXIO: %q, and without: %q", under[0].Errno, without[0].Errno)
	}
	return n
}
