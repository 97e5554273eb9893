package dirs

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Load reads the credentials of a unit, in the order in which they take precedence:
// LoadCredential=, ImportCredential=, SetCredential=. The stores are directories, searched in
// their order; systemd's are $CREDENTIALS_DIRECTORY, /etc/credstore, /run/credstore,
// /usr/local/lib/credstore and /usr/lib/credstore. What is missing in the stores is none, a
// missing path is one only where SetCredential= stands in for it. Links are followed as by
// OpenFiles, but none in a directory whose files are loaded.
func Load(unit string, c []Credential, stores []string) ([]Loaded, error) {
	return load(unit, c, stores, connectTimeout)
}

type loader struct {
	unit    string
	stores  []string
	timeout time.Duration
	list    []Loaded
	left    int
}

func load(unit string, c []Credential, stores []string, timeout time.Duration) ([]Loaded, error) {
	l := loader{unit: unit, stores: stores, timeout: timeout, left: maxCredentials}
	for _, s := range stores {
		if strings.HasSuffix(strings.TrimRight(s, "/"), ".encrypted") {
			return nil, errors.New(s + ": encrypted credentials are not decrypted")
		}
	}
	for i := range c {
		if err := c[i].Check(); err != nil {
			return nil, err
		}
	}
	set := func(id string) bool {
		return slices.ContainsFunc(c, func(s Credential) bool { return s.Set && s.ID == id })
	}
	// The last line of several of one name holds, systemd.exec(5).
	replaced := func(i int) bool {
		return slices.ContainsFunc(c[i+1:], func(d Credential) bool { return d.ID == c[i].ID && d.Set == c[i].Set && !d.Import })
	}
	for pass := range 3 {
		for i := range c {
			var err error
			switch s := &c[i]; {
			case pass == 0 && !s.Import && !s.Set && !replaced(i):
				path := s.Path
				if path == "" {
					path = s.ID
				}
				if path[0] == '/' {
					err = l.path(s.ID, path, set(s.ID))
				} else {
					err = l.stored(s.ID, path)
				}
				err = named("LoadCredential="+s.ID+":"+path, err)
			case pass == 1 && s.Import:
				err = named("ImportCredential="+s.ID, l.imported(s))
			case pass == 2 && s.Set && !replaced(i):
				err = named("SetCredential="+s.ID, l.add(s.ID, []byte(s.Data)))
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return l.list, nil
}

// has tells whether there is a credential of that name.
func (l *loader) has(id string) bool {
	return slices.ContainsFunc(l.list, func(c Loaded) bool { return c.ID == id })
}

// add takes a credential unless there is one of that name.
func (l *loader) add(id string, data []byte) error {
	if l.has(id) {
		return nil
	}
	if len(id)+len(data) > l.left {
		return errTooLarge()
	}
	l.left -= len(id) + len(data)
	l.list = append(l.list, Loaded{ID: id, Data: data})
	return nil
}

// path loads a file, all files of a directory, or what a socket says.
func (l *loader) path(id, path string, fallback bool) error {
	fd, at, err := openTrusted(path, unix.O_RDONLY)
	if fallback && errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		err = l.directory(id, path, fd)
	case st.Mode&unix.S_IFMT == unix.S_IFSOCK:
		err = l.socket(id, at.connectAddress(path, fd))
	default:
		err = l.file(id, path, fd, &st)
	}
	return errors.Join(err, closed(fd), at.close())
}

// file loads a regular file.
func (l *loader) file(id, path string, fd int, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New(path + " is " + kindOf(st.Mode) + ", not a regular file")
	}
	data, err := readLimited(fd, maxCredentials, time.Now().Add(l.timeout))
	if err == nil && st.Blocks > 0 && int64(len(data)) < st.Size {
		err = errors.New("read: it ended before its end")
	}
	if err != nil {
		return named(path, err)
	}
	return named(path, l.add(id, data))
}

// socket loads what who listens writes. It can tell by getpeername(2) what is asked for.
func (l *loader) socket(id, path string) error {
	var random [8]byte
	if n, err := unix.Getrandom(random[:], 0); err != nil || n != len(random) {
		return os.NewSyscallError("getrandom", errors.Join(err, unix.EIO))
	}
	name := strconv.FormatUint(binary.NativeEndian.Uint64(random[:]), 16) + "/unit/" + l.unit + "/" + id
	if len(name) > maxPath {
		return errors.New("the names of the unit and the credential have too many bytes for the address of a socket")
	}
	deadline := time.Now().Add(l.timeout)
	local := Address{Kind: AddressAbstract, Text: name}
	fd, err := connect(unixAddress(path), local.sockaddr(0), deadline, unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	data, err := readLimited(fd, maxCredentials, deadline)
	if err == nil {
		err = l.add(id, data)
	}
	return errors.Join(err, closed(fd))
}

// directory loads all regular files of a directory and those below it, by their names. Links,
// and what begins with a dot, are left out. fd stays open.
func (l *loader) directory(id, path string, fd int) error {
	if len(id) > 255 {
		return errors.New(path + ": credentials below would have names of more than 255 bytes")
	}
	var dir unix.Stat_t
	if err := unix.Fstat(fd, &dir); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	list, err := namesOf(fd)
	if err != nil {
		return named(path, err)
	}
	in := &place{dir: fd, foreign: dir.Mode&0o022 != 0 || !trusted(dir.Uid), owner: int(dir.Uid)}
	if dir.Mode&0o022 != 0 {
		in.owner = -1
	}
	for _, name := range list {
		if name[0] == '.' {
			continue
		}
		in.name = name
		st, err := in.stat()
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		format := st.Mode & unix.S_IFMT
		if err == nil && format != unix.S_IFREG && format != unix.S_IFDIR {
			continue
		}
		below, sub := path+"/"+name, id+"_"+name
		if err == nil && format == unix.S_IFREG && !validCredential(sub) {
			err = errors.New(strconv.Quote(sub) + " is not the name of a credential")
		}
		if err != nil {
			return named(below, err)
		}
		next, err := in.openNode(below, unix.O_RDONLY)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		if err := unix.Fstat(next, &st); err != nil {
			return errors.Join(os.NewSyscallError("fstat", err), closed(next))
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = l.directory(sub, below, next)
		} else {
			err = l.file(sub, below, next, &st)
		}
		if err = errors.Join(err, closed(next)); err != nil {
			return err
		}
	}
	return nil
}

// namesOf are the names in a directory, sorted.
func namesOf(fd int) ([]string, error) {
	var list []string
	err := each(fd, func(name string) error {
		if len(list) == 1<<16 {
			return errors.New("more than 65536 files")
		}
		list = append(list, name)
		return nil
	})
	slices.Sort(list)
	return list, err
}

// stored loads a file of the first store that has it; none is no error.
func (l *loader) stored(id, name string) error {
	for _, store := range l.stores {
		path := strings.TrimRight(store, "/") + "/" + name
		fd, at, err := openTrusted(path, unix.O_RDONLY)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
		if err == nil {
			err = l.file(id, path, fd, &st)
		}
		return errors.Join(err, closed(fd), at.close())
	}
	return nil
}

// imported loads what ImportCredential= names from all stores, the first of each name.
func (l *loader) imported(c *Credential) error {
	prefix, glob := strings.CutSuffix(c.ID, "*")
	if !glob {
		id := c.ID
		if c.Rename != "" {
			id = c.Rename
		}
		if l.has(id) {
			return nil
		}
		return l.stored(id, c.ID)
	}
	for _, store := range l.stores {
		fd, at, err := openTrusted(store, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		list, err := namesOf(fd)
		err = errors.Join(named(store, err), closed(fd), at.close())
		for _, name := range list {
			if err != nil {
				break
			}
			// glob(7): "*" stands for no dot at the beginning.
			if !strings.HasPrefix(name, prefix) || name[0] == '.' && prefix == "" {
				continue
			}
			id := name
			if c.Rename != "" {
				id = c.Rename + name[len(prefix):]
			}
			// systemd leaves out what has no valid name, and what is there.
			if validCredential(id) && !l.has(id) {
				one := loader{stores: []string{store}, timeout: l.timeout, left: l.left}
				if err = one.stored(id, name); err == nil && len(one.list) > 0 {
					err = l.add(id, one.list[0].Data)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
