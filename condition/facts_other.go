//go:build !linux

package condition

import "errors"

var errLinux = errors.New("known on Linux only")

func (f *Facts) fileSystem(string) (magic uint32, readOnly, ok bool, err error) {
	return 0, false, false, errLinux
}
func (f *Facts) isReadWrite(string) (bool, error)  { return false, errLinux }
func (f *Facts) isMountPoint(string) (bool, error) { return false, errLinux }
func affinity() (int, error)                       { return 0, errLinux }
func physicalMemory() (uint64, error)              { return 0, errLinux }
func inBoundingSet(int) (bool, error)              { return false, errLinux }
func audited() (bool, error)                       { return false, errLinux }
