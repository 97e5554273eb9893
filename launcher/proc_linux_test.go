package launcher

import (
	"strings"
	"testing"
)

// A status text of Linux 6.18, shortened to what counts and what could mislead.
const aStatus = "Name:\tx CapEff:\\n\nUmask:\t0022\nState:\tR (running)\nTgid:\t812\nPid:\t812\nPPid:\t1\n" +
	"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t \nNSpid:\t812\t7\nSigBlk:\t0000000000000000\n" +
	"SigIgn:\t0000000000001000\nSigCgt:\tfffffffc7fffffff\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\n" +
	"CapEff:\t000001fffeffffff\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n"

func TestParseStatus(t *testing.T) {
	s, err := parseStatus(aStatus)
	if err != nil {
		t.Fatal(err)
	}
	if s.pid != 7 || s.parent != "1" || s.fdSize != 64 || s.seen != seenAll {
		t.Errorf("got pid %d, %d descriptors, lines %#x", s.pid, s.fdSize, s.seen)
	}
	if s.caps != (CapState{Inheritable: 1, Permitted: 0x1fffeffffff, Effective: 0x1fffeffffff, Bounding: 0x400}) {
		t.Errorf("got %+v", s.caps)
	}
	// gVisor has no CapAmb, other kernels no Umask: then the text is not enough.
	for _, key := range []string{"CapAmb", "Umask", "Groups", "SigIgn"} {
		s, err := parseStatus(strings.Replace(aStatus, "\n"+key+":", "\nX:", 1))
		if err != nil || s.seen == seenAll {
			t.Errorf("without %s: %v, and all is there", key, err)
		}
	}
	if _, err := parseStatus(strings.Replace(aStatus, "0000000000000400", "40g", 1)); err == nil {
		t.Error("a mask that is no number was taken")
	}
	if s, err := parseStatus(""); err != nil || s.pid != 0 || s.seen != 0 {
		t.Errorf("of nothing: %+v, %v", s, err)
	}
}
