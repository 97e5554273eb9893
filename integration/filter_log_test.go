//go:build linux

package integration

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// records listens to what the kernel logs of system calls, audit(8), and gives what it
// has logged of a program up to a record that is awaited. Where no auditd(8) runs these
// are also the lines of dmesg(1), of which not more than ten are printed at once.
func records(t *testing.T, program string) func(until string) []string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		t.Skip("needs NETLINK_AUDIT (CONFIG_AUDIT): " + err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	const readLog = 1 // AUDIT_NLGRP_READLOG of linux/audit.h
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: readLog}); err != nil {
		t.Skip("needs CAP_AUDIT_READ, to see what is logged: " + err.Error())
	}
	// No test waits for a time: these only end what hangs, and hold what others log.
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
	)
	if err != nil {
		t.Fatal(err)
	}
	return func(until string) []string {
		t.Helper()
		var list []string
		buf := make([]byte, 16<<10)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case err != nil:
				t.Fatalf("%s of %s was not logged, but %q: %v", until, program, list, err)
			}
			m := recordOf.FindStringSubmatch(string(buf[:n]))
			if m == nil || m[1] != program {
				continue
			}
			if m[2] == until {
				return list
			}
			list = append(list, m[2])
		}
	}
}

var recordOf = regexp.MustCompile(`exe="([^"]*)" (sig=\d+ arch=[0-9a-f]+ syscall=\d+) .*code=`)

// What is to be logged is in the kernel's log, by whatever way the call is made, and
// is answered as without; who is killed is there as well, who gets an error is not.
func TestFilterLog(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	x8664, i386 := requireVictims(t)
	if actions := read(t, "/proc/sys/kernel/seccomp/actions_logged"); !strings.Contains(actions, "log") || !strings.Contains(actions, "kill_process") {
		t.Skip("needs log and kill_process in sysctl kernel.seccomp.actions_logged")
	}
	for _, c := range []struct {
		name    string
		options []string
		want    string   // the answer to getppid
		log     []string // of getppid by 64, 32 and an i386 program, in this order
	}{
		{"SystemCallLog", opt("--system-call-log=getppid"), ok, []string{"sig=0 arch=c000003e syscall=110", "sig=0 arch=40000003 syscall=64", "sig=0 arch=40000003 syscall=64"}},
		{"SystemCallLog of a group", opt("--system-call-log=@default", "--system-call-log=~execve exit_group uname brk getpid"), ok, []string{"sig=0 arch=c000003e syscall=110", "sig=0 arch=40000003 syscall=64", "sig=0 arch=40000003 syscall=64"}},
		{"SystemCallFilter", opt("--system-call-filter=~getppid:log"), ok, []string{"sig=0 arch=c000003e syscall=110", "sig=0 arch=40000003 syscall=64", "sig=0 arch=40000003 syscall=64"}},
		{"allowed", opt("--system-call-log=getppid", "--system-call-filter=@system-service"), ok, []string{"sig=0 arch=c000003e syscall=110", "sig=0 arch=40000003 syscall=64", "sig=0 arch=40000003 syscall=64"}},
		{"an error", opt("--system-call-log=getppid", "--system-call-filter=~getppid:EXFULL"), "EXFULL", nil},
		{"another call", opt("--system-call-log=getuid"), ok, nil},
		{"killed", opt("--system-call-log=getppid", "--system-call-filter=~getppid"), sigsys, []string{"sig=31 arch=c000003e syscall=110", "sig=31 arch=40000003 syscall=64", "sig=31 arch=40000003 syscall=64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			prefix := slices.Concat([]string{hardrun}, c.options, []string{"--"})
			var got []string
			want := c.log
			for _, v := range []struct {
				program string
				words   []string
			}{
				{x8664, []string{chainOf(t, by64, "getpid"), chainOf(t, by64, "getppid"), chainOf(t, by32, "getppid")}},
				{i386, []string{chainOf(t, byELF, "getpid"), chainOf(t, byELF, "getppid")}},
			} {
				if v.program == "" {
					continue
				}
				program := copied(t, v.program, directory(t, 0o755)+"/victim", 0o755)
				log := records(t, program)
				if i386 == "" {
					v.words, want = v.words[:2], want[:min(1, len(want))]
				}
				equals(t, "answers", chains(t, prefix, program, v.words), append([]string{ok}, slices.Repeat([]string{c.want}, len(v.words)-1)...))
				// What is logged comes in the order in which it was: this is the end.
				end := chains(t, []string{hardrun, "--system-call-log=umask", "--"}, program, []string{chainOf(t, v.words[0][:2], "umask 18")})
				equals(t, "the end", end, []string{ok})
				until := "sig=0 arch=c000003e syscall=95"
				if v.program == i386 {
					until = "sig=0 arch=40000003 syscall=60"
				}
				got = append(got, log(until)...)
			}
			equals(t, "log", got, want)
		})
	}
}
