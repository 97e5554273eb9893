package inspect

import (
	"strconv"
	"strings"
	"time"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

// cachedTable is a table of a network namespace: the sockets that wait, by inode.
type cachedTable struct {
	space     uint64
	table     int
	until     time.Time
	addresses map[uint64][]string
}

// tableMost is how many bytes of a table are read: two million sockets.
const tableMost = 512 << 20

// netlinkTable is the number of the table of netlink, where protocols are kept as addresses.
const netlinkTable = len(tables)

// table reads a table of the network namespace of a process or thread; a table that the
// kernel does not have is empty.
func (r *Reader) table(dir, table int, space uint64) (map[uint64][]string, error) {
	begin := time.Now()
	for i := range r.sockets {
		c := &r.sockets[i]
		if space != 0 && c.space == space && c.table == table && begin.Before(c.until) {
			return c.addresses, nil
		}
	}
	addresses := map[uint64][]string{}
	add := func(b bound) { addresses[b.inode] = append(addresses[b.inode], b.address) }
	file := "netlink"
	var u unixReader
	each := func(line string) error {
		if inode, protocol, ok := netlinkLine(line); ok {
			add(bound{inode, protocol})
		}
		return nil
	}
	if table != netlinkTable {
		t := &tables[table]
		file = t.file
		each = func(line string) error {
			if t.read == nil {
				u.line(line)
			} else {
				t.read(line, add)
			}
			return nil
		}
	}
	if err := r.lines(dir, "net/"+file, tableMost, each); err != nil && err != unix.ENOENT {
		return nil, err
	}
	for _, b := range u.list {
		add(b)
	}
	end := time.Now()
	if len(r.sockets) == kept {
		r.sockets = append(r.sockets[:0], r.sockets[1:]...)
	}
	r.sockets = append(r.sockets, cachedTable{space, table, end.Add(believed * end.Sub(begin)), addresses})
	return addresses, nil
}

// socketProto is the name of the protocol of an open socket, "TCP", which the kernel keeps as
// an extended attribute: it is told for those of any network namespace.
func (r *Reader) socketProto(dir, fd int) (string, error) {
	// There is no getxattr(2) by a directory; the way by the own descriptor leads to this process
	// and no other.
	path := "/proc/self/fd/" + strconv.Itoa(dir) + "/fd/" + strconv.Itoa(fd)
	var b [64]byte
	n, err := unix.Getxattr(path, "system.sockprotoname", b[:])
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b[:min(n, len(b))]), "\x00"), nil
}

// socket is an open socket: its inode, and the lowest descriptor of it.
type socket struct {
	inode uint64
	fd    int
	proto string
}

// listening finds the sockets that wait, and says of those of netlink which protocol they speak.
func (r *Reader) listening(dir int, list []socket, p *Process) error {
	space := p.space("net").Inode
	for i := range list {
		s := &list[i]
		table := tableOf(s.proto)
		if s.proto == "NETLINK" {
			table = netlinkTable
		}
		if table < 0 {
			continue
		}
		addresses, err := r.table(dir, table, space)
		if err != nil {
			return err
		}
		found := addresses[s.inode]
		if found == nil && space != r.own["net"] {
			// One that came from outside: what a supervisor has opened, and passed.
			if addresses, err = r.ownTable(table); err != nil {
				return err
			}
			found = addresses[s.inode]
		}
		for _, a := range found {
			if table == netlinkTable {
				for j := range p.Files {
					if p.Files[j].FD == s.fd {
						p.Files[j].Text += " (" + a + ")"
					}
				}
				continue
			}
			p.Listening = append(p.Listening, Listener{Protocol: tables[table].name(), Address: a, FD: s.fd})
		}
	}
	order.By(p.Listening, func(a, b *Listener) bool {
		if a.Protocol != b.Protocol {
			return a.Protocol < b.Protocol
		}
		if a.Address != b.Address {
			return a.Address < b.Address
		}
		return a.FD < b.FD
	})
	return nil
}

// ownTable reads a table of the caller's network namespace.
func (r *Reader) ownTable(table int) (map[uint64][]string, error) {
	self, err := r.link(r.proc, "self")
	if err != nil {
		return nil, err
	}
	dir, err := r.open(r.proc, self, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	addresses, err := r.table(dir, table, r.own["net"])
	if closed := unix.Close(dir); err == nil {
		err = closed
	}
	return addresses, err
}
