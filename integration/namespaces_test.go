//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// PrivateNetwork=: loopback works, and is all there is; abstract sockets of the
// host are out of reach, those in the file system are not.
func TestPrivateNetwork(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	dir := directory(t, 0o755)
	abstract := "@" + filepath.Base(dir)
	listener := converse(t, probe, "ask")
	listener.expect(t, "unix-listen "+abstract, "")
	listener.expect(t, "unix-listen "+dir+"/sock", "")
	host := saidOutside(t, "interfaces")
	devices := saidOutside(t, "list /sys/class/net")
	if host == "lo" {
		t.Log("the host has lo only: that others are gone is not shown")
	}
	for _, more := range []string{"", "--protect-kernel-tunables", "--user=nobody --caps=none", "--protect-system=strict --private-devices"} {
		options := append([]string{"--private-network"}, strings.Fields(more)...)
		a := inside(t, options, "interfaces", "loopback", "unix-connect "+abstract, "list /sys/class/net", "unix-listen "+abstract, "read /proc/net/dev")
		equal(t, more+": interfaces", a[0].Act, "lo")
		equal(t, more+": loopback", a[1].Errno, "")
		equal(t, more+": an abstract socket", a[2].Errno, "ECONNREFUSED")
		equal(t, more+": /sys/class/net", a[3].Act, "lo")
		equal(t, more+": the name is free", a[4].Errno, "")
		if strings.Contains(a[5].Act, "eth") || !strings.Contains(a[5].Act, "lo:") {
			t.Errorf("%s: /proc/net/dev: %s", more, a[5].Act)
		}
	}
	equal(t, "a socket in the file system", inside(t, []string{"--private-network"}, "unix-connect "+dir+"/sock")[0].Errno, "")
	// Without it, and in one that nobody has turned on.
	a := outside(t, "loopback", "unix-connect "+abstract)
	equal(t, "without", a[0].Errno+a[1].Errno, "")
	a = asked(t, program{argv: []string{"unshare", "--net", "--", probe, "ask"}}, "loopback")
	equal(t, "lo is down", a[0].Errno, "ENETUNREACH")
	// PrivateMounts=no keeps the host's /sys, and the network is still private.
	a = inside(t, []string{"--private-network", "--private-mounts=no"}, "list /sys/class/net", "interfaces", "loopback")
	equal(t, "the outer /sys", a[0].Act, devices)
	equal(t, "interfaces", a[1].Act, "lo")
	equal(t, "loopback", a[2].Errno, "")
	equal(t, "off", said(t, []string{"--private-network=no"}, "interfaces"), host)
}

// named makes a namespace that a file holds, as ip-netns(8) does.
func namedNamespace(t *testing.T, kind string) string {
	t.Helper()
	file := write(t, directory(t, 0o755)+"/"+kind, "", 0o444)
	if r := runs(t, "unshare", "--"+kind+"="+file, "--", "true"); r.code != 0 {
		t.Fatalf("unshare --%s: %s", kind, r.stderr)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(file, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return file
}

// inode is the number in the name of a namespace, "net:[4026532177]".
func inode(t *testing.T, file, word string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	return word + ":[" + itoa(int(st.Ino)) + "]"
}

// NetworkNamespacePath= and IPCNamespacePath=: that one, and nothing else.
func TestNamespacePaths(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	network, ipc := namedNamespace(t, "net"), namedNamespace(t, "ipc")
	for _, x := range []struct{ option, file, other, word string }{
		{"--network-namespace-path=", network, ipc, "net"},
		{"--ipc-namespace-path=", ipc, network, "ipc"},
	} {
		want, link := inode(t, x.file, x.word), "readlink /proc/self/ns/"+x.word
		host := saidOutside(t, link)
		if host == want {
			t.Fatal("the namespace is the host's")
		}
		equal(t, x.option, said(t, []string{x.option + x.file}, link), want)
		equal(t, x.option+" as a user", said(t, []string{x.option + x.file, "--user=nobody"}, link), want)
		equal(t, x.option+" beside the private one", said(t, []string{x.option + x.file, "--private-network", "--private-ipc"}, link), want)
		equal(t, x.option+" without mounts", said(t, []string{x.option + x.file, "--private-mounts=no"}, link), want)
		linked := x.file + "-link"
		if err := os.Symlink(x.file, linked); err != nil {
			t.Fatal(err)
		}
		equal(t, x.option+" by a link", said(t, []string{x.option + linked}, link), want)
		for _, wrong := range []string{x.other, probe, "/", "/dev/null", "/nosuch", "/proc/self/ns/mnt", "/proc/self/ns/user", "/proc/self/ns/pid_for_children"} {
			refused(t, run(t, x.option+wrong, "--", probe), 226, wrong)
		}
		refused(t, run(t, x.option, "--", probe), 64)
		refused(t, runs(t, with("without=21", hardrun, x.option+x.file, "--", probe)...), 226, "NamespacePath=", "CAP_SYS_ADMIN")
		// The same path is still the host's for the next start.
		equal(t, x.option+" before", saidOutside(t, link), host)
	}
	// The network is that of the path: lo is down there, and /sys shows it.
	a := inside(t, []string{"--network-namespace-path=" + network}, "interfaces", "loopback", "list /sys/class/net")
	equal(t, "interfaces", a[0].Act, "lo")
	equal(t, "nobody has turned it on", a[1].Errno, "ENETUNREACH")
	equal(t, "/sys/class/net", a[2].Act, "lo")
	// What is made there stays there.
	key := "shm-make " + itoa(0x68000000+os.Getpid())
	find := "shm-find" + key[len("shm-make"):]
	equal(t, "make", inside(t, []string{"--ipc-namespace-path=" + ipc}, key)[0].Errno, "")
	equal(t, "find there", inside(t, []string{"--ipc-namespace-path=" + ipc}, find)[0].Errno, "")
	equal(t, "find on the host", outside(t, find)[0].Errno, "ENOENT")
}

// PrivateIPC=: System V objects and message queues of the host are not there.
func TestPrivateIPC(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	key, queue := itoa(0x69000000+os.Getpid()), "/hardrun-test-"+itoa(os.Getpid())
	a := outside(t, "shm-make "+key, "mq-make "+queue)
	equal(t, "make", a[0].Errno+a[1].Errno, "")
	undo(t, "shm-drop "+key, "mq-drop "+queue)
	for _, options := range [][]string{{"--private-ipc"}, {"--private-ipc", "--private-mounts=no"}, {"--private-ipc", "--user=nobody"}, {"--private-ipc", "--private-devices"}} {
		attempts(t, options, attempt{"shm-find " + key, "ENOENT", ""}, attempt{"mq-find " + queue, "ENOENT", ""})
		a := inside(t, options, "shm-make "+key, "shm-find "+key, "mq-make "+queue, "mq-find "+queue)
		equal(t, "its own", a[0].Errno+a[1].Errno+a[2].Errno+a[3].Errno, "")
		equal(t, "the host's are still there", outside(t, "shm-find "+key)[0].Errno, "")
	}
	equal(t, "off", inside(t, []string{"--private-ipc=no", "--private-mounts"}, "shm-find "+key)[0].Errno, "")
}

// /dev/mqueue is that of the own namespace, also in a private /dev.
func TestPrivateIPCQueues(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	dev := directory(t, 0o755)
	mountAt(t, "t", dev, "tmpfs", 0, "mode=0755,size=64k")
	for name, number := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := unix.Mknod(dev+"/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, number))); err != nil {
			t.Fatal(err)
		}
	}
	mountAt(t, "q", mkdir(t, dev+"/mqueue"), "mqueue", 0, "")
	mountAt(t, dev, "/dev", "", unix.MS_BIND|unix.MS_REC, "")
	queue := "/hardrun-test-q-" + itoa(os.Getpid())
	equal(t, "make", outside(t, "mq-make "+queue)[0].Errno, "")
	undo(t, "mq-drop "+queue)
	for _, more := range []string{"", "--private-devices", "--protect-system=strict", "--private-devices --protect-system=strict"} {
		options := append([]string{"--private-ipc"}, strings.Fields(more)...)
		a := inside(t, options, "stat /dev/mqueue"+queue, "mq-make "+queue, "stat /dev/mqueue"+queue, "create /dev/mqueue/other", "mount-flags /dev/mqueue")
		equal(t, more+": the host's", a[0].Errno, "ENOENT")
		equal(t, more+": make", a[1].Errno, "")
		equal(t, more+": seen as a file", a[2].Errno, "")
		equal(t, more+": made as a file", a[3].Errno, "")
		equal(t, more+": nosuid, nodev, noexec", a[4].Value, 14)
	}
	equal(t, "without", inside(t, []string{"--private-devices"}, "stat /dev/mqueue"+queue)[0].Errno, "")
}

// ProtectHostname=: not to be changed, or its own.
func TestProtectHostnameNamespace(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	host := saidOutside(t, "hostname")
	for _, options := range [][]string{{"--protect-hostname"}, {"--protect-hostname", "--private-mounts"}, {"--protect-hostname=yes:other"}} {
		name := strings.Join(options, " ")
		want := host
		if strings.HasSuffix(name, "other") {
			want = "other"
		}
		a := inside(t, options, "hostname", "sethostname changed", "put /proc/sys/kernel/hostname changed", "put /proc/sys/kernel/domainname changed", "hostname", "read /proc/sys/kernel/hostname")
		equal(t, name+": at first", a[0].Act, want)
		equal(t, name+": sethostname", a[1].Errno, "EPERM")
		for _, put := range a[2:4] {
			if put.Errno != "EROFS" && put.Errno != "EACCES" && put.Errno != "EPERM" {
				t.Errorf("%s: it can be written: %+v", name, put)
			}
		}
		equal(t, name+": then", a[4].Act, want)
		equal(t, name+": read", strings.TrimSpace(a[5].Act), want)
		equal(t, "the host", saidOutside(t, "hostname"), host)
	}
	for _, x := range []struct{ value, first string }{{"private", host}, {"private:other", "other"}} {
		for _, more := range []string{"", "--protect-kernel-tunables"} {
			a := inside(t, append([]string{"--protect-hostname=" + x.value}, strings.Fields(more)...), "hostname", "sethostname changed", "hostname")
			equal(t, x.value+": at first", a[0].Act, x.first)
			equal(t, x.value+": sethostname", a[1].Errno, "")
			equal(t, x.value+": then", a[2].Act, "changed")
			equal(t, "the host", saidOutside(t, "hostname"), host)
		}
	}
	user := inside(t, []string{"--protect-hostname=private:other", "--user=nobody"}, "hostname", "sethostname changed")
	equal(t, "for a user", user[0].Act+" "+user[1].Errno, "other EPERM")
	link := "readlink /proc/self/ns/uts"
	equal(t, "no", said(t, []string{"--protect-hostname=no"}, link), saidOutside(t, link))
	refused(t, runs(t, with("without=21", hardrun, "--protect-hostname", "--", probe)...), 226, "ProtectHostname=", "CAP_SYS_ADMIN")
	// The same act on the host's name works: with one of the test's own.
	a := asked(t, program{argv: []string{"unshare", "--uts", "--", probe, "ask"}}, "sethostname changed", "put /proc/sys/kernel/hostname again", "hostname")
	equal(t, "without", a[0].Errno+a[1].Errno+a[2].Act, "again")
}
