package unit

import (
	"encoding/binary"
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"

	"golang.org/x/sys/unix"
)

// maxExpanded is how long a text may become, and maxSpecifiers what all specifiers of a unit may stand
// for together, in bytes.
const (
	maxExpanded   = 1 << 20
	maxSpecifiers = 4 << 20
)

// Expander resolves the specifiers of systemd.unit(5) for the system's manager: "%u" is
// root and "%t" /run, whoever runs hardrun and whatever User= says. What it reads of the
// machine it reads once, when it is first asked for; no environment variable counts.
//
// An unknown specifier is an error, as in systemd, and so is one for what there is not: a
// machine without ID, a unit without a file. A "%" at the end, or before what is neither a
// letter nor a digit, stays.
func (u *Unit) Expander() func(text string) (string, error) {
	e := &expander{unit: u}
	if u.Name != "" {
		e.name, e.bad = split(u.Name)
	} else {
		e.bad = errors.New("there is no unit")
	}
	return e.expand
}

type expander struct {
	unit *Unit
	name name
	bad  error // why there is no name
	used int   // of maxSpecifiers
	machine
}

func (e *expander) expand(text string) (string, error) {
	at := strings.IndexByte(text, '%')
	if at < 0 {
		return text, nil
	}
	b := []byte(text[:at])
	for i := at; i < len(text); i++ {
		switch {
		case text[i] != '%' || i+1 == len(text):
			b = append(b, text[i])
		case text[i+1] == '%':
			b = append(b, '%')
			i++
		case !alnum(text[i+1]):
			b = append(b, '%')
		default:
			i++
			value, err := e.value(text[i])
			if err != nil {
				return "", &specifierError{text[i], err}
			}
			if e.used += len(value); e.used > maxSpecifiers {
				return "", errors.New("the specifiers of the unit stand for more than " + size(maxSpecifiers))
			}
			b = append(b, value...)
		}
		if len(b) > maxExpanded {
			return "", errors.New("longer than " + size(maxExpanded) + " with its specifiers resolved")
		}
	}
	return string(b), nil
}

// specifierError says which specifier it was.
type specifierError struct {
	letter byte
	err    error
}

var errSpecifier = errors.New("unknown specifier")

func (e *specifierError) Error() string {
	if e.err == errSpecifier {
		return "unknown specifier %" + string(rune(e.letter))
	}
	return "specifier %" + string(rune(e.letter)) + ": " + e.err.Error()
}

func (e *specifierError) Unwrap() error { return e.err }

// Hint is how a per cent sign is written.
func (e *specifierError) Hint() string {
	if e.err == errSpecifier {
		return `a per cent sign is written "%%"`
	}
	return ""
}

// value is what a specifier stands for.
func (e *expander) value(letter byte) (string, error) {
	switch letter {
	case 'd', 'f', 'i', 'I', 'j', 'J', 'n', 'N', 'p', 'P':
		if e.bad != nil {
			return "", e.bad
		}
		return e.ofName(letter)
	case 'y', 'Y':
		if e.unit.Path == "" {
			return "", errors.New("there is no unit file")
		}
		if letter == 'Y' {
			return path.Dir(e.unit.Path), nil
		}
		return e.unit.Path, nil
	case 'C':
		return "/var/cache", nil
	case 'D':
		return "/usr/share", nil
	case 'E':
		return "/etc", nil
	case 'L':
		return "/var/log", nil
	case 'S':
		return "/var/lib", nil
	case 't':
		return "/run", nil
	case 'T':
		return "/tmp", nil
	case 'V':
		return "/var/tmp", nil
	case 'u', 'g':
		return "root", nil
	case 'U', 'G':
		return "0", nil
	case 'h':
		return "/root", nil
	}
	return e.fact(letter)
}

// ofName is a specifier for a part of the unit's name.
func (e *expander) ofName(letter byte) (string, error) {
	n := e.name
	last := n.prefix[strings.LastIndexByte(n.prefix, '-')+1:]
	switch letter {
	case 'd':
		return "/run/credentials/" + n.String(), nil
	case 'f':
		if n.instance != "" {
			return unescapePath(n.instance)
		}
		return unescapePath(n.prefix)
	case 'i':
		return n.instance, nil
	case 'I':
		return unescape(n.instance)
	case 'j':
		return last, nil
	case 'J':
		return unescape(last)
	case 'n':
		return n.String(), nil
	case 'N':
		return strings.TrimSuffix(n.String(), "."+n.kind), nil
	case 'p':
		return n.prefix, nil
	}
	return unescape(n.prefix)
}

// machine is what specifiers tell of the machine; read when it is asked for.
type machine struct {
	root       string // before every path; empty but in tests
	uts        unix.Utsname
	haveUTS    bool
	release    []string // os-release(5), NAME=VALUE
	haveOS     bool
	id, boot   string
	pretty     string
	havePretty bool
}

// fact is a specifier for the machine.
func (m *machine) fact(letter byte) (string, error) {
	switch letter {
	case 'a':
		kernel, err := m.uname(func(u *unix.Utsname) []byte { return u.Machine[:] })
		if err != nil {
			return "", err
		}
		return architecture(kernel)
	case 'v':
		return m.uname(func(u *unix.Utsname) []byte { return u.Release[:] })
	case 'H', 'l':
		host, err := m.uname(func(u *unix.Utsname) []byte { return u.Nodename[:] })
		if host == "" || host == "(none)" {
			host = "localhost"
		}
		if letter == 'l' {
			host, _, _ = strings.Cut(host, ".")
		}
		return host, err
	case 'q':
		return m.prettyName()
	case 's':
		return m.shell()
	case 'm':
		return m.id128(&m.id, "/etc/machine-id")
	case 'b':
		return m.id128(&m.boot, "/proc/sys/kernel/random/boot_id")
	case 'A':
		return m.os("IMAGE_VERSION")
	case 'B':
		return m.os("BUILD_ID")
	case 'M':
		return m.os("IMAGE_ID")
	case 'o':
		return m.os("ID")
	case 'w':
		return m.os("VERSION_ID")
	case 'W':
		return m.os("VARIANT_ID")
	}
	return "", errSpecifier
}

func (m *machine) uname(field func(*unix.Utsname) []byte) (string, error) {
	if !m.haveUTS {
		if err := unix.Uname(&m.uts); err != nil {
			return "", errors.New("uname: " + err.Error())
		}
		m.haveUTS = true
	}
	return unix.ByteSliceToString(field(&m.uts)), nil
}

// maxFacts is how long a file that tells of the machine may be, in bytes.
const maxFacts = 1 << 20

// os is a field of os-release(5); empty where that does not have it.
func (m *machine) os(field string) (string, error) {
	if !m.haveOS {
		file := m.root + "/etc/os-release"
		text, _, err := content(file, maxFacts)
		if errors.Is(err, unix.ENOENT) {
			file = m.root + "/usr/lib/os-release"
			text, _, err = content(file, maxFacts)
		}
		if err != nil {
			return "", err
		}
		if m.release, err = policy.ParseEnvironmentFile(text); err != nil {
			return "", errors.New(file + ": " + err.Error())
		}
		m.haveOS = true
	}
	return last(m.release, field), nil
}

// last is the value of a name in a list of NAME=VALUE; empty for none.
func last(list []string, name string) string {
	for i := len(list) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(list[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// prettyName is PRETTY_HOSTNAME= of machine-info(5), or the short host name.
func (m *machine) prettyName() (string, error) {
	if !m.havePretty {
		file := m.root + "/etc/machine-info"
		text, _, err := content(file, maxFacts)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return "", err
		}
		list, err := policy.ParseEnvironmentFile(text)
		if err != nil {
			return "", errors.New(file + ": " + err.Error())
		}
		m.pretty, m.havePretty = last(list, "PRETTY_HOSTNAME"), true
	}
	if m.pretty != "" {
		return m.pretty, nil
	}
	return m.fact('l')
}

// shell is root's for systemd, which asks no database: bash where there is one.
func (m *machine) shell() (string, error) {
	var st unix.Stat_t
	switch err := unix.Stat(m.root+"/bin/bash", &st); err {
	case nil:
		return "/bin/bash", nil
	case unix.ENOENT:
		return "/bin/sh", nil
	default:
		return "", errors.New("/bin/bash: " + err.Error())
	}
}

// id128 reads an ID of 128 bits: 32 hexadecimal digits, as they are printed, or as an UUID.
func (m *machine) id128(known *string, file string) (string, error) {
	if *known != "" {
		return *known, nil
	}
	text, _, err := content(m.root+file, 4096)
	if err != nil {
		return "", err
	}
	id := strings.TrimSuffix(string(text), "\n")
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		id = id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
	}
	if len(id) != 32 || strings.Trim(id, "0") == "" {
		return "", errors.New(file + ": no ID: " + shown(id))
	}
	for i := range len(id) {
		if _, err := strconv.ParseUint(id[i:i+1], 16, 8); err != nil {
			return "", errors.New(file + ": no ID: " + shown(id))
		}
	}
	*known = strings.ToLower(id)
	return *known, nil
}

// architectures are the words of uname(2), and systemd's for them, systemd.unit(5)
// "ConditionArchitecture=".
var architectures = [...][2]string{
	{"x86_64", "x86-64"},
	{"i386", "x86"},
	{"i486", "x86"},
	{"i586", "x86"},
	{"i686", "x86"},
	{"aarch64", "arm64"},
	{"aarch64_be", "arm64-be"},
	{"ppc64le", "ppc64-le"},
	{"ppc64", "ppc64"},
	{"ppcle", "ppc-le"},
	{"ppc", "ppc"},
	{"riscv64", "riscv64"},
	{"riscv32", "riscv32"},
	{"s390x", "s390x"},
	{"s390", "s390"},
	{"loongarch64", "loongarch64"},
	{"ia64", "ia64"},
	{"alpha", "alpha"},
	{"m68k", "m68k"},
	{"parisc64", "parisc64"},
	{"parisc", "parisc"},
	{"sparc64", "sparc64"},
	{"sparc", "sparc"},
	{"sh64", "sh64"},
	{"sh5", "sh64"},
	{"tilegx", "tilegx"},
	{"crisv32", "cris"},
	{"cris", "cris"},
	{"arc", "arc"},
	{"arceb", "arc-be"},
	{"amd64", "x86-64"},
	{"arm64", "arm64"}, // as other systems than Linux say it
}

// architecture is systemd's word for a machine of uname(2).
func architecture(machine string) (string, error) {
	for i := range architectures {
		if architectures[i][0] == machine {
			return architectures[i][1], nil
		}
	}
	switch {
	case machine == "mips" || machine == "mips64":
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			machine += "-le"
		}
		return machine, nil
	case strings.HasPrefix(machine, "arm") && strings.HasSuffix(machine, "b"):
		return "arm-be", nil
	case strings.HasPrefix(machine, "arm"):
		return "arm", nil
	case strings.HasPrefix(machine, "sh"):
		return "sh", nil
	}
	return "", errors.New("unknown architecture " + shown(machine))
}
