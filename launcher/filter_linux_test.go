package launcher

import (
	"runtime"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

func TestEarlier(t *testing.T) {
	for _, tt := range []struct {
		release string
		want    bool
		broken  bool
	}{
		{"4.7.10", true, false},
		{"4.8.0", false, false},
		{"4.8", false, false},
		{"4.19.0-27-amd64", false, false},
		{"3.10.0-1160.el7.x86_64", true, false},
		{"3.19", true, false},
		{"5.0-rc1", false, false},
		{"10.1", false, false},
		{"", false, true},
		{"6", false, true},
		{"4.x", false, true},
		{"v4.8", false, true},
	} {
		got, err := earlier(tt.release, 4, 8)
		if got != tt.want || (err != nil) != tt.broken {
			t.Errorf("%q: %v, %v, want %v", tt.release, got, err, tt.want)
		}
	}
}

// What is known of filters is read where a directive needs one.
func TestReadFilter(t *testing.T) {
	const allow, from = "\x06\x00\x00\x00\x00\x00\xff\x7f", " (x.service:3)"
	dir := tree{"allow=0644": allow, "short=0644": allow[:7], "empty=0644": ""}.make(t)
	for _, tt := range []struct{ set, problems string }{
		{"X-Hardrun-SeccompBPF=@/allow", ""},
		{"X-Hardrun-SeccompBPF=@/short", "X-Hardrun-SeccompBPF=: @/short: 7 bytes are no array of eight-byte instructions" + from},
		{"X-Hardrun-SeccompBPF=@/empty", "X-Hardrun-SeccompBPF=: @/empty: an empty program" + from},
		{"X-Hardrun-SeccompBPF=@/none", "X-Hardrun-SeccompBPF=: open @/none: no such file or directory" + from},
		{"User=x", ""},
	} {
		e := &Env{GOARCH: runtime.GOARCH}
		e.readFilter(policyOf(t, strings.ReplaceAll(tt.set, "@", dir)))
		if got := strings.ReplaceAll(strings.Join(problems(e), "; "), dir, "@"); got != tt.problems {
			t.Errorf("%s: %q, want %q", tt.set, got, tt.problems)
		}
		good := strings.HasSuffix(tt.set, "/allow")
		if (len(e.Filter) == 1) != good || good && (e.Arch == 0 || e.Execve == 0) || e.Killable || e.MDWE || e.OldFilters || e.Personality != 0 {
			t.Errorf("%s: %+v", tt.set, e)
		}
	}
}

// Whether calls that are asked about can be killed meanwhile, and whether there are filters at all, is the
// kernel's answer.
func TestFiltersOfKernel(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{unix.EFAULT: true, unix.EINVAL: false, 0: false} {
		answering(t, unix.SYS_SECCOMP, errno, func() {
			for set, asked := range map[string]bool{"X-Hardrun-ExplainDenials=yes": true, "X-Hardrun-ExplainDenials=no": false} {
				e := &Env{}
				if e.readFilter(policyOf(t, set)); e.Killable != (want && asked) {
					t.Errorf("%v, %s: %v", errno, set, e.Killable)
				}
			}
		})
	}
	const from = " (x.service:3)"
	for errno, want := range map[unix.Errno]string{
		unix.EFAULT: "",
		unix.EINVAL: "SystemCallFilter=: no filter can be loaded: seccomp: invalid argument" + from,
		0:           "SystemCallFilter=: no filter can be loaded: seccomp(2) took a program that is nowhere" + from,
	} {
		answering(t, unix.SYS_SECCOMP, errno, func() {
			e := &Env{}
			if e.readFilter(policyOf(t, "SystemCallFilter=~@mount")); strings.Join(problems(e), "; ") != want || want != "" && !e.Problems[0].Waivable {
				t.Errorf("%v: %q, want %q", errno, problems(e), want)
			}
		})
	}
	// A kernel that calls itself 2.6 looks at a call too early.
	const uname26 = 0x0020000
	for personality, want := range map[uintptr]bool{0: false, uname26: true} {
		err := testrow.OnThread(func() error {
			if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, personality, 0, 0); errno != 0 {
				return errno
			}
			for set, asked := range map[string]bool{"SystemCallFilter=~@mount": true, "User=x": false} {
				e := &Env{}
				if e.readFilter(policyOf(t, set)); e.OldFilters != (want && asked) || len(e.Problems) > 0 {
					t.Errorf("%s: personality %#x: %v, %q", set, personality, e.OldFilters, problems(e))
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for errno, want := range map[unix.Errno]bool{unix.EINVAL: false, unix.EPERM: true, 0: true} {
		answering(t, unix.SYS_PRCTL, errno, func() {
			for set, asked := range map[string]bool{"MemoryDenyWriteExecute=yes": true, "MemoryDenyWriteExecute=no": false} {
				e := &Env{}
				if e.readFilter(policyOf(t, set)); e.MDWE != (want && asked) {
					t.Errorf("%v, %s: %v", errno, set, e.MDWE)
				}
			}
		})
	}
}

// LockPersonality= locks what Personality= sets, or what there is.
func TestReadPersonality(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs amd64: its names")
	}
	const linux32 = 8
	for _, tt := range []struct {
		set  string
		now  uintptr
		want uint32
	}{
		{"LockPersonality=yes", 0, 0},
		{"LockPersonality=yes", linux32, linux32},
		{"LockPersonality=no", linux32, 0},
		{"LockPersonality=yes|Personality=x86", 0, linux32},
		{"LockPersonality=yes|Personality=x86-64", linux32, 0},
	} {
		err := testrow.OnThread(func() error {
			if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, tt.now, 0, 0); errno != 0 {
				return errno
			}
			e := &Env{GOARCH: "amd64"}
			if e.readFilter(policyOf(t, strings.Split(tt.set, "|")...)); e.Personality != tt.want || len(e.Problems) > 0 {
				t.Errorf("%s: %d, want %d; %q", tt.set, e.Personality, tt.want, problems(e))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// What is of no use on a machine is refused by its own name.
	e := &Env{GOARCH: "arm64", Personality: 5}
	if e.readFilter(policyOf(t, "LockPersonality=yes", "Personality=x86")); e.Personality != 0 {
		t.Errorf("of another machine: %d", e.Personality)
	}
	answering(t, unix.SYS_PERSONALITY, unix.EIO, func() {
		e := &Env{}
		e.readFilter(policyOf(t, "LockPersonality=yes"))
		if len(e.Problems) == 0 || e.Problems[0].Error() != "LockPersonality=: personality: input/output error (x.service:3)" || !e.Problems[0].Waivable {
			t.Errorf("%q", problems(e))
		}
	})
}
