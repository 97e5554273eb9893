package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// answered runs act while the calls nr have an answer: the first of them, or all; as testrow.Ask takes it. It answers the
// first line of what act says.
func answered(t *testing.T, act func() error, nr uintptr, all bool, answer func(testrow.Call) int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a filter with a supervisor")
	}
	n := 0
	said := testrow.OnThread(func() error {
		return testrow.Ask([]uintptr{nr}, func(call testrow.Call) int64 {
			if n++; n > 1 && !all {
				return 0
			}
			return answer(call)
		}, act)
	})
	if n == 0 {
		t.Errorf("call %d was not made", nr)
	}
	if said == nil {
		return ""
	}
	line, _, _ := strings.Cut(said.Error(), "\n")
	return line
}

// With one call that is answered otherwise, a step says so, or goes the way of an older kernel.
func TestCallsAnswered(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: a filter with a supervisor")
	}
	if err := errors.Join(os.Chmod(top, 0o755), os.WriteFile(top+"/f", []byte("text"), 0o644), os.Symlink("f", top+"/l"), os.Symlink(".", top+"/d"), os.Mkdir(top+"/theirs", 0o755), os.Symlink("../f", top+"/theirs/l"), os.Chown(top+"/theirs", 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	always := func(answer int64) func(testrow.Call) int64 { return func(testrow.Call) int64 { return answer } }
	fails := func(e unix.Errno) func(testrow.Call) int64 { return always(-int64(e)) }
	edom := fails(unix.EDOM) // which means nothing to anybody
	is := unix.EDOM.Error()
	with := func(place int, arg uint64, answer int64) func(testrow.Call) int64 {
		return func(call testrow.Call) int64 {
			if call.Args[place] == arg {
				return answer
			}
			return 0
		}
	}
	opens := func(path string, flags int) func() error {
		return func() error {
			fd, err := OpenTrusted(path, flags, 0o640)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		}
	}
	sealing := func() error {
		fd, err := sealed("x", []byte("text"))
		if err != nil {
			return err
		}
		var buf [5]byte
		if n, err := unix.Read(fd, buf[:]); err != nil || string(buf[:n]) != "text" {
			return fmt.Errorf("%q, %w", buf[:n], err)
		}
		return unix.Close(fd)
	}
	dir, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	there, err := row.Identify(dir)
	if err := errors.Join(err, unix.Close(dir)); err != nil {
		t.Fatal(err)
	}
	changes := func(looked bool) func() error {
		return func() error {
			s := &ChangeDir{Path: top}
			if err := s.Apply(-1); err != nil {
				return err
			}
			if (s.identity != nil) != looked || looked && !s.identity.Equal(there) {
				return fmt.Errorf("it was looked up as %+v, and is %+v", s.identity, there)
			}
			return nil
		}
	}
	reserve := func() error { // where 3 and 4 are free
		if err := errors.Join(unix.Unshare(unix.CLONE_FILES), unix.CloseRange(3, 4, 0)); err != nil {
			return err
		}
		return ReserveDescriptors(2)
	}
	pass := func() error {
		var p [2]int
		if err := errors.Join(unix.Unshare(unix.CLONE_FILES), unix.Pipe2(p[:], unix.O_CLOEXEC)); err != nil {
			return err
		}
		s := &PassDescriptors{From: p[:1], Modes: []Blocking{NonBlocking}}
		return errors.Join(s.Prepare(-1), s.Apply(-1))
	}
	keyring := func(s SetKeyring, before int64) func() error {
		return func() error {
			if err := s.Prepare(-1); err != nil {
				return err
			}
			if s.before != before {
				return fmt.Errorf("the keyring before was %d", s.before)
			}
			return nil
		}
	}
	self, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(self), unix.Close(at) }()
	writes := func(self int, file string) func() error {
		return func() error {
			s := &WriteProc{File: file}
			if err := s.Prepare(self); err != nil {
				return err
			}
			mode, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0)
			if err == nil && mode&unix.O_ACCMODE != unix.O_RDWR {
				err = errors.New("it cannot be read and written")
			}
			return errors.Join(err, unix.Close(s.fd))
		}
	}
	lists := func() error { return (&CloseDescriptors{Table: 4096}).look(self) }
	const whole = "getdents64 /proc/self/fd: the directory itself is open, and not listed"
	links := func(n int) string { return top + "/" + strings.Repeat("d/", n) + "f" }
	for _, x := range []struct {
		name   string
		act    func() error
		nr     uintptr
		all    bool
		answer func(testrow.Call) int64
		want   string
	}{
		{"a directory before Linux 5.6", changes(true), unix.SYS_OPENAT2, true, fails(unix.ENOSYS), ""},
		{"a directory that root may not see", changes(false), unix.SYS_OPENAT2, true, fails(unix.EACCES), ""},
		{"a directory", changes(true), unix.SYS_OPENAT2, true, always(0), ""},

		{"reserved", reserve, unix.SYS_OPENAT, true, always(0), ""},
		{"reserved, without a place", reserve, unix.SYS_OPENAT, true, edom, "open /: " + is},
		{"reserved, without a copy", reserve, unix.SYS_DUP3, true, edom, "dup3: " + is},
		{"passed, without a mode", pass, unix.SYS_FCNTL, true, with(1, unix.F_SETFL, -int64(unix.EDOM)), "fcntl(F_SETFL): " + is},

		{"sealed", sealing, unix.SYS_WRITE, false, fails(unix.EINTR), ""},
		{"sealed, without a file", sealing, unix.SYS_MEMFD_CREATE, true, edom, "memfd_create: " + is},
		{"sealed, not written", sealing, unix.SYS_WRITE, true, edom, "write: " + is},
		{"sealed, not at its beginning", sealing, unix.SYS_LSEEK, true, edom, "lseek: " + is},
		{"sealed, without seals", sealing, unix.SYS_FCNTL, true, with(1, unix.F_ADD_SEALS, -int64(unix.EDOM)), "fcntl(F_ADD_SEALS): " + is},
		{"sealed, not told", sealing, unix.SYS_FCNTL, true, with(1, unix.F_GET_SEALS, -int64(unix.EDOM)), "fcntl(F_GET_SEALS): the data could be changed"},
		{"sealed, not really", sealing, unix.SYS_FCNTL, true, with(1, unix.F_ADD_SEALS, testrow.Lie), "fcntl(F_GET_SEALS): the data could be changed"},

		{"a keyring", keyring(SetKeyring{}, 77), unix.SYS_KEYCTL, true, always(77), ""},
		{"no keyring", keyring(SetKeyring{}, -1), unix.SYS_KEYCTL, true, fails(unix.ENOKEY), ""},
		{"a keyring that is not told", keyring(SetKeyring{}, 0), unix.SYS_KEYCTL, true, edom, "keyctl(KEYCTL_GET_KEYRING_ID): " + is},
		{"a keyring that need not be", keyring(SetKeyring{Default: true}, -1), unix.SYS_KEYCTL, true, edom, ""},

		{"a file of /proc before Linux 5.6", writes(self, "oom_score_adj"), unix.SYS_OPENAT2, true, fails(unix.ENOSYS), ""},
		{"a link before Linux 5.6", writes(at, "l"), unix.SYS_OPENAT2, true, fails(unix.ENOSYS), "open /proc/self/l: too many levels of symbolic links"},
		{"a link in place of a file of /proc", writes(at, "l"), unix.SYS_OPENAT2, true, always(0), "open /proc/self/l: too many levels of symbolic links"},

		{"a list of nothing", lists, unix.SYS_GETDENTS64, true, always(testrow.Lie), whole},
		{"a list of another descriptor", lists, unix.SYS_GETDENTS64, true, oneEntry(), whole},
		{"a list", lists, unix.SYS_GETDENTS64, true, always(0), ""},

		{"trusted, before Linux 5.6", opens(top+"/f", 0), unix.SYS_OPENAT2, true, fails(unix.ENOSYS), ""},
		{"a link of others, before Linux 5.6", opens(top+"/theirs/l", 0), unix.SYS_OPENAT2, true, fails(unix.ENOSYS), "open " + top + "/theirs/l: too many levels of symbolic links"},
		{"trusted, behind a signal", opens(top+"/f", 0), unix.SYS_OPENAT2, false, fails(unix.EINTR), ""},
		{"trusted, behind a rename", opens(top+"/f", 0), unix.SYS_OPENAT2, false, fails(unix.EAGAIN), ""},
		{"renamed for ever", opens(top+"/f", 0), unix.SYS_OPENAT2, true, fails(unix.EAGAIN), "open " + top + "/f: resource temporarily unavailable"},
		{"trusted, and not told what it is", opens(top+"/f", 0), unix.SYS_FSTAT, true, edom, "open " + top + "/f: " + is},
		{"a link that cannot be tried", opens(top+"/l", 0), unix.SYS_OPENAT2, false, fails(unix.EACCES), ""},
		{"a link that is not read", opens(top+"/l", 0), unix.SYS_READLINKAT, true, edom, "open " + top + "/l: " + is},
		{"a link that is too long", opens(top+"/l", 0), unix.SYS_READLINKAT, true, always(unix.PathMax), "open " + top + "/l: file name too long"},
		{"a link that is empty", opens(top+"/l", 0), unix.SYS_READLINKAT, true, always(testrow.Lie), "open " + top + "/l: file name too long"},
		{"a link that is not closed", opens(top+"/l", 0), unix.SYS_CLOSE, false, edom, "open " + top + "/l: " + is},
		{"a directory that is not closed", opens(top+"/f", 0), unix.SYS_CLOSE, false, edom, "open " + top + "/f: " + is},
		{"a directory that is not opened", opens(top+"/f", 0), unix.SYS_OPENAT, false, edom, "open " + top + "/f: " + is},
		{"40 links", opens(links(40), 0), unix.SYS_OPENAT2, true, always(0), ""},
		{"41 links", opens(links(41), 0), unix.SYS_OPENAT2, true, always(0), "open " + links(41) + ": too many levels of symbolic links"},
	} {
		if got := answered(t, x.act, x.nr, x.all, x.answer); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	if err := (&WriteProc{File: "x"}).Prepare(-1); err == nil || err.Error() != "open /proc/self/x: there is no /proc that knows this process" {
		t.Errorf("without /proc: %v", err)
	}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(root) }()
	if err := (&WriteProc{File: fmt.Sprintf("proc/%d/oom_score_adj", os.Getpid())}).Prepare(root); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a file on another mount: %v", err)
	}
	if fd, err := OpenTrusted("/", unix.O_RDONLY, 0); fd != -1 || !errors.Is(err, unix.EISDIR) {
		t.Errorf("the root was opened: %v", err)
	}
	if err := opens(top+"/made", unix.O_WRONLY|unix.O_CREAT)(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(top + "/made"); err != nil || info.Mode() != 0o640 {
		t.Errorf("a file that was made: %v, %v", info, err)
	}
}

// oneEntry answers a list of one name, "0": struct linux_dirent64.
func oneEntry() func(testrow.Call) int64 {
	const size = 24
	told := false
	return func(call testrow.Call) int64 {
		if told {
			return testrow.Lie
		}
		told = true
		buf := unsafe.Slice(*(**byte)(unsafe.Pointer(&call.Args[1])), size)
		clear(buf)
		binary.NativeEndian.PutUint64(buf, 7)
		binary.NativeEndian.PutUint16(buf[16:], size)
		buf[19] = '0'
		return size
	}
}

// What is read back is told from what differs in one thing alone.
func TestReadBackIsExact(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	place, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(fd), unix.Close(place) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *OpenStream){
		"":       func(*OpenStream) {},
		"device": func(s *OpenStream) { s.file.Dev++ },
		"inode":  func(s *OpenStream) { s.file.Ino++ },
		"number": func(s *OpenStream) { s.file.Rdev++ },
	} {
		s := &OpenStream{FD: place, Dup: -1, opened: fd, file: st}
		change(s)
		if err := s.Verify(); (err == nil) != (name == "") {
			t.Errorf("another %s: %v", name, err)
		}
		s.opened = s.FD
		if err := s.Verify(); err != nil {
			t.Errorf("where it was opened at its place, with another %s: %v", name, err)
		}
	}
	if err := (&OpenStream{FD: place, Dup: 1 << 20, opened: fd}).Verify(); err == nil || err.Error() != "fstat: bad file descriptor" {
		t.Errorf("a duplicate of nothing: %v", err)
	}
	p := &row.Program{}
	(&OpenStream{FD: 7}).Check(p)
	if last := p.Rows[len(p.Rows)-1]; last.NR != unix.SYS_FCNTL || last.Want != 0 || !slices.Equal(last.A[:2], []uint64{7, unix.F_GETFD}) {
		t.Errorf("the last row is %+v", last)
	}
	p = &row.Program{}
	SetNUMA{Policy: NUMADefault}.Do(p)
	if r := p.Rows[0]; r.A[1] != 0 || r.A[2] != 0 || r.Ptr != 0 {
		t.Errorf("no nodes are %+v", r)
	}
	if got := signalSet(1<<0 | 1<<14 | 1<<63); got != "{1,15,64}" {
		t.Errorf("a set of signals is %s", got)
	}
}

// The descriptor that is passed, and no other, is the one with these numbers; a mode is set where it is asked for.
func TestPassedIsExact(t *testing.T) {
	inOwnTable(t, func() error {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return err
		}
		s := &PassDescriptors{From: p[:1], Modes: []Blocking{Blocks}}
		if err := errors.Join(s.Prepare(-1), s.Apply(-1), s.Verify()); err != nil {
			return err
		}
		if mode, err := unix.FcntlInt(FirstPassed, unix.F_GETFL, 0); err != nil || mode&unix.O_NONBLOCK != 0 {
			t.Errorf("it does not block: %#x, %v", mode, err)
		}
		was := s.files[0]
		for name, change := range map[string]func(){"device": func() { s.files[0].Dev++ }, "inode": func() { s.files[0].Ino++ }} {
			s.files[0] = was
			change()
			if err := s.Verify(); err == nil {
				t.Errorf("another %s was taken for the one that was passed", name)
			}
		}
		return nil
	})
}

// /dev/null is a character device.
func TestNullIsNoBlockDevice(t *testing.T) {
	path := t.TempDir() + "/null"
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(1, 3))); err != nil {
		t.Skipf("needs the right to make devices: %v", err)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := isNull(fd); err == nil {
		t.Error("a block device was taken for it")
	}
}
