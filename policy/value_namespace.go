package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
)

// kindName is a namespace as a directive names it, and its CLONE_NEW flag.
type kindName[T ~uint32 | ~uint64] struct {
	name string
	kind T
}

// delegable are the namespaces that DelegateNamespaces= can name, systemd.exec(5).
var delegable = [...]kindName[ns.Kinds]{
	{"cgroup", ns.NewCgroup},
	{"ipc", ns.NewIPC},
	{"net", ns.NewNet},
	{"mnt", ns.NewNS},
	{"pid", ns.NewPID},
	{"uts", ns.NewUTS},
}

// parseKinds reads names between blanks. No name at all and any other are errors.
func parseKinds[T ~uint32 | ~uint64](s string, known []kindName[T]) (T, error) {
	var kinds T
	for _, w := range plainWords(s) {
		i := slices.IndexFunc(known, func(k kindName[T]) bool { return k.name == w })
		if i < 0 {
			names := make([]string, len(known))
			for n := range known {
				names[n] = known[n].name
			}
			return 0, &process.WordError{What: "type of namespace", Word: w, Words: names}
		}
		kinds |= known[i].kind
	}
	if kinds == 0 {
		return 0, errors.New("no type of namespace is named")
	}
	return kinds, nil
}

// kindsText are the names.
func kindsText[T ~uint32 | ~uint64](kinds T, known []kindName[T]) string {
	var names []string
	for _, k := range known {
		if kinds&k.kind != 0 {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, " ")
}

// ParseNamespaces reads the names of DelegateNamespaces=, systemd.exec(5), that
// blanks part: cgroup, ipc, net, mnt, pid and uts. No name at all and any other
// are errors; so is "user", of which systemd says that it makes no sense.
func ParseNamespaces(s string) (ns.Kinds, error) {
	kinds, err := parseKinds(s, delegable[:])
	var unknown *process.WordError
	if errors.As(err, &unknown) && unknown.Word == "user" {
		return 0, errors.New("a user namespace owns the others, and is not delegated itself")
	}
	return kinds, err
}

// namespacesText is "no", "yes" for all, or the names.
func namespacesText(kinds ns.Kinds) string {
	switch kinds {
	case 0:
		return "no"
	case ns.Delegable:
		return "yes"
	}
	return kindsText(kinds, delegable[:])
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
