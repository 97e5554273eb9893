package ns

import (
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// newLoader adds the program's ELF interpreter and reads its configuration.
func (c *closer) newLoader(exe *object) (*loader, error) {
	l := &loader{path: exe.elf.interp, names: make(map[string]*object)}
	if l.path[0] != '/' {
		return nil, &os.PathError{Op: "execute", Path: exe.path, Err: errors.New("its interpreter " + strconv.Quote(l.path) + " is not absolute")}
	}
	w, err := c.add(l.path, "loader of "+exe.path)
	if absent(err) {
		return nil, &MissingError{Name: "interpreter " + strconv.Quote(l.path), NeededBy: exe.path}
	}
	if err != nil {
		return nil, err
	}
	f, err := c.tree.open(w.real)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	e, err := readObject(f)
	if err == nil && !e.sameMachine(&exe.elf) {
		err = errors.New("for another machine than " + exe.path)
	}
	if err != nil {
		return nil, &os.PathError{Op: "use", Path: l.path, Err: err}
	}
	self := &object{path: l.path, real: w.real, origin: parent(l.path), elf: e, parent: exe}
	l.names[path.Base(l.path)] = self
	if e.soname != "" {
		l.names[e.soname] = self
	}
	return l, c.configure(l, exe, f)
}

func (c *closer) configure(l *loader, exe *object, ld *os.File) error {
	base := path.Base(l.path)
	switch {
	case strings.HasPrefix(base, "ld-musl-"):
		l.kind = loaderMusl
		return c.configureMusl(l, base)
	case base == "ld.elf_so":
		l.kind, l.dirs = loaderNetBSD, []string{"/usr/lib", "/lib"}
		return c.configureNetBSD(l)
	case strings.HasPrefix(base, "ld-elf"):
		l.kind, l.dirs = loaderBSD, []string{"/lib", "/usr/lib"}
		return nil
	case base == "ld.so" && strings.HasSuffix(parent(l.path), "/libexec"):
		l.kind, l.dirs = loaderBSD, []string{"/usr/lib"}
		return nil
	}
	if _, err := ld.Seek(0, io.SeekStart); err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(ld, maxSmall))
	if err != nil {
		return err
	}
	if l.dirs = loaderDirs(b); len(l.dirs) == 0 {
		l.dirs = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	}
	for _, d := range l.dirs {
		if !strings.HasPrefix(d, "/usr/") || l.lib == "" {
			l.lib = strings.TrimPrefix(strings.TrimPrefix(d, "/usr"), "/")
		}
		if !strings.HasPrefix(d, "/usr/") {
			break
		}
	}
	return c.configureGlibc(l, exe)
}

func (c *closer) configureGlibc(l *loader, exe *object) error {
	const cache, conf, preload = "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload"
	b, err := c.tree.readAll(cache)
	switch {
	case err == nil:
		l.file = cache
		if l.cache, err = parseLDCache(b, exe.elf.big); err != nil {
			return &os.PathError{Op: "read", Path: cache, Err: err}
		}
	case !absent(err):
		return err
	}
	if b, err = c.tree.readAll(preload); err == nil && len(strings.TrimSpace(string(b))) > 0 {
		c.note("preload", preload+" is left out, so nothing is preloaded")
	} else if err != nil && !absent(err) {
		return err
	}
	return c.readConf(&l.conf, conf, 0)
}

// readConf reads a ld.so.conf and what it includes into dirs.
func (c *closer) readConf(dirs *[]string, file string, depth int) error {
	const deepest = 8
	b, err := c.tree.readAll(file)
	if absent(err) {
		return nil
	}
	if err == nil && depth > deepest {
		err = errors.New("too many nested includes")
	}
	if err != nil {
		return &os.PathError{Op: "read", Path: file, Err: err}
	}
	list, err := parseLDConf(string(b), parent(file), func(pattern string) error {
		return c.glob(pattern, func(p string) error { return c.readConf(dirs, p, depth+1) })
	})
	if err != nil {
		return &os.PathError{Op: "read", Path: file, Err: err}
	}
	*dirs = append(*dirs, list...)
	return nil
}

// glob calls do for each file that matches; only the last component of the
// pattern may have wildcards.
func (c *closer) glob(pattern string, do func(string) error) error {
	dir, last := path.Split(pattern)
	if strings.ContainsAny(dir, `*?[\`) {
		return errors.New("a wildcard in a directory's name: " + pattern)
	}
	w, err := c.tree.walk(dir)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := c.tree.names(w.real)
	if err != nil {
		return err
	}
	for _, n := range names {
		match, err := path.Match(last, n)
		if err != nil {
			return err
		}
		if match && (n[0] != '.' || last[0] == '.') {
			if err := do(join(w.real, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// configureMusl: /etc/ld-musl-ARCH.path replaces the built-in directories.
func (c *closer) configureMusl(l *loader, base string) error {
	arch := strings.TrimSuffix(strings.TrimPrefix(base, "ld-musl-"), ".so.1")
	file := "/etc/ld-musl-" + arch + ".path"
	b, err := c.tree.readAll(file)
	switch {
	case absent(err):
		l.dirs = []string{"/lib", "/usr/local/lib", "/usr/lib"}
		return nil
	case err != nil:
		return err
	}
	l.dirs = parseMuslPath(string(b))
	_, err = c.add(file, "the directories of "+l.path)
	return err
}

func (c *closer) configureNetBSD(l *loader) error {
	const conf = "/etc/ld.so.conf"
	b, err := c.tree.readAll(conf)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.conf, err = parseLDConf(string(b), "/etc", func(string) error {
		return errors.New("include is not known to " + l.path)
	})
	if err != nil {
		return &os.PathError{Op: "read", Path: conf, Err: err}
	}
	_, err = c.add(conf, "the directories of "+l.path)
	return err
}
