//go:build linux

package integration

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// waivedCases are cases of which some can be waived: each by its own name, and with
// it nothing else.
func waivedCases() []viewCase {
	var list []viewCase
	for _, c := range viewCases() {
		switch c.options {
		case "--protect-system=strict", "--protect-home", "--protect-home=tmpfs", "--private-tmp", "--private-devices", "--protect-kernel-tunables",
			"--protect-control-groups=strict", "--protect-proc=invisible", "--proc-subset=pid", "--private-pids", "--private-bpf",
			"--read-only-paths=/srv/data", "--inaccessible-paths=/srv/hidden", "--no-exec-paths=/srv/prog", "--tmpfs=/var",
			"--private-network", "--private-ipc", "--protect-hostname=yes:box":
			list = append(list, c)
		}
	}
	return list
}

// stillOpen are the acts of a case that work though the directive is to forbid them. What
// it leaves alone, and what another directive hides altogether, is no lack.
func stillOpen(c *viewCase, got, bare []answer) []string {
	taken := *c
	taken.want = slices.Clone(c.want)
	for i, w := range c.want {
		if w == "ok" || got[i].Errno == "ENOENT" {
			taken.want[i] = "ok|" + cmpOr(got[i].Errno, "ok")
		}
	}
	return unmet(&taken, got, bare)
}

// What is waived is given up alone. Of two directives, one is waived; a call fails
// that both need: then the other is in force, or there is no start.
func TestWaivedAlone(t *testing.T) {
	requireRoot(t)
	f := newPlaceFiles(t)
	calls := []struct {
		name string
		nr   uint32
	}{
		{"open_tree", unix.SYS_OPEN_TREE},
		{"move_mount", unix.SYS_MOVE_MOUNT},
		{"fsopen", unix.SYS_FSOPEN},
		{"fsmount", unix.SYS_FSMOUNT},
		{"mount", unix.SYS_MOUNT},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR},
		{"unshare", unix.SYS_UNSHARE},
		{"sethostname", unix.SYS_SETHOSTNAME},
	}
	for _, call := range calls {
		write(t, f.srv+"/"+call.name+".bpf", string(errnoFilter(uint32(syscall.EPERM), call.nr).Bytes()), 0o644)
	}
	masked := onMachine("masked proc and sys", machineSetup{before: masks, after: "unshare --user --map-root-user"}, nil)
	all := []place{
		masked,
		onMachine("user", machineSetup{}, nil).ofUser(nil),
		onMachine("", machineSetup{}, nil).as("no CAP_SYS_ADMIN", "/srv/probe", "with", "without=21", "--"),
		onMachine("no proc", machineSetup{noProc: true}, nil),
		onMachine("chroot", machineSetup{chroot: true}, nil),
	}
	for _, call := range calls {
		all = append(all, onMachine("", machineSetup{}, nil).as("no "+call.name, "/srv/hardrun", "--seccomp-bpf=/srv/"+call.name+".bpf", "--"))
	}
	cases := waivedCases()
	var starts, waived, ran int
	for _, p := range all {
		variants := [][]string{nil}
		if strings.Contains(p.name, "mount") { // it makes all of them nosuid as well, by one call
			variants = append(variants, []string{"--no-new-privs"})
		}
		for _, nnp := range variants {
			var list []visited
			var which [][2]int
			for i := range cases {
				stdin := lines(spoken(cases[i].acts))
				list, which = append(list, visited{[]string{"/srv/probe", "ask"}, stdin}), append(which, [2]int{i, -1})
			}
			for a := range cases {
				if slices.Contains(unwaivable, cases[a].name) {
					continue
				}
				for b := range cases {
					if cases[a].name == cases[b].name {
						continue
					}
					argv := slices.Concat(hardrunWords, nnp, []string{cases[a].options, cases[b].options, "--waive=" + cases[a].name, "--", "/srv/probe", "ask"})
					list, which = append(list, visited{argv, lines(spoken(cases[b].acts))}), append(which, [2]int{b, a})
				}
			}
			bare := make([][]answer, len(cases))
			for i, r := range p.visit(t, f, list) {
				c := &cases[which[i][0]]
				got := answersOf(r, len(c.acts))
				if which[i][1] < 0 {
					bare[i] = got
					continue
				}
				starts++
				if got == nil {
					if r.started() {
						t.Errorf("%s: %q: status %d, and the daemon was started", p.name, r.argv, r.code)
					}
					continue
				}
				ran++
				if strings.Contains(r.stderr, "waived ") {
					waived++
				}
				if lacks := stillOpen(c, got, bare[which[i][0]]); len(lacks) > 0 {
					t.Errorf("%s: %q: ran without what nobody waived: %s; %q", p.name, r.argv[1:len(r.argv)-3], strings.Join(lacks, "; "), r.stderr)
				}
			}
		}
	}
	t.Logf("%d starts: %d ran, %d of them without what was waived", starts, ran, waived)
	if waived == 0 {
		t.Error("nothing was waived")
	}
}
