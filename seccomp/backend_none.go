//go:build !libseccomp || !linux || !cgo

package seccomp

import "errors"

// HasLibseccomp tells whether this build has --filter-backend=libseccomp.
const HasLibseccomp = false

// Libseccomp is Program by way of libseccomp, in builds with the tag libseccomp; an
// error in this one.
func (f *Filter) Libseccomp() (Program, error) {
	return nil, errors.New("this build has no libseccomp")
}
