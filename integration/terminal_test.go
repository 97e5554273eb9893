//go:build linux

package integration

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal: what is written to the master is typed, and the slave is
// what a shell has as its own.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("needs /dev/ptmx: " + err.Error())
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile("/dev/pts/"+itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skip("needs /dev/pts: " + err.Error())
	}
	t.Cleanup(func() {
		if err := master.Close(); err != nil {
			t.Error(err)
		}
		if err := slave.Close(); err != nil {
			t.Error(err)
		}
	})
	return master, slave
}

// onTerminal runs a script of sh as the leader of a session on a terminal. The
// words of argv are "$@".
func onTerminal(t *testing.T, script string, argv ...string) (master *os.File, wait func()) {
	t.Helper()
	master, slave := pty(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	cmd := program{
		argv: append([]string{"/bin/sh", "-c", script, "sh"}, argv...),
		attr: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	}.command(ctx)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	wait = func() {
		if !done {
			done = true
			_ = cmd.Wait()
			cancel()
		}
	}
	t.Cleanup(wait)
	return master, wait
}

// typed is what the shell reads after the command has tried to type there.
func typed(t *testing.T, argv ...string) (keys string, answers []answer) {
	t.Helper()
	dir := directory(t, 0o777)
	script := `dir=$1; shift
stty -echo
for tty in 0 1 2 /dev/tty; do "$@" --out=$dir/$(basename $tty) try tiocsti $tty '#' >/dev/tty 2>$dir/err; done
stty -icanon min 0 time 1
dd bs=64 count=1 2>/dev/null >$dir/keys
`
	script = strings.ReplaceAll(script, "2>$dir/err", "") // stderr is the terminal as well
	_, wait := onTerminal(t, script, append([]string{dir}, argv...)...)
	wait()
	for _, name := range []string{"0", "1", "2", "tty"} {
		answers = append(answers, *decode[answer](t, read(t, dir+"/"+name)))
	}
	return read(t, dir+"/keys"), answers
}

// A daemon of another user does not type into the shell that started it
// (CVE-2016-2568, CVE-2017-5226).
func TestTerminalIsGivenUp(t *testing.T) {
	requireRoot(t)
	if live := read(t, "/proc/sys/dev/tty/legacy_tiocsti"); strings.TrimSpace(live) != "1" {
		t.Skip("needs sysctl dev.tty.legacy_tiocsti=1: the kernel forbids it by itself")
	}
	setpriv := requireProgram(t, "setpriv", "util-linux")
	if keys, answers := typed(t, setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", probe); !strings.HasPrefix(keys, "###") {
		t.Fatalf("without hardrun nothing was typed: %q, %+v", keys, answers)
	}
	for _, words := range [][]string{{"--user=nobody"}, {"--user=nobody", "--caps=none", "--no-new-privs"}, {"--init", "--user=nobody"}} {
		keys, answers := typed(t, append(append([]string{hardrun}, words...), "--", probe)...)
		equal(t, strings.Join(words, " ")+": what the shell read", keys, "")
		for _, a := range answers {
			if a.Errno == "" {
				t.Errorf("%v: typed: %+v", words, a)
			}
		}
	}
	if keys, _ := typed(t, hardrun, "--user=nobody", "--keep-tty", "--", probe); !strings.HasPrefix(keys, "###") {
		t.Errorf("--keep-tty did not keep it: %q", keys)
	}
}

// Where /dev/tty is not there and 0 to 2 are no terminals, as under a /dev that someone has made,
// there may be a controlling terminal all the same: who opens its device by name types there.
func TestTerminalWithoutDevTTY(t *testing.T) {
	requireRoot(t)
	if live := read(t, "/proc/sys/dev/tty/legacy_tiocsti"); strings.TrimSpace(live) != "1" {
		t.Skip("needs sysctl dev.tty.legacy_tiocsti=1: the kernel forbids it by itself")
	}
	setpriv := requireProgram(t, "setpriv", "util-linux")
	unshare := requireProgram(t, "unshare", "util-linux")
	// typedByName is what the shell reads after the command has tried to type there, the answer, and what was said.
	typedByName := func(argv ...string) (keys, text, said string) {
		dir := directory(t, 0o777)
		_, wait := onTerminal(t, `dir=$1 unshare=$2; shift 2
stty -echo
tty=$(tty)
chmod 666 "$tty"
"$unshare" --mount sh -c '
	dir=$1 tty=$2; shift 2
	mkdir $dir/dev && mount -t tmpfs tmpfs $dir/dev && mkdir $dir/dev/pts && touch $dir/dev/null || exit
	mount --bind /dev/pts $dir/dev/pts && mount --bind /dev/null $dir/dev/null && mount --rbind $dir/dev /dev || exit
	exec </dev/null >$dir/said 2>&1
	exec "$@" --out=$dir/answer try tiocsti $tty "#"
' sh "$dir" "$tty" "$@"
stty -icanon min 0 time 1
dd bs=64 count=1 2>/dev/null >$dir/keys
`, slices.Concat([]string{dir, unshare}, argv)...)
		wait()
		if b, err := os.ReadFile(dir + "/answer"); err == nil {
			text = string(b)
		}
		return read(t, dir+"/keys"), text, read(t, dir+"/said")
	}
	if keys, text, said := typedByName(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", probe); !strings.HasPrefix(keys, "#") {
		t.Fatalf("without hardrun nothing was typed: %q, %s, %s", keys, text, said)
	}
	keys, text, said := typedByName(hardrun, "--user=nobody", "--", probe)
	equal(t, "what the shell read", keys, "")
	if text == "" {
		t.Fatalf("it was not started: %s", said)
	}
	if a := decode[answer](t, text); a.Errno == "" {
		t.Errorf("typed: %+v", a)
	}

	// A setsid(2) that does nothing, and says that it has, is noticed.
	requireX86(t)
	lies := loaded(t, errnoFilter(0, uint32(unix.SYS_SETSID)))
	keys, text, said = typedByName(hardrun, "--seccomp-bpf="+lies, "--", hardrun, "--user=nobody", "--", probe)
	equal(t, "what the shell read behind a lie", keys, "")
	if text != "" || !strings.Contains(said, "terminal: ") || !strings.Contains(said, "the session is not one of its own") || !strings.Contains(said, "User=") {
		t.Errorf("behind a setsid(2) that lies: %s, %s", text, said)
	}
}

// Given up or not, what is typed still reaches the daemon: ^C, and its input.
func TestTerminalStillWorks(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	master, wait := onTerminal(t, `trap '' INT; exec 3>&1; "$@"`, hardrun, "--user=nobody", "--ignore-sigpipe=no", "--", "/bin/sh", "-c", "exec "+probe+" serve "+dir+"/notes 0")
	_ = wait
	awaited(t, dir+"/notes", "ready")
	// The shell ignores INT, and so does the daemon by inheritance until it asks.
	if _, err := master.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	awaited(t, dir+"/notes", "INT")
	f := strings.Fields(awaited(t, dir+"/notes", "ready"))
	pid := 0
	for _, c := range f[1] {
		pid = pid*10 + int(c-'0')
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait()
}

// Root that stays root keeps the terminal; so does a user who had it all along.
func TestTerminalIsKept(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	_, wait := onTerminal(t, `"$@"`, hardrun, "--no-new-privs", "--", probe, "--out="+dir+"/state")
	wait()
	s := printed(t, dir+"/state")
	equal(t, "tty", s.TTY, "open")
	_, wait = onTerminal(t, `"$@"`, hardrun, "--user=nobody", "--", probe, "--out="+dir+"/state2")
	wait()
	s = printed(t, dir+"/state2")
	equal(t, "tty", s.TTY, "ENXIO")
	equals(t, "sessions of 0 to 2", s.TTYSession, []int{-1, -1, -1})
}

// StandardInput=tty makes a terminal the daemon's own.
func TestStandardInputTTY(t *testing.T) {
	requireRoot(t)
	_, slave := pty(t)
	dir := directory(t, 0o777)
	path := slave.Name()
	words := []string{"--standard-input=tty", "--standard-output=tty", "--tty-path=" + path, "--tty-rows=33", "--tty-columns=77", "--tty-reset"}
	r := runs(t, append(append([]string{"setsid", "--fork", "--wait", hardrun}, words...), "--", probe, "--out="+dir+"/state")...)
	if r.code != 0 {
		t.Fatalf("status %d, %q", r.code, r.stderr)
	}
	s := printed(t, dir+"/state")
	equal(t, "tty", s.TTY, "open")
	equal(t, "stdin", s.fd(t, 0).Target, path)
	equal(t, "stdout", s.fd(t, 1).Target, path)
	equals(t, "sessions of 0 to 2", s.TTYSession, []int{s.SID, s.SID, -1})
	size, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row != 33 || size.Col != 77 {
		t.Errorf("%+v, %v", size, err)
	}
	// What is no terminal is refused (CVE-2025-52565).
	for _, other := range []string{"/dev/null", probe, "/nosuch", "/proc/self/fd/0"} {
		refused(t, run(t, "--standard-input=tty", "--tty-path="+other, "--", probe), 208, "StandardInput=")
	}
}
