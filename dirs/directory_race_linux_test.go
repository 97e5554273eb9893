package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// outside is what nobody may touch: where links of the attacker lead.
func outsideOf(t *testing.T, root string) (dir, before string) {
	t.Helper()
	dir = root + "/outside"
	put(t, dir+"/secret", 0o600, 0, 0)
	put(t, dir+"/sub/secret", 0o600, 0, 0)
	put(t, dir+"/b/c/secret", 0o600, 0, 0)
	return dir, picture(t, dir)
}

// attacked calls f while the attacker exchanges a and b in a directory: so long, and so often.
func attacked(t *testing.T, dir, a, b string, f func(round int)) {
	t.Helper()
	p := begin(t, attackerID, "swap", dir, a, b)
	if got := p.line(); got != "begun" {
		t.Fatal(got)
	}
	begun, round := time.Now(), 0
	for ; round < 2000 || time.Since(begun) < 2*time.Second; round++ {
		if f(round); t.Failed() || round > 200 && time.Since(begun) > 5*time.Second {
			break
		}
	}
	n, err := strconv.Atoi(p.end())
	if err != nil || n < 2000 {
		t.Errorf("the attacker has exchanged %d times only, %v", n, err)
	}
	t.Logf("%d rounds, %d exchanges", round, n)
}

// A directory that is exchanged for a link while its owner is changed (CVE-2018-6954).
func TestRaceChown(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	outside, before := outsideOf(t, root)
	top := root + "/var/lib/a"
	putDir(t, top, 0o777, attackerID, attackerID)
	put(t, top+"/x/sub/secret", 0o666, attackerID, attackerID)
	put(t, top+"/x/secret", 0o666, attackerID, attackerID)
	tryAll(t, os.Symlink(outside, top+"/y"))
	made, refused := 0, 0
	attacked(t, top, "x", "y", func(i int) {
		owner := attackerID + i%2
		if _, err := Make(Root{root}, []Directory{lib("a", 0o777, owner, owner)}); err != nil {
			if !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) && !strings.Contains(err.Error(), "moved elsewhere") {
				t.Fatal(err)
			}
			refused++
			return
		}
		made++
	})
	t.Logf("%d made, %d refused", made, refused)
	if made == 0 || refused == 0 {
		t.Error("both should have happened")
	}
	if got := picture(t, outside); got != before {
		t.Errorf("outside was touched:\n%s", got)
	}
}

// A parent that is exchanged for a link (CVE-2024-45310): nothing is made outside.
func TestRaceMake(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	outside, before := outsideOf(t, root)
	top := root + "/var/lib/a"
	putDir(t, top, 0o777, attackerID, attackerID)
	putDir(t, top+"/b", 0o777, attackerID, attackerID)
	tryAll(t, os.Symlink(outside, top+"/y"))
	made, refused := 0, 0
	attacked(t, top, "b", "y", func(i int) {
		d := lib("a/b/c/"+strconv.Itoa(i%5), 0o777, attackerID, attackerID)
		d.Links = []string{"a/b/l" + strconv.Itoa(i%5)}
		m, err := Make(Root{root}, []Directory{d})
		if err != nil {
			if !strings.Contains(err.Error(), "is a symbolic link") && !strings.Contains(err.Error(), "is there, and no directory") {
				t.Fatal(err)
			}
			refused++
			return
		}
		made++
		if i%2 == 0 {
			_ = m.Undo() // an error where the link is in the way
		}
	})
	t.Logf("%d made, %d refused", made, refused)
	if made == 0 || refused == 0 {
		t.Error("both should have happened")
	}
	if got := picture(t, outside); got != before {
		t.Errorf("outside was touched:\n%s", got)
	}
}

// What is removed at the end is exchanged for a link meanwhile.
func TestRaceRemove(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	outside, before := outsideOf(t, root)
	top := root + "/run/a"
	putDir(t, top, 0o777, attackerID, attackerID)
	tryAll(t, os.Symlink(outside, top+"/y"))
	fill := func() {
		// Into the directory itself, which the attacker has.
		tryAll(t, os.MkdirAll(root+"/new/sub/b/c", 0o777), os.WriteFile(root+"/new/secret", nil, 0o666), os.WriteFile(root+"/new/sub/secret", nil, 0o666))
		if err := os.Mkdir(top, 0o777); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		_ = os.Rename(root+"/new", top+"/x")
		_ = os.Symlink(outside, top+"/y")
	}
	dirs := []Directory{{Base: "/run", Name: "a/x"}}
	removed, failed := 0, 0 // a name that is a link at the moment is an error
	attacked(t, top, "x", "y", func(int) {
		fill()
		if errs := Remove(Root{root}, dirs); errs != nil {
			failed++
		} else {
			removed++
		}
		tryAll(t, os.RemoveAll(root+"/new"))
	})
	t.Logf("%d removed, %d with errors", removed, failed)
	if removed == 0 || failed == 0 {
		t.Error("both should have happened")
	}
	if got := picture(t, outside); got != before {
		t.Errorf("outside was touched:\n%s", got)
	}
	tryAll(t, Remove(Root{root}, []Directory{{Base: "/run", Name: "a"}})...)
	if _, err := os.Lstat(top); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

// A tree in which directories and links change places is removed whole, when that ends or before, and
// nothing else.
func TestRaceRemoveTree(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	outside, before := outsideOf(t, root)
	top := root + "/run/a"
	tree := func() {
		tryAll(t, os.MkdirAll(top+"/p/x/sub/b/c", 0o777), os.MkdirAll(top+"/p/q/sub/b/c", 0o777))
		for _, f := range []string{"/secret", "/sub/secret", "/sub/b/c/secret"} {
			tryAll(t, os.WriteFile(top+"/p/x"+f, nil, 0o666))
		}
		tryAll(t, os.Symlink(outside, top+"/p/y"), os.Chown(top+"/p", attackerID, attackerID))
	}
	for begun := time.Now(); time.Since(begun) < 3*time.Second; {
		tree()
		p := begin(t, attackerID, "swap", top+"/p", "x", "y")
		p.line()
		_ = Remove(Root{root}, []Directory{{Base: "/run", Name: "a"}})
		_ = p.in.Close()
		_ = p.cmd.Wait() // its directory has gone, or not yet
		p.cmd = nil
		tryAll(t, Remove(Root{root}, []Directory{{Base: "/run", Name: "a"}})...)
		if got := picture(t, root+"/run"); got != "" {
			t.Fatalf("left:\n%s", got)
		}
	}
	if got := picture(t, outside); got != before {
		t.Errorf("outside was touched:\n%s", got)
	}
}

// A directory that is moved away while the walk is in it does not lead the walk elsewhere.
func TestTreeMoved(t *testing.T) {
	root := directoryRoot(t)
	tryAll(t, os.MkdirAll(root+"/run/a/b/c/d", 0o755), os.MkdirAll(root+"/outside/secret", 0o755), os.WriteFile(root+"/run/a/b/f", nil, 0o600), os.WriteFile(root+"/outside/f", nil, 0o600))
	fd, err := unix.Open(root+"/run/a", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	tryAll(t, err)
	w := tree{path: "/run/a"}
	w.entry = func(dir int, name string) (bool, error) {
		if name == "d" {
			return true, os.Rename(root+"/run/a/b/c", root+"/outside/c")
		}
		return name != "f", nil
	}
	after := ""
	w.after = func(_ int, name string) (bool, error) {
		after += name
		return false, nil
	}
	fails(t, w.walk(fd), "/run/a/b/c: was moved elsewhere meanwhile")
	tryAll(t, unix.Close(fd))
	if after != "d" {
		t.Errorf("went on: %q", after)
	}
}
