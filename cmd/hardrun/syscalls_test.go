package main

import (
	"strings"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
)

func TestGroupDocs(t *testing.T) {
	for _, name := range seccomp.Groups() {
		if groupDocs[name] == "" {
			t.Errorf("%s has no words", name)
		}
	}
	if len(groupDocs) != len(seccomp.Groups()) {
		t.Errorf("%d groups have words, and %d there are", len(groupDocs), len(seccomp.Groups()))
	}
}

func TestSyscallsText(t *testing.T) {
	for _, line := range []string{
		"@clock            6 calls     set and tune the clocks\n",
		"@io-uring         3 calls     input and output past all other calls (hardrun's own group)\n",
	} {
		if got := groupsText(); !strings.Contains(got, line) {
			t.Errorf("no line %q in %s", line, got)
		}
	}
	g, _ := seccomp.GroupByName("@privileged")
	for _, line := range []string{"@privileged: what needs a capability\n", "  @chown\n", "  chroot\n"} {
		if got := groupText(g); !strings.Contains(got, line) {
			t.Errorf("no line %q in %s", line, got)
		}
	}
	c, _ := seccomp.ByName("socketcall")
	if got, want := callText(c), "socketcall\n  x86           102\n  ppc64-le      102\n  s390x         102\n  s390          102\n  in @known @network-io @system-service\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if c, _ = seccomp.ByName("fork"); !strings.Contains(callText(c), "  x86-64        57\n") {
		t.Errorf("got %q", callText(c))
	}
}

func TestSyscallsCommand(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
	}{
		{nil, 0},
		{[]string{"@mount"}, 0},
		{[]string{"openat"}, 0},
		{[]string{"@mouunt"}, 64},
		{[]string{"opennat"}, 64},
		{[]string{""}, 64},
		{[]string{"--json"}, 64},
		{[]string{"openat", "close"}, 64},
	} {
		if got := syscallsCommand(tt.args); got != tt.code {
			t.Errorf("%q: %d, want %d", tt.args, got, tt.code)
		}
	}
}
