//go:build !linux

package supervise

import "errors"

var errNotHere = errors.New("a parent of a service is had on Linux only")

// Listen is refused on this system.
func Listen(string) (fd int, err error) { return -1, errNotHere }

// Run is refused on this system.
func Run(_ *Spec, h *Host) (status int) {
	h.Say(errNotHere.Error())
	for _, err := range h.Clean() {
		h.Say(err.Error())
	}
	return statusResources
}
