package policy

import (
	"errors"
	"strings"
)

// credentialID checks the name of a credential, systemd.exec(5): a file name of printable ASCII
// characters without colons.
func credentialID(s string) error {
	if s == "" || s == "." || s == ".." || strings.IndexByte(s, '/') >= 0 || checkFDName(s) != nil {
		return bad("not the name of a credential: ", s)
	}
	return nil
}

// ParseLoadCredential reads LoadCredential=, systemd.exec(5): ID[:PATH]. Path is absolute, or
// the name that the credential has in the stores; without it that is the ID, and Path is empty.
func ParseLoadCredential(s string) (Credential, error) {
	id, path, found := strings.Cut(s, ":")
	if err := credentialID(id); err != nil {
		return Credential{}, err
	}
	c := Credential{ID: id, Path: path}
	switch {
	case !found:
	case strings.HasPrefix(path, "/"):
		var err error
		if c.Path, err = ParsePath(path); err != nil {
			return Credential{}, err
		}
	default:
		if err := credentialID(path); err != nil {
			return Credential{}, err
		}
	}
	return c, nil
}

// ParseSetCredential reads SetCredential=, systemd.exec(5): ID:VALUE. C escapes are resolved in
// the value, where NUL can be one. expand resolves the specifiers of the ID, nil
// resolves none; the value has none.
func ParseSetCredential(s string, expand func(string) (string, error)) (Credential, error) {
	id, value, found := strings.Cut(s, ":")
	if !found {
		return Credential{}, bad("a name and a value are wanted, with a colon between them, not ", s)
	}
	id, err := expanded(id, expand)
	if err == nil {
		err = credentialID(id)
	}
	if err != nil {
		return Credential{}, err
	}
	data := make([]byte, 0, len(value))
	for i := 0; i < len(value); {
		n := 1
		switch {
		case value[i] == 0:
			return Credential{}, errors.New("NUL byte")
		case strings.HasPrefix(value[i:], `\x00`) || strings.HasPrefix(value[i:], `\000`):
			data, n = append(data, 0), 4
		case value[i] == '\\':
			if data, n, err = appendUnescaped(data, value[i:]); err != nil {
				return Credential{}, err
			}
		default:
			data = append(data, value[i])
		}
		i += n
	}
	return Credential{ID: id, Data: string(data), Set: true}, nil
}

// ParseImportCredential reads ImportCredential=, systemd.exec(5): a name, or the beginning of
// names before one "*" at the end, and behind a colon what takes its place in the names that
// the daemon sees.
func ParseImportCredential(s string) (Credential, error) {
	glob, rename, found := strings.Cut(s, ":")
	c := Credential{ID: glob, Rename: rename, Import: true}
	name := strings.TrimSuffix(glob, "*")
	if strings.ContainsAny(name, "*?[]") {
		return Credential{}, bad("the one wildcard is a * at the end, not ", glob)
	}
	if glob != "*" {
		if err := credentialID(name); err != nil {
			return Credential{}, err
		}
	}
	if found {
		if err := credentialID(rename); err != nil {
			return Credential{}, err
		}
	}
	return c, nil
}

// credentialText prints a credential as its directive takes it.
func credentialText(c *Credential) string {
	switch {
	case c.Import && c.Rename != "":
		return c.ID + ":" + c.Rename
	case c.Set:
		b := []byte(c.ID + ":")
		for i := range len(c.Data) {
			switch x := c.Data[i]; {
			case x == '\\':
				b = append(b, '\\', '\\')
			case x <= ' ' || x == 0x7f:
				b = append(b, '\\', 'x', hexDigits[x>>4], hexDigits[x&15])
			default:
				b = append(b, x)
			}
		}
		return string(b)
	case c.Path != "":
		return c.ID + ":" + c.Path
	}
	return c.ID
}

// credentialField is one of the directives that fill the one list of credentials. Its empty
// assignment takes what came by the same directive.
type credentialField uint8

const (
	loadCredential credentialField = iota
	setCredential
	importCredential
)

func (c *Credential) field() credentialField {
	switch {
	case c.Set:
		return setCredential
	case c.Import:
		return importCredential
	}
	return loadCredential
}

func (f credentialField) set(p *Policy, value string, from Origin) error {
	var c Credential
	var err error
	switch f {
	case setCredential:
		expand := p.Expand
		if from.CommandLine() {
			expand = nil
		}
		c, err = ParseSetCredential(value, expand)
	case importCredential:
		c, err = ParseImportCredential(value)
	default:
		c, err = ParseLoadCredential(value)
	}
	if err != nil {
		return err
	}
	p.Credentials.add([]Credential{c}, from)
	return nil
}

func (f credentialField) reset(p *Policy, _ Origin) {
	p.Credentials.keep(func(c *Credential) bool { return c.field() != f })
}

func (f credentialField) isSet(p *Policy) bool {
	for i := range p.Credentials.Items {
		if p.Credentials.Items[i].V.field() == f {
			return true
		}
	}
	return false
}

func (f credentialField) write(p *Policy, each func(string, Origin)) {
	for i := range p.Credentials.Items {
		if item := &p.Credentials.Items[i]; item.V.field() == f {
			each(credentialText(&item.V), item.From)
		}
	}
}
