package inspect

import (
	"slices"
	"strconv"
	"strings"
)

// fdInfo is what is taken from /proc/PID/fdinfo/FD, proc_pid_fdinfo(5).
type fdInfo struct {
	flags  uint64 // of open(2)
	mount  int    // the number of the mount; 0 where that is not told
	pid    int    // of a pidfd; 0 for one of a process that cannot be seen, -1 for one that has ended
	object string // of a BPF object: "program 12", "map 7"
}

// parseFDInfo reads an fdinfo text: "pos:	0\nflags:	02100002\nmnt_id:	30\n…". Lines of
// others follow, and are passed over.
func parseFDInfo(text string) (f fdInfo, err error) {
	f.pid = -1
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "flags":
			f.flags, err = strconv.ParseUint(value, 8, 64)
		case "mnt_id":
			f.mount, err = strconv.Atoi(value)
		case "Pid":
			f.pid, err = strconv.Atoi(value)
		case "prog_id":
			f.object = "program " + value
		case "map_id":
			f.object = "map " + value
		case "link_id":
			f.object = "link " + value
		}
		if err != nil {
			return fdInfo{}, err
		}
	}
	return f, nil
}

// linkSocket is the inode of a link that reads "socket:[1234]".
func linkSocket(link string) (inode uint64, ok bool) {
	kind, inode, ok := parseSpace(link)
	return inode, ok && kind == "socket"
}

// The inodes that have no name, and give nothing that the process does not have anyway.
var harmless = [...]string{"[eventpoll]", "[eventfd]", "[timerfd]", "[signalfd]", "inotify", "[landlock-ruleset]", "sync_file"}

// anonymous is an open file without a path, by its link: "anon_inode:[pidfd]", "net:[4026531840]".
// It is nothing for pipes and what is harmless. namespaces tells whether a namespace is one of
// the process's own.
func anonymous(link string, info fdInfo, pid int, own func(kind string, inode uint64) bool) (File, bool) {
	if name, found := strings.CutPrefix(link, "anon_inode:"); found {
		name, _, _ = strings.Cut(name, " (deleted)")
		switch {
		case slices.Contains(harmless[:], name):
			return File{}, false
		case name == "[pidfd]":
			return pidFD(info, pid)
		case strings.HasPrefix(name, "bpf"), name == "btf":
			if info.object == "" {
				return File{Kind: "bpf", Text: "BPF object " + name}, true
			}
			return File{Kind: "bpf", Text: "BPF " + info.object}, true
		}
		text := ""
		switch name = strings.Trim(name, "[]"); name {
		case "perf_event":
			text = "performance event"
		case "io_uring":
			text = "io_uring"
		case "fanotify":
			text = "fanotify group"
		case "userfaultfd":
			text = "userfaultfd"
		case "seccomp notify":
			text = "seccomp listener: it decides for another process"
		case "fscontext":
			text = "file system that is being set up"
		default:
			text = "anonymous file " + name
		}
		return File{Kind: "anonymous", Text: text}, true
	}
	if link == "pidfd" || strings.HasPrefix(link, "pidfd:") {
		return pidFD(info, pid)
	}
	kind, inode, ok := parseSpace(link)
	if !ok {
		return File{Kind: "anonymous", Text: "anonymous file " + link}, true
	}
	if kind == "pipe" || own(kind, inode) {
		return File{}, false
	}
	return File{Kind: "namespace", Text: kind + " namespace " + strconv.FormatUint(inode, 10)}, true
}

func pidFD(info fdInfo, pid int) (File, bool) {
	switch info.pid {
	case pid:
		return File{}, false
	case -1:
		return File{Kind: "process", Text: "pidfd of a process that has ended"}, true
	case 0:
		return File{Kind: "process", Text: "pidfd of a process that cannot be seen from here"}, true
	}
	return File{Kind: "process", Text: "pidfd of process " + strconv.Itoa(info.pid)}, true
}

// device is a number of a device and the name that it has everywhere, of
// Documentation/admin-guide/devices.txt.
type device struct {
	block        bool
	major, minor uint32
	name         string
}

// anyMinor is for drivers that have all numbers of a major.
const anyMinor = ^uint32(0)

// The devices that everybody may have: null, zero, full, random, urandom, and terminals.
var ordinary = [...]device{
	{false, 1, 3, ""},
	{false, 1, 5, ""},
	{false, 1, 7, ""},
	{false, 1, 8, ""},
	{false, 1, 9, ""},
	{false, 4, anyMinor, ""},
	{false, 5, anyMinor, ""},
	{false, 136, anyMinor, ""},
	{false, 137, anyMinor, ""},
	{false, 138, anyMinor, ""},
	{false, 139, anyMinor, ""},
	{false, 140, anyMinor, ""},
	{false, 141, anyMinor, ""},
	{false, 142, anyMinor, ""},
	{false, 143, anyMinor, ""},
	{false, 188, anyMinor, ""},
	{false, 204, anyMinor, ""},
	{false, 229, anyMinor, ""}, // ttyUSB, serial ports, hvc
}

var known = [...]device{
	{false, 1, 1, "/dev/mem"},
	{false, 1, 2, "/dev/kmem"},
	{false, 1, 4, "/dev/port"},
	{false, 1, 11, "/dev/kmsg"},
	{false, 10, 130, "/dev/watchdog"},
	{false, 10, 135, "/dev/rtc"},
	{false, 10, 144, "/dev/nvram"},
	{false, 10, 183, "/dev/hwrng"},
	{false, 10, 196, "/dev/vfio/vfio"},
	{false, 10, 200, "/dev/net/tun"},
	{false, 10, 203, "/dev/cuse"},
	{false, 10, 223, "/dev/uinput"},
	{false, 10, 228, "/dev/hpet"},
	{false, 10, 229, "/dev/fuse"},
	{false, 10, 231, "/dev/snapshot"},
	{false, 10, 232, "/dev/kvm"},
	{false, 10, 234, "/dev/btrfs-control"},
	{false, 10, 235, "/dev/autofs"},
	{false, 10, 236, "/dev/mapper/control"},
	{false, 10, 237, "/dev/loop-control"},
	{false, 10, 238, "/dev/vhost-net"},
	{false, 10, 241, "/dev/vhost-vsock"},
	{false, 10, 242, "/dev/rfkill"},
	{false, 108, 0, "/dev/ppp"},
	{false, 13, anyMinor, "input device"},
	{false, 21, anyMinor, "SCSI device"},
	{false, 29, anyMinor, "frame buffer"},
	{false, 89, anyMinor, "I2C bus"},
	{false, 189, anyMinor, "USB device"},
	{false, 202, anyMinor, "registers of a CPU"},
	{false, 226, anyMinor, "graphics device"},
}

// deviceText is what a device is, nothing for an ordinary one. The number counts and not the
// path, which is that of whoever made the node: "/dev/mem", "/dev/mem as /srv/null",
// "block device 8:0 as /dev/sda".
func deviceText(block bool, major, minor uint32, path string) (text string, matters bool) {
	is := func(d device) bool {
		return d.block == block && d.major == major && (d.minor == minor || d.minor == anyMinor)
	}
	if slices.ContainsFunc(ordinary[:], is) {
		return "", false
	}
	number := strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
	text = "character device " + number
	if block {
		text = "block device " + number
	}
	if i := slices.IndexFunc(known[:], is); i >= 0 {
		text = known[i].name
		if known[i].minor == anyMinor {
			text += " " + number
		}
	}
	if path != text {
		text += " as " + path
	}
	return text, true
}

// procFile is a file of proc(5) that tells of other processes or of the machine's memory, by
// its path below where it is mounted. mine are the own numbers.
func procFile(path string, mine []int) (kind string, matters bool) {
	path = strings.TrimPrefix(path, "/")
	switch first, rest, _ := strings.Cut(path, "/"); {
	case path == "kcore", path == "kmsg", path == "sysrq-trigger":
		return "file", true
	case first == "self" || first == "thread-self":
		return "", false
	default:
		n, err := strconv.Atoi(first)
		return "process", err == nil && !slices.Contains(mine, n) && rest != ""
	}
}

// The file systems that speak with the kernel about more than files.
var speaking = [...]string{"tracefs", "debugfs", "securityfs", "selinuxfs", "bpf", "efivarfs", "configfs"}

// outside tells why the process cannot reach an open file by a path of its own; empty for one
// that it can. The path, and root, the root directory, are as the kernel shows them to one
// reader. The mount is nil for one that the process does not see.
func (v *mountView) outside(path, root string, mount int) (m *Mount, why string) {
	if i, found := v.at[mount]; found {
		m = &v.mounts[i]
	}
	switch {
	case m == nil && mount != v.top, mount == v.top && !within(path, root):
		return m, "outside of its root"
	case m != nil && m.Covered && m.ID != v.top:
		return m, "below another mount"
	}
	// Another mount may have come over a directory on the way.
	if v.over(mount, "/"+strings.TrimPrefix(strings.TrimPrefix(path, strings.TrimSuffix(root, "/")), "/")) {
		return m, "below another mount"
	}
	return m, ""
}
