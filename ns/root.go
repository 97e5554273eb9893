package ns

// RootState is what the three steps of a new root share: whether the mount
// namespace and the bind mount could be had.
type RootState struct {
	Dir string // the new root, a path of the host

	state rootState
}

// UnshareMounts gives the process a mount namespace of its own, in which what
// is mounted on the host later still arrives, and nothing goes back.
type UnshareMounts struct{ Root *RootState }

func (UnshareMounts) String() string { return "mount namespace, slave of the host's" }

// Mechanism is the call as strace shows it.
func (UnshareMounts) Mechanism() string {
	return "unshare(CLONE_NEWNS), mount(\"/\", MS_REC|MS_SLAVE)"
}

// BindRoot makes the new root a mount of its own, as pivot_root(2) wants it.
type BindRoot struct{ Root *RootState }

func (s BindRoot) String() string { return "bind " + s.Root.Dir + " on itself" }

// Mechanism is the call as strace shows it.
func (s BindRoot) Mechanism() string {
	return "open_tree(\"" + s.Root.Dir + "\", AT_RECURSIVE), move_mount"
}

// ChangeRoot makes a directory the root. With Pivot the old root is not only
// out of sight but gone from the namespace; chroot(2) is used where the mounts
// for that cannot be had (and CAP_SYS_CHROOT in the daemon's hands would open it
// again: chroot(2), NOTES).
type ChangeRoot struct {
	Root  *RootState
	Pivot bool
}

func (s ChangeRoot) String() string {
	if s.Pivot {
		return "root " + s.Root.Dir + ", the old one detached"
	}
	return "root " + s.Root.Dir
}

// Mechanism is the call as strace shows it.
func (s ChangeRoot) Mechanism() string {
	if s.Pivot {
		return "pivot_root(\".\", \".\"), umount2(\".\", MNT_DETACH), chdir(\"/\")"
	}
	return "chroot(\"" + s.Root.Dir + "\"), chdir(\"/\")"
}
