package launcher

import (
	"strings"
	"testing"
)

// TestWantsGroup: the parent of a service makes the control group that its commands would make.
func TestWantsGroup(t *testing.T) {
	for lines, want := range map[string]bool{
		"User=daemon":                     false,
		"TasksMax=5":                      true,
		"DevicePolicy=closed|User=daemon": true,
		"PrivateDevices=yes":              true,
		"PrivateDevices=yes|User=daemon":  false,
		"PrivateDevices=yes|User=daemon|X-Hardrun-Strict=yes": true,
		"PrivateDevices=yes|DynamicUser=yes":                  false,
		"PrivateDevices=yes|PrivateUsers=yes":                 false,
		"PrivateDevices=yes|CapabilityBoundingSet=CAP_CHOWN":  false,
		"PrivateDevices=yes|CapabilityBoundingSet=~CAP_CHOWN": true,
	} {
		if got := WantsGroup(policyOf(t, strings.Split(lines, "|")...)); got != want {
			t.Errorf("%s: %v, want %v", lines, got, want)
		}
	}
}
