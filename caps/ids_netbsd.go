package caps

import "golang.org/x/sys/unix"

// setuid(2) and setgid(2) of root set all three; there is no setresuid(2).
const (
	setUID = "setuid"
	setGID = "setgid"
)

func setAllUIDs(n int) error { return unix.Setuid(n) }
func setAllGIDs(n int) error { return unix.Setgid(n) }

// UIDs are the real, effective and saved user. No call tells the saved one; it is
// the effective one since execve(2), and SetUID.Verify tries it.
func UIDs() ([3]uint32, error) {
	e := uint32(unix.Geteuid())
	return [3]uint32{uint32(unix.Getuid()), e, e}, nil
}

// GIDs are the real, effective and saved group, as UIDs.
func GIDs() ([3]uint32, error) {
	e := uint32(unix.Getegid())
	return [3]uint32{uint32(unix.Getgid()), e, e}, nil
}
