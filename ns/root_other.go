//go:build !linux

package ns

type rootState struct{}
