package shapes

import (
	"slices"
	"strings"
	"testing"
)

func TestSubset(t *testing.T) {
	if n := len(Points()); n != 256*len(List)*2 || len(List) != 12 {
		t.Errorf("%d points of %d shapes", n, len(List))
	}
	s := Subset(0b1001)
	if s.String() != "SETUID,SYS_ADMIN" || s.Mask() != 1<<7|1<<21 || !s.Has("SYS_ADMIN") || s.Has("MKNOD") || Subset(0).String() != "none" {
		t.Errorf("%v %#x", s, s.Mask())
	}
}

func TestDockerFilter(t *testing.T) {
	admin, chroot := Subset(1<<3), Subset(1<<4)
	for _, c := range []struct {
		call    string
		missing Subset
		denied  bool
	}{
		{"keyctl", 0, true},
		{"pivot_root", 0, true},
		{"mount", 0, false},
		{"mount", admin, true},
		{"mount", chroot, false},
		{"chroot", chroot, true},
		{"chroot", admin, false},
		{"setresuid", admin | chroot, false},
	} {
		if got := slices.Contains(DockerDenied(c.missing), c.call); got != c.denied {
			t.Errorf("%s without %v: denied %v", c.call, c.missing, got)
		}
	}
	for m := range 256 {
		if err := DockerFilter(Subset(m)).Check(); err != nil {
			t.Fatalf("without %v: %v", Subset(m), err)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, c := range []struct {
		text  string
		names string
		whole bool
	}{
		{"hardrun: User=: setresuid(2) needs CAP_SETUID (--user)\n", "User", true},
		{"hardrun: PrivateTmp=: a\nhardrun: User=: b\nhardrun: hint: leave out BindPaths=\n", "PrivateTmp User", true},
		{"hardrun: namespaces: interface lo up: ioctl(SIOCSIFFLAGS, lo): operation not permitted (PrivateNetwork= --private-network)\n", "PrivateNetwork", true},
		{"hardrun: keyring: keyctl: no (KeyringMode= a.service:3)\nhardrun: the main process ended with status 237\n", "KeyringMode", true},
		{"hardrun: User=: a\nsomething else\n", "User", false},
		{"hardrun: it cannot be\n", "", false},
		{"hardrun: note: NoNewPrivileges= is implied\n", "", false},
		{"", "", false},
	} {
		names, whole := Named(c.text)
		if strings.Join(names, " ") != c.names || whole != c.whole {
			t.Errorf("%q: %q %v, want %q %v", c.text, names, whole, c.names, c.whole)
		}
	}
}

func shape(t *testing.T, name string) *Shape {
	t.Helper()
	i := slices.IndexFunc(List, func(s Shape) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no shape %s", name)
	}
	return &List[i]
}

func TestJustified(t *testing.T) {
	const uid, gid, pcap, admin, chroot, net = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
	for _, c := range []struct {
		shape, directive string
		missing          Subset
		docker, want     bool
	}{
		{"user", "User", uid, false, true},
		{"user", "User", gid, false, true},
		{"user", "User", admin | chroot | pcap, false, false},
		{"user", "NoNewPrivileges", 255, true, false},
		{"groups and ambient", "AmbientCapabilities", net, false, true},
		{"groups and ambient", "AmbientCapabilities", uid, false, false},
		{"everything", "AmbientCapabilities", net, false, false},
		{"strict file system", "ProtectSystem", chroot, false, false},
		{"strict file system", "ProtectSystem", chroot, true, true}, // neither way in is left
		{"strict file system", "ProtectSystem", 0, true, false},
		{"everything", "KeyringMode", 0, true, true},
		{"everything", "KeyringMode", 255, false, false},
		{"everything", "StateDirectory", admin, false, false},
		{"dynamic user", "StateDirectory", admin, false, true},
	} {
		if got := Justified(shape(t, c.shape), c.directive, c.missing, c.docker); got != c.want {
			t.Errorf("%s: %s= without %v, docker %v: %v", c.shape, c.directive, c.missing, c.docker, got)
		}
	}
}

// Every capability less is seen, and only what may be less is let pass.
func TestJudge(t *testing.T) {
	const pcap, admin, mknod = 1 << 2, 1 << 3, 1 << 6
	state := func(changes ...string) *Report {
		r := &Report{Started: true, State: map[string]string{
			"thread 0 Uid": "65534 65534", "cap_bnd": "000001fffeffffff", "cap_prm": "0000000000000000", "no_new_privs": "0",
			"seccomp": "0", "filters": "0", "session_keyring_is": "", "mount /": "/ / ro", "mount /dev/kmsg": "/chr /dev/kmsg ro",
			"thread 0 NoNewPrivs": "0", "thread 0 Seccomp": "0", "namespace user": "host",
		}}
		for i := 0; i < len(changes); i += 2 {
			r.State[changes[i]] = changes[i+1]
		}
		for range shape(t, "user").Acts() {
			r.Answers = append(r.Answers, Answer{Errno: "EPERM"})
		}
		return r
	}
	works := state()
	works.Answers[0].Errno = ""
	filtered := []string{"seccomp", "2", "filters", "1", "thread 0 Seccomp", "2"}
	nnp := []string{"no_new_privs", "1", "thread 0 NoNewPrivs", "1"}
	for _, c := range []struct {
		what      string
		missing   Subset
		docker    bool
		want, got *Report
		code      int
		stderr    string
		class     Class
	}{
		{"the same", 0, false, state(), state(), 0, "", Equal},
		{"a smaller bounding set", admin, false, state(), state("cap_bnd", "000001fffedfffff"), 0, "", Equal},
		{"the bounding set has what is missing", admin, false, state(), state(), 0, "", Weaker},
		{"a capability more", 0, false, state(), state("cap_prm", "0000000000200000"), 0, "", Weaker},
		{"a mount that is writable", 0, false, state(), state("mount /", "/ / rw"), 0, "", Weaker},
		{"a mount more", 0, false, state(), state("mount /x", "/ /x rw"), 0, "", Weaker},
		{"an act works", 0, false, state(), works, 0, "", Weaker},
		{"no file for a device", mknod, false, state(), state("cap_bnd", "000001fff6ffffff"), 0, "", Equal},
		{"a file for a device", mknod, false, state(), state("cap_bnd", "000001fff6ffffff", "mount /dev/kmsg", "/file /dev/kmsg ro"), 0, "", Equal},
		{"a file for a device, needlessly", 0, false, state(), state("mount /dev/kmsg", "/file /dev/kmsg ro"), 0, "", Weaker},
		{"a device of the host", mknod, false, state(), state("cap_bnd", "000001fff6ffffff", "mount /dev/null", "/null /dev/null rw,nosuid"), 0, "", Weaker},
		{"a device of the host, read-only", mknod, false, state(), state("cap_bnd", "000001fff6ffffff", "mount /dev/null", "/null /dev/null ro,nosuid"), 0, "", Equal},
		{"Docker's filter", 0, true, state(), state(filtered...), 0, "", Equal},
		{"a filter less", 0, true, state(filtered...), state(filtered...), 0, "", Weaker},
		{"no_new_privs for a filter", admin, false, state(filtered...), state(append([]string{"cap_bnd", "000001fffedfffff"}, append(filtered, nnp...)...)...), 0, "", Equal},
		{"no_new_privs for nothing", 0, false, state(), state(nnp...), 0, "", Weaker},
		{"another status", 0, false, state(), state(), 1, "", Bad},
		{"refused of need", 1, false, state(), &Report{}, 217, "hardrun: User=: no\n", Refused},
		{"refused without need", pcap, false, state(), &Report{}, 217, "hardrun: User=: no\n", Needless},
		{"one of two without need", 1, false, state(), &Report{}, 217, "hardrun: User=: no\nhardrun: UMask=: no\n", Needless},
		{"no status of a refusal", 1, false, state(), &Report{}, 0, "hardrun: User=: no\n", Bad},
		{"no name", 1, false, state(), &Report{}, 217, "hardrun: no\n", Bad},
		{"silent", 1, false, state(), &Report{}, 217, "", Bad},
		{"something is left", 1, false, state(), &Report{Left: []string{"mounts"}}, 217, "hardrun: User=: no\n", Bad},
		{"files are left", 1, false, state(), &Report{Files: true}, 217, "hardrun: User=: no\n", Bad},
		{"no end", 1, false, state(), &Report{}, StarterOver, "", Hang},
	} {
		p := Point{Shape: shape(t, "user"), Missing: c.missing, Docker: c.docker}
		if o := Judge(p, c.want, c.got, c.code, c.stderr); o.Class != c.class {
			t.Errorf("%s: %s %q, want %s", c.what, o.Class, o.Detail, c.class)
		}
	}
}
