package ns

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// viewCase is a host, which is a small file system in memory, and a view of it.
type viewCase struct {
	name  string
	host  []string // what there is: see furnish
	view  View
	rules []string // "ro /path" and the like, see ruleFor; one that is optional begins with "-"
}

// furnish makes one thing of the host, in the present root: "dir/", "file", "file=text", "link -> target", or a word
// and what it is of.
func furnish(line string) error {
	if name, target, is := strings.Cut(line, " -> "); is {
		return os.Symlink(target, name)
	}
	f := strings.Fields(line)
	if len(f) == 1 {
		if name, is := strings.CutSuffix(line, "/"); is {
			return os.MkdirAll(name, 0o755)
		}
		name, text, _ := strings.Cut(line, "=")
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644))
	}
	f = append(f, "")
	path, more := f[1], f[2]
	number := func(base int) int {
		n, err := strconv.ParseUint(more, base, 32)
		if err != nil {
			panic(line)
		}
		return int(n)
	}
	major, minor, _ := strings.Cut(more, ":")
	device := func() int {
		ma, err := strconv.Atoi(major)
		mi, err2 := strconv.Atoi(minor)
		if err != nil || err2 != nil {
			panic(line)
		}
		return int(unix.Mkdev(uint32(ma), uint32(mi)))
	}
	switch f[0] {
	case "fifo":
		return unix.Mkfifo(path, 0o644)
	case "socket":
		return unix.Mknod(path, unix.S_IFSOCK|0o666, 0)
	case "chr":
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), unix.Mknod(path, unix.S_IFCHR|0o660, device()))
	case "blk":
		return unix.Mknod(path, unix.S_IFBLK|0o660, device())
	case "owner":
		return os.Lchown(path, number(10), 0)
	case "mode":
		return unix.Chmod(path, uint32(number(8)))
	case "cd":
		return os.Chdir(path)
	case "gone": // the working directory is removed
		return errors.Join(os.Mkdir(path, 0o755), os.Chdir(path), os.Remove("/"+path))
	case "chroot":
		return errors.Join(unix.Chroot(path), os.Chdir("/"))
	case "jail": // and the working directory is outside of it
		return unix.Chroot(path)
	case "shared": // with the namespace that the view is made from
		return unix.Mount("", path, "", unix.MS_REC|unix.MS_SHARED, "")
	case "bind":
		return unix.Mount(path, more, "", unix.MS_BIND|unix.MS_REC, "")
	case "remount":
		return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|mountFlags(more), "")
	case "tmpfs", "proc", "sysfs", "mqueue", "devpts":
		return errors.Join(os.MkdirAll(path, 0o755), unix.Mount(f[0], path, f[0], mountFlags(more), ""))
	}
	panic(line)
}

func mountFlags(list string) (flags uintptr) {
	for word := range strings.SplitSeq(list, ",") {
		flags |= map[string]uintptr{
			"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME,
			"nodiratime": unix.MS_NODIRATIME, "strictatime": unix.MS_STRICTATIME, "nosymfollow": unix.MS_NOSYMFOLLOW,
		}[word]
	}
	return flags
}

// ruleFor reads "WORD PATH", with "-" before the word where the path may be missing.
func ruleFor(line string) *Rule {
	line, optional := strings.CutPrefix(line, "-")
	word, path, _ := strings.Cut(line, " ")
	r, ok := map[string]Rule{
		"hidden": {Access: Hidden}, "ro": {Access: Unwritable}, "rw": {Access: Writable}, "rw-implicit": {Access: WritableImplicit},
		"ro-shallow": {Access: Unwritable, Shallow: true}, "noexec": {Exec: Unexecutable}, "exec": {Exec: Executable},
		"nodev": {Devices: DevicesClosed}, "dev": {Devices: DevicesOpen},
	}[word]
	if !ok {
		panic(line)
	}
	r.Path, r.Optional = path, optional
	return &r
}

// onHost runs act where the host is the root, on a thread and in a mount namespace of its own.
func (c *viewCase) onHost(t *testing.T, act func(self int) error) {
	t.Helper()
	top := t.TempDir()
	inOwnMounts(t, func(self int) error {
		unix.Umask(0o022)
		if err := unix.Mount("tmpfs", top, "tmpfs", 0, "mode=0755"); err != nil {
			return err
		}
		if err := unix.Chdir(top); err != nil {
			return err
		}
		if err := unix.PivotRoot(".", "."); err != nil {
			return err
		}
		if err := errors.Join(unix.Unmount(".", unix.MNT_DETACH), unix.Chdir("/")); err != nil {
			return err
		}
		for _, line := range c.host {
			if err := furnish(line); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
		}
		held, err := unix.Openat(self, "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0) // what is a slave of it stays one
		if err != nil {
			return err
		}
		return errors.Join(act(self), unix.Close(held))
	})
}

// copied is the view anew, as each has a state. Layers and rules are its own.
func (c *viewCase) copied() *View {
	v := c.view
	v.Layers, v.Rules = nil, nil
	for _, l := range c.view.Layers {
		l := *l
		v.Layers = append(v.Layers, &l)
	}
	for _, r := range c.rules {
		v.Rules = append(v.Rules, ruleFor(r))
	}
	return &v
}

// steps are those of a view, in the order of a launch.
func (v *View) steps() []viewStep {
	list := []viewStep{NewMounts{v}}
	root := v.Root != "" || v.Empty || v.Chrooted
	if root {
		list = append(list, NewRoot{v})
	}
	for _, l := range v.Layers {
		list = append(list, MountLayer{v, l})
	}
	for _, r := range v.Rules {
		if r.Access != WritableImplicit { // no step answers for it
			list = append(list, Protect{View: v, Rule: r})
		}
	}
	if root {
		list = append(list, EnterRoot{v})
	}
	return append(list, SealView{v})
}

type viewStep interface {
	String() string
	Apply(self int) error
	Verify() error
}

func (v *View) make(self int) error {
	steps := v.steps()
	if err := (NewMounts{v}).Prepare(self); err != nil {
		return err
	}
	for _, s := range steps {
		if err := s.Apply(self); err != nil {
			return err
		}
		if err := s.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// picture is all that is mounted, as far as paths lead there, and all files in memory.
func picture(self int) (string, error) {
	mounts, err := mountPicture(self)
	if err != nil {
		return "", err
	}
	var files strings.Builder
	err = filepath.WalkDir("/", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		var in unix.Statfs_t
		if err := errors.Join(unix.Lstat(path, &st), unix.Statfs(filepath.Dir(path), &in)); err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := info.Mode().String() + " " + path
		if st.Uid != 0 {
			line += " uid " + strconv.Itoa(int(st.Uid))
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		case unix.S_IFCHR, unix.S_IFBLK:
			line += fmt.Sprintf(" %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFREG:
			line += fmt.Sprintf(" %q", seen(path))
		case unix.S_IFDIR:
			if err := unix.Statfs(path, &in); err != nil {
				return err
			}
			if in.Type != unix.TMPFS_MAGIC && in.Type != ramfsMagic { // the kernel's
				files.WriteString("\t" + line + "\n")
				return fs.SkipDir
			}
		}
		files.WriteString("\t" + line + "\n")
		return nil
	})
	if err != nil {
		return "", err
	}
	all := "mounts:\n" + mounts + "files:\n" + files.String()
	cwd, err := os.Getwd()
	if cwd != "/" {
		all += "in " + cwd + "\n"
	}
	return all, err
}

// mountPicture has a line for each mount: where, the type and what of it, the attributes, how it spreads, and the limits.
func mountPicture(self int) (string, error) {
	fd, err := unix.Openat(self, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	list := os.NewFile(uintptr(fd), "mountinfo")
	defer func() { _ = list.Close() }()
	text, err := io.ReadAll(list)
	if err != nil {
		return "", err
	}
	var mounts []string
	over := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		id, of, at, words := l[0], l[3], l[4], l[5:]
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, at, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st); err != nil && err != unix.ENOENT {
			return "", err
		}
		if strconv.FormatUint(st.Mnt_id, 10) != id {
			over[at]++
			continue
		}
		s := at + "\t" + r[0]
		if of != "/" {
			s += ":" + strings.TrimRight(of, "0123456789")
		}
		for _, w := range words {
			w, _, _ = strings.Cut(w, ":")
			s += " " + strings.Replace(w, "master", "slave", 1)
		}
		for o := range strings.SplitSeq(r[2], ",") {
			name, _, _ := strings.Cut(o, "=")
			if o == "ro" && r[0] == "tmpfs" || at != "/" && slices.Contains([]string{"size", "nr_inodes", "noswap", "subset", "hidepid"}, name) {
				s += " (" + o + ")"
			}
		}
		mounts = append(mounts, s)
	}
	slices.Sort(mounts)
	all := ""
	for _, s := range mounts {
		at, rest, _ := strings.Cut(s, "\t")
		all += "\t" + at + " " + rest
		if over[at] > 0 {
			all += fmt.Sprintf(", over %d", over[at])
		}
		all += "\n"
	}
	return all, nil
}

// golden holds texts against those of a file, or writes that anew.
func golden(t *testing.T, file string, each func(yield func(name, text string))) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	all := ""
	each(func(name, text string) {
		all += text
		if !*update && !strings.Contains(string(whole), text) {
			t.Errorf("%s: it is not what %s has:\n%s", name, file, text)
		}
	})
	if *update && !t.Failed() && !t.Skipped() {
		if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A view is what its steps say, on a kernel with mount_setattr(2) and without: testdata/views.txt has what the host is,
// the steps, and what is mounted and seen then.
func TestViews(t *testing.T) {
	golden(t, "testdata/views.txt", func(yield func(name, text string)) {
		for i := range viewCases {
			c := &viewCases[i]
			text := "== " + c.name + "\nhost:\n"
			for _, line := range c.host {
				text += "\t" + line + "\n"
			}
			text += "steps:\n"
			for _, s := range c.copied().steps() {
				text += "\t" + s.String() + "\n"
			}
			var is [2]string
			for i := range is {
				v := c.copied()
				v.OneByOne = i == 1 || !CanSetAttr()
				c.onHost(t, func(self int) (err error) {
					if err := v.make(self); err != nil {
						is[i] = "error: " + err.Error() + "\n"
						return nil
					}
					is[i], err = picture(self)
					return err
				})
			}
			if is[1] != is[0] {
				t.Errorf("%s: without mount_setattr(2) it is\n%s, and with it\n%s", c.name, is[1], is[0])
			}
			yield(c.name, text+is[0]+"\n")
		}
	})
}
