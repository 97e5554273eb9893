package ns

import (
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
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
	defer f.Close()
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
	defer f.Close()
	e, err := readObject(f)
	if err != nil {
		return nil, &os.PathError{Op: "load for " + by.path, Path: p, Err: err}
	}
	if !e.sameMachine(&by.elf) {
		return nil, nil
	}
	return &object{path: p, real: w.real, origin: parent(path.Clean(p)), elf: e, parent: by}, nil
}

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
	defer f.Close()
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

// runPaths are the directories of DT_RPATH and DT_RUNPATH which the loader
// searches for a library that by needs, in its order.
func (l *loader) runPaths(by *object) ([]string, error) {
	var dirs []string
	add := func(list string, o *object) error {
		for d := range strings.SplitSeq(list, ":") {
			if d == "" {
				continue // the working directory, whatever it will be
			}
			p, err := l.expand(d, o)
			if err != nil {
				return err
			}
			if p[0] == '/' {
				dirs = append(dirs, p)
			}
		}
		return nil
	}
	// musl treats both tags alike and inherits both (ldso/dynlink.c,
	// load_library); others inherit DT_RPATH only, and DT_RUNPATH switches an
	// object's own and its loaders' DT_RPATH off (ld.so(8)).
	for o := by; o != nil; o = o.parent {
		list := o.elf.rpath
		if o.elf.runpath != "" {
			list = o.elf.runpath
			if l.kind != loaderMusl && o != by {
				continue
			}
		}
		if err := add(list, o); err != nil {
			return nil, err
		}
		if l.kind == loaderNetBSD || (l.kind != loaderMusl && o == by && by.elf.runpath != "") {
			break
		}
	}
	return dirs, nil
}

// expand replaces $ORIGIN, $LIB and $PLATFORM, with or without braces: ld.so(8),
// "Dynamic string tokens". musl and the BSDs know only $ORIGIN.
func (l *loader) expand(s string, o *object) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(s, "$")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		name, rest := token(after)
		value := ""
		switch {
		case name == "ORIGIN":
			value = o.origin
		case name == "LIB" && l.kind == loaderGlibc:
			value = l.lib
		case name == "PLATFORM" && l.kind == loaderGlibc:
			value = platform(o.elf.machine)
		}
		if value == "" {
			return "", &os.PathError{Op: "load for", Path: o.path, Err: errors.New("cannot expand " + strconv.Quote("$"+after) + " in its search path")}
		}
		out.WriteString(value)
		s = rest
	}
}

// token cuts NAME or {NAME} from what stands behind a "$".
func token(s string) (name, rest string) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok = strings.Cut(inner, "}"); ok {
			return name, rest
		}
		return "", ""
	}
	n := 0
	for n < len(s) && (s[n] >= 'A' && s[n] <= 'Z' || s[n] == '_') {
		n++
	}
	return s[:n], s[n:]
}

// platform is AT_PLATFORM, getauxval(3), where it does not vary by processor.
func platform(machine uint16) string {
	switch machine {
	case 3:
		return "i686"
	case 62:
		return "x86_64"
	case 183:
		return "aarch64"
	}
	return ""
}
