//go:build linux

package integration

import (
	"net"
	"strings"
	"testing"
)

// A waiver lets one named directive go where it cannot be had, says so in one
// line, and does nothing where it can.
func TestWaivers(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		name    string
		prepare string
		words   []string // the refused ones
		waive   string
		code    int
	}{
		{"no such module", "", []string{"--apparmor-profile=x"}, "AppArmorProfile", 231},
		{"not applied", "", []string{"--startup-cpu-weight=5"}, "StartupCPUWeight", 78},
		{"found at compile", "without=24 rlimit=12:100:1000", []string{"--limit-msgqueue=2000"}, "LimitMSGQUEUE", 205},
		{"found at the call", "gid=65534 uid=65534", []string{"--nice=-5"}, "Nice", 201},
		{"no real-time", "gid=65534 uid=65534", []string{"--cpu-scheduling-policy=fifo"}, "CPUSchedulingPolicy", 214},
	} {
		t.Run(x.name, func(t *testing.T) {
			start := func(words ...string) result {
				argv := append(append(append([]string{hardrun}, words...), x.words...), "--", probe)
				if x.prepare != "" {
					argv = with(x.prepare, argv...)
				}
				return runs(t, argv...)
			}
			r := start()
			refused(t, r, x.code, x.waive+"=")
			r = start("--waive=" + x.waive)
			if r.code != 0 || !r.started() {
				t.Fatalf("waived: status %d, %q", r.code, r.stderr)
			}
			if !strings.HasPrefix(r.stderr, "hardrun: waived "+x.waive+"=") || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("stderr %q, want one line \"hardrun: waived %s=…\"", r.stderr, x.waive)
			}
			r = start("--waive="+x.waive, "--strict")
			refused(t, r, x.code, x.waive+"=")
			// A waiver of something else.
			r = start("--waive=OOMScoreAdjust")
			refused(t, r, x.code, x.waive+"=")
		})
	}
	r := run(t, "--waive=NoNewPrivileges,SecureBits,Nice", "--no-new-privs", "--umask=077", "--nice=3", "--", probe)
	s := r.state(t)
	equal(t, "stderr", r.stderr, "")
	equal(t, "no_new_privs", s.NNP, 1)
	equal(t, "umask", s.UMask, "0077")
	equal(t, "nice", s.Nice, 3)
	// Nothing in the environment waives.
	r = program{argv: []string{hardrun, "--startup-cpu-weight=5", "--", probe}, env: []string{"HARDRUN_WAIVE=StartupCPUWeight", "WAIVE=all", "X_HARDRUN_WAIVE=StartupCPUWeight"}}.run(t)
	refused(t, r, 78, "StartupCPUWeight=", "--waive=StartupCPUWeight")
}

// hardrun's own messages, where they are asked to go; the daemon's output is the
// daemon's.
func TestLog(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/log", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	lines := make(chan string, 16)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := server.Read(buf)
			if err != nil {
				close(lines)
				return
			}
			lines <- string(buf[:n])
		}
	}()
	start := func(words ...string) result {
		script := "mount --bind /dev " + dir + "/dev; mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; touch /dev/log; mount --bind " + dir + "/log /dev/log"
		return runs(t, private(script, append(append([]string{hardrun}, words...), "--", probe)...)...)
	}
	if r := runs(t, "mkdir", dir+"/dev"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	isError := func(what string) {
		t.Helper()
		line := <-lines
		if !strings.HasPrefix(line, "<27>hardrun[") || !strings.Contains(line, "unknown user") || strings.Contains(line, "\n") {
			t.Errorf("%s: %q", what, line)
		}
		if hint := <-lines; !strings.HasPrefix(hint, "<27>hardrun[") || !strings.Contains(hint, "]: hint: ") {
			t.Errorf("%s: %q", what, hint)
		}
	}
	r := start("--log=syslog", "--user=nosuch")
	equal(t, "status", r.code, 217)
	equal(t, "stderr", r.stderr, "")
	isError("syslog")
	r = start("--log=both", "--user=nosuch")
	refused(t, r, 217, "unknown user")
	isError("both")
	r = start("--log=stderr", "--user=nosuch")
	refused(t, r, 217, "unknown user")
	// Of the executor as well, which no Go code helps.
	r = start("--log=syslog", "--user=nobody", "--working-directory=/root")
	equal(t, "status", r.code, 200)
	equal(t, "stderr", r.stderr, "")
	if l := <-lines; !strings.HasPrefix(l, "<27>hardrun[") || !strings.Contains(l, "WorkingDirectory=") {
		t.Errorf("%q", l)
	}
	// And of who explains denials.
	for _, where := range []string{"syslog", "both"} {
		r = start("--log="+where, "--explain-denials", "--system-call-filter=~umask:EPERM")
		equal(t, "on stderr", len(explained(r.stderr)) > 0, where == "both")
		for _, end := range []string{"", " (2 times)"} { // it asks, and gives back
			if l := <-lines; !strings.HasPrefix(l, "<27>hardrun[") || !strings.Contains(l, "]: probe[") || !strings.HasSuffix(l, "umask → EPERM by SystemCallFilter= --system-call-filter"+end) {
				t.Errorf("%q", l)
			}
		}
	}
	// A start that works says nothing, and the socket is not the daemon's.
	s := start("--log=both", "--user=nobody").state(t)
	equals(t, "open", s.openFDs(), []int{0, 1, 2})
	select {
	case l := <-lines:
		t.Errorf("said %q", l)
	default:
	}
	// No socket to be had: a refusal, as the messages would be lost.
	r = runs(t, private("mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3", hardrun, "--log=syslog", "--", probe)...)
	if r.code == 0 || r.started() || !strings.Contains(r.stderr, "/dev/log") {
		t.Errorf("status %d, %q", r.code, r.stderr)
	}
}
