package ns

import (
	"strconv"
	"strings"
)

// View is the daemon's view of the file system while it is made. All steps of a
// view share it: Layers are what is mounted, in the order of their paths; Rules
// are what is protected or exempted from that, the deepest path deciding.
//
// Paths of layers and rules are those of the daemon's root. They are looked up
// inside of it, links included, and by descriptors only.
type View struct {
	Root   string // the new root, a path of the host; empty for the present root
	Empty  bool   // the new root is an empty file system in memory, and Root is empty
	Files  []File // what the empty root holds: directories, links, and the places of binds
	Texts  []Text // small files of the empty root
	Layers []*Layer
	Rules  []*Rule
	NoSUID bool   // of every mount: NoNewPrivileges= was written, systemd.exec(5)
	Flags  string // MountFlags=: shared, slave or private
	Mknod  bool   // device nodes can be made; else those of the host are bound
	UserNS bool   // the mounts belong to a user namespace that is not the first one
	// Chrooted says that the process is in a chroot(2), whose root is no mount: it
	// becomes one, in a mount namespace whose root was entered for that.
	Chrooted bool
	// Private says that the daemon's user is who starts it: no link of that user's is
	// mistrusted, as there is nobody to be protected from.
	Private bool
	// OneByOne sets attributes mount by mount, as the kernel has no mount_setattr(2).
	OneByOne bool

	state viewState
}

// Text is a small file with its content.
type Text struct {
	Path, Text string
}

// LayerKind says what a layer mounts.
type LayerKind uint8

// The kinds of layers.
const (
	LayerBind    LayerKind = iota // a file or a tree of the host
	LayerTmpfs                    // an empty file system in memory
	LayerDev                      // a small /dev: tmpfs with pseudo devices
	LayerProc                     // a procfs
	LayerSys                      // a sysfs, of the own network namespace
	LayerCgroup                   // a cgroup2, with the own cgroup as its root
	LayerBPF                      // a bpffs
	LayerMqueue                   // the message queues of the own IPC namespace
	LayerLines                    // a file of the view with lines behind those it has: Text
	LayerBooted                   // a directory of the view as it is, and "system" in it, an empty one
	LayerSecrets                  // files for one user, in memory that is not swapped
	LayerLink                     // a symbolic link that leads to Text; it mounts nothing
)

// Layer is one thing to mount.
type Layer struct {
	Kind     LayerKind
	Path     string // where
	Source   string // LayerBind: a path of the host
	Shallow  bool   // LayerBind: without what is mounted below Source
	Tolerate bool   // LayerBind: Source may be missing
	Optional bool   // Path may be missing: nothing is mounted then
	Unless   bool   // nothing is mounted where Path is a mount point already
	Socket   bool   // LayerBind: anything but a socket is an error
	Bare     bool   // LayerDev: only the devices, without what the host has below its /dev
	Attr     Attr
	Data     []string // options of the file system
	From     int      // LayerTmpfs: the file system that SharedTmp has made; 0 for a new one
	Text     string   // LayerLines, LayerLink
	Secrets  *Secrets // LayerSecrets

	state layerState
}

// Secrets are files in a directory of their own, which one user can read and nobody else.
type Secrets struct {
	Name  string // of the directory
	UID   uint32
	Files []Secret
}

// Secret is one of them.
type Secret struct {
	Name string
	Data []byte
}

// late tells whether the layer changes what others show, and so comes after them.
func (l *Layer) late() bool { return l.Kind == LayerLines || l.Kind == LayerLink }

// Access is what a rule says of writing, or of any use.
type Access uint8

// The kinds of access. Implicit ones yield to every other at the same path.
const (
	AsIs Access = iota
	Hidden
	Unwritable
	Writable
	WritableImplicit
)

// Execution is what a rule says of executing.
type Execution uint8

// The kinds of execution.
const (
	ExecAsIs Execution = iota
	Unexecutable
	Executable
)

// Devices is what a rule says of opening device nodes.
type Devices uint8

// The kinds of what becomes of device nodes.
const (
	DevicesAsIs   Devices = iota
	DevicesClosed         // none can be opened: nodev
	DevicesOpen           // as it was before any rule
)

// Rule is one path and what is to hold for it and all below it.
type Rule struct {
	Path     string
	Access   Access
	Exec     Execution
	Devices  Devices
	Optional bool // Path may be missing: there is nothing to protect then
	Shallow  bool // Unwritable is for the one mount at Path, not for what is mounted below it

	state ruleState
}

// MountLayer mounts one layer.
type MountLayer struct {
	View  *View
	Layer *Layer
}

func (s MountLayer) String() string {
	l := s.Layer
	t := ""
	switch l.Kind {
	case LayerBind:
		t = "bind " + l.Source
		if l.Path != l.Source {
			t += " on " + l.Path
		}
		if l.Shallow {
			t += ", without its submounts"
		}
	case LayerTmpfs:
		t = "tmpfs on " + l.Path
		if l.From > 0 {
			t = "the service's tmpfs on " + l.Path
		}
	case LayerLines:
		line, _, _ := strings.Cut(l.Text, ":")
		return l.Path + " with a line for " + line
	case LayerBooted:
		return "an empty " + l.Path + "/system"
	case LayerSecrets:
		t = strconv.Itoa(len(l.Secrets.Files)) + " files in unswappable memory in " + l.Path + "/" + l.Secrets.Name
	case LayerLink:
		return "link " + l.Path + " to " + l.Text
	case LayerDev:
		t = "a small " + l.Path + ": null zero full random urandom tty"
		switch {
		case l.Bare:
		case s.View.Mknod:
			t += " ptmx, pts shm mqueue hugepages of the host"
		default:
			t += " of the host, ptmx and pts of its own, shm mqueue hugepages of the host"
		}
	case LayerProc:
		t = "procfs on " + l.Path
	case LayerSys:
		t = "sysfs of the own network namespace on " + l.Path
	case LayerCgroup:
		t = "cgroup2 of the own cgroup namespace on " + l.Path
	case LayerBPF:
		t = "bpf file system on " + l.Path
	case LayerMqueue:
		t = "message queues of the own IPC namespace on " + l.Path
	}
	if opts := l.options(); opts != "" {
		t += " (" + opts + ")"
	}
	return t
}

func (l *Layer) options() string {
	var list []string
	list = append(list, l.Data...)
	list = append(list, l.Attr.names()...)
	return strings.Join(list, ",")
}

func (a Attr) names() []string {
	var list []string
	for _, n := range [...]struct {
		bit  Attr
		name string
	}{{ReadOnly, "ro"}, {NoSUID, "nosuid"}, {NoDev, "nodev"}, {NoExec, "noexec"}, {NoAtime, "noatime"}, {StrictAtime, "strictatime"}, {NoDirAtime, "nodiratime"}, {NoSymFollow, "nosymfollow"}} {
		if a&n.bit != 0 {
			list = append(list, n.name)
		}
	}
	return list
}

// Mechanism is the call as strace shows it.
func (s MountLayer) Mechanism() string {
	l := s.Layer
	switch l.Kind {
	case LayerBind:
		return "open_tree(\"" + l.Source + "\", OPEN_TREE_CLONE), move_mount(\"" + l.Path + "\")"
	case LayerDev:
		return "fsopen(\"tmpfs\"), mknodat, move_mount(\"" + l.Path + "\")"
	case LayerLines:
		return "fsopen(\"tmpfs\"), open_tree(OPEN_TREE_CLONE), move_mount(\"" + l.Path + "\")"
	case LayerLink:
		return "symlinkat(\"" + l.Text + "\", \"" + l.Path + "\")"
	case LayerTmpfs:
		if l.From > 0 {
			return "setns(" + strconv.Itoa(l.From) + ", CLONE_NEWNS), open_tree(OPEN_TREE_CLONE), move_mount(\"" + l.Path + "\")"
		}
	}
	return "fsopen(\"" + l.Kind.fs() + "\"), fsmount, move_mount(\"" + l.Path + "\")"
}

func (k LayerKind) fs() string {
	return [...]string{"", "tmpfs", "tmpfs", "proc", "sysfs", "cgroup2", "bpf", "mqueue", "", "tmpfs", "tmpfs", ""}[k]
}

// Protect puts one rule into force.
type Protect struct {
	View *View
	Rule *Rule
	But  []*Rule // exemptions which belong to the rule
}

func (s Protect) String() string {
	var list []string
	switch s.Rule.Access {
	case Hidden:
		list = append(list, "inaccessible")
	case Unwritable:
		list = append(list, "read-only")
	case Writable, WritableImplicit:
		list = append(list, "as writable as it was:")
	}
	switch s.Rule.Exec {
	case Unexecutable:
		list = append(list, "noexec")
	case Executable:
		list = append(list, "executable")
	}
	if s.Rule.Devices == DevicesClosed {
		list = append(list, "nodev")
	}
	t := strings.Join(append(list, s.Rule.Path), " ")
	for i, r := range s.But {
		if i == 0 {
			t += ", but for"
		}
		t += " " + r.Path
	}
	return t
}

// Mechanism is the call as strace shows it.
func (s Protect) Mechanism() string {
	if s.Rule.Access == Hidden {
		return "open_tree, move_mount(\"" + s.Rule.Path + "\")"
	}
	return "open_tree(\"" + s.Rule.Path + "\"), mount_setattr(AT_RECURSIVE), move_mount"
}

// NewMounts gives the process a mount namespace of its own for the view.
type NewMounts struct{ View *View }

func (NewMounts) String() string { return "mount namespace, slave of the host's" }

// Mechanism is the call as strace shows it.
func (NewMounts) Mechanism() string {
	return "unshare(CLONE_NEWNS|CLONE_FILES), mount(\"/\", MS_REC|MS_SLAVE)"
}

// NewRoot makes the new root a mount of its own.
type NewRoot struct{ View *View }

func (s NewRoot) String() string {
	if s.View.Empty {
		t := "an empty root in memory"
		for i, f := range s.View.Texts {
			if i == 0 {
				t += ", with"
			}
			t += " " + f.Path
		}
		return t
	}
	if s.View.Root == "" {
		return "bind the root of the chroot on itself"
	}
	return "bind " + s.View.Root + " on itself"
}

// Mechanism is the call as strace shows it.
func (s NewRoot) Mechanism() string {
	if s.View.Empty {
		return "fsopen(\"tmpfs\"), fsmount, move_mount"
	}
	return "open_tree(\"" + s.View.Root + "\", AT_RECURSIVE), move_mount"
}

// EnterRoot makes the new root the root of the process, and detaches the old one.
type EnterRoot struct{ View *View }

func (s EnterRoot) String() string {
	if s.View.Empty {
		return "the new root, the old one detached"
	}
	if s.View.Root == "" {
		return "the root of the chroot as that of the mounts, the host's detached"
	}
	return "root " + s.View.Root + ", the old one detached"
}

// Mechanism is the call as strace shows it.
func (EnterRoot) Mechanism() string {
	return "pivot_root(\".\", \".\"), umount2(\".\", MNT_DETACH), chdir(\"/\")"
}

// SealView sets the propagation of all mounts, and reads the whole view back.
type SealView struct{ View *View }

func (s SealView) String() string {
	flags := s.View.Flags
	if flags == "" {
		flags = "shared"
	}
	switch flags {
	case "private":
		return "mounts private: what the host mounts later does not arrive"
	case "slave":
		return "mounts slave: what the host mounts later arrives"
	}
	return "mounts shared among the daemon's own, slave of the host's: what the host mounts later arrives"
}

// Mechanism is the call as strace shows it.
func (s SealView) Mechanism() string {
	return "mount_setattr(\"/\", AT_RECURSIVE), read(/proc/self/mountinfo)"
}
