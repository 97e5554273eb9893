//go:build !linux

package ns

const onLinux = false
