//go:build !386 && !amd64

package condition

func cpuidCall(uint32, uint32) (a, b, c, d uint32) { return 0, 0, 0, 0 }

const x86 = false
