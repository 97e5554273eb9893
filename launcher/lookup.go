package launcher

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// defaultPath is searched where the daemon will have no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// paths looks at the new root, the working directory, and the command in it.
func (e *Env) paths(p *policy.Policy, args []string) {
	v := host
	dir := p.RootDirectory
	if !dir.Set {
		dir = p.Chroot
	}
	if dir.Set && dir.V != "/" {
		inside, err := enter(dir.V)
		if err != nil && e.For != "launch" && errors.Is(err, unix.ENOENT) && e.isGiven(dir.V) {
			e.Command.Args = args // the root is one of the service's directories, and not made yet
			e.searchLater(p, e.program(args), err)
			return
		}
		if err != nil {
			if e.For != "launch" && errors.Is(err, unix.EACCES) {
				e.Problems = append(e.Problems, Refusal{Directive: "RootDirectory=", Origin: dir.From, Text: dir.V + " cannot be looked into without root: neither the directory nor the command was checked", Exit: ExitChroot})
			} else {
				e.problem("RootDirectory", dir.From, ExitChroot, err)
			}
			return
		}
		v = inside
	}
	cwd := e.workingDirectory(p, v)
	if name := e.program(args); len(args) > 0 || name != "" {
		e.Command.Args = args
		err := e.findCommand(p, v, cwd, name)
		if rearranged(p) || hasRoot(p) && len(e.given().Directories) > 0 {
			e.searchLater(p, name, err)
		} else if err != nil {
			e.Problems = append(e.Problems, Refusal{Text: err.Error(), Exit: ExitExec})
		}
	}
	if err := v.leave(); err != nil {
		e.problem("RootDirectory", dir.From, ExitChroot, err)
	}
}

// implied tells whether a new root gets /proc, /sys, /dev and /run of its own.
func (e *Env) implied(p *policy.Policy) bool {
	return e.linux() && hasRoot(p) && !p.MountAPIVFS.Set && !p.Chroot.Set
}

// rearranged tells whether mounts decide what a path leads to.
func rearranged(p *policy.Policy) bool {
	return len(p.Binds.Items) > 0 || len(p.TemporaryFileSystem.Items) > 0 || p.MinimalRoot.V || p.ProtectHome.V == "tmpfs" || p.PrivateTmp.Set && p.PrivateTmp.V != "no"
}

// searchLater leaves the search for the command to where the view is complete. What
// was found now is only what a plan prints.
func (e *Env) searchLater(p *policy.Policy, name string, found error) {
	if name == "" {
		e.Problems = append(e.Problems, Refusal{Text: found.Error(), Exit: ExitExec})
		return
	}
	if strings.Contains(name, "/") {
		e.Command.Path, e.Command.Search = name, []string{name}
		return
	}
	for _, dir := range e.searchIn(p) {
		if dir != "" && dir[0] == '/' {
			e.Command.Search = append(e.Command.Search, strings.TrimRight(dir, "/")+"/"+name)
		}
	}
	if found != nil || e.Command.Path == "" {
		e.Command.Path = name
	}
}

// searchIn are the directories where the command is looked for.
func (e *Env) searchIn(p *policy.Policy) []string {
	if search := values(p.ExecSearchPath); len(search) > 0 {
		return search
	}
	return strings.Split(e.searchPath(p), ":")
}

// workingDirectory is where a relative command is looked up from.
func (e *Env) workingDirectory(p *policy.Policy, v view) string {
	w := p.WorkingDirectory
	if !w.Set {
		if v != host {
			return "/"
		}
		return "."
	}
	path := w.V.V
	if path == "~" {
		path = e.User.Home
	}
	if path == "" {
		return "/" // Compile refuses it: "~" needs a user with a home
	}
	err := v.directory(path)
	switch {
	case err == nil, errors.Is(err, unix.EACCES):
	case errors.Is(err, unix.ENOENT) && w.V.Tolerate:
		return "/"
	case errors.Is(err, unix.ENOENT) && (rearranged(p) || p.MountAPIVFS.V || e.implied(p)):
	case errors.Is(err, unix.ENOENT) && e.isGiven(path) && (v != host || e.For != "launch"):
		// It may be there once the view is; to enter it is the last that is tried.
	default:
		e.problem("WorkingDirectory", w.From, ExitChdir, err)
	}
	return path
}

// findCommand looks the command up inside of the root and checks that it could
// start: an executable file, its interpreter, and that one's interpreter.
func (e *Env) findCommand(p *policy.Policy, v view, cwd, name string) error {
	if name == "" {
		return errors.New("the command is empty")
	}
	if strings.Contains(name, "/") {
		e.Command.Path = name
		at := name
		if name[0] != '/' && cwd != "." {
			at = cwd + "/" + name
		}
		return e.checkProgram(v, at, name, 0, false)
	}
	search := e.searchIn(p)
	var found error
	for _, dir := range search {
		if dir == "" || dir[0] != '/' {
			continue // the working directory is no place to find a daemon in
		}
		path := strings.TrimRight(dir, "/") + "/" + name
		err := e.checkProgram(v, path, path, 0, false)
		if err == nil {
			e.Command.Path = path
			return nil
		}
		if found == nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			found = err
			e.Command.Path = path
		}
	}
	if found != nil {
		return found
	}
	where := strings.Join(search, ":")
	if v != host {
		where += ", inside of the new root"
	}
	return errors.New("command not found: " + name + " (searched " + where + ")")
}

// unitPath is the PATH of a service, and where its commands are searched whatever it is set
// to, systemd.service(5): the directories of /bin are searched where they are others.
func (e *Env) unitPath() string {
	if e.Split {
		return defaultPath
	}
	return strings.TrimSuffix(defaultPath, ":/sbin:/bin")
}

// searchPath is the PATH that the daemon will see.
func (e *Env) searchPath(p *policy.Policy) string {
	if e.given().Unit != "" {
		return e.unitPath()
	}
	path, ok := "", false
	if !p.ClearEnv.V {
		path, ok = lookupVar(e.Environ, "PATH")
	}
	for _, v := range p.Environment.Items {
		if t, is := strings.CutPrefix(v.V, "PATH="); is {
			path, ok = t, true
		}
	}
	for _, file := range e.EnvFiles {
		if t, is := lookupVar(file, "PATH"); is {
			path, ok = t, true
		}
	}
	if !ok || path == "" {
		return defaultPath
	}
	return path
}

// missingError is a part of a program that is not there.
type missingError struct{ text string }

func (e *missingError) Error() string { return e.text }

// checkProgram looks at one file: the command, or what interprets it.
// loader says that it is what PT_INTERP of an ELF file names.
func (e *Env) checkProgram(v view, path, name string, depth int, loader bool) error {
	if depth > 6 { // fs/exec.c takes five scripts in a row, and the last one's program has a loader
		return errors.New(name + ": more than five interpreters in a row")
	}
	if err := v.executable(path, name); err != nil {
		return err
	}
	if depth > 0 && loader {
		return nil // the kernel maps a loader as it is, and looks for no loader of that
	}
	head, fd, err := v.head(path)
	if errors.Is(err, unix.EACCES) {
		return nil // may be executed, not read: the kernel will say
	}
	if err != nil {
		return errors.New(name + ": " + reason(err))
	}
	interp, err := interpreter(head, fd)
	if cerr := unix.Close(fd); cerr != nil {
		return os.NewSyscallError("close", cerr)
	}
	if err != nil {
		return errors.New(name + ": " + err.Error())
	}
	if interp == "" {
		return nil
	}
	script := bytes.HasPrefix(head, []byte("#!"))
	if !e.linux() {
		switch {
		case script && depth > 0:
			return errors.New(name + ": a script itself, which only Linux takes for an interpreter")
		case !script && (strings.Contains(interp, "/ld-linux") || strings.Contains(interp, "/ld-musl")):
			return nil // a program of Linux, whose emulation has a root of its own
		}
	}
	if depth == 0 {
		e.Command.Interp = interp
	}
	if err := e.checkProgram(v, interp, interp, depth+1, !script); err != nil {
		var missing *missingError
		if errors.As(err, &missing) {
			return err
		}
		return &missingError{name + ": its interpreter " + interp + " cannot be executed: " + reason(err)}
	}
	return nil
}

// executable tells whether a file could be executed, as far as its own mode and
// its mount say.
func (v view) executable(path, name string) error {
	perm, noexec, err := v.examine(path)
	switch {
	case errors.Is(err, unix.ELOOP):
		return &missingError{name + ": symbolic links that loop, or lead through /proc"}
	case err != nil:
		return err
	case perm&unix.S_IFMT != unix.S_IFREG:
		return errors.New(name + ": not a regular file")
	case perm&0o111 == 0:
		return errors.New(name + ": not executable (mode " + mode(perm) + ")")
	case noexec:
		return errors.New(name + ": on a file system that is mounted noexec")
	}
	return nil
}

func mode(m uint32) string {
	b := []byte{'0' + byte(m>>9&7), '0' + byte(m>>6&7), '0' + byte(m>>3&7), '0' + byte(m&7)}
	return string(b)
}

// head reads the first bytes of a program. The descriptor stays open for more.
func (v view) head(path string) ([]byte, int, error) {
	fd, err := v.open(path, unix.O_RDONLY)
	if err != nil {
		return nil, -1, err
	}
	buf := make([]byte, 512)
	n, err := unix.Pread(fd, buf, 0)
	if err != nil {
		return nil, -1, errors.Join(os.NewSyscallError("pread", err), unix.Close(fd))
	}
	return buf[:n], fd, nil
}

// interpreter is what the kernel starts in place of the program: of a script
// what stands behind "#!" (execve(2), "Interpreter scripts"), of a dynamic
// program its PT_INTERP. Empty for a static program, and for what binfmt_misc may
// know and hardrun does not.
func interpreter(head []byte, fd int) (string, error) {
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		line := head[2:]
		if len(line) > 254 { // BINPRM_BUF_SIZE
			line = line[:254]
		}
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		} else if len(line) == 254 && !bytes.ContainsAny(bytes.TrimLeft(line, " \t"), " \t\x00") {
			return "", errors.New("the path behind \"#!\" does not end in the 256 bytes that the kernel reads")
		}
		words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
		if len(words) == 0 {
			return "", errors.New("\"#!\" without an interpreter")
		}
		return words[0], nil
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return elfInterpreter(head, fd)
	case len(head) == 0:
		return "", errors.New("an empty file")
	}
	return "", nil
}

func elfInterpreter(head []byte, fd int) (string, error) {
	const short = "a damaged ELF file"
	if len(head) < 52 {
		return "", errors.New(short)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	var phoff uint64
	var size, count int
	wide := head[4] == 2
	if wide {
		if len(head) < 64 {
			return "", errors.New(short)
		}
		phoff, size, count = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		phoff, size, count = uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	if want := map[bool]int{true: 56, false: 32}[wide]; size != want || count > 1024 || phoff > 1<<40 {
		return "", errors.New(short)
	}
	table := make([]byte, size*count)
	if n, err := unix.Pread(fd, table, int64(phoff)); err != nil {
		return "", os.NewSyscallError("pread", err)
	} else if n != len(table) {
		return "", errors.New(short)
	}
	for ; len(table) > 0; table = table[size:] {
		if order.Uint32(table) != 3 { // PT_INTERP
			continue
		}
		var off, n uint64
		if wide {
			off, n = order.Uint64(table[8:]), order.Uint64(table[32:])
		} else {
			off, n = uint64(order.Uint32(table[4:])), uint64(order.Uint32(table[16:]))
		}
		if n < 2 || n > 4096 || off > 1<<40 {
			return "", errors.New(short)
		}
		path := make([]byte, n)
		if got, err := unix.Pread(fd, path, int64(off)); err != nil {
			return "", os.NewSyscallError("pread", err)
		} else if got != len(path) || path[n-1] != 0 {
			return "", errors.New(short)
		}
		return string(bytes.TrimRight(path, "\x00")), nil
	}
	return "", nil
}
