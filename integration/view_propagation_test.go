//go:build linux

package integration

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What the host mounts after the start arrives or not, what the daemon mounts
// never arrives at the host, and namespaces of the daemon see its mounts or not.
func TestPropagation(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	for _, x := range []struct {
		options        []string
		arrives, below bool
	}{
		{[]string{"--private-mounts"}, true, true},
		{[]string{"--mount-flags=shared", "--private-mounts"}, true, true},
		{[]string{"--mount-flags=slave"}, true, false},
		{[]string{"--mount-flags=private"}, false, false},
		{[]string{"--mount-flags=private", "--protect-system=strict", "--private-devices"}, false, false},
		{[]string{"--protect-system=full", "--mount-flags=slave"}, true, false},
		{[]string{"--protect-system=strict"}, true, true},
		{[]string{"--private-devices", "--protect-kernel-tunables"}, true, true},
	} {
		t.Run(strings.Join(x.options, " "), func(t *testing.T) {
			outer(t, unix.MS_SHARED)
			d := directory(t, 0o755)
			host, own, nested := mkdir(t, d+"/host"), mkdir(t, d+"/own"), mkdir(t, d+"/nested")
			before := read(t, "/proc/thread-self/mountinfo")
			c := converse(t, starting(x.options...)...)
			equal(t, "the host, when it has started", read(t, "/proc/thread-self/mountinfo"), before)
			equal(t, "at first", c.expect(t, "statfs "+host, "").Value == unix.TMPFS_MAGIC, false)
			if err := unix.Mount("t", host, "tmpfs", 0, "size=64k"); err != nil {
				t.Fatal(err)
			}
			equal(t, "arrives", c.expect(t, "statfs "+host, "").Value == unix.TMPFS_MAGIC, x.arrives)
			if err := unix.Unmount(host, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			equal(t, "goes again", c.expect(t, "statfs "+host, "").Value == unix.TMPFS_MAGIC, false)
			mountAt(t, "t", host, "tmpfs", 0, "size=64k")

			during := read(t, "/proc/thread-self/mountinfo")
			c.expect(t, "mount-tmpfs "+own, "")
			equal(t, "the daemon sees its own", c.expect(t, "statfs "+own, "").Value, unix.TMPFS_MAGIC)
			equal(t, "the host", read(t, "/proc/thread-self/mountinfo"), during)
			equal(t, "a namespace of the daemon", c.expect(t, "nested "+nested, "").Value == 1, x.below)
			equal(t, "the host", read(t, "/proc/thread-self/mountinfo"), during)
			if before == during {
				t.Error("the host's mount is not in the list")
			}
		})
	}
	// Without hardrun a mount of the daemon does arrive.
	t.Run("without", func(t *testing.T) {
		outer(t, unix.MS_SHARED)
		own := mkdir(t, directory(t, 0o755)+"/own")
		c := converse(t, probe, "ask")
		before := read(t, "/proc/thread-self/mountinfo")
		c.expect(t, "mount-tmpfs "+own, "")
		if read(t, "/proc/thread-self/mountinfo") == before {
			t.Error("nothing was mounted")
		}
		c.expect(t, "umount "+own, "")
	})
	// A mount namespace is made only where something asks for it.
	for _, x := range []struct {
		options []string
		own     bool
	}{
		{nil, false},
		{[]string{"--no-new-privs", "--user=nobody"}, false},
		{[]string{"--protect-system=no", "--protect-home=no", "--private-tmp=no", "--private-mounts=no"}, false},
		{[]string{"--mount-flags=shared"}, false},
		{[]string{"--private-mounts"}, true},
		{[]string{"--mount-flags=slave"}, true},
		{[]string{"--private-network"}, true},
		{[]string{"--private-network", "--private-mounts=no"}, false},
		{[]string{"--private-ipc"}, true},
		{[]string{"--private-ipc", "--private-mounts=no"}, true},
		{[]string{"--inaccessible-paths=-/nosuch"}, true},
		{[]string{"--inaccessible-paths=-/nosuch", "--private-mounts=no"}, true},
	} {
		host := saidOutside(t, "readlink /proc/self/ns/mnt")
		equal(t, strings.Join(x.options, " "), said(t, x.options, "readlink /proc/self/ns/mnt") != host, x.own)
	}
}
