package condition

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a path is asked to be.
type pathKind uint8

const (
	kindDirectory pathKind = iota
	kindSocket
	kindNotEmpty   // a regular file with something in it
	kindExecutable // a regular file that somebody may execute
)

func (f *Facts) isKind(path string, kind pathKind) (bool, error) {
	st, ok, err := f.stat(path)
	if !ok {
		return false, err
	}
	format := uint32(st.Mode) & unix.S_IFMT
	switch kind {
	case kindDirectory:
		return format == unix.S_IFDIR, nil
	case kindSocket:
		return format == unix.S_IFSOCK, nil
	case kindNotEmpty:
		return format == unix.S_IFREG && st.Size > 0, nil
	}
	return format == unix.S_IFREG && st.Mode&0o111 != 0, nil
}

func (f *Facts) isLink(path string) (bool, error) {
	st, ok, err := f.lstat(path)
	return ok && uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK, err
}

// directoryNotEmpty does not count hidden files and those that editors and packages leave.
func (f *Facts) directoryNotEmpty(path string) (bool, error) {
	list, err := f.names(path)
	if err != nil {
		return false, noEntry(err)
	}
	for _, name := range list {
		if !leftover(name) {
			return true, nil
		}
	}
	return false, nil
}

// leftover tells the names that systemd takes for hidden files and backups.
func leftover(name string) bool {
	if name[0] == '.' || strings.HasSuffix(name, "~") {
		return true
	}
	if name == "lost+found" || name == "aquota.user" || name == "aquota.group" {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && position("rpmnew rpmsave rpmorig dpkg-old dpkg-new dpkg-tmp dpkg-dist dpkg-bak dpkg-backup dpkg-remove ucf-new ucf-old ucf-dist swp bak old new", name[dot+1:]) >= 0
}

// isEncrypted looks at the block device below the file system that a path is in.
func (f *Facts) isEncrypted(path string) (bool, error) {
	st, ok, err := f.stat(path)
	if !ok {
		return false, err
	}
	dev := uint64(st.Dev)
	if unix.Major(dev) != 0 {
		return f.encrypted("/sys/dev/block/"+strconv.Itoa(int(unix.Major(dev)))+":"+strconv.Itoa(int(unix.Minor(dev))), 0)
	}
	const btrfs, bcachefs = 0x9123683e, 0xca451a4e // linux/magic.h
	switch magic, _, _, err := f.fileSystem(path); {
	case err != nil:
		return false, err
	case magic == btrfs || magic == bcachefs:
		return false, errors.New("the devices of a file system of several are not looked at: " + path)
	}
	return false, nil
}

// encrypted tells whether a block device is one of dm-crypt, or all that it lies on are. A
// device is a directory of sysfs.
func (f *Facts) encrypted(dir string, depth int) (bool, error) {
	uuid, err := f.line(dir + "/dm/uuid")
	if err != nil || strings.HasPrefix(uuid, "CRYPT-") {
		return err == nil, err
	}
	if depth == 32 {
		return false, errors.New("too many block devices on each other at " + dir)
	}
	list, err := f.names(dir + "/slaves")
	if err != nil {
		return false, noEntry(err)
	}
	for _, name := range list {
		if ok, err := f.encrypted(dir+"/slaves/"+name, depth+1); !ok || err != nil {
			return false, err
		}
	}
	return len(list) > 0, nil
}

// needsUpdate tells whether /usr is newer than the stamp in a directory.
func (f *Facts) needsUpdate(dir string) (bool, error) {
	if dir != "/etc" && dir != "/var" {
		return false, bad("neither /etc nor /var:", dir)
	}
	if forced, ok, err := f.kernelSwitch("systemd.condition_needs_update"); ok || err != nil {
		return forced, err
	}
	if initrd, err := f.exists("/etc/initrd-release"); initrd || err != nil {
		return false, err
	}
	if _, readOnly, _, err := f.fileSystem(dir); readOnly || err != nil {
		return false, err
	}
	stamp := dir + "/.updated"
	was, ok, err := f.lstat(stamp)
	if !ok {
		return err == nil, err
	}
	usr, ok, err := f.lstat("/usr/")
	if !ok {
		return err == nil, err
	}
	a, b := usr.Mtim, was.Mtim
	if a.Sec != b.Sec {
		return a.Sec > b.Sec, nil
	}
	if a.Nsec == 0 || b.Nsec > 0 {
		return a.Nsec > b.Nsec, nil
	}
	// The stamp is on a file system of whole seconds: its text has the time.
	text, _, err := f.read(stamp)
	if err != nil {
		return false, err
	}
	ns, err := strconv.ParseUint(field(text, "TIMESTAMP_NSEC"), 10, 64)
	if err != nil {
		return true, nil
	}
	return uint64(a.Sec)*1e9+uint64(a.Nsec) > ns, nil
}
