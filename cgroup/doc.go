// Package cgroup is the control group of a service, cgroups(7): where it is, who is in it,
// what its resources are limited to, and the programs by which the kernel asks about
// devices, addresses, ports, interfaces and file systems.
//
// Everything but the *_linux.go files is pure. Rules are compiled to programs of the
// kernel's own machine (bpf(2)), without maps but for one of counters, and tried by an
// evaluator before anything is loaded. The package is a leaf, as caps, ns and seccomp are.
package cgroup
