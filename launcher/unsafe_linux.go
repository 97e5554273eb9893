package launcher

import "unsafe"

// ptr is the address of a variable for a raw system call; the variable must
// stay reachable until the call returns.
func ptr[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }
