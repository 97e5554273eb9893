//go:build linux

package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// everything is a set that asks for all of the view and the namespaces.
var everything = []string{
	"--protect-system=strict", "--protect-home=tmpfs", "--private-tmp", "--private-devices", "--protect-kernel-tunables",
	"--protect-kernel-modules", "--protect-kernel-logs", "--protect-control-groups=strict", "--protect-proc=invisible", "--proc-subset=pid",
	"--private-bpf", "--private-network", "--private-ipc", "--protect-hostname=private:inside", "--mount-flags=slave",
	"--read-only-paths=/var", "--read-write-paths=/var/lib", "--inaccessible-paths=/mnt", "--no-exec-paths=/var", "--exec-paths=/var/lib",
	"--bind-paths=/etc:/opt", "--bind-read-only-paths=/etc:/srv", "--temporary-file-system=/media",
}

// directivesOf are the names that the plan must have.
var directivesOf = []string{
	"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
	"ProtectControlGroups", "ProtectProc", "PrivateBPF", "PrivateNetwork", "PrivateIPC", "ProtectHostname", "MountFlags",
	"ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "NoExecPaths", "ExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem",
}

// The plan of a full set names each directive, with the call behind it, as text
// and as JSON; and the set starts.
func TestViewPlan(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	text := run(t, append(append([]string{"plan"}, everything...), "--", "/bin/true")...)
	equal(t, "status", text.code, 0)
	var p planned
	js := run(t, append(append([]string{"plan", "--json"}, everything...), "--", "/bin/true")...)
	equal(t, "status", js.code, 0)
	if err := json.Unmarshal([]byte(js.stdout), &p); err != nil {
		t.Fatal(err)
	}
	for _, d := range directivesOf {
		if !strings.Contains(text.stdout, d+"=") {
			t.Errorf("plan does not name %s=: %s", d, text.stdout)
		}
		found := false
		for _, s := range p.Steps {
			if !slices.Contains(strings.Fields(s.Directive), d+"=") {
				continue
			}
			found = true
			if s.Step == "" || s.Stage == "" || s.Origin == "" {
				t.Errorf("%s: %+v", d, s)
			}
		}
		if !found {
			t.Errorf("plan --json has no step of %s", d)
		}
	}
	for _, s := range p.Steps {
		if (s.Stage == "mounts" || s.Stage == "namespaces") && s.Mechanism == "" {
			t.Errorf("a step without its call: %+v", s)
		}
	}
	// The stages are in their order.
	var stages []string
	for _, s := range p.Steps {
		if !slices.Contains(stages, s.Stage) {
			stages = append(stages, s.Stage)
		}
	}
	if i, j := slices.Index(stages, "namespaces"), slices.Index(stages, "mounts"); i < 0 || j < i || slices.Index(stages, "exec") != len(stages)-1 {
		t.Errorf("stages: %q", stages)
	}
	// A user without privilege sees the same plan.
	user := runs(t, with("uid=65534", append(append([]string{hardrun, "plan", "--json"}, everything...), "--", "/bin/true")...)...)
	equal(t, "the plan for a user", user.stdout, js.stdout)

	a := inside(t, append(slices.Clone(everything), "--exec-paths="+probe, "--ro-bind="+probe),
		"read /etc/passwd", "access /etc w", "access /var w", "access /var/lib w", "list /mnt", "list /media", "read /opt/passwd", "open /opt/passwd w", "open /srv/passwd w",
		"interfaces", "hostname", "list /home", "stat /proc/uptime", "mount-flags /var/lib", "mount-flags /var")
	for i, want := range []string{"", "EROFS", "EROFS", "", "", "", "", "", "EROFS", "", "", "", "ENOENT"} {
		equal(t, "act "+itoa(i), a[i].Errno, want)
	}
	// Nothing of what the view was made with is left open.
	state := run(t, append(append(slices.Clone(everything), "--exec-paths="+probe, "--ro-bind="+probe), "--", probe)...).state(t)
	equals(t, "open", state.openFDs(), []int{0, 1, 2})
	equal(t, "interfaces", a[9].Act, "lo")
	equal(t, "host name", a[10].Act, "inside")
	equal(t, "home", a[11].Act, "")
	equal(t, "/var/lib", a[13].Value&9, 0)
	equal(t, "/var", a[14].Value&9, 9)
}

// Each of them is refused where it cannot be had, by its name, before anything was
// done; what may be waived is, and nothing else.
func TestViewWithoutPrivilege(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	lacking := func(words ...string) result {
		t.Helper()
		return runs(t, with("without=21", append([]string{hardrun}, words...)...)...)
	}
	for _, x := range []struct {
		directive, option string
		waivable          bool
	}{
		{"ProtectSystem", "--protect-system=strict", true},
		{"ProtectHome", "--protect-home", true},
		{"PrivateDevices", "--private-devices", true},
		{"ProtectKernelTunables", "--protect-kernel-tunables", true},
		{"ProtectKernelModules", "--protect-kernel-modules", true},
		{"ProtectKernelLogs", "--protect-kernel-logs", true},
		{"ProtectControlGroups", "--protect-control-groups", true},
		{"ProtectProc", "--protect-proc=invisible", true},
		{"ProcSubset", "--proc-subset=pid", true},
		{"PrivateBPF", "--private-bpf", true},
		{"PrivateNetwork", "--private-network", true},
		{"PrivateIPC", "--private-ipc", true},
		{"ProtectHostname", "--protect-hostname", true},
		{"PrivateMounts", "--private-mounts", true},
		{"ReadOnlyPaths", "--read-only-paths=/usr", true},
		{"InaccessiblePaths", "--inaccessible-paths=/mnt", true},
		{"NoExecPaths", "--no-exec-paths=/mnt", true},
		{"PrivateTmp", "--private-tmp", false},
		{"BindPaths", "--bind=/etc:/mnt", false},
		{"TemporaryFileSystem", "--tmpfs=/mnt", false},
		{"MountFlags", "--mount-flags=slave", false},
	} {
		r := lacking(x.option, "--", probe, "try", "stat", "/")
		refused(t, r, 226, x.directive+"=", "CAP_SYS_ADMIN")
		r = lacking(x.option, "--waive="+x.directive, "--", probe, "try", "stat", "/")
		if !x.waivable {
			if r.started() {
				t.Errorf("%s was waived", x.directive)
			}
			continue
		}
		if r.code != 0 || !r.started() || !strings.Contains(r.stderr, "waived") || !strings.Contains(r.stderr, x.directive+"=") {
			t.Errorf("%s: not waived, or not said: status %d, %q", x.directive, r.code, r.stderr)
		}
		r = lacking(x.option, "--waive="+x.directive, "--strict", "--", probe, "try", "stat", "/")
		refused(t, r, 226, x.directive+"=")
		// One is waived, the other is not.
		other := "--inaccessible-paths=/etc"
		if x.directive == "InaccessiblePaths" {
			other = "--protect-home"
		}
		r = lacking(x.option, other, "--waive="+x.directive, "--", probe, "try", "stat", "/")
		if r.started() || r.code != 226 {
			t.Errorf("%s waived, and with it %s: status %d, %q", x.directive, other, r.code, r.stderr)
		}
	}
	// With the capability a waiver changes nothing.
	r := run(t, "--protect-system=strict", "--waive=ProtectSystem", "--", probe, "try", "access", "/usr", "w")
	denied(t, r, "EROFS")
	equal(t, "stderr", r.stderr, "")
}

// Where the capability is there and the kernel (or a filter of outside) still says
// no, the waiver holds for what it names, and only for that.
func TestViewDenied(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	strace := requireProgram(t, "strace", "strace")
	denying := func(call string, words ...string) result {
		t.Helper()
		line := []string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace=" + call, "-e", "inject=" + call + ":error=EPERM", "--", hardrun}
		return runs(t, append(append(line, words...), "--", probe, "try", "access", "/usr", "w")...)
	}
	for _, call := range []string{"unshare", "open_tree", "move_mount", "mount_setattr", "fsopen", "fsmount", "mount"} {
		r := denying(call, "--protect-system=strict", "--private-devices", "--inaccessible-paths=/mnt")
		refused(t, r, 226, "operation not permitted")
		r = denying(call, "--protect-system=strict", "--private-devices", "--inaccessible-paths=/mnt", "--waive=ProtectSystem")
		if r.started() {
			t.Errorf("%s denied, ProtectSystem= waived: the others are not: %q", call, r.stderr)
		}
	}
	r := denying("unshare", "--protect-system=strict", "--waive=ProtectSystem")
	equal(t, "waived", allowed(t, r).Errno, "")
	if !strings.Contains(r.stderr, "waived") {
		t.Errorf("not said: %q", r.stderr)
	}
	refused(t, denying("unshare", "--protect-system=strict", "--waive=ProtectSystem", "--strict"), 226)
}
