//go:build linux

package integration

import (
	"bufio"
	"errors"
	"hash/fnv"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is made for a service, asked for by options alone: sockets, files, credentials,
// directories, a user of its own.

// A daemon without a capability has a port below 1024, and a client that comes there.
func TestListenPort(t *testing.T) {
	requireRoot(t)
	ground(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := program{argv: []string{hardrun, "--listen=tcp:127.0.0.1:53,name=dns", "--listen=udp:127.0.0.1:53", "--user=" + itoa(attackerID) + ":" + itoa(attackerID), "--caps=none", "--", probe, "ask"}}
	cmd := p.command(t.Context())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAtEnd(t, cmd)
	said := bufio.NewReader(out)
	do := func(act ...string) {
		t.Helper()
		if _, err := io.WriteString(w, strings.Join(act, "\t")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	do("sock-port", "3")
	do("sock-accept", "3", "60000")
	do("sock-write", "5", "from the daemon")
	do("sock-echo", "4", "60000")
	do("bind", "54")
	do("setuid0")
	var conn net.Conn
	eventually(t, "a connection", func() bool {
		conn, err = net.Dial("tcp", "127.0.0.1:53")
		return err == nil
	})
	text := make([]byte, 15)
	_, err = io.ReadFull(conn, text)
	if err := errors.Join(err, conn.Close()); err != nil || string(text) != "from the daemon" {
		t.Errorf("over TCP: %q, %v", text, err)
	}
	udp, err := net.Dial("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(udp, "echo")
	if err == nil {
		err = udp.SetReadDeadline(time.Now().Add(60 * time.Second))
	}
	n := 0
	if err == nil {
		n, err = udp.Read(text)
	}
	if err := errors.Join(err, udp.Close()); err != nil || string(text[:n]) != "echo" {
		t.Errorf("over UDP: %q, %v", text[:n], err)
	}
	pid := cmd.Process.Pid
	equal(t, "CapPrm", status(t, pid, "CapPrm"), none)
	environ := environOf(t, pid)
	for _, v := range []string{"LISTEN_FDS=2", "LISTEN_PID=" + itoa(pid), "LISTEN_FDNAMES=dns:unknown"} {
		if !slices.Contains(environ, v) {
			t.Errorf("the environment is %q, without %s", environ, v)
		}
	}
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []answer{{"sock-port", 53, ""}, {"sock-accept", 5, ""}, {"sock-write", 15, ""}, {"echo", 4, ""}, {"bind", -1, "EACCES"}, {"setuid0", -1, "EPERM"}} {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		equal(t, want.Act, *decode[answer](t, line), want)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Sockets in the file system have the mode and the owner that are asked for, whatever the
// umask is, and go at the end where that is asked for.
func TestListenPaths(t *testing.T) {
	requireRoot(t)
	ground(t)
	user := itoa(attackerID)
	for _, x := range []struct {
		listen, path string
		mode         uint32
		id           uint32
	}{
		{"unix:/run/a/s,mode=0600,user=" + user + ",group=" + user, "/run/a/s", unix.S_IFSOCK | 0o600, uint32(attackerID)},
		{"unix-dgram:/run/d,mode=0620", "/run/d", unix.S_IFSOCK | 0o620, 0},
		{"unix-seqpacket:/run/q", "/run/q", unix.S_IFSOCK | 0o666, 0},
		{"fifo:/run/f,mode=0640,group=" + user, "/run/f", unix.S_IFIFO | 0o640, 0},
	} {
		r := program{argv: []string{"sh", "-c", "umask 0177; exec \"$@\"", "sh", hardrun, "--listen=" + x.listen, "--user=" + user + ":" + user, "--", probe}}.run(t)
		s := r.state(t)
		equals(t, x.listen+": descriptors", s.openFDs(), []int{0, 1, 2, 3})
		var st unix.Stat_t
		if err := unix.Lstat(x.path, &st); err != nil {
			t.Errorf("%s: %v", x.listen, err)
			continue
		}
		equal(t, x.listen+": mode", st.Mode, x.mode)
		equal(t, x.listen+": user", st.Uid, x.id)
		if strings.Contains(x.listen, "group=") {
			equal(t, x.listen+": group", st.Gid, uint32(attackerID))
		}
	}
	r := run(t, "--listen=unix:/run/stdin", "-p", "StandardInput=socket", "--user="+user+":"+user, "--", probe).state(t)
	for _, d := range r.FDs {
		if d.FD == 0 && !strings.HasPrefix(d.Target, "socket:") {
			t.Errorf("descriptor 0 is %s", d.Target)
		}
	}
	// What somebody else put there is not taken away.
	write(t, "/run/file", "kept", 0o644)
	bad := run(t, "--listen=unix:/run/file", "--", probe)
	refused(t, bad, 202, "/run/file")
	equal(t, "the file", read(t, "/run/file"), "kept")
}

// OpenFile= opens what the daemon's user could not.
func TestOpenFileOfRoot(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o700)
	file := write(t, dir+"/log", "first\n", 0o600)
	words := []string{"-p", "OpenFile=" + file + ":log:append", "--user=" + itoa(attackerID) + ":" + itoa(attackerID), "--", probe}
	s := run(t, words...).state(t)
	if v, _ := s.getenv("LISTEN_FDNAMES"); v != "log" {
		t.Errorf("LISTEN_FDNAMES=%s", v)
	}
	allowed(t, run(t, append(words, "try", "write-fd", "3", "second")...))
	denied(t, run(t, append(words, "try", "open", file, "r")...), "EACCES")
	equal(t, "the file", read(t, file), "first\nsecond")
}

// dynamic are the options of a service with a user of its own, who can execute the probe.
func dynamic(name string, more ...string) []string {
	return append([]string{"--dynamic-user", "--user=" + name, "-p", "BindReadOnlyPaths=" + probe}, more...)
}

// askedBy asks the probe as the command of a start.
func askedBy(t *testing.T, options []string, acts ...string) []answer {
	t.Helper()
	return inside(t, options, acts...)
}

// Credentials of all kinds: the daemon's user reads them, nobody else sees them, nobody
// changes them, and nothing is left.
func TestCredentials(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	dir := directory(t, 0o700)
	write(t, dir+"/one", "one", 0o600)
	write(t, dir+"/many/a", "a of many", 0o600)
	write(t, dir+"/many/b", "b of many", 0o600)
	write(t, "/run/credstore/web.key", "of the store", 0o600)
	write(t, "/run/credstore/web.cert", "of the store, too", 0o600)
	write(t, "/run/credstore/named", "by its name", 0o600)
	write(t, "/run/credentials/other.service/key", "of another service", 0o644)
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "by a socket")
			_ = c.Close()
		}
	}()
	options := []string{
		"--load-credential=one:" + dir + "/one", "--load-credential=many:" + dir + "/many", "--load-credential=sock:" + dir + "/socket",
		"--load-credential=named", "--set-credential=text:it was\\x20set", "--set-credential=one:not this", "--import-credential=web.*",
	}
	want := map[string]string{
		"one": "one", "many_a": "a of many", "many_b": "b of many", "sock": "by a socket", "named": "by its name", "text": "it was set",
		"web.key": "of the store", "web.cert": "of the store, too",
	}
	user := itoa(attackerID)
	for _, how := range [][]string{dynamic("secretive", "--state-directory=secretive"), {"--user=" + user + ":" + user, "-p", "PrivateMounts=yes"}} {
		start := append(slices.Clone(how), options...)
		s := run(t, append(slices.Clone(start), "--", probe)...).state(t)
		at, _ := s.getenv("CREDENTIALS_DIRECTORY")
		if !strings.HasPrefix(at, "/run/credentials/") {
			t.Fatalf("CREDENTIALS_DIRECTORY=%s", at)
		}
		acts := []string{"list " + at, "create " + at + "/new", "create /run/credentials/new", "list /run/credentials", "stat /run/credentials/other.service", "mode " + at}
		for name := range want {
			acts = append(acts, "read "+at+"/"+name, "mode "+at+"/"+name, "open "+at+"/"+name+" w", "unlink "+at+"/"+name, "chmod "+at+"/"+name+" 644")
		}
		got := askedBy(t, start, acts...)
		for i, act := range acts {
			a := got[i]
			word, path, _ := strings.Cut(act, " ")
			name := path[strings.LastIndexByte(path, '/')+1:]
			switch {
			case act == "list "+at:
				equal(t, act, a.Value, int64(len(want)))
			case act == "list /run/credentials":
				equal(t, act, a.Value, 1)
			case word == "stat":
				equal(t, act, a.Errno, "ENOENT")
			case act == "mode "+at:
				equal(t, act, a.Value, unix.S_IFDIR|0o500)
			case word == "mode":
				equal(t, act, a.Value, unix.S_IFREG|0o400)
			case word == "read":
				equal(t, act, a.Act, want[name])
			case a.Errno != "EROFS" && a.Errno != "EACCES":
				t.Errorf("%s: answered %q, want EROFS or EACCES", act, a.Errno)
			}
		}
		if where := strings.TrimPrefix(at, "/run/credentials/"); exists(at) || where == "" {
			t.Errorf("%s is left", at)
		}
	}
	for _, o := range []string{"--load-credential=none:" + dir + "/none", "--load-credential=../one:" + dir + "/one"} {
		if r := run(t, o, "--", probe); r.started() || r.code == 0 || !strings.Contains(r.stderr, "LoadCredential=") && !strings.Contains(r.stderr, "--load-credential") {
			t.Errorf("%s: status %d, %q%q", o, r.code, r.stdout, r.stderr)
		}
	}
}

// DynamicUser=: somebody whom the daemon knows by name, without a home, with directories
// that are kept from others.
func TestDynamicUser(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	options := dynamic("visitor", "--state-directory=visitor", "--cache-directory=visitor", "-p", "LogsDirectory=visitor/deep", "--runtime-directory=visitor")
	s := run(t, append(slices.Clone(options), "--", probe)...).state(t)
	uid := s.UIDs[0]
	if uid < 61184 || uid > 65519 {
		t.Errorf("uid %d", uid)
	}
	equals(t, "uids", s.UIDs[:3], []uint32{uid, uid, uid})
	equals(t, "gids", s.GIDs[:3], []uint32{uid, uid, uid})
	equals(t, "groups", s.Groups, []uint32{uid})
	equal(t, "no new privileges", s.NNP, 1)
	for name, want := range map[string]string{"USER": "visitor", "LOGNAME": "visitor", "STATE_DIRECTORY": "/var/lib/visitor", "CACHE_DIRECTORY": "/var/cache/visitor", "LOGS_DIRECTORY": "/var/log/visitor/deep", "RUNTIME_DIRECTORY": "/run/visitor"} {
		if v, n := s.getenv(name); v != want || n != 1 {
			t.Errorf("%s=%s, %d times", name, v, n)
		}
	}
	for _, how := range [][]string{{"id", "-un"}, {"id", "-gn"}, {"sh", "-c", "getent passwd visitor | cut -d: -f1"}, {"sh", "-c", "getent group visitor | cut -d: -f1"}} {
		r := run(t, append(append(slices.Clone(options), "--"), how...)...)
		if r.code != 0 || r.stdout != "visitor\n" {
			t.Errorf("%q: status %d, %q %q", how, r.code, r.stdout, r.stderr)
		}
	}
	if strings.Contains(read(t, "/etc/passwd"), "visitor") {
		t.Error("the host's database has the user")
	}
	for _, path := range []string{"/var/lib/visitor", "/var/cache/visitor", "/var/log/visitor/deep"} {
		to, err := os.Readlink(path)
		if err != nil || !strings.Contains(to, "private/") {
			t.Errorf("%s leads to %q: %v", path, to, err)
		}
		base := path[:strings.LastIndex(path, "/visitor")] + "/private"
		if st, err := os.Stat(base); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", base, st.Mode(), err)
		}
		denied(t, program{argv: asUser(attackerID, probe, "try", "list", path)}.run(t), "EACCES")
	}
	if exists("/run/visitor") {
		t.Error("/run/visitor is left")
	}
	for _, name := range listed(t, "/run/hardrun") {
		if name != "dynamic-uid" && name != "use" {
			t.Errorf("/run/hardrun/%s is left", name)
		}
	}
}

// A state directory goes from a static user to a dynamic one and back, with all that is in it.
func TestDynamicUserMoves(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	user := itoa(attackerID)
	static := []string{"--user=" + user + ":" + user, "--state-directory=moves"}
	owner := func(path string) int {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(path, ": ", err)
		}
		return int(st.Uid)
	}
	last := ""
	for i, options := range [][]string{static, dynamic("mover", "--state-directory=moves"), dynamic("mover", "--state-directory=moves"), static} {
		acts := []string{"mkdir /var/lib/moves/d" + itoa(i), "create /var/lib/moves/d" + itoa(i) + "/f"}
		if last != "" {
			acts = append(acts, "unlink "+last)
		}
		last = "/var/lib/moves/d" + itoa(i) + "/f"
		for n, a := range askedBy(t, options, acts...) {
			if a.Errno != "" {
				t.Errorf("start %d, %s: %s", i, acts[n], a.Errno)
			}
		}
		real, moved := "/var/lib/moves", "/var/lib/private/moves"
		if i == 1 || i == 2 {
			if to, err := os.Readlink(real); err != nil || to != "private/moves" {
				t.Errorf("start %d: %s leads to %q, %v", i, real, to, err)
			}
			if id := owner(moved + "/d0"); id < 61184 || id > 65519 {
				t.Errorf("start %d: %s belongs to %d", i, moved+"/d0", id)
			}
			continue
		}
		if exists(moved) {
			t.Errorf("start %d: %s is there", i, moved)
		}
		for n := range i + 1 {
			equal(t, "the owner of d"+itoa(n), owner(real+"/d"+itoa(n)), attackerID)
		}
	}
}

// sameUID are names at which the search for a uid begins at the same one.
func sameUID(n int) (names []string) {
	first := func(name string) uint32 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name))
		return h.Sum32() % (65519 - 61184 + 1)
	}
	for i := 0; len(names) < n; i++ {
		if name := "together" + itoa(i); first(name) == first("together0") {
			names = append(names, name)
		}
	}
	return names
}

// Services with users of their own start at once and stay, and no two have the same. No
// start waits for another service's end.
func TestDynamicUsersTogether(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	var last uint32
	mkdir(t, "/run/notes")
	if err := os.Chmod("/run/notes", 0o1777); err != nil {
		t.Fatal(err)
	}
	// All of them would have the same, if they were alone.
	names := sameUID(12)
	for i, name := range names[:2] {
		s := run(t, append(dynamic(name), "--", probe)...).state(t)
		if i > 0 && s.UIDs[0] != last {
			t.Fatalf("the names %q have the uids %d and %d: they are to be the same", names[:2], last, s.UIDs[0])
		}
		last = s.UIDs[0]
	}
	for _, parent := range []string{"--parent=auto", "--parent=never"} {
		var all []*daemon
		var files []string
		for i := range names {
			file := "/run/notes/" + strings.TrimPrefix(parent, "--parent=") + itoa(i)
			files = append(files, file)
			more := []string{parent, "-p", "ReadWritePaths=/run/notes"}
			switch i % 3 {
			case 0:
				more = append(more, "--private-users") // starts again on the way
			case 1:
				more = append(more, "-p", "ExecStartPre=+/bin/sleep 0.3") // meanwhile nobody has the uid
			}
			all = append(all, program{argv: slices.Concat([]string{hardrun}, dynamic(names[i], more...), []string{"--", probe, "serve", file, "0"})}.start(t))
		}
		uids := map[string]int{}
		for i, d := range all {
			eventually(t, files[i], func() bool {
				if status(t, d.cmd.Process.Pid, "State")[:1] == "Z" {
					t.Fatal("it has ended: " + d.stderr.String())
				}
				return exists(files[i])
			})
			var st unix.Stat_t
			if err := unix.Lstat(files[i], &st); err != nil {
				t.Fatal(err)
			}
			uids[itoa(int(st.Uid))]++
			if st.Uid < 61184 || st.Uid > 65519 {
				t.Errorf("uid %d", st.Uid)
			}
		}
		if len(uids) != len(all) {
			t.Errorf("%s: %d services have the uids %v", parent, len(all), uids)
		}
		var wait sync.WaitGroup
		for _, d := range all {
			d.signal(t, syscall.SIGTERM)
			wait.Go(func() {
				if code := d.end(t); code != 0 {
					t.Errorf("%s: status %d: %s", parent, code, d.stderr.String())
				}
			})
		}
		wait.Wait()
	}
}

// RemoveIPC=: what a user made who goes with the service goes, too.
func TestRemoveIPC(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	user := itoa(attackerID)
	const key, queue, shared = "0x5ec2e8", "/hardrun-ipc", "/dev/shm/hardrun-ipc"
	for name, x := range map[string]struct {
		options []string
		left    bool
	}{
		"dynamic": {dynamic("maker"), false},
		"static":  {[]string{"--user=" + user + ":" + user, "--remove-ipc=yes"}, false},
		"kept":    {[]string{"--user=" + user + ":" + user, "--remove-ipc=no"}, true},
		"root's":  {[]string{"--user=root", "--remove-ipc=yes"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range askedBy(t, x.options, "shm-make "+key, "mq-make "+queue, "create "+shared) {
				if a.Errno != "" {
					t.Errorf("%s: %s", a.Act, a.Errno)
				}
			}
			for _, a := range outside(t, "shm-find "+key, "mq-find "+queue, "stat "+shared) {
				if left := a.Errno == ""; left != x.left {
					t.Errorf("%s: %q, left: %v, want %v", a.Act, a.Errno, left, x.left)
				}
			}
			if x.left {
				outside(t, "shm-drop "+key, "mq-drop "+queue, "unlink "+shared)
			}
		})
	}
}

// raceIn is race as this user in a directory that others keep everybody out of: this process
// is there already.
func raceIn(t *testing.T, uid int, dir, a, b string) *racer {
	t.Helper()
	r := &racer{cmd: program{argv: []string{attackProgram(t, "swap"), itoa(uid), ".", "swap", a, b}, dir: dir}.command(t.Context())}
	r.cmd.Stdin = nil
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out, r.cmd.Stderr = bufio.NewReader(out), &r.errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAtEnd(t, r.cmd)
	return r
}

// givenVictim is a directory of root's with what an attacker wants to have.
func givenVictim(t *testing.T) string {
	t.Helper()
	dir := victim(t)
	for _, path := range []string{"/sub/secret", "/b/c/secret", "/lib/secret"} {
		write(t, dir+path, secret, 0o600)
	}
	return dir
}

// nearVictim is givenVictim on the file system of /var/lib.
func nearVictim(t *testing.T) string {
	t.Helper()
	const dir = "/var/lib/outside"
	for _, path := range []string{"/secret", "/sub/secret", "/b/c/secret"} {
		write(t, dir+path, secret, 0o600)
	}
	return dir
}

// raceTrap fills a state directory, in which x is a directory and y a link, to the victim.
func raceTrap(t *testing.T, dir, outside string, uid int) {
	t.Helper()
	for _, d := range []string{dir + "/x/sub", dir + "/x/b/c"} {
		mkdir(t, d)
		write(t, d+"/secret", "bait", 0o666)
	}
	write(t, dir+"/x/secret", "bait", 0o666)
	if err := os.Symlink(outside, dir+"/y"); err != nil {
		t.Fatal(err)
	}
	if r := runs(t, "chown", "-R", "--no-dereference", itoa(uid)+":"+itoa(uid), dir); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
}

// What the daemon left in its state directory for the next start, which is by another user and
// gives all of it to that one: nothing leads out of the directory (CVE-2018-6954, CVE-2017-18078).
func TestA48StateForAnotherUser(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	for name, first := range map[string][]string{
		"static":  {"--user=" + itoa(attackerID) + ":" + itoa(attackerID), "--state-directory=left"},
		"dynamic": dynamic("leaver", "--state-directory=left"),
	} {
		t.Run(name, func(t *testing.T) {
			mailGround(t)
			outside := nearVictim(t) // for hard links
			askedBy(t, first, "create /var/lib/left/own", "mkdir /var/lib/left/dir", "create /var/lib/left/dir/own", "fifo /var/lib/left/fifo", "mkdir /var/lib/left/mount")
			real := "/var/lib/left"
			if name == "dynamic" {
				real = "/var/lib/private/left"
			}
			// By root, who may what the daemon could not on every machine.
			if err := errors.Join(os.Link(outside+"/secret", real+"/hard"), os.Symlink(outside+"/secret", real+"/soft"), os.Symlink(outside, real+"/dir/soft"), os.Symlink("/etc", real+"/etc")); err != nil {
				t.Fatal(err)
			}
			mountAt(t, outside, real+"/mount", "", unix.MS_BIND, "")
			var st unix.Stat_t
			if err := unix.Lstat(real+"/own", &st); err != nil {
				t.Fatal(err)
			}
			// Somebody with the old uid is still there, so that a dynamic user is another.
			rest := program{argv: asUser(int(st.Uid), "sleep", "1000")}.start(t)
			eventually(t, "the old user", func() bool { return strings.HasPrefix(status(t, rest.cmd.Process.Pid, "Uid"), itoa(int(st.Uid))) })
			before := attackHost(t, outside)
			next := attackerID + 1
			second := []string{"--user=" + itoa(next) + ":" + itoa(next), "--state-directory=left"}
			if name == "dynamic" {
				second = dynamic("heir", "--state-directory=left")
			}
			refused(t, run(t, append(slices.Clone(second), "--", probe)...), 238, real+"/hard")
			hostUnchanged(t, outside, before)
			if err := os.Remove(real + "/hard"); err != nil {
				t.Fatal(err)
			}
			before = attackHost(t, outside)
			s := run(t, append(slices.Clone(second), "--", probe)...).state(t)
			if s.UIDs[0] == st.Uid {
				t.Fatalf("the second start has the uid %d, too", st.Uid)
			}
			hostUnchanged(t, outside, before)
			for _, path := range []string{"/own", "/dir", "/dir/own", "/fifo", "/soft"} {
				var its unix.Stat_t
				if err := unix.Lstat(real+path, &its); err != nil || its.Uid != s.UIDs[0] || its.Gid != s.UIDs[0] {
					t.Errorf("%s belongs to %d:%d, want %d: %v", path, its.Uid, its.Gid, s.UIDs[0], err)
				}
			}
		})
	}
}

// The same with another process of the old user, which exchanges a directory for a link all the time.
func TestA41StateRaced(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	outside := nearVictim(t)
	mkdir(t, "/var/lib/naive")
	raceTrap(t, "/var/lib/naive", "../outside", attackerID)
	r := race(t, "/var/lib/naive", "swap", "x", "y")
	taken := func() bool {
		var st unix.Stat_t
		if err := unix.Stat(outside+"/sub/secret", &st); err != nil {
			t.Fatal(err)
		}
		return st.Uid != 0
	}
	for i := 0; i < 100000 && !taken(); i++ {
		if err := os.Chown("/var/lib/naive/x/sub/secret", attackerID, attackerID); err != nil {
			t.Fatal(err)
		}
	}
	if r.stop(t); !taken() {
		t.Fatal("the attack does not work on chown(2)")
	}

	states := []string{"-p", "StateDirectory=raced", "-p", "StateDirectoryMode=0777"}
	t.Run("static", func(t *testing.T) {
		mailGround(t)
		outside := nearVictim(t)
		before := attackHost(t, outside)
		mkdir(t, "/var/lib/raced")
		raceTrap(t, "/var/lib/raced", "../outside", attackerID)
		r := race(t, "/var/lib/raced", "swap", "x", "y")
		made := 0
		for i := range 220 * *attacks {
			next := itoa(attackerID + 1 + i%2)
			res := run(t, append(slices.Clone(states), "--user="+next+":"+next, "--", "/bin/true")...)
			if res.code == 0 {
				made++
			} else {
				refused(t, res, 238, "StateDirectory=raced")
			}
			if t.Failed() {
				t.Fatal(i)
			}
		}
		n := r.stop(t)
		hostUnchanged(t, outside, before)
		t.Logf("%d of %d starts, %d exchanges", made, 220**attacks, n)
		if made == 0 || n < 2000 {
			t.Error("the race was none")
		}
	})
	t.Run("dynamic", func(t *testing.T) {
		mailGround(t)
		outside := nearVictim(t)
		const real = "/var/lib/private/raced"
		if s := runs(t, slices.Concat([]string{hardrun}, states, []string{"--dynamic-user", "--user=racer", "--", "/bin/true"})...); s.code != 0 {
			t.Fatal(s.stderr)
		}
		var st unix.Stat_t
		if err := unix.Lstat(real, &st); err != nil {
			t.Fatal(err)
		}
		raceTrap(t, real, "../../outside", int(st.Uid))
		before := attackHost(t, outside)
		r := raceIn(t, int(st.Uid), real, "x", "y")
		made := 0
		for range 100 * *attacks {
			// That the directory is the attacker's makes the next start give it to another user.
			if err := os.Lchown(real, int(st.Uid), int(st.Gid)); err != nil {
				t.Fatal(err)
			}
			res := run(t, append(slices.Clone(states), "--dynamic-user", "--user=racer", "--", "/bin/true")...)
			if res.code == 0 {
				made++
			} else {
				refused(t, res, 238, "StateDirectory=raced")
			}
			if t.Failed() {
				break
			}
		}
		n := r.stop(t)
		hostUnchanged(t, outside, before)
		t.Logf("%d of %d starts, %d exchanges", made, 100**attacks, n)
		if made == 0 || n < 2000 {
			t.Error("the race was none")
		}
	})
}

// A directory below one that the daemon's user has already, who exchanges what is between for a
// link: nothing is made, and nothing given away, where the link leads (CVE-2024-45310).
func TestA47StateRaced(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	outside := givenVictim(t)
	before := attackHost(t, outside)
	made, n := 0, 0
	user := itoa(attackerID)
	for name, to := range ways(outside) {
		top := "/var/lib/top"
		owned(t, top)
		owned(t, top+"/b")
		link(t, to, top+"/l")
		link(t, strings.Repeat("../", 12)+outside[1:], top+"/z")
		r := race(t, top, "swap", "b", "l")
		for range 40 * *attacks {
			res := run(t, "--user="+user+":"+user, "--state-directory=top", "--state-directory=top/b/c", "--state-directory=top/b/new/deep", "--", "/bin/true")
			if res.code == 0 {
				made++
			} else {
				refused(t, res, 238, "StateDirectory=top/b")
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
		n += r.stop(t)
		if err := os.RemoveAll(top); err != nil {
			t.Fatal(err)
		}
	}
	hostUnchanged(t, outside, before)
	t.Logf("%d starts of %d, %d exchanges", made, 240**attacks, n)
	if made == 0 || made == 240**attacks {
		t.Error("the race was none")
	}
}

// A root directory in which /var, /run and so on are links out of it: the service's directories are
// shown inside, or there is no start.
func TestA46StateInLinkedRoot(t *testing.T) {
	requireRoot(t)
	mailGround(t)
	outside := givenVictim(t)
	user := itoa(attackerID)
	started := 0
	create := func(root string) result {
		return run(t, "-p", "RootDirectory="+root, "--user="+user+":"+user, "--state-directory=s", "--runtime-directory=s", "--", "/probe", "try", "create", "/var/lib/s/file")
	}
	plain := cage(t) // and with a link that stays inside
	mkdir(t, plain+"/data")
	rootsLink(t, "data", plain+"/var")
	allowed(t, create(plain))
	if err := os.Remove("/var/lib/s/file"); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"/var", "/var/lib", "/run"} {
		for name, to := range ways(outside) {
			root := cage(t)
			mkdir(t, root+"/var")
			if place == "/var" {
				if err := os.Remove(root + "/var"); err != nil {
					t.Fatal(err)
				}
			}
			rootsLink(t, to, root+place)
			before := attackTree(t, outside) + attackTree(t, "/etc")
			r := create(root)
			if r.started() {
				started++
				if a := r.act(t); a.Errno == "" && !exists("/var/lib/s/file") {
					t.Errorf("%s %s: what the daemon has written is not in its directory", place, name)
				}
			}
			if after := attackTree(t, outside) + attackTree(t, "/etc"); after != before {
				t.Errorf("%s %s: the host has changed: %s", place, name, after)
			}
			if err := os.RemoveAll("/var/lib/s"); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d of 18 starts", started)
}
