package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func tell(text string, fds ...int) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	must(unix.Sendmsg(fd, []byte(text), rights, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0))
	must(unix.Close(fd))
}

// talk is a daemon that says its words one after the other, and does what those in small
// letters stand for.
func talk(words []string) {
	mono := func() string {
		var t unix.Timespec
		must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
		return strconv.FormatInt(t.Nano()/1000, 10)
	}
	for _, w := range words {
		name, value, _ := strings.Cut(w, ":")
		switch name {
		case "wait":
			d, err := time.ParseDuration(value)
			must(err)
			time.Sleep(d)
		case "file":
			must(os.WriteFile(value, []byte(strconv.Itoa(os.Getpid())), 0o644))
		case "unblocked": // dash has all signals blocked until the child that it made has executed
			for {
				text, err := os.ReadFile(fmt.Sprint("/proc/", os.Getppid(), "/status"))
				must(err)
				if strings.Contains(string(text), "SigBlk:\t0000000000000000") {
					break
				}
				time.Sleep(time.Millisecond)
			}
		case "forever":
			time.Sleep(1000 * time.Second)
		case "child": // says something, and ends
			c := exec.Command("/proc/self/exe", "talk", value, "barrier")
			must(c.Run())
		case "stays": // is there, and goes on
			c := exec.Command("/bin/sleep", "1000")
			must(c.Start())
			tell("MAINPID=" + strconv.Itoa(c.Process.Pid))
		case "reloads":
			came := make(chan os.Signal, 10)
			signal.Notify(came, unix.SIGHUP)
			go func() {
				for range came {
					tell("RELOADING=1") // without a time it may be an old one
					tell("RELOADING=1\nMONOTONIC_USEC=" + mono())
					time.Sleep(100 * time.Millisecond)
					must(os.WriteFile("reloaded", []byte("1"), 0o644))
					tell("READY=1")
				}
			}()
		case "barrier":
			var p [2]int
			must(unix.Pipe2(p[:], unix.O_CLOEXEC))
			tell("BARRIER=1", p[1])
			must(unix.Close(p[1]))
			_, err := unix.Read(p[0], make([]byte, 1))
			must(err)
		case "flood":
			var fds []int
			for range 200 {
				fds = append(fds, 0)
			}
			for range 300 {
				tell("FDSTORE=1", fds...)
			}
		case "long":
			tell("READY=1\n" + strings.Repeat("x", 5000))
		case "nul":
			tell("READY=1\x00")
		case "exit":
			n, err := strconv.Atoi(value)
			must(err)
			os.Exit(n)
		default:
			tell(w)
		}
	}
	os.Exit(0)
}

// says is the text of a command that talks.
func says(words ...string) string {
	text := `exec "$SELF" talk`
	for _, w := range words {
		text += " '" + w + "'"
	}
	return text
}

func TestNotify(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     string
		access   string
		commands map[string]string
		change   func(s *Spec)
		stop     string // TERM when this file is there
		status   int
		trace    []string
	}{
		{"ready", "notify", "main", map[string]string{pre: "true", main: says("wait:100ms", "STATUS=starting", "READY=1", "forever"), post: "echo 1 >up", stopCmd: "true"}, nil, "up", 0, []string{"ExecStartPre", "ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID", "ExecStop MAINPID success", "clean"}},
		{"exec may speak", "notify", "exec", map[string]string{pre: "true", main: says("READY=1", "forever"), post: says("STATUS=posted") + "\x00echo 1 >up"}, nil, "up", 0, []string{"ExecStartPre NOTIFY_SOCKET", "ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID NOTIFY_SOCKET", "ExecStartPost1 MAINPID NOTIFY_SOCKET", "clean"}},
		{"a child may not", "notify", "main", map[string]string{main: says("child:READY=1", "forever"), post: "true"}, func(s *Spec) { s.TimeoutStart = 600e3 }, "", 124, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"nor with exec", "notify", "exec", map[string]string{main: says("child:READY=1", "forever"), post: "true"}, func(s *Spec) { s.TimeoutStart = 600e3 }, "", 124, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"a child may", "notify", "all", map[string]string{main: says("child:READY=1", "forever"), post: "echo 1 >up"}, nil, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID NOTIFY_SOCKET", "clean"}},
		{"or between", "notify", "main", map[string]string{main: `"$SELF" talk READY=1 forever; exit 3`, post: "echo 1 >up"}, func(s *Spec) { s.Between = true }, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID", "clean"}},
		{"nobody is heard", "simple", "none", map[string]string{main: `test -z "$NOTIFY_SOCKET"`}, nil, "", 0, []string{"ExecStart", "clean"}},
		{"nonsense", "notify", "main", map[string]string{main: says("READY=2", "READY", "", "long", "nul", "=", "EXTEND_TIMEOUT_USEC=x", "MAINPID=x", "MAINPID=-1", "MAINPID=0", "forever"), post: "true"}, func(s *Spec) { s.TimeoutStart = 600e3 }, "", 124, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"more time", "notify", "main", map[string]string{main: says("EXTEND_TIMEOUT_USEC=20000000", "wait:3s", "READY=1", "forever"), post: "echo 1 >up"}, func(s *Spec) { s.TimeoutStart = 2500e3 }, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID", "clean"}},
		{"never less", "notify", "main", map[string]string{main: says("EXTEND_TIMEOUT_USEC=1", "wait:400ms", "READY=1", "forever"), post: "echo 1 >up"}, nil, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "ExecStartPost MAINPID", "clean"}},
		{"it stops by itself", "notify", "main", map[string]string{main: says("READY=1", "wait:100ms", "STOPPING=1", "wait:300ms", "exit:5"), stopCmd: "true", stopPostCmd: "true"}, nil, "", 5, []string{"ExecStart NOTIFY_SOCKET", "ExecStopPost exit-code exited 5", "clean"}},
		{"or says so only", "notify", "main", map[string]string{main: says("READY=1", "STOPPING=1", "forever"), stopCmd: "true", stopPostCmd: "true"}, func(s *Spec) { s.TimeoutStop = 400e3 }, "", 124, []string{"ExecStart NOTIFY_SOCKET", "ExecStopPost timeout killed KILL", "clean"}},
		{"a barrier", "notify", "main", map[string]string{main: says("READY=1", "barrier", "file:up", "forever")}, nil, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"descriptors", "notify", "main", map[string]string{main: says("READY=1", "flood", "barrier", "file:up", "forever")}, nil, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
		{"another main process", "notify", "main", map[string]string{main: says("READY=1", "stays", "wait:300ms", "file:up", "forever"), stopCmd: `test "$MAINPID" != "$(cat up)" && kill $MAINPID`}, nil, "up", 0, nil},
		{"a stranger's number", "notify", "main", map[string]string{main: says("READY=1", "MAINPID=1", "MAINPID="+strconv.Itoa(os.Getpid()), "MAINPID=4194303", "barrier", "file:up", "forever"), stopCmd: `test "$MAINPID" = "$(cat up)"`}, nil, "up", 0, []string{"ExecStart NOTIFY_SOCKET", "ExecStop MAINPID success", "clean"}},
		{"reload without a handler", "notify-reload", "all", map[string]string{main: `"$SELF" talk unblocked READY=1 barrier; ` + forever, post: "true"}, nil, "", 76, []string{"ExecStart NOTIFY_SOCKET", "clean"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := spec(c.kind, c.commands)
			s.Notify, s.Spec.NotifyAccess = true, c.access
			if c.change != nil {
				c.change(&s.Spec)
			}
			v := begin(t, s)
			if c.stop != "" {
				v.there(c.stop)
				time.Sleep(200 * time.Millisecond) // the command that made it may still run
				if c.name == "descriptors" {
					list, err := os.ReadDir(fmt.Sprint("/proc/", v.cmd.Process.Pid, "/fd"))
					if err != nil || len(list) > 20 {
						t.Errorf("%d descriptors (%v)", len(list), err)
					}
				}
				v.send(unix.SIGTERM)
			}
			if c.trace == nil {
				c.trace = []string{"ExecStart NOTIFY_SOCKET", "ExecStop MAINPID success", "clean"}
			}
			v.ends(c.status, c.trace...)
			v.nobody()
			if c.name == "exec may speak" && !strings.Contains(v.out.String(), "status: posted") {
				t.Errorf("output: %s", v.out.String())
			}
			if _, err := os.Lstat(v.dir + "/n/notify"); !os.IsNotExist(err) {
				t.Error("the socket is left")
			}
		})
	}
}

// TestHandsOver is a main process, no child of the parent, that names another one and ends
// before the parent looks: the end is not that of the other.
func TestHandsOver(t *testing.T) {
	s := spec("notify", map[string]string{
		main: `sleep 1000 & echo $! >second
			sh -c '"$SELF" talk MAINPID=$$ READY=1 barrier; echo $$ >first; until test -e go; do sleep 0.02; done; exec "$SELF" talk MAINPID=$(cat second)' &
			exec sleep 1000`,
		stopCmd: "echo ${MAINPID-none} >asked",
	})
	s.Notify, s.Spec.NotifyAccess = true, "all"
	v := begin(t, s)
	v.there("first")
	v.send(unix.SIGSTOP)
	v.put("go", "1")
	v.until("the end of the first", func() bool {
		text, _ := os.ReadFile("/proc/" + v.get("first") + "/stat")
		return strings.Contains(string(text), ") Z ")
	})
	v.send(unix.SIGCONT)
	time.Sleep(300 * time.Millisecond)
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart NOTIFY_SOCKET", "ExecStop MAINPID NOTIFY_SOCKET success", "clean")
	if got, want := v.get("asked"), v.get("second"); got != want {
		t.Errorf("MAINPID is %s, want %s", got, want)
	}
	v.nobody()
}

// TestNotifyAndEnd hears what a process has said that ends at once.
func TestNotifyAndEnd(t *testing.T) {
	for range 10 {
		s := spec("notify", map[string]string{main: says("READY=1"), post: "true"})
		s.Notify = true
		v := begin(t, s)
		_ = v.cmd.Wait()
		v.done = true
		// Whether the end was seen before ExecStartPost= is open.
		if got := strings.ReplaceAll(v.get("trace"), " MAINPID", ""); got != "ExecStart NOTIFY_SOCKET\nExecStartPost\nclean" || v.cmd.ProcessState.ExitCode() != 0 {
			t.Fatalf("status %d, trace:\n%s\n%s", v.cmd.ProcessState.ExitCode(), got, v.out.String())
		}
	}
}

// TestNotifyReload reloads by a signal, and ends it when the daemon says so.
func TestNotifyReload(t *testing.T) {
	t.Parallel()
	s := spec("notify-reload", map[string]string{main: says("reloads", "READY=1", "file:up", "forever"), reloadCmd: "true", "ExecReloadPost": "test -s reloaded && echo 1 >>posted"})
	s.Notify = true
	v := begin(t, s)
	v.there("up")
	for n := 1; n <= 2; n++ {
		v.send(unix.SIGHUP)
		v.until("a reload", func() bool { return strings.Count(v.get("posted"), "1") == n })
		time.Sleep(50 * time.Millisecond)
	}
	v.send(unix.SIGTERM)
	v.ends(0, "ExecStart NOTIFY_SOCKET", "ExecReload MAINPID", "ExecReloadPost MAINPID", "ExecReload MAINPID", "ExecReloadPost MAINPID", "clean")
	v.nobody()
}

// TestNotifyStranger sends from a process that is none of the service's.
func TestNotifyStranger(t *testing.T) {
	t.Parallel()
	for _, access := range []string{"main", "exec", "all"} {
		s := spec("notify", map[string]string{main: says("file:up", "forever"), post: "true"})
		s.Notify, s.Spec.NotifyAccess, s.Spec.TimeoutStart = true, access, 1e6
		v := begin(t, s)
		v.there("up")
		for range 10 {
			if err := sendOn(v.dir+"/n/notify", "READY=1\n"); err != nil {
				t.Fatal(err)
			}
		}
		v.ends(124, "ExecStart NOTIFY_SOCKET", "clean")
	}
}

// TestNotifyOuter passes on what the daemon says.
func TestNotifyOuter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, main string
		want       []string
	}{
		{"notify", says("STATUS=a\nMAINPID=1\nX_OWN=b", "READY=1", "FDSTORE=1", "child:STATUS=no"), []string{"STATUS=a\nX_OWN=b\n", "READY=1\n"}},
		{"simple", "true", []string{"READY=1\n"}},
	} {
		dir := t.TempDir()
		fd, err := Listen(dir + "/n/outer")
		if err != nil {
			t.Fatal(err)
		}
		s := spec(c.kind, map[string]string{main: c.main})
		s.Notify, s.Spec.Outer = c.kind == "notify", dir+"/n/outer"
		v := begin(t, s)
		timer := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
		_ = v.cmd.Wait()
		timer.Stop()
		v.done = true
		var got []string
		for {
			text, pid, err := receive(fd, make([]byte, 4096))
			if err != nil {
				break
			}
			if pid != v.cmd.Process.Pid {
				t.Errorf("from %d", pid)
			}
			got = append(got, text)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%q, want %q\n%s", got, c.want, v.out.String())
		}
		_ = unix.Close(fd)
	}
}

// TestListen makes the socket only where nobody else could have put it.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	for name, make := range map[string]func(path string) error{
		"file":     func(p string) error { return os.WriteFile(p, nil, 0o644) },
		"link":     func(p string) error { return os.Symlink(dir, p) },
		"writable": func(p string) error { return errorsJoin(os.Mkdir(p, 0o755), os.Chmod(p, 0o777)) },
		"given":    func(p string) error { return errorsJoin(os.Mkdir(p, 0o755), os.Chown(p, 12345, -1)) },
	} {
		if name == "given" && os.Getuid() != 0 {
			continue
		}
		if err := make(dir + "/" + name); err != nil {
			t.Fatal(err)
		}
		if fd, err := Listen(dir + "/" + name + "/s"); err == nil {
			t.Errorf("%s: it was made", name)
			_ = unix.Close(fd)
		}
	}
	for _, path := range []string{"", "s", "/s", dir + "/d/", dir + "/d/" + strings.Repeat("x", 108)} {
		if fd, err := Listen(path); err == nil {
			t.Errorf("%q: it was made", path)
			_ = unix.Close(fd)
		}
	}
	for range 2 { // the second takes the place of the first
		fd, err := Listen(dir + "/new/s")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		st, err := os.Stat(dir + "/new/s")
		if err != nil || st.Mode() != os.ModeSocket|0o666 {
			t.Errorf("%v %v", st.Mode(), err)
		}
	}
	const name = "@hardrun-test-of-listen"
	fd, err := Listen(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := sendOn(name, "READY=1"); err != nil {
		t.Fatal(err)
	}
	text, pid, err := receive(fd, make([]byte, 64))
	if err != nil || text != "READY=1" || pid != os.Getpid() {
		t.Errorf("%q of %d: %v", text, pid, err)
	}
	if fd, err := Listen(name); err == nil {
		t.Error("a name was taken over")
		_ = unix.Close(fd)
	}
}

func errorsJoin(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func FuzzParseNotice(f *testing.F) {
	for _, s := range []string{"READY=1", "READY=1\nMAINPID=12\nSTATUS=\x1b[2J", "EXTEND_TIMEOUT_USEC=18446744073709551616", "=\n\n==", "MAINPID=4294967296", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseNotice(s)
		if ok == strings.Contains(s, "\x00") {
			t.Errorf("%q: %v", s, ok)
		}
		if n.mainPID < 0 || strings.ContainsFunc(n.status+n.errno, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(n.outer) > len(s)+1 {
			t.Errorf("%q: %+v", s, n)
		}
		for line := range strings.SplitSeq(n.outer, "\n") {
			if strings.HasPrefix(line, "MAINPID=") || strings.HasPrefix(line, "FDSTORE=") || strings.HasPrefix(line, "BARRIER=") {
				t.Errorf("%q passes on %q", s, line)
			}
		}
	})
}
