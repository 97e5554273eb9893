package ns

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// What is not one of the kernel's escapes stands for itself.
func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`plain`:        "plain",
		`a\040b`:       "a b",
		`\134`:         `\`,
		`\011\012\377`: "\t\n\xff",
		`\400`:         `\400`,
		`\777x`:        `\777x`,
		`\08`:          `\08`,
		`\089`:         `\089`,
		`\0/0`:         `\0/0`,
		`\/00`:         `\/00`,
		`\800`:         `\800`,
		`\`:            `\`,
		`a\04`:         `a\04`,
		`\\040`:        `\ `,
		`\040`:         " ",
		`x101`:         "x101",
		`\x41x101`:     `\x41x101`,
		`\134 101`:     `\ 101`,
	} {
		if got := unescape([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A list of mounts that is none says so, and one of any length is handed out whole.
func TestEachMountOf(t *testing.T) {
	const line = "36 35 98:0 / /mnt rw - ext3 /dev/root rw\n"
	dir := t.TempDir()
	self, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(self) }()
	const none = "read /proc/self/mountinfo: not a list of mounts"
	for _, c := range []struct {
		name, text string
		lines      int
		want       string
	}{
		{"empty", "", 0, none},
		{"one", line, 1, ""},
		{"an end too early", line + strings.TrimSuffix(line, "\n"), 1, none},
		{"many", strings.Repeat(line, 5000), 5000, ""},
		{"a long line", strings.Replace(line, "/mnt", "/"+strings.Repeat("m", 30<<10), 1), 1, ""},
		{"a line that is too long", strings.Replace(line, "/mnt", "/"+strings.Repeat("m", 33<<10), 1), 0, none},
		{"no number", "x6 35 98:0 / /mnt rw - ext3 /dev/root rw\n", 0, "/proc/self/mountinfo: a mount without a number"},
		{"no number above", "36 /5 98:0 / /mnt rw - ext3 /dev/root rw\n", 0, "/proc/self/mountinfo: a mount without a number"},
		{"no path", "36 35 98:0 / mnt rw - ext3 /dev/root rw\n", 0, "/proc/self/mountinfo: a mount without a path"},
		{"no path at all", "36 35 98:0 /  rw - ext3 /dev/root rw\n", 0, "/proc/self/mountinfo: a mount without a path"},
		{"too short", "36 35 98:0 / /mnt rw\n", 0, "/proc/self/mountinfo: a line that ends too early"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "mountinfo"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := 0
		err := eachMount(self, func(m *mountLine) error {
			if m.id != 36 || m.parent != 35 || !m.has("rw") || m.shared || m.slave || !m.superHas("rw") {
				t.Errorf("%s: %+v", c.name, m)
			}
			lines++
			return nil
		})
		if got := errorText(err); got != c.want || lines != c.lines {
			t.Errorf("%s: %d lines, %q; want %d, %q", c.name, lines, got, c.lines, c.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "mountinfo")); err != nil {
		t.Fatal(err)
	}
	if err := eachMount(self, func(*mountLine) error { return nil }); errorText(err) != "open /proc/self/mountinfo: no such file or directory" {
		t.Errorf("without the file: %v", err)
	}
	if err := os.Symlink("/proc/self/mountinfo", filepath.Join(dir, "mountinfo")); err != nil {
		t.Fatal(err)
	}
	if err := eachMount(self, func(*mountLine) error { return nil }); errorText(err) != "open /proc/self/mountinfo: too many levels of symbolic links" {
		t.Errorf("a link: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What is opened as a namespace is one, and of the kind that is asked for.
func TestJoinPrepares(t *testing.T) {
	self, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(self) }()
	for _, c := range []struct {
		join Join
		self int
		want string
	}{
		{Join{Kind: unix.CLONE_NEWNET, Path: "/proc/self/ns/net"}, self, ""},
		{Join{Kind: unix.CLONE_NEWNET, Path: "/proc/self/ns/net"}, -1, errNoProc.Error()},
		{Join{Kind: unix.CLONE_NEWNET, Path: "/proc/self/ns/none"}, self, "open /proc/self/ns/none: no such file or directory"},
		{Join{Kind: unix.CLONE_NEWNET, Path: "/proc/self/ns/ipc"}, self, "/proc/self/ns/ipc is no network namespace"},
		{Join{Kind: unix.CLONE_NEWNET, Path: "/dev/null"}, self, "/dev/null is no network namespace"},
		{Join{Kind: unix.CLONE_NEWNET, Path: "/proc/self/status"}, self, "/proc/self/status is no network namespace"},
		{Join{Kind: unix.CLONE_NEWNET, Open: 1 << 20}, self, "descriptor 1048576: fcntl(F_DUPFD_CLOEXEC): bad file descriptor"},
	} {
		err := c.join.Prepare(c.self)
		if got := errorText(err); got != c.want {
			t.Errorf("%+v: %q, want %q", c.join, got, c.want)
		}
		if err == nil {
			name, nameErr := os.Readlink(c.join.Path)
			if nameErr != nil || c.join.want != name {
				t.Errorf("%+v: wants %q, and it is %q, %v", c.join, c.join.want, name, nameErr)
			}
			if err := unix.Close(c.join.fd); err != nil {
				t.Error(err)
			}
		}
	}
}

// A namespace that was not joined, or not made, is noticed.
func TestJoinFails(t *testing.T) {
	open := func() (self int) {
		self, err := unix.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return self
	}
	proc := openProcForTest(t)
	other, err := Shared(proc, NewIPC)
	if err != nil {
		t.Skipf("needs CAP_SYS_ADMIN: %v", err)
	}
	defer func() { _ = unix.Close(other) }()
	join := func(self int) error {
		j := &Join{Kind: NewIPC, Open: other}
		return errors.Join(j.Prepare(self), j.Apply(self))
	}
	unshare := func(self int) error {
		u := &Unshare{Kind: NewIPC}
		return errors.Join(u.Prepare(self), u.Apply(self))
	}
	for _, x := range []struct {
		name   string
		act    func(self int) error
		call   uintptr
		answer int64
		want   string
	}{
		{"join", join, unix.SYS_SETNS, 0, ""},
		{"join, refused", join, unix.SYS_SETNS, -int64(unix.EPERM), "setns(CLONE_NEWIPC): operation not permitted"},
		{"join, not done", join, unix.SYS_SETNS, testrow.Lie, "setns(CLONE_NEWIPC): read back ipc:[N], want ipc:[N]"},
		{"join, no answer", join, unix.SYS_READLINKAT, testrow.Lie, "readlinkat /proc/self/ns/ipc: input/output error"},
		{"join, not told", join, unix.SYS_READLINKAT, -int64(unix.EACCES), "readlinkat /proc/self/ns/ipc: permission denied"},
		{"join, of another file system", join, unix.SYS_FSTATFS, testrow.Lie, "descriptor N is no IPC namespace"},
		{"join, of no kind", join, unix.SYS_IOCTL, -int64(unix.ENOTTY), "descriptor N is no IPC namespace"},
		{"unshare", unshare, unix.SYS_UNSHARE, 0, ""},
		{"unshare, refused", unshare, unix.SYS_UNSHARE, -int64(unix.ENOSPC), "unshare(CLONE_NEWIPC): no space left on device"},
		{"unshare, not done", unshare, unix.SYS_UNSHARE, testrow.Lie, "unshare(CLONE_NEWIPC): read back the same namespace as before"},
		{"unshare, not told", unshare, unix.SYS_READLINKAT, -int64(unix.EACCES), "readlinkat /proc/self/ns/ipc: permission denied"},
	} {
		said := ""
		err := testrow.OnThread(func() error {
			self := open()
			said = errorText(testrow.Ask([]uintptr{x.call}, func(testrow.Call) int64 { return x.answer }, func() error { return x.act(self) }))
			return unix.Close(self)
		})
		first, _, _ := strings.Cut(said, "\n")
		if got := regexp.MustCompile("[0-9]+").ReplaceAllString(first, "N"); err != nil || got != x.want {
			t.Errorf("%s: %q, want %q; %v", x.name, got, x.want, err)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo") // which nobody writes to
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Join{Kind: NewIPC, Path: fifo}).Prepare(proc); errorText(err) != fifo+" is no IPC namespace" {
		t.Errorf("a pipe: %v", err)
	}
	if err := (&Unshare{Kind: NewIPC}).Prepare(-1); !errors.Is(err, errNoProc) {
		t.Errorf("without /proc: %v", err)
	}
}
