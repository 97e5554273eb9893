package dirs

import (
	"errors"
	"strconv"
	"strings"
)

// Credential is one line of LoadCredential=, SetCredential= or ImportCredential=,
// systemd.exec(5).
type Credential struct {
	ID     string // with Import: a name, or the beginning of names and "*"
	Path   string // of LoadCredential=: absolute, or a name in the stores; empty: ID
	Data   string
	Set    bool   // SetCredential=
	Import bool   // ImportCredential=
	Rename string // ImportCredential=GLOB:RENAME
}

// Loaded is a credential: the name of its file, and what is in it.
type Loaded struct {
	ID   string
	Data []byte
}

// maxCredentials is the number of bytes that all credentials of a service have together, with
// their names: systemd.exec(5) "LoadCredential=".
const maxCredentials = 1 << 20

// directive is the line's.
func (c *Credential) directive() string {
	switch {
	case c.Set:
		return "SetCredential"
	case c.Import:
		return "ImportCredential"
	}
	return "LoadCredential"
}

// validCredential tells whether a name can be that of a credential: a file name that can
// stand in LISTEN_FDNAMES.
func validCredential(id string) bool {
	return validName(id) && id != "." && id != ".." && strings.IndexByte(id, '/') < 0
}

// Check says what is wrong with the line; nil for nothing.
func (c *Credential) Check() error {
	id := c.ID
	if c.Import {
		id = strings.TrimSuffix(id, "*")
		if id == "" && c.ID == "*" {
			id = "x"
		}
	}
	what := c.directive() + "=" + c.ID
	switch {
	case !validCredential(id) || c.Import && strings.ContainsAny(id, "*?["):
		return errors.New(c.directive() + "=" + strconv.Quote(c.ID) + " is not the name of a credential")
	case c.Rename != "" && !validCredential(c.Rename):
		return errors.New(what + ": " + strconv.Quote(c.Rename) + " is not the name of a credential")
	case c.Set && len(c.Data)+len(c.ID) > maxCredentials:
		return named(what, errTooLarge())
	case !c.Set && strings.Contains(c.Path+"/", "/credstore.encrypted/"):
		return errors.New(what + ": " + c.Path + ": encrypted credentials are not decrypted")
	case c.Path == "" || c.Set || c.Import:
		return nil
	case c.Path[0] == '/':
		_, err := normalPath(c.Path)
		return named(what, err)
	case !validCredential(c.Path):
		return errors.New(what + ": " + strconv.Quote(c.Path) + " is neither an absolute path nor the name of a credential")
	}
	return nil
}

func errTooLarge() error {
	return errors.New("credentials have " + strconv.Itoa(maxCredentials) + " bytes at most, their names included")
}
