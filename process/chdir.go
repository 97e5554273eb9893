package process

// ChangeDir changes the working directory, as the final user (a root-squashing
// NFS server must agree).
type ChangeDir struct {
	Path     string
	Tolerate bool // a missing directory is no error: "-"

	identity identity // what the directory was, looked up before without magic links
	missing  bool
}

func (s *ChangeDir) String() string { return "change to " + s.Path }

// Mechanism is the call as strace shows it.
func (s *ChangeDir) Mechanism() string { return "chdir(\"" + s.Path + "\")" }
