package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says demands an error with a text in it; "" is none.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); want == "" && err != nil || want != "" && err == nil || !strings.Contains(got, want) && want != "" {
		t.Errorf("%v, want %q", err, want)
	}
}

// calls are system calls that answer an error, or 0 without having done anything.
type calls map[uintptr]unix.Errno

// first is a system call with this first argument, which is not 0.
func first(call, argument uintptr) uintptr { return call | argument<<16 }

// on runs a function on a thread of its own, which ends with it, and on which the calls
// answer that.
func (c calls) on(t *testing.T, f func() error) error {
	t.Helper()
	var list []testrow.Answered
	for call, e := range c {
		a := testrow.Answered{NR: call & 0xffff, Errno: e}
		if argument := call >> 16; argument != 0 {
			a.Argument, a.Value = 1, uint32(argument)
		}
		list = append(list, a)
	}
	return testrow.OnThread(func() error {
		if err := testrow.AnswerAll(list...); err != nil {
			return err
		}
		return f()
	})
}

// asNobody runs a function as a user who owns nothing.
func asNobody(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	return testrow.OnThread(func() error {
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); e != 0 {
			return e
		}
		return f()
	})
}

// closes runs a function that must leave as many descriptors open as there were.
func closes(t *testing.T, f func()) {
	t.Helper()
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		noError(t, err)
		return len(list)
	}
	before := open()
	f()
	if after := open(); after != before {
		t.Errorf("%d descriptors are open, there were %d", after, before)
	}
}

// withoutInput runs a function while descriptor 0 is free.
func withoutInput(t *testing.T, f func()) {
	t.Helper()
	kept, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	noError(t, err)
	noError(t, unix.Close(0))
	f()
	noError(t, errors.Join(unix.Dup3(kept, 0, 0), unix.Close(kept)))
}

// filesDir is a directory with files in the place of a group: what is read and written there
// is the same.
func filesDir(t *testing.T, files map[string]string) (fd int, path string) {
	t.Helper()
	path = t.TempDir()
	for name, text := range files {
		noError(t, os.WriteFile(filepath.Join(path, name), []byte(text), 0o644))
	}
	return openDir(t, path), path
}

func openDir(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	noError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) }) // who removes a group closes it
	return fd
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	noError(t, err)
	return string(text)
}

// unified is cgroup2 as the process sees it, and a group for the test: its directory, and
// its path below the mount.
func unified(t *testing.T) (tree Tree, dir, path string) {
	t.Helper()
	dir = group(t).Name()
	t.Cleanup(func() { emptyGroup(t, dir) })
	for _, tree := range Trees(fileText(t, "/proc/self/cgroup"), fileText(t, "/proc/self/mountinfo")) {
		if path, ok := strings.CutPrefix(dir, tree.Mount+"/"); ok && tree.Unified {
			return tree, dir, "/" + path
		}
	}
	t.Skip("the own group is not below the mount")
	return tree, "", ""
}

// emptyGroup removes the groups below one. Who was in them leaves a little later than it ends.
func emptyGroup(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	noError(t, err)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		emptyGroup(t, path)
		for range 100 {
			if err = unix.Rmdir(path); err != unix.EBUSY {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// occupy starts a process in a group, which is there until the test ends.
func occupy(t *testing.T, dir string) (pid string) {
	t.Helper()
	cmd := exec.Command("/bin/cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: openDir(t, dir)}
	in, err := cmd.StdinPipe()
	noError(t, err)
	noError(t, cmd.Start())
	t.Cleanup(func() { noError(t, errors.Join(in.Close(), cmd.Wait())) })
	return strconv.Itoa(cmd.Process.Pid)
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	noError(t, unix.Stat(path, &st))
	return st.Ino
}

// makes prepares and makes a group, and shows it.
func makes(h *Home) error {
	for _, f := range []func() error{
		func() error { return Make{h}.Prepare(-1) }, func() error { return Make{h}.Apply(-1) }, Make{h}.Verify,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// letGo lets others have a group, as the end of the process does.
func letGo(t *testing.T, h *Home) {
	t.Helper()
	noError(t, errors.Join(unix.Close(h.FD), unix.Close(h.parent)))
}

// A hierarchy is taken only for what it is: that file system, at that mount.
func TestReach(t *testing.T) {
	tree, dir, path := unified(t)
	v1, other, gone, plain, below := tree, tree, tree, tree, tree
	v1.Unified = false
	other.ID++
	gone.Mount = "/does-not-exist"
	plain.Mount = t.TempDir()
	below.Mount = dir
	for _, tt := range []struct {
		name string
		tree Tree
		want string
	}{
		{"itself", tree, ""},
		{"a group of it", below, ""},
		{"v1", v1, "fstatfs " + tree.Mount + ": no file system of control groups is there"},
		{"another mount", other, "fstatfs " + tree.Mount + ": another mount covers it"},
		{"no directory", gone, "open /does-not-exist: no such file or directory"},
		{"a directory", plain, "fstatfs " + plain.Mount + ": no file system of control groups is there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			closes(t, func() { says(t, tt.tree.Reach(), tt.want) })
			h := NewHome(tt.tree, path+"/web", true)
			says(t, h.Access(), tt.want)
			says(t, Make{h}.Prepare(-1), tt.want)
			if tt.want != "" {
				says(t, Make{h}.Apply(-1), tt.want)
				says(t, Enable{Home: h}.Apply(-1), tt.want)
				_, err := tt.tree.Open("/")
				says(t, err, tt.want)
			} else if h.parent >= 0 {
				noError(t, unix.Close(h.parent))
			}
		})
	}
	says(t, calls{unix.SYS_FSTATFS: unix.EIO}.on(t, tree.Reach), "input/output error")
	for _, e := range []unix.Errno{0, unix.ENOSYS} { // nobody tells the number of the mount
		says(t, calls{unix.SYS_STATX: e}.on(t, tree.Reach), "")
	}
	if err := closed(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("closing nothing: %v", err)
	}
}

// Groups can be made where the nearest group on the way can be written to.
func TestAccess(t *testing.T) {
	tree, dir, path := unified(t)
	for below, want := range map[string]string{
		"/web":                  "",
		"/not/yet/there":        "",
		"/cgroup.procs/web":     "access " + dir + "/cgroup.procs: permission denied",
		"/cgroup.procs/not/web": "access " + dir + "/cgroup.procs/not: not a directory",
	} {
		h := NewHome(tree, path+below, false)
		closes(t, func() { says(t, h.Access(), want) })
	}
	says(t, NewHome(tree, "/hardrun-test", false).Access(), "")
	// Others can look into the group, and not write.
	says(t, asNobody(t, NewHome(tree, path+"/web", false).Access), "access "+dir+": permission denied")
}

// What is opened below a group is there: behind no link, on no other mount.
func TestOpenAt(t *testing.T) {
	fd, dir := filesDir(t, map[string]string{"file": "text"})
	noError(t, errors.Join(os.Mkdir(dir+"/below", 0o755), os.Symlink("file", dir+"/link"), os.Symlink("below", dir+"/deep"), os.WriteFile(dir+"/below/inner", nil, 0o644)))
	root := openDir(t, "/")
	for _, tt := range []struct {
		dir       int
		path      string
		now, then unix.Errno // then: on Linux before 5.6
	}{
		{fd, "file", 0, 0},
		{fd, "below/inner", 0, 0},
		{fd, "link", unix.ELOOP, unix.ELOOP},
		{fd, "deep/inner", unix.ELOOP, 0},
		{fd, "../" + filepath.Base(dir) + "/file", unix.EXDEV, 0},
		{root, "proc/version", unix.EXDEV, 0},
		{fd, "none", unix.ENOENT, unix.ENOENT},
	} {
		try := func() error {
			_, err := openAt(tt.dir, tt.path, unix.O_RDONLY)
			return err
		}
		if err := try(); !isErrno(err, tt.now) {
			t.Errorf("%s: %v, want %v", tt.path, err, tt.now)
		}
		if err := (calls{unix.SYS_OPENAT2: unix.ENOSYS}).on(t, try); !isErrno(err, tt.then) {
			t.Errorf("%s by openat: %v, want %v", tt.path, err, tt.then)
		}
	}
}

func isErrno(err error, e unix.Errno) bool {
	return e == 0 && err == nil || e != 0 && errors.Is(err, e)
}

// Files are read to their end, and written by one call.
func TestReadWrite(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 1000)
	fd, dir := filesDir(t, map[string]string{"long": long, "file": "before"})
	noError(t, errors.Join(os.Mkdir(dir+"/below", 0o755), os.Symlink("/dev/full", dir+"/full")))
	for file, want := range map[string]string{"long": "", "none": "open none: no such file", "below": "read below: is a directory"} {
		closes(t, func() {
			text, err := read(fd, file)
			says(t, err, want)
			if want == "" && text != long {
				t.Errorf("%s: %d bytes", file, len(text))
			}
		})
	}
	closes(t, func() { says(t, write(fd, "file", "now"), "") })
	if got := fileText(t, dir+"/file"); got != "nowore" {
		t.Errorf("written %q", got)
	}
	says(t, write(fd, "none", "x"), "open none: no such file")
	full := openDir(t, "/dev")
	says(t, write(full, "full", "x"), "write full: no space left on device")
	// A part of it is not enough.
	var pipe [2]int
	noError(t, unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	says(t, writeTo(pipe[1], "pipe", strings.Repeat("x", 1<<20)), "write pipe: input/output error")
	noError(t, errors.Join(unix.Close(pipe[0]), unix.Close(pipe[1])))
}

// A group is made with all that is missing on the way, marked, and held. Nothing is changed
// before.
func TestMake(t *testing.T) {
	tree, dir, path := unified(t)
	h := NewHome(tree, path+"/on/the/way/web", false)
	closes(t, func() { noError(t, Make{h}.Prepare(-1)) })
	if _, err := os.Stat(dir + "/on"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there before it is made: %v", err)
	}
	says(t, Make{h}.Verify(), "bad file descriptor")
	closes(t, func() {
		noError(t, errors.Join(Make{h}.Apply(-1), Make{h}.Verify()))
		var st unix.Stat_t
		noError(t, unix.Stat(dir+"/on/the/way/web", &st))
		if st.Mode != unix.S_IFDIR|freshMode {
			t.Errorf("its mode is %o", st.Mode)
		}
		if !marked(h.FD) {
			t.Error("it is not marked")
		}
		letGo(t, h)
	})
	// The way is there now, and the name is somebody else's while it is held.
	var held []*Home
	for _, want := range []string{"web", "web-2", "web-3"} {
		h := NewHome(tree, path+"/on/the/way/web", false)
		noError(t, makes(h))
		if h.Path != path+"/on/the/way/"+want {
			t.Errorf("%s, want %s", h.Path, want)
		}
		held = append(held, h)
	}
	fixed := NewHome(tree, path+"/on/the/way/web", true)
	closes(t, func() {
		says(t, makes(fixed), "another start has it")
		noError(t, unix.Close(fixed.parent))
	})
	above, own, name := held[1].Kept()
	if name != "web-2" || above != held[1].parent || own != held[1].FD {
		t.Errorf("kept are %d, %d and %s", above, own, name)
	}
	// Who has removed it cannot show it.
	noError(t, unix.Rmdir(dir+"/on/the/way/web-2"))
	says(t, Make{held[1]}.Verify(), "mkdir: read back another directory")
	noError(t, os.Mkdir(dir+"/on/the/way/web-2", 0o755))
	says(t, Make{held[1]}.Verify(), "mkdir: read back another directory")
	for _, h := range held {
		letGo(t, h)
	}
}

// What stands in the way of the way.
func TestMakeNoWay(t *testing.T) {
	tree, dir, path := unified(t)
	h := NewHome(tree, path+"/cgroup.procs/web", true)
	closes(t, func() {
		says(t, Make{h}.Prepare(-1), "open "+dir+"/cgroup.procs: not a directory")
		says(t, Make{h}.way(), "open cgroup.procs: not a directory")
	})
	h = NewHome(tree, path+"/a\nb/web", true)
	closes(t, func() { says(t, makes(h), "mkdir a\nb: invalid argument") })
	for name, want := range map[string]string{"a\nb": "mkdirat: invalid argument", "cgroup.procs": "open cgroup.procs: not a directory"} {
		h := NewHome(tree, path+"/"+name, true)
		closes(t, func() {
			says(t, makes(h), want)
			noError(t, unix.Close(h.parent))
		})
	}
}

// A group of that name is made anew only where it is of an earlier start, and nobody is left.
func TestMakeAnew(t *testing.T) {
	const foreign = "it is there already, and is not hardrun's: give one below it, or remove it"
	tree, dir, path := unified(t)
	web := dir + "/web"
	chmod := func(mode uint32) func(*testing.T) string {
		return func(t *testing.T) string {
			noError(t, unix.Chmod(web, mode))
			return ""
		}
	}
	put := func(t *testing.T, name string) {
		t.Helper()
		if err := unix.Setxattr(web, name, []byte("1"), 0); err != nil {
			t.Skip("setxattr: ", err)
		}
	}
	for _, tt := range []struct {
		name  string
		there func(t *testing.T) (pid string)
		want  string
	}{
		{"another's", chmod(0o755), foreign},
		{"another's, others may list it", chmod(unix.S_ISVTX | 0o755), foreign},
		{"another's, not sticky", chmod(0o711), foreign},
		{"not marked yet", chmod(freshMode), ""},
		{"marked", func(t *testing.T) string { put(t, mark); return "" }, ""},
		{"marked before Linux 5.7", func(t *testing.T) string { put(t, oldMark); return "" }, ""},
		{"with groups", func(t *testing.T) string {
			put(t, mark)
			noError(t, os.MkdirAll(web+"/a/b/c", 0o755))
			return ""
		}, ""},
		{"held", func(t *testing.T) string {
			put(t, mark)
			noError(t, unix.Flock(openDir(t, web), unix.LOCK_EX))
			return ""
		}, "another start has it"},
		{"with a process", func(t *testing.T) string { put(t, mark); return "PID " + occupy(t, web) }, "processes are left in it: "},
		{"with a process below", func(t *testing.T) string {
			put(t, mark)
			noError(t, os.Mkdir(web+"/below", 0o755))
			occupy(t, web+"/below")
			return "those of the groups below it"
		}, "processes are left in it: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noError(t, os.Mkdir(web, 0o755))
			t.Cleanup(func() { emptyGroup(t, dir) })
			who := tt.there(t)
			old := inode(t, web)
			h := NewHome(tree, path+"/web", true)
			closes(t, func() {
				if err := makes(h); tt.want != "" {
					says(t, err, tt.want+who)
					noError(t, unix.Close(h.parent))
				} else {
					noError(t, err)
					letGo(t, h)
				}
			})
			if anew := inode(t, web) != old; anew != (tt.want == "") {
				t.Errorf("made anew: %v", anew)
			}
		})
	}
}

// A new group is looked at once it is held: another start may have been faster.
func TestMakeMeanwhile(t *testing.T) {
	tree, dir, path := unified(t)
	web := dir + "/web"
	for _, tt := range []struct {
		name      string
		meanwhile func(t *testing.T) (taken string)
		done      bool
		there     bool
	}{
		{"nobody", func(t *testing.T) string { return "" }, true, true},
		{"marked", func(t *testing.T) string { noError(t, unix.Setxattr(web, mark, []byte("1"), 0)); return "" }, false, false},
		{"joined", func(t *testing.T) string { return "processes are left in it: PID " + occupy(t, web) }, false, true},
		{"made anew", func(t *testing.T) string {
			noError(t, errors.Join(os.Remove(web), os.Mkdir(web, 0o755)))
			return ""
		}, false, true},
		{"removed", func(t *testing.T) string { noError(t, os.Remove(web)); return "" }, false, false},
		{"held", func(t *testing.T) string {
			noError(t, unix.Flock(openDir(t, web), unix.LOCK_EX))
			return "another start has what was just made: flock: resource temporarily unavailable"
		}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noError(t, errors.Join(os.Mkdir(web, 0o755), unix.Chmod(web, freshMode)))
			t.Cleanup(func() { emptyGroup(t, dir) })
			h := NewHome(tree, path+"/web", true)
			noError(t, Make{h}.Prepare(-1))
			t.Cleanup(func() { noError(t, unix.Close(h.parent)) })
			fd := openDir(t, web)
			want := tt.meanwhile(t)
			start := time.Now()
			done, taken, err := Make{h}.hold(fd, true)
			if done != tt.done || err != nil {
				t.Errorf("done %v, %v", done, err)
			}
			says(t, taken, want)
			if _, err := os.Stat(web); (err == nil) != tt.there {
				t.Errorf("afterwards: %v", err)
			}
			if tt.name == "held" && time.Since(start) < 100*50*time.Microsecond {
				t.Error("it was not waited for")
			}
		})
	}
}

// Calls that fail, and those that do not tell the truth.
func TestMakeFails(t *testing.T) {
	const always = "another start makes and removes it all the time: flock, fgetxattr"
	const just = "another start has what was just made: flock: resource temporarily unavailable"
	tree, dir, path := unified(t)
	for _, tt := range []struct {
		name  string
		calls calls
		old   bool // a group of an earlier start is there
		names int  // how many are tried
		want  string
	}{
		{"mkdirat", calls{unix.SYS_MKDIRAT: unix.ENOSPC}, false, 0, "mkdirat: no space left on device"},
		{"openat2", calls{unix.SYS_OPENAT2: unix.EMFILE}, false, 1, "open web: too many open files"},
		{"never there", calls{unix.SYS_OPENAT2: unix.ENOENT}, false, 16, always},
		{"openat", calls{unix.SYS_OPENAT2: unix.ENOSYS}, false, 1, ""},
		{"flock", calls{unix.SYS_FLOCK: unix.EIO}, false, 1, "flock: input/output error"},
		{"always held", calls{unix.SYS_FLOCK: unix.EAGAIN, unix.SYS_NANOSLEEP: 0}, false, 16, just},
		{"fstat", calls{unix.SYS_FSTAT: unix.EIO}, false, 1, "fstat: input/output error"},
		{"fstatat", calls{unix.SYS_NEWFSTATAT: unix.EIO}, false, 1, "fstatat: input/output error"},
		{"fsetxattr", calls{unix.SYS_FSETXATTR: unix.EIO}, false, 1, "fsetxattr: input/output error"},
		{"no attributes", calls{unix.SYS_FSETXATTR: unix.EOPNOTSUPP}, false, 1, ""},
		{"no right to attributes", calls{unix.SYS_FSETXATTR: unix.EPERM}, false, 1, ""},
		{"read", calls{unix.SYS_READ: unix.EIO}, false, 1, "read cgroup.procs: input/output error"},
		{"unlinkat", calls{unix.SYS_UNLINKAT: unix.EROFS}, true, 1, "unlinkat: read-only file system"},
		{"never gone", calls{unix.SYS_UNLINKAT: 0}, true, 2, ""},
		{"gone already", calls{unix.SYS_UNLINKAT: unix.ENOENT}, true, 2, ""},
		{"getdents64", calls{unix.SYS_GETDENTS64: unix.EIO}, true, 1, "input/output error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Cleanup(func() { emptyGroup(t, dir) })
			if tt.old {
				noError(t, errors.Join(os.Mkdir(dir+"/web", 0o755), unix.Chmod(dir+"/web", freshMode)))
			}
			h := NewHome(tree, path+"/web", false)
			noError(t, Make{h}.Prepare(-1))
			t.Cleanup(func() { noError(t, unix.Close(h.parent)) })
			closes(t, func() {
				says(t, tt.calls.on(t, func() error { return Make{h}.Apply(-1) }), tt.want)
				if tt.want == "" {
					noError(t, unix.Close(h.FD))
				}
			})
			all, err := filepath.Glob(dir + "/web*")
			noError(t, err)
			if len(all) != tt.names {
				t.Errorf("there are %q", all)
			}
		})
	}
}

// No more names are tried than there are.
func TestMakeNames(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "hardrun-test") // where so many are made and removed at once
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { noError(t, os.RemoveAll(dir)) })
	fd := openDir(t, dir)
	noError(t, unix.Mkdirat(fd, "web", 0o755))
	for n := 2; n <= mostNames; n++ {
		noError(t, unix.Mkdirat(fd, "web-"+strconv.Itoa(n), 0o755))
	}
	h := &Home{Path: "/web", FD: -1, parent: fd, name: "web"}
	says(t, Make{h}.Apply(-1), "it is there already, and is not hardrun's")
	h.name = "web"
	noError(t, os.Remove(dir+"/web-"+strconv.Itoa(mostNames)))
	says(t, Make{h}.Apply(-1), "open tasks: no such file") // it is made, and is no group
}

// A name leads to a directory if it is the same one.
func TestSame(t *testing.T) {
	fd, dir := filesDir(t, nil)
	noError(t, errors.Join(os.Mkdir(dir+"/web", 0o755), os.Mkdir(dir+"/other", 0o755), os.Symlink("web", dir+"/link")))
	web, root := openDir(t, dir+"/web"), openDir(t, "/")
	for _, tt := range []struct {
		parent int
		name   string
		fd     int
		same   bool
		want   string
	}{
		{fd, "web", web, true, ""},
		{fd, "other", web, false, ""},
		{fd, "link", web, false, ""},
		{fd, "none", web, false, ""},
		{root, "proc", openDir(t, "/proc"), true, ""},
		{root, "proc", openDir(t, "/sys"), false, ""}, // of the same number, in another file system
		{fd, "web", -1, false, "fstat: bad file descriptor"},
		{-1, "web", web, false, "fstatat: bad file descriptor"},
	} {
		h := Make{&Home{parent: tt.parent, name: tt.name}}
		same, err := h.same(tt.fd)
		if says(t, err, tt.want); same != tt.same && tt.want == "" {
			t.Errorf("%s: %v", tt.name, same)
		}
	}
	if own, err := ours(-1); own || !errors.Is(err, unix.EBADF) {
		t.Errorf("no group: %v, %v", own, err)
	}
	says(t, asSecond(Make{&Home{}}.old(-1)), "fstat: bad file descriptor")
}

func asSecond[T any](_ T, err error) error { return err }

// Directories are removed as deep as was said, and files stay.
func TestSweep(t *testing.T) {
	for _, tt := range []struct {
		depth int
		want  []string
	}{
		{0, []string{"a", "a/b", "a/b/c", "d", "file", "kept", "kept/file"}},
		{1, []string{"a", "a/b", "a/b/c", "file", "kept", "kept/file"}},
		{2, []string{"a", "a/b", "a/b/c", "file", "kept", "kept/file"}},
		{3, []string{"file", "kept", "kept/file"}},
	} {
		fd, dir := filesDir(t, map[string]string{"file": ""})
		noError(t, errors.Join(os.MkdirAll(dir+"/a/b/c", 0o755), os.Mkdir(dir+"/d", 0o755), os.Mkdir(dir+"/kept", 0o755), os.WriteFile(dir+"/kept/file", nil, 0o644)))
		closes(t, func() { noError(t, sweep(fd, tt.depth)) })
		var got []string
		noError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if path != dir {
				got = append(got, strings.TrimPrefix(path, dir+"/"))
			}
			return err
		}))
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d deep: %q, want %q", tt.depth, got, tt.want)
		}
	}
	fd, dir := filesDir(t, nil)
	noError(t, os.MkdirAll(dir+"/a/b", 0o700))
	closes(t, func() {
		says(t, asNobody(t, func() error { return sweep(fd, 9) }), "open a: permission denied")
		says(t, calls{unix.SYS_UNLINKAT: unix.EROFS}.on(t, func() error { return sweep(fd, 9) }), "unlinkat: read-only file system")
		says(t, calls{unix.SYS_GETDENTS64: unix.EIO}.on(t, func() error { return sweep(fd, 9) }), "input/output error")
	})
	says(t, sweep(-1, 9), "open .: bad file descriptor")
	noError(t, unix.Chmod(dir+"/a", 0o755))
	says(t, asNobody(t, func() error { return sweep(fd, 9) }), "open b: permission denied")
}

// Who is left in a group is named, eight of them at most.
func TestLeft(t *testing.T) {
	for procs, want := range map[string]string{
		"":                                "those of the groups below it",
		"7\n":                             "PID 7",
		"1\n2\n3\n4\n5\n6\n7\n8\n":        "PID 1 2 3 4 5 6 7 8",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n": "PID 1 2 3 4 5 6 7 8 …",
	} {
		fd, _ := filesDir(t, map[string]string{"cgroup.procs": procs})
		if got := left(fd); got != want {
			t.Errorf("%q: %s", procs, got)
		}
	}
	if got := left(-1); got != "those of the groups below it" {
		t.Errorf("no group: %s", got)
	}
}

// A group is removed with the empty ones below it, and stays while it has a process.
func TestRemove(t *testing.T) {
	tree, dir, path := unified(t)
	newHome := func() *Home {
		h := NewHome(tree, path+"/web", true)
		noError(t, makes(h))
		return h
	}
	closes(t, func() {
		h := newHome()
		noError(t, os.MkdirAll(dir+"/web/a/b", 0o755))
		noError(t, h.Remove())
	})
	if _, err := os.Stat(dir + "/web"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	h := newHome()
	pid := occupy(t, dir+"/web")
	says(t, h.Remove(), "the control group "+path+"/web stays, with processes: PID "+pid+": unlinkat: device or resource busy")
	h = &Home{Path: "/gone", FD: -1, parent: -1}
	says(t, h.Remove(), "the control group /gone stays, with processes: those of the groups below it: open .: bad file descriptor\nclose: bad file descriptor")
}

// cgroup.kill is opened to be written.
func TestKiller(t *testing.T) {
	fd, dir := filesDir(t, map[string]string{"cgroup.kill": ""})
	h := &Home{Tree: Tree{Mount: "/cg"}, Path: "/web", FD: fd}
	kill, err := h.Killer()
	noError(t, err)
	noError(t, errors.Join(asSecond(unix.Write(kill, []byte("1"))), unix.Close(kill)))
	if got := fileText(t, dir+"/cgroup.kill"); got != "1" {
		t.Errorf("written %q", got)
	}
	h.FD = -1
	says(t, asSecond(h.Killer()), "open /cg/web/cgroup.kill: bad file descriptor")
}

// A process joins by cgroup.procs, beside the launch where there is a Mover; by tasks in v1.
func TestJoin(t *testing.T) {
	moved := errors.New("moved")
	mover := func(start, end error) func(int) (func() error, error) {
		return func(fd int) (func() error, error) {
			if start == nil {
				if _, err := unix.Write(fd, []byte("moving")); err != nil {
					return nil, err
				}
			}
			return func() error { return end }, start
		}
	}
	for _, tt := range []struct {
		name      string
		unified   bool
		mover     func(int) (func() error, error)
		procs     string
		tasks     string
		joinedErr string
	}{
		{"cgroup2", true, nil, "0", "", ""},
		{"a mover", true, mover(nil, nil), "moving", "", ""},
		{"a mover that fails", true, mover(nil, moved), "moving", "", "write /cg/web/cgroup.procs: moved"},
		{"a mover that cannot start", true, mover(moved, nil), "0", "", ""},
		{"v1", false, nil, "", "0", ""},
		{"v1 needs no mover", false, mover(nil, nil), "", "0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fd, dir := filesDir(t, map[string]string{"cgroup.procs": "", "tasks": ""})
			h := &Home{Tree: Tree{Unified: tt.unified, Mount: "/cg"}, Path: "/web", FD: fd, Mover: tt.mover}
			says(t, Joined{h}.Apply(-1), "internal error: nobody joins")
			closes(t, func() {
				noError(t, errors.Join(Join{h}.Apply(-1), Join{h}.Verify()))
				says(t, Joined{h}.Apply(-1), tt.joinedErr)
			})
			if procs, tasks := fileText(t, dir+"/cgroup.procs"), fileText(t, dir+"/tasks"); procs != tt.procs || tasks != tt.tasks {
				t.Errorf("cgroup.procs %q, tasks %q", procs, tasks)
			}
			says(t, calls{unix.SYS_WRITE: unix.ESRCH}.on(t, func() error {
				h.Mover = nil
				return Join{h}.Apply(-1)
			}), "write /cg/web/"+h.procs()+": no such process")
			h.FD = -1
			says(t, Join{h}.Apply(-1), "open /cg/web/"+h.procs()+": bad file descriptor")
			h.joined = nil
			h.GiveUp()
			says(t, errors.Join(Join{h}.Apply(-1), Joined{h}.Apply(-1), Joined{h}.Verify()), "")
		})
	}
}

// The process is in a group whose file has it; of v1 the thread.
func TestJoined(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid := strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		unified bool
		text    string
		want    string
	}{
		{true, "1\n" + pid + "\n", ""},
		{true, "1" + pid + "\n", "/cg/web/cgroup.procs: read back without the own PID " + pid},
		{true, "", "read back without the own PID " + pid},
		{false, strconv.Itoa(unix.Gettid()) + "\n", ""},
		{false, "", "/cg/web/tasks: read back without the own PID " + strconv.Itoa(unix.Gettid())},
	} {
		fd, _ := filesDir(t, map[string]string{"cgroup.procs": tt.text, "tasks": tt.text})
		h := &Home{Tree: Tree{Unified: tt.unified, Mount: "/cg"}, Path: "/web", FD: fd}
		says(t, Joined{h}.Verify(), tt.want)
	}
	// A thread that is not the first has another number.
	fd, dir := filesDir(t, nil)
	says(t, testrow.OnThread(func() error {
		tid := strconv.Itoa(unix.Gettid())
		own := []byte(tid + "\n")
		if err := errors.Join(os.WriteFile(dir+"/tasks", own, 0o644), os.WriteFile(dir+"/cgroup.procs", own, 0o644)); err != nil {
			return err
		}
		if err := (Joined{&Home{FD: fd}}).Verify(); err != nil {
			return err
		}
		if err := (Joined{&Home{Tree: Tree{Unified: true}, FD: fd}}).Verify(); (err == nil) != (tid == pid) {
			return fmt.Errorf("a thread for the process: %v", err)
		}
		return nil
	}), "")
	says(t, Joined{&Home{FD: -1}}.Verify(), "open tasks: bad file descriptor")
}

// Controllers are handed down in one group: those that it has, and does not hand down yet.
func TestHandDown(t *testing.T) {
	for _, tt := range []struct {
		name        string
		has, hands  string
		controllers string
		calls       calls
		want        string // of cgroup.subtree_control
		err         string
	}{
		{"nothing to do", "cpu io memory\n", "cpu memory\n", "cpu memory", nil, "cpu memory\n", ""},
		{"one of two", "cpu io memory\n", "cpu\n", "cpu memory", nil, "+memory", ""},
		{"one that it has not", "cpu io\n", "cpu\n", "cpu memory", nil, "cpu\n", "/a: the controller memory is not handed down to it: cgroup.controllers has \"cpu io\""},
		{"a part of a name", "cpuset\n", "", "cpu", nil, "", "the controller cpu is not handed down"},
		{"with processes", "memory\n", "", "memory", calls{unix.SYS_WRITE: unix.EBUSY}, "", "/a: write cgroup.subtree_control: processes are in it, and a group with processes hands no controller down"},
		{"refused", "memory\n", "", "memory", calls{unix.SYS_WRITE: unix.EOPNOTSUPP}, "", "/a\nwrite cgroup.subtree_control: operation not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fd, dir := filesDir(t, map[string]string{"cgroup.controllers": tt.has, "cgroup.subtree_control": tt.hands})
			s := Enable{&Home{FD: fd}, strings.Fields(tt.controllers)}
			closes(t, func() {
				says(t, tt.calls.on(t, func() error { return s.handDown(fd, "/a") }), tt.err)
			})
			if got := fileText(t, dir+"/cgroup.subtree_control"); got != tt.want {
				t.Errorf("it hands down %q", got)
			}
		})
	}
	fd, dir := filesDir(t, map[string]string{"cgroup.subtree_control": ""})
	says(t, Enable{}.handDown(fd, "/a"), "open cgroup.controllers: no such file")
	noError(t, os.Rename(dir+"/cgroup.subtree_control", dir+"/cgroup.controllers"))
	says(t, Enable{}.handDown(fd, "/a"), "open cgroup.subtree_control: no such file")
}

// Controllers are asked for from the top to the group above the home.
func TestEnable(t *testing.T) {
	tree, dir, path := unified(t)
	noError(t, os.MkdirAll(dir+"/a/b", 0o755))
	none := []string{"hardrun"}
	for _, tt := range []struct {
		below       string
		controllers []string
		want        string
	}{
		{"/a/b/web", nil, ""},
		{"/a/c/web", nil, "open " + path + "/a/c: no such file"},
		{"/cgroup.procs/web", nil, "open " + path + "/cgroup.procs: not a directory"},
		{"/a/b/web", none, "/: the controller hardrun is not handed down to it"},
	} {
		s := Enable{NewHome(tree, path+tt.below, true), tt.controllers}
		closes(t, func() { says(t, s.Apply(-1), tt.want) })
		s.Home.GiveUp()
		says(t, errors.Join(s.Apply(-1), s.Verify()), "")
	}
	says(t, Enable{NewHome(tree, "/hardrun-test", true), none}.Apply(-1), "/: the controller hardrun is not handed down to it")
	// The group that lacks one is named.
	tree.Mount = dir
	if files, err := os.ReadFile(dir + "/cgroup.controllers"); err == nil && len(files) == 0 {
		says(t, Enable{NewHome(tree, "/a/b/web", true), none}.Apply(-1), "cgroup.controllers has \"\"")
	}
}

// The group has the controllers that it reads.
func TestEnableVerify(t *testing.T) {
	fd, _ := filesDir(t, map[string]string{"cgroup.controllers": "cpu memory\n"})
	for controllers, want := range map[string]string{
		"cpu memory": "",
		"cpu io":     "cgroup.controllers reads \"cpu memory\", without io",
		"mem":        "without mem",
	} {
		s := Enable{&Home{FD: fd}, strings.Fields(controllers)}
		says(t, s.Verify(), want)
		s.GiveUp() // the controllers, and not the group
		if says(t, s.Verify(), ""); s.gone {
			t.Error("the group is given up")
		}
	}
	says(t, Enable{&Home{FD: -1}, []string{"cpu"}}.Verify(), "open cgroup.controllers: bad file descriptor")
}

// The directory and the files of a group get another owner, links as little as others' files.
func TestGive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	fd, dir := filesDir(t, map[string]string{"cgroup.procs": "", "cgroup.subtree_control": "", "memory.max": "", "target": ""})
	noError(t, os.Symlink("target", dir+"/cgroup.threads"))
	h := &Home{Tree: Tree{Mount: "/cg"}, Path: "/web", FD: fd}
	give := Give{Home: h, UID: 1234, GID: 5678}
	owner := func(file string) string {
		var st unix.Stat_t
		noError(t, unix.Lstat(dir+"/"+file, &st))
		return fmt.Sprint(st.Uid, ":", st.Gid)
	}
	noError(t, errors.Join(give.Apply(-1), give.Verify()))
	for file, want := range map[string]string{
		".": "1234:5678", "cgroup.procs": "1234:5678", "cgroup.threads": "1234:5678", "cgroup.subtree_control": "1234:5678",
		"target": "0:0", "memory.max": "0:0",
	} {
		if got := owner(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	for _, file := range delegated { // each by its user and its group
		for _, ids := range [][2]int{{0, 5678}, {1234, 0}} {
			noError(t, os.Lchown(dir+"/"+file, ids[0], ids[1]))
			says(t, give.Verify(), "fchownat /cg/web/"+file+": read back another owner")
			noError(t, os.Lchown(dir+"/"+file, 1234, 5678))
		}
	}
	says(t, calls{unix.SYS_NEWFSTATAT: 0}.on(t, give.Verify), "fchownat /cg/web/.: read back another owner")
	says(t, calls{unix.SYS_FCHOWNAT: unix.EPERM}.on(t, func() error { return give.Apply(-1) }), "fchownat /cg/web/.: operation not permitted")
	for _, file := range []string{".", "cgroup.procs"} {
		noError(t, os.Chown(dir+"/"+file, 65534, 0))
	}
	own := Give{Home: h, UID: 65534, GID: 0}
	says(t, asNobody(t, func() error { return own.Apply(-1) }), "fchownat /cg/web/cgroup.threads: operation not permitted")
	// Kernels are without some of the files, and not without cgroup.procs.
	noError(t, errors.Join(os.Remove(dir+"/cgroup.threads"), os.Remove(dir+"/cgroup.subtree_control")))
	noError(t, errors.Join(give.Apply(-1), give.Verify()))
	noError(t, os.Remove(dir+"/cgroup.procs"))
	says(t, give.Apply(-1), "fchownat /cg/web/cgroup.procs: no such file")
	says(t, give.Verify(), "fchownat /cg/web/cgroup.procs: no such file")
	h.FD = -1
	says(t, give.Apply(-1), "fchownat /cg/web/.: bad file descriptor")
	says(t, give.Verify(), "fchownat /cg/web/.: bad file descriptor")
}

// A setting is written and read back; what is only checked is not written, and what is
// inherited is what the group above has.
func TestSet(t *testing.T) {
	_, dir := filesDir(t, map[string]string{"cpuset.mems": "0-1\n", "empty": "\n"})
	noError(t, os.Mkdir(dir+"/web", 0o755))
	fd := openDir(t, dir+"/web")
	for _, tt := range []struct {
		name          string
		setting       Setting
		before, after string
		apply, verify string
	}{
		{"written", Setting{File: "pids.max", Value: "5", Want: "5"}, "max", "5ax", "", `pids.max: read back "5ax", want "5"`},
		{"read back", Setting{File: "pids.max", Value: "5\n", Want: "5"}, "", "5\n", "", ""},
		{"checked", Setting{File: "pids.max", Value: "5", Want: "7", Check: true}, "7\n", "7\n", "", ""},
		{"inherited", Setting{File: "cpuset.mems", Inherit: true}, "", "0-1", "", ""},
		{"inherited from nothing", Setting{File: "empty", Inherit: true}, "x", "x", "empty: the parent has none", "internal error"},
		{"inherited from no file", Setting{File: "none", Inherit: true}, "x", "x", "open none: no such file", "internal error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "web", tt.setting.File)
			noError(t, os.WriteFile(file, []byte(tt.before), 0o644))
			for _, given := range []Home{{gone: true, FD: fd}, {bare: true, FD: fd}, {gone: true, bare: true, FD: -1}} {
				s := &Set{&given, tt.setting}
				says(t, errors.Join(s.Apply(-1), s.Verify()), "")
				if got := fileText(t, file); got != tt.before {
					t.Errorf("given up, it reads %q", got)
				}
			}
			s := &Set{&Home{FD: fd}, tt.setting}
			closes(t, func() { says(t, s.Apply(-1), tt.apply) })
			if got := fileText(t, file); got != tt.after {
				t.Errorf("it reads %q", got)
			}
			says(t, s.Verify(), tt.verify)
		})
	}
	s := &Set{&Home{FD: -1}, Setting{File: "pids.max", Value: "5"}}
	says(t, s.Apply(-1), "open pids.max: bad file descriptor")
	says(t, s.Verify(), "open pids.max: bad file descriptor")
	s.Setting.Inherit = true
	says(t, s.Apply(-1), "open ..: bad file descriptor")
}

// A group below is made, given away and joined.
func TestSubgroup(t *testing.T) {
	tree, dir, path := unified(t)
	fd := openDir(t, dir)
	h := &Home{Tree: tree, Path: path, FD: fd}
	home := filepath.Join(tree.Mount, tree.Own, "cgroup.procs")
	s := Subgroup{Home: h, Name: "payload", UID: 1234, GID: 5678}
	t.Cleanup(func() { noError(t, os.WriteFile(home, []byte(strconv.Itoa(os.Getpid())), 0)) })
	closes(t, func() { noError(t, errors.Join(s.Apply(-1), s.Verify())) })
	if own := fileText(t, "/proc/self/cgroup"); !strings.Contains(own, path+"/payload\n") {
		t.Errorf("the process is in %s", own)
	}
	var st unix.Stat_t
	noError(t, unix.Stat(dir+"/payload/cgroup.procs", &st))
	if st.Uid != 1234 || st.Gid != 5678 {
		t.Errorf("cgroup.procs is %d:%d's", st.Uid, st.Gid)
	}
	says(t, s.Apply(-1), "mkdirat "+dir+"/payload: file exists")
	for _, tt := range []struct {
		name  string
		calls calls
		want  string
	}{
		{"openat2", calls{unix.SYS_OPENAT2: unix.EMFILE}, "open " + dir + "/openat2: too many open files"},
		{"fchownat", calls{unix.SYS_FCHOWNAT: unix.EPERM}, "fchownat " + dir + "/fchownat/.: operation not permitted"},
		{"fchownat-lies", calls{unix.SYS_FCHOWNAT: 0}, "fchownat " + dir + "/fchownat-lies/.: read back another owner"},
		{"write", calls{unix.SYS_WRITE: unix.EBUSY}, "write cgroup.procs: device or resource busy"},
	} {
		s.Name = tt.name
		closes(t, func() { says(t, tt.calls.on(t, func() error { return s.Apply(-1) }), tt.want) })
	}
}

// A late setting is opened early, and written and read back by rows.
func TestLower(t *testing.T) {
	fd, _ := filesDir(t, map[string]string{"memory.max": "max\n"})
	setting := Setting{Controller: "memory", File: "memory.max", Value: "4096", Want: "4096"}
	for _, home := range []Home{{gone: true, FD: -1}, {bare: true, FD: -1}} {
		s := &Lower{Set: Set{&home, setting}}
		noError(t, errors.Join(s.Apply(-1), s.Verify()))
		p := &row.Program{}
		s.Do(p)
		s.Check(p)
		if len(p.Rows) != 0 || s.FDs() != nil {
			t.Errorf("given up, %q by %v", p.Dump(), s.FDs())
		}
	}
	s := &Lower{Set: Set{&Home{Tree: Tree{Mount: "/cg"}, Path: "/web", FD: -1}, setting}}
	says(t, s.Apply(-1), "open /cg/web/memory.max: bad file descriptor")
	s.FD, s.Setting.File = fd, "memory.high"
	says(t, s.Apply(-1), "open /cg/web/memory.high: no such file")
	s.Setting.File = "memory.max"
	withoutInput(t, func() { says(t, s.Apply(-1), "open /cg/web/memory.max: bad file descriptor") })
	noError(t, errors.Join(s.Apply(-1), s.Verify()))
	if !slices.Equal(s.FDs(), []int{s.fd}) || s.fd < 3 {
		t.Errorf("descriptors %v", s.FDs())
	}
	p := &row.Program{}
	s.Do(p)
	s.Check(p)
	want := []string{
		fmt.Sprint(unix.SYS_WRITE, " = 4"), "poison", fmt.Sprint(unix.SYS_PREAD64, " = 5"), "same",
	}
	if got := p.Dump(); !slices.Equal(got, want) {
		t.Fatalf("rows %q, want %q", got, want)
	}
	for _, i := range []int{0, 2} {
		if p.Rows[i].A[0] != uint64(s.fd) {
			t.Errorf("row %d is about descriptor %d", i, p.Rows[i].A[0])
		}
	}
	if got := p.Text(uint32(p.Rows[0].A[1])); got != "4096" {
		t.Errorf("written is %q", got)
	}
	if same := p.Rows[3]; string(p.Blob[same.A[1]:same.A[1]+same.A[2]]) != "4096\n" {
		t.Errorf("wanted is %q", p.Blob[same.A[1]:same.A[1]+same.A[2]])
	}
	noError(t, unix.Close(s.fd))
}
