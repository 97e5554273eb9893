package process

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// inOwnTable runs act on a thread that has a table of descriptors of its own, with 0 to 2.
func inOwnTable(t *testing.T, act func() error) {
	t.Helper()
	done := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() { // the first thread does not end, and stands for the process
			next := make(chan bool)
			go func() { defer close(next); run() }()
			<-next
			runtime.UnlockOSThread()
			return
		}
		// Never unlocked: the table ends with the thread.
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			err = unix.CloseRange(3, ^uint(0)>>1, 0)
		}
		if err == nil {
			err = act()
		}
		done <- err
	}
	go run()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// fileAt puts a new file of its own at a number.
func fileAt(t *testing.T, fd, flags int) (ino uint64) {
	t.Helper()
	f, err := unix.MemfdCreate("x", 0)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(f, &st); err != nil {
		t.Fatal(err)
	}
	if f != fd {
		if err := errors.Join(unix.Dup3(f, fd, 0), unix.Close(f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func inodeOf(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// Whatever stands where, each comes to its place, in order, and stays open.
func TestPassDescriptors(t *testing.T) {
	for _, from := range [][]int{{3}, {4, 3}, {5, 4, 3}, {7, 5}, {3, 9, 4, 20, 12, 11, 10, 13, 14, 15, 16, 17}, {8, 8}} {
		inOwnTable(t, func() error {
			var want []uint64
			for _, fd := range from {
				ino := inodeOf(fd)
				if ino == 0 {
					ino = fileAt(t, fd, 0)
				}
				want = append(want, ino)
			}
			s := &PassDescriptors{From: from, Modes: make([]Blocking, len(from))}
			for i := range s.Modes {
				s.Modes[i] = []Blocking{NonBlocking, Blocks, AsPassed}[i%3]
			}
			if from[0] == 8 { // one open file description has one O_NONBLOCK
				s.Modes = []Blocking{NonBlocking, AsPassed}
			}
			if err := ReserveDescriptors(len(from), from...); err != nil {
				return err
			}
			later, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			if later < FirstPassed+len(from) {
				t.Errorf("%v: what is opened later is at %d", from, later)
			}
			if err := s.Prepare(-1); err != nil {
				return err
			}
			if err := s.Apply(-1); err != nil {
				return err
			}
			if err := s.Verify(); err != nil {
				return err
			}
			for i, ino := range want {
				fd := FirstPassed + i
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
				if inodeOf(fd) != ino || err != nil || (flags&unix.O_NONBLOCK != 0) != (s.Modes[i] == NonBlocking || from[0] == 8) {
					t.Errorf("%v: %d is %d with flags %x, want %d: %v", from, fd, inodeOf(fd), flags, ino, err)
				}
				if kept, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || kept != 0 {
					t.Errorf("%v: %d is closed by execve: %v", from, fd, err)
				}
			}
			if later := inodeOf(later); later == 0 {
				t.Errorf("%v: what was opened later is gone", from)
			}
			// Another file at the place, or one that is closed by execve, is found.
			fileAt(t, FirstPassed, 0)
			if err := s.Verify(); err == nil {
				t.Errorf("%v: another file was taken for it", from)
			}
			return nil
		})
	}
}

// What hardrun has opened there is not passed over in silence, and what is gone by then is
// no matter.
func TestReserveDescriptors(t *testing.T) {
	inOwnTable(t, func() error {
		fileAt(t, 4, unix.FD_CLOEXEC)
		if err := ReserveDescriptors(3); err == nil || !strings.Contains(err.Error(), "descriptor 4 is hardrun's own") {
			t.Errorf("%v", err)
		}
		if err := ReserveDescriptors(3, 4); err != nil {
			return err
		}
		if err := ReserveDescriptors(3, 4); err != nil { // once more
			return err
		}
		var closed []int
		for fd := 3; fd < 12; fd++ {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
				closed = append(closed, fd)
			}
		}
		if !slices.Equal(closed, []int{6, 7, 8, 9, 10, 11}) {
			t.Errorf("closed are %v", closed)
		}
		return nil
	})
	inOwnTable(t, func() error { // a standard stream that is closed stays so
		if err := errors.Join(unix.Close(0), ReserveDescriptors(2)); err != nil {
			return err
		}
		for fd, want := range map[int]error{0: unix.EBADF, 3: nil, 4: nil, 5: unix.EBADF} {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != want && !errors.Is(err, want) {
				t.Errorf("%d: %v, want %v", fd, err, want)
			}
		}
		return nil
	})
	s := &PassDescriptors{From: []int{-1}, Modes: make([]Blocking, 1)}
	if err := s.Prepare(-1); err == nil {
		t.Error("a descriptor that is none was taken")
	}
}

func TestPassDescriptorsRows(t *testing.T) {
	inOwnTable(t, func() error {
		fileAt(t, 3, 0)
		s := &PassDescriptors{From: []int{3}, Modes: []Blocking{NonBlocking}}
		if err := errors.Join(s.Prepare(-1), s.Apply(-1)); err != nil {
			return err
		}
		p := &row.Program{}
		p.ReadOnly(false)
		s.Check(p)
		if got := strings.Join(p.Dump(), "; "); !strings.Contains(got, "same; 72 = ") && runtime.GOARCH == "amd64" {
			t.Errorf("rows: %s", got)
		}
		return nil
	})
	s := &PassDescriptors{From: []int{3, 4}}
	if s.String() != "pass 2 as 3 to 4" || (&PassDescriptors{From: []int{9}}).String() != "pass 1 as 3" {
		t.Errorf("%q", s)
	}
}
