package unit

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// entries reads the open directory. What the kernel says of an entry's type saves a system
// call for each.
func entries(fd int, suffix string) ([]entry, error) {
	const head = 19 // of struct linux_dirent64: inode, offset, size of the entry, type
	var found []entry
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return found, nil
		}
		for b := buf[:n]; len(b) > 0; {
			size := 0
			if len(b) > head {
				size = int(binary.NativeEndian.Uint16(b[16:]))
			}
			if size <= head || size > len(b) {
				return nil, unix.EIO
			}
			name, _, _ := bytes.Cut(b[head:size], []byte{0})
			if kind := b[18]; wanted(string(name), suffix) {
				found = append(found, entry{string(name), kind == unix.DT_LNK || kind == unix.DT_UNKNOWN})
			}
			b = b[size:]
		}
	}
}
