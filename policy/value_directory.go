package policy

import (
	"errors"
	"slices"
	"strings"
)

// DirectoryNames are the directives of the kinds of directories.
var DirectoryNames = [DirectoryKinds]string{"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory"}

// DirectoryBases are the places of the kinds of directories, for system services.
var DirectoryBases = [DirectoryKinds]string{"/run", "/var/lib", "/var/cache", "/var/log", "/etc"}

// ParseDirectories reads a line of RuntimeDirectory= or its kin, systemd.exec(5): words
// NAME[:SYMLINK[:FLAGS]], in which "\:" is a colon. Name and link are relative paths, which
// come without "//" and "/./"; the one flag is "ro". A directory that is named again is one,
// with all of its links, and read-only if one of them says so.
//
// Errors are "..", an absolute path, the name "private" and what is below it, which is where
// the directories of a dynamic user lie, hardrun's own places below /run, and a link of
// ConfigurationDirectory=. systemd passes over the word.
func ParseDirectories(s string, kind DirectoryKind) ([]Directory, error) {
	words, err := splitWords(s, colonsAlways)
	if err != nil {
		return nil, err
	}
	var all []Directory
	for _, w := range words {
		fields := strings.Split(w, fieldEnd)
		d := Directory{}
		if d.Name, err = relativePath(fields[0], kind); err != nil {
			return nil, err
		}
		if len(fields) > 1 && fields[1] != "" {
			link, err := relativePath(fields[1], kind)
			switch {
			case err != nil:
				return nil, err
			case kind == ConfigurationDirectory:
				return nil, bad("there are no links to directories of configuration: ", fields[1])
			case link == d.Name:
				return nil, bad("a link to itself: ", link)
			}
			d.Links = []string{link}
		}
		if len(fields) > 2 && fields[2] != "" {
			if fields[2] != "ro" {
				return nil, bad("the one flag is ro, not ", fields[2])
			}
			d.ReadOnly = true
		}
		if len(fields) > 3 {
			return nil, bad("more than a name, a link and a flag: ", strings.Join(fields, ":"))
		}
		all = addDirectory(all, d)
	}
	return all, nil
}

// addDirectory appends d, with what was there of the same name.
func addDirectory(all []Directory, d Directory) []Directory {
	for i, old := range all {
		if old.Name == d.Name {
			return append(slices.Delete(all, i, i+1), uniteDirectories(old, d))
		}
	}
	return append(all, d)
}

func uniteDirectories(old, d Directory) Directory {
	links := slices.Clone(old.Links)
	for _, l := range d.Links {
		if !slices.Contains(links, l) {
			links = append(links, l)
		}
	}
	return Directory{Name: d.Name, Links: links, ReadOnly: old.ReadOnly || d.ReadOnly}
}

// relativePath checks a path below the place of a directory, and takes "//" and "/./" out.
func relativePath(s string, kind DirectoryKind) (string, error) {
	if s == "" {
		return "", errors.New("the name of a directory is empty")
	}
	if s[0] == '/' {
		return "", bad("not a relative path: ", s)
	}
	path, err := ParsePath("/" + s)
	if err != nil {
		return "", errors.New(strings.Replace(err.Error(), `"/`, `"`, 1))
	}
	path = path[1:]
	switch first, _, _ := strings.Cut(path, "/"); {
	case path == "":
		return "", bad("not the name of a directory: ", s)
	case first == "private":
		return "", bad("private is the place of the directories of dynamic users: ", s)
	case kind == RuntimeDirectory && (first == "hardrun" || first == "credentials"):
		return "", bad("/run/"+first+" is hardrun's own: ", s)
	}
	return path, nil
}

// directoryText prints a directory as ParseDirectories takes it.
func directoryText(d Directory) string {
	if len(d.Links) == 0 && d.ReadOnly {
		return fieldsText(d.Name) + "::ro"
	}
	if len(d.Links) == 0 {
		return fieldsText(d.Name)
	}
	var words []string
	for _, l := range d.Links {
		text := fieldsText(d.Name, l)
		if d.ReadOnly {
			text += ":ro"
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// directoryField is RuntimeDirectory= or one of its kin, by its kind. A directory that a later
// line names again moves there.
type directoryField DirectoryKind

func (f directoryField) set(p *Policy, value string, from Origin) error {
	add, err := ParseDirectories(value, DirectoryKind(f))
	if err != nil {
		return err
	}
	l := &p.Directories[f]
	next := List[Directory]{Reset: l.Reset, From: l.From}
	for i := range l.Items {
		item := &l.Items[i]
		at := slices.IndexFunc(add, func(d Directory) bool { return d.Name == item.V.Name })
		if at < 0 {
			next.Items = append(next.Items, *item)
			continue
		}
		add[at] = uniteDirectories(item.V, add[at])
	}
	l.Items, l.owner = next.Items, l // of its own
	l.add(add, from)
	return nil
}

func (f directoryField) reset(p *Policy, from Origin) {
	p.Directories[f] = List[Directory]{Reset: true, From: from}
}
func (f directoryField) isSet(p *Policy) bool { return p.Directories[f].IsSet() }
func (f directoryField) write(p *Policy, each func(string, Origin)) {
	l := &p.Directories[f]
	if l.Reset {
		each("", l.From)
	}
	for i := range l.Items {
		each(directoryText(l.Items[i].V), l.Items[i].From)
	}
}
