// Package inspect reads what confines another process, from the kernel alone, and compares it
// with what a policy asks for.
//
// Nothing is asked of the process itself, and nothing is changed. What the caller may not see
// is said to be unknown, never taken for absent. Names, arguments, paths and addresses are other
// people's text: they hold any bytes, line feeds and the escapes of terminals among them, and
// who prints them makes them harmless.
package inspect

import (
	"errors"

	"github.com/hardrun/hardrun/caps"
)

// ErrGone is that there is no process of that number, not anymore, or none that may be seen
// (hidepid= of proc(5)).
var ErrGone = errors.New("no such process")

// Process is a process as it was found. Fields that could not be read are in Unknown.
type Process struct {
	PID, PPID int
	Start     uint64 // when it was started, in ticks of the clock: with PID it names a process for good
	Name      string // comm of the leader
	// Kernel is a thread of the kernel, Zombie a process that has ended and waits for its
	// parent. Neither has anything that could be confined.
	Kernel, Zombie bool
	Tracer         int      // the process that traces it by ptrace(2); 0 for none
	Nice           int      // of the leader
	PIDs           []int    // its numbers, of the own PID namespace first and its innermost last; one where the kernel does not say
	Exe            string   // the executable, "/srv/x (deleted)" as the kernel shows it; empty where there is none (a kernel thread) or it may not be seen
	Args           []string // the arguments, as the process shows them
	Threads        []Threads
	Spaces         []Space // the namespaces, in the order of /proc/PID/ns
	Root           string  // the root directory, as seen from here; "/" for the own one, and for one that cannot be reached from here (pivot_root(2))
	Cwd            string
	// NewRoot is that the root directory is not that of process 1: another directory, or in
	// the mount namespace of process 1 another mount of the same. Namespaces of mounts have
	// mounts of their own in any case.
	NewRoot bool
	OwnRoot bool // as NewRoot, but of the caller, and the other way round: it is the caller's
	// Mounts are shared among processes that have the same: they are not to be changed.
	Mounts    []Mount
	UMask     uint32
	Limits    []Limit
	OOMAdjust int
	Groups    []Group // control groups, those of every hierarchy
	Programs  []Program
	Files     []File     // open descriptors that matter: see File
	Listening []Listener // sockets that wait for connections, or are bound
	Label     string     // of the LSM; empty for none
	// Unknown are the fields that could not be read, by name, with the reason.
	Unknown []Unknown
}

// Unknown is something that could not be read. What is the name of the field, of Process or of
// Credentials ("Mounts", "NoNewPrivs").
type Unknown struct{ What, Why string }

// Why is the reason why a field could not be read, and empty for one that was.
func (p *Process) Why(what string) string {
	for _, u := range p.Unknown {
		if u.What == what {
			return u.Why
		}
	}
	return ""
}

// lacks notes that a field could not be read, once.
func (p *Process) lacks(what, why string) {
	if p.Why(what) == "" {
		p.Unknown = append(p.Unknown, Unknown{what, why})
	}
}

// Threads are the threads of a process which have the same credentials, and see the same.
type Threads struct {
	IDs        []int // ascending; the leader's is the PID
	State      Credentials
	Names      []string // the different comm of them, ascending
	Scheduling string   // "other", "fifo 10", … of the first
	// Apart is what else they do not share with the first group of threads, each a word of
	// "net", "mnt", "ipc", "uts", "cgroup", "pid_for_children" (a namespace), "root", "cwd",
	// "control group" and "label", ascending. What Process says of that is not true of them.
	Apart []string
}

// Credentials are what /proc/PID/task/TID/status says of a thread.
type Credentials struct {
	UID, GID [4]uint32 // real, effective, saved, file system
	Groups   []uint32  // ascending
	Inheritable, Permitted, Effective,
	Bounding, Ambient caps.Set
	NoNewPrivs bool
	Seccomp    int // 0, 1 strict, 2 filter; -1 where the kernel does not say
	Filters    int // how many; -1 where the kernel does not say
	// Absent are the fields that the kernel does not tell, by name; they are zero, but for
	// the above, and in Process.Unknown as well.
	Absent []string
}

// Space is a namespace.
type Space struct {
	Kind  string // "mnt", "pid_for_children"
	Inode uint64 // 0 for one that has no process yet: pid_for_children before the first fork(2)
	// Host tells whether it is that of process 1; Known whether that could be seen.
	Host, Known bool
	// Own is as Host, but for the caller's own one: what "other than here" means in a container.
	Own bool
}

// Mount is a line of /proc/PID/mountinfo, proc_pid_mountinfo(5).
type Mount struct {
	ID, Parent   int
	Root         string // in its file system
	Point        string // as the process sees it
	Type, Source string
	Options      []string // of the mount: ro, nosuid, nodev, noexec, …
	Super        []string // of the file system
	Covered      bool     // another one is mounted over it or above: no path of the process leads to it
}

// Has tells whether the mount, or its file system where that alone decides ("ro"), has the option.
func (m *Mount) Has(option string) bool {
	for _, o := range m.Options {
		if o == option {
			return true
		}
	}
	if option == "ro" {
		for _, o := range m.Super {
			if o == option {
				return true
			}
		}
	}
	return false
}

// Limit is a resource limit; unlimited is process.Infinity.
type Limit struct {
	Name       string // "NOFILE", of process.Limits
	Soft, Hard uint64
}

// Group is a control group.
type Group struct {
	Hierarchy string // controllers of v1, or empty for v2
	Path      string // from the root of the hierarchy, as the caller's namespace shows it
}

// Program is a BPF program that is attached to a control group of the process or one above it,
// and in effect there.
type Program struct {
	Attach string // "device", "ingress", "egress", "bind4", …
	ID     uint32
	Name   string  // as it was loaded; empty where the caller may not ask (CAP_SYS_ADMIN)
	Tag    [8]byte // the kernel's hash of what it does; zero where the caller may not ask
	Group  string  // where it is attached; empty for above all that can be seen from here
}

// File is an open descriptor that gives more than the name space and the credentials of the
// process do: a device but null, zero, full, random, urandom and terminals, a raw, packet or
// netlink socket, memory of another process, a directory outside of the root, a BPF object, …
type File struct {
	FD   int
	Kind string // "device", "directory", "file", "socket", "process", "namespace", "bpf", "anonymous"
	Text string // what it is: "/dev/mem", "packet socket"
}

// Listener is a socket that waits for connections or packets of anybody.
type Listener struct {
	Protocol string // tcp, tcp6, udp, udp6, udplite, udplite6, raw, raw6, unix, sctp
	// Address is "127.0.0.1:53", "[::1]:53", "/run/x.sock", "@abstract"; the number behind
	// a raw socket's is the protocol. It is "?" for a socket of Unix that somebody else
	// pretends to have an address for, by line feeds in a name.
	Address string
	FD      int // the lowest that is this socket
}
