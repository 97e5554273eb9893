//go:build !linux

package launcher

import "strconv"

func errnoText(errno int) string { return "errno " + strconv.Itoa(errno) }
