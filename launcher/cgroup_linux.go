package launcher

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"github.com/hardrun/hardrun/cgroup"
	"golang.org/x/sys/unix"
)

// interfaces are the numbers of interfaces in the network namespace of the process. One
// that is not there is nothing to allow; it cannot be forbidden.
func interfaces(n cgroup.Names) (*cgroup.Interfaces, error) {
	i := &cgroup.Interfaces{Deny: n.Deny}
	for _, name := range n.List {
		index, err := cgroup.Index(name)
		if errors.Is(err, unix.ENODEV) {
			if n.Deny {
				return nil, errors.New("there is no interface " + name + " now, and one that comes later would not be forbidden")
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		i.Index = append(i.Index, index)
	}
	return i, nil
}

func interfaceIndex(name string) (uint32, error) { return cgroup.Index(name) }

// filesProgram makes the program of RestrictFileSystems=, by what the kernel says of its
// own structures.
func filesProgram(f *cgroup.Filter, rules cgroup.FileSystems) ([]cgroup.Ins, error) {
	const path = "/sys/kernel/btf/vmlinux"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	var text []byte
	if err = unix.Fstat(fd, &st); err == nil && st.Size > 0 {
		text, err = unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_PRIVATE)
	}
	if err != nil { // Linux before 6.16
		text, err = readFD(fd, 64<<20)
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	offsets, err := cgroup.ReadBTF(text)
	if err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	f.BTF = offsets.Hook
	if f.Nothing, err = cgroup.FileProgram(cgroup.FileSystems{}, offsets); err != nil {
		return nil, err
	}
	return cgroup.FileProgram(rules, offsets)
}

// onAllowed shows that files lie where they can be opened: the command, and what it is
// started by.
func onAllowed(rules cgroup.FileSystems, paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		var fs unix.Statfs_t
		if err := unix.Statfs(path, &fs); err != nil {
			return &os.PathError{Op: "statfs", Path: path, Err: err}
		}
		if slices.Contains(rules.Magic, uint32(fs.Type)) == rules.Deny {
			return errors.New(path + " lies on a file system on which nothing may be opened: its number is 0x" + strconv.FormatUint(uint64(uint32(fs.Type)), 16))
		}
	}
	return nil
}
