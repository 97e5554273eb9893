package dirs

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// family is the address family: AF_INET6 for AddressPort.
func (a *Address) family() int {
	switch a.Kind {
	case AddressPath, AddressAbstract:
		return unix.AF_UNIX
	case AddressIPv4:
		return unix.AF_INET
	case AddressVsock:
		return unix.AF_VSOCK
	case AddressNetlink:
		return unix.AF_NETLINK
	}
	return unix.AF_INET6
}

// sockaddr is the address as bind(2) takes it, and getsockname(2) gives it. The path of a
// socket ends with a NUL.
func (a *Address) sockaddr(scope uint32) []byte {
	b := make([]byte, 2, 110)
	binary.NativeEndian.PutUint16(b, uint16(a.family()))
	port := []byte{byte(a.Port >> 8), byte(a.Port)}
	switch a.Kind {
	case AddressPath:
		b = append(append(b, a.Text...), 0)
	case AddressAbstract:
		b = append(append(b, 0), a.Text...)
	case AddressIPv4: // struct sockaddr_in
		b = append(append(append(b, port...), a.IP[:4]...), make([]byte, 8)...)
	case AddressIPv6, AddressPort: // struct sockaddr_in6
		b = append(append(append(b, port...), 0, 0, 0, 0), a.IP[:]...)
		b = binary.NativeEndian.AppendUint32(b, scope)
	case AddressVsock: // struct sockaddr_vm
		b = binary.NativeEndian.AppendUint32(append(b, 0, 0), a.Port)
		b = append(binary.NativeEndian.AppendUint32(b, a.CID), 0, 0, 0, 0)
	case AddressNetlink: // struct sockaddr_nl: the kernel gives the port
		b = append(b, 0, 0, 0, 0, 0, 0)
		b = binary.NativeEndian.AppendUint32(b, a.CID)
	}
	return b
}

// scope is the number of the interface behind a link-local address; the kernel has none for
// others.
func (a *Address) scope(fd int) (uint32, error) {
	linkLocal := a.IP[0] == 0xfe && a.IP[1]&0xc0 == 0x80 || a.IP[0] == 0xff && a.IP[1]&0x0f <= 2
	if a.Kind != AddressIPv6 || a.Text == "" {
		return 0, nil
	}
	n, ok := decimal(a.Text, 1<<31-1)
	if !ok {
		r, err := unix.NewIfreq(a.Text)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r)
		}
		if err != nil {
			return 0, errors.New("interface " + a.Text + ": " + err.Error())
		}
		n = r.Uint32()
	}
	if !linkLocal {
		n = 0
	}
	return n, nil
}

func bind(fd int, sockaddr []byte) error {
	_, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&sockaddr[0])), uintptr(len(sockaddr)))
	if e != 0 {
		return os.NewSyscallError("bind", e)
	}
	return nil
}

// checkName shows that the socket has the address that it was bound to.
func checkName(fd int, want []byte, netlink bool) error {
	got := make([]byte, 128)
	n := uint32(len(got))
	_, _, e := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&got[0])), uintptr(unsafe.Pointer(&n)))
	if e != 0 {
		return os.NewSyscallError("getsockname", e)
	}
	got = got[:min(int(n), len(got))]
	if netlink && len(got) == len(want) {
		clear(got[4:8])
	}
	if string(got) != string(want) {
		return errors.New("getsockname: read back " + strconv.Quote(string(got)) + ", want " + strconv.Quote(string(want)))
	}
	return nil
}
