//go:build !linux

package unit

import "golang.org/x/sys/unix"

// entries reads the open directory.
func entries(fd int, suffix string) ([]entry, error) {
	var found []entry
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return found, nil
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if wanted(name, suffix) {
				found = append(found, entry{name, true})
			}
		}
	}
}
