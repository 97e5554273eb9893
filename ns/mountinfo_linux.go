package ns

import (
	"bytes"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mountLine is one line of mountinfo, proc_pid_mountinfo(5), as far as it is used.
type mountLine struct {
	id, parent    uint64
	point         string
	options       []byte
	super         []byte // the options of the file system
	shared, slave bool
}

// has tells whether an option of the mount (not of its file system) is on.
func (m *mountLine) has(name string) bool {
	rest := m.options
	for len(rest) > 0 {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte(","))
		if string(one) == name {
			return true
		}
	}
	return false
}

// mountinfo is what is read of the list, piece by piece; one thread does.
var mountinfo [32 << 10]byte

// superHas tells whether the file system has an option.
func (m *mountLine) superHas(option string) bool {
	o := mountLine{options: m.super}
	return o.has(option)
}

// eachMount hands out every mount that the process can see, from one reading of
// its list. A list without lines, or of another form, is an error.
func eachMount(self int, each func(m *mountLine) error) error {
	const path = "/proc/self/mountinfo"
	fd, err := unix.Openat(self, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	buf := mountinfo[:]
	have, lines := 0, 0
	var line mountLine
	for {
		n, err := unix.Read(fd, buf[have:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return errors.Join(&os.PathError{Op: "read", Path: path, Err: err}, closeFD(fd))
		}
		have += n
		at := 0
		for {
			end := bytes.IndexByte(buf[at:have], '\n')
			if end < 0 {
				break
			}
			if err := line.parse(buf[at : at+end]); err != nil {
				return errors.Join(err, closeFD(fd))
			}
			if err := each(&line); err != nil {
				return errors.Join(err, closeFD(fd))
			}
			at += end + 1
			lines++
		}
		have = copy(buf, buf[at:have])
		switch {
		case n == 0 && (have > 0 || lines == 0), have == len(buf):
			return errors.Join(&os.PathError{Op: "read", Path: path, Err: errors.New("not a list of mounts")}, closeFD(fd))
		case n == 0:
			return closeFD(fd)
		}
	}
}

// parse reads "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw".
func (m *mountLine) parse(b []byte) error {
	*m = mountLine{}
	rest := b
	for field := 0; ; field++ {
		var word []byte
		var more bool
		word, rest, more = bytes.Cut(rest, []byte(" "))
		switch {
		case field < 2:
			n := uint64(0)
			for _, c := range word {
				if c < '0' || c > '9' {
					return errors.New("/proc/self/mountinfo: a mount without a number")
				}
				n = n*10 + uint64(c-'0')
			}
			if field == 0 {
				m.id = n
			} else {
				m.parent = n
			}
		case field == 4:
			m.point = unescape(word)
		case field == 5:
			m.options = word
		case field > 5 && string(word) == "-":
			if m.point == "" || m.point[0] != '/' {
				return errors.New("/proc/self/mountinfo: a mount without a path")
			}
			m.super = rest[bytes.LastIndexByte(rest, ' ')+1:]
			return nil
		case field > 5 && bytes.HasPrefix(word, []byte("shared:")):
			m.shared = true
		case field > 5 && bytes.HasPrefix(word, []byte("master:")):
			m.slave = true
		}
		if !more {
			return errors.New("/proc/self/mountinfo: a line that ends too early")
		}
	}
}

// unescape reads the octal escapes of blanks and backslashes.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			n := 0
			ok := true
			for _, c := range b[i+1 : i+4] {
				if c < '0' || c > '7' {
					ok = false
				}
				n = n*8 + int(c-'0')
			}
			if ok && n < 256 {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}
