package dirs

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// One of many is the last, and no more than one.
func TestUse(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	r := Root{root}
	old := unix.Umask(0o777)
	a, err := r.Use("/run/a")
	unix.Umask(old)
	tryAll(t, err)
	looks(t, root+"/run/hardrun", "use d 0700 0:0", "use/"+a.name+" f 0000 0:0")
	if a.fd < 32 {
		t.Errorf("descriptor %d is in the way of those that are passed on", a.fd)
	}
	b, err := r.Use("/run/a")
	tryAll(t, err)
	other, err := r.Use("/run/b")
	tryAll(t, err)
	last, err := a.Last()
	if tryAll(t, err, a.Release(last)); last {
		t.Error("the first of two was the last")
	}
	if last, err = b.Last(); err != nil || !last {
		t.Fatalf("the second of two: %v, %v", last, err)
	}
	// Who comes now waits, and has a share in what is new.
	got := make(chan *Use)
	go func() {
		u, err := r.Use("/run/a")
		if err != nil {
			t.Error(err)
		}
		got <- u
	}()
	for range 20 {
		select {
		case <-got:
			t.Fatal("a share while it is removed")
		default:
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
	}
	tryAll(t, b.Release(true))
	u := <-got
	last, err = u.Last()
	if tryAll(t, err, u.Release(last)); !last {
		t.Error("not the last")
	}
	last, err = other.Last()
	if tryAll(t, err, other.Release(last)); !last {
		t.Error("another key is shared")
	}
	looks(t, root+"/run/hardrun", "use d 0700 0:0")

	putDir(t, root+"/run/hardrun/use/"+a.name, 0o700, 0, 0)
	_, err = r.Use("/run/a")
	fails(t, err, "is a directory")
	tryAll(t, os.Remove(root+"/run/hardrun/use/"+a.name))
	put(t, root+"/run/hardrun/use/"+a.name, 0o666, 0, 0)
	_, err = r.Use("/run/a")
	fails(t, err, "is not root's own file")
}

// A directory that all make and the last one removes is there for as long as one needs it.
func TestUseConcurrent(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	r := Root{root}
	list := []Directory{{Directive: "RuntimeDirectory", Base: "/run", Name: "x", Mode: 0o755, UID: 0, GID: 0}}
	var removed atomic.Int32
	var all sync.WaitGroup
	for i := range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 500 {
				u, err := r.Use("/run/x")
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := Make(r, list); err != nil {
					t.Error(err)
				}
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e5}, nil)
				var st unix.Stat_t
				if err := unix.Stat(root+"/run/x", &st); err != nil {
					t.Errorf("it is gone: %v", err)
				}
				last, err := u.Last()
				if err != nil {
					t.Error(err)
				}
				if last {
					removed.Add(1)
					for _, err := range Remove(r, list) {
						t.Error(err)
					}
				}
				if err := u.Release(last); err != nil {
					t.Error(err)
				}
				_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(i) * 1e5}, nil)
			}
		}()
	}
	all.Wait()
	if _, err := os.Stat(root + "/run/x"); !os.IsNotExist(err) {
		t.Error("it is left")
	}
	t.Logf("%d starts, removed %d times", 3*500, removed.Load())
}
