//go:build linux

package integration

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// same holds that a start by hardrun leaves everything as a start without it,
// but for what differs by itself: the PID, and the serial number of a pipe.
func same(t *testing.T, got, want *state) {
	t.Helper()
	g, w := *got, *want
	for _, s := range []*state{&g, &w} {
		s.PID, s.PPID, s.PGID = 0, 0, 0
		s.FDs = slices.Clone(s.FDs)
		for i := range s.FDs {
			s.FDs[i].Ino, s.FDs[i].Target = 0, ""
		}
		for _, th := range s.Threads {
			delete(th, "NSpid")
		}
	}
	gv, wv := reflect.ValueOf(g), reflect.ValueOf(w)
	for i := range gv.NumField() {
		if !reflect.DeepEqual(gv.Field(i).Interface(), wv.Field(i).Interface()) {
			t.Errorf("%s: got %.500s, want %.500s", gv.Type().Field(i).Name, fmt.Sprintf("%+v", gv.Field(i)), fmt.Sprintf("%+v", wv.Field(i)))
		}
	}
}

// bare are the starts which ask for nothing that the probe sees.
var bare = []struct {
	name  string
	words []string
}{
	{"direct", nil},
	{"twice", []string{"--", ""}}, // hardrun under hardrun
	{"init", []string{"--init"}},
}

func bareWords(words []string) []string {
	if len(words) == 2 {
		return []string{hardrun, "--", hardrun, "--", probe}
	}
	return append(append([]string{hardrun}, words...), "--", probe)
}

// Whatever the state is in which hardrun is started, the daemon is in it.
func TestTransparent(t *testing.T) {
	requireRoot(t)
	for _, prepare := range []string{
		"",
		"ignore block",
		"ignore",
		"block",
		"ignore=1",  // nohup
		"ignore=17", // SIGCHLD: children of hardrun itself would be lost
		"block=15",
		"block=17",
		"ignore=32 ignore=33 ignore=64 block=34", // those of the C library as well
		"umask=0027 chdir=/usr",
		"affinity=1",
		"affinity=2",
		"rlimit=4:100:200",
		"inheritable",
		"without=21,8",
		"securebits=0x2f",
		"groups=1,2,3 gid=4571 uid=4571",
		"session-key=x",
		"setsid",
		"env=GOMAXPROCS=256 env=GODEBUG=x env=GOTRACEBACK=crash env=GOGC=1 env=GOMEMLIMIT=1 env=GORACE=x",
		"env=GOMAXPROCS=0 env=GODEBUG=schedtrace=1,inittrace=1",
		"env=LD_PRELOAD=/nonexistent.so env=LD_LIBRARY_PATH=/nonexistent env=GCONV_PATH=/x env=LOCPATH=/x env=SSL_CERT_FILE=/x",
		"env=LD_DEBUG=all env=MALLOC_CHECK_=3 env=GLIBC_TUNABLES=x",
		"env=NOTIFY_SOCKET=/run/x env=WATCHDOG_USEC=1 env=INVOCATION_ID=x",
	} {
		want := runs(t, with(prepare, probe)...).state(t)
		for _, b := range bare {
			if strings.Contains(prepare, "setsid") && b.name == "init" {
				continue // the session belongs to the parent then
			}
			t.Run(prepare+" "+b.name, func(t *testing.T) {
				r := runs(t, with(prepare, bareWords(b.words)...)...)
				if r.stderr != "" {
					t.Errorf("stderr %q", r.stderr)
				}
				got := r.state(t)
				if strings.Contains(prepare, "setsid") {
					got.SID, want.SID = 0, 0
				}
				if strings.Contains(prepare, "session-key") {
					got.SessionKeyring, want.SessionKeyring = 0, 0
					got.SessionKeyringIs, want.SessionKeyringIs = "", ""
				}
				same(t, got, want)
			})
		}
	}
}

// Standard descriptors that are closed are closed for the daemon, and nothing
// that is opened meanwhile takes their place.
func TestClosedStandardDescriptors(t *testing.T) {
	requireRoot(t)
	for n := range 8 {
		var closed []string
		want := []int{}
		for fd := range 3 {
			if n>>fd&1 == 1 {
				closed = append(closed, fmt.Sprintf("close=%d", fd))
			} else {
				want = append(want, fd)
			}
		}
		prepare := strings.Join(closed, " ")
		for _, b := range append(bare[:len(bare):len(bare)], struct {
			name  string
			words []string
		}{"confined", []string{"--user=nobody", "--caps=none", "--no-new-privs", "--keyring-mode=private"}}) {
			t.Run(prepare+" "+b.name, func(t *testing.T) {
				file := directory(t, 0o777) + "/state"
				r := runs(t, with(prepare, append(bareWords(b.words), "--out="+file)...)...)
				if r.code != 0 {
					t.Fatalf("status %d, %q", r.code, r.stderr)
				}
				equals(t, "open", decode[state](t, read(t, file)).openFDs(), want)
			})
		}
		// A message never ends in a file that took the place of stderr (the class of
		// CVE-2002-0820), and the status is the same.
		t.Run(prepare+" refused", func(t *testing.T) {
			dir := directory(t, 0o777)
			log, out := dir+"/log", dir+"/out"
			argv := []string{hardrun, "--standard-output=append:" + log, "--nice=-5", "--", probe, "--out=" + out}
			r := runs(t, with("gid=4572 uid=4572 "+prepare, argv...)...)
			equal(t, "status", r.code, 201)
			if exists(out) {
				t.Error("the daemon was started")
			}
			if exists(log) && read(t, log) != "" {
				t.Errorf("the message is in the daemon's file: %q", read(t, log))
			}
			if n>>2&1 == 0 && !strings.HasPrefix(r.stderr, "hardrun: ") {
				t.Errorf("stderr %q", r.stderr)
			}
		})
	}
}

// The environment is the very list of strings that hardrun got.
func TestEnvironmentUnchanged(t *testing.T) {
	dir := directory(t, 0o755)
	many := make([]string, 0, 30)
	for i := range 21 {
		many = append(many, fmt.Sprintf("BIG%d=%s", i, strings.Repeat("x", 100_000)))
	}
	for name, list := range map[string][]string{
		"duplicates":  {"A=1", "B=2", "A=3", "PATH=/usr/bin", "A=1"},
		"without =":   {"NOTHING", "A=1", "=empty name", "", "==", "A"},
		"2 MiB":       many,
		"none":        {},
		"one":         {"A=1"},
		"GO":          {"GOMAXPROCS=256", "GOMAXPROCS=1", "GODEBUG=x", "GO", "GOMAXPROCS", "GOX=1", "GOGC=", "G"},
		"LISTEN":      {"LISTEN=1", "LISTENX_FDS=1"},
		"odd bytes":   {"A=\x01\xff\n\t\"", "\x7f=1", "B=ü"},
		"of the like": {"HARDRUN_WAIT=1", "HARDRUN_AGAI=3", "XHARDRUN_AGAIN=4"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, dir+"/"+name, strings.Join(append(slices.Clone(list), ""), "\x00"), 0o644)
			prepare := []string{probe, "with", "rlimit=3:67108864:18446744073709551615", "environ=" + file, "--"}
			want := runs(t, append(prepare, probe)...).state(t).Env
			if len(want) != len(list) {
				t.Fatalf("the preparation made %d of %d", len(want), len(list))
			}
			for _, b := range bare {
				got := runs(t, append(prepare, bareWords(b.words)...)...).state(t).Env
				equals(t, b.name, got, want)
			}
		})
	}
}

func TestStdinIsInherited(t *testing.T) {
	for _, b := range bare {
		r := program{argv: append(bareWords(b.words), "try", "read-stdin"), stdin: "for the daemon"}.run(t)
		equal(t, b.name, r.act(t).Act, "for the daemon")
	}
}

// The status of the daemon is passed on.
func TestStatusOfTheDaemon(t *testing.T) {
	for _, n := range []int{0, 1, 7, 64, 203, 255} {
		equal(t, "status", run(t, "--", probe, "exit", fmt.Sprint(n)).code, n)
	}
	r := run(t, "--", probe, "die", "15")
	equal(t, "signal", int(r.signal), 15)
}

// One process, one thread, nothing else: no helper is started, no file made, no
// socket opened (a user database that is asked over one).
func TestNoHelpers(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	tr := traced(t, "", hardrun, "--user=nobody", "--caps=net_bind_service", "--chroot="+root, "--no-new-privs", "--", "/probe")
	if tr.code != 0 {
		t.Fatalf("status %d, %q", tr.code, tr.stderr)
	}
	for _, c := range tr.calls {
		switch c.name {
		case "fork", "vfork", "socket", "connect", "io_uring_setup", "mkdir", "mkdirat", "mknod", "unlink", "link", "symlink":
			t.Errorf("%s(%s)", c.name, c.args)
		case "clone", "clone3":
			if !strings.Contains(c.args, "CLONE_THREAD") {
				t.Errorf("a process was made: %s(%s)", c.name, c.args)
			}
		case "open", "openat", "openat2":
			if strings.Contains(c.args, "O_CREAT") {
				t.Errorf("a file was made: %s(%s)", c.name, c.args)
			}
			// The Go runtime reads one file of /sys at its start, and closes it.
			if !strings.Contains(c.args, "O_CLOEXEC") && !strings.Contains(c.args, "/transparent_hugepage/") {
				t.Errorf("without O_CLOEXEC: %s(%s)", c.name, c.args)
			}
		}
	}
}
