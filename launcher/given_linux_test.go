package launcher

import (
	"errors"
	"os"
	"os/user"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
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
