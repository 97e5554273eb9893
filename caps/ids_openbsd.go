package caps

import "golang.org/x/sys/unix"

const (
	setUID = "setresuid"
	setGID = "setresgid"
)

func setAllUIDs(n int) error { return unix.Setresuid(n, n, n) }
func setAllGIDs(n int) error { return unix.Setresgid(n, n, n) }

// UIDs are the real, effective and saved user.
func UIDs() ([3]uint32, error) {
	r, e, s := unix.Getresuid()
	return [3]uint32{uint32(r), uint32(e), uint32(s)}, nil
}

// GIDs are the real, effective and saved group.
func GIDs() ([3]uint32, error) {
	r, e, s := unix.Getresgid()
	return [3]uint32{uint32(r), uint32(e), uint32(s)}, nil
}
