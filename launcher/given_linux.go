package launcher

import (
	"errors"
	"os"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// What the caller of several commands makes for all of them.

// hostProc calls f with a verified /proc.
func hostProc(f func(proc int) error) error {
	proc, err := openProc()
	if err != nil {
		return err
	}
	if proc < 0 {
		return errors.New("a namespace is read back from /proc, and there is none")
	}
	return errors.Join(f(proc), closed(proc, "/proc"))
}

// MakeShared makes the network and the IPC namespace of PrivateNetwork= and PrivateIPC= for
// all commands of a service, Given.Net and Given.IPC, and answers their descriptors, which
// execve(2) closes; -1 for what the policy does not ask for. lo is up. The caller stays in its
// own namespaces. It needs CAP_SYS_ADMIN: without it, EPERM, each command makes its own.
func MakeShared(p *policy.Policy) (net, ipc int, err error) {
	net, ipc = -1, -1
	wantNet, wantIPC := p.PrivateNetwork.V && !p.NetworkNamespacePath.Set, p.PrivateIPC.V && !p.IPCNamespacePath.Set
	if !wantNet && !wantIPC {
		return net, ipc, nil
	}
	err = hostProc(func(proc int) error {
		var err error
		if wantNet {
			net, err = ns.Shared(proc, ns.NewNet)
		}
		if err == nil && wantIPC {
			ipc, err = ns.Shared(proc, ns.NewIPC)
		}
		return err
	})
	if err != nil {
		return -1, -1, errors.Join(err, closeAll(net, ipc))
	}
	return net, ipc, nil
}

// MakeTmp makes a file system of PrivateTmp= for all commands of a service, Given.Tmp and
// Given.VarTmp, and answers a descriptor by which they show it, which execve(2) closes. It
// goes with the last of them. It needs CAP_SYS_ADMIN, CAP_SYS_CHROOT and Linux 5.2: without
// them, EPERM or ENOSYS, each command has its own.
func MakeTmp() (fd int, err error) {
	fd = -1
	err = hostProc(func(proc int) error {
		var err error
		fd, err = ns.SharedTmp(proc, tmpData(), ns.NoSUID|ns.NoDev)
		return err
	})
	if err != nil {
		return -1, errors.Join(err, closeAll(fd))
	}
	return fd, nil
}

// closeAll closes the descriptors that are some.
func closeAll(fds ...int) (err error) {
	for _, fd := range fds {
		if fd >= 0 {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return err
}

// reserve keeps the numbers free to which descriptors will be moved, before anything is
// opened there. What is given needs its own numbers only until then.
func (e *Env) reserve() error {
	g := e.given()
	n := len(g.Sockets)
	if n == 0 || e.For != "launch" {
		return nil
	}
	n += e.Listen
	for _, fd := range append([]*int{&e.Again.Socket}, pointers(e.Again.CGroups)...) {
		if *fd < process.FirstPassed || *fd >= process.FirstPassed+n {
			continue
		}
		up, err := unix.FcntlInt(uintptr(*fd), unix.F_DUPFD_CLOEXEC, process.FirstPassed+n)
		if err == nil {
			err = unix.Close(*fd)
		}
		if err != nil {
			return errors.New("fcntl(F_DUPFD_CLOEXEC): " + err.Error())
		}
		*fd = up
	}
	gone := []int{g.Net, g.IPC, g.Tmp, g.VarTmp}
	for i := range g.Sockets {
		gone = append(gone, g.Sockets[i].FD)
	}
	return process.ReserveDescriptors(n, gone...)
}

func pointers(list []int) []*int {
	out := make([]*int, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}
