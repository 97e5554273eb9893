package caps

import "testing"

// What plan prints of each step, and the system call that strace shows.
func TestStepWords(t *testing.T) {
	for _, tt := range []struct {
		step interface {
			String() string
			Mechanism() string
		}
		line, call string
	}{
		{KeepCaps{}, "keep capabilities over the change of user", "prctl(PR_SET_KEEPCAPS, 1)"},
		{DropBounding{Keep: 1 << 10, Last: 40}, "keep {cap_net_bind_service}", "prctl(PR_CAPBSET_DROP) × 40"},
		{DropBounding{Keep: All(40), Last: 40}, "keep all", "prctl(PR_CAPBSET_DROP) × 0"},
		{DropBounding{Keep: All(40).Without(1), Last: 40}, "keep all but {cap_chown}", "prctl(PR_CAPBSET_DROP) × 1"},
		{SetGroups{}, "set groups {}", "setgroups(0, [])"},
		{SetGroups{[]uint32{105, 4}}, "set groups {105,4}", "setgroups(2, [105, 4])"},
		{SetGID{7}, "set gid 7 (real, effective, saved)", "setresgid(7, 7, 7)"},
		{SetUID{4294967294}, "set uid 4294967294 (real, effective, saved)", "setresuid(4294967294, 4294967294, 4294967294)"},
		{SetCaps{Last: 40}, "permitted, effective, inheritable {}", "capset"},
		{SetCaps{Effective: 1, Permitted: 1, Inheritable: 1, Last: 40}, "permitted, effective, inheritable {cap_chown}", "capset"},
		{SetCaps{Effective: 1, Permitted: 1, Last: 40}, "permitted, effective {cap_chown}, inheritable {}", "capset"},
		{SetCaps{Permitted: 1, Inheritable: 1, Last: 40}, "permitted {cap_chown}, effective {}, inheritable {cap_chown}", "capset"},
		{SetCaps{Permitted: 1, Last: 40}, "permitted {cap_chown}, effective {}, inheritable {}", "capset"},
		{SetCaps{Permitted: All(40), Effective: All(40), Inheritable: 2, Last: 40}, "permitted, effective all, inheritable {cap_dac_override}", "capset"},
		{SetAmbient{Last: 40}, "ambient {}", "prctl(PR_CAP_AMBIENT, CLEAR_ALL), RAISE × 0"},
		{SetAmbient{Set: 3, Last: 40}, "ambient {cap_chown,cap_dac_override}", "prctl(PR_CAP_AMBIENT, CLEAR_ALL), RAISE × 2"},
		{SetSecureBits{}, "clear all securebits", "prctl(PR_SET_SECUREBITS, 0x0)"},
		{SetSecureBits{Held: true}, "no securebits, as inherited", "prctl(PR_GET_SECUREBITS)"},
		{SetSecureBits{Bits: SecbitNoRoot, Held: true}, "noroot as inherited", "prctl(PR_GET_SECUREBITS)"},
		{SetSecureBits{Bits: SecbitNoRoot | SecbitNoRootLocked}, "set noroot noroot-locked", "prctl(PR_SET_SECUREBITS, 0x3)"},
		{NoNewPrivs{}, "execve may not raise privileges", "prctl(PR_SET_NO_NEW_PRIVS, 1)"},
	} {
		if got := tt.step.String(); got != tt.line {
			t.Errorf("%T: %q, want %q", tt.step, got, tt.line)
		}
		if got := tt.step.Mechanism(); got != tt.call {
			t.Errorf("%T: %q, want %q", tt.step, got, tt.call)
		}
	}
}
