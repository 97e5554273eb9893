package process

import "testing"

// What plan prints of each step, and the system call that strace shows.
func TestStepWords(t *testing.T) {
	for _, tt := range []struct {
		step interface {
			String() string
			Mechanism() string
		}
		line, call string
	}{
		{SetLimit{N: 7, Limit: Limit{4, 8}}, "NOFILE 4:8", "prlimit64(0, RLIMIT_NOFILE)"},
		{SetUMask{0}, "umask 0000", "umask(0000)"},
		{SetUMask{0o27}, "umask 0027", "umask(0027)"},
		{SetNice{-5}, "nice -5", "setpriority(PRIO_PROCESS, 0, -5)"},
		{SetScheduler{}, "scheduling policy other", "sched_setscheduler"},
		{SetScheduler{Policy: SchedFIFO, Priority: 3}, "scheduling policy fifo, priority 3", "sched_setscheduler"},
		{SetScheduler{Policy: SchedRR, Priority: 1, ResetOnFork: true}, "scheduling policy rr, priority 1, reset on fork", "sched_setscheduler"},
		{SetAffinity{CPUs: CPUSet{3}}, "CPUs 0-1", "sched_setaffinity"},
		{SetAffinity{CPUs: CPUSet{3}, Restore: true}, "CPUs as inherited", "sched_setaffinity"},
		{SetNUMA{Policy: NUMALocal}, "memory policy local", "set_mempolicy"},
		{SetNUMA{Policy: NUMABind, Nodes: CPUSet{2}}, "memory policy bind of nodes 1", "set_mempolicy"},
		{SetIOPriority{Class: IOBestEffort, Priority: 6}, "I/O class best-effort, priority 6", "ioprio_set"},
		{SetTimerSlack{NSec: 77}, "timer slack 77 ns", "prctl(PR_SET_TIMERSLACK)"},
		{SetTimerSlack{NSec: 77, Restore: true}, "timer slack as inherited", "prctl(PR_SET_TIMERSLACK)"},
		{SetPersonality{Value: 8, Arch: "x86"}, "personality x86", "personality(0x8)"},
		{SetKSM{}, "do not merge equal memory pages", "prctl(PR_SET_MEMORY_MERGE)"},
		{SetKSM{On: true}, "merge equal memory pages", "prctl(PR_SET_MEMORY_MERGE)"},
		{SetTHP{THPMadvise}, "transparent huge pages madvise", "prctl(PR_SET_THP_DISABLE)"},
		{&WriteProc{File: "oom_score_adj", Text: "5", What: "OOM score 5"}, "OOM score 5", `write(/proc/self/oom_score_adj, "5")`},
		{&SetKeyring{Mode: KeyringShared}, "session keyring shared", "keyctl(KEYCTL_JOIN_SESSION_KEYRING)"},
		{SetSignals{Inherited: true, Ignored: 1}, "dispositions and mask as inherited", "rt_sigaction × 62, rt_sigprocmask"},
		{SetSignals{}, "ignored {}, blocked {}, others default", "rt_sigaction × 62, rt_sigprocmask"},
		{SetSignals{Ignored: 1<<12 | 1<<63, Blocked: 1}, "ignored {13,64}, blocked {1}, others default", "rt_sigaction × 62, rt_sigprocmask"},
		{&CloseDescriptors{}, "close all from 3 on", "close_range(3, ~0, CLOSE_RANGE_CLOEXEC)"},
		{&CloseDescriptors{Keep: []int{3, 5}}, "keep 3 5, close all others from 3 on", "close_range(3, ~0, CLOSE_RANGE_CLOEXEC)"},
		{CloseStandard{2}, "close 2, as inherited", "close(2)"},
		{KeepStandard{FD: 0}, "stdin as inherited", "fstat(0)"},
		{KeepStandard{FD: 2}, "stderr as inherited", "fstat(2)"},
		{&PassDescriptors{From: []int{9}}, "pass 1 as 3", "dup3, fcntl(F_SETFL) × 1"},
		{&PassDescriptors{From: []int{9, 8, 7}}, "pass 3 as 3 to 5", "dup3, fcntl(F_SETFL) × 3"},
	} {
		if got := tt.step.String(); got != tt.line {
			t.Errorf("%T: %q, want %q", tt.step, got, tt.line)
		}
		if got := tt.step.Mechanism(); got != tt.call {
			t.Errorf("%T: %q, want %q", tt.step, got, tt.call)
		}
	}
}
