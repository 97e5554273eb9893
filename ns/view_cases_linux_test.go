package ns

import "strings"

var viewCases = []viewCase{
	{
		name:  "read-only, writable in it, and read-only in that",
		host:  []string{"a/f", "a/w/f", "a/w/r/f", "b/f"},
		rules: []string{"ro /a", "rw /a/w", "ro /a/w/r"},
	},
	{
		name:  "of two rules for a path the stricter holds, and what changes nothing has no mount",
		host:  []string{"a/f", "a/in/f", "b/f", "c/f"},
		rules: []string{"rw-implicit /a", "ro /a", "ro /a/in", "exec /b", "noexec /b", "rw /c", "hidden /b/f", "ro /b/f"},
	},
	{
		name:  "what is below an inaccessible path is no more",
		host:  []string{"a/f", "a/in/d/f", "b/f"},
		rules: []string{"hidden /a", "rw /a/in", "exec /a/f", "-ro /none", "ro /a/in/d", "noexec /a/in"},
	},
	{
		name:  "each kind of file is hidden by one of its kind",
		host:  []string{"dir/f", "file=text", "fifo fifo", "socket socket", "chr chr 1:3", "blk blk 7:0"},
		view:  View{Mknod: true},
		rules: []string{"hidden /dir", "hidden /file", "hidden /fifo", "hidden /socket", "hidden /chr", "hidden /blk"},
	},
	{
		name:  "devices are hidden by files where none can be made",
		host:  []string{"chr chr 1:3", "blk blk 7:0"},
		rules: []string{"hidden /chr", "hidden /blk"},
	},
	{
		name:  "a rule is for all that is mounted below, and a shallow one is not",
		host:  []string{"tmpfs a", "tmpfs a/m", "tmpfs a/m/n", "tmpfs b", "tmpfs b/m"},
		rules: []string{"ro /a", "ro-shallow /b"},
	},
	{
		name:  "a shallow one yields to a deep one, and changes nothing below one",
		host:  []string{"tmpfs a", "tmpfs a/m", "tmpfs b", "b/d/f"},
		rules: []string{"ro-shallow /a", "ro /a", "ro /b", "ro-shallow /b/d"},
	},
	{
		name:  "what a path says of programs is nothing new below a read-only one, and what is mounted there stays read-only",
		host:  []string{"a/same/f", "a/no/", "tmpfs a/no/m"},
		rules: []string{"ro /a", "exec /a/same", "noexec /a/no"},
	},
	{
		name: "a mount is changed itself where that does, and covered by a copy of what it was where not",
		host: []string{
			"tmpfs a nodev", "tmpfs a/itself", "tmpfs a/open", "tmpfs a/open/m", "tmpfs b", "tmpfs b/runs", "tmpfs c", "tmpfs c/w", "tmpfs hidden",
			"d/same/m/", "tmpfs d/same/m", "e/",
		},
		rules: []string{
			"nodev /a", "ro /a/itself", "dev /a/open", "noexec /b", "exec /b/runs", "ro /c", "rw /c/w", "hidden /hidden", "nodev /d", "nodev /d/same", "ro /d/same/m", "ro /e",
		},
	},
	{
		name: "of two rules for programs and for devices the stricter holds", host: []string{"a/", "b/", "c/", "d/"},
		rules: []string{"noexec /a", "exec /a", "exec /b", "noexec /b", "nodev /c", "dev /c", "dev /d", "nodev /d", "ro /a", "ro /c"},
	},
	{
		name: "no set-user-id programs, of no mount", host: []string{"tmpfs a", "tmpfs a/m"}, view: View{NoSUID: true},
	},
	{
		name: "programs and devices of what is mounted below", host: []string{"tmpfs a", "tmpfs a/m", "tmpfs b", "tmpfs b/m"},
		rules: []string{"noexec /a", "nodev /b"},
	},
	{
		name:  "programs and devices",
		host:  []string{"a/f", "a/x/f", "tmpfs d", "d/o/f", "d/c/f"},
		rules: []string{"noexec /a", "exec /a/x", "nodev /d", "dev /d/o", "nodev /d/c", "ro /d/c"},
	},
	{
		name: "a remount repeats what a mount has",
		host: []string{
			"tmpfs a noatime,nodev", "tmpfs b strictatime", "tmpfs c nodiratime", "tmpfs d nosymfollow", "tmpfs e noexec", "tmpfs f nosuid", "tmpfs g ro",
			"tmpfs h", "tmpfs h/n noatime,noexec", "tmpfs h/s strictatime", "tmpfs h/d nodiratime,nosuid",
		},
		view:  View{NoSUID: true},
		rules: []string{"ro /a", "ro /b", "ro /c", "ro /d", "ro /e", "ro /f", "noexec /g", "ro /h"},
	},
	{
		name:  "what is mounted over is let be",
		host:  []string{"tmpfs a", "tmpfs a/m noexec", "a/m/below", "tmpfs a/m", "tmpfs a/x", "tmpfs a/x/y", "tmpfs a/x", "tmpfs b", "tmpfs b"},
		rules: []string{"ro /a", "ro /b"},
	},
	{
		name: "private", host: []string{"tmpfs a", "shared /", "a/f"}, view: View{Flags: "private"}, rules: []string{"ro /a/f"},
	},
	{
		name: "slave", host: []string{"tmpfs a", "shared /", "a/f"}, view: View{Flags: "slave"}, rules: []string{"ro /a/f"},
	},
	{
		name: "shared", host: []string{"tmpfs a", "shared /", "a/f"}, view: View{Flags: "shared"}, rules: []string{"ro /a/f"},
	},
	{
		name: "another propagation", view: View{Flags: "unbindable"},
	},
	{
		name:  "links lead to what they mean, inside",
		host:  []string{"a/f", "a/g", "l -> a/f", "m -> ../../a", "n -> /m/./../a/h", "a/h", "a/up -> .."},
		rules: []string{"ro /l", "noexec /m", "nodev /n", "hidden /a/up/a/g"},
	},
	{
		name: "a link to the root", host: []string{"l -> /"}, rules: []string{"ro /l"},
	},
	{
		name: "40 links", host: []string{"l -> .", "f"}, rules: []string{"ro /" + strings.Repeat("l/", 40) + "f"},
	},
	{
		name: "41 links", host: []string{"l -> .", "f"}, rules: []string{"ro /" + strings.Repeat("l/", 41) + "f"},
	},
	{
		name: "a link to itself", host: []string{"loop -> loop"}, rules: []string{"-ro /loop/x"},
	},
	{
		name:  "a link of another user is not followed",
		host:  []string{"a/f", "l -> a", "owner l 1000"},
		rules: []string{"ro /l"},
	},
	{
		name:  "a link in a directory of another user is not followed",
		host:  []string{"a/f", "d/", "d/l -> /a", "owner d 1000"},
		rules: []string{"ro /d/l"},
	},
	{
		name:  "a link in a directory that others write to is not followed",
		host:  []string{"a/f", "d/", "d/l -> /a", "mode d 0777"},
		rules: []string{"ro /d/l"},
	},
	{
		name:  "a link in a directory that a group writes to is not followed",
		host:  []string{"a/f", "d/", "d/l -> /a", "mode d 0775"},
		rules: []string{"-ro /d/l/none"},
	},
	{
		name:  "where nobody removes what others make, a link is followed",
		host:  []string{"a/f", "d/", "d/l -> /a", "mode d 01777"},
		rules: []string{"ro /d/l"},
	},
	{
		name:  "the owner of the root may have put a link",
		host:  []string{"a/f", "l -> a", "owner l 1000", "owner / 1000"},
		rules: []string{"ro /l"},
	},
	{
		name:  "who starts for nobody else follows every link",
		host:  []string{"a/f", "d/", "d/l -> /a", "owner d/l 1000", "mode d 0777"},
		view:  View{Private: true},
		rules: []string{"ro /d/l"},
	},
	{
		name:  "a magic link leads nowhere",
		host:  []string{"proc proc", "l -> proc/self/root"},
		rules: []string{"ro /l/proc"},
	},
	{
		name: "a path that is missing", host: []string{"f"}, rules: []string{"-ro /none", "-ro /f/none", "ro /missing"},
	},
	{
		name: "an exemption for which no step answers", host: []string{"a/"}, rules: []string{"ro /a", "rw-implicit /a/none"},
	},
	{
		name: "the root cannot be hidden", rules: []string{"hidden /"},
	},
	{
		name:  "binds",
		host:  []string{"a/f=text", "tmpfs a/m", "a/m/g", "file=text", "on/", "socket socket", "l -> a"},
		rules: []string{"ro /new/shallow", "rw /new"},
		view: View{Layers: []*Layer{
			{Kind: LayerBind, Source: "/a", Path: "/new/deep/er"},
			{Kind: LayerBind, Source: "/a", Path: "/new/shallow", Shallow: true},
			{Kind: LayerBind, Source: "/a", Path: "/ro", Attr: ReadOnly | NoExec},
			{Kind: LayerBind, Source: "/file", Path: "/new/file"},
			{Kind: LayerBind, Source: "/none", Path: "/none", Tolerate: true},
			{Kind: LayerBind, Source: "/l", Path: "/on", Attr: NoAtime | NoSymFollow},
			{Kind: LayerBind, Source: "/socket", Path: "/new/socket", Socket: true},
			{Kind: LayerBind, Source: "/file", Path: "/optional", Optional: true},
		}},
	},
	{
		name: "a source that is missing", view: View{Layers: []*Layer{{Kind: LayerBind, Source: "/none", Path: "/none"}}},
	},
	{
		name: "what is no socket", host: []string{"f"}, view: View{Layers: []*Layer{{Kind: LayerBind, Source: "/f", Path: "/f", Socket: true}}},
	},
	{
		name: "two layers for one place", host: []string{"a/", "b -> a"},
		view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/a", Data: []string{"mode=0755"}}, {Kind: LayerTmpfs, Path: "/b", Data: []string{"mode=0700"}}}},
	},
	{
		name: "a bind and a file system in memory for one place", host: []string{"a/", "b -> a", "c/"},
		view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/a"}, {Kind: LayerBind, Source: "/c", Path: "/b"}}},
	},
	{
		name: "a file system in memory and a bind for one place", host: []string{"a/", "b -> a", "c/"},
		view: View{Layers: []*Layer{{Kind: LayerBind, Source: "/c", Path: "/a"}, {Kind: LayerTmpfs, Path: "/b"}}},
	},
	{
		name: "two for one place that is missing", host: []string{"r -> /"},
		view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/x"}, {Kind: LayerTmpfs, Path: "/r/x", Data: []string{"mode=0700"}}}},
	},
	{
		name: "one file system in memory for two paths of one place", host: []string{"a/", "b -> a"},
		view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/a", Data: []string{"mode=0750", "size=64k"}}, {Kind: LayerTmpfs, Path: "/b", Data: []string{"mode=0750", "size=64k"}}}},
	},
	{
		name: "layers in layers, in the order of their places",
		host: []string{"src/f", "src/in/g", "top/sub/", "l -> top/sub"},
		view: View{Layers: []*Layer{
			{Kind: LayerBind, Source: "/src/in", Path: "/l/in"},
			{Kind: LayerTmpfs, Path: "/top", Data: []string{"mode=0711"}, Attr: NoExec},
			{Kind: LayerBind, Source: "/src", Path: "/top/sub"},
		}},
		rules: []string{"ro /top", "rw /top/sub"},
	},
	{
		name: "a layer leads the path of another elsewhere",
		host: []string{"src/", "src/l -> /z", "b/", "z/", "y/f"},
		view: View{Layers: []*Layer{
			{Kind: LayerBind, Source: "/src", Path: "/b"},
			{Kind: LayerBind, Source: "/y", Path: "/b/l/m"},
			{Kind: LayerTmpfs, Path: "/c"},
			{Kind: LayerTmpfs, Path: "/z", Data: []string{"mode=0701"}},
		}},
	},
	{
		name: "a layer leads the path of the last one elsewhere",
		host: []string{"src/", "src/l -> /z", "b/", "z/", "y/f"},
		view: View{Layers: []*Layer{{Kind: LayerBind, Source: "/src", Path: "/b"}, {Kind: LayerBind, Source: "/y", Path: "/b/l/m"}}},
	},
	{
		name: "a place that cannot be looked up", host: []string{"loop -> loop"}, view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/loop/x"}}},
	},
	{
		name: "a place in a file", host: []string{"f"}, view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/f/x"}}},
	},
	{
		name: "a place that is optional, and one that is a mount already",
		host: []string{"a/", "tmpfs m", "m/f"},
		view: View{Layers: []*Layer{
			{Kind: LayerTmpfs, Path: "/none", Optional: true},
			{Kind: LayerTmpfs, Path: "/a/none/none", Optional: true},
			{Kind: LayerTmpfs, Path: "/a", Optional: true, Unless: true},
			{Kind: LayerTmpfs, Path: "/m", Unless: true},
		}},
	},
	{
		name: "limits",
		view: View{Layers: []*Layer{
			{Kind: LayerTmpfs, Path: "/a", Data: []string{"mode=1777", "size=64k", "nr_inodes=32", "uid=7", "gid=8"}, Attr: NoSUID | NoDev},
			{Kind: LayerTmpfs, Path: "/b", Data: []string{"nr_blocks=16", "nr_inodes=0"}, Attr: ReadOnly},
			{Kind: LayerTmpfs, Path: "/c", Data: []string{"size=0", "nr_inodes=1k"}},
		}},
	},
	{
		name: "an option that no file system has", view: View{Layers: []*Layer{{Kind: LayerTmpfs, Path: "/a", Data: []string{"nosuch"}}}},
	},
	{
		name: "a small /dev", host: []string{"dev/shm/f", "devpts dev/pts", "mqueue dev/mqueue", "dev/hugepages", "chr dev/sda 8:0"},
		view: View{Mknod: true, Layers: []*Layer{{Kind: LayerDev, Path: "/dev", Data: []string{"mode=0755", "size=64k", "nr_inodes=128"}, Attr: NoSUID | NoExec}}},
	},
	{
		name: "a bare /dev", host: []string{"dev/shm/f", "devpts dev/pts"},
		view: View{Mknod: true, Layers: []*Layer{{Kind: LayerDev, Path: "/dev", Bare: true, Data: []string{"mode=0755"}}}},
	},
	{
		name: "a /dev of the host's devices",
		host: []string{"chr dev/null 1:3", "chr dev/zero 1:5", "chr dev/full 1:7", "chr dev/random 1:8", "chr dev/urandom 1:9", "dev/shm/f"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev", Data: []string{"mode=0755"}, Attr: NoSUID | NoExec}}},
	},
	{
		name: "a bare /dev of the host's devices, with tty",
		host: []string{"chr dev/null 1:3", "chr dev/zero 1:5", "chr dev/full 1:7", "chr dev/random 1:8", "chr dev/urandom 1:9", "chr dev/tty 5:0", "dev/shm/f"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev", Bare: true}}},
	},
	{
		name: "a /dev of the host's devices, with all of them",
		host: []string{"chr dev/null 1:3", "chr dev/zero 1:5", "chr dev/full 1:7", "chr dev/random 1:8", "chr dev/urandom 1:9", "chr dev/tty 5:0"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev"}}},
	},
	{
		name: "a block device in place of one",
		host: []string{"dev/", "blk dev/null 1:3"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev"}}},
	},
	{
		name: "a device that is another one",
		host: []string{"chr dev/null 1:3", "chr dev/zero 1:7"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev"}}},
	},
	{
		name: "a file in place of a device",
		host: []string{"dev/null"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev"}}},
	},
	{
		name: "no null",
		host: []string{"dev/"},
		view: View{Layers: []*Layer{{Kind: LayerDev, Path: "/dev"}}},
	},
	{
		name: "what is mounted below /proc is carried", host: []string{"proc proc", "tmpfs masks", "masks/f", "masks/d/", "masks/d/e/", "bind masks/d proc/sys", "bind masks/f proc/uptime", "tmpfs proc/irq", "tmpfs proc/sys/e"},
		view: View{Layers: []*Layer{{Kind: LayerProc, Path: "/proc", Data: []string{"hidepid=invisible"}, Attr: NoSUID | NoDev | NoExec}}},
	},
	{
		name: "what a smaller /proc does not show is not carried", host: []string{"proc proc", "tmpfs proc/irq", "processes/"},
		view: View{Layers: []*Layer{{Kind: LayerProc, Path: "/proc", Data: []string{"subset=pid"}}}},
	},
	{
		name: "what is mounted below /sys is carried, and nothing of a path that begins like it",
		host: []string{"sysfs sys", "tmpfs sys/kernel", "tmpfs sys/kernel/in", "tmpfs system/d", "proc proc", "tmpfs proc/irq"},
		view: View{Layers: []*Layer{{Kind: LayerSys, Path: "/sys"}}},
	},
	{
		name: "to each of /proc and /sys its own, and nothing that is mounted over",
		host: []string{"proc proc", "tmpfs proc/sys/fs", "tmpfs proc/sys", "tmpfs proc/irq", "tmpfs proc/irq", "sysfs sys", "tmpfs sys/fs"},
		view: View{Layers: []*Layer{{Kind: LayerProc, Path: "/proc"}, {Kind: LayerSys, Path: "/sys"}}},
	},
	{
		name: "what is mounted below a /proc that is mounted over", host: []string{"proc proc", "tmpfs proc/irq", "tmpfs proc"},
		view: View{Layers: []*Layer{{Kind: LayerProc, Path: "/proc"}}},
	},
	{
		name: "message queues", view: View{Layers: []*Layer{{Kind: LayerMqueue, Path: "/dev/mqueue", Attr: NoSUID | NoDev | NoExec}}},
	},
	{
		name: "a new root",
		host: []string{"top/root/etc/f=text", "tmpfs top/root/m", "top/root/m/g", "srv/data=text", "top/root/l -> /etc", "cd srv"},
		view: View{Root: "/top/root", Layers: []*Layer{
			{Kind: LayerBind, Source: "/srv", Path: "/srv"}, {Kind: LayerTmpfs, Path: "/l/new", Data: []string{"mode=0700"}}, {Kind: LayerProc, Path: "/proc"},
		}},
		rules: []string{"ro /", "rw /l/new", "hidden /m"},
	},
	{
		name: "a new root that a link leads to", host: []string{"top/root/f", "l -> top/root"}, view: View{Root: "/l"}, rules: []string{"ro /f"},
	},
	{
		name: "a new root that is missing", view: View{Root: "/none"},
	},
	{
		name: "an empty root",
		host: []string{"bin/sh", "usr/lib/so", "cd usr"},
		view: View{
			Empty:  true,
			Files:  []File{{Path: "/bin", Kind: KindDir}, {Path: "/usr", Kind: KindDir}, {Path: "/usr/lib", Kind: KindDir}, {Path: "/lib", Kind: KindSymlink, Target: "usr/lib"}, {Path: "/bin/sh", Kind: KindFile}},
			Texts:  []Text{{"/bin/note", "a line\n"}, {"/empty", ""}},
			Layers: []*Layer{{Kind: LayerBind, Source: "/bin/sh", Path: "/bin/sh"}, {Kind: LayerBind, Source: "/usr/lib", Path: "/lib"}},
		},
		rules: []string{"ro /", "hidden /usr/lib/so"},
	},
	{
		name: "a chroot becomes the root of the mounts",
		host: []string{
			"tmpfs other", "other/f", "proc proc", "tmpfs proc/irq", "top/root/etc/f", "tmpfs top/root/proc/x", "top/root/proc/irq/", "tmpfs top/root/m", "chroot top/root",
		},
		view: View{Chrooted: true, Layers: []*Layer{{Kind: LayerProc, Path: "/proc"}}}, rules: []string{"ro /m"},
	},
	{
		name: "a working directory outside of the chroot",
		host: []string{"other/", "top/f", "cd other", "jail /top"},
		view: View{Chrooted: true},
	},
	{
		name: "no chroot where one is said to be", view: View{Chrooted: true},
	},
	{
		name: "the working directory is entered anew", host: []string{"a/b/", "cd a/b"}, rules: []string{"ro /a"},
	},
	{
		name: "a working directory that is hidden", host: []string{"a/b/", "cd a/b"}, rules: []string{"hidden /a"},
	},
	{
		name: "a working directory that is no more", host: []string{"gone a"}, rules: []string{"ro /"},
	},
	{
		name: "lines behind those of a file, and links",
		host: []string{"etc/passwd=root", "etc/group", "l -> etc/group", "etc/kept -> elsewhere", "etc/dir/"},
		view: View{Layers: []*Layer{
			{Kind: LayerLines, Path: "/etc/passwd", Text: "ada:x\n"},
			{Kind: LayerLines, Path: "/l", Text: "ada:g\n"},
			{Kind: LayerLines, Path: "/etc/none", Text: "x"},
			{Kind: LayerLines, Path: "/etc/dir", Text: "x"},
			{Kind: LayerLink, Path: "/run/a/b", Text: "c"},
			{Kind: LayerLink, Path: "/etc/kept", Text: "other"},
			{Kind: LayerLink, Path: "/top", Text: "etc"},
		}},
	},
	{
		name: "a link that a file is in the way of", host: []string{"f"}, view: View{Layers: []*Layer{{Kind: LayerLink, Path: "/f/l", Text: "c"}}},
	},
	{
		name: "a link where a directory is", host: []string{"d/"}, view: View{Layers: []*Layer{{Kind: LayerLink, Path: "/d", Text: "c"}}},
	},
	{
		name: "a system that is booted",
		host: []string{"run/systemd/f=text", "run/systemd/d/g", "run/systemd/l -> d", "fifo run/systemd/p", "run/other/system/f", "tmpfs run/systemd/m"},
		view: View{Layers: []*Layer{{Kind: LayerBooted, Path: "/run/systemd"}, {Kind: LayerBooted, Path: "/run/other"}}},
	},
}
