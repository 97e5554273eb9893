//go:build libseccomp && linux && cgo

package seccomp

import "testing"

func TestTmp(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64", "s390x"} {
		for _, tt := range someFilters {
			f := tt.make(t, goarch)
			p, err := f.Libseccomp()
			own, _ := f.Program()
			t.Log(goarch, tt.name, len(p), len(own), err)
		}
	}
}
