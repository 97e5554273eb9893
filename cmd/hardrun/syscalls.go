package main

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// groupDocs say in a few words what the calls of a group are for.
var groupDocs = map[string]string{
	"@aio":            "asynchronous input and output",
	"@basic-io":       "read, write, seek, duplicate and close descriptors",
	"@chown":          "change the owner of files",
	"@clock":          "set and tune the clocks",
	"@cpu-emulation":  "emulation of other processors",
	"@debug":          "debuggers, profilers and tracers",
	"@default":        "what every program needs; an allow list has it always",
	"@file-system":    "open, make, rename, remove and examine files",
	"@io-event":       "wait for descriptors",
	"@io-uring":       "input and output past all other calls (hardrun's own group)",
	"@ipc":            "pipes, System V IPC, message queues, memory of other processes",
	"@keyring":        "the kernel's keyrings",
	"@known":          "every call that systemd knows",
	"@memlock":        "keep memory from being swapped out",
	"@module":         "load and unload kernel modules",
	"@mount":          "mount, unmount, change the root",
	"@network-io":     "sockets",
	"@obsolete":       "calls that are unusual, or gone",
	"@pkey":           "memory protection keys",
	"@privileged":     "what needs a capability",
	"@process":        "make, signal, wait for and change processes; namespaces",
	"@raw-io":         "ports and PCI configuration",
	"@reboot":         "reboot, and load another kernel",
	"@resources":      "limits, priorities, scheduling, memory policy",
	"@sandbox":        "seccomp and Landlock",
	"@setuid":         "change user and group",
	"@signal":         "handle and send signals",
	"@swap":           "swap devices",
	"@sync":           "write out files and memory",
	"@system-service": "what an ordinary daemon needs; begin with this",
	"@timer":          "timers and alarms",
}

// syscallsCommand lists groups and calls, as SystemCallFilter= takes them.
func syscallsCommand(args []string) int {
	switch {
	case len(args) == 0:
		return out(groupsText())
	case len(args) > 1 || strings.HasPrefix(args[0], "-"):
		return usage("syscalls: one @GROUP or NAME at most is taken")
	case strings.HasPrefix(args[0], "@"):
		g, ok := seccomp.GroupByName(args[0])
		if !ok {
			return unknownWord("syscalls: unknown group ", args[0], seccomp.Groups())
		}
		return out(groupText(g))
	}
	c, ok := seccomp.ByName(args[0])
	if !ok {
		return unknownWord("syscalls: unknown system call ", args[0], seccomp.Calls())
	}
	return out(callText(c))
}

func unknownWord(text, word string, words []string) int {
	code := usage(text + word)
	if h := (&process.WordError{Word: word, Words: words}).Hint(); strings.HasPrefix(h, "did you mean ") {
		hint(h)
	}
	return code
}

func groupsText() string {
	var b strings.Builder
	for _, name := range seccomp.Groups() {
		g, _ := seccomp.GroupByName(name)
		n := 0
		g.Set.Each(func(seccomp.Call) { n++ })
		b.WriteString(pad(name, 18) + pad(strconv.Itoa(n)+" calls", 12) + groupDocs[name] + "\n")
	}
	number, name := seccomp.Newest()
	b.WriteString("\nhardrun syscalls @GROUP lists one, hardrun syscalls NAME tells where a call is. The groups are those of\nsystemd " +
		policy.Reference + "; the newest call that is known is " + name + ", number " + strconv.FormatUint(uint64(number), 10) + ".\n")
	return b.String()
}

// groupText lists what a group has, the calls of groups in it below these.
func groupText(g *seccomp.Group) string {
	native := seccomp.Machine(runtime.GOARCH)
	var b strings.Builder
	b.WriteString(g.Name + ": " + groupDocs[g.Name] + "\n")
	for _, m := range strings.Fields(g.Members) {
		b.WriteString("  " + m)
		if c, ok := seccomp.ByName(m); ok && native != nil {
			if _, has := native[0].Number(c); !has {
				b.WriteString("  (not on " + native[0].Name + ")")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func callText(c seccomp.Call) string {
	var b strings.Builder
	b.WriteString(c.String() + "\n")
	for _, a := range seccomp.ABIs() {
		if nr, ok := a.Number(c); ok {
			b.WriteString("  " + pad(a.Name, 14) + strconv.FormatUint(uint64(nr), 10) + "\n")
		}
	}
	var groups []string
	for _, name := range seccomp.Groups() {
		if g, _ := seccomp.GroupByName(name); g.Set.Has(c) {
			groups = append(groups, name)
		}
	}
	if len(groups) == 0 {
		groups = []string{"no group"}
	}
	b.WriteString("  in " + strings.Join(groups, " ") + "\n")
	return b.String()
}
