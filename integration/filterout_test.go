//go:build linux

package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
)

// What plan writes is the program of the plan, for whoever loads it: bubblewrap, and
// hardrun itself.
func TestFilterOut(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	dir := directory(t, 0o755)
	file := dir + "/filter.bpf"
	options := []string{"--system-call-filter=~acct:ENOTTY", "--restrict-namespaces"}
	r := run(t, slices.Concat([]string{"plan", "--filter-out=" + file}, options, []string{"--", "/bin/true"})...)
	if r.code != 0 || !strings.Contains(r.stdout, "SystemCallFilter=") {
		t.Fatalf("status %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	piped := run(t, slices.Concat([]string{"plan", "--filter-out=-"}, options, []string{"--", "/bin/true"})...)
	equal(t, "on standard output", piped.stdout, read(t, file))
	if _, err := seccomp.Parse([]byte(piped.stdout)); err != nil {
		t.Fatal(err)
	}
	act := []string{"perl", "-e", `syscall(163, 0); $x = $!; syscall(272, 0x4000000); print "$x, $!"`}
	const want = "Inappropriate ioctl for device, Operation not permitted"
	equal(t, "without it", runs(t, with("", act...)...).stdout == want, false)
	equal(t, "by --seccomp-bpf", run(t, slices.Concat([]string{"--seccomp-bpf=" + file, "--"}, act)...).stdout, want)
	bwrap := requireProgram(t, "bwrap", "bubblewrap")
	script := "exec " + bwrap + ` --bind / / --dev-bind /dev /dev --seccomp 9 "$@" 9<` + file
	equal(t, "by bubblewrap", runs(t, slices.Concat([]string{"sh", "-c", script, "sh"}, act)...).stdout, want)
	equal(t, "by hardrun's own", run(t, slices.Concat(options, []string{"--"}, act)...).stdout, want)

	for _, tt := range []struct {
		words []string
		code  int
		says  string
	}{
		{[]string{"plan", "--filter-out=" + file, "--", "/bin/true"}, 1, "no directive needs a filter"},
		{[]string{"plan", "--filter-out=" + dir + "/none/f", "--restrict-realtime", "--", "/bin/true"}, 1, "no such file"},
		{[]string{"plan", "--filter-out=/dev/full", "--restrict-realtime", "--", "/bin/true"}, 1, "no space left"},
		{[]string{"--filter-out=" + file, "--restrict-realtime", "--", "/bin/true"}, 64, "only plan writes"},
		{[]string{"plan", "--filter-out=", "--restrict-realtime", "--", "/bin/true"}, 64, "empty value"},
	} {
		r := run(t, tt.words...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.says) || r.stdout != "" {
			t.Errorf("%q: status %d, %q, %q, want %d and %q", tt.words, r.code, r.stdout, r.stderr, tt.code, tt.says)
		}
	}
	// A link that somebody put there is not followed.
	if err := os.Symlink(dir+"/elsewhere", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "plan", "--filter-out="+dir+"/link", "--restrict-realtime", "--", "/bin/true"); r.code != 1 || exists(dir+"/elsewhere") {
		t.Errorf("through a link: status %d, %q", r.code, r.stderr)
	}
}

// The verdicts that plan prints are those of the program that it writes.
func TestPlanFilter(t *testing.T) {
	t.Parallel()
	options := []string{
		"--system-call-filter=@system-service", "--system-call-filter=~@resources:EACCES bpf uname:log", "--restrict-address-families=AF_UNIX",
		"--restrict-namespaces=net", "--restrict-suidsgid", "--protect-clock", "--", "/bin/true",
	}
	prog, err := seccomp.Parse([]byte(run(t, append([]string{"plan", "--filter-out=-"}, options...)...).stdout))
	if err != nil {
		t.Fatal(err)
	}
	var plan struct {
		Filter struct {
			Instructions  int
			Architectures []struct {
				Name      string
				AuditArch uint32 `json:"audit_arch"`
				Unknown   string
				Calls     []struct {
					Name    string
					Number  uint32
					Verdict string
					By      string
					Rules   []struct{ Verdict, By string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(run(t, append([]string{"plan", "--filter", "--json"}, options...)...).stdout), &plan); err != nil {
		t.Fatal(err)
	}
	equal(t, "instructions", plan.Filter.Instructions, len(prog))
	n := 0
	for _, a := range plan.Filter.Architectures {
		for _, c := range a.Calls {
			n++
			if len(c.Rules) > 0 {
				continue // the arguments decide
			}
			got, err := prog.Eval(seccomp.Data{NR: c.Number, Arch: a.AuditArch})
			if err != nil || got.String() != c.Verdict {
				t.Errorf("%s %s: the program says %s (%v), the plan %s", a.Name, c.Name, got, err, c.Verdict)
			}
		}
	}
	if n < 600 {
		t.Errorf("only %d calls", n)
	}
	text := run(t, append([]string{"plan", "--filter"}, options...)...).stdout
	for _, want := range []string{
		"\nx86-64\n", "\nx86\n",
		"  setpriority               141         errno EACCES      SystemCallFilter= --system-call-filter\n",
		"  uname                     63          log               SystemCallFilter= --system-call-filter\n",
		"  reboot                    169         kill process      SystemCallFilter= --system-call-filter\n",
		"  socket                    41          errno EAFNOSUPPORT if arg0 != 1  RestrictAddressFamilies= --restrict-address-families\n",
		"  settimeofday              164         kill process      SystemCallFilter= --system-call-filter\n",
		"\nprogram: ", " instructions\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q", want)
		}
	}
	if r := run(t, "plan", "--filter", "--", "/bin/true"); !strings.Contains(r.stdout, "no filter: no directive needs one") {
		t.Errorf("without a filter: %q", r.stdout)
	}
}
