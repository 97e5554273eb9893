//go:build linux

package integration

import (
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// openMany are descriptors 3 to 50 on directories, a device and files.
func openMany() string {
	var words []string
	paths := []string{"/", "/proc", "/etc/hostname", "/dev/null", "/usr"}
	for fd := 3; fd <= 50; fd++ {
		words = append(words, fmt.Sprintf("open=%d:%s", fd, paths[fd%len(paths)]))
	}
	return strings.Join(words, " ")
}

// Of the inherited descriptors only those that are meant for the daemon reach it
// (CVE-2024-21626).
func TestDescriptors(t *testing.T) {
	requireRoot(t)
	prepare := openMany()
	if n := len(runs(t, with(prepare, probe)...).state(t).FDs); n != 51 {
		t.Fatalf("the preparation opened %d of 51", n)
	}
	for _, x := range []struct {
		name, prepare string
		words         []string
		want          []int
		pid           bool // LISTEN_PID is the daemon's, and LISTEN_FDS stands there
	}{
		{"none asked", "", nil, []int{0, 1, 2}, false},
		{"one kept", "", []string{"--keep-fd=7"}, []int{0, 1, 2, 7}, false},
		{"some kept", "", []string{"--keep-fd=50", "--keep-fd=3"}, []int{0, 1, 2, 3, 50}, false},
		{"listen", "listen env=LISTEN_FDS=2", nil, []int{0, 1, 2, 3, 4}, true},
		{"listen and kept", "listen env=LISTEN_FDS=2 env=LISTEN_FDNAMES=a:b", []string{"--keep-fd=9"}, []int{0, 1, 2, 3, 4, 9}, true},
		{"listen for init", "listen=1 env=LISTEN_FDS=2 env=LISTEN_FDNAMES=a:b", nil, []int{0, 1, 2}, false},
		{"listen for another", "listen=4194303 env=LISTEN_FDS=5", nil, []int{0, 1, 2}, false},
		{"without LISTEN_PID", "env=LISTEN_FDS=5", nil, []int{0, 1, 2}, false},
		{"none passed", "listen env=LISTEN_FDS=0", nil, []int{0, 1, 2}, false},
	} {
		for _, more := range [][]string{nil, {"--user=nobody", "--caps=none"}, {"--init"}, {"--init", "--user=nobody"}, {"--exec-stop-post=/bin/true"}, {"--exec-start-pre=/bin/true", "--user=nobody"}} {
			t.Run(x.name+" "+strings.Join(more, " "), func(t *testing.T) {
				argv := append(append(append([]string{hardrun}, x.words...), more...), "--", probe)
				s := runs(t, with(prepare+" "+x.prepare, argv...)...).state(t)
				equals(t, "open", s.openFDs(), x.want)
				pid, n := s.getenv("LISTEN_PID")
				fds, m := s.getenv("LISTEN_FDS")
				if !x.pid {
					_, names := s.getenv("LISTEN_FDNAMES")
					equal(t, "LISTEN_ variables", n+m+names, 0)
					return
				}
				// Under --init the daemon has another PID, and LISTEN_PID says so.
				equal(t, "LISTEN_PID", pid, strconv.Itoa(s.PID))
				equal(t, "LISTEN_FDS is there", fds != "", true)
				equal(t, "LISTEN_ variables", n+m, 2)
			})
		}
	}
	// A cleared environment keeps what belongs to the descriptors.
	s := runs(t, with(prepare+" listen env=LISTEN_FDS=2", hardrun, "--clear-env", "--", probe)...).state(t)
	pid, _ := s.getenv("LISTEN_PID")
	equal(t, "LISTEN_PID", pid, strconv.Itoa(s.PID))
	equal(t, "variables", len(s.Env), 2)
}

func TestDescriptorsRefused(t *testing.T) {
	// A number which the caller left free may be one that the launcher itself uses
	// meanwhile: its /proc, its log. None of these is for the daemon.
	for fd := 3; fd < 80; fd++ {
		r := run(t, fmt.Sprintf("--keep-fd=%d", fd), "--", probe)
		if refused(t, r, 202, fmt.Sprintf("descriptor %d was not passed", fd)); t.Failed() {
			break
		}
	}
	refused(t, run(t, "--keep-fd=-1", "--", probe), 64, "--keep-fd")
	refused(t, run(t, "--keep-fd=x", "--", probe), 64, "--keep-fd")
	refused(t, runs(t, with("listen env=LISTEN_FDS=1", hardrun, "--", probe)...), 202, "LISTEN_FDS=1")
	refused(t, runs(t, with("listen env=LISTEN_FDS=3 open=3:/", hardrun, "--", probe)...), 202, "LISTEN_FDS=3")
	refused(t, runs(t, with("listen env=LISTEN_FDS=x open=3:/", hardrun, "--", probe)...), 202, "LISTEN_FDS=")
	refused(t, runs(t, with("listen env=LISTEN_FDS=-1 open=3:/", hardrun, "--", probe)...), 202, "LISTEN_FDS=")
}

// A directory outside that is open is a way out of a root. Nothing is left open.
func TestNoWayOutByDescriptor(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	marker := "/etc/hostname"
	act := []string{"try", "fd-escape", marker}
	prepare := "open=7:/ open=8:/proc"
	out := runs(t, with(prepare+" chroot="+root, append([]string{"/probe"}, act...)...)...)
	if a := out.act(t); a.Value != 1 {
		t.Fatalf("the escape does not work without hardrun: %+v", a)
	}
	for _, more := range [][]string{nil, {"--user=nobody"}, {"--init"}} {
		words := append(append([]string{hardrun, "--chroot=" + root}, more...), "--", "/probe")
		if a := runs(t, with(prepare, append(words, act...)...)...).act(t); a.Value != 0 {
			t.Errorf("%v: outside was reached", more)
		}
	}
	// One that is kept is kept knowingly.
	words := append([]string{hardrun, "--chroot=" + root, "--keep-fd=7", "--", "/probe"}, act...)
	if a := runs(t, with(prepare, words...)...).act(t); a.Value != 1 {
		t.Error("--keep-fd=7 did not keep it")
	}
}

// The loader of a launcher is a way into it: there is none.
func TestStatic(t *testing.T) {
	f, err := elf.Open(hardrun)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("a program header %v", p.Type)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
