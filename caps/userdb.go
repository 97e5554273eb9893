package caps

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// User is an account of passwd(5). Entry is false where an id was asked for
// that no entry has; then only UID is meaningful, and GID, being zero, must
// not be used: that would be root's group.
type User struct {
	Name        string
	UID, GID    uint32
	Home, Shell string // as they stand in the file: perhaps empty, never a control character
	Entry       bool   // found in the database
}

// Group is a group of group(5). Name is empty where an id was asked for that
// no entry has.
type Group struct {
	Name string
	GID  uint32
}

// Database is the paths of a passwd(5) and a group(5) file. The zero Database
// finds nobody. The files are read as text, without NSS: a static program
// cannot load NSS modules, and should not run them as root.
type Database struct {
	Passwd, Group string
}

// Host is the database of the machine. It must be asked before the root
// directory changes, as the files in a new root belong to whoever filled it.
var Host = Database{Passwd: "/etc/passwd", Group: "/etc/group"}

// maxGroups is NGROUPS_MAX of linux/limits.h: setgroups(2) takes no more.
const maxGroups = 65536

// ParseID reads the decimal form of a user or group id. ok is true for an id
// that can be used; err is non-nil for what is meant as a number and is none
// (a sign, a blank, a leading zero, above 4294967294) and for 65535 and
// 4294967295, which setresuid(2), in 16 and 32 bits, takes as "no change".
// What is neither, "0x0" and "1e3" among it, is a name (CVE-2020-13776).
func ParseID(s string) (id uint32, ok bool, err error) {
	if !allDigits(s) {
		if allDigits(strings.TrimRight(strings.TrimLeft(s, "+- \t"), " \t")) {
			return 0, false, refusal("an id is written without sign or blank")
		}
		return 0, false, nil
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, false, refusal("an id is decimal, without leading zero")
	}
	var n uint64
	for i := range len(s) {
		if n = n*10 + uint64(s[i]-'0'); n > 1<<32-1 {
			return 0, false, refusal("an id is at most 4294967294")
		}
	}
	switch n {
	case 1<<16 - 1:
		return 0, false, refusal(`65535 is no id: a 16-bit setresuid(2) takes it as "no change"`)
	case 1<<32 - 1:
		return 0, false, refusal(`4294967295 is no id: setresuid(2) takes it as "no change"`)
	}
	return uint32(n), true, nil
}

// LookupUser finds the first well-formed entry with this name or decimal id.
// An id without an entry is no error, but a User with Entry false; a passwd
// file that does not exist has no entries. Errors: UnknownUserError,
// MalformedError, DatabaseError, or the reason why name can be no account.
func (d Database) LookupUser(name string) (u User, err error) {
	id, byID, err := parseKey(name)
	if err != nil {
		return User{}, err
	}
	r, err := openLines(d.Passwd)
	if err != nil {
		if byID && errors.Is(err, unix.ENOENT) {
			return User{UID: id}, nil
		}
		return User{}, err
	}
	defer r.close(&err)
	bad := MalformedError{Path: d.Passwd, Name: name}
	for {
		line, more, err := r.next()
		switch {
		case err == io.EOF && bad.Line > 0:
			return User{}, bad
		case err == io.EOF && byID:
			return User{UID: id}, nil
		case err == io.EOF:
			return User{}, UnknownUserError{Name: name, Path: d.Passwd}
		case err != nil:
			return User{}, err
		case noEntry(line), !byID && !entryNamed(line, name):
			continue
		}
		u, reason := parsePasswd(line, more)
		switch {
		case reason == "" && (!byID || u.uid == id):
			return u.user(), nil
		case !byID && bad.Line == 0:
			bad.Line, bad.Reason = r.line, reason
		}
	}
}

// LookupGroup finds the first well-formed entry with this name or decimal id.
// An id without an entry is no error, but a Group without a name; a group file
// that does not exist has no entries. Errors: UnknownGroupError,
// MalformedError, DatabaseError, or the reason why name can be no group.
func (d Database) LookupGroup(name string) (g Group, err error) {
	id, byID, err := parseKey(name)
	if err != nil {
		return Group{}, err
	}
	r, err := openLines(d.Group)
	if err != nil {
		if byID && errors.Is(err, unix.ENOENT) {
			return Group{GID: id}, nil
		}
		return Group{}, err
	}
	defer r.close(&err)
	bad := MalformedError{Path: d.Group, Name: name}
	for {
		line, more, err := r.next()
		switch {
		case err == io.EOF && bad.Line > 0:
			return Group{}, bad
		case err == io.EOF && byID:
			return Group{GID: id}, nil
		case err == io.EOF:
			return Group{}, UnknownGroupError{Name: name, Path: d.Group}
		case err != nil:
			return Group{}, err
		case noEntry(line), !byID && !entryNamed(line, name):
			continue
		}
		entry, gid, members, reason := parseGroup(line, more)
		if byID && (reason != "" || gid != id || nameProblem(string(entry)) != "") {
			continue
		}
		g := Group{Name: string(entry), GID: gid} // a copy: members refills the buffer
		if reason == "" {
			if _, reason, err = r.members(members, more, ""); err != nil {
				return Group{}, err
			}
		}
		switch {
		case reason == "":
			return g, nil
		case !byID && bad.Line == 0:
			bad.Line, bad.Reason = r.line, reason
		}
	}
}

// GroupsOf is the list that initgroups(3) would set for the user name: primary
// first, then each group that lists the user, in the order of the file, none
// twice. Malformed lines give nothing, nor does a group file that does not
// exist: both can only take access away. Errors: DatabaseError, a name that can
// be no account, a primary that ParseID refuses, more than NGROUPS_MAX groups.
func (d Database) GroupsOf(name string, primary uint32) (ids []uint32, err error) {
	if reason := nameProblem(name); reason != "" {
		return nil, refusal(reason)
	}
	if _, _, err := ParseID(strconv.FormatUint(uint64(primary), 10)); err != nil {
		return nil, err
	}
	list := idList{ids: []uint32{primary}}
	r, err := openLines(d.Group)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return list.ids, nil
		}
		return nil, err
	}
	defer r.close(&err)
	for {
		line, more, err := r.next()
		switch {
		case err == io.EOF:
			return list.ids, nil
		case err != nil:
			return nil, err
		case noEntry(line):
			continue
		}
		_, gid, members, reason := parseGroup(line, more)
		if reason != "" {
			continue
		}
		listed, reason, err := r.members(members, more, name)
		if err != nil {
			return nil, err
		}
		if listed && reason == "" && !list.add(gid) {
			return nil, DatabaseError{Op: "read", Path: d.Group, Err: refusal("more than 65536 groups list " + strconv.Quote(name))}
		}
	}
}

// parseKey tells a name that may be looked up from an id.
func parseKey(s string) (id uint32, byID bool, err error) {
	id, byID, err = ParseID(s)
	if err == nil && !byID {
		if reason := nameProblem(s); reason != "" {
			err = refusal(reason)
		}
	}
	return id, byID, err
}

// nameProblem is why s can be no name of an account, or "". It is weak on
// purpose, as systemd.exec(5) User= is: a name that the file has is taken, but
// not one that would break a file's line, a path, or a terminal, or that is a
// number to other programs.
func nameProblem(s string) string {
	switch {
	case s == "":
		return "empty name"
	case len(s) > 255: // LOGIN_NAME_MAX of limits.h, without its NUL
		return "a name has at most 255 bytes"
	case strings.IndexByte("+-#", s[0]) >= 0: // NIS entries, comments
		return `a name does not start with "+", "-" or "#"`
	case s == ".", s == "..":
		return `a name is not "." or ".."`
	case s[0] == ' ', s[len(s)-1] == ' ':
		return "a name does not start or end with a blank"
	case !utf8.ValidString(s):
		return "a name is UTF-8"
	case allDigits(s):
		return "a name has more than digits"
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == ':' || c == ',' || c == '/' {
			return `a name has no control character, ":", "," or "/"`
		}
	}
	return ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// noEntry is true for blank lines, comments (the BSDs have them) and the "+"
// and "-" entries of NIS, whose empty uid field old programs read as 0.
func noEntry(line []byte) bool {
	return len(line) == 0 || line[0] == '+' || line[0] == '-' || line[0] == '#'
}

func entryNamed(line []byte, name string) bool {
	return len(line) >= len(name) && string(line[:len(name)]) == name &&
		(len(line) == len(name) || line[len(name)] == ':')
}

const (
	reasonNUL  = "it has a NUL byte"
	reasonLong = "it is too long"
)

// passwdEntry is a line taken apart but not yet copied, so that a search by id
// allocates for the entry it returns only.
type passwdEntry struct {
	name, home, shell []byte
	uid, gid          uint32
}

func (e passwdEntry) user() User {
	return User{
		Name: string(e.name), UID: e.uid, GID: e.gid,
		Home: string(e.home), Shell: string(e.shell), Entry: true,
	}
}

// parsePasswd takes a line of passwd(5) apart, or tells why it is none.
func parsePasswd(line []byte, more bool) (e passwdEntry, reason string) {
	if more {
		return e, reasonLong
	}
	var f [7][]byte
	for i := range 6 {
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return e, "it has less than seven fields"
		}
		f[i], line = line[:colon], line[colon+1:]
	}
	f[6] = line
	e = passwdEntry{name: f[0], home: f[5], shell: f[6]}
	if e.uid, reason = entryID(f[2]); reason != "" {
		return passwdEntry{}, reason
	}
	if e.gid, reason = entryID(f[3]); reason != "" {
		return passwdEntry{}, reason
	}
	switch {
	case bytes.IndexByte(line, ':') >= 0:
		reason = "it has more than seven fields"
	case bytes.IndexByte(f[1], 0) >= 0, bytes.IndexByte(f[4], 0) >= 0:
		reason = reasonNUL
	case hasControl(e.home), hasControl(e.shell): // they become HOME and SHELL
		reason = "its home or shell has a control character"
	default:
		reason = nameProblem(string(e.name))
	}
	if reason != "" {
		return passwdEntry{}, reason
	}
	return e, ""
}

// parseGroup takes a line of group(5) apart as far as the start of its
// members, or tells why it is none.
func parseGroup(line []byte, more bool) (name []byte, gid uint32, members []byte, reason string) {
	var f [3][]byte
	for i := range f {
		colon := bytes.IndexByte(line, ':')
		switch {
		case colon < 0 && more:
			return nil, 0, nil, reasonLong
		case colon < 0:
			return nil, 0, nil, "it has less than four fields"
		}
		f[i], line = line[:colon], line[colon+1:]
	}
	switch gid, reason = entryID(f[2]); {
	case reason != "":
		return nil, 0, nil, reason
	case bytes.IndexByte(f[0], 0) >= 0, bytes.IndexByte(f[1], 0) >= 0:
		return nil, 0, nil, reasonNUL
	case len(f[0]) == 0:
		return nil, 0, nil, "it has no name"
	}
	return f[0], gid, line, ""
}

// entryID is ParseID for a field, with the reason as a text that costs nothing
// to make: a search by id passes over every malformed line.
func entryID(field []byte) (id uint32, reason string) {
	id, ok, err := ParseID(string(field))
	switch {
	case err != nil:
		return 0, err.Error()
	case !ok:
		return 0, "its uid or gid is not a number"
	}
	return id, ""
}

func hasControl(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// idList is a list in which nothing stands twice.
type idList struct {
	ids []uint32
	// slots is a hash table with open addressing, made once the list is long,
	// so that no group file makes the search quadratic. A slot holds ^id: zero
	// is a free one, as 4294967295 is never an id.
	slots []uint32
}

// add appends id unless it is there; false is a full list.
func (l *idList) add(id uint32) bool {
	if l.slots == nil {
		for _, have := range l.ids {
			if have == id {
				return true
			}
		}
		if len(l.ids) >= 32 {
			l.slots = make([]uint32, 2*maxGroups)
			for _, have := range l.ids {
				*l.slot(have) = ^have
			}
		}
	}
	if l.slots != nil {
		s := l.slot(id)
		if *s != 0 {
			return true
		}
		if len(l.ids) >= maxGroups {
			return false
		}
		*s = ^id
	}
	l.ids = append(l.ids, id)
	return true
}

// slot is where id stands, or the free slot where it belongs.
func (l *idList) slot(id uint32) *uint32 {
	for i := id * 2654435769 >> 15; ; i++ { // 2^32 / golden ratio; 17 bits
		s := &l.slots[i%uint32(len(l.slots))]
		if *s == 0 || *s == ^id {
			return s
		}
	}
}

// lineBuffer is the longest line of passwd that is taken, and one byte.
const lineBuffer = 16 << 10

// lineReader reads a file line by line through one fixed buffer.
type lineReader struct {
	path       string
	fd         int
	line       int // number of the current line, from 1
	total      int // bytes read
	least      int // bytes that there are to be read
	start, end int // buf[start:end] is read and not yet given out
	inLine     bool
	eof        bool
	buf        []byte // lineBuffer bytes, which the kernel gives page by page as they are used
}

// maxFile bounds the time that a hostile or sparse file can take to less than
// a second, be it all blank lines. It is about half a million accounts.
const maxFile = 32 << 20

// openLines opens a regular file. O_NONBLOCK, as a fifo would hang the open;
// O_NOCTTY, as a terminal would become ours.
func openLines(path string) (*lineReader, error) {
	r := lineReader{path: path, buf: make([]byte, lineBuffer)}
	var err error
	for {
		r.fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, DatabaseError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	for {
		if err = unix.Fstat(r.fd, &st); err != unix.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		err = DatabaseError{Op: "stat", Path: path, Err: err}
	case uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG:
		err = DatabaseError{Op: "open", Path: path, Err: refusal("not a regular file")}
	default:
		if st.Blocks > 0 { // else a file system that makes the text when it is read need not know its length
			r.least = int(min(st.Size, maxFile))
		}
		return &r, nil
	}
	r.close(&err)
	return nil, err
}

// close gives the descriptor back. Where that fails and nothing else has, that is the error: the
// descriptor may be open still, and in the way of one that is passed to the daemon.
func (r *lineReader) close(err *error) {
	if closed := unix.Close(r.fd); closed != nil && *err == nil {
		*err = DatabaseError{Op: "close", Path: r.path, Err: closed}
	}
}

// next is the next line without its newline, valid until the next call; or, if
// more, the first len(buf) bytes of a longer one, which rest continues and next
// skips. After the last line err is io.EOF.
func (r *lineReader) next() (piece []byte, more bool, err error) {
	for r.inLine {
		if _, _, err := r.rest(); err != nil {
			return nil, false, err
		}
	}
	r.line++
	return r.rest()
}

// rest is the next piece of the current line.
func (r *lineReader) rest() (piece []byte, more bool, err error) {
	for seen := 0; ; {
		have := r.buf[r.start:r.end]
		if i := bytes.IndexByte(have[seen:], '\n'); i >= 0 {
			r.start += seen + i + 1
			r.inLine = false
			return have[:seen+i], false, nil
		}
		switch {
		case r.eof && len(have) == 0 && !r.inLine:
			return nil, false, io.EOF
		case r.eof, len(have) == len(r.buf):
			r.start = r.end
			r.inLine = !r.eof
			return have, r.inLine, nil
		}
		seen = len(have)
		if err := r.fill(); err != nil {
			return nil, false, err
		}
	}
}

// fill reads what fits behind the bytes not yet given out.
func (r *lineReader) fill() error {
	r.end = copy(r.buf, r.buf[r.start:r.end])
	r.start = 0
	for {
		n, err := unix.Read(r.fd, r.buf[r.end:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return DatabaseError{Op: "read", Path: r.path, Err: err}
		}
		r.end += n
		r.eof = n == 0
		if r.total += n; r.total > maxFile {
			return DatabaseError{Op: "read", Path: r.path, Err: refusal("larger than 32 MiB")}
		}
		if r.eof && r.total < r.least { // who is not found could stand in the rest
			return DatabaseError{Op: "read", Path: r.path, Err: refusal("it ended before its end")}
		}
		return nil
	}
}

// members reads the members of a group, which may fill many buffers, to the
// end of the line. listed tells whether user is one of them; reason is why the
// line is malformed, or "". Blanks before a member do not count, as in the C
// library.
func (r *lineReader) members(piece []byte, more bool, user string) (listed bool, reason string, err error) {
	for {
		switch {
		case bytes.IndexByte(piece, 0) >= 0:
			return false, reasonNUL, nil
		case bytes.IndexByte(piece, ':') >= 0:
			return false, "it has more than four fields", nil
		}
		if more {
			// The last member may go on in the next piece: give it back.
			cut := bytes.LastIndexByte(piece, ',') + 1
			tail := len(piece) - cut
			if tail == len(r.buf) {
				return false, "a member of it is too long", nil
			}
			r.start -= tail
			piece = piece[:cut]
		}
		for len(piece) > 0 && user != "" {
			member := piece
			if comma := bytes.IndexByte(piece, ','); comma >= 0 {
				member, piece = piece[:comma], piece[comma+1:]
			} else {
				piece = nil
			}
			if string(bytes.TrimLeft(member, " \t")) == user {
				listed = true
			}
		}
		if !more {
			return listed, "", nil
		}
		if piece, more, err = r.rest(); err != nil {
			return false, "", err
		}
	}
}

// refusal is the reason why a value is not taken.
type refusal string

func (r refusal) Error() string { return string(r) }

// UnknownUserError says that the passwd file has no entry of this name.
type UnknownUserError struct {
	Name, Path string // what was searched for, and the file that was read
}

func (e UnknownUserError) Error() string { return "unknown user " + strconv.Quote(e.Name) }

// Hint tells what to do about it, in one line.
func (e UnknownUserError) Hint() string {
	return "only " + e.Path + " is read; write a user of LDAP, SSSD or the like as UID:GID"
}

// UnknownGroupError says that the group file has no entry of this name.
type UnknownGroupError struct {
	Name, Path string // what was searched for, and the file that was read
}

func (e UnknownGroupError) Error() string { return "unknown group " + strconv.Quote(e.Name) }

// Hint tells what to do about it, in one line.
func (e UnknownGroupError) Hint() string {
	return "only " + e.Path + " is read; write a group of LDAP, SSSD or the like as its decimal GID"
}

// MalformedError says that a name is in the file, but in no well-formed line.
type MalformedError struct {
	Name, Path string
	Line       int    // the first such line, from 1
	Reason     string // "it has less than seven fields"
}

func (e MalformedError) Error() string {
	return strconv.Quote(e.Name) + " is only in a malformed line, " + e.Path + ":" + strconv.Itoa(e.Line) + ": " + e.Reason
}

// DatabaseError says that a file of the database could not be read. Err is the
// errno where the kernel refused.
type DatabaseError struct {
	Op, Path string // "open", "stat" or "read"
	Err      error
}

func (e DatabaseError) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap is the errno, for errors.Is.
func (e DatabaseError) Unwrap() error { return e.Err }
