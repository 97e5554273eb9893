//go:build linux

package integration

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// unboundUnit are the lines of unbound's own unit, contrib/unbound.service.in.
var unboundUnit = []string{
	"CapabilityBoundingSet=CAP_CHOWN CAP_IPC_LOCK CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_CHROOT CAP_SYS_RESOURCE CAP_NET_ADMIN CAP_DAC_OVERRIDE",
	"MemoryDenyWriteExecute=true", "NoNewPrivileges=true", "PrivateDevices=true", "PrivateTmp=true",
	"ProtectHome=true", "ProtectControlGroups=true", "ProtectKernelModules=true", "ProtectKernelTunables=true", "ProtectSystem=strict",
	"ReadWritePaths=/run /var/lib/unbound",
	"RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX", "RestrictRealtime=true", "RestrictNamespaces=yes", "LockPersonality=yes", "RestrictSUIDSGID=yes",
	"SystemCallArchitectures=native",
	"SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module mount @obsolete @resources",
}

// Unbound under its own unit, kept to the loopback and to the standard devices, answers
// there, and nobody else.
func TestUnboundWithCGroup(t *testing.T) {
	requireGroup(t)
	const outside = "10.77.0.1"
	s := services[1]
	s.files = maps.Clone(s.files)
	conf := strings.ReplaceAll(s.files["unbound.conf"], `username: ""`, `username: "unbound"`)
	s.files["unbound.conf"] = strings.ReplaceAll(conf, "interface: 127.0.0.1\n", "interface: 127.0.0.1\n\tinterface: ::1\n\tinterface: "+outside+"\n\taccess-control: 10.77.0.0/16 allow\n")
	l := s.lay(t, s.low)
	if r := runs(t, "ip", "address", "add", outside+"/32", "dev", "lo"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	mkdir(t, l.scratch)
	l.own(t, l.scratch)
	var unit []string
	for _, line := range unboundUnit {
		unit = append(unit, "-p", line)
	}
	ask := func(server string, words ...string) string {
		t.Helper()
		return runs(t, append([]string{"dig", "+short", "+tries=1", "+time=1", "@" + server, "www.example.test", "A"}, words...)...).stdout
	}
	for _, x := range []struct {
		more    []string
		answers bool
	}{
		{nil, true},
		{[]string{"-p", "IPAddressDeny=any", "-p", "IPAddressAllow=localhost", "-p", "DevicePolicy=closed", "-p", "SocketBindDeny=any", "-p", "SocketBindAllow=53"}, false},
		{[]string{"-p", "IPAddressDeny=any", "-p", "IPAddressAllow=localhost", "-p", "DevicePolicy=closed", "--init", "--kill-mode=control-group"}, false},
	} {
		d := l.start(t, slices.Concat(unit, x.more)...)
		if !slices.Contains(x.more, "--init") {
			l.answers(t, d)
		}
		for _, server := range []string{"127.0.0.1", "::1"} {
			for _, how := range [][]string{nil, {"+tcp"}} {
				eventually(t, "an answer", func() bool { return ask(server, how...) == l.want })
			}
		}
		for _, how := range [][]string{nil, {"+tcp"}} {
			if got := ask(outside, how...); (got == l.want) != x.answers {
				t.Errorf("%q: at %s, %q: %q", x.more, outside, how, got)
			}
		}
		if x.more != nil {
			// Who comes into its group is as confined, though it has the whole view of the host.
			home := ""
			for _, dir := range placeTree(t, group.Dir+"/tests") {
				if strings.Contains(dir, "/hardrun-unbound") && len(lifeProcs(t, dir)) > 0 {
					home = dir
				}
			}
			denied(t, runs(t, placeIn(home, probe, "try", "open", "/dev/kmsg", "r")...), "EPERM")
		}
		if slices.Contains(x.more, "--init") {
			d.signal(t, 15)
			equal(t, "status", d.end(t), 0)
			continue
		}
		l.stop(t, d)
	}
}
