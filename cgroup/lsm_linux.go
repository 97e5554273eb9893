package cgroup

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BPFActive tells whether the kernel asks BPF programs as a security module: "bpf" is in
// its list of modules, which lsm= on its command line sets. Where it is not, a program
// for HookFiles can be loaded and attached as well, and is never asked. Before
// lsm_list_modules(2), Linux 6.8, the list is read from securityfs.
func BPFActive() (bool, error) {
	const lsmBPF = 109 // LSM_ID_BPF, linux/lsm.h
	var ids [64]uint64
	size := uint32(unsafe.Sizeof(ids))
	n, _, e := unix.RawSyscall(unix.SYS_LSM_LIST_MODULES, uintptr(unsafe.Pointer(&ids)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case e == unix.ENOSYS:
		list, err := os.ReadFile("/sys/kernel/security/lsm")
		return lsmListed(string(list), "bpf"), err
	case e != 0:
		return false, os.NewSyscallError("lsm_list_modules", e)
	case n > uintptr(len(ids)) || uintptr(size) != n*unsafe.Sizeof(ids[0]):
		return false, errors.New("lsm_list_modules: answered without an answer")
	}
	for _, id := range ids[:n] {
		if id == lsmBPF {
			return true, nil
		}
	}
	return false, nil
}
