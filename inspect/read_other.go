//go:build !linux

package inspect

import "errors"

// Reader reads processes; there is none here.
type Reader struct{}

var errLinux = errors.New("inspecting a process needs Linux")

// Open says that it needs Linux.
func Open() (*Reader, error) { return nil, errLinux }

// Close does nothing.
func (r *Reader) Close() error { return nil }

// LastCap is caps.LastKnown's stand-in for a kernel that has none: -1.
func (r *Reader) LastCap() int { return -1 }

// PIDs says that it needs Linux.
func (r *Reader) PIDs() ([]int, error) { return nil, errLinux }

// Read says that it needs Linux.
func (r *Reader) Read(int) (*Process, error) { return nil, errLinux }
