package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/process"
)

// ParseInterface checks the name of a network interface, as Linux and systemd have it: 1 to
// 15 characters of ASCII without blanks and without "/", ":" and "%", not a number, and none
// of ".", "..", "all" and "default", which mean something else below /proc/sys. Quotes and
// backslashes, too, are errors.
func ParseInterface(s string) (string, error) {
	valid := s != "" && len(s) <= 15 && strings.Trim(s, "0123456789") != "" && s != "." && s != ".." && s != "all" && s != "default"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/:%"'\`, c) >= 0 {
			valid = false
		}
	}
	if !valid {
		return "", bad("not the name of a network interface: ", s)
	}
	return s, nil
}

func checkInterface(word string) error {
	_, err := ParseInterface(word)
	return err
}

func alone(word string) ([]string, bool) { return []string{word}, true }

// checkFileSystem tells whether a word is a file system, or a group of them.
func checkFileSystem(word string) error {
	if _, err := cgroup.ParseFileSystem(word); err != nil {
		return &fileSystemError{err, word}
	}
	return nil
}

// fileSystemError is the error for a file system that is in no table. Its hint names the
// nearest one.
type fileSystemError struct {
	error
	word string
}

// Hint is "did you mean ext4?"; empty where none is near.
func (e *fileSystemError) Hint() string {
	var names []string
	cgroup.EachFileSystem(func(name string) bool {
		names = append(names, name)
		return true
	})
	if near := (&process.WordError{Word: e.word, Words: names}).Hint(); strings.HasPrefix(near, "did you mean ") {
		return near
	}
	return ""
}

// namesField is a list of names that are allowed, or with "~" before the line those that
// are not, systemd.resource-control(5), RestrictNetworkInterfaces=: the first line decides,
// later ones add to the list or, with the other sign, take away from it. An empty line
// unsets. A list that everything was taken from stays what it was; to systemd it is as
// unset, and the next line decides anew.
type namesField struct {
	opt     func(p *Policy) *Opt[cgroup.Names]
	what    string // for errors: "network interface"
	check   func(word string) error
	members func(word string) ([]string, bool) // of a group, or the name itself
	example string                             // a name to write an empty list with
}

func (f *namesField) set(p *Policy, value string, from Origin) error {
	value, deny := strings.CutPrefix(strings.TrimLeft(value, " \t\r\n"), "~")
	words, err := SplitWords(value)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("no " + f.what + " is named")
	}
	for _, w := range words {
		if strings.HasPrefix(w, "~") {
			return bad("\"~\" stands before a whole line, not before a word: ", w)
		}
		if err := f.check(w); err != nil {
			return err
		}
	}
	o := f.opt(p)
	v := cgroup.Names{Deny: deny}
	if o.Set {
		v.Deny = o.V.Deny
	}
	switch {
	case !o.Set:
		v.List = onceWithout(words, nil)
	case deny == v.Deny:
		v.List = onceWithout(append(slices.Clone(o.V.List), words...), nil)
	default:
		v.List = onceWithout(f.expand(o.V.List), f.expand(words))
	}
	*o = Opt[cgroup.Names]{V: v, Set: true, From: from}
	return nil
}

// expand puts the members of groups in their places.
func (f *namesField) expand(words []string) []string {
	var names []string
	for _, w := range words {
		members, _ := f.members(w) // check has let the word pass
		names = append(names, members...)
	}
	return names
}

// onceWithout are the names, each once, that are not among those gone.
func onceWithout(names, gone []string) []string {
	var kept []string
	for _, n := range names {
		if !slices.Contains(gone, n) && !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept
}

func (f *namesField) reset(p *Policy, _ Origin) { *f.opt(p) = Opt[cgroup.Names]{} }
func (f *namesField) isSet(p *Policy) bool      { return f.opt(p).Set }

// write hands out an empty list as a name and the line that takes it away: an empty value
// would unset.
func (f *namesField) write(p *Policy, each func(string, Origin)) {
	o := f.opt(p)
	if !o.Set {
		return
	}
	sign, other := "", "~"
	if o.V.Deny {
		sign, other = "~", ""
	}
	if len(o.V.List) > 0 {
		each(sign+strings.Join(o.V.List, " "), o.From)
		return
	}
	each(sign+f.example, o.From)
	each(other+f.example, o.From)
}
