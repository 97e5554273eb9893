package ns

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
)

// object is an ELF file in the order in which a loader would load it.
type object struct {
	path   string // as the loader opens it
	real   string // without links
	origin string // what $ORIGIN stands for
	elf    elfObject
	parent *object // who asked for it first; nil for a program
}

type loaderKind uint8

const (
	loaderGlibc loaderKind = iota
	loaderMusl
	loaderNetBSD
	loaderBSD // FreeBSD, OpenBSD
)

// loader is a dynamic loader with what it knows of directories, and what it
// has loaded for one program.
type loader struct {
	kind   loaderKind
	path   string   // PT_INTERP
	dirs   []string // its own directories, searched last
	conf   []string // directories of a configuration file
	file   string   // the configuration file or cache, "" when absent
	cache  []cacheEntry
	lib    string // $LIB
	loaded []*object
	names  map[string]*object
}

// link adds the loader of an ELF program and all that it would load. found is
// the path by which the program is started, real the one without links.
func (c *closer) link(found, real string, f *os.File) error {
	e, err := readObject(f)
	if err != nil {
		return &os.PathError{Op: "read", Path: found, Err: err}
	}
	const etExec, etDyn = 2, 3
	if e.kind != etExec && e.kind != etDyn {
		return &os.PathError{Op: "execute", Path: found, Err: errors.New("not an executable ELF file")}
	}
	// $ORIGIN of a program comes from /proc/self/exe, so without links.
	exe := &object{path: found, real: real, origin: parent(real), elf: e}
	c.objects = append(c.objects, exe)
	c.loader = nil
	if e.interp == "" {
		if len(e.needed) > 0 {
			return &os.PathError{Op: "execute", Path: found, Err: errors.New("needs libraries and names no interpreter")}
		}
		return nil
	}
	l, err := c.newLoader(exe)
	if err != nil {
		return err
	}
	l.take(exe, "")
	c.loader = l
	return c.loadAll(l)
}

// module adds what a file that was asked for needs, if it is a shared object
// for the command's loader. Other files need nothing.
func (c *closer) module(found, real string) error {
	f, err := c.tree.open(real)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	e, err := readObject(f)
	if errors.Is(err, errNotELF) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "read", Path: found, Err: err}
	}
	const etDyn = 3
	l := c.loader
	if e.kind != etDyn || e.interp != "" || l == nil || !e.sameMachine(&l.loaded[0].elf) || l.has(real) {
		return nil
	}
	o := &object{path: found, real: real, origin: parent(found), elf: e, parent: l.loaded[0]}
	c.objects = append(c.objects, o)
	l.take(o, "")
	return c.loadAll(l)
}

func readObject(f *os.File) (elfObject, error) {
	st, err := f.Stat()
	if err != nil {
		return elfObject{}, err
	}
	return parseELF(f, st.Size())
}

func (l *loader) take(o *object, name string) {
	if name == "" {
		l.loaded = append(l.loaded, o)
	} else {
		l.names[name] = o
	}
	if o.elf.soname != "" && l.names[o.elf.soname] == nil {
		l.names[o.elf.soname] = o
	}
}

func (l *loader) has(real string) bool {
	return slices.ContainsFunc(l.loaded, func(o *object) bool { return o.real == real })
}

// loadAll loads, breadth first as ld.so does, what the loaded objects need, and
// then what the C library is known to load by itself.
func (c *closer) loadAll(l *loader) error {
	for done := 0; ; {
		for ; done < len(l.loaded); done++ {
			o := l.loaded[done]
			for _, name := range o.elf.needed {
				if err := c.load(l, o, name, "needed by "+o.path); err != nil {
					return err
				}
			}
			for _, name := range o.elf.option {
				if err := c.loadOptional(l, o, name, "an auxiliary of "+o.path); err != nil {
					return err
				}
			}
		}
		if err := c.loadHidden(l); err != nil {
			return err
		}
		if done == len(l.loaded) {
			return nil
		}
	}
}

// loadHidden loads what glibc loads with dlopen for itself, named in no table:
// libgcc_s.so.1 (without it pthread_cancel and pthread_exit abort), and before
// 2.34 the NSS modules for files and DNS (nss(5)).
func (c *closer) loadHidden(l *loader) error {
	libc := l.names["libc.so.6"]
	if l.kind != loaderGlibc || libc == nil {
		return nil
	}
	var used uses
	for _, o := range l.loaded {
		if o != libc {
			used |= o.elf.uses
		}
	}
	if used&usesCancel != 0 {
		if err := c.loadOptional(l, libc, "libgcc_s.so.1", "loaded by "+libc.path+" for pthread_cancel"); err != nil {
			return err
		}
	}
	if used&usesNames != 0 && !libc.elf.nss {
		for _, name := range [...]string{"libnss_files.so.2", "libnss_dns.so.2"} {
			if err := c.loadOptional(l, libc, name, "loaded by "+libc.path+" to look up names"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *closer) loadOptional(l *loader, by *object, name, why string) error {
	err := c.load(l, by, name, why)
	var missing *MissingError
	if errors.As(err, &missing) {
		return nil
	}
	return err
}

// load finds one library and adds it, unless an object of that name is loaded.
func (c *closer) load(l *loader, by *object, name, why string) error {
	if l.names[name] != nil {
		return nil
	}
	if l.kind == loaderMusl && muslItself(name) {
		return nil
	}
	o, err := c.search(l, by, name)
	if err != nil {
		return err
	}
	if o == nil {
		return &MissingError{Name: name, NeededBy: by.path}
	}
	if _, err := c.add(o.path, why); err != nil {
		return err
	}
	for _, old := range l.loaded {
		if old.real == o.real {
			l.take(old, name)
			return nil
		}
	}
	c.objects = append(c.objects, o)
	l.take(o, "")
	l.take(o, name)
	return nil
}

// muslItself tells whether musl's loader answers for a library itself, whatever
// its version: the reserved list of ldso/dynlink.c.
func muslItself(name string) bool {
	rest, ok := strings.CutPrefix(name, "lib")
	if !ok {
		return false
	}
	word, _, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	switch word {
	case "c", "pthread", "rt", "m", "dl", "util", "xnet":
		return true
	}
	return false
}

// search finds a library in the loader's order; nil when no directory has it.
func (c *closer) search(l *loader, by *object, name string) (*object, error) {
	if strings.Contains(name, "/") {
		p, err := l.expand(name, by)
		if err != nil {
			return nil, err
		}
		if p[0] != '/' {
			return nil, &os.PathError{Op: "load for " + by.path, Path: name, Err: errors.New("the name is relative to the working directory")}
		}
		return c.probe(p, by)
	}
	dirs, err := l.runPaths(by)
	if err != nil {
		return nil, err
	}
	if o, err := c.probeDirs(dirs, name, by); o != nil || err != nil {
		return o, err
	}
	if o, err := c.fromCache(l, name, by); o != nil || err != nil {
		return o, err
	}
	if l.kind != loaderGlibc {
		if o, err := c.probeDirs(l.conf, name, by); o != nil || err != nil {
			return o, err
		}
	}
	if !by.elf.noDef {
		if o, err := c.probeDirs(l.dirs, name, by); o != nil || err != nil {
			return o, err
		}
	}
	if l.kind != loaderGlibc {
		return nil, nil
	}
	// Only reached without an entry in the cache: ldconfig has not run yet.
	o, err := c.probeDirs(l.conf, name, by)
	if o != nil {
		c.note("ldconfig", o.path+" is in a directory of /etc/ld.so.conf but not in /etc/ld.so.cache: "+
			"run ldconfig on the source, and again")
	}
	return o, err
}

func (c *closer) probeDirs(dirs []string, name string, by *object) (*object, error) {
	for _, d := range dirs {
		if o, err := c.probe(join(d, name), by); o != nil || err != nil {
			return o, err
		}
	}
	return nil, nil
}

// fromCache looks into ld.so.cache. When the library is in a directory which
// the loader does not search by itself, the cache must be in the root, too, and
// with it each variant for certain CPUs that the loader would prefer.
func (c *closer) fromCache(l *loader, name string, by *object) (*object, error) {
	own := func(e *cacheEntry) bool { return slices.Contains(l.dirs, parent(e.path)) }
	for i := range l.cache {
		e := &l.cache[i]
		if e.name != name || e.hwcap != 0 || (by.elf.noDef && own(e)) {
			continue
		}
		o, err := c.probe(e.path, by)
		if err != nil {
			return nil, err
		}
		if o == nil {
			continue
		}
		if own(e) {
			return o, nil
		}
		if _, err := c.add(l.file, "the loader finds "+e.path+" by it"); err != nil {
			return nil, err
		}
		return o, c.variants(l, name, by)
	}
	return nil, nil
}

func (c *closer) variants(l *loader, name string, by *object) error {
	for i := range l.cache {
		e := &l.cache[i]
		if e.name != name || e.hwcap == 0 {
			continue
		}
		o, err := c.probe(e.path, by)
		if err != nil {
			return err
		}
		if o == nil || l.has(o.real) {
			continue
		}
		if _, err := c.add(e.path, "preferred to "+name+" on some processors"); err != nil {
			return err
		}
		c.objects = append(c.objects, o)
		l.loaded = append(l.loaded, o)
	}
	return nil
}

// probe opens a candidate; nil when there is none, or one for another machine,
// which loaders pass over. What is no ELF file at all stops them, and us.
func (c *closer) probe(p string, by *object) (*object, error) {
	w, err := c.tree.walk(p)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if w.node.kind != KindFile {
		return nil, nil
	}
	f, err := c.tree.open(w.real)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	e, err := readObject(f)
	if err != nil {
		return nil, &os.PathError{Op: "load for " + by.path, Path: p, Err: err}
	}
	if !e.sameMachine(&by.elf) {
		return nil, nil
	}
	return &object{path: p, real: w.real, origin: parent(path.Clean(p)), elf: e, parent: by}, nil
}
