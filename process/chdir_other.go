//go:build !linux

package process

type identity struct{}
