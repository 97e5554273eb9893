package policy

import (
	"strings"
	"testing"
)

// TestPrivateVarTmp: systemd.exec(5), Table 3, and "Implicit Dependencies".
func TestPrivateVarTmp(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  bool
	}{
		{"", false},
		{"PrivateTmp=no|DefaultDependencies=yes", false},
		{"PrivateTmp=yes", true},
		{"PrivateTmp=disconnected", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no", false},
		{"PrivateTmp=disconnected|DefaultDependencies=no|DefaultDependencies=yes", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|DefaultDependencies=nonsense", false},
		{"PrivateTmp=disconnected|DefaultDependencies=nonsense", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|RootDirectory=/srv", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|RootDirectory=/", false},
		{"PrivateTmp=disconnected|DefaultDependencies=no|X-Hardrun-Chroot=/srv", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|X-Hardrun-MinimalRoot=yes", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|RequiresMountsFor=/srv /var/", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|WantsMountsFor=/var", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|RequiresMountsFor=/var/lib /tmp", false},
		{"PrivateTmp=disconnected|DefaultDependencies=no|After=var.mount", false},
		{"PrivateTmp=disconnected|DefaultDependencies=no|Wants=var.mount", false},
		{"PrivateTmp=disconnected|DefaultDependencies=no|Wants=var.mount|After=a.mount var.mount", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|Requires=b.mount var.mount|After=var.mount", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|BindsTo=var.mount|Wants=b.mount|After=var.mount|After=b.mount", true},
		{"PrivateTmp=yes|DefaultDependencies=no", false},
		{"PrivateTmp=yes|DefaultDependencies=no|RequiresMountsFor=/tmp", true},
		{"PrivateTmp=yes|DefaultDependencies=no|RequiresMountsFor=/var", true},
		{"PrivateTmp=disconnected|DefaultDependencies=no|RequiresMountsFor=/tmp", false},
		{"DynamicUser=yes", true},
		{"DynamicUser=yes|DefaultDependencies=no", false},
	} {
		p := assignments(t, strings.FieldsFunc(c.lines, func(r rune) bool { return r == '|' })...)
		p.Normalize(false)
		if got := p.PrivateVarTmp(); got != c.want {
			t.Errorf("%s: %v, want %v", c.lines, got, c.want)
		}
	}
}
