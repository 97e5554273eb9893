package seccomp

import (
	"sort"
	"strings"
)

//go:generate go run -tags libseccomp ./gen

// Call is a system call, whatever its number: an index in the tables.
type Call uint16

// none stands where an architecture has no call of a number.
const none Call = 0xffff

// ByName finds a call by its name in the kernel's tables. It is known if any
// architecture has it.
func ByName(name string) (Call, bool) {
	i := sort.SearchStrings(callNames[:], name)
	if i < len(callNames) && callNames[i] == name {
		return Call(i), true
	}
	return none, false
}

func (c Call) String() string {
	if int(c) >= len(callNames) {
		return "?"
	}
	return callNames[c]
}

// Calls are the names of all calls that the tables know, sorted.
func Calls() []string { return callNames[:] }

// Newest is the highest number that the tables know, of those which are the same on
// every architecture, and the name of its call.
func Newest() (uint32, string) {
	c, _ := abiX86_64.Call(newest)
	return newest, c.String()
}

// Set is a set of calls.
type Set [(callCount + 63) / 64]uint64

// Has tells whether c is in the set.
func (s *Set) Has(c Call) bool { return int(c) < callCount && s[c/64]>>(c%64)&1 == 1 }

// Add puts c into the set.
func (s *Set) Add(c Call) { s[c/64] |= 1 << (c % 64) }

// Remove takes c out of the set.
func (s *Set) Remove(c Call) { s[c/64] &^= 1 << (c % 64) }

// Each hands out the members in the order of their names.
func (s *Set) Each(f func(Call)) {
	for w, bits := range s {
		for n := 0; bits != 0; n, bits = n+1, bits>>1 {
			if bits&1 == 1 {
				f(Call(w*64 + n))
			}
		}
	}
}

// Group is a named set, systemd.exec(5) SystemCallFilter=. The name begins with "@".
type Group struct {
	Name    string
	Set     Set    // with the members of the groups in it
	Members string // the names of calls and groups, blanks between
}

// GroupByName finds a group. @io-uring is hardrun's own, all others are systemd's.
func GroupByName(name string) (*Group, bool) {
	i := sort.Search(len(groupTable), func(i int) bool { return groupTable[i].name >= name })
	if i < len(groupTable) && groupTable[i].name == name {
		return &Group{name, groupTable[i].set, groupTable[i].members}, true
	}
	return nil, false
}

// Groups are the names of all groups, sorted.
func Groups() []string {
	names := make([]string, len(groupTable))
	for i := range groupTable {
		names[i] = groupTable[i].name
	}
	return names
}

// MustSet is the set of these calls and groups. A name that is neither is a slip of who
// wrote it here, and would deny nothing: it panics.
func MustSet(names ...string) *Set {
	var set Set
	for _, name := range names {
		if g, ok := GroupByName(name); ok {
			g.Set.Each(set.Add)
		} else if c, ok := ByName(name); ok {
			set.Add(c)
		} else {
			panic("internal error: no call and no group " + name)
		}
	}
	return &set
}

// ErrnoByName is the number of an error of Linux by its name in errno(3).
func ErrnoByName(name string) (uint16, bool) {
	if strings.HasPrefix(name, "E") {
		for _, e := range errnoTable {
			if e.name == name {
				return e.number, true
			}
		}
	}
	return 0, false
}

// errnoName is the name of an error; empty where it has none.
func errnoName(number uint16) string {
	i := sort.Search(len(errnoTable), func(i int) bool { return errnoTable[i].number >= number })
	if i < len(errnoTable) && errnoTable[i].number == number {
		return errnoTable[i].name
	}
	return ""
}

// ByIOUring tells whether io_uring makes what a call makes, without that call: the
// operations of linux/io_uring.h as of Linux 6.18.
func ByIOUring(c Call) bool {
	name := c.String()
	i := sort.SearchStrings(uringCalls[:], name)
	return i < len(uringCalls) && uringCalls[i] == name
}

var uringCalls = [...]string{
	"accept", "accept4", "bind", "close", "connect", "creat", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"fadvise64", "fadvise64_64", "fallocate", "fdatasync", "fgetxattr", "fsetxattr", "fsync", "ftruncate", "futex", "futex_requeue", "futex_wait", "futex_waitv",
	"futex_wake", "getsockopt", "getxattr", "link", "linkat", "listen", "madvise", "mkdir", "mkdirat",
	"open", "openat", "openat2", "pipe", "pipe2", "poll", "ppoll", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readv",
	"recv", "recvfrom", "recvmsg", "rename", "renameat", "renameat2", "rmdir", "send", "sendmsg", "sendto", "setsockopt", "setxattr", "shutdown",
	"socket", "splice", "statx", "symlink", "symlinkat", "sync_file_range", "tee", "unlink", "unlinkat", "waitid", "write", "writev",
}
