//go:build linux

package integration

import (
	"strings"
	"testing"
)

// Each attribute: what the daemon sees, which it does not see without the option.
func TestProcessAttributes(t *testing.T) {
	requireRoot(t)
	m := machine(t)
	for _, x := range []struct {
		words string
		get   func(s *state) any
		want  any
	}{
		{"--umask=0077", func(s *state) any { return s.UMask }, "0077"},
		{"--umask=0", func(s *state) any { return s.UMask }, "0000"},
		{"--umask=777", func(s *state) any { return s.UMask }, "0777"},
		{"--nice=7", func(s *state) any { return s.Nice }, 7},
		{"--nice=-3", func(s *state) any { return s.Nice }, -3},
		{"--oom-score-adjust=321", func(s *state) any { return s.OOMScoreAdj }, "321"},
		{"--cpu-scheduling-policy=batch", func(s *state) any { return s.SchedPolicy }, 3},
		{"--cpu-scheduling-policy=idle", func(s *state) any { return s.SchedPolicy }, 5},
		{"--cpu-scheduling-policy=fifo --cpu-scheduling-priority=3", func(s *state) any { return [2]int{s.SchedPolicy, s.SchedPriority} }, [2]int{1, 3}},
		{"--cpu-scheduling-policy=rr", func(s *state) any { return [2]int{s.SchedPolicy, s.SchedPriority} }, [2]int{2, 1}},
		{"--cpu-scheduling-reset-on-fork", func(s *state) any { return s.SchedReset }, 1},
		{"--cpu-affinity=0", func(s *state) any { return s.Affinity }, "0000000000000001"},
		{"--io-scheduling-class=idle", func(s *state) any { return s.IOPrio >> 13 }, 3},
		{"--io-scheduling-class=best-effort --io-scheduling-priority=6", func(s *state) any { return s.IOPrio }, 2<<13 | 6},
		{"--io-scheduling-class=realtime --io-scheduling-priority=2", func(s *state) any { return s.IOPrio }, 1<<13 | 2},
		{"--io-scheduling-priority=7", func(s *state) any { return s.IOPrio }, 2<<13 | 7},
		{"--timer-slack-nsec=1ms", func(s *state) any { return s.TimerSlack }, 1000000},
		{"--timer-slack-nsec=1ms --cpu-scheduling-policy=rr", func(s *state) any { return [2]int{s.SchedPolicy, s.TimerSlack} }, [2]int{2, 0}}, // the kernel takes it away
		{"--timer-slack-nsec=4321", func(s *state) any { return s.TimerSlack }, 4321},
		{"--coredump-filter=0x7", func(s *state) any { return s.CoredumpFilter }, "00000007"},
		{"--coredump-filter=all", func(s *state) any { return s.CoredumpFilter[6:] != "33" }, true},
		{"--memory-ksm", func(s *state) any { return s.KSM }, 1},
		{"--memory-thp=disable", func(s *state) any { return s.THP }, 1},
		{"--numa-policy=local", func(s *state) any { return s.NUMAPolicy }, 4},
		{"--numa-policy=bind --numa-mask=0", func(s *state) any { return s.NUMAPolicy }, 2},
		{"--numa-policy=interleave --numa-mask=0", func(s *state) any { return s.NUMAPolicy }, 3},
		{"--numa-policy=interleave --numa-mask=all", func(s *state) any { return s.NUMAPolicy }, 3},
		{"--numa-policy=preferred --numa-mask=0", func(s *state) any { return s.NUMAPolicy }, 1},
		{"--ignore-sigpipe", func(s *state) any { return s.SigIgnored }, "0000000000001000"},
		{"--keyring-mode=private", func(s *state) any { return s.SessionKeyring != m.SessionKeyring }, true},
		{"--keyring-mode=shared", func(s *state) any { return s.SessionKeyring != m.SessionKeyring }, true},
		{"--working-directory=/usr", func(s *state) any { return s.Cwd }, "/usr"},
	} {
		t.Run(x.words, func(t *testing.T) {
			words := strings.Fields(x.words)
			if x.words != "--cpu-affinity=0" && x.get(m) == x.want {
				t.Fatalf("without the option it is %v as well", x.want)
			}
			equal(t, "as root", x.get(run(t, append(words, "--", probe)...).state(t)), x.want)
			equal(t, "as a user", x.get(run(t, append(words, "--user=nobody", "--caps=none", "--no-new-privs", "--", probe)...).state(t)), x.want)
		})
	}
	equal(t, "personality x86", run(t, "--personality=x86", "--", probe).state(t).Personality, "0000000000000008")
	equal(t, "ignore-sigpipe=no", runs(t, with("ignore=13", hardrun, "--ignore-sigpipe=no", "--", probe)...).state(t).SigIgnored, none)
}

// What cannot be had is refused by its name.
func TestProcessAttributesRefused(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		prepare string
		words   []string
		code    int
		say     string
	}{
		{"gid=65534 uid=65534", []string{"--nice=-5"}, 201, "Nice="},
		{"gid=65534 uid=65534", []string{"--oom-score-adjust=-5"}, 206, "OOMScoreAdjust="},
		{"gid=65534 uid=65534", []string{"--cpu-scheduling-policy=fifo"}, 214, "CPUSchedulingPolicy="},
		{"gid=65534 uid=65534", []string{"--io-scheduling-class=realtime"}, 211, "IOSchedulingClass="},
		{"", []string{"--cpu-scheduling-priority=5"}, 214, "CPUSchedulingPriority="},
		{"", []string{"--cpu-scheduling-policy=rr", "--cpu-scheduling-priority=0"}, 214, "CPUSchedulingPriority="},
		{"", []string{"--cpu-affinity=1000"}, 215, "CPUAffinity="},
		{"", []string{"--numa-policy=bind"}, 242, "NUMAPolicy="},
		{"", []string{"--numa-mask=0"}, 242, "NUMAMask="},
		{"", []string{"--numa-policy=bind", "--numa-mask=63"}, 242, "NUMAPolicy="},
		{"", []string{"--apparmor-profile=x"}, 231, "AppArmorProfile="},
		{"", []string{"--selinux-context=x"}, 229, "SELinuxContext="},
		{"", []string{"--smack-process-label=x"}, 236, "SmackProcessLabel="},
		{"", []string{"--nice=20"}, 64, "--nice"},
		{"", []string{"--umask=99"}, 64, "--umask"},
		{"", []string{"--oom-score-adjust=1001"}, 64, "--oom-score-adjust"},
		{"", []string{"--personality=vax"}, 64, "--personality"},
		{"", []string{"--io-scheduling-priority=8"}, 64, "--io-scheduling-priority"},
	} {
		t.Run(strings.Join(x.words, " "), func(t *testing.T) {
			argv := append(append([]string{hardrun}, x.words...), "--", probe)
			if x.prepare != "" {
				argv = with(x.prepare, argv...)
			}
			refused(t, runs(t, argv...), x.code, x.say)
		})
	}
	// With "-" an absent security module is let pass.
	for _, w := range []string{"--apparmor-profile=-x", "--selinux-context=-x", "--smack-process-label=-x"} {
		if r := run(t, w, "--", probe); r.code != 0 || r.stderr != "" {
			t.Errorf("%s: status %d, %q", w, r.code, r.stderr)
		}
	}
}

// A key of the caller's session is not for the daemon.
func TestKeyring(t *testing.T) {
	requireRoot(t)
	act := []string{probe, "try", "key-search", "hardrun-test"}
	prepare := "session-key=hardrun-test"
	allowed(t, runs(t, with(prepare, act...)...))
	allowed(t, runs(t, with(prepare, append([]string{hardrun, "--"}, act...)...)...))
	allowed(t, runs(t, with(prepare, append([]string{hardrun, "--keyring-mode=inherit", "--"}, act...)...)...))
	for _, mode := range []string{"private", "shared"} {
		denied(t, runs(t, with(prepare, append([]string{hardrun, "--keyring-mode=" + mode, "--"}, act...)...)...), "ENOKEY")
		s := runs(t, with(prepare, hardrun, "--keyring-mode="+mode, "--user=nobody", "--", probe)...).state(t)
		if !strings.HasPrefix(s.SessionKeyringIs, "keyring;65534;65534;") {
			t.Errorf("%s: %q is not nobody's", mode, s.SessionKeyringIs)
		}
	}
}
