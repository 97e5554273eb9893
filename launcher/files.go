package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// descriptors looks whether what shall be passed on is there: open, and inherited.
// What survived an execve(2) does not have FD_CLOEXEC; all that hardrun and the Go
// runtime opened themselves has it, and must not be given to the daemon in its place.
func (e *Env) descriptors(p *policy.Policy) {
	for i := range e.Listen {
		if !e.inherited(3 + i) {
			e.Problems = append(e.Problems, Refusal{Text: "LISTEN_FDS=" + strconv.Itoa(e.Listen) + ", and descriptor " + strconv.Itoa(3+i) + " was not passed", Exit: ExitFDs})
			return
		}
	}
	for _, fd := range p.KeepFD.Items {
		if fd.V > 2 && !e.inherited(fd.V) {
			e.problem("X-Hardrun-KeepFD", fd.From, ExitFDs, errors.New("descriptor "+strconv.Itoa(fd.V)+" was not passed"))
		}
	}
}

// files reads each EnvironmentFile=, as the host has it.
func (e *Env) files(p *policy.Policy) {
	for _, f := range p.EnvironmentFile.Items {
		paths := []string{f.V.V}
		if strings.ContainsAny(f.V.V, "*?[") {
			found, err := filepath.Glob(f.V.V)
			if err != nil {
				e.problem("EnvironmentFile", f.From, ExitExec, err)
				continue
			}
			if len(found) == 0 && !f.V.Tolerate {
				e.problem("EnvironmentFile", f.From, ExitExec, errors.New("no file matches "+f.V.V))
			}
			paths = found
		}
		for _, path := range paths {
			vars, err := readEnvironmentFile(path)
			if err != nil && f.V.Tolerate && errors.Is(err, unix.ENOENT) {
				continue
			}
			if err != nil {
				e.problem("EnvironmentFile", f.From, ExitExec, err)
				continue
			}
			e.EnvFiles = append(e.EnvFiles, vars)
		}
	}
}

func readEnvironmentFile(path string) ([]string, error) {
	fd, err := process.OpenTrusted(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	text, err := regularOf(fd, path, 4<<20)
	if err != nil {
		return nil, err
	}
	vars, err := policy.ParseEnvironmentFile(text)
	if err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	return vars, nil
}

// readRegular reads a file of at most limit bytes. It does not wait for the
// writer of a fifo, and does not read what is no file.
func readRegular(path string, limit int) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return regularOf(fd, path, limit)
}

// regularOf reads an open file, and closes it.
func regularOf(fd int, path string, limit int) (text []byte, err error) {
	var st unix.Stat_t
	if err = os.NewSyscallError("fstat", unix.Fstat(fd, &st)); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err == nil {
		text, err = readFD(fd, limit)
	}
	if err == nil && st.Blocks > 0 && int64(len(text)) < st.Size {
		err = errors.New("read: it ended before its end")
	}
	if err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))); err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	return text, nil
}

// readFD reads what a descriptor holds, up to limit bytes.
func readFD(fd, limit int) ([]byte, error) {
	buf := make([]byte, 0, 4096)
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= limit {
				return nil, errors.New("too long")
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("read", err)
		}
		if n == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+n]
	}
}
