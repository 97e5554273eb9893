package policy

import (
	"strconv"
	"testing"
)

// systemd.syntax(7): 1, yes, true, on and 0, no, false, off; y, t, n, f were seen
// to be taken by systemd-analyze verify.
func TestParseBool(t *testing.T) {
	for _, c := range []struct {
		in   string
		want bool
	}{
		{"1", true},
		{"yes", true},
		{"y", true},
		{"true", true},
		{"t", true},
		{"on", true},
		{"YES", true},
		{"True", true},
		{"0", false},
		{"no", false},
		{"n", false},
		{"false", false},
		{"f", false},
		{"off", false},
		{"Off", false},
	} {
		if got, err := ParseBool(c.in); got != c.want || err != nil {
			t.Errorf("ParseBool(%q) = %v, %v", c.in, got, err)
		}
	}
	for _, in := range []string{"", "2", "ye", "yes ", " yes", "yes # x", "of", "enable", "-1", "yes\x00", "ÿes"} {
		if got, err := ParseBool(in); got || err == nil {
			t.Errorf("ParseBool(%q) = %v, %v, want an error", in, got, err)
		}
	}
	if FormatBool(true) != "yes" || FormatBool(false) != "no" {
		t.Error("FormatBool")
	}
}

// systemd.exec(5), UMask=: octal notation.
func TestParseMode(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
	}{{"0022", 18}, {"22", 18}, {"0", 0}, {"755", 493}, {"7777", 4095}, {"007777", 4095}, {"1777", 1023}} {
		if got, err := ParseMode(c.in); got != c.want || err != nil {
			t.Errorf("ParseMode(%q) = %o, %v, want %o", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "8", "08", "0o22", "0x1", "10000", "77777", "-1", "+7", " 7", "7 ", "0_7", "u=rwx", "777777777777777777777777"} {
		if got, err := ParseMode(in); got != 0 || err == nil {
			t.Errorf("ParseMode(%q) = %o, %v, want an error", in, got, err)
		}
	}
}

func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		in              string
		low, high, want int
	}{{"0", 0, 7, 0}, {"7", 0, 7, 7}, {"-20", -20, 19, -20}, {"19", -20, 19, 19}, {"-1000", -1000, 1000, -1000}} {
		if got, err := ParseInt(c.in, c.low, c.high); got != c.want || err != nil {
			t.Errorf("ParseInt(%q) = %d, %v", c.in, got, err)
		}
	}
	// systemd takes the first row of these, some as other numbers.
	for _, in := range []string{
		"+5", "05", "-05", "0x5", "0b11", " 5",
		"", "-", "--5", "5 ", "20", "-21", "5.0", "1e1", "five", "5,6", "99999999999999999999", "-99999999999999999999", "٣",
	} {
		if got, err := ParseInt(in, -20, 19); got != 0 || err == nil {
			t.Errorf("ParseInt(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

func TestParseUint16(t *testing.T) {
	if got, err := ParseUint16("65535"); got != 65535 || err != nil {
		t.Errorf("65535: %d, %v", got, err)
	}
	for _, in := range []string{"65536", "-1", "", "0x10"} {
		if got, err := ParseUint16(in); got != 0 || err == nil {
			t.Errorf("ParseUint16(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for _, c := range []struct {
		in          string
		limit, want int
	}{{"0%", 100, 0}, {"15%", 100, 15}, {"100%", 100, 100}, {"250%", 1000, 250}} {
		if got, err := ParsePercent(c.in, c.limit); got != c.want || err != nil {
			t.Errorf("ParsePercent(%q) = %d, %v", c.in, got, err)
		}
	}
	for _, in := range []string{"", "%", "15", "101%", "-1%", "+1%", "1.5%", "15 %", "15%%", "015%", "15‰"} {
		if got, err := ParsePercent(in, 100); got != 0 || err == nil {
			t.Errorf("ParsePercent(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

// The forms that systemd-analyze verify takes for MemoryMax= and CPUQuota=.
func TestParsePermyriad(t *testing.T) {
	for _, c := range []struct {
		in          string
		limit, want int
	}{
		{"15%", 10000, 1500},
		{"15.2%", 10000, 1520},
		{"15.25%", 10000, 1525},
		{"15.05%", 10000, 1505},
		{"0%", 10000, 0},
		{"100%", 10000, 10000},
		{"100.00%", 10000, 10000},
		{"152‰", 10000, 1520},
		{"152.5‰", 10000, 1525},
		{"1525‱", 10000, 1525},
		{"200%", 1000000, 20000},
	} {
		if got, err := ParsePermyriad(c.in, c.limit); got != c.want || err != nil {
			t.Errorf("ParsePermyriad(%q) = %d, %v, want %d", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", "15", "%", ".5%", "1.%", "15.255%", "152.55‰", "1525.5‱", "101%", "100.01%", "1000.1‰", "10001‱",
		"-1%", "+1%", "15 %", "1.-5%", "1.5.5%", "015%", "0x1%", "15%‰", "99999999999999999999%",
	} {
		if got, err := ParsePermyriad(in, 10000); got != 0 || err == nil {
			t.Errorf("ParsePermyriad(%q) = %d, %v, want an error", in, got, err)
		}
	}
}

// That policy's names are process's parsers, with the arguments in their order.
func TestForwarded(t *testing.T) {
	if got, err := ParseSize("1K"); got != 1024 || err != nil {
		t.Errorf("ParseSize: %d, %v", got, err)
	}
	if got, err := ParseTimespan("2", 1000); got != 2000 || err != nil {
		t.Errorf("ParseTimespan: %d, %v", got, err)
	}
	if got, err := ParseNsec("2us"); got != 2000 || err != nil {
		t.Errorf("ParseNsec: %d, %v", got, err)
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"", "-20", "007", "15.25%", "152.5‰", "yes", "99999999999999999999", "\xff%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := ParseBool(s); err != nil && b {
			t.Errorf("ParseBool(%q): %v, %v", s, b, err)
		} else if again, err2 := ParseBool(FormatBool(b)); err == nil && (err2 != nil || again != b) {
			t.Errorf("ParseBool(%q): %v comes back as %v, %v", s, b, again, err2)
		}
		if m, err := ParseMode(s); err != nil && m != 0 {
			t.Errorf("ParseMode(%q): %v, %v", s, m, err)
		} else if again, err2 := ParseMode(strconv.FormatUint(uint64(m), 8)); err == nil && (err2 != nil || again != m) {
			t.Errorf("ParseMode(%q): %o comes back as %o, %v", s, m, again, err2)
		}
		if n, err := ParseInt(s, -1000, 1000); err != nil && n != 0 || n < -1000 || n > 1000 {
			t.Errorf("ParseInt(%q): %v, %v", s, n, err)
		} else if again, err2 := ParseInt(strconv.Itoa(n), -1000, 1000); err == nil && (err2 != nil || again != n) {
			t.Errorf("ParseInt(%q): %d comes back as %d, %v", s, n, again, err2)
		}
		if n, err := ParseUint16(s); err != nil && n != 0 {
			t.Errorf("ParseUint16(%q): %v, %v", s, n, err)
		}
		if n, err := ParsePercent(s, 100); err != nil && n != 0 || n < 0 || n > 100 {
			t.Errorf("ParsePercent(%q): %v, %v", s, n, err)
		} else if again, err2 := ParsePercent(strconv.Itoa(n)+"%", 100); err == nil && (err2 != nil || again != n) {
			t.Errorf("ParsePercent(%q): %d comes back as %d, %v", s, n, again, err2)
		}
		if n, err := ParsePermyriad(s, 10000); err != nil && n != 0 || n < 0 || n > 10000 {
			t.Errorf("ParsePermyriad(%q): %v, %v", s, n, err)
		} else if again, err2 := ParsePermyriad(strconv.Itoa(n)+"‱", 10000); err == nil && (err2 != nil || again != n) {
			t.Errorf("ParsePermyriad(%q): %d comes back as %d, %v", s, n, again, err2)
		}
	})
}
