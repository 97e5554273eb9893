package policy

import "github.com/hardrun/hardrun/ns"

// PathRule is one path of ReadOnlyPaths= and its kin, systemd.exec(5).
type PathRule struct {
	Path     string
	Tolerate bool // "-": it may be missing
	InRoot   bool // "+": it is a path of the new root, not of the host
}

// Bind is one bind mount of BindPaths= or BindReadOnlyPaths=.
type Bind struct {
	Source   string // a path of the host
	Target   string // a path of the daemon's root
	ReadOnly bool
	Shallow  bool // "norbind": without what is mounted below Source
	Tolerate bool // "-": Source may be missing
}

// Tmpfs is one file system of TemporaryFileSystem=.
type Tmpfs struct {
	Path string
	Attr ns.Attr  // of the mount: nodev and strictatime unless "dev" and "nostrictatime"
	Data []string // of the file system, "size=10%", "mode=0755", in the order they were written
}

// Hostname is the value of ProtectHostname=.
type Hostname struct {
	Mode string // no, yes, private
	Name string // the name in the new namespace; empty for that of the host
}
