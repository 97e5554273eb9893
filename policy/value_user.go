package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
)

// ParseUserName checks that s can be the name of a user or group, or an id, as
// systemd.exec(5) has it at User=. It looks nothing up.
//
// An id is decimal, 0 to 4294967294 without 65535: caps.ParseID, with its
// errors for whatever else is made of digits, signs and blanks. All else is a
// name: "0x0" is one and no number (CVE-2020-13776), "0day", too, and both are refused
// when the database has no such entry, never taken for root (CVE-2017-1000082).
// A name has at most 255 printable ASCII characters, no blank, none of : , / % " '
// and a "$" only at its end; it is not "." or "..", and does not begin with one of - + ~ #.
// That is more than systemd warns about and less than what it takes.
func ParseUserName(s string) (string, error) {
	_, isID, err := caps.ParseID(s)
	if err != nil {
		return "", errors.New(err.Error() + ": " + strconv.Quote(s))
	}
	if isID {
		return s, nil
	}
	switch {
	case s == "":
		return "", errors.New("the name is empty")
	case len(s) > 255: // LOGIN_NAME_MAX of limits.h, without its NUL
		return "", errors.New("the name is longer than 255 bytes")
	case s == "." || s == "..", strings.IndexByte("-+~#", s[0]) >= 0:
		return "", errors.New("not the name of a user or group: " + strconv.Quote(s))
	}
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`:,/%"'`, c) >= 0 || c == '$' && i < len(s)-1 {
			return "", errors.New("not the name of a user or group: " + strconv.Quote(s))
		}
	}
	return s, nil
}

// ParseUserGroup reads the value of -u and --user, "USER[:GROUP[,GROUP...]]", of
// names and ids as ParseUserName takes them. groups is nil without a colon. An
// empty user or group is an error: a shell variable that is not set must not
// mean root, nor the groups of the caller.
func ParseUserGroup(s string) (user string, groups []string, err error) {
	user, list, found := strings.Cut(s, ":")
	if user, err = ParseUserName(user); err != nil || !found {
		return user, nil, err
	}
	for g := range strings.SplitSeq(list, ",") {
		if g, err = ParseUserName(g); err != nil {
			return "", nil, errors.New("group: " + err.Error())
		}
		groups = append(groups, g)
	}
	return user, groups, nil
}
