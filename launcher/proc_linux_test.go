package launcher

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
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

// Only the root of a procfs is /proc.
func TestOpenProc(t *testing.T) {
	dir := tree{"none": "/", "file/proc=0644": "x", "link/real": "/", "link/proc": "-> real", "empty/proc": "/", "tmpfs/proc": "/", "part/proc": "/", "there/proc": "/"}.make(t)
	open := func() string {
		fd, err := openProc()
		if err != nil {
			return err.Error()
		}
		if fd < 0 {
			return "none"
		}
		if err := unix.Close(fd); err != nil {
			return err.Error()
		}
		return "there"
	}
	inOwnMounts(t, func() {
		if !memory(t, dir+"/tmpfs/proc", 0, nil) {
			return
		}
		for at, from := range map[string]string{"link/real": "/proc", "part/proc": "/proc/sys", "there/proc": "/proc"} {
			if err := unix.Mount(from, dir+"/"+at, "", unix.MS_BIND, ""); err != nil {
				t.Error(err)
			}
		}
		out, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
		}
		for _, tt := range []struct{ root, want string }{
			{"none", "none"}, {"file", "none"}, {"link", "none"}, {"empty", "none"}, {"tmpfs", "none"}, {"part", "none"}, {"there", "there"},
		} {
			err := errors.Join(unix.Fchdir(out), unix.Chroot("."), unix.Chroot(dir+"/"+tt.root), unix.Chdir("/"))
			if got := open(); got != tt.want || err != nil {
				t.Errorf("%s: %s, want %s; %v", tt.root, got, tt.want, err)
			}
		}
		if err := errors.Join(unix.Fchdir(out), unix.Chroot("."), unix.Close(out), unix.Chroot(dir+"/empty"), testrow.Answer(unix.SYS_CLOSE, unix.EIO)); err != nil {
			t.Error(err)
		}
		if got := open(); got != "close /proc: input/output error" {
			t.Errorf("a directory that cannot be closed: %s", got)
		}
	})
}

// The own directory is the one of the number to which "self" points.
func TestOpenSelf(t *testing.T) {
	for _, tt := range []struct{ self, want string }{
		{"812", ""},
		{"813", "open /proc/813: no such file or directory"},
		{"", "none"},
		{"x", `/proc/self points to "x"`},
		{"0", `/proc/self points to "0"`},
		{"-812", `/proc/self points to "-812"`},
		{"99999999999999999999", `/proc/self points to "99999999999999999999"`},
		{"../812", `/proc/self points to "../812"`},
	} {
		files := tree{"812/stat": "x"}
		if tt.self != "" {
			files["self"] = "-> " + tt.self
		}
		_, proc := files.open(t)
		fd, err := openSelf(proc)
		got := fails(err)
		switch {
		case err != nil:
		case fd < 0:
			got = "none"
		default:
			_, err := readBelow(fd, "stat")
			got = fails(errors.Join(err, unix.Close(fd)))
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.self, got, tt.want)
		}
	}
}

// What lies below a verified directory is on the same mount, and no link leads to it.
func TestBelow(t *testing.T) {
	dir, fd := tree{"file": "text", "sub/file": "below", "link": "-> file", "over": "/"}.open(t)
	read := func(path string) string {
		text, err := readBelow(fd, path)
		if err != nil {
			text = "error: " + err.Error()
		}
		return text
	}
	for path, want := range map[string]string{
		"file":     "text",
		"sub/file": "below",
		"link":     "error: open /proc/link: too many levels of symbolic links",
		"none":     "error: open /proc/none: no such file or directory",
		"sub":      "error: read /proc/sub: read: is a directory",
	} {
		if got := read(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	answering(t, unix.SYS_OPENAT2, unix.ENOSYS, func() { // Linux before 5.6
		for path, want := range map[string]string{"file": "text", "link": "error: open /proc/link: too many levels of symbolic links"} {
			if got := read(path); got != want {
				t.Errorf("without openat2(2): %s: %s, want %s", path, got, want)
			}
		}
	})
	answering(t, unix.SYS_CLOSE, unix.EIO, func() {
		if got := read("file"); got != "error: close /proc/file: input/output error" {
			t.Errorf("not closed: %s", got)
		}
	})
	inOwnMounts(t, func() {
		own, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0) // of these mounts
		if err != nil || !memory(t, dir+"/over", 0, map[string]string{"file": "mounted"}) {
			t.Error(err)
			return
		}
		if _, err := readBelow(own, "over/file"); fails(err) != "open /proc/over/file: invalid cross-device link" {
			t.Errorf("another mount: %v", err)
		}
		if err := unix.Close(own); err != nil {
			t.Error(err)
		}
	})
	if err := closed(-1, "/proc"); err == nil || err.Error() != "close /proc: bad file descriptor" {
		t.Error(err)
	}
}
