package cgroup

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

func FuzzParseFileSystem(f *testing.F) {
	for _, s := range []string{"", "tmpfs", "@known", "@basic-api", "@nosuch", "ext4:", "a b", "xfs,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseFileSystem(s)
		if err != nil {
			if list != nil {
				t.Fatalf("%q: an error, and %#x", s, list)
			}
			return
		}
		all, err := ParseFileSystem("@known")
		if err != nil || len(list) == 0 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Fatalf("%q: %#x, %v", s, list, err)
		}
		for _, n := range list {
			if !slices.Contains(all, n) {
				t.Fatalf("%q: %#x is of no known file system", s, n)
			}
		}
		// What a group stands for is the file systems that it names.
		if names, ok := FileSystemNames(s); ok {
			var each []uint32
			for _, name := range names {
				each = append(each, Magics(name)...)
			}
			slices.Sort(each)
			if !slices.Equal(slices.Compact(each), list) {
				t.Fatalf("%q: %#x, and its names %#x", s, list, each)
			}
		}
	})
}

const fuzzGroups = "0::/system/web\n4:devices:/system/web\n1:cpu,cpuacct:/\n"

const fuzzMounts = `30 29 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
31 29 0:27 /system /sys/fs/cgroup/devices\040x rw - cgroup cgroup rw,devices
`

func FuzzTrees(f *testing.F) {
	f.Add(fuzzGroups, fuzzMounts, "/a/b")
	f.Add("0::/..\n0:: (deleted)\n:::", fuzzMounts+"1 - cgroup2", "a")
	f.Add("0::/a\\", `1 2 3 / /\1`+" - cgroup2 x", "/")
	f.Fuzz(func(t *testing.T, groups, mounts, path string) {
		lines := strings.Count(groups, "\n") + 1
		trees := Trees(groups, mounts)
		if len(trees) > lines*(strings.Count(mounts, "\n")+1) {
			t.Fatalf("%d trees", len(trees))
		}
		for i := range trees {
			tree := &trees[i]
			if tree.Own == "" || tree.Own[0] != '/' || tree.Unified == (tree.Controllers != nil) || !tree.Same(tree) {
				t.Fatalf("%+v", tree)
			}
			if path != "" && path[0] == '/' && !strings.HasPrefix(path, tree.Mount+"/") && tree.Find(path) != path {
				t.Fatalf("%+v has %q at %q", tree, path, tree.Find(path))
			}
		}
		if strings.HasPrefix(path, "/") && filepath.Clean(path) == path {
			if parent, name := Split(path); strings.Contains(name, "/") || parent == "" || strings.TrimSuffix(parent, "/")+"/"+name != path && path != "/"+name {
				t.Fatalf("%q is %q and %q", path, parent, name)
			}
		}
	})
}

// FuzzUnescape: what the kernel escapes comes back, seq_escape of mountinfo.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"", "/a b", `\`, `\040`, "\t\n", `/a\04`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
		if got := unescape(escaped); got != s {
			t.Fatalf("%q is escaped %q, and back %q", s, escaped, got)
		}
		if got := unescape(s); len(got) > len(s) {
			t.Fatalf("%q grows to %q", s, got)
		}
	})
}

func TestBounded(t *testing.T) {
	bounded.Check(t, func(s string) { _, _ = ParseFileSystem(s) })
	bounded.Check(t, func(s string) { Trees(fuzzGroups, s) }, strings.Split(fuzzMounts, "\n")[0]+"\n")
	bounded.Check(t, func(s string) { Trees(s, fuzzMounts) }, "0::/a\n")
	bounded.Check(t, func(s string) { _ = Setting{File: "cpuset.cpus.effective", Want: "0-3", Check: true}.Reads(s) }, "0-8191,", "1,2,")
	bounded.Check(t, func(s string) { _, _ = ReadBTF([]byte(s)) }, string(plain().file()))
}
