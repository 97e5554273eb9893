package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// What is attached to a group, and what holds there: that of the groups above it, too, and
// however many there are.
func TestAttached(t *testing.T) {
	_, dir, _ := unified(t)
	const each = most/2 + 1
	below := filepath.Join(dir, "below")
	noError(t, os.Mkdir(below, 0o755))
	ids := map[string][]uint32{}
	for _, path := range []string{dir, below} {
		g, err := os.Open(path)
		noError(t, err)
		closeAfter(t, g)
		for range each {
			l := loadProgram(t, allow, ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Bind)
			attach(t, g, l)
			info, err := l.Info()
			noError(t, err)
			id, _ := info.ID()
			ids[path] = append(ids[path], uint32(id))
		}
	}
	above, fd := openDir(t, dir), openDir(t, below)
	for _, tt := range []struct {
		name      string
		fd        int
		hook      Hook
		effective bool
		want      []uint32
	}{
		{"above", above, HookBind4, false, ids[dir]},
		{"below", fd, HookBind4, false, ids[below]},
		{"another hook", fd, HookBind6, false, nil},
		{"all that hold above", above, HookBind4, true, ids[dir]},
		{"all that hold below", fd, HookBind4, true, append(slices.Clone(ids[dir]), ids[below]...)},
	} {
		got, err := Attached(tt.fd, tt.hook, tt.effective)
		noError(t, err)
		got = slices.DeleteFunc(got, func(id uint32) bool { // there may be some further above
			return !slices.Contains(ids[dir], id) && !slices.Contains(ids[below], id) && tt.effective
		})
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	name, _, err := About(ids[dir][0])
	if err != nil || strings.HasPrefix(name, "hardrun") {
		t.Errorf("a program without a name: %q, %v", name, err)
	}
}

// What the kernel does not have, and what it does not tell.
func TestAttachedFails(t *testing.T) {
	asksKernel(t)
	dir := int(group(t).Fd())
	attached := func() error { return asSecond(Attached(dir, HookDevice, false)) }
	if _, err := Attached(dir, Hook{99, 999, "none"}, false); err != ErrNoHook {
		t.Errorf("no hook: %v", err)
	}
	for e, want := range map[unix.Errno]string{
		unix.EPERM:  "bpf(BPF_PROG_QUERY, device): operation not permitted",
		unix.ENOSPC: "bpf(BPF_PROG_QUERY, device): no space left on device",
		0:           "bpf(BPF_PROG_QUERY, device): answered without an answer",
	} {
		says(t, calls{unix.SYS_BPF: e}.on(t, attached), want)
	}
	// Of programs for files the kernel says how each is attached, and wants a place for that;
	// of those that hold, it does not.
	for flags, effective := range []bool{false, true} {
		var ids, each [most]uint32
		attr := make([]uint32, 16)
		attr[0], attr[1], attr[2], attr[6] = uint32(dir), unix.BPF_LSM_CGROUP, uint32(flags), most
		attr[4], attr[5] = wide(unsafe.Pointer(&ids[0]))
		if !effective {
			attr[8], attr[9] = wide(unsafe.Pointer(&each[0]))
		}
		_, want := sysBPF(unix.BPF_PROG_QUERY, attr)
		_, err := Attached(dir, HookFiles, effective)
		if want == 0 && err != nil || want == unix.EINVAL && err != ErrNoHook {
			t.Errorf("files, effective %v: %v, the kernel says %v", effective, err, want)
		}
	}
}

// A program is told by its number.
func TestAbout(t *testing.T) {
	asksKernel(t)
	l := loadProgram(t, allow, ebpf.CGroupDevice, ebpf.AttachCGroupDevice)
	info, err := l.Info()
	noError(t, err)
	id, _ := info.ID()
	about := func() error {
		_, _, err := About(uint32(id))
		return err
	}
	closes(t, func() { noError(t, about()) })
	says(t, calls{first(unix.SYS_BPF, unix.BPF_OBJ_GET_INFO_BY_FD): unix.EPERM}.on(t, about), "bpf(BPF_OBJ_GET_INFO_BY_FD): operation not permitted")
	_, _, err = About(1<<31 - 1)
	says(t, err, "bpf(BPF_PROG_GET_FD_BY_ID): no such file or directory")
	withoutInput(t, func() { // descriptor 0 is what a call answers that does nothing
		says(t, calls{unix.SYS_BPF: 0}.on(t, about), "bpf(BPF_OBJ_GET_INFO_BY_FD): answered for another program")
	})
}

// A group is opened by its path, and on no other mount.
func TestTreeOpen(t *testing.T) {
	tree, dir, path := unified(t)
	noError(t, errors.Join(os.Mkdir(dir+"/a", 0o755), os.Mkdir(dir+"/b", 0o755)))
	for _, tt := range []struct{ path, now, then string }{ // then: on Linux before 5.6
		{"/a", "", ""},
		{"/a/.", "", ""},
		{"/c", "open " + tree.Mount + path + "/c: no such file", "open " + tree.Mount + path + "/c: no such file"},
		{"/cgroup.procs", "/cgroup.procs: not a directory", "/cgroup.procs: not a directory"},
		{"/../../..", "/../../..: invalid cross-device link", ""},
		{"/b", "/b: invalid cross-device link", ""},
	} {
		mount := tt.path == "/b"
		try := func() error {
			if mount {
				if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
					unix.Mount("tmpfs", dir+"/b", "tmpfs", 0, "")); err != nil {
					return err
				}
				tree := tree
				tree.ID = 0
				var st unix.Statx_t
				if err := unix.Statx(unix.AT_FDCWD, tree.Mount, 0, unix.STATX_MNT_ID, &st); err != nil {
					return err
				}
				tree.ID = st.Mnt_id // of the copy
				return openGroup(&tree, path+tt.path)
			}
			return openGroup(&tree, path+tt.path)
		}
		closes(t, func() {
			says(t, testrow.OnThread(try), tt.now)
			says(t, calls{unix.SYS_OPENAT2: unix.ENOSYS}.on(t, try), tt.then)
		})
	}
}

func openGroup(t *Tree, path string) error {
	fd, err := t.Open(path)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// The list of modules is the kernel's, or of securityfs where that has none.
func TestModules(t *testing.T) {
	var ids [64]uint64
	size := uint32(unsafe.Sizeof(ids))
	if _, _, e := unix.RawSyscall(unix.SYS_LSM_LIST_MODULES, uintptr(unsafe.Pointer(&ids)), uintptr(unsafe.Pointer(&size)), 0); e == 0 {
		active, err := BPFActive()
		if want := slices.Contains(ids[:], 109); err != nil || active != want { // LSM_ID_BPF
			t.Errorf("active: %v, %v; want %v", active, err, want)
		}
	}
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	var active bool
	oldErr := calls{unix.SYS_LSM_LIST_MODULES: unix.ENOSYS}.on(t, func() (err error) {
		active, err = BPFActive()
		return err
	})
	if fmt.Sprint(oldErr) != fmt.Sprint(err) || active != lsmListed(string(list), "bpf") {
		t.Errorf("by securityfs: %v, %v; the list is %q, %v", active, oldErr, list, err)
	}
	for e, want := range map[unix.Errno]string{unix.EPERM: "lsm_list_modules: operation not permitted", 0: "answered without an answer"} {
		says(t, calls{unix.SYS_LSM_LIST_MODULES: e}.on(t, func() error { return asSecond(BPFActive()) }), want)
	}
}
