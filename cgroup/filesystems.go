package cgroup

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// known are the file systems of Linux, each with the number that it writes into s_magic of
// its super block: linux/magic.h and the kernel's sources. Several are versions of a
// format, or what statfs(2) or systemd have in place of it (afs, cifs, orangefs). cramfs,
// hfs and reiserfs leave s_magic at 0, and so are one file system here. systemd has names
// that are not the kernel's (v9fs for 9p, devmem for iomem, gmem for guest_memfd, null for
// nullfs); both are here.
const known = " 9p:1021997 adfs:adf5 affs:adff afs:6b414653,5346414f aio:a10a10a1 anon_inodefs:9041934" +
	" apparmorfs:5a3c69f0 autofs:187 balloon-kvm:13661366 bcachefs:ca451a4e bdev:62646576 befs:42465331" +
	" bfs:1badface binder:6c6f6f70 binfmt_misc:42494e4d bpf:cafe4a11 btrfs:9123683e btrfs_test_fs:73727279" +
	" ceph:c36400 cgroup:27e0eb cgroup2:63677270 cifs:ff534d42,fe534d42 coda:73757245 configfs:62656570" +
	" cpuset:27e0eb cramfs:28cd3d45,0 cxl:1697697f dax:64646178 debugfs:64626720 devmem:454d444d" +
	" devpts:1cd1 devtmpfs:1021994 dmabuf:444d4142 drm:10203ff ecryptfs:f15f efivarfs:de5e81e4 efs:414a53" +
	" erofs:e0f5e1e2 exfat:2011bab0 ext2:ef53 ext3:ef53 ext4:ef53 f2fs:f2f52010 functionfs:a647361" +
	" fuse:65735546 fuseblk:65735546 fusectl:65735543 gadgetfs:aee71ee7 gfs:1161970 gfs2:1161970" +
	" gfs2meta:1161970 gmem:474d454d guest_memfd:474d454d hfs:4244,0 hfsplus:482b hostfs:c0ffee" +
	" hpfs:f995e849 hugetlbfs:958458f6 ibmasmfs:66726f67 iomem:454d444d ipathfs:726a77 iso9660:9660" +
	" jffs2:72b6 jfs:3153464a minix:137f,138f,2468,2478,4d5a mqueue:19800202 msdos:4d44" +
	" mtd_inodefs:11307854 ncp:564c ncpfs:564c nfs:6969 nfs4:6969 nfsd:6e667364 nilfs2:3434 nsfs:6e736673" +
	" ntfs:5346544e ntfs3:7366746e null:4e554c4c nullfs:4e554c4c ocfs2:7461636f ocfs2_dlmfs:76a9f425" +
	" ocxlflash:1697698f omfs:c2993d87 openpromfs:9fa1 orangefs:20030528,20030529 overlay:794c7630" +
	" pidfs:50494446 pipefs:50495045 ppc-cmm:c7571590 proc:9fa0 pstore:6165676c" +
	" pvfs2:20030528,20030529 qnx4:2f qnx6:68191122 ramfs:858458f6 reiserfs:52654973,0 resctrl:7655821" +
	" romfs:7275 rootfs:1021994,858458f6 rpc_pipefs:67596969 s390_hypfs:687970 secretmem:5345434d" +
	" securityfs:73636673 selinuxfs:f97cff8c shiftfs:6a656a62 smackfs:43415d53 smb3:ff534d42,fe534d42" +
	" smbfs:517b sockfs:534f434b spufs:23c9b64e squashfs:73717368 sysfs:62656572" +
	" sysv:12ff7b4,12ff7b5,12ff7b6,12ff7b7,12ff7b8,12ff7b9 tmpfs:1021994 tracefs:74726163 ubifs:24051905" +
	" udf:15013346 ufs:11954,f242697,19540119,95014,195612,5231994 usbdevfs:9fa2 v7:12ff7b8 v9fs:1021997" +
	" vboxsf:786f4256 vfat:4d44 virtiofs:65735546 vxfs:a501fcf5 xenfs:abba1974 xfs:58465342 z3fold:33" +
	" zonefs:5a4f4653 zsmalloc:58295829 "

// foreign are file systems that are not Linux's own. They can be named, but are not in
// @known.
const foreign = " zfs:2fc12fc1 "

// fileSystemGroups are the groups of systemd 262. systemd.exec(5) does not tell of
// @anonymous, @application and @security, and systemd takes them. Members are systemd's
// and no more, as another one in an allow list would allow more.
const fileSystemGroups = "@anonymous:anon_inodefs pipefs sockfs\n" +
	"@application:autofs fuse overlay\n" +
	"@auxiliary-api:binfmt_misc configfs efivarfs fusectl hugetlbfs rpc_pipefs securityfs\n" +
	"@basic-api:cgroup cgroup2 devpts devtmpfs mqueue proc sysfs\n" +
	"@common-block:btrfs erofs exfat ext4 f2fs iso9660 ntfs3 squashfs udf vfat xfs\n" +
	"@historical-block:ext2 ext3 minix\n" +
	"@known:\n" +
	"@network:afs ceph cifs gfs gfs2 ncp ncpfs nfs nfs4 ocfs2 orangefs pvfs2 smb3 smbfs\n" +
	"@privileged-api:bpf debugfs pstore tracefs\n" +
	"@security:apparmorfs selinuxfs smackfs\n" +
	"@temporary:ramfs tmpfs\n"

// EachFileSystem passes every word that ParseFileSystem takes to yield, groups first,
// until it returns false.
func EachFileSystem(yield func(word string) bool) {
	for line := range strings.Lines(fileSystemGroups) {
		name, _, _ := strings.Cut(line, ":")
		if !yield(name) {
			return
		}
	}
	eachName(known+foreign, yield)
}

// eachName passes the names of a table on.
func eachName(table string, yield func(name string) bool) {
	for entry := range strings.FieldsSeq(table) {
		name, _, _ := strings.Cut(entry, ":")
		if !yield(name) {
			return
		}
	}
}

// FileSystemNames are the file systems that a word stands for: the members of a group, or
// the one that is named. It is false for what is neither.
func FileSystemNames(word string) ([]string, bool) {
	if !strings.HasPrefix(word, "@") {
		return []string{word}, numbers(word) != ""
	}
	for line := range strings.Lines(fileSystemGroups) {
		name, members, _ := strings.Cut(line, ":")
		if name != word {
			continue
		}
		list := strings.Fields(members)
		if name == "@known" {
			eachName(known, func(n string) bool {
				list = append(list, n)
				return true
			})
		}
		return list, true
	}
	return nil, false
}

// numbers is what stands behind a name in the tables, empty for one that is not there.
func numbers(name string) string {
	if name == "" || strings.ContainsAny(name, " :,") {
		return ""
	}
	for _, table := range [...]string{known, foreign} {
		if _, rest, found := strings.Cut(table, " "+name+":"); found {
			list, _, _ := strings.Cut(rest, " ")
			return list
		}
	}
	return ""
}

// Magics are the numbers of a file system, nil for an unknown name. Several file systems
// can have the same: ext2 to ext4; fuse, fuseblk and virtiofs; tmpfs and devtmpfs.
func Magics(name string) []uint32 { return appendNumbers(nil, numbers(name)) }

// appendNumbers reads what numbers gives.
func appendNumbers(list []uint32, text string) []uint32 {
	for digits := range strings.SplitSeq(text, ",") {
		if n, err := strconv.ParseUint(digits, 16, 32); err == nil {
			list = append(list, uint32(n))
		}
	}
	return list
}

// ParseFileSystem reads a word of RestrictFileSystems=, systemd.exec(5): the numbers of
// a file system or of a group of them, sorted. An unknown word is an error behind "~",
// too: what it should deny would be allowed.
func ParseFileSystem(word string) ([]uint32, error) {
	var list []uint32
	names, ok := FileSystemNames(word)
	switch {
	case word == "@known": // each name would be looked for in all of the table
		for entry := range strings.FieldsSeq(known) {
			_, text, _ := strings.Cut(entry, ":")
			list = appendNumbers(list, text)
		}
	case ok:
		for _, name := range names {
			list = appendNumbers(list, numbers(name))
		}
	default:
		what := "unknown file system "
		if strings.HasPrefix(word, "@") {
			what = "unknown group of file systems "
		}
		return nil, errors.New(what + strconv.Quote(word))
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// FileProgram decides on each opening of a file by the file system on which the file
// lies: BPF_PROG_TYPE_LSM, attached to a control group as BPF_LSM_CGROUP (Linux 6.0), with
// Offsets.Hook as attach_btf_id. The number of the file system is read by
// file->f_inode->i_sb->s_magic. An answer of 0 makes the opening fail with EPERM, 1 leaves
// it to others. The license must be one that is GPL compatible, or the kernel refuses.
//
// Nothing passes by itself: neither /proc, nor the daemon's command and its interpreter,
// whose execve(2) fails with EPERM as well. What goes through the hook, beside open(2):
//   - mq_open(3), shm_open(3), openat(2) below any directory;
//   - /proc/PID/fd/N of a memfd (tmpfs), a pipe (pipefs) or a namespace (nsfs): it opens
//     anew, by the number of what it leads to, while the link itself needs no proc;
//   - what is below an overlay: the file on the overlay and the one that it shows are
//     opened both, so that both file systems must be allowed;
//   - pidfd_open(2) and CLONE_PIDFD since Linux 6.9, as pidfs.
//
// What does not: descriptors that are open already or are received, O_PATH, memfd_create,
// pipe, socket, eventfd, epoll and the like when they are made, and whatever works by a path
// without opening it: stat, rename, unlink, mkdir, truncate, connect.
//
// A number that is larger than 32 bits is denied whatever the list: no file system of Linux
// has one. So is a file without an inode, which the kernel does not let happen.
func FileProgram(f FileSystems, b *Offsets) ([]Ins, error) {
	list := slices.Clone(f.Magic)
	slices.Sort(list)
	list = slices.Compact(list)
	var a asm
	pass, deny := a.label(), a.label()
	a.load(8, R2, R1, 0)
	a.load(8, R2, R2, b.Inode)
	a.jumpIf(jmpJEQ, R2, 0, deny)
	a.load(8, R2, R2, b.Super)
	a.jumpIf(jmpJEQ, R2, 0, deny)
	a.load(8, R2, R2, b.Magic)
	a.movReg(R3, R2)
	a.ins(classALU64|aluRSH, R3, 0, 0, 32)
	a.jumpIf(jmpJNE, R3, 0, deny)
	if f.Deny {
		findMagic(&a, list, deny, pass)
	} else {
		findMagic(&a, list, pass, deny)
	}
	a.here(pass)
	a.mov(R0, 1)
	a.exit()
	a.here(deny)
	a.count(DeniedFiles)
	a.mov(R0, 0)
	a.exit()
	return a.program()
}

// findMagic goes to found if the number in r2 is in the sorted list, else to other.
func findMagic(a *asm, list []uint32, found, other int) {
	if len(list) > 4 {
		half := len(list) / 2
		upper := a.label()
		a.jumpIf32(jmpJGE, R2, list[half], upper)
		findMagic(a, list[:half], found, other)
		a.here(upper)
		findMagic(a, list[half:], found, other)
		return
	}
	for _, magic := range list {
		a.jumpIf32(jmpJEQ, R2, magic, found)
	}
	a.jump(other)
}
