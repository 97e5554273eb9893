//go:build linux

package integration

import (
	"fmt"
	"strings"
	"testing"
)

const infinity = ^uint64(0)

// The numbers of asm-generic/resource.h.
const (
	rlimitCPU = iota
	rlimitFSIZE
	rlimitDATA
	rlimitSTACK
	rlimitCORE
	rlimitRSS
	rlimitNPROC
	rlimitNOFILE
	rlimitMEMLOCK
	rlimitAS
	rlimitLOCKS
	rlimitSIGPENDING
	rlimitMSGQUEUE
	rlimitNICE
	rlimitRTPRIO
	rlimitRTTIME
)

// Each of the sixteen, by option and by property, one value and two.
func TestLimits(t *testing.T) {
	requireRoot(t)
	before := machine(t).Limits
	for _, x := range []struct {
		words      string
		n          int
		soft, hard uint64
	}{
		{"--limit-cpu=2min", rlimitCPU, 120, 120},
		{"--limit-cpu=30:60", rlimitCPU, 30, 60},
		{"--limit-cpu=1500ms", rlimitCPU, 2, 2}, // whole seconds, rounded up
		{"--limit-fsize=1M", rlimitFSIZE, 1 << 20, 1 << 20},
		{"--limit-data=64M:128M", rlimitDATA, 64 << 20, 128 << 20},
		{"--limit-stack=1M", rlimitSTACK, 1 << 20, 1 << 20},
		{"--limit-core=0", rlimitCORE, 0, 0},
		{"--limit-core=infinity", rlimitCORE, infinity, infinity},
		{"--limit-rss=1G", rlimitRSS, 1 << 30, 1 << 30},
		{"--limit-nproc=100:200", rlimitNPROC, 100, 200},
		{"--limit-nofile=512", rlimitNOFILE, 512, 512},
		{"--limit-memlock=64K", rlimitMEMLOCK, 65536, 65536},
		{"--limit-as=1G", rlimitAS, 1 << 30, 1 << 30},
		{"--limit-locks=7", rlimitLOCKS, 7, 7},
		{"--limit-sigpending=11", rlimitSIGPENDING, 11, 11},
		{"--limit-msgqueue=4K", rlimitMSGQUEUE, 4096, 4096},
		{"--limit-rttime=100ms", rlimitRTTIME, 100000, 100000}, // microseconds
		{"-pLimitNOFILE=33:44", rlimitNOFILE, 33, 44},
		{"--LimitNPROC=55", rlimitNPROC, 55, 55},
	} {
		t.Run(x.words, func(t *testing.T) {
			words := []string{x.words}
			if p, ok := strings.CutPrefix(x.words, "-p"); ok {
				words = []string{"-p", p}
			}
			for _, user := range [][]string{nil, {"--user=nobody"}} {
				s := run(t, append(append(words, user...), "--", probe)...).state(t)
				for n, l := range s.Limits {
					want := before[n]
					if n == x.n {
						want = [2]uint64{x.soft, x.hard}
					}
					if l != want {
						t.Errorf("limit %d: got %v, want %v", n, l, want)
					}
				}
			}
		})
	}
}

// What a limit forbids is forbidden: it reaches the daemon. That the launcher
// itself lives under it does not hang on luck.
func TestLimitsReachTheDaemon(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	file := dir + "/file"
	for _, x := range []struct {
		name  string
		words []string
		act   []string
		errno string
	}{
		{"NPROC=1", []string{"--user=4569:4569", "--limit-nproc=1"}, []string{"fork", "1"}, "EAGAIN"},
		{"AS=64M", []string{"--limit-as=64M"}, []string{"mmap", "100000000"}, "ENOMEM"},
		{"DATA=8M", []string{"--limit-data=8M"}, []string{"mmap-data", "100000000"}, "ENOMEM"},
		{"NOFILE=4", []string{"--limit-nofile=4"}, []string{"open-many", "2"}, "EMFILE"},
	} {
		t.Run(x.name, func(t *testing.T) {
			allowed(t, runs(t, append([]string{probe, "try"}, x.act...)...))
			words := append(append(x.words, "--", probe, "try"), x.act...)
			for range 200 {
				if denied(t, run(t, words...), x.errno); t.Failed() {
					break
				}
			}
		})
	}
	t.Run("FSIZE=0", func(t *testing.T) {
		allowed(t, runs(t, probe, "try", "write-file", file, "1"))
		for range 200 {
			// The kernel's answer is SIGXFSZ, which kills: 128+25.
			if r := run(t, "--limit-fsize=0", "--", probe, "try", "write-file", file, "1"); r.code != 153 {
				t.Fatalf("status %d, want 153 (SIGXFSZ): %q", r.code, r.stderr)
			}
		}
		// Ignored, it is an error of the daemon's; hardrun did not swallow it.
		r := runs(t, with("ignore=25", hardrun, "--limit-fsize=0", "--", probe, "try", "write-file", file, "1")...)
		denied(t, r, "EFBIG")
	})
	t.Run("all at once", func(t *testing.T) {
		words := []string{"--user=4569:4569", "--caps=none", "--no-new-privs", "--limit-nproc=1", "--limit-fsize=0", "--limit-as=64M", "--limit-data=8M", "--limit-nofile=4", "--limit-stack=512K", "--limit-cpu=5", "--limit-core=0", "--limit-memlock=0", "--limit-sigpending=0", "--limit-locks=0"}
		for range 200 {
			s := run(t, append(words, "--", probe)...).state(t)
			want := map[int]uint64{rlimitNPROC: 1, rlimitFSIZE: 0, rlimitAS: 64 << 20, rlimitDATA: 8 << 20, rlimitNOFILE: 4, rlimitSTACK: 512 << 10, rlimitCPU: 5, rlimitCORE: 0, rlimitMEMLOCK: 0, rlimitSIGPENDING: 0, rlimitLOCKS: 0}
			for n, v := range want {
				if s.Limits[n] != [2]uint64{v, v} {
					t.Fatalf("limit %d: got %v, want %d", n, s.Limits[n], v)
				}
			}
		}
	})
}

// The daemon cannot raise again what was lowered for it.
func TestLimitsCannotBeRaised(t *testing.T) {
	requireRoot(t)
	act := []string{probe, "try", "setrlimit", "4", "1000"}
	allowed(t, run(t, append([]string{"--user=nobody", "--limit-core=10:2000", "--"}, act...)...))
	denied(t, run(t, append([]string{"--user=nobody", "--limit-core=10", "--"}, act...)...), "EPERM")
}

// A hard limit is raised before the user changes, where the caller may do that;
// where it may not, the refusal says which capability is missing.
func TestLimitsRaised(t *testing.T) {
	requireRoot(t)
	m := machine(t)
	const sysResource = 24
	may := clear(t, m.Eff, sysResource) != m.Eff
	words := []string{hardrun, "--user=nobody", "--caps=none", "--limit-msgqueue=50:2000", "--", probe}
	r := runs(t, with("rlimit=12:100:1000", words...)...)
	if may {
		if got := r.state(t).Limits[rlimitMSGQUEUE]; got != [2]uint64{50, 2000} {
			t.Errorf("got %v, want [50 2000]", got)
		}
	} else {
		refused(t, r, 205, "LimitMSGQUEUE=", "CAP_SYS_RESOURCE")
	}
	r = runs(t, with("without=24 rlimit=12:100:1000", words...)...)
	refused(t, r, 205, "LimitMSGQUEUE=", "CAP_SYS_RESOURCE", "--waive=LimitMSGQUEUE")
	// To the hard limit everybody may go.
	words[3] = "--limit-msgqueue=1000"
	if got := runs(t, with("without=24 rlimit=12:100:1000", words...)...).state(t).Limits[rlimitMSGQUEUE]; got != [2]uint64{1000, 1000} {
		t.Errorf("got %v, want [1000 1000]", got)
	}
}

// The limits under which hardrun itself is started are the daemon's, whatever
// the Go runtime makes of them for itself.
func TestLimitsInherited(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		n          int
		soft, hard uint64
	}{
		{rlimitNOFILE, 256, 4096},
		{rlimitNOFILE, 128, 128},
		{rlimitNPROC, 500, 5000},
		{rlimitAS, 512 << 20, 1 << 40},
		{rlimitAS, 64 << 20, 1 << 40}, // soft: it is raised while hardrun runs
		{rlimitDATA, 8 << 20, 1 << 40},
		{rlimitFSIZE, 0, infinity},
		{rlimitSTACK, 1 << 20, infinity},
		{rlimitCPU, 100, 1000},
	} {
		t.Run(fmt.Sprint(x.n, x.soft), func(t *testing.T) {
			prepare := fmt.Sprintf("rlimit=%d:%d:%d", x.n, x.soft, x.hard)
			want := runs(t, with(prepare, probe)...).state(t).Limits
			if want[x.n] != [2]uint64{x.soft, x.hard} {
				t.Fatalf("the preparation did not take: %v", want[x.n])
			}
			for _, words := range [][]string{{}, {"--user=nobody", "--caps=none"}, {"--init"}} {
				got := runs(t, with(prepare, append(append([]string{hardrun}, words...), "--", probe)...)...).state(t).Limits
				for n := range got {
					if got[n] != want[n] {
						t.Errorf("%v: limit %d: got %v, want %v", words, n, got[n], want[n])
					}
				}
			}
		})
	}
	// Few descriptors: as without hardrun, or one clear line.
	for _, limit := range []string{"5", "10", "16", "64"} {
		r := runs(t, with("rlimit=7:"+limit+":"+limit, hardrun, "--", probe)...)
		if r.code != 0 {
			refused(t, r, 205, "RLIMIT_NOFILE")
		}
	}
	// Too little for hardrun to live in: one clear line.
	refused(t, runs(t, with("rlimit=9:67108864:67108864", hardrun, "--", probe)...), 205, "RLIMIT_AS", "--limit-as=")
	refused(t, runs(t, with("rlimit=2:8388608:8388608", hardrun, "--", probe)...), 205, "RLIMIT_DATA", "--limit-data=")
	// Another user may have no threads at all.
	for _, limit := range []string{"1", "3"} {
		r := runs(t, with("rlimit=6:"+limit+":"+limit+" gid=4570 uid=4570", hardrun, "--", probe)...)
		refused(t, r, 205, "RLIMIT_NPROC", "--limit-nproc=")
	}
	s := runs(t, with("rlimit=6:3:100 gid=4570 uid=4570", hardrun, "--", probe)...).state(t)
	if s.Limits[rlimitNPROC] != [2]uint64{3, 100} {
		t.Errorf("NPROC: got %v, want [3 100]", s.Limits[rlimitNPROC])
	}
	// Root is not bound by it.
	s = runs(t, with("rlimit=6:3:3", hardrun, "--", probe)...).state(t)
	if s.Limits[rlimitNPROC] != [2]uint64{3, 3} {
		t.Errorf("NPROC: got %v, want [3 3]", s.Limits[rlimitNPROC])
	}
}
