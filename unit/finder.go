package unit

import (
	"path"
	"strings"

	"github.com/hardrun/hardrun/nearest"
	"github.com/hardrun/hardrun/order"

	"golang.org/x/sys/unix"
)

// Finder finds unit files and their drop-ins. The zero Finder looks where systemd 262 does
// for the system's units.
type Finder struct {
	// Path are the directories, those first whose files are stronger; nil for the usual
	// ones. Of the usual ones any may be missing, of others none.
	Path []string
	// DropIns are applied after all others, in this order.
	DropIns []DropIn
}

// DropIn is a further drop-in: a file, or with a Text that text.
type DropIn struct {
	Name string // the path, or the name of the text for origins and errors
	Text string
}

// defaultPath is the load path of systemd.unit(5), "System Unit Search Path". /lib is what
// /usr/lib was once, and often the same still.
var defaultPath = [...]string{
	"/etc/systemd/system.control",
	"/run/systemd/system.control",
	"/run/systemd/transient",
	"/run/systemd/generator.early",
	"/etc/systemd/system",
	"/etc/systemd/system.attached",
	"/run/systemd/system",
	"/run/systemd/system.attached",
	"/run/systemd/generator",
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/lib/systemd/system",
	"/run/systemd/generator.late",
}

const maxLinks = 8 // aliases of aliases that are followed

// directory is one of the load path.
type directory struct {
	path     string
	dev, ino uint64
}

// loading is one call of Load.
type loading struct {
	dirs    []directory
	unit    *Unit
	aliases []name
	errs    Errors
	whole   bool // a file is unusable
}

// Load reads a unit and all its drop-ins. A word with a slash is a file; any other a name,
// which is searched in the load path, and gets ".service" if it has no suffix of a unit.
// Only services and sockets can be loaded. A file in a directory of the load path is
// treated as if found there by its name, and so are its links; any other has only the
// drop-ins in FILE.d.
//
// Lines that cannot be read are Problems of the unit. Errors are an *Error, which may be
// ErrMasked or ErrNotFound, or Errors of what makes whole files unusable.
func (f *Finder) Load(word string) (*Unit, error) {
	l := loading{unit: &Unit{}}
	if err := l.open(f.Path); err != nil {
		return nil, err
	}
	var err error
	if strings.Contains(word, "/") {
		err = l.file(word)
	} else {
		err = l.word(word)
	}
	if err != nil {
		return nil, err
	}
	return l.finish(f.DropIns)
}

// Only is a unit of DropIns alone, without name and file; nil if there are none.
func (f *Finder) Only() (*Unit, error) {
	if len(f.DropIns) == 0 {
		return nil, nil
	}
	l := loading{unit: &Unit{}}
	return l.finish(f.DropIns)
}

// open finds the directories of the load path, each once.
func (l *loading) open(paths []string) error {
	usual := paths == nil
	if usual {
		paths = defaultPath[:]
	}
	for _, dir := range paths {
		if !usual && !strings.HasPrefix(dir, "/") {
			return &Error{Text: "no absolute directory to look for units in: " + shown(dir)}
		}
		var st unix.Stat_t
		err := again(func() error { return unix.Stat(dir, &st) })
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			err = unix.ENOTDIR
		}
		if usual && (err == unix.ENOENT || err == unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return kernel(plain(dir), "no directory to look for units in", err)
		}
		d := directory{clean(dir), uint64(st.Dev), uint64(st.Ino)}
		if l.same(d) < 0 {
			l.dirs = append(l.dirs, d)
		}
	}
	return nil
}

// same is the place of a directory in the load path; -1 for another one.
func (l *loading) same(d directory) int {
	for i := range l.dirs {
		if l.dirs[i].dev == d.dev && l.dirs[i].ino == d.ino {
			return i
		}
	}
	return -1
}

// place is the place in the load path of the directory that an absolute path is in.
func (l *loading) place(file string) int {
	dir, _ := path.Split(file)
	for i := range l.dirs {
		if l.dirs[i].path+"/" == dir {
			return i
		}
	}
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return -1
	}
	return l.same(directory{dir, uint64(st.Dev), uint64(st.Ino)})
}

// word finds a unit by its name.
func (l *loading) word(word string) error {
	if dot := strings.LastIndexByte(word, '.'); dot < 0 || !isType(word[dot+1:]) {
		word += ".service"
	}
	n, err := startable(word)
	if err != nil {
		return err
	}
	return l.find(n, 0)
}

// startable reads the name of a unit that can be loaded.
func startable(word string) (name, error) {
	n, err := split(word)
	switch {
	case err != nil:
		e := &Error{Text: err.Error()}
		if at := strings.IndexByte(word, '@'); at > 0 && strings.HasSuffix(word, ".service") {
			e.Hint = "an instance is written as systemd-escape prints it: " + word[:at+1] + escape(word[at+1:len(word)-len(".service")]) + ".service"
		}
		return name{}, e
	case n.kind != "service" && n.kind != "socket":
		return name{}, &Error{Text: "only services and sockets can be started: " + shown(word)}
	case n.template():
		return name{}, &Error{
			Text: "a template without an instance: " + shown(word),
			Hint: "name one: " + n.with("INSTANCE").String(),
		}
	}
	return n, nil
}

// find looks for the file of a unit in the load path, beginning at the directory from. What
// is there under the full name comes first, then a template of an instance. Links within
// the load path are aliases, of which only the name counts; a link to its own name leads to
// weaker directories.
func (l *loading) find(n name, from int) error {
	asked := n
	for range maxLinks {
		file, to, err := l.search(n, n.String(), from)
		if err == nil && file == "" && to == (name{}) && n.instanced() {
			file, to, err = l.search(n, n.with("").String(), 0)
		}
		switch {
		case err != nil:
			return err
		case file != "":
			return l.found(n, file)
		case to == (name{}):
			return l.notFound(asked, n)
		}
		l.aliases = append(l.aliases, n)
		n, from = to, 0
	}
	return &Error{Text: "unit " + asked.String() + ": its links lead to no file", Err: unix.ELOOP}
}

// search looks for an entry in the load path: the file, or what n is an alias of.
func (l *loading) search(n name, base string, from int) (file string, to name, err error) {
	for i := from; i < len(l.dirs); i++ {
		file, to, err := l.look(n, l.dirs[i].path+"/"+base)
		if err != nil || file != "" || to != (name{}) {
			return file, to, err
		}
	}
	return "", name{}, nil
}

// look is search for one path.
func (l *loading) look(n name, file string) (found string, to name, err error) {
	text, link, err := target(file)
	switch {
	case err == unix.ENOENT:
		return "", name{}, nil
	case err != nil:
		return "", name{}, kernel(plain(file), "cannot be read", err)
	case !link:
		return file, name{}, nil
	}
	text = join(file, text)
	if null(text) {
		return "", name{}, masked(file)
	}
	if l.place(text) < 0 {
		return file, name{}, nil // a linked unit
	}
	base := path.Base(text)
	if base == path.Base(file) {
		return "", name{}, nil
	}
	own := n
	if file[strings.LastIndexByte(file, '/')+1:] != n.String() {
		own = n.with("") // the template is what is linked
	}
	if to, err = own.alias(base); err != nil {
		return "", name{}, &Error{File: plain(file), Text: "link to " + shown(base) + ", which cannot be the same unit: " + err.Error(), Whole: true}
	}
	return "", to.with(n.instance), nil
}

// notFound is the error for a unit without a file: n, which asked may be an alias of.
func (l *loading) notFound(asked, n name) error {
	e := &Error{Text: "unit " + n.String() + ": not found", Err: ErrNotFound}
	if asked != n {
		e.Text = "unit " + asked.String() + ": a link to " + n.String() + ", which is not found"
		return e
	}
	var names []string
	for i := range l.dirs {
		found, err := list(l.dirs[i].path, "."+n.kind)
		if err != nil {
			return err
		}
		for _, e := range found {
			names = append(names, e.name)
		}
	}
	var looked []string
	for i := range l.dirs {
		looked = append(looked, plain(l.dirs[i].path))
	}
	e.Hint = "looked in " + strings.Join(looked, ", ")
	if near := nearest.Of(n.String(), names); near != "" && !control(near) {
		e.Hint = "did you mean " + near + "?"
	}
	return e
}

// file loads a unit by its path.
func (l *loading) file(word string) error {
	if strings.IndexByte(word, 0) >= 0 {
		return &Error{Text: "no path: " + shown(word)}
	}
	file := word
	if !strings.HasPrefix(file, "/") {
		dir, err := unix.Getwd()
		if err == nil && !strings.HasPrefix(dir, "/") {
			err = unix.ENOENT
		}
		if err != nil {
			return kernel(shown(word), "the working directory is not known", err)
		}
		file = dir + "/" + file
	}
	dir, base := path.Split(clean(file))
	n, err := startable(base)
	if err != nil {
		if hint := instanceHint(word); hint != "" {
			return &Error{File: plain(word), Text: "no unit file: " + err.Error(), Hint: hint}
		}
		return err
	}
	file = dir + base
	template := dir + n.with("").String()
	i := l.place(file)
	if i < 0 {
		_, _, err := target(file)
		if err == unix.ENOENT && n.instanced() {
			if _, _, missing := target(template); missing == nil {
				return l.outside(n, template, file)
			}
		}
		if err == unix.ENOENT {
			return l.noFile(word)
		}
		return l.outside(n, file, "")
	}
	found, to, err := l.look(n, file)
	if err == nil && found == "" && to == (name{}) && n.instanced() {
		found, to, err = l.look(n, template)
	}
	switch {
	case err != nil:
		return err
	case found != "":
		return l.found(n, found)
	case to != (name{}):
		l.aliases = append(l.aliases, n)
		return l.find(to, 0)
	}
	if _, link, _ := target(file); link {
		return l.find(n, i+1)
	}
	return l.noFile(word)
}

func (l *loading) noFile(word string) error {
	return &Error{File: plain(word), Text: "no such file", Hint: instanceHint(word), Err: ErrNotFound}
}

// instanceHint is for a word whose slashes may be meant for an instance: empty for others.
func instanceHint(word string) string {
	before, instance, found := strings.Cut(word, "@")
	if !found || !strings.Contains(instance, "/") || strings.Contains(before, "/") {
		return ""
	}
	return "an instance is written as systemd-escape prints it: " + before + "@" + escape(strings.TrimSuffix(instance, ".service")) + ".service"
}

// outside reads a file that is in no directory of the load path, and the drop-ins beside
// it; instance is what the file is the template of.
func (l *loading) outside(n name, file, instance string) error {
	if err := l.main(n, file); err != nil {
		return err
	}
	dirs := []string{file + ".d"}
	if instance != "" {
		dirs = []string{instance + ".d", file + ".d"}
	}
	return l.dropIns(dirs)
}

// found reads a file of the load path, and all drop-ins of the unit.
func (l *loading) found(n name, file string) error {
	if err := l.main(n, file); err != nil {
		return err
	}
	if err := l.otherNames(n); err != nil {
		return err
	}
	var dirs []string
	// In each directory of the load path the stronger names first: a weaker name there is
	// stronger than the strongest one in the next directory.
	add := func(names []string) {
		for i := range l.dirs {
			for _, base := range names {
				dirs = append(dirs, l.dirs[i].path+"/"+base+".d")
			}
		}
	}
	add(n.dropIns())
	for _, alias := range l.aliases {
		l.unit.Aliases = append(l.unit.Aliases, alias.String())
		add(alias.dropIns())
	}
	add([]string{n.kind})
	return l.dropIns(dirs)
}

// main reads the unit's own file.
func (l *loading) main(n name, file string) error {
	u := l.unit
	u.Name, u.Prefix, u.Instance = n.String(), n.prefix, n.instance
	u.Path = file
	if _, link, err := target(file); err != nil {
		return kernel(plain(file), "cannot be read", err)
	} else if link || strings.Contains(file, "/../") {
		if u.Path, err = realPath(file); err != nil {
			return err
		}
	}
	text, device, err := content(u.Path, maxFile)
	if device || err == nil && len(text) == 0 {
		return masked(file)
	}
	if err != nil {
		return err
	}
	l.parse(path.Base(file), u.Path, text)
	return nil
}

func masked(file string) error {
	return &Error{
		File: plain(file), Text: "the unit is masked", Err: ErrMasked,
		Hint: "a link to /dev/null, or an empty file, says that it must not be started",
	}
}

// parse takes in what a file says.
func (l *loading) parse(shown, file string, text []byte) {
	u := l.unit
	list, err := Parse(plain(shown), text)
	u.Files = append(u.Files, file)
	u.Assignments = append(u.Assignments, list...)
	if err == nil {
		return
	}
	for _, err := range err.(Errors) {
		if e, ok := err.(*Error); ok && e.Whole {
			l.whole = true
		}
		l.errs.add(err)
	}
}

// otherNames finds the aliases of n: links in the load path that lead to it, or to its
// template, and to those in turn.
func (l *loading) otherNames(n name) error {
	type link struct {
		file string
		dir  int
		n    name // what is linked
		to   string
	}
	var links []link
	for i := range l.dirs {
		found, err := list(l.dirs[i].path, "."+n.kind)
		if err != nil {
			return err
		}
		for _, e := range found {
			if !e.link {
				continue
			}
			file := l.dirs[i].path + "/" + e.name
			text, is, err := target(file)
			if err != nil && err != unix.ENOENT {
				return kernel(plain(file), "cannot be read", err)
			}
			of, bad := split(e.name)
			if err != nil || !is || bad != nil {
				continue
			}
			if text = join(file, text); path.Base(text) != e.name && !null(text) {
				links = append(links, link{file, i, of, text})
			}
		}
	}
	known := append([]name{n}, l.aliases...)
	for at := 0; at < len(known) && len(known) < 1000; at++ {
		for i := range links {
			k := &links[i]
			to, err := k.n.alias(path.Base(k.to))
			alias := k.n
			if k.n.template() {
				to, alias = to.with(n.instance), alias.with(n.instance)
			}
			if err != nil || to != known[at] || has(known, alias) || l.hidden(k.dir, path.Base(k.file)) || l.place(k.to) < 0 {
				continue
			}
			known = append(known, alias)
			l.aliases = append(l.aliases, alias)
		}
	}
	return nil
}

func has(list []name, n name) bool {
	for i := range list {
		if list[i] == n {
			return true
		}
	}
	return false
}

// hidden tells whether a stronger directory than the one at dir has an entry of that name.
func (l *loading) hidden(dir int, base string) bool {
	for i := range dir {
		if _, _, err := target(l.dirs[i].path + "/" + base); err != unix.ENOENT {
			return true
		}
	}
	return false
}

// dropIns reads the files *.conf of directories, those first whose files are stronger: of
// equally named ones the first counts, and they are read in the order of their names. An
// empty one and a link to /dev/null say nothing, but hide others.
func (l *loading) dropIns(dirs []string) error {
	type conf struct{ dir, name string }
	var all []conf
	for _, dir := range dirs {
		found, err := list(dir, ".conf")
		if err != nil {
			return err
		}
		for _, e := range found {
			all = append(all, conf{dir, e.name})
		}
	}
	order.By(all, func(a, b *conf) bool { return a.name < b.name })
	for i := range all {
		if i > 0 && all[i].name == all[i-1].name {
			continue
		}
		file := all[i].dir + "/" + all[i].name
		if to, link, err := target(file); err == nil && link && null(join(file, to)) {
			continue
		}
		text, device, err := content(file, maxFile)
		if device {
			continue
		}
		if err != nil {
			return err
		}
		l.parse(path.Base(all[i].dir)+"/"+all[i].name, file, text)
	}
	return nil
}

// finish reads the drop-ins of the command line.
func (l *loading) finish(dropIns []DropIn) (*Unit, error) {
	for i := range dropIns {
		d := &dropIns[i]
		text := []byte(d.Text)
		if d.Text == "" {
			var err error
			if d.Name == "" || strings.IndexByte(d.Name, 0) >= 0 {
				return nil, &Error{Text: "no path of a drop-in: " + shown(d.Name)}
			}
			if text, _, err = content(d.Name, maxFile); err != nil {
				return nil, err
			}
		}
		l.parse(d.Name, d.Name, text)
	}
	if l.whole {
		return nil, l.errs
	}
	l.unit.Problems = l.errs
	return l.unit, nil
}
