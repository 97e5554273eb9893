package launcher

import (
	"bytes"
	"net"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
	"golang.org/x/sys/unix"
)

// An interface that is not there is nothing to allow; that it is forbidden nobody could say.
func TestInterfaces(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skipf("needs lo: %v", err)
	}
	index := []uint32{uint32(lo.Index)}
	for _, tt := range []struct {
		names cgroup.Names
		want  *cgroup.Interfaces
		err   string
	}{
		{cgroup.Names{List: []string{"lo"}}, &cgroup.Interfaces{Index: index}, ""},
		{cgroup.Names{List: []string{"none-such", "lo"}}, &cgroup.Interfaces{Index: index}, ""},
		{cgroup.Names{Deny: true, List: []string{"lo"}}, &cgroup.Interfaces{Deny: true, Index: index}, ""},
		{cgroup.Names{Deny: true, List: []string{"lo", "none-such"}}, nil, "there is no interface none-such now, and one that comes later would not be forbidden"},
		{cgroup.Names{List: []string{"a-name-that-is-too-long"}}, nil, "file name too long"},
	} {
		got, err := interfaces(tt.names)
		if !reflect.DeepEqual(got, tt.want) || tt.err == "" && err != nil || tt.err != "" && !strings.HasSuffix(fails(err), tt.err) {
			t.Errorf("%+v: %+v, %v, want %+v, %s", tt.names, got, err, tt.want, tt.err)
		}
	}
	if got, err := interfaceIndex("lo"); got != index[0] || err != nil {
		t.Errorf("lo: %d, %v", got, err)
	}
}

// The program of RestrictFileSystems= is made by what the kernel says of its structures.
func TestFilesProgram(t *testing.T) {
	rules := cgroup.FileSystems{Magic: []uint32{unix.TMPFS_MAGIC}}
	const dir, path = "/sys/kernel/btf", "/sys/kernel/btf/vmlinux"
	real, err := os.ReadFile(path)
	if err == nil {
		want, wantErr := cgroup.ReadBTF(real)
		var f cgroup.Filter
		program, err := filesProgram(&f, rules)
		if wantErr != nil {
			if err == nil || err.Error() != path+": "+wantErr.Error() {
				t.Errorf("%v, want %v", err, wantErr)
			}
		} else {
			right, rightErr := cgroup.FileProgram(rules, want)
			nothing, nothingErr := cgroup.FileProgram(cgroup.FileSystems{}, want)
			if err != nil || rightErr != nil || nothingErr != nil || f.BTF != want.Hook || f.BTF == 0 || !slices.Equal(program, right) || !slices.Equal(f.Nothing, nothing) || len(nothing) == 0 {
				t.Errorf("%v, %v, %v, function %d of %d", err, rightErr, nothingErr, f.BTF, want.Hook)
			}
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs " + dir)
	}
	_, empty := cgroup.ReadBTF(nil)
	_, junk := cgroup.ReadBTF(bytes.Repeat([]byte{1}, 64))
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	_, other := cgroup.ReadBTF(online)
	inOwnMounts(t, func() {
		if !memory(t, dir, 0, nil) {
			return
		}
		says := func(want string) {
			t.Helper()
			if _, err := filesProgram(&cgroup.Filter{}, rules); fails(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		says("open " + path + ": no such file or directory")
		for text, want := range map[string]error{"": empty, string(bytes.Repeat([]byte{1}, 64)): junk} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Error(err)
			}
			says(path + ": " + want.Error())
		}
		// A file that cannot be mapped is read, as this one before Linux 6.16.
		if err := unix.Mount("/sys/devices/system/cpu/online", path, "", unix.MS_BIND, ""); err != nil {
			t.Error(err)
		}
		says(path + ": " + other.Error())
	})
	if real == nil {
		return
	}
	_, usual := filesProgram(&cgroup.Filter{}, rules)
	answering(t, unix.SYS_FSTAT, unix.EIO, func() { // it is read all the same
		if _, err := filesProgram(&cgroup.Filter{}, rules); fails(err) != fails(usual) {
			t.Errorf("without fstat(2): %v, want %v", err, usual)
		}
	})
	answering(t, unix.SYS_CLOSE, unix.EIO, func() {
		if _, err := filesProgram(&cgroup.Filter{}, rules); fails(err) != path+": input/output error" {
			t.Errorf("not closed: %v", err)
		}
	})
}

// The command and what starts it must lie where files can be opened.
func TestOnAllowed(t *testing.T) {
	dir := tree{"file": "x"}.make(t)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	here, other := []uint32{uint32(fs.Type)}, []uint32{uint32(fs.Type) + 1}
	lies := "@/file lies on a file system on which nothing may be opened: its number is 0x" + strconv.FormatUint(uint64(here[0]), 16)
	for _, tt := range []struct {
		rules cgroup.FileSystems
		path  string
		want  string
	}{
		{cgroup.FileSystems{Magic: here}, "@/file", ""},
		{cgroup.FileSystems{Magic: other}, "@/file", lies},
		{cgroup.FileSystems{Deny: true, Magic: here}, "@/file", lies},
		{cgroup.FileSystems{Deny: true, Magic: other}, "@/file", ""},
		{cgroup.FileSystems{}, "", ""},
		{cgroup.FileSystems{Magic: here}, "@/none", "statfs @/none: no such file or directory"},
	} {
		err := onAllowed(tt.rules, "", strings.ReplaceAll(tt.path, "@", dir))
		if got := strings.ReplaceAll(fails(err), dir, "@"); got != tt.want {
			t.Errorf("%+v, %s: %s, want %s", tt.rules, tt.path, got, tt.want)
		}
	}
}
