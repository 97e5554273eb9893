//go:build linux

package integration

import (
	"fmt"
	"strings"
	"testing"
)

// bits are the flags of linux/securebits.h as the daemon sees them: execve(2)
// clears keep-caps.
var securebits = []struct {
	name   string
	want   uint64
	kernel string // the first with the flag
}{
	{"noroot", 0x1, ""},
	{"noroot-locked", 0x2, ""},
	{"no-setuid-fixup", 0x4, ""},
	{"no-setuid-fixup-locked", 0x8, ""},
	{"keep-caps", 0, ""},
	{"keep-caps-locked", 0x20, ""},
	{"no-cap-ambient-raise", 0x40, ""},
	{"no-cap-ambient-raise-locked", 0x80, ""},
	{"exec-restrict-file", 0x100, "6.14"},
	{"exec-restrict-file-locked", 0x200, "6.14"},
	{"exec-deny-interactive", 0x400, "6.14"},
	{"exec-deny-interactive-locked", 0x800, "6.14"},
}

// Each flag and each locked form: alone, with a user, with capabilities, with
// both.
func TestSecureBitsMatrix(t *testing.T) {
	requireRoot(t)
	for _, b := range securebits {
		if b.kernel != "" && runs(t, probe, "try", "securebits", "0x100").code != 0 {
			t.Run(b.name, func(t *testing.T) { t.Skip("needs Linux " + b.kernel) })
			continue
		}
		for _, with := range [][]string{nil, {"--user=nobody"}, {"--caps=net_bind_service"}, {"--user=nobody", "--caps=net_bind_service"}, {"--user=nobody", "--caps=none"}, {"--no-new-privs"}} {
			t.Run(b.name+" "+strings.Join(with, " "), func(t *testing.T) {
				s := run(t, append(with, "--secure-bits="+b.name, "--", probe)...).state(t)
				equal(t, "securebits", s.SecureBits, fmt.Sprintf("%016x", b.want))
				user, caps := false, false
				for _, w := range with {
					user = user || strings.HasPrefix(w, "--user")
					caps = caps || w == "--caps=net_bind_service"
				}
				switch {
				case user && caps:
					checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
				case caps && b.name == "noroot":
					checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
				case caps:
					checkSets(t, s, sets{none, netBind, netBind, netBind, none})
				case user:
					equal(t, "permitted", s.Prm, none)
				}
			})
		}
	}
}

// Flags that were inherited are kept without CAP_SETPCAP, as nothing is to be changed.
func TestSecureBitsInherited(t *testing.T) {
	requireRoot(t)
	setpriv := requireProgram(t, "setpriv", "util-linux")
	const has = "+setuid,+setgid,+net_bind_service"
	for _, words := range [][]string{nil, {"--user=nobody"}, {"--user=nobody", "--ambient-capabilities=CAP_NET_BIND_SERVICE"}} {
		argv := append(append([]string{setpriv, "--securebits=+noroot", "--inh-caps=" + has, "--ambient-caps=" + has, "--", hardrun, "--secure-bits=noroot"}, words...), "--", probe)
		r := runs(t, argv...)
		if r.code != 0 {
			t.Errorf("%q: status %d: %s", words, r.code, r.stderr)
			continue
		}
		equal(t, "securebits", r.state(t).SecureBits, "0000000000000001")
		refused(t, runs(t, append(argv[:len(argv)-2:len(argv)-2], "--secure-bits=noroot noroot-locked", "--", probe)...), 213, "SecureBits=")
	}
}

// What each flag forbids is forbidden, and is not without it.
func TestSecureBitsAtWork(t *testing.T) {
	requireRoot(t)
	bits := func(flags string, act ...string) result {
		words := []string{"--", probe}
		if flags != "" {
			words = append([]string{"--secure-bits=" + flags}, words...)
		}
		return run(t, append(words, act...)...)
	}
	equal(t, "noroot", bits("noroot").state(t).Prm, none)
	if bits("").state(t).Prm == none {
		t.Error("root has no capabilities without noroot")
	}
	// noroot-locked: noroot can be neither set nor cleared. Root keeps its rights.
	denied(t, bits("noroot-locked", "try", "securebits", "0x1"), "EPERM")
	allowed(t, bits("", "try", "securebits", "0x1"))
	denied(t, bits("no-setuid-fixup-locked", "try", "securebits", "0xc"), "EPERM")
	denied(t, bits("keep-caps-locked", "try", "keepcaps", "1"), "EPERM")
	allowed(t, bits("keep-caps", "try", "keepcaps", "1"))
	denied(t, bits("no-cap-ambient-raise-locked", "try", "securebits", "0xc0"), "EPERM")
	raise := []string{"try", "ambient-raise", "10"}
	start := func(flags string) result {
		words := append([]string{"--user=nobody", "--caps=net_bind_service"}, strings.Fields(flags)...)
		return run(t, append(append(words, "--", probe), raise...)...)
	}
	allowed(t, start(""))
	denied(t, start("--secure-bits=no-cap-ambient-raise"), "EPERM")
	allowed(t, start("--secure-bits=keep-caps-locked"))
}

// Together with ambient capabilities, which have to be raised before the flags.
func TestSecureBitsWithAmbient(t *testing.T) {
	requireRoot(t)
	s := run(t, "--user=nobody", "--caps=net_bind_service", "--secure-bits=no-cap-ambient-raise keep-caps-locked", "--", probe).state(t)
	equal(t, "securebits", s.SecureBits, "0000000000000060")
	checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
	all := "noroot noroot-locked no-setuid-fixup no-setuid-fixup-locked keep-caps-locked no-cap-ambient-raise no-cap-ambient-raise-locked"
	s = run(t, "--user=nobody", "--caps=net_bind_service", "--secure-bits="+all, "--", probe).state(t)
	equal(t, "securebits", s.SecureBits, "00000000000000ef")
	checkSets(t, s, sets{netBind, netBind, netBind, netBind, netBind})
	s = run(t, "--secure-bits="+all, "--", probe).state(t)
	equal(t, "securebits", s.SecureBits, "00000000000000ef")
	equal(t, "permitted", s.Prm, none)
}

func TestSecureBitsSpelling(t *testing.T) {
	requireRoot(t)
	for _, words := range [][]string{
		{"--secure-bits=noroot noroot-locked"},
		{"--secure-bits=no-root no-root-locked"},
		{"--secure-bits=noroot", "--secure-bits=noroot-locked"},
		{"-p", "SecureBits=noroot noroot-locked"},
		{"--SecureBits=noroot noroot-locked"},
	} {
		equal(t, strings.Join(words, " "), run(t, append(words, "--", probe)...).state(t).SecureBits, "0000000000000003")
	}
	refused(t, run(t, "--secure-bits=norooot", "--", probe), 64, "norooot")
}

// Flags that were locked before cannot be changed, and hardrun says so at once.
func TestSecureBitsInheritedLocked(t *testing.T) {
	requireRoot(t)
	refused(t, runs(t, with("securebits=0x2", hardrun, "--secure-bits=noroot", "--", probe)...), 213, "SecureBits=", "noroot-locked")
	refused(t, runs(t, with("securebits=0x20", hardrun, "--user=nobody", "--caps=net_bind_service", "--", probe)...), 213, "keep-caps")
	// Asked for what is there already: fine, with the set and without.
	s := runs(t, with("securebits=0x2", hardrun, "--secure-bits=noroot-locked", "--", probe)...).state(t)
	equal(t, "securebits", s.SecureBits, "0000000000000002")
	s = runs(t, with("securebits=0x8", hardrun, "--user=nobody", "--", probe)...).state(t)
	equal(t, "securebits", s.SecureBits, "0000000000000008")
	// A change of uid that takes no capabilities away by itself.
	s = runs(t, with("securebits=0x4", hardrun, "--user=nobody", "--", probe)...).state(t)
	checkSets(t, s, sets{none, none, none, machine(t).Bnd, none})
}

// The article's example: under noroot a set-user-ID root program has the uid, and
// no rights.
func TestCapsh(t *testing.T) {
	requireRoot(t)
	capsh := requireProgram(t, "capsh", "libcap2-bin")
	flags := "--secure-bits=noroot noroot-locked"
	r := run(t, flags, "--", capsh, "--print")
	found := false
	for l := range strings.Lines(r.stdout) {
		found = found || strings.HasPrefix(l, "Securebits: 03/0x3/2'b11")
	}
	if !found {
		t.Errorf("no line Securebits: 03/0x3/2'b11 in %q", r.stdout)
	}
	su := requireProgram(t, "su", "util-linux")
	script := su + ` -s /bin/sh nobody -c "echo became nobody"`
	if r := runs(t, capsh, "--", "-c", script); !strings.Contains(r.stdout, "became nobody") {
		t.Fatalf("su does not work here: %q", r.stderr)
	}
	if r := run(t, flags, "--", capsh, "--", "-c", script); r.code == 0 || strings.Contains(r.stdout, "became nobody") {
		t.Errorf("su worked under noroot: status %d, %q", r.code, r.stdout)
	}
	// The same by a program of our own, as root and as a user.
	suid := copied(t, probe, directory(t, 0o755)+"/suid", 0o4755)
	for _, words := range [][]string{{flags}, {"--user=nobody", flags}} {
		s := run(t, append(words, "--", probe, "try", "exec", suid)...).state(t)
		equal(t, strings.Join(words, " ")+": effective uid", s.UIDs[1], 0)
		equal(t, strings.Join(words, " ")+": permitted", s.Prm, none)
	}
	if s := run(t, "--user=nobody", "--", probe, "try", "exec", suid).state(t); s.Prm == none {
		t.Error("set-user-ID root gives nothing here")
	}
	if sudo := "/usr/bin/sudo"; exists(sudo) {
		if r := run(t, flags, "--", capsh, "--", "-c", "sudo ps"); r.code == 0 {
			t.Error("sudo worked under noroot")
		}
	}
}
