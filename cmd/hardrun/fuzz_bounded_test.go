package main

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// Whole units of a MiB, of one line over and over, have their plan or their refusal soon.
func TestBounded(t *testing.T) {
	head := "[Service]\nExecStart=/bin/daemon\n"
	bounded.Repeated(t, bounded.Size/16, func(s string) { makePlans([2]string{head, "[Service]\n" + s}) },
		"ReadWritePaths=/a\n", "SystemCallFilter=~@mount\n", "Environment=A=b\n", "CapabilityBoundingSet=~CAP_KILL\n", "BindPaths=/a:/b\n", "IPAddressDeny=10.0.0.0/8\n",
		"DeviceAllow=/dev/null rw\n", "ExecStartPre=/a\n", "ListenStream=1\n", "PrivateTmp=yes\n", "LoadCredential=a:/b\n", "StateDirectory=a\n", "ConditionPathExists=/a\n",
		"After=a.service\n", "Nosuch=x\n", "TemporaryFileSystem=/a\n", "SocketBindDeny=tcp:80\n", "UnsetEnvironment=A\n", "OpenFile=/a\n", "X-Hardrun-Env=A=b\n")
	bounded.Repeated(t, bounded.Size, func(s string) { _, _ = parse(strings.Split(s, " "), nil) }, "--user=a ", "-p A=b ", "a ", "--env=A=b ", "--ro-bind=/a ", "--nosuch ", "-p User=a ")
	bounded.Repeated(t, bounded.Size, func(s string) { _, _ = parseCage(strings.Split(s, " ")) }, "--file=/a ", "/a ", "-- ")
	bounded.Repeated(t, bounded.Size, func(s string) { _, _ = hear([]byte(s)) }, "\x00", "\x01", "\x02a", "\xff", "\x7f")
	bounded.Repeated(t, bounded.Size, func(s string) { var j jsonWriter; j.quote(s) }, "a", "\x00", "\"", "\xff", "é")
}
