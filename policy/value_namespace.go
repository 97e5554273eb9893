package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
)

// kindNames are the namespaces that DelegateNamespaces= can name, systemd.exec(5).
var kindNames = [...]struct {
	name string
	kind ns.Kinds
}{
	{"cgroup", ns.NewCgroup},
	{"ipc", ns.NewIPC},
	{"net", ns.NewNet},
	{"mnt", ns.NewNS},
	{"pid", ns.NewPID},
	{"uts", ns.NewUTS},
}

// ParseNamespaces reads the names of DelegateNamespaces=, systemd.exec(5), that
// blanks part: cgroup, ipc, net, mnt, pid and uts. No name at all and any other
// are errors; so is "user", of which systemd says that it makes no sense.
func ParseNamespaces(s string) (ns.Kinds, error) {
	var kinds ns.Kinds
	names := make([]string, 0, len(kindNames))
	for _, k := range kindNames {
		names = append(names, k.name)
	}
words:
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r < 0x80 && isBlank(byte(r)) }) {
		for _, k := range kindNames {
			if k.name == w {
				kinds |= k.kind
				continue words
			}
		}
		if w == "user" {
			return 0, errors.New("a user namespace owns the others, and is not delegated itself")
		}
		return 0, &process.WordError{What: "type of namespace", Word: w, Words: names}
	}
	if kinds == 0 {
		return 0, errors.New("no type of namespace is named")
	}
	return kinds, nil
}

// namespacesText is "no", "yes" for all, or the names.
func namespacesText(kinds ns.Kinds) string {
	switch kinds {
	case 0:
		return "no"
	case ns.Delegable:
		return "yes"
	}
	var names []string
	for _, k := range kindNames {
		if kinds&k.kind != 0 {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, " ")
}

// hostNameMax is the length that sethostname(2) takes, HOST_NAME_MAX of linux/limits.h.
const hostNameMax = 64

// ParseHostname reads the value of ProtectHostname=, systemd.exec(5): a boolean
// or "private", and behind a colon the name to set. The name has at most 64 bytes
// of letters, digits, hyphens and dots; between dots there is something that
// neither begins nor ends with a hyphen. "no" with a name is an error.
func ParseHostname(s string) (Hostname, error) {
	word, name, named := strings.Cut(s, ":")
	mode, err := boolWord(word, "private")
	switch {
	case err != nil:
		return Hostname{}, err
	case !named:
		return Hostname{Mode: mode}, nil
	case mode == "no":
		return Hostname{}, errors.New("a name to set with no: " + strconv.Quote(s))
	case !validHostname(name):
		return Hostname{}, errors.New("not a host name: " + strconv.Quote(name))
	}
	return Hostname{Mode: mode, Name: name}, nil
}

func validHostname(name string) bool {
	if len(name) > hostNameMax {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

// hostnameText prints the value of ProtectHostname=.
func hostnameText(h Hostname) string {
	if h.Name == "" {
		return h.Mode
	}
	return h.Mode + ":" + h.Name
}

// parsePrivateUsers takes the value of PrivateUsers=, systemd.exec(5); "yes" is
// another word for "self".
func parsePrivateUsers(s string) (string, error) {
	if s == "managed" {
		return "", errors.New("managed needs systemd-nsresourced, which hands out ranges of users")
	}
	word, err := boolWord(s, "self", "identity", "full")
	if word == "yes" {
		word = "self"
	}
	return word, err
}
