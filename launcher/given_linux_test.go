package launcher

import (
	"errors"
	"os"
	"os/user"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

func problems(e *Env) (lines []string) {
	for i := range e.Problems {
		lines = append(lines, e.Problems[i].Error())
	}
	return lines
}

// What was made for a service need not be there for a plan, and a user of DynamicUser= is
// looked up nowhere.
func TestGatherFor(t *testing.T) {
	dir := t.TempDir()
	g := &Given{
		Unit: "x.service", Who: &caps.User{Name: "no-such-user", UID: 61202, GID: 61202}, Booted: true,
		Directories: []GivenDirectory{{Host: dir + "/state", Inside: dir + "/state", Links: []string{dir + "/alias"}, Directive: "StateDirectory"}},
	}
	p := aPolicy(t, "DynamicUser=yes", "StateDirectory=state", "WorkingDirectory="+dir+"/state/deep", "ReadWritePaths="+dir+"/alias", "Group=no-such-user",
		"BindReadOnlyPaths=/run/systemd/system")
	env, err := GatherFor(p, "root", []string{"true"}, Snapshot{}, g)
	if err != nil {
		t.Fatal(err)
	}
	if got := problems(env); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if env.User != *g.Who || env.Group.GID != 61202 || !slices.Equal(env.UserGroups, []uint32{61202}) {
		t.Errorf("%+v %+v %v", env.User, env.Group, env.UserGroups)
	}
	if p.User.Set || p.ProtectSystem.Set {
		t.Error("GatherFor changed the policy")
	}
	noRefusals(t, Compile(p, env))
	// Without having been given it is missing.
	if env, err = Gather(aPolicy(t, "ReadWritePaths="+dir+"/alias", "WorkingDirectory="+dir+"/state"), "root", []string{"true"}, Snapshot{}); err != nil {
		t.Fatal(err)
	}
	if got := problems(env); len(got) != 2 {
		t.Errorf("%q", got)
	}
	// The root may be one of the directories.
	p = aPolicy(t, "RootDirectory="+dir+"/state")
	if env, err = GatherFor(p, "root", []string{"true"}, Snapshot{}, g); err != nil || len(env.Problems) > 0 {
		t.Errorf("%q, %v", problems(env), err)
	}
}

// The look-up of a service's command is not that of PATH, systemd.service(5).
func TestServiceSearch(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/true", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	set := "Environment=PATH=" + dir
	env, err := GatherFor(aPolicy(t, set), "self", []string{"true"}, Snapshot{}, &Given{Unit: "x.service"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(env.Command.Path, dir) || env.Command.Path == "" {
		t.Errorf("a service's command is %s", env.Command.Path)
	}
	if env, err = Gather(aPolicy(t, set), "self", []string{"true"}, Snapshot{}); err != nil || env.Command.Path != dir+"/true" {
		t.Errorf("a bare command is %s, %v", env.Command.Path, err)
	}
	env, err = GatherFor(aPolicy(t, set), "self", []string{"argv0", "a"}, Snapshot{}, &Given{Unit: "x.service", Argv0: true, Path: dir + "/true"})
	if err != nil || env.Command.Path != dir+"/true" || !slices.Equal(env.Command.Args, []string{"argv0", "a"}) {
		t.Errorf("%+v, %v", env.Command, err)
	}
	if u, err := user.Current(); err == nil && env.Own.Name != u.Username && u.Username != "" {
		t.Errorf("hardrun runs as %q, and %q is said", u.Username, env.Own.Name)
	}
}

// What is made for all commands is what the policy asks for.
func TestMakeShared(t *testing.T) {
	if net, ipc, err := MakeShared(aPolicy(t, "PrivateNetwork=yes", "NetworkNamespacePath=/n")); net != -1 || ipc != -1 || err != nil {
		t.Errorf("%d %d %v", net, ipc, err)
	}
	if os.Geteuid() != 0 {
		if _, _, err := MakeShared(aPolicy(t, "PrivateNetwork=yes")); !errors.Is(err, unix.EPERM) {
			t.Errorf("without root: %v", err)
		}
		if _, err := MakeTmp(); !errors.Is(err, unix.EPERM) {
			t.Errorf("without root: %v", err)
		}
		t.Skip("needs root: namespaces")
	}
	var before, after unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &before); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		set      []string
		net, ipc bool
	}{{nil, false, false}, {[]string{"PrivateNetwork=yes"}, true, false}, {[]string{"PrivateIPC=yes"}, false, true}, {[]string{"PrivateNetwork=yes", "PrivateIPC=yes"}, true, true}} {
		net, ipc, err := MakeShared(policyOf(t, tt.set...))
		if errors.Is(err, unix.EPERM) {
			t.Skip("needs CAP_SYS_ADMIN")
		}
		if err != nil || (net > 2) != tt.net || (ipc > 2) != tt.ipc {
			t.Errorf("%v: %d %d %v", tt.set, net, ipc, err)
		}
		for kind, fd := range map[ns.Kinds]int{ns.NewNet: net, ns.NewIPC: ipc} {
			if fd < 0 {
				continue
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags != unix.FD_CLOEXEC {
				t.Errorf("%v: flags %d, %v", tt.set, flags, err)
			}
			self, err := unix.Open("/proc/self", unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := (&ns.Join{Kind: kind, Open: fd}).Prepare(self); err != nil {
				t.Errorf("%v: %v", tt.set, err)
			}
			if err := errors.Join(unix.Close(fd), unix.Close(self)); err != nil {
				t.Error(err)
			}
		}
	}
	if err := unix.Stat("/proc/thread-self/ns/net", &after); err != nil || after.Ino != before.Ino {
		t.Errorf("who made them is in them: %v", err)
	}
	fd, err := MakeTmp()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}

// descriptors is how many are open.
func descriptors() (n int) {
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// What cannot be made is an error, and nothing stays open. The limits are those of a user namespace
// that the test has of its own.
func TestMakeSharedFails(t *testing.T) {
	both := policyOf(t, "PrivateNetwork=yes", "PrivateIPC=yes")
	if os.Getenv(childWord) == "" {
		again(t, "yes", asOwnRoot())
	} else {
		limit := func(kind, most string) {
			if err := os.WriteFile("/proc/sys/user/max_"+kind+"_namespaces", []byte(most), 0); err != nil {
				t.Fatal(err)
			}
		}
		denied := func(want string) {
			t.Helper()
			before := descriptors()
			if net, ipc, err := MakeShared(both); net != -1 || ipc != -1 || fails(err) != want {
				t.Errorf("%d, %d, %v, want %s", net, ipc, err, want)
			}
			if after := descriptors(); after != before {
				t.Errorf("%s: %d descriptors, and there were %d", want, after, before)
			}
		}
		limit("ipc", "0")
		denied("unshare(CLONE_NEWIPC): no space left on device")
		limit("ipc", "10")
		limit("net", "0")
		denied("unshare(CLONE_NEWNET): no space left on device")
		// Before Linux 5.2 a file system cannot be made without a place to mount it on.
		if err := answerIf(unix.SYS_FSOPEN, 1, unix.FSOPEN_CLOEXEC, unix.ENOSYS, unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
			t.Fatal(err)
		}
		before := descriptors()
		if fd, err := MakeTmp(); fd != -1 || fails(err) != "fsopen(tmpfs): function not implemented" || descriptors() != before {
			t.Errorf("%d, %v, %d descriptors, and there were %d", fd, err, descriptors(), before)
		}
		return
	}
	// They are read back from /proc, where what is not asked for needs none.
	const none = "a namespace is read back from /proc, and there is none"
	shared := policyOf(t)
	inRoot(t, t.TempDir(), func() {
		if _, _, err := MakeShared(both); fails(err) != none {
			t.Error(err)
		}
		if _, err := MakeTmp(); fails(err) != none {
			t.Error(err)
		}
		if _, _, err := MakeShared(shared); err != nil {
			t.Error(err)
		}
	})
	if err := closeAll(-1, 1<<20, -1); fails(err) != "close: bad file descriptor" {
		t.Error(err)
	}
}

// The numbers of what is passed to the daemon are kept free: what hardrun itself holds there is moved.
func TestReserve(t *testing.T) {
	const first = process.FirstPassed
	for _, tt := range []struct {
		what    string
		who     string
		sockets int
		held    []int // the socket, and the control groups; 0 for none
		moved   []bool
		err     string
	}{
		{"below, in, behind", "launch", 1, []int{first - 1, first, first + 1, first + 2}, []bool{false, true, true, false}, ""},
		{"the last", "launch", 1, []int{0, first + 1}, []bool{false, true}, ""},
		{"nothing is passed", "launch", 0, []int{first, first + 1}, []bool{false, false}, ""},
		{"a plan", "self", 1, []int{first, first + 1}, []bool{false, false}, ""},
		{"nothing is there", "launch", 1, []int{0, first + 1, -first}, []bool{false, true, true}, "fcntl(F_DUPFD_CLOEXEC): bad file descriptor"},
	} {
		err := testrow.OnThread(func() error {
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				return err
			}
			e := &Env{For: tt.who, Listen: 1, Given: &Given{Sockets: make([]GivenSocket, tt.sockets)}}
			for fd := first; fd < first+3; fd++ {
				_ = unix.Close(fd) // of this thread alone
			}
			for i, fd := range tt.held {
				if at := max(fd, -fd); fd != 0 && fd >= first {
					null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
					if err != nil {
						return err
					}
					if null != at {
						if err := errors.Join(unix.Dup3(null, at, unix.O_CLOEXEC), unix.Close(null)); err != nil {
							return err
						}
					}
				}
				if i == 0 {
					e.Again.Socket = fd
				} else {
					e.Again.CGroups = append(e.Again.CGroups, max(fd, -fd))
				}
			}
			err := e.reserve()
			if fails(err) != tt.err {
				t.Errorf("%s: %v, want %s", tt.what, err, tt.err)
			}
			if err != nil {
				return nil
			}
			for i, now := range append([]int{e.Again.Socket}, e.Again.CGroups...) {
				flags, err := unix.FcntlInt(uintptr(now), unix.F_GETFD, 0)
				if moved := now != tt.held[i]; moved != tt.moved[i] || moved && (now < first+2 || err != nil || flags != unix.FD_CLOEXEC) {
					t.Errorf("%s: %d was %d; flags %d, %v", tt.what, now, tt.held[i], flags, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}
