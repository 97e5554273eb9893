package ns

import "strconv"

// Unshare gives the process a namespace of its own: network, IPC, UTS or cgroup.
type Unshare struct {
	Kind Kinds

	before string // what the namespace was, "net:[4026531840]"
}

// Name is the word for a kind, as DelegateNamespaces= has it.
func (k Kinds) Name() string {
	switch k {
	case NewNS:
		return "mnt"
	case NewCgroup:
		return "cgroup"
	case NewUTS:
		return "uts"
	case NewIPC:
		return "ipc"
	case NewUser:
		return "user"
	case NewPID:
		return "pid"
	case NewNet:
		return "net"
	}
	return "namespaces " + strconv.FormatUint(uint64(k), 16)
}

func (k Kinds) long() string {
	return map[Kinds]string{NewNet: "network", NewIPC: "IPC", NewUTS: "host name", NewCgroup: "cgroup", NewUser: "user", NewPID: "PID", NewNS: "mount"}[k]
}

func (k Kinds) flag() string {
	return map[Kinds]string{NewNet: "CLONE_NEWNET", NewIPC: "CLONE_NEWIPC", NewUTS: "CLONE_NEWUTS", NewCgroup: "CLONE_NEWCGROUP", NewUser: "CLONE_NEWUSER", NewPID: "CLONE_NEWPID", NewNS: "CLONE_NEWNS"}[k]
}

func (s *Unshare) String() string { return s.Kind.long() + " namespace" }

// Mechanism is the call as strace shows it.
func (s *Unshare) Mechanism() string { return "unshare(" + s.Kind.flag() + ")" }

// Join moves the process into the namespace at a path of the host, or into an open one.
type Join struct {
	Kind Kinds
	Path string
	Open int // a descriptor of it, in place of Path; 0 for none

	fd   int
	want string // "net:[4026532177]"
}

// Want is the name of the namespace, "user:[4026531837]", once Prepare has opened it.
func (s *Join) Want() string { return s.want }

func (s *Join) String() string {
	if s.Open > 0 {
		return s.Kind.long() + " namespace of the service"
	}
	return s.Kind.long() + " namespace of " + s.Path
}

// Mechanism is the call as strace shows it.
func (s *Join) Mechanism() string {
	if s.Open > 0 {
		return "setns(" + strconv.Itoa(s.Open) + ", " + s.Kind.flag() + ")"
	}
	return "setns(\"" + s.Path + "\", " + s.Kind.flag() + ")"
}

// LoopbackUp turns the loopback interface of a new network namespace on.
type LoopbackUp struct{}

func (LoopbackUp) String() string { return "interface lo up" }

// Mechanism is the call as strace shows it.
func (LoopbackUp) Mechanism() string { return "ioctl(SIOCSIFFLAGS, lo, IFF_UP)" }

// SetHostname sets the host name of the own UTS namespace.
type SetHostname struct{ Name string }

func (s SetHostname) String() string { return "host name " + s.Name }

// Mechanism is the call as strace shows it.
func (s SetHostname) Mechanism() string { return "sethostname(\"" + s.Name + "\")" }
