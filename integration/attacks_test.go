//go:build linux

package integration

import (
	"bufio"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The attacks_ files show attacks on paths, descriptors and mounts, first at work
// without hardrun or on another launcher, then against it. Races are won by chance:
// -attacks=20 makes twenty times as many starts.
var attacks = flag.Int("attacks", 1, "how many times as many racing starts")

// attackerID is a user that nothing else here is, another run of these tests
// included: the daemon's, and that of another process which wants more than its own.
var attackerID = 20000 + os.Getpid()%40000

var attackPrograms struct {
	mu   sync.Mutex
	made map[string]string
}

// attackProgram is probe/attack_NAME.c, static, for every user to run.
func attackProgram(t *testing.T, name string) string {
	t.Helper()
	attackPrograms.mu.Lock()
	defer attackPrograms.mu.Unlock()
	if path := attackPrograms.made[name]; path != "" {
		return path
	}
	path := filepath.Join(base, "attack_"+name)
	gcc := requireProgram(t, "gcc", "gcc")
	if out, err := exec.Command(gcc, "-static", "-O1", "-Wall", "-Wextra", "-Wno-parentheses", "-o", path, "probe/attack_"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("gcc attack_%s.c: %v\n%s", name, err, out)
	}
	if attackPrograms.made == nil {
		attackPrograms.made = map[string]string{}
	}
	attackPrograms.made[name] = path
	return path
}

// asUser is a start as a plain user, who has no capability.
func asUser(uid int, argv ...string) []string {
	return with("groups="+itoa(uid)+" gid="+itoa(uid)+" uid="+itoa(uid), argv...)
}

// attackTree is everything below a directory, but for what skip names: kinds,
// modes, owners, sizes, links, and what the file is.
func attackTree(t *testing.T, dir string, skip ...string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(skip, path) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		to := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if to, err = os.Readlink(path); err != nil {
				return err
			}
		}
		b.WriteString(strings.Join([]string{
			path, to, info.Mode().String(), itoa(int(st.Uid)), itoa(int(st.Gid)), strconv.FormatUint(st.Ino, 10), strconv.FormatInt(st.Size, 10),
			strconv.FormatInt(st.Ctim.Nano(), 10),
		}, " ") + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// attackHost is what an attack on the host would change: a directory that is
// there to be attacked, /etc, the names in /run and /dev, and all mounts.
func attackHost(t *testing.T, victim string) string {
	t.Helper()
	text := attackTree(t, victim) + attackTree(t, "/etc") + read(t, "/proc/self/mountinfo")
	for _, dir := range []string{"/run", "/dev"} {
		text += dir + ": " + strings.Join(namesIn(t, dir), "\n"+dir+": ") + "\n"
	}
	return text
}

// hostUnchanged holds the host against what it was.
func hostUnchanged(t *testing.T, victim, before string) {
	t.Helper()
	after := attackHost(t, victim)
	if after == before {
		return
	}
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, l := range is {
		if !slices.Contains(was, l) {
			t.Errorf("the host has changed: now %s", l)
		}
	}
	for _, l := range was {
		if !slices.Contains(is, l) {
			t.Errorf("the host has changed: it was %s", l)
		}
	}
}

// attackMount is a line of mountinfo, proc_pid_mountinfo(5).
type attackMount struct {
	id, parent, dev, root, point string
	options, tags                []string
	fs                           string
}

func (m attackMount) has(option string) bool { return slices.Contains(m.options, option) }

// tag is the number behind "shared" or "master", or empty.
func (m attackMount) tag(name string) string {
	for _, s := range m.tags {
		if n, ok := strings.CutPrefix(s, name+":"); ok {
			return n
		}
	}
	return ""
}

func attackMounts(t *testing.T, text string) []attackMount {
	t.Helper()
	var list []attackMount
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		i := slices.Index(f, "-")
		if i < 6 || len(f) < i+3 {
			t.Fatalf("not a line of mountinfo: %q", l)
		}
		list = append(list, attackMount{f[0], f[1], f[2], f[3], f[4], strings.Split(f[5], ","), f[6:i], f[i+1]})
	}
	if len(list) == 0 {
		t.Fatal("no mount at all")
	}
	return list
}

// at are the mounts at a path, the lowest first.
func at(list []attackMount, point string) []attackMount {
	var found []attackMount
	for _, m := range list {
		if m.point == point {
			found = append(found, m)
		}
	}
	return found
}

// attackText is what attack_cat printed of a file, and whether it could.
func attackText(r result, path string) (text string, ok bool) {
	_, rest, ok := strings.Cut("\n"+r.stdout, "\n== "+path+"\n")
	if !ok {
		return "", false
	}
	for _, end := range []string{"\n== ", "\n!! "} {
		if head, _, ok := strings.Cut("\n"+rest, end); ok {
			rest = strings.TrimPrefix(head+"\n", "\n")
		}
	}
	return rest, true
}

// racer is attack_swap at work.
type racer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	errs output
	out  *bufio.Reader
}

func race(t *testing.T, dir, how, a, b string) *racer {
	t.Helper()
	r := &racer{cmd: exec.Command(attackProgram(t, "swap"), itoa(attackerID), dir, how, a, b)}
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	r.cmd.Stderr = &r.errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAtEnd(t, r.cmd)
	return r
}

// stop ends it, and is how often it has exchanged the names.
func (r *racer) stop(t *testing.T) int {
	t.Helper()
	if err := r.in.Close(); err != nil {
		t.Error(err)
	}
	line, err := r.out.ReadString('\n')
	n, nerr := strconv.Atoi(strings.TrimSpace(line))
	if werr := r.cmd.Wait(); err != nil || nerr != nil || werr != nil {
		t.Fatalf("the attacker: %v, %v, %v: %s", err, nerr, werr, r.errs.String())
	}
	return n
}

// owned is a directory of the attacker's.
func owned(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, attackerID, attackerID); err != nil {
		t.Fatal(err)
	}
	return path
}

// link is a link of the attacker's.
func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(path, attackerID, attackerID); err != nil {
		t.Fatal(err)
	}
}

// rootsLink is a link that nobody but root could have made.
func rootsLink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

const secret = "the host's secret\n"

// victim is a directory of the host with a secret that everybody could read who
// gets there.
func victim(t *testing.T) string {
	t.Helper()
	dir := directory(t, 0o755)
	write(t, dir+"/secret", secret, 0o644)
	return dir
}

// catCage is a root with nothing but attack_cat at /cat.
func catCage(t *testing.T) string {
	t.Helper()
	dir := directory(t, 0o755)
	copied(t, attackProgram(t, "cat"), dir+"/cat", 0o755)
	return dir
}

func attackEmpty(path string) error { return os.WriteFile(path, nil, 0o600) }

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
