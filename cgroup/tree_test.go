package cgroup

import (
	"reflect"
	"testing"
)

const hybrid = `26 25 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
27 26 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
28 26 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
29 26 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
30 26 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`

// TestTrees: which hierarchies can be reached, and where the own group is in them.
func TestTrees(t *testing.T) {
	for _, c := range []struct {
		name, groups, mounts string
		want                 []Tree
	}{
		{"cgroup2", "0::/system/web\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", []Tree{{Unified: true, Mount: "/sys/fs/cgroup", Own: "/system/web", ID: 30}}},
		{"root", "0::/\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", []Tree{{Unified: true, Mount: "/sys/fs/cgroup", Own: "/", ID: 30}}},
		{"container without a namespace", "0::/docker/ab\n", "30 25 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", []Tree{{Unified: true, Mount: "/sys/fs/cgroup", Own: "/", ID: 30}}},
		{"below what is mounted", "0::/docker/ab/x\n", "30 25 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", []Tree{{Unified: true, Mount: "/sys/fs/cgroup", Own: "/x", ID: 30}}},
		{"beside what is mounted", "0::/docker/abc\n", "30 25 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", nil},
		{"above what is mounted", "0::/docker\n", "30 25 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", nil},
		{"outside of the namespace", "0::/../other\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", nil},
		{"removed", "0::/gone (deleted)\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", nil},
		{"not mounted", "0::/\n", "30 25 0:26 / /sys rw - sysfs sysfs rw\n", nil},
		{"a blank in the path", "0::/a b\n", "30 25 0:26 / /srv/c\\040g rw - cgroup2 cgroup2 rw\n", []Tree{{Unified: true, Mount: "/srv/c g", Own: "/a b", ID: 30}}},
		{"optional fields", "0::/\n", "30 25 0:26 / /cg rw shared:9 master:3 - cgroup2 cgroup2 rw\n", []Tree{{Unified: true, Mount: "/cg", Own: "/", ID: 30}}},
		{"hybrid", "5:memory:/m\n4:cpu,cpuacct:/\n1:name=systemd:/s\n0::/u\n", hybrid, []Tree{
			{Controllers: []string{"memory"}, Mount: "/sys/fs/cgroup/memory", Own: "/m", ID: 28},
			{Controllers: []string{"cpu", "cpuacct"}, Mount: "/sys/fs/cgroup/cpu,cpuacct", Own: "/", ID: 27},
			{Controllers: []string{"name=systemd"}, Mount: "/sys/fs/cgroup/systemd", Own: "/s", ID: 30},
			{Unified: true, Mount: "/sys/fs/cgroup/unified", Own: "/u", ID: 29},
		}},
		{"two places", "0::/a/b\n", "30 25 0:26 / /one rw - cgroup2 cgroup2 rw\n31 25 0:26 /a /two rw - cgroup2 cgroup2 rw\n32 25 0:26 /c /three rw - cgroup2 cgroup2 rw\n", []Tree{
			{Unified: true, Mount: "/one", Own: "/a/b", ID: 30}, {Unified: true, Mount: "/two", Own: "/b", ID: 31},
		}},
		{"a controller that is not mounted", "6:pids:/p\n", hybrid, nil},
		{"no path", "0::\n", "30 25 0:26 / /cg rw - cgroup2 cgroup2 rw\n", nil},
		{"no number", "0::/\n", "x 25 0:26 / /cg rw - cgroup2 cgroup2 rw\n", nil},
		{"no mount point", "0::/\n", "30 25 0:26 - cgroup2 cgroup2 rw\n", nil},
		{"no file system", "0::/\n", "30 25 0:26 / /cg rw -  \n", nil},
		{"another file system with such an option", "6:memory:/\n", "30 25 0:26 / /cg rw - tmpfs tmpfs rw,memory\n", nil},
		{"no options", "6:memory:/\n", "30 25 0:26 / /cg rw - cgroup cgroup\n", nil},
		{"nonsense", "\n0:\n:::\n0::x\n", "\n-\n - \na b c - cgroup2\n", nil},
	} {
		if got := Trees(c.groups, c.mounts); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	tree := Tree{Unified: true, Mount: "/sys/fs/cgroup", Own: "/runit"}
	for path, want := range map[string]string{
		"named": "/runit/named", "a/b": "/runit/a/b", "/services/named": "/services/named",
		"/sys/fs/cgroup/services/named": "/services/named", "/sys/fs/cgroup2/x": "/sys/fs/cgroup2/x",
	} {
		if got := tree.Find(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	tree.Own = "/"
	if got := tree.Find("named"); got != "/named" {
		t.Errorf("below the root: %s", got)
	}
	for path, want := range map[string][2]string{"/a": {"/", "a"}, "/a/b": {"/a", "b"}, "/a/b/c": {"/a/b", "c"}} {
		if above, name := Split(path); above != want[0] || name != want[1] {
			t.Errorf("%s: %s and %s", path, above, name)
		}
	}
}

// Two places are of one hierarchy if it is cgroup2, or has the same controllers.
func TestSameTree(t *testing.T) {
	unified, memory, cpu := Tree{Unified: true, Mount: "/a"}, Tree{Controllers: []string{"memory"}}, Tree{Controllers: []string{"cpu"}}
	none, elsewhere := Tree{}, Tree{Unified: true, Mount: "/b"}
	for _, tt := range []struct {
		a, b *Tree
		want bool
	}{{&unified, &elsewhere, true}, {&memory, &memory, true}, {&memory, &cpu, false}, {&unified, &none, false}} {
		if got := tt.a.Same(tt.b); got != tt.want {
			t.Errorf("%+v and %+v: %v", tt.a, tt.b, got)
		}
	}
}
