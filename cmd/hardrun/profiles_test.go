package main

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// settled is what a unit and a profile come to.
func settled(t *testing.T, text, profile string) string {
	t.Helper()
	list, err := unit.Parse("a.service", []byte("[Service]\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	of, err := profileOf(profile)
	if err != nil {
		t.Fatal(err)
	}
	more, err := unit.Parse(profile, []byte(of))
	if err != nil {
		t.Fatal(err)
	}
	u := &unit.Unit{Name: "a.service", Path: "/a.service", Assignments: fit(append(list, more...))}
	var p policy.Policy
	if err := u.Apply(&p, nil); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range p.Settings() {
		b.WriteString(s.Directive.ConfigName() + "=" + s.Value + "\n")
	}
	return b.String()
}

// A profile takes nothing back of what a unit says, whatever it is.
func TestProfilesAdd(t *testing.T) {
	for _, tt := range []struct{ unit, profile, has, hasNot string }{
		{"", "@network-service", "CapabilityBoundingSet=~", "CAP_SYS_ADMIN="},
		{"CapabilityBoundingSet=", "@network-service", "CapabilityBoundingSet=\n", "CAP_CHOWN"},
		{"CapabilityBoundingSet=CAP_CHOWN CAP_SYS_ADMIN", "@network-service", "CapabilityBoundingSet=CAP_CHOWN\n", ""},
		{"CapabilityBoundingSet=CAP_CHOWN", "@strict", "CapabilityBoundingSet=\n", "CAP_CHOWN"},
		{"ProtectSystem=strict", "@network-service", "ProtectSystem=strict\n", "ProtectSystem=full"},
		{"ProtectSystem=yes", "@network-service", "ProtectSystem=full\n", ""},
		{"ProtectSystem=no", "@network-service", "ProtectSystem=full\n", ""},
		{"PrivateTmp=disconnected", "@strict", "PrivateTmp=disconnected\n", "PrivateTmp=yes"},
		{"PrivateTmp=no", "@read-only", "PrivateTmp=yes\n", ""},
		{"UMask=0077", "@network-service", "UMask=0077\n", ""},
		{"UMask=0022", "@network-service", "UMask=0027\n", ""},
		{"RestrictAddressFamilies=AF_UNIX", "@network-service", "RestrictAddressFamilies=AF_UNIX\n", "AF_INET"},
		{"RestrictAddressFamilies=AF_INET", "@no-network", "RestrictAddressFamilies=AF_INET\n", "AF_UNIX"},
		{"SystemCallFilter=read write", "@strict", "SystemCallFilter=read write\n", "@system-service"},
		{"SystemCallFilter=", "@strict", "@system-service", ""},
		{"RestrictNamespaces=yes", "@strict", "RestrictNamespaces=yes\n", ""},
		{"RestrictNamespaces=net", "@strict", "RestrictNamespaces=yes\n", ""},
		{"ProtectHome=tmpfs", "@read-only", "ProtectHome=yes\n", ""},
	} {
		got := settled(t, tt.unit, tt.profile)
		if !strings.Contains("\n"+got, "\n"+tt.has) && !strings.Contains(got, tt.has) {
			t.Errorf("%q with %s lacks %q:\n%s", tt.unit, tt.profile, tt.has, got)
		}
		if tt.hasNot != "" && strings.Contains(got, tt.hasNot) {
			t.Errorf("%q with %s has %q:\n%s", tt.unit, tt.profile, tt.hasNot, got)
		}
	}
}
