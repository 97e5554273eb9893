package inspect

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// files reads the open descriptors, and with the sockets among them what waits. The mounts are
// nil where they are not known.
func (r *Reader) files(dir int, m *mountView, p *Process) error {
	fds, err := r.numbers(dir, "fd")
	if err != nil {
		if err == unix.ESRCH {
			return err
		}
		p.noted("Files", err)
		p.noted("Listening", err)
		return nil
	}
	if m == nil || p.Root == "" {
		p.lacks("Files", "what is outside of the root is not known: "+denied())
	}
	own := func(kind string, inode uint64) bool { return p.space(kind).Inode == inode }
	var sockets []socket
	at := map[uint64]int{}
	for _, fd := range fds {
		name := strconv.Itoa(fd)
		link, err := r.link(dir, "fd/"+name)
		if gone(err) {
			continue // closed meanwhile
		}
		if err != nil {
			p.noted("Files", err)
			p.noted("Listening", err)
			return nil
		}
		if inode, ok := linkSocket(link); ok {
			proto, err := r.socketProto(dir, fd)
			if gone(err) {
				continue
			}
			if err != nil {
				p.lacks("Files", "what a socket is cannot be asked: "+err.Error())
				p.lacks("Listening", "what a socket is cannot be asked: "+err.Error())
				continue
			}
			if _, twice := at[inode]; !twice {
				at[inode] = len(sockets)
				sockets = append(sockets, socket{inode, fd, proto})
			}
			if text := privileged(proto); text != "" {
				p.Files = append(p.Files, File{FD: fd, Kind: "socket", Text: text})
			}
			continue
		}
		if strings.HasPrefix(link, "pipe:[") {
			continue
		}
		f, matters, err := r.file(dir, name, link, m, own, p)
		if gone(err) {
			continue
		}
		if err != nil {
			p.noted("Files", err)
			continue
		}
		if matters {
			f.FD = fd
			p.Files = append(p.Files, f)
		}
	}
	err = r.listening(dir, sockets, p)
	if err == unix.ESRCH {
		return err
	}
	p.noted("Listening", err)
	return nil
}

// asks are the file systems that are asked anew for a file that is looked at, and may not answer.
var asks = [...]string{"nfs", "nfs4", "9p", "cifs", "smb3", "ceph", "afs", "coda", "lustre"}

// file is an open file that is no socket and no pipe, if it matters.
func (r *Reader) file(dir int, fd, link string, m *mountView, own func(string, uint64) bool, p *Process) (f File, matters bool, err error) {
	text, err := r.read(dir, "fdinfo/"+fd, large)
	if err != nil {
		return f, false, err
	}
	info, err := parseFDInfo(text)
	if err != nil {
		return f, false, err
	}
	if !strings.HasPrefix(link, "/") {
		f, matters = anonymous(link, info, p.PID, own)
		return f, matters, nil
	}
	var on *Mount
	why := ""
	if m != nil && p.Root != "" && info.mount != 0 {
		on, why = m.outside(link, p.Root, info.mount)
	}
	if on != nil {
		for _, kind := range asks {
			if on.Type == kind {
				return f, false, nil // a plain file or a directory inside
			}
		}
	}
	var st unix.Statx_t
	if err := unix.Statx(dir, "fd/"+fd, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st); err != nil {
		return f, false, err
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFCHR || kind == unix.S_IFBLK {
		text, matters := deviceText(kind == unix.S_IFBLK, st.Rdev_major, st.Rdev_minor, link)
		return File{Kind: "device", Text: text}, matters, nil
	}
	if on != nil && on.Type == "proc" {
		if kind, matters := procFile(strings.TrimPrefix(p.inside(link), on.Point), p.PIDs); matters {
			if kind == "process" {
				link += ", of another process"
			}
			return File{Kind: kind, Text: link}, true, nil
		}
	}
	if on != nil {
		for _, t := range speaking {
			if on.Type == t {
				return File{Kind: "file", Text: link + " (" + t + ")"}, true, nil
			}
		}
	}
	if why == "" || kind == unix.S_IFIFO || kind == unix.S_IFSOCK {
		return f, false, nil
	}
	// Memory that has a descriptor is on a mount that nobody sees.
	if on == nil && kind == unix.S_IFREG && st.Dev_major == r.memory.major && st.Dev_minor == r.memory.minor {
		return f, false, nil
	}
	if on == nil && kind == unix.S_IFREG && (strings.HasPrefix(link, "/anon_hugepage") || strings.HasPrefix(link, "/dmabuf:")) {
		return f, false, nil
	}
	f = File{Kind: "file", Text: "file " + link + ", " + why}
	if kind == unix.S_IFDIR {
		f = File{Kind: "directory", Text: "directory " + link + ", " + why}
	}
	return f, true, nil
}

// inside is a path of a file as the process itself would name it.
func (p *Process) inside(path string) string {
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, strings.TrimSuffix(p.Root, "/")), "/")
}
