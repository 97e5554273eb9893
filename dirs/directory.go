package dirs

import (
	"errors"
	"strings"

	"github.com/hardrun/hardrun/order"
)

// Root is where the host's directories are. The zero Root is "/", which is right but in tests.
type Root struct{ Dir string }

// Directory is a directory that is made for a service, systemd.exec(5) "RuntimeDirectory=".
type Directory struct {
	Directive string   // "StateDirectory": named in errors; names the variable of Environ
	Base      string   // "/var/lib": absolute. Links in it are followed: it must be root's alone
	Name      string   // "named/keys": normal, relative, no link anywhere in it
	Links     []string // names below Base which are made links to it
	ReadOnly  bool     // for the service; nothing here looks at it
	Mode      uint32   // of the last directory, exactly, special bits included
	UID, GID  int      // its owner; -1 leaves what is there
	// Private puts it below Base/private, which only root can enter, and makes Base/Name a link
	// to it. It is for State, Cache and Logs with DynamicUser=, and for Runtime where
	// RuntimeDirectoryPreserve= is not "no", too.
	Private bool
	// Keep leaves one that is there already as it is, ConfigurationDirectory=. A new one gets Mode, and
	// belongs to who runs this.
	Keep bool
}

// Path is where the daemon and all others find the directory: "/var/lib/named".
func (d *Directory) Path() string { return join(d.Base, d.Name) }

// Host is where it is: Path, or "/var/lib/private/named".
func (d *Directory) Host() string { return join(d.Base, d.hostName()) }

// hostName is Host below Base.
func (d *Directory) hostName() string {
	if d.Private {
		return privateName + "/" + d.Name
	}
	return d.Name
}

const privateName = "private"

func join(base, name string) string { return strings.TrimSuffix(base, "/") + "/" + name }

// Environ are the variables that name the directories: "STATE_DIRECTORY=/var/lib/a:/var/lib/b",
// one for each Directive, in the order of the first directory of each. The paths are sorted by
// their components, and each is there once.
func Environ(list []Directory) []string {
	var out []string
	var names []string
	for i := range list {
		name := list[i].variable()
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if known {
			continue
		}
		names = append(names, name)
		var paths []string
		for j := range list {
			if list[j].variable() == name {
				paths = append(paths, list[j].Path())
			}
		}
		order.By(paths, func(a, b *string) bool { return before(*a, *b) })
		text, last := name+"=", ""
		for k, p := range paths {
			if p == last {
				continue
			}
			if k > 0 {
				text += ":"
			}
			text, last = text+p, p
		}
		out = append(out, text)
	}
	return out
}

// variable is "STATE_DIRECTORY" for StateDirectory.
func (d *Directory) variable() string {
	return strings.ToUpper(strings.TrimSuffix(d.Directive, "Directory")) + "_DIRECTORY"
}

// before compares paths by their components: "a/b" comes before "a.b".
func before(a, b string) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return a[i] == '/' || b[i] != '/' && a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

// sorted is the list with parents before what is in them.
func sorted(list []Directory) []Directory {
	out := append([]Directory(nil), list...)
	order.By(out, func(a, b *Directory) bool { return before(a.Path(), b.Path()) })
	return out
}

// below tells whether path is in the directory dir, at any depth.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// relative is the text of a link at the name from that leads to the name to, both below one
// directory: "../private/a/b" for "a/b".
func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")) + to
}

// check refuses names that would lead elsewhere.
func (d *Directory) check() error {
	if !strings.HasPrefix(d.Base, "/") {
		return named(d.Base, errors.New("is no absolute path"))
	}
	for i := -1; i < len(d.Links); i++ {
		name := d.Name
		if i >= 0 {
			name = d.Links[i]
		}
		rest := name
		for more := true; more; {
			var part string
			part, rest, more = strings.Cut(rest, "/")
			if part == "" || part == "." || part == ".." || len(part) > 255 || strings.IndexByte(part, 0) >= 0 {
				return named("\""+name+"\"", errors.New("is no normal, relative path"))
			}
		}
		if name == privateName || below(name, privateName) {
			return named("\""+name+"\"", errors.New("private is the directory of DynamicUser="))
		}
		if i >= 0 && (name == d.Name || below(d.Name, name)) {
			return named("\""+name+"\"", errors.New("a link cannot stand where the directory is"))
		}
	}
	if d.Mode&^0o7777 != 0 {
		return named(d.Path(), errors.New("the mode has more than 07777"))
	}
	return nil
}

// about is what an error is about: "StateDirectory=named".
func (d *Directory) about() string {
	if d.Directive == "" {
		return d.Path()
	}
	return d.Directive + "=" + d.Name
}

// covered tells whether a Private directory lies in another of the list, and so is found by the link
// to that one.
func covered(list []Directory, d *Directory) bool {
	for i := range list {
		if l := &list[i]; d.Private && l.Private && l.Base == d.Base && below(d.Name, l.Name) {
			return true
		}
	}
	return false
}

// leadsPrivate tells whether the text of a link at Base/Name leads to Base/private/Name.
func (d *Directory) leadsPrivate(text string) bool {
	return sameLink(d.Base, relative(d.Name, privateName+"/"+d.Name), text)
}

// sameLink tells whether a link that is there leads to the same place as the text: relative, as it is
// made here, or absolute.
func sameLink(base, text, is string) bool {
	return is == text || is == join(base, text[strings.Count(text, "../")*len("../"):])
}
