package caps

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/nearest"
)

// SecureBits are the flags of prctl(PR_SET_SECUREBITS), capabilities(7).
type SecureBits uint32

// The flags of linux/securebits.h. A locked flag can't be changed any more, nor unlocked.
const (
	SecbitNoRoot                    SecureBits = 1 << iota // SECBIT_NOROOT: uid 0 and set-user-ID root get no capabilities at execve(2)
	SecbitNoRootLocked                                     // SECBIT_NOROOT_LOCKED
	SecbitNoSetuidFixup                                    // SECBIT_NO_SETUID_FIXUP: a change of uid leaves the capability sets alone
	SecbitNoSetuidFixupLocked                              // SECBIT_NO_SETUID_FIXUP_LOCKED
	SecbitKeepCaps                                         // SECBIT_KEEP_CAPS: a change of uid away from 0 keeps the permitted set; execve(2) clears the flag
	SecbitKeepCapsLocked                                   // SECBIT_KEEP_CAPS_LOCKED
	SecbitNoCapAmbientRaise                                // SECBIT_NO_CAP_AMBIENT_RAISE: nothing can be added to the ambient set
	SecbitNoCapAmbientRaiseLocked                          // SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED
	SecbitExecRestrictFile                                 // SECBIT_EXEC_RESTRICT_FILE, Linux 6.14: interpreters ask AT_EXECVE_CHECK for a file
	SecbitExecRestrictFileLocked                           // SECBIT_EXEC_RESTRICT_FILE_LOCKED
	SecbitExecDenyInteractive                              // SECBIT_EXEC_DENY_INTERACTIVE, Linux 6.14: interpreters take no commands but from files
	SecbitExecDenyInteractiveLocked                        // SECBIT_EXEC_DENY_INTERACTIVE_LOCKED
)

// secureBitNames are the words of SecureBits=, systemd.exec(5), by bit.
var secureBitNames = [12]string{
	"noroot", "noroot-locked",
	"no-setuid-fixup", "no-setuid-fixup-locked",
	"keep-caps", "keep-caps-locked",
	"no-cap-ambient-raise", "no-cap-ambient-raise-locked",
	"exec-restrict-file", "exec-restrict-file-locked",
	"exec-deny-interactive", "exec-deny-interactive-locked",
}

// UnknownBitError is the error for a word that names no secure bit.
type UnknownBitError struct {
	Name string // as it was written
}

// Error is `unknown secure bit "norot"`.
func (e UnknownBitError) Error() string { return "unknown secure bit " + strconv.Quote(e.Name) }

// Hint is "did you mean noroot?", or the list of all names when none is near.
func (e UnknownBitError) Hint() string {
	if near := nearest.Of(e.Name, secureBitNames[:]); near != "" {
		return "did you mean " + near + "?"
	}
	return "known are " + strings.Join(secureBitNames[:], ", ")
}

// ParseSecureBits reads the value of SecureBits=, systemd.exec(5): names
// between blanks, ORed. The empty string is 0. "no-root" and "no-root-locked"
// are taken for "noroot" and "noroot-locked". An unknown word is an
// UnknownBitError, where systemd goes on with the others.
func ParseSecureBits(words string) (SecureBits, error) {
	var b SecureBits
	for _, w := range strings.FieldsFunc(words, blank) {
		bit := secureBit(w)
		if bit == 0 {
			return 0, UnknownBitError{Name: w}
		}
		b |= bit
	}
	return b, nil
}

func secureBit(word string) SecureBits {
	switch word {
	case "no-root":
		return SecbitNoRoot
	case "no-root-locked":
		return SecbitNoRootLocked
	}
	for i := range secureBitNames {
		if word == secureBitNames[i] {
			return 1 << i
		}
	}
	return 0
}

// String is the names of the flags that are set, in bit order and separated by
// blanks as SecureBits= takes them, with "bit12" for one that has no name here.
// It is empty for 0.
func (b SecureBits) String() string {
	var list []string
	for rest := uint32(b); rest != 0; rest &= rest - 1 {
		n := bits.TrailingZeros32(rest)
		if n < len(secureBitNames) {
			list = append(list, secureBitNames[n])
		} else {
			list = append(list, "bit"+strconv.Itoa(n))
		}
	}
	return strings.Join(list, " ")
}
