package ns

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMountLine(t *testing.T) {
	for _, x := range []struct {
		line          string
		id            uint64
		point         string
		shared, slave bool
		on, off       string // options which it has, and has not
	}{
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw,errors=continue", 36, "/mnt2", true, false, "rw noatime", "ro errors=continue no time"},
		{"36 35 98:0 / / ro,nosuid - ext3 /dev/root rw", 36, "/", false, false, "ro nosuid", "rw suid"},
		{"7 1 0:1 / /a rw shared:3 master:2 propagate_from:1 - tmpfs none rw", 7, "/a", true, true, "rw", "ro"},
		{"7 1 0:1 / /a ro master:2 - tmpfs none rw,ro", 7, "/a", false, true, "ro", "rw"},
		{"7 1 0:1 / /a rw unbindable - tmpfs none rw", 7, "/a", false, false, "rw", ""},
		{`7 1 0:1 / /with\040blank\011tab\012line\134back rw - tmpfs none rw`, 7, "/with blank\ttab\nline\\back", false, false, "rw", ""},
		{`7 1 0:1 /from\040here /to rw - tmpfs shared:1 rw`, 7, "/to", false, false, "rw", ""},
		{"7 1 0:1 shared:1 /to rw - nsfs none rw", 7, "/to", false, false, "rw", ""},
		{"7 1 0:1 master:1 /to rw - nsfs none rw", 7, "/to", false, false, "rw", ""},
		{"7 1 0:1 - /to rw - nsfs none rw", 7, "/to", false, false, "rw", ""},
		{`7 1 0:1 / /no\9escape\40\ rw - tmpfs none rw`, 7, `/no\9escape\40\`, false, false, "rw", ""},
		{"18446744073709551615 1 0:1 / /a rw - tmpfs none rw", 1<<64 - 1, "/a", false, false, "rw", ""},
	} {
		var m mountLine
		if err := m.parse([]byte(x.line)); err != nil {
			t.Errorf("%q: %v", x.line, err)
			continue
		}
		if m.id != x.id || m.point != x.point || m.shared != x.shared || m.slave != x.slave {
			t.Errorf("%q: read %d %q shared %v slave %v", x.line, m.id, m.point, m.shared, m.slave)
		}
		for _, o := range strings.Fields(x.on) {
			if !m.has(o) {
				t.Errorf("%q: has no %q", x.line, o)
			}
		}
		for _, o := range strings.Fields(x.off) {
			if m.has(o) {
				t.Errorf("%q: has %q", x.line, o)
			}
		}
	}
}

// A line of another form is an error, and never a mount without attributes.
func TestMountLineBroken(t *testing.T) {
	for _, line := range []string{
		"", "36", "36 35 98:0 /mnt1 /mnt2", "36 35 98:0 /mnt1 /mnt2 rw", "36 35 98:0 /mnt1 /mnt2 rw shared:1",
		"x 35 98:0 / /a rw - tmpfs none rw", "-1 35 98:0 / /a rw - tmpfs none rw", "36 35 98:0 / a rw - tmpfs none rw",
		"36 35 98:0 /  rw - tmpfs none rw", "36 35 98:0 / /a - tmpfs none rw",
	} {
		var m mountLine
		if err := m.parse([]byte(line)); err == nil {
			t.Errorf("%q: read as %+v", line, m)
		}
	}
}

// What is read of /proc is what /proc says, line for line.
func TestEachMount(t *testing.T) {
	runtime.LockOSThread() // other tests may have changed what another thread sees
	defer runtime.UnlockOSThread()
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	self, err := unix.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	n := 0
	err = eachMount(self, func(m *mountLine) error {
		if f := strings.Fields(lines[n]); unescape([]byte(f[4])) != m.point || string(m.options) != f[5] {
			t.Errorf("line %d: read %q %q, want %q", n, m.point, m.options, lines[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(lines) {
		t.Errorf("%d mounts of %d: %v", n, len(lines), err)
	}
	if err := closeFD(self); err != nil {
		t.Fatal(err)
	}
	// An empty list, a directory, and what has no lines are no lists.
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeFD(fd); err != nil {
			t.Error(err)
		}
	})
	none := func(m *mountLine) error { t.Errorf("a mount: %+v", m); return nil }
	if err := eachMount(fd, none); err == nil {
		t.Error("no list is a list")
	}
	for _, content := range []string{"", "36 35 98:0 / /a rw - tmpfs none rw", "nothing\n", strings.Repeat("x", 128<<10)} {
		if err := os.WriteFile(dir+"/mountinfo", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := eachMount(fd, none); err == nil {
			t.Errorf("%.20q: is a list", content)
		}
	}
	// A list that is longer than the buffer, with a line across each end of it.
	long := strings.Repeat("36 35 98:0 / /a/path/of/some/length rw,nosuid,nodev - tmpfs none rw\n", 3000)
	if err := os.WriteFile(dir+"/mountinfo", []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	n = 0
	if err := eachMount(fd, func(m *mountLine) error {
		n++
		if m.id != 36 || m.point != "/a/path/of/some/length" || !m.has("nodev") {
			t.Errorf("%d: %+v", n, m)
		}
		return nil
	}); err != nil || n != 3000 {
		t.Errorf("%d mounts: %v", n, err)
	}
}

func FuzzMountLine(f *testing.F) {
	f.Add([]byte(`36 35 98:0 / /with\040blank rw shared:1 - ext3 /dev/root rw`))
	f.Add([]byte(`36 35 98:0 / /a rw`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var m mountLine
		if err := m.parse(line); err == nil && (m.point == "" || m.point[0] != '/') {
			t.Errorf("%q: %+v", line, m)
		}
	})
}
