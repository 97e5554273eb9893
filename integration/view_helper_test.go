//go:build linux

package integration

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The main thread is kept for TestMain: /proc/self is the main thread's, and a
// test that calls outer changes what its own thread sees.
func init() { runtime.LockOSThread() }

// outer gives the test, and all that it starts, mounts of its own in place of the
// host's, with this propagation. Subtests do not have them. The thread ends with
// the test.
func outer(t *testing.T, propagation uintptr) {
	t.Helper()
	requireRoot(t)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal("unshare: ", err)
	}
	// Private first: shared with the host, what the test mounts would arrive there.
	for _, p := range []uintptr{unix.MS_PRIVATE, propagation} {
		if err := unix.Mount("", "/", "", unix.MS_REC|p, ""); err != nil {
			t.Fatal("mount: ", err)
		}
	}
}

// mountAt mounts in the test's own namespace (outer), until the test ends.
func mountAt(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", kind, target, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Errorf("umount %s: %v", target, err)
		}
	})
}

func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines are acts as "probe ask" takes them: words parted by blanks, or by tabs in
// an act where a word has a blank.
func lines(acts []string) string {
	var b strings.Builder
	for _, a := range acts {
		if !strings.Contains(a, "\t") {
			a = strings.ReplaceAll(a, " ", "\t")
		}
		b.WriteString(a + "\n")
	}
	return b.String()
}

// asked starts a program that becomes the probe, and has it do all these acts.
func asked(t *testing.T, p program, acts ...string) []answer {
	t.Helper()
	p.stdin = lines(acts)
	r := p.run(t)
	if r.code != 0 {
		t.Fatalf("%q: status %d, stderr %q, stdout %q", r.argv, r.code, r.stderr, r.stdout)
	}
	var answers []answer
	for l := range strings.Lines(r.stdout) {
		answers = append(answers, *decode[answer](t, l))
	}
	if len(answers) != len(acts) {
		t.Fatalf("%q: %d answers to %d acts: %s", r.argv, len(answers), len(acts), r.stdout)
	}
	return answers
}

// inside are the answers of a probe that hardrun confines.
func inside(t *testing.T, options []string, acts ...string) []answer {
	t.Helper()
	return asked(t, program{argv: slices.Concat([]string{hardrun}, options, []string{"--", probe, "ask"})}, acts...)
}

// outside are the answers of the probe without hardrun.
func outside(t *testing.T, acts ...string) []answer {
	t.Helper()
	return asked(t, program{argv: []string{probe, "ask"}}, acts...)
}

// undo has the probe take something away when the test ends.
func undo(t *testing.T, acts ...string) {
	t.Helper()
	t.Cleanup(func() {
		cmd := exec.Command(probe, "ask")
		cmd.Stdin = strings.NewReader(lines(acts))
		out, err := cmd.Output()
		if err != nil || strings.Count(string(out), `"errno":""`) != len(acts) {
			t.Errorf("%q: %v, %s", acts, err, out)
		}
	})
}

// attempt is an act, the errno of it under the options, and that without them.
// Empty is: it works.
type attempt struct{ act, under, bare string }

func acts(list []attempt) []string {
	var words []string
	for _, a := range list {
		words = append(words, a.act)
	}
	return words
}

// attempts holds acts under options to what they must be answered, and the same
// acts without hardrun, afterwards.
func attempts(t *testing.T, options []string, list ...attempt) {
	t.Helper()
	for i, a := range inside(t, options, acts(list)...) {
		if a.Errno != list[i].under {
			t.Errorf("%s: %s: answered %q (%d), want %q", strings.Join(options, " "), list[i].act, a.Errno, a.Value, list[i].under)
		}
	}
	for i, a := range outside(t, acts(list)...) {
		if a.Errno != list[i].bare {
			t.Errorf("without hardrun: %s: answered %q, want %q", list[i].act, a.Errno, list[i].bare)
		}
	}
}

// said is what the probe found: a list, a text, a name.
func said(t *testing.T, options []string, act string) string {
	t.Helper()
	a := inside(t, options, act)[0]
	if a.Errno != "" {
		t.Errorf("%s: %s: %s", strings.Join(options, " "), act, a.Errno)
	}
	return a.Act
}

// saidOutside is the same without hardrun.
func saidOutside(t *testing.T, act string) string {
	t.Helper()
	return outside(t, act)[0].Act
}

// starting is the line of a start.
func starting(options ...string) []string {
	return slices.Concat([]string{hardrun}, options, []string{"--", probe, "ask"})
}

// existing are those of the paths that are there.
func existing(paths ...string) []string {
	return slices.DeleteFunc(paths, func(p string) bool { return !exists(p) })
}

// mountsOf is the list of mounts that a start has, a line each.
func mountsOf(t *testing.T, options ...string) []string {
	t.Helper()
	text := said(t, options, "read /proc/self/mountinfo")
	return strings.Split(strings.TrimSpace(text), "\n")
}

// conversation is a probe that answers act by act.
type conversation struct {
	daemon *daemon
	in     *os.File
	out    *os.File
	have   []byte
}

// converse starts a program that becomes "probe ask", and goes on.
func converse(t *testing.T, argv ...string) *conversation {
	t.Helper()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := program{argv: argv}
	d := &daemon{cmd: p.command(context.Background()), stderr: &output{}}
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = in, tell, d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{in, tell} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c := &conversation{daemon: d, in: feed, out: out}
	t.Cleanup(func() {
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
		if code := d.end(t); code != 0 {
			t.Errorf("%q: ended with %d, stderr %q", argv, code, d.stderr)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// do has one act done, and waits for the answer.
func (c *conversation) do(t *testing.T, act string) answer {
	t.Helper()
	if _, err := c.in.WriteString(lines([]string{act})); err != nil {
		t.Fatal(err)
	}
	for {
		if l, rest, ok := strings.Cut(string(c.have), "\n"); ok {
			c.have = []byte(rest)
			return *decode[answer](t, l)
		}
		buf := make([]byte, 16384)
		n, err := c.out.Read(buf)
		if err != nil {
			t.Fatalf("%s: no answer: %v; stderr %q", act, err, c.daemon.stderr)
		}
		c.have = append(c.have, buf[:n]...)
	}
}

// expect has one act done and holds the errno of the answer.
func (c *conversation) expect(t *testing.T, act, errno string) answer {
	t.Helper()
	a := c.do(t, act)
	if a.Errno != errno {
		t.Errorf("%s: answered %q (%d), want %q", act, a.Errno, a.Value, errno)
	}
	return a
}
