package dirs

// File is a file or socket of OpenFile=, systemd.service(5). ReadOnly, Append and Truncate
// exclude each other.
type File struct {
	Path, Name                 string // Name: for LISTEN_FDNAMES; empty: the file's own
	ReadOnly, Append, Truncate bool
	Graceful                   bool // a file that is not there is none
}
