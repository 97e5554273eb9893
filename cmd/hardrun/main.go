// Command hardrun gives a daemon the confinement of systemd.exec(5) on machines
// and in containers that have no systemd, and then gets out of the way: it
// applies an ordered plan to itself, reads every step back from the kernel, and
// execve's the daemon with the same PID.
//
//	hardrun --user=bind --caps=net_bind_service --chroot=/srv/named -- named -f
package main

import (
	"os"
	"runtime"
)

// The leader of the process is the thread that acts: execve(2) from it carries
// its credentials, and /proc/self is it.
func init() { runtime.LockOSThread() }

func main() {
	args := os.Args
	if len(args) == 0 { // execve(2) with no argv (CVE-2021-4034)
		os.Exit(usage("started without a name"))
	}
	os.Exit(run(args[1:]))
}

// run dispatches: a word is a subcommand only as the first argument, all else
// is a launch.
func run(args []string) int {
	if len(args) > 0 && isSubcommand(args[0]) {
		unpin()
		return subcommand(args)
	}
	return launch(args)
}
