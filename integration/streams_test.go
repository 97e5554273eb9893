//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"
)

const (
	readOnly   = 0
	writeOnly  = 1
	readWrite  = 2
	accessMode = 3
	appends    = 0o2000
)

func (s *state) fd(t *testing.T, n int) descriptor {
	t.Helper()
	for _, d := range s.FDs {
		if d.FD == n {
			return d
		}
	}
	t.Fatalf("descriptor %d is not open", n)
	return descriptor{}
}

func TestStreamNull(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	out := "--out=" + dir + "/state"
	words := []string{"--standard-input=null", "--standard-output=null", "--standard-error=null"}
	r := run(t, append(words, "--user=nobody", "--", probe, out)...)
	equal(t, "status", r.code, 0)
	s := decode[state](t, read(t, dir+"/state"))
	for n, access := range []int{readOnly, writeOnly, writeOnly} {
		d := s.fd(t, n)
		equal(t, "device", d.Rdev, "1:3")
		equal(t, "access", d.Flags&accessMode, access)
	}
	// Not asked for: as inherited.
	s = run(t, "--user=nobody", "--", probe).state(t)
	if s.fd(t, 1).Rdev == "1:3" {
		t.Error("stdout is not the caller's")
	}
}

func TestStreamFiles(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755) // root's: streams are opened before the user changes
	file := dir + "/log"
	for _, x := range []struct {
		word   string
		before string
		after  string
		flags  int
	}{
		{"file:", "0123456789", "new3456789", writeOnly}, // from the start, not truncated
		{"append:", "old", "oldnew", writeOnly | appends},
		{"truncate:", "0123456789", "new", writeOnly},
	} {
		t.Run(x.word, func(t *testing.T) {
			write(t, file, x.before, 0o600)
			r := run(t, "--user=nobody", "--standard-output="+x.word+file, "--", "/bin/sh", "-c", "printf new")
			if got := read(t, file); r.code != 0 || got != x.after {
				t.Errorf("status %d, got %q, want %q; %q", r.code, got, x.after, r.stderr)
			}
			state := directory(t, 0o777) + "/state"
			run(t, "--user=nobody", "--standard-output="+x.word+file, "--", probe, "--out="+state)
			equal(t, "flags", printed(t, state).fd(t, 1).Flags&(accessMode|appends), x.flags)
		})
	}
	// One file for two streams is one descriptor, so that they share an offset.
	write(t, file, "", 0o600)
	run(t, "--standard-output=file:"+file, "--standard-error=file:"+file, "--", "/bin/sh", "-c", "echo out; echo err >&2; echo out")
	equal(t, "both", read(t, file), "out\nerr\nout\n")
	run(t, "--standard-output=truncate:"+file, "--standard-error=inherit", "--", "/bin/sh", "-c", "echo one; echo two >&2")
	equal(t, "inherit", read(t, file), "one\ntwo\n")
	// In, from a file; a new one is made by the mask of the daemon.
	write(t, file, "from the file", 0o600)
	equal(t, "stdin", run(t, "--user=nobody", "--standard-input=file:"+file, "--", probe, "try", "read-stdin").act(t).Act, "from the file")
	run(t, "--umask=027", "--standard-output=append:"+dir+"/made", "--", probe)
	if st, err := os.Stat(dir + "/made"); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v, %v", st, err)
	}
}

// printed is the state that the probe left in a file.
func printed(t *testing.T, file string) *state {
	t.Helper()
	return decode[state](t, read(t, file))
}

// One file for stdout and stderr is one descriptor only where both are opened in the same way.
func TestStreamOneFile(t *testing.T) {
	requireRoot(t)
	const say = "echo out; echo err >&2"
	for _, x := range []struct{ out, err, want string }{
		{"file:", "file:", "out\nerr\n89"},
		{"append:", "append:", "0123456789out\nerr\n"},
		{"truncate:", "truncate:", "out\nerr\n"},
		{"file:", "append:", "out\n456789err\n"},
		{"append:", "truncate:", "err\n"}, // each writes: the one at the end, the other over it
		{"file:", "truncate:", "err\n"},
	} {
		file := write(t, directory(t, 0o755)+"/log", "0123456789", 0o644)
		r := run(t, "--standard-output="+x.out+file, "--standard-error="+x.err+file, "--", "/bin/sh", "-c", say)
		equal(t, x.out+x.err+" status", r.code, 0)
		equal(t, x.out+x.err, read(t, file), x.want)
	}
}

func TestStreamFilesRefused(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o777)
	refused(t, run(t, "--standard-output=file:/nosuch/log", "--", probe), 209, "StandardOutput=", "/nosuch/log")
	refused(t, run(t, "--standard-input=file:/nosuch", "--", probe), 208, "StandardInput=", "/nosuch")
	refused(t, run(t, "--standard-error=append:/nosuch/log", "--", probe), 222, "StandardError=", "/nosuch/log")
	// Where others can write, a link may be theirs (CVE-2018-6954): it is not
	// followed to what they have no right to.
	secret := write(t, directory(t, 0o700)+"/secret", "secret", 0o600)
	if err := os.Symlink(secret, dir+"/log"); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"file:", "append:", "truncate:"} {
		refused(t, run(t, "--user=nobody", "--standard-output="+how+dir+"/log", "--", probe), 209, "StandardOutput=")
		equal(t, "the file behind the link", read(t, secret), "secret")
	}
	// A device that only calls itself null (CVE-2025-31133).
	fake := write(t, dir+"/fake", "", 0o666)
	r := runs(t, private("mount --bind "+fake+" /dev/null", hardrun, "--standard-input=null", "--", probe)...)
	refused(t, r, 208, "StandardInput=", "not the null device")
	r = runs(t, private("mount --bind /dev/zero /dev/null", hardrun, "--standard-output=null", "--", probe)...)
	refused(t, r, 209, "StandardOutput=", "not the null device")
	// And the one of the new root does not come into it.
	root := cage(t)
	write(t, root+"/dev/null", "", 0o666)
	s := run(t, "--chroot="+root, "--standard-input=null", "--", "/probe").state(t)
	equal(t, "device", s.fd(t, 0).Rdev, "1:3")
}

func TestStreamData(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct {
		words []string
		want  string
	}{
		{[]string{"--standard-input-text=one", "--standard-input-text=two"}, "one\ntwo\n"},
		{[]string{"--standard-input=data", "--standard-input-data=b25lAHR3bw=="}, "one"}, // and a NUL, where the probe's text ends
		{[]string{"--standard-input=data", `--standard-input-text=tab\there`}, "tab\there\n"},
	} {
		r := run(t, append(x.words, "--user=nobody", "--", probe, "try", "read-stdin")...)
		equal(t, strings.Join(x.words, " "), r.act(t).Act, x.want)
	}
	// It cannot be changed behind its reader's back: it is sealed.
	denied(t, run(t, "--standard-input-text=x", "--", probe, "try", "write-fd", "0", "y"))
}

// What is read is no place to write to: stdout stays the caller's.
func TestStreamDataAndOutput(t *testing.T) {
	requireRoot(t)
	r := run(t, "--standard-input-text=some words", "--standard-output=inherit", "--standard-error=inherit", "--", "/bin/sh", "-c", "read a && echo got $a")
	equal(t, "status", r.code, 0)
	equal(t, "stdout", r.stdout, "got some words\n")
}

func TestStreamPassed(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	in := write(t, dir+"/in", "passed", 0o600)
	words := []string{"--", probe, "try", "read-stdin"}
	prepare := "listen env=LISTEN_FDS=2 env=LISTEN_FDNAMES=other:the-input open=3:/etc/hostname open=4:" + in
	r := runs(t, with(prepare, append([]string{hardrun, "--standard-input=fd:the-input"}, words...)...)...)
	equal(t, "stdin", r.act(t).Act, "passed")
	r = runs(t, with("listen env=LISTEN_FDS=1 open=3:"+in, append([]string{hardrun, "--standard-input=socket"}, words...)...)...)
	equal(t, "stdin", r.act(t).Act, "passed")
	refused(t, runs(t, with(prepare, append([]string{hardrun, "--standard-input=fd:nosuch"}, words...)...)...), 208, "StandardInput=", "nosuch")
	refused(t, runs(t, with(prepare, append([]string{hardrun, "--standard-input=socket"}, words...)...)...), 208, "StandardInput=")
	refused(t, run(t, append([]string{"--standard-input=fd:x"}, words...)...), 208, "StandardInput=")
}
