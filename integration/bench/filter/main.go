//go:build linux

// Command filter builds the one filter of a whole hardening set, loads it, and prints
// how long that took: once, in a new process, as a launch does it. c/stack.c does the
// same as systemd does.
//
//	filter          all ways into the kernel
//	filter native   with SystemCallArchitectures=native
//	filter names    only prints the calls of its SystemCallFilter=, for c/stack.c
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// nonce is the canary's: it need not be random here.
const nonce = 1

// A filter is the thread's that loads it: the one that ends the process.
func init() { runtime.LockOSThread() }

func main() {
	var what string
	if len(os.Args) == 2 {
		what = os.Args[1]
	}
	lines, err := callLines("@system-service", "~@privileged @resources")
	if err != nil {
		fatal(err)
	}
	calls := policy.MergeCalls(lines, true)
	if what == "names" {
		for _, e := range calls.Listed {
			fmt.Println(e.Call)
		}
		return
	}
	start := time.Now()
	p, err := build(calls, what == "native")
	if err != nil {
		fatal(err)
	}
	built := time.Now()
	if err := load(p); err != nil {
		fatal(err)
	}
	end := time.Now()
	if _, _, errno := unix.RawSyscall(unix.SYS_PRCTL, seccomp.CanaryOption, nonce, 0); errno != seccomp.CanaryErrno {
		fatal(errors.New("the filter is not in force"))
	}
	fmt.Printf("total_ns %d\nbuild_ns %d\nload_ns %d\nfilters 1\ninstructions %d\n", end.Sub(start), built.Sub(start), end.Sub(built), len(p))
}

// callLines are the lines of SystemCallFilter=. systemd, too, has read and merged them
// before it makes a filter.
func callLines(lines ...string) ([]policy.Item[policy.CallLine], error) {
	var all []policy.Item[policy.CallLine]
	for i, s := range lines {
		l, err := policy.ParseCallLine(s)
		if err != nil {
			return nil, err
		}
		all = append(all, policy.Item[policy.CallLine]{V: l, From: policy.Origin{File: "bench", Line: i + 1}})
	}
	return all, nil
}

// build makes the program of all directives, in systemd's order, with the canary.
func build(calls *policy.Calls, native bool) (seccomp.Program, error) {
	const inet, inet6, netlink, local = unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_UNIX
	f := seccomp.New(seccomp.Machine(runtime.GOARCH))
	by := func(name string) uint16 { return f.Source(seccomp.Source{Directive: name, Origin: "bench"}) }
	deny := func(directive string, names ...string) { f.Deny(by(directive), seccomp.MustSet(names...)) }
	f.DenyIOUring(by("RestrictAddressFamilies"))
	deny("ProtectHostname", "sethostname", "setdomainname")
	f.RestrictAddressFamilies(by("RestrictAddressFamilies"), true, []uint32{inet, inet6, netlink, local})
	f.MemoryDenyWriteExecute(by("MemoryDenyWriteExecute"))
	f.RestrictRealtime(by("RestrictRealtime"))
	f.RestrictSUIDSGID(by("RestrictSUIDSGID"))
	f.RestrictNamespaces(by("RestrictNamespaces"), 0)
	deny("ProtectKernelTunables", "_sysctl")
	deny("ProtectKernelModules", "@module")
	deny("ProtectKernelLogs", "syslog")
	deny("ProtectClock", "@clock", "stime")
	deny("PrivateDevices", "@raw-io")
	if native {
		f.Architectures(by("SystemCallArchitectures"), []string{"native"})
	}
	f.LockPersonality(by("LockPersonality"), 0)

	n := by("SystemCallFilter")
	forbidden := seccomp.Verdict{Action: seccomp.KillProcess, By: n}
	l := seccomp.List{AllowList: true, Default: forbidden}
	for _, e := range calls.Listed {
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: seccomp.Verdict{Action: seccomp.Allow, By: n}})
	}
	for _, e := range calls.Removed {
		l.Removed.Add(e.Call)
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: forbidden})
	}
	f.AddList(&l)

	p, err := f.Program()
	if err != nil {
		return nil, err
	}
	arch, _ := seccomp.Native()
	return seccomp.Canary{PRCTL: unix.SYS_PRCTL, Arch: arch, Nonce: nonce}.With(p)
}

func load(p seccomp.Program) error {
	b := p.Bytes()
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: (*unix.SockFilter)(unsafe.Pointer(&b[0]))}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "filter:", err)
	os.Exit(1)
}
