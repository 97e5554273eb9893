package process

import "strconv"

// OpenStream puts what a standard descriptor is connected to in its place. The
// file is opened by Prepare, in the host's view and with hardrun's privilege, as
// systemd.exec(5) has it, and moved into place by Apply.
type OpenStream struct {
	FD    int    // 0, 1 or 2
	Path  string // a file or terminal to open; empty for the two below
	Flags int    // of open(2): O_RDONLY, O_WRONLY|O_CREAT|O_APPEND …
	Mode  uint32 // of a file that is created
	Null  bool   // Path must be the null device, whatever the name says (CVE-2025-31133)
	Data  []byte // the contents of an anonymous, sealed file
	Dup   int    // a descriptor to duplicate; -1 for none
	What  string // the line of plan: "stdout to /var/log/x, append"

	opened int
	file   fileState // what was opened, before it was moved anywhere
}

func (s *OpenStream) String() string { return s.What }

// Mechanism is the call as strace shows it.
func (s *OpenStream) Mechanism() string {
	fd := strconv.Itoa(s.FD)
	switch {
	case s.Data != nil:
		return "memfd_create, dup3(" + fd + ")"
	case s.Dup >= 0:
		return "dup3(" + strconv.Itoa(s.Dup) + ", " + fd + ")"
	}
	return "openat(\"" + s.Path + "\"), dup3(" + fd + ")"
}

// Terminal prepares a terminal for the daemon: TTYPath= and its companions.
type Terminal struct {
	Path          string
	Acquire       bool // make it the controlling terminal
	Force         bool // take it away from another session
	Fail          bool // refuse when another session has it
	Reset, Hangup bool
	Disallocate   bool
	Rows, Columns uint16
	What          string

	fd int
}

func (s *Terminal) String() string { return s.What }

// Mechanism is the call as strace shows it.
func (s *Terminal) Mechanism() string {
	if s.Acquire {
		return "setsid, openat(\"" + s.Path + "\"), ioctl(TIOCSCTTY)"
	}
	return "openat(\"" + s.Path + "\"), ioctl"
}

// GiveUpTerminal gives up the inherited controlling terminal, so that the daemon
// cannot type into the shell that started it (TIOCSTI: CVE-2016-2568,
// CVE-2017-5226, CVE-2019-7303).
type GiveUpTerminal struct{}

func (GiveUpTerminal) String() string { return "give up the controlling terminal" }

// Mechanism is the call as strace shows it.
func (GiveUpTerminal) Mechanism() string { return "ioctl(/dev/tty, TIOCNOTTY)" }
