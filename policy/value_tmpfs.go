package policy

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
)

// tmpfsFlags are the options of a tmpfs which are attributes of its mount,
// mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS". Of the three ways to count
// accesses relatime is what is left; "norelatime" by itself means the kernel's
// default, which is the same, and so changes nothing.
var tmpfsFlags = [...]struct {
	name       string
	clear, set ns.Attr
}{
	{"ro", 0, ns.ReadOnly},
	{"rw", ns.ReadOnly, 0},
	{"suid", ns.NoSUID, 0},
	{"nosuid", 0, ns.NoSUID},
	{"dev", ns.NoDev, 0},
	{"nodev", 0, ns.NoDev},
	{"exec", ns.NoExec, 0},
	{"noexec", 0, ns.NoExec},
	{"atime", ns.NoAtime, 0},
	{"noatime", ns.StrictAtime, ns.NoAtime},
	{"diratime", ns.NoDirAtime, 0},
	{"nodiratime", 0, ns.NoDirAtime},
	{"relatime", ns.NoAtime | ns.StrictAtime, 0},
	{"norelatime", 0, 0},
	{"strictatime", ns.NoAtime, ns.StrictAtime},
	{"nostrictatime", ns.StrictAtime, 0},
	{"symfollow", ns.NoSymFollow, 0},
	{"nosymfollow", 0, ns.NoSymFollow},
}

// tmpfsData are the options of the file system itself, tmpfs(5). Those that end
// in "=" take a value, which check looks at.
var tmpfsData = [...]struct {
	name  string
	check func(value string) error
}{
	{"size=", checkTmpfsSize},
	{"nr_blocks=", checkTmpfsCount},
	{"nr_inodes=", checkTmpfsCount},
	{"mode=", checkTmpfsMode},
	{"uid=", checkTmpfsID},
	{"gid=", checkTmpfsID},
	{"huge=", checkTmpfsHuge},
	{"mpol=", checkTmpfsPolicy},
	{"inode32", nil},
	{"inode64", nil},
	{"noswap", nil},
}

// ParseTmpfs reads a line of TemporaryFileSystem=, systemd.exec(5): words
// PATH[:OPTIONS] of SplitWords, in which "\:" belongs to the path, and options
// that commas part. Unless they say otherwise the mount is nodev and strictatime
// and its root has the mode 0755. A later option undoes an earlier one.
//
// An option that is none of a tmpfs, an empty one, a bad value and the path "/"
// are errors, where systemd leaves the first three to mount(2).
func ParseTmpfs(s string) ([]Tmpfs, error) {
	words, err := splitWords(s, colonsAlways)
	if err != nil {
		return nil, err
	}
	list := make([]Tmpfs, 0, len(words))
	for _, w := range words {
		path, options, found := strings.Cut(w, fieldEnd)
		t, err := tmpfsOf(path, strings.ReplaceAll(options, fieldEnd, ":"), found)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// ParseTmpfsWord reads PATH[:OPTIONS] of --tmpfs: one word, taken as it is. It
// cannot say a path that has a colon.
func ParseTmpfsWord(s string) (Tmpfs, error) {
	path, options, found := strings.Cut(s, ":")
	return tmpfsOf(path, options, found)
}

func tmpfsOf(path, options string, given bool) (t Tmpfs, err error) {
	if t.Path, err = ParsePath(path); err != nil {
		return Tmpfs{}, err
	}
	if t.Path == "/" {
		return Tmpfs{}, errors.New(`a file system at "/" would be a new root: say RootDirectory=, or --minimal-root`)
	}
	t.Attr = ns.NoDev | ns.StrictAtime
	for given {
		var o string
		o, options, given = tmpfsOption(options)
		if err := t.option(o); err != nil {
			return Tmpfs{}, err
		}
	}
	for _, d := range t.Data {
		if strings.HasPrefix(d, "mode=") {
			return t, nil
		}
	}
	t.Data = append([]string{"mode=0755"}, t.Data...)
	return t, nil
}

// tmpfsOption cuts the first of options at its comma. As in the kernel a comma before a
// digit belongs to the nodes of "mpol=".
func tmpfsOption(s string) (option, rest string, more bool) {
	end := strings.IndexByte(s, ',')
	for strings.HasPrefix(s, "mpol=") && end >= 0 && end+1 < len(s) && s[end+1] >= '0' && s[end+1] <= '9' {
		next := strings.IndexByte(s[end+1:], ',')
		if next < 0 {
			return s, "", false
		}
		end += 1 + next
	}
	if end < 0 {
		return s, "", false
	}
	return s[:end], s[end+1:], true
}

// option takes one option into t.
func (t *Tmpfs) option(o string) error {
	if o == "" {
		return errors.New("an option is empty")
	}
	for _, f := range tmpfsFlags {
		if f.name == o {
			t.Attr = t.Attr&^f.clear | f.set
			return nil
		}
	}
	name, value, found := strings.Cut(o, "=")
	if found {
		name += "="
	}
	for _, d := range tmpfsData {
		if d.name != name {
			continue
		}
		if d.check != nil {
			err := d.check(value)
			var word *process.WordError
			if errors.As(err, &word) {
				word.What += " of " + name
				return word
			}
			if err != nil {
				return errors.New(name + ": " + err.Error())
			}
		}
		t.Data = append(t.Data, o)
		return nil
	}
	known := make([]string, 0, len(tmpfsFlags)+len(tmpfsData))
	for _, f := range tmpfsFlags {
		known = append(known, f.name)
	}
	for _, d := range tmpfsData {
		known = append(known, d.name)
	}
	return &process.WordError{What: "option of a tmpfs", Word: name, Words: known}
}

// tmpfsText prints a file system as ParseTmpfs takes it.
func tmpfsText(t Tmpfs) string {
	var options []string
	for _, f := range [...]struct {
		name string
		on   bool
	}{
		{"ro", t.Attr&ns.ReadOnly != 0},
		{"nosuid", t.Attr&ns.NoSUID != 0},
		{"dev", t.Attr&ns.NoDev == 0},
		{"noexec", t.Attr&ns.NoExec != 0},
		{"noatime", t.Attr&ns.NoAtime != 0},
		{"nostrictatime", t.Attr&(ns.NoAtime|ns.StrictAtime) == 0},
		{"nodiratime", t.Attr&ns.NoDirAtime != 0},
		{"nosymfollow", t.Attr&ns.NoSymFollow != 0},
	} {
		if f.on {
			options = append(options, f.name)
		}
	}
	return fieldsText(t.Path, strings.Join(append(options, t.Data...), ","))
}

// checkTmpfsSize takes bytes with a suffix k, m or g, or per cent of the memory.
func checkTmpfsSize(s string) error {
	if number, share := strings.CutSuffix(s, "%"); share {
		_, err := ParseInt(number, 1, 100)
		return err
	}
	return checkTmpfsCount(s)
}

// checkTmpfsCount takes a number with a suffix k, m or g, base 1024.
func checkTmpfsCount(s string) error {
	high := math.MaxInt
	for i, suffix := range [...]string{"k", "m", "g"} {
		if n := len(s) - 1; n >= 0 && strings.EqualFold(s[n:], suffix) {
			s, high = s[:n], high>>(10*(i+1))
			break
		}
	}
	_, err := ParseInt(s, 0, high)
	return err
}

func checkTmpfsMode(s string) error {
	_, err := ParseMode(s)
	return err
}

// checkTmpfsID takes the number of a user or group; 4294967295 is none.
func checkTmpfsID(s string) error {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == math.MaxUint32 || len(s) > 1 && s[0] == '0' {
		return errors.New("not the number of a user or group: " + strconv.Quote(s))
	}
	return nil
}

func checkTmpfsHuge(s string) error {
	_, err := oneOf(s, "never", "always", "within_size", "advise")
	return err
}

// checkTmpfsPolicy takes MODE[=static|=relative][:NODES], as the kernel's
// documentation of tmpfs has it.
func checkTmpfsPolicy(s string) error {
	mode, nodes, found := strings.Cut(s, ":")
	mode, flag, flagged := strings.Cut(mode, "=")
	if _, err := oneOf(mode, "default", "local", "prefer", "bind", "interleave"); err != nil {
		return err
	}
	if flagged {
		if _, err := oneOf(flag, "static", "relative"); err != nil {
			return err
		}
	}
	if found {
		if strings.Trim(nodes, "0123456789,-") != "" {
			return errors.New("not a list of nodes: " + strconv.Quote(nodes))
		}
		_, err := process.ParseCPUSet(nodes)
		return err
	}
	return nil
}
