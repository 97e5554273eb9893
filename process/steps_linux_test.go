package process

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

type step interface {
	Do(p *row.Program)
	Check(p *row.Program)
}

func dump(f func(p *row.Program), readOnly bool) []string {
	p := &row.Program{FullStatus: true}
	if readOnly {
		p.ReadOnly(false)
	}
	f(p)
	return p.Dump()
}

func call(nr uintptr, answer string) string { return strconv.Itoa(int(nr)) + " " + answer }

// Every change is there, and is read back by another call than the one that made
// it: what comes before the end.
func TestStepRows(t *testing.T) {
	for _, tt := range []struct {
		step  step
		do    []string
		check []string
	}{
		{SetLimit{N: 7, Limit: Limit{4, 8}}, []string{call(unix.SYS_PRLIMIT64, "= 0")}, []string{"poison", call(unix.SYS_GETRLIMIT, "= 0"), "same"}},
		{SetUMask{0o27}, []string{call(unix.SYS_UMASK, ">= 0")}, []string{call(unix.SYS_UMASK, "= 23"), "line Umask:\t0027\n"}},
		{SetNice{-5}, []string{call(unix.SYS_SETPRIORITY, "= 0")}, []string{call(unix.SYS_GETPRIORITY, "= 25")}},
		{SetScheduler{Policy: SchedFIFO, Priority: 3, ResetOnFork: true}, []string{call(unix.SYS_SCHED_SETSCHEDULER, "= 0")}, []string{"poison", call(unix.SYS_SCHED_GETATTR, "= 0"), "same", "same", "same"}},
		{SetAffinity{CPUs: CPUSet{1}, Bytes: 32}, []string{call(unix.SYS_SCHED_SETAFFINITY, "= 0")}, []string{"poison", call(unix.SYS_SCHED_GETAFFINITY, "= 32"), "same"}},
		{SetNUMA{Policy: NUMABind, Nodes: CPUSet{1}}, []string{call(unix.SYS_SET_MEMPOLICY, "= 0")}, []string{"poison", "poison", call(unix.SYS_GET_MEMPOLICY, "= 0"), "same", "same"}},
		{SetNUMA{Policy: NUMALocal}, []string{call(unix.SYS_SET_MEMPOLICY, "= 0")}, []string{"poison", "poison", call(unix.SYS_GET_MEMPOLICY, "= 0"), "same"}},
		{SetIOPriority{Class: IOBestEffort, Priority: 6}, []string{call(unix.SYS_IOPRIO_SET, "= 0")}, []string{call(unix.SYS_IOPRIO_GET, "= 16390")}},
		{SetTimerSlack{NSec: 77}, []string{call(unix.SYS_PRCTL, "= 0")}, []string{call(unix.SYS_PRCTL, "= 77")}},
		{SetTimerSlack{}, []string{call(unix.SYS_PRCTL, "= 0")}, []string{call(unix.SYS_PRCTL, ">= 1")}},
		{SetPersonality{Value: 8}, []string{call(unix.SYS_PERSONALITY, ">= 0")}, []string{call(unix.SYS_PERSONALITY, "= 8")}},
		{SetKSM{On: true}, []string{call(unix.SYS_PRCTL, "= 0")}, []string{call(unix.SYS_PRCTL, "= 1")}},
		{SetTHP{THPMadvise}, []string{call(unix.SYS_PRCTL, "= 0")}, []string{call(unix.SYS_PRCTL, "= 3")}},
		{&WriteProc{Text: "5", Expect: "5\n"}, []string{call(unix.SYS_WRITE, "= 1")}, []string{"poison", call(unix.SYS_PREAD64, ">= 2"), "same"}},
		{&SetKeyring{Mode: KeyringPrivate, before: 9}, []string{call(unix.SYS_KEYCTL, ">= 1")}, []string{call(unix.SYS_KEYCTL, "!= 9"), "poison", call(unix.SYS_KEYCTL, ">= 12"), "same"}},
		{&SetKeyring{Mode: KeyringShared, before: 9}, []string{call(unix.SYS_KEYCTL, ">= 1"), call(unix.SYS_KEYCTL, "= 0")}, []string{call(unix.SYS_KEYCTL, "!= 9"), "poison", call(unix.SYS_KEYCTL, ">= 12"), "same"}},
		{&ChangeDir{Path: "/d", identity: &row.Identity{Ino: 1, Mount: 2}}, []string{call(unix.SYS_CHDIR, "= 0")}, []string{"poison", call(unix.SYS_GETCWD, ">= 2"), "same", "poison", call(unix.SYS_STATX, "= 0"), "same", "same", "same"}},
		{&ChangeDir{Path: "/d"}, []string{call(unix.SYS_CHDIR, "= 0")}, []string{"poison", call(unix.SYS_GETCWD, ">= 2"), "same"}},
		{&ChangeDir{Path: "/d", missing: true}, nil, nil},
		{SetSignals{Ignored: 1 << 12, Blocked: 2}, []string{"signals", call(unix.SYS_RT_SIGPROCMASK, "= 0")}, []string{"poison", call(unix.SYS_RT_SIGPROCMASK, "= 0"), "same", "line SigBlk:\t0000000000000002\n", "line SigIgn:\t0000000000001000\n", "line SigCgt:\t0000000000000000\n"}},
		{CloseStandard{1}, []string{call(unix.SYS_CLOSE, "= 0")}, []string{call(unix.SYS_FCNTL, "= -9")}},
		{KeepStandard{FD: 1, Dev: 2, Ino: 3}, nil, []string{"poison", call(unix.SYS_FSTAT, "= 0"), "same"}},
	} {
		if got := dump(tt.step.Do, false); !slices.Equal(got, tt.do) {
			t.Errorf("%T %v, Do: %s; want %s", tt.step, tt.step, strings.Join(got, "; "), strings.Join(tt.do, "; "))
		}
		if got := dump(tt.step.Check, true); !slices.Equal(got, tt.check) {
			t.Errorf("%T %v, Check: %s; want %s", tt.step, tt.step, strings.Join(got, "; "), strings.Join(tt.check, "; "))
		}
	}
	// Every descriptor that was open is asked for, the kept ones to stay.
	c := &CloseDescriptors{Keep: []int{5}, open: []int{3, 5, 9}}
	want := []string{call(unix.SYS_FCNTL, "= 1"), call(unix.SYS_FCNTL, "= 0"), call(unix.SYS_FCNTL, "= 1")}
	if got := dump(c.Check, true); !slices.Equal(got, want) {
		t.Errorf("CloseDescriptors: %s", strings.Join(got, "; "))
	}
}

// What is open is found by number and by listing alike, and is marked.
func TestCloseDescriptors(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) }()
	self, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(self) }()
	for _, table := range []int{0, 128} {
		c := &CloseDescriptors{Keep: []int{p[1]}, Table: table}
		if err := c.look(self); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(c.open, p[0]) || !slices.Contains(c.open, p[1]) || slices.Contains(c.open, 100) {
			t.Errorf("table %d: open are %v, and %v among them", table, c.open, p)
		}
	}
	if err := (&CloseDescriptors{Keep: []int{p[1]}}).Apply(self); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{unix.FD_CLOEXEC, 0} {
		if got, err := unix.FcntlInt(uintptr(p[i]), unix.F_GETFD, 0); err != nil || got != want {
			t.Errorf("descriptor %d: %d, %v, want %d", p[i], got, err, want)
		}
	}
}

// What is behind a magic link is no working directory (CVE-2024-21626), and a
// missing one passes only where "-" says so.
func TestChangeDirLooksUp(t *testing.T) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, tt := range []struct {
		path     string
		tolerate bool
		ok       bool
	}{
		{"/", false, true},
		{"/no/such/directory", false, false},
		{"/no/such/directory", true, true},
		{"/etc/passwd", true, false},
		{"/proc/self/fd/" + strconv.Itoa(fd), false, false},
		{"/proc/self/fd/" + strconv.Itoa(fd), true, false},
		{"/proc/self/root", false, false},
	} {
		s := &ChangeDir{Path: tt.path, Tolerate: tt.tolerate}
		if err := s.Apply(-1); (err == nil) != tt.ok {
			t.Errorf("%s, tolerant %v: %v", tt.path, tt.tolerate, err)
		}
	}
	for path, want := range map[string]string{
		"/etc/passwd":       "openat2 /etc/passwd: not a directory",
		"/proc/self/root":   "openat2 /proc/self/root: symbolic links that loop, or lead through a descriptor",
		"/no/such/place":    "openat2 /no/such/place: no such file or directory",
		"/proc/self/fd/1/x": "openat2 /proc/self/fd/1/x: symbolic links that loop, or lead through a descriptor",
	} {
		if err := (&ChangeDir{Path: path}).Apply(-1); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// The data of a stream is read from its beginning, whole, and cannot be changed.
func TestStreamOfData(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 20000)
	fd, err := sealed("data", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	var got strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got.Write(buf[:n])
	}
	if got.String() != data {
		t.Errorf("%d bytes were read, of %d", got.Len(), len(data))
	}
	if _, err := unix.Pwrite(fd, []byte("x"), 0); err != unix.EPERM {
		t.Errorf("it can be written to: %v", err)
	}
	if err := unix.Ftruncate(fd, 1); err != unix.EPERM {
		t.Errorf("it can be cut: %v", err)
	}
	if err := unix.Ftruncate(fd, 1<<20); err != unix.EPERM {
		t.Errorf("it can be made longer: %v", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); err != unix.EPERM {
		t.Errorf("its seals can be changed: %v", err)
	}
}

// /dev/null is what its number says, not its name (CVE-2025-31133); a file that
// others could have put there is not followed.
func TestStreamsAreWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Symlink("/etc/passwd", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		step OpenStream
		ok   bool
	}{
		{OpenStream{Path: "/dev/null", Null: true, Dup: -1}, true},
		{OpenStream{Path: "/dev/zero", Null: true, Dup: -1}, false},
		{OpenStream{Path: "/etc/passwd", Null: true, Dup: -1}, false},
		{OpenStream{Path: dir + "/new", Flags: unix.O_WRONLY | unix.O_CREAT, Mode: 0o600, Dup: -1}, true},
		{OpenStream{Path: dir + "/link", Flags: unix.O_WRONLY | unix.O_CREAT, Mode: 0o600, Dup: -1}, false},
		{OpenStream{Path: "/proc/self/fd/0", Dup: -1}, false},
		{OpenStream{Data: []byte("text"), Dup: -1}, true},
	} {
		err := tt.step.Prepare(-1)
		if (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.step, err)
		}
		if err == nil {
			if fd := tt.step.opened; fd < high {
				t.Errorf("%+v: descriptor %d", tt.step, fd)
			}
			_ = unix.Close(tt.step.opened)
		}
	}
}

// A dup3(2) that was not made, or that left the descriptor to be closed by
// execve(2), is found.
func TestStreamIsReadBack(t *testing.T) {
	place, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(place) }()
	s := &OpenStream{FD: place, Path: "/dev/null", Null: true, Dup: -1}
	if err := s.Prepare(-1); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(s.opened) }()
	if err := s.Verify(); err == nil {
		t.Error("/dev/zero was taken for /dev/null")
	}
	if err := s.Apply(-1); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
	unix.CloseOnExec(place)
	if err := s.Verify(); err == nil {
		t.Error("a descriptor that execve closes was taken for one that stays")
	}
	// A duplicate is compared with what it duplicates.
	d := &OpenStream{FD: place, Dup: s.opened}
	if err := d.Prepare(-1); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(-1); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
	if err := (&OpenStream{FD: place, Dup: 1 << 20, opened: 1 << 20}).Verify(); err == nil {
		t.Error("a duplicate of nothing was taken for one")
	}
}
