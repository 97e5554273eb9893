package unit

import (
	"errors"
	"strconv"
	"strings"
)

var (
	// ErrMasked is wrapped by the error of a unit that is linked to /dev/null, or whose
	// file is empty: it cannot be started, systemd.unit(5).
	ErrMasked = errors.New("masked")
	// ErrNotFound is wrapped by the error of a unit that no file is found for.
	ErrNotFound = errors.New("not found")
)

// Error is what is wrong with a unit: a line of a file, a file, or a name. Text says it,
// Hint what may have been meant (a sentence, or empty).
type Error struct {
	File string // as in policy.Origin, or a path; empty where no file is at fault
	Line int    // from 1; 0 where it is no line
	Text string
	Hint string
	// Err is ErrMasked, ErrNotFound, or the reason that the kernel gave; nil for others.
	Err error
	// Whole says that the whole file is unusable: the line cannot be passed over.
	Whole bool
}

// Error is "named.service:14: text".
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Text
	case e.Line == 0:
		return e.File + ": " + e.Text
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Text
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

// Errors is one problem after the other, in the order of reading: *Error or *policy.Error.
// There are maxErrors at most; a last one more says that there were others.
type Errors []error

const maxErrors = 20

// Error is one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap is what errors.Is and errors.As look into.
func (e Errors) Unwrap() []error { return e }

// add appends an error while there is room. One that makes a file unusable is always kept.
func (e *Errors) add(err error) {
	if len(*e) < maxErrors {
		*e = append(*e, err)
		return
	}
	if bad, ok := err.(*Error); ok && bad.Whole {
		(*e)[maxErrors-1] = err
	}
	if len(*e) == maxErrors {
		*e = append(*e, errors.New("more than "+strconv.Itoa(maxErrors)+" problems: the rest is not listed"))
	}
}

// orNil is nil for none: a nil Errors in an error is not nil.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// kernel is the error of a system call about a file.
func kernel(file, what string, err error) *Error {
	return &Error{File: file, Text: what + ": " + err.Error(), Err: err, Whole: true}
}

// shown is a word as it stands in an error: in quotes, cut where it is long.
func shown(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}

// plain is a file name for errors: quoted where it has what a terminal should not get.
func plain(name string) string {
	if control(name) {
		return strconv.Quote(name)
	}
	return name
}
