package policy

import (
	"errors"
	"strconv"
	"strings"
)

// ParseInputText decodes the value of StandardInputText=, systemd.exec(5): the C
// escapes of SplitWords, without quoting, and a newline behind it. Errors are
// those of SplitWords for an escape, and a NUL.
func ParseInputText(s string) (string, error) {
	text := make([]byte, 0, len(s)+1)
	for i := 0; i < len(s); {
		switch s[i] {
		case 0:
			return "", errors.New("NUL byte")
		case '\\':
			var n int
			var err error
			if text, n, err = appendUnescaped(text, s[i:]); err != nil {
				return "", err
			}
			i += n
		default:
			text = append(text, s[i])
			i++
		}
	}
	return string(append(text, '\n')), nil
}

// ParseBase64 decodes the value of StandardInputData=, systemd.exec(5): Base64 of
// RFC 4648 section 4, blanks ignored. As in systemd the padding must be there,
// nothing may follow it, and the bits that it leaves over must be zero.
func ParseBase64(s string) (string, error) {
	data := make([]byte, 0, len(s)/4*3)
	bits, count, padding := uint32(0), 0, 0
	for i := range len(s) {
		c := s[i]
		if isBlank(c) {
			continue
		}
		v := strings.IndexByte(base64Alphabet, c)
		switch {
		case c == '=' && count%4 >= 2:
			padding++
			v = 0
		case v < 0 || padding > 0:
			return "", errors.New("not Base64: " + strconv.QuoteRune(rune(c)) + " at byte " + strconv.Itoa(i+1))
		}
		bits = bits<<6 | uint32(v)
		if count++; count%4 == 0 {
			data = append(data, byte(bits>>16), byte(bits>>8), byte(bits))
			bits &= 1<<(8*padding) - 1
			if padding > 0 && bits != 0 {
				return "", errors.New("not Base64: stray bits before the padding")
			}
			bits = 0
		}
	}
	if count%4 != 0 {
		return "", errors.New("not Base64: it ends early")
	}
	return string(data[:len(data)-padding]), nil
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
