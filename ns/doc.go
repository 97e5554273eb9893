// Package ns knows namespaces, mounts, the root directory and its closure.
//
// The closure of a command is everything a root directory must hold for the
// command to start, and a cage is such a root on disk:
//
//	report, err := ns.Cage(ns.CageSpec{Dir: "/srv/named", Command: "/usr/sbin/named"})
package ns
