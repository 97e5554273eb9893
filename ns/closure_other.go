//go:build !linux

package ns

// openBeneath opens a relative name below a directory. Not one of its
// components may be a symbolic link (ELOOP, ENOTDIR, EMLINK), with oneFS none
// may be on another file system (EXDEV). The descriptor is closed on exec.
func openBeneath(dir int, name string, flags int, oneFS bool) (int, error) {
	return openByStep(dir, name, flags, oneFS)
}
