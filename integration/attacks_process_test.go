//go:build linux

package integration

import (
	"slices"
	"testing"
)

// peeked is what attack_peek says: how often it tried, and how often each way
// into the process was open.
type peeked struct {
	Starts                                       int
	EndedBadly                                   int `json:"ended_badly"`
	Rounds, Tries                                int
	FD, Mem, Root, Cwd, Exe, NS, Environ, PTrace int
}

func (p *peeked) open() int {
	return p.FD + p.Mem + p.Root + p.Cwd + p.Exe + p.NS + p.Environ + p.PTrace
}

// peek starts a command many times, while another process with the uid of the
// daemon tries to get hold of it. The command's file is such that nobody may look
// into the daemon itself: what is open is the launcher.
func peek(t *testing.T, starts, span int, world []string, command ...string) *peeked {
	t.Helper()
	argv := slices.Concat([]string{attackProgram(t, "peek"), itoa(attackerID), itoa(starts), itoa(span)}, world, []string{"--"}, command)
	r := runs(t, argv...)
	if r.code != 0 {
		t.Fatalf("%q: status %d, %q", argv, r.code, r.stderr)
	}
	p := decode[peeked](t, r.stdout)
	if p.Rounds != starts || p.Tries < 5*starts {
		t.Fatalf("%q: the attacker was too slow: %+v", argv, *p)
	}
	return p
}

// closed holds that no way was open, and that every daemon ran.
func closed(t *testing.T, starts, span int, world []string, command ...string) {
	t.Helper()
	for range *attacks {
		p := peek(t, starts, span, world, command...)
		if p.open() != 0 || p.EndedBadly != 0 {
			t.Errorf("%q: %+v", command, *p)
		}
	}
}

// unreadable is a daemon that its own user can execute and not read: the kernel
// lets nobody of that user look into it, execve(2).
func unreadable(t *testing.T, root string) string {
	t.Helper()
	copied(t, attackProgram(t, "cat"), root+"/daemon", 0o711)
	return root
}

// viewOptions are a full view of the file system, and every namespace that root
// gives without a second start.
func viewOptions(root string) []string {
	return []string{
		"--chroot=" + root, "--mount-apivfs", "--private-tmp", "--private-devices", "--private-network", "--private-ipc", "--protect-system=strict",
		"--protect-home", "--protect-kernel-tunables", "--protect-kernel-modules", "--protect-kernel-logs", "--protect-control-groups", "--protect-hostname",
		"--protect-proc=invisible", "--bind-paths=/usr:/data/usr", "--inaccessible-paths=+/hidden", "--temporary-file-system=/scratch",
	}
}

// From the change of uid to the execve, another process of that uid gets hold of
// nothing: no descriptor, memory, root or working directory of hardrun, and it
// cannot trace it (CVE-2016-9962).
func TestA36LauncherOfTheSameUser(t *testing.T) {
	requireRoot(t)
	setpriv := requireProgram(t, "setpriv", "util-linux")
	dir := unreadable(t, directory(t, 0o755))
	daemon := dir + "/daemon"
	id := itoa(attackerID)
	// The usual way by a shell, as su -c goes: the shell is open to everybody of that user.
	other := peek(t, 100, 1, nil, setpriv, "--reuid="+id, "--regid="+id, "--clear-groups", "/bin/sh", "-c", "exec "+daemon+"; :")
	if other.PTrace == 0 || other.open() == other.PTrace {
		t.Fatalf("the attack does not work without hardrun: %+v", *other)
	}
	root := unreadable(t, directory(t, 0o755))
	if err := attackEmpty(root + "/hidden"); err != nil {
		t.Fatal(err)
	}
	user := "--user=" + id + ":" + id
	for _, x := range []struct {
		name         string
		starts, span int
		command      []string
	}{
		{"user", 800, 1, []string{hardrun, user, "--", daemon}},
		{"user with capabilities", 300, 1, []string{hardrun, user, "--caps=net_bind_service", "--secure-bits=noroot", "--no-new-privs", "--limit-nofile=100", "--", daemon}},
		{"chroot", 300, 1, []string{hardrun, user, "--chroot=" + root, "--", "/daemon"}},
		{"view", 400, 1, slices.Concat([]string{hardrun, user}, viewOptions(root), []string{"--", "/daemon"})},
		{"parent", 200, 8, []string{hardrun, user, "--init", "--", daemon}},
	} {
		t.Run(x.name, func(t *testing.T) {
			closed(t, x.starts, x.span, nil, x.command...)
		})
	}
}

// The same where the daemon's user has a namespace of its own, whose capabilities
// would be the attacker's (CVE-2016-8659).
func TestA37LauncherOfAUserNamespace(t *testing.T) {
	requireRoot(t)
	daemon := unreadable(t, directory(t, 0o755)) + "/daemon"
	root := unreadable(t, directory(t, 0o755))
	if err := attackEmpty(root + "/hidden"); err != nil {
		t.Fatal(err)
	}
	id := itoa(attackerID)
	user := "--user=" + id + ":" + id
	for _, x := range []struct {
		name         string
		starts, span int
		command      []string
	}{
		{"self", 250, 1, []string{hardrun, user, "--private-users", "--", daemon}},
		{"identity", 150, 1, []string{hardrun, user, "--private-users=identity", "--", daemon}},
		{"view", 200, 1, slices.Concat([]string{hardrun, user, "--private-users"}, viewOptions(root), []string{"--", "/daemon"})},
		{"delegated", 120, 1, []string{hardrun, user, "--private-users", "--private-network", "--private-ipc", "--private-mounts", "--delegate-namespaces=net ipc mnt", "--", daemon}},
		{"processes", 120, 10, []string{hardrun, user, "--private-users", "--private-pids", "--", daemon}},
		{"processes only", 120, 10, []string{hardrun, user, "--private-pids", "--", daemon}},
	} {
		t.Run(x.name, func(t *testing.T) {
			closed(t, x.starts, x.span, nil, x.command...)
		})
	}
	// A plain user's own start is that user's: a process outside may do with it what it
	// likes. A daemon that was started so before, in its own user namespace, may not.
	t.Run("plain user", func(t *testing.T) {
		start := asUser(attackerID, hardrun, "--private-users", "--protect-system=strict", "--", daemon)
		if p := peek(t, 100, 1, nil, start...); p.PTrace == 0 {
			t.Fatalf("the attack does not work from outside: %+v", *p)
		}
		world := []string{hardrun, "--private-users", "--keep-fd=3", attackProgram(t, "peek")}
		closed(t, 200, 1, world, start...)
	})
}
