package dirs

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// choose is Choose, and the lock released. It knows of no name that was chosen for before.
func choose(t *testing.T, root, name string, own ...string) int {
	t.Helper()
	if err := os.Truncate(root+"/run/hardrun/dynamic-uid", 0); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return chooseAgain(t, root, name, own...)
}

// chooseAgain is the same with all names known.
func chooseAgain(t *testing.T, root, name string, own ...string) int {
	t.Helper()
	uid, lock, err := Root{root}.Choose(name, own)
	tryAll(t, err, lock.Release(), lock.Release())
	if !IsDynamic(uid) {
		t.Fatalf("%s: %d", name, uid)
	}
	return uid
}

func TestChoose(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	uid := choose(t, root, "redis")
	if again := choose(t, root, "redis"); again != uid || uid != first("redis") {
		t.Errorf("%d, then %d, want %d", uid, again, first("redis"))
	}
	var st unix.Stat_t
	tryAll(t, unix.Lstat(root+"/run/hardrun", &st))
	looks(t, root+"/run", "hardrun d 0755 0:0", "hardrun/dynamic-uid f 0600 0:0")

	// Each of these has it, and the next one is taken.
	u := strconv.Itoa(uid)
	for _, x := range []struct{ path, text string }{
		{"/etc/passwd", "root:x:0:0::/:\nx:x:" + u + ":1::/:\n"},
		{"/etc/passwd", "x:x:1:" + u + "::/:"},
		{"/etc/group", "x:x:" + u + ":"},
		{"/var/lib/private/other/", ""},
		{"/var/cache/private/a/b/c/", ""},
		{"/var/log/private/x", "file"},
		{"/run/private/x/", ""},
		{"/run/x/", ""},
		{"/run/a/b/c/", ""},
		{"/run/x.sock", "file"},
		{"/tmp/x", "file"},
		{"/var/tmp/x/", ""},
		{"/dev/shm/x", "file"},
		{"/dev/mqueue/x", "file"},
	} {
		path := root + x.path
		id := uid
		if strings.HasPrefix(x.path, "/etc") {
			id = 0
		}
		for _, gidOnly := range []bool{false, true} {
			if strings.HasSuffix(x.path, "/") {
				putDir(t, path, 0o755, id, id)
			} else {
				put(t, path, 0o644, id, id)
			}
			if gidOnly && id != 0 {
				tryAll(t, os.Lchown(path, 0, id))
			}
			if id == 0 {
				tryAll(t, os.WriteFile(path, []byte(x.text), 0o644))
			}
			if got := choose(t, root, "redis"); got != (uid-FirstDynamic+1)%dynamicCount+FirstDynamic {
				t.Errorf("%s: %d is chosen", x.path, got)
			}
			tryAll(t, os.RemoveAll(strings.TrimSuffix(path, "/")))
		}
	}
	if got := choose(t, root, "redis"); got != uid {
		t.Errorf("%d, want %d", got, uid)
	}
	// What a link leads to is not asked.
	putDir(t, root+"/elsewhere", 0o755, uid, uid)
	tryAll(t, os.Symlink(root+"/elsewhere", root+"/run/link"))
	if got := choose(t, root, "redis"); got != uid {
		t.Errorf("by a link: %d", got)
	}
}

// A kept directory's owner is taken again, so that nothing need be given away.
func TestChooseOwn(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	const kept = "/var/lib/private/redis"
	putDir(t, root+kept, 0o755, 61777, 61777)
	putDir(t, root+"/run/redis", 0o755, 61777, 61777)
	own := []string{kept, "/run/redis"}
	if got := choose(t, root, "redis", own...); got != 61777 {
		t.Errorf("%d", got)
	}
	if got := choose(t, root, "redis", append([]string{"/var/log/private/missing"}, own...)...); got != 61777 {
		t.Errorf("%d", got)
	}
	for name, change := range map[string]func(){
		"of root":    func() { tryAll(t, os.Chown(root+kept, 0, 0)) },
		"of another": func() { tryAll(t, os.Chown(root+kept, 1000, 1000)) },
		"no directory": func() {
			tryAll(t, os.Remove(root+kept), os.Symlink("x", root+kept), os.Lchown(root+kept, 61777, 61777))
		},
		"owned by another": func() { putDir(t, root+"/run/other", 0o755, 61777, 0) },
	} {
		tryAll(t, os.RemoveAll(root+kept), os.RemoveAll(root+"/run/other"))
		putDir(t, root+kept, 0o755, 61777, 61777)
		change()
		if got := choose(t, root, "redis", own...); got != first("redis") {
			t.Errorf("%s: %d", name, got)
		}
	}
	tryAll(t, os.RemoveAll(root+kept), os.RemoveAll(root+"/run/other"))
	putDir(t, root+kept, 0o755, 61777, 61777)
	p := begin(t, 61777, "stay", "61777")
	p.line()
	if got := choose(t, root, "redis", own...); got != first("redis") {
		t.Errorf("of a process: %d", got)
	}
	p.end()
}

// Every one of the ids that a process or a thread has counts.
func TestChooseProcesses(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	uid := first("x")
	next := (uid-FirstDynamic+1)%dynamicCount + FirstDynamic
	for name, call := range map[string][4]int{
		"real uid":      {unix.SYS_SETRESUID, uid, -1, -1},
		"effective uid": {unix.SYS_SETRESUID, -1, uid, -1},
		"saved uid":     {unix.SYS_SETRESUID, -1, -1, uid},
		"fs uid":        {unix.SYS_SETFSUID, uid},
		"real gid":      {unix.SYS_SETRESGID, uid, -1, -1},
		"effective gid": {unix.SYS_SETRESGID, -1, uid, -1},
		"saved gid":     {unix.SYS_SETRESGID, -1, -1, uid},
		"fs gid":        {unix.SYS_SETFSGID, uid},
	} {
		for _, where := range []string{"leader", "thread"} {
			p := begin(t, 0, "ids", where, itoa(call[0]), itoa(call[1]), itoa(call[2]), itoa(call[3]))
			if got := p.line(); got != "done" {
				t.Fatal(got)
			}
			if got := choose(t, root, "x"); got != next {
				t.Errorf("%s of a %s: %d", name, where, got)
			}
			p.end()
			if got := choose(t, root, "x"); got != uid {
				t.Errorf("%s of a %s, after its end: %d", name, where, got)
			}
		}
	}
	// A group that is no more than one of the others.
	cmd := exec.Command("/bin/sh", "-c", "echo; read x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{7, uint32(uid)}}}
	in, err := cmd.StdinPipe()
	tryAll(t, err)
	out, err := cmd.StdoutPipe()
	tryAll(t, err, cmd.Start())
	_, err = out.Read(make([]byte, 1))
	if got := choose(t, root, "x"); got != next {
		t.Errorf("another group: %d", got)
	}
	tryAll(t, err, in.Close())
	_ = cmd.Wait()
}

// A process that forks and ends all the time cannot be seen by reading /proc, but by the kernel.
func TestChooseHopper(t *testing.T) {
	requireRoot(t)
	uid := first("hopper")
	cmd := asHelper(uid, nil, "hop", strconv.Itoa(uid))
	tryAll(t, cmd.Run()) // the first one has ended
	begun := time.Now()
	n := 0
	for time.Since(begun) < 1500*time.Millisecond {
		if !Running(uid) {
			t.Fatalf("not seen, after %d times", n)
		}
		n++
	}
	t.Logf("seen %d times", n)
	root := directoryRoot(t)
	for range 20 {
		if got := choose(t, root, "hopper"); got == uid {
			t.Fatal("was chosen")
		}
	}
	for wait := 0; Running(uid); wait++ {
		if wait > 500 {
			t.Fatal("still there")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// 200 starts at once, of one name and of as many names: one name is one user, and no two names are.
func TestChooseConcurrent(t *testing.T) {
	requireRoot(t)
	for _, names := range []int{1, 200} {
		root := directoryRoot(t)
		uids := map[string]int{}
		var all []*process
		var mu sync.Mutex
		var wg sync.WaitGroup
		begun := time.Now()
		for i := range 200 {
			p := begin(t, 0, "choose", root, fmt.Sprintf("name-%d", i%names), "", "stay")
			all = append(all, p)
			wg.Add(1)
			go func() {
				defer wg.Done()
				uid := p.line()
				mu.Lock()
				uids[uid]++
				mu.Unlock()
			}()
		}
		wg.Wait()
		t.Logf("%d names: %v", names, time.Since(begun))
		for uid, n := range uids {
			if n != 200/names || !IsDynamic(number(uid)) {
				t.Errorf("uid %s is that of %d", uid, n)
			}
		}
		if len(uids) != names {
			t.Errorf("%d uids", len(uids))
		}
		for _, p := range all {
			p.end()
		}
	}
}

// A name keeps its uid while a process has it, and no other name gets that.
func TestChooseNames(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	file := root + "/run/hardrun/dynamic-uid"
	p := begin(t, 0, "choose", root, "one two", "", "stay")
	uid := number(p.line())
	next := (uid-FirstDynamic+1)%dynamicCount + FirstDynamic
	names := func() string {
		text, err := os.ReadFile(file)
		tryAll(t, err)
		return string(text)
	}
	want := fmt.Sprintf("%d one two\n", uid)
	if got := names(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := chooseAgain(t, root, "one two"); got != uid {
		t.Errorf("again: %d, want %d", got, uid)
	}
	if got := chooseAgain(t, root, "one two", "/run/x", "/tmp"); got != uid {
		t.Errorf("again, with directories: %d, want %d", got, uid)
	}
	for _, name := range []string{"one", "one two ", "one two\n", "two", ""} {
		if got := chooseAgain(t, root, name); got == uid {
			t.Errorf("%q has it, too", name)
		}
	}
	// What is no whole line, or of no uid that a process has, names nobody.
	for _, text := range []string{"", "%d one tw", "%d one two", "%d\n", "%d", " one two\n", "x%d one two\n", "0 one two\n-%[1]d one two\n61184 one two\n"} {
		if strings.Contains(text, "%") {
			text = fmt.Sprintf(text, uid)
		}
		tryAll(t, os.WriteFile(file, []byte(text), 0o600))
		if got := chooseAgain(t, root, "one two"); got == uid {
			t.Errorf("%q: named", text)
		}
	}
	tryAll(t, os.WriteFile(file, []byte(want), 0o600))
	p.end()
	if got := chooseAgain(t, root, "other"); got == uid {
		t.Fatal("two names begin at one uid: choose others")
	}
	if got := names(); strings.Contains(got, "one two") {
		t.Errorf("still there: %q", got)
	}
	if got := chooseAgain(t, root, "one two"); got != uid && got != next {
		t.Errorf("after it: %d", got)
	}
}

// Starts and ends without pause: two with one uid at one time would meet at a lock of its own.
func TestChooseChurn(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	locks := root + "/locks"
	tryAll(t, os.Mkdir(locks, 0o777), os.Chmod(locks, 0o777))
	uids := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var names []string // of which all begin at one uid
	for i := 0; len(names) < 16; i++ {
		if name := strconv.Itoa(i); first(name) == first("0") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 15 {
				uid := said(t, 0, nil, "choose", root, name, "", "alone", locks)
				mu.Lock()
				uids[uid]++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	n := 0
	for uid, times := range uids {
		if id, err := strconv.Atoi(uid); err != nil || !IsDynamic(id) {
			t.Errorf("%s", uid)
		}
		n += times
	}
	t.Logf("%d starts, %d uids", n, len(uids))
	if n != 240 || len(uids) < 2 {
		t.Error("uids should be used again, and several at a time")
	}
}

// Without a /proc that shows everybody nothing is chosen.
func TestChooseProc(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	const lost = "setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace -- "
	run := func(script, caps string) string {
		return said(t, 0, []string{"unshare", "--mount", "--propagation=private", "--", "sh", "-euc", script + `; exec ` + caps + ` "$@"`, "sh"}, "choose", root, "x", "")
	}
	for _, x := range []struct{ script, caps, want string }{
		{"true", "", strconv.Itoa(first("x"))},
		{"true", lost, strconv.Itoa(first("x"))},
		{"mount -t proc -o hidepid=2 proc /proc", "", strconv.Itoa(first("x"))},
		{"mount -t proc -o hidepid=2 proc /proc", lost, "hidepid="},
		{"mount -t proc -o hidepid=1 proc /proc", lost, "hidepid="},
		{"mount -t proc -o hidepid=4 proc /proc", lost, "hidepid="},
		{"mount -t proc -o hidepid=0 proc /proc", lost, strconv.Itoa(first("x"))},
		{"mount -t proc -o hidepid=2 proc /mnt", lost, strconv.Itoa(first("x"))}, // another one
		{"mount -t proc -o subset=pid proc /proc", "", strconv.Itoa(first("x"))},
		{"mount -t tmpfs none /proc", "", "/proc is no file system of processes"},
		{"mount --bind /proc/self /proc", "", ""},
	} {
		got := run(x.script, x.caps)
		if x.want == strconv.Itoa(first("x")) && got == x.want {
			continue
		}
		if !strings.HasPrefix(got, "error: DynamicUser=: it must be seen which uids are in use: ") || !strings.Contains(got, x.want) {
			t.Errorf("%s, %s: %q, want %q", x.script, x.caps, got, x.want)
		}
	}
	// Where the range is not mapped.
	out := said(t, 0, []string{"unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, "choose", root, "x", "")
	if out != "error: no uid of 61184 to 65519 is free, or mapped in this user namespace" {
		t.Error(out)
	}
}

// /run/hardrun is root's alone, or nothing is done there.
func TestReserve(t *testing.T) {
	requireRoot(t)
	for name, x := range map[string]struct {
		make func(run string)
		want string
	}{
		"a link":         {func(run string) { tryAll(t, os.Mkdir(run+"/x", 0o755), os.Symlink("x", run+"/hardrun")) }, "/run/hardrun: is a symbolic link"},
		"a file":         {func(run string) { put(t, run+"/hardrun", 0o600, 0, 0) }, "/run/hardrun: is there, and no directory"},
		"another's":      {func(run string) { putDir(t, run+"/hardrun", 0o755, attackerID, 0) }, "/run/hardrun: belongs to 54321:0"},
		"world-writable": {func(run string) { putDir(t, run+"/hardrun", 0o777, 0, 0) }, "0777"},
		"group-writable": {func(run string) { putDir(t, run+"/hardrun", 0o775, 0, 5) }, "0775"},
		"lock: a link": {func(run string) {
			putDir(t, run+"/hardrun", 0o755, 0, 0)
			tryAll(t, os.Symlink("x", run+"/hardrun/dynamic-uid"))
		}, "open /run/hardrun/dynamic-uid: too many levels"},
		"lock: a FIFO": {func(run string) {
			putDir(t, run+"/hardrun", 0o755, 0, 0)
			tryAll(t, unix.Mkfifo(run+"/hardrun/dynamic-uid", 0o600))
		}, "is not root's own file"},
		"lock: others'": {func(run string) {
			putDir(t, run+"/hardrun", 0o755, 0, 0)
			put(t, run+"/hardrun/dynamic-uid", 0o600, 5, 0)
		}, "is not root's own file"},
		"lock: readable": {func(run string) {
			putDir(t, run+"/hardrun", 0o755, 0, 0)
			put(t, run+"/hardrun/dynamic-uid", 0o644, 0, 0)
		}, "is not root's own file"},
	} {
		root := directoryRoot(t)
		x.make(root + "/run")
		before := picture(t, root)
		_, lock, err := Root{root}.Choose("x", nil)
		if lock != nil {
			t.Errorf("%s: a lock", name)
		}
		fails(t, err, x.want)
		if got := picture(t, root); got != before {
			t.Errorf("%s: has become\n%s", name, got)
		}
	}
	root := directoryRoot(t)
	old := unix.Umask(0o777)
	fd, err := Root{root}.Reserve()
	unix.Umask(old)
	tryAll(t, err, unix.Close(fd))
	looks(t, root+"/run", "hardrun d 0755 0:0")
}

// A claim holds the uid as long as it lasts, or the process.
func TestClaim(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	uid := first("claimed")
	p := begin(t, 0, "claim", strconv.Itoa(uid))
	if got := p.line(); got != "claimed" {
		t.Fatal(got)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	tryAll(t, err)
	if !strings.Contains(string(text), fmt.Sprintf("\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t%d\t0\n", uid)) {
		t.Errorf("the claim is not seen: %s", text)
	}
	if got := choose(t, root, "claimed"); got == uid {
		t.Error("chosen")
	}
	tryAll(t, func() error { _, err := p.in.(*os.File).Write([]byte{1}); return err }())
	if got := p.line(); got != "ended" {
		t.Fatal(got)
	}
	if got := choose(t, root, "claimed"); got != uid {
		t.Errorf("after it: %d", got)
	}
	p.end()
}
