//go:build linux && cgo

package main

import (
	"reflect"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// setAll is a policy with these lines.
func setAll(t *testing.T, lines ...[2]string) *policy.Policy {
	t.Helper()
	p := &policy.Policy{}
	for _, l := range lines {
		if err := p.Set(l[0], l[1], policy.Origin{}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// What is kept when a service with DynamicUser= has ended is where nobody else can enter.
func TestPrivateDirectories(t *testing.T) {
	for _, tt := range []struct {
		preserve string
		dynamic  bool
		want     map[string]bool
	}{
		{"no", true, map[string]bool{"/var/lib/private/a": true, "/run/a": true, "/etc/a": true}},
		{"yes", true, map[string]bool{"/var/lib/private/a": true, "/run/private/a": true, "/etc/a": true}},
		{"restart", true, map[string]bool{"/var/lib/private/a": true, "/run/private/a": true, "/etc/a": true}},
		{"yes", false, map[string]bool{"/var/lib/a": true, "/run/a": true, "/etc/a": true}},
	} {
		p := setAll(t, [2]string{"StateDirectory", "a"}, [2]string{"RuntimeDirectory", "a"}, [2]string{"ConfigurationDirectory", "a"}, [2]string{"RuntimeDirectoryPreserve", tt.preserve})
		list, _ := directoryList(p, tt.dynamic)
		got := map[string]bool{}
		for i := range list {
			got[list[i].Host()] = true
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s, %v: %v, want %v", tt.preserve, tt.dynamic, got, tt.want)
		}
	}
}

// Each option of a socket unit arrives where it is applied.
func TestSocketOptions(t *testing.T) {
	p := setAll(t,
		[2]string{"ListenStream", "80"}, [2]string{"FileDescriptorName", "a"}, [2]string{"DirectoryMode", "0700"}, [2]string{"Symlinks", "/l"},
		[2]string{"RemoveOnStop", "yes"}, [2]string{"BindIPv6Only", "both"}, [2]string{"Backlog", "9"}, [2]string{"BindToDevice", "lo"},
		[2]string{"SocketProtocol", "sctp"}, [2]string{"Writable", "yes"}, [2]string{"ReusePort", "yes"}, [2]string{"FreeBind", "yes"},
		[2]string{"Transparent", "yes"}, [2]string{"Broadcast", "yes"}, [2]string{"KeepAlive", "yes"}, [2]string{"NoDelay", "yes"},
		[2]string{"PassCredentials", "yes"}, [2]string{"PassPIDFD", "yes"}, [2]string{"PassSecurity", "yes"}, [2]string{"PassPacketInfo", "yes"},
		[2]string{"AcceptFileDescriptors", "no"}, [2]string{"ReceiveBuffer", "8K"}, [2]string{"SendBuffer", "8K"}, [2]string{"PipeSize", "8K"},
		[2]string{"Mark", "1"}, [2]string{"IPTOS", "8"}, [2]string{"IPTTL", "8"}, [2]string{"Priority", "1"}, [2]string{"Timestamping", "us"},
		[2]string{"TCPCongestion", "reno"}, [2]string{"KeepAliveTimeSec", "9"}, [2]string{"KeepAliveIntervalSec", "9"}, [2]string{"DeferAcceptSec", "9"},
		[2]string{"KeepAliveProbes", "9"}, [2]string{"MessageQueueMaxMessages", "9"}, [2]string{"MessageQueueMessageSize", "9"},
	)
	_, o, err := listens(&p.Socket, "x")
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.ValueOf(o)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("dirs.Options.%s is not filled", fields.Type().Field(i).Name)
		}
	}
	if o.Name != "a" || o.DirectoryMode != 0o700 || o.Backlog != 9 || o.KeepAliveTimeSec != 9_000_000 {
		t.Errorf("%+v", o)
	}
}
