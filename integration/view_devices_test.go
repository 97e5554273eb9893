//go:build linux

package integration

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// PrivateDevices=: the pseudo devices, each the one it is called, and nothing else.
func TestPrivateDevices(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	d := directory(t, 0o777)
	for _, more := range []string{"", "--protect-system=strict", "--protect-kernel-tunables --protect-kernel-logs", "--user=nobody --caps=none", "--no-new-privs"} {
		options := append([]string{"--private-devices", "--read-write-paths=" + d}, strings.Fields(more)...)
		want := []string{"fd", "full", "null", "ptmx", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
		for _, p := range existing("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/log") {
			want = append(want, p[5:])
		}
		equal(t, more+": /dev", said(t, options, "list /dev"), sorted(want...))
		attempts(t, options,
			attempt{"open /dev/null rw", "", ""},
			attempt{"put /dev/null x", "", ""},
			attempt{"read /dev/null", "", ""},
			attempt{"open /dev/zero r", "", ""},
			attempt{"put /dev/full x", "ENOSPC", "ENOSPC"},
			attempt{"open /dev/random r", "", ""},
			attempt{"open /dev/urandom r", "", ""},
			attempt{"list /dev/fd", "", ""},
			attempt{"readlink /dev/stdin", "", ""},
		)
		for dev, number := range map[string]int64{"null": 1003, "zero": 1005, "full": 1007, "random": 1008, "urandom": 1009, "tty": 5000} {
			a := inside(t, options, "device /dev/"+dev, "mode /dev/"+dev)
			equal(t, dev, a[0].Value, number)
			equal(t, dev+": mode", a[1].Value, unix.S_IFCHR|0o666)
		}
		a := inside(t, options, "mount-flags /dev", "create "+d+"/n", "unlink "+d+"/n", "pty", "create /dev/shm/hardrun-test-"+itoa(len(more)), "unlink /dev/shm/hardrun-test-"+itoa(len(more)))
		equal(t, more+": ro, nosuid, noexec", a[0].Value, 1|2|8)
		for i, act := range []string{"create", "unlink", "pty", "create in shm", "unlink in shm"} {
			equal(t, more+": "+act, a[i+1].Errno, "")
		}
		// As the host's /dev/tty without a terminal: there, and not to be opened.
		equal(t, more+": tty", inside(t, options, "open /dev/tty r")[0].Errno, outside(t, "open /dev/tty r")[0].Errno)
	}
	kept := []attempt{
		{"create /dev/hardrun-test-n", "EROFS", ""},
		{"unlink /dev/hardrun-test-n", "EROFS", ""},
		{"chmod /dev/null 0666", "EROFS", ""},
		{"mknod " + d + "/null 1 3", "EPERM", ""},
		{"unlink " + d + "/null", "ENOENT", ""},
	}
	for _, p := range existing("/dev/kmsg", "/dev/mem", "/dev/port", "/dev/sda", "/dev/vda", "/dev/loop-control", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/console") {
		kept = append(kept, attempt{"stat " + p, "ENOENT", ""})
	}
	attempts(t, []string{"--private-devices"}, kept...)
	attempts(t, []string{"--private-devices", "--protect-system=strict"}, kept[0], kept[1], kept[2])
}

// The numbers are the devices', whatever the host's umask is, and a bind into /dev
// is of a node while /dev stays read-only.
func TestPrivateDevicesMore(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a := asked(t, program{argv: with("umask=0177", starting("--private-devices", "--user=nobody")...)}, "mode /dev/null", "mode /dev/pts", "open /dev/null rw")
	equal(t, "mode of null", a[0].Value, unix.S_IFCHR|0o666)
	equal(t, "mode of pts", a[1].Value, unix.S_IFDIR|0o755)
	equal(t, "open", a[2].Errno, "")
	if exists("/dev/kmsg") {
		attempts(t, []string{"--private-devices", "--bind=/dev/kmsg"},
			attempt{"open /dev/kmsg r", "", ""},
			attempt{"create /dev/hardrun-test-k", "EROFS", ""},
			attempt{"unlink /dev/hardrun-test-k", "EROFS", ""},
		)
		// Two that hide it do not hinder each other.
		equal(t, "hidden already", inside(t, []string{"--private-devices", "--protect-kernel-logs"}, "stat /dev/kmsg")[0].Errno, "ENOENT")
	}
	for _, options := range [][]string{{"--private-devices", "--tmpfs=/dev/shm"}, {"--private-devices", "--protect-system=strict", "--tmpfs=/dev/shm"}} {
		a := inside(t, options, "list /dev/shm", "create /dev/shm/x")
		equal(t, "an own shm", a[0].Act+a[1].Errno, "")
	}
	ro := inside(t, []string{"--private-devices", "--read-only-paths=/dev"}, "create /dev/shm/hardrun-test-ro", "open /dev/null w")
	equal(t, "all of it read-only", ro[0].Errno, "EROFS")
	equal(t, "and a device still a device", ro[1].Errno, "")
}

// Without the right to make devices those of the host are taken, and a file in
// their place is none.
func TestPrivateDevicesWithoutMknod(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	options := with("without=27", starting("--private-devices")...)
	a := asked(t, program{argv: options}, "device /dev/null", "put /dev/null x", "put /dev/full x", "pty", "create /dev/x", "stat /dev/kmsg")
	equal(t, "null", a[0].Value, 1003)
	equal(t, "put", a[1].Errno, "")
	equal(t, "full", a[2].Errno, "ENOSPC")
	equal(t, "pty", a[3].Errno, "")
	equal(t, "create", a[4].Errno, "EROFS")
	equal(t, "kmsg", a[5].Errno, "ENOENT")
	d := directory(t, 0o755)
	mountAt(t, write(t, d+"/fake", "", 0o666), "/dev/full", "", unix.MS_BIND, "")
	r := runs(t, with("without=27", hardrun, "--private-devices", "--", probe)...)
	refused(t, r, 226, "PrivateDevices=", "/dev/full")
}
