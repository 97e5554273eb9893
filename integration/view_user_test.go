//go:build linux

package integration

import (
	"strings"
	"testing"
)

// The same views for who is not root and has no capability: made in a user
// namespace of its own, in which it stays who it is.
func TestViewAsPlainUser(t *testing.T) {
	t.Parallel()
	requireRoot(t) // to become the user, and to have files that are root's
	a, b, c := tree(t)
	write(t, a+"/root", "secret", 0o600)
	in := func(options string, acts ...string) []answer {
		t.Helper()
		return asked(t, program{argv: with("groups=65534 gid=65534 uid=65534", starting(strings.Fields(options)...)...)}, acts...)
	}
	if r := runs(t, with("groups=65534 gid=65534 uid=65534", requireProgram(t, "unshare", "util-linux"), "--user", "--mount", "true")...); r.code != 0 {
		t.Skip("needs user namespaces for users: ", r.stderr)
	}
	for _, x := range []struct {
		options string
		acts    []string
		want    []string
	}{
		{"--protect-system=strict", []string{"create " + a + "/n", "open " + a + "/f w", "open " + a + "/f r"}, []string{"EROFS", "EROFS", ""}},
		{"--protect-system=strict --read-write-paths=" + b, []string{"create " + a + "/n", "create " + b + "/n", "unlink " + b + "/n"}, []string{"EROFS", "", ""}},
		{"--read-only-paths=" + a + " --read-write-paths=" + b + " --inaccessible-paths=" + c, []string{"open " + a + "/f w", "open " + b + "/f w", "read " + c + "/f"}, []string{"EROFS", "", "EACCES"}},
		{"--no-exec-paths=" + b, []string{"run " + b + "/p exit 0", "run " + a + "/p exit 0"}, []string{"EACCES", ""}},
		{"--tmpfs=" + a + ":mode=0777", []string{"read " + a + "/f", "create " + a + "/n"}, []string{"ENOENT", ""}},
		{"--ro-bind=" + b + ":" + c, []string{"read " + c + "/c/f", "create " + c + "/n"}, []string{"", "EROFS"}},
		{"--private-devices", []string{"open /dev/null rw", "put /dev/full x", "stat /dev/kmsg", "create /dev/n"}, []string{"", "ENOSPC", "ENOENT", "EROFS"}},
		{"--private-network", []string{"loopback"}, []string{""}},
		{"--private-tmp --ro-bind=" + probe, []string{"create /tmp/n", "create /var/tmp/n"}, []string{"", ""}},
		{"--protect-kernel-tunables", []string{"open /proc/kallsyms r"}, []string{"EACCES"}},
		{"--protect-hostname=private:inside", []string{"hostname", "sethostname x"}, []string{"", "EPERM"}},
	} {
		got := in(x.options, x.acts...)
		for i, w := range x.want {
			equal(t, x.options+": "+x.acts[i], got[i].Errno, w)
		}
		// What is root's stays root's, and there is no way to more.
		more := in(x.options, "open "+a+"/root r", "setuid0", "mount-tmpfs "+a, "raise 21", "umount "+a)
		for i, act := range []string{"root's file", "uid 0", "mount", "CAP_SYS_ADMIN", "umount"} {
			if more[i].Errno == "" {
				t.Errorf("%s: %s: works", x.options, act)
			}
		}
	}
	equal(t, "interfaces", in("--private-network", "interfaces")[0].Act, "lo")
	equal(t, "host name", in("--protect-hostname=private:inside", "hostname")[0].Act, "inside")
	equal(t, "/tmp", in("--private-tmp --ro-bind="+probe, "stat "+a)[0].Errno, "ENOENT")
	equal(t, "without", in("--umask=0022", "create "+a+"/n", "unlink "+a+"/n", "read "+c+"/f")[0].Errno, "")
}
