package policy

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	pathMax = 4095 // PATH_MAX of linux/limits.h, without its NUL
	nameMax = 255  // NAME_MAX
)

// ParsePath checks an absolute path and gives it without "//", "/./" and "/" at
// the end. It is an error for a path to be relative, to have a ".." component (it
// would leave what the path seems to be in, attack "%i" = "../../etc"), a NUL or a
// newline, not to be UTF-8, or to be longer than the kernel takes (4095 bytes,
// 255 for a component). systemd refuses the same.
func ParsePath(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("the path is empty")
	case len(s) > pathMax:
		return "", errors.New("the path is longer than " + strconv.Itoa(pathMax) + " bytes")
	case s[0] != '/':
		return "", errors.New("the path is not absolute: " + strconv.Quote(s))
	case strings.ContainsAny(s, "\x00\n"):
		return "", errors.New("NUL or newline in the path " + strconv.Quote(s))
	case !utf8.ValidString(s):
		return "", errors.New("the path is not UTF-8: " + strconv.Quote(s))
	}
	clean := make([]byte, 0, len(s))
	for part := range strings.SplitSeq(s, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", errors.New(`".." in the path ` + strconv.Quote(s))
		case len(part) > nameMax:
			return "", errors.New("a component of the path is longer than " + strconv.Itoa(nameMax) + " bytes")
		}
		clean = append(append(clean, '/'), part...)
	}
	if len(clean) == 0 {
		return "/", nil
	}
	return string(clean), nil
}

// ParseTolerantPath reads a path behind an optional "-", which lets it be
// absent, as ParsePath does. With allowHome the word "~" is taken, too:
// WorkingDirectory=, systemd.exec(5).
func ParseTolerantPath(s string, allowHome bool) (Tolerant, error) {
	s, tolerate := strings.CutPrefix(s, "-")
	if allowHome && s == "~" {
		return Tolerant{V: s, Tolerate: tolerate}, nil
	}
	path, err := ParsePath(s)
	if err != nil {
		return Tolerant{}, err
	}
	return Tolerant{V: path, Tolerate: tolerate}, nil
}

// ParsePathList reads the value of ExecSearchPath=, systemd.exec(5): absolute
// paths between colons. An empty element is an error (in PATH it would mean the
// working directory); so are quotes and backslashes, which systemd would
// take off.
func ParsePathList(s string) ([]string, error) {
	if strings.ContainsAny(s, `"'\`) {
		return nil, errors.New("quote or backslash in the list of paths " + strconv.Quote(s))
	}
	var list []string
	for part := range strings.SplitSeq(s, ":") {
		path, err := ParsePath(part)
		if err != nil {
			return nil, err
		}
		list = append(list, path)
	}
	return list, nil
}

// ParseTolerantLabel reads the label of SELinuxContext=, AppArmorProfile= or
// SmackProcessLabel=, systemd.exec(5), behind an optional "-". An empty label,
// one with a control character, and one longer than the 4095 bytes that
// /proc/PID/attr takes are errors.
func ParseTolerantLabel(s string) (Tolerant, error) {
	s, tolerate := strings.CutPrefix(s, "-")
	switch {
	case s == "":
		return Tolerant{}, errors.New("the label is empty")
	case len(s) > pathMax:
		return Tolerant{}, errors.New("the label is longer than " + strconv.Itoa(pathMax) + " bytes")
	case hasControl(s):
		return Tolerant{}, errors.New("control character in the label " + strconv.Quote(s))
	}
	return Tolerant{V: s, Tolerate: tolerate}, nil
}

// hasControl tells whether s has an ASCII control character.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
