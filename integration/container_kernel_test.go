//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A kernel before Linux 5.12 has no mount_setattr(2): a filter that answers ENOSYS to
// it makes one. All that can be reached then has the attributes that it has with the
// call.
func TestWithoutMountSetattr(t *testing.T) {
	requireRoot(t)
	f := newPlaceFiles(t)
	p := onMachine("machine", machineSetup{before: `mount -t tmpfs -o nodev,noatime m "$R/mnt"; mkdir "$R/mnt/below"; mount -t tmpfs -o nosuid m "$R/mnt/below"; touch "$R/mnt/below/file"; mount --bind "$D/prog" "$R/opt"`}, nil)
	mkdir(t, f.root+"/opt")
	old := []string{"/srv/hardrun", "--seccomp-bpf=/srv/nosetattr.bpf", "--"}
	sets := []string{
		"--protect-system=strict --protect-home --private-tmp --private-devices --protect-kernel-tunables --protect-kernel-modules --protect-kernel-logs --protect-control-groups --protect-hostname --private-network --private-ipc --protect-proc=invisible --no-new-privs --read-only-paths=/mnt --inaccessible-paths=/srv/hidden --no-exec-paths=/srv --exec-paths=/srv/prog --exec-paths=/srv/probe --bind=/srv/data:/var --ro-bind=/srv/prog:/media --tmpfs=/run:noexec",
		"--protect-system=strict --read-write-paths=/mnt/below",
		"--protect-system=full --protect-home=read-only --private-mounts",
		"--no-exec-paths=/ --exec-paths=/srv /usr --no-new-privs",
		"--read-only-paths=/mnt --read-only-paths=/opt --read-write-paths=/mnt/below",
		"--no-exec-paths=/mnt /opt --mount-flags=private",
		"--protect-home=tmpfs --tmpfs=/mnt/below:ro,noexec --no-new-privs --mount-flags=slave",
		"--private-devices --protect-kernel-tunables --protect-control-groups=strict",
		"--private-pids --proc-subset=pid --read-only-paths=/",
		"--minimal-root --bind=/srv/data --tmpfs=/var:noexec --no-new-privs",
		"--minimal-root --private-devices --ro-bind=/mnt --no-exec-paths=/mnt",
		"--root-directory=/srv/root",
		"--root-directory=/srv/root --no-new-privs --read-only-paths=+/ --private-tmp --ro-bind=/mnt:/tmp",
		"--chroot=/srv/root --protect-system=strict --private-devices",
	}
	command := func(options string) string {
		if strings.Contains(options, "/srv/root") {
			return "/probe"
		}
		return "/srv/probe"
	}
	// A first visit lists the mounts, a second one asks for each of them.
	ask := func(of [][]string) []result {
		t.Helper()
		var list []visited
		for i, options := range sets {
			command, options := command(options), splitOptions(options)
			list = append(list,
				visited{slices.Concat(hardrunWords, options, []string{"--", command, "ask"}), lines(of[i])},
				visited{slices.Concat(old, hardrunWords, options, []string{"--", command, "ask"}), lines(of[i])})
		}
		return p.visit(t, f, append(list, visited{slices.Concat(old, hardrunWords, []string{"plan", "--read-only-paths=/mnt", "--", "/srv/probe"}), ""}))
	}
	first := slices.Repeat([][]string{{"read /proc/self/mountinfo"}}, len(sets))
	results := ask(first)
	if plan := results[2*len(sets)]; !strings.Contains(plan.stdout, "mount_setattr") {
		t.Errorf("plan does not say that the call is missing: %q %q", plan.stdout, plan.stderr)
	}
	second := make([][]string, len(sets))
	for i := range sets {
		points := []string{"/", "/usr", "/home", "/root", "/tmp", "/var/tmp", "/var", "/dev", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/etc", "/run", "/mnt", "/mnt/below", "/opt", "/media", "/srv", "/srv/data", "/srv/hidden", "/srv/prog", "/srv/probe"}
		for _, r := range results[2*i : 2*i+2] {
			if r.code != 0 {
				t.Fatalf("%s: status %d, %q", sets[i], r.code, r.stderr)
			}
			for l := range strings.Lines(decode[answer](t, r.stdout).Act) {
				if fields := strings.Fields(l); len(fields) > 5 && !slices.Contains(points, fields[4]) {
					points = append(points, fields[4])
				}
			}
		}
		for _, at := range points {
			second[i] = append(second[i], "mount-flags "+at, "statfs "+at, "stat "+at)
		}
		second[i] = append(second[i], "list /", "list /dev", "list /mnt", "open /mnt/below/file w", "run /srv/prog/probe exit 0", "run /srv/probe exit 0", "run /opt/probe exit 0", "open /srv/data/file w")
	}
	results = ask(second)
	bare := p.visit(t, f, []visited{{[]string{"/srv/probe", "ask"}, lines(second[0])}})[0]
	for i, options := range sets {
		with, without := results[2*i], results[2*i+1]
		if with.code != 0 || without.code != 0 {
			t.Errorf("%s: status %d %q, without the call %d %q", options, with.code, with.stderr, without.code, without.stderr)
			continue
		}
		a, b := answersOf(with, len(second[i])), answersOf(without, len(second[i]))
		for k, act := range second[i] {
			if said := fmt.Sprintf("%d %s %s", b[k].Value, b[k].Errno, b[k].Act); said != fmt.Sprintf("%d %s %s", a[k].Value, a[k].Errno, a[k].Act) {
				t.Errorf("%s: %s: answered %s without the call, want %v", options, act, said, a[k])
			}
		}
		if i == 0 && with.stdout == bare.stdout {
			t.Error("all is the same without any option")
		}
	}
}

// splitOptions parts a line at each "--".
func splitOptions(options string) []string {
	var words []string
	for _, w := range strings.Split(options, " --") {
		words = append(words, "--"+strings.TrimPrefix(w, "--"))
	}
	return words
}

// Where nothing can be made, a mount needs a place that is there.
func TestMountPointOnReadOnlyRoot(t *testing.T) {
	requireRoot(t)
	f := newPlaceFiles(t)
	p := onMachine("read-only root", machineSetup{before: `mount -o remount,bind,ro "$R"`}, nil)
	var list []visited
	cases := []struct{ options, name string }{
		{"--bind=/srv/data:/new", "BindPaths="},
		{"--ro-bind=/srv/data:/home/new/one", "BindReadOnlyPaths="},
		{"--tmpfs=/new", "TemporaryFileSystem="},
	}
	for _, c := range cases {
		list = append(list,
			visited{slices.Concat(hardrunWords, splitOptions(c.options), []string{"--", "/srv/probe"}), ""},
			visited{slices.Concat(hardrunWords, []string{strings.Replace(c.options, "/new", "/mnt", 1)}, []string{"--", "/srv/probe"}), ""})
	}
	for i, r := range p.visit(t, f, list) {
		c := cases[i/2]
		switch {
		case i%2 == 0:
			refused(t, r, noNamespace, c.name, "/new", "read-only file system")
		case !strings.Contains(c.options, "/home") && r.code != 0:
			t.Errorf("%q: status %d, %q", r.argv, r.code, r.stderr)
		}
	}
}

// In the user namespace of a user there are this user and this group, and the
// process is the one that was started.
func TestUserNamespaceIdentity(t *testing.T) {
	requireRoot(t)
	f := newPlaceFiles(t)
	p := onMachine("machine", machineSetup{}, nil).ofUser(nil)
	cases := []struct {
		options, name string
		status        int
	}{
		{"--protect-system --user=33:33", "User=", noGroup}, // its groups come first
		{"--private-users --user=33:33", "User=", noGroup},
		{"--private-network --group=33", "Group=", noGroup},
		{"--private-tmp --supplementary-groups=44", "SupplementaryGroups=", noGroup},
		{"--protect-proc=invisible", "ProtectProc=", noNamespace},
		{"--proc-subset=pid", "ProcSubset=", noNamespace},
	}
	var list []visited
	for _, c := range cases {
		list = append(list, visited{slices.Concat(hardrunWords, splitOptions(c.options), []string{"--", "/srv/probe"}), ""})
	}
	same := []string{"--protect-system=strict", "--private-users", "--private-network", "--private-devices --user=65534:65534", "--minimal-root"}
	for _, options := range same {
		argv := slices.Concat([]string{"/bin/sh", "-c", `echo $$; exec "$@"`, "sh"}, hardrunWords, splitOptions(options), []string{"--", "/bin/sh", "-c", "echo $$; echo $PPID"})
		list = append(list, visited{argv, ""})
	}
	for i, r := range p.visit(t, f, list) {
		if i < len(cases) {
			c := cases[i]
			if r.code != c.status || r.started() || !strings.Contains(r.stderr, "hardrun: "+c.name) {
				t.Errorf("%s: status %d, stdout %.100q, stderr %q; want %d and %s", c.options, r.code, r.stdout, r.stderr, c.status, c.name)
			}
			continue
		}
		pids := strings.Fields(r.stdout)
		if r.code != 0 || len(pids) != 3 || pids[0] != pids[1] {
			t.Errorf("%s: status %d, %q %q: want the same PID", same[i-len(cases)], r.code, r.stdout, r.stderr)
		}
	}
}
