//go:build linux

package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// altering are the system calls that make a view or a namespace.
var altering = []string{
	"unshare", "setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "mount_setattr", "fsopen", "fsconfig", "fsmount",
	"mknodat", "mkdirat", "chdir", "fchdir", "sethostname", "ioctl",
}

// A call that says it was done, and was not: one at a time, each of every kind.
// The start is refused, or the daemon finds all that it would have found.
func TestViewLies(t *testing.T) {
	t.Parallel()
	strace := requireProgram(t, "strace", "strace")
	requireRoot(t)
	for _, x := range []struct {
		name    string
		options []string
		acts    []string // of which no answer may change
	}{
		{"system", []string{"--protect-system=strict", "--protect-home", "--inaccessible-paths=/mnt"}, []string{"access . w", "access /usr w", "list /mnt", "list /home", "access /etc w"}},
		{"full", []string{"--protect-system=full"}, []string{"access . w", "access /usr w", "access /etc w"}},
		{"paths", []string{"--read-only-paths=/usr", "--no-exec-paths=/etc", "--inaccessible-paths=/usr/share"}, []string{"access . w", "list /usr/share", "list .", "access /usr/bin w", "mount-flags /etc"}},
		{"layers", []string{"--private-tmp", "--ro-bind=PROBE", "--ro-bind=/etc:/mnt", "--tmpfs=/media:size=64k,nr_inodes=3,mode=0700,noexec", "--tmpfs=/srv:ro"}, []string{"access /mnt w", "read /mnt/passwd", "mode /tmp", "write-file /tmp/x 100", "write-file /media/x 65537", "create /media/y", "create /media/z", "mount-flags /media", "mode /media", "mount-flags /tmp", "create /srv/x", "mount-flags /srv"}},
		{"devices", []string{"--private-devices", "--capability-bounding-set=~CAP_SYS_ADMIN", "--umask=0022"}, []string{"list /dev", "access /dev w", "pty", "put /dev/full x", "access /dev/shm w", "mount-flags /dev", "statfs /dev/shm"}},
		{"kernel", []string{"--protect-kernel-tunables", "--protect-kernel-logs"}, []string{"open /proc/sys/kernel/hostname w", "open /dev/kmsg r", "access /sys w", "access /sys/fs/cgroup w", "read /proc/kallsyms"}},
		{"proc", []string{"--protect-proc=invisible", "--proc-subset=pid", "--user=nobody", "--caps=none"}, []string{"stat /proc/1", "stat /proc/uptime", "mount-flags /proc"}},
		{"masks", []string{"--protect-proc=noaccess", "--private-network"}, []string{"list /proc/bus", "list /sys/kernel", "access /sys/fs/cgroup w"}},
		{"groups", []string{"--protect-control-groups=strict", "--private-bpf", "--mount-flags=private"}, []string{"statfs /sys/fs/cgroup", "access /sys/fs/cgroup w", "statfs /sys/fs/bpf"}},
		{"namespaces", []string{"--private-network", "--private-ipc", "--protect-hostname=private:inside"}, []string{"interfaces", "hostname", "loopback", "list /sys/class/net", "access /sys/fs/cgroup w", "list /sys/fs/cgroup"}},
		{"root", []string{"--root-directory=CAGE", "--protect-system=strict", "--private-devices", "--capability-bounding-set=~CAP_SYS_ADMIN"}, []string{"list /", "access / w", "stat " + marker, "list /dev", "statfs /proc", "access /etc w"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			outer(t, unix.MS_SHARED)                                   // else a lie about what is shared hides nothing
			for _, dir := range []string{"/proc/bus", "/sys/kernel"} { // as a container hides it
				mountAt(t, "mask", dir, "tmpfs", unix.MS_RDONLY, "size=4k,mode=0555")
			}
			command, root := probe, ""
			options := slices.Clone(x.options)
			for i := range options {
				options[i] = strings.ReplaceAll(options[i], "PROBE", probe)
				if strings.Contains(options[i], "CAGE") {
					root = cage(t)
					mkdir(t, root+"/etc")
					options[i], command = strings.ReplaceAll(options[i], "CAGE", root), "/probe"
				}
			}
			file := directory(t, 0o755) + "/trace"
			line := func(inject ...string) program {
				argv := append([]string{strace, "-f", "-qq", "-o", file, "-e", "signal=none"}, inject...)
				return program{argv: slices.Concat(argv, []string{"--", hardrun}, options, []string{"--", command, "ask"}), dir: "/usr/share", stdin: lines(x.acts)}
			}
			line().run(t) // what it makes in a root is there from now on
			honest := line("-e", "trace=execve,"+strings.Join(altering, ",")).run(t)
			if honest.code != 0 {
				t.Fatalf("without a lie: status %d, %q", honest.code, honest.stderr)
			}
			counts := map[string]int{}
			execs := 0
			for l := range strings.Lines(read(t, file)) {
				_, rest, _ := strings.Cut(l, " ")
				name, _, _ := strings.Cut(strings.TrimLeft(rest, " "), "(")
				if name == "execve" {
					if execs++; execs == 2 {
						break
					}
				}
				counts[name]++
			}
			lied := 0
			host := read(t, "/proc/thread-self/mountinfo")
			for _, call := range altering {
				for n := 1; n <= counts[call]; n++ {
					r := line("-e", "trace="+call, "-e", "inject="+call+":retval=0:when="+strconv.Itoa(n)).run(t)
					text := read(t, file)
					if !strings.Contains(text, "(INJECTED)") {
						t.Fatalf("%s %d was not made: %s", call, n, text)
					}
					lied++
					switch {
					case r.started() && r.code == 0 && r.stdout == honest.stdout:
					case r.started():
						t.Errorf("%s %d lied about: the daemon found\n%swithout a lie\n%s%s", call, n, r.stdout, honest.stdout, injected(text))
					case r.code != 226 && r.code != 210 && r.code != 202: // namespace, root, or a descriptor that was taken for another
						t.Errorf("%s %d lied about: status %d, %q", call, n, r.code, r.stderr)
					}
				}
			}
			if lied == 0 {
				t.Error("no call to lie about")
			}
			if read(t, "/proc/thread-self/mountinfo") != host {
				t.Error("a lie left a mount on the host")
			}
			if root != "" {
				if err := os.RemoveAll(root + "/dev"); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// injected is the line of the call that was lied about.
func injected(trace string) string {
	for l := range strings.Lines(trace) {
		if strings.Contains(l, "(INJECTED)") {
			return l
		}
	}
	return ""
}
