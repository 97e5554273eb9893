package process

import (
	"errors"
	"testing"
)

// The words are those of systemd.exec(5) at the directive, the numbers those of
// the kernel's headers.
func TestWords(t *testing.T) {
	parsers := map[string]func(string) (int, string, error){
		"KeyringMode":         func(s string) (int, string, error) { v, err := ParseKeyringMode(s); return int(v), v.String(), err },
		"CPUSchedulingPolicy": func(s string) (int, string, error) { v, err := ParseSchedPolicy(s); return int(v), v.String(), err },
		"NUMAPolicy":          func(s string) (int, string, error) { v, err := ParseNUMAPolicy(s); return int(v), v.String(), err },
		"IOSchedulingClass":   func(s string) (int, string, error) { v, err := ParseIOClass(s); return int(v), v.String(), err },
		"MemoryTHP":           func(s string) (int, string, error) { v, err := ParseTHP(s); return int(v), v.String(), err },
	}
	for _, c := range []struct {
		directive, in string
		want          int
		text          string
	}{
		{"KeyringMode", "inherit", int(KeyringInherit), "inherit"},
		{"KeyringMode", "private", int(KeyringPrivate), "private"},
		{"KeyringMode", "shared", int(KeyringShared), "shared"},
		{"CPUSchedulingPolicy", "other", 0, "other"},
		{"CPUSchedulingPolicy", "fifo", 1, "fifo"},
		{"CPUSchedulingPolicy", "rr", 2, "rr"},
		{"CPUSchedulingPolicy", "batch", 3, "batch"},
		{"CPUSchedulingPolicy", "idle", 5, "idle"},
		{"CPUSchedulingPolicy", "ext", 7, "ext"},
		{"CPUSchedulingPolicy", "5", 5, "idle"},
		{"NUMAPolicy", "default", 0, "default"},
		{"NUMAPolicy", "preferred", 1, "preferred"},
		{"NUMAPolicy", "bind", 2, "bind"},
		{"NUMAPolicy", "interleave", 3, "interleave"},
		{"NUMAPolicy", "local", 4, "local"},
		{"NUMAPolicy", "preferred-many", 5, "preferred-many"},
		{"NUMAPolicy", "weighted-interleave", 6, "weighted-interleave"},
		{"IOSchedulingClass", "none", 0, "none"},
		{"IOSchedulingClass", "realtime", 1, "realtime"},
		{"IOSchedulingClass", "best-effort", 2, "best-effort"},
		{"IOSchedulingClass", "idle", 3, "idle"},
		{"IOSchedulingClass", "3", 3, "idle"},
		{"MemoryTHP", "inherit", int(THPInherit), "inherit"},
		{"MemoryTHP", "disable", int(THPDisable), "disable"},
		{"MemoryTHP", "madvise", int(THPMadvise), "madvise"},
		{"MemoryTHP", "system", int(THPSystem), "system"},
	} {
		got, text, err := parsers[c.directive](c.in)
		if got != c.want || text != c.text || err != nil {
			t.Errorf("%s=%s: %d %q %v, want %d %q", c.directive, c.in, got, text, err, c.want, c.text)
		}
	}
	for _, c := range []struct{ directive, in, text, hint string }{
		{"KeyringMode", "privat", `unknown keyring mode "privat"`, "did you mean private?"},
		{"KeyringMode", "Private", `unknown keyring mode "Private"`, "did you mean private?"},
		{"KeyringMode", "1", `unknown keyring mode "1"`, "known are inherit, private, shared"},
		{"KeyringMode", "", `unknown keyring mode ""`, "known are inherit, private, shared"},
		{"CPUSchedulingPolicy", "4", `unknown CPU scheduling policy "4"`, "known are other, fifo, rr, batch, idle, ext"},
		{"CPUSchedulingPolicy", "6", `unknown CPU scheduling policy "6"`, "known are other, fifo, rr, batch, idle, ext"},
		{"CPUSchedulingPolicy", "FIFO", `unknown CPU scheduling policy "FIFO"`, "did you mean fifo?"},
		{"CPUSchedulingPolicy", "idel", `unknown CPU scheduling policy "idel"`, "did you mean idle?"},
		{"CPUSchedulingPolicy", "01", `unknown CPU scheduling policy "01"`, "known are other, fifo, rr, batch, idle, ext"},
		{"NUMAPolicy", "0", `unknown NUMA policy "0"`, "known are default, preferred, bind, interleave, local, preferred-many, weighted-interleave"},
		{"NUMAPolicy", "prefered", `unknown NUMA policy "prefered"`, "did you mean preferred?"},
		{"IOSchedulingClass", "4", `unknown I/O scheduling class "4"`, "known are none, realtime, best-effort, idle"},
		{"IOSchedulingClass", "best", `unknown I/O scheduling class "best"`, "did you mean best-effort?"},
		{"MemoryTHP", "no", `unknown treatment of huge pages "no"`, "known are inherit, disable, madvise, system"},
		{"MemoryTHP", "advise", `unknown treatment of huge pages "advise"`, "did you mean madvise?"},
	} {
		got, _, err := parsers[c.directive](c.in)
		var e *WordError
		if got != 0 || !errors.As(err, &e) || e.Error() != c.text || e.Hint() != c.hint {
			t.Errorf("%s=%s: %d, %v, want %s, hint %s", c.directive, c.in, got, err, c.text, c.hint)
			if e != nil {
				t.Errorf("\thint %s", e.Hint())
			}
		}
	}
	if got := SchedPolicy(6).String(); got != "6" {
		t.Errorf("SCHED_DEADLINE prints as %q", got)
	}
	if got := IOClass(9).String(); got != "9" {
		t.Errorf("class 9 prints as %q", got)
	}
}

// systemd.exec(5), CoredumpFilter=; the bits are those of core(5).
func TestParseCoredumpFilter(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint64
		text string
	}{
		{"private-anonymous", 0x1, "private-anonymous"},
		{"shared-anonymous", 0x2, "shared-anonymous"},
		{"private-file-backed", 0x4, "private-file-backed"},
		{"shared-file-backed", 0x8, "shared-file-backed"},
		{"elf-headers", 0x10, "elf-headers"},
		{"private-huge", 0x20, "private-huge"},
		{"shared-huge", 0x40, "shared-huge"},
		{"private-dax", 0x80, "private-dax"},
		{"shared-dax", 0x100, "shared-dax"},
		{"default", 0x33, "private-anonymous shared-anonymous elf-headers private-huge"},
		{"default private-dax\tshared-dax", 0x1b3, "private-anonymous shared-anonymous elf-headers private-huge private-dax shared-dax"},
		{"all", 0x1ff, "private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers private-huge shared-huge private-dax shared-dax"},
		{"0", 0, "0"},
		{"11", 0x11, "private-anonymous elf-headers"},
		{"0x3 4", 0x7, "private-anonymous shared-anonymous private-file-backed"},
		{"1FF", 0x1ff, "private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers private-huge shared-huge private-dax shared-dax"},
		{"0XF", 0xf, "private-anonymous shared-anonymous private-file-backed shared-file-backed"},
	} {
		got, err := ParseCoredumpFilter(c.in)
		if got != c.want || err != nil {
			t.Errorf("ParseCoredumpFilter(%q) = %#x, %v, want %#x", c.in, got, err, c.want)
		}
		if text := FormatCoredumpFilter(got); text != c.text {
			t.Errorf("%#x prints as %q, want %q", got, text, c.text)
		}
	}
	for _, in := range []string{"", " ", "privat", "200", "0x200", "ffffffffffffffffff", "-1", "+1", "0x", "0o17", "1_0", "all,default", "All", "0x0x1"} {
		if got, err := ParseCoredumpFilter(in); got != 0 || err == nil {
			t.Errorf("ParseCoredumpFilter(%q) = %#x, %v, want an error", in, got, err)
		}
	}
	if got := FormatCoredumpFilter(0x200); got != "200" {
		t.Errorf("an unknown bit prints as %q", got)
	}
}

// systemd.exec(5), Personality=: the native architecture and its 32-bit counterpart, no others.
func TestParsePersonality(t *testing.T) {
	for _, c := range []struct {
		in, goarch string
		want       uint32
	}{
		{"x86-64", "amd64", 0},
		{"x86", "amd64", 8},
		{"x86", "386", 0},
		{"arm64", "arm64", 0},
		{"arm", "arm64", 8},
		{"arm", "arm", 0},
		{"ppc64-le", "ppc64le", 0},
		{"ppc-le", "ppc64le", 8},
		{"ppc64", "ppc64", 0},
		{"ppc", "ppc64", 8},
		{"s390x", "s390x", 0},
		{"s390", "s390x", 8},
	} {
		got, err := ParsePersonality(c.in, c.goarch)
		if got != c.want || err != nil {
			t.Errorf("ParsePersonality(%q, %q) = %d, %v, want %d", c.in, c.goarch, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, goarch, want string }{
		{"arm", "amd64", `no personality "arm" on amd64`},
		{"x86-64", "386", `no personality "x86-64" on 386`},
		{"arm-be", "arm64", `no personality "arm-be" on arm64`},
		{"ppc", "ppc64le", `no personality "ppc" on ppc64le`},
		{"ppc-le", "", `no personality "ppc-le" on `},
		{"x86", "riscv64", `no personality "x86" on riscv64`},
		{"amd64", "amd64", `unknown architecture "amd64"`},
		{"", "amd64", `unknown architecture ""`},
	} {
		got, err := ParsePersonality(c.in, c.goarch)
		if got != 0 || err == nil || err.Error() != c.want {
			t.Errorf("ParsePersonality(%q, %q) = %d, %v, want %s", c.in, c.goarch, got, err, c.want)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"private", "4", "fifo", "preferred-many", "none", "madvise", "", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseKeyringMode(s); err != nil && v != 0 || err == nil && v.String() != s {
			t.Errorf("keyring mode %q: %v, %v", s, v, err)
		}
		if v, err := ParseNUMAPolicy(s); err != nil && v != 0 || err == nil && v.String() != s {
			t.Errorf("NUMA policy %q: %v, %v", s, v, err)
		}
		if v, err := ParseTHP(s); err != nil && v != 0 || err == nil && v.String() != s {
			t.Errorf("huge pages %q: %v, %v", s, v, err)
		}
		if v, err := ParseSchedPolicy(s); err != nil && v != 0 {
			t.Errorf("policy %q: %v, %v", s, v, err)
		} else if again, err2 := ParseSchedPolicy(v.String()); err == nil && (err2 != nil || again != v) {
			t.Errorf("policy %q: %v comes back as %v, %v", s, v, again, err2)
		}
		if v, err := ParseIOClass(s); err != nil && v != 0 {
			t.Errorf("class %q: %v, %v", s, v, err)
		} else if again, err2 := ParseIOClass(v.String()); err == nil && (err2 != nil || again != v) {
			t.Errorf("class %q: %v comes back as %v, %v", s, v, again, err2)
		}
	})
}

func FuzzParseCoredumpFilter(f *testing.F) {
	for _, s := range []string{"all", "default 0x80", "ff", "", "ffffffffffffffffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseCoredumpFilter(s)
		if err != nil {
			if v != 0 {
				t.Fatalf("%q: an error, and %#x", s, v)
			}
			return
		}
		if again, err := ParseCoredumpFilter(FormatCoredumpFilter(v)); err != nil || again != v {
			t.Fatalf("%q: %#x comes back as %#x, %v", s, v, again, err)
		}
	})
}

func FuzzParsePersonality(f *testing.F) {
	f.Add("x86", "amd64")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, s, goarch string) {
		v, err := ParsePersonality(s, goarch)
		if v != 0 && v != 8 || err != nil && v != 0 {
			t.Fatalf("%q on %q: %d, %v", s, goarch, v, err)
		}
	})
}
