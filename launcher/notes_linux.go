package launcher

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// rootSockets are sockets by which whoever may connect is root.
var rootSockets = [...]string{
	"/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock",
	"/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket",
}

// see looks at what only the notes of a plan are about. What cannot be looked at is not
// noted: nothing that is done depends on it.
func (e *Env) see(p *policy.Policy) {
	s := &e.Seen
	for i := range rootGroups {
		if g, err := caps.Host.LookupGroup(rootGroups[i].name); err == nil {
			s.Groups = append(s.Groups, g)
		}
	}
	for _, path := range rootSockets {
		if way := wayTo(path); way != nil {
			s.Sockets = append(s.Sockets, SeenSocket{path, way})
		}
	}
	dir := p.RootDirectory
	if !dir.Set {
		dir = p.Chroot
	}
	v := host
	if dir.Set && dir.V != "/" {
		inside, err := enter(dir.V)
		if err != nil {
			return
		}
		v = inside
		var st unix.Stat_t
		if unix.Fstat(v.root, &st) == nil {
			s.Root = Owned{true, st.Uid, st.Gid, st.Mode}
		}
	}
	if e.Command.Path != "" && e.Command.Path[0] == '/' {
		s.Program = v.program(e.Command.Path)
	}
	if err := v.leave(); err != nil {
		e.problem("RootDirectory", dir.From, ExitChroot, err)
	}
}

// wayTo are the owners and modes of the directories on the way to a socket, and of itself;
// nil where there is no socket.
func wayTo(path string) []Owned {
	var way []Owned
	var st unix.Stat_t
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if unix.Stat(path[:i], &st) != nil {
			return nil
		}
		way = append(way, Owned{true, st.Uid, st.Gid, st.Mode})
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	return way
}

// program is what execve(2) takes the set-user-ID bits and the file capabilities of: the
// file at the path, or of a script the program that interprets it.
func (v view) program(path string) SeenProgram {
	for range 6 {
		head, fd, err := v.head(path)
		if err != nil && !errors.Is(err, unix.EACCES) {
			return SeenProgram{}
		}
		if err == nil {
			interp := ""
			if bytes.HasPrefix(head, []byte("#!")) {
				interp, _ = interpreter(head, fd)
			}
			if unix.Close(fd) != nil {
				return SeenProgram{}
			}
			if interp != "" {
				path = interp
				continue
			}
		}
		return v.privileges(path)
	}
	return SeenProgram{}
}

// privileges are those that a file gives to who executes it.
func (v view) privileges(path string) (s SeenProgram) {
	fd, err := v.open(path, unix.O_PATH)
	if err != nil {
		return s
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Fstat(fd, &st) == nil && unix.Fstatfs(fd, &fs) == nil {
		s = SeenProgram{Path: path, Owned: Owned{true, st.Uid, st.Gid, st.Mode}, NoSUID: fs.Flags&unix.ST_NOSUID != 0}
	}
	// fgetxattr(2) takes no O_PATH descriptor, and one for reading may not be had.
	var data [64]byte
	if n, err := unix.Getxattr("/proc/self/fd/"+strconv.Itoa(fd), "security.capability", data[:]); err == nil {
		s.HasCaps, s.Effective, s.Caps = fileCaps(data[:n])
	}
	if unix.Close(fd) != nil {
		return SeenProgram{}
	}
	return s
}

// fileCaps reads struct vfs_cap_data of linux/capability.h, which is little-endian: whether
// it is one, its effective bit, and the permitted set.
func fileCaps(data []byte) (has, effective bool, permitted caps.Set) {
	if len(data) < 12 {
		return false, false, 0
	}
	magic := binary.LittleEndian.Uint32(data)
	permitted = caps.Set(binary.LittleEndian.Uint32(data[4:]))
	if len(data) >= 20 {
		permitted |= caps.Set(binary.LittleEndian.Uint32(data[12:])) << 32
	}
	return magic>>24 != 0, magic&1 != 0, permitted
}
