package process

import (
	"testing"
)

// limitNumber finds the number of a limit in the table.
func limitNumber(t *testing.T, name string) int {
	t.Helper()
	for i, l := range Limits {
		if l.Name == name {
			return i
		}
	}
	t.Fatalf("no limit %s", name)
	return -1
}

// systemd.exec(5), LimitCPU= and table 1. Where a comment says "systemd refuses"
// systemd-analyze verify of version 252 was asked.
func TestParseLimit(t *testing.T) {
	const inf = Infinity
	for _, c := range []struct {
		name, in   string
		soft, hard uint64
		text       string
	}{
		{"AS", "16G", 16 << 30, 16 << 30, "16G"},
		{"AS", "4G:16G", 4 << 30, 16 << 30, "4G:16G"},
		{"AS", "infinity", inf, inf, "infinity"},
		{"AS", "1M:infinity", 1 << 20, inf, "1M:infinity"},
		{"AS", "1.5G", 3 << 29, 3 << 29, "1536M"},
		{"CORE", "0", 0, 0, "0"},
		{"FSIZE", "4097", 4097, 4097, "4097"},
		{"DATA", "1K", 1024, 1024, "1K"},
		{"STACK", "8M", 8 << 20, 8 << 20, "8M"},
		{"RSS", "1T", 1 << 40, 1 << 40, "1T"},
		{"MEMLOCK", "1P", 1 << 50, 1 << 50, "1P"},
		{"MSGQUEUE", "15E", 15 << 60, 15 << 60, "15E"},
		{"NOFILE", "1024:524288", 1024, 524288, "1024:524288"},
		{"NOFILE", "infinity:infinity", inf, inf, "infinity"},
		{"NPROC", "512", 512, 512, "512"},
		{"LOCKS", "7", 7, 7, "7"},
		{"SIGPENDING", "18446744073709551614", inf - 1, inf - 1, "18446744073709551614"},
		{"RTPRIO", "99", 99, 99, "99"},
		{"CPU", "30", 30, 30, "30"},
		{"CPU", "1ms", 1, 1, "1"}, // rounded up to multiples of 1s
		{"CPU", "1.5", 2, 2, "2"},
		{"CPU", "2s", 2, 2, "2"},
		{"CPU", "1min:1h", 60, 3600, "60:3600"},
		{"CPU", "5ms:6", 1, 6, "1:6"},
		{"CPU", "infinity", inf, inf, "infinity"},
		{"RTTIME", "200", 200, 200, "200"}, // microseconds
		{"RTTIME", "5ms", 5000, 5000, "5000"},
		{"RTTIME", "1s:infinity", 1000000, inf, "1000000:infinity"},
		{"NICE", "+5", 15, 15, "15"},
		{"NICE", "+19", 1, 1, "1"},
		{"NICE", "+0", 20, 20, "20"},
		{"NICE", "-0", 20, 20, "20"},
		{"NICE", "-20", 40, 40, "40"},
		{"NICE", "-1", 21, 21, "21"},
		{"NICE", "40", 40, 40, "40"},
		{"NICE", "0", 0, 0, "0"},
		{"NICE", "+19:-20", 1, 40, "1:40"},
	} {
		n := limitNumber(t, c.name)
		got, err := ParseLimit(n, c.in)
		if got != (Limit{c.soft, c.hard}) || err != nil {
			t.Errorf("Limit%s=%s: %v, %v, want %d:%d", c.name, c.in, got, err, c.soft, c.hard)
		}
		if text := got.String(n); text != c.text {
			t.Errorf("Limit%s=%s prints as %q, want %q", c.name, c.in, text, c.text)
		}
	}
	for _, c := range []struct{ name, in string }{
		{"NOFILE", ""},
		{"NOFILE", ":"},
		{"NOFILE", ":5"},
		{"NOFILE", "5:"},
		{"NOFILE", "5:x"},
		{"NOFILE", "1:2:3"},
		{"NOFILE", "5 : 6"}, // systemd refuses
		{"NOFILE", "1K"},    // systemd refuses: not measured in bytes
		{"NOFILE", "-1"},
		{"NOFILE", "+5"},
		{"NOFILE", "010"}, // systemd takes it for 8
		{"NOFILE", "0x10"},
		{"NOFILE", "18446744073709551615"}, // RLIM_INFINITY, which has a name
		{"NOFILE", "18446744073709551616"},
		{"NOFILE", "Infinity"},
		{"NOFILE", "unlimited"},
		{"AS", "5:3"}, // systemd refuses
		{"AS", "infinity:5"},
		{"AS", "16E"},
		{"AS", "-1"},
		{"AS", "1k"},
		{"AS", "1KB"},
		{"AS", "4G : 8G"},
		{"AS", "infinity "},
		{"CPU", "5ns"},
		{"CPU", "-5"},
		{"CPU", "5x"},
		{"RTTIME", "5ns"},
		{"NICE", "41"},
		{"NICE", "+20"},
		{"NICE", "-21"},
		{"NICE", "infinity"}, // systemd refuses
		{"NICE", "+"},
		{"NICE", "+-5"},
		{"NICE", "-18446744073709551615"},
		{"NICE", "-20:+19"}, // 40:1
	} {
		if got, err := ParseLimit(limitNumber(t, c.name), c.in); got != (Limit{}) || err == nil {
			t.Errorf("Limit%s=%s: %v, %v, want an error", c.name, c.in, got, err)
		}
	}
	for _, n := range []int{-1, 16} {
		if got := (Limit{1024, Infinity}).String(n); got != "1024:infinity" {
			t.Errorf("a limit with the number %d prints as %q", n, got)
		}
		if _, err := ParseLimit(n, "1"); err == nil {
			t.Errorf("ParseLimit(%d) is no error", n)
		}
	}
}

// asm-generic/resource.h.
func TestLimitNumbers(t *testing.T) {
	for i, name := range []string{
		"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE",
		"MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
	} {
		if got := LimitName(i); got != name {
			t.Errorf("limit %d is %s, want %s", i, got, name)
		}
	}
	if got := LimitName(16); got != "16" {
		t.Errorf("limit 16 is %s", got)
	}
}

func FuzzParseLimit(f *testing.F) {
	for n := range Limits {
		f.Add(n, "4:infinity")
		f.Add(n, "1.5G")
		f.Add(n, "+19:-20")
		f.Add(n, "5ms:1y")
	}
	f.Fuzz(func(t *testing.T, n int, s string) {
		l, err := ParseLimit(n, s)
		if err != nil {
			if l != (Limit{}) {
				t.Fatalf("%q: an error, and %v", s, l)
			}
			return
		}
		if l.Soft > l.Hard {
			t.Fatalf("%q: %v", s, l)
		}
		if again, err := ParseLimit(n, l.String(n)); err != nil || again != l {
			t.Fatalf("%q: %v prints as %q and comes back as %v, %v", s, l, l.String(n), again, err)
		}
	})
}
