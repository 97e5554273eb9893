//go:build !linux

package ns

type landlockState struct{}

// LandlockVersion is 0: there is no Landlock.
func LandlockVersion() int { return 0 }
