package process

import (
	"testing"
)

// Sizes to the base 1024 with suffixes, systemd.exec(5) at LimitCPU=. What is
// not in the manual was seen with systemd-analyze verify, version 252.
func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint64
		text string
	}{
		{"0", 0, "0"},
		{"1", 1, "1"},
		{"10B", 10, "10"},
		{"1K", 1024, "1K"},
		{"10 K", 10240, "10K"},
		{"3M", 3145728, "3M"},
		{"2G", 2147483648, "2G"},
		{"1T", 1099511627776, "1T"},
		{"1P", 1125899906842624, "1P"},
		{"15E", 17293822569102704640, "15E"},
		{"1024K", 1048576, "1M"},
		{"1.5G", 1610612736, "1536M"},
		{"1.G", 1073741824, "1G"},
		{"0.5K", 512, "512"},
		{"1.1K", 1126, "1126"}, // 1126.4
		{"1.9B", 1, "1"},
		{"5G1M", 5369757696, "5121M"},
		{"5G 1M 1", 5369757697, "5369757697"},
		{"0K", 0, "0"},
		{"18446744073709551614", Infinity - 1, "18446744073709551614"},
		{"infinity", Infinity, "infinity"},
	} {
		got, err := ParseSize(c.in)
		if got != c.want || err != nil {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", c.in, got, err, c.want)
		}
		if text := FormatSize(got); text != c.text {
			t.Errorf("%d prints as %q, want %q", got, text, c.text)
		}
	}
	for _, in := range []string{
		"", " ", "G", ".5G", "-1", "+1", " 1", "1 ", "1K ", "1k", "1KB", "1KiB", "1.5.G", "1..5G", "1,5G", "0x10", "010", "1e3",
		"16E", "15.99999999999999999999E", "18446744073709551615", "18446744073709551616", "99999999999999999999999G", "15E1023P1023T1023G1024G",
		"1M1G", "1M1M", "1 1", "1G 1 1", "0.5", "0.5B", "0.0001K", "Infinity", "infinity ", "infinityK", "1G:2G", "1G\x00", "½G",
	} {
		if got, err := ParseSize(in); got != 0 || err == nil {
			t.Errorf("ParseSize(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

// systemd.time(7), "Parsing time spans", and what systemd-analyze timespan of
// version 252 gives.
func TestParseTimespan(t *testing.T) {
	const s, minute, h, d = 1000000, 60 * 1000000, 3600 * 1000000, 86400 * 1000000
	for _, c := range []struct {
		in   string
		want uint64
		text string
	}{
		{"50", 50 * s, "50s"},
		{"2min 200ms", 120200000, "120200ms"},
		{"2 h", 2 * h, "2h"},
		{"2hours", 2 * h, "2h"},
		{"48hr", 48 * h, "48h"},
		{"1y 12month", 63115200 * s, "17532h"},
		{"55s500ms", 55500000, "55500ms"},
		{"300ms20s 5day", 432020300000, "432020300ms"},
		{"0", 0, "0us"},
		{"1usec", 1, "1us"},
		{"1us", 1, "1us"},
		{"1\u00b5s", 1, "1us"},
		{"1\u03bcs", 1, "1us"},
		{"1msec", 1000, "1ms"},
		{"1ms", 1000, "1ms"},
		{"1seconds", s, "1s"},
		{"1second", s, "1s"},
		{"1sec", s, "1s"},
		{"1s", s, "1s"},
		{"1minutes", minute, "1min"},
		{"1minute", minute, "1min"},
		{"1min", minute, "1min"},
		{"1m", minute, "1min"},
		{"1hours", h, "1h"},
		{"1hour", h, "1h"},
		{"1hr", h, "1h"},
		{"1h", h, "1h"},
		{"1days", d, "24h"},
		{"1day", d, "24h"},
		{"1d", d, "24h"},
		{"1weeks", 7 * d, "168h"},
		{"1week", 7 * d, "168h"},
		{"1w", 7 * d, "168h"},
		{"1months", 2629800 * s, "43830min"},
		{"1month", 2629800 * s, "43830min"},
		{"1M", 2629800 * s, "43830min"},
		{"1years", 31557600 * s, "8766h"},
		{"1year", 31557600 * s, "8766h"},
		{"1y", 31557600 * s, "8766h"},
		{"1.5", 1500000, "1500ms"},
		{".5s", 500000, "500ms"},
		{"1.9999999s", 1999999, "1999999us"},
		{"1.5us", 1, "1us"},
		{"1.000000999999999999s", 1000000, "1s"}, // 18 places, as many as are read
		{"5sec3", 8 * s, "8s"},
		{"5 3s", 8 * s, "8s"},
		{"5 3", 8 * s, "8s"},
		{" 5 s\t3 ", 8 * s, "8s"},
		{"007", 7 * s, "7s"},
		{" infinity ", Infinity, "infinity"},
	} {
		got, err := ParseTimespan(c.in, Second)
		if got != c.want || err != nil {
			t.Errorf("ParseTimespan(%q) = %d, %v, want %d", c.in, got, err, c.want)
		}
		if text := FormatTimespan(got); text != c.text {
			t.Errorf("%d prints as %q, want %q", got, text, c.text)
		}
	}
	for _, in := range []string{
		"", " ", ".", ".s", "1.", "1.s", "1. s", "1.5.5s", "1.5.s", "-5", "+5", "5S", "5,3", "5s,3s", "0x10", "1e3", "10ns", "5nsec", "s",
		"5mon", "5smin", "5ss", "infinity s", "5 infinity", "Infinity", "584542046091y", "584555y", "18446744073709551615us", "18446744073709551616us",
		"999999999999999999999", "0.5us", "0.0000001", "1.1234567890123456789s", "5\xb5s", "5s\x00", "５s",
	} {
		if got, err := ParseTimespan(in, Second); got != 0 || err == nil {
			t.Errorf("ParseTimespan(%q) = %d, %v, want an error", in, got, err)
		}
	}
	if got, err := ParseTimespan("5 1ms", Microsecond); got != 1005 || err != nil {
		t.Errorf("with microseconds as default unit: %d, %v, want 1005", got, err)
	}
}

// systemd.exec(5), TimerSlackNSec=: nanoseconds if no unit is given.
func TestParseNsec(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint64
	}{
		{"50000", 50000},
		{"1ns", 1},
		{"2nsec", 2},
		{"1us", 1000},
		{"1.5us", 1500},
		{"1.0", 1},
		{"1ms 1", 1000001},
		{"1s", 1000000000},
		{"1y", 31557600000000000},
		{"infinity", Infinity},
	} {
		if got, err := ParseNsec(c.in); got != c.want || err != nil {
			t.Errorf("ParseNsec(%q) = %d, %v, want %d", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "-1", "0.5", "1x", "585y", "18446744073709551615"} {
		if got, err := ParseNsec(in); got != 0 || err == nil {
			t.Errorf("ParseNsec(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "1.5G", "5G 1M 1", "16E", "infinity", "0.000001K", "18446744073709551614"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSize(s)
		if err != nil {
			if v != 0 {
				t.Fatalf("%q: an error, and %d", s, v)
			}
			return
		}
		if again, err := ParseSize(FormatSize(v)); err != nil || again != v {
			t.Fatalf("%q: %d comes back as %d, %v", s, v, again, err)
		}
	})
}

func FuzzFormatSize(f *testing.F) {
	f.Add(uint64(0))
	f.Add(Infinity)
	f.Fuzz(func(t *testing.T, v uint64) {
		if again, err := ParseSize(FormatSize(v)); err != nil || again != v {
			t.Fatalf("%d comes back as %d, %v", v, again, err)
		}
		if again, err := ParseTimespan(FormatTimespan(v), Second); err != nil || again != v {
			t.Fatalf("%dus comes back as %d, %v", v, again, err)
		}
	})
}

func FuzzParseTimespan(f *testing.F) {
	for _, s := range []string{"", "2min 200ms", ".5s", "infinity", "1y12M", "5\u00b5s", "584542y", "1.1234567890123456789s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ns, err := ParseNsec(s); err != nil && ns != 0 {
			t.Fatalf("%q: an error, and %dns", s, ns)
		}
		v, err := ParseTimespan(s, Second)
		if err != nil {
			if v != 0 {
				t.Fatalf("%q: an error, and %d", s, v)
			}
			return
		}
		if again, err := ParseTimespan(FormatTimespan(v), Second); err != nil || again != v {
			t.Fatalf("%q: %d comes back as %d, %v", s, v, again, err)
		}
	})
}
