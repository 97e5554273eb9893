//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// withLibseccomp is hardrun with the second back end: the binary that HARDRUN_LIBSECCOMP names,
// or one that is built here, with glibc, for which distributions have libseccomp. It is
// empty where there is neither.
var withLibseccomp = sync.OnceValues(func() (string, error) {
	out := filepath.Join(base, "hardrun-libseccomp")
	if given := os.Getenv("HARDRUN_LIBSECCOMP"); given != "" {
		data, err := os.ReadFile(given) // a copy: it may lie where another user cannot search
		if err != nil {
			return "", err
		}
		return out, os.WriteFile(out, data, 0o755)
	}
	for _, tool := range []string{"go", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", nil
		}
	}
	if exec.Command("pkg-config", "--exists", "libseccomp").Run() != nil {
		return "", nil
	}
	build := exec.Command("go", "build", "-trimpath", "-tags", "osusergo,netgo,libseccomp", "-o", out, "../cmd/hardrun")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "CC=gcc")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
})

func requireLibseccomp(t *testing.T) string {
	t.Helper()
	path, err := withLibseccomp()
	if err != nil {
		t.Fatal(err)
	}
	if path == "" {
		t.Skip("needs libseccomp-dev, pkg-config and gcc, or HARDRUN_LIBSECCOMP, which names a binary built with them")
	}
	return path
}

// backendActs are filters, and what a call is answered without them and under them,
// whatever made the program.
var backendActs = []struct {
	name    string
	options []string
	acts    []act
}{
	{"an error of a list", opt("--seccomp=~personality getppid:EILSEQ", "--system-call-error-number=EACCES"), []act{
		{"personality 0xffffffff", ok, "EACCES", ""},
		{"getppid", ok, "EILSEQ", ""},
		{"getpid", ok, ok, ""},
		{"mkdir \"DIR/d# 0x1ed", ok, ok, ""},
	}},
	{"a kill", opt("--seccomp=@basic-io @process", "--seccomp=~getppid", "--system-call-error-number=kill"), []act{
		{"getppid", ok, sigsys, ""},
		{"personality 0xffffffff", ok, sigsys, ""},
		{"getpid", ok, ok, ""},
	}},
	{"arguments", opt("--restrict-address-families=AF_INET", "--restrict-suid-sgid", "--lock-personality"), []act{
		{"socket 1 1 0", ok, "EAFNOSUPPORT", ""},
		{"socket 0x100000001 1 0", ok, "EAFNOSUPPORT", ways64},
		{"socket 2 1 0", ok, ok, ""},
		{"socketcall 1 *4:2,1,0", ok, "EAFNOSUPPORT", ways32},
		{"mkdir \"DIR/s# 0x1ed", ok, ok, ""},
		{"mkdir \"DIR/t# 0x5ed", ok, "EPERM", ""},            // 02755
		{"openat -100 \"DIR/o# 0x42 0x9ed", ok, "EPERM", ""}, // O_CREAT, 04755
		{"openat -100 \"DIR/p# 0x42 0x1a4", ok, ok, ""},
		{"personality 8", ok, "EPERM", ""},
	}},
	{"the machine's own calls alone", opt("--system-call-architectures=native"), []act{
		{"getpid", ok, ok, by64},
		{"getpid", ok, sigsys, ways32},
	}},
}

// Both back ends confine in the same way.
func TestFilterBackends(t *testing.T) {
	t.Parallel()
	second := requireLibseccomp(t)
	x8664, i386 := requireVictims(t)
	for _, tt := range backendActs {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t, 0o777)
			for victim, ways := range map[string][]string{x8664: {by64, by32}, i386: {byELF}} {
				if victim == "" {
					continue
				}
				words, list := wayActs(t, tt.acts, ways, dir, i386)
				if len(words) == 0 {
					continue
				}
				for _, start := range []struct {
					name   string
					prefix []string
				}{
					{"without hardrun", nil},
					{"own", slices.Concat([]string{second, "--filter-backend=own"}, tt.options, []string{"--"})},
					{"libseccomp", slices.Concat([]string{second, "--filter-backend=libseccomp"}, tt.options, []string{"--"})},
					{"a build without it", slices.Concat([]string{hardrun}, tt.options, []string{"--"})},
				} {
					for i, got := range chains(t, start.prefix, victim, words) {
						want := list[i].want
						if start.prefix == nil {
							want = list[i].free
						}
						equal(t, start.name+", "+list[i].String(), got, want)
					}
				}
			}
		})
	}
}

// Of the acts which all directives are tried with there is none that the back ends
// answer differently.
func TestFilterBackendsDirectives(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	second := requireLibseccomp(t)
	x8664, i386 := requireVictims(t)
	for _, c := range filterActs {
		if c.outer != nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t, 0o755)
			write(t, dir+"/file", "", 0o644)
			for victim, ways := range map[string][]string{x8664: {by64, by32, byX32}, i386: {byELF}} {
				words, _ := wayActs(t, c.acts, ways, dir, i386)
				if victim == "" || len(words) == 0 {
					continue
				}
				under := func(backend string) []string {
					return chains(t, slices.Concat([]string{second, "--filter-backend=" + backend}, c.options, []string{"--"}), victim, words)
				}
				own, other := under("own"), under("libseccomp")
				for i := range words {
					equal(t, words[i], other[i], own[i])
				}
			}
		})
	}
}

// The plan names the directives whatever the back end is, and which of the two made the
// program: libseccomp's has another length.
func TestFilterBackendPlan(t *testing.T) {
	t.Parallel()
	second := requireLibseccomp(t)
	line := regexp.MustCompile(`(?m)^seccomp +filter of (\d+ instructions(?: of libseccomp's)?): RestrictAddressFamilies=, RestrictSUIDSGID= .*$`)
	length := func(argv ...string) string {
		t.Helper()
		r := runs(t, append(argv, "--restrict-suid-sgid", "--restrict-address-families=AF_UNIX", "--", "/bin/true")...)
		m := line.FindAllStringSubmatch(r.stdout, -1)
		if r.code != 0 || len(m) != 1 {
			t.Fatalf("%q: status %d, stdout %q, stderr %q", r.argv, r.code, r.stdout, r.stderr)
		}
		return m[0][1]
	}
	own := length(hardrun, "plan")
	equal(t, "own, who made it", strings.HasSuffix(own, " instructions"), true)
	equal(t, "own, in a build with libseccomp", length(second, "plan", "--filter-backend=own"), own)
	other, made := strings.CutSuffix(length(second, "plan", "--filter-backend=libseccomp"), " of libseccomp's")
	if !made || other == own {
		t.Errorf("%s and %s: libseccomp was not asked", own, other)
	}
}

// A build without libseccomp refuses to be asked for it: it does not take its own
// program in place of that.
func TestFilterBackendMissing(t *testing.T) {
	t.Parallel()
	refused(t, run(t, "--filter-backend=libseccomp", "--restrict-suid-sgid", "--", probe), 228,
		"X-Hardrun-FilterBackend=: this build has no libseccomp (--filter-backend)")
	refused(t, run(t, "--filter-backend=libseccomp", "--", probe), 228, "this build has no libseccomp") // though there is nothing to compile
	if r := run(t, "--filter-backend=own", "--restrict-suid-sgid", "--", probe); !r.started() {
		t.Errorf("own: status %d, stderr %q", r.code, r.stderr)
	}
}
