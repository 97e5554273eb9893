package launcher

import "testing"

func TestEarlier(t *testing.T) {
	for _, tt := range []struct {
		release string
		want    bool
		broken  bool
	}{
		{"4.7.10", true, false},
		{"4.8.0", false, false},
		{"4.8", false, false},
		{"4.19.0-27-amd64", false, false},
		{"3.10.0-1160.el7.x86_64", true, false},
		{"3.19", true, false},
		{"5.0-rc1", false, false},
		{"10.1", false, false},
		{"", false, true},
		{"6", false, true},
		{"4.x", false, true},
		{"v4.8", false, true},
	} {
		got, err := earlier(tt.release, 4, 8)
		if got != tt.want || (err != nil) != tt.broken {
			t.Errorf("%q: %v, %v, want %v", tt.release, got, err, tt.want)
		}
	}
}
