package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

func filters(pl *Plan) []string {
	var list []string
	for _, e := range pl.Entries {
		if e.Stage == StageSeccomp {
			list = append(list, e.Step.String()+" | "+e.Directive+" "+e.Origin.String())
		}
	}
	return list
}

// A filter speaks in the name of the directive that was written first, and of a
// waived one only where all are: its step is given up by that one's waiver.
func TestFilterSpokesman(t *testing.T) {
	set := func(line int, setting string, p *policy.Policy) {
		name, value, _ := strings.Cut(setting, "=")
		if err := p.Set(name, value, policy.Origin{File: "x.service", Line: line}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		waive, want string
	}{
		{"", "ProtectKernelLogs= x.service:2"},
		{"ProtectKernelLogs", "PrivateDevices= x.service:5"},
		{"ProtectKernelLogs,PrivateDevices", "ProtectClock= x.service:9"},
		{"ProtectKernelLogs,PrivateDevices,ProtectClock", "ProtectKernelLogs= x.service:2"},
	} {
		p := &policy.Policy{}
		set(9, "ProtectClock=yes", p)
		set(2, "ProtectKernelLogs=yes", p)
		set(5, "PrivateDevices=yes", p)
		set(1, "ProtectKernelModules=no", p)
		if tt.waive != "" {
			set(11, "X-Hardrun-Waive="+tt.waive, p)
		}
		got := filters(Compile(p, aRoot()))
		if len(got) != 1 || !strings.HasSuffix(got[0], "instructions: ProtectKernelLogs=, ProtectClock=, PrivateDevices= | "+tt.want) {
			t.Errorf("waived %q: %q, want %s", tt.waive, got, tt.want)
		}
	}
}

// On a machine whose calls are not known each directive is refused by its name;
// the waiver of one is none for the other, and no filter is made of what is left.
func TestFilterUnknownMachine(t *testing.T) {
	env := aRoot()
	env.GOARCH = "mips64"
	pl := Compile(aPolicy(t, "ProtectClock=yes", "PrivateDevices=yes", "X-Hardrun-Waive=ProtectClock"), env)
	if len(pl.Refused) != 1 || pl.Refused[0].Directive != "PrivateDevices=" || pl.Refused[0].Exit != 228 ||
		len(pl.Waived) != 1 || pl.Waived[0].Directive != "ProtectClock=" {
		t.Errorf("refused %v, waived %v", pl.Refused, pl.Waived)
	}
	if got := filters(pl); len(got) != 0 {
		t.Errorf("filters %q", got)
	}
}

// hardrun's own filter is loaded before the user's, which may forbid the loading.
func TestFilterOrder(t *testing.T) {
	env := aRoot()
	env.Arch, env.Execve, env.Filter = seccomp.ArchX86_64, 59, seccomp.Program{{Code: 6, K: uint32(seccomp.Allow)}}
	got := filters(Compile(aPolicy(t, "X-Hardrun-SeccompBPF=/f", "ProtectHostname=yes"), env))
	if len(got) != 2 || !strings.Contains(got[0], "ProtectHostname=") || !strings.Contains(got[1], "from /f") {
		t.Errorf("got %q", got)
	}
	if got := filters(Compile(aPolicy(t, "ProtectHostname=private", "ProtectClock=no"), env)); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "Protect") }) {
		t.Errorf("got %q: neither takes a call away", got)
	}
}
