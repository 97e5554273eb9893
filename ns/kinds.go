package ns

// Kinds is a set of namespaces, as the CLONE_NEW flags of linux/sched.h.
type Kinds uint64

// The namespaces of namespaces(7).
const (
	NewNS     Kinds = 0x00020000 // mount
	NewCgroup Kinds = 0x02000000
	NewUTS    Kinds = 0x04000000
	NewIPC    Kinds = 0x08000000
	NewUser   Kinds = 0x10000000
	NewPID    Kinds = 0x20000000
	NewNet    Kinds = 0x40000000
)

// Delegable are the kinds which DelegateNamespaces= can name.
const Delegable = NewNS | NewCgroup | NewUTS | NewIPC | NewPID | NewNet

// Attr are attributes of a mount, as the MOUNT_ATTR flags of mount_setattr(2).
type Attr uint64

// The attributes.
const (
	ReadOnly    Attr = 0x1
	NoSUID      Attr = 0x2
	NoDev       Attr = 0x4
	NoExec      Attr = 0x8
	NoAtime     Attr = 0x10
	StrictAtime Attr = 0x20
	NoDirAtime  Attr = 0x80
	NoSymFollow Attr = 0x200000
)
