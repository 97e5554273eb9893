//go:build linux

package integration

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The unit files of the packages in testdata/packages.txt, as Debian ships them, are planned
// on a machine on which all of them are installed: a root of its own, with the unit files
// where the packages have them, so that drop-ins and aliases hold, with every user that they
// name, but for those of DynamicUser=, and with every program, directory and file that they
// need, empty or standing in. What is refused there would be refused on the real one.
//
// A unit counts as planned if "plan" ends with 0: no line is unknown, no value is invalid, and
// nothing that is asked for is refused. One that is masked by its package is no unit at all.

// corpusCache is where packages.sh keeps what it has downloaded.
func corpusCache() string {
	if os.Geteuid() == 0 {
		return "/var/cache/hardrun-units"
	}
	return filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join(os.Getenv("HOME"), ".cache")), "hardrun-units")
}

// corpusReasons are the directives for which a unit may be refused, and why that is so.
var corpusReasons = map[string]string{
	"PAMName":        "PAM's modules are loaded into a process, and hardrun is one static binary",
	"MemoryLimit":    "a limit by cgroup v1, which systemd 262 does not apply either; MemoryMax= is what is meant",
	"StandardInput":  "one process for each connection, which somebody has to pass",
	"StandardOutput": "one process for each connection, which somebody has to pass",
}

// corpusMachines are those that a kernel or a container may be without: whether a unit is refused for
// them differs from machine to machine, and is printed, but not in testdata/corpus.txt.
var corpusMachines = []string{
	"AllowedCPUs", "AllowedMemoryNodes", "AppArmorProfile", "CPUQuota", "CPUWeight", "Delegate", "DeviceAllow", "DevicePolicy", "IOWeight",
	"IPAddressAllow", "IPAddressDeny", "MemoryHigh", "MemoryLow", "MemoryMax", "MemoryMin", "MemorySwapMax", "RestrictFileSystems",
	"RestrictNetworkInterfaces", "SELinuxContext", "SmackProcessLabel", "SocketBindAllow", "SocketBindDeny", "TasksMax",
}

// corpusUnit is one of them, and what came of its plans.
type corpusUnit struct {
	pkg, file string // "unbound", "/lib/systemd/system/unbound.service"
	word      string // what --unit is given: of a template the file of an instance
	masked    bool
	plan      result
	refused   []string // directives
	problems  []string
}

// corpus unpacks the unit files below dir, and lists the services.
func corpus(t *testing.T, dir string) []*corpusUnit {
	t.Helper()
	// packages.sh would download what is not kept, which is not for a test.
	for _, pkg := range strings.Fields(read(t, "testdata/packages.txt")) {
		if exists(corpusCache() + "/" + pkg + ".tar") {
			continue
		}
		text := "needs the unit files of " + pkg + ", and of others: sh integration/packages.sh DIR keeps them in " + corpusCache()
		if os.Getenv("HARDRUN_UNITS") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "packages.sh", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("packages.sh: %v\n%s", err, out)
	}
	var units []*corpusUnit
	for _, pkg := range strings.Fields(read(t, "testdata/packages.txt")) {
		root := filepath.Join(dir, pkg)
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".service") {
				return err
			}
			u := &corpusUnit{pkg: pkg, file: strings.TrimPrefix(file, root)}
			u.word = strings.Replace(u.file, "@.service", "@inst.service", 1)
			if to, err := os.Readlink(file); err == nil {
				u.masked = to == "/dev/null"
			} else if info, err := d.Info(); err != nil {
				return err
			} else {
				u.masked = info.Size() == 0
			}
			units = append(units, u)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return units
}

var (
	corpusLine    = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(.*)$`)
	corpusJoined  = regexp.MustCompile(`\\\n`)
	corpusDynamic = regexp.MustCompile(`(?m)^DynamicUser=(yes|true|1)`)
	corpusNext    = regexp.MustCompile(` ; +`)
)

// corpusNeeds are the users, groups, programs, files and directories that unit files name.
type corpusNeeds struct {
	users, groups, programs, files, dirs map[string]bool
}

func newCorpusNeeds() *corpusNeeds {
	return &corpusNeeds{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// read takes in one file.
func (n *corpusNeeds) read(text string) {
	specifiers := strings.NewReplacer("%i", "inst", "%I", "inst", "%j", "inst", "%t", "/run", "%S", "/var/lib", "%C", "/var/cache", "%L", "/var/log", "%E", "/etc", "%h", "/root", "%%", "%", `"`, "")
	dynamic := corpusDynamic.MatchString(text)
	for _, m := range corpusLine.FindAllStringSubmatch(corpusJoined.ReplaceAllString(text, " "), -1) {
		name, value := m[1], specifiers.Replace(m[2])
		switch {
		case name == "User" && !dynamic:
			n.users[value] = true
		case name == "Group" && !dynamic:
			n.groups[value] = true
		case name == "SupplementaryGroups":
			for _, g := range strings.Fields(value) {
				n.groups[g] = true
			}
		case strings.HasPrefix(name, "Exec") && !strings.HasSuffix(name, "Paths"):
			for _, c := range corpusNext.Split(value, -1) {
				if c = strings.TrimLeft(c, "-@:+!| "); c != "" {
					program, _, _ := strings.Cut(c, " ")
					if !strings.HasPrefix(program, "/") {
						program = "/usr/bin/" + program
					}
					n.programs[path.Clean(program)] = true
				}
			}
		case name == "EnvironmentFile":
			n.files[value] = true
		case name == "WorkingDirectory", name == "RootDirectory", strings.HasSuffix(name, "Paths"), strings.HasSuffix(name, "Directories"):
			for _, word := range strings.Fields(value) {
				if word = strings.TrimLeft(word, "+"); strings.HasPrefix(word, "/") { // a "-" says that it need not be there
					n.dirs[path.Clean(word)] = true
				}
			}
		}
	}
}

// corpusMachine makes the machine in the mount namespace of the calling thread, which is to
// have one of its own, and makes its root the new one.
func corpusMachine(root, units string, list []*corpusUnit) error {
	at := func(name string) string { return root + name }
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount("machine", root, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return os.NewSyscallError("mount tmpfs", err)
	}
	for _, dir := range strings.Fields("/usr/bin /usr/sbin /usr/lib /usr/lib64 /usr/local/bin /etc/systemd /home /root /boot /run /var/lib /var/cache /var/log /var/tmp /tmp /srv /opt /mnt /media /proc /sys /dev /host") {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, at("/"+name)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if err := os.Chmod(at(dir), 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/dev/shm", "/dev/pts"} {
		if err := os.Mkdir(at(dir), 0o755); err != nil {
			return err
		}
	}
	for _, file := range strings.Fields("/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty") {
		if err := os.WriteFile(at(file), nil, 0o666); err != nil {
			return err
		}
	}
	for _, dir := range strings.Fields("/proc /sys /dev/shm /dev/pts /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty") {
		if err := unix.Mount(dir, at(dir), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s: %w", dir, err)
		}
	}
	for file, text := range map[string]string{"/dev/log": "", "/etc/machine-id": "0123456789abcdef0123456789abcdef\n"} {
		if err := os.WriteFile(at(file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if exists("/lib/modules") {
		if err := os.Mkdir(at("/lib/modules"), 0o755); err != nil {
			return err
		}
	}
	needs := newCorpusNeeds()
	copyUnits := func(pkg string) error {
		top := filepath.Join(units, pkg)
		return filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			to := at(strings.TrimPrefix(file, top))
			switch {
			case d.IsDir():
				return os.MkdirAll(to, 0o755)
			case d.Type() == fs.ModeSymlink:
				link, err := os.Readlink(file)
				if err != nil {
					return err
				}
				return os.Symlink(link, to)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			needs.read(string(text))
			return os.WriteFile(to, text, 0o644)
		})
	}
	var last string
	for _, u := range list {
		if u.pkg == last {
			continue
		}
		last = u.pkg
		if err := copyUnits(u.pkg); err != nil {
			return err
		}
	}
	passwd, group := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", "root:x:0:\nnogroup:x:65534:\n"
	delete(needs.users, "root")
	delete(needs.users, "nobody")
	delete(needs.groups, "root")
	delete(needs.groups, "nogroup")
	id := 4000
	for _, name := range inOrder(needs.users) {
		id++
		passwd += fmt.Sprintf("%s:x:%d:%d::/var/lib/%s:/usr/sbin/nologin\n", name, id, id, name)
		group += fmt.Sprintf("%s:x:%d:\n", name, id)
		delete(needs.groups, name)
	}
	for _, name := range inOrder(needs.groups) {
		id++
		group += fmt.Sprintf("%s:x:%d:\n", name, id)
	}
	for name, text := range map[string]string{"/etc/passwd": passwd, "/etc/group": group, "/etc/hostname": "box\n", "/etc/os-release": "ID=debian\nVERSION_ID=12\n", "/etc/nsswitch.conf": "passwd: files\ngroup: files\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name := range needs.dirs {
		if err := os.MkdirAll(at(name), 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(probe)
	if err != nil {
		return err
	}
	if err := os.WriteFile(at("/program"), program, 0o755); err != nil {
		return err
	}
	for name := range needs.programs {
		if err := os.MkdirAll(path.Dir(at(name)), 0o755); err != nil {
			return err
		}
		if err := os.Link(at("/program"), at(name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for name := range needs.files {
		if !strings.HasPrefix(name, "/") {
			continue
		}
		if err := os.MkdirAll(path.Dir(at(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at(name), nil, 0o644); err != nil {
			return err
		}
	}
	binary, err := os.ReadFile(hardrun)
	if err != nil {
		return err
	}
	if err := os.WriteFile(at("/hardrun"), binary, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, at("/host")); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/host", unix.MNT_DETACH); err != nil {
		return os.NewSyscallError("umount", err)
	}
	return nil
}

func inOrder(set map[string]bool) []string {
	var list []string
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// threads runs work on n threads that share a mount namespace, which prepare has made on the
// first of them. The threads end with it.
func threads(n int, prepare func() error, work func()) error {
	var all sync.WaitGroup
	made := make(chan int)
	failed := make(chan error, 1)
	done := make(chan struct{})
	all.Add(1)
	go func() {
		defer all.Done()
		runtime.LockOSThread() // never unlocked: the thread ends, and with the last the namespace
		err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNS))
		if err == nil {
			err = prepare()
		}
		fd := -1
		if err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		if err != nil {
			failed <- err
			close(made)
			return
		}
		made <- fd
		work()
		<-done
	}()
	fd, ok := <-made
	if !ok {
		return <-failed
	}
	for range n - 1 {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_FS))
			if err == nil {
				err = os.NewSyscallError("setns", unix.Setns(fd, unix.CLONE_NEWNS))
			}
			if err != nil {
				select {
				case failed <- err:
				default:
				}
				return
			}
			work()
		}()
	}
	close(done)
	all.Wait()
	_ = unix.Close(fd)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// corpusRun is a start on the machine; the error is of the start itself.
func corpusRun(ctx context.Context, words ...string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	p := program{argv: append([]string{"/hardrun"}, words...)}
	cmd := p.command(ctx)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) {
		err = nil
	}
	r := result{stdout: out.String(), stderr: errs.String(), argv: p.argv}
	if err == nil {
		r.code = cmd.ProcessState.ExitCode()
	}
	return r, err
}

// TestCorpus plans them all. testdata/corpus.txt has the units that are not planned, and why: what
// is to be written there is printed where it differs.
func TestCorpus(t *testing.T) {
	requireRoot(t)
	units := directory(t, 0o755)
	list := corpus(t, units)
	root := directory(t, 0o755)
	jobs := make(chan *corpusUnit, len(list))
	for _, u := range list {
		jobs <- u
	}
	close(jobs)
	err := threads(2*runtime.NumCPU(), func() error { return corpusMachine(root, units, list) }, func() {
		for u := range jobs {
			u.problems = u.try(t.Context())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	planned, masked := 0, 0
	var lines, here []string
	for _, u := range list {
		for _, p := range u.problems {
			t.Errorf("%s%s: %s", u.pkg, u.file, p)
		}
		switch {
		case u.masked:
			masked++
			lines = append(lines, u.pkg+u.file+": masked")
		case u.plan.code == 0:
			planned++
		default:
			var known []string
			for _, d := range u.refused {
				if slices.Contains(corpusMachines, d) {
					here = append(here, u.pkg+u.file+": "+d+"=")
				} else if known = append(known, d+"="); corpusReasons[d] == "" {
					t.Errorf("%s%s: refused for %s=, which is no known reason:\n%s", u.pkg, u.file, d, u.plan.stdout)
				}
			}
			if len(known) > 0 {
				lines = append(lines, u.pkg+u.file+": "+strings.Join(known, " "))
			}
		}
	}
	t.Logf("%d of %d units planned, %d more masked by their packages", planned, len(list)-masked, masked)
	for _, line := range here {
		t.Log("refused on this machine: " + line)
	}
	// Packages change from time to time, but not by much.
	if len(list) < 370 {
		t.Errorf("%d units, and 385 were expected", len(list))
	}
	if planned*100 < (len(list)-masked)*93 {
		t.Errorf("%d of %d units are planned: less than 93 %%", planned, len(list)-masked)
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	var want string
	for line := range strings.Lines(read(t, "testdata/corpus.txt")) {
		if !strings.HasPrefix(line, "#") {
			want += line
		}
	}
	if got != want {
		t.Errorf("testdata/corpus.txt should say\n%s", got)
	}
}

// try is the plan of a unit in its three forms; the result is what is wrong with hardrun.
func (u *corpusUnit) try(ctx context.Context) (problems []string) {
	wrong := func(r result, text string) {
		problems = append(problems, fmt.Sprintf("%q: status %d, %s: %.2000s%s", r.argv, r.code, text, r.stdout, r.stderr))
	}
	// The list of settings takes no decision: a unit that can be read has one.
	settings := func(code int) int { return code &^ 1 }
	for i, words := range [][]string{{"plan"}, {"plan", "--json"}, {"plan", "--settings"}} {
		r, err := corpusRun(ctx, append(words, "--unit", u.word)...)
		if err != nil {
			return append(problems, fmt.Sprintf("%q: %v", r.argv, err))
		}
		want := u.plan.code
		switch i {
		case 0:
			u.plan, want = r, r.code
		case 2:
			want = settings(want)
		}
		switch r.code {
		case want:
		default:
			wrong(r, fmt.Sprintf("and the plan's is %d", want))
		}
		switch {
		case r.code != 0 && r.code != 1 && r.code != 64 && r.code != 78:
			wrong(r, "which no plan has")
		case u.masked != strings.Contains(r.stderr, "is masked"), u.masked && r.code != 78:
			wrong(r, fmt.Sprintf("masked is %v", u.masked))
		case r.code < 2 && r.stderr != "":
			wrong(r, "a plan that says more than the plan")
		case r.code >= 64 && !u.masked:
			wrong(r, "lines that cannot be meant")
		case r.code == 78 && r.stdout != "":
			wrong(r, "half a plan")
		case r.code == 78:
		case i == 1:
			var plan struct {
				Unit struct {
					Name  string
					Files []string
				}
				Refused []struct{ Directive, Origin, Text string }
			}
			switch err := json.Unmarshal([]byte(r.stdout), &plan); {
			case err != nil:
				wrong(r, err.Error())
			case plan.Unit.Name == "" || len(plan.Unit.Files) == 0:
				wrong(r, "no unit")
			case len(plan.Refused) > 0 != (r.code == 1):
				wrong(r, "refusals without their status")
			}
			for _, e := range plan.Refused {
				u.refused = append(u.refused, strings.TrimSuffix(e.Directive, "="))
				if e.Text == "" || e.Origin == "" {
					wrong(r, "a refusal without reason or place")
				}
			}
			slices.Sort(u.refused)
			u.refused = slices.Compact(u.refused)
		case i == 2 && !strings.Contains(r.stdout, "="):
			wrong(r, "no settings")
		}
	}
	return problems
}
