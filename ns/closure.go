package ns

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/order"
	"golang.org/x/sys/unix"
)

// Kind is the kind of a File.
type Kind uint8

// The kinds of files a closure holds. The zero Kind is none.
const (
	KindFile Kind = iota + 1
	KindSymlink
	KindDir
)

// String is "file", "link" or "dir".
func (k Kind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindSymlink:
		return "link"
	case KindDir:
		return "dir"
	}
	return "none"
}

// File is one thing a root directory must hold.
type File struct {
	Path   string // absolute in the root, without links, "." and ".."
	Kind   Kind
	Target string // of a link, as it is written there
	Why    string // who needs it: "needed by /usr/sbin/named"
}

// Note is something a closure cannot know, or an act left to the reader.
type Note struct {
	Topic string // one word: "dlopen", "locale"
	Text  string // a sentence without a period
}

// MissingError is a library or interpreter that no directory has.
type MissingError struct {
	Name     string // "libfoo.so.1"
	NeededBy string // path of the file that names it
}

func (e *MissingError) Error() string {
	return e.Name + ", needed by " + e.NeededBy + ", is not found"
}

// maxScripts is how many "#!" scripts may stand before a binary, a script being
// the interpreter of the script before: linux/fs/exec.c, exec_binprm, gives
// ELOOP for the sixth (its comment counts the four rewrites after the first).
const maxScripts = 5

// maxFiles bounds a closure, so that extra directories cannot be endless.
const maxFiles = 200_000

// searchPath is where a command without a slash is looked for: not in $PATH,
// which belongs to whoever calls, but where a daemon is started from.
var searchPath = [...]string{
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
	"/usr/pkg/sbin", "/usr/pkg/bin", // pkgsrc
}

// Closure lists everything below root (a directory, "/" for this machine) that
// must be in a root directory for command to start there: the executable, its
// "#!" interpreters (execve(2)), the ELF interpreter, the shared libraries as
// the loader would find them (ld.so(8), musl's ldso/dynlink.c, NetBSD's
// ld.elf_so(1)) for a program of that class and machine, the links on the way
// to each, and the directories. Links inside root mean what they mean after
// chroot(2). Names are absolute, or without a slash looked up in the usual
// directories. extra are further files, modules with what they need, and whole
// directories.
//
// The files are sorted by path, so a directory stands before what it holds,
// and no path stands twice. The notes say what no table in a file names and
// may be needed, too. A library that is not there is a *MissingError; other
// errors are *os.PathError or say what is wrong with a file.
func Closure(root, command string, extra ...string) ([]File, []Note, error) {
	c, err := newCloser(root)
	if err != nil {
		return nil, nil, err
	}
	defer c.tree.close()
	if err := c.all(command, extra); err != nil {
		return nil, nil, err
	}
	return c.sorted(), c.notes(), nil
}

// closer collects a closure.
type closer struct {
	tree    *tree
	command string // absolute path of the command, as it was found
	files   map[string]File
	objects []*object // every ELF file in the closure
	scripts []string  // every "#!" script
	extra   []Note
	loader  *loader // of the command, or of its interpreter; nil when static
}

func newCloser(root string) (*closer, error) {
	t, err := openTree(root)
	if err != nil {
		return nil, err
	}
	return &closer{tree: t, files: make(map[string]File)}, nil
}

func (c *closer) all(command string, extra []string) error {
	found, err := c.find(command)
	if err != nil {
		return err
	}
	c.command = found
	if err := c.program(found, "the command", 0); err != nil {
		return err
	}
	for _, e := range extra {
		if err := c.addExtra(e, "asked for"); err != nil {
			return err
		}
	}
	return nil
}

func (c *closer) sorted() []File {
	list := make([]File, 0, len(c.files))
	for _, f := range c.files {
		list = append(list, f)
	}
	order.By(list, func(a, b *File) bool { return a.Path < b.Path })
	return list
}

// find gives the absolute path of a command.
func (c *closer) find(command string) (string, error) {
	if command == "" {
		return "", errors.New("the command is empty")
	}
	if strings.IndexByte(command, 0) >= 0 {
		return "", errors.New("the command has a NUL byte")
	}
	if strings.Contains(command, "/") {
		if command[0] != '/' {
			return "", errors.New("the command " + strconv.Quote(command) + " is neither absolute nor a plain name")
		}
		return command, nil
	}
	for _, dir := range searchPath {
		w, err := c.tree.walk(dir + "/" + command)
		if absent(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if w.node.kind == KindFile && w.node.mode&0o111 != 0 {
			return dir + "/" + command, nil
		}
	}
	return "", errors.New(strconv.Quote(command) + " is in none of " + strings.Join(searchPath[:], ":"))
}

// add puts the file at p into the closure with all directories and links on
// the way. The walked path is a regular file.
func (c *closer) add(p, why string) (walked, error) {
	w, err := c.tree.walk(p)
	if err != nil {
		return w, err
	}
	if w.node.kind != KindFile {
		return w, &os.PathError{Op: "use", Path: p, Err: errors.New("not a regular file")}
	}
	return w, c.commit(w, why)
}

// commit records a path that was walked.
func (c *closer) commit(w walked, why string) error {
	for _, f := range w.trail {
		if _, ok := c.files[f.Path]; ok {
			continue
		}
		switch f.Kind {
		case KindDir:
			f.Why = "directory"
		case KindSymlink:
			f.Why = "link on the way to " + w.real
		}
		c.files[f.Path] = f
	}
	if _, ok := c.files[w.real]; !ok && w.real != "/" {
		c.files[w.real] = File{Path: w.real, Kind: w.node.kind, Why: why}
	}
	if len(c.files) > maxFiles {
		return errors.New("more than " + strconv.Itoa(maxFiles) + " files")
	}
	return nil
}

// program adds an executable: a script with its interpreters, or an ELF file
// with its loader and libraries. scripts is how many scripts came before.
func (c *closer) program(p, why string, scripts int) error {
	w, err := c.add(p, why)
	if err != nil {
		return err
	}
	if w.node.mode&0o111 == 0 {
		return &os.PathError{Op: "execute", Path: p, Err: unix.EACCES}
	}
	f, err := c.tree.open(w.real)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, shebangSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return c.link(p, w.real, f)
	case bytes.HasPrefix(head, []byte("#!")):
		if scripts == maxScripts {
			return &os.PathError{Op: "execute", Path: p, Err: unix.ELOOP}
		}
		return c.script(p, head, scripts)
	}
	return &os.PathError{Op: "execute", Path: p, Err: errors.New("neither an ELF program nor a #! script")}
}

func (c *closer) script(p string, head []byte, scripts int) error {
	interp, arg, err := parseShebang(head)
	if err != nil {
		return &os.PathError{Op: "execute", Path: p, Err: err}
	}
	if interp[0] != '/' {
		return &os.PathError{Op: "execute", Path: p, Err: errors.New("interpreter " + strconv.Quote(interp) + " is not absolute")}
	}
	c.scripts = append(c.scripts, p)
	if err := c.program(interp, "interpreter of "+p, scripts+1); err != nil {
		if absent(err) {
			return &MissingError{Name: "interpreter " + strconv.Quote(interp), NeededBy: p}
		}
		return err
	}
	if path.Base(interp) != "env" || arg == "" {
		return nil
	}
	prog, ok := envProgram(arg)
	if !ok {
		c.note("script", "which program "+interp+" starts for "+p+" cannot be told from "+strconv.Quote(arg))
		return nil
	}
	if prog == "" {
		return nil
	}
	found, err := c.find(prog)
	if err != nil {
		return &MissingError{Name: "program " + strconv.Quote(prog), NeededBy: p}
	}
	// env executes it anew, so the kernel counts scripts from the start; what
	// names itself would never end.
	if slices.Contains(c.scripts, found) {
		return &os.PathError{Op: "execute", Path: p, Err: unix.ELOOP}
	}
	return c.program(found, "interpreter of "+p, 0)
}

func (c *closer) note(topic, text string) {
	c.extra = append(c.extra, Note{Topic: topic, Text: text})
}

// addExtra adds a file that was asked for, a module with what it needs, or a
// directory with all it holds.
func (c *closer) addExtra(p, why string) error {
	if p == "" || p[0] != '/' || strings.IndexByte(p, 0) >= 0 {
		return errors.New("the file " + strconv.Quote(p) + " is not absolute")
	}
	w, err := c.tree.walk(p)
	if err != nil {
		return err
	}
	seen := c.files[w.real].Path != ""
	switch w.node.kind {
	case KindFile:
		if err := c.commit(w, why); err != nil || seen {
			return err
		}
		return c.module(p, w.real)
	case KindDir:
		if seen && c.files[w.real].Why != "directory" {
			return nil // a link in it leads back to it
		}
		if w.real == "/" {
			return &os.PathError{Op: "use", Path: p, Err: errors.New("the whole root cannot be in a closure")}
		}
		if err := c.commit(w, why); err != nil {
			return err
		}
		c.files[w.real] = File{Path: w.real, Kind: KindDir, Why: why}
		return c.addDir(w.real)
	}
	return &os.PathError{Op: "use", Path: p, Err: errors.New("neither a file nor a directory")}
}

func (c *closer) addDir(dir string) error {
	names, err := c.tree.names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		p := dir + "/" + name
		err := c.addExtra(p, "in "+dir)
		if absent(err) {
			c.note("link", p+" leads nowhere and is left out")
		} else if err != nil {
			return err
		}
	}
	return nil
}
