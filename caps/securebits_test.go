package caps

import (
	"errors"
	"testing"
)

// systemd.exec(5), SecureBits=; the numbers are those of linux/securebits.h.
func TestParseSecureBits(t *testing.T) {
	for _, c := range []struct {
		in   string
		want SecureBits
		text string
	}{
		{"", 0, ""},
		{"noroot", 0x1, "noroot"},
		{"noroot noroot-locked", 0x3, "noroot noroot-locked"},
		{"no-root-locked no-root", 0x3, "noroot noroot-locked"},
		{"no-setuid-fixup\tno-setuid-fixup-locked", 0xc, "no-setuid-fixup no-setuid-fixup-locked"},
		{"keep-caps-locked keep-caps keep-caps", 0x30, "keep-caps keep-caps-locked"},
		{"no-cap-ambient-raise no-cap-ambient-raise-locked", 0xc0, "no-cap-ambient-raise no-cap-ambient-raise-locked"},
		{"exec-restrict-file exec-restrict-file-locked", 0x300, "exec-restrict-file exec-restrict-file-locked"},
		{"exec-deny-interactive exec-deny-interactive-locked", 0xc00, "exec-deny-interactive exec-deny-interactive-locked"},
	} {
		got, err := ParseSecureBits(c.in)
		if got != c.want || err != nil {
			t.Errorf("ParseSecureBits(%q) = %#x, %v, want %#x", c.in, uint32(got), err, uint32(c.want))
		}
		if got.String() != c.text {
			t.Errorf("%#x: String() = %q, want %q", uint32(got), got.String(), c.text)
		}
	}
	for _, c := range []struct{ in, word, hint string }{
		{"noroot norot", "norot", "did you mean noroot?"},
		{"keep-cap", "keep-cap", "did you mean keep-caps?"},
		{"Noroot", "Noroot", "did you mean noroot?"},
		{"noroot,keep-caps", "noroot,keep-caps", "known are noroot, noroot-locked, no-setuid-fixup, no-setuid-fixup-locked, keep-caps, keep-caps-locked, no-cap-ambient-raise, no-cap-ambient-raise-locked, exec-restrict-file, exec-restrict-file-locked, exec-deny-interactive, exec-deny-interactive-locked"},
	} {
		got, err := ParseSecureBits(c.in)
		var unknown UnknownBitError
		if got != 0 || !errors.As(err, &unknown) || unknown.Name != c.word || unknown.Hint() != c.hint {
			t.Errorf("ParseSecureBits(%q) = %v, %v, hint %q", c.in, got, err, unknown.Hint())
		}
	}
	if got := SecureBits(1<<0 | 1<<12).String(); got != "noroot bit12" {
		t.Errorf("an unknown bit prints as %q", got)
	}
}

func TestSecbitNumbers(t *testing.T) {
	for i, b := range []SecureBits{
		SecbitNoRoot, SecbitNoRootLocked, SecbitNoSetuidFixup, SecbitNoSetuidFixupLocked, SecbitKeepCaps, SecbitKeepCapsLocked,
		SecbitNoCapAmbientRaise, SecbitNoCapAmbientRaiseLocked, SecbitExecRestrictFile, SecbitExecRestrictFileLocked,
		SecbitExecDenyInteractive, SecbitExecDenyInteractiveLocked,
	} {
		if b != 1<<i {
			t.Errorf("flag %d is %#x", i, uint32(b))
		}
	}
}

func FuzzParseSecureBits(f *testing.F) {
	for _, s := range []string{"", "noroot", "no-root no-root-locked", "exec-deny-interactive-locked", "bit12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseSecureBits(s)
		if err != nil {
			if b != 0 {
				t.Fatalf("%q: an error, and %v", s, b)
			}
			return
		}
		if again, err := ParseSecureBits(b.String()); err != nil || again != b {
			t.Fatalf("%q: %v comes back as %v, %v", s, b, again, err)
		}
	})
}
