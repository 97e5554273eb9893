package seccomp

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// tell sends what is needed to explain the denials of a program, before it is loaded:
// the size of all, then the program with its size, and the lines of text.
func (e *Explain) tell(p Program) error {
	code, text := p.Bytes(), e.Filter.text()
	b := binary.NativeEndian.AppendUint32(nil, uint32(4+len(code)+len(text)))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(code)))
	b = append(append(b, code...), text...)
	for len(b) > 0 {
		n, err := unix.SendmsgN(e.Socket, b, nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("sendmsg", err)
		}
		b = b[n:]
	}
	return nil
}
