package supervise

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadPIDFile reads a number from a file, and says what else is there.
func TestReadPIDFile(t *testing.T) {
	keepsDescriptors(t)
	dir := t.TempDir()
	l := &loop{machine: machine{Spec: &Spec{}}}
	put := func(name, text string) {
		ok(t, os.WriteFile(dir+"/"+name, []byte(text), 0o644))
	}
	put("number", "12\n34")
	put("blanks", " 12\t\r\n")
	put("no end", "12")
	put("zeros", strings.Repeat("0", 61)+"12\n")
	put("empty", "")
	put("zero", "0\n")
	put("text", "12x\n")
	put("negative", "-12\n")
	put("too great", "2147483648\n")
	put("too long", strings.Repeat("0", 62)+"12\n")
	ok(t, os.Symlink("number", dir+"/link"))
	ok(t, unix.Mkfifo(dir+"/pipe", 0o600))
	ok(t, os.Mkdir(dir+"/directory", 0o755))
	for name, want := range map[string]string{
		"number": "", "blanks": "", "no end": "", "zeros": "",
		"empty": "it holds no process ID", "zero": "it holds no process ID", "text": "it holds no process ID", "negative": "it holds no process ID",
		"too great": "it holds no process ID", "too long": "it holds no process ID",
		"link": "it is a symbolic link", "pipe": "it is no file", "directory": "it is no file", "none": "open: no such file or directory",
	} {
		l.PIDFile = dir + "/" + name
		pid, err := l.readPIDFile()
		if want == "" && pid != 12 || want != "" && pid != 0 {
			t.Errorf("%s: %d, %v", name, pid, err)
		}
		if want == "" != (err == nil) || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	l.PIDFile = dir + "/number"
	for want, call := range map[string]uintptr{"fstat: input/output error": unix.SYS_FSTAT, "read: input/output error": unix.SYS_READ} {
		t.Run(want, func(t *testing.T) {
			answers(t, call, every, 0, unix.EIO)
			_, err := l.readPIDFile()
			tells(t, err, want)
		})
	}
}

// TestPIDFileTerminal opens a terminal as what it is not: the one of this process.
func TestPIDFileTerminal(t *testing.T) {
	// On a thread of its own, as what the seccomp filter answers says how it was opened.
	dir := t.TempDir()
	ok(t, os.WriteFile(dir+"/pid", []byte("12\n"), 0o644))
	answers(t, unix.SYS_OPENAT, 2, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_LARGEFILE, unix.EXFULL)
	l := &loop{machine: machine{Spec: &Spec{PIDFile: dir + "/pid"}}}
	_, err := l.readPIDFile()
	tells(t, err, "exchange full")
}

// TestPIDFileOwner takes a file of root, of this process's user, and of the user of the process
// that it names.
func TestPIDFileOwner(t *testing.T) {
	asRoot(t)
	p := procOf(t, 1, map[string]string{"12/status": "Uid:\t7\t1234\t1234\t1234\n", "13/status": "Uid:\t1234\t7\t7\t7\n", "14/status": "Uid:\t1234\n"})
	path := t.TempDir() + "/pid"
	l := &loop{machine: machine{Spec: &Spec{PIDFile: path}}, proc: p}
	for _, c := range []struct {
		pid, owner int
		taken      bool
	}{{12, 0, true}, {12, 1234, true}, {12, 7, false}, {13, 1234, false}, {13, 7, true}, {14, 1234, false}, {15, 1234, false}} {
		ok(t, os.WriteFile(path, []byte(strconv.Itoa(c.pid)), 0o644))
		ok(t, os.Chown(path, c.owner, 0))
		pid, err := l.readPIDFile()
		if c.taken && (err != nil || pid != c.pid) {
			t.Errorf("%+v: %d, %v", c, pid, err)
		}
		if !c.taken {
			tells(t, err, "it belongs to uid "+strconv.Itoa(c.owner)+", which is neither root nor the process's user")
		}
	}
	// For a user, the files of root and the own ones are good.
	ok(t, os.Chmod(filepath.Dir(path), 0o755))
	ok(t, os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755))
	for owner, want := range map[int]string{0: "", 1234: "", 7: "it belongs to uid 7"} {
		ok(t, os.WriteFile(path, []byte("15"), 0o644))
		ok(t, os.Chown(path, owner, 0))
		var err error
		asUser(t, 1234, func() { _, err = l.readPIDFile() })
		tells(t, err, want)
	}
}

// TestRemovePIDFile removes a file, through no link but /var/run.
func TestRemovePIDFile(t *testing.T) {
	keepsDescriptors(t)
	dir := t.TempDir()
	ok(t, os.Mkdir(dir+"/d", 0o755))
	ok(t, os.Symlink("d", dir+"/link"))
	ok(t, os.WriteFile(dir+"/d/pid", nil, 0o644))
	tells(t, removePIDFile(dir+"/link/pid"), "openat2: too many levels of symbolic links")
	if _, err := os.Lstat(dir + "/d/pid"); err != nil {
		t.Error(err)
	}
	ok(t, removePIDFile(dir+"/d/pid"))
	if _, err := os.Lstat(dir + "/d/pid"); !os.IsNotExist(err) {
		t.Error("it is left")
	}
	ok(t, removePIDFile(dir+"/d/pid")) // it is not there
	ok(t, removePIDFile(dir+"/none/pid"))
	tells(t, removePIDFile(dir+"/d"), "unlinkat: is a directory")
	ok(t, removePIDFile("/var/run/hardrun-test-none/pid"))
	tells(t, removePIDFile("/var/run/."), "unlinkat: ")
}
