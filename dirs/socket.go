package dirs

import (
	"errors"
	"strconv"
)

// Listen is a socket, FIFO or the like that is opened for a service.
type Listen struct {
	Kind     ListenKind
	Address  string // as systemd.socket(5) writes it
	Mode     uint32 // exact, of a path's node or a message queue: systemd's default is 0666
	UID, GID int    // its owner; -1 leaves what the kernel gave
	Name     string // in LISTEN_FDNAMES; empty: that of Options
}

// Options are what systemd.socket(5) says of all sockets of a unit. The zero value is
// systemd's default but for DirectoryMode and Backlog. An option that no socket of the unit
// has is an error.
type Options struct {
	Name          string // FileDescriptorName=, or the name of the socket unit
	DirectoryMode uint32 // of directories that are made; systemd's default is 0755
	Symlinks      []string
	RemoveOnStop  bool
	BindIPv6Only  string // "" and default, both, ipv6-only
	Backlog       uint32 // systemd's default is 4294967295, which the kernel lowers to net.core.somaxconn
	BindToDevice  string
	Protocol      string // SocketProtocol=: udplite, sctp, mptcp
	Writable      bool   // of ListenSpecial=

	ReusePort, FreeBind, Transparent, Broadcast, KeepAlive, NoDelay bool
	PassCredentials, PassPIDFD, PassSecurity, PassPacketInfo        bool
	// RefuseFDs is AcceptFileDescriptors=no.
	RefuseFDs bool

	ReceiveBuffer, SendBuffer, PipeSize uint64 // bytes; 0: not asked
	Mark                                *uint32
	IPTOS, IPTTL, Priority              *int
	Timestamping                        string // "" and off, us, ns
	TCPCongestion                       string
	// In microseconds, rounded up to seconds; 0: not asked.
	KeepAliveTimeSec, KeepAliveIntervalSec, DeferAcceptSec uint64
	KeepAliveProbes                                        uint32 // 0: not asked
	// Both or none.
	MessageQueueMaxMessages, MessageQueueMessageSize uint64
}

// Passed is an open descriptor for the service, with FD_CLOEXEC, from 3 on, and its name in
// LISTEN_FDNAMES.
type Passed struct {
	FD   int
	Name string

	node node
}

// node is what a socket has in the file system.
type node struct {
	what  string    // "ListenStream=/run/x"
	path  string    // empty without one
	queue bool      // path is the name of a message queue
	id    [2]uint64 // device and inode; zero without one
	made  bool      // by this call
	dirs  []string  // that were made for it
	links []link
}

// link is one of Symlinks=.
type link struct {
	path, target string
	made         bool
	dirs         []string
}

// validName tells whether a name can stand in LISTEN_FDNAMES, systemd.socket(5)
// "FileDescriptorName=": 1 to 255 bytes of ASCII, without ":" and control characters.
func validName(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// passedName is the first name that was given, or that of sd_listen_fds_with_names(3) for
// none.
func passedName(names ...string) (string, error) {
	for _, s := range names {
		if s != "" {
			if !validName(s) {
				return "", errors.New("FileDescriptorName=" + strconv.Quote(s) + ": 1 to 255 bytes of ASCII, without \":\" and control characters")
			}
			return s, nil
		}
	}
	return "unknown", nil
}

// openError is an error with what it is about: "ListenStream=127.0.0.1:53".
type openError struct {
	what string
	err  error
}

func (e *openError) Error() string { return e.what + ": " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }

// named puts what an error is about before it; nil stays nil.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return &openError{what, err}
}
