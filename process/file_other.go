//go:build !linux

package process

// fileState is not needed here: what was opened is compared where it is moved.
type fileState struct{}
