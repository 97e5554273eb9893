package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hardrun/hardrun/"

// layers are the packages and what each may import of ours. Every import goes
// down, none sideways.
var layers = map[string][]string{
	"row":         {},
	"nearest":     {},
	"order":       {},
	"caps":        {"nearest", "row"},
	"cgroup":      {"order", "row"},
	"ns":          {"order", "row"},
	"process":     {"nearest", "row"},
	"seccomp":     {"order", "row"},
	"policy":      {"caps", "cgroup", "nearest", "ns", "process", "row", "seccomp"},
	"launcher":    {"caps", "cgroup", "ns", "order", "policy", "process", "row", "seccomp"},
	"condition":   {"nearest"},
	"dirs":        {"order"},
	"exposure":    {"caps", "policy", "seccomp"},
	"inspect":     {"caps", "cgroup", "exposure", "ns", "order", "policy", "process", "seccomp"},
	"unit":        {"nearest", "order", "policy"},
	"supervise":   {"policy", "process"},
	"cmd/hardrun": {"caps", "condition", "dirs", "exposure", "inspect", "launcher", "nearest", "ns", "order", "policy", "process", "row", "seccomp", "supervise", "unit"},
	"doc/man":     {"policy"},
}

// forbidden are packages that the binary must not hold, and why.
var forbidden = map[string]string{
	"net":           "name look-ups and sockets of a library, as root",
	"net/http":      "every hole of it would be reported against hardrun",
	"crypto/tls":    "every hole of it would be reported against hardrun",
	"encoding/xml":  "every hole of it would be reported against hardrun",
	"archive/tar":   "every hole of it would be reported against hardrun",
	"archive/zip":   "every hole of it would be reported against hardrun",
	"plugin":        "code that is not in the binary",
	"os/exec":       "a launch starts nothing but the daemon",
	"os/user":       "it asks NSS: other people's code, as root",
	"text/template": "reflection by name keeps every method in the binary",
	"regexp":        "start-up cost, and nothing here needs it",
	"debug/elf":     "it panics on hostile files, and reads section headers",
	"kernel.org/pub/linux/libs/security/libcap/psx": "it wraps thread creation",
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

func TestLayers(t *testing.T) {
	for _, pkg := range goList(t, "./...") {
		name := strings.TrimPrefix(pkg, module)
		if strings.HasPrefix(name, "integration") {
			continue
		}
		allowed, known := layers[name]
		if !known {
			t.Errorf("%s has no place in the layers", name)
			continue
		}
		for _, goos := range []string{"linux", "netbsd"} {
			cmd := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, pkg)
			cmd.Dir = ".."
			cmd.Env = append(cmd.Environ(), "GOOS="+goos)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("go list %s: %v", pkg, err)
			}
			for _, imp := range strings.Fields(string(out)) {
				if own, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(allowed, own) {
					t.Errorf("%s imports %s on %s, which is not below it", name, own, goos)
				}
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	deps := goList(t, "-deps", "./cmd/hardrun")
	if len(deps) < 20 {
		t.Fatalf("only %d dependencies were listed", len(deps))
	}
	for _, d := range deps {
		if why, bad := forbidden[d]; bad {
			t.Errorf("the binary holds %s: %s", d, why)
		}
	}
}

// C is in one package, and unsafe in few files: what can break memory is read
// with other eyes.
func TestUnsafe(t *testing.T) {
	for _, pkg := range goList(t, "./...") {
		name := strings.TrimPrefix(pkg, module)
		if strings.HasPrefix(name, "integration") {
			continue
		}
		cmd := exec.Command("go", "list", "-f", `{{len .CgoFiles}}`, pkg)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg, err)
		}
		if n := strings.TrimSpace(string(out)); n != "0" && name != "cmd/hardrun" {
			t.Errorf("%s has C in it: a constructor there would run in every test", name)
		}
	}
}
