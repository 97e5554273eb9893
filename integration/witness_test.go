//go:build linux

package integration

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/integration/shapes"
)

// witness is probe/witness.c at work: starts in a place of its own, of which it is known
// what they leave.
type witness struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *output
	dir  string
}

// frame is a part of its answer.
type frame struct{ name, text string }

var witnessProgram struct {
	once sync.Once
	path string
	err  error
}

// newWitness makes a place where the room is /srv and dir the own control group, if any. A
// command may take so many seconds. daemon is the path of the daemon's file there.
func newWitness(t *testing.T, room *shapeRoom, dir string, seconds int, daemon string, argv ...string) *witness {
	t.Helper()
	p := &witnessProgram
	p.once.Do(func() {
		cc := "gcc"
		if path, err := exec.LookPath("musl-gcc"); err == nil {
			cc = path
		}
		p.path = filepath.Join(base, "witness")
		if text, err := exec.Command(cc, "-static", "-O1", "-Wall", "-Wextra", "-Wno-parentheses", "-o", p.path, "probe/witness.c").CombinedOutput(); err != nil {
			p.err = fmt.Errorf("%s witness.c: %w\n%s", cc, err, text)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	if dir == "" {
		dir = "-"
	}
	w := &witness{errs: &output{}, dir: room.dir}
	w.cmd = exec.Command(p.path, append([]string{room.dir, dir, itoa(seconds), daemon}, argv...)...)
	w.cmd.Env, w.cmd.Dir, w.cmd.Stderr = smallEnv, "/", w.errs
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := w.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.in, w.out = in, bufio.NewReaderSize(out, 1<<16)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAtEnd(t, w.cmd)
	return w
}

// end lets it go, and holds that it had nothing to say.
func (w *witness) end(t *testing.T) {
	t.Helper()
	if err := w.in.Close(); err != nil {
		t.Error(err)
	}
	if err := w.cmd.Wait(); err != nil || w.errs.String() != "" {
		t.Errorf("witness: %v: %s", err, w.errs.String())
	}
}

// do is the answer to a command.
func (w *witness) do(command string) (frames []frame, err error) {
	if _, err := io.WriteString(w.in, command+"\n"); err != nil {
		return nil, fmt.Errorf("witness: %w: %s", err, w.errs.String())
	}
	for {
		head, err := w.out.ReadString('\n')
		if err != nil {
			_ = w.cmd.Wait() // what it has said is whole then
			return frames, fmt.Errorf("witness: %q: %w: %s", command, err, w.errs.String())
		}
		name, size, _ := strings.Cut(strings.TrimSuffix(head, "\n"), " ")
		n, err := strconv.Atoi(size)
		if err != nil {
			return frames, fmt.Errorf("witness: %q: %w", head, err)
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(w.out, text); err != nil {
			return frames, fmt.Errorf("witness: %w", err)
		}
		if name == "done" {
			return frames, nil
		}
		frames = append(frames, frame{name, string(text)})
	}
}

// witnessed is what is known of a start.
type witnessed struct {
	status   syscall.WaitStatus
	out, err string
	number   map[string]int // hit, before, behind, wall, cpu
	during   []string       // the files when a daemon was executed, and
	files    []string       // behind it
	left     []string       // what is another but for files: mounts, processes
	hang     bool           // it came to no end
}

// parseWitness takes the frames of one start off.
func parseWitness(frames []frame) (r witnessed, rest []frame, err error) {
	end := slices.IndexFunc(frames[min(1, len(frames)):], func(f frame) bool { return f.name == "next" || f.name == "start" })
	if end >= 0 {
		frames, rest = frames[:end+1], frames[end+1:]
	}
	r.number = map[string]int{}
	for _, f := range frames {
		switch f.name {
		case "next", "start":
		case "out":
			r.out = f.text
		case "err":
			r.err = f.text
		case "during":
			r.during = append(r.during, strings.Split(strings.TrimSuffix(f.text, "\n"), "\n")...)
		case "files":
			r.files = strings.Split(strings.TrimSuffix(f.text, "\n"), "\n")
			slices.Sort(r.files)
		case "hang":
			r.hang = true
			r.left = append(r.left, "a process: "+strings.Join(strings.Fields(f.text)[:min(4, len(strings.Fields(f.text)))], " "))
		case "mounts", "ipc", "descriptors", "processes":
			r.left = append(r.left, f.name+":\n"+f.text)
		case "calls":
		default:
			n, err := strconv.Atoi(f.text)
			if err != nil {
				return r, nil, fmt.Errorf("witness: %s %q", f.name, f.text)
			}
			r.number[f.name] = n
		}
	}
	r.status = syscall.WaitStatus(r.number["status"])
	return r, rest, nil
}

// report is what the daemon has said.
func (r *witnessed) report(dir string) (*shapes.Report, error) {
	return shapes.Parse(r.out+"\n{\"processes\":0,\"mounts\":false,\"files\":0}\n", dir)
}

// leftFile is a line of a list of files.
type leftFile struct {
	kind           string
	mode, uid, gid uint64
	size           int64
	path           string
}

func parseLeft(line string) (p leftFile) {
	words := strings.SplitN(line, " ", 6)
	p.kind, p.path = words[0], words[5]
	p.mode, _ = strconv.ParseUint(words[1], 8, 64) // the witness has printed numbers
	p.uid, _ = strconv.ParseUint(words[2], 10, 64)
	p.gid, _ = strconv.ParseUint(words[3], 10, 64)
	p.size, _ = strconv.ParseInt(words[4], 10, 64)
	return p
}

// within tells whether what is there is no more than what may be: of its kind, no larger, not
// open to more, and root's or of the same owner.
func (p leftFile) within(may leftFile) bool {
	return p.path == may.path && p.kind == may.kind && p.size <= may.size && p.mode&0o6777&^may.mode == 0 &&
		(p.uid == 0 || p.uid == may.uid) && (p.gid == 0 || p.gid == may.gid)
}

// userKeys are the keyrings of users, by their names, and how many keys they have. Those of
// sessions and processes end with them; what is left longer than they are is linked in here.
func userKeys(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for l := range strings.Lines(read(t, "/proc/keys")) {
		if _, name, ok := strings.Cut(l, " keyring   _"); ok && (strings.HasPrefix(name, "uid") || strings.HasPrefix(name, "persistent")) {
			name, size, _ := strings.Cut(strings.TrimSpace(name), ": ")
			keys[name] = size
		}
	}
	return keys
}

// keysGone holds that they are again as they were before.
func keysGone(t *testing.T, before map[string]string) {
	t.Helper()
	eventually(t, fmt.Sprintf("that keyrings of users are %q again", before), func() bool { return maps.Equal(userKeys(t), before) })
}
