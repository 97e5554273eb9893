package exposure

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

func TestBounded(t *testing.T) {
	expand := func(s string) (string, error) { return s, nil }
	for _, name := range []string{
		"CapabilityBoundingSet", "RestrictAddressFamilies", "RestrictNamespaces", "SystemCallFilter", "SystemCallArchitectures", "IPAddressDeny", "DeviceAllow",
		"MountImages", "ExecStart", "UMask", "WorkingDirectory", "SupplementaryGroups", "Delegate", "User", "RootImagePolicy",
	} {
		bounded.Repeated(t, 64<<10, func(s string) { _, _, _ = Read(lines(name+"="+strings.ReplaceAll(s, "\n", " ")), expand) },
			"a", "a ", "\"", "\\", "%n", "CAP_CHOWN ", "@system-service ", "~", "AF_UNIX ", "10.0.0.0/8 ", "/a:/b ", ";", " ; /x ", ":", ",")
	}
	bounded.Repeated(t, bounded.Size, func(s string) { _, _, _ = Read(lines("ExecStart=/x "+s), expand) }, "a ", " ; /x ")
	bounded.Repeated(t, bounded.Size, func(s string) { _, _, _ = Read(lines(strings.Split(s, "\n")...), expand) },
		"SystemCallFilter=@clock\n", "ExecStart=/a\n", "PrivateTmp=yes\n", "IPAddressDeny=any\n", "User=a\n", "DeviceAllow=/dev/null\n")
}
