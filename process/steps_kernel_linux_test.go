package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// kernelMask is the size of the kernel's mask of CPUs in bytes, sched_getaffinity(2).
func kernelMask(t *testing.T) int {
	t.Helper()
	var mask [1024]byte
	n, _, err := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask)))
	if err != 0 {
		t.Fatal(err)
	}
	return int(n)
}

// Each step, worked off on a thread, leaves it so that its read-back agrees, and that of every other step of its kind does
// not: what is wanted is told from its neighbours.
func TestOnTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: real-time policies, and nice levels below 0")
	}
	mask := kernelMask(t)
	here := make(CPUSet, 1) // one CPU that this process may use
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for n := range 64 {
		if set.IsSet(n) {
			here[0] = 1 << n
			break
		}
	}
	for _, kind := range [][]step{
		{SetUMask{0o27}, SetUMask{0o77}, SetUMask{0}},
		{SetNice{-5}, SetNice{7}, SetNice{0}, SetNice{19}, SetNice{-20}},
		{
			SetScheduler{Policy: SchedFIFO, Priority: 3, ResetOnFork: true},
			SetScheduler{Policy: SchedFIFO, Priority: 3},
			SetScheduler{Policy: SchedFIFO, Priority: 4},
			SetScheduler{Policy: SchedRR, Priority: 3},
			SetScheduler{Policy: SchedBatch},
			SetScheduler{Policy: SchedBatch, ResetOnFork: true},
			SetScheduler{Policy: SchedOther},
		},
		{SetAffinity{CPUs: here, Bytes: mask}},
		{SetIOPriority{Class: IOBestEffort, Priority: 6}, SetIOPriority{Class: IOBestEffort}, SetIOPriority{Class: IORealtime, Priority: 6}},
		{SetTimerSlack{NSec: 77}, SetTimerSlack{NSec: 78}},
		{SetPersonality{Value: 8}, SetPersonality{Value: 0}},
		{SetTHP{THPMadvise}, SetTHP{THPDisable}, SetTHP{THPSystem}},
	} {
		for i, s := range kind {
			err := testrow.OnThread(func() error {
				p := &row.Program{FullStatus: true}
				s.Do(p)
				s.Check(p)
				p.ReadOnly(true)
				s.Check(p)
				if err := testrow.Work(p, nil); err != nil {
					return err
				}
				for j, other := range kind {
					p := &row.Program{FullStatus: true}
					other.Check(p)
					if err := testrow.Work(p, nil); (err == nil) != (i == j) {
						return fmt.Errorf("read back as %v: %w", other, err)
					}
					if _, mask := s.(SetUMask); mask && i != j { // its getter is its setter
						p := &row.Program{}
						s.Do(p)
						if err := testrow.Work(p, nil); err != nil {
							return err
						}
					}
				}
				return nil
			})
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
				t.Logf("%T %v: this kernel has it not: %v", s, s, err)
			} else if err != nil {
				t.Errorf("%T %v: %v", s, s, err)
			}
		}
	}
}

// A getter that says it has read and has not is found.
func TestLyingGetters(t *testing.T) {
	for _, s := range []step{
		SetLimit{N: 7},
		SetScheduler{},
		SetScheduler{ResetOnFork: true},
		SetAffinity{CPUs: CPUSet{0}, Bytes: 128},
		SetNUMA{},
		SetNUMA{Nodes: CPUSet{0}},
		SetSignals{},
		KeepStandard{},
		&WriteProc{Expect: "5\n"}, &SetKeyring{before: 9},
	} {
		p := &row.Program{}
		s.Check(p)
		if err := testrow.OnThread(func() error { return testrow.Work(p, func(int) bool { return true }) }); err == nil {
			t.Errorf("%T %v: answers of calls that were not made were taken", s, s)
		}
	}
}

// A memory policy is set and read back for as many nodes as there are words in its set, and the last of them is told to the
// kernel: set_mempolicy(2) takes one more than it looks at.
func TestNUMAOnTheKernel(t *testing.T) {
	s := SetNUMA{Policy: NUMABind, Nodes: CPUSet{1}}
	err := testrow.OnThread(func() error {
		for _, s := range []SetNUMA{s, {Policy: NUMALocal}, {Policy: NUMAInterleave, Nodes: CPUSet{1}}, {Policy: NUMADefault}} {
			p := &row.Program{}
			s.Do(p)
			s.Check(p)
			if err := testrow.Work(p, nil); err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
		}
		p := &row.Program{}
		s.Check(p)
		if testrow.Work(p, nil) == nil {
			return errors.New("the default policy was taken for " + s.String())
		}
		return nil
	})
	if errors.Is(err, unix.ENOSYS) {
		t.Log("this kernel has no memory policies")
	} else if err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		nodes CPUSet
		want  uint64
	}{{CPUSet{1 << 63}, 65}, {CPUSet{1, 1 << 63}, 129}} {
		p := &row.Program{}
		SetNUMA{Policy: NUMABind, Nodes: tt.nodes}.Do(p)
		if got := p.Rows[0].A[2]; got != tt.want {
			t.Errorf("%d words are %d nodes, want %d", len(tt.nodes), got, tt.want)
		}
	}
	p := &row.Program{}
	s.Check(p)
	for i := range p.Rows {
		if r := &p.Rows[i]; r.Kind == row.Equal && r.A[2] < 1024 { // CONFIG_NODES_SHIFT is at most 10
			t.Errorf("the read-back has room for %d nodes, and a kernel may have 1024", r.A[2])
		}
	}
}

// What is open is what the kernel says is open, from 3 on, whichever way is taken, wherever the last one is.
func TestLookIsComplete(t *testing.T) {
	self, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(self) }()
	for _, tt := range []struct {
		far, table, self int
	}{
		{127, 0, self},
		{127, 128, self},
		{127, 256, self},
		{127, 128, -1},
		{127, 129, -1},
		{127, 0, -1},
		{300, 0, self},
		{300, 512, self},
		{300, 0, -1},
		{4095, 0, -1},
		{4095, 4096, -1},
		{4100, 0, self},
		{4100, 8192, self},
		{4100, 8192, -1},
	} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur <= uint64(tt.far) {
			t.Logf("the limit of descriptors is %d: %d is not tried", limit.Cur, tt.far)
			continue
		}
		if err := unix.Dup3(self, tt.far, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		var want []int
		for fd := 3; fd <= tt.far; fd++ {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
				want = append(want, fd)
			}
		}
		c := &CloseDescriptors{Table: tt.table}
		err := c.look(tt.self)
		_ = unix.Close(tt.far)
		slices.Sort(c.open)
		c.open = slices.DeleteFunc(c.open, func(fd int) bool { return fd > tt.far }) // inherited by the test
		if err != nil || !slices.Equal(c.open, want) {
			t.Errorf("%+v: open are %v, %v; want %v", tt, c.open, err, want)
		}
	}
}

// A kernel without close_range(2), or without its flag, is one where each descriptor is marked by itself; any other refusal
// ends the launch, as does one that leaves what is open unknown.
func TestCloseDescriptorsRefused(t *testing.T) {
	for _, tt := range []struct {
		nr    uintptr
		errno unix.Errno
		want  string
	}{
		{unix.SYS_CLOSE_RANGE, unix.ENOSYS, ""},
		{unix.SYS_CLOSE_RANGE, unix.EINVAL, ""},
		{unix.SYS_CLOSE_RANGE, unix.EPERM, "close_range: operation not permitted"},
		{unix.SYS_FCNTL, unix.EPERM, "fcntl(F_GETFD): operation not permitted"},
		{unix.SYS_FCNTL, unix.EBADF, ""},
	} {
		var p [2]int
		if err := unix.Pipe2(p[:], 0); err != nil {
			t.Fatal(err)
		}
		c := &CloseDescriptors{Keep: []int{p[1]}, Table: 100}
		got := ""
		err := testrow.OnThread(func() error {
			if err := testrow.Answer(tt.nr, tt.errno); err != nil {
				return err
			}
			if err := c.Apply(-1); err != nil {
				got = err.Error()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got != tt.want {
			t.Errorf("%d answers %v: %q, want %q", tt.nr, tt.errno, got, tt.want)
		}
		if tt.nr == unix.SYS_CLOSE_RANGE && tt.want == "" {
			for i, want := range []int{unix.FD_CLOEXEC, 0} {
				if got, err := unix.FcntlInt(uintptr(p[i]), unix.F_GETFD, 0); err != nil || got != want {
					t.Errorf("close_range answers %v: descriptor %d of the pipe has %d, %v, want %d", tt.errno, i, got, err, want)
				}
			}
		}
		_, _ = unix.Close(p[0]), unix.Close(p[1])
	}
}
