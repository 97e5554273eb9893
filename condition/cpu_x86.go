//go:build 386 || amd64

package condition

// cpuidCall is the instruction CPUID. The kernel's text in /proc/cpuinfo has neither the name
// of a hypervisor nor all features by the names of the manual.
func cpuidCall(leaf, sub uint32) (a, b, c, d uint32)

// x86 tells whether there is CPUID.
const x86 = true
