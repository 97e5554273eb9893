package cgroup

import "strings"

// lsmListed tells whether a module is in a list as /sys/kernel/security/lsm has it.
func lsmListed(list, name string) bool {
	for m := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		if m == name {
			return true
		}
	}
	return false
}
